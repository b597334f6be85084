"""What Pipedrive still allows us: tokens of the day, calls of the burst window, and pauses.

One small SQLite file holds what was spent. It is written and synced before a call is sent, so
whoever is killed in between has wasted tokens, never overspent, and two processes that share the
file share the budget.

A call counts in the burst window until `burst_seconds` after its answer, not after its sending:
nobody knows when in between it reached the server. A day is that of the server's midnight.
"""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from tierwise.files import InputError, Unfinished

# Tokens per call. v1 lists cost twice what v2 lists do.
COSTS = {
    "GET /deals": 10,
    "GET /deals/archived": 20,
    "GET /deals/{id}": 1,
    "PATCH /deals/{id}": 5,
    "GET /dealFields": 10,
    "POST /dealFields": 5,
    "GET /organizationFields": 10,
    "GET /persons": 10,
    "GET /organizations": 10,
    "GET /activities": 10,
    "GET /stages": 5,
    "GET /pipelines": 5,
    "GET /v1/users": 20,
    "GET /v1/deals/{id}/changelog": 20,
}
# Where our clock is ahead of the server's, its day is still the old one for a while after ours.
SETTLING_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 86_400.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS days (day TEXT PRIMARY KEY, spent_count INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY AUTOINCREMENT, counts_until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS pauses (id INTEGER PRIMARY KEY, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS marks
    (id INTEGER PRIMARY KEY, day TEXT NOT NULL, spent_count INTEGER NOT NULL);
"""


class OutOfTokens(Unfinished):
    """Nothing may be sent now. go_on_at: when it may be tried again, seconds since 1970."""

    def __init__(self, why: str, go_on_at: float) -> None:
        at = datetime.fromtimestamp(go_on_at, UTC)
        super().__init__(f"{why} Go on at {at:%Y-%m-%d %H:%M:%S} UTC; nothing is lost by waiting.")
        self.go_on_at = go_on_at


def cost(method: str, path: str) -> int:
    """Tokens of one call. Raises KeyError for a call that has no price here: add it to COSTS."""
    return COSTS[f"{method} {re.sub(r'/[0-9]+(?=/|$)', '/{id}', path)}"]


class Allowance:
    """The budget of one company at Pipedrive. For one thread; each opens its own on the same file.

    tokens_per_day_count: 30,000 x plan x seats. burst_count calls in any burst_seconds.
    zone: whose midnight starts a new day. longest_call_seconds: after this no call is under way.
    patience_seconds: longer waits raise OutOfTokens instead. clock gives seconds since 1970.
    """

    def __init__(
        self,
        path: Path | str,
        tokens_per_day_count: int = 30_000,
        burst_count: int = 20,
        burst_seconds: float = 2.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        *,
        zone: tzinfo = UTC,
        longest_call_seconds: float = 60.0,
        patience_seconds: float = 300.0,
    ) -> None:
        if min(tokens_per_day_count, burst_count, burst_seconds) <= 0:
            raise InputError(
                "Tokens a day, calls and seconds of the burst window must be above 0; given are "
                f"{tokens_per_day_count}, {burst_count} and {burst_seconds}."
            )
        self.tokens_per_day_count, self.burst_count = tokens_per_day_count, burst_count
        self.burst_seconds, self.longest_call_seconds = burst_seconds, longest_call_seconds
        self.patience_seconds, self.zone = patience_seconds, zone
        self.clock, self.sleep = clock, sleep
        self.ended: dict[int, float] = {}
        self.connection = opened(path)

    def take(self, cost_count: int, keep_count: int = 0) -> int:
        """Record a call that is about to be sent, once it may be; returns its number.

        keep_count: tokens of today that are left to others. Sleeps where a short wait helps.
        Raises OutOfTokens where the day's tokens don't suffice or the wait would be long.
        """
        while True:
            with self.writing():
                wait_seconds = self.wait_seconds(self.clock(), cost_count, keep_count)
                if wait_seconds <= 0:
                    return self.recorded(self.clock(), cost_count)
            # A hair more, or rounding has us wake up just before the time.
            self.sleep(wait_seconds + 0.001)

    def answered(self, number: int) -> None:
        """The call is over, well or badly. Kept with the next `take`, to spare a sync per call."""
        self.ended[number] = self.clock() + self.burst_seconds

    def pause(self, seconds: float) -> None:
        """The server told us to wait: nobody who shares the file sends anything before."""
        with self.writing():
            until = self.clock() + min(seconds, LONGEST_PAUSE_SECONDS)
            self.connection.execute("INSERT INTO pauses (until) VALUES (?)", (until,))

    def told(self, left_count: int) -> None:
        """The server's own word on tokens left today. Others spend too: only fewer is believed."""
        now = self.clock()
        if self.is_settling() or left_count >= self.left_count():
            return
        with self.writing():
            self.spend(self.day(now), max(self.left_count() - left_count, 0))

    def is_settling(self) -> bool:
        """Is our day so young that the server's may still be the old one?"""
        now = self.clock()
        return now - self.day_starts_at(now) < SETTLING_SECONDS

    def left_count(self) -> int:
        """Tokens left today, 0 or more."""
        return max(self.tokens_per_day_count - self.spent_count(), 0)

    def spent_count(self) -> int:
        """Tokens recorded as spent today."""
        question = "SELECT spent_count FROM days WHERE day = ?"
        found = self.connection.execute(question, (self.day(self.clock()),)).fetchone()
        return found[0] if found else 0

    def mark(self) -> None:
        """What is spent from here on, `since_mark_count` tells."""
        with self.writing():
            row = (self.day(self.clock()), self.spent_count())
            self.connection.execute("INSERT OR REPLACE INTO marks VALUES (1, ?, ?)", row)

    def since_mark_count(self) -> int:
        """Tokens of today that were spent since `mark`, or since midnight."""
        day = self.day(self.clock())
        question = "SELECT spent_count FROM marks WHERE day = ?"
        found = self.connection.execute(question, (day,)).fetchone()
        return max(self.spent_count() - (found[0] if found else 0), 0)

    def resets_at(self) -> float:
        """The next midnight of the server, seconds since 1970."""
        today = datetime.fromtimestamp(self.clock(), self.zone).date()
        return self.midnight(datetime(today.year, today.month, today.day) + timedelta(days=1))

    def close(self) -> None:
        with self.writing():
            self.keep_ends()
        self.connection.close()

    def day(self, now: float) -> str:
        return datetime.fromtimestamp(now, self.zone).date().isoformat()

    def day_starts_at(self, now: float) -> float:
        return self.midnight(datetime.fromisoformat(self.day(now)))

    def midnight(self, date: datetime) -> float:
        return date.replace(tzinfo=self.zone).timestamp()

    @contextmanager
    def writing(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        end = "ROLLBACK"
        try:
            yield
            end = "COMMIT"
        finally:
            self.connection.execute(end)

    def wait_seconds(self, now: float, cost_count: int, keep_count: int) -> float:
        left_count = self.left_count()
        if left_count - keep_count < cost_count:
            raise OutOfTokens(
                f"The call costs {cost_count} tokens, {left_count} of "
                f"{self.tokens_per_day_count} are left today, {keep_count} of them for others.",
                self.resets_at(),
            )
        paused = self.connection.execute("SELECT max(until) FROM pauses").fetchone()[0] or now
        if paused - now >= self.patience_seconds:
            raise OutOfTokens("Pipedrive told us to wait.", paused)
        return max(paused, self.window_opens_at(now)) - now

    def window_opens_at(self, now: float) -> float:
        self.keep_ends()
        # A clock that was set back must not leave calls in the window for hours.
        latest = now + self.burst_seconds + self.longest_call_seconds
        self.connection.execute("UPDATE calls SET counts_until = min(counts_until, ?)", (latest,))
        self.connection.execute("DELETE FROM calls WHERE counts_until <= ?", (now,))
        question = "SELECT counts_until FROM calls ORDER BY counts_until DESC LIMIT 1 OFFSET ?"
        found = self.connection.execute(question, (self.burst_count - 1,)).fetchone()
        return found[0] if found else now

    def recorded(self, now: float, cost_count: int) -> int:
        self.connection.execute("DELETE FROM pauses WHERE until <= ?", (now,))
        self.spend(self.day(now), cost_count)
        until = now + self.burst_seconds + self.longest_call_seconds
        added = self.connection.execute("INSERT INTO calls (counts_until) VALUES (?)", (until,))
        return int(added.lastrowid or 0)

    def spend(self, day: str, tokens_count: int) -> None:
        self.connection.execute(
            "INSERT INTO days VALUES (?, ?) "
            "ON CONFLICT (day) DO UPDATE SET spent_count = spent_count + excluded.spent_count",
            (day, tokens_count),
        )

    def keep_ends(self) -> None:
        ends = [(until, number) for number, until in self.ended.items()]
        self.connection.executemany("UPDATE calls SET counts_until = ? WHERE id = ?", ends)
        self.ended.clear()


def opened(path: Path | str) -> sqlite3.Connection:
    """The file, made if it is missing. Raises InputError if it can't be used."""
    try:
        connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(SCHEMA)
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{path} can't be used to keep the token budget: {error}. Name a file in a folder "
            "that can be written; delete it only if nothing was sent today."
        ) from error
    return connection
