"""The share of visits after which the customer comes back to the same provider within a horizon.

A recent visit is neither left out nor counted as one without a return. With F(age), the part of
all returns that come within so many days (Kaplan, Meier, JASA 53(282), 1958), a visit of that age
has had the chance p F of a return so far, and p F(horizon) = p at the end. The quasi-score of p
(Wedderburn, Biometrika 61(3), 1974) near the share p0 of all visits gives each visit a weight:

    w = (1 - p0) / (1 - p0 F)      returned k = sum of w over returns      trials n = sum of w F

E k = p n, and near p0 k varies as that of n trials does. A visit whose time is over is one trial.
Providers differ as k ~ beta-binomial(n, mu M, (1 - mu) M), where log odds of mu may depend on what
is known of the provider (Prentice, JASA 81(394), 1986): who is new is expected to be as others of
its kind are.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betaln, digamma, expit, logit
from scipy.stats import beta as beta_law

from tierwise.files import InputError
from tierwise.providers.drop_out import EARLY, LEAST_VISITS, TOLD
from tierwise.rhythm import MERGE_DAYS, checked, jobs
from tierwise.shrinkage import LEAST_COUNT, LEVEL, MOST_COUNT

HORIZON_DAYS = 365.0
RIDGE = 1.0  # prior precision of log odds per standard deviation of a column
LEAST_RETURNS = 20
LOG_BOUND = 12.0


@dataclass(frozen=True)
class Prior:
    """What is expected of each provider before its visits are looked at.

    mean: shape (n_providers,); count: how many trials the expectation is worth; log_odds: level,
    then per standard deviation of each column.
    """

    mean: np.ndarray
    count: float
    log_odds: pd.Series


def followed(
    visits: pd.DataFrame, until_days: float, merge_days: float = MERGE_DAYS
) -> pd.DataFrame:
    """Visits up to until_days, one per job, with gap_days to the next one at the same provider.

    visits: customer, provider, at_days. gap_days is NaN where nobody came again; age_days is the
    time since the visit. Raises InputError where a column is missing or there is no visit.
    """
    known = checked(visits)
    merged = jobs(known[known["at_days"] <= until_days], merge_days)
    later = merged.groupby(["customer", "provider"], sort=False)["at_days"].shift(-1)
    return merged.assign(
        gap_days=later - merged["at_days"], age_days=until_days - merged["at_days"]
    )


def part_come(visits: pd.DataFrame, horizon_days: float, ages_days: np.ndarray) -> np.ndarray:
    """Part of the returns within the horizon that come within each age, from 0 to 1.

    visits: as from `followed`. Raises InputError where too few returned to know.
    """
    returned = (visits["gap_days"] <= horizon_days).to_numpy()
    if returned.sum() < LEAST_RETURNS:
        raise InputError(
            f"{int(returned.sum())} of {len(returned):,} visits were followed by another one at "
            f"the same provider within {horizon_days:g} days; it takes {LEAST_RETURNS} to learn "
            "when customers return. Give a longer time."
        )
    waited = np.where(returned, visits["gap_days"], np.minimum(visits["age_days"], horizon_days))
    days, counts = np.unique(waited[returned], return_counts=True)
    at_risk = len(waited) - np.searchsorted(np.sort(waited), days)
    come = np.r_[0.0, 1 - np.cumprod(1 - counts / at_risk)]
    return come[np.searchsorted(days, ages_days, side="right")] / come[-1]


def counted(
    visits: pd.DataFrame,
    until_days: float,
    horizon_days: float = HORIZON_DAYS,
    merge_days: float = MERGE_DAYS,
    half_life_days: float = np.inf,
) -> pd.DataFrame:
    """Per provider, index provider: visit_count, returned_count, returned, trials.

    returned and trials as in the module's formula; with a half-life, older visits count less.
    Returns later than the horizon are none. Raises InputError, see `followed` and `part_come`.
    """
    known = followed(visits, until_days, merge_days)
    returned = (known["gap_days"] <= horizon_days).to_numpy("float64")
    age = known["age_days"].to_numpy("float64")
    part = part_come(known, horizon_days, np.minimum(age, horizon_days))
    k, n = weighed(returned, part) * 0.5 ** (age / half_life_days)
    columns = {"visit_count": 1, "returned_count": returned.astype("int64")}
    rows = pd.DataFrame(columns | {"returned": k, "trials": n})
    table = rows.groupby(known["provider"].to_numpy()).sum().rename_axis("provider")
    # A first return within days of a first visit is more than the trial it had so far.
    return table.assign(trials=table[["returned", "trials"]].max(axis=1))


def weighed(returned: np.ndarray, part: np.ndarray) -> np.ndarray:
    """w times returned and w times part, shape (2, n_visits), as in the module's formula."""
    overall = float(np.clip(returned.sum() / part.sum(), 1e-6, 1 - 1e-6))
    return (1 - overall) / (1 - overall * part) * np.array([returned, part])


