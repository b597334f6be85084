"""The event intake: how many events a second it makes durable, and whether it keeps its word.

    python benchmarks/intake.py                          about ten minutes, 2 GB of disk
    python benchmarks/intake.py --only load --rounds 5
    python benchmarks/intake.py --kills 5 --seconds 3    a quick look, too small to judge

    load     a server as `tierwise collect serve` runs it, and a client that keeps it busy from the
             same cores (intake_load.py): one event a request, and 50. Each round begins with an
             empty store. p99 is of all requests, from sending to the whole answer.
    long     the same with 50, so long that the ids are merged again and again: is the end as quick
             as the beginning?
    index    what appending costs with a unique index on ids and without, in one process
    kills    kill -9 at random moments while 16 connections send; unanswered requests are sent again
             to the next life. Every event must be there, once. The control acknowledges before it
             writes and has to fail.

Goals: at least 3,000 events a second one by one and 40,000 in batches of 50, p99 at most 100 ms, on
two cores with all events on the disk; 100 kills and at least 500,000 acknowledged events, none
lost, none doubled. Results are written once, at the end: intake.json, intake.md, intake.svg and
intake.png; a part that is run by itself takes its earlier place there. A machine with other work on
it shows lower figures: what others used of the cores meanwhile is told beside them.
"""

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import psutil  # noqa: E402
from intake_lives import Lives, nursery, survived  # noqa: E402
from intake_report import write_report  # noqa: E402

from tierwise.intake import events, keys, server, store  # noqa: E402

LOADS = ((32, 1), (128, 1), (16, 50))
PARTS = ("load", "long", "index", "kills")
CONTROL_KILLS_COUNT = 10
LOOK_SECONDS, QUIET_SHARE = 2.0, 0.1
INDEX_COUNT, INDEX_COMMIT_COUNT = 400_000, 2_000


@contextmanager
def project(folder: Path) -> Iterator[tuple[Path, str]]:
    """An empty one with a write key, removed afterwards."""
    root = Path(tempfile.mkdtemp(dir=folder, prefix="intake."))
    try:
        yield root, keys.create(server.keys_path(root), "server", "bench")
    finally:
        shutil.rmtree(root)


