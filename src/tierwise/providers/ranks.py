"""Four ranks of providers that change when the provider did, not when the dice fell otherwise.

Cuts come from earlier data and stay for a year. A provider without enough evidence is new. It moves
only when the chance to stand on the other side of a cut reaches 0.7; inside, it keeps its rank. A
gate (punctuality, cancellations) can hold a rank down, and lets go by the same rule. The score is
anything of which higher is better, with a standard deviation: satisfaction, or drop-out with its
sign turned.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import norm

from tierwise.files import InputError
from tierwise.shrinkage import NormalPrior

NEW = 0  # no rank yet; 1 is the lowest rank
SHARES = (0.25, 0.25, 0.25, 0.25)  # of providers in each rank when the cuts are learned
MOVE_CHANCE = 0.7
LEAST_VISITS = 15.0  # effective ones for a first rank
KEPT_VISITS = 10.0  # effective ones to keep it
MEMORY = 0.75  # what evidence is worth a quarter later
PARTS = ("level", "certainty", "cuts")  # why a chance changes


@dataclass(frozen=True)
class Gate:
    """A rule beside the score: column of the chance that it is met, best rank where it is not."""

    column: str
    best_rank: int


@dataclass(frozen=True)
class Rules:
    """cuts: ascending, one less than there are ranks."""

    cuts: tuple[float, ...]
    move_chance: float = MOVE_CHANCE
    least_visits: float = LEAST_VISITS
    kept_visits: float = KEPT_VISITS
    gates: tuple[Gate, ...] = field(default=())

    def __post_init__(self) -> None:
        if list(self.cuts) != sorted(set(self.cuts)):
            raise InputError(f"Cuts must rise, found {self.cuts}. Learn them from earlier data.")
        if not 0.5 < self.move_chance < 1:
            raise InputError(
                f"move_chance must be above 0.5 and below 1, found {self.move_chance:g}: at 0.5 "
                "ranks follow the dice. Take 0.7."
            )


def learned_cuts(estimates: pd.DataFrame, shares: Sequence[float] = SHARES) -> tuple[float, ...]:
    """Cuts that put these shares of the true scores into the ranks, the lowest first.

    estimates: mean, sd per provider, of an earlier time. The true scores are taken from everyone's
    posterior together: shrunk means lie too close, raw ones too far apart. Raises InputError where
    shares do not add up to 1 or providers cannot be told apart.
    """
    if abs(sum(shares) - 1) > 1e-9 or min(shares) <= 0:
        raise InputError(f"Shares of ranks must be above 0 and add up to 1, found {list(shares)}.")
    mean, sd = estimates["mean"].to_numpy("float64"), estimates["sd"].to_numpy("float64")
    if not (len(mean) and (sd > 0).all()):
        raise InputError(
            "Every provider needs a standard deviation above 0 to learn cuts. Leave out those "
            "without an estimate."
        )
    reach = 10 * sd.max()
    ends = (mean.min() - reach, mean.max() + reach)
    wanted = np.cumsum(shares)[:-1]
    return tuple(
        float(brentq(lambda cut, to=share: norm.cdf((cut - mean) / sd).mean() - to, *ends))
        for share in wanted
    )


def evidence_of(estimates: pd.DataFrame, prior: NormalPrior) -> pd.DataFrame:
    """value and precision of a provider's own data behind mean and sd, before shrinkage.

    Other columns stay. A provider that shows no more than the prior has precision 0 and value 0.
    """
    whole, before = 1 / estimates["sd"] ** 2, 1 / prior.sd**2
    precision = (whole - before).clip(lower=0.0)
    pulled = estimates["mean"] * whole - prior.mean * before
    value = (pulled / precision.where(precision > 0)).fillna(0.0)
    return estimates.drop(columns=["mean", "sd"]).assign(value=value, precision=precision)


def carried(before: pd.DataFrame, now: pd.DataFrame, memory: float = MEMORY) -> pd.DataFrame:
    """Evidence (value, precision, effective_visits) with what an earlier quarter is still worth.

    One row per provider of either quarter. Gates' columns are those of now.
    """
    index = before.index.union(now.index)
    old, new = before.reindex(index), now.reindex(index)
    old_weight = memory * old["precision"].fillna(0.0)
    new_weight = new["precision"].fillna(0.0)
    precision = old_weight + new_weight
    pulled = old_weight * old["value"].fillna(0.0) + new_weight * new["value"].fillna(0.0)
    visits = memory * old["effective_visits"].fillna(0.0) + new["effective_visits"].fillna(0.0)
    value = (pulled / precision.where(precision > 0)).fillna(0.0)
    return new.assign(value=value, precision=precision, effective_visits=visits)


def estimated(evidence: pd.DataFrame, prior: NormalPrior) -> pd.DataFrame:
    """mean and sd of each provider's score from its evidence and the prior; the rest stays."""
    before = 1 / prior.sd**2
    whole = evidence["precision"] + before
    mean = (evidence["value"] * evidence["precision"] + prior.mean * before) / whole
    return evidence.drop(columns=["value", "precision"]).assign(mean=mean, sd=whole**-0.5)


