"""What was acknowledged is there, once, whoever else writes, and whatever fails meanwhile."""

import sqlite3
import stat
from random import Random

import pandas as pd
import pytest
from typer.testing import CliRunner

pytest.importorskip("granian", reason="needs the extra hourly")
pytest.importorskip("httpx", reason="needs the extra hourly")

from intake_world import NOW, World, event, rows
from tierwise.files import InputError
from tierwise.intake import events, replay, seen, server, store, table, writer
from tierwise.intake_commands import collect

SCHEMA = """
events:
  order paid: {amount_eur: number, plan: [free, pro], seats: whole number?}
other_events: refuse
"""


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as made:
        yield made


def batch(start, stop):
    return [event(f"id-{n}") for n in range(start, stop)]


def rows_of(path, query):
    connection = sqlite3.connect(path)
    found = [one[0] for one in connection.execute(query)]
    connection.close()
    return found


def test_ids_are_known_again_before_while_and_after_they_are_merged(tmp_path):
    """Thousands of events, sent twice in another order, with merges of 300 in between."""
    draw, count = Random(1), 3_000
    sent = [event(f"id-{n}") for n in range(count)]
    with World(tmp_path, merge_count=300) as world:
        again = []
        for start in range(0, count, 100):
            assert world.told(sent[start : start + 100]) == (100, 0, 0)
            again += draw.sample(sent[: start + 100], 20)
            assert world.told(again[-20:]) == (20, 20, 0)
        assert len(world.stored()) == count
    assert rows_of(tmp_path / "data/intake/seen.sqlite", "SELECT count(*) FROM seen")[0] >= 300


def test_ids_are_known_again_by_the_next_process(tmp_path):
    for start in (0, 50, 100):
        with World(tmp_path, merge_count=60) as world:
            assert world.told(batch(0, start + 50)) == (start + 50, start, 0)
    assert len(rows(tmp_path / "data/intake", "SELECT event_id FROM events")) == 150


@pytest.mark.parametrize("damage", ["missing", "garbage", "of another store", "of a later state"])
def test_the_index_of_ids_is_made_anew_where_it_is_not_one_of_this_store(tmp_path, damage):
    with World(tmp_path, merge_count=10) as world:
        for start in range(0, 60, 20):
            world.told(batch(start, start + 20))
    path = tmp_path / "data/intake/seen.sqlite"
    if damage == "missing":
        path.unlink()
    elif damage == "garbage":
        path.write_bytes(b"no database" * 1_000)
    else:
        change = "store_id = 'x'" if damage == "of another store" else "merged_to = 1000"
        connection = sqlite3.connect(path)
        connection.execute(f"UPDATE progress SET {change}")
        connection.execute(
            "INSERT OR IGNORE INTO seen VALUES (?)", [events.digest_of("office", "new")]
        )
        connection.commit()
        connection.close()
    with World(tmp_path) as world:
        assert world.told(batch(0, 60)) == (60, 60, 0)
        assert world.told(event("new")) == (1, 0, 0)


def test_a_merge_that_fails_costs_nothing(tmp_path, monkeypatch):
    with World(tmp_path, merge_count=10) as world:
        world.told(batch(0, 5))
        real = seen.connected
        monkeypatch.setattr(seen, "connected", lambda _: sqlite3.connect(":memory:"))
        for start in (5, 20, 40):
            world.told(batch(start, start + 15))
        monkeypatch.setattr(seen, "connected", real)
        for start in (60, 80):
            assert world.told(batch(0, start)) == (start, {60: 50, 80: 60}[start], 0)
        assert len(world.stored()) == 80


def test_events_of_another_process_are_known(tmp_path):
    """Two intakes on one store, in turns: an id that one has taken is known to the other."""
    with World(tmp_path) as one, World(tmp_path, merge_count=20) as other:
        for start in range(0, 100, 10):
            known_count = 5 if start else 0
            assert one.told(batch(start, start + 10)) == (10, known_count, 0)
            assert other.told(batch(0, start + 15), key=one.server_key) == (
                start + 15,
                start + 10,
                0,
            )
        assert len(one.stored()) == 105


def test_a_full_disk_is_told_and_nothing_is_acknowledged(world):
    assert world.told(event("a")) == (1, 0, 0)
    held = []

    def full(connection, rows_, known_at):
        held.append(len(rows_))
        raise sqlite3.OperationalError("database or disk is full")

    real, store.append = store.append, full
    try:
        answer = world.post([event("b"), {"name": "bad"}])
    finally:
        store.append = real
    assert (answer.status_code, held) == (503, [1])
    assert int(answer.headers["retry-after"]) >= 1
    assert (world.stored(), world.rejected()) == (["a"], [])
    assert world.told([event("b"), event("a"), {"name": "bad"}]) == (2, 1, 1)


