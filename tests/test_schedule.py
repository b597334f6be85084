"""The hour after the hour: each once, whatever fails, sleeps, is killed or starts twice."""

import json
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

pytest.importorskip("apscheduler", reason="needs the extra hourly")
pytest.importorskip("httpx", reason="needs the extra hourly")

import duckdb
from apscheduler.triggers.cron import CronTrigger

from killed import killed, needs_fork
from tierwise import hour_log, hour_steps, ledger, schedule
from tierwise.connectors.allowance import OutOfTokens
from tierwise.connectors.answers import NoAnswer, Refused
from tierwise.files import InputError, write_text
from tierwise.hour_steps import Step, hour_of, remembered

TWO = datetime(2026, 11, 26, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)
LOG = logging.getLogger("tierwise.hourly.test")


class Steps:
    """Three steps that note what they were asked; `failing` says what a step raises."""

    def __init__(self):
        self.done, self.failing = [], {}

    def call(self, name):
        def step(as_of):
            self.done.append((name, as_of.hour))
            if name in self.failing:
                raise self.failing[name]
            return f"{name} did\nits work"

        return step

    def steps(self):
        needs = {"push": ("score",)}
        names = ("ingest", "score", "push")
        return [Step(name, self.call(name), needs.get(name, ())) for name in names]


def hour(root, steps, as_of=TWO, **how):
    return hour_of(root, "leads", steps.steps(), as_of, LOG, **how)


def watch_of(root, steps, clock, minute=0):
    return schedule.Watch(root, "leads", steps.steps(), minute, clock, LOG)


def log_of(root):
    return hour_log.path_of(root, "leads").read_text().splitlines()


# One hour


def test_an_hour_does_its_steps_in_order_and_is_not_done_twice(tmp_path):
    steps = Steps()
    first = hour(tmp_path, steps)
    assert steps.done == [("ingest", 14), ("score", 14), ("push", 14)]
    assert set(first.outcomes.values()) == {"done"}
    assert hour(tmp_path, steps).outcomes == {}
    assert len(steps.done) == 3
    hour(tmp_path, steps, TWO + HOUR)
    assert steps.done[3:] == [("ingest", 15), ("score", 15), ("push", 15)]
    past = remembered(tmp_path / "data/scores/leads")
    assert {told.done for told in past.steps.values()} == {TWO + HOUR}


FAILURES = [
    (InputError("Tables are stale. Fetch them."), "Tables are stale. Fetch them.$"),
    (OutOfTokens("All spent.", TWO.timestamp()), "Go on at 2026-11-26 14:00:00 UTC"),
    (NoAnswer("No usable answer"), "No usable answer. Nothing is lost; the next hour"),
    (Refused(404, "GET /x", "none"), "Pipedrive refuses GET /x .404.: none. Nothing is lost"),
    (OSError(28, "No space left on device"), "No space left on device. Make room"),
    (ConnectionResetError("reset by peer"), "reset by peer. Make room or put the place right"),
    (sqlite3.OperationalError("database or disk is full"), "is full. Make room"),
    (duckdb.IOException("disk"), "disk. Make room"),
    (MemoryError(), "MemoryError. Give the machine more memory"),
]


@pytest.mark.parametrize(("error", "line"), FAILURES, ids=lambda x: type(x).__name__)
@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("ingest", {"score": "done", "push": "done"}),
        ("score", {"ingest": "done", "push": "left out"}),
        ("push", {"ingest": "done", "score": "done"}),
    ],
)
def test_a_failed_step_is_one_line_with_its_way_out_and_decides_what_follows(
    tmp_path, caplog, name, others, error, line
):
    steps = Steps()
    steps.failing[name] = error
    found = hour(tmp_path, steps)
    assert found.outcomes == {**others, name: "failed"}
    assert not found.is_good()
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(lines) == 1
    assert re.search(line, lines[0])
    assert lines[0].startswith(f"step={name} hour=2026-11-26T14:00:00Z start=")
    assert "\n" not in lines[0]
    assert ("push", 14) not in steps.done or name != "score"


