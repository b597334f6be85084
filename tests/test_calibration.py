"""Every correction keeps the order, stays a chance, and mends what it promises to mend."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from tierwise import calibration

GRID = np.linspace(0, 1, 401)
METHODS = pytest.mark.parametrize("method", calibration.METHODS)


def in_halves(score, won):
    """The methods fitted on the first half of the rows and judged on the second."""
    earlier = np.arange(len(score)) < len(score) // 2
    return calibration.compare(score, won, earlier, ~earlier)


def simulated(intercept, slope, count=20_000, seed=0):
    """Scores whose true chance is expit(intercept + slope * log-odds), and what happened."""
    random = np.random.default_rng(seed)
    score = expit(random.normal(-0.5, 1.2, count))
    true = expit(intercept + slope * logit(score))
    return score, (random.random(count) < true).astype(float), true


scores_and_outcomes = st.integers(4, 120).flatmap(
    lambda count: st.tuples(
        st.lists(
            st.sampled_from(np.r_[0.0, np.linspace(0.001, 0.999, 30), 1.0].tolist()),
            min_size=count,
            max_size=count,
        ).map(np.array),
        st.lists(st.sampled_from([0.0, 1.0]), min_size=count, max_size=count).map(np.array),
    )
)


# what every method keeps


@pytest.mark.parametrize("method", calibration.METHODS)
@given(both=scores_and_outcomes)
def test_no_map_ever_falls_or_leaves_the_range_of_a_chance(method, both):
    chance = calibration.apply(calibration.fit(method, *both), GRID)
    assert np.isfinite(chance).all()
    assert (abs(chance - 0.5) <= 0.5).all()
    assert (np.diff(chance) >= -1e-9).all()


@METHODS
def test_scores_that_rank_upside_down_are_never_turned_around(method):
    score, won, _ = simulated(0, 1, 2000)
    chance = calibration.apply(calibration.fit(method, 1 - score, won), GRID)
    assert (np.diff(chance) >= -1e-9).all()


@METHODS
def test_fitting_repeats_exactly_and_alters_nothing(method):
    score, won, _ = simulated(0.5, 0.8, 1000)
    before = score.copy(), won.copy()
    first = calibration.fit(method, score, won)
    assert calibration.fit(method, score, won) == first
    np.testing.assert_array_equal(score, before[0])
    np.testing.assert_array_equal(won, before[1])


@METHODS
def test_the_order_of_rows_changes_no_map(method):
    score, won, _ = simulated(0.5, 0.8, 1000)
    mixed = np.random.default_rng(1).permutation(1000)
    straight = calibration.apply(calibration.fit(method, score, won), GRID)
    shuffled = calibration.apply(calibration.fit(method, score[mixed], won[mixed]), GRID)
    np.testing.assert_allclose(shuffled, straight, atol=1e-5)


@METHODS
def test_a_map_survives_being_written_as_json(method):
    score, won, _ = simulated(-0.3, 0.7, 1000)
    calibrator = calibration.fit(method, score, won)
    again = json.loads(json.dumps(calibrator))
    np.testing.assert_array_equal(
        calibration.apply(again, GRID), calibration.apply(calibrator, GRID)
    )


@METHODS
@pytest.mark.parametrize("only", [0.0, 1.0])
def test_one_class_only_gives_a_map_that_does_not_fall(method, only):
    score, _, _ = simulated(0, 1, 200)
    chance = calibration.apply(calibration.fit(method, score, np.full(200, only)), GRID)
    assert (np.diff(chance) >= -1e-9).all()
    if method != "none":
        assert (
            abs(
                calibration.apply(calibration.fit(method, score, np.full(200, only)), score).mean()
                - only
            )
            < 0.01
        )


@METHODS
def test_on_scores_that_are_already_right_nothing_much_is_changed(method):
    score, won, true = simulated(0, 1)
    chance = calibration.apply(calibration.fit(method, score, won), score)
    assert np.abs(chance - true).mean() < 0.015


@METHODS
def test_a_constant_score_is_mended_in_level_only(method):
    won = np.r_[np.ones(60), np.zeros(140)]
    score = np.full(200, 0.5)
    chance = calibration.apply(calibration.fit(method, score, won), score)
    assert len(set(chance)) == 1
    assert chance[0] == pytest.approx(0.5 if method == "none" else 0.3, abs=0.005)


def test_an_unknown_method_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="'beta' is unknown; choose one of none, prior, sigmoid"):
        calibration.fit("beta", np.array([0.5]), np.array([1.0]))


# method by method


def test_none_is_the_identity_within_a_millionth():
    chance = calibration.apply(calibration.fit("none", GRID, GRID > 0.5), GRID)
    np.testing.assert_allclose(chance, GRID, atol=1.0001e-6)
    np.testing.assert_allclose(chance[1:-1], GRID[1:-1], rtol=1e-12)


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.97])
@pytest.mark.parametrize("spread", [0.1, 1.0, 8.0])
def test_prior_makes_the_mean_chance_the_share_of_wins(rate, spread):
    random = np.random.default_rng(0)
    score = expit(random.normal(-1, spread, 1000))
    won = (np.arange(1000) < rate * 1000).astype(float)
    chance = calibration.apply(calibration.fit("prior", score, won), score)
    assert chance.mean() == pytest.approx(rate, abs=1e-9)


def test_prior_changes_every_odds_by_the_same_factor():
    score, won, _ = simulated(1.2, 1.0)
    calibrator = calibration.fit("prior", score, won)
    chance = calibration.apply(calibrator, score)
    factor = (chance / (1 - chance)) / (score / (1 - score))
    np.testing.assert_allclose(factor, np.exp(calibrator["intercept"]), rtol=1e-6)
    assert calibrator["intercept"] == pytest.approx(1.2, abs=0.05)


@pytest.mark.parametrize(("intercept", "slope"), [(0.0, 1.0), (-1.5, 0.5), (0.7, 1.8)])
def test_sigmoid_recovers_the_intercept_and_slope_that_made_the_data(intercept, slope):
    score, won, _ = simulated(intercept, slope)
    calibrator = calibration.fit("sigmoid", score, won)
    assert calibrator["intercept"] == pytest.approx(intercept, abs=0.08)
    assert calibrator["slope"] == pytest.approx(slope, abs=0.08)
    assert calibrator["knots"] == []


def test_sigmoid_makes_the_mean_chance_the_share_of_wins():
    """The intercept's score equation of maximum likelihood."""
    score, won, _ = simulated(-1.0, 0.6, 3000)
    chance = calibration.apply(calibration.fit("sigmoid", score, won), score)
    assert chance.mean() == pytest.approx(won.mean(), abs=1e-4)


