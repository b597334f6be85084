"""The CRM or the database fails in mid-hour: borne, or one message; the next run ends the hour."""

import logging
import os
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("httpx", reason="needs the extra hourly")
pytest.importorskip("xlsxwriter", reason="needs the extra hourly")
pytest.importorskip("apscheduler", reason="needs the extra hourly")

import fake_pipedrive as fp
import faulty_hour as fh
import postgresql_server
from tierwise import files, postgresql, snapshot
from tierwise.connectors import ingest


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("TEST_TOKEN", fp.TOKEN)


@pytest.fixture(scope="module")
def after_one(tmp_path_factory):
    return fh.first_hour(tmp_path_factory.mktemp("hour"))


@pytest.fixture(scope="module")
def undisturbed(after_one, tmp_path_factory):
    return fh.undisturbed(after_one, tmp_path_factory.mktemp("good"))


@pytest.fixture
def second(after_one, tmp_path, monkeypatch):
    """The project before its second hour, and its company."""
    root, fake = fh.copied(after_one, tmp_path)
    monkeypatch.chdir(root)
    return root, fake


@pytest.fixture
def lines(caplog, monkeypatch):
    """The log of the hour: its errors, one line each."""
    monkeypatch.setattr(fh.LOG, "propagate", True)
    caplog.set_level(logging.INFO, fh.LOG.name)
    return lambda: [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]


# a CRM that fails in the middle

FAULTS = [
    ("expired", 1, "TEST_TOKEN"),
    ("html 403", 10, "Pipedrive told us to wait"),
    ("429 without headers", 1, ""),
    ("truncated", 1, ""),
    ("reset", 1, ""),
]


@pytest.mark.parametrize(("fault", "count", "word"), FAULTS, ids=[row[0] for row in FAULTS])
@pytest.mark.parametrize("step", ["ingest", "push"])
def test_a_fault_of_the_crm_in_mid_hour_is_borne_or_one_message(
    second, undisturbed, lines, monkeypatch, step, fault, count, word
):
    """Where the token has expired or we are blocked, the step ends; all else is waited for."""
    root, fake = second
    pass_time(monkeypatch, fake)
    with fh.reaching(fake):
        if step == "push":
            fh.run(root, fh.SECOND, upto=2)
        calls_count = 9 if step == "ingest" else 1 if count > 1 else 3
        fake.coming.extend([None] * calls_count + [fault] * count)
        outcomes = fh.run(root, fh.SECOND)
    said = [line for line in lines() if line.startswith("step=")]
    assert fake.counts[fault] >= 1
    assert fake.counts["went_on_after_429"] == 0
    assert outcomes[step] == ("failed" if word else "done")
    assert len(said) == list(outcomes.values()).count("failed")
    assert word in "".join(said)
    assert fp.TOKEN not in "".join(said)
    fake.coming.clear()
    fake.clock.now += 3600
    early = word and step == "ingest"  # it was scored from the tables of an hour ago, and stays so
    fh.ended(root, fake, {name: undisturbed[name] for name in TABLES} if early else undisturbed)


TABLES = ("tables", "data_until")


def test_what_a_block_keeps_from_being_written_comes_with_the_next_hour(
    second, undisturbed, monkeypatch
):
    """Blocked after the first write: the others are postponed, and written once."""
    root, fake = second
    pass_time(monkeypatch, fake)
    with fh.reaching(fake):
        fh.run(root, fh.SECOND, upto=2)
        fake.coming.extend([None] * 3 + ["html 403"])
        assert fh.run(root, fh.SECOND)["push"] == "done"
        assert fh.state(root, fake)["writes"] != undisturbed["writes"]
        fake.clock.now += 3600
        fh.write_back.write_back(root, "leads", dry_run=False)
    fh.ended(root, fake, undisturbed)


def pass_time(monkeypatch, fake):
    """Pauses pass on the fake's clock."""
    made = fh.write_back.Allowance

    def allowance(*values, **how):
        return made(*values, clock=fake.clock, sleep=fake.clock.sleep, **how)

    monkeypatch.setattr(fh.write_back, "Allowance", allowance)


# PostgreSQL is restarted


class Stopping:
    """A cursor whose server is killed before so manieth table is written."""

    def __init__(self, cursor, server, number):
        self.cursor, self.server, self.number = cursor, server, number

    def adbc_ingest(self, name, table, **how):
        self.number -= 1
        if self.number == 0:
            self.server.kill()
        self.cursor.adbc_ingest(name, table, **how)
        if self.number == 1 and name == "ad_clicks":
            self.server.kill()  # all is written, and nothing is settled yet

    def __getattr__(self, name):
        return getattr(self.cursor, name)


class Server:
    """The throw-away cluster, to be killed with all its children and started anew."""

    def __init__(self, address):
        from adbc_driver_postgresql import dbapi

        self.address, self.process = address, None
        with dbapi.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT setting FROM pg_settings WHERE name = 'data_directory'")
            self.folder = Path(cursor.fetchone()[0])
        self.port = address.rpartition(":")[2].partition("/")[0]

    def pid(self):
        return int((self.folder / "postmaster.pid").read_text().split()[0])

    def kill(self):
        pid = self.pid()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for number in (pid, *map(int, children)):
            os.kill(number, signal.SIGKILL)
        if self.process:
            self.process.wait(20)
        else:
            os.waitpid(pid, 0)  # or the next one would take it for alive

    def start(self):
        options = f"-D {self.folder} -p {self.port} -k {self.folder.parent} -F"
        line = [postgresql_server.binaries() / "postgres", *options.split()]
        line += ["-c", "listen_addresses=127.0.0.1", "-c", "timezone=America/New_York"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        user = "nobody" if os.geteuid() == 0 else None
        self.process = subprocess.Popen(line, user=user, cwd=self.folder.parent, **quiet)
        postgresql_server.wait_for(self.address)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)


@pytest.fixture
def server():
    if not Path("/proc/self/task").is_dir():
        pytest.skip("finds the server's processes in /proc")
    with postgresql_server.running() as address:
        found = Server(address)
        yield found
        found.stop()


def rows_in(address, folder):
    """table -> its rows, as text."""
    folder.mkdir()
    postgresql.copy(address, folder)
    return {path.stem: pd.read_parquet(path).to_csv() for path in sorted(folder.iterdir())}


def test_a_database_that_is_killed_in_mid_landing_keeps_the_earlier_tables(
    server, undisturbed, tmp_path, monkeypatch, lines
):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    root = tmp_path / "project"
    fake = fh.project(root, place=server.address)
    reached = postgresql.reached
    with fh.reaching(fake):
        assert fh.run(root, fh.FIRST) == fh.GOOD
        before = rows_in(server.address, tmp_path / "before")
        about = snapshot.about(root / "data/tables/leads")
        fh.moved_on(fake)
        for number in (1, 5, 10):

            @contextmanager
            def stopping(address, number=number):
                with reached(address) as (cursor, schema, place):
                    yield Stopping(cursor, server, number), schema, place

            with monkeypatch.context() as patch:
                patch.setattr(postgresql, "reached", stopping)
                with pytest.raises(files.InputError) as caught:
                    ingest.ingest(root, "leads")
            assert "can't be read or written" in str(caught.value)
            assert "\n" not in str(caught.value)
            assert postgresql_server.PASSWORD not in str(caught.value)
            server.start()
            assert rows_in(server.address, tmp_path / f"after {number}") == before
            assert snapshot.about(root / "data/tables/leads") == about
    fh.ended(root, fake, undisturbed)
    assert rows_in(server.address, tmp_path / "in the end") != before
