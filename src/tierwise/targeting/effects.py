"""What a treatment did, where the lot decided who got it.

    treated     the lot said so: whether the invitation was opened, or sent at all, doesn't matter
                (by intention to treat); everybody else is *control*
    effect      mean outcome of the treated less that of the control: for an outcome of 0 and 1 a
                difference of shares, 0.045 is 4.5 points
    cluster     whose rows share their luck: rows of one person, or people who know each other

Outcomes may be counts or money too. An effect is a mean over everybody who was offered the
treatment; of any single person nobody will ever know it.

Each row moves a figure by its influence (see clustered.py). Those of one arm are summed within
clusters, and scaled by g / (g - 1) for its g clusters: without clusters that is Neyman's variance
(1923), the interval that of Welch (1947).
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import t as student

from tierwise import draws
from tierwise.clustered import Figure
from tierwise.evaluation import BOOTSTRAP_COUNT
from tierwise.files import InputError

LEVEL = 0.95


def difference(
    outcome: np.ndarray,
    treated: np.ndarray,
    cluster: np.ndarray | None = None,
    level: float = LEVEL,
) -> Figure:
    """Mean of the treated less mean of the control, with an interval.

    outcome, treated (0 and 1, or bool), cluster: shape (n,). The influence is of every row, in the
    order given. Raises InputError with fewer than two clusters (without: rows) in an arm.
    """
    y, w = two_arms(outcome, treated)
    ours = own_rows(y) if cluster is None else np.asarray(cluster)
    means = [float(y[w == arm].mean()) for arm in (False, True)]
    influence = np.where(w, y - means[1], means[0] - y) / np.where(w, w.sum(), (~w).sum())
    return with_interval(means[1] - means[0], influence, w, ours, level)


def adjusted(
    outcome: np.ndarray,
    treated: np.ndarray,
    features: np.ndarray,
    cluster: np.ndarray | None = None,
    level: float = LEVEL,
) -> Figure:
    """The same effect, with a shorter interval the more `features` (n, k) tell of the outcome.

    A line is fitted in each arm and read off at the mean features of everybody (Lin 2013, Annals of
    Applied Statistics 7(1)). Features must have been known before the treatment and hold numbers;
    never take what the treatment may have moved. The interval is that of the people at hand.
    """
    y, w = two_arms(outcome, treated)
    x = np.asarray(features, dtype="float64").reshape(len(y), -1)
    if not np.isfinite(x).all():
        raise InputError("A feature is missing or no number; fill it in before an adjustment.")
    x = np.column_stack([np.ones(len(y)), x - x.mean(axis=0)])
    ours = own_rows(y) if cluster is None else np.asarray(cluster)
    influence, level_at_mean = np.zeros(len(y)), []
    for arm in (False, True):
        here = w == arm
        rows, rank = x[here], int(np.linalg.matrix_rank(x[here]))
        if here.sum() <= rank:
            raise InputError(
                f"An adjustment by {rank} columns takes more rows than that in each arm; one has "
                f"{here.sum():,}. Leave columns out."
            )
        inverse = np.linalg.pinv(rows.T @ rows, hermitian=True)
        line = inverse @ (rows.T @ y[here])
        level_at_mean.append(float(line[0]))
        # What the line swallows makes its errors look small (HC1, MacKinnon and White 1985).
        wider = np.sqrt((here.sum() - 1) / (here.sum() - rank))
        influence[here] = (1 if arm else -1) * wider * (rows @ inverse[0]) * (y[here] - rows @ line)
    return with_interval(level_at_mean[1] - level_at_mean[0], influence, w, ours, level)


def with_interval(
    value: float, influence: np.ndarray, treated: np.ndarray, cluster: np.ndarray, level: float
) -> Figure:
    """Figure from influences (n,): Student's t with the degrees of freedom of Welch."""
    freedom, scaled = [], influence.copy()
    parts = []
    for arm in (False, True):
        here = treated == arm
        codes, names = pd.factorize(cluster[here])
        if len(names) < 2:
            raise InputError(
                f"An interval takes two in each arm whose luck is their own; the "
                f"{'treated' if arm else 'control'} have {len(names)}. Wait for more."
            )
        grow = len(names) / (len(names) - 1)
        scaled[here] *= np.sqrt(grow)
        sums = np.bincount(codes, scaled[here])
        parts.append(float(sums @ sums))
        freedom.append(len(names) - 1)
    codes, _ = pd.factorize(cluster)
    sums = np.bincount(codes, scaled)  # clusters in both arms cancel, or add, what they share
    bottom = sum(part**2 / free for part, free in zip(parts, freedom, strict=True))
    welch = sum(parts) ** 2 / bottom if bottom > 0 else float(min(freedom))
    wide = float(student.ppf((1 + level) / 2, welch) * np.sqrt(sums @ sums))
    return Figure(value, value - wide, value + wide, len(treated), scaled)