def test_isotonic_is_close_to_scikit_learn_on_many_rows_of_a_smooth_curve():
    random = np.random.default_rng(0)
    score = random.uniform(0.02, 0.98, 40_000)
    won = (random.random(40_000) < score**2).astype(float)
    inner = np.linspace(0.05, 0.95, 50)
    expected = IsotonicRegression(out_of_bounds="clip").fit(score, won).predict(inner)
    found = calibration.apply(calibration.fit("isotonic", score, won), inner)
    assert np.abs(found - expected).mean() < 0.01
    assert np.abs(found - expected).max() < 0.05
    assert np.abs(found - inner**2).mean() < 0.015


def test_isotonic_is_flat_beyond_the_scores_that_it_saw():
    score, won, _ = simulated(0, 1, 2000)
    middle = score[(score > 0.3) & (score < 0.6)]
    calibrator = calibration.fit("isotonic", middle, won[(score > 0.3) & (score < 0.6)])
    below = calibration.apply(calibrator, np.array([0.0, 0.01, 0.2]))
    above = calibration.apply(calibrator, np.array([0.7, 0.99, 1.0]))
    np.testing.assert_allclose(below, below[0], rtol=1e-6)
    np.testing.assert_allclose(above, above[0], rtol=1e-6)


def test_isotonic_has_no_jump_for_float32_to_fall_on_either_side_of():
    score, won, _ = simulated(0, 1.5, 3000)
    calibrator = calibration.fit("isotonic", score, won)
    exact = calibration.apply(calibrator, score)
    rounded = calibration.apply(calibrator, score.astype("float32").astype(float))
    assert np.abs(exact - rounded).max() < 1e-4


