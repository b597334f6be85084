"""What 122 features of every (entity, as-of time) cost, side by side, in ratios.

Everything runs here, in one run, on the same files, each implementation as a process of its own:

    python benchmarks/features.py                                  1, 10 and 50 million events
    python benchmarks/features.py --events 1_000_000 --rounds 5

The floor is `read and write`: it reads the same columns and writes a result of the same size. See
benchmarks/README.md for the job, and peers/ for the code of each. A machine that is busy changes
seconds, and much less the ratios, since rounds of different implementations take turns.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from features_report import FLOOR, LAYOUT, OURS, SPARK, write_report  # noqa: E402
from measure import measured  # noqa: E402


class Implementation(NamedTuple):
    """One process. {sample} in `more` stands for a file of our result, there by then."""

    name: str
    module: str
    more: list[str]
    most_events: int  # beyond this it takes more memory than a laptop has
    often: bool  # short enough for several rounds


ANY = 10**12
IMPLEMENTATIONS = [
    Implementation(LAYOUT, "layout", [], ANY, False),
    Implementation(OURS, "ours", ["local"], ANY, True),
    Implementation(FLOOR, "read_and_write", ["{sample}"], ANY, True),
    Implementation(SPARK, "ours", ["spark"], ANY, False),
    Implementation("DuckDB", "duckdb_sql", ["parts"], ANY, False),
    Implementation("polars, streaming", "polars_lazy", ["parts"], ANY, False),
    Implementation("pandas, merge and group", "naive_pandas", [], 1_000_000, False),
]


def environment(folder: Path) -> dict[str, str]:
    """Workers of Spark are Python processes of their own and need the path too."""
    path = os.pathsep.join([str(HERE), str(HERE.parent / "src")])
    spark = {"MASTER": "local[2]", "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    return os.environ | spark | {"PYTHONPATH": path, "TMPDIR": str(folder)}


def prepare(folder: Path, events: int) -> None:
    """Data, and a warm cache of numba."""
    for more in (["peers.data", str(folder / "input"), str(events)], ["peers.warm_up"]):
        command = [sys.executable, "-m", *more]
        subprocess.run(command, env=environment(folder), check=True)


def run(one: Implementation, folder: Path, limit_s: float) -> dict[str, Any]:
    """One round. Its result stays in folder/result/MODULE until the next one."""
    result = folder / "result" / slug(one)
    shutil.rmtree(result, ignore_errors=True)
    result.mkdir(parents=True)
    sample = next((folder / "result" / slug(named(OURS))).glob("*.parquet"), "")
    more = [item.format(sample=sample) for item in one.more]
    command = [sys.executable, "-m", f"peers.{one.module}", str(folder / "input"), str(result)]
    with (folder / "log.txt").open("w+") as log:
        found = measured([*command, *more], environment(folder), log, limit_s)
        log.seek(0)
        said = log.read().strip().splitlines()
    if found["error"] and said:
        found["error"] += f": {said[-1]}"
    return found


def named(name: str) -> Implementation:
    return next(one for one in IMPLEMENTATIONS if one.name == name)


def slug(one: Implementation) -> str:
    return "_".join([one.module, *(item for item in one.more if "{" not in item)])


def difference(one: Implementation, folder: Path, modulus: int) -> str:
    """What sets its result apart from ours, or "" if nothing does."""
    if one.name in (FLOOR, LAYOUT, OURS):
        return ""
    results = [str(folder / "result" / slug(item)) for item in (named(OURS), one)]
    command = [sys.executable, "-m", "peers.compare", *results, str(modulus)]
    found = subprocess.run(command, env=environment(folder), capture_output=True, text=True)
    return found.stderr.strip()


def compared(one: Implementation, events: int, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians. The least of several rounds against the only one of a peer would flatter us."""
    cpu = [entry["cpu_s"] for entry in rounds]
    return {
        "implementation": one.name,
        "events": events,
        "cpu_s": round(statistics.median(cpu), 2),
        "cpu_least_s": round(min(cpu), 2),
        "cpu_ratio_to_read_write": None,
        "wall_s": round(statistics.median(entry["wall_s"] for entry in rounds), 2),
        "peak_memory_mb": round(max(entry["peak_memory_mb"] for entry in rounds)),
        "rounds": len(rounds),
    }


