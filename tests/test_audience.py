"""Weekly activity: flows that add up to stocks, shares with their denominators."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.funnels import audience as au

MONDAY = pd.Timestamp("2026-01-05")
AS_OF = MONDAY + pd.Timedelta(weeks=10)


def events(rows, lag_days=0):
    """(person, days after the first Monday) or (person, days, event)."""
    rows = [(*row, "visit")[:3] for row in rows]
    table = pd.DataFrame(rows, columns=["person_id", "day", "event"])
    at = (MONDAY + pd.to_timedelta(table.pop("day"), unit="D")).astype("datetime64[us]")
    return table.assign(occurred_at=at, known_at=at + pd.Timedelta(days=lag_days))


def test_one_person_is_new_returns_goes_dormant_and_is_resurrected():
    found = au.weekly(events([(1, 0), (1, 6.9), (1, 7), (1, 28), (2, 35)]), AS_OF)
    assert found["active_count"].tolist() == [1, 1, 0, 0, 1, 1]
    assert found["new_count"].tolist() == [1, 0, 0, 0, 0, 1]
    assert found["returning_count"].tolist() == [0, 1, 0, 0, 0, 0]
    assert found["resurrected_count"].tolist() == [0, 0, 0, 0, 1, 0]
    assert found["dormant_count"].tolist() == [0, 0, 1, 0, 0, 1]
    assert found["quick_ratio"].tolist()[2] == 0.0
    assert found["quick_ratio"].tolist()[5] == 1.0
    assert np.isnan(found["quick_ratio"][0])
    assert found["is_first"].tolist() == [True] + 5 * [False]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 75)), min_size=1, max_size=60))
def test_flows_are_the_change_of_stocks(rows):
    found = au.weekly(events(rows), AS_OF)
    active = found["active_count"]
    now = found[["new_count", "returning_count", "resurrected_count"]].sum(axis=1)
    assert (now == active).all()
    before = found["returning_count"] + found["dormant_count"]
    assert (before == active.shift(fill_value=0)).all()
    seen = {who for who, day in rows if day < 70}
    assert found["new_count"].sum() == len(seen)


def test_a_week_that_is_not_over_and_what_was_not_known_do_not_count():
    table = events([(1, 0), (2, 70), (3, 66)], lag_days=5)
    found = au.weekly(table, AS_OF + pd.Timedelta(days=3))
    assert found["active_count"].sum() == 2
    assert au.weekly(table, AS_OF)["active_count"].sum() == 1
    assert au.weekly(table, MONDAY).empty


def test_awareness_has_its_denominator_and_counts_the_others_apart():
    table = events([(1, 0), (2, 7), (2, 14), (9, 7)])
    found, others = au.awareness(table, pd.Index([1, 2, 3, 4]), AS_OF)
    assert found["reached_count"].tolist() == [1, 2, 2]
    assert found["share"].tolist() == [0.25, 0.5, 0.5]
    assert others == 1
    low, high = np.array(found["interval"].tolist()).T
    assert ((low < found["share"]) & (found["share"] < high)).all()


def test_kinds_of_activity_count_people_once_and_events_each_time():
    rows = [
        (1, 60, "search"),
        (1, 61, "search"),
        (1, 62, "order"),
        (2, 63, "search"),
        (3, 1, "order"),
    ]
    found = au.kinds(events(rows), AS_OF, 30).set_index("event")
    assert found.index.tolist() == ["search", "order"]
    assert found["people_count"].tolist() == [2, 1]
    assert found["people_share"].tolist() == [1.0, 0.5]
    assert found["events_count"].tolist() == [3, 1]
    assert found["events_per_person"].tolist() == [1.5, 1.0]
    assert found["alone_share"].tolist() == pytest.approx([0.5, 0.0])
