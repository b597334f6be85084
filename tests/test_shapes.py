"""An API that changes is told at once: by the records set aside, or by a load that stops."""

import math
from datetime import datetime
from pathlib import Path

import pytest

from tierwise.connectors import pages, raw_store, shapes
from tierwise.connectors.pages import Page
from tierwise.connectors.pipedrive_shapes import DEALS
from tierwise.connectors.shapes import Field, Shape
from tierwise.files import InputError

ABSENT = object()
NOW = datetime(2026, 3, 1, 12)


def deal(deal_id, **changed):
    """As the API gives one; a field that is ABSENT is left out."""
    record = {
        "id": deal_id,
        "title": f"deal {deal_id}",
        "owner_id": 7,
        "person_id": None,
        "org_id": 5,
        "pipeline_id": 1,
        "stage_id": 2,
        "value": 1200.5,
        "currency": "EUR",
        "add_time": "2026-01-05T09:00:00Z",
        "update_time": "2026-02-05T09:00:00Z",
        "stage_change_time": None,
        "won_time": None,
        "lost_time": None,
        "archive_time": None,
        "status": "open",
        "is_deleted": False,
        "is_archived": False,
        "origin": "API",
        "custom_fields": {"ab12": 3},
        **changed,
    }
    return {name: value for name, value in record.items() if value is not ABSENT}


@pytest.fixture(scope="module")
def connection():
    with raw_store.opened(Path(":memory:")) as made:
        yield made


@pytest.fixture
def source(request):
    return request.node.name


def load(connection, source, records, shape=DEALS):
    return pages.load(
        connection, source, shape, lambda cursor, since: Page(records, None), clock=lambda: NOW
    )


def in_quarantine(connection, source):
    return connection.execute(
        "SELECT record_id, field, rule FROM quarantine WHERE source = ? ORDER BY record_id",
        [source],
    ).fetchall()


def ids(connection, source):
    return [record["id"] for record in raw_store.records(connection, source, "deals")]


ONE_RECORD = [  # what one record of fifty has, and the field and rule it is set aside for
    ("value as text", {"value": "1200.5"}, "value", "must be a number or null"),
    ("value as an object", {"value": {"value": 1}}, "value", "must be a number or null"),
    ("value that is true", {"value": True}, "value", "must be a number or null"),
    ("value NaN", {"value": math.nan}, "value", "must be a finite number"),
    ("value infinite", {"value": math.inf}, "value", "must be a finite number"),
    ("value minus infinite", {"value": -math.inf}, "value", "must be a finite number"),
    ("value absent", {"value": ABSENT}, "value", "must be there"),
    ("value beyond 64 bits", {"value": 2**70}, "value", "must be a number or null"),
    ("stage as text", {"stage_id": "2"}, "stage_id", "must be a whole number"),
    ("stage a fraction", {"stage_id": 2.5}, "stage_id", "must be a whole number"),
    ("stage null", {"stage_id": None}, "stage_id", "must not be null"),
    ("stage beyond 64 bits", {"stage_id": 2**63}, "stage_id", "must be a whole number"),
    (
        "owner an object as in v1",
        {"owner_id": {"id": 7}},
        "owner_id",
        "must be a whole number or null",
    ),
    ("organisation a list", {"org_id": [5]}, "org_id", "must be a whole number or null"),
    ("person false", {"person_id": False}, "person_id", "must be a whole number or null"),
    ("status unknown", {"status": "paused"}, "status", "must be one of open, won, lost, deleted"),
    ("status in capitals", {"status": "WON"}, "status", "must be one of open"),
    ("status a number", {"status": 1}, "status", "must be text"),
    ("status null", {"status": None}, "status", "must not be null"),
    ("deleted as a number", {"is_deleted": 0}, "is_deleted", "must be true or false"),
    ("archived as text", {"is_archived": "false"}, "is_archived", "must be true or false"),
    ("time as a number", {"add_time": 1767603600}, "add_time", "must be a time"),
    ("time of no month", {"add_time": "2026-13-05T09:00:00Z"}, "add_time", "must be a time"),
    ("time the other way round", {"update_time": "05.02.2026"}, "update_time", "must be a time"),
    (
        "time before the world",
        {"update_time": "0001-01-01T00:00:00+14:00"},
        "update_time",
        "must be a time",
    ),
    ("time empty", {"won_time": ""}, "won_time", "must be a time"),
    ("time null", {"update_time": None}, "update_time", "must not be null"),
    ("custom fields a list", {"custom_fields": []}, "custom_fields", "must be an object or null"),
    ("custom fields a text", {"custom_fields": "{}"}, "custom_fields", "must be an object or null"),
    ("currency a number", {"currency": 978}, "currency", "must be text or null"),
    (
        "NaN in a custom field",
        {"custom_fields": {"ab12": math.nan}},
        "custom_fields.ab12",
        "must be a finite number",
    ),
    (
        "NaN deep down",
        {"labels": [{"size": [1, math.inf]}]},
        "labels.size",
        "must be a finite number",
    ),
    ("half a character", {"lost_reason": "\ud83d"}, "lost_reason", "must be text without halves"),
    ("a zero byte", {"lost_reason": "a\0b"}, "lost_reason", "must be text without halves"),
]


