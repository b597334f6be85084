"""Ties between people: when they begin, how strong they are, how they fade.

A tie has stages of some months. In a stage its strength is constant; from one to the next it fades,
with ups and downs. It ends at the latest when one of both leaves. Those who move to another account
keep some of the ties that they had, weaker, and most of those with us.

Who meets whom follows from who is there at that moment and how central they are, never from how
long they will stay.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.account_tables import FUNCTIONS
from tierwise.simulation import clock
from tierwise.simulation.account_settings import AccountSettings
from tierwise.simulation.careers import HR, MANAGEMENT, OURS, RECRUITING
from tierwise.simulation.companies import BUYING, Companies
from tierwise.simulation.delivery import HOUR, spans
from tierwise.simulation.positions import FIRST_PERSON, Stays, Traits

MONTH_DAYS = 365.25 / 12
FINANCE = FUNCTIONS.index("finance")
NEAR = (HR, RECRUITING, MANAGEMENT, FINANCE)  # functions that we see talk to each other
FAR_SHARE = 0.2  # what we see of the others
TRIES = 5  # to find somebody who is there
AT_START, LATER = 0.27, 0.009  # new ties of one person at the start, and in a month after it
OUR_START, OUR_LATER = 2.5, 0.07  # among our own people
KEPT_INSIDE, KEPT_WITH_US, KEPT_STRENGTH = 0.3, 0.75, 0.6
STAGES_COUNT, STAGE_DAYS, FADE = 14, 110.0, 0.78
STRENGTH, STRENGTH_SPREAD, STAGE_SPREAD = 0.42, 0.8, 0.5  # beginnings of contact in a month
REPLY, AGAIN = 0.55, 0.35  # chance of an answer, and of a word after it


@dataclass(frozen=True)
class Ties:
    """One element per tie and stage. first, second: stays. Days are those of the sender's clock.

    rates: beginnings of contact in a day, by the first and by the second, shape (n, 2).
    """

    first: np.ndarray
    second: np.ndarray
    zone: np.ndarray
    begin_days: np.ndarray
    end_days: np.ndarray
    rates: np.ndarray

    @property
    def strength(self) -> np.ndarray:
        """Expected interactions a month from the first to the second and back, shape (n, 2)."""
        there, back = self.rates[:, 0], self.rates[:, 1]
        one = there * (1 + REPLY * AGAIN) + back * REPLY
        other = back * (1 + REPLY * AGAIN) + there * REPLY
        return np.stack([one, other], axis=1) * MONTH_DAYS


@dataclass(frozen=True)
class Pairs:
    """Stays that come to know each other at a moment; `scale` is on the tie's strength."""

    first: np.ndarray
    second: np.ndarray
    at: np.ndarray
    scale: np.ndarray

    def only(self, rows: np.ndarray) -> "Pairs":
        return Pairs(self.first[rows], self.second[rows], self.at[rows], self.scale[rows])


def joined(parts: list[Pairs]) -> Pairs:
    return Pairs(*(np.concatenate(values) for values in zip(*map(vars_of, parts), strict=True)))


def vars_of(pairs: Pairs) -> tuple[np.ndarray, ...]:
    return pairs.first, pairs.second, pairs.at, pairs.scale


