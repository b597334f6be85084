"""Ranks: still where nothing changes, moved where a provider did, and never by a trick."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provider_worlds import constant_quarters, satisfaction_world
from tierwise.files import InputError
from tierwise.providers import ranks as ra
from tierwise.providers.satisfaction import quality
from tierwise.rhythm import jobs
from tierwise.shrinkage import NormalPrior, normal_prior

RULES = ra.Rules((-0.7, 0.0, 0.7))
PRIOR = NormalPrior(0.0, 1.0)
TRUE_CUTS = (-0.6745, 0.0, 0.6745)
SEEDS = range(5)


def estimates(means, sd=0.3, visits=100.0):
    index = pd.Index(range(len(means)), name="provider")
    columns = {"mean": np.array(means, dtype=float), "sd": sd, "effective_visits": visits}
    return pd.DataFrame(columns, index=index)


def followed(seed, move_chance=ra.MOVE_CHANCE):
    """Ranks of eight quarters, with cuts from the year before, and the true ranks."""
    truth, quarters = constant_quarters(seed, quarter_count=12)
    evidence = quarters[0]
    for quarter in quarters[1:4]:
        evidence = ra.carried(evidence, quarter)
    prior = normal_prior(evidence["value"], evidence["precision"] ** -0.5)
    rules = ra.Rules(ra.learned_cuts(ra.estimated(evidence, prior)), move_chance)
    found, ranks = None, []
    for quarter in quarters[4:]:
        evidence = ra.carried(evidence, quarter)
        found = ra.assigned(ra.estimated(evidence, prior), rules, found)
        ranks.append(found["rank"].to_numpy())
    return np.array(ranks), 1 + np.searchsorted(TRUE_CUTS, truth)


def changes(ranks):
    return (np.diff(ranks, axis=0) != 0).mean()


@pytest.fixture(scope="module")
def quarters():
    return [followed(seed) for seed in SEEDS]


def test_under_eight_percent_of_ranks_change_in_a_quarter_when_nothing_does(quarters):
    assert np.mean([changes(ranks) for ranks, _ in quarters]) < 0.08


def test_two_thirds_of_ranks_are_right_and_none_to_speak_of_is_two_off(quarters):
    assert np.mean([(ranks == true).mean() for ranks, true in quarters]) > 0.66
    assert np.mean([(np.abs(ranks - true) >= 2).mean() for ranks, true in quarters]) < 0.025


def test_quartiles_of_a_quarter_change_for_most_providers():
    _, observed = constant_quarters(0)
    ranks = [pd.qcut(one["value"], 4, labels=False).to_numpy() for one in observed]
    assert changes(np.array(ranks)) > 0.5


def test_a_provider_that_got_better_rises_within_a_year():
    random = np.random.default_rng(1)
    evidence = pd.DataFrame({"value": [-1.0] * 200, "precision": 4.0, "effective_visits": 80.0})
    found = ra.assigned(ra.estimated(evidence, PRIOR), RULES)
    assert (found["rank"] == 1).all()
    for _ in range(4):
        now = pd.DataFrame({"value": random.normal(1.2, 1, 200), "precision": 1.0})
        evidence = ra.carried(evidence, now.assign(effective_visits=20.0))
        found = ra.assigned(ra.estimated(evidence, PRIOR), RULES, found)
    assert (found["rank"] >= 2).mean() > 0.95
    assert (found["rank"] >= 3).mean() > 0.6


def test_cuts_put_the_wanted_shares_of_the_truth_into_the_ranks():
    truth, observed = constant_quarters(3, provider_count=4000)
    found = ra.learned_cuts(ra.estimated(observed[0], PRIOR), (0.4, 0.3, 0.2, 0.1))
    ranks = np.searchsorted(found, truth)
    assert np.bincount(ranks) / 4000 == pytest.approx([0.4, 0.3, 0.2, 0.1], abs=0.03)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=20),
    st.lists(st.floats(-3, 3), min_size=1, max_size=20),
)
def test_the_same_estimates_again_move_nobody_and_a_better_mean_never_lowers(first, second):
    count = min(len(first), len(second))
    found = ra.assigned(estimates(first[:count]), RULES)
    later = ra.assigned(estimates(second[:count]), RULES, found)
    again = ra.assigned(estimates(second[:count]), RULES, later)
    assert (again["rank"] == later["rank"]).all()
    better = ra.assigned(estimates(np.array(second[:count]) + 0.4), RULES, found)
    assert (better["rank"] >= later["rank"]).all()
    parts = later[[f"chance_{rank}" for rank in range(1, 5)]]
    assert np.allclose(parts.sum(axis=1), 1)


def test_a_rank_moves_at_the_chance_of_a_move_and_not_before():
    found = ra.assigned(estimates([-0.1, -0.1, -0.1]), RULES)
    assert found["rank"].tolist() == [2, 2, 2]
    # 0.7 of a normal law lies below 0.524 standard deviations.
    later = ra.assigned(estimates([0.524 * 0.3 - 0.001, 0.524 * 0.3 + 0.001, -5]), RULES, found)
    assert later["rank"].tolist() == [2, 3, 1]


def test_too_little_evidence_has_no_rank_and_a_rank_survives_a_dip():
    new = ra.assigned(estimates([2.0, 2.0], visits=[14.9, 15.0]), RULES)
    assert new["rank"].tolist() == [ra.NEW, 4]
    dipped = ra.assigned(estimates([2.0, 2.0], visits=[12.0, 12.0]), RULES, new)
    assert dipped["rank"].tolist() == [ra.NEW, 4]
    gone = ra.assigned(estimates([2.0, 2.0], visits=[9.0, 9.0]), RULES, dipped)
    assert gone["rank"].tolist() == [ra.NEW, ra.NEW]


def test_a_gate_holds_a_rank_down_and_lets_go_by_the_same_rule():
    rules = ra.Rules(RULES.cuts, gates=(ra.Gate("punctual", 2),))
    found = None
    ranks, held = [], []
    for chance in (0.9, 0.4, 0.2, 0.6, 0.8):
        found = ra.assigned(estimates([2.0]).assign(punctual=chance), rules, found)
        ranks.append(int(found["rank"].iloc[0]))
        held.append(found["held_by"].iloc[0])
    assert ranks == [4, 4, 2, 2, 4]
    assert held == ["", "", "punctual", "punctual", ""]


def test_why_a_rank_changed_adds_up_to_the_change_of_the_chance():
    before = ra.assigned(estimates([-0.2, -0.2, 1.0, -0.2, 0.2]), RULES)
    now = estimates([0.9, -0.2, 1.0, 0.05, 0.2]).assign(sd=[0.3, 0.3, 0.3, 0.05, 0.3])
    after = ra.assigned(now, RULES, before)
    told = ra.why(before, after, RULES, RULES)
    assert told.index.tolist() == [0, 3]
    change = told["chance_now"] - told["chance_before"]
    assert np.allclose(told[list(ra.PARTS)].sum(axis=1), change)
    assert told.loc[0, ["rank_before", "rank", "reason"]].tolist() == [2, 4, "level"]
    assert (told["cuts"] == 0).all()


def test_other_cuts_and_gates_and_first_ranks_are_named_as_the_reason():
    before = ra.assigned(estimates([0.3, 2.0, 1.0], visits=[50, 50, 5]), RULES)
    lower = ra.Rules((-2.0, -1.5, -1.0), gates=(ra.Gate("punctual", 2),))
    now = estimates([0.3, 2.0, 1.0]).assign(punctual=[1.0, 0.0, 1.0])
    after = ra.assigned(now, lower, before)
    assert ra.why(before, after, RULES, lower)["reason"].tolist() == ["cuts", "gate", "first rank"]


def test_the_projected_rank_is_where_more_of_the_same_leads():
    evidence = pd.DataFrame({"value": [-0.4, 0.4], "precision": 6.0, "effective_visits": 60.0})
    recent = pd.DataFrame({"value": [1.6, 0.4], "precision": 3.0, "effective_visits": 30.0})
    now = ra.assigned(ra.estimated(evidence, PRIOR), RULES)
    found = ra.projected(evidence, recent, PRIOR, RULES, now)
    assert now["rank"].tolist() == [2, 3]
    assert found.tolist() == [3, 3]


def test_evidence_is_what_is_left_of_an_estimate_without_the_prior():
    evidence = pd.DataFrame(
        {"effective_visits": 30.0, "value": [1.3, 0.0], "precision": [2.0, 0.0]},
        index=["a", "b"],
    )
    found = ra.evidence_of(ra.estimated(evidence, PRIOR), PRIOR)
    assert np.allclose(found[evidence.columns], evidence)


def ranked(visits, rules=None):
    """Ranks from visits, all the way, and the rules with cuts learned where there were none."""
    found = quality(jobs(visits)).providers.rename(columns={"quality": "mean"})
    rules = rules or ra.Rules(ra.learned_cuts(found))
    return ra.assigned(found, rules), rules


@pytest.fixture(scope="module")
def played():
    visits, _ = satisfaction_world(6, provider_count=40, customer_count=900)
    return visits, *ranked(visits)


def test_splitting_jobs_into_five_bookings_raises_no_rank(played):
    visits, before, rules = played
    for provider in range(5):
        own = visits["provider"] == provider
        parts = [visits[own].assign(at_days=visits["at_days"] + day) for day in (0.5, 1, 1.5, 2)]
        split, _ = ranked(pd.concat([visits, *parts], ignore_index=True), rules)
        assert split.loc[provider, "rank"] <= before.loc[provider, "rank"]


def test_refusing_hard_customers_raises_ranks_no_more_often_than_it_lowers_them(played):
    visits, before, rules = played
    level = visits.groupby("customer")["score"].transform("mean")
    moves = []
    for provider in range(40):
        refused = (visits["provider"] == provider) & (level < level.quantile(0.3))
        after, _ = ranked(visits[~refused], rules)
        moves.append(int(after.loc[provider, "rank"] - before.loc[provider, "rank"]))
    assert np.mean(np.sign(moves)) <= 0.1
    assert max(moves) <= 1


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: ra.Rules((1.0, 0.0)), "must rise"),
        (lambda: ra.Rules((0.0,), move_chance=0.5), "above 0.5"),
        (lambda: ra.learned_cuts(estimates([0.0]), (0.5, 0.6)), "add up to 1"),
        (lambda: ra.learned_cuts(estimates([0.0], sd=0.0)), "above 0"),
        (lambda: ra.assigned(estimates([0.0]).drop(columns="sd"), RULES), "column sd"),
    ],
)
def test_rules_that_cannot_be_are_said(call, told):
    with pytest.raises(InputError, match=told):
        call()
