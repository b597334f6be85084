"""A snapshot holds whole organisations, one order, no copies, and stays when a new one fails."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crm import digest, small_world, write_parquet
from small_accounts import small_accounts
from tierwise import refusals, snapshot, sources, tables, whole_folders
from tierwise.files import InputError


def make(world, folder, rows_count=20):
    source = folder / "source"
    snapshot.fetch(write_parquet(world, source), folder / "snapshot", rows_count)
    return folder / "snapshot"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make(small_world(), tmp_path_factory.mktemp("world"))


@pytest.fixture
def made(folder, tmp_path):
    """The same source and snapshot, yours to change."""
    shutil.copytree(folder.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "snapshot"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """name -> a table of a snapshot of one partition."""
    made = make(small_world(), tmp_path_factory.mktemp("whole"), 10**6)
    return {name: snapshot.read(snapshot.parts(made)[0], name) for name in tables.CRM}


def test_every_table_is_in_every_partition_but_persons_and_users(folder):
    whole = {"persons.parquet", "users.parquet"}
    others = {f"{name}.parquet" for name in tables.CRM} - whole
    found = snapshot.parts(folder)
    assert [part.name for part in found] == ["part-000", "part-001", "part-002"]
    for part in found:
        assert {path.name for path in part.iterdir()} == others
    assert {path.name for path in folder.iterdir() if path.is_file()} == whole | {"snapshot.json"}


def test_an_organisation_is_in_the_partition_of_its_remainder_with_all_its_rows(folder, whole):
    found = snapshot.parts(folder)
    for name in set(tables.CRM) - set(snapshot.WHOLE):
        pieces = [snapshot.read(part, name) for part in found]
        for number, piece in enumerate(pieces):
            assert (piece["organization_id"] % len(found) == number).all()
        assert sum(map(len, pieces)) == len(whole[name])


def test_tables_are_read_back_in_the_contract_s_types_even_without_rows(folder):
    for part in snapshot.parts(folder):
        for name in tables.CRM:
            contract = tables.kept(name)
            frame = snapshot.read(part, name)
            assert refusals.failures(contract, tables.KEYS[name], frame) == []
            added = ["organization_id"] if name in ("deal_changes", "activities") else []
            assert list(frame) == [*contract.columns, *added]
            for column, one in contract.columns.items():
                assert str(frame[column].dtype) == refusals.dtype_of(one)
            if added:
                assert frame["organization_id"].dtype == "int64"


def test_some_columns_can_be_read_alone(folder):
    part = snapshot.parts(folder)[0]
    assert list(snapshot.read(part, "events", ["amount", "known_at"])) == ["amount", "known_at"]
    for name in ("persons", "users"):
        pd.testing.assert_frame_equal(snapshot.read(part, name), snapshot.read(folder, name))


def test_rows_are_ordered_by_owner_and_then_by_when_we_knew(whole):
    for name, frame in whole.items():
        owner = tables.owner_of(name)
        keys = [frame[column] for column in ("known_at", owner)]
        assert (np.lexsort(keys) == np.arange(len(frame))).all(), name


def test_changes_and_activities_have_the_organisation_of_their_deal(whole):
    deals = whole["deals"].set_index("deal_id")["organization_id"]
    for name in ("deal_changes", "activities"):
        assert (whole[name]["organization_id"] == whole[name]["deal_id"].map(deals)).all()


def test_an_organisation_given_with_a_change_is_replaced_by_that_of_its_deal(tmp_path, whole):
    world = small_world()
    world["deal_changes"]["organization_id"] = 99
    part = snapshot.parts(make(world, tmp_path, 10**6))[0]
    pd.testing.assert_frame_equal(snapshot.read(part, "deal_changes"), whole["deal_changes"])


def test_of_the_copies_of_a_message_the_first_known_stays(whole):
    events = whole["events"].set_index("event_id")
    assert len(events) == 5
    assert events.loc["e4", "known_at"] == pd.Timestamp("2026-01-06 09:00")


def test_the_same_key_at_another_owner_is_no_copy(tmp_path):
    world = small_world()
    world["events"]["event_id"] = "e"
    world["deal_changes"]["change_id"] = "c"
    part = snapshot.parts(make(world, tmp_path, 10**6))[0]
    assert snapshot.read(part, "events")["organization_id"].tolist() == [1, 2, 3, 4]
    assert snapshot.read(part, "deal_changes")["deal_id"].tolist() == [11, 12, 21, 31, 32]


def test_copies_known_at_the_same_time_leave_the_same_row_in_whatever_order_they_come(tmp_path):
    world = small_world()
    event = world["events"].iloc[[0] * 4].assign(amount=[3.0, None, 1.0, 2.0])
    found = []
    for number in range(2):
        rows = np.roll(np.arange(4), number)
        part = (
            make(world | {"events": event.iloc[rows]}, tmp_path / str(number), 10**6) / "part-000"
        )
        found.append(snapshot.read(part, "events")["amount"].tolist())
    assert found == [[1.0]] * 2


def test_the_figures_count_rows_copies_and_lateness(folder):
    about = snapshot.about(folder)
    assert about["parts_count"] == 3
    assert about["data_until"] == "2026-01-12T09:00:00"
    assert about["tables"]["events"] == {
        "rows_count": 5,
        "copies_count": 2,
        "late_share": 0.2,  # e3 was known three hours later
        "first_known_at": "2026-01-04T09:00:00",
        "last_known_at": "2026-01-06T09:00:00",
    }
    assert about["tables"]["deal_changes"]["copies_count"] == 1
    assert about["tables"]["users"]["late_share"] is None
    assert json.loads((folder / "snapshot.json").read_text()) == about


def test_exactly_one_hour_is_not_late(tmp_path):
    world = small_world()
    known = world["ad_clicks"]["occurred_at"] + pd.to_timedelta(["1h", "1h"])
    world["ad_clicks"]["known_at"] = known + pd.to_timedelta([0, 1], unit="us")
    assert snapshot.about(make(world, tmp_path))["tables"]["ad_clicks"]["late_share"] == 0.5


def test_tables_without_rows_are_fine_where_that_can_be(tmp_path):
    world = small_world()
    needed = ("deals", "deal_changes", "organizations")
    world = {name: frame if name in needed else frame[:0] for name, frame in world.items()}
    made = make(world, tmp_path)
    figures = snapshot.about(made)["tables"]["events"]
    assert figures == {
        "rows_count": 0,
        "copies_count": 0,
        "late_share": None,
        "first_known_at": None,
        "last_known_at": None,
    }
    for part in snapshot.parts(made):
        assert snapshot.read(part, "events").empty


def test_the_number_of_partitions_follows_from_all_rows(tmp_path):
    rows_count = sum(map(len, small_world().values()))
    for wanted, limit in ((1, rows_count), (2, rows_count - 1)):
        made = make(small_world(), tmp_path / str(wanted), limit)
        assert len(snapshot.parts(made)) == snapshot.about(made)["parts_count"] == wanted


def test_an_organisation_with_a_negative_id_has_a_partition_too(tmp_path):
    world = small_world()
    for frame in world.values():
        if "organization_id" in frame:
            frame["organization_id"] *= -1
    found = snapshot.parts(make(world, tmp_path))
    assert [len(snapshot.read(part, "deals")) for part in found] == [2, 1, 2]


@pytest.mark.parametrize("rows_count", [0, -1])
def test_a_partition_has_at_least_one_row(tmp_path, rows_count):
    with pytest.raises(
        InputError, match=f"partition_rows_count must be 1 or more, not {rows_count}"
    ):
        snapshot.fetch(tmp_path / "source", tmp_path / "snapshot", rows_count)


def test_a_chain_of_merges_is_fine(tmp_path):
    world = small_world()
    change = world["deal_changes"].iloc[[4]]
    more = change.assign(change_id="c13", deal_id=13, new_value="12")
    world["deal_changes"] = pd.concat([world["deal_changes"], more], ignore_index=True)
    deal = world["deals"].iloc[[1]].assign(deal_id=13)
    world["deals"] = pd.concat([world["deals"], deal], ignore_index=True)
    make(world, tmp_path, 10**6)


def test_a_new_snapshot_takes_the_place_of_the_earlier_one_and_nothing_is_left_beside(tmp_path):
    made = make(small_world(), tmp_path / "a", 15)
    later = small_world()
    later["deals"].loc[0, "source"] = "phone"
    snapshot.fetch(write_parquet(later, tmp_path / "later"), made, 20)
    assert digest(made) == digest(make(later, tmp_path / "b", 20))
    assert {path.name for path in made.parent.iterdir()} == {"source", "snapshot"}


def test_when_the_last_step_fails_the_earlier_snapshot_comes_back(made, tmp_path, monkeypatch):
    before = digest(tmp_path)
    replace = whole_folders.os.replace

    def fail(old, new):
        if new == made and old.name == "snapshot":
            raise OSError("disk full")
        replace(old, new)

    monkeypatch.setattr(whole_folders.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        snapshot.fetch(tmp_path / "source", made)
    assert digest(tmp_path) == before


def test_a_stop_by_hand_leaves_nothing_behind(made, tmp_path, monkeypatch):
    before = digest(tmp_path)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(snapshot, "write", stop)
    with pytest.raises(KeyboardInterrupt):
        snapshot.fetch(tmp_path / "source", made)
    assert digest(tmp_path) == before


def test_a_folder_without_a_snapshot_says_what_to_run(tmp_path):
    for call in (snapshot.about, snapshot.parts, lambda folder: snapshot.read(folder, "deals")):
        with pytest.raises(InputError, match="Run `tierwise fetch`"):
            call(tmp_path)


# What is kept


def test_only_the_contract_s_columns_and_custom_fields_of_deals_are_copied(tmp_path):
    world = small_world()
    for name, frame in world.items():
        frame["note"] = f"secret of {name}"
    world["events"]["properties"] = "secret in JSON"
    made = make(world, tmp_path, 10**6)
    part = snapshot.parts(made)[0]
    columns = {name: list(snapshot.read(part, name)) for name in world}
    assert [name for name in columns if "note" in columns[name]] == ["deals"]
    assert "properties" not in columns["events"]
    texts = [str(snapshot.read(part, name).to_dict("list")) for name in world if name != "deals"]
    assert not any("secret" in text for text in texts)


def test_a_person_who_changes_the_organisation_is_found_from_every_partition(tmp_path):
    world = small_world()
    moved = world["persons"].iloc[[0]].assign(organization_id=2, known_at="2026-01-07")
    moved["known_at"] = moved["known_at"].astype("datetime64[us]")
    world["persons"] = pd.concat([world["persons"], moved], ignore_index=True)
    found = snapshot.parts(make(world, tmp_path))
    assert len(found) > 1
    for part in found:
        persons = snapshot.read(part, "persons").set_index("person_id")
        assert persons.loc[101, "organization_id"].tolist() == [1, 2]
        assert len(persons) == 6


# The present


def late_click(known_at):
    world = small_world()
    world["ad_clicks"].loc[1, "known_at"] = pd.Timestamp(known_at)
    return world


def test_data_until_is_the_last_change_of_a_deal_whatever_other_tables_know(tmp_path):
    about = snapshot.about(make(late_click("2026-03-01"), tmp_path))
    assert about["data_until"] == "2026-01-12T09:00:00"
    assert about["tables"]["ad_clicks"]["last_known_at"] == "2026-03-01T00:00:00"


def test_a_row_known_more_than_a_day_after_the_fetch_is_refused(tmp_path):
    now = pd.Timestamp("2026-01-20 12:00")
    limit = now + pd.Timedelta(days=1)
    source = write_parquet(late_click(limit), tmp_path / "a")
    snapshot.fetch(source, tmp_path / "snapshot", now=now)
    before = digest(tmp_path / "snapshot")
    source = write_parquet(late_click(limit + pd.Timedelta(microseconds=1)), tmp_path / "b")
    with pytest.raises(InputError) as error:
        snapshot.fetch(source, tmp_path / "snapshot", now=now)
    assert str(error.value) == (
        "Table ad_clicks, column known_at: must not be more than one day after the fetch "
        "(2026-01-20 12:00 UTC). 1 row breaks this rule, first: click_id 'k2' "
        "(known_at 2026-01-21 12:00:00.000001). Correct it where the table comes from."
    )
    assert digest(tmp_path / "snapshot") == before


def test_without_a_given_time_the_clock_decides(tmp_path):
    tomorrow = pd.Timestamp.now("UTC").tz_localize(None) + pd.Timedelta(days=2)
    with pytest.raises(InputError, match="must not be more than one day after the fetch"):
        make(late_click(tomorrow), tmp_path)


# Runs that are killed, and runs at the same time


KILLED = """
import os, sys
from pathlib import Path
from tierwise import snapshot, whole_folders
replace = os.replace
def kill(old, new):
    if Path(old).name == "snapshot" and Path(new).name == sys.argv[2]:
        os._exit(9)
    replace(old, new)
