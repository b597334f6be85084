"""Which score to use: the one-line rule, unless another is clearly ahead of it on past rows.

Candidates learn from a part of the past rows and are judged on the rest, and the other way round,
a few times over. A challenger replaces the rule only if the interval of its lead leaves out zero,
made wide enough for the number of challengers (Bonferroni): the best of ten is ahead by luck. So in
doubt the rule stays, and where it is a tie it should: it can be explained in one line.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.targeting import judged
from tierwise.targeting.effects import LEVEL
from tierwise.targeting.learners import CANDIDATES, Learner, Past, Score, folds

RULE = "rule"


@dataclass(frozen=True)
class Chosen:
    """name and score of the winner, learned from all past rows; table: of `judged.over_splits`."""

    name: str
    score: Score
    table: pd.DataFrame


def splits(
    given: Past,
    candidates: Mapping[str, Learner] = CANDIDATES,
    repeats_count: int = 3,
    seed: int = 0,
) -> list[judged.Split]:
    """Halves scored by what the other half taught, twice per repeat; clusters stay whole."""
    found = []
    for repeat in range(repeats_count):
        half = folds(given, 2, seed + repeat)
        for number in (0, 1):
            here, taught = (
                np.flatnonzero(half == number),
                given.rows(np.flatnonzero(half != number)),
            )
            rows = given.features.iloc[here]
            scores = {name: learner(taught)(rows) for name, learner in candidates.items()}
            found.append(judged.Split(here, scores))
    return found


def choose(
    given: Past,
    candidates: Mapping[str, Learner] = CANDIDATES,
    repeats_count: int = 3,
    level: float = LEVEL,
    top_share: float = judged.TOP_SHARE,
) -> Chosen:
    """The winner by Qini on past rows alone; later rows are for judging it.

    Raises InputError where no candidate is called "rule": something simple has to be beaten.
    """
    if RULE not in candidates:
        raise InputError(f"One candidate must be {RULE!r}; there are {list(candidates)}.")
    every = splits(given, candidates, repeats_count)
    strict = 1 - (1 - level) / max(1, len(candidates) - 1)
    table = judged.over_splits(
        every, given.treated, given.outcome, RULE, given.cluster, top_share, strict
    )
    ahead = table[(table["ahead_low"] > 0) & (table["ranker"] != RULE)]
    name = RULE if ahead.empty else str(ahead.loc[ahead["qini"].idxmax(), "ranker"])
    return Chosen(name, candidates[name](given), table)


def as_learner(repeats_count: int = 1) -> Learner:
    """The choice itself as a learner, to be judged on rows that it has not seen."""
    return lambda given: choose(given, repeats_count=repeats_count).score


def sentence(chosen: Chosen) -> str:
    """What was chosen, and by how much the best challenger is ahead, per 1,000 people."""
    rest = chosen.table[chosen.table["ranker"] != RULE]
    if rest.empty:
        return "There is the rule alone."
    best = rest.loc[rest["qini"].idxmax()]
    lead = (
        f"{spoken(best['ranker'])} is {1000 * best['ahead']:+.2g} outcomes per 1,000 people ahead "
        f"of the rule ({1000 * best['ahead_low']:+.2g} to {1000 * best['ahead_high']:+.2g})"
    )
    if chosen.name == RULE:
        return f"The one-line rule stays: {lead}, which may be luck."
    return f"{spoken(chosen.name)} replaces the one-line rule: {lead}."


def spoken(name: str) -> str:
    return name.replace("_", " ")
