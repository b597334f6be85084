"""However a load is interrupted, and whatever is edited meanwhile, nothing is lost or doubled."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tierwise.connectors import pages, raw_store
from tierwise.connectors.pages import BACKFILL, INCREMENTAL, Page
from tierwise.connectors.shapes import Field, Shape
from tierwise.files import InputError

NOON = datetime(2026, 3, 1, 12)
DEALS = Shape(
    "deals",
    {"id": Field("whole"), "update_time": Field("time"), "value": Field("number")},
    keeps_versions=True,
)
CHANGES = Shape("changes", {"id": Field("text"), "time": Field("time")}, updated="time")


class OutOfTokensError(Exception):
    """The budget of today is spent."""


def said(at):
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def deal(deal_id, at=NOON, value=1.0):
    return {"id": deal_id, "update_time": said(at), "value": value}


@pytest.fixture(scope="module")
def connection():
    with raw_store.opened(Path(":memory:")) as made:
        yield made


@pytest.fixture
def source(request):
    return request.node.name


def listed(records, page_rows=10, asked=None):
    """A page source of records that stay as they are; `asked` collects the cursors."""

    def fetch_page(cursor, updated_since):
        if asked is not None:
            asked.append(cursor)
        begin = int(cursor or 0)
        found = [r for r in records if not updated_since or r["update_time"] >= updated_since]
        end = begin + page_rows
        return Page(found[begin:end], str(end) if end < len(found) else None)

    return fetch_page


def failing(fetch_page, at_calls, error=OutOfTokensError):
    """The same source, which raises at these calls (0 is the first)."""
    calls = iter(range(10**6))

    def fetch(cursor, updated_since):
        if next(calls) in at_calls:
            raise error
        return fetch_page(cursor, updated_since)

    return fetch


def load(connection, source, fetch_page, **how):
    return pages.load(connection, source, DEALS, fetch_page, **{"clock": lambda: NOON, **how})


def content(connection, source):
    """record_id -> value, of everything that was kept; a doubled record would fail here."""
    found = raw_store.records(connection, source, "deals")
    assert len({record["id"] for record in found}) == len(found)
    return {record["id"]: record["value"] for record in found}


def test_a_backfill_goes_on_where_the_tokens_ran_out_and_fetches_no_page_twice(connection, source):
    asked = []
    everything = listed([deal(n) for n in range(95)], asked=asked)
    for day in range(4):
        with pytest.raises(OutOfTokensError):
            load(connection, source, failing(everything, {2}))
        assert len(content(connection, source)) == 20 * (day + 1)
    told = load(connection, source, everything)
    assert (told.resumed, told.pages_count, told.mode) == (True, 2, BACKFILL)
    assert asked == [None, *(str(n) for n in range(10, 100, 10))]
    assert content(connection, source) == dict.fromkeys(range(95), 1.0)


def test_a_failure_between_the_records_and_the_cursor_of_a_page_leaves_neither(connection, source):
    clock = iter([NOON, NOON, NOON])  # the begin, and the time of each of two pages

    def stopping():
        for now in clock:
            return now
        raise OutOfTokensError  # when the end of the pass is to be noted, with the last page

    with pytest.raises(OutOfTokensError):
        load(connection, source, listed([deal(n) for n in range(15)]), clock=stopping)
    assert sorted(content(connection, source)) == list(range(10))
    assert load(connection, source, listed([deal(n) for n in range(15)])).pages_count == 1
    assert sorted(content(connection, source)) == list(range(15))


def test_after_a_backfill_only_what_was_updated_is_asked_for_with_an_overlap(connection, source):
    records = [deal(n, NOON - timedelta(days=n)) for n in range(30)]
    load(connection, source, listed(records))
    since = []
    changed = [deal(3, NOON + timedelta(hours=1), 9.0)]

    def fetch_page(cursor, updated_since):
        since.append(updated_since)
        return listed(records + changed)(cursor, updated_since)

    told = load(connection, source, fetch_page, clock=lambda: NOON + timedelta(hours=2))
    assert since == [said(NOON - timedelta(seconds=300))]
    assert (told.mode, told.records_count, told.changed_count) == (INCREMENTAL, 2, 1)
    assert content(connection, source)[3] == 9.0


def test_the_same_page_again_changes_nothing(connection, source):
    for hour in range(3):
        at = NOON + timedelta(hours=hour)
        told = load(
            connection, source, listed([deal(1), deal(2)]), mode=BACKFILL, clock=lambda at=at: at
        )
        assert told.changed_count == (2 if hour == 0 else 0)
    rows = connection.execute(
        "SELECT fetched_at FROM raw_records WHERE source = ? UNION ALL "
        "SELECT fetched_at FROM raw_versions WHERE source = ?",
        [source, source],
    ).fetchall()
    assert rows == [(NOON,)] * 4


def test_an_older_content_never_replaces_a_newer_one(connection, source):
    load(connection, source, listed([deal(1, NOON, 2.0)]))
    load(connection, source, listed([deal(1, NOON - timedelta(hours=1), 1.0)]), mode=BACKFILL)
    assert content(connection, source) == {1: 2.0}
    known = raw_store.versions(connection, source, "deals")
    assert [version.record["value"] for version in known] == [1.0, 2.0]


def test_of_two_contents_of_the_same_second_the_one_fetched_later_wins(connection, source):
    load(connection, source, listed([deal(1, NOON, 2.0)]))
    load(connection, source, listed([deal(1, NOON, 3.0)]), mode=BACKFILL)
    assert content(connection, source) == {1: 3.0}


def test_a_record_twice_in_one_page_is_kept_once_as_its_newer_self(connection, source):
    twice = [deal(1, NOON, 2.0), deal(1, NOON - timedelta(hours=1), 1.0), deal(2)]
    load(connection, source, listed(twice))
    assert content(connection, source) == {1: 2.0, 2: 1.0}


def test_a_version_is_kept_per_content_and_none_for_what_is_ignored(connection, source):
    values = [1.0, 1.0, 2.0, 2.0, 1.0]
    for hour, value in enumerate(values):
        at = NOON + timedelta(hours=hour)
        load(connection, source, listed([deal(1, at, value)]), clock=lambda at=at: at)
    known = raw_store.versions(connection, source, "deals")
    assert [(v.updated_at, v.record["value"]) for v in known] == [
        (NOON, 1.0),
        (NOON + timedelta(hours=2), 2.0),
        (NOON + timedelta(hours=4), 1.0),
    ]


def test_what_is_edited_behind_a_running_pass_is_asked_for_in_the_next_one(connection, source):
    """By id: deal 1 is edited when its page was read already, deal 15 later in the same pass."""
    crm = {n: deal(n, NOON - timedelta(days=1)) for n in range(20)}
    edits = {10: (1, NOON + timedelta(minutes=1)), 11: (15, NOON + timedelta(minutes=59))}

    def fetch_page(cursor, updated_since):
        begin = int(cursor or 0)
        for first, (deal_id, at) in edits.items():
            if begin == first - first % 10:
                crm[deal_id] = deal(deal_id, at, 7.0)
        found = [r for r in crm.values() if not updated_since or r["update_time"] >= updated_since]
        end = begin + 10
        return Page(found[begin:end], str(end) if end < len(found) else None)

    load(connection, source, fetch_page)
    assert content(connection, source)[1] == 1.0
    load(connection, source, fetch_page, clock=lambda: NOON + timedelta(hours=1))
    assert content(connection, source) == {n: crm[n]["value"] for n in crm}


def test_the_server_s_time_counts_where_ours_is_wrong(connection, source):
    """Our clock is an hour ahead: without the server's, the watermark would be too late."""
    late = NOON + timedelta(hours=1)
    page = Page([deal(1, NOON + timedelta(minutes=30))], None, NOON)
    load(connection, source, lambda cursor, since: page, clock=lambda: late)
    assert raw_store.passes(connection, source, "deals")[BACKFILL].watermark == NOON


