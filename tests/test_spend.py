"""Expected spend: what each candidate may see, when it gives way, what it is worth on simulated accounts."""

import numpy as np
import pandas as pd
import pytest

from tierwise.companies import purchases as pu
from tierwise.companies import spend as sp
from tierwise.companies import spend_measures as sm
from tierwise.companies import spend_trees
from tierwise.files import InputError

START = pd.Timestamp("2025-01-01").as_unit("us")
CUT = pd.Timestamp("2025-12-27").as_unit("us")  # 360 days later
ASKED = sp.Question(horizon_days=180)


def simulated(count, years=1.5, seed=3, rate_shape=0.6):
    """Accounts that order at rates of their own until they stop; a first order in the first 60 days.

    size: known of each account from the start, tells its rate and its order value.
    """
    random = np.random.default_rng(seed)
    rows, size = [], random.gamma(rate_shape, 1, count)
    for account in range(count):
        first = random.uniform(0, 60)
        gaps = random.exponential(60 / (size[account] + 0.05), 60)
        at = first + np.r_[0, np.cumsum(gaps)]
        at = at[at < min(years * 365, first + random.exponential(900))]
        worth = random.gamma(5, 8 * (1 + size[account]) / 5, len(at))
        rows += [
            (account, START + pd.Timedelta(days=day), eur)
            for day, eur in zip(at, worth, strict=True)
        ]
    found = pd.DataFrame(rows, columns=["account_id", "occurred_at", "amount_eur"])
    return pu.orders(found.astype({"occurred_at": "datetime64[us]"})), size


