"""Shares of people who may be of two kinds: most as usual, a few much higher.

    one kind     k of n ~ binomial(p), p ~ beta(a, b), as in `shrinkage`
    two kinds    p ~ (1 - w) beta(a1, b1) + w beta(a2, b2), the second with the higher mean

One beta law that has to hold for everybody draws the few far down towards the many. How much two
kinds are believed in is decided by the data: their chance is 1 / (1 + exp(-gain / 2)), the gain
being BIC of one kind less that of two (Schwarz, Annals of Statistics 6, 1978; Raftery, Sociological
Methodology 25, 1995, for the chance). Where nobody is of another kind, it is next to nothing, and
what remains is `shrinkage`. Figures of a person are averaged over both by that chance.

Given two kinds, each person's law is a mixture of two beta laws, weighted by how likely the counts
are in each kind (Griffiths, Biometrics 29, 1973, for the beta-binomial law).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betaln, expit, logit
from scipy.stats import beta as beta_law

from tierwise import shrinkage
from tierwise.shrinkage import LEVEL, BetaPrior

MORE_NUMBERS = 3  # mean, count and weight of the second kind
STARTS = ((0.5, 10.0, 10.0, -3.0), (1.0, 50.0, 30.0, -2.0))  # log odds apart, counts, log odds of w
LEAST_APART = 1e-3  # of the means, in log odds
# Smallest and largest a + b. Without an end a law of a few people shrinks to a point, and they look
# as if they were known for certain.
COUNTS = (2.0, 100.0)
FEWEST = 3  # people of the second kind, by its weight
HALVINGS = 40  # for quantiles: to 1e-12


@dataclass(frozen=True)
class Kinds:
    """one: the law of everybody; low, high, weight: two laws and the weight of the second;
    chance: that there are two kinds."""

    one: BetaPrior
    low: BetaPrior
    high: BetaPrior
    weight: float
    chance: float


def prior(successes: np.ndarray, trials: np.ndarray) -> Kinds:
    """Both descriptions by maximum likelihood, from counts of shape (n_people,) each.

    Raises InputError as `shrinkage.beta_prior`.
    """
    one = shrinkage.beta_prior(successes, trials)
    k, n = shrinkage.checked_counts(successes, trials)
    pairs, times = np.unique(np.column_stack([k, n]), axis=0, return_counts=True)
    low, high, weight, likelihood = two_kinds(pairs[:, 0], pairs[:, 1], times, one)
    more = likelihood - float(log_chance(k, n, one).sum())
    gain = 2 * more - MORE_NUMBERS * float(np.log(len(n)))
    chance = float(expit(gain / 2)) if weight * len(n) >= FEWEST else 0.0
    return Kinds(one, low, high, weight, chance)


def two_kinds(
    k: np.ndarray, n: np.ndarray, times: np.ndarray, one: BetaPrior
) -> tuple[BetaPrior, BetaPrior, float, float]:
    """Both laws, the weight of the second, and the log likelihood (without binomial terms).

    times: how often each pair of counts was seen.
    """
    size = float(n @ times)

    def loss(at: np.ndarray) -> float:
        low, high, weight = two_laws(at)
        both = np.logaddexp(
            np.log1p(-weight) + log_chance(k, n, low), np.log(weight) + log_chance(k, n, high)
        )
        return -float(both @ times) / size

    ends = tuple(np.log(COUNTS))
    bounds = [(-8.0, 4.0), (LEAST_APART, 8.0), ends, ends, (-8.0, 0.0)]
    found = []
    for apart, first, second, share in STARTS:
        start = [logit(one.mean) - 0.2, apart, np.log(first), np.log(second), share]
        inside = np.clip(start, *np.array(bounds).T)
        found.append(minimize(loss, inside, method="L-BFGS-B", bounds=bounds))
    best = min(found, key=lambda one: float(one.fun))
    return *two_laws(best.x), -float(best.fun) * size


def two_laws(at: np.ndarray) -> tuple[BetaPrior, BetaPrior, float]:
    """From numbers without bounds: log odds of the lower mean, how far above it the other lies,
    logarithms of both counts, log odds of the weight."""
    low, high = expit(at[0]), expit(at[0] + at[1])
    first, second = np.exp(at[2:4])
    return (
        BetaPrior(low * first, (1 - low) * first),
        BetaPrior(high * second, (1 - high) * second),
        float(expit(at[4])),
    )


def log_chance(k: np.ndarray, n: np.ndarray, law: BetaPrior) -> np.ndarray:
    """Of k successes in n trials, without the number of their orders."""
    return np.asarray(betaln(law.a + k, law.b + n - k) - betaln(law.a, law.b))


def parts(k: np.ndarray, n: np.ndarray, kinds: Kinds) -> tuple[list[BetaPrior], np.ndarray]:
    """The laws that a person may follow, and the chance of each, shape (n_people, 3)."""
    odds = np.log(kinds.weight) - np.log1p(-kinds.weight)
    second = expit(odds + log_chance(k, n, kinds.high) - log_chance(k, n, kinds.low))
    chances = np.stack([np.zeros(len(k)), 1 - second, second], axis=1) * kinds.chance
    chances[:, 0] = 1 - kinds.chance
    return [kinds.one, kinds.low, kinds.high], chances


def above(
    successes: np.ndarray, trials: np.ndarray, kinds: Kinds, limit: float | np.ndarray
) -> np.ndarray:
    """Chance that each share lies above the limit, shape (n_people,)."""
    k, n = np.asarray(successes, "float64"), np.asarray(trials, "float64")
    laws, chances = parts(k, n, kinds)
    tails = [beta_law.sf(limit, law.a + k, law.b + n - k) for law in laws]
    return np.asarray((chances * np.stack(tails, axis=1)).sum(axis=1))


def shrunk_shares(
    successes: np.ndarray, trials: np.ndarray, kinds: Kinds, level: float = LEVEL
) -> pd.DataFrame:
    """share, low and high per person, in the order given; no trials: the prior alone."""
    counts = np.column_stack([np.asarray(successes, "float64"), np.asarray(trials, "float64")])
    pairs, place = np.unique(counts, axis=0, return_inverse=True)  # few, and quantiles are slow
    k, n = pairs.T
    laws, chances = parts(k, n, kinds)
    means = [(law.a + k) / (law.a + law.b + n) for law in laws]
    share = (chances * np.stack(means, axis=1)).sum(axis=1)
    low, high = (quantile(k, n, kinds, tail) for tail in ((1 - level) / 2, (1 + level) / 2))
    found = pd.DataFrame({"share": share, "low": low, "high": high})
    return found.iloc[place.ravel()].reset_index(drop=True)


def quantile(k: np.ndarray, n: np.ndarray, kinds: Kinds, tail: float) -> np.ndarray:
    """By halving: a mixture's quantiles have no formula."""
    low, high = np.zeros(len(k)), np.ones(len(k))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        beyond = above(k, n, kinds, middle) > 1 - tail
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return (low + high) / 2
