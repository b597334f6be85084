"""Every deal counts by the tier it had when it was first seen, and by no later one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiered import NAMES
from tierwise import alarm, ledger, uplift
from tierwise import promises_kept as pk
from tierwise.files import InputError

DAY = pd.Timedelta(days=1)
ASKED = pd.Timestamp("2026-06-20 00:00")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A limit that is known less well, in a quarter of the time."""
    monkeypatch.setattr(alarm, "DRAW_COUNT", 1000)


def at(day, month):
    return pd.Timestamp(year=2026, month=month, day=day)


def looks(*rows):
    """Ledger rows from (deal, time, tier), each with the chance of its tier."""
    table = pd.DataFrame(rows, columns=["deal_id", "scored_at", "tier"])
    table = table.astype({"deal_id": "str", "scored_at": "datetime64[us]", "tier": "str"})
    chance = table["tier"].map({"A": 0.4, "B": 0.2, "C": 0.1})
    rank = np.arange(1, len(table) + 1)
    return table.assign(chance=chance, rank=rank, flag="", propensity=0.9, shown=True)


def ends(*rows):
    return pd.DataFrame(rows, columns=["deal_id", "outcome", "closed_at"])


# The example of the module
SCORES = looks(
    *(("lost early", at(1, 5), "A"), ("open", at(1, 5), "B"), ("late", at(18, 5), "A")),
    *(("late", at(5, 6), "C"), ("quick", at(2, 6), "C"), ("quick", at(5, 6), "B")),
    *(("quick", at(9, 6), "A"), ("unseen", at(12, 6), "A")),
)
OUTCOMES = ends(
    *(("lost early", 0, at(10, 5)), ("late", 1, at(19, 6)), ("quick", 1, at(10, 6))),
    *(("unseen", 1, at(12, 6)), ("open", 0, pd.NaT)),
)


def test_a_deal_that_closed_counts_by_its_first_look_of_the_window():
    found = pk.closed_lately(SCORES, OUTCOMES, ASKED).set_index("deal_id")
    assert found["tier"].to_dict() == {"quick": "B", "late": "C"}
    longer = pk.closed_lately(SCORES, OUTCOMES, ASKED, days=60).set_index("deal_id")
    assert longer["tier"].to_dict() == {"lost early": "A", "quick": "C", "late": "A"}


def test_a_deal_that_fell_due_is_won_if_it_was_won_inside_its_horizon():
    found = pk.due(SCORES, OUTCOMES, ASKED, horizon_days=30).set_index("deal_id")
    assert found["outcome"].to_dict() == {"lost early": 0.0, "open": 0.0, "late": 0.0}
    assert found["tier"].to_dict() == {"lost early": "A", "open": "B", "late": "A"}
    later = pk.due(SCORES, OUTCOMES, ASKED + 15 * DAY, horizon_days=33).set_index("deal_id")
    assert later["outcome"].to_dict() | {"late": 1.0} == later["outcome"].to_dict()
    assert later["outcome_known_at"]["late"] == at(18, 5) + 33 * DAY


def test_a_look_at_the_instant_of_closing_is_none():
    assert "unseen" not in set(pk.closed_lately(SCORES, OUTCOMES, ASKED)["deal_id"])
    assert "unseen" not in set(pk.due(SCORES, OUTCOMES, ASKED + 60 * DAY, 30)["deal_id"])


days = st.integers(0, 40)


@settings(max_examples=12)
@given(
    first=st.lists(st.tuples(days, st.sampled_from(NAMES)), min_size=1, max_size=6),
    closed=days,
    more=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(NAMES)), max_size=5),
)
def test_no_tier_that_is_given_after_the_end_changes_anything(first, closed, more):
    start, end = at(1, 5), at(1, 5) + closed * DAY
    before = [("x", start + day * DAY, tier) for day, tier in first]
    after = [("x", end + day * DAY, tier) for day, tier in more]
    before = [row for row in before if row[1] < end]
    outcomes = ends(("x", 1, end))
    for count in (pk.closed_lately, lambda *given: pk.due(*given, horizon_days=20)):
        alone = count(looks(*before), outcomes, at(1, 7))
        both = count(looks(*before, *after), outcomes, at(1, 7))
        assert both["tier"].tolist() == alone["tier"].tolist()
        assert both["outcome"].tolist() == alone["outcome"].tolist()


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        (ends(("late", 1, at(19, 6)), ("late", 0, at(19, 6))), "Deal late has two outcomes"),
        (ends(("late", 0.5, at(19, 6))), "must be 1 .* or 0 .*deal late has 0.5"),
        (OUTCOMES.head(2).assign(owner_id="7"), "deal open has no row, as 3 of 5 deals"),
    ],
)
def test_outcomes_that_mislead_are_refused(outcomes, said):
    with pytest.raises(InputError, match=said):
        pk.due(SCORES, outcomes, ASKED, 30)


