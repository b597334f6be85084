"""Orders of a simulated shop: what customers bought on which days, over three years."""

import numpy as np
import pandas as pd

FIRST = pd.Timestamp("2022-01-01")


def shop(customers_count: int = 120, days_count: int = 1095, seed: int = 0) -> pd.DataFrame:
    """customer, ordered_at, total; by day. Customers differ in pace and purse; some stay away."""
    rng = np.random.default_rng(seed)
    pace = rng.gamma(1.5, 1 / 60, customers_count)
    purse = rng.lognormal(4, 0.8, customers_count)
    begun = rng.integers(0, days_count // 3, customers_count)
    stays = rng.exponential(900, customers_count)
    rows = []
    for one in range(customers_count):
        end = min(days_count, begun[one] + stays[one])
        times = [begun[one], *(begun[one] + np.cumsum(rng.exponential(1 / pace[one], 200)))]
        rows += [(f"c{one:03}", int(day)) for day in times if day < end]
    table = pd.DataFrame(rows, columns=["customer", "day"]).drop_duplicates()
    money = purse[table["customer"].str[1:].astype(int)] * rng.lognormal(0, 0.3, len(table))
    table = table.assign(
        ordered_at=FIRST + pd.to_timedelta(table["day"], "D"), total=money.round(2)
    )
    return table.sort_values(["day", "customer"], ignore_index=True).drop(columns="day")


def purchases(table: pd.DataFrame) -> pd.DataFrame:
    """The same in the words of `tierwise.companies.purchases`."""
    names = {"customer": "account_id", "ordered_at": "occurred_at", "total": "amount_eur"}
    return table.rename(columns=names)
