"""An Intercom that remembers: the calls of its REST API 2.15 that tierwise makes.

Times are whole seconds since 1970. Search compares them by calendar day in the workspace's zone, as
the vendor describes; a scroll is a snapshot of which there is one at a time, and whose page is lost
where its answer is. Clock, answers and the way to name faults are those of fake_pipedrive.
"""

import base64
import json
import random
from collections import Counter, deque
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import httpx

from fake_pipedrive import HTML, MONDAY, Answer, Call, CallError, Clock

TOKEN = "dG9rOjEyMzQ1Njc4OTBhYmNkZWY="
FAULTS = (
    *("500", "truncated", "html 200", "html 403", "reset", "timeout"),
    *("429", "429 without headers", "repeated cursor", "expired"),
)
SCROLL_SECONDS, EVENTS_LISTED_DAYS = 60, 90
TIMES = ("created_at", "updated_at", "last_seen_at")


class Fake:
    """One workspace. page_rows: the most rows of one page, whatever is asked for."""

    def __init__(
        self,
        clock: Any = None,
        *,
        zone: str = "UTC",
        page_rows: int = 150,
        calls_per_window_count: int = 1_666,
        seed: int = 0,
        fault_share: float = 0.0,
        faults: tuple[str, ...] = FAULTS,
        shows_archived: bool = False,
    ) -> None:
        self.clock, self.zone, self.page_rows = clock or Clock(MONDAY), ZoneInfo(zone), page_rows
        self.calls_per_window_count, self.window, self.in_window_count = (
            calls_per_window_count,
            0,
            0,
        )
        self.random, self.fault_share, self.faults = random.Random(seed), fault_share, faults
        self.coming: deque[str | None] = deque()
        self.token, self.never_ends, self.shows_archived = TOKEN, False, shows_archived
        self.contacts: dict[str, dict[str, Any]] = {}
        self.archived: dict[str, dict[str, Any]] = {}
        self.companies: dict[str, dict[str, Any]] = {}
        self.conversations: dict[str, dict[str, Any]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.told: dict[str, dict[str, Any]] = {}  # id -> what search gives instead of the record
        self.scroll: dict[str, Any] = {"expires": 0.0}
        self.calls: list[Call] = []
        self.counts: Counter[str] = Counter()

    # What a test sets up and does by hand

    def now(self) -> int:
        return int(self.clock())

    def add_contact(self, number: int, **values: Any) -> str:
        contact_id, now = f"{number:024x}", self.now()
        self.contacts[contact_id] = {
            "type": "contact",
            "id": contact_id,
            "external_id": f"user-{number}",
            "role": "user",
            "email": f"contact{number}@mailbox.example",
            "phone": f"+49 30 {number:07d}",
            "name": f"Private Name {number}",
            "avatar": {"image_url": f"https://pictures.example/face-{number}"},
            "custom_attributes": {"note": f"private attribute {number}"},
            "location": {"city": f"Homecity {number}"},
            "unsubscribed_from_emails": False,
            "companies": {"type": "list", "data": [], "total_count": 0, "has_more": False},
            **dict.fromkeys(TIMES, now),
        } | values
        self.events[contact_id] = []
        return contact_id

    def add_company(self, number: int, **values: Any) -> str:
        company_id = f"c{number:023x}"
        self.companies[company_id] = {
            "type": "company",
            "id": company_id,
            "company_id": f"account-{number}",
            "name": f"Private Company {number}",
            "custom_attributes": {},
            "created_at": self.now(),
            "updated_at": self.now(),
        } | values
        return company_id

    def add_conversation(self, number: int, contact_ids: list[str], **values: Any) -> str:
        contacts = [{"type": "contact", "id": one} for one in contact_ids]
        self.conversations[str(number)] = {
            "type": "conversation",
            "id": str(number),
            "title": f"Private title {number}",
            "created_at": self.now(),
            "updated_at": self.now(),
            "source": {
                "type": "conversation",
                "delivered_as": "customer_initiated",
                "subject": f"Private subject {number}",
                "body": f"<p>Private body {number}</p>",
                "author": {"type": "user", "email": f"author{number}@mailbox.example"},
            },
            "contacts": {"type": "contact.list", "contacts": contacts},
            "first_contact_reply": None,
            "company": None,
            "state": "open",
        } | values
        return str(number)

    def add_event(self, contact_id: str, name: str, **metadata: Any) -> None:
        """As Intercom does, an event of the same name at the same second is the same one."""
        contact, now = self.contacts[contact_id], self.now()
        if any((e["event_name"], e["created_at"]) == (name, now) for e in self.events[contact_id]):
            return
        event = {
            "type": "event",
            "event_name": name,
            "created_at": now,
            "intercom_user_id": contact_id,
            "email": contact["email"],
            "metadata": metadata,
        }
        self.events[contact_id].append(event)
        contact["last_seen_at"] = now

    def edit(self, table: dict[str, dict[str, Any]], key: str, **values: Any) -> None:
        table[key] |= values | {"updated_at": self.now()}

    def archive(self, contact_id: str) -> None:
        self.archived[contact_id] = self.contacts.pop(contact_id)

    def merge(self, lead_id: str, into: str) -> None:
        """The lead is gone; what it did, the other did."""
        del self.contacts[lead_id]
        known = {(event["event_name"], event["created_at"]) for event in self.events[into]}
        self.events[into] += [
            event | {"intercom_user_id": into}
            for event in self.events.pop(lead_id)
            if (event["event_name"], event["created_at"]) not in known
        ]
        for one in self.conversations.values():
            for contact in one["contacts"]["contacts"]:
                contact["id"] = into if contact["id"] == lead_id else contact["id"]
        self.edit(self.contacts, into)

    # One call

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes
    ) -> Answer:
        fault = self.next_fault()
        found = self.limited() or self.faulty(fault, method, path, query, headers, body)
        window_end = (self.now() // 10 + 1) * 10
        told = {"date": format_datetime(datetime.fromtimestamp(self.now(), UTC), usegmt=True)}
        if found.headers.pop("quiet", None) is None:
            left = max(self.calls_per_window_count - self.in_window_count, 0)
            told |= {"x-ratelimit-remaining": str(left), "x-ratelimit-reset": str(window_end)}
        found.headers = told | found.headers
        sent = json.loads(body) if body else {}
        status = 0 if found.broken else found.status
        self.calls.append(Call(self.clock(), method, path, query, sent, status, fault))
        return found

    def next_fault(self) -> str | None:
        if self.coming:
            return self.coming.popleft()
        return self.random.choice(self.faults) if self.random.random() < self.fault_share else None

    def limited(self) -> Answer | None:
        window = self.now() // 10
        if window != self.window:
            self.window, self.in_window_count = window, 0
        if self.in_window_count >= self.calls_per_window_count:
            self.counts["over"] += 1
            return Answer(429, problem("rate_limit_exceeded", "Exceeded rate limit"))
        self.in_window_count += 1
        return None

    def faulty(
        self,
        fault: str | None,
        method: str,
        path: str,
        query: dict[str, str],
        headers: Any,
        body: bytes,
    ) -> Answer:
        self.counts[fault or "no fault"] += 1
        if fault in ("429", "429 without headers"):
            quiet = {} if fault == "429" else {"quiet": "yes"}
            return Answer(429, problem("rate_limit_exceeded", "Exceeded rate limit"), quiet)
        if fault == "html 403":
            return Answer(403, HTML, {"content-type": "text/html"})
        if fault == "expired" or headers.get("authorization") != f"Bearer {self.token}":
            return Answer(401, problem("unauthorized", "Access Token Invalid"))
        if headers.get("intercom-version") != "2.15":
            return Answer(400, problem("intercom_version_invalid", "no such version"))
        try:
            content = self.content(method, path, query, json.loads(body) if body else {})
        except CallError as error:
            return Answer(error.status, problem("parameter_invalid", str(error)))
        return spoilt(content, fault, query, json.loads(body) if body else {})

    def content(
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any]
    ) -> dict[str, Any]:
        if (method, path) == ("POST", "/contacts/search"):
            return self.search(self.contacts, "data", body)
        if (method, path) == ("POST", "/conversations/search"):
            return self.search(self.conversations, "conversations", body)
        if (method, path) == ("GET", "/companies/scroll"):
            return self.scrolled(query.get("scroll_param"))
        if (method, path) == ("GET", "/events"):
            return self.event_page(query)
        contact_id = path.removeprefix("/contacts/")
        if method == "GET" and contact_id in self.contacts:
            return self.contacts[contact_id]
        if method == "GET" and contact_id in self.archived and self.shows_archived:
            return self.archived[contact_id] | {"archived": True}
        raise CallError(404, "not found")

    def day(self, seconds: int) -> str:
        return datetime.fromtimestamp(seconds, self.zone).date().isoformat()

    def is_later(self, row: dict[str, Any], asked: dict[str, Any]) -> bool:
        at = row[asked["field"]]
        return at is not None and self.day(at) > self.day(asked["value"])

    def search(self, rows: dict[str, Any], name: str, body: dict[str, Any]) -> dict[str, Any]:
        asked, paging = body["query"], body["pagination"]
        filters = asked["value"]
        is_right = asked["operator"] == "OR" and all(one["operator"] == ">" for one in filters)
        if not is_right or not 1 <= paging["per_page"] <= 150:
            raise CallError(400, "operator or per_page is wrong")
        found = [row for row in rows.values() if any(self.is_later(row, one) for one in filters)]
        sort, is_down = body["sort"]["field"], body["sort"]["order"] != "ascending"
        found.sort(key=lambda row: [row[sort], row["id"]], reverse=is_down)
        after, page = (
            read_cursor(paging["starting_after"]) if "starting_after" in paging else ([], 1)
        )
        left = [row for row in found if [row[sort], row["id"]] > after]
        rows_count = min(paging["per_page"], self.page_rows)
        taken, more = left[:rows_count], {"type": "pages", "page": page, "per_page": rows_count}
        if self.never_ends:
            more["next"] = {"starting_after": cursor_of([len(self.calls), "x"], page + 1)}
        elif len(left) > rows_count:
            key = [taken[-1][sort], taken[-1]["id"]]
            more["next"] = {"page": page + 1, "starting_after": cursor_of(key, page + 1)}
        given = [self.told.get(row["id"], row) for row in taken]
        kind = "conversation.list" if name == "conversations" else "list"
        return {"type": kind, name: given, "total_count": len(found), "pages": more}

    def scrolled(self, param: str | None) -> dict[str, Any]:
        now, one = self.clock(), self.scroll
        if param is None:
            if now < one["expires"]:
                raise CallError(400, "scroll already exists for this workspace")
            one = self.scroll = {"param": f"scroll-{len(self.calls)}", "at": 0}
            one["rows"] = [dict(row) for row in self.companies.values()]
        elif param != one.get("param") or now >= one["expires"]:
            raise CallError(404, "scroll parameter not found")
        taken = one["rows"][one["at"] : one["at"] + self.page_rows]
        one["at"] += self.page_rows
        one["expires"] = now + SCROLL_SECONDS if taken else 0.0
        return {"type": "list", "data": taken, "pages": None, "scroll_param": one["param"]}

    def event_page(self, query: dict[str, str]) -> dict[str, Any]:
        contact_id = query.get("intercom_user_id", "")
        if query.get("type") != "user" or contact_id not in self.contacts:
            raise CallError(404, "User Not Found")
        since = self.now() - EVENTS_LISTED_DAYS * 86_400
        before = int(query.get("before", "9" * 15))
        found = [e for e in self.events[contact_id] if e["created_at"] * 1000 < before]
        found = sorted(
            (e for e in found if e["created_at"] >= since), key=lambda e: -e["created_at"]
        )
        rows_count = min(int(query.get("per_page", "50")), self.page_rows)
        while 0 < rows_count < len(found) and (
            found[rows_count - 1]["created_at"] == found[rows_count]["created_at"]
        ):
            rows_count += 1  # events of one second stay together, or `before` would cut them
        more = {"next": None}
        if len(found) > rows_count:
            last = found[rows_count - 1]
            asked = {"per_page": rows_count, "before": last["created_at"] * 1000}
            asked |= {"type": "user", "intercom_user_id": contact_id, "email": last["email"]}
            more["next"] = f"https://elsewhere.example/events?{urlencode(asked)}"
        return {"type": "event.list", "events": found[:rows_count], "pages": more}


