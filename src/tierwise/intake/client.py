"""Events from Python: a call returns when the intake has them on its disk.

    from tierwise.intake import client
    client.track("invoice paid", "17", {"amount_eur": 120.0})

The address stands in the environment variable TIERWISE_COLLECT_URL, the write key in
TIERWISE_WRITE_KEY. With a folder in TIERWISE_SPOOL, events are first written there: then the call
returns when they are on one disk or the other, and what the intake has not taken goes with the
next call, or with `deliver`. Whatever is sent again bears the same event_id, so nothing is doubled.
"""

import functools
import os
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from pydantic_core import from_json, to_json

from tierwise.connectors.answers import NoAnswer
from tierwise.connectors.calling import backoff_seconds, must_be_safe, token
from tierwise.files import InputError, replacing

URL, KEY, SPOOL = "TIERWISE_COLLECT_URL", "TIERWISE_WRITE_KEY", "TIERWISE_SPOOL"
TRIES_COUNT = 6
TIMEOUT_SECONDS = 15.0
PATIENCE_SECONDS = 60.0
EVENTS_COUNT = 500  # of a request
AGAIN = (408, 425, 429)  # and 5xx


@dataclass
class Sender:
    """Where events go and how; see `opened`. For any number of threads."""

    http: httpx.Client
    url: str
    key: str
    spool: Path | None = None
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Told:
    """What the intake says. accepted_count: with those that it had already (duplicates_count).

    rules: that events broke; those are kept apart there, until somebody corrects them.
    """

    accepted_count: int
    duplicates_count: int
    rejected_count: int
    rules: list[str]


def opened(
    url: str, key: str, spool: Path | None = None, transport: httpx.BaseTransport | None = None
) -> Sender:
    """Whoever opens it closes its `http`. Raises InputError for an address without encryption."""
    must_be_safe(url, "The intake")
    is_encrypted = url.startswith("https:")  # what goes to this machine goes through no proxy
    http = httpx.Client(transport=transport, timeout=TIMEOUT_SECONDS, trust_env=is_encrypted)
    return Sender(http, url.rstrip("/") + "/v1/events", key, spool)


@functools.cache
def from_environment() -> Sender:
    """Raises InputError where the address or the key is missing."""
    url = os.environ.get(URL, "").strip()
    if not url:
        raise InputError(f"The environment variable {URL} is not set. Put the intake's address.")
    spool = os.environ.get(SPOOL, "").strip()
    return opened(url, token(KEY, "the intake"), Path(spool) if spool else None)


def track(
    name: str,
    person_id: str | int,
    properties: dict[str, Any] | None = None,
    *,
    event_id: str | None = None,
    occurred_at: datetime | None = None,
    sender: Sender | None = None,
) -> None:
    """One event. event_id: of your own, such as "invoice-4711-paid", so that a job that runs twice
    counts once; else a random one. occurred_at: now, if it isn't told.

    Raises InputError for what the intake refuses, NoAnswer where it can't be reached (and there is
    no spool).
    """
    made = event(name, person_id, properties, event_id=event_id, occurred_at=occurred_at)
    told = send([made], sender)
    if told is not None and told.rejected_count:
        raise InputError(
            f"The intake keeps the event '{name}' apart: {told.rules[0]}. `tierwise collect "
            "rejected` lists such events, `tierwise collect replay` takes them once corrected."
        )


def event(
    name: str,
    person_id: str | int,
    properties: dict[str, Any] | None = None,
    *,
    event_id: str | None = None,
    occurred_at: datetime | None = None,
) -> dict[str, Any]:
    """An event as `send` takes it. A time without a zone is UTC."""
    at = occurred_at or datetime.now(UTC)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return {
        "event_id": event_id or str(uuid.uuid4()),
        "name": name,
        "person_id": str(person_id),
        "occurred_at": at.isoformat(),
        "properties": properties or {},
        "context": {"library": "tierwise.intake.client"},
    }


def send(events: Sequence[dict[str, Any]], sender: Sender | None = None) -> Told | None:
    """Any number of events. None where a spool keeps them and the intake can't be reached.

    Raises as `track`, but for events that are kept apart.
    """
    sender = sender or from_environment()
    batches = [list(events[at : at + EVENTS_COUNT]) for at in range(0, len(events), EVENTS_COUNT)]
    if sender.spool is None:
        return added([posted(sender, to_json(batch), TRIES_COUNT) for batch in batches])
    for batch in batches:
        spooled(sender.spool, to_json(batch))
    try:
        return deliver(sender)
    except NoAnswer:
        return None


def deliver(sender: Sender | None = None) -> Told:
    """What lies in the spool, oldest first. Raises NoAnswer, InputError; the rest stays there."""
    sender = sender or from_environment()
    if sender.spool is None:
        raise InputError(f"There is no spool. Name a folder in {SPOOL}.")
    told = []
    for path in sorted(sender.spool.glob("*.json")):
        try:
            batch = path.read_bytes()
        except FileNotFoundError:  # another process was quicker
            continue
        told.append(posted(sender, batch, tries_count=1))
        path.unlink(missing_ok=True)
    return added(told)


def spooled(folder: Path, batch: bytes) -> None:
    """On the disk, whole, when it returns."""
    path = folder / f"{time.time_ns():020}-{uuid.uuid4().hex[:8]}.json"
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(batch)
        file.flush()
        os.fsync(file.fileno())
    if os.name == "posix":  # the name in its folder, too
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def posted(sender: Sender, batch: bytes, tries_count: int) -> Told:
    """One request, tried again as long as that may help. batch: a list of events in JSON."""
    reason = ""
    for attempt in range(1, tries_count + 1):
        sent_at = to_json(datetime.now(UTC).isoformat())
        body = b'{"sent_at":' + sent_at + b',"events":' + batch + b"}"
        pause_seconds = backoff_seconds(attempt)
        try:
            answer = sender.http.post(
                sender.url,
                content=body,
                auth=(sender.key, ""),
                headers={"content-type": "application/json", "user-agent": "tierwise"},
            )
        except httpx.RequestError as error:
            reason = type(error).__name__
        else:
            if answer.status_code == 200:
                return read(answer.content)
            refuse(answer)
            reason = str(answer.status_code)
            asked = answer.headers.get("retry-after", "")
            pause_seconds = max(pause_seconds, float(asked) if asked.isdigit() else 0.0)
        if attempt < tries_count:
            sender.sleep(min(pause_seconds, PATIENCE_SECONDS))
    raise NoAnswer(f"The intake gave no usable answer in {tries_count} tries; the last: {reason}.")


def refuse(answer: httpx.Response) -> None:
    """Raises InputError for an answer that would be the same again."""
    status = answer.status_code
    if 300 <= status < 500 and status not in AGAIN:
        try:
            detail = from_json(answer.content)["detail"]
        except (ValueError, KeyError, TypeError):
            detail = f"Is {URL} the address of an intake?"
        raise InputError(f"The intake refuses events ({status}). {detail}")


def read(content: bytes) -> Told:
    told = from_json(content)
    rules = [one["rule"] for one in told["rejected"]]
    return Told(told["accepted_count"], told["duplicates_count"], told["rejected_count"], rules)


def added(told: Sequence[Told]) -> Told:
    return Told(
        sum(one.accepted_count for one in told),
        sum(one.duplicates_count for one in told),
        sum(one.rejected_count for one in told),
        [rule for one in told for rule in one.rules],
    )
