"""BG/NBD and Pareto/NBD: the formulas against integrals, the fit against simulated customers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import beta as beta_function
from scipy.special import gamma as gamma_function
from scipy.special import hyp2f1
from scipy.stats import beta as beta_law

from tierwise.companies import repeat_buying as rb
from tierwise.files import InputError

BG = (0.8, 6.0, 0.9, 2.5)
PARETO = (0.7, 8.0, 0.6, 12.0)
MODELS = {"bg_nbd": BG, "pareto_nbd": PARETO}


def fitted(model, parameters=None):
    return rb.Fitted(model, parameters or MODELS[model], 0.0, 1)


def orders_of_one(model, random, until):
    """Simulated times of the orders after the first one, within `until`."""
    r, alpha, a, b = MODELS[model]
    rate = random.gamma(r, 1 / alpha)
    if model == "pareto_nbd":
        stops = random.exponential(1 / random.gamma(a, 1 / b))
        until, leaves = min(until, stops), 0.0
    else:
        leaves = random.beta(a, b)
    times, now = [], random.exponential(1 / rate)
    while now < until:
        times.append(now)
        if random.random() < leaves:
            break
        now += random.exponential(1 / rate)
    return np.array(times)


def customers(model, count, age=40.0, ahead=30.0, seed=1):
    """x, t_x and T at ages around `age`, and the orders in the time ahead."""
    random = np.random.default_rng(seed)
    rows = []
    for big_t in age * random.uniform(0.7, 1.0, count):
        times = orders_of_one(model, random, big_t + ahead)
        past = times[times <= big_t]
        rows.append((len(past), past.max(initial=0.0), big_t, len(times) - len(past)))
    return np.array(rows).T


@pytest.fixture(scope="module", params=list(MODELS))
def simulated(request):
    x, t_x, big_t, future = customers(request.param, 3000)
    return request.param, x, t_x, big_t, future, rb.fit(request.param, x, t_x, big_t)


def test_the_fit_is_no_less_likely_than_the_truth(simulated):
    model, x, t_x, big_t, _, found = simulated
    truth = rb.LIKELIHOODS[model](np.array(MODELS[model]), x, t_x, big_t).sum()
    assert truth <= found.log_likelihood < truth + 10  # 4 parameters: 2 on average


def test_the_rate_of_ordering_is_recovered(simulated):
    model, *_, found = simulated
    r, alpha, *_ = found.parameters
    assert r == pytest.approx(MODELS[model][0], rel=0.15)
    assert r / alpha == pytest.approx(MODELS[model][0] / MODELS[model][1], rel=0.1)


def test_expected_orders_come_true_in_total_and_by_frequency(simulated):
    _, x, t_x, big_t, future, found = simulated
    expected = rb.expected_orders(found, x, t_x, big_t, 30.0)
    assert expected.sum() == pytest.approx(future.sum(), rel=0.08)
    for group in (x == 0, (x > 0) & (x < 4), x >= 4):
        assert expected[group].mean() == pytest.approx(future[group].mean(), abs=0.25)


def test_whoever_orders_in_the_future_was_alive(simulated):
    _, x, t_x, big_t, future, found = simulated
    alive = rb.chance_alive(found, x, t_x, big_t)
    assert ((alive >= 0) & (alive <= 1)).all()
    sure, doubtful = alive >= np.quantile(alive, 0.8), alive <= np.quantile(alive, 0.1)
    assert (future[sure] > 0).mean() > (future[doubtful] > 0).mean() + 0.1


def test_days_and_weeks_give_the_same_customers(simulated):
    model, x, t_x, big_t, _, weeks = simulated
    days = rb.fit(model, x, 7 * t_x, 7 * big_t)
    assert days.parameters[1] == pytest.approx(7 * weeks.parameters[1], rel=1e-3)
    assert days.log_likelihood == pytest.approx(weeks.log_likelihood - x.sum() * np.log(7))
    one = rb.expected_orders(weeks, x, t_x, big_t, 30.0)
    np.testing.assert_allclose(rb.expected_orders(days, x, 7 * t_x, 7 * big_t, 210.0), one, 1e-3)


def test_the_fit_is_the_same_every_time():
    x, t_x, big_t, _ = customers("bg_nbd", 300)
    assert rb.fit("bg_nbd", x, t_x, big_t) == rb.fit("bg_nbd", x, t_x, big_t)


positive = st.floats(0.05, 20)


@settings(max_examples=40, deadline=None)
@given(
    positive,
    positive,
    positive,
    positive,
    st.integers(0, 60),
    st.floats(0, 0.999),
    st.floats(1, 99),
)
def test_who_stopped_unseen_is_the_integral_of_the_paper(r, alpha, s, beta, x, share, big_t):
    t_x = share * big_t * (x > 0)
    at = (np.array([float(one)]) for one in (x, t_x, big_t))
    sum_of_logs = rb.log_stopped(np.array([r, alpha, s, beta]), *at)[0]

    def relative(tau):
        top = (r + x) * np.log(alpha + t_x) + (s + 1) * np.log(beta + t_x)
        return np.exp(top - (r + x) * np.log(alpha + tau) - (s + 1) * np.log(beta + tau))

    marks = t_x + (big_t - t_x) * np.array([0, 1e-3, 1e-2, 0.1, 0.3, 1])
    exact = sum(quad(relative, a, b, epsrel=1e-10)[0] for a, b in pairwise(marks))
    scale = np.log(s) - (r + x) * np.log(alpha + t_x) - (s + 1) * np.log(beta + t_x)
    if exact > 0:
        assert sum_of_logs - scale == pytest.approx(np.log(exact), abs=1e-6)
    else:
        assert sum_of_logs == -np.inf


@pytest.mark.parametrize("parameters", [PARETO, (0.7, 12.0, 0.6, 8.0)])
@pytest.mark.parametrize(("x", "t_x"), [(0, 0.0), (3, 20.0), (9, 31.0)])
def test_pareto_nbd_is_the_closed_form_where_that_can_be_computed(parameters, x, t_x):
    r, alpha, s, beta = parameters
    big_t = 33.0
    low, high, second = min(alpha, beta), max(alpha, beta), s + 1 if alpha >= beta else r + x
    power = r + s + x

    def part(at):
        z = (high - low) / (high + at)
        return hyp2f1(power, second, power + 1, z) / (high + at) ** power

    stopped = s / power * (part(t_x) - part(big_t))
    alive = 1 / ((alpha + big_t) ** (r + x) * (beta + big_t) ** s)
    likelihood = gamma_function(r + x) * alpha**r * beta**s / gamma_function(r) * (alive + stopped)
    at = (np.array([float(one)]) for one in (x, t_x, big_t))
    assert rb.pareto_nbd_likelihood(np.array(parameters), *at) == pytest.approx(np.log(likelihood))
    at = (np.array([float(one)]) for one in (x, t_x, big_t))
    chance = rb.chance_alive(fitted("pareto_nbd", parameters), *at)
    assert chance == pytest.approx(alive / (alive + stopped))


@pytest.mark.parametrize(("x", "t_x"), [(0, 0.0), (1, 2.0), (6, 31.0)])
def test_bg_nbd_is_the_closed_form(x, t_x):
    r, alpha, a, b = BG
    big_t = 33.0
    first = gamma_function(r + x) * alpha**r / gamma_function(r)
    stays = beta_function(a, b + x) / beta_function(a, b) * (alpha + big_t) ** -(r + x)
    left = beta_function(a + 1, b + x - 1) / beta_function(a, b) * (alpha + t_x) ** -(r + x)
    likelihood = first * (stays + (left if x else 0.0))
    at = (np.array([float(one)]) for one in (x, t_x, big_t))
    assert rb.bg_nbd_likelihood(np.array(BG), *at) == pytest.approx(np.log(likelihood))


NODES, WEIGHTS = np.polynomial.legendre.leggauss(500)
CASES = [
    BG,
    (0.5, 2, 5, 0.001),
    (2, 10, 0.001, 50),
    (1, 5, 3000, 8000),
    (1, 1, 1.0, 3),
    (1, 1, 0.3, 0.7),
]


@pytest.mark.parametrize("parameters", CASES)
@pytest.mark.parametrize(
    ("x", "big_t", "ahead"), [(0, 1, 52), (3, 10, 39), (200, 39, 39), (0, 39, 999)]
)
def test_bg_nbd_expects_the_mean_over_rates_and_chances(parameters, x, big_t, ahead):
    r, alpha, a, b = parameters
    p = np.maximum(beta_law.ppf((NODES + 1) / 2, a, b + x), 1e-300)
    passed = np.log1p(p * ahead / (alpha + big_t))
    mean = WEIGHTS @ (-np.expm1(-(r + x) * passed) / p) / 2
    found = rb.bg_nbd_if_alive(parameters, np.array([float(x)]), np.array([float(big_t)]), ahead)
    assert found == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize("model", list(MODELS))
def test_thousands_of_orders_neither_overflow_nor_lose_the_customer(model):
    x = np.array([0.0, 1.0, 500.0, 20_000.0])
    t_x, big_t = np.array([0.0, 3.0, 364.0, 364.9]), np.full(4, 365.0)
    expected = rb.expected_orders(fitted(model), x, t_x, big_t, 30.0)
    assert np.isfinite(rb.LIKELIHOODS[model](np.array(MODELS[model]), x, t_x, big_t)).all()
    assert (np.diff(expected[1:]) > 0).all()
    assert (expected > 0).all()
    assert (expected <= (0.8 + x) / (6 + big_t) * 30 + 1e-9).all()


@pytest.mark.parametrize("model", list(MODELS))
def test_silence_lowers_the_chance_to_be_alive(model):
    t_x = np.linspace(0.5, 40, 30)
    alive = rb.chance_alive(fitted(model), np.full(30, 5.0), t_x, np.full(30, 40.0))
    assert (np.diff(alive) > 0).all()
    assert alive[-1] > 0.5


@pytest.mark.parametrize("model", list(MODELS))
def test_more_time_brings_more_orders_and_none_brings_none(model):
    past = (np.array([0.0, 4.0]), np.array([0.0, 30.0]), np.array([40.0, 40.0]))
    found = [rb.expected_orders(fitted(model), *past, ahead) for ahead in (0.0, 1.0, 10.0, 1000.0)]
    np.testing.assert_allclose(found[0], 0.0, atol=1e-12)
    assert (np.diff(found, axis=0) > 0).all()


def test_a_customer_of_one_order_can_not_have_stopped_in_bg_nbd():
    assert rb.chance_alive(fitted("bg_nbd"), [0.0], [0.0], [500.0]) == 1.0


@pytest.mark.parametrize("place", [1.0, 1 - 1e-11, 1 + 1e-11])
def test_pareto_nbd_is_smooth_where_s_is_one(place):
    near = rb.pareto_nbd_if_alive((0.7, 8, 1.0001, 12), np.array([3.0]), np.array([40.0]), 30.0)
    at = rb.pareto_nbd_if_alive((0.7, 8, place, 12), np.array([3.0]), np.array([40.0]), 30.0)
    assert at == pytest.approx(near, rel=1e-3)


@pytest.mark.parametrize(
    ("x", "t_x", "age"), [(1, 5, 4), (-1, 0, 4), (1, 1, 0), (np.nan, 0, 4), (1, -1, 4)]
)
def test_an_impossible_past_is_refused(x, t_x, age):
    with pytest.raises(InputError, match="recency at most age"):
        rb.fit("bg_nbd", [x, 2, 3], [t_x, 1, 1], [age, 4, 4])


def test_nobody_who_came_back_teaches_nothing():
    with pytest.raises(InputError, match="0 of 3 customers ordered more than once"):
        rb.fit("pareto_nbd", [0, 0, 0], [0, 0, 0], [3, 4, 5])
    with pytest.raises(InputError, match="no customer"):
        rb.fit("pareto_nbd", [], [], [])
