"""dlt as the oracle: 20,000 rows of each list, cell by cell, on DuckDB and on PostgreSQL."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

httpx = pytest.importorskip("httpx", reason="needs the extra hourly")

import cells  # noqa: E402
import company  # noqa: E402
import expected  # noqa: E402
import places  # noqa: E402

import fake_pipedrive as fp  # noqa: E402
from crm import digest  # noqa: E402
from postgresql_server import PASSWORD  # noqa: E402
from tierwise import postgresql, snapshot  # noqa: E402
from tierwise.connectors import landing, pipedrive_lists, pipedrive_tables, raw_store  # noqa: E402
from tierwise.connectors import pipedrive_shapes as ps  # noqa: E402
from tierwise.connectors.allowance import Allowance  # noqa: E402
from tierwise.connectors.pipedrive import Client  # noqa: E402
from tierwise.connectors.pipedrive_tables import Reading  # noqa: E402

ROWS_COUNT = 20_000
# Enough for all lists and some change logs: 20,000 logs are another day's work.
TOKENS_COUNT = 6_000
WHOLE, NUMBER, TEXT, FLAG, TIME, LIST = "bigint", "double", "text", "bool", "timestamp", "json"
DEALS = {
    "id": WHOLE,
    "title": TEXT,
    **dict.fromkeys(("creator_user_id", "owner_id", "person_id", "org_id"), WHOLE),
    **dict.fromkeys(("pipeline_id", "stage_id", "visible_to", "channel"), WHOLE),
    **dict.fromkeys(("value", "probability", "arr", "mrr", "acv"), NUMBER),
    **dict.fromkeys(("currency", "status", "lost_reason", "origin"), TEXT),
    **dict.fromkeys(("origin_id", "channel_id"), TEXT),
    **dict.fromkeys(("add_time", "update_time", "stage_change_time", "close_time"), TIME),
    **dict.fromkeys(("won_time", "lost_time", "archive_time"), TIME),
    **dict.fromkeys(("is_deleted", "is_archived"), FLAG),
    "label_ids": LIST,
}
PERSONS = {
    **dict.fromkeys(("id", "owner_id", "org_id", "visible_to"), WHOLE),
    **dict.fromkeys(("name", "job_title"), TEXT),
    **dict.fromkeys(("add_time", "update_time"), TIME),
    "is_deleted": FLAG,
    **dict.fromkeys(("emails", "phones", "label_ids"), LIST),
}
ORGANIZATIONS = {
    **dict.fromkeys(("id", "owner_id", "visible_to", "industry", "annual_revenue"), WHOLE),
    "employee_count": NUMBER,
    **dict.fromkeys(("name", "website", "linkedin"), TEXT),
    **dict.fromkeys(("add_time", "update_time"), TIME),
    "is_deleted": FLAG,
    **dict.fromkeys(("address", "label_ids"), LIST),
}
ACTIVITIES = {
    **dict.fromkeys(("id", "owner_id", "creator_user_id", "deal_id", "person_id"), WHOLE),
    **dict.fromkeys(("org_id", "project_id", "priority"), WHOLE),
    **dict.fromkeys(("subject", "type", "lead_id", "due_time", "duration"), TEXT),
    **dict.fromkeys(("is_deleted", "busy", "done"), FLAG),
    **dict.fromkeys(("add_time", "update_time", "marked_as_done_time"), TIME),
    "due_date": "date",
}
FIELDS = {
    **dict.fromkeys(("field_name", "field_code", "field_type"), TEXT),
    **dict.fromkeys(("is_custom_field", "is_optional_response_field"), FLAG),
    **dict.fromkeys(("options", "subfields"), LIST),
}
CUSTOM_TYPES = {"enum": WHOLE, "set": LIST, "monetary": LIST, "double": NUMBER, "date": "date"}
SHAPES = {one.entity: one for one in (ps.DEALS, ps.PERSONS, ps.ORGANIZATIONS, ps.ACTIVITIES)}
LISTS = [
    ("deals_live", "deals", "deals", {}),
    ("deals_archived", "deals", "deals/archived", {}),
    ("deals_deleted", "deals", "deals", {"status": "deleted"}),
    ("deals_archived_deleted", "deals", "deals/archived", {"status": "deleted"}),
    ("persons", "persons", "persons", {}),
    ("organizations", "organizations", "organizations", {}),
    ("activities", "activities", "activities", {}),
    ("deal_fields", "deal_fields", "dealFields", {}),
    ("organization_fields", "organization_fields", "organizationFields", {}),
]


@dataclass
class Results:
    """raw, crm: what was compared, by destination and table; raw once per load."""

    raw: dict = field(default_factory=dict)
    crm: dict = field(default_factory=dict)
    snapshots: list = field(default_factory=list)
    loaded: list = field(default_factory=list)
    counts: list = field(default_factory=list)


def columns_of(fake):
    """table -> column -> its type, custom fields by code."""
    custom = {
        f"custom_fields.{one['field_code']}": CUSTOM_TYPES.get(one["field_type"], TEXT)
        for one in fake.fields
        if one["is_custom_field"]
    }
    found = {"deals": DEALS | custom, "persons": PERSONS, "organizations": ORGANIZATIONS}
    fields = {"deal_fields": FIELDS, "organization_fields": FIELDS}
    return found | {"activities": ACTIVITIES} | fields


@pytest.fixture(scope="module")
def python():
    """Asked for first: without dlt no database server is begun."""
    return places.dlt_python()


@pytest.fixture(scope="module")
def results(python, tmp_path_factory, server):
    folder = tmp_path_factory.mktemp("oracle")
    fake, found = company.filled(ROWS_COUNT, long_id=True), Results()
    addresses = {"duckdb": str(folder / "loaded.duckdb"), "postgresql": server}
    with pytest.MonkeyPatch.context() as patch, fp.serving(fake) as url:
        patch.setenv("PIPEDRIVE_API_TOKEN", fp.TOKEN)
        with raw_store.opened(folder / "raw.duckdb") as connection:
            for hour in range(2):
                found.loaded.append(read(connection, url))
                records = {
                    name: raw_store.records(connection, pipedrive_lists.SOURCE, name)
                    for name in SHAPES
                }
                tables = made(connection) if hour == 0 else None
                for kind, address in addresses.items():
                    there = oracle(python, folder / kind, address, url, fake, found)
                    for name, rows in there.items():
                        if name in SHAPES:
                            found.raw[kind, name, hour] = same_raw(name, fake, rows, records)
                    if tables:
                        found.crm |= same_tables(kind, folder, server, tables, there)
                edit(fake)
        for kind in addresses:
            place = place_of(kind, folder, server)
            snapshot.fetch(place, folder / "snapshots" / kind)
            found.snapshots.append(digest(folder / "snapshots" / kind))
    return found


def read(connection, url):
    """One load of ours."""
    client = Client(
        Allowance(":memory:", TOKENS_COUNT, burst_count=10**9),
        base_url=f"{url}/api/v2",
        v1_url=f"{url}/v1",
    )
    try:
        return pipedrive_lists.load(connection, client)
    finally:
        client.close()


def oracle(python, folder, address, url, fake, found):
    """One load of dlt; its tables as rows under our names."""
    columns = columns_of(fake)
    destination = address.replace("owner@", f"owner:{PASSWORD}@")
    job = {
        "base_url": f"{url}/api/v2",
        "destination": destination,
        "folder": str(folder),
        "columns": {
            table: {name.replace(".", "__"): kind for name, kind in one.items()}
            for table, one in columns.items()
        },
        "lists": [
            {
                "name": name,
                "table": table,
                "path": path,
                "params": params,
                "key": "field_code" if table.endswith("_fields") else "id",
                "is_incremental": not table.endswith("_fields"),
            }
            for name, table, path, params in LISTS
        ],
    }
    script = Path(__file__).with_name("dlt_load.py")
    done = subprocess.run(
        [python, str(script)],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
        # dlt has another Python, and ours must not be found there.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found.counts.append(json.loads(done.stdout.splitlines()[-1]))
    return {table: rows_of(address, table, kinds) for table, kinds in columns.items()}


def rows_of(address, table, kinds):
    rows = queried(address, f"SELECT * FROM oracle.{table}")
    called = {name: column(name, list(rows[0])) for name in kinds}
    return cells.theirs(rows, kinds, called)


def column(name, there):
    """dlt puts _ before the code of a custom field that begins with a digit."""
    inner = name.partition(".")[2]
    return name if not inner else next(one for one in there if one.endswith(inner))


def queried(address, text):
    if address.startswith("postgresql"):
        return postgresql.query(address, text).to_pylist()
    with duckdb.connect(address, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.sql(text).to_arrow_table().to_pylist()


def same_raw(name, fake, rows, records):
    """All columns but those that our store never takes."""
    kept = {
        column: kind
        for column, kind in columns_of(fake)[name].items()
        if column not in SHAPES[name].dropped
    }
    known = [{column: row[column] for column in kept} for row in rows]
    return cells.compare(name, "id", known, cells.ours(records[name], kept))


def made(connection):
    """Our tables, and until when they tell."""
    until = datetime.now(UTC).replace(tzinfo=None)
    raw = pipedrive_tables.stored(connection, pipedrive_lists.SOURCE, until)
    return pipedrive_tables.made(raw, Reading(rates_eur=expected.RATES_EUR)), until


def place_of(kind, folder, address):
    return address if kind == "postgresql" else folder / "crm.duckdb"


def same_tables(kind, folder, address, tables, there):
    """Our tables, landed and read back, beside those worked out from dlt's."""
    found, until = tables
    place = place_of(kind, folder, address)
    landing.land(found, place)
    theirs = {
        "deals": expected.deals(there["deals"], there["persons"], there["deal_fields"]),
        "persons": expected.persons(there["persons"]),
        "activities": expected.activities(
            there["activities"], [one["id"] for one in there["deals"]], until
        ),
    }
    theirs["organizations"] = expected.organizations(
        there["organizations"],
        there["organization_fields"],
        theirs["deals"],
        theirs["persons"],
    )
    keys = {"deals": "deal_id", "persons": "person_id", "organizations": "organization_id"}
    compared = {}
    for name, rows in theirs.items():
        read_back = [
            {column: cells.plain(value) for column, value in row.items()}
            for row in queried(str(place), f"SELECT * FROM {name}")
        ]
        key = keys.get(name, "activity_id")
        compared[kind, name] = cells.compare(name, key, rows, read_back)
    return compared


