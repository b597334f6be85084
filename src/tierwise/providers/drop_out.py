"""The share of customers who stop after a visit to a provider, as far as it is that one's doing.

    log odds that a visit of customer c to provider p is the last one
        = level + b log(visit number) + segment + u_p,      u_p ~ N(0, s2)

A visit that another one followed did not end it. A last visit did with the chance d, or else the
customer is silent by its own rhythm (rhythm.py): its likelihood is d + (1 - d) silence. So nobody
is lost by the calendar: BG/NBD (Fader, Hardie, Lee, Marketing Science 24(2), 2005) with a chance to
stop that belongs to the provider.

All parameters are found together by maximum marginal likelihood. The gradient is that of EM: the
chance of having stopped, given the silence, stands for the outcome (Louis, J. R. Stat. Soc. B
44(2), 1982). Over u_p adaptive Gauss-Hermite sums are taken (Liu, Pierce, Biometrika 81(3), 1994).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import digamma

from tierwise.companies.repeat_buying import log_purchases
from tierwise.providers.last_visits import Sums, summed
from tierwise.rhythm import MERGE_DAYS, Rhythm, silence_chance

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
LOG_WEIGHTS = np.log(WEIGHTS / np.sqrt(2 * np.pi)) + NODES**2 / 2
FINE = np.linspace(-6.0, 6.0, 97)  # nodes of quantiles, in standard deviations from the mode
NEWTON_STEPS = 30
LOG_BOUND = 12.0  # of log odds and logarithms
LEAST_SPREAD, MOST_SPREAD = -5.0, 2.0  # of log s: with less, providers are alike
FAR = 340.0  # of log odds: the product of two exponentials is still a number
STEP = 1e-3  # of the differences that give the information
LEAST_VISITS = 15.0  # effective ones, before a figure is shown
EARLY, TOLD = "too early to say", "told"


@dataclass(frozen=True)
class Parameters:
    """log_odds of the design's columns, the spread s of providers, and the customers' rhythm."""

    log_odds: np.ndarray
    spread: float
    rhythm: Rhythm


@dataclass(frozen=True)
class Posterior:
    """Of u_p: mode, scale and log chance of each node of the sums, (n_providers, n_nodes)."""

    mode: np.ndarray
    scale: np.ndarray
    log_chance: np.ndarray
    log_likelihood: float


@dataclass(frozen=True)
class Fitted:
    """The fit and its covariance, in the order log_odds, log s, log r, log alpha."""

    sums: Sums
    parameters: Parameters
    covariance: np.ndarray
    log_likelihood: float


def fit(visits: pd.DataFrame, until_days: float, merge_days: float = MERGE_DAYS) -> Fitted:
    """Fit visits (customer, provider, at_days, segment where known) up to until_days.

    Raises InputError where a column is missing or too few customers came again.
    """
    sums = summed(visits, until_days, merge_days)
    # Columns are read one at a time, again and again.
    cells, last = np.asfortranarray(sums.cells), np.asfortranarray(sums.last)
    sums = replace(sums, cells=cells, last=last)
    modes = np.zeros(len(sums.providers))

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = unpacked(at)
        posterior = posterior_of(sums, parameters, modes)
        modes[:] = posterior.mode
        total = posterior.log_likelihood + rhythm_likelihood(sums, parameters.rhythm)
        return -total / len(sums.last), -gradient(sums, parameters, posterior) / len(sums.last)

    start = started(sums)
    bounds = [(-LOG_BOUND, LOG_BOUND)] * len(start)
    bounds[-3] = (LEAST_SPREAD, MOST_SPREAD)
    fine = {"ftol": 1e-13, "gtol": 1e-7, "maxiter": 300}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=fine)
    curve = information(lambda at: loss(at)[1] * len(sums.last), found.x)
    total = -float(found.fun) * len(sums.last)
    return Fitted(sums, unpacked(found.x), np.linalg.pinv(curve), total)


def started(sums: Sums) -> np.ndarray:
    """A rough start: one in six stops, and rates from the visits between first and last."""
    gap = float(sums.t_x_days.sum() / max(sums.later_visits.sum(), 1.0))
    log_odds = np.zeros(sums.kinds.shape[1])
    log_odds[0] = -1.6
    return np.concatenate([log_odds, [np.log(0.4), 0.4, np.log(max(gap, 1e-3) * 1.5)]])


def unpacked(at: np.ndarray) -> Parameters:
    # Where the data tell nothing, one standard deviation can lie far outside the bounds of the fit.
    least, most = [LEAST_SPREAD - 1, -30.0, -30.0], [MOST_SPREAD + 1, 30.0, 30.0]
    spread, r, alpha = (float(one) for one in np.exp(np.clip(at[-3:], least, most)))
    return Parameters(at[:-3], spread, Rhythm(r, alpha))


def packed(parameters: Parameters) -> np.ndarray:
    rhythm = parameters.rhythm
    logs = np.log([parameters.spread, rhythm.r, rhythm.alpha_days])
    return np.concatenate([parameters.log_odds, logs])


def silence_of(sums: Sums, rhythm: Rhythm) -> np.ndarray:
    """Chance of each customer's silence if it still stays, shape (n_customers,)."""
    return silence_chance(rhythm, sums.later_visits, sums.t_x_days, sums.age_days)


