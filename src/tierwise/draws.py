"""How far a figure could move by luck: weeks and owners drawn again, many times over.

A week shares its news and an owner his manner, so rows of one week, or of one owner, say less
than as many rows that have nothing in common. A draw takes as many weeks as there are, with
replacement, and as many owners; a row counts as often as its week was drawn times as often as its
owner was (the pigeonhole bootstrap, Owen 2007, Annals of Applied Statistics 1).

A *figure* here is a function from draws to one number per draw, shape (draws,), such as a rate.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from tierwise.candidates import SEED
from tierwise.evaluation import BOOTSTRAP_COUNT, CONFIDENCE, corrected, student

CHUNK_CELLS = 1_000_000  # draws times rows held at once, 8 MB
LEAST_OWNERS = 2.0  # with fewer nobody can say how owners differ


@dataclass(frozen=True)
class Draws:
    """How often each week and each owner was drawn; without owners there is one, drawn once.

    week, owner: position of each row's own, shape (n,). week_count: shape (draws, weeks);
    owner_count: shape (draws, owners).
    """

    week: np.ndarray
    owner: np.ndarray
    week_count: np.ndarray
    owner_count: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum of `values` (n,) over the rows of each draw, shape (draws,): two matrix products."""
        shape = self.week_count.shape[1], self.owner_count.shape[1]
        cells = csr_array((values.astype(float), (self.week, self.owner)), shape=shape)
        by_owner = cells.T @ self.week_count.T
        return np.einsum("do,od->d", self.owner_count, by_owner)

    def mean(self, values: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Mean of `values` over the rows `inside`, shape (draws,); NaN where none was drawn."""
        return ratio(self.sums(values * inside), self.sums(inside))

    def chunks(self) -> Iterator["Draws"]:
        """The draws in parts small enough to spell out a count for every row."""
        step = max(1, CHUNK_CELLS // max(len(self.week), 1))
        for at in range(0, len(self.week_count), step):
            part = slice(at, at + step)
            yield replace(
                self, week_count=self.week_count[part], owner_count=self.owner_count[part]
            )

    def row_counts(self) -> np.ndarray:
        """How often each row counts in each draw, shape (draws, n)."""
        return self.week_count[:, self.week] * self.owner_count[:, self.owner]

    def as_seen(self) -> "Draws":
        """One draw with everything in it once: the rows as they are."""
        once = replace(self, week_count=self.week_count[:1], owner_count=self.owner_count[:1])
        return once.weeks_alone().owners_alone()

    def weeks_alone(self) -> "Draws":
        return replace(self, owner_count=np.ones_like(self.owner_count))

    def owners_alone(self) -> "Draws":
        return replace(self, week_count=np.ones_like(self.week_count))


Figure = Callable[[Draws], np.ndarray]


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def draw(
    weeks: np.ndarray, owners: np.ndarray | None = None, count: int = BOOTSTRAP_COUNT
) -> Draws:
    """Draws of the weeks and, where rows have owners, of the owners: the same ones every time.

    weeks, owners: a label per row, shape (n,). Rows without an owner share the owner "none". Where
    nearly all rows have the same owner (see `effective`), owners are not drawn: the one stray row
    of a second owner would be taken for half of what is known about owners.
    """
    week, week_count = drawn(weeks, count, seed=SEED)
    if owners is None or effective(owners) < LEAST_OWNERS:
        owners = np.zeros(len(weeks))
    owner, owner_count = drawn(owners, count, seed=SEED + 1)
    return Draws(week, owner, week_count, owner_count)


def effective(labels: np.ndarray) -> float:
    """How many labels of equal size say as much: 1 / sum of squared shares of the rows (Kish)."""
    shares = pd.Series(labels).value_counts(normalize=True, dropna=False).to_numpy()
    return float(1 / (shares @ shares)) if len(shares) else 0.0


def drawn(labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Position of each row's label (n,), and how often each label was drawn (count, labels)."""
    position, found = pd.factorize(pd.Series(labels), sort=True, use_na_sentinel=False)
    size = len(found)
    counts = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=count)
    return position, counts.astype(np.int16)


