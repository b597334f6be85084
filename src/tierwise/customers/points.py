"""Points of every person from a catalogue of events: built once, then kept up by what is new.

    person_id     int, whose event it is
    event         id of the catalogue; others are counted and left out
    occurred_at   when it happened; decides how many points it earns and how they have faded
    known_at      when we learned of it, not before it occurred; decides who may know it

    book = points.built(catalogue, events, as_of)    everything known before an as-of time
    points.add(book, new)                            an hour later, at the cost of what is new
    points.scores(book, as_of)                       the points of everybody at an as-of time

Both ways give the same numbers to the last digit, whatever the batches were, with late events and
with rows delivered twice (same person, event and instant): see `point_kernel` for why. Points are
kept in billionths and shown in hundredths ("cents").

Worked example, 10 points that halve in 7 days, earned on 1 March: 10.00 on that day, 5.00 on 8
March, 2.50 on 15 March. With a step of 10 % per idle week: 10.00, 9.00, 8.10, unless something
else happens on 7 March; then there is no week without any event, and 10.00 stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise.customers import event_catalogue as ec
from tierwise.customers import person_table
from tierwise.customers import point_kernel as pk
from tierwise.features import check_times, frozen, microseconds
from tierwise.files import InputError

BILLION = 1_000_000_000
CENT = BILLION // 100
COLUMNS = ("person_id", "event", "occurred_at", "known_at")
MOST_EVENTS = np.iinfo("int32").max


@dataclass
class Counts:
    """What became of rows. unknown: rows by event that the catalogue does not have."""

    rows: int = 0
    late: int = 0
    repeated: int = 0
    unknown: dict[str, int] = field(default_factory=dict)


@dataclass
class Book:
    """Everybody's points, and the log that they come from.

    cells: a row per person, see `point_kernel`; log: room for more than events_count rows.
    known_until_us: when the last row became known.
    """

    catalogue: ec.Catalogue
    rules: pk.Rules
    people: person_table.People
    cells: np.ndarray
    log: pk.Log
    events_count: int = 0
    known_until_us: int = pk.NEVER
    counts: Counts = field(default_factory=Counts)


def rules(catalogue: ec.Catalogue) -> pk.Rules:
    """The catalogue as arrays."""
    versions = [version for event in catalogue.events for version in event.versions]
    fades = list(dict.fromkeys((one.half_life_days, one.step) for one in versions))
    capped = [
        any(one.cap_per_day is not None for one in event.versions) for event in catalogue.events
    ]
    earned = [0 if one.status == ec.ARCHIVED else billionths(one.points) for one in versions]
    caps = [pk.NO_CAP if v.cap_per_day is None else billionths(v.cap_per_day) for v in versions]
    idle = [0 if step is None else round(step.idle_days * pk.DAY_US) for _, step in fades]
    return pk.Rules(
        first=np.cumsum([0, *(len(event.versions) for event in catalogue.events)], dtype="int64"),
        from_at=np.array([one.from_us for one in versions], "int64"),
        points=np.array(earned, "int64"),
        fade=np.array([fades.index((v.half_life_days, v.step)) for v in versions], "int64"),
        cap=np.array(caps, "int64"),
        capped=np.where(capped, np.cumsum(capped) - 1, -1).astype("int64"),
        half_life=np.array([(half or 0) * pk.DAY_US for half, _ in fades], "float64"),
        idle=np.array(idle, "int64"),
        kept=np.array([1 - (step.share if step else 0) for _, step in fades], "float64"),
    )


def billionths(points: float) -> int:
    """Points have two decimals at most, so nothing is lost."""
    return round(points * 100) * CENT


def cents(amount: np.ndarray) -> np.ndarray:
    """Hundredths of a point, int64, halves up: so that whole cents added stay whole cents."""
    return (amount + CENT // 2) // CENT


def opened(catalogue: ec.Catalogue) -> Book:
    """A book without events."""
    made = rules(catalogue)
    width = pk.FIXED + 2 * (len(made.half_life) + int((made.capped >= 0).sum()))
    return Book(catalogue, made, person_table.empty(), blank(0, width), room(0))


def blank(count: int, width: int) -> np.ndarray:
    cells = np.zeros((count, width), "int64")
    cells[:, pk.LAST], cells[:, pk.HEAD] = pk.NEVER, -1
    return cells


def room(size: int) -> pk.Log:
    """A log with so many rows to fill."""
    return pk.Log(np.empty(size, "int64"), np.empty(size, "int16"), np.empty(size, "int32"))


def built(catalogue: ec.Catalogue, events: pd.DataFrame, as_of: pd.Timestamp | None = None) -> Book:
    """The book of all events, or of those known before `as_of`. Raises InputError as `add`."""
    book = opened(catalogue)
    add(book, events if as_of is None else events[ex.known_before(events, as_of, "known_at")])
    return book


def add(book: Book, events: pd.DataFrame) -> Counts:
    """Take further events into the book; what became of them. The order of rows is of no account.

    It costs as much as there are new rows; a late event costs its person's events, too. Raises
    InputError for a missing column or time, an id that is no whole number, and an event that was
    known before it occurred; the book is then as it was.
    """
    person_id, kind, occurred, known, unknown = arrays(book.catalogue, events)
    if book.events_count + len(kind) > MOST_EVENTS:
        raise InputError(f"A book holds {MOST_EVENTS:,} events. Divide people between books.")
    if unknown:
        counted = kind >= 0
        person_id, kind, occurred = person_id[counted], kind[counted], occurred[counted]
    place = person_table.places(book.people, frozen(person_id))
    book.cells = grown(book.cells, book.people.count)
    fold = [frozen(array) for array in (place, kind, occurred)]
    late = 0
    if book.events_count == 0:
        book.log = room(len(kind) + len(kind) // 8)  # pages that nobody writes to cost nothing
        cells = book.cells[: book.people.count]
        book.events_count, repeated = pk.build(book.rules, cells, book.log, *fold)
    else:
        book.log = with_room(book.log, book.events_count, len(kind))
        book.events_count, late, repeated = pk.add(
            book.rules, book.cells, book.log, book.events_count, *fold
        )
    if len(known):
        book.known_until_us = max(book.known_until_us, int(known.max()))
    found = Counts(len(events), int(late), int(repeated), unknown)
    book.counts = together(book.counts, found)
    return found


def together(one: Counts, other: Counts) -> Counts:
    names = sorted({*one.unknown, *other.unknown})
    unknown = {name: one.unknown.get(name, 0) + other.unknown.get(name, 0) for name in names}
    return Counts(
        one.rows + other.rows, one.late + other.late, one.repeated + other.repeated, unknown
    )


def arrays(
    catalogue: ec.Catalogue, events: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, int]]:
    """person_id, kind (-1: unknown), occurred and known in microseconds, unknown rows by event."""
    missing = [name for name in COLUMNS if name not in events]
    if missing:
        raise InputError(f"Events need the column {', '.join(missing)}. Rename yours.")
    person = events["person_id"]
    if not pd.api.types.is_integer_dtype(person) or person.isna().any():
        raise InputError(
            f"person_id must be a whole number in every row; it is {person.dtype}. Number the "
            "people, or leave out events without a person."
        )
    occurred, known = microseconds(events["occurred_at"]), microseconds(events["known_at"])
    check_times(occurred_at=occurred, known_at=known)
    early = np.count_nonzero(known < occurred)
    if early:
        raise InputError(
            f"{early:,} events were known before they occurred, the first is row "
            f"{int(np.argmax(known < occurred))}. A clock was wrong: set occurred_at to known_at."
        )
    kind, unknown = kinds(catalogue.ids, events["event"])
    return person.to_numpy("int64"), kind, occurred, known, unknown


def kinds(ids: list[str], event: pd.Series) -> tuple[np.ndarray, dict[str, int]]:
    """Place of each row's event in the catalogue, int16, -1 for none; rows of unknown ones."""
    listed = event if isinstance(event.dtype, pd.CategoricalDtype) else event.astype("category")
    names = listed.cat.categories
    places: Mapping[str, int] = {name: at for at, name in enumerate(ids)}
    of_code = np.array([*(places.get(name, -1) for name in names), -1], "int16")
    codes = listed.cat.codes.to_numpy()
    found = of_code[codes]
    if found.min(initial=0) >= 0:
        return found, {}
    count = np.bincount(codes[found < 0] + 1, minlength=len(names) + 1)
    labels = ["(missing)", *map(str, names)]
    return found, {label: int(n) for label, n in zip(labels, count, strict=True) if n}


