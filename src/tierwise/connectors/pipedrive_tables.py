"""From what was loaded from Pipedrive to the tables of a CRM, see `tables.CONTRACTS`.

Deals that were lost, archived or deleted are there like the others: what is left of them in the
CRM today is no fair picture of the past. Nothing follows from update_time where our own write-back
moves it, and our own fields are left out by name: what we wrote must not come back as a feature.

A deal without an organisation stands for one of its own, with a negative id that is always the
same: that of its person, or of the deal itself. An organisation that the token may not see is there
without values. A deal that was merged belongs to the organisation of the deal that it went into.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from tierwise.connectors import pipedrive_activities, pipedrive_changes, pipedrive_fields, raw_store
from tierwise.connectors.pipedrive_changes import Change, History
from tierwise.connectors.pipedrive_shapes import UNREADABLE, by_id, is_ours
from tierwise.connectors.raw_store import Connection, Version
from tierwise.connectors.shapes import instant
from tierwise.refusals import dtype_of
from tierwise.tables import CONTRACTS, CRM

Records = list[dict[str, Any]]
# Pipedrive's own types of activities; whoever has others names them. "" is left out.
ACTIVITY_TYPES = {"call": "call", "email": "mail", "meeting": "meeting", "lunch": "meeting"}
ACTIVITY_TYPES |= {"task": "", "deadline": ""}
ELSEWHERE = ("job_posts", "events", "ad_clicks")


@dataclass(frozen=True)
class Raw:
    """What was loaded. log_states: deal_id -> its state when its change log was read to the end.

    until: when it was loaded, UTC; an activity that was due later is not missed yet.
    """

    until: datetime
    deals: Records = field(default_factory=list)
    deal_versions: list[Version] = field(default_factory=list)
    deal_changes: Records = field(default_factory=list)
    log_states: dict[int, str] = field(default_factory=dict)
    organization_versions: list[Version] = field(default_factory=list)
    person_versions: list[Version] = field(default_factory=list)
    users: Records = field(default_factory=list)
    activities: Records = field(default_factory=list)
    stages: Records = field(default_factory=list)
    deal_fields: Records = field(default_factory=list)
    organization_fields: Records = field(default_factory=list)


@dataclass(frozen=True)
class Reading:
    """How to read it.

    own_prefix, own_names: our fields, by the beginning of their name or the whole of it.
    rates_eur: euros for one unit, by currency. activity_types: by Pipedrive's key, "" leaves out.
    stage_names: by stage_id, where a stage shall be called otherwise. countries: ISO code by the
    name that stands in addresses. teams: by user_id.
    """

    own_prefix: str = "tierwise"
    own_names: tuple[str, ...] = ()
    rates_eur: Mapping[str, float] = field(default_factory=lambda: {"EUR": 1.0})
    activity_types: Mapping[str, str] = field(default_factory=lambda: ACTIVITY_TYPES)
    stage_names: Mapping[int, str] = field(default_factory=dict)
    countries: Mapping[str, str] = field(default_factory=dict)
    teams: Mapping[int, str] = field(default_factory=dict)


def stored(connection: Connection, source: str, until: datetime) -> Raw:
    """Everything that was loaded from `source`."""
    names = ("deals", "deal_changes", "users", "activities", "stages")
    found = {
        name: raw_store.records(connection, source, name)
        for name in (*names, "deal_fields", "organization_fields")
    }
    states = raw_store.states(connection, source, "deal_changes")
    return Raw(
        until,
        **found,
        log_states={
            int(deal_id): state
            for deal_id, state in states.items()
            if not state.startswith(UNREADABLE)
        },
        deal_versions=raw_store.versions(connection, source, "deals"),
        organization_versions=raw_store.versions(connection, source, "organizations"),
        person_versions=raw_store.versions(connection, source, "persons"),
    )


def made(raw: Raw, reading: Reading) -> dict[str, pd.DataFrame]:
    """All tables, by name; those that Pipedrive has nothing for are empty.

    Raises InputError for two custom fields of the same name and a currency without a rate.
    """
    owners = owners_of(raw)
    found = {
        "deals": deals(raw, reading, owners),
        "deal_changes": deal_changes(raw, reading, owners),
        "persons": persons(raw),
        "users": users(raw, reading),
        "activities": activities(raw, reading),
    }
    found["organizations"] = organizations(raw, reading, found["deals"], found["persons"])
    return {name: found[name] if name in found else empty(name) for name in CRM}


def frame(name: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows in the types of the contract, none too; a column that they lack is missing."""
    columns = CONTRACTS[name].columns
    table = pd.DataFrame(list(rows), columns=list(columns))
    return table.astype({column: dtype_of(one) for column, one in columns.items()})


