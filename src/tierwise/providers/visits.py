"""What was seen of every visit: whose it was, what the customer did afterwards, and until when.

    job       bookings of one customer with one provider within MERGE_DAYS of each other (rhythm.py)
    action    what a customer did within `window_days` after a job, 0 or 1: a job split into five
              bookings, each with its own rating, is not five times as good
    at_days   days since 1 January 2000, with fractions

An action belongs to the customer's latest job with that provider before it; a rating, or a
complaint that names its booking, to that booking's job.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise import rhythm, snapshot
from tierwise import tables as contracts
from tierwise.accounts import Tables, known, morning
from tierwise.files import InputError

__all__ = ["ACTIONS", "actions", "day_number", "jobs", "known", "morning", "read", "settled"]
START = pd.Timestamp("2000-01-01")
DAY = pd.Timedelta(days=1)
WINDOW_DAYS = 14.0
DONE, BY_CUSTOMER = "done", "cancelled by customer"
PAIR = ["customer", "provider"]
KEPT = ["occurred_at", "at_days", "number", "segment", "chosen", "reminded"]
EVENT = [*PAIR, "action", "at_days", "from_days"]
COLUMNS = ["booking_id", *PAIR, *KEPT, "late_minutes", "amount_eur", "tip_eur"]
ACTIONS = (
    *("favourite", "unfavourite", "tip", "good_review", "five_stars", "low_rating"),
    *("complaint", "black_list", "rebooked_same", "rebooked_other", "cancelled"),
)
GOOD_STARS, LOW_STARS = 5, 3


def read(folder: Path) -> tuple[dict[str, Any], Tables]:
    """What a snapshot says of itself, and its tables. Raises InputError for one of another set."""
    about, names = snapshot.about(folder), contracts.SETS["providers"]
    if set(about["tables"]) != set(names):
        raise InputError(
            f"{folder} holds {', '.join(about['tables'])}, not the tables of providers. "
            "params.yaml: below `tables:`, its section needs `set: providers`; then fetch again."
        )
    return about, {name: snapshot.read(folder, name) for name in names}


def day_number(times: Any) -> Any:
    """Days since 1 January 2000 of a time or of a column of times."""
    return (times - START) / DAY


def once(rows: pd.DataFrame, key: str | list[str], until: pd.Timestamp) -> pd.DataFrame:
    """Rows known before then; of copies with one key the one that was known first."""
    seen = rows[ex.known_before(rows, until, "known_at")]
    return seen.sort_values("known_at", kind="stable").drop_duplicates(key)


def bookings(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    """All bookings known before then, each once, with customer, provider, at_days, late_minutes."""
    rows = once(tables["bookings"], "booking_id", until)
    rows = rows.rename(columns={"customer_id": "customer", "provider_id": "provider"})
    late = (rows["occurred_at"] - rows["promised_at"]) / pd.Timedelta(minutes=1)
    rows = rows.assign(at_days=day_number(rows["occurred_at"]), late_minutes=late)
    return rows.sort_values(["customer", "occurred_at", "booking_id"], ignore_index=True)


def jobs(
    tables: Tables, until: pd.Timestamp, merge_days: float = rhythm.MERGE_DAYS
) -> pd.DataFrame:
    """One row per job done and known before then, by customer, occurred_at, booking_id.

    Columns: COLUMNS. What differs within a job is that of its first booking; amount_eur and tip_eur
    are sums. number counts the customer's jobs from 1. Raises InputError where there is none.
    """
    rows = bookings(tables, until)
    done = rows[rows["status"] == DONE].drop(columns="status")
    if done.empty:
        raise InputError(
            f"No booking was done and known before {ex.label(until)}. Give a later day, or fetch "
            "the tables again."
        )
    found = rhythm.jobs(done, merge_days)
    place = job_of(done, found, "at_days")
    for name in ("amount_eur", "tip_eur"):
        found[name] = np.bincount(place, done[name].fillna(0.0), minlength=len(found))
    found["number"] = found.groupby("customer", sort=False).cumcount() + 1
    return found[COLUMNS]


def job_of(
    rows: pd.DataFrame, jobs: pd.DataFrame, at: str, by: tuple[str, ...] = ("customer", "provider")
) -> np.ndarray:
    """Position in `jobs` of the latest one at or before each row's time, -1 where there is none.

    rows: the columns `by` and the time `at` in days; jobs: of the same customer, and provider.
    """
    left = rows[[*by]].assign(at=rows[at].to_numpy("float64"), row=np.arange(len(rows)))
    right = jobs[[*by]].assign(at=jobs["at_days"].to_numpy(), job=np.arange(len(jobs)))
    left, right = (one.sort_values("at", kind="stable") for one in (left, right))
    found = pd.merge_asof(left, right, on="at", by=list(by))
    place = np.full(len(rows), -1)
    place[found["row"].to_numpy()] = found["job"].fillna(-1).to_numpy("int64")
    return place


def actions(
    tables: Tables,
    jobs: pd.DataFrame,
    until: pd.Timestamp,
    window_days: float = WINDOW_DAYS,
    names: tuple[str, ...] | list[str] = ACTIONS,
) -> pd.DataFrame:
    """0 or 1 per job and action, index as jobs, columns as `names`; known before `until` only.

    jobs: as from `jobs` at the same time. A booking is known when it was served, so the youngest
    jobs have too few of `rebooked_same` and `rebooked_other`. Raises InputError for another name.
    """
    unknown = [name for name in names if name not in ACTIONS]
    if unknown:
        raise InputError(f"No action is called {unknown[0]!r}; known: {', '.join(ACTIONS)}.")
    all_bookings = bookings(tables, until)
    again = rebookings(all_bookings, jobs)
    events = [
        saved(tables, until),
        stars(tables, all_bookings, until),
        complained(tables, all_bookings, until),
        named(once(tables["blacklist"], ["customer_id", "provider_id"], until), "black_list"),
        again[again["chosen"].astype("bool")].assign(action="rebooked_same"),
        named(all_bookings[all_bookings["status"] == BY_CUSTOMER], "cancelled"),
    ]
    table = pd.concat([one[EVENT] for one in events], ignore_index=True)
    found = pd.DataFrame(0, index=np.arange(len(jobs)), columns=list(ACTIONS))
    mark(found, table, job_of(table, jobs, "from_days"), jobs, window_days)
    others = elsewhere(again, jobs)
    mark(found, others, others["job"].to_numpy(), jobs, window_days)
    found["tip"] = (jobs["tip_eur"].to_numpy() > 0).astype("int64")
    return found[list(names)].set_axis(jobs.index)


def mark(
    found: pd.DataFrame, events: pd.DataFrame, job: np.ndarray, jobs: pd.DataFrame, days: float
) -> None:
    """Write 1 for each event at the job in its place, where it came within so many days of it."""
    start = jobs["at_days"].to_numpy()
    inside = (job >= 0) & (events["at_days"].to_numpy() - start[job] <= days)
    for name in events["action"].unique():
        mine = inside & (events["action"] == name).to_numpy()
        found.loc[np.unique(job[mine]), name] = 1


def named(rows: pd.DataFrame, action: str) -> pd.DataFrame:
    """Events: customer, provider, action, at_days, from_days (the job began at or before it)."""
    rows = rows.rename(columns={"customer_id": "customer", "provider_id": "provider"})
    at = day_number(rows["occurred_at"])
    begun = rows.get("from_days", at)
    return rows[PAIR].assign(action=action, at_days=at, from_days=begun)


def saved(tables: Tables, until: pd.Timestamp) -> pd.DataFrame:
    rows = once(tables["favourites"], ["customer_id", "provider_id", "occurred_at"], until)
    added = rows["added"].astype("bool")
    return pd.concat([named(rows[added], "favourite"), named(rows[~added], "unfavourite")])


def of_booking(rows: pd.DataFrame, all_bookings: pd.DataFrame) -> pd.DataFrame:
    """With from_days: when the booking named in a row was served, else when the row occurred."""
    served = all_bookings.set_index("booking_id")["at_days"]
    begun = rows["booking_id"].map(served).astype("float64")
    return rows.assign(from_days=begun.fillna(day_number(rows["occurred_at"])))


def stars(tables: Tables, all_bookings: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    rows = of_booking(once(tables["ratings"], "booking_id", until), all_bookings)
    good = rows["stars"] >= GOOD_STARS
    parts = {
        "five_stars": rows[good],
        "good_review": rows[good & (rows["text_length_count"] > 0)],
        "low_rating": rows[rows["stars"] <= LOW_STARS],
    }
    return pd.concat([named(part, name) for name, part in parts.items()])


def complained(tables: Tables, all_bookings: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    rows = once(tables["complaints"], "complaint_id", until)
    return named(of_booking(rows, all_bookings), "complaint")


def rebookings(all_bookings: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    """Bookings that were wanted again, at the time they were made.

    A later booking of the same job is none, nor is one that the customer took back.
    """
    status, job = all_bookings["status"], job_of(all_bookings, jobs, "at_days")
    start = jobs["at_days"].to_numpy()[job]
    first = (status == DONE) & (job >= 0) & (all_bookings["at_days"] == start)
    wanted = all_bookings[first | ~status.isin([DONE, BY_CUSTOMER])]
    at = day_number(wanted["booked_at"])
    # Booked before it was served: the job that it followed is an earlier one, never its own.
    begun = np.nextafter(np.minimum(at, wanted["at_days"]), -np.inf)
    return wanted[[*PAIR, "chosen"]].assign(at_days=at, from_days=begun)


def elsewhere(again: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    """Bookings of another provider than that of the customer's latest job, with its place."""
    job = job_of(again, jobs, "from_days", ("customer",))
    other = (job >= 0) & (jobs["provider"].to_numpy()[job] != again["provider"].to_numpy())
    return again.assign(action="rebooked_other", job=job)[other]


def settled(jobs: pd.DataFrame, until: pd.Timestamp, window_days: float = WINDOW_DAYS) -> pd.Series:
    """Mask of the jobs whose window was over before `until`: all their actions had their time."""
    return jobs["at_days"] + window_days <= day_number(until)
