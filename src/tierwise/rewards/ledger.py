"""The ledger of rewards: what was decided and what was paid, in lines that are only ever added.

    <folder>/ledger.jsonl    one entry a line; its `chain` is a digest of all lines before it and of
                             itself, so a line that was changed or taken out is noticed
    <folder>/.lock           held while entries are added

Nothing is ever removed: what was wrong is undone by another entry, see `entries`. One that changes
nothing is not written, so whatever is repeated, by hand or after a kill, pays nobody twice.

A line is written at once with its end and forced to disk. A kill in the middle leaves a line
without an end: it was never said to be done, is not read, and is cut off before the next is added.

`states` says what all comes to, the first rule that holds:

    paid, undone                      by entries; what was paid stays paid, whatever is due today
    refused                           by an entry, or since the flag was confirmed
    held                              due, but flagged and neither reviewed nor approved
    waiting, held, payable, capped    as in `due`
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.locks import held
from tierwise.rewards import due as rd
from tierwise.rewards.entries import REFUSE, Book, Standing, as_table, changes, enter

NAME, LOCK = "ledger.jsonl", ".lock"
REFUSED, PAID, UNDONE = ("refused", "paid", "undone")
STATES = (rd.WAITING, rd.HELD, rd.PAYABLE, rd.CAPPED, REFUSED, PAID, UNDONE)
# Of flags, as `referral_fraud` hands them on.
OPEN, CONFIRMED, CLEARED = FLAG_STATES = ("to be reviewed", "confirmed", "cleared")
KINDS = {
    **rd.KINDS,
    "why": "str",
    "by": "str",
    "at": "datetime64[us]",
    "entry_id": "str",
    "is_flagged": "bool",
}


def read(folder: Path) -> pd.DataFrame:
    """All entries in their order, columns KINDS; none where there is no ledger yet. Raises
    InputError for a line that was changed."""
    return as_table(book(folder).entries)


def unfinished(folder: Path) -> int:
    """Bytes of a last line that a kill left without an end; they count for nothing."""
    content = content_of(folder)
    return len(content) - (content.rfind(b"\n") + 1)


def content_of(folder: Path) -> bytes:
    path = folder / NAME
    return path.read_bytes() if path.is_file() else b""


def book(folder: Path) -> Book:
    """The whole ledger. Raises InputError for a line that was changed, added or taken out."""
    found = Book()
    content = content_of(folder)
    for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), 1):
        try:
            one = json.loads(line)
            chain, entry_id = one.pop("chain"), one.pop("entry_id")
        except (ValueError, KeyError, AttributeError, TypeError):
            chain = entry_id = None
        if entry_id is None or digest(found.chain, one, entry_id) != chain:
            raise InputError(
                f"{folder / NAME}, line {number}, is not as it was written, or a line before it is "
                "missing. Bring the file back from a backup; undo what is wrong by an entry."
            )
        one["entry_id"] = entry_id
        enter(found, one)
        found.chain = chain
    return found


def digest(before: str, one: Mapping[str, Any], entry_id: str) -> str:
    text = json.dumps([before, entry_id, one], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def append(
    folder: Path, entries: Iterable[Mapping[str, Any]], undo_days: float = 14.0
) -> list[dict[str, Any]]:
    """Add the entries that change something, in their order; returns these, with their entry_id.

    All are checked before the first is written. Raises InputError for what can't be: to refuse or
    undo what was paid too long ago, to pay what was refused, to undo what is not there.
    """
    with held(folder / LOCK):
        found, lines, added = book(folder), [], []
        for given in entries:
            one = dict(given)
            if not changes(found, one, undo_days):
                continue
            number = len(found.entries) + 1
            one["entry_id"] = f"{number:06d}-{digest('', one, str(number))[:8]}"
            enter(found, one)
            body = {key: value for key, value in one.items() if key != "entry_id"}
            found.chain = digest(found.chain, body, one["entry_id"])
            line = {"entry_id": one["entry_id"], **body, "chain": found.chain}
            lines.append(json.dumps(line, ensure_ascii=True) + "\n")
            added.append(one)
        if lines:
            write(folder / NAME, "".join(lines).encode())
        return added


def write(path: Path, content: bytes) -> None:
    """After the last whole line, at once, forced to disk. The lock is held."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        whole = path.read_bytes().rfind(b"\n") + 1
        os.ftruncate(handle, whole)
        os.lseek(handle, whole, os.SEEK_SET)
        left = memoryview(content)
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    if not whole:  # a new file: its name must last, too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


# What it all comes to


