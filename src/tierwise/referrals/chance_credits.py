"""The cycle time without credits that went to somebody by chance.

A friend who would have come anyway, and is credited to a member on whose link it once clicked,
comes at any time of that member's being one. Few such credits are enough to make the mean wait far
too long, since they wait longest. So a wait x of a friend whose sender has been a member for c days
is told by a mixture:

    (1 - s) g(x) / G(c) + s / c         0 <= x <= c

Here s is the share of credits by chance, g the gamma law of the others, as in `generation_time`,
all by maximum likelihood. Where true waits are themselves spread evenly over years the two can't be
told apart; the interval of s is wide then.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, gammainc, gammaln, logit
from scipy.stats import norm

from tierwise.referrals import generation_time as gt

START_SHARE = 0.02
# Logits of the share: from none to a half.
SHARE_BOUNDS = (-12.0, 0.0)
TINY = np.finfo("float64").tiny


@dataclass(frozen=True)
class Cleaned:
    """mean_days of true waits and share of credits by chance, each with its interval; shape of
    the gamma law."""

    shape: float
    mean_days: float
    low: float
    high: float
    share: float
    share_low: float
    share_high: float


def fit(waits_days: np.ndarray, could_be_days: np.ndarray, level: float = gt.LEVEL) -> Cleaned:
    """could_be_days: for how long the one who brought has been a member. Shape (n_brought,) each.

    Waits as `generation_time.fit` takes them, which also says what is wrong with them.
    """
    plain = gt.fit(waits_days, could_be_days, level)
    x = np.maximum(np.asarray(waits_days, dtype="float64"), gt.SHORTEST_DAYS)
    c = np.maximum(np.asarray(could_be_days, dtype="float64"), x)
    logs = np.log(x)

    def loss(at: np.ndarray) -> float:
        shape, rate, share = np.exp(at[0]), np.exp(at[0] - at[1]), expit(at[2])
        own = np.exp(shape * np.log(rate) - gammaln(shape) + (shape - 1) * logs - rate * x)
        seen = np.maximum(gammainc(shape, rate * c), TINY)
        return -float(np.log(np.maximum((1 - share) * own / seen + share / c, TINY)).mean())

    start = np.array([np.log(plain.shape), np.log(plain.mean_days), logit(START_SHARE)])
    bounds = [(one - gt.MEAN_BOUND, one + gt.MEAN_BOUND) for one in start[:2]] + [SHARE_BOUNDS]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13})
    covariance = gt.inverse(gt.curvature(loss, found.x) * len(x))
    wide = norm.ppf((1 + level) / 2) * np.sqrt(np.diag(covariance))
    shape, mean, share = (float(one) for one in found.x)
    ends = np.exp(mean - wide[1]), np.exp(mean + wide[1])
    shares = expit(share), expit(share - wide[2]), expit(share + wide[2])
    return Cleaned(float(np.exp(shape)), float(np.exp(mean)), *map(float, (*ends, *shares)))
