"""Did the chances come true? Overall, along the whole scale, and for every kind of row.

promised: mean chance of some rows. realised: share of them that won. A week shares its luck, so
whatever judges here takes `draws` of whole weeks, see draws.py; the bands of `with_bands` cannot.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import binom, binomtest, t

from tierwise import evaluation
from tierwise.draws import Draws, interval, ratio, variance
from tierwise.models import log_odds

CONFIDENCE = 0.95
STEPS_COUNT = 50  # of Newton's method; it needs about 6
LEAST_SHARE = 0.05  # of the rows, for a value of a category to be a segment of its own
MOST_VALUES = 8
MISSING = "(missing)"
AS_PROMISED = "as promised"


def with_bands(
    outcome: np.ndarray,
    chance: np.ndarray,
    bin_count: int = evaluation.BIN_COUNT,
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """`evaluation.reliability` and `band`: where true chances would put the rate of each bin.

    A consistency band (Bröcker and Smith 2007, Weather and Forecasting 22) for one bin at a time,
    so of 20 bins one lies outside by luck. Exact by the binomial distribution of the mean chance,
    whose tails are never lighter than those of differing chances (Hoeffding 1956), and for rows
    that do not share their luck: whole weeks of it reach further.
    """
    bins = evaluation.reliability(outcome, chance, bin_count)
    count, promised = bins["count"].to_numpy(), bins["chance"].to_numpy()
    tail = (1 - confidence) / 2
    low, high = (binom.ppf(q, count, promised) / count for q in (tail, 1 - tail))
    return bins.assign(band=np.column_stack([low, high]).tolist())


def before_and_after(
    outcome: np.ndarray, score: np.ndarray, corrected: np.ndarray, method: str
) -> tuple[dict[str, pd.DataFrame], np.ndarray]:
    """Bands of what a model believed and of the corrected chances; the chances shown.

    corrected: of `calibration.forward`; its NaN rows are left out of both.
    """
    shown = np.isfinite(corrected)
    bands = {"as the model believes": with_bands(outcome[shown], score[shown])}
    if method != "none":
        bands[f"corrected: {method}"] = with_bands(outcome[shown], corrected[shown])
    return bands, corrected[shown]


def level_and_slope(outcome: np.ndarray, chance: np.ndarray, draws: Draws) -> pd.DataFrame:
    """Calibration in the large, intercept and slope (Cox 1958, Biometrika 45), on log-odds.

        log-odds of a win = level + z                    z: log-odds of the chance
        log-odds of a win = intercept + slope * z

    Rows level, intercept, slope. Columns: name, value, right (what true chances have), interval
    (95 %, weeks drawn again), reading. The value is NaN where one class is missing, intercept and
    slope also where all chances are equal; the interval is without ends then, and with one week.
    """
    z = log_odds(chance)
    rows = []
    for name, place, right in (("level", 0, 0.0), ("intercept", 0, 0.0), ("slope", 1, 1.0)):
        bends = name != "level"
        found = line(outcome, z, draws.as_seen(), bends)

        def figure(
            part: Draws, place: int = place, bends: bool = bends, found: np.ndarray = found
        ) -> np.ndarray:
            return (found + newton_step(outcome, z, part, bends, found))[:, place]

        ends = interval(draws, figure, -np.inf, np.inf)
        rows.append(
            {"name": name, "value": float(found[place]), "right": right, "interval": ends}
            | {"reading": reading(name, ends)}
        )
    return pd.DataFrame(rows)


def reading(name: str, ends: list[float]) -> str:
    """What an interval of `level_and_slope` says, in words."""
    if not np.isfinite(ends).all():
        return "too little to tell"
    low, high = {
        "level": ("fewer won than promised", "more won than promised"),
        "intercept": ("where half was promised, fewer won", "where half was promised, more won"),
        "slope": ("chances too far apart", "chances too close together"),
    }[name]
    right = 1.0 if name == "slope" else 0.0
    return low if ends[1] < right else high if ends[0] > right else AS_PROMISED


def line(outcome: np.ndarray, z: np.ndarray, once: Draws, bends: bool) -> np.ndarray:
    """Intercept and slope of greatest likelihood, shape (2,); unless it bends, the slope is 1.

    NaN where there is no greatest likelihood, such as with one class only.
    """
    x = np.array([0.0, 1.0])
    for _ in range(STEPS_COUNT):
        step = newton_step(outcome, z, once, bends, x)[0]
        x = x + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            return x
    return np.full(2, np.nan)


def newton_step(
    outcome: np.ndarray, z: np.ndarray, draws: Draws, bends: bool, x: np.ndarray
) -> np.ndarray:
    """One step of Newton's method from x = (intercept, slope) for each draw, shape (draws, 2).

    From the line of all rows, one step is as good as the way to the end, and far quicker (Moulton
    and Zeger 1991, Computational Statistics & Data Analysis 11).
    """
    believed = expit(x[0] + x[1] * z)
    weight, miss = believed * (1 - believed), outcome - believed
    s0, g0 = draws.sums(weight), draws.sums(miss)
    if not bends:
        return np.column_stack([ratio(g0, s0), np.zeros(len(s0))])
    away = z - z.mean()  # about the mean, level and slope hardly depend on each other
    s1, s2, g1 = (draws.sums(v) for v in (weight * away, weight * away**2, miss * away))
    area = s0 * s2 - s1**2
    area = np.where(area > 1e-9 * s0 * s2, area, 0.0)
    level, slope = ratio(s2 * g0 - s1 * g1, area), ratio(s0 * g1 - s1 * g0, area)
    return np.column_stack([level - slope * z.mean(), slope])


def by_segment(
    outcome: np.ndarray, chance: np.ndarray, segments: pd.DataFrame, draws: Draws
) -> pd.DataFrame:
    """Promised and realised share of each segment, and whether luck could part them.

    segments: labels, one column per way of splitting the same rows, see `segments_of`. A row per
    column and label, ascending by promise: column, segment, count, chance, rate, interval (95 %
    of the rate: the wider of Wilson's and the one with weeks drawn again), p, reading. p is the
    larger of the exact binomial test and of Student's t over weeks, after Holm (1979) for all
    rows of the table; the reading is "as promised" from 0.05 up.
    """
    rows: list[dict[str, Any]] = []
    for column in segments:
        labels = segments[column].to_numpy()
        found = [segment(outcome, chance, labels == label, draws) for label in pd.unique(labels)]
        named = [{"column": column, "segment": str(label)} for label in pd.unique(labels)]
        both = [name | row for name, row in zip(named, found, strict=True)]
        rows += sorted(both, key=lambda row: row["chance"])
    names = ["column", "segment", "count", "chance", "rate", "interval", "p"]
    table = pd.DataFrame(rows, columns=names)
    p = table["p"] = holm(table["p"].to_numpy(dtype=float))
    said = np.where(
        table["rate"] > table["chance"], "more won than promised", "fewer than promised"
    )
    return table.assign(reading=np.where(p < 1 - CONFIDENCE, said, AS_PROMISED))


def segment(
    outcome: np.ndarray, chance: np.ndarray, inside: np.ndarray, draws: Draws
) -> dict[str, Any]:
    """One row of `by_segment`; p before any correction for many tests. inside: mask (n,)."""
    count, wins = int(inside.sum()), int(outcome[inside].sum())
    promised, rate = float(chance[inside].mean()), wins / count
    miss = outcome - chance

    def gap(part: Draws) -> np.ndarray:
        return part.mean(miss, inside)

    bounds = evaluation.wilson(wins, count)
    p = float(binomtest(wins, count, promised).pvalue)
    sizes = [counts.shape[1] for counts in (draws.week_count, draws.owner_count)]
    if max(sizes) > 1:
        ends = np.clip(promised + np.array(interval(draws, gap, -1.0, 1.0)), 0, 1)
        bounds = evaluation.wider(bounds, ends.tolist())
        spread = np.sqrt(variance(draws, gap, gap(draws) - (rate - promised)))
        freedom = min(size for size in sizes if size > 1) - 1
        p = max(p, float(2 * t.sf(abs(rate - promised) / spread, freedom)) if spread else 0.0)
    found = {"count": count, "chance": promised, "rate": rate, "interval": bounds}
    return found | {"p": p}


def holm(p: np.ndarray) -> np.ndarray:
    """p values after Holm 1979 (Scandinavian Journal of Statistics 6), at most 1, in their order.

    The smallest of m is multiplied by m, the next by m - 1, and so on, never below the one before.
    """
    order = np.argsort(p, kind="stable")
    out = np.empty(len(p))
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return out


def segments_of(features: pd.DataFrame, chance: np.ndarray, most: int = 3) -> pd.DataFrame:
    """Labels of at most `most` columns that part the rows well, shape (n, most) or narrower.

    First categories with 2 to 8 values of at least 5 % of the rows each, then numbers in thirds;
    of either the ones whose parts differ most in what the model believes (share of the variance
    of log-odds between them). Outcomes are not looked at.
    """
    z = pd.Series(log_odds(chance))
    categories: dict[Any, pd.Series] = {}
    numbers: dict[Any, pd.Series] = {}
    for name in features:
        column = features[name].reset_index(drop=True)
        number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        labels = thirds(column) if number else frequent(column)
        if 2 <= (labels.value_counts(normalize=True) >= LEAST_SHARE).sum() <= MOST_VALUES:
            (numbers if number else categories)[name] = labels
    chosen: dict[Any, pd.Series] = {}
    for kind in (categories, numbers):
        strongest = sorted(kind, key=lambda name: -parted(kind[name], z))
        chosen |= {name: kind[name] for name in strongest[: most - len(chosen)]}
    return pd.DataFrame(chosen, index=z.index).set_index(features.index)


def parted(labels: pd.Series, z: pd.Series) -> float:
    """Share of the variance of z that lies between the labels, 0 to 1."""
    whole = z.var()
    return float(z.groupby(labels).transform("mean").var() / whole) if whole > 0 else 0.0


def frequent(column: pd.Series) -> pd.Series:
    """A category as text: its frequent values, "other" for the rest, "(missing)"."""
    text = column.astype(object).where(column.notna(), MISSING).astype(str)
    share = text.map(text.value_counts(normalize=True))
    return text.where(share >= LEAST_SHARE, "other")


def thirds(column: pd.Series) -> pd.Series:
    """A number as text: "up to 33", "33 to 45", "above 45", "(missing)"; fewer where values tie."""
    value = column.astype(float).replace([np.inf, -np.inf], np.nan)
    edges = np.unique(value.quantile([1 / 3, 2 / 3]).dropna())
    edges = edges[edges < value.max()]
    said = [f"{edge:,.0f}" if abs(edge) >= 100 else f"{edge:.3g}" for edge in edges]
    names = [f"{low} to {high}" for low, high in pairwise(said)]
    names = [f"up to {said[0]}", *names, f"above {said[-1]}"] if said else ["all"]
    place = np.searchsorted(edges, value.fillna(0.0))
    return pd.Series(np.array(names, dtype=object)[place]).where(value.notna(), MISSING)
