"""XGBoost with its defaults and its native categories."""

import numpy as np
import pandas as pd
from xgboost import XGBClassifier

from learners.interface import Chances
from learners.preparation import Levels


def fit(columns: pd.DataFrame, outcome: np.ndarray) -> Chances:
    levels = Levels(columns)
    model = XGBClassifier(enable_categorical=True, n_jobs=1, random_state=0)
    model.fit(levels.typed(columns), outcome)
    return lambda rows: model.predict_proba(levels.typed(rows))[:, 1]