def test_a_failed_step_waits_for_the_next_hour_or_the_next_start(tmp_path):
    steps = Steps()
    steps.failing["score"] = NoAnswer("none")
    hour(tmp_path, steps)
    steps.failing.clear()
    assert hour(tmp_path, steps).outcomes == {}
    again = hour(tmp_path, steps, again=True)
    assert again.outcomes == {"ingest": "was done", "score": "done", "push": "done"}
    assert [name for name, _ in steps.done] == ["ingest", "score", "score", "push"]


def test_after_an_error_that_nobody_foresaw_the_other_steps_go_on(tmp_path):
    steps = Steps()
    steps.failing["ingest"] = KeyError("title")
    with pytest.raises(KeyError, match="title"):
        hour(tmp_path, steps)
    told = remembered(tmp_path / "data/scores/leads").steps
    assert {name: step.outcome for name, step in told.items()} == {
        "ingest": "broke", "score": "done", "push": "done"
    }  # fmt: skip
    assert hour(tmp_path, steps).outcomes == {}
    steps.failing = {"score": KeyError("title")}
    with pytest.raises(KeyError):
        hour(tmp_path, steps, TWO + HOUR)
    assert steps.done[-1] == ("score", 15)  # no push without it


def test_what_is_put_off_is_taken_up_where_it_stood(tmp_path):
    steps = Steps()
    found = hour(tmp_path, steps, is_ending=lambda: len(steps.done) == 1)
    assert found.outcomes == {"ingest": "done", "score": "put off", "push": "put off"}
    assert hour(tmp_path, steps).outcomes["ingest"] == "was done"
    assert steps.done == [("ingest", 14), ("score", 14), ("push", 14)]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"ended": "soon"}', b"\xff\xfe", None])
def test_a_damaged_memory_is_made_anew(tmp_path, content, caplog):
    place = tmp_path / "data/scores/leads/hours.json"
    place.parent.mkdir(parents=True)
    place.mkdir() if content is None else place.write_bytes(content)
    assert set(hour(tmp_path, Steps()).outcomes.values()) == {"done"}
    assert "hours.json can't be read" in caplog.text
    if content is None:  # a folder of that name can't be replaced; the steps matter more
        assert "hours.json can't be written" in caplog.text
    else:
        assert json.loads(place.read_bytes())["ended"] == "2026-11-26T14:00:00Z"


def test_while_an_hour_is_worked_on_nobody_else_gets_in(tmp_path):
    with (
        hour_steps.alone(tmp_path, "leads"),
        hour_steps.alone(tmp_path, "other"),
        pytest.raises(hour_steps.Busy, match="Another process is at work on leads"),
    ):
        hour(tmp_path, Steps())
    assert hour(tmp_path, Steps()).is_good()


CUT = """
import logging, sys
from datetime import UTC, datetime
from pathlib import Path
import pandas as pd
from tierwise import files, hour_steps, ledger

AS_OF = datetime(2026, 11, 26, 14, tzinfo=UTC)
ROWS = pd.DataFrame({"deal_id": ["1", "2"], "rank": [1, 2], "chance": [0.5, 0.2]})
ROWS = ROWS.assign(score=ROWS.chance, tier="A", model_version="m", flag="", propensity=0.1)
ROWS = ROWS.assign(worked=False, shown=True, scored_at=pd.Timestamp("2026-11-26 14:00"))

def work(folder, moment=lambda: None):
    root = Path(folder)
    scores = root / "data/scores/leads"
    def noted(name):
        with (root / "calls").open("a") as file:
            file.write(name + chr(10))
    def ingest(as_of):
        noted("ingest")
        files.write_text(root / "table", "rows")
        moment()
    def score(as_of):
        noted("score")
        files.write_parquet(scores / "batch.parquet", ROWS)
        ledger.append(scores / "ledger", ROWS)
        moment()
    def push(as_of):
        noted("push")
        files.write_text(root / "crm", "A A")
        moment()
    steps = [hour_steps.Step(*item) for item in (("ingest", ingest), ("score", score), ("push", push))]
    return hour_steps.hour_of(root, "leads", steps, AS_OF, logging.getLogger("none"))
"""


