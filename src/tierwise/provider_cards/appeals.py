"""Notes of appeals against a rank, kept in a file that is only ever added to.

data/appeals/<application>.jsonl: provider_id, at, note, decision. A note is read by people; it
moves no score.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tierwise.locks import held

NOTE_MAX_CHARACTERS = 2_000
DECISIONS = ("open", "accepted", "refused")


def path_of(root: Path, application: str) -> Path:
    return root / "data" / "appeals" / f"{application}.jsonl"


def add(root: Path, application: str, provider_id: int, note: str, decision: str) -> Path:
    """Add a note. Raises InputError for an empty or long one, or an unknown decision."""
    from tierwise.files import InputError

    note = note.strip()
    if not 0 < len(note) <= NOTE_MAX_CHARACTERS:
        raise InputError(
            f"--note must have 1 to {NOTE_MAX_CHARACTERS:,} characters, found {len(note):,}."
        )
    if decision not in DECISIONS:
        raise InputError(f"--decision {decision!r} must be one of {', '.join(DECISIONS)}.")
    path = path_of(root, application)
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"provider_id": provider_id, "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"}
    line = json.dumps(told | {"note": note, "decision": decision})
    with held(path.with_suffix(".lock")), path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
    return path


def of(root: Path, application: str, provider_id: int) -> list[dict[str, Any]]:
    """Notes about a provider in the order in which they were added; [] without any."""
    path = path_of(root, application)
    if not path.is_file():
        return []
    told = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [one for one in told if one["provider_id"] == provider_id]
