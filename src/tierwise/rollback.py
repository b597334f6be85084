"""Versions of an exported model: put a better one in place, and bring the former one back.

    exports/leads/                      what scores
    exports/leads.versions/3f0c…        former ones, each under the 12 digits of `files.version`
    exports/leads.versions/history.json what was put in place when and why, oldest first
    exports/leads.versions/.next        a copy that is being made ready, or was just replaced

Worked example, killed at any point of the second publish:

    1  copy and check the candidate as .next        v1 scores; .next is thrown away next time
    2  write into history: v2 replaces v1           v1 scores; the entry is dropped next time
    3  exchange leads and .next, in one rename      v2 scores; .next is v1
    4  move .next to its place among the versions   v2 scores; done next time, from history

So what scores is whole at every moment. Where the system has no such rename (it is Linux's), 3 is
two renames; a kill between them leaves no export, and the next call finishes it from history.
Reading several files of an export is not one moment: hold `in_use` while it is loaded.
"""

import ctypes
import errno
import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd

from tierwise import files, scoring
from tierwise.files import InputError
from tierwise.ledger import hand_over
from tierwise.locks import WAIT_SECONDS, held

COLUMNS = ["at", "action", "version", "former", "reason"]
AT_FDCWD, RENAME_EXCHANGE = -100, 2
NOT_THERE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def versions(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.versions")


def in_use(folder: Path, wait_seconds: float = WAIT_SECONDS) -> AbstractContextManager[None]:
    """While the block runs, the export in `folder` is not exchanged."""
    return held(versions(folder) / ".lock", wait_seconds)


def publish(
    folder: Path, candidate: Path, gate: dict[str, Any], now: pd.Timestamp | None = None
) -> pd.DataFrame:
    """Put an export in place of the one in `folder`, which is kept; returns `history`.

    candidate: a folder that `scoring.verify` finds whole, of the same application. gate: of
    `retraining.gate`; its sentence becomes the reason. now: UTC, if not the clock's. A candidate
    that is in place already changes nothing. Raises InputError, and changes nothing, for a gate
    that isn't passed and a candidate that is damaged, without a model or of something else.
    """
    if not gate["passed"]:
        raise InputError(
            f"The gate was not passed: {gate['sentence']} Keep the model in place, or find more "
            "outcomes to judge the candidate by."
        )
    with in_use(folder):
        settle(folder)
        ready = prepared(folder, candidate)
        if folder.exists() and files.version(folder) == files.version(ready):
            shutil.rmtree(ready)
            return history(folder)
        exchange(folder, ready, "publish", gate["sentence"], now)
        return history(folder)


def rollback(folder: Path, reason: str, now: pd.Timestamp | None = None) -> pd.DataFrame:
    """Bring the version back that scored before the present one; returns `history`.

    Again and again it goes further back. The present one is kept. Raises InputError, and changes
    nothing, where there is no former one, or where it was damaged meanwhile.
    """
    with in_use(folder):
        settle(folder)
        wanted = former(events(folder), files.version(folder) if folder.exists() else None)
        if wanted is None:
            raise InputError(
                f"No version came before the one in {folder}: there is nothing to go back to. "
                "Publish another one."
            )
        kept = versions(folder) / wanted
        if not kept.is_dir() or files.version(kept) != wanted:
            how = "was changed since it was kept" if kept.is_dir() else "was not kept"
            raise InputError(
                f"{kept}, the former version, {how}. Bring it back from a backup, or publish "
                "another one."
            )
        exchange(folder, prepared(folder, kept), "rollback", reason, now)
        return history(folder)


def history(folder: Path) -> pd.DataFrame:
    """What was put in place, oldest first: at (UTC), action, version, former, reason, scores, kept.

    scores: this version is in place now. kept: it can still be brought back. The last entry may be
    of a run that was killed before the exchange; the next call of publish or rollback drops it.
    """
    table = pd.DataFrame(events(folder), columns=COLUMNS)
    table["at"] = pd.to_datetime(table["at"]).astype("datetime64[us]")
    now = files.version(folder) if folder.exists() else ""
    last = table.index == table.index.max()
    table["scores"] = last & (table["version"] == now)
    return table.assign(kept=[(versions(folder) / name).is_dir() for name in table["version"]])


def events(folder: Path) -> list[dict[str, Any]]:
    path = versions(folder) / "history.json"
    return files.read_json(path) if path.is_file() else []


def former(told: list[dict[str, Any]], now: str | None) -> str | None:
    """The version before `now`, by what was published and rolled back."""
    before: list[str] = []
    for event in told:
        if event["action"] == "publish":
            if event["former"] and before[-1:] != [event["former"]]:
                before.append(event["former"])  # put in place by somebody else
            before.append(event["version"])
        else:
            while before and before[-1] != event["version"]:
                before.pop()
    if before and before[-1] == now:
        before.pop()
    return before[-1] if before else None


def prepared(folder: Path, source: Path) -> Path:
    """A checked copy of an export beside its future place, on the disk."""
    ready = versions(folder) / ".next"
    if not source.is_dir():
        raise InputError(f"{source} is no folder. Name the folder of an export.")
    shutil.copytree(source, ready)
    try:
        refuse_unfit(folder, source, ready)
    except InputError:
        shutil.rmtree(ready)
        raise
    for path in ready.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    hand_over(ready)
    return ready


def refuse_unfit(folder: Path, source: Path, ready: Path) -> None:
    """Raises InputError unless the copy is whole, has a model, and is of the same application."""
    scoring.verify(ready)
    card = files.read_json(ready / "card.json")
    if not card["model"]:
        raise InputError(f"{source} holds no model: {card['sentence']} Nothing could score.")
    path = folder / "card.json"
    here = files.read_json(path)["application"] if path.is_file() else card["application"]
    if here != card["application"]:
        raise InputError(
            f"{source} is an export of '{card['application']}', and {folder} one of '{here}'. "
            f"Publish it to the folder of '{card['application']}'."
        )


def exchange(folder: Path, ready: Path, action: str, reason: str, now: pd.Timestamp | None) -> None:
    """Write down what is about to happen, do it in one rename, and keep what was in place."""
    at = pd.Timestamp.now("UTC").tz_localize(None).floor("s") if now is None else now
    was = files.version(folder) if folder.exists() else ""
    event = {"at": at, "action": action, "version": files.version(ready), "former": was}
    told = [*events(folder), event | {"reason": reason}]
    files.write_json(versions(folder) / "history.json", told)
    hand_over(versions(folder))
    if not was:
        os.rename(ready, folder)
    elif not swapped(folder, ready):
        put_away(folder, folder, was)
        os.rename(ready, folder)
    hand_over(folder.parent)
    settle(folder)


def swapped(one: Path, other: Path) -> bool:
    """Exchange two folders in one rename; False where the system can't."""
    libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    call = getattr(libc, "renameat2", None)
    if call is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    if call(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in NOT_THERE:
        return False
    raise OSError(code, os.strerror(code), str(one))


def settle(folder: Path) -> None:
    """Finish, or take back, what a killed run has left; see the example above. Hold the lock."""
    ready, told = versions(folder) / ".next", events(folder)
    left = files.version(ready) if ready.exists() and any(ready.iterdir()) else ""
    last = told[-1] if told else {"version": "", "former": ""}
    if left and left == last["version"] and not folder.exists():
        os.rename(ready, folder)  # killed before the second of two renames
        return
    done = folder.exists() and files.version(folder) == last["version"]
    if done and left and left == last["former"]:
        put_away(folder, ready, left)
    if told and not done and left == last["version"]:
        files.write_json(versions(folder) / "history.json", told[:-1])
    for name in (".next", ".old"):
        if (versions(folder) / name).exists():
            shutil.rmtree(versions(folder) / name)


def put_away(folder: Path, path: Path, version: str) -> None:
    """Move an export among the versions; of two with the same bytes, the one that is moved."""
    place, old = versions(folder) / version, versions(folder) / ".old"
    if place.exists():
        os.rename(place, old)
    os.rename(path, place)
    if old.exists():
        shutil.rmtree(old)
