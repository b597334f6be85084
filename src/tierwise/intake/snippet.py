"""The script for pages, as it is served, and the tag that brings it there.

    /t/v1/tierwise.js               the current one of version 1; looked for again after a day
    /t/<12 digits>/tierwise.js      exactly this one, for ever; for pages that pin it by integrity

tierwise.js is written to be read. Served is what a browser needs of it: no comments, and spaces
and line breaks only where they mean something.
"""

import base64
import gzip
import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("tierwise.js")
DAY_SECONDS, YEAR_SECONDS = 86_400, 31_536_000
DIGITS = 12
TEXTS = re.compile(r"""("[^"\n]*"|`[^`]*`)""")
SIGNS = re.compile(r" *([-=+*/<>?:,&|{}()\[\]!]+) *")
BREAKS = re.compile(r"(?<=[,{(])\n|\n(?=[})\].:])")


def served(source: str) -> bytes:
    """The same program, shorter. A comment has a line of its own."""
    lines = (line.strip() for line in source.splitlines())
    kept = "\n".join(line for line in lines if line and not line.startswith("//"))
    parts = TEXTS.split(kept)  # every second one is a text
    parts[::2] = [BREAKS.sub("", SIGNS.sub(r"\1", part)) for part in parts[::2]]
    return "".join(parts).encode()


@dataclass(frozen=True)
class File:
    """The script under one of its addresses. etag: with quotes."""

    content: bytes
    packed: bytes
    etag: bytes
    caching: bytes

    def answer(
        self, headers: Mapping[bytes, bytes], is_head: bool
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers and body; 304 if the client has it."""
        is_packed = b"gzip" in headers.get(b"accept-encoding", b"")
        told = [
            (b"access-control-allow-origin", b"*"),
            (b"cache-control", self.caching),
            (b"content-type", b"text/javascript; charset=utf-8"),
            (b"cross-origin-resource-policy", b"cross-origin"),
            (b"etag", self.etag),
            (b"vary", b"accept-encoding"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if self.etag in headers.get(b"if-none-match", b""):
            return 304, told, b""
        told += [(b"content-encoding", b"gzip")] * is_packed
        body = self.packed if is_packed else self.content
        return 200, told, b"" if is_head else body


def made() -> tuple[dict[str, File], str]:
    """The files by path, and the path of the one that never changes."""
    content = served(SOURCE.read_text(encoding="utf-8"))
    packed = gzip.compress(content, 9, mtime=0)
    digest = hashlib.sha256(content).hexdigest()[:DIGITS]
    etag = f'"{digest}"'.encode()
    day = f"public, max-age={DAY_SECONDS}".encode()
    year = f"public, max-age={YEAR_SECONDS}, immutable".encode()
    pinned = f"/t/{digest}/tierwise.js"
    return {
        "/t/v1/tierwise.js": File(content, packed, etag, day),
        pinned: File(content, packed, etag, year),
    }, pinned


FILES, PINNED = made()


def integrity() -> str:
    """For the attribute of that name."""
    digest = hashlib.sha384(FILES[PINNED].content).digest()
    return "sha384-" + base64.b64encode(digest).decode()


def tag(url: str, key: str, asks_consent: bool = False, is_pinned: bool = False) -> str:
    """What a page needs. url: of the intake, as browsers reach it."""
    path = PINNED if is_pinned else "/t/v1/tierwise.js"
    attributes = {"src": url.rstrip("/") + path, "data-key": key}
    attributes |= {"data-consent": "ask"} if asks_consent else {}
    if is_pinned:
        attributes |= {"integrity": integrity(), "crossorigin": "anonymous"}
    text = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<script async {text}></script>"
