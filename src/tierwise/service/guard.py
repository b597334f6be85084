"""What stands before the API: nothing of a request is read before it is known whose it is.

    1  the key             401 without a valid one, 403 without the scope; no byte of the body read
    2  the declared size   413, no byte of the body read
    3  the rate            429 with Retry-After, a bucket of requests for each key
    4  the body            413 at the first byte too many, 408 if it comes too slowly

Keys stand in the header Authorization, as Prometheus and all HTTP clients know it. A key in a URL
ends in logs and histories, so it is refused there, valid or not. Errors are of the type
application/problem+json (RFC 9457), below 4 kB, and hold nothing of what was sent.
"""

import asyncio
import json
import logging
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tierwise.files import InputError
from tierwise.service.api_keys import Key
from tierwise.service.limits import Buckets, Limits

LOG = logging.getLogger("tierwise.service")
# No Strict-Transport-Security: whoever ends TLS before us knows which hosts it may bind.
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "server": "tierwise",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
PROBLEM = "application/problem+json"
PROBLEM_BYTES = 4_000
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
KEY_IN_URL = re.compile(rb"tw_[0-9a-f]{12}_[0-9a-f]{16}")
ELSEWHERE = "other"
CLIENT_LEFT = 499  # never sent; what others call it too

TITLES = {
    401: "No valid key",
    403: "The key may not do this",
    404: "Not found",
    405: "Not with this method",
    408: "The body came too slowly",
    413: "The body is too large",
    415: "Not JSON",
    422: "The request breaks a rule",
    429: "Too many requests",
    500: "The server failed",
    503: "Not ready",
}


@dataclass(frozen=True)
class Route:
    """A path of the API. scopes: any of them is enough; None: open to everybody."""

    method: str
    path: str
    scopes: frozenset[str] | None


