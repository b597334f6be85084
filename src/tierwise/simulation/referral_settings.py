"""What a simulated world of referrals may be told."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.simulation.settings import Settings, check_months, delivered, moments

MEMBERS_LEAST = 50  # with fewer, a world may stay empty
MEMBERS_MOST, MONTHS_MOST = 60_000, 60  # about as many as fit in memory
MONTH_DAYS = 365.25 / 12
SHARES = (
    *("link_share", "shared_share", "never_invited_share", "fraud_share", "honest_share"),
    *("late_share", "copy_share", "missing_share", "hostile_share", "untold_share"),
)


@dataclass(frozen=True)
class ReferralSettings:
    """One world of members who bring others. The same settings give the same bytes.

    members_count: at the end, about; it is chance how many come.
    growth_share: by which the sign-ups of a month exceed those of the month before, once the
    first members had time to bring others.
    link_share, shared_share: of the sign-ups, truly brought by a link, and by a shared item.
    wait_days: from a member's sign-up to that of those whom its links bring, on average.
    never_invited_share: by lot never asked to invite anybody.
    fraud_share, honest_share: of the members in rings of fraud, and in honest groups that share
    an address.
    untold_share: tell no interest.
    late_share, copy_share: rows learned of hours to days later; clicks that come twice;
    missing_share: devices and addresses that were not seen.
    hostile_share: of the links have a campaign whose name hurts careless programs.
    """

    seed: int = 0
    members_count: int = 9000
    first_day: str = "2023-09-01"
    months_count: int = 22
    growth_share: float = 0.175
    link_share: float = 0.35
    shared_share: float = 0.20
    wait_days: float = 20.0
    never_invited_share: float = 0.10
    fraud_share: float = 0.03
    honest_share: float = 0.04
    untold_share: float = 0.30
    late_share: float = 0.03
    copy_share: float = 0.01
    missing_share: float = 0.02
    hostile_share: float = 0.002

    def __post_init__(self) -> None:
        for name, lowest, highest in (
            ("seed", 0, 2**63 - 1),
            ("members_count", MEMBERS_LEAST, MEMBERS_MOST),
            ("months_count", 1, MONTHS_MOST),
            ("growth_share", 0.0, 1.0),
            ("wait_days", 1.0, 365.0),
        ):
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise InputError(f"{name} {value} must be {lowest:,} to {highest:,}.")
        for name in SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} must be at least 0 and below 1.")
        if self.link_share + self.shared_share > 0.8 or self.fraud_share > self.link_share:
            raise InputError(
                f"link_share {self.link_share} and shared_share {self.shared_share} must be 0.8 at "
                f"most in all, and fraud_share {self.fraud_share} no more than link_share: "
                "somebody must come by themselves, and fraud comes by links."
            )
        self.check_days()

    def check_days(self) -> None:
        check_months(self.first_day, self.months_count)

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
    def growth_a_day(self) -> float:
        """On the logarithm of sign-ups."""
        return float(np.log1p(self.growth_share) / MONTH_DAYS)

    @property
    def rows(self) -> Settings:
        """The same period and shares for `delivery`, by which rows reach us; no copies."""
        return replace(delivered(self), copy_share=0.0)

    @property
    def rows_with_copies(self) -> Settings:
        return replace(self.rows, copy_share=self.copy_share)

    def moments(self, days: np.ndarray) -> np.ndarray:
        """UTC of days since the first moment, to the millisecond."""
        return moments(self.first_at, days)

    def generators(self, count: int) -> list[np.random.Generator]:
        """Sources of random numbers, one for each family of tables."""
        return np.random.default_rng([self.seed, 0x2EFE]).spawn(count)
