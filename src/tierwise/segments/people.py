"""What is known of each customer at an as-of time, in four blocks: the columns for `find.find`.

    where         city, country
    who           age_years, gender, household
    communities   own_KIND and contacts_KIND, see communities.py
    behaviour     events and purchases of the last `days`: how many of each kind, on how many days,
                  at what time of the day, how much was spent, how long ago the last one was

Tables are those of customer_tables.py. Only customers who had joined by then have a row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise import snapshot
from tierwise import tables as contracts
from tierwise.files import InputError
from tierwise.segments import communities

DAYS = 180.0
DID = "did"
PERSONAL = ["city", "country", "age_years", "gender", "household", "may_contact"]


NAMES = ("people", "customer_events", "memberships", "contacts", "purchases", "touches")


@dataclass(frozen=True)
class Columns:
    """How `find.find` takes the columns of `people_at`."""

    numbers: list[str]
    categories: list[str]
    blocks: dict[str, list[str]]


def read(folder: Path) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """What a snapshot says of itself, and its tables but for the messages, which nobody reads here.

    Raises InputError for a snapshot of another set of tables.
    """
    about, names = snapshot.about(folder), contracts.SETS["customers"]
    if set(about["tables"]) != set(names):
        raise InputError(
            f"{folder} holds {', '.join(about['tables'])}, not the tables of customers. "
            "params.yaml: below `tables:`, its section needs `set: customers`; then fetch again."
        )
    return about, {name: snapshot.read(folder, name) for name in NAMES}


def people_at(
    tables: Mapping[str, pd.DataFrame],
    as_of: pd.Timestamp,
    kinds: Sequence[str],
    event_kinds: Sequence[str],
    days: float = DAYS,
) -> pd.DataFrame:
    """A row per customer, index person_id, ascending; missing where nothing is known.

    kinds: of communities; event_kinds: events that make up the behaviour. Columns: those of
    `columns`, and may_contact.
    """
    known = tables["people"][ex.known_before(tables["people"], as_of, "known_at")]
    known = known.sort_values(["person_id", "known_at"], kind="stable")
    people = known.drop_duplicates("person_id", keep="last").set_index("person_id")[PERSONAL]
    parts = [
        people,
        communities.counts(tables["memberships"], tables["contacts"], people.index, kinds, as_of),
        behaviour(tables["customer_events"], people.index, event_kinds, as_of, days),
        spending(tables["purchases"], people.index, as_of, days),
    ]
    return pd.concat(parts, axis=1)


def columns(kinds: Sequence[str], event_kinds: Sequence[str]) -> Columns:
    """Which columns of `people_at` are numbers, categories and blocks."""
    return Columns(
        numbers=["age_years", "active_days_count", "hour", "spent_eur", "purchases_count"],
        categories=["city", "country", "gender", "household"],
        blocks={
            communities.OWN: communities.own_names(kinds),
            communities.CONTACTS: communities.far_names(kinds),
            DID: [f"{DID}_{kind}" for kind in event_kinds],
        },
    )


def recent(table: pd.DataFrame, key: str, as_of: pd.Timestamp, days: float) -> pd.DataFrame:
    """Rows known before the as-of time that occurred in the last `days`, each once."""
    known = table[ex.known_before(table, as_of, "known_at")]
    since = as_of - pd.Timedelta(days=days)
    return known[~ex.known_before(known, since, "occurred_at")].drop_duplicates(key)


def behaviour(
    events: pd.DataFrame,
    people: pd.Index,
    event_kinds: Sequence[str],
    as_of: pd.Timestamp,
    days: float,
) -> pd.DataFrame:
    """did_KIND counts; active_days_count; hour, the middle one of the day (circular mean, 0 to 24).

    hour is missing for people who did nothing.
    """
    rows = recent(events, "event_id", as_of, days)
    rows = rows[rows["event"].isin(event_kinds)]
    found = pd.crosstab(rows["person_id"], rows["event"])
    found = found.reindex(index=people, columns=list(event_kinds), fill_value=0)
    found = found.add_prefix(f"{DID}_").rename_axis(columns=None)
    by_person = rows.assign(day=rows["occurred_at"].dt.normalize()).groupby("person_id")
    found["active_days_count"] = by_person["day"].nunique().reindex(people, fill_value=0)
    angle = 2 * np.pi * seconds(rows["occurred_at"]) / 86_400
    places = pd.DataFrame({"person_id": rows["person_id"], "x": np.cos(angle), "y": np.sin(angle)})
    mean = places.groupby("person_id")[["x", "y"]].mean().reindex(people)
    found["hour"] = np.mod(np.arctan2(mean["y"], mean["x"]) * 12 / np.pi, 24)
    return found


def seconds(times: pd.Series) -> pd.Series:
    """Of the day."""
    return (times - times.dt.normalize()).dt.total_seconds()


def spending(
    purchases: pd.DataFrame, people: pd.Index, as_of: pd.Timestamp, days: float
) -> pd.DataFrame:
    """purchases_count and spent_eur."""
    rows = recent(purchases, "purchase_id", as_of, days)
    by_person = rows.groupby("person_id")["amount_eur"]
    return pd.DataFrame(
        {
            "purchases_count": by_person.size().reindex(people, fill_value=0),
            "spent_eur": by_person.sum().reindex(people, fill_value=0.0),
        }
    )
