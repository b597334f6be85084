"""Where members of a tree stand in a drawing: to the right by time, one below another by family.

Who brought others stands in the middle of them; nobody stands on a line of somebody else's. Of a
large tree only the first members are laid out: a sender signs up before its friends, so that these
are a tree as well.
"""

import numpy as np
import pandas as pd

from tierwise.referrals import referral_chains

GAP = 2.0  # lines of space between two trees, for a heading


def laid_out(
    forest: pd.DataFrame, occurred_at: pd.Series, trees_count: int = 3, most_count: int = 45
) -> pd.DataFrame:
    """The largest trees, the largest on top, of each the first `most_count` members.

    forest: of `referral_chains.forest`; occurred_at: of the sign-ups, by person_id. Columns:
    person_id, root_id, wave, brought_count, occurred_at, line (from 0 downwards, lower is above);
    sender_at and sender_line (missing for a root). By tree, then in order of sign-up.
    """
    largest = referral_chains.trees(forest).head(trees_count)
    largest = largest.loc[largest["people_count"] > 1, "root_id"]
    parts, top = [], 0.0
    for root in largest:
        rows = first_of(forest[forest["root_id"] == root], occurred_at, most_count)
        rows["line"] = top + lines(rows["sender_id"], rows["person_id"])
        top = rows["line"].max() + 1 + GAP
        parts.append(rows)
    if not parts:
        return forest.head(0).assign(occurred_at=None, line=0.0, sender_at=None, sender_line=0.0)
    whole = pd.concat(parts, ignore_index=True)
    place = whole.set_index("person_id")
    for name, of in (("sender_at", "occurred_at"), ("sender_line", "line")):
        whole[name] = whole["sender_id"].map(place[of])
    return whole


def first_of(tree: pd.DataFrame, occurred_at: pd.Series, most_count: int) -> pd.DataFrame:
    names = ["person_id", "sender_id", "root_id", "wave", "brought_count"]
    rows = tree[names].assign(occurred_at=tree["person_id"].map(occurred_at))
    order = ["occurred_at", "wave", "person_id"]
    return rows.sort_values(order, ignore_index=True).head(most_count)


def lines(sender: pd.Series, person: pd.Series) -> np.ndarray:
    """Line of each member of one tree; a sender stands before its friends, the root first."""
    place = {one: at for at, one in enumerate(person)}
    friends: list[list[int]] = [[] for _ in place]
    for at, one in enumerate(sender[1:], start=1):
        friends[place[one]].append(at)
    line, taken, waiting = np.zeros(len(place)), 0, [0]
    while waiting:  # down to the ends first: each end takes the next line
        at = waiting.pop()
        if not friends[at]:
            line[at], taken = taken, taken + 1
        waiting.extend(reversed(friends[at]))
    for at in reversed(range(len(place))):  # friends before their sender
        if friends[at]:
            line[at] = (line[friends[at][0]] + line[friends[at][-1]]) / 2
    return line
