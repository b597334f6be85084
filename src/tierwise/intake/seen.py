"""Which event_ids there are already: none is taken twice, however late it comes again.

A random id belongs anywhere in an index, so each new one would change another page of it, and every
page would have to reach the disk before the event is acknowledged. So new ids are held in memory,
and 200,000 at a time are merged, in order, into an index of its own:

    events.sqlite   holds the id of every event: what is known for certain
    seen.sqlite     the ids up to merged_to (a row_id), sorted; can be made anew at any time
    recent          the ids after that, in memory; read again from the events at start

Merging runs beside, in a thread that holds neither the store nor the interpreter.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from tierwise.intake import store

LOG = logging.getLogger("tierwise.intake")
SEEN = "seen.sqlite"
MERGE_COUNT = 200_000
ASKED_COUNT = 2_000  # ids by one statement
TABLES = """
CREATE TABLE IF NOT EXISTS seen (digest BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS progress (store_id TEXT NOT NULL, merged_to INTEGER NOT NULL);
"""


class Seen:
    """The ids of a store, for one thread that writes it. merge_count: see above."""

    def __init__(
        self, folder: Path, events: sqlite3.Connection, merge_count: int = MERGE_COUNT
    ) -> None:
        self.folder, self.events, self.merge_count = folder, events, merge_count
        self.index = opened(folder, store.store_id(events), store.last_row(events))
        self.last_row = merged_to(self.index)
        self.is_empty = self.last_row == 0
        self.recent: set[bytes] = set()
        self.merging: set[bytes] = set()
        self.merging_to = 0
        self.thread: threading.Thread | None = None
        self.catch_up()

    def catch_up(self) -> None:
        """Learn of events that another process has written."""
        last = store.last_row(self.events)
        if last != self.last_row:
            self.recent.update(store.digests(self.events, self.last_row))
            self.last_row = last

    def among(self, digests: Sequence[bytes]) -> set[bytes]:
        """Those that there are already."""
        found = {one for one in digests if one in self.recent or one in self.merging}
        if self.is_empty:
            return found
        for start in range(0, len(digests), ASKED_COUNT):
            part = digests[start : start + ASKED_COUNT]
            marks = ", ".join("?" * len(part))
            rows = self.index.execute(f"SELECT digest FROM seen WHERE digest IN ({marks})", part)
            found.update(digest for (digest,) in rows)
        return found

    def add(self, digests: Iterable[bytes]) -> None:
        """What is on the disk now."""
        self.recent.update(digests)
        self.last_row = store.last_row(self.events)

    def tidy(self) -> None:
        """Begin a merge when one is due, and forget what one has merged."""
        if self.thread is not None and not self.thread.is_alive():
            self.thread = None
            if merged_to(self.index) >= self.merging_to:
                self.is_empty = False
            else:  # its thread said why; the next one takes them along
                self.recent |= self.merging
            self.merging = set()
        if self.thread is None and len(self.recent) >= self.merge_count:
            self.merging, self.recent = self.recent, set()
            self.merging_to = self.last_row
            self.thread = threading.Thread(
                target=merge, args=(self.folder, self.merging_to), daemon=True
            )
            self.thread.start()

    def close(self) -> None:
        if self.thread is not None:
            self.thread.join()
        self.index.close()


def opened(folder: Path, store_id: str, last_row: int) -> sqlite3.Connection:
    """The index, begun anew where it isn't one of this store as it is now."""
    path = folder / SEEN
    connection = connected(path)
    try:
        connection.executescript(TABLES)
        found = connection.execute("SELECT store_id, merged_to FROM progress").fetchone()
    except sqlite3.DatabaseError as error:
        LOG.warning("%s can't be read (%s) and is made anew", SEEN, error)
        found = ("", 0)
    if found is None or (found[0] == store_id and found[1] <= last_row):
        if found is None:
            connection.execute("INSERT INTO progress VALUES (?, 0)", [store_id])
        return connection
    # Of another store, or of a later state of this one: it would know events that are not there.
    connection.close()
    for name in (SEEN, f"{SEEN}-wal", f"{SEEN}-shm"):
        (folder / name).unlink(missing_ok=True)
    return opened(folder, store_id, last_row)


def connected(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    connection = store.connected(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.DatabaseError:
        return connection  # `opened` finds out
    # A power cut may take back the last merge, never half of one.
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def merged_to(index: sqlite3.Connection) -> int:
    found: tuple[int] = index.execute("SELECT merged_to FROM progress").fetchone()
    return found[0]


def merge(folder: Path, last: int) -> None:
    """Take the ids of all events up to a row into the index; on any error it stays as it was."""
    connection = connected(folder / SEEN)
    try:
        connection.execute("ATTACH ? AS store", [str(folder / store.EVENTS)])
        # Not IMMEDIATE, which would hold the attached store too, and keep events waiting.
        connection.execute("BEGIN")
        connection.execute("UPDATE progress SET merged_to = merged_to")
        connection.execute(
            "INSERT OR IGNORE INTO seen SELECT digest FROM store.events "
            "WHERE row_id > (SELECT merged_to FROM progress) AND row_id <= ? ORDER BY digest",
            [last],
        )
        connection.execute("UPDATE progress SET merged_to = max(merged_to, ?)", [last])
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        LOG.warning("ids were not merged into %s (%s); tried again later", SEEN, error)
    finally:
        connection.close()
