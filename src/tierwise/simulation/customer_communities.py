"""Six kinds of communities of simulated customers, who belongs to them, and who knows whom.

A community lies in a city and is liked by one segment more than by others. People choose kinds in
shares of their own, which follow their segment, and meet others of their segment there. So whoever
is not known to us may be known by the communities of the people they are in touch with.
"""

from dataclasses import dataclass

import numpy as np

from tierwise.customer_tables import COMMUNITIES
from tierwise.simulation import customer_kinds as kinds
from tierwise.simulation.customer_people import People
from tierwise.simulation.customer_settings import CustomerSettings

MEMBERS = np.array([6, 60, 30, 25, 40, 50])  # of a community of each kind, about
JOINS, CONCENTRATION = 10.0, 20.0  # memberships of a person, and how alike shares in a segment are
OWN_CITY_SHARE, LIKED = 0.85, 2.4  # of the communities; on log odds, times the separation
LEAVES_SHARE, LEAVES_MOVING_SHARE = 0.08, 0.55  # of memberships; of those of people who move
BEFORE_DAYS = 700.0  # people had joined a community before they became customers, at most
CONTACTS, IN_COMMUNITY_SHARE, MUTUAL_SHARE = 2.0, 0.65, 0.6
MET_DAYS = 80.0  # after both are there, on average
FIRST_COMMUNITY = 1001
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Communities:
    """One entry per community."""

    kind: np.ndarray  # number in COMMUNITIES
    city: np.ndarray
    segment: np.ndarray  # that likes it

    @property
    def ids(self) -> np.ndarray:
        return FIRST_COMMUNITY + np.arange(len(self.kind))


def draw_communities(settings: CustomerSettings, rng: np.random.Generator) -> Communities:
    """At least one per kind and city."""
    members = settings.people_count * kinds.CITY_SHARES * kinds.COMMUNITY_SHARES[:, None] * JOINS
    counts = np.maximum(np.round(members / MEMBERS[:, None]), 1).astype(int)
    kind, city = (values.ravel() for values in np.indices(counts.shape))
    kind, city = np.repeat(kind, counts.ravel()), np.repeat(city, counts.ravel())
    return Communities(kind, city, rng.integers(0, len(kinds.SEGMENTS), len(kind)))


def draw_memberships(
    people: People, places: Communities, settings: CustomerSettings, rng: np.random.Generator
) -> Columns:
    """person, community, begins and ends (inf: never), in days; each pair once."""
    lot, choose, last = rng.spawn(3)
    moved = np.flatnonzero(np.isfinite(people.changed))
    person = np.concatenate([np.arange(people.count), moved])
    part = np.repeat([0, 1], [people.count, len(moved)])
    joins = lot.poisson(np.where(part == 0, JOINS, JOINS * LEAVES_MOVING_SHARE))
    shares = own_shares(people.segment[person, part], settings, lot)
    counts = lot.multinomial(joins, shares)
    row, kind = (np.repeat(values.ravel(), counts.ravel()) for values in np.indices(counts.shape))
    who, phase = person[row], part[row]
    city = people.city[who, phase]
    away = choose.random(len(row)) >= OWN_CITY_SHARE
    city[away] = choose.choice(len(kinds.CITIES), away.sum(), p=kinds.CITY_SHARES)
    community = pick(places, kind, city, people.segment[who, phase], settings, choose)
    found = {"person": who, "community": community} | spans(people, who, phase, settings, last)
    _, first = np.unique(who * len(places.kind) + community, return_index=True)
    return {name: values[np.sort(first)] for name, values in found.items()}


def own_shares(
    segment: np.ndarray, settings: CustomerSettings, rng: np.random.Generator
) -> np.ndarray:
    """Shares of kinds, one row per person: Dirichlet around those of the segment."""
    shifts = settings.separation * kinds.COMMUNITY_SHIFTS[segment]
    parts = rng.gamma(CONCENTRATION * kinds.shares(kinds.COMMUNITY_SHARES, shifts)) + 1e-9
    return parts / parts.sum(axis=1, keepdims=True)


