"""A batch is in the ledger whole, once and for good, whatever happens while it is appended."""

import re
import subprocess
import sys
import threading
import time
from itertools import pairwise

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from killed import killed, needs_fork
from tierwise import batches, ledger
from tierwise.files import InputError
from tierwise.locks import held

START = pd.Timestamp("2026-11-24 13:00")


def batch(hour=0, count=50, seed=0, **changed):
    """One hour's scores of the deals 0, 1, ..., best first."""
    random = np.random.default_rng([seed, hour])
    chance = np.sort(random.beta(1, 6, count))[::-1]
    flag = random.choice(["", "exploration", "holdout"], count, p=[0.8, 0.1, 0.1])
    rows = {
        "deal_id": random.permutation(count).astype(str),
        "scored_at": START + pd.Timedelta(hours=hour),
        "chance": chance,
        "score": chance**1.5,
        "tier": np.where(np.arange(count) < count * 0.2, "A", "B"),
        "rank": np.arange(1, count + 1),
        "model_version": "0123456789ab",
        "flag": flag,
        "propensity": np.where(flag == "holdout", np.nan, 0.96),
        "worked": flag != "holdout",
        "shown": flag != "holdout",
    }
    return pd.DataFrame(rows | changed)


def filled(folder, hours=3):
    for hour in range(hours):
        ledger.append(folder, batch(hour))
    return folder


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder, *parts):
    before = bytes_of(folder)
    with pytest.raises(InputError) as caught:
        ledger.append(folder, parts[0] if len(parts) == 1 else iter(parts))
    after = bytes_of(folder)
    after.pop(".lock", None), before.pop(".lock", None)
    assert after == before, "a refused batch leaves nothing"
    return str(caught.value)


# What goes in comes out


def test_what_was_appended_is_read_as_it_was(tmp_path):
    filled(tmp_path)
    found = ledger.read(tmp_path)
    want = pd.concat([batch(hour) for hour in range(3)], ignore_index=True)
    pd.testing.assert_frame_equal(found, want[batches.COLUMNS], check_dtype=False)
    assert found["scored_at"].dtype == "datetime64[us]"


def test_a_stretch_holds_its_first_hour_and_not_its_last(tmp_path):
    filled(tmp_path, 5)
    hours = [START + pd.Timedelta(hours=hour) for hour in range(5)]
    found = ledger.read(tmp_path, hours[1], hours[3], columns=["scored_at", "deal_id"])
    assert list(found) == ["scored_at", "deal_id"]
    assert found["scored_at"].unique().tolist() == hours[1:3]
    assert ledger.hours(tmp_path)["scored_at"].tolist() == hours
    assert ledger.read(tmp_path, hours[4] + pd.Timedelta(hours=1)).empty
    assert list(ledger.read(tmp_path / "none")) == batches.COLUMNS
    with pytest.raises(InputError, match=r"no columns \['price'\]"):
        ledger.read(tmp_path, columns=["price"])


def test_numbers_of_deals_and_times_with_a_zone_are_taken_as_text_and_utc(tmp_path):
    rows = batch()
    zoned = rows["scored_at"].dt.tz_localize("UTC").dt.tz_convert("Europe/Lisbon")
    ledger.append(tmp_path, rows.assign(deal_id=rows["deal_id"].astype("int64"), scored_at=zoned))
    found = ledger.read(tmp_path)
    assert found["deal_id"].tolist() == rows["deal_id"].tolist()
    assert found["scored_at"].unique().tolist() == [START]


def test_hours_appended_late_stand_in_their_place(tmp_path):
    """A machine that slept catches up."""
    for hour in (2, 0, 1):
        ledger.append(tmp_path, batch(hour))
    assert ledger.read(tmp_path)["scored_at"].is_monotonic_increasing
    assert ledger.verify(tmp_path).empty


def test_pandas_and_duckdb_read_the_files_without_us(tmp_path):
    filled(tmp_path)
    want = ledger.read(tmp_path)
    path = f"{tmp_path}/*/*.parquet"
    counted = duckdb.sql(f"select count(*), sum(chance) from read_parquet('{path}')").fetchall()
    assert counted[0] == (150, pytest.approx(want["chance"].sum()))
    by_pandas = pd.concat(map(pd.read_parquet, sorted(tmp_path.glob("*/*.parquet"))))
    pd.testing.assert_frame_equal(by_pandas.reset_index(drop=True), want)


