"""The simulated world knows the true chances; the ranking of its leads is held against them."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from test_leads import QUESTION
from tierwise import dataset, evaluation, leakage, models, snapshot, tiers
from tierwise import examples as ex
from tierwise.applications import leads
from tierwise.leakage import auc
from tierwise.simulation import truth, world
from tierwise.simulation.settings import Settings


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """The later rows of a world of 3,000 deals: outcome, true chance, what a model and a rule say."""
    folder = tmp_path_factory.mktemp("world")
    world.write(folder / "raw", Settings(deals_count=3000, seed=3), folder / "truth")
    snapshot.fetch(folder / "raw", folder / "tables")
    examples, columns, _ = leads.build(leads.read(folder / "tables", QUESTION), QUESTION)
    ready, _ = dataset.ready(columns, examples["as_of"])
    examples["span"] = ex.spans(examples, 0.30, 0.25)
    early = ex.before_judging(examples)
    audit = leakage.audit(
        columns[early],
        examples.loc[early, "as_of"],
        examples.loc[early, "outcome"].to_numpy(),
        dated=leads.dated(QUESTION),
    )
    ready = ready.drop(columns=audit.loc[audit["reason"] != "", "column"])
    learn, judge = (examples["span"] == span for span in ("learn", "judge"))
    model, _ = models.fit("xgboost", ready[learn], examples.loc[learn, "outcome"].to_numpy())
    who, when = examples["entity_id"].astype("int64"), examples["as_of"]
    chances = truth.chances(
        truth.read(folder / "truth"), who.to_numpy(), when.to_numpy("datetime64[us]"), 30
    )
    return examples.assign(
        truth=chances, chance=models.chance(model, ready), stage=ready["stage_last"].fillna(0)
    )[judge]


def aucs(judged):
    outcome = judged["outcome"].to_numpy()
    return {name: auc(outcome, judged[name].to_numpy()) for name in ("truth", "chance", "stage")}


def test_true_chances_come_true(judged):
    outcome, chance = judged["outcome"].to_numpy(), judged["truth"].to_numpy()
    assert evaluation.calibration_error(outcome, chance) < 0.04
    assert abs(outcome.mean() - chance.mean()) < 0.02


def test_the_model_lies_between_the_rule_and_the_best_that_is_possible(judged):
    """Further down the pipeline first is better than a coin, and far from what can be known."""
    found = aucs(judged)
    assert 0.53 < found["stage"] < found["chance"] - 0.05
    assert found["truth"] - 0.13 < found["chance"] < found["truth"]
    assert 0.78 < found["truth"] < 0.88


def test_the_tiers_sort_the_deals_by_their_true_chance(judged):
    score = judged["chance"].to_numpy()
    cuts = tiers.cuts(score, {"A": 0.2, "B": 0.3, "C": 0.5})
    tier = tiers.assign(score, cuts, "C")
    mean = judged["truth"].groupby(tier).mean()
    assert mean["A"] > 1.5 * mean["B"] > 1.5 * 1.5 * mean["C"]


def test_the_truth_rises_with_the_chance_that_the_model_gives(judged):
    tenth = pd.qcut(judged["chance"].rank(method="first"), 10, labels=False)
    mean = judged["truth"].groupby(tenth).mean()
    assert spearmanr(mean, np.arange(10)).statistic > 0.9
