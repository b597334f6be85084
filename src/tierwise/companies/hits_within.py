"""How early does a ranking find the one of each group, and is one ranking ahead of another?

Worked example, the one stands third of five:

    hit_1 0    hit_3 1    reciprocal_rank 1/3    ndcg 1 / log2(1 + 3) = 0.5

People of equal score come in random order, and a figure is its mean over those orders: where all
five are equal hit_1 is 1/5. So no ranking gains by the order of the file.
"""

from typing import Any

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.ranking_within import groups_of

FIGURES = ("hit_1", "hit_3", "reciprocal_rank", "ndcg")
NDCG_COUNT = 10
DRAWS_COUNT = 2000
CONFIDENCE = 0.95
SEED = 0


def by_place(worth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """What each row's place is worth, shape (..., n); equal scores share the mean of their places.

    worth: of the places from the first on, shape (..., n). score: higher comes first, shape (n,).
    """
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    sizes = np.diff(np.r_[starts, len(score)])
    mean = np.add.reduceat(worth, starts, axis=-1) / sizes
    found = np.empty(worth.shape)
    found[..., order] = np.repeat(mean, sizes, axis=-1)
    return found


def worths(size: int, ndcg_count: int = NDCG_COUNT) -> np.ndarray:
    """What the places 1 to `size` are worth to each of FIGURES, shape (4, size)."""
    place = np.arange(1, size + 1)
    gain = (place <= ndcg_count) / np.log2(1 + place)
    return np.array([place <= 1, place <= 3, 1 / place, gain], dtype=float)


def by_group(
    score: np.ndarray, group: pd.Series, chosen: np.ndarray, ndcg_count: int = NDCG_COUNT
) -> pd.DataFrame:
    """FIGURES and `size` of each group that has the one, index: the group.

    chosen: 1 for the one. Groups without one are left out: nothing could be found there. Raises
    InputError where no group has one or a score is missing.
    """
    score, chosen = np.asarray(score, float), np.asarray(chosen) == 1
    if np.isnan(score).any():
        raise InputError(
            f"{int(np.isnan(score).sum())} of {len(score)} people have no score. "
            "Give the lowest score to those of whom nothing is known."
        )
    groups, found = groups_of(group), dict[Any, list[float]]()
    order = np.argsort(groups.code, kind="stable")
    edges = np.flatnonzero(np.diff(groups.code[order])) + 1
    for rows in np.split(order, edges):
        if chosen[rows].any():
            name = groups.names[groups.code[rows[0]]]
            values = by_place(worths(len(rows), ndcg_count), score[rows])[:, chosen[rows]]
            found[name] = [*values.max(axis=1), len(rows)]
    if not found:
        raise InputError(f"None of {len(groups.names)} groups has the one, so nothing is judged.")
    return pd.DataFrame.from_dict(found, orient="index", columns=[*FIGURES, "size"])


def drawn_means(table: pd.DataFrame, cluster: pd.Series | None = None) -> np.ndarray:
    """Mean of FIGURES in each of DRAWS_COUNT draws of groups, shape (draws, figures).

    cluster: of each group, such as its company; then whole clusters are drawn, for two deals of
    one company have people in common.
    """
    whose = np.arange(len(table)) if cluster is None else pd.factorize(cluster[table.index])[0]
    count = int(whose.max()) + 1
    sums = np.column_stack([np.bincount(whose, table[name], count) for name in table])
    drawn = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), DRAWS_COUNT)
    return (drawn @ sums) / (drawn @ np.bincount(whose, minlength=count))[:, None]


def summary(table: pd.DataFrame, cluster: pd.Series | None = None) -> pd.DataFrame:
    """Per figure: figure, mean, low, high (95 % bootstrap by group or cluster), groups_count."""
    figures = table[list(FIGURES)]
    low, high = ends(drawn_means(figures, cluster))
    return pd.DataFrame(
        {"figure": FIGURES, "mean": figures.mean().to_numpy(), "low": low, "high": high}
        | {"groups_count": len(table)}
    )


def paired(
    one: pd.DataFrame, other: pd.DataFrame, cluster: pd.Series | None = None
) -> pd.DataFrame:
    """Is `one` ahead of `other` on the same groups? Both from `by_group`.

    Per figure: figure, difference, low, high (95 % bootstrap of the difference), ahead_share (of
    the draws in which `one` is ahead, ties half). Raises InputError where the groups differ.
    """
    if not one.index.equals(other.index):
        raise InputError(
            f"Two rankings must be judged on the same groups; here {len(one)} and {len(other)}, "
            f"{len(one.index.intersection(other.index))} in common. Judge both on these."
        )
    differ = one[list(FIGURES)] - other[list(FIGURES)]
    drawn = drawn_means(differ, cluster)
    low, high = ends(drawn)
    return pd.DataFrame(
        {"figure": FIGURES, "difference": differ.mean().to_numpy(), "low": low, "high": high}
        | {"ahead_share": ahead_share(drawn)}
    )


def ends(drawn: np.ndarray, confidence: float = CONFIDENCE) -> np.ndarray:
    """Lower and upper end of each column's draws, shape (2, columns)."""
    rest = (1 - confidence) / 2
    return np.quantile(drawn, [rest, 1 - rest], axis=0)


def ahead_share(drawn: np.ndarray) -> np.ndarray:
    """Share of the draws of a difference that lie above 0, ties half; shape (columns,)."""
    return (drawn > 0).mean(axis=0) + (drawn == 0).mean(axis=0) / 2
