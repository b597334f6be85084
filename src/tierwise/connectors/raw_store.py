"""The tables in which pages of somebody else's API are kept, as they came.

    raw_records    the latest content of each record
    raw_versions   append-only: each content that a record had, where a shape asks for it
    quarantine     records that break a rule of their shape, and which rule
    seen_fields    fields that no shape declares, since when
    progress       per entity and mode: how far a pass has come, and up to when all is known
    walked         per entity and parent: in which state its children were loaded

All times are UTC, without a zone of their own. The SQL is DuckDB's and PostgreSQL's alike; only
`opened` and `given` know which of the two it is.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from tierwise.connectors.shapes import Broken, Shape, instant, new_fields, without
from tierwise.files import InputError

Connection = duckdb.DuckDBPyConnection
TABLES = """
CREATE TABLE IF NOT EXISTS raw_records (
    source VARCHAR NOT NULL, entity VARCHAR NOT NULL, record_id VARCHAR NOT NULL,
    updated_at TIMESTAMP NOT NULL, fetched_at TIMESTAMP NOT NULL, digest VARCHAR NOT NULL,
    content VARCHAR NOT NULL, deleted BOOLEAN NOT NULL,
    PRIMARY KEY (source, entity, record_id));
CREATE TABLE IF NOT EXISTS raw_versions (
    source VARCHAR NOT NULL, entity VARCHAR NOT NULL, record_id VARCHAR NOT NULL,
    updated_at TIMESTAMP NOT NULL, fetched_at TIMESTAMP NOT NULL, digest VARCHAR NOT NULL,
    content VARCHAR NOT NULL,
    PRIMARY KEY (source, entity, record_id, updated_at, digest));
CREATE TABLE IF NOT EXISTS quarantine (
    source VARCHAR NOT NULL, entity VARCHAR NOT NULL, record_id VARCHAR NOT NULL,
    field VARCHAR NOT NULL, rule VARCHAR NOT NULL, content VARCHAR NOT NULL,
    seen_at TIMESTAMP NOT NULL,
    PRIMARY KEY (source, entity, record_id));
CREATE TABLE IF NOT EXISTS seen_fields (
    source VARCHAR NOT NULL, entity VARCHAR NOT NULL, field VARCHAR NOT NULL,
    seen_at TIMESTAMP NOT NULL, PRIMARY KEY (source, entity, field));
CREATE TABLE IF NOT EXISTS progress (
    source VARCHAR NOT NULL, entity VARCHAR NOT NULL, mode VARCHAR NOT NULL,
    cursor VARCHAR, updated_since TIMESTAMP, began_at TIMESTAMP NOT NULL, seen_until TIMESTAMP,
    pages_count BIGINT NOT NULL, watermark TIMESTAMP, done_at TIMESTAMP,
    PRIMARY KEY (source, entity, mode));
CREATE TABLE IF NOT EXISTS walked (
    source VARCHAR NOT NULL, entity VARCHAR NOT NULL, parent_id VARCHAR NOT NULL,
    state VARCHAR NOT NULL, PRIMARY KEY (source, entity, parent_id));