def odds_of(rows: np.ndarray, offsets: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Odds that each visit (provider, kind) was the last one; few exponentials, for all of them."""
    odds = np.exp(np.clip(offsets, -FAR, FAR))[rows[:, 1]]
    odds *= np.exp(np.clip(u, -FAR, FAR))[rows[:, 0]]
    return odds


def log_likelihoods(
    sums: Sums, offsets: np.ndarray, silence: np.ndarray, u: np.ndarray
) -> np.ndarray:
    """Of each provider's visits at its effect u, shape (n_providers,); offsets: of each kind."""
    went_on = np.log1p(odds_of(sums.cells, offsets, u)) * sums.cells[:, 2]
    odds = odds_of(sums.last, offsets, u)
    silent = np.log(np.maximum((odds + silence) / (1 + odds), 1e-300))
    width = len(u)
    total = np.bincount(sums.last[:, 0], silent, minlength=width)
    return total - np.bincount(sums.cells[:, 0], went_on, minlength=width)


def slopes(
    sums: Sums, offsets: np.ndarray, silence: np.ndarray, u: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slope, information, and d (1 - d) summed over visits, of each provider at u."""
    width = len(u)
    odds = odds_of(sums.cells, offsets, u)
    d = odds / (1 + odds)
    slope = -np.bincount(sums.cells[:, 0], sums.cells[:, 2] * d, minlength=width)
    full = np.bincount(sums.cells[:, 0], sums.cells[:, 2] * d * (1 - d), minlength=width)
    odds = odds_of(sums.last, offsets, u)
    d = odds / (1 + odds)
    stopped = odds / np.maximum(odds + silence, 1e-300)
    slope += np.bincount(sums.last[:, 0], stopped - d, minlength=width)
    full += np.bincount(sums.last[:, 0], d * (1 - d), minlength=width)
    hidden = np.bincount(sums.last[:, 0], stopped * (1 - stopped), minlength=width)
    return slope, full - hidden, full


def chance_stopped(d: np.ndarray, silence: np.ndarray) -> np.ndarray:
    """Chance that a customer stopped at its last visit, given the silence since."""
    return d / np.maximum(d + (1 - d) * silence, 1e-300)


def posterior_of(sums: Sums, parameters: Parameters, start: np.ndarray) -> Posterior:
    """Adaptive Gauss-Hermite sums over u_p around each provider's mode."""
    offsets = sums.kinds @ parameters.log_odds
    silence = silence_of(sums, parameters.rhythm)
    variance, mode = parameters.spread**2, start.copy()
    for _ in range(NEWTON_STEPS):
        slope, curve, full = slopes(sums, offsets, silence, mode)
        curve = np.maximum(curve, 0.05 * full) + 1 / variance
        step = np.clip((slope - mode / variance) / curve, -1, 1)
        mode = mode + step
        if np.abs(step).max() < 1e-9:
            break
    scale = 1 / np.sqrt(curve)
    logs = np.column_stack(
        [log_joint(sums, offsets, silence, mode + scale * node, variance) for node in NODES]
    )
    logs += LOG_WEIGHTS + np.log(scale)[:, None] + 0.5 * np.log(2 * np.pi)
    total = np.logaddexp.reduce(logs, axis=1)
    return Posterior(mode, scale, logs - total[:, None], float(total.sum()))


def log_joint(
    sums: Sums, offsets: np.ndarray, silence: np.ndarray, u: np.ndarray, variance: float
) -> np.ndarray:
    """Log density of each provider's visits together with its effect u."""
    prior = -0.5 * (u**2 / variance + np.log(2 * np.pi * variance))
    return log_likelihoods(sums, offsets, silence, u) + prior


def rhythm_likelihood(sums: Sums, rhythm: Rhythm) -> float:
    """Of the visits up to each customer's last one."""
    known = log_purchases(rhythm.r, rhythm.alpha_days, sums.later_visits, sums.t_x_days)
    return float(known.sum())


def gradient(sums: Sums, parameters: Parameters, posterior: Posterior) -> np.ndarray:
    """Of the log-likelihood, in the order of `packed`: Fisher's identity over u_p and the stop."""
    offsets = sums.kinds @ parameters.log_odds
    silence = silence_of(sums, parameters.rhythm)
    by_kind, squares = np.zeros(len(offsets)), 0.0
    stopped = np.zeros(len(silence))
    for place, node in enumerate(NODES):
        u = posterior.mode + posterior.scale * node
        chance = np.exp(posterior.log_chance[:, place])
        squares += float(chance @ u**2)
        odds = odds_of(sums.cells, offsets, u)
        weight = chance[sums.cells[:, 0]] * sums.cells[:, 2]
        by_kind -= np.bincount(sums.cells[:, 1], weight * (odds / (1 + odds)), len(offsets))
        odds = odds_of(sums.last, offsets, u)
        weight, now = chance[sums.last[:, 0]], odds / np.maximum(odds + silence, 1e-300)
        more = weight * (now - odds / (1 + odds))
        by_kind += np.bincount(sums.last[:, 1], more, len(offsets))
        stopped += weight * now
    of_spread = squares / parameters.spread**2 - len(sums.providers)
    return np.concatenate(
        [sums.kinds.T @ by_kind, [of_spread], rhythm_slopes(sums, parameters.rhythm, stopped)]
    )


def rhythm_slopes(sums: Sums, rhythm: Rhythm, stopped: np.ndarray) -> np.ndarray:
    """Slopes for log r and log alpha: rates are known to t_x of who stopped, to T of the others."""
    r, alpha, x = rhythm.r, rhythm.alpha_days, sums.later_visits
    early, late = alpha + sums.t_x_days, alpha + sums.age_days
    of_r = digamma(r + x) - digamma(r) + np.log(alpha)
    of_r = of_r - stopped * np.log(early) - (1 - stopped) * np.log(late)
    of_alpha = r / alpha - (r + x) * (stopped / early + (1 - stopped) / late)
    return np.array([r * of_r.sum(), alpha * of_alpha.sum()])


def information(slope: Callable[[np.ndarray], np.ndarray], at: np.ndarray) -> np.ndarray:
    """Matrix of second derivatives from differences of the gradient, made symmetric."""
    rows = [(slope(at + step) - slope(at - step)) / (2 * STEP) for step in STEP * np.eye(len(at))]
    return (np.array(rows) + np.array(rows).T) / 2
