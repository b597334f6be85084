"""Which rewards are due: who gets how much for which friend, and from when on it may be paid.

    earned_at     when the friend met the condition: its first purchase that we learned of, or its
                  sign-up (paid_when)
    known_at      when we knew both that and to whom the credit goes; nothing is due before
    payable_at    hold_days after known_at: so long there is time to look at it

A sender gets at most most_a_year_count rewards that became known in one calendar year (UTC), the
first ones; the friend's side has no limit. Amounts are whole cents.

Worked example, purchase, 14 days: sign-up on 1 March, credit settled on 8 March, first purchase on
3 March, known the same day. Earned on 3 March, known on 8 March, payable after 22 March.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tierwise import examples as ex
from tierwise.attribution import REFERRED
from tierwise.files import InputError

PURCHASE, SIGN_UP = CONDITIONS = ("purchase", "sign_up")
SENDER, FRIEND = SIDES = ("sender", "friend")
WAITING, HELD, PAYABLE, CAPPED = ("waiting", "held", "payable", "capped")
MOST_EUR, MOST_DAYS = 10_000, 3_650
KINDS = {
    "reward_id": "str",
    "friend_id": "int64",
    "person_id": "int64",
    "side": "str",
    "amount_eur": "float64",
    "earned_at": "datetime64[us]",
    "known_at": "datetime64[us]",
    "payable_at": "datetime64[us]",
    "state": "str",
}


@dataclass(frozen=True)
class Reward:
    """What a brought friend is worth to whom, and when it is paid. most_a_year_count: None, no
    limit."""

    sender_eur: float
    friend_eur: float = 0.0
    paid_when: str = PURCHASE
    hold_days: float = 14.0
    most_a_year_count: int | None = None


def reward_of(given: Mapping[str, Any]) -> Reward:
    """The section `reward` of params.yaml. Raises InputError for what can't be."""
    known = list(Reward.__dataclass_fields__)
    strange = [name for name in given if name not in known]
    if strange or "sender_eur" not in given:
        asked = f"no {strange[0]}" if strange else "always a sender_eur (0 for none)"
        raise InputError(f"A reward has {asked}; it has {', '.join(known)}.")
    reward = Reward(**given)
    for name in ("sender_eur", "friend_eur"):
        amount = getattr(reward, name)
        if not 0 <= amount <= MOST_EUR or abs(amount * 100 - round(amount * 100)) > 1e-6:
            raise InputError(f"{name} must be whole cents from 0 to {MOST_EUR}, not {amount}.")
    if reward.paid_when not in CONDITIONS:
        raise InputError(f"paid_when is {' or '.join(CONDITIONS)}, not {reward.paid_when!r}.")
    if not 0 <= reward.hold_days <= MOST_DAYS:
        raise InputError(f"hold_days must be 0 to {MOST_DAYS}, not {reward.hold_days}.")
    most = reward.most_a_year_count
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 0):
        raise InputError(f"most_a_year_count must be a whole number or null, not {most!r}.")
    return reward


def reward_id(friend_id: int, side: str) -> str:
    """Always the same for one friend and side: 16 digits of a SHA-256."""
    return hashlib.sha256(f"{friend_id}|{side}".encode()).hexdigest()[:16]


