"""Before anything of a request is read, it is known whose it is, how large and how many."""

import asyncio
import json

import pytest

pytest.importorskip("fastapi", reason="needs the extra hourly")

from tierwise.files import InputError
from tierwise.service import api_keys, guard
from tierwise.service.guard import Guard, Limits, Route

MB = 1_000_000
ROUTES = (
    Route("POST", "/score", frozenset(["score"])),
    Route("GET", "/deals/{deal_id}/history", frozenset(["read"])),
    Route("GET", "/open", None),
)


class World:
    """A guard around an application that says what reached it, with a clock that stands still."""

    def __init__(self, path, **limits):
        self.keys = {scope: api_keys.create(path, [scope]) for scope in api_keys.SCOPES}
        self.now, self.seen, self.inner = 0.0, [], []
        self.find = api_keys.Ring(path).find
        self.guard = Guard(
            self.app,
            routes=ROUTES,
            find=lambda text: self.find(text),
            limits=Limits(**limits),
            clock=lambda: self.now,
            observe=self.seen.append,
        )

    async def app(self, scope, receive, send):
        message = await receive()
        self.inner.append(message["body"])
        headers = [(b"content-type", b"text/plain"), (b"server", b"other"), (b"x-own", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"fine"})

    def ask(
        self, method="POST", path="/score", key="score", *, headers=(), chunks=(b"{}",), query=b""
    ):
        """Status, headers, body, and how many chunks were taken. chunks: bytes, or None: the client
        leaves."""
        given = [(b"authorization", f"Bearer {self.keys.get(key, key)}".encode())] if key else []
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "query_string": query,
            "headers": [*given, *headers],
        }
        left, sent, taken = list(chunks), [], []

        async def receive():
            if not left:
                await asyncio.Event().wait()
            taken.append(chunk := left.pop(0))
            if chunk is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunk, "more_body": bool(left)}

        async def send(message):
            sent.append(message)

        asyncio.run(self.guard(scope, receive, send))
        if not sent:
            return None, {}, b"", len(taken)
        heads = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        assert len(heads) == len(sent[0]["headers"])
        return sent[0]["status"], heads, sent[1]["body"], len(taken)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "api.json")


def declared(count):
    return [(b"content-length", str(count).encode())]


CHUNKS = [b"x" * 100_000] * 300  # 30 MB


def test_what_is_allowed_goes_through_unchanged(world):
    status, _, body, _ = world.ask(chunks=[b"ab", b"", b"cd"])
    assert (status, body, world.inner) == (200, b"fine", [b"abcd"])


def test_without_a_valid_key_not_a_byte_of_the_body_is_read(world):
    for key in (None, "", "nonsense", f"tw_{'0' * 12}_{'0' * 64}", world.keys["score"] + "0"):
        status, headers, _, taken = world.ask(key=key, headers=declared(30 * MB), chunks=CHUNKS)
        assert (status, taken) == (401, 0)
        assert headers["www-authenticate"] == "Bearer"
        assert headers["connection"] == "close"
    assert world.inner == []


def test_a_large_body_that_is_declared_is_refused_unread(world):
    status, headers, _, taken = world.ask(headers=declared(30 * MB), chunks=CHUNKS)
    assert (status, taken, headers["connection"]) == (413, 0, "close")


@pytest.mark.parametrize("headers", [[(b"transfer-encoding", b"chunked")], declared(10), []])
def test_a_large_body_that_is_not_declared_is_refused_at_the_first_byte_too_many(world, headers):
    status, _, _, taken = world.ask(headers=headers, chunks=CHUNKS)
    assert (status, taken, world.inner) == (413, 11, [])


def test_a_body_of_exactly_the_limit_is_let_in(world):
    assert world.ask(headers=declared(MB), chunks=[b"x" * MB])[0] == 200
    assert world.ask(headers=declared(MB + 1), chunks=[b"x" * (MB + 1)])[0] == 413
    assert world.ask(chunks=[b"x" * MB, b"x"])[0] == 413


def test_the_scope_is_asked_for_before_the_body_is_read(world):
    for key in ("read", "metrics"):
        status, _, body, taken = world.ask(key=key, chunks=CHUNKS)
        assert (status, taken) == (403, 0)
        assert b"scope score" in body
    assert world.ask("GET", "/deals/7/history", "score")[0] == 403
    assert world.ask("GET", "/deals/7/history", "read")[0] == 200


def test_what_is_no_route_needs_a_key_and_is_left_to_the_router(world):
    for method, path in (
        ("GET", "/"),
        ("GET", "/score"),
        ("DELETE", "/open"),
        ("GET", "/deals/a/b/history"),
    ):
        assert world.ask(method, path, None)[0] == 401
        assert world.ask(method, path, "metrics")[0] == 200


def test_an_open_route_asks_for_no_key_but_keeps_the_limit_of_the_body(world):
    assert world.ask("GET", "/open", None, chunks=[b""])[0] == 200
    assert world.ask("GET", "/open", None, chunks=CHUNKS)[0] == 413


def test_a_key_in_the_url_is_refused_even_beside_a_valid_one(world):
    key = world.keys["score"].encode()
    for query, path in ((b"api_key=" + key, "/score"), (b"", "/score/" + world.keys["score"])):
        status, _, body, _ = world.ask(query=query, path=path)
        assert status == 401
        assert b"URL" in body
        assert key not in body


def test_two_keys_at_once_and_another_scheme_are_no_key(world):
    key = world.keys["score"].encode()
    assert world.ask(headers=[(b"authorization", b"Bearer " + key)])[0] == 401
    for value in (key, b"Basic " + key, b"bearer" + key, b"Bearer", b"\xff\xfe"):
        assert world.ask(key=None, headers=[(b"authorization", value)])[0] == 401
    assert world.ask(key=None, headers=[(b"authorization", b"bearer  " + key)])[0] == 200


