"""The candidates that rank people within an account, from the rules up, all with the same face.

Each is a function of the features, groups and outcomes it learns from that returns a scorer: a
function of features to scores, shape (n,). A rule learns nothing. The trees are a candidate only
from 500 labelled groups on: with fewer they learn the people by heart and lose to a rule.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from tierwise import ranking_within
from tierwise.files import InputError
from tierwise.ranking_within import groups_of

BOOSTED_MIN_COUNT = 500
FOLD_COUNT = 5
SEED = 0

Scorer = Callable[[pd.DataFrame], np.ndarray]
Candidate = Callable[[pd.DataFrame, pd.Series, np.ndarray], Scorer]


def by_rule(column: str, features: pd.DataFrame, group: pd.Series, chosen: np.ndarray) -> Scorer:
    """In the order of one column, highest first, missing last: how people work without a model."""
    if column not in features:
        raise InputError(
            f"The rule ranks by {column}, which is not among {', '.join(map(str, features))}. "
            "Name one of these."
        )
    return partial(highest, column)


def highest(column: str, features: pd.DataFrame) -> np.ndarray:
    return features[column].fillna(-np.inf).to_numpy(float)


def conditional_logit(features: pd.DataFrame, group: pd.Series, chosen: np.ndarray) -> Scorer:
    """See `ranking_within.learn`; its penalty is chosen among the rows given."""
    return ranking_within.learn(features, group, chosen).score


def boosted(features: pd.DataFrame, group: pd.Series, chosen: np.ndarray) -> Scorer:
    """Trees that learn to put the one first (XGBRanker, `rank:ndcg`); missing values may stay.

    Raises InputError with fewer than BOOSTED_MIN_COUNT groups that have the one.
    """
    from xgboost import XGBRanker

    groups = groups_of(group)
    labelled_count = int((groups.sums(np.asarray(chosen, float)) > 0).sum())
    if labelled_count < BOOSTED_MIN_COUNT:
        raise InputError(
            f"Trees need {BOOSTED_MIN_COUNT} groups with a known outcome; here are "
            f"{labelled_count}. Use the conditional logit, or wait for more."
        )
    order = np.argsort(groups.code, kind="stable")
    model = XGBRanker(
        objective="rank:ndcg", n_estimators=200, learning_rate=0.05, max_depth=3,
        min_child_weight=10, random_state=SEED, n_jobs=1,
    )  # fmt: skip
    model.fit(features.iloc[order], np.asarray(chosen)[order], qid=groups.code[order])
    return model.predict


def candidates(rules: dict[str, str], labelled_count: int) -> dict[str, Candidate]:
    """By name, the simplest first. rules: name and column, such as "highest title": "level"."""
    found: dict[str, Candidate] = {name: partial(by_rule, column) for name, column in rules.items()}
    found["conditional logit"] = conditional_logit
    if labelled_count >= BOOSTED_MIN_COUNT:
        found["boosted ranking"] = boosted
    return found


def held_out(
    candidate: Candidate,
    features: pd.DataFrame,
    group: pd.Series,
    chosen: np.ndarray,
    company: pd.Series | None = None,
    fold_count: int = FOLD_COUNT,
) -> np.ndarray:
    """The score of each row by a model that saw no group of its company, shape (n,).

    company: of each row, None takes each group for one; companies are dealt out by chance, the
    same at every run. Scores of different folds are comparable only within a group.
    """
    whose = pd.factorize(group if company is None else company)[0]
    if fold_count > whose.max() + 1:
        raise InputError(
            f"{fold_count} folds need as many companies; here are {whose.max() + 1}. Use fewer."
        )
    dealt = np.random.default_rng(SEED).permutation(whose.max() + 1) % fold_count
    fold, score = dealt[whose], np.empty(len(whose))
    for number in range(fold_count):
        known, rest = fold != number, fold == number
        scorer = candidate(features[known], group[known], np.asarray(chosen)[known])
        score[rest] = scorer(features[rest])
    return score
