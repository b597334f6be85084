"""Segments over time: labels that hold still, and people who move only when they have changed.

Two things make people seem to move: segments found anew get other numbers and other borders, and
what is measured of a person in a month scatters. Against the first, new segments take the labels of
the earlier ones that they share people with; against the second, a person stays until the chance of
another segment is high.
"""

from collections.abc import Hashable
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from tierwise.evaluation import wilson
from tierwise.files import InputError
from tierwise.segments.find import BETWEEN, LEAST_CHANCE, Segmentation

MOVE_CHANCE = 0.7
LEAST_OVERLAP = 0.5  # Jaccard index of a new segment with the earlier one whose label it takes
JOINED, LEFT = "joined", "left"


def matched(
    before: pd.Series, now: pd.Series, least_overlap: float = LEAST_OVERLAP
) -> pd.DataFrame:
    """Which earlier segment each new one continues, by the people who are in both.

    before, now: segment by person (0, between, counts for neither), index person. Rows: the new
    segments, ascending. Columns: segment; earlier, missing where it continues none; overlap, the
    Jaccard index among people known both times; label, that of the earlier one or the next free
    number. The pairs overlap most in sum (Kuhn 1955). Raises InputError where nobody is in both.
    """
    both = pd.concat([before.rename("before"), now.rename("now")], axis=1, join="inner")
    if both.empty:
        raise InputError(
            "Nobody is in the earlier and in the new segments. Compare the same people."
        )
    both = both[(both != BETWEEN).all(axis=1)]
    names = np.array(sorted(set(now) - {BETWEEN}), dtype="int64")
    earlier = np.array(sorted(set(before) - {BETWEEN}), dtype="int64")
    shared = pd.crosstab(both["now"], both["before"]).reindex(
        index=names, columns=earlier, fill_value=0
    )
    count = shared.to_numpy("float64")
    either = count.sum(axis=1, keepdims=True) + count.sum(axis=0, keepdims=True) - count
    overlap = np.divide(count, either, out=np.zeros_like(count), where=either > 0)
    rows, columns = linear_sum_assignment(-overlap)
    pairs = {
        int(names[row]): (int(earlier[column]), float(overlap[row, column]))
        for row, column in zip(rows, columns, strict=True)
        if overlap[row, column] >= least_overlap
    }
    free = iter(range(int(earlier.max(initial=0)) + 1, 10**6))
    labels = [pairs[name][0] if name in pairs else next(free) for name in names.tolist()]
    return pd.DataFrame(
        {
            "segment": names,
            "earlier": pd.array([pairs.get(name, (None,))[0] for name in names], "Int64"),
            "overlap": [pairs.get(name, (None, np.nan))[1] for name in names.tolist()],
            "label": labels,
        }
    )


def relabelled(segmentation: Segmentation, match: pd.DataFrame) -> Segmentation:
    """The same segments under the labels of `matched`."""
    label = dict(zip(match["segment"], match["label"], strict=True))
    free = iter(range(max([*label.values(), *segmentation.labels]) + 1, 10**6))
    labels = tuple(int(label.get(old) or next(free)) for old in segmentation.labels)
    return replace(segmentation, labels=labels)


def held(
    chance: pd.DataFrame,
    before: pd.Series | None = None,
    move_chance: float = MOVE_CHANCE,
    least_chance: float = LEAST_CHANCE,
) -> pd.DataFrame:
    """The segment of each person, who stays in the earlier one unless another is likely enough.

    chance: of `find.chances`. before: segment of the last time by person. Columns: segment,
    likeliest, chance (of the segment; of the likeliest where between), before (missing for people
    who are new). A person without a segment gets the likeliest one from `least_chance` on; one
    whose segment no longer exists counts as without. Raises InputError for a move_chance of 0.5 or
    less, at which people would follow the dice.
    """
    if not 0.5 < move_chance < 1:
        raise InputError(
            f"move_chance must be above 0.5 and below 1, found {move_chance:g}. Take {MOVE_CHANCE}."
        )
    likeliest = chance.idxmax(axis=1).astype("int64")
    top = chance.max(axis=1)
    earlier = pd.Series(pd.NA, chance.index, dtype="Int64")
    if before is not None:
        earlier = before.reindex(chance.index).astype("Int64")
    had = earlier.isin(chance.columns).to_numpy()
    stays = had & (top < move_chance).to_numpy()
    fresh = likeliest.where(had | (top >= least_chance).to_numpy(), BETWEEN)
    segment = earlier.where(stays, fresh).astype("int64")
    place = chance.columns.get_indexer(segment)
    own = np.where(place >= 0, chance.to_numpy()[np.arange(len(chance)), place], top)
    return pd.DataFrame(
        {"segment": segment, "likeliest": likeliest, "chance": own, "before": earlier}
    )


def moves(before: pd.Series, now: pd.Series) -> pd.DataFrame:
    """Who went where: a row per pair of segments that anybody has, from before to now.

    Columns: before, now (labels as text; "joined" for people who were not there, "left" for those
    who are gone), people_count, share (of the people of `before`), interval (95 %, Wilson).
    """
    both = pd.concat([before.rename("before"), now.rename("now")], axis=1)
    both["before"] = spoken(both["before"], JOINED)
    both["now"] = spoken(both["now"], LEFT)
    table = both.value_counts().rename("people_count").reset_index()
    table = table.sort_values(["before", "now"], ignore_index=True)
    whole = table.groupby("before")["people_count"].transform("sum")
    table["share"] = table["people_count"] / whole
    pairs = zip(table["people_count"], whole, strict=True)
    table["interval"] = [wilson(count, total) for count, total in pairs]
    return table


def spoken(segment: pd.Series, missing: str) -> pd.Series:
    """Labels as text: "1", "between", or why there is none."""
    number = segment.astype("Int64")
    text = number.astype("string").where(number != BETWEEN, "between")
    return text.where(number.notna(), missing).astype("object")


def matrix(moves: pd.DataFrame) -> pd.DataFrame:
    """The shares of `moves` as a table, before down and now across; 0 where nobody went."""
    table = moves.pivot(index="before", columns="now", values="share").fillna(0.0)
    return table.rename_axis(index="before", columns=None)


def moved(before: pd.Series, now: pd.Series) -> dict[str, Hashable]:
    """Of the people who are there both times: people_count, moved_count, moved_share, interval.

    Into the space between segments and out of it counts as a move.
    """
    both = pd.concat([before, now], axis=1, join="inner").dropna()
    count = len(both)
    changed = int((both.iloc[:, 0] != both.iloc[:, 1]).sum())
    share = changed / count if count else float("nan")
    low, high = wilson(changed, count)
    return {
        "people_count": count,
        "moved_count": changed,
        "moved_share": share,
        "interval": (low, high),
    }
