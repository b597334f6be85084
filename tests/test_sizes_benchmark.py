"""The benchmark of sizes: shares and intervals as others compute them, a truth that is true."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from tierwise import candidates, models, rolling
from tierwise import examples as ex

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import sizes  # noqa: E402
import sizes_fit  # noqa: E402
import sizes_ladder  # noqa: E402
import sizes_refit  # noqa: E402
import sizes_report as report  # noqa: E402
import sizes_shares as shares  # noqa: E402
import sizes_worlds as worlds  # noqa: E402
from sizes_keep import Kept  # noqa: E402

SMALL = {
    "recent_logistic": [{"half_life_count": 2000}],
    "recent_boosting": [{"half_life_count": 2000, "round_count": 8}],
}


@pytest.fixture(scope="module")
def quick():
    """One setting a part and few fresh rows, so that a world takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        for name, settings in SMALL.items():
            patch.setitem(candidates.SEARCHED, name, settings)
        patch.setattr(sizes_ladder, "CHUNK_COUNT", 5_000)
        patch.setattr(sizes_ladder, "JUDGED_COUNT", 3_000)
        patch.setattr(models, "sample", models.sample)  # put back after a fit on all rows
        yield patch


# shares


@pytest.mark.parametrize(("count", "of"), [(0, 60), (1, 60), (42, 60), (60, 60), (190, 200)])
def test_intervals_of_a_share_are_those_of_statsmodels(count, of):
    found = shares.share_of([True] * count + [False] * (of - count))
    assert found["share"] == count / of
    wilson = proportion_confint(count, of, method="wilson")
    exact = proportion_confint(count, of, method="beta")
    assert found["interval"] == pytest.approx(wilson, abs=1e-9)
    assert found["exact_interval"] == pytest.approx(np.nan_to_num(exact), abs=1e-9)


def test_no_world_is_no_share_and_no_mean():
    assert shares.share_of([])["share"] is None
    assert shares.share_of([])["interval"] == [0.0, 1.0]
    assert shares.mean_of([]) == {"mean": None, "interval": None}


def test_a_mean_has_the_interval_of_its_standard_error():
    values = np.random.default_rng(1).normal(3, 2, 50)
    half = 1.959964 * values.std(ddof=1) / np.sqrt(50)
    found = shares.mean_of(list(values))
    assert found["interval"] == pytest.approx([values.mean() - half, values.mean() + half])


# the truth


def test_the_expected_auc_is_what_many_outcomes_have_on_average():
    random = np.random.default_rng(3)
    chance, score = random.beta(1, 3, 400), random.integers(0, 30, 400).astype(float)
    score += 40 * chance
    drawn = [roc_auc_score(random.random(400) < chance, score) for _ in range(400)]
    error = np.std(drawn) / np.sqrt(400)
    assert worlds.expected_auc(chance, score) == pytest.approx(np.mean(drawn), abs=4 * error)
    assert worlds.expected_auc(chance, np.zeros(400)) == pytest.approx(0.5)
    assert worlds.expected_auc(np.full(400, 0.3), score) == pytest.approx(0.5, abs=1e-9)


def test_the_rule_wins_a_quarter_and_ranks_as_its_chances_say():
    world = worlds.simulated("steady", 1, count=40_000, copies=0)
    won = world.examples["outcome"].to_numpy()
    assert won.mean() == pytest.approx(0.25, abs=0.01)
    seen = roc_auc_score(won, world.chance)
    assert worlds.expected_auc(world.chance, world.chance) == pytest.approx(seen, abs=0.01)
    assert 0.75 < seen < 0.81
    idle = world.features[["number_2", "number_3"]].to_numpy()
    assert all(roc_auc_score(won, column) == pytest.approx(0.5, abs=0.015) for column in idle.T)


def test_a_drifting_world_moves_and_a_shuffled_one_has_nothing():
    moved = worlds.simulated("drifting", 4, count=40_000, copies=0)
    thirds = np.array_split(moved.chance, 3)
    assert abs(thirds[0].mean() - thirds[2].mean()) > 0.08
    nothing = worlds.simulated("nothing", 4, count=40_000, copies=0)
    assert set(nothing.chance) == {nothing.examples["outcome"].mean()}
    seen = roc_auc_score(nothing.examples["outcome"], nothing.features["number_1"])
    assert seen == pytest.approx(0.5, abs=0.015)


def test_outcomes_are_known_five_rows_late_and_fresh_rows_share_an_instant():
    world = worlds.simulated("steady", 2, copies=3)
    assert (world.examples["outcome_known_at"] - world.examples["as_of"] == 5).all()
    row = np.flatnonzero(world.fresh_at == 150)
    assert len(row) == 3
    column = "wins_share_last_100"
    assert (world.fresh[column][row] == world.features[column][150]).all()
    assert world.fresh["number_1"][row].nunique() == 3