@pytest.mark.parametrize(
    ("case", "changed", "field", "rule"), ONE_RECORD, ids=[c[0] for c in ONE_RECORD]
)
def test_a_record_that_breaks_a_rule_is_set_aside_by_name_and_the_others_are_kept(
    connection, source, case, changed, field, rule
):
    told = load(connection, source, [deal(n, **(changed if n == 33 else {})) for n in range(1, 51)])
    assert ids(connection, source) == [n for n in range(1, 51) if n != 33]
    [(record_id, found, broken)] = in_quarantine(connection, source)
    assert (record_id, found) == ("33", field)
    assert broken.startswith(rule)
    assert [(one.record_id, one.field, one.rule) for one in told.quarantined] == [
        ("33", field, broken)
    ]


EVERY_RECORD = [  # what all records have, and what the one message says
    (
        "field renamed",
        {"stage_id": ABSENT, "stage_ids": 2},
        "field stage_id: must be there.*None of 50 records.*nearest new field is stage_ids",
    ),
    ("field gone", {"is_archived": ABSENT}, "field is_archived: must be there.*first: id 1, 2, 3"),
    ("nullable field gone", {"value": ABSENT}, "field value: must be there"),
    (
        "type changed",
        {"value": "1200.5"},
        "field value: must be a number or null. 50 of 50 records.*id 1 .value '1200.5'.; id 2 ",
    ),
    (
        "another currency of time",
        {"update_time": 1767603600000},
        "field update_time: must be a time",
    ),
    (
        "a new status",
        {"status": "frozen"},
        "field status: must be one of open, won, lost, deleted. 50 of 50.*'frozen'",
    ),
    (
        "numbers lost",
        {"value": math.nan},
        "field value: must be a finite number.*id 1 .value 'nan'",
    ),
    ("required became null", {"add_time": None}, "field add_time: must not be null"),
]


@pytest.mark.parametrize(
    ("case", "changed", "message"), EVERY_RECORD, ids=[c[0] for c in EVERY_RECORD]
)
def test_an_api_that_changed_stops_the_load_with_one_message_and_keeps_nothing_of_the_page(
    connection, source, case, changed, message
):
    load(connection, source, [deal(n) for n in range(1, 51)])
    with pytest.raises(InputError, match=f"deals, {message}"):
        load(
            connection,
            source,
            [
                deal(n, update_time="2026-02-06T09:00:00Z", **changed)
                if "update_time" not in changed
                else deal(n, **changed)
                for n in range(1, 51)
            ],
        )
    assert ids(connection, source) == list(range(1, 51))
    assert in_quarantine(connection, source) == []
    assert {r["update_time"] for r in raw_store.records(connection, source, "deals")} == {
        "2026-02-05T09:00:00Z"
    }


