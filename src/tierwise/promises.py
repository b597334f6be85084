"""Promises: did the tiers do on later data what they said, and if not, what is left of them?

The rules of the verdict were fixed before looking. Intervals come from `draws`: rows share the
luck of their week, and of their owner where they have one.
"""

from typing import Any

import numpy as np
import pandas as pd

from tierwise import draws as drawing
from tierwise.draws import Draws, interval
from tierwise.leakage import auc
from tierwise.power import needed
from tierwise.report import format_value
from tierwise.tiers import conversion, gaps, trend, trend_card

TREND_P = 0.01
FORMATS = {"gap": "share", "design_effect": "number", "rows_count": "count"}


def auc_in_weeks(outcome: np.ndarray, score: np.ndarray, draws: Draws) -> dict[str, Any]:
    """AUC inside weeks (or stretches of rows) with its interval.

    A ranking that only sorts good weeks from bad ones has 0.5 here, whatever its pooled AUC.
    """

    def inside(drawn: Draws) -> np.ndarray:
        return drawing.auc_in_weeks(drawn, outcome, score)

    seen = inside(draws.as_seen())[0]
    if np.isnan(seen):
        return {"auc_in_weeks": 0.5, "auc_in_weeks_interval": [0.0, 1.0]}
    return {"auc_in_weeks": float(seen), "auc_in_weeks_interval": interval(draws, inside)}


def found_share(
    outcome: np.ndarray, tier: np.ndarray, names: list[str], draws: Draws
) -> dict[str, dict]:
    """Share of all wins found in A, in A+B, ...: {"A": {"share", "interval"}, "A+B": ...}."""
    found = {}
    for upto in range(1, len(names)):
        inside = np.isin(tier, names[:upto])

        def share(drawn: Draws, inside: np.ndarray = inside) -> np.ndarray:
            return drawn.sums(outcome * inside) / np.maximum(drawn.sums(outcome), 1)

        found["+".join(names[:upto])] = {
            "share": float(outcome[inside].sum() / max(outcome.sum(), 1)),
            "contacted_share": float(inside.mean()),
            "interval": interval(draws, share),
        }
    return found


def auc_interval(outcome: np.ndarray, score: np.ndarray, draws: Draws) -> list[float]:
    """95 % interval of the AUC over all rows."""
    return interval(draws, lambda drawn: drawing.auc(drawn, outcome, score))


def verdict(
    auc_low: float, trend_p: float, gap: pd.DataFrame, in_weeks_low: float = 1.0
) -> tuple[str, str]:
    """("supported" | "not supported", the reason), by rules fixed before looking.

    Supported: the AUC's interval lies above 0.5, over all later rows and inside weeks; the trend
    has p < 0.01; and between neighbours the interval of the difference lies above 0.
    """
    if auc_low <= 0.5:
        return "not supported", "on later data the ranking can't be told from chance"
    if in_weeks_low <= 0.5:
        return "not supported", "it sorts good weeks from bad ones, not the rows within a week"
    if trend_p >= TREND_P:
        return "not supported", "conversion does not rise from the last tier to the first"
    for row in gap.itertuples():
        if row.interval[0] <= 0:
            pair = f"tiers {row.better} and {row.worse}"
            return "not supported", f"{pair} can't be told apart on later data"
    return "supported", "every tier converted better than the next one on later data"


def merge(
    outcome: np.ndarray, tier: np.ndarray, names: list[str], draws: Draws
) -> tuple[np.ndarray, dict[str, list[str]]]:
    """Tiers after those that can't be told apart became one, and what each was made of.

    Neighbours whose gap has an interval that reaches 0 or less become one tier, "A+B", the pair
    with the lowest interval first, until all neighbours differ or one tier is left.
    """
    made_of = {name: [name] for name in names}
    while len(made_of) > 1:
        lows = [ends[0] for ends in gaps(outcome, tier, list(made_of), draws)["interval"]]
        if min(lows) > 0:
            break
        at = int(np.argmin(lows))
        both = list(made_of)[at : at + 2]
        tier = np.where(np.isin(tier, both), "+".join(both), tier)
        groups = list(made_of.values())
        groups[at : at + 2] = [groups[at] + groups[at + 1]]
        made_of = {"+".join(group): group for group in groups}
    return tier, made_of


