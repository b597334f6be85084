"""Every correction keeps the order, stays a chance, and mends what it promises to mend."""

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from tierwise import calibration, unlabelled

GRID = np.linspace(0, 1, 401)
METHODS = pytest.mark.parametrize("method", calibration.METHODS)


def in_halves(score, won):
    """The methods fitted on the first half of the rows and judged on the second."""
    period = np.arange(len(score)) * 2 // len(score)
    return calibration.compare(score, won, period, period + 1)


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
    calibrator = calibration.fit(method, score, np.full(200, only))
    assert (np.diff(calibration.apply(calibrator, GRID)) >= -1e-9).all()
    mean = calibration.apply(calibrator, score).mean()
    if method == "sliding":
        assert abs(mean - only) < abs(score.mean() - only) / 3
    elif method != "none":
        assert mean == pytest.approx(0.5 / 201 if only == 0 else 200.5 / 201)


@METHODS
def test_without_a_row_every_method_leaves_chances_as_they_are(method):
    nothing = np.array([])
    calibrator = calibration.fit(method, nothing, nothing)
    assert calibrator == calibration.straight(method, 0.0, 1.0)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "venn_abers"])
def test_fewer_than_fifty_rows_tell_a_level_and_no_shape(method):
    score, won, _ = simulated(0.5, 1.5, 50)
    few = calibration.fit(method, score[:49], won[:49])
    assert few == calibration.fit("prior", score[:49], won[:49]) | {"method": method}
    enough = calibration.fit(method, score, won)
    assert enough["slope"] != 1.0


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
    right = {"none": 0.5, "sliding": 0.316}.get(method, 0.3)
    assert chance[0] == pytest.approx(right, abs=0.005)


def test_an_unknown_method_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="'beta' is unknown; choose one of none, prior, sliding"):
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
    found = logit(calibration.apply(calibration.joined("isotonic", x, y), expit(z)))
    np.testing.assert_allclose(found, np.interp(z, x, y), atol=1e-6)


def test_a_knot_without_a_bend_is_left_out():
    straight = calibration.joined("isotonic", np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0]))
    assert straight["knots"] == [0.0, 2.0]


# sliding


def test_sliding_looks_at_the_latest_thousand_rows_only():
    old, new = simulated(3.0, 1.0, 5000), simulated(-1.0, 1.0, 1000, seed=1)
    score, won = np.r_[old[0], new[0]], np.r_[old[1], new[1]]
    assert calibration.fit("sliding", score, won) == calibration.fit("sliding", new[0], new[1])


def test_sliding_is_the_ridge_regression_of_statsmodels():
    score, won, _ = simulated(-0.8, 0.6, 600)
    z = logit(score)
    columns = np.column_stack([np.ones(600), z - z.mean()])
    model = sm.GLM(won, columns, family=sm.families.Binomial(), offset=z)
    penalty = np.array([calibration.LEVEL_PENALTY, calibration.SLOPE_PENALTY]) / 600
    level, turn = model.fit_regularized(alpha=penalty, L1_wt=0.0).params
    found = calibration.fit("sliding", score, won)
    assert found["slope"] == pytest.approx(1 + turn, abs=1e-4)
    assert found["intercept"] == pytest.approx(level - turn * z.mean(), abs=1e-4)


def test_three_losses_move_sliding_less_than_they_move_the_level_alone():
    score, lost = np.full(3, 0.3), np.zeros(3)
    moved = [
        calibration.apply(calibration.fit(method, score, lost), score)[0]
        for method in ("none", "sliding", "prior")
    ]
    assert moved[0] == pytest.approx(0.3)
    assert moved[2] == pytest.approx(0.5 / 4)
    assert moved[2] < moved[1] < moved[0]


def test_many_rows_outweigh_the_penalty_of_sliding():
    score, won, _ = simulated(-1.0, 0.7, 1000)
    found, free = (calibration.fit(method, score, won) for method in ("sliding", "sigmoid"))
    assert found["intercept"] == pytest.approx(free["intercept"], abs=0.1)
    assert found["slope"] == pytest.approx(free["slope"], abs=0.1)


# venn_abers


