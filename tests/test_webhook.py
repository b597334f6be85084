"""The signed webhook: the receiver ends up right whatever breaks, and only signed bytes count."""

import base64
import json
import random
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

httpx = pytest.importorskip("httpx", reason="needs the extra hourly")
standardwebhooks = pytest.importorskip("standardwebhooks", reason="needs the extra hourly")

from killed import killed, needs_fork  # noqa: E402
from tierwise.connectors import webhook, webhook_post  # noqa: E402
from tierwise.connectors.answers import NoAnswer  # noqa: E402
from tierwise.files import InputError  # noqa: E402

SECRET, OTHER = (
    "whsec_" + base64.b64encode(text * 2).decode() for text in (b"canary-secret", b"another-one--")
)
AT_NINE = pd.Timestamp("2026-11-26 09:00")
FAULTS = (
    *("500 before", "500 after", "503 retry-after", "429", "reset before", "reset after"),
    *("timeout before", "timeout after", "garbage after"),
)
HOLDOUT = {3, 17}


class Receiver:
    """Verifies with the library's own verifier, then does what webhook.py asks of a receiver.

    coming: what the next requests meet, None for a good answer; after that faults are drawn.
    """

    def __init__(self, secret=SECRET, seed=0, fault_share=0.0):
        self.verifier = standardwebhooks.Webhook(secret)
        self.chance, self.fault_share, self.coming = random.Random(seed), fault_share, deque()
        self.deals, self.ids, self.bodies, self.older_count, self.faults = {}, [], {}, 0, []
        self.headers, self.paths, self.lock = {}, [], threading.Lock()

    def fault(self):
        if self.coming:
            return self.coming.popleft()
        is_bad = self.chance.random() < self.fault_share
        return self.chance.choice(FAULTS) if is_bad else None

    def take(self, body, headers):
        """Raises WebhookVerificationError for anything that is not signed by our secret."""
        content = self.verifier.verify(body, headers)
        message_id = headers["webhook-id"]
        assert self.bodies.setdefault(message_id, body) == body  # one id, one content
        is_new = message_id not in self.ids
        self.ids.append(message_id)
        for deal in content["data"]["deals"] if is_new else ():
            before = self.deals.get(deal["deal_id"])
            if before and deal["scored_at"] < before["scored_at"]:
                self.older_count += 1
            else:
                self.deals[deal["deal_id"]] = deal


def handler(receiver):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            with receiver.lock:
                receiver.headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.paths.append(self.path)
                fault = receiver.fault()
                receiver.faults.append(fault)
                status = 204
                if fault is None or str(fault).endswith(" after"):
                    try:
                        receiver.take(body, receiver.headers)
                    except standardwebhooks.WebhookVerificationError:
                        status = 401
            self.reply(fault, status)

        def reply(self, fault, status):
            if fault is None or isinstance(fault, tuple):
                self.answer(*(fault or (status, {})))
            elif fault.startswith("reset"):
                hard = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hard)
                self.close_connection = True
                self.connection.close()
            elif fault.startswith("timeout"):
                time.sleep(0.15)
                self.close_connection = True
            elif fault.startswith("garbage"):
                self.wfile.write(b"\x00\x01 no HTTP at all\r\n\r\n")
            else:
                status = int(fault.split()[0])
                self.answer(status, {"retry-after": "2"} if "retry" in fault else {})

        def answer(self, status, headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def finish(self):
            with suppress(OSError, ValueError):
                super().finish()

        def log_message(self, *_):
            pass

    return Handler


@contextmanager
def serving(receiver):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(receiver))
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tiers"
    finally:
        server.shutdown()
        server.server_close()


