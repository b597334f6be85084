"""What was measured already, one JSON a line, so that a run that stopped can go on."""

import json
from pathlib import Path
from typing import Any

from tierwise.files import plain

DIGITS = 6


class Kept:
    """Figures by key, in a file that grows line by line; in memory alone without a path."""

    def __init__(self, path: Path | None, key: tuple[str, ...]) -> None:
        self.path, self.key = path, key
        lines = path.read_text().splitlines() if path and path.exists() else []
        self.rows = {self.place(row): row for row in map(json.loads, lines)}

    def place(self, row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.key)

    def find(self, *place: Any) -> dict[str, Any] | None:
        return self.rows.get(place)

    def add(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row as it is kept: plain and rounded."""
        row = plain(row, DIGITS)
        self.rows[self.place(row)] = row
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        return row
