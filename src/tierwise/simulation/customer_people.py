"""Who the simulated customers are: segment, city, age, how lively, who may be written to.

All days are counted from the first moment of the world; inf is never. What follows the segment has
two columns: before and after a person moves to another one.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.customer_tables import GENDERS, HOUSEHOLDS
from tierwise.simulation import customer_kinds as kinds
from tierwise.simulation.customer_settings import CustomerSettings
from tierwise.simulation.delivery import coded, frame, in_order

FIRST_PERSON = 700_001
EARLIER_DAYS = 900.0  # customers before the first day: for so long at most
YEAR_DAYS = 365.25
MOVED_MARGIN_DAYS = 60.0  # nobody moves sooner after joining, or so late before the end
LIVELY_SHAPE, BUYING_SD, CHOICE_SD = 1.3, 0.4, 0.5
CRITIC_POWER, CRITIC_DAYS = 2.0, 365.0  # of visits in the first year, on the chance to be one
CRITIC_WRITES = 1.2  # on their log odds to write a message
TOLD_DAYS = 20.0  # after having moved, on average
WOMAN, OTHER = GENDERS.index("woman"), GENDERS.index("other")


@dataclass(frozen=True)
class People:
    """One entry per person; those with shape (n, 2) are before and after `changed`."""

    joined: np.ndarray
    changed: np.ndarray
    segment: np.ndarray  # (n, 2), number in SEGMENTS
    city: np.ndarray  # (n, 2), number in CITIES
    household: np.ndarray  # (n, 2)
    hour: np.ndarray  # (n, 2), at which they usually come
    choices: np.ndarray  # (n, 2, n_choices), shares
    age: np.ndarray  # years at the first moment
    gender: np.ndarray
    lively: np.ndarray  # factor on how often they come, 1 on average
    buying: np.ndarray  # on the logarithm of purchases
    spending: np.ndarray  # on the logarithm of amounts
    critic: np.ndarray
    withdrawn: np.ndarray  # from then on they may not be contacted; -inf: never might
    untold: np.ndarray

    @property
    def count(self) -> int:
        return len(self.joined)

    @property
    def ids(self) -> np.ndarray:
        return FIRST_PERSON + np.arange(self.count)

    def at(self, name: str, person: np.ndarray, day: np.ndarray) -> np.ndarray:
        """What held then of a field with shape (n, 2, ...)."""
        return getattr(self, name)[person, (day >= self.changed[person]).astype(int)]


def draw_people(settings: CustomerSettings, rng: np.random.Generator) -> People:
    come, move, live, do, complain, refuse, told = rng.spawn(7)
    count, far = settings.people_count, settings.separation
    joined = draw_joined(settings, come)
    segment, changed = draw_segments(joined, settings, move)
    lively = live.gamma(LIVELY_SHAPE, 1 / LIVELY_SHAPE, count)
    critic = draw_critics(lively, joined, settings, complain)
    return People(
        joined=joined,
        changed=changed,
        segment=segment,
        **draw_traits(segment, changed, far, live),
        hour=kinds.HOUR + far * kinds.HOUR_SHIFTS[segment],
        choices=draw_choices(segment, critic, far, do),
        lively=lively,
        buying=do.normal(0, BUYING_SD, count),
        spending=do.normal(0, kinds.AMOUNT_SD / 2, count),
        critic=critic,
        withdrawn=draw_withdrawn(joined, settings, refuse),
        untold=told.random(count) < settings.untold_share,
    )


def draw_joined(settings: CustomerSettings, rng: np.random.Generator) -> np.ndarray:
    """So many before the first day; the others evenly until the end."""
    count = settings.people_count
    earlier = rng.random(count) < settings.earlier_share
    at = rng.random(count)
    return np.where(earlier, -EARLIER_DAYS * at, settings.days_count * at)


def draw_segments(
    joined: np.ndarray, settings: CustomerSettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Segments before and after, and the day between; who does not move has the same one twice."""
    count, own = len(joined), np.array(settings.segment_shares)
    first = rng.choice(len(own), count, p=own)
    others = np.where(np.arange(len(own)) == first[:, None], 0.0, own)
    other = kinds.drawn(others / others.sum(axis=1, keepdims=True), rng)
    begin = np.maximum(joined, 0.0) + MOVED_MARGIN_DAYS
    end = settings.days_count - MOVED_MARGIN_DAYS
    moves = (begin < end) & (rng.random(count) < settings.moving_share)
    day = begin + rng.random(count) * (end - begin)
    return np.stack([first, np.where(moves, other, first)], 1), np.where(moves, day, np.inf)


