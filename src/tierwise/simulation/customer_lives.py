"""What simulated customers do from day to day, and what makes them buy.

Each person is in a state; how often it comes depends on that, on the segment and on itself:

    new, returning    comes often for some weeks, then becomes active or dormant
    active            comes now and then, becomes dormant some day
    dormant           hardly ever comes, returns some day

A session begins with a visit and holds a few other events. Every event adds its weight to the wish
to buy, which fades: half of it is lost in half_life_days. A purchase follows the wish at the end of
the day before and nothing else of the past, at the rate

    exp(BUYING + shift of the segment + own + effect of a hypothesis) x (1 + wish) ^ WISH_POWER

a day. So state and recency tell who buys only by what they tell of the wish.
"""

from dataclasses import dataclass

import numpy as np

from tierwise.simulation import customer_kinds as kinds
from tierwise.simulation.customer_people import People
from tierwise.simulation.customer_settings import CustomerSettings

STATES = ("new", "active", "dormant", "returning")
NEW, ACTIVE, DORMANT, RETURNING = range(4)
COMES = np.array([0.30, 0.115, 0.006, 0.30])  # sessions a day, by state
STAYS_DAYS = np.array([20.0, 110.0, 170.0, 12.0])  # on average
GOES_ON = np.array([0.6, 0.0, 0.0, 0.5])  # chance that it is active after that, else dormant
EARLIER = (0.23, 0.72, 0.05)  # shares of active, dormant, returning long before the first day
WARM_UP_DAYS = 150  # are lived before the first day, and told to nobody
MORE_EVENTS = 1.4  # beside the visit that begins a session, on average
BUYING, WISH_POWER = -6.9, 0.9  # log rate a day without a wish
IN_CART_SHARE = 0.85  # of purchases go through the cart in the same session
BOOST_DAYS = 30  # so long a variant of a hypothesis moves purchases
VALUE_DAYS, VALUE_DRAWS = 90, 8
Columns = dict[str, np.ndarray]


@dataclass
class Crowd:
    """People of a moment, shape (n,) each; state, wish and boosts change from day to day."""

    state: np.ndarray
    wish: np.ndarray
    sessions: np.ndarray  # a day while the factor of the state is 1
    choices: np.ndarray  # (n, n_choices), running totals of the shares
    buying: np.ndarray  # log rate a day without a wish
    boost: np.ndarray  # on that
    boosted_until: np.ndarray


@dataclass(frozen=True)
class Lives:
    """All that happened.

    events: person, day (whole), session (number), kind; in the order in which it happened on a
    day. spells: person, state, day. crowd: everybody at the end.
    """

    events: Columns
    spells: Columns
    crowd: Crowd


def begun(people: People, settings: CustomerSettings, rng: np.random.Generator) -> Crowd:
    count = people.count
    state = rng.choice([ACTIVE, DORMANT, RETURNING], count, p=EARLIER)
    crowd = Crowd(
        state=np.where(people.joined > -WARM_UP_DAYS, NEW, state),
        wish=np.zeros(count),
        sessions=np.zeros(count),
        choices=np.zeros((count, len(kinds.CHOICES))),
        buying=np.zeros(count),
        boost=np.zeros(count),
        boosted_until=np.full(count, -np.inf),
    )
    belong(crowd, people, np.arange(count), 0, settings)
    return crowd


def belong(
    crowd: Crowd, people: People, rows: np.ndarray, part: int, settings: CustomerSettings
) -> None:
    """These people act as their segment does before (part 0) or after having moved (1)."""
    far, segment = settings.separation, people.segment[rows, part]
    factor = people.lively[rows] * settings.activity_factor
    crowd.sessions[rows] = factor * np.exp(far * kinds.ACTIVITY_SHIFTS[segment])
    crowd.choices[rows] = np.cumsum(people.choices[rows, part], axis=1)
    crowd.buying[rows] = BUYING + far * kinds.BUYING_SHIFTS[segment] + people.buying[rows]


def live(
    people: People, settings: CustomerSettings, boosts: Columns, rng: np.random.Generator
) -> Lives:
    """boosts: person, day (whole, ascending) and effect of touches that move purchases."""
    crowd = begun(people, settings, rng)
    first_day = np.floor(people.joined)
    change_day = np.ceil(people.changed)
    events, spells = [], [first_spells(people, crowd)]
    for day in range(-WARM_UP_DAYS, settings.days_count):
        belong(crowd, people, np.flatnonzero(change_day == day), 1, settings)
        boosted(crowd, boosts, day)
        there = np.flatnonzero(first_day < day)
        moved = change_state(crowd, there, rng)
        happened = spend_day(crowd, there, day, settings, rng)
        spells.append({"person": moved, "state": crowd.state[moved], "day": 0 * moved + day})
        if day >= 0:
            events.append(happened | {"day": np.full(len(happened["person"]), day)})
    signed = np.flatnonzero(people.joined >= 0)
    events.append(sign_ups(signed, first_day[signed]))
    return Lives(joined_up(events), joined_up(spells), crowd)


def first_spells(people: People, crowd: Crowd) -> Columns:
    """The state in which everybody is when they join, or when we begin to look."""
    return {
        "person": np.arange(people.count),
        "state": crowd.state.copy(),
        "day": np.floor(np.maximum(people.joined, -WARM_UP_DAYS)).astype(int),
    }