@needs_fork
def test_a_kill_at_any_moment_loses_nothing_doubles_nothing_and_needs_no_hand(tmp_path):
    (tmp_path / "start").mkdir()
    moments, folders = killed(CUT, tmp_path, timed=6)
    assert moments >= 25
    space = {}
    exec(CUT, space)
    taken_up_count = 0
    for folder in folders:
        scores = folder / "data/scores/leads"
        known = remembered(scores).steps if scores.is_dir() else {}
        before = {name for name, told in known.items() if told.outcome == "done"}
        calls = (folder / "calls").read_text().split() if (folder / "calls").exists() else []
        was_over = len(before) == 3
        found = space["work"](folder).outcomes
        assert set(found.values()) <= {"done", "was done"}
        assert found or was_over
        after = (folder / "calls").read_text().split()[len(calls) :]
        assert after == [name for name in ("ingest", "score", "push") if name not in before]
        taken_up_count += 0 < len(after) < 3
        assert len(ledger.hours(scores / "ledger")) == 1
        assert ledger.verify(scores / "ledger").empty
        assert ((folder / "table").read_text(), (folder / "crm").read_text()) == ("rows", "A A")
        assert not list(scores.glob(".*.partial"))
        assert space["work"](folder).outcomes == {}
    assert taken_up_count >= 5


# Which hour is due


def test_the_hour_that_is_due_is_the_latest_full_one_in_utc():
    at = datetime(2026, 11, 26, 14, 4, 59, tzinfo=UTC)
    assert schedule.due(at) == TWO
    assert schedule.due(at, minute=5) == TWO - HOUR
    assert schedule.due(at + timedelta(seconds=1), minute=5) == TWO
    assert schedule.due(at.astimezone(), minute=4) == TWO
    for zone in ("Asia/Kolkata", "Europe/Vienna", "Australia/Lord_Howe"):
        for minutes in range(0, 60 * 24 * 365, 17):
            instant = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
            found = schedule.due(instant.astimezone(ZoneInfo(zone)), minute=20)
            assert found == schedule.due(instant, minute=20)
            assert found.tzinfo is UTC


ZONES = """
import json, logging, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from apscheduler.triggers.cron import CronTrigger
from tierwise import schedule
from tierwise.hour_steps import Step

found = {}
for day in ("2026-10-25", "2026-03-29"):
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(hours=4)
    done, now = [], start
    watch = schedule.Watch(
        Path(sys.argv[1]) / day, "leads", [Step("score", lambda as_of: done.append(as_of))], 3,
        lambda: now.astimezone(), logging.getLogger("none"),
    )
    trigger, local = CronTrigger(second=0, timezone=UTC), []
    while now < start + timedelta(hours=10):
        now = trigger.get_next_fire_time(now, now + timedelta(seconds=1)).astimezone()
        local.append(now.strftime("%H:%M"))
        schedule.look(watch)
    apart = [(b - a).total_seconds() for a, b in zip(done, done[1:])]
    hours = [int(text[:2]) for text in local if text.endswith(":03")]
    found[day] = [len(done), sorted(set(apart)), hours]
print(json.dumps(found))
"""


