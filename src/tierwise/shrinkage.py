"""Shares and means of many providers, drawn towards each other as far as their noise says.

    shares   k of n ~ binomial(p), p ~ beta(a, b): a, b by maximum marginal likelihood
             (Griffiths, Biometrics 29, 1973; Efron, "Large-Scale Inference", 2010, chapter 1)
    means    y ~ N(theta, V), theta ~ N(m, A): Morris, "Parametric empirical Bayes inference",
             JASA 78(381), 1983. With equal V it is the estimator of Efron and Morris (1977).

How much of what differs is real: the intraclass correlation of Shrout and Fleiss, Psychological
Bulletin 86(2), 1979, with the mean count for unequal groups of Donner, International Statistical
Review 54(1), 1986; the split-half reliability, stepped up as Spearman and Brown did in 1910.
A measure can be reliable and wrong: it then tells the same untruth twice.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betaln, expit, logit
from scipy.stats import beta as beta_law
from scipy.stats import f as f_law
from scipy.stats import norm

from tierwise.files import InputError

LEVEL = 0.9  # of all intervals
STEPS_COUNT = 200  # of the iteration for A; a few are enough
# Bounds of a + b: below, all shares are 0 or 1; above, a million trials see no difference.
LEAST_COUNT, MOST_COUNT = 1e-2, 1e6
LEAST_GROUPS = 4  # Morris' correction divides by groups - 3


@dataclass(frozen=True)
class BetaPrior:
    """How shares differ: beta(a, b). a + b is how many trials the prior is worth."""

    a: float
    b: float

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)


@dataclass(frozen=True)
class NormalPrior:
    """How means differ: normal with this mean and standard deviation, in the unit of the means."""

    mean: float
    sd: float


@dataclass(frozen=True)
class Icc:
    """Share of the variance that lies between groups, of one value and of the mean of a group."""

    single: float
    low: float
    high: float
    of_mean: float
    mean_count: float  # values per group, as counted for unequal groups


def beta_prior(successes: np.ndarray, trials: np.ndarray) -> BetaPrior:
    """Maximum likelihood of a, b from successes and trials, shape (n_providers,) each.

    Raises InputError unless 0 <= successes <= trials and two providers have trials.
    """
    k, n = checked_counts(successes, trials)

    def loss(at: np.ndarray) -> float:
        mean, count = expit(at[0]), np.exp(at[1])
        a, b = mean * count, (1 - mean) * count
        return -float((betaln(a + k, b + n - k) - betaln(a, b)).sum()) / n.sum()

    start = beta_by_moments(k, n)
    begun = np.array([logit(start.mean), np.log(start.a + start.b)])
    bounds = [(-20.0, 20.0), (np.log(LEAST_COUNT), np.log(MOST_COUNT))]
    begun[1] = np.clip(begun[1], bounds[1][0] + 1, bounds[1][1] - 1)
    fine = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 500}
    found = minimize(loss, begun, method="L-BFGS-B", bounds=bounds, options=fine).x
    mean, count = float(expit(found[0])), float(np.exp(found[1]))
    return BetaPrior(mean * count, (1 - mean) * count)


def beta_by_moments(successes: np.ndarray, trials: np.ndarray) -> BetaPrior:
    """a, b with the mean and the variance of the raw shares (Gelman et al., BDA3, section 5.1).

    A rough start only: the noise of the shares counts as differences.
    """
    shares = np.asarray(successes, dtype="float64") / np.asarray(trials, dtype="float64")
    mean = float(np.clip(shares.mean(), 1e-6, 1 - 1e-6))
    variance = float(shares.var(ddof=1)) or 1e-9
    count = float(np.clip(mean * (1 - mean) / variance - 1, LEAST_COUNT, MOST_COUNT))
    return BetaPrior(mean * count, (1 - mean) * count)


def checked_counts(successes: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 without providers that have no trial. Raises InputError, see beta_prior."""
    k, n = np.asarray(successes, dtype="float64"), np.asarray(trials, dtype="float64")
    wrong = ~((k >= 0) & (k <= n))
    if wrong.any():
        raise InputError(
            f"Successes must be between 0 and the trials; provider number {int(wrong.argmax())} has"
            f" {k[wrong][0]:g} of {n[wrong][0]:g}. Count both over the same visits."
        )
    if (n > 0).sum() < 2:
        raise InputError(
            f"{int((n > 0).sum())} provider has trials; it takes two or more to learn how providers"
            " differ. Give a longer time."
        )
    return k[n > 0], n[n > 0]


