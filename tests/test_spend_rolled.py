"""Candidates are tried where the end is known; the judged year judges and chooses nothing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_shop import FIRST, purchases, shop
from tierwise.companies import purchases as pu
from tierwise.companies import spend, spend_rolled
from tierwise.companies import spend_measures as sm
from tierwise.files import InputError

HORIZON_DAYS = 180.0
QUESTION = spend.Question(HORIZON_DAYS)


@pytest.fixture(scope="module")
def orders():
    return pu.orders(purchases(shop()))


@pytest.fixture(scope="module")
def until(orders):
    return pu.days_ahead(orders["day"].max(), 1)


@pytest.fixture(scope="module")
def cuts(orders, until):
    return spend_rolled.origins(orders, until, HORIZON_DAYS, 3)


@pytest.fixture(scope="module")
def table(orders, cuts):
    return spend_rolled.rolled(orders, cuts, QUESTION)


def daily(days_count):
    """One account that orders every day."""
    days = FIRST + pd.to_timedelta(np.arange(days_count), "D")
    rows = pd.DataFrame({"account_id": "a", "occurred_at": days, "amount_eur": 1.0})
    return pu.orders(rows)


# Origins


@given(st.integers(20, 1500), st.floats(7, 500), st.integers(1, 6))
def test_the_end_of_every_earlier_origin_was_known_when_the_judged_one_began(days, horizon, count):
    orders = daily(days)
    until = pu.days_ahead(orders["day"].max(), 1)
    try:
        cuts = spend_rolled.origins(orders, until, horizon, count)
    except InputError:
        judged = pu.days_ahead(until, -horizon)
        assert pu.history_days(orders, judged) < spend_rolled.HISTORY_SHARE * horizon
        return
    judged = cuts[-1]
    assert cuts == sorted(set(cuts))
    assert 1 <= len(cuts) <= count
    assert pu.days_ahead(judged, horizon) <= until
    assert all(pu.days_ahead(cut, horizon) <= judged for cut in cuts[:-1])
    assert all(pu.history_days(orders, c) >= spend_rolled.HISTORY_SHARE * horizon for c in cuts)


def test_three_years_give_three_origins_half_a_horizon_apart(cuts, until):
    assert [(until - cut).days for cut in cuts] == [450, 360, 180]


def test_too_short_a_history_is_refused_with_the_way_out():
    orders = daily(300)
    until = pu.days_ahead(orders["day"].max(), 1)
    with pytest.raises(
        InputError, match=r"The orders cover 300 days .* 365 days .* 1\.8 times"
    ) as e:
        spend_rolled.origins(orders, until, 365.0, 3)
    assert "Lower horizon_days, or wait." in str(e.value)
    assert len(spend_rolled.origins(orders, until, 160.0, 3)) == 1


# What was foretold, and what came


def test_every_account_stands_beside_what_it_then_spent(table, orders, cuts):
    raw = orders.set_index("day")
    for cut in cuts:
        end = cut + pd.Timedelta(days=HORIZON_DAYS - 1)
        year = raw.loc[cut:end].groupby("account_id")["amount_eur"].sum()
        own = table[table["cut"] == cut].set_index("account_id")
        assert set(own.index) == set(raw.loc[: cut - pd.Timedelta(days=1), "account_id"])
        wanted = year.reindex(own.index, fill_value=0.0)
        np.testing.assert_allclose(own["actual_eur"], wanted)
        assert (own["default"] == spend.expected(orders, cut, QUESTION).default).all()


def test_what_is_foretold_reads_nothing_from_the_origin_on(table, orders, cuts):
    changed = orders.copy()
    late = changed["day"] >= cuts[0]
    changed.loc[late, "amount_eur"] *= 17
    again = spend_rolled.rolled(changed, cuts[:1], QUESTION)
    first = table[table["cut"] == cuts[0]]
    for name in spend_rolled.candidates(table):
        np.testing.assert_allclose(again[name], first[name])
    assert not np.allclose(again["actual_eur"], first["actual_eur"])


def test_an_account_of_which_a_candidate_can_tell_nothing_counts_as_nought(orders, cuts):
    accounts = pd.Index([*orders["account_id"].unique(), "never"], name="account_id")
    size = pd.DataFrame({"size": np.arange(len(accounts), dtype=float)}, accounts)
    asked = spend.Question(HORIZON_DAYS, None, lambda cut: size)
    assert spend.expected(orders, cuts[-1], asked).table.loc["never"].isna().any()
    table = spend_rolled.rolled(orders, cuts[-1:], asked).set_index("account_id")
    assert (table.loc["never", ["pareto_nbd", "bg_nbd", "last_period", "actual_eur"]] == 0).all()
    assert table.drop(columns="default").notna().all(axis=None)


def test_the_ends_of_earlier_origins_are_those_known_when_the_judged_one_began(orders, cuts):
    """An order of which we learned a year late was in no number that anybody could choose by."""
    earlier, judged = cuts[-2:]
    late = orders.copy()
    first = late.index[late["day"] >= earlier][0]
    late.loc[first, "known_at"] = judged + pd.Timedelta(days=1)
    one, two = (spend_rolled.rolled(rows, [earlier, judged], QUESTION) for rows in (orders, late))
    account, amount = orders.loc[first, ["account_id", "amount_eur"]]
    at = (one["cut"] == earlier) & (one["account_id"] == account)
    told = [rows.loc[at, "actual_eur"].item() for rows in (one, two)]
    assert told[0] - told[1] == pytest.approx(amount)


# The choice


def origin(cut, better, seed, count=400):
    """`one` is the default, `other` is ahead of it where `better`; a third has a gap."""
    rng = np.random.default_rng(seed)
    actual = rng.lognormal(3, 1, count) * (rng.random(count) < 0.5)
    rough = actual * rng.lognormal(0, 1.5, count) + rng.lognormal(2, 1, count)
    fine = actual + rng.lognormal(0, 0.2, count)
    table = pd.DataFrame({"cut": pd.Timestamp(cut), "account_id": range(count)})
    table = table.assign(actual_eur=actual, one=rough, other=fine if better else rough)
    return table.assign(default="one")


def three(*better):
    years = ("2023-01-01", "2023-07-01", "2024-07-01")
    told = enumerate(zip(years, better, strict=True))
    parts = [origin(day, good, seed) for seed, (day, good) in told]
    return pd.concat(parts, ignore_index=True)


JUDGED = pd.Timestamp("2024-07-01")


@pytest.mark.parametrize(
    ("better", "name"),
    [
        ((True, True, True), "other"),
        ((True, True, False), "other"),
        ((True, False, True), "one"),
        ((False, True, True), "one"),
        ((False, False, True), "one"),
    ],
)
def test_another_candidate_wins_only_by_every_earlier_origin(better, name):
    assert spend_rolled.chosen(three(*better), JUDGED) == name


def test_ahead_by_chance_alone_does_not_win():
    table = three(False, False, False)
    noise = np.random.default_rng(5).lognormal(0, 0.01, len(table))
    table["other"] = table["one"] * noise
    for name in ("one", "other"):
        assert spend_rolled.chosen(table.assign(default=name), JUDGED) == name


def test_of_two_that_are_ahead_the_one_with_the_better_order_wins():
    table = three(True, True, True)
    table["best"] = table["actual_eur"]
    assert spend_rolled.chosen(table, JUDGED) == "best"


@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1))
def test_the_choice_does_not_depend_on_the_judged_year(seed):
    rng = np.random.default_rng(seed)
    table = three(True, True, True)
    last = table["cut"] == JUDGED
    table.loc[last, "actual_eur"] = rng.permutation(table.loc[last, "actual_eur"]) * rng.random()
    assert spend_rolled.chosen(table, JUDGED) == "other"


def test_another_judged_year_in_the_orders_gives_the_same_choice(table, orders, cuts):
    name = spend_rolled.chosen(table, cuts[-1])
    changed = orders.copy()
    late = changed["day"] >= cuts[-1]
    changed.loc[late, "amount_eur"] = changed.loc[late, "amount_eur"].to_numpy()[::-1] * 50
    again = spend_rolled.rolled(changed, cuts, QUESTION)
    assert spend_rolled.chosen(again, cuts[-1]) == name
    earlier = [rows[rows["cut"] != cuts[-1]] for rows in (table, again)]
    pd.testing.assert_frame_equal(*earlier)


def test_without_an_earlier_origin_the_default_is_used():
    table = three(True, True, True)
    assert spend_rolled.chosen(table[table["cut"] == JUDGED], JUDGED) == "one"


def test_a_candidate_that_could_not_be_fitted_everywhere_is_none():
    table = three(True, True, True)
    table.loc[table["cut"] != JUDGED, "other"] = np.nan
    assert spend_rolled.candidates(table) == ["one"]
    assert spend_rolled.chosen(table, JUDGED) == "one"
    assert spend_rolled.chosen(table.assign(default="other"), JUDGED) == "other"


# How it went


def test_the_card_has_the_best_order_first_and_one_line_a_candidate():
    table = three(True, True, True)
    card = spend_rolled.card(table)
    assert card["candidate"].tolist() == ["other", "one"]
    for row in card.itertuples():
        assert row.gini == sm.gini(table["actual_eur"].to_numpy(), table[row.candidate].to_numpy())


def test_the_zero_trap_is_what_nobody_spends_would_get():
    table = three(True, True, True)
    trap = spend_rolled.zero_trap(table)
    assert trap["nobody_mae_eur"] == pytest.approx(table["actual_eur"].mean())
    errors = [(table["actual_eur"] - table[name]).abs().mean() for name in ("one", "other")]
    assert trap["least_mae_eur"] == pytest.approx(min(errors))


def test_the_chosen_one_is_compared_with_every_other():
    table = three(True, True, True)
    versus = spend_rolled.versus(table, "other")
    assert versus["candidate"].tolist() == ["one"]
    line = versus.iloc[0]
    assert 0 < line["low"] < line["difference"] < line["high"]
    back = spend_rolled.versus(table, "one").iloc[0]
    assert back["difference"] == pytest.approx(-line["difference"])


def test_intervals_hold_what_they_promise_and_the_whole_stands_last(table, orders, cuts):
    judged = table[table["cut"] == cuts[-1]].reset_index(drop=True)
    told = spend_rolled.with_interval(orders, cuts[-1], QUESTION, judged, judged["default"].iloc[0])
    pd.testing.assert_frame_equal(told[list(judged)], judged)
    assert (told["lower_eur"] >= 0).all()
    assert (told["lower_eur"] <= told["upper_eur"]).all()
    covered = spend_rolled.covered(told)
    assert covered["group"].iloc[-1] == "all"
    inside = told["actual_eur"].between(told["lower_eur"], told["upper_eur"])
    assert covered["covered_share"].iloc[-1] == pytest.approx(inside.mean())
    assert covered["count"].iloc[-1] == len(told) == covered["count"].iloc[:-1].sum()
    assert 0.8 <= inside.mean() <= 1


def test_intervals_do_not_read_the_judged_year(table, orders, cuts):
    judged = table[table["cut"] == cuts[-1]].reset_index(drop=True)
    known = orders[orders["day"] < cuts[-1]]
    one, two = (
        spend_rolled.with_interval(rows, cuts[-1], QUESTION, judged, judged["default"].iloc[0])
        for rows in (orders, known)
    )
    pd.testing.assert_frame_equal(one, two)
