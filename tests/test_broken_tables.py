"""Whatever is wrong with the tables: one message that helps, and the earlier snapshot stays.

Each line of the two lists below is a way to break a small world that was fine: what is broken,
how, and what the message must say.
"""

import gzip
import shutil
import sys

import pandas as pd
import pytest

from crm import digest, small_world, write_csv, write_parquet
from tierwise import cli, snapshot
from tierwise.files import InputError

# Edits of the tables, before they are written down.


def put(name, row, column, value):
    """Another value in one cell, of whatever type."""

    def edit(world):
        values = list(world[name][column].astype(object))
        values[row] = value
        world[name][column] = pd.Series(values, dtype=object)

    return edit


def take_out(name):
    return lambda world: world.pop(name)


def rename(name, column, new):
    return lambda world: world.update({name: world[name].rename(columns={column: new})})


def cut(name, rows_count):
    return lambda world: world.update({name: world[name][:rows_count]})


def repeat(name, row):
    def edit(world):
        frame = world[name]
        world[name] = pd.concat([frame, frame.iloc[[row]]], ignore_index=True)

    return edit


def merge(change, deal, goal):
    """Turn row `change` of deal_changes into a merge of `deal` into `goal`."""

    def edit(world):
        changes = world["deal_changes"]
        changes.loc[change, ["deal_id", "field", "new_value"]] = [deal, "merged_into", goal]

    return edit


def all_of(*edits):
    return lambda world: [edit(world) for edit in edits]


