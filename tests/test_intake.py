"""The intake by HTTP: every event is kept, as an event or apart with its reason, and only once."""

import gzip
import json
import math
import random
import re
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("granian", reason="needs the extra hourly")
pytest.importorskip("httpx", reason="needs the extra hourly")

from hypothesis import example, given
from hypothesis import strategies as st

from intake_world import NOW, ORIGIN, World, basic, event
from tierwise.intake import bodies, events, keys, server
from tierwise.intake.events import Arrived, Broken
from tierwise.intake.limits import Allowances, Limits
from tierwise.service.guard import Refused

SECOND = 1_000_000


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as made:
        yield made


def iso(micros):
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).isoformat()


def test_an_event_is_in_the_table_when_it_is_acknowledged(world):
    one = event("a", properties={"amount_eur": 12.5}, occurred_at=iso(NOW - 5 * SECOND))
    assert world.told(one) == (1, 0, 0)
    names = "event_id, source, kind, name, person_id, occurred_at, client_at, known_at, properties"
    told = ("a", "office", "track", "order paid", "17", NOW - 5 * SECOND, NOW - 5 * SECOND, NOW)
    assert world.stored(names) == [(*told, '{"amount_eur":12.5}')]


def test_the_same_event_id_is_kept_once_however_it_comes(world):
    assert world.told([event("a"), event("a"), event("b")]) == (3, 1, 0)
    assert world.told({"events": [event("b", name="other"), event("c")]}) == (2, 1, 0)
    assert world.told(event("a")) == (1, 1, 0)
    assert world.stored() == ["a", "b", "c"]
    assert world.stored("name") == ["order paid"] * 3


def test_event_ids_of_another_source_are_others(world):
    """Who can read the key of the pages can't take away an event that a server will send."""
    assert world.told(event("invoice-1")) == (1, 0, 0)
    assert world.told(event("invoice-1"), key=world.web_key, origin=ORIGIN) == (1, 0, 0)
    assert world.stored("source") == ["office", "shop"]


def test_keys_of_one_source_know_each_others_events(world):
    other = keys.create(server.keys_path(world.root), "server", "office")
    assert world.told(event("a")) == (1, 0, 0)
    assert world.told(event("a"), key=other) == (1, 1, 0)


def test_of_ten_thousand_mixed_events_each_is_accepted_or_kept_apart(world):
    """Good ones, duplicates, and all ways of being bad, in batches of many sizes."""
    draw = random.Random(5)
    bad = [
        lambda one: one | {"name": ""},
        lambda one: one | {"person_id": None},
        lambda one: one | {"properties": {"x": math.nan}},
        lambda one: one | {"properties": [one]},
        lambda one: one | {"occurred_at": "yesterday"},
        lambda one: one | {"surprise": 1},
        lambda one: one | {"properties": {"text": "x" * 40_000}},
        lambda one: [one],
        lambda one: {"name": one["event_id"]},
    ]
    sent, accepted, rejected, duplicates = [], 0, 0, 0
    for number in range(10_000):
        one = event(f"id-{number}", properties={"number": number})
        sent.append(draw.choice(bad)(one) if draw.random() < 0.2 else one)
    for number in draw.sample(range(10_000), 500):
        sent[number] = draw.choice(sent[:number] or sent)
    start = 0
    while start < len(sent):
        part = sent[start : start + draw.randint(1, 60)]
        told = world.told(part)
        accepted, duplicates, rejected = (
            accepted + told[0],
            duplicates + told[1],
            rejected + told[2],
        )
        start += len(part)
    assert accepted + rejected == 10_000
    assert rejected > 1_500
    assert len(world.stored()) == accepted - duplicates
    assert sum(world.rejected("times_count")) == rejected
    whole = {json.dumps(one, sort_keys=True) for one in sent}
    kept = {json.loads(content)["number"] for content in world.stored("properties")}
    apart = {json.dumps(json.loads(one), sort_keys=True) for one in world.rejected("content")}
    good = [
        one
        for one in sent
        if isinstance(one, dict) and json.dumps(one, sort_keys=True) not in apart
    ]
    assert apart <= whole
    assert kept == {one["properties"]["number"] for one in good}


