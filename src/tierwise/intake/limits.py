"""How much a request may hold and a key may send. Segment's limits, so that its SDKs fit."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """body_bytes: of a request, before and after it is unpacked. waiting_count: events that wait
    for the disk; beyond them nothing is taken. rejected_shown_count: told in one answer."""

    body_bytes: int = 512_000
    event_bytes: int = 32_768
    events_count: int = 2_500
    read_seconds: float = 10.0
    waiting_count: int = 20_000
    rejected_shown_count: int = 20


@dataclass
class Allowances:
    """Events that each key may still send, refilled steadily. clock: seconds, may jump.

    A key may send at once what it may send in BURST_SECONDS.
    """

    clock: Callable[[], float]
    left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, key_id: str, events_per_second: float, count: int) -> float:
        """Seconds to wait before so many events; 0 if they may come in now.

        More than a burst holds come in when it is full, and leave a debt.
        """
        most, now = events_per_second * BURST_SECONDS, self.clock()
        had, at = self.left.get(key_id, (most, now))
        had = min(had + max(now - at, 0.0) * events_per_second, most)
        needed = min(float(count), most)
        is_free = had >= needed
        self.left[key_id] = (had - count * is_free, now)
        return 0.0 if is_free else (needed - had) / events_per_second


BURST_SECONDS = 10.0
