"""Weeks and owners are drawn whole, their sums are those of rows written out, intervals cover."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t
from sklearn.metrics import roc_auc_score

from tierwise import draws, leakage


def rows(count=300, seed=0, weeks=12, owners=7):
    """Outcome, score with ties, week and owner of some rows."""
    random = np.random.default_rng(seed)
    score = random.integers(0, 15, count) / 15
    won = (random.random(count) < 0.2 + 0.4 * score).astype(float)
    return won, score, random.integers(weeks, size=count), random.integers(owners, size=count)


def written_out(drawn, number):
    """Row positions of one draw, each as often as it counts: the slow way."""
    return np.repeat(np.arange(len(drawn.week)), drawn.row_counts()[number])


# drawing


def test_a_row_counts_as_often_as_its_week_times_its_owner_was_drawn():
    week, owner = np.array(["b", "b", "a", "c"]), np.array(["x", "y", "x", "y"])
    drawn = draws.draw(week, owner)
    counts = drawn.row_counts()
    assert counts.shape == (1000, 4)
    assert (drawn.week_count.sum(axis=1) == 3).all()
    assert (drawn.owner_count.sum(axis=1) == 2).all()
    by_week, by_owner = drawn.week_count[:, [1, 1, 0, 2]], drawn.owner_count[:, [0, 1, 0, 1]]
    np.testing.assert_array_equal(counts, by_week * by_owner)


def test_draws_repeat_exactly_and_owners_leave_those_of_the_weeks_alone():
    _, _, week, owner = rows()
    one, other, alone = draws.draw(week, owner), draws.draw(week, owner), draws.draw(week)
    np.testing.assert_array_equal(one.row_counts(), other.row_counts())
    np.testing.assert_array_equal(one.week_count, alone.week_count)
    assert (alone.owner_count == 1).all()


def test_the_order_of_rows_changes_no_interval():
    won, score, week, owner = rows()
    mixed = np.random.default_rng(1).permutation(len(won))
    one, other = draws.draw(week, owner), draws.draw(week[mixed], owner[mixed])
    before = draws.interval(one, lambda d: draws.auc_in_weeks(d, won, score))
    after = draws.interval(other, lambda d: draws.auc_in_weeks(d, won[mixed], score[mixed]))
    np.testing.assert_allclose(before, after)


@pytest.mark.parametrize("strays", [1, 10])
def test_a_few_rows_of_a_second_owner_do_not_take_away_what_is_known(strays):
    won, score, week, _ = rows(2000)
    owner = np.zeros(2000)
    owner[:strays] = 1 if strays > 1 else np.nan

    def area(drawn):
        return draws.auc(drawn, won, score)

    found = draws.interval(draws.draw(week, owner), area)
    assert found == draws.interval(draws.draw(week), area)


def test_labels_of_one_size_are_as_many_as_there_are_and_a_stray_one_adds_little():
    assert draws.effective(np.arange(12) % 4) == pytest.approx(4)
    assert draws.effective(np.r_[np.zeros(99), 1]) == pytest.approx(1.02, abs=0.001)
    assert draws.effective(np.array([])) == 0


def test_rows_without_an_owner_share_one():
    owner = np.array(["x", None, "y", None], dtype=object)
    drawn = draws.draw(np.arange(4), owner)
    assert drawn.owner_count.shape[1] == 3
    assert drawn.owner[1] == drawn.owner[3]


# sums, means, AUC


@given(st.integers(0, 10_000), st.booleans())
def test_sums_and_means_are_those_of_the_rows_written_out(seed, owned):
    won, score, week, owner = rows(60, seed)
    drawn = draws.draw(week, owner if owned else None, count=5)
    inside = score > 0.5
    for number in range(5):
        drawn_rows = written_out(drawn, number)
        assert drawn.sums(won)[number] == won[drawn_rows].sum()
        kept = drawn_rows[inside[drawn_rows]]
        expected = won[kept].mean() if len(kept) else np.nan
        np.testing.assert_allclose(drawn.mean(won, inside)[number], expected)


@pytest.mark.parametrize("owned", [True, False])
def test_the_auc_of_a_draw_is_that_of_its_rows_written_out(owned):
    won, score, week, owner = rows()
    drawn = draws.draw(week, owner if owned else None, count=20)
    found = draws.auc(drawn, won, score)
    for number in range(20):
        counts = drawn.row_counts()[number]
        assert found[number] == pytest.approx(roc_auc_score(won, score, sample_weight=counts))


def test_the_auc_inside_weeks_is_the_mean_of_the_weeks_weighted_by_their_rarer_class():
    won, score, week, owner = rows()
    drawn = draws.draw(week, owner, count=10)
    found = draws.auc_in_weeks(drawn, won, score)
    for number in range(10):
        own = drawn.owner_count[number, drawn.owner]
        values, weights = [], []
        for one in range(12):
            drawn_rows = np.repeat(np.arange(300), np.where(drawn.week == one, own, 0))
            wins, count = won[drawn_rows].sum(), len(drawn_rows)
            values.append(leakage.auc(won[drawn_rows], score[drawn_rows]))
            weights.append(min(wins, count - wins) * drawn.week_count[number, one])
        assert found[number] == pytest.approx(np.average(values, weights=weights))


def test_parts_of_the_draws_find_the_same_as_all_at_once(monkeypatch):
    won, score, week, owner = rows()
    drawn = draws.draw(week, owner, count=50)
    whole = draws.auc(drawn, won, score), draws.auc_in_weeks(drawn, won, score)
    monkeypatch.setattr(draws, "CHUNK_CELLS", 700)
    parts = draws.auc(drawn, won, score), draws.auc_in_weeks(drawn, won, score)
    np.testing.assert_array_equal(whole, parts)


def test_with_one_class_the_auc_is_a_half_and_inside_weeks_there_is_none():
    _, score, week, _ = rows()
    drawn = draws.draw(week, count=10)
    assert (draws.auc(drawn, np.ones(300), score) == 0.5).all()
    assert np.isnan(draws.auc_in_weeks(drawn, np.ones(300), score)).all()


# intervals


def rate(won):
    return lambda drawn: drawn.mean(won, np.ones(len(won)))


def test_without_owners_the_variance_is_the_textbook_one_of_clusters():
    """Weeks of equal size: the variance of a mean is that of the weeks' means over their number."""
    random = np.random.default_rng(0)
    means = random.random(50)
    won, week = np.repeat(means, 20), np.repeat(np.arange(50), 20)
    drawn = draws.draw(week, count=4000)
    moved = rate(won)(drawn) - won.mean()
    found = draws.variance(drawn, rate(won), moved)
    assert found == pytest.approx(means.var(ddof=1) / 50, rel=0.06)
    low, high = draws.interval(drawn, rate(won))
    half = t.ppf(0.975, 49) * np.sqrt(means.var(ddof=1) / 50)
    np.testing.assert_allclose([low, high], means.mean() + half * np.array([-1, 1]), atol=0.008)