BROKEN = {
    "event_id is missing": {"name": "x", "person_id": "1"},
    "event_id must be 1 to 200": {"event_id": "", "name": "x", "person_id": "1"},
    "name must be 1 to 200 printable": {"event_id": "1", "name": "a\0", "person_id": "1"},
    "person_id or anonymous_id": {"event_id": "1", "name": "x", "person_id": ""},
    "person_id must be up to 200": {"event_id": "1", "name": "x", "person_id": [1]},
    "an event has the fields": {"event_id": "1", "name": "x", "person_id": "1", "userId": "1"},
    "kind must be one of": {"event_id": "1", "name": "x", "person_id": "1", "kind": "sql"},
    "nested deeper than 8": event("1", properties={"a": [[[[[[[[1]]]]]]]]}),
    "fit into 64 bits": event("1", properties={"a": 2**63}),
    "must be finite": event("1", properties={"a": [math.inf]}),
    "at most 256 properties": event("1", properties={str(n): n for n in range(257)}),
    "properties must be an object": event("1", properties="x"),
    "context must be an object": event("1", context="x"),
    "occurred_at must be a time": event("1", occurred_at=1_700_000_000),
    "must not lie before 1970": event("1", occurred_at="1969-12-31T23:59:59Z"),
    "must be an object": 7,
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_bad_event_is_kept_apart_with_its_rule_and_the_good_ones_are_taken(world, rule):
    answer = world.post([event("good"), BROKEN[rule]])
    assert answer.json()["rejected"][0]["at"] == 1
    assert rule in answer.json()["rejected"][0]["rule"]
    assert (world.stored(), len(world.rejected())) == (["good"], 1)
    kept = json.loads(world.rejected("content")[0])
    assert json.dumps(kept) == json.dumps(BROKEN[rule])
    assert world.told([BROKEN[rule]]) == (0, 0, 1)  # the same again is counted, not kept twice
    assert world.rejected("times_count") == [2]


def test_eight_levels_and_long_texts_are_no_fault(world):
    deep = event("1", properties={"a": [[[[[[[1]]]]]]]})
    long = event("2", properties={"text": "x" * 32_000, "whole": 2**63 - 1})
    assert world.told([deep, long]) == (2, 0, 0)
    assert world.told(event("3", properties={"text": "x" * 32_769})) == (0, 0, 1)


def test_half_an_emoji_costs_that_letter_and_no_event(world):
    body = rb'{"events": [%s, {"event_id": "b", "name": "half \ud83d", "person_id": "1"}]}'
    assert world.told(body % json.dumps(event("a")).encode()) == (2, 0, 0)
    assert world.stored("name")[1] == "half \ufffd"
    text = rb'[{"event_id": "c", "name": "n", "person_id": "1", "properties": {"t": "x\udc00\\ud800\ud83d\ude00"}}]'
    assert world.told(text) == (1, 0, 0)
    assert json.loads(world.stored("properties")[-1]) == {"t": "x\ufffd\\ud800\U0001f600"}


@pytest.mark.parametrize(
    ("happened", "sent", "expected"),
    [
        (-10, -10, 0),  # the clock is ten seconds behind: it happened when it was sent
        (-3600 - 30, -3600, -30),  # an hour behind
        (86_400 - 30, 86_400, -30),  # a day ahead
        (-30, None, -30),  # nobody says when it was sent
        (60, None, 0),  # nothing happens after it came
        (50, 40, 0),
        (None, -40, 0),
    ],
)
def test_a_wrong_clock_is_put_right(world, happened, sent, expected):
    one = event("a") if happened is None else event("a", occurred_at=iso(NOW + happened * SECOND))
    body = {"events": [one]} | ({} if sent is None else {"sent_at": iso(NOW + sent * SECOND)})
    assert world.told(body) == (1, 0, 0)
    client_at = None if happened is None else NOW + happened * SECOND
    assert world.stored("occurred_at, client_at, known_at") == [
        (NOW + expected * SECOND, client_at, NOW)
    ]


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)),
    st.floats(-1e8, 1e8),
    st.floats(0, 1e8),
)
@example(datetime(2026, 3, 29, 2, 30), 0.0, 0.0)
def test_how_long_ago_something_happened_does_not_depend_on_the_clients_clock(sent, skew, ago):
    """Whatever the clock shows: an event so many seconds before it was sent is so much before NOW."""
    shift = timedelta(seconds=skew)
    happened = sent + shift - timedelta(seconds=ago)
    if happened.year < 1971 or not 1971 <= (sent + shift).year <= 2250:
        return
    sent_at = events.instant((sent + shift).isoformat(), "sent_at")
    client_at = events.instant(happened.isoformat() + "Z", "occurred_at")
    found = events.corrected(client_at, Arrived("s", NOW, sent_at, None))
    assert abs(found - (NOW - ago * SECOND)) <= 1


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9), lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=3), one, max_size=3), max_leaves=8))  # fmt: skip
def test_whatever_is_sent_is_an_event_or_breaks_a_rule(value):
    """No content of any field raises anything else, and what is taken is JSON."""
    at = Arrived("s", NOW, None, 32_768)
    for field in sorted(events.FIELDS):
        try:
            row = events.row(event("a") | {field: value}, at)
        except Broken:
            continue
        assert json.loads(row.properties, parse_constant=pytest.fail) is not None
        assert isinstance(json.loads(row.context), dict)
        assert 0 <= row.occurred_at <= NOW


