"""The same rows give the same snapshot, whatever they were kept in; a time is never misread."""

import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm import declared, digest, small_world, typed, write_csv, write_duckdb, write_parquet
from postgresql_server import PASSWORD
from test_leads import QUESTION
from tierwise import files, snapshot, sources
from tierwise.applications import leads
from tierwise.files import InputError
from tierwise.simulation import world as simulated
from tierwise.simulation.settings import Settings


def fetched(source, folder, name="users"):
    """One table of a small snapshot made from `source` at the end of 2026."""
    snapshot.fetch(source, folder / "snapshot", now=pd.Timestamp("2026-12-31"))
    return snapshot.read(snapshot.parts(folder / "snapshot")[0], name)


def bytes_of(source, folder, rows_count=40):
    snapshot.fetch(source, folder, rows_count)
    return digest(folder)


def with_custom_fields():
    """Numbers, text, codes, yes or no, times, and a field that nobody ever filled."""
    world = small_world()
    world["deals"]["score"] = [0.5, None, -3.25, 1e-9, 2e15]
    world["deals"]["hot"] = [True, False, True, True, False]
    world["deals"]["rank"] = pd.array([3, None, -1, 2**60, 0], "Int64")
    world["deals"]["long"] = ["9" * 19, "1", None, "-5", "12"]
    world["deals"]["code"] = ["007", "12", "a,b", 'say "x"\nand y', None]
    world["deals"]["visited_at"] = pd.to_datetime(["2026-01-05 10:11:12.123456", *[None] * 4])
    world["deals"]["never"] = pd.Series([None] * 5, dtype="float64")
    world["deals"]["Ünïcode name"] = ["ß", "日本", None, "é", "ß"]
    return world


# What a source may look like


def test_every_kind_of_source_gives_the_same_bytes(tmp_path):
    world = with_custom_fields()
    made = [
        write_parquet(world, tmp_path / "parquet"),
        write_csv(world, tmp_path / "csv"),
        write_csv(world, tmp_path / "semicolons", "csv.gz", sep=";", lineterminator="\r\n"),
        write_csv(world, tmp_path / "quoted", quoting=1, encoding="utf-8-sig"),
        write_duckdb(world, tmp_path / "crm.duckdb"),
    ]
    digests = [bytes_of(source, tmp_path / "out" / str(i)) for i, source in enumerate(made)]
    for other in digests[1:]:
        assert other == digests[0]
    deals = [snapshot.read(part, "deals") for part in snapshot.parts(tmp_path / "out" / "0")]
    kinds = pd.concat(deals).dtypes.astype(str)
    assert kinds[["score", "hot", "rank", "long", "code", "visited_at", "never"]].tolist() == [
        *("float64", "boolean", "Int64", "str", "str", "datetime64[us]", "str")
    ]


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=5)
events = st.lists(
    st.tuples(
        st.sampled_from(["e1", "e2", "e3", "ä", '"', " x,"]),
        st.integers(1, 4),
        st.none() | st.integers(-(2**62), 2**62),
        st.integers(0, 10**9),
        st.integers(0, 10**7),
        st.sampled_from(["visit", "it's"]),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.none() | texts,
    ),
    max_size=12,
)


