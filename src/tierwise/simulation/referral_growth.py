"""How a simulated company grows: members invite and share, some of those sign up, and do the same.

    sending    a link, sent to some recipients with a text by lot
    opening    of a shared item, by somebody who is no member

Who comes by themselves grows by the same share every month. A link is sent after a gamma time, and
accepted after another gamma time of the same scale: their sum, from sign-up to sign-up, is gamma
with the mean wait_days.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from tierwise.simulation import referral_people as rp
from tierwise.simulation import referral_templates as texts
from tierwise.simulation.referral_people import ITSELF, LINK, SHARED, Levels, People
from tierwise.simulation.referral_settings import ReferralSettings

SEND_SHAPE, ACCEPT_SHAPE = 1.2, 0.4
OPEN_SHAPE, OPENED_DAYS = 1.2, 25.0  # when items are opened; as long again do their friends wait
MET_SHARE, MET_MINUTES = 0.1, 15.0  # links that are shown to a company; they sign up together
OPENING_CHANCE = 0.08  # that who opens an item signs up
GENERATIONS_MOST = 200
START_DAYS = 25.0  # until members bring others; so long more come by themselves instead
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Grown:
    """All that grew. sendings: member, day, later, interest, template, recipients; openings:
    member, day, signs (up). Places of members are those of `people`."""

    people: People
    sendings: Columns
    openings: Columns
    levels: Levels


def scale_days(settings: ReferralSettings) -> float:
    return settings.wait_days / (SEND_SHAPE + ACCEPT_SHAPE)


def link_k(settings: ReferralSettings) -> float:
    """K by links of honest members that makes their share, at this growth (Laplace transform)."""
    honest = (settings.link_share - settings.fraud_share) / (1 - settings.fraud_share)
    shrunk = 1 + settings.growth_a_day * scale_days(settings)
    return float(honest * shrunk ** (SEND_SHAPE + ACCEPT_SHAPE))


def shared_k(settings: ReferralSettings) -> float:
    honest = settings.shared_share / (1 - settings.fraud_share)
    scale = OPENED_DAYS / OPEN_SHAPE
    return float(honest * (1 + settings.growth_a_day * scale) ** (OPEN_SHAPE + ACCEPT_SHAPE))


def grow(settings: ReferralSettings, rng: Generator) -> Grown:
    levels = rp.levels(settings, link_k(settings), shared_k(settings) / OPENING_CHANCE)
    day = alone_days(settings, rng)
    nobody, zeros = np.full(len(day), -1), np.zeros(len(day))
    parts = [rp.born(day, nobody, np.full(len(day), ITSELF), nobody, zeros, settings, rng)]
    sent: list[Columns] = []
    opened: list[Columns] = []
    first, counts = 0, [0, 0]
    for _ in range(GENERATIONS_MOST):
        newest = parts[-1]
        if not newest.count:
            break
        sendings, accepted = send(newest, levels, settings, rng)
        openings, signed = share(newest, levels, settings, rng)
        children = brought(newest, (sendings, accepted), (openings, signed), settings, rng)
        for columns, kept in ((sendings, sent), (openings, opened)):
            columns["member"] = columns["member"] + first
            kept.append(columns)
        parts.append(placed(children, first, counts))
        first += newest.count
        counts = [counts[0] + len(sendings["day"]), counts[1] + len(openings["day"])]
    return Grown(rp.joined(parts), together(sent), together(opened), levels)


def placed(children: People, first: int, counts: list[int]) -> People:
    """Numbered among all members, sendings and openings."""
    by = children.by + np.where(children.came == LINK, counts[0], counts[1])
    return replace(children, parent=children.parent + first, by=by)


def together(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def alone_days(settings: ReferralSettings, rng: Generator) -> np.ndarray:
    """When people come by themselves: more by day than by night."""
    rate, days = settings.growth_a_day, np.arange(settings.days_count)
    shape = np.exp(rate * (days + 0.5))
    every_day = settings.members_count * (1 - settings.fraud_share) * shape / shape.sum()
    honest = settings.link_share - settings.fraud_share + settings.shared_share
    alone = 1 - honest / (1 - settings.fraud_share)
    instead = (1 - alone) * np.exp(-days / START_DAYS)
    count = rng.poisson(every_day * (alone + instead))
    hour = np.clip(rng.normal(14.5, 4.5, count.sum()) % 24, 0, 24 - 1e-6)
    return np.sort(np.repeat(days, count) + hour / 24)


def send(
    people: People, levels: Levels, settings: ReferralSettings, rng: Generator
) -> tuple[Columns, np.ndarray]:
    """Links of these members, and how many recipients of each will sign up."""
    number = rng.poisson(levels.invites * people.invites)
    member = np.repeat(np.arange(people.count), number)
    day = people.day[member] + rng.gamma(SEND_SHAPE, scale_days(settings), len(member))
    kept = day < settings.days_count
    member, day = member[kept], day[kept]
    chosen = (people.told[member] * rng.random((len(member), len(texts.INTERESTS)))).argmax(axis=1)
    interest = np.where(people.told[member].any(axis=1), chosen, len(texts.INTERESTS))
    later = day >= texts.POLICY_PART * settings.days_count
    template = texts.draw(later, interest, rng)
    recipients = rng.geometric(1 / rp.RECIPIENTS_MEAN, len(member))
    accepted = rng.binomial(recipients, texts.CHANCES[interest, template])
    columns = {"member": member, "day": day, "later": later, "interest": interest}
    return columns | {"template": template, "recipients": recipients}, accepted


def share(
    people: People, levels: Levels, settings: ReferralSettings, rng: Generator
) -> tuple[Columns, np.ndarray]:
    """Openings of items of these members by others, and who of those signs up."""
    number = rng.poisson(levels.openings * people.shares)
    member = np.repeat(np.arange(people.count), number)
    wait = rng.gamma(OPEN_SHAPE, OPENED_DAYS / OPEN_SHAPE, len(member))
    day = people.day[member] + wait
    signs = rng.random(len(member)) < OPENING_CHANCE
    kept = day < settings.days_count
    return {"member": member[kept], "day": day[kept]}, signs[kept]


def brought(
    people: People,
    sent: tuple[Columns, np.ndarray],
    opened: tuple[Columns, np.ndarray],
    settings: ReferralSettings,
    rng: Generator,
) -> People:
    """Who signs up by these links and items before the end."""
    link = np.repeat(np.arange(len(sent[1])), sent[1])
    item = np.flatnonzero(opened[1])
    parent = np.r_[sent[0]["member"][link], opened[0]["member"][item]]
    came = np.repeat([LINK, SHARED], [len(link), len(item)])
    start = np.r_[sent[0]["day"][link], opened[0]["day"][item]]
    scale = np.where(came == LINK, scale_days(settings), OPENED_DAYS / OPEN_SHAPE)
    wait = rng.gamma(ACCEPT_SHAPE, 1.0, len(start))
    met = rng.random(len(sent[1])) < MET_SHARE
    at_once = rng.gamma(ACCEPT_SHAPE, 1.0, len(sent[1]))
    wait[: len(link)] = np.where(met[link], at_once[link], wait[: len(link)])
    minutes = rng.exponential(MET_MINUTES, len(start)) / 1440
    day = start + wait * scale + np.where(came == LINK, minutes, 0.0)
    upstream = np.where(came == LINK, people.quality[parent], 0.0)
    kept = day < settings.days_count
    by = np.r_[link, item]
    brought_by = (parent[kept], came[kept], by[kept], upstream[kept])
    return rp.born(day[kept], *brought_by, settings, rng)
