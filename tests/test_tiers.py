"""Cuts are frozen, equals share a tier, and a verdict is only given where later data bear it."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import Table
from statsmodels.stats.proportion import proportion_confint

from tierwise import files, leakage, tiers
from tierwise.files import InputError

SHARES = {"A": 0.2, "B": 0.3, "C": 0.5}
NAMES = list(SHARES)

scores = st.lists(st.integers(0, 12), min_size=1, max_size=60).map(lambda v: np.array(v) / 12)


def judged(count=600, seed=0, rates=(0.5, 0.25, 0.1)):
    """Outcome, tier and score of later rows, tier by tier at the given rates, in mixed order."""
    random = np.random.default_rng(seed)
    tier = random.choice(NAMES, count, p=list(SHARES.values()))
    won = (
        random.random(count) < pd.Series(tier).map(dict(zip(NAMES, rates, strict=True)))
    ).to_numpy(float)
    score = pd.Series(tier).map({"A": 2, "B": 1, "C": 0}).to_numpy() + random.random(count)
    return won, tier, score


def weeks(count, size=30):
    return tiers.block_draws(np.arange(count) // size)


def judge(won, tier, score, names, draws, compared, caveat=""):
    blocks = np.arange(len(won)) // 30
    return tiers.judge(won, tier, score, names, draws, compared, blocks, caveat)


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


# draws, gaps, shares found


def test_whole_weeks_are_drawn_and_draws_repeat_exactly():
    block = np.array([0, 0, 0, 1, 2, 2])
    draws = tiers.block_draws(block)
    assert len(draws) == 1000
    for rows in draws[:50]:
        counts = np.bincount(rows, minlength=6)
        assert len(set(counts[:3])) == len(set(counts[4:])) == 1
        assert counts[0] + counts[3] + counts[4] == 3
    for one, other in zip(draws[:5], tiers.block_draws(block)[:5], strict=True):
        np.testing.assert_array_equal(one, other)


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
    row = tiers.gaps(won, tier, NAMES, tiers.block_draws(np.arange(1500))).iloc[0]
    high, low = won[tier == "A"], won[tier == "B"]
    error = np.sqrt(high.var() / len(high) + low.var() / len(low))
    np.testing.assert_allclose(
        row["interval"], row["gap"] + 1.96 * error * np.array([-1, 1]), atol=0.012
    )


def test_the_share_found_grows_tier_by_tier_and_leaves_the_last_tiers_wins():
    won, tier, _ = judged()
    found = tiers.found_share(won, tier, NAMES, weeks(600))
    assert list(found) == ["A", "A+B"]
    assert found["A"]["share"] == pytest.approx(won[tier == "A"].sum() / won.sum())
    assert found["A+B"]["share"] == pytest.approx(1 - won[tier == "C"].sum() / won.sum())
    assert found["A+B"]["contacted_share"] == pytest.approx(np.mean(tier != "C"))
    for entry in found.values():
        assert entry["interval"][0] <= entry["share"] <= entry["interval"][1]


def test_the_gains_curve_ends_with_everybody_and_treats_equals_alike():
    won, _, score = judged()
    score = score.round(1)
    curve = tiers.gains(won, score)
    assert curve.iloc[-1].tolist() == [1.0, 1.0, 1.0]
    assert len(curve) == len(set(score))
    assert curve["found_share"].is_monotonic_increasing
    mixed = np.random.default_rng(0).permutation(600)
    pd.testing.assert_frame_equal(curve, tiers.gains(won[mixed], score[mixed]))


# verdict


def gap_table(*lows):
    pairs = zip(NAMES, NAMES[1:], lows, strict=False)
    return pd.DataFrame(
        [{"better": a, "worse": b, "gap": 0.1, "interval": [low, 0.2]} for a, b, low in pairs]
    )


def test_a_verdict_is_supported_only_when_all_rules_hold():
    assert tiers.verdict(0.51, 0.0099, gap_table(0.001, 0.001), 0.501)[0] == "supported"


def test_sorting_weeks_and_not_the_rows_within_them_is_not_supported():
    word, why = tiers.verdict(0.6, 0.001, gap_table(0.1, 0.1), 0.5)
    assert word == "not supported"
    assert "good weeks from bad ones" in why


def test_a_clock_ranks_over_all_rows_and_not_inside_weeks():
    """One value a week that sets the week's win rate: pooled it ranks, for a week's list never."""
    random = np.random.default_rng(0)
    week = np.repeat(np.arange(40), 50)
    level = random.random(40)[week]
    won = (random.random(2000) < level).astype(float)
    found = tiers.auc_in_weeks(won, level, week)
    assert leakage.auc(won, level) > 0.75
    assert found["auc_in_weeks"] == pytest.approx(0.5)
    result = judge_by(won, level, week)
    assert result["verdict"] == "not supported"
    assert "good weeks" in result["sentence"]


def judge_by(won, score, week):
    tier = tiers.assign(score, tiers.cuts(score, {"A": 0.2, "B": 0.3, "C": 0.5}), "C")
    draws = tiers.block_draws(week)[:200]
    return tiers.judge(won, tier, score, NAMES, draws, {"can_rank": True}, week)


def test_intervals_of_rates_widen_when_rows_of_a_week_share_their_luck():
    random = np.random.default_rng(1)
    week = np.repeat(np.arange(40), 50)
    won = (random.random(2000) < random.random(40)[week]).astype(float)
    tier = np.array(NAMES)[np.arange(2000) % 3]
    alone = tiers.conversion(won, tier, NAMES)["interval"].map(np.ptp)
    shared = tiers.conversion(won, tier, NAMES, tiers.block_draws(week))["interval"].map(np.ptp)
    assert (shared > 1.5 * alone).all()


def test_what_the_sentence_must_not_leave_out_stands_at_its_end():
    won, tier, score = judged(1500)
    draws = weeks(1500)[:100]
    result = judge(won, tier, score, NAMES, draws, {"can_rank": True}, " But read this.")
    assert result["sentence"].endswith("later data. But read this.")


@pytest.mark.parametrize(
    ("auc_low", "p", "lows", "reason"),
    [
        (0.50, 0.001, (0.1, 0.1), "can't be told from chance"),
        (0.60, 0.010, (0.1, 0.1), "does not rise"),
        (0.60, 0.001, (0.0, 0.1), "tiers A and B can't be told apart"),
        (0.60, 0.001, (0.1, -0.1), "tiers B and C can't be told apart"),
        (0.40, 0.500, (-0.1, -0.1), "can't be told from chance"),
    ],
)
def test_each_rule_alone_withholds_support_and_is_named(auc_low, p, lows, reason):
    word, why = tiers.verdict(auc_low, p, gap_table(*lows))
    assert word == "not supported"
    assert reason in why


# judge


def test_tiers_that_keep_their_order_are_supported():
    won, tier, score = judged(1500)
    result = judge(won, tier, score, NAMES, weeks(1500)[:200], {"can_rank": True})
    assert result["verdict"] == "supported"
    rates = [f"{row['rate']:.0%}"[:-1] for row in result["tiers"]]
    assert result["sentence"].startswith("A / B / C converted at " + " / ".join(rates) + " % of ")
    assert result["withheld"] == {}
    assert (result["rows_count"], result["wins_count"]) == (1500, int(won.sum()))


@pytest.mark.parametrize(
    ("rates", "reason"),
    [((0.5, 0.5, 0.1), "A and B"), ((0.5, 0.2, 0.2), "B and C"), ((0.1, 0.2, 0.4), "from chance")],
)
def test_tiers_that_do_not_keep_their_order_are_not_supported(rates, reason):
    won, tier, score = judged(1500, rates=rates)
    result = judge(won, tier, score, NAMES, weeks(1500)[:200], {"can_rank": True})
    assert result["verdict"] == "not supported"
    assert reason in result["sentence"]


def test_shuffled_outcomes_are_supported_in_no_seed():
    won, tier, score = judged()
    draws = weeks(600)[:100]
    random = np.random.default_rng(0)
    verdicts = [
        judge(random.permutation(won), tier, score, NAMES, draws, {"can_rank": True})["verdict"]
        for _ in range(5)
    ]
    assert set(verdicts) == {"not supported"}


def test_without_a_ranking_no_tier_is_issued_however_well_they_would_have_done():
    won, tier, score = judged(900)
    compared = {"can_rank": False, "sentence": "No candidate ranks."}
    draws = weeks(900)[:100]
    result = judge(won, tier, score, NAMES, draws, compared)
    issued = judge(won, tier, score, NAMES, draws, {"can_rank": True})
    assert result["verdict"] == "cannot rank"
    assert result["sentence"] == "No candidate ranks."
    assert result["tiers"] == []
    assert result["found_share"] == {}
    assert result["withheld"] == {"tiers": issued["tiers"], "found_share": issued["found_share"]}


def test_cards_and_marks_show_the_same_figures_issued_or_withheld():
    won, tier, score = judged()
    results = [
        judge(won, tier, score, NAMES, weeks(600)[:50], {"can_rank": able, "sentence": ""})
        for able in (True, False)
    ]
    issued, withheld = (tiers.headline(result) for result in results)
    assert issued[0]["label"] == "tier A converted at"
    assert withheld[0]["label"] == "tier A would have converted at"
    assert [card | {"label": ""} for card in issued] == [card | {"label": ""} for card in withheld]
    pd.testing.assert_frame_equal(tiers.marks(results[0]), tiers.marks(results[1]))
    assert tiers.marks(results[0])["name"].tolist() == ["A", "A+B"]


@pytest.mark.parametrize("empty", NAMES)
def test_an_empty_tier_leaves_no_nan_in_what_is_written_and_is_not_supported(empty, tmp_path):
    won, tier, score = judged()
    tier = np.where(tier == empty, next(name for name in NAMES if name != empty), tier)
    result = judge(won, tier, score, NAMES, weeks(600)[:100], {"can_rank": True})
    assert result["verdict"] == "not supported"
    assert "nan" not in result["sentence"]
    assert np.isfinite([result["auc"], result["trend_z"], result["trend_p"]]).all()
    gaps = tiers.gaps(won, tier, NAMES, weeks(600)[:100])
    assert np.isfinite(np.r_[gaps["gap"], np.ravel(gaps["interval"].tolist())]).all()
    files.write_json(tmp_path / "result.json", result)
    text = (tmp_path / "result.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    written = {row["name"]: row for row in json.loads(text)["tiers"]}[empty]
    assert (written["count"], written["rate"], written["interval"]) == (0, None, [0.0, 1.0])
    assert all("nan" not in str(card).lower() for card in tiers.headline(result))


def test_a_judged_span_without_a_win_is_judged_and_not_supported():
    _, tier, score = judged()
    result = judge(np.zeros(600), tier, score, NAMES, weeks(600)[:50], {"can_rank": True})
    assert result["verdict"] == "not supported"
    assert result["auc"] == 0.5
    assert result["found_share"]["A"]["share"] == 0.0


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
