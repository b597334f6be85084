"""The page about funnels: its cards, its tables and its verdict.

The rules of the verdict, over the comparisons that were declared beforehand:

    supported        one of them at least came out as expected after Holm's correction, and none the
                     other way round
    not supported    none came out as expected, or one came out the other way round
    info             none could be judged yet

No row tells of fewer than `least_count` people, and no person is on this page.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise import files
from tierwise.funnels import hypotheses, steps
from tierwise.funnels.hypotheses import Hypothesis
from tierwise.report import MISSING, format_value
from tierwise.segments.value import student

STEP = "funnels"
FEWEST = 20
RATIO_WEEKS = 12
JUDGED = (hypotheses.SUPPORTED, hypotheses.OPPOSITE, hypotheses.NOT_SHOWN)
WEEK_FORMATS = {"quick_ratio": "number"}
KIND_FORMATS = {"people": "share", "between": "share", "nothing_else": "share", "times": "number"}
STEP_FORMATS = {"of_all": "share", "between": "share", "of_step_before": "share"}
STEP_FORMATS |= {"half_within_days": "number", "days_between": "number"}
GROUP_FORMATS = {"of_all": "share", "between": "share", "half_within_days": "number"}
P_COLUMNS = ("p", "p_holm", "p_bh")
AWARE_FORMATS = {"share": "share", "between": "share"}


def share(value: float) -> str:
    return format_value(value, "share")


def chance(p: float) -> str:
    return "below 0.001" if p < 0.001 else format_value(p, "number")


def span(until: pd.Timestamp, days: float) -> pd.Timestamp:
    """The moment so many days before, from which people enter."""
    return until - pd.Timedelta(days=days)


def seen_events(events: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    """Events known before then, each once."""
    known = events[ex.known_before(events, until, "known_at")]
    return known.sort_values("known_at", kind="stable").drop_duplicates("event_id")


def ratio(weekly: pd.DataFrame, weeks: int = RATIO_WEEKS) -> float:
    """(new + resurrected) / dormant over the last weeks; NaN where nobody went dormant."""
    last = weekly[~weekly["is_first"]].tail(weeks)
    lost = last["dormant_count"].sum()
    return float((last["new_count"] + last["resurrected_count"]).sum() / lost) if lost else np.nan


def cards(weekly: pd.DataFrame, aware: pd.DataFrame, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Active last week, quick ratio, awareness, and how many go all the way."""
    last, known, end = weekly.iloc[-1], aware.iloc[-1], table.iloc[-1]
    return [
        {
            "label": "active in the last whole week",
            "value": format_value(last["active_count"], "count"),
            "note": f"from {last['week'].date()}; {last['new_count']:,} for the first time",
        },
        {
            "label": "quick ratio",
            "value": f"{ratio(weekly):.2f}",
            "note": f"of {RATIO_WEEKS} weeks; above 1 the audience grows",
        },
        {
            "label": "know us",
            "value": share(known["share"]),
            "note": f"{known['reached_count']:,} of {known['audience_count']:,} have ever come",
        },
        {
            "label": f"{table.iloc[0]['step']} to {end['step']}".replace("_", " "),
            "value": share(end["share"]),
            "interval": format_value(end["interval"], "share"),
        },
    ]


def growing(weekly: pd.DataFrame) -> str:
    """Does the audience grow, or is that luck? By the changes from week to week, of last weeks."""
    last = weekly[~weekly["is_first"]].tail(RATIO_WEEKS)
    gained = last["new_count"] + last["resurrected_count"]
    change = (gained - last["dormant_count"]).to_numpy("float64")
    low, high = student(change)
    if not low <= high:
        return "Too early to say whether the audience grows: fewer than two whole weeks."
    word = "grows" if low > 0 else "shrinks" if high < 0 else "neither grows nor shrinks"
    return (
        f"In the last {len(last)} whole weeks people came {gained.sum():,} times anew or after a "
        f"pause, and fell silent {last['dormant_count'].sum():,} times: {change.mean():+.1f} a "
        f"week ({low:+.1f} to {high:+.1f}), so that beyond luck it {word}."
    )


