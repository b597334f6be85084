"""Intervals of spend: they cover what they promise, zeros or not, and don't see what they judge."""

import numpy as np
import pandas as pd
import pytest

from tierwise.companies import purchases as pu
from tierwise.companies import spend as sp
from tierwise.companies import spend_intervals as si
from tierwise.companies import spend_measures as sm
from tierwise.files import InputError


def drawn(count, seed, level=1.0, rich=0.0):
    """Past pairs as simulated: spend is 0 or log-normal, around `level` times what was expected.

    rich: share of accounts that hardly ever spend nothing.
    """
    random = np.random.default_rng(seed)
    repeat = random.random(count) < 0.4
    expected = random.gamma(1.5, np.where(repeat, 60, 8))
    wealthy = random.random(count) < rich
    expected = np.where(wealthy, 2000 + expected, expected)
    spends = random.random(count) < np.where(wealthy, 0.995, expected / (expected + 60))
    worth = expected / np.where(wealthy, 0.995, expected / (expected + 60)) * level
    actual = np.where(spends, worth * random.lognormal(-0.18, 0.6, count), 0.0)
    group = np.where(repeat, si.REPEAT, si.NO_REPEAT)
    return pd.DataFrame(
        {
            "account_id": np.arange(count),
            "group": group,
            "expected_eur": expected,
            "actual_eur": actual,
        }
    )


def judged(scale, pairs):
    found = si.intervals(scale, pairs["expected_eur"].to_numpy(), pairs["group"].to_numpy())
    told = sm.coverage(
        pairs["actual_eur"], found["lower_eur"], found["upper_eur"], pairs["group"].to_numpy()
    )
    return found, told


@pytest.mark.parametrize("nominal", [0.87, 0.9, 0.95])
def test_new_accounts_are_covered_as_promised_in_both_groups(nominal):
    scale = si.calibrated(drawn(6000, 1), nominal)
    _, told = judged(scale, drawn(6000, 2))
    assert told["all"]["covered_share"] == pytest.approx(nominal, abs=0.012)
    assert told[si.REPEAT]["covered_share"] == pytest.approx(nominal, abs=0.02)
    assert told[si.NO_REPEAT]["covered_share"] == pytest.approx(nominal, abs=0.02)


def test_where_enough_accounts_spend_nothing_the_interval_is_nothing():
    scale = si.calibrated(drawn(6000, 1), 0.6)
    found, told = judged(scale, judge := drawn(6000, 2))
    alone = (judge["group"] == si.NO_REPEAT).to_numpy()
    assert (found.loc[alone, "upper_eur"] == 0).all()
    nothing = float((judge.loc[alone, "actual_eur"] == 0).mean())
    assert told[si.NO_REPEAT]["covered_share"] == nothing > 0.6


def test_a_wrong_law_is_made_up_for_by_the_miss():
    random = np.random.default_rng(5)
    odd = drawn(6000, 3)
    odd["actual_eur"] *= np.where(random.random(6000) < 0.2, 8.0, 0.7)  # two kinds of spenders
    judge = drawn(6000, 4)
    judge["actual_eur"] *= np.where(random.random(6000) < 0.2, 8.0, 0.7)
    _, told = judged(si.calibrated(odd), judge)
    assert told["all"]["covered_share"] == pytest.approx(0.9, abs=0.015)


def test_an_interval_begins_at_nothing_unless_nothing_is_unlikely():
    scale = si.calibrated(drawn(8000, 6, rich=0.3))
    found, told = judged(scale, judge := drawn(8000, 7, rich=0.3))
    wealthy = (judge["expected_eur"] > 1500).to_numpy()
    assert (found.loc[~wealthy, "lower_eur"] == 0).mean() > 0.9
    assert (found.loc[wealthy, "lower_eur"] > 0).mean() > 0.9
    assert (found["lower_eur"] <= found["upper_eur"]).all()
    assert told["all"]["covered_share"] == pytest.approx(0.9, abs=0.015)


