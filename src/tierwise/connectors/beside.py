"""What `tierwise ingest` reads beside the CRM itself: Intercom, product databases, files.

Intercom is read where params.yaml has a section `intercom:` for the application. Its token and the
secret under which addresses are stored come from the environment.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel

from tierwise import files, refusals, sources
from tierwise.connectors import (
    intercom,
    intercom_pages,
    intercom_people,
    intercom_shapes,
    intercom_tables,
    pipedrive_tables,
    product_tables,
)
from tierwise.connectors.intercom_tables import KINDS, Made, Reading
from tierwise.connectors.pages import Loaded
from tierwise.connectors.raw_store import Connection
from tierwise.files import InputError


class Elsewhere(BaseModel, extra="forbid", strict=True):
    """Where a table comes from that no CRM has: a CSV file, or a query on a database.

    database: a DuckDB file, or postgresql://user@host/database.
    """

    file: str | None = None
    database: str | None = None
    query: str | None = None


class Intercom(BaseModel, extra="forbid", strict=True):
    """A section below `intercom:` in params.yaml.

    event_types: our name by Intercom's, "" leaves out. amounts: by event, the property that holds
    its size. kinds: see `intercom_tables.KINDS`. person_field, organization_field: 40-digit codes
    of the custom fields of Pipedrive that hold Intercom's external_id and company_id.
    """

    region: Literal["us", "eu", "au"]
    token_variable: str = "INTERCOM_ACCESS_TOKEN"
    secret_variable: str = "TIERWISE_EMAIL_SECRET"
    event_types: dict[str, str]
    amounts: dict[str, str] = {}
    kinds: dict[str, str] = {}
    person_field: str = ""
    organization_field: str = ""
    api_url: str | None = None


def intercom_of(root: Path, application: str) -> Intercom | None:
    """The settings of Intercom, None where it is not read. Raises InputError."""
    sections = files.params(root).get("intercom") or {}
    if application not in sections:
        return None
    way_out = f"There are {', '.join(Intercom.model_fields)}."
    place = f"intercom.{application}"
    return refusals.fitting(Intercom, sections[application], place, way_out)


def keyed(settings: Intercom | None) -> Callable[[Mapping[str, Any]], dict[str, Any]] | None:
    """What persons of Pipedrive must go through before they are stored."""
    if settings is None:
        return None
    secret = intercom_shapes.email_secret(settings.secret_variable)
    return lambda record: intercom_people.keyed(record, secret, settings.person_field)


def load(connection: Connection, settings: Intercom) -> list[Loaded]:
    """Read what is new in Intercom. Raises what `intercom_pages.ingest` raises."""
    secret = intercom_shapes.email_secret(settings.secret_variable)
    how: dict[str, Any] = {"base_url": settings.api_url}
    with closing(intercom.Client(settings.token_variable, settings.region, **how)) as client:
        return intercom_pages.ingest(connection, client, secret, settings.amounts)


def made(
    settings: Intercom,
    raw: intercom_tables.Raw,
    crm: pipedrive_tables.Raw,
    tables: Mapping[str, pd.DataFrame],
) -> Made:
    """Events and contacts of Intercom, of those whom the CRM knows."""
    secret = intercom_shapes.email_secret(settings.secret_variable)
    known = intercom_people.crm_of(crm, tables, secret, settings.organization_field)
    reading = Reading(settings.event_types, KINDS | settings.kinds)
    return intercom_tables.made(raw, reading, known, tables)


def joined(tables: Mapping[str, pd.DataFrame], more: Made) -> dict[str, pd.DataFrame]:
    """The tables with the rows of Intercom added."""
    both = {"events": more.events, "activities": more.activities}
    added = {
        name: pd.concat([tables[name], rows], ignore_index=True).astype(tables[name].dtypes)
        for name, rows in both.items()
    }
    return {**tables, **added}


def left_out(more: Made) -> list[str]:
    """What was loaded from Intercom and is no row, one line for each reason."""
    return [
        f"Intercom, {name}: {count:,} left out, {reason}."
        for name, counts in (("events", more.events_left_out), ("chats", more.activities_left_out))
        for reason, count in counts.items()
    ]


def from_elsewhere(root: Path, places: Mapping[str, Elsewhere]) -> dict[str, pd.DataFrame]:
    """The tables that the CRM lacks. Raises InputError."""
    return {name: other(root, name, where) for name, where in places.items()}


def other(root: Path, name: str, where: Elsewhere) -> pd.DataFrame:
    if where.file and not (where.database or where.query):
        return product_tables.from_csv(name, root / where.file)
    if where.file or not (where.database and where.query):
        raise InputError(
            f"Table {name} comes from elsewhere, and that must be `file`, or `database` and "
            f"`query`; there is {', '.join(where.model_fields_set) or 'nothing'}."
        )
    if sources.is_address(where.database):
        return product_tables.from_postgresql(name, where.database, where.query)
    return product_tables.from_duckdb(name, root / where.database, where.query)