def test_isotonic_of_a_few_rows_is_one_level_near_their_share_of_wins():
    won = np.r_[np.ones(8), np.zeros(32)]
    chance = calibration.apply(calibration.fit("isotonic", np.linspace(0.1, 0.9, 40), won), GRID)
    np.testing.assert_allclose(chance, 8.5 / 41)


def test_isotonic_does_not_fall_where_a_short_step_is_pulled_further_off_one_than_a_long_one():
    """995 wins of 1000 are (995.5 / 1001) = 0.9945; 50 of 50 above them only 50.5 / 51 = 0.9902."""
    score = np.r_[np.linspace(0.5, 0.8, 1000), np.linspace(0.85, 0.95, 50)]
    won = np.r_[np.ones(995), np.zeros(5), np.ones(50)]
    chance = calibration.apply(calibration.fit("isotonic", score, won), GRID)
    assert (np.diff(chance) >= -1e-9).all()
    assert chance[-1] == pytest.approx(995.5 / 1001, abs=1e-6)


def test_steps_are_joined_until_each_holds_fifty_rows_and_lose_none():
    steps = [
        np.arange(start, start + size) for start, size in [(0, 3), (3, 60), (63, 49), (112, 1)]
    ]
    joined = calibration.merged(steps)
    assert [len(rows) for rows in joined] == [63, 50]
    assert np.concatenate(joined).tolist() == list(range(113))
    assert [len(rows) for rows in calibration.merged([np.arange(70), np.arange(70, 80)])] == [80]
    assert [len(rows) for rows in calibration.merged([np.arange(7)])] == [7]


@pytest.mark.parametrize(
    "points",
    [([0.0], [0.3]), ([-2.0, 0.5], [-1.0, 1.0]), ([-3.0, -1.0, 0.0, 4.0], [-2.0, -2.0, 0.5, 3.0])],
)
def test_the_joined_line_is_numpys_interpolation_of_its_points(points):
    x, y = map(np.array, points)
    z = np.linspace(-6, 6, 101)
    found = logit(calibration.apply(calibration.joined(x, y), expit(z)))
    np.testing.assert_allclose(found, np.interp(z, x, y), atol=1e-6)


# compare and choose


def test_methods_are_judged_on_the_later_half_only():
    score, won, _ = simulated(1.0, 0.5, 2000)
    found = in_halves(score, won).set_index("method")
    half = 1000
    chance = calibration.apply(calibration.fit("sigmoid", score[:half], won[:half]), score[half:])
    loss = -np.mean(np.log(np.where(won[half:] == 1, chance, 1 - chance)))
    assert found.loc["sigmoid", "log_loss"] == pytest.approx(loss)
    assert found.loc["sigmoid", "brier"] == pytest.approx(np.mean((won[half:] - chance) ** 2))
    assert list(found.index) == ["none", "prior", "sigmoid", "isotonic"]


def test_a_half_without_a_win_is_compared_all_the_same():
    found = in_halves(np.linspace(0.1, 0.9, 100), np.repeat([0.0, 1.0], 50))
    assert found[["log_loss", "brier", "calibration_error"]].notna().all(axis=None)


def test_comparing_finds_the_correction_that_the_data_need():
    assert calibration.choose(in_halves(*simulated(0, 1)[:2]), 0.001) == "none"
    assert calibration.choose(in_halves(*simulated(1.5, 1)[:2]), 0.001) == "prior"
    assert calibration.choose(in_halves(*simulated(0.5, 0.3)[:2]), 0.001) == "sigmoid"


@pytest.mark.parametrize(
    ("tolerance", "method"), [(0.0, "isotonic"), (0.0011, "sigmoid"), (0.0101, "none")]
)
def test_the_simplest_method_within_the_tolerance_is_chosen(tolerance, method):
    found = pd.DataFrame({"method": calibration.METHODS, "log_loss": [0.510, 0.512, 0.501, 0.500]})
    assert calibration.choose(found, tolerance) == method
