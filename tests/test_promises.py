"""A verdict is only given where later data bear it; tiers that are one are called one."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import power_proportions_2indep, proportion_effectsize

from tiered import NAMES, judged
from tierwise import files, leakage, power, promises, tiers
from tierwise.draws import draw


def weeks(count, times=1000):
    return draw(np.arange(count) // 30, count=times)


# shares found


def test_the_share_found_grows_tier_by_tier_and_leaves_the_last_tiers_wins():
    won, tier, _ = judged()
    found = promises.found_share(won, tier, NAMES, weeks(600))
    assert list(found) == ["A", "A+B"]
    assert found["A"]["share"] == pytest.approx(won[tier == "A"].sum() / won.sum())
    assert found["A+B"]["share"] == pytest.approx(1 - won[tier == "C"].sum() / won.sum())
    assert found["A+B"]["contacted_share"] == pytest.approx(np.mean(tier != "C"))
    for entry in found.values():
        assert entry["interval"][0] <= entry["share"] <= entry["interval"][1]


# verdict


def gap_table(*lows):
    pairs = zip(NAMES, NAMES[1:], lows, strict=False)
    return pd.DataFrame(
        [{"better": a, "worse": b, "gap": 0.1, "interval": [low, 0.2]} for a, b, low in pairs]
    )


def test_a_verdict_is_supported_only_when_all_rules_hold():
    assert promises.verdict(0.51, 0.0099, gap_table(0.001, 0.001), 0.501)[0] == "supported"


def test_sorting_weeks_and_not_the_rows_within_them_is_not_supported():
    word, why = promises.verdict(0.6, 0.001, gap_table(0.1, 0.1), 0.5)
    assert word == "not supported"
    assert "good weeks from bad ones" in why


def test_a_clock_ranks_over_all_rows_and_not_inside_weeks():
    """One value a week that sets the week's win rate: pooled it ranks, for a week's list never."""
    random = np.random.default_rng(0)
    week = np.repeat(np.arange(40), 50)
    level = random.random(40)[week]
    won = (random.random(2000) < level).astype(float)
    found = promises.auc_in_weeks(won, level, draw(week, count=200))
    assert leakage.auc(won, level) > 0.75
    assert found["auc_in_weeks"] == pytest.approx(0.5)
    result = judge_by(won, level, week)
    assert result["verdict"] == "not supported"
    assert "good weeks" in result["sentence"]


def judge_by(won, score, week):
    tier = tiers.assign(score, tiers.cuts(score, {"A": 0.2, "B": 0.3, "C": 0.5}), "C")
    return promises.judge(won, tier, score, NAMES, draw(week, count=200), {"can_rank": True})


def test_what_the_sentence_must_not_leave_out_stands_at_its_end():
    won, tier, score = judged(1500)
    draws = weeks(1500, 100)
    result = promises.judge(won, tier, score, NAMES, draws, {"can_rank": True}, " But read this.")
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
    word, why = promises.verdict(auc_low, p, gap_table(*lows))
    assert word == "not supported"
    assert reason in why


# judging


def test_tiers_that_keep_their_order_are_supported():
    won, tier, score = judged(1500)
    result = promises.judge(won, tier, score, NAMES, weeks(1500, 200), {"can_rank": True})
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
    result = promises.judge(won, tier, score, NAMES, weeks(1500, 200), {"can_rank": True})
    assert result["verdict"] == "not supported"
    assert reason in result["sentence"]


def test_shuffled_outcomes_are_supported_in_no_seed():
    won, tier, score = judged()
    draws = weeks(600, 100)
    random = np.random.default_rng(0)
    verdicts = [
        promises.judge(random.permutation(won), tier, score, NAMES, draws, {"can_rank": True})[
            "verdict"
        ]
        for _ in range(5)
    ]
    assert set(verdicts) == {"not supported"}


def test_without_a_ranking_no_tier_is_issued_however_well_they_would_have_done():
    won, tier, score = judged(900)
    compared = {"can_rank": False, "sentence": "No candidate ranks."}
    draws = weeks(900, 100)
    result = promises.judge(won, tier, score, NAMES, draws, compared)
    issued = promises.judge(won, tier, score, NAMES, draws, {"can_rank": True})
    assert result["verdict"] == "cannot rank"
    assert result["sentence"] == "No candidate ranks."
    assert result["tiers"] == []
    assert result["found_share"] == {}
    held = ("tiers", "found_share", "merged", "needed")
    assert result["withheld"] == {name: issued[name] for name in held}
    assert result["merged"] == result["needed"] == {}


def test_cards_and_marks_show_the_same_figures_issued_or_withheld():
    won, tier, score = judged()
    results = [
        promises.judge(won, tier, score, NAMES, weeks(600, 50), {"can_rank": able, "sentence": ""})
        for able in (True, False)
    ]
    issued, withheld = (promises.headline(result) for result in results)
    assert issued[0]["label"] == "tier A converted at"
    assert withheld[0]["label"] == "tier A would have converted at"
    assert [card | {"label": ""} for card in issued] == [card | {"label": ""} for card in withheld]
    pd.testing.assert_frame_equal(promises.marks(results[0]), promises.marks(results[1]))
    assert promises.marks(results[0])["name"].tolist() == ["A", "A+B"]


@pytest.mark.parametrize("empty", NAMES)
def test_an_empty_tier_leaves_no_nan_in_what_is_written_and_is_not_supported(empty, tmp_path):
    won, tier, score = judged()
    tier = np.where(tier == empty, next(name for name in NAMES if name != empty), tier)
    result = promises.judge(won, tier, score, NAMES, weeks(600, 100), {"can_rank": True})
    assert result["verdict"] == "not supported"
    assert "nan" not in result["sentence"]
    assert np.isfinite([result["auc"], result["trend_z"], result["trend_p"]]).all()
    gaps = tiers.gaps(won, tier, NAMES, weeks(600, 100))
    assert np.isfinite(np.r_[gaps["gap"], np.ravel(gaps["interval"].tolist())]).all()
    files.write_json(tmp_path / "result.json", result)
    text = (tmp_path / "result.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    written = {row["name"]: row for row in json.loads(text)["tiers"]}[empty]
    assert (written["count"], written["rate"], written["interval"]) == (0, None, [0.0, 1.0])
    assert all("nan" not in str(card).lower() for card in promises.headline(result))


def test_a_judged_span_without_a_win_is_judged_and_not_supported():
    _, tier, score = judged()
    result = promises.judge(np.zeros(600), tier, score, NAMES, weeks(600, 50), {"can_rank": True})
    assert result["verdict"] == "not supported"
    assert result["auc"] == 0.5
    assert result["found_share"]["A"]["share"] == 0.0


# merging


def test_tiers_that_differ_stay_as_they_are():
    won, tier, _ = judged(1500)
    left, made_of = promises.merge(won, tier, NAMES, weeks(1500, 200))
    assert left.tolist() == tier.tolist()
    assert made_of == {name: [name] for name in NAMES}
    told = promises.merged(won, tier, NAMES, weeks(1500, 200))
    assert told["sentence"] == "Every tier can be told apart from the next one; none is merged."


@pytest.mark.parametrize(
    ("rates", "names"),
    [
        ((0.4, 0.4, 0.1), ["A+B", "C"]),
        ((0.5, 0.2, 0.2), ["A", "B+C"]),
        ((0.3, 0.3, 0.3), ["A+B+C"]),
        ((0.1, 0.2, 0.4), ["A+B+C"]),
    ],
)
def test_tiers_that_cannot_be_told_apart_become_one(rates, names):
    won, tier, _ = judged(1500, rates=rates)
    told = promises.merged(won, tier, NAMES, weeks(1500, 300))
    assert [row["name"] for row in told["tiers"]] == names
    assert sum(row["count"] for row in told["tiers"]) == 1500
    assert sum(row["wins"] for row in told["tiers"]) == won.sum()


def test_after_merging_all_neighbours_differ_or_one_is_left():
    for seed in range(12):
        rates = np.sort(np.random.default_rng(seed).random(3) * 0.3)[::-1]
        won, tier, _ = judged(400, seed, rates)
        drawn = weeks(400, 200)
        left, made_of = promises.merge(won, tier, NAMES, drawn)
        lows = [ends[0] for ends in tiers.gaps(won, left, list(made_of), drawn)["interval"]]
        assert all(low > 0 for low in lows)
        assert [name for group in made_of.values() for name in group] == NAMES


def test_the_sentence_names_what_became_one_and_how_much_of_it_won():
    won, tier, _ = judged(1500, rates=(0.4, 0.4, 0.1))
    told = promises.merged(won, tier, NAMES, weeks(1500, 200))
    rate, count = won[tier != "C"].mean(), np.sum(tier != "C")
    assert told["sentence"] == (
        "Tiers A and B can't be told apart on later data. Treat them as one tier A+B: "
        f"{rate:.0%} of its {count:,} rows won."
    )
    won, tier, _ = judged(1500, rates=(0.3, 0.3, 0.3))
    assert promises.merged(won, tier, NAMES, weeks(1500, 200))["sentence"].startswith(
        "Tiers A, B and C can't be told apart"
    )


def test_a_tier_without_rows_is_merged_away():
    won, tier, _ = judged()
    tier = np.where(tier == "B", "C", tier)
    told = promises.merged(won, tier, NAMES, weeks(600, 200))
    assert len(told["tiers"]) == 2
    assert all(row["count"] for row in told["tiers"])


# rows still needed

rates_of_two = st.tuples(st.floats(0.05, 0.5), st.floats(0.03, 0.15)).map(
    lambda two: (two[0] + two[1], two[0])
)


@given(rates_of_two, st.floats(0.2, 0.5))
def test_rows_needed_give_the_power_that_statsmodels_gives(rates, share):
    """power_proportions_2indep(diff, prop2, nobs1, alternative="two-sided"): it pools the variance
    under the null and we do not, so with tiers of one size they agree within a point or two."""
    count = power.rows_needed(rates, (share, share))
    oracle = power_proportions_2indep(rates[0] - rates[1], rates[1], count * share)
    assert oracle.power == pytest.approx(0.80, abs=0.03)


@pytest.mark.parametrize("rates", [(0.30, 0.25), (0.12, 0.09), (0.55, 0.5)])
def test_rows_needed_are_those_of_a_normal_test_of_two_proportions(rates):
    """NormalIndPower().solve_power(effect, power=0.8, alpha=0.05), effect on the arcsine scale:
    the same limit where the two rates are close and the tiers equally large."""
    effect = proportion_effectsize(*rates)
    oracle = NormalIndPower().solve_power(effect, power=0.80, alpha=0.05, ratio=1.0)
    assert power.rows_needed(rates, (0.5, 0.5)) == pytest.approx(2 * oracle, rel=0.01)


@pytest.mark.parametrize("rates", [(0.30, 0.22), (0.12, 0.07)])
def test_with_that_many_independent_rows_four_gaps_in_five_exclude_zero(rates):
    shares = (0.2, 0.3)
    count = power.rows_needed(rates, shares)
    random = np.random.default_rng(0)
    sizes = [int(count * share) for share in shares]
    found = [
        random.binomial(size, rate, 4000) / size for size, rate in zip(sizes, rates, strict=True)
    ]
    noise = sum(rate * (1 - rate) / size for rate, size in zip(found, sizes, strict=True))
    apart = found[0] - found[1] > 1.96 * np.sqrt(noise)
    assert apart.mean() == pytest.approx(0.80, abs=0.03)


def of_weeks(week_count, seed):
    """Two tiers in weeks of 40 rows, each tier with the luck of its week."""
    random = np.random.default_rng(seed)
    week = np.repeat(np.arange(week_count), 40)
    tier = np.where(random.random(len(week)) < 0.4, "A", "B")
    luck = random.normal(0, 0.12, (week_count, 2))[week, (tier == "A") * 1]
    won = (random.random(len(week)) < np.where(tier == "A", 0.40, 0.32) + luck).astype(float)
    return won, tier, week


def test_with_rows_that_share_the_luck_of_their_week_the_power_holds_too():
    """100 made-up histories of the length asked for; 3 standard errors are 12 points."""
    won, tier, week = of_weeks(400, seed=0)
    gap = tiers.gaps(won, tier, ["A", "B"], draw(week)).iloc[0]
    effect = power.design_effect(
        (0.40, 0.32), (np.sum(tier == "A"), np.sum(tier == "B")), gap["interval"]
    )
    assert effect > 1.3
    count = power.rows_needed((0.40, 0.32), (0.4, 0.6), effect)
    apart = []
    for seed in range(1, 101):
        won, tier, week = of_weeks(round(count / 40), seed)
        table = tiers.gaps(won, tier, ["A", "B"], draw(week, count=200))
        apart.append(table["interval"][0][0] > 0)
    assert np.mean(apart) == pytest.approx(0.80, abs=0.12)


def test_twice_the_design_effect_and_half_the_gap_cost_twice_and_four_times_the_rows():
    one = power.rows_needed((0.3, 0.2), (0.5, 0.5))
    assert power.rows_needed((0.3, 0.2), (0.5, 0.5), 2.0) == pytest.approx(2 * one)
    noise = 0.3 * 0.7 + 0.2 * 0.8, 0.25 * 0.75 + 0.2 * 0.8
    half = power.rows_needed((0.25, 0.2), (0.5, 0.5))
    assert half == pytest.approx(4 * one * noise[1] / noise[0])
    assert power.rows_needed((0.3, 0.3), (0.5, 0.5)) == math.inf


def test_rows_that_are_independent_have_a_design_effect_of_about_one():
    won, tier, _ = judged(1500)
    gap = tiers.gaps(won, tier, NAMES, draw(np.arange(1500))).iloc[0]
    rates = won[tier == "A"].mean(), won[tier == "B"].mean()
    counts = int(np.sum(tier == "A")), int(np.sum(tier == "B"))
    assert power.design_effect(rates, counts, gap["interval"]) == pytest.approx(1, abs=0.15)
    assert power.design_effect((0.0, 0.0), (5, 5), [0.0, 0.0]) == 1.0


def needed(count, rates, judged_rows=True, seed=0):
    won, tier, _ = judged(count, seed, rates)
    drawn = weeks(count, 300)
    by_tier = tiers.conversion(won, tier, NAMES, drawn)
    return power.needed(by_tier, tiers.gaps(won, tier, NAMES, drawn), judged_rows)


def test_nothing_is_needed_where_every_tier_is_apart():
    found = needed(1500, (0.5, 0.25, 0.1))
    assert found["rows_count"] == 0
    assert found["sentence"].startswith("No more rows are needed")


def test_few_later_rows_need_more_and_the_slowest_pair_counts():
    found = needed(150, (0.5, 0.35, 0.1))
    assert found["rows_count"] == max(pair["rows_count"] for pair in found["pairs"]) > 0
    last = max(found["pairs"], key=lambda pair: pair["rows_count"])
    text = f"tell tiers {last['better']} and {last['worse']} apart with a power of 80%"
    assert text in found["sentence"]


def test_rows_needed_are_told_in_cases_where_a_case_has_several_rows():
    pair = {"better": "A", "worse": "B", "rows_count": 1_234, "design_effect": 1.2}
    assert "1,300 more later rows with" in power.waiting([pair])
    assert "1,300 more later rows of 350 cases with" in power.waiting([pair], 3.6)


@pytest.mark.parametrize(("owners_count", "told"), [(2, True), (40, False)])
def test_rows_that_share_their_luck_ask_for_new_owners_and_not_for_more_of_the_same(
    owners_count, told
):
    """Two owners whose gap between tiers differs, or forty with the same one."""
    random = np.random.default_rng(6)
    owner, tier = np.arange(600) % owners_count, random.choice(["A", "B"], 600)
    luck = np.where(owner % 2, 0.1, -0.1) * (owners_count == 2)
    won = (random.random(600) < np.where(tier == "A", 0.3 + luck, 0.26)).astype(int)
    owner_draws = draw(np.arange(600), owner)
    by_tier = promises.conversion(won, tier, ["A", "B"], owner_draws)
    found = power.needed(by_tier, promises.gaps(won, tier, ["A", "B"], owner_draws))
    assert found["rows_count"] > 0
    assert ("must bring new weeks, owners and cases" in found["sentence"]) == told


def test_before_any_later_row_the_whole_number_is_needed():
    promised = needed(1500, (0.5, 0.25, 0.1), judged_rows=False)
    assert promised["rows_count"] > 0
    pair = max(promised["pairs"], key=lambda pair: pair["rows_count"])
    won, tier, _ = judged(1500)
    two = pair["better"], pair["worse"]
    rates, shares = zip(
        *((won[tier == name].mean(), np.mean(tier == name)) for name in two), strict=True
    )
    assert pair["rows_count"] == math.ceil(power.rows_needed(rates, shares, pair["design_effect"]))


def test_tiers_that_are_not_apart_never_need_no_more_rows():
    """Two wins of two against none of 98: rates without a spread ask for no rows."""
    won = np.r_[np.ones(2), np.zeros(98), np.zeros(100)]
    tier = np.array(["A"] * 2 + ["B"] * 98 + ["C"] * 100)
    drawn = weeks(200, 300)
    gap = tiers.gaps(won, tier, NAMES, drawn)
    gap.at[0, "interval"] = [-0.2, 1.0]
    found = power.needed(tiers.conversion(won, tier, NAMES, drawn), gap)
    assert found["pairs"][0]["rows_count"] is None
    assert found["sentence"].startswith("Tiers A and B hold too few rows for their rates")


def test_an_empty_tier_is_called_empty():
    won, tier, _ = judged(300)
    tier = np.where(tier == "A", "B", tier)
    drawn = weeks(300, 300)
    found = power.needed(
        tiers.conversion(won, tier, NAMES, drawn), tiers.gaps(won, tier, NAMES, drawn)
    )
    assert found["sentence"].startswith("No row fell into tier A: no number")


def test_tiers_in_the_wrong_order_get_no_number(tmp_path):
    found = needed(600, (0.1, 0.3, 0.1))
    assert found["rows_count"] is None
    assert "Tier A did not convert better than B" in found["sentence"]
    files.write_json(tmp_path / "needed.json", found)
    assert json.loads((tmp_path / "needed.json").read_text())["pairs"][0]["rows_count"] is None


@pytest.mark.parametrize("able", [True, False])
def test_pairs_are_a_row_per_two_neighbours_as_needed_found_them(able):
    won, tier, score = judged()
    compared = {"can_rank": able, "sentence": ""}
    result = promises.judge(won, tier, score, NAMES, weeks(600, 100), compared)
    shown = result["withheld"] or result
    table = promises.pairs(shown)
    assert list(table) == ["better", "worse", "gap", "design_effect", "rows_count"]
    assert table[["better", "worse"]].to_numpy().tolist() == [["A", "B"], ["B", "C"]]
    assert table.to_dict("records") == shown["needed"]["pairs"]


# owners


def test_an_owner_who_wins_everything_can_take_a_verdict_away():
    """One owner has nearly all of tier A and nearly all luck: without him A is like B."""
    random = np.random.default_rng(0)
    owner = np.repeat(np.arange(8), 150)
    tier = np.where(
        (owner == 0) & (random.random(1200) < 0.9), "A", random.choice(["B", "C"], 1200)
    )
    tier = np.where(random.random(1200) < 0.05, "A", tier)
    rate = np.where(owner == 0, 0.6, 0.2) - 0.1 * (tier == "C")
    won, week = (random.random(1200) < rate).astype(float), random.integers(30, size=1200)
    alone = tiers.gaps(won, tier, NAMES, draw(week))
    owned = tiers.gaps(won, tier, NAMES, draw(week, owner))
    assert alone["interval"][0][0] > 0
    assert np.ptp(owned["interval"][0]) > 1.3 * np.ptp(alone["interval"][0])