@settings(max_examples=3)
@given(events, st.randoms(use_true_random=False))
def test_neither_the_kind_of_source_nor_the_order_of_rows_and_columns_changes_a_byte(rows, random):
    world = small_world()
    kinds = world["events"].dtypes
    rows = [
        (*row[:3], *pd.to_datetime([row[3], row[3] + row[4]], unit="s"), *row[5:]) for row in rows
    ]
    world["events"] = pd.DataFrame(rows, columns=list(kinds.index)).astype(kinds)
    mixed = {
        name: frame.sample(frac=1, random_state=random.randint(0, 999)).iloc[:, ::-1]
        for name, frame in world.items()
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wanted = bytes_of(write_parquet(world, folder / "parquet"), folder / "a", 10**6)
        assert bytes_of(write_csv(mixed, folder / "csv"), folder / "b", 10**6) == wanted
        assert bytes_of(write_duckdb(mixed, folder / "x.duckdb"), folder / "c", 10**6) == wanted


def test_a_path_with_brackets_stars_and_quotes_is_a_path(tmp_path):
    folder = tmp_path / "it's [odd] *"
    for write in (write_parquet, write_csv):
        source = write(small_world(), folder / write.__name__)
        assert len(fetched(source, folder / write.__name__)) == 2


def test_missing_is_an_empty_field_an_empty_text_and_not_a_number(tmp_path):
    world = small_world()
    world["ad_clicks"] = world["ad_clicks"].iloc[[0] * 7].reset_index(drop=True)
    world["ad_clicks"]["click_id"] = list("abcdefg")
    world["ad_clicks"]["campaign"] = ["", None, "x", "", " ", "NA", "nan"]
    world["ad_clicks"]["cost_eur"] = [float("nan")] * 6 + [0.0]
    written = [write_csv(world, tmp_path / "csv"), write_parquet(world, tmp_path / "parquet")]
    first, second = (fetched(source, source, "ad_clicks") for source in written)
    pd.testing.assert_frame_equal(first, second)
    assert first["click_id"].tolist() == list("abcdefg")
    assert first["campaign"].isna().tolist() == [True, True, False, True, False, False, False]
    assert first["cost_eur"].notna().sum() == 1


def test_numbers_that_pandas_made_real_are_ids_again_and_decimals_lose_no_digit(tmp_path):
    import duckdb

    world = small_world()
    world["deals"]["deal_id"] = world["deals"]["deal_id"].astype("float64")
    world["activities"]["activity_id"] = [1.0, 2.0, 3.0, 4.0]
    path = write_duckdb(world, tmp_path / "crm.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("ALTER TABLE users ALTER user_id TYPE DECIMAL(20, 2)")
        connection.execute("UPDATE users SET user_id = 9007199254740993 WHERE user_id = 7")
    assert fetched(path, tmp_path)["user_id"].tolist() == [8, 9007199254740993]
    part = snapshot.parts(tmp_path / "snapshot")[0]
    assert snapshot.read(part, "deals")["deal_id"].tolist() == [11, 12, 21, 31, 32]
    assert sorted(snapshot.read(part, "activities")["activity_id"]) == ["1", "2", "3", "4"]


def test_yes_and_no_are_read_however_they_are_written(tmp_path):
    yes, no = ["true", "True", "T", "yes", "1", "1.0"], ["false", "FALSE", "f", "No", "0", "0.0"]
    world = small_world()
    post = world["job_posts"].iloc[[0] * 12]
    world["job_posts"] = post.assign(post_id=yes + no, salary=yes + no)
    posts = fetched(write_csv(world, tmp_path / "csv"), tmp_path, "job_posts")
    assert posts["salary"].dtype == bool
    assert set(posts.loc[posts["salary"], "post_id"]) == set(yes)


# Times


TIMES = {
    # On 25 October 2026 Berlin's clocks go from 3:00 back to 2:00, so 2:30 comes twice.
    "2026-10-25T02:30:00+02:00": "2026-10-25 00:30:00",
    "2026-10-25T02:30:00+01:00": "2026-10-25 01:30:00",
    # On 29 March 2026 they go from 2:00 on to 3:00: ten minutes lie between these.
    "2026-03-29 01:55:00+01:00": "2026-03-29 00:55:00",
    "2026-03-29 03:05:00+0200": "2026-03-29 01:05:00",
    "2026-03-29 14:05:06 Europe/Berlin": "2026-03-29 12:05:06",
    "2026-03-29 14:05:06-03:30": "2026-03-29 17:35:06",
    "2026-03-29T14:05:06.123456Z": "2026-03-29 14:05:06.123456",
    # without an offset: UTC
    "2026-03-29 02:30": "2026-03-29 02:30:00",
    "2026-03-29": "2026-03-29 00:00:00",
}


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin"])
def test_times_with_an_offset_become_utc_across_daylight_saving_and_others_are_utc(
    tmp_path, monkeypatch, zone
):
    """Whatever the zone of the machine."""
    world = small_world()
    user = world["users"].iloc[[0] * len(TIMES)]
    world["users"] = user.assign(user_id=range(len(TIMES)), known_at=list(TIMES))
    source = write_csv(world, tmp_path / "csv")
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        users = fetched(source, tmp_path).sort_values("user_id")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert [str(one) for one in users["known_at"]] == list(TIMES.values())


def test_zoned_times_and_finer_units_of_parquet_become_utc_in_microseconds(tmp_path):
    world = small_world()
    known = pd.to_datetime(
        ["2026-10-25 02:30:00.123456111+02:00", "2026-10-25 02:30:00.000000000+02:00"]
    )
    world["users"]["known_at"] = known.tz_convert("Asia/Tokyo")
    users = fetched(write_parquet(world, tmp_path / "parquet"), tmp_path)
    assert users["known_at"].dtype == "datetime64[us]"
    assert sorted(str(one) for one in users["known_at"]) == [
        "2026-10-25 00:30:00",
        "2026-10-25 00:30:00.123456",
    ]


# params.yaml


def test_a_path_is_relative_to_the_project_and_an_address_is_not(tmp_path):
    (tmp_path / "params.yaml").write_text(
        "tables:\n  a: {source: raw/crm}\n  b: {source: postgresql://reader@host/crm}\n"
    )
    assert sources.named(tmp_path, "a") == tmp_path / "raw" / "crm"
    assert sources.named(tmp_path, "b") == "postgresql://reader@host/crm"


@pytest.mark.parametrize("name", ["../../esc", "a/b", "a.b", "Leads", "7a", "", "a\n", "a" * 41])
def test_a_name_that_suits_no_folder_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="must be lower-case letters, digits and _") as error:
        sources.named(tmp_path, name)
    assert repr(name) in str(error.value)


# PostgreSQL


def load(address, world, schema="public", types=""):
    """types: further columns, as SQL."""
    execute(address, f"DROP SCHEMA IF EXISTS {schema} CASCADE", f"CREATE SCHEMA {schema}")
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        for name, frame in world.items():
            more = types if name == "deals" else ""
            cursor.execute(f"CREATE TABLE {schema}.{name} ({declared(name)}{more})")
            cursor.adbc_ingest(name, typed(name, frame), mode="append", db_schema_name=schema)
        connection.commit()


def execute(address, *statements):
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


def test_postgresql_gives_the_same_bytes_as_files(server, tmp_path):
    world = with_custom_fields()
    world["deals"] = world["deals"].drop(columns="Ünïcode name")
    types = ", score FLOAT8, hot BOOL, rank BIGINT, long TEXT, code TEXT, visited_at TIMESTAMP, never FLOAT8"
    load(server, world, types=types)
    wanted = bytes_of(write_parquet(world, tmp_path / "parquet"), tmp_path / "a")
    assert bytes_of(server, tmp_path / "b") == wanted


def test_times_of_postgresql_are_utc_whatever_the_session_s_zone(server, tmp_path):
    """The server's sessions live in New York, where 25 October has no change of the clock."""
    load(server, small_world(), "zoned")
    execute(
        server,
        "UPDATE zoned.users SET known_at = '2026-10-25 02:30:00+02:00' WHERE user_id = 7",
        "UPDATE zoned.users SET known_at = '2026-10-25 02:30:00 Europe/Berlin' WHERE user_id = 8",
    )
    users = fetched(f"{server}?schema=zoned", tmp_path).sort_values("user_id")
    assert users["known_at"].astype(str).tolist() == ["2026-10-25 00:30:00", "2026-10-25 01:30:00"]


def test_types_of_postgresql_become_plain_ones(server, tmp_path):
    load(server, small_world(), "typed")
    execute(
        server,
        "CREATE TYPE typed.colour AS ENUM ('red')",
        "ALTER TABLE typed.users ALTER user_id TYPE NUMERIC(30)",
        "ALTER TABLE typed.deals ADD a NUMERIC DEFAULT 1.5, "
        "ADD b UUID DEFAULT '00000000-0000-0000-0000-000000000001', ADD c DATE DEFAULT '2026-01-02', "
        "ADD d JSONB DEFAULT '[1]', ADD e typed.colour DEFAULT 'red', ADD f SMALLINT DEFAULT 3, "
        "ADD g INET DEFAULT '10.0.0.1'",
        "UPDATE typed.users SET user_id = 9007199254740993 WHERE user_id = 7",
    )
    users = fetched(f"{server}?schema=typed", tmp_path)
    assert users["user_id"].tolist() == [8, 9007199254740993]
    deals = snapshot.read(snapshot.parts(tmp_path / "snapshot")[0], "deals")
    assert deals.loc[0, list("abdefg")].tolist() == [
        *(1.5, "00000000-0000-0000-0000-000000000001", "[1]", "red", 3, "10.0.0.1/32")
    ]
    assert deals["c"].astype(str).tolist() == ["2026-01-02"] * 5


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ("ALTER TABLE broken.users ADD tags TEXT[] DEFAULT '{a}'", ["Table users, column tags", "VARCHAR[]", "2 rows"]),
        ("UPDATE broken.users SET known_at = 'infinity' WHERE user_id = 8", ["Table users, column known_at: must be a time", "1 row", "user_id 8"]),
        ("UPDATE broken.users SET known_at = '-infinity'", ["Table users, column known_at: must be a time", "2 rows"]),
        ("ALTER TABLE broken.users RENAME TO user_list", ["Schema broken", "has no table users", "nearest name is user_list"]),
        ("ALTER TABLE broken.users RENAME team TO teams", ["Table users, column team: must be there", "nearest name is teams"]),
    ],
)  # fmt: skip
def test_what_is_wrong_in_postgresql_is_told_like_anywhere_else(server, tmp_path, edit, words):
    load(server, small_world(), "broken")
    execute(server, edit)
    with pytest.raises(InputError) as error:
        snapshot.fetch(f"{server}?schema=broken", tmp_path / "snapshot")
    for word in words:
        assert word in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_password_is_told_without_the_password(server, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "wrong-and-secret")
    with pytest.raises(InputError) as error:
        snapshot.fetch(server, tmp_path / "snapshot")
    assert "password authentication failed" in str(error.value)
    assert "wrong-and-secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_password_file_and_a_unix_socket_work(server, tmp_path, monkeypatch):
    port = server.split(":")[-1].split("/")[0]
    load(server, small_world())
    (tmp_path / "pgpass").write_text(f"*:{port}:*:owner:{PASSWORD}\n")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    assert (
        len(fetched(f"postgresql:///postgres?host=127.0.0.1&port={port}&user=owner", tmp_path)) == 2
    )