def test_records_of_one_old_update_are_asked_for_once_where_the_server_tells_the_time(
    connection, source
):
    """An import gave all of them the same time: an hour later nobody asks for them again."""
    imported = [deal(n, NOON - timedelta(days=9)) for n in range(30)]

    def fetch_page(cursor, since):
        return listed(imported)(cursor, since)._replace(answered_at=NOON)

    assert load(connection, source, fetch_page).records_count == 30
    assert load(connection, source, fetch_page).records_count == 0
    assert raw_store.passes(connection, source, "deals")[INCREMENTAL].watermark == NOON


def test_hours_can_be_loaded_while_a_backfill_of_days_is_not_over(connection, source):
    old = listed([deal(n, NOON - timedelta(days=9)) for n in range(40)])
    with pytest.raises(OutOfTokensError):
        load(connection, source, failing(old, {2}))
    fresh = deal(99, NOON + timedelta(hours=1), 5.0)
    told = load(connection, source, listed([fresh]), mode=INCREMENTAL)
    assert (told.resumed, told.changed_count) == (False, 1)
    assert load(connection, source, old).resumed
    assert sorted(content(connection, source)) == [*range(40), 99]


def test_nothing_can_be_followed_that_was_never_loaded(connection, source):
    with pytest.raises(InputError, match="Begin with mode backfill"):
        load(connection, source, listed([]), mode=INCREMENTAL)


