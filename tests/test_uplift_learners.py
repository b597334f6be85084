"""Learners find a planted uplift, response is fooled, and the rule stays unless clearly beaten."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import figures
from tierwise import plots
from tierwise.files import InputError
from tierwise.targeting import (
    choice,
    effects,
    effects_by,
    judged,
    learners,
    plots_uplift,
    qini,
    rules,
)
from tierwise.targeting.learners import CANDIDATES


def world(count=3000, seed=0, share=0.5):
    """Loyal people come anyway; the treatment changes new ones, and in the north most."""
    random = np.random.default_rng(seed)
    features = pd.DataFrame(
        {
            "loyal": random.normal(size=count).astype("float32"),
            "new": (random.random(count) < 0.5).astype("float32"),
            "area": random.choice(["north", "south", "west"], count),
            "gaps": np.where(random.random(count) < 0.3, np.nan, random.random(count)),
        }
    )
    treated = random.random(count) < share
    base = 1 / (1 + np.exp(0.3 - 1.5 * features["loyal"] + 2.5 * features["new"]))
    gain = features["new"] * (0.12 + 0.24 * (features["area"] == "north"))
    outcome = (random.random(count) < np.minimum(base + treated * gain, 1)).astype(float)
    return features, treated, outcome.to_numpy()


def given(rule=None, **settings):
    return learners.past(*world(**settings), settings.get("share", 0.5), rule=rule)


@pytest.fixture(scope="module")
def later():
    return world(8000, seed=99)


@pytest.fixture(scope="module")
def scores(later):
    past = given(seed=1)
    return {name: learner(past)(later[0]) for name, learner in CANDIDATES.items()}


@pytest.mark.parametrize("name", CANDIDATES)
def test_every_learner_but_response_finds_whom_the_treatment_changes(name, scores, later):
    assert scores[name].shape == (8000,)
    found = judged.figure(scores[name], *later[1:])
    if name == "response_model":
        assert found.high < 0  # whom it likes comes anyway
    else:
        assert found.low > 0.005


def test_learners_that_see_more_than_the_rule_are_ahead_of_it(scores, later):
    table = judged.measured(scores, *later[1:], against="rule").set_index("ranker")
    assert table.loc["blend", "ahead_low"] > 0
    assert table.loc["response_model", "ahead_high"] < 0


@pytest.mark.parametrize("name", [name for name in CANDIDATES if name != "blend"])  # of these
def test_money_and_unequal_chances_are_learned_too(name, later):
    features, _, outcome = world(450, seed=2)
    share = np.where(features["new"] == 1, 0.8, 0.4)
    treated = np.random.default_rng(3).random(450) < share
    past = learners.past(features, treated, outcome * 7.5, share)
    score = CANDIDATES[name](past)(later[0])
    assert np.isfinite(score).all()
    assert np.array_equal(score, CANDIDATES[name](past)(later[0]))


@pytest.mark.parametrize("name", CANDIDATES)
def test_where_nobody_came_every_score_is_there_and_says_nothing(name):
    features, treated, outcome = world(200, seed=3)
    score = CANDIDATES[name](learners.past(features, treated, 0 * outcome, 0.5))(features)
    assert np.isfinite(score).all()
    assert np.ptp(score) == pytest.approx(0, abs=1e-6)


def test_doubly_robust_effects_have_the_true_mean_where_chances_differ_by_person():
    random, means, plain = np.random.default_rng(4), [], []
    for _ in range(4):
        x = random.random(2000)
        share = 0.2 + 0.6 * x
        treated = random.random(2000) < share
        outcome = 3 * x**3 + 0.2 * treated + random.normal(size=2000) / 5
        past = learners.past(pd.DataFrame({"x": x}), treated, outcome, share)
        means.append(learners.doubly_robust(past).mean())
        plain.append(effects.difference(outcome, treated).value)
    assert np.mean(means) == pytest.approx(0.2, abs=0.02)
    assert np.mean(plain) > 0.5  # whoever ignores the chances takes x for the treatment


def test_clusters_stay_whole_in_folds_and_halves():
    past = given(count=300, seed=5)
    cluster = np.arange(300) // 4
    past = learners.past(past.features, past.treated, past.outcome, 0.5, cluster)
    for one in choice.splits(past, {"rule": learners.rule}, repeats_count=1):
        others = np.setdiff1d(np.arange(300), one.rows)
        assert not set(cluster[one.rows]) & set(cluster[others])
        assert abs(len(one.rows) - 150) <= 4


def test_no_row_is_scored_by_what_it_taught():
    past = given(count=400, seed=6)
    seen = []

    def spy(part):
        seen.append(set(part.features["loyal"]))
        return lambda features: np.zeros(len(features))

    splits = choice.splits(past, {"rule": spy}, repeats_count=2)
    for taught, one in zip(seen, splits, strict=True):
        assert not taught & set(past.features["loyal"].iloc[one.rows])
    assert sorted(np.concatenate([one.rows for one in splits[:2]])) == list(range(400))


def test_the_rule_that_is_found_is_the_planted_column_and_a_named_one_is_taken_as_it_is():
    past = given(seed=7)
    assert rules.strongest(past.features, past.treated, past.outcome) == "new"
    named = given(rule="new", count=200)
    assert learners.rule(named)(named.features).tolist() == named.features["new"].tolist()
    strange = past.features.assign(area="elsewhere", new=np.nan)
    assert np.isfinite(rules.by_column(*world(), "area")(strange)).all()


def test_groups_of_which_little_is_known_are_drawn_to_the_mean():
    table = pd.DataFrame(
        {"group": list("abc"), "effect": [0.0, 0.1, 0.9], "error": [0.01, 0.01, 0.6]}
    )
    found = rules.drawn_to_mean(table, rules.mean_of(table))
    assert found["c"] < 0.15
    assert found["a"] == pytest.approx(0, abs=0.005)
    assert set(rules.drawn_to_mean(table.assign(effect=0.05), 0.05).values()) == {0.05}


def noise(seed):
    return lambda past: lambda features: np.random.default_rng(seed).random(len(features))


def test_noise_replaces_the_rule_in_fewer_than_one_case_in_twenty():
    """The rule is worth nothing here, so challengers start level with it."""
    candidates = {"rule": noise(0)} | {f"noise {seed}": noise(seed) for seed in range(1, 6)}
    names = [choice.choose(given(count=250, seed=seed), candidates, 1).name for seed in range(30)]
    assert np.mean([name != "rule" for name in names]) <= 0.07


def test_the_rule_stays_in_doubt_and_goes_when_clearly_beaten():
    candidates = {"rule": learners.rule, "truth": lambda past: true_gain, "noise": noise(1)}
    small = choice.choose(given(rule="new", count=300, seed=8), candidates, 1)
    assert small.name == "rule"
    assert choice.sentence(small).startswith("The one-line rule stays: ")
    large = choice.choose(given(rule="loyal", count=2000, seed=9), candidates, 1)
    assert large.name == "truth"
    assert choice.sentence(large).startswith("truth replaces the one-line rule")
    with pytest.raises(InputError, match="rule"):
        choice.choose(given(count=100), {"truth": candidates["truth"]})


def true_gain(features):
    return (features["new"] * (1 + 2 * (features["area"] == "north"))).to_numpy(dtype="float64")


def test_what_nothing_can_be_learned_from_is_refused():
    features, treated, outcome = world(100)
    with pytest.raises(InputError, match="between 0 and 1"):
        learners.past(features, treated, outcome, 1.0)
    with pytest.raises(InputError, match="must be one of numbers"):
        learners.past(features, treated, outcome, 0.5, rule="area")
    with pytest.raises(InputError, match="other arm"):
        learners.past(features, np.zeros(100), outcome, 0.5)
    with pytest.raises(InputError, match="no one-line rule"):
        rules.strongest(features[["new"]] * 0, treated, outcome)


@pytest.fixture(autouse=True, scope="module")
def looks():
    with plt.rc_context():
        plots.style()
        yield


def curves():
    features, treated, outcome = world(600, seed=10)
    tables = {
        figures.STRANGE: judged.band(true_gain(features), treated, outcome),
        "rule": judged.band(features["new"].to_numpy(), treated, outcome),
        "most_active": judged.band(features["loyal"].to_numpy(), treated, outcome),
    }
    assert qini.qini(true_gain(features), treated, outcome) > 0
    return tables


def segment_table():
    features, treated, outcome = world(600, seed=11)
    label = features["area"].replace("north", figures.STRANGE).to_numpy()
    return effects_by.by_segment(outcome, treated, label).table


DRAWN = {
    "curves": lambda: plots_uplift.qini_curves(curves(), "friends"),
    "effects": lambda: plots_uplift.effects(segment_table()),
    "no effect": lambda: plots_uplift.effects(segment_table().iloc[:0], "eur"),
}


@pytest.mark.parametrize("name", DRAWN)
def test_figures_are_drawn_alike_twice_without_a_warning(name):
    first, second = figures.drawn_twice(DRAWN[name])
    assert first == second


def test_no_figure_is_forgotten():
    assert not figures.untried(plots_uplift, DRAWN)
