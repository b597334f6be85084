"""Which events earn points: how many, how they fade, how many a day; and which rule held when.

    events:
      story_posted:
        name: Posted a story
        versions:
          - {points: 10, half_life_days: 120}
          - {from: "2026-03-01", points: 5, step: {idle_days: 7, share: 0.1}, cap_per_day: 20}
          - {from: "2026-06-01", status: archived}

    points           earned by one event, to the cent; below 0 where it speaks against a customer
    half_life_days   the points halve in so many days
    step             of the points a share is lost after so many days without any event of the
                     person, and again after as many more; they do not fade while it is active
    neither          the points stay
    cap_per_day      points that this event earns on one day (UTC) at most
    status           shown, or archived: earns nothing more; what was earned stays, and fades

Every event earns by the version that was in force when it *occurred*, so a change of rules never
rewrites what somebody has earned. A change adds a version; nothing is removed. The first version
holds for everything before the second. Times are UTC.
"""

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tierwise.files import InputError

SHOWN, ARCHIVED = "shown", "archived"
FIELDS = ("from", "points", "half_life_days", "step", "cap_per_day", "status")
MOST_POINTS = 10_000.0  # a million such events still fit into a sum
MOST_DAYS = 36_525.0  # a century
ID = r"[a-z][a-z0-9_]{0,59}"


@dataclass(frozen=True)
class Step:
    """After each `idle_days` without any event of the person, `share` of the points is lost."""

    idle_days: float
    share: float


@dataclass(frozen=True)
class Version:
    """A rule from an instant on (UTC); None: from the beginning."""

    points: float
    from_at: pd.Timestamp | None = None
    half_life_days: float | None = None
    step: Step | None = None
    cap_per_day: float | None = None
    status: str = SHOWN

    @property
    def from_us(self) -> int:
        """Microseconds since 1970; the smallest number for the beginning."""
        return int(np.iinfo("int64").min) if self.from_at is None else microseconds(self.from_at)


@dataclass(frozen=True)
class Event:
    """versions: from early to late, the last one is in force for what happens now."""

    id: str
    name: str
    versions: tuple[Version, ...]

    @property
    def current(self) -> Version:
        return self.versions[-1]