os.replace = kill
snapshot.fetch(sys.argv[1], sys.argv[3])
"""


def killed(folder, name):
    """A fetch that dies where it moves a file or folder `snapshot` to one called `name`."""
    paths = [str(folder / "source"), name, str(folder / "snapshot")]
    done = subprocess.run([sys.executable, "-c", KILLED, *paths], check=False)
    assert done.returncode == 9


def test_an_earlier_snapshot_that_a_kill_left_hidden_comes_back(made, tmp_path):
    before = digest(made)
    killed(tmp_path, "snapshot")
    assert not made.exists()
    with pytest.raises(InputError, match="does not exist"):
        snapshot.fetch(tmp_path / "nowhere", made)
    assert digest(made) == before
    snapshot.fetch(tmp_path / "source", made, 20)
    assert digest(made) == before
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["snapshot", "source"], "what the killed run had begun is taken away"


def test_an_earlier_snapshot_that_was_only_not_removed_yet_is_removed(made, tmp_path):
    made.with_name(".snapshot.earlier").mkdir()
    (made.with_name(".snapshot.earlier") / "snapshot.json").write_text("{}")
    before = digest(made)
    snapshot.fetch(tmp_path / "source", made, 20)
    assert digest(made) == before
    assert {path.name for path in tmp_path.iterdir()} == {"source", "snapshot"}


def test_a_second_fetch_of_the_same_snapshot_stops_and_the_first_is_not_disturbed(
    made, tmp_path, monkeypatch
):
    code = "import sys; from tierwise import snapshot; snapshot.fetch(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(tmp_path / "source"), str(made)]
    swap, seen = whole_folders.swap, []

    def slow(*paths):
        seen.append(subprocess.run(command, capture_output=True, text=True, check=False))
        with pytest.raises(InputError, match="is being written by another process"):
            snapshot.fetch(tmp_path / "source", made)
        swap(*paths)

    monkeypatch.setattr(whole_folders, "swap", slow)
    before = digest(made)
    snapshot.fetch(tmp_path / "source", made, 20)
    assert "is being written by another process" in seen[0].stderr
    assert digest(made) == before
    assert {path.name for path in tmp_path.iterdir()} == {"source", "snapshot"}


def test_a_lock_whose_file_was_removed_meanwhile_is_none(tmp_path, monkeypatch):
    """Opened just before another process gave it back, so that a third could lock a new file."""
    path = tmp_path / ".snapshot.lock.partial"
    on_lock = whole_folders.Lock._on_lock

    def removed(lock):
        Path(lock._path).unlink()
        on_lock(lock)

    monkeypatch.setattr(whole_folders.Lock, "_on_lock", removed)
    with pytest.raises(whole_folders.LockError):
        whole_folders.Lock(path)


@pytest.fixture
def of_accounts(tmp_path):
    """A folder with the tables of accounts as Parquet, and its snapshot."""
    for name, rows in small_accounts().items():
        rows.to_parquet(tmp_path / f"{name}.parquet")
    names = tables.SETS["accounts"]
    return tmp_path, names, snapshot.fetch(tmp_path, tmp_path / "snapshot", names=names)


def test_tables_of_accounts_lie_in_one_place_and_copies_are_dropped(of_accounts):
    folder, names, about = of_accounts
    assert set(about["tables"]) == set(names)
    assert about["data_until"] == "2026-01-10T09:00:00"
    assert about["tables"]["interactions"]["copies_count"] == 1
    for name, rows in small_accounts().items():
        found = snapshot.read(folder / "snapshot", name)
        wanted = rows.drop_duplicates(tables.KEYS[name])
        pd.testing.assert_frame_equal(
            found.sort_values(tables.KEYS[name], ignore_index=True),
            wanted.sort_values(tables.KEYS[name], ignore_index=True),
        )


def test_a_position_that_ends_before_it_began_is_refused(of_accounts):
    folder, names, _ = of_accounts
    rows = small_accounts()["positions"]
    rows.loc[2, "ended_at"] = pd.Timestamp("2025-01-01")
    rows.to_parquet(folder / "positions.parquet")
    before = digest(folder / "snapshot")
    with pytest.raises(InputError, match="column ended_at: must not be before occurred_at"):
        snapshot.fetch(folder, folder / "snapshot", names=names)
    assert digest(folder / "snapshot") == before


def test_an_unknown_set_of_tables_is_told_with_those_that_are(tmp_path):
    (tmp_path / "params.yaml").write_text("tables: {own: {source: raw, set: companies}}")
    with pytest.raises(InputError, match=r"tables\.own\.set is 'companies'; there are crm, acc"):
        sources.names(tmp_path, "own")
