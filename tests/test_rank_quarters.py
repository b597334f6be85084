"""Ranks by quarter: made of the past alone, still where nothing changes, and hard to play with."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ranked_providers import (
    QUESTION,
    RULES,
    copied,
    known_by,
    ranked,
    small_marketplace,
    until_of,
    untouched,
)
from tierwise.applications import providers as asked
from tierwise.files import InputError
from tierwise.providers import rank_quarters as rq
from tierwise.providers import ranks as ra
from tierwise.providers import ranks_at_rest, score_parts
from tierwise.shrinkage import NormalPrior

COLUMNS = ["mean", "sd", "effective_visits"]


@pytest.fixture(scope="module")
def quarters():
    return untouched()[0]


def worst(quarters):
    """The provider with the lowest score that has a rank in the latest quarter."""
    last = quarters[-1].ranks
    return int(last.loc[last["rank"] != ra.NEW, "mean"].idxmin())


# time


def test_ranks_begin_with_the_fifth_morning_and_later_ones_follow_each_quarter(quarters):
    days = [one.seen.as_of for one in quarters]
    assert days == list(pd.date_range("2024-04-01", periods=2, freq="QS"))


def test_what_came_later_changes_no_rank(quarters):
    tables, _ = small_marketplace()
    again = ranked(known_by(tables, pd.Timestamp("2024-04-02")))
    assert len(again) == 1
    for one, other in zip(quarters, again, strict=False):
        pd.testing.assert_frame_equal(one.ranks, other.ranks)
        pd.testing.assert_frame_equal(one.year.weights, other.year.weights)


def test_weights_score_and_cuts_hold_for_the_year(quarters):
    assert len({id(one.year) for one in quarters}) == 1


def test_the_same_tables_give_the_same_ranks_in_any_order_of_rows(quarters):
    tables, _ = small_marketplace()
    shuffled = {name: rows.sample(frac=1, random_state=7) for name, rows in tables.items()}
    for one, other in zip(quarters, ranked(shuffled), strict=True):
        pd.testing.assert_series_equal(one.ranks["rank"], other.ranks["rank"])
        pd.testing.assert_frame_equal(one.ranks[COLUMNS], other.ranks[COLUMNS], rtol=1e-6)


def test_fewer_than_five_mornings_are_refused_with_what_to_do():
    seen = untouched()[0][0].seen
    with pytest.raises(InputError, match="4 quarters have begun.*Wait"):
        rq.followed([seen] * 4, QUESTION, RULES)


# what ranks mean


def test_true_quality_is_ordered_far_better_than_by_chance(quarters):
    true = untouched()[2]["quality"].set_index(["provider_id", "quarter"])["quality"]
    for one in quarters:
        kept = one.ranks[one.ranks["rank"] != ra.NEW]
        now = true.xs(one.seen.as_of, level="quarter").reindex(kept.index)
        assert kept["mean"].corr(now, method="spearman") > 0.4


def test_providers_without_enough_evidence_are_new(quarters):
    for one in quarters:
        few = one.ranks["effective_visits"] < RULES["kept_visits"]
        assert (one.ranks.loc[few, "rank"] == ra.NEW).all()
    first = quarters[0].ranks
    assert (first.loc[first["effective_visits"] < RULES["least_visits"], "rank"] == ra.NEW).all()


def test_every_change_of_rank_has_a_reason(quarters):
    for one in quarters[1:]:
        moved = one.ranks.index[one.ranks["rank"] != one.ranks["rank_before"]]
        assert set(one.why.index) <= set(moved)
        assert one.why["reason"].notna().all()
        same = one.ranks["rank_before"] != ra.NEW
        assert set(one.ranks.index[same].intersection(moved)) <= set(one.why.index)


def test_ranks_stand_still_where_no_provider_changes(monkeypatch):
    """Simulated without drift and jumps; the goal of 8 % is for a larger marketplace."""
    from tierwise.simulation import provider_lives, provider_world
    from tierwise.simulation.provider_settings import ProviderSettings

    monkeypatch.setattr(provider_lives, "KEPT", 1.0)
    monkeypatch.setattr(provider_lives, "JUMPS_SHARE", 0.0)
    moved = count = 0
    for seed in (1, 2):
        settings = ProviderSettings(seed=seed, providers_count=100, months_count=24)
        tables, _ = provider_world.draw(settings)
        changes = rq.changes(ranked(tables))
        moved += changes["changed_count"].sum()
        count += changes["ranked_count"].sum()
    assert count > 250
    assert moved / count < 0.1


def test_what_luck_alone_would_change_is_told_and_more_without_caution(quarters):
    calm = ranks_at_rest.changed_share(quarters, RULES["memory"])
    assert 0.0 < calm < 0.2
    hasty = ranks_at_rest.changed_share(quarters, 0.3)
    assert hasty > calm
    assert np.isnan(ranks_at_rest.changed_share(quarters[:1], RULES["memory"]))


def test_projected_ranks_are_those_of_today_for_most():
    quarters, today, _ = untouched()
    ahead = rq.projected(today, quarters[-1], QUESTION, RULES)
    both = pd.concat([ahead, quarters[-1].ranks["rank"]], axis=1).dropna()
    had = both[both["rank"] != ra.NEW]
    assert (had["projected_rank"] == had["rank"]).mean() > 0.7
    assert ((had["projected_rank"] - had["rank"]).abs() <= 1).mean() > 0.95


# evidence that fades


def test_with_full_memory_evidence_is_that_of_all_visits(quarters):
    part = quarters[-1].part
    nothing = score_parts.Satisfaction(part.evidence * 0.0, part.prior, part.quality)
    found = score_parts.faded([nothing, part], 1.0)[-1]
    pd.testing.assert_frame_equal(found, part.evidence, check_like=True)


def test_without_new_visits_evidence_fades_and_its_value_stays(quarters):
    part = quarters[-1].part
    found = score_parts.faded([part, part], 0.75)[-1]
    np.testing.assert_allclose(found["precision"], 0.75 * part.evidence["precision"])
    known = part.evidence["precision"] > 0
    np.testing.assert_allclose(found["value"][known], part.evidence["value"][known])


# which score ranks


def rows_of(stays_count_as, seed=0, providers=200):
    """Quarters in which returns depend on satisfaction, and on staying by the given ratio."""
    random = np.random.default_rng(seed)
    satisfaction, staying = random.normal(0, 0.3, (2, providers))
    chance = 1 / (1 + np.exp(-1 - satisfaction - stays_count_as * staying))
    visits = random.integers(20, 200, providers)
    return pd.DataFrame(
        {
            "provider": np.arange(providers),
            "satisfaction": satisfaction,
            "staying": staying,
            "returned": random.binomial(visits, chance),
            "visits": visits,
        }
    )


def test_the_ratio_of_a_world_where_staying_counts_is_found():
    found = score_parts.chosen(rows_of(1.5))
    assert found.ratio == pytest.approx(1.5, abs=0.35)
    assert found.low > 0


def test_staying_that_tells_nothing_is_left_out_or_hardly_counts():
    ratios = [score_parts.chosen(rows_of(0.0, seed)).ratio for seed in range(8)]
    assert sum(ratio == 0 for ratio in ratios) >= 4
    assert max(ratios) < 0.3


def test_too_few_providers_to_choose_leave_satisfaction_alone():
    assert score_parts.chosen(rows_of(1.5, providers=3)) == score_parts.ALONE


def test_the_joined_score_is_never_less_certain_than_its_prior():
    own = pd.DataFrame({"mean": [0.1], "sd": [0.2], "effective_visits": [20.0]})
    staying = pd.DataFrame({"mean": [0.4], "sd": [0.5]})
    found, prior = score_parts.joined(own, NormalPrior(0.0, 0.2), staying, 0.5, 0.5)
    assert found["mean"].iloc[0] == pytest.approx(0.3)
    assert prior.sd == pytest.approx(np.hypot(0.2, 0.25))
    assert found["sd"].iloc[0] <= prior.sd


# tricks


def test_one_job_split_into_five_bookings_changes_nothing(quarters):
    tables, _ = small_marketplace()
    provider = worst(quarters)
    mine = tables["bookings"].query("provider_id == @provider and status == 'done'")
    mine = mine.drop_duplicates("booking_id")
    times = ["occurred_at", "known_at", "promised_at"]
    split = copied(mine, 4, 1.0, times)
    tables["bookings"] = pd.concat([tables["bookings"], split], ignore_index=True)
    ratings = tables["ratings"].query("provider_id == @provider")
    again = copied(ratings, 4, 1.0, ["occurred_at", "known_at"]).assign(stars=5)
    tables["ratings"] = pd.concat([tables["ratings"], again], ignore_index=True)
    for one, other in zip(quarters, ranked(tables), strict=True):
        now = other.ranks.loc[provider]
        assert now["rank"] <= one.ranks.loc[provider, "rank"]
        assert now["effective_visits"] <= one.ranks.loc[provider, "effective_visits"] * 1.02 + 0.1


def self_bookings(tables, provider, customers_count=12, bookings_count=15):
    """Invented customers who know this provider only, book every three weeks, rate and save it."""
    days = pd.date_range("2023-03-01 10:00", periods=bookings_count, freq="21D")
    rows = [
        (900_000 + n, day + pd.Timedelta(days=n)) for n in range(customers_count) for day in days
    ]
    made = pd.DataFrame(rows, columns=["customer_id", "occurred_at"])
    made = made.assign(
        booking_id=[f"fake-{n}" for n in range(len(made))],
        provider_id=provider,
        known_at=made["occurred_at"] + pd.Timedelta(hours=3),
        booked_at=made["occurred_at"] - pd.Timedelta(days=2),
        promised_at=made["occurred_at"],
        status="done",
        segment="home",
        chosen=True,
        amount_eur=50.0,
        tip_eur=5.0,
        reminded=False,
    )
    stars = made[["booking_id", "customer_id", "provider_id", "occurred_at", "known_at"]]
    stars = stars.assign(stars=5, text_length_count=80.0)
    saved = stars.drop_duplicates("customer_id").assign(added=True)
    for name, new in (("bookings", made), ("ratings", stars), ("favourites", saved)):
        whole = pd.concat([tables[name], new[list(tables[name].columns)]], ignore_index=True)
        tables[name] = whole.astype(tables[name].dtypes.to_dict())
    return tables


def test_invented_customers_who_know_one_provider_only_change_nothing_at_all(quarters):
    played = ranked(self_bookings(small_marketplace()[0], worst(quarters)))
    for one, other in zip(quarters, played, strict=True):
        pd.testing.assert_frame_equal(one.ranks, other.ranks, rtol=1e-9)


def test_they_change_nothing_where_drop_out_counts_either(monkeypatch, quarters):
    with_staying = replace(score_parts.ALONE, ratio=0.5)
    monkeypatch.setattr(score_parts, "chosen", lambda rows: with_staying)
    honest = ranked(small_marketplace()[0])
    played = ranked(self_bookings(small_marketplace()[0], worst(quarters)))
    assert not honest[0].estimates["mean"].equals(quarters[0].estimates["mean"])
    for one, other in zip(honest, played, strict=True):
        pd.testing.assert_frame_equal(one.ranks, other.ranks, rtol=1e-9)


def test_refusing_the_hard_to_please_lifts_nobody(quarters):
    """Twelve providers cancel on all customers of a low level; so gates see it, and levels are
    taken out of the score anyhow."""
    tables, truth = small_marketplace()
    last = quarters[-1].ranks
    players = last.index[last["rank"].isin([2, 3])][:12]
    level = truth["customers"].set_index("customer_id")["level"]
    hard = level.index[level < level.median()]
    bookings = tables["bookings"]
    refused = bookings["provider_id"].isin(players) & bookings["customer_id"].isin(hard)
    refused &= bookings["status"] == "done"
    assert refused.sum() > 200
    bookings["status"] = bookings["status"].mask(refused, "cancelled by provider")
    gone = set(bookings.loc[refused, "booking_id"])
    for name in ("ratings", "complaints"):
        tables[name] = tables[name][~tables[name]["booking_id"].isin(gone)]
    after = ranked(tables)[-1]
    rank = after.ranks["rank"].reindex(players)
    assert rank.mean() <= last["rank"].reindex(players).mean()
    assert (rank <= RULES["gates"]["cancellations"]["best_rank"]).all()
    assert (after.estimates["cancellations"].reindex(players) < 0.3).mean() > 0.9


def test_a_gate_that_nobody_knows_is_refused():
    seen = untouched()[0][0].seen
    with pytest.raises(InputError, match="'smile' is none; known: punctuality, cancellations"):
        rq.gates(seen, QUESTION, {"smile": {"least_share": 0.5, "best_rank": 3}})


def test_quarters_without_changes_are_counted_as_such(quarters):
    table = rq.changes(quarters)
    assert len(table) == len(quarters) - 1
    assert (table["changed_share"] <= 1).all()
    assert rq.changes(quarters[:1]).empty


def test_the_world_of_these_tests_ends_where_they_think():
    tables, _ = small_marketplace()
    assert until_of(tables) == pd.Timestamp("2024-09-30")
    assert len(asked.quarters(tables, until_of(tables))) == 6
