"""LightGBM with its defaults and its native categories."""

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier

from learners.interface import Chances
from learners.preparation import Levels


def fit(columns: pd.DataFrame, outcome: np.ndarray) -> Chances:
    levels = Levels(columns)
    model = LGBMClassifier(n_jobs=1, random_state=0, verbosity=-1)
    model.fit(levels.typed(columns), outcome)
    return lambda rows: model.predict_proba(levels.typed(rows))[:, 1]
