"""What it costs, once, to bring a log in order of arrival into partitions by entity."""

import sys
from pathlib import Path

import duckdb

from peers.job import parts


def main(folder: Path, result: Path) -> None:
    """Scatter by entity, then sort each partition: memory is bounded by a partition."""
    connection = duckdb.connect(config={"preserve_insertion_order": False})
    connection.execute(f"SET memory_limit = '2GB'; SET temp_directory = '{result / 'spill'}'")
    places, scattered = parts(folder), result / "scattered"
    connection.execute(
        f"COPY (SELECT *, key % {len(places)} AS part FROM '{folder}/log/*.parquet') "
        f"TO '{scattered}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (part))"
    )
    for at, place in enumerate(places):
        connection.execute(
            f"COPY (SELECT key, known_at, occurred_at, event, amount "
            f"FROM '{scattered}/part={at}/*.parquet' ORDER BY key, known_at) "
            f"TO '{place / 'events.parquet'}' (FORMAT parquet, COMPRESSION zstd)"
        )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
