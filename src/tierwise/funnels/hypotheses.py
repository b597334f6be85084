"""Hypotheses: comparisons written down before the data came, and judged all together.

    hypotheses:
      - name: sport buys more
        declared_at: "2026-03-01"
        measure: bought_30d
        first: {segment: 3}
        second: {segment: 1}
        expected: higher

    measure   a column of numbers, or of 0 and 1; first and second are told apart by other columns
    expected  of the first against the second: higher, lower or different

Whoever looks at twenty differences finds one by luck. So the chances of all hypotheses that were
declared in time are corrected together: by Holm (1979), which keeps the chance of any false one
below 5 %, and by Benjamini and Hochberg (1995), which keeps the share of false ones among those
found below 5 %. Rows that were known when a hypothesis was declared are perhaps where it was found,
so they do not count; where only they are there, it is shown, and never called supported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ValidationError
from scipy import stats

from tierwise import examples as ex
from tierwise.files import InputError
from tierwise.uplift import group, newcombe

ALPHA = 0.05
LEAST_COUNT = 20  # rows on either side
EXPECTED = ("higher", "lower", "different")
SUPPORTED, OPPOSITE, NOT_SHOWN = "supported", "the opposite", "not shown"
LATE, TOO_EARLY = "declared too late", "too early to say"


@dataclass(frozen=True)
class Hypothesis:
    name: str
    declared_at: pd.Timestamp
    measure: str
    first: dict[str, Any]
    second: dict[str, Any]
    expected: str


class Entry(BaseModel, extra="forbid"):
    """What params.yaml must say of a hypothesis."""

    name: str
    declared_at: str
    measure: str
    first: dict[str, Any]
    second: dict[str, Any]
    expected: str = "different"


def declared(entries: Sequence[Mapping[str, Any]]) -> list[Hypothesis]:
    """The hypotheses of params.yaml. Raises InputError for one that is not complete."""
    found = []
    for number, entry in enumerate(entries, 1):
        try:
            one = Entry.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InputError(f"Hypothesis {number}: {where} {first['msg']}.") from error
        if one.expected not in EXPECTED:
            raise InputError(
                f"Hypothesis {one.name}: expected must be {', '.join(EXPECTED)}, found "
                f"{one.expected!r}."
            )
        found.append(Hypothesis(**one.model_dump(exclude={"declared_at"}), declared_at=day(one)))
    names = [one.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"Hypotheses need different names, {', '.join(twice)} stands twice.")
    return found


def day(entry: Entry) -> pd.Timestamp:
    try:
        return pd.Timestamp(entry.declared_at)
    except ValueError as error:
        raise InputError(
            f"Hypothesis {entry.name}: declared_at must be a date such as 2026-03-01, found "
            f"{entry.declared_at!r}."
        ) from error


def judged(
    hypotheses: Sequence[Hypothesis], rows: pd.DataFrame, alpha: float = ALPHA
) -> pd.DataFrame:
    """A row per hypothesis, in their order.

    rows: known_at, when the measures of the row became known, the measures, and the columns that
    tell groups apart; one row per person, so that rows are independent. Columns: name, declared_at,
    expected; earlier_count (rows known before it was declared, not counted); first_count,
    first_mean, second_count, second_mean; difference, interval (95 %), interval_all (the intervals
    of all hypotheses hold at once with 95 %, Bonferroni); p (two-sided), p_holm, p_bh; verdict:
    supported, the opposite, not shown, too early to say (fewer than 20 rows on a side), or declared
    too late (too few of them since; the numbers are those of all rows, without p). Raises
    InputError for a column that is missing.
    """
    found = pd.DataFrame([compared(one, rows, 1 - alpha) for one in hypotheses])
    if found.empty:
        return found
    counts = (found["verdict"] == "").to_numpy()
    p = found.loc[counts, "p"].to_numpy("float64")
    found["p_holm"] = spread(holm(p), counts)
    found["p_bh"] = spread(stats.false_discovery_control(p) if len(p) else p, counts)
    level = 1 - alpha / max(int(counts.sum()), 1)
    found["interval_all"] = [
        compared(one, rows, level)["interval"] if counted else (np.nan, np.nan)
        for one, counted in zip(hypotheses, counts, strict=True)
    ]
    fits = (found["expected"] == "different") | (
        (found["difference"] > 0) == (found["expected"] == "higher")
    )
    shown = np.where(fits, SUPPORTED, OPPOSITE)
    verdict = np.where(found["p_holm"] < alpha, shown, NOT_SHOWN)
    return found.assign(verdict=found["verdict"].where(~counts, verdict))


def spread(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    out = np.full(len(place), np.nan)
    out[place] = values
    return out


def compared(one: Hypothesis, rows: pd.DataFrame, level: float) -> dict[str, Any]:
    """One comparison without correction; verdict is "" where it counts."""
    masks = [chosen(rows, one, side) for side in (one.first, one.second)]
    if (masks[0] & masks[1]).any():
        raise InputError(
            f"Hypothesis {one.name}: {int((masks[0] & masks[1]).sum())} rows are on both sides. "
            "Name groups that exclude each other."
        )
    earlier = ex.known_before(rows, one.declared_at, "known_at")
    since = [rows.loc[mask & ~earlier, one.measure].to_numpy("float64") for mask in masks]
    verdict, sides = "", since
    if min(map(len, since)) < LEAST_COUNT:
        everything = [rows.loc[mask, one.measure].to_numpy("float64") for mask in masks]
        is_late = min(map(len, everything)) >= LEAST_COUNT
        verdict, sides = (LATE, everything) if is_late else (TOO_EARLY, since)
    means = [float(side.mean()) if len(side) else np.nan for side in sides]
    row = {
        "name": one.name,
        "declared_at": one.declared_at,
        "expected": one.expected,
        "earlier_count": int(((masks[0] | masks[1]) & earlier).sum()),
        "first_count": len(sides[0]),
        "first_mean": means[0],
        "second_count": len(sides[1]),
        "second_mean": means[1],
        "verdict": verdict,
    }
    if verdict == TOO_EARLY:
        return row | {"difference": np.nan, "interval": (np.nan, np.nan), "p": np.nan}
    found = tested(sides[0], sides[1], level)
    return row | found | ({"p": np.nan} if verdict == LATE else {})


def chosen(rows: pd.DataFrame, one: Hypothesis, side: Mapping[str, Any]) -> pd.Series:
    """Mask of the rows of one side."""
    absent = [name for name in (one.measure, *side, "known_at") if name not in rows]
    if absent:
        raise InputError(
            f"Hypothesis {one.name} needs the column {', '.join(absent)}; there are "
            f"{', '.join(map(str, rows.columns))}."
        )
    mask = rows[one.measure].notna()
    for name, value in side.items():
        mask &= (rows[name] == value).fillna(False).astype("bool")
    return mask


def tested(first: np.ndarray, second: np.ndarray, level: float) -> dict[str, Any]:
    """difference, interval and two-sided p: of shares by Newcombe (1998) and Fisher's exact test,
    of means by Welch (1947)."""
    both = np.concatenate([first, second])
    if np.isin(both, (0.0, 1.0)).all():
        one, other = group(first), group(second)
        table = [
            [one["wins"], len(first) - one["wins"]],
            [other["wins"], len(second) - other["wins"]],
        ]
        low, high = newcombe(one, other, level)
        p = float(stats.fisher_exact(table).pvalue)
        return {"difference": one["rate"] - other["rate"], "interval": (low, high), "p": p}
    difference = float(first.mean() - second.mean())
    if both.std() == 0:
        return {"difference": 0.0, "interval": (0.0, 0.0), "p": 1.0}
    test = stats.ttest_ind(first, second, equal_var=False)
    ends = test.confidence_interval(level)
    interval = (float(ends.low), float(ends.high))
    return {"difference": difference, "interval": interval, "p": float(test.pvalue)}


def holm(p: np.ndarray) -> np.ndarray:
    """Chances corrected by Holm's step-down rule, in the order given, at most 1."""
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(steps, 1.0)
    return out