def edit(fake):
    """A busy hour: 5 % of everything changes, is archived, deleted or new."""
    now = fp.utc(fake.clock())
    codes = {one["field_name"]: one["field_code"] for one in fake.fields}
    for number in range(1, ROWS_COUNT, 20):
        deal = fake.deals[number]
        values = {"custom_fields": deal["custom_fields"] | {codes["Seats"]: 1.5}}
        fake.edit(number, value=0.1 + 0.2, stage_id=number % 4 + 1, **values)
    for number in range(2, ROWS_COUNT, 200):
        fake.edit(number, is_archived=True)
    for number in range(3, ROWS_COUNT, 200):
        fake.edit(number, is_deleted=True)
    for number in range(4, ROWS_COUNT, 20):
        fake.tables["persons"][number] |= {"org_id": 1, "job_title": "New", "update_time": now}
        fake.tables["organizations"][number] |= {"employee_count": 5, "update_time": now}
        done = {"done": True, "marked_as_done_time": now, "update_time": now}
        fake.tables["activities"][number] |= done
    for number in range(ROWS_COUNT + 1, ROWS_COUNT + 101):
        fake.add_deal(number)
        for name in ("persons", "organizations", "activities"):
            row = fake.tables[name][number - ROWS_COUNT]
            fake.tables[name][number] = row | {"id": number, "update_time": now}