def shrunk_shares(
    successes: np.ndarray, trials: np.ndarray, prior: BetaPrior | None = None, level: float = LEVEL
) -> pd.DataFrame:
    """share, low, high and sd per provider, in the order given; no trials: the prior alone.

    The prior's own uncertainty is left out: with fewer than about 30 providers the intervals are
    somewhat short.
    """
    prior = prior or beta_prior(successes, trials)
    k, n = np.asarray(successes, dtype="float64"), np.asarray(trials, dtype="float64")
    law = beta_law(prior.a + k, prior.b + n - k)
    low, high = law.ppf((1 - level) / 2), law.ppf((1 + level) / 2)
    return pd.DataFrame({"share": law.mean(), "low": low, "high": high, "sd": law.std()})


def normal_prior(values: np.ndarray, errors: np.ndarray) -> NormalPrior:
    """Mean and standard deviation of the true means; errors: standard errors of the values > 0.

    Morris 1983: weights 1 / (V + A), and A from the weighted squares, until both agree.
    Raises InputError where there are fewer than 4 values, or an error is not above 0.
    """
    y, v = checked_errors(values, errors)
    spread = float(max(y.var(ddof=1) - v.mean(), 0.0))
    for _ in range(STEPS_COUNT):
        weights = 1 / (v + spread)
        mean = float(weights @ y / weights.sum())
        squares = len(y) / (len(y) - 1) * (y - mean) ** 2 - v
        before, spread = spread, max(float(weights @ squares / weights.sum()), 0.0)
        if abs(spread - before) <= 1e-12 * (spread + float(v.mean())):
            break
    return NormalPrior(mean, float(np.sqrt(spread)))


