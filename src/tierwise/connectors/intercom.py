"""Intercom's REST API 2.15, read only: nothing lost, nothing read half, the token in no message.

Every call here only reads, so each may be repeated; the one that may not is the next page of a
scroll, see intercom_pages.py. What an answer means:

2xx with the JSON we expect      taken
broken JSON, HTML, 5xx, silence  tried again, later each time, then NoAnswer
429                              nobody sends anything until the window's end, as the server says
401, 403 with JSON               InputError: the token, or what it may do
another 4xx, a redirect          Refused: this one call won't do

A wait of `patience_seconds` or more is not sat out: OutOfTokens says when to go on.
"""

import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx

from tierwise.connectors.allowance import OutOfTokens
from tierwise.connectors.answers import NoAnswer, Verdict, parsed
from tierwise.connectors.calling import answer_time, backoff_seconds, must_be_safe, token
from tierwise.files import InputError, Unfinished

VERSION = "2.15"
REGIONS = {
    "us": "https://api.intercom.io",
    "eu": "https://api.eu.intercom.io",
    "au": "https://api.au.intercom.io",
}
WINDOW_SECONDS = 10.0  # 10,000 calls a minute are given out in windows of this length
LONGEST_PAUSE_SECONDS = 86_400.0  # a reset that is further away is no time at all


class Refused(Unfinished):
    """A 4xx or a redirect about one call. status: the HTTP status."""

    def __init__(self, status: int, what: str, why: str) -> None:
        super().__init__(f"Intercom refuses {what} ({status}): {why}.")
        self.status = status


class Answer(NamedTuple):
    """content: the JSON object. answered_at: the server's time in UTC, None if it tells none."""

    content: dict[str, Any]
    answered_at: datetime | None


