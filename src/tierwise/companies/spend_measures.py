"""Is expected spend any good? Order, level and money, and never the mean absolute error alone.

Most accounts spend nothing, so the *median* of nearly all of them is 0, and the mean absolute error
rewards whoever says so. What is asked for is the mean: it must sum to the money that came (bias),
do so among accounts of each size (decile error), and put the largest first (Gini, captured share).
"""

from collections.abc import Callable

import numpy as np

from tierwise.draws import CONFIDENCE
from tierwise.files import InputError

Measure = Callable[[np.ndarray, np.ndarray], float]
DECILES = 10
DRAWS = 1000


def must_fit(actual: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64. Raises InputError unless they are finite and of one length above 0."""
    y, e = np.asarray(actual, dtype="float64"), np.asarray(expected, dtype="float64")
    if y.shape != e.shape or not len(y) or not (np.isfinite(y).all() and np.isfinite(e).all()):
        raise InputError(
            f"Actual and expected spend must be finite and of one length; there are {y.shape} and "
            f"{e.shape}, {int((~np.isfinite(e)).sum())} expectations are no number. Judge accounts "
            "that have both."
        )
    return y, e


def shared_by_ties(actual: np.ndarray, order_by: np.ndarray) -> np.ndarray:
    """Actual spend from the highest `order_by` to the lowest; those equal in it share theirs."""
    _, place = np.unique(-order_by, return_inverse=True)
    mean = np.bincount(place, weights=actual) / np.bincount(place)
    return mean[np.sort(place)]


def area(actual: np.ndarray, order_by: np.ndarray) -> float:
    """Between the curve of captured spend and the diagonal; 0 for a useless order."""
    captured = np.cumsum(shared_by_ties(actual, order_by)) / actual.sum()
    count = len(actual)
    return float(captured.sum() / count - (count + 1) / (2 * count))


def gini(actual: np.ndarray, expected: np.ndarray) -> float:
    """Normalised Gini: 1 for the true order, 0 for none; NaN where all spend the same."""
    y, e = must_fit(actual, expected)
    best = area(y, y) if y.sum() > 0 else 0.0
    return area(y, e) / best if best > 1e-12 else float("nan")


def captured_share(actual: np.ndarray, expected: np.ndarray, top_share: float = 0.1) -> float:
    """Share of all spend that the top `top_share` of accounts brings; NaN where nobody spends."""
    y, e = must_fit(actual, expected)
    count = max(1, round(top_share * len(y)))
    return float(shared_by_ties(y, e)[:count].sum() / y.sum()) if y.sum() > 0 else float("nan")


def bias_share(actual: np.ndarray, expected: np.ndarray) -> float:
    """Expected total over actual total, less 1; NaN where nobody spends."""
    y, e = must_fit(actual, expected)
    return float(e.sum() / y.sum() - 1) if y.sum() > 0 else float("nan")


def by_decile(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Mean expected and mean actual spend per tenth of the accounts, lowest first, shape (10, 2).

    Tenths by expected spend; fewer where there are fewer accounts. Ties keep the rows' order.
    """
    y, e = must_fit(actual, expected)
    tenths = np.array_split(np.argsort(e, kind="stable"), min(DECILES, len(y)))
    return np.array([[e[tenth].mean(), y[tenth].mean()] for tenth in tenths])


def decile_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Mean distance of expected and actual over the tenths, in units of mean spend."""
    tenths, mean = by_decile(actual, expected), float(np.mean(actual))
    return float(np.abs(tenths[:, 0] - tenths[:, 1]).mean() / mean) if mean > 0 else float("nan")


def rmse_eur(actual: np.ndarray, expected: np.ndarray) -> float:
    y, e = must_fit(actual, expected)
    return float(np.sqrt(np.mean((y - e) ** 2)))


def mae_eur(actual: np.ndarray, expected: np.ndarray) -> float:
    y, e = must_fit(actual, expected)
    return float(np.abs(y - e).mean())


MEASURES: dict[str, Measure] = {
    "gini": gini,
    "captured_top_decile_share": captured_share,
    "bias_share": bias_share,
    "decile_error": decile_error,
    "rmse_eur": rmse_eur,
    "mae_eur": mae_eur,
}


def measured(actual: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """All of MEASURES, and mae_of_zero_eur: what "nobody spends anything" would get for an MAE.

    Where that is below mae_eur, the MAE of this candidate is no blemish but the trap at work.
    """
    found = {name: measure(actual, expected) for name, measure in MEASURES.items()}
    return found | {"mae_of_zero_eur": mae_eur(actual, np.zeros(len(actual)))}


def covered(actual: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Mask of the accounts whose spend lies in their interval, both ends included."""
    y = np.asarray(actual, dtype="float64")
    return (np.asarray(lower) <= y) & (y <= np.asarray(upper))


def coverage(
    actual: np.ndarray, lower: np.ndarray, upper: np.ndarray, group: np.ndarray
) -> dict[str, dict[str, float]]:
    """Per group and "all": count, covered_share, mean width_eur."""
    inside = covered(actual, lower, upper)
    width = np.asarray(upper, dtype="float64") - np.asarray(lower, dtype="float64")
    labels = np.asarray(group).astype(str)
    masks = {name: labels == name for name in np.unique(labels)}
    masks["all"] = np.ones(len(labels), dtype=bool)
    return {
        name: {
            "count": int(mask.sum()),
            "covered_share": float(inside[mask].mean()),
            "width_eur": float(width[mask].mean()),
        }
        for name, mask in masks.items()
    }


def difference(
    measure: Measure,
    actual: np.ndarray,
    one: np.ndarray,
    other: np.ndarray,
    seed: int = 0,
    draw_count: int = DRAWS,
) -> dict[str, float]:
    """measure(one) - measure(other), with a 95 % interval from drawing accounts with replacement.

    The same accounts are drawn for both, so what they share falls out. Draws in which the measure
    has no value (nobody spends) are left out. Returns difference, low, high.
    """
    y, first = must_fit(actual, one)
    second = must_fit(actual, other)[1]
    random = np.random.default_rng(seed)
    found = []
    for _ in range(draw_count):
        rows = random.integers(0, len(y), len(y))
        found.append(measure(y[rows], first[rows]) - measure(y[rows], second[rows]))
    ends = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.nanquantile(found, ends)
    apart = measure(y, first) - measure(y, second)
    return {"difference": apart, "low": float(low), "high": float(high)}
