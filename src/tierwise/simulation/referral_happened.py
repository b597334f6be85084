"""What happened in a simulated world of referrals: honest members and rings as one, by number."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from tierwise.simulation import referral_lives
from tierwise.simulation.referral_growth import Columns, Grown
from tierwise.simulation.referral_people import ITSELF
from tierwise.simulation.referral_rings import HONEST, Rings
from tierwise.simulation.referral_settings import ReferralSettings
from tierwise.simulation.referral_traces import BROWSER, CROWDS_COUNT, Traces

FIRST_ID = 1001
TOLD_MINUTES = 3.0  # within so many of the sign-up they say what they are interested in
FAMILY = HONEST.index("family")


@dataclass(frozen=True)
class Happened:
    """members: id (in the order of sign-up), day, parent, came, visitor, device, payment (-1: left
    none), address, code (a sending, or -1), channel, asked, lost (the trace of who brought them);
    told: member, interest, day; purchases: member, day, amount_eur; activity: member, day, actions;
    sendings, clicks, openings: as in Grown and Traces."""

    members: Columns
    sendings: Columns
    clicks: Columns
    openings: Columns
    purchases: Columns
    activity: Columns
    told: Columns


def together(
    grown: Grown,
    traces: Traces,
    rings: Rings,
    groups: Columns,
    settings: ReferralSettings,
    rngs: tuple[Generator, Generator, Generator],
) -> Happened:
    """rngs: of purchases, activity and interests."""
    buy, act, tell = rngs
    people = grown.people
    honest = honest_members(grown, traces, groups)
    fraud = rings.members | {"lost": np.zeros(len(rings.members["day"]), bool)}
    members = {name: np.r_[values, fraud[name]] for name, values in honest.items()}
    order = np.argsort(members["day"], kind="stable")
    members["id"] = np.empty(len(order), "int64")
    members["id"][order] = FIRST_ID + np.arange(len(order))
    purchases = referral_lives.draw_purchases(people, settings, buy)
    busy = np.isin(np.arange(people.count), np.r_[grown.sendings["member"], purchases["member"]])
    return Happened(
        members,
        added(grown.sendings, rings.sendings),
        added(traces.clicks, rings.clicks),
        traces.openings,
        added(purchases, rings.purchases),
        added(referral_lives.draw_activity(people, busy, settings, act), rings.activity),
        told_interests(grown, tell),
    )


def honest_members(grown: Grown, traces: Traces, groups: Columns) -> Columns:
    """Groups share the address of their first member, every other family its means of payment."""
    people = grown.people
    places = np.arange(people.count)
    device, address = traces.device.copy(), traces.address.copy()
    payment = np.where(people.pays, places, -1)
    member, group = groups["member"], groups["group"]
    host = member[np.searchsorted(group, group)]
    device[member], address[member] = member, CROWDS_COUNT + host
    pays = (groups["kind"] == FAMILY) & (group // len(HONEST) % 2 == 0)
    payment[member[pays]] = host[pays]
    return {
        "day": people.day,
        "parent": people.parent,
        "came": people.came,
        "visitor": places,
        "device": device,
        "payment": payment,
        "address": address,
        "code": traces.code,
        "channel": people.channel,
        "asked": people.asked,
        "lost": (traces.trace != BROWSER) & (people.came != ITSELF),
    }


def told_interests(grown: Grown, rng: Generator) -> Columns:
    member, interest = np.nonzero(grown.people.told)
    day = grown.people.day[member] + rng.uniform(0, TOLD_MINUTES / 1440, len(member))
    return {"member": member, "interest": interest, "day": day}


def added(one: Columns, other: Columns) -> Columns:
    return {name: np.r_[values, other[name]] for name, values in one.items()}
