"""A log in order of arrival, in chunks of a million: `python -m peers.data FOLDER EVENTS`.

Some entities have many events, most have few. One event in five arrives late, by two days on
average. Eight rows per entity, and a hundred events per entity on average.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from peers.job import KINDS, VALUED

CHUNK = 1_000_000
EVENTS_PER_ENTITY, ROWS_PER_ENTITY = 100, 8
SEED = 20260101
START = np.datetime64("2025-01-01", "us").astype("int64")
DAY_US = 86_400_000_000
SPAN_US = 365 * DAY_US


def part_count(events: int) -> int:
    return max(1, round(events / CHUNK))


def log_chunk(chunk: int, chunks: int, count: int, entities: int) -> pa.Table:
    """count events that became known in one slice of the year."""
    random = np.random.default_rng([SEED, chunk])
    known = np.sort(
        random.integers(chunk * SPAN_US // chunks, (chunk + 1) * SPAN_US // chunks, count)
    )
    late = random.exponential(2 * DAY_US, count) * (random.random(count) < 0.2)
    kind = random.integers(0, len(KINDS), count).astype("int8")
    amount = random.gamma(2.0, 50.0, count).round(2)
    absent = ~np.isin(kind, [KINDS.index(name) for name in VALUED]) | (random.random(count) < 0.1)
    return pa.table(
        {
            "key": (entities * random.random(count) ** 1.5).astype("int64"),
            "known_at": times(START + known),
            "occurred_at": times(START + known - late.astype("int64")),
            "event": pa.DictionaryArray.from_arrays(pa.array(kind), pa.array(KINDS)),
            "amount": pa.array(amount, mask=absent),
        }
    )


def times(microseconds: np.ndarray) -> pa.Array:
    return pa.array(microseconds).cast(pa.timestamp("us"))


def rows(keys: np.ndarray) -> pa.Table:
    """The as-of times of an entity: spread over the year, at moments of its own."""
    random = np.random.default_rng([SEED, 1, int(keys[0])])
    turn = np.tile(np.arange(ROWS_PER_ENTITY), len(keys))
    as_of = (turn + random.random(len(turn))) * (SPAN_US / ROWS_PER_ENTITY)
    return pa.table(
        {"key": np.repeat(keys, ROWS_PER_ENTITY), "as_of": times(START + as_of.astype("int64"))}
    )


def profile(keys: np.ndarray) -> pa.Table:
    random = np.random.default_rng([SEED, 2, int(keys[0])])
    size = random.lognormal(3, 1.5, len(keys)).round()
    return pa.table(
        {
            "key": keys,
            "segment": random.integers(0, 6, len(keys)).astype("float32"),
            "employees_count": size.astype("float32"),
            "country": random.integers(0, 40, len(keys)).astype("float32"),
        }
    )


def main(folder: Path, events: int) -> None:
    (folder / "log").mkdir(parents=True)
    chunks, entities = part_count(events), events // EVENTS_PER_ENTITY
    for chunk in range(chunks):
        count = events * (chunk + 1) // chunks - events * chunk // chunks
        table = log_chunk(chunk, chunks, count, entities)
        pq.write_table(table, folder / "log" / f"{chunk:04d}.parquet", compression="zstd")
    for part in range(chunks):
        place = folder / "parts" / f"{part:04d}"
        place.mkdir(parents=True)
        keys = np.arange(part, entities, chunks)
        pq.write_table(rows(keys), place / "rows.parquet", compression="zstd")
        pq.write_table(profile(keys), place / "profile.parquet", compression="zstd")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
