"""The tables of referrals as what members are known by: whom they brought, and events."""

import pandas as pd

from tierwise import accounts
from tierwise import examples as ex
from tierwise.referrals.referral_data import Tables


def brought_of(credits: pd.DataFrame, known: str) -> pd.DataFrame:
    """sender_id, person_id, occurred_at, known_at of all who are credited to somebody by a link."""
    mine = credits[credits["sender_id"].notna() & credits["channel"].eq("link")]
    rows = mine[["sender_id", "person_id", "occurred_at"]].assign(known_at=mine[known])
    return rows.astype({"sender_id": "int64"}).reset_index(drop=True)


def events_of(found: Tables, brought: pd.DataFrame) -> pd.DataFrame:
    """active, paid, sent, clicked, opened, told, buyer and invited as events: see `known_of.Past`.

    invited: the member came by somebody's link.
    """
    links, clicks = found["links"], found["clicks"].drop_duplicates("click_id")
    owner = clicks["link_id"].map(links.set_index("link_id")["person_id"])
    clicks = clicks.assign(person_id=owner).dropna(subset="person_id")
    paid = accounts.by_time(found["purchases"]).drop_duplicates("purchase_id")
    kinds = {
        "active": (found["activity"], "actions_count"),
        "paid": (paid, "amount_eur"),
        "sent": (found["invites"], "recipients_count"),
        "clicked": (clicks, None),
        "opened": (found["shares"].drop_duplicates("share_id"), None),
        "told": (found["interests"], None),
        "buyer": (buyers(brought, paid), None),
        "invited": (brought, None),
    }
    parts = []
    for name, (rows, amount) in kinds.items():
        value = rows[amount].astype("float64") if amount else 1.0
        times = rows[["person_id", "occurred_at", "known_at"]].astype({"person_id": "int64"})
        parts.append(times.assign(event=name, amount=value))
    return pd.concat(parts, ignore_index=True).astype({"event": "category"})


def buyers(brought: pd.DataFrame, purchases: pd.DataFrame) -> pd.DataFrame:
    """The first purchase of each friend, of the sender: person_id (the sender), occurred_at,
    known_at (once the credit is certain), friend_id, joined_at."""
    first = purchases.sort_values(["known_at", "occurred_at"]).drop_duplicates("person_id")
    rows = brought.merge(first[["person_id", "occurred_at", "known_at"]], "inner", "person_id",
                         suffixes=("", "_paid"))  # fmt: skip
    return pd.DataFrame(
        {
            "person_id": rows["sender_id"],
            "occurred_at": rows["occurred_at_paid"],
            "known_at": ex.later(rows["known_at"], rows["known_at_paid"]),
            "friend_id": rows["person_id"],
            "joined_at": rows["occurred_at"],
        }
    )
