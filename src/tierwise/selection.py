"""Which candidate is chosen, and does it rank at all? Rules fixed before anyone looks.

candidates: everywhere the table of `evaluation.summary`, one row per candidate, simplest first.
"""

import pandas as pd

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
