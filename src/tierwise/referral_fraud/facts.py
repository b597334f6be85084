"""What is known of each claim: traits shared with others, times, and what the friend did after.

kin        a sender and all whom it claims
place      an address; the fewer of those who came by themselves have it, the more it says
hour       the most sign-ups of one sender within an hour, of those hours that hold this one
session    sign-ups of one sender less than an hour apart; for times of day they count once
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise.referral_fraud.claims import known

STRONG = ("device_id", "payment_id", "visitor_id")
HOUR = pd.Timedelta(hours=1)
DAY_HOURS = 24.0


def facts(
    tables: Mapping[str, pd.DataFrame], rows: pd.DataFrame, as_of: pd.Timestamp, second_days: float
) -> pd.DataFrame:
    """The claims with what is known of them; same order, same index.

    Columns beside those of `claims.claims`: of each of STRONG `<trait>_mates`, members beside this
    one that have it, and `<trait>_kin`, those of them that are kin, and `<trait>_at`, when we
    learned of the last; address_kin and address_at; address_gap_hours to the kin nearest in time at
    this address; hour_count, hour_at; session_count, hours_together (0 to 1, see `together`),
    claimed_count and blocked_count (claims of this sender beside this one), blocked_at;
    is_silent (no action on a later day within second_days), and silent_at, when that was certain
    (missing before).
    """
    people = known(tables["members"], as_of)
    found = rows.copy()
    for trait in STRONG:
        found[[f"{trait}_mates", f"{trait}_at"]] = mates(found, people, trait)
    people = people.set_index("person_id")
    for trait in (*STRONG, "address_id"):
        found[f"{trait.removesuffix('_id') if trait == 'address_id' else trait}_kin"] = kin(
            rows, people, trait
        )
    found[["address_at", "address_gap_hours"]] = at_address(rows, people)
    found = found.join(in_an_hour(rows)).join(sessions(rows)).join(blocked(rows))
    return found.join(silent(tables["activity"], rows, "friend_id", as_of, second_days))


def mates(rows: pd.DataFrame, people: pd.DataFrame, trait: str) -> pd.DataFrame:
    """How many members beside this one have the trait, and when we learned of the last of all."""
    by = people.groupby(trait)["known_at"].agg(["size", "max"])
    found = by.reindex(rows[trait]).set_axis(rows.index)
    return pd.DataFrame({"count": found["size"].fillna(1).astype("int64") - 1, "at": found["max"]})


def with_senders(rows: pd.DataFrame, people: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """All kin: sender_id, person_id and these columns; row: of the claim, -1 for the sender."""
    own = rows.rename(columns={"friend_id": "person_id"})
    own = own[["sender_id", "person_id", *columns]].assign(row=np.arange(len(rows)))
    senders = np.unique(rows["sender_id"])
    more = people[columns].reindex(senders).reset_index(names="person_id")
    return pd.concat([own, more.assign(sender_id=senders, row=-1)], ignore_index=True)


def kin(rows: pd.DataFrame, people: pd.DataFrame, trait: str) -> np.ndarray:
    """How many kin beside this one have the trait."""
    every = with_senders(rows, people, [trait]).dropna(subset=trait)
    counts = every.groupby(["sender_id", trait])["row"].transform("size") - 1
    found = np.zeros(len(rows), dtype="int64")
    mine = every["row"] >= 0
    found[every.loc[mine, "row"]] = counts[mine]
    return found


def at_address(rows: pd.DataFrame, people: pd.DataFrame) -> np.ndarray:
    """When we learned of the last kin at this address, and hours to the sign-up nearest in time."""
    columns = ["address_id", "occurred_at", "known_at"]
    every = with_senders(rows, people, columns).dropna(subset="address_id")
    every = every.sort_values(["sender_id", "address_id", "occurred_at", "person_id"])
    by = every.groupby(["sender_id", "address_id"])
    gaps = pd.concat([by["occurred_at"].diff(), -by["occurred_at"].diff(-1)], axis=1).min(axis=1)
    found = pd.DataFrame({"at": by["known_at"].transform("max"), "gap": gaps / HOUR})
    found = found[every["row"] >= 0].set_axis(every.loc[every["row"] >= 0, "row"])
    return found.reindex(np.arange(len(rows))).set_axis(rows.index)


def in_an_hour(rows: pd.DataFrame) -> pd.DataFrame:
    """hour_count, hour_at: when we learned of the last of those sign-ups."""
    ordered = rows.sort_values(["sender_id", "occurred_at", "friend_id"])
    at = ordered["occurred_at"].to_numpy("datetime64[us]").view("int64")
    sender = ordered["sender_id"].to_numpy()
    hour = HOUR // pd.Timedelta(microseconds=1)
    starts = np.flatnonzero(np.r_[np.ones(len(at[:1]), bool), sender[1:] != sender[:-1]])
    end = np.zeros(len(at), dtype="int64")
    bounds = np.r_[starts, len(at)]
    for first, last in pairwise(bounds):
        end[first:last] = first + np.searchsorted(at[first:last], at[first:last] + hour, "right")
    count = end - np.arange(len(at))
    most, until = np.ones(len(at), dtype="int64"), np.arange(1, len(at) + 1)
    for first in np.flatnonzero(count > 1):
        inside = slice(first, end[first])
        more = count[first] > most[inside]
        most[inside] = np.where(more, count[first], most[inside])
        until[inside] = np.where(more, end[first], until[inside])
    learned = ordered["known_at"].to_numpy()
    told = [
        learned[max(place - number, 0) : place].max()
        for place, number in zip(until, most, strict=True)
    ]
    table = pd.DataFrame({"hour_count": most, "hour_at": told}, index=ordered.index)
    return table.astype({"hour_at": "datetime64[us]"}).reindex(rows.index)


def sessions(rows: pd.DataFrame) -> pd.DataFrame:
    """session_count, hours_together, hours_at of each claim's sender."""
    ordered = rows.sort_values(["sender_id", "occurred_at", "friend_id"])
    before = ordered.groupby("sender_id")["occurred_at"].shift()
    first = ordered[before.isna() | (ordered["occurred_at"] - before > HOUR)]
    hours = hour_of_day(first["occurred_at"])
    by = pd.DataFrame({"sender_id": first["sender_id"], **vector(hours)}).groupby("sender_id")
    table = pd.DataFrame({"session_count": by.size()})
    table["hours_together"] = np.hypot(by["x"].mean(), by["y"].mean())
    table["hours_at"] = rows.groupby("sender_id")["known_at"].max()
    return table.reindex(rows["sender_id"]).set_axis(rows.index)


