"""Rejected events, once more: after their schema was corrected, or they themselves.

    schema was wrong    correct the YAML file, `tierwise collect replay`
    events were wrong   `tierwise collect rejected --out wrong.jsonl`, correct the lines there,
                        `tierwise collect replay wrong.jsonl`

They are read with the times at which they came, so occurred_at is what it would have been; known_at
is the time of the replay, since nobody could reckon with them before. What still breaks a rule
stays rejected, with the rule that it breaks now.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from tierwise.files import InputError
from tierwise.intake import events, keys, schemas, store
from tierwise.intake.events import Arrived, Broken, Row
from tierwise.intake.limits import Limits
from tierwise.intake.seen import Seen

CHUNK_COUNT = 1_000
FIELDS = "rejected_id, source, key_id, rule, received_at, sent_at, content"


class Apart(NamedTuple):
    """A rejected event. content: JSON, perhaps corrected."""

    rejected_id: int
    source: str
    key_id: str
    rule: str
    received_at: int
    sent_at: int | None
    content: str


@dataclass
class Replayed:
    """accepted_count: with those that were there already (duplicates_count)."""

    accepted_count: int = 0
    duplicates_count: int = 0
    rejected_count: int = 0


def waiting(folder: Path) -> Iterator[Apart]:
    """Rejected events that were not replayed yet, in the order in which they came."""
    with store.reading(folder) as connection:
        yield from every(connection)


def every(connection: sqlite3.Connection) -> Iterator[Apart]:
    rows = connection.execute(
        f"SELECT {FIELDS} FROM rejected WHERE replayed_at IS NULL ORDER BY rejected_id"
    )
    for row in rows:
        yield Apart(*row)


def line(one: Apart) -> bytes:
    """For a person to correct. event: as it came, or as we read it from Segment's format."""
    event = from_json(one.content)
    told = {"rejected_id": one.rejected_id, "source": one.source, "rule": one.rule, "event": event}
    return to_json(told, inf_nan_mode="constants") + b"\n"


def corrected(folder: Path, file: Path) -> list[Apart]:
    """The lines of a file as `line` writes them, with the times at which they came.

    Raises InputError for a line that is no such.
    """
    found = {one.rejected_id: one for one in waiting(folder)}
    changed = []
    for number, text in enumerate(file.read_bytes().splitlines(), 1):
        if not text.strip():
            continue
        try:
            content = from_json(text)
            rejected_id, event = content["rejected_id"], content["event"]
        except (ValueError, TypeError, KeyError):
            raise InputError(
                f"{file}, line {number}, is no JSON with rejected_id and event. Keep one event a "
                "line, as `tierwise collect rejected --out` wrote it."
            ) from None
        if rejected_id not in found:
            raise InputError(
                f"{file}, line {number}: no rejected event {rejected_id!r} waits to be replayed. "
                "Perhaps it was replayed already."
            )
        whole = to_json(event, inf_nan_mode="constants").decode()
        changed.append(found[rejected_id]._replace(content=whole))
    return changed


def replay(folder: Path, keys_path: Path, root: Path, now: int, file: Path | None) -> Replayed:
    """Try rejected events again, those of a file or all that wait; also while a server runs.

    now: microseconds since 1970. Raises InputError for keys, schemas or lines that can't be read.
    """
    apart = list(waiting(folder)) if file is None else corrected(folder, file)
    found = {key.id: key for key in keys.listed(keys_path)}
    shelf, done = schemas.Shelf(root), Replayed()
    with store.opened(folder) as connection:
        seen = Seen(folder, connection)
        for start in range(0, len(apart), CHUNK_COUNT):
            part = apart[start : start + CHUNK_COUNT]
            tried = [(one, again(one, found.get(one.key_id), shelf)) for one in part]
            with store.transaction(connection, folder):
                write(connection, seen, tried, now, done)
        seen.close()
    return done


def again(one: Apart, key: keys.Key | None, shelf: schemas.Shelf) -> Row | str:
    """The event, or the rule that it breaks."""
    schema = shelf.find(key.schema_file) if key and key.schema_file else None
    arrived = Arrived(
        one.source,
        one.received_at,
        one.sent_at,
        Limits.event_bytes,
        schema.broken if schema else None,
        schema.kept if schema else None,
    )
    try:
        return events.row(from_json(one.content), arrived)
    except Broken as why:
        return str(why)


def write(
    connection: sqlite3.Connection,
    seen: Seen,
    tried: Sequence[tuple[Apart, Row | str]],
    now: int,
    done: Replayed,
) -> None:
    """Inside the caller's transaction."""
    seen.catch_up()
    good = [(one, row) for one, row in tried if isinstance(row, Row)]
    known = seen.among([row.digest for _, row in good])
    new: dict[bytes, Row] = {}
    for _, row in good:
        if row.digest not in known:
            new.setdefault(row.digest, row)
    store.append(connection, list(new.values()), now)
    marks: list[tuple[Any, ...]] = [(now, one.rejected_id) for one, _ in good]
    connection.executemany("UPDATE rejected SET replayed_at = ? WHERE rejected_id = ?", marks)
    rules = [(row, one.rejected_id) for one, row in tried if isinstance(row, str)]
    connection.executemany("UPDATE rejected SET rule = ? WHERE rejected_id = ?", rules)
    done.accepted_count += len(good)
    done.duplicates_count += len(good) - len(new)
    done.rejected_count += len(rules)
