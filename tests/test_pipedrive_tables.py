"""The tables tell what happened in the CRM, no sooner than it was known, and nothing of our own."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import pandas as pd
import pytest

from crm import digest, small_world, write_parquet
from tierwise import snapshot, tables
from tierwise.connectors import pages, pipedrive_tables, product_tables, raw_store
from tierwise.connectors import pipedrive_shapes as ps
from tierwise.connectors.pages import Page
from tierwise.connectors.pipedrive_tables import Raw, Reading
from tierwise.connectors.raw_store import Version
from tierwise.files import InputError

NOON = datetime(2026, 3, 1, 12)
STAGES = [{"id": 1, "name": "new"}, {"id": 2, "name": "offer"}, {"id": 3, "name": "contract"}]


def at(day, hour=9):
    return f"2026-02-{day:02d}T{hour:02d}:00:00Z"


def moment(day, hour=9, microsecond=0):
    return pd.Timestamp(datetime(2026, 2, day, hour, microsecond=microsecond))


def deal(deal_id=1, **changed):
    return {
        **dict.fromkeys(("stage_change_time", "won_time", "lost_time", "archive_time")),
        **dict.fromkeys(("is_deleted", "is_archived"), False),
        "id": deal_id,
        "owner_id": 7,
        "person_id": None,
        "org_id": 5,
        "stage_id": 1,
        "value": 100.0,
        "currency": "EUR",
        "add_time": at(1),
        "update_time": at(20),
        "status": "open",
        "origin": "API",
        "custom_fields": {},
        **changed,
    }


def change(key, old, new, time, deal_id=1):
    record = {"field_key": key, "old_value": old, "new_value": new, "time": time}
    return ps.change_records(deal_id, [record])[0]


def organization(organization_id=5, **changed):
    record = {"id": organization_id, "update_time": at(2), "industry": None, "address": None}
    return {**record, "employee_count": None, **changed}


def person(person_id, org_id, **changed):
    return {"id": person_id, "org_id": org_id, "update_time": at(3), "job_title": "", **changed}


def version(record, fetched_at=NOON):
    updated_at = pd.Timestamp(record["update_time"]).tz_localize(None).to_pydatetime()
    return Version(record, updated_at, fetched_at)


def raw(deals, changes=(), *, logged=True, **others):
    """logged: the change logs of all deals were read after their last change."""
    others = {"organization_versions": [version(organization())], "stages": STAGES, **others}
    return Raw(
        NOON,
        deals=list(deals),
        deal_changes=list(changes),
        log_states={one["id"]: ps.log_state(one) for one in deals} if logged else {},
        deal_versions=others.pop("deal_versions", [version(one) for one in deals]),
        **others,
    )


def made(given, reading=None):
    """All tables; each keeps its contract."""
    found = pipedrive_tables.made(given, reading or Reading())
    for name, table in found.items():
        tables.check(name, table)
    return found


def told(given, field, reading=None, deal_id=1):
    rows = made(given, reading)["deal_changes"]
    rows = rows[(rows["field"] == field) & (rows["deal_id"] == deal_id)]
    return list(zip(rows["known_at"], rows["new_value"], strict=True))


def test_stages_are_told_by_name_from_the_beginning_on():
    log = [change("stage_id", "1", "2", at(5)), change("stage_id", "2", "3", at(8))]
    expected = [(moment(1), "new"), (moment(5), "offer"), (moment(8), "contract")]
    assert told(raw([deal(stage_id=3)], reversed(log)), "stage") == expected


def test_changes_of_one_second_keep_the_order_in_which_one_leads_to_the_next():
    first = change("stage_id", "1", "3", at(4))
    log = [change("stage_id", old, new, at(5)) for old, new in ("31", "12", "23")]
    for order in permutations(log):
        rows = told(raw([deal(stage_id=3)], [first, *order]), "stage")
        assert [name for _, name in rows] == ["new", "contract", "new", "offer", "contract"]
        assert [time for time, _ in rows[2:]] == [moment(5, microsecond=n) for n in range(3)]


def test_a_stage_that_is_gone_is_called_by_its_number_and_one_may_be_renamed():
    log = [change("stage_id", "9", "2", at(5))]
    reading = Reading(stage_names={2: "proposal"})
    found = told(raw([deal(stage_id=2)], log), "stage", reading)
    assert [name for _, name in found] == ["stage 9", "proposal"]


def test_values_are_in_euros_and_change_with_the_currency():
    log = [change("value", "50", "100", at(4)), change("currency", "EUR", "USD", at(6))]
    reading = Reading(rates_eur={"EUR": 1.0, "USD": 0.5})
    found = told(raw([deal(currency="USD")], log), "value", reading)
    assert found == [(moment(1), "50.0"), (moment(4), "100.0"), (moment(6), "50.0")]


def test_a_currency_without_a_rate_is_refused():
    with pytest.raises(InputError, match="Deal 1 has a value in USD, and there is no rate"):
        made(raw([deal(currency="USD")]))


def test_an_owner_is_told_under_either_name_of_the_field():
    log = [change("user_id", "7", "8", at(4)), change("owner_id", "8", "9", at(6))]
    found = told(raw([deal(owner_id=9)], log), "owner")
    assert found == [(moment(1), "7"), (moment(4), "8"), (moment(6), "9")]


STATUS = [
    ("never changed", {}, [], []),
    ("won", {"status": "won"}, [("status", "open", "won", 5)], [(5, "won")]),
    (
        "lost, reopened and won",
        {"status": "won"},
        [
            ("status", "open", "lost", 5),
            ("status", "lost", "open", 6),
            ("status", "open", "won", 7),
        ],
        [(5, "lost"), (6, "reopened"), (7, "won")],
    ),
    (
        "deleted, as v1 says",
        {"status": "deleted"},
        [("status", "open", "deleted", 5)],
        [(5, "deleted")],
    ),
    ("deleted, as v2 says", {"is_deleted": True}, [("is_deleted", "0", "1", 5)], [(5, "deleted")]),
    (
        "deleted and brought back as won",
        {"status": "won"},
        [("status", "open", "won", 4), ("is_deleted", "0", "1", 5), ("is_deleted", "1", "0", 6)],
        [(4, "won"), (5, "deleted"), (6, "won")],
    ),
    (
        "lost and then deleted",
        {"status": "deleted", "is_deleted": True},
        [("status", "open", "lost", 4), ("status", "lost", "deleted", 6)],
        [(4, "lost"), (6, "deleted")],
    ),
    ("archived while open", {"is_archived": True, "archive_time": at(9)}, [], [(9, "deleted")]),
    (
        "archived after it was won",
        {"status": "won", "is_archived": True, "archive_time": at(9)},
        [("status", "open", "won", 5)],
        [(5, "won")],
    ),
    ("imported as won", {"status": "won", "won_time": at(3)}, [], [(3, "won")]),
]


@pytest.mark.parametrize(
    ("case", "shown", "log", "expected"), STATUS, ids=[case[0] for case in STATUS]
)
def test_a_deal_s_end_is_told(case, shown, log, expected):
    entries = [change(key, old, new, at(day)) for key, old, new, day in log]
    found = told(raw([deal(**shown)], entries), "status")
    assert found == [(moment(day), status) for day, status in expected]


def test_a_deal_whose_log_was_not_read_tells_nothing_of_its_past():
    """That it is in stage 3 today must not be known when it was opened."""
    given = raw([deal(stage_id=3, status="won")], logged=False)
    for field, value in (
        ("stage", "contract"),
        ("value", "100.0"),
        ("owner", "7"),
        ("status", "won"),
    ):
        assert told(given, field) == [(moment(20), value)]


def test_a_log_read_in_part_is_not_believed():
    given = raw([deal(stage_id=3)], [change("stage_id", "2", "3", at(5))], logged=False)
    assert told(given, "stage") == [(moment(20), "contract")]


def test_a_change_after_the_log_was_read_is_known_since_the_update_that_showed_it():
    before, after = deal(update_time=at(10)), deal(stage_id=2, update_time=at(12))
    last = deal(stage_id=2, value=150.0, update_time=at(14))
    given = raw([last], deal_versions=[version(one) for one in (before, after, last)])
    given = replace(given, log_states={1: ps.log_state(before)})
    assert told(given, "stage") == [(moment(1), "new"), (moment(12), "offer")]
    assert told(given, "value") == [(moment(1), "100.0"), (moment(14), "150.0")]


def test_a_merged_deal_is_no_deleted_one_and_belongs_where_it_went():
    deals = [deal(1, is_deleted=True, org_id=5), deal(2, org_id=6)]
    log = [change("merged_into", None, "2", at(5)), change("is_deleted", "0", "1", at(5, 10))]
    given = raw(deals, log)
    assert told(given, "merged_into") == [(moment(5), "2")]
    assert told(given, "status") == []
    assert made(given)["deals"]["organization_id"].tolist() == [6, 6]


def test_a_merge_into_a_deal_that_nobody_can_see_counts_as_deleted():
    log = [change("merged_into", None, "99", at(5)), change("is_deleted", "0", "1", at(5))]
    given = raw([deal(1, is_deleted=True)], log)
    assert told(given, "merged_into") == []
    assert told(given, "status") == [(moment(5), "deleted")]


def test_archived_and_deleted_deals_are_there_like_the_others():
    deals = [deal(1), deal(2, is_archived=True), deal(3, is_deleted=True), deal(4, status="lost")]
    assert made(raw(deals))["deals"]["deal_id"].tolist() == [1, 2, 3, 4]


def test_whoever_has_no_organisation_stands_for_one_and_an_unseen_one_has_no_values():
    deals = [deal(1, org_id=None, person_id=31), deal(2, org_id=None), deal(3, org_id=77)]
    deals += [deal(4, org_id=None, person_id=32), deal(5, org_id=None, person_id=99)]
    people = [version(person(31, None)), version(person(32, 5)), version(person(33, 88))]
    found = made(raw(deals, person_versions=people))
    assert found["deals"]["organization_id"].tolist() == [-62, -5, 77, 5, -198]
    assert found["persons"]["organization_id"].tolist() == [-62, 5, 88]
    there = found["organizations"].set_index("organization_id")
    assert set(there.index) == {-198, -62, -5, 5, 77, 88}
    assert (
        there.loc[[-62, 77, 88], ["industry", "country", "employees_count"]].isna().all(axis=None)
    )
    assert there.loc[88, "known_at"] == moment(3)


def test_a_version_is_known_since_its_update_and_told_only_when_something_we_read_has_changed():
    states = [
        organization(update_time=at(2), employee_count=10, industry=4),
        organization(update_time=at(4), employee_count=10, industry=4, name="renamed"),
        organization(
            update_time=at(6), employee_count=12, industry=4, address={"country": "Germany"}
        ),
    ]
    fields = [{"field_code": "industry", "options": [{"id": 4, "label": "bakery"}]}]
    given = raw(
        [deal()], organization_versions=[version(one) for one in states], organization_fields=fields
    )
    rows = made(given, Reading(countries={"Germany": "DE"}))["organizations"]
    assert rows["known_at"].tolist() == [moment(2), moment(6)]
    assert rows["employees_count"].tolist() == [10.0, 12.0]
    assert rows["industry"].tolist() == ["bakery"] * 2
    assert rows["country"].fillna("").tolist() == ["", "DE"]


def test_users_have_the_team_that_was_named():
    users = [{"id": 8, "created": "2025-01-02 03:04:05", "timezone_name": "Europe/Berlin"}]
    rows = made(raw([deal()], users=users), Reading(teams={8: "north"}))["users"]
    assert rows.iloc[0].tolist() == [
        8,
        pd.Timestamp("2025-01-02 03:04:05"),
        "north",
        "Europe/Berlin",
    ]


def activity(activity_id, **changed):
    return {
        "id": activity_id,
        "type": "call",
        "deal_id": 1,
        "owner_id": 7,
        "is_deleted": False,
        "done": True,
        "due_date": "2026-02-05",
        "due_time": "09:00",
        "duration": "00:30",
        "add_time": at(2),
        "marked_as_done_time": at(6),
        **changed,
    }


ACTIVITIES = [  # what it is like: when it occurred, when it was known, whether it was done
    ("done and noted later", {}, (moment(5), moment(6), True)),
    ("done before it was due", {"marked_as_done_time": at(4)}, (moment(4), moment(4), True)),
    ("done without a time", {"due_date": None}, (moment(6), moment(6), True)),
    (
        "entered late",
        {"add_time": at(9), "marked_as_done_time": at(9)},
        (moment(5), moment(9), True),
    ),
    ("missed", {"done": False, "marked_as_done_time": ""}, (moment(5), moment(5), False)),
    (
        "due some time of a day",
        {"done": False, "due_time": ""},
        (moment(6, 0), moment(6, 0), False),
    ),
    ("planned", {"done": False, "due_date": "2026-03-09"}, None),
    ("never due", {"done": False, "due_date": None}, None),
    ("deleted", {"is_deleted": True}, None),
    ("no contact", {"type": "task"}, None),
    ("of no deal", {"deal_id": None}, None),
    ("of an unseen deal", {"deal_id": 99}, None),
]


@pytest.mark.parametrize(
    ("case", "changed", "expected"), ACTIVITIES, ids=[case[0] for case in ACTIVITIES]
)
def test_an_activity_took_place_or_was_missed_or_is_left_out(case, changed, expected):
    rows = made(raw([deal()], activities=[activity(1, **changed)]))["activities"]
    found = list(zip(rows["occurred_at"], rows["known_at"], rows["done"], strict=True))
    assert found == ([] if expected is None else [expected])


def test_kinds_of_activities_are_mapped_and_strange_ones_are_counted():
    kinds = ["call", "email", "meeting", "lunch", "deadline", "fax", "fax"]
    given = raw([deal()], activities=[activity(n, type=kind) for n, kind in enumerate(kinds)])
    rows = made(given)["activities"]
    assert rows["type"].tolist() == ["call", "mail", "meeting", "meeting"]
    assert rows["duration_minutes"].tolist() == [30.0] * 4
    assert pipedrive_tables.strange_types(given, Reading()) == {"fax": 2}


def field(code, name, kind, *labels, custom=True):
    options = [{"id": n, "label": label} for n, label in enumerate(labels, 1)]
    return {
        "field_code": code,
        "field_name": name,
        "field_type": kind,
        "options": options or None,
        "is_custom_field": custom,
    }


FIELDS = [
    field("c1", "Segment", "enum", "small", "large"),
    field("c2", "Channels", "set", "web", "fair", "mail"),
    field("c3", "Budget", "monetary"),
    field("c4", "Seats", "double"),
    field("c5", "Start", "date"),
    field("c6", "Note", "text"),
    field("c7", "Source", "varchar"),
    field("c8", "Pilot", "boolean"),
    field("o1", "Tierwise tier", "enum", "A", "B", "C"),
    field("o2", "tierwise chance", "double"),
    field("title", "Title", "varchar", custom=False),
]


def test_custom_fields_of_deals_are_columns_by_name_with_labels_and_without_ours():
    values = {
        "c1": 2,
        "c2": [3, 1],
        "c3": {"value": 90, "currency": "EUR"},
        "c4": 7,
        "c5": "2026-05-01",
        "c6": "a long story",
        "c7": "fair",
        "c8": True,
        "o1": 1,
        "o2": 44.0,
    }
    deals = [deal(1, custom_fields=values), deal(2), deal(3, custom_fields={"c1": 9, "c4": None})]
    table = made(raw(deals, deal_fields=FIELDS))["deals"]
    custom = table.drop(columns=list(tables.CONTRACTS["deals"].columns))
    assert {name: str(custom[name].dtype) for name in custom} == {
        "Budget": "float64",
        "Channels": "str",
        "Pilot": "boolean",
        "Seats": "float64",
        "Segment": "str",
        "Source (custom field)": "str",
        "Start": "datetime64[us]",
    }
    assert custom.iloc[0].tolist() == [
        90.0,
        "mail; web",
        True,
        7.0,
        "large",
        "fair",
        pd.Timestamp("2026-05-01"),
    ]
    assert custom.iloc[1].isna().all()
    assert custom.loc[2, "Segment"] == "option 9"


@pytest.mark.parametrize(
    ("fields", "values", "message"),
    [
        (
            [field("a1", "Size", "int"), field("a2", "size ", "int")],
            {},
            "2 custom fields are called 'Size': a1, a2",
        ),
        (
            [field("a1", "Size", "int")],
            {"a1": "many"},
            "Deal 1, custom field 'Size': the value must suit the type int; it is str",
        ),
        (
            [field("a1", "Size", "enum", "S")],
            {"a1": {"x": 1}},
            "must suit the type enum; it is dict",
        ),
        ([field("a1", "Size", "date")], {"a1": "soon"}, "must suit the type date; it is str"),
        ([field("a1", "Size", "boolean")], {"a1": "yes"}, "must suit the type boolean; it is str"),
        (
            [field("a1", "Size", "monetary")],
            {"a1": {"value": 5, "currency": "USD"}},
            "an amount in USD.*no rate",
        ),
    ],
)
def test_a_custom_field_that_can_t_be_read_is_refused_and_never_missing(fields, values, message):
    with pytest.raises(InputError, match=message):
        made(raw([deal(custom_fields=values)], deal_fields=fields))


def test_without_anything_loaded_all_tables_are_there_and_typed():
    found = made(Raw(NOON))
    assert list(found) == list(tables.CRM)
    assert all(table.empty for table in found.values())


def test_ad_clicks_come_from_a_csv_file_and_the_rest_from_queries(tmp_path):
    world = small_world()
    world["ad_clicks"].to_csv(tmp_path / "clicks.csv", index=False, sep=";")
    found = product_tables.from_csv("ad_clicks", tmp_path / "clicks.csv")
    pd.testing.assert_frame_equal(found, world["ad_clicks"])
    import duckdb

    with duckdb.connect(tmp_path / "product.duckdb") as product:
        events = world["events"]
        product.execute("CREATE TABLE log AS SELECT *, organization_id + 0 AS account FROM events")
    query = "SELECT event_id, account AS organization_id, person_id, occurred_at, known_at, type, amount, properties FROM log"
    found = product_tables.from_duckdb("events", tmp_path / "product.duckdb", query)
    assert sorted(found["event_id"]) == sorted(events["event_id"])
    with pytest.raises(InputError, match="Table events can't be queried from product.duckdb"):
        product_tables.from_duckdb("events", tmp_path / "product.duckdb", "SELECT * FROM nothing")
    with pytest.raises(InputError, match="Table events, column event_id: must be there"):
        product_tables.from_duckdb("events", tmp_path / "product.duckdb", "SELECT 1 AS x")
    with pytest.raises(InputError, match="is missing; table ad_clicks is read from it"):
        product_tables.from_csv("ad_clicks", tmp_path / "no.csv")


# A whole CRM, loaded by pages, as Parquet, fetched; and the same after we wrote back


def whole_crm(chance, deals_count=40):
    """entity -> records, and deal_id -> its change log as the API gives it."""
    deals, logs = [], {}
    for n in range(1, deals_count + 1):
        steps = chance.randint(0, 2)
        end = chance.choice(["open", "open", "won", "lost"])
        day = chance.randint(1, 9)
        log = [
            {
                "field_key": "stage_id",
                "old_value": str(k),
                "new_value": str(k + 1),
                "time": f"2026-02-{day + k:02d} 10:00:00",
            }
            for k in range(1, steps + 1)
        ]
        if end != "open":
            log.append(
                {
                    "field_key": "status",
                    "old_value": "open",
                    "new_value": end,
                    "time": f"2026-02-{day + 5:02d} 11:00:00",
                }
            )
        logs[n] = log[::-1]
        deals.append(
            deal(
                n,
                org_id=chance.choice([1, 2, 3, None]),
                person_id=chance.choice([11, 12, None]),
                stage_id=1 + steps,
                status=end,
                add_time=at(day),
                is_archived=chance.random() < 0.1,
                custom_fields={"c1": chance.choice([1, 2, None])},
            )
        )
    records = {
        "deals": deals,
        "organizations": [organization(n, add_time=at(1), is_deleted=False) for n in (1, 2, 3)],
        "persons": [person(n, n - 10, add_time=at(1), is_deleted=False) for n in (11, 12)],
        "users": [{"id": 7, "created": "2025-01-02 03:04:05", "timezone_name": "Europe/Berlin"}],
        "stages": STAGES,
        "deal_fields": FIELDS,
        "activities": [
            {**activity(n), "update_time": at(7), "deal_id": chance.randint(1, deals_count)}
            for n in range(40)
        ],
    }
    return records, logs


def written_back(records, logs):
    """As push does: our fields get values, update_time moves, and the log has an entry for each."""
    for one in records["deals"]:
        if one["status"] == "open" and not one["is_archived"]:
            one["custom_fields"] |= {"o1": 1 + one["id"] % 3, "o2": float(one["id"])}
            one["update_time"] = at(25)
            logs[one["id"]] = [
                {
                    "field_key": "o1",
                    "old_value": None,
                    "new_value": "1",
                    "time": "2026-02-25 09:00:00",
                },
                *logs[one["id"]],
            ]


def ingest(connection, records, logs, clock):
    """Everything once more, by pages of 25; returns the deals whose change log was asked for."""

    def paged(rows):
        def fetch_page(cursor, updated_since):
            found = [
                r for r in rows if not updated_since or r.get("update_time", "9") >= updated_since
            ]
            begin = int(cursor or 0)
            after = str(begin + 25) if begin + 25 < len(found) else None
            return Page(found[begin : begin + 25], after)

        return fetch_page

    shapes = [ps.ORGANIZATIONS, ps.PERSONS, ps.USERS, ps.STAGES, ps.DEAL_FIELDS, ps.ACTIVITIES]
    for shape in [*shapes, ps.deals_without(FIELDS, "tierwise")]:
        found = pages.load(
            connection, "pipedrive", shape, paged(records[shape.entity]), clock=clock
        )
        assert (found.quarantined, found.new_fields) == ([], [])
    walked = []

    def fetch_log(parent, cursor):
        walked.append(int(parent))
        return Page(ps.change_records(int(parent), logs[int(parent)]), None)

    deals = raw_store.records(connection, "pipedrive", "deals")
    pages.walk(connection, "pipedrive", ps.CHANGES, ps.logs_to_walk(deals), fetch_log, clock=clock)
    return walked


def parquet(connection, folder):
    stored = pipedrive_tables.stored(connection, "pipedrive", NOON)
    found = made(stored)
    write_parquet(found, folder)
    return found


@pytest.fixture
def crm(tmp_path):
    records, logs = whole_crm(random.Random(5))
    with raw_store.opened(tmp_path / "raw.duckdb") as connection:
        ingest(connection, records, logs, lambda: NOON)
        yield connection, records, logs


def test_the_tables_are_accepted_as_a_snapshot(crm, tmp_path):
    found = parquet(crm[0], tmp_path / "source")
    snapshot.fetch(tmp_path / "source", tmp_path / "snapshot", now=pd.Timestamp(NOON))
    part = snapshot.parts(tmp_path / "snapshot")[0]
    for name, table in found.items():
        assert len(snapshot.read(part, name)) == len(table), name
    assert len(found["deals"]) == 40
    assert snapshot.read(part, "deals")["Segment"].dropna().isin(["small", "large"]).all()


def test_what_we_wrote_back_ourselves_changes_not_one_byte(crm, tmp_path):
    connection, records, logs = crm
    parquet(connection, tmp_path / "before")
    versions_count = len(raw_store.versions(connection, "pipedrive", "deals"))
    written_back(records, logs)
    walked = ingest(connection, records, logs, lambda: NOON + timedelta(hours=1))
    parquet(connection, tmp_path / "after")
    with raw_store.opened(tmp_path / "fresh.duckdb") as fresh:
        ingest(fresh, records, logs, lambda: NOON + timedelta(hours=2))
        parquet(fresh, tmp_path / "fresh")
    before = digest(tmp_path / "before")
    assert digest(tmp_path / "after") == before
    assert digest(tmp_path / "fresh") == before
    assert walked == []  # no token is spent on logs that only we have written to
    assert len(raw_store.versions(connection, "pipedrive", "deals")) == versions_count
    stored = raw_store.records(connection, "pipedrive", "deals")
    assert sum("o1" in one["custom_fields"] for one in stored) > 10


def test_what_others_changed_beside_our_write_back_does_change_the_tables(crm, tmp_path):
    connection, records, logs = crm
    before = parquet(connection, tmp_path / "before")
    written_back(records, logs)
    one = next(one for one in records["deals"] if one["status"] == "open" and one["stage_id"] < 3)
    entry = {
        "field_key": "status",
        "old_value": "open",
        "new_value": "won",
        "time": "2026-02-26 09:00:00",
    }
    one |= {"status": "won", "update_time": at(26), "won_time": at(26)}
    logs[one["id"]].insert(0, entry)
    walked = ingest(connection, records, logs, lambda: NOON + timedelta(hours=1))
    after = parquet(connection, tmp_path / "after")
    assert walked == [one["id"]]
    new = after["deal_changes"].merge(before["deal_changes"], how="left", indicator=True)
    new = new[new["_merge"] == "left_only"]
    assert new[["deal_id", "field", "new_value"]].to_numpy().tolist() == [
        [one["id"], "status", "won"]
    ]
