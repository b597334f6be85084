"""Tiers: cuts frozen on earlier rows, what each tier holds later, and the rank as another way.

A frozen cut keeps the meaning of a tier: an A of today is as good as an A of yesterday, and there
may be many of them or none. A rank inside each list keeps the size: a fifth of the list is A,
however good or bad the list is.
"""

import itertools

import numpy as np
import pandas as pd
from scipy.stats import norm

from tierwise import draws as drawing
from tierwise.draws import Draws, interval
from tierwise.evaluation import newcombe, wider, wilson
from tierwise.files import InputError

FROZEN, RANKED = "frozen cuts", "rank within the list"
FORMATS = dict.fromkeys(
    ["share", "rate", "interval", "found_share", "gap", "gap_interval"], "share"
)
# How far the share of a tier may leave its plan before frozen cuts are given up.
SIZE_TOLERANCE_SHARE = 0.05


def check_shares(shares: dict[str, float]) -> None:
    """Raises InputError unless shares name two tiers or more, are above 0 and add up to 1."""
    if len(shares) < 2 or abs(sum(shares.values()) - 1) > 1e-9 or min(shares.values()) <= 0:
        raise InputError(
            "tier_shares must name at least two tiers, be above 0 and add up to 1; params.yaml "
            f"gives {shares}."
        )


def cuts(score: np.ndarray, shares: dict[str, float]) -> dict[str, float]:
    """Lowest score of each tier but the last, from the shares wanted on these rows.

    shares: from the best tier down, adding up to 1. Rows with equal scores share a tier, so the
    shares reached can differ.
    """
    check_shares(shares)
    upto = np.cumsum(list(shares.values()))[:-1]
    lowest = np.quantile(score, 1 - upto, method="higher")
    return {name: float(value) for name, value in zip(shares, lowest, strict=False)}


def assign(score: np.ndarray, tier_cuts: dict[str, float], last: str) -> np.ndarray:
    """The best tier whose cut a score reaches, `last` below all cuts. Shape (n,)."""
    names = list(tier_cuts)
    reached = [score >= tier_cuts[name] for name in names]
    return np.select(reached, names, default=last)


def assign_by_rank(score: np.ndarray, lists: np.ndarray, shares: dict[str, float]) -> np.ndarray:
    """Tiers by rank inside each list, of exactly the shares wanted. Shape (n,).

    lists: the list (a day, a week) each row stands on, shape (n,). In a list of n rows tier borders
    lie at share * n, rounded to whole rows, halves up. Of equal scores the earlier row ranks first,
    so equals can fall into two tiers, and always the same way.
    """
    check_shares(shares)
    upto = np.cumsum(list(shares.values()))
    rank, size = ranks(score, lists)
    # 0.2 + 0.3 is a hair off 0.5: without the margin a half would be rounded down.
    borders = np.floor(np.outer(upto, size) + 0.5 + 1e-9)
    return np.array(list(shares))[(rank >= borders[:-1]).sum(axis=0)]


