"""The log of the hours: one line for each step, in logs/hourly/<application>.log and on stderr.

Times are UTC in ISO form. The file is of bounded size, with a few earlier ones beside it. Whatever
the environment holds as a token, secret, password or key is blotted out of every line, tracebacks
too, as is a password inside an address.
"""

import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

FILE_BYTES, EARLIER_COUNT = 1_000_000, 5
SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|KEY|WHSEC", re.IGNORECASE)
SHORTEST_SECRET = 6  # shorter ones, such as "1", would blot out half the log
PASSWORD_IN_ADDRESS = re.compile(r"(?<=://)([^\s/@:]*):[^\s/@]+@")
BLOT = "[secret]"


class Blotted(logging.Formatter):
    """UTC ISO times, no secret of the environment."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        return blotted(super().format(record))


def blotted(text: str) -> str:
    """The text without the secrets that the environment holds now."""
    found = {
        value.strip()
        for name, value in os.environ.items()
        if SECRET_NAME.search(name) and len(value.strip()) >= SHORTEST_SECRET
    }
    for value in sorted(found, key=len, reverse=True):  # one may hold another
        text = text.replace(value, BLOT)
    return PASSWORD_IN_ADDRESS.sub(rf"\1:{BLOT}@", text)


def path_of(root: Path, application: str) -> Path:
    """logs/hourly/<application>.log"""
    return root / "logs" / "hourly" / f"{application}.log"


@contextmanager
def opened(root: Path, application: str) -> Iterator[logging.Logger]:
    """A log that writes to the file and to stderr while the block runs."""
    path = path_of(root, application)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = RotatingFileHandler(path, "a", FILE_BYTES, EARLIER_COUNT, "utf-8", delay=True)
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr), file]
    log = logging.getLogger(f"tierwise.hourly.{application}")
    # APScheduler tells of jobs that fail, too; we do so ourselves, so only its own troubles count.
    within, jobs = logging.getLogger("apscheduler.scheduler"), logging.getLogger("apscheduler")
    jobs.handlers = [logging.NullHandler()]
    log.propagate = within.propagate = jobs.propagate = False
    log.setLevel(logging.INFO)
    within.setLevel(logging.ERROR)
    for handler in handlers:
        handler.setFormatter(Blotted())
        log.addHandler(handler)
        within.addHandler(handler)
    try:
        yield log
    finally:
        for handler in handlers:
            log.removeHandler(handler)
            within.removeHandler(handler)
            handler.close()


def let_go(log: logging.Logger) -> None:
    """Close the file until the next line: another process may move it to make room meanwhile."""
    for handler in log.handlers:
        if isinstance(handler, RotatingFileHandler):
            handler.close()
