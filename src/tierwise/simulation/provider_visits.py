"""Bookings of a simulated marketplace, and who stops after a visit.

A round is one booking of every customer who is still there, so that customers are worked on
together. After each visit the customer

    feels      pleasure = its level + QUALITY x quality of the provider + noise of the visit
    marks      adds a favourite or takes it away, black-lists, each by pleasure
    leaves     is diverted by a provider that leaks, if pleased and not for the first time there;
               or stops: log odds by visit number, segment, provider and the noise of the visit
    or goes on after a gap at its own rate, with the same provider the more readily if pleased

What a round does knows nothing of later ones. Days are counted from the first moment of the world.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit

from tierwise.simulation import provider_choice
from tierwise.simulation.provider_bookings import DONE, HOUR, LEAST_LEAD, MINUTE, Columns, ended
from tierwise.simulation.provider_customers import Market

QUALITY, NOISE_SD = 0.5, 1.0  # in pleasure, per standard deviation
STOP, STOP_LATER, STOP_OFFICE, STOP_NOISE = -1.6, -0.45, -0.3, -0.35  # on log odds to stop
FAVOURITE, UNFAVOURITE, REFUSE = (-2.4, 0.9), (-4.2, -0.8), (-7.2, -1.1)  # base, per pleasure
MARKED_DAYS = 2.0  # after the visit at the latest
DIVERTED, DIVERTED_FAVOURITE, DIVERT_PLEASURE = 0.30, 0.55, 0.5  # chance per visit; from then on
SOON_DAYS = 6.0  # until the next booking after one that came to nothing, on average
STAYS, STOPPED, LED_AWAY = 0, 1, 2
SLOTS = np.arange(7, 19, 0.5)  # o'clock
EARLIEST = 2 * HOUR  # of a booking: on the clock of UTC, too, the world has begun
LEAD_DAYS, AT_ONCE_DAYS = 4.0, 0.7
AT_ONCE = (-1.0, 0.5)  # log odds to book again within a day or so: base, per pleasure


@dataclass
class State:
    """What each customer is up to; changed from round to round."""

    due: np.ndarray  # next wish, days
    free: np.ndarray  # when the last booking was over
    number: np.ndarray  # visits so far
    last: np.ndarray  # provider of the last visit, -1 before it
    pleasure: np.ndarray  # of the last visit
    end: np.ndarray  # STAYS, STOPPED, LED_AWAY
    ended: np.ndarray
    visits: np.ndarray  # with each provider, shape (n_customers, n_providers)
    liked: np.ndarray  # favourites, same shape
    refused: np.ndarray  # black list, same shape
    bookings: list[Columns] = field(default_factory=list)
    favourites: list[Columns] = field(default_factory=list)
    refusals: list[Columns] = field(default_factory=list)


@dataclass(frozen=True)
class Visits:
    """All that happened.

    bookings: customer, provider, promised, booked, chosen, number (of the visit), what `ended`
    adds, quarter, noise, pleasure, rest (log odds to stop without the provider's effect), stopped,
    diverted. favourites: customer, provider, at, added. refusals: customer, provider, at.
    end, ended: per customer.
    """

    bookings: Columns
    favourites: Columns
    refusals: Columns
    end: np.ndarray
    ended: np.ndarray


def draw_visits(market: Market, rng: np.random.Generator) -> Visits:
    when, choose, ends, feel, mark, leave = rng.spawn(6)
    state = begun(market)
    while True:
        rows, promised = next_slots(state, market, when)
        booked = book(state, rows, promised, market, choose)
        booked["booked"] = booked_at(state, booked, when)
        booked |= ended(booked, market.providers, ends)
        booked |= felt(booked, market, feel)
        done = booked["status"] == DONE
        visit = {name: values[done] for name, values in booked.items()}
        marked(state, visit, mark)
        for name, values in left(state, visit, market, leave).items():
            booked[name] = np.zeros(len(done), values.dtype)
            booked[name][done] = values
        go_on(state, booked, market, when)
        state.bookings.append(booked)
        if not len(rows):
            break
    bookings, favourites = joined(state.bookings), joined(state.favourites)
    return Visits(bookings, favourites, joined(state.refusals), state.end, state.ended)


def begun(market: Market) -> State:
    count = len(market.customers.level)
    shape = (count, len(market.providers.size))
    return State(
        due=market.customers.begins.copy(),
        free=np.full(count, -np.inf),
        number=np.zeros(count, int),
        last=np.full(count, -1),
        pleasure=np.zeros(count),
        end=np.full(count, STAYS),
        ended=np.full(count, np.nan),
        visits=np.zeros(shape, "uint16"),
        liked=np.zeros(shape, bool),
        refused=np.zeros(shape, bool),
    )


def joined(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def next_slots(
    state: State, market: Market, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Customers who book once more before the end of the world, and the promised moments.

    Nobody serves on Sundays, nor at night.
    """
    days_count, weekday = market.settings.days_count, market.settings.first_at.weekday()
    rows = np.flatnonzero((state.end == STAYS) & (state.due < days_count))
    clock = SLOTS[rng.integers(0, len(SLOTS), len(rows))] / 24
    day = np.floor(state.due[rows])
    day += day + clock < state.free[rows] + LEAST_LEAD + HOUR
    day += (day + weekday) % 7 == 6  # Monday is 0
    inside = day < days_count
    state.due[rows[~inside]] = np.inf
    return rows[inside], (day + clock)[inside]


def book(
    state: State, rows: np.ndarray, promised: np.ndarray, market: Market, rng: np.random.Generator
) -> Columns:
    """customer, provider, promised, chosen and number; without those whom nobody can serve."""
    last = state.last[rows]
    same = provider_choice.stays(state.pleasure[rows], market.customers.loyal[rows], rng)
    same &= (last >= 0) & market.providers.there(last, promised) & ~state.refused[rows, last]
    chosen = rng.random(len(rows)) < market.settings.chosen_share
    provider, other = last.copy(), ~same
    provider[other] = provider_choice.another(
        market,
        rows[other],
        promised[other],
        state.number[rows[other]] == 0,
        chosen[other],
        state.refused,
        rng,
    )
    found = provider >= 0
    state.due[rows[~found]] += SOON_DAYS
    columns = {"customer": rows, "provider": provider, "promised": promised}
    columns |= {"chosen": chosen | same, "number": state.number[rows] + 1}
    return {name: values[found] for name, values in columns.items()}


def booked_at(state: State, booked: Columns, rng: np.random.Generator) -> np.ndarray:
    """When they booked: the pleased often at once, others some days ahead."""
    rows, latest = booked["customer"], booked["promised"] - LEAST_LEAD
    base, slope = AT_ONCE
    at_once = rng.random(len(rows)) < expit(base + slope * state.pleasure[rows])
    at_once &= state.last[rows] >= 0
    free = np.maximum(state.free[rows] + HOUR / 6, EARLIEST)
    soon = free + rng.exponential(AT_ONCE_DAYS, len(rows))
    ahead = np.maximum(latest - rng.exponential(LEAD_DAYS, len(rows)), free)
    return np.minimum(np.where(at_once, soon, ahead), latest)


def felt(booked: Columns, market: Market, rng: np.random.Generator) -> Columns:
    """quarter, noise and pleasure, both only of use where somebody was served."""
    quarter = market.settings.quarter_of(booked["promised"])
    noise = rng.normal(0, NOISE_SD, len(quarter))
    quality = market.providers.quality[booked["provider"], quarter]
    pleasure = market.customers.level[booked["customer"]] + QUALITY * quality + noise
    return {"quarter": quarter, "noise": noise, "pleasure": pleasure}


def marked(state: State, visit: Columns, rng: np.random.Generator) -> None:
    """Favourites and black lists. Whoever black-lists a favourite takes it away, too."""
    pair = visit["customer"], visit["provider"]
    state.visits[pair] += 1
    liked, count = state.liked[pair], len(visit["customer"])
    like, dislike, refuse = (
        rng.random(count) < expit(base + slope * visit["pleasure"])
        for base, slope in (FAVOURITE, UNFAVOURITE, REFUSE)
    )
    added = ~liked & like
    refused = refuse & ~added
    changed = added | (liked & (dislike | refused))
    state.liked[pair] = liked ^ changed
    state.refused[pair] = refused
    delay = np.minimum(rng.exponential(0.4, count) + MINUTE, MARKED_DAYS)
    told = {"customer": pair[0], "provider": pair[1], "at": visit["over"] + delay, "added": added}
    state.favourites.append({name: values[changed] for name, values in told.items()})
    state.refusals.append({name: values[refused] for name, values in told.items()})


def left(state: State, visit: Columns, market: Market, rng: np.random.Generator) -> Columns:
    """Who leaves after this visit: rest, stopped and diverted."""
    customer, provider = visit["customer"], visit["provider"]
    state.number[customer] += 1
    state.last[customer], state.pleasure[customer] = provider, visit["pleasure"]
    rest = STOP + STOP_LATER * np.log(visit["number"])
    rest = rest + STOP_OFFICE * market.customers.office[customer] + STOP_NOISE * visit["noise"]
    odds = rest + market.providers.effect[provider, visit["quarter"]]
    regular = market.providers.leaks[provider] & (state.visits[customer, provider] >= 2)
    regular &= visit["pleasure"] > DIVERT_PLEASURE
    chance = np.where(state.liked[customer, provider], DIVERTED_FAVOURITE, DIVERTED)
    diverted = regular & (rng.random(len(customer)) < chance)
    stopped = (rng.random(len(customer)) < expit(odds)) & ~diverted
    gone = stopped | diverted
    state.end[customer[gone]] = np.where(diverted, LED_AWAY, STOPPED)[gone]
    state.ended[customer[gone]] = visit["over"][gone]
    return {"rest": rest, "stopped": stopped, "diverted": diverted}


def go_on(state: State, booked: Columns, market: Market, rng: np.random.Generator) -> None:
    """The next wish: at the own rate after a visit, sooner after what came to nothing."""
    customer = booked["customer"]
    gap = rng.exponential(1 / market.customers.per_day[customer])
    soon = rng.exponential(SOON_DAYS, len(customer))
    gap = np.where(booked["status"] == DONE, gap, np.minimum(gap, soon))
    state.free[customer] = booked["over"]
    state.due[customer] = booked["over"] + gap
