"""Segment's HTTP tracking format, as events of ours.

    POST /v1/track      event, properties           ->  kind track, name of the event
    POST /v1/page       name, category, properties  ->  kind and name page
    POST /v1/screen     the same                    ->  kind and name screen
    POST /v1/identify   traits                      ->  kind and name identify, traits as properties
    POST /v1/group      groupId, traits             ->  kind and name group
    POST /v1/alias      previousId                  ->  kind and name alias
    POST /v1/batch      batch: messages with a type, and what they share
    POST /v1/import     the same, for the past

userId is person_id, anonymousId is anonymous_id, messageId is event_id, timestamp (or
originalTimestamp, as others call it) is occurred_at. Where messageId is missing the event gets one,
and is not known again when it comes twice. Everything else is left out.
"""

import uuid
from typing import Any

from tierwise.intake.events import host_of, path_of
from tierwise.intake.schemas import TRACK

MESSAGES = (TRACK, "page", "screen", "identify", "group", "alias")
# The script for pages names its messages by their first letter.
LETTERS = {"t": TRACK, "p": "page", "s": "screen", "i": "identify", "g": "group", "a": "alias"}
NAMED = ("page", "screen")
CONTENT = {"identify": "traits", "group": "traits"}
BESIDE = {"page": ("name", "category"), "screen": ("name", "category")} | {
    "group": ("groupId",),
    "alias": ("previousId",),
}
ADDRESSES = ("url", "referrer")  # of a page, which may hold queries
CAMPAIGN = {"source": "utm_source", "medium": "utm_medium", "name": "utm_campaign"}


def event_of(message: Any, kind: str | None, shared: dict[str, Any]) -> Any:
    """A message as event; kind: of the route, None where the message names its own.

    Nothing is refused here: what can't be read is handed on as it is, and breaks a rule there.
    """
    if type(message) is not dict:
        return message
    kind = kind or message.get("type")
    is_track = kind == TRACK
    event = {
        "event_id": message.get("messageId") or str(uuid.uuid4()),
        "kind": kind,
        "name": message.get("event") if is_track else kind,
        "person_id": message.get("userId"),
        "anonymous_id": message.get("anonymousId"),
        "occurred_at": message.get("timestamp") or message.get("originalTimestamp"),
        "properties": message.get("properties") if is_track else content_of(message, str(kind)),
    }
    context = message.get("context", shared.get("context"))
    if type(context) is dict:
        event["context"] = context_of(context)
    return event


def content_of(message: dict[str, Any], kind: str) -> Any:
    """Traits, or properties with the fields that stand beside them."""
    found = message.get(CONTENT.get(kind, "properties"))
    beside = {name: message[name] for name in BESIDE.get(kind, ()) if message.get(name) is not None}
    if found is not None and type(found) is not dict:
        return found
    found = (found or {}) | beside
    return without_queries(found) if kind in NAMED else found


def without_queries(properties: dict[str, Any]) -> dict[str, Any]:
    """What SDKs say of a page by themselves, without what stands in its query."""
    return {
        name: path_of(value) if name in ADDRESSES and type(value) is str else value
        for name, value in properties.items()
        if name != "search"
    }


def context_of(context: dict[str, Any]) -> dict[str, Any]:
    """The parts that an event may keep, by their names there."""
    found: dict[str, Any] = {"locale": context.get("locale")}
    page, library = context.get("page"), context.get("library")
    campaign = context.get("campaign")
    if type(page) is dict:
        found["page"] = page.get("path")
        referrer = page.get("referrer")
        found["referrer"] = host_of(referrer) if type(referrer) is str else None
    if type(library) is dict:
        found["library"] = library.get("name")
    if type(campaign) is dict:
        found |= {ours: campaign.get(theirs) for theirs, ours in CAMPAIGN.items()}
    return found