def expected(counts: pd.DataFrame, known: pd.DataFrame | None = None) -> Prior:
    """The prior by maximum likelihood, with a ridge on what numbers of `known` say.

    counts: as from `counted`. known: numbers per provider, index provider, known at that time (log
    of visits, kind, size); every provider counted must have each. Raises InputError.
    """
    k, n = (counts[name].to_numpy("float64") for name in ("returned", "trials"))
    names, columns = standardised(counts.index, known)
    design = np.column_stack([np.ones(len(k)), columns])

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        mean, count = expit(design @ at[:-1]), np.exp(at[-1])
        a, b = mean * count, (1 - mean) * count
        held = RIDGE * at[1:-1]
        total = (betaln(a + k, b + n - k) - betaln(a, b)).sum() - 0.5 * held @ at[1:-1]
        both = digamma(a + b) - digamma(a + b + n)
        of_a = digamma(a + k) - digamma(a) + both
        of_b = digamma(b + n - k) - digamma(b) + both
        slope = design.T @ (count * mean * (1 - mean) * (of_a - of_b))
        slope[1:] -= held
        of_count = count * float((mean * of_a + (1 - mean) * of_b).sum())
        return -float(total) / len(k), -np.append(slope, of_count) / len(k)

    level = float(logit(np.clip(k.sum() / n.sum(), 1e-6, 1 - 1e-6)))
    start = np.concatenate([[level], np.zeros(columns.shape[1]), [np.log(10.0)]])
    bounds = [(-LOG_BOUND, LOG_BOUND)] * len(start[1:])
    bounds.append((np.log(LEAST_COUNT), np.log(MOST_COUNT)))
    fine = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=fine).x
    log_odds = pd.Series(found[:-1], index=["level", *names], name="log_odds")
    return Prior(expit(design @ found[:-1]), float(np.exp(found[-1])), log_odds)


def standardised(providers: pd.Index, known: pd.DataFrame | None) -> tuple[list[str], np.ndarray]:
    """Columns less their mean over their standard deviation, in the order of the providers."""
    if known is None:
        return [], np.empty((len(providers), 0))
    table = known.reindex(providers).astype("float64")
    missing = table.isna().any()
    if missing.any():
        name = missing.index[missing.to_numpy()][0]
        raise InputError(
            f"{name} is missing for {int(table[name].isna().sum()):,} of {len(table):,} providers."
            " Fill it in, or leave the column out."
        )
    spread = table.std(ddof=0)
    return list(table), ((table - table.mean()) / spread.where(spread > 0, 1.0)).to_numpy()


def rates(
    counts: pd.DataFrame, known: pd.DataFrame | None = None, level: float = LEVEL
) -> pd.DataFrame:
    """The counts with expected, rate, low, high, sd and said, index provider.

    expected: of the prior; rate: with the provider's own visits. said: "too early to say" below
    15 trials. The prior's own uncertainty is left out, as in shrinkage.shrunk_shares.
    """
    prior = expected(counts, known)
    k, n = (counts[name].to_numpy("float64") for name in ("returned", "trials"))
    law = beta_law(prior.mean * prior.count + k, (1 - prior.mean) * prior.count + n - k)
    return counts.assign(
        expected=prior.mean,
        rate=law.mean(),
        low=law.ppf((1 - level) / 2),
        high=law.ppf((1 + level) / 2),
        sd=law.std(),
        said=np.where(n >= LEAST_VISITS, TOLD, EARLY),
    )
