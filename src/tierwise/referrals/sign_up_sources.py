"""Where sign-ups come from, in tables for figures: by period, by campaign, by who brought them.

All start from what `attribution.attributed` says, and so add up: shares of sources to one, credits
of senders to the sign-ups by links. A credited share is no effect: who clicked on a friend's link
might have come all the same. What a programme adds shows only beside members who were, by lot,
never asked to invite.
"""

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise.attribution import CLICK, CODE, LINK, REFERRED, SHARE
from tierwise.evaluation import wilson
from tierwise.referrals.growth import PERIODS

BY = {"day": "D", **PERIODS}


def by_channel(attributed: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """A row per channel, links and shared items first: channel, sign_up_count, share, low, high."""
    count = attributed["channel"].value_counts()
    first = [name for name in (LINK, SHARE) if name in count]
    rest = (
        count.drop(first).reset_index().sort_values(["count", "channel"], ascending=[False, True])
    )
    table = count.reindex([*first, *rest["channel"]]).rename("sign_up_count").reset_index()
    whole = len(attributed)
    ends = [wilson(one, whole, level) for one in table["sign_up_count"]]
    low, high = np.array(ends).reshape(-1, 2).T
    return table.assign(share=table["sign_up_count"] / whole, low=low, high=high)


def by_period(attributed: pd.DataFrame, every: str = "day") -> pd.DataFrame:
    """A row per period (its first day) and channel: sign_up_count, and share of that period.

    every: day, week, month, quarter or year. Periods without a sign-up and channels without one in
    a period are there with 0 (their share is missing, or 0).
    """
    period = attributed["occurred_at"].dt.to_period(BY[every])
    counts = pd.crosstab(period, attributed["channel"])
    if len(counts):
        counts = counts.reindex(
            pd.period_range(counts.index.min(), counts.index.max()), fill_value=0
        )
    whole = counts.sum(axis=1)
    share = counts.div(whole.where(whole > 0), axis=0)
    counts.index = share.index = counts.index.to_timestamp()
    long = [
        one.rename_axis(index="period", columns="channel").stack().rename(name)
        for one, name in ((counts, "sign_up_count"), (share, "share"))
    ]
    return pd.concat(long, axis=1).reset_index()


def refusals(attributed: pd.DataFrame) -> pd.DataFrame:
    """Why the best claim of those who came by themselves was refused: refused, sign_up_count."""
    table = attributed["refused"].dropna().value_counts().rename("sign_up_count").reset_index()
    return table.sort_values(
        ["sign_up_count", "refused"], ascending=[False, True], ignore_index=True
    )


def credits(attributed: pd.DataFrame) -> pd.DataFrame:
    """A row per sender, who brought most first: person_id, credited_count (sign-ups by its links),
    code_count, click_count, shared_count (by shared items, not credited), first_at, last_at.
    """
    rows = attributed[attributed["sender_id"].notna()]
    flags = pd.DataFrame(
        {
            "person_id": rows["sender_id"].astype("int64"),
            "credited_count": rows["source"].isin(REFERRED).astype("int64"),
            "code_count": (rows["source"] == CODE).astype("int64"),
            "click_count": (rows["source"] == CLICK).astype("int64"),
            "shared_count": (rows["source"] == SHARE).astype("int64"),
        }
    )
    by = rows["occurred_at"].groupby(rows["sender_id"].astype("int64"))
    table = flags.groupby("person_id").sum().assign(first_at=by.min(), last_at=by.max())
    order = ["credited_count", "shared_count", "person_id"]
    return table.reset_index().sort_values(order, ascending=[False, False, True], ignore_index=True)


def by_campaign(
    attributed: pd.DataFrame,
    links: pd.DataFrame,
    invites: pd.DataFrame,
    clicks: pd.DataFrame,
    purchases: pd.DataFrame,
    as_of: pd.Timestamp,
    horizon_days: float = 90.0,
) -> pd.DataFrame:
    """From invitation to purchase, a row per campaign, from what was known before `as_of`.

    Columns: campaign; link_count; recipients_count; click_count (copies once); visitor_count;
    sign_up_count; matured_count, those whose horizon has passed; of these buyer_count, who bought
    within it, buyer_share and amount_eur, what they spent in it.
    """
    links, invites, clicks, purchases = (
        table[ex.known_before(table, as_of, "known_at")]
        for table in (links, invites, clicks, purchases)
    )
    campaign = links.set_index("link_id")["campaign"]
    sent = invites.groupby(invites["link_id"].map(campaign))["recipients_count"].sum()
    seen = clicks.drop_duplicates("click_id")
    seen = seen.assign(campaign=seen["link_id"].map(campaign)).groupby("campaign")
    came = bought_within(attributed, purchases, as_of, horizon_days).groupby("campaign")
    table = pd.DataFrame({"link_count": campaign.value_counts()}).rename_axis("campaign")
    table["recipients_count"] = sent
    table["click_count"], table["visitor_count"] = seen.size(), seen["visitor_id"].nunique()
    table["sign_up_count"] = came.size()
    for name, of in (("matured", "is_matured"), ("buyer", "is_buyer")):
        table[f"{name}_count"] = came[of].sum()
    table["amount_eur"] = came["amount_eur"].sum()
    table = table.fillna(0.0).sort_index()
    counts = {name: "int64" for name in table if name.endswith("_count")}
    table = table.astype(counts)
    share = table["buyer_count"] / table["matured_count"].where(table["matured_count"] > 0)
    return table.assign(buyer_share=share).reset_index()


def bought_within(
    attributed: pd.DataFrame, purchases: pd.DataFrame, as_of: pd.Timestamp, horizon_days: float
) -> pd.DataFrame:
    """Of each sign-up by a link: campaign, is_matured, is_buyer, amount_eur within the horizon."""
    rows = attributed.loc[
        attributed["source"].isin(REFERRED), ["person_id", "occurred_at", "campaign"]
    ]
    end = ex.horizon_end(rows["occurred_at"], horizon_days)
    rows = rows.assign(
        due_at=end, is_matured=ex.known_before(rows.assign(due_at=end), as_of, "due_at")
    )
    once = purchases.sort_values("known_at", kind="stable").drop_duplicates("purchase_id")
    bought = once.merge(rows[["person_id", "due_at"]], on="person_id")
    bought = bought[ex.earlier(bought["occurred_at"], bought["due_at"])]
    spent = rows["person_id"].map(bought.groupby("person_id")["amount_eur"].sum()).fillna(0.0)
    has_bought = rows["person_id"].isin(bought["person_id"]) & rows["is_matured"]
    return rows.assign(is_buyer=has_bought, amount_eur=spent.where(rows["is_matured"], 0.0))
