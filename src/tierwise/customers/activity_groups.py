"""Who is newly active, active or passive: one state per person and day, and how people move.

    newly active   new         a first event within the last week
                   returning   back within the last week, after four weeks or more of silence
    active         active      silent for no longer than twice the gap that it would expect itself
    passive        quiet       silent for longer than that
                   dormant     silent for 90 days, and for longer than that

`spells` is the one owner of the truth: who was in which state from which day to which day. States
on a day, stocks and flows are read from it, so that they can't disagree. A day is a calendar day
(UTC); on the day of an event nobody is passive. From state to state only EDGES lead.

The expected gap is that of `rhythm`: (alpha + days from first to last active day) over (r + active
days after the first), a mean of the own gaps and of everybody's. Worked example with r = 1 and
alpha = 28: active on days 0, 10 and 20, the gap is (28 + 20) / (1 + 2) = 16 days, so the person is
active until 32 days after day 20, quiet from day 53 on, dormant from day 110 on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise.files import InputError
from tierwise.rhythm import Rhythm, expected_gap_days

NEW, RETURNING, ACTIVE, QUIET, DORMANT = "new", "returning", "active", "quiet", "dormant"
STATES = (NEW, RETURNING, ACTIVE, QUIET, DORMANT)
ABSENT = "absent"  # before the first event: not a state, the other end of a flow
GROUPS = {NEW: "newly active", RETURNING: "newly active", ACTIVE: "active"} | dict.fromkeys(
    (QUIET, DORMANT), "passive"
)
EDGES = (
    *((ABSENT, NEW), (NEW, ACTIVE), (RETURNING, ACTIVE), (ACTIVE, QUIET), (ACTIVE, DORMANT)),
    *((QUIET, ACTIVE), (QUIET, RETURNING), (QUIET, DORMANT), (DORMANT, RETURNING)),
)
DAY = np.timedelta64(1, "D")
EVERYBODY = Rhythm(1.0, 28.0)  # worth one gap of four weeks
COLUMNS = ("person_id", "occurred_at", "known_at")


@dataclass(frozen=True)
class Settings:
    """Days, see above. stretch: expected gaps of silence that an active person is allowed."""

    new_days: int = 7
    silent_days: int = 28
    dormant_days: int = 90
    stretch: float = 2.0
    rhythm: Rhythm = EVERYBODY


def spells(
    events: pd.DataFrame, as_of: pd.Timestamp, settings: Settings | None = None
) -> pd.DataFrame:
    """Everybody's states up to the day before `as_of` (a midnight), from what was known then.

    events: person_id, occurred_at, known_at. Columns: person_id, state, first_day, last_day (both
    belong to the spell), silent_days (of `returning`: how long the silence was, else 0); by
    person, then day. Spells of a person follow each other without a gap, from its first event on.
    A late event changes what is said of past days: keep what was said, if that matters. Raises
    InputError.
    """
    rules = checked(settings or Settings())
    person, day, end = active_days(events, as_of)
    first, gap, limit = rhythms(person, day, rules)
    silent = np.where(np.r_[True, person[1:] != person[:-1]][: len(day)], 0, gap)
    before = np.r_[0, limit][: len(day)]
    came_back = (silent >= rules.silent_days) & (silent - 1 > before)
    back = pd.Series(np.where(came_back, day, np.nan)).groupby(person).ffill().to_numpy()
    fresh_until = np.fmax(first, back) + rules.new_days  # the first day that is not fresh
    following = np.r_[day[1:], 0][: len(day)]
    is_last = np.r_[person[1:] != person[:-1], True][: len(day)]
    stop = np.where(is_last, end, following)
    quiet_from = day + limit + 1
    dormant_from = np.maximum(day + rules.dormant_days, quiet_from)
    kind = np.where(np.isnan(back), 0, 1)
    parts = [
        part(person, kind, day, np.minimum(fresh_until, stop)),
        part(person, 2, np.maximum(day, fresh_until), np.minimum(quiet_from, stop)),
        part(person, 3, np.maximum(quiet_from, fresh_until), np.minimum(dormant_from, stop)),
        part(person, 4, dormant_from, stop),
    ]
    table = pd.concat(parts).sort_values(["person_id", "start"], kind="stable")
    reason = pd.DataFrame({"person_id": person, "start": day, "silent_days": silent * came_back})
    return merged(table.merge(reason, "left", ["person_id", "start"]))


def checked(rules: Settings) -> Settings:
    """Raises InputError where the states would not exclude each other."""
    days = rules.new_days, rules.silent_days, rules.dormant_days
    if not 1 <= days[0] <= days[1] <= days[2] or rules.stretch <= 0:
        raise InputError(
            "new_days, silent_days and dormant_days must ascend from 1, and stretch be above 0; "
            f"they are {', '.join(map(str, days))} and {rules.stretch:g}."
        )
    return rules


def active_days(events: pd.DataFrame, as_of: pd.Timestamp) -> tuple[np.ndarray, np.ndarray, int]:
    """Persons and their days with an event known before `as_of`, sorted, each once; its own day.

    Days are counted from 1970.
    """
    missing = [name for name in COLUMNS if name not in events]
    if missing:
        raise InputError(f"Events need the column {', '.join(missing)}. Rename yours.")
    if pd.Timestamp(as_of).floor("D") != as_of:
        raise InputError(f"Groups hold for whole days; as_of must be a midnight, not {as_of}.")
    known = events[ex.known_before(events, as_of, "known_at")]
    day = known["occurred_at"].to_numpy("datetime64[D]").astype("int64")
    pairs = pd.DataFrame({"person": known["person_id"].to_numpy("int64"), "day": day})
    pairs = pairs.drop_duplicates().sort_values(["person", "day"])
    end = int(np.datetime64(as_of, "D").astype("int64"))
    inside = pairs[(pairs["day"] < end).to_numpy()]
    return inside["person"].to_numpy(), inside["day"].to_numpy(), end


def rhythms(
    person: np.ndarray, day: np.ndarray, rules: Settings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per active day: the person's first day, days since the one before, and whole days of silence
    that it may have from here on and still be active."""
    by = pd.Series(day).groupby(person)
    first, number = by.transform("first").to_numpy(), by.cumcount().to_numpy()
    gap = by.diff().fillna(0).to_numpy("int64")
    expected = expected_gap_days(rules.rhythm, number.astype("float64"), day - first)
    limit = np.maximum(np.floor(rules.stretch * expected), rules.new_days).astype("int64")
    return first, gap, limit