def states(
    due: pd.DataFrame, entries: pd.DataFrame, flags: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Rewards with their state and why, who decided it, when, and by which entry; columns KINDS.

    due: of `due.due`. entries: of `read`. flags: person_id (the friend), state (one of
    FLAG_STATES) and group_id; None or empty, nobody is flagged. Rewards that were paid and are no
    longer due come last, with the amount that was paid. In the order of `due`.
    """
    book = Book()
    for one in entries.to_dict("records"):
        enter(book, one)
    rows = pd.concat([due, no_longer_due(due, book)], ignore_index=True)
    flag = flag_of(rows, flags)
    is_flagged = (flag["state"] == OPEN).to_numpy()
    nothing = Standing()
    told = [
        stated(state, book.standing.get(one, nothing), flagged, group)
        for one, state, flagged, group in zip(
            rows["reward_id"], rows["state"], flag["state"], flag["group_id"], strict=True
        )
    ]
    columns = ["state", "why", "by", "at", "entry_id", "amount_cents"]
    stating = pd.DataFrame(told, columns=columns, index=rows.index)
    paid = stating.pop("amount_cents").astype("float64") / 100
    rows = rows.assign(**stating, is_flagged=is_flagged)
    rows["amount_eur"] = np.where(paid.notna(), paid, rows["amount_eur"])
    return rows[list(KINDS)].astype(KINDS)


def stated(state: str, standing: Standing, flag: Any, group: Any) -> tuple[Any, ...]:
    """state, why, by, at, entry_id, and the cents that were paid: the first rule that holds."""
    decision = standing.decision
    if standing.paid is not None:
        return said(PAID, standing.paid, standing.paid["amount_cents"])
    if standing.undone is not None:
        return said(UNDONE, standing.undone, -standing.undone["amount_cents"])
    if decision is not None and decision["action"] == REFUSE:
        return said(REFUSED, decision)
    if decision is not None:
        return said(state, decision)
    if flag == CONFIRMED:
        return (REFUSED, f"flag of group {group} was confirmed", "", None, "", None)
    if flag == OPEN:
        held = rd.HELD if state == rd.PAYABLE else state
        return (held, f"group {group} is to be reviewed", "", None, "", None)
    return (state, "", "", None, "", None)


def said(state: str, entry: dict[str, Any], cents: int | None = None) -> tuple[Any, ...]:
    return (state, entry["why"], entry["by"], entry["at"], entry["entry_id"], cents)


def flag_of(rows: pd.DataFrame, flags: pd.DataFrame | None) -> pd.DataFrame:
    """state and group_id of the flag of each reward's friend, missing where there is none.

    Of several the strictest counts: confirmed, to be reviewed, cleared.
    """
    if flags is None or flags.empty:
        flags = pd.DataFrame({"person_id": [], "state": [], "group_id": []})
    order = {CONFIRMED: 0, OPEN: 1, CLEARED: 2}
    first = flags.assign(rank=flags["state"].map(order)).sort_values(["rank", "group_id"])
    by_friend = first.drop_duplicates("person_id").set_index("person_id")
    return by_friend[["state", "group_id"]].reindex(rows["friend_id"]).reset_index(drop=True)


def no_longer_due(due: pd.DataFrame, book: Book) -> pd.DataFrame:
    """What was paid, or paid and undone, and is not among the rewards that are due today."""
    known = set(due["reward_id"])
    rows = []
    for reward_id in sorted(set(book.standing) - known):
        standing = book.standing[reward_id]
        entry = standing.paid or standing.undone
        if entry is not None:
            names = ("reward_id", "friend_id", "person_id", "side")
            amount = abs(entry["amount_cents"]) / 100
            row = {name: entry[name] for name in names}
            rows.append(row | {"amount_eur": amount, "state": rd.WAITING})
    made = pd.DataFrame(rows, columns=list(rd.KINDS))
    return made.astype(rd.KINDS)


def sums(states: pd.DataFrame) -> pd.DataFrame:
    """state, reward_count, amount_eur of each of STATES; amounts to the cent, undone ones 0.

    An undone payment was paid and taken back: its entries sum to zero.
    """
    cents = (states["amount_eur"] * 100).round().astype("int64")
    cents = cents.where(states["state"] != UNDONE, 0)
    by = cents.groupby(states["state"].astype("object"))
    table = pd.DataFrame({"reward_count": by.size(), "amount_eur": by.sum() / 100})
    table = table.reindex(list(STATES)).fillna(0.0).rename_axis("state").reset_index()
    return table.astype({"reward_count": "int64"})
