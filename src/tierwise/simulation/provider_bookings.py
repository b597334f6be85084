"""How a booking of a simulated marketplace ends: served, more or less in time, or not at all."""

import numpy as np
from scipy.special import expit

from tierwise.provider_tables import STATUSES
from tierwise.simulation.provider_lives import Providers

DONE, CANCELLED, CANCELLED_BY_PROVIDER, NO_SHOW = range(len(STATUSES))
MINUTE, HOUR = 1 / 1440, 1 / 24
LEAST_LEAD = 3 * HOUR  # from booking to the promised moment
BY_CUSTOMER_SHARE = 0.05
BY_PROVIDER, NOBODY_CAME = (-3.7, -0.5), (-5.0, -0.5)  # log odds: base, per reliability
CANCELLED_DAYS = 1.5  # before the promised moment, on average
MINUTES_SD, ON_TIME_SHARE = 4.0, 0.3  # so many begin to the minute
MINUTES, MINUTES_PUNCTUAL = -1.0, -2.5  # late on average, per punctuality
JAM_MINUTES, JAM_PUNCTUAL = 6.0, -0.35  # once more, exponential; on its logarithm
HOURS, HOURS_SHARES = np.array([2, 2.5, 3, 4, 5]), (0.2, 0.2, 0.3, 0.2, 0.1)
Columns = dict[str, np.ndarray]


def ended(booked: Columns, providers: Providers, rng: np.random.Generator) -> Columns:
    """status (number in STATUSES), hours, late_minutes, begins (or was cancelled) and over.

    booked: provider, promised and booked, in days.
    """
    how, late = rng.spawn(2)
    count, promised = len(booked["provider"]), booked["promised"]
    status = draw_status(providers.reliable[booked["provider"]], how)
    hours = how.choice(HOURS, count, p=HOURS_SHARES)
    ahead = promised - booked["booked"]
    cancelled = promised - np.minimum(how.exponential(CANCELLED_DAYS, count), 0.95 * ahead)
    done = status == DONE
    minutes = done * draw_minutes(providers.punctual[booked["provider"]], late)
    begins = np.where(done | (status == NO_SHOW), promised, cancelled) + minutes * MINUTE
    found = {"status": status, "hours": hours, "late_minutes": minutes}
    return found | {"begins": begins, "over": begins + done * hours * HOUR}


def draw_status(reliable: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shares = [np.full(len(reliable), BY_CUSTOMER_SHARE)]
    shares += [expit(base + slope * reliable) for base, slope in (BY_PROVIDER, NOBODY_CAME)]
    drawn, upto = rng.random(len(reliable)), np.cumsum(shares, axis=0)
    return np.select([drawn < edge for edge in upto], [1, 2, 3], DONE)


def draw_minutes(punctual: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whole minutes late, below 0: early."""
    count = len(punctual)
    usual = rng.normal(MINUTES + MINUTES_PUNCTUAL * punctual, MINUTES_SD)
    jam = rng.exponential(JAM_MINUTES * np.exp(JAM_PUNCTUAL * punctual))
    return np.where(rng.random(count) < ON_TIME_SHARE, 0.0, np.round(usual + jam))