def test_clock_changes_at_daylight_saving_make_no_hour_double_or_missing(tmp_path):
    command = [sys.executable, "-c", ZONES, str(tmp_path)]
    environment = {**os.environ, "TZ": "Europe/Vienna"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    for day, twice in (("2026-10-25", 2), ("2026-03-29", 0)):
        count, apart, local = found[day]
        assert local.count(2) == twice  # else the zone was not in force, and this shows nothing
        assert count == len(local) + 1 == 11  # the hour before the first look as well
        assert apart == [3600.0]


def test_the_trigger_of_minutes_never_skips_one():
    trigger, at = CronTrigger(second=0, timezone=UTC), datetime(2026, 10, 25, tzinfo=UTC)
    for minute in range(180):
        assert at == datetime(2026, 10, 25, tzinfo=UTC) + timedelta(minutes=minute)
        at = trigger.get_next_fire_time(at, at)


def test_an_hour_that_takes_three_is_followed_by_the_latest_once(tmp_path):
    steps, now = Steps(), [TWO + timedelta(seconds=3)]
    watch = watch_of(tmp_path, steps, lambda: now[0])
    slow = watch.steps[0]

    def three_hours(as_of):
        now[0] += 3 * HOUR if as_of == TWO else timedelta()
        return slow.call(as_of)

    watch.steps[0] = slow._replace(call=three_hours)
    for _ in range(5):
        schedule.look(watch)
    assert [at for name, at in steps.done if name == "push"] == [14, 17]


@pytest.mark.parametrize("jump", [-timedelta(seconds=2), -timedelta(minutes=59)])
def test_a_clock_that_is_set_back_a_little_does_no_hour_twice(tmp_path, jump):
    steps, now = Steps(), [TWO + timedelta(seconds=1)]
    watch = watch_of(tmp_path, steps, lambda: now[0])
    schedule.look(watch)
    now[0] += jump
    schedule.look(watch)
    schedule.look(watch_of(tmp_path, steps, lambda: now[0]))
    assert len(steps.done) == 3


def test_a_clock_that_was_years_ahead_for_a_while_stops_nothing(tmp_path):
    steps, now = Steps(), [datetime(2031, 1, 1, tzinfo=UTC)]
    watch = watch_of(tmp_path, steps, lambda: now[0])
    schedule.look(watch)
    now[0] = TWO
    schedule.look(watch)
    schedule.look(watch)
    assert [at for name, at in steps.done if name == "push"] == [0, 14]


# Real processes

CHILD = """
import sys, time
from datetime import datetime
from pathlib import Path
from apscheduler.triggers.interval import IntervalTrigger
from tierwise import schedule
from tierwise.hour_steps import Step

root, who, how = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]

def noted(name, as_of):
    with (root / "noted").open("a") as file:
        file.write(f"{who} {name} {as_of:%dT%H}" + chr(10))

def step(name):
    def call(as_of):
        noted("begin-" + name, as_of)
        while (root / "hold").exists() and name == (root / "hold").read_text():
            time.sleep(0.02)
        if "break" in how and name == "ingest":
            raise KeyError("an unforeseen " + "canary-" * 2)
        noted(name, as_of)
        return f"by {who}"
    return Step(name, call, ("score",) if name == "push" else ())

def clock():
    return datetime.fromisoformat((root / "clock").read_text())

steps = [step(name) for name in ("ingest", "score", "push")]
sys.exit(schedule.run(
    root, "leads", steps, once="once" in how, clock=clock, looks=IntervalTrigger(seconds=0.05),
    end_seconds=1.0 if "short" in how else 30.0,
))
"""


class Company:
    """A folder, a clock that the test sets, and schedulers as processes of their own."""

    def __init__(self, root):
        self.root, self.processes = root, []
        self.set(TWO)

    def set(self, instant):
        write_text(self.root / "clock", instant.isoformat())

    def hold(self, step):
        write_text(self.root / "hold", step)

    def start(self, who, *how):
        command = [sys.executable, "-c", CHILD, str(self.root), who, *how]
        pipe = {"stderr": subprocess.PIPE, "text": True}
        self.processes.append(subprocess.Popen(command, **pipe))
        return self.processes[-1]

    def noted(self):
        path = self.root / "noted"
        return path.read_text().splitlines() if path.exists() else []

    def until(self, what):
        """Wait for a line that is noted or logged."""
        path = hour_log.path_of(self.root, "leads")
        for _ in range(2_000):
            logged = path.read_text() if path.exists() else ""
            if any(what in line for line in [*self.noted(), *logged.splitlines()]):
                return
            time.sleep(0.01)
        raise AssertionError(f"{what} didn't come: {self.noted()} {logged}")

    def done(self, name="push"):
        """Hours in which the step was done, in order."""
        return [line.split()[2] for line in self.noted() if line.split()[1] == name]


@pytest.fixture
def company(tmp_path):
    company = Company(tmp_path)
    yield company
    for process in company.processes:
        process.kill()
        process.communicate()


def ended(process, number=None):
    if number is not None:
        process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    return process.returncode, errors


def test_of_two_schedulers_each_hour_is_done_once_and_a_killed_one_is_relieved(company):
    first, second = company.start("1"), company.start("2")
    for number in range(8):
        company.set(TWO + number * HOUR)
        company.until(f"hour={(TWO + number * HOUR):%Y-%m-%dT%H}:00:00Z ended")
    hours = [f"26T{14 + number}" for number in range(8)]
    assert company.done() == company.done("ingest") == hours
    company.hold("score")
    company.set(TWO + 8 * HOUR)
    company.until("begin-score 26T22")
    company.until("hour=2026-11-26T22:00:00Z outcome=elsewhere")
    who = next(line for line in company.noted() if "begin-score 26T22" in line).split()[0]
    killed_one, other = (first, second) if who == "1" else (second, first)
    killed_one.kill()
    (company.root / "hold").unlink()
    company.until("hour=2026-11-26T22:00:00Z ended")
    assert company.done() == [*hours, "26T22"]
    assert company.done("ingest") == [*hours, "26T22"]  # it was done, so it isn't done again
    assert ended(other, signal.SIGTERM)[0] == 0
    elsewhere = [line for line in log_of(company.root) if "22:00:00Z outcome=elsewhere" in line]
    assert len(elsewhere) == 1


def test_after_a_sleep_the_latest_hour_is_caught_up_once(company):
    process = company.start("1")
    company.until("hour=2026-11-26T14:00:00Z ended")
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.6)  # a dozen looks are missed
    company.set(TWO + 12 * HOUR + timedelta(minutes=20))
    process.send_signal(signal.SIGCONT)
    company.until("hour=2026-11-27T02:00:00Z ended")
    company.set(TWO + 13 * HOUR)
    company.until("hour=2026-11-27T03:00:00Z ended")
    assert company.done() == ["26T14", "27T02", "27T03"]
    assert ended(process, signal.SIGINT)[0] == 0


