"""How peers are given the columns: what their documentation recommends, and no more."""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HELD_OUT_SHARE = 0.2


def numbers_of(columns: pd.DataFrame) -> list[str]:
    return [name for name in columns if pd.api.types.is_numeric_dtype(columns[name])]


def categories_of(columns: pd.DataFrame) -> list[str]:
    return [name for name in columns if not pd.api.types.is_numeric_dtype(columns[name])]


def one_hot(columns: pd.DataFrame, scaled: bool) -> ColumnTransformer:
    """Numbers with their median for missing, categories one-hot."""
    median = SimpleImputer(strategy="median", keep_empty_features=True)
    numbers: Pipeline = make_pipeline(median, StandardScaler()) if scaled else make_pipeline(median)
    known = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    return ColumnTransformer(
        [("numbers", numbers, numbers_of(columns)), ("categories", known, categories_of(columns))]
    )


class Levels:
    """Text as pandas categories with the values of the rows it was made from; others are missing.

    Columns are renamed c0, c1 …: LightGBM refuses some characters in names.
    """

    def __init__(self, columns: pd.DataFrame) -> None:
        self.values = {
            name: np.array(sorted(set(columns[name])), dtype=object)
            for name in categories_of(columns)
        }

    def typed(self, columns: pd.DataFrame) -> pd.DataFrame:
        found = {
            f"c{number}": pd.Categorical(columns[name].astype(object), self.values[name])
            if name in self.values
            else columns[name].to_numpy()
            for number, name in enumerate(columns)
        }
        return pd.DataFrame(found)


def as_objects(columns: pd.DataFrame) -> pd.DataFrame:
    """Text as Python objects, for libraries that don't know the text type of pandas 3."""
    return columns.astype(dict.fromkeys(categories_of(columns), object))
