"""A dated table of purchases, as what was known of each account on the morning of a day.

    account_id     whose purchase it is
    occurred_at    when it was made
    known_at       when we learned of it; absent: at once
    amount_eur     what it brought; below 0 where money went back

Purchases of one account on one day are one order, and days count, not hours: a cut is the midnight
that begins a day, and the last day known in full is the one before it. An order is a day on which
more came in than went back or nothing did; a day of refunds counts in money only.

Worked example, cut on 1 October 1997: first order on 1 January, then one on 13 January.
frequency 1 (one after the first), recency 12 days, age 272 days (to 30 September).
"""

from typing import Any

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise.files import InputError

COLUMNS = ("account_id", "occurred_at", "amount_eur")
THIRD = 1 / 3  # of the history: where learning begins, and how far each past cut looks ahead
CUT_COUNT = 5
# Of the label window: 4, 8 and 13 weeks of 13.
WINDOW_SHARES = (0.3, 0.6, 1.0)


def orders(purchases: pd.DataFrame) -> pd.DataFrame:
    """One row per account and day: account_id, day, known_at, amount_eur, is_order; by day.

    known_at of a day is when its last part became known. Raises InputError for a table without
    rows or one of COLUMNS, and for a missing id, time or amount.
    """
    must_be_readable(purchases)
    day = purchases["occurred_at"].dt.floor("D")
    known_at = purchases["known_at"] if "known_at" in purchases else purchases["occurred_at"]
    rows = purchases[["account_id", "amount_eur"]].assign(day=day, known_at=known_at)
    parts = rows.groupby(["account_id", "day"], sort=True)
    found = parts.agg(known_at=("known_at", "max"), amount_eur=("amount_eur", "sum"))
    found = found.reset_index().sort_values(["day", "account_id"], kind="stable")
    found["is_order"] = found["amount_eur"] >= 0
    return found.reset_index(drop=True)


def must_be_readable(purchases: pd.DataFrame) -> None:
    absent = [name for name in COLUMNS if name not in purchases]
    if absent or not len(purchases):
        raise InputError(
            f"Purchases need rows and the columns {', '.join(COLUMNS)}; there are {len(purchases)} "
            f"rows with {', '.join(map(str, purchases.columns)) or 'no column'}. Rename yours."
        )
    if not pd.api.types.is_datetime64_any_dtype(purchases["occurred_at"]):
        raise InputError(
            f"occurred_at must hold dates; it is {purchases['occurred_at'].dtype}. "
            "Convert it with pandas.to_datetime."
        )
    for name in COLUMNS:
        column = purchases[name]
        broken = column.isna() if name != "amount_eur" else ~np.isfinite(column.astype("float64"))
        if broken.any():
            raise InputError(
                f"{name} must not be missing or infinite; {int(broken.sum())} rows are, the first "
                f"is row {int(np.argmax(broken))}. Leave them out or fill them in."
            )


def known_at(orders: pd.DataFrame, cut: pd.Timestamp) -> pd.DataFrame:
    """The rows of days before the cut that were known before it."""
    return orders[ex.known_before(orders, cut, "day") & ex.known_before(orders, cut, "known_at")]


