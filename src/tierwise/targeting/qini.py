"""How well a score finds those whom a treatment changes: the Qini curve and what lies under it.

Rows are sorted by score, highest first, and treated down to a depth phi, a share of all rows:

    gain(phi)    (Y_t - Y_c x N_t / N_c) / N    outcomes that treating them has added, per head of
                 all N rows; Y sums outcomes and N_t, N_c count rows of each arm among the first
                 phi N. Where no control row is among them, Y_c x N_t / N_c is 0
    random       a straight line from 0 to gain(1): what any lot would give
    qini         the area between the two, phi from 0 to 1: 0 for a constant score, below for a
                 score that is worse than none
    auuc         the area under phi x (Y_t / N_t - Y_c / N_c), the gain if everybody down to phi
                 were treated; random has half the effect
    uplift       Y_t / N_t - Y_c / N_c among the highest-scored share

Radcliffe (2007, Using control groups to target on predicted lift, Direct Marketing Analytics
Journal) draws this curve; Gutierrez and Gerardy (2017, PMLR 67) compare it with the other. With
equal arms gain per head is half the gain per treated head, and so is qini.

Rows of one score come in no order: the curve is straight across them. So only the order of the
scores counts, a constant score is random, and no score wins by the order of the file.
"""

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.targeting.effects import checked


def curve(
    score: np.ndarray, treated: np.ndarray, outcome: np.ndarray, weight: np.ndarray | None = None
) -> pd.DataFrame:
    """depth_share, gain, random, effect: a row at 0 and one per score, depth ascending.

    effect: Y_t / N_t - Y_c / N_c down to there (NaN without one of the arms). weight: how often
    each row counts. Shapes (n,).
    """
    y, w = checked(outcome, treated)
    sums = summed(ties(score), w, y, np.ones(len(y)) if weight is None else weight)
    depth, gain = gains(*sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        effect = np.r_[np.nan, sums[2] / sums[0] - sums[3] / sums[1]]
    table = {"depth_share": depth, "gain": gain, "random": depth * gain[-1], "effect": effect}
    return pd.DataFrame(table)


def qini(
    score: np.ndarray, treated: np.ndarray, outcome: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Area between the curve and the straight line, in outcomes per head; see the module."""
    y, w = checked(outcome, treated)
    depth, gain = gains(*summed(ties(score), w, y, np.ones(len(y)) if weight is None else weight))
    return float(np.trapezoid(gain - depth * gain[-1], depth))


def auuc(score: np.ndarray, treated: np.ndarray, outcome: np.ndarray) -> float:
    """Area under depth x effect, where the mean of an arm that is not there yet counts as 0.

    Not less its random line: a constant score has half the effect.
    """
    y, w = checked(outcome, treated)
    n_t, n_c, y_t, y_c = summed(ties(score), w, y, np.ones(len(y)))
    effect = share_of(y_t, n_t) - share_of(y_c, n_c)
    depth = np.r_[0.0, (n_t + n_c) / len(y)]
    return float(np.trapezoid(depth * np.r_[0.0, effect], depth))


def uplift_on_top(
    score: np.ndarray,
    treated: np.ndarray,
    outcome: np.ndarray,
    share: float,
    weight: np.ndarray | None = None,
) -> float:
    """Effect among the `share` (0 to 1) of rows with the highest scores; NaN without an arm there.

    Of rows that tie across the edge, as large a part counts as fits.
    """
    if not 0 < share <= 1:
        raise InputError(f"A share of rows lies between 0 and 1; it is {share:g}.")
    y, w = checked(outcome, treated)
    sums = summed(ties(score), w, y, np.ones(len(y)) if weight is None else weight)
    depth = np.r_[0.0, sums[0] + sums[1]]
    at = [float(np.interp(share * depth[-1], depth, np.r_[0.0, part])) for part in sums]
    return at[2] / at[0] - at[3] / at[1] if at[0] > 0 and at[1] > 0 else float("nan")


def highest(treated: np.ndarray, outcome: np.ndarray) -> float:
    """The largest qini that any order of these rows has; outcomes are 0 and 1.

    Those treated who came, those of the control who didn't, those treated who didn't, and those
    of the control who came anyway. No score can know that: it is an end of the scale and no aim.
    """
    y, w = checked(outcome, treated)
    if not set(np.unique(y)) <= {0.0, 1.0}:
        raise InputError("The best order is known for outcomes of 0 and 1 only.")
    return qini(2.0 * (y == w) + w, w, y)


def ties(score: np.ndarray) -> np.ndarray:
    """Place of each row's score among the different ones, 0 for the highest, shape (n,)."""
    values = np.asarray(score, dtype="float64")
    if not np.isfinite(values).all():
        raise InputError("A score is missing or infinite; every row needs one to be ranked.")
    return np.unique(-values, return_inverse=True)[1]


def summed(
    place: np.ndarray, treated: np.ndarray, outcome: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """N_t, N_c, Y_t, Y_c down to each place, shape (places,)."""
    size = int(place.max()) + 1 if len(place) else 0
    parts = []
    for values in (weight, weight * outcome):
        for arm in (treated, ~treated):
            parts.append(np.cumsum(np.bincount(place[arm], values[arm], size)))
    return parts[0], parts[1], parts[2], parts[3]


def gains(
    treated: np.ndarray, control: np.ndarray, outcome: np.ndarray, control_outcome: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """depth and gain per head from the sums, each with a 0 in front, shape (places + 1,)."""
    everybody = float(treated[-1] + control[-1])
    ratio = share_of(treated, control)
    depth = np.r_[0.0, (treated + control) / everybody]
    return depth, np.r_[0.0, (outcome - control_outcome * ratio) / everybody]


def share_of(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
