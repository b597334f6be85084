"""Kinds of people, or degrees of one thing? Stability can't tell, this can.

Where everybody lies somewhere on a scale (busy, less busy, idle), cutting it makes segments that
are found again each time, although nobody is of a kind. So people without kinds are simulated: the
same columns, spread and correlated as the real ones, the rest by lot (Gaussian copula). Segments
that fit the real people no better than these are degrees (Hennig and Lin 2015, Statistics and
Computing 25).
"""

from typing import Any

import numpy as np
from scipy.stats import norm

from tierwise.segments import mixtures
from tierwise.segments.mixtures import Cells

SIMULATED_COUNT = 19  # a chance of 1/20 is the smallest that can be found
SIMULATED_ROWS = 5_000
START_COUNT = 6
MOST_CHANCE = 0.05
KINDS, DEGREES = "kinds", "degrees"


def kinds(
    rows: Cells, count: int, simulated_count: int = SIMULATED_COUNT, seed: int = 0
) -> dict[str, Any]:
    """reading: "kinds" or "degrees"; gain, of `count` segments over one, in BIC per person;
    simulated_gain, the mean of people without kinds; chance, of such a gain without kinds.

    One segment is neither: reading "" and gains of 0.
    """
    if count == 1:
        return {"reading": "", "gain": 0.0, "simulated_gain": 0.0, "chance": 1.0}
    random = np.random.default_rng(seed)
    if len(rows) > SIMULATED_ROWS:
        rows = rows.some(np.sort(random.choice(len(rows), SIMULATED_ROWS, replace=False)))
    real = gain(rows, count, seed)
    places, orders = scales(rows)
    root = correlation_root(places, rows.number_count)
    found = np.array(
        [gain(simulated(rows, orders, root, random), count, seed) for _ in range(simulated_count)]
    )
    chance = (1 + int((found >= real).sum())) / (1 + simulated_count)
    return {
        "reading": KINDS if chance <= MOST_CHANCE else DEGREES,
        "gain": real,
        "simulated_gain": float(found.mean()) if len(found) else 0.0,
        "chance": chance,
    }


def gain(rows: Cells, count: int, seed: int) -> float:
    """How much lower BIC is with so many segments than with one, per person."""
    one, several = (
        mixtures.fit(rows, groups, seed, start_count=START_COUNT).bic for groups in (1, count)
    )
    return (one - several) / len(rows)


def scales(rows: Cells) -> tuple[np.ndarray, list[np.ndarray]]:
    """Every column as a number, shape (n, columns), and the order of each category's levels.

    Levels are put in the order of the direction in which people differ most (the first axis of a
    factor analysis of mixed data, Pagès 2004); what is missing is in the middle.
    """
    numbers = rows.values[:, rows.number_count : 2 * rows.number_count]
    one_hot = rows.values[:, 3 * rows.number_count :]
    share = np.maximum(one_hot.mean(axis=0), 1e-9)
    everything = np.hstack([numbers, (one_hot - share) / np.sqrt(share)])
    _, _, axes = np.linalg.svd(everything - everything.mean(axis=0), full_matrices=False)
    place = everything @ axes[0]
    columns, orders = [*numbers.T], []
    for block in rows.blocks():
        levels = rows.values[:, block]
        count = np.maximum(levels.sum(axis=0), 1e-9)
        order = np.argsort(place @ levels / count, kind="stable")
        share = count[order] / count.sum()
        edges = norm.pdf(norm.ppf(np.minimum(np.cumsum(share), 1.0)))
        # The mean of a normal law between the level's edges.
        columns.append(levels[:, order] @ (-np.diff(edges, prepend=0.0) / share))
        orders.append(order)
    return np.column_stack(columns), orders


def correlation_root(places: np.ndarray, number_count: int) -> np.ndarray:
    """A matrix whose product with its transpose is the correlation of what lies behind the columns.

    A level says less than the normal variable behind it; its mean given the level has the same
    covariance with anything, times its own variance (polyserial correlation, Olsson, Drasgow and
    Dorans 1982).
    """
    covariance = np.cov(places, rowvar=False, bias=True).reshape(2 * (places.shape[1],))
    spread = np.diag(covariance).copy()
    spread[:number_count] **= 0.5
    spread = np.where(spread > 0, spread, 1.0)
    correlation = covariance / np.outer(spread, spread)
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(np.clip(correlation, -1, 1))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return root / np.linalg.norm(root, axis=1, keepdims=True)


def simulated(
    rows: Cells, orders: list[np.ndarray], root: np.ndarray, random: np.random.Generator
) -> Cells:
    """People without kinds; what is missing of a real person is missing here."""
    drawn = random.standard_normal((len(rows), root.shape[1])) @ root.T
    count = rows.number_count
    known = rows.values[:, :count] > 0
    numbers = np.where(known, drawn[:, :count], np.nan)
    codes = []
    for at, (block, order) in enumerate(zip(rows.blocks(), orders, strict=True)):
        levels = rows.values[:, block]
        upper = np.cumsum(levels.sum(axis=0)[order]) / max(levels.sum(), 1.0)
        place = np.searchsorted(norm.ppf(np.minimum(upper[:-1], 1.0)), drawn[:, count + at])
        codes.append(np.where(levels.any(axis=1), order[place], mixtures.MISSING))
    empty = np.empty((len(rows), 0), dtype="int64")
    return mixtures.cells(numbers, np.column_stack(codes) if codes else empty, rows.levels)
