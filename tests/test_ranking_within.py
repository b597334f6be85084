"""Who of a group is the one: the fit, its limits, the figures by group, the candidates."""

from itertools import pairwise, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad
from scipy.special import expit

from tierwise import rankers
from tierwise import ranking_within as within
from tierwise.companies import hits_within, managers
from tierwise.files import InputError

TRUE_WEIGHTS = np.array([1.5, -0.8, 0.0])
COLUMNS = ["one", "two", "three"]


def simulated(
    groups_count: int, seed: int = 0, none_score: float | None = None
) -> tuple[pd.DataFrame, pd.Series, np.ndarray]:
    """Simulated: 2 to 7 people a group, the one drawn from the softmax of TRUE_WEIGHTS."""
    generator = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups_count), generator.integers(2, 8, groups_count))
    features = generator.normal(size=(len(group), 3))
    chosen = np.zeros(len(group))
    for number in range(groups_count):
        rows = np.flatnonzero(group == number)
        score = features[rows] @ TRUE_WEIGHTS
        if none_score is not None:
            score = np.r_[score, none_score]
        pick = generator.choice(len(score), p=np.exp(score) / np.exp(score).sum())
        if pick < len(rows):
            chosen[rows[pick]] = 1
    return pd.DataFrame(features, columns=COLUMNS), pd.Series(group, name="deal"), chosen


def test_the_true_weights_are_found_within_their_error() -> None:
    features, group, chosen = simulated(3000)
    model = within.learn(features, group, chosen, penalty=0.01)
    error = np.sqrt(np.diag(model.covariance)) / model.scale
    assert np.abs(model.weights / model.scale - TRUE_WEIGHTS).max() < 4 * error.max()
    assert error.max() < 0.1


def test_the_share_of_none_of_them_is_found() -> None:
    features, group, chosen = simulated(3000, none_score=1.0)
    found = within.ranked(within.learn(features, group, chosen, penalty=0.01), features, group)
    groups = found.groupby("group")
    none_chance = groups["none_chance"].first()
    # The slope of the score of none is zero at the optimum: the mean is met exactly.
    assert none_chance.mean() == pytest.approx(1 - chosen.sum() / len(none_chance), abs=1e-4)
    assert (groups["chance"].sum() + none_chance).to_numpy() == pytest.approx(1)


@pytest.mark.parametrize("with_none", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_the_loss(seed: int, with_none: bool) -> None:
    features, group, chosen = simulated(40, seed, none_score=0.5 if with_none else None)
    rest = (features.to_numpy(), within.groups_of(group), chosen, 0.7, with_none)
    at = np.random.default_rng(seed).normal(size=3 + with_none)
    error = check_grad(lambda w: within.loss(w, *rest)[0], lambda w: within.loss(w, *rest)[1], at)
    assert error < 1e-4
    steps = 1e-5 * np.eye(len(at))
    numeric = [
        (within.loss(at + step, *rest)[1] - within.loss(at - step, *rest)[1]) / 2e-5
        for step in steps
    ]
    assert within.curvature(at, *rest) == pytest.approx(np.array(numeric), abs=1e-5)


def test_without_a_penalty_it_is_the_conditional_logit_of_statsmodels() -> None:
    from statsmodels.discrete.conditional_models import ConditionalLogit

    features, group, chosen = simulated(300, seed=4)
    expected = ConditionalLogit(chosen, features.to_numpy(), groups=group.to_numpy()).fit(
        disp=False
    )
    model = within.learn(features, group, chosen, penalty=0.0)
    assert model.weights / model.scale == pytest.approx(expected.params, abs=1e-4)
    found = np.sqrt(np.diag(model.covariance)) / model.scale
    assert found == pytest.approx(expected.bse, rel=1e-3)


def test_a_column_that_a_whole_group_shares_says_nothing() -> None:
    features, group, chosen = simulated(200)
    shared = features.assign(size=np.random.default_rng(1).normal(size=200)[group])
    plain, more = (within.learn(table, group, chosen, 1.0) for table in (features, shared))
    assert more.weights[3] == pytest.approx(0, abs=1e-6)
    assert more.weights[:3] == pytest.approx(plain.weights, abs=1e-6)


@given(st.integers(0, 1000), st.floats(-1e3, 1e3), st.floats(0.1, 10))
@settings(max_examples=20, deadline=None)
def test_order_of_rows_units_and_zero_points_change_no_chance(
    seed: int, shift: float, unit: float
) -> None:
    features, group, chosen = simulated(30, seed)
    found = within.ranked(within.learn(features, group, chosen, 1.0), features, group)
    order = np.random.default_rng(seed).permutation(len(group))
    other, group_there = (features * unit + shift).iloc[order], group.iloc[order]
    again = within.ranked(within.learn(other, group_there, chosen[order], 1.0), other, group_there)
    assert again["chance"].loc[found.index].to_numpy() == pytest.approx(found["chance"], abs=1e-5)


def test_one_person_alone_is_certain_and_equal_people_share_alike() -> None:
    features, group, chosen = simulated(100)
    model = within.learn(features, group, chosen)
    rows = pd.DataFrame(np.zeros((5, 3)), columns=COLUMNS)
    found = within.ranked(model, rows, pd.Series(["alone", *["alike"] * 4]))
    assert found["chance"].tolist() == pytest.approx([1, 0.25, 0.25, 0.25, 0.25])
    assert found["place"].tolist() == [1] * 5
    assert found["told_apart"].tolist() == [True, *[False] * 4]


def test_a_clear_lead_is_told_apart_and_a_hair_is_not() -> None:
    features, group, chosen = simulated(500)
    model = within.learn(features, group, chosen)
    lead = pd.DataFrame([[2, 0, 0], [-2, 0, 0], [0, 0, 0.05], [0, 0, 0]], columns=COLUMNS)
    found = within.ranked(model, lead, pd.Series(["clear"] * 2 + ["hair"] * 2))
    assert found["told_apart"].tolist() == [True, True, False, False]


def test_the_first_that_is_told_apart_is_the_one_more_often_than_its_rival() -> None:
    features, group, chosen = simulated(400, seed=8)
    model = within.learn(features[:800], group[:800], chosen[:800])
    later, whose, truth = features[800:], group[800:], chosen[800:]
    found = within.ranked(model, later, whose).assign(chosen=truth)
    first = found[found["place"] == 1]
    hits = first.groupby("told_apart")["chosen"].mean()
    assert hits[True] > hits[False] + 0.1


def test_chances_are_met_on_other_groups() -> None:
    model = within.learn(*simulated(1500, seed=1))
    features, group, chosen = simulated(1500, seed=2)
    chance = within.ranked(model, features, group)["chance"].to_numpy()
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1)):
        inside = (chance >= low) & (chance < high)
        error = np.sqrt((chance[inside] * (1 - chance[inside])).sum()) / inside.sum()
        assert abs(chance[inside].mean() - chosen[inside].mean()) < 4 * error


