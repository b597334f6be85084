"""The question of a marketplace: who serves its customers well, so that they come back?

At the start of every quarter each provider is looked at. Outcome: do the customers it then serves
return to the marketplace in their own time, do they complain, do they save it? Its section of
params.yaml:

    question:
      entity: provider
      lookback_days: 365               visits that count
      window_days: 14                  so long after a visit an action counts as its answer
      stretch: 2.0                     "in their own time": within so many own expected gaps
      actions: [favourite, ...]        what a customer may do after a visit, see visits.ACTIONS
      given_weights: {}                action -> weight, of those whose weight is not learned
      late_tolerance_minutes: 15       a start that much after the promised one is still punctual
"""

from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from tierwise import refusals
from tierwise.accounts import Tables
from tierwise.files import InputError
from tierwise.providers import public_figures, visits
from tierwise.providers.visits_seen import WANTED, Seen, outcomes, recent, seasoned

HERE = "src/tierwise/applications/providers.py"
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
__all__ = ["checked", "entities", "figures", "mornings", "outcomes", "quarters", "seen"]
QUARTER_MONTHS = 3


class Question(BaseModel, extra="forbid", strict=True):
    """What params.yaml must say, with its types."""

    entity: str
    lookback_days: Positive
    window_days: Positive
    stretch: Positive
    actions: Annotated[list[str], Field(min_length=1)]
    given_weights: dict[str, float]
    late_tolerance_minutes: Annotated[float, Field(ge=0, allow_inf_nan=False)]


def checked(question: dict[str, Any]) -> dict[str, Any]:
    """The question as it is. Raises InputError for the first thing that can't be asked."""
    refusals.fitting(Question, question, "question", f"See the comments at the head of {HERE}.")
    named = [*question["actions"], *question["given_weights"]]
    unknown = [name for name in named if name not in visits.ACTIONS]
    if unknown:
        raise InputError(
            f"params.yaml, question: {unknown[0]!r} is no action; known are "
            f"{', '.join(visits.ACTIONS)}."
        )
    twice = [name for name in question["given_weights"] if name in question["actions"]]
    if twice:
        raise InputError(
            f"params.yaml, question: {twice[0]!r} has a given weight and stands among the actions "
            "to learn; leave it out of one of them."
        )
    return question


def quarters(tables: Tables, until: pd.Timestamp) -> list[pd.Timestamp]:
    """First days of the quarters after that in which the first visit was known, up to `until`."""
    bookings = tables["bookings"]
    first = bookings.loc[bookings["status"] == visits.DONE, "known_at"].min()
    start = pd.Timestamp(first).to_period("Q").start_time + pd.DateOffset(months=QUARTER_MONTHS)
    return [day.as_unit("us") for day in pd.date_range(start, until, freq="QS")]


def entities(tables: Tables, as_of: pd.Timestamp) -> pd.Index:
    """provider_id of all who were known and had not left by then, ascending."""
    known = visits.known({name: tables[name] for name in ("providers", "provider_events")}, as_of)
    events = known["provider_events"]
    left = events.loc[events["kind"] == "left", "provider_id"]
    kept = np.setdiff1d(known["providers"]["provider_id"], left)
    return pd.Index(kept, name="provider")


def seen(tables: Tables, as_of: pd.Timestamp, question: dict[str, Any]) -> Seen:
    """What was known before then. Raises InputError where no booking was done by then."""
    jobs = visits.jobs(tables, as_of)
    wanted = list(dict.fromkeys([*question["actions"], *question["given_weights"], *WANTED]))
    counts = visits.actions(tables, jobs, as_of, question["window_days"], wanted)
    settled = visits.settled(jobs, as_of, question["window_days"])
    jobs = jobs.assign(seasoned=seasoned(jobs), settled=settled.to_numpy())
    bookings = visits.bookings(tables, as_of)
    return Seen(as_of, entities(tables, as_of), bookings, jobs, counts)


def mornings(tables: Tables, until: pd.Timestamp, question: dict[str, Any]) -> list[Seen]:
    """What was known on the first morning of each quarter, ascending; see `quarters`."""
    return [seen(tables, day, question) for day in quarters(tables, until)]


def figures(tables: Tables, found: Seen, question: dict[str, Any]) -> pd.DataFrame:
    """Public figures of all providers at the as-of time, see public_figures.table; visits_count,
    customers_count."""
    days = question["lookback_days"]
    jobs = found.jobs[recent(found.jobs, found.as_of, days)]
    bookings = found.bookings[recent(found.bookings, found.as_of, days)]
    key = ["customer_id", "provider_id", "occurred_at"]
    favourites = visits.once(tables["favourites"], key, found.as_of)
    complaint = found.counts.loc[jobs.index[jobs["settled"]], "complaint"]
    tolerance = question["late_tolerance_minutes"]
    table = public_figures.table(bookings, jobs, complaint, favourites, found.providers, tolerance)
    by_provider = jobs.groupby("provider")["customer"]
    for name, counts in (("visits", by_provider.size()), ("customers", by_provider.nunique())):
        table[f"{name}_count"] = counts.reindex(found.providers).fillna(0).astype("int64")
    return table