def empty(name: str) -> pd.DataFrame:
    return frame(name, [])


def without_organization(person_id: int | None, deal_id: int | None = None) -> int:
    """The id of the organisation that a person or a deal without one stands for."""
    return -2 * person_id if person_id is not None else -2 * int(deal_id or 0) - 1


def latest(versions: list[Version]) -> dict[int, dict[str, Any]]:
    return {key: known[-1].record for key, known in by_id(versions).items()}


def owners_of(raw: Raw) -> dict[int, int]:
    """deal_id -> organization_id, of every deal."""
    people = latest(raw.person_versions)
    own = {}
    for deal in raw.deals:
        person_id = deal["person_id"]
        of_person = people.get(person_id, {}).get("org_id") if person_id is not None else None
        found = deal["org_id"] if deal["org_id"] is not None else of_person
        own[deal["id"]] = without_organization(person_id, deal["id"]) if found is None else found
    goals = goals_of(raw)
    return {deal_id: own[last_goal(deal_id, goals)] for deal_id in own}


def goals_of(raw: Raw) -> dict[int, int]:
    """Merges into deals that are there."""
    there = {deal["id"] for deal in raw.deals}
    found = pipedrive_changes.survivors(raw.deal_changes)
    return {old: new for old, new in found.items() if old in there and new in there and old != new}


def last_goal(deal_id: int, goals: Mapping[int, int]) -> int:
    """Where a chain of merges ends; a circle ends where it began."""
    seen = {deal_id}
    while deal_id in goals and goals[deal_id] not in seen:
        deal_id = goals[deal_id]
        seen.add(deal_id)
    return deal_id


def deals(raw: Raw, reading: Reading, owners: Mapping[int, int]) -> pd.DataFrame:
    """The table deals, with custom fields by their readable name, ordered by id."""
    ordered = sorted(raw.deals, key=lambda deal: deal["id"])
    rows = [
        {
            "deal_id": deal["id"],
            "organization_id": owners[deal["id"]],
            "person_id": deal["person_id"],
            "occurred_at": instant(deal["add_time"]),
            "known_at": instant(deal["add_time"]),
            "source": deal.get("origin"),
        }
        for deal in ordered
    ]
    theirs = [
        one
        for one in raw.deal_fields
        if not is_ours(one["field_name"], reading.own_prefix, reading.own_names)
    ]
    custom = pipedrive_fields.columns(ordered, theirs, reading.rates_eur)
    return pd.concat([frame("deals", rows), custom], axis=1)


def deal_changes(raw: Raw, reading: Reading, owners: Mapping[int, int]) -> pd.DataFrame:
    """The table deal_changes of every deal, ordered by deal and time."""
    names = {stage["id"]: stage["name"] for stage in raw.stages} | dict(reading.stage_names)
    versions = by_id(raw.deal_versions)
    logs: dict[int, Records] = {}
    for entry in raw.deal_changes:
        if entry["deal_id"] in raw.log_states:  # a log that is half read tells nothing for sure
            logs.setdefault(entry["deal_id"], []).append(entry)
    rows: list[Change] = []
    for deal in sorted(raw.deals, key=lambda deal: deal["id"]):
        deal_id = deal["id"]
        state = raw.log_states.get(deal_id)
        log, known = logs.get(deal_id, []), versions.get(deal_id, [])
        told = pipedrive_changes.changes(
            History(deal, log, known, state, names, reading.rates_eur, frozenset(owners))
        )
        rows += sorted(told, key=lambda row: (row.occurred_at, row.field))
    return frame("deal_changes", [row._asdict() for row in rows])


