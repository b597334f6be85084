"""How a deal stood at any time: open, won, lost, deleted or merged into another, and its stage.

Worked example, horizon 30 days, as-of 1 June:

    3 June    lost
    20 June   reopened
    28 June   won             outcome 1: it stands as won on 1 July
    5 July    lost again      later than the horizon: changes nothing

Changes count from the moment they happened; what we could see at an as-of time is another
matter: a win of 31 May that was entered on 2 June leaves the deal open on the list of 1 June.
That row has no outcome: what was to be foreseen had happened already.
"""

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise import features as ft
from tierwise.files import InputError

OPEN, WON, LOST, DELETED, MERGED = range(5)
NOT_OVER, ENDED_BEFORE = "horizon not over yet", "had ended already, entered only later"
CODES = {"reopened": OPEN, "won": WON, "lost": LOST, "deleted": DELETED}


def statuses(changes: pd.DataFrame) -> pd.DataFrame:
    """Won, lost, reopened, deleted and merged as a stream by deal; amount: the code.

    changes: the table deal_changes. Columns beside those of a stream: survivor (the deal that it
    was merged into), learned_at (when we learned of the change, however the stream is cut).
    """
    own = changes[changes["field"].isin(["status", "merged_into"])]
    code = own["new_value"].map(CODES).where(own["field"] == "status", MERGED)
    found = ft.stream(own["deal_id"], own["known_at"], own["occurred_at"], "status", code)
    merged = own["field"] == "merged_into"
    survivor = own.loc[merged, "new_value"].astype("int64").astype("Int64").reindex(own.index)
    found = found.assign(survivor=survivor, learned_at=own["known_at"])
    return found.reset_index(drop=True)


def standing(statuses: pd.DataFrame, deal_id: pd.Series, as_of: pd.Series) -> pd.DataFrame:
    """How each deal stood just before the as-of time: code, survivor, occurred_at, learned_at.

    Of the changes known by then the one that happened last counts; OPEN where there was none.
    """
    at = statuses.assign(amount=np.arange(len(statuses), dtype="float64"))
    place = ft.compute([ft.last("status")], {}, at, deal_id, as_of, "float64")["status_last"]
    told = statuses[["amount", "survivor", "occurred_at", "learned_at"]]
    found = told.reindex(place.fillna(-1).astype("int64"))
    found = found.rename(columns={"amount": "code"}).set_axis(deal_id.index)
    return found.assign(code=found["code"].fillna(OPEN))


def is_open(statuses: pd.DataFrame, deal_id: pd.Series, as_of: pd.Series) -> pd.Series:
    """Mask of the rows whose deal stood open, as far as was known then."""
    return standing(statuses, deal_id, as_of)["code"] == OPEN


def ended_at(statuses: pd.DataFrame, deal_id: pd.Series) -> pd.Series:
    """When the change became known that leaves the deal closed in the end, NaT if it stands open.

    From then on it is never on a list again, whatever else becomes known.
    """
    forever = pd.Series(pd.Timestamp.max.floor("D"), deal_id.index).astype("datetime64[us]")
    last = standing(statuses, deal_id, forever)
    return last["learned_at"].where(last["code"] != OPEN)


def looks(
    deals: pd.DataFrame, statuses: pd.DataFrame, every_days: float, until: pd.Timestamp
) -> pd.DataFrame:
    """Each deal on full hours, every so many days, while it stood open as far as was known then.

    until: when nothing more is known. Columns deal_id, organization_id, person_id, as_of, and
    still_open: does the deal stand open at `until`?
    """
    end = ended_at(statuses, deals["deal_id"])
    turns = ex.repeated(deals["known_at"], end.fillna(until), every_days, spread(deals["deal_id"]))
    rows = deals[["deal_id", "organization_id", "person_id"]].assign(still_open=end.isna())
    rows = rows.iloc[turns["row"]].assign(as_of=turns["as_of"].array).reset_index(drop=True)
    return rows[is_open(statuses, rows["deal_id"], rows["as_of"])].reset_index(drop=True)