class Transport(httpx.BaseTransport):
    """The fake behind httpx, without a socket."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        found = self.fake.answer(
            request.method, request.url.path, query, request.headers, request.read()
        )
        if found.broken == "timeout":
            raise httpx.ReadTimeout("timed out", request=request)
        if found.broken == "reset":
            raise httpx.ReadError("connection reset", request=request)
        return httpx.Response(found.status, headers=found.headers, content=found.body)


def spoilt(
    content: dict[str, Any], fault: str | None, query: dict[str, str], body: dict[str, Any]
) -> Answer:
    """The call was worked on, but what comes back may be of no use."""
    good = json.dumps(content).encode()
    if fault == "500":
        return Answer(500, problem("server_error", "internal error"))
    if fault == "html 200":
        return Answer(200, HTML, {"content-type": "text/html"})
    if fault == "truncated":
        return Answer(200, good[: len(good) // 2])
    if fault in ("reset", "timeout"):
        return Answer(200, good, broken=fault)
    if fault == "repeated cursor" and body.get("pagination", {}).get("starting_after"):
        content["pages"] |= {"next": {"starting_after": body["pagination"]["starting_after"]}}
    elif fault == "repeated cursor" and "before" in query:
        content["pages"]["next"] = f"https://api.intercom.io/events?{urlencode(query)}"
    return Answer(200, json.dumps(content).encode())


def problem(code: str, words: str) -> bytes:
    return json.dumps({"type": "error.list", "errors": [{"code": code, "message": words}]}).encode()


def cursor_of(key: list[Any], page: int) -> str:
    return base64.b64encode(json.dumps([key, page]).encode()).decode()


def read_cursor(cursor: str) -> tuple[list[Any], int]:
    key, page = json.loads(base64.b64decode(cursor))
    return key, page
