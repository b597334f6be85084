"""The rules of choice, at their limits."""

import joblib
import numpy as np
import pandas as pd
import pytest

from tierwise import evaluation, rolling, selection
from tierwise import examples as ex

SIMPLE = ["base_rate", "best_single_column", "naive_bayes", "logistic_regression"]


def table_of(aucs):
    return pd.DataFrame({"candidate": list(aucs), "auc": list(aucs.values())})


@pytest.mark.parametrize(
    ("tolerance", "chosen"), [(0.0, "forest"), (0.009, "forest"), (0.011, "points"), (0.3, "rate")]
)
def test_the_simplest_within_the_tolerance_of_the_best_is_chosen(tolerance, chosen):
    aucs = table_of({"rate": 0.5, "points": 0.69, "forest": 0.70, "boosting": 0.65})
    assert selection.choose(aucs, tolerance) == chosen


def test_of_equals_the_first_is_chosen_whatever_the_tolerance():
    assert selection.choose(table_of({"simple": 0.7, "complex": 0.7}), 0.0) == "simple"


def compared(won, signal, seed=0):
    """The whole comparison on features with `signal` in one column."""
    random = np.random.default_rng(seed + 100)
    count = len(won)
    features = pd.DataFrame(random.normal(size=(count, 3)).astype("float32"), columns=list("abc"))
    features["b"] += (signal * won).astype("float32")
    rows = pd.DataFrame({"as_of": range(count), "outcome_known_at": range(count)})
    periods = ex.by_period(rows, 4, 0.4)
    with joblib.parallel_config(backend="sequential"):
        table = rolling.origin(features, won, periods, SIMPLE).table
    log = evaluation.by_period(table, SIMPLE, 0.2)
    summary = evaluation.summary(table, log, SIMPLE)
    return summary, selection.choose(summary[1:], 0.005)


def test_a_planted_signal_ranks():
    won = (np.random.default_rng(0).random(800) < 0.3).astype(float)
    summary, chosen = compared(won, signal=1.0)
    assert chosen == "best_single_column"
    assert selection.can_rank(summary, chosen, 0.01)
    assert selection.sentence(summary, chosen, True).startswith("Yes: best single column")


def test_shuffled_labels_never_rank_not_even_for_the_best_of_the_candidates():
    for seed in range(3):
        won = (np.random.default_rng(seed).random(300) < 0.3).astype(float)
        summary, chosen = compared(won, signal=0.0, seed=seed)
        assert not selection.can_rank(summary, chosen, 0.01)
        assert "tiers are not issued" in selection.sentence(summary, chosen, False)


@pytest.mark.parametrize(
    ("rank_p", "doubt", "able"),
    [(0.001, 0.01, True), (0.0049, 0.049, True), (0.0051, 0.01, False), (0.001, 0.05, False)],
)
def test_both_rules_must_hold_and_the_p_is_shared_among_the_candidates_tried(rank_p, doubt, able):
    summary = pd.DataFrame(
        {"candidate": ["base_rate", "a", "b"], "auc": 0.6, "rank_p": [0.5, rank_p, rank_p]}
    )
    summary["doubt_share"] = [1.0, doubt, doubt]
    assert selection.can_rank(summary, "a", 0.01) == able


def test_the_base_rate_can_not_rank():
    won = (np.random.default_rng(0).random(300) < 0.3).astype(float)
    summary, _ = compared(won, signal=1.0)
    assert not selection.can_rank(summary, "base_rate", 0.01)


def test_a_baseline_is_never_chosen_however_high_its_figure():
    """On pure noise the recent rate ranks above 0.5 inside periods half of the time."""
    aucs = table_of({"base_rate": 0.5, "recent_rate": 0.57, "points": 0.52, "forest": 0.53})
    aucs = aucs.assign(rank_p=[0.5, 1e-4, 0.3, 0.2], doubt_share=[1.0, 0.0, 0.4, 0.3])
    assert selection.choose(selection.ranking(aucs, 0.01, 0.05), 0.0) == "forest"
    assert selection.candidate(aucs, "forest", False, 0.0) == "forest"
    aucs["auc_interval"] = [[0.4, 0.6]] * 4
    assert "best AUC inside periods 0.530, forest" in selection.sentence(aucs, "forest", False)
