"""The hour as cron starts it: real processes, one of them killed."""

import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("httpx", reason="needs the extra hourly")
pytest.importorskip("xlsxwriter", reason="needs the extra hourly")
pytest.importorskip("apscheduler", reason="needs the extra hourly")

import fake_pipedrive as fp
import faulty_hour as fh
from tierwise import files, hour_steps, ledger


def test_the_scheduler_itself_is_killed_and_the_next_start_ends_the_hour(tmp_path, monkeypatch):
    """`tierwise schedule leads --once` as cron starts it, over a socket; killed, then not."""
    monkeypatch.setenv("TEST_TOKEN", fp.TOKEN)
    root = tmp_path / "project"
    line = [sys.executable, "-m", "tierwise", "schedule", "leads", "--once"]
    fake = fh.project(root)
    with fp.serving(fake) as url:
        fh.project(root, url)
        process = subprocess.Popen(line, cwd=root, stderr=subprocess.DEVNULL)
        while len(fake.calls) < 30 and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        done = subprocess.run(line, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = hour_steps.remembered(root / "data/scores/leads")
    assert [told.steps[name].done for name in fh.STEPS] == [told.ended] * 3
    rows = files.read_parquet(root / "data/scores/leads/batch.parquet")
    assert len(ledger.read(root / "data/scores/leads/ledger")) >= len(rows)
    written = [path for path in fh.applied(fake) if path.startswith("/deals/")]
    assert len(written) == len(set(written)) > 5
    for row in rows.itertuples():
        shown = fake.shown(int(row.entity_id))
        assert shown.get("Tierwise tier") == (row.tier if row.shown else None)
    logs = [call.path for call in fake.calls if "changelog" in call.path]
    assert len(logs) <= len(set(logs)) + 2, "a page is read twice only if its answer was lost"
    assert not fh.left_over(root)
