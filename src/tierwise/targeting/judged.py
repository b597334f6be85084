"""How far a Qini coefficient, and the lead of one score over another, could be luck.

Qini is a smooth function of how often each row counts, so each row has an influence on it: the
derivative. Their squares, summed within clusters first, give the variance (the infinitesimal
jackknife: Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans), which is where the
bootstrap ends with ever more draws. The lead of one score over another takes the difference of
influences, so that luck both share cancels. Scores are taken as given: an interval says how well
these scores do on more such rows, not what a method would do that learned from other rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from tierwise.clustered import Figure, difference, symmetric
from tierwise.files import InputError
from tierwise.targeting import effects, qini
from tierwise.targeting.effects import LEVEL, checked

TOP_SHARE = 0.3
GRID_SHARE = 0.05  # between the depths of a band


@dataclass(frozen=True)
class Split:
    """Scores of rows that none of them was learned from.

    rows: places in the whole table, shape (m,). scores: name -> (m,), higher is sooner.
    """

    rows: np.ndarray
    scores: Mapping[str, np.ndarray]


def figure(
    score: np.ndarray,
    treated: np.ndarray,
    outcome: np.ndarray,
    cluster: np.ndarray | None = None,
    level: float = LEVEL,
) -> Figure:
    """`qini.qini` with its interval and the influence of each row, shape (n,)."""
    y, w = effects.two_arms(outcome, treated)
    ours = effects.own_rows(y) if cluster is None else np.asarray(cluster)
    value = qini.qini(score, w, y)
    return symmetric(value, influence(score, w, y), ours, len(y), level)


def influence(score: np.ndarray, treated: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Derivative of qini by how often each row counts, shape (n,); these sum to 0."""
    y, w = checked(outcome, treated)
    place = qini.ties(score)
    n_t, n_c, y_t, y_c = qini.summed(place, w, y, np.ones(len(y)))
    count = float(n_t[-1] + n_c[-1])
    ratio, each = qini.share_of(n_t, n_c), qini.share_of(y_c, n_c)
    depth, gain = np.r_[0.0, n_t + n_c], np.r_[0.0, y_t - y_c * ratio]
    area = float(np.trapezoid(gain, depth))
    # Qini is area / count^2 - gain[-1] / (2 count), a function of gain and depth at each place.
    by_gain = np.r_[depth[2:] - depth[:-2], depth[-1] - depth[-2]] / (2 * count**2)
    by_depth = np.r_[gain[:-2] - gain[2:], gain[-1] + gain[-2]] / (2 * count**2)
    by_gain[-1] -= 1 / (2 * count)
    by_depth[-1] += gain[-1] / (2 * count**2) - 2 * area / count**3
    # A row counts at its own place and at all further down.
    of_n = [from_below(by_depth - by_gain * each), from_below(by_depth + by_gain * each * ratio)]
    of_y = [from_below(by_gain), from_below(-by_gain * ratio)]
    arm = np.where(w, 0, 1)
    return np.stack(of_n)[arm, place] + y * np.stack(of_y)[arm, place]


def from_below(values: np.ndarray) -> np.ndarray:
    return np.cumsum(values[::-1])[::-1]


def measured(
    scores: Mapping[str, np.ndarray],
    treated: np.ndarray,
    outcome: np.ndarray,
    against: str | None = None,
    cluster: np.ndarray | None = None,
    top_share: float = TOP_SHARE,
    level: float = LEVEL,
) -> pd.DataFrame:
    """A row per score, in the order given. scores: name -> (n,).

    Columns: ranker, qini, low, high, auuc, top_uplift, top_low, top_high (of the best `top_share`,
    the edge as it is), and with `against` ahead, ahead_low, ahead_high: qini less that of this one.
    """
    whole = Split(np.arange(len(outcome)), scores)
    found = over_splits([whole], treated, outcome, against, cluster, top_share, level)
    return found.drop(columns=["splits_count", "sd_of_splits", "ahead_sd_of_splits"])


def over_splits(
    splits: Sequence[Split],
    treated: np.ndarray,
    outcome: np.ndarray,
    against: str | None = None,
    cluster: np.ndarray | None = None,
    top_share: float = TOP_SHARE,
    level: float = LEVEL,
) -> pd.DataFrame:
    """`measured`, as means over splits of the same rows; treated, outcome, cluster: shape (n,).

    A row that several splits judge has the mean of its influences, so its luck is counted once
    however many splits there are. sd_of_splits and ahead_sd_of_splits: how far a single split
    strays (NaN of one), which is no standard error, as splits share rows.
    """
    y, w = effects.two_arms(outcome, treated)
    ours = effects.own_rows(y) if cluster is None else np.asarray(cluster)
    names = same_names(splits, against)
    figures, values = {}, {}
    for name in names:
        figures[name], values[name] = mean_figure(splits, name, w, y, ours, level)
    rows = []
    for name in names:
        top = mean_top(splits, name, w, y, ours, top_share, level)
        areas = [qini.auuc(one.scores[name], w[one.rows], y[one.rows]) for one in splits]
        row = {"ranker": name, "splits_count": len(splits), "qini": figures[name].value}
        row |= {"low": figures[name].low, "high": figures[name].high}
        row |= {"sd_of_splits": spread(values[name]), "auuc": float(np.mean(areas))}
        row |= {"top_uplift": top.value, "top_low": top.low, "top_high": top.high}
        if against is not None:
            lead = difference(figures[name], figures[against], ours, level)
            row |= {"ahead": lead.value, "ahead_low": lead.low, "ahead_high": lead.high}
        apart = values[name] - values[against] if against is not None else np.array([np.nan])
        rows.append(row | {"ahead_sd_of_splits": spread(apart)})
    return pd.DataFrame(rows)


