"""Cuts are frozen and equals share a tier; ranks keep the sizes, and break ties the same way."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import Table
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from tiered import NAMES, SHARES, judged
from tierwise import draws, evaluation, tiers
from tierwise.files import InputError

scores = st.lists(st.integers(0, 12), min_size=1, max_size=60).map(lambda v: np.array(v) / 12)


def weeks(count, size=30):
    return draws.draw(np.arange(count) // size)


# cuts


@pytest.mark.parametrize("count", [10, 57, 1000])
@pytest.mark.parametrize(
    "shares", [SHARES, {"top": 0.05, "rest": 0.95}, dict.fromkeys("wxyz", 0.25)]
)
def test_the_shares_are_reached_within_a_row_when_no_scores_are_equal(count, shares):
    score = np.random.default_rng(0).permutation(count) / count
    tier = tiers.assign(score, tiers.cuts(score, shares), list(shares)[-1])
    upto = np.cumsum([np.mean(tier == name) for name in shares])
    np.testing.assert_allclose(upto, np.cumsum(list(shares.values())), atol=1 / count + 1e-9)


@given(scores)
def test_cuts_fall_from_tier_to_tier_and_equal_scores_share_a_tier(score):
    cuts = tiers.cuts(score, SHARES)
    assert list(cuts) == ["A", "B"]
    assert cuts["A"] >= cuts["B"]
    tier = pd.Series(tiers.assign(score, cuts, "C"))
    assert (tier.groupby(score).nunique() == 1).all()
    assert (
        tier.groupby(tier)
        .agg(lambda rows: score[rows.index].min())
        .sort_index(ascending=False)
        .diff()
        .dropna()
        >= 0
    ).all()


@given(scores)
def test_a_cut_is_a_score_that_occurred_so_no_rounding_decides(score):
    assert set(tiers.cuts(score, SHARES).values()) <= set(score)


def test_cuts_only_need_the_order_of_scores():
    score = np.random.default_rng(0).random(200)
    tier = tiers.assign(score, tiers.cuts(score, SHARES), "C")
    stretched = np.exp(9 * score)
    again = tiers.assign(stretched, tiers.cuts(stretched, SHARES), "C")
    assert tier.tolist() == again.tolist()


@pytest.mark.parametrize(
    "shares", [{}, {"A": 1.0}, {"A": 0.5, "B": 0.4}, {"A": 1.2, "B": -0.2}, {"A": 1.0, "B": 0.0}]
)
def test_shares_that_are_no_partition_are_refused_by_value(shares):
    with pytest.raises(InputError, match="add up to 1") as error:
        tiers.cuts(np.arange(10.0), shares)
    assert str(shares) in str(error.value)


# assigning


@given(scores, scores)
def test_a_later_rows_tier_does_not_depend_on_the_other_later_rows(before, later):
    cuts = tiers.cuts(before, SHARES)
    together = tiers.assign(later, cuts, "C")
    alone = [tiers.assign(later[[row]], cuts, "C")[0] for row in range(len(later))]
    assert together.tolist() == alone


def test_a_score_at_a_cut_belongs_to_the_better_tier():
    cuts = {"A": 0.8, "B": 0.5}
    score = np.array([0.8, np.nextafter(0.8, 0), 0.5, np.nextafter(0.5, 0), 1.0, 0.0])
    assert tiers.assign(score, cuts, "C").tolist() == ["A", "B", "B", "C", "A", "C"]


def test_long_names_of_tiers_are_not_cut_off():
    assert tiers.assign(np.array([0.9, 0.1]), {"A": 0.5}, "not worth a call").tolist() == [
        *("A", "not worth a call")
    ]


# assigning by rank


@given(scores, st.integers(1, 4))
def test_ranks_give_each_list_the_planned_sizes_within_half_a_row(score, lists):
    on = np.arange(len(score)) % lists
    tier = tiers.assign_by_rank(score, on, SHARES)
    for one in range(min(lists, len(score))):
        upto = np.cumsum([np.sum(tier[on == one] == name) for name in NAMES])
        planned = np.cumsum(list(SHARES.values())) * np.sum(on == one)
        assert (abs(upto - planned) <= 0.5 + 1e-6).all()


def test_a_list_of_ten_has_two_three_and_five_and_the_best_come_first():
    score = np.array([0.1, 0.9, 0.3, 0.8, 0.2, 0.7, 0.6, 0.5, 0.4, 0.0])
    tier = tiers.assign_by_rank(score, np.full(10, "monday"), SHARES)
    assert tier.tolist() == ["C", "A", "C", "A", "C", "B", "B", "B", "C", "C"]


@given(scores)
def test_in_a_list_no_row_has_a_better_tier_than_one_with_a_higher_score(score):
    on = np.arange(len(score)) % 2
    tier = pd.Series(tiers.assign_by_rank(score, on, SHARES)).map({"A": 2, "B": 1, "C": 0})
    for one in (0, 1):
        ranked = tier[on == one].to_numpy()[np.argsort(-score[on == one], kind="stable")]
        assert (np.diff(ranked) <= 0).all()


def test_equal_scores_are_told_apart_by_the_order_of_rows_every_time():
    tier = tiers.assign_by_rank(np.zeros(10), np.zeros(10), SHARES)
    assert "".join(tier) == "AABBBCCCCC"
    assert "".join(tiers.assign_by_rank(np.zeros(4), np.arange(4), SHARES)) == "BBBB"


def test_a_row_is_ranked_against_its_own_list_alone():
    score = np.r_[np.arange(10), np.arange(10) + 100.0]
    tier = tiers.assign_by_rank(score, np.repeat(["good week", "bad week"], 10), SHARES)
    assert tier[:10].tolist() == tier[10:].tolist()
    frozen = tiers.assign(score, tiers.cuts(score, SHARES), "C")
    assert set(frozen[:10]) == {"C"}


def test_ranks_and_cuts_are_the_same_on_one_list_without_equals():
    score = np.random.default_rng(0).permutation(200) / 200
    by_rank = tiers.assign_by_rank(score, np.zeros(200), SHARES)
    assert by_rank.tolist() == tiers.assign(score, tiers.cuts(score, SHARES), "C").tolist()


def test_ranks_refuse_shares_that_are_no_partition_as_cuts_do():
    with pytest.raises(InputError, match="add up to 1"):
        tiers.assign_by_rank(np.arange(3.0), np.zeros(3), {"A": 0.5, "B": 0.4})


# conversion


def test_conversion_counts_every_row_once_with_wilsons_interval():
    won, tier, _ = judged()
    table = tiers.conversion(won, tier, NAMES)
    assert table["count"].sum() == 600
    assert table["share"].sum() == pytest.approx(1)
    assert table["wins"].sum() == won.sum()
    for row in table.to_dict("records"):
        assert row["rate"] == pytest.approx(won[tier == row["name"]].mean())
        expected = proportion_confint(row["wins"], row["count"], method="wilson")
        np.testing.assert_allclose(row["interval"], expected)


# trend


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("names", [NAMES, list("VWXYZ"), ["hot", "cold"]])
def test_the_trend_is_the_one_of_cochran_and_armitage(seed, names):
    """statsmodels divides by n - 1 under the permutation variance: z = r sqrt(n - 1), not r sqrt(n).

    Table(...).test_ordinal_association(), rows = tiers from last to first, columns lost and won.
    """
    random = np.random.default_rng(seed)
    tier = random.choice(names, 300)
    rate = 0.5 - 0.3 * np.array([names.index(name) for name in tier]) / len(names)
    won = (random.random(300) < rate).astype(float)
    counts = pd.crosstab(tier, won).loc[names[::-1]]
    oracle = Table(counts.to_numpy(), shift_zeros=False).test_ordinal_association(
        row_scores=np.arange(len(names)), col_scores=np.array([0, 1])
    )
    z, p = tiers.trend(won, tier, names)
    assert z == pytest.approx(oracle.zscore * np.sqrt(300 / 299), rel=1e-9)
    assert 2 * min(p, 1 - p) == pytest.approx(oracle.pvalue, rel=0.05)


def test_the_trend_of_agrestis_table_of_alcohol_and_malformation():
    """Agresti, An Introduction to Categorical Data Analysis (2nd ed. 2007), section 2.5: with
    equally spaced scores M2 = (n - 1) r2 = 1.83, two-sided P = 0.18."""
    absent, present = [17066, 14464, 788, 126, 37], [48, 38, 5, 1, 1]
    names = [">=6", "3-5", "1-2", "<1", "0"]
    tier = np.repeat(names[::-1] * 2, absent + present)
    malformed = np.repeat([0.0, 1.0], [sum(absent), sum(present)])
    z, p = tiers.trend(malformed, tier, names)
    count = len(malformed)
    assert round(z**2 * (count - 1) / count, 2) == 1.83
    assert round(2 * p, 2) == 0.18


def test_a_perfect_trend_has_the_largest_z_there_is_and_its_reverse_the_smallest():
    won, tier = np.repeat([1.0, 0.0], 50), np.repeat(["A", "B"], 50)
    assert tiers.trend(won, tier, ["A", "B"])[0] == pytest.approx(10)
    z, p = tiers.trend(won, tier, ["B", "A"])
    assert z == pytest.approx(-10)
    assert p > 0.999


@pytest.mark.parametrize(
    ("won", "tier"), [(np.ones(6), list("AABBCC")), (np.tile([0.0, 1.0], 3), list("BBBBBB"))]
)
def test_one_outcome_or_one_tier_leaves_no_trend(won, tier):
    assert tiers.trend(won, np.array(tier), NAMES) == (0.0, 1.0)


def test_shuffled_labels_give_a_z_of_a_standard_normal():
    """|z| above 1.96 in about 5 % of 200 shuffles, above 4 in none."""
    won, tier, _ = judged()
    random = np.random.default_rng(0)
    z = np.array([tiers.trend(random.permutation(won), tier, NAMES)[0] for _ in range(200)])
    assert np.mean(abs(z) > 1.96) < 0.12
    assert abs(z).max() < 4
    assert z.std() == pytest.approx(1, abs=0.15)


def test_rows_that_repeat_add_nothing_to_the_trend():
    """Every row four times, drawn together: z is that of the rows once."""
    won, tier, _ = judged(300)
    once = tiers.trend(won, tier, NAMES, draws.draw(np.arange(300)))[0]
    four = np.repeat(np.arange(300), 4)
    assert tiers.trend(won[four], tier[four], NAMES, draws.draw(four))[0] == pytest.approx(
        once, rel=0.02
    )
    assert tiers.trend(won[four], tier[four], NAMES)[0] > 1.8 * once


def test_rows_with_no_luck_in_common_have_the_trend_of_the_textbook():
    won, tier, _ = judged(1500)
    z, p = tiers.trend(won, tier, NAMES, draws.draw(np.arange(1500)))
    plain, _ = tiers.trend(won, tier, NAMES)
    assert 0.93 * plain < z <= plain
    assert 0 < p < 1e-6


# gaps and gains


def test_a_gap_is_the_difference_of_neighbouring_rates_inside_its_interval():
    won, tier, _ = judged()
    table = tiers.gaps(won, tier, NAMES, weeks(600))
    rates = tiers.conversion(won, tier, NAMES)["rate"].to_numpy()
    assert table[["better", "worse"]].to_numpy().tolist() == [["A", "B"], ["B", "C"]]
    np.testing.assert_allclose(table["gap"], rates[:-1] - rates[1:])
    for row in table.itertuples():
        assert row.interval[0] < row.gap < row.interval[1]


def test_a_gaps_interval_agrees_with_the_textbook_where_rows_are_independent():
    """sqrt(p(1-p)/n + q(1-q)/m), with blocks of one row."""
    won, tier, _ = judged(1500)
    row = tiers.gaps(won, tier, NAMES, draws.draw(np.arange(1500))).iloc[0]
    high, low = won[tier == "A"], won[tier == "B"]
    error = np.sqrt(high.var() / len(high) + low.var() / len(low))
    np.testing.assert_allclose(
        row["interval"], row["gap"] + 1.96 * error * np.array([-1, 1]), atol=0.012
    )


def test_the_gains_curve_ends_with_everybody_and_treats_equals_alike():
    won, _, score = judged()
    score = score.round(1)
    curve = tiers.gains(won, score)
    assert curve.iloc[-1].tolist() == [1.0, 1.0, 1.0]
    assert len(curve) == len(set(score))
    assert curve["found_share"].is_monotonic_increasing
    mixed = np.random.default_rng(0).permutation(600)
    pd.testing.assert_frame_equal(curve, tiers.gains(won[mixed], score[mixed]))


def test_intervals_of_rates_widen_when_rows_of_a_week_share_their_luck():
    random = np.random.default_rng(1)
    week = np.repeat(np.arange(40), 50)
    won = (random.random(2000) < random.random(40)[week]).astype(float)
    tier = np.array(NAMES)[np.arange(2000) % 3]
    alone = tiers.conversion(won, tier, NAMES)["interval"].map(np.ptp)
    shared = tiers.conversion(won, tier, NAMES, draws.draw(week))["interval"].map(np.ptp)
    assert (shared > 1.5 * alone).all()


def test_a_tier_whose_rows_lie_in_one_week_has_an_interval_as_wide_as_wilsons_at_least():
    won, tier = np.zeros(200), np.full(200, "C", dtype=object)
    tier[:6], tier[6:60], won[:3], won[6:20] = "A", "B", 1, 1
    drawn = draws.draw(np.arange(200) // 10)
    table = tiers.conversion(won, tier, NAMES, drawn)
    low, high = table["interval"][0]
    assert (low, high) == tuple(evaluation.wilson(3, 6))
    for row in tiers.gaps(won, tier, NAMES, drawn).itertuples():
        counts = [int((tier == name).sum()) for name in (row.better, row.worse)]
        wins = [won[tier == name].sum() for name in (row.better, row.worse)]
        least = evaluation.newcombe(tuple(wins), tuple(counts))
        assert row.interval[0] <= least[0]
        assert row.interval[1] >= least[1]


@pytest.mark.parametrize(
    ("wins", "counts"), [((3, 14), (6, 54)), ((0, 5), (9, 40)), ((4, 35), (4, 67))]
)
def test_the_interval_of_independent_rows_is_that_of_newcombe(wins, counts):
    theirs = confint_proportions_2indep(wins[0], counts[0], wins[1], counts[1], method="newcomb")
    np.testing.assert_allclose(evaluation.newcombe(wins, counts), theirs, atol=1e-9)


def test_nothing_is_known_of_the_gap_to_an_empty_tier():
    won, tier = np.array([1.0, 0, 1, 0]), np.array(["B", "B", "C", "C"], dtype=object)
    gap = tiers.gaps(won, tier, NAMES, draws.draw(np.arange(4)))
    assert gap["interval"][0] == [-1.0, 1.0]


# both ways compared


def test_the_comparison_shows_both_ways_with_the_figures_each_has_alone():
    won, tier, score = judged()
    ranked = tiers.assign_by_rank(score, np.arange(600) // 100, SHARES)
    table = tiers.compare(won, tier, ranked, NAMES, weeks(600))
    assert table["way"].tolist() == [tiers.FROZEN] * 3 + [tiers.RANKED] * 3
    for way, own in ((tiers.FROZEN, tier), (tiers.RANKED, ranked)):
        part = table[table["way"] == way]
        alone = tiers.conversion(won, own, NAMES, weeks(600))
        pd.testing.assert_frame_equal(part[list(alone)].reset_index(drop=True), alone)
        assert part["found_share"].sum() == pytest.approx(1)
        assert part["gap"].tolist()[:2] == tiers.gaps(won, own, NAMES, weeks(600))["gap"].tolist()
        assert part["gap"].iloc[-1] is None


# which way


def halves(count, seed):
    """Two halves of the same `count` scores, no two equal, each in its own order."""
    random = np.random.default_rng(seed)
    return random.permutation(count) / count, random.permutation(count) / count


some = st.integers(2, 30).map(lambda v: 10 * v)
seeds = st.integers(0, 99)


@given(some, seeds)
def test_where_scores_stay_as_they_were_cuts_are_frozen(count, seed):
    way, reason = tiers.way_of(np.r_[halves(count, seed)], SHARES)
    assert way == tiers.FROZEN
    assert reason.endswith("no tier left its planned share by more than 0%")


@pytest.mark.parametrize("seed", range(5))
def test_chance_alone_does_not_move_the_sizes_of_many_rows_beyond_the_tolerance(seed):
    score = np.random.default_rng(seed).beta(1.5, 6, 8000)
    assert tiers.way_of(score, SHARES)[0] == tiers.FROZEN


@given(some, seeds, st.sampled_from([(1.5, "80%"), (-1.5, "50%")]))
def test_where_the_level_of_scores_moves_tiers_are_given_by_rank(count, seed, moved):
    """All rows are A after a rise, and all are C after a fall."""
    before, after = halves(count, seed)
    way, reason = tiers.way_of(np.r_[before, after + moved[0]], SHARES)
    assert way == tiers.RANKED
    assert f"left the planned shares by {moved[1]}" in reason


@given(scores.filter(lambda score: len(score) > 1))
def test_the_way_needs_only_the_order_of_scores(score):
    assert tiers.way_of(score, SHARES) == tiers.way_of(np.exp(9 * score), SHARES)


@pytest.mark.parametrize(
    ("sizes", "way", "reason"),
    [
        ((20, 30, 50), tiers.FROZEN, "by more than 0%"),
        ((25, 25, 50), tiers.FROZEN, "by more than 5%"),
        ((26, 24, 50), tiers.RANKED, "by 6%"),
        ((20, 24, 56), tiers.RANKED, "by 6%"),
        ((0, 50, 50), tiers.RANKED, "by 20%"),
    ],
)
def test_five_points_beside_the_plan_are_borne_and_six_are_not(sizes, way, reason):
    """Ten thousand rows put the cuts at 80 and 50, as many try them."""
    score = np.r_[np.repeat(np.arange(100), 100), np.repeat([90, 60, 10], np.multiply(sizes, 100))]
    found, why = tiers.way_of(score, SHARES)
    assert found == way
    assert reason in why


@pytest.mark.parametrize("count", [20, 40, 100, 1000])
def test_luck_with_few_rows_rarely_gives_frozen_cuts_up(count):
    given_up = [
        tiers.way_of(np.random.default_rng(seed).random(count), SHARES)[0] == tiers.RANKED
        for seed in range(200)
    ]
    assert np.mean(given_up) < 0.2  # three tiers, each beyond two standard errors by luck


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_rows_say_nothing_about_cuts(count):
    way, reason = tiers.way_of(np.full(count, 0.5), SHARES)
    assert way == tiers.RANKED
    assert "fewer than two" in reason


def test_scores_that_are_all_alike_are_given_by_rank_since_no_cut_divides_them():
    assert tiers.way_of(np.full(40, 0.3), SHARES)[0] == tiers.RANKED


@given(scores, scores, st.integers(1, 4))
def test_tiers_given_are_those_of_the_way_they_are_given_in(before, later, lists):
    cuts, on = tiers.cuts(before, SHARES), np.arange(len(later)) % lists
    frozen = tiers.given(tiers.FROZEN, later, on, cuts, SHARES)
    assert frozen.tolist() == tiers.assign(later, cuts, "C").tolist()
    by_rank = tiers.assign_by_rank(later, on, SHARES).tolist()
    for useless in (cuts, {}):
        ranked = tiers.given(tiers.RANKED, later, on, useless, SHARES)
        assert ranked.tolist() == by_rank


# months


def test_months_hold_every_row_once_and_say_nothing_where_nobody_was():
    won, tier, _ = judged(90)
    month = np.repeat(["2026-03", "2026-01", "2026-02"], 30)
    tier[:30] = "C"
    table = tiers.by_month(won, tier, NAMES, month)
    assert table["month"].unique().tolist() == ["2026-03", "2026-01", "2026-02"]
    assert len(table) == 9
    assert table["count"].sum() == 90
    assert table["wins"].sum() == won.sum()
    nobody = table[table["count"] == 0]
    assert nobody[["month", "tier"]].to_numpy().tolist() == [["2026-03", "A"], ["2026-03", "B"]]
    assert nobody["rate"].isna().all()
    assert table.loc[table["count"] > 0, "rate"].notna().all()


def test_the_standing_is_the_score_where_cuts_are_frozen_and_the_place_on_the_own_list_else():
    score, lists = np.array([0.9, 0.1, 0.2, 0.3]), np.array([0, 1, 1, 0])
    assert (tiers.standing(tiers.FROZEN, score, lists) == score).all()
    assert tiers.standing(tiers.RANKED, score, lists).tolist() == [1.0, 0.5, 1.0, 0.5]


def test_the_ends_of_tiers_by_rank_lie_on_the_gains_curve_by_standing():
    random = np.random.default_rng(3)
    score, outcome = random.random(200), (random.random(200) < 0.3).astype(float)
    lists = np.repeat(np.arange(10), 20)
    shares = {"A": 0.2, "B": 0.3, "C": 0.5}
    tier = tiers.assign_by_rank(score, lists, shares)
    curve = tiers.gains(outcome, tiers.standing(tiers.RANKED, score, lists))
    there = curve[np.isclose(curve["contacted_share"], 0.2)]
    assert np.isclose(there["found_share"], outcome[tier == "A"].sum() / outcome.sum()).all()
    assert len(there) == 1