def batch(chance, scored_at=AT_NINE, tiers=None):
    """A batch as `tierwise score` leaves it: one row per chance, best first."""
    count = len(chance)
    rows = pd.DataFrame({"entity_id": [str(n + 1) for n in range(count)], "chance": chance})
    rows["rank"] = rows["chance"].rank(ascending=False, method="first").astype(int)
    shares = rows["rank"] / count
    rows["tier"] = (
        np.select([shares <= 0.2, shares <= 0.5], ["A", "B"], "C") if tiers is None else tiers
    )
    rows["flag"] = ["holdout" if n + 1 in HOLDOUT else "" for n in range(count)]
    rows["reason_1"] = "stage is “offer”: raises the odds 2.0 times"
    rows["reason_2"] = [f"talked {int(10 * c)} times" for c in chance]
    rows = rows.assign(reason_3="", scored_at=scored_at, model_version="m1.abc")
    return rows.sort_values("rank", ignore_index=True)


def project(root, url, **others):
    section = {"url": url, "hosts": ["127.0.0.1"], "secret_variables": ["HOOK_SECRET"], **others}
    (root / "dvc.yaml").write_text("stages: {}")
    (root / "params.yaml").write_text(json.dumps({"webhook": {"leads": section}}))
    (root / "data/scores/leads").mkdir(parents=True, exist_ok=True)
    return root


def put(root, rows):
    rows.to_parquet(root / "data/scores/leads/batch.parquet")
    return rows


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("OTHER_SECRET", OTHER)


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def root(tmp_path, receiver):
    with serving(receiver) as url:
        yield project(tmp_path, url)


class Sleeps(list):
    """Notes what was slept and lets the clock go on by it."""

    def __init__(self, now=None):
        super().__init__()
        self.began = time.time() if now is None else now

    def sleep(self, seconds):
        self.append(seconds)

    def clock(self):
        return self.began

    def how(self):
        return {"clock": self.clock, "sleep": self.sleep}


def send(root, **how):
    # Reading the certificates of all the world takes longer than the rest of such a test.
    plain = httpx.HTTPTransport(verify=False)
    return webhook.send(root, "leads", **{**Sleeps().how(), "transport": plain, **how})


def wrong(receiver, rows, points=2.0):
    """Deals of which the receiver has something else than it should."""
    return [int(row.entity_id) for row in rows.itertuples() if not is_right(receiver, row, points)]


def is_right(receiver, row, points):
    deal = receiver.deals.get(int(row.entity_id))
    if deal is None or row.flag == "holdout":
        return (deal is None) == (row.flag == "holdout")
    is_near = abs(deal["chance"] - 100 * row.chance) < points + 0.5
    return is_near and (deal["tier"], deal["reasons"]) == (row.tier, [row.reason_1, row.reason_2])


# What is sent


def test_an_hour_is_told_as_promised_and_signed(root, receiver, monkeypatch):
    monkeypatch.setattr(webhook, "DEALS_COUNT", 4)
    rows = put(root, batch(np.linspace(0.9, 0.1, 12)))
    sent = send(root)
    assert (sent.deals_count, sent.messages_count) == (11, 3)
    assert wrong(receiver, rows) == []
    assert receiver.deals[1] == {
        "deal_id": 1, "tier": "A", "chance": 90, "rank": 1, "scored_at": "2026-11-26T09:00:00Z",
        "reasons": ["stage is “offer”: raises the odds 2.0 times", "talked 9 times"],
        "model_version": "m1.abc",
    }  # fmt: skip
    contents = [json.loads(body) for body in receiver.bodies.values()]
    assert [content["type"] for content in contents] == ["tiers.changed"] * 3
    assert [(content["data"]["batch"], content["data"]["batches"]) for content in contents] == [
        (1, 3),
        (2, 3),
        (3, 3),
    ]
    assert {content["timestamp"] for content in contents} == {"2026-11-26T09:00:00Z"}
    assert not {deal for deal in receiver.deals if deal in HOLDOUT}
    assert receiver.headers["content-type"] == "application/json"


def test_a_second_run_sends_nothing(root, receiver):
    put(root, batch(np.linspace(0.9, 0.1, 12)))
    send(root)
    again = send(root)
    assert (again.changes, again.messages_count, len(receiver.ids)) == ([], 0, 1)


