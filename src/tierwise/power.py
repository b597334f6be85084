"""How many more rows until tiers can be told apart, with a stated power?"""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from scipy.stats import norm

from tierwise.evaluation import CONFIDENCE

POWER = 0.80
# A row that says half as much as an independent one, or less, shares its luck with others.
SHARED_LUCK = 2.0


def rows_needed(
    rates: tuple[float, float], shares: tuple[float, float], design_effect: float = 1.0
) -> float:
    """Rows in all tiers together until the gap of two of them has an interval above 0.

    With a power of 80 %: (z_0.975 + z_0.80)^2 * design effect * (p (1 - p) / a + q (1 - q) / b) /
    (p - q)^2 for rates p > q of tiers holding the shares a and b of the rows (Fleiss, Levin and
    Paik 2003, chapter 4, unpooled). inf for equal rates.
    """
    gap = rates[0] - rates[1]
    noise = sum(rate * (1 - rate) / share for rate, share in zip(rates, shares, strict=True))
    reach = norm.ppf((1 + CONFIDENCE) / 2) + norm.ppf(POWER)
    return float(reach**2 * design_effect * noise / gap**2) if gap else math.inf


def design_effect(rates: tuple[float, float], counts: tuple[int, int], ends: list[float]) -> float:
    """How many rows are worth one that shares its luck with no other, 1 or above (Kish 1965).

    The variance behind the gap's interval `ends` over that of independent rows.
    """
    alone = sum(rate * (1 - rate) / count for rate, count in zip(rates, counts, strict=True))
    half = (ends[1] - ends[0]) / 2 / norm.ppf((1 + CONFIDENCE) / 2)
    return max(1.0, float(half**2 / alone)) if alone > 0 else 1.0


def needed(
    by_tier: pd.DataFrame, gap: pd.DataFrame, judged: bool = True, rows_per_case: float = 1.0
) -> dict[str, Any]:
    """How many more rows until every tier can be told apart from the next one.

    by_tier, gap: `conversion` and `gaps` of the later rows, or with judged=False of the earlier
    ones, before any later row has come. {"rows_count", "sentence", "pairs": [{better, worse, gap,
    design_effect, rows_count}]}; a count is 0 where the two are apart already and None where no
    number of rows would do it or can be told. It holds if rates stay as they are and rows go on
    coming from as many weeks and owners per row as now. A gap is rarely as large again as it looked
    when found, so take the number as a lower bound; each pair has its 80 % by itself.
    """
    tier = {row.name: row for row in by_tier.itertuples(index=False)}
    pairs = []
    for pair in gap.to_dict("records"):
        two = tier[pair["better"]], tier[pair["worse"]]
        found = pair | {"design_effect": 1.0, "rows_count": None}
        if pair["gap"] > 0 and all(row.count for row in two):
            rates, shares = (two[0].rate, two[1].rate), (two[0].share, two[1].share)
            effect = design_effect(rates, (two[0].count, two[1].count), pair["interval"])
            missing = math.ceil(
                rows_needed(rates, shares, effect) - judged * by_tier["count"].sum()
            )
            apart = judged and pair["interval"][0] > 0
            count = 0 if apart else missing if missing > 0 else None
            found |= {"design_effect": effect, "rows_count": count}
        pairs.append({name: value for name, value in found.items() if name != "interval"})
    counts = [pair["rows_count"] for pair in pairs]
    total = None if None in counts else max(counts)
    empty = [name for name, row in tier.items() if not row.count]
    sentence = waiting(pairs, rows_per_case, empty)
    return {"rows_count": total, "sentence": sentence, "pairs": pairs}


def waiting(
    pairs: list[dict[str, Any]], rows_per_case: float = 1.0, empty: Sequence[str] = ()
) -> str:
    """The sentence of `needed`, in cases too where one of them has several rows.

    empty: tiers without rows.
    """
    for pair in pairs:
        if pair["rows_count"] is None:
            two = pair["better"], pair["worse"]
            told = f"Tier {two[0]} did not convert better than {two[1]} on these rows"
            if pair["gap"] > 0:
                told = f"Tiers {two[0]} and {two[1]} hold too few rows for their rates to be known"
            for name in two:
                told = f"No row fell into tier {name}" if name in empty else told
            return f"{told}: no number of further ones can be named."
    last = max(pairs, key=lambda pair: pair["rows_count"])
    if not last["rows_count"]:
        return "No more rows are needed: every tier can be told apart from the next one."
    rows = rounded_up(last["rows_count"])
    cases = rounded_up(last["rows_count"] / rows_per_case)
    what = f"rows of {cases:,} cases" if rows_per_case > 1 else "rows"
    told = (
        f"About {rows:,} more later {what} with a known outcome are needed to tell tiers "
        f"{last['better']} and {last['worse']} apart with a power of {POWER:.0%}, at these rates."
    )
    if last["design_effect"] < SHARED_LUCK:
        return told
    return (
        f"{told} They must bring new weeks, owners and cases: rows that share one share its luck, "
        "and more of the same would not do."
    )


def rounded_up(count: float) -> int:
    """To two digits."""
    step = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return math.ceil(count / step) * step
