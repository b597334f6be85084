"""Do some members bring better friends than others, and is that known early?

A friend starts well who does a given thing, such as to buy, within so many days of signing up; that
is known when these days are over. Of each member the share of friends who started well is drawn
towards everybody's, as far as friends are few (beta-binomial, see `shrinkage`). Whether that tells
anything is asked of friends who sign up later: at several moments, members are ordered by their
earlier friends and by their later ones, and the orders compared (Spearman, members drawn again).
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from tierwise import examples as ex
from tierwise import order_agreement, shrinkage

FEWEST_SENDERS = order_agreement.LEAST_PROVIDERS
MEASURES = ["drawn_share", "raw_share"]


def starts(
    brought: pd.DataFrame, did: pd.DataFrame, days: float, until: pd.Timestamp
) -> pd.DataFrame:
    """Friends whose first days are over: sender_id, person_id, occurred_at, due_at, well (bool).

    brought: of `known_of.Past`; did: person_id, occurred_at, known_at of what a good start is.
    """
    due = brought.assign(due_at=ex.horizon_end(brought["occurred_at"], days))
    due = due[ex.known_before(due, until, "due_at") & ex.known_before(due, until, "known_at")]
    ends = due.set_index("person_id")["due_at"]
    mine = did["person_id"].map(ends)
    inside = ex.earlier(did["occurred_at"], mine) & ex.earlier(did["known_at"], mine)
    well = due["person_id"].isin(did.loc[inside, "person_id"])
    columns = ["sender_id", "person_id", "occurred_at", "due_at"]
    return due[columns].assign(well=well.to_numpy()).reset_index(drop=True)


def records(started: pd.DataFrame) -> pd.DataFrame:
    """Per sender, by sender_id: friends_count, well_count, raw_share; drawn_share, low, high.

    Raises InputError for fewer than two senders.
    """
    by = started.groupby("sender_id")["well"]
    table = pd.DataFrame({"friends_count": by.size(), "well_count": by.sum()})
    drawn = shrinkage.shrunk_shares(table["well_count"], table["friends_count"])
    raw = table["well_count"] / table["friends_count"]
    own = drawn.rename(columns={"share": "drawn_share"}).set_index(table.index)
    return table.assign(raw_share=raw).join(own[["drawn_share", "low", "high"]]).reset_index()


def before_and_after(started: pd.DataFrame, moments: Sequence[pd.Timestamp]) -> pd.DataFrame:
    """Senders with friends on both sides of a moment; index sender_id.

    Columns: moment, friends_count, raw_share, drawn_share of friends due before it; later_count,
    later_share of those who signed up from it on.
    """
    parts = []
    for moment in moments:
        first = started[ex.known_before(started, moment, "due_at")]
        after = started[~ex.known_before(started, moment, "occurred_at")]
        if first["sender_id"].nunique() < 2 or after.empty:
            continue
        by = after.groupby("sender_id")["well"]
        later = pd.DataFrame({"later_count": by.size(), "later_share": by.mean()})
        both = records(first).set_index("sender_id").join(later, how="inner")
        parts.append(both.assign(moment=moment))
    return pd.concat(parts) if parts else pd.DataFrame()


def persistence(started: pd.DataFrame, moments: Sequence[pd.Timestamp]) -> dict[str, Any] | None:
    """Does the record of earlier friends order members like that of later ones?

    Returned: senders_count, friends_count (earlier), later_count, and a row per measure
    (measures: of `order_agreement.compared`); None where too few members have both.
    """
    pairs = before_and_after(started, moments)
    if pairs.empty or pairs.index.nunique() < FEWEST_SENDERS:
        return None
    found = order_agreement.compared(pairs, "later_share", MEASURES, "moment")
    return {
        "senders_count": int(pairs.index.nunique()),
        "pairs_count": len(pairs),
        "friends_count": int(pairs["friends_count"].sum()),
        "later_count": int(pairs["later_count"].sum()),
        "measures": found.to_dict("records"),
    }


def alike(started: pd.DataFrame) -> dict[str, float] | None:
    """Are friends of one member more alike than others? share, low, high: the part of what differs
    that lies between members (intraclass correlation, see `shrinkage.icc`); senders_count.

    None where no member brought two.
    """
    sizes = started.groupby("sender_id").size()
    if len(sizes) < 2 or not (sizes > 1).any():
        return None
    found = shrinkage.icc(started["well"].to_numpy("float64"), started["sender_id"].to_numpy())
    return {
        "share": found.single, "low": found.low, "high": found.high, "senders_count": len(sizes)
    }  # fmt: skip
