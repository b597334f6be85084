"""Does what was known of a provider before a quarter tell how many customers it then kept?

    kept           of a quarter's visits, the share after which the customer returned within its own
                   gap (rhythm.py), among those whose time is over
    kept_beyond    kept, less what the visits' numbers and segments let expect of anybody: who gets
                   more first-timers loses more

A quarter is judged once, some months after it ended, by visits that no measure had seen.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import expit

from tierwise import examples as ex
from tierwise.files import InputError
from tierwise.providers import visit_scores, visits
from tierwise.providers.satisfaction_measured import controls

WAIT_DAYS = 91.0  # after a quarter's end, so that most of its customers had time to return
LEAST_VISITS = 10  # of a provider in a quarter
HISTORY_DAYS = 180.0  # before the first quarter


def quarters(jobs: pd.DataFrame, until: pd.Timestamp, count: int) -> list[pd.Timestamp]:
    """First days of the latest `count` quarters that can be judged, ascending.

    Raises InputError where there is none after half a year of history.
    """
    open_quarter = (until - pd.Timedelta(days=WAIT_DAYS)).to_period("Q")
    starts = [(open_quarter - back).start_time.as_unit("us") for back in range(count, 0, -1)]
    first = jobs["at_days"].min() + HISTORY_DAYS
    found = [start for start in starts if visits.day_number(start) >= first]
    if not found:
        raise InputError(
            f"No quarter can be judged: jobs are known from {jobs['occurred_at'].min():%Y-%m-%d} to"
            f" {ex.label(until)}; it takes half a year, a quarter, and three months to wait."
        )
    return found


def after(start: pd.Timestamp) -> pd.Timestamp:
    """The first day of the next quarter."""
    return (start.to_period("Q") + 1).start_time.as_unit("us")


def kept(jobs: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """By provider: visits_count, kept, kept_beyond in the quarter from start. jobs: with returned.

    Providers with fewer than LEAST_VISITS visits whose end is known are left out.
    """
    at = jobs["at_days"]
    inside = (at >= visits.day_number(start)) & (at < visits.day_number(after(start)))
    rows = jobs[inside & jobs["returned"].notna()]
    beyond = rows["returned"] - expected(rows)
    table = (
        rows.assign(beyond=beyond)
        .groupby("provider")
        .agg(
            visits_count=("returned", "size"),
            kept=("returned", "mean"),
            kept_beyond=("beyond", "mean"),
        )
    )
    return table[table["visits_count"] >= LEAST_VISITS]


def expected(rows: pd.DataFrame) -> np.ndarray:
    """Chance of a return by visit number and segment alone, shape (n_visits,)."""
    design = np.column_stack([np.ones(len(rows)), visit_scores.centred(controls(rows))])
    log_odds, _ = visit_scores.fitted(design, rows["returned"].to_numpy("float64"))
    return expit(design @ log_odds)


def followed(
    jobs: pd.DataFrame,
    starts: list[pd.Timestamp],
    known: Callable[[pd.Timestamp], pd.DataFrame],
) -> pd.DataFrame:
    """All judged quarters: index provider; quarter, visits_count, kept, kept_beyond, and the
    columns of known(start), by provider, which must look at nothing later than `start`."""
    parts = [kept(jobs, start).assign(quarter=start).join(known(start)) for start in starts]
    return pd.concat(parts).rename_axis("provider")
