"""The rules of one event, its times, and what of its context is kept.

    {"event_id": "7c9e...", "name": "order paid", "person_id": "17", "anonymous_id": "a3...",
     "occurred_at": "2026-11-24T10:00:00.123Z", "properties": {"amount_eur": 12.5},
     "context": {"page": "/pricing"}, "kind": "track"}

Needed are event_id and name, and one of person_id and anonymous_id. A number of a clock that goes
wrong is put right as Segment does: the client says when it happened and when it sent it, we know
when it came, so

    occurred_at = came + (happened by the client's clock - sent by the client's clock)

Where nothing says when it was sent, the client is believed; where nothing says when it happened,
it has happened when it came. Nothing happens after it came. Times are whole microseconds since
1970.

Privacy: no address, no name of a browser, no cookie is kept. Of the context only KEPT is, of a page
its path without the query, of where somebody came from the host.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic_core import to_json

from tierwise.intake.schemas import TRACK

KINDS = (TRACK, "page", "screen", "identify", "group", "alias")
FIELDS = frozenset(
    (
        *("event_id", "name", "kind", "person_id", "anonymous_id", "occurred_at"),
        *("properties", "context"),
    )
)
KEPT = frozenset(
    (
        *("page", "referrer", "session", "locale", "library"),
        *("utm_source", "utm_medium", "utm_campaign"),
    )
)
TEXT_MAX_LENGTH = 200
CONTEXT_MAX_LENGTH = 500
PROPERTIES_MAX_COUNT = 256
DEPTH_MAX_COUNT = 8  # of properties, which are the first level
WHOLE_MAX = 2**63 - 1
SIMPLE = frozenset((str, bool, type(None)))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
EMPTY = "{}"


class Broken(Exception):  # noqa: N818 - such an event is kept apart, nothing fails
    """The event breaks a rule, told without what was sent."""


class Row(NamedTuple):
    """An event as the table has it, but for known_at, which it gets when it is written.

    digest: of source and event_id. client_at: when it happened by the client's clock; None where
    it doesn't tell.
    """

    digest: bytes
    event_id: str
    source: str
    kind: str
    name: str
    person_id: str
    anonymous_id: str | None
    occurred_at: int
    client_at: int | None
    properties: str
    context: str


@dataclass(frozen=True)
class Arrived:
    """What the events of a request have in common. sent_at: by the client's clock, None unknown.

    rule: see `Schema.broken`; kept: see `Schema.kept`. event_bytes: None where the whole body is
    smaller than an event may be.
    """

    source: str
    received_at: int
    sent_at: int | None
    event_bytes: int | None
    broken: Callable[[str, str, dict[str, Any]], str] | None = None
    kept: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None


def row(event: Any, at: Arrived) -> Row:
    """Raises Broken for the first rule that the event breaks."""
    if type(event) is not dict:
        raise Broken("an event must be an object")
    if not FIELDS.issuperset(event):
        raise Broken(f"an event has the fields {', '.join(sorted(FIELDS))} and no other")
    if at.event_bytes is not None and len(to_json(event)) > at.event_bytes:
        raise Broken(f"an event has at most {at.event_bytes:,} bytes")
    event_id, name = named(event, "event_id"), named(event, "name")
    kind = event.get("kind", TRACK)
    if kind not in KINDS:
        raise Broken(f"kind must be one of {', '.join(KINDS)}")
    anonymous_id = person(event, "anonymous_id")
    person_id = person(event, "person_id") or anonymous_id
    if person_id is None:
        raise Broken("person_id or anonymous_id must be there")
    client_at = instant(event.get("occurred_at"), "occurred_at")
    properties = checked(event.get("properties"), kind, name, at)
    context = event.get("context")
    return Row(
        digest_of(at.source, event_id),
        event_id,
        at.source,
        kind,
        name,
        person_id,
        anonymous_id,
        corrected(client_at, at),
        client_at,
        to_json(properties).decode() if properties else EMPTY,
        context_of(context) if context else EMPTY,
    )


def digest_of(source: str, event_id: str) -> bytes:
    """16 bytes; two events share them only if source and event_id are the same."""
    return hashlib.blake2b(f"{source}\0{event_id}".encode(), digest_size=16).digest()


def named(event: dict[str, Any], field: str) -> str:
    value = event.get(field)
    if type(value) is str and 0 < len(value) <= TEXT_MAX_LENGTH and value.isprintable():
        return value
    if value is None:
        raise Broken(f"{field} is missing")
    raise Broken(f"{field} must be 1 to {TEXT_MAX_LENGTH} printable characters")


def person(event: dict[str, Any], field: str) -> str | None:
    """A number is taken as text; "" is nobody."""
    value = event.get(field)
    if value is None or value == "":
        return None
    if type(value) is int:
        value = str(value)
    if type(value) is str and len(value) <= TEXT_MAX_LENGTH and value.isprintable():
        return value
    raise Broken(f"{field} must be up to {TEXT_MAX_LENGTH} printable characters")


def instant(value: Any, field: str) -> int | None:
    """ISO 8601 in microseconds since 1970, UTC where it names no zone; None where it is missing."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
        micros = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND
    except (TypeError, ValueError, OverflowError):
        raise Broken(f"{field} must be a time as in 2026-11-24T10:00:00.123Z") from None
    if micros < 0:
        raise Broken(f"{field} must not lie before 1970")
    return micros


