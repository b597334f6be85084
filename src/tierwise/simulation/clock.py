"""The calendar of work: when people are active, in each time zone, summer and Christmas included.

    clock days     time that runs as people work: fast on a Tuesday morning, hardly at night, on
                   Sundays or after Christmas; over a common week one clock day is one day
    local          what a clock on the wall shows, without a zone (datetime64[us])
    zone           number of a zone in ZONES

Whatever waits, waits in clock days. So it lands in working hours, and what was drawn stays exact:
clock days of a moment and the moment of clock days are inverse to each other.
Example: a deal opened on Friday 17:00 in Berlin and closed 0.5 clock days later closes on Monday.
"""

import datetime as dt
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np

from tierwise.simulation.settings import FIRST_YEAR, LAST_YEAR

ZONES = (
    "Europe/Berlin", "Europe/Vienna", "Europe/Zurich", "Europe/Amsterdam", "Europe/Paris",
    "Europe/Warsaw", "Europe/London", "America/New_York", "America/Chicago",
    "America/Los_Angeles", "Australia/Sydney", "Asia/Kolkata",
)  # fmt: skip
OFFICE = 0  # our own zone, in which deals are closed
HOUR = np.timedelta64(1, "h").astype("timedelta64[us]")
ORIGIN = np.datetime64(f"{FIRST_YEAR}-01-01", "us")
# Activity per local hour of the day and per weekday from Monday, relative to each other.
HOUR_WEIGHTS = np.array(
    [1, 1, 1, 1, 1, 2, 8, 30, 75, 100, 105, 95, 55, 70, 95, 95, 80, 50, 25, 15, 12, 9, 5, 2], float
)
WEEKDAY_WEIGHTS = np.array([105, 112, 108, 104, 84, 12, 9], float)


def season(day: dt.date) -> float:
    """Activity of a day relative to a common one: summer is calm, year's end nearly still."""
    if (day.month, day.day) >= (12, 21) or (day.month, day.day) <= (1, 4):
        return 0.3
    if (day.month, day.day) >= (7, 15) and day.month <= 8:
        return 0.75
    return 1.0


@cache
def hours() -> np.ndarray:
    """Clock days that have passed at each full local hour since ORIGIN, ascending."""
    first = dt.date(FIRST_YEAR, 1, 1)
    days = [first + dt.timedelta(number) for number in range((LAST_YEAR - FIRST_YEAR) * 365)]
    week = WEEKDAY_WEIGHTS / WEEKDAY_WEIGHTS.mean()
    per_day = np.array([week[day.weekday()] * season(day) for day in days])
    per_hour = np.outer(per_day, HOUR_WEIGHTS / HOUR_WEIGHTS.sum()).ravel()
    return np.concatenate([[0.0], np.cumsum(per_hour)])


def clock_days(local: np.ndarray) -> np.ndarray:
    """Clock days since ORIGIN of local times."""
    passed = (local.astype("datetime64[us]") - ORIGIN) / HOUR
    return np.interp(passed, np.arange(len(hours())), hours())


def local_times(days: np.ndarray) -> np.ndarray:
    """Local times of clock days since ORIGIN, to the microsecond; inverse of clock_days."""
    passed = np.interp(days, hours(), np.arange(len(hours())))
    return ORIGIN + np.round(passed * HOUR.astype(float)).astype("timedelta64[us]")


@cache
def changes(zone: int) -> tuple[np.ndarray, np.ndarray]:
    """When the offset of a zone changes (UTC, datetime64[us]), and the offsets between.

    One offset more than moments: the first one holds before the first change.
    """
    rules, step = ZoneInfo(ZONES[zone]), dt.timedelta(hours=1)
    moments: list[np.datetime64] = []
    moment = dt.datetime(FIRST_YEAR, 1, 1, tzinfo=dt.UTC)
    offsets = [moment.astimezone(rules).utcoffset()]
    while moment.year < LAST_YEAR:
        after = moment + dt.timedelta(days=1)
        if after.astimezone(rules).utcoffset() != offsets[-1]:
            while moment.astimezone(rules).utcoffset() == offsets[-1]:
                moment += step  # all zones here change at a full hour of UTC
            moments.append(np.datetime64(moment.replace(tzinfo=None), "us"))
            offsets.append(moment.astimezone(rules).utcoffset())
        moment = after
    return np.array(moments, "datetime64[us]"), np.array(offsets, "timedelta64[us]")


def to_utc(local: np.ndarray, zone: np.ndarray) -> np.ndarray:
    """UTC of local times, each in its own zone (shapes alike).

    An hour that comes twice in autumn means its first time, one left out in spring is read with
    the offset before: as `datetime` does with fold=0.
    """
    utc = local.copy()
    for number in np.unique(zone):
        moments, offsets = changes(int(number))
        switches = moments + np.maximum(offsets[1:], offsets[:-1])
        rows = zone == number
        utc[rows] -= offsets[np.searchsorted(switches, local[rows], side="right")]
    return utc


def to_local(utc: np.ndarray, zone: np.ndarray) -> np.ndarray:
    """Local times of UTC, each in its own zone (shapes alike)."""
    local = utc.copy()
    for number in np.unique(zone):
        moments, offsets = changes(int(number))
        rows = zone == number
        local[rows] += offsets[np.searchsorted(moments, utc[rows], side="right")]
    return local


def office_days(utc: np.ndarray) -> np.ndarray:
    """Clock days of moments in UTC on the clock of our own office, which deals are closed by."""
    utc = np.asarray(utc, "datetime64[us]")
    return clock_days(to_local(utc, np.full(len(utc), OFFICE)))


def office_times(days: np.ndarray) -> np.ndarray:
    """Moments in UTC of clock days in our own office; inverse of office_days."""
    return to_utc(local_times(days), np.full(len(days), OFFICE))
