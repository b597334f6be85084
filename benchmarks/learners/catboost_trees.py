"""CatBoost with its defaults: 1,000 ordered trees, categories as they are."""

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier

from learners.interface import Chances
from learners.preparation import as_objects, categories_of


def fit(columns: pd.DataFrame, outcome: np.ndarray) -> Chances:
    model = CatBoostClassifier(
        cat_features=categories_of(columns),
        thread_count=1,
        random_seed=0,
        verbose=False,
        allow_writing_files=False,
    )
    model.fit(as_objects(columns), outcome)
    return lambda rows: model.predict_proba(as_objects(rows))[:, 1]