def sign_ups(person: np.ndarray, day: np.ndarray) -> Columns:
    """The first event of those who join."""
    kind = np.full(len(person), kinds.SIGNED_UP)
    return {"person": person, "session": 0 * person, "kind": kind, "day": day.astype(int)}


def joined_up(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[-1]}


def boosted(crowd: Crowd, boosts: Columns, day: int) -> None:
    """A touch of the day before moves purchases from today on."""
    begin, end = np.searchsorted(boosts["day"], [day - 1, day])
    rows = boosts["person"][begin:end]
    crowd.boost[rows] = boosts["effect"][begin:end]
    crowd.boosted_until[rows] = day + BOOST_DAYS


def change_state(crowd: Crowd, there: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some move to another state; returns who."""
    state = crowd.state[there]
    moves = rng.random(len(there)) < 1 / STAYS_DAYS[state]
    rows, before = there[moves], state[moves]
    goes_on = rng.random(len(rows)) < GOES_ON[before]
    after = np.where(before == DORMANT, RETURNING, np.where(goes_on, ACTIVE, DORMANT))
    crowd.state[rows] = after
    return rows


def rate(crowd: Crowd, rows: np.ndarray, day: int) -> np.ndarray:
    """Purchases a day."""
    boost = np.where(day < crowd.boosted_until[rows], crowd.boost[rows], 0.0)
    return np.exp(crowd.buying[rows] + boost) * (1 + crowd.wish[rows]) ** WISH_POWER


def spend_day(
    crowd: Crowd,
    there: np.ndarray,
    day: int,
    settings: CustomerSettings,
    rng: np.random.Generator,
) -> Columns:
    """person, session and kind of what happens; changes the wish to buy."""
    chance = -np.expm1(-crowd.sessions[there] * COMES[crowd.state[there]])
    comes = there[rng.random(len(there)) < chance]
    buys = there[rng.random(len(there)) < -np.expm1(-rate(crowd, there, day))]
    happened = joined_up([sessions(crowd, comes, rng), purchases(buys, rng)])
    added = kinds.WEIGHTS[happened["kind"]]
    crowd.wish[there] *= 0.5 ** (1 / settings.half_life_days)
    crowd.wish += np.bincount(happened["person"], added, minlength=len(crowd.wish))
    return happened


def sessions(crowd: Crowd, person: np.ndarray, rng: np.random.Generator) -> Columns:
    """A visit, then what else they do, by their own leanings."""
    sizes = 1 + rng.poisson(MORE_EVENTS, len(person))
    rows = np.repeat(person, sizes)
    first = np.cumsum(sizes) - sizes
    place = (rng.random(len(rows))[:, None] >= crowd.choices[rows, :-1]).sum(axis=1)
    kind = kinds.CHOICES[place]
    kind[first] = kinds.VISIT
    return {"person": rows, "session": np.repeat(np.arange(len(person)), sizes), "kind": kind}


def purchases(person: np.ndarray, rng: np.random.Generator) -> Columns:
    """A session of its own: a visit, mostly the cart, the purchase. Numbers do not meet others'."""
    in_cart = rng.random(len(person)) < IN_CART_SHARE
    steps = np.array([kinds.VISIT, kinds.ADD_TO_CART, kinds.PURCHASE])
    kept = np.stack([np.ones_like(in_cart), in_cart, np.ones_like(in_cart)], 1).ravel()
    session = -1 - np.repeat(np.arange(len(person)), 3)
    everything = {"person": np.repeat(person, 3), "session": session}
    everything["kind"] = np.tile(steps, len(person))
    return {name: values[kept] for name, values in everything.items()}


def value_eur(
    people: People, crowd: Crowd, settings: CustomerSettings, rng: np.random.Generator
) -> np.ndarray:
    """What each person is expected to spend in the 90 days after the world's end.

    The mean of several futures, in each of them the sum of the rates, not of what was drawn.
    """
    count, day = people.count, settings.days_count
    names = ("state", "wish", "sessions", "buying", "boost", "boosted_until")
    futures = {name: np.tile(getattr(crowd, name), VALUE_DRAWS) for name in names}
    many = Crowd(choices=np.tile(crowd.choices, (VALUE_DRAWS, 1)), **futures)
    everyone, bought = np.arange(count * VALUE_DRAWS), np.zeros(count * VALUE_DRAWS)
    for later in range(VALUE_DAYS):
        change_state(many, everyone, rng)
        bought += -np.expm1(-rate(many, everyone, day + later))
        spend_day(many, everyone, day + later, settings, rng)
    mean = np.exp(amount_level(people, settings, np.arange(count), np.full(count, day)))
    return bought.reshape(VALUE_DRAWS, count).mean(axis=0) * mean * np.exp(amount_sd() ** 2 / 2)


def amount_level(
    people: People, settings: CustomerSettings, person: np.ndarray, day: np.ndarray
) -> np.ndarray:
    """Mean of the logarithm of an amount in euros."""
    segment = people.at("segment", person, day)
    shift = settings.separation * kinds.AMOUNT_SHIFTS[segment]
    return kinds.AMOUNT + shift + people.spending[person]


def amount_sd() -> float:
    return kinds.AMOUNT_SD
