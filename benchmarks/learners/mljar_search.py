"""mljar-supervised, mode Perform: whatever it finds in so many seconds of wall clock."""

import tempfile

import numpy as np
import pandas as pd
from supervised.automl import AutoML

from learners.interface import Chances
from learners.preparation import as_objects


def fit(columns: pd.DataFrame, outcome: np.ndarray, limit_s: int) -> Chances:
    model = AutoML(
        mode="Perform",
        total_time_limit=limit_s,
        eval_metric="logloss",
        results_path=tempfile.mkdtemp(prefix="mljar."),
        random_state=0,
        n_jobs=1,
        verbose=0,
    )
    model.fit(as_objects(columns), outcome)
    return lambda rows: model.predict_proba(as_objects(rows))[:, 1]
