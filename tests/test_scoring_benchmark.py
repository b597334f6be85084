"""The scoring benchmark: worlds that are what they say, clocks that add up, a page that says so."""

import contextlib
import io
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

xlsxwriter = pytest.importorskip("xlsxwriter", reason="needs the extra hourly")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import scoring  # noqa: E402
import scoring_hour  # noqa: E402
import scoring_peers as peers  # noqa: E402
import scoring_report as report  # noqa: E402
import scoring_world as made  # noqa: E402

from tierwise import delivery, hour, snapshot  # noqa: E402
from tierwise.applications import leads  # noqa: E402

DEALS = 400


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A small world, its models, and a snapshot of some copies in three partitions."""
    folder = tmp_path_factory.mktemp("scoring")
    place = made.simulate(folder, 500)
    made.fit_models(folder, place, scoring.QUICK_TREES, (made.TREES,))
    tables = made.open_only(place, scoring.FEW_EVENTS)
    made.write_snapshot(folder / "tables", tables, snapshot.about(place), DEALS, 3)
    return folder


@pytest.fixture(scope="module")
def done(world):
    """An hour of it with call lists, and what was measured."""
    model, out = world / "models" / made.TREES, world / "out"
    return scoring_hour.figures(model, world / "tables", out, 20, True)


# worlds


def test_the_first_copy_is_the_world_itself(world):
    """But for contacts of deals that were merged into open ones: those deals are not copied."""
    small = world / "small"
    tables = made.open_only(small, 0.0)
    events = snapshot.read(snapshot.parts(small)[0], "events")
    tables["events"] = events[events["organization_id"].isin(tables["deals"]["organization_id"])]
    count = len(tables["deals"])
    about = snapshot.about(small)
    made.write_snapshot(world / "same", tables, about, count, 1)
    asked = made.question(), made.last_hour(small)
    there, again = (
        leads.at_hour(snapshot.parts(place)[0], *asked) for place in (small, world / "same")
    )
    changes = snapshot.read(snapshot.parts(small)[0], "deal_changes")
    survivors = changes.loc[changes["field"] == "merged_into", "new_value"]
    same = ~there["entity_id"].isin(survivors)
    assert same.mean() > 0.9
    pd.testing.assert_frame_equal(again[same], there[same])


def test_a_snapshot_has_as_many_open_deals_as_asked_for_and_no_two_alike(world):
    asked = made.question(), made.last_hour(world / "tables")
    found = [leads.at_hour(part, *asked) for part in snapshot.parts(world / "tables")]
    rows = pd.concat(found, ignore_index=True)
    assert len(rows) == rows["entity_id"].nunique() == DEALS
    assert max(map(len, found)) - min(map(len, found)) <= 1
    columns = rows.drop(columns=["entity_id", "owner_id", "last_touch_at"])
    assert columns.duplicated().mean() < 0.01


def test_events_are_as_many_as_asked_for(world):
    for each in (3.0, 250.0):
        tables = made.open_only(world / "small", each)
        assert len(tables["events"]) == round(each * len(tables["deals"]))
        assert not tables["events"]["event_id"].duplicated().any()
        assert (tables["events"]["known_at"] < made.last_hour(world / "small")).all()


# ways to score


def test_all_ways_give_the_scores_of_the_same_trees(world):
    folder = world / "models" / made.TREES
    learned = pd.read_parquet(folder / "learned.parquet")
    made.write_rows(world / "rows", learned, 300, 100)
    ours = scored(world, folder, peers.OURS)
    assert ours["rows_count"] == 300
    assert ours["columns_count"] == learned.shape[1]
    for name in (peers.BARE, peers.PIPELINE, peers.INPLACE):
        found = scored(world, folder, name)
        assert found["score_cpu_s"] > 0
        np.testing.assert_allclose(
            np.load(world / f"{name}.npy"), np.load(world / f"{peers.OURS}.npy"), atol=2e-6
        )


def scored(world, folder, name):
    given = [folder, world / "rows", name, world / f"{name}.npy"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        peers.main(*map(str, given))
    return json.loads(said.getvalue())


# hours


def test_an_hour_is_delivered_whole(world, done):
    rows = pd.read_parquet(world / "out" / "batch.parquet")
    assert done["rows_count"] == len(rows) == DEALS
    owners = rows["owner_id"].nunique() + 1  # and nobody
    assert done["files_count"] == 3 * owners
    assert (rows["reason_1"] != "").sum() <= 20 < DEALS
    assert rows["score"].is_monotonic_decreasing


def test_every_stage_was_there_and_nearly_nothing_is_left_over(done):
    assert list(done["stages"]) == [*scoring_hour.STAGES, scoring_hour.REST]
    cpu = {name: one["cpu_s"] for name, one in done["stages"].items()}
    assert cpu[scoring_hour.REST] < 0.2 * sum(cpu.values())
    assert all(one["peak_mb"] > 0 for one in done["stages"].values())


def test_the_clock_gives_time_to_the_innermost_stage():
    clock = scoring_hour.Clock()
    inner = clock.around("inner", lambda: spin(0.05))
    outer = clock.around("outer", lambda: (spin(0.02), inner(), spin(0.02)))
    outer()
    clock.charge()
    found = {name: one["cpu_s"] for name, one in clock.stages.items()}
    assert found["inner"] == pytest.approx(0.05, abs=0.015)
    assert found["outer"] == pytest.approx(0.04, abs=0.015)


def spin(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_the_clock_leaves_no_trace(done):
    assert not hasattr(hour.rank, "__wrapped__")
    assert not hasattr(delivery.flagged, "__wrapped__")


def test_without_lists_nothing_is_written_for_anybody(world):
    model, out = world / "models" / made.TREES, world / "bare"
    found = scoring_hour.figures(model, world / "tables", out, 0, False)
    assert found["files_count"] == 0
    assert "call lists" not in found["stages"]
    assert (out / "batch.parquet").is_file()
    assert list((out / "ledger").glob("*/*.parquet"))


# the run


def test_a_measure_is_a_process_of_its_own_on_one_thread(tmp_path):
    script = tmp_path / "say.py"
    script.write_text(
        "import json, os, sys\n"
        "print('something else first')\n"
        "print(json.dumps({'given': sys.argv[1:], 'threads': os.environ['OMP_NUM_THREADS']}))\n"
    )
    found = scoring.child(script, ["a b", 7], 60.0)
    assert found["given"] == ["a b", "7"]
    assert found["threads"] == "1"
    assert found["left_out"] == ""
    assert found["cpu_s"] > 0


def test_a_measure_that_fails_says_why():
    assert "No such file" in scoring.child("nowhere.py", [], 60.0)["left_out"]


def test_quick_is_small_and_the_rest_is_as_asked():
    assert scoring.chosen([]).deals == [1_000_000, 10_000_000]
    given = scoring.chosen(["--quick", "--parts", "hour"])
    assert max(given.deals) < 10_000
    assert given.parts == ["hour"]
    asked = scoring.cases(scoring.chosen(["--deals", "10_000_000", "1_000_000"]))
    assert [(one.deals, one.parts) for one in asked] == [
        (1_000_000, 10),
        (1_000_000, 1),
        (10_000_000, 100),
    ]


# the page


def test_a_page_and_its_figures_say_the_same(done, tmp_path):
    rows = {"model": made.TREES, "rows_count": 1000, "columns_count": 89, "left_out": ""}
    spent = {"score_wall_s": 1.0, "prepare_cpu_s": 0.0, "memory_mb": 1.0, "table_mb": 1.0}
    ways = [
        scoring.summed(made.TREES, way, [rows | spent | {"score_cpu_s": cpu}])
        for way, cpu in ((peers.OURS, 0.02), (peers.INPLACE, 0.01))
    ]
    one = scoring.Case(DEALS, 3, made.TREES, 10.0, 20, True)
    told = one._asdict() | {"table_rows": {"events": 4000}} | done | {"left_out": ""}
    lost = told | {"left_out": "stopped after 3 s"}
    model = {"ways": ways, "rounds": 1, "not_measured": {"treelite": "not installed"}}
    report.write_report({"model": model, "hour": [told, lost], "simulated": True}, tmp_path)
    found = json.loads((tmp_path / "scoring.json").read_text())
    page = (tmp_path / "scoring.md").read_text()
    assert found["model"]["ways"][1]["cpu_ratio_to_ours"] == pytest.approx(0.5)
    cpu = {name: stage["cpu_s"] for name, stage in done["stages"].items()}
    assert found["hour"][0]["stages_cpu_s"] == pytest.approx(sum(cpu.values()), rel=1e-3)
    bare = DEALS / 100_000
    scoring_s = sum(cpu[name] for name in report.SCORING)
    assert found["hour"][0]["scoring_ratio"] == pytest.approx(scoring_s / bare, rel=1e-3)
    assert "| 500 trees | XGBoost inplace | 1,000 | 100,000 |" in page
    assert "stopped after 3 s" in page
    assert "simulated" in page
    assert (tmp_path / "scoring.svg").stat().st_size > 1000
    assert report.read(tmp_path) == found
