"""Alerts go out signed, once, in order, and go on where they stopped."""

import json

import pytest

pytest.importorskip("httpx", reason="needs the extra hourly")

import httpx
from standardwebhooks import Webhook

from tierwise.connectors import alert_posts
from tierwise.files import InputError

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PARAMS = """webhook:
  employers:
    url: https://hooks.example.com/alerts
    hosts: [hooks.example.com]
    secret_variables: [TEST_SECRET]
"""
BODIES = [
    json.dumps({"type": "account.changed", "data": {"alert_id": f"a{n}", "number": n}})
    for n in range(5)
]


class Receiver:
    """Takes signed messages; refuses from the one called `stops_at` on."""

    def __init__(self, stops_at=None):
        self.taken, self.stops_at = [], stops_at

    def __call__(self, request):
        Webhook(SECRET).verify(request.content.decode(), dict(request.headers))
        number = json.loads(request.content)["data"]["number"]
        if number == self.stops_at:
            return httpx.Response(422)
        self.taken.append((request.headers["webhook-id"], number))
        return httpx.Response(204)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_SECRET", SECRET)
    (tmp_path / "params.yaml").write_text(PARAMS)
    folder = tmp_path / "data/alerts/employers"
    folder.mkdir(parents=True)
    (folder / "webhook.jsonl").write_text("".join(f"{body}\n" for body in BODIES))
    return tmp_path


def sent(project, receiver):
    return alert_posts.send(project, "employers", httpx.MockTransport(receiver))


def test_every_alert_is_sent_once_in_order_and_a_second_run_sends_nothing(project):
    receiver = Receiver()
    assert sent(project, receiver) == 5
    assert sent(project, receiver) == 0
    assert [number for _, number in receiver.taken] == [0, 1, 2, 3, 4]
    assert len({identity for identity, _ in receiver.taken}) == 5


def test_what_was_taken_before_a_refusal_is_not_sent_again(project):
    receiver = Receiver(stops_at=3)
    with pytest.raises(InputError):
        sent(project, receiver)
    assert [number for _, number in receiver.taken] == [0, 1, 2]
    receiver.stops_at = None
    assert sent(project, receiver) == 2
    assert [number for _, number in receiver.taken] == [0, 1, 2, 3, 4]


def test_new_alerts_are_sent_after_those_that_were_taken(project):
    receiver = Receiver()
    sent(project, receiver)
    with (project / "data/alerts/employers/webhook.jsonl").open("a") as file:
        file.write(
            json.dumps({"type": "account.changed", "data": {"alert_id": "a9", "number": 9}}) + "\n"
        )
    assert sent(project, receiver) == 1
    assert receiver.taken[-1][1] == 9


def test_without_a_receiver_or_a_secret_nothing_is_sent_and_the_way_out_is_told(
    project, monkeypatch
):
    receiver = Receiver()
    monkeypatch.delenv("TEST_SECRET")
    with pytest.raises(InputError, match="TEST_SECRET"):
        sent(project, receiver)
    with pytest.raises(InputError, match=r"no webhook\.other"):
        alert_posts.send(project, "other", httpx.MockTransport(receiver))
    assert not receiver.taken