def test_more_expected_spend_never_lowers_the_upper_end():
    scale = si.calibrated(drawn(6000, 1))
    steps = np.linspace(0, 500, 200)
    for group in (si.REPEAT, si.NO_REPEAT):
        upper = si.intervals(scale, steps, np.full(200, group))["upper_eur"]
        assert (np.diff(upper) >= -1e-9).all()
        assert np.isfinite(upper).all()


def test_more_certainty_makes_wider_intervals():
    pairs = drawn(4000, 1)
    widths = [
        judged(si.calibrated(pairs, share), pairs)[1]["all"]["width_eur"]
        for share in (0.8, 0.9, 0.95)
    ]
    assert widths[0] < widths[1] < widths[2]


def test_a_level_that_moves_is_not_covered_and_says_so():
    _, told = judged(si.calibrated(drawn(6000, 1)), drawn(6000, 2, level=3.0))
    assert told["all"]["covered_share"] < 0.87


def test_quantile_and_reached_are_inverse():
    law = si.Law((1.0, -0.5), (2.0, 0.8), 0.7)
    expected = np.array([1.0, 10.0, 100.0])
    zero = si.chance_of_zero(law, expected, 1e-6)
    level = zero + (1 - zero) * np.array([0.1, 0.5, 0.99])
    amount = si.quantile(law, expected, level, 1e-6)
    np.testing.assert_allclose(si.reached(law, expected, amount, 1e-6), level)
    np.testing.assert_allclose(si.quantile(law, expected, zero * 0.99, 1e-6), 0.0)


def test_the_miss_leaves_a_tenth_outside():
    scores = np.linspace(0, 1, 999)
    assert (scores < si.miss_of(scores, 0.9)).sum() == 99
    assert si.miss_of(np.array([0.3, 0.4]), 0.9) == 0.0  # too few to leave any out


def test_a_group_too_small_to_stand_alone_shares_law_and_miss():
    pairs = drawn(3000, 1)
    pairs["group"] = np.where(pairs["account_id"] < 20, si.REPEAT, si.NO_REPEAT)
    scale = si.calibrated(pairs)
    assert (
        scale.laws[si.REPEAT] == si.laws_of(pairs.assign(group="all"), scale.floor_eur)[si.REPEAT]
    )
    assert np.isfinite(scale.misses[si.REPEAT])


def test_too_few_spenders_give_no_interval():
    with pytest.raises(
        InputError, match=r"\d+ accounts spent anything in past windows; intervals need 30"
    ):
        si.calibrated(drawn(60, 1))


def test_past_windows_end_at_the_cut_and_see_nothing_of_it():
    start, cut = pd.Timestamp("2025-01-01"), pd.Timestamp("2025-12-27")
    random = np.random.default_rng(8)
    account = random.integers(0, 120, 1200)
    day = random.integers(0, 500, 1200)
    raw = pd.DataFrame({"account_id": account, "amount_eur": random.gamma(2, 10, 1200)})
    raw["occurred_at"] = (start + pd.to_timedelta(day, unit="D")).astype("datetime64[us]")
    orders, asked = pu.orders(raw), sp.Question(180)
    found = si.past_pairs(orders, cut, asked)
    again = si.past_pairs(pu.known_at(orders, cut), cut, asked)
    pd.testing.assert_frame_equal(found, again, check_exact=True)
    assert set(found["group"]) <= {si.REPEAT, si.NO_REPEAT}
    last = pu.spent(pu.known_at(orders, cut), pd.RangeIndex(120), pd.Timestamp("2025-06-30"), 180)
    assert found["actual_eur"].iloc[:120].sum() == pytest.approx(last.sum(), rel=0.05)


def test_without_a_past_there_is_no_interval():
    raw = {"account_id": ["a"], "occurred_at": pd.to_datetime(["2025-12-26"]), "amount_eur": [5.0]}
    with pytest.raises(
        InputError, match="There is no order before the windows that end on 2025-12-27"
    ):
        si.past_pairs(pu.orders(pd.DataFrame(raw)), pd.Timestamp("2025-12-27"), sp.Question(30))