def test_the_next_hour_sends_what_changed_most_important_first(root, receiver):
    chance = np.linspace(0.9, 0.1, 10)
    first = put(root, batch(chance))
    send(root)
    rows = batch(chance, AT_NINE + pd.Timedelta(hours=1), list(first["tier"]))
    rows["rank"] += 1  # moves with every hour, and is no change
    rows.loc[8, "chance"] += 0.0099  # less than two points
    rows.loc[7, "chance"] += 0.05
    rows.loc[5, "tier"] = "B"
    rows.loc[6, "tier"] = "A"
    rows.loc[2, "tier"] = "A"  # of the holdout
    put(root, rows)
    sent = send(root)
    assert [change.deal_id for change in sent.changes] == [7, 6, 8]
    deals = json.loads(receiver.bodies[receiver.ids[-1]])["data"]["deals"]
    assert [deal["deal_id"] for deal in deals] == [7, 6, 8]
    assert {deal["scored_at"] for deal in deals} == {"2026-11-26T10:00:00Z"}


def test_a_deal_that_was_away_is_told_anew(root, receiver):
    rows = batch(np.linspace(0.9, 0.1, 10))
    for hours, there in enumerate((rows, rows.drop(index=[4]), rows)):
        put(root, there.assign(scored_at=AT_NINE + pd.Timedelta(hours=hours)))
        sent = send(root)
    assert [change.deal_id for change in sent.changes] == [5]


def test_an_older_hour_is_refused(root, receiver):
    put(root, batch(np.linspace(0.9, 0.1, 5)))
    send(root)
    put(root, batch(np.linspace(0.1, 0.9, 5), AT_NINE - pd.Timedelta(hours=1)))
    with pytest.raises(InputError, match="told of 2026-11-26T09:00:00Z already"):
        send(root)
    assert len(receiver.ids) == 1


def test_an_hour_without_a_deal_to_tell_sends_nothing(root, receiver):
    rows = batch(np.linspace(0.9, 0.1, 3))
    put(root, rows[rows["entity_id"] == "3"])
    assert send(root).messages_count == 0
    assert receiver.ids == []


def test_another_address_is_told_everything(root, receiver):
    put(root, batch(np.linspace(0.9, 0.1, 10)))
    send(root)
    other = Receiver()
    with serving(other) as url:
        project(root, url)
        assert send(root).deals_count == 9
    assert len(other.deals) == 9


def test_a_dry_run_tells_the_difference_and_changes_nothing(root, receiver):
    put(root, batch(np.linspace(0.9, 0.1, 30)))
    dry = webhook.send(root, "leads", dry_run=True)
    assert webhook.sentence(dry, True) == "28 deals in 1 messages would be sent; nothing was."
    told = webhook.lines(dry)
    assert told[0] == "1  first tier: tier None -> A, chance_percent None -> 90"
    assert told[-1] == "and 8 more"
    assert not (root / "data/scores/leads/webhook.sqlite").exists()
    assert webhook.sentence(send(root), False) == "28 deals in 1 messages sent and taken."
    before = (root / "data/scores/leads/webhook.sqlite").read_bytes()
    put(root, batch(np.linspace(0.1, 0.9, 30), AT_NINE + pd.Timedelta(hours=1)))
    assert webhook.send(root, "leads", dry_run=True).deals_count > 10
    assert (root / "data/scores/leads/webhook.sqlite").read_bytes() == before
    assert len(receiver.ids) == 1


