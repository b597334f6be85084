"""The tables of a CRM, worked out once more from what dlt loaded; nothing of tierwise is used.

It follows what the docstrings of pipedrive_tables, pipedrive_fields and pipedrive_activities
promise, for a company without merges.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from typing import Any

Rows = list[dict[str, Any]]
KINDS = {"call": "call", "email": "mail", "meeting": "meeting", "lunch": "meeting"}
RATES_EUR = {"EUR": 1.0, "USD": 0.9}


def deals(deals: Rows, persons: Rows, fields: Rows) -> Rows:
    company_of = {one["id"]: one["org_id"] for one in persons}
    custom = [one for one in fields if one["is_custom_field"]]
    return [
        {
            "deal_id": one["id"],
            "organization_id": owner(one, company_of),
            "person_id": one["person_id"],
            "occurred_at": one["add_time"],
            "known_at": one["add_time"],
            "source": one["origin"],
            **{own["field_name"]: custom_value(one, own) for own in custom},
        }
        for one in deals
    ]


def owner(deal: Mapping[str, Any], company_of: Mapping[int, int | None]) -> int:
    if deal["org_id"] is not None:
        return deal["org_id"]
    if deal["person_id"] is None:
        return -2 * deal["id"] - 1
    found = company_of.get(deal["person_id"])
    return -2 * deal["person_id"] if found is None else found


def custom_value(deal: Mapping[str, Any], field: Mapping[str, Any]) -> Any:
    value = deal[f"custom_fields.{field['field_code']}"]
    labels = {int(one["id"]): one["label"] for one in field["options"] or []}
    if value in (None, "", []):
        return None
    if field["field_type"] == "enum":
        return labels[value]
    if field["field_type"] == "set":
        return "; ".join(sorted(labels[one] for one in value))
    if field["field_type"] == "monetary":
        return float(value["value"]) * RATES_EUR[value["currency"]]
    if field["field_type"] == "date":
        return datetime.combine(value, time())
    return value


def persons(persons: Rows) -> Rows:
    return [
        {
            "person_id": one["id"],
            "organization_id": -2 * one["id"] if one["org_id"] is None else one["org_id"],
            "known_at": one["update_time"],
            "job_title": one["job_title"] or None,
        }
        for one in persons
    ]


def organizations(organizations: Rows, fields: Rows, deals: Rows, persons: Rows) -> Rows:
    """Those of the CRM, and one without values for each that a deal or person stands for."""
    industry = next(one for one in fields if one["field_code"] == "industry")
    labels = {int(one["id"]): one["label"] for one in industry["options"]}
    found = [
        {
            "organization_id": one["id"],
            "known_at": one["update_time"],
            "industry": None if one["industry"] is None else labels[one["industry"]],
            "country": (one["address"] or {}).get("country"),
            "timezone": None,
            "employees_count": None if one["employee_count"] is None else one["employee_count"],
        }
        for one in organizations
    ]
    there = {one["id"] for one in organizations}
    first: dict[int, datetime] = {}
    for one in [*deals, *persons]:
        number = one["organization_id"]
        if number not in there:
            first[number] = min(first.get(number, one["known_at"]), one["known_at"])
    empty = dict.fromkeys(("industry", "country", "timezone", "employees_count"))
    return found + [{"organization_id": n, "known_at": at, **empty} for n, at in first.items()]


def activities(activities: Rows, deals: Iterable[int], until: datetime) -> Rows:
    there = set(deals)
    found = []
    for one in activities:
        kind = KINDS.get(one["type"])
        if one["is_deleted"] or kind is None or one["deal_id"] not in there:
            continue
        times = done(one) if one["done"] else missed(one, until)
        if times:
            minutes = clock(one["duration"]) if one["done"] else None
            found.append(
                {
                    "activity_id": str(one["id"]),
                    "deal_id": one["deal_id"],
                    "user_id": one["owner_id"],
                    "occurred_at": times[0],
                    "known_at": times[1],
                    "type": kind,
                    "done": one["done"],
                    "duration_minutes": None if minutes is None else minutes.seconds / 60,
                }
            )
    return found


def done(one: Mapping[str, Any]) -> tuple[datetime, datetime]:
    noted = max(one["marked_as_done_time"] or one["add_time"], one["add_time"])
    return min(due(one) or noted, noted), noted


def missed(one: Mapping[str, Any], until: datetime) -> tuple[datetime, datetime] | None:
    at = due(one)
    return None if at is None or at >= until else (at, max(at, one["add_time"]))


def due(one: Mapping[str, Any]) -> datetime | None:
    if one["due_date"] is None:
        return None
    day = datetime.combine(one["due_date"], time())
    return day + (timedelta(days=1) if one["due_time"] is None else clock(one["due_time"]))


def clock(text: str | None) -> timedelta | None:
    if text is None:
        return None
    hours, minutes, seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def options(rows: Rows) -> Rows:
    """Fields with their options as a list; a database gives them as text."""
    return [
        one | {"options": json.loads(one["options"]) if one["options"] else None} for one in rows
    ]
