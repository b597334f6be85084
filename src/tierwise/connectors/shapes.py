"""What a record of somebody else's API must look like, and which records don't.

A record that breaks a rule is set aside with field and rule, and the others go on. A page stops
the load, and nothing of it is kept, where the API itself seems to have changed: when more than
`broken_share_max` of its records break a rule, or a declared field is in none of them. A page of
fewer than three records says nothing about the API, so its records are only set aside.

Fields that nobody declared are no error: they stay in the record's content and are told once.
"""

import difflib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tierwise.files import InputError
from tierwise.refusals import EXAMPLES_COUNT, FINITE, LISTED, example

RECORDS_COUNT_MIN = 3  # fewer records of a page say nothing about the API
INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
ID_LENGTH_MAX = 200  # characters
THERE = "must be there, with null where it is empty"
NOT_NULL = "must not be null"


@dataclass(frozen=True)
class Field:
    """kind: a key of KINDS. nullable: null is allowed. optional: the whole field may be absent.

    values: the only texts allowed, if any are named.
    """

    kind: str
    nullable: bool = False
    optional: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shape:
    """The records of one entity.

    key: the field that tells records apart. updated: the field with the time of the last change,
    None if there is none. deleted: a yes-or-no field that marks what was deleted.
    keeps_versions: every content is kept, not only the latest.
    ignored: dotted names ("update_time", "custom_fields.ab12"); a change of these alone makes no
    new version. dropped: fields that are never stored, not even in quarantine.
    """

    entity: str
    fields: Mapping[str, Field]
    key: str = "id"
    updated: str | None = "update_time"
    deleted: str | None = "is_deleted"
    keeps_versions: bool = False
    ignored: frozenset[str] = frozenset({"update_time"})
    broken_share_max: float = 0.1
    dropped: frozenset[str] = frozenset()


class Broken(NamedTuple):
    """A record that was set aside. content: its JSON."""

    record_id: str
    field: str
    rule: str
    content: str
    shown: str


def instant(text: str) -> datetime:
    """A time in UTC, without a zone, from ISO 8601; a time without a zone is UTC already.

    Raises ValueError for anything else.
    """
    if not INSTANT.fullmatch(text):
        raise ValueError(f"no time: {text!r}")
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError) as error:  # 30 February; 0001-01-01 east of Greenwich
        raise ValueError(f"no time: {text!r}") from error


def reads_as_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(instant(value))
    except ValueError:
        return False


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def is_number(value: Any) -> bool:
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def matches(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value))


# kind -> what holds for a value, and how a message says so
KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "whole": (is_whole, "must be a whole number"),
    "number": (is_number, "must be a number"),
    "text": (lambda value: isinstance(value, str), "must be text"),
    "flag": (lambda value: isinstance(value, bool), "must be true or false"),
    "time": (reads_as_time, "must be a time such as 2026-03-29T14:05:00Z"),
    "time or blank": (
        lambda value: value == "" or reads_as_time(value),
        "must be a time such as 2026-03-29T14:05:00Z, or empty",
    ),
    "date or blank": (
        lambda value: value == "" or (reads_as_time(value) and len(value) == 10),
        "must be a date such as 2026-03-29, or empty",
    ),
    "clock or blank": (
        matches(r"([0-9]{1,3}:[0-5][0-9](:[0-5][0-9])?)?"),
        "must be hours and minutes such as 14:05, or empty",
    ),
    "any": (lambda value: True, ""),
    "object": (lambda value: isinstance(value, dict), "must be an object"),
    "list": (lambda value: isinstance(value, list), "must be a list"),
    "plain": (
        lambda value: is_number(value) or isinstance(value, str | bool),
        "must be text, a number, true or false",
    ),
}


def with_ids(shape: Shape, records: Any) -> list[dict[str, Any]]:
    """The records without what is never stored.

    Raises InputError for what is no list of objects with an id.
    """
    if not isinstance(records, list):
        raise InputError(
            f"{shape.entity}: a page must be a list of records, not {type(records).__name__}. "
            "Nothing of it was kept; load again."
        )
    for place, record in enumerate(records, 1):
        key = record.get(shape.key) if isinstance(record, dict) else None
        if not is_whole(key) and not (isinstance(key, str) and 0 < len(key) <= ID_LENGTH_MAX):
            kind = type(key).__name__ if isinstance(record, dict) else type(record).__name__
            found = f"its {shape.key} is {kind}" if isinstance(record, dict) else f"it is {kind}"
            raise InputError(
                f"{shape.entity}: record {place} of a page of {len(records)} must be an object "
                f"whose {shape.key} is a whole number or text; {found}. Nothing of this page was "
                "kept; load again."
            )
    return [without(record, shape.dropped) for record in records]


