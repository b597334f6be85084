"""A simulated floor whose representatives follow the tiers: honest about time, luck and truth."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise import hourly, models, plots_following, reliability, reweighting
from tierwise.draws import Draws
from tierwise.files import InputError
from tierwise.simulation import floor, followed, following
from tierwise.simulation.floor import FEATURES, Settings
from tierwise.simulation.following import Arm, Plan

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import following as benchmark  # noqa: E402
import following_report as report  # noqa: E402

PLAN = Plan()
SMALL = Settings(seed=3, weeks_count=16, history_weeks=16, deals_per_week=150)
LONG = Settings(seed=1, weeks_count=44, deals_per_week=500)
ARMS = [
    *(following.NOBODY, following.WITHOUT, following.WITH, following.MENDED),
    *(following.FROZEN, following.WORKED_WEIGHED),
]


@pytest.fixture(scope="module")
def small():
    return floor.drawn(SMALL)


@pytest.fixture(scope="module")
def runs(small):
    return {arm.name: following.run(small, arm, PLAN) for arm in ARMS}


@pytest.fixture(scope="module")
def long():
    """A floor, and what the last weeks say about three arms on it, by the question `by lot`."""
    found = followed.compared(LONG, ARMS[:3], PLAN)
    return followed.summary(found["blocks"]).set_index("arm"), found


# the floor


def test_no_column_that_a_model_sees_tells_a_true_chance(small):
    assert not set(FEATURES) & set(small.truth)
    assert not set(small.deals) & set(small.truth)
    for name in small.deals[FEATURES].select_dtypes("number"):
        for chance in ("alone", "worked"):
            r = np.corrcoef(small.deals[name], small.truth[chance])[0, 1]
            assert abs(r) < 0.8, "features are noisy"


def test_a_model_is_given_the_features_and_nothing_else(small, monkeypatch):
    given, fitted, chance = [], following.fitted, models.chance

    def fit(name, features, outcome, weight):
        given.append(list(features))
        return fitted(name, features, outcome, weight)

    def score(model, features):
        given.append(list(features))
        return chance(model, features)

    monkeypatch.setattr(following, "fitted", fit)
    monkeypatch.setattr(models, "chance", score)
    following.run(small, following.WITH, PLAN)
    assert len(given) == 8
    assert all(columns == FEATURES for columns in given)


def test_work_never_loses_a_deal(small):
    assert (small.truth["worked"] >= small.truth["alone"]).all()
    everyone, nobody = np.ones(len(small.deals), bool), np.zeros(len(small.deals), bool)
    rows = slice(0, len(small.deals))
    assert (small.won(everyone, rows) >= small.won(nobody, rows)).all()
    assert small.won(everyone, rows).mean() == pytest.approx(small.truth["worked"].mean(), abs=0.02)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    weeks=st.integers(1, 30),
    deals=st.integers(1, 40),
    effect=st.floats(0, 3),
    drift=st.floats(0, 0.5),
)
def test_any_floor_has_all_its_deals_and_chances_between_0_and_1(seed, weeks, deals, effect, drift):
    asked = Settings(seed, weeks, 5, deals, effect, drift=drift)
    found = floor.drawn(asked)
    assert (found.deals.groupby("week").size() == deals).all()
    assert list(found.deals["week"].unique()) == list(range(-5, weeks))
    assert found.truth[["alone", "worked"]].to_numpy().min() >= 0
    assert found.truth[["alone", "worked"]].to_numpy().max() <= 1
    by_lot = found.by_lot(0.3)
    assert (found.truth["alone"] <= by_lot + 1e-12).all()
    assert (by_lot <= found.truth["worked"] + 1e-12).all()


def test_the_same_seed_gives_the_same_weeks_and_another_seed_others(small, runs):
    again = following.run(floor.drawn(SMALL), following.WITH, PLAN)
    pd.testing.assert_frame_equal(again, runs[following.WITH.name])
    other = floor.drawn(replace(SMALL, seed=4))
    assert not other.truth.equals(small.truth)


def test_a_channel_that_turns_changes_nothing_before_its_week():
    calm, turned = (floor.drawn(replace(LONG, turn=t)) for t in (0.0, 1.5))
    before = (calm.deals["week"] < floor.TURN_WEEK).to_numpy()
    same = (calm.truth == turned.truth).all(axis=1).to_numpy()
    assert same[before].all()
    changed = calm.deals.loc[~same, "source"]
    assert len(changed) > 500
    assert set(changed) == {floor.TURNING}


@pytest.mark.parametrize("name", ["weeks_count", "deals_per_week", "history_weeks"])
def test_a_floor_without_weeks_or_deals_is_refused(name):
    with pytest.raises(InputError, match=name):
        replace(SMALL, **{name: 0})


# time


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_a_chance_knows_no_outcome_that_was_not_known_then(small, runs, arm):
    """Outcomes of deals that come due in week 9 or later turn: no chance before week 10 moves."""
    now = 8
    late = small.deals["week"].to_numpy() >= now - PLAN.delay_weeks
    truth = small.truth.assign(luck=np.where(late, 1 - small.truth["luck"], small.truth["luck"]))
    other = following.run(replace(small, truth=truth), arm, PLAN)
    same = small.deals["week"] < now + PLAN.refit_weeks
    pd.testing.assert_series_equal(other["chance"][same], runs[arm.name]["chance"][same])
    if arm.learns != following.NEVER:
        later = ~same
        assert not np.allclose(other["chance"][later], runs[arm.name]["chance"][later])


def test_a_deal_teaches_from_the_week_after_its_outcome_until_it_leaves_the_window():
    week = np.arange(-40, 40)
    for now in (0, 8, 20):
        known = week[following.known(week, now, PLAN)]
        assert known.max() + PLAN.delay_weeks == now - 1
        assert len(known) == PLAN.window_weeks


def test_a_model_that_is_never_refitted_gives_the_chances_of_week_0(small, runs):
    book = following.opened(small, PLAN)
    model = following.learned(small.deals, book, 0, following.FROZEN, PLAN)
    rows = runs[following.FROZEN.name]
    inside = (rows["week"] >= 0).to_numpy()
    believed = models.chance(model, small.deals[FEATURES][inside])
    assert np.array_equal(rows["score"][inside], believed)
    np.testing.assert_allclose(rows["chance"][inside], believed, rtol=1e-9)


# lists


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_counts_add_up(small, runs, arm):
    rows = runs[arm.name]
    assert rows["deal_id"].is_unique
    assert rows["deal_id"].equals(small.deals["deal_id"])
    weeks = rows[rows["week"] >= 0]
    sizes = weeks.groupby(["week", "tier"]).size().unstack()
    assert (sizes == [30, 45, 75]).all(axis=None)
    assert weeks["outcome"].isin([0, 1]).all()
    assert all(sorted(ranks) == [*range(1, 151)] for _, ranks in weeks.groupby("week")["rank"])
    queue = weeks[weeks["shown"]].groupby(["week", "owner_id"])["worked"]
    if arm.follows:
        room = np.ceil(PLAN.room_share * queue.size() - 1e-9).clip(lower=1)
        assert (queue.sum() == room).all()
    assert (weeks["flag"] == "exploration").any() == bool(arm.exploration_share)


def test_a_held_out_deal_is_worked_on_by_lot_whatever_its_tier(small, runs):
    for arm in ARMS[1:]:
        rows = runs[arm.name]
        held = rows[rows["flag"] == following.HELD_OUT]
        assert not held["shown"].any()
        assert held["propensity"].isna().all()
        lot = following.by_lot(held[["deal_id"]], PLAN, following.salt(small))
        assert np.array_equal(held["worked"], lot)
    held = [rows[rows["flag"] == following.HELD_OUT] for rows in list(runs.values())[1:]]
    for one in held[1:]:
        assert one["deal_id"].tolist() == held[0]["deal_id"].tolist()
        assert one["outcome"].tolist() == held[0]["outcome"].tolist(), "tiers mean nothing to them"
        assert one["tier"].ne("").all(), "their tier is kept from them, and remembered"


def test_weeks_are_handed_out_as_delivery_does_it(small, runs):
    arm, week = following.WITH, 5
    rows = runs[arm.name]
    rows = rows[rows["week"] == week].reset_index(drop=True)
    asked = hourly.Asked(
        exploration_share=arm.exploration_share,
        holdout_share=PLAN.holdout_share,
        room_share=PLAN.room_share,
        salt=following.salt(small),
        explained_count=0,
        new_columns="refuse",
        stale_after_hours=1.0,
    )
    batch = rows[["rank", "tier", "owner_id"]].assign(entity_id=rows["deal_id"].astype(str))
    found = hourly.flagged(batch, asked)
    assert found["flag"].tolist() == rows["flag"].tolist()
    assert found["shown"].tolist() == rows["shown"].tolist()
    held = rows["flag"] == following.HELD_OUT
    assert found["worked"][~held].tolist() == rows["worked"][~held].tolist()
    np.testing.assert_allclose(found["propensity"].astype(float), rows["propensity"].astype(float))


def test_without_exploration_weights_are_refused():
    for learns in (following.BY_LOT, following.IF_WORKED, following.CORRECTED):
        with pytest.raises(InputError, match="exploration_share above 0"):
            Arm("impossible", learns)
    with pytest.raises(InputError, match="learns in one of"):
        Arm("impossible", "by heart")


# learning and judging


def test_weights_count_as_the_rows_that_say_as_much(small, runs):
    rows = runs[following.WITH.name]
    book = {name: rows[name].to_numpy() for name in ("worked", "propensity")}
    at = np.flatnonzero(rows["shown"])
    raw = reweighting.if_by_lot(rows.iloc[at], PLAN.room_share)
    few = following.weights(book, at, following.BY_LOT, PLAN)
    many = following.weights(book, at, following.BY_LOT, replace(PLAN, counts_as=following.MANY))
    assert few.sum() == pytest.approx(raw.sum() ** 2 / (raw**2).sum())
    assert many.sum() == pytest.approx(len(at))
    np.testing.assert_allclose(few / few.sum(), raw / raw.sum())


def test_the_straight_line_is_that_of_the_project():
    random = np.random.default_rng(0)
    z = random.normal(-1.5, 1, 3000)
    won = (random.random(3000) < 1 / (1 + np.exp(0.3 - 0.7 * z))).astype(float)
    once, nobody = np.ones((1, 1), dtype=int), np.zeros(3000, dtype=int)
    alone = following.straightened(z, won, np.ones(3000), (0.0, 0.0))
    expected = reliability.line(won, z, Draws(nobody, nobody, once, once), bends=True)
    assert alone == pytest.approx(expected)
    pulled = following.straightened(z, won, np.ones(3000))
    sliding = following.calibration.sliding(1 / (1 + np.exp(-z)), won)
    assert pulled == pytest.approx((sliding["intercept"], sliding["slope"]), abs=1e-4)


def test_true_chances_are_found_true_and_bent_ones_bent():
    truth = np.random.default_rng(2).beta(1, 4, 4000)
    found = followed.calibration(truth, truth)
    assert found["slope"] == pytest.approx(1)
    assert found["intercept"] == pytest.approx(0, abs=1e-9)
    assert found["level"] == pytest.approx(0, abs=1e-9)
    assert found["ece"] == pytest.approx(0, abs=1e-9)
    z = models.log_odds(truth)
    apart = followed.calibration(truth, 1 / (1 + np.exp(-2 * z)))
    assert apart["slope"] == pytest.approx(0.5, abs=0.01)
    assert apart["log_loss"] > found["log_loss"]


def test_buried_are_the_best_that_stand_in_the_last_tier():
    chance = np.arange(10) / 10
    assert followed.buried(chance, np.array(list("CCCCCBBBAA"))) == 0
    assert followed.buried(chance, np.array(list("ABBBCCCCAC"))) == 0.5


def test_if_work_wins_nothing_nobody_drifts():
    """Then it is of no account who is worked on: all arms stay as true as where nobody follows."""
    still = replace(LONG, effect=0.0, drift=0.0, weeks_count=32, deals_per_week=400)
    found = followed.summary(followed.compared(still, ARMS[:3], PLAN)["blocks"]).set_index("arm")
    nobody = found.loc[following.NOBODY.name]
    for arm in (following.WITHOUT, following.WITH):
        assert found.loc[arm.name, "ece"] < nobody["ece"] + 0.012
        assert found.loc[arm.name, "slope"] == pytest.approx(nobody["slope"], abs=0.15)
        assert found.loc[arm.name, "wins_expected"] == pytest.approx(nobody["wins_expected"])


def test_without_exploration_chances_drift_apart_and_with_it_they_hold(long):
    found, _ = long
    nobody, without, explored = (found.loc[arm.name] for arm in ARMS[:3])
    assert without["slope"] < 0.88
    assert without["ece"] > 1.5 * nobody["ece"]
    assert explored["ece"] < without["ece"] - 0.005
    assert abs(explored["slope"] - nobody["slope"]) < 0.12
    assert without["wins_expected"] > nobody["wins_expected"], "following wins deals all the same"


def test_tables_have_a_row_for_each_tier_and_block(long):
    _, found = long
    blocks, tiers = found["blocks"], found["tiers"]
    assert len(blocks) == 3 * (LONG.weeks_count // PLAN.refit_weeks) * len(followed.QUESTIONS)
    assert blocks["deals_count"].eq(PLAN.refit_weeks * LONG.deals_per_week).all()
    assert tiers.groupby("arm").size().eq(3).all()
    for row in tiers.itertuples():
        assert row.interval[0] <= row.rate <= row.interval[1]
        assert abs(row.rate - row.as_it_went) < 0.04, "outcomes are drawn from true chances"


def test_an_operator_sees_by_lot_only_with_exploration(runs):
    with_it = followed.as_operators_see(runs[following.WITH.name], following.WITH, PLAN)
    without = followed.as_operators_see(runs[following.WITHOUT.name], following.WITHOUT, PLAN)
    assert set(with_it["way"]) == {"plain", "explored", "reweighted"}
    assert set(without["way"]) == {"plain"}


def test_uplift_is_told_beside_its_truth():
    """No difference where work wins nothing; and the interval of one run holds what is true."""
    still = floor.drawn(replace(SMALL, effect=0.0, deals_per_week=300))
    rows = following.run(still, following.FROZEN, PLAN)
    found = followed.won_by_tiers(still, rows, PLAN)
    assert found["true"]["ratio"] == pytest.approx(1, abs=0.03)
    low, high = found["ratio"]["interval_any_time"]
    assert low < found["true"]["ratio"] < high
    assert found["held_out"]["count"] + found["shown"]["count"] == 16 * 300


def test_figures_show_every_arm(long):
    _, found = long
    plots_following.style()
    names = [arm.name for arm in ARMS[:3]]
    weeks = plots_following.over_weeks(found["blocks"])
    assert [line.get_label() for line in weeks.axes[0].lines][:3] == names
    tiers = plots_following.promised(found["tiers"])
    labels = [text.get_text().replace("\n", " ") for text in tiers.axes[0].get_xticklabels()]
    assert labels == names
    assert len(plots_following.everything(found["blocks"], found["tiers"]).axes) == 3


# the benchmark


@pytest.fixture(scope="module")
def found():
    return json.loads((BENCHMARKS / "results" / "following.json").read_text(encoding="utf-8"))


def test_the_page_of_the_benchmark_is_that_of_its_figures(found):
    assert report.page(found) == (BENCHMARKS / "results" / "following.md").read_text("utf-8")
    assert "simulated" in report.page(found)


def test_figures_of_the_benchmark_are_those_of_todays_floors_and_arms(found):
    assert found["floor"] == vars(Settings())
    assert found["plan"] == vars(Plan())
    assert found["arms"] == [vars(arm) for arm in benchmark.ARMS]
    labels = list(dict.fromkeys(row["condition"] for row in found["conditions"]["found"]))
    assert labels == [label for label, *_ in benchmark.CONDITIONS]


def test_differences_are_taken_floor_by_floor():
    rows = [
        {"question": "by lot", "arm": arm, "seed": seed}
        | dict.fromkeys(benchmark.MEASURES, seed + more)
        for seed in (0, 10, 100)
        for arm, more in (("no exploration", 0.0), ("other", 0.5))
    ]
    found = benchmark.differences(pd.DataFrame(rows)).set_index("arm")
    assert found.loc["other", "ece_more"] == pytest.approx([0.5, 0.5, 0.5])
    mean, low, high = found.loc["other", "ece"]
    assert (mean, low + high) == pytest.approx((110 / 3 + 0.5, 2 * mean))
    assert low < 0 < 100 < high, "three floors that differ say little"


def test_parts_of_an_earlier_run_stay_only_where_its_floors_were_these(tmp_path):
    path = tmp_path / "following.json"
    assert benchmark.earlier(path, {"floor": 1}) == {}
    path.write_text(json.dumps({"floor": 1, "weeks": [1], "uplift": [2]}), encoding="utf-8")
    assert benchmark.earlier(path, {"floor": 1}) == {"weeks": [1], "uplift": [2]}
    assert benchmark.earlier(path, {"floor": 2}) == {}
