"""Measures against independent libraries, limits and identities."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, norm
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint

from tierwise import evaluation, ranking, tiers


def auc_inside(table, name):
    """AUC inside periods of one candidate's chances, counted another way."""
    blocks = [np.flatnonzero(table["period"] == number) for number in table["period"].unique()]
    return ranking.auc_in_blocks(table["outcome"].to_numpy(), table[name].to_numpy(), blocks)


def scored(count=500, seed=0, lift=1.0, digits=None):
    """Outcomes and chances that rank them; `digits` makes ties."""
    random = np.random.default_rng(seed)
    won = (random.random(count) < 0.3).astype(float)
    chance = 1 / (1 + np.exp(1 - lift * won - random.normal(size=count)))
    return won, chance if digits is None else chance.round(digits)


outcomes_and_scores = st.integers(2, 40).flatmap(
    lambda count: st.tuples(
        st.lists(st.integers(0, 1), min_size=count, max_size=count).map(np.array),
        st.lists(st.integers(0, 6), min_size=count, max_size=count).map(lambda v: np.array(v) / 8),
    )
)


# captured share


def test_contacting_everybody_finds_every_win_and_nobody_none():
    won, chance = scored(digits=1)
    assert evaluation.captured_share(won, chance, 1.0) == 1.0
    assert evaluation.captured_share(won, chance, 0.0) == 0.0


@pytest.mark.parametrize("share", [0.07, 0.25, 0.333, 0.9])
def test_equal_scores_find_the_contacted_share_of_wins(share):
    won, _ = scored()
    assert evaluation.captured_share(won, np.full(500, 0.3), share) == pytest.approx(share)


@pytest.mark.parametrize("contacted", [3, 10, 25])
def test_ties_count_as_the_mean_over_random_orders_of_the_tied(contacted):
    won, chance = scored(60, digits=1)
    random = np.random.default_rng(1)
    found = []
    for _ in range(4000):
        order = np.lexsort((random.random(60), -chance))
        found.append(won[order[:contacted]].sum() / won.sum())
    exact = evaluation.captured_share(won, chance, contacted / 60)
    assert exact == pytest.approx(np.mean(found), abs=0.01)


@given(outcomes_and_scores, st.floats(0, 1))
def test_the_captured_share_does_not_depend_on_the_order_of_rows(both, share):
    won, score = both
    turned = evaluation.captured_share(won[::-1], score[::-1], share)
    np.testing.assert_allclose(turned, evaluation.captured_share(won, score, share))


@given(outcomes_and_scores)
def test_more_contacts_never_find_fewer_wins(both):
    won, score = np.r_[1, both[0][1:]], both[1]
    found = [evaluation.captured_share(won, score, share) for share in np.linspace(0, 1, 9)]
    assert (np.diff(found) >= -1e-12).all()
    assert found[0] == 0
    assert found[-1] == pytest.approx(1)


def test_a_perfect_order_finds_as_many_wins_as_there_is_room_for():
    won = np.r_[np.ones(20), np.zeros(80)]
    assert evaluation.captured_share(won, won, 0.10) == pytest.approx(0.5)
    assert evaluation.captured_share(won, won, 0.20) == pytest.approx(1.0)
    assert evaluation.captured_share(won, -won, 0.20) == 0.0


def test_without_a_win_the_captured_share_is_undefined():
    assert np.isnan(evaluation.captured_share(np.zeros(9), np.arange(9.0), 0.5))


# measures


@pytest.mark.parametrize("digits", [None, 1])
def test_measures_agree_with_scikit_learn(digits):
    won, chance = scored(digits=digits)
    chance = np.clip(chance, 0.01, 0.99)
    found = evaluation.measures(won, chance, 0.2)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(won, chance))
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(won, chance))
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(won, chance))
    assert found["average_precision"] == pytest.approx(metrics.average_precision_score(won, chance))


