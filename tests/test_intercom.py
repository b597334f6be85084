"""Intercom: nothing lost or doubled by faults and edits, and nothing kept that nobody needs."""

import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

httpx = pytest.importorskip("httpx", reason="needs the extra hourly")

import fake_intercom as fi  # noqa: E402
from tierwise.connectors import (  # noqa: E402
    intercom_pages,
    intercom_shapes,
    pages,
    raw_store,
)
from tierwise.connectors.allowance import OutOfTokens  # noqa: E402
from tierwise.connectors.answers import NoAnswer  # noqa: E402
from tierwise.connectors.intercom import Client, Refused  # noqa: E402
from tierwise.connectors.pages import INCREMENTAL  # noqa: E402
from tierwise.files import InputError  # noqa: E402

NAME, SECRET = "INTERCOM_ACCESS_TOKEN", "a secret of the tests"
PASSING = tuple(fault for fault in fi.FAULTS if fault not in ("expired", "repeated cursor"))
AMOUNTS = {"created-job-draft": "titles"}
SEARCHED = (
    (intercom_shapes.CONTACTS, intercom_pages.contacts),
    (intercom_shapes.CONVERSATIONS, intercom_pages.conversations),
)
LISTED = (*SEARCHED, (intercom_shapes.COMPANIES, intercom_pages.companies))


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv(NAME, fi.TOKEN)


@pytest.fixture(scope="module")
def connection():
    with raw_store.opened(Path(":memory:")) as made:
        yield made


@pytest.fixture
def source(request):
    return request.node.name


def workspace(contacts_count=0, **settings):
    """Contacts of several days, each with a conversation and two events, half of them in a company."""
    fake = fi.Fake(**settings)
    for number in range(contacts_count):
        fake.clock.now = fi.MONDAY - 86_400 * (contacts_count - number) + 977 * number
        company = fake.add_company(number)
        data = [{"type": "company", "id": company}] if number % 2 else []
        contact = fake.add_contact(number, companies={"type": "list", "data": data})
        fake.add_conversation(number, [contact])
        for name in ("created-job-draft", "invited colleague"):
            fake.add_event(contact, name, titles=number, note=f"private note {number}")
            fake.clock.sleep(3)
    fake.clock.now = fi.MONDAY
    return fake


def client_of(fake, **settings):
    how = {"clock": fake.clock, "sleep": fake.clock.sleep, "transport": fi.Transport(fake)}
    return Client(**{**how, **settings})


def answering(respond, **settings):
    """A client of a server that answers as `respond` says."""
    clock = fi.Clock()
    how = {"clock": clock, "sleep": clock.sleep, "transport": httpx.MockTransport(respond)}
    return Client(**{**how, **settings})


def now_of(fake):
    return datetime.fromtimestamp(fake.clock(), UTC).replace(tzinfo=None)


def load(connection, fake, client, source, shape, source_of, **how):
    fetch_page = source_of(client, SECRET)
    return pages.load(connection, source, shape, fetch_page, clock=lambda: now_of(fake), **how)


def ingest(connection, fake, client, source="intercom"):
    how = {"source": source, "clock": lambda: now_of(fake)}
    return intercom_pages.ingest(connection, client, SECRET, AMOUNTS, **how)


def kept(connection, source, entity):
    """id -> content; a doubled record would fail here."""
    found = raw_store.records(connection, source, entity)
    assert len({one["id"] for one in found}) == len(found)
    return {one["id"]: one for one in found}


def cut(fake_table, entity):
    how = intercom_shapes.reading(entity, SECRET)
    return {key: intercom_shapes.reduced(row, how) for key, row in fake_table.items()}


def done(fake):
    """(contact, event, ISO time) of all events that are still listed."""
    return sorted(
        (contact, event["event_name"], said(event["created_at"]))
        for contact, own in fake.events.items()
        if contact in fake.contacts
        for event in own
    )


def said(seconds):
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


# Whole loads


