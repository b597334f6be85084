"""How long until a customer's next visit, and how many have not come by then.

Whoever has not come yet may still do so: such a wait is known to be longer than so many days and no
more (right-censored). The share still awaited after t days is Kaplan's and Meier's (JASA 53(282),
1958), with intervals on the log-log scale of Greenwood's variance, both as scipy has them.
"""

import warnings

import numpy as np
import pandas as pd
from scipy import stats

from tierwise.files import InputError
from tierwise.shrinkage import LEVEL

HORIZON_DAYS = 180
LEAST_CUSTOMERS = 20


def waits(jobs: pd.DataFrame, since_days: float, until_days: float) -> pd.DataFrame:
    """Each customer's first visit from since_days on: customer, provider, wait_days, came.

    jobs: customer, provider, at_days. wait_days: until the next visit, to anybody, or until
    until_days where none came (came is False). One row per customer, so that rows are independent.
    """
    rows = jobs[jobs["at_days"] <= until_days].sort_values(["customer", "at_days"], kind="stable")
    after = rows.groupby("customer", sort=False)["at_days"].shift(-1)
    rows = rows.assign(wait_days=after.fillna(until_days) - rows["at_days"], came=after.notna())
    rows = rows[rows["at_days"] >= since_days].drop_duplicates("customer")
    return rows[["customer", "provider", "wait_days", "came"]].reset_index(drop=True)


def awaited(
    wait_days: np.ndarray, came: np.ndarray, days: np.ndarray, level: float = LEVEL
) -> pd.DataFrame:
    """Share not yet back after each of `days`: days, share, low, high, at_risk_count.

    low and high are NaN where nothing is known of them: before the first and after the last return.
    """
    wait, back = np.asarray(wait_days, dtype="float64"), np.asarray(came, dtype="bool")
    censored = stats.CensoredData(uncensored=wait[back], right=wait[~back])
    curve = stats.ecdf(censored).sf
    with warnings.catch_warnings():  # undefined ends are NaN here, as told above
        warnings.simplefilter("ignore", RuntimeWarning)
        ends = curve.confidence_interval(level, method="log-log")
    at_risk = len(wait) - np.searchsorted(np.sort(wait), days, side="left")
    columns = {"days": days, "share": curve.evaluate(days)}
    columns |= {"low": ends.low.evaluate(days), "high": ends.high.evaluate(days)}
    return pd.DataFrame(columns | {"at_risk_count": at_risk})


def curves(
    waited: pd.DataFrame, group: pd.Series, horizon_days: int = HORIZON_DAYS
) -> pd.DataFrame:
    """A curve by group of providers, in the order of their names: group, then as from `awaited`.

    waited: as from `waits`. group: by provider. Raises InputError where a group has few customers.
    """
    names = waited["provider"].map(group)
    parts = []
    for name in sorted(group.dropna().unique()):
        rows = waited[names == name]
        if len(rows) < LEAST_CUSTOMERS:
            raise InputError(
                f"Only {len(rows)} customers came to the group {name!r} in the time followed; it "
                f"takes {LEAST_CUSTOMERS} to draw a curve. Follow them from an earlier day on."
            )
        days = np.arange(0, horizon_days + 1, dtype="float64")
        found = awaited(rows["wait_days"].to_numpy(), rows["came"].to_numpy(), days)
        parts.append(found.assign(group=name, customers_count=len(rows)))
    return pd.concat(parts, ignore_index=True)
