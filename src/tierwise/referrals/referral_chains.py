"""Who brought whom as a forest: chains, waves, and how unequal senders are.

    root          came by itself: brought by nobody, or by somebody who is not in the table
    wave          steps to the root: 0 for a root, 1 for whom it brought, and so on
    descendants   all whom somebody brought, and whom those brought, and so on
    depth         the longest chain below somebody, in steps

The same for coupons of paper: whoever comes with a coupon was brought by who was handed it, as in
respondent-driven sampling (Heckathorn, Social Problems 44(2), 1997), from where "wave" comes.
"""

import numpy as np
import pandas as pd

from tierwise.files import InputError


def forest(members: pd.DataFrame) -> pd.DataFrame:
    """members: person_id, sender_id (missing for nobody); returned in the same order.

    Columns: person_id, sender_id (missing for a root), wave, root_id, brought_count,
    descendants_count, depth. Raises InputError where somebody stands there twice, or chains form a
    circle.
    """
    ids = members["person_id"]
    twice = ids.duplicated()
    if twice.any():
        raise InputError(
            f"Person {ids[twice].iloc[0]} stands there more than once; one friend has one sender. "
            "Keep one row of each."
        )
    parent = senders(members)
    wave, root = waves_of(parent, ids)
    brought = np.bincount(parent[parent >= 0], minlength=len(parent))
    descendants, depth = below(parent, wave)
    whom = ids.convert_dtypes()  # so that a number may be missing
    return pd.DataFrame(
        {
            "person_id": ids.array,
            "sender_id": whom.array.take(parent, allow_fill=True),
            "wave": wave,
            "root_id": ids.array.take(root),
            "brought_count": brought,
            "descendants_count": descendants,
            "depth": depth,
        }
    )


def senders(members: pd.DataFrame) -> np.ndarray:
    """Place of each member's sender among the members, -1 where there is none."""
    place = pd.Index(members["person_id"]).get_indexer(members["sender_id"])
    return np.where(members["sender_id"].isna(), -1, place)


def waves_of(parent: np.ndarray, ids: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Steps to the root and the root's place, by jumps of doubled length: log2(depth) rounds.

    parent: place, -1 for nobody. Raises InputError for a circle, with one of its members.
    """
    places = np.arange(len(parent))
    up = np.where(parent < 0, places, parent)
    steps = (parent >= 0).astype("int64")
    for _ in range(max(1, len(parent)).bit_length()):
        steps, up = steps + steps[up], up[up]
    circle = np.flatnonzero(parent[up] >= 0)
    if len(circle):
        raise InputError(
            f"The chain of person {ids.iloc[circle[0]]} never reaches a root: somebody was brought "
            "by one of those whom they brought. A sender signs up first; attribute sign-ups anew."
        )
    return steps, up


def below(parent: np.ndarray, wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Descendants and longest chain of each, added up from the last wave."""
    descendants, depth = np.zeros((2, len(parent)), dtype="int64")
    order = np.argsort(-wave, kind="stable")
    ends = np.flatnonzero(np.diff(wave[order])) + 1
    for one in np.split(order, ends):
        one = one[parent[one] >= 0]
        np.add.at(descendants, parent[one], 1 + descendants[one])
        np.maximum.at(depth, parent[one], 1 + depth[one])
    return descendants, depth


def by_coupon(table: pd.DataFrame, person: str, own: str, handed: list[str]) -> pd.DataFrame:
    """person_id and sender_id of everybody: who was handed the coupon with which they came.

    person, own, handed: columns with the person, the coupon brought along (missing: none) and the
    coupons handed out. A coupon that nobody was handed makes a root. Raises InputError where
    somebody came with a coupon that two were handed: nobody could say who brought them.
    """
    long = table.melt(person, handed, value_name="coupon").dropna(subset="coupon")
    owners = long[[person, "coupon"]].drop_duplicates()
    disputed = owners.loc[owners["coupon"].duplicated(keep=False), "coupon"]
    wrong = table[own].notna() & table[own].isin(disputed)
    if wrong.any():
        coupon = table.loc[wrong, own].iloc[0]
        who = ", ".join(map(str, owners.loc[owners["coupon"] == coupon, person]))
        raise InputError(
            f"Coupon {coupon} was handed to {who}, and somebody came with it. A coupon has one "
            "owner; leave out the rows that are wrong."
        )
    owner = owners.drop_duplicates("coupon").set_index("coupon")[person]
    return pd.DataFrame({"person_id": table[person], "sender_id": table[own].map(owner)})


def waves(forest: pd.DataFrame) -> pd.DataFrame:
    """A row per wave: people_count, senders_count (brought somebody), senders_share,
    brought_count, and brought_each, their mean number: below 1, the wave after is smaller.
    """
    by = forest.assign(is_sender=forest["brought_count"] > 0).groupby("wave")
    table = pd.DataFrame(
        {
            "people_count": by.size(),
            "senders_count": by["is_sender"].sum(),
            "brought_count": by["brought_count"].sum(),
        }
    ).reset_index()
    share, each = (
        table[name] / table["people_count"] for name in ("senders_count", "brought_count")
    )
    table.insert(3, "senders_share", share)
    return table.assign(brought_each=each)


def trees(forest: pd.DataFrame) -> pd.DataFrame:
    """A row per root, the largest first: root_id, people_count (with the root), depth."""
    roots = forest[forest["wave"] == 0]
    table = roots[["person_id", "descendants_count", "depth"]]
    table = table.rename(columns={"person_id": "root_id"})
    table.insert(1, "people_count", table.pop("descendants_count") + 1)
    return table.sort_values(
        ["people_count", "root_id"], ascending=[False, True], ignore_index=True
    )


def numbers_brought(forest: pd.DataFrame) -> pd.DataFrame:
    """How many people brought how many: brought_count, people_count; ascending, without gaps."""
    counted = np.bincount(forest["brought_count"]) if len(forest) else np.zeros(0, dtype="int64")
    return pd.DataFrame({"brought_count": np.arange(len(counted)), "people_count": counted})


def share_of_top(forest: pd.DataFrame, top_share: float = 0.1) -> float:
    """Of all who were brought, the share that the most active senders brought.

    top_share: of those who brought somebody; one sender at least. NaN where nobody did.
    """
    counts = np.sort(forest["brought_count"][forest["brought_count"] > 0])[::-1]
    if not len(counts):
        return float("nan")
    return float(counts[: max(1, round(top_share * len(counts)))].sum() / counts.sum())
