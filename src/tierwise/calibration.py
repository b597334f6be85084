"""From score to chance: what a model believes, corrected by what then happened.

Every method is one piecewise linear map on log-odds, so that it fits in a card, in ONNX and in
any other language:

    z = log(p / (1 - p))
    corrected z = intercept + slope * z + sum_k change_k * max(0, z - knot_k)

    none        intercept 0, slope 1
    prior       slope 1, intercept moved until the mean chance is the share of wins
                (a shift of log-odds: the prior correction for a changed base rate)
    sliding     intercept and slope from the latest 1,000 rows, drawn towards none
    sigmoid     intercept and slope by maximum likelihood (Platt 1999, on log-odds)
    isotonic    pool-adjacent-violators (Zadrozny and Elkan 2002), joined between the middles of
                its steps, so that no jump is left for float32 to fall on either side of
    venn_abers  two isotonic fits per score, one as if its row will win, one as if it will not
                (Vovk and Petej 2014), at 50 quantiles of the scores, joined by lines

A period t may learn from a row if its outcome was known when t began: `known_from` <= t.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression, isotonic_regression
from sklearn.linear_model import LogisticRegression

from tierwise.draws import draw, interval
from tierwise.evaluation import WORST_LOSS, measures
from tierwise.models import CHANCE_FLOOR, log_odds
from tierwise.unlabelled import (
    EM,
    LATEST_COUNT,
    SHARE_FACTOR,
    forward_without_labels,
    guarded,
    share_of_wins,
)

METHODS = ("none", "prior", "sliding", "sigmoid", "isotonic", "venn_abers")
FEW_ROWS = 50  # below them, and in every step of `isotonic`, only a level can be told
# As if level and slope were known beforehand to within half and a quarter (1 / sqrt(penalty)).
LEVEL_PENALTY, SLOPE_PENALTY = 4.0, 16.0
POINT_COUNT = 50

Calibrator = dict[str, Any]


def straight(method: str, intercept: float, slope: float) -> Calibrator:
    return {
        "method": method, "intercept": intercept, "slope": slope, "knots": [], "changes": []
    }  # fmt: skip


def fit(method: str, score: np.ndarray, outcome: np.ndarray) -> Calibrator:
    """Fit one method. score: shape (n,), the model's own chances; outcome: 0 or 1.

    `sliding` takes the last rows for the latest, so rows come in the order in which their
    outcomes became known. With fewer than 50 rows or one class only, sigmoid, isotonic and
    venn_abers do what `prior` does; without rows, all do what `none` does.
    """
    if method not in METHODS:
        raise ValueError(f"Calibration '{method}' is unknown; choose one of {', '.join(METHODS)}.")
    if method == "none" or len(score) == 0:
        return straight(method, 0.0, 1.0)
    if method == "sliding":
        return sliding(score[-LATEST_COUNT:], outcome[-LATEST_COUNT:])
    little = len(score) < FEW_ROWS or len(np.unique(outcome)) == 1
    if method == "prior" or little:
        return straight(method, prior_shift(score, outcome), 1.0)
    return {"sigmoid": sigmoid, "isotonic": isotonic, "venn_abers": venn_abers}[method](
        score, outcome
    )


def prior_shift(score: np.ndarray, outcome: np.ndarray) -> float:
    """The shift of log-odds that makes the mean chance equal the share of wins."""
    z, share = log_odds(score), share_of_wins(outcome)
    return float(brentq(lambda shift: expit(z + shift).mean() - share, -30, 30))


def sigmoid(score: np.ndarray, outcome: np.ndarray) -> Calibrator:
    model = LogisticRegression(C=1e6, max_iter=1000).fit(log_odds(score)[:, None], outcome)
    intercept, slope = float(model.intercept_[0]), float(model.coef_[0, 0])
    # A falling line would turn the ranking upside down; the level is all that is left to mend.
    if slope <= 0:
        intercept, slope = prior_shift(score, outcome), 1.0
    return straight("sigmoid", intercept, slope)


def sliding(score: np.ndarray, outcome: np.ndarray) -> Calibrator:
    """Level and slope by penalised likelihood, so that a few surprises move them a little.

        corrected z = z + level + (slope - 1) * (z - mean of z)

    minimises log loss summed over rows + (4 level² + 16 (slope - 1)²) / 2. The slope turns about
    the mean, so that a change of level alone leaves it at 1; where it would fall, it stays 1.
    """
    z = log_odds(score)
    middle = z.mean()

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        out = z + x[0] + x[1] * (z - middle)
        penalty = LEVEL_PENALTY * x[0] ** 2 + SLOPE_PENALTY * x[1] ** 2
        miss = expit(out) - outcome
        pull = np.array([LEVEL_PENALTY, SLOPE_PENALTY]) * x
        cost = np.sum(np.logaddexp(0, out) - outcome * out) + penalty / 2
        return float(cost), np.array([miss.sum(), miss @ (z - middle)]) + pull

    asked = {"jac": True, "method": "L-BFGS-B", "options": {"ftol": 1e-15, "gtol": 1e-8}}
    x = minimize(loss, np.zeros(2), **asked).x
    if x[1] <= -1:
        x = minimize(loss, np.zeros(2), bounds=[(None, None), (0.0, 0.0)], **asked).x
    return straight("sliding", float(x[0] - x[1] * middle), float(1 + x[1]))


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
    return joined("isotonic", middle, logit((wins + 0.5) / (size + 1.0)))


def merged(steps: list[np.ndarray]) -> list[np.ndarray]:
    """Neighbouring steps joined until each holds 50 rows (the last joins its left neighbour)."""
    out: list[np.ndarray] = []
    for rows in steps:
        if out and len(out[-1]) < FEW_ROWS:
            out[-1] = np.r_[out[-1], rows]
        else:
            out.append(rows)
    if len(out) > 1 and len(out[-1]) < FEW_ROWS:
        last = out.pop()
        out[-1] = np.r_[out[-1], last]
    return out


def venn_abers(score: np.ndarray, outcome: np.ndarray) -> Calibrator:
    """The merged chance p1 / (1 - p0 + p1) at 50 quantiles of the scores, joined, flat outside.

    The quantiles run from 1 % to 99 %. At the very ends p0 and p1 lie far apart and their merger
    near one half, which a line would spread over every score beyond.
    """
    middles = (np.arange(POINT_COUNT) + 0.5) / POINT_COUNT
    points = np.unique(np.quantile(log_odds(score), middles, method="inverted_cdf"))
    low, high = venn_abers_pair(log_odds(score), outcome, points)
    return joined("venn_abers", points, logit(high / (1 - low + high)))


def venn_abers_pair(
    score: np.ndarray, outcome: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """p0 and p1 of scores that occur: isotonic chances when one more row there loses, or wins.

    Inductive Venn-Abers prediction (Vovk and Petej 2014, UAI). Equal scores are one point. p0 is
    below 1, p1 above 0, p0 <= p1, and both rise with the score. Shapes: those of points.
    """
    value, group = np.unique(score, return_inverse=True)
    size, wins = np.bincount(group).astype(float), np.bincount(group, weights=outcome)
    found = np.empty((2, len(points)))
    for at, place in enumerate(np.searchsorted(value, points)):
        new = np.eye(1, len(value), place)[0]
        for label in (0, 1):
            rates = (wins + label * new) / (size + new)
            found[label, at] = isotonic_regression(rates, sample_weight=size + new)[place]
    return found[0], found[1]


def joined(method: str, x: np.ndarray, y: np.ndarray) -> Calibrator:
    """The line through points that never fall (x ascending), flat to both sides, as knots.

    A point that falls is lifted; of points closer than 1e-4 the first stays; a knot without a
    bend is left out.
    """
    rising = np.r_[True, np.diff(x) > 1e-4]
    x, y = x[rising], np.maximum.accumulate(y[rising])
    changes = np.diff(np.r_[0.0, np.diff(y) / np.diff(x), 0.0])
    bent = np.abs(changes) > 1e-12
    return straight(method, float(y[0]), 0.0) | {
        "knots": x[bent].tolist(),
        "changes": changes[bent].tolist(),
    }


def apply(calibrator: Calibrator, score: np.ndarray) -> np.ndarray:
    """Chances in (0, 1) for scores, shape (n,)."""
    z = log_odds(score)
    out = calibrator["intercept"] + calibrator["slope"] * z
    for knot, change in zip(calibrator["knots"], calibrator["changes"], strict=True):
        out = out + change * np.maximum(0.0, z - knot)
    return expit(out)


def forward(
    method: str,
    score: np.ndarray,
    outcome: np.ndarray,
    period: np.ndarray,
    known_from: np.ndarray,
    age_count: int = 0,
) -> np.ndarray:
    """Chances, shape (n,): each period's by what could be fitted when it began.

    Rows in time order. age_count: what could be fitted so many periods earlier stays in use. NaN
    in periods for which no outcome was known then, as in the first.
    """
    chance = np.full(len(score), np.nan)
    for number in np.unique(period):
        usable, now = known_from <= number - age_count, period == number
        if usable.any():
            chance[now] = apply(fit(method, score[usable], outcome[usable]), score[now])
    return chance


def usual_age(later_count: int, period: np.ndarray) -> int:
    """How many periods old a correction is, on average of the later_count rows that it corrects.

    period: of each earlier row. In l periods it is 0 to l - 1 of them old. At most half of the
    periods there are, so that others are left to judge by.
    """
    numbers = len(np.unique(period))
    stays = later_count * numbers / len(period)
    return int(np.clip(round((stays - 1) / 2), 0, numbers // 2))


def age_sentence(age_count: int) -> str:
    """What `usual_age` found, for a reader."""
    old = f"{age_count} period{'s' * (age_count != 1)} old (at most half of all periods)"
    return f"Each correction is judged when it is {old}: so old will be the exported one in use."


def compare(
    score: np.ndarray,
    outcome: np.ndarray,
    period: np.ndarray,
    known_from: np.ndarray,
    learned_share: np.ndarray | None = None,
    factor: float = SHARE_FACTOR,
    age_count: int = 0,
) -> pd.DataFrame:
    """Each method fitted before a period and judged on it, over all periods that had a past.

    age_count: each is judged when it is so many periods old, see `forward` and `usual_age`. What
    happened lately fades; a correction that lives on it is best while it is new.

    All of shape (n,), rows in time order. Columns: method; log_loss, brier, calibration_error
    over all judged rows (NaN if there are none); log_loss_change against `none`, below 0 if
    better, and its 95 % interval with whole periods resampled; not_offered, a reason or "". The
    last row is the correction without labels, never chosen: it passes its guard where it never
    strayed by more than the factor from the known share of wins and its interval is below 0. For it
    alone is learned_share, of wins that each row's model learned from (`forward_without_labels`).
    """
    given = score, outcome, period, known_from
    chances = {method: forward(method, *given, age_count) for method in METHODS}
    chances[EM], shares = forward_without_labels(*given, learned_share)
    judged = np.isfinite(chances["none"])
    plain, when = chances["none"][judged], period[judged]
    rows = [judged_row(m, c[judged], plain, outcome[judged], when) for m, c in chances.items()]
    rows[-1]["not_offered"] = guarded(shares, rows[-1]["interval"], factor)
    return pd.DataFrame(rows)


def judged_row(
    method: str, chance: np.ndarray, plain: np.ndarray, outcome: np.ndarray, period: np.ndarray
) -> dict[str, Any]:
    """One row of `compare`. plain: the chances of `none`."""
    kept = ("log_loss", "brier", "calibration_error")
    row: dict[str, Any] = {"method": method} | dict.fromkeys([*kept, "log_loss_change"], np.nan)
    row |= {"interval": [-WORST_LOSS, WORST_LOSS], "not_offered": ""}
    if len(chance) == 0:
        return row
    found = measures(outcome, chance, contacted_share=0.2)
    right, before = (np.where(outcome == 1, p, 1 - p) for p in (chance, plain))
    change = np.log(np.clip(before, CHANCE_FLOOR, 1) / np.clip(right, CHANCE_FLOOR, 1))
    everyone = np.ones(len(change))
    luck = interval(
        draw(period), lambda d: d.mean(change, everyone), lowest=-WORST_LOSS, highest=WORST_LOSS
    )
    row |= {name: found[name] for name in kept}
    return row | {"log_loss_change": float(change.mean()), "interval": luck}


def choose(compared: pd.DataFrame, tolerance_log_loss: float) -> str:
    """The simplest method whose log loss is within the tolerance of the best.

    Never the one without labels. "none" where nothing could be judged.
    """
    known = compared[compared["method"].isin(METHODS)]
    enough = known["log_loss"] <= known["log_loss"].min() + tolerance_log_loss
    return str(known.loc[enough, "method"].iloc[0]) if enough.any() else "none"
