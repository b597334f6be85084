"""How much a key may ask for: size and number of requests."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """body_bytes, rows_count of a request; seconds in which a body must have come; and per key
    so many requests a second in the long run, so many at once."""

    body_bytes: int = 1_000_000
    rows_count: int = 1_000
    read_seconds: float = 10.0
    requests_per_second: float = 5.0
    burst_count: int = 20


@dataclass
class Buckets:
    """A bucket of requests per key, refilled steadily. clock: seconds, may jump."""

    limits: Limits
    clock: Callable[[], float]
    left: dict[str, tuple[float, float]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key_id: str) -> float:
        """Seconds to wait for the next request; 0 if this one may go on."""
        rate, now = self.limits.requests_per_second, self.clock()
        with self.lock:
            count, at = self.left.get(key_id, (float(self.limits.burst_count), now))
            count = min(count + max(now - at, 0.0) * rate, float(self.limits.burst_count))
            is_free = count >= 1
            self.left[key_id] = (count - is_free, now)
        return 0.0 if is_free else (1 - count) / rate
