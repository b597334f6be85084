"""Visits as the model of drop-out needs them: followed by another one, or the last so far."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.rhythm import MERGE_DAYS, checked, jobs, pasts

MOST_NUMBER = 50  # visit numbers beyond are one
LEAST_RETURNED, LEAST_CUSTOMERS = 20, 40


@dataclass(frozen=True)
class Sums:
    """Visits, added up. A kind is a visit number and a segment; providers and kinds are codes."""

    providers: pd.Index
    columns: list[str]
    kinds: np.ndarray  # design, shape (n_kinds, n_columns)
    kind_counts: np.ndarray  # visits of each kind in the whole marketplace
    cells: np.ndarray  # provider, kind, count of visits that another followed, shape (n_cells, 3)
    last: np.ndarray  # provider, kind of each customer's last visit, shape (n_customers, 2)
    later_visits: np.ndarray  # x, t_x and age of each customer, as in rhythm.py, less the times
    # in which a booking would have been part of the job before
    t_x_days: np.ndarray
    age_days: np.ndarray


def summed(visits: pd.DataFrame, until_days: float, merge_days: float = MERGE_DAYS) -> Sums:
    """Sums of visits: customer, provider, at_days, and segment where there is one.

    Bookings of one job count once, see rhythm.jobs; those after until_days are left out. Raises
    InputError where nothing can be learned.
    """
    known = checked(visits)
    merged = jobs(known[known["at_days"] <= until_days], merge_days)
    past = pasts(merged)
    provider, providers = pd.factorize(merged["provider"], sort=True)
    segment, segments = pd.factorize(segments_of(merged), sort=True)
    number = np.minimum(past["number"].to_numpy(), MOST_NUMBER)
    kind, kinds = pd.factorize(number * len(segments) + segment, sort=True)
    design, columns = designed(kinds // len(segments), kinds % len(segments), list(segments))
    last = past["gap_days"].isna().to_numpy()
    check_enough(last, past["number"].to_numpy())
    places = np.column_stack([provider, kind])
    cells, counts = np.unique(places[~last], axis=0, return_counts=True)
    t_x = active_days(merged["customer"], past["gap_days"], merge_days)[last]
    silence_days = until_days - merged["at_days"].to_numpy("float64")[last] - merge_days
    return Sums(
        pd.Index(providers, name="provider"),
        columns,
        design,
        np.bincount(kind).astype("float64"),
        np.column_stack([cells, counts]),
        places[last],
        past["number"].to_numpy("float64")[last] - 1,
        t_x,
        t_x + np.maximum(silence_days, 0.0),
    )


def active_days(customer: pd.Series, gap_days: pd.Series, merge_days: float) -> np.ndarray:
    """Days from the first visit to each one, less merge_days after every visit in between.

    Nobody can return while a booking still counts as the same job. Else rhythms would seem more
    even than they are, and silences say too much.
    """
    free = (gap_days - merge_days).clip(lower=0.0).fillna(0.0)
    return (free.groupby(customer).cumsum() - free).to_numpy("float64")


def segments_of(visits: pd.DataFrame) -> pd.Series:
    """The segment of each visit as text; a missing one is a segment of its own."""
    if "segment" not in visits:
        return pd.Series("", index=visits.index)
    return visits["segment"].astype("str").where(visits["segment"].notna(), "unknown")


def designed(
    number: np.ndarray, segment: np.ndarray, segments: list[str]
) -> tuple[np.ndarray, list[str]]:
    """Level, log of the visit number, and each segment but the first, one row per kind."""
    blocks = [np.ones(len(number)), np.log(number)]
    blocks += [(segment == one).astype("float64") for one in range(1, len(segments))]
    names = ["level", "log_visit_number"] + [f"segment {one}" for one in segments[1:]]
    return np.column_stack(blocks), names


def check_enough(last: np.ndarray, number: np.ndarray) -> None:
    """Raises InputError where too few customers came, or came again, to know their rhythm."""
    customers, returned = int(last.sum()), int((last & (number > 1)).sum())
    if customers < LEAST_CUSTOMERS or returned < LEAST_RETURNED:
        raise InputError(
            f"{customers:,} customers, of whom {returned:,} came again; it takes {LEAST_CUSTOMERS} "
            f"and {LEAST_RETURNED} to learn a rhythm. Give a longer time."
        )
