"""What would tiers convert at if nobody had followed them? Rows counted by how likely they were.

Representatives work on what stands first. So the deals that were worked on are the ones with high
chances, and work itself wins deals: tier A looks better, and tier C worse, than a queue without
order would show. Two ways out, both need deals whose place was drawn by lot (exploration.py):

    explored       those deals alone: their place has nothing to do with their score
    reweighted     all deals, each counting 1 / propensity if it was worked on (Horvitz and Thompson
                   1952, Journal of the American Statistical Association 47)

    rows           one a deal: outcome, tier, chance, flag, propensity and worked, a mask: had the
                   deal one of the places that are worked on? Nobody of the holdout.
    propensity     the chance of having such a place, as it was when the list was made

What is estimated is the effect of the place that was drawn. If a deal is drawn anew each day and
decided after weeks, its other days followed the tiers: draw for as long as outcomes take.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise import reliability
from tierwise.draws import Draws, interval, ratio
from tierwise.evaluation import wilson
from tierwise.files import InputError
from tierwise.promises_kept import drawn
from tierwise.tiers import rate_interval

EVERYBODY = "all"
EXPLORED = "exploration"
FORMATS = dict.fromkeys(["chance", "plain_rate", "ips_rate", "rate"], "share")
FORMATS |= dict.fromkeys(["plain_interval", "ips_interval", "interval"], "share")

FORMATS_TOLD = dict.fromkeys(["chance", "rate", "interval"], "share") | {"effective_count": "count"}


@dataclass(frozen=True)
class Weighed(Draws):
    """Draws in which a row counts as often as it was drawn, times its own weight, shape (n,)."""

    row_weight: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        return super().sums(values * self.row_weight)


def weighed(draws: Draws, weight: np.ndarray) -> Weighed:
    """draws: of the same rows."""
    return Weighed(draws.week, draws.owner, draws.week_count, draws.owner_count, weight)


def if_worked(rows: pd.DataFrame) -> np.ndarray:
    """Weights under which the deals worked on stand for all deals, shape (n,): 1 / p, else 0."""
    worked, p = parts(rows)
    return np.where(worked, 1 / p, 0.0)


def if_by_lot(rows: pd.DataFrame, room_share: float) -> np.ndarray:
    """Weights under which all deals stand for a queue without order, shape (n,).

    As if each had been worked on with the chance `room_share`, whatever its score: m / p for those
    worked on, (1 - m) / (1 - p) for the others. 0 where p = 1: of such a deal nobody knows what
    would come of it if it were left alone, so it is left out.
    """
    worked, p = parts(rows)
    left_alone = np.divide(1 - room_share, 1 - p, out=np.zeros(len(p)), where=p < 1)
    return np.where(p < 1, np.where(worked, room_share / p, left_alone), 0.0)


def parts(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """worked and propensity, shapes (n,). Raises InputError where one is none."""
    worked, p = rows["worked"].to_numpy(dtype=bool), rows["propensity"].to_numpy(dtype=float)
    wrong = ~((p > 0) & (p <= 1))
    if wrong.any():
        raise InputError(
            f"Every deal needs a propensity above 0 and at most 1; {int(wrong.sum()):,} of "
            f"{len(p):,} have none, such as {p[wrong][0]}. Leave the holdout out, and set an "
            "exploration_share above 0."
        )
    return worked, p


def estimates(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Share of wins if every deal were worked on: by tier, and of all. rows: ascending scored_at.

    Columns: name, count (deals), worked_count, chance (mean of all deals), plain_rate and
    plain_interval (of those worked on, as they come); ips_rate, ips_interval (sum of outcome /
    propensity over all deals, can leave 0 to 1); rate, interval (self-normalised: over the sum of
    1 / propensity; Hajek 1971), effective_count (Kish 1965: how many rows of equal weight say as
    much). 95 % intervals from weeks, and owners, drawn again; None and [0, 1] where nobody was.
    """
    weight, draws = if_worked(rows), drawn(rows)
    tier, found = rows["tier"].to_numpy(), []
    for name in [*names, EVERYBODY]:
        inside = (tier == name) | (name == EVERYBODY)
        found.append({"name": name} | estimate(rows, inside, weight, draws))
    return pd.DataFrame(found)


def told(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """`estimates` of all that were not held out, for a reader; empty where no place was drawn."""
    queue = rows[rows["flag"] != "holdout"].reset_index(drop=True)
    columns = ["name", "count", "worked_count", "chance", "rate", "interval", "effective_count"]
    if not (queue["propensity"] > 0).all() or not (queue["flag"] == EXPLORED).any():
        return pd.DataFrame(columns=columns)
    return estimates(queue, names)[columns]


def estimate(
    rows: pd.DataFrame, inside: np.ndarray, weight: np.ndarray, draws: Draws
) -> dict[str, object]:
    """A row of `estimates`. inside: mask (n,); weight: of `if_worked`."""
    won, worked = rows["outcome"].to_numpy(dtype=float), weight > 0
    both, mine = inside & worked, weighed(draws, weight)
    count, seen = int(inside.sum()), int(both.sum())
    chance = rows["chance"].to_numpy()[inside].mean() if count else None
    found = {"count": count, "worked_count": seen, "chance": chance, "plain_rate": None}
    found |= {"plain_interval": [0.0, 1.0], "ips_rate": None, "ips_interval": [0.0, 1.0]}
    found |= {"rate": None, "interval": [0.0, 1.0], "effective_count": 0.0}
    if not seen:
        return found
    once = weight[both].sum() ** 2 / (weight[both] ** 2).sum()
    found |= {"effective_count": float(once), "plain_rate": float(won[both].mean())}
    found |= {"plain_interval": rate_interval(won, both, draws)}

    def ips(part: Draws) -> np.ndarray:
        return ratio(part.sums(won * weight * inside), part.sums(inside))

    def normalised(part: Draws) -> np.ndarray:
        return part.mean(won, inside)

    found |= {"ips_rate": float(ips(draws.as_seen())[0])}
    found |= {"ips_interval": interval(draws, ips, 0.0, np.inf)}
    rate = float(normalised(mine.as_seen())[0])
    if rate in (0.0, 1.0):  # rows drawn again would all agree, however few they are
        return found | {"rate": rate, "interval": wilson(rate * once, once)}
    return found | {"rate": rate, "interval": interval(mine, normalised)}


def calibration(rows: pd.DataFrame, room_share: float) -> pd.DataFrame:
    """Level, intercept and slope of the chances in three ways, see `reliability.level_and_slope`.

    plain: all deals as the tiers sent people to them; explored: those whose place was drawn alone;
    reweighted: all, as if every place had been drawn. A model that learned before anybody followed
    its tiers is right by the latter two, and no longer by the first. rows: ascending scored_at.
    room_share: how much of a queue is worked on. A column `way` stands before the others.
    """
    explored = rows[rows["flag"] == EXPLORED].reset_index(drop=True)
    everyone = drawn(rows)
    ways = {
        "plain": (rows, everyone),
        "explored": (explored, drawn(explored)),
        "reweighted": (rows, weighed(everyone, if_by_lot(rows, room_share))),
    }
    tables = []
    for way, (judged, draws) in ways.items():
        outcome, chance = judged["outcome"].to_numpy(dtype=float), judged["chance"].to_numpy()
        table = reliability.level_and_slope(outcome, chance, draws)
        table.insert(0, "way", way)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
