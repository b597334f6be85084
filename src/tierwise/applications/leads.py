"""The question of a sales team: which open deal should be called first?

Every open deal is looked at again and again, on full hours. Outcome: it stands as won at the end
of the horizon. Its section of params.yaml:

    question:
      entity: open deal
      outcome_horizon_days: 30         won within so many days of the as-of time
      score_every_days: 14             how often an open deal becomes an example
      lookback_days: [7, 30]           windows of the counts, beside all that was known
      half_life_days: 7                of points that fade
      stages: [new, ..., negotiation]  the pipeline, from its start
      effort: [job_draft_saved, ...]   types of events in which the lead invests
      value: [application_received]    types of events in which the lead receives something
      engine: local                    or spark

What is known of a deal at an as-of time comes from four families, declared in `declared`: client
profile, effort the lead invests, value received in the trial, and time; and from our own contact.
A deal that was merged into another lives on in it: contacts count there from the merge on, and
its outcome is that of the survivor. A reopened deal is open again. A deleted deal is not won.
"""

import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import engine, files, lifecycle, snapshot, tables
from tierwise import examples as ex
from tierwise import features as ft
from tierwise.files import InputError

POST_NUMBERS = {
    "post_title_length": "title_length_count",
    "post_description_length": "description_length_count",
    "post_screening_questions": "screening_questions_count",
}
POST_FLAGS = {"post_salary": "salary", "post_photo": "photo"}
CONTACTS = ("call_done", "call_missed", "mail_done", "meeting_done", "meeting_missed")
PROFILE = {"organizations": ["industry", "country", "employees_count"], "persons": ["job_title"]}


Families = dict[str, list[ft.Feature]]


def declared(question: dict[str, Any]) -> dict[str, Families]:
    """Key -> family -> features: of the deal's own events, and of its organisation's."""
    windows = [*question["lookback_days"], None]
    fade = question["half_life_days"]
    return {
        "deal_id": of_deal(windows),
        "organization_id": of_organization(question["effort"], question["value"], windows, fade),
    }


def counted(names: Iterable[str], windows: list[Any]) -> list[ft.Feature]:
    return [ft.count(name, days) for name in names for days in windows]


def of_deal(windows: list[Any]) -> Families:
    return {
        "client profile": [ft.last("value")],
        "contact": [
            *counted(["contact", *CONTACTS], windows),
            *map(ft.recency, ["contact", "call_done", "meeting_done"]),
            ft.share("call_done", "call"),
            ft.total("call_done"),
        ],
        "time": [ft.recency("opened"), ft.recency("stage"), ft.last("stage"), ft.count("stage")],
    }


def of_organization(
    effort: list[str], value: list[str], windows: list[Any], half_life_days: float
) -> Families:
    return {
        "effort": [
            *counted(["effort", "post", *effort], windows),
            *map(ft.recency, ["effort", "post"]),
            *map(ft.last, POST_NUMBERS),
            *(ft.share(flag, "post") for flag in POST_FLAGS),
            ft.faded("effort", half_life_days),
        ],
        "value received": [
            *counted(["value_received", *value], windows),
            *map(ft.recency, ["value_received", *value]),
            *map(ft.last, value),
            ft.faded("value_received", half_life_days),
        ],
        "time": [
            *counted(["product", "ad_click"], windows),
            *(ft.distinct_days("product", days) for days in windows),
            ft.recency("product"),
            ft.faded("product", half_life_days),
        ],
    }


def groups(question: dict[str, Any], types: list[str]) -> dict[str, list[str]]:
    """Names for several kinds of events. types: all types of events in the table `events`."""
    return {
        "contact": list(CONTACTS),
        "call": ["call_done", "call_missed"],
        "effort": ["post", *question["effort"]],
        "value_received": question["value"],
        "product": types,
    }


def read(source: Path, question: dict[str, Any]) -> dict[str, Any]:
    """What the snapshot says of itself, and where it lies. InputError where there is none."""
    return snapshot.about(source) | {"folder": source}


def size(raw: dict[str, Any]) -> tuple[str, int]:
    """What the first card of the report counts."""
    return "deals in the tables", raw["tables"]["deals"]["rows_count"]


def contents(raw: dict[str, Any]) -> pd.DataFrame:
    """What came in, per table: table, rows_count, copies_count, late_share, last_known_at."""
    shown = ["rows_count", "copies_count", "late_share", "last_known_at"]
    rows = [{"table": name, **figures} for name, figures in raw["tables"].items()]
    found = pd.DataFrame(rows)[["table", *shown]].astype({"late_share": "float64"})
    return found.assign(last_known_at=found["last_known_at"].str[:16].str.replace("T", " "))


def dated(question: dict[str, Any]) -> list[str]:
    """Columns that hold what was known then; the others are custom fields without a history."""
    made = [f.name for part in declared(question).values() for fs in part.values() for f in fs]
    return [*(name for names in PROFILE.values() for name in names), "team", *made]


def undecided(raw: dict[str, Any], question: dict[str, Any]) -> None:
    """Nothing is over-represented: quick or slow, a row counts when its horizon is over."""