NO_PAGES = [
    ("no page", {"data": []}, "gave dict, not a Page"),
    ("text", Page("<html>403</html>", None), "must be a list of records, not str"),
    ("null", Page(None, None), "must be a list of records, not NoneType"),
    ("an object", Page({"id": 1}, None), "must be a list of records, not dict"),
    ("text among them", Page([deal(1), "x"], None), "record 2 of a page of 2.*it is str"),
    ("no id", Page([deal(1), {"value": 1.0}], None), "record 2 of a page of 2.*its id is NoneType"),
    ("id true", Page([{**deal(1), "id": True}], None), "its id is bool"),
    ("id a fraction", Page([{**deal(1), "id": 1.0}], None), "its id is float"),
    ("id empty", Page([{**deal(1), "id": ""}], None), "its id is str"),
    ("cursor a number", Page([deal(1)], 7), "a cursor must be text"),
    ("cursor empty", Page([deal(1)], ""), "a cursor must be text"),
]


@pytest.mark.parametrize(("case", "page", "message"), NO_PAGES, ids=[case[0] for case in NO_PAGES])
def test_what_is_no_page_of_records_is_refused_as_a_whole(connection, source, case, page, message):
    with pytest.raises(InputError, match=message):
        load(connection, source, lambda cursor, since: page)
    assert content(connection, source) == {}
    assert raw_store.passes(connection, source, "deals") == {}


def test_a_list_that_leads_in_a_circle_stops_and_can_be_taken_up_or_begun_anew(connection, source):
    leads = {None: "a", "a": "b", "b": "c", "c": "a"}

    def circle(cursor, since):
        return Page([deal(ord(cursor or "_"))], leads[cursor])

    with pytest.raises(InputError, match="cursor 'a' came a second time, after 4 pages"):
        load(connection, source, circle)
    assert len(content(connection, source)) == 3
    leads["c"] = None
    assert load(connection, source, circle).pages_count == 1
    leads["c"] = "a"
    with pytest.raises(InputError, match="second time"):
        load(connection, source, circle, mode=BACKFILL)
    pages.restart(connection, source, "deals", BACKFILL)
    leads["c"] = None
    assert load(connection, source, circle, mode=BACKFILL).pages_count == 4


def test_a_list_that_never_ends_stops_at_the_cap_even_over_several_runs(connection, source):
    def endless(cursor, since):
        return Page([deal(1)], str(int(cursor or 0) + 1))

    with pytest.raises(OutOfTokensError):
        load(connection, source, failing(endless, {12}), pages_max=20)
    with pytest.raises(InputError, match="after 20 pages there is still a next one"):
        load(connection, source, endless, pages_max=20)
    assert raw_store.passes(connection, source, "deals")[BACKFILL].pages_count == 19


def test_several_lists_are_read_as_one_and_resumed_in_the_middle(connection, source):
    asked = []
    lists = {
        "open": listed([deal(n) for n in range(25)], asked=asked),
        "archived": listed([deal(n) for n in range(100, 115)], asked=asked),
    }
    for _ in range(2):
        with pytest.raises(OutOfTokensError):
            load(connection, source, failing(pages.chained(lists), {2}))
    load(connection, source, pages.chained(lists))
    assert sorted(content(connection, source)) == [*range(25), *range(100, 115)]
    assert asked == [None, "10", "20", None, "10"]


