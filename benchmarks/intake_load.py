"""A client that keeps an intake busy: on each connection a request as soon as one is answered.

    python intake_load.py PORT KEY --connections 32 --events 50 --seconds 15

It prints JSON: events acknowledged, seconds, and the latencies of all requests in milliseconds.
Events are like those of a shop: 270 bytes each, ids random. The client takes its share of the two
cores; what it needs itself is told as client_cpu_s.
"""

import argparse
import asyncio
import json
import os
import time
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

EVENT = (
    '{"event_id":"%s","name":"order paid","person_id":"person-%d","occurred_at":"%s",'
    '"properties":{"amount_eur":%d.25,"plan":"professional","seats":%d,"coupon":null},'
    '"context":{"page":"/checkout/thanks","session":"0b9e4a5c","locale":"de-DE"}}'
)
OK = b"HTTP/1.1 200"
SLICES_COUNT = 10


@dataclass
class Sent:
    """What became of the requests. ids: of acknowledged events, where they are kept.

    waiting: requests that were not answered, with their ids; they go first the next time. done:
    when how many events were acknowledged.
    """

    keep_ids: bool = False
    ids: list[str] = field(default_factory=list)
    waiting: list[tuple[bytes, list[str]]] = field(default_factory=list)
    events_count: int = 0
    done: list[tuple[float, int]] = field(default_factory=list)
    refused_count: int = 0
    latencies_ms: list[float] = field(default_factory=list)


def request_of(random: Random, head: bytes, events_count: int) -> tuple[bytes, list[str]]:
    """A whole request, and the ids in it."""
    ids = [f"{random.getrandbits(128):032x}" for _ in range(events_count)]
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    texts = [
        EVENT % (one, random.getrandbits(16), at, random.getrandbits(8), random.getrandbits(4))
        for one in ids
    ]
    body = texts[0] if events_count == 1 else f'{{"events":[{",".join(texts)}],"sent_at":"{at}"}}'
    packed = body.encode()
    return head % len(packed) + packed, ids


def head_of(port: int, key: str) -> bytes:
    word = b64encode(f"{key}:".encode()).decode()
    return (
        f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Basic {word}\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    ).encode()


class Connection(asyncio.Protocol):
    """One request after the other, until the time is over or the server is gone."""

    def __init__(
        self, random: Random, head: bytes, events_count: int, until: float, sent: Sent
    ) -> None:
        self.random, self.head, self.events_count = random, head, events_count
        self.until, self.sent = until, sent
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answer = b""
        self.asked: tuple[bytes, list[str]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        if self.sent.waiting:
            self.asked = self.sent.waiting.pop()
        elif time.perf_counter() < self.until:
            self.asked = request_of(self.random, self.head, self.events_count)
        else:
            self.asked = None
            self.transport.close()
            return
        self.began = time.perf_counter()
        self.transport.write(self.asked[0])

    def data_received(self, data: bytes) -> None:
        self.answer += data
        head, _, body = self.answer.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if not length or len(body) < int(length):
            return
        self.sent.latencies_ms.append((time.perf_counter() - self.began) * 1e3)
        assert self.asked is not None
        if self.answer.startswith(OK):
            accepted_count = json.loads(body)["accepted_count"]
            self.sent.events_count += accepted_count
            self.sent.done.append((time.perf_counter(), accepted_count))
            if self.sent.keep_ids:
                self.sent.ids += self.asked[1]
        else:
            self.sent.refused_count += len(self.asked[1])
        self.answer, self.asked = b"", None
        self.ask()

    def connection_lost(self, _: Exception | None) -> None:
        if self.asked is not None:
            self.sent.waiting.append(self.asked)
            self.asked = None
        if not self.ended.done():
            self.ended.set_result(None)


async def load(
    port: int,
    key: str,
    connections_count: int,
    events_count: int,
    seconds: float,
    seed: int,
    sent: Sent | None = None,
) -> Sent:
    """Keep the intake busy for so long, or until it is gone; sent: to be continued."""
    loop, head = asyncio.get_running_loop(), head_of(port, key)
    sent = sent or Sent()
    until = time.perf_counter() + seconds
    made = []
    for number in range(connections_count):
        random = Random(f"{seed} {number} {os.getpid()}")
        try:
            _, one = await loop.create_connection(
                lambda r=random: Connection(r, head, events_count, until, sent), "127.0.0.1", port
            )
        except OSError:
            continue
        made.append(one.ended)
    if made:
        await asyncio.wait(made)
    return sent


def slices(done: list[tuple[float, int]], began: float, seconds: float) -> list[float]:
    """Events a second in each tenth of the time."""
    sums = [0] * SLICES_COUNT
    for at, count in done:
        sums[min(int(SLICES_COUNT * (at - began) / seconds), SLICES_COUNT - 1)] += count
    return [SLICES_COUNT * one / seconds for one in sums]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("port", type=int)
    options.add_argument("key")
    options.add_argument("--connections", type=int, default=32)
    options.add_argument("--events", type=int, default=1)
    options.add_argument("--seconds", type=float, default=15.0)
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    began = time.perf_counter()
    sent = asyncio.run(
        load(asked.port, asked.key, asked.connections, asked.events, asked.seconds, asked.seed)
    )
    seconds = time.perf_counter() - began
    told = {
        "events_count": sent.events_count,
        "refused_count": sent.refused_count,
        "seconds": seconds,
        "slices": slices(sent.done, began, seconds),
        "latencies_ms": [round(one, 2) for one in sent.latencies_ms],
        "client_cpu_s": time.process_time(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