def test_a_tenth_of_a_page_may_break_and_one_more_may_not(connection, source):
    def page(broken_count):
        return [deal(n, **({"value": "x"} if n <= broken_count else {})) for n in range(1, 51)]

    assert len(load(connection, source, page(5)).quarantined) == 5
    with pytest.raises(InputError, match="6 of 50 records.*At most 10% may be set aside"):
        load(connection, source, page(6))


def test_two_records_alone_are_set_aside_and_say_nothing_about_the_api(connection, source):
    load(connection, source, [deal(1, value="x"), deal(2, stage_id=ABSENT)])
    assert [row[:2] for row in in_quarantine(connection, source)] == [
        ("1", "value"),
        ("2", "stage_id"),
    ]
    assert ids(connection, source) == []


def test_a_personal_text_in_the_place_of_a_number_is_not_shown(connection, source):
    with pytest.raises(InputError, match="value a text of 13 characters") as told:
        load(connection, source, [deal(n, value="jane@some.org") for n in range(9)])
    assert "jane" not in str(told.value)


def test_an_undeclared_field_is_told_once_and_stays_in_the_content(connection, source):
    records = [deal(n, mood="good") for n in range(1, 6)]
    assert load(connection, source, records).new_fields == ["mood"]
    assert load(connection, source, records).new_fields == []
    assert {r["mood"] for r in raw_store.records(connection, source, "deals")} == {"good"}


def test_an_optional_field_may_come_and_go(connection, source):
    load(connection, source, [deal(n, archive_time=ABSENT, origin=ABSENT) for n in range(1, 6)])
    assert len(ids(connection, source)) == 5


def test_a_record_that_is_mended_leaves_the_quarantine(connection, source):
    load(connection, source, [deal(1), deal(2, value="x"), deal(3)])
    load(connection, source, [deal(2)])
    assert in_quarantine(connection, source) == []
    assert ids(connection, source) == [1, 2, 3]


def test_a_record_is_released_when_the_shape_allows_it_and_not_before(connection, source):
    load(connection, source, [deal(1), deal(2, status="paused"), deal(3, value="x")])
    wider = Field("text", values=("open", "won", "lost", "deleted", "paused"))
    shape = Shape("deals", {**DEALS.fields, "status": wider}, keeps_versions=True)
    assert pages.released(connection, source, DEALS) == 0
    assert pages.released(connection, source, shape) == 1
    assert ids(connection, source) == [1, 2]
    assert [row[0] for row in in_quarantine(connection, source)] == ["3"]


def test_a_broken_record_leaves_the_good_content_from_before(connection, source):
    load(connection, source, [deal(1, value=1.0)])
    load(connection, source, [deal(1, value="x", update_time="2026-02-09T09:00:00Z")])
    assert [r["value"] for r in raw_store.records(connection, source, "deals")] == [1.0]
    assert [row[0] for row in in_quarantine(connection, source)] == ["1"]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-29T14:05:00Z", datetime(2026, 3, 29, 14, 5)),
        ("2026-03-29 14:05:00", datetime(2026, 3, 29, 14, 5)),
        ("2026-03-29T14:05:00.25+02:00", datetime(2026, 3, 29, 12, 5, 0, 250000)),
        ("2026-03-29", datetime(2026, 3, 29)),
    ],
)
def test_a_time_is_read_in_utc(text, utc):
    assert shapes.instant(text) == utc


@pytest.mark.parametrize(
    "text", ["", "now", "2026-02-30", "20260329", "2026-W10-1", "2026-03-29T25:00:00Z"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="no time"):
        shapes.instant(text)


def test_fields_are_left_out_by_dotted_name_and_the_record_stays_as_it_was():
    record = {"a": 1, "b": {"c": 2, "d": 3}}
    assert shapes.without(record, frozenset({"a", "b.c", "x.y"})) == {"b": {"d": 3}}
    assert record == {"a": 1, "b": {"c": 2, "d": 3}}