def test_of_the_context_only_what_is_needed_is_kept(world):
    context = {
        "page": "/reset?token=secret#here",
        "referrer": "https://user:pass@search.example/q?x=me@mail.example",
        "ip": "203.0.113.7",
        "userAgent": "Mozilla",
        "utm_source": "letter",
    }
    headers = {"x_forwarded_for": "203.0.113.7", "user_agent": "Mozilla", "cookie": "a=b"}
    assert world.told(event("a", context=context), **headers) == (1, 0, 0)
    kept = {"page": "/reset", "referrer": "search.example", "utm_source": "letter"}
    assert json.loads(world.stored("context")[0]) == kept
    whole = b"".join(path.read_bytes() for path in world.folder.glob("events.sqlite*"))
    assert b"203.0.113.7" not in whole
    assert b"Mozilla" not in whole


# Who may send


def test_without_a_valid_key_nothing_is_taken(world):
    wrong = world.server_key[:-1] + ("0" if world.server_key[-1] != "0" else "1")
    for key in (wrong, "tww_", "x", ""):
        assert world.post(event("a"), key=key or " ").status_code == 401
    body = json.dumps(event("a"))
    for content in (
        body,
        json.dumps(event("a") | {"writeKey": wrong}),
        json.dumps({"writeKey": 7}),
    ):
        answer = world.ask("POST", "/v1/events", content)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
    assert world.stored() == []


def test_a_key_may_stand_in_the_header_or_in_the_body(world):
    bearer = {"authorization": f"Bearer {world.server_key}"}
    assert world.ask("POST", "/v1/events", json.dumps(event("a")), bearer).status_code == 200
    assert (
        world.ask("POST", "/v1/events", json.dumps(event("b")), basic(world.server_key)).status_code
        == 200
    )
    within = json.dumps({"writeKey": world.server_key, "events": [event("c")]})
    assert world.ask("POST", "/v1/events", within).status_code == 200
    single = json.dumps(event("d") | {"writeKey": world.server_key, "sent_at": iso(NOW)})
    assert world.ask("POST", "/v1/events", single).status_code == 200
    assert world.stored() == ["a", "b", "c", "d"]


def test_a_key_of_pages_is_taken_from_its_origins_only(world):
    assert world.told(event("a"), key=world.web_key, origin=ORIGIN) == (1, 0, 0)
    others = ("https://evil.example", "https://shop.example.evil.example", "http://shop.example")
    for origin in (*others, "https://shop.example:8443", "null"):
        answer = world.post(event("b"), key=world.web_key, origin=origin)
        assert answer.status_code == 403
        assert answer.headers["access-control-allow-origin"] == origin  # so that it can be read
    assert world.post(event("b"), key=world.web_key).status_code == 403
    assert world.stored() == ["a"]


def test_a_secret_key_is_refused_from_a_browser(world):
    answer = world.post(event("a"), origin=ORIGIN)
    assert answer.status_code == 403
    assert "Revoke it" in answer.json()["detail"]


def test_a_key_of_pages_brings_no_past(world):
    batch = {"batch": [{"type": "track", "event": "x", "userId": "1", "messageId": "m"}]}
    assert world.post(batch, "/v1/import", key=world.web_key, origin=ORIGIN).status_code == 403
    assert world.told(batch, "/v1/import") == (1, 0, 0)


def test_a_browser_is_given_leave_and_reads_every_answer(world):
    asks = {"origin": ORIGIN, "access-control-request-method": "POST"}
    answer = world.ask("OPTIONS", "/v1/events", headers=asks)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    beacon = json.dumps({"writeKey": world.web_key, "events": [event("a")]})
    plain = {"origin": ORIGIN, "content-type": "text/plain;charset=UTF-8"}
    answer = world.ask("POST", "/v1/events", beacon, plain)
    assert (answer.status_code, answer.headers["vary"]) == (200, "origin")


def test_a_key_that_sends_too_much_waits(tmp_path):
    with World(tmp_path) as world:
        slow = keys.create(server.keys_path(tmp_path), "server", "slow", events_per_second=1)
        assert world.told([event(f"{n}") for n in range(10)], key=slow) == (10, 0, 0)
        answer = world.post(event("x"), key=slow)
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 2
        assert world.told(event("y")) == (1, 0, 0)  # others don't wait for it


