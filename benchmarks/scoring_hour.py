"""One hour, from a snapshot to call lists: a process of its own, started by `scoring.py`.

    python benchmarks/scoring_hour.py MODEL TABLES OUT EXPLAINED LISTS

It is `delivery.deliver` as it stands, with a clock around the functions of STAGES. Time and memory
go to the innermost of them, so that stages add up to the whole; what is in none of them is `rest`.
LISTS: 1, or 0 for no call lists. Prints one line of JSON: rows_count, owners_count, files_count,
files_mb, start_mb (after all imports), and stages: cpu_s, wall_s and peak_mb of each.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Any

from scoring_memory import forget, highest_mb, told_mb
from scoring_world import last_hour, scorer

from tierwise import contributions, delivery, engine, files, hour, ledger, reasons, scoring
from tierwise.calls import lists

REST = "rest"
STAGES: dict[str, list[tuple[Any, str]]] = {
    "features": [(engine, "over_parts")],
    "surroundings": [(hour, "surroundings")],
    "columns read": [(hour, "columns_of")],
    "scores": [(scoring, "session"), (scoring, "score")],
    "ranks and tiers": [(hour, "rank")],
    "strange columns": [(hour, "refuse_strange")],
    "reasons: TreeSHAP": [(contributions, "explain"), (contributions, "calibrated")],
    "reasons: words": [(reasons, "top"), (reasons, "listed"), (hour, "explained")],
    "flags": [(delivery, "flagged")],
    "batch.parquet": [(files, "write_parquet")],
    "ledger": [(delivery, "remembered"), (ledger, "append")],
    "call lists": [(delivery, "listed"), (lists, "write")],
}
SETTINGS = {"exploration_share": 0.05, "holdout_share": 0.1, "room_share": 0.3, "salt": "one"}
SETTINGS |= {"new_columns": "refuse", "stale_after_hours": 48.0}


class Clock:
    """Processor seconds, seconds and the highest memory of the innermost stage."""

    def __init__(self) -> None:
        self.stages: dict[str, dict[str, float]] = {}
        self.stack = [REST]
        self.cpu, self.wall = time.process_time(), time.monotonic()
        forget()

    def charge(self) -> None:
        """What was used since the last time goes to the stage that is running."""
        cpu, wall = time.process_time(), time.monotonic()
        own = self.stages.setdefault(self.stack[-1], {"cpu_s": 0.0, "wall_s": 0.0, "peak_mb": 0.0})
        own["cpu_s"] += cpu - self.cpu
        own["wall_s"] += wall - self.wall
        own["peak_mb"] = max(own["peak_mb"], highest_mb())
        forget()
        self.cpu, self.wall = cpu, wall

    def around(self, name: str, do: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(do)
        def timed(*given: Any, **more: Any) -> Any:
            self.charge()
            self.stack.append(name)
            try:
                return do(*given, **more)
            finally:
                self.charge()
                self.stack.pop()

        return timed


@contextmanager
def watched(clock: Clock) -> Iterator[None]:
    """The functions of STAGES with the clock around them."""
    before = [(place, name, getattr(place, name)) for own in STAGES.values() for place, name in own]
    try:
        for stage, places in STAGES.items():
            for place, name in places:
                setattr(place, name, clock.around(stage, getattr(place, name)))
        yield
    finally:
        for place, name, function in before:
            setattr(place, name, function)


@contextmanager
def without_lists(out: Path) -> Iterator[None]:
    before = delivery.written
    delivery.written = lambda *_: out
    try:
        yield
    finally:
        delivery.written = before


def figures(
    model: Path, tables: Path, out: Path, explained: int, with_lists: bool
) -> dict[str, Any]:
    what = scorer(model)
    settings = delivery.Asked(**SETTINGS, explained_count=explained)
    start_mb = told_mb("VmRSS")
    clock = Clock()
    with watched(clock), nullcontext() if with_lists else without_lists(out):
        done = delivery.deliver(what, tables, last_hour(tables), settings, out)
    clock.charge()
    written = list(done["lists"].iterdir()) if with_lists else []
    return {
        "rows_count": done["rows_count"],
        "files_count": len(written),
        "files_mb": sum(path.stat().st_size for path in written) / 1e6,
        "start_mb": start_mb,
        "peak_mb": max(one["peak_mb"] for one in clock.stages.values()),
        "stages": {name: clock.stages[name] for name in (*STAGES, REST) if name in clock.stages},
    }


def main(model: str, tables: str, out: str, explained: str, with_lists: str) -> None:
    folders = Path(model), Path(tables), Path(out)
    print(json.dumps(figures(*folders, int(explained), with_lists == "1")))


if __name__ == "__main__":
    main(*sys.argv[1:])
