"""Did showing the tiers win more deals? Those who saw them against those held out by lot.

    uplift    share of wins among deals whose tier was shown, against those of the holdout:
              difference in points, and ratio; 1.15 is +15 %

Who is held out is drawn by lot and for good, so the two groups differ by luck and by the tiers
alone, and the weeks' luck is shared by both. A deal counts in the group of its first look, whatever
happened later (by intention to treat, Fisher 1935).

Whoever looks every hour will one day see a lucky interval. So there are two: `interval` is for one
look, at the number of deals that was named beforehand; `interval_any_time` holds for all looks
together, from the first one on, and is half as wide again. Before that number only the latter may
claim anything.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from tierwise.draws import CONFIDENCE
from tierwise.evaluation import wilson
from tierwise.files import InputError
from tierwise.power import POWER

AIM = 1.15
HELD_OUT = "holdout"
# Where the interval for all looks is tightest in proportion: m = -2 log a + log(1 - 2 log a).
TIGHTEST = -2 * math.log(1 - CONFIDENCE) + math.log(1 - 2 * math.log(1 - CONFIDENCE))

HIGHEST_Z = 6.0  # after a few deals z has no end, and beyond 6 luck has no part any more


def measured(rows: pd.DataFrame, aim: float = AIM) -> dict[str, Any]:
    """Uplift of the deals that saw tiers over the held-out ones, and what is still missing.

    rows: one a deal, by its first look: outcome (0 or 1), flag, shown, such as
    `promises_kept.due` of all looks. Those neither shown nor held out are not counted. Returned:
    shown and held_out ({count, wins, rate, interval}); difference, ratio, each with interval and
    interval_any_time; needed (of `deals_needed`, None without a win or a group), more_count,
    verdict (better | worse | none that large | too early) and sentence.
    """
    held = (rows["flag"] == HELD_OUT).to_numpy()
    seen = rows["shown"].to_numpy(dtype=bool) & ~held
    won = rows["outcome"].to_numpy(dtype=float)
    shown, held_out = group(won[seen]), group(won[held])
    found: dict[str, Any] = {"shown": shown, "held_out": held_out, "aim": aim}
    if not shown["count"] or not held_out["count"]:
        missing = "was held out" if shown["count"] else "saw its tier"
        told = f"No deal with an outcome {missing}: there is nothing to compare."
        return found | {
            "needed": None,
            "more_count": None,
            "verdict": "too early",
            "sentence": told,
        }
    needed = still_needed(shown, held_out, aim)
    total = shown["count"] + held_out["count"]
    reached = total / needed["deals_count"] if needed else 0.0
    found |= {"difference": difference(shown, held_out, reached)}
    found |= {"ratio": ratio(shown, held_out, reached), "needed": needed}
    found["more_count"] = max(0, needed["deals_count"] - total) if needed else None
    return found | verdict(found)


def group(won: np.ndarray) -> dict[str, Any]:
    count, wins = len(won), int(won.sum())
    rate = wins / count if count else np.nan
    return {"count": count, "wins": wins, "rate": rate, "interval": wilson(wins, count)}


def difference(shown: dict[str, Any], held_out: dict[str, Any], reached: float) -> dict[str, Any]:
    """Rate shown minus rate held out: Newcombe 1998 (Statistics in Medicine 17), method 10.

    The ends of the two Wilson intervals, put together: honest for a small holdout with few wins.
    reached: the deals there are over those needed, for the interval of all looks together.
    """
    value = shown["rate"] - held_out["rate"]
    ends = newcombe(shown, held_out, CONFIDENCE)
    ever = newcombe(shown, held_out, confidence_any_time(reached))
    return {"value": value, "interval": ends, "interval_any_time": ever}


def newcombe(one: dict[str, Any], other: dict[str, Any], confidence: float) -> list[float]:
    (low, high), (low_other, high_other) = (
        wilson(found["wins"], found["count"], confidence) for found in (one, other)
    )
    a, b = one["rate"], other["rate"]
    below, above = np.hypot(a - low, high_other - b), np.hypot(high - a, b - low_other)
    return [float(a - b - below), float(a - b + above)]


def ratio(shown: dict[str, Any], held_out: dict[str, Any], reached: float) -> dict[str, Any]:
    """Rate shown over rate held out, by the delta method on its logarithm.

    With half a win, and half a deal, added to each (Walter 1975, Biometrika 62), so that no win in
    a group gives a long interval and not none; where everybody won, half a loss as well. value is
    NaN where nobody held out won.
    """
    value = shown["rate"] / held_out["rate"] if held_out["wins"] else np.nan
    return {
        "value": value,
        "interval": log_interval(shown, held_out, CONFIDENCE),
        "interval_any_time": log_interval(shown, held_out, confidence_any_time(reached)),
    }


def log_interval(one: dict[str, Any], other: dict[str, Any], confidence: float) -> list[float]:
    wins = np.array([one["wins"], other["wins"]]) + 0.5
    all_won = np.array([found["wins"] == found["count"] for found in (one, other)])
    counts = np.array([one["count"], other["count"]]) + np.where(all_won, 1.0, 0.5)
    middle = np.log(wins[0] / counts[0]) - np.log(wins[1] / counts[1])
    half = norm.ppf((1 + confidence) / 2) * np.sqrt((1 / wins - 1 / counts).sum())
    return [float(np.exp(middle - half)), float(np.exp(middle + half))]


def confidence_any_time(reached: float) -> float:
    """The confidence of one look with which all looks together have 95 %.

    The normal mixture of Robbins 1970 (Annals of Mathematical Statistics 41) as a sequence of
    intervals that all hold at once: z^2 = 2 (m + 1) / m * log(sqrt(m + 1) / a). m grows with the
    deals and is `TIGHTEST` when as many are there as were needed, where z is 3.0.
    """
    m = max(TIGHTEST * reached, 1e-9)
    z = math.sqrt(2 * (m + 1) / m * math.log(math.sqrt(m + 1) / (1 - CONFIDENCE)))
    return float(1 - 2 * norm.sf(min(z, HIGHEST_Z)))


def deals_needed(
    rate: float, held_out_share: float, aim: float = AIM, power: float = POWER
) -> dict[str, int]:
    """Deals until an uplift of `aim` is told from none, in both groups: two-sided 5 %.

    rate: of the held-out ones. n = (z_0.975 sqrt(p (1 - p) (1 + 1/k)) + z_power sqrt(p1 (1 - p1) +
    p0 (1 - p0) / k))^2 / (p1 - p0)^2 for the shown ones, p the mean of both, and k times as many
    held out (Fleiss, Levin and Paik 2003, chapter 4). Returned: shown_count, held_out_count,
    deals_count. Raises InputError for a rate that can't rise so far, or a share out of (0, 1).
    """
    raised = rate * aim
    if not 0 < rate < raised < 1:
        raise InputError(
            f"A rate of {rate:.1%} can't rise to {aim:g} times as much. Name a rate above 0 "
            "and an aim above 1, such that their product stays below 1."
        )
    if not 0 < held_out_share < 1:
        raise InputError(f"holdout_share must lie between 0 and 1; it is {held_out_share:g}.")
    shown = shown_needed(rate, raised, held_out_share / (1 - held_out_share), power)
    count = {"shown_count": math.ceil(shown)}
    count["held_out_count"] = math.ceil(shown * held_out_share / (1 - held_out_share))
    return count | {"deals_count": sum(count.values())}


def shown_needed(rate: float, raised: float, k: float, power: float) -> float:
    """The formula of `deals_needed`, not rounded. k: held out per one that is shown."""
    mean = (raised + rate * k) / (1 + k)
    alike = math.sqrt(mean * (1 - mean) * (1 + 1 / k))
    apart = math.sqrt(raised * (1 - raised) + rate * (1 - rate) / k)
    reach = norm.ppf((1 + CONFIDENCE) / 2) * alike + norm.ppf(power) * apart
    return float(reach**2 / (raised - rate) ** 2)


def still_needed(
    shown: dict[str, Any], held_out: dict[str, Any], aim: float
) -> dict[str, int] | None:
    """`deals_needed` at the rate that the held-out ones would have if the aim were met.

    So that both groups together win as often as was seen: the holdout alone knows its rate badly.
    """
    total = shown["count"] + held_out["count"]
    share = held_out["count"] / total
    rate = (shown["wins"] + held_out["wins"]) / total / (share + (1 - share) * aim)
    return deals_needed(rate, share, aim) if 0 < rate * aim < 1 else None


def verdict(found: dict[str, Any]) -> dict[str, str]:
    """verdict and sentence. One look decides once the deals named beforehand are there."""
    enough = found["more_count"] == 0
    low, high = found["ratio"]["interval" if enough else "interval_any_time"]
    aim, shown, held_out = f"{found['aim'] - 1:+.0%}", found["shown"], found["held_out"]
    seen = (
        f"{shown['rate']:.1%} of {shown['count']:,} deals with tiers won, "
        f"{held_out['rate']:.1%} of {held_out['count']:,} held out"
    )
    within = f"{low - 1:+.0%} to {high - 1:+.0%}"
    if low > 1:
        word, told = "better", f"Showing tiers wins more deals ({within})"
    elif high < 1:
        word, told = "worse", f"Showing tiers wins fewer deals ({within})"
    elif high < found["aim"]:
        word, told = "none that large", f"An uplift of {aim} is ruled out ({within})"
    else:
        word, told = "too early", f"{aim} can't be told from nothing yet ({within})"
    return {"verdict": word, "sentence": f"{told}: {seen}.{waiting(found, word, aim)}"}


def waiting(found: dict[str, Any], word: str, aim: str) -> str:
    if word != "too early":
        return ""
    if found["needed"] is None:
        return " How many deals it takes can be said after the first win."
    more, share = found["more_count"], found["held_out"]["count"]
    share /= found["shown"]["count"] + found["held_out"]["count"]
    if not more:
        return f" The deals that {aim} would have taken are there: the uplift is smaller, or none."
    return (
        f" About {more:,} more deals with an outcome are needed to prove {aim} with a power of "
        f"{POWER:.0%}, while {share:.1%} are held out."
    )


def in_words(found: dict[str, Any], scores: str) -> str:
    """The sentence, and what a replay can't tell. scores: see `ledger.of`."""
    nobody = " In a replay nobody saw a tier, so none is to be expected."
    return found["sentence"] + (nobody if scores == "replayed" else "")
