"""scikit-learn's random forest of 300 trees with its defaults, as most case studies have it."""

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline

from learners.interface import Chances
from learners.preparation import one_hot


def fit(columns: pd.DataFrame, outcome: np.ndarray) -> Chances:
    forest = RandomForestClassifier(n_estimators=300, random_state=0, n_jobs=1)
    model = make_pipeline(one_hot(columns, scaled=False), forest)
    model.fit(columns, outcome)
    return lambda rows: model.predict_proba(rows)[:, 1]
