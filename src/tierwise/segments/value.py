"""What segments are worth: later behaviour, who comes first, and which channel they answer.

People's segments are those of an as-of time; outcomes, values and answers are handed in by whoever
cut them at that time. Differences between segments are what came, not what a contact would cause.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tierwise.evaluation import wilson
from tierwise.files import InputError
from tierwise.segments.find import BETWEEN
from tierwise.segments.plan import LEAST_COUNT

EVERYBODY = "everybody"
CONFIDENCE = 0.95
PRIOR_SENDS = 20.0  # how many people everybody's rate of a channel counts for in a segment
DRAW_COUNT = 10_000
CLEAR_CHANCE = 0.9
FIRST, HARD_TO_REACH, MIDDLE, LAST = "first", "first, but hard to reach", "middle", "last"


def later(segment: pd.Series, outcome: pd.Series) -> pd.DataFrame:
    """What came of the people of each segment, and of everybody in the last row.

    outcome: 0 or 1, or an amount, by person; people without one are left out. Columns: segment (as
    text), people_count, mean (a share where the outcome is 0 or 1), interval (95 %: Wilson, or
    Student's), lift (mean over everybody's), total_share (of everything that came).
    """
    both = pd.concat([segment.rename("segment"), outcome.rename("outcome")], axis=1, join="inner")
    both = both.dropna().astype({"segment": "int64", "outcome": "float64"})
    is_share = bool(both["outcome"].isin([0.0, 1.0]).all())
    whole, total = both["outcome"].mean(), both["outcome"].sum()
    rows = []
    groups = sorted(both.groupby("segment"), key=lambda one: (one[0] == BETWEEN, one[0]))
    for label, values in [*((text(key), part["outcome"]) for key, part in groups)]:
        rows.append(mean_row(label, values, is_share))
    rows.append(mean_row(EVERYBODY, both["outcome"], is_share))
    found = pd.DataFrame(rows, columns=["segment", "people_count", "mean", "interval"])
    sums = found["mean"] * found["people_count"]
    return found.assign(
        lift=found["mean"] / whole if whole else np.nan,
        total_share=sums / total if total else np.nan,
    )


def text(label: int) -> str:
    return "between" if label == BETWEEN else str(label)


def mean_row(label: str, values: pd.Series, is_share: bool) -> tuple[str, int, float, tuple]:
    count, mean = len(values), float(values.mean()) if len(values) else float("nan")
    if is_share:
        low, high = wilson(float(values.sum()), count)
        return label, count, mean, (low, high)
    return label, count, mean, student(values.to_numpy())


def student(values: np.ndarray) -> tuple[float, float]:
    """Interval of the mean; without ends where there are fewer than two values."""
    if len(values) < 2:
        return (float("nan"), float("nan"))
    error = values.std(ddof=1) / len(values) ** 0.5
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * error)
    return (float(values.mean()) - reach, float(values.mean()) + reach)


def differ(segment: pd.Series, outcome: pd.Series) -> dict[str, Any]:
    """Do segments differ in what came later? chance of such differences by luck alone (p).

    Kruskal and Wallis (1952) by ranks, for shares and amounts alike; people between segments are
    left out. p is missing where there are fewer than two segments or everybody has the same.
    """
    both = pd.concat([segment.rename("segment"), outcome.rename("outcome")], axis=1, join="inner")
    both = both[both["segment"] != BETWEEN].dropna()
    groups = [part["outcome"].to_numpy("float64") for _, part in both.groupby("segment")]
    if len(groups) < 2 or both["outcome"].nunique() < 2:
        return {"people_count": len(both), "segments_count": len(groups), "p": None}
    p = float(stats.kruskal(*groups).pvalue)
    return {"people_count": len(both), "segments_count": len(groups), "p": p}


def priority(segment: pd.Series, value_eur: pd.Series, reachable: pd.Series) -> pd.DataFrame:
    """Who comes first, by what people are worth and whether they can be reached.

    value_eur, reachable (bool) by person. Columns: segment, people_count, reachable_count,
    reachable_share, reach_interval; value_eur (mean per reachable person), value_interval;
    reachable_value_eur (sum) and reachable_value_share; priority; the largest sum first.

        first     worth clearly more per person than everybody (the interval lies above)
        first, but hard to reach    the same, and clearly fewer can be reached than of everybody
        last      worth clearly less
        middle    neither
    """
    people = pd.concat(
        [segment.rename("segment"), value_eur.rename("value"), reachable.rename("reach")], axis=1
    )
    if people.isna().any(axis=None):
        raise InputError(
            "Every person needs a segment, a value and whether reachable; "
            f"{int(people.isna().any(axis=1).sum()):,} of {len(people):,} lack one. Fill them in."
        )
    reached = people[people["reach"].astype("bool")]
    mean, reach = float(reached["value"].mean()), len(reached) / max(len(people), 1)
    rows = []
    for label, part in people[people["segment"] != BETWEEN].groupby("segment"):
        values = part.loc[part["reach"].astype("bool"), "value"].to_numpy("float64")
        ends, value_ends = wilson(len(values), len(part)), student(values)
        rows.append(
            {
                "segment": int(label),
                "people_count": len(part),
                "reachable_count": len(values),
                "reachable_share": len(values) / len(part),
                "reach_interval": (ends[0], ends[1]),
                "value_eur": float(values.mean()) if len(values) else float("nan"),
                "value_interval": value_ends,
                "reachable_value_eur": float(values.sum()),
                "priority": placed(value_ends, mean, ends[1] < reach),
            }
        )
    found = pd.DataFrame(rows)
    found["reachable_value_share"] = found["reachable_value_eur"] / reached["value"].sum()
    order = ["reachable_value_eur", "segment"]
    return found.sort_values(order, ascending=[False, True], ignore_index=True)


def placed(interval: tuple[float, float], mean: float, is_hard: bool) -> str:
    if interval[0] > mean:
        return HARD_TO_REACH if is_hard else FIRST
    return LAST if interval[1] < mean else MIDDLE


def channels(
    sends: pd.DataFrame, segment: pd.Series, least_count: int = LEAST_COUNT, seed: int = 0
) -> pd.DataFrame:
    """Which channel does each segment answer best?

    sends: person_id, channel, answered (0 or 1), known before the as-of time; a person counts once
    per channel, as answering if ever. A segment's rate is drawn to everybody's rate of the channel
    by 20 people (beta prior). Columns: segment, channel, people_count, answered_count, share,
    interval (95 %, of the posterior), best_chance (that no other channel is answered more often),
    is_suggested (the likeliest), reading: clear (from 0.9 on), leaning, or too early to say where
    fewer than `least_count` people got it. Who got what was somebody's choice: try the others too.
    """
    once = sends.groupby(["person_id", "channel"], sort=True)["answered"].max().reset_index()
    once["segment"] = once["person_id"].map(segment)
    once = once[once["segment"].notna()]
    overall = once.groupby("channel")["answered"].agg(["sum", "count"])
    prior = (overall["sum"] + 1) / (overall["count"] + 2)
    once = once[once["segment"] != BETWEEN]
    cells = once.groupby(["segment", "channel"])["answered"].agg(["sum", "count"]).reset_index()
    rate = cells["channel"].map(prior).to_numpy("float64")
    won = cells["sum"].to_numpy("float64") + PRIOR_SENDS * rate
    lost = (cells["count"] - cells["sum"]).to_numpy("float64") + PRIOR_SENDS * (1 - rate)
    tail = (1 - CONFIDENCE) / 2
    ends = stats.beta.ppf([[tail], [1 - tail]], won, lost)
    found = pd.DataFrame(
        {
            "segment": cells["segment"].astype("int64"),
            "channel": cells["channel"],
            "people_count": cells["count"],
            "answered_count": cells["sum"].astype("int64"),
            "share": won / (won + lost),
            "interval": [tuple(pair) for pair in ends.T.tolist()],
            "best_chance": best_chances(cells["segment"].to_numpy(), won, lost, seed),
        }
    )
    return read_out(found, least_count)


def best_chances(
    segment: np.ndarray, won: np.ndarray, lost: np.ndarray, seed: int = 0
) -> np.ndarray:
    """Chance of each row to have the highest rate of its segment; rates are beta by won, lost."""
    draws = np.random.default_rng(seed).beta(won, lost, (DRAW_COUNT, len(won)))
    best = np.zeros(len(won))
    for label in np.unique(segment):
        place = np.flatnonzero(segment == label)
        top = draws[:, place].argmax(axis=1)
        best[place] = np.bincount(top, minlength=len(place)) / DRAW_COUNT
    return best


def read_out(found: pd.DataFrame, least_count: int) -> pd.DataFrame:
    """The same rows with is_suggested and reading, see `channels`."""
    highest = found.groupby("segment")["best_chance"].transform("max")
    enough = found["people_count"] >= least_count
    suggested = (found["best_chance"] == highest) & enough
    word = np.where(found["best_chance"] >= CLEAR_CHANCE, "clear", "leaning")
    reading = np.where(enough, np.where(suggested, word, ""), "too early to say")
    return found.assign(is_suggested=suggested, reading=reading)
