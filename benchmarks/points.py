"""Points of everybody from 10 million events, and an hour's 10,000 new ones folded in.

    python benchmarks/points.py                          10 million events: some minutes, 3 GB
    python benchmarks/points.py --events 100_000 --rounds 1

Simulated events of one year; some come late, some twice. Processor seconds of one thread, medians
over rounds in which the ways take turns, and how many times the first way's each other way takes:

    half-lives only   read the four columns of the Parquet file and nothing else; read and score
                      (tierwise); the same sums in DuckDB and pandas (no ledger, nothing kept)
    all rules         with steps, caps a day, late and repeated rows: read and score (tierwise)
    one hour more     10,000 new rows into a book in memory and into a book on disk (open, fold,
                      write), beside reading and building everything again: equal to the last digit
    ledgers           of 1,000 people, every row of which sums to the score to the cent

An error if two ways differ. Results are written at the end: points.json, .md, .png and .svg.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "src"))

import duckdb  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import points_report  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from tierwise.customers import event_catalogue as ec  # noqa: E402
from tierwise.customers import point_ledger, point_store, points  # noqa: E402

START = np.datetime64("2025-01-01", "us")
YEAR_US, DAY_US = 365 * 86_400_000_000, 86_400_000_000
AS_OF = pd.Timestamp("2026-03-01")
NEW_COUNT, LEDGER_COUNT = 10_000, 1_000
LATE_SHARE, TWICE_SHARE = 0.02, 0.005
KINDS = [f"kind_{number}" for number in range(12)]
HALF_LIVES = (7.0, 30.0, 120.0)
COLUMNS = list(points.COLUMNS)
Way = Callable[[], Any]


def simulated(count: int, people: int, seed: int = 7) -> pd.DataFrame:
    """By known_at. Some people are a hundred times as active as others; ids have gaps."""
    rng = np.random.default_rng(seed)
    weight = rng.lognormal(0, 1, people)
    person = rng.choice(people, count, p=weight / weight.sum()) * 7 + 13
    occurred = np.sort(rng.integers(0, YEAR_US - DAY_US, count))
    late = rng.random(count) < LATE_SHARE
    lag = np.where(late, rng.exponential(2 * DAY_US, count).astype("int64"), 0)
    table = pd.DataFrame(
        {
            "person_id": person,
            "event": pd.Categorical.from_codes(rng.integers(0, 12, count).astype("int8"), KINDS),
            "occurred_at": START + occurred.astype("timedelta64[us]"),
            "known_at": START + (occurred + lag).astype("timedelta64[us]"),
        }
    )
    twice = table.sample(frac=TWICE_SHARE, random_state=seed)
    again = twice.assign(known_at=twice["known_at"] + pd.Timedelta(minutes=5))
    return pd.concat([table, again]).sort_values("known_at", kind="stable", ignore_index=True)


def half_lives() -> ec.Catalogue:
    """Points 1 to 12, halving in 7, 30 or 120 days."""
    rules = {
        kind: {"points": at + 1, "half_life_days": HALF_LIVES[at % 3]}
        for at, kind in enumerate(KINDS)
    }
    return ec.parsed({"events": rules})


def all_rules() -> ec.Catalogue:
    """A third fades by steps and a third has a cap, one has two versions, one is archived."""
    rules: dict[str, Any] = {}
    for at, kind in enumerate(KINDS):
        fading = {"step": {"idle_days": 7, "share": 0.1}} if at % 3 == 0 else {}
        fading = fading or {"half_life_days": HALF_LIVES[at % 3]}
        rules[kind] = {"points": at + 1, **fading} | ({"cap_per_day": 12} if at % 3 == 1 else {})
    rules[KINDS[2]] = {"versions": [rules[KINDS[2]], {"from": "2025-06-01", "points": 9}]}
    rules[KINDS[5]] = {"versions": [rules[KINDS[5]], {"from": "2025-07-01", "status": "archived"}]}
    return ec.parsed({"events": rules})


def read(path: Path) -> pd.DataFrame:
    """Four columns, one thread, the event as a category."""
    table = pq.read_table(path, columns=COLUMNS, use_threads=False, read_dictionary=["event"])
    return table.to_pandas(split_blocks=True, self_destruct=True, use_threads=False)


def scored(path: Path, catalogue: ec.Catalogue) -> pd.DataFrame:
    return points.scores(points.built(catalogue, read(path)), AS_OF)


def with_duckdb(path: Path) -> pd.DataFrame:
    """The sums of half-lives; rows delivered twice are left out as the engine sees fit."""
    rules = pd.DataFrame({"event": KINDS, "worth": np.arange(1.0, 13.0)})
    rules["half_us"] = [HALF_LIVES[at % 3] * DAY_US for at in range(12)]
    at = int(AS_OF.timestamp() * 1e6)
    with duckdb.connect(config={"threads": 1}) as connection:
        return connection.sql(
            f"""
            select person_id, sum(worth * pow(0.5, ({at} - epoch_us(occurred_at)) / half_us)) points
            from (select distinct person_id, event, occurred_at from read_parquet('{path}'))
            join rules using (event) group by person_id order by person_id
            """
        ).df()


def with_pandas(path: Path) -> pd.DataFrame:
    table = read(path).drop_duplicates(["person_id", "event", "occurred_at"])
    code = table["event"].cat.codes.to_numpy()
    age = (AS_OF - table["occurred_at"]) / pd.Timedelta(days=1)
    worth = (code + 1) * 0.5 ** (age.to_numpy() / np.array(HALF_LIVES)[code % 3])
    sums = pd.Series(worth).groupby(table["person_id"].to_numpy()).sum()
    return sums.rename_axis("person_id").reset_index(name="points")


def taken(ways: dict[str, Way], rounds_count: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Median processor seconds and the last answer of each way, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    answers: dict[str, Any] = {}
    for _ in range(rounds_count):
        for name, way in ways.items():
            answers.pop(name, None)
            start = time.process_time()
            answers[name] = way()
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}, answers


def step(name: str, seconds: dict[str, float], **more: Any) -> dict[str, Any]:
    """A step's seconds, and how many times the first way's each other way takes."""
    first = next(iter(seconds.values()))
    ratio = {way: value / first for way, value in seconds.items()}
    return {"step": name, "cpu_s": seconds, "ratio": ratio, **more}


def scoring(path: Path, rounds: int) -> list[dict[str, Any]]:
    """The steps `half-lives only` and `all rules`."""
    ways: dict[str, Way] = {
        "bare read": lambda: len(read(path)),
        "tierwise": lambda: scored(path, half_lives()),
        "DuckDB": lambda: with_duckdb(path),
        "pandas": lambda: with_pandas(path),
    }
    seconds, found = taken(ways, rounds)
    ours = found["tierwise"]
    for name in ("DuckDB", "pandas"):
        other = found[name]
        alike = ours["person_id"].tolist() == other["person_id"].tolist()
        away = np.abs(ours["billionths"] / points.BILLION - other["points"]).max()
        if not alike or away > 1e-5:
            raise SystemExit(f"half-lives only: {name} and tierwise differ by {away:g} points.")
    plain = step("half-lives only", seconds, people=len(ours))
    ways = {"bare read": ways["bare read"], "tierwise": lambda: scored(path, all_rules())}
    return [plain, step("all rules", taken(ways, rounds)[0])]


def one_hour(table: pd.DataFrame, path: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """The step `one hour more`: as many hours in a row as there are rounds, then all at once."""
    rules = all_rules()
    rest = len(table) - rounds * NEW_COUNT
    hours = [slice(rest + at * NEW_COUNT, rest + (at + 1) * NEW_COUNT) for at in range(rounds)]
    book = points.built(rules, table.iloc[:rest])
    point_store.create(folder, rules, table.iloc[:rest])
    late, turn = 0, iter(range(rounds))

    def in_memory() -> points.Counts:
        nonlocal hour
        hour = table.iloc[hours[next(turn)]]
        return points.add(book, hour)

    def on_disk() -> points.Book:
        return point_store.refresh(folder, rules, hour)[0]

    hour = table.iloc[hours[0]]
    ways: dict[str, Way] = {
        "into a book in memory": in_memory,
        "into a book on disk": on_disk,
        "read and build all": lambda: points.built(rules, read(path)),
    }
    seconds, found = taken(ways, rounds)
    late = found["into a book in memory"].late
    full = points.scores(found["read and build all"], AS_OF)
    for other in (book, found["into a book on disk"]):
        if not points.scores(other, AS_OF).equals(full):
            raise SystemExit("one hour more: the book that was kept up and the one built differ.")
    return step("one hour more", seconds, new=NEW_COUNT, late=late, equal_to_the_last_digit=True)


def ledgers(path: Path) -> dict[str, Any]:
    """The step `ledgers`."""
    book = points.built(all_rules(), read(path))
    score = points.scores(book, AS_OF).set_index("person_id")["points"].head(LEDGER_COUNT)
    start = time.process_time()
    found = point_ledger.ledger(book, score.index, AS_OF)
    seconds = time.process_time() - start
    away = found.groupby("person_id")["cents"].sum() - (score * 100).round().astype("int64")
    if away.any():
        raise SystemExit("ledgers: a ledger does not sum to its score.")
    return step("ledgers", {"tierwise": seconds}, people=len(score), rows=len(found))


def run(given: argparse.Namespace) -> None:
    pa.set_cpu_count(1)
    folder = Path(tempfile.mkdtemp(prefix="points-", dir=given.folder))
    try:
        small = simulated(3 * NEW_COUNT, 100)  # compiles what is compiled
        small.to_parquet(folder / "small.parquet", compression="zstd", index=False)
        scoring(folder / "small.parquet", 1)
        one_hour(small, folder / "small.parquet", folder / "small", 1)
        table = simulated(given.events, given.people)
        path = folder / "events.parquet"
        table.to_parquet(path, compression="zstd", index=False)
        steps = [
            *scoring(path, given.rounds),
            one_hour(table, path, folder / "book", given.rounds),
            ledgers(path),
        ]
        found = {
            "simulated": True,
            "events": len(table),
            "people": given.people,
            "parquet_mb": path.stat().st_size / 1e6,
            "rounds": given.rounds,
            "steps": steps,
        }
    finally:
        shutil.rmtree(folder)
    points_report.write_report(found, given.results)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--events", type=int, default=10_000_000, help="events (10,000,000)")
    add("--people", type=int, default=100_000, help="people (100,000)")
    add("--rounds", type=int, default=5, help="rounds, in turns (5)")
    add("--folder", type=Path, default=None, help="where tables and books lie meanwhile")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    return options


if __name__ == "__main__":
    run(parser().parse_args())
