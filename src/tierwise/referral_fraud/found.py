"""Which referrals look wrong: claims, facts, signs, groups and flags, all from one morning.

Everything rests on what was known before `as_of`, so a flag of yesterday's morning can be made
again as it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tierwise.referral_fraud import circles, evidence, groups, reviews
from tierwise.referral_fraud import claims as cl
from tierwise.referral_fraud import facts as fc
from tierwise.referral_fraud import signs as sg
from tierwise.referral_fraud.settings import Asked

FLAG_KINDS = {
    "group_id": "int64",
    "person_id": "int64",
    "sender_id": "int64",
    "score": "float64",
    "state": "str",
    "evidence": "str",
    "threshold": "float64",
    "decided_by": "str",
    "decided_at": "datetime64[us]",
}


@dataclass(frozen=True)
class Found:
    """rows: claims with their facts, score and group_id (missing where not flagged). weights: of
    each sign, after the cap. groups: the queue, see `groups.table`. flags: FLAG_KINDS, a row per
    flagged friend, in the order of the queue."""

    rows: pd.DataFrame
    weights: pd.DataFrame
    usual: sg.Usual
    groups: pd.DataFrame
    flags: pd.DataFrame
    asked: Asked
    as_of: pd.Timestamp

    @property
    def credited(self) -> pd.DataFrame:
        """The claims that were credited: what could earn a reward."""
        return self.rows[self.rows["is_credited"]]


def look(
    tables: Mapping[str, pd.DataFrame],
    credited: pd.DataFrame,
    as_of: pd.Timestamp,
    rules: Mapping[str, Any],
    asked: Asked,
    read: pd.DataFrame | None = None,
) -> Found:
    """Look at all claims. credited: of `attribution.attributed` with these rules and this as_of.
    read: decisions of `reviews.read`, None for none."""
    rows = cl.claims(tables, credited, as_of, rules)
    rows = fc.facts(tables, rows, as_of, asked.second_days)
    rows = rows.join(circles.circles(tables, rows, as_of, asked.circle_most_count))
    people = cl.known(tables["members"], as_of)
    rows["sender_age_hours"] = sg.sender_age(rows, people)
    alone = cl.by_themselves(tables["members"], credited, as_of)
    usual = sg.usual(tables, rows, alone, as_of, asked)
    weights = sg.weights(rows, usual, asked)
    first = sg.summed(weights, asked.cap).sum(axis=1)
    weights["company"] = sg.company(rows, first, asked)
    weights = sg.summed(weights, asked.cap)
    score = weights.sum(axis=1)
    is_flagged = rows["is_credited"] & (score >= asked.threshold)
    group = groups.group_ids(rows, is_flagged, circles.persons(people))
    rows = rows.assign(score=score, group_id=group)
    queue = groups.table(rows, group, score)
    told = flags(rows[is_flagged], weights[is_flagged], usual, asked, queue)
    told = reviews.with_state(told, reviews.read(None) if read is None else read)
    return Found(rows, weights, usual, queue, told.astype(FLAG_KINDS), asked, as_of)


def flags(
    rows: pd.DataFrame,
    weights: pd.DataFrame,
    usual: sg.Usual,
    asked: Asked,
    queue: pd.DataFrame,
) -> pd.DataFrame:
    """The flagged friends with their evidence, in the order of the queue; not yet their state."""
    pieces = evidence.texts(rows, weights, usual, asked)
    table = pd.DataFrame(
        {
            "group_id": rows["group_id"].astype("int64"),
            "person_id": rows["friend_id"],
            "sender_id": rows["sender_id"],
            "score": rows["score"].round(2),
            "evidence": pd.Series(
                [evidence.as_json(one) for one in pieces], rows.index, dtype="str"
            ),
            "threshold": round(asked.threshold, 4),
            "state": "",
        }
    )
    place = pd.Series(queue.index, queue["group_id"].astype("int64"))
    table["place"] = table["group_id"].map(place)
    table = table.sort_values(["place", "person_id"], ignore_index=True).drop(columns="place")
    return table.reindex(columns=[*FLAG_KINDS][:7])
