"""scikit-learn: one-hot categories, standardised numbers, default penalty."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from learners.interface import Chances
from learners.preparation import one_hot


def fit(columns: pd.DataFrame, outcome: np.ndarray) -> Chances:
    model = make_pipeline(one_hot(columns, scaled=True), LogisticRegression(max_iter=2000))
    model.fit(columns, outcome)
    return lambda rows: model.predict_proba(rows)[:, 1]
