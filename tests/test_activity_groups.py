"""Every person is in one state a day, moves on allowed edges, and flows explain every change."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_events import START, at, drawn, events
from tierwise.customers import activity_groups as ag
from tierwise.files import InputError
from tierwise.rhythm import Rhythm, expected_gap_days

RULES = ag.Settings()
END = at(300).normalize()


def lived(*days, person=1):
    return events(*[(person, "visit", day, 0) for day in days])


def states(rows, person=1, until=END):
    """State by day number of one person."""
    spells = ag.spells(rows, until)
    own = spells[spells["person_id"] == person]
    return {
        (day - START).days: state
        for state, first, last in zip(own["state"], own["first_day"], own["last_day"], strict=True)
        for day in pd.date_range(first, last)
    }


def day_by_day(days, until):
    """The same as a machine that lives through the days one at a time."""
    days, found, state, since, first = set(days), {}, None, None, min(days)
    active = []
    for day in range(first, until):
        silence = day - active[-1] if active else None
        if day in days:
            if state is None:
                state, since = "new", day
            elif state in ("quiet", "dormant"):
                state, since = (
                    ("returning", day) if silence >= RULES.silent_days else ("active", day)
                )
            active.append(day)
        gap = expected_gap_days(
            RULES.rhythm, np.array(len(active) - 1.0), np.array(active[-1] - first)
        )
        limit = max(int(np.floor(RULES.stretch * gap)), RULES.new_days)
        silence = day - active[-1]
        if state in ("new", "returning") and day - since >= RULES.new_days:
            state = "active"
        if state in ("active", "quiet") and silence > limit:
            state = "dormant" if silence >= max(RULES.dormant_days, limit + 1) else "quiet"
        found[day] = state
    return found


@settings(max_examples=60, deadline=None)
@given(days=st.sets(st.integers(0, 280), min_size=1, max_size=25))
def test_states_are_those_of_a_machine_that_lives_day_by_day(days):
    assert states(lived(*days)) == day_by_day(days, 300)


def test_the_worked_example():
    found = states(lived(0, 10, 20))
    assert [found[day] for day in (0, 6, 7, 52, 53, 109, 110)] == [
        "new", "new", "active", "active", "quiet", "quiet", "dormant",
    ]  # fmt: skip


def test_a_return_is_no_beginning_and_a_short_silence_no_return():
    long = states(lived(0, 10, 20, 200))
    assert (long[199], long[200], long[206], long[207]) == (
        "dormant",
        "returning",
        "returning",
        "active",
    )
    frequent = range(0, 60, 2)
    short = states(lived(*frequent, 70))
    assert (short[69], short[70]) == ("quiet", "active")
    row = ag.newly_active(ag.spells(lived(0, 10, 20, 200), END), at(203).normalize()).iloc[0]
    assert (row["state"], row["silent_days"], row["since"]) == ("returning", 180, at(200))


@pytest.mark.parametrize(("silence", "state"), [(27, "active"), (28, "returning")])
def test_four_weeks_of_silence_make_a_return(silence, state):
    assert states(lived(*range(0, 60, 2), 58 + silence))[58 + silence] == state


def everybody():
    rng = np.random.default_rng(5)
    parts = []
    for person in range(60):
        gaps = rng.exponential(rng.choice([1, 5, 20, 60]), 40)
        parts.append(lived(*np.floor(rng.uniform(0, 200) + np.cumsum(gaps)), person=person))
    return pd.concat(parts)


def test_everybody_is_in_exactly_one_state_on_every_day_since_the_first():
    rows = everybody()
    spells = ag.spells(rows, END)
    first = rows[rows["known_at"] < END].groupby("person_id")["occurred_at"].min().dt.floor("D")
    for _, own in spells.groupby("person_id"):
        assert (
            own["first_day"].iloc[1:].to_numpy() == own["last_day"].iloc[:-1].to_numpy() + ag.DAY
        ).all()
        assert own["first_day"].iloc[0] == first[own["person_id"].iloc[0]]
        assert own["last_day"].iloc[-1] == END - pd.Timedelta(days=1)
        moves = {*pairwise(["absent", *own["state"].astype("object")])}
        assert moves <= set(ag.EDGES)
    for day in (at(50), at(111), at(299)):
        assert ag.on_day(spells, day)["person_id"].tolist() == first[first <= day].index.tolist()


def test_flows_are_the_change_of_stocks_for_every_state_and_week():
    spells = ag.spells(everybody(), END)
    days = list(pd.date_range(at(0), at(299), freq="7D"))
    stocks, flows = ag.stocks(spells, days), ag.flows(spells, days)
    assert stocks.columns.tolist() == list(ag.STATES)
    for earlier, later in pairwise(days):
        week = flows[flows["day"] == later]
        for state in ag.STATES:
            came = week.loc[week["after"] == state, "count"].sum()
            went = week.loc[week["before"] == state, "count"].sum()
            assert came - went == stocks.loc[later, state] - stocks.loc[earlier, state]
    assert not (flows["after"] == ag.ABSENT).any()
    last = stocks.iloc[-1].sum()
    assert last == ag.on_day(spells, days[-1])["person_id"].nunique()


def test_the_future_changes_nothing_and_late_news_change_the_past():
    rows = drawn(300, people=8)
    then = ag.spells(rows, at(20))
    later = rows[rows["known_at"] >= at(20)].assign(person_id=3)
    assert ag.spells(pd.concat([rows, later]), at(20)).equals(then)
    late = events((99, "visit", 2, 30))
    assert 99 not in set(ag.spells(late, at(20))["person_id"])
    assert ag.spells(late, at(40))["first_day"].iloc[0] == at(2)


def test_regular_people_are_allowed_their_own_gaps():
    weekly, daily = states(lived(*range(0, 140, 7))), states(lived(*range(140)))
    assert sum(state == "active" for day, state in weekly.items() if day > 139) > sum(
        state == "active" for day, state in daily.items() if day > 139
    )
    assert ag.spells(lived(0), END, ag.Settings(rhythm=Rhythm(1.0, 5.0)))["state"].tolist() == [
        "new", "active", "quiet", "dormant",
    ]  # fmt: skip


def test_settings_and_times_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="must ascend"):
        ag.spells(lived(0), END, ag.Settings(new_days=30))
    with pytest.raises(InputError, match="must be a midnight"):
        ag.spells(lived(0), END + pd.Timedelta(hours=1))
    with pytest.raises(InputError, match="need the column known_at"):
        ag.spells(lived(0).drop(columns="known_at"), END)
    assert ag.spells(lived(0).iloc[:0], END).empty
