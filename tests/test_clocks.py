"""Clocks are flagged, honest columns are not, and what clocks do to a frozen model is shown."""

import numpy as np
import pandas as pd
import pytest

from tierwise import clocks
from tierwise.examples import by_period

COUNT = 4000
MONTHS = ["may", "jun", "jul", "aug", "oct", "nov", "dec", "jan"]


def found(columns, **given):
    return clocks.find(pd.DataFrame(columns), **given).set_index("column")


def stretches(values):
    """Each value for an equal stretch of the rows."""
    return np.repeat(np.array(values), COUNT // len(values))


def wave(count=COUNT, seed=0):
    """A rate that drifts at random and never comes back for long."""
    steps = np.random.default_rng(seed).normal(size=40).cumsum() + 0.6 * np.arange(40)
    return np.repeat(steps, count // 40)


CLOCKS = {
    "interest rate": lambda: wave(),
    "name of the month": lambda: stretches(MONTHS),
    "running number": lambda: np.arange(COUNT),
    "falling number": lambda: -(np.arange(COUNT) ** 2.0),
    "date": lambda: pd.date_range("2026-01-01", periods=COUNT, freq="h"),
    "rate with gaps": lambda: pd.Series(wave()).where(np.arange(COUNT) % 3 > 0),
    "version": lambda: pd.Categorical(stretches([f"v{n}" for n in range(20)])),
}
HONEST = {
    "noise": lambda random: random.normal(size=COUNT),
    "heavy tails": lambda random: random.standard_cauchy(COUNT),
    "few values": lambda random: random.integers(0, 3, COUNT),
    "flag": lambda random: random.random(COUNT) < 0.02,
    "category": lambda random: random.choice(list("abcde"), COUNT),
    "many values": lambda random: random.zipf(1.6, COUNT).astype(str),
    "mostly missing": lambda random: pd.Series(random.normal(size=COUNT)).where(
        random.random(COUNT) < 0.05
    ),
    "slow drift": lambda random: random.normal(size=COUNT) + np.linspace(0, 0.5, COUNT),
    "weekday": lambda random: np.arange(COUNT) // 20 % 5,
    "constant": lambda random: np.ones(COUNT),
    "empty": lambda random: np.full(COUNT, np.nan),
    "infinite": lambda random: np.where(np.arange(COUNT) % 2, np.inf, random.normal(size=COUNT)),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_a_date_in_disguise_is_flagged(name):
    row = found({"column": CLOCKS[name]()}).loc["column"]
    assert row["clock_auc"] > 0.85
    assert row["reason"].startswith("alone it tells a period from all earlier ones with AUC")


@pytest.mark.parametrize("name", HONEST)
@pytest.mark.parametrize("seed", range(3))
def test_a_column_that_does_not_follow_time_is_no_clock(name, seed):
    column = HONEST[name](np.random.default_rng(seed))
    row = found({"column": column}).loc["column"]
    assert row["reason"] == ""
    assert row["clock_auc"] < 0.65
    assert row["left_share"] < 0.05


def test_clocks_are_shown_first_then_what_is_nearest_to_being_one():
    names = [f"column_{number}" for number in range(8)]
    found = pd.DataFrame({"column": names, "clock_auc": np.linspace(0.5, 0.85, 8)})
    found = found.assign(left_share=0.1, reason=["", "far outside", *[""] * 5, "alone it tells"])
    shown = clocks.nearest(found)
    assert shown["column"].tolist() == [names[number] for number in (7, 1, 6, 5, 4)]
    assert shown["reason"].tolist() == ["alone it tells", "far outside", *[clocks.NO_CLOCK] * 3]
    assert list(shown) == list(found)
    every = clocks.nearest(found.assign(reason="flagged"))
    assert len(every) == 8
    assert clocks.nearest(found.assign(reason=""))["column"].tolist() == names[:2:-1]
    assert clocks.nearest(found.head(0)).empty


def test_one_campaign_is_no_calendar():
    """A column that jumps once tells one period from the earlier ones, but not the others."""
    jump = np.where(np.arange(COUNT) > 0.6 * COUNT, 5.0, 0.0)
    column = jump + np.random.default_rng(0).normal(size=COUNT)
    row = found({"column": column}).loc["column"]
    assert row["reason"] == ""


def test_values_that_were_never_seen_are_a_sign_of_their_own():
    """Two thirds of the rows say nothing, the others bear the name of the current campaign."""
    name = stretches([f"campaign {n}" for n in range(16)]).astype(object)
    name[np.random.default_rng(0).random(COUNT) < 0.62] = "none"
    row = found({"column": name}).loc["column"]
    assert row["clock_auc"] < clocks.CLOCK["clock_auc"]
    assert row["reason"].endswith("lie outside of what was seen earlier")


def test_shuffled_rows_have_no_clocks():
    order = np.random.default_rng(0).permutation(COUNT)
    columns = {name: pd.Series(make()).iloc[order].to_numpy() for name, make in CLOCKS.items()}
    assert (found(columns)["reason"] == "").all()


@pytest.mark.parametrize("count", [1, 3, 8, 40, 160, 200])
def test_few_rows_make_no_clock_of_noise(count):
    random = np.random.default_rng(count)
    columns = {"number": random.normal(size=count), "text": random.choice(list("abc"), count)}
    rows = found(columns)
    assert rows["clock_auc"].between(0.5, 1).all()
    assert rows["left_share"].between(0, 1).all()
    assert (rows["reason"] == "").all()


def test_names_of_cases_that_are_seen_again_are_not_unseen_more_often_than_chance_has_it():
    """Every deal is new once; a name that only one deal has says nothing about time."""
    whose = pd.Series(np.repeat(np.arange(COUNT // 10), 10))
    name = whose.map(lambda number: f"deal {number}")
    row = found({"column": name}, entity=whose).loc["column"]
    assert row["reason"] == ""


def test_left_share_is_the_part_outside_of_the_middle_of_earlier_values():
    earlier = pd.Series(np.arange(1000.0))
    assert clocks.left_share(earlier, pd.Series([-5.0, 500.0, 2000.0, 3000.0])) == pytest.approx(
        0.75 - 0.02, abs=0.001
    )
    assert clocks.left_share(earlier, earlier) == 0.0
    assert clocks.left_share(earlier, pd.Series([np.nan, np.nan])) == 0.0


def test_left_share_of_names_is_less_what_the_earlier_rows_themselves_have_unseen():
    """Good 1953: half of the earlier rows bear a name seen once, so half new names are no news."""
    earlier = pd.Series(["a"] * 50 + [f"once {n}" for n in range(50)])
    later = pd.Series(["a"] * 50 + [f"new {n}" for n in range(50)])
    assert clocks.left_share(earlier, later) == 0.0
    assert clocks.left_share(earlier, pd.Series(["z"] * 10)) == 0.5
    assert clocks.left_share(pd.Series(["a"] * 100), pd.Series(["a", "b"])) == 0.5


def test_limits_are_those_that_are_given():
    columns = {"column": np.random.default_rng(0).normal(size=COUNT) + np.linspace(0, 4, COUNT)}
    auc = found(columns).loc["column", "clock_auc"]
    for limit, flagged in ((auc - 0.01, True), (auc + 0.01, False)):
        limits = {"clock_auc": limit, "left_share": 1.0}
        assert (found(columns, limits=limits).loc["column", "reason"] != "") == flagged


def test_finding_alters_nothing():
    features = pd.DataFrame(
        {"rate": wave(), "month": stretches(MONTHS)}, index=np.arange(COUNT) + 7
    )
    before = features.copy()
    clocks.find(features)
    pd.testing.assert_frame_equal(features, before)


# what clocks do to a model


def drifting(seed=0):
    """The clock rose with the share of wins at first, and fell again while that went on rising."""
    random = np.random.default_rng(seed)
    time = np.linspace(0, 1, COUNT)
    honest = random.normal(size=COUNT).astype("float32")
    clock = np.where(time < 0.5, time, 1 - time)
    chance = 1 / (1 + np.exp(2.5 - 4 * time - honest))
    outcome = (random.random(COUNT) < chance).astype(float)
    features = pd.DataFrame({"honest": honest, "clock": clock.astype("float32")})
    order = pd.Series(np.arange(COUNT))
    return features, outcome, pd.DataFrame({"as_of": order, "outcome_known_at": order})


def test_a_clock_misleads_a_frozen_model_and_the_table_shows_it():
    features, outcome, examples = drifting()
    assert list(clocks.find(features).query("reason != ''")["column"]) == ["clock"]
    table = clocks.effect(features, outcome, by_period(examples, 8, 0.5), ["clock"])
    area = table.set_index(["model", "columns"])["auc"]
    assert table["columns"].tolist() == [clocks.WITH, clocks.WITHOUT] * 2
    assert area["frozen", clocks.WITHOUT] > area["frozen", clocks.WITH] + 0.03
    assert area["refitted", clocks.WITH] > area["frozen", clocks.WITH] + 0.03
    assert "A frozen model should do without them" in clocks.sentence(table)


def test_columns_that_are_not_flagged_make_the_same_model_frozen_or_not_with_one_period():
    features, outcome, examples = drifting()
    table = clocks.effect(features, outcome, by_period(examples, 1, 0.5), ["clock"])
    area = table.pivot(index="columns", columns="model", values="auc")
    assert (area["frozen"] == area["refitted"]).all()


def test_nothing_flagged_or_nothing_left_is_no_comparison():
    features, outcome, examples = drifting()
    periods = by_period(examples, 2, 0.5)
    assert clocks.effect(features, outcome, periods, []).empty
    assert clocks.effect(features, outcome, periods, ["honest", "clock"]).empty
    assert clocks.sentence(clocks.effect(features, outcome, periods, [])) == "No column is a clock."


@pytest.mark.parametrize(
    ("areas", "word"),
    [
        ([0.53, 0.62, 0.70, 0.69], "one that is refitted should keep them"),
        ([0.53, 0.62, 0.69, 0.70], "one that is refitted loses nothing without them"),
        ([0.62, 0.62, 0.70, 0.69], "no harm here"),
    ],
)
def test_the_sentence_gives_the_four_areas_and_the_advice_that_follows(areas, word):
    pairs = [(m, c) for m in ("frozen", "refitted") for c in (clocks.WITH, clocks.WITHOUT)]
    table = pd.DataFrame(pairs, columns=["model", "columns"]).assign(auc=areas)
    said = clocks.sentence(table)
    assert f"frozen, {areas[0]:.2f} with the clocks and {areas[1]:.2f} without" in said
    assert word in said
