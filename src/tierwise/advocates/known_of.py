"""What is known of each member at each look: whom they brought, what they did, who brought them.

Everything is events, cut at the look by when they were known:

    joined            the member signed up
    brought           somebody signed up who is credited to the member
    <event>           what the member did, such as active, with how much of it
    friend_<event>    what those did whom the member brought, from when they were credited on
    inviter_<column>  the record of whoever brought the member

A count of what nobody did is 0. Missing is what can't be known: the days since the first friend of
those who brought nobody, and all that rests on events of which there were no records yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise import features as ft
from tierwise.files import InputError

BROUGHT, JOINED, FRIEND, INVITER = "brought", "joined", "friend_", "inviter_"
YEAR_DAYS = 365.0
FRIENDS_HALF_LIFE_DAYS = 120.0
RECORD = (ft.count(BROUGHT), ft.count(BROUGHT, YEAR_DAYS))


@dataclass(frozen=True)
class Past:
    """members: person_id, occurred_at, known_at, by person_id; brought: sender_id, person_id,
    occurred_at, known_at (since when the credit is certain), one row per friend; events: person_id,
    event, occurred_at, known_at, amount. since: from when on an event was recorded at all."""

    members: pd.DataFrame
    brought: pd.DataFrame
    events: pd.DataFrame
    since: Mapping[str, pd.Timestamp] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """own: columns of the member, BROUGHT and JOINED among their events. friends: kinds of events
    of those whom the member brought, which fade. inviter: columns of whoever brought the member."""

    own: Sequence[ft.Feature]
    friends: Sequence[str] = ()
    inviter: Sequence[ft.Feature] = RECORD

    @property
    def of_member(self) -> list[ft.Feature]:
        fading = (ft.faded(FRIEND + event, FRIENDS_HALF_LIFE_DAYS) for event in self.friends)
        return [*self.own, *fading]

    @property
    def names(self) -> list[str]:
        upstream = (INVITER + one.name for one in self.inviter)
        return [*(one.name for one in self.of_member), *upstream]


def columns(past: Past, wanted: Wanted, person_id: pd.Series, as_of: pd.Series) -> pd.DataFrame:
    """The wanted columns of persons at as-of times, in their order, float64."""
    stream = ft.together(
        [
            ft.stream(past.members["person_id"], *times(past.members), JOINED),
            ft.stream(past.brought["sender_id"], *times(past.brought), BROUGHT),
            *own_events(past.events),
            *of_friends(past, wanted.friends),
        ]
    )
    found = ft.compute(wanted.of_member, {}, stream, person_id, as_of, "float64")
    counted = [one.name for one in wanted.of_member if one.stat != "recency"]
    found = found.fillna(dict.fromkeys(counted, 0.0))
    for event, first in past.since.items():
        unknown = ex.earlier(as_of, first)
        names = [one.name for one in wanted.of_member if one.event in (event, FRIEND + event)]
        found.loc[unknown, names] = np.nan
    whose = inviters(past, person_id, as_of)
    upstream = ft.compute(wanted.inviter, {}, stream, whose, as_of, "float64")
    return found.join(upstream.fillna(0.0).add_prefix(INVITER))


def times(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    return rows["known_at"], rows["occurred_at"]


def own_events(events: pd.DataFrame) -> list[pd.DataFrame]:
    if events.empty:
        return []
    return [ft.stream(events["person_id"], *times(events), events["event"], events["amount"])]


def of_friends(past: Past, kinds: Sequence[str]) -> list[pd.DataFrame]:
    """Events of friends as events of those who brought them, known once both are."""
    events = past.events[past.events["event"].isin(kinds)]
    credit = past.brought[["person_id", "sender_id", "known_at"]]
    rows = events.merge(credit.rename(columns={"known_at": "credited_at"}), "inner", "person_id")
    if rows.empty:
        return []
    known = ex.later(rows["known_at"], rows["credited_at"])
    name = FRIEND + rows["event"].astype("object")
    return [ft.stream(rows["sender_id"], known, rows["occurred_at"], name, rows["amount"])]


def inviters(past: Past, person_id: pd.Series, as_of: pd.Series) -> pd.Series:
    """Who is credited with each person at the as-of time, -1 for nobody."""
    credit = past.brought.drop_duplicates("person_id").set_index("person_id")
    found = credit[["sender_id", "known_at"]].reindex(person_id).set_index(person_id.index)
    known = ex.earlier(found["known_at"], as_of)
    return found["sender_id"].where(known, -1).astype("int64")


def at_looks(members: pd.DataFrame, looks: Sequence[pd.Timestamp]) -> pd.DataFrame:
    """Everybody who was known at each look: person_id, as_of; by as_of, person_id.

    Raises InputError where that is nobody.
    """
    parts = []
    for look in looks:
        people = np.sort(members["person_id"][ex.known_before(members, look, "known_at")])
        if not len(people):
            raise InputError(f"No member was known before {ex.label(look)}. Look later.")
        parts.append(pd.DataFrame({"person_id": people, "as_of": look}))
    return pd.concat(parts, ignore_index=True).astype({"as_of": "datetime64[us]"})


def came(
    rows: pd.DataFrame, brought: pd.DataFrame, horizon_days: float, counted: str = "occurred_at"
) -> np.ndarray:
    """1 for those with a row of `brought` as sender whose `counted` lies in the horizon, else 0.

    rows: person_id, as_of. int64, shape (n_rows,).
    """
    found = np.zeros(len(rows), "int64")
    for look in rows["as_of"].unique():
        end = ex.horizon_end(look, horizon_days)
        inside = ex.known_before(brought, end, counted) & ~ex.known_before(brought, look, counted)
        now = rows["as_of"].eq(look).to_numpy()
        found[now] = rows.loc[now, "person_id"].isin(brought["sender_id"][inside])
    return found