def test_without_the_driver_the_message_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    with pytest.raises(InputError, match="pip install 'tierwise\\[postgresql\\]'"):
        snapshot.fetch("postgresql://reader@127.0.0.1:1/crm", tmp_path / "snapshot")


def test_leads_from_each_source_are_the_same_bytes(server, tmp_path):
    """A simulated marketplace, written four ways and read back to examples and their columns."""
    simulated.write(tmp_path / "made", Settings(deals_count=400))
    tables = {
        path.stem: pd.read_parquet(path) for path in sorted((tmp_path / "made").glob("*.parquet"))
    }
    custom = (
        ", closing_note_length_count FLOAT8, final_discount_share FLOAT8, "
        "free_mail_address BOOL, hiring_volume_count FLOAT8, lost_reason TEXT"
    )
    load(server, tables, "market", types=custom)
    sources_of_it = [
        write_parquet(tables, tmp_path / "parquet"),
        write_csv(tables, tmp_path / "csv"),
        write_duckdb(tables, tmp_path / "crm.duckdb"),
        f"{server}?schema=market",
    ]
    found = [examples_of(source, tmp_path / str(at)) for at, source in enumerate(sources_of_it)]
    assert len(found[0][0]) > 10_000
    assert found[1:] == found[:1] * 3


def examples_of(source, folder):
    """The bytes of examples and columns of the question `leads`."""
    snapshot.fetch(source, folder / "tables")
    examples, columns, _ = leads.build(leads.read(folder / "tables", QUESTION), QUESTION)
    for name, table in (("examples", examples), ("columns", columns)):
        files.write_parquet(folder / f"{name}.parquet", table)
    return [(folder / f"{name}.parquet").read_bytes() for name in ("examples", "columns")]
