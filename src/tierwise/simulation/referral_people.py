"""What members of a simulated file-sharing company are like, and how often they invite.

    active      how often they come; standard normal
    sharing     how much they share; standard normal, goes with active
    quality     how well they choose whom to invite: their friends buy more
    eager       gamma with mean 1: what of the wish to invite shows in nothing else

Invitations in a life, if not asked: level * exp(0.65 active + 0.4 sharing + how they came) * eager.
Members are asked month by month from the sign-up on, and being asked multiplies that, for as long
as they care. It moves those of middling activity, and a little more who were invited themselves;
people who share a lot are put off. The more somebody invites unasked, the less does it change.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.random import Generator

from tierwise.simulation import referral_templates as texts
from tierwise.simulation.referral_settings import ReferralSettings

ITSELF, LINK, SHARED = range(3)
KINDS = ("itself", "link", "shared item")
CHANNELS = ("search", "press", "advertisement", "direct")
CHANNEL_SHARES = (0.40, 0.15, 0.20, 0.25)
EAGER_SHAPE = 0.6
CAME_LIFT = np.array([0.0, 0.35, 0.15])
QUALITY_LIFT = 0.25
INTERESTS_SHARES = (0.6, 0.3, 0.1)  # of those who tell any: one, two, three of them
PAYS_SHARE = 0.35  # leave a means of payment when they sign up
PILOT_COUNT = 50_000
RECIPIENTS_MEAN = 3.5


@dataclass(frozen=True)
class People:
    """A row per member. day: of sign-up; parent: place of who brought them, -1 for nobody.

    came: place in KINDS; by: place of the sending or opening that brought them, or -1; told:
    interests, shape (n, 5); asked: may be asked to invite; pays: left a means of payment.
    """

    day: np.ndarray
    parent: np.ndarray
    came: np.ndarray
    by: np.ndarray
    upstream: np.ndarray  # quality of who brought them by a link, otherwise 0
    active: np.ndarray
    sharing: np.ndarray
    quality: np.ndarray
    eager: np.ndarray
    told: np.ndarray
    asked: np.ndarray
    pays: np.ndarray
    channel: np.ndarray

    @property
    def count(self) -> int:
        return len(self.day)

    @property
    def unasked(self) -> np.ndarray:
        """Invitations in a life without being asked, in parts of the level."""
        lift = CAME_LIFT[self.came] + QUALITY_LIFT * self.upstream
        return np.exp(0.65 * self.active + 0.4 * self.sharing + lift) * self.eager

    @property
    def factor(self) -> np.ndarray:
        """By which being asked multiplies invitations."""
        middling = np.exp(-(((self.active + 0.1) / 0.6) ** 2))
        moved = 2.9 * middling + 0.3 * (self.came == LINK) - 1.0 * (self.sharing > 1.0)
        return np.exp(moved / (1 + (self.unasked / 1.4) ** 2))

    @property
    def invites(self) -> np.ndarray:
        """Invitations in a life as it is, in parts of the level."""
        return self.unasked * np.where(self.asked, self.factor, 1.0)

    @property
    def shares(self) -> np.ndarray:
        """Openings of shared items in a life, in parts of their level."""
        return np.exp(0.3 * self.active + 0.6 * self.sharing)


def born(
    day: np.ndarray,
    parent: np.ndarray,
    came: np.ndarray,
    by: np.ndarray,
    upstream: np.ndarray,
    settings: ReferralSettings,
    rng: Generator,
) -> People:
    """Members with all that they are like."""
    count = len(day)
    active, other, quality = rng.standard_normal((3, count))
    sharing = 0.5 * active + np.sqrt(0.75) * other
    eager = rng.gamma(EAGER_SHAPE, 1 / EAGER_SHAPE, count)
    number = 1 + rng.choice(len(INTERESTS_SHARES), count, p=INTERESTS_SHARES)
    number[rng.random(count) < settings.untold_share] = 0
    rank = rng.random((count, len(texts.INTERESTS))).argsort(axis=1).argsort(axis=1)
    asked = rng.random(count) >= settings.never_invited_share
    pays = rng.random(count) < PAYS_SHARE
    channel = rng.choice(len(CHANNELS), count, p=CHANNEL_SHARES)
    what = (active, sharing, quality, eager, rank < number[:, None], asked, pays, channel)
    return People(day, parent, came, by, upstream, *what)


def joined(parts: list[People]) -> People:
    columns = {
        one.name: np.concatenate([getattr(part, one.name) for part in parts])
        for one in fields(People)
    }
    return People(**columns)


@dataclass(frozen=True)
class Levels:
    """Invitations, and openings of shared items, in a life per part."""

    invites: float
    openings: float


def levels(settings: ReferralSettings, links_k: float, openings_mean: float) -> Levels:
    """So that links bring links_k members each on average, and openings_mean openings happen."""
    rng = settings.generators(1)[0]
    rest = 1 - settings.link_share - settings.shared_share
    came = rng.choice(3, PILOT_COUNT, p=(rest, settings.link_share, settings.shared_share))
    zeros = np.zeros(PILOT_COUNT)
    upstream = np.where(came == LINK, rng.standard_normal(PILOT_COUNT), 0.0)
    pilot = born(zeros, zeros, came, zeros, upstream, settings, rng)
    brought = pilot.invites * RECIPIENTS_MEAN * accepted_share(pilot, settings)
    return Levels(links_k / brought.mean(), openings_mean / pilot.shares.mean())


def accepted_share(people: People, settings: ReferralSettings) -> np.ndarray:
    """Of whom they invite, who signs up, by their interests and the lot of that time."""
    later = people.day >= texts.POLICY_PART * settings.days_count
    by_interest = texts.acceptance()[later.astype(int)]
    told = people.told.sum(axis=1)
    mean = (by_interest[:, :-1] * people.told).sum(axis=1) / np.maximum(told, 1)
    return np.where(told > 0, mean, by_interest[:, -1])
