"""How often each value of a text column was won lately.

    wins_share_of_{column}    of the value that the row has, among the outcomes known strictly
                              before the row's own as-of time, the latest counting most: one that
                              lies 100 outcomes of this value back counts half as much

A value with few outcomes is drawn towards the recent rate of all rows, as if PRIOR_COUNT more
outcomes of that rate had been seen (a pseudo-count: Micci-Barreca 2001, SIGKDD Explorations 3).
Target encoding, then, but of the past alone: no row sees its own outcome or a later one.

They rank some tables better and others worse, so that only settings which ask for them see them,
and past periods choose (see candidates.py).
"""

import numpy as np
import pandas as pd

from tierwise import examples as ex

HALF_LIFE_COUNT = 100
PRIOR_COUNT = 20.0
VALUES_COUNTS = (2, 30)
PREFIX = "wins_share_of_"


def columns(
    features: pd.DataFrame, as_of: pd.Series, known_at: pd.Series, outcome: np.ndarray
) -> pd.DataFrame:
    """A column per text column with 2 to 30 values, shape (n_rows, n_of_them), as float32.

    as_of: ascending; known_at and outcome: when and how each row ended (missing: still open). All
    have the index 0, 1, ... of the rows. NaN where no outcome at all was known yet.
    """
    ended = pd.DataFrame({"known_at": known_at, "outcome": outcome}, index=features.index).dropna()
    ended = ended.sort_values("known_at", kind="stable")
    everyone = recent_counts(as_of, ended)
    overall = everyone["wins"] / everyone["rows"].where(everyone["rows"] > 0)
    texts = few(features)
    rates = {PREFIX + name: rates_of(features[name], as_of, ended, overall) for name in texts}
    return pd.DataFrame(rates, index=features.index, dtype="float32")


def names(features: pd.DataFrame) -> list[str]:
    """Those of the columns that are rates of values."""
    return [name for name in features if name.startswith(PREFIX)]


def few(features: pd.DataFrame) -> list[str]:
    """Text columns with 2 to 30 different values."""
    least, most = VALUES_COUNTS
    texts = [name for name in features if not pd.api.types.is_numeric_dtype(features[name])]
    return [name for name in texts if least <= features[name].nunique() <= most]


def rates_of(
    values: pd.Series, as_of: pd.Series, ended: pd.DataFrame, overall: pd.Series
) -> pd.Series:
    """Per row, the recent rate of its value, drawn towards `overall`, the rate of its moment."""
    found = pd.Series(np.nan, index=values.index)
    for value in values.unique():
        own = values == value
        counts = recent_counts(as_of[own], ended[own[ended.index]])
        drawn = counts["wins"] + PRIOR_COUNT * overall[own]
        found[own] = drawn / (counts["rows"] + PRIOR_COUNT)
    return found


def recent_counts(as_of: pd.Series, ended: pd.DataFrame) -> pd.DataFrame:
    """Weighted counts of wins and rows among `ended` before each as-of time, 0 where none was.

    ended: known_at (ascending) and outcome. Columns: wins, rows.
    """
    step = 0.5 ** (1 / HALF_LIFE_COUNT)
    rows = (1 - step ** np.arange(1, len(ended) + 1)) / (1 - step)
    wins = rows * ended["outcome"].ewm(halflife=HALF_LIFE_COUNT).mean().to_numpy()
    counts = pd.DataFrame({"wins": wins, "rows": rows})
    return ex.latest_before(as_of, ended["known_at"], counts).fillna(0.0)
