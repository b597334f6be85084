"""scikit-learn's histogram gradient boosting with its defaults and its native categories."""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from learners.interface import Chances
from learners.preparation import categories_of, numbers_of

CATEGORIES_MAX_COUNT = 254  # the model takes 255 values, one of them for missing


def fit(columns: pd.DataFrame, outcome: np.ndarray) -> Chances:
    categories = categories_of(columns)
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        max_categories=CATEGORIES_MAX_COUNT,
    )
    prepared = ColumnTransformer(
        [("categories", codes, categories), ("numbers", "passthrough", numbers_of(columns))]
    )
    boosting = HistGradientBoostingClassifier(
        categorical_features=list(range(len(categories))), random_state=0
    )
    model = make_pipeline(prepared, boosting)
    model.fit(columns, outcome)
    return lambda rows: model.predict_proba(rows)[:, 1]