def hour_of_day(times: pd.Series) -> np.ndarray:
    """Hours since midnight UTC, with fractions."""
    return ((times - times.dt.normalize()) / HOUR).to_numpy("float64")


def vector(hours: np.ndarray) -> dict[str, np.ndarray]:
    """Hours of the day as points on a circle of radius 1; the length of their mean is 1 where all
    are the same, near 0 where they are spread (Mardia and Jupp, Directional Statistics, 2000)."""
    angle = 2 * np.pi * hours / DAY_HOURS
    return {"x": np.cos(angle), "y": np.sin(angle)}


def blocked(rows: pd.DataFrame) -> pd.DataFrame:
    """claimed_count, blocked_count, blocked_at: of this sender's other claims."""
    is_blocked = ~rows["is_credited"]
    by = is_blocked.groupby(rows["sender_id"])
    last = rows["known_at"].where(is_blocked).groupby(rows["sender_id"]).transform("max")
    return pd.DataFrame(
        {
            "claimed_count": by.transform("size") - 1,
            "blocked_count": by.transform("sum") - is_blocked,
            "blocked_at": last,
        }
    )


def silent(
    activity: pd.DataFrame, rows: pd.DataFrame, person: str, as_of: pd.Timestamp, days: float
) -> pd.DataFrame:
    """is_silent, silent_at: did nothing after the day of the sign-up, within so many days of it.

    person: the column of `rows` with the member. False where those days are not over.
    """
    due = ex.horizon_end(rows["known_at"], days)
    done = known(activity, as_of)[["person_id", "occurred_at", "known_at"]]
    joined = rows[[person]].assign(signed=rows["occurred_at"].dt.normalize(), due=due)
    joined = joined.reset_index(names="row").merge(done, left_on=person, right_on="person_id")
    again = joined[ex.earlier(joined["signed"], joined["occurred_at"])]
    again = again[ex.earlier(again["known_at"], again["due"])]
    is_over = ex.earlier(due, as_of)
    quiet = is_over & ~rows.index.isin(again["row"])
    return pd.DataFrame({"is_silent": quiet, "silent_at": due.where(is_over)})
