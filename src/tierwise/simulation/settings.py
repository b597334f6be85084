"""What a simulated world may be told, and the spans and blocks that follow from it.

block      so many deals with everything that belongs to them; they span the whole period,
           so that one block is a small world and a large world never has to fit in memory
drift      at half time the world changes: see people.py and deals.py
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.files import InputError

FIRST_YEAR, LAST_YEAR = 2019, 2040  # those that the clock has hours for, see clock.py
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
