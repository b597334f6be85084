"""The story benchmark: measures as others compute them, honest arithmetic, a page that says so."""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
)

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import story  # noqa: E402
import story_report as report  # noqa: E402
import story_world  # noqa: E402

RANDOM = np.random.default_rng(5)
COUNT = 600
CHANCE = RANDOM.beta(1, 3, COUNT)
WON = (RANDOM.random(COUNT) < CHANCE).astype(int)
WEEKS = np.repeat(np.arange(6), COUNT // 6)
VALUE, COST = np.full(COUNT, 500.0), 40.0


@pytest.fixture(scope="module")
def figures():
    return story.measured(WON, CHANCE, WEEKS, 0.3, VALUE, COST)


# measures


def test_a_list_is_measured_as_scikit_learn_does():
    inside = CHANCE >= 0.3
    found = story.called(WON, inside, VALUE, COST)
    assert found["called_share"] == pytest.approx(inside.mean())
    assert found["accuracy"] == pytest.approx(accuracy_score(WON, inside))
    assert found["f1"] == pytest.approx(f1_score(WON, inside))
    assert found["f1_weighted"] == pytest.approx(f1_score(WON, inside, average="weighted"))
    assert found["precision"] == pytest.approx(precision_score(WON, inside))
    assert found["recall"] == pytest.approx(recall_score(WON, inside))
    assert found["profit_eur_per_deal"] * COUNT == pytest.approx(
        500 * WON[inside].sum() - 40 * inside.sum()
    )


def test_nobody_called_is_no_error():
    found = story.called(WON, np.zeros(COUNT, dtype=bool), VALUE, COST)
    assert found["f1"] == found["precision"] == found["profit_eur_per_deal"] == 0
    assert found["accuracy"] == pytest.approx(1 - WON.mean())


def test_ranking_and_chances_are_measured_as_scikit_learn_does(figures):
    assert figures["auc"] == pytest.approx(roc_auc_score(WON, CHANCE))
    assert figures["log_loss"] == pytest.approx(log_loss(WON, CHANCE))
    assert figures["rules"]["half"]["f1"] == pytest.approx(f1_score(WON, CHANCE >= 0.5))
    assert figures["rules"]["earlier"]["f1"] == pytest.approx(f1_score(WON, CHANCE >= 0.3))
    pays = CHANCE >= 40 / 500
    assert figures["rules"]["break_even"]["recall"] == pytest.approx(recall_score(WON, pays))


def test_the_threshold_of_earlier_rows_has_the_highest_f1_there():
    found = story.best_threshold(WON, CHANCE)
    precision, recall, _ = precision_recall_curve(WON, CHANCE)
    most = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    assert f1_score(WON, np.greater_equal(CHANCE, found)) == pytest.approx(most)


def test_the_threshold_of_an_open_list_needs_no_outcome_and_is_its_own():
    """A week of low chances calls somebody all the same."""
    chance = np.where(WEEKS == 0, CHANCE / 10, CHANCE)
    mask = story.by_list(chance, WEEKS)
    least = [chance[mask & (week == WEEKS)].min() for week in range(6)]
    assert least[0] < min(least[1:]) / 3
    for week, value in enumerate(least):
        assert (mask == (chance >= value))[week == WEEKS].all()


def test_tiers_are_a_fifth_three_tenths_and_a_half_of_each_list():
    tier = story.tiers.assign_by_rank(CHANCE, WEEKS, report.SHARES)
    for week in range(6):
        shares = pd.Series(tier[week == WEEKS]).value_counts(normalize=True)
        assert shares.to_dict() == pytest.approx({"A": 0.2, "B": 0.3, "C": 0.5})
    found = story.tier_rates(WON, CHANCE, WEEKS)
    assert found == pytest.approx({name: WON[tier == name].mean() for name in "ABC"})
    assert found["A"] > found["B"] > found["C"]


# the arithmetic of the story


def test_no_order_that_the_tiers_allow_has_a_higher_f1():
    """Every top of an order with all wins first inside each tier, tried out."""
    sizes = {tier: round(1000 * share) for tier, share in report.SHARES.items()}
    ends = [(size, round(size * report.STORY[tier])) for tier, size in sizes.items()]
    won = np.concatenate([np.arange(size) < wins for size, wins in ends]).astype(int)
    tops = [2 * won[:k].sum() / (k + won.sum()) for k in range(1, 1001)]
    assert report.f1_most(report.SHARES, report.STORY) == pytest.approx(max(tops))
    assert report.f1_of_tier(report.SHARES, report.STORY, "A") == pytest.approx(tops[199])
    assert max(tops) < report.STORY["f1"]


def test_the_highest_f1_stays_below_that_of_the_story_however_rates_were_rounded():
    for change in np.array(np.meshgrid(*[[-0.005, 0.005]] * 3)).reshape(3, -1).T:
        rates = {t: report.STORY[t] + c for t, c in zip("ABC", change, strict=True)}
        assert report.f1_most(report.SHARES, rates) < 0.675


def test_accuracy_and_f1_at_one_threshold_say_how_many_wins_were_called():
    inside = CHANCE >= 0.3
    accuracy, f1 = accuracy_score(WON, inside), f1_score(WON, inside)
    assert report.wins_called(accuracy, f1) == pytest.approx((WON * inside).mean())


def test_weighted_f1_is_that_of_scikit_learn():
    won = np.arange(400) < 100
    inside = np.zeros(400, dtype=bool)
    inside[[0, 1, 2, 3, 4, 5, 6, 7, 200, 201, 202, 203]] = True
    expected = f1_score(won, inside, average="weighted")
    assert report.weighted_f1(0.25, 0.03, 2 / 3) == pytest.approx(expected)
    assert accuracy_score(won, inside) == report.STORY["accuracy"]
    never = f1_score(won, np.zeros(400, dtype=bool), average="weighted")
    assert report.weighted_f1(0.25, 0, 0) == pytest.approx(never)


# the page


def found_in(figures):
    """Two worlds: in the second, ours lies behind the forest."""
    rows = []
    for seed in (0, 1):
        for model in report.MODELS:
            row = copy.deepcopy({"seed": seed, "model": model, **figures})
            row["auc"] += 0.01 * (model == report.OURS) * (1 if seed == 0 else -1)
            row["tiers"]["A"] += 0.02 * seed
            if model == report.TRUTH:
                del row["rules"]["earlier"]
            rows.append(row)
    one = {"deals_count": 100, "closed_count": 40, "closed_won_share": 0.25, "early_count": 30}
    one |= {"early_won_share": 0.26, "later_count": 20, "later_won_share": 0.2}
    one |= {"judged_from": "2026-04-01", "refused": ["lost_reason"]}
    worlds = [{"seed": 0, **one}, {"seed": 1, **one, "later_won_share": 0.3}]
    return story.plain({"simulated": True, "worlds": worlds, "rows": rows}, 5)


@pytest.fixture(scope="module")
def page(figures):
    return report.page(found_in(figures))


def test_the_page_names_the_simulation_and_the_figures_of_the_story(page):
    assert "**simulated**" in page
    head = next(line for line in page.splitlines() if line.startswith("| |"))
    assert head == (
        "| | story | random forest, simulated | ours, simulated | true chances, simulated |"
    )
    for label, told in (("accuracy at one half", "76 %"), ("accuracy of always-lost", "75 %")):
        assert f"| {label} | {told} |" in page
    assert "| F1 at one half | 68 %, rule not told |" in page
    for label, told in (("**A**, top 20 %", 42), ("**B**, 20 to 50 %", 21), ("**C**, the rest", 7)):
        assert f"| {label}, won | {told} % |" in page


def test_the_page_says_what_cannot_be_concluded(page):
    words = " ".join(page.split())
    for part in (
        "None of this is a test of the story",
        "without its data",
        "another world",
        "accuracy says little",
        "Its tiers average 18.2 % and not 25 %",
    ):
        assert part in words


def test_the_page_counts_the_worlds_in_which_ours_is_ahead(page):
    assert "Ours ranks better than the forest in 1 of 2 worlds" in page


def test_figures_over_worlds_are_mean_lowest_and_highest(figures):
    found = found_in(figures)
    low = round(figures["tiers"]["A"], 5)
    expected = (low + 0.01, low, low + 0.02)
    assert report.spread(found, report.OURS, ("tiers", "A")) == pytest.approx(expected, abs=1e-4)
    assert report.spread(found, report.FOREST, ("always_lost",)) == pytest.approx((0.75, 0.7, 0.8))
    assert report.spread(found, report.TRUTH, ("rules", "earlier", "f1")) is None
    assert report.cell(report.Spread(0.2, 0.1, 0.3), "share") == "20.0 % (10.0 to 30.0)"
    assert report.cell(report.Spread(0.2, 0.2, 0.2), "number") == "0.200"
    assert report.cell(None, "share") == "–"


def test_results_are_four_files_the_same_every_time_and_nothing_else(figures, tmp_path):
    found = found_in(figures)
    for name in ("one", "two"):
        report.write_report(found, tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["story.json", "story.md", "story.png", "story.svg"]
    for name in names:
        first, second = ((tmp_path / run / name).read_bytes() for run in ("one", "two"))
        assert first == second, name
    assert json.loads((tmp_path / "one" / "story.json").read_text()) == found
    drawn = (tmp_path / "one" / "story.svg").read_text()
    for label in ("the story, as told", "ours, simulated", "true chances, simulated"):
        assert label in drawn


def test_help_teaches():
    words = " ".join(story.parser().format_help().split())
    for part in ("python benchmarks/story.py", "won within 90 days", "simulated", "--seeds"):
        assert part in words


# a small world


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return story_world.simulated(1, 1500, tmp_path_factory.mktemp("world"))


def test_a_world_is_one_row_per_deal_cut_by_time(table):
    examples = table.examples
    assert examples["as_of"].is_monotonic_increasing
    assert not examples["entity_id"].duplicated().any()
    edge = examples.loc[table.later, "as_of"].min()
    assert (examples.loc[table.early, "outcome_known_at"] < edge).all()
    assert not (table.early & table.later).any()
    assert table.later.mean() == pytest.approx(0.25, abs=0.02)
    known = examples["outcome_known_at"] - examples["as_of"]
    assert (known >= pd.Timedelta(days=story_world.HORIZON_DAYS)).all()


def test_fields_that_sales_fills_in_at_closing_are_no_features(table):
    closing = {"closing_note_length_count", "final_discount_share", "lost_reason"}
    assert not closing & set(table.features)
    assert {"stage_last", "value_last", "effort_count"} <= set(table.features)


def test_true_chances_come_true(table):
    assert np.isfinite(table.chance).all()
    outcome = table.examples["outcome"].to_numpy(dtype=int)
    assert outcome.mean() == pytest.approx(table.chance.mean(), abs=0.04)
    assert roc_auc_score(outcome, table.chance) > 0.75


def test_models_learn_from_early_rows_and_the_truth_is_the_best(table, monkeypatch):
    monkeypatch.setattr(story, "PERIOD_COUNT", 2)
    found = {row["model"]: row for row in story.judged(table)}
    assert list(found) == list(report.MODELS)
    assert found[report.TRUTH]["auc"] == max(row["auc"] for row in found.values())
    assert found[report.TRUTH]["threshold"] is None
    for row in found.values():
        assert 0.5 < row["auc"] < 1
        assert all(0 <= rate <= 1 for rate in row["tiers"].values())


def test_what_is_said_of_a_world_is_so(table):
    about = table.about
    assert about["early_count"] == table.early.sum()
    assert about["later_won_share"] == table.outcome(table.later).mean()
    assert 0.15 < about["closed_won_share"] < 0.4
    assert about["closed_count"] > about["early_count"]
