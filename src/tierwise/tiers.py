"""Tiers: cuts frozen on earlier rows, and the promise they make on later ones."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from tierwise.evaluation import BOOTSTRAP_COUNT, interval, wilson
from tierwise.files import InputError
from tierwise.leakage import auc
from tierwise.models import SEED
from tierwise.report import format_value

TREND_P = 0.01


def cuts(score: np.ndarray, shares: dict[str, float]) -> dict[str, float]:
    """Lowest score of each tier but the last, from the shares wanted on these rows.

    shares: from the best tier down, adding up to 1. Rows with equal scores share a tier, so the
    shares reached can differ.
    """
    if len(shares) < 2 or abs(sum(shares.values()) - 1) > 1e-9 or min(shares.values()) <= 0:
        raise InputError(
            "tier_shares must name at least two tiers, be above 0 and add up to 1; params.yaml "
            f"gives {shares}."
        )
    upto = np.cumsum(list(shares.values()))[:-1]
    lowest = np.quantile(score, 1 - upto, method="higher")
    return {name: float(value) for name, value in zip(shares, lowest, strict=False)}


def assign(score: np.ndarray, tier_cuts: dict[str, float], last: str) -> np.ndarray:
    """The best tier whose cut a score reaches, `last` below all cuts. Shape (n,)."""
    names = list(tier_cuts)
    reached = [score >= tier_cuts[name] for name in names]
    return np.select(reached, names, default=last)


def conversion(
    outcome: np.ndarray,
    tier: np.ndarray,
    names: list[str],
    draws: list[np.ndarray] | None = None,
) -> pd.DataFrame:
    """Per tier: name, count, share, wins, rate and its 95 % interval.

    With `draws` the interval comes from whole weeks resampled, since rows of one week share their
    luck. Without, and where nobody or everybody won, it is Wilson's for independent rows.
    """
    rows = []
    for name in names:
        won = outcome[tier == name]
        count, wins = len(won), int(won.sum())
        rows.append(
            {
                "name": name,
                "count": count,
                "share": count / len(outcome),
                "wins": wins,
                "rate": wins / count if count else None,
                "interval": rate_interval(outcome, tier == name, draws or []),
            }
        )
    return pd.DataFrame(rows)


def rate_interval(outcome: np.ndarray, inside: np.ndarray, draws: list[np.ndarray]) -> list[float]:
    """95 % interval of the share of wins among the rows inside."""
    count, wins = int(inside.sum()), int(outcome[inside].sum())
    if not draws or wins in (0, count):
        return wilson(wins, count)
    held = [(outcome[rows][inside[rows]].sum(), inside[rows].sum()) for rows in draws]
    return interval(np.array([won / seen for won, seen in held if seen]))


def auc_in_weeks(outcome: np.ndarray, score: np.ndarray, blocks: np.ndarray) -> dict[str, Any]:
    """AUC inside weeks (or stretches of rows) with its interval, weeks resampled.

    A ranking that only sorts good weeks from bad ones has 0.5 here, whatever its pooled AUC.
    """
    groups = [np.flatnonzero(blocks == block) for block in np.unique(blocks)]
    values = np.array([auc(outcome[rows], score[rows]) for rows in groups])
    rarer = [min(outcome[rows].sum(), len(rows) - outcome[rows].sum()) for rows in groups]
    weights = np.array(rarer, dtype=float)
    draws = np.random.default_rng(SEED).integers(len(groups), size=(BOOTSTRAP_COUNT, len(groups)))
    total = weights[draws].sum(axis=1)
    means = (weights * values)[draws].sum(axis=1)[total > 0] / total[total > 0]
    if not len(means):
        return {"auc_in_weeks": 0.5, "auc_in_weeks_interval": [0.0, 1.0]}
    mean = float((weights * values).sum() / weights.sum())
    return {"auc_in_weeks": mean, "auc_in_weeks_interval": interval(means)}


def trend(outcome: np.ndarray, tier: np.ndarray, names: list[str]) -> tuple[float, float]:
    """Cochran-Armitage test that conversion rises from the last tier to the first: z, one-sided p.

    With equally spaced tiers, z = r * sqrt(n) for the correlation r of tier and outcome
    (Armitage 1955). z = 0 and p = 1 where one tier or one outcome is left.
    """
    rank = np.array([len(names) - names.index(name) for name in tier], dtype=float)
    if rank.std() == 0 or outcome.std() == 0:
        return 0.0, 1.0
    z = float(np.corrcoef(rank, outcome)[0, 1] * np.sqrt(len(outcome)))
    return z, float(norm.sf(z))


def block_draws(blocks: np.ndarray) -> list[np.ndarray]:
    """1000 samples of row positions, whole blocks (weeks) drawn with replacement."""
    random = np.random.default_rng(SEED)
    rows = [np.flatnonzero(blocks == block) for block in np.unique(blocks)]
    return [
        np.concatenate([rows[i] for i in random.integers(len(rows), size=len(rows))])
        for _ in range(BOOTSTRAP_COUNT)
    ]


def gaps(
    outcome: np.ndarray, tier: np.ndarray, names: list[str], draws: list[np.ndarray]
) -> pd.DataFrame:
    """Rate of each tier minus the next one's: better, worse, gap, interval (weeks resampled)."""
    indicator = {name: tier == name for name in names}
    rows = []
    for better, worse in itertools.pairwise(names):

        def gap(rows: np.ndarray, better: str = better, worse: str = worse) -> float:
            high, low = (
                outcome[rows][indicator[better][rows]],
                outcome[rows][indicator[worse][rows]],
            )
            return float(high.mean() - low.mean()) if len(high) and len(low) else 0.0

        values = np.array([gap(rows) for rows in draws])
        everyone = np.arange(len(outcome))
        rows.append(
            {"better": better, "worse": worse, "gap": gap(everyone), "interval": interval(values)}
        )
    return pd.DataFrame(rows)


