"""Segments learned at one time and looked at later: who is where, who moved, what came.

    learned_at   so many days before today. Segments are found there, from what was known then
    looks        mornings from learned_at to today: at each of them everybody is placed by the same
                 segments, and stays unless another one is likely
    later        from learned_at to today: what came of people, by the segment of learned_at. It
                 played no part in finding segments, and is looked at once

How active somebody is says points.py better. So segments are learned from people who did something
on a few days, and say of which kind somebody is; the others are placed by what is known of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from tierwise import examples as ex
from tierwise import files, refusals
from tierwise.files import InputError
from tierwise.segments import columns as segment_columns
from tierwise.segments import find, mixtures, moves
from tierwise.segments import people as segment_people
from tierwise.segments import plan as segment_plan
from tierwise.segments.find import BETWEEN, Found, Segmentation

Tables = Mapping[str, pd.DataFrame]
Days = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
HERE = "See the comments at the head of src/tierwise/segments/looks.py."
FEWEST = 20  # people in anything that is shown


class Question(BaseModel, extra="forbid", strict=True):
    """Whom and what to look at. numbers, categories: columns of `people.people_at`."""

    communities: Annotated[list[str], Field(min_length=2)]
    events: Annotated[list[str], Field(min_length=2)]
    numbers: list[str]
    categories: list[str]
    lookback_days: Days
    least_active_days_count: int
    later_days: Days
    look_every_days: Days


class Search(BaseModel, extra="forbid", strict=True):
    """How segments are searched for, and when people move. least_people_count: of any group that is
    found or shown."""

    most_segments_count: Count
    resample_count: Count
    least_people_count: Annotated[int, Field(ge=FEWEST)]
    least_chance: Annotated[float, Field(gt=0, lt=1)]
    move_chance: Annotated[float, Field(gt=0.5, lt=1)]


@dataclass(frozen=True)
class Asked:
    question: Question
    search: Search


@dataclass(frozen=True)
class Looked:
    """found: at looks[0], from the people of `active` then. people: what was known of everybody,
    and held: the segment of everybody (see `moves.held`), by look, the last one is today."""

    found: Found
    people: dict[pd.Timestamp, pd.DataFrame]
    held: dict[pd.Timestamp, pd.DataFrame]
    kept_names: dict[int, str]

    @property
    def segmentation(self) -> Segmentation:
        return self.found.segmentation

    @property
    def learned_at(self) -> pd.Timestamp:
        return next(iter(self.people))

    @property
    def today(self) -> pd.Timestamp:
        return list(self.people)[-1]

    def segment(self, look: pd.Timestamp) -> pd.Series:
        return self.held[look]["segment"]


def asked(question: Mapping[str, Any], search: Mapping[str, Any]) -> Asked:
    """The settings of params.yaml, checked. Raises InputError for the first one that is wrong."""
    return Asked(
        refusals.fitting(Question, dict(question), "question", HERE),
        refusals.fitting(Search, dict(search), "search", HERE),
    )


def looks(until: pd.Timestamp, question: Question) -> list[pd.Timestamp]:
    """Mornings from learned_at on at regular distances, and today, ascending."""
    start = (until - pd.Timedelta(days=question.later_days)).normalize().as_unit("us")
    every = pd.Timedelta(days=question.look_every_days)
    count = int(np.ceil((until - start) / every))
    return [*((start + step * every).as_unit("us") for step in range(count)), until.as_unit("us")]


def people_at(tables: Tables, look: pd.Timestamp, question: Question) -> pd.DataFrame:
    """See `people.people_at`."""
    return segment_people.people_at(
        tables, look, question.communities, question.events, question.lookback_days
    )


def active(people: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Those from whom segments are learned. Raises InputError where nobody is."""
    found = people[people["active_days_count"] >= question.least_active_days_count]
    if found.empty:
        raise InputError(
            f"Nobody of {len(people):,} people did anything on {question.least_active_days_count} "
            f"days or more within {question.lookback_days:g} days. Lower least_active_days_count."
        )
    return found


def blocks(question: Question) -> dict[str, list[str]]:
    return segment_people.columns(question.communities, question.events).blocks


def looked(
    tables: Tables, until: pd.Timestamp, asked: Asked, earlier: Path | None = None
) -> Looked:
    """Segments as of learned_at, and everybody's at each look.

    earlier: a file of `stored`, whose labels and names stay with the segments that continue them.
    Raises InputError as `find.find` does.
    """
    question, search = asked.question, asked.search
    people = {look: people_at(tables, look, question) for look in looks(until, question)}
    first = next(iter(people.values()))
    found = find.find(
        active(first, question),
        question.numbers,
        question.categories,
        blocks(question),
        most=search.most_segments_count,
        least_count=search.least_people_count,
        resample_count=search.resample_count,
    )
    kept: dict[int, str] = {}
    if earlier is not None:
        found, kept = continued(found, first, files.read_json(earlier))
    held, before = {}, None
    for look, rows in people.items():
        chance = find.chances(rows, found.segmentation)
        held[look] = moves.held(chance, before, search.move_chance, search.least_chance)
        before = held[look]["segment"]
    return Looked(found, people, held, kept)


