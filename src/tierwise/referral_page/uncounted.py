"""Who came by a member's link or code and does not count for it, and the plain reason.

`attribution` names a sender only where it credits one. Whoever invites asks about the others: the
friend who had been a member before, or who clicked on somebody else's link later. Claims and rules
are those of `attribution`; whoever is credited with a friend is not told of it here.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tierwise import attribution as at
from tierwise.referrals import referral_claims as rc

OTHER, SHARED = "another link counted", "by a shared item"
MEMBER, LATE, SAME = "already a member", "too late", "not a new person"
# What a sender is told for each reason against a claim. By which sign somebody was found to be a
# member already, or to share what with the sender, is not said: it would help only those who try.
PLAIN = {
    "": OTHER,
    "not in time": LATE,
    "sender came later": MEMBER,
    "same device": SAME,
    "same payment": SAME,
    "same visitor": SAME,
    "existing account": MEMBER,
}


def uncounted(
    tables: Mapping[str, pd.DataFrame],
    credits: pd.DataFrame,
    rules: rc.Rules,
    as_of: pd.Timestamp,
) -> pd.DataFrame:
    """friend_id, sender_id, occurred_at (of the sign-up), why; by sender_id, friend_id.

    credits: `attribution.attributed` by the same rules as of the same time. why: a value of PLAIN,
    or SHARED for those who came by an item, which is known but never credited. A friend stands
    here once for each of those whom it does not count for.
    """
    rows = pd.concat([by_links(tables, credits, rules, as_of), by_items(credits)])
    rows = rows.drop_duplicates(["friend_id", "sender_id"])
    signed_up = credits.set_index("person_id")["occurred_at"]
    rows["occurred_at"] = rows["friend_id"].map(signed_up)
    names = ["friend_id", "sender_id", "occurred_at", "why"]
    return rows[names].sort_values(["sender_id", "friend_id"], ignore_index=True)


def by_links(
    tables: Mapping[str, pd.DataFrame],
    credits: pd.DataFrame,
    rules: rc.Rules,
    as_of: pd.Timestamp,
) -> pd.DataFrame:
    """friend_id, sender_id, why of every pair with a claim by code or click, but no credit."""
    members, links, clicks = (
        at.cut(tables[name], as_of, name) for name in ("members", "links", "clicks")
    )
    people = rc.people_in_order(members, rules)
    whose, ids = rc.links_of(links, people), links["link_id"]
    claims = rc.typed(people, whose, ids, rules), rc.clicked(people, whose, ids, clicks, rules)
    rows = pd.concat([pairs(one, people) for one in claims], ignore_index=True)
    is_credited = credits["source"].isin(at.REFERRED)
    credited = credits[is_credited].set_index("person_id")["sender_id"].astype("int64")
    rows = rows[rows["sender_id"] != rows["friend_id"].map(credited).fillna(rc.ABSENT)]
    # the claim that spoke last, or first, says why; a valid one before all that were refused
    rows = rows.sort_values(["is_refused", "at"], ascending=[True, rules.touch == "first"])
    rows["why"] = rows["reason"].map(PLAIN)
    return rows.dropna(subset="why")[["friend_id", "sender_id", "why"]]


def pairs(claims: rc.Claims, people: rc.People) -> pd.DataFrame:
    """Claims of somebody else than the friend: friend_id, sender_id, reason, is_refused, at."""
    number = people.rows["person_id"].to_numpy("int64")
    kept = (claims.sender != rc.ABSENT) & (claims.sender != claims.friend)
    reason = claims.reason[kept]
    return pd.DataFrame(
        {
            "friend_id": number[claims.friend[kept]],
            "sender_id": number[claims.sender[kept]],
            "reason": np.array(rc.REASONS, dtype=object)[reason],
            "is_refused": reason > 0,
            "at": claims.at[kept],
        }
    )


def by_items(credits: pd.DataFrame) -> pd.DataFrame:
    """Who came by an item that somebody shared."""
    rows = credits[credits["source"] == at.SHARE]
    columns = {"friend_id": rows["person_id"], "sender_id": rows["sender_id"].astype("int64")}
    return pd.DataFrame(columns).assign(why=SHARED)
