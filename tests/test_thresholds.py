"""A contact pays from cost / value up, each aim has its threshold, equals are treated as equals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise import contacts, thresholds
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


# room


@pytest.mark.parametrize("dated", [True, False])
def test_no_limit_needs_no_days(dated):
    thresholds.check_room(dated, None)


def test_room_for_part_of_a_contact_is_room():
    thresholds.check_room(True, 0.5)


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("count", [0, -5])
def test_a_day_without_any_contact_is_refused(dated, count):
    with pytest.raises(InputError, match=f"above 0, params.yaml gives {count}; null means no"):
        thresholds.check_room(dated, count)


def test_so_many_a_day_without_days_is_refused_with_the_way_out():
    with pytest.raises(InputError, match="contacts_per_day_count is 120") as error:
        thresholds.check_room(False, 120)
    assert "null in params.yaml" in str(error.value)


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


def test_when_contacts_are_free_no_further_one_costs_profit():
    won, chance = scored()
    curve = thresholds.profit_curve(won, chance, 40, 0)
    assert curve["profit_eur"].is_monotonic_increasing


def test_without_a_win_recall_is_zero_and_profit_is_the_cost():
    curve = thresholds.profit_curve(np.zeros(4), np.array([0.4, 0.3, 0.2, 0.1]), 40, 4)
    assert curve["recall"].tolist() == [0, 0, 0, 0]
    assert curve["profit_eur"].tolist() == [-4, -8, -12, -16]


# money by row


@given(chances)
def test_with_one_value_and_one_cost_a_row_pays_exactly_above_the_break_even_chance(chance):
    profit = thresholds.expected_profit(chance, 32.0, 8.0)
    assert (profit > 0).tolist() == (chance > thresholds.break_even(32.0, 8.0)).tolist()


def test_each_row_has_its_own_break_even_chance():
    value, cost = np.array([40.0, 400.0, 8.0]), np.array([4.0, 4.0, 8.0])
    assert thresholds.break_even(value, cost).tolist() == [0.1, 0.01, 1.0]
    assert thresholds.break_even(value, 4.0).tolist() == [0.1, 0.01, 0.5]
    chance = np.array([0.05, 0.05, 0.9])
    np.testing.assert_allclose(thresholds.expected_profit(chance, value, cost), [-2, 16, -0.8])


def test_a_row_that_is_worth_nothing_is_never_worth_a_contact_and_stops_nobody():
    value, chance = np.array([40.0, 0.0, 40.0]), np.array([0.5, 0.99, 0.05])
    assert thresholds.break_even(value, 4.0).tolist() == [0.1, np.inf, 0.1]
    for cost in (4.0, 0.0):
        profit = thresholds.expected_profit(chance, value, cost)
        choice = thresholds.choose("profit", chance, value, cost)
        assert not contacts.wanted(choice, chance, profit)[1]
    aims = thresholds.by_aim(chance, np.zeros(3), 4.0, 0.8)
    assert aims["profit"] == 1.0


@pytest.mark.parametrize(("value", "cost"), [(None, 4.0), (40.0, None), (0.0, 4.0), (40.0, -1.0)])
def test_one_value_or_cost_that_is_missing_or_wrong_is_named(value, cost):
    with pytest.raises(InputError, match=f"params.yaml gives {value} and {cost}"):
        thresholds.break_even(value, cost)


@pytest.mark.parametrize("wrong", [-3.0, np.nan, np.inf])
def test_the_first_row_without_a_usable_value_is_named_with_the_way_out(wrong):
    with pytest.raises(
        InputError, match=f"2 rows break this, the first is row 1 with {wrong}"
    ) as e:
        thresholds.break_even(np.array([40.0, wrong, 40.0, wrong]), 4.0)
    assert "median of the deals won" in str(e.value)


@given(chances)
def test_an_array_of_one_value_gives_the_curve_of_that_value(chance):
    won = (np.arange(len(chance)) % 3 == 0).astype(float)
    one = thresholds.profit_curve(won, chance, 40.0, 4.0)
    other = thresholds.profit_curve(won, chance, np.full(len(chance), 40.0), 4.0)
    np.testing.assert_allclose(one, other)


def test_where_values_differ_the_curve_expects_the_most_it_can_from_every_number_of_contacts():
    random = np.random.default_rng(0)
    chance, value = random.random(9).round(1), random.integers(1, 9, 9) * 10.0
    curve = thresholds.profit_curve(np.ones(9), chance, value, 4.0)
    profit = np.sort(chance * value - 4)[::-1]
    for row in curve.itertuples():
        assert row.expected_profit_eur == pytest.approx(profit[: row.contacts_count].sum())


# aims


@given(chances)
def test_the_expected_f1_is_that_of_every_threshold_tried_one_by_one(chance):
    table = thresholds.expected_f1(chance)
    tried = {
        least: 2 * chance[chance >= least].sum() / ((chance >= least).sum() + chance.sum())
        for least in np.unique(chance)
    }
    assert dict(zip(table["threshold"], table["f1"], strict=True)) == pytest.approx(tried)
    choice = thresholds.choose("f1", chance, 40, 4)
    assert tried[choice.threshold] == pytest.approx(max(tried.values()))


@given(chances)
def test_the_f1_threshold_is_half_the_f1_it_reaches(chance):
    """Lipton, Elkan and Naryanaswamy 2014: the best list holds whoever has a chance of at least
    half the best F1, so it is the border between the last one in and the first one out."""
    table = thresholds.expected_f1(chance)
    threshold = thresholds.choose("f1", chance, 40, 4).threshold
    half = table["f1"].max() / 2
    assert threshold >= half - 1e-12
    assert (chance[chance < threshold] <= half + 1e-12).all()


def test_the_approximation_finds_the_list_with_the_highest_exact_expected_f1():
    """Exact: the mean F1 over all 2^n outcomes of n independent rows (Jansche 2007)."""
    random = np.random.default_rng(0)
    for _ in range(20):
        chance = np.sort(random.beta(1, 2, 10))[::-1]
        outcomes = (np.arange(2**10)[:, None] >> np.arange(10)) & 1
        weight = np.prod(np.where(outcomes, chance, 1 - chance), axis=1)
        exact = [
            float(weight @ (2 * outcomes[:, :k].sum(1) / (k + outcomes.sum(1))))
            for k in range(1, 11)
        ]
        count = np.sum(chance >= thresholds.choose("f1", chance, 40, 4).threshold)
        assert exact[count - 1] >= max(exact) - 0.01


@given(chances, st.floats(0.01, 1))
def test_the_recall_list_is_the_shortest_that_is_expected_to_hold_the_share(chance, share):
    threshold = thresholds.choose("recall", chance, 40, 4, share).threshold
    held = chance[chance >= threshold].sum() / chance.sum()
    assert held >= share - 1e-8
    assert chance[chance > threshold].sum() / chance.sum() < share


def test_the_recall_expected_comes_true_where_chances_are_true():
    won, chance = scored(20_000)
    choice = thresholds.choose("recall", chance, 40, 4, 0.8)
    inside = chance >= choice.threshold
    assert won[inside].sum() / won.sum() == pytest.approx(0.8, abs=0.02)
    assert f"{won[inside].mean():.0%} of the contacts" in choice.why


def test_more_recall_costs_precision():
    _, chance = scored()
    table = thresholds.expected_f1(chance)
    assert table["recall"].is_monotonic_increasing
    assert table["precision"].is_monotonic_decreasing
    assert table.iloc[-1]["recall"] == 1.0


def test_the_f1_list_of_rows_that_are_all_alike_is_all_of_them():
    choice = thresholds.choose("f1", np.full(50, 0.03), 40, 4)
    assert choice.threshold == 0.03


def test_the_aim_of_profit_is_the_break_even_chance_for_one_row_or_for_each():
    _, chance = scored()
    assert thresholds.choose("profit", chance, 40, 4).threshold == 0.1
    own = thresholds.choose("profit", chance[:2], np.array([40.0, 8.0]), 4)
    assert own.threshold.tolist() == [0.1, 0.5]
    assert "each row's own" in own.why


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        (
            {"aim": "accuracy"},
            "aim must be one of profit, f1, recall; params.yaml gives 'accuracy'",
        ),
        (
            {"aim": "recall", "recall_share": 0},
            "recall_share must be above 0 and at most 1, .* gives 0",
        ),
        ({"aim": "recall", "recall_share": 80}, "gives 80; 0.8 looks for four wins in five"),
        ({"aim": "f1", "chance": np.array([])}, "aim is f1, which needs an open list"),
        ({"aim": "profit", "value_per_win_eur": 0}, "value_per_win_eur must be above 0"),
    ],
)
def test_an_aim_that_makes_no_sense_is_refused_by_value_with_the_way_out(given_, text):
    usual = {"aim": "f1", "chance": np.array([0.5]), "value_per_win_eur": 40}
    with pytest.raises(InputError, match=text):
        thresholds.choose(**usual | given_, cost_per_contact_eur=4)


def test_a_list_without_any_chance_is_chosen_from_without_failing():
    for aim in thresholds.AIMS:
        assert np.isfinite(thresholds.choose(aim, np.zeros(5), 40, 4).threshold)


# one number or many


@pytest.mark.parametrize("aim", thresholds.AIMS)
def test_a_threshold_that_is_the_same_for_all_rows_is_a_single_one(aim):
    _, chance = scored()
    choice = thresholds.choose(aim, chance, 40, 4)
    assert choice.single() == choice.threshold
    assert type(choice.single()) is float


def test_a_threshold_row_by_row_is_no_single_one():
    _, chance = scored()
    own = np.full(len(chance), 40.0)
    assert thresholds.choose("profit", chance, own, 4).single() is None
    assert thresholds.choose("f1", chance, own, 4).single() is not None


def test_free_contacts_have_the_single_threshold_of_zero():
    assert thresholds.choose("profit", np.array([0.5]), 40, 0).single() == 0.0


@given(chances, st.floats(0.05, 1))
def test_by_aim_puts_each_threshold_where_choosing_that_aim_does(chance, share):
    found = thresholds.by_aim(chance, 40, 4, share)
    assert list(found) == list(thresholds.AIMS)
    for aim, least in found.items():
        assert least == thresholds.choose(aim, chance, 40, 4, share).threshold
    assert found["recall"] >= chance.min()


def test_where_rows_have_their_own_the_middle_one_stands_for_the_aim_of_profit():
    value = np.array([400.0, 40.0, 8.0])
    found = thresholds.by_aim(np.array([0.5, 0.4, 0.3]), value, 4, 0.8)
    assert found["profit"] == 0.1
    assert {type(least) for least in found.values()} == {float}


# money by column


EUROS = pd.DataFrame(
    {
        "value": np.array([100, np.nan, 300, 700], "float32"),
        "debt": [1.0, -2.0, 3.0, -4.0],
        "endless": [1.0, np.inf, 3.0, 4.0],
        "none": [np.nan] * 4,
        "stage": ["new", "demo", "new", "demo"],
    }
)


@pytest.mark.parametrize("number", [40, 0.0, 2.5])
def test_a_number_is_the_same_for_all_rows(number):
    assert thresholds.money(number, EUROS, "value_per_win_eur") == number
    assert thresholds.typical(number) == number


def test_a_column_gives_each_row_its_own_and_the_typical_one_stands_in_where_it_is_missing():
    value = thresholds.money("value", EUROS, "value_per_win_eur")
    assert value.tolist() == [100, 300, 300, 700]
    assert value.dtype == np.float64
    assert thresholds.typical(value) == 300


def test_what_stands_in_on_later_rows_comes_from_the_earlier_ones():
    """Else a row's value would depend on rows that come after it."""
    earlier = thresholds.typical(thresholds.money("value", EUROS[:3], "value_per_win_eur"))
    later = [
        thresholds.money("value", rows, "value_per_win_eur", missing_eur=earlier)[1]
        for rows in (EUROS, EUROS.assign(value=[1e6, np.nan, 1e6, 1e6]))
    ]
    assert later == [earlier, earlier]
    empty = thresholds.money("none", EUROS, "value_per_win_eur", missing_eur=earlier)
    assert empty.tolist() == [earlier] * 4


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ("valuw", "is not among the features. Columns of numbers: value, debt, endless, none"),
        ("stage", "holds no numbers. Columns of numbers: value, debt"),
        ("debt", "must hold 0 or more euros; 2 rows break this, the first holds -2"),
        ("endless", "1 rows break this, the first holds inf"),
        ("none", "is empty in these 4 rows"),
    ],
)
def test_a_column_that_holds_no_euros_is_one_message(column, says):
    with pytest.raises(InputError, match=f"cost_per_contact_eur is the column '{column}'.*{says}"):
        thresholds.money(column, EUROS, "cost_per_contact_eur")


