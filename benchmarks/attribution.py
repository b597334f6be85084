"""Ten million clicks attributed: tierwise beside DuckDB, the obvious pandas and the bare read.

    python benchmarks/attribution.py            10 million clicks: 5 to 15 minutes, 8 GB
    python benchmarks/attribution.py --quick    100,000 clicks: seconds
    python benchmarks/attribution.py --clicks 1_000_000 --rounds 1 --without "pandas merges"

The clicks are simulated: one in three is of a browser in which somebody signs up, one in fifty
comes twice, one in twenty late; some friends share a device or a means of payment with who sent the
link. There is a member for ten clicks and a link for fifty. Each way reads the same Parquet files,
applies the same rules (`tierwise.attribution`) and leaves one row per member; an error if two
differ. Ways:

    bare read        the columns of members, links and clicks into pandas, nothing computed
    tierwise         attribution.attributed: lookups in Arrow's hash tables, then arrays
    DuckDB           one SQL statement on the same files, on one thread
    pandas merges    drop_duplicates, merge, sort, drop_duplicates

Each way runs in a process of its own, in turns, on one thread. Processor seconds and memory are
those of whole processes, start-up included; medians over rounds. Results are written at the end,
each file as a whole: attribution.json, .md, .png and .svg.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "src"))

import attribution_peers as peers  # noqa: E402
import attribution_report  # noqa: E402
import measure  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.compute as pc  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from tierwise import attribution, files  # noqa: E402

START_US = int(pd.Timestamp("2025-01-01").value // 1000)
DAY_US, MINUTE_US = 86_400_000_000, 60_000_000
DAYS_COUNT = 180
READ, SIMULATE = "bare read", "simulate"
QUICK = {"clicks": 100_000, "rounds": 1}
LIMIT_S = 3600.0
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"}


def text(letter: str, number: np.ndarray, there: np.ndarray | None = None) -> pa.Array:
    """A letter and a number of eight digits, missing where it is not there."""
    padded = pc.utf8_lpad(pc.cast(pa.array(number), pa.string()), 8, "0")
    found = pc.binary_join_element_wise(letter, padded, "")
    return found if there is None else pc.if_else(pa.array(there), found, None)


def at(micros: np.ndarray) -> pa.Array:
    return pa.array(micros.astype("int64")).cast(pa.timestamp("us"))


def simulate(folder: Path, clicks_count: int, seed: int = 7) -> dict[str, int]:
    """members, links and clicks as Parquet files; how many rows each has."""
    random = np.random.default_rng(seed)
    count, links_count = clicks_count // 10, clicks_count // 50
    person = np.arange(count)
    joined = START_US + np.sort(random.integers(0, DAYS_COUNT * DAY_US, count))
    own = random.integers(0, 1 << 26, count)
    members = {
        "person_id": pa.array(person),
        "occurred_at": at(joined),
        "known_at": at(joined + random.integers(0, 3600 * 10**6, count)),
        "visitor_id": text("v", person),
        "device_id": text("d", own, random.random(count) < 0.8),
        "payment_id": text("m", random.integers(0, 1 << 26, count), random.random(count) < 0.3),
        "code": text("L", random.integers(0, links_count, count), random.random(count) < 0.02),
    }
    owner = np.sort(random.integers(0, count, links_count))
    links = {
        "link_id": text("L", np.arange(links_count)),
        "person_id": pa.array(owner),
        "occurred_at": at(joined[owner]),
        "known_at": at(joined[owner] + MINUTE_US),
        "campaign": text("c", owner % 7),
    }
    comes = random.random(clicks_count) < 1 / 3
    friend = random.integers(0, count, clicks_count)
    visitor = np.where(comes, friend, random.integers(count, 6 * count, clicks_count))
    link = random.integers(0, links_count, clicks_count)
    before = random.exponential(12 * DAY_US, clicks_count)
    any_time = START_US + random.integers(0, DAYS_COUNT * DAY_US, clicks_count)
    clicked = np.where(comes, joined[friend] - before, any_time)
    is_late = random.random(clicks_count) < 0.05
    late = np.where(is_late, random.integers(0, 60 * DAY_US, clicks_count), 2_000_000)
    # One in a hundred clicks on the device of who sent the link.
    at_theirs = random.random(clicks_count) < 0.01
    device = np.where(at_theirs, own[owner[link]], random.integers(0, 1 << 26, clicks_count))
    clicks = {
        "click_id": text("k", np.arange(clicks_count)),
        "link_id": text("L", link),
        "visitor_id": text("v", visitor),
        "occurred_at": at(clicked),
        "known_at": at(clicked + late),
        "device_id": text("d", device, random.random(clicks_count) < 0.8),
    }
    again = np.flatnonzero(random.random(clicks_count) < 0.02)
    once = pa.table(clicks)
    copies = once.take(again).set_column(4, "known_at", at((clicked + late)[again] + 5 * MINUTE_US))
    rows = {"members": pa.table(members), "links": pa.table(links)}
    rows["clicks"] = pa.concat_tables([once, copies])
    for name, table in rows.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    return {name: len(table) for name, table in rows.items()}


def with_tierwise(folder: Path) -> pd.DataFrame:
    found = attribution.attributed(**peers.read(folder), rules=peers.RULES)
    return found[["person_id", "sender_id", "link_id", "evidence_id"]].set_axis(
        peers.ANSWER, axis=1
    )


def simulated(folder: Path, clicks_count: int) -> dict[str, int]:
    """In a process of its own: the kernel counts our memory to those that we start."""
    command = [sys.executable, str(Path(__file__)), "--clicks", str(clicks_count)]
    subprocess.run([*command, "--way", SIMULATE, "--folder", str(folder)], check=True)
    return files.read_json(folder / "sizes.json")


def bare_read(folder: Path) -> pd.DataFrame:
    peers.read(folder)
    return pd.DataFrame(columns=peers.ANSWER)


WAYS: dict[str, Callable[[Path], pd.DataFrame]] = {
    READ: bare_read,
    "tierwise": with_tierwise,
    "DuckDB": peers.with_duckdb,
    "pandas merges": peers.with_pandas,
}


def one(way: str, folder: Path) -> None:
    """Run in a process of its own; leaves the answer and the seconds beside reading."""
    pa.set_cpu_count(1)
    start = time.process_time()
    found = WAYS[way](folder)
    inside = time.process_time() - start
    ordered = found.sort_values("person_id", ignore_index=True)
    texts = ordered.astype(dict.fromkeys(["link_id", "click_id"], "str"))
    files.write_parquet(folder / f"{way}.answer", texts.astype({"sender_id": "Int64"}))
    files.write_json(folder / f"{way}.seconds", {"inside_s": inside})


def measured(way: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__)), "--way", way, "--folder", str(folder)]
    with (folder / "log").open("w", encoding="utf-8") as log:
        row = measure.measured(command, os.environ | ONE_THREAD, log, LIMIT_S)
    if row.pop("error"):
        raise SystemExit(f"{way} failed:\n{(folder / 'log').read_text(encoding='utf-8')}")
    return row | files.read_json(folder / f"{way}.seconds")


def agreed(folder: Path, ways: list[str]) -> dict[str, int]:
    """Counts of the answer that all give. Stops where two differ."""
    first, *rest = [pd.read_parquet(folder / f"{way}.answer") for way in ways if way != READ]
    for other in rest:
        if not first.equals(other):
            same = first.astype("str").fillna("-") == other.astype("str").fillna("-")
            where = ~same.all(axis=1)
            raise SystemExit(f"Ways differ:\n{first[where][:5]}\n{other[where][:5]}")
    by_code = first["link_id"].notna() & first["click_id"].isna()
    return {"credited": int(first["link_id"].notna().sum()), "by_code": int(by_code.sum())}


def summary(rounds: list[dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
    """Medians of each way, and how many times those of the bare read they are."""
    rows = []
    for way in rounds[0]:
        row: dict[str, Any] = {"way": way}
        for name in ("cpu_s", "wall_s", "inside_s", "peak_memory_mb"):
            middle = statistics.median(each[way][name] for each in rounds)
            bare = statistics.median(each[READ][name] for each in rounds)
            row |= {name: middle, f"{name}_ratio_to_bare_read": middle / bare}
        rows.append(row)
    return rows


def run(given: argparse.Namespace) -> None:
    ways = [way for way in WAYS if way not in given.without]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = simulated(folder, given.clicks)
        rounds = []
        for _ in range(given.rounds):
            rounds.append({way: measured(way, folder) for way in ways})
            print(json.dumps(rounds[-1]), flush=True)
        counts = agreed(folder, ways)
    found = {
        "simulated": True,
        **sizes,
        **counts,
        "rounds": given.rounds,
        "ways": summary(rounds),
    }
    attribution_report.write_report(found, given.results)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--clicks", type=int, default=10_000_000, help="clicks without copies (10,000,000)")
    add("--rounds", type=int, default=3, help="rounds, in turns (3)")
    add("--quick", action="store_true", help="few clicks, one round")
    add("--without", nargs="*", default=[], choices=list(WAYS)[2:], help="leave a way out")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    add("--way", choices=[SIMULATE, *WAYS], help="one way alone, in this process: used by the run")
    add("--folder", type=Path, help="where the way finds its tables: used by the run")
    return options


if __name__ == "__main__":
    asked = parser().parse_args()
    if asked.way == SIMULATE:
        files.write_json(asked.folder / "sizes.json", simulate(asked.folder, asked.clicks))
    elif asked.way:
        one(asked.way, asked.folder)
    else:
        if asked.quick:
            vars(asked).update(QUICK)
        run(asked)