@dataclass(frozen=True)
class Catalogue:
    """Events in the order of the file; ids are unique."""

    events: tuple[Event, ...]

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events]

    def event(self, event_id: str) -> Event:
        """Raises InputError, with the nearest name, where it is not there."""
        if event_id not in self.ids:
            near = difflib.get_close_matches(event_id, self.ids, 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            known = ", ".join(self.ids) or "none"
            raise InputError(f"There is no event '{event_id}' in the catalogue ({known}).{hint}")
        return self.events[self.ids.index(event_id)]


def microseconds(at: pd.Timestamp) -> int:
    """Since 1970 (`value` would be nanoseconds whatever the unit is)."""
    return int(at.as_unit("us").to_datetime64().astype("int64"))


def parsed(content: Any) -> Catalogue:
    """The catalogue of what a YAML or JSON file holds. Raises InputError at the first mistake."""
    if not isinstance(content, Mapping) or not isinstance(content.get("events"), Mapping):
        raise InputError(
            "A catalogue of events holds `events:` and below it one entry per event, by its id. "
            "`tierwise events add` writes one."
        )
    return Catalogue(tuple(event_of(str(key), item) for key, item in content["events"].items()))


def event_of(event_id: str, item: Any) -> Event:
    """One entry. Its versions may be a list, or the fields of a single one stand beside `name`."""
    must_be_id(event_id)
    if not isinstance(item, Mapping):
        raise InputError(f"Event '{event_id}' must hold a name and points, not {item!r}.")
    single = "versions" not in item
    unknown_fields(event_id, item, ("name", *FIELDS) if single else ("name", "versions"))
    rows = [{key: item[key] for key in item if key != "name"}] if single else item["versions"]
    if not isinstance(rows, list) or not rows:
        raise InputError(f"versions of event '{event_id}' must be a list of one rule or more.")
    versions: list[Version] = []
    for row in rows:
        versions.append(version_of(event_id, row, versions[-1] if versions else None))
    return Event(event_id, name_of(event_id, item.get("name", event_id)), tuple(versions))


def must_be_id(event_id: str) -> None:
    if not re.fullmatch(ID, event_id):
        raise InputError(
            f"The id of an event is lower-case letters, digits and _, at most 60, starting with a "
            f"letter; it is '{event_id}'. For example story_posted."
        )


def name_of(event_id: str, name: Any) -> str:
    text = str(name).strip()
    if not 1 <= len(text) <= 120 or not text.isprintable():
        raise InputError(
            f"The name of event '{event_id}' must be one line of 1 to 120 characters; it is "
            f"{text[:40]!r}. Shorten it."
        )
    return text


def unknown_fields(event_id: str, item: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in item:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}."
            raise InputError(f"Event '{event_id}' has an unknown field '{key}'; {hint}")


def version_of(event_id: str, row: Any, before: Version | None) -> Version:
    """A version; one that archives keeps the rule before it, so that it can be restored."""
    if not isinstance(row, Mapping):
        raise InputError(f"A version of event '{event_id}' must hold points, not {row!r}.")
    unknown_fields(event_id, row, FIELDS)
    from_at = instant(f"`from` of event '{event_id}'", row.get("from"))
    status = row.get("status", SHOWN)
    if status not in (SHOWN, ARCHIVED):
        raise InputError(
            f"status of event '{event_id}' must be {SHOWN} or {ARCHIVED}, not '{status}'."
        )
    if "points" not in row and status == ARCHIVED and before is not None:
        found = replace(before, from_at=from_at, status=status)
    else:
        found = rule_of(event_id, row, from_at, status)
    if before is not None and (from_at is None or found.from_us <= before.from_us):
        raise InputError(
            f"Every version of event '{event_id}' after the first needs `from`, later than that "
            f"of the one before; it is {row.get('from')!r}. Put them in order."
        )
    return found


def rule_of(
    event_id: str, row: Mapping[str, Any], from_at: pd.Timestamp | None, status: str
) -> Version:
    points = number(event_id, "points", row.get("points"), -MOST_POINTS, MOST_POINTS)
    if abs(points * 100 - round(points * 100)) > 1e-6:
        raise InputError(
            f"points of event '{event_id}' must have at most two decimals, so that a ledger sums "
            f"to the cent; they are {points:g}. Round them."
        )
    half, step, cap = (row.get(name) for name in ("half_life_days", "step", "cap_per_day"))
    if half is not None and step is not None:
        raise InputError(
            f"Event '{event_id}' has both half_life_days and step. Keep one, or none for points "
            "that stay."
        )
    if half is not None:
        half = number(event_id, "half_life_days", half, 0.01, MOST_DAYS)
    if cap is not None:
        cap = number(event_id, "cap_per_day", cap, abs(points), 100 * MOST_POINTS)
        if points < 0:
            raise InputError(
                f"Event '{event_id}' takes points away, so it can't have cap_per_day. Remove it."
            )
    return Version(
        points, from_at, half, None if step is None else step_of(event_id, step), cap, status
    )


def step_of(event_id: str, step: Any) -> Step:
    if not isinstance(step, Mapping) or set(step) != {"idle_days", "share"}:
        raise InputError(
            f"step of event '{event_id}' must hold idle_days and share, such as "
            f"{{idle_days: 7, share: 0.1}}; it is {step!r}."
        )
    days = number(event_id, "step: idle_days", step["idle_days"], 1 / 24, MOST_DAYS)
    return Step(days, number(event_id, "step: share", step["share"], 0.0001, 1.0))


def number(event_id: str, what: str, value: Any, low: float, high: float) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not low <= value <= high:
        raise InputError(
            f"{what} of event '{event_id}' must be a number from {low:g} to {high:g}, "
            f"not {value!r}. Correct it."
        )
    return float(value)


def instant(what: str, value: Any) -> pd.Timestamp | None:
    """An ISO date or time (UTC) as a timestamp without a zone."""
    if value is None:
        return None
    try:
        found = pd.Timestamp(str(value))
    except ValueError:
        found = pd.NaT
    if found is pd.NaT:
        raise InputError(
            f"{what} must be an ISO date or time such as 2026-03-01, not {value!r}. Correct it."
        )
    found = found.tz_convert("UTC").tz_localize(None) if found.tzinfo else found
    return found.as_unit("us")


def as_if_always(catalogue: Catalogue) -> Catalogue:
    """The rules of now for everything that ever happened: what a replay compares with."""
    return Catalogue(
        tuple(
            replace(event, versions=(replace(event.current, from_at=None),))
            for event in catalogue.events
        )
    )


def spoken(version: Version) -> str:
    """How points fade, in words."""
    if version.half_life_days is not None:
        return f"half in {version.half_life_days:g} days"
    if version.step is not None:
        step = version.step
        return f"{step.share:.0%} less after each {step.idle_days:g} idle days"
    return "stay"


def table(catalogue: Catalogue, history: bool = False) -> pd.DataFrame:
    """One row per event, its rule of now; with `history` one per version, from early to late.

    Columns: id, name, status, from_at (NaT: always), points, fading (words), cap_per_day (NaN: no
    cap), versions_count.
    """
    rows = [
        {
            "id": event.id,
            "name": event.name,
            "status": version.status,
            "from_at": version.from_at,
            "points": version.points,
            "fading": spoken(version),
            "cap_per_day": version.cap_per_day,
            "versions_count": len(event.versions),
        }
        for event in catalogue.events
        for version in (event.versions if history else event.versions[-1:])
    ]
    names = ["id", "name", "status", "from_at", "points", "fading", "cap_per_day"]
    found = pd.DataFrame(rows, columns=[*names, "versions_count"])
    return found.astype({"from_at": "datetime64[us]", "cap_per_day": "float64"})
