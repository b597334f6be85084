"""What Prometheus is told of the API. Labels are ours, never text that was sent."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from tierwise.service.guard import Seen

EXPOSITION = CONTENT_TYPE_LATEST
LOOK_SECONDS = 10.0  # the ledger is looked at no more often, however many ask
FIRST_REFUSAL = 400


class Metrics:
    """Counters of one server, and when the last hour was. clock: seconds since 1970."""

    def __init__(
        self,
        last_hour: Callable[[], datetime | None],
        clock: Callable[[], float],
        version: str,
    ) -> None:
        self.look, self.clock = last_hour, clock
        self.seen_at, self.seen, self.lock = -LOOK_SECONDS, last_hour(), threading.Lock()
        to = self.registry = CollectorRegistry()
        names = ["method", "path", "status"]
        self.requests = Counter("tierwise_requests", "requests answered", names, registry=to)
        self.seconds = Histogram(
            "tierwise_request_seconds", "from head to end", ["path"], registry=to
        )
        self.refusals = Counter("tierwise_refusals", "requests refused", ["status"], registry=to)
        self.rows = Counter("tierwise_rows_scored", "rows scored", registry=to)
        what = "since deals were scored; NaN: never"
        age = Gauge("tierwise_last_hour_age_seconds", what, registry=to)
        age.set_function(self.age_or_nan)
        about = Gauge("tierwise_model", "which model is served", ["version"], registry=to)
        about.labels(version).set(1)

    def observe(self, seen: Seen) -> None:
        self.requests.labels(seen.method, seen.path, str(seen.status)).inc()
        self.seconds.labels(seen.path).observe(seen.seconds)
        if seen.status >= FIRST_REFUSAL:
            self.refusals.labels(str(seen.status)).inc()

    def last_hour(self) -> datetime | None:
        """When deals were last scored, as of at most ten seconds ago; None: never."""
        with self.lock:
            now = self.clock()
            if not 0 <= now - self.seen_at < LOOK_SECONDS:
                self.seen_at, self.seen = now, self.look()
            return self.seen

    def age_seconds(self) -> float | None:
        at = self.last_hour()
        if at is None:
            return None
        known = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(self.clock() - known.timestamp(), 0.0)

    def age_or_nan(self) -> float:
        age = self.age_seconds()
        return float("nan") if age is None else age

    def text(self) -> bytes:
        """In the format EXPOSITION."""
        return generate_latest(self.registry)
