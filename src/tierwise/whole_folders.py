"""A folder that is replaced as a whole: one writer at a time, and a kill leaves the earlier one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tierwise.files import InputError
from tierwise.locks import Lock, LockError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One writer of a snapshot at a time. Brings back, or takes away, what a killed one left."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_name(f".{folder.name}.lock.partial")
    try:
        lock = Lock(path)
    except LockError as error:
        raise InputError(
            f"{folder} is being written by another process, which holds {path.name}. Wait until "
            "it has ended, then try again."
        ) from error
    try:
        restore(folder)
        for left in folder.parent.glob(f".{folder.name}.*.partial"):
            if left.is_dir():
                shutil.rmtree(left)
        yield
    finally:
        with suppress(PermissionError):  # Windows keeps an open file
            path.unlink()
        lock.close()


def hidden(folder: Path) -> Path:
    """Where the earlier snapshot is while the new one takes its place."""
    return folder.with_name(f".{folder.name}.earlier")


def restore(folder: Path) -> None:
    if hidden(folder).exists() and not folder.exists():
        os.replace(hidden(folder), folder)


def swap(made: Path, folder: Path) -> None:
    if folder.exists():
        if hidden(folder).exists():  # of a run that was killed when all but this was done
            shutil.rmtree(hidden(folder))
        os.replace(folder, hidden(folder))
    try:
        os.replace(made, folder)
    finally:
        restore(folder)
    if hidden(folder).exists():
        shutil.rmtree(hidden(folder))