def test_everything_is_loaded_once_and_an_hour_later_only_what_changed(connection, source):
    fake = workspace(15, page_rows=7)
    client = client_of(fake)
    ingest(connection, fake, client, source)
    assert kept(connection, source, "contacts") == cut(fake.contacts, "contacts")
    assert kept(connection, source, "companies") == cut(fake.companies, "companies")
    assert kept(connection, source, "conversations") == cut(fake.conversations, "conversations")
    events = kept(connection, source, "events").values()
    assert sorted((e["contact_id"], e["event_name"], e["created_at"]) for e in events) == done(fake)
    assert [e["amount"] for e in events if e["event_name"] == "invited colleague"] == [None] * 15
    assert sorted(e["amount"] for e in events if e["amount"] is not None) == list(range(15))
    calls_count = len(fake.calls)
    fake.clock.sleep(3600)
    ingest(connection, fake, client, source)
    new = [call.path for call in fake.calls[calls_count:]]
    assert new.count("/events") == new.count("/contacts/search") - 1 == 0
    assert sum(call.status == 200 for call in fake.calls) == len(fake.calls)


@pytest.mark.parametrize("fault", PASSING)
def test_no_fault_loses_or_doubles_a_record(connection, source, fault):
    fake = workspace(5, page_rows=2)
    client = client_of(fake)
    for at, (shape, source_of) in enumerate(LISTED):  # at the first, second and third page
        fake.coming.extend([None] * at + [fault])
        told = load(connection, fake, client, source, shape, source_of)
        assert told.records_count == len(kept(connection, source, shape.entity)) == 5
    fake.coming.extend([None] * 4 + [fault] + [None] * 6 + [fault])  # 4: what is new in the lists
    ingest(connection, fake, client, source)
    assert len(kept(connection, source, "events")) == 10
    assert fake.counts[fault] == 5


