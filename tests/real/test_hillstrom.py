"""Hillstrom's e-mail test of 2008: known means come out, and uplift is ahead of response.

Set TIERWISE_REAL_DATA to the folder that holds hillstrom/hillstrom.csv; it takes half a minute.
64,000 customers, a third each got by lot an e-mail about men's goods, one about women's, or none.
`benchmarks/uplift.py` judges all ways on more splits.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tierwise.targeting import choice, effects, effects_by, judged, learners, pays, qini

DATA = os.environ.get("TIERWISE_REAL_DATA", "")
FILE = Path(DATA) / "hillstrom" / "hillstrom.csv"
NONE, WOMENS, MENS = "No E-Mail", "Womens E-Mail", "Mens E-Mail"
COLUMNS = ["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]
WAYS = ("rule", "response_model", "t_logistic", "rule_and_rest", "blend")

pytestmark = pytest.mark.skipif(
    not DATA or not FILE.is_file(), reason="TIERWISE_REAL_DATA holds no hillstrom/hillstrom.csv"
)


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(FILE)


def past(table, arm, outcome, rule):
    part = table[table["segment"].isin([arm, NONE])].reset_index(drop=True)
    treated = (part["segment"] == arm).to_numpy()
    return learners.past(part[COLUMNS], treated, part[outcome].to_numpy(float), 0.5, rule=rule)


@pytest.fixture(scope="module")
def womens(table):
    return past(table, WOMENS, "visit", "womens")


def halves(given):
    splits = choice.splits(given, {name: learners.CANDIDATES[name] for name in WAYS}, 1)
    return [
        judged.over_splits(splits, given.treated, given.outcome, other).set_index("ranker")
        for other in ("rule", "response_model")
    ]


@pytest.fixture(scope="module")
def visits(womens):
    return halves(womens)


@pytest.mark.parametrize(
    ("arm", "visit", "conversion", "spend"),
    [(MENS, 18.28, 1.25, 1.42), (NONE, 10.62, 0.57, 0.65), (WOMENS, 15.14, 0.88, 1.08)],
)
def test_means_of_the_arms_are_those_published(table, arm, visit, conversion, spend):
    part = table[table["segment"] == arm]
    assert 100 * part["visit"].mean() == pytest.approx(visit, abs=0.005)
    assert 100 * part["conversion"].mean() == pytest.approx(conversion, abs=0.005)
    assert part["spend"].mean() == pytest.approx(spend, abs=0.005)


@pytest.mark.parametrize(
    ("arm", "outcome", "points"),
    [(WOMENS, "visit", 4.52), (MENS, "visit", 7.66), (WOMENS, "conversion", 0.31), (MENS, "conversion", 0.68)],
)  # fmt: skip
def test_effects_are_those_published_and_beyond_luck(table, arm, outcome, points):
    given = past(table, arm, outcome, None)
    found = effects.difference(given.outcome, given.treated)
    assert 100 * found.value == pytest.approx(points, abs=0.005)
    assert found.low > 0
    known = pd.get_dummies(given.features, dtype=float).to_numpy()
    narrow = effects.adjusted(given.outcome, given.treated, known)
    assert narrow.value == pytest.approx(found.value, abs=0.001)
    assert narrow.high - narrow.low < found.high - found.low


def test_the_e_mail_about_womens_goods_changes_those_who_bought_such_goods(womens):
    bought = womens.features["womens"].map({0: "other", 1: "women's"}).to_numpy()
    found = effects_by.by_segment(womens.outcome, womens.treated, bought)
    assert found.alike_p < 1e-10
    effect = found.table.set_index("segment")
    assert effect.loc["women's", "effect"] == pytest.approx(0.0731, abs=1e-4)
    assert effect.loc["women's", "low_all"] > 0.06
    assert effect.loc["other", "high_all"] < 0.022


def test_the_one_line_rule_has_the_qini_of_a_count_by_hand(womens):
    """Two groups: a triangle between the curve and the straight line."""
    rule, w, y = womens.features["womens"].to_numpy() == 1, womens.treated, womens.outcome
    n_t, n_c = (rule & w).sum(), (rule & ~w).sum()
    gain = (y[rule & w].sum() - y[rule & ~w].sum() * n_t / n_c) / len(y)
    total = (y[w].sum() - y[~w].sum() * w.sum() / (~w).sum()) / len(y)
    want = (gain - total * rule.mean()) / 2
    assert qini.qini(rule, w, y) == pytest.approx(want)
    assert want == pytest.approx(0.003856, abs=1e-6)
    learned = learners.rule(learners.past(womens.features, w, y, 0.5))  # and finds it by itself
    assert qini.qini(learned(womens.features), w, y) == pytest.approx(want)


def test_uplift_and_the_rule_are_ahead_of_targeting_by_response(visits):
    against_rule, against_response = visits
    for name in ("rule", "t_logistic", "rule_and_rest", "blend"):
        assert against_response.loc[name, "ahead_low"] > 0.001
    assert against_response.loc["response_model", "qini"] < 0.002
    # No learner is clearly ahead of the rule, or clearly behind it: an honest tie.
    for name in ("t_logistic", "rule_and_rest", "blend"):
        assert against_rule.loc[name, "ahead_low"] < 0 < against_rule.loc[name, "ahead_high"]


def test_the_rule_is_kept_where_learners_only_tie_with_it(womens):
    ways = {name: learners.CANDIDATES[name] for name in WAYS}
    assert choice.choose(womens, ways, repeats_count=1).name == "rule"


def test_for_mens_goods_the_rule_of_its_kind_is_worth_little(table):
    given = past(table, MENS, "visit", "mens")
    found = judged.figure(given.features["mens"].to_numpy(), given.treated, given.outcome)
    assert found.value < 0.002


def test_an_e_mail_pays_by_what_is_spent_more_and_not_by_what_is_spent(table):
    given = past(table, WOMENS, "spend", None)
    found = pays.pays(given.outcome, given.treated, value_eur=0.3, cost_eur=0.05)
    added = effects.difference(given.outcome, given.treated)
    assert added.value == pytest.approx(0.4244, abs=1e-4)
    assert found["net_eur"]["value"] == pytest.approx(1000 * (0.3 * added.value - 0.05))
    assert found["verdict"] == "pays"
    assert found["outcomes_count"] == pytest.approx(1077.2, abs=0.1)
    assert pays.pays(given.outcome, given.treated, 0.3, cost_eur=0.15)["verdict"] == "can't tell"
    assert np.isfinite(found["highest_reward_eur"])
