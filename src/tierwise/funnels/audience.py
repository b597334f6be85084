"""How many know us, how many come each week, and who they are: new, back, or about to go.

    week         Monday to Sunday, UTC; only weeks that lay wholly before the as-of time are counted
    new          active for the first time ever
    returning    active in the week before, too
    resurrected  active earlier, but not in the week before
    dormant      active in the week before, not now
    quick ratio  (new + resurrected) / dormant: above 1 the audience grows

Active in a week = new + returning + resurrected; active in the week before = returning + dormant.
In the first week of the data everybody seems new.
"""

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise.evaluation import wilson

FLOWS = ("new", "returning", "resurrected", "dormant")


def weeks_active(events: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """person_id and week (its Monday), each pair once, of what was known before the as-of time."""
    monday = as_of.normalize() - pd.Timedelta(days=as_of.day_of_week)
    seen = events[ex.known_before(events, as_of, "known_at")]
    seen = seen[ex.known_before(seen, monday, "occurred_at")]
    day = seen["occurred_at"].dt.normalize()
    week = day - pd.to_timedelta(day.dt.day_of_week, unit="D")
    pairs = pd.DataFrame({"person_id": seen["person_id"], "week": week})
    return pairs.drop_duplicates().sort_values(["week", "person_id"], ignore_index=True)


def weekly(events: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """A row per week without gaps: week, active_count, new_count, returning_count,
    resurrected_count, dormant_count, quick_ratio (missing where nobody went dormant), and
    is_first, of the week in which everybody seems new.

    events: person_id, occurred_at, known_at, of activity only.
    """
    pairs = weeks_active(events, as_of)
    if pairs.empty:
        names = ["week", "active_count", *(f"{flow}_count" for flow in FLOWS)]
        return pd.DataFrame(columns=[*names, "quick_ratio", "is_first"])
    week_days = pd.Timedelta(days=7)
    first = pairs.groupby("person_id")["week"].transform("min") == pairs["week"]
    was_there = pairs.groupby("person_id")["week"].diff() == week_days
    kind = np.select([first, was_there], ["new", "returning"], "resurrected")
    weeks = pd.date_range(pairs["week"].min(), pairs["week"].max(), freq="7D")
    found = pd.crosstab(pairs["week"], kind).reindex(
        index=weeks, columns=list(FLOWS[:3]), fill_value=0
    )
    active = found.sum(axis=1)
    found["dormant"] = active.shift(fill_value=0) - found["returning"]
    found = found.astype("int64").add_suffix("_count")
    found.insert(0, "active_count", active.astype("int64"))
    gained = found["new_count"] + found["resurrected_count"]
    lost = found["dormant_count"]
    found["quick_ratio"] = gained / lost.where(lost > 0)
    found["is_first"] = np.arange(len(found)) == 0
    return found.rename_axis("week").reset_index().rename_axis(columns=None)


def awareness(
    events: pd.DataFrame, audience: pd.Index, as_of: pd.Timestamp
) -> tuple[pd.DataFrame, int]:
    """Share of a target audience that has ever come, week by week; and people beside it.

    audience: person_id of everybody who should know us: the denominator. Columns: week,
    reached_count (so far), audience_count, share, interval (95 %, Wilson: as if the audience were a
    sample of those to come). The second value counts people who came and are not in the audience.
    """
    pairs = weeks_active(events, as_of)
    first = pairs.drop_duplicates("person_id")
    inside = first["person_id"].isin(audience)
    per_week = first[inside].groupby("week").size()
    weeks = pd.date_range(pairs["week"].min(), pairs["week"].max(), freq="7D")
    reached = per_week.reindex(weeks, fill_value=0).cumsum().to_numpy("int64")
    count = len(audience.unique())
    found = pd.DataFrame({"week": weeks, "reached_count": reached, "audience_count": count})
    found["share"] = found["reached_count"] / max(count, 1)
    found["interval"] = [tuple(wilson(one, count)) for one in reached.tolist()]
    return found, int((~inside).sum())


def kinds(events: pd.DataFrame, as_of: pd.Timestamp, days: float) -> pd.DataFrame:
    """What people did in the last `days`, the most common first.

    Columns: event, people_count, people_share (of everybody who did anything), interval (95 %,
    Wilson), events_count, events_per_person (of those who did it), alone_share (of those who did
    it, who did nothing else).
    """
    since = as_of - pd.Timedelta(days=days)
    seen = events[ex.known_before(events, as_of, "known_at")]
    seen = seen[~ex.known_before(seen, since, "occurred_at")]
    whole = seen["person_id"].nunique()
    pairs = seen.groupby(["event", "person_id"]).size().rename("count").reset_index()
    pairs["alone"] = ~pairs["person_id"].duplicated(keep=False)
    grouped = pairs.groupby("event")
    people = grouped.size()
    found = pd.DataFrame(
        {
            "event": people.index,
            "people_count": people.to_numpy("int64"),
            "people_share": people.to_numpy() / max(whole, 1),
            "interval": [tuple(wilson(one, whole)) for one in people.tolist()],
            "events_count": grouped["count"].sum().to_numpy("int64"),
            "events_per_person": grouped["count"].mean().to_numpy(),
            "alone_share": grouped["alone"].mean().to_numpy(),
        }
    )
    return found.sort_values(["people_count", "event"], ascending=[False, True], ignore_index=True)
