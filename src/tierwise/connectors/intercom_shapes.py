"""Intercom's records, cut down to what a table of ours reads before anything of them is kept.

Nothing else may reach the database: not the text of a message, a name, a phone number, a picture,
an address of the post or of a computer. So `reduced` builds a new record from the declared fields.
Fields that nobody declared are named, with null for their value, so that they are told once. A
value of a kind that we don't expect is replaced by the name of its kind: the record is set aside
with field and rule, and what stood there is not kept in the quarantine either.

E-mail addresses serve to find the person in the CRM. What is kept is their HMAC, under a secret of
the environment. A salt in params.yaml would lie in the same repository as the code, and whoever has
it can try out all addresses he knows. To match at extraction and keep nothing would need the CRM
loaded first, and could never be made good for a person who is entered there later. An id that holds
an @ is an address as well. The HMAC begins with four digits that tell secrets apart.

Times come as whole seconds since 1970 and are kept as ISO 8601 in UTC, with a Z; what can't be
such a time (milliseconds, text) stays a number or is replaced, and breaks the rule of the field.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tierwise.connectors.shapes import Field, Shape, is_whole
from tierwise.files import InputError

SECRET_NAME = "TIERWISE_EMAIL_SECRET"
SECRET_LENGTH_MIN = 16  # characters
YEAR_10000 = 253_402_300_800  # seconds since 1970; a time in milliseconds is beyond it
WORD = re.compile(r"[A-Za-z0-9_.:\-]{1,200}")
ABSENT = object()

TEXT, TIME = Field("text"), Field("time")
MAYBE_TEXT, MAYBE_TIME = Field("text", nullable=True), Field("time", nullable=True)
MAYBE_IDS = Field("list", nullable=True, optional=True)

CONTACTS = Shape(
    "contacts",
    {
        "id": TEXT,
        "external_id": MAYBE_TEXT,
        "email_key": MAYBE_TEXT,
        "companies": MAYBE_IDS,
        "unsubscribed_from_emails": Field("flag", nullable=True),
        "created_at": TIME,
        "updated_at": TIME,
        "last_seen_at": MAYBE_TIME,
    },
    updated="updated_at",
    deleted=None,
    keeps_versions=True,
    ignored=frozenset({"updated_at", "last_seen_at", "unsubscribed_from_emails"}),
)
COMPANIES = Shape(
    "companies",
    {"id": TEXT, "company_id": MAYBE_TEXT, "updated_at": TIME},
    updated="updated_at",
    deleted=None,
)
CONVERSATIONS = Shape(
    "conversations",
    {
        "id": TEXT,
        "created_at": TIME,
        "updated_at": TIME,
        "source.type": TEXT,
        "source.delivered_as": MAYBE_TEXT,
        "contacts": Field("list"),
        "company.id": Field("text", nullable=True, optional=True),
        "first_contact_reply.created_at": Field("time", nullable=True, optional=True),
    },
    updated="updated_at",
    deleted=None,
)
EVENTS = Shape(
    "events",
    {
        "id": TEXT,
        "contact_id": TEXT,
        "event_name": TEXT,
        "created_at": TIME,
        "amount": Field("number", nullable=True),
    },
    updated="created_at",
    deleted=None,
)
CONTACT_STATES = Shape(
    "contact_states",
    {"id": TEXT, "gone": Field("flag"), "seen_at": TIME},
    updated="seen_at",
    deleted="gone",
)


class Take(NamedTuple):
    """path: where a value stands in Intercom's record, dotted. read: makes of it what is kept."""

    path: str
    read: Callable[[Any], Any]


class Reading(NamedTuple):
    """takes: by declared field. left_out: names that are known, and of no use to us."""

    takes: Mapping[str, Take]
    left_out: frozenset[str]


def unexpected(value: Any) -> Any:
    """A value of the wrong kind without what it says: no rule lets it pass."""
    return value if value is None or is_whole(value) else {"unexpected": type(value).__name__}


def time_of(value: Any) -> Any:
    if is_whole(value) and 0 < value < YEAR_10000:
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return unexpected(value)


def word(value: Any) -> Any:
    """An id, or one of Intercom's own words: nothing that anybody could have written."""
    return value if isinstance(value, str) and WORD.fullmatch(value) else unexpected(value)


def flag(value: Any) -> Any:
    return value if isinstance(value, bool) else unexpected(value)


def number(value: Any) -> Any:
    return value if isinstance(value, float) else unexpected(value)


