"""Every hour, for each representative: whom to call first, as CSV, for Excel, and for the phone.

    <folder>/current -> 2026-11-26T09.1     what readers open; moved on by one rename
    <folder>/2026-11-26T09.1/owner-7.csv    .xlsx, .html; nobody.csv for deals without an owner
    <folder>/2026-11-26T08.1/               those before, for whoever is still reading them

.1 is the first writing of that hour. All files of an hour are written to a hidden folder and
brought to disk; then it gets its name, and then `current` points to it. A reader who resolves
`current` once sees the lists of one hour, all of them, until two more hours are written.
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd
from zc.lockfile import LockError, SimpleLockFile

from tierwise.calls.batch import checked, full_hour, lists_of
from tierwise.calls.page import write_page
from tierwise.calls.sheet import write_csv, write_excel
from tierwise.calls.text import file_stem
from tierwise.files import InputError

CURRENT = "current"
HOUR = re.compile(r"\d{4}-\d\d-\d\dT\d\d\.\d+")


def write(
    folder: Path,
    batch: pd.DataFrame,
    scored_at: pd.Timestamp,
    owners: Iterable[str] = (),
    simulated: bool = False,
    why: str = "",
) -> Path:
    """Write the lists of one hour and make them current in one move; returns their folder.

    batch: columns as in batch.BATCH, of which OPTIONAL may be absent; times in UTC.
    scored_at: the full hour, that of the batch too. owners: who gets a list even without a deal;
    nobody always has one. why: what the mark of a turn means, a clause. Raises InputError for a
    batch that breaks a rule, for an hour before the current one, and while another process writes;
    the current lists then stay as they are. Needs a system with symbolic links.
    """
    hour = full_hour(scored_at)
    frame = checked(batch, hour)
    folder = folder.resolve()
    name = f"{hour:%Y-%m-%dT%H}"
    with alone(folder):
        refuse_earlier(folder, name)
        partial = folder / f".{name}.partial"
        partial.mkdir()
        for found in lists_of(frame, hour, owners):
            one = replace(found, simulated=simulated, why=why)
            stem = file_stem(one.owner_id)
            write_csv(partial / f"{stem}.csv", one)
            write_excel(partial / f"{stem}.xlsx", one)
            write_page(partial / f"{stem}.html", one)
        return publish(folder, partial, name)


def current(folder: Path) -> Path:
    """The folder of the lists that hold now. Raises InputError where there are none yet."""
    found = folder / CURRENT
    if not found.is_dir():
        raise InputError(f"{folder} has no lists yet. Score the open deals first.")
    return found.resolve()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One writer at a time. Clears away what a killed one left, and what is left of this one."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = SimpleLockFile(str(folder / ".lock.partial"))
    except LockError as error:
        raise InputError(
            f"{folder} is being written by another process. Wait until it has ended."
        ) from error
    try:
        clear(folder)
        yield
    finally:
        clear(folder)
        lock.close()


def clear(folder: Path) -> None:
    """Hidden folders and links of an unfinished writing."""
    for path in folder.glob(".*.partial"):
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)


def refuse_earlier(folder: Path, name: str) -> None:
    there = current(folder).name.partition(".")[0] if (folder / CURRENT).is_dir() else ""
    if there > name:
        raise InputError(
            f"{folder} has the lists of {there} already, which are later than {name}. "
            "Write the latest hour only."
        )


def publish(folder: Path, partial: Path, name: str) -> Path:
    """Name the finished folder and point `current` to it; those before the former are removed."""
    bring_to_disk(partial)
    former = current(folder) if (folder / CURRENT).is_dir() else None
    made = free_name(folder, name)
    partial.rename(made)
    link = folder / f".{CURRENT}.partial"
    link.symlink_to(made.name, target_is_directory=True)
    os.replace(link, folder / CURRENT)
    for path in folder.iterdir():
        if HOUR.fullmatch(path.name) and path not in (made, former):
            hidden = folder / f".{path.name}.partial"  # never half a folder under its own name
            path.rename(hidden)
            shutil.rmtree(hidden)
    return made


def free_name(folder: Path, name: str) -> Path:
    """One more than the highest number that the hour has."""
    there = [path for path in folder.glob(f"{name}.*") if HOUR.fullmatch(path.name)]
    numbers = [int(path.suffix[1:]) for path in there]
    return folder / f"{name}.{max(numbers, default=0) + 1}"


def bring_to_disk(folder: Path) -> None:
    """A rename may outlive a power cut that the content of the files does not."""
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
