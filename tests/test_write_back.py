"""The command: the latest hour goes into the CRM, what changed and nothing else, holdout left out."""

import subprocess
import sys

import pandas as pd
import pytest

pytest.importorskip("httpx", reason="needs the extra hourly")

import fake_pipedrive as fp
from tierwise.connectors import write_back
from tierwise.connectors.allowance import Allowance
from tierwise.files import InputError

PARAMS = """applications: {{}}
pipedrive:
  leads:
    token_variable: TEST_TOKEN
    plan_factor: 1
    seats_count: 1
    burst_count: 20
    hysteresis_points: 2.0
    tokens_kept_count: 0
    api_url: {url}
    v1_url: {url}/v1
"""


def hour(count=6, hour_of_day=9):
    """A batch as `tierwise score` leaves it; deal 3 is held out."""
    number = range(1, count + 1)
    rows = pd.DataFrame({"entity_id": [str(n) for n in number], "rank": number})
    rows["tier"] = ["A", "B", "B", "C", "C", "C"][:count]
    rows["chance"] = [0.5, 0.3, 0.25, 0.1, 0.08, 0.05][:count]
    rows["scored_at"] = pd.Timestamp(f"2026-08-31 {hour_of_day:02d}:00")
    rows["flag"] = ["holdout" if n == 3 else "" for n in number]
    reasons = {"reason_1": "stage is offer: raises the odds 2.0 times", "reason_2": ""}
    return rows.assign(**reasons, reason_3="")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with an hour, a fake CRM with six open deals, and its address in params.yaml."""
    monkeypatch.setenv("TEST_TOKEN", fp.TOKEN)
    fake = fp.Fake()
    for number in range(1, 7):
        fake.add_deal(number)
    with fp.serving(fake) as url:
        (tmp_path / "dvc.yaml").write_text("stages: {}")
        (tmp_path / "params.yaml").write_text(PARAMS.format(url=url))
        (tmp_path / "data/scores/leads").mkdir(parents=True)
        hour().to_parquet(tmp_path / "data/scores/leads/batch.parquet")
        yield tmp_path, fake


def command(root, *words):
    line = [sys.executable, "-m", "tierwise", "push", "leads", *words]
    return subprocess.run(line, cwd=root, capture_output=True, text=True, check=False)


def patched(fake):
    return sum(call.method == "PATCH" for call in fake.calls)


def test_a_dry_run_tells_the_difference_and_writes_nothing(project):
    root, fake = project
    done = command(root, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "1  first tier: tier None -> A, chance_percent None -> 50" in done.stdout
    assert "5 deals would change; nothing was written." in done.stderr
    assert patched(fake) == 0
    assert {call.method for call in fake.calls} == {"GET"}


def test_the_hour_is_written_once_and_a_second_run_writes_nothing(project):
    root, fake = project
    done = command(root)
    assert done.returncode == 0, done.stderr
    assert "5 deals written" in done.stderr
    assert patched(fake) == 5
    again = command(root)
    assert "0 deals written, 6 as they were" in again.stderr
    assert patched(fake) == 5


def test_only_what_changed_in_the_next_hour_is_written_and_the_holdout_never(project):
    root, fake = project
    write_back.write_back(root, "leads", dry_run=False)
    rows = hour(hour_of_day=10)
    rows.loc[1, ["tier", "chance"]] = ["A", 0.4]
    rows.loc[4, "chance"] = 0.081  # less than half a point
    rows.loc[2, ["tier", "chance"]] = ["A", 0.9]  # of the holdout
    rows.to_parquet(root / "data/scores/leads/batch.parquet")
    before = patched(fake)
    done = write_back.write_back(root, "leads", dry_run=False)
    assert [change.deal_id for change in done.changes] == [2]
    assert patched(fake) - before == 1
    assert not any(fake.deals[3].get("custom_fields", {}).values())


def test_what_others_took_since_the_last_write_back_is_kept_for_each_later_hour():
    clock = fp.Clock(fp.MONDAY + 18.5 * 3600)  # five later hours begin today
    allowance = Allowance(":memory:", clock=clock, sleep=clock.sleep, tokens_per_day_count=10_000)
    allowance.take(3000)
    allowance.mark()
    assert write_back.later_count(allowance) == 0
    allowance.take(400)
    assert write_back.later_count(allowance) == 5 * 400
    allowance.take(1600)
    assert write_back.later_count(allowance) == (10_000 - 5000) // 2  # half is there to be written
    clock.now = fp.MONDAY + 23.5 * 3600
    assert write_back.later_count(allowance) == 0


def test_a_dry_run_is_no_write_back(project):
    root, _ = project
    settings = write_back.asked(root, "leads")
    write_back.write_back(root, "leads", dry_run=True)
    with write_back.connected(root, "leads", settings) as client:
        assert client.allowance.since_mark_count() > 0
    write_back.write_back(root, "leads", dry_run=False)
    with write_back.connected(root, "leads", settings) as client:
        assert client.allowance.since_mark_count() == 0


def test_the_token_is_in_no_file_and_no_message(project):
    root, _ = project
    done = command(root)
    wrong = subprocess.run(
        [sys.executable, "-m", "tierwise", "push", "leads"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin", "TEST_TOKEN": "expired-token"},
    )
    assert wrong.returncode == 1
    assert "TEST_TOKEN" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    for text in (done.stdout, done.stderr, wrong.stderr):
        assert fp.TOKEN not in text
        assert "expired-token" not in text
    for path in root.rglob("*"):
        assert path.is_dir() or fp.TOKEN.encode() not in path.read_bytes()


def test_without_an_hour_or_a_section_the_way_out_is_told(project):
    root, _ = project
    (root / "data/scores/leads/batch.parquet").unlink()
    with pytest.raises(InputError, match="tierwise score leads"):
        write_back.write_back(root, "leads", dry_run=True)
    with pytest.raises(InputError, match=r"no pipedrive\.other"):
        write_back.asked(root, "other")
    text = (root / "params.yaml").read_text().replace("seats_count: 1", "seats_count: 0")
    (root / "params.yaml").write_text(text)
    with pytest.raises(InputError, match=r"pipedrive\.leads\.seats_count"):
        write_back.asked(root, "leads")
