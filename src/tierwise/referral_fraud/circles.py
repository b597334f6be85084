"""Circles: A brings B, B brings C, and C, or another account of C's owner, brings A.

Accounts that share a device, a means of payment or a browser are one person here. A step leads from
the sender to whoever used its link: the friends that it claims, refused ones too, and members who
clicked on it, even long after they had signed up. Among friends a circle is rare, since whoever
brings somebody was there first. That a sender tries the link of its own friend is no step: many do.
"""

from collections import deque
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tierwise.referral_fraud.claims import known
from tierwise.referral_fraud.facts import STRONG


def persons(members: pd.DataFrame) -> pd.Series:
    """A number for each member, the same for those who share one of STRONG; by person_id."""
    count, pairs = len(members), []
    place = pd.Series(np.arange(count), members.index)
    for trait in STRONG:
        first = place.groupby(members[trait]).transform("min")
        there = first.notna().to_numpy()
        pairs.append(np.column_stack([place[there], first[there]]))
    ends = np.concatenate(pairs).astype("int64")
    ones = np.ones(len(ends), dtype="int8")
    graph = coo_array((ones, (ends[:, 0], ends[:, 1])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    return pd.Series(label, members["person_id"].to_numpy())


def steps(
    tables: Mapping[str, pd.DataFrame], rows: pd.DataFrame, as_of: pd.Timestamp
) -> pd.DataFrame:
    """sender_id, friend_id, known_at, row (place of the claim, -1 for a click), each pair once."""
    claimed = rows[["sender_id", "friend_id", "known_at"]].assign(row=np.arange(len(rows)))
    members = known(tables["members"], as_of)
    owner = known(tables["links"], as_of).set_index("link_id")["person_id"]
    browser = members.dropna(subset="visitor_id").drop_duplicates("visitor_id")
    browser = browser.set_index("visitor_id")["person_id"]
    clicks = known(tables["clicks"], as_of)[["link_id", "visitor_id", "known_at"]]
    seen = clicks.assign(
        sender_id=clicks["link_id"].map(owner), friend_id=clicks["visitor_id"].map(browser), row=-1
    )
    seen = seen[seen["friend_id"].notna() & seen["sender_id"].isin(members["person_id"])]
    back = pd.MultiIndex.from_frame(seen[["friend_id", "sender_id"]])
    seen = seen[~back.isin(pd.MultiIndex.from_frame(claimed[["sender_id", "friend_id"]]))]
    every = pd.concat([claimed, seen[claimed.columns]], ignore_index=True)
    every = every.astype({"sender_id": "int64", "friend_id": "int64"})
    every = every.sort_values(["row", "known_at"], ascending=[False, True])
    return every.drop_duplicates(["sender_id", "friend_id"]).reset_index(drop=True)


def circles(
    tables: Mapping[str, pd.DataFrame], rows: pd.DataFrame, as_of: pd.Timestamp, most: int
) -> pd.DataFrame:
    """circle_count (people in the shortest circle that a claim is part of, 0 for none) and
    circle_at (when we learned of its last step); same index as `rows`. At most so many people."""
    who = persons(known(tables["members"], as_of))
    every = steps(tables, rows, as_of)
    start = every["sender_id"].map(who).to_numpy("int64")
    end = every["friend_id"].map(who).to_numpy("int64")
    leads: dict[int, list[int]] = {}
    for place in np.flatnonzero(start != end):
        leads.setdefault(int(start[place]), []).append(int(place))
    at = every["known_at"].to_numpy("datetime64[us]")
    row = every["row"].to_numpy()
    count = np.zeros(len(rows), dtype="int64")
    when = np.full(len(rows), np.datetime64("NaT"), dtype="datetime64[us]")
    back = np.flatnonzero((start != end) & np.isin(end, list(leads)))
    for place in back:
        path = way(leads, end, int(end[place]), int(start[place]), most - 1)
        if path is None:
            continue
        found = [int(place), *path]
        learned = at[found].max()
        for one in row[found]:
            if one >= 0 and (count[one] == 0 or len(found) < count[one]):
                count[one], when[one] = len(found), learned
    return pd.DataFrame({"circle_count": count, "circle_at": when}, index=rows.index)


def way(
    leads: dict[int, list[int]], end: np.ndarray, first: int, last: int, most: int
) -> list[int] | None:
    """The steps of a shortest way from one person to another, None without one of so many."""
    came: dict[int, int] = {first: -1}
    back: dict[int, int] = {first: first}
    ahead = deque([(first, 0)])
    while ahead:
        one, length = ahead.popleft()
        if one == last:
            path = []
            while one != first:
                path.append(came[one])
                one = back[one]
            return path
        for place in leads.get(one, []) if length < most else []:
            other = int(end[place])
            if other not in came:
                came[other], back[other] = place, one
                ahead.append((other, length + 1))
    return None
