"""What we write to simulated customers: when, how and about what, all by lot, and who answers.

Nothing of what a person does decides whether we write, so an answer tells of the channel and the
topic alone. While a hypothesis is tried, most touches have its topic, in the variant that a person
has by lot for good. Some hypotheses move answers, some purchases, some nothing.
"""

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from tierwise.customer_tables import CHANNELS
from tierwise.simulation import customer_kinds as kinds
from tierwise.simulation.customer_lives import BOOST_DAYS
from tierwise.simulation.customer_people import People
from tierwise.simulation.customer_settings import ANSWERED, BOUGHT, CustomerSettings
from tierwise.simulation.delivery import coded, frame, in_order, known_times, number_texts

TRIED_SHARE = 2 / 3  # of the touches while a hypothesis is tried
OPEN_SD = 0.5  # how much readier some people are to answer, on log odds
ANSWERED_DAYS, CLOSED_DAYS = 0.3, 7.0
FIRST_HOUR, LAST_HOUR = 9.0, 17.0  # UTC
VARIANTS = ("a", "b")
Columns = dict[str, np.ndarray]


def draw_touches(people: People, settings: CustomerSettings, rng: np.random.Generator) -> Columns:
    """person, day, channel, topic (number in `topics`), answered, waits (days) and by time.

    Also what moves purchases: effect, 0 for most.
    """
    when, lot, answer = rng.spawn(3)
    person, day = draw_days(people, settings, when)
    count = len(person)
    channel = lot.integers(0, len(CHANNELS), count)
    topic = lot.integers(0, len(kinds.TOPICS), count)
    tried = np.searchsorted(settings.tried_days, day, side="right") - 1
    is_tried = (tried >= 0) & (tried < len(settings.hypotheses))
    is_tried &= lot.random(count) < TRIED_SHARE
    variant = variants(people, settings, lot)
    number = np.where(is_tried, tried, 0)
    has_b = is_tried & variant[person, number] if settings.hypotheses else is_tried
    topic = np.where(is_tried, len(kinds.TOPICS) + 2 * number + has_b, topic)
    readiness = answer.normal(0, OPEN_SD, people.count)
    odds = liking(people, person, day, channel, topic) + readiness[person]
    odds += np.where(has_b, effects(settings, ANSWERED)[number], 0.0)
    answered = answer.random(count) < expit(logit(settings.answered_share) + odds)
    waits = np.minimum(answer.exponential(ANSWERED_DAYS, count), 0.99 * CLOSED_DAYS)
    return {
        "person": person,
        "day": day,
        "channel": channel,
        "topic": topic,
        "answered": answered,
        "waits": np.where(answered, waits, CLOSED_DAYS),
        "effect": np.where(has_b, effects(settings, BOUGHT)[number], 0.0),
    }


def draw_days(
    people: People, settings: CustomerSettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Person and day of each touch: evenly while they are there and may be contacted, by day."""
    begin = np.ceil(np.maximum(people.joined, 0.0))
    end = np.floor(np.minimum(people.withdrawn, settings.days_count))
    days = np.maximum(end - begin, 0.0)
    person = np.repeat(np.arange(people.count), rng.poisson(days / settings.touch_every_days))
    day = begin[person] + np.floor(rng.random(len(person)) * days[person])
    hour = rng.uniform(FIRST_HOUR, LAST_HOUR, len(person))
    order = np.argsort(day + hour / 24, kind="stable")
    return person[order], (day + hour / 24)[order]


def variants(people: People, settings: CustomerSettings, rng: np.random.Generator) -> np.ndarray:
    """Whether a person has variant b of each hypothesis, shape (n_people, n_hypotheses)."""
    return rng.random((people.count, len(settings.hypotheses))) < 0.5


def effects(settings: CustomerSettings, outcome: str) -> np.ndarray:
    """Of each hypothesis on this outcome; one entry at least."""
    found = [one.effect if one.outcome == outcome else 0.0 for one in settings.hypotheses]
    return np.array(found or [0.0])


def liking(
    people: People, person: np.ndarray, day: np.ndarray, channel: np.ndarray, topic: np.ndarray
) -> np.ndarray:
    """On log odds to answer: what the person's segment thinks of channel and topic."""
    segment = people.at("segment", person, day)
    of_channel = kinds.CHANNEL_ODDS[channel]
    of_channel = of_channel + kinds.BEST_CHANNEL_ODDS * (kinds.BEST_CHANNEL[segment] == channel)
    return of_channel + kinds.BEST_TOPIC_ODDS * (kinds.BEST_TOPIC[segment] == topic)


def topics(settings: CustomerSettings) -> tuple[str, ...]:
    tried = [f"{one.name}_{variant}" for one in settings.hypotheses for variant in VARIANTS]
    return (*kinds.TOPICS, *tried)


def boosts(touches: Columns) -> Columns:
    """The touches that move purchases, in the order of time; days are whole."""
    moves = touches["effect"] != 0
    return {
        "person": touches["person"][moves],
        "day": np.floor(touches["day"][moves]).astype(int),
        "effect": touches["effect"][moves],
    }


def touches_table(
    touches: Columns, people: People, settings: CustomerSettings, rng: np.random.Generator
) -> pd.DataFrame:
    at = settings.moments(touches["day"])
    heard = settings.moments(touches["day"] + touches["waits"])
    columns = {
        "person_id": people.ids[touches["person"]],
        "channel": coded(touches["channel"], CHANNELS),
        "topic": coded(touches["topic"], topics(settings)),
        "occurred_at": at,
        "known_at": known_times(heard, settings.rows, rng),
        "answered": touches["answered"],
    }
    columns = in_order(columns, settings.rows)
    return frame({"touch_id": number_texts("t", np.arange(len(columns["known_at"]))), **columns})


def hypotheses_table(settings: CustomerSettings) -> pd.DataFrame:
    """What was tried from when until when, on what outcome, and what it truly does."""
    begins = settings.moments(settings.tried_days)
    return pd.DataFrame(
        {
            "hypothesis": [one.name for one in settings.hypotheses],
            "topic_a": [f"{one.name}_a" for one in settings.hypotheses],
            "topic_b": [f"{one.name}_b" for one in settings.hypotheses],
            "begins_at": begins[:-1],
            "ends_at": begins[1:],
            "outcome": [one.outcome for one in settings.hypotheses],
            "within_days": [
                float(BOOST_DAYS) if one.outcome == BOUGHT else CLOSED_DAYS
                for one in settings.hypotheses
            ],
            "effect": [float(one.effect) for one in settings.hypotheses],
        }
    )