def part(person: np.ndarray, state: np.ndarray | int, start: np.ndarray, stop: np.ndarray) -> (
    pd.DataFrame
):  # fmt: skip
    """Pieces of spells that are not empty: person_id, state (place in STATES), start, stop."""
    columns = {"person_id": person, "state": state, "start": start, "stop": stop}
    found = pd.DataFrame(columns, index=range(len(person))).astype("int64")
    return found[found["start"] < found["stop"]]


def merged(pieces: pd.DataFrame) -> pd.DataFrame:
    """Pieces that follow each other in one state as one spell; a second return is a new one."""
    same = pieces["person_id"].eq(pieces["person_id"].shift())
    same &= pieces["state"].eq(pieces["state"].shift())
    spell = (~same).cumsum().rename("spell")
    how = {"person_id": "first", "state": "first", "start": "first", "stop": "last"}
    found = pieces.groupby(spell).agg(how | {"silent_days": "first"})
    days = {name: found[name].to_numpy().astype("datetime64[D]") for name in ("start", "stop")}
    silent = found["silent_days"].where(found["state"].eq(1)).fillna(0).to_numpy("int64")
    return pd.DataFrame(
        {
            "person_id": found["person_id"].to_numpy(),
            "state": pd.Categorical.from_codes(found["state"].to_numpy(), categories=STATES),
            "first_day": days["start"].astype("datetime64[us]"),
            "last_day": (days["stop"] - DAY).astype("datetime64[us]"),
            "silent_days": silent,
        }
    )


def on_day(spells: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """The spells that hold a day, one per person with an event by then; group beside state."""
    after = ex.known_before(spells, day, "last_day")
    begun = ~ex.known_before(spells.assign(day=day), spells["first_day"], "day")
    found = spells[begun & ~after].reset_index(drop=True)
    return found.assign(group=found["state"].astype("object").map(GROUPS))


def newly_active(spells: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """Whom to look at on a day: new and returning people, the latest first.

    Columns: person_id, state, since (the day it began), silent_days.
    """
    found = on_day(spells, day)
    found = found[found["group"] == "newly active"].rename(columns={"first_day": "since"})
    found = found.sort_values(["since", "person_id"], ascending=[False, True])
    return found[["person_id", "state", "since", "silent_days"]].reset_index(drop=True)


def stocks(spells: pd.DataFrame, days: Sequence[pd.Timestamp]) -> pd.DataFrame:
    """How many people are in each state on each day: a row per day, a column per state."""
    counted = [on_day(spells, day)["state"].value_counts().reindex(STATES) for day in days]
    found = pd.DataFrame(counted, index=pd.DatetimeIndex(days, name="day"))
    return found.fillna(0).astype("int64").rename_axis(columns=None)


def flows(spells: pd.DataFrame, days: Sequence[pd.Timestamp]) -> pd.DataFrame:
    """How many people went from which state to which, from each day to the next of `days`.

    Columns: day (the later one), before (ABSENT for somebody who had no event by then), after,
    count; stayers included. Nobody leaves: whoever is silent is dormant. So for every state the
    change of `stocks` is what came in less what went out.
    """
    found = []
    for earlier, later in pairwise(days):
        then = on_day(spells, earlier).set_index("person_id")["state"].astype("object")
        now = on_day(spells, later).set_index("person_id")["state"].astype("object")
        pairs = pd.DataFrame({"before": then.reindex(now.index).fillna(ABSENT), "after": now})
        found.append(pairs.value_counts(sort=False).reset_index().assign(day=later))
    table = pd.concat(found, ignore_index=True)
    place = {name: at for at, name in enumerate((ABSENT, *STATES))}
    order = pd.DataFrame({"day": table["day"], "before": table["before"].map(place)})
    order = order.assign(after=table["after"].map(place)).sort_values(["day", "before", "after"])
    return table.loc[order.index, ["day", "before", "after", "count"]].reset_index(drop=True)
