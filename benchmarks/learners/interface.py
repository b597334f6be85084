"""What a learner is asked and what it answers.

cpu_s are seconds of all processors, user and system, of this process and of the processes that
it started and waited for; loading libraries is not counted.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from quality_protocols import Protocol

Chances = Callable[[pd.DataFrame], np.ndarray]


class Answer(NamedTuple):
    """chances: of a win, one per judged row; way: in words, where a learner chose among ways."""

    chances: np.ndarray
    fit_cpu_s: float
    predict_cpu_s: float
    way: str = ""


def cpu_s() -> float:
    return sum(os.times()[:4])


def fit_predict(
    fit: Callable[..., Chances],
    protocol: Protocol,
    known: np.ndarray,
    rows: np.ndarray,
    **options: Any,
) -> Answer:
    """Ask a peer: it gets columns and outcomes, and no times."""
    started = cpu_s()
    chances_of = fit(
        protocol.columns.iloc[known].reset_index(drop=True), protocol.outcome[known], **options
    )
    fitted = cpu_s()
    chances = chances_of(protocol.columns.iloc[rows].reset_index(drop=True))
    return Answer(np.asarray(chances, dtype=float), fitted - started, cpu_s() - fitted)
