"""CatBoost, tuned: a random search with early stopping on a fifth of the known rows.

As in lightgbm_search, with fewer trials: each of them costs several times as much.
"""

from typing import Any

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier
from sklearn.model_selection import train_test_split

from learners.interface import Chances
from learners.preparation import HELD_OUT_SHARE, as_objects, categories_of

TREES_MAX_COUNT = 1000
PATIENCE_TREES = 50


def drawn(random: np.random.Generator) -> dict[str, Any]:
    return {
        "learning_rate": 10 ** random.uniform(-1.7, -0.8),
        "depth": int(random.integers(4, 9)),
        "l2_leaf_reg": 10 ** random.uniform(0, 1.5),
        "random_strength": 10 ** random.uniform(-1, 1),
        "bagging_temperature": random.uniform(0, 1),
    }


def model_of(trees_count: int, categories: list[str], settings: dict) -> CatBoostClassifier:
    return CatBoostClassifier(
        iterations=trees_count,
        cat_features=categories,
        thread_count=1,
        random_seed=0,
        verbose=False,
        allow_writing_files=False,
        **settings,
    )


def fit(columns: pd.DataFrame, outcome: np.ndarray, trials_count: int) -> Chances:
    categories, table = categories_of(columns), as_objects(columns)
    learn, judge = train_test_split(
        np.arange(len(outcome)), test_size=HELD_OUT_SHARE, random_state=0, stratify=outcome
    )
    random = np.random.default_rng(0)
    found: list[tuple] = []  # log loss, number of the trial, trees, settings
    for _ in range(trials_count):
        settings = drawn(random)
        trial = model_of(TREES_MAX_COUNT, categories, settings)
        held_out = (table.iloc[judge], outcome[judge])
        trial.fit(
            table.iloc[learn],
            outcome[learn],
            eval_set=held_out,
            early_stopping_rounds=PATIENCE_TREES,
        )
        loss = trial.get_best_score()["validation"]["Logloss"]
        found.append((loss, len(found), trial.get_best_iteration() + 1, settings))
    _, _, trees_count, settings = min(found)
    model = model_of(trees_count, categories, settings).fit(table, outcome)
    return lambda rows: model.predict_proba(as_objects(rows))[:, 1]