def persons(raw: Raw) -> pd.DataFrame:
    """The table persons: one row per change of organisation or position."""

    def row(record: Mapping[str, Any]) -> dict[str, Any]:
        own = without_organization(record["id"])
        organization_id = own if record["org_id"] is None else record["org_id"]
        return {"organization_id": organization_id, "job_title": record.get("job_title") or None}

    return frame("persons", versioned(raw.person_versions, "person_id", row))


def organizations(
    raw: Raw, reading: Reading, deals: pd.DataFrame, persons: pd.DataFrame
) -> pd.DataFrame:
    """The table organizations, and a row without values for each that others refer to in vain."""
    industries = pipedrive_fields.labels(raw.organization_fields).get("industry", {})
    # Options of built-in fields have texts as ids, records have numbers.
    industries = {str(number): name for number, name in industries.items()}

    def row(record: Mapping[str, Any]) -> dict[str, Any]:
        country = (record.get("address") or {}).get("country") or None
        industry, count = record.get("industry"), record.get("employee_count")
        return {
            "industry": None if industry is None else industries.get(str(industry), str(industry)),
            "country": reading.countries.get(country or "", country),
            "employees_count": None if count is None else float(count),
        }

    rows = versioned(raw.organization_versions, "organization_id", row)
    there = {one["organization_id"] for one in rows}
    named = pd.concat([one[["organization_id", "known_at"]] for one in (deals, persons)])
    first = named.groupby("organization_id")["known_at"].min()
    rows += [
        {"organization_id": one, "known_at": known_at}
        for one, known_at in first.items()
        if one not in there
    ]
    return frame("organizations", sorted(rows, key=lambda one: one["organization_id"]))


def versioned(
    versions: list[Version], key: str, row: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> list[dict[str, Any]]:
    """One row whenever what the table reads has changed, known since the update that showed it."""
    found = []
    for record_id, known in sorted(by_id(versions).items()):
        latest_of_instant = {version.updated_at: row(version.record) for version in known}
        before = None
        for updated_at, now in sorted(latest_of_instant.items(), key=lambda one: one[0]):
            if now != before:
                found.append({key: record_id, "known_at": updated_at, **now})
            before = now
    return found


def users(raw: Raw, reading: Reading) -> pd.DataFrame:
    """The table users, ordered by id. Pipedrive's API tells no team: reading.teams does."""
    rows = [
        {
            "user_id": user["id"],
            "known_at": instant(user["created"]),
            "team": reading.teams.get(user["id"]),
            "timezone": user.get("timezone_name"),
        }
        for user in sorted(raw.users, key=lambda user: user["id"])
    ]
    return frame("users", rows)


def activities(raw: Raw, reading: Reading) -> pd.DataFrame:
    """The table activities, ordered by id, see `pipedrive_activities`."""
    there = {deal["id"] for deal in raw.deals}
    own = sorted(raw.activities, key=lambda one: one["id"])
    kinds = [reading.activity_types.get(one["type"]) for one in own]
    rows = [
        pipedrive_activities.row(one, kind, raw.until)
        for one, kind in zip(own, kinds, strict=True)
        if kind and one["deal_id"] in there
    ]
    return frame("activities", [row for row in rows if row])


def strange_types(raw: Raw, reading: Reading) -> dict[str, int]:
    """Types of activities that nobody mapped, and how many there are of each: for the report."""
    strange = [one["type"] for one in raw.activities if one["type"] not in reading.activity_types]
    return dict(sorted(Counter(strange).items()))