def test_the_measures_of_perfect_constant_and_reversed_chances():
    won, _ = scored()
    perfect = evaluation.measures(won, won, won.mean())
    assert perfect["auc"] == perfect["average_precision"] == 1.0
    assert perfect["captured_share"] == pytest.approx(1.0)
    assert perfect["log_loss"] == pytest.approx(0, abs=1e-5)
    assert perfect["calibration_error"] == pytest.approx(0, abs=1e-12)
    constant = evaluation.measures(won, np.full(500, won.mean()), 0.2)
    assert constant["auc"] == 0.5
    assert constant["brier"] == pytest.approx(won.mean() * (1 - won.mean()))
    assert constant["captured_share"] == pytest.approx(0.2)
    assert evaluation.measures(won, 1 - won, 0.2)["auc"] == 0.0


@pytest.mark.parametrize("only", [0.0, 1.0])
def test_one_class_leaves_ranking_undefined_but_not_the_losses(only):
    found = evaluation.measures(np.full(30, only), np.linspace(0.1, 0.9, 30), 0.2)
    assert np.isnan(found["auc"])
    assert np.isnan(found["average_precision"])
    assert np.isfinite([found["log_loss"], found["brier"], found["calibration_error"]]).all()


def test_a_certain_chance_that_turned_out_wrong_costs_a_finite_amount():
    found = evaluation.measures(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.5)
    assert found["log_loss"] == pytest.approx(-np.log(1e-6))


@pytest.mark.parametrize("digits", [None, 2, 1])
def test_the_area_under_the_gains_curve_is_auc_times_losses_plus_half_the_wins(digits):
    """Area = AUC (1 - pi) + pi / 2 for a share pi of wins, ties as straight lines."""
    won, chance = scored(digits=digits)
    curve = tiers.gains(won, chance)
    area = np.trapezoid(np.r_[0, curve["found_share"]], np.r_[0, curve["contacted_share"]])
    rate = won.mean()
    assert area == pytest.approx(ranking.auc(won, chance) * (1 - rate) + rate / 2)


def test_the_captured_share_lies_on_the_gains_curve():
    won, chance = scored(digits=1)
    curve = tiers.gains(won, chance)
    for share in np.linspace(0.05, 0.95, 11):
        line = np.interp(share, np.r_[0, curve["contacted_share"]], np.r_[0, curve["found_share"]])
        assert evaluation.captured_share(won, chance, share) == pytest.approx(line)


# reliability


def test_the_bins_hold_every_row_once_and_ascend():
    won, chance = scored(503)
    bins = evaluation.reliability(won, chance)
    assert bins["count"].sum() == 503
    assert bins["count"].max() - bins["count"].min() <= 1
    assert bins["wins"].sum() == won.sum()
    assert bins["chance"].is_monotonic_increasing
    np.testing.assert_allclose(bins["rate"], bins["wins"] / bins["count"])
    assert all(
        low <= rate <= high
        for (low, high), rate in zip(bins["interval"], bins["rate"], strict=True)
    )


@pytest.mark.parametrize("count", [1, 3, 9])
def test_fewer_rows_than_bins_give_a_bin_each(count):
    assert len(evaluation.reliability(np.ones(count), np.linspace(0, 1, count))) == count


def test_the_calibration_error_is_zero_when_every_bin_keeps_its_promise():
    chance = np.repeat(np.arange(10) / 10, 10)
    won = np.concatenate([np.r_[np.ones(tenth), np.zeros(10 - tenth)] for tenth in range(10)])
    assert evaluation.calibration_error(won, chance) == pytest.approx(0, abs=1e-12)
    assert evaluation.calibration_error(won, chance + 0.1) == pytest.approx(0.1)


def test_the_calibration_error_is_one_when_every_promise_is_the_opposite():
    won = np.tile([0.0, 1.0], 20)
    assert evaluation.calibration_error(won, 1 - won) == 1.0


# intervals