ZONES = ("UTC", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kolkata", "Europe/Berlin")


def meddled(fake, chance, pauses_seconds):
    """What others do between any two of our calls."""
    fake.clock.sleep(chance.choice(pauses_seconds))
    for _ in range(chance.randint(0, 2)):
        number = len(fake.contacts) + 100
        contact = chance.choice(sorted(fake.contacts))
        conversation = chance.choice(sorted(fake.conversations))
        what = chance.choice(["address", "opt out", "event", "reply", "contact", "conversation"])
        if what == "address":
            fake.edit(fake.contacts, contact, email=f"new{number}@mailbox.example")
        elif what == "opt out":
            fake.edit(fake.contacts, contact, unsubscribed_from_emails=True)
        elif what == "event":
            fake.add_event(contact, chance.choice(["a", "b"]))
        elif what == "reply":
            reply = {"created_at": fake.now()}
            fake.edit(fake.conversations, conversation, first_contact_reply=reply)
        elif what == "contact":
            fake.add_contact(number)
        else:
            fake.add_conversation(number + len(fake.conversations), [contact])
        company = chance.choice(sorted(fake.companies))
        fake.edit(fake.companies, company, company_id=f"account-new-{number}")


class Meddling(fi.Transport):
    """Others are at work while we read."""

    def __init__(self, fake, chance, pauses_seconds=(1, 60, 900, 7_000)):
        super().__init__(fake)
        self.chance, self.pauses_seconds = chance, pauses_seconds

    def handle_request(self, request):
        meddled(self.fake, self.chance, self.pauses_seconds)
        return super().handle_request(request)


def tried(job, fake):
    """Until it ends well; each time as a new process would, at once or an hour later."""
    for _ in range(60):
        try:
            return job()
        except OutOfTokens as error:
            fake.clock.now = error.go_on_at
        except (NoAnswer, InputError):  # too many faults, a circle, a token refused for a moment
            fake.clock.sleep(3600)
    raise AssertionError("it never ended")


@pytest.mark.parametrize("seed", range(108))
def test_lists_that_are_edited_while_they_are_read_with_faults_are_complete_in_the_end(
    connection, seed
):
    chance = random.Random(seed)
    settings = {"zone": chance.choice(ZONES), "page_rows": chance.randint(2, 4)}
    fake = workspace(chance.randint(3, 5), seed=seed, fault_share=0.25, **settings)
    shape, source_of = LISTED[seed % 3]
    source = f"lists {seed}"
    pauses_seconds = (1, 5, 59) if shape.entity == "companies" else (1, 60, 900, 7_000)
    meddling = Meddling(fake, chance, pauses_seconds)  # after 60 seconds a scroll is over
    client = client_of(fake, tries_count=3, transport=meddling)
    for _ in range(1 + (seed % 2)):  # a backfill, and now and then what came after
        tried(lambda: load(connection, fake, client, source, shape, source_of), fake)
    fake.fault_share = 0.0
    told = load(connection, fake, client_of(fake), source, shape, source_of)
    assert (told.mode, told.resumed) == (INCREMENTAL, False)
    now = {"contacts": fake.contacts, "conversations": fake.conversations}
    now["companies"] = fake.companies
    assert kept(connection, source, shape.entity) == cut(now[shape.entity], shape.entity)


@pytest.mark.parametrize("seed", range(16))
def test_events_that_go_on_while_they_are_read_with_faults_are_complete_in_the_end(
    connection, seed
):
    chance = random.Random(seed)
    fake = workspace(2, seed=seed, fault_share=0.2, page_rows=2)
    for _ in range(chance.randint(2, 6)):
        fake.add_event(chance.choice(sorted(fake.contacts)), chance.choice("ab"))
        fake.clock.sleep(chance.choice([0, 1, 60]))
    source = f"events {seed}"
    contacts = [{"id": one, "last_seen_at": "", "updated_at": ""} for one in fake.contacts]

    def job(client, state):
        parents = [(one["id"], state) for one in contacts]
        events = intercom_pages.events(client, SECRET)
        return pages.walk(connection, source, intercom_shapes.EVENTS, parents, events)

    client = client_of(fake, tries_count=3, transport=Meddling(fake, chance))
    tried(lambda: job(client, "before"), fake)
    fake.fault_share = 0.0
    job(client_of(fake), "after")
    events = kept(connection, source, "events").values()
    told = sorted((e["contact_id"], e["event_name"], e["created_at"]) for e in events)
    assert told == [one for one in done(fake) if one[0] in {c["id"] for c in contacts}]


def test_an_event_that_moves_nothing_of_the_contact_is_found_within_a_week(connection, source):
    fake = workspace(6)
    client = client_of(fake)
    ingest(connection, fake, client, source)
    for contact, one in fake.contacts.items():
        seen = one["last_seen_at"]
        fake.add_event(contact, "sent from a server")
        one["last_seen_at"] = seen
    found = []
    for _ in range(7):
        fake.clock.sleep(86_400)
        ingest(connection, fake, client, source)
        found.append(len(kept(connection, source, "events")))
    assert found[-1] == 18
    assert len(set(found)) > 2  # not all of them on one day


def test_a_repeated_cursor_and_a_list_without_end_stop_and_keep_what_was_read(connection, source):
    fake = workspace(12, page_rows=5)
    client = client_of(fake)
    fake.coming.extend([None, "repeated cursor"])
    with pytest.raises(InputError, match="came a second time"):
        load(connection, fake, client, source, *SEARCHED[0])
    assert len(kept(connection, source, "contacts")) == 5
    fake.never_ends = True
    with pytest.raises(InputError, match="after 9 pages there is still a next one"):
        load(connection, fake, client, source, *SEARCHED[1], pages_max=9)
    fake.never_ends = False
    told = load(connection, fake, client, source, *SEARCHED[0])
    assert (told.resumed, told.pages_count) == (True, 2)
    assert len(kept(connection, source, "contacts")) == 12


def test_events_of_a_contact_that_lead_in_a_circle_stop(connection, source):
    fake = workspace(1, page_rows=1)
    contact = next(iter(fake.contacts))
    fake.clock.sleep(60)
    fake.add_event(contact, "another")
    fake.coming.extend([None, "repeated cursor"])
    events = intercom_pages.events(client_of(fake), SECRET)
    with pytest.raises(InputError, match="came a second time"):
        pages.walk(connection, source, intercom_shapes.EVENTS, [(contact, "x")], events)


def test_a_scroll_that_lost_a_page_or_is_taken_by_another_is_begun_anew():
    fake = workspace(12, page_rows=5)
    fetch_page = intercom_pages.companies(client_of(fake), SECRET)
    fake.coming.extend([None, "truncated"])
    assert len(fetch_page(None, None).records) == 12
    assert fake.clock() - fi.MONDAY == pytest.approx(61, abs=1)
    fake.scrolled(None)  # somebody else's
    assert len(fetch_page(None, None).records) == 12
    fake.coming.extend([None, "reset"] * 4)
    with pytest.raises(NoAnswer, match="ReadError"):
        fetch_page(None, None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"data": [{"id": "1"}]}, "told no scroll_param"),
        ({"data": [{"id": "1"}], "scroll_param": "p"}, "gave a page that it gave before"),
    ],
)
def test_a_scroll_that_can_t_end_is_given_up(content, reason):
    client = answering(lambda request: httpx.Response(200, json=content))
    with pytest.raises(NoAnswer, match=reason):
        intercom_pages.companies(client, SECRET)(None, None)


