"""A Pipedrive that remembers: the calls of API v2 (and two of v1) that tierwise makes.

`Fake.answer` does the work; `Transport` puts it behind httpx without a socket, `serving` behind a
threaded server on loopback. Its clock can be `Clock`, which runs only when somebody waits. What it
answers follows the vendor's description; times that were never reached are left out, because the
description doesn't allow null there.

Faults are either listed (`fake.coming`, one per call, None for a good answer) or drawn
(`fake.fault_share`, seeded). Names of faults: see FAULTS.
"""

import base64
import hashlib
import json
import random
import re
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

TOKEN = "0123456789abcdef0123456789abcdef01234567"
MONDAY = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
FAULTS = (
    *("500 before", "500 after", "429", "429 without headers", "truncated", "html 403"),
    *("reset", "timeout", "expired", "repeated cursor"),
)
LATE = ("500 after", "truncated", "reset", "timeout", "repeated cursor")  # applied nevertheless
COSTS = {
    ("GET", "/deals"): 10,
    ("GET", "/deals/archived"): 20,
    ("GET", "/deals/{id}"): 1,
    ("PATCH", "/deals/{id}"): 5,
    ("GET", "/dealFields"): 10,
    ("POST", "/dealFields"): 5,
    ("GET", "/organizationFields"): 10,
    ("GET", "/persons"): 10,
    ("GET", "/organizations"): 10,
    ("GET", "/activities"): 10,
    ("GET", "/stages"): 5,
    ("GET", "/pipelines"): 5,
    ("GET", "/v1/users"): 20,
    ("GET", "/v1/deals/{id}/changelog"): 20,
}
LISTS = ("persons", "organizations", "activities", "stages", "pipelines")
MADE_KINDS = ("varchar", "text", "double", "date", "enum", "set", "monetary", "phone", "time")
HTML = b"<!DOCTYPE html><html><body><h1>Sorry, you have been blocked</h1></body></html>"


@dataclass
class Clock:
    """Seconds since 1970; passes only by sleeping."""

    now: float = MONDAY

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Answer:
    """broken: "" or how the connection ends: "reset" or "timeout"."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    broken: str = ""


@dataclass(frozen=True)
class Call:
    """One call as the fake saw it. status: 0 where the connection broke."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    status: int
    fault: str | None