def since(orders: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """The rows of that day and later ones."""
    return orders[~ex.known_before(orders, start, "day")]


def history_days(orders: pd.DataFrame, cut: pd.Timestamp) -> int:
    """Whole days from the first order known at the cut to the cut."""
    known = known_at(orders, cut)
    return int(whole_days(known["day"], cut).max()) if len(known) else 0


def whole_days(days: pd.Series, cut: pd.Timestamp) -> np.ndarray:
    """Days from each to the cut, shape (n_rows,)."""
    return ex.days_passed(days, pd.Series(cut, days.index).astype(days.dtype))


def days_ahead(cut: pd.Timestamp, days: float) -> pd.Timestamp:
    """The midnight so many days after the cut; before it if they are below 0."""
    return ex.horizon_end(pd.Series([cut]), round(days)).iloc[0]


def past_cuts(orders: pd.DataFrame, cut: pd.Timestamp, window_days: float) -> list[pd.Timestamp]:
    """Midnights to learn from, oldest first: a third of the history to a window before the cut.

    [] where the window is as long as the history.
    """
    history = history_days(orders, cut)
    last = history - window_days
    marks = np.linspace(min(history * THIRD, last), last, CUT_COUNT)
    days = sorted({round(mark) for mark in marks if mark >= 1})
    return [days_ahead(cut, day - history) for day in days]


def spent(orders: pd.DataFrame, accounts: pd.Index, start: pd.Timestamp, days: float) -> np.ndarray:
    """What each account spent from `start` on within so many days, in euros, not below 0.

    orders: those known when this is asked; 0 for accounts without any in that time.
    """
    inside = since(orders, start)
    inside = inside[ex.known_before(inside, days_ahead(start, days), "day")]
    total = inside.groupby("account_id")["amount_eur"].sum().reindex(accounts, fill_value=0.0)
    return total.clip(lower=0).to_numpy("float64")


def summary(orders: pd.DataFrame, cut: pd.Timestamp) -> pd.DataFrame:
    """Frequency, recency and age of every account with an order known at the cut, and its amounts.

    Index account_id, ascending. Columns: frequency_count, recency_days, age_days; order_count;
    spend_eur (less what went back); first_order_eur, last_order_eur; mean_repeat_eur (of orders
    after the first, 0 without one), mean_order_eur. Age is to the last whole day, and at least 1.
    Accounts without an order are not there.
    """
    everything = known_at(orders, cut)
    by = everything[everything["is_order"]].groupby("account_id")
    first, last, count = by["day"].min(), by["day"].max(), by.size().astype("float64")
    found = pd.DataFrame({"frequency_count": count - 1, "order_count": count})
    found["recency_days"] = ex.days_passed(first, last)
    found["age_days"] = np.maximum(whole_days(first, cut) - 1, 1.0)
    found["recency_days"] = np.minimum(found["recency_days"], found["age_days"])
    found["spend_eur"] = everything.groupby("account_id")["amount_eur"].sum().reindex(count.index)
    amounts = by["amount_eur"]
    found["first_order_eur"], found["last_order_eur"] = amounts.first(), amounts.last()
    total = amounts.sum()
    found["mean_order_eur"] = total / count
    rest = (total - found["first_order_eur"]) / (count - 1).where(count > 1)
    found["mean_repeat_eur"] = rest.fillna(0.0)
    return found


def columns(orders: pd.DataFrame, cut: pd.Timestamp, window_days: float) -> pd.DataFrame:
    """What a model sees of each account at the cut: `summary`, and rates, silence and windows.

    Index account_id. Further columns: idle_days since the last order, mean_gap_days between
    orders and idle_over_gap (both NaN without a repeat), order_per_day of the whole age, and
    orders and spend of the last 30, 60 and 100 % of `window_days`.
    """
    found = summary(orders, cut)
    found["idle_days"] = found["age_days"] - found["recency_days"]
    found["order_per_day"] = found["order_count"] / found["age_days"]
    gap = found["recency_days"] / found["frequency_count"].where(found["frequency_count"] > 0)
    found["mean_gap_days"] = gap
    found["idle_over_gap"] = found["idle_days"] / gap
    known = known_at(orders, cut)
    for share in WINDOW_SHARES:
        lately = since(known, days_ahead(cut, -share * window_days))
        name = f"{share:.0%}".removesuffix("%")
        count = lately[lately["is_order"]].groupby("account_id").size()
        spend = lately.groupby("account_id")["amount_eur"].sum()
        found[f"order_count_{name}"] = count.reindex(found.index, fill_value=0).astype("float64")
        found[f"spend_eur_{name}"] = spend.reindex(found.index, fill_value=0.0)
    return found


def joined(own: pd.DataFrame, more: pd.DataFrame | None) -> pd.DataFrame:
    """`own` and further columns by account_id; accounts of either, without an order 0 of them."""
    if more is None:
        return own
    clash = sorted(set(own) & set(more))
    if clash or not more.index.is_unique:
        raise InputError(
            "Further columns need account_id as a unique index and names of their own; "
            f"{', '.join(clash) or 'an id'} occurs twice. Rename or deduplicate it."
        )
    accounts = own.index.union(more.index)
    found = own.reindex(accounts).join(more)
    zero = [name for name in own if name.startswith(("order_count", "spend_eur"))]
    return found.fillna(dict.fromkeys(zero, 0.0) | {"frequency_count": 0.0, "order_per_day": 0.0})


def at_midnight(when: Any) -> pd.Timestamp:
    """The cut of an instant: the midnight that began its day."""
    return pd.Timestamp(when).floor("D").as_unit("us")
