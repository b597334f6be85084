"""The benchmark of attribution: three ways agree, and the committed figures are its own."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
sys.path.insert(0, str(ROOT / "benchmarks"))

import attribution as benchmark  # noqa: E402
import attribution_report as report  # noqa: E402


@pytest.fixture(scope="module")
def committed():
    return json.loads((RESULTS / "attribution.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("clicks")
    sizes = benchmark.simulate(made, 20_000)
    assert sizes["members"] == 2_000
    assert 20_200 < sizes["clicks"] < 20_600
    return made


def test_all_ways_give_the_same_credits(folder):
    for way in benchmark.WAYS:
        benchmark.one(way, folder)
    counts = benchmark.agreed(folder, list(benchmark.WAYS))
    assert counts["credited"] > 1_000
    assert counts["by_code"] > 5


def test_a_way_that_says_something_else_stops_the_benchmark(folder):
    right = pd.read_parquet(folder / "DuckDB.answer")
    right.assign(sender_id=right["sender_id"].shift()).to_parquet(folder / "DuckDB.answer")
    with pytest.raises(SystemExit, match="Ways differ"):
        benchmark.agreed(folder, list(benchmark.WAYS))


def test_ratios_are_to_the_bare_read_of_the_same_rounds():
    names = ("cpu_s", "wall_s", "inside_s", "peak_memory_mb")
    rounds = [
        {way: dict.fromkeys(names, factor * (at + 1)) for at, way in enumerate(benchmark.WAYS)}
        for factor in (1.0, 3.0, 2.0)
    ]
    found = benchmark.summary(rounds)
    assert [row["cpu_s"] for row in found] == [2.0, 4.0, 6.0, 8.0]
    assert [row["cpu_s_ratio_to_bare_read"] for row in found] == [1, 2, 3, 4]


def test_help_teaches():
    shown = benchmark.parser().format_help()
    assert "--quick" in shown
    assert "simulated" in shown


def test_committed_figures_are_of_ten_million_clicks_and_all_ways(committed):
    assert committed["simulated"] is True
    assert committed["clicks"] > 10_000_000
    assert committed["rounds"] >= 3
    assert [row["way"] for row in committed["ways"]] == list(benchmark.WAYS)


def test_committed_page_and_figure_are_drawn_from_the_committed_results(committed, tmp_path):
    report.write_report(committed, tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (RESULTS / path.name).read_bytes(), path.name
