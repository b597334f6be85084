"""Cases that have ended beside cases still open at the same time: the leak guard's other half.

An export shows every column as it is today. A field that is written when a case ends is filled for
the ended ones and empty for the open ones, and so gives itself away. But open cases are the
younger ones, too: a form that was introduced last month looks just like that. So each open case is
put beside the ended ones nearest to it in time, and the guard compares inside ten short stretches.

Worked example, cases by as-of time, E ended before the judged span began, o still open today:

    E E E E E E E E E o E E E o E o E o o o o
            1 2 3 4 5   1 2 3   4   5            the first o is put beside five E on either side
                                      - - - -    no E came later: these are left out

What remains: at one age, those still open are the slow ones. A column that honestly tells slow
cases from quick ones does so here as well, which is why the guard's limits are wide. And a field
that sales fills on the way, not at the end, is filled for the slow ones as for the others.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise import leakage

NEIGHBOURS_COUNT = 5
WHO = ["as_of", "entity_id"]


def compared(
    audit: pd.DataFrame,
    examples: pd.DataFrame,
    columns: pd.DataFrame,
    open_rows: tuple[pd.DataFrame, pd.DataFrame] | None,
    guard: dict[str, float] = leakage.OPEN_GUARD,
    dated: Collection[str] = (),
) -> pd.DataFrame:
    """The audit with what open cases say beside it, before `leakage.decide`.

    examples, columns, open_rows: see `beside`. Two columns more, see `leakage.against_open`:
    open_auc_in_period and open_gap_share, NaN for columns that open_rows lacks. A reason that
    stands there stays.
    """
    who, said = beside(examples, columns, open_rows)
    is_open = who["is_open"].to_numpy(dtype=bool)
    against = leakage.against_open(said, is_open, guard, who["entity_id"], dated)
    return leakage.with_open(audit, against)


def beside(
    examples: pd.DataFrame,
    columns: pd.DataFrame,
    open_rows: tuple[pd.DataFrame, pd.DataFrame] | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ended and open cases of the same time, in time order: who they are, and their columns.

    examples, columns: the same decided rows, before the judged span only. open_rows: what the
    application's function of that name returns; its columns are compared, which may be fewer. A
    row that stands on both sides is open; rows of one entity that say the same count once, as the
    earliest. who: as_of, entity_id, is_open. No row comes back where nothing is open.
    """
    if open_rows is None:
        return examples[WHO].head(0).assign(is_open=False), columns.head(0)
    still, of_open = open_rows
    names = [name for name in columns if name in of_open]
    sides = [still[WHO].assign(is_open=True), examples[WHO].assign(is_open=False)]
    who = pd.concat(sides, ignore_index=True)
    who = ex.in_order(who.assign(row=np.arange(len(who))).drop_duplicates(WHO))
    said = pd.concat([of_open[names], columns[names]], ignore_index=True).iloc[who.pop("row")]
    said = said.reset_index(drop=True)
    parts = pd.concat([who[["entity_id", "is_open"]], said], axis=1)
    once = ~parts.set_axis(range(parts.shape[1]), axis=1).duplicated().to_numpy()
    once[once] = has_partner(who["is_open"].to_numpy()[once])
    return who[once].reset_index(drop=True), said[once].reset_index(drop=True)


def has_partner(is_open: np.ndarray) -> np.ndarray:
    """Mask of the open rows with an ended one on either side, and of the ended rows next to them.

    is_open: bool in time order, shape (n,). Next to: among the five before or the five after.
    """
    rank = np.cumsum(~is_open)  # how many ended rows came up to here
    inside = is_open & (rank > 0) & (rank < rank[-1:])
    change = np.zeros((~is_open).sum() + 1, dtype=int)
    np.add.at(change, np.maximum(rank[inside] - NEIGHBOURS_COUNT, 0), 1)
    np.add.at(change, np.minimum(rank[inside] + NEIGHBOURS_COUNT, len(change) - 1), -1)
    kept = inside.copy()
    kept[~is_open] = np.cumsum(change)[:-1] > 0
    return kept


def sentence(who: pd.DataFrame) -> str:
    """How many cases of either kind were compared, for the page. who: from `beside`."""
    still = int(who["is_open"].sum())
    ended = len(who) - still
    if not still:
        return "No open case is as old as one that has ended, so the two kinds can't be compared."
    counts = f"{still:,} open cases and {ended:,} ended ones of the same time"
    if min(still, ended) < leakage.OPEN_MIN_COUNT:
        least = leakage.OPEN_MIN_COUNT
        return f"There are only {counts}: with fewer than {least} of a kind nothing is refused."
    return f"Compared were {counts}."
