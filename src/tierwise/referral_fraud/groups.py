"""Accounts that belong together: flagged claims joined where they have somebody in common.

Two flagged claims are one group when they have a sender or a friend in common, or when one of their
people shares a device, a means of payment or a browser with one of the other's. A claim that is not
flagged joins nothing, so an honest chain of invitations is no group, however long it is.
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def group_ids(rows: pd.DataFrame, is_flagged: pd.Series, who: pd.Series) -> pd.Series:
    """The group of each flagged claim: the smallest friend_id in it; same index as `rows`, missing
    for other claims. who: a number per person_id, the same for accounts of one person."""
    mine = rows[is_flagged]
    ends = np.column_stack([mine["sender_id"].map(who), mine["friend_id"].map(who)]).astype("int64")
    numbers, place = np.unique(ends, return_inverse=True)
    place = place.reshape(ends.shape)
    shape = (len(numbers), len(numbers))
    graph = coo_array((np.ones(len(place), "int8"), (place[:, 0], place[:, 1])), shape=shape)
    label = connected_components(graph, directed=False)[1] if len(numbers) else np.zeros(0, "int64")
    of = pd.Series(label[place[:, 1]], mine.index)
    found = mine["friend_id"].groupby(of).transform("min")
    return found.reindex(rows.index).astype("Int64")


def table(rows: pd.DataFrame, groups: pd.Series, score: pd.Series) -> pd.DataFrame:
    """A row per group, the one to look at first on top: group_id, friend_count, sender_count,
    refused_count (claims of its senders that the rules refused), score, first_at, last_at.

    score: the sum over its friends, so a large ring stands before a single friend.
    """
    mine = rows.assign(group_id=groups, score=score)[groups.notna()]
    by = mine.groupby("group_id")
    found = pd.DataFrame(
        {
            "friend_count": by.size(),
            "sender_count": by["sender_id"].nunique(),
            "score": by["score"].sum(),
            "first_at": by["occurred_at"].min(),
            "last_at": by["occurred_at"].max(),
        }
    )
    refused = rows[~rows["is_credited"]].groupby("sender_id").size()
    pairs = mine[["group_id", "sender_id"]].drop_duplicates()
    counted = pairs["sender_id"].map(refused).fillna(0).groupby(pairs["group_id"]).sum()
    found.insert(2, "refused_count", counted.astype("int64"))
    order = ["score", "group_id"]
    return found.reset_index().sort_values(order, ascending=[False, True], ignore_index=True)
