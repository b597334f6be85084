"""The tables of a CRM as what features are made of: streams of events, and versions of profiles.

Kinds of events by deal: opened, stage (amount: its number), value (euros), and contacts
(minutes), of a merged deal also under its survivor. By organisation: the types of the table
events, post and what is in a post, ad_click (euros).
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import features as ft
from tierwise import lifecycle, snapshot, tables
from tierwise.files import InputError

POST_NUMBERS = {
    "post_title_length": "title_length_count",
    "post_description_length": "description_length_count",
    "post_screening_questions": "screening_questions_count",
}
POST_FLAGS = {"post_salary": "salary", "post_photo": "photo"}
CONTACTS = ("call_done", "call_missed", "mail_done", "meeting_done", "meeting_missed")
# Kinds of events and groups of them that are named here; types of the table `events` are not.
OWN_NAMES = {
    *("opened", "stage", "value", *CONTACTS, "contact", "call"),
    *("post", *POST_NUMBERS, *POST_FLAGS, "ad_click", "effort", "value_received", "product"),
}
NOBODY = -(2**62)  # no id has 19 digits
PROFILE = {"organizations": ["industry", "country", "employees_count"], "persons": ["job_title"]}


def contents(raw: dict[str, Any]) -> pd.DataFrame:
    """What came in, per table: table, rows_count, copies_count, late_share, last_known_at."""
    shown = ["rows_count", "copies_count", "late_share", "last_known_at"]
    rows = [{"table": name, **figures} for name, figures in raw["tables"].items()]
    found = pd.DataFrame(rows)[["table", *shown]].astype({"late_share": "float64"})
    return found.assign(last_known_at=found["last_known_at"].str[:16].str.replace("T", " "))


def custom_fields(deals: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Source and custom fields by deal, as they are now. InputError for one called like `names`."""
    contract = [name for name in tables.CONTRACTS["deals"].columns if name != "source"]
    own = deals.set_index("deal_id").drop(columns=contract, errors="ignore")
    taken = [name for name in own if name in names]
    if taken:
        raise InputError(
            f"Table deals: the custom field '{taken[0]}' is called like a column that is computed "
            "for every row. Rename it where the table comes from."
        )
    return own.astype({c: "float64" for c in own if pd.api.types.is_numeric_dtype(own[c])})


def profile(part: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Client profile, of the versions that were known then."""
    found = []
    for name, columns in PROFILE.items():
        key = tables.KEYS[name][0]
        whose = rows[key].fillna(NOBODY)
        versions = snapshot.read(part, name, only=(key, whose.astype("int64")))
        found.append(ft.last_known(versions, key, whose, rows["as_of"], columns))
    return pd.concat(found, axis=1)


def owner(changes: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Who looked after each deal then: a user_id as text, missing where nobody was known."""
    own = changes[changes["field"] == "owner"]
    own = own.assign(owner_id=own["new_value"].astype("int64").astype("str"))  # 07 is 7
    found = ft.last_known(own, "deal_id", rows["deal_id"], rows["as_of"], ["owner_id"])
    return found["owner_id"]


def outcomes(folder: Path) -> pd.DataFrame:
    """One row a deal of a snapshot: deal_id (text), outcome, closed_at, owner_id; see `ends`.

    owner_id: who looks after it as far as is known today, "" where nobody does.
    """
    found = []
    for part in snapshot.parts(folder):
        changes = snapshot.read(part, "deal_changes")
        rows = snapshot.read(part, "deals", ["deal_id"])
        rows["as_of"] = pd.Series(pd.Timestamp.max.floor("D"), rows.index).astype("datetime64[us]")
        ended = lifecycle.ends(lifecycle.statuses(changes), rows["deal_id"])
        found.append(ended.assign(deal_id=rows["deal_id"], owner_id=owner(changes, rows)))
    table = pd.concat(found, ignore_index=True)
    table = table.assign(deal_id=table["deal_id"].astype("str"), owner_id=table["owner_id"])
    return table.fillna({"owner_id": ""})[["deal_id", "outcome", "closed_at", "owner_id"]]


def known_until(folder: Path) -> pd.Timestamp:
    """Up to when a snapshot tells what happened, UTC."""
    about = snapshot.about(folder)
    return pd.Timestamp(about.get("read_until", about["data_until"]))


def team(part: Path, owner_id: pd.Series, as_of: pd.Series) -> pd.Series:
    """The owner's team then: where the deal is worked on, without naming who."""
    who = owner_id.fillna(str(NOBODY)).astype("int64")
    users = snapshot.read(part, "users")
    return ft.last_known(users, "user_id", who, as_of, ["team"])["team"]


def deal_events(
    part: Path, deals: pd.DataFrame, changes: pd.DataFrame, stages: list[str]
) -> pd.DataFrame:
    """Opening, stages, values and contacts as one stream by deal."""
    opened = ft.stream(deals["deal_id"], deals["known_at"], deals["occurred_at"], "opened")
    moves, values = (changes[changes["field"] == field] for field in ("stage", "value"))
    numbers = (
        lifecycle.stage_number(moves["new_value"], stages),
        values["new_value"].astype("float64"),
    )
    streams = [opened]
    for own, event, amount in zip((moves, values), ("stage", "value"), numbers, strict=True):
        times = own["known_at"], own["occurred_at"]
        streams.append(ft.stream(own["deal_id"], *times, event, amount))
    done = snapshot.read(part, "activities")
    kind = done["type"] + np.where(done["done"], "_done", "_missed")
    contacts = ft.stream(
        done["deal_id"], done["known_at"], done["occurred_at"], kind, done["duration_minutes"]
    )
    return ft.together([*streams, contacts, lifecycle.inherited(contacts, changes)])


def product_events(part: Path) -> pd.DataFrame:
    """The table events. A type called like something of ours is not counted as that: event_post."""
    events = snapshot.read(part, "events")
    own = events["type"].isin(OWN_NAMES)
    return events.assign(type=events["type"].where(~own, "event_" + events["type"]))


def organization_events(part: Path, events: pd.DataFrame) -> pd.DataFrame:
    """Product events, job posts and ad clicks as one stream by organisation."""
    posts, clicks = snapshot.read(part, "job_posts"), snapshot.read(part, "ad_clicks")

    def as_stream(table: pd.DataFrame, event: Any, amount: Any = np.nan) -> pd.DataFrame:
        times = table["known_at"], table["occurred_at"]
        return ft.stream(table["organization_id"], *times, event, amount)

    streams = [as_stream(events, events["type"], events["amount"]), as_stream(posts, "post")]
    streams += [as_stream(posts, event, posts[name]) for event, name in POST_NUMBERS.items()]
    streams += [as_stream(posts[posts[name]], event) for event, name in POST_FLAGS.items()]
    return ft.together([*streams, as_stream(clicks, "ad_click", clicks["cost_eur"])])
