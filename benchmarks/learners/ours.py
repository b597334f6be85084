"""tierwise itself: the blend of its pipeline, with the same defaults on every table.

Where rows have a clock, everything it chooses (settings, weights of the blend) comes from earlier
rolls of the same protocol whose outcomes were known by then, as in compare_models. Where rows are
shuffled, folds of the known rows stand in for earlier rolls. With a single fold in time the model
stays frozen, and is chosen as `use: frozen` chooses it.
"""

import os

import numpy as np
import pandas as pd
from quality_protocols import Protocol
from scipy.stats import rankdata

from learners.interface import Answer, cpu_s
from tierwise import (
    calibration,
    candidates,
    clocks,
    context,
    frozen,
    models,
    rolling,
    row_weights,
    value_rates,
)
from tierwise import examples as ex

WARM_UP_ROWS, WARM_UP_ROLLS = 6000, 8  # at least so many before the first judged one
LEAST_SHARE = 0.30  # of the rows come before the first roll
FOLD_COUNT = 5
CRM = "world"  # rows of CRM tables are scored every hour, without rates of values
TIE_CHANCE = 1e-5  # small beside any chance, large beside what nine digits on disk tell apart
PERIOD_COUNT, HISTORY_SHARE, TOLERANCE_LOG_LOSS = 8, 0.40, 0.001  # the defaults of params.yaml


def forecast(protocol: Protocol) -> Answer:
    """Chances of all judged rows, fold by fold, and the processor seconds they took."""
    os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # one process, like the peers, and all of it counted
    started = cpu_s()
    if protocol.as_of is None:
        answers = [shuffled(protocol, *fold) for fold in protocol.folds]
        chances = np.concatenate([answer.chances for answer in answers])
        predict_s = sum(answer.predict_cpu_s for answer in answers)
        return Answer(chances, cpu_s() - started - predict_s, predict_s)
    features, outcome = with_context(protocol), protocol.outcome.astype(float)
    if len(protocol.folds) == 1:
        answer = lasting(protocol, features, outcome)
        return answer._replace(fit_cpu_s=cpu_s() - started - answer.predict_cpu_s)
    periods = warm_up(protocol) + [period(protocol, *fold) for fold in protocol.folds]
    rolled = rolling.origin(features, outcome, periods, [candidates.BLEND])
    table, fitted_s = rolled.table, cpu_s() - started
    judged = table[table["period"] >= len(periods) - len(protocol.folds)]
    predict_s = asked_again(rolled, features, outcome, periods[-len(protocol.folds) :])
    return Answer(judged[candidates.BLEND].to_numpy(), fitted_s, predict_s)


def asked_again(
    rolled: rolling.Rolled, features: pd.DataFrame, outcome: np.ndarray, periods: list[ex.Period]
) -> float:
    """Processor seconds of the last period's blend for the rows of each period in turn.

    Rolls judge several settings on every fit, so what chances alone cost is measured afterwards.
    """
    known = periods[-1].known
    learned = features.iloc[known], outcome[known]
    model = rolling.fit(candidates.BLEND, *learned, rolled.settings, rolled.of_today())
    started = cpu_s()
    for each in periods:
        models.chance(model, features.iloc[each.rows])
    return cpu_s() - started


def period(protocol: Protocol, known: np.ndarray, rows: np.ndarray) -> ex.Period:
    """With the known rows in the order in which their outcomes became known, where there is one."""
    if protocol.known_at is None:
        return ex.Period(None, known, rows)
    return ex.Period(None, row_weights.as_known(pd.Series(protocol.known_at), known), rows)


def with_context(protocol: Protocol) -> pd.DataFrame:
    """Columns and what the times are like, as `around` of the application adds it."""
    as_of, known_at = pd.Series(protocol.as_of), pd.Series(protocol.known_at)
    days = None if protocol.days is None else pd.Series(protocol.days)
    found = protocol.columns.join(context.columns(as_of, known_at, protocol.outcome, days))
    if protocol.data == CRM:
        return found
    return found.join(value_rates.columns(protocol.columns, as_of, known_at, protocol.outcome))


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
        rows = np.arange(start, start + length)
        rolls.append(period(protocol, np.flatnonzero(known), rows))
    return rolls


def lasting(protocol: Protocol, features: pd.DataFrame, outcome: np.ndarray) -> Answer:
    """Chances of one fit for all judged rows, as `use: frozen` makes them from the known rows.

    With the way that was chosen, in words; seconds of fits are left to the caller.
    """
    known, rows = protocol.folds[0]
    clock = {"as_of": protocol.as_of, "outcome_known_at": protocol.known_at}
    past = pd.DataFrame(clock).iloc[known].reset_index(drop=True)
    table, won = features.iloc[known].reset_index(drop=True), outcome[known]
    flagged = clocks.find(protocol.columns.iloc[known])
    flagged = flagged.loc[flagged["reason"] != "", "column"].tolist()
    stretches = frozen.windows(past)
    found = frozen.search(table, won, stretches, flagged)
    names, table = frozen.applied("frozen", candidates.names([], table), table, found, flagged)
    periods = ex.by_period(past, PERIOD_COUNT, HISTORY_SHARE)
    rolled = rolling.origin(table, won, periods, names, frozen.searched("frozen"), held=True)
    late_last = row_weights.as_known(past["outcome_known_at"])
    learned = table.iloc[late_last], won[late_last]
    model = rolling.fit(names[-1], *learned, rolled.settings, rolled.of_today())
    unseen = frozen.unseen("frozen", rolled, found, won, stretches)
    known_at = past["outcome_known_at"].iloc[unseen["row"]]
    unseen = unseen.iloc[row_weights.latest_last(known_at, unseen["row"])]
    calibrator = corrected(unseen, names[-1], len(rows))
    started = cpu_s()
    score = models.chance(model, features.iloc[rows])
    chances = ties_broken(calibration.apply(calibrator, score), score)
    way = told(names[-1], found, calibrator["method"])
    return Answer(chances, 0.0, cpu_s() - started, way)


def told(candidate: str, found: pd.DataFrame, method: str) -> str:
    """The way in words. found: of `frozen.search`."""
    columns = found["columns"].iloc[0] if len(found) else frozen.EVERY
    return f"{candidate} on {columns}, chances corrected by {method}".replace("_", " ")


def ties_broken(chance: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Chances of equal size in the order of their scores, by less than 0.00001.

    Lists are in the order of the score. A correction in steps gives many rows one chance, and who
    ranks by that alone would judge an order that nobody gets to see.
    """
    share = rankdata(score) / len(score)
    return np.clip(chance, 0, 1 - TIE_CHANCE) + TIE_CHANCE * share


def corrected(table: pd.DataFrame, name: str, later_count: int) -> calibration.Calibrator:
    """The correction that past periods choose for so many later rows, as in select_threshold."""
    past = [table[column].to_numpy() for column in (name, "outcome", "period", "known_from")]
    age = calibration.usual_age(later_count, past[2])
    compared = calibration.compare(*past, age_count=age)
    method = calibration.choose(compared, TOLERANCE_LOG_LOSS)
    return calibration.fit(method, past[0], past[1])


def shuffled(protocol: Protocol, known: np.ndarray, rows: np.ndarray) -> Answer:
    """Chances of `rows` where time plays no part: weights and settings by folds of `known`.

    Seconds of fits are left to the caller.
    """
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
    started = cpu_s()
    return Answer(models.chance(model, features.iloc[len(known) :]), 0.0, cpu_s() - started)
