"""What we change in the vendor's description before it judges: what may be null.

The description says of almost no field that it may be null, and at the same time that a deal needs
nothing but a title. Whoever takes it literally would have to leave out what is empty. The real API
gives null there. Our connector must take both, so the fake gives both, and these lines allow it.
Nothing else is changed: no request is made easier, no field is taken out.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

DEALS = ("/deals", "/deals/archived", "/deals/{id}")


@dataclass(frozen=True)
class Line:
    """In the answers of these paths (none: of all) these fields may be null. why: our reason."""

    fields: tuple[str, ...]
    paths: tuple[str, ...]
    why: str


LINES = (
    Line(("next_cursor",), (), "its own words: null when there are no more pages"),
    Line(("person_id", "org_id"), DEALS, "a deal can be made with a title alone"),
    Line(("won_time", "lost_time"), DEALS, "an open deal has neither; close_time may be null"),
    Line(("org_id",), ("/persons",), "a person can be made with a name alone"),
    Line(
        ("deal_id", "lead_id", "person_id", "org_id", "project_id"),
        ("/activities",),
        "an activity belongs to a deal or a lead or a project, hardly ever to all",
    ),
    Line(
        ("due_date", "due_time", "duration", "marked_as_done_time"),
        ("/activities",),
        "its own words: activities can be made without a date or time; not all are done",
    ),
    Line(("address",), ("/organizations",), "null in the same vendor's answers of v1"),
)


def applied(description: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """A changed copy, and in how many places each line has changed it."""
    changed = copy.deepcopy(description)
    counts = []
    for line in LINES:
        places = [
            place
            for path in line.paths or changed["paths"]
            for answer in answers(changed["paths"].get(path, {}))
            for place in named(answer, line.fields)
        ]
        for place in places:
            place["nullable"] = True
        counts.append(len(places))
    return changed, counts


def answers(path: dict[str, Any]) -> Iterator[Any]:
    for operation in path.values():
        if isinstance(operation, dict):
            yield from operation.get("responses", {}).values()


def named(inside: Any, names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The schemas of properties of these names, however deep, that don't allow null yet."""
    if isinstance(inside, list):
        for one in inside:
            yield from named(one, names)
    elif isinstance(inside, dict):
        for key, one in inside.items():
            if key == "properties":
                yield from (one[name] for name in names if name in one and not null(one[name]))
            if key != "example":
                yield from named(one, names)


def null(schema: dict[str, Any]) -> bool:
    return bool(schema.get("nullable"))
