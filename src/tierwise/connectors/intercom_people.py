"""Who a contact of Intercom is in the CRM, since when that could be known, and who became of it.

A contact is the person with the same external id, else the person with the same e-mail address,
else somebody of the organisation that has the external id of one of its companies. Two persons with
one address are not guessed between.

Intercom forgets a contact that was merged into another and doesn't tell into which. It is taken to
be the one who is there and has the same address, else the one who now has all of its events; where
nobody or several fit, it stays itself.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd

from tierwise.connectors import pipedrive_tables
from tierwise.connectors.intercom_shapes import email_key, known_as, secret_mark
from tierwise.connectors.raw_store import Version
from tierwise.connectors.shapes import instant
from tierwise.files import InputError

MATCHED_BY = "matched_by"
NOBODY = "nobody in the CRM has this id or address"
SEVERAL = "several in the CRM have this id or address"
Records = Sequence[Mapping[str, Any]]
Ids = dict[str, set[int]]


class Match(NamedTuple):
    """person_id: None where only the organisation is known."""

    person_id: int | None
    organization_id: int | None = None


@dataclass(frozen=True)
class Crm:
    """The CRM's side. secret: the one the e-mail keys of Intercom were made with.

    employers: person_id -> since when (ascending) and at which organisation.
    """

    secret: str
    persons: Ids = field(default_factory=dict)
    organizations: Ids = field(default_factory=dict)
    employers: dict[int, tuple[list[datetime], list[int]]] = field(default_factory=dict)


def keyed(record: Mapping[str, Any], secret: str, person_field: str = "") -> dict[str, Any]:
    """A person of Pipedrive with what he can be matched by, before his addresses are dropped.

    person_field: code of the custom field that holds the external_id of contacts, if any.
    """
    values = [one.get("value") for one in record.get("emails") or [] if isinstance(one, dict)]
    keys = [email_key(one, secret) for one in values if isinstance(one, str) and one.strip()]
    return {**record, MATCHED_BY: sorted({*own_id(record, person_field, secret), *keys})}


def crm_of(
    raw: pipedrive_tables.Raw,
    tables: Mapping[str, pd.DataFrame],
    secret: str,
    organization_field: str = "",
) -> Crm:
    """What of Pipedrive can be matched. Persons have been through `keyed`.

    tables: as pipedrive_tables.made gives them. organization_field: code of the custom field that
    holds the company_id of companies, if any.
    """
    people = alive(pipedrive_tables.latest(raw.person_versions).values())
    theirs = alive(pipedrive_tables.latest(raw.organization_versions).values())
    persons: Ids = {}
    for one in people:
        for key in one.get(MATCHED_BY) or []:
            persons.setdefault(key, set()).add(one["id"])
    organizations: Ids = {}
    for one in theirs:
        for key in own_id(one, organization_field, secret):
            organizations.setdefault(key, set()).add(one["id"])
    return Crm(secret, persons, organizations, employers_of(tables["persons"]))


def alive(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in records if not one.get("is_deleted")]


def own_id(record: Mapping[str, Any], code: str, secret: str) -> list[str]:
    value = (record.get("custom_fields") or {}).get(code)
    found = known_as(str(value), secret) if isinstance(value, str | int) else None
    return [found] if found else []


def employers_of(persons: pd.DataFrame) -> dict[int, tuple[list[datetime], list[int]]]:
    found: dict[int, tuple[list[datetime], list[int]]] = {}
    columns = ["person_id", "known_at", "organization_id"]
    ordered = persons[columns].sort_values(["person_id", "known_at"])
    for person_id, known_at, organization_id in ordered.itertuples(index=False):
        times, ids = found.setdefault(int(person_id), ([], []))
        times.append(known_at.to_pydatetime())
        ids.append(int(organization_id))
    return found


def organization_at(found: Match, at: datetime, crm: Crm) -> int | None:
    """Where the person worked at that time, as far as was known; else where first known."""
    if found.person_id is None:
        return found.organization_id
    times, ids = crm.employers.get(found.person_id, ([], []))
    return ids[max(bisect_right(times, at) - 1, 0)] if ids else None


@dataclass(frozen=True)
class People:
    """All contacts. versions: by contact_id, ascending. company_ids: the workspace's own, by id.

    gone: contact_id -> when it was first found missing. successors: into whom it was merged.
    """

    crm: Crm
    versions: Mapping[str, list[Version]]
    company_ids: Mapping[str, str | None]
    gone: Mapping[str, datetime] = field(default_factory=dict)
    successors: Mapping[str, str] = field(default_factory=dict)

    def latest(self, contact_id: str) -> Mapping[str, Any] | None:
        known = self.versions.get(contact_id)
        return known[-1].record if known else None

    def root(self, contact_id: str) -> str:
        return self.successors.get(contact_id, contact_id)

    def match(self, contact_id: str) -> Match | str:
        """Who it is by itself; a text that says why nobody is found."""
        record = self.latest(contact_id)
        return self.match_of(record) if record else "the contact was never loaded"

    def match_of(self, record: Mapping[str, Any]) -> Match | str:
        reason = NOBODY
        for key in (record["external_id"], record["email_key"]):
            found = self.crm.persons.get(key or "", set())
            if len(found) == 1:
                return Match(next(iter(found)))
            reason = SEVERAL if found else reason
        match = self.of_companies(record.get("companies") or [])
        return reason if match == NOBODY else match

    def of_companies(self, ids: Iterable[str]) -> Match | str:
        """The one organisation that some of these companies of Intercom are."""
        own = {self.company_ids.get(one) or "" for one in ids}
        found = set().union(*(self.crm.organizations.get(one, set()) for one in own))
        if len(found) == 1:
            return Match(None, next(iter(found)))
        return SEVERAL if found else NOBODY

    def matched(self, contact_id: str) -> tuple[Match, datetime] | str:
        """Who it is, by itself or by whom it was merged into, and since when that was known."""
        own = self.match(contact_id)
        if isinstance(own, Match):
            return own, self.known_since(contact_id)
        root = self.root(contact_id)
        found = self.match(root) if root != contact_id else own
        if isinstance(found, str):
            return found
        return found, max(self.gone[contact_id], self.known_since(root))

    def known_since(self, contact_id: str) -> datetime:
        """Since when one that can be matched could be: if its first version could, since it was
        made, else since the update that first showed it. No later update moves that.
        """
        known = self.versions[contact_id]
        first = next(one for one in known if isinstance(self.match_of(one.record), Match))
        return instant(first.record["created_at"]) if first is known[0] else first.updated_at


def must_be_of_this_secret(versions: Iterable[Version], secret: str) -> None:
    """Raises InputError where addresses were stored under another secret: none would match."""
    keys = [version.record["email_key"] for version in versions]
    strange = [one for one in keys if one and not one.startswith(f"{secret_mark(secret)}-")]
    if strange:
        raise InputError(
            f"{len(strange)} of {len(keys)} stored contents of Intercom's contacts have e-mail "
            "keys that were made with another secret than the present one, so nobody would be "
            "found by them. Set the former secret again, or load Intercom into a new file."
        )


def merged(people: People, events: Records) -> dict[str, str]:
    """Gone contact -> the only one who is there and can be what became of it."""
    by_email: dict[str, set[str]] = {}
    for contact_id in people.versions.keys() - people.gone.keys():
        key = (people.latest(contact_id) or {})["email_key"]
        if key:
            by_email.setdefault(key, set()).add(contact_id)
    holders, own = held(events, people.gone)
    found = {}
    for contact_id in people.gone:
        record = people.latest(contact_id)
        options = by_email.get((record or {}).get("email_key") or "", set())
        if len(options) != 1 and own.get(contact_id):
            options = set.intersection(*(holders.get(one, set()) for one in own[contact_id]))
        options = {one for one in options if agree(people.match(contact_id), people.match(one))}
        if len(options) == 1:
            found[contact_id] = options.pop()
    return found


def held(
    events: Records, gone: Mapping[str, datetime]
) -> tuple[dict[tuple[str, str], set[str]], dict[str, set[tuple[str, str]]]]:
    """Event -> contacts who are there and have it; gone contact -> its events."""
    holders: dict[tuple[str, str], set[str]] = {}
    own: dict[str, set[tuple[str, str]]] = {}
    for one in events:
        key = one["event_name"], one["created_at"]
        if one["contact_id"] in gone:
            own.setdefault(one["contact_id"], set()).add(key)
        else:
            holders.setdefault(key, set()).add(one["contact_id"])
    return holders, own


def agree(former: Match | str, later: Match | str) -> bool:
    """Do two contacts not stand for two different people of the CRM?"""
    return isinstance(former, str) or isinstance(later, str) or former == later
