"""Who of a company leads others? Told from the position of people whose rank is known.

One logistic model of all measures, without a choice among them: fitted under each of a ladder of
L2 penalties, and the scores are averaged. With some dozen managers to learn from, a choice of
measures or of one penalty inside the training rows follows luck more than it finds anything. Each
model's scores are put on the scale of the people it learned from (mean 0, standard deviation 1),
so that a weak penalty does not outvote the others and scores of different folds can be compared.

It ranks; it gives no chance.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from tierwise.companies.hits_within import ahead_share, by_place, ends
from tierwise.files import InputError
from tierwise.ranking import auc
from tierwise.ranking_within import finite

PENALTIES = (0.03, 0.3, 3.0, 30.0)
RANK_SCALE = 12**0.5  # ranks without ties then have a standard deviation of 1
FOLD_COUNT = 5
REPEAT_COUNT = 40
TOP_COUNT = 10
DRAWS_COUNT = 1000
FIGURES = ("macro_f1", "ndcg_10", "precision_10", "hit_1", "auc")


@dataclass(frozen=True)
class Leading:
    """score = weights · (features - mean), shape (n,): a line, so its weights are its reasons."""

    columns: tuple[str, ...]
    mean: np.ndarray
    weights: np.ndarray

    def score(self, features: pd.DataFrame) -> np.ndarray:
        return (finite(features[list(self.columns)]) - self.mean) @ self.weights


def learn(features: pd.DataFrame, leads: np.ndarray) -> Leading:
    """features: ranks within the company, from 0 to 1, no NaN. leads: 1 for managers, shape (n,).

    Ranks share a scale already: a column of many ties is not blown up to the spread of the others.
    Raises InputError where all or none lead.
    """
    leads = np.asarray(leads)
    if len(np.unique(leads)) < 2:
        raise InputError(
            f"Of {len(leads)} people {int(leads.sum())} are managers; both kinds must be known. "
            "Give the rank of more people."
        )
    values = finite(features)
    mean = values.mean(axis=0)
    table = (values - mean) * RANK_SCALE
    weights = np.mean([on_one_scale(table, leads, penalty) for penalty in PENALTIES], axis=0)
    return Leading(tuple(map(str, features.columns)), mean, weights * RANK_SCALE)


def on_one_scale(table: np.ndarray, leads: np.ndarray, penalty: float) -> np.ndarray:
    """Weights under one penalty, divided by the standard deviation of the scores they give."""
    model = LogisticRegression(C=1 / penalty, solver="newton-cholesky", max_iter=200)
    weights = model.fit(table, leads).coef_[0]
    spread = (table @ weights).std()
    return weights / spread if spread > 1e-12 else weights


def held_out(
    features: pd.DataFrame,
    leads: np.ndarray,
    repeat_count: int = REPEAT_COUNT,
    fold_count: int = FOLD_COUNT,
    seed: int = 0,
) -> np.ndarray:
    """Scores by models that did not see the person, shape (repeats, n): repeated cross-validation.

    seed: of the first repeat; each has its own split, with managers spread evenly.
    """
    leads = np.asarray(leads)
    scores = np.empty((repeat_count, len(leads)))
    for repeat in range(repeat_count):
        split = StratifiedKFold(fold_count, shuffle=True, random_state=seed + repeat)
        for known, rest in split.split(features, leads):
            model = learn(features.iloc[known], leads[known])
            scores[repeat, rest] = model.score(features.iloc[rest])
    return scores


def figures(leads: np.ndarray, score: np.ndarray) -> np.ndarray:
    """FIGURES of one ranking, shape (5,); equal scores come in random order (mean over orders).

    macro_f1 marks as many people as there are managers. The rest looks at the first ten, or at
    fewer where fewer are given.
    """
    leads, place = np.asarray(leads, float), np.arange(1, len(score) + 1)
    count, top = int(leads.sum()), min(TOP_COUNT, len(leads))
    gain = (place <= top) / np.log2(1 + place)
    worth = np.array([place <= count, gain, place <= top, place <= 1], dtype=float)
    found, gained, in_top, first = by_place(worth, np.asarray(score)) @ leads
    others = len(leads) - count
    of_managers, of_others = found / max(count, 1), (others - count + found) / max(others, 1)
    macro_f1, ideal = (of_managers + of_others) / 2, gain[:count].sum()
    ndcg = gained / ideal if count else 0.0
    return np.array([macro_f1, ndcg, in_top / top, first, auc(leads, score)])


def judged(leads: np.ndarray, scores: np.ndarray) -> pd.Series:
    """Mean of FIGURES over the repeats. scores: shape (repeats, n)."""
    return pd.Series(np.mean([figures(leads, score) for score in scores], axis=0), list(FIGURES))


def paired(leads: np.ndarray, scores: np.ndarray, other: np.ndarray) -> pd.DataFrame:
    """Is the model ahead of one other ranking? Bootstrap over people, both judged on each draw.

    scores: shape (repeats, n), their figures averaged in each draw; other: shape (n,). Per figure:
    figure, difference, low, high (95 %), ahead_share (of the draws, ties half).
    """
    leads, generator = np.asarray(leads), np.random.default_rng(0)
    drawn = np.empty((DRAWS_COUNT, len(FIGURES)))
    for draw in range(DRAWS_COUNT):
        rows = generator.integers(0, len(leads), len(leads))
        mean = judged(leads[rows], scores[:, rows]).to_numpy()
        drawn[draw] = mean - figures(leads[rows], other[rows])
    low, high = ends(drawn)
    whole = judged(leads, scores).to_numpy() - figures(leads, other)
    return pd.DataFrame(
        {"figure": FIGURES, "difference": whole, "low": low, "high": high}
        | {"ahead_share": ahead_share(drawn)}
    )
