"""The highest memory of this process, since it was last asked to forget.

From /proc where there is one: `ru_maxrss` of a process counts what its parent had when it was
started, and can't be set back for good.
"""

import ctypes
import gc
import re
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

STATUS = Path("/proc/self/status")


def told_mb(name: str) -> float:
    """VmRSS (now) or VmHWM (highest) in megabytes; elsewhere than on Linux the highest ever."""
    if sys.platform == "linux":
        found = re.search(rf"^{name}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
        return int(found[1]) * 1024 / 1e6 if found else 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def highest_mb() -> float:
    return told_mb("VmHWM")


def forget() -> None:
    """From here on the highest counts anew, on Linux."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")


def tidy() -> None:
    """Give back what nobody uses."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


def above_during(do: Callable[[], Any]) -> float:
    """Megabytes by which this process grew at most while `do` ran."""
    tidy()
    forget()
    before = told_mb("VmRSS")
    do()
    return max(0.0, highest_mb() - before)