def test_money_by_row_gives_the_break_even_of_each_row():
    value = thresholds.money("value", EUROS, "value_per_win_eur")
    least = thresholds.break_even(value, 30)
    assert least.tolist() == pytest.approx([0.3, 0.1, 0.1, 3 / 70])


def test_later_money_is_value_then_cost_as_they_were_chosen():
    chosen = {"cost_per_contact_eur": 4, "value_per_win_eur": 40, "typical_eur": [40.0, 4.0]}
    assert thresholds.later_money(chosen, EUROS) == [40, 4]


def test_later_money_that_is_missing_is_the_typical_one_of_its_own_role():
    """Value and cost can be columns both: each has its own figure, in the order of MONEY."""
    chosen = {"value_per_win_eur": "value", "cost_per_contact_eur": "none"}
    value, cost = thresholds.later_money(chosen | {"typical_eur": [250.0, 7.0]}, EUROS)
    assert thresholds.MONEY == ("value_per_win_eur", "cost_per_contact_eur")
    assert value.tolist() == [100, 250, 300, 700]
    assert cost.tolist() == [7] * 4


def test_later_money_of_a_column_that_went_away_names_the_parameter():
    chosen = {"value_per_win_eur": 40, "cost_per_contact_eur": "fee", "typical_eur": [40.0, 4.0]}
    with pytest.raises(InputError, match="cost_per_contact_eur is the column 'fee', which is not"):
        thresholds.later_money(chosen, EUROS)