def test_a_burst_is_served_then_the_rate_holds_and_retry_after_is_true(tmp_path):
    world = World(tmp_path / "api.json", requests_per_second=0.5, burst_count=3)
    assert [world.ask()[0] for _ in range(4)] == [200, 200, 200, 429]
    _, headers, _, taken = world.ask(chunks=CHUNKS)
    assert (headers["retry-after"], taken) == ("2", 0)
    world.now += 1.9
    assert world.ask()[0] == 429
    world.now += 0.1
    assert [world.ask()[0] for _ in range(2)] == [200, 429]
    world.now += 1e6
    assert [world.ask()[0] for _ in range(4)] == [200, 200, 200, 429]


def test_each_key_has_its_own_bucket_and_strangers_have_none(tmp_path):
    world = World(tmp_path / "api.json", requests_per_second=1, burst_count=1)
    assert [world.ask(key=None)[0] for _ in range(5)] == [401] * 5
    assert world.ask()[0] == 200
    assert world.ask()[0] == 429
    assert world.ask("GET", "/deals/1/history", "read")[0] == 200
    assert len(world.guard.buckets.left) == 2


def test_a_clock_that_is_set_back_opens_no_bucket_and_locks_nobody_out(tmp_path):
    world = World(tmp_path / "api.json", requests_per_second=1, burst_count=1)
    world.now = 1000.0
    assert world.ask()[0] == 200
    world.now = 0.0
    assert world.ask()[0] == 429
    world.now = 1.0
    assert world.ask()[0] == 200


def test_a_body_that_does_not_come_is_waited_for_no_longer_than_told(tmp_path):
    world = World(tmp_path / "api.json", read_seconds=0.05)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/score",
        "query_string": b"",
    }
    scope["headers"] = [(b"authorization", f"Bearer {world.keys['score']}".encode())]
    sent = []

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    asyncio.run(world.guard(scope, receive, send))
    assert sent[0]["status"] == 408
    assert world.inner == []


def test_a_client_that_leaves_while_sending_gets_no_answer_and_starts_no_work(world):
    status, _, _, taken = world.ask(chunks=[b"x", None])
    assert (status, taken, world.inner) == (None, 2, [])
    assert world.seen[-1].status == guard.CLIENT_LEFT


def test_every_answer_has_the_headers_that_keep_browsers_out(world):
    for kwargs in ({}, {"key": None}, {"key": "read"}, {"chunks": CHUNKS}):
        headers = world.ask(**kwargs)[1]
        for name, value in guard.HEADERS.items():
            assert headers[name] == value
    assert world.ask()[1]["x-own"] == "1"


def test_refusals_are_small_say_what_to_do_and_repeat_nothing_that_was_sent(world):
    mark = "Zyxw" * 2_000
    asked = [
        {"key": mark},
        {"key": None, "headers": [(b"authorization", mark.encode())]},
        {"path": f"/{mark}", "key": None},
        {"query": mark.encode(), "key": None},
        {"method": mark, "key": None},
        {"chunks": [mark.encode() * 200]},
        {"key": "read", "chunks": [mark.encode()]},
    ]
    for kwargs in asked:
        status, headers, body, _ = world.ask(**kwargs)
        assert status in (401, 403, 413)
        assert headers["content-type"] == "application/problem+json"
        assert len(body) < 4_000
        assert b"Zyxw" not in body
        content = json.loads(body)
        assert content["status"] == status
        assert content["detail"]
    assert "Zyxw" not in repr(world.seen)


def test_a_problem_that_would_be_too_long_keeps_its_detail(world):
    body = guard.problem(422, "too long", problems=["x" * 100] * 100)
    assert len(body) < 4_000
    assert json.loads(body)["detail"] == "too long"


def test_keys_that_cannot_be_read_let_nobody_in(world):
    def broken(_):
        raise InputError("api.json is no file of keys.")

    world.find = broken
    status, _, body, taken = world.ask(chunks=CHUNKS)
    assert (status, taken) == (503, 0)
    assert b"api.json" not in body
    assert world.ask("GET", "/open", None, chunks=[b""])[0] == 200


def test_an_error_inside_is_counted_as_500_and_goes_on_to_the_server(world):
    async def failing(scope, receive, send):
        raise ZeroDivisionError

    world.guard.app = failing
    with pytest.raises(ZeroDivisionError):
        world.ask()
    assert world.seen[-1].status == 500


def test_what_is_counted_holds_routes_and_ids_of_keys_and_no_secret(world):
    world.ask("GET", "/deals/7/history", "read")
    world.ask("GET", "/nowhere/7", "read")
    world.ask("BREW", "/score", None)
    told = [(seen.method, seen.path, seen.status) for seen in world.seen]
    assert told == [
        ("GET", "/deals/{deal_id}/history", 200),
        ("GET", "other", 200),
        ("other", "other", 401),
    ]
    assert world.seen[0].key_id == world.keys["read"].split("_")[1]
    assert not any(key.split("_")[2] in repr(world.seen) for key in world.keys.values())


def test_a_websocket_is_closed_and_the_start_of_the_server_passes(world):
    sent, reached = [], []

    async def send(message):
        sent.append(message)

    async def inner(scope, receive, send):
        reached.append(scope["type"])

    world.guard.app = inner
    asyncio.run(world.guard({"type": "websocket", "path": "/score"}, None, send))
    asyncio.run(world.guard({"type": "lifespan"}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert reached == ["lifespan"]
