"""A CRM small enough to read: four organisations, five deals, a week of January 2026.

What happened, in the order in which we learned of it:

    Alder (1)    asks twice: deal 11 is won, deal 12 is a duplicate and merged into it
    Birch (2)    deal 21 is lost and reopened; a call is entered two days late
    Cedar (3)    deal 31 is still open; its events arrive twice
    Dogwood (4)  looks around and has no deal
"""

from functools import cache

import pandas as pd

from tierwise.casts import SQL_TYPES
from tierwise.refusals import dtype_of
from tierwise.tables import CONTRACTS


def at(day, clock="09:00"):
    return f"2026-01-{day:02d} {clock}"


def small_world() -> dict[str, pd.DataFrame]:
    """table -> rows in the contract's types, yours to change."""
    return {name: rows.copy() for name, rows in whole_world().items()}


@cache
def whole_world() -> dict[str, pd.DataFrame]:
    return {name: frame(name, rows) for name, rows in ROWS.items()}


def frame(name: str, rows: list[tuple]) -> pd.DataFrame:
    """Rows in the order of the contract's columns; rows may be none."""
    columns = CONTRACTS[name].columns
    made = pd.DataFrame(rows, columns=list(columns))
    return made.astype({column: dtype_of(one) for column, one in columns.items()})


ROWS = {
    "deals": [
        (11, 1, 101, at(5), at(5), "web"),
        (12, 1, 102, at(6), at(6), "fair"),
        (21, 2, 201, at(5), at(5, "09:30"), None),
        (31, 3, None, at(7), at(7), "web"),
        (32, 3, 301, at(8), at(8), "mail"),
    ],
    "deal_changes": [
        ("c1", 11, at(5), at(5), "stage", "new"),
        ("c2", 11, at(5), at(5), "value", "1200.50"),
        ("c3", 11, at(5), at(5), "owner", "7"),
        ("c4", 12, at(6), at(6), "stage", "new"),
        ("c5", 12, at(7), at(7), "merged_into", "11"),
        ("c6", 11, at(9), at(9), "stage", "offer"),
        ("c7", 11, at(12), at(12), "status", "won"),
        ("c8", 21, at(5), at(5), "stage", "new"),
        ("c9", 21, at(8), at(8), "status", "lost"),
        ("c10", 21, at(10), at(10), "status", "reopened"),
        ("c11", 31, at(7), at(7), "stage", "new"),
        ("c11", 31, at(7), at(7, "09:05"), "stage", "new"),
        ("c12", 32, at(8), at(8), "stage", "new"),
    ],
    "organizations": [
        (1, at(1), "bakery", "DE", "Europe/Berlin", 12.0),
        (1, at(9), "bakery", "DE", "Europe/Berlin", 15.0),
        (2, at(1), "care", "AT", "Europe/Vienna", 80.0),
        (3, at(2), None, None, None, None),
        (4, at(3), "logistics", "PT", "Europe/Lisbon", 4.0),
    ],
    "persons": [
        (101, 1, at(1), "owner"),
        (102, 1, at(2), "assistant"),
        (201, 2, at(1), "manager"),
        (301, 3, at(2), None),
        (401, 4, at(3), "owner"),
    ],
    "users": [
        (7, at(1), "north", "Europe/Berlin"),
        (8, at(1), None, None),
    ],
    "activities": [
        ("a1", 11, 7, at(6), at(6), "call", True, 12.5),
        ("a2", 11, 7, at(9), at(9), "meeting", True, 60.0),
        ("a3", 21, 8, at(6), at(8), "call", False, None),
        ("a4", 31, None, at(8), at(8), "mail", True, None),
    ],
    "job_posts": [
        ("p1", 1, at(5), at(5), 40.0, 900.0, True, False, 2.0),
        ("p2", 2, at(5), at(5), 25.0, 300.0, False, False, 0.0),
    ],
    "events": [
        ("e1", 1, 101, at(4), at(4), "visit", None, None),
        ("e2", 1, None, at(5), at(5), "invoice", 99.9, '{"paid": true}'),
        ("e3", 2, 201, at(5), at(5, "12:00"), "visit", None, None),
        ("e4", 3, 301, at(6), at(6), "visit", None, None),
        ("e4", 3, 301, at(6), at(6, "09:10"), "visit", None, None),
        ("e4", 3, 301, at(6), at(6, "09:20"), "visit", None, None),
        ("e5", 4, 401, at(6), at(6), "download", None, 'says "hello, you"'),
    ],
    "ad_clicks": [
        ("k1", 1, at(3), at(4), "spring", 1.2),
        ("k2", 4, at(5), at(5), None, None),
    ],
}


def write_parquet(world, folder):
    """One file a table; a table of two or more rows as a folder of two files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in world.items():
        half = len(rows) // 2
        if not half:
            rows.to_parquet(folder / f"{name}.parquet", index=False)
            continue
        (folder / name).mkdir()
        rows[:half].to_parquet(folder / name / "first.parquet", index=False)
        rows[half:].to_parquet(folder / name / "second.parquet", index=False)
    return folder


def write_csv(world, folder, ending="csv", **options):
    """As a colleague would send them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in world.items():
        rows.to_csv(folder / f"{name}.{ending}", index=False, **options)
    return folder


def write_duckdb(world, path):
    import duckdb

    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(path) as connection:
        for name, rows in world.items():
            connection.register("given", typed(name, rows))
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
            connection.unregister("given")
    return path


def typed(name, rows):
    """An Arrow table, so that a column without a value keeps its type."""
    import pyarrow as pa

    return pa.Table.from_pandas(rows, preserve_index=False)


def declared(name):
    """SQL for the columns of a table, as an administrator would declare them."""
    sql = SQL_TYPES | {
        "float64": "DOUBLE PRECISION",
        "str": "TEXT",
        "datetime64[us]": "TIMESTAMPTZ",
    }
    return ", ".join(f"{c} {sql[dtype_of(one)]}" for c, one in CONTRACTS[name].columns.items())


def digest(folder):
    """name -> bytes of every file below a folder, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
