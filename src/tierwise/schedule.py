"""`tierwise schedule`: the hour (ingest, score, push), every full hour, unattended.

APScheduler looks every minute whether an hour is due; which one, and whether it was done, is
decided here by the clock, in UTC:

- A sleeping machine stops the clock by which a scheduler waits, so a wait for the full hour would
  end up to an hour late. A look a minute notices within a minute, and takes the latest full hour
  alone: scores of an earlier one are of no use to anybody.
- An hour that takes longer than an hour is followed by the latest one, once.
- Of two schedulers the second says that the first has the hour. Should the first be killed, the
  second has taken over at its next look.
- At the start the hour that has begun is done at once, unless it was done: after an update or a
  power cut nobody should wait for the next full hour, and what was done is never done twice. Steps
  that failed in this hour are tried again then; while it runs, they wait for the next hour.

SIGTERM and SIGINT end it with exit code 0 after the running step, or after END_SECONDS: what is cut
off then is taken up at the next start, as after any kill.
"""

import logging
import os
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_SCHEDULER_STARTED,
    JobExecutionEvent,
    SchedulerEvent,
)
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers import SchedulerNotRunningError
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from tierwise import hour_log
from tierwise.files import InputError
from tierwise.hour_steps import (
    Busy,
    Step,
    covers,
    folder_of,
    hour_of,
    is_over,
    remembered,
    stamp,
    utc_now,
)

