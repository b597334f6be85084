"""Methods for providers beside published tables, other libraries and plain integrals.

Those of test_shrinkage.py, test_satisfaction.py and test_drop_out.py are not repeated here.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import betabinom, norm
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.meta_analysis import combine_effects

from provider_worlds import UNTIL_DAYS, drop_out_world
from tierwise import shrinkage as sh
from tierwise.companies import repeat_buying as rb
from tierwise.providers import drop_out as do
from tierwise.providers import satisfaction as sa
from tierwise.providers.drop_out_rates import rates
from tierwise.providers.last_visits import summed
from tierwise.rhythm import Rhythm

# Geissler 1889, in Lindsey and Altham, Applied Statistics 47(1), 1998: boys among the first twelve
# children of 6,115 families in Saxony.
FAMILIES = [3, 24, 104, 286, 670, 1033, 1343, 1112, 829, 478, 181, 45, 7]
# Colditz et al., JAMA 271(9), 1994: tuberculosis and none among vaccinated, the same among others.
TRIALS = """
4 119 11 128   6 300 29 274   3 228 11 209   62 13536 248 12619   33 5036 47 5761
180 1361 372 1079   8 2537 10 619   505 87886 499 87892   29 7470 45 7232   17 1699 65 1600
186 50448 141 27197   5 2493 3 2338   27 16886 29 17825
"""
# Rubin, Journal of Educational Statistics 6(4), 1981: effects of coaching in eight schools.
COACHED = [28, 8, -3, 7, -1, 1, 18, 12]
ERRORS = [15, 10, 16, 11, 9, 11, 10, 18]


def test_the_families_of_saxony_have_the_published_beta_prior():
    """a = 34.10, b = 31.57; that of moments is 34.14 and 31.61."""
    boys = np.repeat(np.arange(13), FAMILIES)
    found = sh.beta_prior(boys, np.full(len(boys), 12))
    assert (found.a, found.b) == pytest.approx((34.10, 31.57), abs=0.02)
    told = np.array(FAMILIES) @ betabinom.logpmf(np.arange(13), 12, found.a, found.b)
    published = np.array(FAMILIES) @ betabinom.logpmf(np.arange(13), 12, 34.09558, 31.5715)
    assert told >= published


def risks():
    """Log risk ratio of each trial, and its standard error."""
    ill, well, others_ill, others_well = np.array(TRIALS.split(), dtype=float).reshape(-1, 4).T
    treated, others = ill + well, others_ill + others_well
    value = np.log(ill / treated) - np.log(others_ill / others)
    return value, np.sqrt(1 / ill - 1 / treated + 1 / others_ill - 1 / others)


def test_the_spread_of_thirteen_trials_is_that_of_paule_and_mandel():
    """Morris' equation for A is theirs; 0.318 is what others report for these trials."""
    value, error = risks()
    found = sh.normal_prior(value, error)
    known = combine_effects(value, error**2, method_re="iterated")
    assert found.sd**2 == pytest.approx(known.tau2, rel=1e-6)
    assert found.sd**2 == pytest.approx(0.318, abs=0.0005)
    assert found.mean == pytest.approx(known.mean_effect_re, rel=1e-6)


def test_eight_schools_do_not_differ_and_have_the_published_mean():
    found = sh.normal_prior(np.array(COACHED), np.array(ERRORS))
    assert found.sd == 0
    assert found.mean == pytest.approx(7.7, abs=0.05)


def test_a_mean_of_k_values_is_as_reliable_as_the_ratio_of_variances_says():
    """Spearman 1910 and Brown 1910: variance of the truth over that of the mean."""
    for true_sd, noise_sd, count in ((0.5, 1.0, 8), (1.0, 0.3, 3)):
        single = true_sd**2 / (true_sd**2 + noise_sd**2)
        of_mean = true_sd**2 / (true_sd**2 + noise_sd**2 / count)
        assert sh.stepped_up(single, count) == pytest.approx(of_mean)
        assert sh.values_needed(single, of_mean) == pytest.approx(count)


