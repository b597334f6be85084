"""Kill -9 at any moment: what was acknowledged is there, and nothing is there twice.

The full count, 100 kills, is in benchmarks/intake.py; here are a few, and the control that shows
that the test can fail. A kill leaves what was written to the system's cache, so whether it was also
synced is seen by looking at the system calls.
"""

import re
import shutil
import signal
import subprocess
import sys

import pytest

pytest.importorskip("granian", reason="needs the extra hourly")
pytest.importorskip("httpx", reason="needs the extra hourly")
if sys.platform == "win32":
    pytest.skip("forks a child for each kill", allow_module_level=True)

import httpx

from intake_world import Lives, basic, event, nursery, rows, survived
from tierwise.intake import keys, server


@pytest.fixture(scope="module")
def birth():
    with nursery() as process:
        yield process


@pytest.fixture
def key(tmp_path):
    return keys.create(server.keys_path(tmp_path), "server", "office")


def killed(lives, key):
    return survived(lives, key, 3, events_count=20, life_seconds=(0.05, 0.3))


def test_nothing_that_was_acknowledged_is_lost_and_nothing_is_doubled(birth, tmp_path, key):
    found = killed(Lives(birth, tmp_path), key)
    assert found.acknowledged_count >= 300
    assert (found.lost_count, found.doubled_count, found.unsent_count) == (0, 0, 0)


def test_the_control_that_acknowledges_early_loses_some(birth, tmp_path, key):
    found = killed(Lives(birth, tmp_path, is_early=True), key)
    assert found.lost_count > 0
    assert found.doubled_count == 0


def posted(lives, key, content):
    answer = httpx.post(
        f"http://127.0.0.1:{lives.port}/v1/events",
        json=content,
        headers=basic(key),
        trust_env=False,
    )
    return answer.json()["accepted_count"]


def test_a_server_that_is_told_to_stop_writes_what_it_has_taken(birth, tmp_path, key):
    lives = Lives(birth, tmp_path)
    lives.start()
    assert posted(lives, key, [event(str(n)) for n in range(500)]) == 500
    lives.end(signal.SIGTERM)
    assert rows(server.folder_of(tmp_path), "SELECT count(*) FROM events") == [500]
    log = (tmp_path / "server.log").read_text()
    assert "500 events accepted" in log
    assert "Traceback" not in log


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_an_event_is_synced_to_the_disk_before_its_answer_is_sent(birth, tmp_path, key):
    trace, lives = tmp_path / "trace", Lives(birth, tmp_path)
    lives.start()
    calls = "trace=fsync,fdatasync,pwrite64,sendto,write,writev,sendmsg"
    command = ["strace", "-f", "-y", "-e", calls, "-o", str(trace), "-p", str(lives.pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        told = tracer.stderr.readline()
        if "attached" not in told:
            pytest.skip(f"strace may not attach here: {told.strip()}")
        for number in range(5):
            assert posted(lives, key, event(str(number))) == 1
    finally:
        tracer.terminate()
        tracer.communicate()
        lives.end()
    seen = "".join(map(kind_of, trace.read_text().splitlines()))
    assert re.fullmatch("(w+s+a)+", seen), seen
    assert seen.count("a") == 5


def kind_of(line):
    """w: written to the log of the store; s: it was synced; a: an answer was sent."""
    if "events.sqlite-wal>" in line and "pwrite64(" in line:
        return "w"
    if "events.sqlite-wal>" in line and "sync(" in line:
        return "s"
    return "a" if "HTTP/1.1 200" in line else ""
