"""Chances are held to what they promise: true ones pass, and what is wrong with others is named."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from statsmodels.stats.multitest import multipletests

from tierwise import evaluation, reliability
from tierwise.draws import draw


def promised(intercept=0.0, slope=1.0, count=4000, seed=0, week_luck=0.0):
    """Chances, outcomes that follow expit(intercept + slope * log-odds), 20 weeks with their luck."""
    random = np.random.default_rng(seed)
    chance = expit(random.normal(-1.5, 1.0, count))
    week = np.arange(count) * 20 // count
    z = intercept + slope * logit(chance) + random.normal(0, week_luck, 20)[week]
    return (random.random(count) < expit(z)).astype(float), chance, week


# bands


def test_bands_hold_the_rates_of_true_chances_nineteen_times_of_twenty():
    inside, narrow = [], []
    for seed in range(200):
        won, chance, _ = promised(count=1000, seed=seed)
        bins = reliability.with_bands(won, chance)
        ends = np.array(bins["band"].tolist())
        inside.append((ends[:, 0] <= bins["rate"]) & (bins["rate"] <= ends[:, 1]))
        narrow.append((ends[:, 0] < bins["rate"]) & (bins["rate"] < ends[:, 1]))
    # A share of 100 rows moves in steps, so the ends of a band hold more than 5 % together.
    assert np.mean(inside) >= 0.95
    assert np.mean(narrow) < 0.97


def test_chances_that_promise_too_much_leave_their_bands():
    won, chance, _ = promised(intercept=-1.0, count=10_000)
    bins = reliability.with_bands(won, chance)
    assert (bins["rate"] < np.array(bins["band"].tolist())[:, 0]).all()


def test_bands_enclose_the_promise_and_widen_with_confidence_and_with_fewer_rows():
    won, chance, _ = promised()

    def width(**settings):
        return np.diff(np.array(reliability.with_bands(won, chance, **settings)["band"].tolist()))

    bins = reliability.with_bands(won, chance)
    ends = np.array(bins["band"].tolist())
    assert (ends[:, 0] <= bins["chance"]).all()
    assert (bins["chance"] <= ends[:, 1]).all()
    assert (width(confidence=0.99) > width()).all()
    assert width(bin_count=40).mean() > width().mean()


def test_bands_add_a_column_to_the_table_without_bands_and_change_none():
    won, chance, _ = promised()
    with_bands = reliability.with_bands(won, chance)
    pd.testing.assert_frame_equal(
        with_bands.drop(columns="band"), evaluation.reliability(won, chance)
    )


# level, intercept and slope


@pytest.mark.parametrize(("intercept", "slope"), [(0.0, 1.0), (-1.2, 0.6), (0.8, 1.7)])
def test_intercept_and_slope_are_those_of_statsmodels(intercept, slope):
    won, chance, week = promised(intercept, slope)
    found = reliability.level_and_slope(won, chance, draw(week)).set_index("name")["value"]
    z = logit(chance)
    line = sm.Logit(won, sm.add_constant(z)).fit(disp=0, tol=1e-12).params
    held = sm.GLM(won, np.ones(len(z)), family=sm.families.Binomial(), offset=z).fit(tol=1e-12)
    np.testing.assert_allclose(found[["intercept", "slope"]], line, atol=1e-6)
    assert found["level"] == pytest.approx(held.params[0], abs=1e-6)


def test_one_step_per_draw_moves_as_far_as_a_whole_fit_of_the_drawn_rows():
    won, chance, week = promised(0.3, 0.8, week_luck=0.3)
    draws = draw(week, count=40)
    z = logit(chance)
    start = reliability.line(won, z, draws.as_seen(), bends=True)
    stepped = start + reliability.newton_step(won, z, draws, True, start)
    whole = [
        sm.GLM(won, sm.add_constant(z), family=sm.families.Binomial(), freq_weights=counts)
        .fit()
        .params
        for counts in draws.row_counts()
    ]
    np.testing.assert_allclose(stepped, whole, atol=0.02)
    assert np.ptp(stepped[:, 0]) > 0.2


def test_the_interval_leans_to_the_side_of_one_exceptional_week():
    won, chance, week = promised()
    won[week == 7] = 1
    found = reliability.level_and_slope(won, chance, draw(week)).iloc[0]
    low, high = np.array(found["interval"]) - found["value"]
    assert high > 1.2 * -low


def test_rows_that_follow_their_chances_are_read_as_promised():
    won, chance, week = promised(seed=3)
    found = reliability.level_and_slope(won, chance, draw(week))
    assert (found["reading"] == "as promised").all()


@pytest.mark.parametrize(
    ("intercept", "slope", "name", "reading"),
    [
        (0.8, 1.0, "level", "more won than promised"),
        (-0.8, 1.0, "level", "fewer won than promised"),
        (0.0, 0.5, "slope", "chances too far apart"),
        (0.0, 1.6, "slope", "chances too close together"),
    ],
)
def test_what_is_wrong_is_named(intercept, slope, name, reading):
    won, chance, week = promised(intercept, slope)
    found = reliability.level_and_slope(won, chance, draw(week)).set_index("name")
    assert found.loc[name, "reading"] == reading


def test_the_interval_of_the_level_holds_the_truth_when_weeks_share_their_luck():
    held = []
    for seed in range(60):
        won, chance, week = promised(count=1000, seed=seed, week_luck=0.5)
        found = reliability.level_and_slope(won, chance, draw(week, count=200))
        low, high = found["interval"].iloc[0]
        held.append(low <= 0 <= high)
    assert 0.87 <= np.mean(held) <= 1.0


def test_weeks_with_luck_of_their_own_widen_the_intervals():
    def width(luck):
        won, chance, week = promised(week_luck=luck)
        ends = reliability.level_and_slope(won, chance, draw(week))["interval"].iloc[0]
        return ends[1] - ends[0]

    assert width(0.8) > 1.5 * width(0.0)


def test_one_class_equal_chances_or_one_week_are_too_little_to_tell():
    won, chance, week = promised()
    alone = reliability.level_and_slope(np.zeros(4000), chance, draw(week))
    assert alone["value"].isna().all()
    assert (alone["reading"] == "too little to tell").all()
    equal = reliability.level_and_slope(won, np.full(4000, 0.2), draw(week)).set_index("name")
    assert equal.loc["level", "value"] == pytest.approx(logit(won.mean()) - logit(0.2))
    assert equal.loc[["intercept", "slope"], "value"].isna().all()
    single = reliability.level_and_slope(won, chance, draw(np.zeros(4000)))
    assert single["value"].notna().all()
    assert (single["reading"] == "too little to tell").all()


# segments


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_the_holm_of_statsmodels(p):
    expected = multipletests(p, method="holm")[1]
    np.testing.assert_allclose(reliability.holm(np.array(p)), expected, atol=1e-12)


def test_a_segment_that_breaks_its_promise_is_flagged_and_no_other():
    won, chance, week = promised(count=8000)
    random = np.random.default_rng(1)
    source = random.choice(["ads", "fair", "partner"], 8000)
    wrong = source == "partner"
    won[wrong] = random.random(wrong.sum()) < expit(logit(chance[wrong]) + 0.7)
    labels = pd.DataFrame({"source": source, "coin": random.choice(["head", "tail"], 8000)})
    found = reliability.by_segment(won, chance, labels[["source"]], draw(week))
    readings = found.set_index("segment")["reading"]
    assert readings["partner"] == "more won than promised"
    assert (readings[["ads", "fair"]] == "as promised").all()
    for row in reliability.by_segment(won, chance, labels, draw(week)).itertuples():
        inside = (labels[row.column] == row.segment).to_numpy()
        assert row.chance == pytest.approx(chance[inside].mean())
        assert row.rate == pytest.approx(won[inside].mean())
        assert row.interval[0] <= row.rate <= row.interval[1]


def test_of_many_true_segments_hardly_a_table_holds_a_flag():
    flagged = []
    for seed in range(60):
        won, chance, week = promised(count=1500, seed=seed, week_luck=0.4)
        labels = pd.DataFrame({"group": np.random.default_rng(seed).integers(8, size=1500)})
        found = reliability.by_segment(won, chance, labels, draw(week, count=200))
        flagged.append((found["reading"] != "as promised").any())
    assert np.mean(flagged) <= 0.1


def test_a_small_segment_without_a_win_is_not_flagged_for_want_of_spread():
    won, chance, week = np.zeros(400), np.full(400, 0.05), np.arange(400) % 20
    won[:25] = 1
    labels = pd.DataFrame({"size": np.repeat(["large", "small"], [380, 20])})
    found = reliability.by_segment(won, chance, labels, draw(week)).set_index("segment")
    assert found.loc["small", "rate"] == 0
    assert found.loc["small", "p"] > 0.5
    assert found.loc["small", "interval"][1] > 0.05


def test_weeks_that_share_their_luck_take_the_flag_from_a_segment_of_one_lucky_week():
    """All rows of the segment lie in two weeks, one of which was good throughout."""
    chance, week = np.full(2000, 0.1), np.repeat(np.arange(20), 100)
    won = (np.arange(2000) % 10 == 0).astype(float)
    won[week == 3] = np.arange(100) % 10 < 5
    labels = pd.DataFrame({"region": np.where(np.isin(week, [3, 4]), "north", "south")})
    by_rows = reliability.by_segment(won, chance, labels, draw(np.arange(2000), count=300))
    by_weeks = reliability.by_segment(won, chance, labels, draw(week))
    assert set(by_rows["reading"]) == {"more won than promised", "as promised"}
    assert set(by_weeks["reading"]) == {"as promised"}


def test_segments_are_frequent_categories_first_and_those_that_part_the_chances_most():
    random = np.random.default_rng(0)
    strong, weak = random.choice(["a", "b", "c"], 1000), random.choice(["x", "y"], 1000)
    features = pd.DataFrame(
        {
            "number": random.normal(size=1000),
            "weak": weak,
            "name": [f"customer {n}" for n in range(1000)],
            "always": "same",
            "strong": strong,
        }
    )
    chance = expit(np.where(strong == "a", -1.0, -2.0) + 0.5 * features["number"].to_numpy())
    found = reliability.segments_of(features, chance)
    assert list(found) == ["strong", "weak", "number"]
    assert list(reliability.segments_of(features, chance, most=1)) == ["strong"]
    assert found["number"].nunique() == 3
    assert found.index.equals(features.index)


def test_a_table_without_a_sensible_segment_gives_none():
    features = pd.DataFrame({"same": np.ones(50), "name": [f"n{n}" for n in range(50)]})
    found = reliability.segments_of(features, np.full(50, 0.2))
    assert found.shape == (50, 0)
    won = np.zeros(50)
    table = reliability.by_segment(won, np.full(50, 0.2), found, draw(np.arange(50)))
    assert list(table) == [
        "column", "segment", "count", "chance", "rate", "interval", "p", "reading",
    ]  # fmt: skip
    assert table.empty


def test_rare_values_are_one_segment_and_missing_ones_are_told():
    column = pd.Series(["a"] * 60 + ["b"] * 30 + [None] * 6 + ["c"] * 2 + ["d"] * 2)
    found = reliability.frequent(column)
    assert found.value_counts().to_dict() == {"a": 60, "b": 30, "(missing)": 6, "other": 4}


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1, 2, 3, 4, 5, 6], ["up to 2.67", "2.67 to 4.33", "above 4.33"]),
        ([0, 0, 0, 0, 0, 1], ["up to 0", "above 0"]),
        ([1000, 2000, 3000, 4000], ["up to 2,000", "2,000 to 3,000", "above 3,000"]),
        ([7, 7, 7], ["all"]),
        ([1, 2, np.nan, np.inf], ["up to 1.33", "above 1.67", "(missing)"]),
        ([np.nan, np.nan], ["(missing)"]),
    ],
)
def test_thirds_are_named_by_their_borders_and_ties_make_fewer(values, labels):
    found = reliability.thirds(pd.Series(values, dtype=float))
    assert list(pd.unique(found)) == labels


def test_choosing_segments_repeats_exactly_and_alters_nothing():
    chance = promised(count=300)[1]
    features = pd.DataFrame({"kind": np.repeat(["a", "b"], 150), "size": np.arange(300.0)})
    before = features.copy()
    first = reliability.segments_of(features, chance)
    pd.testing.assert_frame_equal(first, reliability.segments_of(features, chance))
    pd.testing.assert_frame_equal(features, before)