def corrected(client_at: int | None, at: Arrived) -> int:
    """When it happened, by our clock; see above."""
    if client_at is None:
        return at.received_at
    offset = 0 if at.sent_at is None else at.received_at - at.sent_at
    return max(min(client_at + offset, at.received_at), 0)


def checked(properties: Any, kind: str, name: str, at: Arrived) -> dict[str, Any]:
    """The properties to be kept. Raises Broken."""
    if properties is None:
        properties = {}
    if type(properties) is not dict:
        raise Broken("properties must be an object")
    if len(properties) > PROPERTIES_MAX_COUNT:
        raise Broken(f"there are at most {PROPERTIES_MAX_COUNT} properties")
    walk(properties.values())
    if at.broken is not None:
        rule = at.broken(kind, name, properties)
        if rule:
            raise Broken(rule)
    return at.kept(name, properties) if at.kept else properties


def walk(values: Any, depth: int = 1) -> None:
    """Raises Broken for numbers that JSON doesn't have, too long ones, and too many levels."""
    if depth > DEPTH_MAX_COUNT:
        raise Broken(f"properties are nested deeper than {DEPTH_MAX_COUNT} levels")
    for value in values:
        kind = type(value)
        if kind in SIMPLE:
            continue
        if kind is int:
            if not -WHOLE_MAX <= value <= WHOLE_MAX:
                raise Broken("whole numbers of properties must fit into 64 bits")
        elif kind is float:
            if value - value != 0:
                raise Broken("numbers of properties must be finite")
        else:
            walk(value.values() if kind is dict else value, depth + 1)


def context_of(context: Any) -> str:
    """What is kept of it, as JSON."""
    if type(context) is not dict:
        raise Broken("context must be an object")
    found = {}
    for name, value in context.items():
        if name in KEPT and type(value) is str and value:
            is_whole = name not in SHORTENED
            found[name] = (value if is_whole else SHORTENED[name](value))[:CONTEXT_MAX_LENGTH]
    return to_json(found).decode()


def path_of(page: str) -> str:
    """Without query and fragment, which may hold names, tokens and addresses."""
    return page.partition("#")[0].partition("?")[0]


def host_of(address: str) -> str:
    """The host of an address, or what is a host already."""
    return path_of(address.rpartition("://")[2]).partition("/")[0].rpartition("@")[2]


SHORTENED: dict[str, Callable[[str], str]] = {"page": path_of, "referrer": host_of}
