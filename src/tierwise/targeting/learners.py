"""Scores for whom a treatment changes, learned from past rows where the lot decided who got it.

Each learner is a function of a `Past` that returns a score: a function of the features of any rows,
higher for those to treat sooner. The order of CANDIDATES goes from the simplest up.

    rule                a column named beforehand ("bought such goods before"), or, where none is,
                        the groups of one column by the effect seen in each
    response_model      the chance of the outcome, whoever brings it about: no uplift at all, but
                        what most programmes do
    transformed_outcome a line through y (w - e) / (e (1 - e)), whose mean is the effect (Athey and
                        Imbens 2015)
    s_logistic          one logistic model in which every column also acts through the treatment
    t_logistic          a model of the treated less one of the control
    t_boosting          the same of small trees
    x_learner           effects imputed in each arm by the other arm's model (Kuenzel et al. 2019,
                        PNAS 116(10))
    dr_learner          a line through the doubly robust effect of each row (Kennedy 2023,
                        Electronic Journal of Statistics 17(2)); chances by models of other rows
    rule_and_rest       the rule, and what a line through bins says about what it leaves
    blend               t_logistic and rule_and_rest, each in its standard deviations

e, the propensity, is the share that the lot gave: it is known and never learned. An outcome that is
no 0 and 1 (money) is learned as whether there was any where a model of chances is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.linear_model import LogisticRegression, Ridge

from tierwise import candidates
from tierwise.files import InputError
from tierwise.preparation import binned, pipeline, scaled
from tierwise.targeting import rules
from tierwise.targeting.effects import two_arms

SEED = 0
Score = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class Past:
    """Rows to learn from: features as in features.parquet, all known before the treatment.

    treated, outcome, cluster: shape (n,). propensity_share: chance to be treated, a number or one
    per row, strictly between 0 and 1. rule: column of numbers that is the one-line rule, higher
    values first; None to find one.
    """

    features: pd.DataFrame
    treated: np.ndarray
    outcome: np.ndarray
    propensity_share: float | np.ndarray
    cluster: np.ndarray | None = None
    rule: str | None = None

    def rows(self, inside: np.ndarray) -> "Past":
        """Those at the places `inside`."""
        share = self.propensity_share
        return Past(
            self.features.iloc[inside].reset_index(drop=True),
            self.treated[inside],
            self.outcome[inside],
            share[inside] if isinstance(share, np.ndarray) else share,
            None if self.cluster is None else np.asarray(self.cluster)[inside],
            self.rule,
        )


Learner = Callable[[Past], Score]


def past(
    features: pd.DataFrame,
    treated: np.ndarray,
    outcome: np.ndarray,
    propensity_share: float | np.ndarray,
    cluster: np.ndarray | None = None,
    rule: str | None = None,
) -> Past:
    """A checked Past. Raises InputError for a propensity of 0 or 1, or without one of the arms."""
    y, w = two_arms(outcome, treated)
    share = np.asarray(propensity_share, dtype="float64")
    if not ((share > 0) & (share < 1)).all():
        raise InputError(
            f"Propensities lie between 0 and 1; found {share.min():g} to {share.max():g}. Rows "
            "whose arm was certain teach nothing about the effect: leave them out."
        )
    if rule is not None and not (rule in features and is_numeric_dtype(features[rule])):
        raise InputError(
            f"The rule's column {rule!r} must be one of numbers, higher values first; there are "
            f"{[name for name in features if is_numeric_dtype(features[name])]}."
        )
    given = share if share.ndim else float(share)
    return Past(features.reset_index(drop=True), w, y, given, cluster, rule)


def rule(given: Past) -> Score:
    """A named column as it is, higher values first: nothing is learned. Else the one found."""
    name = given.rule
    if name is not None:
        return lambda features: features[name].to_numpy(dtype="float64", na_value=0.0)
    return rules.by_column(given.features, given.treated, given.outcome)


def response_model(given: Past) -> Score:
    return chance(given.features, given.outcome)


def transformed_outcome(given: Past) -> Score:
    e = given.propensity_share
    away = given.outcome - given.outcome.mean()  # moves no mean, and takes noise away
    return line(given.features, away * (given.treated - e) / (e * (1 - e)))


def s_logistic(given: Past) -> Score:
    columns = pipeline(given.features, [("scaled", scaled())], LogisticRegression())["columns"]
    middle = columns.transform(given.features).mean(axis=0)

    def design(features: pd.DataFrame, side: np.ndarray) -> np.ndarray:
        x = columns.transform(features) - middle
        return np.column_stack([x, side, x * side[:, None]])

    any_outcome = (given.outcome > 0).astype(int)
    if len(np.unique(any_outcome)) < 2:
        return nothing
    model = LogisticRegression(C=0.003, max_iter=500)
    model.fit(design(given.features, given.treated - 0.5), any_outcome)

    def score(features: pd.DataFrame) -> np.ndarray:
        sides = [np.full(len(features), side) for side in (0.5, -0.5)]
        one, other = (model.predict_proba(design(features, side))[:, 1] for side in sides)
        return one - other

    return score


def t_logistic(given: Past) -> Score:
    return arms(given, chance)


def t_boosting(given: Past) -> Score:
    return arms(given, boosted)


def x_learner(given: Past) -> Score:
    treated, control = (given.rows(np.flatnonzero(given.treated == arm)) for arm in (True, False))
    without = expected(control.features, control.outcome)(treated.features)
    having = expected(treated.features, treated.outcome)(control.features)
    of_treated = line(treated.features, treated.outcome - without)
    of_control = line(control.features, having - control.outcome)
    e = float(np.mean(given.propensity_share))
    return lambda features: e * of_control(features) + (1 - e) * of_treated(features)


def dr_learner(given: Past) -> Score:
    return line(given.features, doubly_robust(given))


def rule_and_rest(given: Past) -> Score:
    """Bins act within each side of the rule, so that what moves whom the rule takes may differ."""
    first = rules.by_column(given.features, given.treated, given.outcome, given.rule)
    seen = first(given.features)
    middle = float(np.median(np.unique(seen)))

    left = doubly_robust(given) - seen
    columns = pipeline(given.features, [("bins", binned())], LogisticRegression())["columns"]

    def design(features: pd.DataFrame) -> np.ndarray:
        x = np.asarray(columns.transform(features), dtype="float64")
        high = (first(features) > middle)[:, None]
        return np.column_stack([x * high, x * ~high])

    model = Ridge(alpha=1000.0).fit(design(given.features), left)
    return lambda features: first(features) + model.predict(design(features))


def blend(given: Past) -> Score:
    parts = []
    for learner in (t_logistic, rule_and_rest):
        score = learner(given)
        parts.append((score, float(np.std(score(given.features))) or 1.0))
    return lambda features: np.sum([score(features) / sd for score, sd in parts], axis=0)


def doubly_robust(given: Past, fold_count: int = 2) -> np.ndarray:
    """Effect of each row, shape (n,), noisy and without bias: its mean is the effect.

    Chances come from rows of other folds; clusters stay whole.
    """
    fold = folds(given, fold_count, SEED)
    means = np.zeros((2, len(given.outcome)))
    for number in range(fold_count):
        here, others = np.flatnonzero(fold == number), given.rows(np.flatnonzero(fold != number))
        for arm in (0, 1):
            part = others.rows(np.flatnonzero(others.treated == bool(arm)))
            if len(part.outcome):
                told = expected(part.features, part.outcome)(given.features.iloc[here])
                means[arm, here] = told
    y, w, e = given.outcome, given.treated, given.propensity_share
    return means[1] - means[0] + w * (y - means[1]) / e - ~w * (y - means[0]) / (1 - e)


def folds(given: Past, count: int, seed: int) -> np.ndarray:
    """Fold of each row, shape (n,): as many clusters (without: rows) in each, by lot."""
    cluster = np.arange(len(given.outcome)) if given.cluster is None else given.cluster
    codes, names = pd.factorize(np.asarray(cluster))
    return (np.random.default_rng(seed).permutation(len(names)) % count)[codes]


def arms(given: Past, model: Callable[[pd.DataFrame, np.ndarray], Score]) -> Score:
    parts = [given.rows(np.flatnonzero(given.treated == arm)) for arm in (True, False)]
    one, other = (model(part.features, part.outcome) for part in parts)
    return lambda features: one(features) - other(features)


def chance(features: pd.DataFrame, outcome: np.ndarray) -> Score:
    """Logistic: chance of an outcome above 0."""
    model = pipeline(features, [("scaled", scaled())], LogisticRegression(C=1.0, max_iter=500))
    return fitted_chance(model, features, outcome)


def boosted(features: pd.DataFrame, outcome: np.ndarray) -> Score:
    """Small trees with large leaves: effects are small beside the noise."""
    settings: dict[str, Any] = {"n_estimators": 60, "max_depth": 3, "learning_rate": 0.05}
    return fitted_chance(candidates.trees(features, **settings), features, outcome)


def fitted_chance(model: Any, features: pd.DataFrame, outcome: np.ndarray) -> Score:
    found = (outcome > 0).astype(int)
    if len(np.unique(found)) < 2:
        return lambda rows: np.full(len(rows), float(found[0]) if len(found) else 0.0)
    model.fit(features, found)
    return lambda rows: np.asarray(model.predict_proba(rows)[:, 1], dtype="float64")


def expected(features: pd.DataFrame, outcome: np.ndarray) -> Score:
    """Mean outcome: logistic where it is 0 and 1, else a line."""
    binary = set(np.unique(outcome)) <= {0.0, 1.0}
    return chance(features, outcome) if binary else line(features, outcome)


def line(features: pd.DataFrame, values: np.ndarray) -> Score:
    """Ridge on scaled numbers and categories."""
    model: Any = pipeline(features, [("scaled", scaled())], Ridge(alpha=100.0))
    model.fit(features, values)
    return lambda rows: np.asarray(model.predict(rows), dtype="float64")


def nothing(features: pd.DataFrame) -> np.ndarray:
    return np.zeros(len(features))


CANDIDATES: dict[str, Learner] = {
    learner.__name__: learner
    for learner in (
        rule,
        response_model,
        transformed_outcome,
        s_logistic,
        t_logistic,
        t_boosting,
        x_learner,
        dr_learner,
        rule_and_rest,
        blend,
    )
}