def pick(
    places: Communities,
    kind: np.ndarray,
    city: np.ndarray,
    segment: np.ndarray,
    settings: CustomerSettings,
    rng: np.random.Generator,
) -> np.ndarray:
    """A community of this kind in this city, rather one that this segment likes."""
    at = rng.random(len(kind))
    found = np.zeros(len(kind), int)
    segments, cities = len(kinds.SEGMENTS), len(kinds.CITIES)
    group = (kind * cities + city) * segments + segment
    order = np.argsort(group, kind="stable")
    edges = np.searchsorted(group[order], np.arange(len(COMMUNITIES) * cities * segments + 1))
    for number in np.unique(group):
        rows = order[edges[number] : edges[number + 1]]
        place, liking = divmod(number, segments)
        there = (places.kind == place // cities) & (places.city == place % cities)
        there = np.flatnonzero(there)
        weight = np.exp(LIKED * settings.separation * (places.segment[there] == liking))
        running = np.cumsum(weight)
        found[rows] = there[np.searchsorted(running, at[rows] * running[-1], side="right")]
    return found


def spans(
    people: People,
    person: np.ndarray,
    part: np.ndarray,
    settings: CustomerSettings,
    rng: np.random.Generator,
) -> Columns:
    """begins, told (when we may learn of it at the earliest) and ends."""
    count = len(person)
    since = np.where(part == 0, people.joined[person], people.changed[person])
    before = (part == 0) & (rng.random(count) < 0.7)
    left = np.maximum(settings.days_count - np.maximum(since, 0.0), 0.0)
    at = rng.random(count)
    begins = np.where(before, since - BEFORE_DAYS * at, since + left * at)
    begins = np.where(part == 1, since + 0.5 * left * at, begins)
    changed = people.changed[person]
    moving = (part == 0) & np.isfinite(changed) & (begins < changed)
    share = np.where(moving, LEAVES_MOVING_SHARE, LEAVES_SHARE)
    leaves = rng.random(count) < share
    from_day = np.where(moving, changed, np.maximum(begins, np.maximum(since, 0.0)))
    ends = from_day + rng.random(count) * 0.5 * np.maximum(settings.days_count - from_day, 0.0)
    told = np.maximum(begins, np.maximum(people.joined[person], 0.0))
    return {"begins": begins, "told": told, "ends": np.where(leaves, ends, np.inf)}


def draw_contacts(
    people: People, memberships: Columns, settings: CustomerSettings, rng: np.random.Generator
) -> Columns:
    """person, contact and at; most of them belong to the same community, many know each other."""
    count = people.count
    person = np.repeat(np.arange(count), rng.poisson(CONTACTS, count))
    contact = rng.integers(0, count, len(person))
    near = rng.random(len(person)) < IN_COMMUNITY_SHARE
    contact = np.where(near, someone_near(person, contact, memberships, count, rng), contact)
    mutual = rng.random(len(person)) < MUTUAL_SHARE
    since = np.maximum(people.joined[person], people.joined[contact])
    at = since + rng.exponential(MET_DAYS, len(person))
    later = rng.exponential(1.0, len(person))
    both = {
        "person": np.concatenate([person, contact[mutual]]),
        "contact": np.concatenate([contact, person[mutual]]),
        "at": np.concatenate([at, (at + later)[mutual]]),
    }
    pair = both["person"] * count + both["contact"]
    _, first = np.unique(pair, return_index=True)
    kept = np.sort(first)
    kept = kept[both["person"][kept] != both["contact"][kept]]
    return {name: values[kept] for name, values in both.items()}


def someone_near(
    person: np.ndarray,
    otherwise: np.ndarray,
    memberships: Columns,
    count: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Somebody of a community of the person, by lot; `otherwise` for those who are in none."""
    by_person = np.argsort(memberships["person"], kind="stable")
    own = np.searchsorted(memberships["person"][by_person], np.arange(count + 1))
    by_community = np.argsort(memberships["community"], kind="stable")
    ordered = memberships["community"][by_community]
    size = (own[1:] - own[:-1])[person]
    place = own[person] + (rng.random(len(person)) * size).astype(int)
    at = rng.random(len(person))
    found = otherwise.copy()
    has = np.flatnonzero(size > 0)
    community = memberships["community"][by_person[place[has]]]
    begin, end = (np.searchsorted(ordered, community, side=side) for side in ("left", "right"))
    member = begin + (at[has] * (end - begin)).astype(int)
    found[has] = memberships["person"][by_community[member]]
    return found