def test_every_cell_of_the_raw_store_is_that_of_dlt(results):
    for key, found in results.raw.items():
        print("\n", *key, f"{found.rows_count:,} rows, {found.cells_count:,} cells")
        assert found.first == []
        assert found.rows_count >= ROWS_COUNT
    assert len(results.raw) == 2 * len(SHAPES) * 2
    total = sum(one.cells_count for one in results.raw.values())
    print(f"\n {total:,} cells of the raw store, none of which differs")


def test_every_cell_of_the_tables_is_what_follows_from_dlt(results):
    for key, found in results.crm.items():
        print("\n", *key, f"{found.rows_count:,} rows, {found.cells_count:,} cells")
        assert found.first == []
    assert {key[1] for key, one in results.crm.items() if one.rows_count >= ROWS_COUNT} == {
        "deals",
        "persons",
        "organizations",
    }
    assert all(
        results.crm[kind, "activities"].rows_count > ROWS_COUNT / 5
        for kind in ("duckdb", "postgresql")
    )
    total = sum(one.cells_count for one in results.crm.values())
    print(f"\n {total:,} cells of the tables, none of which differs")


def test_the_snapshot_from_duckdb_is_that_from_postgresql_byte_for_byte(results):
    first, second = results.snapshots
    assert first == second
    assert len(first) >= 5


def test_nothing_was_set_aside_and_the_second_load_is_of_what_changed(results):
    for told in results.loaded:
        assert [one for part in told.loaded for one in part.quarantined] == []
        assert told.waiting_for  # change logs, for want of tokens
    second = {part.entity: part for part in results.loaded[1].loaded}
    for name in SHAPES:
        assert second[name].mode == "incremental"
        assert ROWS_COUNT / 25 < second[name].records_count < ROWS_COUNT / 8
    for counts in results.counts[2:]:
        assert all(0 < counts[name] < ROWS_COUNT / 8 for name in SHAPES)


def test_a_single_cell_that_differs_is_found():
    rows = [{"id": 1, "value": 1.0, "text": "a"}, {"id": 2, "value": 2.0, "text": None}]
    assert cells.compare("t", "id", rows, rows).differing_count == 0
    for wrong in ({"value": 1.0000000000000002}, {"value": 1}, {"text": None}, {"text": "a "}):
        found = cells.compare("t", "id", rows, [rows[0] | wrong, rows[1]])
        assert [one[:3] for one in found.first] == [("t", 1, next(iter(wrong)))]
    found = cells.compare("t", "id", rows, rows[:1])
    assert (found.differing_count, found.cells_count) == (3, 6)
