"""Spend by boosted trees in two parts: the chance of any, and how much those who spend spend."""

from typing import Any

import numpy as np
import pandas as pd

from tierwise.files import InputError

SEEDS = (0, 1, 2, 3, 4)
TREES: dict[str, Any] = {
    "n_estimators": 150,
    "max_depth": 2,
    "learning_rate": 0.03,
    "min_child_weight": 20,
    "subsample": 0.5,
    "colsample_bytree": 0.5,
    "max_bin": 64,
    "tree_method": "hist",
    "nthread": 1,
}


def boosted(
    rows: pd.DataFrame, spend: np.ndarray, seen: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Chance of any spend and spend of those who spend, of each row of `seen`; means over SEEDS."""
    from xgboost import XGBClassifier, XGBRegressor

    learn, ask = as_numbers(rows, seen)
    positive = spend > 0
    chance, amount = np.zeros(len(ask)), np.zeros(len(ask))
    for seed in SEEDS:
        any_spend = XGBClassifier(**TREES, random_state=seed).fit(learn, positive)
        size = XGBRegressor(objective="reg:gamma", **TREES, random_state=seed)
        size.fit(learn[positive], spend[positive])
        chance += any_spend.predict_proba(ask)[:, 1] / len(SEEDS)
        amount += size.predict(ask).astype("float64") / len(SEEDS)
    return chance, amount


def as_numbers(learn: pd.DataFrame, ask: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """float32 columns; text becomes one column per value that was there to learn from."""
    if absent := sorted(set(learn) ^ set(ask)):
        raise InputError(
            f"Further columns differ between cuts: {', '.join(absent)}. Give the same at each."
        )
    texts = [name for name in learn if not pd.api.types.is_numeric_dtype(learn[name])]
    one, other = (pd.get_dummies(table, columns=texts) for table in (learn, ask[list(learn)]))
    other = other.reindex(columns=one.columns, fill_value=0)
    return one.to_numpy("float32"), other.to_numpy("float32")
