"""AutoGluon, presets medium and best: stacks of trees of all kinds, in so many seconds.

Its neural networks need torch, which is several gigabytes; they are not part of this.
"""

import tempfile

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor

from learners.interface import Chances
from learners.preparation import as_objects

OUTCOME = "outcome of the row"


def fit(columns: pd.DataFrame, outcome: np.ndarray, preset: str, limit_s: int) -> Chances:
    folder = tempfile.mkdtemp(prefix="autogluon.")
    model = TabularPredictor(OUTCOME, eval_metric="log_loss", path=folder, verbosity=0)
    model.fit(
        as_objects(columns).assign(**{OUTCOME: outcome}),
        presets=f"{preset}_quality",
        time_limit=limit_s,
        num_cpus=2,
        num_gpus=0,
    )
    return lambda rows: model.predict_proba(as_objects(rows))[1].to_numpy()
