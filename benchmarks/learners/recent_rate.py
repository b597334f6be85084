"""No columns at all: the share of wins among the latest 500 known outcomes, for everybody."""

import numpy as np
import pandas as pd

from learners.interface import Chances

LATEST_ROWS = 500


def fit(columns: pd.DataFrame, outcome: np.ndarray) -> Chances:
    rate = float(np.mean(outcome[-LATEST_ROWS:]))
    return lambda rows: np.full(len(rows), rate)
