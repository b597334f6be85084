"""Where events lie: one SQLite file, each commit of it on the disk before anybody is told.

    events      what was accepted, in the order in which it came (row_id)
    rejected    what broke a rule, whole, until it is replayed or dropped

    known_at      microseconds since 1970 (UTC) at which the event was written
    occurred_at   when it happened, the client's clock put right, never after known_at
    client_at     the same by the client's clock, NULL where it doesn't tell

No index finds an event_id again: writing to random places of one would cost four times what the
events themselves do. `seen` does that.

Whoever writes holds the lock beside the file. SQLite would let two processes take turns by itself,
but before 3.51.3 a file could be damaged when one wrote while another moved the end of the log
(sqlite.org/wal.html, "the WAL-reset bug").
"""

import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from tierwise.files import InputError
from tierwise.intake.events import Row
from tierwise.locks import held

EVENTS = "events.sqlite"
BUSY_SECONDS = 30.0
CACHE_KIB = 16_384
CHECKPOINT_PAGES = 4_000  # 16 MB: a moment's writing, not a second's
PAUSE_SECONDS = 60.0
TABLES = """
CREATE TABLE IF NOT EXISTS about (store_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    row_id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL, event_id TEXT NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL,
    name TEXT NOT NULL, person_id TEXT NOT NULL, anonymous_id TEXT, occurred_at INTEGER NOT NULL,
    client_at INTEGER, properties TEXT NOT NULL, context TEXT NOT NULL, known_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS rejected (
    rejected_id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE, source TEXT NOT NULL, key_id TEXT NOT NULL, rule TEXT NOT NULL,
    received_at INTEGER NOT NULL, sent_at INTEGER, content TEXT NOT NULL,
    times_count INTEGER NOT NULL DEFAULT 1, replayed_at INTEGER);
"""
# Many rows by one statement: a thread that steps row by row would wait for the others each time.
CHUNKS = (1_024, 256, 64, 16, 4, 1)
COLUMNS = ", ".join(Row._fields)


class Rejected(NamedTuple):
    """An event that broke a rule. digest: of source and content. content: JSON."""

    digest: bytes
    source: str
    key_id: str
    rule: str
    received_at: int
    sent_at: int | None
    content: str


@contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """The store of a folder, to be written, made if missing; transactions are the caller's.

    Raises InputError for a file that is no store.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / EVENTS
    path.touch(mode=0o600)
    connection = connected(path)
    try:
        with held(lock_of(folder)):
            made(connection, path)
        yield connection
    finally:
        with held(lock_of(folder)):  # the last one to leave clears the log away
            connection.close()


def connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def made(connection: sqlite3.Connection, path: Path) -> None:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.executescript(TABLES)
        if connection.execute("SELECT 1 FROM about").fetchone() is None:
            connection.execute("INSERT INTO about VALUES (?)", [uuid.uuid4().hex])
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{path} can't be used as store of events: {error}. If it is damaged, bring it back "
            "from a backup."
        ) from error


@contextmanager
def reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """The store, to be read only, also while it is written. Raises InputError without one."""
    path = folder / EVENTS
    if not path.is_file():
        raise InputError(f"{path} is missing: no event was collected yet.")
    connection = connected(path)
    try:
        connection.execute("PRAGMA query_only = ON")
        yield connection
    finally:
        with held(lock_of(folder)):
            connection.close()


def lock_of(folder: Path) -> Path:
    return folder / ".events.lock"


@contextmanager
def transaction(connection: sqlite3.Connection, folder: Path) -> Iterator[None]:
    """All of the block is on the disk when it ends, or nothing of it. Others wait meanwhile."""
    with held(lock_of(folder)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def append(connection: sqlite3.Connection, rows: Sequence[Row], known_at: int) -> None:
    """Add events, in their order, inside the caller's transaction."""
    start = 0
    for size in CHUNKS:
        while len(rows) - start >= size:
            part = rows[start : start + size]
            values = [known_at, *chain.from_iterable(part)]
            connection.execute(INSERTS[size], values)
            start += size


def insert(size: int) -> str:
    width = len(Row._fields)
    numbers = (range(2 + at * width, 2 + (at + 1) * width) for at in range(size))
    rows = (f"({', '.join(f'?{number}' for number in one)}, ?1)" for one in numbers)
    return f"INSERT INTO events ({COLUMNS}, known_at) VALUES {', '.join(rows)}"


INSERTS = {size: insert(size) for size in CHUNKS}


def set_aside(connection: sqlite3.Connection, rejected: Sequence[Rejected]) -> None:
    """Keep what broke a rule, inside the caller's transaction; the same again is only counted."""
    connection.executemany(
        "INSERT INTO rejected (digest, source, key_id, rule, received_at, sent_at, content) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET "
        "times_count = times_count + 1, rule = excluded.rule",
        rejected,
    )


def last_row(connection: sqlite3.Connection) -> int:
    """The latest row_id that was ever given, 0 if none was."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return found[0] if found else 0


def store_id(connection: sqlite3.Connection) -> str:
    found: tuple[Any, ...] = connection.execute("SELECT store_id FROM about").fetchone()
    return found[0]


def digests(connection: sqlite3.Connection, after: int) -> Iterator[bytes]:
    """Of all events after a row, in their order."""
    for (digest,) in connection.execute("SELECT digest FROM events WHERE row_id > ?", [after]):
        yield digest
