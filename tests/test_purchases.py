"""Purchases as they were known at a cut: days, orders, windows, refunds, what came later."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.companies import purchases as pu
from tierwise.files import InputError

CUT = pd.Timestamp("2026-04-01")


def table(*rows):
    """account_id, occurred_at, amount_eur and, where given, known_at."""
    names = ["account_id", "occurred_at", "amount_eur", "known_at"][: len(rows[0])]
    found = pd.DataFrame(rows, columns=names)
    times = [name for name in names if name.endswith("_at")]
    return found.assign(
        **{
            name: pd.to_datetime(found[name], format="ISO8601").astype("datetime64[us]")
            for name in times
        }
    )


def test_the_example_of_the_docstring_holds():
    orders = pu.orders(table(("a", "1997-01-01", 10.0), ("a", "1997-01-13", 30.0)))
    found = pu.summary(orders, pd.Timestamp("1997-10-01")).loc["a"]
    assert (found["frequency_count"], found["recency_days"], found["age_days"]) == (1, 12, 272)
    assert (found["mean_repeat_eur"], found["mean_order_eur"]) == (30.0, 20.0)


def test_purchases_of_one_day_are_one_order():
    orders = pu.orders(
        table(
            ("a", "2026-01-05 08:00", 5.0), ("a", "2026-01-05 23:59", 7.0), ("b", "2026-01-05", 1.0)
        )
    )
    assert orders[["account_id", "amount_eur"]].to_numpy().tolist() == [["a", 12.0], ["b", 1.0]]


def test_what_was_learned_later_was_not_known():
    orders = pu.orders(
        table(("a", "2026-01-05", 5.0, "2026-01-05"), ("a", "2026-03-01", 9.0, "2026-04-01"))
    )
    assert pu.summary(orders, CUT).loc["a", "spend_eur"] == 5.0
    assert pu.summary(orders, CUT + pd.Timedelta(days=1)).loc["a", "spend_eur"] == 14.0


def test_the_day_of_the_cut_is_future():
    orders = pu.orders(table(("a", "2026-03-31 23:00", 5.0), ("a", "2026-04-01 00:00", 9.0)))
    assert pu.summary(orders, CUT).loc["a", "order_count"] == 1
    assert pu.spent(orders, pd.Index(["a", "z"]), CUT, 1).tolist() == [9.0, 0.0]
    assert pu.at_midnight("2026-04-01 17:30") == CUT


def test_money_that_went_back_is_no_order_but_counts_as_money():
    orders = pu.orders(
        table(("a", "2026-01-01", 50.0), ("a", "2026-02-01", -20.0), ("b", "2026-02-01", -5.0))
    )
    found = pu.summary(orders, CUT)
    assert found.index.tolist() == ["a"]
    assert (found.loc["a", "order_count"], found.loc["a", "spend_eur"]) == (1, 30.0)
    start = pd.Timestamp("2026-01-15")
    assert pu.spent(orders, pd.Index(["a", "b"]), start, 40).tolist() == [0.0, 0.0]


def test_windows_and_silence_are_counted_from_the_cut():
    orders = pu.orders(
        table(("a", "2026-01-01", 1.0), ("a", "2026-02-20", 2.0), ("a", "2026-03-30", 4.0))
    )
    found = pu.columns(orders, CUT, 50).loc["a"]
    assert found["spend_eur_30"] == 4.0  # 15 days
    assert found["spend_eur_60"] == 4.0  # 30 days
    assert found["spend_eur_100"] == 6.0  # 50 days
    assert (found["idle_days"], found["mean_gap_days"]) == (1.0, 44.0)
    assert found["idle_over_gap"] == pytest.approx(1 / 44)


def test_one_order_has_no_gap():
    found = pu.columns(pu.orders(table(("a", "2026-03-31", 1.0))), CUT, 50).loc["a"]
    assert np.isnan(found["mean_gap_days"])
    assert np.isnan(found["idle_over_gap"])
    assert found["age_days"] == 1


days = st.integers(0, 200)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), days, days, st.integers(-9, 99)), min_size=1))
def test_the_future_changes_nothing(rows):
    start = pd.Timestamp("2026-01-01").as_unit("us")
    raw = pd.DataFrame(rows, columns=["account_id", "day", "late", "amount_eur"])
    raw["occurred_at"] = start + pd.to_timedelta(raw["day"], unit="D")
    raw["known_at"] = raw["occurred_at"] + pd.to_timedelta(raw["late"], unit="D")
    everything = pu.orders(raw)
    past = pu.known_at(everything, CUT)
    pd.testing.assert_frame_equal(pu.columns(everything, CUT, 60), pu.columns(past, CUT, 60))
    found = pu.summary(everything, CUT)
    assert (found["recency_days"] <= found["age_days"]).all()
    assert (found["frequency_count"] >= 0).all()


def test_past_cuts_leave_a_window_before_the_cut():
    orders = pu.orders(table(("a", "2026-01-01", 1.0)))
    cuts = pu.past_cuts(orders, CUT, 30)
    assert cuts[0] == pd.Timestamp("2026-01-31")
    assert cuts[-1] == pd.Timestamp("2026-03-02")
    assert len(cuts) == pu.CUT_COUNT
    assert pu.past_cuts(orders, CUT, 90) == []


def test_accounts_without_an_order_have_none():
    own = pu.columns(pu.orders(table(("b", "2026-03-01", 3.0))), CUT, 30)
    more = pd.DataFrame({"headcount": [5, 7]}, index=pd.Index(["a", "b"], name="account_id"))
    found = pu.joined(own, more)
    assert found.loc["a", ["order_count", "spend_eur", "spend_eur_100"]].tolist() == [0, 0, 0]
    assert np.isnan(found.loc["a", "age_days"])
    assert found["headcount"].tolist() == [5, 7]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (pd.DataFrame({"age_days": [1]}, index=["b"]), "age_days occurs twice"),
        (pd.DataFrame({"x": [1, 2]}, index=["b", "b"]), "an id occurs twice"),
    ],
)
def test_further_columns_must_be_new_and_one_per_account(more, said):
    own = pu.columns(pu.orders(table(("b", "2026-03-01", 3.0))), CUT, 30)
    with pytest.raises(InputError, match=said):
        pu.joined(own, more)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            lambda t: t.rename(columns={"amount_eur": "amount"}),
            "Purchases need rows and the columns",
        ),
        (lambda t: t[:0], "there are 0 rows"),
        (lambda t: t.assign(occurred_at="2026"), "occurred_at must hold dates"),
        (
            lambda t: t.assign(amount_eur=[1.0, np.inf]),
            "amount_eur must not be missing or infinite; 1",
        ),
        (lambda t: t.assign(account_id=["a", None]), "account_id must not be missing.*row 1"),
    ],
)
def test_a_broken_table_is_refused_with_rule_and_row(broken, said):
    good = table(("a", "2026-01-01", 1.0), ("a", "2026-01-02", 1.0))
    with pytest.raises(InputError, match=said):
        pu.orders(broken(good))
