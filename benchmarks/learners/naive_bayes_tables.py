"""Per-field frequency tables, multiplied: how open-source CRM systems score leads.

Odoo's predictive lead scoring counts wins and losses for every value of every field, begins each
count with 0.1, multiplies the shares as if fields were independent, and passes over values that
it never saw or that are missing. It takes categories only; with_numbers puts numbers into ten
bins of equal count first.
"""

import numpy as np
import pandas as pd

from learners.interface import Chances
from learners.preparation import numbers_of

FIRST_COUNT = 0.1
BIN_COUNT = 10
CHANCE_FLOOR = 0.0001  # Odoo shows 0.01 % to 99.99 %
MISSING = "(missing)"


def fit(columns: pd.DataFrame, outcome: np.ndarray, with_numbers: bool = True) -> Chances:
    won = outcome == 1
    numbers = numbers_of(columns)
    edges = {
        name: np.unique(np.nanquantile(columns[name], np.arange(1, BIN_COUNT) / BIN_COUNT))
        for name in numbers
        if with_numbers and columns[name].notna().any()
    }
    fields = [name for name in columns if name in edges or name not in numbers]
    tables = {name: points(values_of(columns, name, edges), won) for name in fields}
    start = np.log((won.sum() + FIRST_COUNT) / ((~won).sum() + FIRST_COUNT))

    def chances_of(rows: pd.DataFrame) -> np.ndarray:
        total = np.full(len(rows), start)
        for name, table in tables.items():
            total += values_of(rows, name, edges).map(table).fillna(0.0).to_numpy()
        chance = 1 / (1 + np.exp(-np.clip(total, -500, 500)))
        return np.clip(chance, CHANCE_FLOOR, 1 - CHANCE_FLOOR)

    return chances_of


def values_of(columns: pd.DataFrame, name: str, edges: dict[str, np.ndarray]) -> pd.Series:
    """The values of a field: its texts, or the bins of its numbers; NaN where missing."""
    column = columns[name]
    if name not in edges:
        return column.where(column != MISSING)
    bins = np.searchsorted(edges[name], column, side="right").astype(float)
    return pd.Series(bins).where(column.notna())


def points(values: pd.Series, won: np.ndarray) -> pd.Series:
    """Per value: log of its share among wins over its share among losses."""
    wins = values[won].value_counts()
    losses = values[~won].value_counts()
    both = wins.index.union(losses.index)
    wins = wins.reindex(both, fill_value=0) + FIRST_COUNT
    losses = losses.reindex(both, fill_value=0) + FIRST_COUNT
    return np.log(wins / max(won.sum(), 1)) - np.log(losses / max((~won).sum(), 1))