@pytest.mark.parametrize(
    ("wins", "count"), [(0, 10), (1, 10), (5, 10), (10, 10), (37, 412), (0, 1)]
)
@pytest.mark.parametrize("confidence", [0.80, 0.95])
def test_wilson_agrees_with_statsmodels(wins, count, confidence):
    expected = proportion_confint(wins, count, alpha=1 - confidence, method="wilson")
    np.testing.assert_allclose(evaluation.wilson(wins, count, confidence), expected, atol=1e-12)


def test_wilson_of_nothing_says_nothing():
    assert evaluation.wilson(0, 0) == [0.0, 1.0]


def test_the_interval_of_many_groups_holds_its_share_of_the_values():
    found = evaluation.interval(np.r_[500.0, np.arange(1001.0)], 10_000, highest=1000.0)
    assert found == pytest.approx([25.0, 975.0], abs=0.2)


def test_few_groups_make_an_interval_wider_than_its_percentiles_and_many_do_not():
    gain = np.r_[0.1, np.random.default_rng(0).normal(0.1, 1, 20_000)]
    for count, wider in ((5, 1.58), (12, 1.17), (4000, 1.0)):
        low, high = evaluation.interval(gain, count, -99.0, 99.0)
        assert (high - low) / (2 * 1.96) == pytest.approx(wider, abs=0.03)
        assert low < gain[0] < high


def test_an_interval_ends_where_nothing_is_possible_and_one_group_says_nothing():
    values = np.r_[0.5, np.random.default_rng(0).normal(0.5, 1, 100)]
    assert evaluation.interval(values, 8) == [0.0, 1.0]
    assert evaluation.interval(np.full(9, 0.3), 8) == [0.3, 0.3]
    assert evaluation.interval(np.full(9, 0.3), 1, -2.0, 3.0) == [-2.0, 3.0]


def test_few_groups_ask_for_students_t_and_more_variance():
    assert evaluation.student(5) == pytest.approx(2.776 / 1.96, rel=1e-3)
    assert evaluation.student(5000) == pytest.approx(1, abs=1e-3)
    assert evaluation.student(1) == evaluation.corrected(1) == 1.0
    assert evaluation.corrected(5) == 1.25


def test_intervals_over_eight_periods_hold_the_truth_as_often_as_they_say():
    """Of 400 made-up histories about 95 in 100 should; two standard errors are 2."""
    random, draws = np.random.default_rng(0), evaluation.period_draws(8)
    held = percentile = 0
    for means in random.normal(0.5, 0.05, (400, 8)):
        values = means[draws].mean(axis=1)
        low, high = evaluation.interval(values, 8)
        held += low < 0.5 < high
        low, high = np.quantile(values[1:], [0.025, 0.975])
        percentile += low < 0.5 < high
    assert 0.925 <= held / 400 <= 0.985
    assert percentile / 400 < 0.92


def test_draws_begin_with_the_periods_as_they_are_and_repeat_exactly():
    draws = evaluation.period_draws(7)
    assert draws.shape == (1001, 7)
    assert draws[0].tolist() == list(range(7))
    assert set(np.unique(draws)) == set(range(7))
    np.testing.assert_array_equal(draws, evaluation.period_draws(7))


# the log of periods and its summary


def rolled(periods=6, count=80, seed=0, names=("a",), lift=1.0):
    """A table as rolling.origin gives it, with made-up chances."""
    random = np.random.default_rng(seed)
    won = (random.random(periods * count) < 0.3).astype(float)
    table = pd.DataFrame(
        {"row": range(len(won)), "period": np.repeat(range(periods), count), "outcome": won}
    )
    chances = {name: random.normal(lift * won) for name in names}
    return table.assign(**{name: 1 / (1 + np.exp(1 - values)) for name, values in chances.items()})


def test_the_log_has_the_measures_of_each_period_alone():
    table = rolled(names=("a", "b"))
    log = evaluation.by_period(table, ["a", "b"], 0.2)
    assert len(log) == 12
    rows = table[table["period"] == 3]
    line = log[(log["period"] == 3) & (log["candidate"] == "b")].iloc[0]
    expected = evaluation.measures(rows["outcome"].to_numpy(), rows["b"].to_numpy(), 0.2)
    assert {name: line[name] for name in expected} == expected
    assert line["weight"] == min(rows["outcome"].sum(), 80 - rows["outcome"].sum())


