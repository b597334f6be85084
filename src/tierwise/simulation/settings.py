"""What a simulated world may be told, and the spans and blocks that follow from it.

block      so many deals with everything that belongs to them; they span the whole period,
           so that one block is a small world and a large world never has to fit in memory
drift      at half time the world changes: see people.py and deals.py
"""

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from tierwise.files import InputError

FIRST_YEAR, LAST_YEAR = 2019, 2040  # those that the clock has hours for, see clock.py
DAY_MILLISECONDS = 86_400_000
DEALS_MOST = 5_000_000  # ids of the tables stay apart up to here


@dataclass(frozen=True)
class Settings:
    """One world. The same settings give the same bytes.

    growth: arrivals at the end per arrival at the beginning.
    won_share: of the closed deals, about; it is met for the other defaults.
    late_share: rows that we learn of hours to days after they happened.
    copy_share: rows of the dated tables that come a second time, later.
    missing_share: of the values of each column that a person may leave empty.
    """

    seed: int = 0
    deals_count: int = 9000
    first_day: str = "2025-03-01"
    months_count: int = 18
    growth: float = 12.0
    won_share: float = 0.25
    late_share: float = 0.03
    copy_share: float = 0.01
    missing_share: float = 0.06
    block_deals_count: int = 4500

    def __post_init__(self) -> None:
        for name, lowest in (("seed", 0), ("months_count", 1), ("block_deals_count", 1)):
            if getattr(self, name) < lowest:
                raise InputError(f"{name} {getattr(self, name)} must be {lowest} or more.")
        if not 1 <= self.deals_count <= DEALS_MOST:
            raise InputError(f"deals_count {self.deals_count} must be 1 to {DEALS_MOST:,}.")
        for name in ("won_share", "late_share", "copy_share", "missing_share"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} must be at least 0 and below 1.")
        if self.growth <= 0 or self.won_share == 0:
            raise InputError("growth and won_share must be above 0.")
        if self.first_at.year < FIRST_YEAR or self.last_at.year > LAST_YEAR - 4:
            raise InputError(
                f"first_day {self.first_day} with {self.months_count} months must lie between "
                f"{FIRST_YEAR} and {LAST_YEAR - 4}."
            )

    @property
    def first_at(self) -> pd.Timestamp:
        return pd.Timestamp(self.first_day)

    @property
    def middle_at(self) -> pd.Timestamp:
        """When the drift happens: half of the days have passed."""
        return self.first_at + (self.last_at - self.first_at) / 2

    @property
    def last_at(self) -> pd.Timestamp:
        """The end of the world; nothing is known at or after it."""
        return self.first_at + pd.DateOffset(months=self.months_count)

    @property
    def blocks_count(self) -> int:
        return -(-self.deals_count // self.block_deals_count)

    def block_size(self, block: int) -> int:
        """Deals of that block; only the last one may be smaller than the others."""
        return min(self.block_deals_count, self.deals_count - block * self.block_deals_count)

    def generator(self, block: int) -> np.random.Generator:
        """The source of all that is drawn for one block."""
        return np.random.default_rng([self.seed, block])


class World(Protocol):
    """What every world of rows with delays may be told."""

    @property
    def seed(self) -> int: ...
    @property
    def first_day(self) -> str: ...
    @property
    def months_count(self) -> int: ...
    @property
    def late_share(self) -> float: ...
    @property
    def copy_share(self) -> float: ...
    @property
    def missing_share(self) -> float: ...


def delivered(world: World) -> Settings:
    """The period and the shares of another world, for `delivery`, by which rows reach us."""
    return Settings(
        seed=world.seed,
        first_day=world.first_day,
        months_count=world.months_count,
        late_share=world.late_share,
        copy_share=world.copy_share,
        missing_share=world.missing_share,
    )


def check_months(first_day: str, months_count: int, first_year: int = FIRST_YEAR) -> None:
    """Raises InputError where whole months from that day on are not those of the clock."""
    try:
        first = dt.date.fromisoformat(first_day)
    except (TypeError, ValueError) as error:
        raise InputError(f"first_day {first_day!r} must be a date such as 2023-09-01.") from error
    if first.day != 1:
        raise InputError(f"first_day {first_day} must be the first day of a month.")
    last = pd.Timestamp(first) + pd.DateOffset(months=months_count)
    if first.year < first_year or last.year > LAST_YEAR - 4:
        raise InputError(
            f"first_day {first_day} with {months_count} months must lie between {first_year} and "
            f"{LAST_YEAR - 4}."
        )


def moments(first_at: pd.Timestamp, days: np.ndarray) -> np.ndarray:
    """UTC of days since the first moment, to the millisecond."""
    thousandths = np.round(np.asarray(days, float) * DAY_MILLISECONDS)
    spans = (thousandths.astype("int64") * 1000).astype("timedelta64[us]")
    return np.datetime64(first_at, "us") + spans
