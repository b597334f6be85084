"""What the times are like is told from what was known strictly before, and from nothing else."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise import context

DAY = pd.Timedelta(days=1)
NAN = float("nan")
# As-of steps with ties, delays of 0 to 6, outcomes; a delay of None never ends.
rows_of_a_table = st.lists(
    st.tuples(
        st.integers(0, 3), st.one_of(st.none(), st.integers(0, 6)), st.sampled_from([0.0, 1.0])
    ),
    min_size=1,
    max_size=30,
)


def table(rows, dated=False):
    """as_of, known_at (missing: still open) and outcome of rows (step, delay, outcome)."""
    as_of = np.cumsum([step for step, _, _ in rows])
    waits = np.array([NAN if delay is None else delay for _, delay, _ in rows])
    found = pd.DataFrame({"as_of": as_of, "known_at": as_of + waits})
    if dated:
        found = pd.Timestamp("2026-01-01") + found.apply(pd.to_timedelta, unit="D")
    return found.assign(outcome=[won for _, _, won in rows])


def context_of(rows, **more):
    return context.columns(rows["as_of"], rows["known_at"], rows["outcome"].to_numpy(), **more)


def drifting(count=300, delay=5, seed=0):
    """Running numbers with an open end; the share of wins jumps in the middle."""
    random = np.random.default_rng(seed)
    won = (random.random(count) < np.where(np.arange(count) < count / 2, 0.2, 0.7)).astype(float)
    rows = pd.DataFrame({"as_of": np.arange(count), "known_at": np.arange(count) + delay})
    return rows.assign(outcome=won)


# by hand and by other means


def test_three_outcomes_by_hand():
    """The latest weighs 1, the one before 1/2^(1/n), the one before that 1/2^(2/n)."""
    rows = pd.DataFrame(
        {"as_of": [0, 1, 2, 3], "known_at": [0, 1, 2, 3], "outcome": [1.0, 0, 1, 0]}
    )
    found = context_of(rows)
    for name, count in zip(context.LEVELS, context.OUTCOME_COUNTS, strict=True):
        w = 0.5 ** (1 / count)
        expected = [NAN, 1.0, w / (1 + w), (1 + w**2) / (1 + w + w**2)]
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)


def test_without_a_delay_the_levels_are_pandas_ewm_of_the_rows_before():
    rows = drifting(delay=0)
    found = context_of(rows)
    for name, count in zip(context.LEVELS, context.OUTCOME_COUNTS, strict=True):
        expected = rows["outcome"].ewm(halflife=count).mean().shift()
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)


def slow_level(rows, row, count):
    """One cell by a loop over all rows."""
    now = rows["as_of"][row]
    known = [other for other in range(len(rows)) if rows["known_at"][other] < now]
    known.sort(key=lambda other: rows["known_at"][other])
    if not known:
        return NAN
    weights = [0.5 ** (back / count) for back in range(len(known))][::-1]
    return np.average(rows["outcome"][known], weights=weights)


def slow_arrivals(days, row, count):
    before = [other for other in range(row) if days[other] < days[row]][-count:]
    first = min([days[other] for other in before], default=days[row])
    return (len(before) + 1) / ((days[row] - first) / DAY + 1)


@settings(max_examples=25)
@given(rows_of_a_table, st.booleans())
def test_every_level_equals_a_loop_over_what_was_known(rows, dated):
    rows = table(rows, dated)
    found = context_of(rows)
    for name, count in zip(context.LEVELS, context.OUTCOME_COUNTS, strict=True):
        expected = [slow_level(rows, row, count) for row in range(len(rows))]
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)


@given(rows_of_a_table)
def test_arrivals_equal_a_loop_over_the_rows_before(rows):
    rows = table(rows, dated=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "ARRIVAL_COUNTS", (2, 5, 1000))
        found = context_of(rows)
    for name, count in zip(context.ARRIVALS, (2, 5, 1000), strict=True):
        expected = [slow_arrivals(rows["as_of"], row, count) for row in range(len(rows))]
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)


def test_arrivals_by_hand(monkeypatch):
    """Days 0, 0, 1, 3 with n = 2: a pair on one day, then two rows before it within 1 and 3 days."""
    monkeypatch.setattr(context, "ARRIVAL_COUNTS", (2, 200, 1000))
    rows = table([(0, 0, 0.0), (0, 0, 1.0), (1, 0, 0.0), (2, 0, 0.0)], dated=True)
    found = context_of(rows)
    assert found[context.ARRIVALS[0]].tolist() == [1.0, 1.0, 3 / 2, 3 / 4]
    assert found[context.ARRIVALS[1]].tolist() == [1.0, 1.0, 3 / 2, 4 / 4]


def test_a_steady_stream_arrives_at_its_own_pace():
    """Four rows a day: with n = 50 there are 51 in 12.5 days, and one day is added."""
    as_of = pd.Series(pd.date_range("2026-01-01", periods=400, freq="6h"))
    found = context.arrivals(as_of, as_of)["arrivals_per_day_50"]
    np.testing.assert_allclose(found[60:], 51 / 13.5)
    assert found[0] == 1.0


# nothing from later on


@settings(max_examples=25)
@given(rows_of_a_table, st.integers(0, 40), st.booleans())
def test_nothing_known_at_a_moment_or_later_changes_the_context_until_then(rows, edge, dated):
    rows = table(rows, dated)
    edge = rows["as_of"].iloc[min(edge, len(rows) - 1)]
    earlier, unknown = rows["as_of"] <= edge, ~(rows["known_at"] < edge)
    before = context_of(rows)[earlier]
    turned = rows.assign(outcome=rows["outcome"].where(~unknown, 1 - rows["outcome"]))
    pd.testing.assert_frame_equal(context_of(turned)[earlier], before)
    still_open = rows.assign(known_at=rows["known_at"].where(~unknown))
    pd.testing.assert_frame_equal(context_of(still_open)[earlier], before)
    step = DAY if dated else 1
    shifted = rows.assign(known_at=rows["known_at"] + 3 * step * unknown.astype(int))
    pd.testing.assert_frame_equal(context_of(shifted)[earlier], before)
    pd.testing.assert_frame_equal(context_of(rows[earlier]), before)


def test_an_outcome_that_was_known_does_change_the_context():
    """The counterpart: without it columns of zeros would pass the test above."""
    rows = drifting()
    before = context_of(rows)
    rows.loc[100, "outcome"] = 1 - rows.loc[100, "outcome"]
    after = context_of(rows)
    changed = (before != after) & before.notna()
    assert not changed[:106].any(axis=None)
    assert changed[106:].all(axis=None)


@pytest.mark.parametrize("dated", [False, True])
def test_an_outcome_known_at_the_very_moment_is_not_known_yet(dated):
    rows = table([(0, 2, 1.0), (2, None, 0.0), (1, None, 0.0)], dated)
    found = context_of(rows)[list(context.LEVELS)]
    assert found.isna().all(axis=1).tolist() == [True, True, False]
    assert (found.iloc[2] == 1.0).all()


@pytest.mark.parametrize("delay", [0, 7, 60])
def test_a_delay_shows_the_level_of_that_many_rows_earlier(delay):
    at_once, late = context_of(drifting(delay=0)), context_of(drifting(delay=delay))
    assert late[: delay + 1].isna().all(axis=None)
    np.testing.assert_array_equal(late[delay:], at_once[: 300 - delay])


@given(rows_of_a_table)
def test_in_which_order_a_file_lists_the_rows_of_one_instant_tells_no_arrivals(rows):
    """A file that lists the won ones first would give them away."""
    rows = table(rows, dated=True)
    turned = rows.sort_values(["as_of", "outcome"], ascending=[True, False])
    found = context.arrivals(turned["as_of"], turned["as_of"]).sort_index()
    pd.testing.assert_frame_equal(found, context.arrivals(rows["as_of"], rows["as_of"]))


# shapes and ends


def test_where_nothing_was_ever_known_there_is_no_level():
    rows = table([(1, None, 1.0)] * 5)
    assert context_of(rows).isna().all(axis=None)


def test_running_numbers_have_levels_only_and_arrivals_if_days_are_given():
    rows = drifting()
    assert list(context_of(rows)) == list(context.LEVELS)
    days = pd.Series(pd.date_range("2026-01-01", periods=300, freq="h"))
    both = context_of(rows, days=days)
    assert list(both) == list(context.NAMES)
    dated = rows.assign(as_of=days, known_at=days + pd.Timedelta(hours=5))
    pd.testing.assert_frame_equal(context_of(dated), both)


def test_columns_are_float32_under_the_rows_own_index_and_the_input_stays():
    rows = drifting().set_axis(range(7, 307))
    before = rows.copy()
    found = context_of(rows)
    assert found.index.equals(rows.index)
    assert set(found.dtypes) == {np.dtype("float32")}
    assert ((found[5:] > 0) & (found[5:] < 1))[10:].all(axis=None)
    pd.testing.assert_frame_equal(rows, before)


def test_the_shorter_memory_follows_a_jump_sooner():
    found = context_of(drifting(delay=0)).iloc[200]
    assert found["wins_share_last_25"] > found["wins_share_last_100"] > found["wins_share_last_400"]


def test_the_rate_is_one_of_the_columns():
    assert context.RATE in context.LEVELS
    assert len(set(context.NAMES)) == len(context.OUTCOME_COUNTS) + len(context.ARRIVAL_COUNTS)