def interval(
    draws: Draws, figure: Figure, lowest: float = 0.0, highest: float = 1.0
) -> list[float]:
    """95 % interval [low, high] of a figure, inside its lowest and highest possible value.

    The percentiles of the draws, moved towards or away from the figure as seen until their
    variance is `variance`, and with Student's t for few weeks or owners (degrees of freedom: the
    fewer of them, less 1, as Cameron, Gelbach and Miller 2011 advise). [lowest, highest] where
    there is one week and one owner, or where fewer than two draws have a value: nothing is known.
    """
    seen = figure(draws.as_seen())
    moved = figure(draws) - seen
    alone = draws.week_count.shape[1] == draws.owner_count.shape[1] == 1
    if alone or np.isfinite(moved).sum() < 2:
        return [lowest, highest]
    spread = np.nanstd(moved)
    wider = np.sqrt(variance(draws, figure, moved)) / spread if spread > 0 else 1.0
    wider *= student(fewest(draws))
    tail = (1 - CONFIDENCE) / 2
    ends = seen[0] + wider * np.nanquantile(moved, [tail, 1 - tail])
    return [float(end) for end in np.clip(ends, lowest, highest)]


def variance(draws: Draws, figure: Figure, moved: np.ndarray) -> float:
    """Variance of a figure when rows share the luck of their week and of their owner.

    V(weeks) + V(owners) - V(rows of one week and owner), and not less than either of the first
    two (Cameron, Gelbach and Miller 2011, Journal of Business & Economic Statistics 29). Draws
    of both at once count three times what belongs to single rows (Owen 2007), which is why their
    spread is not used as it is. Each term is a variance over draws times g / (g - 1), for g weeks
    or owners. moved: the figure of each draw less the figure as seen.
    """
    weeks, owners = (corrected(n.shape[1]) for n in (draws.week_count, draws.owner_count))
    if draws.owner_count.shape[1] == 1:
        return float(weeks * np.nanvar(moved))
    seen = figure(draws.as_seen())
    by_week, by_owner = figure(draws.weeks_alone()) - seen, figure(draws.owners_alone()) - seen
    week, owner = weeks * np.nanvar(by_week), owners * np.nanvar(by_owner)
    shared = weeks * owners * np.nanvar(moved - by_week - by_owner)
    return float(max(week, owner, week + owner - shared))


def fewest(draws: Draws) -> int:
    """The number of weeks or of owners, whichever is less; 1 where there is one of each."""
    sizes = [counts.shape[1] for counts in (draws.week_count, draws.owner_count)]
    return min((size for size in sizes if size > 1), default=1)


def pairs(
    outcome: np.ndarray, score: np.ndarray, group: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per draw and group: pairs of a win and a loss in the right order, wins, losses.

    Each has shape (draws, groups), groups ascending; ties count half. counts: how often each row
    counts, shape (draws, n). Right pairs / (wins * losses) is the AUC (Mann and Whitney 1947).
    """
    order = np.lexsort((score, group))
    group, score = group[order], score[order]
    new_group = np.r_[True, np.diff(group) != 0]
    ties = np.flatnonzero(new_group | np.r_[True, np.diff(score) != 0])
    counts = counts[:, order].astype(float)
    wins = np.add.reduceat(counts * outcome[order], ties, axis=1)
    losses = np.add.reduceat(counts * (1 - outcome[order]), ties, axis=1)
    first = np.flatnonzero(new_group[ties])
    upto = np.cumsum(losses, axis=1) - losses
    below = upto - np.repeat(upto[:, first], np.diff(np.r_[first, len(ties)]), axis=1)
    right = wins * (below + losses / 2)
    found = [np.add.reduceat(values, first, axis=1) for values in (right, wins, losses)]
    return found[0], found[1], found[2]


def auc(draws: Draws, outcome: np.ndarray, score: np.ndarray) -> np.ndarray:
    """AUC of each draw, shape (draws,); 0.5 in a draw with one class."""
    everyone, found = np.zeros(len(score), dtype=int), []
    for part in draws.chunks():
        right, wins, losses = pairs(outcome, score, everyone, part.row_counts())
        both = wins * losses
        found.append(np.where(both > 0, right / np.maximum(both, 1), 0.5)[:, 0])
    return np.concatenate(found)


def auc_in_weeks(draws: Draws, outcome: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Mean AUC inside the weeks of each draw, weighted by the rarer class; NaN where none has both.

    Shape (draws,). A ranking that only sorts good weeks from bad ones has 0.5 here.
    """
    found = []
    for part in draws.chunks():
        counts = part.owner_count
        counts = counts[:, part.owner] if counts.shape[1] > 1 else counts[:1, part.owner]
        right, wins, losses = pairs(outcome, score, part.week, counts)
        weight = np.minimum(wins, losses) * part.week_count
        values = right / np.maximum(wins * losses, 1)
        found.append(ratio((weight * values).sum(axis=1), weight.sum(axis=1)))
    return np.concatenate(found)
