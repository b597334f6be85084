"""Pages of Intercom for pages.py: contacts and conversations by search, companies by scroll, events
and whether somebody is still there contact by contact.

Search compares times by the calendar day of the workspace, whose zone nobody tells, and "later
than" means from the next day on. So it is asked for more than was wanted, see `day_before`; what
comes again is kept once. Rows are sorted by when they were made, which no edit moves: none is
passed over because it has jumped to another page.

A scroll can't be taken up where it stopped, nor a page of it be asked for again, and another one
may not begin for a minute. It is therefore read to its end as one page, or not at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from zlib import crc32

from tierwise.connectors.answers import NoAnswer
from tierwise.connectors.intercom import Answer, Client, Refused
from tierwise.connectors.intercom_shapes import (
    COMPANIES,
    CONTACT_STATES,
    CONTACTS,
    CONVERSATIONS,
    EVENTS,
    event,
    reading,
    reduced,
)
from tierwise.connectors.pages import (
    Clock,
    FetchChildren,
    FetchPage,
    Loaded,
    Page,
    load,
    utc_now,
    walk,
)
from tierwise.connectors.raw_store import Connection, records
from tierwise.connectors.shapes import instant

SEARCH_ROWS, EVENT_ROWS = 150, 50  # of one page; more is not given
SCROLL_EXPIRES_SECONDS = 61.0
SCROLL_TRIES, SCROLL_PAGES_MAX = 4, 10_000
RECHECK_DAYS = 7  # events older than 90 days are no longer listed
GONE = (404, 410)
NOT_PAGING = ("type", "intercom_user_id", "user_id", "email", "summary")


def ingest(
    connection: Connection,
    client: Client,
    secret: str,
    amounts: Mapping[str, str] | None = None,
    *,
    source: str = "intercom",
    clock: Clock = utc_now,
) -> list[Loaded]:
    """Load everything that is new, each part from where it stopped; what was done, by part.

    secret: see intercom_shapes.email_secret. amounts: see `events`. Raises what the client and
    pages.py raise; all pages before it stay.
    """
    lists = ((CONTACTS, contacts), (CONVERSATIONS, conversations), (COMPANIES, companies))
    told = [
        load(connection, source, shape, source_of(client, secret), clock=clock)
        for shape, source_of in lists
    ]

    def known() -> tuple[list[dict[str, Any]], frozenset[str], datetime]:
        found = records(connection, source, CONTACTS.entity)
        return found, gone_ids(found, records(connection, source, CONTACT_STATES.entity)), clock()

    for shape, children, parents in (
        (CONTACT_STATES, contact_states(client), states_to_walk),
        (EVENTS, events(client, secret, amounts), contacts_to_walk),
    ):
        told.append(walk(connection, source, shape, parents(*known()), children, clock=clock))
    return told


def contacts(client: Client, secret: str) -> FetchPage:
    """Contacts that are neither archived nor merged. secret: see intercom_shapes.email_secret."""
    # An event moves last_seen_at; whether updated_at goes with it, the vendor doesn't say.
    moved = ("updated_at", "last_seen_at")
    return searched(client, "/contacts/search", "contacts", "data", secret, moved)


def conversations(client: Client, secret: str) -> FetchPage:
    path, name = "/conversations/search", "conversations"
    return searched(client, path, name, name, secret, ("updated_at",))


def searched(
    client: Client, path: str, entity: str, rows_name: str, secret: str, moved: tuple[str, ...]
) -> FetchPage:
    """Records of which one of the times `moved` is late enough."""
    how = reading(entity, secret)

    def fetch_page(cursor: str | None, updated_since: str | None) -> Page:
        paging = {"per_page": SEARCH_ROWS} | ({"starting_after": cursor} if cursor else {})
        since = day_before(updated_since) if updated_since else 0
        body = {
            "query": {"operator": "OR", "value": [later_than(name, since) for name in moved]},
            "pagination": paging,
            "sort": {"field": "created_at", "order": "ascending"},
        }
        answer = client.call("POST", path, rows_name, body=body)
        if not isinstance(answer.content.get("pages"), dict):
            raise NoAnswer(f"POST {path} gave no pages object: it may not be the end of the list.")
        rows = [reduced(row, how) for row in answer.content[rows_name]]
        return Page(rows, starting_after(answer.content["pages"]), answer.answered_at)

    return fetch_page


def later_than(name: str, since: int) -> dict[str, Any]:
    return {"field": name, "operator": ">", "value": since}


def day_before(updated_since: str) -> int:
    """Seconds since 1970 that lie on an earlier day in any zone, also on one of 25 hours."""
    return int((instant(updated_since) - timedelta(hours=25)).replace(tzinfo=UTC).timestamp())


def starting_after(more: Mapping[str, Any]) -> str | None:
    following = more.get("next")
    if isinstance(following, str):
        raise NoAnswer("A search gave an address for its next page, not a cursor.")
    return following["starting_after"] if following else None


def companies(client: Client, secret: str) -> FetchPage:
    """All companies as one page; cursor and updated_since are of no use to a scroll."""
    how = reading("companies", secret)

    def fetch_page(cursor: str | None, updated_since: str | None) -> Page:
        reason = ""
        for attempt in range(SCROLL_TRIES):
            client.sleep(SCROLL_EXPIRES_SECONDS if attempt else 0)
            try:
                answers = list(scrolled(client))
                rows = [row for answer in answers for row in answer.content["data"]]
                return Page([reduced(row, how) for row in rows], None, answers[0].answered_at)
            except (NoAnswer, Refused) as error:
                # 400: another scroll is open; 404: ours has expired
                if isinstance(error, Refused) and error.status not in (400, 404):
                    raise
                reason = str(error)
        raise NoAnswer(f"{SCROLL_TRIES} scrolls over companies came to nothing; the last: {reason}")

    return fetch_page


def scrolled(client: Client) -> Iterator[Answer]:
    """Each page of one scroll. Raises NoAnswer where one got lost, or it goes in a circle."""
    param: str | None = None
    seen: set[str] = set()
    for _ in range(SCROLL_PAGES_MAX):
        asked = {"scroll_param": param} if param else None
        answer = client.call("GET", "/companies/scroll", "data", params=asked, tries_count=1)
        yield answer
        found = {str(row.get("id")) for row in answer.content["data"]}
        if not found:
            return
        param = answer.content.get("scroll_param")
        if not isinstance(param, str) or not param:
            raise NoAnswer("A scroll over companies told no scroll_param to go on with.")
        if found <= seen:
            raise NoAnswer("A scroll over companies gave a page that it gave before.")
        seen |= found
    raise NoAnswer(f"A scroll over companies didn't end after {SCROLL_PAGES_MAX} pages.")


def events(client: Client, secret: str, amounts: Mapping[str, str] | None = None) -> FetchChildren:
    """Events of one contact of the last 90 days, latest first; none of a contact that is gone.

    amounts: which number of an event's metadata is its amount, by event_name. The address of the
    next page is never called as it stands: only what it asks for is taken, and sent to our server.
    """
    chosen = amounts or {}

    def fetch_children(contact_id: str, cursor: str | None) -> Page:
        params = {"per_page": str(EVENT_ROWS)} | dict(parse_qsl(cursor or ""))
        params |= {"type": "user", "intercom_user_id": contact_id}
        try:
            answer = client.call("GET", "/events", "events", params=params)
        except Refused as error:
            if error.status not in GONE:
                raise
            return Page([], None)
        rows = [event(row, contact_id, chosen, secret) for row in answer.content["events"]]
        more = answer.content.get("pages") or {}
        return Page(rows, paging(more.get("next")) if rows else None, answer.answered_at)

    return fetch_children


def paging(following: Any) -> str | None:
    """What the address of the next page asks for, without who it is about."""
    if following is None:
        return None
    if not isinstance(following, str):
        raise NoAnswer("GET /events gave no address for its next page.")
    asked = parse_qsl(urlsplit(following).query)
    kept = sorted((name, value) for name, value in asked if name not in NOT_PAGING)
    if not kept or any("@" in value for _, value in kept):
        raise NoAnswer("GET /events gave an address for its next page that leads nowhere.")
    return urlencode(kept)


def contact_states(client: Client) -> FetchChildren:
    """Whether one contact is still there: no list tells of those who were archived or merged."""

    def fetch_children(contact_id: str, cursor: str | None) -> Page:
        try:
            answer = client.call("GET", f"/contacts/{contact_id}")
        except Refused as error:
            if error.status not in GONE:
                raise
            gone, told = True, None
        else:
            # An id that answers as somebody else was merged into that one.
            archived = answer.content.get("archived") is True
            gone, told = archived or answer.content["id"] != contact_id, answer.answered_at
        seen_at = told or datetime.fromtimestamp(client.clock(), UTC)
        row = {"id": contact_id, "gone": gone, "seen_at": f"{seen_at:%Y-%m-%dT%H:%M:%SZ}"}
        return Page([row], None, told)

    return fetch_children


def gone_ids(
    contacts: Sequence[Mapping[str, Any]], states: Sequence[Mapping[str, Any]]
) -> frozenset[str]:
    """Contacts that are archived, merged or deleted, and have not been changed since: else they
    are back. states: records of CONTACT_STATES.
    """
    updated = {one["id"]: one["updated_at"] for one in contacts}
    return frozenset(
        one["id"] for one in states if one["gone"] and updated.get(one["id"], "") <= one["seen_at"]
    )


def contacts_to_walk(
    contacts: Sequence[Mapping[str, Any]],
    gone_ids: frozenset[str],
    now: datetime,
    recheck_days: int = RECHECK_DAYS,
) -> list[tuple[str, str]]:
    """(id, state) of all contacts for `pages.walk` over events, the last seen first.

    Not every event moves last_seen_at or updated_at, so each contact is read anew every so many
    days as well, on days that differ from contact to contact.
    """
    there = [one for one in contacts if one["id"] not in gone_ids]
    order = sorted(there, key=lambda one: (one["last_seen_at"] or "", one["id"]), reverse=True)
    return [(one["id"], seen_state(one, turn(one["id"], now, recheck_days))) for one in order]


def seen_state(contact: Mapping[str, Any], turns_count: int) -> str:
    return f"{contact['last_seen_at']} {contact['updated_at']} {turns_count}"


def states_to_walk(
    contacts: Sequence[Mapping[str, Any]],
    gone_ids: frozenset[str],
    now: datetime,
    recheck_days: int = RECHECK_DAYS,
) -> list[tuple[str, str]]:
    """(id, state) of the contacts who were there last time, for `pages.walk` over their states."""
    ids = sorted(one["id"] for one in contacts if one["id"] not in gone_ids)
    return [(one, str(turn(one, now, recheck_days))) for one in ids]


def turn(contact_id: str, now: datetime, recheck_days: int) -> int:
    """A number that goes up once in so many days."""
    day = (now - datetime(1970, 1, 1)).days
    return (day + crc32(contact_id.encode()) % recheck_days) // recheck_days
