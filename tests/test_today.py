"""Whose turn it is: by what a contact brings, as far as a day has room, and by lot where drawn."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scored_project import contact
from tierwise import contacts, exploration, thresholds
from tierwise.calls import batch as call_batch
from tierwise.calls import today

HELD_OUT, DRAWN = call_batch.HOLDOUT, call_batch.EXPLORATION
NOW = pd.Timestamp("2026-11-26 09:00")


def hour_of(chance, owner="7", flag="", value_eur=10.0, cost_eur=1.0):
    """Rows of an hour in the order of their chance, on their places."""
    chance = np.sort(np.asarray(chance, dtype=float))[::-1]
    rows = pd.DataFrame({"chance": chance, "owner_id": owner, "flag": flag})
    rows["place"] = np.where(rows["flag"] == HELD_OUT, 0, (rows["flag"] != HELD_OUT).cumsum())
    return rows.assign(
        expected_profit_eur=chance * value_eur - cost_eur, scored_at=NOW, last_touch_at=pd.NaT
    )


def marked(rows, **asked):
    return today.turns(rows, contact(**asked), 7.0) == call_batch.TURN


@given(
    st.lists(st.tuples(st.floats(0.01, 0.99), st.sampled_from("789")), min_size=1, max_size=40),
    st.none() | st.integers(1, 12),
    st.sampled_from(thresholds.AIMS),
)
def test_without_draws_the_marked_are_those_of_the_threshold_page(deals, room, aim):
    chance, owner = zip(*deals, strict=True)
    rows = hour_of(chance, owner)
    p, profit = rows["chance"].to_numpy(), rows["expected_profit_eur"].to_numpy()
    choice = thresholds.choose(aim, p, 10.0, 1.0, 0.8)
    expected = contacts.contacted(choice, p, profit, np.zeros(len(p)), room)
    assert marked(rows, aim=aim, contacts_per_day_count=room).tolist() == expected.tolist()


@given(st.data())
def test_no_list_has_more_turns_than_by_merit_and_the_holdout_has_none(data):
    count = data.draw(st.integers(1, 40))
    several = {"min_size": count, "max_size": count}
    chance = data.draw(st.lists(st.floats(0.01, 0.99), **several))
    owner = data.draw(st.lists(st.sampled_from(["7", "8", None]), **several))
    flag = data.draw(st.lists(st.sampled_from(["", "", DRAWN, HELD_OUT]), **several))
    rows = hour_of(chance, owner, flag)
    room = data.draw(st.none() | st.integers(1, 12))
    found = marked(rows, contacts_per_day_count=room)
    merit = marked(rows.assign(flag=rows["flag"].replace(DRAWN, "")), contacts_per_day_count=room)
    assert not found[rows["flag"] == HELD_OUT].any()
    assert found.sum() <= (room or count)
    names = rows["owner_id"].fillna("")
    for name in names.unique():
        own = (names == name).to_numpy()
        assert found[own].sum() <= merit[own].sum()
        drawn = own & (rows["flag"] == DRAWN).to_numpy()
        among = rows["place"].where(own & (rows["flag"] != HELD_OUT)).rank() <= merit[own].sum()
        assert found[drawn].tolist() == among[drawn].tolist()


def test_what_is_worth_more_comes_first_where_a_day_has_little_room():
    rows = hour_of([0.5, 0.4, 0.3]).assign(expected_profit_eur=[1.0, 3.0, 2.0])
    assert marked(rows, contacts_per_day_count=2).tolist() == [False, True, True]


def test_over_many_lots_a_drawn_deal_has_its_turn_as_often_as_the_list_has_turns():
    """30 of 100: the last deal, which would never have a turn by merit, has one in 30 % of draws.

    All 30 turns are given, for others that are worth one move up.
    """
    last, turns_count = [], []
    rows = hour_of(np.linspace(0.9, 0.05, 100)).assign(deal_id=range(100), rank=range(1, 101))
    for number in range(1500):
        order = exploration.order(rows, pd.Timestamp(0), 0.2, f"salt {number}", 0.3)
        drawn = np.where(order["explored"], DRAWN, "")
        found = marked(rows.assign(place=order["rank"], flag=drawn), contacts_per_day_count=30)
        turns_count.append(found.sum())
        if order["explored"].iloc[-1]:
            last.append(found[-1])
    assert len(last) > 200
    assert np.mean(last) == pytest.approx(0.30, abs=0.09)  # three standard errors
    assert set(turns_count) == {30}


def test_a_card_that_tells_no_money_marks_nobody_and_says_nothing():
    rows = hour_of([0.5, 0.4]).assign(expected_profit_eur=np.nan)
    older = {"aim": "profit", "recall_share": 0.8}
    assert today.turns(rows, older, 7.0).tolist() == ["", ""]
    assert today.why(older, 7.0) == today.why({}, 7.0) == ""


def test_who_was_contacted_in_the_days_before_makes_room_for_others():
    ago = pd.Series([30, 80, 24 * 7 + 1, np.nan, np.nan, 24 * 30])
    rows = hour_of([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    rows["last_touch_at"] = NOW - pd.to_timedelta(ago, unit="h")
    found = marked(rows, contacts_per_day_count=3)
    assert found.tolist() == [False, False, True, True, True, False]
    assert marked(rows).tolist() == [False, False, True, True, True, True]


def test_a_turn_that_was_taken_today_goes_to_nobody_else():
    """Whoever was contacted since midnight out of turn takes no turn from those who have one."""
    rows = hour_of([0.9, 0.8, 0.7, 0.6])
    rows.loc[[0, 3], "last_touch_at"] = NOW - pd.Timedelta(hours=9)
    assert marked(rows, contacts_per_day_count=2).tolist() == [False, True, False, False]
    yesterday = rows.assign(last_touch_at=rows["last_touch_at"] - pd.Timedelta(minutes=1))
    assert marked(yesterday, contacts_per_day_count=2).tolist() == [False, True, True, False]


@pytest.mark.parametrize("aim", thresholds.AIMS)
def test_as_a_day_is_worked_off_no_more_deals_are_marked_than_it_has_room_for(aim):
    random = np.random.default_rng(0)
    rows = hour_of(random.uniform(0.02, 0.9, 200), random.choice(list("789"), 200))
    ever = np.zeros(200, dtype=bool)
    for hour in range(9):
        rows["scored_at"] = NOW + pd.Timedelta(hours=hour)
        now = marked(rows, aim=aim, contacts_per_day_count=30)
        ever |= now
        called = np.flatnonzero(now)[:5]
        rows.loc[called, "last_touch_at"] = NOW + pd.Timedelta(hours=hour, minutes=30)
    assert ever.sum() == 30
    assert now.sum() == 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "a contact is expected to bring more than it costs"),
        ({"aim": "recall", "recall_share": 0.9}, "expected to hold 90 % of all wins"),
        ({"aim": "f1"}, "highest expected F1"),
        ({"contacts_per_day_count": 1200}, "on all lists, the 1,200 a day that bring most"),
        ({"contacts_per_day_count": 1.5}, "the 1.5 a day"),
        ({}, "none that was contacted in the last 7 days"),
    ],
)
def test_a_mark_says_what_it_means(asked, said):
    assert said in today.why(contact(**asked), 7.0)
