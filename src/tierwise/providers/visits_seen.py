"""What was known of all visits at an as-of time, and what can be learned from it without tricks.

A customer who knows one provider only says nothing about it: it might be a generous customer, or
an invented one. So everything that is learned for the score comes from *seasoned* visits, those
of a customer who had been with a second provider by then. That leaves visits out by what is past;
to leave them out by what comes later would favour those who returned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise.companies import repeat_buying
from tierwise.files import InputError
from tierwise.providers import visit_scores, visits
from tierwise.rhythm import Rhythm, returned_in_own_gap

WANTED = ("complaint", "favourite")  # actions that are outcomes, too
LEAST_COUNT = 100  # seasoned visits with a known outcome, before weights are learned


@dataclass(frozen=True)
class Seen:
    """All that was known at an as-of time: bookings, and jobs with what followed (see visits).

    jobs: columns of visits.jobs, seasoned, settled (the window for actions is over). counts: of
    actions, one row per job.
    """

    as_of: pd.Timestamp
    providers: pd.Index
    bookings: pd.DataFrame
    jobs: pd.DataFrame
    counts: pd.DataFrame


def seasoned(jobs: pd.DataFrame) -> pd.Series:
    """Mask of the visits by which the customer had been with two providers or more."""
    by_customer = jobs["customer"]
    other = jobs["provider"] != jobs.groupby(by_customer)["provider"].transform("first")
    return other.groupby(by_customer).cummax()


def recent(rows: pd.DataFrame, as_of: pd.Timestamp, days: float) -> pd.Series:
    """Mask of the rows (with at_days) that lie in the last so many days before then."""
    end = visits.day_number(as_of)
    return (rows["at_days"] >= end - days) & (rows["at_days"] < end)


def connected(bookings: pd.DataFrame) -> pd.Series:
    """Mask of the bookings by customers who booked two providers or more.

    Of bookings that came to nothing, too: else a first one that the provider cancelled would count
    against nobody.
    """
    return bookings.groupby("customer")["provider"].transform("nunique") > 1


def rhythm_of(found: Seen) -> Rhythm:
    """How often customers come, from their seasoned visits (BG/NBD)."""
    jobs = found.jobs[found.jobs["seasoned"]]
    by_customer = jobs.groupby("customer")["at_days"]
    first, last, count = by_customer.min(), by_customer.max(), by_customer.size()
    age = visits.day_number(found.as_of) - first
    kept = (age > 0).to_numpy()
    parts = [part.to_numpy("float64")[kept] for part in (count - 1, last - first, age)]
    r, alpha, _, _ = repeat_buying.fit("bg_nbd", *parts).parameters
    return Rhythm(r, alpha)


def returned(found: Seen, rhythm: Rhythm, stretch: float) -> pd.Series:
    """1, 0 or NaN (not known yet) per job: the customer returned to the marketplace in time."""
    return returned_in_own_gap(found.jobs, visits.day_number(found.as_of), rhythm, stretch)


def to_same(jobs: pd.DataFrame, came: pd.Series) -> pd.Series:
    """1 where the customer came in time and to the same provider, else 0, NaN where not known yet.

    jobs: by customer, in time; came: 1, 0 or NaN per job, whether it returned in time to anybody.

    Returns to the marketplace say little about one visit: most customers return whatever it was
    like. With whom they do is their answer to it.
    """
    following = jobs.groupby("customer")["provider"].shift(-1)
    return came.where(came.isna() | (following == jobs["provider"]), 0.0)


def weights_of(found: Seen, rhythm: Rhythm, question: Mapping[str, Any]) -> pd.DataFrame:
    """What each action is worth, see visit_scores.learned_weights: log odds of a return `to_same`.

    From seasoned visits alone. Actions of question.given_weights have these. Raises InputError
    where there are too few visits, or where no action tells who comes again.
    """
    came = to_same(found.jobs, returned(found, rhythm, question["stretch"]))
    rows = found.jobs["seasoned"] & found.jobs["settled"] & came.notna()
    if rows.sum() < LEAST_COUNT:
        raise InputError(
            f"{int(rows.sum())} visits before {ex.label(found.as_of)} are by customers who know "
            f"two providers and had time to return; it takes {LEAST_COUNT} to learn what an action "
            "is worth. Wait for more quarters."
        )
    jobs, given = found.jobs[rows], question["given_weights"]
    actions = found.counts.loc[rows, [*question["actions"], *given]]
    controls = pd.DataFrame(
        {"log_number": np.log(jobs["number"]), "office": jobs["segment"] == "office"}
    ).astype("float64")
    table = visit_scores.learned_weights(actions, came[rows].to_numpy(), controls, given)
    if not table["weight"].any():
        raise InputError(
            f"Before {ex.label(found.as_of)} no action of {', '.join(question['actions'])} tells "
            "who comes again: there is nothing to rank by. Name other actions, or wait."
        )
    return table


def scored(found: Seen, weights: pd.DataFrame) -> pd.DataFrame:
    """Visits whose window is over: customer, provider, at_days and their score.

    Only those of customers who know two providers: the others tell nothing, not even the noise.
    """
    jobs = found.jobs[found.jobs["settled"]]
    jobs = jobs[connected(jobs)]
    score = visit_scores.visit_scores(found.counts.loc[jobs.index], weights)
    return jobs[["customer", "provider", "at_days"]].assign(score=score)


def outcomes(
    last: Seen, start: pd.Timestamp, end: pd.Timestamp, rhythm: Rhythm, stretch: float
) -> pd.DataFrame:
    """What came of the visits served from start to end, as far as known at last.as_of.

    One row per visit: customer, provider, at_days, seasoned; returned, complaint and favourite,
    each 0, 1, or NaN where its time was not over yet.
    """
    at = last.jobs["at_days"]
    rows = (at >= visits.day_number(start)) & (at < visits.day_number(end))
    over = last.jobs.loc[rows, "settled"]
    found = last.jobs.loc[rows, ["customer", "provider", "at_days", "seasoned"]]
    found = found.assign(returned=returned(last, rhythm, stretch)[rows])
    for name in WANTED:
        found[name] = last.counts.loc[rows, name].astype("float64").where(over)
    return found