def same_names(splits: Sequence[Split], against: str | None) -> list[str]:
    names = list(splits[0].scores) if splits else []
    if not names or any(list(one.scores) != names for one in splits):
        raise InputError("Each split needs the same scores, and there must be one at least.")
    if against is not None and against not in names:
        raise InputError(f"Scores are compared with one of {names}; {against!r} is none of them.")
    return names


def mean_figure(
    splits: Sequence[Split],
    name: str,
    treated: np.ndarray,
    outcome: np.ndarray,
    cluster: np.ndarray,
    level: float,
) -> tuple[Figure, np.ndarray]:
    """Mean qini of a score over splits, and that of each split."""
    total, values = np.zeros(len(outcome)), []
    for one in splits:
        w, y = treated[one.rows], outcome[one.rows]
        total[one.rows] += influence(one.scores[name], w, y) / len(splits)
        values.append(qini.qini(one.scores[name], w, y))
    mean = float(np.mean(values))
    return symmetric(mean, total, cluster, len(outcome), level), np.array(values)


def mean_top(
    splits: Sequence[Split],
    name: str,
    treated: np.ndarray,
    outcome: np.ndarray,
    cluster: np.ndarray,
    top_share: float,
    level: float,
) -> Figure:
    """Mean effect among the highest-scored; a row that ties across the edge counts in part."""
    total, values = np.zeros(len(outcome)), []
    for one in splits:
        w, y = treated[one.rows], outcome[one.rows]
        values.append(qini.uplift_on_top(one.scores[name], w, y, top_share))
        inside = counted_share(qini.ties(one.scores[name]), top_share)
        for arm in (True, False):
            part = inside * (w == arm)
            mean = (part @ y) / part.sum() if part.sum() > 0 else 0.0
            total[one.rows] += (1 if arm else -1) * part * (y - mean) / max(part.sum(), 1e-9)
    return symmetric(float(np.mean(values)), total / len(splits), cluster, len(outcome), level)


def counted_share(place: np.ndarray, top_share: float) -> np.ndarray:
    """How far each row counts among the highest `top_share`: 1, 0, or between on the edge."""
    count = np.bincount(place)
    above = np.cumsum(count) - count
    return np.clip((top_share * len(place) - above) / count, 0.0, 1.0)[place]


def spread(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def one_split_interval(values: np.ndarray, level: float = LEVEL) -> list[float]:
    """Interval [low, high] of a mean over half splits that share rows, wide to be safe.

    Nadeau and Bengio (2003, Machine Learning 52): the variance over splits times 1 / J + 1 for J
    halves judged by what the other half taught, with t of J - 1. Holds for a method that learns
    anew, where the intervals of `over_splits` hold for the scores at hand.
    """
    count = len(values)
    if count < 2:
        raise InputError(f"An interval over splits takes two or more; there is {count}.")
    wide = student.ppf((1 + level) / 2, count - 1) * spread(values) * np.sqrt(1 / count + 1)
    return [float(np.mean(values) - wide), float(np.mean(values) + wide)]


def band(
    score: np.ndarray,
    treated: np.ndarray,
    outcome: np.ndarray,
    cluster: np.ndarray | None = None,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Points of the Qini curve to draw: depth_share, gain, low, high, random, every 5 %.

    Each interval is of its depth alone, and of the rows down there as they are; they don't hold all
    at once. With many ties the curve is straight between their ends.
    """
    whole = Split(np.arange(len(outcome)), {"score": score})
    return band_over_splits([whole], "score", treated, outcome, cluster, level)


def band_over_splits(
    splits: Sequence[Split],
    name: str,
    treated: np.ndarray,
    outcome: np.ndarray,
    cluster: np.ndarray | None = None,
    level: float = LEVEL,
) -> pd.DataFrame:
    """`band` of the mean curve of one score over splits of the same rows."""
    y, w = effects.two_arms(outcome, treated)
    ours = effects.own_rows(y) if cluster is None else np.asarray(cluster)
    depths = np.round(np.arange(0, 1 + GRID_SHARE / 2, GRID_SHARE), 10)
    gain, moved = np.zeros(len(depths)), np.zeros((len(depths), len(y)))
    for one in splits:
        table = qini.curve(one.scores[name], w[one.rows], y[one.rows])
        gain += np.interp(depths, table["depth_share"], table["gain"]) / len(splits)
        place = qini.ties(one.scores[name])
        for at, depth in enumerate(depths[1:], start=1):
            part = counted_share(place, depth)
            influences = gain_influence(part, w[one.rows], y[one.rows])
            moved[at, one.rows] += influences / len(splits)
    found = [
        symmetric(value, one, ours, len(y), level) for value, one in zip(gain, moved, strict=True)
    ]
    ends = {"low": [one.low for one in found], "high": [one.high for one in found]}
    table = pd.DataFrame({"depth_share": depths, "gain": gain} | ends)
    return table.assign(random=depths * gain[-1])


def gain_influence(inside: np.ndarray, treated: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Of each row on gain, where rows count by `inside` and the depth is held: shape (n,)."""
    n_t, n_c = float(inside @ treated), float(inside @ ~treated)
    if not n_t or not n_c:
        return np.zeros(len(outcome))
    means = [float((inside * treated) @ outcome) / n_t, float((inside * ~treated) @ outcome) / n_c]
    away = np.where(treated, outcome - means[0], (means[1] - outcome) * n_t / n_c)
    return inside * away / len(outcome)