@dataclass(frozen=True)
class Crowd:
    """Stays by account with the weights by which they are met, to draw from in one go."""

    stays: Stays
    order: np.ndarray
    below: np.ndarray  # summed weights before each, by order, one element more
    edges: np.ndarray  # first position of each account in order, one element more

    def draw(self, account: np.ndarray, at: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A stay at each account that is there at that moment; -1 where none is found."""
        drawn = np.full(len(account), -1)
        for _ in range(TRIES):
            rows = np.flatnonzero(drawn < 0)
            low, high = (self.below[self.edges[account[rows] + more]] for more in (0, 1))
            place = np.searchsorted(self.below, low + rng.random(len(rows)) * (high - low), "right")
            found = self.order[np.clip(place - 1, 0, len(self.order) - 1)]
            there = (self.stays.begun[found] <= at[rows]) & (at[rows] < self.stays.ended[found])
            drawn[rows] = np.where(there & (high > low), found, -1)
        return drawn


def crowd(found: Stays, weight: np.ndarray, accounts_count: int) -> Crowd:
    order = np.argsort(found.account, kind="stable")
    below = np.concatenate([[0.0], np.cumsum(weight[order])])
    edges = np.searchsorted(found.account[order], np.arange(accounts_count + 1))
    return Crowd(found, order, below, edges)


def seen_central(found: Stays, traits: Traits) -> np.ndarray:
    """How much of a stay's contacts we see, by its centrality."""
    near = np.isin(found.function, NEAR) | (found.account == OURS)
    return traits.central[found.person] * np.where(near, 1, FAR_SHARE)


def draw_pairs_inside(
    found: Stays, central: np.ndarray, people: Crowd, settings: AccountSettings,
    rng: np.random.Generator,
) -> Pairs:  # fmt: skip
    """At the start, soon after joining, and now and then, people of one company meet."""
    ours = found.account == OURS
    first_at, last_at = settings.months[0], settings.months[-1]
    since, until = np.maximum(found.begun, first_at), np.minimum(found.ended, last_at)
    months = np.maximum((until - since) / np.timedelta64(1, "D"), 0) / MONTH_DAYS
    start = rng.poisson(np.where(ours, OUR_START, AT_START) * central)
    later = rng.poisson(np.where(ours, OUR_LATER, LATER) * central * months)
    first = np.repeat(np.tile(np.arange(len(months)), 2), np.concatenate([start, later]))
    soon = np.arange(len(first)) < start.sum()
    settled = found.begun[first] < first_at
    wait = np.where(settled, 0, rng.exponential(30, len(first))) * 24
    span = (until - since)[first].astype(int) * rng.random(len(first))
    at = since[first] + spans(np.where(soon, wait * HOUR, span))
    second = people.draw(found.account[first], at, rng)
    scale = np.sqrt(central[first] * central[second]) * np.where(ours[first], 2.2, 1)
    kept = (second >= 0) & (second != first) & (at < until[first])
    return Pairs(first, second, at, scale).only(kept)


def draw_pairs_with_us(
    found: Stays, people: Crowd, companies: Companies, owners: pd.DataFrame,
    settings: AccountSettings, rng: np.random.Generator,
) -> Pairs:  # fmt: skip
    """Whoever of ours looks after an account meets some people there; old acquaintances besides.

    owners: account, stay (of ours) and at, since when.
    """
    month = np.searchsorted(settings.months, owners["at"].to_numpy(), side="right") - 1
    buys = companies.customer[owners["account"], month] == BUYING
    counts = rng.poisson(np.where(buys, 3.2, 1.0)) + 1
    rows = np.repeat(np.arange(len(owners)), counts)
    at = owners["at"].to_numpy()[rows] + spans(HOUR * 24 * rng.exponential(120, len(rows)))
    ours = np.flatnonzero(found.account == OURS)
    known = np.repeat(ours, rng.poisson(7, len(ours)))
    since = np.maximum(found.begun[known], settings.months[0])
    first = np.concatenate([owners["stay"].to_numpy()[rows], known])
    anywhere = rng.integers(1, len(companies.name), len(known))
    account = np.concatenate([owners["account"].to_numpy()[rows], anywhere])
    at = np.concatenate([at, since])
    second = people.draw(account, at, rng)
    scale = np.where(np.arange(len(first)) < len(rows), 1.9, 0.8)
    kept = (second >= 0) & (at < found.ended[first])
    return Pairs(first, second, at, scale).only(kept)


def carried_on(pairs: Pairs, found: Stays, rng: np.random.Generator) -> Pairs:
    """Ties that those who moved to another account keep from the one before."""
    after = np.full(len(found.person), -1)
    moved = np.flatnonzero(found.came_from >= 0)
    after[found.came_from[moved]] = moved
    first, second = pairs.first, pairs.second
    mover_first = (after[first] >= 0) & ((after[second] < 0) | (rng.random(len(first)) < 0.5))
    mover = np.where(mover_first, first, second)
    other = np.where(mover_first, second, first)
    place = after[mover]
    chance = np.where(found.account[other] == OURS, KEPT_WITH_US, KEPT_INSIDE)
    kept = (place >= 0) & (rng.random(len(mover)) < chance)
    at = np.maximum(found.begun[place], found.begun[other])
    kept &= (pairs.at < found.ended[mover]) & (at < found.ended[other])
    return Pairs(other, place, at, pairs.scale * KEPT_STRENGTH).only(kept)


def draw_ties(
    pairs: Pairs, found: Stays, companies: Companies, settings: AccountSettings,
    rng: np.random.Generator,
) -> Ties:  # fmt: skip
    """Stages of all ties, up to the end of the world."""
    zone = companies.zone[found.account[pairs.first]]
    until = np.minimum(found.ended[pairs.first], found.ended[pairs.second])
    until = np.maximum(np.minimum(until, settings.months[-1]), pairs.at)
    begin, end = (clock.clock_days(clock.to_local(at, zone)) for at in (pairs.at, until))
    count = len(begin)
    lengths = rng.exponential(STAGE_DAYS, (count, STAGES_COUNT))
    ends = begin[:, None] + np.cumsum(lengths, axis=1)
    begins = ends - lengths
    strength = STRENGTH * pairs.scale * rng.lognormal(0, STRENGTH_SPREAD, count)
    swing = rng.lognormal(0, STAGE_SPREAD, (count, STAGES_COUNT))
    stage = strength[:, None] * FADE ** np.arange(STAGES_COUNT) * swing / MONTH_DAYS
    share = rng.beta(5, 5, count)
    row, column = np.nonzero(begins < end[:, None])
    rates = stage[row, column][:, None] * np.stack([share, 1 - share], axis=1)[row]
    ends = np.minimum(ends, end[:, None])[row, column]
    return Ties(
        pairs.first[row], pairs.second[row], zone[row], begins[row, column], ends, rates
    )  # fmt: skip


def utc(days: np.ndarray, zone: np.ndarray) -> np.ndarray:
    return clock.to_utc(clock.local_times(days), zone)


def ties_table(ties: Ties, found: Stays) -> pd.DataFrame:
    """True strengths: expected interactions a month of from_id with to_id while a stage lasts.

    A month is 30.4 working days of the calendar of clock.py. Copies to others come on top.
    """
    begun, ended = utc(ties.begin_days, ties.zone), utc(ties.end_days, ties.zone)
    first, second = (FIRST_PERSON + found.person[stay] for stay in (ties.first, ties.second))
    table = pd.DataFrame(
        {
            "from_id": np.concatenate([first, second]),
            "to_id": np.concatenate([second, first]),
            "began_at": np.concatenate([begun, begun]),
            "ended_at": np.concatenate([ended, ended]),
            "strength": ties.strength.T.ravel(),
        }
    )
    return table.sort_values(["from_id", "to_id", "began_at"], ignore_index=True)


def strengths(table: pd.DataFrame, at: pd.Timestamp) -> pd.Series:
    """True strength of all ties that are alive at a moment, index (from_id, to_id), ascending.

    table: what ties_table gives. Two who met twice have the sum of both.
    """
    alive = table[(table["began_at"] <= at) & (at < table["ended_at"])]
    return alive.groupby(["from_id", "to_id"])["strength"].sum()
