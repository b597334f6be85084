"""What a simulated world of customers may be told, and the hypotheses that are tried in it."""

import math
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.simulation.settings import FIRST_YEAR, Settings, check_months, delivered, moments

PEOPLE_MOST, MONTHS_MOST = 60_000, 60  # about as many as fit in memory
SEPARATION_MOST, EFFECT_MOST = 2.0, 2.0
SHARES = (
    *("moving_share", "earlier_share", "critics_share", "refused_share", "withdrawn_share"),
    *("untold_share", "late_share", "copy_share", "missing_share", "hostile_share"),
)
INSIDE = ("negative_share", "critic_negative_share", "answered_share")  # neither 0 nor 1
ANSWERED, BOUGHT = "answered", "bought"
OUTCOMES = (ANSWERED, BOUGHT)
FIRST_PART, LAST_PART = 0.15, 0.92  # of the time, between which hypotheses are tried in turn
SHARES_ROOM = 1e-9


@dataclass(frozen=True)
class Hypothesis:
    """Two variants of what we write, by lot: topics <name>_a and <name>_b.

    effect of b over a: on the log odds that a touch is answered, or on the log rate of purchases
    for 30 days after a touch; 0: the change does nothing.
    """

    name: str
    outcome: str
    effect: float


@dataclass(frozen=True)
class CustomerSettings:
    """One world of customers. The same settings give the same bytes.

    separation: how far the four segments lie apart, in all that tells them; 0: not at all.
    moving_share: of the people who are there for 120 days at least move to another segment.
    earlier_share: of the people were customers before the first day.
    half_life_days: of what an event does to purchases.
    activity_factor: on how often people come; 1: 0.05 times a day on average.
    touch_every_days: between two touches of somebody who may be contacted, on average.
    answered_share: of the touches that go by a channel and about a topic of no particular liking.
    critics_share: of the people are loud critics, whose messages are negative in
    critic_negative_share of the cases; the others' are in negative_share outside of a bad week.
    refused_share: may not be contacted from the beginning, withdrawn_share: from some day on.
    untold_share: told nothing about themselves.
    late_share, copy_share, missing_share: rows learned of hours to days later; events and purchases
    that come twice; values left empty.
    hostile_share: of the messages hurt careless programs.
    """

    seed: int = 0
    people_count: int = 6000
    first_day: str = "2023-01-01"
    months_count: int = 24
    separation: float = 0.7
    segment_shares: tuple[float, ...] = (0.38, 0.28, 0.20, 0.14)
    moving_share: float = 0.10
    earlier_share: float = 0.50
    half_life_days: float = 45.0
    activity_factor: float = 1.0
    touch_every_days: float = 45.0
    answered_share: float = 0.18
    critics_share: float = 0.02
    critic_negative_share: float = 0.65
    negative_share: float = 0.12
    refused_share: float = 0.08
    withdrawn_share: float = 0.04
    untold_share: float = 0.04
    late_share: float = 0.03
    copy_share: float = 0.01
    missing_share: float = 0.06
    hostile_share: float = 0.004
    hypotheses: tuple[Hypothesis, ...] = (
        Hypothesis("saved_items", BOUGHT, 0.30),
        Hypothesis("first_line", ANSWERED, 0.30),
        Hypothesis("new_colours", BOUGHT, 0.0),
        Hypothesis("long_letter", ANSWERED, -0.25),
    )

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"seed {self.seed} must be 0 or more.")
        self.check_sizes()
        self.check_shares()
        self.check_hypotheses()
        self.check_days()

    def check_sizes(self) -> None:
        for name, lowest, highest in (
            ("people_count", 2, PEOPLE_MOST),
            ("months_count", 1, MONTHS_MOST),
            ("separation", 0.0, SEPARATION_MOST),
            ("half_life_days", 1.0, 3650.0),
            ("activity_factor", 0.01, 10.0),
            ("touch_every_days", 1.0, 3650.0),
        ):
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise InputError(f"{name} {value} must be {lowest:,} to {highest:,}.")

    def check_shares(self) -> None:
        for name in SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} must be at least 0 and below 1.")
        for name in INSIDE:
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} must be above 0 and below 1.")
        if self.refused_share + self.withdrawn_share >= 1:
            raise InputError(
                f"refused_share {self.refused_share} and withdrawn_share {self.withdrawn_share} "
                "must leave somebody to write to: below 1 in all."
            )
        shares, count = self.segment_shares, 4
        fits = len(shares) == count and all(share > 0 for share in shares)
        if not fits or not math.isclose(sum(shares), 1, abs_tol=SHARES_ROOM):
            raise InputError(
                f"segment_shares {shares} must be {count} shares above 0 that add up to 1."
            )

    def check_hypotheses(self) -> None:
        names = [one.name for one in self.hypotheses]
        for one in self.hypotheses:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", one.name) or names.count(one.name) > 1:
                raise InputError(
                    f"Hypothesis {one.name!r} must have a name of its own in lower-case letters, "
                    "digits and _, starting with a letter."
                )
            if one.outcome not in OUTCOMES:
                raise InputError(
                    f"Hypothesis {one.name}: outcome {one.outcome!r} must be one of "
                    f"{', '.join(OUTCOMES)}."
                )
            if not abs(one.effect) <= EFFECT_MOST:
                raise InputError(
                    f"Hypothesis {one.name}: effect {one.effect} must be -{EFFECT_MOST:g} to "
                    f"{EFFECT_MOST:g}."
                )

    def check_days(self) -> None:
        check_months(self.first_day, self.months_count, FIRST_YEAR + 1)

    @property
    def first_at(self) -> pd.Timestamp:
        return pd.Timestamp(self.first_day)

    @property
    def last_at(self) -> pd.Timestamp:
        """The end of the world; nothing is known at or after it."""
        return self.first_at + pd.DateOffset(months=self.months_count)

    @property
    def days_count(self) -> int:
        return (self.last_at - self.first_at).days

    @property
    def rows(self) -> Settings:
        """The same period and shares for `delivery`, by which rows reach us."""
        return delivered(self)

    @property
    def tried_days(self) -> np.ndarray:
        """Days on which the hypotheses begin, and the end of the last one; one entry more."""
        parts = np.linspace(FIRST_PART, LAST_PART, len(self.hypotheses) + 1)
        return np.floor(parts * self.days_count)

    def moments(self, days: np.ndarray) -> np.ndarray:
        """UTC of days since the first moment, to the millisecond."""
        return moments(self.first_at, days)

    def generators(self, count: int) -> list[np.random.Generator]:
        """Sources of random numbers, one for each family of tables."""
        return np.random.default_rng([self.seed, 0xC057]).spawn(count)
