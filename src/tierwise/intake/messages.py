"""The events of a body: which messages it holds, and which of them keep the rules."""

import hashlib
from typing import Any

from pydantic_core import to_json

from tierwise.intake import events, segment
from tierwise.intake.events import Arrived, Broken, Row
from tierwise.intake.limits import Limits
from tierwise.intake.store import Rejected
from tierwise.service.guard import Refused

OWN, BATCH = "own", "batch"  # forms of a body; the others are the messages of Segment
ENVELOPE = ("writeKey", "sent_at")  # beside a single event


def found(form: str, content: Any, limits: Limits) -> list[Any]:
    """The messages of a body, as events that may keep the rules or not. Raises Refused."""
    told: Any = [content]
    if form == OWN and type(content) is list:
        told = content
    elif type(content) is not dict:
        raise Refused(400, "The body must be an object in JSON.")
    elif form == OWN:
        told = content.get("events", [without_envelope(content)])
    elif form == BATCH:
        told = content.get("batch")
    if type(told) is not list:
        raise Refused(400, f"{'batch' if form == BATCH else 'events'} must be a list.")
    if len(told) > limits.events_count:
        raise Refused(413, f"A request brings at most {limits.events_count:,} events.")
    if form == OWN:
        return told
    shared = content if type(content) is dict else {}
    return [segment.event_of(one, None if form == BATCH else form, shared) for one in told]


def without_envelope(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in ENVELOPE}


def sorted_out(
    told: list[Any], arrived: Arrived, key_id: str
) -> tuple[list[Row], list[tuple[int, Rejected]]]:
    """Events that keep the rules, and the others with their places."""
    rows, rejected = [], []
    for at, event in enumerate(told):
        try:
            rows.append(events.row(event, arrived))
        except Broken as why:
            rejected.append((at, apart(event, str(why), arrived, key_id)))
    return rows, rejected


def apart(event: Any, rule: str, arrived: Arrived, key_id: str) -> Rejected:
    content = to_json(event, inf_nan_mode="constants")
    digest = hashlib.blake2b(arrived.source.encode() + b"\0" + content, digest_size=16).digest()
    times = (arrived.received_at, arrived.sent_at)
    return Rejected(digest, arrived.source, key_id, rule, *times, content.decode())