def test_one_rolling_origin_gives_what_the_pipeline_and_its_last_fit_give(quick):
    world = worlds.simulated("drifting", 7, copies=2)
    past = ex.before_judging(world.examples)
    periods = ex.by_period(world.examples[past], 3, 0.4)
    names, count = ["logistic_regression", "blend"], len(world.examples)
    outcome = world.examples["outcome"].to_numpy()
    with joblib.parallel_config(backend="sequential"):
        ours = worlds.rolled_twice(world, periods, names).table
        plain = rolling.origin(world.features[past], outcome[past], periods, names)
    own = ours[(ours["row"] < count) & (ours["period"] < 3)]
    for name in names:
        assert own[name].to_numpy() == pytest.approx(plain.table[name].to_numpy())
        last = rolling.fit(
            name, world.features[past], outcome[past], plain.settings, plain.of_today()
        )
        later = ours[ours["period"] == 3]
        expected = models.chance(last, world.features.iloc[later["row"]])
        assert later[name].to_numpy() == pytest.approx(expected)


# memory, and the table of the ladder


@pytest.mark.skipif(sys.platform != "linux", reason="needs the high-water mark set back")
def test_the_peak_is_that_of_the_call_and_not_an_earlier_one():
    held = np.ones(30_000_000)
    del held
    size, grown = sizes_fit.peak_during(lambda: np.ones(8_000_000).sum())
    assert size == 8_000_000
    assert 55 < grown < 110
    assert sizes_fit.peak_during(lambda: None)[1] < 20
    assert 20 < sizes_fit.resident_mb() <= sizes_fit.highest_mb() * 1.05


def test_a_table_is_the_same_every_time_and_read_up_to_a_row(quick, tmp_path):
    sizes_ladder.write(tmp_path / "one.parquet", 12_000, 1)
    sizes_ladder.write(tmp_path / "two.parquet", 7_000, 1)
    features, outcome = sizes_fit.read(tmp_path / "one.parquet", 6_001)
    again, _ = sizes_fit.read(tmp_path / "two.parquet", 6_001)
    pd.testing.assert_frame_equal(features, again)
    assert features.shape == (6_001, 20)
    assert len(outcome) == 6_001
    assert 0.15 < outcome.mean() < 0.35
    assert (features.dtypes == "float32").sum() == 15
    assert sorted(features.select_dtypes("str").nunique()) == [4, 8, 12, 20, 30]
    assert len(sizes_fit.read(tmp_path / "one.parquet", 10**9)[0]) == 12_000


def test_a_fit_in_a_process_of_its_own_says_what_it_cost(quick, tmp_path):
    sizes_ladder.write(tmp_path / "table.parquet", 500, 1)
    given = [str(tmp_path / "table.parquet")] * 2
    row, reason = sizes_ladder.run([*given, "500", sizes_fit.LOGISTIC])
    assert reason == ""
    assert row["fitted_count"] == 500
    assert 0.6 < row["auc"] < 1
    assert row["fit_cpu_s"] > 0


def test_a_fit_that_fails_is_left_out_with_its_reason(monkeypatch):
    def failed(*_, **__):
        return subprocess.CompletedProcess([], 1, "", "Traceback\nMemoryError: too large")

    monkeypatch.setattr(sizes_ladder.subprocess, "run", failed)
    assert sizes_ladder.run([]) == ({}, "failed (1) MemoryError: too large")


def test_ratios_are_to_logistic_regression_on_the_same_rows():
    base = {"learner": sizes_fit.LOGISTIC, "fit_cpu_s": 2.0, "auc": 0.7}
    rows = sizes_ladder.with_ratios([base, {"learner": "xgboost", "fit_cpu_s": 5.0, "auc": 0.77}])
    assert rows[1]["fit_cpu_s_ratio"] == 2.5
    assert rows[1]["auc_ratio"] == pytest.approx(1.1)
    assert rows[1]["memory_mb_ratio"] is None


# a refit


def test_a_refit_takes_one_row_a_deal_and_adds_up(quick, tmp_path):
    random, count = np.random.default_rng(0), 900
    deal = np.arange(count) % 300
    examples = pd.DataFrame({"entity_id": deal, "as_of": np.arange(count, dtype=float)})
    examples["outcome"] = (random.random(count) < 0.3).astype(float)
    examples["outcome_known_at"] = examples["as_of"] + 1
    examples.to_parquet(tmp_path / "examples.parquet")
    numbers = random.normal(size=(count, 2)).astype("float32")
    pd.DataFrame(numbers, columns=["a", "b"]).to_parquet(tmp_path / "features.parquet")
    found = sizes_refit.refit(tmp_path, 400)
    assert found["rows_count"] == 400
    assert 150 < found["deals_count"] <= 300
    assert found["periods"] == 8
    assert found["origin_fits_count"] == 16
    spent = found["refit_cpu_s"]
    assert spent["all"] >= max(spent[name] for name in candidates.BLENDED) * 0.5
    assert found["holds"]
    assert "dvc repro" in sizes_refit.refit(tmp_path / "none")["left_out"]


# two worlds and two sizes


