"""What happens in an hour: its steps one after the other, and what is remembered of them.

    data/scores/<application>/hours.json    the last hour of each step, replaced as a whole
    data/scores/<application>/.hour.lock    held while an hour is worked on

A step that failed is one line in the log. Those that need it are left out, all others go on. A step
that was done for an hour is not done for it again; so an hour that was cut short is taken up where
it stood. Every step must bear being cut off anywhere and started anew.

When an hour is worked on is decided in schedule.py.
"""

import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
from pydantic import AwareDatetime, BaseModel, ValidationError

from tierwise import files
from tierwise.connectors.allowance import OutOfTokens
from tierwise.files import InputError, Unfinished
from tierwise.locks import held

HOUR = timedelta(hours=1)
DONE, WAS_DONE, FAILED, BROKE = "done", "was done", "failed", "broke"
LEFT_OUT, PUT_OFF = "left out", "put off"
GOOD = (DONE, WAS_DONE)
NOTHING_LOST = "Nothing is lost; the next hour tries again."
FULL = "Make room or put the place right; the next hour tries again."
# What a step may end with, and the way out where the message doesn't tell it. Anything else is a
# mistake of ours and gets a traceback.
WAYS_OUT: dict[type[Exception], str] = {
    InputError: "",
    OutOfTokens: "",
    Unfinished: NOTHING_LOST,
    OSError: FULL,
    sqlite3.OperationalError: FULL,
    duckdb.IOException: FULL,
    duckdb.OutOfMemoryException: "Give the machine more memory, or partitions of fewer rows.",
    MemoryError: "Give the machine more memory, or partitions of fewer rows.",
}


class Busy(InputError):  # noqa: N818 - no error of anybody's
    """Another process works on the application."""


class Step(NamedTuple):
    """call: given the full hour (UTC), does it and may say what was done. needs: names of earlier
    steps without which it makes no sense."""

    name: str
    call: Callable[[datetime], str | None]
    needs: tuple[str, ...] = ()


class Told(BaseModel):
    """One step. hour: the last one it was tried for; done: the last one it was done for."""

    hour: AwareDatetime
    done: AwareDatetime | None = None
    outcome: str
    began_at: AwareDatetime
    seconds: float


class Past(BaseModel):
    """hours.json. ended: the last hour that came to its end, well or badly."""

    ended: AwareDatetime | None = None
    steps: dict[str, Told] = {}


class Hour(NamedTuple):
    """What became of each step; none where the hour had been over already."""

    as_of: datetime
    outcomes: dict[str, str]

    def is_good(self) -> bool:
        return all(outcome in GOOD for outcome in self.outcomes.values())


def utc_now() -> datetime:
    return datetime.now(UTC)


def never() -> bool:
    return False


def folder_of(root: Path, application: str) -> Path:
    return root / "data" / "scores" / application


@contextmanager
def alone(root: Path, application: str, wait_seconds: float = 0.0) -> Iterator[Path]:
    """Nobody else works on the application while the block runs; gives its folder of scores.

    Whoever writes there holds this: the hour as a whole, and each command that is started by hand.
    So what a killed process left half written is nobody's, and is removed. Raises Busy.
    """
    folder = folder_of(root, application)
    with ExitStack() as stack:
        try:
            stack.enter_context(held(folder / ".hour.lock", wait_seconds))
        except InputError as error:
            raise Busy(
                f"Another process is at work on {application}. Wait until it has ended; "
                "should it be killed, the way is free at once."
            ) from error
        for left in folder.glob(".*.partial"):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
        yield folder


def hour_of(
    root: Path,
    application: str,
    steps: Sequence[Step],
    as_of: datetime,
    log: logging.Logger,
    *,
    again: bool = False,
    is_ending: Callable[[], bool] = never,
) -> Hour:
    """Do the steps for the full hour as_of, as far as they are not done.

    again: also what was tried for this hour and failed. is_ending: asked before each step; True
    puts off the rest, for the next start. Raises Busy, and what no step should raise, at its end.
    """
    with alone(root, application) as folder:
        past, outcomes = remembered(folder, log), dict[str, str]()
        if is_over(past, steps, as_of, again):
            return Hour(as_of, outcomes)
        began = time.monotonic()
        try:
            each(steps, Work(folder, as_of, past, log, is_ending, outcomes))
        finally:
            if PUT_OFF not in outcomes.values():
                past.ended = as_of
            remember(folder, past, log)
            told = ", ".join(f"{name} {outcome}" for name, outcome in outcomes.items())
            passed = time.monotonic() - began
            log.info("hour=%s ended seconds=%.1f: %s", stamp(as_of), passed, told)
    return Hour(as_of, outcomes)


