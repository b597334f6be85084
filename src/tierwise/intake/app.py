"""The intake by HTTP. Who sends, and from where, is known before an event is looked at.

    POST /v1/events                  an event, a list of them, or {"events": [...], "sent_at": ...}
    POST /v1/track and others        Segment's format, see segment.py
    GET  /t/v1/tierwise.js           the script for pages
    GET  /v1/health                  can events be written?

The write key stands in Authorization, as Basic (Segment's way, no password) or Bearer, or in the
body as writeKey, for pages that can't send headers when they close. 200 means that every event is
on the disk: as an event, or among the rejected with the rule it broke. Errors are problems in JSON
(RFC 9457) and hold nothing of what was sent; 429 and 503 say in Retry-After when to come again.

This is plain ASGI. A framework would take as long for each request as we do for all of it.
"""

import base64
import binascii
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from tierwise.files import InputError
from tierwise.intake import bodies, events, messages, segment, snippet
from tierwise.intake.events import Arrived, Broken, Row
from tierwise.intake.keys import SERVER, Allowed, Ring
from tierwise.intake.limits import Allowances, Limits
from tierwise.intake.messages import BATCH, OWN
from tierwise.intake.store import Rejected
from tierwise.intake.tally import Tally
from tierwise.intake.writer import NotKept, Writer
from tierwise.service.guard import PROBLEM, Refused, has_body, problem

LOG = logging.getLogger("tierwise.intake")
SEGMENT = {f"/v1/{name}": name for name in segment.MESSAGES}
SEGMENT |= {f"/v1/{letter}": name for letter, name in segment.LETTERS.items()}
ROUTES: dict[str, str] = {"/v1/events": OWN, **SEGMENT} | dict.fromkeys(
    ("/v1/batch", "/v1/b", "/v1/import"), BATCH
)
PAST = "/v1/import"
HEALTH = "/v1/health"
Headers = list[tuple[bytes, bytes]]
ALWAYS: Headers = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"server", b"tierwise"),
    (b"x-content-type-options", b"nosniff"),
]
JSON: Headers = [*ALWAYS, (b"content-type", b"application/json")]
# Anybody may ask, and read why not; whether events are taken is decided by the key's origins.
PREFLIGHT: Headers = [
    *ALWAYS[1:],
    (b"cache-control", b"max-age=86400"),
    (b"access-control-allow-methods", b"POST"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, content-encoding, x-retry-count",
    ),
    (b"access-control-max-age", b"86400"),
]
WAIT_SECONDS = 1
DISK_WAIT_SECONDS = 10


class Answer(NamedTuple):
    status: int
    headers: Headers
    body: bytes


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1_000


