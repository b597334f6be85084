"""What a simulated world of accounts may be told, and its months.

A month's rates follow from the state at its first moment, so nothing that happens in a month can
have a cause in the same month or later.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.simulation import clock
from tierwise.simulation.settings import FIRST_YEAR, Settings, check_months, delivered

ACCOUNTS_MOST = 20_000  # about as many as fit in memory
SHARES = ("late_share", "copy_share", "missing_share", "hostile_share", "opt_out_share")


@dataclass(frozen=True)
class AccountSettings:
    """One world of accounts. The same settings give the same bytes.

    ours_count: people in our own sales teams at the beginning; more come as others leave.
    late_share: rows that we learn of hours to days after they happened.
    copy_share: rows of interactions, spend and product_use that come a second time, later.
    missing_share: of the values of each column that may be left empty.
    hostile_share: of the accounts have a name that hurts careless programs; four at least.
    opt_out_share: of the people at accounts do not want to be written to, named or ranked.
    """

    seed: int = 0
    accounts_count: int = 600
    first_day: str = "2023-01-01"
    months_count: int = 42
    ours_count: int = 40
    late_share: float = 0.03
    copy_share: float = 0.01
    missing_share: float = 0.06
    hostile_share: float = 0.015
    opt_out_share: float = 0.02

    def __post_init__(self) -> None:
        for name, lowest in (("seed", 0), ("months_count", 1), ("ours_count", 1)):
            if getattr(self, name) < lowest:
                raise InputError(f"{name} {getattr(self, name)} must be {lowest} or more.")
        if not 1 <= self.accounts_count <= ACCOUNTS_MOST:
            raise InputError(
                f"accounts_count {self.accounts_count} must be 1 to {ACCOUNTS_MOST:,}."
            )
        for name in SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} must be at least 0 and below 1.")
        check_months(self.first_day, self.months_count, FIRST_YEAR + 1)

    @property
    def first_at(self) -> pd.Timestamp:
        return pd.Timestamp(self.first_day)

    @property
    def last_at(self) -> pd.Timestamp:
        """The end of the world; nothing is known at or after it."""
        return self.first_at + pd.DateOffset(months=self.months_count)

    @property
    def months(self) -> np.ndarray:
        """First moments of all months and the end of the last one, shape (months_count + 1,)."""
        first = np.datetime64(self.first_at, "M")
        return (first + np.arange(self.months_count + 1)).astype("datetime64[us]")

    @property
    def rows(self) -> Settings:
        """The same period and shares for `delivery`, by which rows reach us."""
        return delivered(self)

    def generators(self, count: int) -> list[np.random.Generator]:
        """Sources of random numbers, one for each family of tables."""
        return np.random.default_rng([self.seed, 0xACC]).spawn(count)


def within(
    begin: np.ndarray, end: np.ndarray, zone: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A moment (UTC) in working hours of each zone from begin to before end, shape (n,)."""
    first, last = (worked_days(clock.to_local(at, zone)) for at in (begin, end))
    drawn = local_times(first + rng.random(len(begin)) * (last - first))
    latest = np.maximum(end - np.timedelta64(1, "us"), begin)
    return np.clip(clock.to_utc(drawn, zone), begin, latest)


def worked_days(local: np.ndarray) -> np.ndarray:
    """As clock.clock_days, which takes as long for one moment as for a hundred thousand."""
    passed = (local.astype("datetime64[us]") - clock.ORIGIN) / clock.HOUR
    hour = np.clip(passed.astype(int), 0, len(clock.hours()) - 2)
    before, after = clock.hours()[hour], clock.hours()[hour + 1]
    return before + (passed - hour) * (after - before)


def local_times(days: np.ndarray) -> np.ndarray:
    """As clock.local_times; inverse of worked_days."""
    hours = clock.hours()
    hour = np.clip(np.searchsorted(hours, days, side="right") - 1, 0, len(hours) - 2)
    passed = hour + (days - hours[hour]) / (hours[hour + 1] - hours[hour])
    return clock.ORIGIN + np.round(passed * clock.HOUR.astype(float)).astype("timedelta64[us]")
