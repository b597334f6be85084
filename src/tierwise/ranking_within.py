"""Which one of a group is it: of the people at an account, who signs?

A group is one decision, such as a deal; its rows are the people who could be the one, and at most
one of them was. What all of a group share, such as the size of the company, says nothing here and
drops out. Three numbers per person, and one per group:

    score     ranks within the group; across groups it means nothing
    chance    to be the one; over a group they sum to 1 less the chance that it is none of them
    place     1 for the likeliest
    told_apart    can the first be told from the second, or is that "unknown"?

Worked example, a model with the one weight 2 for the share of colleagues who stand lower:

    rank 0.9, 0.5, 0.1    scores 1.8, 1.0, 0.2    chances 0.60, 0.27, 0.12    told apart if the
    weight is known well enough that 1.8 - 1.0 keeps its sign
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.stats import norm

from tierwise.files import InputError

PENALTIES = (0.1, 1.0, 10.0, 100.0)
FOLD_COUNT = 5
CONFIDENCE = 0.90
GRADIENT_TOLERANCE = 1e-8


@dataclass(frozen=True)
class Groups:
    """Rows by group. code: position of each row's group, shape (n,); names: shape (groups,)."""

    code: np.ndarray
    names: pd.Index

    @property
    def member(self) -> csr_array:
        """1 where a row belongs to a group, shape (groups, n)."""
        rows = np.arange(len(self.code))
        shape = len(self.names), len(self.code)
        return csr_array((np.ones(len(rows)), (self.code, rows)), shape=shape)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum of `values` (n,) by group, shape (groups,)."""
        return np.bincount(self.code, values, len(self.names))


@dataclass(frozen=True)
class Within:
    """A fitted conditional logit: score = weights · (features - mean) / scale.

    weights: shape (d,). none_score: of "none of them"; -inf where no group taught it. covariance:
    of the weights, shape (d, d) (Laplace). penalty: half of it times the squared weights was paid.
    """

    columns: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    none_score: float
    covariance: np.ndarray
    penalty: float

    def standard(self, features: pd.DataFrame) -> np.ndarray:
        return (finite(features[list(self.columns)]) - self.mean) / self.scale

    def score(self, features: pd.DataFrame) -> np.ndarray:
        """Shape (n,), higher is likelier."""
        return self.standard(features) @ self.weights


def groups_of(group: pd.Series) -> Groups:
    """group: the decision of each row, in any order; names come in order of appearance."""
    code, names = pd.factorize(group)
    if (code < 0).any():
        raise InputError(
            f"{int((code < 0).sum())} of {len(code)} rows belong to no group. "
            "Name the deal of each person, or leave those rows out."
        )
    return Groups(code, pd.Index(names))


def finite(features: pd.DataFrame) -> np.ndarray:
    """The columns as numbers, shape (n, d). Raises InputError for a missing or infinite one."""
    values = features.to_numpy(float)
    wrong = ~np.isfinite(values)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(
            f"Features must be finite numbers; {features.columns[column]} is "
            f"{values[row, column]} in row {row + 1}. Fill it, for example with the rank 0.5."
        )
    return values


def learn(
    features: pd.DataFrame, group: pd.Series, chosen: np.ndarray, penalty: float | None = None
) -> Within:
    """Conditional logit with an L2 penalty (McFadden 1974), fitted by its exact gradient.

    chosen: 1 for the one of its group, else 0, shape (n,). A group without one teaches how often
    it is none of them. penalty: None chooses among PENALTIES by cross-validation over groups.
    Raises InputError for a group with two, or where no group has the one among two or more.
    """
    groups, chosen = groups_of(group), checked(group, np.asarray(chosen, float))
    if penalty is None:
        penalty = chosen_penalty(features, group, chosen)
    values = finite(features)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    table = (values - mean) / scale
    with_none = bool((groups.sums(chosen) == 0).any())
    found, curvature = fitted(table, groups, chosen, penalty, with_none)
    # Without a penalty a column that never varies within a group has no curvature: pinv gives 0.
    covariance = np.linalg.pinv(curvature)[: table.shape[1], : table.shape[1]]
    none_score = float(found[-1]) if with_none else -np.inf
    columns, weights = tuple(map(str, features.columns)), found[: table.shape[1]]
    return Within(columns, mean, scale, weights, none_score, covariance, penalty)


def checked(group: pd.Series, chosen: np.ndarray) -> np.ndarray:
    """`chosen`, if every group has one at most and some group has one among others."""
    groups = groups_of(group)
    if not np.isin(chosen, (0, 1)).all():
        raise InputError("Who was the one must be written as 0 and 1, once for each person.")
    count, size = groups.sums(chosen), groups.sums(np.ones(len(chosen)))
    if (count > 1).any():
        worst = int(count.argmax())
        raise InputError(
            f"One person at most can be the one of a group; {groups.names[worst]} has "
            f"{int(count[worst])}. Keep the one who signed last, or split the group."
        )
    if not ((count == 1) & (size > 1)).any():
        raise InputError(
            f"None of {len(size)} groups has the one among two people or more, so there is "
            "nothing to learn. Add the other people who were known at the account."
        )
    return chosen


def fitted(
    table: np.ndarray, groups: Groups, chosen: np.ndarray, penalty: float, with_none: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The weights (and the score of "none" last) of least loss, and the loss's curvature there."""
    arguments = (table, groups, chosen, penalty, with_none)
    start = np.zeros(table.shape[1] + with_none)
    found = minimize(
        loss, start, arguments, method="L-BFGS-B", jac=True,
        options={"gtol": GRADIENT_TOLERANCE, "ftol": 0.0, "maxiter": 2000},
    )  # fmt: skip
    return found.x, curvature(found.x, *arguments)


