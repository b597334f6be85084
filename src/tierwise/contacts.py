"""Contacts: whose turn it is on the list of a day, and what contacting them brought.

A day's list is worked from the most expected profit down until the day is full. Equals stand in
the order of the rows, every time.
"""

import numpy as np
import pandas as pd

from tierwise.report import format_value
from tierwise.thresholds import (
    Choice,
    Money,
    best_first,
    check_room,
    expected_f1,
    expected_profit,
    profit_curve,
)

FORMATS = {"precision": "share", "recall": "share", "f1": "number"}


def wanted(choice: Choice, chance: np.ndarray, profit_eur: np.ndarray) -> np.ndarray:
    """Mask of the rows worth a contact: profit above 0, or the threshold reached. Shape (n,)."""
    return profit_eur > 0 if choice.aim == "profit" else chance >= choice.threshold


def turns(
    inside: np.ndarray, chance: np.ndarray, profit_eur: np.ndarray, days: np.ndarray
) -> np.ndarray:
    """Turn of each row on its day's list: 1, 2, ... of the rows inside, 0 outside. Shape (n,)."""
    order = best_first(profit_eur, chance)
    order = order[inside[order]]
    day, _ = pd.factorize(pd.Series(days)[order], use_na_sentinel=False)
    turn = np.zeros(len(chance), dtype=int)
    turn[order] = pd.Series(day).groupby(day).cumcount().to_numpy() + 1
    return turn


def contacted(
    choice: Choice,
    chance: np.ndarray,
    profit_eur: np.ndarray,
    days: np.ndarray | None,
    contacts_per_day_count: float | None,
) -> np.ndarray:
    """Mask of the rows contacted, shape (n,): best first, on no day more than there is room for.

    days: a label per row, the day on whose list it stands; None without dates. Raises InputError
    for a room of 0 or less, or of so many a day where there are no days.
    """
    check_room(days is not None, contacts_per_day_count)
    inside = wanted(choice, chance, profit_eur)
    if days is None or contacts_per_day_count is None:
        return inside
    turn = turns(inside, chance, profit_eur, days)
    return inside & (turn <= contacts_per_day_count)


def account(
    outcome: np.ndarray,
    chance: np.ndarray,
    inside: np.ndarray,
    value_per_win_eur: Money,
    cost_per_contact_eur: Money,
) -> dict[str, float]:
    """What contacting the rows inside brought; the names are those of `profit_curve`, plus f1."""
    count, wins = float(inside.sum()), float(outcome[inside].sum())
    expected = expected_profit(chance, value_per_win_eur, cost_per_contact_eur)
    brought = outcome * value_per_win_eur - cost_per_contact_eur
    return {
        "contacted_share": count / max(len(chance), 1),
        "contacts_count": count,
        "wins_count": wins,
        "precision": wins / max(count, 1),
        "recall": wins / max(outcome.sum(), 1),
        "f1": f1(outcome, inside),
        "expected_profit_eur": float(expected[inside].sum()),
        "profit_eur": float(brought[inside].sum()),
    }


def f1_by_rule(
    outcome: np.ndarray, chance: np.ndarray, lists: np.ndarray, frozen: float
) -> pd.DataFrame:
    """F1 on later rows of a threshold frozen before, and of one taken from each open list.

    lists: the list (a week, a month) each row stands on, shape (n,). frozen: the `best_f1` of
    earlier rows, so that both aim at the same. Columns: rule, contacts_count, wins_count,
    precision, recall, f1. The last rule is no rule, since it needs the outcomes: it is the most
    that one threshold could have had.
    """
    own = pd.Series(chance).groupby(pd.factorize(lists)[0]).transform(plug_in).to_numpy()
    rules = {"best threshold of earlier rows": frozen, "threshold of each open list": own}
    rules["best single threshold, in hindsight"] = best_f1(outcome, chance)
    kept = ["contacts_count", "wins_count", "precision", "recall", "f1"]
    rows = [
        {"rule": rule} | {name: found[name] for name in kept}
        for rule, least in rules.items()
        for found in [account(outcome, chance, chance >= least, 1.0, 0.0)]
    ]
    return pd.DataFrame(rows).astype({"contacts_count": int, "wins_count": int})


def best_f1(outcome: np.ndarray, chance: np.ndarray) -> float:
    """The threshold that had the highest F1 on rows with known outcomes."""
    curve = profit_curve(outcome, chance, value_per_win_eur=1.0, cost_per_contact_eur=0.0)
    reached = curve["wins_count"] / (curve["contacts_count"] + outcome.sum())
    return float(curve["threshold"][reached.idxmax()])


def plug_in(chance: pd.Series) -> float:
    """The threshold with the highest expected F1 on one open list."""
    table = expected_f1(chance.to_numpy())
    return float(table["threshold"][table["f1"].idxmax()])


def f1(outcome: np.ndarray, inside: np.ndarray) -> float:
    """2 * wins contacted / (contacts + wins); 0.0 where nobody won and nobody was contacted."""
    return float(2 * outcome[inside].sum() / max(inside.sum() + outcome.sum(), 1))


def frontier(
    outcome: np.ndarray,
    chance: np.ndarray,
    value_per_win_eur: Money,
    cost_per_contact_eur: Money,
    days: np.ndarray | None,
    choice: Choice,
) -> pd.DataFrame:
    """What more room a day brings, from 1 contact a day to enough for all that are worth one.

    A row per contacts_per_day_count: contacts_count, wins_count, expected_profit_eur, profit_eur,
    over all days; without dates all rows stand on the list of one day. The steps need no second
    look at the rows: one more contact a day adds, on every day long enough, the row whose turn it
    is.
    """
    profit = expected_profit(chance, value_per_win_eur, cost_per_contact_eur)
    brought = outcome * value_per_win_eur - cost_per_contact_eur
    days = np.zeros(len(chance)) if days is None else days
    turn = turns(wanted(choice, chance, profit), chance, profit, days)
    parts = {"contacts_count": np.ones(len(turn)), "wins_count": outcome}
    parts |= {"expected_profit_eur": profit, "profit_eur": brought}
    sums = {name: np.cumsum(np.bincount(turn, part)[1:]) for name, part in parts.items()}
    table = pd.DataFrame(sums).astype({"contacts_count": int, "wins_count": int})
    table.insert(0, "contacts_per_day_count", np.arange(1, len(table) + 1))
    return table


def cards(choice: Choice, there: dict[str, float]) -> list[dict[str, str]]:
    """Cards: the threshold and why it stands there, contacts, profit. there: see `account`."""
    alike = isinstance(choice.threshold, float)
    each = "row by row" if choice.aim == "profit" else "list by list"
    return [
        {
            "label": "threshold",
            "value": format_value(choice.threshold, "share") if alike else each,
            "note": choice.why,
        },
        {
            "label": "rows contacted",
            "value": format_value(there["contacted_share"], "share"),
            "note": f"{there['wins_count']:,.0f} wins in {there['contacts_count']:,.0f} contacts",
        },
        {
            "label": "profit on these rows",
            "value": format_value(there["profit_eur"], "eur"),
            "note": f"expected {format_value(there['expected_profit_eur'], 'eur')}",
        },
    ]