def test_noise_earns_the_largest_penalty() -> None:
    features, group, chosen = simulated(150, seed=3)
    noise = pd.DataFrame(np.random.default_rng(9).normal(size=features.shape), columns=COLUMNS)
    assert within.learn(noise, group, chosen).penalty == max(within.PENALTIES)
    assert within.learn(features, group, chosen).penalty < max(within.PENALTIES)


def test_two_in_one_group_are_refused() -> None:
    features, group, chosen = simulated(5)
    with pytest.raises(InputError, match="One person at most.*2 has"):
        within.learn(features, group, np.where(group == 2, 1, chosen))


def test_groups_of_one_teach_nothing() -> None:
    features = pd.DataFrame(np.eye(3), columns=COLUMNS)
    with pytest.raises(InputError, match="nothing to learn"):
        within.learn(features, pd.Series([1, 2, 3]), np.ones(3))


def test_a_missing_feature_is_named() -> None:
    features, group, chosen = simulated(5)
    features.loc[1, "two"] = np.nan
    with pytest.raises(InputError, match="two is nan in row 2"):
        within.learn(features, group, chosen)


def test_the_worked_example_of_the_figures_holds() -> None:
    found = hits_within.by_group(
        np.array([5.0, 4, 3, 2, 1]), pd.Series([1] * 5), np.array([0, 0, 1, 0, 0])
    )
    assert found.loc[1].tolist() == pytest.approx([0, 1, 1 / 3, 0.5, 5])


def test_ties_count_as_the_mean_over_all_orders() -> None:
    group, chosen = pd.Series([1] * 5), np.array([0, 0, 0, 0, 1])
    found = hits_within.by_group(np.zeros(5), group, chosen)
    places = np.arange(1, 6)
    expected = [1 / 5, 3 / 5, (1 / places).mean(), (1 / np.log2(1 + places)).mean(), 5]
    assert found.loc[1].tolist() == pytest.approx(expected)


@given(st.lists(st.integers(0, 2), min_size=2, max_size=5), st.integers(0, 4))
@settings(max_examples=30, deadline=None)
def test_the_worth_of_a_tie_is_the_mean_over_its_orders(scores: list[int], at: int) -> None:
    size, at = len(scores), at % len(scores)
    worth = hits_within.worths(size)
    found = hits_within.by_place(worth, np.array(scores, float))[:, at]
    orders = [o for o in permutations(range(size)) if is_descending([scores[i] for i in o])]
    expected = np.mean([worth[:, order.index(at)] for order in orders], axis=0)
    assert found == pytest.approx(expected)


def is_descending(values: list[int]) -> bool:
    return all(one >= other for one, other in pairwise(values))


def test_a_better_ranking_is_ahead_and_an_equal_one_is_not() -> None:
    features, group, chosen = simulated(400, seed=5)
    good = hits_within.by_group(features.to_numpy() @ TRUE_WEIGHTS, group, chosen)
    rule = hits_within.by_group(features["one"].to_numpy(), group, chosen)
    ahead = hits_within.paired(good, rule)
    assert (ahead["low"] > 0).all()
    assert (hits_within.paired(good, good)[["difference", "low", "high"]] == 0).all(axis=None)
    assert (hits_within.paired(good, good)["ahead_share"] == 0.5).all()


