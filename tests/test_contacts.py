"""No day is fuller than it can be, the best come first, and the frontier is what happens."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise import contacts, thresholds
from tierwise.files import InputError

chances = st.lists(st.integers(0, 20).map(lambda v: v / 20), min_size=1, max_size=40).map(np.array)
PROFIT = thresholds.Choice("profit", 0.1, "")


def scored(count=600, seed=0, days=12):
    random = np.random.default_rng(seed)
    chance = random.beta(1.5, 6, count)
    won = (random.random(count) < chance).astype(float)
    return won, chance, random.integers(days, size=count)


def chosen(chance, days, room, value=40.0, cost=4.0):
    profit = thresholds.expected_profit(chance, value, cost)
    return contacts.contacted(PROFIT, chance, profit, days, room)


# a day's list


@given(chances, st.integers(1, 5), st.integers(1, 6))
def test_no_day_has_more_contacts_than_room_and_none_is_wasted(chance, days, room):
    day = np.arange(len(chance)) % days
    inside = chosen(chance, day, room)
    pays = chance * 40 - 4 > 0
    for one in range(days):
        assert inside[day == one].sum() == min(room, pays[day == one].sum())


@given(chances, st.integers(1, 6))
def test_who_is_left_out_has_no_more_expected_profit_than_any_who_is_contacted(chance, room):
    inside = chosen(chance, np.zeros(len(chance)), room)
    if inside.any() and not inside.all():
        assert chance[inside].min() >= chance[~inside].max() or (chance[~inside] * 40 <= 4).all()


def test_a_contact_that_only_breaks_even_is_not_made_however_much_room_there_is():
    assert chosen(np.array([0.1, 0.25, 0.05]), np.zeros(3), 10).tolist() == [False, True, False]


def test_equals_at_the_end_of_a_day_are_taken_in_the_order_of_rows_every_time():
    chance = np.full(8, 0.5)
    day = np.array(["mon", "tue"] * 4)
    for _ in range(3):
        inside = chosen(chance, day, 2)
        assert np.flatnonzero(inside).tolist() == [0, 1, 2, 3]


def test_of_two_with_equal_expected_profit_the_likelier_one_comes_first():
    chance, value = np.array([0.25, 0.5]), np.array([80.0, 40.0])
    inside = chosen(chance, np.zeros(2), 1, value, 4.0)
    assert inside.tolist() == [False, True]


def test_a_rare_deal_of_great_value_comes_before_a_likely_small_one():
    chance, value = np.array([0.9, 0.1]), np.array([50.0, 1000.0])
    assert chosen(chance, np.zeros(2), 1, value, 4.0).tolist() == [False, True]


def test_other_days_change_nothing_on_a_day():
    _, chance, day = scored()
    inside = chosen(chance, day, 3)
    for one in range(12):
        alone = chosen(chance[day == one], day[day == one], 3)
        assert inside[day == one].tolist() == alone.tolist()


def test_without_a_limit_all_that_pay_are_contacted_with_days_or_without():
    _, chance, day = scored()
    pays = chance * 40 > 4
    assert chosen(chance, day, None).tolist() == pays.tolist()
    assert chosen(chance, None, None).tolist() == pays.tolist()


@pytest.mark.parametrize(
    ("days", "room", "text"),
    [(None, 5, "contacts_per_day_count is 5"), (np.zeros(3), 0, "gives 0"), (None, -1, "gives -1")],
)
def test_a_room_that_makes_no_sense_is_refused_with_the_way_out(days, room, text):
    with pytest.raises(InputError, match=text) as error:
        chosen(np.array([0.5, 0.4, 0.3]), days, room)
    assert "null" in str(error.value)


def test_with_another_aim_the_threshold_decides_and_profit_only_orders():
    chance = np.array([0.05, 0.04, 0.5])
    profit = thresholds.expected_profit(chance, 40, 4)
    choice = thresholds.Choice("recall", 0.05, "")
    inside = contacts.contacted(choice, chance, profit, np.zeros(3), 2)
    assert inside.tolist() == [True, False, True]
    inside = contacts.contacted(choice, chance, profit, np.zeros(3), 1)
    assert inside.tolist() == [False, False, True]


@given(chances, st.integers(1, 3))
def test_with_more_room_everybody_contacted_before_is_contacted_still(chance, days):
    day = np.arange(len(chance)) % days
    by_room = [chosen(chance, day, room) for room in range(1, 12)]
    for less, more in pairwise(by_room):
        assert (more >= less).all()


def test_room_for_more_than_pay_is_left_empty():
    _, chance, _ = scored()
    pays = chance * 40 > 4
    inside = chosen(chance, np.zeros(600), pays.sum() + 100)
    assert inside.tolist() == pays.tolist()


@pytest.mark.parametrize("day", [None, np.zeros(600)])
def test_when_contacts_are_free_everybody_with_a_chance_is_contacted(day):
    _, chance, _ = scored()
    assert chosen(chance, day, None, 40.0, 0.0).all()
    assert not chosen(np.zeros(3), None, None, 40.0, 0.0).any()


@pytest.mark.parametrize("aim", ["f1", "recall"])
@pytest.mark.parametrize(
    ("least", "inside"),
    [
        (0.5, [True, True, False]),
        (np.nextafter(0.5, 1), [True, False, False]),
        (0.3, [True, True, False]),
        (0.0, [True, True, True]),
        (1.5, [False, False, False]),
    ],
)
def test_a_threshold_contacts_those_at_it_and_above_and_nobody_if_above_all(aim, least, inside):
    chance = np.array([0.9, 0.5, 0.1])
    choice = thresholds.Choice(aim, least, "")
    assert contacts.contacted(choice, chance, chance - 1, None, None).tolist() == inside


def test_where_no_chance_is_worth_its_cost_nobody_is_contacted():
    won, chance, day = scored()
    inside = chosen(chance, day, 5, 4.0, 4.0)
    assert set(contacts.account(won, chance, inside, 4.0, 4.0).values()) == {0.0}


def test_a_frozen_threshold_is_applied_to_each_later_row_as_it_is():
    _, chance, _ = scored(seed=5)
    frozen = thresholds.Choice("f1", 0.25, "")
    inside = contacts.contacted(frozen, chance, chance * 40 - 4, None, None)
    fewer = contacts.contacted(frozen, chance[:50], chance[:50] * 40 - 4, None, None)
    assert inside.tolist() == (chance >= 0.25).tolist()
    assert fewer.tolist() == inside[:50].tolist()


# what it brought


@given(chances)
def test_the_account_of_a_threshold_is_the_curves_row_there(chance):
    won = (np.arange(len(chance)) % 3 == 0).astype(float)
    curve = thresholds.profit_curve(won, chance, 40.0, 4.0)
    for row in curve.to_dict("records"):
        found = contacts.account(won, chance, chance >= row["threshold"], 40.0, 4.0)
        f1 = found.pop("f1")
        assert found == pytest.approx({name: row[name] for name in found})
        both = row["precision"] + row["recall"]
        assert f1 == pytest.approx(2 * row["precision"] * row["recall"] / both if both else 0)


def test_each_row_brings_its_own_value_and_costs_its_own_contact():
    won, chance = np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.5, 0.5])
    value, cost = np.array([10.0, 100.0, 1000.0]), np.array([1.0, 2.0, 3.0])
    found = contacts.account(won, chance, np.array([True, True, False]), value, cost)
    assert found["profit_eur"] == 10 - 1 - 2
    assert found["expected_profit_eur"] == 5 + 50 - 1 - 2


@given(chances, st.integers(0, 30))
def test_no_other_list_expects_more_profit_than_those_that_pay(chance, cost):
    """Each contact above break-even adds to the expected profit, each one below takes away."""
    won = np.ones(len(chance))
    inside = chosen(chance, None, None, 20.0, cost)
    there = contacts.account(won, chance, inside, 20.0, cost)
    most = thresholds.profit_curve(won, chance, 20.0, cost)["expected_profit_eur"].max()
    assert there["expected_profit_eur"] == pytest.approx(max(0, most))


def test_nobody_contacted_is_zero_throughout():
    won, chance, _ = scored()
    found = contacts.account(won, chance, np.zeros(600, dtype=bool), 40.0, 4.0)
    assert set(found.values()) == {0.0}


# the frontier


@pytest.mark.parametrize("value", [40.0, np.linspace(10, 90, 600)])
def test_each_step_of_the_frontier_is_what_that_much_room_contacts(value):
    won, chance, day = scored()
    table = contacts.frontier(won, chance, value, 4.0, day, PROFIT)
    assert table["contacts_per_day_count"].tolist() == list(range(1, len(table) + 1))
    for row in table.to_dict("records"):
        inside = chosen(chance, day, row.pop("contacts_per_day_count"), value)
        found = contacts.account(won, chance, inside, value, 4.0)
        assert row == pytest.approx({name: found[name] for name in row})


def test_more_room_never_expects_less_profit_and_each_further_place_expects_less_than_the_last():
    won, chance, _ = scored()
    table = contacts.frontier(won, chance, 40.0, 4.0, np.zeros(600), PROFIT)
    gain = np.diff(np.r_[0, table["expected_profit_eur"]])
    assert (gain > 0).all()
    assert (np.diff(gain) <= 1e-9).all()


def test_the_frontier_ends_where_all_that_pay_are_contacted():
    won, chance, day = scored()
    last = contacts.frontier(won, chance, 40.0, 4.0, day, PROFIT).iloc[-1]
    pays = chance * 40 > 4
    assert last["contacts_count"] == pays.sum()
    assert last["wins_count"] == won[pays].sum()
    assert last["contacts_per_day_count"] == pd.Series(day[pays]).value_counts().max()


def test_rows_without_dates_stand_on_the_list_of_one_day():
    won, chance, _ = scored()
    undated = contacts.frontier(won, chance, 40.0, 4.0, None, PROFIT)
    one_day = contacts.frontier(won, chance, 40.0, 4.0, np.full(600, "monday"), PROFIT)
    pd.testing.assert_frame_equal(undated, one_day)
    assert undated["contacts_count"].tolist() == undated["contacts_per_day_count"].tolist()


def test_where_nothing_pays_the_frontier_is_empty():
    won, chance, day = scored()
    assert contacts.frontier(won, chance, 1.0, 4.0, day, PROFIT).empty


# F1 by rule


def drifted(seed, count=4000):
    """Chances that are true before and after, but wins become four times as frequent."""
    random = np.random.default_rng(seed)
    old, new = random.beta(1, 14, count), random.beta(1.6, 4, count)
    return (random.random(count) < old) * 1.0, old, (random.random(count) < new) * 1.0, new


@pytest.mark.parametrize("seed", range(5))
def test_under_a_shifted_base_rate_the_open_lists_threshold_beats_the_one_tuned_on_old_rows(seed):
    won_before, before, won, chance = drifted(seed)
    tuned = contacts.best_f1(won_before, before)
    table = contacts.f1_by_rule(won, chance, np.arange(4000) // 1000, tuned).set_index("rule")["f1"]
    assert table["threshold of each open list"] > table["best threshold of earlier rows"] + 0.01
    best = table["best single threshold, in hindsight"]
    assert table["threshold of each open list"] > best - 0.02


def test_no_single_threshold_has_more_f1_than_the_one_in_hindsight():
    won, chance, day = scored()
    chance = chance.round(2)
    table = contacts.f1_by_rule(won, chance, day, 0.2).set_index("rule")
    scores = [contacts.f1(won, chance >= least) for least in np.unique(chance)]
    assert table.loc["best single threshold, in hindsight", "f1"] == pytest.approx(max(scores))
    assert table.loc["best threshold of earlier rows", "contacts_count"] == np.sum(chance >= 0.2)


# cards


def test_cards_say_why_the_threshold_stands_there():
    won, chance, day = scored()
    choice = thresholds.choose("profit", chance, 40.0, 4.0)
    there = contacts.account(won, chance, chosen(chance, day, 3), 40.0, 4.0)
    cards = contacts.cards(choice, there)
    assert cards[0]["value"] == "10.0 %"
    assert "break-even" in cards[0]["note"]
    assert (
        cards[1]["note"]
        == f"{there['wins_count']:.0f} wins in {there['contacts_count']:.0f} contacts"
    )
    own = thresholds.choose("profit", chance, np.full(600, 40.0), 4.0)
    assert contacts.cards(own, there)[0]["value"] == "row by row"
    by_list = replace(own, aim="f1")
    assert contacts.cards(by_list, there)[0]["value"] == "list by list"
