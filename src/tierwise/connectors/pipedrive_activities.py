"""When an activity of the CRM took place, or was due and did not.

Left out is what was deleted, and what is due later than the time of loading: it is neither done nor
missed yet. An activity that is done later than it was due is no longer missed, and known as done
since somebody said so.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tierwise.connectors.shapes import instant


def row(activity: Mapping[str, Any], kind: str, until: datetime) -> dict[str, Any] | None:
    """A row of the table activities, None for what is left out. until: when it was loaded, UTC."""
    is_done = activity["done"]
    happened = done_at(activity) if is_done else missed_at(activity, until)
    if activity["is_deleted"] or happened is None:
        return None
    return {
        "activity_id": str(activity["id"]),
        "deal_id": activity["deal_id"],
        "user_id": activity["owner_id"],
        "occurred_at": happened[0],
        "known_at": happened[1],
        "type": kind,
        "done": is_done,
        "duration_minutes": minutes(activity.get("duration")) if is_done else None,
    }


def done_at(activity: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """When it took place and when that was noted. Noted before it was due: it was done earlier."""
    due = due_at(activity)
    noted = instant(activity.get("marked_as_done_time") or activity["add_time"])
    noted = max(noted, instant(activity["add_time"]))
    return (noted if due is None else min(due, noted)), noted


def missed_at(activity: Mapping[str, Any], until: datetime) -> tuple[datetime, datetime] | None:
    """When it should have taken place, and when it was known not to have; None if not yet."""
    due = due_at(activity)
    if due is None or due >= until:
        return None
    return due, max(due, instant(activity["add_time"]))


def due_at(activity: Mapping[str, Any]) -> datetime | None:
    """UTC; the end of the day where no time is given."""
    date = activity.get("due_date")
    if not date:
        return None
    hours = minutes(activity.get("due_time"))
    return instant(date) + timedelta(minutes=24 * 60 if hours is None else hours)


def minutes(clock: str | None) -> float | None:
    """14:05 or 00:05:30 in minutes, None where it is empty."""
    if not clock:
        return None
    hours, whole, seconds = (*map(int, clock.split(":")), 0)[:3]
    return hours * 60.0 + whole + seconds / 60
