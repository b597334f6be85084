"""The process of the intake: one loop that reads requests, one thread that writes events.

More processes would take turns at the same disk; what one gives is in benchmarks/README.md. Behind
it belongs a supervisor such as systemd, before it a proxy that ends TLS.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
from pathlib import Path

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from tierwise.files import InputError
from tierwise.intake import keys, schemas
from tierwise.intake.app import Intake, now
from tierwise.intake.limits import Limits
from tierwise.intake.writer import Writer

LOG = logging.getLogger("tierwise.intake")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONNECTIONS_COUNT = 256  # each holds a body at most
HEAD_BYTES = 65_536
# Reading and writing take turns at the interpreter; at 5 ms each commit would wait long.
SWITCH_SECONDS = 0.0005
GARBAGE_COUNT = 100_000  # a request leaves no circles, so they are rarely looked for


def folder_of(root: Path) -> Path:
    """Where the events of a project lie, which git does not have."""
    return root / "data" / "intake"


def keys_path(root: Path) -> Path:
    return folder_of(root) / "write_keys.json"


def run(root: Path, host: str = "127.0.0.1", port: int = 8001) -> None:
    """Serve until SIGTERM or SIGINT, then end the process. InputError where no key is valid.

    host: of another than this machine only behind a proxy that ends TLS, for keys travel in clear.
    The exit code is 1 if events could no longer be written.
    """
    must_be_ready(root)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.INFO)
    if host not in LOOPBACK:
        LOG.warning("keys travel in clear on %s: put a proxy before it that ends TLS", host)
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(GARBAGE_COUNT)
    status = asyncio.run(until_stopped(root, host, port))
    # All is written. Threads of the server may still wait for the interpreter; were it torn down
    # now, one of them would at times be ended inside native code and abort the process.
    logging.shutdown()
    os._exit(status)


def must_be_ready(root: Path) -> None:
    """Raises InputError without a valid key, or where a schema can't be read."""
    found = [key for key in keys.listed(keys_path(root)) if not key.revoked_at]
    if not found:
        raise InputError(f"{keys_path(root)} has no valid key. Create one first.")
    shelf = schemas.Shelf(root)
    for key in found:
        if key.schema_file:
            shelf.find(key.schema_file)


async def until_stopped(root: Path, host: str, port: int) -> int:
    """The exit code. Granian as embedded server: the application is an object here."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    writer = Writer(folder_of(root), loop, now, gone=stop.set)
    intake = Intake(keys.Ring(keys_path(root), root), writer, Limits())
    server = Server(
        intake,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backpressure=CONNECTIONS_COUNT,
        http1_settings=HTTP1Settings(header_read_timeout=10_000, max_buffer_size=HEAD_BYTES),
        log_dictconfig={"version": 1, "disable_existing_loggers": False},
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        server.stop()
    await serving
    failed = writer.failed
    writer.close()
    LOG.info("%s", intake.tally.line())
    return int(failed)