def test_the_mean_over_periods_weighs_ranking_by_the_rarer_class_and_losses_by_rows():
    log = pd.DataFrame(
        {"rows_count": [10, 30], "wins_count": [1, 9], "weight": [1, 9], "log_loss": [0.2, 0.6]}
        | {"brier": [0.0, 0.4], "auc": [1.0, 0.5], "average_precision": [0.1, 0.2]}
        | {"captured_share": [0.0, 1.0]}
    )
    found = {name: values[0] for name, values in evaluation.averaged(log, np.array([[0, 1]]))}
    assert found == pytest.approx(
        {
            "log_loss": 0.5,
            "brier": 0.3,
            "auc": 0.55,
            "average_precision": 0.19,
            "captured_share": 0.9,
        }
    )


def test_a_period_without_wins_has_no_weight_in_the_ranking():
    table = rolled()
    table.loc[table["period"] == 2, "outcome"] = 0.0
    log = evaluation.by_period(table, ["a"], 0.2)
    without = log[log["period"] != 2]
    identity = evaluation.period_draws(6)[:1]
    whole = {name: values[0] for name, values in evaluation.averaged(log, identity)}
    part = {name: values[0] for name, values in evaluation.averaged(without, identity[:, :5])}
    for name in evaluation.RANKING:
        assert whole[name] == pytest.approx(part[name])
    assert evaluation.rank_p(log) == pytest.approx(evaluation.rank_p(without))


def test_the_summary_agrees_with_the_auc_inside_periods_and_brackets_it():
    table = rolled(names=("a", "b"))
    log = evaluation.by_period(table, ["a", "b"], 0.2)
    summary = evaluation.summary(table, log, ["a", "b"]).set_index("candidate")
    for name in ("a", "b"):
        assert summary.loc[name, "auc"] == pytest.approx(auc_inside(table, name))
        low, high = summary.loc[name, "auc_interval"]
        assert low < summary.loc[name, "auc"] < high
        assert summary.loc[name, "auc_pooled"] == pytest.approx(
            metrics.roc_auc_score(table["outcome"], table[name])
        )


def test_the_summary_repeats_exactly():
    table = rolled()
    log = evaluation.by_period(table, ["a"], 0.2)
    pd.testing.assert_frame_equal(
        evaluation.summary(table, log, ["a"]), evaluation.summary(table, log, ["a"])
    )


# rank_p


@pytest.mark.parametrize("lift", [-0.3, 0.0, 0.3, 1.0])
def test_rank_p_of_one_period_is_that_of_mann_and_whitney(lift):
    table = rolled(periods=1, count=60, lift=lift)
    won, score = table["outcome"] == 1, table["a"]
    expected = mannwhitneyu(
        score[won], score[~won], alternative="greater", method="asymptotic", use_continuity=False
    ).pvalue
    found = evaluation.rank_p(evaluation.by_period(table, ["a"], 0.2))
    assert found == pytest.approx(expected, rel=1e-9)


def test_with_ties_rank_p_errs_on_the_safe_side():
    table = rolled(periods=1, count=60, lift=0.6)
    table["a"] = table["a"].round(1)
    won, score = table["outcome"] == 1, table["a"]
    exact = mannwhitneyu(
        score[won], score[~won], alternative="greater", method="asymptotic", use_continuity=False
    ).pvalue
    found = evaluation.rank_p(evaluation.by_period(table, ["a"], 0.2))
    assert exact < found < 3 * exact


def test_no_period_with_both_classes_gives_p_one():
    table = rolled()
    table["outcome"] = 0.0
    assert evaluation.rank_p(evaluation.by_period(table, ["a"], 0.2)) == 1.0


# auc_variance, auc_interval, doubt_share


