"""Who rates, and what the silent would have given, on worlds in which that is known."""

import numpy as np
import pytest

from rating_worlds import (
    COMPLAINING_TRUTH,
    complaining_world,
    plain_visits,
    rated,
    reluctant_world,
    surveyed_world,
)
from tierwise.files import InputError
from tierwise.providers import rating_response as rr
from tierwise.providers.rating_audit import TOP_ENDS, top_measure


def by_way(visits, measure=None):
    measure = top_measure(visits) if measure is None else measure
    return rr.filled(visits, measure, TOP_ENDS).set_index("way")


def test_what_moves_the_response_is_found_and_what_does_not_is_not():
    visits, _ = complaining_world(0, customer_count=2000)
    table = rr.response(visits).table.set_index("feature")
    sad, told = table.loc["complaint"], table.loc["reminded"]
    assert sad["low"] < np.exp(-1.5) < sad["high"]
    assert told["low"] < np.exp(0.5) < told["high"]
    held = (table.drop(["complaint", "reminded"])[["low", "high"]] - 1).prod(axis=1) <= 0
    assert held.mean() >= 0.75  # 90 % intervals of eight features that move nothing
    assert sad["with_share"] == pytest.approx(
        visits.loc[visits["complaint"] == 1, "stars"].notna().mean()
    )


def test_a_feature_that_is_seen_too_rarely_or_never_varies_takes_no_part():
    visits, _ = complaining_world(1)
    visits = visits.assign(black_list=0, tip=(np.arange(len(visits)) < 10).astype(int))
    found = rr.response(visits)
    assert set(found.left_out) == {"black_list", "tip"}


def test_weights_find_the_truth_where_complaints_explain_who_rates_and_raters_alone_do_not():
    held, biased = 0, 0
    for seed in range(30):
        visits, truth = complaining_world(seed)[0], COMPLAINING_TRUTH
        found = by_way(visits)
        weighted, plain = found.loc[rr.WEIGHTED], found.loc[rr.RATERS]
        held += weighted["low"] <= truth <= weighted["high"]
        biased += plain["low"] > truth
    assert held / 30 >= 0.8
    assert biased / 30 >= 0.8


def test_interval_of_the_weighted_mean_is_that_of_customers_drawn_again():
    visits, _ = complaining_world(3, customer_count=300)
    measure = top_measure(visits)
    found = rr.weighted(measure, rr.response(visits), visits["customer"].to_numpy(), 0.9)
    random, means = np.random.default_rng(0), []
    for _ in range(100):
        picks = random.integers(0, 300, 300)  # five visits each, one customer after the other
        drawn = visits.iloc[(5 * picks[:, None] + np.arange(5)).ravel()].reset_index(drop=True)
        own = rr.weighted(top_measure(drawn), rr.response(drawn), drawn["customer"].to_numpy(), 0.9)
        means.append(own.value)
    assert (found.high - found.low) / 2 / 1.645 == pytest.approx(np.std(means), rel=0.2)


def test_where_response_has_nothing_to_do_with_anything_all_ways_agree():
    visits = plain_visits(4, 2000)
    stars = np.where(np.random.default_rng(4).random(len(visits)) < 0.9, 5.0, 3.0)
    found = by_way(rated(visits, stars, np.where(visits["reminded"], 0.6, 0.4)))
    for way in (rr.RATERS, rr.WEIGHTED, rr.LINE):
        assert found.loc[way, "low"] < 0.9 < found.loc[way, "high"], way
    assert found.loc[rr.BOUNDS, "low"] < found.loc[rr.NARROWED, "low"]
    assert found.loc[rr.NARROWED, "high"] < found.loc[rr.BOUNDS, "high"]


def test_a_reminder_by_lot_shows_the_reluctant_and_by_a_line_everybody():
    """u of those who rate only when reminded lies between 0.35 and 0.55."""
    held, reluctant, naive = 0, 0, 0
    for seed in range(30):
        visits, truth = reluctant_world(seed)
        found = rr.reminder(visits, top_measure(visits), TOP_ENDS)
        held += found.all.low <= truth <= found.all.high
        reluctant += found.reluctant.low <= 0.98 - 0.2 * 0.45 <= found.reluctant.high
        plain = by_way(visits).loc[rr.RATERS]
        naive += plain["low"] <= truth <= plain["high"]
        assert found.low < truth < found.high
    assert held / 30 >= 0.8
    assert reluctant / 30 >= 0.8
    assert naive == 0


def test_an_answer_by_lot_shows_what_nothing_else_does():
    visits, stars = surveyed_world(0)
    truth = (stars == 5).mean()
    found = by_way(visits)
    surveyed, weighted = found.loc[rr.SURVEYED], found.loc[rr.WEIGHTED]
    assert surveyed["low"] < truth < surveyed["high"]
    assert weighted["low"] > truth + 0.03
    assert rr.SURVEYED not in by_way(visits.assign(points=np.nan)).index


def test_a_reminder_that_moves_nobody_or_was_given_to_all_tells_nothing():
    visits = plain_visits(5)
    visits = rated(visits, np.where(np.arange(len(visits)) % 9 == 0, 4.0, 5.0), 0.4)
    assert rr.LINE not in by_way(visits).index
    assert np.isnan(rr.reminder(visits, top_measure(visits), TOP_ENDS).all.value)
    everybody = visits.assign(reminded=True)
    assert rr.NARROWED not in by_way(everybody).index
    with pytest.raises(InputError, match="It takes both"):
        rr.reminder(everybody, top_measure(everybody), TOP_ENDS)


def test_bounds_are_the_worst_and_the_best_and_hold_every_estimate():
    visits, _ = reluctant_world(7)
    stars = visits["stars"].to_numpy()
    found = rr.filled(visits, stars, (1.0, 5.0)).set_index("way")
    assert found.loc[rr.BOUNDS, "low"] == pytest.approx(np.where(np.isnan(stars), 1, stars).mean())
    assert found.loc[rr.BOUNDS, "high"] == pytest.approx(np.where(np.isnan(stars), 5, stars).mean())
    values = found["value"].dropna()
    assert values.between(found.loc[rr.BOUNDS, "low"], found.loc[rr.BOUNDS, "high"]).all()


def test_a_lot_that_was_none_is_seen_in_the_balance():
    visits, _ = reluctant_world(8)
    fair = rr.reminder(visits, top_measure(visits), TOP_ENDS)
    visits["reminded"] = (visits["late_minutes"] > 10) ^ (np.arange(len(visits)) % 7 == 0)
    unfair = rr.reminder(visits, top_measure(visits), TOP_ENDS)
    assert fair.balance < 0.1
    assert unfair.balance_feature == "late"
    assert unfair.balance > 0.5