def continued(
    found: Found, people: pd.DataFrame, stored: Mapping[str, Any]
) -> tuple[Found, dict[int, str]]:
    """The same segments under earlier labels, and the names of those that continue."""
    old = find.chances(people, find.from_plain(stored["segmentation"])).idxmax(axis=1)
    new = find.chances(people, found.segmentation).idxmax(axis=1)
    match = moves.matched(old, new)
    kept = match.loc[match["earlier"].notna(), "earlier"].astype("int64")
    names = {label: stored["names"][str(label)] for label in kept}
    segmentation = moves.relabelled(found.segmentation, match)
    labels = dict(zip(found.segmentation.labels, segmentation.labels, strict=True))
    stability = found.stability.assign(segment=found.stability["segment"].map(labels))
    return replace(found, segmentation=segmentation, stability=stability), names


def stored(looked: Looked, names: Mapping[int, str]) -> dict[str, Any]:
    """What it takes to place anybody later: learned_at, names and segmentation, for JSON."""
    return {
        "learned_at": ex.label(looked.learned_at),
        "names": {str(label): name for label, name in names.items()},
        "segmentation": find.as_plain(looked.segmentation),
    }


def table(looked: Looked, look: pd.Timestamp) -> pd.DataFrame:
    """person_id, segment, chance, between; by person_id.

    segment: the likeliest of people who are between segments, since `between` tells.
    """
    held = looked.held[look]
    between = held["segment"] == BETWEEN
    found = pd.DataFrame(
        {
            "segment": held["segment"].where(~between, held["likeliest"]),
            "chance": held["chance"],
            "between": between,
        }
    )
    return found.rename_axis("person_id").reset_index()


def monthly(looked: Looked, least_chance: float) -> pd.DataFrame:
    """How many moved from look to look: since, until, people_count, moved_share, interval, and
    likeliest_share, had everybody just been placed anew."""
    rows, days = [], list(looked.held)
    for since, until in pairwise(days):
        told = moves.moved(looked.segment(since), looked.segment(until))
        fresh = [
            find.assigned(find.chances(looked.people[day], looked.segmentation), least_chance)
            for day in (since, until)
        ]
        naive = moves.moved(fresh[0]["segment"], fresh[1]["segment"])
        row = {"since": since, "until": until, "people_count": told["people_count"]}
        row |= {"moved_share": told["moved_share"], "interval": told["interval"]}
        rows.append(row | {"likeliest_share": naive["moved_share"]})
    return pd.DataFrame(rows)


def anew(looked: Looked, question: Question, least_count: int) -> pd.DataFrame:
    """As many segments found anew among today's people: which earlier one each continues, see
    `moves.matched`."""
    rows = active(looked.people[looked.today], question)
    plan = segment_plan.planned(
        rows, question.numbers, question.categories, blocks(question), least_count
    )
    count = len(looked.segmentation.labels)
    fitted = mixtures.fit(segment_columns.prepared(rows, plan), count)
    now = pd.Series(fitted.posterior.argmax(axis=1) + 1, rows.index)
    before = find.chances(rows, looked.segmentation).idxmax(axis=1)
    return moves.matched(before, now)


def came(
    purchases: pd.DataFrame, people: pd.Index, since: pd.Timestamp, until: pd.Timestamp
) -> pd.DataFrame:
    """bought (0 or 1) and spent_eur of each person from `since` on, as known before `until`."""
    known = purchases[ex.known_before(purchases, until, "known_at")].drop_duplicates("purchase_id")
    spent = known[~ex.known_before(known, since, "occurred_at")].groupby("person_id")["amount_eur"]
    return pd.DataFrame(
        {
            "bought": people.isin(list(spent.groups)).astype("float64"),
            "spent_eur": spent.sum().reindex(people, fill_value=0.0).to_numpy("float64"),
        },
        people,
    )


def answers(
    touches: pd.DataFrame, until: pd.Timestamp, days: float, column: str, names: Sequence[str]
) -> pd.DataFrame:
    """person_id, channel, answered of the last `days`. column: channel or topic, whose values stand
    under `channel`; names: which of them."""
    rows = segment_people.recent(touches, "touch_id", until, days)
    rows = rows[rows[column].isin(names)]
    return pd.DataFrame(
        {
            "person_id": rows["person_id"],
            "channel": rows[column].astype("object"),
            "answered": rows["answered"].astype("int64"),
        }
    )