@settings(max_examples=12)
@given(cuts=st.lists(st.integers(0, 60), max_size=4), order=st.randoms(use_true_random=False))
def test_parts_and_order_of_a_batch_make_no_difference(tmp_path_factory, cuts, order):
    folder, rows = tmp_path_factory.mktemp("ledger"), batch(count=60)
    path = ledger.append(folder, rows)
    places = list(range(60))
    order.shuffle(places)
    mixed = rows.iloc[places]
    ends = [0, *sorted(cuts), 60]
    parts = [mixed.iloc[a:b] for a, b in pairwise(ends)]
    before = path.read_bytes()
    assert ledger.append(folder, iter(parts)) == path
    assert path.read_bytes() == before
    assert len(ledger.hours(folder)) == 1


def test_a_million_rows_need_no_more_memory_than_a_few_parts(tmp_path):
    """Peak of a process that appends them in parts of 50,000, above its peak for two parts."""
    code = """
import resource, sys
from pathlib import Path
sys.path.insert(0, "tests")
from test_ledger import batch, START
from tierwise import ledger
def parts(count):
    rows = batch(count=50_000)
    for number in range(count):
        yield rows.assign(deal_id=(rows.index + 50_000 * number).astype(str))
for hour, count in enumerate((2, 20)):
    ledger.append(Path(sys.argv[1]), (p.assign(scored_at=START.replace(hour=hour)) for p in parts(count)))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    pytest.importorskip("resource", reason="tells the peak of memory on POSIX only")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert not done.stderr, done.stderr
    few, many = map(int, done.stdout.split())
    assert many - few < 150, "MB; as one table the rows would take more than that"
    counts = [pq.read_metadata(path).num_rows for path in ledger.hours(tmp_path)["path"]]
    assert counts == [100_000, 1_000_000]


# Once and for good


def test_the_same_hour_twice_leaves_one_copy(tmp_path):
    filled(tmp_path)
    before = bytes_of(tmp_path)
    assert ledger.append(tmp_path, batch(1)) == ledger.hours(tmp_path)["path"][1]
    assert bytes_of(tmp_path) == before


@pytest.mark.parametrize(
    "other",
    [
        {"model_version": "another"},
        {"chance": 0.5},
        {"tier": "C"},
        {"shown": False},
        {"flag": "", "propensity": 0.9},
    ],
    ids=lambda changed: ",".join(changed),
)
def test_the_same_hour_with_anything_else_is_refused_and_named(tmp_path, other):
    filled(tmp_path)
    message = refused(tmp_path, batch(1, **other))
    assert "2026-11-24 14:00" in message
    assert "never written anew" in message


def test_the_same_hour_with_a_deal_more_or_less_is_refused(tmp_path):
    filled(tmp_path)
    for count in (49, 51):
        rows = batch(1, count=max(count, 50)).iloc[:count]
        assert "other scores" in refused(tmp_path, rows if count < 50 else batch(1, count=51))


BROKEN = {
    "exactly the columns": lambda rows: rows.drop(columns="propensity"),
    "too many are \\['reason_1'\\]": lambda rows: rows.assign(reason_1="x"),
    "must be a full hour": lambda rows: rows.assign(scored_at=START + pd.Timedelta(minutes=5)),
    "scored_at must be a time": lambda rows: rows.assign(scored_at="13:00"),
    "chance must be from 0 to 1": lambda rows: rows.assign(chance=1.2),
    "score must be a finite": lambda rows: rows.assign(score=np.inf),
    "rank must be 1 or more": lambda rows: rows.assign(rank=0),
    "flag must be one of": lambda rows: rows.assign(flag="pilot"),
    "no tier of the holdout": lambda rows: rows.assign(flag="holdout", worked=False),
    "propensity must be from 0 to 1": lambda rows: rows.assign(propensity=-0.1, flag=""),
    "nobody of the holdout has a place": lambda rows: rows.assign(flag="holdout", shown=False),
    "model_version must be told": lambda rows: rows.assign(model_version=""),
    "model_version is x and y": lambda rows: rows.assign(model_version=["x", "y"] * 25),
    "one score an hour": lambda rows: rows.assign(deal_id="7"),
    "deal_id must be text": lambda rows: rows.assign(deal_id=1.5),
    "deal_id must be told": lambda rows: rows.assign(deal_id=[*rows["deal_id"][:-1], ""]),
    "something else": lambda rows: rows.assign(chance="much"),
    "no row": lambda rows: rows.iloc[:0],
}  # fmt: skip


@pytest.mark.parametrize("said", BROKEN)
def test_a_batch_that_breaks_a_rule_is_refused_with_the_rule(tmp_path, said):
    filled(tmp_path, 1)
    rows = batch(1)
    rows.loc[rows["flag"] == "holdout", ["flag", "propensity", "worked", "shown"]] = [
        "",
        0.9,
        True,
        True,
    ]
    assert re.search(said, refused(tmp_path, BROKEN[said](rows)))


def test_a_rule_broken_in_the_last_part_leaves_nothing_of_the_first(tmp_path):
    rows = batch(1, count=60)
    assert "chance must be" in refused(tmp_path, rows[:30], rows[30:].assign(chance=-1.0))
    assert "one score an hour" in refused(tmp_path, rows[:30], rows[20:])
    later = rows[30:].assign(scored_at=START)
    assert "one hour by one model" in refused(tmp_path, rows[:30], later)
    assert ledger.hours(tmp_path).empty


def test_a_source_that_fails_midway_leaves_nothing(tmp_path):
    def parts():
        yield batch(1)
        raise ConnectionError("the database went away")

    with pytest.raises(ConnectionError):
        ledger.append(tmp_path, parts())
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {".lock"}


# First looks


def test_a_deal_counts_by_the_first_tier_that_was_shown_before_its_outcome(tmp_path):
    story = {  # deal: (tier, shown) at 13:00, 14:00, 15:00
        "early": [("C", True), ("A", True), ("A", True)],
        "held": [("A", False), ("A", False), ("A", False)],
        "later": [("A", False), ("B", True), ("C", True)],
        "gone": [None, ("A", True), ("A", True)],
        "open": [None, None, ("B", True)],
    }
    for hour in range(3):
        looks = {deal: told[hour] for deal, told in story.items() if told[hour]}
        rows = batch(hour, count=len(looks), deal_id=list(looks), flag="", propensity=0.5)
        tier, shown = zip(*looks.values(), strict=True)
        ledger.append(tmp_path, rows.assign(tier=tier, shown=shown))
    closed = {"early": 5, "held": 5, "later": 5, "gone": 1}
    at = [START + pd.Timedelta(hours=hour) for hour in closed.values()]
    outcomes = pd.DataFrame({"deal_id": list(closed), "closed_at": at})
    found = ledger.first_shown(tmp_path, outcomes).set_index("deal_id")
    assert found["tier"].to_dict() == {"early": "C", "later": "B", "open": "B"}
    since = START + pd.Timedelta(hours=1)
    found = ledger.first_shown(tmp_path, outcomes, since=since).set_index("deal_id")
    assert found["tier"].to_dict() == {"early": "A", "later": "B", "open": "B"}
    looks = ledger.first_looks(tmp_path).set_index("deal_id")
    assert looks["tier"].to_dict() == {
        "early": "C", "held": "A", "later": "A", "gone": "A", "open": "B"
    }  # fmt: skip


def test_first_looks_are_those_that_a_walk_through_the_hours_finds(tmp_path):
    random = np.random.default_rng(3)
    for hour in range(6):
        ledger.append(tmp_path, batch(hour, count=80).sample(40, random_state=random.integers(99)))
    rows = ledger.read(tmp_path)
    for shown in (False, True):
        walk = (rows[rows["shown"]] if shown else rows).drop_duplicates("deal_id")
        found = ledger.first_looks(tmp_path, shown=shown)
        key = ["scored_at", "rank"]
        walk = walk.sort_values(key).reset_index(drop=True)
        pd.testing.assert_frame_equal(found.sort_values(key).reset_index(drop=True), walk)
    assert list(ledger.first_looks(tmp_path / "none")) == batches.COLUMNS


# Damage


@settings(max_examples=25)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_changed_bit_anywhere_is_found_and_its_hour_named(tmp_path_factory, at, bit):
    folder = tmp_path_factory.getbasetemp() / "bits"
    filled(folder) if not folder.exists() else None
    path = ledger.hours(folder)["path"][1]
    whole = path.read_bytes()
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1 << bit
    path.write_bytes(content)
    found = ledger.verify(folder)
    path.write_bytes(whole)
    assert found["file"].tolist() == [path.name]
    assert "was changed" in found["problem"][0]
    assert ledger.verify(folder).empty


def test_an_hour_that_was_taken_away_is_named(tmp_path):
    filled(tmp_path)
    assert ledger.verify(tmp_path).empty
    gone = ledger.hours(tmp_path)["path"][1]
    gone.unlink()
    found = ledger.verify(tmp_path)
    assert found["file"].tolist() == [gone.name]
    assert "is missing" in found["problem"][0]


def test_a_changed_value_is_no_longer_read(tmp_path):
    """Not even by somebody who never calls verify."""
    filled(tmp_path, 1)
    path = ledger.hours(tmp_path)["path"][0]
    column = pq.read_metadata(path).row_group(0).column(batches.COLUMNS.index("chance"))
    content = bytearray(path.read_bytes())
    content[column.data_page_offset + column.total_compressed_size - 20] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        ledger.read(tmp_path)


def test_strangers_in_the_folder_are_named_and_two_files_of_one_hour_are_refused(tmp_path):
    filled(tmp_path, 1)
    path = ledger.hours(tmp_path)["path"][0]
    (path.parent / "copy.parquet").write_bytes(path.read_bytes())
    assert ledger.verify(tmp_path)["file"].tolist() == ["copy.parquet"]
    path.with_name(f"{path.name[:14]}0123456789abcdef.parquet").write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="two files for one hour"):
        ledger.read(tmp_path)


# Kills, and writers at the same time

APPEND = """
sys.path.insert(0, "tests")
from test_ledger import batch
from tierwise import ledger

