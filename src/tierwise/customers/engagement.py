"""How active each customer is: points, groups, chances, and what other rules would have made of it.

    points     of the catalogue of events, as they have faded, see points.py
    group      newly active, active or passive, see activity_groups.py
    chance     to buy within a horizon, see engagement_judged.py
    decile     place by that chance in tenths, 1 for the highest; equals in order of person_id
    tier       A, B, ... by the same order, in given shares

A day here is the last whole one before `until`, which is a midnight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tierwise.customers import activity_groups as ag
from tierwise.customers import engagement_judged as ej
from tierwise.customers import event_catalogue as ec
from tierwise.customers import point_ledger, point_replay, points
from tierwise.features import window_name
from tierwise.files import InputError

DAY = pd.Timedelta(days=1)
WORTH_DAYS = (0, 30, 90)
WEEKS_COUNT, REPLAYED_LOOKS_COUNT, SHOWN_COUNT = 52, 13, 15
EVERY_NTH = 20  # ledger is added up
DECILES = 10
EARLIER = "earlier"
# Whose score is shown: of each, the one with the most points.
SHOWN_STATES = (ag.ACTIVE, ag.RETURNING, ag.DORMANT)


def without_fading(catalogue: ec.Catalogue) -> ec.Catalogue:
    """The same points and caps, but nothing is ever lost."""

    def kept(version: ec.Version) -> ec.Version:
        return replace(version, half_life_days=None, step=None)

    events = (
        replace(event, versions=tuple(map(kept, event.versions))) for event in catalogue.events
    )
    return ec.Catalogue(tuple(events))


def with_points(rows: pd.DataFrame, events: pd.DataFrame, catalogue: ec.Catalogue) -> pd.DataFrame:
    """The rows with the points that each person had at the as-of time: hand_points, and
    unfaded_points, as if nothing faded. rows: person_id, as_of, each pair once."""
    looks = [pd.Timestamp(look) for look in np.unique(rows["as_of"])]
    found = point_replay.replay(events, catalogue, without_fading(catalogue), looks)
    names = {"before": ej.HAND, "after": ej.UNFADED}
    found = found.rename(columns=names)[["as_of", "person_id", *names.values()]]
    told = rows.merge(found, "left", ["as_of", "person_id"], validate="1:1")
    return told.fillna(dict.fromkeys(names.values(), 0.0))


def worth(
    catalogue: ec.Catalogue, at: pd.Timestamp, days: Sequence[int] = WORTH_DAYS
) -> pd.DataFrame:
    """What one event on that day is worth so many days later, if nothing else happens.

    Columns: those of `event_catalogue.table` and worth_<days>d, by the rule in force at `at`.
    """
    table = ec.table(catalogue)
    person = np.arange(len(table))
    once = pd.DataFrame({"person_id": person, "event": table["id"], "occurred_at": at})
    book = points.built(catalogue, once.assign(known_at=at))
    for after in days:
        moment = at + after * DAY + pd.Timedelta(microseconds=1)
        table[f"worth{window_name(after)}"] = points.scores(book, moment)["points"].to_numpy()
    return table


def now(
    rows: pd.DataFrame,
    judged: Mapping[float, ej.Judged],
    spells: pd.DataFrame,
    people: pd.DataFrame,
    tier_shares: Mapping[str, float],
) -> pd.DataFrame:
    """Everybody today, by person_id: person_id, as_of, points, group, state, since, chance_<days>d
    per horizon, decile, tier, may_contact.

    rows: of today, as they were judged. judged: by horizon; the first one makes deciles and tiers.
    people: index person_id, may_contact. Raises InputError where tier_shares do not add up to 1.
    """
    until = pd.Timestamp(rows["as_of"].iloc[0])
    states = ag.on_day(spells, until - DAY).set_index("person_id")
    states = states.reindex(rows["person_id"])
    table = pd.DataFrame(
        {
            "person_id": rows["person_id"].to_numpy(),
            "as_of": until,
            "points": rows[ej.HAND].to_numpy(),
            "group": states["group"].to_numpy(),
            "state": states["state"].astype("object").to_numpy(),
            "since": states["first_day"].to_numpy(),
        }
    )
    chances = {f"chance{window_name(days)}": ej.today(one, rows) for days, one in judged.items()}
    table = table.assign(**chances)
    place = places(next(iter(chances.values())), table["person_id"])
    table["decile"] = place * DECILES // len(table) + 1
    table["tier"] = tiers(place, tier_shares)
    may = people["may_contact"].reindex(table["person_id"]).fillna(False)
    return table.assign(may_contact=may.to_numpy("bool"))


def places(score: np.ndarray, person_id: pd.Series) -> np.ndarray:
    """From 0 for the highest score on; equals in order of person_id."""
    found = np.empty(len(score), "int64")
    found[np.lexsort((person_id, -score))] = np.arange(len(score))
    return found


def tiers(place: np.ndarray, shares: Mapping[str, float]) -> np.ndarray:
    """Names of tiers for places from 0 on, the first shares first. Raises InputError."""
    if not shares or min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 1e-9:
        raise InputError(
            f"tier_shares must be above 0 and add up to 1; they are {dict(shares)}. Correct them."
        )
    ends = np.round(np.cumsum([*shares.values()]) * len(place), 6)
    return np.array([*shares], dtype=object)[np.searchsorted(ends[:-1], place, side="right")]


def newly_active(spells: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Whom to look at today, the likeliest buyers first: the newly active who may be contacted.

    Columns: those of `now` and silent_days (how long the silence was; 0 for new customers).
    """
    until = pd.Timestamp(table["as_of"].iloc[0])
    fresh = ag.newly_active(spells, until - DAY)[["person_id", "silent_days"]]
    found = table[table["may_contact"]].merge(fresh, "inner", "person_id")
    return found.sort_values(["decile", "since", "person_id"], ascending=[True, False, True])