@pytest.fixture(scope="module", autouse=True)
def few_trees():
    """What holds for the mean of few trees holds for that of many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spend_trees, "SEEDS", (0, 1))
        patch.setattr(
            spend_trees, "TREES", spend_trees.TREES | {"n_estimators": 60, "learning_rate": 0.08}
        )
        yield


@pytest.fixture(scope="module")
def world():
    orders, size = simulated(900)
    return orders, size, sp.expected(orders, CUT, ASKED)


def test_every_candidate_is_there_and_the_mean_is_the_default(world):
    _, _, found = world
    assert found.default == "mean"
    assert found.why_not == {}
    assert found.table.shape == (900, 8)
    assert np.isfinite(found.table.to_numpy()).all()
    assert (found.table >= 0).all(axis=None)
    halves = found.table[["pareto_nbd_all", "two_part"]].mean(axis=1)
    pd.testing.assert_series_equal(found.eur, halves, check_names=False)


def test_the_mean_orders_accounts_better_than_the_rules_people_use(world):
    orders, _, found = world
    actual = pu.spent(orders, found.table.index, CUT, 180)
    ranked = {name: sm.gini(actual, found.table[name].to_numpy()) for name in found.table}
    assert ranked["mean"] > max(ranked["last_period"], ranked["own_rate"]) - 0.01
    assert ranked["mean"] > 0.5
    assert abs(sm.bias_share(actual, found.eur.to_numpy())) < 0.2


def test_what_happens_after_the_cut_changes_nothing(world):
    orders, _, found = world
    past = pu.known_at(orders, CUT)
    again = sp.expected(past, CUT, ASKED)
    pd.testing.assert_frame_equal(again.table, found.table, check_exact=True)


def test_last_period_is_what_was_spent_in_it(world):
    orders, _, found = world
    spent = pu.spent(pu.known_at(orders, CUT), found.table.index, pu.days_ahead(CUT, -180), 180)
    np.testing.assert_allclose(found.table["last_period"], spent)
    growth = found.table["last_period_grown"].sum() / spent.sum()
    assert growth == pytest.approx(sp.grown(pu.known_at(orders, CUT), CUT, 180))


def two_years(now_eur):
    """10 euros in the period before the last, `now_eur` in the last one."""
    days = ["2025-01-10", "2025-07-10"]
    rows = {
        "account_id": ["a", "a"],
        "occurred_at": pd.to_datetime(days),
        "amount_eur": [10.0, now_eur],
    }
    return pu.orders(pd.DataFrame(rows))


@pytest.mark.parametrize(("now_eur", "growth"), [(15.0, 1.5), (10.0, 1.0), (1e6, 10.0), (0.0, 0.1)])
def test_growth_is_that_of_all_within_bounds(now_eur, growth):
    assert sp.grown(two_years(now_eur), pd.Timestamp("2026-01-01"), 180) == pytest.approx(
        growth, rel=0.01
    )


def test_few_repeat_buyers_leave_pareto_nbd_alone():
    orders, _ = simulated(150)
    found = sp.expected(orders, CUT, ASKED)
    assert found.default == "pareto_nbd_all"
    assert "need 300" in found.why_not["two_part"]
    assert "mean" not in found.table


def test_a_handful_of_accounts_gets_its_own_rate():
    orders = two_years(20.0)
    found = sp.expected(orders, pd.Timestamp("2026-01-01"), ASKED)
    assert found.default == "own_rate"
    assert found.eur["a"] == pytest.approx(30 / 355 * 180)
    assert set(found.why_not) == {"bg_nbd", "pareto_nbd", "two_part"}


def columns_at(size):
    index = pd.RangeIndex(len(size), name="account_id")
    kind = np.where(size > 1, "large", "small")
    return lambda cut: pd.DataFrame({"size": size, "kind": kind}, index=index)


def test_columns_serve_where_nobody_ordered_twice():
    orders, size = simulated(700)
    first = orders[~orders["account_id"].duplicated()]
    later = orders[~orders.index.isin(first.index)]
    once = later[~later["account_id"].duplicated()].sample(frac=1.0, random_state=0)
    asked = sp.Question(180, None, columns_at(size))
    found = sp.expected(pu.orders(once.rename(columns={"day": "occurred_at"})), CUT, asked)
    assert found.default == "two_part"
    assert set(found.why_not) >= {"bg_nbd", "pareto_nbd"}
    assert len(found.table) == 700
    assert np.isfinite(found.eur).all()


def test_columns_tell_accounts_apart_that_never_ordered():
    orders, size = simulated(900)
    more = np.r_[size, 0.01, 3.0]  # two prospects: a small one and a large one
    found = sp.expected(orders, CUT, sp.Question(180, None, columns_at(more)))
    assert found.default == "mean"
    assert len(found.table) == 902
    assert 0 < found.eur[900] < found.eur[901]
    assert np.isnan(found.table.loc[900, "pareto_nbd_all"])


def test_a_long_table_stands_in_for_a_function():
    table = pd.DataFrame({"account_id": ["a", "b"], "cut": [CUT, CUT], "headcount": [4, 9]})
    at = sp.columns_of(table)
    assert at(CUT)["headcount"].to_dict() == {"a": 4, "b": 9}
    with pytest.raises(InputError, match="no rows for the cut 2025-01-01; it has 2025-12-27"):
        at(START)


def test_columns_that_come_and_go_are_refused():
    orders, size = simulated(900)

    def at(cut):
        name = "size" if cut == CUT else "width"
        return columns_at(size)(cut)[["size"]].set_axis([name], axis=1)

    found = sp.expected(orders, CUT, sp.Question(180, None, at))
    assert "Further columns differ between cuts: size, width" in found.why_not["two_part"]


def test_text_becomes_one_column_per_value_seen_before():
    learn, ask = spend_trees.as_numbers(
        pd.DataFrame({"x": [1.0, 2.0], "kind": ["a", "b"]}),
        pd.DataFrame({"kind": ["c", "b"], "x": [3.0, 4.0]}),
    )
    assert learn.tolist() == [[1, 1, 0], [2, 0, 1]]
    assert ask.tolist() == [[3, 0, 0], [4, 0, 1]]


def test_the_correction_brings_back_the_level_of_the_last_window():
    orders, _ = simulated(900)
    known = pu.known_at(orders, CUT)
    factor = sp.correction(known, CUT, 120, ASKED)
    halved = known.assign(amount_eur=np.where(
        known.index.isin(pu.since(known, pu.days_ahead(CUT, -120)).index),
        known["amount_eur"] / 1.5,
        known["amount_eur"],
    ))  # fmt: skip
    assert sp.correction(halved, CUT, 120, ASKED) == pytest.approx(factor / 1.5, rel=1e-6)
    assert sp.correction(known, CUT, 350, ASKED) == 1.0  # no window before that one


def test_the_window_is_a_third_unless_another_is_better_beyond_doubt():
    orders, _ = simulated(150)
    assert sp.chosen_window(orders, CUT, ASKED) == round(
        pu.history_days(orders, CUT) / 3
    )  # no trees: nothing can be better
    assert sp.chosen_window(orders, CUT, sp.Question(30)) == 30


def test_before_the_first_order_there_is_nothing_to_expect():
    with pytest.raises(InputError, match="No order and no account is known before 2024-12-01"):
        sp.expected(two_years(1.0), pd.Timestamp("2024-12-01"), ASKED)
