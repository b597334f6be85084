"""An intake for tests: in this process, on a folder of its own, with a key of each scope."""

import asyncio
import base64
import json
import sqlite3
import sys
from pathlib import Path

import httpx

from tierwise.intake import keys, server, store
from tierwise.intake.app import Intake
from tierwise.intake.limits import Limits
from tierwise.intake.writer import Writer

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from intake_lives import Lives, nursery, survived  # noqa: F401 - for tests on real processes

NOW = 1_800_000_000_000_000
ORIGIN = "https://shop.example"


def event(event_id, **others):
    return {"event_id": event_id, "name": "order paid", "person_id": "17"} | others


def basic(key):
    return {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


class World:
    """An intake whose clock stands at `now` (microseconds since 1970)."""

    def __init__(self, root, limits=None, schema="", merge_count=200_000):
        self.root, self.now = root, NOW
        path = server.keys_path(root)
        self.server_key = keys.create(path, "server", "office", schema_file=schema)
        self.web_key = keys.create(path, "web", "shop", [ORIGIN], schema, 0)
        self.folder = server.folder_of(root)
        self.loop = asyncio.new_event_loop()
        self.writer = Writer(self.folder, self.loop, lambda: self.now, merge_count=merge_count)
        ring = keys.Ring(path, root)
        self.api = Intake(ring, self.writer, limits or Limits(), lambda: self.now)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.api), base_url="http://intake", trust_env=False
        )

    def close(self):
        self.run(self.client.aclose())
        self.writer.close()
        self.loop.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    def ask(self, method, path, content=None, headers=None):
        return self.run(self.client.request(method, path, content=content, headers=headers))

    def post(self, content, path="/v1/events", key=None, **headers):
        """content: JSON of any kind, or bytes as they are."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        told = basic(key or self.server_key) | {"content-type": "application/json"}
        return self.ask(
            "POST", path, body, told | {n.replace("_", "-"): v for n, v in headers.items()}
        )

    def told(self, content, path="/v1/events", **others):
        """The answer's counts: accepted, duplicates, rejected."""
        answer = self.post(content, path, **others)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return tuple(found[f"{name}_count"] for name in ("accepted", "duplicates", "rejected"))

    def stored(self, columns="event_id"):
        return rows(self.folder, f"SELECT {columns} FROM events ORDER BY row_id")

    def rejected(self, columns="rule"):
        return rows(self.folder, f"SELECT {columns} FROM rejected ORDER BY rejected_id")


def rows(folder, query):
    connection = sqlite3.connect(folder / store.EVENTS)
    try:
        found = connection.execute(query).fetchall()
    finally:
        connection.close()
    return [one[0] if len(one) == 1 else one for one in found]
