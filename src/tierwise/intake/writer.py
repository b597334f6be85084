"""Many requests, one fsync: a thread that writes whatever waits, and then tells who waited.

While the disk is busy with one commit, the next requests gather; so under load a commit takes more
of them, and a single one is on the disk as soon as the disk can do it. Nobody is told before.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tierwise.files import InputError
from tierwise.intake import store
from tierwise.intake.events import Row
from tierwise.intake.seen import MERGE_COUNT, Seen
from tierwise.intake.store import Rejected

LOG = logging.getLogger("tierwise.intake")
COMMIT_EVENTS_COUNT = 4_000


@dataclass
class Job:
    """The events of one request. duplicates_count: how many of rows there were already."""

    rows: Sequence[Row]
    rejected: Sequence[Rejected]
    done: asyncio.Future[None]
    duplicates_count: int = 0

    def size_count(self) -> int:
        return len(self.rows) + len(self.rejected)


class NotKept(Exception):  # noqa: N818 - an answer, not an error
    """The events are not on the disk: the client has to send them again."""


class Writer:
    """The thread that writes a store. now: microseconds since 1970. gone: called if it fails.

    All methods are for the thread of `loop`. Raises InputError for a file that is no store.
    """

    def __init__(
        self,
        folder: Path,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], int],
        gone: Callable[[], None] = lambda: None,
        merge_count: int = MERGE_COUNT,
    ) -> None:
        self.folder, self.loop, self.now, self.gone = folder, loop, now, gone
        self.merge_count = merge_count
        self.waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.waiting_count = 0
        self.is_alive, self.failed = True, False
        self.writing: list[Job] = []
        self.is_ready = threading.Event()
        self.refusal: InputError | None = None
        self.thread = threading.Thread(target=self.run, name="writer", daemon=True)
        self.thread.start()
        self.is_ready.wait()
        if self.refusal is not None:
            raise self.refusal

    async def kept(self, rows: Sequence[Row], rejected: Sequence[Rejected]) -> int:
        """Returns once they are on the disk: how many rows there were already.

        Raises NotKept if they are not.
        """
        if not self.is_alive:
            raise NotKept
        job = Job(rows, rejected, self.loop.create_future())
        self.waiting_count += job.size_count()
        self.waiting.put(job)
        await job.done
        return job.duplicates_count

    def close(self) -> None:
        """Returns when all that waits is written."""
        self.is_alive = False
        self.waiting.put(None)
        self.thread.join()

    def run(self) -> None:
        is_done = False
        try:
            with store.opened(self.folder) as connection:
                seen = Seen(self.folder, connection, self.merge_count)
                self.is_ready.set()
                while jobs := self.gathered():
                    self.writing = jobs
                    is_kept = self.written(connection, seen, jobs)
                    self.loop.call_soon_threadsafe(self.finish, jobs, is_kept)
                    self.writing = []
                    seen.tidy()
                seen.close()
            is_done = True
        except InputError as error:
            self.refusal = error
        finally:
            if not is_done:  # whatever it was, nobody may wait for ever
                self.loop.call_soon_threadsafe(self.give_up)
            self.is_ready.set()

    def gathered(self) -> list[Job]:
        """What waits, or the first to come; [] when there is nothing more to come."""
        first = self.waiting.get()
        found = [] if first is None else [first]
        count = 0 if first is None else first.size_count()
        while found and count < COMMIT_EVENTS_COUNT:
            try:
                job = self.waiting.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self.waiting.put(None)
                break
            found.append(job)
            count += job.size_count()
        return found

    def written(self, connection: sqlite3.Connection, seen: Seen, jobs: list[Job]) -> bool:
        """One commit for all. False if it failed: then nothing of it is there."""
        try:
            with store.transaction(connection, self.folder):
                seen.catch_up()
                new = fresh(jobs, seen)
                store.append(connection, new, self.now())
                rejected = [one for job in jobs for one in job.rejected]
                if rejected:
                    store.set_aside(connection, rejected)
        except (sqlite3.Error, InputError, OSError) as error:
            LOG.error("events were refused, since they can't be written: %s", error)
            return False
        seen.add(row.digest for row in new)
        return True

    def finish(self, jobs: list[Job], is_kept: bool) -> None:
        """Tell who waits. An event of a client that has left waited for the disk like others."""
        for job in jobs:
            self.waiting_count -= job.size_count()
            if job.done.done():
                continue
            if is_kept:
                job.done.set_result(None)
            else:
                job.done.set_exception(NotKept())

    def give_up(self) -> None:
        self.is_alive, self.failed = False, True
        self.finish(self.writing, is_kept=False)
        while not self.waiting.empty():
            job = self.waiting.get_nowait()
            if job is not None:
                self.finish([job], is_kept=False)
        self.gone()


def fresh(jobs: list[Job], seen: Seen) -> list[Row]:
    """The rows that are new, each id once; says of each job how many were not."""
    known = seen.among([row.digest for job in jobs for row in job.rows])
    found: list[Row] = []
    for job in jobs:
        before = len(found)
        for row in job.rows:
            if row.digest not in known:
                known.add(row.digest)
                found.append(row)
        job.duplicates_count = before + len(job.rows) - len(found)
    return found