def test_if_the_writer_ends_nobody_waits_for_ever(tmp_path, monkeypatch):
    ended = []
    with World(tmp_path) as world:
        world.writer.gone = lambda: ended.append(True)
        monkeypatch.setattr(writer, "fresh", lambda *_: 1 / 0)
        monkeypatch.setattr("threading.excepthook", lambda _: None)
        assert world.post(event("a")).status_code == 503
        assert world.post(event("a")).status_code == 503
        assert (world.writer.failed, ended) == (True, [True])


def test_a_client_that_leaves_takes_nothing_with_it(world):
    async def left():
        job = world.loop.create_task(world.writer.kept([row("a")], []))
        await writer.asyncio.sleep(0)
        job.cancel()
        assert world.writer.waiting_count == 1  # until it is written
        return await world.writer.kept([row("b")], [])

    def row(event_id):
        return events.row(event(event_id), events.Arrived("office", NOW, None, None))

    assert world.run(left()) == 0
    assert world.stored() == ["a", "b"]
    assert world.writer.waiting_count == 0


def test_many_requests_share_one_commit(world):
    commits = []
    real = store.append

    def counted(connection, rows_, known_at):
        commits.append(len(rows_))
        real(connection, rows_, known_at)

    async def all_at_once():
        async def one(n):
            return await world.writer.kept(
                [events.row(event(str(n)), events.Arrived("s", NOW, None, None))], []
            )

        return await writer.asyncio.gather(*(one(n) for n in range(300)))

    store.append = counted
    try:
        assert world.run(all_at_once()) == [0] * 300
    finally:
        store.append = real
    assert (sum(commits), len(world.stored())) == (300, 300)
    assert len(commits) < 30