"""
ROW = pa.schema(
    [(name, pa.string()) for name in ("source", "entity", "record_id")]
    + [(name, pa.timestamp("us")) for name in ("updated_at", "fetched_at")]
    + [("digest", pa.string()), ("content", pa.string()), ("deleted", pa.bool_())]
)
SET_ASIDE = pa.schema(
    [(name, pa.string()) for name in ("source", "entity", "record_id", "field", "rule", "content")]
    + [("seen_at", pa.timestamp("us"))]
)
SAME = "old.source = new.source AND old.entity = new.entity AND old.record_id = new.record_id"


@dataclass(frozen=True)
class Pass:
    """One reading of an entity, from its first page to its last.

    updated_since: nothing older was asked for. seen_until: the latest update seen in this pass.
    watermark: up to then everything is known, as of the last pass that was finished.
    """

    source: str
    entity: str
    mode: str
    cursor: str | None
    updated_since: datetime | None
    began_at: datetime
    seen_until: datetime | None = None
    pages_count: int = 0
    watermark: datetime | None = None
    done_at: datetime | None = None


class Kept(NamedTuple):
    """What one page has changed. updated_until: the latest update in it."""

    changed_count: int
    new_fields: list[str]
    updated_until: datetime | None


class Version(NamedTuple):
    """A content that a record had since updated_at, and that we saw at fetched_at."""

    record: dict[str, Any]
    updated_at: datetime
    fetched_at: datetime


@contextmanager
def opened(path: Path) -> Iterator[Connection]:
    """The DuckDB file with its tables, made if missing. InputError if it can't be opened."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = duckdb.connect(str(path))
    except (duckdb.IOException, duckdb.ConnectionException) as error:
        raise InputError(
            f"{path} can't be opened: {str(error).splitlines()[0]} If another run is loading into "
            "it, wait until that has ended."
        ) from error
    with connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET threads = 1")  # pages are small; threads would wait for each other
        connection.execute(TABLES)
        yield connection


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All of the block or nothing."""
    connection.execute("BEGIN TRANSACTION")
    end = "ROLLBACK"
    try:
        yield
        end = "COMMIT"
    finally:
        connection.execute(end)


@contextmanager
def given(
    connection: Connection, rows: Sequence[tuple[Any, ...]], kind: pa.Schema
) -> Iterator[None]:
    """Rows as the table `new` for one statement or two."""
    columns = [pa.array([row[at] for row in rows], one.type) for at, one in enumerate(kind)]
    connection.register("new", pa.Table.from_arrays(columns, schema=kind))
    try:
        yield
    finally:
        connection.unregister("new")


def keep(
    connection: Connection,
    source: str,
    shape: Shape,
    good: list[dict[str, Any]],
    aside: list[Broken],
    at: datetime,
) -> Kept:
    """Write the records of one page, inside the caller's transaction. at: when they were fetched.

    Of two contents the newer update wins; of the same update the one fetched later. The same page
    again changes nothing.
    """
    rows = rows_of(source, shape, good, at)
    with given(connection, rows, ROW):
        if shape.keeps_versions:
            connection.execute(
                "INSERT INTO raw_versions SELECT new.source, new.entity, new.record_id, "
                "new.updated_at, new.fetched_at, new.digest, new.content "
                f"FROM new LEFT JOIN raw_records AS old ON {SAME} "
                "WHERE old.digest IS NULL OR old.digest <> new.digest ON CONFLICT DO NOTHING"
            )
        changed = connection.execute(
            "INSERT INTO raw_records SELECT * FROM new "
            "ON CONFLICT (source, entity, record_id) DO UPDATE SET "
            "updated_at = excluded.updated_at, fetched_at = excluded.fetched_at, "
            "digest = excluded.digest, content = excluded.content, deleted = excluded.deleted "
            "WHERE excluded.updated_at >= raw_records.updated_at "
            "AND excluded.content <> raw_records.content RETURNING record_id"
        ).fetchall()
        if connection.execute("SELECT 1 FROM quarantine LIMIT 1").fetchall():
            connection.execute(
                "DELETE FROM quarantine AS old WHERE EXISTS "
                f"(SELECT 1 FROM new WHERE {SAME} AND new.fetched_at >= old.seen_at)"
            )
    quarantined(connection, source, shape, aside, at)
    told = new_names(connection, source, shape, good, at)
    return Kept(len(changed), told, max((row[3] for row in rows), default=None))


def rows_of(
    source: str, shape: Shape, records: list[dict[str, Any]], at: datetime
) -> list[tuple[Any, ...]]:
    """One row a record; of a record that is in a page twice the newer one, or the later."""
    newest: dict[str, tuple[Any, ...]] = {}
    for record in records:
        record_id = str(record[shape.key])
        updated = record.get(shape.updated) if shape.updated else None
        updated_at = instant(updated) if updated else at
        is_deleted = record.get(shape.deleted) is True if shape.deleted else False
        digest = hashlib.sha256(text_of(without(record, shape.ignored)).encode()).hexdigest()[:32]
        row = (source, shape.entity, record_id, updated_at, at, digest, text_of(record), is_deleted)
        if record_id not in newest or newest[record_id][3] <= updated_at:
            newest[record_id] = row
    return list(newest.values())


def text_of(record: dict[str, Any]) -> str:
    """The same JSON for the same content."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)


