"""From many worlds to shares: how often intervals hold the truth, and how often it can rank."""

from typing import Any

import numpy as np
from scipy.stats import binomtest, norm
from sizes_worlds import CHOSEN, FIXED

from tierwise.evaluation import wilson

TITLES = (CHOSEN, *FIXED)


def share_of(hits: list[bool]) -> dict[str, Any]:
    """A share with two 95 % intervals: Wilson's, and the exact one (Clopper and Pearson 1934)."""
    count, of = int(sum(hits)), len(hits)
    exact = binomtest(count, of).proportion_ci(method="exact") if of else (0.0, 1.0)
    found = {"count": count, "of": of, "share": count / of if of else None}
    return found | {"interval": wilson(count, of), "exact_interval": list(map(float, exact))}


def mean_of(values: list[float]) -> dict[str, Any]:
    """A mean over worlds with its 95 % interval; None where there are fewer than two."""
    if len(values) < 2:
        return {"mean": values[0] if values else None, "interval": None}
    mean = float(np.mean(values))
    half = norm.ppf(0.975) * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return {"mean": mean, "interval": [mean - half, mean + half]}


def holds(interval: list[float], true: float) -> bool:
    return interval[0] <= true <= interval[1]


def summed(worlds: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of one kind of world from its records, see `sizes_worlds.judged`."""
    ways = [world["way"] for world in worlds]
    chosen = [world["candidate"] for world in worlds]
    return {
        "worlds_count": len(worlds),
        "can_rank": share_of([world["can_rank"] for world in worlds]),
        "supported": share_of([world["verdict"] == "supported" for world in worlds]),
        "period_counts": counted([str(world["period_count"]) for world in worlds]),
        "chosen": counted(chosen),
        "ways": counted(ways),
        "auc": {title: ranked([world["auc"][title] for world in worlds]) for title in TITLES},
        "tiers": {
            name: promised([world["tiers"][at] for world in worlds])
            for at, name in enumerate(row["name"] for row in worlds[0]["tiers"])
        },
    }


def counted(names: list[str]) -> dict[str, int]:
    """How often each occurs, the most frequent first."""
    return {
        name: names.count(name) for name in sorted(set(names), key=lambda n: (-names.count(n), n))
    }


def ranked(found: list[dict[str, Any]]) -> dict[str, Any]:
    """AUC inside periods: what was judged, what is true, and how often the interval holds it."""
    return {
        "coverage": share_of([holds(one["interval"], one["true"]) for one in found]),
        "bias": mean_of([one["judged"] - one["true"] for one in found]),
        "width": float(np.mean([np.diff(one["interval"])[0] for one in found])),
        **{
            name: float(np.mean([one[name] for one in found]))
            for name in ("judged", "true", "best")
        },
    }


def promised(found: list[dict[str, Any]]) -> dict[str, Any]:
    """One tier of the later rows: only worlds in which it has a row say something."""
    filled = [one for one in found if one["count"]]
    return {
        "coverage": share_of([holds(one["interval"], one["true"]) for one in filled]),
        "empty": share_of([not one["count"] for one in found]),
        "bias": mean_of([one["rate"] - one["true"] for one in filled]),
        "width": float(np.mean([np.diff(one["interval"])[0] for one in filled]))
        if filled
        else None,
        "rows_count": float(np.mean([one["count"] for one in found])),
    }
