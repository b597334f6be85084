"""A contact pays from cost / value up, capacity moves the threshold, equals are treated as equals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise import thresholds
from tierwise.files import InputError

chances = st.lists(st.integers(1, 19).map(lambda v: v / 20), min_size=1, max_size=40).map(np.array)


def scored(count=400, seed=0):
    random = np.random.default_rng(seed)
    chance = random.beta(1.5, 6, count)
    return (random.random(count) < chance).astype(float), chance


# break-even


def test_the_break_even_chance_is_cost_over_value():
    """Elkan 2001: contact where chance * value exceeds cost."""
    assert thresholds.break_even(40, 4) == pytest.approx(0.1)
    assert thresholds.break_even(40, 0) == 0.0
    assert thresholds.break_even(4, 4) == 1.0
    assert thresholds.break_even(2, 4) == 2.0


@given(st.floats(0.01, 1e6), st.floats(0, 1e6), st.floats(0.01, 100))
def test_only_the_ratio_of_value_and_cost_counts(value, cost, factor):
    one, other = (thresholds.break_even(value * by, cost * by) for by in (1, factor))
    assert one == pytest.approx(other)


@pytest.mark.parametrize(("value", "cost"), [(0, 4), (-1, 4), (40, -0.5)])
def test_amounts_that_make_no_sense_are_refused_by_value(value, cost):
    with pytest.raises(InputError, match=f"{value} and {cost}") as error:
        thresholds.break_even(value, cost)
    assert "value_per_win_eur must be above 0" in str(error.value)


# capacity


def test_the_capacity_is_contacts_times_days_over_rows_and_one_at_most():
    assert thresholds.capacity_share(1000, 5, 20) == pytest.approx(0.1)
    assert thresholds.capacity_share(1000, 5, 200) == 1.0
    assert thresholds.capacity_share(1000, 5, 1e9) == 1.0
    assert thresholds.capacity_share(1000, 5, None) == 1.0
    assert thresholds.capacity_share(1000, None, None) == 1.0


@given(st.integers(1, 500), st.integers(1, 60), st.lists(st.integers(1, 40), min_size=2))
def test_more_contacts_a_day_never_reach_fewer_rows(rows, days, contacts):
    shares = [thresholds.capacity_share(rows, days, count) for count in sorted(contacts)]
    assert (np.diff(shares) >= 0).all()
    assert max(shares) <= 1


def test_a_daily_capacity_without_days_is_refused_with_the_way_out():
    with pytest.raises(InputError, match="contacts_per_day_count is 120") as error:
        thresholds.capacity_share(1000, None, 120)
    assert "null in params.yaml" in str(error.value)


@pytest.mark.parametrize("count", [0, -5])
def test_a_day_without_any_contact_is_refused(count):
    with pytest.raises(InputError, match=f"above 0, params.yaml gives {count}"):
        thresholds.capacity_share(1000, 5, count)


# threshold


def test_without_a_limit_the_threshold_is_the_break_even_chance():
    _, chance = scored()
    assert thresholds.threshold(chance, 0.13, 1.0) == 0.13


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_a_limit_contacts_the_share_that_there_is_room_for_when_no_chances_are_equal(share):
    _, chance = scored()
    contacted = (chance >= thresholds.threshold(chance, 0.0, share)).mean()
    assert contacted == pytest.approx(share, abs=1 / len(chance))


def test_room_for_more_than_pay_for_themselves_leaves_the_threshold_at_break_even():
    _, chance = scored()
    paying = (chance >= 0.3).mean()
    assert thresholds.threshold(chance, 0.3, paying + 0.1) == 0.3
    assert thresholds.threshold(chance, 0.3, paying / 2) > 0.3


@given(chances, st.floats(0, 1))
def test_less_room_never_lowers_the_threshold_and_none_is_below_break_even(chance, least):
    found = [thresholds.threshold(chance, least, share) for share in np.linspace(0, 1, 11)]
    assert (np.diff(found) <= 1e-12).all()
    assert min(found) >= least


# profit curve


@given(chances)
def test_the_curve_has_one_row_per_distinct_chance_and_ends_with_everybody(chance):
    won = (np.arange(len(chance)) % 3 == 0).astype(float)
    curve = thresholds.profit_curve(won, chance, 40, 4)
    assert curve["threshold"].tolist() == sorted(set(chance), reverse=True)
    last = curve.iloc[-1]
    assert last["contacted_share"] == 1
    assert last["contacts_count"] == len(chance)
    assert last["wins_count"] == won.sum()
    assert last["recall"] == 1
    assert last["profit_eur"] == pytest.approx(40 * won.sum() - 4 * len(chance))
    assert last["expected_profit_eur"] == pytest.approx(40 * chance.sum() - 4 * len(chance))


@given(chances)
def test_each_row_of_the_curve_is_what_its_threshold_contacts(chance):
    won = (np.arange(len(chance)) % 3 == 0).astype(float)
    for row in thresholds.profit_curve(won, chance, 40, 4).itertuples():
        contacted = chance >= row.threshold
        assert row.contacts_count == contacted.sum()
        assert row.wins_count == won[contacted].sum()
        assert row.precision == pytest.approx(won[contacted].mean())
        assert row.profit_eur == pytest.approx(40 * won[contacted].sum() - 4 * contacted.sum())


def test_the_order_in_which_a_file_lists_equals_changes_nothing():
    won, chance = scored()
    chance = chance.round(1)
    mixed = np.random.default_rng(1).permutation(len(won))
    one = thresholds.profit_curve(won, chance, 40, 4)
    other = thresholds.profit_curve(won[mixed], chance[mixed], 40, 4)
    np.testing.assert_allclose(one, other)


@given(chances, st.integers(0, 30))
def test_no_threshold_expects_more_profit_than_the_break_even_chance(chance, cost):
    """Each contact above it adds to the expected profit, each one below takes away."""
    curve = thresholds.profit_curve(np.ones(len(chance)), chance, 20, cost)
    there = thresholds.at(curve, thresholds.break_even(20, cost) - 1e-12)
    assert there["expected_profit_eur"] == pytest.approx(max(0, curve["expected_profit_eur"].max()))


def test_when_contacts_are_free_everybody_is_contacted():
    won, chance = scored()
    curve = thresholds.profit_curve(won, chance, 40, 0)
    there = thresholds.at(curve, thresholds.break_even(40, 0))
    assert there["contacted_share"] == 1.0
    assert curve["profit_eur"].is_monotonic_increasing


def test_without_a_win_recall_is_zero_and_profit_is_the_cost():
    curve = thresholds.profit_curve(np.zeros(4), np.array([0.4, 0.3, 0.2, 0.1]), 40, 4)
    assert curve["recall"].tolist() == [0, 0, 0, 0]
    assert curve["profit_eur"].tolist() == [-4, -8, -12, -16]


# at a threshold


def test_a_threshold_above_every_chance_contacts_nobody():
    won, chance = scored()
    curve = thresholds.profit_curve(won, chance, 40, 4)
    there = thresholds.at(curve, 1.5)
    assert there.pop("threshold") == 1.5
    assert set(there.values()) == {0.0}
    assert set(there) == set(curve) - {"threshold"}


def test_a_chance_exactly_at_the_threshold_is_contacted():
    curve = thresholds.profit_curve(np.array([1.0, 0, 1]), np.array([0.9, 0.5, 0.1]), 10, 1)
    assert thresholds.at(curve, 0.5)["contacts_count"] == 2
    assert thresholds.at(curve, np.nextafter(0.5, 1))["contacts_count"] == 1


def test_a_threshold_between_two_chances_contacts_those_above_it():
    curve = thresholds.profit_curve(np.array([1.0, 0, 1]), np.array([0.9, 0.5, 0.1]), 10, 1)
    there = thresholds.at(curve, 0.3)
    assert (there["threshold"], there["contacts_count"], there["wins_count"]) == (0.3, 2, 1)
    assert there["profit_eur"] == 8


def test_the_frozen_threshold_is_applied_to_later_rows_as_it_is():
    won, chance = scored(seed=5)
    frozen = {"value_per_win_eur": 40, "cost_per_contact_eur": 4, "threshold": 0.25}
    found = thresholds.realised(won, chance, frozen)
    contacted = chance >= 0.25
    assert found["contacts_count"] == contacted.sum()
    assert found["profit_eur"] == pytest.approx(40 * won[contacted].sum() - 4 * contacted.sum())
    fewer = thresholds.realised(won[:50], chance[:50], frozen)
    assert fewer["contacts_count"] == contacted[:50].sum()


@pytest.mark.parametrize(
    ("lowest", "note"), [(0.1, "the break-even chance"), (0.2, "capacity for 30% of the rows")]
)
def test_the_headline_says_why_the_threshold_stands_where_it_does(lowest, note):
    won, chance = scored()
    there = thresholds.at(thresholds.profit_curve(won, chance, 40, 4), lowest)
    cards = thresholds.headline(lowest, 0.1, 0.3, there)
    assert note in cards[0]["note"]
    assert (
        f"{there['wins_count']:,.0f} wins in {there['contacts_count']:,.0f} contacts"
        in cards[1]["note"]
    )
