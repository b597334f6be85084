"""Signed links: whose link it is, for which campaign, made when. Nobody can make one for another.

    token     1.PERSON.CAMPAIGN.SECONDS.SIGNATURE, the part of a link after ?ref=
    code      twelve letters and digits, to be typed at sign-up: the link_id of the tables

The signature is HMAC-SHA256 (RFC 2104) of all that stands before it, cut to 128 bits; the code is
60 bits of another HMAC of the same, in the alphabet of Crockford's base 32: no I, L, O or U.
A link holds a number and a campaign, never a name or a mail address. It is signed, not secret: who
has it can read it and pass it on, which is what links are for.

The key is in the environment variable TIERWISE_LINK_KEY: one key, or several with a blank between
them. The first one signs; links of all of them are good. So a key is replaced by putting a new one
before it, and the old one goes when its links are no longer in use.
"""

import base64
import hashlib
import hmac
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tierwise.files import InputError

KEY_NAME = "TIERWISE_LINK_KEY"
KEY_LENGTH_MIN = 32
PARAMETER = "ref"
CAMPAIGN = r"[a-z0-9][a-z0-9_-]{0,39}"
PAYLOAD = rf"1\.(0|[1-9][0-9]{{0,17}})\.({CAMPAIGN})\.(0|[1-9][0-9]{{0,11}})"
TOKEN = re.compile(rf"({PAYLOAD})\.([A-Za-z0-9_-]{{22}})")
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
READ_AS = str.maketrans("OIL", "011", " -")
CODE_LENGTH = 12
SKEW = timedelta(minutes=5)
NO_LINK = "This is no link of ours"


@dataclass(frozen=True)
class Link:
    """What a link says. link_id: also the code to be typed."""

    person_id: int
    campaign: str
    issued_at: datetime  # UTC, whole seconds
    link_id: str


def keys(name: str = KEY_NAME) -> list[bytes]:
    """The keys of the environment. Raises InputError, which never quotes one."""
    found = os.environ.get(name, "").split()
    short = [key for key in found if len(key) < KEY_LENGTH_MIN]
    if not found or short:
        state = f"has a key of only {len(short[0])} characters" if short else "is not set"
        raise InputError(
            f"The environment variable {name} {state}. Put a random text of {KEY_LENGTH_MIN} "
            "characters or more there, and keep it: links signed with another one are refused."
        )
    return [key.encode() for key in found]


def made(person_id: int, campaign: str, issued_at: datetime, keys: list[bytes]) -> tuple[str, Link]:
    """The token of a link, and what it says. issued_at: with a zone, or in UTC.

    Raises InputError for a campaign that is no short name, a negative id, and a time before 1970.
    """
    at = in_utc(issued_at)
    payload = f"1.{person_id}.{campaign}.{int(at.timestamp())}"
    if not re.fullmatch(PAYLOAD, payload):
        raise InputError(
            "A link needs a person_id of 0 or more, a campaign of at most 40 small letters, "
            f"digits, _ and -, and a time after 1970; not {person_id}, {campaign!r}, {issued_at}."
        )
    token = f"{payload}.{signature(payload, keys[0])}"
    return token, Link(person_id, campaign, at, code(payload, keys[0]))


def in_utc(at: datetime) -> datetime:
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.replace(microsecond=0)


def signature(payload: str, key: bytes) -> str:
    digest = hmac.new(key, f"link {payload}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def code(payload: str, key: bytes) -> str:
    digest = hmac.new(key, f"code {payload}".encode(), hashlib.sha256).digest()
    number = int.from_bytes(digest[:8], "big")
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(CODE_LENGTH))


def read(
    token: str,
    keys: list[bytes],
    now: datetime | None = None,
    oldest_days: float | None = None,
) -> Link:
    """What a token says, if one of the keys signed it.

    now: when it was followed, UTC by default now; a link made more than 5 minutes later is refused,
    and one older than oldest_days, if given. Raises InputError, which does not say what is wrong
    with a signature.
    """
    found = TOKEN.fullmatch(token)
    if not found:
        raise InputError(f"{NO_LINK}: it reads 1.PERSON.CAMPAIGN.SECONDS.SIGNATURE.")
    payload, person, campaign, seconds, given = found.groups()
    signed = [hmac.compare_digest(signature(payload, key), given) for key in keys]
    if not any(signed):
        raise InputError(f"{NO_LINK}: its signature does not hold. Ask for a new link.")
    at = datetime.fromtimestamp(int(seconds), UTC)
    age = (datetime.now(UTC) if now is None else in_utc(now)) - at
    if age < -SKEW:
        raise InputError("This link was made after it was followed. Set the clock right.")
    if oldest_days is not None and age > timedelta(days=oldest_days):
        raise InputError(f"This link is {age.days} days old; it was good for {oldest_days:g} days.")
    return Link(int(person), campaign, at, code(payload, keys[signed.index(True)]))


def address(page: str, token: str) -> str:
    """The page with ?ref=TOKEN; other parameters of it stay. Raises InputError for no https."""
    parts = urlsplit(page)
    if parts.scheme != "https" or not parts.netloc:
        raise InputError(f"The page must be an address like https://example.com/join, not {page}.")
    query = [pair for pair in parse_qsl(parts.query, True) if pair[0] != PARAMETER]
    return urlunsplit(parts._replace(query=urlencode([*query, (PARAMETER, token)])))


def token_of(text: str) -> str:
    """The token of an address with ?ref=, or the text itself."""
    pairs = dict(parse_qsl(urlsplit(text).query)) if "?" in text else {}
    return pairs.get(PARAMETER, text.strip())


def typed(text: str) -> str:
    """A code as people type it, in the form of link_id: 7k3f-o2m9-xt4a is 7K3F02M9XT4A."""
    return text.upper().translate(READ_AS)
