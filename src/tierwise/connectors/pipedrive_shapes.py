"""The records of Pipedrive's API v2 (users and change logs: v1) as our tables need them.

What the API names but no table needs is declared as optional, so that only real news is told.
Who people are and what they wrote is never stored: no feature reads it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tierwise.connectors.raw_store import Version
from tierwise.connectors.shapes import Field, Shape

WHOLE, NUMBER, TEXT, FLAG, TIME, OBJECT, LIST = (
    Field(kind) for kind in ("whole", "number", "text", "flag", "time", "object", "list")
)
MAYBE_WHOLE, MAYBE_NUMBER, MAYBE_TEXT = (
    Field(kind, nullable=True) for kind in ("whole", "number", "text")
)
UNUSED = Field("any", nullable=True, optional=True)
DEAL_STATUSES = ("open", "won", "lost", "deleted")


def unused(*names: str) -> dict[str, Field]:
    return dict.fromkeys(names, UNUSED)


def optional(kind: str) -> Field:
    return Field(kind, nullable=True, optional=True)


PERSONAL = {
    "deals": frozenset({"title"}),
    "persons": frozenset(
        {"name", "first_name", "last_name", "emails", "phones", "picture_id", "postal_address"}
        | {"notes", "im", "birthday", "custom_fields"}
    ),
    "activities": frozenset(
        {"subject", "location", "participants", "attendees", "public_description", "note"}
        | {"conference_meeting_url", "conference_meeting_id"}
    ),
    "users": frozenset({"name", "email", "phone", "icon_url", "last_login"}),
}
DEALS = Shape(
    "deals",
    {
        "id": WHOLE,
        "add_time": TIME,
        "update_time": TIME,
        "stage_id": WHOLE,
        "owner_id": MAYBE_WHOLE,
        "person_id": MAYBE_WHOLE,
        "org_id": MAYBE_WHOLE,
        "value": MAYBE_NUMBER,
        "currency": MAYBE_TEXT,
        "status": Field("text", False, False, DEAL_STATUSES),
        "is_deleted": FLAG,
        "is_archived": FLAG,
        "custom_fields": Field("object", nullable=True),
        **dict.fromkeys(("stage_change_time", "won_time", "lost_time"), optional("time")),
        "archive_time": optional("time"),
        "origin": optional("text"),
        **unused("title", "creator_user_id", "pipeline_id", "close_time", "probability"),
        **unused("lost_reason", "visible_to", "expected_close_date", "label_ids", "origin_id"),
        **unused("channel", "channel_id", "source_lead_id", "arr", "mrr", "acv"),
        **unused("local_won_date", "local_lost_date", "local_close_date", "labels"),
    },
    keeps_versions=True,
    dropped=PERSONAL["deals"],
)
PERSONS = Shape(
    "persons",
    {
        "id": WHOLE,
        "add_time": TIME,
        "update_time": TIME,
        "is_deleted": FLAG,
        "org_id": MAYBE_WHOLE,
        "job_title": optional("text"),
        **unused("name", "first_name", "last_name", "owner_id", "emails", "phones", "visible_to"),
        **unused("label_ids", "labels", "picture_id", "postal_address", "notes", "im", "birthday"),
        **unused("custom_fields", "matched_by"),
    },
    keeps_versions=True,
    dropped=PERSONAL["persons"],
)
ORGANIZATIONS = Shape(
    "organizations",
    {
        "id": WHOLE,
        "add_time": TIME,
        "update_time": TIME,
        "is_deleted": FLAG,
        "address": optional("object"),
        "industry": optional("whole"),
        "employee_count": optional("number"),
        **unused("name", "owner_id", "org_id", "visible_to", "label_ids", "labels", "website"),
        **unused("linkedin", "annual_revenue", "custom_fields"),
    },
    keeps_versions=True,
)
ACTIVITIES = Shape(
    "activities",
    {
        "id": WHOLE,
        "add_time": TIME,
        "update_time": TIME,
        "is_deleted": FLAG,
        "type": TEXT,
        "done": FLAG,
        "deal_id": MAYBE_WHOLE,
        "owner_id": MAYBE_WHOLE,
        "due_date": optional("date or blank"),
        **dict.fromkeys(("due_time", "duration"), optional("clock or blank")),
        "marked_as_done_time": optional("time or blank"),
        **unused("subject", "creator_user_id", "lead_id", "person_id", "org_id", "project_id"),
        **unused("busy", "location", "participants", "attendees", "public_description", "note"),
        **unused("conference_meeting_client", "conference_meeting_url", "conference_meeting_id"),
        **unused("priority"),
    },
    dropped=PERSONAL["activities"],
)
USERS = Shape(
    "users",
    {
        "id": WHOLE,
        "created": TIME,
        "timezone_name": optional("text"),
        **unused("name", "email", "active_flag", "modified", "default_currency", "locale", "lang"),
        **unused("phone", "activated", "last_login", "role_id", "timezone_offset", "is_you"),
        **unused("is_admin", "is_deleted", "has_created_company", "icon_url", "access"),
    },
    updated=None,
    deleted=None,
    dropped=PERSONAL["users"],
)
STAGES = Shape(
    "stages",
    {
        "id": WHOLE,
        "name": TEXT,
        **unused("order_nr", "is_deleted", "deal_probability", "pipeline_id", "add_time"),
        **unused("is_deal_rot_enabled", "days_to_rotten", "update_time"),
    },
    updated=None,
)
FIELD_PARTS = {
    "field_code": TEXT,
    "field_name": TEXT,
    "field_type": TEXT,
    "is_custom_field": FLAG,
    "options": Field("list", nullable=True, optional=True),
    **unused("description", "subfields", "is_optional_response_field", "ui_visibility"),
    **unused("important_fields", "required_fields"),
}
DEAL_FIELDS = Shape("deal_fields", FIELD_PARTS, key="field_code", updated=None, deleted=None)
ORGANIZATION_FIELDS = Shape(
    "organization_fields", FIELD_PARTS, key="field_code", updated=None, deleted=None
)
CHANGES = Shape(
    "deal_changes",
    {
        "id": TEXT,
        "deal_id": WHOLE,
        "field_key": TEXT,
        "time": TIME,
        **dict.fromkeys(("old_value", "new_value"), Field("any", nullable=True)),
        **unused("actor_user_id", "change_source", "change_source_user_agent"),
        **unused("is_bulk_update_flag"),
    },
    updated="time",
    deleted=None,
)
UNREADABLE = "unreadable "  # before the state of a deal whose log isn't there
# What of a deal may leave a trace in its change log that a table reads. Not update_time: our own
# write-back moves it, and reading the logs of all those deals would cost more than the writing.
LOGGED = (
    *("stage_id", "stage_change_time", "value", "currency", "owner_id", "status", "won_time"),
    *("lost_time", "is_deleted", "is_archived"),
)


def is_ours(name: str, prefix: str, names: Iterable[str] = ()) -> bool:
    """A field that we write ourselves, by its readable name."""
    return name.lower().startswith(prefix.lower()) or name in names


def deals_without(
    deal_fields: list[dict[str, Any]], prefix: str, names: Iterable[str] = ()
) -> Shape:
    """The shape of deals in which our own fields make no version."""
    ours = {
        f"custom_fields.{field['field_code']}"
        for field in deal_fields
        if is_ours(field["field_name"], prefix, names)
    }
    return replace(DEALS, ignored=DEALS.ignored | ours)


def change_records(deal_id: int, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries of a deal's change log, which have neither an id nor their deal, with both."""
    return [{**record, "deal_id": deal_id, "id": change_key(deal_id, record)} for record in records]


def change_key(deal_id: int, record: Mapping[str, Any]) -> str:
    """The same for the same change, however often it is read."""
    told = [record.get(name) for name in ("field_key", "time", "old_value", "new_value")]
    text = json.dumps([deal_id, *told], sort_keys=True)
    return f"{deal_id}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def log_state(deal: Mapping[str, Any]) -> str:
    """Text that changes when the deal's change log may have grown by something we read."""
    return json.dumps([deal.get(name) for name in LOGGED])


def logs_to_walk(deals: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(id, state) of all deals for `pages.walk`: open ones first, then the latest."""
    order = sorted(deals, key=lambda deal: (deal["status"] != "open", -deal["id"]))
    return [(str(deal["id"]), log_state(deal)) for deal in order]


def by_id(versions: list[Version]) -> dict[int, list[Version]]:
    """Versions of each record, in the order in which they came."""
    found: dict[int, list[Version]] = {}
    for version in versions:
        found.setdefault(version.record["id"], []).append(version)
    return found