def ranks(score: np.ndarray, lists: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank of each row on its list, the best 0, and the size of that list. Shapes (n,)."""
    order = np.argsort(-score, kind="stable")
    position, _ = pd.factorize(pd.Series(lists)[order], use_na_sentinel=False)
    rank, size = np.empty(len(score), dtype=int), np.empty(len(score), dtype=int)
    rank[order] = pd.Series(position).groupby(position).cumcount().to_numpy()
    size[order] = np.bincount(position)[position]
    return rank, size


def standing(way: str, score: np.ndarray, lists: np.ndarray) -> np.ndarray:
    """What tiers go by: the score itself, or the share of the own list that ranks no higher."""
    if way == FROZEN:
        return score
    rank, size = ranks(score, lists)
    return 1 - rank / size


def conversion(
    outcome: np.ndarray, tier: np.ndarray, names: list[str], draws: Draws | None = None
) -> pd.DataFrame:
    """Per tier: name, count, share, wins, rate and its 95 % interval.

    With `draws` the interval comes from weeks, and owners, drawn again, since their rows share
    their luck. Without, and where nobody or everybody won, it is Wilson's for independent rows.
    """
    rows = []
    for name in names:
        inside = tier == name
        count, wins = int(inside.sum()), int(outcome[inside].sum())
        rows.append(
            {
                "name": name,
                "count": count,
                "share": count / len(outcome),
                "wins": wins,
                "rate": wins / count if count else None,
                "interval": rate_interval(outcome, inside, draws),
            }
        )
    return pd.DataFrame(rows)


def rate_interval(outcome: np.ndarray, inside: np.ndarray, draws: Draws | None) -> list[float]:
    """95 % interval of the share of wins among the rows inside, never less wide than Wilson's.

    Few weeks can look alike by luck, and the rows of a single one show no spread at all.
    """
    count, wins = int(inside.sum()), int(outcome[inside].sum())
    alone = wilson(wins, count)
    if draws is None or wins in (0, count):
        return alone
    return wider(alone, interval(draws, lambda drawn: drawn.mean(outcome, inside)))


def gaps(outcome: np.ndarray, tier: np.ndarray, names: list[str], draws: Draws) -> pd.DataFrame:
    """Rate of each tier minus the next one's: better, worse, gap, interval.

    The interval is never less wide than Newcombe's for independent rows. The gap is 0 and the
    interval everything where one of the two has no rows.
    """
    rows = []
    for better, worse in itertools.pairwise(names):
        high, low = tier == better, tier == worse

        def gap(drawn: Draws, high: np.ndarray = high, low: np.ndarray = low) -> np.ndarray:
            return np.nan_to_num(drawn.mean(outcome, high) - drawn.mean(outcome, low))

        seen = float(gap(draws.as_seen())[0])
        counts = int(high.sum()), int(low.sum())
        alone = newcombe((outcome[high].sum(), outcome[low].sum()), counts)
        ends = wider(alone, interval(draws, gap, lowest=-1.0))
        rows.append({"better": better, "worse": worse, "gap": seen, "interval": ends})
    return pd.DataFrame(rows, columns=["better", "worse", "gap", "interval"])


def trend(
    outcome: np.ndarray, tier: np.ndarray, names: list[str], draws: Draws | None = None
) -> tuple[float, float]:
    """Cochran-Armitage test that conversion rises from the last tier to the first: z, one-sided p.

    With equally spaced tiers, z = r * sqrt(n) for the correlation r of tier and outcome
    (Armitage 1955). z = 0 and p = 1 where one tier or one outcome is left. Without draws, rows
    count as independent; with them z is divided by the root of the design effect, since rows that
    share their luck say less (Rao and Scott 1992, Biometrics 48).
    """
    rank = np.array([len(names) - names.index(name) for name in tier], dtype=float)
    if rank.std() == 0 or outcome.std() == 0:
        return 0.0, 1.0
    z = float(np.corrcoef(rank, outcome)[0, 1] * np.sqrt(len(outcome)))
    if draws is not None:
        z /= float(np.sqrt(trend_effect(outcome, rank, draws)))
    return z, float(norm.sf(z))


def trend_effect(outcome: np.ndarray, rank: np.ndarray, draws: Draws) -> float:
    """Design effect of the slope of conversion by tier, 1 or above.

    The slope's variance over draws of weeks and owners, over that of independent rows around the
    same line (Kish 1965).
    """

    def slope(drawn: Draws) -> np.ndarray:
        count, both = drawn.sums(np.ones(len(rank))), drawn.sums(rank * outcome)
        ranks, wins, squares = (drawn.sums(v) for v in (rank, outcome, rank**2))
        spread = count * squares - ranks**2
        return drawing.ratio(count * both - ranks * wins, spread)

    seen = slope(draws.as_seen())
    centred = rank - rank.mean()
    left = outcome - outcome.mean() - seen[0] * centred
    alone = ((centred * left) ** 2).sum() / (centred**2).sum() ** 2
    together = drawing.variance(draws, slope, slope(draws) - seen)
    return max(1.0, together / alone) if alone > 0 else 1.0


def trend_card(z: float, p: float) -> dict[str, str]:
    """A card for the trend over all tiers."""
    note = "Cochran-Armitage; weeks and owners share their luck"
    told = "p below 0.001" if p < 0.001 else f"p = {p:.3f}"
    label = "conversion falls from tier to tier, z"
    return {"label": label, "value": f"{z:.1f}", "note": f"{told}; {note}"}


def compare(
    outcome: np.ndarray, frozen: np.ndarray, ranked: np.ndarray, names: list[str], draws: Draws
) -> pd.DataFrame:
    """Both ways on the same later rows, a row per way and tier.

    frozen, ranked: tiers of `assign` and of `assign_by_rank`. Columns: way, name, count, share,
    wins, rate, interval, found_share (of all wins, in this tier), gap to the next tier and
    gap_interval; None in the last tier.
    """
    tables = []
    for way, tier in ((FROZEN, frozen), (RANKED, ranked)):
        table = conversion(outcome, tier, names, draws)
        gap = gaps(outcome, tier, names, draws)
        table.insert(0, "way", way)
        table["found_share"] = table["wins"] / max(outcome.sum(), 1)
        table["gap"] = pd.Series([*gap["gap"], None], dtype=object)
        table["gap_interval"] = pd.Series([*gap["interval"], None], dtype=object)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def way_of(score: np.ndarray, shares: dict[str, float]) -> tuple[str, str]:
    """(the way to give tiers, the reason): told before any later outcome, by sizes alone.

    score: of earlier rows in time order, each by a model that had not seen it. Cuts from their
    first half are tried on the second. Frozen cuts promise a rate and are taken where no size
    leaves the plan by more than five points, or by more than luck explains with so few rows: two
    standard errors of the difference between two independent shares. Where scores follow a level
    that moves, only ranks within the list now open keep tier A as long as the team can work.
    """
    half = len(score) // 2
    if half == 0:
        return RANKED, "fewer than two earlier rows say nothing about cuts"
    names, planned = list(shares), np.array(list(shares.values()))
    tried = assign(score[half:], cuts(score[:half], shares), names[-1])
    off = np.abs([float(np.mean(tried == name)) for name in names] - planned)
    error = np.sqrt(planned * (1 - planned) * (1 / half + 1 / (len(score) - half)))
    by = f"{off.max():.0%}"
    if (off <= np.maximum(SIZE_TOLERANCE_SHARE, 2 * error)).all():
        return FROZEN, f"on earlier rows no tier left its planned share by more than {by}"
    return RANKED, f"on earlier rows cuts would have left the planned shares by {by}"


def given(
    way: str,
    score: np.ndarray,
    lists: np.ndarray,
    tier_cuts: dict[str, float],
    shares: dict[str, float],
) -> np.ndarray:
    """Tiers of these rows in one of the two ways, shape (n,). lists: see `assign_by_rank`."""
    if way == RANKED:
        return assign_by_rank(score, lists, shares)
    return assign(score, tier_cuts, list(shares)[-1])


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