END_SECONDS = 60.0
SIGNALS, OVER = (signal.SIGTERM, signal.SIGINT), b"\0"
GOOD, BAD, ELSEWHERE = 0, 1, 75  # exit codes of --once; 75 as in sysexits.h: try again later
JOB: dict[str, Any] = {"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600}


@dataclass
class Watch:
    """What a scheduler knows between two looks. ended: the last hour that it is through with.

    told: the last hour of which it said that another process has it. code: of the last look.
    """

    root: Path
    application: str
    steps: Sequence[Step]
    minute: int
    clock: Callable[[], datetime]
    log: logging.Logger
    ended: datetime | None = None
    told: datetime | None = None
    is_first: bool = True
    is_ending: bool = False
    code: int = GOOD
    working: threading.Lock = field(default_factory=threading.Lock)


def due(now: datetime, minute: int = 0) -> datetime:
    """The full hour (UTC) that should be done by now; each is due so many minutes after it began.

    now: with a zone, any. Local clocks that are put forward or back make no hour double or missing.
    """
    then = now.astimezone(UTC) - timedelta(minutes=minute)
    return then.replace(minute=0, second=0, microsecond=0)


def run(
    root: Path,
    application: str,
    steps: Sequence[Step],
    minute: int = 0,
    *,
    once: bool = False,
    clock: Callable[[], datetime] = utc_now,
    looks: BaseTrigger | None = None,
    end_seconds: float = END_SECONDS,
) -> int:
    """Work on each hour until a signal comes, or on one (`once`); returns the exit code.

    minute: of the hour, at which it begins. looks: when to look whether an hour is due; default
    every minute. Exit codes of one hour: 0 done (now or before), 1 a step failed, 75 another
    process has it. Of many: 0. Raises InputError for a minute that no hour has. For the main
    thread alone, as signals are.
    """
    if not 0 <= minute <= 59:
        raise InputError(f"--minute is from 0 to 59; it is {minute}.")
    with hour_log.opened(root, application) as log:
        watch = Watch(root, application, steps, minute, clock, log)
        scheduler = scheduler_of(watch, looks or CronTrigger(second=0, timezone=UTC), once)
        with ended_by_signals(watch, scheduler):
            scheduler.start()
            leave(watch, end_seconds)
        return GOOD if watch.is_ending else watch.code


def scheduler_of(watch: Watch, looks: BaseTrigger, once: bool) -> BlockingScheduler:
    """One job in one thread: look."""
    executors = {"default": ThreadPoolExecutor(1)}
    scheduler = BlockingScheduler(timezone=UTC, executors=executors, job_defaults=JOB)
    scheduler.add_job(look, looks, args=[watch], next_run_time=utc_now(), id="look")
    scheduler.add_listener(partial(tell_broken, watch), EVENT_JOB_ERROR)

    def end(event: SchedulerEvent) -> None:
        if watch.is_ending or (once and event.code != EVENT_SCHEDULER_STARTED):
            # This may be the thread that is just about to note the next look.
            threading.Thread(target=stop, args=[scheduler]).start()

    # A signal that came before the start found nothing to stop.
    moments = EVENT_SCHEDULER_STARTED | EVENT_JOB_EXECUTED | EVENT_JOB_ERROR
    scheduler.add_listener(end, moments)
    return scheduler


def look(watch: Watch) -> None:
    """Do the hour that is due, unless it is over or somebody else has it."""
    with watch.working:
        as_of, is_first, watch.is_first = due(watch.clock(), watch.minute), watch.is_first, False
        if watch.is_ending or covers(watch.ended, as_of):
            return
        folder = folder_of(watch.root, watch.application)
        if is_over(remembered(folder), watch.steps, as_of, again=is_first):
            watch.ended, watch.code = as_of, GOOD
            if is_first:
                watch.log.info("hour=%s was done before", stamp(as_of))
            return
        try:
            work(watch, as_of, is_first)
        finally:
            hour_log.let_go(watch.log)


def work(watch: Watch, as_of: datetime, is_first: bool) -> None:
    watch.code = BAD
    place = (watch.root, watch.application, watch.steps, as_of, watch.log)
    try:
        hour = hour_of(*place, again=is_first, is_ending=lambda: watch.is_ending)
    except Busy:
        watch.code = ELSEWHERE
        if watch.told != as_of:
            watch.log.warning(
                "hour=%s outcome=elsewhere: another process is at work on %s. This one goes on "
                "with the next hour, and takes over should the other be killed.",
                *(stamp(as_of), watch.application),
            )
        watch.told = as_of
        return
    except OSError as error:
        text = "hour=%s outcome=failed: %s. Put that right; the next hour tries again."
        watch.log.error(text, stamp(as_of), error)
        return
    finally:
        if watch.code != ELSEWHERE:
            watch.ended = as_of
    watch.code = GOOD if hour.is_good() else BAD


def tell_broken(watch: Watch, event: JobExecutionEvent) -> None:
    """What nobody foresaw goes into the log with its traceback; the next hour goes on."""
    told = "".join(traceback.format_exception(event.exception)).rstrip()
    watch.log.error("An error that nobody foresaw; please report it.\n%s", told)


# The end


@contextmanager
def ended_by_signals(watch: Watch, scheduler: BlockingScheduler) -> Iterator[None]:
    """While the block runs, SIGTERM and SIGINT stop the scheduler, from a thread of its own.

    An exception raised in the main thread could come where APScheduler swallows all of them.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)

    def wait() -> None:
        while (number := reading.recv(1)) != OVER:
            if number[0] in SIGNALS:
                watch.is_ending = True
                stop(scheduler)

    before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    descriptor = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        # A second signal must not kill a process that is on its way out.
        for number, handler in before.items() if not watch.is_ending else ():
            signal.signal(number, handler)
        writing.send(OVER)
        waiting.join()
        reading.close()
        writing.close()


def stop(scheduler: BlockingScheduler) -> None:
    """No further look; from any thread, as often as one likes."""
    with suppress(SchedulerNotRunningError):
        scheduler.shutdown(wait=False)


def leave(watch: Watch, end_seconds: float) -> None:
    """Wait for the running step, not for ever, and go."""
    if not watch.is_ending:
        return
    watch.log.info("asked to end: the running step is waited for, at most %g s", end_seconds)
    if watch.working.acquire(timeout=end_seconds):
        watch.working.release()
        return
    watch.log.warning("the step was cut off; the next start takes the hour up where it stood")
    # No thread can be ended. All steps bear a kill, and the system gives back the lock.
    os._exit(GOOD)
