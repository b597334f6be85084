"""Which candidate is chosen, and does it rank at all? Rules fixed before anyone looks.

candidates: everywhere the table of `evaluation.summary`, one row per candidate, simplest first.
"""

import numpy as np
import pandas as pd

from tierwise.candidates import BLENDED, Searched, Settings, affordable, possible
from tierwise.rolling import Rolled, shared

OF_TREES = ("round_count", "depth", "shrinkage", "rate", "least_weight")
SEEN = {"value_ranks": "ranks", "value_rates": "value_rates"}
BASELINES = ("recent_rate",)


def choose(candidates: pd.DataFrame, tolerance_auc: float) -> str:
    """The simplest candidate whose AUC inside periods is within the tolerance of the best.

    candidates: rows of `summary` in the order from simplest up.
    """
    enough = candidates["auc"] >= candidates["auc"].max() - tolerance_auc
    return str(candidates.loc[enough, "candidate"].iloc[0])


def ranking(candidates: pd.DataFrame, rank_p: float, doubt_share: float) -> pd.DataFrame:
    """The candidates that rank at all (see `can_rank`), or all of them where none does.

    A baseline is printed and never chosen. The recent rate knows outcomes from inside the period
    that judges it: once many of its wins are past, fewer are left, so a slope that is negative by
    accident ranks pure noise above 0.5 there.
    """
    candidates = candidates[~candidates["candidate"].isin(BASELINES)]
    able = [can_rank(candidates, name, rank_p, doubt_share) for name in candidates["candidate"]]
    return candidates[able] if any(able) else candidates


def candidate(candidates: pd.DataFrame, chosen: str, able: bool, tolerance_auc: float) -> str:
    """The model to fit: the chosen one, or, where nothing ranks, what would have been tried."""
    if able:
        return chosen
    tried = candidates[~candidates["candidate"].isin(("base_rate", *BASELINES))]
    return choose(tried, tolerance_auc)


def can_rank(
    candidates: pd.DataFrame, chosen: str, rank_p: float, doubt_share: float = 0.05
) -> bool:
    """Whether the chosen candidate ranks, by two rules fixed before looking.

    Its order must be no accident (p below `rank_p`, shared among the candidates tried), and it
    must last: periods that differ as these do would make a coin look as good in less than
    `doubt_share` of all histories.
    """
    row = candidates.set_index("candidate").loc[chosen]
    tried = len(candidates) - 1
    return bool(row["rank_p"] * tried < rank_p and row["doubt_share"] < doubt_share)


def sentence(candidates: pd.DataFrame, chosen: str, able: bool) -> str:
    """What the comparison found, for a reader."""
    row = candidates.set_index("candidate").loc[chosen]
    name = chosen.replace("_", " ")
    low, high = row["auc_interval"]
    if not able:
        tried = candidates[~candidates["candidate"].isin(BASELINES)]
        best = tried.loc[tried["auc"].idxmax()]
        return (
            "No candidate's ranking of later periods can be told from chance, or lasts (best AUC "
            f"inside periods {best['auc']:.3f}, {best['candidate'].replace('_', ' ')}): tiers are "
            "not issued."
        )
    return (
        f"Yes: {name} is the simplest that ranks as well as any, with AUC {row['auc']:.3f} inside "
        f"later periods (95 % interval {low:.3f} to {high:.3f})."
    )


def settings(
    searched: Searched, rolled: Rolled, features: pd.DataFrame, outcome: np.ndarray
) -> pd.DataFrame:
    """What the search has chosen for the parts of the blend, a row each, and what it tried.

    features, outcome: all that is known now; with few outcomes trees stay smaller than their
    settings allow, and the table has what is fitted. Columns: candidate, half_life (in rows),
    tree_depth, rounds_count, value_ranks, value_rates (does it see them?), blend_weight (NaN
    without a blend), settings_count, fits_count (of a period). No rows where neither was compared.
    """
    weights = dict(zip(BLENDED, rolled.weights, strict=False))
    compared = [name for name in BLENDED if name in rolled.settings]
    tried = {name: possible(searched[name], features) for name in compared}
    chosen = {name: rolled.settings[name] for name in compared}
    rows = {
        "candidate": compared,
        "half_life": [half_life(found) for found in chosen.values()],
        "tree_depth": [size(name, found, outcome, "depth") for name, found in chosen.items()],
        "rounds_count": [
            size(name, found, outcome, "round_count") for name, found in chosen.items()
        ],
        **{
            name: ["yes" if found.get(key) else "no" for found in chosen.values()]
            for name, key in SEEN.items()
        },
        "blend_weight": [weights.get(name, np.nan) for name in compared],
        "settings_count": [len(tried[name]) for name in compared],
        "fits_count": [len(shared(tried[name])) for name in compared],
    }
    return pd.DataFrame(rows).astype({"tree_depth": "Int64", "rounds_count": "Int64"})


def half_life(found: Settings) -> str:
    count = found.get("half_life_count")
    return f"{count:,} rows" if count else "none"


def size(name: str, found: Settings, outcome: np.ndarray, what: str) -> int | None:
    """Depth or rounds of the trees that are fitted; None for what has no trees."""
    if name != "recent_boosting":
        return None
    used = affordable(outcome, **{key: found[key] for key in OF_TREES if key in found})
    return int(used[what])


def budget(settings: pd.DataFrame) -> str:
    """What the search may cost, for a reader. settings: of the function of this name."""
    fits = settings.set_index("candidate")["fits_count"]
    if (settings["settings_count"] == 1).all():
        return "Nothing is searched: each candidate has one setting."
    return (
        f"The whole search: {settings['settings_count'].sum()} settings in {fits.sum()} fits a "
        f"period, {fits['recent_boosting']} of them of trees, however many rows there are. Trees "
        "that differ only in the round after which they stop share a fit. Another setting than the "
        "first is taken only where past periods are ranked surely better with it."
    )