@given(
    sizes=st.lists(st.integers(0, 3_000), max_size=60),
    body_bytes=st.integers(4_000, 20_000),
    deals_count=st.integers(1, 20),
)
def test_messages_hold_all_deals_in_order_and_keep_their_limits(sizes, body_bytes, deals_count):
    records = [{"deal_id": number, "reasons": ["x" * size]} for number, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(webhook, "DEALS_COUNT", deals_count)
        made = webhook.messages("leads", "2026-11-26T09:00:00Z", records, body_bytes)
    contents = [json.loads(one.body)["data"] for one in made]
    assert [deal for content in contents for deal in content["deals"]] == records
    assert all(len(one.body) <= body_bytes for one in made)
    assert all(1 <= len(content["deals"]) <= deals_count for content in contents)
    assert [one.number for one in made] == [*range(1, len(made) + 1)]


def test_a_deal_longer_than_a_message_is_refused_by_its_number():
    record = {"deal_id": 7, "reasons": ["x" * 5_000]}
    with pytest.raises(InputError, match="deal 7 takes 5,0.. bytes"):
        webhook.messages("leads", "2026-11-26T09:00:00Z", [record], 4_000)


def test_an_id_stands_for_application_hour_number_and_content():
    deal = {"deal_id": 1, "tier": "A"}
    made = ("leads", "2026-11-26T09:00:00Z", 1, 2, [deal])
    others = [
        ("other", *made[1:]),
        (made[0], "2026-11-26T10:00:00Z", *made[2:]),
        (*made[:2], 2, *made[3:]),
        (*made[:4], [deal | {"tier": "B"}]),
    ]
    ids = {webhook.message(*one).id for one in (made, made, *others)}
    assert len(ids) == 5
    assert all(len(one) == 36 and one.startswith("msg_") for one in ids)


# Faults


def run_to_the_end(root):
    for _ in range(100):
        try:
            return send(root)
        except NoAnswer:
            continue
    raise AssertionError("100 runs didn't bring it to an end")


@pytest.mark.parametrize("seed", range(50))
def test_mixed_faults_leave_no_wrong_state_and_a_rerun_sends_nothing(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(webhook, "DEALS_COUNT", 3)
    monkeypatch.setattr(webhook_post, "TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(webhook_post, "TRIES_COUNT", 2)  # so that hours are left half told
    receiver, chance = Receiver(seed=seed, fault_share=0.2), np.random.default_rng(seed)
    receiver.coming.extend([*[None] * (seed % 6), FAULTS[seed % len(FAULTS)]])
    with serving(receiver) as url:
        project(tmp_path, url)
        level = chance.random(18)
        for hours in range(3):
            rows = put(tmp_path, batch(level, AT_NINE + pd.Timedelta(hours=hours)))
            with suppress(NoAnswer):  # the next hour comes instead
                send(tmp_path)
            level = np.clip(level + chance.normal(0, 0.15, 18), 0, 1)
        run_to_the_end(tmp_path)
        assert wrong(receiver, rows) == []
        assert receiver.older_count == 0
        assert any(receiver.faults)
        receiver.fault_share, count = 0.0, len(receiver.ids)
        assert send(tmp_path).messages_count == 0
        assert len(receiver.ids) == count


def test_what_may_have_arrived_is_told_anew_even_if_it_changed_back(root, receiver, monkeypatch):
    monkeypatch.setattr(webhook_post, "TRIES_COUNT", 1)
    chance = np.array([0.9, 0.5, 0.5, 0.1, 0.1])
    put(root, batch(chance))
    send(root)
    receiver.coming.append("500 after")
    put(root, batch(chance[::-1], AT_NINE + pd.Timedelta(hours=1)))
    with pytest.raises(NoAnswer):
        send(root)
    assert receiver.deals[5]["tier"] == "A"
    rows = put(root, batch(chance, AT_NINE + pd.Timedelta(hours=2)))
    send(root)
    assert wrong(receiver, rows) == []


def test_the_same_message_is_tried_again_under_the_same_id_with_a_new_time(root, receiver):
    receiver.coming.extend(["500 after", "reset before", "garbage after", None])
    put(root, batch(np.linspace(0.9, 0.1, 5)))
    sleeps = Sleeps()
    sleeps.clock = lambda: sleeps.began + sum(sleeps)
    assert send(root, sleep=sleeps.sleep, clock=sleeps.clock).messages_count == 1
    assert len(set(receiver.ids)) == 1
    assert len(receiver.ids) == 3
    assert sleeps == [1.0, 2.0, 4.0]
    assert float(receiver.headers["webhook-timestamp"]) == pytest.approx(sleeps.began + 7, abs=1)


def test_retry_after_is_honoured_as_seconds_and_as_a_date(root, receiver):
    now = 1_800_000_000
    at = format_datetime(pd.Timestamp(now + 90, unit="s", tz="UTC").to_pydatetime(), usegmt=True)
    receiver.coming.extend(
        [
            (429, {"retry-after": "40"}),
            (503, {"retry-after": at}),
            (429, {}),
            (503, {"retry-after": "soon"}),
            (204, {}),
        ]
    )
    put(root, batch(np.linspace(0.9, 0.1, 5)))
    sleeps = Sleeps(now)
    send(root, **sleeps.how())
    assert sleeps == [40.0, 90.0, 4.0, 8.0]


def test_a_receiver_that_asks_for_long_is_left_alone_for_so_long(root, receiver):
    receiver.coming.append((429, {"retry-after": "7200"}))
    put(root, batch(np.linspace(0.9, 0.1, 5)))
    now = Sleeps(1_800_000_000)
    with pytest.raises(NoAnswer, match="asks for no message before 2027-01-15 10:00:00 UTC"):
        send(root, **now.how())
    with pytest.raises(NoAnswer, match="asks for no message before"):
        send(root, **Sleeps(now.began + 7_100).how())
    assert len(receiver.paths) == 1
    receiver.coming.append((204, {}))
    assert send(root, **Sleeps(now.began + 7_201).how()).messages_count == 1


def test_after_410_nothing_is_sent_until_the_address_is_another(root, receiver):
    receiver.coming.append((410, {}))
    rows = put(root, batch(np.linspace(0.9, 0.1, 5)))
    for _ in range(3):
        with pytest.raises(InputError, match="wants no message any more .410."):
            send(root)
    put(root, rows.assign(scored_at=AT_NINE + pd.Timedelta(hours=1)))
    with pytest.raises(InputError, match="Take its section out of params.yaml"):
        send(root)
    assert len(receiver.paths) == 1
    project(root, webhook.asked(root, "leads").url + "/new")
    assert send(root).deals_count == 4


def test_a_redirect_is_not_followed(root, receiver):
    stranger = Receiver()
    with serving(stranger) as elsewhere:
        put(root, batch(np.linspace(0.9, 0.1, 5)))
        for status in (301, 302, 307, 308):
            receiver.coming.append((status, {"location": elsewhere}))
            with pytest.raises(InputError, match=f"another address .{status}., and redirects"):
                send(root)
    assert stranger.paths == []


@pytest.mark.parametrize(
    ("status", "words"),
    [(400, "refuses the message .400."), (413, "Lower webhook's body_bytes"), (403, "HOOK_SECRET")],
)
def test_a_refusal_is_told_at_once_and_tried_again_by_the_next_run(root, receiver, status, words):
    receiver.coming.append((status, {}))
    rows = put(root, batch(np.linspace(0.9, 0.1, 5)))
    with pytest.raises(InputError, match=words):
        send(root)
    assert len(receiver.paths) == 1
    send(root)
    assert wrong(receiver, rows) == []


# Killed

CUT = """
import json, os
from pathlib import Path
import httpx
from tierwise.connectors import webhook

os.environ["HOOK_SECRET"] = {secret!r}
webhook.DEALS_COUNT = 3

class Kept(httpx.BaseTransport):
    # What arrives is a file; the answer comes after, and a kill in between loses it.
    def __init__(self, folder, moment):
        self.folder, self.moment = Path(folder) / "received", moment
        self.folder.mkdir(exist_ok=True)
    def handle_request(self, request):
        self.moment()
        number = len(list(self.folder.iterdir()))
        content = [dict(request.headers), request.read().decode()]
        place = self.folder / str(number)
        (Path(self.folder).parent / "arriving").write_text(json.dumps(content))
        os.replace(Path(self.folder).parent / "arriving", place)
        self.moment()
        return httpx.Response(204)

def work(folder, moment=lambda: None):
    return webhook.send(Path(folder), "leads", transport=Kept(folder, moment))
"""


@needs_fork
def test_a_kill_at_any_moment_is_made_good_by_the_next_run(tmp_path, monkeypatch):
    start = tmp_path / "start"
    start.mkdir()
    put(project(start, "http://127.0.0.1:9/tiers"), batch(np.linspace(0.9, 0.1, 9)))
    code = CUT.replace("{secret!r}", repr(SECRET))
    moments, folders = killed(code, tmp_path, timed=6)
    assert moments >= 12
    space = {}
    monkeypatch.setattr(webhook, "DEALS_COUNT", webhook.DEALS_COUNT)  # the code changes it
    exec(code, space)
    twice_count = 0
    for folder in folders:
        later = shutil.copytree(folder, folder.with_name(f"{folder.name} later"))
        same = taken_up(folder, batch(np.linspace(0.9, 0.1, 9)), space["work"])
        assert len(same.bodies) == 3  # 8 deals, 3 a message, whatever was killed
        assert len(same.ids) <= 4  # only the one whose answer was lost comes twice
        twice_count += len(same.ids) == 4
        other = batch(np.linspace(0.1, 0.9, 9), AT_NINE + pd.Timedelta(hours=1))
        next_hour = taken_up(later, other, space["work"])
        assert len(set(next_hour.ids)) == len(next_hour.ids)
    assert twice_count >= 3  # else no kill fell between sending and answer


def taken_up(folder, rows, work):
    """The receiver after the next run, with these scores."""
    put(folder, rows)
    work(folder)
    receiver = Receiver()
    paths = sorted((folder / "received").iterdir(), key=lambda path: int(path.name))
    for path in paths:
        headers, body = json.loads(path.read_text())
        receiver.take(body.encode(), headers)
    assert wrong(receiver, rows) == []
    assert receiver.older_count == 0
    assert work(folder).messages_count == 0
    return receiver


# Secrets


def test_a_wrong_secret_is_refused_by_the_receiver_and_told(root, receiver, monkeypatch):
    put(root, batch(np.linspace(0.9, 0.1, 5)))
    monkeypatch.setenv("HOOK_SECRET", OTHER)
    with pytest.raises(
        InputError, match="refuses the signature .401.. See that it has a secret of HOOK_SECRET"
    ):
        send(root)
    assert receiver.deals == {}
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    assert send(root).deals_count == 4


@pytest.mark.parametrize("known", [SECRET, OTHER])
def test_while_a_secret_is_replaced_both_are_good(tmp_path, known):
    receiver = Receiver(known)
    with serving(receiver) as url:
        project(tmp_path, url, secret_variables=["OTHER_SECRET", "HOOK_SECRET"])
        rows = put(tmp_path, batch(np.linspace(0.9, 0.1, 5)))
        send(tmp_path)
    assert wrong(receiver, rows) == []
    assert len(receiver.headers["webhook-signature"].split(" ")) == 2


def test_changed_bytes_are_refused(root, receiver):
    put(root, batch(np.linspace(0.9, 0.1, 5)))
    send(root)
    body = receiver.bodies[receiver.ids[0]].replace(b'"tier":"A"', b'"tier":"C"')
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        receiver.verifier.verify(body, receiver.headers)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "  ",
        "secret",
        "whsec_",
        "whsec_%%%",
        "whsec_" + "QUJD" * 5,
        "whsec_" + "QUJD" * 30,
        "x" + SECRET,
    ],
)
def test_a_secret_that_is_none_is_refused_without_being_quoted(root, receiver, monkeypatch, value):
    put(root, batch(np.linspace(0.9, 0.1, 5)))
    monkeypatch.setenv("HOOK_SECRET", value)
    with pytest.raises(InputError, match="environment variable HOOK_SECRET") as caught:
        send(root)
    body = value.strip().removeprefix("whsec_")
    assert body in ("", "secret") or body not in str(caught.value)
    assert receiver.paths == []


def test_the_secret_is_in_no_file_and_no_message(tmp_path):
    receiver = Receiver()
    code = "import sys; from pathlib import Path; from tierwise.connectors import webhook; "
    code += "print(webhook.send(Path(sys.argv[1]), 'leads', sleep=lambda _: None))"
    with serving(receiver) as url:
        project(tmp_path, url + "?key=canary-query")
        put(tmp_path, batch(np.linspace(0.9, 0.1, 20)))
        receiver.coming.extend(["reset before", "500 after", (302, {"location": "/x"})])
        texts = []
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", code, str(tmp_path)],
                capture_output=True,
                text=True,
                check=False,
            )
            texts += [done.stdout, done.stderr]
    assert len(receiver.deals) == 18
    assert "redirects are not followed" in texts[1]
    raw = base64.b64decode(SECRET.removeprefix("whsec_"))
    places = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "params.yaml"]
    assert len(places) >= 3
    for content in (*(text.encode() for text in texts), *(path.read_bytes() for path in places)):
        for secret in (
            SECRET.encode(),
            SECRET.removeprefix("whsec_").encode(),
            raw,
            b"canary-query",
        ):
            assert secret not in content


