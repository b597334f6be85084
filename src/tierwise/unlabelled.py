"""A correction without outcomes: guess from the scores alone how large the share of wins is now.

Where outcomes come late, somebody may want to correct today's list before the first of them is
known. This is the classical way, and it is dangerous: where wins also look different from before,
it takes every change of the scores for a change of their share and can run away. So it is shown
beside the corrections of `calibration.py`, behind a guard, and never exported.
"""

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit

from tierwise.models import CHANCE_FLOOR, log_odds

EM = "em, without labels"
LATEST_COUNT = 1000  # outcomes that tell the present share of wins
SHARE_FACTOR = 2.0
PASSED = "passed the guard; not exported, since it needs each open list anew"


def share_of_wins(outcome: np.ndarray) -> float:
    """Wins / rows; with one class only, half a row of the other is added: above 0, below 1."""
    wins, count = float(np.sum(outcome)), len(outcome)
    return wins / count if 0 < wins < count else (wins + 0.5) / (count + 1)


def share_without_labels(score: np.ndarray, learned_share: float) -> float:
    """The share of wins, 0 to 1, that makes these scores most likely; outcomes are not used.

    Saerens, Latinne and Decaestecker 2002 (Neural Computation 14) climb there by EM: every odds
    is multiplied by what changed from the share that was learned, then averaged, again and
    again. Likelihood is concave in the share, so its top is found directly. It only holds if
    wins look as they did and merely their number changed; else it can run away to 0 or 1.
    """
    ratio = np.exp(log_odds(score) - log_odds(np.array(learned_share)))

    def climb(share: float) -> float:
        return float(np.mean((ratio - 1) / (share * ratio + 1 - share)))

    low, high = CHANCE_FLOOR, 1 - CHANCE_FLOOR
    if climb(low) <= 0 or climb(high) >= 0:
        return low if climb(low) <= 0 else high
    return float(brentq(climb, low, high))


def forward_without_labels(
    score: np.ndarray,
    outcome: np.ndarray,
    period: np.ndarray,
    known_from: np.ndarray,
    learned_share: np.ndarray | None = None,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Chances as of `calibration.forward`, each period shifted to the share its scores suggest.

    learned_share: share of wins that the model of each row learned from, shape (n,); without it,
    that of the rows of this table known by then. Beside the chances a row per period: period,
    guessed_share, known_share (of the latest 1,000 outcomes known when it began).
    """
    chance, rows = np.full(len(score), np.nan), []
    for number in np.unique(period):
        usable, now = known_from <= number, period == number
        if not usable.any():
            continue
        learned = share_of_wins(outcome[usable])
        if learned_share is not None:
            learned = float(np.clip(np.mean(learned_share[now]), CHANCE_FLOOR, 1 - CHANCE_FLOOR))
        guessed = share_without_labels(score[now], learned)
        shift = float(logit(guessed) - logit(learned))
        chance[now] = expit(log_odds(score[now]) + shift)
        recent = share_of_wins(outcome[usable][-LATEST_COUNT:])
        rows.append({"period": number, "guessed_share": guessed, "known_share": recent})
    return chance, pd.DataFrame(rows, columns=["period", "guessed_share", "known_share"])


def guarded(shares: pd.DataFrame, change: list[float], factor: float = SHARE_FACTOR) -> str:
    """Why the correction without labels is not offered, PASSED if nothing speaks against it.

    shares: of `forward_without_labels`. change: interval of log loss against doing nothing.
    """
    if shares.empty:
        return "there was no earlier period to try it on"
    off = np.abs(np.log(shares["guessed_share"] / shares["known_share"]))
    worst = shares.loc[off.idxmax()]
    if off.max() > np.log(factor):
        guessed, known = worst["guessed_share"], worst["known_share"]
        return f"it once guessed that {guessed:.1%} win, where {known:.1%} was known".replace(
            "%", " %"
        )
    if change[1] >= 0:
        return "its gain over no correction could be luck"
    return PASSED
