"""What an answer of Pipedrive means; nothing else decides that.

2xx with the JSON we expect   taken
broken JSON, 5xx, no answer   tried again, later each time
429                           everybody waits for as long as the server says
403 with a page of HTML       we were blocked for going on after a 429: a long pause
401, 403                      InputError: the token, or what it may do
another 4xx, a redirect       Refused: this one call won't do
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tierwise.connectors.calling import token
from tierwise.files import InputError, Unfinished

BLOCK_SECONDS = 600.0
TOKENS_LEFT = "x-daily-ratelimit-token-remaining"


class NoAnswer(Unfinished):
    """No usable answer, however often it was tried. It may have been applied or not."""


class Refused(Unfinished):
    """A 4xx about one call. status: the HTTP status."""

    def __init__(self, status: int, what: str, why: str) -> None:
        super().__init__(f"Pipedrive refuses {what} ({status}): {why}.")
        self.status = status


@dataclass(frozen=True)
class Verdict:
    """content: the whole JSON object, or None where the call must be repeated, and why.

    pause_seconds: how long nobody may send anything, 0 for as long as the caller likes, None for
    a number that the server should have told and didn't.
    """

    content: dict[str, Any] | None = None
    reason: str = ""
    pause_seconds: float | None = 0.0


def verdict(answer: httpx.Response, what: str, is_list: bool, token_name: str) -> Verdict:
    """What an answer means. Raises InputError for 401 and 403, Refused for another 4xx or a 3xx."""
    status, content = answer.status_code, parsed(answer.content)
    if status == 429:
        return Verdict(reason="429", pause_seconds=reset_seconds(answer.headers))
    if status == 401:
        raise InputError(
            f"Pipedrive doesn't know the API token in {token_name} (401 to {what}): it was "
            "revoked or mistyped. Copy it anew from Pipedrive's personal preferences, API."
        )
    if status == 403 and content is None:
        return Verdict(reason="403 with a page of HTML", pause_seconds=BLOCK_SECONDS)
    if status == 403:
        raise InputError(
            f"The user of the API token in {token_name} may not {what} (403). Let an "
            "administrator allow it, or take the token of a user who may."
        )
    if 300 <= status < 500 and status != 408:
        raise Refused(status, what, said(content, token(token_name, "Pipedrive")))
    if status >= 500 or status == 408:
        return Verdict(reason=str(status))
    odd = "no JSON object" if content is None else oddity(content, is_list, " /v1/" in what)
    return Verdict(reason=odd) if odd else Verdict(content)


def said(content: dict[str, Any] | None, secret: str) -> str:
    """The server's own words, without the token should it quote it."""
    words = (content or {}).get("error")
    return words.replace(secret, "…")[:200] if isinstance(words, str) else "no reason given"


def oddity(content: dict[str, Any], is_list: bool, is_v1_answer: bool) -> str:
    """What is wrong with an envelope, "" if nothing is. v1 leaves out what is empty."""
    data, more = content.get("data"), content.get("additional_data")
    if content.get("success") is not True:
        return "success isn't true"
    if not is_list:
        return "" if isinstance(data, dict) else "data is no object"
    if is_v1_answer:
        data, more = data or [], {"next_cursor": None} | (more or {})
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        return "data is no list of objects"
    if not isinstance(more, dict) or "next_cursor" not in more:
        return "additional_data has no next_cursor"
    cursor = more["next_cursor"]
    is_right = cursor is None or (isinstance(cursor, str) and cursor != "")
    return "" if is_right else "next_cursor is no text"


def parsed(body: bytes) -> dict[str, Any] | None:
    """A JSON object, None where it is cut short or something else."""
    try:
        content = json.loads(body, parse_constant=no_number)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def no_number(text: str) -> None:
    raise ValueError(f"{text} is no number in JSON")


def reset_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait after a 429, None where the server doesn't say.

    Where the day's tokens are spent, the end of the burst window is of no use.
    """
    if headers.get(TOKENS_LEFT) == "0":
        return BLOCK_SECONDS
    try:
        seconds = float(headers.get("x-ratelimit-reset", ""))
    except ValueError:
        return None
    return max(seconds, 0.001) if math.isfinite(seconds) else None