@pytest.fixture(scope="module")
def folder(quick, tmp_path_factory):
    place = tmp_path_factory.mktemp("sizes")

    def here(given):
        table, fresh, count, title = given
        return sizes_fit.figures(Path(table), Path(fresh), int(count), title), ""

    quick.setattr(sizes_ladder, "run", here)
    quick.setattr(worlds.simulated, "__defaults__", (worlds.ROWS_COUNT, 3))
    given = f"--worlds 2 --sizes 200 2000 --results {place} --leads {place} --keep {place}/kept"
    sizes.run(sizes.parser().parse_args(given.split()))
    return place


@pytest.fixture(scope="module")
def found(folder):
    return json.loads((folder / "sizes.json").read_text())


def test_a_run_leaves_four_files_and_says_that_all_is_simulated(folder, found):
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    assert names == ["sizes.json", "sizes.md", "sizes.png", "sizes.svg"]
    assert found["simulated"] is True
    assert "**simulated**" in (folder / "sizes.md").read_text()
    for path in folder.glob("sizes.*"):
        assert str(folder).encode() not in path.read_bytes()


def test_worlds_of_every_kind_were_judged(found):
    for kind in worlds.KINDS:
        one = found["worlds"]["kinds"][kind]
        assert one["worlds_count"] == one["can_rank"]["of"] == 2
        assert sum(one["chosen"].values()) == 2
        assert set(one["period_counts"]) <= {"3", "4"}
        for figures in one["auc"].values():
            assert 0.3 < figures["true"] < figures["best"] + 0.05
            assert figures["coverage"]["of"] == 2
        for tier in one["tiers"].values():
            assert tier["coverage"]["of"] + tier["empty"]["count"] == 2
    nothing = found["worlds"]["kinds"]["nothing"]
    assert nothing["auc"]["chosen"]["true"] == pytest.approx(0.5, abs=1e-4)


def test_every_learner_was_measured_at_every_size(found):
    rows = {(row["rows_count"], row["learner"]): row for row in found["ladder"]}
    assert len(rows) == len(found["ladder"]) == 2 * (len(sizes_fit.LEARNERS) - 1)
    for row in rows.values():
        assert row["left_out"] == ""
        assert 0.5 < row["auc"] < 0.9
        assert row["fit_cpu_s"] > 0
    assert rows[2000, "xgboost"]["auc"] > rows[200, "xgboost"]["auc"]
    assert rows[2000, sizes_fit.LOGISTIC]["auc_ratio"] == 1.0


def test_the_page_says_what_the_json_says(folder, found):
    page = (folder / "sizes.md").read_text()
    for one in found["worlds"]["kinds"].values():
        assert report.share(one["can_rank"], "exact_interval") in page
        for figures in one["auc"].values():
            assert f"{figures['judged']:.3f} | {figures['true']:.3f}" in page
            assert report.share(figures["coverage"]) in page
        for tier in one["tiers"].values():
            assert report.share(tier["coverage"]) in page
    for row in found["ladder"]:
        line = next(
            x for x in page.splitlines() if f"| {row['rows_count']:,} | {row['learner']} |" in x
        )
        assert f"{row['auc']:.4f} ({row['auc_ratio']:.3f})" in line
        assert f"{row['fit_cpu_s']:.2f} (" in line
    assert found["hourly_refit"]["left_out"] in page
    for name in worlds.CANDIDATES:
        assert f"`{name}`" in page


def test_a_run_that_stopped_goes_on_and_other_parts_stay(folder, found, monkeypatch):
    def never(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(sizes, "one_world", never)
    monkeypatch.setattr(sizes_ladder, "asked", never)
    given = f"--parts worlds ladder --worlds 1 --sizes 200 --results {folder} --keep {folder}/kept"
    before = {path: path.read_bytes() for path in folder.glob("sizes.*")}
    sizes.run(sizes.parser().parse_args(given.split()))
    again = report.read(folder)
    assert again["hourly_refit"] == found["hourly_refit"]
    assert again["worlds"]["kinds"]["steady"]["worlds_count"] == 1
    assert again["ladder"] == found["ladder"][: len(again["ladder"])]
    for path, content in before.items():
        path.write_bytes(content)


def test_a_fit_on_a_sample_is_put_beside_that_on_all_rows(found):
    row = next(row for row in found["ladder"] if row["learner"] == "xgboost")
    part = copy.deepcopy(row) | {"rows_count": 2_000_000}
    whole = part | {"learner": sizes_fit.ALL_ROWS, "auc": 0.75551}
    assert "and on all rows 0.7555" in report.sampling([part, whole])
    assert report.sampling([part]) == "No fit on all of 2 million rows was asked for."


def test_what_is_kept_is_read_again(tmp_path):
    kept = Kept(tmp_path / "a" / "kept.jsonl", ("kind", "seed"))
    row = kept.add({"kind": "steady", "seed": 3, "auc": np.float64(0.123456789)})
    assert row["auc"] == 0.123457
    assert Kept(kept.path, ("kind", "seed")).find("steady", 3) == row
    assert Kept(None, ("kind",)).find("steady") is None


def test_help_teaches():
    words = " ".join(sizes.parser().format_help().split())
    for part in ("python benchmarks/sizes.py", "winner's curse", "simulated", "--worlds", "--keep"):
        assert part in words