def child_pages(count, asked=None):
    def fetch_children(parent, cursor):
        if asked is not None:
            asked.append((parent, cursor))
        at = int(cursor or 0)
        record = {"id": f"{parent}-{at}", "time": said(NOON)}
        return Page([record], str(at + 1) if at + 1 < count else None)

    return fetch_children


def walk(connection, source, parents, fetch_children):
    return pages.walk(connection, source, CHANGES, parents, fetch_children, clock=lambda: NOON)


def test_children_are_read_of_those_parents_alone_whose_state_has_changed(connection, source):
    asked = []
    walk(connection, source, [("1", "x"), ("2", "x")], child_pages(2, asked))
    assert asked == [("1", None), ("1", "1"), ("2", None), ("2", "1")]
    asked.clear()
    walk(connection, source, [("1", "x"), ("2", "y"), ("3", "x")], child_pages(1, asked))
    assert asked == [("2", None), ("3", None)]


def test_a_walk_goes_on_within_a_parent_unless_its_state_has_changed(connection, source):
    def walk_failing(parents, at_call, count=4):
        asked = []
        children = child_pages(count, asked)

        def fetch_children(parent, cursor):
            if len(asked) == at_call:
                raise OutOfTokensError
            return children(parent, cursor)

        with pytest.raises(OutOfTokensError):
            walk(connection, source, parents, fetch_children)
        return asked

    assert walk_failing([("1", "x"), ("2", "x")], 2) == [("1", None), ("1", "1")]
    assert walk_failing([("1", "x"), ("2", "x")], 3) == [("1", "2"), ("1", "3"), ("2", None)]
    assert walk_failing([("1", "x"), ("2", "y")], 3)[:2] == [("2", None), ("2", "1")]
    assert len(raw_store.records(connection, source, "changes")) == 7


def test_children_without_end_are_stopped(connection, source):
    with pytest.raises(InputError, match="cursor '1' came a second time"):
        walk(connection, source, [("1", "x")], lambda parent, cursor: Page([], "1"))
    with pytest.raises(InputError, match="after 9 pages"):
        pages.walk(connection, source, CHANGES, [("2", "x")], child_pages(99), pages_max=9)


