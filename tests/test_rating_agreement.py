"""Stars of providers: published arithmetic, other libraries, and worlds in which they mean much."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from statsmodels.stats.proportion import confint_proportions_2indep

from rating_worlds import plain_visits, rated, telling_world
from tierwise import shrinkage
from tierwise.files import InputError
from tierwise.providers import rating_agreement as ra


def alike(seed=0, share=0.97, **given):
    visits = plain_visits(seed, **given)
    top = np.random.default_rng(seed + 50).random(len(visits)) < share
    return rated(visits, np.where(top, 5.0, 3.0), 0.4)


def test_ratings_needed_at_97_percent_are_the_published_ones():
    """sd of 1, 2 and 3 points: 677 and 1,161, 168 and 288, 74 and 126 ratings."""
    assert ra.icc_of_shares(0.97, 0.02) == pytest.approx(0.0137, abs=5e-5)
    wanted = {1: (677, 1161), 2: (168, 288), 3: (74, 126)}
    for points, counts in wanted.items():
        icc = ra.icc_of_shares(0.97, points / 100)
        needed = [np.ceil(shrinkage.values_needed(icc, one)) for one in (0.7, 0.8)]
        assert tuple(needed) == counts


def test_needed_table_holds_the_same_numbers():
    table = ra.needed_table(ra.reliability(alike()), 0.97).set_index("differences")
    assert list(table.loc["if shares differed by 2 points"])[1:] == [168, 288]


def test_providers_that_are_alike_have_no_reliability_and_are_hardly_ever_told_apart():
    found = [ra.reliability(alike(seed)) for seed in range(15)]
    assert np.mean([one.icc.low <= 0 for one in found]) >= 0.85  # the ends of 90 % intervals
    apart = [ra.told_apart(ra.by_provider(alike(seed)))[0] for seed in range(15)]
    assert np.mean(apart) < 0.06


def test_planted_differences_are_found_and_enough_ratings_order_providers_alike_twice():
    visits, _ = telling_world(0)
    found = ra.reliability(visits)
    assert found.icc.low > 0.15
    assert found.of_median > 0.9
    assert found.stepped_up == pytest.approx(found.of_median, abs=0.05)
    assert found.enough_share == 1.0
    assert ra.told_apart(ra.by_provider(visits))[0] > 0.6


def test_stars_that_are_all_five_tell_nothing():
    found = ra.reliability(alike(share=1.0))
    assert found.icc.single == 0
    assert found.of_median == 0
    assert np.isinf(found.fewest)


def test_who_rates_a_provider_often_counts_once_there_with_the_latest_stars():
    visits = alike(1, customer_count=50)
    visits["provider"] = visits["customer"] % 4
    once = ra.once_per_pair(visits)
    assert not once.duplicated(["customer", "provider"]).any()
    last = visits[visits["stars"].notna()].groupby("customer")["at_days"].max()
    assert (once.set_index("customer")["at_days"] == last).all()


@pytest.mark.parametrize("top", [29, 26, 20])
def test_interval_of_each_difference_is_that_of_newcombe(top):
    """29, 26 or 20 of 30 against 30 of 40."""
    rows = plain_visits(0, 70, 1).assign(provider=np.repeat([0, 1], [30, 40]))
    place = np.r_[np.arange(30), np.arange(40)]
    rows["stars"] = np.where(place < np.repeat([top, 30], [30, 40]), 5.0, 3.0)
    low, high = confint_proportions_2indep(top, 30, 30, 40, method="newcomb")
    assert ra.told_apart(ra.by_provider(rows)) == (float(low > 0 or high < 0), 1)


def test_by_provider_counts_what_can_be_counted_by_hand():
    rows = plain_visits(2, 6, 1).assign(
        provider=[1, 1, 1, 2, 2, 2], stopped=[0, 1, np.nan, 0, 0, 0]
    )
    rows["stars"] = [5.0, 4.0, np.nan, 5.0, np.nan, np.nan]
    table = ra.by_provider(rows)
    assert list(table.index) == [1, 2]
    assert list(table["ratings_count"]) == [2, 1]
    assert list(table["top_share"]) == [0.5, 1.0]
    assert list(table["stars_mean"]) == [4.5, 5.0]
    assert list(table["returned"]) == [0.5, 1.0]


def test_correlation_is_that_of_scipy_and_its_interval_holds_the_truth():
    random, held = np.random.default_rng(0), 0
    truth = 6 / np.pi * np.arcsin(0.5 / 2)  # Spearman of a normal pair that correlates at 0.5
    for _ in range(40):
        pair = random.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 80)
        one, other = pd.Series(pair[:, 0]), pd.Series(pair[:, 1])
        value, low, high, count = ra.drawn_again(one, other)
        assert value == pytest.approx(spearmanr(one, other).statistic)
        assert count == 80
        held += low <= truth <= high
    assert 0.8 <= held / 40 <= 0.98


def test_stars_that_mean_something_agree_with_deeds_answers_and_the_truth():
    visits, quality = telling_world(1)
    table = ra.agreement(visits, 20, quality).set_index("signal")
    for signal in ("points", "returned", "complaint", "true_quality"):
        assert table.loc[signal, "low"] > 0.5, signal
        assert table.loc[signal, "later_low"] > 0.4, signal
    assert table.loc["favourite", "low"] < 0.2  # a deed that has nothing to do with it


def test_stars_of_one_half_are_held_against_deeds_of_the_other():
    """Providers that change places in the middle agree at the same time and not later."""
    visits, _ = telling_world(2)
    late = visits["at_days"] >= visits["at_days"].median()
    visits.loc[late, "provider"] = 39 - visits.loc[late, "provider"]
    later = ra.agreement(visits, 20).set_index("signal").loc["points", "later"]
    same, _ = telling_world(2)
    assert abs(later) < 0.5
    assert ra.agreement(same, 20).set_index("signal").loc["points", "later"] > 0.7


def test_too_few_providers_are_no_table_but_an_empty_one():
    table = ra.agreement(alike(provider_count=5), 20)
    assert list(table.columns) == ra.AGREED
    assert table.empty


def test_visits_that_ended_badly_are_told_as_far_as_stars_do():
    visits, _ = telling_world(3)
    table = ra.telling(visits, 6).set_index("event")
    assert table.loc["stopped", "low"] > 0.6
    same = visits.assign(stars=visits["stars"].where(visits["stars"].isna(), 5.0))
    assert (ra.telling(same, 6)["auc"] == 0.5).all()
    mirrored = visits.assign(stars=np.where(visits["stopped"] == 1, 1.0, 5.0))
    line = ra.telling(mirrored, 6).set_index("event").loc["stopped"]
    assert (line["auc"], line["five_star_share"], line["silent_share"]) == (1, 0, 0)


def test_what_was_never_seen_has_no_line():
    table = ra.telling(alike().assign(black_list=0), 6)
    assert set(table["event"]) == {"stopped", "complaint"}


def test_spaced_providers_go_from_the_lowest_to_the_highest():
    table = ra.by_provider(alike(provider_count=30))
    shown = ra.spaced(table, 7, 5)
    assert len(shown) == 7
    assert shown["top_share"].is_monotonic_increasing
    assert shown["top_share"].iloc[0] == table["top_share"].min()
    with pytest.raises(InputError, match="Lower least_ratings"):
        ra.spaced(table, 7, 10_000)