def weeks_table(weekly: pd.DataFrame, count: int) -> pd.DataFrame:
    """The last weeks, the latest first."""
    rows = weekly[~weekly["is_first"]].tail(count).iloc[::-1]
    names = ["active", "new", "returning", "resurrected", "dormant"]
    found = pd.DataFrame({"week": rows["week"].dt.strftime("%Y-%m-%d")})
    return found.assign(
        **{name: rows[f"{name}_count"] for name in names}, quick_ratio=rows["quick_ratio"]
    )


def aware_note(aware: pd.DataFrame, beside_count: int) -> str:
    last = aware.iloc[-1]
    beside = f" {beside_count:,} more came who are not in it." if beside_count else ""
    return (
        f"{share(last['share'])} of a target audience of {last['audience_count']:,} have ever "
        f"come.{beside} Whoever is in none of our tables is in no denominator either."
    )


def kinds_table(found: pd.DataFrame) -> pd.DataFrame:
    """Kinds of activity, in words. found: of `audience.kinds`."""
    rows = found[found["people_count"] >= FEWEST]
    return pd.DataFrame(
        {
            "activity": rows["event"].astype("object").str.replace("_", " "),
            "people_count": rows["people_count"],
            "people": rows["people_share"],
            "between": rows["interval"],
            "times": rows["events_per_person"],
            "nothing_else": rows["alone_share"],
        }
    )


def steps_table(table: pd.DataFrame) -> pd.DataFrame:
    """Steps in words; `group` is kept where there is one. table: of `steps.conversion`."""
    first = (table["median_days"] == 0).to_numpy()
    found = pd.DataFrame(
        {
            "step": table["step"].str.replace("_", " "),
            "people_count": table["people_count"],
            "of_all": table["share"],
            "between": table["interval"],
            "of_step_before": table["step_share"].where(~first),
            "half_within_days": table["median_days"].where(~first),
            "days_between": table["median_interval"].where(~first),
            "open_count": table["open_count"],
        }
    )
    if "group" in table:
        found.insert(0, "group", table["group"])
    return found


def curves(
    paths: pd.DataFrame, names: Sequence[str], window_days: float
) -> dict[str, pd.DataFrame]:
    """Of each step but the first, who has taken it by each day of the window."""
    days = np.arange(np.floor(window_days) + 1)
    return {name: steps.reached(paths, at, days) for at, name in enumerate(names[1:], 2)}


def open_note(paths: pd.DataFrame, window_days: float) -> str:
    """Who is not counted, and why."""
    count = int(paths["is_open"].sum())
    return (
        f"{len(paths):,} people entered. The window of {count:,} is still open: less than "
        f"{window_days:g} days have passed, so a step may still come. They are in no share; in the "
        "times they count as people who have waited so long and no longer."
    )


def by_group(paths: pd.DataFrame, names: Sequence[str], group: pd.Series | None) -> pd.DataFrame:
    """The last step of each group, the best first; groups of few people are left out, and there is
    no row where all are, or nobody knows the groups."""
    if group is None:
        return pd.DataFrame()
    closed = paths[~paths["is_open"]].index.to_series().map(group).value_counts()
    if (closed < FEWEST).all():
        return pd.DataFrame()
    found = steps.by_group(paths, names, group, FEWEST)
    entered = found[found["step"] == names[0]].set_index("group")["people_count"]
    last = found[found["step"] == names[-1]].copy()
    last.insert(1, "entered_count", last["group"].map(entered))
    return last.sort_values(["share", "group"], ascending=[False, True], ignore_index=True)


def group_table(last: pd.DataFrame) -> pd.DataFrame:
    """`by_group` in words."""
    if last.empty:
        return pd.DataFrame(columns=["group", *GROUP_FORMATS])
    return pd.DataFrame(
        {
            "group": last["group"],
            "entered_count": last["entered_count"],
            "people_count": last["people_count"],
            "of_all": last["share"],
            "between": last["interval"],
            "half_within_days": last["median_days"],
        }
    )


