"""Funnels: first touch, order, windows that are still open, and waits that are not over."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.files import InputError
from tierwise.funnels import steps as fu

AS_OF = pd.Timestamp("2026-03-01")
STEPS = ["visit", "trial", "order"]


def events(rows, lag_days=0):
    """(person, event, date) -> a table; known so many days after it occurred."""
    table = pd.DataFrame(rows, columns=["person_id", "event", "occurred_at"])
    table["occurred_at"] = pd.to_datetime(table["occurred_at"]).astype("datetime64[us]")
    return table.assign(known_at=table["occurred_at"] + pd.Timedelta(days=lag_days))


EVERY_STEP = [(99, step, "2020-01-01") for step in reversed(STEPS)]  # so that each occurs; no path


def paths(rows, window_days=30.0, as_of=AS_OF, **more):
    return fu.paths(events([*EVERY_STEP, *rows]), STEPS, window_days, as_of, **more).drop(
        99, errors="ignore"
    )


def test_the_worked_example_of_the_module_comes_out():
    rows = [(1, "visit", "2026-01-05"), (1, "visit", "2026-02-20"), (1, "trial", "2026-01-07")]
    found = paths([*rows, (1, "order", "2026-02-10")]).loc[1]
    assert found[["step_1_days", "step_2_days"]].tolist() == [0.0, 2.0]
    assert np.isnan(found["step_3_days"])
    assert not found["is_open"]


def test_steps_count_in_their_order_only():
    rows = [(1, "order", "2026-01-01"), (1, "visit", "2026-01-02"), (1, "order", "2026-01-03")]
    found = paths([*rows, (1, "trial", "2026-01-04")]).loc[1]
    assert found["step_2_days"] == 2.0
    assert np.isnan(found["step_3_days"])
    later = paths([*rows, (1, "trial", "2026-01-04"), (1, "order", "2026-01-09")]).loc[1]
    assert later["step_3_days"] == 7.0


def test_what_became_known_at_the_as_of_time_or_later_does_not_count():
    rows = [(1, "visit", "2026-01-02"), (1, "trial", "2026-01-10")]
    table = events([*EVERY_STEP, *rows], lag_days=5)
    before = fu.paths(table, STEPS, 60, pd.Timestamp("2026-01-15"))
    after = fu.paths(table, STEPS, 60, pd.Timestamp("2026-01-15 00:00:01"))
    assert np.isnan(before.loc[1, "step_2_days"])
    assert after.loc[1, "step_2_days"] == 8.0


def test_a_step_at_the_end_of_the_window_comes_too_late():
    rows = [(1, "visit", "2026-01-01"), (1, "trial", "2026-01-31")]
    assert np.isnan(paths(rows).loc[1, "step_2_days"])
    assert paths(rows, window_days=30.5).loc[1, "step_2_days"] == 30.0


def test_a_span_picks_people_by_their_first_entry_ever():
    rows = [(1, "visit", "2026-01-01"), (1, "visit", "2026-01-20"), (2, "visit", "2026-01-20")]
    found = paths(rows, start=pd.Timestamp("2026-01-10"), end=pd.Timestamp("2026-01-21"))
    assert found.index.tolist() == [2]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from(STEPS), st.integers(0, 90)), max_size=40),
    st.floats(0.5, 100),
)
def test_counts_never_rise_and_nobody_counts_twice(drawn, window_days):
    base = pd.Timestamp("2025-12-01")
    rows = [(who, step, base + pd.Timedelta(days=day)) for who, step, day in drawn]
    found = paths(rows, window_days=window_days)
    table = fu.conversion(found, STEPS)
    counts = table["people_count"].to_numpy()
    assert (np.diff(counts) <= 0).all()
    assert counts[0] + table["open_count"].iloc[0] == found.index.nunique() == len(found)
    taken = found[["step_1_days", "step_2_days", "step_3_days"]]
    assert (taken.diff(axis=1).iloc[:, 1:].fillna(0) >= 0).all(axis=None)
    assert not (taken["step_2_days"].isna() & taken["step_3_days"].notna()).any()


def journeys(seed=0, count=4000, half_life_days=10.0, ever=0.6):
    """People who enter evenly over a year; of them `ever` take a trial, after a wait."""
    random = np.random.default_rng(seed)
    entry = pd.Timestamp("2025-03-01") + pd.to_timedelta(random.uniform(0, 365, count), unit="D")
    wait = random.exponential(half_life_days / np.log(2), count)
    goes = random.random(count) < ever
    visits = pd.DataFrame({"person_id": np.arange(count), "event": "visit", "occurred_at": entry})
    trials = visits[goes].assign(
        event="trial", occurred_at=(entry + pd.to_timedelta(wait, unit="D"))[goes]
    )
    table = pd.concat([visits, trials], ignore_index=True)
    table["occurred_at"] = table["occurred_at"].astype("datetime64[us]")
    return table.assign(known_at=table["occurred_at"])


def test_counting_open_windows_as_failures_would_read_too_low():
    found = fu.paths(journeys(), STEPS[:2], 60.0, AS_OF)
    table = fu.conversion(found, STEPS[:2])
    naive = found["step_2_days"].notna().mean()
    true = 0.6 * (1 - 0.5**6)
    low, high = table["interval"].iloc[1]
    assert low < true < high
    assert naive < low
    assert found["is_open"].mean() > 0.1


def test_the_time_to_a_step_is_right_although_many_still_wait():
    # Everybody goes in the end, and half of those who entered have done so after 10 days.
    found = fu.paths(journeys(seed=1, ever=1.0), STEPS[:2], 400.0, AS_OF)
    assert found["is_open"].all()
    days, (low, high) = fu.median_wait(found, 2)
    assert low < 10.0 < high
    assert days == pytest.approx(10.0, abs=0.6)
    assert fu.reached(found, 2, np.array([10.0, 30.0]))["share"].to_numpy() == pytest.approx(
        [0.5, 0.875], abs=0.03
    )


def test_a_median_that_is_never_reached_is_infinite():
    found = fu.paths(journeys(ever=0.3), STEPS[:2], 90.0, AS_OF)
    assert fu.median_wait(found, 2)[0] == np.inf


def test_without_censoring_the_median_is_the_plain_one():
    waits = np.array([1.0, 2.0, 4.0, 7.0, 9.0])
    found = pd.DataFrame(
        {"is_open": False, "watched_days": 30.0, "step_1_days": 0.0, "step_2_days": waits}
    )
    assert fu.median_wait(found, 2)[0] == 4.0


def test_groups_are_those_of_the_people_and_small_ones_are_left_out():
    found = fu.paths(journeys(), STEPS[:2], 30.0, AS_OF)
    group = pd.Series(np.where(found.index % 2, "odd", "even"), found.index)
    group.iloc[:5] = "few"
    table = fu.by_group(found, STEPS[:2], group)
    assert table["group"].unique().tolist() == ["even", "odd"]
    whole = fu.conversion(found.iloc[5:], STEPS[:2])["people_count"]
    assert table.groupby("step", sort=False)["people_count"].sum().tolist() == whole.tolist()


@pytest.mark.parametrize(
    ("steps", "window_days", "says"),
    [
        (["visit"], 30, "two different steps"),
        (["visit", "visit"], 30, "two different steps"),
        (["visit", "trail"], 30, "trail never occurs; events are order, trial, visit"),
        (["visit", "trial"], 0, "longer than 0 days, found 0"),
    ],
)
def test_a_funnel_that_cannot_be_says_why(steps, window_days, says):
    with pytest.raises(InputError, match=says):
        fu.paths(events(EVERY_STEP), steps, window_days, AS_OF)
