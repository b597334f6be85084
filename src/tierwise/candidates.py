"""The candidates, from the simplest up, all with the same face.

Each is a function of the rows it will be fitted on that returns a scikit-learn pipeline whose
columns are prepared and whose model is still to be fitted. The pipeline takes the columns of
features.parquet as they are (numbers as float32 with NaN, categories as text) and gives
`predict_proba`. Only scikit-learn and XGBoost objects are used, so that a fitted model loads
without tierwise and converts to ONNX.

The order of CANDIDATES is the order of preference: among candidates whose ranking can't be
told apart, the first one wins. Those in SEARCHED have settings that are chosen on past periods;
`blend` is two of them together (see rolling.py).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from tierwise import context, value_rates
from tierwise.files import InputError
from tierwise.leakage import alone_score
from tierwise.preparation import (
    binned,
    categories_of,
    filled,
    numbers_of,
    pipeline,
    scaled,
    varying,
)

SEED = 0
# Of the rarer outcome, for trees more than three deep.
DEEP_MIN_COUNT = 1000
# Rounds times rate, for trees of fewer.
CAREFUL_STEPS = 8.4

Settings = dict[str, Any]


def base_rate(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    """The same chance for everybody: the share of wins so far. It can't rank."""
    return Pipeline([("columns", "passthrough"), ("model", DummyClassifier(strategy="prior"))])