class CallError(Exception):
    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Fake:
    """One company. Everything behind one lock; tables are plain dicts by id."""

    def __init__(
        self,
        clock: Any = time.time,
        *,
        tokens_per_day_count: int = 30_000,
        burst_count: int = 20,
        burst_seconds: float = 2.0,
        seed: int = 0,
        fault_share: float = 0.0,
        faults: tuple[str, ...] = FAULTS,
        tells_tokens: bool = True,
    ) -> None:
        self.clock, self.lock = clock, threading.RLock()
        self.tokens_per_day_count, self.burst_count = tokens_per_day_count, burst_count
        self.burst_seconds, self.tells_tokens = burst_seconds, tells_tokens
        self.random, self.fault_share, self.faults = random.Random(seed), fault_share, faults
        self.coming: deque[str | None] = deque()
        self.never_ends, self.token, self.timeout_seconds = False, TOKEN, 5.0
        self.deals: dict[int, dict[str, Any]] = {}
        self.tables: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in LISTS}
        self.users: list[dict[str, Any]] = []
        self.fields: list[dict[str, Any]] = [built_in("title", "Title", "varchar")]
        self.organization_fields = [built_in("name", "Name", "varchar")]
        self.changes: dict[int, list[dict[str, Any]]] = {}
        self.calls: list[Call] = []
        self.arrivals: deque[float] = deque()
        self.spent: Counter[str] = Counter()
        self.quiet_until, self.option_id = 0.0, 0
        self.counts: Counter[str] = Counter()  # over_burst, over_day, went_on_after_429

    # What a test sets up and looks at

    def add_deal(self, deal_id: int, **values: Any) -> dict[str, Any]:
        at = utc(self.clock())
        self.deals[deal_id] = {
            "id": deal_id,
            "title": f"Deal {deal_id}",
            "creator_user_id": 1,
            "owner_id": 1,
            "person_id": 1,
            "org_id": 1,
            "pipeline_id": 1,
            "stage_id": 1,
            "value": 1000,
            "currency": "EUR",
            "add_time": at,
            "update_time": at,
            "stage_change_time": at,
            "is_deleted": False,
            "is_archived": False,
            "status": "open",
            "probability": None,
            "lost_reason": None,
            "visible_to": 3,
            "close_time": None,
            "label_ids": [],
            "origin": "ManuallyCreated",
            "origin_id": None,
            "channel": None,
            "channel_id": None,
            "source_lead_id": None,
            "arr": None,
            "mrr": None,
            "acv": None,
            "custom_fields": {},
        } | values
        return self.deals[deal_id]

    def edit(self, deal_id: int, **values: Any) -> None:
        """Somebody changes a deal by hand; statuses set the times that go with them."""
        with self.lock:
            now = utc(self.clock())
            if values.get("status") in ("won", "lost"):
                values |= {f"{values['status']}_time": now, "close_time": now}
            if values.get("is_archived"):
                values["archive_time"] = now
            self.change(self.deals[deal_id], values, "app")

    def shown(self, deal_id: int) -> dict[str, Any]:
        """Custom fields that hold something, by name, options by label."""
        with self.lock:
            values = self.deals[deal_id]["custom_fields"]
            fields = {one["field_code"]: one for one in self.fields}
            return {
                fields[code]["field_name"]: label_of(fields[code], value)
                for code, value in values.items()
                if value is not None
            }

    def custom_names(self) -> list[str]:
        return [one["field_name"] for one in self.fields if one["is_custom_field"]]

    def written(self) -> list[Call]:
        """Calls that asked for a change."""
        return [call for call in self.calls if call.method != "GET"]

    # One call

    def answer(
        self, method: str, path: str, query: dict[str, str], token: str, body: bytes
    ) -> Answer:
        """path: /v1/... or what follows /api/v2."""
        with self.lock:
            fault = self.next_fault()
            found = self.limited(method, path) or self.faulty(
                fault, method, path, query, token, body
            )
            found.headers |= self.headers()
            status = 0 if found.broken else found.status
            sent = json.loads(body) if body else {}
            self.calls.append(Call(self.clock(), method, path, query, sent, status, fault))
            return found

    def next_fault(self) -> str | None:
        if self.coming:
            return self.coming.popleft()
        if self.random.random() < self.fault_share:
            return self.random.choice(self.faults)
        return None

    def limited(self, method: str, path: str) -> Answer | None:
        """429 or a block where a limit is broken; else the call is counted."""
        now = self.clock()
        if now < self.quiet_until:
            self.counts["went_on_after_429"] += 1
            return Answer(403, HTML, {"content-type": "text/html"})
        while self.arrivals and self.arrivals[0] <= now - self.burst_seconds:
            self.arrivals.popleft()
        if len(self.arrivals) >= self.burst_count:
            self.counts["over_burst"] += 1
            return self.too_many(self.arrivals[0] + self.burst_seconds - now)
        price = COSTS.get((method, template(path)), 0)
        if self.spent[self.day()] + price > self.tokens_per_day_count:
            self.counts["over_day"] += 1
            return self.too_many(86_400 - now % 86_400)
        self.arrivals.append(now)
        self.spent[self.day()] += price
        return None

    def too_many(self, seconds: float, *, tells: bool = True) -> Answer:
        self.quiet_until = self.clock() + seconds
        headers = {"x-ratelimit-reset": str(int(seconds) + 1)} if tells else {}
        return Answer(429, problem_body("request over limit"), headers)

    def faulty(
        self,
        fault: str | None,
        method: str,
        path: str,
        query: dict[str, str],
        token: str,
        body: bytes,
    ) -> Answer:
        self.counts[fault or "no fault"] += 1
        if fault == "500 before":
            return Answer(500, problem_body("internal error"))
        if fault == "429":
            return self.too_many(self.burst_seconds)
        if fault == "429 without headers":
            return self.too_many(self.burst_seconds, tells=False)
        if fault == "html 403":
            return Answer(403, HTML, {"content-type": "text/html"})
        if fault == "expired" or token != self.token:
            return Answer(401, problem_body("unauthorized access"))
        found = self.worked(method, path, query, body)
        return spoilt(found, fault, query) if fault in LATE and found.status == 200 else found

    def headers(self) -> dict[str, str]:
        left = self.tokens_per_day_count - self.spent[self.day()]
        told = {"x-daily-ratelimit-token-remaining": str(left)} if self.tells_tokens else {}
        return {"x-ratelimit-limit": str(self.burst_count)} | told

    def day(self) -> str:
        return utc(self.clock())[:10]

    def worked(self, method: str, path: str, query: dict[str, str], body: bytes) -> Answer:
        try:
            content = self.content(method, path, query, body)
        except CallError as problem:
            return Answer(problem.status, problem_body(str(problem)))
        return Answer(200, json.dumps(content).encode())

    def content(self, method: str, path: str, query: dict[str, str], body: bytes) -> dict[str, Any]:
        where = (method, template(path))
        number = int((re.findall(r"/([0-9]+)", path) or ["0"])[0])
        if where == ("GET", "/deals"):
            return self.deal_page(query, is_archived=False)
        if where == ("GET", "/deals/archived"):
            return self.deal_page(query, is_archived=True)
        if where == ("GET", "/deals/{id}"):
            return {"success": True, "data": self.as_told(self.found(number), query)}
        if where == ("PATCH", "/deals/{id}"):
            return {"success": True, "data": self.patched(number, parsed(body))}
        if where == ("GET", "/dealFields"):
            return self.page(dict(enumerate(self.fields)), query, lambda at, _: (at, at))
        if where == ("GET", "/organizationFields"):
            fields = dict(enumerate(self.organization_fields))
            return self.page(fields, query, lambda at, _: (at, at))
        if where == ("POST", "/dealFields"):
            return {"success": True, "data": self.made(parsed(body))}
        if where == ("GET", "/v1/users"):
            return {"success": True, "data": self.users}
        if where == ("GET", "/v1/deals/{id}/changelog"):
            latest_first = dict(enumerate(reversed(self.changes.get(number, []))))
            return self.page(latest_first, query, lambda at, _: (at, at))
        if method == "GET" and path[1:] in LISTS:
            rows = since(self.tables[path[1:]], query)
            return self.page(rows, query, sorting(query))
        raise CallError(404, "not found")

    # Deals

    def deal_page(self, query: dict[str, str], *, is_archived: bool) -> dict[str, Any]:
        asked = query.get("status", "open,won,lost").split(",")
        rows = {
            number: deal
            for number, deal in since(self.deals, query).items()
            if deal["is_archived"] == is_archived
            and ("deleted" if deal["is_deleted"] else deal["status"]) in asked
        }
        found = self.page(rows, query, sorting(query))
        return found | {"data": [self.as_told(deal, query) for deal in found["data"]]}

    def as_told(self, deal: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        codes = [one["field_code"] for one in self.fields if one["is_custom_field"]]
        if "custom_fields" in query:
            asked = query["custom_fields"].split(",")
            if len(asked) > 15:
                raise CallError(400, "too many custom fields")
            codes = [code for code in codes if code in asked]
        return deal | {"custom_fields": {code: deal["custom_fields"].get(code) for code in codes}}

    def found(self, number: int) -> dict[str, Any]:
        if number not in self.deals:
            raise CallError(404, "deal not found")
        return self.deals[number]

    def patched(self, number: int, body: dict[str, Any]) -> dict[str, Any]:
        deal = self.found(number)
        if deal["is_deleted"]:
            raise CallError(404, "deal not found")
        if deal["is_archived"]:
            raise CallError(400, "archived deals cannot be changed")
        if set(body) != {"custom_fields"}:
            raise CallError(400, "this fake only takes custom_fields")
        for code, value in body["custom_fields"].items():
            must_fit(self.fields, code, value)
        self.change(deal, {"custom_fields": deal["custom_fields"] | body["custom_fields"]}, "api")
        return self.as_told(deal, {})

    def change(self, deal: dict[str, Any], values: dict[str, Any], source: str) -> None:
        flat_before = deal | deal["custom_fields"]
        for key, value in flat(values).items():
            if flat_before.get(key) != value:
                entry = {
                    "field_key": key,
                    "old_value": as_text(flat_before.get(key)),
                    "new_value": as_text(value),
                    "actor_user_id": 1,
                    "time": utc(self.clock())[:19].replace("T", " "),
                    "change_source": source,
                    "change_source_user_agent": None,
                    "is_bulk_update_flag": False,
                }
                self.changes.setdefault(deal["id"], []).append(entry)
        deal |= values | {"update_time": utc(self.clock())}
        if "stage_id" in values:
            deal["stage_change_time"] = deal["update_time"]

    def made(self, body: dict[str, Any]) -> dict[str, Any]:
        name, kind = body.get("field_name"), body.get("field_type")
        if not isinstance(name, str) or kind not in MADE_KINDS:
            raise CallError(400, "field_name or field_type is wrong")
        if (kind in ("enum", "set")) != bool(body.get("options")):
            raise CallError(400, "options are for enum and set")
        options = []
        for one in body.get("options") or []:
            self.option_id += 1
            options.append({"id": self.option_id, "label": one["label"], "color": None})
        # A second POST makes a second field of the same name, as the real one does.
        code = hashlib.sha1(f"{name} {len(self.fields)}".encode()).hexdigest()
        made = built_in(code, name, kind) | {"options": options or None, "is_custom_field": True}
        self.fields.append(made)
        return made

    # Lists

    def page(self, rows: dict[int, Any], query: dict[str, str], key: Any) -> dict[str, Any]:
        """Rows after the cursor in the order of `key`; edits in between neither hide nor double."""
        limit = int(query.get("limit", "100"))
        if not 1 <= limit <= 500:
            raise CallError(400, "limit must be from 1 to 500")
        order = sorted((key(number, row), number) for number, row in rows.items())
        if "cursor" in query:
            after = read_cursor(query["cursor"])
            order = [item for item in order if list(item[0]) > after]
        taken = [rows[number] for _, number in order[:limit]]
        following = cursor_of(order[limit - 1][0]) if len(order) > limit else None
        if self.never_ends:
            following = cursor_of((len(self.calls) + 2**40, 0))
        return {"success": True, "data": taken, "additional_data": {"next_cursor": following}}


class Transport(httpx.BaseTransport):
    """The fake behind httpx, without a socket. latency_seconds pass on a clock that can sleep."""

    def __init__(self, fake: Fake, latency_seconds: float = 0.0) -> None:
        self.fake, self.latency_seconds = fake, latency_seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v2")
        token = request.headers.get("x-api-token", "")
        query = dict(request.url.params)
        if self.latency_seconds:
            self.fake.clock.sleep(self.latency_seconds)
        found = self.fake.answer(request.method, path, query, token, request.read())
        if found.broken == "timeout":
            raise httpx.ReadTimeout("timed out", request=request)
        if found.broken == "reset":
            raise httpx.ReadError("connection reset", request=request)
        return httpx.Response(found.status, headers=found.headers, content=found.body)


@contextmanager
def serving(fake: Fake) -> Iterator[str]:
    """The fake behind a threaded server on loopback; gives its address, without a slash."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            token = self.headers.get("x-api-token", "")
            path = parts.path.removeprefix("/api/v2")
            found = fake.answer(self.command, path, dict(parse_qsl(parts.query)), token, body)
            if found.broken == "timeout":
                time.sleep(fake.timeout_seconds)
            self.send_response(found.status)
            for name, value in ({"content-type": "application/json"} | found.headers).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body[: len(found.body) // 2] if found.broken else found.body)
            if found.broken:
                self.cut()

        def cut(self) -> None:
            """A reset, not an orderly end."""
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True

        do_GET = do_POST = do_PATCH = respond  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def spoilt(good: Answer, fault: str | None, query: dict[str, str]) -> Answer:
    """The call was applied, but what comes back is of no use."""
    if fault == "500 after":
        return Answer(500, problem_body("internal error"))
    if fault == "truncated":
        return Answer(200, good.body[: len(good.body) // 2])
    if fault in ("reset", "timeout"):
        return Answer(200, good.body, broken=fault)
    content = json.loads(good.body)
    if "additional_data" in content and "cursor" in query:
        content["additional_data"]["next_cursor"] = query["cursor"]
    return Answer(200, json.dumps(content).encode())


def must_fit(fields: list[dict[str, Any]], code: str, value: Any) -> None:
    """v2 coerces nothing."""
    known = {one["field_code"]: one for one in fields if one["is_custom_field"]}
    if code not in known:
        raise CallError(400, f"unknown custom field {code}")
    kind = known[code]["field_type"]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "enum": type(value) is int and value in [one["id"] for one in known[code]["options"] or []],
        "double": is_number,
        "varchar": isinstance(value, str) and len(value) <= 255,
        "text": isinstance(value, str),
    }
    if value is not None and not fits.get(kind, True):
        raise CallError(400, f"value of field {code} is no {kind}")


def built_in(code: str, name: str, kind: str) -> dict[str, Any]:
    return {
        "field_name": name,
        "field_code": code,
        "field_type": kind,
        "options": None,
        "subfields": None,
        "is_custom_field": False,
        "is_optional_response_field": False,
    }


def label_of(one: dict[str, Any], value: Any) -> Any:
    return {option["id"]: option["label"] for option in one["options"] or []}.get(value, value)


def since(rows: dict[int, dict[str, Any]], query: dict[str, str]) -> dict[int, dict[str, Any]]:
    """updated_since is inclusive."""
    asked = query.get("updated_since", "")
    return {n: row for n, row in rows.items() if row.get("update_time", "") >= asked}


def sorting(query: dict[str, str]) -> Any:
    name = query.get("sort_by", "id")
    return lambda number, row: (row[name], number)


def cursor_of(key: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> list[Any]:
    try:
        return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        raise CallError(400, "cursor is wrong") from None


def parsed(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        raise CallError(400, "body is no JSON") from None
    if not isinstance(content, dict):
        raise CallError(400, "body is no object")
    return content


def flat(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if k != "custom_fields"} | values.get(
        "custom_fields", {}
    )


def as_text(value: Any) -> str | None:
    return None if value is None else str(value)


def problem_body(words: str) -> bytes:
    return json.dumps({"success": False, "error": words, "code": "ERR"}).encode()


def template(path: str) -> str:
    return re.sub(r"/[0-9]+(?=/|$)", "/{id}", path)


def utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
