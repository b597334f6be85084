"""Times in every spelling become one type; what is no time is never taken for one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_series_equal

from tierwise.formats import TableError
from tierwise.times import looks_like_time, order_by_calendar, parse_times


def texts(*values):
    return pd.Series(values, name="when", dtype="str")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2016-12-31", "2016-12-31"),
        ("2016/12/31 14:05", "2016-12-31 14:05"),
        ("2016-12-31T14:05:09.123456", "2016-12-31 14:05:09.123456"),
        ("2016-12-31 14:05:09.5Z", "2016-12-31 14:05:09.5"),
        ("2016-12-31T23:30:00-05:30", "2017-01-01 05:00"),
        ("2017-01-01 00:30:00+0200", "2016-12-31 22:30"),
        ("2016-12", "2016-12-01"),
        ("31/12/2016", "2016-12-31"),
        ("12/31/2016", "2016-12-31"),
        ("12/31/16 2:05 PM", "2016-12-31 14:05"),
        ("12/31/16 12:05 a.m.", "2016-12-31 00:05"),
        ("31.12.2016 14:05", "2016-12-31 14:05"),
        ("1.2.99", "1999-02-01"),
        ("31-12-2016", "2016-12-31"),
        ("5 Mar 2020", "2020-03-05"),
        ("5-Mar-20", "2020-03-05"),
        ("05Mar2020", "2020-03-05"),
        ("5th March 2020", "2020-03-05"),
        ("Mar 5, 2020 2:05 pm", "2020-03-05 14:05"),
        ("Thu, 5 Mar 2020 10:00:00 +0000", "2020-03-05 10:00"),
        ("Thursday, March 5, 2020", "2020-03-05"),
    ],
)
def test_a_time_is_understood_in_the_spellings_people_use(text, expected):
    found = parse_times(texts(text, None))
    assert found.dtype == "datetime64[us]"
    assert found.iloc[0] == pd.Timestamp(expected)
    assert pd.isna(found.iloc[1])
    assert looks_like_time(texts(text, None))


def test_times_keep_the_index_and_the_name():
    column = pd.Series(["2016-12-31", "2016-12-30", "2016-12-31"], index=[7, 7, 1], name="asked_at")
    found = parse_times(column)
    assert found.index.equals(column.index)
    assert found.name == "asked_at"
    assert found.iloc[0] == found.iloc[2] > found.iloc[1]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.datetimes(pd.Timestamp("1970-01-01"), pd.Timestamp("2068-01-01")), min_size=1),
    st.sampled_from(["%Y-%m-%d %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S.%f", "%d %b %Y %I:%M:%S.%f %p"]),
)
def test_a_written_time_is_read_back(times, spelling):
    expected = pd.Series(times).astype("datetime64[us]")
    written = pd.Series([time.strftime(spelling) for time in times])
    assert_series_equal(parse_times(written), expected)


@pytest.mark.parametrize("day_first", [True, False])
def test_one_clear_date_decides_the_order_of_the_whole_column(day_first):
    days = pd.Series(pd.date_range("2016-01-01", "2016-12-31"))
    written = days.dt.strftime("%d/%m/%Y" if day_first else "%m/%d/%Y")
    assert_series_equal(parse_times(written), days.astype("datetime64[us]"))
    assert_series_equal(parse_times(written, day_first=day_first), days.astype("datetime64[us]"))
    with pytest.raises(TableError, match="are no times"):
        parse_times(written, day_first=not day_first)


def test_an_unknown_order_of_day_and_month_is_asked_for():
    column = texts("05/05/2016", "03/04/2016", "01/02/2016", "11/12/2016", "10/11/2016")
    with pytest.raises(TableError) as caught:
        parse_times(column)
    for part in ("'03/04/2016', '01/02/2016', '11/12/2016'", "`day_first: true` or `false`"):
        assert part in str(caught.value)
    assert "--day-first or --month-first" in str(caught.value)
    assert parse_times(column, day_first=True).iloc[1] == pd.Timestamp("2016-04-03")
    assert parse_times(column, day_first=False).iloc[1] == pd.Timestamp("2016-03-04")
    assert looks_like_time(column)


def test_dots_mean_day_first_unless_a_date_says_otherwise():
    assert parse_times(texts("03.04.2016"))[0] == pd.Timestamp("2016-04-03")
    assert parse_times(texts("03.04.2016", "12.31.2016"))[0] == pd.Timestamp("2016-03-04")


def test_both_orders_in_one_column_are_refused():
    with pytest.raises(TableError, match="'31/12/2016' is day first, '12/31/2016' month first"):
        parse_times(texts("31/12/2016", "12/31/2016"))


def test_one_value_in_a_hundred_may_be_no_time():
    good = ["2016-01-01"] * 99
    assert parse_times(texts("soon", None, *good)).isna().sum() == 2
    with pytest.raises(TableError, match="2 of 101 values.*'soon', '2016-02-30'"):
        parse_times(texts("soon", *good, "2016-02-30"))


@pytest.mark.parametrize(
    "text",
    [
        "2016-02-30",
        "2015-02-29",
        "2016-13-01",
        "0000-00-00",
        "9999-12-31",
        "2016-12-31 24:00",
        "2016-12-31 13:05 pm",
        "5 Foo 2020",
        "14:05",
        "1.2.3.4",
        "12-34",
        "2016",
        "March",
        "tomorrow",
    ],
)
def test_what_is_no_time_is_not_taken_for_one(text):
    assert not looks_like_time(texts(text))
    assert parse_times(texts(text, *["2016-01-01"] * 99)).isna().tolist() == [True] + [False] * 99


@pytest.mark.parametrize(
    "column", [[1, 2, 3], [0.5, 1e9], [631151999, 1_000_000_000], [np.nan] * 2]
)
def test_a_running_number_stays_as_it_is(column):
    column = pd.Series(column, name="n")
    assert_series_equal(parse_times(column), column)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1_483_193_100, 1_483_193_101], "2016-12-31 14:05"),
        ([1_483_193_100_000, np.nan], "2016-12-31 14:05"),
        ([20161231, 20170101], "2016-12-31"),
    ],
)
def test_whole_numbers_are_times_only_where_all_of_them_are_plausible(column, expected):
    assert parse_times(pd.Series(column))[0] == pd.Timestamp(expected)
    column[1] = 20171301
    assert_series_equal(parse_times(pd.Series(column)), pd.Series(column))


def test_zones_become_utc_and_the_zone_is_dropped():
    column = pd.Series(pd.to_datetime(["2016-07-01 12:00"])).dt.tz_localize("Europe/Lisbon")
    assert_series_equal(
        parse_times(column), pd.Series(["2016-07-01 11:00"], dtype="datetime64[us]")
    )


def test_names_of_months_alone_become_numbers():
    column = texts("Feb", "june", "SEPT", "December", "may.")
    assert_series_equal(parse_times(column), pd.Series([2, 6, 9, 12, 5], name="when"))
    assert parse_times(texts("Feb", None)).tolist()[0] == 2.0
    assert not looks_like_time(column)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.Series([20161231, 20170101]), False),
        (pd.Series(["00123", "0456"]), False),
        (pd.Series(["1 - 10%", "11 - 23%"]), False),
        (pd.Series(["a", None]), False),
        (pd.Series([None, None], dtype="str"), False),
        (pd.Series(["2016-01-01"] * 500 + ["x"]), False),
        (pd.Series([str(day.date()) for day in pd.date_range("2016", periods=99)] + ["x"]), True),
        (pd.Series(pd.to_datetime(["2016-01-01"])), True),
        (pd.Series(pd.to_datetime(["2016-01-01"], utc=True)), True),
    ],
)
def test_a_column_looks_like_time_by_its_distinct_values(column, expected):
    assert looks_like_time(column) is expected


# Dates from months and days in order


def test_a_calendar_is_rebuilt_from_rows_in_date_order():
    """Every day from 2007 to 2012, both leap days among them, some of them twice."""
    days = pd.Series(pd.date_range("2007-03-01", "2012-12-31")).astype("datetime64[us]")
    days = pd.concat([days, days[::7]]).sort_values()
    for month in (days.dt.month, days.dt.strftime("%b").str.lower(), days.dt.strftime("%m")):
        assert_series_equal(order_by_calendar(month, days.dt.day, 2007), days)


def test_without_days_dates_are_the_first_of_the_month():
    found = order_by_calendar(pd.Series(["nov", "dec", "jan", "jan", "feb"]), None, 2008)
    assert found.dt.strftime("%Y-%m-%d").tolist() == [
        "2008-11-01",
        "2008-12-01",
        "2009-01-01",
        "2009-01-01",
        "2009-02-01",
    ]


@pytest.mark.parametrize(
    ("months", "days", "rule"),
    [
        (["feb", "feb"], [28, 30], r"Row 2 \(month feb, day 30, year 2009\) is no date"),
        (["feb"], [29], "Row 1 .*year 2009.* is no date"),
        (["may", "x"], [1, 1], r"Row 2 \(month x, day 1, year 2010\) is no date"),
        ([5, None], [1, 1], "Row 2 .* is no date"),
        ([5], [None], "Row 1 .* is no date"),
        ([5, 13], [1, 1], "Row 2 .* is no date"),
        (["may", "may", "may"], [1, 3, 2], "Row 3 .* is before the row above.*not in date order"),
        (["dec", "jan"] * 100, None, r"Row 184 .* is after 2100.*not in date order"),
    ],
)
def test_rows_in_no_date_order_or_without_a_date_are_named(months, days, rule):
    days = None if days is None else pd.Series(days)
    with pytest.raises(TableError, match=rule):
        order_by_calendar(pd.Series(months), days, 2009)