class Client:
    """Calls of one app, whose access token is in the environment variable `token_name`.

    region: a key of REGIONS, where the workspace is hosted. base_url: another address instead,
    without the slash at the end. clock gives seconds since 1970. Raises InputError where the token
    is missing, the region unknown, or the token would travel unencrypted.
    """

    def __init__(
        self,
        token_name: str = "INTERCOM_ACCESS_TOKEN",
        region: str = "us",
        *,
        base_url: str | None = None,
        transport: httpx.BaseTransport | None = None,
        tries_count: int = 8,
        timeout_seconds: float = 30.0,
        patience_seconds: float = 300.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url or address(region)
        must_be_safe(self.base_url, "Intercom")
        token(token_name, "Intercom")
        self.token_name, self.tries_count = token_name, tries_count
        self.patience_seconds, self.clock, self.sleep = patience_seconds, clock, sleep
        self.quiet_until = 0.0
        self.http = httpx.Client(transport=transport, timeout=timeout_seconds, auth=self.sign)

    def sign(self, request: httpx.Request) -> httpx.Request:
        # Only here, so that no object of ours holds the token.
        request.headers["authorization"] = f"Bearer {token(self.token_name, 'Intercom')}"
        request.headers["intercom-version"] = VERSION
        return request

    def close(self) -> None:
        self.http.close()

    def call(
        self,
        method: str,
        path: str,
        rows_name: str | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        tries_count: int | None = None,
    ) -> Answer:
        """A good answer; rows_name: where a list has its rows, None for a single object.

        tries_count: after so many answers of no use it ends; a 429 is none of them, because nothing
        was done. Raises OutOfTokens, NoAnswer, Refused, InputError.
        """
        what, tries_count, reason = f"{method} {path}", tries_count or self.tries_count, ""
        tried_count = limited_count = 0
        while tried_count < tries_count:
            answer = self.send(method, path, params, body)
            found = self.judged(answer, what, rows_name, limited_count)
            if found.content is not None and isinstance(answer, httpx.Response):
                return Answer(found.content, answer_time(answer.headers))
            reason = found.reason
            if reason == "429":
                limited_count += 1
                if limited_count < self.tries_count:
                    continue
                break
            tried_count += 1
            if tried_count < tries_count:
                self.sleep(backoff_seconds(tried_count))
        raise NoAnswer(
            f"No usable answer to {what} in {tried_count + limited_count} tries; the last: "
            f"{reason}. Nothing is lost; load again."
        )

    def send(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
    ) -> httpx.Response | httpx.RequestError:
        self.wait()
        try:
            return self.http.request(method, self.base_url + path, params=params, json=body)
        except httpx.RequestError as error:
            return error

    def wait(self) -> None:
        """Until the window opens again. Raises OutOfTokens where that would take too long."""
        left_seconds = self.quiet_until - self.clock()
        if left_seconds >= self.patience_seconds:
            raise OutOfTokens("Intercom told us to wait.", self.quiet_until)
        if left_seconds > 0:
            # A hair more, or rounding has us wake up just before the time.
            self.sleep(left_seconds + 0.001)

    def judged(
        self,
        answer: httpx.Response | httpx.RequestError,
        what: str,
        rows_name: str | None,
        limited_count: int,
    ) -> Verdict:
        if isinstance(answer, httpx.RequestError):
            return Verdict(reason=type(answer).__name__)
        until_reset = reset_seconds(answer.headers, self.clock())
        if answer.status_code == 429:
            pause_seconds = until_reset or WINDOW_SECONDS * 2**limited_count
            self.quiet_until = self.clock() + pause_seconds
            return Verdict(reason="429", pause_seconds=pause_seconds)
        spent = answer.headers.get("x-ratelimit-remaining") == "0"
        if spent and until_reset and until_reset <= WINDOW_SECONDS:
            self.quiet_until = self.clock() + until_reset  # rather than to be told 429 first
        return verdict(answer, what, rows_name, self.token_name)


def verdict(answer: httpx.Response, what: str, rows_name: str | None, token_name: str) -> Verdict:
    """What an answer other than 429 means. Raises InputError for 401 and 403, else Refused."""
    status, content = answer.status_code, parsed(answer.content)
    if status == 401:
        raise InputError(
            f"Intercom doesn't know the access token in {token_name} (401 to {what}): it was "
            "revoked, mistyped, or belongs to a workspace of another region. Copy it anew from "
            "Intercom's Developer Hub, or correct the region."
        )
    if status == 403 and content is not None:
        raise InputError(
            f"The app of the access token in {token_name} may not {what} (403). Let it read "
            "contacts, companies, conversations and events in Intercom's Developer Hub."
        )
    if status in (403, 408) or status >= 500:
        return Verdict(reason=str(status) if content else f"{status} without JSON")
    if status >= 300:
        raise Refused(status, what, said(content, token(token_name, "Intercom")))
    odd = "no JSON object" if content is None else oddity(content, rows_name)
    return Verdict(reason=odd) if odd else Verdict(content)


def said(content: dict[str, Any] | None, secret: str) -> str:
    """The server's own words, without the token and without e-mail addresses."""
    errors = (content or {}).get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    words = first.get("message") if isinstance(first, dict) else None
    if not isinstance(words, str):
        return "no reason given"
    return re.sub(r"\S+@\S+", "…", words.replace(secret, "…"))[:200]


def oddity(content: dict[str, Any], rows_name: str | None) -> str:
    """What is wrong with an envelope, "" if nothing is."""
    if rows_name is None:
        return "" if isinstance(content.get("id"), str) else "the object has no id"
    rows, more = content.get(rows_name), content.get("pages")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return f"{rows_name} is no list of objects"
    if more is None:  # scrolls have none; whether a list may lack it, its page source knows
        return ""
    following = more.get("next") if isinstance(more, dict) else 0
    if isinstance(following, dict):
        following = following.get("starting_after", 0)
    is_right = following is None or (isinstance(following, str) and following != "")
    return "" if is_right else "pages.next is neither a cursor nor an address"


def reset_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the window ends, above 0; None where the server doesn't say.

    The reset is a moment of the server's clock: ours, `now`, counts only if it tells no time.
    """
    told = answer_time(headers)
    try:
        reset_at = float(headers.get("x-ratelimit-reset", ""))
    except ValueError:
        return None
    if not math.isfinite(reset_at):
        return None
    seconds = reset_at - (told.replace(tzinfo=UTC).timestamp() if told else now)
    return max(seconds, 1.0) if seconds <= LONGEST_PAUSE_SECONDS else None


def address(region: str) -> str:
    if region in REGIONS:
        return REGIONS[region]
    raise InputError(
        f"Intercom has no region '{region}'; name one of {', '.join(REGIONS)}, as in the address "
        "of its settings."
    )
