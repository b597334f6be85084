"""The benchmarks run, all implementations agree, and the committed figures are complete."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KEYS = {"implementation", "events", "cpu_s", "cpu_ratio_to_read_write", "peak_memory_mb", "wall_s"}
SIZES = [1_000_000, 10_000_000, 50_000_000]


def rows(folder, name="features"):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """20,000 events, without Spark: it takes half a minute to start, and test_engine has it."""
    pytest.importorskip("polars", reason="needs the peers: uv sync --extra bench")
    folder = tmp_path_factory.mktemp("benchmark")
    command = [sys.executable, ROOT / "benchmarks" / "features.py", "--events", "20_000"]
    options = ["--rounds", "1", "--folder", folder, "--results", folder / "results"]
    done = subprocess.run(
        [*command, *options, "--without", "tierwise on Spark"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr  # it ends with an error if a result differs
    return folder


def test_all_implementations_agree_and_none_is_skipped(tiny):
    found = rows(tiny / "results")
    assert [row["implementation"] for row in found if "skipped" in row] == []
    assert len(found) == 6
    for row in found:
        assert row.keys() >= KEYS
        assert row["cpu_s"] > 0
        assert row["peak_memory_mb"] > 20


def test_nothing_but_results_is_left(tiny):
    assert [path.name for path in tiny.iterdir()] == ["results"]
    names = sorted(path.name for path in (tiny / "results").iterdir())
    assert names == ["features.json", "features.md", "features.svg"]


def test_help_teaches():
    command = [sys.executable, ROOT / "benchmarks" / "features.py", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "python benchmarks/features.py" in shown
    assert "at most 2 beyond 10 million" in " ".join(shown.split())


def test_committed_figures_have_all_sizes_and_say_why_something_is_missing():
    found = rows(ROOT / "benchmarks" / "results")
    names = {row["implementation"] for row in found}
    assert names >= {"tierwise", "read and write", "DuckDB", "polars, streaming"}
    for row in found:
        assert row.keys() >= KEYS
        assert row["cpu_s"] is not None or row["skipped"]
    for name in ("tierwise", "read and write"):
        assert [row["events"] for row in found if row["implementation"] == name] == SIZES


def test_committed_figure_and_table_are_drawn_from_the_committed_results(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from features_report import write_report

    committed = ROOT / "benchmarks" / "results"
    write_report(rows(committed), tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (committed / path.name).read_bytes(), path.name
