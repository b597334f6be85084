"""The candidates, from the simplest up, all with the same face.

Each is a function of the rows it will be fitted on that returns a scikit-learn pipeline whose
columns are prepared and whose model is still to be fitted. The pipeline takes the columns of
features.parquet as they are (numbers as float32 with NaN, categories as text) and gives
`predict_proba`. Only scikit-learn and XGBoost objects are used, so that a fitted model loads
without tierwise and converts to ONNX.

The order of CANDIDATES is the order of preference: among candidates whose ranking can't be
told apart, the first one wins.
"""

import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler

from tierwise.files import InputError
from tierwise.leakage import alone_score

SEED = 0
CATEGORY_MIN_COUNT = 20
CATEGORIES_MAX_COUNT = 30
RARE = "(rare)"  # never a value worth a coefficient: a caller has no such value
BIN_COUNT = 10
# Nine between ten bins, up to ten frequent values and missing with two each, both ends.
EDGES_MAX_COUNT = 33
# Below every float32 a table will hold and still exact in float32: missing becomes the lowest bin.
MISSING_NUMBER = np.float32(-(2.0**100))


def numbers_of(features: pd.DataFrame) -> list[str]:
    """Columns with numbers, in the table's order."""
    return [c for c in features if pd.api.types.is_numeric_dtype(features[c])]


def categories_of(features: pd.DataFrame) -> dict[str, list[str]]:
    """Text columns with the values worth a coefficient, the most frequent first.

    A value needs 20 rows; at most 30 a column. All others share the fate of unseen ones:
    they count as none of the listed.
    """
    found = {}
    for column in features:
        if not pd.api.types.is_numeric_dtype(features[column]):
            counts = features[column].value_counts().drop(RARE, errors="ignore")
            counts = (
                counts[counts >= CATEGORY_MIN_COUNT]
                .sort_index()
                .sort_values(ascending=False, kind="stable")
            )
            if len(counts):
                found[column] = counts.index[:CATEGORIES_MAX_COUNT].tolist()
    return found


def one_hot(categories: dict[str, list[str]]) -> OneHotEncoder:
    return OneHotEncoder(
        categories=[np.array(values, dtype=object) for values in categories.values()],
        handle_unknown="ignore",
        sparse_output=False,
        dtype=np.float32,
    )


def filled() -> SimpleImputer:
    return SimpleImputer(strategy="constant", fill_value=MISSING_NUMBER, keep_empty_features=True)


def binned() -> Pipeline:
    """One indicator per bin. Where the bins lie is told by the rows it is fitted on: `bin_rows`."""
    bins = KBinsDiscretizer(
        EDGES_MAX_COUNT - 1,
        encode="onehot-dense",
        strategy="quantile",
        quantile_method="linear",
        subsample=None,
        dtype=np.float32,
    )
    return Pipeline([("fill", filled()), ("bins", bins)])


def bin_edges(column: pd.Series) -> np.ndarray:
    """Edges of about ten bins of equal count, ascending, always midway between two values seen.

    A value that a tenth of the rows have gets a bin of its own, and so do missing and each of at
    most ten values. Without that, the 0 and the 1 of a flag would share their only bin.
    """
    filled_in = column.fillna(MISSING_NUMBER).to_numpy(dtype="float64")
    values, counts = np.unique(filled_in, return_counts=True)
    upto = np.cumsum(counts) / counts.sum()
    first = np.searchsorted(upto, np.arange(1, BIN_COUNT) / BIN_COUNT, side="right")
    if len(values) <= BIN_COUNT:
        first = np.arange(len(values))
    frequent = np.flatnonzero((counts >= counts.sum() / BIN_COUNT) | (values == MISSING_NUMBER))
    starts = np.unique(np.r_[first, frequent, frequent + 1])
    starts = starts[(starts > 0) & (starts < len(values))]
    inner = (values[starts - 1] + values[starts]) / 2
    return np.r_[values[0], inner, values[-1]]


def bin_rows(features: pd.DataFrame) -> pd.DataFrame:
    """Rows that hold the edges of every number column, filled up with the last one.

    Evenly spaced quantiles of these rows are the rows themselves, so a KBinsDiscretizer fitted on
    them takes exactly these edges; it merges those that repeat.
    """
    rows = {}
    for name in features:
        if pd.api.types.is_numeric_dtype(features[name]):
            edges = bin_edges(features[name])
            rows[name] = np.r_[edges, np.full(EDGES_MAX_COUNT - len(edges), edges[-1])]
        else:
            rows[name] = np.full(EDGES_MAX_COUNT, "", dtype=object)
    return pd.DataFrame(rows)


def varying(features: pd.DataFrame) -> list[str]:
    """Number columns with at least two different values (missing counts as one)."""
    return [c for c in numbers_of(features) if features[c].nunique(dropna=False) > 1]