def grown(cells: np.ndarray, count: int) -> np.ndarray:
    """Rows for so many people; room doubles."""
    if count <= len(cells):
        return cells
    more = blank(max(count, 2 * len(cells)) - len(cells), cells.shape[1])
    return np.concatenate([cells, more])


def with_room(log: pk.Log, count: int, more: int) -> pk.Log:
    """The log with room for so many more rows; room doubles."""
    if count + more <= len(log.kind):
        return log
    larger = room(max(count + more, 2 * count))
    for old, new in zip(log, larger, strict=True):
        new[:count] = old[:count]
    return larger


def until(book: Book, as_of: pd.Timestamp) -> int:
    """The as-of time in microseconds. Raises InputError where the book knows more than it may."""
    at = ec.microseconds(pd.Timestamp(as_of))
    if at <= book.known_until_us:
        last = pd.Timestamp(book.known_until_us, unit="us")
        raise InputError(
            f"The book knows events up to {last}, so it can't say what was known before {as_of}. "
            "Build one with that as-of time."
        )
    return at


def scores(book: Book, as_of: pd.Timestamp) -> pd.DataFrame:
    """Points of everybody with an event, by person_id: person_id, points, billionths, last_at.

    points: to the cent; billionths: int64, exact. as_of: later than everything in the book became
    known, else InputError. Archived events earn 0, so a person can be there without points.
    """
    count, found = book.people.count, np.empty(book.people.count, "int64")
    pk.values(book.rules, book.cells, count, until(book, as_of), found)
    ids = book.people.ids[:count]
    order = np.argsort(ids, kind="stable")
    exact = found[order]
    last = book.cells[:count, pk.LAST][order].view("datetime64[us]")
    columns = {"person_id": ids[order], "points": cents(exact) / 100, "billionths": exact}
    return pd.DataFrame({**columns, "last_at": last}, copy=False)


def events_of(book: Book, person_id: int) -> pd.DataFrame:
    """What counts of one person, from early to late: occurred_at, event. Raises InputError."""
    place = person_table.place(book.people, person_id)
    if place < 0:
        raise InputError(f"Person {person_id} has no event in the book.")
    occurred, kind, _ = pk.events_of(book.log, book.cells[place, pk.HEAD])
    names = np.array(book.catalogue.ids, dtype=object)
    return pd.DataFrame({"occurred_at": occurred.view("datetime64[us]"), "event": names[kind]})
