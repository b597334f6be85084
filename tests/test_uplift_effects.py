"""Effects are those of statsmodels, their intervals hold the truth, and friends count together."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from tierwise.files import InputError
from tierwise.targeting import effects, effects_by, pays


def lot(count=400, seed=0, share=0.7, effect=0.1):
    random = np.random.default_rng(seed)
    treated = random.random(count) < share
    outcome = (random.random(count) < 0.2 + effect * treated).astype(float)
    return outcome, treated


@pytest.mark.parametrize("seed", range(3))
def test_difference_and_interval_are_those_of_welch_in_statsmodels(seed):
    outcome, treated = lot(60, seed)
    outcome = outcome * np.arange(60)
    found = effects.difference(outcome, treated)
    arms = [DescrStatsW(outcome[treated == arm]) for arm in (True, False)]
    want = CompareMeans(*arms).tconfint_diff(usevar="unequal")
    assert found.value == pytest.approx(arms[0].mean - arms[1].mean)
    assert found.ends == pytest.approx(want)


def test_errors_of_clusters_are_those_of_statsmodels_up_to_its_factor():
    outcome, treated = lot(600, seed=3)
    cluster = np.random.default_rng(4).integers(0, 90, 600)  # both arms in most of them
    found = effects.difference(outcome, treated, cluster)
    fit = sm.OLS(outcome, sm.add_constant(treated.astype(float)))
    groups = {"groups": cluster, "use_correction": False}
    want = fit.fit(cov_type="cluster", cov_kwds=groups).bse[1]
    sums = np.bincount(cluster, found.influence)
    # Ours grows by 90 / 89 in the arm with 90 clusters, and by a little more in the other one.
    assert np.sqrt(sums @ sums) == pytest.approx(want, rel=0.01)
    assert np.sqrt(sums @ sums) > want


def test_adjusted_effect_is_that_of_a_line_in_each_arm_of_statsmodels():
    random = np.random.default_rng(5)
    x = random.normal(size=(300, 2))
    treated = random.random(300) < 0.5
    outcome = 1 + x @ [2.0, -1.0] + treated * (0.5 + x[:, 0]) + random.normal(size=300)
    found = effects.adjusted(outcome, treated, x)
    middle = x - x.mean(axis=0)
    arms = [
        sm.OLS(outcome[treated == arm], sm.add_constant(middle[treated == arm])).fit(cov_type="HC1")
        for arm in (True, False)
    ]
    assert found.value == pytest.approx(arms[0].params[0] - arms[1].params[0])
    error = np.sqrt(arms[0].bse[0] ** 2 + arms[1].bse[0] ** 2)
    assert np.sqrt(found.influence @ found.influence) == pytest.approx(error)
    plain = effects.difference(outcome, treated)
    assert (found.high - found.low) < 0.7 * (plain.high - plain.low)
    # A column that says nothing new changes nothing.
    again = effects.adjusted(outcome, treated, np.column_stack([x, x[:, 0], np.ones(300)]))
    assert again.ends == pytest.approx(found.ends)


def test_without_features_the_adjusted_effect_is_the_difference():
    outcome, treated = lot()
    found = effects.adjusted(outcome, treated, np.zeros((400, 0)))
    assert found.ends == pytest.approx(effects.difference(outcome, treated).ends)


def test_the_true_effect_lies_inside_nineteen_of_twenty_intervals():
    """Friends share their luck and their arm; a tenth is held out, with eight clusters or so."""
    random, inside = np.random.default_rng(6), []
    for _ in range(300):
        friends = np.repeat(np.arange(80), random.integers(1, 9, 80))
        treated = (random.permutation(80) >= 8)[friends]
        known = random.normal(size=80)[friends]
        luck = known + random.normal(size=80)[friends]
        outcome = luck + 0.5 * treated + random.normal(size=len(friends))
        found = [
            effects.difference(outcome, treated, friends),
            effects.difference(outcome, treated),
        ]
        inside.append([one.low <= 0.5 <= one.high for one in found])
    by_cluster, by_row = np.mean(inside, axis=0)
    assert by_cluster == pytest.approx(0.95, abs=0.05)
    assert by_row < 0.8  # who leaves clusters out claims too much


def test_the_interval_is_that_of_drawing_clusters_again():
    outcome, treated = lot(900, seed=7)
    cluster = np.arange(900) // 3
    found = effects.difference(outcome, treated, cluster)
    low, high = effects.drawn_again(outcome, treated, cluster, draws_count=500)
    assert high - low == pytest.approx(found.high - found.low, rel=0.12)


def test_people_joined_by_any_chain_are_one_component():
    pairs = pd.DataFrame({"person_id": ["b", "c", "x", "e"], "other_id": ["a", "b", "a", "e"]})
    label = effects.components(pd.Series(list("abcde")), pairs)
    assert label[0] == label[1] == label[2]
    assert len({label[0], label[3], label[4]}) == 3
    found = effects.mixed(np.array([1, 1, 0, 0, 1]), label)
    assert found == {"components_count": 3.0, "largest_share": 0.6, "mixed_share": 0.5}
    with pytest.raises(InputError, match="twice"):
        effects.components(pd.Series(["a", "a"]), pairs)


def test_segments_add_up_and_all_intervals_together_are_wider():
    outcome, treated = lot(3000, seed=8)
    segment = np.array(["a", "b", "c"])[np.arange(3000) % 3]
    found = effects_by.by_segment(outcome, treated, segment)
    assert found.table["segment"].tolist() == ["a", "b", "c"]
    assert found.table["treated_count"].sum() == treated.sum()
    for row in found.table.itertuples():
        here = segment == row.segment
        assert (row.low, row.high) == pytest.approx(
            effects.difference(outcome[here], treated[here]).ends
        )
        wide = effects.difference(outcome[here], treated[here], level=1 - 0.05 / 3)
        assert (row.low_all, row.high_all) == pytest.approx(wide.ends)
    more = effects_by.by_segment(outcome, treated, segment, looked_at_count=30).table
    assert (more["low_all"] < found.table["low_all"]).all()


def test_segments_that_are_alike_are_called_different_as_rarely_as_said():
    random, p, wrong = np.random.default_rng(9), [], []
    for _ in range(100):
        segment = random.integers(0, 4, 600)
        treated = random.random(600) < 0.5
        outcome = random.normal(size=600) + segment + 0.3 * treated
        found = effects_by.by_segment(outcome, treated, segment)
        p.append(found.alike_p)
        wrong.append(((found.table["low_all"] > 0.3) | (found.table["high_all"] < 0.3)).any())
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.07)
    assert np.mean(wrong) < 0.09
    outcome = outcome + 0.8 * treated * (segment == 2)
    assert effects_by.by_segment(outcome, treated, segment).alike_p < 1e-3


def test_a_segment_without_one_of_the_arms_has_no_effect_and_no_part():
    outcome, treated = lot(100, seed=10)
    segment = np.where(np.arange(100) == 5, "lonely", "rest")
    found = effects_by.by_segment(outcome, treated, segment)
    assert found.table.set_index("segment").loc["lonely", ["effect", "low_all"]].isna().all()
    assert np.isnan(found.alike_p)


def test_what_pays_is_the_difference_of_money_booked_row_by_row():
    outcome = np.repeat([1.0, 0.0, 1.0, 0.0], [30, 70, 10, 90])
    treated = np.repeat([True, False], 100)
    found = pays.pays(outcome, treated, value_eur=20.0, reward_eur=8.0, cost_eur=0.5)
    assert found["incremental_count"]["value"] == pytest.approx(200)
    assert found["outcomes_count"] == pytest.approx(300)
    assert found["value_eur"]["value"] == pytest.approx(4000)
    assert found["reward_eur"]["value"] == pytest.approx(2400)  # also for the 100 who come anyway
    assert found["cost_eur"] == pytest.approx(500)
    assert found["net_eur"]["value"] == pytest.approx(1100)
    money = np.where(treated, outcome * 12 - 0.5, outcome * 20)
    want = 1000 * np.array(effects.difference(money, treated).ends)
    assert (found["net_eur"]["low"], found["net_eur"]["high"]) == pytest.approx(tuple(want))
    assert found["verdict"] == "can't tell"
    highest = found["highest_reward_eur"]
    even = pays.pays(outcome, treated, 20.0, highest, 0.5)
    assert even["net_eur"]["value"] == pytest.approx(0, abs=1e-9)
    assert pays.pays(outcome, treated, 2000.0, 8.0)["verdict"] == "pays"
    assert pays.pays(outcome, treated, 1.0, 8.0)["verdict"] == "loses"


def test_a_reward_that_everybody_gets_is_paid_for_the_incremental_ones_alone():
    outcome, treated = lot(seed=11)
    found = pays.pays(outcome, treated, 20.0, 8.0, control_reward_eur=8.0)
    count = found["incremental_count"]["value"]
    assert found["net_eur"]["value"] == pytest.approx(12 * count)
    even = pays.pays(outcome, treated, 20.0, found["highest_reward_eur"], control_reward_eur=8.0)
    assert even["net_eur"]["value"] == pytest.approx(0, abs=1e-9)


def test_what_no_lot_can_have_given_is_refused():
    outcome, treated = lot(50)
    with pytest.raises(InputError, match="Hold some out"):
        effects.difference(outcome, np.ones(50))
    with pytest.raises(InputError, match="two in each arm"):
        effects.difference(outcome, treated, np.where(treated, np.arange(50), 99))
    with pytest.raises(InputError, match="missing"):
        effects.difference(np.where(treated, np.nan, outcome), treated)
    with pytest.raises(InputError, match="found 2"):
        effects.difference(outcome, treated * 2)
    with pytest.raises(InputError, match="feature is missing"):
        effects.adjusted(outcome, treated, np.full((50, 1), np.nan))
    with pytest.raises(InputError, match="more rows"):
        effects.adjusted(outcome, treated, np.random.default_rng(0).normal(size=(50, 40)))
    with pytest.raises(InputError, match="amounts paid"):
        pays.pays(outcome, treated, 1.0, -2.0)
