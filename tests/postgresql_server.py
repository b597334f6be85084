"""A throw-away PostgreSQL cluster for tests; its sessions live in New York, PGPASSWORD is its key."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "correct-horse-battery"


def binaries():
    """The folder of PostgreSQL's server, on PATH or where Debian puts it."""
    found = shutil.which("postgres")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


@contextmanager
def running():
    """Its address. Skips the test where there is no server or driver."""
    pytest.importorskip("adbc_driver_postgresql", reason="no driver: tierwise[postgresql]")
    folder = binaries()
    if folder is None:
        pytest.skip(
            "no PostgreSQL server on this machine: neither on PATH nor in /usr/lib/postgresql"
        )
    user = "nobody" if os.geteuid() == 0 else None  # postgres refuses to run as root
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        if user:
            shutil.chown(name, user)
        (Path(name) / "password").write_text(PASSWORD)
        port = free_port()
        run = {
            "user": user,
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            "cwd": name,
        }
        initdb = "-D data -U owner -A scram-sha-256 --pwfile password -E UTF8 --locale C --no-sync"
        subprocess.run([folder / "initdb", *initdb.split()], check=True, **run)
        options = f"-D data -p {port} -k {name} -F -c listen_addresses=127.0.0.1"
        zone = "timezone=America/New_York"
        process = subprocess.Popen([folder / "postgres", *options.split(), "-c", zone], **run)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("PGPASSWORD", PASSWORD)
                address = f"postgresql://owner@127.0.0.1:{port}/postgres"
                wait_for(address)
                yield address
        finally:
            process.terminate()
            process.wait(20)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(address, seconds=30):
    from adbc_driver_postgresql import dbapi

    end = time.monotonic() + seconds
    while True:
        try:
            dbapi.connect(address).close()
            return
        except dbapi.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
