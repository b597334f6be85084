"""Representatives follow the tiers and calling wins deals: what is still true of the chances?"""

import numpy as np
import pandas as pd
import pytest

from tiered import NAMES, SHARES
from tierwise import reweighting as rw
from tierwise import tiers
from tierwise.files import InputError

WEEKS, LIST = 12, 1200
ROOM_SHARE, EXPLORATION_SHARE = 0.3, 0.08
CALL = 4.0  # what a call does to the odds of a win


def odds_times(chance, ratio):
    return ratio * chance / (1 - chance + ratio * chance)


def limits(key, room):
    """The smallest key among the others that leaves no place in the room."""
    ordered = np.sort(key)
    return np.where(key <= ordered[room - 1], ordered[room], ordered[room - 1])


def week(random, number, share, owners=12):
    """One list of deals in which the first 30 % are called.

    A place drawn by lot for some of them, the others in order of their chance. The model learned
    when calls were made by lot: its chance is the share of wins at 30 % called, which is true.
    """
    alone = random.beta(1, 9, LIST)
    called_chance = odds_times(alone, CALL)
    chance = ROOM_SHARE * called_chance + (1 - ROOM_SHARE) * alone
    own = (np.argsort(np.argsort(-chance)) + 0.5) / LIST
    explored = random.random(LIST) < share
    key = np.where(explored, random.random(LIST), own)
    limit = limits(key, round(ROOM_SHARE * LIST))
    worked = key < limit
    won = random.random(LIST) < np.where(worked, called_chance, alone)
    return pd.DataFrame(
        {
            "deal_id": [f"{number}-{k}" for k in range(LIST)],
            "scored_at": pd.Timestamp("2026-01-05 08:00") + number * pd.Timedelta(weeks=1),
            "chance": chance,
            "tier": tiers.assign_by_rank(chance, np.zeros(LIST), SHARES),
            "flag": np.where(explored, "exploration", ""),
            "propensity": share * limit + (1 - share) * (own < limit),
            "worked": worked,
            "outcome": won.astype(float),
            "owner_id": random.integers(owners, size=LIST).astype(str),
            "if_called": called_chance,
        }
    )


def twelve_weeks(seed=0, share=EXPLORATION_SHARE):
    random = np.random.default_rng(seed)
    return pd.concat([week(random, number, share) for number in range(WEEKS)], ignore_index=True)


@pytest.fixture(scope="module")
def worlds():
    return [twelve_weeks(seed) for seed in range(8)]


@pytest.fixture(scope="module")
def lines(worlds):
    """Level, intercept and slope of each world in the three ways."""
    tables = [rw.calibration(rows, ROOM_SHARE).assign(world=k) for k, rows in enumerate(worlds)]
    return pd.concat(tables).set_index(["way", "name", "world"]).sort_index()


@pytest.fixture(scope="module")
def tables(worlds):
    return [rw.estimates(rows, NAMES).set_index("name") for rows in worlds]


def covered(lines, way, name):
    found = lines.loc[way, name]
    low, high = np.array(found["interval"].tolist()).T
    return np.mean((low <= found["right"]) & (found["right"] <= high))


def test_plain_calibration_drifts_where_representatives_follow_the_tiers(lines):
    """High chances are called and win more, low ones are left and win less: the slope is no 1."""
    plain = lines.loc["plain", "slope"]
    assert (plain["reading"] == "chances too close together").all()
    assert plain["value"].mean() > 1.25


@pytest.mark.parametrize("way", ["explored", "reweighted"])
@pytest.mark.parametrize("name", ["level", "slope"])
def test_with_deals_drawn_by_lot_the_calibration_holds(lines, way, name):
    assert covered(lines, way, name) >= 0.8
    right = lines.loc[way, name]["right"].iloc[0]
    assert lines.loc[way, name]["value"].mean() == pytest.approx(right, abs=0.06)


