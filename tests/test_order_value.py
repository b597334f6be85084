"""Gamma-Gamma: what it recovers, and how it weighs a customer's own orders against all others'."""

import numpy as np
import pytest
from scipy.integrate import quad

from tierwise.companies import order_value as ov
from tierwise.files import InputError

TRUTH = (6.0, 4.0, 15.0)


@pytest.fixture(scope="module")
def simulated():
    """Number of orders, their mean, and the customer's true mean: p over its own rate."""
    random = np.random.default_rng(2)
    p, q, v = TRUTH
    x = 1 + random.poisson(2, 6000)
    rate = random.gamma(q, 1 / v, len(x))
    return x, random.gamma(p * x, 1 / (rate * x)), p / rate


def test_the_parameters_are_recovered(simulated):
    x, z, _ = simulated
    found = ov.fit(x, z)
    assert (found.p, found.q, found.v) == pytest.approx(TRUTH, rel=0.15)
    assert found.overall == pytest.approx(6 * 15 / 3, rel=0.05)
    truth = ov.log_likelihood(np.array(TRUTH), x, z).sum()
    assert truth <= found.log_likelihood < truth + 10


def test_cents_give_the_same_model_as_euros(simulated):
    x, z, _ = simulated
    euros, cents = ov.fit(x[:500], z[:500]), ov.fit(x[:500], 100 * z[:500])
    assert (cents.p, cents.q, cents.v) == pytest.approx((euros.p, euros.q, 100 * euros.v), rel=1e-4)
    assert cents.log_likelihood == pytest.approx(euros.log_likelihood - 500 * np.log(100))


def test_the_expected_mean_is_nearer_to_the_truth_than_the_own_mean(simulated):
    x, z, truth = simulated
    expected = ov.expected_mean_eur(ov.fit(x, z), x, z)
    assert np.mean((expected - truth) ** 2) < 0.9 * np.mean((z - truth) ** 2)
    assert expected.mean() == pytest.approx(truth.mean(), rel=0.02)


def test_the_density_sums_to_one():
    total = quad(lambda z: np.exp(ov.log_likelihood(np.array(TRUTH), 3.0, z)), 0, np.inf)[0]
    assert total == pytest.approx(1.0, abs=1e-6)


def test_few_orders_are_drawn_to_all_others_and_many_stand_for_themselves():
    model = ov.OrderValue(*TRUTH, 0.0, 1)
    found = ov.expected_mean_eur(model, np.array([0, 1, 10, 10_000]), np.full(4, 90.0))
    assert found[0] == pytest.approx(model.overall)
    assert (np.diff(found) > 0).all()
    assert found[-1] == pytest.approx(90.0, rel=1e-2)


def test_without_an_order_the_amount_given_does_not_matter():
    model = ov.OrderValue(*TRUTH, 0.0, 1)
    found = ov.expected_mean_eur(model, np.array([0, 0]), np.array([np.nan, 7.0]))
    np.testing.assert_allclose(found, model.overall)


def test_a_mean_that_does_not_exist_is_no_number():
    model = ov.OrderValue(2.0, 0.5, 10.0, 0.0, 1)
    assert model.overall == np.inf
    assert np.isnan(ov.expected_mean_eur(model, np.array([0]), np.array([0.0])))


def test_orders_of_nothing_are_left_out_and_too_few_are_refused():
    x, z = np.array([1, 2, 3, 0, 2, 4]), np.array([10.0, 20.0, 15.0, 9.0, 0.0, 12.0])
    assert ov.fit(x, z).customer_count == 4
    with pytest.raises(InputError, match="2 customers have an order"):
        ov.fit(x[:2], z[:2])


def test_correlation_of_what_does_not_vary_is_no_number():
    assert np.isnan(ov.correlation([1, 1, 1], [1.0, 2.0, 3.0]))
    assert ov.correlation([1, 2, 3], [1.0, 2.0, 3.0]) == pytest.approx(1.0)