ROWS = [
    ("a table is missing", take_out("events"), ["has no table events", "deals", "users"]),
    ("a column is missing", rename("deals", "organization_id", "x"), ["Table deals, column organization_id: must be there", "deal_id"]),
    ("a column is misspelt", rename("events", "known_at", "know_at"), ["Table events, column known_at", "the nearest name is know_at"]),
    ("a column is in capitals", rename("users", "user_id", "USER_ID"), ["Table users, column user_id: must be there; there are USER_ID"]),
    ("text stands in a number", put("ad_clicks", 0, "cost_eur", "cheap"), ["Table ad_clicks, column cost_eur: must be a number", "1 row", "click_id 'k1' (cost_eur a text of 5 characters)"]),
    ("a decimal comma stands in a number", put("events", 1, "amount", "99,9"), ["Table events, column amount: must be a number", "'99,9'", "event_id 'e2'"]),
    ("an id is no number", put("deals", 1, "deal_id", "D-12"), ["Table deals, column deal_id: must be a whole number", "deal_id a text of 4 characters"]),
    ("an id has decimals", put("persons", 0, "organization_id", "1.5"), ["Table persons, column organization_id: must be a whole number", "'1.5'", "person_id 101"]),
    ("an id has too many digits", put("users", 0, "user_id", "9" * 19), ["Table users, column user_id: must be a whole number", "9999"]),
    ("a time is no time", put("activities", 2, "occurred_at", "last Tuesday"), ["Table activities, column occurred_at: must be a time", "activity_id 'a3' (occurred_at a text of 12 characters)"]),
    ("a day does not exist", put("activities", 2, "known_at", "2026-02-30"), ["Table activities, column known_at: must be a time", "'2026-02-30'"]),
    ("a day is written the German way", put("job_posts", 0, "known_at", "05.01.2026"), ["Table job_posts, column known_at: must be a time", "'05.01.2026'"]),
    ("a time never ends", put("job_posts", 0, "known_at", "infinity"), ["Table job_posts, column known_at: must be a time", "years 1 to 9999"]),
    ("yes or no is maybe", put("job_posts", 1, "photo", "maybe"), ["Table job_posts, column photo: must be true or false", "post_id 'p2' (photo a text of 5 characters)"]),
    ("a key is empty", put("events", 3, "event_id", ""), ["Table events, column event_id: must not be missing", "1 row"]),
    ("a time is missing", put("events", 3, "known_at", None), ["Table events, column known_at: must not be missing", "event_id 'e4'"]),
    ("a deal is there twice", repeat("deals", 2), ["Table deals, column deal_id: each key must be there once", "2 rows", "deal_id 21"]),
    ("a version of an organisation is there twice", repeat("organizations", 0), ["Table organizations, column organization_id, known_at", "2 rows", "organization_id 1"]),
    ("a status is unknown", put("deal_changes", 6, "new_value", "sold"), ["Table deal_changes, column new_value: must be one of won, lost, reopened, deleted where field is status", "change_id 'c7'", "'sold'"]),
    ("a field is unknown", put("deal_changes", 0, "field", "colour"), ["Table deal_changes, column field: must be one of stage, value", "'colour'"]),
    ("a value is no number", put("deal_changes", 1, "new_value", "a lot"), ["Table deal_changes, column new_value: must be a number where field is value", "(new_value a text of 5 characters)"]),
    ("an owner is no number", put("deal_changes", 2, "new_value", "Anna"), ["Table deal_changes, column new_value: must be a whole number where field is owner", "(new_value a text of 4 characters)"]),
    ("an activity is of an unknown type", put("activities", 0, "type", "fax"), ["Table activities, column type: must be one of call, mail, meeting", "'fax'"]),
    ("a cost is negative", all_of(put("ad_clicks", 0, "cost_eur", -1.2), put("ad_clicks", 1, "cost_eur", -3.0)), ["Table ad_clicks, column cost_eur: must be 0 or more", "2 rows"]),
    ("a number is infinite", put("events", 1, "amount", float("inf")), ["Table events, column amount: must be a finite number", "event_id 'e2' (amount inf)"]),
    ("a custom number is infinite", lambda world: world["deals"].insert(0, "score", [0.5, float("-inf"), *[None] * 3]), ["Table deals, column score", "deal_id 12 (score -inf)"]),
    ("it was known before it occurred", put("events", 0, "known_at", "2026-01-03"), ["Table events, column known_at: must not be before occurred_at", "1 row", "event_id 'e1'"]),
    ("a deal that changes does not exist", put("deal_changes", 10, "deal_id", 99), ["Table deal_changes, column deal_id: must be found in deals", "1 row", "change_id 'c11' (deal_id 99)"]),
    ("the organisation of events is unknown", all_of(put("events", 0, "organization_id", 8), put("events", 6, "organization_id", 9)), ["Table events, column organization_id: must be found in organizations", "2 rows", "event_id 'e1' (organization_id 8); event_id 'e5' (organization_id 9)"]),
    ("a deal goes into one that does not exist", merge(4, 12, "77"), ["Table deal_changes, column new_value: must be found in deals", "change_id 'c5'", "77"]),
    ("a deal goes into another organisation", merge(4, 12, "21"), ["Table deal_changes, column new_value: must be a deal of the same organisation", "1 row", "change_id 'c5'", "21"]),
    ("two deals go into each other", merge(5, 11, "12"), ["Table deal_changes, column new_value: merges must not form a circle", "2 rows", "change_id 'c5'"]),
    ("a deal goes into itself", merge(12, 32, "32"), ["merges must not form a circle", "1 row", "change_id 'c12'"]),
    ("a person stands in an id", put("persons", 0, "organization_id", "Jane Doe jane@example.org"), ["column organization_id: must be a whole number", "person_id 101", "(organization_id a text of 25 characters)"]),
    ("a person stands in a key", put("persons", 0, "person_id", "Jane Doe jane@example.org"), ["column person_id: must be a whole number", "person_id a text of 25 characters"]),
    ("a person stands in a list of words", put("activities", 0, "type", "jane@example.org"), ["column type: must be one of call", "(type a text of 16 characters)"]),
    ("it is known in the year 2300", put("persons", 0, "known_at", "2300-01-01"), ["Table persons, column known_at: must not be more than one day after the fetch", "1 row breaks", "person_id 101, known_at 2300-01-01"]),
    ("a custom field is called like a column of ours", lambda world: world["deals"].insert(0, "as_of", 1), ["Table deals, column as_of: must have another name", "rename it"]),
    ("a custom field is called like a column of ours in capitals", lambda world: world["deals"].insert(0, "Tierwise_Part", 1), ["Table deals, column Tierwise_Part: must have another name", "rename it"]),
    ("no deal is left", cut("deals", 0), ["Table deals has no row"]),
    ("no change is left", cut("deal_changes", 0), ["Table deal_changes has no row"]),
]  # fmt: skip


# Edits of the files of a source. Each takes the folder and returns the source.


def at_folder(edit):
    def source(folder):
        edit(folder)
        return folder

    return source


def text_file(name, text):
    return at_folder(lambda folder: (folder / name).write_bytes(text))


def half_of_a_parquet(folder):
    write_parquet(small_world(), folder / "parquet")
    path = folder / "parquet" / "events" / "second.parquet"
    path.write_bytes(path.read_bytes()[:400])
    return folder / "parquet"


