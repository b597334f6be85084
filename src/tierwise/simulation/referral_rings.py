"""Rings of fraud in a simulated world, and honest groups that look a little like them.

    cycle           each brings the next, and the first follows the link of the last
    burst           one brings all the others within the hour
    same_payment    the others left one means of payment, over some hours
    same_device     the others signed up on one device, in browsers of their own
    sock_puppets    one person from one address, every so many minutes, never bought

    office, family, dormitory    one address, devices of their own, on different days; they live
                                 like everybody else

Hardly anybody of a ring comes a second day. No kind shows in one column alone: members of crowded
networks share addresses, families a device, colleagues sign up one after another.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from tierwise.simulation import referral_templates as texts
from tierwise.simulation.referral_growth import Columns, Grown
from tierwise.simulation.referral_people import CHANNELS, ITSELF, LINK
from tierwise.simulation.referral_settings import ReferralSettings
from tierwise.simulation.referral_traces import CROWDS_COUNT

FRAUD = ("cycle", "burst", "same_payment", "same_device", "sock_puppets")
HONEST = ("office", "family", "dormitory")
CYCLE, BURST, PAYMENT, DEVICE, PUPPETS = range(5)
SIZES = {"office": (6, 15), "family": (3, 5), "dormitory": (8, 15)}
RING_SIZES = (4, 13)
PERIOD = (0.25, 0.985)  # of the time in which rings begin
MINUTE_DAYS = 1 / 1440
HUB_DAYS = 4.0  # since the sign-up of the first until it begins
QUIET_SHARE = 0.88  # of the brought do nothing after the first day
SAME_SHARE = 0.9  # of them have what their kind of ring has in common
CODES_SHARE, SENT_SHARE = 0.2, 0.35  # typed a code; links that were sent, not only copied
OWN_NUMBERS = 1000  # times the honest members: where numbers of rings begin


@dataclass(frozen=True)
class Rings:
    """Accounts of fraud, numbered after the honest members. members: day, parent, visitor,
    device, payment, address, code, channel, asked, ring, kind; the rest as in Grown and Traces."""

    members: Columns
    sendings: Columns
    clicks: Columns
    activity: Columns
    purchases: Columns


def sizes(settings: ReferralSettings, rng: Generator) -> list[int]:
    """Of rings, until there are as many accounts as set."""
    left, found = round(settings.fraud_share * settings.members_count), []
    while left >= RING_SIZES[0]:
        size = min(int(rng.integers(RING_SIZES[0], RING_SIZES[1] + 1)), left)
        found.append(size)
        left -= size
    return found


def draw_rings(grown: Grown, settings: ReferralSettings, rng: Generator) -> Rings:
    size = np.array(sizes(settings, rng), dtype="int64")
    ring = np.repeat(np.arange(len(size)), size)
    turn = np.arange(len(ring)) - np.repeat(size.cumsum() - size, size)
    kind = ring % len(FRAUD)
    first = grown.people.count
    places = first + np.arange(len(ring))
    day = sign_up_days(ring, turn, kind, settings, rng)
    hub = places - turn
    parent = np.where(turn == 0, -1, np.where(kind == CYCLE, places - 1, hub))
    members = {"day": day, "parent": parent, "came": np.where(turn == 0, ITSELF, LINK)}
    members |= {"ring": ring, "kind": kind, "turn": turn, "visitor": own(places, grown)}
    members |= in_common(hub, turn, kind, grown, rng)
    members["asked"] = rng.random(len(ring)) >= settings.never_invited_share
    members["channel"] = rng.integers(0, len(CHANNELS), len(ring))
    sendings, link = ring_links(members, places, grown, settings, rng)
    brought = np.flatnonzero(turn > 0)
    by = np.full(len(ring), -1)
    by[brought] = link[parent[brought] - first]
    typed = rng.random(len(ring)) < CODES_SHARE
    members |= {"by": by, "code": np.where(typed, by, -1)}
    clicks = ring_clicks(members, link, size, rng)
    lives = ring_lives(members, places, settings, rng)
    return Rings(members, sendings, clicks, *lives)


def own(places: np.ndarray, grown: Grown) -> np.ndarray:
    """Numbers that nobody honest has."""
    return OWN_NUMBERS * (grown.people.count + 1) + places


def sign_up_days(
    ring: np.ndarray,
    turn: np.ndarray,
    kind: np.ndarray,
    settings: ReferralSettings,
    rng: Generator,
) -> np.ndarray:
    count = int(ring.max(initial=-1)) + 1
    late = rng.random(count) ** 0.5  # there are more of them as the company grows
    start = settings.days_count * (PERIOD[0] + (PERIOD[1] - PERIOD[0]) * late)
    step = np.array([8, 4, 45, 12, 25])[kind] * MINUTE_DAYS
    noise = np.where(kind == PUPPETS, 0.08, 0.5)
    waits = step * (1 + noise * rng.uniform(-1, 1, len(ring)))
    waits[turn == 0] = 0.0
    waits[turn == 1] += rng.exponential(HUB_DAYS, count) + MINUTE_DAYS * 15
    total = waits.cumsum()
    firsts = np.flatnonzero(turn == 0)
    return start[ring] + total - total[firsts][ring]


def in_common(
    hub: np.ndarray, turn: np.ndarray, kind: np.ndarray, grown: Grown, rng: Generator
) -> Columns:
    """Device, payment (-1: none) and address."""
    places = hub + turn
    mine, theirs = own(places, grown), own(hub, grown)
    same = (rng.random(len(hub)) < SAME_SHARE) & (turn > 0)
    hub_too = rng.random(len(hub)) < 0.5
    hub_too = hub_too[hub - hub.min()] if len(hub) else hub_too  # of the whole ring
    partner = np.where(hub_too, theirs, own(hub + 1, grown))
    device = np.where((kind == DEVICE) & same, partner, mine)
    payment = np.where(rng.random(len(hub)) < 0.3, mine, -1)
    payment = np.where(kind == PAYMENT, np.where(same, partner, mine), payment)
    share = np.array([0.5, 0.4, 0.2, 0.8, 1.0])[kind]
    crowd = rng.integers(0, CROWDS_COUNT, len(hub))
    address = np.where(rng.random(len(hub)) < 0.3, crowd, mine)
    address = np.where(rng.random(len(hub)) < share, theirs, address)
    return {"device": device, "payment": payment, "address": address}


def ring_links(
    members: Columns,
    places: np.ndarray,
    grown: Grown,
    settings: ReferralSettings,
    rng: Generator,
) -> tuple[Columns, np.ndarray]:
    """A link for each hub, and for each of a cycle; and of each account the place of its link."""
    sends = np.flatnonzero((members["turn"] == 0) | (members["kind"] == CYCLE))
    link = np.full(len(places), -1)
    link[sends] = len(grown.sendings["day"]) + np.arange(len(sends))
    day = members["day"][sends] + rng.uniform(0.5, 2, len(sends)) * MINUTE_DAYS
    later = day >= texts.POLICY_PART * settings.days_count
    interest = np.full(len(sends), len(texts.INTERESTS))
    recipients = 1 + rng.poisson(6, len(sends))
    recipients[rng.random(len(sends)) >= SENT_SHARE] = 0
    columns = {"member": places[sends], "day": day, "later": later, "interest": interest}
    columns["template"] = texts.draw(later, interest, rng)
    return columns | {"recipients": recipients}, link


def ring_clicks(members: Columns, link: np.ndarray, size: np.ndarray, rng: Generator) -> Columns:
    """Everybody follows the link that brings it; the first of a cycle follows that of the last."""
    brought = np.flatnonzero(members["turn"] > 0)
    firsts = size.cumsum() - size
    closes = firsts[np.arange(len(size)) % len(FRAUD) == CYCLE]
    lasts = closes + size[np.arange(len(size)) % len(FRAUD) == CYCLE] - 1
    who = np.r_[brought, closes]
    before = members["day"][brought] - rng.uniform(0.2, 1.5, len(brought)) * MINUTE_DAYS
    after = members["day"][lasts] + rng.uniform(3, 20, len(lasts)) * MINUTE_DAYS
    columns = {"link": np.r_[members["by"][brought], link[lasts]], "day": np.r_[before, after]}
    return columns | {name: members[name][who] for name in ("visitor", "device", "address")}


def ring_lives(
    members: Columns, places: np.ndarray, settings: ReferralSettings, rng: Generator
) -> tuple[Columns, Columns]:
    """Days with a few actions, hardly ever a second one; some buy once, for the reward."""
    day, turn, kind = members["day"], members["turn"], members["kind"]
    more = np.where(rng.random(len(day)) < QUIET_SHARE, 0, 1 + rng.poisson(2.0, len(day)))
    more[turn == 0] = 2 + rng.poisson(3.0, int((turn == 0).sum()))
    row = np.repeat(np.arange(len(day)), 1 + more)
    step = np.arange(len(row)) - np.repeat((1 + more).cumsum() - 1 - more, 1 + more)
    gone = np.floor(day[row]).astype("int64") + step * rng.integers(1, 3, len(row))
    pairs = np.unique(np.c_[row, gone], axis=0)
    pairs = pairs[pairs[:, 1] < settings.days_count]
    actions = 1 + rng.poisson(0.6, len(pairs))
    activity = {"member": places[pairs[:, 0]], "day": pairs[:, 1], "actions": actions}
    chance = np.array([0.06, 0.06, 0.45, 0.06, 0.03])[kind]
    buys = np.flatnonzero((rng.random(len(day)) < chance) & (turn > 0))
    at = day[buys] + rng.exponential(1.0, len(buys))
    bought = {"member": places[buys], "day": at, "amount_eur": np.full(len(buys), 9.99)}
    kept = at < settings.days_count
    return activity, {name: values[kept] for name, values in bought.items()}


def draw_groups(grown: Grown, settings: ReferralSettings, rng: Generator) -> Columns:
    """Honest groups: member, group, kind. One of them brought others; the rest joined since."""
    people = grown.people
    left = round(settings.honest_share * people.count)
    friends = np.bincount(people.parent[people.came == LINK], minlength=people.count)
    hosts = rng.permutation(np.flatnonzero(friends >= 2))
    free = np.ones(people.count, bool)
    members: list[np.ndarray] = []
    kinds: list[int] = []
    for host in hosts:
        if left <= 0:
            break
        kind = len(kinds) % len(HONEST)
        lowest, most = SIZES[HONEST[kind]]
        wanted = int(rng.integers(lowest, most + 1))
        group = one_group(grown, int(host), free, wanted, rng)
        if len(group) < lowest:
            continue
        free[group] = False
        members.append(group)
        kinds.append(kind)
        left -= len(group)
    number = np.repeat(np.arange(len(kinds)), [len(group) for group in members])
    member = np.concatenate([np.zeros(0, "int64"), *members])
    return {"member": member, "group": number, "kind": np.array(kinds, "int64")[number]}


def one_group(grown: Grown, host: int, free: np.ndarray, wanted: int, rng: Generator) -> np.ndarray:
    """The host, whom it brought, and others who signed up within 90 days of it."""
    people = grown.people
    brought = np.flatnonzero((people.parent == host) & (people.came == LINK) & free)
    wait = people.day - people.day[host]
    near = np.flatnonzero((wait > 0) & (wait < 90) & free & (people.parent != host))
    others = rng.permutation(near)[: max(wanted - 1 - len(brought), 0)]
    if not free[host]:
        return np.zeros(0, "int64")
    return np.r_[host, brought[: wanted - 1], others]
