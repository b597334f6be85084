"""Everything of a company at Pipedrive that our tables need, into the raw store, page by page.

The short lists come first and as a whole each time, since they have no time of update. Then deals,
persons, organisations and activities: all of them the first time, later what was updated. Change
logs come last and deal by deal, since each costs as much as a page of 500 archived deals: those of
deals that changed in a way that a log tells, open ones first.

Deals stand in four lists: live ones, archived ones, and what was deleted of both in the last 30
days. Without the others a deal that left the first list would seem open for ever.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tqdm import tqdm

from tierwise.connectors import pages, raw_store
from tierwise.connectors import pipedrive_shapes as ps
from tierwise.connectors.allowance import OutOfTokens
from tierwise.connectors.answers import Refused
from tierwise.connectors.pages import BACKFILL, Clock, FetchPage, Loaded, Page, utc_now
from tierwise.connectors.pipedrive import Client
from tierwise.connectors.raw_store import Connection

Keyed = Callable[[Mapping[str, Any]], dict[str, Any]]
SOURCE = "pipedrive"
NOT_FOUND = 404
WHOLE = (ps.DEAL_FIELDS, ps.ORGANIZATION_FIELDS, ps.STAGES, ps.USERS)
FIELDS = (ps.DEAL_FIELDS, ps.ORGANIZATION_FIELDS)  # what is gone there must not be read on
UPDATED = (ps.PERSONS, ps.ORGANIZATIONS, ps.ACTIVITIES)
ALL = (*WHOLE, *UPDATED, ps.DEALS, ps.CHANGES)
PATHS = {
    "deal_fields": "/dealFields",
    "organization_fields": "/organizationFields",
    "stages": "/stages",
    "users": "/v1/users",
    "persons": "/persons",
    "organizations": "/organizations",
    "activities": "/activities",
}
DEALS: dict[str, tuple[str, dict[str, str]]] = {
    "live": ("/deals", {}),
    "archived": ("/deals/archived", {}),
    "deleted": ("/deals", {"status": "deleted"}),
    "archived and deleted": ("/deals/archived", {"status": "deleted"}),
}


@dataclass
class Company:
    """What a run did. loaded: by entity. logs_waiting_count: change logs that are still to read.

    waiting_for: why they wait, in a sentence. unreadable: deals whose log Pipedrive doesn't have.
    """

    loaded: list[Loaded] = field(default_factory=list)
    logs_waiting_count: int = 0
    waiting_for: str = ""
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Asking:
    """Whom to ask, and a bar that counts pages.

    keep_count: tokens of the day to leave to others. Change logs do; lists are a page or two, and
    an hour that can't read them knows nothing new.
    """

    client: Client
    keep_count: int
    bar: Any


def load(
    connection: Connection,
    client: Client,
    *,
    since: datetime | None = None,
    own_prefix: str = "tierwise",
    own_names: tuple[str, ...] = (),
    keep_count: int = 0,
    keyed: Keyed | None = None,
    clock: Clock = utc_now,
) -> Company:
    """Read what is new. since: where the first run begins, UTC; None for everything.

    keep_count: tokens of the day that change logs leave to others. keyed: what is made of each
    person before names and addresses are dropped, see `intercom_people.keyed`.

    Without tokens for all change logs the rest waits for the next run. Raises OutOfTokens where
    not even the lists could be read to their end, and what `pages.load` and `Client.pages` raise;
    all pages before stay, and the next run goes on after them.
    """
    told = Company()
    for shape in ALL:  # set aside under rules that have been relaxed since
        pages.released(connection, SOURCE, shape, clock)
    with tqdm(desc="pages read", unit=" pages", disable=None, leave=False) as bar:
        ask = Asking(client, keep_count, bar)
        told.loaded += [load_whole(connection, shape, ask, clock) for shape in WHOLE]
        fields = raw_store.records(connection, SOURCE, ps.DEAL_FIELDS.entity)
        deals = ps.deals_without(fields, own_prefix, own_names)
        chain = pages.chained({name: listed(ask, *how) for name, how in DEALS.items()})
        lists = [(deals, chain), *((shape, listed(ask, PATHS[shape.entity])) for shape in UPDATED)]
        if keyed:
            lists[1] = (ps.PERSONS, through(keyed, lists[1][1]))
        for shape, fetch_page in lists:
            told.loaded.append(
                pages.load(connection, SOURCE, shape, fetch_page, since, clock=clock)
            )
        walk(connection, ask, told, clock)
    return told


def listed(
    ask: Asking, path: str, params: Mapping[str, str] | None = None, keep_count: int = 0
) -> FetchPage:
    """A list as a page source. keep_count: tokens of the day that it leaves to others."""

    def fetch_page(cursor: str | None, updated_since: str | None) -> Page:
        how = {**(params or {}), **({"updated_since": updated_since} if updated_since else {})}
        found = next(ask.client.pages(path, how, cursor=cursor, keep_count=keep_count))
        ask.bar.update()
        return Page(found.rows, found.next_cursor, found.answered_at)

    return fetch_page


def through(keyed: Keyed, fetch: FetchPage) -> FetchPage:
    """The same pages, each record changed."""

    def fetch_page(cursor: str | None, updated_since: str | None) -> Page:
        page = fetch(cursor, updated_since)
        return page._replace(records=[keyed(record) for record in page.records])

    return fetch_page


def load_whole(connection: Connection, shape: ps.Shape, ask: Asking, clock: Clock) -> Loaded:
    """A short list from its first page on. Fields that are not in it any more are forgotten."""
    seen: list[str] = []
    fetch = listed(ask, PATHS[shape.entity])

    def fetch_page(cursor: str | None, updated_since: str | None) -> Page:
        page = fetch(cursor, updated_since)
        seen.extend(str(record.get(shape.key)) for record in page.records)
        return page

    pages.restart(connection, SOURCE, shape.entity, BACKFILL)
    done = pages.load(connection, SOURCE, shape, fetch_page, mode=BACKFILL, clock=clock)
    if shape in FIELDS:
        connection.execute(
            "DELETE FROM raw_records WHERE source = ? AND entity = ? AND NOT (record_id = ANY(?))",
            [SOURCE, shape.entity, seen],
        )
    return done


def walk(connection: Connection, ask: Asking, told: Company, clock: Clock) -> None:
    """The change logs that are due, as far as tokens go."""
    parents = ps.logs_to_walk(raw_store.records(connection, SOURCE, ps.DEALS.entity))
    reading = ""

    def fetch_log(deal_id: str, cursor: str | None) -> Page:
        nonlocal reading
        reading = deal_id
        log = listed(ask, f"/v1/deals/{deal_id}/changelog", keep_count=ask.keep_count)
        page = log(cursor, None)
        return page._replace(records=ps.change_records(int(deal_id), page.records))

    rest = due(connection, parents)
    ask.bar.total = ask.bar.n + len(rest)
    while rest:
        try:
            told.loaded.append(
                pages.walk(connection, SOURCE, ps.CHANGES, rest, fetch_log, clock=clock)
            )
        except OutOfTokens as error:
            told.waiting_for, told.logs_waiting_count = str(error), len(due(connection, rest))
            return
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            state = ps.UNREADABLE + dict(rest)[reading]
            raw_store.mark_walked(connection, SOURCE, ps.CHANGES.entity, reading, state)
            told.unreadable.append(reading)
        rest = due(connection, rest)


def due(connection: Connection, parents: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Deals whose log may tell more than when it was read, or found missing."""
    before = raw_store.states(connection, SOURCE, ps.CHANGES.entity)
    return [
        (deal_id, state)
        for deal_id, state in parents
        if before.get(deal_id, "").removeprefix(ps.UNREADABLE) != state
    ]