def recent_rate(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    """The share of wins lately, the same for everybody at one moment: no features at all.

    Under drift its AUC over several periods is high, though it can't rank within one.
    """
    return by_column(context.RATE, features, outcome)


def best_single_column(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    """The one column that ranks best alone inside stretches of time (cross-fitted), in bins."""
    usable = {*varying(features), *categories_of(features)}
    scores = {c: alone_score(features[c], outcome)[1] for c in features if c in usable}
    best = max(scores, key=lambda column: scores[column])
    return logistic_regression(features[[best]], outcome)


def by_column(column: str, features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    """A rule that people work by: in the order of one number, missing last.

    The direction is the one that earlier rows support, such as further down the pipeline first.
    A column that is absent or does not vary there leaves the base rate.
    """
    if column not in varying(features):
        return base_rate(features, outcome)
    lowest = np.nan_to_num(features[column].min())  # nothing but missing: all rows are equal
    fill = SimpleImputer(strategy="constant", fill_value=lowest - 1, keep_empty_features=True)
    steps = Pipeline([("fill", fill), ("scale", StandardScaler())])
    return pipeline(features[[column]], [("numbers", steps)], LogisticRegression())


def naive_bayes(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    """One frequency table per column, multiplied as if columns were independent.

    With one indicator per column set in each row, the multinomial model is the per-column
    table up to a factor that all classes share.
    """
    return pipeline(features, [("bins", binned())], MultinomialNB(alpha=1.0))


def logistic_regression(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    """L2-penalised points per bin and category: a score card."""
    model = LogisticRegression(C=0.1, max_iter=500)
    return pipeline(features, [("bins", binned())], model)


def random_forest(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    model = RandomForestClassifier(
        n_estimators=100, min_samples_leaf=20, random_state=SEED, n_jobs=1
    )
    return pipeline(features, [("numbers", filled())], model)


def histogram_boosting(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    model = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=100,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=SEED,
    )
    return pipeline(features, [("numbers", "passthrough")], model)


def trees(features: pd.DataFrame, ranks: bool = False, **settings: Any) -> Pipeline:
    from xgboost import XGBClassifier

    fixed = {"max_bin": 64, "n_jobs": 1, "random_state": SEED, "min_child_weight": 5}
    model = XGBClassifier(**(fixed | settings))
    return pipeline(features, [("numbers", "passthrough")], model, ranks)


def xgboost(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    settings: Settings = {"n_estimators": 150, "max_depth": 4, "learning_rate": 0.07}
    return trees(features, **settings, subsample=0.8, colsample_bytree=0.8)


def recent_logistic(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    """Points per bin and category and a slope per number; late rows count more.

    The slopes carry on where values leave the range seen so far, as those of an economy do; bins
    stop there.
    """
    numbers = [("scaled", scaled()), ("bins", binned())]
    return pipeline(features, numbers, LogisticRegression(C=0.03, max_iter=500))


def recent_boosting(
    features: pd.DataFrame, outcome: np.ndarray, ranks: bool = False, **settings: Any
) -> Pipeline:
    """Small random forests, boosted; late rows count more.

    The trees of a round see other rows and columns each, so that their mean keeps what they
    agree on (boosting with subsamples: Friedman 2002). ranks: text values also by how frequent
    they are; with so many more columns a split sees fewer. settings: of `affordable`.
    """
    asked = affordable(outcome, **settings)
    used: Settings = {"n_estimators": asked["round_count"], "max_depth": asked["depth"]}
    used |= {"reg_lambda": asked["shrinkage"], "learning_rate": asked["rate"]}
    used |= {"min_child_weight": asked["least_weight"]}
    by_node = 0.25 if ranks else 0.4
    spread: Settings = {"num_parallel_tree": 4, "subsample": 0.7, "colsample_bynode": by_node}
    return trees(features, ranks, **used, **spread)


def affordable(
    outcome: np.ndarray,
    round_count: int = 60,
    depth: int = 3,
    shrinkage: float = 10.0,
    rate: float = 0.14,
    least_weight: float = 5.0,
) -> Settings:
    """Settings of `recent_boosting` as far as these outcomes bear them.

    shrinkage: the L2 penalty of a leaf; the larger, the less a few rows can say. least_weight:
    p (1 - p) summed over the rows of a leaf, at least; many leaves for rare values need a small
    one. rate: how far a round goes. Deep trees and leaves of few rows are for many outcomes of
    both kinds.
    """
    if np.minimum(outcome.sum(), len(outcome) - outcome.sum()) < DEEP_MIN_COUNT:
        round_count, depth = min(round_count, round(CAREFUL_STEPS / rate)), min(depth, 3)
        shrinkage, least_weight = max(shrinkage, 10.0), max(least_weight, 5.0)
    found = {"round_count": round_count, "depth": depth, "shrinkage": shrinkage}
    return found | {"rate": rate, "least_weight": least_weight}


Builder = Callable[..., Pipeline]
CANDIDATES: dict[str, Builder] = {
    "base_rate": base_rate,
    "recent_rate": recent_rate,
    "best_single_column": best_single_column,
    "naive_bayes": naive_bayes,
    "logistic_regression": logistic_regression,
    "random_forest": random_forest,
    "histogram_boosting": histogram_boosting,
    "xgboost": xgboost,
    "recent_logistic": recent_logistic,
    "recent_boosting": recent_boosting,
}
# All others would take the times for a property of the row. A rule may name any column.
SEE_CONTEXT = ("recent_rate", "recent_logistic", "recent_boosting")
BLEND = "blend"
BLENDED = ("recent_logistic", "recent_boosting")

Searched = dict[str, list[Settings]]


def stopped(round_counts: tuple[int, ...], **settings: Any) -> list[Settings]:
    """The same trees, stopped after each of these rounds: one fit is enough for all of them."""
    return [settings | {"round_count": count} for count in round_counts]


# Trees that see ranks find rare values with leaves of a few rows, in more and smaller steps.
FREE: Settings = {"shrinkage": 1.0, "rate": 0.1, "least_weight": 1.0}
# The whole search and so its budget: seven fits a period, three of them of trees, since trees that
# differ in nothing but the round they stop after share one (see rolling.py). The first of a list,
# for a world that changes, is the default until periods have judged; those without a half-life are
# for a world that stands still.
SEARCHED: Searched = {
    "recent_logistic": [
        {"half_life_count": 2000},
        {"half_life_count": None},
        {"half_life_count": 2000, "value_rates": True},
        {"half_life_count": None, "value_rates": True},
    ],
    "recent_boosting": [
        *stopped((60,), half_life_count=2000, depth=3, shrinkage=10.0),
        *stopped((80, 40), half_life_count=None, depth=5, shrinkage=5.0),
        *stopped((120, 60), half_life_count=None, depth=5, **FREE, ranks=True),
    ],
}


def steady() -> Searched:
    """The settings that are left where rows are in no order of time."""
    return {
        name: [settings for settings in tried if settings["half_life_count"] is None]
        for name, tried in SEARCHED.items()
    }


def possible(tried: list[Settings], features: pd.DataFrame) -> list[Settings]:
    """Without the settings that ask for rates of values where the table has none."""
    there = bool(value_rates.names(features))
    return [settings for settings in tried if there or not settings.get("value_rates")]


def names(rule_columns: list[str], features: pd.DataFrame) -> list[str]:
    """All candidates, simplest first; a rule is called by_ and its column. Raises InputError."""
    unknown = [column for column in rule_columns if column not in numbers_of(features)]
    if unknown:
        raise InputError(
            f"rule_columns in params.yaml names {unknown}, which are no number columns of this "
            f"application. It has: {', '.join(numbers_of(features)[:40])}."
        )
    first, second, *others = CANDIDATES
    return [first, second, *(f"by_{column}" for column in rule_columns), *others, BLEND]
