"""Growth as a sum: who is new, who stayed, who is back, who is gone, from one period to the next.

    active    did something in the period
    new       active for the first time ever
    kept      active in the period before, too
    back      active again, after a period of silence or more
    gone      active in the period before, but not in this one

    active = new + kept + back          active - active before = new + back - gone

Quick ratio = (new + back) / gone: below 1 a product shrinks, however many sign up. A state for each
person and day, by its own rhythm, is in `activity_groups`.
"""

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise.files import InputError
from tierwise.referrals.growth import PERIODS

COLUMNS = ("person_id", "occurred_at", "known_at")


def accounted(activity: pd.DataFrame, as_of: pd.Timestamp, every: str = "month") -> pd.DataFrame:
    """A row per whole period before `as_of`, from the first one with any activity on.

    activity: person_id, occurred_at, known_at; every: week, month, quarter or year. Columns: period
    (its first day); active, new, kept, back and gone, each _count; quick_ratio (missing where
    nobody is gone) and kept_share (of those active before). Raises InputError where a column is
    missing.
    """
    missing = [name for name in COLUMNS if name not in activity]
    if missing:
        raise InputError(f"Activity needs the column {', '.join(missing)}. Rename yours.")
    known = activity[ex.known_before(activity, as_of, "known_at")]
    period = known["occurred_at"].dt.to_period(PERIODS[every])
    whole = period < pd.Timestamp(as_of).to_period(PERIODS[every])
    columns = {"person": known["person_id"][whole], "period": period[whole]}
    pairs = pd.DataFrame(columns).drop_duplicates()
    if pairs.empty:
        return counted(pd.PeriodIndex([], freq=PERIODS[every]), *np.zeros((4, 0), dtype="int64"))
    first = pairs["period"].min()
    index = pd.period_range(first, pairs["period"].max())
    place = index.get_indexer(pd.PeriodIndex(pairs["period"]))
    order = np.lexsort((place, pairs["person"].to_numpy()))
    person, place = pairs["person"].to_numpy()[order], place[order]
    again = np.r_[False, person[1:] == person[:-1]]
    gap = np.r_[0, np.diff(place)]
    size = len(index)
    stayed = np.bincount(place[again & (gap == 1)], minlength=size)
    back = np.bincount(place[again & (gap > 1)], minlength=size)
    new = np.bincount(place[~again], minlength=size)
    active = np.bincount(place, minlength=size)
    return counted(index, active, new, stayed, back)


def counted(
    index: pd.PeriodIndex, active: np.ndarray, new: np.ndarray, kept: np.ndarray, back: np.ndarray
) -> pd.DataFrame:
    before = np.r_[0, active][: len(active)]
    gone = before - kept
    with np.errstate(divide="ignore", invalid="ignore"):
        quick = np.where(gone > 0, (new + back) / gone, np.nan)
        share = np.where(before > 0, kept / before, np.nan)
    counts = {"active": active, "new": new, "kept": kept, "back": back, "gone": gone}
    table = pd.DataFrame({f"{name}_count": count for name, count in counts.items()})
    table.insert(0, "period", index.to_timestamp())
    return table.assign(quick_ratio=quick, kept_share=share)
