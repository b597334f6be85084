"""The tables of what simulated customers did, with the times at which we learn of it."""

import numpy as np
import pandas as pd

from tierwise.customer_tables import COMMUNITIES, LANGUAGES
from tierwise.simulation import customer_kinds as kinds
from tierwise.simulation import customer_lives, customer_messages
from tierwise.simulation.customer_communities import Communities
from tierwise.simulation.customer_lives import Lives
from tierwise.simulation.customer_people import People
from tierwise.simulation.customer_phrases import FEELINGS
from tierwise.simulation.customer_settings import CustomerSettings
from tierwise.simulation.delivery import (
    coded,
    delivered,
    frame,
    in_order,
    known_times,
    number_texts,
)

GAP_DAYS = 1.5 / 1440  # between two events of a session, on average
EARLIEST_HOUR, LATEST_HOUR = 0.2, 22.8  # at which a session begins
TOLD_DAYS = 10.0  # until we learn of a membership, on average
Columns = dict[str, np.ndarray]


def event_days(
    people: People, lives: Lives, settings: CustomerSettings, rng: np.random.Generator
) -> np.ndarray:
    """When each event happened, in days: a session begins at the person's usual hour, about."""
    events = lives.events
    person, day, session = events["person"], events["day"], events["session"]
    new = np.ones(len(person), bool)
    new[1:] = (np.diff(person) != 0) | (np.diff(day) != 0) | (np.diff(session) != 0)
    number = np.cumsum(new) - 1
    hour = people.at("hour", person[new], day[new]) + rng.normal(0, kinds.HOUR_SD, new.sum())
    begins = day[new] + np.clip(hour, EARLIEST_HOUR, LATEST_HOUR) / 24
    gaps = np.cumsum(rng.exponential(GAP_DAYS, len(person)))
    at = begins[number] + gaps - gaps[np.flatnonzero(new)][number]
    signed = events["kind"] == kinds.SIGNED_UP
    at[signed] = people.joined[person[signed]]
    return at


def dated(
    days: np.ndarray,
    settings: CustomerSettings,
    rng: np.random.Generator,
    learned: np.ndarray | None = None,
) -> Columns:
    """occurred_at and known_at; learned: days at which we can know it at the earliest."""
    heard = days if learned is None else np.maximum(days, learned)
    known = known_times(settings.moments(np.maximum(heard, 0.0)), settings.rows, rng)
    return {"occurred_at": settings.moments(days), "known_at": known}


def events_table(
    people: People,
    lives: Lives,
    at: np.ndarray,
    settings: CustomerSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Some rows come twice."""
    columns = {
        "person_id": people.ids[lives.events["person"]],
        "event": coded(lives.events["kind"].astype("int8"), kinds.EVENTS),
        **dated(at, settings, rng),
    }
    return delivered("event_id", columns, settings.rows, 0, rng)


def purchases_table(
    people: People,
    lives: Lives,
    at: np.ndarray,
    settings: CustomerSettings,
    amounts: np.random.Generator,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One row for each event of that kind, at the same moment; some come twice."""
    rows = lives.events["kind"] == kinds.PURCHASE
    person, days = lives.events["person"][rows], at[rows]
    level = customer_lives.amount_level(people, settings, person, days)
    spent = np.exp(amounts.normal(level, kinds.AMOUNT_SD))
    columns = {
        "person_id": people.ids[person],
        **dated(days, settings, rng),
        "amount_eur": np.maximum(np.round(spent, 2), 0.01),
    }
    return delivered("purchase_id", columns, settings.rows, 0, rng)


def memberships_table(
    people: People,
    places: Communities,
    memberships: Columns,
    settings: CustomerSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """A row when somebody joins a community, and a second one when they leave it.

    Some memberships nobody ever tells us of; those who tell nothing tell of none.
    """
    untold = people.untold[memberships["person"]]
    hidden = untold | (rng.random(len(untold)) < settings.missing_share)
    row = np.flatnonzero(~hidden)
    ends = memberships["ends"][row]
    leaves = np.isfinite(ends)
    begins = np.concatenate([memberships["begins"][row], memberships["begins"][row[leaves]]])
    told = memberships["told"][row] + rng.exponential(TOLD_DAYS, len(row))
    later = np.maximum(ends, told)[leaves] + rng.exponential(TOLD_DAYS, leaves.sum())
    left = settings.moments(np.concatenate([np.zeros(len(row)), ends[leaves]]))
    left[: len(row)] = np.datetime64("NaT")
    times = dated(begins, settings, rng, np.concatenate([told, later]))
    first = times["known_at"][: len(row)][leaves]  # nobody is known to have left what we know not
    second = times["known_at"][len(row) :]
    times["known_at"][len(row) :] = np.maximum(second, first + np.timedelta64(1, "s"))
    row = np.concatenate([row, row[leaves]])
    community = memberships["community"][row]
    columns = {
        "person_id": people.ids[memberships["person"][row]],
        "community_id": places.ids[community],
        "kind": coded(places.kind[community].astype("int8"), COMMUNITIES),
        **times,
        "left_at": left,
    }
    return frame(in_order(columns, settings.rows))


def contacts_table(
    people: People, contacts: Columns, settings: CustomerSettings, rng: np.random.Generator
) -> pd.DataFrame:
    person, other = contacts["person"], contacts["contact"]
    columns = {
        "person_id": people.ids[person],
        "contact_id": people.ids[other],
        **dated(contacts["at"], settings, rng),
    }
    return frame(in_order(columns, settings.rows))


def messages_table(
    people: People,
    lives: Lives,
    at: np.ndarray,
    settings: CustomerSettings,
    write: np.random.Generator,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What was written, one row for each event of that kind; and its true feeling, apart."""
    rows = lives.events["kind"] == kinds.MESSAGE
    person, days = lives.events["person"][rows], at[rows]
    feel, speak, words = write.spawn(3)
    feeling, bad = customer_messages.draw_feelings(people, person, days, settings, feel)
    language = customer_messages.draw_languages(people, person, speak)
    texts, feeling = customer_messages.draw_texts(language, feeling, settings, words)
    columns = {
        "person_id": people.ids[person],
        **dated(days, settings, rng),
        "language": coded(language.astype("int8"), LANGUAGES),
        "text": texts,
        "feeling": coded(feeling.astype("int8"), FEELINGS),
        "bad_week": bad,
    }
    columns = in_order(columns, settings.rows)
    ids = number_texts("m", np.arange(len(columns["known_at"])))
    table = frame({"message_id": ids, **columns}).astype({"text": "str"})
    true = ["message_id", "feeling", "bad_week"]
    return table.drop(columns=true[1:]), table[true]
