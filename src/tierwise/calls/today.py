"""Whose turn it is today: the deals that the aim of params.yaml asks to contact.

    by merit    what the aim asks for, most expected profit first, as far as a day has room
    by lot      a deal whose place on a list was drawn has a turn if that place is among the first
                m, where m deals of the list would have one by merit; then others have one less

So a drawn deal has its turn whatever its score, about as often as its list has turns, and no list
has more of them than by merit. A deal that was contacted in the days before has had its turn. One
that was contacted today keeps its place among the turns of the day and loses the mark; so the marks
become fewer as the day goes on, and go down the lists in the course of days, as on the lists of the
threshold page, where no deal comes back at once.

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
    today = touched_since(rows, now.normalize())
    before = touched_since(rows, now - pd.Timedelta(days=every_days)) & ~today
    ready = (rows["flag"] != HOLDOUT) & rows["expected_profit_eur"].notna() & ~before
    if ready.any():
        found[ready] = np.where(due(rows[ready], contact) & ~today[ready], TURN, "")
    return found


def touched_since(rows: pd.DataFrame, edge: pd.Timestamp) -> pd.Series:
    """Mask of the rows with a last touch at the edge or later."""
    return rows["last_touch_at"].notna() & ~ex.known_before(rows, edge, "last_touch_at")


def due(rows: pd.DataFrame, contact: dict[str, Any]) -> np.ndarray:
    """Mask of the rows whose turn it is on this day, contacted meanwhile or not. Shape (n,)."""
    chance, profit = rows["chance"].to_numpy(), rows["expected_profit_eur"].to_numpy()
    choice = thresholds.choose(contact["aim"], chance, 1.0, 1.0, contact["recall_share"])
    room, one_day = contact["contacts_per_day_count"], np.zeros(len(rows))
    merit = contacts.contacted(choice, chance, profit, one_day, room)
    owner = pd.factorize(rows["owner_id"], use_na_sentinel=False)[0]
    turns_count = np.bincount(owner, weights=merit)[owner]
    drawn = (rows["flag"] == EXPLORATION).to_numpy()
    by_lot = drawn & (rows["place"].groupby(owner).rank().to_numpy() <= turns_count)
    left_count = turns_count - np.bincount(owner, weights=by_lot)[owner]
    others = contacts.wanted(choice, chance, profit) & ~drawn
    return by_lot | (others & (contacts.turns(others, chance, profit, owner) <= left_count))


def why(contact: dict[str, Any], every_days: float) -> str:
    """What a mark means, a clause; "" for a card that tells no money."""
    if "typical_eur" not in contact:
        return ""
    told = WHY[contact["aim"]].format(share=100 * contact["recall_share"])
    most = contact["contacts_per_day_count"]
    if most:
        told += f"; of these, on all lists, the {most:,.10g} a day that bring most"
    return f"{told}; none that was contacted in the last {every_days:,.10g} days"