def work(folder, moment):
    def parts():
        rows = batch(3, count=1200)
        for at in range(0, 1200, 100):
            moment()
            yield rows[at : at + 100]
        moment()
    ledger.append(folder, parts())
    moment()
"""


@needs_fork
def test_a_killed_append_leaves_the_hour_whole_or_not_at_all(tmp_path):
    filled(tmp_path / "start", 2)
    moments, folders = killed(APPEND, tmp_path, timed=8)
    seen = []
    for folder in folders:
        seen.append(len(ledger.read(folder)))
        assert ledger.verify(folder).empty
    assert set(seen) == {100, 1300}, "the batch is there whole or not at all"
    assert moments >= 16
    for folder in folders[::3]:
        ledger.append(folder, batch(3, count=1200))
        assert len(ledger.read(folder)) == 1300
        left = sorted(path.suffix for path in folder.rglob("*") if path.is_file())
        assert left == ["", ".parquet", ".parquet", ".parquet"], "nothing of the killed run"


WRITERS = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from test_ledger import batch
from tierwise import ledger
from tierwise.files import InputError
own, folder = sys.argv[1], Path(sys.argv[2])
for hour in range(12):
    rows = batch(hour, model_version="one" if hour < 7 else own)
    try:
        ledger.append(folder, rows)
        print("in", hour)
    except InputError:
        print("refused", hour)
"""