def test_an_allowance_refills_steadily_and_bears_one_large_batch():
    seconds = [0.0]
    allowances = Allowances(lambda: seconds[0])
    assert allowances.take("k", 10, 1_000) == 0  # ten times the burst, once
    assert allowances.take("k", 10, 1) == pytest.approx(90.1)
    seconds[0] = 90.1
    assert allowances.take("k", 10, 1) == 0
    seconds[0] = 0.0  # the clock was set back
    assert allowances.take("k", 10, 1) > 0


# What may be sent


def test_a_body_may_be_packed(world):
    body = gzip.compress(json.dumps(event("a")).encode())
    assert world.told(body, content_encoding="gzip") == (1, 0, 0)
    for broken in (body[:-4], body + b"x", b"no gzip"):
        assert world.post(broken, content_encoding="gzip").status_code == 400
    assert world.post(body, content_encoding="br").status_code == 415


def test_a_bomb_is_not_unpacked(world):
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 60_000
    assert world.post(bomb, content_encoding="gzip").status_code == 413


def test_a_body_too_long_is_refused_before_it_is_read(world):
    reads = []

    async def receive():
        reads.append(1)
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": True}

    with pytest.raises(Refused) as refused:
        bodies.check({b"content-length": b"512001"}, Limits())
    assert (refused.value.status, reads) == (413, [])
    with pytest.raises(Refused) as refused:
        world.run(bodies.read({}, receive, Limits()))
    assert (refused.value.status, len(reads)) == (413, 6)


def test_limits_are_those_of_the_sdks(world):
    batch = [event(str(n), properties={"t": "x" * 930}) for n in range(490)]
    assert 490_000 < len(json.dumps(batch)) < 512_000
    assert world.told(batch) == (490, 0, 0)
    assert world.post([event(f"n{n}") for n in range(2_501)]).status_code == 413


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"a": 1}{}', b"[" * 300_000, b'"' * 9, b"nul", b"1e", b"[NaN"]
)
def test_what_is_no_json_is_refused_and_not_repeated(world, body):
    answer = world.post(body)
    assert answer.status_code == 400
    assert "JSON" in answer.json()["detail"]


def test_every_refusal_is_one_problem_without_an_echo(world):
    tests = [
        world.ask("GET", "/v1/events"),
        world.ask("POST", "/v1/secret-thing", b"{}"),
        world.post(b'{"batch": 1}', "/v1/batch"),
        world.post(b'{"events": "secret-thing"}'),
        world.post(b"{}", content_type="text/html"),
        world.ask("POST", "/t/v1/tierwise.js", b"{}"),
    ]
    assert [one.status_code for one in tests] == [405, 404, 400, 400, 415, 405]
    for one in tests:
        assert one.headers["content-type"] == "application/problem+json"
        assert one.headers["x-content-type-options"] == "nosniff"
        assert one.json().keys() == {"status", "title", "detail"}
        assert "secret-thing" not in one.text


def test_when_too_much_waits_nothing_more_is_taken(world):
    world.writer.waiting_count = Limits().waiting_count
    answer = world.post(event("a"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    world.writer.waiting_count = 0
    assert world.told(event("a")) == (1, 0, 0)


def test_names_that_look_like_sql_are_names(world):
    evil = "x'); DROP TABLE events; --"
    assert world.told(event(evil, name=evil, person_id=evil, properties={evil: evil})) == (1, 0, 0)
    assert world.stored("event_id, name, person_id") == [(evil,) * 3]


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """One world for many requests; tests that count use their own."""
    with World(tmp_path_factory.mktemp("busy")) as made:
        yield made


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=5), one, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        "events",
        "batch",
        "sent_at",
        "sentAt",
        "writeKey",
        "type",
        "event",
        "traits",
        "properties",
        "context",
        "messageId",
        "userId",
        "timestamp",
        "name",
        "event_id",
        "person_id",
        "groupId",
    ]
)
BODIES = st.binary(max_size=40) | st.dictionaries(FIELDS, ANYTHING, max_size=6).map(
    lambda one: json.dumps(one).encode()
)


