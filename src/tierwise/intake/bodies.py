"""The body of a request: no more of it than is allowed, unpacked, as JSON. Raises Refused."""

import asyncio
import re
import zlib
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json
from starlette.types import Receive

from tierwise.intake.limits import Limits
from tierwise.service.guard import Refused

# A page that sends text/plain needs no leave of ours before (sendBeacon can't ask for it).
KINDS = (b"", b"application/json", b"text/plain")
GZIP = 16 + zlib.MAX_WBITS
# Every escape, a pair of surrogates first, so that halves are left alone only in pairs.
ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\."
)
HALF_BYTES = 6
REPLACEMENT = rb"\ufffd"


class ClientLeft(Exception):  # noqa: N818 - nobody is left to be told of an error
    """The connection ended before the body did."""


def check(headers: Mapping[bytes, bytes], limits: Limits) -> None:
    """What is declared, before a byte of the body is read."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind not in KINDS:
        raise Refused(415, "Send JSON, as application/json or text/plain.")
    if headers.get(b"content-encoding", b"gzip").lower() not in (b"gzip", b"identity"):
        raise Refused(415, "A body is packed with gzip, or not at all.")
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > limits.body_bytes:
        raise too_large(limits)


def too_large(limits: Limits) -> Refused:
    return Refused(
        413, f"A body has at most {limits.body_bytes:,} bytes. Send fewer events at a time."
    )


async def read(headers: Mapping[bytes, bytes], receive: Receive, limits: Limits) -> bytes:
    """All of it, unpacked. Raises ClientLeft too."""
    try:
        async with asyncio.timeout(limits.read_seconds):
            body = await whole(receive, limits)
    except TimeoutError:
        raise Refused(
            408, f"A body must have come within {limits.read_seconds:g} seconds."
        ) from None
    return unpacked(body, limits) if headers.get(b"content-encoding", b"") == b"gzip" else body


async def whole(receive: Receive, limits: Limits) -> bytes:
    parts, length = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part = message.get("body", b"")
        parts.append(part)
        length += len(part)
        if length > limits.body_bytes:
            raise too_large(limits)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def unpacked(body: bytes, limits: Limits) -> bytes:
    """Never holds more than a byte beyond the limit, however much is packed."""
    packed = zlib.decompressobj(GZIP)
    try:
        found = packed.decompress(body, limits.body_bytes + 1)
    except zlib.error:
        raise Refused(400, "The body is said to be gzip, and isn't.") from None
    if len(found) > limits.body_bytes:
        raise too_large(limits)
    if not packed.eof or packed.unused_data:
        raise Refused(400, "The body is said to be gzip, and is cut off or followed by more.")
    return found


def parsed(body: bytes) -> Any:
    """JSON in UTF-8, at most 200 levels deep. Numbers may be NaN: rules of events refuse those.

    Pages cut texts where they like, in the middle of an emoji too. Such a half becomes U+FFFD: it
    is no character, and the other 49 events of a batch did nothing wrong.
    """
    try:
        return from_json(body, cache_strings="keys")
    except ValueError:
        mended = ESCAPES.sub(without_half, body)
    try:
        return from_json(mended, cache_strings="keys")
    except ValueError:
        raise Refused(400, "The body must be valid JSON in UTF-8.") from None


def without_half(escape: re.Match[bytes]) -> bytes:
    is_half = len(escape[0]) == HALF_BYTES
    return REPLACEMENT if is_half else escape[0]
