"""From what was loaded from Intercom to rows of the tables events and activities of a CRM.

Every record that was loaded is a row or is counted under a reason: nothing is dropped in silence.

known_at is when an event happened, or since when the contact could be matched with the CRM if that
was later (a visitor who gave his address the day after, or was merged into a user): before that,
nobody could have counted the event for anybody. No later edit moves it. It can't be better than
what was loaded: a contact who was matched when we first saw it counts as matched since it was made.

Events of contacts that were archived or merged stay. Who was merged has his events under both
contacts; the second one is a copy. A conversation is an activity of the deal that was open then:
the person's, else the organisation's, the one that was opened last. What we sent and nobody
answered was not done; it is once it was answered, known since then. The representative is missing:
Intercom tells who has a conversation today, not who had it then.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from tierwise.connectors import intercom_people, raw_store
from tierwise.connectors.intercom_pages import gone_ids
from tierwise.connectors.intercom_people import Crm, Match, People, Records, organization_at
from tierwise.connectors.pipedrive_tables import frame
from tierwise.connectors.raw_store import Connection, Version
from tierwise.connectors.shapes import instant

# The contract knows calls, mails and meetings: whatever is written counts as mail. "" is left out.
KINDS = dict.fromkeys(
    ("conversation", "email", "facebook", "instagram", "sms", "twitter", "whatsapp"), "mail"
) | {"phone_call": "call", "phone_switch": "call", "push": ""}
BY_CONTACT, BY_REPRESENTATIVE = "customer_initiated", "admin_initiated"
COPY = "the copy of a merged contact's event"
NO_DEAL = "no deal was open at the time"
NO_ORGANIZATION = "the person belongs to no organisation that was loaded"
NO_ANSWER = "an automatic message that nobody answered"
NO_CONTACT = "a kind that is no contact"


@dataclass(frozen=True)
class Raw:
    """What was loaded: records as intercom_shapes.py declares them."""

    contact_versions: list[Version] = field(default_factory=list)
    contacts: list[dict[str, Any]] = field(default_factory=list)
    companies: list[dict[str, Any]] = field(default_factory=list)
    conversations: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    contact_states: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Reading:
    """How to read it, from params.

    event_types: our name by Intercom's event_name ("" leaves out). kinds: kind of activity by the
    conversation's source.type ("" leaves out).
    """

    event_types: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=lambda: KINDS)


@dataclass(frozen=True)
class Made:
    """events and activities: rows in the types of the contracts, ordered by id.

    events_left_out, activities_left_out: how many records are no row, by reason. gone_count,
    merged_count: contacts that are no longer there, and for how many of them we know what became
    of them. opted_out_ids: person_id of who unsubscribed from e-mails, ascending.
    """

    events: pd.DataFrame
    activities: pd.DataFrame
    events_left_out: dict[str, int]
    activities_left_out: dict[str, int]
    gone_count: int
    merged_count: int
    opted_out_ids: list[int]


@dataclass(frozen=True)
class Deals:
    """by_person, by_organization: ids of deals, by owner. steps: when a deal was opened or closed.

    steps: deal_id -> (when, is it open since), ascending.
    """

    by_person: dict[int, list[int]]
    by_organization: dict[int, list[int]]
    steps: dict[int, list[tuple[datetime, bool]]]


def stored(connection: Connection, source: str = "intercom") -> Raw:
    """Everything that was loaded from `source`."""
    names = ("contacts", "companies", "conversations", "events", "contact_states")
    found = {name: raw_store.records(connection, source, name) for name in names}
    return Raw(raw_store.versions(connection, source, "contacts"), **found)


def made(raw: Raw, reading: Reading, crm: Crm, tables: Mapping[str, pd.DataFrame]) -> Made:
    """Rows to add to `tables`, those of the CRM. Raises InputError for keys of another secret."""
    intercom_people.must_be_of_this_secret(raw.contact_versions, crm.secret)
    people = people_of(raw, crm)
    events_out: Counter[str] = Counter()
    activities_out: Counter[str] = Counter()
    event_rows = events(raw.events, reading, people, events_out)
    deals = deals_of(tables)
    activity_rows = activities(raw.conversations, reading, people, deals, activities_out)
    return Made(
        frame("events", event_rows),
        frame("activities", activity_rows),
        dict(sorted(events_out.items())),
        dict(sorted(activities_out.items())),
        len(people.gone),
        len(people.successors),
        opted_out(raw.contacts, people),
    )


def people_of(raw: Raw, crm: Crm) -> People:
    versions: dict[str, list[Version]] = {}
    for version in raw.contact_versions:
        versions.setdefault(version.record["id"], []).append(version)
    gone = gone_ids(raw.contacts, raw.contact_states)
    since = {one["id"]: instant(one["seen_at"]) for one in raw.contact_states if one["id"] in gone}
    company_ids = {one["id"]: one["company_id"] for one in raw.companies}
    people = People(crm, versions, company_ids, since)
    return People(crm, versions, company_ids, since, intercom_people.merged(people, raw.events))


def events(
    records: Records, reading: Reading, people: People, left_out: Counter[str]
) -> list[dict[str, Any]]:
    """Rows of the table events, one per event_id. left_out: gets a count per reason."""
    found: dict[str, dict[str, Any]] = {}
    known = {one["contact_id"]: people.matched(one["contact_id"]) for one in records}
    # What a gone contact had comes first: it tells since when the event was known.
    order = sorted(records, key=lambda one: (one["contact_id"] not in people.gone, one["id"]))
    for record in order:
        row = event_row(record, reading, people, known[record["contact_id"]])
        if isinstance(row, str):
            left_out[row] += 1
        elif row["event_id"] in found:
            left_out[COPY] += 1
        else:
            found[row["event_id"]] = row
    return [found[event_id] for event_id in sorted(found)]


def event_row(
    record: Mapping[str, Any],
    reading: Reading,
    people: People,
    matched: tuple[Match, datetime] | str,
) -> dict[str, Any] | str:
    """A row, or why there is none. matched: who its contact is."""
    kind = reading.event_types.get(record["event_name"])
    if not kind:
        why = "that nobody mapped" if kind is None else "that is left out"
        return f"an event {why}: {record['event_name']}"
    if isinstance(matched, str):
        return matched
    happened = instant(record["created_at"])
    organization_id = organization_at(matched[0], happened, people.crm)
    if organization_id is None:
        return NO_ORGANIZATION
    key = record["id"].rpartition("-")[2]
    return {
        "event_id": f"intercom-{people.root(record['contact_id'])}-{key}",
        "organization_id": organization_id,
        "person_id": matched[0].person_id,
        "occurred_at": happened,
        "known_at": max(happened, matched[1]),
        "type": kind,
        "amount": record["amount"],
    }


def activities(
    records: Records, reading: Reading, people: People, deals: Deals, left_out: Counter[str]
) -> list[dict[str, Any]]:
    """Rows of the table activities. left_out: gets a count per reason."""
    found = []
    for record in sorted(records, key=lambda one: (len(one["id"]), one["id"])):
        row = activity_row(record, reading, people, deals)
        if isinstance(row, str):
            left_out[row] += 1
        else:
            found.append(row)
    return found


def activity_row(
    record: Mapping[str, Any], reading: Reading, people: People, deals: Deals
) -> dict[str, Any] | str:
    """A row, or why there is none."""
    kind = reading.kinds.get(record["source.type"])
    if not kind:
        return NO_CONTACT if kind == "" else f"a kind that nobody mapped: {record['source.type']}"
    begun_by, reply = record["source.delivered_as"], record.get("first_contact_reply.created_at")
    if begun_by not in (BY_CONTACT, BY_REPRESENTATIVE) and not reply:
        return NO_ANSWER
    begun = instant(record["created_at"])
    answered = max(begun, instant(reply)) if reply and begun_by != BY_CONTACT else begun
    happened = begun if begun_by in (BY_CONTACT, BY_REPRESENTATIVE) else answered
    matched = who(record, people)
    if isinstance(matched, str):
        return matched
    deal_id = deal_at(matched[0], happened, people.crm, deals)
    if deal_id is None:
        return NO_DEAL
    return {
        "activity_id": f"intercom-{record['id']}",
        "deal_id": deal_id,
        "user_id": None,
        "occurred_at": happened,
        "known_at": max(answered, matched[1]),
        "type": kind,
        "done": begun_by == BY_CONTACT or reply is not None,
        "duration_minutes": None,
    }


def who(record: Mapping[str, Any], people: People) -> tuple[Match, datetime] | str:
    """The first participant that is somebody, else the company; and since when that was known."""
    reason = intercom_people.NOBODY
    for contact_id in record["contacts"]:
        found = people.matched(contact_id)
        if not isinstance(found, str):
            return found
        reason = found
    company_id = record.get("company.id")
    of_company = people.of_companies([company_id] if company_id else [])
    if isinstance(of_company, Match):
        return of_company, instant(record["created_at"])
    return reason


def deals_of(tables: Mapping[str, pd.DataFrame]) -> Deals:
    """Whose deals there are, and when each was open."""
    found = Deals({}, {}, {})
    columns = ["deal_id", "organization_id", "person_id", "occurred_at"]
    for deal_id, organization_id, person_id, at in tables["deals"][columns].itertuples(index=False):
        found.by_organization.setdefault(int(organization_id), []).append(int(deal_id))
        if not pd.isna(person_id):
            found.by_person.setdefault(int(person_id), []).append(int(deal_id))
        found.steps[int(deal_id)] = [(at.to_pydatetime(), True)]
    changes = tables["deal_changes"]
    turns = changes[changes["field"].isin(["status", "merged_into"])].sort_values("occurred_at")
    for deal_id, at, value in turns[["deal_id", "occurred_at", "new_value"]].itertuples(
        index=False
    ):
        found.steps[int(deal_id)].append((at.to_pydatetime(), value == "reopened"))
    return found


def deal_at(found: Match, at: datetime, crm: Crm, deals: Deals) -> int | None:
    """The deal that was open then, the one opened last; the person's before the organisation's."""
    organization_id = organization_at(found, at, crm)
    own = deals.by_person.get(found.person_id, []) if found.person_id is not None else []
    theirs = deals.by_organization.get(organization_id, []) if organization_id is not None else []
    for ids in (own, theirs):
        there = [(deals.steps[one][0][0], one) for one in ids if is_open(deals.steps[one], at)]
        if there:
            return max(there)[1]
    return None


def is_open(steps: list[tuple[datetime, bool]], at: datetime) -> bool:
    return steps[0][0] <= at and [is_open_since for when, is_open_since in steps if when <= at][-1]


def opted_out(contacts: Records, people: People) -> list[int]:
    """Persons of the CRM one of whose contacts, still there, unsubscribed from e-mails."""
    found = {
        match.person_id
        for one in contacts
        if one["unsubscribed_from_emails"] and one["id"] not in people.gone
        for match in [people.match(one["id"])]
        if isinstance(match, Match) and match.person_id is not None
    }
    return sorted(found)