def test_where_noise_is_small_quality_is_that_of_least_squares_with_dummies():
    random = np.random.default_rng(6)
    customer, provider = np.repeat(np.arange(150), 8), random.integers(0, 12, 1200)
    score = random.normal(0, 3, 150)[customer] + random.normal(0, 2, 12)[provider]
    visits = pd.DataFrame({"customer": customer, "provider": provider})
    visits["score"] = score + random.normal(0, 0.05, 1200)
    dummies = [pd.get_dummies(visits[name]).to_numpy("float64") for name in visits.columns[:2]]
    plain = OLS(visits["score"].to_numpy(), np.hstack([dummies[0], dummies[1][:, 1:]])).fit()
    effects = np.r_[0.0, plain.params[150:]]
    found = sa.quality(visits)
    quality = found.providers["quality"].to_numpy()
    assert np.allclose(quality - quality.mean(), effects - effects.mean(), atol=2e-3)
    assert found.noise_sd**2 == pytest.approx(plain.mse_resid, rel=1e-3)


def returning(seed=3):
    """Simulated visits of customers who all came again at one provider, and two."""
    visits, _ = drop_out_world(seed, provider_count=6, customer_count=900)
    return visits[visits.groupby("customer")["customer"].transform("size") > 1]


@pytest.mark.parametrize("chance", [0.05, 0.3])
def test_with_one_chance_to_stop_it_is_bg_nbd(chance):
    """Beta with a / (a + b) = chance and no spread; BG/NBD cannot stop at the first visit.

    bg_nbd_likelihood is held to the published fit of CDNOW in tests/real/test_cdnow.py.
    """
    visits = returning().assign(provider=1).drop(columns="segment")
    sums = summed(visits, UNTIL_DAYS, 0.0)
    rhythm = Rhythm(1.2, 30.0)
    level = np.log(chance / (1 - chance))
    parameters = do.Parameters(np.array([level, 0.0]), 1e-6, rhythm)
    told = do.posterior_of(sums, parameters, np.zeros(1)).log_likelihood
    found = told + do.rhythm_likelihood(sums, rhythm)
    beta = (rhythm.r, rhythm.alpha_days, 1e7 * chance, 1e7 * (1 - chance))
    known = rb.bg_nbd_likelihood(beta, sums.later_visits, sums.t_x_days, sums.age_days)
    stayed_first = len(sums.last) * np.log(1 - chance)
    assert found == pytest.approx(known.sum() + stayed_first, abs=0.05)
    assert np.abs(found) > 1000


def test_sums_over_providers_are_integrals():
    sums = summed(returning(), UNTIL_DAYS, 0.0)
    parameters = do.Parameters(np.array([-1.0, -0.3, 0.2]), 0.6, Rhythm(1.2, 30.0))
    found = do.posterior_of(sums, parameters, np.zeros(len(sums.providers)))
    offsets = sums.kinds @ parameters.log_odds
    silence = do.silence_of(sums, parameters.rhythm)
    most = do.log_likelihoods(sums, offsets, silence, found.mode)
    total = 0.0
    for place in range(len(sums.providers)):

        def density(u, place=place):
            at = np.full(len(sums.providers), u)
            inside = do.log_likelihoods(sums, offsets, silence, at)[place] - most[place]
            return np.exp(inside) * norm.pdf(u, 0, parameters.spread)

        total += np.log(quad(density, -4, 4, limit=200)[0]) + most[place]
    assert found.log_likelihood == pytest.approx(total, abs=1e-3)


def test_where_hardly_anyone_stops_rates_are_low_and_nothing_overflows():
    """Visits at any time, by nobody's doing: s is not known at all."""
    random = np.random.default_rng(7)
    count = 3000
    visits = pd.DataFrame(
        {
            "customer": random.integers(0, count // 8, count),
            "provider": random.integers(0, count // 20, count),
            "at_days": random.uniform(0, 365, count),
        }
    )
    found = rates(do.fit(visits, 365.0, 0.0))
    assert found.drop(columns="said").notna().all().all()
    assert found["rate"].max() < 0.05
