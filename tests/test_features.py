"""Every feature is what its definition says, computed row by row in plain pandas."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise import features as ft
from tierwise.files import InputError

START = pd.Timestamp("2026-03-01")
DAY, MICROSECOND = pd.Timedelta(days=1), pd.Timedelta(microseconds=1)
GROUPS = {"contact": ["call", "mail"], "any": ["call", "mail", "visit"], "gone": ["fax", "telex"]}
NAMES = ["call", "contact", "any", "gone"]
FEATURES = [
    *(
        make(name, days)
        for make in (ft.count, ft.total)
        for name in NAMES
        for days in (1, 2.5, None)
    ),
    *(make(name) for make in (ft.recency, ft.last) for name in NAMES),
    *(ft.distinct_days(name, days) for name in ("call", "any", "gone") for days in (1, 3, None)),
    *(ft.faded(name, days) for name in NAMES for days in (0.5, 3)),
    *(ft.share("call", of, days) for of in ("contact", "any", "gone") for days in (1, None)),
]


def as_stream(rows):
    """rows: (key, occurred_at, known_at, event, amount)."""
    columns = ["key", "occurred_at", "known_at", "event", "amount"]
    table = pd.DataFrame(rows, columns=columns).astype({"key": "int64"})
    times = [table[name].astype("datetime64[us]") for name in ("known_at", "occurred_at")]
    return ft.stream(table["key"], *times, table["event"], table["amount"])


def asked(rows):
    """rows: (key, as_of)."""
    table = pd.DataFrame(rows, columns=["key", "as_of"]).astype({"key": "int64"})
    return table["key"], table["as_of"].astype("datetime64[us]")


def call(occurred_at, known_at=None, amount=np.nan, event="call", key=1):
    return key, occurred_at, occurred_at if known_at is None else known_at, event, amount


def one(feature, events, as_of, key=1):
    found = ft.compute([feature], GROUPS, as_stream(events), *asked([(key, as_of)]), "float64")
    return found[feature.name].item()


def moments(least, most):
    """Half days, and a microsecond beside them: edges of windows and days are met often."""
    beside = st.sampled_from([0, 0, 0, -1, 1])
    return st.builds(
        lambda half, more: START + half * DAY / 2 + more * MICROSECOND,
        st.integers(least, most),
        beside,
    )


# On time, late by a microsecond up to days, and planned ahead: known before it happens.
delays = st.sampled_from([0 * DAY, 0 * DAY, MICROSECOND, DAY / 2, 3 * DAY, 4 * DAY, -DAY])
event_rows = st.builds(
    lambda key, occurred_at, delay, event, amount: (
        key,
        occurred_at,
        occurred_at + delay,
        event,
        amount,
    ),
    st.integers(0, 1),
    moments(0, 9),
    delays,
    st.sampled_from(["call", "mail", "visit"]),
    st.sampled_from([np.nan, 0.0, 1.5, -2.25, 1e3, 0.1]),
)
logs = st.lists(event_rows, max_size=4) | st.lists(event_rows, min_size=10, max_size=30)
wanted = st.lists(st.tuples(st.integers(0, 2), moments(0, 12)), min_size=1, max_size=4)


def known_to(events, key, as_of):
    known = events[(events["key"] == key) & (events["known_at"] < as_of)]
    known = known.sort_values("known_at", kind="stable")
    return known.assign(
        age_days=(as_of - known["occurred_at"]) / DAY, event=known["event"].astype(str)
    )


def expected(feature, known, as_of):
    """The definition, in as many words as it takes."""

    def of(name):
        own = known[known["event"].isin(GROUPS.get(name, [name]))]
        return (
            own if feature.days is None else own[own["occurred_at"] >= as_of - feature.days * DAY]
        )

    own = of(feature.event)
    if feature.stat == "count":
        return len(own)
    if feature.stat == "total":
        return own["amount"].sum()
    if feature.stat == "recency":
        return own["age_days"].min()
    if feature.stat == "last":
        given = own[own["amount"].notna()].sort_values("occurred_at", kind="stable")
        return given["amount"].iloc[-1] if len(given) else np.nan
    if feature.stat == "distinct_days":
        return own["occurred_at"].dt.date.nunique()
    if feature.stat == "faded":
        return (own["amount"].fillna(1) * 0.5 ** (own["age_days"] / feature.half_life_days)).sum()
    others = of(feature.of)
    return len(own) / len(others) if len(others) else np.nan


@settings(max_examples=25)  # by hand an example takes a fifth of a second
@given(logs, wanted)
def test_every_feature_is_what_its_definition_says(log, rows):
    events = as_stream(log)
    found = ft.compute(FEATURES, GROUPS, events, *asked(rows), "float64")
    for (key, as_of), values in zip(rows, found.to_numpy(), strict=True):
        known = known_to(events, key, as_of)
        by_hand = [expected(feature, known, as_of) for feature in FEATURES]
        np.testing.assert_allclose(values, by_hand, rtol=1e-9, err_msg=str(list(found.columns)))


def test_as_of_is_excluded_and_the_edge_of_a_window_is_inside():
    as_of = START + 10 * DAY
    for days, offset, count in [
        (7, 7 * DAY, 1),
        (7, 7 * DAY + MICROSECOND, 0),
        (None, 7 * DAY + MICROSECOND, 1),
        (7, 0 * DAY, 0),
        (7, MICROSECOND, 1),
    ]:
        assert one(ft.count("call", days), [call(as_of - offset)], as_of) == count


def test_example_of_the_kernel_holds():
    as_of, was = pd.Timestamp("2026-03-10 09:00"), pd.Timestamp("2026-03-09 23:00")
    on_the_edge = call(pd.Timestamp("2026-03-03 09:00"))
    in_time = call(was, pd.Timestamp("2026-03-10 08:59"))
    too_late = call(was, as_of)
    assert one(ft.count("call", 7), [on_the_edge, in_time, too_late], as_of) == 2
    assert one(ft.count("call", 7), [too_late], as_of) == 0


def test_total_of_all_time_is_the_sum_of_pandas_and_last_is_the_latest_amount():
    random = np.random.default_rng(5)
    amounts = pd.Series(random.normal(size=200)).where(random.random(200) < 0.7)
    events = [call(START + at * DAY / 7, amount=amount) for at, amount in enumerate(amounts)]
    end = START + 100 * DAY
    assert one(ft.total("call"), events, end) == pytest.approx(amounts.sum(), rel=1e-12)
    assert one(ft.last("call"), events, end) == amounts.dropna().iloc[-1]
    assert one(ft.count("call"), events, end) == 200


def test_a_late_report_of_an_early_event_is_not_the_last_value():
    events = [call(START + DAY, amount=2), call(START, START + 2 * DAY, amount=1)]
    assert one(ft.last("call"), events, START + 3 * DAY) == 2


def test_a_late_report_does_not_hide_from_a_window_what_was_known_before_it():
    as_of = START + 20 * DAY
    recent, late = call(as_of - 2 * DAY), call(as_of - 10 * DAY, as_of - DAY)
    for days, count in [(1, 0), (7, 1), (30, 2), (None, 2)]:
        assert one(ft.count("call", days), [recent, late], as_of) == count


def test_rows_need_no_order_and_may_repeat():
    events = [call(START + at * DAY) for at in range(4)]
    rows = [(1, START + days * DAY) for days in (3, 1, 9, 2, 1)]
    found = ft.compute([ft.count("call")], {}, as_stream(events), *asked(rows))
    assert found["call_count"].tolist() == [3, 1, 4, 2, 1]


def test_of_two_events_of_one_instant_the_later_line_is_the_last():
    events = [call(START, amount=1), call(START, amount=2)]
    assert one(ft.last("call"), events, START + DAY) == 2
    assert one(ft.last("call"), events[::-1], START + DAY) == 1


def test_faded_points_halve_after_one_half_life_and_only_ever_fall():
    events, feature = [call(START, amount=8)], ft.faded("call", 7)
    after = [one(feature, events, START + weeks * 7 * DAY) for weeks in (1, 2, 3)]
    assert after == [4, 2, 1]
    hours = asked([(1, START + hour * DAY / 24) for hour in range(1, 100)])
    hourly = ft.compute([feature], {}, as_stream(events), *hours, "float64")
    assert (hourly["call_faded_7d"].diff().dropna() < 0).all()


@pytest.mark.parametrize("key", [0, 9])
def test_an_entity_without_events_counts_nothing_and_has_no_last_or_recency(key):
    found = ft.compute(FEATURES, GROUPS, as_stream([call(START)]), *asked([(key, START + DAY)]))
    assert found["call_count"].item() == found["call_faded_3d"].item() == 0
    assert found[["call_last", "call_recency_days", "call_share_of_any"]].isna().all(axis=None)


def test_no_events_and_no_rows_are_no_special_case():
    assert one(ft.count("call", 7), [], START) == 0
    empty = ft.compute(FEATURES, GROUPS, as_stream([call(START)]), *asked([]))
    assert empty.shape == (0, len(FEATURES))
    assert ft.compute([], GROUPS, as_stream([]), *asked([(1, START)])).shape == (1, 0)


def test_keys_at_both_ends_of_int64_are_told_apart():
    low, high = np.iinfo("int64").min, np.iinfo("int64").max
    events = [call(START, key=high), call(START, key=low), call(START, key=low)]
    assert one(ft.count("call"), events, START + DAY, key=low) == 2
    assert one(ft.count("call"), events, START + DAY, key=high) == 1


def test_an_event_of_no_kind_counts_nowhere():
    assert one(ft.count("any"), [call(START, event=None), call(START)], START + DAY) == 1


@pytest.mark.parametrize("missing", ["known_at", "occurred_at"])
def test_an_event_without_a_time_is_refused_rather_than_known_to_all(missing):
    events = as_stream([call(START), call(START)])
    events.loc[1, missing] = pd.NaT
    with pytest.raises(InputError, match=f"^1 events have no {missing}, .*Leave these events out"):
        ft.compute([ft.count("call")], {}, events, *asked([(1, START + DAY)]))


def test_the_index_of_the_rows_is_kept():
    key, as_of = asked([(1, START + DAY), (2, START + DAY)])
    key.index = as_of.index = [7, 3]
    found = ft.compute([ft.count("call")], {}, as_stream([call(START)]), key, as_of)
    assert found["call_count"].to_dict() == {7: 1.0, 3: 0.0}


def test_names_tell_kind_statistic_and_span():
    names = [
        ft.count("call", days=7).name,
        ft.total("value", days=30).name,
        ft.recency("call").name,
        ft.last("stage").name,
        ft.distinct_days("login", days=7).name,
        ft.share("reply", "mail", days=30).name,
        ft.faded("points", half_life_days=7).name,
        ft.count("call").name,
        ft.count("call", days=0.5).name,
    ]
    documented = [
        line.split()[-1]
        for line in ft.__doc__.splitlines()
        if line.startswith("    ") and "(" in line
    ]
    assert names[:7] == documented
    assert names[7:] == ["call_count", "call_count_0.5d"]


def test_streams_of_one_key_are_put_together_with_all_their_kinds():
    calls, mails = as_stream([call(START)]), as_stream([call(START, event="mail")])
    both = ft.together([calls, mails])
    assert list(both["event"].cat.categories) == ["call", "mail"]
    assert both["event"].tolist() == ["call", "mail"]


def test_a_version_counts_from_the_moment_after_it_was_known():
    versions = pd.DataFrame(
        {
            "organization_id": [1, 1, 2],
            "known_at": pd.to_datetime([START, START + 5 * DAY, START]).astype("datetime64[us]"),
            "country": ["AT", "DE", "CH"],
        },
        index=[4, 4, 9],
    )
    key, as_of = asked([(1, START), (1, START + MICROSECOND), (1, START + 6 * DAY), (3, START)])
    found = ft.last_known(versions, "organization_id", key, as_of, ["country"])
    assert found["country"].fillna("-").tolist() == ["-", "AT", "DE", "-"]


def test_more_kinds_of_events_than_a_short_integer_holds_are_told_apart():
    """40,000 types of a stranger, whose names come first, change nothing for anybody else."""
    at = pd.Series(pd.date_range("2026-01-01", periods=4, freq="D")).astype("datetime64[us]")
    mine = ft.stream(pd.Series([1, 1, 1, 1]), at, at, pd.Series(["visit", "buy", "visit", "buy"]))
    days = pd.Series([at[0]] * 40_000)
    kinds = pd.Series([f"a{number:05d}" for number in range(40_000)])
    theirs = ft.stream(pd.Series([2] * 40_000), days, days, kinds)
    rows = pd.Series([1]), pd.Series([pd.Timestamp("2026-02-01")])
    wanted = [ft.count("visit"), ft.recency("buy"), ft.count("any")]
    groups = {"any": ["visit", "buy"]}
    alone = ft.compute(wanted, groups, mine, *rows)
    both = ft.compute(wanted, groups, ft.together([mine, theirs]), *rows)
    pd.testing.assert_frame_equal(alone, both)
    assert alone["any_count"].item() == 4
