"""One signed message to the receiver of our webhook, and what its answer means.

2xx                     taken
5xx, 429, 408, 425      tried again, later each time, as late as Retry-After says
timeout, reset          the same; the message may have arrived
410                     Gone: never again
a redirect              refused: nobody but the named host gets a message
another 4xx             InputError: it would be refused again
"""

import base64
import binascii
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from standardwebhooks import Webhook

from tierwise.connectors.answers import NoAnswer
from tierwise.connectors.calling import LOOPBACK, backoff_seconds
from tierwise.connectors.webhook_state import Message
from tierwise.files import InputError

SECRET_BYTES = (24, 64)  # as Standard Webhooks asks for
TRIES_COUNT = 8
PATIENCE_SECONDS = 300.0
LONGEST_WAIT_SECONDS = 86_400.0
TIMEOUT_SECONDS = 15.0
AGAIN = (408, 425, 429)  # and 5xx


class Gone(InputError):  # noqa: N818 - the receiver's wish
    """The receiver wants no message any more."""


class Later(NoAnswer):
    """The receiver wants to be left alone for long. go_on_at: until then, seconds since 1970."""

    def __init__(self, where: str, go_on_at: float) -> None:
        at = datetime.fromtimestamp(go_on_at, UTC)
        super().__init__(f"{where} asks for no message before {at:%Y-%m-%d %H:%M:%S} UTC.")
        self.go_on_at = go_on_at


@dataclass
class Post:
    """Where messages go and how. clock: seconds since 1970."""

    http: httpx.Client
    url: str
    secret_variables: Sequence[str]
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


def opened(
    url: str, secret_variables: Sequence[str], transport: httpx.BaseTransport | None = None
) -> Post:
    """Whoever opens it closes its `http`."""
    # A proxy must not see what goes to this machine without encryption.
    is_encrypted = httpx.URL(url).scheme == "https"
    http = httpx.Client(
        transport=transport,
        timeout=TIMEOUT_SECONDS,
        follow_redirects=False,
        trust_env=is_encrypted,
    )
    return Post(http, url, secret_variables)


def deliver(post: Post, message: Message) -> None:
    """Returns once it was answered with 2xx.

    Raises Gone, Later, InputError where the receiver refuses, NoAnswer after TRIES_COUNT tries.
    """
    where, reason = shown_address(post.url), ""
    for attempt in range(TRIES_COUNT):
        answer = posted(post, message)
        if isinstance(answer, httpx.Response):
            if answer.is_success:
                return
            refuse(answer.status_code, where, post.secret_variables)
            reason = str(answer.status_code)
        else:
            reason = type(answer).__name__  # its text could hold the address with its query
        if attempt + 1 < TRIES_COUNT:
            pause(post, where, answer, attempt)
    raise NoAnswer(f"No usable answer from {where} in {TRIES_COUNT} tries; the last: {reason}.")


def posted(post: Post, message: Message) -> httpx.Response | httpx.RequestError:
    """One try. Of the answer, status and headers are read, and no byte of the body."""
    headers = signed(message, post.secret_variables, post.clock())
    try:
        with post.http.stream("POST", post.url, content=message.body, headers=headers) as answer:
            return answer
    except httpx.RequestError as error:
        return error


def signed(message: Message, secret_variables: Sequence[str], now: float) -> dict[str, str]:
    """The headers, signed with each secret, the first one first."""
    at = datetime.fromtimestamp(math.floor(now), UTC)
    body = message.body.decode()
    signatures = [
        Webhook(secret).sign(message.id, at, body) for secret in secrets(secret_variables)
    ]
    return {
        "content-type": "application/json",
        "user-agent": "tierwise",
        "webhook-id": message.id,
        "webhook-timestamp": str(math.floor(now)),
        "webhook-signature": " ".join(signatures),
    }


def refuse(status: int, where: str, secret_variables: Sequence[str]) -> None:
    """Raises for an answer after which the same message need not be sent again."""
    if status == 410:
        raise Gone(
            f"{where} wants no message any more (410), so none is sent. Take its section out of "
            "params.yaml, or name another url."
        )
    if 300 <= status < 400:
        raise InputError(
            f"{where} leads to another address ({status}), and redirects are not followed. Put "
            "the final address into params.yaml, as url and among hosts."
        )
    if status in (401, 403):
        raise InputError(
            f"{where} refuses the signature ({status}). See that it has a secret of "
            f"{' or '.join(secret_variables)}, and that its clock is right."
        )
    if status == 413:
        raise InputError(f"{where} takes no message so long (413). Lower webhook's body_bytes.")
    if 400 <= status < 500 and status not in AGAIN:
        raise InputError(f"{where} refuses the message ({status}). Its log should say why.")


def pause(
    post: Post, where: str, answer: httpx.Response | httpx.RequestError, attempt: int
) -> None:
    """Wait before the next try. Raises Later where the receiver asks for long."""
    asked_seconds = 0.0
    if isinstance(answer, httpx.Response):
        asked_seconds = retry_after_seconds(answer.headers.get("retry-after", ""), post.clock())
    if asked_seconds > PATIENCE_SECONDS:
        raise Later(where, post.clock() + asked_seconds)
    post.sleep(max(asked_seconds, backoff_seconds(attempt + 1)))


def retry_after_seconds(text: str, now: float) -> float:
    """Retry-After, as seconds or as a date; 0 where there is none. Of a day at most."""
    if text.isascii() and text.strip().isdigit():
        return min(float(text), LONGEST_WAIT_SECONDS)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at.timestamp() - now, 0.0), LONGEST_WAIT_SECONDS)


# What it needs


def must_be_allowed(url: str, hosts: Sequence[str]) -> None:
    """Raises InputError unless the address is encrypted (or on this machine) and among hosts."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InputError("webhook's url is no address. Give one such as https://...") from error
    if parts.userinfo:
        raise InputError(
            "webhook's url holds a name or a password. Take it out: messages are signed, and logs "
            "would keep it."
        )
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.host in LOOPBACK)
    if not is_safe or not parts.host:
        raise InputError(
            f"webhook's url must begin with https://, so that nobody reads what is sent; "
            f"'{shown_address(url)}' doesn't."
        )
    if parts.host.lower() not in [host.lower() for host in hosts]:
        raise InputError(
            f"webhook's url leads to '{parts.host}', and hosts has {', '.join(hosts)}. Add it "
            "there if it is yours."
        )


def shown_address(url: str) -> str:
    """Without its query, where some put keys."""
    parts = httpx.URL(url)
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}{parts.path}"


def secrets(variables: Sequence[str]) -> list[str]:
    """Raises InputError, which never quotes it, for one that is missing or malformed."""
    found = []
    for name in variables:
        value = os.environ.get(name, "").strip()
        if not value:
            raise InputError(
                f"The environment variable {name} is not set. Put the secret of the webhook there: "
                "whsec_ and 24 to 64 random bytes in base64."
            )
        if not is_secret(value):
            raise InputError(
                f"The environment variable {name} holds no secret of a webhook: it must be whsec_ "
                f"and {SECRET_BYTES[0]} to {SECRET_BYTES[1]} random bytes in base64."
            )
        found.append(value)
    return found


def is_secret(value: str) -> bool:
    start, _, rest = value.partition("_")
    try:
        length = len(base64.b64decode(rest + "=" * (-len(rest) % 4), validate=True))
    except (binascii.Error, ValueError):
        return False
    return start == "whsec" and SECRET_BYTES[0] <= length <= SECRET_BYTES[1]