def one_period(auc, wins, losses, periods=1):
    counts = {"rows_count": wins + losses, "wins_count": wins, "weight": min(wins, losses)}
    return pd.DataFrame([{"auc": auc, **counts}] * periods)


def test_the_variance_of_one_period_is_that_of_hanley_and_mcneil():
    # Their worked example: 51 abnormal and 58 normal images, area 0.893, standard error 0.032.
    log = one_period(0.893, 51, 58)
    assert np.sqrt(evaluation.auc_variance(log, 0.893)) == pytest.approx(0.032, abs=6e-4)


def test_at_a_half_the_variance_is_that_of_a_random_order():
    log = one_period(0.7, 9, 31)
    assert evaluation.auc_variance(log, 0.5) == pytest.approx(41 / (12 * 9 * 31))


def test_periods_that_differ_more_than_luck_explains_widen_the_interval():
    alike = pd.concat([one_period(0.7, 300, 700, 2)] * 2, ignore_index=True)
    apart = alike.assign(auc=[0.6, 0.8, 0.6, 0.8])
    narrow, wide = evaluation.auc_interval(alike), evaluation.auc_interval(apart)
    assert np.diff(wide) > 3 * np.diff(narrow)
    assert evaluation.auc_variance(apart, 0.7) == pytest.approx(0.1**2 / 3)


@pytest.mark.parametrize("seen", [0.0, 0.02, 0.5, 0.7, 0.97, 1.0])
def test_the_ends_are_the_aucs_that_lie_just_within_their_own_standard_errors(seen):
    log = one_period(seen, 8, 22)
    low, high = evaluation.auc_interval(log)
    assert 0 <= low <= seen <= high <= 1
    assert high - low > 0.05  # 30 rows in perfect order prove no perfect ranking
    for end in (low, high):
        if end != seen:
            off = abs(end - seen) / np.sqrt(evaluation.auc_variance(log, end))
            assert off == pytest.approx(1.959964, rel=1e-4)


def test_without_two_classes_nothing_is_known_of_the_auc():
    log = one_period(0.5, 0, 20)
    assert evaluation.auc_interval(log) == [0.0, 1.0]
    assert evaluation.doubt_share(log) == 1.0


@pytest.mark.parametrize("lift", [0.0, 1.0])
def test_the_interval_holds_the_true_auc_in_three_periods_of_forty_rows(lift):
    true, held = float(norm.cdf(lift / np.sqrt(2))), []
    for seed in range(300):
        log = evaluation.by_period(rolled(3, 40, seed, lift=lift), ["a"], 0.2)
        low, high = evaluation.auc_interval(log)
        held.append(low <= true <= high)
    assert 0.93 <= np.mean(held) <= 0.99


def test_doubt_is_the_p_of_the_ranks_where_periods_agree_and_more_where_they_do_not():
    log = pd.concat([one_period(0.6, 30, 70)] * 4, ignore_index=True)
    assert evaluation.doubt_share(log) == pytest.approx(evaluation.rank_p(log))
    apart = log.assign(auc=[0.3, 0.9, 0.4, 0.8])
    assert evaluation.doubt_share(apart) > 10 * evaluation.rank_p(apart)


def test_rank_p_of_random_orders_is_about_uniform():
    values = []
    for seed in range(100):
        table = rolled(4, 60, seed, lift=0)
        groups = [rows.to_numpy() for _, rows in table.groupby("period")[["outcome", "a"]]]
        log = pd.DataFrame(
            {
                "auc": [ranking.auc(rows[:, 0], rows[:, 1]) for rows in groups],
                "wins_count": [rows[:, 0].sum() for rows in groups],
                "rows_count": 60,
            }
        )
        log["weight"] = np.minimum(log["wins_count"], 60 - log["wins_count"])
        values.append(evaluation.rank_p(log))
    assert np.mean(np.array(values) < 0.1) == pytest.approx(0.1, abs=0.08)
    assert np.mean(values) == pytest.approx(0.5, abs=0.08)
