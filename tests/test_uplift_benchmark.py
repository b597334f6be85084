"""The committed tables and figure of uplift are those of the committed results, and complete."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location(
        "uplift_report", ROOT / "benchmarks" / "uplift_report.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found():
    return json.loads((RESULTS / "uplift.json").read_text(encoding="utf-8"))


def test_committed_tables_and_figure_are_drawn_from_the_committed_results(report, found, tmp_path):
    report.write_report(found, tmp_path)
    for name in ("uplift.json", "uplift.md", "uplift.svg"):
        assert (tmp_path / name).read_bytes() == (RESULTS / name).read_bytes(), name


def test_all_ways_are_judged_on_everybody_and_on_the_same_splits(report, found):
    assert found["people"] == 64_000
    for question in found["questions"]:
        assert question["splits"] == 2 * found["repeats"] >= 6
        assert {row["ranker"] for row in question["rankers"]} == set(report.WAYS)
        for row in question["rankers"]:
            assert row["low"] < row["qini"] < row["high"]
            assert row["ahead_wide_low"] <= row["ahead"] <= row["ahead_wide_high"]


def test_the_chosen_way_is_ahead_of_response_and_not_behind_the_rule(found):
    visits = found["questions"][0]
    chosen = {row["ranker"]: row for row in visits["rankers"]}["chosen"]
    assert (visits["arm"], visits["outcome"]) == ("Womens E-Mail", "visit")
    assert chosen["ahead_low_of_response"] > 0
    assert chosen["ahead"] >= 0


def test_sentences_say_no_more_than_intervals(report):
    assert report.level(0.1, 0.01, 0.2) == "ahead of"
    assert report.level(-0.1, -0.2, -0.01) == "behind"
    assert report.level(0.1, -0.01, 0.2) == "not to be told from"
    assert report.level(0.0, 0.0, 0.0) == "the same as"


def test_without_the_data_the_benchmark_says_what_it_needs(monkeypatch, tmp_path):
    monkeypatch.setenv("TIERWISE_REAL_DATA", str(tmp_path))
    command = [sys.executable, ROOT / "benchmarks" / "uplift.py", "--quick"]
    done = subprocess.run([*command, "--results", tmp_path], capture_output=True, text=True)
    assert done.returncode != 0
    assert "hillstrom/hillstrom.csv" in done.stderr
    assert list(tmp_path.iterdir()) == []
