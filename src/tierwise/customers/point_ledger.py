"""The ledger of a person's points: every event, what faded between them, and a running balance.

Balances are rounded to the cent, and a row is the difference of two balances. So the rows of a
person sum to its score exactly, an event shows the points of its rule, and no cent is lost or
found. What each event is still worth is shared out in whole cents, too.

Worked example, 10 points that halve in 7 days, on 1 and 8 March; seen on 15 March:

    1 March    visit     +10.00    10.00
    8 March    faded      -5.00     5.00
    8 March    visit     +10.00    15.00
    15 March   faded      -7.50     7.50

Of these 7.50 points 2.50 are from the first visit and 5.00 from the second.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from tierwise.customers import event_catalogue as ec
from tierwise.customers import person_table, points
from tierwise.customers import point_kernel as pk
from tierwise.files import InputError

FADED = "faded"
CAP_REACHED, ARCHIVED = "cap of the day reached", "archived"
COLUMNS = ["person_id", "at", "what", "cents", "balance_cents", "note"]


def ledger(book: points.Book, person_ids: Iterable[int], as_of: pd.Timestamp) -> pd.DataFrame:
    """Rows of these people, from early to late: COLUMNS, and points and balance (cents / 100).

    what: an event's id, or "faded" for what was lost since the row before. cents, int64, sum to
    the person's score at `as_of`. note: why an event earned less than its rule says, or "". Raises
    InputError for somebody without events, and as `points.scores` does.
    """
    until = points.until(book, as_of)
    found = pd.concat([empty(), *(rows_of(book, one, until) for one in person_ids)])
    found = found.reset_index(drop=True)
    return found.assign(points=found["cents"] / 100, balance=found["balance_cents"] / 100)


def empty() -> pd.DataFrame:
    kinds = {"person_id": "int64", "at": "datetime64[us]", "cents": "int64"}
    return pd.DataFrame({name: [] for name in COLUMNS}).astype(kinds | {"balance_cents": "int64"})


def rows_of(book: points.Book, person_id: int, until: int) -> pd.DataFrame:
    """One person's rows. Two per event, fading before it and the event, and fading at the end."""
    occurred, kind = chain(book, person_id)
    before, earned = np.empty((2, len(kind)), "int64")
    last = pk.trace(book.rules, blank(book), occurred, kind, until, before, earned)
    exact = np.append(np.column_stack([before, before + earned]).ravel(), last)
    balance = points.cents(exact)
    change = np.diff(balance, prepend=0)
    names = np.array([*book.catalogue.ids, FADED], dtype=object)
    pair = np.full(len(kind), len(names) - 1)
    table = pd.DataFrame(
        {
            "person_id": np.int64(person_id),
            "at": np.append(np.repeat(occurred, 2), until).view("datetime64[us]"),
            "what": names[np.append(np.column_stack([pair, kind]).ravel(), len(names) - 1)],
            "cents": change,
            "balance_cents": balance,
            "note": notes(book.catalogue, occurred, kind, earned),
        }
    )
    return table[(table["what"] != FADED) | (change != 0)]


def chain(book: points.Book, person_id: int) -> tuple[np.ndarray, np.ndarray]:
    """When this person's events occurred, in order, and their kinds. Raises InputError."""
    place = person_table.place(book.people, person_id)
    if place < 0:
        raise InputError(f"Person {person_id} has no event in the book.")
    occurred, kind, _ = pk.events_of(book.log, book.cells[place, pk.HEAD])
    return occurred, kind


def blank(book: points.Book) -> np.ndarray:
    return points.blank(1, book.cells.shape[1])[0]


def notes(
    catalogue: ec.Catalogue, occurred: np.ndarray, kind: np.ndarray, earned: np.ndarray
) -> list[str]:
    """Three per two rows of `rows_of`: "" for fading, why an event earned less, "" at the end."""
    found = []
    for at, place, got in zip(occurred.tolist(), kind.tolist(), earned.tolist(), strict=True):
        version = in_force(catalogue.events[place].versions, at)
        less = got < points.billionths(version.points)
        note = ARCHIVED if version.status == ec.ARCHIVED else CAP_REACHED if less else ""
        found += ["", note]
    return [*found, ""]


def in_force(versions: Sequence[ec.Version], at_us: int) -> ec.Version:
    """The last version whose time has come; the first one before that."""
    return [versions[0], *(one for one in versions[1:] if one.from_us <= at_us)][-1]


def still_worth(book: points.Book, person_id: int, as_of: pd.Timestamp) -> pd.DataFrame:
    """What each event of a person is worth at `as_of`: occurred_at, event, earned, points.

    From early to late; `points` are whole cents and sum to the person's score: each is rounded
    down, and the cents left over go to the largest remainders (Hare's method).
    """
    until = points.until(book, as_of)
    occurred, kind = chain(book, person_id)
    before, earned = np.empty((2, len(kind)), "int64")
    exact = pk.trace(book.rules, blank(book), occurred, kind, until, before, earned)
    total = int(points.cents(np.array([exact]))[0])
    left = earned * kept_shares(book.rules, occurred, kind, until) / points.CENT
    names = np.array(book.catalogue.ids, dtype=object)
    return pd.DataFrame(
        {
            "occurred_at": occurred.view("datetime64[us]"),
            "event": names[kind],
            "earned": points.cents(earned) / 100,
            "points": shared_out(left, total) / 100,
        }
    )


def kept_shares(rules: pk.Rules, occurred: np.ndarray, kind: np.ndarray, until: int) -> np.ndarray:
    """Share of the points of each event that has not faded by then, shape (n_events,), 0 to 1."""
    last = rules.first[kind + 1] - 1
    for event in range(len(kind)):
        while last[event] > rules.first[kind[event]] and (
            rules.from_at[last[event]] > occurred[event]
        ):
            last[event] -= 1
    fade = rules.fade[last]
    half, idle = rules.half_life[fade], rules.idle[fade]
    smooth = np.exp2(-(until - occurred) / np.where(half > 0, half, np.inf))
    stepped = np.ones(len(kind))
    gaps = np.diff(np.append(occurred, until))
    for one in np.unique(fade[idle > 0]):
        times = np.cumsum((gaps // rules.idle[one])[::-1])[::-1]
        stepped = np.where(fade == one, rules.kept[one] ** times.astype("float64"), stepped)
    return np.where(half > 0, smooth, stepped)


def shared_out(amounts: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers near `amounts` that sum to `total`, int64; the first of equals comes first."""
    whole = np.floor(amounts).astype("int64")
    missing = total - int(whole.sum())
    order = np.argsort(whole - amounts, kind="stable")
    turns, rest = divmod(missing, max(len(whole), 1))
    whole += turns
    whole[order[:rest]] += 1
    return whole


def over_time(
    book: points.Book, person_ids: Iterable[int], times: pd.DatetimeIndex
) -> pd.DataFrame:
    """Points of people at instants, for a figure: person_id, at, points; by person, then time.

    Each with the events that had occurred by then, as they are known now: what came late stands
    where it belongs. times: ascending, none later than the book may know.
    """
    if not times.is_monotonic_increasing:
        raise InputError("The instants of a curve must ascend. Sort them.")
    at = times.as_unit("us").to_numpy().view("int64").copy()
    found = []
    for one in person_ids:
        occurred, kind = chain(book, one)
        exact = np.empty(len(at), "int64")
        pk.curve(book.rules, blank(book), occurred, kind, at, exact)
        values = points.cents(exact) / 100
        found.append(pd.DataFrame({"person_id": np.int64(one), "at": times, "points": values}))
    return pd.concat(found, ignore_index=True)