def open_at(deals: pd.DataFrame, statuses: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The deals that stand open at one instant, as far as is known then: columns as of `looks`."""
    there = ex.known_before(deals, as_of, "known_at")
    rows = deals.loc[there, ["deal_id", "organization_id", "person_id"]].assign(as_of=as_of)
    rows = rows.astype({"as_of": "datetime64[us]"}).reset_index(drop=True)
    return rows[is_open(statuses, rows["deal_id"], rows["as_of"])].reset_index(drop=True)


def spread(deal_id: pd.Series) -> np.ndarray:
    """A number from 0 to 1 per deal that is always the same and follows nothing."""
    return pd.util.hash_array(deal_id.to_numpy("uint64")) / 2.0**64


def outcome(
    statuses: pd.DataFrame, rows: pd.DataFrame, horizon_days: float, until: pd.Timestamp
) -> pd.DataFrame:
    """Did it stand as won at the end of the horizon? Columns outcome, outcome_known_at, excluded.

    The whole horizon must be over, for wins as for losses: wins are seen earlier, so a row that
    counted as soon as it is won would leave the young rows with winners only. Changes count from
    the moment they happened, and the outcome is known when the change that decides it is.
    excluded: why there is no outcome (NaN), "" where there is one.
    """
    due = ex.horizon_end(rows["as_of"], horizon_days)
    happened = statuses.assign(known_at=statuses["occurred_at"])
    who = rows["deal_id"].copy()
    found = standing(happened, who, due)
    known_at = ex.later(due, found["learned_at"])
    while (merged := found["code"] == MERGED).any():
        who[merged] = found.loc[merged, "survivor"].astype("int64")
        found = standing(happened, who, due)
        known_at = ex.later(known_at, found["learned_at"])
    ended = (found["code"] != OPEN) & ex.earlier(found["occurred_at"], rows["as_of"])
    excluded = np.select([ex.earlier(until, due), ended], [NOT_OVER, ENDED_BEFORE], default="")
    won = (found["code"] == WON).astype("float64").where(excluded == "")
    return pd.DataFrame({"outcome": won, "outcome_known_at": known_at, "excluded": excluded})


def history(
    statuses: pd.DataFrame, rows: pd.DataFrame, horizon_days: float, until: pd.Timestamp
) -> pd.DataFrame:
    """deal_id, as_of, outcome and outcome_known_at of looks; both missing until a horizon is over.

    Looks at deals that had ended already, which was entered later, are left out, as in learning.
    """
    found = rows[["deal_id", "as_of"]].join(outcome(statuses, rows, horizon_days, until))
    found = found[found["excluded"] != ENDED_BEFORE].drop(columns="excluded")
    return found.assign(outcome_known_at=found["outcome_known_at"].where(found["outcome"].notna()))


def ends(statuses: pd.DataFrame, deal_id: pd.Series) -> pd.DataFrame:
    """How each deal stands as far as is known today: outcome and closed_at, rows as of deal_id.

    outcome: 1 won, 0 lost or deleted, missing while open. closed_at: when that happened. A merged
    deal ends as the deal that it went into.
    """
    who, forever = deal_id.copy(), pd.Timestamp.max.floor("D")
    at = pd.Series(forever, deal_id.index).astype("datetime64[us]")
    found = standing(statuses, who, at)
    while (merged := found["code"] == MERGED).any():
        who[merged] = found.loc[merged, "survivor"].astype("int64")
        found = standing(statuses, who, at)
    is_over = found["code"] != OPEN
    won = (found["code"] == WON).astype("float64").where(is_over)
    return pd.DataFrame({"outcome": won, "closed_at": found["occurred_at"].where(is_over)})


def inherited(contacts: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Contacts of deals that were merged, as those of the survivor from the merge on, and so on.

    A contact that reaches a survivor twice, by two ways or two merges, counts from the first.
    """
    merges = changes.loc[changes["field"] == "merged_into", ["deal_id", "new_value", "known_at"]]
    merges = merges.rename(columns={"deal_id": "key", "known_at": "merged_at"})
    merges["survivor"] = merges.pop("new_value").astype("int64")
    moved = own = contacts.assign(number=np.arange(len(contacts)))
    found = [own]
    while len(copies := moved.merge(merges, on="key")):
        known_at = ex.later(copies["known_at"], copies["merged_at"])
        moved = copies.assign(key=copies["survivor"], known_at=known_at)[list(own)]
        found.append(moved)
    everything = pd.concat(found).sort_values("known_at", kind="stable")
    once = everything.drop_duplicates(["number", "key"])
    whose = own.set_index("number")["key"].reindex(once["number"]).to_numpy()
    return once.loc[once["key"].to_numpy() != whose, ft.STREAM_COLUMNS]


def stage_number(names: pd.Series, stages: list[str]) -> pd.Series:
    """1 for the start of the pipeline. Raises InputError for a stage that params.yaml lacks."""
    found = names.map({name: at for at, name in enumerate(stages, 1)})
    if found.isna().any():
        count, first = int(found.isna().sum()), names[found.isna()].iloc[0]
        raise InputError(
            f"deal_changes: the stage '{first}' is unknown ({count} rows have a stage that is). "
            f"Name every stage in params.yaml, from the start of the pipeline; stages: {stages}."
        )
    return found