def pipeline(
    features: pd.DataFrame, numbers: Pipeline | SimpleImputer | str, model: ClassifierMixin
) -> Pipeline:
    """Numbers through `numbers`, categories one-hot, both fitted; then the model, unfitted."""
    categories = categories_of(features)
    parts: list[tuple] = []
    if varying(features):
        parts.append(("numbers", numbers, varying(features)))
    if categories:
        parts.append(("categories", one_hot(categories), list(categories)))
    columns = ColumnTransformer(parts)
    with warnings.catch_warnings():
        # Edges that repeat are merged: that is how columns with fewer bins are told.
        warnings.filterwarnings("ignore", "Bins whose width are too small", UserWarning)
        columns.fit(bin_rows(features) if isinstance(numbers, Pipeline) else features)
    return Pipeline([("columns", columns), ("model", model)])


def base_rate(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    """The same chance for everybody: the share of wins so far. It can't rank."""
    return Pipeline([("columns", "passthrough"), ("model", DummyClassifier(strategy="prior"))])


def best_single_column(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    """The one column that ranks best alone inside stretches of time (cross-fitted), in bins."""
    usable = {*varying(features), *categories_of(features)}
    scores = {c: alone_score(features[c], outcome)[1] for c in features if c in usable}
    best = max(scores, key=lambda column: scores[column])
    return logistic_regression(features[[best]], outcome)


def by_column(column: str, features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    """A rule that people work by: in the order of one number, missing last.

    The direction is the one that earlier rows support, such as further down the pipeline first.
    """
    lowest = np.nan_to_num(features[column].min())  # nothing but missing: all rows are equal
    steps = [("fill", SimpleImputer(strategy="constant", fill_value=lowest - 1))]
    numbers = Pipeline([*steps, ("scale", StandardScaler())])
    columns = ColumnTransformer([("numbers", numbers, [column])]).fit(features)
    return Pipeline([("columns", columns), ("model", LogisticRegression())])


def naive_bayes(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    """One frequency table per column, multiplied as if columns were independent.

    With one indicator per column set in each row, the multinomial model is the per-column
    table up to a factor that all classes share.
    """
    return pipeline(features, binned(), MultinomialNB(alpha=1.0))


def logistic_regression(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    """L2-penalised points per bin and category: a score card."""
    return pipeline(features, binned(), LogisticRegression(C=0.1, max_iter=500))


def random_forest(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    model = RandomForestClassifier(
        n_estimators=100, min_samples_leaf=20, random_state=SEED, n_jobs=1
    )
    return pipeline(features, filled(), model)


def histogram_boosting(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    model = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=100,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=SEED,
    )
    return pipeline(features, "passthrough", model)


def xgboost(features: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    from xgboost import XGBClassifier

    model = XGBClassifier(
        n_estimators=150,
        max_depth=4,
        learning_rate=0.07,
        subsample=0.8,
        colsample_bytree=0.8,
        min_child_weight=5,
        max_bin=64,
        n_jobs=1,
        random_state=SEED,
    )
    return pipeline(features, "passthrough", model)


CANDIDATES: dict[str, Callable[[pd.DataFrame, np.ndarray], Pipeline]] = {
    "base_rate": base_rate,
    "best_single_column": best_single_column,
    "naive_bayes": naive_bayes,
    "logistic_regression": logistic_regression,
    "random_forest": random_forest,
    "histogram_boosting": histogram_boosting,
    "xgboost": xgboost,
}


def names(rule_columns: list[str], features: pd.DataFrame) -> list[str]:
    """All candidates, simplest first; a rule is called by_ and its column. Raises InputError."""
    unknown = [column for column in rule_columns if column not in numbers_of(features)]
    if unknown:
        raise InputError(
            f"rule_columns in params.yaml names {unknown}, which are no number columns of this "
            f"application. It has: {', '.join(numbers_of(features)[:40])}."
        )
    first, *others = CANDIDATES
    return [first, *(f"by_{column}" for column in rule_columns), *others]


def fit(name: str, features: pd.DataFrame, outcome: np.ndarray) -> tuple[Pipeline, float]:
    """A fitted candidate and the processor seconds its fit took.

    With one class only, or columns that never vary, there is nothing to rank by: every
    candidate falls back to the base rate.
    """
    rankable = len(np.unique(outcome)) == 2 and (varying(features) or categories_of(features))
    rule = partial(by_column, name.removeprefix("by_"))
    build = CANDIDATES.get(name, rule) if rankable else base_rate
    started = time.process_time()
    model = build(features, outcome)
    model.named_steps["model"].fit(model[:-1].transform(features), outcome)
    return model, time.process_time() - started


def chance(model: Pipeline, features: pd.DataFrame) -> np.ndarray:
    """Chance of a win per row, shape (n_rows,), as the fitted model believes it."""
    probabilities = model.predict_proba(features)
    classes = list(model.classes_)
    return probabilities[:, classes.index(1)] if 1 in classes else np.zeros(len(features))
