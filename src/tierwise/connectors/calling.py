"""What every client of somebody else's API needs: a safe address, a token, clocks, patience."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from tierwise.files import InputError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LONGEST_BACKOFF_SECONDS = 60.0


def must_be_safe(url: str, whose: str) -> None:
    """Raises InputError for an address over which the token would travel unencrypted."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return
    raise InputError(
        f"{whose}'s address must begin with https://, so that nobody reads the token on its way; "
        f"'{url}' doesn't."
    )


def token(name: str, whose: str) -> str:
    """The token in an environment variable.

    Raises InputError, which never quotes it, if it is missing or malformed.
    """
    value = os.environ.get(name, "").strip()
    # A line feed inside would make the HTTP library quote the header in its error.
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        state = "malformed" if value else "not set"
        raise InputError(
            f"The environment variable {name} is {state}. Put {whose}'s API token there."
        )
    return value


def answer_time(headers: Mapping[str, str]) -> datetime | None:
    """The server's clock when it answered, in UTC without a zone; None if it doesn't tell."""
    try:
        found = parsedate_to_datetime(headers.get("date", ""))
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError):
        return None


def backoff_seconds(attempt: int) -> float:
    """Before the next try; attempt: how many have failed."""
    return min(2.0 ** (attempt - 1), LONGEST_BACKOFF_SECONDS)
