"""A challenger takes over when it is better beyond luck, and for no other reason."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from tierwise import retraining
from tierwise.files import InputError

START = pd.Timestamp("2026-01-05 08:00")
NOTHING = pd.DataFrame({"column": ["a", "b"], "verdict": ["stable", "watch"]})
MOVED = pd.DataFrame({"column": ["Lead_Source", "b"], "verdict": ["moved", "stable"]})
QUIET, RINGING = {"rings": False}, {"rings": True}


def logistic(z):
    return 1 / (1 + np.exp(-z))


def rows(champion=1.0, challenger=1.0, count=3000, seed=0, level=0.0, noise=0.0):
    """Rows of 12 weeks and 10 owners; of what is true each model knows so much, and noise."""
    random = np.random.default_rng(seed)
    z = random.normal(-1.8, 1.2, count)
    at = START + pd.to_timedelta(np.sort(random.integers(0, 12 * 7 * 24, count)), unit="h")

    def believed(knows, off):
        return logistic(-1.8 + knows * (z + 1.8) + off + noise * random.normal(size=count))

    return pd.DataFrame(
        {
            "scored_at": at,
            "owner_id": random.integers(10, size=count).astype(str),
            "outcome": (random.random(count) < logistic(z)).astype(float),
            "champion": believed(champion, level),
            "challenger": believed(challenger, 0.0),
        }
    )


def test_a_challenger_that_knows_more_passes():
    found = retraining.gate(rows(champion=0.3), START)
    assert found["passed"]
    assert found["sentence"].startswith("The challenger is better: log loss lower by ")
    loss, auc = found["measures"]
    assert loss["gain"] == pytest.approx(loss["champion"] - loss["challenger"])
    assert loss["interval"][0] > 0 < auc["challenger"]


def test_figures_are_those_of_scikit_learn():
    table = rows(champion=0.5, count=900)
    loss = retraining.gate(table, START)["measures"][0]
    for name in ("champion", "challenger"):
        assert loss[name] == pytest.approx(log_loss(table["outcome"], table[name]), abs=1e-12)


def test_the_same_model_never_passes():
    table = rows()
    table["challenger"] = table["champion"]
    found = retraining.gate(table, START)
    assert not found["passed"]
    assert found["measures"][0]["interval"] == [0.0, 0.0]


def test_a_challenger_that_is_as_good_passes_in_one_of_twelve_worlds_at_most():
    """Both see the truth through noise of their own."""
    passed = [
        retraining.gate(rows(0.8, 0.8, 600, seed, noise=0.3), START)["passed"] for seed in range(12)
    ]
    assert sum(passed) <= 1


def test_better_chances_in_a_worse_order_do_not_pass():
    """The champion's level is far off, its order is right; the challenger hardly ranks."""
    found = retraining.gate(rows(1.0, 0.3, level=2.5, noise=0.4), START)
    loss, auc = found["measures"]
    assert loss["interval"][0] > 0
    assert auc["interval"][1] < 0
    assert not found["passed"]
    assert found["sentence"].startswith("The challenger ranks worse: ")


def test_an_order_that_stays_as_it_was_is_no_objection():
    """Only the level is put right, which no ranking sees."""
    table = rows(level=1.0)
    table["challenger"] = logistic(np.log(table["champion"] / (1 - table["champion"])) - 1.0)
    found = retraining.gate(table, START)
    assert found["passed"]
    assert found["measures"][1]["gain"] == 0.0


@pytest.mark.parametrize("change", [{"count": 400}, {"count": 600}])
def test_too_few_outcomes_are_no_judge(change):
    table = rows(champion=0.0, **change)
    if change["count"] == 600:
        table["outcome"] = (np.arange(600) % 25 == 0).astype(float)
    found = retraining.gate(table, START)
    assert not found["passed"]
    assert found["measures"] == []
    assert found["sentence"].startswith("Too few outcomes")


def test_a_challenger_that_has_seen_the_rows_is_refused():
    with pytest.raises(InputError, match="1,?[0-9]+ of 3,000 rows were scored before that"):
        retraining.gate(rows(), START + pd.Timedelta(weeks=6))


@pytest.fixture(scope="module")
def gates():
    return {
        "passed": retraining.gate(rows(champion=0.3, count=1500), START),
        "no better": retraining.gate(rows(0.3, 0.3, count=1500), START),
        "few": retraining.gate(rows(count=100), START),
    }


@pytest.mark.parametrize(
    ("gate", "moved", "order", "decision"),
    [
        ("passed", NOTHING, QUIET, "replace the model"),
        ("passed", MOVED, RINGING, "replace the model"),
        ("no better", NOTHING, QUIET, "keep the model"),
        ("no better", MOVED, QUIET, "look for the cause"),
        ("no better", NOTHING, RINGING, "look for the cause"),
        ("few", NOTHING, QUIET, "too early to say"),
        ("few", NOTHING, RINGING, "look for the cause"),
    ],
)
def test_the_decision_follows_the_rule_that_was_fixed_beforehand(
    gates, gate, moved, order, decision
):
    found = retraining.decide(moved, order, gates[gate])
    assert found["decision"] == decision
    assert found["gate"] is gates[gate]
    assert found["sentence"].lower().startswith(decision)
    assert gates[gate]["sentence"] in found["sentence"]
    assert ("1 column moved (Lead_Source)" in found["sentence"]) == (moved is MOVED)
    assert ("an alarm rings" in found["sentence"]) == order["rings"]
