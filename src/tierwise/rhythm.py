"""How often a customer comes by its own habit, and how much a silence of so long says.

While a customer stays, it visits at a rate of its own; rates differ as gamma(r, alpha). After x
visits more than the first within t_x days, the rate is gamma(r + x, alpha + t_x). So a silence
from t_x to T has, of somebody who stays, the chance ((alpha + t_x) / (alpha + T))^(r + x): Fader,
Hardie, Lee, Marketing Science 24(2), 2005.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.files import InputError

COLUMNS = ("customer", "provider", "at_days")
# Bookings of one customer with one provider within so many days of each other are one job.
MERGE_DAYS = 2.0


@dataclass(frozen=True)
class Rhythm:
    """How rates per day differ between customers: gamma of shape r and rate alpha_days."""

    r: float
    alpha_days: float


def jobs(visits: pd.DataFrame, merge_days: float = MERGE_DAYS) -> pd.DataFrame:
    """Visits in order of customer and time, those of one job as one, at its first.

    customer, provider, at_days (any origin), and other columns, of which the first value is kept. A
    job split into several bookings would else count as a customer who came back. A chain of
    bookings of one customer with one provider, each within merge_days of the one before, is one
    job, whatever came in between. Raises InputError where a column is missing or empty somewhere.
    """
    ordered = checked(visits).sort_values(["customer", "at_days"], kind="stable")
    before = ordered.groupby(["customer", "provider"], sort=False)["at_days"].shift()
    same_job = ordered["at_days"] - before <= merge_days
    return ordered[~same_job].reset_index(drop=True)


def checked(visits: pd.DataFrame) -> pd.DataFrame:
    """The visits. Raises InputError where a column is missing or empty somewhere."""
    missing = [name for name in COLUMNS if name not in visits]
    if missing:
        raise InputError(f"Visits need the column {' and '.join(missing)}. Rename the columns.")
    if visits.empty:
        raise InputError("There is no visit. Give a time in which there were visits.")
    for name in COLUMNS:
        if visits[name].isna().any():
            count = int(visits[name].isna().sum())
            raise InputError(f"{name} is empty in {count:,} visits. Fill it or leave these out.")
    return visits


def pasts(visits: pd.DataFrame) -> pd.DataFrame:
    """Per visit, in order: number (from 1), since_first_days, gap_days to the next one or NaN."""
    by_customer = visits.groupby("customer", sort=False)["at_days"]
    number = by_customer.cumcount() + 1
    since = visits["at_days"] - by_customer.transform("first")
    gap = by_customer.shift(-1) - visits["at_days"]
    return pd.DataFrame({"number": number, "since_first_days": since, "gap_days": gap})


def expected_gap_days(rhythm: Rhythm, later_visits: np.ndarray, t_x_days: np.ndarray) -> np.ndarray:
    """One over the rate expected of each customer after x later visits within t_x days."""
    return (rhythm.alpha_days + t_x_days) / (rhythm.r + later_visits)


def silence_chance(
    rhythm: Rhythm, later_visits: np.ndarray, t_x_days: np.ndarray, age_days: np.ndarray
) -> np.ndarray:
    """Chance of no visit from t_x to the age, both in days since the first, if it still stays."""
    ratio = np.log(rhythm.alpha_days + t_x_days) - np.log(rhythm.alpha_days + age_days)
    return np.exp((rhythm.r + later_visits) * ratio)


def returned_in_own_gap(
    visits: pd.DataFrame, until_days: float, rhythm: Rhythm, stretch: float = 2.0
) -> pd.Series:
    """1 where the next visit, to anybody, came within `stretch` own expected gaps; 0 where not.

    visits: as from `jobs`. The expected gap knows the visits up to this one only. NaN where that
    time was not over by until_days, whether or not the customer has come: else the quick ones
    would be kept and the slow ones left out.
    """
    past = pasts(visits)
    x, since = past["number"].to_numpy() - 1, past["since_first_days"].to_numpy()
    allowed = stretch * expected_gap_days(rhythm, x, since)
    came = (past["gap_days"].to_numpy() <= allowed).astype("float64")
    over = visits["at_days"].to_numpy() + allowed <= until_days
    return pd.Series(np.where(over, came, np.nan), index=visits.index, name="returned")
