"""LightGBM, tuned: a random search with early stopping on a fifth of the known rows.

The fifth is drawn at random and stratified, as tutorials do. The best by log loss is fitted once
more on all known rows.
"""

from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, early_stopping
from sklearn.model_selection import train_test_split

from learners.interface import Chances
from learners.preparation import HELD_OUT_SHARE, Levels

TREES_MAX_COUNT = 1000
PATIENCE_TREES = 50


def drawn(random: np.random.Generator) -> dict[str, Any]:
    return {
        "learning_rate": 10 ** random.uniform(-2, -0.7),
        "num_leaves": int(2 ** random.uniform(2, 7)),
        "min_child_samples": int(10 ** random.uniform(0.7, 2.3)),
        "colsample_bytree": random.uniform(0.4, 1.0),
        "subsample": random.uniform(0.5, 1.0),
        "subsample_freq": 1,
        "reg_lambda": 10 ** random.uniform(-3, 1.5),
        "cat_smooth": 10 ** random.uniform(0, 2),
    }


def model_of(trees_count: int, settings: dict[str, Any]) -> LGBMClassifier:
    fixed: dict[str, Any] = {"n_jobs": 1, "random_state": 0, "verbosity": -1}
    return LGBMClassifier(n_estimators=trees_count, **fixed, **settings)


def fit(columns: pd.DataFrame, outcome: np.ndarray, trials_count: int) -> Chances:
    levels = Levels(columns)
    typed = levels.typed(columns)
    learn, judge = train_test_split(
        np.arange(len(outcome)), test_size=HELD_OUT_SHARE, random_state=0, stratify=outcome
    )
    random = np.random.default_rng(0)
    found: list[tuple] = []  # log loss, number of the trial, trees, settings
    for _ in range(trials_count):
        settings = drawn(random)
        trial = model_of(TREES_MAX_COUNT, settings)
        trial.fit(
            typed.iloc[learn],
            outcome[learn],
            eval_set=[(typed.iloc[judge], outcome[judge])],
            callbacks=[early_stopping(PATIENCE_TREES, verbose=False)],
        )
        loss = trial.best_score_["valid_0"]["binary_logloss"]
        found.append((loss, len(found), trial.best_iteration_, settings))
    _, _, trees_count, settings = min(found)
    model = model_of(trees_count, settings).fit(typed, outcome)
    return lambda rows: model.predict_proba(levels.typed(rows))[:, 1]