def test_a_signal_lets_the_running_step_end_and_the_next_start_does_the_rest(company):
    company.hold("ingest")
    process = company.start("1")
    company.until("begin-ingest")
    process.send_signal(signal.SIGTERM)
    company.until("asked to end")
    process.send_signal(signal.SIGTERM)  # of somebody who is in a hurry
    (company.root / "hold").unlink()
    code, errors = ended(process)
    assert code == 0, errors
    assert company.done("ingest") == ["26T14"]
    assert company.done("score") == []
    assert "score put off, push put off" in errors
    assert ended(company.start("2", "once"))[0] == 0
    assert (company.done("ingest"), company.done("score")) == (["26T14"], ["26T14"])


def test_a_step_that_takes_too_long_after_a_signal_is_cut_off_and_done_anew(company):
    company.hold("score")
    process = company.start("1", "short")
    company.until("begin-score")
    code, errors = ended(process, signal.SIGTERM)
    assert (code, "the step was cut off" in errors) == (0, True)
    (company.root / "hold").unlink()
    assert ended(company.start("2", "once"))[0] == 0
    assert company.done() == ["26T14"]
    assert company.done("ingest") == ["26T14"]


def test_a_scheduler_that_waits_ends_at_once(company):
    process = company.start("1")
    company.until("hour=2026-11-26T14:00:00Z ended")
    time.sleep(0.2)
    assert ended(process, signal.SIGTERM)[0] == 0


def test_an_error_that_nobody_foresaw_is_told_with_its_traceback_and_the_next_hour_goes_on(
    company, monkeypatch
):
    monkeypatch.setenv("SOME_API_TOKEN", "canary-" * 2)
    process = company.start("1", "break")
    company.until("An error that nobody foresaw")
    company.set(TWO + HOUR)
    company.until("hour=2026-11-26T15:00:00Z ended")
    company.until("begin-push 26T15")
    code, errors = ended(process, signal.SIGTERM)
    assert code == 0
    for text in ("\n".join(log_of(company.root)), errors):
        assert "Traceback (most recent call last)" in text
        assert "KeyError: 'an unforeseen [secret]'" in text
        assert "canary-canary-" not in text
    assert company.done() == ["26T14", "26T15"]


