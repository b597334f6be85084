"""What a customer did after a visit, as one score: weights that are learned, and published.

The weights are those of a logistic model of "the customer returned within its own expected gap"
(see rhythm.returned_in_own_gap) on the counts of each action. An action that is a return itself, as
booking again, must be counted before the return is looked for, or be given its weight by hand: it
would else foretell itself.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm

from tierwise.files import InputError
from tierwise.shrinkage import LEVEL

RIDGE = 1.0  # prior precision of a log odds; keeps an action that was seen once near 0
STEPS_COUNT = 50  # of Newton's method; it needs about 8
DECIMALS = 1


def learned_weights(
    actions: pd.DataFrame,
    returned: np.ndarray,
    controls: pd.DataFrame | None = None,
    given: Mapping[str, float] | None = None,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Weight of each action: index action; count, log_odds, low, high, weight (rounded), source.

    actions: counts ≥ 0, one row per visit, one column per action. returned: 0, 1, or NaN where not
    yet known; such visits are left out. controls: numbers known before the visit (log of the visit
    number, a segment), which else the actions would stand for. given: weights set by hand; such an
    action takes no part in learning. An interval that holds 0 gives the weight 0: what is not told
    from nothing must not move a provider. Raises InputError where nothing can be learned.
    """
    given = dict(given or {})
    actions = checked(actions, given)
    outcome = np.asarray(returned, dtype="float64")
    known = np.isfinite(outcome)
    if len(np.unique(outcome[known])) < 2:
        raise InputError(
            f"All {int(known.sum()):,} visits with a known outcome ended alike: there are no "
            "weights to learn. Give a longer time, or give every action its weight."
        )
    learned = [name for name in actions if name not in given]
    blocks = [np.ones((len(actions), 1)), actions[learned].to_numpy("float64")]
    blocks += [] if controls is None else [centred(controls)]
    log_odds, errors = fitted(np.hstack(blocks)[known], outcome[known])
    place = slice(1, 1 + len(learned))
    table = pd.DataFrame({"count": actions.sum()}).rename_axis("action")
    table = table.join(published(learned, log_odds[place], errors[place], level))
    for name, value in given.items():
        table.loc[name, ["weight", "source"]] = [float(value), "given"]
    return table


def published(
    names: list[str], log_odds: np.ndarray, errors: np.ndarray, level: float
) -> pd.DataFrame:
    """Learned log odds with intervals and the rounded weights, 0 where the interval holds 0."""
    wide = norm.ppf((1 + level) / 2) * errors
    columns = {"log_odds": log_odds, "low": log_odds - wide, "high": log_odds + wide}
    table = pd.DataFrame(columns, index=pd.Index(names, name="action"))
    told = (table["low"] > 0) | (table["high"] < 0)
    table["weight"] = table["log_odds"].where(told, 0.0).round(DECIMALS) + 0.0
    return table.assign(source="learned")


def checked(actions: pd.DataFrame, given: Mapping[str, float]) -> pd.DataFrame:
    """The counts. Raises InputError where one is missing or below 0, or a given one is unknown."""
    unknown = [name for name in given if name not in actions]
    if unknown:
        raise InputError(
            f"A weight is given for {unknown[0]}, which is no action here. Actions: "
            f"{', '.join(map(str, actions.columns))}."
        )
    wrong = ~(actions >= 0)
    if wrong.to_numpy().any():
        name = wrong.columns[wrong.any().to_numpy()][0]
        value = actions.loc[wrong[name], name].iloc[0]
        raise InputError(f"{name} must be a count of 0 or more, found {value}. Fill in 0.")
    return actions


def centred(controls: pd.DataFrame) -> np.ndarray:
    values = controls.to_numpy("float64")
    return values - values.mean(axis=0)


def fitted(rows: np.ndarray, outcome: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log odds and standard errors of a ridge logistic model; the first column is not held back."""
    held = np.full(rows.shape[1], RIDGE)
    held[0] = 1e-8
    at = np.zeros(rows.shape[1])
    for _ in range(STEPS_COUNT):
        chance = expit(rows @ at)
        slope = rows.T @ (outcome - chance) - held * at
        curve = (rows * (chance * (1 - chance))[:, None]).T @ rows + np.diag(held)
        step = np.linalg.solve(curve, slope)
        at = at + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < 1e-10:
            break
    return at, np.sqrt(np.diag(np.linalg.inv(curve)))


def visit_scores(actions: pd.DataFrame, weights: pd.DataFrame) -> pd.Series:
    """Score of each visit, in log odds of a return: sum of counts x published weights."""
    missing = [name for name in weights.index if name not in actions]
    if missing:
        raise InputError(f"The action {missing[0]} has a weight but no column. Add it, with 0.")
    counts = actions[list(weights.index)].to_numpy("float64")
    return pd.Series(counts @ weights["weight"].to_numpy("float64"), actions.index, name="score")
