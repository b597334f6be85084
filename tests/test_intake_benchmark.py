"""The benchmark of the intake: its account is right, and its report is drawn from its results."""

import json
from pathlib import Path

import pytest

pytest.importorskip("granian", reason="needs the extra hourly")
pytest.importorskip("httpx", reason="needs the extra hourly")

import intake_world  # noqa: F401 - knows where the benchmarks are

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_help_teaches():
    import intake

    shown = intake.parser().format_help()
    assert "python benchmarks/intake.py" in shown
    assert "kill -9" in shown


def test_requests_of_the_client_hold_what_it_says():
    from random import Random

    import intake_load

    head = intake_load.head_of(8_001, "tww_key")
    for count in (1, 50):
        whole, ids = intake_load.request_of(Random(count), head, count)
        start, _, body = whole.partition(b"\r\n\r\n")
        assert b"Content-Length: %d" % len(body) in start
        content = json.loads(body)
        found = content["events"] if count > 1 else [content]
        assert [one["event_id"] for one in found] == ids
        assert len(set(ids)) == count


def test_slices_add_up():
    from intake_load import slices

    done = [(10.0 + second, 5) for second in range(10)]
    assert slices(done, 10.0, 10.0) == [5.0] * 10
    assert sum(slices(done, 10.0, 5.0)) == pytest.approx(10 * 50 / 5)


def test_a_share_is_of_the_ordered_values():
    from intake import share

    values = [float(one) for one in range(100, 0, -1)]
    assert (share(values, 0.5), share(values, 0.99), share([7.0], 0.99)) == (51.0, 100.0, 7.0)


def test_committed_figures_are_drawn_from_the_committed_results(tmp_path):
    from intake_report import write_report

    committed = BENCHMARKS / "results"
    found = json.loads((committed / "intake.json").read_text(encoding="utf-8"))
    write_report(found, tmp_path)
    for made in tmp_path.iterdir():
        assert made.read_bytes() == (committed / made.name).read_bytes(), made.name


def test_the_committed_run_kept_its_word_and_its_control_did_not():
    found = json.loads((BENCHMARKS / "results" / "intake.json").read_text(encoding="utf-8"))
    ours, control = found["kills"]["ours"], found["kills"]["control"]
    assert ours["kills_count"] >= 100
    assert ours["acknowledged_count"] >= 500_000
    assert (ours["lost_count"], ours["doubled_count"], ours["unsent_count"]) == (0, 0, 0)
    assert control["lost_count"] > 0
