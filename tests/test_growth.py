"""K, its cycle and the forecast come out as simulated, where the naive figures do not."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import growth_worlds as worlds
from tierwise.files import InputError
from tierwise.referrals import generation_time as gt
from tierwise.referrals import growth, growth_accounting
from tierwise.referrals import growth_forecast as gf

AS_OF = worlds.START + pd.Timedelta(days=worlds.UNTIL_DAYS)
TREES_COUNT, MORE_COUNT, FORECASTS_COUNT = 200, 300, 70
HORIZON_DAYS = 60


def measured(seed):
    at, parent = worlds.tree(seed)
    brood = growth.brood(worlds.signed_up(at, parent), AS_OF)
    found = growth.fit(brood)
    ways = growth.ways(brood, found).set_index("way")
    matured = ways.loc["matured"]
    return {
        **ways["k"].to_dict(),
        "k_inside": found.low <= worlds.K <= found.high,
        "naive_inside": ways.loc["naive", "low"] <= worlds.K <= ways.loc["naive", "high"],
        "matured_inside": matured["low"] <= worlds.K <= matured["high"],
        "mean_days": found.time.mean_days,
        "seen_mean_days": found.time.seen_mean_days,
        "days_inside": found.time.low <= worlds.MEAN_DAYS <= found.time.high,
    }


@pytest.fixture(scope="module")
def trees():
    return pd.DataFrame([measured(seed) for seed in range(MORE_COUNT)])


def test_corrected_k_is_the_true_one_on_average_and_naive_k_is_thirteen_percent_low(trees):
    mean = trees[:TREES_COUNT].mean()
    assert mean["corrected"] == pytest.approx(worlds.K, abs=0.01)
    assert mean["naive"] == pytest.approx(0.52, abs=0.01)
    assert mean["matured"] == pytest.approx(0.594, abs=0.01)


def test_the_cycle_is_as_long_as_it_is_and_the_waits_seen_are_too_short(trees):
    mean = trees[:TREES_COUNT].mean()
    assert mean["mean_days"] == pytest.approx(worlds.MEAN_DAYS, abs=0.3)
    assert mean["seen_mean_days"] == pytest.approx(18.5, abs=0.2)


def test_corrected_k_varies_less_than_that_of_matured_members(trees):
    assert trees["corrected"].std() < 0.95 * trees["matured"].std()


def test_intervals_of_90_percent_hold_the_truth_nine_times_in_ten(trees):
    """In 1,200 of these trees K was held by 89.3 %, the mean wait by 90.6 %; fewer are drawn here."""
    mean = trees.mean()
    assert mean[["k_inside", "days_inside", "matured_inside"]].between(0.87, 0.93).all()
    assert mean["naive_inside"] < 0.6


def test_intervals_hold_where_few_bring_nearly_all():
    """As among the members of a forum: dispersion 0.044, the top tenth of senders bring most."""
    inside = []
    for seed in range(60):
        at, parent = worlds.tree(seed, dispersion=0.044, seeds_count=800)
        brood = growth.brood(worlds.signed_up(at, parent), AS_OF)
        found = growth.fit(brood)
        poisson = growth.interval(brood.brought.sum(), found.time.part_come(brood.age_days), 1e6)
        inside.append((found.low <= worlds.K <= found.high, poisson[0] <= worlds.K <= poisson[1]))
    ours, naive = np.mean(inside, axis=0)
    assert 0.84 <= ours <= 0.96
    assert naive < 0.5


@pytest.fixture(scope="module")
def forecasts():
    """What was foretold 60 days ahead from the 180th day on, beside what came."""
    found = []
    for seed in range(FORECASTS_COUNT):
        at, parent = worlds.tree(seed, until_days=worlds.UNTIL_DAYS + HORIZON_DAYS)
        members = worlds.signed_up(at, parent)
        brood = growth.brood(members, AS_OF)
        drawn = gf.draw(
            brood, growth.fit(brood), AS_OF, HORIZON_DAYS, draws_count=200, is_level=True
        )
        table = gf.against(drawn, members)
        found.append(table[table["generation"].isin(["0", "1", "2", "3", "all"])])
    return pd.concat(found)


def test_the_forecast_holds_what_happened_in_each_generation(forecasts):
    inside = forecasts.groupby("generation")["inside"].mean()
    assert inside["all"] == pytest.approx(0.9, abs=0.04)
    assert inside.between(0.84, 0.97).all()


def test_the_forecast_is_right_on_average(forecasts):
    total = forecasts.groupby("generation")[["expected", "actual"]].sum()
    ratio = total["expected"] / total["actual"]
    assert ratio["all"] == pytest.approx(1, abs=0.05)
    assert ratio[["0", "1", "2", "3"]].between(0.9, 1.12).all()


@pytest.fixture(scope="module")
def large():
    at, parent = worlds.tree(3, seeds_count=2000)
    brood = growth.brood(worlds.signed_up(at, parent), AS_OF)
    return brood, growth.fit(brood)


def test_k_of_young_cohorts_is_that_of_old_ones_and_naive_k_falls(large):
    table = growth.cohorts(*large)
    assert table["members_count"].sum() == len(large[0].age_days)
    assert table["brought_count"].sum() == large[0].brought.sum()
    told = table[table["said"] == growth.TOLD]
    assert len(told) == 6
    assert (told["low"] <= worlds.K).all()
    assert (told["high"] >= worlds.K).all()
    assert table["naive"].iloc[-1] < 0.5 * worlds.K
    assert table["part_come"].is_monotonic_decreasing
    weekly = growth.cohorts(*large, every="week")
    assert weekly["said"].iloc[-1] == growth.EARLY


def test_where_it_takes_years_k_is_told_within_a_horizon_and_not_in_all():
    """A wait of two years on average, seen for 180 days: nobody knows how many will come."""
    inside, ends = [], []
    true = worlds.K * gt.part_come(np.log([1.0, 700.0]), np.array(90.0))
    for seed in range(40):
        at, parent = worlds.tree(seed, mean_days=700.0, shape=1.0, seeds_count=1500)
        brood = growth.brood(worlds.signed_up(at, parent), AS_OF)
        whole = growth.fit(brood)
        found = growth.fit(brood, horizon_days=90.0)
        inside.append(found.low <= true <= found.high)
        ends.append(np.isinf(whole.high) or whole.high > 3 * whole.low)
        assert not whole.time.told
    assert 0.8 <= np.mean(inside) <= 0.98
    assert np.mean(ends) > 0.9
    table = growth.cohorts(brood, found)
    assert table["brought_count"].sum() < brood.brought.sum()
    assert growth.ways(brood, found, 90.0)["brought_count"].iloc[0] == table["brought_count"].sum()
    with pytest.raises(InputError, match="needs K without a horizon, not within 90 days"):
        gf.draw(brood, found, AS_OF, 10)


def test_intervals_reach_from_zero_to_infinity_where_nothing_is_known():
    assert growth.interval(0, np.full(50, 0.5), 1.0)[0] == 0
    assert growth.interval(3, np.full(1, 0.01), 0.1)[1] == np.inf
    low, high = growth.interval(600, np.ones(1000), 1e9)
    assert (low, high) == pytest.approx((0.561, 0.642), abs=0.001)


def test_the_dispersion_is_that_of_the_counts():
    random = np.random.default_rng(5)
    means = random.uniform(0.1, 1, 20_000)
    for size in (0.05, 1.0, 8.0):
        counts = random.negative_binomial(size, size / (size + means))
        assert growth.dispersion(counts, means) == pytest.approx(size, rel=0.15)
    assert growth.dispersion(random.poisson(means), means) > 20


def test_without_truncation_the_law_of_waits_is_that_of_scipy():
    waits = np.random.default_rng(1).gamma(1.7, 12, 400)
    found = gt.fit(waits, np.full(400, 1e5))
    shape, _, scale = stats.gamma.fit(waits, floc=0)
    assert (found.shape, found.mean_days) == pytest.approx((shape, shape * scale), rel=1e-3)
    assert found.seen_mean_days == pytest.approx(waits.mean())


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.floats(0.01, 1000), st.integers(0, 1000))
def test_the_unit_of_time_does_not_matter(unit, seed):
    random = np.random.default_rng(seed)
    could_be = random.uniform(5, 100, 300)
    waits = random.gamma(2, 10, 300)
    kept = waits < could_be
    one = gt.fit(waits[kept], could_be[kept])
    other = gt.fit(unit * waits[kept], unit * could_be[kept])
    assert other.mean_days == pytest.approx(unit * one.mean_days, rel=1e-3)
    assert other.shape == pytest.approx(one.shape, rel=1e-3)


def test_waits_that_do_not_tell_their_mean_are_called_so():
    """All have been members for 10 days, others come after 200: the cut is all that is seen."""
    random = np.random.default_rng(2)
    waits = 10 * random.random(60) ** 0.5
    assert not gt.fit(waits, np.full(60, 10.0)).told
    assert gt.fit(waits, np.full(60, 1000.0)).told


def test_too_few_and_impossible_waits_are_refused():
    with pytest.raises(InputError, match="3 members were brought by others; it takes 20"):
        gt.fit(np.ones(3), np.ones(3))
    with pytest.raises(InputError, match="number 7 is 5 of 2 days"):
        gt.fit(np.where(np.arange(30) == 7, 5.0, 1.0), np.full(30, 2.0))
    rows = worlds.signed_up(np.array([5.0, 1.0]), np.array([-1, 0]))
    with pytest.raises(InputError, match="Member 1 was brought by 0, who signed up later"):
        growth.brood(rows, AS_OF)


def test_k_is_invitations_times_conversion(large):
    at, parent = worlds.tree(3, seeds_count=300)
    members = worlds.signed_up(at, parent)
    invites = members[["person_id"]].assign(
        known_at=members["occurred_at"], recipients_count=members["person_id"] % 4
    )
    table = growth.invited(members, invites, AS_OF)
    assert table["recipients_count"].sum() == invites["recipients_count"].sum()
    product = table["invitations"] * table["conversion"]
    assert product.tolist() == pytest.approx(table["naive"].tolist())
    assert table["brought_count"].sum() == (parent >= 0).sum()


def test_what_happens_later_changes_no_figure():
    at, parent = worlds.tree(4, until_days=worlds.UNTIL_DAYS + HORIZON_DAYS)
    members = worlds.signed_up(at, parent)
    then = growth.fit(growth.brood(members[members["occurred_at"] < AS_OF], AS_OF))
    now = growth.fit(growth.brood(members.sample(frac=1, random_state=1), AS_OF))
    assert (now.k, now.low, now.high, now.dispersion) == (
        then.k,
        then.low,
        then.high,
        then.dispersion,
    )


def test_the_same_seed_draws_the_same_forecast(large):
    one, other = (gf.draw(*large, AS_OF, 20, draws_count=50).drawn for _ in range(2))
    assert (one == other).all()
    assert one.shape == (50, gf.GENERATIONS_COUNT, 20)
    by_day = gf.by_day(gf.Forecast(one, AS_OF))
    by_generation = gf.by_generation(gf.Forecast(one, AS_OF))
    assert by_day["day"].iloc[0] == AS_OF
    assert by_day["expected"].is_monotonic_increasing
    assert by_day["expected"].iloc[-1] == by_generation["expected"].iloc[-1]


def test_a_trend_that_doubles_every_four_weeks_is_carried_on():
    days = np.arange(gf.TREND_DAYS)
    place, covariance, excess = gf.trend(np.round(200 * 0.5 ** (days / 28)), is_level=False)
    ahead = np.exp(gf.trend_design(-np.arange(1, 29), False) @ place)
    assert ahead[-1] == pytest.approx(400, rel=0.02)
    assert excess == 1
    assert np.sqrt(covariance[1, 1]) < 0.1
    with pytest.raises(InputError, match="2 members came by themselves in the last 56 days"):
        gf.trend(np.r_[2, np.zeros(55)], is_level=True)


def test_without_chance_the_process_is_the_formula_of_whole_cycles():
    """Everybody brings two others after exactly one cycle: 1, 3, 7, 15, 31 users."""
    days = np.arange(5) * 20.0
    assert gf.users_after(days, 1, 2, 20).tolist() == [1, 3, 7, 15, 31]
    assert gf.users_after(days, 3, 1, 20).tolist() == [3, 6, 9, 12, 15]
    total = gf.users_after(np.array([2000.0]), 100, 0.6, 20)[0]
    assert total == pytest.approx(100 / (1 - 0.6))


def test_a_forecast_in_the_long_run_is_k_over_one_less_k():
    """Nobody comes by themselves any more: who is there brings K / (1 - K) others each."""
    at, parent = worlds.tree(6, seeds_count=4000, until_days=30)
    brood = growth.brood(worlds.signed_up(at, parent), worlds.START + pd.Timedelta(days=30))
    covariance = np.zeros((2, 2))
    time = gt.GenerationTime(2.0, 20.0, 20.0, 20.0, covariance, True, 1, 20.0)
    days = gf.Days(np.bincount(brood.age_days.astype(int)), np.zeros(30), np.zeros(30))
    come = gf.part_by_day(np.log([time.shape, time.mean_days]), 30 + 601)
    alone = gf.Drawn(worlds.K, come, np.zeros(600), 1.0)
    drawn = gf.grown(days, 1.0, alone, 200, np.random.default_rng(1))
    # Nothing was seen of them so far, which speaks for less than K: d / (d / K + G) each to come.
    rate = 1 / (1 / worlds.K + come[np.arange(30)]) * (1 - come[np.arange(30)])
    expected = days.members @ rate / (1 - worlds.K)
    assert drawn.sum(axis=(1, 2)).mean() == pytest.approx(expected, rel=0.02)


def slow_account(pairs):
    rows = []
    for period in range(min(p for _, p in pairs), max(p for _, p in pairs) + 1):
        now = {person for person, p in pairs if p == period}
        before = {person for person, p in pairs if p == period - 1}
        ever = {person for person, p in pairs if p < period}
        rows.append(
            (
                len(now),
                len(now - ever),
                len(now & before),
                len(now & ever - before),
                len(before - now),
            )
        )
    return rows


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.sets(st.tuples(st.integers(1, 6), st.integers(0, 8)), min_size=1, max_size=30))
def test_growth_accounts_are_those_of_sets_and_add_up(pairs):
    weeks = pd.Timestamp("2026-01-05") + pd.to_timedelta([7 * week for _, week in pairs], unit="D")
    activity = pd.DataFrame({"person_id": [person for person, _ in pairs], "occurred_at": weeks})
    activity = pd.concat([activity, activity]).assign(known_at=lambda rows: rows["occurred_at"])
    table = growth_accounting.accounted(activity, pd.Timestamp("2026-04-06"), "week")
    counts = table[[f"{name}_count" for name in ("active", "new", "kept", "back", "gone")]]
    assert list(counts.itertuples(index=False, name=None)) == slow_account(pairs)
    active, new, kept, back, gone = counts.to_numpy().T
    assert (active == new + kept + back).all()
    assert (np.diff(active) == (new + back - gone)[1:]).all()


def test_a_period_that_is_not_over_is_left_out_and_so_is_what_was_not_known():
    days = pd.to_datetime(["2026-01-10", "2026-02-10", "2026-03-01"]).astype("M8[us]")
    activity = pd.DataFrame({"person_id": 1, "occurred_at": days, "known_at": days})
    table = growth_accounting.accounted(activity, pd.Timestamp("2026-03-10"))
    assert table["period"].dt.month.tolist() == [1, 2]
    late = activity.assign(known_at=pd.Timestamp("2026-03-10"))
    assert growth_accounting.accounted(late, pd.Timestamp("2026-03-10")).empty
    with pytest.raises(InputError, match="needs the column known_at"):
        growth_accounting.accounted(activity.drop(columns="known_at"), pd.Timestamp("2026-03-10"))
