"""Rows to learn from and to be judged on, cut by time. The only module that compares dates
(events are cut in `kernel`, which does nothing else and sees numbers only).

One example is one (entity, as-of time). Three times matter:

    as_of               when we would have had to decide
    outcome_known_at    when we learned how it ended
    edge                the first instant of a later span or period

Worked example, outcome known one day after the call, judged span from 1 June:

    called      outcome known    span
    20 May      21 May           tune, its outcome may be used for choices made on 1 June
    31 May      1 June           none: on the morning of 1 June nobody knew how it ended
    1 June      2 June           judge

A file with no dates has row numbers (or any running number) in place of times, compared alike.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.row_weights import as_known

SPANS = ("learn", "tune", "judge")
LIST_MIN_COUNT = 10


def known_before(table: pd.DataFrame, edge: Any, column: str = "outcome_known_at") -> pd.Series:
    """Mask of the rows whose `column` lies strictly before `edge`."""
    return table[column] < edge


def repeated(
    known_at: pd.Series, until: pd.Series, every_days: float, start_share: np.ndarray
) -> pd.DataFrame:
    """As-of times of cases that are looked at again and again: full hours, every so many days.

    The first one lies after known_at and up to one interval later, by `start_share` (0 to 1) of
    it, so that the cases spread over hours and days; the last one not after `until`. Columns: row
    (position of the case), as_of; by case, then by time.
    """
    every = pd.Timedelta(days=every_days)
    first = (known_at + start_share * every).dt.floor("h") + pd.Timedelta(hours=1)
    count = ((until - first) // every + 1).clip(lower=0).to_numpy("int64")
    row = np.repeat(np.arange(len(first)), count)
    turn = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    return pd.DataFrame({"row": row, "as_of": first.array[row] + turn * every})


def horizon_end(as_of: pd.Series, horizon_days: float) -> pd.Series:
    """The instant at which an outcome is due: what happened before it counts."""
    return as_of + pd.Timedelta(days=horizon_days)


def later(one: pd.Series, other: pd.Series) -> pd.Series:
    """Row by row the later of two times; a missing one does not count."""
    return pd.concat([one, other], axis=1).max(axis=1)


def earlier(one: Any, other: Any) -> pd.Series:
    """Mask of the rows in which `one` lies strictly before `other`; False where one is missing."""
    return one < other


def is_older(instant: pd.Timestamp, as_of: pd.Timestamp, hours: float) -> bool:
    """Does the instant lie more than so many hours before the as-of time?"""
    return as_of - instant > pd.Timedelta(hours=hours)


def share_later(times: pd.Series, as_of: pd.Series) -> float:
    """Share of the known `times` that lie after their row's as-of time; 0.0 where none is known."""
    known = times.notna() & as_of.notna()
    return float((times[known] > as_of[known]).mean()) if known.any() else 0.0


def known_at(as_of: pd.Series, rule: dict[str, Any], times: pd.Series | None = None) -> pd.Series:
    """When each outcome became known.

    rule: {"after_days": n} for dates, {"after_rows": n} for running numbers (n = 0 if absent), or
    {"column": name} with that column's `times`. A time before the as-of time counts as the
    as-of time: nobody knows an outcome before the decision. Raises InputError where the rule
    counts in dates and the rows in numbers, or the other way round.
    """
    dated = is_dated(as_of)
    if ("after_rows" if dated else "after_days") in rule or (
        times is not None and is_dated(times) != dated
    ):
        kind, unit = ("dates", "after_days") if dated else ("numbers", "after_rows")
        raise InputError(
            f"outcome_known is {rule}, but the rows are in order of {kind}. "
            f"Name a column of {kind}, or count in {unit}."
        )
    if times is not None:
        return times.where(times >= as_of, as_of.where(times.notna()))
    if dated:
        return as_of + pd.Timedelta(days=rule.get("after_days", 0))
    return as_of + rule.get("after_rows", 0)


