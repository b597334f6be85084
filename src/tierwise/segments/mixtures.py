"""Groups of rows with numbers and categories, by the mixture that makes the rows most likely.

Within a group all columns are independent: a number is normal, a category has a chance for each
level (latent class analysis; Lazarsfeld and Henry 1968). A missing value drops out of its row's
likelihood and takes nothing else with it (full information maximum likelihood), so rows need not
be complete and nothing is filled in. Fitted by expectation and maximisation (Dempster, Laird and
Rubin 1977) from many starts.

With one row of cells per person, [known, x, x², one-hot levels], the log likelihood of all rows in
all groups is one matrix product, and so are the sums that new parameters need.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tierwise.files import InputError

LEAST_VARIANCE = 0.04  # of a number of variance 1: ties shall not become a group of their own
PRIOR_COUNT = 1.0  # rows that each group gets on top, as all rows together are
START_COUNT = 20
SHORT_COUNT = 15  # steps that every start gets before the best ones go on
KEPT_COUNT = 3
STEP_COUNT = 500
TOLERANCE = 1e-6  # log likelihood per row
MISSING = -1


@dataclass(frozen=True)
class Cells:
    """Rows ready to be fitted. values: shape (n, 3 * number_count + all levels)."""

    values: np.ndarray
    number_count: int
    levels: tuple[int, ...]  # how many each category has

    def __len__(self) -> int:
        return len(self.values)

    def some(self, rows: np.ndarray) -> "Cells":
        return Cells(self.values[rows], self.number_count, self.levels)

    def blocks(self) -> Iterator[slice]:
        """The columns of each category's levels."""
        at = 3 * self.number_count
        for count in self.levels:
            yield slice(at, at + count)
            at += count


@dataclass(frozen=True)
class Mixture:
    """k groups, the largest first.

    shares (k,) add up to 1; means and variances (k, numbers); chances (k, all levels), those of one
    category add up to 1.
    """

    shares: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    chances: np.ndarray


@dataclass(frozen=True)
class Fitted:
    """bic: lower is better (Schwarz 1978). posterior: chance of each group, shape (n, k)."""

    mixture: Mixture
    log_likelihood: float
    bic: float
    posterior: np.ndarray


def cells(numbers: np.ndarray, codes: np.ndarray, levels: tuple[int, ...]) -> Cells:
    """numbers (n, p), NaN where missing, each about of mean 0 and variance 1; codes (n, q), from 0,
    -1 where missing."""
    if codes.shape[1] != len(levels) or (len(codes) and (codes.max(axis=0) >= levels).any()):
        raise InputError(f"Codes must lie below the number of levels, {list(levels)}.")
    known = ~np.isnan(numbers)
    filled = np.where(known, numbers, 0.0)
    one_hot = [codes[:, [at]] == np.arange(count) for at, count in enumerate(levels)]
    values = np.hstack([known, filled, filled**2, *one_hot]).astype("float64")
    return Cells(values, numbers.shape[1], tuple(levels))


def fit(
    rows: Cells,
    count: int,
    seed: int = 0,
    weights: np.ndarray | None = None,
    start_count: int = START_COUNT,
    warm: Mixture | None = None,
) -> Fitted:
    """The likeliest mixture of `count` groups.

    weights (n,): how often each row counts. warm: one more start, which always goes on. Raises
    InputError where there are fewer rows than groups or nothing is known of a column.
    """
    weights = np.ones(len(rows)) if weights is None else weights
    if not 1 <= count <= (weights > 0).sum():
        raise InputError(f"{int((weights > 0).sum())} rows can't make {count} groups.")
    prior = typical(rows, weights)
    random = np.random.default_rng([seed, count])
    found = [
        climbed(rows, weights, prior, start, STEP_COUNT)
        for start in starts(rows, weights, prior, count, random, start_count, warm)
    ]
    mixture, _ = max(found, key=lambda one: one[1])
    mixture = reordered(mixture, np.argsort(-mixture.shares, kind="stable"))
    posterior, height = expected(rows, mixture)
    log_likelihood = float(weights @ height)
    free = count - 1 + count * (2 * rows.number_count + sum(rows.levels) - len(rows.levels))
    bic = free * float(np.log(weights.sum())) - 2 * log_likelihood
    return Fitted(mixture, log_likelihood, bic, posterior)


