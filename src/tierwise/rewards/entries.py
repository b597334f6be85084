"""Entries of the ledger of rewards: how one is made, what they come to, which ones change nothing.

    approve    pay this reward although it is flagged
    refuse     don't pay it
    pay        it was paid: so many cents to whom
    undo       takes one entry back, which it names; of a payment it is the claw-back: the same
               amount, negative, so that the two sum to zero

A payment can be undone for undo_days after it; later the money has been spent. What was undone is
not paid again before somebody approves it. Approved twice, paid twice, undone twice: the second
entry changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from tierwise import examples as ex
from tierwise.files import InputError

APPROVE, REFUSE, PAY, UNDO = ACTIONS = ("approve", "refuse", "pay", "undo")
KINDS = {
    "entry_id": "str",
    "action": "str",
    "reward_id": "str",
    "at": "datetime64[us]",
    "by": "str",
    "why": "str",
    "amount_cents": "int64",
    "person_id": "Int64",
    "friend_id": "Int64",
    "side": "str",
    "undoes": "str",
}
LONGEST_TEXT = 500


@dataclass
class Standing:
    """What the entries of one reward come to. decided, paid: the entries that hold, if any."""

    decided: list[dict[str, Any]] = field(default_factory=list)
    paid: dict[str, Any] | None = None
    undone: dict[str, Any] | None = None  # of a payment; None once somebody approved again

    @property
    def decision(self) -> dict[str, Any] | None:
        return self.decided[-1] if self.decided else None


@dataclass
class Book:
    """Entries as they were read, what they come to, and the digest of the last line."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    by_id: dict[str, dict[str, Any]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)  # ids of entries that were undone
    standing: dict[str, Standing] = field(default_factory=dict)
    chain: str = ""


def entry(
    action: str,
    reward_id: str,
    by: str,
    at: pd.Timestamp,
    why: str = "",
    **more: Any,
) -> dict[str, Any]:
    """An entry to append. more: amount_cents, person_id, friend_id, side of `pay`; undoes, an
    entry_id, of `undo`. Raises InputError."""
    if action not in ACTIONS:
        raise InputError(f"An entry is one of {', '.join(ACTIONS)}, not {action!r}.")
    for name, text in (("--by", by), ("--why", why)):
        if len(text) > LONGEST_TEXT or not text.isprintable():
            raise InputError(f"{name} is one line of at most {LONGEST_TEXT} characters. Shorten.")
    if not by.strip():
        raise InputError("An entry needs somebody who made it. Say who with --by.")
    at_text = pd.Timestamp(at).floor("us").isoformat()
    made = {"action": action, "reward_id": reward_id, "at": at_text, "by": by, "why": why}
    return made | more


def as_table(entries: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(list(entries), columns=list(KINDS), dtype=object)
    table["amount_cents"] = table["amount_cents"].fillna(0)
    return table.astype(KINDS)


def enter(found: Book, one: dict[str, Any]) -> None:
    """Take an entry into the book and what it comes to; checked by `changes` when it was made."""
    standing = found.standing.setdefault(one["reward_id"], Standing())
    found.entries.append(one)
    found.by_id[one["entry_id"]] = one
    if one["action"] == PAY:
        standing.paid = one
    elif one["action"] == UNDO:
        found.gone.add(one["undoes"])
        target = found.by_id[one["undoes"]]
        if target["action"] == PAY:
            standing.paid, standing.undone = None, one
        standing.decided = [made for made in standing.decided if made is not target]
    else:
        standing.decided.append(one)
        if one["action"] == APPROVE:
            standing.undone = None


def changes(found: Book, one: dict[str, Any], undo_days: float) -> bool:
    """Does this entry change what the ledger says? Raises InputError where it can't be made."""
    standing = found.standing.get(one["reward_id"], Standing())
    if one["action"] == UNDO:
        return undoes_something(found, one, undo_days)
    if one["action"] == PAY:
        if standing.paid is not None:
            return False
        if standing.undone is not None or is_decided(standing, REFUSE):
            state = "was refused" if standing.undone is None else "was paid and undone"
            raise InputError(
                f"Reward {one['reward_id']} {state}; it is paid once somebody approves it."
            )
        return True
    if one["action"] == REFUSE and standing.paid is not None:
        raise InputError(
            f"Reward {one['reward_id']} was paid by entry {standing.paid['entry_id']}. Undo that "
            "entry, then refuse the reward."
        )
    return standing.undone is not None or not is_decided(standing, one["action"])


def is_decided(standing: Standing, action: str) -> bool:
    return standing.decision is not None and standing.decision["action"] == action


def undoes_something(found: Book, one: dict[str, Any], undo_days: float) -> bool:
    """Fills in what is taken back: reward and, of a payment, the negative amount."""
    target = found.by_id.get(one["undoes"])
    if target is None or target["action"] == UNDO:
        state = "is not in the ledger" if target is None else "is an undo itself"
        raise InputError(
            f"Entry {one['undoes']} {state}. Undo an approval, a refusal or a payment; "
            "`tierwise rewards list APPLICATION` shows them."
        )
    if one["undoes"] in found.gone:
        return False
    one["reward_id"] = target["reward_id"]
    if target["action"] == PAY:
        age = pd.Timestamp(target["at"])
        if ex.is_older(age, pd.Timestamp(one["at"]), undo_days * 24):
            raise InputError(
                f"Entry {one['undoes']} was paid at {target['at']}, more than {undo_days:g} days "
                "ago. Payments can be undone for so long; settle this one by hand."
            )
        one["amount_cents"] = -target["amount_cents"]
        one |= {name: target[name] for name in ("person_id", "friend_id", "side")}
    return True
