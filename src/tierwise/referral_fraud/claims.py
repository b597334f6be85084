"""Who claims whom: friends that were credited to a sender, and those that the rules refused.

A refused claim earns nothing, so nobody needs to look at it. But it tells of its sender: whoever
tried five times to bring an account with the device of another one may have tried a sixth time
with a new device.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tierwise import attribution
from tierwise import examples as ex
from tierwise.attribution import ITSELF, REFERRED

# Reasons of `attribution` that honest friends seldom have. The others say only that it was late.
BLOCKED = ("own link", "same device", "same payment", "same visitor", "existing account")


def claims(
    tables: Mapping[str, pd.DataFrame],
    credited: pd.DataFrame,
    as_of: pd.Timestamp,
    rules: Mapping[str, Any],
) -> pd.DataFrame:
    """A row per friend of whom we know who claims it, by friend_id.

    credited: of `attribution.attributed` with the same as_of and rules. Columns: friend_id,
    sender_id, is_credited, refused (a reason of BLOCKED, or missing), and of the sign-up
    occurred_at, known_at, device_id, payment_id, visitor_id, address_id.
    """
    people = known(tables["members"], as_of).set_index("person_id")
    mine = credited["source"].isin(REFERRED) & credited["sender_id"].notna()
    good = credited.loc[mine, ["person_id", "sender_id"]].assign(is_credited=True)
    tried = credited[(credited["source"] == ITSELF) & credited["refused"].isin(BLOCKED)]
    bad = tried[["person_id", "refused"]].assign(is_credited=False)
    bad["sender_id"] = bad["person_id"].map(senders(tables, people, bad["person_id"], as_of, rules))
    bad = bad[bad["sender_id"].isin(people.index)]
    rows = pd.concat([good, bad], ignore_index=True).rename(columns={"person_id": "friend_id"})
    kinds = {"friend_id": "int64", "sender_id": "int64", "is_credited": "bool", "refused": "str"}
    rows = rows.reindex(columns=list(kinds)).astype(kinds).sort_values("friend_id")
    traits = ["occurred_at", "known_at", "device_id", "payment_id", "visitor_id", "address_id"]
    return rows.join(people[traits], on="friend_id").reset_index(drop=True)


def known(table: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    return table[ex.known_before(table, as_of, "known_at")]


def senders(
    tables: Mapping[str, pd.DataFrame],
    people: pd.DataFrame,
    friends: pd.Series,
    as_of: pd.Timestamp,
    rules: Mapping[str, Any],
) -> pd.Series:
    """Whose link each of these friends used, by person_id: of its code, else the last it clicked on
    in the same browser before it signed up."""
    owner = known(tables["links"], as_of).set_index("link_id")["person_id"]
    rows = people.loc[people.index.isin(friends)]
    typed = rows["code"].str.strip().map(owner)
    skew = pd.Timedelta(minutes=attribution.rules_of(rules).skew_minutes)
    clicks = known(tables["clicks"], as_of)[["click_id", "link_id", "visitor_id", "occurred_at"]]
    browsers = rows.reset_index()[["person_id", "visitor_id", "occurred_at"]]
    seen = clicks.merge(browsers, on="visitor_id", suffixes=("", "_signed"))
    seen = seen[~ex.earlier(seen["occurred_at_signed"] + skew, seen["occurred_at"])]
    seen = seen.assign(sender=seen["link_id"].map(owner))
    seen = seen.dropna(subset="sender").sort_values(["occurred_at", "click_id"])
    last = seen.drop_duplicates("person_id", keep="last").set_index("person_id")["sender"]
    return typed.fillna(last.reindex(typed.index))


def by_themselves(members: pd.DataFrame, credited: pd.DataFrame, as_of: pd.Timestamp) -> np.ndarray:
    """person_id of those who came by themselves and whom nobody claims: what is usual for them is
    what is usual for honest members."""
    alone = credited[(credited["source"] == ITSELF) & credited["refused"].isna()]
    people = known(members, as_of)["person_id"]
    return np.sort(people[people.isin(alone["person_id"])].to_numpy())