def loss(
    weights: np.ndarray,
    table: np.ndarray,
    groups: Groups,
    chosen: np.ndarray,
    penalty: float,
    with_none: bool,
) -> tuple[float, np.ndarray]:
    """Minus the log-likelihood plus the penalty, and its gradient, shape (d or d + 1,).

    The score of "none of them" pays no penalty.
    """
    width = table.shape[1]
    score = table @ weights[:width]
    none_score = weights[-1] if with_none else -np.inf
    chance, none_chance, total = shared(score, groups, none_score)
    value = total.sum() - chosen @ score + penalty / 2 * weights[:width] @ weights[:width]
    slope = table.T @ (chance - chosen) + penalty * weights[:width]
    if not with_none:
        return float(value), slope
    nobody = groups.sums(chosen) == 0
    value -= nobody.sum() * none_score
    return float(value), np.r_[slope, none_chance.sum() - nobody.sum()]


def curvature(
    weights: np.ndarray,
    table: np.ndarray,
    groups: Groups,
    chosen: np.ndarray,
    penalty: float,
    with_none: bool,
) -> np.ndarray:
    """Second derivatives of `loss`, shape (d or d + 1,) squared; `chosen` does not enter."""
    width = table.shape[1]
    none_score = weights[-1] if with_none else -np.inf
    chance, none_chance, _ = shared(table @ weights[:width], groups, none_score)
    middle = groups.member @ (table * chance[:, None])
    second = (table * chance[:, None]).T @ table
    paid = np.full(width, penalty)
    if with_none:
        middle = np.c_[middle, none_chance]
        second = np.pad(second, (0, 1))
        second[-1, -1] = none_chance.sum()
        paid = np.r_[paid, 0.0]
    return second - middle.T @ middle + np.diag(paid)


def shared(
    score: np.ndarray, groups: Groups, none_score: float = -np.inf
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Softmax over each group: chance (n,), chance of none (groups,), log of the sum (groups,)."""
    top = np.full(len(groups.names), none_score)
    np.maximum.at(top, groups.code, score)
    part = np.exp(score - top[groups.code])
    none_part = np.exp(none_score - top)
    total = groups.sums(part) + none_part
    return part / total[groups.code], none_part / total, top + np.log(total)


def chosen_penalty(features: pd.DataFrame, group: pd.Series, chosen: np.ndarray) -> float:
    """Of PENALTIES the one of least loss on groups left out; the largest one within 0.1 %."""
    groups = groups_of(group)
    fold = groups.code % FOLD_COUNT
    losses = dict.fromkeys(PENALTIES, 0.0)
    for number in range(FOLD_COUNT):
        known, rest = fold != number, fold == number
        if not rest.any() or not learnable(group[known], chosen[known]):
            continue
        for penalty in PENALTIES:
            model = learn(features[known], group[known], chosen[known], penalty)
            losses[penalty] += left_out_loss(model, features[rest], group[rest], chosen[rest])
    least = min(losses.values())
    return max(penalty for penalty, value in losses.items() if value <= least * 1.001)


def learnable(group: pd.Series, chosen: np.ndarray) -> bool:
    """Has some group the one among two people or more?"""
    groups = groups_of(group)
    return bool(((groups.sums(chosen) == 1) & (groups.sums(np.ones(len(chosen))) > 1)).any())


def left_out_loss(
    model: Within, features: pd.DataFrame, group: pd.Series, chosen: np.ndarray
) -> float:
    """Minus the log-likelihood of who was the one, over the groups that have one."""
    groups = groups_of(group)
    score = model.score(features)
    _, _, total = shared(score, groups)
    return float(total[groups.sums(chosen) == 1].sum() - chosen @ score)


def ranked(
    model: Within, features: pd.DataFrame, group: pd.Series, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """Per row: group, score, chance, place, none_chance and told_apart (both of its group).

    In the order of the rows. Equal scores share the better place, and the first is not told apart
    then. A group of one is told apart: there is nobody to take for him.
    """
    groups, score = groups_of(group), model.score(features)
    chance, none_chance, _ = shared(score, groups, model.none_score)
    place = pd.Series(-score).groupby(groups.code).rank(method="min").astype(int)
    apart = told_apart(model, model.standard(features), groups, score, confidence)
    return pd.DataFrame(
        {"group": group.to_numpy(), "score": score, "chance": chance, "place": place.to_numpy()}
        | {"none_chance": none_chance[groups.code], "told_apart": apart[groups.code]},
        index=features.index,
    )


def told_apart(
    model: Within, table: np.ndarray, groups: Groups, score: np.ndarray, confidence: float
) -> np.ndarray:
    """Per group: does the interval of the first score minus the second lie above 0?"""
    order = np.lexsort((-score, groups.code))
    code = groups.code[order]
    starts = np.flatnonzero(np.r_[True, code[1:] != code[:-1]])
    sizes = np.diff(np.r_[starts, len(code)])
    apart = np.ones(len(groups.names), dtype=bool)
    pairs = starts[sizes > 1]
    lead = score[order[pairs]] - score[order[pairs + 1]]
    differ = table[order[pairs]] - table[order[pairs + 1]]
    sd = np.sqrt(np.einsum("ij,jk,ik->i", differ, model.covariance, differ).clip(min=0))
    apart[code[pairs]] = (lead > 1e-12) & (lead > norm.ppf((1 + confidence) / 2) * sd)
    return apart