def test_venn_abers_pairs_are_those_of_the_venn_abers_package():
    """venn-abers 1.5.4:

    va = VennAbers(); va.fit(np.c_[1 - s, s], y); va.predict_proba(np.c_[1 - u, u])[1]
    """
    s = np.array([0.1, 0.2, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    y = np.array([0.0, 0, 1, 0, 0, 1, 0, 1, 1, 1])
    low, high = calibration.venn_abers_pair(s, y, np.unique(s))
    np.testing.assert_allclose(low, [0, 0.2, 0.2, 0.2, 1 / 3, 1 / 3, 0.5, 2 / 3, 0.75], atol=1e-12)
    np.testing.assert_allclose(high, [1 / 3, 0.4, 0.4, 0.5, 2 / 3, 2 / 3, 1, 1, 1], atol=1e-12)


@given(both=scores_and_outcomes)
def test_venn_abers_pairs_rise_and_enclose_a_chance_that_is_never_certain(both):
    low, high = calibration.venn_abers_pair(*both, np.unique(both[0]))
    assert (low <= high + 1e-12).all()
    assert (low < 1).all()
    assert (high > 0).all()
    assert (np.diff(low) >= -1e-12).all()
    assert (np.diff(high) >= -1e-12).all()


def test_venn_abers_has_the_merged_chance_at_its_points_and_is_flat_beyond_them():
    score, won, _ = simulated(0.4, 0.6, 3000)
    calibrator = calibration.fit("venn_abers", score, won)
    middles = np.quantile(score, [0.31, 0.5 + 0.01, 0.79], method="inverted_cdf")
    low, high = calibration.venn_abers_pair(score, won, middles)
    merged = high / (1 - low + high)
    np.testing.assert_allclose(calibration.apply(calibrator, middles), merged, atol=1e-9)
    ends = np.quantile(score, [0.01, 0.99], method="inverted_cdf")
    beyond = calibration.apply(calibrator, np.r_[0.0, ends, 1.0])
    np.testing.assert_allclose(beyond[[0, 3]], beyond[[1, 2]], rtol=1e-9)


# forward: what was known when


def slow_wins(seed, count=6000):
    """Wins end 45 days on and losses 15, after the level of the scores rose by one logit.

    Positions in as-of order of rows known today, and in order of knowing; score, outcome, day.
    """
    random = np.random.default_rng(seed)
    day = np.sort(random.uniform(0, 300, count))
    z = random.normal(-1.5, 1, count)
    won = random.random(count) < expit(z)
    known_at = day + random.exponential(np.where(won, 45, 15))
    known = np.flatnonzero(known_at < 300)
    return known, known[np.argsort(known_at[known])], expit(z + 1), won.astype(float), expit(z)


def test_sliding_takes_the_last_known_for_the_present_and_not_the_last_begun():
    """Of deals begun lately those that ended are mostly losses, though as many win as ever."""
    off = {"begun": [], "known": []}
    for seed in range(6):
        begun, known, score, won, true = slow_wins(seed)
        for name, rows in (("begun", begun), ("known", known)):
            line = calibration.fit("sliding", score[rows], won[rows])
            off[name].append(calibration.apply(line, score).mean() - true.mean())
    assert abs(np.mean(off["known"])) < 0.015
    assert np.mean(off["begun"]) < -0.04


def history(period_count=6, size=400, intercept=0.0, slope=1.0, lag=1, seed=0):
    """Scores, outcomes, periods and when outcomes were known, `lag` periods later."""
    score, won, _ = simulated(intercept, slope, period_count * size, seed)
    period = np.repeat(np.arange(period_count), size)
    return score, won, period, period + lag


@METHODS
def test_no_outcome_known_later_changes_the_chances_of_a_period(method):
    score, won, period, known_from = history(4, 300, 0.6, 0.7, lag=2)
    before = calibration.forward(method, score, won, period, known_from)
    changed = np.where(known_from > 2, 1 - won, won)
    after = calibration.forward(method, score, changed, period, known_from)
    np.testing.assert_array_equal(after[period <= 2], before[period <= 2])
    if method != "none":
        assert not np.array_equal(after[period == 3], before[period == 3])


def test_a_period_without_a_known_past_is_not_judged():
    score, won, period, known_from = history(4, 100, lag=2)
    chance = calibration.forward("prior", score, won, period, known_from)
    assert np.isnan(chance[period < 2]).all()
    assert np.isfinite(chance[period >= 2]).all()


@METHODS
@pytest.mark.parametrize("age", [0, 1, 2])
def test_a_correction_that_stays_is_the_one_of_so_many_periods_before(method, age):
    score, won, period, known_from = history(5, 200, 0.6, 0.7)
    chance = calibration.forward(method, score, won, period, known_from, age)
    assert np.isnan(chance[period <= age]).all()
    for number in range(age + 1, 5):
        known = period < number - age
        line = calibration.fit(method, score[known], won[known])
        now = period == number
        np.testing.assert_array_equal(chance[now], calibration.apply(line, score[now]))


@pytest.mark.parametrize(
    ("later_count", "age"), [(0, 0), (50, 0), (100, 0), (250, 1), (330, 1), (410, 2), (9000, 4)]
)
def test_a_correction_is_on_average_half_as_old_as_it_stays_and_leaves_half_to_judge_by(
    later_count, age
):
    period = np.repeat(np.arange(8), 100)
    assert calibration.usual_age(later_count, period) == age
    stays = np.arange(-(-later_count // 100))  # its age in each period that it corrects
    if 0 < later_count < 900:
        assert abs(np.mean(stays) - age) <= 0.75
    told = calibration.age_sentence(age)
    assert f"{age} period{'' if age == 1 else 's'} old" in told


# compare and choose


def test_methods_are_judged_on_the_later_half_only():
    score, won, _ = simulated(1.0, 0.5, 2000)
    found = in_halves(score, won).set_index("method")
    half = 1000
    chance = calibration.apply(calibration.fit("sigmoid", score[:half], won[:half]), score[half:])
    loss = -np.mean(np.log(np.where(won[half:] == 1, chance, 1 - chance)))
    assert found.loc["sigmoid", "log_loss"] == pytest.approx(loss)
    assert found.loc["sigmoid", "brier"] == pytest.approx(np.mean((won[half:] - chance) ** 2))
    assert list(found.index) == [*calibration.METHODS, unlabelled.EM]


def test_the_change_of_log_loss_is_the_difference_of_log_losses():
    found = calibration.compare(*history(5, 200, -0.7, 0.8)).set_index("method")
    difference = found["log_loss"] - found.loc["none", "log_loss"]
    np.testing.assert_allclose(found["log_loss_change"], difference, atol=1e-12)
    assert found.loc["none", "interval"] == [0.0, 0.0]


def test_a_correction_that_is_needed_in_every_period_has_an_interval_below_zero():
    found = calibration.compare(*history(8, 400, 1.0)).set_index("method")
    for method in calibration.METHODS[1:]:
        low, high = found.loc[method, "interval"]
        assert low < found.loc[method, "log_loss_change"] < high < 0


def test_with_two_periods_nothing_is_known_of_the_luck_of_the_one_that_judges():
    found = calibration.compare(*history(2, 400, 1.0)).set_index("method")
    assert found.loc["prior", "log_loss_change"] < 0
    assert found.loc["prior", "interval"] == [-calibration.WORST_LOSS, calibration.WORST_LOSS]


def test_with_one_period_nothing_is_judged_and_none_is_chosen():
    found = calibration.compare(*history(1))
    assert found[["log_loss", "brier", "calibration_error"]].isna().all(axis=None)
    assert found["not_offered"].iloc[-1] == "there was no earlier period to try it on"
    assert calibration.choose(found, 0.001) == "none"


def test_a_past_of_one_class_is_compared_all_the_same():
    score, _, period, known_from = history(4, 60)
    found = calibration.compare(score, np.zeros(240), period, known_from)
    assert found["log_loss"].notna().all()


def test_a_half_without_a_win_is_compared_all_the_same():
    found = in_halves(np.linspace(0.1, 0.9, 100), np.repeat([0.0, 1.0], 50))
    numbers = found[["log_loss", "brier", "calibration_error"]]
    assert numbers.notna().all(axis=None)


def test_comparing_finds_the_correction_that_the_data_need():
    assert calibration.choose(in_halves(*simulated(0, 1)[:2]), 0.001) == "none"
    assert calibration.choose(in_halves(*simulated(1.5, 1)[:2]), 0.001) == "prior"
    assert calibration.choose(in_halves(*simulated(0.5, 0.3)[:2]), 0.001) == "sigmoid"


def test_under_drift_the_latest_rows_are_worth_more_than_all():
    random = np.random.default_rng(0)
    period = np.repeat(np.arange(8), 800)
    score = expit(random.normal(-2, 1, len(period)))
    won = (random.random(len(period)) < expit(logit(score) + 0.4 * period)).astype(float)
    found = calibration.compare(score, won, period, period + 1)
    assert calibration.choose(found, 0.001) == "sliding"


def test_what_lives_on_the_latest_rows_is_not_chosen_where_it_has_to_last():
    random = np.random.default_rng(1)
    period = np.repeat(np.arange(16), 800)
    up_and_down = np.where(period // 4 % 2, 1.0, -1.0)  # half of a swing takes four periods
    score = expit(random.normal(-1, 1, len(period)))
    won = (random.random(len(period)) < expit(logit(score) + up_and_down)).astype(float)
    fresh, old = (
        calibration.compare(score, won, period, period + 1, age_count=age) for age in (0, 4)
    )
    assert calibration.choose(fresh, 0.001) == "sliding"
    assert calibration.choose(old, 0.001) not in ("sliding", "prior")
    plain, latest = (old.set_index("method")["log_loss"][m] for m in ("none", "sliding"))
    assert latest > plain + 0.1


@pytest.mark.parametrize(
    ("tolerance", "method"),
    [(0.0, "isotonic"), (0.0011, "sigmoid"), (0.0051, "sliding"), (0.0101, "none")],
)
def test_the_simplest_method_within_the_tolerance_is_chosen(tolerance, method):
    losses = [0.510, 0.512, 0.505, 0.501, 0.500, 0.503]
    found = pd.DataFrame({"method": calibration.METHODS, "log_loss": losses})
    assert calibration.choose(found, tolerance) == method


def test_the_correction_without_labels_is_never_chosen():
    names = [*calibration.METHODS, unlabelled.EM]
    found = pd.DataFrame({"method": names, "log_loss": [0.5] * 6 + [0.1], "not_offered": ""})
    assert calibration.choose(found, 0.0) == "none"