def tested(found: pd.DataFrame, declared: Sequence[Hypothesis]) -> pd.DataFrame:
    """Comparisons in words, a row each. found: of `hypotheses.judged`."""
    rows = []
    for one, row in zip(declared, found.to_dict("records"), strict=True):
        kind = "eur" if one.measure.endswith("_eur") else "share"
        ends = row["interval_all"] if row["verdict"] in JUDGED else (np.nan, np.nan)
        means = [format_value(row[name], kind) for name in ("first_mean", "second_mean")]
        rows.append(
            {
                "comparison": one.name.replace("_", " "),
                "declared": one.declared_at,
                "measure": one.measure,
                "expected": one.expected,
                "people": f"{row['first_count']:,} and {row['second_count']:,}",
                "first": means[0] if row["first_count"] >= FEWEST else MISSING,
                "second": means[1] if row["second_count"] >= FEWEST else MISSING,
                "difference": format_value(row["difference"], kind),
                "between": format_value(ends, kind),
            }
            | {name: chance(row[name]) for name in P_COLUMNS}
            | {"verdict": row["verdict"]}
        )
    return pd.DataFrame(rows, columns=None if rows else ["comparison", "verdict"])


def judgement(found: pd.DataFrame) -> tuple[str, str]:
    """Kind of verdict and a sentence. found: of `hypotheses.judged`."""
    verdicts = found["verdict"] if len(found) else pd.Series(dtype="object")
    counts = {name: int((verdicts == name).sum()) for name in JUDGED}
    judged = sum(counts.values())
    if not judged:
        return "info", (
            f"{len(found)} comparisons were declared, and none can be judged yet: too few people "
            "since the day on which they were written down."
        )
    told = (
        f"Of {judged} comparisons that were declared beforehand and can be judged, "
        f"{counts[hypotheses.SUPPORTED]} came out as expected after Holm's correction, "
        f"{counts[hypotheses.OPPOSITE]} the other way round, {counts[hypotheses.NOT_SHOWN]} not "
        "beyond luck."
    )
    good = counts[hypotheses.SUPPORTED] and not counts[hypotheses.OPPOSITE]
    return ("supported" if good else "not supported"), told


def truth(folder: Path | None) -> pd.DataFrame | None:
    """What is known of simulated comparisons; None where nobody knows it."""
    return None if folder is None else files.read_parquet(folder / "hypotheses.parquet")


def against_truth(
    found: pd.DataFrame, declared: Sequence[Hypothesis], true: pd.DataFrame | None
) -> pd.DataFrame:
    """Verdicts beside the simulated effects: comparison, verdict, true_effect (log odds, or log
    rate of purchases)."""
    if true is None:
        return pd.DataFrame(columns=["comparison", "verdict", "true_effect"])
    effects = dict(zip(true["topic_b"], true["effect"], strict=True))
    effects |= dict(zip(true["topic_a"], -true["effect"], strict=True))
    return pd.DataFrame(
        {
            "comparison": [one.name.replace("_", " ") for one in declared],
            "verdict": found["verdict"],
            "true_effect": [effects.get(one.first.get("topic", ""), np.nan) for one in declared],
        }
    )


def save_metrics(
    about: dict[str, Any],
    weekly: pd.DataFrame,
    found: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    extra: Mapping[str, Any],
) -> None:
    """metrics/<application>/funnels.json. found: of `hypotheses.judged`; tables: by name; extra: as
    it is."""
    kind, sentence = judgement(found)
    told = about | {"verdict": kind, "sentence": sentence, "quick_ratio": ratio(weekly)}
    told |= {"comparisons": found.to_dict("records")}
    shown = {name: table.to_dict("records") for name, table in tables.items()}
    files.write_json(files.metrics_path(about["application"], STEP), told | shown | dict(extra))
