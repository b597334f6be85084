"""Cells of two tables, one by one: same value and same type, or told."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from tierwise.connectors.shapes import instant

Row = Mapping[str, Any]
FIRST_COUNT = 10
# dlt's type of a column -> how our JSON is read for it
READ = {
    "bigint": int,
    "double": float,
    "bool": bool,
    "text": str,
    "timestamp": instant,
    "date": date.fromisoformat,
    "json": lambda value: value,
}


@dataclass
class Compared:
    """differing: all, as table, key, column, theirs, ours; the first ones are enough."""

    cells_count: int = 0
    rows_count: int = 0
    differing_count: int = 0
    first: list[tuple[Any, ...]] = field(default_factory=list)

    def tell(self, *difference: Any) -> None:
        self.differing_count += 1
        self.first += [difference] if len(self.first) < FIRST_COUNT else []


def ours(records: Iterable[Row], columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """Records of our raw store in the types of the columns; a name may be outer.inner."""
    return [
        {name: read(record, name, kind) for name, kind in columns.items()} for record in records
    ]


def read(record: Row, name: str, kind: str) -> Any:
    outer, dot, inner = name.partition(".")
    value = record.get(outer)
    value = (value or {}).get(inner) if dot else value
    return None if value is None else READ[kind](value)


def theirs(
    rows: Iterable[Row], columns: Mapping[str, str], called: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows of a database under our names. called: our name -> that of the column there."""
    return [
        {name: plain(row[called[name]], kind) for name, kind in columns.items()} for row in rows
    ]


def plain(value: Any, kind: str = "") -> Any:
    """Times without a zone, in UTC; JSON as what it says."""
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC).replace(tzinfo=None)
    return json.loads(value) if kind == "json" and isinstance(value, str) else value


def compare(table: str, key: str, one: Iterable[Row], other: Iterable[Row]) -> Compared:
    """one: theirs. A row that only one of them has counts with all its cells."""
    found = Compared()
    left, right = by_key(one, key), by_key(other, key)
    for number in sorted(set(left) | set(right), key=str):
        found.rows_count += 1
        here, there = left.get(number, {}), right.get(number, {})
        for name in sorted(set(here) | set(there)):
            found.cells_count += 1
            a, b = here.get(name, ...), there.get(name, ...)
            if type(a) is not type(b) or a != b:
                found.tell(table, number, name, a, b)
    return found


def by_key(rows: Iterable[Row], key: str) -> dict[Any, Row]:
    found: dict[Any, Row] = {}
    for row in rows:
        assert row[key] not in found, f"{key} {row[key]} is there twice"
        found[row[key]] = row
    return found