def ids_in(name: str) -> Callable[[Any], Any]:
    """The ids of the objects that a list of Intercom's holds; it names no more than ten."""

    def read(value: Any) -> Any:
        rows = value.get(name) if isinstance(value, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return unexpected(value)
        ids = [word(row.get("id")) for row in rows]
        return ids if all(isinstance(one, str) for one in ids) else unexpected(value)

    return read


def identity(secret: str) -> Callable[[Any], Any]:
    """An id that the workspace gave; where it is an e-mail address, its key."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return unexpected(value)
        return known_as(value, secret)

    return read


def known_as(value: str, secret: str) -> str | None:
    value = value.strip()
    return email_key(value, secret) if "@" in value else value or None


def address(secret: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return unexpected(value)
        return email_key(value, secret) if value.strip() else None

    return read


def email_key(address: str, secret: str) -> str:
    """The same text for the same address, however it is spelt; tells nobody which one it is."""
    plain = address.strip().casefold()
    digest = hmac.new(secret.encode(), plain.encode(), hashlib.sha256).hexdigest()
    return f"{secret_mark(secret)}-{digest}"


def secret_mark(secret: str) -> str:
    """Four digits that differ between secrets, and don't help to guess one of some length."""
    return hmac.new(secret.encode(), b"", hashlib.sha256).hexdigest()[:4]


def email_secret(name: str = SECRET_NAME) -> str:
    """The secret of the environment. Raises InputError, which never quotes it, if it won't do."""
    value = os.environ.get(name, "").strip()
    if len(value) < SECRET_LENGTH_MIN:
        state = f"has only {len(value)} characters" if value else "is not set"
        raise InputError(
            f"The environment variable {name} {state}. Put a random text of {SECRET_LENGTH_MIN} "
            "characters or more there, and keep it: e-mail addresses of Intercom are stored as "
            "keys made with it, and another one matches nobody who was loaded before."
        )
    return value


def reading(entity: str, secret: str) -> Reading:
    """How records of contacts, companies or conversations are cut down."""
    name_of, times = identity(secret), ("created_at", "updated_at")
    own = {"id": Take("id", word)} | {name: Take(name, time_of) for name in times}
    takes = {
        "contacts": {
            **own,
            "last_seen_at": Take("last_seen_at", time_of),
            "external_id": Take("external_id", name_of),
            "email_key": Take("email", address(secret)),
            "companies": Take("companies", ids_in("data")),
            "unsubscribed_from_emails": Take("unsubscribed_from_emails", flag),
        },
        "companies": {
            "id": own["id"],
            "company_id": Take("company_id", name_of),
            "updated_at": own["updated_at"],
        },
        "conversations": {
            **own,
            "source.type": Take("source.type", word),
            "source.delivered_as": Take("source.delivered_as", word),
            "contacts": Take("contacts", ids_in("contacts")),
            "company.id": Take("company.id", word),
            "first_contact_reply.created_at": Take("first_contact_reply.created_at", time_of),
        },
    }[entity]
    return Reading(takes, LEFT_OUT[entity])


def reduced(found: Mapping[str, Any], how: Reading) -> dict[str, Any]:
    """A new record of the declared fields; undeclared ones are there with null."""
    told = {name: at(found, take.path) for name, take in how.takes.items()}
    kept = {name: how.takes[name].read(one) for name, one in told.items() if one is not ABSENT}
    known = {take.path.partition(".")[0] for take in how.takes.values()} | how.left_out
    return dict.fromkeys(name for name in found if name not in known) | kept


def at(record: Mapping[str, Any], path: str) -> Any:
    """ABSENT where the field is not there; a null on the way is null."""
    value: Any = record
    for name in path.split("."):
        if value is None:
            return None
        if not isinstance(value, Mapping):
            return [value]  # the outer field is no object any more, and no reader takes a list
        value = value.get(name, ABSENT)
        if value is ABSENT:
            return ABSENT
    return value


def event(
    found: Mapping[str, Any], contact_id: str, amounts: Mapping[str, str], secret: str
) -> dict[str, Any]:
    """An event of this contact. amounts: which number of its metadata is kept, by event_name.

    Intercom gives events no id of their own, and takes a second event of the same name at the same
    second for the same one: so do we.
    """
    takes = {
        "event_name": Take("event_name", identity(secret)),
        "created_at": Take("created_at", time_of),
    }
    kept = reduced(found, Reading(takes, LEFT_OUT["events"]))
    name, second = kept.get("event_name"), kept.get("created_at")
    key = hashlib.sha256(f"{name}\n{second}".encode()).hexdigest()[:16]
    where = amounts.get(name, "") if isinstance(name, str) else ""
    metadata = found.get("metadata") or {}
    amount = number(metadata.get(where) if isinstance(metadata, Mapping) else metadata)
    return {**kept, "id": f"{contact_id}-{key}", "contact_id": contact_id, "amount": amount}


def some(text: str) -> frozenset[str]:
    return frozenset(text.split())


LEFT_OUT = {
    "contacts": some(
        "type workspace_id role email_domain phone formatted_phone name owner_id has_hard_bounced "
        "marked_email_as_spam signed_up_at last_replied_at last_contacted_at last_email_opened_at "
        "last_email_clicked_at language_override browser browser_version browser_language os "
        "android_app_name android_app_version android_device android_os_version "
        "android_sdk_version android_last_seen_at ios_app_name ios_app_version ios_device "
        "ios_os_version ios_sdk_version ios_last_seen_at custom_attributes avatar tags notes "
        "location social_profiles opted_out_subscription_types opted_in_subscription_types "
        "sms_consent unsubscribed_from_sms referrer utm_campaign utm_content utm_medium "
        "utm_source utm_term enabled_push_messaging"
    ),
    "companies": some(
        "type app_id name plan remote_created_at created_at last_request_at size website industry "
        "monthly_spend session_count user_count custom_attributes tags segments notes"
    ),
    "conversations": some(
        "type title waiting_since snoozed_until open state read priority admin_assignee_id "
        "team_assignee_id tags conversation_rating teammates custom_attributes topics ticket "
        "sla_applied statistics conversation_parts linked_objects ai_agent_participated ai_agent"
    ),
    "events": some("type id user_id intercom_user_id email metadata"),
}
