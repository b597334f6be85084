"""Whom to contact: money in, money out, and how many contacts a day allows."""

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.report import format_value


def break_even(value_per_win_eur: float, cost_per_contact_eur: float) -> float:
    """The chance at which a contact pays for itself: cost / value. Elkan 2001 (IJCAI)."""
    if value_per_win_eur <= 0 or cost_per_contact_eur < 0:
        raise InputError(
            "value_per_win_eur must be above 0 and cost_per_contact_eur at least 0; params.yaml "
            f"gives {value_per_win_eur} and {cost_per_contact_eur}."
        )
    return cost_per_contact_eur / value_per_win_eur


def capacity_share(
    rows_count: int, days_count: int | None, contacts_per_day_count: float | None
) -> float:
    """Share of the rows that can be contacted on average over the days; 1.0 without a limit."""
    if contacts_per_day_count is None:
        return 1.0
    if contacts_per_day_count <= 0:
        raise InputError(
            f"contacts_per_day_count must be above 0, params.yaml gives {contacts_per_day_count}; "
            "null means no limit."
        )
    if days_count is None:
        raise InputError(
            f"contacts_per_day_count is {contacts_per_day_count}, but the rows have no dates, so "
            "there is no day to count. Set it to null in params.yaml."
        )
    return min(1.0, contacts_per_day_count * days_count / rows_count)


def threshold(chance: np.ndarray, least_chance: float, contacted_share: float) -> float:
    """The lowest chance worth a contact: break-even, or higher where capacity runs out first.

    Where many rows share the chance at which capacity runs out, they are all at the threshold:
    work down the list until the day is full.
    """
    if contacted_share >= 1.0:
        return least_chance
    return max(least_chance, float(np.quantile(chance, 1 - contacted_share, method="higher")))


def profit_curve(
    outcome: np.ndarray, chance: np.ndarray, value_per_win_eur: float, cost_per_contact_eur: float
) -> pd.DataFrame:
    """Contacting everybody from the highest chance down to each distinct one.

    Columns, from few contacts to all: threshold, contacted_share, contacts_count, wins_count,
    precision, recall, expected_profit_eur (believing the chances), profit_eur (what came of it).
    """
    order = np.argsort(-chance, kind="stable")
    ranked, won = chance[order], outcome[order]
    last_of_tie = np.r_[np.diff(ranked) != 0, True]
    count = np.arange(1, len(ranked) + 1)[last_of_tie]
    wins = np.cumsum(won)[last_of_tie]
    believed = np.cumsum(ranked)[last_of_tie]
    return pd.DataFrame(
        {
            "threshold": ranked[last_of_tie],
            "contacted_share": count / len(ranked),
            "contacts_count": count,
            "wins_count": wins.astype(int),
            "precision": wins / count,
            "recall": wins / max(won.sum(), 1),
            "expected_profit_eur": believed * value_per_win_eur - count * cost_per_contact_eur,
            "profit_eur": wins * value_per_win_eur - count * cost_per_contact_eur,
        }
    )


def at(curve: pd.DataFrame, lowest_chance: float) -> dict[str, float]:
    """The curve's row when everybody with at least this chance is contacted."""
    reached = curve[curve["threshold"] >= lowest_chance]
    if reached.empty:
        return dict.fromkeys(curve, 0.0) | {"threshold": lowest_chance}
    return reached.iloc[-1].to_dict() | {"threshold": lowest_chance}


def headline(
    lowest_chance: float, least_chance: float, contacted_share: float, there: dict[str, float]
) -> list[dict[str, str]]:
    """Cards: the threshold and why it stands there, contacts, profit."""
    tight = lowest_chance > least_chance
    return [
        {
            "label": "threshold",
            "value": format_value(lowest_chance, "share"),
            "note": f"capacity for {contacted_share:.0%} of the rows moves it up"
            if tight
            else "the break-even chance",
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


def realised(outcome: np.ndarray, chance: np.ndarray, chosen: dict) -> dict[str, float]:
    """The frozen threshold on these rows. chosen: metrics of select_threshold."""
    value, cost = chosen["value_per_win_eur"], chosen["cost_per_contact_eur"]
    return at(profit_curve(outcome, chance, value, cost), chosen["threshold"])