def assigned(
    estimates: pd.DataFrame, rules: Rules, before: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Ranks from estimates (mean, sd, effective_visits, a column per gate), index provider.

    Columns: mean, sd, effective_visits as given; chance_1 ... of each rank; merit_rank by the score
    alone; held_by, the gate that holds it down or ""; rank; rank_before. before: what this returned
    the last time. Raises InputError where a column is missing.
    """
    missing = [
        name
        for name in ("mean", "sd", "effective_visits", *(one.column for one in rules.gates))
        if name not in estimates
    ]
    if missing:
        raise InputError(f"Estimates need the column {' and '.join(missing)}.")
    above = chances_above(estimates, rules.cuts)
    found = estimates[["mean", "sd", "effective_visits"]].copy()
    whole = np.column_stack([np.ones(len(found)), above, np.zeros(len(found))])
    for rank in range(1, whole.shape[1]):
        found[f"chance_{rank}"] = whole[:, rank - 1] - whole[:, rank]
    earlier = earlier_ranks(found.index, before)
    visits = found["effective_visits"].to_numpy("float64")
    found["merit_rank"] = moved(above, visits, earlier["merit_rank"].to_numpy("int64"), rules)
    held = held_by(estimates, rules, earlier["held_by"])
    best = {gate.column: gate.best_rank for gate in rules.gates}
    limit = held.map(best).fillna(whole.shape[1] - 1).to_numpy("int64")
    found["held_by"] = held.where(found["merit_rank"] > limit, "")
    found["rank"] = np.minimum(found["merit_rank"], limit)
    found["rank_before"] = earlier["rank"]
    return found


def chances_above(estimates: pd.DataFrame, cuts: Sequence[float]) -> np.ndarray:
    """Chance that the true score is above each cut, shape (n_providers, n_cuts)."""
    mean, sd = estimates["mean"].to_numpy("float64"), estimates["sd"].to_numpy("float64")
    return norm.cdf((mean[:, None] - np.asarray(cuts)) / sd[:, None])


def earlier_ranks(index: pd.Index, before: pd.DataFrame | None) -> pd.DataFrame:
    """merit_rank, held_by and rank of the last time; NEW and "" where there was none."""
    empty = pd.DataFrame({"merit_rank": NEW, "held_by": "", "rank": NEW}, index=index)
    if before is None:
        return empty
    known = before[["merit_rank", "held_by", "rank"]].reindex(index)
    return known.where(known.notna(), empty).astype({"merit_rank": "int64", "rank": "int64"})


def moved(above: np.ndarray, visits: np.ndarray, earlier: np.ndarray, rules: Rules) -> np.ndarray:
    """The rank of each provider: as far as the chance to be past the cuts allows, else unmoved."""
    first = 1 + (above >= 0.5).sum(axis=1)
    up = 1 + (above >= rules.move_chance).sum(axis=1)
    down = 1 + (above > 1 - rules.move_chance).sum(axis=1)
    kept = np.minimum(np.maximum(earlier, up), down)
    had = earlier != NEW
    rank = np.where(had, kept, first)
    return np.where(visits >= np.where(had, rules.kept_visits, rules.least_visits), rank, NEW)


def held_by(estimates: pd.DataFrame, rules: Rules, earlier: pd.Series) -> pd.Series:
    """The strictest gate that is not met, or ""; one that held lets go at the chance of a move."""
    found = pd.Series("", index=estimates.index)
    for gate in sorted(rules.gates, key=lambda one: -one.best_rank):
        met = estimates[gate.column]
        needed = np.where(earlier == gate.column, rules.move_chance, 1 - rules.move_chance)
        found = found.where(~(met < needed), gate.column)
    return found


def projected(
    evidence: pd.DataFrame,
    recent: pd.DataFrame,
    prior: NormalPrior,
    rules: Rules,
    now: pd.DataFrame,
    memory: float = MEMORY,
) -> pd.Series:
    """The rank at the next time if the next quarter is as the recent one.

    evidence: all that counts today; recent: this quarter's part of it; now: today's ranks.
    """
    ahead = estimated(carried(evidence, recent, memory), prior)
    return assigned(ahead, rules, now)["rank"].rename("projected_rank")


def why(
    before: pd.DataFrame, now: pd.DataFrame, earlier_rules: Rules, rules: Rules
) -> pd.DataFrame:
    """Why each provider's rank changed, index provider; providers whose rank stayed are left out.

    rank_before, rank; reason: "first rank", "too little evidence", "gate", "gate met", or the
    largest of level (its own score), certainty (more or fewer visits) and cuts; cut, the number of
    the last cut it crossed; chance_before, chance of standing above it; and how far each of the
    three moved that chance, which add up to chance_now - chance_before (mean over all orders in
    which they can be exchanged: Shapley, 1953).
    """
    changed = now.index[(now["rank"] != now["rank_before"]) & now.index.isin(before.index)]
    rows = [
        one_reason(before.loc[provider], now.loc[provider], earlier_rules, rules)
        for provider in changed
    ]
    columns = ["rank_before", "rank", "reason", "cut", "chance_before", "chance_now", *PARTS]
    return pd.DataFrame(rows, index=changed, columns=columns)


def one_reason(old: pd.Series, new: pd.Series, earlier_rules: Rules, rules: Rules) -> dict:
    """One row of `why`."""
    row = {"rank_before": int(old["rank"]), "rank": int(new["rank"])}
    if NEW in row.values():
        known = row["rank"] != NEW
        return row | {"reason": "first rank" if known else "too little evidence"}
    if new["held_by"] != old["held_by"] and old["merit_rank"] == new["merit_rank"]:
        return row | {"reason": "gate" if new["held_by"] else "gate met"}
    ranks = sorted((int(old["merit_rank"]), int(new["merit_rank"])))
    cut = ranks[1] - 1 if new["merit_rank"] > old["merit_rank"] else ranks[0]
    sides = (
        (old["mean"], old["sd"], earlier_rules.cuts[cut - 1]),
        (new["mean"], new["sd"], rules.cuts[cut - 1]),
    )
    parts = contributions(*sides)
    up = 1 if row["rank"] > row["rank_before"] else -1
    reason = max(PARTS, key=lambda name: up * parts[name])
    ends = {"chance_before": chance_past(*sides[0]), "chance_now": chance_past(*sides[1])}
    return row | {"reason": reason, "cut": cut} | ends | parts


def chance_past(mean: float, sd: float, cut: float) -> float:
    return float(norm.cdf((mean - cut) / sd))


def contributions(old: tuple[float, ...], new: tuple[float, ...]) -> dict[str, float]:
    """How far each of mean, sd and cut moved the chance, over all orders of exchanging them."""
    parts = dict.fromkeys(PARTS, 0.0)
    orders = list(permutations(range(len(PARTS))))
    for order in orders:
        at = list(old)
        for place in order:
            before = chance_past(*at)
            at[place] = new[place]
            parts[PARTS[place]] += (chance_past(*at) - before) / len(orders)
    return parts