def found_share(
    outcome: np.ndarray, tier: np.ndarray, names: list[str], draws: list[np.ndarray]
) -> dict[str, dict]:
    """Share of all wins found in A, in A+B, ...: {"A": {"share", "interval"}, "A+B": ...}."""
    found = {}
    for upto in range(1, len(names)):
        inside = np.isin(tier, names[:upto])
        values = [outcome[rows][inside[rows]].sum() / max(outcome[rows].sum(), 1) for rows in draws]
        found["+".join(names[:upto])] = {
            "share": float(outcome[inside].sum() / max(outcome.sum(), 1)),
            "contacted_share": float(inside.mean()),
            "interval": interval(np.array(values)),
        }
    return found


def auc_interval(outcome: np.ndarray, score: np.ndarray, draws: list[np.ndarray]) -> list[float]:
    """95 % interval of the AUC, weeks resampled."""
    return interval(np.array([auc(outcome[rows], score[rows]) for rows in draws]))


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


def judge(
    outcome: np.ndarray,
    tier: np.ndarray,
    score: np.ndarray,
    names: list[str],
    draws: list[np.ndarray],
    compared: dict[str, Any],
    weeks: np.ndarray,
    caveat: str = "",
) -> dict[str, Any]:
    """The judged span in one dict: verdict, sentence, tiers, auc, trend, found_share.

    weeks: the week (or block) of each row; caveat: what the sentence must not leave out.
    compared: metrics of compare_models. Where that step found no ranking the verdict is
    "cannot rank", `tiers` and `found_share` are empty, and what they would have been stands under
    `withheld`.
    """
    by_tier = conversion(outcome, tier, names, draws)
    inside = auc_in_weeks(outcome, score, weeks)
    z, p = trend(outcome, tier, names)
    auc_bounds = auc_interval(outcome, score, draws)
    gap = gaps(outcome, tier, names, draws)
    word, reason = verdict(auc_bounds[0], p, gap, inside["auc_in_weeks_interval"][0])
    issued = {
        "tiers": by_tier.to_dict("records"),
        "found_share": found_share(outcome, tier, names, draws),
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
    held = {"tiers": [], "found_share": {}, "withheld": issued}
    return found | held | {"verdict": "cannot rank", "sentence": compared["sentence"]}


def stair(by_tier: pd.DataFrame) -> str:
    """ "A / B / C converted at 42 / 21 / 7 % of 900 / 700 / 400 later rows"."""
    rates = " / ".join(f"{row.rate:.0%}"[:-1] if row.count else "–" for row in by_tier.itertuples())
    counts = " / ".join(f"{row.count:,}" for row in by_tier.itertuples())
    return f"{' / '.join(by_tier['name'])} converted at {rates} % of {counts} later rows"


def headline(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Cards: conversion of the first tier, AUC, share of wins in the first two tiers."""
    shown = result["withheld"] or result
    first, last = shown["tiers"][0], shown["tiers"][-1]
    upto, found = list(shown["found_share"].items())[-1]
    converts = "would have converted" if result["withheld"] else "converted"
    share = "share"
    return [
        {
            "label": f"tier {first['name']} {converts} at",
            "value": format_value(first["rate"], share),
            "interval": format_value(first["interval"], share),
            "note": f"tier {last['name']}: {format_value(last['rate'], share)}",
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
            "value": format_value(found["share"], share),
            "interval": format_value(found["interval"], share),
            "note": f"in {format_value(found['contacted_share'], share)} of the rows",
        },
    ]


def marks(result: dict[str, Any]) -> pd.DataFrame:
    """Ends of the tiers on the gains curve: name, contacted_share, share."""
    return pd.DataFrame(
        [
            {"name": name} | found
            for name, found in (result["withheld"] or result)["found_share"].items()
        ]
    )


def gains(outcome: np.ndarray, score: np.ndarray) -> pd.DataFrame:
    """Contacted share against the share of wins found, from the highest score down.

    Columns contacted_share, found_share, lift (found / contacted), rows of equal score together.
    """
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.r_[np.diff(score[order]) != 0, True]
    contacted = (np.arange(1, len(score) + 1) / len(score))[last_of_tie]
    found = (np.cumsum(outcome[order]) / max(outcome.sum(), 1))[last_of_tie]
    return pd.DataFrame(
        {"contacted_share": contacted, "found_share": found, "lift": found / contacted}
    )


def by_month(
    outcome: np.ndarray, tier: np.ndarray, names: list[str], month: np.ndarray
) -> pd.DataFrame:
    """Conversion per month and tier: month, tier, count, wins, rate (NaN where nobody was)."""
    table = pd.DataFrame({"month": month, "tier": tier, "won": outcome})
    grid = pd.MultiIndex.from_product([pd.unique(table["month"]), names], names=["month", "tier"])
    counted = table.groupby(["month", "tier"])["won"].agg(count="size", wins="sum").reindex(grid)
    counted = counted.fillna(0).astype(int).reset_index()
    return counted.assign(rate=counted["wins"] / counted["count"].where(counted["count"] > 0))