def draw_traits(
    segment: np.ndarray, changed: np.ndarray, far: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """city and household (n, 2), age and gender."""
    count = len(segment)
    moves = np.isfinite(changed)
    found = {}
    for name, common, shifts in (
        ("city", kinds.CITY_SHARES, kinds.CITY_SHIFTS),
        ("household", kinds.HOUSEHOLD_SHARES, kinds.HOUSEHOLD_SHIFTS),
    ):
        of_segment = kinds.shares(common, far * shifts)
        before, after = (kinds.drawn(of_segment[segment[:, part]], rng) for part in (0, 1))
        found[name] = np.stack([before, np.where(moves, after, before)], 1)
    age = rng.normal(kinds.AGE + far * kinds.AGE_SHIFTS[segment[:, 0]], kinds.AGE_SD)
    woman = rng.random(count) < 1 / (1 + np.exp(-far * kinds.WOMAN_SHIFTS[segment[:, 0]]))
    other = rng.random(count) < kinds.OTHER_SHARE
    gender = np.where(other, OTHER, np.where(woman, WOMAN, 1 - WOMAN))
    return found | {"age": np.clip(age, kinds.AGE_LEAST, kinds.AGE_MOST - 10), "gender": gender}


def draw_choices(
    segment: np.ndarray, critic: np.ndarray, far: float, rng: np.random.Generator
) -> np.ndarray:
    """What people do beside visits: their own leanings stay, whatever segment they move to."""
    own = rng.normal(0, CHOICE_SD, (len(segment), 1, len(kinds.CHOICES)))
    own += CRITIC_WRITES * critic[:, None, None] * (kinds.CHOICES == kinds.MESSAGE)
    return kinds.shares(kinds.CHOICE_SHARES, far * kinds.CHOICE_SHIFTS[segment] + own)


def draw_critics(
    lively: np.ndarray,
    joined: np.ndarray,
    settings: CustomerSettings,
    rng: np.random.Generator,
) -> np.ndarray:
    """Exactly so many, mostly among those who come often."""
    count = round(settings.critics_share * len(lively))
    days = np.minimum(settings.days_count - np.maximum(joined, 0.0), CRITIC_DAYS)
    weight = (lively * days) ** CRITIC_POWER
    places = rng.choice(len(lively), count, replace=False, p=weight / weight.sum())
    return np.isin(np.arange(len(lively)), places)


def draw_withdrawn(
    joined: np.ndarray, settings: CustomerSettings, rng: np.random.Generator
) -> np.ndarray:
    lot, at = rng.random(len(joined)), rng.random(len(joined))
    begin = np.maximum(joined, 0.0)
    withdrawn = begin + at * (settings.days_count - begin)
    wills = lot < settings.refused_share + settings.withdrawn_share
    return np.where(lot < settings.refused_share, -np.inf, np.where(wills, withdrawn, np.inf))


def people_table(
    people: People, settings: CustomerSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """One row per version: from joining on, after a move, and when contacts are refused."""
    everyone = np.arange(people.count)
    moved = np.flatnonzero(np.isfinite(people.changed))
    refusing = np.flatnonzero(np.isfinite(people.withdrawn))
    person = np.concatenate([everyone, moved, refusing])
    told = people.changed[moved] + rng.exponential(TOLD_DAYS, len(moved))
    day = np.concatenate([np.maximum(people.joined, 0.0), told, people.withdrawn[refusing]])
    city = people.at("city", person, day)
    columns = {
        "person_id": people.ids[person],
        "known_at": settings.moments(day),
        "country": coded(kinds.COUNTRY_OF[city], kinds.COUNTRIES),
        "city": coded(city, kinds.CITIES),
        "age_years": np.floor(people.age[person] + day / YEAR_DAYS),
        "gender": coded(people.gender[person], GENDERS),
        "household": coded(people.at("household", person, day), HOUSEHOLDS),
        "joined_at": settings.moments(people.joined)[person],
        "may_contact": day < people.withdrawn[person],
    }
    for name in ("country", "city", "age_years", "gender", "household"):
        empty = people.untold[person] | (rng.random(len(person)) < settings.missing_share)
        columns[name][empty] = np.nan
    return frame(in_order(columns, settings.rows))