# Simulated weeks, in which chances are true, or not


def world(seed=0, count=4000, odds=1.0, days=84, owners=8, rates=None):
    """Looks at deals over 12 weeks, one each, and what came of them within 30 days.

    odds: of a win, times those promised. rates: of the tiers, in place of the chances.
    """
    random = np.random.default_rng(seed)
    chance = random.beta(1.2, 5, count)
    edges = np.quantile(chance, [0.5, 0.8])
    tier = np.array(["C", "B", "A"])[np.searchsorted(edges, chance, side="right")]
    true = odds * chance / (1 - chance + odds * chance)
    true = true if rates is None else pd.Series(tier).map(rates).to_numpy()
    won = random.random(count) < true
    hour = pd.to_timedelta(np.sort(random.integers(0, 24 * days, count)), unit="h")
    scores = looks(*zip(map(str, range(count)), at(1, 1) + hour, tier, strict=True))
    closed = scores["scored_at"] + pd.to_timedelta(random.uniform(0.1, 29, count), unit="D")
    owner = random.integers(owners, size=count).astype(str)
    outcomes = pd.DataFrame({"deal_id": scores["deal_id"], "outcome": won.astype(float)})
    outcomes = outcomes.assign(closed_at=closed, owner_id=owner)
    return scores.assign(chance=chance), outcomes


def fell_due(**changed):
    return pk.due(*world(**changed), at(1, 12), 30)


CARD = {
    "tiers": [{"name": "A", "rate": 0.42, "interval": [0.4, 0.44]}, {"name": "C", "rate": 0.07}]
}


def test_tiers_stand_beside_what_was_promised_and_what_the_card_says():
    rows = fell_due()
    table = pk.by_tier(rows, NAMES, pk.drawn(rows), CARD).set_index("name")
    assert table.index.tolist() == NAMES
    for name, inside in rows.groupby("tier"):
        assert table["count"][name] == len(inside)
        assert table["rate"][name] == pytest.approx(inside["outcome"].mean())
        assert table["chance"][name] == pytest.approx(inside["chance"].mean())
        low, high = table["interval"][name]
        assert low < table["rate"][name] < high
    assert table["reading"].tolist() == ["as promised"] * 3
    assert table["card_rate"].tolist() == [0.42, None, 0.07]
    assert table["card_interval"]["A"] == [0.4, 0.44]
    sentence = pk.kept(table.reset_index())
    assert sentence.startswith("A / B / C converted at ")
    assert sentence.endswith("As promised.")


def test_a_promise_that_is_broken_is_told_with_its_tier():
    rows = fell_due(odds=0.5)
    table = pk.by_tier(rows, NAMES, pk.drawn(rows))
    assert (table["reading"] == "fewer than promised").all()
    assert "A: fewer than promised" in pk.kept(table)
    assert table["card_rate"].isna().all()


def test_true_chances_are_called_broken_in_about_one_of_twenty_reports():
    """Holm over the three tiers: any of them in 5 % of reports at most."""
    found = [fell_due(seed=seed, count=800) for seed in range(24)]
    read = [pk.by_tier(rows, NAMES, pk.drawn(rows))["reading"] for rows in found]
    assert np.mean([(said != "as promised").any() for said in read]) <= 0.125


def test_without_a_deal_or_in_an_empty_tier_nothing_is_claimed():
    rows = fell_due(count=300)
    one = rows[rows["tier"] == "A"].reset_index(drop=True)
    table = pk.by_tier(one, NAMES, pk.drawn(one)).set_index("name")
    assert table["reading"].tolist()[1:] == ["nobody to tell by"] * 2
    assert table["interval"]["C"] == [0.0, 1.0]
    none = rows.head(0)
    table = pk.by_tier(none, NAMES, pk.drawn(none), CARD)
    assert table["count"].tolist() == [0, 0, 0]
    assert pk.kept(table) == "No deal has an outcome yet."
    found = pk.order(none, NAMES, pk.drawn(none))
    assert (found["standing"], found["rings"]) == ("can't be told yet", False)