# later rows


def picked(aim, threshold=0.2, **others):
    told = {"aim": aim, "threshold": threshold, "why": "as before", "recall_share": 0.8}
    return told | others


def test_the_break_even_of_earlier_rows_is_that_of_later_ones():
    _, chance = scored()
    found = thresholds.later(picked("profit", 0.1), chance, np.zeros(len(chance)), 40.0, 4.0)
    assert (found.threshold, found.why) == (0.1, "as before")
    own = thresholds.later(
        picked("profit", None), chance[:3], np.zeros(3), np.array([5.0, 10, 20]), 1.0
    )
    assert own.threshold.tolist() == pytest.approx([0.2, 0.1, 0.05])


@pytest.mark.parametrize("aim", ["f1", "recall"])
def test_each_later_list_has_the_threshold_that_its_own_chances_ask_for(aim):
    """Lists that lie mixed among each other; that of earlier rows plays no part."""
    _, chance = scored()
    lists = np.arange(len(chance)) % 3
    chance = chance / (1 + lists)
    found = thresholds.later(picked(aim, 0.99), chance, lists, 40.0, 4.0)
    for name in range(3):
        own = thresholds.choose(aim, chance[lists == name], 40.0, 4.0, 0.8).threshold
        assert set(found.threshold[lists == name]) == {own}
    assert len(set(found.threshold)) == 3
    assert "each open list's own" in found.why
