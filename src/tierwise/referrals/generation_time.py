"""How long it takes from a member's sign-up to that of somebody whom it brought: the cycle time.

Whoever signed up 20 days ago had no time to bring somebody after 60, so the waits seen so far are
the short ones, and their mean is too short. A wait x of somebody brought by a member who has been
one for c days was seen because x <= c: it tells g(x) / G(c) (right truncation; Kalbfleisch and
Lawless, JASA 84(406), 1989, where the reporting delay of a case is such a wait). Here g is gamma
with its shape and mean by maximum likelihood.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammainc, gammaln
from scipy.stats import norm

from tierwise.files import InputError

LEAST_WAITS = 20
LEVEL = 0.9  # of all intervals
# Logarithms of the shape, and of the mean over the mean of the waits: beyond, nothing is learned.
SHAPE_BOUND, MEAN_BOUND = 4.0, 4.0
STEP = 1e-3
SHORTEST_DAYS = 1e-4  # nine seconds: waits of 0 have no density where the shape is below 1
# Where the mean may be this many times longer or shorter, the waits do not tell it.
VAGUE = 2.0


@dataclass(frozen=True)
class GenerationTime:
    """shape and mean_days of a gamma law; low, high: interval of the mean.

    covariance: of the logarithms of shape and mean. told: False where the mean could be VAGUE times
    as long as well: no member has been one for long enough, and K is told within a horizon only.
    """

    shape: float
    mean_days: float
    low: float
    high: float
    covariance: np.ndarray
    told: bool
    waits_count: int
    seen_mean_days: float  # the plain mean of the waits, too short

    def part_come(self, days: np.ndarray) -> np.ndarray:
        """G: the part of all whom a member will bring that has come so many days after sign-up."""
        return part_come(np.log([self.shape, self.mean_days]), days)


def part_come(logs: np.ndarray, days: np.ndarray) -> np.ndarray:
    """G at these days. logs: of shape and mean."""
    shape, mean = np.exp(logs)
    return gammainc(shape, np.maximum(days, 0.0) * shape / mean)


def fit(waits_days: np.ndarray, could_be_days: np.ndarray, level: float = LEVEL) -> GenerationTime:
    """The law of the waits. could_be_days: for how long the one who brought has been a member.

    Shape (n_brought,) each. Raises InputError for fewer than 20 waits, and for one that is below 0
    or longer than it could be.
    """
    x, c = (np.asarray(days, dtype="float64") for days in (waits_days, could_be_days))
    if len(x) < LEAST_WAITS:
        raise InputError(
            f"{len(x)} members were brought by others; it takes {LEAST_WAITS} to learn how long "
            "that takes. Give a longer time."
        )
    wrong = ~((x >= 0) & (x <= c))
    if wrong.any():
        raise InputError(
            f"A wait must be 0 days or more and no longer than it could be; number "
            f"{int(wrong.argmax())} is {x[wrong][0]:g} of {c[wrong][0]:g} days. Check both times."
        )
    x = np.maximum(x, SHORTEST_DAYS)
    unit = float(x.mean())
    logs_sum, total = float(np.log(x / unit).sum()), float(x.sum() / unit)

    def loss(at: np.ndarray) -> float:
        shape, rate = np.exp(at[0]), np.exp(at[0] - at[1])
        density = len(x) * (shape * np.log(rate) - gammaln(shape))
        density += (shape - 1) * logs_sum - rate * total
        seen = np.log(np.maximum(gammainc(shape, rate * c / unit), np.finfo(float).tiny)).sum()
        return -float(density - seen) / len(x)

    bounds = [(-SHAPE_BOUND, SHAPE_BOUND), (-MEAN_BOUND, MEAN_BOUND)]
    found = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13})
    covariance = inverse(curvature(loss, found.x) * len(x))
    wide = norm.ppf((1 + level) / 2) * np.sqrt(covariance[1, 1])
    at_end = bool(abs(found.x[1]) > MEAN_BOUND - STEP)
    shape, mean = float(np.exp(found.x[0])), float(np.exp(found.x[1]) * unit)
    told = bool(not at_end and wide < np.log(VAGUE))
    low, high = float(mean * np.exp(-wide)), float(mean * np.exp(wide))
    return GenerationTime(shape, mean, low, high, covariance, told, len(x), unit)


def curvature(loss: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """Second derivatives at a place, by differences."""
    steps = STEP * np.eye(len(at))
    return np.array(
        [
            [
                (loss(at + a + b) - loss(at + a - b) - loss(at - a + b) + loss(at - a - b))
                / (4 * STEP**2)
                for b in steps
            ]
            for a in steps
        ]
    )


def inverse(information: np.ndarray) -> np.ndarray:
    """Of a matrix that may be flat in a direction: there the variance is large, not negative."""
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    return (vectors / np.maximum(values, 1e-2)) @ vectors.T
