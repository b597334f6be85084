"""What asking to invite changes, and what the reward brings, against those who are never asked.

Who is never asked is drawn by lot for good, so both groups differ by luck and by the asking alone
(by intention to treat, Fisher 1935). Members who brought each other share their luck: intervals
are of whole trees of referrals. The money of somebody asked is

    buyers * (margin - reward of both sides) - contact

the reward being paid for every friend who buys, those included who would have been brought without
it; of somebody never asked it is buyers * margin, as if there were no reward at all. The difference
is what the programme brings, see `targeting.pays`. Who would have signed up even though nobody
invited them can't be told from the lot: they count as brought.

From whom asking changes most can be learned only from what asking has not changed itself: what
somebody sent may come from being asked, so that those who sent much would not be alike in both
groups. All scores compared here rest on the other columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.referrals import referral_chains
from tierwise.targeting import effects, pays

LEAST_COUNT = 100  # never asked, below which nothing is said


@dataclass(frozen=True)
class Reward:
    """In euros: margin of a friend who buys, rewards of both sides, and asking once."""

    margin_eur: float
    sender_eur: float
    friend_eur: float
    contact_eur: float
    most_a_year_count: float = np.inf  # of friends for whom a sender is rewarded

    @property
    def both_eur(self) -> float:
        return self.sender_eur + self.friend_eur

    @property
    def kept_eur(self) -> float:
        """Of a friend who buys, when the reward is paid."""
        return self.margin_eur - self.both_eur


def reward_of(reward: Mapping[str, Any], margin_eur: float, contact_eur: float) -> Reward:
    """From params.yaml. Raises InputError for money that can't be paid."""
    found = Reward(
        margin_eur, reward["sender_eur"], reward["friend_eur"], contact_eur,
        reward.get("most_a_year_count", np.inf),
    )  # fmt: skip
    amounts = (margin_eur, found.sender_eur, found.friend_eur, contact_eur)
    if min(amounts) < 0 or not np.isfinite(amounts).all():
        raise InputError(
            "params.yaml: margin_eur, contact_eur, sender_eur and friend_eur must be 0 or more; "
            f"they are {', '.join(f'{one:g}' for one in amounts)}."
        )
    return found


def trees(credits: pd.DataFrame) -> pd.Series:
    """root_id by person_id: members who brought each other, however far, have the same one."""
    forest = referral_chains.forest(credits[["person_id", "sender_id"]])
    return forest.set_index("person_id")["root_id"]


def has_lot(rows: pd.DataFrame) -> bool:
    """Are enough people kept from being asked, to compare with?"""
    return int(rows["never_asked"].sum()) >= LEAST_COUNT


def told(rows: pd.DataFrame, reward: Reward, root: pd.Series) -> dict[str, Any]:
    """What asking changed: asked_count, never_asked_count, asked_share and never_asked_share (that
    bring a buyer), effect, low, high of their difference, and money, of `pays.pays`.

    rows: person_id, never_asked, outcome, buyers_count; root: of `trees`.
    """
    cluster = root.reindex(rows["person_id"]).to_numpy("int64")
    outcome, treated = rows["outcome"].to_numpy("float64"), ~rows["never_asked"].to_numpy("bool")
    found = effects.difference(outcome, treated, cluster)
    price = (reward.margin_eur, reward.both_eur, reward.contact_eur)
    return {
        "asked_count": int(treated.sum()),
        "never_asked_count": int((~treated).sum()),
        "asked_share": float(outcome[treated].mean()),
        "never_asked_share": float(outcome[~treated].mean()),
        **dict(zip(("effect", "low", "high"), (found.value, *found.ends), strict=True)),
        "money": pays.pays(rows["buyers_count"].to_numpy("float64"), treated, *price, cluster),
    }


def told_of(
    windows: Mapping[str, pd.DataFrame], reward: Reward, root: pd.Series
) -> dict[str, dict[str, Any]]:
    """`told` of each stretch of time that has enough who are never asked, by its name."""
    return {name: told(rows, reward, root) for name, rows in windows.items() if has_lot(rows)}


def ratio(found: Mapping[str, Any] | None) -> float | None:
    """How many times as many bring a buyer when asked; None where nobody knows.

    found: of `told`. 1 at least, so that nobody is expected to bring fewer: asking that does harm
    then pays nowhere. Half a member is added to both, so that none never makes it endless.
    """
    if found is None:
        return None
    asked, never = (
        (found[f"{name}_share"] * found[f"{name}_count"] + 0.5) / (found[f"{name}_count"] + 1)
        for name in ("asked", "never_asked")
    )
    return float(max(asked / never, 1.0))
