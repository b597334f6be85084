"""Where the line lies between a contact and none: by profit, by F1 or by recall.

Value and cost are money per row, one number for all or an array of shape (n,). Expected profit of
a contact is chance * value - cost. Whose turn it is on a day with little room is for `contacts`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tierwise.files import InputError

AIMS = ("profit", "f1", "recall")
SHAPES = {"f1": "the highest expected F1", "recall": "the shortest list for the recall wanted"}
MONEY = ("value_per_win_eur", "cost_per_contact_eur")
Money = float | np.ndarray


@dataclass(frozen=True)
class Choice:
    """A threshold and why it stands there.

    threshold: the lowest chance contacted; an array of shape (n,) where value or cost differ by
    row, or lists have each their own. why: a clause for the page.
    """

    aim: str
    threshold: Money
    why: str

    def single(self) -> float | None:
        """The threshold where it is one number for all rows, else None."""
        return self.threshold if isinstance(self.threshold, float) else None


def money(
    spec: float | str, features: pd.DataFrame, role: str, missing_eur: float | None = None
) -> Money:
    """Euros as params.yaml gives them: one number, or a column that has them for each row.

    features: the rows in question; of a column, the values come back as float64, shape (n,).
    missing_eur: stands in for a missing value. None: the median of these rows, so for later rows
    hand over the `typical` one of the earlier rows. role: the name of the parameter, for errors.
    Raises InputError for a column that is not there, holds no number, or one that can't be paid.
    """
    if not isinstance(spec, str):
        return spec
    column = number_column(spec, features, role)
    wrong = column[(column < 0) | np.isinf(column)]
    if len(wrong):
        raise InputError(
            f"{role} is the column '{spec}', which must hold 0 or more euros; {len(wrong)} rows "
            f"break this, the first holds {wrong.iloc[0]:g}. Name another column, or a number."
        )
    known = column.median() if missing_eur is None else missing_eur
    if np.isnan(known):
        raise InputError(
            f"{role} is the column '{spec}', which is empty in these {len(column)} rows. Name "
            "another column, or a number."
        )
    return column.fillna(known).to_numpy()


def number_column(name: str, features: pd.DataFrame, role: str) -> pd.Series:
    """The column as float64. InputError, with those that could be meant, where it is none."""
    numbers = [str(column) for column in features.select_dtypes("number")]
    if name not in numbers:
        what = "holds no numbers" if name in features else "is not among the features"
        raise InputError(
            f"{role} is the column '{name}', which {what}. Columns of numbers: "
            f"{', '.join(numbers[:40]) or 'none'}. Name one that holds euros, or give a number."
        )
    return features[name].astype("float64")


def typical(money: Money) -> float:
    """One figure for reports: the median in euros where every row has its own."""
    return float(np.median(money))


def break_even(value_per_win_eur: Money, cost_per_contact_eur: Money) -> Money:
    """The chance at which a contact pays for itself: cost / value. Elkan 2001 (IJCAI).

    One number, or shape (n,) where value or cost has it: inf for a row that is worth nothing.
    """
    given = (value_per_win_eur, cost_per_contact_eur)
    value, cost = np.broadcast_arrays(*(np.nan if one is None else one for one in given))
    least = value >= 0 if value.ndim else value > 0
    wrong = np.flatnonzero(~(least & (cost >= 0) & np.isfinite(value) & np.isfinite(cost)))
    if len(wrong) and not value.ndim:
        raise InputError(
            "value_per_win_eur must be above 0 and cost_per_contact_eur at least 0; params.yaml "
            f"gives {value_per_win_eur} and {cost_per_contact_eur}."
        )
    if len(wrong):
        first = wrong[0]
        raise InputError(
            "value_per_win_eur and cost_per_contact_eur must be 0 or more in every row; "
            f"{len(wrong)} rows break this, the first is row {first} with {value[first]} and "
            f"{cost[first]}. Fill them, say with the median of the deals won, or leave them out."
        )
    found = np.divide(cost, value, out=np.full(value.shape, np.inf), where=value > 0)
    return found if found.ndim else float(found)


def expected_profit(
    chance: np.ndarray, value_per_win_eur: Money, cost_per_contact_eur: Money
) -> np.ndarray:
    """What contacting each row is expected to bring, shape (n,): chance * value - cost."""
    break_even(value_per_win_eur, cost_per_contact_eur)
    return chance * value_per_win_eur - cost_per_contact_eur


def best_first(profit_eur: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Row positions in order of contact: by expected profit, then chance, then order of rows."""
    return np.lexsort((-chance, -profit_eur))


def check_room(dated: bool, contacts_per_day_count: float | None) -> None:
    """Raises InputError unless the contacts a day are None, or above 0 and the rows have days."""
    if contacts_per_day_count is None:
        return
    if contacts_per_day_count <= 0:
        raise InputError(
            f"contacts_per_day_count must be above 0, params.yaml gives {contacts_per_day_count}; "
            "null means no limit."
        )
    if not dated:
        raise InputError(
            f"contacts_per_day_count is {contacts_per_day_count}, but the rows have no dates, so "
            "there is no day to count. Set it to null in params.yaml."
        )