def is_over(past: Past, steps: Sequence[Step], as_of: datetime, again: bool = False) -> bool:
    """Is there nothing left to do for the hour? again: what failed is left to do."""
    names = [step.name for step in steps]
    if all(name in past.steps and covers(past.steps[name].done, as_of) for name in names):
        return True
    return not again and covers(past.ended, as_of)


def covers(last: datetime | None, as_of: datetime) -> bool:
    """Does the last hour stand for this one? One far ahead is from a clock that was wrong."""
    return last is not None and as_of <= last <= as_of + HOUR


class Work(NamedTuple):
    """What the steps of an hour share."""

    folder: Path
    as_of: datetime
    past: Past
    log: logging.Logger
    is_ending: Callable[[], bool]
    outcomes: dict[str, str]


def each(steps: Sequence[Step], work: Work) -> None:
    """All steps in their order, those after one that broke as well; what broke it goes on after."""
    if not steps:
        return
    step, outcomes, before = steps[0], work.outcomes, work.past.steps.get(steps[0].name)
    missed = [name for name in step.needs if outcomes.get(name, DONE) not in GOOD]
    try:
        if before and covers(before.done, work.as_of):
            outcomes[step.name] = WAS_DONE
        elif work.is_ending():
            outcomes[step.name] = PUT_OFF
        elif missed:
            outcomes[step.name] = LEFT_OUT
            line = "step=%s hour=%s outcome=left out: it needs %s"
            work.log.warning(line, step.name, stamp(work.as_of), ", ".join(missed))
        else:
            attempt(step, work)
    finally:
        each(steps[1:], work)


def attempt(step: Step, work: Work) -> None:
    """One step, its line in the log, and what is remembered of it."""
    began_at, began = utc_now(), time.monotonic()
    outcome, said = BROKE, "an error that nobody foresaw; its traceback comes after the hour"
    try:
        said, outcome = step.call(work.as_of) or "", DONE
    except tuple(WAYS_OUT) as error:
        outcome, said = FAILED, told(error)
    finally:
        work.outcomes[step.name] = outcome
        seconds = time.monotonic() - began
        before = work.past.steps.get(step.name)
        done = work.as_of if outcome == DONE else before.done if before else None
        work.past.steps[step.name] = Told(
            hour=work.as_of,
            done=done,
            outcome=outcome,
            began_at=began_at.replace(microsecond=0),
            seconds=round(seconds, 3),
        )
        line = f"step={step.name} hour={stamp(work.as_of)} start={stamp(began_at)}"
        line += f" seconds={seconds:.1f} outcome={outcome}: {' '.join(said.split())}"
        work.log.log(logging.INFO if outcome == DONE else logging.ERROR, "%s", line.rstrip(": "))
        remember(work.folder, work.past, work.log)


def told(error: Exception) -> str:
    """Its message and the way out, in one line."""
    way_out = next(text for kind, text in WAYS_OUT.items() if isinstance(error, kind))
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{text}{'' if text.endswith('.') else '.'} {way_out}".rstrip()


def stamp(instant: datetime) -> str:
    """2026-11-26T14:00:05Z"""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def remembered(folder: Path, log: logging.Logger | None = None) -> Past:
    """hours.json; without it, or where it is damaged, nothing: doing a step again harms nobody."""
    try:
        return Past.model_validate_json((folder / "hours.json").read_bytes())
    except FileNotFoundError:
        return Past()
    except (ValidationError, OSError):
        if log is not None:
            log.warning("hours.json can't be read; the hour begins afresh and makes it anew.")
        return Past()


def remember(folder: Path, past: Past, log: logging.Logger) -> None:
    """Written whole, and on the disk before it takes the place of the old one."""
    try:
        with files.replacing(folder / "hours.json") as partial, partial.open("wb") as file:
            file.write(past.model_dump_json(indent=1).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:  # the steps matter more; without a memory they are done once more
        log.error("hours.json can't be written: %s. %s", error, FULL)
