"""An intake that dies by SIGKILL, again and again, and the account of what its clients were told.

One interpreter imports everything and forks a child for each life, so that a life begins within
milliseconds. `early` is the control: the same server, but it acknowledges events before its writer
has them. It has to lose some, or the test could not see a loss.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from intake_load import Sent, load

from tierwise.intake import server, store

NURSERY = """
import json, os, sys
from pathlib import Path
from tierwise.intake import server, writer

LATE_SECONDS = 0.05

async def told_early(self, rows, rejected):
    job = writer.Job(rows, rejected, self.loop.create_future())
    self.loop.call_later(LATE_SECONDS, self.waiting.put, job)
    return 0

for line in sys.stdin:
    root, port, is_early = json.loads(line)
    child = os.fork()
    if child == 0:
        log = os.open(Path(root) / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if is_early:
            writer.Writer.kept = told_early
        server.run(Path(root), port=port)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""
START_SECONDS = 60.0
# A life that a busy machine ends before any answer shows nothing, so these come first.
LEAST_ACKNOWLEDGED_COUNT = 100


@dataclass
class Lives:
    """A server on the events of a project, one life at a time. Its log: root/server.log."""

    nursery: subprocess.Popen[str]
    root: Path
    is_early: bool = False
    port: int = 0
    pid: int = 0

    def start(self) -> None:
        """Returns when it takes requests."""
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        self.port = self.port or free_port()
        self.nursery.stdin.write(json.dumps([str(self.root), self.port, self.is_early]) + "\n")
        self.nursery.stdin.flush()
        self.pid = int(self.nursery.stdout.readline())
        until = time.monotonic() + START_SECONDS
        while True:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if time.monotonic() > until:
                raise RuntimeError("the intake did not start")
            time.sleep(0.01)

    def end(self, number: int = signal.SIGKILL) -> None:
        """Returns when it is gone; SIGTERM lets it finish."""
        assert self.nursery.stdout is not None
        os.kill(self.pid, number)
        self.nursery.stdout.readline()
        self.pid = 0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def nursery() -> Iterator[subprocess.Popen[str]]:
    """The process that forks lives; see `Lives`. Whatever still lives there ends with it."""
    process = subprocess.Popen(
        [sys.executable, "-c", NURSERY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@dataclass(frozen=True)
class Account:
    """Of all events. acknowledged_count: while servers were killed; lost: of those.

    unsent_count: never acknowledged, not even at the end, when everything was sent once more.
    """

    kills_count: int
    acknowledged_count: int
    lost_count: int
    doubled_count: int
    unsent_count: int
    stored_count: int


async def lived(seconds: float, sent: Sent) -> None:
    """Returns when a life that begins now may end; see `survived`."""
    least_count = len(sent.ids) + LEAST_ACKNOWLEDGED_COUNT
    async with asyncio.timeout(START_SECONDS):
        await asyncio.sleep(seconds)
        while len(sent.ids) < least_count:
            await asyncio.sleep(0.001)


def survived(
    lives: Lives,
    key: str,
    kills_count: int,
    seed: int = 0,
    connections_count: int = 16,
    events_count: int = 50,
    life_seconds: tuple[float, float] = (0.2, 0.8),
) -> Account:
    """Keep a server busy and kill it, so often; what was not answered is sent to the next one.

    life_seconds: how long a life lasts, drawn between the two; on a slow machine longer, until
    LEAST_ACKNOWLEDGED_COUNT of its events are acknowledged. Raises TimeoutError where that takes
    more than START_SECONDS.
    """
    random, sent = Random(seed), Sent(keep_ids=True)

    async def busy(seconds: float, dies: bool) -> None:
        killing = asyncio.get_running_loop().run_in_executor
        loading = asyncio.create_task(
            load(
                *(lives.port, key, connections_count, events_count),
                *(3600.0 if dies else seconds, random.getrandbits(32)),
                sent=sent,
            )
        )
        if dies:
            await lived(seconds, sent)
            await killing(None, lives.end)
        await loading

    for _ in range(kills_count):
        lives.start()
        asyncio.run(busy(random.uniform(*life_seconds), dies=True))
    acknowledged = set(sent.ids)
    lives.start()
    asyncio.run(busy(0.0, dies=False))
    lives.end(signal.SIGTERM)
    with store.reading(server.folder_of(lives.root)) as connection:
        rows = [one for (one,) in connection.execute("SELECT event_id FROM events")]
    stored = set(rows)
    return Account(
        kills_count,
        len(acknowledged),
        len(acknowledged - stored),
        len(rows) - len(stored),
        sum(len(ids) for _, ids in sent.waiting),
        len(rows),
    )