def merged(outcome: np.ndarray, tier: np.ndarray, names: list[str], draws: Draws) -> dict[str, Any]:
    """What tiers remain: {"tiers": rows of `conversion`, "sentence"}."""
    left, made_of = merge(outcome, tier, names, draws)
    by_tier = conversion(outcome, left, list(made_of), draws)
    told = [
        f"Tiers {listed(made_of[row.name])} can't be told apart on later data. Treat them as one "
        f"tier {row.name}: {row.rate or 0:.0%} of its {row.count:,} rows won."
        for row in by_tier.itertuples(index=False)
        if len(made_of[row.name]) > 1
    ]
    sentence = " ".join(told) or "Every tier can be told apart from the next one; none is merged."
    return {"tiers": by_tier.to_dict("records"), "sentence": sentence}


def listed(names: list[str]) -> str:
    """ "A, B and C"."""
    return f"{', '.join(names[:-1])} and {names[-1]}"


def judge(
    outcome: np.ndarray,
    tier: np.ndarray,
    score: np.ndarray,
    names: list[str],
    draws: Draws,
    compared: dict[str, Any],
    caveat: str = "",
    rows_per_case: float = 1.0,
) -> dict[str, Any]:
    """The judged span in one dict: verdict, sentence, tiers, auc, trend, found_share, and so on.

    `merged` says what tiers remain, `needed` how many rows are missing. caveat: what the sentence
    must not leave out. compared: metrics of compare_models. Where that step found no ranking the
    verdict is "cannot rank", what the tiers say is empty, and what they would have been stands
    under `withheld`.
    """
    by_tier = conversion(outcome, tier, names, draws)
    inside = auc_in_weeks(outcome, score, draws)
    z, p = trend(outcome, tier, names, draws)
    auc_bounds = auc_interval(outcome, score, draws)
    gap = gaps(outcome, tier, names, draws)
    word, reason = verdict(auc_bounds[0], p, gap, inside["auc_in_weeks_interval"][0])
    issued = {
        "tiers": by_tier.to_dict("records"),
        "found_share": found_share(outcome, tier, names, draws),
        "merged": merged(outcome, tier, names, draws),
        "needed": needed(by_tier, gap, rows_per_case=rows_per_case),
    }
    found = {
        "verdict": word,
        "sentence": f"{stair(by_tier)}: {reason}.{caveat}",
        "rows_count": len(outcome),
        "wins_count": int(outcome.sum()),
        "auc": auc(outcome, score),
        "auc_interval": auc_bounds,
        **inside,
        "trend_z": z,
        "trend_p": p,
        "withheld": {},
    }
    if compared["can_rank"]:
        return found | issued
    held = {"tiers": [], "found_share": {}, "merged": {}, "needed": {}, "withheld": issued}
    return found | held | {"verdict": "cannot rank", "sentence": compared["sentence"]}


def stair(by_tier: pd.DataFrame) -> str:
    """ "A / B / C converted at 42 / 21 / 7 % of 900 / 700 / 400 later rows"."""
    rates = " / ".join(f"{row.rate:.0%}"[:-1] if row.count else "–" for row in by_tier.itertuples())
    counts = " / ".join(f"{row.count:,}" for row in by_tier.itertuples())
    return f"{' / '.join(by_tier['name'])} converted at {rates} % of {counts} later rows"


def headline(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Cards: conversion of the first tier, AUC, share of wins in the first two tiers, trend."""
    shown = result["withheld"] or result
    first, last = shown["tiers"][0], shown["tiers"][-1]
    upto, found = list(shown["found_share"].items())[-1]
    converts = "would have converted" if result["withheld"] else "converted"
    return [
        {
            "label": f"tier {first['name']} {converts} at",
            "value": format_value(first["rate"], "share"),
            "interval": format_value(first["interval"], "share"),
            "note": f"tier {last['name']}: {format_value(last['rate'], 'share')}",
        },
        {
            "label": "AUC on later data",
            "value": format_value(result["auc"], "number"),
            "interval": format_value(result["auc_interval"], "number"),
            "note": f"{format_value(result['auc_in_weeks'], 'number')} inside weeks, "
            f"{format_value(result['auc_in_weeks_interval'], 'number')}",
        },
        {
            "label": f"wins found in {upto}",
            "value": format_value(found["share"], "share"),
            "interval": format_value(found["interval"], "share"),
            "note": f"in {format_value(found['contacted_share'], 'share')} of the rows",
        },
        trend_card(result["trend_z"], result["trend_p"]),
    ]


def marks(result: dict[str, Any]) -> pd.DataFrame:
    """Ends of the tiers on the gains curve: name, contacted_share, share."""
    found = (result["withheld"] or result)["found_share"]
    return pd.DataFrame([{"name": name} | one for name, one in found.items()])


def pairs(result: dict[str, Any]) -> pd.DataFrame:
    """Per pair of neighbours what `needed` found, for a table."""
    return pd.DataFrame(result["needed"]["pairs"])