def is_dated(as_of: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(as_of)


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by as-of time; rows of one instant stay in the file's order."""
    return table.sort_values("as_of", kind="stable").reset_index(drop=True)


def edge_at(as_of: pd.Series, share: float) -> Any:
    """The as-of time before which `share` of the rows lie, rounded down to a whole instant.

    as_of: ascending. All rows of one instant fall on the same side.
    """
    # 1 - 0.3 - 0.2 is a hair below 0.5: without the margin a whole row would change sides.
    return as_of.iloc[min(int(share * len(as_of) + 1e-9), len(as_of) - 1)]


def spans(examples: pd.DataFrame, tune_share: float, judge_share: float) -> pd.Series:
    """learn | tune | judge for each row, "" where the outcome came too late for its span.

    examples: ascending as_of. The span `judge` is the latest `judge_share` of the rows, `tune`
    the `tune_share` before it. Raises InputError when a span would hold no row.
    """
    if min(tune_share, judge_share) <= 0 or tune_share + judge_share >= 1:
        raise InputError(
            "tune_share and judge_share must be above 0 and leave a share to learn from; "
            f"params.yaml gives {tune_share} and {judge_share}."
        )
    judge_from = edge_at(examples["as_of"], 1 - judge_share)
    tune_from = edge_at(examples["as_of"], 1 - judge_share - tune_share)
    judge = examples["as_of"] >= judge_from
    tune = (examples["as_of"] >= tune_from) & ~judge & known_before(examples, judge_from)
    learn = (examples["as_of"] < tune_from) & known_before(examples, tune_from)
    span = np.select([judge, tune, learn], ["judge", "tune", "learn"], default="")
    for name in SPANS:
        if not (span == name).any():
            raise InputError(
                f"No row falls into the span '{name}': the time column has only "
                f"{examples['as_of'].nunique()} distinct values for {len(examples)} rows, or "
                "outcomes become known too late. Use a finer time column, leave the time out to "
                "use the order of the rows, or wait for more rows."
            )
    return pd.Series(span, index=examples.index)


@dataclass(frozen=True)
class Period:
    """One turn: fit on `known` (in the order of knowing), judge on `rows` (ascending positions)."""

    start: Any
    known: np.ndarray
    rows: np.ndarray


def by_period(examples: pd.DataFrame, period_count: int, history_share: float) -> list[Period]:
    """Split the rows into periods of about equal size, after a first stretch of history.

    examples: ascending as_of, holding no row of the judged span. A period learns only from rows
    whose outcome was known before its first instant. Periods that would start inside one
    instant are merged, so fewer than `period_count` can come back.
    """
    marks = np.linspace(history_share, 1.0, period_count + 1)[:-1]
    starts = list(dict.fromkeys(edge_at(examples["as_of"], share) for share in marks))
    ends = [*starts[1:], None]
    periods = []
    for start, end in zip(starts, ends, strict=True):
        inside = examples["as_of"] >= start
        if end is not None:
            inside &= examples["as_of"] < end
        known = np.flatnonzero(known_before(examples, start))
        known = as_known(examples["outcome_known_at"], known)
        if len(known):
            periods.append(Period(start, known, np.flatnonzero(inside)))
    if not periods:
        raise InputError(
            f"No outcome was known before {label(starts[-1])}, the start of the last period: there "
            f"is nothing to learn from. Raise history_share (it is {history_share})."
        )
    return periods


def week_or_block(as_of: pd.Series, block_count: int = 20) -> np.ndarray:
    """A group number per row: calendar weeks of dates, else equal blocks of the order.

    Fewer than ten weeks say little about how weeks differ: days stand in for them then, and
    blocks where there are fewer than ten days.
    """
    for unit in ("W", "D") if is_dated(as_of) else ():
        group = pd.factorize(as_of.dt.to_period(unit))[0]
        if group.max(initial=-1) + 1 >= 10:
            return group
    return np.arange(len(as_of)) * block_count // max(len(as_of), 1)


def work_lists(as_of: pd.Series) -> np.ndarray:
    """The list each row stands on: weeks (see `week_or_block`) of ten rows or more, ascending.

    Shorter ones are joined with the next, the last with the one before, since a fifth of two rows
    is no row. as_of: ascending.
    """
    group = week_or_block(as_of)
    sizes = np.bincount(group)
    lists, held = np.zeros(len(sizes), dtype=int), 0
    for at, size in enumerate(sizes):
        full = held >= LIST_MIN_COUNT
        lists[at] = lists[max(at - 1, 0)] + full
        held = size if full else held + size
    if held < LIST_MIN_COUNT and len(lists):
        lists = np.minimum(lists, max(lists[-1] - 1, 0))
    return lists[group]


def month_or_block(as_of: pd.Series, block_count: int = 8) -> pd.Series:
    """A readable label per row: "2009-07" for dates, else "rows 1–1,000"."""
    if is_dated(as_of):
        return as_of.dt.strftime("%Y-%m")
    block = np.arange(len(as_of)) * block_count // max(len(as_of), 1)
    first = pd.Series(np.arange(len(as_of)) + 1).groupby(block).transform("min").to_numpy()
    last = pd.Series(np.arange(len(as_of)) + 1).groupby(block).transform("max").to_numpy()
    labels = [f"rows {a:,}–{b:,}" for a, b in zip(first, last, strict=True)]
    return pd.Series(labels, index=as_of.index)


def label(instant: Any) -> str:
    """A time as text: an ISO date (with the hour only if there is one), or a number."""
    if isinstance(instant, pd.Timestamp):
        return instant.isoformat(sep=" ", timespec="minutes").removesuffix(" 00:00")
    return f"{float(instant):,.0f}"


def days_between(earlier: pd.Series, as_of: pd.Series) -> pd.Series:
    """Days from a date to the as-of time as float32, negative for dates still to come."""
    return ((as_of - earlier) / pd.Timedelta(days=1)).astype("float32")


def days_earlier(as_of: pd.Series, days: pd.Series) -> pd.Series:
    """The instant so many days before each as-of time, missing where the days are."""
    away = pd.to_timedelta(days.astype("float64"), unit="D")
    return (as_of - away).astype("datetime64[us]")


def days_passed(start: pd.Series, end: pd.Series) -> np.ndarray:
    """Days from each start to the end in the same place; of running numbers, their difference."""
    passed = end.to_numpy() - start.to_numpy()
    return (passed / np.timedelta64(1, "D") if is_dated(end) else passed).astype("float64")


def latest_before(as_of: pd.Series, known_at: pd.Series, values: pd.DataFrame) -> pd.DataFrame:
    """Per as-of time (ascending), the row of `values` that became known last, strictly before it.

    known_at: ascending, one per row of `values`. NaN where nothing was known yet.
    """
    upto = np.searchsorted(known_at.to_numpy(), as_of.to_numpy(), side="left")
    nothing = pd.DataFrame(np.nan, index=[0], columns=values.columns)
    return pd.concat([nothing, values]).iloc[upto].set_axis(as_of.index)


def arrived_before(as_of: pd.Series) -> np.ndarray:
    """How many rows lie strictly before each as-of time (ascending), shape (n_rows,)."""
    return np.searchsorted(as_of.to_numpy(), as_of.to_numpy(), side="left")


def day(as_of: pd.Series) -> np.ndarray | None:
    """The calendar day of each row, None when the order has no dates."""
    return as_of.dt.normalize().to_numpy() if is_dated(as_of) else None


def before_judging(examples: pd.DataFrame) -> pd.Series:
    """Mask of the rows whose outcome was known when the judged span began."""
    return known_before(examples, examples.loc[examples["span"] == "judge", "as_of"].min())


def open_share(examples: pd.DataFrame, undecided: pd.Series | None) -> dict[str, float]:
    """Share of the rows of `tune` and `judge` whose outcome was not known in time, per span.

    undecided: as-of times of rows left out because their outcome is still open; None where every
    outcome takes equally long, so that no kind of row is over-represented: {} then.
    """
    if undecided is None:
        return {}
    tune_from = examples.loc[examples["span"] == "tune", "as_of"].min()
    judge_from = examples.loc[examples["span"] == "judge", "as_of"].min()
    found = {}
    for name, start, end in (("tune", tune_from, judge_from), ("judge", judge_from, None)):
        rows, waiting = examples[examples["as_of"] >= start], undecided[undecided >= start]
        if end is not None:
            rows, waiting = rows[rows["as_of"] < end], waiting[waiting < end]
        late = int((rows["span"] == "").sum()) + len(waiting)
        found[name] = late / max(len(rows) + len(waiting), 1)
    return found


def middle(times: pd.Series) -> pd.Timestamp:
    """The full hour half-way between the first and the last of these times."""
    return pd.Timestamp(times.min() + (times.max() - times.min()) / 2).floor("h").as_unit("us")
