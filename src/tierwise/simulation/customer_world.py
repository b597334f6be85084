"""Write a simulated world of customers: the tables of customer_tables, and the truth.

    <folder>/<table>.parquet     every table of customer_tables.CONTRACTS, rows by known_at
    <truth>/segments.parquet     person_id, segment, changed_at: since when; missing: from the first
    <truth>/states.parquet       person_id, state, began_at; missing: before the first day
    <truth>/critics.parquet      person_id, loud
    <truth>/feelings.parquet     message_id, feeling, bad_week (of the writer)
    <truth>/taste.parquet        person_id, best_channel, best_topic, value_eur (the next 90 days)
    <truth>/hypotheses.parquet   hypothesis, topic_a, topic_b, begins_at, ends_at, outcome,
                                 within_days, effect (log odds to answer, log rate of purchases)
    <truth>/weights.parquet      event, weight, half_life_days: of what it does to purchases

segments, critics, taste hold at the end of the world, whoever we have heard of by then or not. Each
family of tables has random numbers of its own: other texts change no event.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import Generator
from tqdm import tqdm

from tierwise.customer_tables import CHANNELS, CONTRACTS
from tierwise.simulation import (
    customer_communities,
    customer_lives,
    customer_people,
    customer_rows,
    customer_touches,
)
from tierwise.simulation import customer_kinds as kinds
from tierwise.simulation.customer_lives import Lives
from tierwise.simulation.customer_people import People
from tierwise.simulation.customer_settings import CustomerSettings
from tierwise.simulation.delivery import coded, frame
from tierwise.simulation.world import read_apart, write_apart

TRUTH = ("segments", "states", "critics", "feelings", "taste", "hypotheses", "weights")
STEPS_COUNT = 4
Tables = dict[str, pd.DataFrame]


def draw(settings: CustomerSettings) -> tuple[Tables, Tables]:
    """All tables and the truth, both by name; progress on stderr."""
    who, touch, do, meet, say, arrive, expect = settings.generators(7)
    with tqdm(total=STEPS_COUNT, unit=" steps", desc="simulate customers") as progress:
        people = customer_people.draw_people(settings, who)
        touches = customer_touches.draw_touches(people, settings, touch)
        progress.update()
        lives = customer_lives.live(people, settings, customer_touches.boosts(touches), do)
        progress.update()
        comes = arrive.spawn(5)
        tables, feelings = acted(people, lives, settings, say, comes[0])
        tables |= related(people, settings, meet, comes[1])
        tables["people"] = customer_people.people_table(people, settings, comes[2])
        tables["touches"] = customer_touches.touches_table(touches, people, settings, comes[3])
        progress.update()
        truth = {
            "segments": segments_table(people, settings),
            "states": states_table(people, lives, settings),
            "critics": pd.DataFrame({"person_id": people.ids, "loud": people.critic}),
            "feelings": feelings,
            "taste": taste_table(people, lives, settings, expect),
            "hypotheses": customer_touches.hypotheses_table(settings),
            "weights": weights_table(settings),
        }
        progress.update()
    return {name: tables[name] for name in CONTRACTS}, {name: truth[name] for name in TRUTH}


def acted(
    people: People, lives: Lives, settings: CustomerSettings, say: Generator, arrive: Generator
) -> tuple[Tables, pd.DataFrame]:
    """Events, purchases and messages; and the feelings of these."""
    when, pay, write = say.spawn(3)
    comes = arrive.spawn(3)
    at = customer_rows.event_days(people, lives, settings, when)
    what = (people, lives, at, settings)
    messages, feelings = customer_rows.messages_table(*what, write, comes[2])
    tables = {
        "customer_events": customer_rows.events_table(*what, comes[0]),
        "purchases": customer_rows.purchases_table(*what, pay, comes[1]),
        "messages": messages,
    }
    return tables, feelings


def related(
    people: People, settings: CustomerSettings, meet: Generator, arrive: Generator
) -> Tables:
    """Memberships and contacts."""
    found, join, know = meet.spawn(3)
    comes = arrive.spawn(2)
    places = customer_communities.draw_communities(settings, found)
    joined = customer_communities.draw_memberships(people, places, settings, join)
    contacts = customer_communities.draw_contacts(people, joined, settings, know)
    return {
        "memberships": customer_rows.memberships_table(people, places, joined, settings, comes[0]),
        "contacts": customer_rows.contacts_table(people, contacts, settings, comes[1]),
    }


def segments_table(people: People, settings: CustomerSettings) -> pd.DataFrame:
    """One row per person, a second one for those who moved."""
    moved = np.flatnonzero(np.isfinite(people.changed))
    person = np.concatenate([np.arange(people.count), moved])
    part = np.repeat([0, 1], [people.count, len(moved)])
    since = settings.moments(np.where(part == 1, people.changed[person], 0.0))
    since[part == 0] = np.datetime64("NaT")
    order = np.lexsort([part, person])
    return frame(
        {
            "person_id": people.ids[person[order]],
            "segment": coded(people.segment[person, part][order], kinds.SEGMENTS),
            "changed_at": since[order],
        }
    )


def states_table(people: People, lives: Lives, settings: CustomerSettings) -> pd.DataFrame:
    """The state that each person had at the first moment or joined in, and every later one."""
    person, state, day = (lives.spells[name] for name in ("person", "state", "day"))
    order = np.lexsort([day, person])
    person, state, day = person[order], state[order], day[order]
    before = day < 0
    followed = np.zeros(len(day), bool)
    followed[:-1] = (person[1:] == person[:-1]) & (day[1:] < 0)
    kept = ~(before & followed)
    began = settings.moments(np.maximum(day, 0))
    began[before] = np.datetime64("NaT")
    columns = {"person_id": people.ids[person], "state": coded(state, customer_lives.STATES)}
    return frame({name: values[kept] for name, values in (columns | {"began_at": began}).items()})


def taste_table(
    people: People, lives: Lives, settings: CustomerSettings, expect: Generator
) -> pd.DataFrame:
    last = people.segment[:, 1]
    value = customer_lives.value_eur(people, lives.crowd, settings, expect)
    return frame(
        {
            "person_id": people.ids,
            "best_channel": coded(kinds.BEST_CHANNEL[last], CHANNELS),
            "best_topic": coded(kinds.BEST_TOPIC[last], kinds.TOPICS),
            "value_eur": np.round(value, 2),
        }
    )


def weights_table(settings: CustomerSettings) -> pd.DataFrame:
    half_life = np.full(len(kinds.EVENTS), settings.half_life_days)
    columns = {"event": np.array(kinds.EVENTS), "weight": kinds.WEIGHTS}
    return pd.DataFrame(columns | {"half_life_days": half_life}).astype({"event": "str"})


def write(folder: Path, settings: CustomerSettings, truth: Path | None = None) -> None:
    """Write the tables to `folder` and the truth to another one; see world.write_apart."""
    write_apart((folder, truth), (tuple(CONTRACTS), TRUTH), lambda: draw(settings))


def read_truth(folder: Path) -> Tables:
    """The tables of TRUTH by name, from the folder that `write` filled."""
    return read_apart(folder, TRUTH, "a world of customers")
