"""Write keys: whose events they are, from where they may come, and which schema they follow.

    tww_<id>_<secret>   id: 12 hex digits, stands in lists and logs
                        secret: 32 hex digits, 128 random bits

    scope web      stands in pages, so everybody can read it: it is taken only from the origins it
                   names, at so many events a second, and can't bring events of the past
    scope server   is a secret: it is refused from a browser, which would show it to everybody

A key belongs to a source, such as the shop or its back office. Two keys of one source know each
other's event_ids, so that a key can be replaced while events are sent again.

The file keeps SHA-256 of secrets, for the reason that service/api_keys.py gives. A running server
sees at once what was made or revoked.
"""

import hmac
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from tierwise.files import InputError, replacing
from tierwise.intake import schemas
from tierwise.intake.schemas import Schema
from tierwise.locks import held
from tierwise.service.api_keys import NOBODY, Now, beside, digest, now, text

SCOPES = ("web", "server")
WEB, SERVER = SCOPES
ID_BYTES, SECRET_BYTES = 6, 16
FORM = re.compile(r"tww_([0-9a-f]{12})_([0-9a-f]{32})", re.ASCII)
SOURCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
ORIGIN = re.compile(r"https?://(\*\.)?[a-z0-9.-]+(:[0-9]{1,5})?", re.ASCII)
ANYWHERE = "*"
WEB_EVENTS_PER_SECOND = 1_000.0


class Key(BaseModel, extra="forbid", strict=True, frozen=True):
    """One key as the file has it, without its secret; times as ISO text in UTC.

    origins: of pages that may use it, "https://*.shop.example" for all below, "*" for all.
    schema_file: beside the project's other files, "" for none. events_per_second: 0 for no limit.
    revoked_at: "" while it is valid.
    """

    id: Annotated[str, Field(pattern="^[0-9a-f]{12}$")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    scope: Literal["web", "server"]
    source: str
    origins: list[str]
    schema_file: str
    events_per_second: Annotated[float, Field(ge=0)]
    created_at: str
    revoked_at: str

    def allows(self, origin: str) -> bool:
        """May events come from there? origin: "" where no browser sends them."""
        if self.scope == SERVER:
            return not origin
        return any(matches(origin, one) for one in self.origins if origin)


class Stored(BaseModel, extra="forbid", strict=True):
    keys: list[Key]


def matches(origin: str, allowed: str) -> bool:
    """Schemes, hosts and ports are compared whole, "*." stands for any number of names."""
    if allowed == ANYWHERE or origin == allowed:
        return True
    scheme, _, host = allowed.partition("://")
    begin = f"{scheme}://"
    return host.startswith("*.") and origin.startswith(begin) and origin.endswith(host[1:])


def create(
    path: Path,
    scope: str,
    source: str,
    origins: Sequence[str] = (),
    schema_file: str = "",
    events_per_second: float | None = None,
    clock: Now = now,
) -> str:
    """Add a key and return it whole; nobody can see its secret again.

    events_per_second: None for the default of its scope. Raises InputError for what can't be.
    """
    check(scope, source, origins)
    rate = WEB_EVENTS_PER_SECOND if scope == WEB else 0.0
    key_id, secret = secrets.token_hex(ID_BYTES), secrets.token_hex(SECRET_BYTES)
    made = Key(
        id=key_id,
        sha256=digest(secret),
        scope=scope,  # type: ignore[arg-type]
        source=source,
        origins=list(origins),
        schema_file=schema_file,
        events_per_second=rate if events_per_second is None else events_per_second,
        created_at=text(clock()),
        revoked_at="",
    )
    with held(beside(path)):
        write(path, [*(listed(path) if path.is_file() else []), made])
    return f"tww_{key_id}_{secret}"


def check(scope: str, source: str, origins: Sequence[str]) -> None:
    """Raises InputError."""
    if scope not in SCOPES:
        raise InputError(f"A write key has the scope web or server; given: '{scope}'.")
    if not SOURCE.fullmatch(source):
        raise InputError(
            f"A source is named by up to 40 small letters, digits, - and _; given: '{source}'."
        )
    wrong = [one for one in origins if one != ANYWHERE and not ORIGIN.fullmatch(one)]
    if wrong:
        raise InputError(
            f"An origin is a scheme and a host in small letters, such as https://shop.example, "
            f"with no path; given: '{wrong[0]}'."
        )
    if scope == WEB and not origins:
        raise InputError(
            "A key of the scope web stands in pages, where everybody can read it. Name the origins "
            "that may use it, such as https://shop.example."
        )
    if scope == SERVER and origins:
        raise InputError("A key of the scope server is refused from browsers: it has no origins.")


def revoke(path: Path, key_id: str, clock: Now = now) -> Key:
    """Make a key invalid from now on; again changes nothing. Raises InputError if it is unknown."""
    with held(beside(path)):
        found = listed(path)
        place = next((at for at, one in enumerate(found) if one.id == key_id), None)
        if place is None:
            raise InputError(
                f"No write key has the id {key_id!r}; the file has "
                f"{', '.join(one.id for one in found) or 'none'}. An id is the middle part of a "
                "key, tww_<id>_<secret>."
            )
        if not found[place].revoked_at:
            found[place] = found[place].model_copy(update={"revoked_at": text(clock())})
            write(path, found)
    return found[place]


def listed(path: Path) -> list[Key]:
    """All keys, revoked ones too, in the order they were made.

    Raises InputError where the file is missing, or isn't one that `create` wrote.
    """
    if not path.is_file():
        raise InputError(
            f"{path} is missing: there are no write keys yet. `tierwise collect keys create` makes "
            "one."
        )
    try:
        return Stored.model_validate_json(path.read_bytes()).keys
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "all of it"
        raise InputError(
            f"{path} is no file of write keys: {place}: {first['msg']}. Bring it back from a "
            "backup, or remove it and create new keys."
        ) from None


def write(path: Path, found: list[Key]) -> None:
    """For the owner of the file alone to read."""
    with replacing(path) as partial:
        partial.touch(mode=0o600)
        partial.write_text(Stored(keys=found).model_dump_json(indent=1) + "\n", encoding="utf-8")
        with partial.open("rb") as file:
            os.fsync(file.fileno())


@dataclass(frozen=True)
class Allowed:
    """A valid key and what its events are checked against, None for no schema."""

    key: Key
    schema: Schema | None


class Ring:
    """The keys of a file with their schemas, for a server. root: where schema files are."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path, self.root = path, root
        self.seen: tuple[object, ...] = ()
        self.found: dict[str, Key] = {}
        self.schemas = schemas.Shelf(root)
        self.keys()

    def find(self, presented: str) -> Allowed | None:
        """The valid key, None for any other text.

        Takes as long for a wrong secret as for an id that was never given out. Raises InputError
        if the keys or the key's schema can't be read.
        """
        parts = FORM.fullmatch(presented)
        key = self.keys().get(parts[1]) if parts else None
        given = digest(parts[2] if parts else "-")
        is_right = hmac.compare_digest(given, key.sha256 if key else NOBODY)
        if key is None or not is_right or key.revoked_at:
            return None
        return Allowed(key, self.schemas.find(key.schema_file) if key.schema_file else None)

    def keys(self) -> dict[str, Key]:
        seen = schemas.state_of(self.path)
        if not seen or seen != self.seen:
            self.seen, self.found = seen, {key.id: key for key in listed(self.path)}
        return self.found
