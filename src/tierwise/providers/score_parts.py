"""Which score ranks: satisfaction alone, or drop-out with it? Past quarters decide.

    satisfaction     quality of a provider with customers' own levels taken out (satisfaction.py)
    staying          log odds that a customer stays, less the average provider's (drop_out.py), from
                     seasoned visits only, so that invented customers cannot lift it
    score            satisfaction + ratio x staying, in log odds of a return

The ratio is that of the two coefficients of a logistic model of the next quarter's returns. It is
used where it foretells the returns of providers left out of the fit better than satisfaction alone;
else satisfaction ranks alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.special import expit

from tierwise.providers import drop_out, drop_out_rates, satisfaction, visits
from tierwise.providers import ranks as ra
from tierwise.providers.visits_seen import Seen
from tierwise.shrinkage import NormalPrior

FOLDS_COUNT = 5
DRAWS_COUNT = 1000
SEED = 20240229
LEVEL = 0.9
RIDGE = 1.0  # prior precision of a coefficient
STEPS_COUNT = 50
PARTS = ("satisfaction", "staying")
Staying = tuple[pd.DataFrame, float]  # mean and sd per provider, spread among providers


@dataclass(frozen=True)
class Choice:
    """ratio: of staying beside satisfaction, 0 where satisfaction ranks alone.

    gain: of log likelihood per 1,000 visits of providers left out of the fit, by taking staying in,
    with its interval; visits_count: by which that was judged; tried_ratio: what was tried.
    """

    ratio: float
    tried_ratio: float
    gain: float
    low: float
    high: float
    visits_count: int


@dataclass(frozen=True)
class Satisfaction:
    """evidence: value, precision, effective_visits per provider; how providers differ; the fit.

    A provider that nobody rates against another one, or on an island of its own, has no evidence.
    """

    evidence: pd.DataFrame
    prior: NormalPrior
    quality: satisfaction.Quality


ALONE = Choice(0.0, np.nan, np.nan, np.nan, np.nan, 0)


def satisfied(scored: pd.DataFrame, providers: pd.Index) -> Satisfaction:
    """Satisfaction from visits (customer, provider, score), all of them counting alike."""
    found = satisfaction.quality(scored)
    prior = NormalPrior(0.0, found.quality_sd)
    table = found.providers
    table = table[(table["island"] == 0) & (table["effective_visits"] > 0)]
    named = {"quality": "mean", "sd": "sd", "effective_visits": "effective_visits"}
    evidence = ra.evidence_of(table[list(named)].rename(columns=named), prior)
    return Satisfaction(evidence.reindex(providers).fillna(0.0), prior, found)


def faded(parts: Sequence[Satisfaction], memory: float) -> list[pd.DataFrame]:
    """Evidence at successive mornings, in which older quarters fade, index as in each part.

    parts: from all visits up to each morning. What a quarter adds is what all visits tell at its
    end less what they told at its start; with a memory of 1 nothing fades, and all is as in
    `parts`.
    """
    found = [parts[0].evidence]
    for before, now in pairwise(parts):
        added = difference(now.evidence, before.evidence.reindex(now.evidence.index).fillna(0.0))
        whole = ra.carried(found[-1], added, memory)
        found.append(whole.reindex(now.evidence.index).fillna(0.0))
    return found


def difference(whole: pd.DataFrame, older: pd.DataFrame) -> pd.DataFrame:
    """What the younger visits add to the evidence (value, precision, effective_visits)."""
    precision = (whole["precision"] - older["precision"]).clip(lower=0.0)
    pulled = whole["value"] * whole["precision"] - older["value"] * older["precision"]
    visits = (whole["effective_visits"] - older["effective_visits"]).clip(lower=0.0)
    value = (pulled / precision.where(precision > 0)).fillna(0.0)
    return pd.DataFrame({"value": value, "precision": precision, "effective_visits": visits})


def stayed(found: Seen) -> Staying:
    """mean and sd of staying, index found.providers, and its spread among providers."""
    jobs = found.jobs[found.jobs["seasoned"]]
    fitted = drop_out.fit(jobs, visits.day_number(found.as_of))
    rates = drop_out_rates.rates(fitted)
    average = drop_out_rates.average_rate(fitted)
    rate = rates["rate"].clip(1e-6, 1 - 1e-6)
    table = pd.DataFrame(
        {
            "mean": np.log(average / (1 - average)) - np.log(rate / (1 - rate)),
            "sd": rates["sd"] / (rate * (1 - rate)),
        }
    ).reindex(found.providers)
    spread = fitted.parameters.spread
    return table.fillna({"mean": 0.0, "sd": spread}), spread


def joined(
    own: pd.DataFrame, prior: NormalPrior, staying: pd.DataFrame, spread: float, ratio: float
) -> tuple[pd.DataFrame, NormalPrior]:
    """Estimates of the score from those of both parts, and how it differs between providers.

    Errors of the two parts count as independent; they are so roughly, since one is made of what
    customers do after visits and the other of whether there is a next one.
    """
    mean = own["mean"] + ratio * staying["mean"]
    sd = np.sqrt(own["sd"] ** 2 + (ratio * staying["sd"]) ** 2)
    both = NormalPrior(prior.mean, float(np.hypot(prior.sd, ratio * spread)))
    return own.assign(mean=mean, sd=sd.clip(upper=both.sd)), both


def chosen(rows: pd.DataFrame, level: float = LEVEL, seed: int = SEED) -> Choice:
    """rows: provider, satisfaction, staying, returned (count), visits (count) of past quarters.

    ALONE where there are fewer providers than folds.
    """
    whose, names = pd.factorize(rows["provider"], sort=True)
    if len(names) < FOLDS_COUNT or not 0 < rows["returned"].sum() < rows["visits"].sum():
        return ALONE
    fold = np.random.default_rng(seed).permutation(len(names)) % FOLDS_COUNT
    gain = np.zeros(len(rows))
    for part in range(FOLDS_COUNT):
        out = fold[whose] == part
        both = [likelihood(rows[~out], rows[out], names_) for names_ in (PARTS, PARTS[:1])]
        gain[out] = both[0] - both[1]
    by_provider = np.bincount(whose, gain)
    count = np.bincount(whose, rows["visits"])
    told, low, high = drawn(by_provider, count, level, seed)
    slopes = coefficients(rows, PARTS)
    tried = float(slopes[2] / slopes[1]) if slopes[1] > 0 else np.nan
    better = told > 0 and tried > 0
    return Choice(tried if better else 0.0, tried, told, low, high, int(count.sum()))


def drawn(
    gain: np.ndarray, count: np.ndarray, level: float, seed: int
) -> tuple[float, float, float]:
    """Gain per 1,000 visits and its interval, drawing providers."""
    random = np.random.default_rng(seed)
    times = random.multinomial(len(gain), np.full(len(gain), 1 / len(gain)), DRAWS_COUNT)
    found = 1000 * (times @ gain) / np.maximum(times @ count, 1)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(1000 * gain.sum() / count.sum()), float(low), float(high)


def likelihood(known: pd.DataFrame, rows: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Log likelihood of the returns of each of `rows` by a model of `known`."""
    at = coefficients(known, names)
    chance = np.clip(expit(design(rows, names) @ at), 1e-9, 1 - 1e-9)
    k, n = rows["returned"].to_numpy("float64"), rows["visits"].to_numpy("float64")
    return k * np.log(chance) + (n - k) * np.log1p(-chance)


def design(rows: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    return np.column_stack([np.ones(len(rows)), rows[list(names)].to_numpy("float64")])


def coefficients(rows: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Level and log odds per unit of each part: ridge logistic model of counts."""
    x, n = design(rows, names), rows["visits"].to_numpy("float64")
    k, at = rows["returned"].to_numpy("float64"), np.zeros(1 + len(names))
    held = np.diag([1e-8] + [RIDGE] * len(names))
    for _ in range(STEPS_COUNT):
        chance = expit(x @ at)
        curve = (x * (n * chance * (1 - chance))[:, None]).T @ x + held
        step = np.linalg.solve(curve, x.T @ (k - n * chance) - held @ at)
        at = at + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < 1e-10:
            break
    return at