def nested_column(folder):
    world = small_world()
    world["events"]["tags"] = [["new"]] * len(world["events"])
    return write_parquet(world, folder / "parquet")


def nested_contract_column(folder):
    world = small_world()
    world["events"]["properties"] = [{"a": 1}] * len(world["events"])
    return write_parquet(world, folder / "parquet")


def number_as_time(folder):
    world = small_world()
    world["events"]["known_at"] = 1_767_600_000
    return write_parquet(world, folder / "parquet")


def half_of_a_gzip(folder):
    path = folder / "events.csv"
    packed = gzip.compress(path.read_bytes())
    path.unlink()
    (folder / "events.csv.gz").write_bytes(packed[: len(packed) // 2])
    return folder


def no_database(folder):
    path = folder / "crm.duckdb"
    path.write_bytes(b"not a database" * 999)
    return path


def empty_database(folder):
    import duckdb

    path = folder / "crm.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE deal (deal_id BIGINT)")
    return path


SOURCES = [
    ("a Parquet file is cut short", half_of_a_parquet, ["Table events can't be read", "second.parquet"]),
    ("a Parquet file is empty", at_folder(lambda folder: ((folder / "users.csv").unlink(), (folder / "users.parquet").touch())), ["Table users can't be read", "users.parquet"]),
    ("a CSV file is empty", text_file("users.csv", b""), ["users.csv is empty", "first line"]),
    ("a line has a field too many", text_file("users.csv", b"user_id,known_at,team,timezone\n7,2026-01-01,a,UTC\n8,2026-01-01,a,UTC,more\n"), ["users.csv, line 3: 5 fields, but the header has 4"]),
    ("a line has a field too few", text_file("users.csv", b"user_id,known_at,team,timezone\n7,2026-01-01,a\n"), ["users.csv, line 2: 3 fields, but the header has 4"]),
    ("a quote never closes", text_file("users.csv", b'user_id,known_at,team,timezone\n7,2026-01-01,"a,UTC\n'), ["users.csv, line 2: a quote opens and never closes"]),
    ("a CSV file names a column twice", text_file("users.csv", b"user_id,known_at,team,timezone,team\n"), ["users.csv names team twice"]),
    ("a CSV file has a column without a name", text_file("users.csv", b"user_id,known_at,team,timezone,\n"), ["users.csv has a column without a name"]),
    ("a CSV file is not UTF-8", text_file("users.csv", "user_id,known_at,team,timezone\n7,2026-01-01,Süd,UTC\n".encode("latin-1")), ["users.csv", "UTF-8"]),
    ("a CSV file is a picture", text_file("users.csv", b"\x89PNG\r\n\x1a\n\x00\x00"), ["users.csv can't be read", "UTF-8"]),
    ("a packed CSV file is cut short", half_of_a_gzip, ["Table events can't be read", "events.csv.gz"]),
    ("a table is there in two files", at_folder(lambda folder: shutil.copy(folder / "users.csv", folder / "users.parquet")), ["Table users is in", "users.parquet and users.csv", "Keep one"]),
    ("a column holds lists", nested_column, ["Table events, column tags: must hold numbers, text, yes or no, or times", "7 rows", "event_id 'e1'"]),
    ("a column of text holds structs", nested_contract_column, ["Table events, column properties: must be text; the source has STRUCT"]),
    ("a time is a number of seconds", number_as_time, ["Table events, column known_at: must be a time", "the source has BIGINT", "1767600000"]),
    ("a DuckDB file is none", no_database, ["crm.duckdb can't be opened by DuckDB", "not a valid DuckDB database file"]),
    ("a DuckDB file has other tables", empty_database, ["crm.duckdb has no table deals", "there are deal.", "The nearest name is deal."]),
    ("a source does not exist", lambda folder: folder / "nowhere", ["nowhere does not exist"]),
    ("a source is a single file", lambda folder: folder / "deals.csv", ["deals.csv is no source of tables", "folder"]),
    ("an address holds a password", lambda folder: "postgresql://reader:hush@127.0.0.1/crm", ["holds a password", "PGPASSWORD"]),
    ("an address holds a password behind a question mark", lambda folder: "postgresql://reader@127.0.0.1/crm?password=hush", ["holds a password", "PGPASSWORD"]),
    ("an address holds an odd password", lambda folder: "postgresql://reader:12/hush@127.0.0.1/crm", ["not shown"]),
    ("a text of libpq holds a password", lambda folder: "host=127.0.0.1 password=hush", ["not shown"]),
    ("a database is of another kind", lambda folder: "mysql://reader:hush@127.0.0.1/crm", ["postgresql://user@host:port/database"]),
    ("a database can't be reached", lambda folder: "postgresql://reader@127.0.0.1:1/crm", ["PostgreSQL database crm at 127.0.0.1:1 can't be read"]),
]  # fmt: skip

CASES = [
    *((name, lambda folder, edit=edit: written(edit, folder), words) for name, edit, words in ROWS),
    *((name, source, words) for name, source, words in SOURCES),
]


def written(edit, folder):
    world = small_world()
    edit(world)
    for path in folder.iterdir():
        path.unlink()
    return write_csv(world, folder)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A project with an earlier snapshot."""
    root = tmp_path_factory.mktemp("good") / "project"
    snapshot.fetch(write_csv(small_world(), root.parent / "source"), root / "data/tables/leads")
    (root / "dvc.yaml").touch()
    return root


@pytest.fixture
def project(good, tmp_path, monkeypatch):
    root = shutil.copytree(good, tmp_path / "project")
    monkeypatch.chdir(root)
    monkeypatch.setenv("PGPASSWORD", "ssh-this-is-secret")
    return root


@pytest.mark.parametrize(
    ("source", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_broken_tables_are_refused_and_the_earlier_snapshot_stays(
    good, project, tmp_path, monkeypatch, capsys, source, words
):
    given = source(shutil.copytree(good.parent / "source", tmp_path / "source"))
    (project / "params.yaml").write_text(f'tables: {{leads: {{source: "{given}"}}}}\n')
    monkeypatch.setattr(sys, "argv", ["tierwise", "fetch", "leads"])
    raised = recording(monkeypatch)
    before = digest(project)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1
    assert len(raised) == 1
    text = str(raised[0])
    for word in words:
        assert word in text
    assert "\n" not in text
    assert "hush" not in text
    assert "jane" not in text.lower()
    assert "secret" not in text
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"tierwise: {text}\n")
    assert digest(project) == before
    assert [path.name for path in (project / "data/tables").iterdir()] == ["leads"]


def recording(monkeypatch):
    """The InputErrors that fetch raises."""
    fetch, raised = snapshot.fetch, []

    def recorded(source, folder, **how):
        try:
            return fetch(source, folder, **how)
        except InputError as error:
            raised.append(error)
            raise

    monkeypatch.setattr(snapshot, "fetch", recorded)
    return raised


def test_there_are_more_than_twenty_ways_and_each_has_its_own_name():
    assert len({case[0] for case in CASES}) == len(CASES) > 20


def test_rows_broken_in_several_partitions_are_counted_together(project, tmp_path):
    world = small_world()
    world["events"]["type"] = ["", "x", "", "x", "x", "x", ""]
    world["events"]["amount"] = float("inf")
    source = write_parquet(world, tmp_path / "source")
    with pytest.raises(InputError) as error:
        snapshot.fetch(source, project / "data/tables/leads", partition_rows_count=10)
    assert "Table events, column type: must not be missing. 3 rows break" in str(error.value)
    assert "And 1 more rule is broken" in str(error.value)


def test_no_snapshot_is_left_where_there_was_none(tmp_path):
    source = written(cut("deals", 0), write_csv(small_world(), tmp_path / "source"))
    with pytest.raises(InputError):
        snapshot.fetch(source, tmp_path / "tables" / "leads")
    assert list((tmp_path / "tables").iterdir()) == []


def test_a_folder_with_other_things_is_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds something else than a snapshot"):
        snapshot.fetch(tmp_path, tmp_path)
    assert digest(tmp_path) == {"thesis.txt": b"years of work"}


@pytest.mark.parametrize("text", ["a: 1", "tables: 3", "tables: {leads: x}", "tables: {leads: {source: }}", "tables: {deals: {source: x}}"])  # fmt: skip
def test_an_application_without_a_source_is_told_what_to_write(project, monkeypatch, capsys, text):
    (project / "params.yaml").write_text(text)
    monkeypatch.setattr(sys, "argv", ["tierwise", "fetch", "leads"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "Add `tables: {leads: {source: FOLDER}}`" in capsys.readouterr().err