def test_deals_of_one_company_make_wider_intervals_than_deals_of_many() -> None:
    features, group, chosen = simulated(40, seed=6)
    table = hits_within.by_group(features["one"].to_numpy(), group, chosen)
    table = table.loc[table.index.repeat(10)].reset_index(drop=True)
    company = pd.Series(np.arange(400) // 10)
    alone, together = hits_within.summary(table), hits_within.summary(table, company)
    assert ((together["high"] - together["low"]) > 2 * (alone["high"] - alone["low"])).all()


def test_different_groups_are_not_compared() -> None:
    features, group, chosen = simulated(20)
    table = hits_within.by_group(features["one"].to_numpy(), group, chosen)
    with pytest.raises(InputError, match="the same groups"):
        hits_within.paired(table, table.iloc[1:])


def test_the_model_beats_each_rule_on_companies_it_never_saw() -> None:
    features, group, chosen = simulated(300, seed=7)
    rules = {"highest title": "one", "most contacts": "three"}
    found = {
        name: hits_within.by_group(
            rankers.held_out(candidate, features, group, chosen, company=group // 2), group, chosen
        )
        for name, candidate in rankers.candidates(rules, 300).items()
    }
    assert list(found) == [*rules, "conditional logit"]
    means = {name: table["hit_1"].mean() for name, table in found.items()}
    assert means["conditional logit"] > means["highest title"] > means["most contacts"] + 0.1


def test_trees_are_a_candidate_from_500_groups_on_and_learn_a_bend() -> None:
    features, group, _ = simulated(700, seed=2)
    best = (-features["one"].abs()).groupby(group).idxmax()  # nearest to the middle: no line
    chosen = features.index.isin(best).astype(float)
    assert "boosted ranking" not in rankers.candidates({}, 499)
    trees, line = (
        hits_within.by_group(rankers.held_out(c, features, group, chosen), group, chosen)
        for c in (rankers.candidates({}, 560)["boosted ranking"], rankers.conditional_logit)
    )
    assert trees["hit_1"].mean() > line["hit_1"].mean() + 0.3
    few = group < 499
    with pytest.raises(InputError, match="Trees need 500 groups.*499"):
        rankers.boosted(features[few], group[few], chosen[few])


def test_a_rule_puts_the_unknown_last() -> None:
    rows = pd.DataFrame({"level": [np.nan, 2.0, 5.0]})
    assert np.argsort(rankers.highest("level", rows)).tolist() == [0, 1, 2]


def company(seed: int, people_count: int = 200) -> tuple[pd.DataFrame, np.ndarray]:
    """Simulated: ranks of five measures, two of which tell who leads."""
    generator = np.random.default_rng(seed)
    features = pd.DataFrame(generator.random((people_count, 5)), columns=list("abcde"))
    chance = expit(6 * features["a"] - 4 * features["b"] - 3.5)
    return features, (generator.random(people_count) < chance).astype(int)


def test_managers_are_found_in_people_the_model_never_saw() -> None:
    features, leads = company(0)
    scores = managers.held_out(features, leads, repeat_count=1)
    ahead = managers.paired(leads, scores, features["a"].to_numpy()).set_index("figure")
    assert managers.judged(leads, scores)["auc"] > 0.8
    assert ahead.loc["auc", "low"] > 0


def test_without_any_signal_held_out_scores_find_nobody() -> None:
    found = []
    for seed in range(12):
        features, leads = company(seed, people_count=80)
        shuffled = np.random.default_rng(seed).permutation(leads)
        scores = managers.held_out(features, shuffled, repeat_count=1)
        found.append(managers.judged(shuffled, scores)["auc"])
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


def test_the_figures_of_managers_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score, ndcg_score, roc_auc_score

    features, leads = company(3)
    score = features["a"].to_numpy()
    marked = np.zeros(len(leads), int)
    marked[np.argsort(-score)[: leads.sum()]] = 1
    found = dict(zip(managers.FIGURES, managers.figures(leads, score), strict=True))
    assert found["macro_f1"] == pytest.approx(f1_score(leads, marked, average="macro"))
    assert found["ndcg_10"] == pytest.approx(ndcg_score([leads], [score], k=10))
    assert found["auc"] == pytest.approx(roc_auc_score(leads, score))


def test_ranks_without_any_difference_give_the_figures_of_a_lottery() -> None:
    leads = np.repeat([1, 0], [20, 80])
    macro_f1, _, precision, hit, area = managers.figures(leads, np.zeros(100))
    assert [macro_f1, precision, hit, area] == pytest.approx([0.5, 0.2, 0.2, 0.5])


def test_a_company_of_managers_only_is_refused() -> None:
    features, _ = company(0)
    with pytest.raises(InputError, match="both kinds must be known"):
        managers.learn(features, np.ones(200))
