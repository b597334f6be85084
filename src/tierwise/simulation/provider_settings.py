"""What a simulated marketplace of home services may be told, and its quarters.

Two changes of the product have a date each: on prompt_day the app begins to ask for stars right
after a visit, on one_click_day an answer to a survey takes one click only.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.simulation.settings import FIRST_YEAR, Settings, check_months, delivered

PROVIDERS_MOST, CELLS_MOST = 2_000, 120_000_000  # providers; times customers: what fits in memory
SHARES = (
    *("loyal_share", "office_share", "chosen_share", "reminded_share", "leaking_share"),
    *("surveyed_share", "late_share", "copy_share", "missing_share", "hostile_share"),
)
MET = ("rated_share", "text_share", "answered_share", "complained_share", "tipped_share")
STARS = ("five_stars_share", "negative_share")
DAY = np.timedelta64(1, "D").astype("timedelta64[us]")


@dataclass(frozen=True)
class ProviderSettings:
    """One marketplace. The same settings give the same bytes.

    loyal_share: of the customers come back to the same provider nearly always.
    chosen_share: of the bookings with another provider than the last one are a choice of the
    customer; the others are assigned.
    leaking_share: of the providers divert customers who come again, past the marketplace.
    reminded_share: of the bookings are reminded of rating, surveyed_share: of the visits are asked
    in a survey, both by lot.
    rated_share (of the visits), five_stars_share, negative_share (three stars or fewer),
    text_share (of the ratings), answered_share (of the surveys), complained_share, tipped_share (of
    the visits): met on average over the whole time, whatever the product changes do.
    late_share, copy_share, missing_share: rows learned of hours to days later; bookings that come
    twice; cities and notes left empty.
    hostile_share: of the providers have a name that hurts careless programs; four at least.
    """

    seed: int = 0
    providers_count: int = 300
    customers_per_provider: float = 26.0
    first_day: str = "2023-01-01"
    months_count: int = 30
    prompt_day: str = "2024-04-01"
    one_click_day: str = "2024-10-01"
    loyal_share: float = 0.40
    office_share: float = 0.25
    chosen_share: float = 0.55
    reminded_share: float = 0.30
    leaking_share: float = 0.06
    surveyed_share: float = 0.05
    rated_share: float = 0.41
    five_stars_share: float = 0.97
    negative_share: float = 0.02
    text_share: float = 0.15
    answered_share: float = 0.30
    complained_share: float = 0.04
    tipped_share: float = 0.22
    late_share: float = 0.03
    copy_share: float = 0.01
    missing_share: float = 0.06
    hostile_share: float = 0.015

    def __post_init__(self) -> None:
        for name, lowest in (("seed", 0), ("months_count", 1)):
            if getattr(self, name) < lowest:
                raise InputError(f"{name} {getattr(self, name)} must be {lowest} or more.")
        if not 2 <= self.providers_count <= PROVIDERS_MOST:
            raise InputError(
                f"providers_count {self.providers_count} must be 2 to {PROVIDERS_MOST:,}."
            )
        cells = self.providers_count**2 * self.customers_per_provider
        if not (self.customers_per_provider >= 1 and cells <= CELLS_MOST):
            raise InputError(
                f"customers_per_provider {self.customers_per_provider} must be 1 or more, and with "
                f"{self.providers_count:,} providers {CELLS_MOST / self.providers_count**2:,.0f} "
                "at most."
            )
        self.check_shares()
        self.check_days()

    def check_shares(self) -> None:
        for name in SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} must be at least 0 and below 1.")
        for name in (*MET, *STARS):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} must be above 0 and below 1.")
        if self.five_stars_share + self.negative_share >= 1:
            raise InputError(
                f"five_stars_share {self.five_stars_share} and negative_share "
                f"{self.negative_share} must leave room for four stars: below 1 in all."
            )

    def check_days(self) -> None:
        check_months(self.first_day, self.months_count, FIRST_YEAR + 1)
        for name in ("prompt_day", "one_click_day"):
            self.day_of(name)

    def day_of(self, name: str) -> pd.Timestamp:
        """The setting of that name as a time. Raises InputError for what is no date."""
        text = str(getattr(self, name))
        try:
            return pd.Timestamp(dt.date.fromisoformat(text))
        except ValueError as error:
            raise InputError(f"{name} {text!r} must be a date such as 2024-04-01.") from error

    @property
    def four_stars_share(self) -> float:
        return 1 - self.five_stars_share - self.negative_share

    @property
    def customers_count(self) -> int:
        return round(self.providers_count * self.customers_per_provider)

    @property
    def first_at(self) -> pd.Timestamp:
        return self.day_of("first_day")

    @property
    def last_at(self) -> pd.Timestamp:
        """The end of the world; nothing is known at or after it."""
        return self.first_at + pd.DateOffset(months=self.months_count)

    @property
    def days_count(self) -> int:
        return (self.last_at - self.first_at).days

    @property
    def quarters(self) -> np.ndarray:
        """First days of all calendar quarters that the world touches, shape (n_quarters,)."""
        first = np.datetime64(self.first_at, "M")
        begin = first - (self.first_at.month - 1) % 3
        months = np.arange(begin, first + self.months_count, 3)
        return months.astype("datetime64[us]")

    @property
    def rows(self) -> Settings:
        """The same period and shares for `delivery`, by which rows reach us."""
        return delivered(self)

    def quarter_of(self, days: np.ndarray) -> np.ndarray:
        """Number in `quarters` of moments in days since the first one."""
        edges = (self.quarters - np.datetime64(self.first_at, "us")) / DAY
        last = len(edges) - 1
        return np.clip(np.searchsorted(edges, days, side="right") - 1, 0, last)

    def generators(self, count: int) -> list[np.random.Generator]:
        """Sources of random numbers, one for each family of tables."""
        return np.random.default_rng([self.seed, 0x5E2F]).spawn(count)
