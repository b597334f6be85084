"""Shares, means, odds and rankings with intervals where rows of one customer share their luck.

Every figure here is a mean of something, up to what vanishes with many rows: row i moves it by its
*influence* psi_i, and the influences of a figure add up to 0. Summed within each customer first,
their squares give the variance (Liang and Zeger, Biometrika 73(1), 1986), times g / (g - 1) for g
customers. So a customer who does the same in each of ten visits counts as one, not as ten.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm, rankdata

from tierwise import evaluation
from tierwise.files import InputError
from tierwise.ranking import auc as plain_auc
from tierwise.shrinkage import LEVEL

STEPS_COUNT = 50  # of Newton's method; it needs about 8
LARGEST_STEP = 2.0  # in log odds


@dataclass(frozen=True)
class Figure:
    """A value, its interval, how many rows it is of, and the influence of every row given."""

    value: float
    low: float
    high: float
    count: int
    influence: np.ndarray

    @property
    def ends(self) -> list[float]:
        return [self.low, self.high]


@dataclass(frozen=True)
class Logistic:
    """chance = 1 / (1 + exp(-rows @ log_odds)).

    influence: of each row on the log odds, shape (n, k); covariance: theirs, by customer.
    """

    log_odds: np.ndarray
    covariance: np.ndarray
    chance: np.ndarray
    influence: np.ndarray


def mean(
    values: np.ndarray, inside: np.ndarray, cluster: np.ndarray, level: float = LEVEL
) -> Figure:
    """Mean of `values` over the rows `inside` (bool), shape (n,) each. NaN where there is none.

    The interval is symmetric; of a share take `share`. It is NaN where all rows are of one
    customer, who says nothing of how customers differ.
    """
    inside = np.asarray(inside, dtype="bool")
    count = int(inside.sum())
    if not count:
        return Figure(np.nan, np.nan, np.nan, 0, np.zeros(len(inside)))
    y = np.where(inside, np.asarray(values, dtype="float64"), 0.0)
    value = float(y.sum() / count)
    influence = np.where(inside, y - value, 0.0) / count
    if len(np.unique(np.asarray(cluster)[inside])) < 2:
        return Figure(value, np.nan, np.nan, count, influence)
    return symmetric(value, influence, cluster, count, level)


def share(
    happened: np.ndarray, inside: np.ndarray, cluster: np.ndarray, level: float = LEVEL
) -> Figure:
    """Share of `happened` among the rows `inside`, with an interval inside 0 to 1."""
    found = mean(np.asarray(happened, dtype="float64"), inside, cluster, level)
    customers = len(np.unique(np.asarray(cluster)[np.asarray(inside, dtype="bool")]))
    if 0 < found.value < 1 and customers > 1:
        return on_log_odds(found, cluster, level)
    if not found.count:
        return found
    # One customer, nobody or everybody: there is no spread to see, and each customer counts once
    # (Wilson 1927).
    low, high = evaluation.wilson(found.value * customers, customers, level)
    return Figure(found.value, low, high, found.count, found.influence)


def on_log_odds(found: Figure, cluster: np.ndarray, level: float = LEVEL) -> Figure:
    """The figure, strictly between 0 and 1, with an interval that is symmetric in log odds."""
    logit = np.log(found.value / (1 - found.value))
    error = spread(found.influence, cluster) / (found.value * (1 - found.value))
    wide = norm.ppf((1 + level) / 2) * error
    low, high = expit([logit - wide, logit + wide])
    return Figure(found.value, float(low), float(high), found.count, found.influence)


def symmetric(
    value: float, influence: np.ndarray, cluster: np.ndarray, count: int, level: float = LEVEL
) -> Figure:
    wide = float(norm.ppf((1 + level) / 2)) * spread(influence, cluster)
    return Figure(value, value - wide, value + wide, count, influence)


def difference(one: Figure, other: Figure, cluster: np.ndarray, level: float = LEVEL) -> Figure:
    """one - other, of the same rows: what a customer adds to both is not counted twice."""
    influence = one.influence - other.influence
    return symmetric(one.value - other.value, influence, cluster, one.count + other.count, level)


def spread(influence: np.ndarray, cluster: np.ndarray) -> float:
    """Standard error of a figure from the influence (n,) of its rows; NaN with one customer.

    Customers whose rows have no influence don't count; without any influence it is 0.
    """
    codes, names = pd.factorize(np.asarray(cluster))
    count = int((np.bincount(codes, influence != 0) > 0).sum())
    if len(names) < 2 or count == 1:
        return float("nan")
    sums = np.bincount(codes, influence)
    return float(np.sqrt(count / max(count - 1, 1) * (sums @ sums)))


def auc(
    outcome: np.ndarray, score: np.ndarray, cluster: np.ndarray, level: float = LEVEL
) -> Figure:
    """Chance that a row with the outcome has the higher score, ties counting half.

    DeLong, DeLong, Clarke-Pearson (Biometrics 44, 1988) by customers (Obuchowski, Biometrics 53,
    1997); 0.5 and without an interval where one class only is present.
    """
    won = np.asarray(outcome) == 1
    wins, losses = int(won.sum()), int((~won).sum())
    value, count = plain_auc(outcome, score), len(won)
    if not wins or not losses:
        return Figure(value, np.nan, np.nan, count, np.zeros(count))
    ranks = rankdata(score)
    below = np.empty(count)  # share of the other class that a row is on the right side of
    below[won] = (ranks[won] - rankdata(np.asarray(score)[won])) / losses
    below[~won] = 1 - (ranks[~won] - rankdata(np.asarray(score)[~won])) / wins
    influence = (below - value) / np.where(won, wins, losses)
    found = symmetric(value, influence, cluster, count, level)
    if 0 < value < 1:
        return on_log_odds(found, cluster, level)
    # All pairs alike: no spread to see, and each customer counts once (Wilson 1927).
    customers = min(len(np.unique(np.asarray(cluster)[part])) for part in (won, ~won))
    low, high = evaluation.wilson(value * customers, customers, level)
    return Figure(value, low, high, count, influence)


def logistic(rows: np.ndarray, outcome: np.ndarray, cluster: np.ndarray) -> Logistic:
    """Greatest likelihood, with the sandwich of White (1982) summed by customer.

    rows: shape (n, k), the first column of ones; outcome: 0 and 1. Raises InputError where no
    finite log odds are likeliest, as when a column tells the outcome for certain.
    """
    x, y = np.asarray(rows, dtype="float64"), np.asarray(outcome, dtype="float64")
    if len(np.unique(y)) < 2:
        raise InputError(f"All {len(y):,} outcomes are alike: nothing can be learned from them.")
    at = np.zeros(x.shape[1])
    for _ in range(STEPS_COUNT):
        chance = expit(x @ at)
        curve = (x * (chance * (1 - chance))[:, None]).T @ x
        step = np.linalg.lstsq(curve, x.T @ (y - chance), rcond=None)[0]
        at = at + step * min(1.0, LARGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < 1e-10:
            break
    else:
        raise InputError(
            f"After {STEPS_COUNT} steps the log odds still grow: some column tells the outcome for "
            "certain, or two say the same. Leave one out."
        )
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise InputError(
            f"The {x.shape[1]} columns say no more than {np.linalg.matrix_rank(x)} of them do: two "
            "say the same, or one holds a single value. Leave one out."
        )
    chance = expit(x @ at)
    curve = (x * (chance * (1 - chance))[:, None]).T @ x
    influence = np.linalg.solve(curve, (x * (y - chance)[:, None]).T).T
    codes, names = pd.factorize(np.asarray(cluster))
    sums = np.zeros((len(names), x.shape[1]))
    np.add.at(sums, codes, influence)
    size = len(names) / max(len(names) - 1, 1)
    return Logistic(at, size * sums.T @ sums, chance, influence)
