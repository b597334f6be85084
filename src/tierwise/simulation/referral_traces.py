"""What is seen of a sign-up in a simulated world: browsers, devices, clicks, codes, addresses.

    same browser    whoever was brought signs up in the browser in which they clicked
    code            cookies were cleared between; they type the code of the link
    lost            another browser on another device, and no code: nobody can know

Browsers and devices are numbers: first those of the members, then those of strangers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from tierwise.simulation.referral_growth import Columns, Grown
from tierwise.simulation.referral_people import ITSELF, LINK, SHARED
from tierwise.simulation.referral_settings import ReferralSettings

BROWSER, BY_CODE, LOST = range(3)
TRACE_SHARES = (0.87, 0.07, 0.06)
SOON_SHARE = 0.8  # sign up minutes after they clicked; the others days after
SOON_DAYS, AFTER_DAYS = 0.02, 4.0
CURIOUS_SHARE = 0.16  # of the recipients who do not sign up click all the same
AGAIN_SHARE = 0.25  # of those who clicked do it once more
CHANCE_SHARE = 0.01  # of those who came by themselves had clicked on somebody's link
RECENT_COUNT = 20  # it was one of so many latest, on average
SAME_DEVICE_SHARE = 0.005  # of the brought sign up on the device of who brought them
SAME_ADDRESS_SHARE = 0.07  # and so many from the same address
CROWD_SHARE, CROWDS_COUNT = 0.20, 60  # from an address of a mobile network that many have
OTHER_DEVICE_SHARE = 0.05  # clicked on another device, with the same browser account
BACK_SHARE = 0.02  # of the brought have a link on which who brought them clicks, to see it
KNOWN_SHARE = 0.35  # of all openings are by members


@dataclass(frozen=True)
class Traces:
    """Of members: device, address, code (place of a sending, or -1) and how they came (trace).

    clicks: link (place of a sending), day, visitor, device, address. openings: member, day,
    visitor, item.
    """

    trace: np.ndarray
    device: np.ndarray
    address: np.ndarray
    code: np.ndarray
    clicks: Columns
    openings: Columns


def draw_traces(grown: Grown, settings: ReferralSettings, rng: Generator) -> Traces:
    who, click, opens = rng.spawn(3)
    people = grown.people
    count, linked = people.count, people.came == LINK
    trace = who.choice(3, count, p=TRACE_SHARES)
    places = np.arange(count)
    device = np.where(linked & (who.random(count) < SAME_DEVICE_SHARE), people.parent, places)
    address = CROWDS_COUNT + places
    near = linked & (who.random(count) < SAME_ADDRESS_SHARE)
    address[near] = CROWDS_COUNT + people.parent[near]
    crowd = who.random(count) < CROWD_SHARE
    address[crowd] = who.integers(0, CROWDS_COUNT, crowd.sum())
    code = np.where(linked & (trace == BY_CODE), people.by, -1)
    clicks = draw_clicks(grown, (trace, device, address), settings, click)
    return Traces(
        trace, device, address, code, clicks, draw_openings(grown, trace, settings, opens)
    )


def before(start: np.ndarray, end: np.ndarray, rng: Generator) -> np.ndarray:
    """Days of what led to something at `end`: mostly minutes before, sometimes since `start`."""
    soon = end - rng.exponential(SOON_DAYS, len(end))
    late = end - rng.exponential(AFTER_DAYS, len(end))
    found = np.where(rng.random(len(end)) < SOON_SHARE, soon, late)
    room = np.maximum(end - start, 0.0) * rng.random(len(end))
    return np.where(found < start, end - room, found)


def draw_clicks(
    grown: Grown,
    seen: tuple[np.ndarray, np.ndarray, np.ndarray],
    settings: ReferralSettings,
    rng: Generator,
) -> Columns:
    """Those of friends, of curious recipients, and of some who come by themselves all the same."""
    people, sendings = grown.people, grown.sendings
    friend = np.flatnonzero(people.came == LINK)
    trace, device, address = (values[friend] for values in seen)
    link, end = people.by[friend], people.day[friend]
    other = people.count + np.arange(len(friend))
    elsewhere = (trace == LOST) | (rng.random(len(friend)) < OTHER_DEVICE_SHARE)
    ours = {
        "link": link,
        "day": before(sendings["day"][link], end, rng),
        "visitor": np.where(trace == BROWSER, friend, other),
        "device": np.where(elsewhere, other, device),
        "address": address,
    }
    first = people.count + len(friend)
    curious = curious_clicks(grown, first, settings, rng)
    stray = stray_clicks(grown, seen, rng)
    back = back_clicks(grown, seen, settings, rng)
    parts = (ours, curious, stray, back)
    every = {name: np.concatenate([part[name] for part in parts]) for name in ours}
    again = np.flatnonzero(rng.random(len(every["day"])) < AGAIN_SHARE)
    more = {name: values[again] for name, values in every.items()}
    start = sendings["day"][more["link"]]
    more["day"] = start + (more["day"] - start) * rng.random(len(again))
    return {name: np.r_[every[name], more[name]] for name in every}


def curious_clicks(grown: Grown, first: int, settings: ReferralSettings, rng: Generator) -> Columns:
    sendings = grown.sendings
    came = np.bincount(grown.people.by[grown.people.came == LINK], minlength=len(sendings["day"]))
    rest = np.maximum(sendings["recipients"] - came, 0)
    link = np.repeat(np.arange(len(rest)), rng.binomial(rest, CURIOUS_SHARE))
    visitor = first + np.arange(len(link))
    day = sendings["day"][link] + rng.exponential(3.0, len(link))
    address = CROWDS_COUNT + visitor
    crowd = rng.random(len(link)) < CROWD_SHARE
    address[crowd] = rng.integers(0, CROWDS_COUNT, crowd.sum())
    columns = {"link": link, "day": day, "visitor": visitor, "device": visitor, "address": address}
    kept = day < settings.days_count
    return {name: values[kept] for name, values in columns.items()}


def stray_clicks(
    grown: Grown, seen: tuple[np.ndarray, np.ndarray, np.ndarray], rng: Generator
) -> Columns:
    """Of members whom no link brought, though they saw a recent one before they signed up."""
    people, sendings = grown.people, grown.sendings
    _, device, address = seen
    who = np.flatnonzero((people.came == ITSELF) & (rng.random(people.count) < CHANCE_SHARE))
    day = people.day[who] - rng.exponential(8.0, len(who))
    order = np.argsort(sendings["day"], kind="stable")
    there = np.searchsorted(sendings["day"][order], day)
    chosen = there - np.minimum(rng.geometric(1 / RECENT_COUNT, len(who)), there)
    kept = there > 0
    who, day, link = who[kept], day[kept], order[chosen[kept]]
    columns = {"link": link, "day": day, "visitor": who}
    return columns | {"device": device[who], "address": address[who]}


def back_clicks(
    grown: Grown,
    seen: tuple[np.ndarray, np.ndarray, np.ndarray],
    settings: ReferralSettings,
    rng: Generator,
) -> Columns:
    """Of members who look at a link of somebody whom they brought."""
    people, sendings = grown.people, grown.sendings
    _, device, address = seen
    owner = sendings["member"]
    who = people.parent[owner]
    day = sendings["day"] + rng.exponential(2.0, len(owner))
    looks = (people.came[owner] == LINK) & (rng.random(len(owner)) < BACK_SHARE)
    link = np.flatnonzero(looks & (day < settings.days_count))
    who, day = who[link], day[link]
    columns = {"link": link, "day": day, "visitor": who}
    return columns | {"device": device[who], "address": address[who]}


def draw_openings(
    grown: Grown, trace: np.ndarray, settings: ReferralSettings, rng: Generator
) -> Columns:
    """Openings of shared items: who signs up, strangers, and members who know the sharer."""
    people, openings = grown.people, grown.openings
    count = len(openings["day"])
    item = rng.geometric(0.35, count) - 1
    visitor = 10 * people.count + np.arange(count)  # strangers, none of whom clicks
    friend = np.flatnonzero((people.came == SHARED) & (trace == BROWSER))
    visitor[people.by[friend]] = friend
    day = openings["day"].copy()
    brought = np.flatnonzero(people.came == SHARED)
    opened = people.by[brought]
    day[opened] = before(day[opened], people.day[brought], rng)
    columns = {"member": openings["member"], "day": day, "visitor": visitor, "item": item}
    known = known_openings(grown, settings, rng)
    return {name: np.r_[columns[name], known[name]] for name in columns}


def known_openings(grown: Grown, settings: ReferralSettings, rng: Generator) -> Columns:
    """By members: those who brought the sharer or came by it, or anybody who was there."""
    people, openings = grown.people, grown.openings
    number = round(len(openings["day"]) * KNOWN_SHARE / (1 - KNOWN_SHARE))
    if not len(openings["day"]):
        number = 0
    row = rng.integers(0, max(len(openings["day"]), 1), number)
    member = openings["member"][row]
    day = openings["day"][row] + rng.exponential(5.0, number)
    order = np.argsort(people.day, kind="stable")
    there = np.searchsorted(people.day[order], day)
    anybody = order[np.floor(rng.random(number) * there).astype("int64")] if number else member
    parent = people.parent[member]
    visitor = np.where((parent >= 0) & (rng.random(number) < 0.6), parent, anybody)
    kept = (visitor != member) & (day < settings.days_count)
    item = rng.geometric(0.35, number) - 1
    columns = {"member": member, "day": day, "visitor": visitor, "item": item}
    return {name: values[kept] for name, values in columns.items()}
