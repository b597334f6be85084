"""Keys of the API: who may ask for scores, who may read, who may see the metrics.

    tw_<id>_<secret>    id: 12 hex digits, no secret, stands in lists and logs
                        secret: 64 hex digits, 256 random bits, shown once when the key is made

The file keeps SHA-256 of secrets and no secret. A slow hash such as Argon2 is for passwords, which
people choose and others guess. 2**256 random secrets can't be guessed however quick the hash is,
and a slow one would let strangers keep the server busy with wrong keys.

A running server sees at once what was made or revoked: it reads the file anew when that changes.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from tierwise.files import InputError, replacing
from tierwise.locks import held

SCOPES = ("score", "read", "metrics")
ID_BYTES, SECRET_BYTES = 6, 32
FORM = re.compile(r"tw_([0-9a-f]{12})_([0-9a-f]{64})", re.ASCII)
NOBODY = hashlib.sha256(b"").hexdigest()  # compared with where the id is unknown: same time

Now = Callable[[], datetime]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Record(BaseModel, extra="forbid", strict=True):
    """One key as the file has it; times as ISO text in UTC, revoked_at "" while it is valid."""

    id: Annotated[str, Field(pattern="^[0-9a-f]{12}$")]
    sha256: Digest
    scopes: list[str]
    name: str
    created_at: str
    revoked_at: str


class Stored(BaseModel, extra="forbid", strict=True):
    keys: list[Record]


@dataclass(frozen=True)
class Key:
    """A key without its secret."""

    id: str
    scopes: frozenset[str]
    name: str
    created_at: str
    revoked_at: str


def now() -> datetime:
    return datetime.now(UTC)


def create(path: Path, scopes: Iterable[str], name: str = "", clock: Now = now) -> str:
    """Add a key and return it whole; nobody can see its secret again.

    name: for whom it is. Raises InputError for a scope that is unknown, or none at all.
    """
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise InputError(
            f"A key needs one or more of the scopes {', '.join(SCOPES)}; given: "
            f"{', '.join(wanted) or 'none'}."
        )
    with held(beside(path)):
        records = read(path) if path.is_file() else []
        key_id, secret = secrets.token_hex(ID_BYTES), secrets.token_hex(SECRET_BYTES)
        made = Record(
            id=key_id,
            sha256=digest(secret),
            scopes=wanted,
            name=name,
            created_at=text(clock()),
            revoked_at="",
        )
        write(path, [*records, made])
    return f"tw_{key_id}_{secret}"


def listed(path: Path) -> list[Key]:
    """All keys, revoked ones too, in the order they were made. Raises InputError; see `read`."""
    return [shown(record) for record in read(path)]


def revoke(path: Path, key_id: str, clock: Now = now) -> Key:
    """Make a key invalid from now on; again changes nothing. Raises InputError if it is unknown."""
    with held(beside(path)):
        records = read(path)
        place = next((at for at, one in enumerate(records) if one.id == key_id), None)
        if place is None:
            raise InputError(
                f"No key has the id {key_id!r}; the file has "
                f"{', '.join(one.id for one in records) or 'none'}. An id is the middle part of a "
                "key, tw_<id>_<secret>."
            )
        if not records[place].revoked_at:
            records[place] = records[place].model_copy(update={"revoked_at": text(clock())})
            write(path, records)
    return shown(records[place])


class Ring:
    """The keys of a file, for a server: `find` says whose a key is. For any number of threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state: tuple[tuple[int, ...], dict[str, Record]] = ((), {})
        self.records()

    def find(self, presented: str) -> Key | None:
        """The valid key, None for any other text. Raises InputError if the file can't be read.

        Takes as long for a wrong secret as for an id that was never given out.
        """
        parts = FORM.fullmatch(presented)
        records = self.records()
        record = records.get(parts[1]) if parts else None
        given = digest(parts[2] if parts else "-")
        is_right = hmac.compare_digest(given, record.sha256 if record else NOBODY)
        if record is None or not is_right or record.revoked_at:
            return None
        return shown(record)

    def records(self) -> dict[str, Record]:
        about = self.path.stat() if self.path.is_file() else None
        # A new file has another number, even when it is as long and made in the same instant.
        seen = (about.st_mtime_ns, about.st_size, about.st_ino) if about else ()
        if not seen or seen != self.state[0]:
            self.state = (seen, {record.id: record for record in read(self.path)})
        return self.state[1]


def read(path: Path) -> list[Record]:
    """Raises InputError where the file is missing, or isn't one that `create` wrote."""
    if not path.is_file():
        raise InputError(f"{path} is missing: there are no keys yet. Create one first.")
    try:
        return Stored.model_validate_json(path.read_bytes()).keys
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "all of it"
        raise InputError(
            f"{path} is no file of keys: {place}: {first['msg']}. Bring it back from a backup, or "
            "remove it and create new keys."
        ) from None


def write(path: Path, records: list[Record]) -> None:
    """For the owner of the file alone to read."""
    content = {"keys": [record.model_dump() for record in records]}
    with replacing(path) as partial:
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8", newline="\n")
        with partial.open("rb") as file:
            os.fsync(file.fileno())


def beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def shown(record: Record) -> Key:
    told = record.model_dump(exclude={"sha256", "scopes"})
    return Key(scopes=frozenset(record.scopes), **told)


def text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds")
