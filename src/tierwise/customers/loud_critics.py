"""Who among the most active customers writes persistently negative messages?

    top           customers with the most points, `top_share` of all who ever earned some
    texts         messages of the last `lookback_days` that could be judged; a text that somebody
                  sends twice within a week counts once
    share         of a customer's texts that are negative, drawn towards everybody's as far as texts
                  are few; as far as there seem to be two kinds of writers, towards that of their
                  own kind (beta priors of all who write, see `shrinkage_kinds`)
    limit         `times_median` times the median of these shares
    persistent    share above the limit with a chance of `certainty`; negative texts in
                  `least_weeks` separate weeks; and above the limit more likely than not without
                  the worst week, too, since one bad week makes no critic

Everything is what was known before the as-of time. Being a critic is no fault: these are customers
who stay, use much and say what is wrong, so somebody should read five of their texts and ask them.
Nobody is contacted by this list, and those who don't want to be contacted are not shown with it.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from tierwise import accounts, refusals, shrinkage_kinds, snapshot, tables
from tierwise import examples as ex
from tierwise.customers import event_file, points, sentiment
from tierwise.customers.sentiment import Model
from tierwise.files import InputError

TABLES = ("people", "customer_events", "messages")
WEEK = pd.Timedelta(days=7)
MONDAY = pd.Timestamp("2001-01-01")  # weeks are counted from one
LIKELY = 0.5
# Why somebody is not on the list: the first step that they did not take.
TOP, TEXTS, SHARE, WEEKS, BAD_WEEK, LISTED = STEPS = (
    *("among the most active", "enough texts", "negative beyond the limit"),
    *("in separate weeks", "without the worst week", "on the list"),
)


class Rules(BaseModel, extra="forbid", strict=True, frozen=True):
    """Numbers of the rule, see the head of this module."""

    top_share: float = Field(0.10, gt=0, le=1)
    lookback_days: float = Field(365.0, gt=0)
    least_texts: int = Field(20, ge=2)
    least_weeks: int = Field(3, ge=1)
    times_median: float = Field(2.0, ge=1)
    certainty: float = Field(0.9, gt=0.5, lt=1)


@dataclass(frozen=True)
class Found:
    """texts: of `judged`; people: of `ruled`; limit and median: shares of negative texts."""

    texts: pd.DataFrame
    people: pd.DataFrame
    limit: float
    median: float
    kinds: shrinkage_kinds.Kinds


def rules(given: Mapping[str, Any] | None = None) -> Rules:
    """Checked. Raises InputError with the first number that can't be."""
    return refusals.fitting(
        Rules, dict(given or {}), "rules", "See src/tierwise/customers/loud_critics.py."
    )


def read(folder: Path) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """What a snapshot says of itself, and TABLES. Raises InputError for one of another set."""
    about, names = snapshot.about(folder), tables.SETS["customers"]
    if set(about["tables"]) != set(names):
        raise InputError(
            f"{folder} holds {', '.join(about['tables'])}, not the tables of customers. "
            "params.yaml: below `tables:`, its section needs `set: customers`; then fetch again."
        )
    return about, {name: snapshot.read(folder, name) for name in TABLES}


def earned(events: pd.DataFrame, catalogue: Path, as_of: pd.Timestamp) -> pd.Series:
    """Points by person_id, as they have faded by then, from a catalogue of events (YAML file)."""
    book = points.built(event_file.read(catalogue), events, as_of)
    return points.scores(book, as_of).set_index("person_id")["points"]


def found(
    model: Model,
    given: Mapping[str, pd.DataFrame],
    earned_points: pd.Series,
    as_of: pd.Timestamp,
    rule: Rules,
) -> Found:
    """Everybody and their texts. given: people, messages. Raises InputError where few write."""
    texts = judged(model, given["messages"], as_of, rule.lookback_days)
    return ruled(texts, given["people"], earned_points, as_of, rule)


def judged(
    model: Model, messages: pd.DataFrame, as_of: pd.Timestamp, lookback_days: float
) -> pd.DataFrame:
    """Messages known before the as-of time and not older than that, by person_id, occurred_at.

    Columns: message_id, person_id, occurred_at, language, text, week (number), chance (NaN: not
    judged), negative (bool).
    """
    known = messages[ex.known_before(messages, as_of, "known_at")]
    known = known[~ex.known_before(known, as_of - pd.Timedelta(days=lookback_days), "occurred_at")]
    rows = known.sort_values(["person_id", "occurred_at", "message_id"], ignore_index=True)
    rows["week"] = (rows["occurred_at"] - MONDAY) // WEEK
    rows = rows.drop_duplicates(["person_id", "week", "text"], ignore_index=True)
    rows["chance"] = sentiment.chances(model, rows["text"], rows["language"])
    rows["negative"] = rows["chance"] >= model.threshold
    return rows.drop(columns="known_at")


