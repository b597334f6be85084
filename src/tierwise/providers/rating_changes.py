"""What a change of the product did to ratings: a broken line, and the same where nothing was.

    weekly figure = level + slope t + shift [after] + bend t [after],      t = 0 at the change

by weighted least squares over the weeks around the change, the weight of a week its count (Wagner
et al., Journal of Clinical Pharmacy and Therapeutics 27, 2002). Weeks near each other are alike:
their errors have a correlation of rho^weeks, rho the value under which residuals of this very
design are expected to correlate from week to week as they do (they correlate less than errors).
The interval is that of these errors, with degrees of freedom after Satterthwaite (Biometrics
Bulletin 2, 1946). The shift is what happened at once; a change that works slowly hides in the bend.

Nobody drew lots, so whatever else came in those weeks is in the shift, too. Dates on which nothing
was changed show how large a shift comes about by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import t as student

from tierwise.files import InputError
from tierwise.providers.visits import START, day_number
from tierwise.shrinkage import LEVEL

WEEK_DAYS = 7
PERSISTENCE = np.linspace(0.0, 0.95, 58)  # values of rho that are tried
LEAST_WEEKS = 8  # on each side of a change
PLACEBO_STEP_WEEKS = 4
TOP_STARS, LOW_STARS = 5, 3
MEASURES = {
    "rated": "visits rated",
    "five_stars": "five stars, of ratings",
    "low": f"{LOW_STARS} stars or fewer, of ratings",
    "with_text": "ratings with text",
    "answered": "surveys answered",
    "points": "mean answer in surveys, points",
}
DRAWN = ("rated", "five_stars", "with_text", "answered", "points")
MOVED, STILL, UNTOLD = "moved", "no visible change", "moves as much without a change"
SHORT = "too few weeks to tell"
COLUMNS = ["change", "measure", "words", "before", "after", "shift", "low", "high",
           "placebos_count", "placebos_larger_count", "said"]  # fmt: skip


@dataclass(frozen=True)
class Line:
    """shift with its interval; before and after: mean over the weeks on each side; fitted: of each
    week in `weeks` (t in weeks)."""

    shift: float
    low: float
    high: float
    before: float
    after: float
    weeks: np.ndarray
    fitted: np.ndarray


def measured(rows: pd.DataFrame) -> pd.DataFrame:
    """Per visit each of MEASURES as a number, NaN where it does not apply."""
    stars = rows["stars"].to_numpy("float64")
    rated = np.isfinite(stars)
    asked = rows["asked"].to_numpy("bool")
    columns = {
        "rated": rated.astype("float64"),
        "five_stars": np.where(rated, stars == TOP_STARS, np.nan),
        "low": np.where(rated, stars <= LOW_STARS, np.nan),
        "with_text": np.where(rated, rows["with_text"].to_numpy("float64"), np.nan),
        "answered": np.where(asked, rows["points"].notna().to_numpy(), np.nan),
        "points": rows["points"].to_numpy("float64"),
    }
    return pd.DataFrame(columns, index=rows.index)


def weekly(values: np.ndarray, at_days: np.ndarray, change_days: float) -> pd.DataFrame:
    """week (whole weeks from the change, 0 the first after it), value and count; whole weeks only.

    values: NaN does not count. A week without any is left out.
    """
    ends = at_days.min(), at_days.max()
    week = np.floor((at_days - change_days) / WEEK_DAYS)
    start = change_days + week * WEEK_DAYS
    kept = np.isfinite(values) & (start >= ends[0] - 1) & (start + WEEK_DAYS <= ends[1] + 1)
    table = pd.DataFrame({"week": week[kept].astype("int64"), "value": values[kept]})
    found = table.groupby("week", as_index=False)["value"].agg(["mean", "size"])
    return found.rename(columns={"mean": "value", "size": "count"})


def interrupted(series: pd.DataFrame, window_weeks: int, level: float = LEVEL) -> Line | None:
    """series: week, value, count, as from `weekly`. None with fewer than 8 weeks on a side."""
    part = series[series["week"].between(-window_weeks, window_weeks - 1)]
    week = part["week"].to_numpy("float64")
    after = week >= 0
    if min(after.sum(), (~after).sum()) < LEAST_WEEKS:
        return None
    y, weight = part["value"].to_numpy("float64"), part["count"].to_numpy("float64")
    middle = week + 0.5
    plain = np.column_stack([np.ones(len(week)), middle, after, middle * after])
    root = np.sqrt(weight / weight.mean())
    x = plain * root[:, None]
    pull = np.linalg.solve(x.T @ x, x.T)
    found = pull @ (root * y)
    error, freedom = error_of(x, pull, root * (y - plain @ found), week)
    wide = float(student.ppf((1 + level) / 2, freedom)) * error
    means = [float(np.average(y[side], weights=weight[side])) for side in (~after, after)]
    shift = float(found[2])
    return Line(shift, shift - wide, shift + wide, means[0], means[1], week, plain @ found)


def error_of(
    x: np.ndarray, pull: np.ndarray, residual: np.ndarray, week: np.ndarray
) -> tuple[float, float]:
    """Standard error of the shift, the third in `pull` (k, n) = (X'X)^-1 X', and its freedom."""
    maker = np.eye(len(week)) - x @ pull  # residuals of errors
    apart = np.abs(week[:, None] - week)
    rho = persistence(maker, residual, apart)
    alike = rho**apart
    kept = maker @ alike
    expected = float(np.trace(kept))
    variance = float(residual @ residual) / expected * float(pull[2] @ alike @ pull[2])
    return float(np.sqrt(variance)), expected**2 / float((kept * kept.T).sum())


def persistence(maker: np.ndarray, residual: np.ndarray, apart: np.ndarray) -> float:
    """rho of the errors from the residuals, 0 where these do not follow each other."""
    squares = float(residual @ residual)
    if squares <= 0:
        return 0.0
    seen = float(residual[1:] @ residual[:-1]) / squares
    beside = maker[1:].T @ maker[:-1]
    expected = [
        float((beside * rho**apart).sum() / (maker * rho**apart).sum()) for rho in PERSISTENCE
    ]
    return float(np.interp(seen, expected, PERSISTENCE))


def checked(changes: Sequence[Mapping[str, str]]) -> list[dict[str, object]]:
    """name, what, at_days of each change. Raises InputError for one without a name or a date."""
    found: list[dict[str, object]] = []
    for change in changes:
        at = pd.to_datetime(change.get("at"), errors="coerce")
        if pd.isna(at) or not change.get("name"):
            raise InputError(
                f"params.yaml: each of `changes` needs a name and a date `at`, as 2024-03-01, not "
                f"{dict(change)}."
            )
        line: dict[str, object] = {"name": str(change["name"]), "what": change.get("what", "")}
        found.append(line | {"at_days": float(day_number(pd.Timestamp(at)))})
    return found


def before_and_after(
    rows: pd.DataFrame,
    changes: Sequence[Mapping[str, str]],
    window_weeks: int,
    level: float = LEVEL,
) -> pd.DataFrame:
    """One row per change and measure: COLUMNS. Empty without changes.

    placebos: the same shift on dates 4 weeks apart whose weeks on both sides lie before the change
    and reach over no other one; placebos_larger_count: how many shifted as far as the change or
    further. said: MOVED where the interval holds no 0 and no more than one placebo in ten (of
    three or more) shifted as far.
    """
    dates = checked(changes)
    table, at_days = measured(rows), rows["at_days"].to_numpy()
    lines = []
    for change in dates:
        others = [float(str(one["at_days"])) for one in dates if one is not change]
        for name, words in MEASURES.items():
            values, at = table[name].to_numpy(), float(str(change["at_days"]))
            line = {"change": change["name"], "measure": name, "words": words}
            lines.append(line | told(values, at_days, at, others, window_weeks, level))
    return pd.DataFrame(lines, columns=COLUMNS)


def told(
    values: np.ndarray,
    at_days: np.ndarray,
    change_days: float,
    others: list[float],
    window_weeks: int,
    level: float,
) -> dict[str, object]:
    """The numbers of one row of `before_and_after`."""
    found = of(values, at_days, change_days, window_weeks, level)
    if found is None:
        empty = dict.fromkeys(("before", "after", "shift", "low", "high"), np.nan)
        return empty | {"placebos_count": 0, "placebos_larger_count": 0, "said": SHORT}
    placebos = placebo_shifts(values, at_days, change_days, others, window_weeks)
    larger = int((np.abs(placebos) >= abs(found.shift)).sum())
    sure = found.low > 0 or found.high < 0
    by_itself = len(placebos) >= 3 and larger > len(placebos) / 10
    said = (UNTOLD if by_itself else MOVED) if sure else STILL
    line = {"before": found.before, "after": found.after, "shift": found.shift}
    line |= {"low": found.low, "high": found.high, "placebos_count": len(placebos)}
    return line | {"placebos_larger_count": larger, "said": said}


def of(
    values: np.ndarray, at_days: np.ndarray, change_days: float, window_weeks: int, level: float
) -> Line | None:
    if not np.isfinite(values).any():
        return None
    return interrupted(weekly(values, at_days, change_days), window_weeks, level)


def placebo_shifts(
    values: np.ndarray,
    at_days: np.ndarray,
    change_days: float,
    others: list[float],
    window_weeks: int,
) -> np.ndarray:
    """Shifts on dates of no change, the latest first; of their weeks those before the change."""
    shifts = []
    step, reach = PLACEBO_STEP_WEEKS * WEEK_DAYS, window_weeks * WEEK_DAYS
    date = change_days - LEAST_WEEKS * WEEK_DAYS
    while date - LEAST_WEEKS * WEEK_DAYS >= at_days.min():
        start, end = date - reach, min(date + reach, change_days)
        if not any(start < other < end for other in others):
            near = (at_days >= start) & (at_days < end)
            found = (
                of(values[near], at_days[near], date, window_weeks, LEVEL) if near.any() else None
            )
            shifts += [found.shift] if found else []
        date -= step
    return np.array(shifts)


def near_each_other(changes: Sequence[Mapping[str, str]], window_weeks: int) -> list[str]:
    """Sentences on changes whose weeks overlap: their shifts can't be told apart for certain."""
    dates = sorted((pd.Timestamp(one["at"]), one["name"]) for one in changes)
    told = []
    for (first, name), (second, other) in pairwise(dates):
        weeks = (second - first).days / WEEK_DAYS
        if weeks < window_weeks:
            told.append(f"{name} and {other} lie {weeks:.0f} weeks apart and share weeks.")
    return told


def drawn(
    rows: pd.DataFrame, changes: Sequence[Mapping[str, str]], window_weeks: int
) -> dict[str, tuple[pd.DataFrame, list[pd.DataFrame]]]:
    """For a figure: measure -> all weeks (at, value), and a broken line (at, value) per change.

    A measure that was never seen is left out.
    """
    dates, found = checked(changes), {}
    table, at_days = measured(rows), rows["at_days"].to_numpy()
    start = float(str(dates[0]["at_days"])) if dates else float(at_days.min())
    for name in DRAWN:
        values = table[name].to_numpy()
        if np.isfinite(values).any():
            weeks = weekly(values, at_days, start)
            weeks["at"] = times(start, weeks["week"])
            lines = []
            for change in dates:
                at = float(str(change["at_days"]))
                line = of(values, at_days, at, window_weeks, LEVEL)
                if line is not None:
                    lines.append(pd.DataFrame({"at": times(at, line.weeks), "value": line.fitted,
                                               "after": line.weeks >= 0}))  # fmt: skip
            found[name] = weeks, lines
    return found


def times(start_days: float, week: np.ndarray | pd.Series) -> pd.Series:
    """The middle of each week."""
    days = start_days + WEEK_DAYS * (np.asarray(week, dtype="float64") + 0.5)
    return pd.Series(START + pd.to_timedelta(days, unit="D"))
