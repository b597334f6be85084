"""Events from Python: sent until they are durable, once each, and refusals say why."""

import json
from datetime import datetime

import pytest

pytest.importorskip("granian", reason="needs the extra hourly")
pytest.importorskip("httpx", reason="needs the extra hourly")

import httpx

from intake_world import NOW, World
from tierwise.connectors.answers import NoAnswer
from tierwise.files import InputError
from tierwise.intake import client


class Faulty(httpx.BaseTransport):
    """Between a client and an intake. faults: for each request None, a status, "lost" before or
    "unheard" after the intake has taken it."""

    def __init__(self, world, faults=()):
        self.world, self.faults, self.requests = world, list(faults), []

    def handle_request(self, request):
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else None
        if fault == "lost":
            raise httpx.ConnectError("lost")
        if isinstance(fault, int):
            return httpx.Response(fault, headers={"retry-after": "7"}, content=b"<html>")
        told = dict(request.headers)
        answer = self.world.ask("POST", request.url.path, request.read(), told)
        if fault == "unheard":
            raise httpx.ReadTimeout("unheard")
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
def world(tmp_path):
    with World(tmp_path / "project") as made:
        yield made


def sender(world, faults=(), spool=None):
    made = client.opened("https://c.example", world.server_key, spool, Faulty(world, faults))
    made.pauses = []
    made.sleep = made.pauses.append
    return made


def test_a_call_returns_when_the_event_is_durable(world):
    one = sender(world)
    client.track("invoice paid", 17, {"amount_eur": 120.0}, event_id="inv-1", sender=one)
    client.track("invoice paid", "17", event_id="inv-1", sender=one)
    assert world.stored("event_id, name, person_id, properties") == [
        ("inv-1", "invoice paid", "17", '{"amount_eur":120.0}')
    ]


def test_what_was_lost_on_the_way_or_not_heard_is_sent_again_and_kept_once(world):
    one = sender(world, ["lost", "unheard", 503, 429, "unheard"])
    client.track("x", "1", sender=one)
    assert len(world.stored()) == 1
    assert [round(pause) for pause in one.pauses] == [1, 2, 7, 8, 16]
    assert (
        len({json.loads(r.read())["events"][0]["event_id"] for r in one.http._transport.requests})
        == 1
    )


def test_an_intake_that_cannot_be_reached_is_told(world):
    with pytest.raises(NoAnswer, match="6 tries; the last: ConnectError"):
        client.track("x", "1", sender=sender(world, ["lost"] * 9))


def test_a_refusal_is_not_tried_again_and_says_why(world):
    wrong = client.opened("https://c.example", "tww_wrong", None, Faulty(world))
    with pytest.raises(InputError, match="401.*valid write key") as raised:
        client.track("x", "1", sender=wrong)
    assert "tww_wrong" not in str(raised.value)
    elsewhere = sender(world, [404])
    with pytest.raises(InputError, match="the address of an intake"):
        client.track("x", "1", sender=elsewhere)
    assert len(elsewhere.http._transport.requests) == 1


def test_an_event_that_is_kept_apart_is_told_with_its_rule(world):
    with pytest.raises(InputError, match="kept apart|keeps the event 'x' apart: numbers"):
        client.track("x", "1", {"a": float("nan")}, sender=sender(world))


def test_many_events_go_in_batches(world):
    one = sender(world)
    told = client.send([client.event("x", n) for n in range(1_200)], one)
    assert (told.accepted_count, told.rejected_count) == (1_200, 0)
    assert len(one.http._transport.requests) == 3


def test_a_time_without_a_zone_is_utc(world):
    at = datetime(2027, 1, 15, 7, 59)
    made = client.event("x", "1", occurred_at=at, event_id="a")
    assert made["occurred_at"] == "2027-01-15T07:59:00+00:00"
    assert client.send([made], sender(world)).accepted_count == 1
    assert world.stored("client_at") == [NOW - 60_000_000]


def test_a_spool_keeps_what_the_intake_has_not_taken_over_processes(world, tmp_path):
    spool = tmp_path / "spool"
    client.track("x", "1", event_id="a", sender=sender(world, ["lost"], spool))
    client.track("x", "1", event_id="b", sender=sender(world, ["unheard"], spool))
    assert len(list(spool.iterdir())) == 2
    assert world.stored() == ["a"]
    client.track("x", "1", event_id="c", sender=sender(world, (), spool))
    assert (world.stored(), list(spool.iterdir())) == (["a", "b", "c"], [])
    assert client.deliver(sender(world, (), spool)).accepted_count == 0
    with pytest.raises(InputError, match="no spool"):
        client.deliver(sender(world))


def test_address_and_key_come_from_the_environment_and_travel_encrypted(monkeypatch):
    client.from_environment.cache_clear()
    monkeypatch.delenv(client.URL, raising=False)
    with pytest.raises(InputError, match=client.URL):
        client.track("x", "1")
    monkeypatch.setenv(client.URL, "https://c.example/")
    monkeypatch.setenv(client.KEY, "tww_1")
    assert client.from_environment().url == "https://c.example/v1/events"
    client.from_environment.cache_clear()
    with pytest.raises(InputError, match="https://"):
        client.opened("http://c.example", "tww_1")
