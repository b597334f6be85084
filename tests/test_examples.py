"""Nothing is learned from the future: spans and periods cut by as-of time and by when we knew."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tierwise import examples as ex
from tierwise.files import InputError


def numbered(as_of, delay=0, outcome=None):
    """Examples in as-of order, each outcome known `delay` after its as-of time."""
    as_of = pd.Series(as_of)
    return pd.DataFrame(
        {
            "entity_id": [f"e{number}" for number in range(len(as_of))],
            "as_of": as_of,
            "outcome": np.arange(len(as_of)) % 2 if outcome is None else outcome,
            "outcome_known_at": as_of + delay,
        }
    )


def dated(days, delay_days=0):
    as_of = pd.Timestamp("2026-01-01") + pd.to_timedelta(pd.Series(days), unit="D")
    return numbered(as_of, pd.Timedelta(days=delay_days))


# Rows with several equal instants and uneven delays, as real exports have them.
orders = st.lists(st.integers(0, 15), min_size=12, max_size=40).map(sorted)
delays = st.integers(0, 4)


# known_before


def test_a_row_known_exactly_at_the_edge_is_not_known():
    edge = pd.Timestamp("2026-06-01")
    table = pd.DataFrame({"outcome_known_at": [edge - pd.Timedelta(seconds=1), edge]})
    assert ex.known_before(table, edge).tolist() == [True, False]
    assert ex.known_before(table, edge + pd.Timedelta(seconds=1)).tolist() == [True, True]


def test_moving_the_edge_by_one_running_number_flips_exactly_that_row():
    table = numbered(range(1, 8))
    before, after = ex.known_before(table, 4), ex.known_before(table, 5)
    assert np.flatnonzero(before != after).tolist() == [3]


def test_an_outcome_that_never_became_known_is_known_before_no_edge():
    table = pd.DataFrame({"outcome_known_at": pd.to_datetime(["2026-01-01", None])})
    assert ex.known_before(table, pd.Timestamp("2100-01-01")).tolist() == [True, False]


@given(orders, delays, st.integers(0, 18))
def test_what_is_known_before_an_edge_does_not_depend_on_rows_known_later(order, delay, edge):
    table = numbered(order, delay)
    known = table[ex.known_before(table, edge)]
    later = ~ex.known_before(table, edge)
    altered = table.copy()
    altered.loc[later, "outcome"] = 99
    altered.loc[later, "as_of"] += 1000
    altered.loc[later, "outcome_known_at"] += 1000
    pd.testing.assert_frame_equal(altered[ex.known_before(altered, edge)], known)
    deleted = table[~later]
    pd.testing.assert_frame_equal(deleted[ex.known_before(deleted, edge)], known)


# known_at


def test_an_outcome_is_known_the_stated_days_after_the_decision():
    as_of = dated([0, 1, 2])["as_of"]
    known = ex.known_at(as_of, {"after_days": 2})
    assert (known - as_of == pd.Timedelta(days=2)).all()


def test_without_a_rule_an_outcome_is_known_at_the_decision_itself():
    for as_of in (pd.Series([3, 5, 9]), dated([0, 4])["as_of"]):
        pd.testing.assert_series_equal(ex.known_at(as_of, {}), as_of)


def test_a_known_date_before_the_decision_counts_as_the_decision_and_a_missing_one_stays_missing():
    as_of = pd.Series(pd.to_datetime(["2026-03-10"] * 3))
    times = pd.Series(pd.to_datetime(["2026-03-01", "2026-03-20", None]))
    known = ex.known_at(as_of, {"column": "closed"}, times)
    assert known[0] == pd.Timestamp("2026-03-10")
    assert known[1] == pd.Timestamp("2026-03-20")
    assert pd.isna(known[2])


@pytest.mark.parametrize(
    ("rule", "as_of", "times", "way_out"),
    [
        ({"after_days": 30}, pd.Series([1, 2]), None, "after_rows"),
        ({"after_rows": 30}, dated([1, 2])["as_of"], None, "after_days"),
        ({"column": "closed"}, pd.Series([1, 2]), dated([1, 2])["as_of"], "after_rows"),
        ({"column": "closed"}, dated([1, 2])["as_of"], pd.Series([1, 2]), "after_days"),
    ],
)
def test_a_delay_in_the_wrong_unit_is_refused_not_ignored(rule, as_of, times, way_out):
    with pytest.raises(InputError, match=way_out) as error:
        ex.known_at(as_of, rule, times)
    assert str(rule) in str(error.value)


# spans


def test_the_worked_example_of_the_module():
    """20 May tunes, 31 May is known too late on the morning of 1 June, 1 June is judged."""
    called = pd.to_datetime(
        [f"2026-05-{day}" for day in ("01", "02", "19", "20", "31")]
        + [f"2026-06-{day}" for day in ("01", "02", "03")]
    )
    table = numbered(called, pd.Timedelta(days=1))
    span = ex.spans(table, tune_share=2 / 8, judge_share=3 / 8)
    assert span.tolist() == ["learn", "learn", "", "tune", "", "judge", "judge", "judge"]


def is_partition_in_time_order(table, span):
    starts = {name: table.loc[span == name, "as_of"].min() for name in ex.SPANS}
    ends = {name: table.loc[span == name, "as_of"].max() for name in ex.SPANS}
    return ends["learn"] < starts["tune"] and ends["tune"] < starts["judge"]


def try_spans(table, tune_share=0.2, judge_share=0.2):
    try:
        return ex.spans(table, tune_share, judge_share)
    except InputError:
        return None


def try_periods(table, count=3, history_share=0.5):
    try:
        return ex.by_period(table, count, history_share)
    except InputError:
        return []


@given(orders, delays)
def test_spans_are_in_time_order_and_earlier_spans_know_their_outcome_at_the_next_edge(
    order, delay
):
    table = numbered(order, delay)
    span = try_spans(table)
    assume(span is not None)
    assert set(span) <= {*ex.SPANS, ""}
    assert is_partition_in_time_order(table, span)
    tune_from = table.loc[span == "tune", "as_of"].min()
    judge_from = table.loc[span == "judge", "as_of"].min()
    assert (table.loc[span == "learn", "outcome_known_at"] < tune_from).all()
    assert (table.loc[span == "tune", "outcome_known_at"] < judge_from).all()


@given(orders)
def test_without_a_delay_every_row_has_a_span_and_equal_instants_share_it(order):
    table = numbered(order)
    span = try_spans(table)
    assume(span is not None)
    assert (span != "").all()
    assert (span.groupby(table["as_of"]).nunique() == 1).all()


def test_the_shares_are_reached_when_every_instant_holds_one_row():
    span = ex.spans(numbered(range(200)), tune_share=0.2, judge_share=0.3)
    assert span.value_counts().to_dict() == {"learn": 100, "judge": 60, "tune": 40}


def test_a_delay_leaves_the_rows_before_each_edge_in_no_span():
    span = ex.spans(numbered(range(100), delay=3), tune_share=0.2, judge_share=0.2)
    assert np.flatnonzero(span == "").tolist() == [57, 58, 59, 77, 78, 79]
    assert (span[80:] == "judge").all()


@given(orders, delays)
def test_dates_and_running_numbers_of_the_same_order_give_the_same_spans_and_periods(order, delay):
    by_number, by_date = numbered(order, delay), dated(order, delay)
    found, wanted = try_spans(by_date), try_spans(by_number)
    assert (found is None) == (wanted is None)
    assume(wanted is not None)
    assert found.tolist() == wanted.tolist()
    numbers, dates = try_periods(by_number), try_periods(by_date)
    assert [period.rows.tolist() for period in dates] == [p.rows.tolist() for p in numbers]
    assert [period.known.tolist() for period in dates] == [p.known.tolist() for p in numbers]


def test_uneven_steps_between_instants_change_nothing_only_their_order_counts():
    even = ex.spans(numbered(range(50)), 0.2, 0.2)
    uneven = ex.spans(numbered(np.arange(50) ** 3), 0.2, 0.2)
    assert even.tolist() == uneven.tolist()


@given(orders, st.randoms(use_true_random=False))
def test_the_files_order_within_one_instant_changes_no_membership(order, random):
    table = numbered(order)
    mixed = table.sample(frac=1, random_state=random.randint(0, 999))
    first, second = ex.in_order(table), ex.in_order(mixed)
    spans = [try_spans(first), try_spans(second)]
    assert (spans[0] is None) == (spans[1] is None)
    assume(spans[0] is not None)
    by_id = [
        dict(zip(t["entity_id"], s, strict=True))
        for t, s in zip((first, second), spans, strict=True)
    ]
    assert by_id[0] == by_id[1]
    for one, other in zip(try_periods(first), try_periods(second), strict=True):
        assert one.start == other.start
        for positions in ("known", "rows"):
            ids = first["entity_id"].iloc[getattr(one, positions)]
            assert set(ids) == set(second["entity_id"].iloc[getattr(other, positions)])


def test_rows_of_one_instant_stay_in_the_files_order():
    table = numbered([2, 1, 2, 1])
    assert ex.in_order(table)["entity_id"].tolist() == ["e1", "e3", "e0", "e2"]
    assert table["as_of"].tolist() == [2, 1, 2, 1]


def test_one_instant_for_all_rows_is_refused_with_the_count_and_a_way_out():
    with pytest.raises(InputError, match="'tune'|'learn'") as error:
        ex.spans(numbered([7] * 30), 0.2, 0.2)
    assert "1 distinct values for 30 rows" in str(error.value)
    assert "finer time column" in str(error.value)


def test_a_delay_longer_than_a_span_is_refused_and_named_as_a_possible_cause():
    with pytest.raises(InputError, match="known too late"):
        ex.spans(numbered(range(100), delay=90), 0.2, 0.2)


@pytest.mark.parametrize(("tune", "judge"), [(0.6, 0.6), (0.5, 0.5), (0.0, 0.2), (0.2, -0.1)])
def test_shares_that_leave_nothing_to_learn_from_are_refused_by_value(tune, judge):
    with pytest.raises(InputError, match=f"{tune} and {judge}"):
        ex.spans(numbered(range(100)), tune, judge)


def test_before_judging_holds_the_rows_known_when_the_judged_span_began():
    table = numbered(range(100), delay=3)
    table["span"] = ex.spans(table, 0.2, 0.2)
    assert np.flatnonzero(ex.before_judging(table)).tolist() == list(range(77))


# by_period


@given(orders, delays, st.integers(1, 6), st.sampled_from([0.3, 0.5, 0.7]))
def test_a_period_learns_from_known_outcomes_only_and_judges_from_its_start_on(
    order, delay, count, history
):
    table = numbered(order, delay)
    periods = try_periods(table, count, history)
    assume(periods)
    for period in periods:
        known, rows = table.iloc[period.known], table.iloc[period.rows]
        assert (known["outcome_known_at"] < period.start).all()
        assert (rows["as_of"] >= period.start).all()
        assert len(known)
        assert len(rows)
        assert not set(period.known) & set(period.rows)
        left_out = table.drop(index=period.known)
        assert (left_out["outcome_known_at"] >= period.start).all()


@given(orders, delays, st.integers(1, 6))
def test_a_period_has_its_known_rows_in_the_order_in_which_they_became_known(order, delay, count):
    table = numbered(order, delay)
    for period in try_periods(table, count, 0.4) or []:
        when = table["outcome_known_at"].iloc[period.known]
        assert when.is_monotonic_increasing
        for _, alike in when.groupby(when):
            assert alike.index.is_monotonic_increasing


@given(orders, st.integers(1, 6))
def test_judged_rows_form_one_stretch_up_to_the_last_row_each_judged_once(order, count):
    table = numbered(order)
    periods = try_periods(table, count, 0.4)
    assume(periods)
    judged = np.concatenate([period.rows for period in periods])
    assert judged.tolist() == list(range(judged[0], len(table)))
    starts = [period.start for period in periods]
    assert starts == sorted(set(starts))
    assert len(periods) <= count


def test_periods_of_distinct_instants_are_of_about_equal_size():
    sizes = [len(period.rows) for period in ex.by_period(numbered(range(103)), 4, 0.4)]
    assert len(sizes) == 4
    assert max(sizes) - min(sizes) <= 1


def test_periods_that_would_start_inside_one_instant_are_merged():
    table = numbered([0] * 5 + [1] * 15)
    periods = ex.by_period(table, 4, 0.3)
    assert [period.start for period in periods] == [1]
    assert periods[0].known.tolist() == [0, 1, 2, 3, 4]


def test_no_known_outcome_before_any_period_is_refused_with_the_share_to_raise():
    with pytest.raises(InputError, match="history_share .it is 0.4"):
        ex.by_period(numbered([1] * 9), 3, 0.4)


# shares and labels


def test_share_later_counts_only_rows_with_both_times():
    as_of = pd.Series(pd.to_datetime(["2026-01-02", "2026-01-02", "2026-01-02", None]))
    times = pd.Series(pd.to_datetime(["2026-01-01", "2026-01-03", None, "2026-01-09"]))
    assert ex.share_later(times, as_of) == 0.5
    assert ex.share_later(as_of, as_of) == 0.0
    assert ex.share_later(times.where(times.isna()), as_of) == 0.0


def test_days_between_is_negative_for_dates_still_to_come_and_missing_where_unknown():
    as_of = pd.Series(pd.to_datetime(["2026-01-10"] * 3))
    earlier = pd.Series(pd.to_datetime(["2026-01-09 12:00", "2026-01-11 00:00", None]))
    days = ex.days_between(earlier, as_of)
    assert days.dtype == np.float32
    assert days.tolist()[:2] == [0.5, -1.0]
    assert np.isnan(days[2])


@pytest.mark.parametrize("dated_rows", [False, True])
def test_the_latest_known_row_lies_strictly_before_the_as_of_time(dated_rows):
    """Known at 2, 4 and 4; asked at 1 to 5. What becomes known at that very time is not known."""
    asked, known = pd.Series([1, 2, 3, 4, 5, 5]), pd.Series([2, 4, 4])
    if dated_rows:
        start = pd.Timestamp("2026-01-01")
        asked, known = (start + pd.to_timedelta(times, "D") for times in (asked, known))
    values = pd.DataFrame({"a": [10.0, 20.0, 30.0], "b": [0.1, 0.2, 0.3]})
    found = ex.latest_before(asked.set_axis(list("uvwxyz")), known, values)
    assert found.index.tolist() == list("uvwxyz")
    assert found["a"].tolist()[2:] == [10.0, 10.0, 30.0, 30.0]
    assert found["b"].tolist()[2:] == [0.1, 0.1, 0.3, 0.3]
    assert found.iloc[:2].isna().all(axis=None)


def test_where_nothing_ever_becomes_known_the_latest_is_missing():
    nothing = pd.DataFrame({"a": []}, dtype=float)
    assert ex.latest_before(pd.Series([1, 2]), pd.Series([], dtype=int), nothing)["a"].isna().all()
    assert len(ex.latest_before(pd.Series([], dtype=int), pd.Series([1]), nothing)) == 0


def test_rows_of_one_instant_have_not_arrived_before_each_other():
    assert ex.arrived_before(pd.Series([3, 3, 4, 7, 7, 7, 8])).tolist() == [0, 0, 2, 3, 3, 3, 6]
    assert ex.arrived_before(dated([0, 0, 5])["as_of"]).tolist() == [0, 0, 2]


def test_days_passed_are_counted_place_by_place_whatever_the_index():
    start, end = dated([0, 1, 2])["as_of"], dated([0, 3, 2.5])["as_of"].set_axis([7, 8, 9])
    assert ex.days_passed(start, end).tolist() == [0.0, 2.0, 0.5]
    assert ex.days_passed(pd.Series([1, 5]), pd.Series([4, 5])).tolist() == [3.0, 0.0]


def test_a_day_lasts_until_midnight_and_running_numbers_have_none():
    times = pd.Series(pd.to_datetime(["2026-01-01 00:00", "2026-01-01 23:59", "2026-01-02 00:00"]))
    found = ex.day(times)
    assert [found[0] == found[1], found[1] == found[2]] == [True, False]
    assert ex.day(pd.Series([1, 2])) is None


def test_weeks_group_dates_and_never_split_a_day():
    as_of = dated(np.repeat(range(73), 3))["as_of"]
    week = ex.week_or_block(as_of)
    assert (pd.Series(week).groupby(as_of).nunique() == 1).all()
    # 1 January 2026 is a Thursday: 4 days, then nine full weeks, then 6 days.
    assert pd.Series(week).value_counts(sort=False).tolist() == [12, *[21] * 9, 18]


@pytest.mark.parametrize("count", [1, 7, 20, 101])
def test_blocks_of_numbers_are_ascending_and_about_equal(count):
    block = ex.week_or_block(pd.Series(range(count)))
    sizes = np.bincount(block)
    assert (np.diff(block) >= 0).all()
    assert sizes[sizes > 0].max() - sizes[sizes > 0].min() <= 1
    assert len(np.unique(block)) == min(count, 20)


def test_month_labels_name_the_month_or_the_rows():
    assert ex.month_or_block(dated([0, 31])["as_of"]).tolist() == ["2026-01", "2026-02"]
    labels = ex.month_or_block(pd.Series(range(4000)), block_count=4)
    assert labels.unique().tolist() == [
        *("rows 1–1,000", "rows 1,001–2,000", "rows 2,001–3,000", "rows 3,001–4,000")
    ]


def test_labels_show_the_hour_only_where_there_is_one():
    assert ex.label(pd.Timestamp("2026-05-31")) == "2026-05-31"
    assert ex.label(pd.Timestamp("2026-05-31 14:05")) == "2026-05-31 14:05"
    assert ex.label(np.int64(12345)) == "12,345"


def test_open_rows_are_counted_in_the_span_in_which_they_would_have_stood():
    rows = pd.DataFrame({"as_of": range(100), "outcome_known_at": range(1, 101)})
    rows["outcome"] = 0.0
    rows["span"] = ex.spans(rows, 0.2, 0.2)
    found = ex.open_share(rows, pd.Series([10, 85, 90, 95, 99, 99]))
    assert found["judge"] == pytest.approx(5 / 25)
    assert found["tune"] == pytest.approx(1 / 20)  # the row known on the first judged instant


def test_few_weeks_give_way_to_days_and_few_days_to_blocks():
    days = pd.Series(pd.date_range("2026-01-01", periods=200))
    assert len(np.unique(ex.week_or_block(days))) > 10
    assert len(np.unique(ex.week_or_block(days[:20]))) == 20
    assert len(np.unique(ex.week_or_block(days[:5].repeat(20)))) == 20


@given(st.lists(st.integers(0, 400), min_size=0, max_size=300).map(sorted), st.booleans())
def test_lists_hold_ten_rows_or_all_and_never_split_a_week(days, with_dates):
    as_of = dated(days)["as_of"] if with_dates else pd.Series(range(len(days)))
    lists, week = ex.work_lists(as_of), ex.week_or_block(as_of)
    assert (np.diff(lists) >= 0).all()
    assert np.bincount(lists, minlength=1).min() >= min(ex.LIST_MIN_COUNT, len(days))
    assert (pd.Series(lists).groupby(week).nunique() == 1).all()


def test_weeks_of_ten_rows_are_lists_as_they_are():
    as_of = dated(np.repeat(range(140), 2))["as_of"]
    full = ex.week_or_block(as_of)[8:-6]  # the first and the last week are short ones
    lists = ex.work_lists(as_of)[8:-6]
    np.testing.assert_array_equal(np.diff(full), np.diff(lists))


# cases that are looked at again and again


def again(known, until, every_days=14, start=0.0):
    """As-of times of one case."""
    found = ex.repeated(
        pd.Series([pd.Timestamp(known)]),
        pd.Series([pd.Timestamp(until)]),
        every_days,
        np.array([start]),
    )
    return found["as_of"].tolist()


@pytest.mark.parametrize("known", ["2026-03-01 09:00:00", "2026-03-01 09:59:59.999999"])
def test_the_first_look_is_at_the_full_hour_after_the_case_was_known(known):
    first = again(known, "2026-06-01")[0]
    assert first == pd.Timestamp("2026-03-01 10:00")


@pytest.mark.parametrize("start", [0.0, 0.3, 0.999999])
def test_looks_are_on_full_hours_at_equal_distance_within_one_interval_of_the_start(start):
    known, until = pd.Timestamp("2026-03-01 09:20"), pd.Timestamp("2026-06-01 17:45")
    found = again(known, until, 14, start)
    assert all(time == time.floor("h") for time in found)
    assert {b - a for a, b in itertools.pairwise(found)} == {pd.Timedelta(days=14)}
    assert known < found[0] <= known + pd.Timedelta(days=14, hours=1)
    assert until - pd.Timedelta(days=14) < found[-1] <= until


def test_the_last_look_may_be_at_the_last_known_instant_and_not_after_it():
    assert again("2026-03-01 09:20", "2026-03-01 10:00") == [pd.Timestamp("2026-03-01 10:00")]
    assert again("2026-03-01 09:20", "2026-03-01 09:59:59") == []
    assert again("2026-03-01 09:20", "2026-02-01") == []


def test_looks_at_many_cases_are_those_at_each_alone():
    random = np.random.default_rng(0)
    known = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 10**6, 50), unit="s")
    until = known + pd.to_timedelta(random.integers(-(10**5), 10**7, 50), unit="s")
    start = random.random(50)
    found = ex.repeated(pd.Series(known), pd.Series(until), 7, start)
    for row in range(50):
        alone = again(known[row], until[row], 7, start[row])
        assert found.loc[found["row"] == row, "as_of"].tolist() == alone


def test_an_outcome_that_is_due_on_the_last_instant_is_not_censored():
    due = ex.horizon_end(pd.Series(pd.to_datetime(["2026-05-01", "2026-05-02"])), 30)
    assert ex.earlier(pd.Timestamp("2026-05-31"), due).tolist() == [False, True]
    assert ex.earlier(due, pd.Series([pd.NaT, due[1]])).tolist() == [False, False]


def test_the_later_of_two_times_ignores_a_missing_one():
    one = pd.Series(pd.to_datetime(["2026-05-01", "2026-05-03", None]))
    other = pd.Series(pd.to_datetime(["2026-05-02", None, "2026-05-04"]))
    assert ex.later(one, other).tolist() == list(
        pd.to_datetime(["2026-05-02", "2026-05-03", "2026-05-04"])
    )


def test_where_all_outcomes_take_equally_long_no_rows_are_over_represented():
    rows = pd.DataFrame({"as_of": range(100), "outcome_known_at": range(30, 130)})
    rows["outcome"] = 0.0
    rows["span"] = ex.spans(rows, 0.4, 0.2)
    assert ex.open_share(rows, None) == {}