def busy_s() -> float:
    """Processor seconds that all processes have used, on all cores."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0)


def wait_for_quiet(patience_seconds: float) -> None:
    """Until others use little of the cores, but no longer than that."""
    until = time.monotonic() + patience_seconds
    while time.monotonic() < until:
        before = busy_s()
        time.sleep(LOOK_SECONDS)
        if busy_s() - before < QUIET_SHARE * LOOK_SECONDS * psutil.cpu_count():
            return


def share(values: list[float], part: float) -> float:
    """The value below which so large a part lies."""
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def loaded(
    birth: subprocess.Popen[str],
    folder: Path,
    connections: int,
    per_request: int,
    seconds: float,
    patience_seconds: float,
) -> dict[str, Any]:
    """One round: events a second, latencies, processor seconds of both sides."""
    with project(folder) as (root, key):
        lives = Lives(birth, root)
        lives.start()
        process = psutil.Process(lives.pid)
        wait_for_quiet(patience_seconds)
        sync, load = sync_ms(folder), os.getloadavg()[0]
        before, busy_before = sum(process.cpu_times()[:2]), busy_s()
        command = [sys.executable, str(HERE / "intake_load.py"), str(lives.port), key]
        options = ["--connections", str(connections), "--events", str(per_request)]
        done = subprocess.run(
            [*command, *options, "--seconds", str(seconds)],
            capture_output=True,
            text=True,
            check=True,
        )
        busy = busy_s() - busy_before
        server_cpu_s = sum(process.cpu_times()[:2]) - before
        lives.end()
        with store.reading(server.folder_of(root)) as connection:
            stored_count = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    told = json.loads(done.stdout)
    if told["refused_count"] or stored_count != told["events_count"]:
        raise RuntimeError(f"{told['events_count']:,} acknowledged, {stored_count:,} stored")
    others_s = busy - server_cpu_s - told["client_cpu_s"]
    return {
        "connections": connections,
        "events_per_request": per_request,
        "seconds": told["seconds"],
        "events_per_s": told["events_count"] / told["seconds"],
        "p50_ms": share(told["latencies_ms"], 0.5),
        "p99_ms": share(told["latencies_ms"], 0.99),
        "max_ms": max(told["latencies_ms"]),
        "server_cpu_us_per_event": 1e6 * server_cpu_s / told["events_count"],
        "client_cpu_us_per_event": 1e6 * told["client_cpu_s"] / told["events_count"],
        "load": load,
        "others_share": max(others_s / told["seconds"] / psutil.cpu_count(), 0.0),
        "sync_ms": sync,
        "slices": told["slices"],
    }


def loads(birth: subprocess.Popen[str], given: argparse.Namespace) -> list[dict[str, Any]]:
    """Rounds of each load, in turns."""
    found = []
    for number in range(given.rounds):
        for connections, per_request in LOADS:
            asked = (connections, per_request, given.seconds, given.patience)
            one = loaded(birth, given.folder, *asked)
            del one["slices"]
            print(f"round {number + 1}: {told(one)}", flush=True)
            found.append(one)
    return found


def told(one: dict[str, Any]) -> str:
    return (
        f"{one['events_per_request']:>3} a request: {one['events_per_s']:>8,.0f} events/s, "
        f"p50 {one['p50_ms']:.0f}, p99 {one['p99_ms']:.0f} ms, others "
        f"{100 * one['others_share']:.0f} % of the cores, load {one['load']:.1f}"
    )


def longer(birth: subprocess.Popen[str], given: argparse.Namespace) -> dict[str, Any]:
    """One long round; slices: events of each tenth of it, a second."""
    one = loaded(birth, given.folder, *LOADS[-1], given.long_seconds, given.patience)
    print(f"long: {told(one)}; by tenths {[round(part) for part in one['slices']]}", flush=True)
    return one


def appended(folder: Path, is_indexed: bool) -> dict[str, float]:
    """Wall and processor seconds of appending, with random ids."""
    with project(folder) as (root, _), store.opened(root) as connection:
        if is_indexed:
            connection.execute("CREATE UNIQUE INDEX by_digest ON events (digest)")
        at = events.Arrived("bench", 1, None, None)
        kept = {"name": "order paid", "person_id": "17", "properties": {"amount_eur": 12.25}}
        wall_s = cpu_s = 0.0
        for start in range(0, INDEX_COUNT, INDEX_COMMIT_COUNT):
            ids = range(start, start + INDEX_COMMIT_COUNT)
            rows = [events.row(kept | {"event_id": str(number)}, at) for number in ids]
            began, used = time.perf_counter(), time.process_time()
            with store.transaction(connection, root):
                store.append(connection, rows, 1)
            wall_s += time.perf_counter() - began
            cpu_s += time.process_time() - used
    return {
        "events_per_s": INDEX_COUNT / wall_s,
        "cpu_us_per_event": 1e6 * cpu_s / INDEX_COUNT,
    }


def indexed(given: argparse.Namespace) -> dict[str, Any]:
    found = {
        "unique index on ids": appended(given.folder, is_indexed=True),
        "append only": appended(given.folder, is_indexed=False),
    }
    print(f"index: {found}", flush=True)
    return {"events": INDEX_COUNT, "events_per_commit": INDEX_COMMIT_COUNT, "ways": found}


def killed(birth: subprocess.Popen[str], given: argparse.Namespace) -> dict[str, Any]:
    """Ours and the control that acknowledges early."""
    found = {}
    counts = {"ours": given.kills, "control": min(given.kills, CONTROL_KILLS_COUNT)}
    for name, count in counts.items():
        with project(given.folder) as (root, key):
            lives = Lives(birth, root, is_early=name == "control")
            found[name] = asdict(survived(lives, key, count))
        print(f"kills, {name}: {found[name]}", flush=True)
    return found


def sync_ms(folder: Path) -> float:
    """Median of writing 4 kB and having it on the disk."""
    path, taken = folder / "sync", []
    with path.open("wb") as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(b"x" * 4_096)
            file.flush()
            os.fsync(file.fileno())
            taken.append(1e3 * (time.perf_counter() - began))
    path.unlink()
    return statistics.median(taken)


def run(given: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {
        "cores": os.cpu_count(),
        "sqlite": sqlite3.sqlite_version,
    }
    with nursery() as birth:
        if "load" in given.only:
            found["load"] = loads(birth, given)
        if "long" in given.only:
            found["long"] = longer(birth, given)
        if "index" in given.only:
            found["index"] = indexed(given)
        if "kills" in given.only:
            found["kills"] = killed(birth, given)
    return found


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--only", nargs="+", choices=PARTS, default=PARTS, help="parts (all)")
    add("--rounds", type=int, default=3, help="of each load (3)")
    add("--seconds", type=float, default=15.0, help="of a round (15)")
    add("--long-seconds", type=float, default=60.0, help="of the long one (60)")
    add("--kills", type=int, default=100, help="(100)")
    add("--patience", type=float, default=0.0, help="wait so long for a quiet machine (0 s)")
    add("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where stores are made")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    path = given.results / "intake.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    result = earlier | run(given)
    if result.keys() >= set(PARTS):
        write_report(result, given.results)
    else:
        print(json.dumps(result, indent=1))
