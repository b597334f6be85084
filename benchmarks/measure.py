"""A whole process measured: what the kernel counted for it and for everything it started.

cpu_s is user and system time of the process and of all its descendants. One that outlives its
parent, as Java does, becomes our child (Linux: a subreaper) and is waited for as well. The Python
workers of Spark are never waited for by anyone, so the tree is also looked at every 0.25 seconds,
and the larger of both sums counts. peak_memory_mb is the larger of the kernel's figure for the
largest single process and of the sum over the tree at one look. For one process they are the same;
for Spark the sum counts pages that forked workers share more than once.
"""

import ctypes
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import IO, Any

import psutil

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h


def measured(
    command: list[str], environment: dict[str, str], log: IO[str], limit_s: float
) -> dict[str, Any]:
    """cpu_s, wall_s, peak_memory_mb; error: why it has no result, else "". log: what it said."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    start = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    watch = Watch(start + limit_s)
    watch.start()
    status, cpu_s, largest_mb = waited(process)
    watch.ended.set()
    watch.join()
    wall_s = time.monotonic() - start
    error = f"stopped after {limit_s:.0f} s" if watch.stopped else f"failed ({status})"
    return {
        "cpu_s": max(cpu_s, sum(watch.cpu_s.values())),
        "wall_s": wall_s,
        "peak_memory_mb": max(largest_mb, watch.peak_mb),
        "error": error if status else "",
    }


def waited(process: subprocess.Popen) -> tuple[int, float, float]:
    """Exit status of the process, CPU seconds of all, megabytes of the largest."""
    cpu_s = largest_mb = 0.0
    status = 0
    while True:
        try:
            pid, code, used = os.wait4(-1, 0)
        except ChildProcessError:
            process.returncode = status
            return status, cpu_s, largest_mb
        status = os.waitstatus_to_exitcode(code) if pid == process.pid else status
        cpu_s += used.ru_utime + used.ru_stime
        largest_mb = max(largest_mb, used.ru_maxrss / 1e6 * 1024)


class Watch(threading.Thread):
    """Adds up memory and CPU of our descendants, and stops them when time is up."""

    def __init__(self, until: float) -> None:
        super().__init__(daemon=True)
        self.until = until
        self.peak_mb, self.stopped, self.ended = 0.0, False, threading.Event()
        self.cpu_s: dict[int, float] = {}  # by process, when it was last seen

    def run(self) -> None:
        while not self.ended.wait(0.25):
            tree = psutil.Process().children(recursive=True)
            self.peak_mb = max(self.peak_mb, sum(map(self.look_at, tree)))
            if time.monotonic() > self.until:
                self.stopped = True
                for process in tree:
                    with suppress(psutil.NoSuchProcess):
                        process.kill()

    def look_at(self, process: psutil.Process) -> float:
        """Its megabytes now; remembers its CPU seconds."""
        try:
            used = process.cpu_times()
            self.cpu_s[process.pid] = used.user + used.system
            return process.memory_info().rss / 1e6
        except psutil.NoSuchProcess:  # it ended while we looked
            return 0.0
