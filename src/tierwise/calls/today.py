"""Whose turn it is today: the deals that the aim of params.yaml asks to contact.

    by merit    what the aim asks for, most expected profit first, as far as a day has room
    by lot      a deal whose place on a list was drawn has a turn if that place is among the first
                m, where m deals of the list would have one by merit; then others have one less

So each list keeps its number of turns, and exploring is not undone by marks that follow the score.
"""

from typing import Any

import numpy as np
import pandas as pd

from tierwise import contacts, thresholds
from tierwise.calls.batch import EXPLORATION, HOLDOUT, TURN

WHY = {
    "profit": "a contact is expected to bring more than it costs",
    "f1": "the list on which wins found and contacts in vain are best weighed (highest expected "
    "F1)",
    "recall": "the shortest list expected to hold {share:.0%} of all wins",
}


def turns(rows: pd.DataFrame, contact: dict[str, Any]) -> np.ndarray:
    """TURN or "" per row of an hour, shape (n,); "" for all whose card tells no money.

    rows: flag, place, owner_id, chance, expected_profit_eur. contact: of the card.
    """
    found = np.full(len(rows), "", dtype=object)
    open_rows = (rows["flag"] != HOLDOUT).to_numpy() & rows["expected_profit_eur"].notna()
    if open_rows.any():
        found[open_rows] = np.where(due(rows[open_rows], contact), TURN, "")
    return found


def due(rows: pd.DataFrame, contact: dict[str, Any]) -> np.ndarray:
    """Mask of the rows whose turn it is, shape (n,); nobody of the holdout among them."""
    chance, profit = rows["chance"].to_numpy(), rows["expected_profit_eur"].to_numpy()
    choice = thresholds.choose(contact["aim"], chance, 1.0, 1.0, contact["recall_share"])
    room, one_day = contact["contacts_per_day_count"], np.zeros(len(rows))
    merit = contacts.contacted(choice, chance, profit, one_day, room)
    owner = pd.factorize(rows["owner_id"], use_na_sentinel=False)[0]
    turns_count = np.bincount(owner, weights=merit)[owner]
    drawn = (rows["flag"] == EXPLORATION).to_numpy()
    by_lot = drawn & (rows["place"].groupby(owner).rank().to_numpy() <= turns_count)
    left_count = turns_count - np.bincount(owner, weights=by_lot)[owner]
    others = merit & ~drawn
    return by_lot | (others & (contacts.turns(others, chance, profit, owner) <= left_count))


def why(contact: dict[str, Any]) -> str:
    """What a mark means, a clause; "" for a card that tells no money."""
    if "typical_eur" not in contact:
        return ""
    share, room = contact["recall_share"], contact["contacts_per_day_count"]
    told = WHY[contact["aim"]].format(share=share).replace("%", " %")
    most = f", and all lists have room for {room:,g} contacts a day" if room else ""
    return f"{told}{most}"