def test_a_queue_without_order_needs_no_weights():
    """Everything drawn by lot: the three ways agree."""
    rows = twelve_weeks(share=1.0)
    found = rw.calibration(rows, ROOM_SHARE).set_index(["way", "name"]).sort_index()
    assert (found["reading"] == "as promised").all()
    plain, explored = found.loc["plain"], found.loc["explored"]
    assert plain["value"].tolist() == explored["value"].tolist()


def test_conversion_of_called_deals_is_too_high_and_weights_put_it_right(worlds, tables):
    plain, ips, rate, inside = [], [], [], []
    for rows, table in zip(worlds, tables, strict=True):
        found = table.loc["all"]
        truth = rows["if_called"].mean()
        plain.append(found["plain_rate"] / truth)
        ips.append(found["ips_rate"] / truth)
        rate.append(found["rate"] / truth)
        inside.append(found["interval"][0] <= truth <= found["interval"][1])
    assert min(plain) > 1.4
    assert np.mean(ips) == pytest.approx(1, abs=0.05)
    assert np.mean(rate) == pytest.approx(1, abs=0.05)
    assert np.mean(inside) >= 0.85


def test_each_tier_is_estimated_as_if_all_of_it_were_called(worlds, tables):
    for name in NAMES:
        truth = np.mean([rows["if_called"][rows["tier"] == name].mean() for rows in worlds])
        assert np.mean([table["rate"][name] for table in tables]) == pytest.approx(truth, rel=0.08)
        spread = np.std([table["rate"][name] for table in tables])
        low, high = np.mean([table["interval"][name] for table in tables], axis=0)
        assert 0.5 < (high - low) / (4 * spread) < 2.5, "intervals are as wide as worlds differ"
    assert tables[0]["effective_count"]["A"] > 0.9 * tables[0]["worked_count"]["A"]


def test_weights_stand_for_all_deals(worlds):
    for rows in worlds[:4]:
        assert rw.if_worked(rows).sum() == pytest.approx(len(rows), rel=0.15)
        assert rw.if_by_lot(rows, ROOM_SHARE).sum() == pytest.approx(len(rows), rel=0.15)


def test_of_equal_propensities_the_weighted_rate_is_the_plain_one():
    rows = twelve_weeks(share=1.0).assign(propensity=0.3)
    found = rw.estimates(rows, NAMES)
    assert found["rate"].tolist() == pytest.approx(found["plain_rate"].tolist())
    assert found["effective_count"].tolist() == pytest.approx(found["worked_count"].tolist())
    for plain, weighed in zip(found["plain_interval"], found["interval"], strict=True):
        assert weighed == pytest.approx(plain)


def test_a_deal_that_was_sure_to_be_called_is_left_out_of_the_queue_without_order():
    rows = twelve_weeks().head(4)
    rows = rows.assign(propensity=[1.0, 0.5, 1.0, 0.25], worked=[True, True, True, False])
    assert rw.if_by_lot(rows, 0.5).tolist() == [0.0, 1.0, 0.0, pytest.approx(2 / 3)]
    assert rw.if_worked(rows).tolist() == [1.0, 2.0, 1.0, 0.0]


def test_a_tier_that_nobody_worked_on_claims_nothing():
    rows = twelve_weeks(share=0.5)
    rows["worked"] &= rows["tier"] != "C"
    found = rw.estimates(rows, NAMES).set_index("name").loc["C"]
    assert found["rate"] is None or np.isnan(found["rate"])
    assert found["interval"] == [0.0, 1.0]
    assert found["worked_count"] == 0


@pytest.mark.parametrize("value", [0.0, np.nan, 1.2])
def test_without_exploration_there_is_no_weight(value):
    rows = twelve_weeks().head(50)
    rows.loc[7, "propensity"] = value
    with pytest.raises(InputError, match="exploration_share above 0"):
        rw.estimates(rows, NAMES)