def test_a_file_that_another_process_writes_to_is_refused(tmp_path):
    path = tmp_path / "raw.duckdb"
    code = (
        "import sys, duckdb\n"
        f"held = duckdb.connect({str(path)!r})\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="can't be opened.*wait"), raw_store.opened(path):
            pass
        holder.stdin.close()


# 200 lists that are edited while they are read


class Crm:
    """Deals behind a list with a keyset cursor, edited by others between any two pages."""

    def __init__(self, chance):
        self.chance, self.now = chance, NOON
        self.order = chance.choice(["id", "update_time"])
        self.page_rows, self.edits = chance.randint(3, 7), True
        self.deals = {n: deal(n, NOON - timedelta(days=n)) for n in range(chance.randint(4, 18))}

    def key(self, record):
        return [record[self.order], record["id"]]

    def edit(self):
        self.now += timedelta(seconds=self.chance.randint(0, 900))
        for _ in range(self.chance.randint(0, 3) if self.edits else 0):
            n = self.chance.randint(0, len(self.deals))  # the last one is new
            self.deals[n] = deal(n, self.now, self.chance.random())

    def fetch_page(self, cursor, updated_since):
        self.edit()
        found = sorted(self.deals.values(), key=self.key)
        if updated_since:
            found = [record for record in found if record["update_time"] >= updated_since]
        if cursor:
            found = [record for record in found if self.key(record) > json.loads(cursor)]
        page = found[: self.page_rows]
        after = json.dumps(self.key(page[-1])) if len(found) > len(page) else None
        return Page(page, after)

    def with_faults(self):
        """Now and then: no answer, HTML, a record cut short, the first page for ever."""

        def fetch_page(cursor, updated_since):
            fault = self.chance.choice(["", "", "", "", "tokens", "html", "cut", "again"])
            if fault == "tokens":
                raise OutOfTokensError
            page = self.fetch_page(cursor, updated_since)
            broken = {"html": Page("<html>", None), "cut": Page([*page.records, {}], None)}
            return (
                page._replace(next_cursor=cursor)
                if fault == "again" and cursor
                else broken.get(fault, page)
            )

        return fetch_page


@pytest.mark.parametrize("seed", range(200))
def test_a_list_edited_while_it_is_read_with_faults_is_complete_in_the_end(connection, seed):
    crm, source = Crm(random.Random(seed)), f"crm {seed}"
    passes = 2 if seed % 4 == 0 else 1  # a backfill, and now and then an hour after it
    how = {"clock": lambda: crm.now, "overlap_seconds": 0}
    shape = replace(DEALS, keeps_versions=passes == 2)
    faulty = crm.with_faults()
    for _ in range(9 * passes):
        with suppress(OutOfTokensError, InputError):
            pages.load(connection, source, shape, faulty, **how)
            passes -= 1
        if not passes:
            break
    crm.edits = False
    for _ in range(2):  # ends what is unfinished, and follows up
        pages.load(connection, source, shape, crm.fetch_page, **how)
    assert content(connection, source) == {n: r["value"] for n, r in crm.deals.items()}
    known = raw_store.versions(connection, source, "deals")
    told = {(one.record["id"], one.updated_at, one.record["value"]) for one in known}
    assert len(told) == len(known)
    assert shape.keeps_versions == bool(known)


# SIGKILL at moments all over a load and a walk

MOMENTS = 15
ROWS, PARENTS, PAGES = 40, 3, 10


def job(path, announce):
    """4 pages of deals, then the children of 3 of them, 2 pages each."""

    def announced(fetch):
        def fetch_page(*asked):
            announce()
            return fetch(*asked)

        return fetch_page

    everything = listed([deal(n) for n in range(ROWS)])
    with raw_store.opened(path) as connection:
        if pages.next_mode(raw_store.passes(connection, "crm", "deals")) == BACKFILL:
            load(connection, "crm", announced(everything))
        parents = [(str(n), "x") for n in range(PARENTS)]
        walk(connection, "crm", parents, announced(child_pages(2)))


def begun(path):
    """The job in a process of its own, and a pipe that gets a byte for each page asked for."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        job(path, lambda: os.write(writing, b"x"))
        os._exit(0)
    os.close(writing)
    return child, reading


def nursery(folder):
    """Begin the job, kill it at its n-th page, let another process end it; prints what happened."""
    told = []
    for moment in range(MOMENTS):
        path = Path(folder) / f"{moment}.duckdb"
        child, reading = begun(path)
        asked = 0
        while asked < 1 + moment * (PAGES - 1) // (MOMENTS - 1) and os.read(reading, 1):
            asked += 1
        time.sleep(random.Random(moment).random() * 0.03)  # somewhere within the page's commit
        os.kill(child, signal.SIGKILL)
        ended_by = os.WTERMSIG(os.waitpid(child, 0)[1])
        asked += len(os.read(reading, 999))
        second, reading_again = begun(path)
        status = os.waitpid(second, 0)[1]
        told.append((ended_by, status, asked, len(os.read(reading_again, 999))))
    print(json.dumps(told))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_killed_load_loses_nothing_and_doubles_nothing_when_it_is_run_once_more(tmp_path):
    code = f"import test_pages; test_pages.nursery({str(tmp_path)!r})"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    runs = json.loads(told.stdout)
    assert (
        len([run for run in runs if run[0] == signal.SIGKILL]) >= MOMENTS - 2
    )  # ends may be quick
    assert [run[1] for run in runs] == [0] * MOMENTS
    assert len({run[2] for run in runs}) >= MOMENTS // 2  # moments all over the load
    for _, _, asked, asked_again in runs:
        assert PAGES <= asked + asked_again <= PAGES + 1  # at most the page under way, again
    job(tmp_path / "whole.duckdb", lambda: None)
    wanted = everything_in(tmp_path / "whole.duckdb")
    assert len(wanted[0]) == ROWS + 2 * PARENTS
    for moment in range(MOMENTS):
        assert everything_in(tmp_path / f"{moment}.duckdb") == wanted


def everything_in(path):
    queries = ("raw_records", "raw_versions", "walked", "progress", "quarantine")
    with raw_store.opened(path) as connection:
        return [
            connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in queries
        ]
