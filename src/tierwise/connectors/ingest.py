"""`tierwise ingest`: what is new in the CRM, as the tables of an application and their snapshot.

    data/ingested/<application>/raw.duckdb   pages as they came, and how far each list was read
    tables.<application>.source              the tables, all replaced in one transaction
    data/tables/<application>                the snapshot that features are made from

Kill it at any moment and start it again: what was read is not read twice, and nobody sees tables
that are half of one hour and half of another. The token comes from the environment variable that
`pipedrive:` in params.yaml names; the budget of the day is shared with `tierwise push`.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, Field

from tierwise import files, refusals, snapshot, sources
from tierwise.connectors import (
    beside,
    intercom_tables,
    landing,
    pipedrive_lists,
    pipedrive_tables,
    raw_store,
    write_back,
)
from tierwise.connectors.beside import Elsewhere
from tierwise.connectors.pipedrive_lists import Company
from tierwise.connectors.pipedrive_tables import ACTIVITY_TYPES, ELSEWHERE, Reading
from tierwise.files import InputError

QUARANTINED_SHOWN_COUNT = 5


class Asked(BaseModel, extra="forbid", strict=True):
    """A section below `ingest:` in params.yaml."""

    tokens_kept_count: Annotated[int, Field(ge=0)]
    since: str | None = None
    own_names: list[str] = []
    rates_eur: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {"EUR": 1.0}
    activity_types: dict[str, str] = ACTIVITY_TYPES
    stage_names: dict[int, str] = {}
    countries: dict[str, str] = {}
    teams: dict[int, str] = {}
    elsewhere: dict[str, Elsewhere] = {}


def asked(root: Path, application: str) -> Asked:
    """The settings of params.yaml, checked. Raises InputError."""
    sections = files.params(root).get("ingest") or {}
    if application not in sections:
        raise InputError(
            f"params.yaml has no ingest.{application}; below `ingest:` there are "
            f"{', '.join(sections) or 'none'}. README.md shows such a section."
        )
    way_out = f"There are {', '.join(Asked.model_fields)}."
    settings = refusals.fitting(Asked, sections[application], f"ingest.{application}", way_out)
    unknown = sorted(set(settings.elsewhere) - set(ELSEWHERE))
    if unknown:
        raise InputError(
            f"ingest.{application}.elsewhere names {', '.join(unknown)}; tables that come from "
            f"elsewhere are {', '.join(ELSEWHERE)}."
        )
    return settings


def ingest(root: Path, application: str) -> dict[str, Any]:
    """Read what is new and renew tables and snapshot; what was done, for a message.

    Raises InputError, OutOfTokens and NoAnswer. The tables then are the earlier ones, and the next
    run goes on where this one stopped.
    """
    settings, place = asked(root, application), sources.named(root, application)
    chats = beside.intercom_of(root, application)
    landing.must_take(place)
    began_at = datetime.now(UTC).replace(tzinfo=None)
    raw = root / "data" / "ingested" / application / "raw.duckdb"
    with raw_store.opened(raw) as connection:
        with write_back.connected(root, application, write_back.asked(root, application)) as client:
            told = pipedrive_lists.load(
                connection,
                client,
                since=instant(settings.since, application),
                own_names=tuple(settings.own_names),
                keep_count=settings.tokens_kept_count,
                keyed=beside.keyed(chats),
            )
        told.loaded += beside.load(connection, chats) if chats else []
        stored = pipedrive_tables.stored(connection, pipedrive_lists.SOURCE, began_at)
        written = intercom_tables.stored(connection) if chats else None
    reading = reading_of(settings)
    tables = pipedrive_tables.made(stored, reading)
    tables |= beside.from_elsewhere(root, settings.elsewhere)
    notes = strange(stored, reading)
    if chats and written:
        more = beside.made(chats, written, stored, tables)
        tables, notes = beside.joined(tables, more), notes + beside.left_out(more)
    landing.land(tables, place)
    folder = root / "data" / "tables" / application
    about = snapshot.fetch(place, folder, read_until=pd.Timestamp(began_at))
    return {"company": told, "about": about, "notes": notes, "folder": folder}


def strange(stored: pipedrive_tables.Raw, reading: Reading) -> list[str]:
    """Types of activities that nobody mapped."""
    found = pipedrive_tables.strange_types(stored, reading)
    kinds = ", ".join(f"{name} ({count:,})" for name, count in found.items())
    return [f"Activities of types that activity_types does not name: {kinds}."] if kinds else []


def reading_of(settings: Asked) -> Reading:
    given = settings.model_dump(include={"rates_eur", "stage_names", "countries", "teams"})
    kinds = ACTIVITY_TYPES | settings.activity_types
    return Reading(own_names=tuple(settings.own_names), activity_types=kinds, **given)


def instant(text: str | None, application: str) -> datetime | None:
    """Raises InputError for a text that is no date."""
    if text is None:
        return None
    found = pd.to_datetime(text, errors="coerce", utc=True)
    if found is pd.NaT:
        raise InputError(
            f'ingest.{application}.since must be a date such as "2024-01-31", or null for '
            f"everything; it is {text!r}."
        )
    return found.tz_localize(None).to_pydatetime()


def sentence(done: dict[str, Any]) -> str:
    """What was done, in one line."""
    company: Company = done["company"]
    new = {one.entity: one.changed_count for one in company.loaded if one.changed_count}
    counted = ", ".join(f"{count:,} {name}" for name, count in new.items()) or "nothing"
    pages_count = sum(one.pages_count for one in company.loaded)
    rows_count = sum(one["rows_count"] for one in done["about"]["tables"].values())
    return (
        f"{pages_count:,} pages read; new or changed: {counted}. {done['folder']} has "
        f"{rows_count:,} rows."
    )


def warnings(done: dict[str, Any]) -> list[str]:
    """What somebody should look at, one line each."""
    company: Company = done["company"]
    found = []
    if company.logs_waiting_count:
        found.append(
            f"{company.logs_waiting_count:,} change logs of deals wait for the next run; until "
            f"then these deals have no past. {company.waiting_for}"
        )
    if company.unreadable:
        found.append(f"Deals without a change log: {', '.join(company.unreadable[:20])}.")
    for one in company.loaded:
        for broken in one.quarantined[:QUARANTINED_SHOWN_COUNT]:
            found.append(
                f"{one.entity}: {broken.shown} is set aside: {broken.field} {broken.rule}."
            )
        more = len(one.quarantined) - QUARANTINED_SHOWN_COUNT
        found += [f"{one.entity}: {more:,} more are set aside."] if more > 0 else []
        if one.new_fields:
            found.append(f"{one.entity} has new fields: {', '.join(one.new_fields)}.")
    return found + done["notes"]
