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
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, Field

from tierwise import context, crm, engine, files, lifecycle, refusals, snapshot
from tierwise import examples as ex
from tierwise import features as ft
from tierwise.files import InputError

# For value_rates.py each hour would have to compute the columns of all earlier looks.
contents, around = crm.contents, context.around
HERE = "src/tierwise/applications/leads.py"
Days = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ROW_COLUMNS = ["deal_id", "as_of", "outcome", "outcome_known_at", "owner_id", "excluded"]
Families = dict[str, list[ft.Feature]]


def declared(question: dict[str, Any]) -> dict[str, Families]:
    """Key -> family -> features: of the deal's own events, and of its organisation's."""
    windows, fade = [*question["lookback_days"], None], question["half_life_days"]
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
            *counted(["contact", *crm.CONTACTS], windows),
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
            *map(ft.last, crm.POST_NUMBERS),
            *(ft.share(flag, "post") for flag in crm.POST_FLAGS),
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


class Question(BaseModel, extra="forbid", strict=True):
    """What params.yaml must say, with its types."""

    entity: str
    outcome_horizon_days: Days
    score_every_days: Days
    lookback_days: list[Days]
    half_life_days: Days
    stages: Annotated[list[str], Field(min_length=1)]
    effort: list[str]
    value: list[str]
    engine: str


def checked(question: dict[str, Any]) -> dict[str, Any]:
    """The question as it is. Raises InputError for the first thing that can't be asked."""
    refusals.fitting(Question, question, "question", f"See the comments at the head of {HERE}.")
    for name in ("lookback_days", "stages"):
        refuse(name, [item for item in question[name] if question[name].count(item) > 1], "twice")
    types = [*question["effort"], *question["value"]]
    refuse("effort and value", [item for item in types if types.count(item) > 1], "twice")
    own = [item for item in types if item in crm.OWN_NAMES]
    refuse("effort and value", own, "as a type of event")
    return question


def refuse(place: str, items: list[Any], how: str) -> None:
    if items:
        raise InputError(
            f"params.yaml: {place} of the question names {items[0]!r} {how}. Each name stands "
            f"once, and these have a meaning of their own: {', '.join(sorted(crm.OWN_NAMES))}."
        )


def groups(question: dict[str, Any], types: list[str]) -> dict[str, list[str]]:
    """Names for several kinds of events. types: all types of events in the table `events`."""
    return {
        "contact": list(crm.CONTACTS),
        "call": ["call_done", "call_missed"],
        "effort": ["post", *question["effort"]],
        "value_received": question["value"],
        "product": types,
    }


def read(source: Path, question: dict[str, Any]) -> dict[str, Any]:
    """What the snapshot says of itself, and where it lies. InputError where there is none."""
    checked(question)
    about = snapshot.about(source)
    seen: set[str] = set()
    for part in snapshot.parts(source):
        seen.update(snapshot.read(part, "events", ["type"])["type"].unique())
    unseen = [name for name in (*question["effort"], *question["value"]) if name not in seen]
    if unseen:
        raise InputError(
            f"params.yaml: effort and value of the question name {unseen[0]!r}, but no event has "
            f"this type. The types are: {', '.join(sorted(seen)[:40])}."
        )
    return about | {"folder": source}


def size(raw: dict[str, Any]) -> tuple[str, int]:
    """What the first card of the report counts."""
    return "deals in the tables", raw["tables"]["deals"]["rows_count"]


def dated(question: dict[str, Any]) -> list[str]:
    """Columns that hold what was known then; the others are custom fields without a history."""
    made = [f.name for part in declared(question).values() for fs in part.values() for f in fs]
    return [*(name for names in crm.PROFILE.values() for name in names), "team", *made]


def undecided(raw: dict[str, Any], question: dict[str, Any]) -> None:
    """Nothing is over-represented: quick or slow, a row counts when its horizon is over."""