def skipped(one: Implementation, events: int, reason: str) -> dict[str, Any]:
    print(f"{events:>11,} {one.name:32} skipped: {reason}", flush=True)
    empty = dict.fromkeys(["cpu_s", "cpu_ratio_to_read_write", "peak_memory_mb", "wall_s"])
    return {"implementation": one.name, "events": events, **empty, "skipped": reason}


def too_much(one: Implementation, events: int, before: list[dict[str, Any]], limit_s: float) -> str:
    """Why not even to begin, or "". before: results of smaller sizes."""
    if events > one.most_events:
        return f"joins each row with all its events; run up to {one.most_events:,} events"
    own = [entry for entry in before if entry["implementation"] == one.name and entry["cpu_s"]]
    expected = own[-1]["wall_s"] * events / own[-1]["events"] if own else 0
    if expected > limit_s and not one.often:
        return f"would take about {expected / 60:.0f} minutes, the limit is {limit_s / 60:.0f}"
    return ""


def measure_size(
    chosen: list[Implementation],
    events: int,
    folder: Path,
    rounds: int,
    limit_s: float,
    before: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """All at one size, one after the other; those that are quick take further turns."""
    prepare(folder, events)
    found: dict[str, list[dict[str, Any]]] = {}
    reason = {one.name: too_much(one, events, before, limit_s) for one in chosen}
    for turn in range(rounds if events <= 10_000_000 else min(rounds, 2)):
        for one in chosen:
            if not reason[one.name] and (turn == 0 or one.often):
                found.setdefault(one.name, []).append(run(one, folder, limit_s))
                print(f"{events:>11,} {one.name:32} {found[one.name][-1]}", flush=True)
                reason[one.name] = found[one.name][-1]["error"]
                if not reason[one.name] and turn == 0:
                    check(one, folder, events)
    return [
        skipped(one, events, reason[one.name])
        if reason[one.name]
        else compared(one, events, found[one.name])
        for one in chosen
    ]


def check(one: Implementation, folder: Path, events: int) -> None:
    """All rows up to a million events, beyond that those of one entity in 97."""
    wrong = difference(one, folder, 1 if events <= 1_000_000 else 97)
    if wrong:
        sys.exit(f"{one.name} at {events:,} events: {wrong}")
    if one.name not in (OURS, FLOOR):
        shutil.rmtree(folder / "result" / slug(one))


def with_ratios(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    floor = {row["events"]: row["cpu_s"] for row in results if row["implementation"] == FLOOR}
    for row in results:
        if row["cpu_s"] and floor.get(row["events"]):
            row["cpu_ratio_to_read_write"] = round(row["cpu_s"] / floor[row["events"]], 2)
    return results


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--events", type=int, nargs="+", default=[1_000_000, 10_000_000, 50_000_000])
    add(
        "--rounds",
        type=int,
        default=3,
        help="of tierwise and of the floor, in turns (3; at most 2 beyond 10 million)",
    )
    add("--limit-minutes", type=float, default=10, help="stop what takes longer (10)")
    add("--without", nargs="*", default=[], help="leave out names that begin like this")
    add("--folder", type=Path, help="where data are made: about 100 MB per million events")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    given = options.parse_args()
    left_out = tuple(given.without)
    # The layout stays: all others read what it leaves.
    chosen = [
        one for one in IMPLEMENTATIONS if one.name == LAYOUT or not one.name.startswith(left_out)
    ]
    results: list[dict[str, Any]] = []
    for events in sorted(given.events):
        with tempfile.TemporaryDirectory(dir=given.folder, prefix="features.") as folder:
            limit_s = given.limit_minutes * 60
            results += measure_size(chosen, events, Path(folder), given.rounds, limit_s, results)
        write_report(with_ratios(results), given.results)


if __name__ == "__main__":
    main()
