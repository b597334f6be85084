"""tierwise itself: the blend of its pipeline, with the same defaults on every table.

Where rows have a clock, everything it chooses (settings, weights of the blend) comes from earlier
rolls of the same protocol whose outcomes were known by then, as in compare_models. Where rows are
shuffled, folds of the known rows stand in for earlier rolls. With a single fold in time the model
stays frozen, so that what lasts longest is looked for.
"""

import os

import numpy as np
import pandas as pd
from quality_protocols import Protocol

from learners.interface import Answer, cpu_s
from tierwise import calibration, candidates, clocks, context, frozen, models, rolling
from tierwise import examples as ex

WARM_UP_ROWS, WARM_UP_ROLLS = 6000, 8  # at least so many before the first judged one
LEAST_SHARE = 0.30  # of the rows come before the first roll
FOLD_COUNT = 5


def forecast(protocol: Protocol) -> Answer:
    """Chances of all judged rows, fold by fold, and the processor seconds they took."""
    os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # one process, like the peers, and all of it counted
    started = cpu_s()
    if protocol.as_of is None:
        chances = [shuffled(protocol, *fold) for fold in protocol.folds]
        return Answer(np.concatenate(chances), cpu_s() - started, 0.0)
    features, outcome = with_context(protocol), protocol.outcome.astype(float)
    if len(protocol.folds) == 1:
        chances = lasting(protocol, features, outcome)
        return Answer(chances, cpu_s() - started, 0.0)
    periods = warm_up(protocol) + [ex.Period(None, *fold) for fold in protocol.folds]
    table = rolling.origin(features, outcome, periods, [candidates.BLEND]).table
    judged = table[table["period"] >= len(periods) - len(protocol.folds)]
    return Answer(judged[candidates.BLEND].to_numpy(), cpu_s() - started, 0.0)


def with_context(protocol: Protocol) -> pd.DataFrame:
    as_of, known_at = pd.Series(protocol.as_of), pd.Series(protocol.known_at)
    days = None if protocol.days is None else pd.Series(protocol.days)
    return protocol.columns.join(context.columns(as_of, known_at, protocol.outcome, days))


def warm_up(protocol: Protocol) -> list[ex.Period]:
    """Rolls as long as the first judged one, before it, each with what was known when it began."""
    first = protocol.folds[0].rows
    length, end = len(first), int(first.min())
    count = max(WARM_UP_ROLLS, -(-WARM_UP_ROWS // length))
    starts = [end - length * back for back in range(count, 0, -1)]
    starts = [start for start in starts if start >= LEAST_SHARE * end]
    known_at, as_of = pd.Series(protocol.known_at), protocol.as_of
    rolls = []
    for start in starts:
        known = ex.known_before(pd.DataFrame({"outcome_known_at": known_at}), as_of[start])
        rolls.append(ex.Period(None, np.flatnonzero(known), np.arange(start, start + length)))
    return rolls


def lasting(protocol: Protocol, features: pd.DataFrame, outcome: np.ndarray) -> np.ndarray:
    """Chances of one fit for all judged rows: the way that lasts longest among the known rows."""
    known, rows = protocol.folds[0]
    clock = {"as_of": protocol.as_of, "outcome_known_at": protocol.known_at}
    past = pd.DataFrame(clock).iloc[known].reset_index(drop=True)
    table, won = features.iloc[known].reset_index(drop=True), outcome[known]
    flagged = clocks.find(protocol.columns.iloc[known])
    flagged = flagged.loc[flagged["reason"] != "", "column"].tolist()
    stretches = frozen.windows(past)
    found = frozen.search(table, won, stretches, flagged)
    model = frozen.fit(found, table, won, flagged)
    calibrator = frozen.calibrate(found, won, stretches)
    return calibration.apply(calibrator, models.chance(model, features.iloc[rows]))


def shuffled(protocol: Protocol, known: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Chances of `rows` where time plays no part: weights and settings by folds of `known`."""
    folds = np.array_split(np.arange(len(known)), FOLD_COUNT)
    everyone = np.r_[known, rows]
    features = protocol.columns.iloc[everyone].reset_index(drop=True)
    outcome = protocol.outcome[everyone].astype(float)
    inside = np.arange(len(known))
    periods = [ex.Period(None, np.setdiff1d(inside, fold), fold) for fold in folds]
    table = features.iloc[inside]
    names = [candidates.BLEND]
    rolled = rolling.origin(
        table, outcome[inside], periods, names, candidates.steady(), ordered=False
    )
    chosen = (rolled.settings, rolled.of_today())
    model = rolling.fit(candidates.BLEND, table, outcome[inside], *chosen)
    return models.chance(model, features.iloc[len(known) :])
