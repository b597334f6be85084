"""Customers as they were known at an as-of time, and the four kinds that were put among them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from tierwise.customer_tables import COMMUNITIES
from tierwise.segments import columns as segment_columns
from tierwise.segments import find as sg
from tierwise.segments import mixtures
from tierwise.segments import moves as sm
from tierwise.segments import people as people_of
from tierwise.segments import plan as segment_plan
from tierwise.segments import value as sv
from tierwise.simulation import customer_kinds, customer_world
from tierwise.simulation.customer_settings import CustomerSettings

DID = ["visit", "search", "save", "share", "add_to_cart", "review", "message_sent", "invite"]
AS_OF = pd.Timestamp("2024-12-01")
COUNT = len(customer_kinds.SEGMENTS)


@pytest.fixture(scope="module")
def world():
    return customer_world.draw(CustomerSettings(people_count=1200, separation=1.1))


def at(tables, as_of):
    return people_of.people_at(tables, as_of, COMMUNITIES, DID)


@pytest.fixture(scope="module")
def found(world):
    """People, and their segments in a mixture of four."""
    people, named = at(world[0], AS_OF), people_of.columns(COMMUNITIES, DID)
    plan = segment_plan.planned(people, named.numbers, named.categories, named.blocks)
    fitted = mixtures.fit(segment_columns.prepared(people, plan), COUNT, start_count=10)
    return people, sg.Segmentation(plan, fitted.mixture, tuple(range(1, COUNT + 1)))


def true_segments(world, as_of):
    rows = world[1]["segments"]
    rows = rows[~(rows["changed_at"] >= as_of)].sort_values("changed_at", na_position="first")
    return rows.drop_duplicates("person_id", keep="last").set_index("person_id")["segment"]


def test_the_future_changes_nothing(world):
    tables = world[0]
    cut = {name: table[table["known_at"] < AS_OF] for name, table in tables.items()}
    pd.testing.assert_frame_equal(at(cut, AS_OF), at(tables, AS_OF))


def test_rows_that_came_twice_count_once(world):
    tables = dict(world[0])
    for name in ("customer_events", "purchases", "memberships"):
        tables[name] = pd.concat([tables[name], tables[name].head(500)])
    pd.testing.assert_frame_equal(at(tables, AS_OF), at(world[0], AS_OF))


def test_the_middle_hour_of_people_around_midnight_is_midnight():
    times = pd.to_datetime(["2024-11-20 23:00", "2024-11-21 01:00"]).astype("datetime64[us]")
    events = pd.DataFrame({"event_id": ["a", "b"], "person_id": 1, "event": "visit"})
    events = events.assign(occurred_at=times, known_at=times)
    people = people_of.behaviour(events, pd.Index([1, 2]), ["visit"], AS_OF, 180)
    assert min(people.loc[1, "hour"], 24 - people.loc[1, "hour"]) < 0.01
    assert people.loc[1, "active_days_count"] == 2
    assert np.isnan(people.loc[2, "hour"])
    assert people.loc[2, "did_visit"] == 0


def test_the_planted_segments_are_found_and_their_best_channels(world, found):
    people, segmentation = found
    truth = true_segments(world, AS_OF).reindex(people.index)
    assigned = sg.assigned(sg.chances(people, segmentation))
    assert adjusted_rand_score(truth, assigned["likeliest"]) > 0.6
    assert segmentation.plan.left_out["country"] == "follows from city"
    touches = world[0]["touches"]
    channels = sv.channels(touches[touches["known_at"] < AS_OF], assigned["segment"])
    best = channels[channels["is_suggested"]].set_index("segment")["channel"]
    kind = pd.crosstab(assigned["segment"], truth).drop(index=sg.BETWEEN).idxmax(axis=1)
    expected = dict(
        zip(customer_kinds.SEGMENTS, ("push", "sms", "advertisement", "mail"), strict=True)
    )
    assert best.to_dict() == kind.map(expected).to_dict()


def test_in_no_month_more_than_ten_percent_move(world, found):
    _, segmentation = found
    dates = pd.date_range(end=AS_OF, periods=5, freq="30D")
    before, shares = None, []
    for date in dates:
        now = sm.held(sg.chances(at(world[0], date), segmentation), before)["segment"]
        if before is not None:
            shares.append(sm.moved(before, now)["moved_share"])
        before = now
    assert max(shares) <= 0.10
