"""DuckDB: conditional aggregates in two levels, by row and kind, then by row."""

import sys
from pathlib import Path

import duckdb

from peers.job import (
    EVERYTHING,
    KINDS,
    PROFILE,
    VALUED,
    WINDOWS_DAYS,
    arguments,
    columns,
    parts,
    suffix,
)


def inside(days: int | None) -> str:
    return "true" if days is None else f"age <= {days * 86_400_000_000}"


def by_kind() -> str:
    """One line per row and kind of event."""
    counts = [
        f"count(*) FILTER ({inside(days)}) AS n{suffix(days)}, "
        f"sum(amount) FILTER ({inside(days)}) AS s{suffix(days)}"
        for days in WINDOWS_DAYS
    ]
    return (
        f"SELECT row_id, event, {', '.join(counts)}, min(age) AS youngest, "
        "arg_max(amount, occurred_at) FILTER (amount IS NOT NULL) AS last "
        "FROM seen GROUP BY row_id, event"
    )


def by_row() -> str:
    def of(kind: str, value: str) -> str:
        return f"max({value}) FILTER (event = '{kind}')"

    return ", ".join(
        [
            *(
                f"{of(kind, 'n' + suffix(days))} AS {kind}_count{suffix(days)}"
                for kind in KINDS
                for days in WINDOWS_DAYS
            ),
            *(
                f"{of(kind, 's' + suffix(days))} AS {kind}_total{suffix(days)}"
                for kind in VALUED
                for days in WINDOWS_DAYS
            ),
            *(f"{of(kind, 'youngest')} / 86400e6 AS {kind}_recency_days" for kind in KINDS),
            *(f"{of(kind, 'last')} AS {kind}_last" for kind in VALUED),
        ]
    )


def filled() -> str:
    """What is counted or summed is 0 where nothing was seen; the rest stays empty."""
    empty = ("_recency_days", "_last")
    return ", ".join(
        name
        if name in PROFILE
        else f"{name}::FLOAT AS {name}"
        if name.endswith(empty)
        else f"coalesce({name}, 0)::FLOAT AS {name}"
        for name in columns()
    )


def query(folder: str) -> str:
    """folder: a partition, or a pattern of several."""
    days = ", ".join(
        f"count(*) FILTER ({inside(days)}) AS {EVERYTHING}_distinct_days{suffix(days)}"
        for days in WINDOWS_DAYS
    )
    return f"""
        WITH wanted AS MATERIALIZED (
            SELECT row_number() OVER () AS row_id, * FROM '{folder}/rows.parquet'),
        seen AS (
            SELECT row_id, event, amount, occurred_at,
                   epoch_us(as_of) - epoch_us(occurred_at) AS age
            FROM '{folder}/events.parquet' e JOIN wanted w
            ON e.key = w.key AND e.known_at < w.as_of),
        by_kind AS ({by_kind()}),
        by_row AS (SELECT row_id, {by_row()} FROM by_kind GROUP BY row_id),
        by_day AS (
            SELECT row_id, min(age) AS age FROM seen
            GROUP BY row_id, epoch_us(occurred_at) // 86400000000),
        days AS (SELECT row_id, {days} FROM by_day GROUP BY row_id)
        SELECT key, as_of, {filled()}
        FROM wanted LEFT JOIN by_row USING (row_id) LEFT JOIN days USING (row_id)
        LEFT JOIN '{folder}/profile.parquet' USING (key)"""


def main(folder: Path, result: Path, how: str) -> None:
    connection = duckdb.connect(config={"preserve_insertion_order": False})
    connection.execute(f"SET temp_directory = '{result / 'spill'}'")
    places = parts(folder) if how == "parts" else [folder / "parts" / "*"]
    for at, place in enumerate(places):
        target = f"'{result / f'{at:04d}.parquet'}' (FORMAT parquet, COMPRESSION zstd)"
        connection.execute(f"COPY ({query(str(place))}) TO {target}")


if __name__ == "__main__":
    main(*arguments(), sys.argv[3])