def profit_curve(
    outcome: np.ndarray,
    chance: np.ndarray,
    value_per_win_eur: Money,
    cost_per_contact_eur: Money,
) -> pd.DataFrame:
    """Contacting everybody from the most expected profit down to each distinct one.

    Columns, from few contacts to all: threshold (chance of the last one contacted),
    contacted_share, contacts_count, wins_count, precision, recall, expected_profit_eur (believing
    the chances), profit_eur (what came of it).
    """
    profit = expected_profit(chance, value_per_win_eur, cost_per_contact_eur)
    order = best_first(profit, chance)
    brought = outcome * value_per_win_eur - cost_per_contact_eur
    same = (np.diff(chance[order]) == 0) & (np.diff(profit[order]) == 0)
    last_of_tie = np.r_[~same, True]
    count = np.arange(1, len(chance) + 1)[last_of_tie]
    wins = np.cumsum(outcome[order])[last_of_tie]
    return pd.DataFrame(
        {
            "threshold": chance[order][last_of_tie],
            "contacted_share": count / len(chance),
            "contacts_count": count,
            "wins_count": wins.astype(int),
            "precision": wins / count,
            "recall": wins / max(outcome.sum(), 1),
            "expected_profit_eur": np.cumsum(profit[order])[last_of_tie],
            "profit_eur": np.cumsum(brought[order])[last_of_tie],
        }
    )


def expected_f1(chance: np.ndarray) -> pd.DataFrame:
    """Expected F1 of contacting everybody from the highest chance down to each distinct one.

    Columns: threshold (descending), contacts_count, recall, precision, f1, all as the chances
    expect them. f1 = 2 * sum of the k chances contacted / (k + sum of all chances), the ratio of
    expectations in place of the expected ratio. The best list is always a top of the order
    (Lewis 1995, SIGIR, for independent rows; Ye, Chai, Lee and Chieu 2012, ICML).
    """
    ranked = np.sort(chance)[::-1]
    last_of_tie = np.r_[np.diff(ranked) != 0, True]
    count = np.arange(1, len(ranked) + 1)[last_of_tie]
    held, wins = np.cumsum(ranked)[last_of_tie], max(float(ranked.sum()), 1e-12)
    return pd.DataFrame(
        {
            "threshold": ranked[last_of_tie],
            "contacts_count": count,
            "recall": np.minimum(held / wins, 1.0),
            "precision": held / count,
            "f1": 2 * held / (count + wins),
        }
    )


def choose(
    aim: str,
    chance: np.ndarray,
    value_per_win_eur: Money,
    cost_per_contact_eur: Money,
    recall_share: float = 0.8,
) -> Choice:
    """The threshold on the list now open, from its calibrated chances alone: no outcome is needed.

    profit: contacts that pay. f1: the list with the highest expected F1. recall: the shortest list
    expected to hold `recall_share` of all wins, for a small team that must not miss any.
    """
    if aim not in AIMS:
        raise InputError(f"aim must be one of {', '.join(AIMS)}; params.yaml gives {aim!r}.")
    if not 0 < recall_share <= 1:
        raise InputError(
            f"recall_share must be above 0 and at most 1, params.yaml gives {recall_share}; 0.8 "
            "looks for four wins in five."
        )
    if aim == "profit":
        least = break_even(value_per_win_eur, cost_per_contact_eur)
        alike = isinstance(least, float)
        why = "the break-even chance" if alike else "each row's own break-even chance"
        return Choice(aim, least, f"{why}, cost / value")
    if not len(chance):
        raise InputError(f"aim is {aim}, which needs an open list, but no row is open. Use profit.")
    table = expected_f1(chance)
    reached = table["recall"] >= recall_share - 1e-9
    there = table.loc[table["f1"].idxmax() if aim == "f1" else reached.idxmax()]
    about = f"{there['recall']:.0%} of the wins, {there['precision']:.0%} of the contacts won"
    return Choice(aim, float(there["threshold"]), f"{SHAPES[aim]}: expected {about}")


def by_aim(
    chance: np.ndarray, value_per_win_eur: Money, cost_per_contact_eur: Money, recall_share: float
) -> dict[str, float]:
    """Where each aim puts the threshold, at most 1; the middle one where rows have their own."""
    money = (value_per_win_eur, cost_per_contact_eur)
    found = {aim: choose(aim, chance, *money, recall_share).threshold for aim in AIMS}
    return {aim: min(float(np.median(least)), 1.0) for aim, least in found.items()}


def later_money(chosen: dict[str, Any], features: pd.DataFrame) -> list[Money]:
    """Value and cost of later rows. chosen: metrics of select_threshold.

    What is missing is filled with the median of the rows that set the threshold.
    """
    typical_eur = zip(MONEY, chosen["typical_eur"], strict=True)
    return [money(chosen[name], features, name, middle) for name, middle in typical_eur]


def later(
    chosen: dict[str, Any],
    chance: np.ndarray,
    lists: np.ndarray,
    value_per_win_eur: Money,
    cost_per_contact_eur: Money,
) -> Choice:
    """The threshold of later rows, found as the aim says. chosen: metrics of select_threshold.

    profit: the break-even chance, each row's own where value or cost is. f1, recall: each open
    list's own, from its chances alone, since one that was best on an old list is not where the
    level has moved. lists: the list on which each row stands, shape (n,). Where rows come one by
    one a list is complete at its end only; no outcome of it is used.
    """
    aim, money = chosen["aim"], (value_per_win_eur, cost_per_contact_eur)
    if aim == "profit" and chosen["threshold"] is not None:
        return Choice(aim, chosen["threshold"], chosen["why"])
    if aim == "profit":
        return choose(aim, chance, *money)
    least = np.empty(len(chance))
    for rows in pd.Series(chance).groupby(pd.factorize(lists)[0]).indices.values():
        least[rows] = choose(aim, chance[rows], 1.0, 1.0, chosen["recall_share"]).threshold
    return Choice(aim, least, f"each open list's own: {SHAPES[aim]}")