def build(
    raw: dict[str, Any], question: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """Examples, their columns (same rows, by as_of, then deal), and rows excluded by reason."""
    until = pd.Timestamp(raw["data_until"])
    work = partial(examine, question=question, until=until)
    with tempfile.TemporaryDirectory(dir=raw["folder"].parent, prefix=".leads.") as folder:
        paths = engine.over_parts(
            work, snapshot.parts(raw["folder"]), Path(folder), question["engine"]
        )
        rows = pd.concat([files.read_parquet(path) for path in paths], ignore_index=True)
    rows = rows.sort_values(["as_of", "deal_id"], kind="stable", ignore_index=True)
    censored = rows["outcome"].isna()
    kept = rows[~censored].reset_index(drop=True)
    check(kept, question)
    examples = kept[["as_of", "outcome", "outcome_known_at"]]
    examples.insert(0, "entity_id", kept["deal_id"].astype(str))
    columns = kept.drop(columns=["deal_id", "as_of", "outcome", "outcome_known_at"])
    return examples, columns, {"horizon not over yet": int(censored.sum())} if any(censored) else {}


def check(rows: pd.DataFrame, question: dict[str, Any]) -> None:
    counts = rows["outcome"].value_counts()
    if len(counts) < 2 or counts.min() < 10:
        days = question["outcome_horizon_days"]
        raise InputError(
            f"The outcome needs at least 10 won and 10 lost rows; within outcome_horizon_days "
            f"({days}) there are {int(counts.get(1.0, 0))} won and {int(counts.get(0.0, 0))} "
            "not won. Choose another horizon, or wait for more outcomes."
        )


def examine(part: Path, question: dict[str, Any], until: pd.Timestamp) -> pd.DataFrame:
    """All examples of one partition with their outcome and columns.

    Columns: deal_id, as_of, outcome (NaN: horizon not over), outcome_known_at, then the features.
    """
    deals = snapshot.read(part, "deals")
    statuses = lifecycle.statuses(snapshot.read(part, "deal_changes"))
    rows = entities(deals, statuses, question, until)
    horizon = question["outcome_horizon_days"]
    rows = rows.join(lifecycle.outcome(statuses, rows, horizon, until))
    return rows[["deal_id", "as_of", "outcome", "outcome_known_at"]].join(
        known(part, deals, rows, question)
    )


def entities(
    deals: pd.DataFrame, statuses: pd.DataFrame, question: dict[str, Any], until: pd.Timestamp
) -> pd.DataFrame:
    """Whom could we have acted on, and when? Deals that stood open then, as far as we knew.

    Columns deal_id, organization_id, person_id, as_of.
    """
    last_day = lifecycle.ended_at(statuses, deals["deal_id"]).fillna(until)
    every, start = question["score_every_days"], spread(deals["deal_id"])
    turns = ex.repeated(deals["known_at"], last_day, every, start)
    rows = deals[["deal_id", "organization_id", "person_id"]].iloc[turns["row"]]
    rows = rows.assign(as_of=turns["as_of"].array).reset_index(drop=True)
    return rows[lifecycle.is_open(statuses, rows["deal_id"], rows["as_of"])].reset_index(drop=True)


def spread(deal_id: pd.Series) -> np.ndarray:
    """A number from 0 to 1 per deal that is always the same and follows nothing."""
    return pd.util.hash_array(deal_id.to_numpy("uint64")) / 2.0**64


def known(
    part: Path, deals: pd.DataFrame, rows: pd.DataFrame, question: dict[str, Any]
) -> pd.DataFrame:
    """What was known of each row: profile first, then the declared features, family by family."""
    changes = snapshot.read(part, "deal_changes")
    events = snapshot.read(part, "events")
    streams = {
        "deal_id": deal_events(part, deals, changes, question["stages"]),
        "organization_id": organization_events(part, events),
    }
    members = groups(question, sorted(events["type"].unique()))
    found = [profile(part, deals, rows), team(part, changes, rows)]
    for key, families in declared(question).items():
        wanted = [feature for family in families.values() for feature in family]
        found.append(ft.compute(wanted, members, streams[key], rows[key], rows["as_of"]))
    return pd.concat(found, axis=1)


def profile(part: Path, deals: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Client profile as it was known then; custom fields of the deal as they are now."""
    contract = [name for name in tables.CONTRACTS["deals"].columns if name != "source"]
    own = deals.set_index("deal_id").drop(columns=contract, errors="ignore")
    numbers = {name: "float64" for name in own if pd.api.types.is_numeric_dtype(own[name])}
    found = [own.astype(numbers).loc[rows["deal_id"]].set_axis(rows.index)]
    for name, columns in PROFILE.items():
        key = tables.KEYS[name][0]
        versions = snapshot.read(part, name)
        found.append(ft.last_known(versions, key, rows[key].fillna(-1), rows["as_of"], columns))
    return pd.concat(found, axis=1)


def team(part: Path, changes: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """The team that owned the deal then: where it is worked on, without naming who."""
    own = changes[changes["field"] == "owner"].astype({"new_value": "int64"})
    owner = ft.last_known(own, "deal_id", rows["deal_id"], rows["as_of"], ["new_value"])
    teams = snapshot.read(part, "users").set_index("user_id")["team"]
    return owner["new_value"].map(teams).rename("team")


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
    return ft.together([*streams, contacts, *lifecycle.inherited(contacts, changes)])


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
