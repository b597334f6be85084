"""Measures of expected spend: their limits, and the trap of the mean absolute error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.companies import spend_measures as sm
from tierwise.files import InputError

RANDOM = np.random.default_rng(4)
TRUE_MEAN = RANDOM.gamma(0.4, 100, 4000)
ACTUAL = np.where(RANDOM.random(4000) < 0.3, RANDOM.gamma(0.8, TRUE_MEAN / 0.24), 0.0)
NOTHING = np.zeros(4000)


def test_predicting_zero_wins_the_mean_absolute_error_and_nothing_else():
    truth, zero = sm.measured(ACTUAL, TRUE_MEAN), sm.measured(ACTUAL, NOTHING)
    assert zero["mae_eur"] < truth["mae_eur"]
    assert truth["mae_of_zero_eur"] == zero["mae_eur"]
    assert zero["gini"] == pytest.approx(0, abs=1e-12)
    assert zero["bias_share"] == -1
    assert zero["captured_top_decile_share"] == pytest.approx(0.1)
    assert truth["gini"] > 0.3
    assert truth["rmse_eur"] < zero["rmse_eur"]
    assert truth["decile_error"] < 0.2 < zero["decile_error"]


def test_the_true_order_has_gini_one_and_the_reverse_minus_one():
    assert sm.gini(ACTUAL, ACTUAL) == pytest.approx(1)
    assert sm.gini(np.arange(9.0), -np.arange(9.0)) == pytest.approx(-1)


def test_gini_of_a_small_case_is_what_paper_and_pencil_give():
    # Captured 0.25, 1, 1 against 1/3, 2/3, 1: area 0.25/3; the best 0.75, 1, 1: 0.75/3.
    assert sm.gini([3.0, 1.0, 0.0], [2.0, 3.0, 1.0]) == pytest.approx(1 / 3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), min_size=2, max_size=30))
def test_neither_the_order_of_rows_nor_of_ties_matters(rows):
    actual, expected = np.array(rows, dtype=float).T
    one, other = sm.gini(actual, expected), sm.gini(actual[::-1], expected[::-1])
    assert one == pytest.approx(other, nan_ok=True, abs=1e-9)
    assert sm.gini(actual, 3 * expected + 1) == pytest.approx(one, nan_ok=True, abs=1e-9)
    if not np.isnan(one):
        assert -1 - 1e-9 <= one <= 1 + 1e-9


def test_bias_and_deciles_see_the_level_and_gini_does_not():
    assert sm.bias_share(ACTUAL, 1.5 * ACTUAL) == pytest.approx(0.5)
    assert sm.decile_error(ACTUAL, 1.5 * ACTUAL) == pytest.approx(0.5)
    assert sm.gini(ACTUAL, 1.5 * TRUE_MEAN) == pytest.approx(sm.gini(ACTUAL, TRUE_MEAN))


def test_a_right_total_with_wrong_tenths_has_a_decile_error():
    y = np.repeat([0.0, 10.0], 50)
    wrong = np.repeat([4.0, 6.0], 50)
    assert sm.bias_share(y, wrong) == pytest.approx(0)
    assert sm.decile_error(y, wrong) == pytest.approx(0.8)
    assert sm.by_decile(y, wrong).shape == (10, 2)


def test_the_top_decile_captures_what_it_holds():
    y = np.r_[np.full(10, 9.0), np.full(90, 1.0)]
    assert sm.captured_share(y, y) == pytest.approx(0.5)
    assert sm.captured_share(y, -y) == pytest.approx(10 / 180)


def test_where_nobody_spends_there_is_nothing_to_rank():
    found = sm.measured(NOTHING, TRUE_MEAN)
    assert np.isnan([found["gini"], found["bias_share"], found["decile_error"]]).all()


def test_coverage_is_told_per_group_and_in_all():
    y, group = np.array([0.0, 5.0, 20.0, 0.0]), np.array(["x", "x", "y", "y"])
    found = sm.coverage(y, np.array([0, 5, 0, 1.0]), np.array([1, 6, 10, 3.0]), group)
    assert found["x"] == {"count": 2, "covered_share": 1.0, "width_eur": 1.0}
    assert found["y"] == {"count": 2, "covered_share": 0.0, "width_eur": 6.0}
    assert found["all"]["covered_share"] == 0.5


def test_a_candidate_does_not_differ_from_itself():
    found = sm.difference(sm.gini, ACTUAL, TRUE_MEAN, TRUE_MEAN, draw_count=20)
    assert found == {"difference": 0.0, "low": 0.0, "high": 0.0}


def test_the_interval_of_a_difference_tells_better_from_luck():
    noise = TRUE_MEAN * RANDOM.lognormal(0, 2, 4000)
    clear = sm.difference(sm.gini, ACTUAL, TRUE_MEAN, noise, draw_count=100)
    assert 0 < clear["low"] <= clear["difference"] <= clear["high"]
    assert clear == sm.difference(sm.gini, ACTUAL, TRUE_MEAN, noise, draw_count=100)
    told = 0
    for one, other in RANDOM.random((20, 2, 800)):
        luck = sm.difference(sm.gini, ACTUAL[:800], one, other, draw_count=100)
        told += not luck["low"] < 0 < luck["high"]
    assert told <= 4  # one in twenty is meant to


@pytest.mark.parametrize("expected", [[1.0], [1.0, np.nan], [1.0, np.inf]])
def test_what_is_no_expectation_is_refused(expected):
    with pytest.raises(InputError, match="finite and of one length"):
        sm.measured(np.array([1.0, 2.0]), np.array(expected))