def quarantined(
    connection: Connection, source: str, shape: Shape, aside: list[Broken], at: datetime
) -> None:
    rows = {
        one.record_id: (source, shape.entity, one.record_id, one.field, one.rule, one.content, at)
        for one in aside
    }
    if not rows:
        return
    with given(connection, list(rows.values()), SET_ASIDE):
        connection.execute(
            "INSERT INTO quarantine SELECT * FROM new "
            "ON CONFLICT (source, entity, record_id) DO UPDATE SET field = excluded.field, "
            "rule = excluded.rule, content = excluded.content, seen_at = excluded.seen_at"
        )


def new_names(
    connection: Connection, source: str, shape: Shape, records: list[dict[str, Any]], at: datetime
) -> list[str]:
    """Undeclared fields that were never seen before; from now on they have been."""
    found = new_fields(shape, records)
    if not found or not shape.fields:
        return []
    query = "SELECT field FROM seen_fields WHERE source = ? AND entity = ?"
    rows = connection.execute(query, [source, shape.entity]).fetchall()
    told = [name for name in found if (name,) not in rows]
    for name in told:
        row = [source, shape.entity, name, at]
        connection.execute("INSERT INTO seen_fields VALUES (?, ?, ?, ?)", row)
    return told


def passes(connection: Connection, source: str, entity: str) -> dict[str, Pass]:
    """mode -> its latest pass, finished or not."""
    names = ", ".join(one.name for one in fields(Pass))
    rows = connection.execute(
        f"SELECT {names} FROM progress WHERE source = ? AND entity = ?", [source, entity]
    ).fetchall()
    return {row[2]: Pass(*row) for row in rows}


def save(connection: Connection, going: Pass) -> None:
    names = [one.name for one in fields(Pass)]
    values = astuple(going)
    changed = connection.execute(
        f"UPDATE progress SET {', '.join(f'{name} = ?' for name in names[3:])} "
        "WHERE source = ? AND entity = ? AND mode = ? RETURNING mode",
        [*values[3:], *values[:3]],
    ).fetchall()
    if not changed:
        connection.execute(
            f"INSERT INTO progress ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
            list(values),
        )


def states(connection: Connection, source: str, entity: str) -> dict[str, str]:
    """parent_id -> the state in which its children were loaded last."""
    query = "SELECT parent_id, state FROM walked WHERE source = ? AND entity = ?"
    return dict(connection.execute(query, [source, entity]).fetchall())


def mark_walked(connection: Connection, source: str, entity: str, parent: str, state: str) -> None:
    connection.execute(
        "INSERT INTO walked VALUES (?, ?, ?, ?) "
        "ON CONFLICT (source, entity, parent_id) DO UPDATE SET state = excluded.state",
        [source, entity, parent, state],
    )


def records(connection: Connection, source: str, entity: str) -> list[dict[str, Any]]:
    """The latest content of every record, deleted ones too, ordered by id."""
    rows = connection.execute(
        "SELECT content FROM raw_records WHERE source = ? AND entity = ? "
        "ORDER BY length(record_id), record_id",
        [source, entity],
    ).fetchall()
    return [json.loads(row[0]) for row in rows]


def versions(connection: Connection, source: str, entity: str) -> list[Version]:
    """Every content that was kept, ordered by id and time of update."""
    rows = connection.execute(
        "SELECT content, updated_at, fetched_at FROM raw_versions WHERE source = ? AND entity = ? "
        "ORDER BY length(record_id), record_id, updated_at, fetched_at, digest",
        [source, entity],
    ).fetchall()
    return [Version(json.loads(row[0]), row[1], row[2]) for row in rows]
