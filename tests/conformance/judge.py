"""`prism proxy --errors` between our client and our fake, and what it says of each exchange."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import places
import pytest
from ruamel.yaml import YAML

UP_SECONDS = 120.0


@dataclass(frozen=True)
class Exchange:
    """One call and its answer. said: prism's words, "" where it has nothing to say."""

    method: str
    path: str
    query: tuple[str, ...]
    status: int
    said: str
    content: Any


class Recorder(httpx.BaseTransport):
    """Sends what it is given, and remembers each exchange."""

    def __init__(self) -> None:
        self.inner, self.exchanges = httpx.HTTPTransport(), list[Exchange]()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.inner.handle_request(request)
        answer.read()
        query = tuple(request.url.params)
        found = (request.method, request.url.path, query, answer.status_code, words(answer))
        self.exchanges.append(Exchange(*found, parsed(answer.content)))
        return answer

    def violations(self) -> list[Exchange]:
        return [one for one in self.exchanges if one.said]

    def close(self) -> None:
        self.inner.close()


def words(answer: httpx.Response) -> str:
    """prism names violations in a header, and answers by itself where it lets nothing through."""
    told = answer.headers.get("sl-violations", "")
    is_own = answer.headers.get("content-type", "").startswith("application/problem+json")
    # It answers 401 for want of a token without that header.
    is_own |= "stoplight.io/prism/errors" in answer.text[:200]
    return told or (answer.text if is_own else "")


def parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def read(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path)


def undeclared(description: dict[str, Any], prefix: str, exchanges: list[Exchange]) -> set[str]:
    """Parameters that we send and the description doesn't know: prism says nothing of these."""
    found = set()
    for one in exchanges:
        path = matching(description, one.path)
        operation = description["paths"].get(path, {}).get(one.method.lower(), {})
        known = {parameter.get("name") for parameter in operation.get("parameters", [])}
        found |= {f"{one.method} {prefix}{path}?{name}" for name in set(one.query) - known}
    return found


def matching(description: dict[str, Any], path: str) -> str:
    """The path in the description; one without a place-holder comes first."""
    if path in description["paths"]:
        return path
    fits = [
        one
        for one in description["paths"]
        if re.fullmatch(re.sub(r"\{[a-z_]+\}", "[^/]+", one), path)
    ]
    return fits[0] if fits else ""


@contextmanager
def judging(description: dict[str, Any], upstream: str, folder: Path) -> Iterator[str]:
    """prism in front of `upstream`; gives its address, without a slash."""
    file = folder / "description.json"
    file.write_text(json.dumps(description))
    port = free_port()
    command = [*places.prism(), "proxy", "-h", "127.0.0.1", "-p", str(port), "--errors"]
    with (folder / "prism.log").open("wb") as log:
        process = subprocess.Popen([*command, str(file), upstream], stdout=log, stderr=log)
        try:
            wait_for(port, process, folder / "prism.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + UP_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"prism did not begin: {log.read_text()[-2000:]}")
            time.sleep(0.2)