@dataclass
class Seen:
    """What became of a request, for metrics and the log. path: of the route, never as sent.

    status: 500 until an answer has begun.
    """

    method: str
    path: str
    status: int = 500
    seconds: float = 0.0
    key_id: str = "-"


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """Answer with this problem instead. told: members beside status, title and detail."""

    def __init__(
        self, status: int, detail: str, headers: dict[str, str] | None = None, **told: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers, self.told = headers or {}, told


def problem(status: int, detail: str, **told: Any) -> bytes:
    """The body of an error, at most 4 kB: what does not fit is left out, the detail never."""
    content = {"status": status, "title": TITLES.get(status, "Refused"), "detail": detail}
    whole = json.dumps(content | told).encode()
    return whole if len(whole) <= PROBLEM_BYTES else json.dumps(content).encode()


class Guard:
    """ASGI middleware. find: the valid key for a text; observe: told of every answered request."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Sequence[Route],
        find: Callable[[str], Key | None],
        limits: Limits,
        clock: Callable[[], float],
        observe: Callable[[Seen], None],
    ) -> None:
        self.app, self.find, self.limits, self.clock = app, find, limits, clock
        self.observe, self.buckets = observe, Buckets(limits, clock)
        self.routes = [(route, compile_path(route.path)[0]) for route in routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self.http(scope, receive, send)

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.route_of(scope)
        seen = Seen(method_of(scope), route.path if route else ELSEWHERE)
        began = self.clock()

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                headers = with_headers(message.get("headers", []))
                message = {**message, "headers": headers}
            await send(message)

        try:
            body = await self.admitted(scope, receive, route, seen)
            if body is None:
                seen.status = CLIENT_LEFT
            else:
                await self.app(scope, replayed(body, receive), told)
        except Refused as why:
            await refuse(why, told, is_last=has_body(scope))
        finally:
            seen.seconds = max(self.clock() - began, 0.0)
            self.observe(seen)
            LOG.info("%s %s %s key=%s", seen.method, seen.path, seen.status, seen.key_id)

    async def admitted(
        self, scope: Scope, receive: Receive, route: Route | None, seen: Seen
    ) -> bytes | None:
        """The body, None if the client left; raises Refused in the order told above."""
        headers = scope["headers"]
        if KEY_IN_URL.search(scope["query_string"] + scope["path"].encode(errors="replace")):
            raise Refused(
                401,
                "A key stands in the URL, where logs keep it. Revoke that key, and send the new "
                "one in the header Authorization: Bearer tw_...",
                CHALLENGE,
            )
        if route is None or route.scopes is not None:
            key = self.known(headers)
            seen.key_id = key.id
            self.must_be_allowed(key, route)
        self.must_be_small(headers)
        if seen.key_id != "-":
            self.must_have_room(seen.key_id)
        return await self.whole_body(receive)

    def known(self, headers: Sequence[tuple[bytes, bytes]]) -> Key:
        given = [value for name, value in headers if name == b"authorization"]
        scheme, _, text = given[0].decode("latin-1").partition(" ") if given else ("", "", "")
        try:
            key = self.find(text.strip()) if len(given) == 1 else None
        except InputError:
            LOG.exception("the keys can't be read: nobody is let in")
            raise Refused(503, "The server can't read its keys. Ask whoever runs it.") from None
        if key is None or scheme.lower() != "bearer":
            raise Refused(
                401, "Send a valid key in the header Authorization: Bearer tw_...", CHALLENGE
            )
        return key

    def must_be_allowed(self, key: Key, route: Route | None) -> None:
        if route is not None and route.scopes and not route.scopes & key.scopes:
            needed = " or ".join(sorted(route.scopes))
            raise Refused(403, f"The key lacks the scope {needed}. Ask for a key that has it.")

    def must_be_small(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        declared = [value for name, value in headers if name == b"content-length"]
        if any(value.isdigit() and int(value[:20]) > self.limits.body_bytes for value in declared):
            raise self.too_large()

    def too_large(self) -> Refused:
        most = f"{self.limits.body_bytes:,} bytes"
        return Refused(413, f"A body has at most {most}. Send fewer rows at a time.")

    def must_have_room(self, key_id: str) -> None:
        wait_seconds = self.buckets.take(key_id)
        if wait_seconds > 0:
            detail = f"A key has {self.limits.requests_per_second:g} requests a second."
            raise Refused(
                429, f"{detail} Wait as Retry-After says.", {"retry-after": whole(wait_seconds)}
            )

    async def whole_body(self, receive: Receive) -> bytes | None:
        """At most as much as is allowed is ever held."""
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.read_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    if len(body) > self.limits.body_bytes:
                        raise self.too_large()
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise Refused(
                408, f"A body must have come within {self.limits.read_seconds:g} seconds."
            ) from None

    def route_of(self, scope: Scope) -> Route | None:
        """The route of this method and path, None if there is none."""
        there = [route for route, form in self.routes if form.match(scope["path"])]
        return next((route for route in there if route.method == scope["method"]), None)


CHALLENGE = {"www-authenticate": "Bearer"}


def method_of(scope: Scope) -> str:
    return scope["method"] if scope["method"] in METHODS else ELSEWHERE


def whole(seconds: float) -> str:
    return str(max(1, math.ceil(seconds)))


def with_headers(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Those of the answer, and ours in place of others of the same name."""
    kept = [(name, value) for name, value in headers if name.decode("latin-1") not in HEADERS]
    return [*kept, *((name.encode(), value.encode()) for name, value in HEADERS.items())]


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, and then what comes after it."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def given() -> Message:
        return waiting.pop() if waiting else await receive()

    return given


def has_body(scope: Scope) -> bool:
    """Does HTTP/1 announce one? The connection must end where it is left unread."""
    names = {name for name, value in scope["headers"] if value != b"0"}
    is_sent = not names.isdisjoint({b"content-length", b"transfer-encoding"})
    return is_sent and scope["http_version"].startswith("1")


async def refuse(why: Refused, send: Send, is_last: bool) -> None:
    """is_last: of its connection."""
    body = problem(why.status, why.detail, **why.told)
    headers = why.headers | {"content-type": PROBLEM, "content-length": str(len(body))}
    headers |= {"connection": "close"} if is_last else {}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": why.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
