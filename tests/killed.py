"""Real kills at every moment, for tests: a child of its own dies by SIGKILL, its files stay.

Before every file that Python opens for writing, every rename, removal and new folder is a moment
(an audit event), and wherever `moment()` is called. One interpreter imports everything and forks a
child for each kill, so that a kill costs milliseconds.
"""

import os
import subprocess
import sys

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a child for each kill")

NURSERY = """
import os, shutil, signal, sys, time
from pathlib import Path
{code}

ROOT = Path(sys.argv[1])
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir")

def run(folder, last):
    count = 0
    def moment(*_):
        nonlocal count
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)
    def hear(event, arguments):
        changes = event in CHANGES or (event == "open" and set(arguments[1] or "") & set("wax+"))
        if changes and any(str(ROOT) in str(item) for item in arguments[:2]):
            moment()
    sys.addaudithook(hear)
    work(folder, moment)
    return count

def forked(number, last, wait=None):
    folder = ROOT / str(number)
    shutil.copytree(ROOT / "start", folder)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(run(folder, last)).encode())
        os._exit(0)
    os.close(writing)
    if wait is not None:
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
    told = os.read(reading, 20)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return "killed" if os.WIFSIGNALED(status) else told.decode() or "failed"

began = time.perf_counter()
moments = int(forked(0, 0))
took = time.perf_counter() - began
print(moments)
for number in range(1, moments + 1):
    print(forked(number, number))
for number in range(1, {timed} + 1):
    print(forked(moments + number, 0, took * number / ({timed} + 1)))
"""


def killed(code, folder, timed=0):
    """Run `work(folder, moment)` of `code` once whole, then killed at every single moment.

    Each run has a copy of folder/start of its own: folder/0 is the whole one, folder/1 and so on
    the killed ones. timed: kills at times spread evenly beside, which also hit what happens inside
    other libraries. Returns how many moments there are, and the folders of the killed runs.
    """
    text = NURSERY.replace("{code}", code).replace("{timed}", str(timed))
    command = [sys.executable, "-c", text, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert not done.stderr, done.stderr
    moments, *ends = done.stdout.split()
    assert ends[: int(moments)] == ["killed"] * int(moments)
    assert "failed" not in ends
    return int(moments), [folder / str(number) for number in range(1, len(ends) + 1)]
