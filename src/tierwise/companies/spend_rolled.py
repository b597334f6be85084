"""Which candidate foretells spend best, tried where the end is known, judged once on the last year.

origins     mornings from which the whole horizon has passed; the last one judges, earlier ones
            choose. What is chosen was known before the judged origin began.
choice      the mean of Pareto/NBD and trees, unless another candidate puts accounts in a
            better order beyond doubt on every earlier origin
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tierwise.companies import purchases as pu
from tierwise.companies import spend, spend_intervals
from tierwise.companies import spend_measures as sm
from tierwise.files import InputError

HISTORY_SHARE = 0.8  # of the horizon that must be known before the first origin
STEP_SHARE = 0.5  # of the horizon between two origins
CHOICE_DRAWS_COUNT = 400
APART = ("cut", "account_id", "actual_eur", "group", "lower_eur", "upper_eur", "default")


def origins(
    orders: pd.DataFrame, until: pd.Timestamp, horizon_days: float, count: int
) -> list[pd.Timestamp]:
    """At most `count` mornings, the judged one last. Raises InputError where no year is over.

    Earlier ones lie so far back that their outcome was known when the judged one began.
    """
    judged = pu.days_ahead(pu.at_midnight(until), -horizon_days)
    found = [judged]
    for step in range(count - 1):
        found.insert(0, pu.days_ahead(judged, -horizon_days * (1 + STEP_SHARE * step)))
    kept = [cut for cut in found if pu.history_days(orders, cut) >= HISTORY_SHARE * horizon_days]
    if judged not in kept:
        raise InputError(
            f"The orders cover {pu.history_days(orders, until)} days up to {until:%Y-%m-%d}; to "
            f"judge a forecast of {horizon_days:g} days it takes {1 + HISTORY_SHARE:g} times as "
            "many. Lower horizon_days, or wait."
        )
    return kept


def rolled(
    orders: pd.DataFrame, cuts: Sequence[pd.Timestamp], question: spend.Question
) -> pd.DataFrame:
    """Every candidate at every origin beside what was then spent.

    Columns: cut, account_id, actual_eur, default (the candidate that would have been used), then
    one per candidate; an account that a candidate can't tell anything of is expected to spend 0.
    What was spent from earlier origins on is what was known of it when the last one began.
    """
    parts, earlier = [], pu.known_at(orders, cuts[-1])
    for cut in cuts:
        found = spend.expected(orders, cut, question)
        table = found.table.fillna(0.0).reset_index(names="account_id")
        told = orders if cut == cuts[-1] else earlier
        actual = pu.spent(told, found.table.index, cut, question.horizon_days)
        table.insert(0, "cut", cut)
        table.insert(2, "actual_eur", actual)
        parts.append(table.assign(default=found.default))
    return pd.concat(parts, ignore_index=True)


def candidates(table: pd.DataFrame) -> list[str]:
    """Those that could be fitted at every origin."""
    names = [name for name in table if name not in APART]
    return [name for name in names if table[name].notna().all()]


def card(table: pd.DataFrame) -> pd.DataFrame:
    """candidate and its measures at one origin, the best order first; see `spend_measures`."""
    actual = table["actual_eur"].to_numpy()
    lines: list[dict[str, Any]] = [
        {"candidate": name} | sm.measured(actual, table[name].to_numpy())
        for name in candidates(table)
    ]
    found = pd.DataFrame(lines).drop(columns="mae_of_zero_eur")
    return found.sort_values("gini", ascending=False, kind="stable", ignore_index=True)


def zero_trap(table: pd.DataFrame) -> dict[str, float]:
    """Mean absolute error of "nobody spends anything", and the least one of all candidates."""
    actual = table["actual_eur"].to_numpy()
    errors = [sm.mae_eur(actual, table[name].to_numpy()) for name in candidates(table)]
    return {"nobody_mae_eur": float(np.abs(actual).mean()), "least_mae_eur": min(errors)}


def chosen(table: pd.DataFrame, judged: pd.Timestamp) -> str:
    """The candidate to use, by the origins before the judged one."""
    earlier = table[table["cut"] != judged]
    default = str(table.loc[table["cut"] == judged, "default"].iloc[0])
    if default not in candidates(table) or earlier.empty:
        return default
    ahead = [name for name in candidates(table) if name != default and wins(earlier, name, default)]
    order = [sm.gini(earlier["actual_eur"].to_numpy(), earlier[name].to_numpy()) for name in ahead]
    return ahead[int(np.argmax(order))] if ahead else default


def wins(earlier: pd.DataFrame, name: str, default: str) -> bool:
    """Is the order of `name` ahead at each origin, beyond doubt (95 %)?"""
    parts = [part for _, part in earlier.groupby("cut")]
    return all(
        sm.difference(
            sm.gini,
            part["actual_eur"].to_numpy(),
            part[name].to_numpy(),
            part[default].to_numpy(),
            draw_count=CHOICE_DRAWS_COUNT,
        )["low"]
        > 0
        for part in parts
    )


def versus(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """How far `name` is ahead of every other candidate in order: candidate, difference, low, high
    (of the normalised Gini; 95 %, drawn by account)."""
    actual, own = table["actual_eur"].to_numpy(), table[name].to_numpy()
    lines = [
        {"candidate": other} | sm.difference(sm.gini, actual, own, table[other].to_numpy())
        for other in candidates(table)
        if other != name
    ]
    return pd.DataFrame(lines)


def with_interval(
    orders: pd.DataFrame,
    cut: pd.Timestamp,
    question: spend.Question,
    table: pd.DataFrame,
    name: str,
) -> pd.DataFrame:
    """The rows of one origin with group, lower_eur and upper_eur of this candidate."""
    pairs = spend_intervals.past_pairs(orders, cut, question, name)
    scale = spend_intervals.calibrated(pairs)
    accounts = pd.Index(table["account_id"])
    group = spend_intervals.groups(pu.known_at(orders, cut), cut, accounts)
    ends = spend_intervals.intervals(scale, table[name].to_numpy(), group)
    return table.assign(group=group, lower_eur=ends["lower_eur"], upper_eur=ends["upper_eur"])


def covered(table: pd.DataFrame) -> pd.DataFrame:
    """Did the intervals keep their promise? group, count, covered_share, width_eur; "all" last."""
    columns = (table[name].to_numpy() for name in ("actual_eur", "lower_eur", "upper_eur", "group"))
    found = pd.DataFrame(sm.coverage(*columns)).T.reset_index(names="group")
    return found.sort_values("group", key=lambda names: names == "all", ignore_index=True)