def starts(
    rows: Cells,
    weights: np.ndarray,
    prior: np.ndarray,
    count: int,
    random: np.random.Generator,
    start_count: int,
    warm: Mixture | None,
) -> list[np.ndarray]:
    """Posteriors to go on from: the best of many short climbs (Biernacki, Celeux, Govaert 2003)."""
    ready = [] if warm is None else [expected(rows, warm)[0]]
    if count == 1:
        return ready or [np.ones((len(rows), 1))]
    tried = []
    for _ in range(start_count):
        mixture, height = climbed(
            rows, weights, prior, nearest(rows, weights, count, random), SHORT_COUNT
        )
        tried.append((height, mixture))
    tried.sort(key=lambda one: -one[0])
    return ready + [expected(rows, mixture)[0] for _, mixture in tried[:KEPT_COUNT]]


def nearest(
    rows: Cells, weights: np.ndarray, count: int, random: np.random.Generator
) -> np.ndarray:
    """Each row with the nearest of some rows taken by chance, as a posterior of 0 and 1."""
    place = rows.values[:, [*range(rows.number_count, 2 * rows.number_count)]]
    place = np.hstack([place, rows.values[:, 3 * rows.number_count :]])
    seeds = place[random.choice(len(rows), count, replace=False, p=weights / weights.sum())]
    distance = (seeds**2).sum(axis=1) - 2 * place @ seeds.T
    return np.eye(count)[distance.argmin(axis=1)]


def climbed(
    rows: Cells, weights: np.ndarray, prior: np.ndarray, posterior: np.ndarray, step_count: int
) -> tuple[Mixture, float]:
    """Expectation and maximisation until nothing is gained, at most `step_count` times."""
    before = -np.inf
    for _ in range(step_count):
        mixture = likeliest(rows, weights, prior, posterior)
        posterior, height = expected(rows, mixture)
        now = float(weights @ height)
        if now - before < TOLERANCE * weights.sum():
            break
        before = now
    return mixture, now


def typical(rows: Cells, weights: np.ndarray) -> np.ndarray:
    """Mean square of each number and share of each level over all rows: what the prior adds.

    Shape (numbers + all levels,).
    """
    count = rows.number_count
    total = weights @ rows.values
    known = np.concatenate([total[:count], [total[block].sum() for block in rows.blocks()]])
    if not (known > 0).all():
        raise InputError(
            f"Column {int(np.argmin(known)) + 1} of {len(known)} has no value. Leave it out."
        )
    known = known[:count]
    spread = total[2 * count : 3 * count] / known - (total[count : 2 * count] / known) ** 2
    levels = [total[block] / total[block].sum() for block in rows.blocks()]
    return np.concatenate([spread, *levels])


def likeliest(
    rows: Cells, weights: np.ndarray, prior: np.ndarray, posterior: np.ndarray
) -> Mixture:
    """The parameters given who belongs where, drawn a little to those of all rows.

    Without that, a group in which a level never occurs would exclude it for good.
    """
    count = rows.number_count
    held = posterior * weights[:, None]
    total = held.T @ rows.values
    known = total[:, :count]
    means = total[:, count : 2 * count] / np.maximum(known, 1e-9)
    squares = np.maximum(total[:, 2 * count : 3 * count] - known * means**2, 0.0)
    spread = prior[:count]
    variances = (squares + PRIOR_COUNT * spread) / (known + PRIOR_COUNT)
    chances = [
        (total[:, block] + PRIOR_COUNT * prior[block.start - 2 * count : block.stop - 2 * count])
        / (total[:, block].sum(axis=1, keepdims=True) + PRIOR_COUNT)
        for block in rows.blocks()
    ]
    shares = np.maximum(held.sum(axis=0), 1e-9)
    return Mixture(
        shares / shares.sum(),
        means,
        np.maximum(variances, LEAST_VARIANCE * spread),
        np.hstack(chances) if chances else np.empty((len(total), 0)),
    )


def expected(rows: Cells, mixture: Mixture) -> tuple[np.ndarray, np.ndarray]:
    """Chance of each group, shape (n, k), and log likelihood of each row, shape (n,)."""
    means, variances = mixture.means, mixture.variances
    slopes = np.hstack(
        [
            -0.5 * (np.log(2 * np.pi * variances) + means**2 / variances),
            means / variances,
            -0.5 / variances,
            np.log(mixture.chances),
        ]
    )
    # Groups lie in rows here: sums over few long rows are much faster than over many short ones.
    height = slopes @ rows.values.T + np.log(mixture.shares)[:, None]
    top = height.max(axis=0)
    parts = np.exp(height - top)
    whole = parts.sum(axis=0)
    return (parts / whole).T, top + np.log(whole)


def reordered(mixture: Mixture, order: np.ndarray) -> Mixture:
    return Mixture(
        mixture.shares[order],
        mixture.means[order],
        mixture.variances[order],
        mixture.chances[order],
    )