def drawn_again(
    outcome: np.ndarray,
    treated: np.ndarray,
    cluster: np.ndarray,
    draws_count: int = BOOTSTRAP_COUNT,
) -> list[float]:
    """95 % interval [low, high] of `difference` by drawing clusters again: a check of the other.

    Takes memory for draws times clusters.
    """
    y, w = checked(outcome, treated)
    drawn = draws.draw(np.asarray(cluster), count=draws_count)

    def effect(many: draws.Draws) -> np.ndarray:
        return many.mean(y, w.astype(float)) - many.mean(y, 1.0 - w)

    return draws.interval(drawn, effect, lowest=-np.inf, highest=np.inf)


def components(people: pd.Series, pairs: pd.DataFrame) -> np.ndarray:
    """A label per person, shape (n,): people joined by any chain of pairs have the same.

    pairs: person_id, other_id, in any order; pairs with somebody who is not in `people` join
    nobody. A lot drawn by component keeps friends in one arm, so that what the treated tell their
    friends is no help to the control.
    """
    ids = pd.Index(people)
    if ids.has_duplicates:
        raise InputError(
            f"Person {ids[ids.duplicated()][0]} stands there twice; give each person once."
        )
    one, other = (ids.get_indexer(pairs[name]) for name in ("person_id", "other_id"))
    known = (one >= 0) & (other >= 0)
    ties = (np.ones(known.sum()), (one[known], other[known]))
    return connected_components(coo_array(ties, shape=(len(ids), len(ids))), directed=False)[1]


def mixed(treated: np.ndarray, component: np.ndarray) -> dict[str, float]:
    """How far the treatment may have reached the control through friends.

    components_count, largest_share (of people in the largest one) and mixed_share: control people
    who have a treated person in their component. Where it is far above 0, an effect is that of
    being asked beside asked friends, and may be too small.
    """
    label, w = np.asarray(component), np.asarray(treated, dtype="bool")
    codes, names = pd.factorize(label)
    size, with_treated = np.bincount(codes), np.bincount(codes, w) > 0
    return {
        "components_count": float(len(names)),
        "largest_share": float(size.max() / len(codes)),
        "mixed_share": float(with_treated[codes[~w]].mean()) if (~w).any() else 0.0,
    }


def checked(outcome: np.ndarray, treated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outcome as float64 and treated as bool, shape (n,) each; InputError where that can't be."""
    y, w = np.asarray(outcome, dtype="float64"), np.asarray(treated)
    if y.shape != w.shape or y.ndim != 1:
        raise InputError(f"Outcome and treated need one value a row: {y.shape} and {w.shape}.")
    if not np.isfinite(y).all():
        raise InputError(
            f"{int((~np.isfinite(y)).sum()):,} outcomes are missing. Leave out, in both arms "
            "alike, rows whose horizon has not closed; whoever didn't answer has the outcome 0."
        )
    if w.dtype != bool and not np.isin(w, (0, 1)).all():
        strange = next(value for value in w.tolist() if value not in (0, 1))
        raise InputError(f"treated holds 1 and 0, or true and false; found {strange!r}.")
    return y, w.astype("bool")


def two_arms(outcome: np.ndarray, treated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`checked`, and somebody in either arm."""
    y, w = checked(outcome, treated)
    if w.all() or not w.any():
        raise InputError(
            f"All {len(y):,} rows are {'treated' if len(y) and w.all() else 'control'}; without "
            "the other arm nobody knows what the treatment did. Hold some out by lot."
        )
    return y, w


def own_rows(values: np.ndarray) -> np.ndarray:
    return np.arange(len(values))