def test_two_way_variance_is_that_of_cameron_gelbach_and_miller():
    """V(week) + V(owner) - V(both), each from sums of what rows add to the mean, written out."""
    random = np.random.default_rng(3)
    week, owner = random.integers(25, size=1500), random.integers(20, size=1500)
    level = 0.4 + random.normal(0, 0.12, 25)[week] + random.normal(0, 0.12, 20)[owner]
    won = (random.random(1500) < level).astype(float)
    part = (won - won.mean()) / 1500

    def clustered(labels):
        sums = pd.Series(part).groupby(labels).sum()
        return (sums**2).sum() * len(sums) / (len(sums) - 1)

    expected = clustered(week) + clustered(owner) - clustered(week * 100 + owner)
    drawn = draws.draw(week, owner, count=4000)
    moved = rate(won)(drawn) - won.mean()
    assert draws.variance(drawn, rate(won), moved) == pytest.approx(expected, rel=0.12)


def test_where_rows_are_independent_owners_hardly_widen_the_interval():
    """The product of counts by itself would make it wider by the root of three."""
    random = np.random.default_rng(0)
    week, owner = random.integers(40, size=3000), random.integers(40, size=3000)
    won = (random.random(3000) < 0.3).astype(float)
    independent = 2 * 1.96 * np.sqrt(0.3 * 0.7 / 3000)
    drawn = draws.draw(week, owner)
    assert np.ptp(draws.interval(drawn, rate(won))) < 1.35 * independent
    assert rate(won)(drawn).std() * 2 * 1.96 > 1.5 * independent


def covered(seed, way):
    """Whether the interval of a gap holds the true one, with luck shared by week and owner."""
    random = np.random.default_rng(seed)
    week, owner = random.integers(20, size=1000), random.integers(15, size=1000)
    better = random.random(1000) < 0.4
    luck = random.normal(0, 0.08, (20, 2))[week, better * 1]
    luck += random.normal(0, 0.08, (15, 2))[owner, better * 1]
    won = (random.random(1000) < np.where(better, 0.45, 0.30) + luck).astype(float)
    given = {"rows": (np.arange(1000),), "weeks": (week,), "weeks and owners": (week, owner)}[way]
    drawn = draws.draw(*given, count=200)

    def gap(drawn):
        return drawn.mean(won, better) - drawn.mean(won, ~better)

    low, high = draws.interval(drawn, gap, lowest=-1.0)
    return low <= 0.15 <= high


def test_intervals_by_week_and_owner_cover_what_independent_ones_miss():
    """Of 100 made-up histories about 95 should hold the truth; 4 standard errors are 9."""
    share = {
        way: np.mean([covered(seed, way) for seed in range(100)])
        for way in ("rows", "weeks", "weeks and owners")
    }
    assert share["weeks and owners"] >= 0.88
    assert share["rows"] < 0.80
    assert share["rows"] < share["weeks"] < share["weeks and owners"]


def test_an_interval_is_as_wide_as_the_fewest_of_weeks_and_owners_ask():
    assert draws.fewest(draws.draw(np.arange(5))) == 5
    assert draws.fewest(draws.draw(np.arange(5000), count=2)) == 5000
    assert draws.fewest(draws.draw(np.arange(50), np.arange(50) % 5, count=2)) == 5
    assert draws.fewest(draws.draw(np.zeros(9), count=2)) == 1


def test_an_interval_stays_inside_what_is_possible_and_is_everything_where_nothing_is_known():
    week = np.array([0, 0, 1, 1])
    low, high = draws.interval(draws.draw(week), rate(np.array([1.0, 1, 0, 0])))
    assert (low, high) == (0.0, 1.0)
    nothing = draws.interval(draws.draw(week), lambda d: np.full(len(d.week_count), np.nan))
    assert nothing == [0.0, 1.0]
    assert draws.interval(draws.draw(week), rate(np.ones(4))) == [1.0, 1.0]


def test_a_single_week_says_nothing_of_how_weeks_differ_and_one_owner_is_no_owner():
    won, _, week, _ = rows()
    assert draws.interval(draws.draw(np.zeros(300)), rate(won)) == [0.0, 1.0]
    one = draws.interval(draws.draw(week, np.zeros(300)), rate(won))
    assert one == draws.interval(draws.draw(week), rate(won))
