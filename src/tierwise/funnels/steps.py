"""Funnels: how many people go all the way, step by step, and how long they take.

    steps       events in order; a person enters with the first event of the first step, and takes
                each further step with the first event of it that does not come before the last
    window      days from the entry in which steps count
    open        a person whose window has not closed yet; not in the shares, since a step may still
                come, but in the times, as somebody who has waited so long and no longer

A person counts once, by the first entry ever; a span picks people by it. Steps are those known
before the as-of time.

Worked example, steps visit, trial, order, window 30 days, as of 1 March: visits on 5 January and
20 February, trial on 7 January, order on 10 February. Entered on 5 January, trial after 2 days, no
order: it came on the 36th day. The second visit is not looked at.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from tierwise import examples as ex
from tierwise.evaluation import wilson
from tierwise.features import check_times, microseconds
from tierwise.files import InputError

DAY_US = 86_400_000_000
CONFIDENCE = 0.95


def paths(
    events: pd.DataFrame,
    steps: Sequence[str],
    window_days: float,
    as_of: pd.Timestamp,
    start: pd.Timestamp | None = None,
    end: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """A row per person who entered from `start` on and before `end`; index person_id, ascending.

    events: person_id, event, occurred_at, known_at. Columns: is_open; watched_days, from the entry
    to the as-of time or the end of the window; step_1_days (0), step_2_days, ...: days from the
    entry, missing where the step was not taken. Raises InputError for fewer than two steps, a step
    that is named twice or never occurs, and a window that is not above 0.
    """
    checked(events, steps, window_days)
    seen = events[ex.known_before(events, as_of, "known_at")]
    seen = seen.assign(at=microseconds(seen["occurred_at"]))
    check_times(occurred_at=seen["at"].to_numpy())
    entry = seen.loc[seen["event"] == steps[0]].groupby("person_id")["at"].min()
    edges = [-np.inf if start is None else instant(start), np.inf if end is None else instant(end)]
    entry = entry[(entry >= edges[0]) & (entry < edges[1])]
    window = window_days * DAY_US
    watched = np.minimum(instant(as_of) - entry.to_numpy(), window)
    found = pd.DataFrame(
        {"is_open": watched < window, "watched_days": watched / DAY_US, "step_1_days": 0.0},
        entry.index,
    )
    last = entry.astype("float64")
    for number, step in enumerate(steps[1:], 2):
        rows = seen.loc[seen["event"] == step, ["person_id", "at"]]
        reached = rows["person_id"].map(last)
        latest = rows["person_id"].map(entry) + window
        inside = (rows["at"] >= reached) & (rows["at"] < latest)
        last = rows[inside].groupby("person_id")["at"].min().reindex(entry.index)
        found[f"step_{number}_days"] = (last - entry) / DAY_US
    return found


def checked(events: pd.DataFrame, steps: Sequence[str], window_days: float) -> None:
    if len(steps) < 2 or len(set(steps)) < len(steps):
        raise InputError(f"A funnel has two different steps or more, found {list(steps)}.")
    never = [step for step in steps if not (events["event"] == step).any()]
    if never:
        raise InputError(
            f"The step {never[0]} never occurs; events are "
            f"{', '.join(sorted(events['event'].unique())[:20])}. Correct the name."
        )
    if not window_days > 0:
        raise InputError(f"The window must be longer than 0 days, found {window_days:g}.")


def instant(at: pd.Timestamp) -> int:
    return int(microseconds(pd.Series([at]))[0])


def conversion(paths: pd.DataFrame, steps: Sequence[str]) -> pd.DataFrame:
    """How many took each step, a row per step. Counts never rise from one step to the next.

    Columns: step; people_count, of those whose window has closed; share (of all who entered) and
    interval (95 %, Wilson); step_share (of those who took the step before) and step_interval;
    open_count, people with an open window who took it too, and are not counted; median_days and
    median_interval, from the step before, see `median_wait`.
    """
    closed = paths[~paths["is_open"]]
    rows = []
    whole = before = len(closed)
    for number, step in enumerate(steps, 1):
        taken = paths[f"step_{number}_days"].notna()
        count = int((taken & ~paths["is_open"]).sum())
        times = median_wait(paths, number) if number > 1 else (0.0, (0.0, 0.0))
        rows.append(
            {
                "step": step,
                "people_count": count,
                "share": count / whole if whole else np.nan,
                "interval": tuple(wilson(count, whole)),
                "step_share": count / before if before else np.nan,
                "step_interval": tuple(wilson(count, before)),
                "open_count": int((taken & paths["is_open"]).sum()),
                "median_days": times[0],
                "median_interval": times[1],
            }
        )
        before = count
    return pd.DataFrame(rows)


def median_wait(paths: pd.DataFrame, number: int) -> tuple[float, tuple[float, float]]:
    """Days from the step before until half have taken this one, and the interval of that.

    Of everybody who took the step before; those who did not take this one have waited until the
    as-of time or the end of the window, and no longer (right-censored; Kaplan and Meier 1958, with
    intervals on the log-log scale). Infinite where fewer than half ever take it inside the window.
    """
    at = paths[f"step_{number - 1}_days"]
    waiting = paths[at.notna()]
    next_at, since = waiting[f"step_{number}_days"], at[at.notna()]
    took = next_at.notna().to_numpy()
    wait = (next_at.fillna(waiting["watched_days"]) - since).to_numpy("float64")
    if not took.any():
        return np.inf, (np.inf, np.inf)
    curve = stats.ecdf(stats.CensoredData(uncensored=wait[took], right=wait[~took])).sf
    with warnings.catch_warnings():  # undefined before the first and after the last step
        warnings.simplefilter("ignore", RuntimeWarning)
        ends = curve.confidence_interval(CONFIDENCE, method="log-log")
    low, high = (halved(one.quantiles, one.probabilities) for one in (ends.low, ends.high))
    return halved(curve.quantiles, curve.probabilities), (low, high)


def halved(days: np.ndarray, share: np.ndarray) -> float:
    """The first day on which at most half are still waiting."""
    reached = np.nan_to_num(share, nan=1.0) <= 0.5
    return float(days[reached.argmax()]) if reached.any() else np.inf


def reached(paths: pd.DataFrame, number: int, days: np.ndarray) -> pd.DataFrame:
    """Share who took step `number` by each day after the entry, open windows and all: days, share.

    Kaplan and Meier again, from the entry: nobody's window needs to have closed.
    """
    at = paths[f"step_{number}_days"]
    took = at.notna().to_numpy()
    wait = at.fillna(paths["watched_days"]).to_numpy("float64")
    curve = stats.ecdf(stats.CensoredData(uncensored=wait[took], right=wait[~took])).cdf
    return pd.DataFrame({"days": days, "share": curve.evaluate(np.asarray(days, "float64"))})


def by_group(
    paths: pd.DataFrame, steps: Sequence[str], group: pd.Series, least_count: int = 20
) -> pd.DataFrame:
    """`conversion` for each group with so many closed windows or more: group, then its columns.

    group: by person_id, as known at the entry; people without one are left out.
    """
    names = paths.index.to_series().map(group)
    parts = [
        conversion(paths[(names == name).to_numpy()], steps).assign(group=name)
        for name in sorted(names.dropna().unique())
        if (~paths.loc[(names == name).to_numpy(), "is_open"]).sum() >= least_count
    ]
    if not parts:
        raise InputError(
            f"No group has {least_count} people whose window has closed. Take a longer span."
        )
    found = pd.concat(parts, ignore_index=True)
    return found[["group", *(name for name in found if name != "group")]]
