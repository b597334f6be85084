"""What the times are like: how often cases were won lately, and how many arrive.

Columns that say nothing about the row itself and everything about the moment it is scored at.
Each uses only outcomes that were known, and rows that had arrived, strictly before its own as-of
time, so a model that has them follows the level without being fitted again.

    wins_share_last_{n}     share of wins among the outcomes known, the latest counting most: one
                            that lies n outcomes back counts half as much
    arrivals_per_day_{n}    how fast the last n rows came in; needs dates
"""

import numpy as np
import pandas as pd

from tierwise import examples as ex

OUTCOME_COUNTS = (25, 100, 400)
ARRIVAL_COUNTS = (50, 200, 1000)
LEVELS = tuple(f"wins_share_last_{count}" for count in OUTCOME_COUNTS)
ARRIVALS = tuple(f"arrivals_per_day_{count}" for count in ARRIVAL_COUNTS)
NAMES = LEVELS + ARRIVALS
RATE = "wins_share_last_100"


def columns(
    as_of: pd.Series, known_at: pd.Series, outcome: np.ndarray, days: pd.Series | None = None
) -> pd.DataFrame:
    """The context of each row as float32, NaN where nothing was known yet.

    as_of: ascending; known_at and outcome: when and how each row ended (missing: still open).
    days: dates of arrival where as_of are running numbers; without dates there are no arrivals.
    """
    days = as_of if days is None and ex.is_dated(as_of) else days
    found = levels(as_of, known_at, outcome)
    if days is not None:
        found = found.join(arrivals(as_of, days))
    return found.astype("float32")


def around(features: pd.DataFrame, examples: pd.DataFrame) -> pd.DataFrame:
    """`columns` of examples; what their features say of them plays no part."""
    return columns(examples["as_of"], examples["outcome_known_at"], examples["outcome"])


def levels(as_of: pd.Series, known_at: pd.Series, outcome: np.ndarray) -> pd.DataFrame:
    """Exponentially weighted shares of wins among what was known, shape (n_rows, 3)."""
    ended = pd.DataFrame({"known_at": known_at, "outcome": outcome}).dropna()
    ended = ended.sort_values("known_at", kind="stable")
    shares = {
        name: ended["outcome"].ewm(halflife=count).mean()
        for name, count in zip(LEVELS, OUTCOME_COUNTS, strict=True)
    }
    return ex.latest_before(as_of, ended["known_at"], pd.DataFrame(shares))


def arrivals(as_of: pd.Series, days: pd.Series) -> pd.DataFrame:
    """Rows per day among the last n before the row, and the row itself, shape (n_rows, 3).

    Within the first n rows, those that there are. Other rows of its instant do not count: in which
    order a file lists them could tell how they ended. A day is added to the time passed, so that
    rows of one instant have a finite rate.
    """
    number = ex.arrived_before(as_of)
    found = {}
    for name, count in zip(ARRIVALS, ARRIVAL_COUNTS, strict=True):
        first = np.maximum(number - count, 0)
        passed = ex.days_passed(days.iloc[first], days)
        found[name] = (number - first + 1) / (passed + 1.0)
    return pd.DataFrame(found, index=days.index)