def test_two_writers_at_once_leave_each_hour_once(tmp_path):
    """The first seven hours are the same from both; of the last five each has its own."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITERS, own, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for own in ("two", "three")
    ]
    counts = set()
    while any(process.poll() is None for process in processes):
        counts.add(len(ledger.read(tmp_path, columns=["deal_id"])))
        time.sleep(0.05)
    told = [process.communicate()[0].splitlines() for process in processes]
    assert all(f"in {hour}" in lines for lines in told for hour in range(7))
    for hour in range(7, 12):
        assert sum(f"in {hour}" in lines for lines in told) == 1
        assert sum(f"refused {hour}" in lines for lines in told) == 1
    assert len(ledger.read(tmp_path)) == 12 * 50
    assert {count % 50 for count in counts} == {0}, "whoever read meanwhile saw whole hours"
    assert ledger.verify(tmp_path).empty


def test_who_waits_too_long_is_told_who_holds_the_lock(tmp_path):
    with (
        held(tmp_path / ".lock"),
        pytest.raises(InputError, match=r"has held .*\.lock for more than 0\.1 seconds"),
        held(tmp_path / ".lock", wait_seconds=0.1),
    ):
        pass
    with held(tmp_path / ".lock", wait_seconds=0):
        pass


def test_whoever_waits_gets_the_lock_as_soon_as_it_is_free(tmp_path):
    order = []

    def second():
        with held(tmp_path / ".lock"):
            order.append("second")

    with held(tmp_path / ".lock"):
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
