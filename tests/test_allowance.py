"""Tokens of the day and the burst window: never overspent, whoever is killed or shares the file."""

import random
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tierwise.connectors import allowance as al
from tierwise.connectors.allowance import Allowance, OutOfTokens
from tierwise.files import InputError

MONDAY = 1_795_392_000.0  # 2026-11-23 00:00 UTC


class Clock:
    """Seconds since 1970; passes only by sleeping."""

    def __init__(self, now: float = MONDAY + 3600) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def made(path: Path | str, clock: Clock, **settings) -> Allowance:
    return Allowance(path, clock=clock, sleep=clock.sleep, **settings)


def test_the_tokens_of_a_day_are_never_overspent_and_come_back_at_midnight(tmp_path):
    clock = Clock()
    allowance = made(tmp_path / "a.sqlite", clock, tokens_per_day_count=95)
    for _ in range(9):
        allowance.answered(allowance.take(10))
    with pytest.raises(OutOfTokens, match="costs 10 tokens, 5 of 95 are left") as caught:
        allowance.take(10)
    assert caught.value.go_on_at == MONDAY + 86_400
    allowance.take(5)
    assert (allowance.spent_count(), allowance.left_count()) == (95, 0)
    clock.now = caught.value.go_on_at
    allowance.take(10)
    assert allowance.left_count() == 85


def test_what_was_spent_is_there_after_the_file_is_opened_again(tmp_path):
    clock = Clock()
    for _ in range(3):
        allowance = made(tmp_path / "a.sqlite", clock)
        allowance.take(7)
        allowance.connection.close()
    assert made(tmp_path / "a.sqlite", clock).spent_count() == 21


@pytest.mark.parametrize("seed", range(20))
def test_no_window_holds_more_calls_than_allowed_however_late_they_arrive(seed):
    clock, chance = Clock(), random.Random(seed)
    allowance = made(":memory:", clock, burst_count=5, burst_seconds=2.0)
    arrivals = []
    for _ in range(200):
        number = allowance.take(1)
        way_seconds = chance.choice([0.0, 0.01, 0.3, 3.0])
        clock.sleep(way_seconds)
        arrivals.append(clock.now)
        clock.sleep(chance.choice([0.0, 0.2]))
        allowance.answered(number)
    gaps = [late - early for early, late in zip(arrivals, arrivals[5:], strict=False)]
    assert min(gaps) >= 2.0


def test_calls_that_are_answered_at_once_use_the_whole_window():
    clock = Clock()
    allowance = made(":memory:", clock, burst_count=20, burst_seconds=2.0)
    for _ in range(100):
        allowance.answered(allowance.take(1))
    assert clock.now - MONDAY - 3600 == pytest.approx(
        8.0, abs=0.1
    )  # four full windows were waited for


def test_a_call_that_never_came_back_blocks_its_place_only_for_a_while(tmp_path):
    clock = Clock()
    killed = made(tmp_path / "a.sqlite", clock, burst_count=1)
    killed.take(1)
    killed.connection.close()
    other = made(tmp_path / "a.sqlite", clock, burst_count=1)
    before = clock.now
    other.take(1)
    assert 2.0 < clock.now - before < 63.0


def test_a_clock_that_was_set_back_does_not_stop_everything(tmp_path):
    clock = Clock()
    allowance = made(tmp_path / "a.sqlite", clock, burst_count=2)
    for _ in range(2):
        allowance.answered(allowance.take(1))
    clock.now -= 3600
    before = clock.now
    allowance.take(1)
    assert clock.now - before < 63.0
    assert allowance.spent_count() == 3


def test_a_pause_holds_for_everybody_who_shares_the_file(tmp_path):
    clock = Clock()
    one, other = (made(tmp_path / "a.sqlite", clock) for _ in range(2))
    one.pause(30)
    before = clock.now
    other.take(1)
    assert clock.now - before >= 30
    one.pause(10)
    one.pause(5)  # a shorter word doesn't shorten the first
    before = clock.now
    other.take(1)
    assert clock.now - before >= 10


def test_a_long_pause_is_told_instead_of_slept():
    clock = Clock()
    allowance = made(":memory:", clock)
    allowance.pause(300)
    with pytest.raises(
        OutOfTokens, match="told us to wait. Go on at 2026-11-23 01:05:00 UTC"
    ) as caught:
        allowance.take(1)
    assert clock.now == MONDAY + 3600
    assert allowance.spent_count() == 0
    clock.now = caught.value.go_on_at
    allowance.take(1)