def test_a_commit_is_synced_before_it_is_acknowledged(world):
    """FULL, in WAL mode: SQLite calls fsync for each commit."""
    with store.opened(world.folder) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_files_are_for_their_owner_alone(world):
    world.told(event("a"))
    for path in world.folder.glob("*.sqlite*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    assert stat.S_IMODE((server.keys_path(world.root)).stat().st_mode) == 0o600


def test_what_is_no_store_is_refused(tmp_path):
    (tmp_path / "data/intake").mkdir(parents=True)
    (tmp_path / "data/intake" / store.EVENTS).write_bytes(b"not a database at all" * 500)
    with pytest.raises(InputError, match="backup"):
        World(tmp_path)
    with pytest.raises(InputError, match="no event was collected"):
        table.events(tmp_path / "elsewhere")


# Rejected events, once more


@pytest.fixture
def strict(tmp_path):
    (tmp_path / "events.yaml").write_text(SCHEMA, encoding="utf-8")
    with World(tmp_path, schema="events.yaml") as made:
        yield made


def again(world, file=None, later=60_000_000):
    done = replay.replay(world.folder, server.keys_path(world.root), world.root, NOW + later, file)
    return done.accepted_count, done.duplicates_count, done.rejected_count


def test_after_the_schema_is_corrected_what_was_rejected_is_taken(strict):
    late = event("a", name="trial begun", occurred_at="2027-01-15T07:00:00Z")
    body = {"events": [late, event("b", name="trial begun")], "sent_at": "2027-01-15T07:59:50Z"}
    assert strict.told(body) == (0, 0, 2)
    assert strict.rejected() == ["the event is not listed in the schema of its source"] * 2
    assert again(strict) == (0, 0, 2)
    wider = SCHEMA.replace("events:\n", "events:\n  trial begun: {}\n")
    (strict.root / "events.yaml").write_text(wider, encoding="utf-8")
    assert again(strict) == (2, 0, 0)
    assert again(strict) == (0, 0, 0)
    assert strict.stored("event_id, occurred_at, known_at") == [
        ("a", NOW - 3_590_000_000, NOW + 60_000_000),  # as it would have been; known only now
        ("b", NOW, NOW + 60_000_000),
    ]
    assert strict.told(body) == (2, 2, 0)  # the running server knows what was replayed


def test_a_corrected_line_is_taken_and_another_stays(strict, tmp_path):
    paid = event("a", properties={"amount_eur": "12,50", "plan": "free"})
    assert strict.told([paid, event("b", name="unknown")]) == (0, 0, 2)
    lines = [replay.line(one) for one in replay.waiting(strict.folder)]
    file = tmp_path / "wrong.jsonl"
    file.write_bytes(b"".join(lines).replace(b'"12,50"', b"12.5"))
    assert again(strict, file) == (1, 0, 1)
    assert strict.stored("event_id, properties") == [("a", '{"amount_eur":12.5,"plan":"free"}')]
    with pytest.raises(InputError, match="line 1: no rejected event"):
        again(strict, file)
    file.write_bytes(b"{broken\n")
    with pytest.raises(InputError, match="line 1, is no JSON"):
        again(strict, file)


def test_what_was_sent_right_meanwhile_is_not_doubled_by_a_replay(strict, tmp_path):
    wrong = event("a", properties={"amount_eur": 1, "plan": "gold"})
    assert strict.told(wrong) == (0, 0, 1)
    assert strict.told(event("a", properties={"amount_eur": 1, "plan": "pro"})) == (1, 0, 0)
    file = tmp_path / "wrong.jsonl"
    file.write_bytes(
        b"".join(map(replay.line, replay.waiting(strict.folder))).replace(b"gold", b"pro")
    )
    assert again(strict, file) == (1, 1, 0)
    assert strict.stored() == ["a"]


def test_numbers_that_json_lacks_survive_until_they_are_corrected(world, tmp_path):
    world.told(b'[{"event_id": "a", "name": "n", "person_id": "1", "properties": {"x": NaN}}]')
    file = tmp_path / "wrong.jsonl"
    file.write_bytes(b"".join(map(replay.line, replay.waiting(world.folder))))
    assert again(world, file) == (0, 0, 1)
    file.write_bytes(file.read_bytes().replace(b"NaN", b"null"))
    assert again(world, file) == (1, 0, 0)


# The table


def test_the_table_has_times_and_goes_on_where_it_was_left(world):
    known = event("x", anonymous_id="d-1", occurred_at="2027-01-15T07:59:00Z")
    world.told({"events": [*batch(0, 3), known]})
    found = table.events(world.folder)
    assert list(found.columns) == ["row_id", *table.COLUMNS]
    assert found["known_at"].dtype == "datetime64[us]"
    assert (found["occurred_at"] <= found["known_at"]).all()
    assert found["known_at"].iloc[0] == pd.Timestamp(NOW, unit="us")
    assert found["client_at"].isna().tolist() == [True, True, True, False]
    assert found["anonymous_id"].isna().tolist() == [True, True, True, False]
    world.told(batch(3, 5))
    more = table.events(world.folder, after_row=int(found["row_id"].max()))
    assert more["event_id"].tolist() == ["id-3", "id-4"]
    assert table.events(world.folder, after_row=10**9).empty


def test_counts_say_what_came_in(strict):
    good = {"amount_eur": 1, "plan": "free"}
    strict.told([event(str(n), properties=good) for n in range(3)] + [event("x", name="y")])
    accepted, rejected = table.counts(strict.folder)
    assert accepted == [("office", "order paid", 3)]
    assert [one[2] for one in rejected] == [1]


def test_who_is_forgotten_leaves_no_trace_and_does_not_come_back(tmp_path):
    who = "karla.kolumna@mail.example"
    mine = [event("a", person_id=who), event("b", person_id="9", anonymous_id=who)]
    with World(tmp_path) as world:
        world.told([*mine, event("c", person_id=f"not {who}"), {"name": "bad", "person_id": who}])
        assert table.forget(world.folder, who) == 3
        assert table.events(world.folder)["event_id"].tolist() == ["c"]
        assert world.told(mine) == (2, 2, 0)
    with World(tmp_path) as world:
        assert world.told(mine) == (2, 2, 0)
        assert table.forget(world.folder, f"not {who}") == 1
    whole = b"".join(path.read_bytes() for path in (tmp_path / "data/intake").glob("*.sqlite*"))
    assert who.encode() not in whole


def test_commands_from_a_key_to_a_table(tmp_path, monkeypatch):
    """As a person runs them, in a project of its own."""
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text("{}\n", encoding="utf-8")
    (tmp_path / "events.yaml").write_text(SCHEMA, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def run(*words):
        done = CliRunner().invoke(collect, list(words), catch_exceptions=False)
        return done.output

    office = ["--scope", "server", "--source", "office", "--schema", "events.yaml"]
    key = run("keys", "create", *office).strip()
    assert "server  office  events.yaml" in run("keys", "list")
    paid = event("b", properties={"amount_eur": 1, "plan": "pro"})
    with World(tmp_path) as world:
        assert world.told([event("a", name="x"), paid], key=key) == (1, 0, 1)
    assert "1  office  order paid" in run("status")
    assert "rejected: the event is not listed" in run("status")
    assert "events.parquet: 1 events" in run("export", "events.parquet")
    assert pd.read_parquet(tmp_path / "events.parquet")["event_id"].tolist() == ["b"]
    assert "1 rejected events" in run("rejected", "--out", "wrong.jsonl")
    assert "0 events accepted (0 were there already), 1 still rejected" in run("replay")
    assert run("snippet", "tww_x", "--url", "https://c.example/").startswith("<script async src=")
    assert "2 events of this person" in run("forget", "17")
    assert "is revoked" in run("keys", "revoke", key.split("_")[1])
    assert "revoked" in run("keys", "list")
    with pytest.raises(InputError, match="web or server"):
        run("keys", "create", "--scope", "read", "--source", "shop")
