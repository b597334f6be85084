"""Customers of a simulated marketplace: how generous they are, how often and when they come."""

from dataclasses import dataclass

import numpy as np

from tierwise.simulation.provider_lives import CITIES, CITY_WEIGHTS, Providers
from tierwise.simulation.provider_settings import ProviderSettings

LEVEL_SD = 1.4  # of pleasure, by which the generous show it more readily whoever serves
RATE_SHAPE, RATE_DAYS = 1.5, 23.5  # visits per day differ as gamma(shape, 1 / days)
HABIT_SD, SPENDING_SD = 1.0, 0.3
FIRST_CUSTOMER = 500_001


@dataclass(frozen=True)
class Customers:
    """One entry per customer."""

    level: np.ndarray
    per_day: np.ndarray  # visits while it stays
    loyal: np.ndarray
    office: np.ndarray
    city: np.ndarray  # number in CITIES
    begins: np.ndarray  # days since the first moment of the world
    habit: np.ndarray  # of rating, on log odds
    spending: np.ndarray  # factor

    @property
    def ids(self) -> np.ndarray:
        return FIRST_CUSTOMER + np.arange(len(self.level))


@dataclass(frozen=True)
class Market:
    """Who is there, and what the world was told."""

    settings: ProviderSettings
    providers: Providers
    customers: Customers


def draw_customers(settings: ProviderSettings, rng: np.random.Generator) -> Customers:
    count = settings.customers_count
    return Customers(
        level=rng.normal(0, LEVEL_SD, count),
        per_day=rng.gamma(RATE_SHAPE, 1 / RATE_DAYS, count),
        loyal=rng.random(count) < settings.loyal_share,
        office=rng.random(count) < settings.office_share,
        city=rng.choice(len(CITIES), count, p=CITY_WEIGHTS),
        begins=rng.uniform(0, settings.days_count, count),
        habit=rng.normal(0, HABIT_SD, count),
        spending=np.exp(rng.normal(0, SPENDING_SD, count)),
    )