def test_calibration_is_right_for_true_chances_and_tells_which_way_others_are_off():
    rows = fell_due()
    line = pk.calibration(rows, pk.drawn(rows))["line"].set_index("name")
    assert (line["reading"] == "as promised").all()
    rows = fell_due(odds=1.6)
    found = pk.calibration(rows, pk.drawn(rows))
    assert found["line"]["reading"][0] == "more won than promised"
    assert found["line"]["value"][0] == pytest.approx(np.log(1.6), abs=0.15)
    assert found["bins"]["count"].sum() == len(rows)


def test_order_holds_where_chances_are_true_and_no_alarm_rings():
    rows = fell_due()
    found = pk.order(rows, NAMES, pk.drawn(rows))
    assert (found["standing"], found["rings"]) == ("in order", False)
    assert found["sentence"].startswith("A > B > C: every tier converts better")


def test_a_tier_that_beats_the_one_above_it_rings():
    rows = fell_due(rates={"A": 0.15, "B": 0.3, "C": 0.05})
    found = pk.order(rows, NAMES, pk.drawn(rows))
    assert (found["standing"], found["rings"]) == ("out of order", True)
    assert "tier B converts better than A" in found["sentence"]


def test_chances_that_no_longer_hold_ring_though_the_order_does():
    rows = fell_due(odds=0.5)
    found = pk.order(rows, NAMES, pk.drawn(rows))
    assert (found["standing"], found["rings"]) == ("in order", True)
    assert "fewer wins than promised" in found["sentence"]


def test_few_outcomes_can_say_nothing_about_the_order():
    rows = fell_due(count=40)
    found = pk.order(rows, NAMES, pk.drawn(rows))
    assert (found["standing"], found["rings"]) == ("can't be told yet", False)


def test_wins_that_come_before_losses_ring_no_alarm():
    """All deals seen in one hour, wins within days, losses when 30 days are over. Were a win known
    at once, the sum would first see nothing but wins."""
    rung, hasty = [], []
    for seed in range(6):
        scores, outcomes = world(seed, count=800)
        scores = scores.assign(scored_at=at(1, 1))
        outcomes["closed_at"] = at(2, 1) + 8 * DAY * np.linspace(0, 1, 800)
        outcomes.loc[outcomes["outcome"] == 0, "closed_at"] = pd.NaT
        rows = pk.due(scores, outcomes, at(1, 12), 30)
        rung.append(pk.order(rows, NAMES, pk.drawn(rows))["rings"])
        known = rows["closed_at"].where(rows["outcome"] == 1, rows["outcome_known_at"])
        hasty.append(pk.order(rows.assign(outcome_known_at=known), NAMES, pk.drawn(rows))["rings"])
    assert sum(rung) <= 1
    assert all(hasty)


def test_from_the_ledger_to_what_came_of_it(tmp_path):
    """Two hours of each of six days, all deals of before in each; the first look of a deal counts, also of one held out."""
    scores, outcomes = world(count=600, days=6)
    scores = scores.assign(score=scores["chance"], model_version="0123456789ab")
    held_out = scores.index % 5 == 0
    scores["flag"] = np.where(held_out, "holdout", "")
    scores = scores.assign(
        shown=~held_out, worked=~held_out, propensity=np.where(held_out, np.nan, 0.9)
    )
    hours = scores["scored_at"].dt.floor("12h") + pd.Timedelta(hours=11)
    for hour, rows in scores.groupby(hours):
        late = scores.loc[hours < hour].assign(tier="C", chance=0.5)
        ledger.append(tmp_path, pd.concat([rows, late]).assign(scored_at=hour))
    looks = ledger.first_looks(tmp_path)
    rows = pk.due(looks, outcomes, at(1, 3), 30)
    gone = closed_by(scores, outcomes)
    assert set(rows["deal_id"]) == set(scores["deal_id"]) - gone
    kept = scores.set_index("deal_id").loc[rows["deal_id"]]
    assert rows["chance"].tolist() == kept["chance"].tolist()
    found = uplift.measured(rows)
    assert found["shown"]["count"] + found["held_out"]["count"] == 600 - len(gone)
    assert found["held_out"]["count"] == len(set(scores["deal_id"][held_out]) - gone)
    shown = ledger.first_shown(tmp_path, outcomes)
    assert set(shown["deal_id"]) == set(scores["deal_id"][~held_out]) - gone


def closed_by(scores, outcomes):
    """Deals that closed before they were shown, at the end of their half day."""
    shown_at = scores["scored_at"].dt.floor("12h") + pd.Timedelta(hours=11)
    return set(scores["deal_id"][outcomes["closed_at"] <= shown_at])
