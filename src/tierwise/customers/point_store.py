"""A book of points on disk, so that an hour costs what is new in it and not what was ever there.

    occurred.bin kind.bin before.bin    the log: rows are added behind, none is ever changed
    state.npz                           everybody's points, and how many rows of the log they cover

The log is written first and the state is replaced as a whole. So a run that is killed leaves the
hour before: rows behind those that the state covers are nobody's, and the next run overwrites them.
"""

import hashlib
import io
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from tierwise import files, locks
from tierwise.customers import event_catalogue as ec
from tierwise.customers import person_table, points
from tierwise.customers import point_kernel as pk
from tierwise.files import InputError

STATE = "state.npz"
LOG = {"occurred": "int64", "kind": "int16", "before": "int32"}
FEWEST = 1 << 16  # rows of a new log


def create(folder: Path, catalogue: ec.Catalogue, events: pd.DataFrame) -> points.Book:
    """Build a book from everything known so far and write it. Raises InputError as `points.add`,
    and where the folder holds a book already."""
    with locks.held(folder / ".lock"):
        if (folder / STATE).exists():
            raise InputError(f"{folder} holds a book already. Refresh it, or remove the folder.")
        book = points.built(catalogue, events)
        log = mapped(folder, max(FEWEST, 2 * book.events_count))
        for kept, made in zip(log, book.log, strict=True):
            kept[: book.events_count] = made[: book.events_count]
        book.log = log
        written(folder, book)
    return book


def refresh(
    folder: Path, catalogue: ec.Catalogue, new: pd.DataFrame
) -> tuple[points.Book, points.Counts]:
    """Fold new events into the book on disk; the book, and what became of the rows.

    Equal to the last digit to a book built from all events. Raises InputError as `points.add`, and
    where the rules are others than the book was built with.
    """
    with locks.held(folder / ".lock"):
        book = opened(folder, catalogue)
        if book.events_count + len(new) > len(book.log.kind):
            book.log = mapped(folder, 2 * (book.events_count + len(new)))
        counts = points.add(book, new)
        written(folder, book)
    return book, counts


def opened(folder: Path, catalogue: ec.Catalogue) -> points.Book:
    """The book as it was last written. Raises InputError where there is none, or of other rules."""
    if not (folder / STATE).is_file():
        raise InputError(f"{folder} holds no book of points. Create one from all events.")
    try:
        with np.load(folder / STATE, allow_pickle=False) as state:
            found = {name: state[name] for name in state.files}
    except (BadZipFile, ValueError, OSError, KeyError) as error:
        raise InputError(f"{folder / STATE} is damaged ({error}). Create the book anew.") from error
    if str(found["rules"]) != version(catalogue):
        raise InputError(
            f"The rules have changed since the book in {folder} was built. Remove the folder and "
            "create it anew from all events, so that every score keeps to one set of rules."
        )
    events_count, known_until = (int(one) for one in found["counts"])
    room = least_room(folder)
    if room < events_count:
        raise InputError(
            f"The log in {folder} holds {room:,} events and its state {events_count:,}. "
            "Remove the folder and create it anew."
        )
    return points.Book(
        catalogue,
        points.rules(catalogue),
        person_table.of_ids(found["ids"]),
        found["cells"],
        mapped(folder, room),
        events_count,
        known_until,
    )


def least_room(folder: Path) -> int:
    """Rows that the files of the log have room for."""
    paths = {folder / f"{name}.bin": np.dtype(kind).itemsize for name, kind in LOG.items()}
    return min(path.stat().st_size // size if path.is_file() else 0 for path, size in paths.items())


def mapped(folder: Path, size: int) -> pk.Log:
    """The log's files with room for so many rows; what is in them stays. Holes cost no space."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = []
    for name, kind in LOG.items():
        path = folder / f"{name}.bin"
        with path.open("ab") as file:
            file.truncate(max(size, 1) * np.dtype(kind).itemsize)
        # As a plain array: numba would compile once more for a memory map.
        arrays.append(np.asarray(np.memmap(path, dtype=kind, mode="r+")))
    return pk.Log(*arrays)


def written(folder: Path, book: points.Book) -> None:
    """The log to the disk, then the state in one move."""
    for array in book.log:
        if isinstance(array.base, np.memmap):
            array.base.flush()
    state = io.BytesIO()
    count = book.people.count
    np.savez(
        state,
        ids=book.people.ids[:count],
        cells=book.cells[:count],
        counts=np.array([book.events_count, book.known_until_us], "int64"),
        rules=np.array(version(book.catalogue)),
    )
    files.write_bytes(folder / STATE, state.getvalue())


def version(catalogue: ec.Catalogue) -> str:
    """Twelve digits that change with any rule, and not with a name."""
    rules = [(event.id, event.versions) for event in catalogue.events]
    return hashlib.sha256(repr(rules).encode()).hexdigest()[:12]