# Settings


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"url": "http://hooks.example/x", "hosts": ["hooks.example"]}, "must begin with https://"),
        ({"url": "ftp://127.0.0.1/x"}, "must begin with https://"),
        ({"url": "https:///x"}, "must begin with https://"),
        ({"url": "https://evil.example/x"}, "leads to 'evil.example', and hosts has 127.0.0.1"),
        ({"url": "https://127.0.0.1@evil.example/x"}, "holds a name or a password"),
        ({"url": "https://127.0.0.1.evil.example/x"}, "leads to '127.0.0.1.evil.example'"),
        ({"url": "https://a:b@127.0.0.1/x"}, "holds a name or a password"),
        ({"url": "https://[::1/x"}, "is no address"),
        ({"hosts": []}, "webhook.leads.hosts"),
        ({"secret_variables": ["A", "B", "C"]}, "webhook.leads.secret_variables"),
        ({"secret_variables": []}, "webhook.leads.secret_variables"),
        ({"body_bytes": 10}, "webhook.leads.body_bytes"),
        ({"hysteresis_points": 0.5}, "webhook.leads.hysteresis_points"),
        ({"secret": "x"}, "webhook.leads.secret"),
    ],
)
def test_settings_that_break_a_rule_are_refused(tmp_path, changed, words):
    project(tmp_path, **{"url": "http://127.0.0.1:1/x", **changed})
    with pytest.raises(InputError, match=words):
        webhook.asked(tmp_path, "leads")


@pytest.mark.parametrize("url", ["https://Hooks.Example/x", "https://hooks.example:8443/x?y=1"])
def test_an_address_among_hosts_is_taken(tmp_path, url):
    assert webhook.asked(project(tmp_path, url, hosts=["hooks.example"]), "leads").url == url


def test_without_a_section_or_an_hour_the_way_out_is_told(root):
    with pytest.raises(InputError, match=r"no webhook\.other; below `webhook:` there are leads"):
        webhook.send(root, "other")
    with pytest.raises(InputError, match="Run `tierwise score leads` first"):
        send(root)


def test_a_damaged_memory_is_told_with_its_way_out(root, receiver):
    put(root, batch(np.linspace(0.9, 0.1, 5)))
    place = root / "data/scores/leads/webhook.sqlite"
    place.write_bytes(b"no database " * 100)
    with pytest.raises(InputError, match="Make room, or delete it: all deals are told anew"):
        send(root)
    place.unlink()
    assert send(root).deals_count == 4