def build(
    raw: dict[str, Any], question: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """Examples, their columns (same rows, by as_of, then deal), and rows excluded by reason.

    Columns of the examples: entity_id, as_of, outcome, outcome_known_at and owner_id, the user_id
    of the owner as known at the as-of time, missing where none was known. It is no feature.
    """
    rows = gathered(examine, raw, question)
    kept = rows[rows["excluded"] == ""].reset_index(drop=True)
    excluded = rows.loc[rows["excluded"] != "", "excluded"].value_counts()
    check(kept, question)
    examples = kept[["as_of", "outcome", "outcome_known_at", "owner_id"]]
    examples.insert(0, "entity_id", kept["deal_id"].astype(str))
    return examples, kept.drop(columns=ROW_COLUMNS), excluded.sort_index().to_dict()


def open_rows(
    raw: dict[str, Any], question: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """All looks at the deals that still stand open: as_of and entity_id, and their columns.

    None where no deal is open. Looks that `build` has, too, are among them: what a custom field
    says now depends on how the deal stands now, not on whether a horizon is over. So the columns
    are those without a history; the others hold what was known then, whatever became of the deal.
    """
    rows = gathered(still_open, raw, question)
    who = pd.DataFrame({"as_of": rows["as_of"], "entity_id": rows.pop("deal_id").astype(str)})
    return None if rows.empty else (who, rows.drop(columns="as_of"))


def gathered(work: Any, raw: dict[str, Any], question: dict[str, Any]) -> pd.DataFrame:
    """What `work` finds in each partition, by as_of, then deal."""
    task = partial(work, question=question, until=pd.Timestamp(raw["data_until"]))
    with tempfile.TemporaryDirectory(dir=raw["folder"].parent, prefix=".leads.") as folder:
        paths = engine.over_parts(
            task, snapshot.parts(raw["folder"]), Path(folder), question["engine"]
        )
        rows = pd.concat([files.read_parquet(path) for path in paths], ignore_index=True)
    return rows.sort_values(["as_of", "deal_id"], kind="stable", ignore_index=True)


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

    Columns: ROW_COLUMNS, of which `excluded` says why there is no outcome, or ""; then the
    features.
    """
    deals, changes = snapshot.read(part, "deals"), snapshot.read(part, "deal_changes")
    statuses = lifecycle.statuses(changes)
    rows = entities(deals, statuses, question, until)
    rows = rows.join(lifecycle.outcome(statuses, rows, question["outcome_horizon_days"], until))
    rows = rows.assign(owner_id=crm.owner(changes, rows))
    return rows[ROW_COLUMNS].join(known(part, deals, changes, rows, question))


def still_open(part: Path, question: dict[str, Any], until: pd.Timestamp) -> pd.DataFrame:
    """Looks of one partition at deals that stand open at the end: deal_id, as_of, custom fields."""
    deals, changes = snapshot.read(part, "deals"), snapshot.read(part, "deal_changes")
    rows = entities(deals, lifecycle.statuses(changes), question, until)
    rows = rows.loc[rows["still_open"], ["deal_id", "as_of"]]
    return rows.join(custom(deals, question), on="deal_id").reset_index(drop=True)


def at_hour(part: Path, question: dict[str, Any], as_of: pd.Timestamp) -> pd.DataFrame:
    """All deals of one partition that are open now: what a list tells of them, then columns.

    Told: entity_id, as_of, owner_id, last_touch_at (latest contact by us) and value_eur.
    """
    deals, changes = snapshot.read(part, "deals"), snapshot.read(part, "deal_changes")
    rows = lifecycle.open_at(deals, lifecycle.statuses(changes), as_of)
    rows = rows.assign(owner_id=crm.owner(changes, rows), entity_id=rows["deal_id"].astype(str))
    columns = known(part, deals, changes, rows, question)
    touched = ex.days_earlier(rows["as_of"], columns["contact_recency_days"]).dt.floor("min")
    told = rows[["entity_id", "as_of", "owner_id"]].assign(last_touch_at=touched)
    return told.assign(value_eur=columns["value_last"].astype("float64")).join(columns)


def history(part: Path, question: dict[str, Any], until: pd.Timestamp) -> pd.DataFrame:
    """All looks of one partition, as in `build`; see `lifecycle.history`."""
    statuses = lifecycle.statuses(snapshot.read(part, "deal_changes"))
    rows = entities(snapshot.read(part, "deals"), statuses, question, until)
    return lifecycle.history(statuses, rows, question["outcome_horizon_days"], until)


def entities(
    deals: pd.DataFrame, statuses: pd.DataFrame, question: dict[str, Any], until: pd.Timestamp
) -> pd.DataFrame:
    """Whom could we have acted on, and when? Deals that stood open then; see `lifecycle.looks`."""
    return lifecycle.looks(deals, statuses, question["score_every_days"], until)


def custom(deals: pd.DataFrame, question: dict[str, Any]) -> pd.DataFrame:
    """Columns of the deals without a history, by deal."""
    return crm.custom_fields(deals, [*dated(question), *ROW_COLUMNS])


def known(
    part: Path,
    deals: pd.DataFrame,
    changes: pd.DataFrame,
    rows: pd.DataFrame,
    question: dict[str, Any],
) -> pd.DataFrame:
    """What was known of each row: profile first, then the declared features, family by family."""
    events = crm.product_events(part)
    streams = {
        "deal_id": crm.deal_events(part, deals, changes, question["stages"]),
        "organization_id": crm.organization_events(part, events),
    }
    members = groups(question, sorted(events["type"].unique()))
    found = [custom(deals, question).loc[rows["deal_id"]].set_axis(rows.index)]
    found += [crm.profile(part, rows), crm.team(part, rows["owner_id"], rows["as_of"])]
    for key, families in declared(question).items():
        wanted = [feature for family in families.values() for feature in family]
        found.append(ft.compute(wanted, members, streams[key], rows[key], rows["as_of"]))
    return pd.concat(found, axis=1)
