"""Rows that Intercom adds to the tables of a CRM: whose they are, and since when that was known."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

httpx = pytest.importorskip("httpx", reason="needs the extra hourly")

import fake_intercom as fi  # noqa: E402
from tierwise import tables  # noqa: E402
from tierwise.connectors import (  # noqa: E402
    intercom_pages,
    intercom_people,
    intercom_tables,
    pipedrive_tables,
    raw_store,
)
from tierwise.connectors.intercom import Client  # noqa: E402
from tierwise.connectors.raw_store import Version  # noqa: E402
from tierwise.files import InputError  # noqa: E402

SECRET, AMOUNTS = "a secret of the tests", {"created-job-draft": "titles"}

WORDS = {"created-job-draft": "job_draft_saved", "invited colleague": "colleague_invited"}
READING = intercom_tables.Reading(event_types={**WORDS, "page": ""})
PERSON_FIELD, ORGANIZATION_FIELD = "9a" * 20, "9b" * 20
DAY = 86_400


def at(days):
    return pd.Timestamp(fi.MONDAY + days * DAY, unit="s")


def person(number, organization_id, *addresses, deleted=False, **custom):
    return {
        "id": number,
        "org_id": organization_id,
        "is_deleted": deleted,
        "emails": [{"value": one, "primary": True} for one in addresses],
        "custom_fields": custom or None,
    }


PERSONS = [
    person(1, 10, "Contact1@mailbox.example"),
    person(2, 10, **{PERSON_FIELD: "user-2"}),
    person(3, 20, "contact3@mailbox.example", **{PERSON_FIELD: "user-3"}),
    person(4, 20, "twice@mailbox.example"),
    person(5, 30, "twice@mailbox.example"),
    person(6, 30, "contact6@mailbox.example", deleted=True),
]
ORGANIZATIONS = [
    {"id": 10, "is_deleted": False, "custom_fields": {ORGANIZATION_FIELD: 1234}},
    {"id": 20, "is_deleted": False, "custom_fields": {ORGANIZATION_FIELD: "account-20"}},
    {"id": 30, "is_deleted": False, "custom_fields": None},
]


def crm_tables(deals=(), changes=()):
    """deals: (deal_id, organization_id, person_id, opened). changes: (deal_id, when, status)."""
    columns = {
        "persons": ("person_id", "organization_id", "known_at"),
        "deals": ("deal_id", "organization_id", "person_id", "occurred_at"),
        "deal_changes": ("deal_id", "occurred_at", "new_value", "field"),
    }
    rows = {
        "persons": [(one["id"], one["org_id"], at(-90)) for one in PERSONS],
        "deals": deals,
        "deal_changes": [(*one, "status") for one in changes],
    }
    return {name: pd.DataFrame(rows[name], columns=columns[name]) for name in columns}


def crm(found=None):
    people = [intercom_people.keyed(one, SECRET, PERSON_FIELD) for one in PERSONS]
    versions = [Version(one, at(-90), at(-90)) for one in people]
    theirs = [Version(one, at(-90), at(-90)) for one in ORGANIZATIONS]
    raw = pipedrive_tables.Raw(
        until=datetime(2026, 11, 23), person_versions=versions, organization_versions=theirs
    )
    return intercom_people.crm_of(raw, found or crm_tables(), SECRET, ORGANIZATION_FIELD)


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("INTERCOM_ACCESS_TOKEN", fi.TOKEN)


@pytest.fixture(scope="module")
def connection():
    with raw_store.opened(Path(":memory:")) as made:
        yield made


@pytest.fixture
def source(request):
    return request.node.name


def ingest(connection, fake, source):
    client = Client(transport=fi.Transport(fake), clock=fake.clock, sleep=fake.clock.sleep)
    now = datetime.fromtimestamp(fake.clock(), UTC).replace(tzinfo=None)
    how = {"source": source, "clock": lambda: now}
    intercom_pages.ingest(connection, client, SECRET, AMOUNTS, **how)


@pytest.fixture
def quick(connection, source):
    """A workspace and what turns all of it into tables, as a run of this hour would."""
    fake = fi.Fake()

    def run(deals=(), changes=(), reading=READING):
        ingest(connection, fake, source)
        raw = intercom_tables.stored(connection, source)
        found = crm_tables(deals, changes)
        made = intercom_tables.made(raw, reading, crm(found), found)
        tables.check("events", made.events)
        tables.check("activities", made.activities)
        assert len(raw.events) == len(made.events) + sum(made.events_left_out.values())
        talks = len(made.activities) + sum(made.activities_left_out.values())
        assert len(raw.conversations) == talks
        return made

    return fake, run


def rows(frame, *columns):
    return (
        frame[list(columns)]
        .astype(object)
        .where(frame[list(columns)].notna(), None)
        .values.tolist()
    )


def test_events_belong_to_the_person_by_id_else_by_address_else_to_the_company(quick):
    fake, run = quick
    company = fake.add_company(20)
    number = fake.add_company(21, company_id="1234")
    strange = fake.add_company(22)

    def in_companies(*ids):
        return {"type": "list", "data": [{"id": one} for one in ids]}

    contacts = [
        fake.add_contact(1, external_id=None),
        fake.add_contact(2, email=None),
        fake.add_contact(3, email="contact1@mailbox.example"),  # the id says somebody else
        fake.add_contact(4, email="Twice@mailbox.example"),
        fake.add_contact(5, email="twice@mailbox.example", companies=in_companies(company)),
        fake.add_contact(6, companies=in_companies(strange)),
        fake.add_contact(7, email=None, companies=in_companies(strange, number)),
        fake.add_contact(8, companies=in_companies(company, number)),
        fake.add_contact(9, external_id="contact1@mailbox.example", email=None),
    ]
    for contact in contacts:
        fake.clock.sleep(1)
        fake.add_event(contact, "created-job-draft")
    made = run()
    assert rows(made.events, "organization_id", "person_id") == [
        [10, 1],
        [10, 2],
        [20, 3],
        [20, None],
        [10, None],
        [10, 1],
    ]
    assert made.events_left_out == {intercom_people.NOBODY: 1, intercom_people.SEVERAL: 2}


def test_names_of_events_are_ours_and_those_that_nobody_mapped_are_counted(quick):
    fake, run = quick
    contact = fake.add_contact(1)
    for name in ("created-job-draft", "page", "invited colleague", "strange", "page"):
        fake.clock.sleep(60)
        fake.add_event(contact, name, titles=7)
    made = run()
    assert sorted(rows(made.events, "type", "amount")) == [
        ["colleague_invited", None],
        ["job_draft_saved", 7.0],
    ]
    assert made.events_left_out == {
        "an event that is left out: page": 2,
        "an event that nobody mapped: strange": 1,
    }


def test_an_event_is_known_when_it_happened_and_no_edit_moves_that(quick):
    fake, run = quick
    contact = fake.add_contact(1)
    fake.clock.sleep(DAY)
    fake.add_event(contact, "created-job-draft")
    before = run().events
    assert rows(before, "occurred_at", "known_at") == [[at(1), at(1)]]
    for values in ({"name": "Another"}, {"unsubscribed_from_emails": True}, {"external_id": "x"}):
        fake.clock.sleep(DAY)
        fake.edit(fake.contacts, contact, **values)
        pd.testing.assert_frame_equal(run().events, before)


def test_what_a_visitor_did_before_he_gave_his_address_is_known_from_then_on_only(quick):
    fake, run = quick
    contact = fake.add_contact(1, external_id=None, email=None)
    fake.add_event(contact, "created-job-draft")
    assert run().events_left_out == {intercom_people.NOBODY: 1}
    fake.clock.sleep(DAY)
    fake.edit(fake.contacts, contact, email="contact1@mailbox.example")
    fake.clock.sleep(DAY)
    fake.add_event(contact, "invited colleague")
    assert sorted(rows(run().events, "occurred_at", "known_at")) == [[at(0), at(1)], [at(2), at(2)]]


@pytest.mark.parametrize("email", ["contact1@mailbox.example", None])
def test_a_merged_contact_s_events_are_counted_once_and_known_since_it_was_merged(quick, email):
    """By the address they shared, or by the events that the other one has now."""
    fake, run = quick
    user = fake.add_contact(1)
    lead = fake.add_contact(99, external_id=None, email=email)
    fake.add_event(lead, "created-job-draft")
    fake.clock.sleep(60)
    fake.add_event(user, "invited colleague")
    fake.clock.sleep(DAY)
    first = run()
    assert len(first.events) == (2 if email else 1)
    fake.merge(lead, user)
    fake.clock.sleep(8 * DAY)  # within a week it is looked whether somebody is still there
    made = run()
    assert (made.gone_count, made.merged_count) == (1, 1)
    assert made.events_left_out == {intercom_tables.COPY: 1}
    assert rows(made.events.sort_values("occurred_at"), "type", "person_id") == [
        ["job_draft_saved", 1],
        ["colleague_invited", 1],
    ]
    known = made.events.sort_values("occurred_at")["known_at"].tolist()[0]
    assert known == (at(0) if email else pd.Timestamp(fake.clock(), unit="s"))
    fake.clock.sleep(8 * DAY)
    pd.testing.assert_frame_equal(run().events, made.events)


def test_a_merged_contact_of_whom_nobody_knows_what_became_stays_itself(quick):
    fake, run = quick
    twins = [fake.add_contact(n, email="contact1@mailbox.example") for n in (1, 2, 3)]
    fake.add_event(twins[0], "created-job-draft")
    run()
    fake.archive(twins[0])
    fake.clock.sleep(8 * DAY)
    made = run()
    assert (made.gone_count, made.merged_count, len(made.events)) == (1, 0, 1)


def test_two_people_who_did_the_same_at_the_same_second_are_not_taken_for_one(quick):
    fake, run = quick
    contacts = [fake.add_contact(number) for number in (1, 2)]
    for contact in contacts:
        fake.add_event(contact, "created-job-draft")
    run()
    fake.archive(contacts[0])
    fake.clock.sleep(8 * DAY)
    made = run()
    assert (made.gone_count, made.merged_count) == (1, 0)
    assert rows(made.events, "person_id") == [[1], [2]]


@pytest.mark.parametrize("shows_archived", [True, False])
def test_events_of_an_archived_contact_stay_and_nobody_asks_for_it_again(quick, shows_archived):
    fake, run = quick
    fake.shows_archived = shows_archived
    contact = fake.add_contact(1)
    fake.add_event(contact, "created-job-draft")
    before = run().events
    fake.archive(contact)
    fake.clock.sleep(8 * DAY)
    made = run()
    assert (made.gone_count, made.merged_count) == (1, 0)
    pd.testing.assert_frame_equal(made.events, before)
    calls_count = len(fake.calls)
    fake.clock.sleep(8 * DAY)
    run()
    assert not any(contact in call.path for call in fake.calls[calls_count:])
    fake.contacts[contact] = fake.archived.pop(contact)
    fake.edit(fake.contacts, contact)
    assert run().gone_count == 0  # and when it is back, it is back


def test_who_has_opted_out_is_told_and_no_longer_when_he_has_opted_in_again(quick):
    fake, run = quick
    first = fake.add_contact(1, unsubscribed_from_emails=True)
    fake.add_contact(2)
    fake.add_contact(77, unsubscribed_from_emails=True)  # nobody in the CRM
    assert run().opted_out_ids == [1]
    fake.clock.sleep(60)
    fake.edit(fake.contacts, first, unsubscribed_from_emails=False)
    assert run().opted_out_ids == []


REPLIED = {"created_at": int(fi.MONDAY) + 2 * DAY}
TALKS = [  # source.type, delivered_as, reply: type, when, known since, done; or why there is none
    ("conversation", "customer_initiated", None, ("mail", at(1), at(1), True)),
    ("email", "customer_initiated", REPLIED, ("mail", at(1), at(1), True)),
    ("phone_call", "customer_initiated", None, ("call", at(1), at(1), True)),
    ("email", "admin_initiated", None, ("mail", at(1), at(1), False)),
    ("email", "admin_initiated", REPLIED, ("mail", at(1), at(2), True)),
    ("email", "automated", None, intercom_tables.NO_ANSWER),
    ("email", "automated", REPLIED, ("mail", at(2), at(2), True)),
    ("push", "automated", None, intercom_tables.NO_CONTACT),
    ("carrier_pigeon", "customer_initiated", None, "a kind that nobody mapped: carrier_pigeon"),
]


@pytest.mark.parametrize(("kind", "begun_by", "reply", "expected"), TALKS)
def test_a_conversation_is_an_activity_as_soon_as_it_was_one(
    quick, kind, begun_by, reply, expected
):
    fake, run = quick
    contact = fake.add_contact(1)
    fake.clock.sleep(DAY)
    source = {"type": kind, "delivered_as": begun_by, "body": "Private"}
    fake.add_conversation(5, [contact], source=source, first_contact_reply=reply)
    fake.clock.sleep(DAY)
    made = run(deals=[(100, 10, 1, at(0))])
    if isinstance(expected, str):
        assert (len(made.activities), made.activities_left_out) == (0, {expected: 1})
    else:
        columns = ("activity_id", "type", "occurred_at", "known_at", "done", "user_id")
        assert rows(made.activities, *columns) == [["intercom-5", *expected, None]]


def test_a_conversation_belongs_to_the_deal_that_was_open_then(quick):
    fake, run = quick
    company = fake.add_company(20)
    contact, other = fake.add_contact(1), fake.add_contact(50)
    deals = [
        (100, 10, 1, at(0)),
        (101, 10, 1, at(3)),
        (102, 10, 2, at(4)),
        (103, 20, None, at(0)),
    ]
    changes = [
        (101, at(5), "won"),
        (100, at(7), "lost"),
        (102, at(8), "lost"),
        (101, at(9), "reopened"),
    ]
    wanted = {-1: None, 1: 100, 3: 101, 4: 101, 6: 100, 7: 102, 8: None, 9: 101}
    for days in wanted:
        created = int(fi.MONDAY) + days * DAY
        fake.add_conversation(100 + days, [other, contact], created_at=created)
    fake.add_conversation(500, [other], company={"id": company}, created_at=int(fi.MONDAY) + DAY)
    fake.add_conversation(501, [other])
    made = run(deals=deals, changes=changes)
    found = dict(zip(made.activities["activity_id"], made.activities["deal_id"], strict=True))
    talks = {f"intercom-{100 + days}": deal for days, deal in wanted.items() if deal}
    assert found == talks | {"intercom-500": 103}
    assert made.activities_left_out == {intercom_tables.NO_DEAL: 2, intercom_people.NOBODY: 1}


def test_keys_of_another_secret_are_refused_instead_of_matching_nobody(connection, source):
    fake = fi.Fake()
    for number in range(3):
        fake.add_contact(number)
    ingest(connection, fake, source)
    raw = intercom_tables.stored(connection, source)
    with pytest.raises(InputError, match="3 of 3 stored contents.*another secret"):
        intercom_tables.made(raw, READING, intercom_people.Crm("another secret"), crm_tables())


def test_the_same_raw_records_make_the_same_tables_in_any_order(connection, source):
    fake = fi.Fake()
    for number in range(6):
        contact = fake.add_contact(number)
        fake.add_conversation(number, [contact])
        for name in WORDS:
            fake.add_event(contact, name)
    ingest(connection, fake, source)
    raw = intercom_tables.stored(connection, source)
    found = crm_tables(deals=[(100, 10, 1, at(-90)), (101, 20, 3, at(-90))])
    first = intercom_tables.made(raw, READING, crm(found), found)
    for values in (raw.events, raw.conversations, raw.contacts, raw.companies):
        values.reverse()
    again = intercom_tables.made(raw, READING, crm(found), found)
    pd.testing.assert_frame_equal(again.events, first.events)
    pd.testing.assert_frame_equal(again.activities, first.activities)
    assert len(first.events) == 6
    assert len(first.activities) == 3
    empty = intercom_tables.made(intercom_tables.Raw(), READING, crm(), crm_tables())
    assert (len(empty.events), len(empty.activities)) == (0, 0)
    tables.check("events", empty.events)
