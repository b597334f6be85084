"""The events as a table, what came in so far, and how somebody is forgotten.

    event_id, source, kind, name
    person_id      who it was: person_id, or anonymous_id where nobody was known
    anonymous_id   the browser or device, so that somebody who became known is found again; missing
                   where the sender has none
    occurred_at    when it happened, the client's clock put right
    client_at      the same by the client's clock
    known_at       when it was written here: what decides what was known
    properties     JSON; context: JSON

Times are UTC, in microseconds, without a zone of their own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tierwise.intake import store

TEXTS = ("event_id", "source", "kind", "name", "person_id", "anonymous_id")
TIMES = ("occurred_at", "client_at", "known_at")
COLUMNS = (*TEXTS, *TIMES, "properties", "context")
FORGOTTEN = ""  # the person_id of what was blanked


class Count(NamedTuple):
    """So many events of one name (or, rejected, of one rule) of a source."""

    source: str
    what: str
    events_count: int


def events(folder: Path, after_row: int = 0) -> pd.DataFrame:
    """Events in the order in which they were written; with row_id, to go on from.

    after_row: only those behind this row_id, so that a reader looks at each once. Raises InputError
    where nothing was collected yet.
    """
    names = ("row_id", *COLUMNS)
    with store.reading(folder) as connection:
        rows = connection.execute(
            f"SELECT {', '.join(names)} FROM events WHERE row_id > ? AND person_id <> ? "
            "ORDER BY row_id",
            [after_row, FORGOTTEN],
        ).fetchall()
    table = pd.DataFrame.from_records(rows, columns=list(names))
    for name in TIMES:
        micros = pd.array(table[name], dtype="Int64")
        table[name] = pd.Series(pd.to_datetime(micros, unit="us")).astype("datetime64[us]")
    kinds = dict.fromkeys([*TEXTS, "properties", "context"], "str") | {"row_id": "int64"}
    return table.astype(kinds)


def counts(folder: Path) -> tuple[list[Count], list[Count]]:
    """Accepted by source and name, rejected by source and rule; the most frequent first."""
    with store.reading(folder) as connection:
        accepted = connection.execute(
            "SELECT source, name, count(*) FROM events WHERE person_id <> ? "
            "GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
            [FORGOTTEN],
        ).fetchall()
        rejected = connection.execute(
            "SELECT source, rule, count(*) FROM rejected WHERE replayed_at IS NULL "
            "GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
        ).fetchall()
    return [Count(*row) for row in accepted], [Count(*row) for row in rejected]


def forget(folder: Path, person: str) -> int:
    """Blank all events of a person_id or anonymous_id; how many there were.

    A hash of each event_id stays, so that an event that is sent again does not come back. Rejected
    events of that person are deleted. What was exported before is not touched.
    """
    with store.opened(folder) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        with store.transaction(connection, folder):
            blanked = connection.execute(
                "UPDATE events SET event_id = '', name = '', person_id = ?, anonymous_id = NULL, "
                "properties = '{}', context = '{}' WHERE person_id = ? OR anonymous_id = ?",
                [FORGOTTEN, person, person],
            ).rowcount
            mentioned = list(mentioning(connection.execute(REJECTED, [person]).fetchall(), person))
            connection.executemany("DELETE FROM rejected WHERE rejected_id = ?", mentioned)
        with store.held(store.lock_of(folder)):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return blanked + len(mentioned)


REJECTED = "SELECT rejected_id, content FROM rejected WHERE instr(content, ?) > 0"


def mentioning(rows: list[tuple[int, str]], person: str) -> Iterator[tuple[int]]:
    """Those whose event names the person, and not just a text that has the same letters in it."""
    from pydantic_core import from_json

    for rejected_id, content in rows:
        event = from_json(content)
        named = event if isinstance(event, dict) else {}
        if person in (str(named.get("person_id")), str(named.get("anonymous_id"))):
            yield (rejected_id,)
