"""From an invitation to a friend who buys, month by month, and where a step fell lately.

    invited       people to whom links were sent in the month (recipients)
    clicked       browsers in which a link was clicked on in the month; copies count once
    joined        sign-ups of the month that are credited to a sender
    came back     of these: active on a later day, within horizon_days of the sign-up
    bought        of these who joined: bought within horizon_days

The first three are of the month in which they happened, so a share of two of them compares people
of about the same days, not the very same. The last two are of those who joined in that month, and
missing until all of them had their horizon_days.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from tierwise import examples as ex
from tierwise.evaluation import wilson
from tierwise.referral_page.ground import Ground

STEPS = ("invited", "clicked", "joined", "came_back", "bought")
# Each step, and the step of which it is a share.
SHARES = (("clicked", "invited"), ("joined", "clicked"), ("came_back", "joined"),
          ("bought", "joined"))  # fmt: skip
BEFORE_COUNT = 3
CERTAINTY = 0.99  # over all steps together


@dataclass(frozen=True)
class Fall:
    """A step whose latest whole month lies below the months before beyond luck."""

    step: str
    month: pd.Timestamp
    share: float
    before: float


def by_month(one: Ground, horizon_days: float) -> pd.DataFrame:
    """month (its first day), a _count of each of STEPS, is_matured; whole months only, ascending.

    came_back_count and bought_count are missing where not all had their horizon.
    """
    tables, friends = one.tables, with_outcomes(one, horizon_days)
    clicks = tables["clicks"].drop_duplicates("click_id")
    seen = clicks.groupby(month(clicks))["visitor_id"].nunique()
    joined = friends.groupby(month(friends))
    counts = {
        "invited": tables["invites"].groupby(month(tables["invites"]))["recipients_count"].sum(),
        "clicked": seen,
        "joined": joined.size(),
        "came_back": joined["came_back"].sum(),
        "bought": joined["bought"].sum(),
    }
    last = one.as_of.to_period("M")
    table = pd.DataFrame(counts)
    first = table.index.min() if len(table) else last
    table = table.reindex(pd.period_range(first, last - 1, freq="M")).fillna(0.0)
    ends = pd.Series(table.index.end_time, table.index)
    matured = ex.earlier(ex.horizon_end(ends, horizon_days), one.as_of)
    table[["came_back", "bought"]] = table[["came_back", "bought"]].where(matured, np.nan)
    table = table.add_suffix("_count").assign(is_matured=matured)
    return table.set_axis(table.index.to_timestamp()).rename_axis("month").reset_index()


def month(rows: pd.DataFrame) -> pd.Series:
    return rows["occurred_at"].dt.to_period("M").rename("month")


def with_outcomes(one: Ground, horizon_days: float) -> pd.DataFrame:
    """Friends with came_back and bought, both within the horizon of their sign-up."""
    rows = one.friends[["friend_id", "occurred_at"]]
    end = ex.horizon_end(rows["occurred_at"], horizon_days)
    tables = one.tables
    bought = within(rows.assign(end=end), tables["purchases"])
    active = tables["activity"]
    active = active[active["actions_count"] > 0]
    tomorrow = rows["occurred_at"].dt.floor("D") + pd.Timedelta(days=1)
    back = within(rows.assign(occurred_at=tomorrow, end=end), active)
    return rows.assign(came_back=back, bought=bought)


def within(rows: pd.DataFrame, events: pd.DataFrame) -> np.ndarray:
    """Of each friend: did one of its events happen from occurred_at on and before `end`?"""
    mine = events[["person_id", "occurred_at"]].rename(columns={"occurred_at": "at"})
    pairs = rows.merge(mine, left_on="friend_id", right_on="person_id")
    inside = ~ex.earlier(pairs["at"], pairs["occurred_at"]) & ex.earlier(pairs["at"], pairs["end"])
    return rows["friend_id"].isin(pairs.loc[inside, "friend_id"]).to_numpy()


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """month and, of each of SHARES, the <step>_share; missing where there is nothing to share."""
    found = {"month": table["month"]}
    for step, of in SHARES:
        whole = table[f"{of}_count"]
        found[f"{step}_share"] = table[f"{step}_count"] / whole.where(whole > 0)
    return pd.DataFrame(found)


def whole(table: pd.DataFrame, months_count: int) -> pd.DataFrame:
    """The latest matured months together: step, count, share of the step before, its interval."""
    rows = table[table["is_matured"].astype(bool)].tail(months_count)
    counts = rows[[f"{step}_count" for step in STEPS]].sum()
    before = dict(SHARES)
    told = []
    for step in STEPS:
        count = int(counts[f"{step}_count"])
        size = int(counts[f"{before[step]}_count"]) if step in before else 0
        ends = wilson(min(count, size), size) if size else [np.nan, np.nan]
        share = count / size if size else np.nan
        of = before.get(step, "")
        told.append((step, count, of, share, ends))
    columns = ["step", "count", "of", "share", "between"]
    return pd.DataFrame(told, columns=columns).replace({"came_back": "came back"})


def falls(table: pd.DataFrame) -> list[Fall]:
    """Steps of which the latest month that can be judged lies below the BEFORE_COUNT before it.

    Two shares are compared by the z test with a common variance, one-sided, with Bonferroni's
    correction over the steps. Months before the first invitation do not count.
    """
    limit = norm.ppf(1 - (1 - CERTAINTY) / len(SHARES))
    found = []
    for step, of in SHARES:
        rows = table[table[f"{step}_count"].notna() & (table[f"{of}_count"] > 0)]
        if len(rows) <= BEFORE_COUNT:
            continue
        now, past = rows.iloc[-1], rows.iloc[-1 - BEFORE_COUNT : -1]
        size, size_before = now[f"{of}_count"], past[f"{of}_count"].sum()
        share, before = now[f"{step}_count"] / size, past[f"{step}_count"].sum() / size_before
        pooled = (share * size + before * size_before) / (size + size_before)
        spread = np.sqrt(max(pooled * (1 - pooled), 0.0) * (1 / size + 1 / size_before))
        if spread > 0 and (before - share) / spread > limit:
            found.append(Fall(step, now["month"], float(share), float(before)))
    return found
