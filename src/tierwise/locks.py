"""One process at a time, however many are started; what a killed one held is free at once."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zc.lockfile import LockError, SimpleLockFile

from tierwise.files import InputError

WAIT_SECONDS = 60.0
PAUSE_SECONDS = 0.02


class Lock(SimpleLockFile):
    """The system gives it back when its process dies. Its file is removed when it is given back."""

    def _on_lock(self) -> None:
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self._path), os.fstat(self._fp.fileno())):
                return
        self.close()  # opened just before another process removed it
        raise LockError(self._path)


@contextmanager
def held(path: Path, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of this file while the block runs; others wait for it.

    The system gives it back when the process dies. The file is never removed, so that nobody can
    lock a new one while the old is still held. Raises InputError when the wait was in vain.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = waited(path, wait_seconds)
    try:
        yield
    finally:
        lock.close()


def waited(path: Path, wait_seconds: float) -> SimpleLockFile:
    until = time.monotonic() + wait_seconds
    while True:
        try:
            return SimpleLockFile(str(path))
        except LockError as error:
            if time.monotonic() >= until:
                raise InputError(
                    f"Another process has held {path} for more than {wait_seconds:g} seconds. "
                    "Wait until it has ended, then try again."
                ) from error
        time.sleep(PAUSE_SECONDS)
