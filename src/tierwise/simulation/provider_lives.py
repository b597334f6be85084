"""Providers of a simulated marketplace: how well they serve, when they are there, who leaks.

    quality      standard normal over providers; nearly constant, drifts a little from quarter to
                 quarter, and a few jump to another one
    effect       on the log odds that a customer stops after a visit: partly quality, partly its own
    punctual, reliable    on arrivals and cancellations: partly quality, partly their own
    size, appeal, pulls   who books it; nothing of these has to do with quality

All times here are days since the first moment of the world.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.simulation.provider_names import draw_names
from tierwise.simulation.provider_settings import DAY, ProviderSettings

CITIES = ("Vienna", "Graz", "Villach", "Salzburg", "Innsbruck")
CITY_WEIGHTS = np.array([0.40, 0.20, 0.16, 0.14, 0.10])
KEPT, JUMPS_SHARE = 0.98, 0.012  # of quality from quarter to quarter; of quarters that are a jump
BY_QUALITY, OWN_SD = -0.36, 0.36  # of the effect on log odds to stop
SHARED = 0.4  # correlation of punctuality and reliability with quality
SIZE_SD, FIRST_SD, OFFICE_SD, PRICE_SD = 0.5, 0.6, 0.5, 0.15
EARLIER_SHARE, EARLIER_DAYS = 0.7, 900.0  # there before the first day, for so long on average
LEFT_SHARE, PAUSED_SHARE = 0.18, 0.25
LEAST_DAYS = 60.0  # from joining to leaving
PAUSE_DAYS = (14.0, 90.0)
FIRST_PROVIDER = 1001


@dataclass(frozen=True)
class Providers:
    """One entry per provider; quality and effect have shape (n_providers, n_quarters)."""

    name: np.ndarray
    city: np.ndarray  # number in CITIES
    quality: np.ndarray
    effect: np.ndarray
    punctual: np.ndarray
    reliable: np.ndarray
    size: np.ndarray
    appeal: np.ndarray
    first_pull: np.ndarray
    office_pull: np.ndarray
    price: np.ndarray
    joined: np.ndarray
    left: np.ndarray  # inf: never
    paused: np.ndarray  # inf: never
    resumed: np.ndarray
    leaks: np.ndarray

    @property
    def ids(self) -> np.ndarray:
        return FIRST_PROVIDER + np.arange(len(self.name))

    def there(self, provider: np.ndarray, days: np.ndarray) -> np.ndarray:
        """Whether these can be booked for those moments; shapes broadcast."""
        on = (self.joined[provider] <= days) & (days < self.left[provider])
        return on & ((days < self.paused[provider]) | (days >= self.resumed[provider]))


def draw_providers(settings: ProviderSettings, rng: np.random.Generator) -> Providers:
    named, skilled, booked, spans, leak = rng.spawn(5)
    count = settings.providers_count
    quality = draw_quality(count, len(settings.quarters), skilled)
    usual = quality.mean(axis=1) / quality.mean(axis=1).std()
    own = np.sqrt(1 - SHARED**2)
    size, first, office = (booked.normal(0, sd, count) for sd in (SIZE_SD, FIRST_SD, OFFICE_SD))
    joined, left, paused, resumed = draw_spans(settings, spans)
    return Providers(
        name=draw_names(settings, named),
        city=named.choice(len(CITIES), count, p=CITY_WEIGHTS),
        quality=quality,
        effect=BY_QUALITY * quality + skilled.normal(0, OWN_SD, count)[:, None],
        punctual=SHARED * usual + own * skilled.normal(0, 1, count),
        reliable=SHARED * usual + own * skilled.normal(0, 1, count),
        size=size,
        appeal=booked.normal(0, 1, count),
        first_pull=first,
        office_pull=office,
        price=np.exp(booked.normal(0, PRICE_SD, count)),
        joined=joined,
        left=left,
        paused=paused,
        resumed=resumed,
        leaks=draw_leaks(settings, leak),
    )


def draw_quality(count: int, quarters_count: int, rng: np.random.Generator) -> np.ndarray:
    """Shape (count, quarters_count); standard normal in every quarter."""
    path = np.empty((count, quarters_count))
    path[:, 0] = rng.normal(0, 1, count)
    for quarter in range(1, quarters_count):
        new = rng.normal(0, 1, count)
        drifted = KEPT * path[:, quarter - 1] + np.sqrt(1 - KEPT**2) * new
        path[:, quarter] = np.where(rng.random(count) < JUMPS_SHARE, new, drifted)
    return path


def draw_spans(
    settings: ProviderSettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """joined, left, paused and resumed in days; some were there long before."""
    count, days = settings.providers_count, float(settings.days_count)
    earlier = rng.random(count) < EARLIER_SHARE
    earlier[:2] = True  # somebody serves from the first day on
    past, future = -rng.exponential(EARLIER_DAYS, count) - 1, rng.uniform(0, 0.9 * days, count)
    joined = np.where(earlier, past, future)
    since = np.maximum(joined, 0) + LEAST_DAYS
    leaves = (rng.random(count) < LEFT_SHARE) & (since < days)
    leaves[:2] = False
    left = np.where(leaves, since + rng.random(count) * (days - since), np.inf)
    pauses = rng.random(count) < PAUSED_SHARE
    pauses[:2] = False
    paused = np.maximum(joined, 0) + rng.random(count) * (days - np.maximum(joined, 0))
    paused = np.where(pauses, paused, np.inf)
    resumed = paused + rng.uniform(*PAUSE_DAYS, count)
    paused, resumed = (np.where(at < left, at, np.inf) for at in (paused, resumed))
    return joined, left, paused, resumed


def draw_leaks(settings: ProviderSettings, rng: np.random.Generator) -> np.ndarray:
    """The set share of providers, rounded, chosen by lot."""
    count = settings.providers_count
    leaks = np.zeros(count, bool)
    leaks[rng.permutation(count)[: round(settings.leaking_share * count)]] = True
    return leaks


def quality_table(
    found: Providers, stop_share: np.ndarray, settings: ProviderSettings
) -> pd.DataFrame:
    """The truth per provider and quarter in which it was on the marketplace.

    stop_share: shape (n_providers, n_quarters), the true chance to stop on the mix of all visits.
    """
    quarters = settings.quarters
    starts = (quarters - np.datetime64(settings.first_at, "us")) / DAY
    ends = np.append(starts[1:], settings.days_count)
    there = (found.joined[:, None] < ends) & (found.left[:, None] > starts)
    provider, quarter = np.nonzero(there)
    return pd.DataFrame(
        {
            "provider_id": found.ids[provider],
            "quarter": quarters[quarter],
            "quality": found.quality[provider, quarter],
            "drop_out_share": stop_share[provider, quarter],
        }
    )
