"""The benchmark of invitations runs, and its committed figures are those of its committed results."""

import argparse
import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import invitations
from invitations_report import write_report

COMMITTED = Path(__file__).parents[1] / "benchmarks" / "results"


def committed():
    return json.loads((COMMITTED / "invitations.json").read_text(encoding="utf-8"))


def test_two_repeats_run_and_write_everything(tmp_path, monkeypatch):
    monkeypatch.delenv("TIERWISE_REAL_DATA", raising=False)
    invitations.run(argparse.Namespace(repeats=2, results=tmp_path))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"invitations.{end}" for end in ("json", "md", "png", "svg")]
    assert "Real customers were not measured" in (tmp_path / "invitations.md").read_text()


def test_committed_texts_and_figures_are_drawn_from_the_committed_results(tmp_path):
    write_report(committed(), tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (COMMITTED / path.name).read_bytes(), path.name


def test_committed_figures_say_what_the_method_claims():
    found = committed()
    values = found["values"]
    assert values["all alike"] < values["best single template"] < values["per interest"]
    for table in found["estimates"].values():
        for name in ("IPS", "SNIPS", "doubly robust"):
            of = table[name]
            assert abs(of["bias"]) < 2.6 * of["bias_error"]
            assert 0.85 <= of["coverage"] <= 0.95
        assert table[invitations.LEARNING_HALF]["bias"] > 0.03
    alike = found["safe"]["all templates alike"]
    assert alike["other sendings"] <= 0.08
    assert alike["sendings that chose it"] > 0.5
    assert found["hillstrom"]["customers"] == 64_000
    assert found["hillstrom"]["policies"]["all men"]["true"] == pytest.approx(0.1828, abs=2e-4)
