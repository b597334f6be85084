"""An alarm rings soon when outcomes leave the chances, and rarely when they don't."""

import numpy as np
import pandas as pd
import pytest

from tierwise import alarm

COUNT = 1500


def rows(chance, odds=1.0, seed=0, tier="A"):
    """Watched rows whose odds are `odds` times those promised."""
    random = np.random.default_rng(seed)
    chance = np.broadcast_to(chance, COUNT) if np.isscalar(chance) else chance
    true = odds * chance / (1 - chance + odds * chance)
    return pd.DataFrame(
        {
            "entity_id": np.arange(len(chance)),
            "outcome_known_at": pd.date_range("2026-01-01", periods=len(chance), freq="h"),
            "tier": tier,
            "outcome": (random.random(len(chance)) < true).astype(float),
            "chance": chance,
        }
    )


def uneven(seed=1):
    return np.random.default_rng(seed).beta(2, 6, COUNT)


def test_the_sum_is_that_of_page_step_by_step():
    deviation, slack = np.random.default_rng(0).normal(size=(3, 200)), 0.3
    want = np.zeros((3, 200))
    for row in range(3):
        level = 0.0
        for step in range(200):
            level = max(0.0, level + deviation[row, step] - slack)
            want[row, step] = level
    assert alarm.cusum(deviation, slack) == pytest.approx(want, abs=1e-12)
    by_hand = alarm.cusum(np.array([1.0, 0.5, -2.0, 2.0]), 0.3)
    assert by_hand == pytest.approx([0.7, 0.9, 0.0, 1.7])


@pytest.mark.parametrize(("height", "run_length"), [(4, 168), (5, 465)])
def test_runs_between_false_alarms_are_as_long_as_published(height, run_length):
    """Montgomery, Introduction to Statistical Quality Control, table of the two-sided tabular
    CUSUM with allowance 0.5: ARL 168 for a limit of 4, 465 for 5; one side alone, twice that."""
    noise = np.random.default_rng(0).normal(size=(800, 12 * run_length))
    over = alarm.cusum(noise, 0.5) > height
    first = np.where(over.any(axis=1), over.argmax(axis=1) + 1, over.shape[1])
    assert first.mean() == pytest.approx(2 * run_length, rel=0.12)


def test_the_allowance_is_half_of_what_three_halves_of_the_odds_would_add():
    assert alarm.allowance(np.array([0.5]), 1)[0] == pytest.approx((0.6 - 0.5) / 2)
    assert alarm.allowance(np.array([0.5]), -1)[0] == pytest.approx((0.5 - 0.4) / 2)
    chance = uneven()
    assert alarm.allowance(chance, 1) == pytest.approx(alarm.allowance(1 - chance, -1))
    assert alarm.allowance(np.array([0.0, 1.0]), 1).tolist() == [0.0, 0.0]


def test_the_share_of_false_alarms_is_the_one_stated():
    """Other histories than those that set the limit, with uneven chances."""
    chance = uneven()
    line = alarm.limit(chance, 1, 0.05)
    won = np.random.default_rng(99).random((2000, COUNT)) < chance
    highest = alarm.cusum(won - chance, alarm.allowance(chance, 1)).max(axis=1)
    assert (highest > line).mean() == pytest.approx(0.05, abs=0.015)


def test_any_of_six_alarms_rings_falsely_in_no_more_than_the_stated_share_of_histories(
    monkeypatch,
):
    monkeypatch.setattr(alarm, "DRAW_COUNT", 1000)
    chance, tier = uneven(), np.repeat(list("ABC"), COUNT // 3)
    rung = [
        alarm.watch(rows(chance, seed=seed, tier=tier), list("ABC"), 0.2)[0]["alarm_row"].any()
        for seed in range(30)
    ]
    assert np.mean(rung) <= 0.2 + 2 * np.sqrt(0.2 * 0.8 / 30)
    assert any(rung)


@pytest.mark.parametrize(
    ("odds", "direction"), [(2.0, "more wins than promised"), (0.5, "fewer wins than promised")]
)
def test_an_alarm_rings_on_the_side_on_which_the_outcomes_left(odds, direction):
    alarms, _ = alarm.watch(rows(uneven(), odds), ["A"])
    assert alarm.rings(alarms)
    rung = alarms[alarms["alarm_row"] > 0]
    assert rung["direction"].tolist() == [direction]
    assert rung["alarm_row"].item() < COUNT / 2
    said = alarm.sentence(alarms)
    assert f"tier A, {direction}, on 2026-0" in said
    assert "in 5% of histories" in said


def test_the_alarm_is_dated_when_the_outcome_became_known_and_not_when_the_row_was_due():
    watched = rows(0.2, 4.0)
    late = watched.assign(outcome_known_at=watched["outcome_known_at"] + pd.Timedelta(days=30))
    now, then = (alarm.watch(table, ["A"])[0].loc[0, "alarm_at"] for table in (watched, late))
    assert pd.Timestamp(then) - pd.Timestamp(now) == pd.Timedelta(days=30)


def test_outcomes_count_in_the_order_in_which_they_became_known():
    watched = rows(0.3, 3.0)
    turned = watched.iloc[::-1]
    pd.testing.assert_frame_equal(alarm.watch(watched, ["A"])[0], alarm.watch(turned, ["A"])[0])


def test_a_case_that_is_seen_again_counts_once_in_a_tier():
    watched = rows(0.3)
    again = pd.concat([watched] * 5).sort_values("outcome_known_at", kind="stable")
    once, many = alarm.watch(watched, ["A"])[0], alarm.watch(again, ["A"])[0]
    pd.testing.assert_frame_equal(once, many)
    moved = pd.concat([watched, watched.assign(tier="B")])
    assert alarm.watch(moved, ["A", "B"])[0]["rows_count"].tolist() == [COUNT] * 4


def test_paths_end_where_the_table_says_and_pass_the_limit_at_the_alarm_first():
    alarms, paths = alarm.watch(rows(uneven(), 2.0), ["A"])
    for row in alarms.itertuples():
        path = paths[paths["direction"] == row.direction]
        assert path["sum"].max() == row.highest
        over = path.loc[path["sum"] > row.limit, "row"]
        assert (over.min() if len(over) else 0) == row.alarm_row


def test_a_tier_without_rows_has_no_alarm_and_running_numbers_do_for_dates():
    watched = rows(0.3, 4.0).assign(outcome_known_at=np.arange(COUNT))
    alarms, paths = alarm.watch(watched, ["A", "B"])
    assert set(alarms["tier"]) == set(paths["tier"]) == {"A"}
    assert alarms.loc[0, "alarm_at"].isdigit()
    nothing, no_paths = alarm.watch(watched[:0], ["A"])
    assert nothing.empty
    assert no_paths.empty
    assert not alarm.rings(nothing)
    assert alarm.sentence(nothing).startswith("No alarm has rung")


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_a_chance_of_zero_or_one_that_comes_true_never_rings(chance):
    alarms, _ = alarm.watch(rows(np.full(50, chance)), ["A"])
    assert (alarms["alarm_row"] == 0).all()
