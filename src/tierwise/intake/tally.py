"""What the intake says of itself: a line a minute, never one a request.

Counts only: neither keys nor anything that was sent.
"""

import logging
from collections import Counter
from collections.abc import Callable

LOG = logging.getLogger("tierwise.intake")
LINE_SECONDS = 60.0


class Tally:
    """Counters since the last line. clock: seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.began = clock, clock()
        self.events: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()

    def kept(self, accepted_count: int, duplicates_count: int, rejected_count: int) -> None:
        self.events["accepted"] += accepted_count
        self.events["duplicates"] += duplicates_count
        self.events["rejected"] += rejected_count
        self.speak()

    def refused(self, status: int) -> None:
        self.statuses[status] += 1
        self.speak()

    def speak(self) -> None:
        """One line, if the last one is a minute old."""
        if self.clock() - self.began >= LINE_SECONDS:
            LOG.info("%s", self.line())
            self.began = self.clock()
            self.events.clear()
            self.statuses.clear()

    def line(self) -> str:
        events = f"{self.events['accepted']:,} events accepted"
        events += f" ({self.events['duplicates']:,} there already)"
        events += f", {self.events['rejected']:,} rejected"
        statuses = ", ".join(f"{count:,} with {status}" for status, count in self.statuses.items())
        return f"{events}; requests refused: {statuses or 'none'}"
