"""The benchmark of providers: it runs, its world has what it says, the committed figures are its."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
RESULTS = BENCHMARKS / "results"
sys.path.insert(0, str(BENCHMARKS))

import providers  # noqa: E402
import providers_report as report  # noqa: E402


@pytest.fixture(scope="module")
def world():
    return providers.simulated(8_000, 400, seed=3)


@pytest.fixture(scope="module")
def committed():
    return json.loads((RESULTS / "providers.json").read_text(encoding="utf-8"))


def test_the_world_is_as_large_as_asked_and_of_one_year(world):
    bookings, truth = world
    assert len(bookings) == pytest.approx(8_000, rel=0.1)
    assert len(truth) == 400
    assert bookings["at_days"].between(0, providers.UNTIL_DAYS).all()
    assert bookings["provider"].between(0, 399).all()


def test_customers_who_stop_do_so_after_visits_to_those_who_lose_them(world):
    bookings, truth = world
    share = providers.returned(bookings).groupby("provider")["outcome"].mean()
    effect = truth["drop_out"][share.index]
    assert share[effect > 0.5].mean() < share[effect < -0.5].mean() - 0.1


def test_every_step_gives_one_figure_a_provider(world):
    bookings, _ = world
    for step, (way, _, _) in providers.STEPS.items():
        found = way(bookings)
        assert len(found) == bookings["provider"].nunique(), step
        assert np.isfinite(found).all(), step


def test_a_step_runs_in_a_process_of_its_own(world, tmp_path):
    bookings, truth = world
    bookings.to_parquet(tmp_path / "bookings.parquet")
    truth.to_parquet(tmp_path / "truth.parquet")
    found = providers.measured("quality", tmp_path)
    assert found["cpu_s"] > 0
    assert found["peak_memory_mb"] > 50
    assert found["rank_correlation"] > 0.6


def test_ratios_are_to_the_plain_mean_of_the_same_rounds():
    rounds = [
        {
            step: {"cpu_s": factor * (at + 1), "peak_memory_mb": 10.0 * (at + 1)}
            for at, step in enumerate(providers.STEPS)
        }
        for factor in (1.0, 3.0, 2.0)
    ]
    found = providers.summary(rounds)
    assert [row["cpu_s"] for row in found] == [2.0 * (at + 1) for at in range(len(found))]
    assert [row["cpu_s_ratio_to_plain_mean"] for row in found] == list(range(1, len(found) + 1))
    assert found[2]["peak_memory_mb_ratio_to_plain_mean"] == 3


def test_help_teaches():
    shown = providers.parser().format_help()
    assert "--quick" in shown
    assert "simulated" in shown


def test_committed_figures_are_of_a_million_bookings_and_all_steps(committed):
    assert committed["simulated"] is True
    assert committed["bookings"] > 950_000
    assert committed["rounds"] >= 3
    assert [row["step"] for row in committed["steps"]] == list(providers.STEPS)
    plain = committed["steps"][0]
    for row in committed["steps"]:
        assert row["cpu_s_ratio_to_plain_mean"] == pytest.approx(
            row["cpu_s"] / plain["cpu_s"], rel=1e-3
        )


def test_committed_page_and_figure_are_drawn_from_the_committed_results(committed, tmp_path):
    report.write_report(committed, tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (RESULTS / path.name).read_bytes(), path.name