def checked_errors(values: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and squared errors. Raises InputError, see normal_prior."""
    y, v = np.asarray(values, dtype="float64"), np.asarray(errors, dtype="float64") ** 2
    if len(y) < LEAST_GROUPS:
        raise InputError(
            f"{len(y)} values; it takes {LEAST_GROUPS} or more to learn how much they differ."
        )
    wrong = ~((v > 0) & np.isfinite(v) & np.isfinite(y))
    if wrong.any():
        raise InputError(
            f"Each value needs a standard error above 0; number {int(wrong.argmax())} is "
            f"{y[wrong][0]:g} with {np.sqrt(v[wrong][0]):g}. Leave out what was not measured."
        )
    return y, v


def shrunk_means(values: np.ndarray, errors: np.ndarray, level: float = LEVEL) -> pd.DataFrame:
    """mean, low, high, sd and the shrinkage (0 own value, 1 all alike) per provider.

    Morris 1983: the shrinkage is cut by (k-3)/(k-1), the variance grows by
    what is not known of mean and spread, so that intervals hold with few providers too.
    """
    y, v = checked_errors(values, errors)
    prior, count = normal_prior(values, errors), len(y)
    total = v + prior.sd**2
    shrinkage = (count - 3) / (count - 1) * v / total
    weights = 1 / total
    mean = prior.mean + (1 - shrinkage) * (y - prior.mean)
    known = v * (1 - (1 - weights / weights.sum()) * shrinkage)
    relative = (v.mean() + prior.sd**2) / total
    unknown = 2 / (count - 3) * shrinkage**2 * relative * (y - prior.mean) ** 2
    sd = np.sqrt(known + unknown)
    wide = norm.ppf((1 + level) / 2) * sd
    columns = {"mean": mean, "low": mean - wide, "high": mean + wide, "sd": sd}
    return pd.DataFrame(columns | {"shrinkage": shrinkage})


def icc(values: np.ndarray, groups: np.ndarray, level: float = LEVEL) -> Icc:
    """One-way random ICC(1) of values in groups, shape (n_values,) each, with an F interval.

    Exact for groups of one size, close for others. Raises InputError where no group has two values.
    """
    y = np.asarray(values, dtype="float64")
    codes, names = pd.factorize(np.asarray(groups))
    counts = np.bincount(codes).astype("float64")
    if len(names) < 2 or len(y) <= len(names):
        raise InputError(
            f"{len(y):,} values in {len(names):,} groups: differences need two groups or more, and "
            "noise needs groups with two values or more."
        )
    means = np.bincount(codes, y) / counts
    within_df, between_df = len(y) - len(names), len(names) - 1
    within = float(((y - means[codes]) ** 2).sum()) / within_df
    between = float(counts @ (means - y.mean()) ** 2) / between_df
    size = float(len(y) - (counts**2).sum() / len(y)) / between_df
    ratio = between / within if within else np.inf
    tail = (1 + level) / 2
    ends = (
        ratio / f_law.ppf(tail, between_df, within_df),
        ratio * f_law.ppf(tail, within_df, between_df),
    )
    single, low, high = (of_ratio(one, size) for one in (ratio, *ends))
    of_mean = float(1 - 1 / ratio) if ratio else -np.inf
    return Icc(single, low, high, of_mean, size)


def of_ratio(ratio: float, size: float) -> float:
    """ICC(1) from the ratio of mean squares between and within groups of this size."""
    return float((ratio - 1) / (ratio + size - 1)) if np.isfinite(ratio) else 1.0


def stepped_up(reliability: float, times: float) -> float:
    """Reliability of the mean of `times` as many values: Spearman and Brown, 1910."""
    return times * reliability / (1 + (times - 1) * reliability)


def values_needed(single: float, reliability: float) -> float:
    """Values per provider for their mean to have this reliability, where one has ICC `single`.

    Infinite where providers do not differ.
    """
    if single <= 0:
        return np.inf
    return reliability * (1 - single) / (single * (1 - reliability))


def split_half(
    values: np.ndarray, groups: np.ndarray, split_count: int = 20, seed: int = 20240229
) -> tuple[float, float]:
    """Mean correlation of the means of two random halves, and stepped up to the whole.

    Groups of one value are left out. Raises InputError where fewer than 3 groups can be split.
    """
    codes, names = pd.factorize(np.asarray(groups))
    counts = np.bincount(codes)
    kept = counts[codes] >= 2
    if (counts >= 2).sum() < 3:
        raise InputError(
            f"{int((counts >= 2).sum())} of {len(names):,} groups have two values or more; it takes"
            " 3 to correlate halves. Give a longer time."
        )
    y, codes = np.asarray(values, dtype="float64")[kept], pd.factorize(codes[kept])[0]
    rng = np.random.default_rng(seed)
    halves = float(np.mean([correlation_of_halves(y, codes, rng) for _ in range(split_count)]))
    return halves, stepped_up(halves, 2)


def correlation_of_halves(y: np.ndarray, codes: np.ndarray, rng: np.random.Generator) -> float:
    """Correlation over groups of the means of two halves; the odd value falls to either."""
    order = np.lexsort((rng.random(len(y)), codes))
    counts = np.bincount(codes)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    odd = (np.arange(len(y)) - starts + rng.integers(0, 2, len(counts))[codes[order]]) % 2 == 1
    first = np.bincount(codes[order][odd], y[order][odd], minlength=len(counts))
    second = np.bincount(codes[order][~odd], y[order][~odd], minlength=len(counts))
    share = np.bincount(codes[order][odd], minlength=len(counts))
    return float(np.corrcoef(first / share, second / (counts - share))[0, 1])