def test_tokens_kept_for_others_are_left_to_them():
    allowance = made(":memory:", Clock(), tokens_per_day_count=100)
    allowance.take(40, keep_count=60)
    with pytest.raises(OutOfTokens, match="60 of them for others"):
        allowance.take(1, keep_count=60)
    allowance.take(60)


def test_what_was_spent_since_a_mark_counts_from_midnight_on_anew(tmp_path):
    clock = Clock()
    allowance = made(tmp_path / "a.sqlite", clock)
    allowance.take(40)
    assert allowance.since_mark_count() == 40
    allowance.mark()
    allowance.take(7)
    again = made(tmp_path / "a.sqlite", clock)
    assert (allowance.since_mark_count(), again.since_mark_count()) == (7, 7)
    clock.now += 86_400
    again.take(5)
    assert again.since_mark_count() == 5


def test_a_day_begins_at_the_midnight_of_the_server_also_when_clocks_change():
    zone = ZoneInfo("Europe/Tallinn")
    clock = Clock(datetime(2026, 10, 25, 12, tzinfo=zone).timestamp())  # a day of 25 hours
    allowance = made(":memory:", clock, zone=zone)
    allowance.take(10)
    assert allowance.resets_at() == datetime(2026, 10, 26, tzinfo=zone).timestamp()
    clock.now = allowance.resets_at() - 1
    assert allowance.spent_count() == 10
    clock.now += 1
    assert allowance.spent_count() == 0


def test_the_server_is_believed_when_it_says_that_fewer_are_left():
    clock = Clock()
    allowance = made(":memory:", clock)
    allowance.take(10)
    allowance.told(29_995)
    assert allowance.left_count() == 29_990
    allowance.told(120)  # others spent, too
    assert allowance.left_count() == 120


def test_yesterdays_count_does_not_cost_us_the_new_day():
    clock = Clock(MONDAY + 5)
    allowance = made(":memory:", clock)
    allowance.told(0)
    assert allowance.left_count() == 30_000
    clock.now = MONDAY + al.SETTLING_SECONDS
    allowance.told(0)
    assert allowance.left_count() == 0


SPEND = """
import sys
from tierwise.connectors.allowance import Allowance, OutOfTokens
allowance = Allowance(sys.argv[1], 600, 10_000, 0.001)
try:
    while True:
        allowance.answered(allowance.take(3))
        print("sent", flush=True)
except OutOfTokens:
    pass
"""


def started(path: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", SPEND, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_that_share_the_file_share_the_budget(tmp_path):
    running = [started(tmp_path / "a.sqlite") for _ in range(3)]
    sent = [one.communicate()[0].count("sent") for one in running]
    assert [one.returncode for one in running] == [0, 0, 0]
    assert sum(sent) == 200


def test_whoever_is_killed_has_recorded_all_that_was_sent(tmp_path):
    path, sent_count = tmp_path / "a.sqlite", 0
    for lines_count in (1, 20):
        one = started(path)
        sent_count += sum("sent" in one.stdout.readline() for _ in range(lines_count))
        one.send_signal(signal.SIGKILL)
        sent_count += one.stdout.read().count("sent")
        one.wait()
    allowance = Allowance(path, 600)
    assert 3 * 21 <= 3 * sent_count <= allowance.spent_count() <= 3 * (sent_count + 2)
    assert allowance.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_call_is_synced_to_disk_before_it_is_sent(tmp_path):
    allowance = Allowance(tmp_path / "a.sqlite")
    assert allowance.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert allowance.connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_an_interrupted_record_leaves_nothing_locked(tmp_path):
    clock = Clock()
    allowance = made(tmp_path / "a.sqlite", clock, tokens_per_day_count=5)
    with pytest.raises(OutOfTokens):
        allowance.take(6)
    made(tmp_path / "a.sqlite", clock).take(5)


def test_a_file_that_is_something_else_is_refused(tmp_path):
    (tmp_path / "a.sqlite").write_text("deal_id;tier\n" * 100)
    with pytest.raises(InputError, match="can't be used to keep the token budget"):
        Allowance(tmp_path / "a.sqlite")
    with pytest.raises(InputError, match="Name a file in a folder"):
        Allowance(tmp_path / "absent" / "a.sqlite")


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(InputError, match="must be above 0; given are 0, 20 and 2.0"):
        Allowance(":memory:", 0)


def test_a_call_without_a_price_is_not_sent():
    assert al.cost("GET", "/v1/deals/77/changelog") == 20
    with pytest.raises(KeyError):
        al.cost("DELETE", "/deals/77")
