"""Satisfaction: found again in a simulated world, the same as MixedLM's, and hard to play with."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.mixed_linear_model import MixedLM

from provider_worlds import acting_world, satisfaction_world
from tierwise.files import InputError
from tierwise.providers import satisfaction as sa
from tierwise.providers import visit_scores as vs
from tierwise.rhythm import Rhythm, expected_gap_days, jobs, returned_in_own_gap
from tierwise.shrinkage import split_half

SEEDS = range(5)


def held(found, truth):
    return ((found["low"] <= truth) & (truth <= found["high"])).mean()


@pytest.fixture(scope="module")
def worlds():
    """Per seed: what was found, and the true qualities in the same order."""
    rows = []
    for seed in SEEDS:
        visits, truth = satisfaction_world(seed)
        found = sa.quality(visits)
        rows.append((found, truth[found.providers.index]))
    return rows


def correlations(worlds, column):
    return np.array(
        [found.providers[column].corr(truth, method="spearman") for found, truth in worlds]
    )


def test_quality_is_found_again_where_the_raw_mean_tells_half_the_truth(worlds):
    assert correlations(worlds, "quality").mean() >= 0.955
    assert 0.4 <= correlations(worlds, "raw_mean").mean() <= 0.6


def test_ninety_percent_intervals_hold_in_about_ninety_percent(worlds):
    share = np.mean([held(found.providers, truth) for found, truth in worlds])
    assert 0.87 <= share <= 0.93


def test_a_found_difference_is_as_large_as_the_true_one(worlds):
    slopes = [np.polyfit(found.providers["quality"], truth, 1)[0] for found, truth in worlds]
    assert np.mean(slopes) == pytest.approx(1, abs=0.05)


def test_a_raw_mean_can_be_reliable_and_wrong(worlds):
    visits, truth = satisfaction_world(0)
    _, reliability = split_half(visits["score"], visits["provider"])
    raw = visits.groupby("provider")["score"].mean().corr(truth, method="spearman")
    assert reliability > 0.9
    assert raw < 0.6


def small_world(seed=4):
    random = np.random.default_rng(seed)
    customer = np.repeat(np.arange(60), 6)
    provider = random.integers(0, 10, len(customer))
    score = random.normal(0, 2, 60)[customer] + random.normal(0, 0.8, 10)[provider]
    score += random.normal(0, 1, len(customer))
    return pd.DataFrame({"customer": customer, "provider": provider, "score": score})


def test_variances_and_qualities_are_those_of_mixedlm_with_customers_as_fixed_effects():
    visits = small_world()
    fixed = pd.get_dummies(visits["customer"]).to_numpy("float64")
    model = MixedLM(visits["score"].to_numpy(), fixed, groups=visits["provider"]).fit(reml=True)
    found = sa.quality(visits)
    assert found.noise_sd**2 == pytest.approx(model.scale, rel=1e-3)
    assert found.quality_sd**2 == pytest.approx(float(np.asarray(model.cov_re)[0, 0]), rel=1e-2)
    effects = pd.Series({name: float(one.iloc[0]) for name, one in model.random_effects.items()})
    assert np.abs(effects - found.providers["quality"]).max() < 5e-3


def test_iterating_gives_what_writing_out_gives(monkeypatch):
    visits, _ = satisfaction_world(1)
    exact = sa.quality(visits)
    monkeypatch.setattr(sa, "DENSE_COUNT", 10)
    found = sa.quality(visits)
    assert found.quality_sd == pytest.approx(exact.quality_sd, rel=0.02)
    assert found.noise_sd == pytest.approx(exact.noise_sd, rel=0.002)
    difference = found.providers["quality"] - exact.providers["quality"]
    assert difference.abs().max() < 0.01
    of_sd = (found.providers["sd"] / exact.providers["sd"] - 1).abs()
    assert of_sd.max() < 0.08
    assert of_sd.mean() < 0.02


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 59), st.floats(-50, 50))
def test_the_level_of_a_customer_cancels(customer, shift):
    visits = small_world()
    moved = visits.assign(score=visits["score"] + shift * (visits["customer"] == customer))
    before, after = sa.quality(visits).providers, sa.quality(moved).providers
    assert np.allclose(before["quality"], after["quality"], atol=1e-5)


def test_refusing_hard_customers_does_not_raise_the_quality():
    changes = []
    for seed in range(8):
        visits, _ = satisfaction_world(seed, provider_count=40, customer_count=800)
        level = visits.groupby("customer")["score"].transform("mean")
        refused = (visits["provider"] == 0) & (level < level.median())
        before = sa.quality(visits).providers.loc[0]
        after = sa.quality(visits[~refused]).providers.loc[0]
        changes.append(
            (after["quality"] - before["quality"], after["raw_mean"] - before["raw_mean"])
        )
    own, raw = np.array(changes).mean(axis=0)
    assert raw > 0.5
    assert own < 0.15 * raw


def test_own_customers_who_know_nobody_else_move_nothing():
    visits = small_world()
    invented = pd.DataFrame({"customer": np.arange(900, 1000), "provider": 3, "score": 9.0})
    before = sa.quality(visits).providers
    after = sa.quality(pd.concat([visits, invented], ignore_index=True)).providers
    assert np.allclose(before["quality"], after["quality"])
    assert after.loc[3, "connected_count"] == before.loc[3, "connected_count"]
    assert after.loc[3, "raw_mean"] > before.loc[3, "raw_mean"] + 2


def test_a_provider_known_to_its_own_customers_only_has_no_information():
    visits = small_world()
    apart = pd.DataFrame({"customer": [900, 900, 901], "provider": 77, "score": 5.0})
    found = sa.quality(pd.concat([visits, apart], ignore_index=True))
    row = found.providers.loc[77]
    assert (row["said"], row["quality"], row["connected_count"]) == (sa.NOTHING, 0.0, 0)
    assert row["sd"] == pytest.approx(found.quality_sd, rel=1e-6)
    assert row["island"] != found.providers.loc[0, "island"]


def test_a_job_split_into_five_bookings_counts_once():
    visits, _ = satisfaction_world(2, provider_count=40, customer_count=600)
    own = visits["provider"] == 7
    copies = [visits[own].assign(at_days=visits["at_days"] + 0.5 * day) for day in range(1, 5)]
    split = pd.concat([visits, *copies], ignore_index=True)
    before, after = jobs(visits), jobs(split)
    assert len(after) == len(before)
    assert sa.quality(after).providers.equals(sa.quality(before).providers)


def test_alike_providers_are_not_told_apart():
    random = np.random.default_rng(3)
    visits = small_world().assign(score=random.normal(size=360))
    assert not sa.quality(visits).told_apart
    assert sa.quality(small_world()).told_apart


def test_rows_in_another_order_give_the_same():
    visits = small_world()
    mixed = sa.quality(visits.sample(frac=1, random_state=2)).providers
    assert np.allclose(mixed["quality"], sa.quality(visits).providers["quality"], atol=1e-6)


@pytest.mark.parametrize(
    ("visits", "told"),
    [
        (pd.DataFrame({"customer": [1, 2], "provider": [1, 2], "score": [0.0, 1.0]}), "None of 2"),
        (pd.DataFrame({"customer": [1], "provider": [1], "score": [np.nan]}), "no score"),
        (pd.DataFrame({"customer": [1, 1], "provider": [1, 2], "score": [1.0, 1.0]}), "no noise"),
    ],
)
def test_what_tells_nothing_is_said(visits, told):
    with pytest.raises(InputError, match=told):
        sa.quality(visits)


def acted(seed=1, count=20000):
    random = np.random.default_rng(seed)
    actions = pd.DataFrame(
        {
            "favourite": random.binomial(1, 0.1, count),
            "complaint": random.binomial(1, 0.05, count),
            "tip": random.binomial(1, 0.2, count),
            "seen": random.binomial(1, 0.5, count),
        }
    )
    log_odds = 0.3 + 0.9 * actions["favourite"] - 1.4 * actions["complaint"] + 0.4 * actions["tip"]
    return actions, (random.random(count) < 1 / (1 + np.exp(-log_odds))).astype(float)


def test_weights_are_the_log_odds_of_a_return_and_what_says_nothing_weighs_nothing():
    actions, returned = acted()
    found = vs.learned_weights(actions, returned)
    assert found["weight"].to_dict() == pytest.approx(
        {"favourite": 0.9, "complaint": -1.4, "tip": 0.4, "seen": 0.0}, abs=0.15
    )
    assert ((found["low"] < found["log_odds"]) & (found["log_odds"] < found["high"])).all()


def test_published_weights_add_up_to_the_score():
    actions, returned = acted()
    weights = vs.learned_weights(actions, returned, given={"seen": 0.5})
    assert weights.loc["seen", "source"] == "given"
    by_hand = sum(actions[name] * weights.loc[name, "weight"] for name in actions)
    assert np.allclose(vs.visit_scores(actions, weights), by_hand)


def test_outcomes_not_yet_known_are_left_out():
    actions, returned = acted()
    open_ended = returned.copy()
    open_ended[:5000] = np.nan
    found = vs.learned_weights(actions, open_ended)
    known = vs.learned_weights(actions.iloc[5000:], returned[5000:])
    assert np.allclose(found["log_odds"], known["log_odds"])


def test_weights_that_cannot_be_learned_are_said():
    actions, returned = acted(count=50)
    with pytest.raises(InputError, match="ended alike"):
        vs.learned_weights(actions, np.ones(50))
    with pytest.raises(InputError, match="tipp"):
        vs.learned_weights(actions, returned, given={"tipp": 1.0})
    with pytest.raises(InputError, match="favourite"):
        vs.learned_weights(actions.assign(favourite=-1), returned)


def test_a_return_is_judged_by_the_own_gap_and_only_when_its_time_is_over():
    rhythm = Rhythm(2.0, 40.0)
    visits = pd.DataFrame({"customer": [1, 1, 1, 2], "provider": 1, "at_days": [0, 10, 90, 95.0]})
    assert expected_gap_days(rhythm, np.array([0]), np.array([0.0]))[0] == 20
    # The first gap of 10 days is within 2 x 20; the next of 80 is not within 2 x 50 / 3.
    found = returned_in_own_gap(visits, 100.0, rhythm)
    assert found.iloc[:2].tolist() == [1.0, 0.0]
    assert found.iloc[2:].isna().all()


def test_from_actions_to_quality_generous_customers_cancel_where_a_share_of_favourites_fails():
    found, plain = [], []
    for seed in range(3):
        visits, actions, returned, truth = acting_world(seed)
        weights = vs.learned_weights(actions, returned)
        scored = visits.assign(score=vs.visit_scores(actions, weights))
        table = sa.quality(scored).providers
        found.append(table["quality"].corr(truth, method="spearman"))
        share = actions["favourite"].groupby(visits["provider"]).mean()
        plain.append(share.corr(truth, method="spearman"))
    assert np.mean(found) > 0.87
    assert np.mean(plain) < 0.6