@given(BODIES, st.sampled_from(["events", "batch", "track", "page", "identify", "group", "a"]))
@example(
    b'{"batch": [{"type": {"a": 1}, "context": {"page": 7, "campaign": {"name": [1]}}}]}', "batch"
)
@example(b'{"batch": [{"type": "group", "traits": 7, "groupId": {}, "messageId": ["x"]}]}', "batch")
@example(b'{"name": "x", "properties": {"url": {}, "search": 1}, "userId": 1e400}', "page")
@example(b'{"events": [[], {}, null, 1.5, "", {"kind": []}, {"context": [1]}]}', "events")
@example(b'{"userId": 1, "timestamp": {"$date": 1}, "event": ["x"]}', "track")
def test_no_body_whatever_makes_the_server_fail(busy, body, path):
    """Taken, kept apart or refused; an exception of ours would come out here."""
    answer = busy.post(body, f"/v1/{path}")
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert answer.json()["accepted_count"] + answer.json()["rejected_count"] >= 0


# Segment's format

MESSAGE = {"userId": "u1", "anonymousId": "a1", "timestamp": iso(NOW), "type": "track"}
SEGMENT = [
    ("track", {"event": "Paid", "properties": {"n": 1}}, ("track", "Paid", {"n": 1})),
    ("page", {"name": "Home", "category": "c", "properties": {"url": "https://x/?q=1", "search": "?q"}}, ("page", "page", {"url": "https://x/", "name": "Home", "category": "c"})),
    ("screen", {"name": "Main"}, ("screen", "screen", {"name": "Main"})),
    ("identify", {"traits": {"plan": "free"}}, ("identify", "identify", {"plan": "free"})),
    ("group", {"groupId": "g", "traits": {"a": 1}}, ("group", "group", {"a": 1, "groupId": "g"})),
    ("alias", {"previousId": "old"}, ("alias", "alias", {"previousId": "old"})),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "message", "expected"), SEGMENT)
def test_segments_messages_become_events_by_route_and_in_batches(world, kind, message, expected):
    answer = world.post(MESSAGE | message | {"messageId": "1"}, f"/v1/{kind}")
    assert answer.json()["success"] is True
    batch = {"batch": [MESSAGE | message | {"messageId": "2", "type": kind}], "sentAt": iso(NOW)}
    assert world.told(batch, "/v1/batch") == (1, 0, 0)
    letter = {"screen": "s"}.get(kind, kind[0])
    assert world.told(MESSAGE | message | {"messageId": "3"}, f"/v1/{letter}") == (1, 0, 0)
    for row in world.stored("kind, name, person_id, anonymous_id, properties"):
        assert (row[0], row[1], json.loads(row[4])) == expected
        assert row[2:4] == ("u1", "a1")
    assert world.stored() == ["1", "2", "3"]


def test_what_sdks_add_is_left_out_and_nothing_is_lost_by_it(world):
    context = {"library": {"name": "node", "version": "1"}, "ip": "203.0.113.7", "page": {"path": "/a", "referrer": "https://b.example/c?d"}, "campaign": {"name": "spring"}}  # fmt: skip
    message = MESSAGE | {"event": "x", "messageId": "m", "integrations": {"All": True}, "context": context, "_metadata": {}}  # fmt: skip
    assert world.told({"batch": [message], "writeKey": world.server_key}, "/v1/batch") == (1, 0, 0)
    kept = {"page": "/a", "referrer": "b.example", "library": "node", "utm_campaign": "spring"}
    assert json.loads(world.stored("context")[0]) == kept


def test_a_message_of_no_kind_is_kept_apart(world):
    batch = {
        "batch": [MESSAGE | {"type": "delete"}, 7, MESSAGE | {"event": None}, {"type": "track"}]
    }
    assert world.told(batch, "/v1/batch") == (0, 0, 4)


# What others may see


def test_health_needs_no_key_and_says_when_events_cannot_be_written(world):
    assert world.ask("GET", "/v1/health").json() == {"ready": True, "waiting_count": 0}
    world.writer.is_alive = False
    assert world.ask("GET", "/v1/health").status_code == 503
    assert world.post(event("a")).status_code == 503
    world.writer.is_alive = True


def test_logs_hold_neither_keys_nor_events(world, caplog):
    caplog.set_level("DEBUG")
    world.told([event("very-private"), {"name": "very-private"}])
    world.post(b"{", key="tww_very-private")
    world.api.tally.began -= 100
    world.told(event("b"))
    text = caplog.text
    assert "2 events accepted (0 there already), 1 rejected" in text
    assert "1 with 401" in text
    assert "very-private" not in text
    assert not re.search("tww_", text)


def test_the_command_teaches():
    from typer.testing import CliRunner

    from tierwise.intake_commands import collect

    shown = CliRunner().invoke(collect, ["--help"]).stdout
    for word in ("keys create --scope web", "collect serve", "collect snippet"):
        assert word in shown