def ruled(
    texts: pd.DataFrame,
    people: pd.DataFrame,
    earned_points: pd.Series,
    as_of: pd.Timestamp,
    rule: Rules,
) -> Found:
    """The rule, given judged texts and points by person_id."""
    table = counted(texts, earned_points, rule.top_share)
    writers = table["texts_count"] > 0
    k, n = table["negative_count"].to_numpy("float64"), table["texts_count"].to_numpy("float64")
    if writers.sum() < 2:
        raise InputError(
            f"{int(writers.sum())} customers wrote something that could be judged since "
            f"{ex.label(as_of - pd.Timedelta(days=rule.lookback_days))}; it takes 2 to compare "
            "them. Raise lookback_days."
        )
    kinds = shrinkage_kinds.prior(k, n)
    table[["share", "low", "high"]] = shrinkage_kinds.shrunk_shares(k, n, kinds).to_numpy()
    median = float(table["share"][writers].median())
    limit = rule.times_median * median
    table["chance_above"] = shrinkage_kinds.above(k, n, kinds, limit)
    calm_k = k - table.pop("worst_negative_count").to_numpy("float64")
    calm_n = n - table.pop("worst_texts_count").to_numpy("float64")
    table["chance_without_worst_week"] = shrinkage_kinds.above(calm_k, calm_n, kinds, limit)
    table["step"] = first_missed(table, rule)
    table["may_contact"] = contactable(people, table.index, as_of)
    return Found(texts, table.reset_index(), limit, median, kinds)


def counted(texts: pd.DataFrame, earned_points: pd.Series, top_share: float) -> pd.DataFrame:
    """A row per person with points or texts, index person_id, ascending.

    points, top (bool), texts_count, unjudged_count, negative_count, weeks_count (with a negative
    text), worst_negative_count and worst_texts_count: of the week with the most negative texts.
    """
    who = pd.Index(earned_points.index).union(pd.Index(texts["person_id"].unique()))
    table = pd.DataFrame({"points": earned_points.reindex(who).fillna(0.0)}, index=who)
    table.index.name = "person_id"
    table["top"] = most_active(table["points"], top_share)
    read = texts[texts["chance"].notna()]
    weeks = read.groupby(["person_id", "week"])["negative"].agg(["sum", "size"]).reset_index()
    weeks = weeks.sort_values(["person_id", "sum", "size"], ascending=[True, False, True])
    worst = weeks.drop_duplicates("person_id").set_index("person_id")
    unread = texts["chance"].isna().groupby(texts["person_id"]).sum()
    by_person = read.groupby("person_id")["negative"]
    counts = {
        "texts_count": by_person.size(),
        "unjudged_count": unread,
        "negative_count": by_person.sum(),
        "weeks_count": (weeks["sum"] > 0).groupby(weeks["person_id"]).sum(),
        "worst_negative_count": worst["sum"],
        "worst_texts_count": worst["size"],
    }
    for name, values in counts.items():
        table[name] = values.reindex(who).fillna(0).astype("int64")
    return table


def most_active(earned_points: pd.Series, top_share: float) -> np.ndarray:
    """Whether somebody is among the `top_share` of those with points; equals stand together."""
    some = earned_points[earned_points > 0]
    if some.empty:
        return np.zeros(len(earned_points), bool)
    count = max(1, round(top_share * len(some)))
    least = np.sort(some.to_numpy())[-count]
    return (earned_points >= least).to_numpy()


def first_missed(table: pd.DataFrame, rule: Rules) -> np.ndarray:
    """The first of STEPS that a person did not take, LISTED where all were taken."""
    taken = {
        TOP: table["top"],
        TEXTS: table["texts_count"] >= rule.least_texts,
        SHARE: table["chance_above"] >= rule.certainty,
        WEEKS: table["weeks_count"] >= rule.least_weeks,
        BAD_WEEK: table["chance_without_worst_week"] > LIKELY,
    }
    step = np.full(len(table), LISTED, dtype=object)
    for name, passed in reversed(taken.items()):
        step[~passed.to_numpy()] = name
    return step


def contactable(people: pd.DataFrame, who: pd.Index, as_of: pd.Timestamp) -> np.ndarray:
    """Whether each may be written to, as known last before the as-of time; no row: no."""
    known = people[ex.known_before(people, as_of, "known_at")]
    latest = accounts.latest(known, "person_id").set_index("person_id")["may_contact"]
    return latest.reindex(who).fillna(False).to_numpy("bool")


def funnel(result: Found) -> pd.DataFrame:
    """How many take each step, in order: step, people_count, left_out_count."""
    place = result.people["step"].map(dict(zip(STEPS, range(len(STEPS)), strict=True)))
    reached = [len(place), *(int((place > at).sum()) for at in range(len(STEPS) - 1))]
    names = ["customers with points or texts", *STEPS[:-1]]
    left_out = [0, *(before - after for before, after in itertools.pairwise(reached))]
    return pd.DataFrame({"step": names, "people_count": reached, "left_out_count": left_out})


def listed(result: Found) -> pd.DataFrame:
    """Those on the list, the surest first: rows of people."""
    rows = result.people[result.people["step"] == LISTED]
    order = ["chance_without_worst_week", "share", "person_id"]
    return rows.sort_values(order, ascending=[False, False, True], ignore_index=True)
