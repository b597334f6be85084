"""The rules of choice, at their limits."""

import joblib
import numpy as np
import pandas as pd
import pytest

from tierwise import candidates, evaluation, frozen, models, rolling, selection, value_rates
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


def found_by(settings, weights=(0.2, 0.8)):
    return rolling.Rolled(pd.DataFrame(), dict(settings), weights)


def with_wins(count):
    return np.r_[np.ones(count), np.zeros(2 * count)]


FEATURES = pd.DataFrame({"age": [1.0, 2.0], "job": ["a", "b"]})


def test_the_table_of_settings_has_what_is_chosen_and_the_whole_budget():
    chosen = {name: tried[-1] for name, tried in candidates.SEARCHED.items()}
    rates = FEATURES.assign(**{f"{value_rates.PREFIX}job": [0.1, 0.2]})
    given = candidates.SEARCHED, found_by(chosen), rates, with_wins(2000)
    linear, trees = selection.settings(*given).to_dict("records")
    assert (linear["blend_weight"], trees["blend_weight"]) == (0.2, 0.8)
    assert linear["half_life"] == trees["half_life"] == "none"
    assert (linear["value_rates"], trees["value_ranks"]) == ("yes", "yes")
    assert (trees["tree_depth"], trees["rounds_count"]) == (5, 60)
    assert pd.isna(linear["tree_depth"])
    assert (linear["settings_count"], trees["settings_count"]) == (4, 5)
    assert (linear["fits_count"], trees["fits_count"]) == (4, 3)
    assert "9 settings in 7 fits a period, 3 of them of trees" in selection.budget(
        selection.settings(*given)
    )


def test_settings_that_a_table_has_no_columns_for_are_not_counted():
    first = {name: tried[0] for name, tried in candidates.SEARCHED.items()}
    table = selection.settings(candidates.SEARCHED, found_by(first), FEATURES, with_wins(2000))
    assert table["settings_count"].tolist() == [2, 5]
    assert table["half_life"].tolist() == ["2,000 rows"] * 2


def test_the_table_has_the_trees_that_are_fitted_not_those_that_many_rows_would_allow():
    deep = {name: tried[-1] for name, tried in candidates.SEARCHED.items()}
    few = with_wins(100)
    table = selection.settings(candidates.SEARCHED, found_by(deep), FEATURES, few)
    features = pd.DataFrame({"x": np.linspace(0, 1, len(few), dtype="float32")})
    model = models.fit("recent_boosting", features, few, deep["recent_boosting"])[0].parts[0][-1]
    assert table["tree_depth"].iloc[1] == model.get_params()["max_depth"] == 3
    assert table["rounds_count"].iloc[1] == model.get_params()["n_estimators"]


def test_where_nothing_has_settings_nothing_is_said_to_be_searched():
    lasting = frozen.searched("frozen")
    table = selection.settings(lasting, found_by({}, ()), FEATURES, with_wins(5))
    assert table.empty
    held = {"recent_boosting": lasting["recent_boosting"][0]}
    alone = selection.settings(lasting, found_by(held, ()), FEATURES, with_wins(5))
    assert alone["blend_weight"].isna().all()
    for found in (table, alone):
        assert selection.budget(found).startswith("Nothing is searched")