def due(
    credits: pd.DataFrame,
    members: pd.DataFrame,
    purchases: pd.DataFrame,
    reward: Reward | Mapping[str, Any],
    as_of: pd.Timestamp,
) -> pd.DataFrame:
    """One row per reward, from what was known before `as_of`; by known_at, waiting ones last.

    credits: rows of `attribution.attributed` (person_id, sender_id, settled_at; only those credited
    by code or click count, if there is a source). Columns: see KINDS; earned_at, known_at and
    payable_at are missing while state is waiting, the condition not met or the credit not settled.
    state: waiting, held (until payable_at), payable, capped. Raises InputError.
    """
    terms = reward if isinstance(reward, Reward) else reward_of(reward)
    friends = credited(credits).merge(
        members[ex.known_before(members, as_of, "known_at")][["person_id", "occurred_at"]],
        left_on="friend_id",
        right_on="person_id",
    )
    first = first_known(purchases, as_of).reindex(friends["friend_id"]).set_axis(friends.index)
    met, learned = first["occurred_at"], first["known_at"]
    if terms.paid_when == SIGN_UP:
        met, learned = friends["occurred_at"], friends["occurred_at"]
    known = ex.later(learned, friends["settled_at"]).where(met.notna())
    found = friends.assign(earned_at=met, known_at=known)
    is_open = ~ex.known_before(found, as_of, "known_at")
    found.loc[is_open, ["earned_at", "known_at"]] = pd.NaT
    found["payable_at"] = ex.horizon_end(found["known_at"], terms.hold_days)
    rows = pd.concat([of_side(found, side, terms) for side in SIDES], ignore_index=True)
    rows["state"] = states(rows, terms, as_of)
    order = ["known_at", "earned_at", "friend_id", "side"]
    return rows[list(KINDS)].astype(KINDS).sort_values(order, ignore_index=True)


def credited(credits: pd.DataFrame) -> pd.DataFrame:
    """friend_id, sender_id, settled_at of those whom somebody brought."""
    missing = [name for name in ("person_id", "sender_id", "settled_at") if name not in credits]
    if missing:
        raise InputError(f"Credits need the column {', '.join(missing)}, as `attributed` gives it.")
    mine = credits["sender_id"].notna()
    if "source" in credits:
        mine &= credits["source"].isin(REFERRED)
    rows = credits.loc[mine, ["person_id", "sender_id", "settled_at"]]
    rows = rows.rename(columns={"person_id": "friend_id"}).astype({"sender_id": "int64"})
    twice = rows["friend_id"].duplicated()
    if twice.any():
        raise InputError(
            f"Friend {rows['friend_id'][twice].iloc[0]} has more than one credit; one friend has "
            "one sender. Attribute sign-ups anew."
        )
    return rows


def first_known(purchases: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Of each buyer the purchase that we learned of first: occurred_at, known_at by person_id.

    Not the first that happened: one that comes late would move what was decided already.
    """
    seen = purchases[ex.known_before(purchases, as_of, "known_at")]
    first = seen.sort_values(["known_at", "occurred_at", "purchase_id"])
    times = ["occurred_at", "known_at"]
    return (
        first.drop_duplicates("person_id").set_index("person_id")[times].astype(KINDS["known_at"])
    )


def of_side(found: pd.DataFrame, side: str, terms: Reward) -> pd.DataFrame:
    """The rewards of one side; none where it gets nothing."""
    amount = terms.sender_eur if side == SENDER else terms.friend_eur
    rows = found if amount > 0 else found.head(0)
    ids = [reward_id(int(friend), side) for friend in rows["friend_id"]]
    who = rows["sender_id"] if side == SENDER else rows["friend_id"]
    made = rows.assign(reward_id=pd.Series(ids, rows.index, dtype="str"), side=side)
    return made.assign(person_id=who, amount_eur=round(amount, 2))


def states(rows: pd.DataFrame, terms: Reward, as_of: pd.Timestamp) -> pd.Series:
    state = pd.Series(HELD, rows.index, dtype="str")
    state[ex.known_before(rows, as_of, "payable_at")] = PAYABLE
    state[over_the_limit(rows, terms.most_a_year_count)] = CAPPED
    state[rows["known_at"].isna()] = WAITING
    return state


def over_the_limit(rows: pd.DataFrame, most: int | None) -> pd.Series:
    """Rewards of senders beyond the first so many that became known in one calendar year."""
    over = pd.Series(False, rows.index)
    if most is None:
        return over
    mine = rows[(rows["side"] == SENDER) & rows["known_at"].notna()]
    mine = mine.sort_values(["known_at", "earned_at", "friend_id"])
    place = mine.groupby(["person_id", mine["known_at"].dt.year]).cumcount()
    over[place.index[place >= most]] = True
    return over
