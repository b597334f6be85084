"""Shrinkage and reliability: published figures, other libraries, and what must always hold."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import betabinom
from statsmodels.regression.mixed_linear_model import MixedLM

from tierwise import shrinkage as sh
from tierwise.files import InputError

# Efron and Morris, Scientific American 236(5), 1977: averages of 18 batters at 45 at bats, and what
# the paper makes of them.
BATTED = [18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7]
SHRUNK = [0.294, 0.289, 0.285, 0.280, 0.275, 0.275, 0.270, 0.266, 0.261, 0.261]
SHRUNK += [0.256] * 5 + [0.252, 0.247, 0.242]
# Shrout and Fleiss 1979, table 2: four judges on six targets.
JUDGED = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def shares(seed, provider_count=150, a=8.0, b=40.0):
    random = np.random.default_rng(seed)
    truth = random.beta(a, b, provider_count)
    trials = random.geometric(1 / 40, provider_count)
    return truth, random.binomial(trials, truth), trials


def means(seed, provider_count, sd=0.5):
    random = np.random.default_rng(seed)
    truth = random.normal(3, sd, provider_count)
    errors = random.uniform(0.2, 1.0, provider_count)
    return truth, truth + errors * random.normal(size=provider_count), errors


def test_the_batters_of_1977_shrink_as_published():
    averages = np.array(BATTED) / 45
    error = np.sqrt(averages.mean() * (1 - averages.mean()) / 45)
    found = sh.shrunk_means(averages, np.full(18, error))
    assert 1 - found["shrinkage"].iloc[0] == pytest.approx(0.212, abs=0.001)
    assert np.abs(found["mean"] - SHRUNK).max() < 0.001


def test_the_judges_of_1979_agree_as_published():
    values, targets = np.ravel(JUDGED), np.repeat(np.arange(6), 4)
    found = sh.icc(values, targets, level=0.95)
    assert found.single == pytest.approx(0.17, abs=0.005)
    assert found.of_mean == pytest.approx(0.44, abs=0.005)
    assert (found.low, found.high) == pytest.approx((-0.13, 0.72), abs=0.005)
    assert sh.stepped_up(found.single, 4) == pytest.approx(found.of_mean, abs=1e-12)


def test_a_beta_prior_is_the_maximum_that_scipy_finds():
    _, successes, trials = shares(1)

    def loss(logs):
        return -betabinom.logpmf(successes, trials, *np.exp(logs)).sum()

    best = minimize(loss, [1.0, 2.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    found = sh.beta_prior(successes, trials)
    assert (found.a, found.b) == pytest.approx(np.exp(best.x), rel=1e-3)
    assert loss(np.log([found.a, found.b])) <= best.fun + 1e-6


def test_ninety_percent_intervals_of_shares_hold_in_about_ninety_percent():
    held = []
    for seed in range(20):
        truth, successes, trials = shares(seed)
        found = sh.shrunk_shares(successes, trials)
        held.append(((found["low"] <= truth) & (truth <= found["high"])).mean())
    assert 0.88 <= np.mean(held) <= 0.92


@pytest.mark.parametrize("provider_count", [12, 150])
def test_ninety_percent_intervals_of_means_hold_with_few_providers_too(provider_count):
    held = []
    for seed in range(6000 // provider_count):
        truth, values, errors = means(seed, provider_count)
        found = sh.shrunk_means(values, errors)
        held.append(((found["low"] <= truth) & (truth <= found["high"])).mean())
    assert 0.88 <= np.mean(held) <= 0.93


def test_shrunk_shares_err_less_than_raw_ones_and_than_the_mean_of_all():
    truth, successes, trials = shares(3)
    found = sh.shrunk_shares(successes, trials)["share"]
    wrong = [np.mean((one - truth) ** 2) for one in (found, successes / trials, truth.mean())]
    assert wrong[0] < min(wrong[1:])


def test_a_provider_without_trials_gets_the_prior():
    prior = sh.BetaPrior(2.0, 6.0)
    found = sh.shrunk_shares(np.array([0]), np.array([0]), prior)
    assert found["share"].iloc[0] == pytest.approx(prior.mean)


def test_providers_who_are_all_alike_are_shrunk_onto_each_other():
    random = np.random.default_rng(5)
    trials = np.full(200, 50)
    found = sh.shrunk_shares(random.binomial(50, 0.3, 200), trials)
    assert found["share"].max() - found["share"].min() < 0.05


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=3, max_size=30))
def test_a_shrunk_share_lies_between_its_own_and_the_mean_of_the_prior(pairs):
    successes = np.array([one for one, _ in pairs])
    trials = successes + np.array([two for _, two in pairs])
    if (trials > 0).sum() < 2:
        return
    prior = sh.beta_prior(successes, trials)
    found = sh.shrunk_shares(successes, trials, prior)["share"]
    own = np.where(trials > 0, successes / np.maximum(trials, 1), prior.mean)
    assert (found >= np.minimum(own, prior.mean) - 1e-9).all()
    assert (found <= np.maximum(own, prior.mean) + 1e-9).all()


def test_an_icc_of_unequal_groups_is_near_that_of_statsmodels():
    random = np.random.default_rng(7)
    groups = np.repeat(np.arange(120), random.integers(2, 15, 120))
    values = random.normal(0, 0.6, 120)[groups] + random.normal(0, 1, len(groups))
    model = MixedLM(values, np.ones(len(values)), groups=groups).fit(reml=True)
    between = float(np.asarray(model.cov_re)[0, 0])
    found = sh.icc(values, groups)
    assert found.single == pytest.approx(between / (between + model.scale), abs=0.02)
    assert found.low < 0.36 / 1.36 < found.high


@pytest.mark.parametrize(("reliability", "needed"), [(0.7, 168), (0.8, 288)])
def test_hundreds_of_ratings_are_needed_where_nearly_all_are_five_stars(reliability, needed):
    assert sh.values_needed(0.0137, reliability) == pytest.approx(needed, abs=1)


def test_halves_tell_the_reliability_of_a_mean():
    random = np.random.default_rng(11)
    groups = np.repeat(np.arange(400), 20)
    values = random.normal(0, 0.5, 400)[groups] + random.normal(0, 1, len(groups))
    halves, whole = sh.split_half(values, groups)
    assert whole == pytest.approx(0.25 / (0.25 + 1 / 20), abs=0.03)
    assert halves == pytest.approx(0.25 / (0.25 + 1 / 10), abs=0.04)


def test_the_same_seed_splits_alike_and_row_order_does_not_count_for_the_icc():
    random = np.random.default_rng(13)
    frame = pd.DataFrame({"group": random.integers(0, 20, 200), "value": random.normal(size=200)})
    assert sh.split_half(frame["value"], frame["group"]) == sh.split_half(
        frame["value"], frame["group"]
    )
    mixed = frame.sample(frac=1, random_state=1)
    assert sh.icc(mixed["value"], mixed["group"]).single == pytest.approx(
        sh.icc(frame["value"], frame["group"]).single
    )


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: sh.beta_prior(np.array([3]), np.array([2])), "3 of 2"),
        (lambda: sh.beta_prior(np.array([1]), np.array([2])), "two or more"),
        (lambda: sh.normal_prior(np.zeros(5), np.array([1, 1, 0, 1, 1])), "number 2"),
        (lambda: sh.normal_prior(np.zeros(3), np.ones(3)), "4 or more"),
        (lambda: sh.icc(np.ones(3), np.arange(3)), "two values"),
        (lambda: sh.split_half(np.ones(4), np.array([0, 0, 1, 1])), "3 to correlate"),
    ],
)
def test_what_cannot_be_learned_is_said(call, told):
    with pytest.raises(InputError, match=told):
        call()
