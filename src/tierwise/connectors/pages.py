"""Load somebody else's API page by page, so that a kill at any moment loses and doubles nothing.

One page is one transaction: its records and the cursor to go on from. A pass that stops half-way
(killed, out of tokens, no network) goes on from the page after the last one kept, be it days later.

    backfill       everything, or everything since a time
    incremental    what was updated since the watermark of the last pass, inclusive, with an overlap

The watermark is when the pass began, as the server told it: what is edited while a pass runs may
lie on a page that was read before, and is asked for once more. Of a server that doesn't tell the
time it is the latest update that was seen, but never later than when the pass began.

    walk           children that have no list of their own: those of every parent whose state is
                   another than when its children were last loaded

A page source is `fetch_page(cursor, updated_since) -> Page`: cursor None asks for the first page,
updated_since is a time such as 2026-03-29T14:05:00Z, or None.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tierwise.connectors import raw_store, shapes
from tierwise.connectors.raw_store import Connection, Kept, Pass
from tierwise.connectors.shapes import Broken, Shape
from tierwise.files import InputError

BACKFILL, INCREMENTAL, WALK = "backfill", "incremental", "walk"
PAGES_MAX = 10_000  # of one pass, or of one parent's children
OVERLAP_SECONDS = 300.0  # clocks differ, and replicas lag


class Page(NamedTuple):
    """records: objects with an id. next_cursor: None on the last page.

    answered_at: the server's time of the answer in UTC, if it tells one; ours may be wrong.
    """

    records: list[dict[str, Any]]
    next_cursor: str | None
    answered_at: datetime | None = None


FetchPage = Callable[[str | None, str | None], Page]
FetchChildren = Callable[[str, str | None], Page]
Clock = Callable[[], datetime]


@dataclass
class Loaded:
    """What a call of `load` or `walk` did. quarantined: the records set aside, by name."""

    entity: str
    mode: str
    resumed: bool = False
    pages_count: int = 0
    records_count: int = 0
    changed_count: int = 0
    quarantined: list[Broken] = field(default_factory=list)
    new_fields: list[str] = field(default_factory=list)

    def add(self, page: Page, aside: list[Broken], kept: Kept) -> None:
        self.pages_count += 1
        self.records_count += len(page.records)
        self.changed_count += kept.changed_count
        self.quarantined += aside
        self.new_fields += kept.new_fields


def utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def load(
    connection: Connection,
    source: str,
    shape: Shape,
    fetch_page: FetchPage,
    since: datetime | None = None,
    *,
    mode: str | None = None,
    overlap_seconds: float = OVERLAP_SECONDS,
    pages_max: int = PAGES_MAX,
    clock: Clock = utc_now,
) -> Loaded:
    """Read an entity to its last page, from where an unfinished pass of this mode stopped.

    since: where a backfill begins, UTC. mode: None is backfill until one is finished, then
    incremental. Incremental beside an unfinished backfill begins where that began.
    Whatever fetch_page raises ends the load; all pages before it stay.
    Raises InputError for a page or a cursor that can't be right; nothing of that page is kept.
    """
    passes = raw_store.passes(connection, source, shape.entity)
    mode = mode or next_mode(passes)
    going = passes.get(mode)
    told = Loaded(shape.entity, mode, resumed=going is not None and going.done_at is None)
    if going is None or going.done_at is not None:
        start = since if mode == BACKFILL else resume_at(source, shape, passes, overlap_seconds)
        watermark = going.watermark if going else None
        going = Pass(source, shape.entity, mode, None, start, clock(), watermark=watermark)
    used = {going.cursor}
    while going.done_at is None:
        page = fetch_page(going.cursor, text_of(going.updated_since))
        must_lead_on(shape.entity, page, used, going.pages_count, pages_max)
        good, aside = shapes.judged(shape, shapes.with_ids(shape, page.records))
        if going.pages_count == 0 and page.answered_at is not None:
            going = replace(going, began_at=page.answered_at)
        with raw_store.transaction(connection):
            kept = raw_store.keep(connection, source, shape, good, aside, clock())
            going = turned(going, page, kept, clock)
            raw_store.save(connection, going)
        told.add(page, aside, kept)
    return told


def next_mode(passes: Mapping[str, Pass]) -> str:
    backfill = passes.get(BACKFILL)
    return INCREMENTAL if backfill and backfill.done_at else BACKFILL


def resume_at(
    source: str, shape: Shape, passes: Mapping[str, Pass], overlap_seconds: float
) -> datetime:
    """From when on updates must be asked for, the overlap included."""
    incremental, backfill = passes.get(INCREMENTAL), passes.get(BACKFILL)
    known = incremental.watermark if incremental else None
    if known is None and backfill:
        known = backfill.watermark or backfill.began_at
    if known is None:
        raise InputError(
            f"{shape.entity}: nothing was loaded from {source} yet, so nobody knows since when "
            f"changes are missing. Begin with mode {BACKFILL}."
        )
    return known - timedelta(seconds=overlap_seconds)


def turned(going: Pass, page: Page, kept: Kept, clock: Clock) -> Pass:
    """The pass after this page."""
    seen = max(filter(None, (going.seen_until, kept.updated_until)), default=None)
    pages_count = going.pages_count + 1
    after = replace(going, cursor=page.next_cursor, seen_until=seen, pages_count=pages_count)
    if page.next_cursor is not None:
        return after
    known = going.began_at
    if page.answered_at is None:  # then it is our clock's, which may be ahead
        known = min(seen or going.watermark or known, known)
    watermark = max(known, going.watermark or known)
    return replace(after, watermark=watermark, done_at=clock())


def must_lead_on(
    entity: str, page: Any, used: set[str | None], pages_count: int, pages_max: int
) -> None:
    """Raises InputError for a cursor that is none, came before, or never comes to an end."""
    if not isinstance(page, Page):
        raise InputError(f"{entity}: a page source gave {type(page).__name__}, not a Page.")
    cursor = page.next_cursor
    if cursor is None:
        return
    if not isinstance(cursor, str) or not cursor:
        raise InputError(
            f"{entity}: a cursor must be text, or null on the last page, not {cursor!r:.40}. "
            "Nothing of this page was kept; load again."
        )
    if cursor in used:
        raise InputError(
            f"{entity}: the cursor {cursor!r:.60} came a second time, after {len(used)} pages: the "
            "list leads in a circle. Nothing of this page was kept; load again, or `restart`."
        )
    if pages_count + 1 >= pages_max:
        raise InputError(
            f"{entity}: after {pages_max} pages there is still a next one. If there is that much "
            "to read, allow more pages; otherwise the API never ends its list."
        )
    used.add(cursor)


def restart(connection: Connection, source: str, entity: str, mode: str) -> None:
    """Forget where an unfinished pass stopped: the next one begins at the first page.

    What was kept stays, and so does what is known from earlier passes.
    """
    going = raw_store.passes(connection, source, entity).get(mode)
    if going is None or going.done_at is not None:
        return
    with raw_store.transaction(connection):
        raw_store.save(connection, replace(going, cursor=None, pages_count=0))


def walk(
    connection: Connection,
    source: str,
    shape: Shape,
    parents: Iterable[tuple[str, str]],
    fetch_children: FetchChildren,
    *,
    pages_max: int = PAGES_MAX,
    clock: Clock = utc_now,
) -> Loaded:
    """Read the children of each parent whose state changed since its children were last read.

    parents: (id, state), in the order in which they are worth reading; the state is any text that
    changes when children may have been added. It is noted with the last page of the parent, so
    what changes meanwhile is read the next time.
    """
    told = Loaded(shape.entity, WALK)
    before = raw_store.states(connection, source, shape.entity)
    for parent, state in parents:
        if before.get(parent) == state:
            continue
        going = stopped_at(connection, source, shape.entity, parent, state)
        told.resumed |= going is not None
        going = going or Pass(source, shape.entity, WALK, place(parent, state, None), None, clock())
        while going.done_at is None:
            cursor = json.loads(str(going.cursor))[2]
            page = fetch_children(parent, cursor)
            going = child_page(connection, shape, going, page, told, pages_max, clock)
    return told


def place(parent: str, state: str, cursor: str | None) -> str:
    """Where a walk is, as one text."""
    return json.dumps([parent, state, cursor])


def stopped_at(
    connection: Connection, source: str, entity: str, parent: str, state: str
) -> Pass | None:
    """The unfinished pass over the children of this parent, if it is still in the same state."""
    going = raw_store.passes(connection, source, entity).get(WALK)
    if going is None or going.done_at is not None:
        return None
    return going if json.loads(str(going.cursor))[:2] == [parent, state] else None


def child_page(
    connection: Connection,
    shape: Shape,
    going: Pass,
    page: Page,
    told: Loaded,
    pages_max: int,
    clock: Clock,
) -> Pass:
    """Keep one page of one parent's children; returns the pass after it."""
    parent, state, cursor = json.loads(str(going.cursor))
    must_lead_on(shape.entity, page, {cursor}, going.pages_count, pages_max)
    good, aside = shapes.judged(shape, shapes.with_ids(shape, page.records))
    with raw_store.transaction(connection):
        kept = raw_store.keep(connection, going.source, shape, good, aside, clock())
        going = replace(going, pages_count=going.pages_count + 1)
        if page.next_cursor is None:
            raw_store.mark_walked(connection, going.source, shape.entity, parent, state)
            going = replace(going, cursor=None, done_at=clock())
        else:
            going = replace(going, cursor=place(parent, state, page.next_cursor))
        raw_store.save(connection, going)
    told.add(page, aside, kept)
    return going


