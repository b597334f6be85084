"""Columns of features.parquet made ready for a model, by scikit-learn's own transformers.

Numbers arrive as float32 with NaN, categories as text. What is fitted here (bin edges, the list of
frequent values) depends on the rows a model learns from and on nothing else, loads without
tierwise and converts to ONNX.
"""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

CATEGORY_MIN_COUNT = 20
CATEGORIES_MAX_COUNT = 30
RARE = "(rare)"  # never a value worth a coefficient: a caller has no such value
BIN_COUNT = 10
# Nine between ten bins, up to ten frequent values and missing with two each, both ends.
EDGES_MAX_COUNT = 33
LEAST_RANGE = 1e-7  # scikit-learn takes edges that lie closer than 1e-8 for one
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


def ranked(categories: dict[str, list[str]]) -> OrdinalEncoder:
    """How frequent a value is, as its rank from the rarest up, -1 for those not listed.

    Trees can then part frequent values from rare ones in one split, which takes many of one
    indicator each.
    """
    return OrdinalEncoder(
        categories=[np.array(values[::-1], dtype=object) for values in categories.values()],
        handle_unknown="use_encoded_value",
        unknown_value=-1,
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

    Each is a float32, the upper of two values that have none between them: in double precision a
    model would find a value below an edge, and in ONNX above it.

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
    inner = ((values[starts - 1] + values[starts]) / 2).astype("float32").astype("float64")
    inner = np.where(inner > values[starts - 1], inner, values[starts])
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
    """Number columns with two values or more that bins can part (missing counts as one)."""
    return [c for c in numbers_of(features) if is_varying(features[c])]


def is_varying(column: pd.Series) -> bool:
    gaps = column.isna()
    if gaps.any():
        return not gaps.all()
    return len(column) > 0 and float(column.max()) - float(column.min()) > LEAST_RANGE


def scaled() -> Pipeline:
    """Numbers as standard deviations from their mean, missing as the median."""
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return Pipeline([("fill", fill), ("scale", StandardScaler())])


def pipeline(
    features: pd.DataFrame,
    numbers: list[tuple[str, Any]],
    model: ClassifierMixin,
    ranks: bool = False,
) -> Pipeline:
    """Numbers through each of `numbers` (names and steps), categories one-hot; then the model.

    ranks: categories also as one number each, see `ranked`. All columns are fitted, the model is
    not. A step called "bins" gets the edges of `bin_rows`.
    """
    categories, varied = categories_of(features), varying(features)
    parts = [(name, step, varied) for name, step in numbers if varied]
    if categories:
        parts.append(("categories", one_hot(categories), list(categories)))
    if categories and ranks:
        parts.append(("ranks", ranked(categories), list(categories)))
    columns = ColumnTransformer(parts)
    in_bins = any(name == "bins" for name, _ in numbers)
    with warnings.catch_warnings():
        # Edges that repeat are merged: that is how columns with fewer bins are told.
        warnings.filterwarnings("ignore", "Bins whose width are too small", UserWarning)
        columns.fit(bin_rows(features) if in_bins else features)
    columns.transformers_ = [
        (name, step.fit(features[names]) if name == "scaled" else step, names)
        for name, step, names in columns.transformers_
    ]
    return Pipeline([("columns", columns), ("model", model)])
