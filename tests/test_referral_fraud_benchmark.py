"""The benchmark of rings: it runs, and the committed figures are its own and reach the goal."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
RESULTS = BENCHMARKS / "results"
sys.path.insert(0, str(BENCHMARKS))

import referral_fraud as benchmark  # noqa: E402
import referral_fraud_report as written  # noqa: E402

from tierwise.referral_fraud import measured  # noqa: E402


@pytest.fixture(scope="module")
def committed():
    return json.loads((RESULTS / "referral_fraud.json").read_text(encoding="utf-8"))


def test_a_small_world_has_rings_of_which_most_are_caught():
    rows, seconds = benchmark.looked_at(7, 900, 0.08)
    told = measured.summary(rows)
    assert seconds > 0
    assert told["found_of_count"] >= 5
    assert told["caught"] > 0.7
    assert told["honest_flagged"] < 0.05


def test_committed_worlds_were_not_those_of_development(committed):
    assert committed["simulated"] is True
    assert len(committed["judged_on_seeds"]) >= 12
    assert not set(committed["judged_on_seeds"]) & set(committed["developed_on_seeds"])


def test_committed_figures_reach_the_goal(committed):
    """Nine of ten members of rings at two of a hundred honest friends, in every kind and world."""
    assert committed["all"]["recall_interval"][0] >= 0.9
    assert committed["all"]["honest_flagged_interval"][1] <= 0.02
    assert all(one["recall"] >= 0.9 for one in committed["worlds"])
    assert all(one["honest_flagged"] <= 0.02 for one in committed["worlds"])
    assert all(one["caught_share"] >= 0.9 for one in committed["by_kind"])
    assert committed["without_rings_flagged_share"] <= 0.02


def test_committed_page_is_written_from_the_committed_results(committed, tmp_path):
    written.write_report(committed, tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (RESULTS / path.name).read_bytes(), path.name


def test_help_teaches():
    shown = benchmark.parser().format_help()
    assert "--quick" in shown
    assert "simulated" in shown