def weeks(until: pd.Timestamp, count: int = WEEKS_COUNT) -> list[pd.Timestamp]:
    """The last whole day and the same day of so many weeks before, ascending."""
    return [until - DAY - 7 * step * DAY for step in range(count, -1, -1)]


def balance(spells: pd.DataFrame, days: Sequence[pd.Timestamp]) -> pd.DataFrame:
    """How each state grew from the first to the last of these days: state, before, came, left,
    after; before + came - left = after. Who was in a state twice came and left twice."""
    stocks, flows = ag.stocks(spells, days), ag.flows(spells, days)
    moved = flows[flows["before"] != flows["after"]]
    came, left = (moved.groupby(name)["count"].sum() for name in ("after", "before"))
    names = pd.Index(ag.STATES)
    columns = {"state": names, "before": stocks.iloc[0].to_numpy()}
    columns |= {"came": came.reindex(names, fill_value=0).to_numpy()}
    columns |= {"left": left.reindex(names, fill_value=0).to_numpy()}
    return pd.DataFrame(columns | {"after": stocks.iloc[-1].to_numpy()})


def examples(table: pd.DataFrame, states: Sequence[str] = SHOWN_STATES) -> pd.DataFrame:
    """Of each state the person with the most points: person_id, state. table: of `now`."""
    order = table.sort_values(["points", "person_id"], ascending=[False, True])
    firsts = order.drop_duplicates("state").set_index("state")
    found = firsts.reindex([state for state in states if state in firsts.index])
    return found.reset_index()[["person_id", "state"]]


def statement(
    book: points.Book, person_id: int, as_of: pd.Timestamp, count: int = SHOWN_COUNT
) -> pd.DataFrame:
    """The last so many rows of a person's ledger, and one for all before: at, what, points,
    balance, note. The points sum to the score, to the cent."""
    rows = point_ledger.ledger(book, [person_id], as_of)
    names = ["at", "what", "points", "balance", "note"]
    if len(rows) <= count:
        return rows[names]
    before, shown = rows.iloc[:-count], rows.iloc[-count:]
    balance = float(before["balance"].iloc[-1])
    opening: dict[str, Any] = {"at": before["at"].iloc[-1], "what": EARLIER, "points": balance}
    opening |= {"balance": balance, "note": f"{len(before):,} rows"}
    return pd.concat([pd.DataFrame([opening]), shown[names]], ignore_index=True)


def curves(book: points.Book, people: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    """Their points on each midnight of the last year: person_id, at, points."""
    days = pd.date_range(until - WEEKS_COUNT * 7 * DAY, until, freq="D")
    return point_ledger.over_time(book, people["person_id"], days)


def checked_ledgers(
    book: points.Book, as_of: pd.Timestamp, every: int = EVERY_NTH
) -> dict[str, int]:
    """How many ledgers sum to the score of their person, to the cent, of every n-th person:
    people_count, rows_count, equal_count."""
    scores = points.scores(book, as_of).iloc[::every]
    rows = point_ledger.ledger(book, scores["person_id"], as_of)
    total = rows.groupby("person_id")["cents"].sum().reindex(scores["person_id"])
    equal = total.to_numpy() == points.cents(scores["billionths"].to_numpy())
    found = {"people_count": len(scores), "rows_count": len(rows)}
    return found | {"equal_count": int(equal.sum())}


def replayed(
    events: pd.DataFrame,
    catalogue: ec.Catalogue,
    other: ec.Catalogue | None,
    looks: pd.Series,
) -> pd.DataFrame:
    """Everybody's points at the last looks, about a year, by the catalogue, and by another one;
    without one, by the rules of now as if they had always held. Columns: of
    `point_replay.replay`."""
    rules = ec.as_if_always(catalogue) if other is None else other
    kept = [pd.Timestamp(look) for look in np.unique(looks)][-REPLAYED_LOOKS_COUNT:]
    return point_replay.replay(events, catalogue, rules, kept)


def tier_moves(rows: pd.DataFrame, tier_shares: Mapping[str, float]) -> pd.DataFrame:
    """The last look of a replay with tiers by points: before_tier, after_tier beside its columns.

    Equals are in order of person_id.
    """
    last = rows[rows["as_of"].eq(rows["as_of"].max())].reset_index(drop=True)
    for name in ("before", "after"):
        place = places(last[name].to_numpy(), last["person_id"])
        last[f"{name}_tier"] = tiers(place, tier_shares)
    return last