# One hour by hand, by cron or by a timer of systemd


def run_once(root, steps, **how):
    return schedule.run(root, "leads", steps, once=True, clock=lambda: TWO, **how)


def test_once_says_by_its_exit_code_what_became_of_the_hour(tmp_path, capfd):
    steps = Steps()
    steps.failing["push"] = NoAnswer("none")
    assert run_once(tmp_path, steps.steps()) == 1
    steps.failing.clear()
    assert run_once(tmp_path, steps.steps()) == 0
    assert [name for name, _ in steps.done].count("score") == 1
    assert run_once(tmp_path, steps.steps()) == 0
    assert "was done before" in capfd.readouterr().err
    with hour_steps.alone(tmp_path, "leads"):
        other = Steps()
        as_of = lambda: TWO + HOUR  # noqa: E731
        assert schedule.run(tmp_path, "leads", other.steps(), once=True, clock=as_of) == 75
        assert other.done == []
    assert "another process is at work on leads" in capfd.readouterr().err
    steps.failing["ingest"] = KeyError("odd")
    as_of = lambda: TWO + 2 * HOUR  # noqa: E731
    assert schedule.run(tmp_path, "leads", steps.steps(), once=True, clock=as_of) == 1
    assert "KeyError: 'odd'" in capfd.readouterr().err


def test_a_place_that_cannot_be_written_is_one_line(tmp_path, capfd):
    (tmp_path / "data").write_text("a file where a folder should be")
    assert run_once(tmp_path, Steps().steps()) == 1
    told = capfd.readouterr().err
    assert "outcome=failed" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("minute", [-1, 60])
def test_a_minute_that_no_hour_has_is_refused(tmp_path, minute):
    with pytest.raises(InputError, match=f"from 0 to 59; it is {minute}"):
        schedule.run(tmp_path, "leads", [], minute)


# The log


def test_a_line_tells_step_hour_start_seconds_and_outcome(tmp_path):
    run_once(tmp_path, Steps().steps())
    at = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    lines = log_of(tmp_path)
    for name, line in zip(("ingest", "score", "push"), lines, strict=False):
        form = f"{at} INFO step={name} hour=2026-11-26T14:00:00Z start={at} seconds=\\d+\\.\\d"
        assert re.fullmatch(f"{form} outcome=done: {name} did its work", line)
    assert re.fullmatch(f"{at} INFO hour={at} ended seconds=.*: ingest done.*", lines[3])
    assert len(lines) == 4


def test_the_log_keeps_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(hour_log, "FILE_BYTES", 2_000)
    steps = Steps()
    for number in range(60):
        clock = lambda number=number: TWO + number * HOUR  # noqa: E731
        schedule.run(tmp_path, "leads", steps.steps(), once=True, clock=clock)
    paths = sorted((tmp_path / "logs/hourly").iterdir())
    assert len(paths) == 1 + hour_log.EARLIER_COUNT
    assert all(path.stat().st_size <= 2_000 for path in paths)


def test_no_secret_of_the_environment_is_written_anywhere(tmp_path, monkeypatch, capfd):
    canary, secret = "canary-0123456789", "whsec_" + "Y2FuYXJ5" * 4
    monkeypatch.setenv("PIPEDRIVE_API_TOKEN", canary)
    monkeypatch.setenv("HOOK_SECRET", secret)
    steps = Steps()
    steps.failing["ingest"] = OSError(f"no route to https://x/?api_token={canary}")
    steps.failing["score"] = InputError("postgresql://analyst:hunter22@db.example/crm is down.")
    steps.failing["push"] = KeyError(secret)
    listed = [step._replace(needs=()) for step in steps.steps()]
    assert run_once(tmp_path, listed) == 1
    told = capfd.readouterr().err
    assert "api_token=[secret]" in told
    assert "postgresql://analyst:[secret]@db.example/crm" in told
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) >= 3
    for text in (told, *(path.read_text() for path in written)):
        for word in (canary, secret, "hunter22"):
            assert word not in text
