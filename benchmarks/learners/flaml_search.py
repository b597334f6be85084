"""FLAML: whatever it finds in so many seconds of wall clock, by log loss."""

import numpy as np
import pandas as pd
from flaml import AutoML

from learners.interface import Chances
from learners.preparation import as_objects


def fit(columns: pd.DataFrame, outcome: np.ndarray, limit_s: int) -> Chances:
    model = AutoML()
    model.fit(
        as_objects(columns),
        outcome,
        task="classification",
        metric="log_loss",
        time_budget=limit_s,
        n_jobs=1,
        seed=0,
        verbose=0,
    )
    return lambda rows: model.predict_proba(as_objects(rows))[:, 1]
