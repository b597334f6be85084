"""Whose turn it is today: the deals that the aim of params.yaml asks to contact.

    by merit    what the aim asks for, most expected profit first, as far as a day has room
    by lot      a deal whose place on a list was drawn has a turn if that place is among the first
                m, where m deals of the list would have one by merit; then others have one less

So a drawn deal has its turn whatever its score, about as often as its list has turns, and no list
has more of them than by merit. A deal that was contacted lately has had its turn, and who was
contacted today has taken of the room; so the marks go down the lists in the course of days, as the
lists of the threshold page do, on which no deal comes back at once.

The ledger knows places, not marks: outcomes that are weighed by it (see reweighting.py) suppose
that each list is worked on by place, as far as its room goes.
"""

from typing import Any

import numpy as np
import pandas as pd

from tierwise import contacts, thresholds
from tierwise import examples as ex
from tierwise.calls.batch import EXPLORATION, HOLDOUT, TURN

WHY = {
    "profit": "a contact is expected to bring more than it costs",
    "f1": "on all lists together, those on which wins found and contacts in vain are best weighed "
    "(highest expected F1)",
    "recall": "on all lists together, those expected to hold {share:.0f} % of all wins",
}


def turns(rows: pd.DataFrame, contact: dict[str, Any], every_days: float) -> np.ndarray:
    """TURN or "" per row of an hour, shape (n,); "" for all whose card tells no money.

    rows: scored_at, last_touch_at, flag, place, owner_id, chance, expected_profit_eur. contact: of
    the card. every_days: so long after a contact a deal has no turn.
    """
    found = np.full(len(rows), "", dtype=object)
    now = rows["scored_at"].max()
    is_open = (rows["flag"] != HOLDOUT) & rows["expected_profit_eur"].notna()
    is_open &= ~touched_since(rows, now - pd.Timedelta(days=every_days))
    if is_open.any():
        today_count = int(touched_since(rows, now.normalize()).sum())
        found[is_open] = np.where(due(rows[is_open], contact, today_count), TURN, "")
    return found


def touched_since(rows: pd.DataFrame, edge: pd.Timestamp) -> pd.Series:
    """Mask of the rows with a last touch at the edge or later."""
    return rows["last_touch_at"].notna() & ~ex.known_before(rows, edge, "last_touch_at")


def due(rows: pd.DataFrame, contact: dict[str, Any], today_count: int = 0) -> np.ndarray:
    """Mask of the rows whose turn it is, shape (n,). today_count: contacts made today."""
    chance, profit = rows["chance"].to_numpy(), rows["expected_profit_eur"].to_numpy()
    choice = thresholds.choose(contact["aim"], chance, 1.0, 1.0, contact["recall_share"])
    wanted = contacts.wanted(choice, chance, profit)
    turn = contacts.turns(wanted, chance, profit, np.zeros(len(rows)))
    merit = wanted & (turn <= room(contact, today_count))
    owner = pd.factorize(rows["owner_id"], use_na_sentinel=False)[0]
    turns_count = np.bincount(owner, weights=merit)[owner]
    drawn = (rows["flag"] == EXPLORATION).to_numpy()
    by_lot = drawn & (rows["place"].groupby(owner).rank().to_numpy() <= turns_count)
    left_count = turns_count - np.bincount(owner, weights=by_lot)[owner]
    others = wanted & ~drawn
    return by_lot | (others & (contacts.turns(others, chance, profit, owner) <= left_count))


def room(contact: dict[str, Any], today_count: int) -> float:
    """How many contacts are left for today, over all lists."""
    most = contact["contacts_per_day_count"]
    return np.inf if most is None else most - today_count


def why(contact: dict[str, Any], every_days: float) -> str:
    """What a mark means, a clause; "" for a card that tells no money."""
    if "typical_eur" not in contact:
        return ""
    told = WHY[contact["aim"]].format(share=100 * contact["recall_share"])
    most = contact["contacts_per_day_count"]
    if most:
        told += f"; of these, on all lists, at most {most:,.10g} a day that bring most"
    return f"{told}; no deal that was contacted in the last {every_days:,.10g} days"