class Intake:
    """The ASGI application. clock: microseconds since 1970."""

    def __init__(
        self, ring: Ring, writer: Writer, limits: Limits, clock: Callable[[], int] = now
    ) -> None:
        self.ring, self.writer, self.limits, self.clock = ring, writer, limits, clock
        self.allowances = Allowances(time.monotonic)
        self.tally = Tally(time.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"")
        try:
            answer = await self.answered(scope, headers, receive)
        except bodies.ClientLeft:
            return
        except Refused as why:
            answer = refused(why, is_last=has_body(scope))
            self.tally.refused(why.status)
        told = answer.headers
        if origin and scope["path"] not in snippet.FILES:  # those are for everybody
            told = [*told, (b"access-control-allow-origin", origin), (b"vary", b"origin")]
        length = (b"content-length", str(len(answer.body)).encode())
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": [*told, length]}
        )
        await send({"type": "http.response.body", "body": answer.body})

    async def answered(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Answer:
        """Raises Refused, ClientLeft."""
        path, method = scope["path"], scope["method"]
        form = ROUTES.get(path)
        if form is not None:
            if method == "POST":
                return await self.taken(path, form, headers, receive)
            if method == "OPTIONS":
                return Answer(204, PREFLIGHT, b"")
            raise Refused(405, "Events are sent by POST.", {"allow": "OPTIONS, POST"})
        file = snippet.FILES.get(path)
        if (file or path == HEALTH) and method not in ("GET", "HEAD"):
            raise Refused(405, "This is read by GET.", {"allow": "GET, HEAD"})
        if file:
            return Answer(*file.answer(headers, is_head=method == "HEAD"))
        if path == HEALTH:
            return self.health()
        raise Refused(404, "Events go to /v1/events, or to /v1/batch in Segment's format.")

    def health(self) -> Answer:
        if not self.writer.is_alive:
            raise Refused(503, "Events can't be written.", {"retry-after": str(DISK_WAIT_SECONDS)})
        told = {"ready": True, "waiting_count": self.writer.waiting_count}
        return Answer(200, JSON, to_json(told))

    async def taken(
        self, path: str, form: str, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Answer:
        """The events of a body, on the disk."""
        text = key_of(headers)
        allowed = None if text is None else self.known(text)
        bodies.check(headers, self.limits)
        if self.writer.waiting_count >= self.limits.waiting_count:
            raise Refused(
                503, "Too many events wait to be written.", {"retry-after": str(WAIT_SECONDS)}
            )
        body = await bodies.read(headers, receive, self.limits)
        received_at = self.clock()
        content = bodies.parsed(body)
        shared = content if type(content) is dict else {}
        if allowed is None:
            allowed = self.known(shared.get("writeKey"))
        self.must_be_allowed(allowed, path, headers.get(b"origin", b"").decode("latin-1"))
        found = messages.found(form, content, self.limits)
        self.must_have_room(allowed, len(found))
        arrived = self.arrived(allowed, received_at, shared, len(body))
        rows, rejected = messages.sorted_out(found, arrived, allowed.key.id)
        return await self.kept(rows, rejected, is_segment=form != OWN)

    def known(self, text: Any) -> Allowed:
        """The valid key; raises Refused."""
        try:
            allowed = self.ring.find(text) if type(text) is str else None
        except InputError as error:
            LOG.error("nobody is let in: %s", error)
            raise Refused(
                503,
                "The server can't read its keys. Ask whoever runs it.",
                {"retry-after": str(DISK_WAIT_SECONDS)},
            ) from None
        if allowed is None:
            raise Refused(
                401,
                "Send a valid write key: Authorization: Basic with the key as name and no "
                "password, Bearer, or writeKey in the body.",
                {"www-authenticate": "Basic"},
            )
        return allowed

    def must_be_allowed(self, allowed: Allowed, path: str, origin: str) -> None:
        key = allowed.key
        if not key.allows(origin):
            if key.scope == SERVER:
                raise Refused(
                    403,
                    "This write key is a secret and came from a browser, so everybody can read it. "
                    "Revoke it, and put one of the scope web into pages.",
                )
            raise Refused(403, "Pages of this origin may not use this write key.")
        if path == PAST and key.scope != SERVER:
            raise Refused(403, "Only a key of the scope server brings events of the past.")

    def must_have_room(self, allowed: Allowed, count: int) -> None:
        key = allowed.key
        if not key.events_per_second:
            return
        wait_seconds = self.allowances.take(key.id, key.events_per_second, count)
        if wait_seconds > 0:
            raise Refused(
                429,
                f"A key may send {key.events_per_second:g} events a second.",
                {"retry-after": str(max(1, round(wait_seconds + 0.5)))},
            )

    def arrived(
        self, allowed: Allowed, received_at: int, shared: dict[str, Any], body_bytes: int
    ) -> Arrived:
        schema, limit = allowed.schema, self.limits.event_bytes
        try:
            sent_at = events.instant(shared.get("sent_at") or shared.get("sentAt"), "sent_at")
        except Broken:
            sent_at = None  # then the times of its events are believed
        return Arrived(
            allowed.key.source,
            received_at,
            sent_at,
            limit if body_bytes > limit else None,
            schema.broken if schema else None,
            schema.kept if schema else None,
        )

    async def kept(
        self, rows: Sequence[Row], rejected: Sequence[tuple[int, Rejected]], is_segment: bool
    ) -> Answer:
        apart = [one for _, one in rejected]
        try:
            duplicates_count = await self.writer.kept(rows, apart)
        except NotKept:
            raise Refused(
                503,
                "The events could not be written. Send them again.",
                {"retry-after": str(DISK_WAIT_SECONDS)},
            ) from None
        self.tally.kept(len(rows), duplicates_count, len(apart))
        shown = rejected[: self.limits.rejected_shown_count]
        told: dict[str, Any] = {"success": True} if is_segment else {}
        told |= {
            "accepted_count": len(rows),
            "duplicates_count": duplicates_count,
            "rejected_count": len(apart),
            "rejected": [{"at": at, "rule": one.rule} for at, one in shown],
        }
        return Answer(200, JSON, to_json(told))


def key_of(headers: Mapping[bytes, bytes]) -> str | None:
    """The write key of the header Authorization, None if there is no such header."""
    given = headers.get(b"authorization")
    if given is None:
        return None
    scheme, _, text = given.partition(b" ")
    if scheme.lower() == b"basic":
        try:
            text = base64.b64decode(text, validate=True).partition(b":")[0]
        except (binascii.Error, ValueError):
            text = b""
    return text.strip().decode("latin-1")


def refused(why: Refused, is_last: bool) -> Answer:
    """is_last: of its connection, since its body was left unread."""
    headers = [*ALWAYS, (b"content-type", PROBLEM.encode())]
    headers += [(name.encode(), value.encode()) for name, value in why.headers.items()]
    headers += [(b"connection", b"close")] if is_last else []
    return Answer(why.status, headers, problem(why.status, why.detail, **why.told))