def judged(
    shape: Shape, records: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[Broken]]:
    """Records that keep every rule, and those that don't, in the order of the page.

    Raises InputError that names field, rule and first records if the page as a whole is broken.
    """
    must_not_vanish(shape, records)
    found = [broken(shape, record) for record in records]
    aside = [one for one in found if one]
    if len(aside) >= RECORDS_COUNT_MIN and len(aside) > shape.broken_share_max * len(records):
        raise InputError(too_many(shape, aside, len(records)))
    good = [record for record, one in zip(records, found, strict=True) if one is None]
    return good, aside


def must_not_vanish(shape: Shape, records: list[dict[str, Any]]) -> None:
    if len(records) < RECORDS_COUNT_MIN:
        return
    there = set().union(*records)
    for name, field in shape.fields.items():
        if name in there or field.optional:
            continue
        new = sorted(there - set(shape.fields))
        near = difflib.get_close_matches(name, new, 1, 0.5)
        nearest = f" The nearest new field is {near[0]}." if near else ""
        first = ", ".join(str(record[shape.key]) for record in records[:EXAMPLES_COUNT])
        raise InputError(
            f"{shape.entity}, field {name}: {THERE}. None of {len(records)} records of a page "
            f"has it, first: {shape.key} {first}.{nearest} Nothing of this page was kept. If the "
            "API has changed, the declared shape must follow."
        )


def too_many(shape: Shape, aside: list[Broken], records_count: int) -> str:
    field, rule = aside[0].field, aside[0].rule
    same = [one for one in aside if (one.field, one.rule) == (field, rule)]
    others = len(aside) - len(same)
    also = f" {others} more break other rules." if others else ""
    return (
        f"{shape.entity}, field {field}: {rule}. {len(same)} of {records_count} records of a page "
        f"break this rule, first: {'; '.join(one.shown for one in same[:EXAMPLES_COUNT])}.{also} "
        f"At most {shape.broken_share_max:.0%} may be set aside, so nothing of this page was kept. "
        "If the API has changed, the declared shape must follow."
    )


def broken(shape: Shape, record: dict[str, Any]) -> Broken | None:
    """The first rule that the record breaks."""
    for name, field in shape.fields.items():
        rule = broken_rule(field, record[name]) if name in record else THERE
        if rule and not (rule == THERE and field.optional):
            return set_aside(shape, record, name, rule, record.get(name))
    found = unwritable(record)
    return set_aside(shape, record, *found) if found else None


def broken_rule(field: Field, value: Any) -> str:
    """How a declared field's value is wrong, "" if it is not."""
    if value is None:
        return "" if field.nullable else NOT_NULL
    if isinstance(value, float) and not math.isfinite(value):
        return FINITE
    holds, rule = KINDS[field.kind]
    if not holds(value):
        return f"{rule} or null" if field.nullable else rule
    if field.values and value not in field.values:
        return f"{LISTED} {', '.join(field.values)}"
    return ""


def set_aside(shape: Shape, record: dict[str, Any], name: str, rule: str, value: Any) -> Broken:
    key = record[shape.key]
    told = str(value) if isinstance(value, float) else value  # or NaN would be called missing
    shown = example({shape.key: key}, name, told, rule)
    return Broken(str(key), name, rule, json.dumps(record, sort_keys=True, default=str), shown)


def unwritable(record: dict[str, Any]) -> tuple[str, str, Any] | None:
    """Dotted name, rule and value of what no database of ours could keep, however deep it is."""
    left: list[tuple[str, Any]] = list(record.items())
    while left:
        name, value = left.pop()
        if isinstance(value, dict):
            left += [(f"{name}.{inner}", one) for inner, one in value.items()]
        elif isinstance(value, list):
            left += [(name, one) for one in value]
        elif isinstance(value, float) and not math.isfinite(value):
            return name, FINITE, value
        elif isinstance(value, str) and not is_unicode(value):
            return name, "must be text without halves of characters or zero bytes", value
        elif not isinstance(value, str | int | float | None):
            return name, "must be JSON", value
    return None


def is_unicode(text: str) -> bool:
    return not re.search("[\0\ud800-\udfff]", text)


def new_fields(shape: Shape, records: list[dict[str, Any]]) -> list[str]:
    """Names that the records have and the shape doesn't, sorted."""
    return sorted(set().union(*records) - set(shape.fields) - {shape.key})


def without(record: dict[str, Any], ignored: frozenset[str]) -> dict[str, Any]:
    """A copy that lacks the fields of these dotted names."""
    kept = {name: value for name, value in record.items() if name not in ignored}
    for name in ignored:
        outer, dot, inner = name.partition(".")
        if dot and isinstance(kept.get(outer), dict):
            kept[outer] = {key: value for key, value in kept[outer].items() if key != inner}
    return kept
