"""The page of expected spend says no more than the judged year shows, and leaves an honest list."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from small_shop import purchases, shop
from tierwise import files
from tierwise.companies import purchases as pu
from tierwise.companies import spend, spend_page, spend_rolled

QUESTION = spend.Question(180.0)


@pytest.fixture(scope="module")
def orders():
    return pu.orders(purchases(shop(seed=1)))


@pytest.fixture(scope="module")
def until(orders):
    return pu.days_ahead(orders["day"].max(), 1) + pd.Timedelta(hours=7)


@pytest.fixture(scope="module")
def now(orders, until):
    ids = pd.Index(orders["account_id"].unique())
    called = pd.Series([f"Shop {one}" for one in ids], ids)
    return spend_page.now(orders, until, QUESTION, "pareto_nbd_all", called)


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("{}\n")
    (tmp_path / "dvc.yaml").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ahead(low, high, name="last_period"):
    line = {"candidate": name, "difference": (low + high) / 2, "low": low, "high": high}
    return pd.DataFrame([{**line, "candidate": "own_rate", "low": -9.0, "high": 9.0}, line])


# The verdict


@pytest.mark.parametrize(
    ("low", "high", "kind", "words"),
    [
        (0.01, 0.05, "supported", "The order is better than the simplest rule beyond doubt. "),
        (-0.05, -0.01, "not supported", "The simplest rule orders accounts better. "),
        (-0.01, 0.05, "not supported", "No better order than by the simplest rule, as far as "),
        (0.0, 0.0, "not supported", "No better order than by the simplest rule, as far as "),
        (0.0, 0.05, "not supported", "No better order than by the simplest rule, as far as "),
    ],
)
def test_the_verdict_is_what_the_interval_allows(low, high, kind, words):
    found, sentence = spend_page.judgement(ahead(low, high), "mean")
    assert found == kind
    assert sentence.startswith(words)
    told = f"{(low + high) / 2:+.3f} in the normalised Gini ({low:.3f} to {high:.3f})."
    assert sentence.endswith(told)
    assert "mean of Pareto/NBD and trees against what was spent last time" in sentence


def test_where_the_simplest_rule_itself_is_used_nothing_is_claimed():
    rng = np.random.default_rng(0)
    actual = rng.lognormal(3, 1, 200)
    judged = pd.DataFrame({"actual_eur": actual, "last_period": actual, "own_rate": actual[::-1]})
    versus = spend_rolled.versus(judged.assign(cut=0, account_id=range(200)), "last_period")
    kind, sentence = spend_page.judgement(versus, "last_period")
    assert kind == "not supported"
    assert "what was spent last time" in sentence


def test_every_candidate_has_words_of_its_own(orders, until):
    found = spend_rolled.rolled(orders, [pu.at_midnight(until)], QUESTION)
    known = {*spend_rolled.candidates(found), "two_part", "mean"}
    assert known == set(spend_page.WORDS)
    assert len(set(spend_page.WORDS.values())) == len(known)
    card = spend_page.spoken(spend_rolled.card(found.assign(actual_eur=found["own_rate"])))
    assert set(card["candidate"]) <= set(spend_page.WORDS.values())
    assert set(spend_page.FORMATS) <= set(card)


def test_cards_tell_what_the_rows_give():
    judged = pd.DataFrame(
        {
            "actual_eur": [600.0, 300.0, 100.0, *[0.0] * 17],
            "mean": [900.0, 500.0, 100.0, *np.linspace(9, 1, 17)],
            "last_period": [0.0, 100.0, 50.0, *[0.0] * 17],
        }
    )
    cards = {card["label"]: card for card in spend_page.cards(judged, "mean")}
    assert cards["accounts judged"] == {
        "label": "accounts judged",
        "value": "20",
        "note": "15% spent anything",
    }
    first = cards["spend in the first tenth"]
    assert (first["value"], first["note"]) == ("90.0 %", "40.0 % by what was spent last time")
    assert cards["order (normalised Gini)"]["value"] == "1.000"
    assert cards["total expected less spent"]["value"] == "58.5 %"


def test_the_trap_is_told_in_money():
    told = spend_page.trapped({"nobody_mae_eur": 1234.4, "least_mae_eur": 987.0})
    assert "has a mean absolute error of €1,234;" in told
    assert told.endswith("candidates is €987.")


# The list


def test_the_list_has_every_account_once_the_largest_first_with_its_range(now, orders, until):
    assert sorted(now["account_id"]) == sorted(orders["account_id"].unique())
    assert now["expected_eur"].is_monotonic_decreasing
    assert (now["name"] == "Shop " + now["account_id"]).all()
    assert (now["lower_eur"] >= 0).all()
    assert (now["lower_eur"] <= now["upper_eur"]).all()
    assert now["upper_eur"].iloc[0] > now["expected_eur"].iloc[0] > 0
    assert (now["as_of"] == until.floor("D")).all()
    assert set(spend_page.LIST) <= set(now)
    assert set(spend_page.LIST_FORMATS) <= set(spend_page.LIST)


def test_equal_accounts_stand_in_the_order_of_their_numbers(orders, until):
    ids = pd.Index(orders["account_id"].unique())
    told = spend_page.now(orders, until, QUESTION, "last_period", pd.Series(ids, ids))
    silent = told[told["expected_eur"] == 0]
    assert len(silent) > 5
    assert silent["account_id"].is_monotonic_increasing


def test_the_list_tells_what_was_spent_last_and_what_the_chosen_candidate_expects(
    now, orders, until
):
    found = spend.expected(orders, until.floor("D"), QUESTION).table
    own = now.set_index("account_id")
    for name, column in (("pareto_nbd_all", "expected_eur"), ("last_period", "last_period_eur")):
        np.testing.assert_allclose(own[column], found[name].reindex(own.index))


def test_an_account_without_an_order_is_in_the_list_and_said_to_be_so(orders, until):
    ids = pd.Index([*orders["account_id"].unique(), "never"], name="account_id")
    size = pd.DataFrame({"size": np.arange(len(ids), dtype=float)}, ids)
    asked = spend.Question(180.0, None, lambda cut: size)
    told = spend_page.now(orders, until, asked, "pareto_nbd_all", pd.Series(ids, ids))
    never = told[told["account_id"] == "never"].iloc[0]
    assert never["what_is_known"] == "no order so far"
    assert never["expected_eur"] == never["lower_eur"] == never["last_period_eur"] == 0


@pytest.mark.parametrize(
    ("count", "idle", "gap", "words"),
    [
        (1.0, 40.0, np.nan, "one order, the last one 40 days ago"),
        (3.0, 1200.0, 30.4, "3 orders, the last one 1,200 days ago, usually every 30"),
        (2.0, 5.0, 0.0, "2 orders, the last one 5 days ago"),
        (0.0, np.nan, np.nan, "no order so far"),
        (np.nan, np.nan, np.nan, "no order so far"),
    ],
)
def test_what_is_known_of_an_account_is_said_in_words(count, idle, gap, words):
    row = SimpleNamespace(order_count=count, idle_days=idle, mean_gap_days=gap)
    assert spend_page.known(row) == words


def test_words_of_the_list_follow_from_the_orders(now, orders, until):
    raw = orders[orders["is_order"]].groupby("account_id")["day"].agg(["size", "max"])
    for row in now.itertuples():
        count, last = raw.loc[row.account_id]
        idle = (until.floor("D") - last).days - 1  # the day of the cut is not over
        told = "one order" if count == 1 else f"{count} orders"
        assert row.what_is_known.startswith(f"{told}, the last one {idle:,} days ago")


# What is left


def test_what_is_saved_comes_back(project, now):
    spend_page.save("mine", now)
    path = project / "models/mine/account_spend.parquet"
    pd.testing.assert_frame_equal(files.read_parquet(path), now, check_dtype=False)


def test_metrics_hold_the_sentence_the_choice_and_no_number_that_json_lacks(project, orders):
    until = pu.days_ahead(orders["day"].max(), 1)
    cut = pu.days_ahead(until, -180)
    judged = spend_rolled.rolled(orders, [cut], QUESTION)
    told = spend_rolled.with_interval(orders, cut, QUESTION, judged, judged["default"].iloc[0])
    found = {"card": spend_rolled.card(judged), "covered": spend_rolled.covered(told)}
    found["versus"] = spend_rolled.versus(judged, "pareto_nbd_all")
    about = {"application": "mine", "simulated": True, "data_version": "0123"}
    spend_page.save_metrics(about, judged, found, "pareto_nbd_all")
    saved = files.read_json(project / "metrics/mine/account_spend.json")
    kind, sentence = spend_page.judgement(found["versus"], "pareto_nbd_all")
    assert (saved["verdict"], saved["sentence"]) == (kind, sentence)
    assert saved["chosen"] == "pareto_nbd_all"
    assert saved["judged_from"].startswith(f"{cut:%Y-%m-%d}")
    assert saved["accounts_count"] == len(judged)
    assert [line["candidate"] for line in saved["candidates"]] == [*found["card"]["candidate"]]
    assert saved["intervals"][-1]["group"] == "all"
    assert saved["interval_share"] == 0.9
