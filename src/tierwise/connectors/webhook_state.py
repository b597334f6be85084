"""What the receiver of our webhook knows, and what is on its way to it.

One SQLite file. `shown` is what was answered with 2xx; `outbox` holds the messages of an hour from
the moment they are made until they are answered. A message is marked as sent before it is sent. So
whoever is killed sends the same bytes under the same id again, and where a newer hour has come
meanwhile, all deals of messages whose fate is unknown are told anew, with their newer values.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tierwise.connectors.differences import Shown
from tierwise.files import InputError

SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS shown
    (deal_id INTEGER PRIMARY KEY, tier TEXT, chance_percent INTEGER, reasons TEXT);
CREATE TABLE IF NOT EXISTS outbox
    (number INTEGER PRIMARY KEY, id TEXT NOT NULL, body BLOB NOT NULL, is_sent INTEGER NOT NULL);
"""
TABLES = ("notes", "shown", "outbox")


class Message(NamedTuple):
    """number: 1 is the first of its hour. id: the same for the same content. body: JSON."""

    number: int
    id: str
    body: bytes


@contextmanager
def opened(path: Path, receiver: str, is_kept: bool = True) -> Iterator[sqlite3.Connection]:
    """The file, emptied where it tells of another receiver. is_kept: False leaves it as it is.

    Raises InputError for a file that is damaged or can't be written.
    """
    try:
        connection = connected(path) if is_kept else copied(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(SCHEMA)
        if note(connection, "receiver") != receiver:
            with writing(connection):
                for table in TABLES:
                    connection.execute(f"DELETE FROM {table}")
                noted(connection, "receiver", receiver)
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{path} can't be used to keep what the receiver knows: {error}. Make room, or delete "
            "it: all deals are told anew then."
        ) from error
    try:
        yield connection
    finally:
        connection.close()


def connected(path: Path | str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=30.0, isolation_level=None)


def copied(path: Path) -> sqlite3.Connection:
    """What the file holds, in memory: for a dry run."""
    copy = connected(":memory:")
    if path.is_file():
        with closing(connected(path)) as connection:
            connection.backup(copy)
    return copy


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    end = "ROLLBACK"
    try:
        yield
        end = "COMMIT"
    finally:
        connection.execute(end)


def note(connection: sqlite3.Connection, name: str) -> str | None:
    question = "SELECT value FROM notes WHERE name = ?"
    found = connection.execute(question, (name,)).fetchone()
    return found[0] if found else None


def noted(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))


def shown(connection: sqlite3.Connection, wanted: Collection[int]) -> dict[int, Shown]:
    """What the receiver knows of the deals that are wanted: nothing (`Shown()`) of new ones, and of
    those in messages that may or may not have reached it."""
    rows = connection.execute("SELECT deal_id, tier, chance_percent, reasons FROM shown")
    known = {deal_id: Shown(*values) for deal_id, *values in rows}
    doubtful = set[int]()
    for (body,) in connection.execute("SELECT body FROM outbox WHERE is_sent"):
        doubtful.update(deal["deal_id"] for deal in deals(body))
    return {
        deal_id: Shown() if deal_id in doubtful else known.get(deal_id, Shown())
        for deal_id in wanted
    }


def deals(body: bytes) -> list[dict[str, Any]]:
    """The records of a message."""
    return json.loads(body)["data"]["deals"]


def plan(
    connection: sqlite3.Connection,
    hour: str,
    current: Mapping[int, Shown],
    messages: Sequence[Message],
) -> None:
    """These messages and no older ones are to be sent. current: as `shown` gave it; deals that it
    lacks are forgotten."""
    with writing(connection):
        for table in ("outbox", "shown"):
            connection.execute(f"DELETE FROM {table}")
        known = [
            (deal_id, row.tier, row.chance_percent, row.reasons)
            for deal_id, row in current.items()
            if row != Shown()
        ]
        connection.executemany("INSERT INTO shown VALUES (?, ?, ?, ?)", known)
        rows = [(*message, False) for message in messages]
        connection.executemany("INSERT INTO outbox VALUES (?, ?, ?, ?)", rows)
        noted(connection, "hour", hour)


def waiting(connection: sqlite3.Connection) -> list[Message]:
    """Messages not answered yet, in their order."""
    rows = connection.execute("SELECT number, id, body FROM outbox ORDER BY number")
    return [Message(*row) for row in rows]


def sending(connection: sqlite3.Connection, message: Message) -> None:
    """From here on nobody knows whether the receiver has it."""
    with writing(connection):
        connection.execute("UPDATE outbox SET is_sent = TRUE WHERE number = ?", (message.number,))


def answered(connection: sqlite3.Connection, message: Message) -> None:
    """The receiver knows what the message says."""
    rows = [
        (deal["deal_id"], deal["tier"], deal["chance"], "\n".join(deal["reasons"]))
        for deal in deals(message.body)
    ]
    with writing(connection):
        connection.executemany("INSERT OR REPLACE INTO shown VALUES (?, ?, ?, ?)", rows)
        connection.execute("DELETE FROM outbox WHERE number = ?", (message.number,))
