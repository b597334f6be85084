"""From score to chance: what a model believes, corrected by what then happened.

Every method is one piecewise linear map on log-odds, so that it fits in a card, in ONNX and in
any other language:

    z = log(p / (1 - p))
    corrected z = intercept + slope * z + sum_k change_k * max(0, z - knot_k)

    none       intercept 0, slope 1
    prior      slope 1, intercept moved until the mean chance is the recent share of wins
               (a shift of log-odds: the prior correction for a changed base rate)
    sigmoid    intercept and slope by maximum likelihood (Platt 1999, on log-odds)
    isotonic   pool-adjacent-violators (Zadrozny and Elkan 2002), joined between the middles of
               its steps, so that no jump is left for float32 to fall on either side of
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from tierwise.evaluation import measures

METHODS = ("none", "prior", "sigmoid", "isotonic")
CHANCE_FLOOR = 1e-6
ISOTONIC_MIN_ROWS = 50

Calibrator = dict[str, Any]


def log_odds(score: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)) with p kept within [1e-6, 1 - 1e-6]."""
    return logit(np.clip(np.asarray(score, dtype=float), CHANCE_FLOOR, 1 - CHANCE_FLOOR))


def straight(method: str, intercept: float, slope: float) -> Calibrator:
    return {
        "method": method, "intercept": intercept, "slope": slope, "knots": [], "changes": []
    }  # fmt: skip


def fit(method: str, score: np.ndarray, outcome: np.ndarray) -> Calibrator:
    """Fit one method. score: shape (n,), the model's own chances; outcome: 0 or 1.

    With one class only, `sigmoid` moves the level and leaves the slope.
    """
    if method == "none":
        return straight(method, 0.0, 1.0)
    if method == "prior":
        return straight(method, prior_shift(score, outcome), 1.0)
    if method == "sigmoid" and len(np.unique(outcome)) == 1:
        return straight(method, prior_shift(score, outcome), 1.0)
    if method == "sigmoid":
        model = LogisticRegression(C=1e6, max_iter=1000).fit(log_odds(score)[:, None], outcome)
        # A falling line would turn the ranking upside down; the level is all that is left to mend.
        if model.coef_[0, 0] <= 0:
            return straight(method, prior_shift(score, outcome), 1.0)
        return straight(method, float(model.intercept_[0]), float(model.coef_[0, 0]))
    if method == "isotonic":
        return isotonic(score, outcome)
    raise ValueError(f"Calibration '{method}' is unknown; choose one of {', '.join(METHODS)}.")


def prior_shift(score: np.ndarray, outcome: np.ndarray) -> float:
    """The shift of log-odds that makes the mean chance equal the share of wins."""
    z = log_odds(score)
    rate = float(np.clip(np.mean(outcome), CHANCE_FLOOR, 1 - CHANCE_FLOOR))
    return float(brentq(lambda shift: expit(z + shift).mean() - rate, -30, 30))


def isotonic(score: np.ndarray, outcome: np.ndarray) -> Calibrator:
    """Steps of at least 50 rows, joined by straight lines on log-odds, flat outside."""
    z = log_odds(score)
    order = np.argsort(z, kind="stable")
    level = IsotonicRegression().fit_transform(z[order], np.asarray(outcome, float)[order])
    starts = np.flatnonzero(np.diff(level, prepend=-1.0) > 0)
    steps = merged([rows for rows in np.split(np.arange(len(z)), starts) if len(rows)])
    middle = np.array([np.median(z[order][rows]) for rows in steps])
    # Half a win and half a loss per step keep its chance off 0 and 1.
    wins = np.array([np.asarray(outcome)[order][rows].sum() for rows in steps])
    size = np.array([len(rows) for rows in steps])
    height = logit((wins + 0.5) / (size + 1.0))
    rising = np.r_[True, np.diff(middle) > 1e-4]
    return joined(middle[rising], np.maximum.accumulate(height[rising]))


def merged(steps: list[np.ndarray]) -> list[np.ndarray]:
    """Neighbouring steps joined until each holds 50 rows (the last joins its left neighbour)."""
    out: list[np.ndarray] = []
    for rows in steps:
        if out and len(out[-1]) < ISOTONIC_MIN_ROWS:
            out[-1] = np.r_[out[-1], rows]
        else:
            out.append(rows)
    if len(out) > 1 and len(out[-1]) < ISOTONIC_MIN_ROWS:
        last = out.pop()
        out[-1] = np.r_[out[-1], last]
    return out


def joined(x: np.ndarray, y: np.ndarray) -> Calibrator:
    """The line through the points (x ascending), flat to both sides, as knots and slope changes."""
    slopes = np.r_[0.0, np.diff(y) / np.diff(x), 0.0] if len(x) > 1 else np.array([0.0, 0.0])
    return {
        "method": "isotonic",
        "intercept": float(y[0]),
        "slope": 0.0,
        "knots": [float(v) for v in x],
        "changes": [float(v) for v in np.diff(slopes)],
    }


def apply(calibrator: Calibrator, score: np.ndarray) -> np.ndarray:
    """Chances in (0, 1) for scores, shape (n,)."""
    z = log_odds(score)
    out = calibrator["intercept"] + calibrator["slope"] * z
    for knot, change in zip(calibrator["knots"], calibrator["changes"], strict=True):
        out = out + change * np.maximum(0.0, z - knot)
    return expit(out)


def compare(
    score: np.ndarray, outcome: np.ndarray, earlier: np.ndarray, later: np.ndarray
) -> pd.DataFrame:
    """Each method fitted on the earlier rows and judged on the later ones.

    earlier, later: masks, see `examples.halves`. Columns: method, log_loss, brier,
    calibration_error.
    """
    rows = []
    for method in METHODS:
        chance = apply(fit(method, score[earlier], outcome[earlier]), score[later])
        found = measures(outcome[later], chance, contacted_share=0.2)
        kept = ("log_loss", "brier", "calibration_error")
        rows.append({"method": method} | {name: found[name] for name in kept})
    return pd.DataFrame(rows)


def choose(compared: pd.DataFrame, tolerance_log_loss: float) -> str:
    """The simplest method whose log loss is within the tolerance of the best."""
    enough = compared["log_loss"] <= compared["log_loss"].min() + tolerance_log_loss
    return str(compared.loc[enough, "method"].iloc[0])