def chained(lists: Mapping[str, FetchPage]) -> FetchPage:
    """Several lists of one entity, one after the other, as one: open deals, then archived ones."""
    names = list(lists)

    def fetch_page(cursor: str | None, updated_since: str | None) -> Page:
        name, inner = json.loads(cursor) if cursor else (names[0], None)
        page = lists[name](inner, updated_since)
        if page.next_cursor is not None:
            return page._replace(next_cursor=json.dumps([name, page.next_cursor]))
        later = names[names.index(name) + 1 :]
        return page._replace(next_cursor=json.dumps([later[0], None]) if later else None)

    return fetch_page


def released(connection: Connection, source: str, shape: Shape, clock: Clock = utc_now) -> int:
    """Take records out of quarantine that keep the rules by now; returns how many."""
    rows = connection.execute(
        "SELECT content FROM quarantine WHERE source = ? AND entity = ? ORDER BY record_id",
        [source, shape.entity],
    ).fetchall()
    found = [json.loads(row[0]) for row in rows]
    good = [record for record in found if shapes.broken(shape, record) is None]
    with raw_store.transaction(connection):
        raw_store.keep(connection, source, shape, good, [], clock())
    return len(good)


def text_of(time: datetime | None) -> str | None:
    """Whole seconds, downwards."""
    return None if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"
