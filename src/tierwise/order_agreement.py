"""Which of several measures orders providers more like what then came, or like the truth.

Spearman's correlation within each group of rows (a quarter), then its mean over groups. Intervals
come from drawing providers again, with all their rows and the same draws for every measure, so that
differences are paired (Efron, Tibshirani, "An Introduction to the Bootstrap", 1993).
"""

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.shrinkage import LEVEL

DRAWS_COUNT, LEAST_DRAWS, CELLS = 1000, 100, 20_000_000
LEAST_PROVIDERS = 10
SEED = 20240229


def compared(
    rows: pd.DataFrame, target: str, measures: list[str], group: str | None = None
) -> pd.DataFrame:
    """One row per measure: measure, agreement, low, high; of the first one against each: ahead,
    ahead_low, ahead_high.

    rows: index provider, which may repeat from group to group; the measures all pointing the same
    way as the target. A row that lacks one of these is left out. Raises InputError for too few
    providers.
    """
    kept = rows[[target, *measures, *([group] if group else [])]].dropna()
    names = kept.index.unique()
    if len(names) < LEAST_PROVIDERS:
        raise InputError(
            f"{len(names)} providers have all of {', '.join([target, *measures])}; it takes "
            f"{LEAST_PROVIDERS} to compare orders. Give a longer time."
        )
    counts = drawn(len(names))[:, names.get_indexer(kept.index)]
    codes = pd.factorize(kept[group])[0] if group else np.zeros(len(kept), dtype="int64")
    found = np.column_stack([agreement(kept, target, one, codes, counts) for one in measures])
    seen, draws = found[0], found[1:]
    return pd.DataFrame(
        {
            "measure": measures,
            "agreement": seen,
            **ends(draws, ("low", "high")),
            "ahead": seen[0] - seen,
            **ends(draws[:, :1] - draws, ("ahead_low", "ahead_high")),
        }
    )


def drawn(count: int) -> np.ndarray:
    """How often each provider counts; the first row is all once, then draws with replacement."""
    draws = int(np.clip(CELLS / count, LEAST_DRAWS, DRAWS_COUNT))
    rng = np.random.default_rng(SEED)
    again = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    return np.vstack([np.ones((1, count), dtype=again.dtype), again])


def ends(draws: np.ndarray, names: tuple[str, str]) -> dict[str, np.ndarray]:
    low, high = np.nanquantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return {names[0]: low, names[1]: high}


def agreement(
    rows: pd.DataFrame, target: str, measure: str, codes: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Per draw the mean of the groups' correlations, weighted by their rows, shape (n_draws,)."""
    total, weight = np.zeros(len(counts)), 0
    for code in np.unique(codes):
        inside = codes == code
        if inside.sum() < LEAST_PROVIDERS:
            continue
        one, other = rows[[target, measure]].to_numpy("float64")[inside].T
        total += spearman(one, other, counts[:, inside].astype("float64")) * inside.sum()
        weight += int(inside.sum())
    return total / weight if weight else np.full(len(counts), np.nan)


def spearman(one: np.ndarray, other: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Spearman's correlation when each row counts so often, shape (n_draws,); 0 for a constant."""
    ranks = [middle_ranks(values, counts) for values in (one, other)]
    whole = counts.sum(axis=1, keepdims=True)
    x, y = (rank - (counts * rank).sum(axis=1, keepdims=True) / whole for rank in ranks)
    both = (counts * x * y).sum(axis=1)
    size = np.sqrt((counts * x * x).sum(axis=1) * (counts * y * y).sum(axis=1))
    return np.divide(both, size, out=np.zeros(len(both)), where=size > 0)


def middle_ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Rank of each value among all, ties in their middle, shape (n_draws, n)."""
    order = np.argsort(values, kind="stable")
    new = np.r_[True, np.diff(values[order]) != 0]
    sizes = np.add.reduceat(counts[:, order], np.flatnonzero(new), axis=1)
    middle = np.cumsum(sizes, axis=1) - sizes / 2
    ranks = np.empty(counts.shape)
    ranks[:, order] = middle[:, np.cumsum(new) - 1]
    return ranks