# Killed


MOMENTS, CONTACTS = 4, 4


def job(path, announce):
    """Two lists of two pages, a scroll of three, four contacts, eight pages of their events."""
    fake = workspace(CONTACTS, page_rows=3)
    for contact in fake.contacts:
        for _ in range(3):
            fake.clock.sleep(10)
            fake.add_event(contact, "more")

    class Announcing(fi.Transport):
        def handle_request(self, request):
            announce(
                b"%s %s %s\n" % (request.method.encode(), request.url.raw_path, request.read())
            )
            return super().handle_request(request)

    with raw_store.opened(path) as connection:
        ingest(connection, fake, client_of(fake, transport=Announcing(fake)))


def begun(path):
    """The job in a process of its own, and a pipe that gets a line for each page asked for."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        job(path, lambda line: os.write(writing, line))
        os._exit(0)
    os.close(writing)
    return child, os.fdopen(reading)


def nursery(folder):
    """Begin the job, kill it at its n-th page, let another process end it; prints what happened."""
    told = []
    for moment in range(MOMENTS):
        path = Path(folder) / f"{moment}.duckdb"
        child, reading = begun(path)
        asked = [reading.readline() for _ in range(1 + moment * 5)]
        time.sleep(random.Random(moment).random() * 0.02)  # somewhere within the page's commit
        os.kill(child, signal.SIGKILL)
        ended_by = os.WTERMSIG(os.waitpid(child, 0)[1])
        asked += reading.readlines()
        second, reading_again = begun(path)
        again = reading_again.readlines()
        told.append((ended_by, os.waitpid(second, 0)[1], asked, again))
    job(Path(folder) / "whole.duckdb", lambda line: None)
    print(json.dumps(told))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_killed_load_loses_nothing_and_fetches_no_page_twice_but_the_one_under_way(tmp_path):
    code = f"import test_intercom; test_intercom.nursery({str(tmp_path)!r})"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    for ended_by, status, asked, again in json.loads(told.stdout):
        assert (ended_by, status) == (signal.SIGKILL, 0)
        twice = [line for line in again if line in asked and "/companies/scroll" not in line]
        assert twice in ([], asked[-1:])
        paths = [line.split()[1].partition("?")[0] for line in {*asked, *again}]
        assert paths.count("/events") == 2 * CONTACTS
    wanted = everything_in(tmp_path / "whole.duckdb")
    assert len(wanted[0]) == CONTACTS * (1 + 1 + 1 + 1 + 5)
    for moment in range(MOMENTS):
        assert everything_in(tmp_path / f"{moment}.duckdb") == wanted


def everything_in(path):
    queries = ("raw_records", "raw_versions", "walked", "quarantine")
    with raw_store.opened(path) as connection:
        return [
            connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in queries
        ]


# Limits


def test_a_429_is_waited_for_until_the_reset_by_the_server_s_clock():
    fake = workspace(1)
    fake.clock.now += 3
    fake.coming.append("429")
    ours = fi.Clock(fake.clock.now + 5_000)  # far ahead

    def sleep(seconds):
        fake.clock.sleep(seconds)
        ours.sleep(seconds)

    contact = next(iter(fake.contacts))
    Client(transport=fi.Transport(fake), clock=ours, sleep=sleep).call(
        "GET", f"/contacts/{contact}"
    )
    first, second = (call.at for call in fake.calls)
    assert second - first == pytest.approx(7, abs=0.1)


def test_a_429_without_headers_is_waited_for_longer_each_time_and_not_for_ever():
    fake = workspace(1)
    fake.coming.extend(["429 without headers"] * 20)
    client = client_of(fake)
    with pytest.raises(OutOfTokens, match="Intercom told us to wait.*Go on at 2026-11-23 00:1"):
        client.call("GET", "/contacts/1")
    gaps = [late.at - early.at for early, late in zip(fake.calls, fake.calls[1:], strict=False)]
    assert gaps == pytest.approx([10, 20, 40, 80, 160], abs=0.1)
    with pytest.raises(OutOfTokens):  # and nobody knocks again before
        client.call("GET", "/contacts/2")
    assert len(fake.calls) == 6


RESETS = [  # header, seconds that are waited; None: not sat out
    ("1795392025", 25),
    ("1795391900", 1),  # the window is over already
    ("1795392299", 299),
    ("1795392300", None),
    ("1795399200", None),
    ("soon", 10),
    ("nan", 10),
    ("inf", 10),
    ("1795392025000", 10),  # milliseconds
    ("", 10),
]


@pytest.mark.parametrize(("reset", "seconds"), RESETS)
def test_a_reset_is_believed_if_it_is_a_time(reset, seconds):
    at = []

    def respond(request):
        at.append(clock.now)
        headers = {"x-ratelimit-reset": reset} if len(at) == 1 else {}
        return httpx.Response(429 if len(at) == 1 else 200, json={"id": "1"}, headers=headers)

    clock = fi.Clock(1_795_392_000)
    client = answering(respond, clock=clock, sleep=clock.sleep)
    if seconds is None:
        with pytest.raises(OutOfTokens) as caught:
            client.call("GET", "/contacts/1")
        assert caught.value.go_on_at == float(reset)
    else:
        client.call("GET", "/contacts/1")
        assert at[1] - at[0] == pytest.approx(seconds, abs=0.1)


def test_a_window_that_is_used_up_is_not_overdrawn():
    fake = workspace(1, calls_per_window_count=5)
    client = client_of(fake)
    for _ in range(23):
        client.call("GET", f"/contacts/{next(iter(fake.contacts))}")
    assert (fake.counts["over"], len(fake.calls)) == (0, 23)
    assert fake.clock() - fi.MONDAY >= 40


# Answers


GOOD = {"data": [{"id": "1"}], "pages": {"next": None}}
ODD = [
    ({"data": {"id": 1}}, "data is no list of objects"),
    ({"data": [1], "pages": {}}, "data is no list of objects"),
    ({"errors": []}, "data is no list of objects"),
    (GOOD | {"pages": []}, "pages.next is neither"),
    (GOOD | {"pages": {"next": 5}}, "pages.next is neither"),
    (GOOD | {"pages": {"next": ""}}, "pages.next is neither"),
    (GOOD | {"pages": {"next": {}}}, "pages.next is neither"),
    (GOOD | {"pages": {"next": {"starting_after": 7}}}, "pages.next is neither"),
    ([GOOD], "no JSON object"),
    ("", "no JSON object"),
    ('{"data": [{"value": NaN}], "pages": {}}', "no JSON object"),
    ("[" * 100_000, "no JSON object"),
]


@pytest.mark.parametrize(("content", "reason"), ODD)
def test_an_answer_of_another_shape_is_not_taken_for_the_end(content, reason):
    text = content if isinstance(content, str) else json.dumps(content)
    client = answering(lambda request: httpx.Response(200, text=text), tries_count=3)
    with pytest.raises(NoAnswer, match=f"in 3 tries; the last: {reason}"):
        intercom_pages.contacts(client, SECRET)(None, None)


@pytest.mark.parametrize(
    ("source_of", "content", "reason"),
    [
        (intercom_pages.contacts, {"data": []}, "no pages object"),
        (intercom_pages.contacts, GOOD | {"pages": {"next": "https://a"}}, "not a cursor"),
    ],
)
def test_a_search_that_doesn_t_say_how_it_goes_on_is_not_over(source_of, content, reason):
    client = answering(lambda request: httpx.Response(200, json=content))
    with pytest.raises(NoAnswer, match=reason):
        source_of(client, SECRET)(None, None)


@pytest.mark.parametrize(
    "following", ["https://a.example/events", "https://a/?q=a%40b", {"starting_after": "x"}]
)
def test_an_address_of_a_next_page_that_leads_nowhere_is_not_the_end(following):
    page = {"events": [{"event_name": "a", "created_at": 1}], "pages": {"next": following}}
    client = answering(lambda request: httpx.Response(200, json=page))
    with pytest.raises(NoAnswer, match="next page"):
        intercom_pages.events(client, SECRET)("1", None)


@pytest.mark.parametrize("fault", ["500", "html 200", "html 403", "truncated", "reset", "timeout"])
def test_it_is_not_tried_for_ever(fault):
    fake = workspace(1)
    fake.coming.extend([fault] * 99)
    with pytest.raises(NoAnswer, match="No usable answer to GET /contacts/.* in 8 tries"):
        client_of(fake).call("GET", f"/contacts/{next(iter(fake.contacts))}")
    gaps = [late.at - early.at for early, late in zip(fake.calls, fake.calls[1:], strict=False)]
    assert gaps == [1, 2, 4, 8, 16, 32, 60]


# The token


def test_an_expired_token_is_told_without_quoting_it(caplog):
    caplog.set_level(logging.DEBUG)
    fake = workspace(1)
    fake.token = "renewed"
    client = client_of(fake)
    with pytest.raises(
        InputError, match=f"access token in {NAME} .401 to GET /contacts/1"
    ) as caught:
        client.call("GET", "/contacts/1")
    shown = (caught.value, client, vars(client), client.http.headers, caplog.text)
    assert fi.TOKEN not in "".join(map(repr, shown))
    assert len(fake.calls) == 1


def test_an_app_that_may_not_is_told_what():
    client = answering(lambda _: httpx.Response(403, json={"errors": []}))
    with pytest.raises(InputError, match="may not GET /events .403.. Let it read"):
        client.call("GET", "/events", "events")


def test_neither_token_nor_address_gets_from_the_server_s_words_into_our_message():
    def quoting(request):
        words = f"bad {request.headers['authorization']} of somebody@mailbox.example"
        return httpx.Response(422, json={"errors": [{"message": words}]})

    with pytest.raises(Refused, match="bad Bearer … of …") as caught:
        answering(quoting).call("GET", "/contacts/1")
    assert fi.TOKEN not in str(caught.value)
    assert "mailbox" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "state"),
    [("", "not set"), ("se cret", "malformed"), ("se\ncret", "malformed"), ("sécret", "malformed")],
)
def test_a_missing_or_malformed_token_stops_before_anything_is_sent(monkeypatch, value, state):
    monkeypatch.setenv(NAME, value)
    with pytest.raises(InputError, match=f"{NAME} is {state}") as caught:
        Client()
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://api.intercom.io", "http://127.0.0.1.example.com", "ftp://x"]
)
def test_the_token_never_travels_unencrypted(url):
    with pytest.raises(InputError, match="must begin with https://"):
        Client(base_url=url)


def test_each_region_has_its_own_address_and_a_strange_one_is_refused():
    hosts = []

    def respond(request):
        hosts.append((request.url.host, request.headers["intercom-version"]))
        return httpx.Response(200, json={"id": "1"})

    for region in ("us", "eu", "au"):
        answering(respond, region=region).call("GET", "/contacts/1")
    assert hosts == [
        ("api.intercom.io", "2.15"),
        ("api.eu.intercom.io", "2.15"),
        ("api.au.intercom.io", "2.15"),
    ]
    with pytest.raises(InputError, match="no region 'uk'; name one of us, eu, au"):
        Client(region="uk")


def test_neither_a_redirect_nor_the_address_of_a_next_page_carries_the_token_away(
    connection, source
):
    asked = []

    def elsewhere(request):
        asked.append(request.url.host)
        return httpx.Response(302, headers={"location": "https://elsewhere.example/"})

    with pytest.raises(Refused, match="302"):
        answering(elsewhere).call("GET", "/contacts/1")
    fake = workspace(1, page_rows=1)
    contact = next(iter(fake.contacts))
    fake.clock.sleep(60)
    fake.add_event(contact, "later")

    class Watching(fi.Transport):
        def handle_request(self, request):
            asked.append(request.url.host)
            return super().handle_request(request)

    events = intercom_pages.events(client_of(fake, transport=Watching(fake)), SECRET)
    first = events(contact, None)
    assert first.next_cursor == f"before={fake.now() * 1000}&per_page=1"
    assert len(events(contact, first.next_cursor).records) == 1
    assert asked == ["api.intercom.io"] * 3


# Time zones


@given(
    zone=st.sampled_from(sorted(available_timezones())),
    since=st.integers(1_577_836_800, 1_900_000_000),  # 2020 to 2030
    later=st.integers(0, 90_000),
)
def test_whatever_the_zone_of_the_workspace_nothing_updated_since_is_left_out(zone, since, later):
    fake = fi.Fake(zone=zone)
    contact = fake.add_contact(1, updated_at=since + later, last_seen_at=None)
    page = intercom_pages.contacts(client_of(fake), SECRET)(None, said(since))
    assert [one["id"] for one in page.records] == [contact]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_on_days_of_23_and_25_hours_at_most_two_days_too_many_are_read(zone):
    fake = fi.Fake(zone=zone)
    for hour in range(24 * 366):
        at = fi.MONDAY + 3600 * hour
        value = intercom_pages.day_before(said(at))
        first_day = datetime.fromtimestamp(value, ZoneInfo(zone)).date() + timedelta(days=1)
        today = datetime.fromtimestamp(at, ZoneInfo(zone)).date()
        assert timedelta(0) <= today - first_day <= timedelta(days=1)
    assert fake.day(int(fi.MONDAY)) in ("2026-11-22", "2026-11-23")


def test_times_are_kept_as_utc_wherever_we_are(monkeypatch):
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    try:
        assert intercom_shapes.time_of(1_774_749_600) == "2026-03-29T02:00:00Z"
        fake = workspace(1)
        page = intercom_pages.contacts(client_of(fake), SECRET)(None, None)
        assert page.answered_at == datetime(2026, 11, 23)
    finally:
        monkeypatch.undo()
        time.tzset()


# What the API changes


def changed(connection, source, alter, shape_at=0, rows_count=20):
    """Load contacts or conversations after `alter` has changed what the server gives."""
    fake = workspace(rows_count)
    shape, source_of = SEARCHED[shape_at]
    table = [fake.contacts, fake.conversations][shape_at]
    for number, (key, row) in enumerate(table.items()):
        fake.told[key] = json.loads(json.dumps(row))
        alter(number, fake.told[key])
    return load(connection, fake, client_of(fake), source, shape, source_of)


STRANGE = [  # what a record has: the field that is blamed, the rule, what is shown
    ({"created_at": "2026-01-01"}, "created_at", "must be a time"),
    ({"created_at": 1_795_392_000_000}, "created_at", "must be a time"),
    ({"created_at": 0}, "created_at", "must be a time"),
    ({"created_at": True}, "created_at", "must be a time"),
    ({"updated_at": None}, "updated_at", "must not be null"),
    ({"email": 5}, "email_key", "must be text or null"),
    ({"email": ["a@mailbox.example"]}, "email_key", "must be text or null"),
    ({"external_id": {"id": 7}}, "external_id", "must be text or null"),
    ({"companies": "Private text"}, "companies", "must be a list or null"),
    ({"companies": {"data": [{"id": 7}]}}, "companies", "must be a list or null"),
    ({"unsubscribed_from_emails": "yes"}, "unsubscribed_from_emails", "must be true or false"),
]


@pytest.mark.parametrize(("values", "field", "rule"), STRANGE)
def test_a_record_of_another_shape_is_set_aside_by_name_and_the_others_go_on(
    connection, source, values, field, rule
):
    told = changed(connection, source, lambda number, row: number == 7 and row.update(values))
    assert [(one.record_id, one.field) for one in told.quarantined] == [(f"{7:024x}", field)]
    assert told.quarantined[0].rule.startswith(rule)
    assert len(kept(connection, source, "contacts")) == 19


def test_a_field_that_is_renamed_stops_the_load_and_the_new_name_is_told(connection, source):
    def renamed(number, row):
        row["changed_at"] = row["updated_at"]
        row["seen_last_at"] = row.pop("last_seen_at")

    with pytest.raises(
        InputError, match="field last_seen_at: must be there.*nearest new field is seen_last_at"
    ):
        changed(connection, source, renamed)
    assert kept(connection, source, "contacts") == {}


def test_a_time_that_becomes_text_everywhere_stops_the_load(connection, source):
    with pytest.raises(InputError, match="20 of 20 records of a page break this rule"):
        changed(connection, source, lambda number, row: row.update(created_at="yesterday"))


def test_a_new_field_is_told_once_by_name_and_its_value_is_not_kept(connection, source):
    def alter(number, row):
        row["favourite_dish"] = f"Private dish {number}"

    assert changed(connection, source, alter).new_fields == ["favourite_dish"]
    assert changed(connection, source, alter).new_fields == []
    assert {one["favourite_dish"] for one in kept(connection, source, "contacts").values()} == {
        None
    }


def test_a_message_where_an_object_was_is_set_aside_without_what_it_says(connection, source):
    def alter(number, row):
        if number == 3:
            row["source"] = "Private words of a message"
        if number == 4:
            row["source"]["type"] = "Private words of a message"

    told = changed(connection, source, alter, shape_at=1, rows_count=30)
    assert [(one.record_id, one.field) for one in told.quarantined] == [
        ("3", "source.type"),
        ("4", "source.type"),
    ]
    rows = connection.execute(
        "SELECT content FROM quarantine WHERE source = ?", [source]
    ).fetchall()
    assert len(rows) == 2
    assert "Private" not in str(rows) + str(told)


@pytest.mark.parametrize("metadata", [{"titles": "many"}, {"titles": True}, ["titles"]])
def test_an_amount_that_is_no_number_is_set_aside(connection, source, metadata):
    fake = workspace(1)
    contact = next(iter(fake.contacts))
    fake.events[contact][0]["metadata"] = metadata
    events = intercom_pages.events(client_of(fake), SECRET, AMOUNTS)
    told = pages.walk(connection, source, intercom_shapes.EVENTS, [(contact, "x")], events)
    assert [(one.field, one.rule) for one in told.quarantined] == [
        ("amount", "must be a number or null")
    ]
    assert len(kept(connection, source, "events")) == 1


# What is never stored


def test_no_text_name_number_or_address_of_anybody_gets_into_the_file(tmp_path):
    fake = workspace(12, page_rows=5)
    for number, contact in enumerate(fake.contacts):
        if number % 3 == 0:
            fake.edit(fake.contacts, contact, external_id=f"Contact{number}@Mailbox.example ")
    fake.add_company(50, company_id="office@mailbox.example")
    path = tmp_path / "raw.duckdb"
    client = client_of(fake)
    with raw_store.opened(path) as connection:
        connection.execute("PRAGMA force_compression = 'uncompressed'")  # or nothing is found
        ingest(connection, fake, client)
        fake.coming.extend([None, "truncated", "html 403"])
        fake.clock.sleep(3600)
        fake.told[contact] = fake.contacts[contact] | {"created_at": "Private time"}
        ingest(connection, fake, client)
        assert connection.execute("SELECT count(*) FROM quarantine").fetchall() == [(1,)]
    content = path.read_bytes()
    assert content.count(b"user-1") > 0  # what is kept is found this way
    assert content.count(intercom_shapes.email_key("contact3@mailbox.example", SECRET).encode()) > 0
    for told in (b"Private", b"private", b"mailbox", b"+49", b"face-", b"Homecity", b"Contact3"):
        assert content.count(told) == 0, told
    assert fi.TOKEN.encode() not in content
    assert SECRET.encode() not in content


def test_keys_of_addresses_are_the_same_however_they_are_spelt_and_tell_secrets_apart():
    key = intercom_shapes.email_key
    assert key(" One@Mailbox.Example ", SECRET) == key("one@mailbox.example", SECRET)
    assert key("one@mailbox.example", SECRET) != key("two@mailbox.example", SECRET)
    marks = {intercom_shapes.secret_mark(f"a secret of the tests, {n}") for n in range(50)}
    assert len(marks) > 45


@pytest.mark.parametrize(
    ("value", "message"), [("", "is not set"), ("short", "has only 5 characters")]
)
def test_a_secret_that_is_missing_or_short_is_refused(monkeypatch, value, message):
    monkeypatch.setenv(intercom_shapes.SECRET_NAME, value)
    with pytest.raises(InputError, match=message) as caught:
        intercom_shapes.email_secret()
    assert "short" not in str(caught.value)
