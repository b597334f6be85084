"""Does the ranking keep its promise on later data? Measures and their intervals.

Names follow scikit-learn: `*_loss`, `*_error`, `brier` are to be minimised; `auc*`,
`average_precision`, `captured_share` maximised. Every measure of ranking comes twice: pooled
over all periods (mixes level and ranking) and inside periods (where the level has less to say).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import norm, t
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss

from tierwise import candidates
from tierwise.leakage import auc

BOOTSTRAP_COUNT = 1000
BIN_COUNT = 10
# A chance of exactly 0 or 1 would make one surprise cost infinitely much.
CHANCE_FLOOR = 1e-6
WORST_LOSS = float(-np.log(CHANCE_FLOOR))
CONFIDENCE = 0.95
SMALL = 1e-9


def captured_share(outcome: np.ndarray, score: np.ndarray, contacted_share: float) -> float:
    """Share of all wins among the `contacted_share` of rows with the highest score.

    Rows that tie at the border count by the share of them that fits, so the order in which a
    file lists equals changes nothing. NaN without a win.
    """
    room = contacted_share * len(score)
    border = np.sort(score)[::-1][min(int(np.ceil(room)), len(score)) - 1] if room else np.inf
    above, tied = score > border, score == border
    fits = (room - above.sum()) / tied.sum() if tied.any() else 0.0
    wins = outcome.sum()
    return float((outcome[above].sum() + fits * outcome[tied].sum()) / wins) if wins else np.nan


def reliability(
    outcome: np.ndarray, chance: np.ndarray, bin_count: int = BIN_COUNT
) -> pd.DataFrame:
    """Promised against realised share in bins of equal count, ascending by chance.

    Columns: count, wins, chance (mean promised), rate (realised), interval (95 %, Wilson 1927).
    Rows with one and the same chance count with their mean outcome, so the order in which a file
    lists equals changes nothing; `wins` can be a fraction then.
    """
    shared = pd.Series(outcome, dtype=float).groupby(np.asarray(chance)).transform("mean")
    outcome = shared.to_numpy()
    order = np.argsort(chance, kind="stable")
    bins = [rows for rows in np.array_split(order, bin_count) if len(rows)]
    wins = [float(outcome[rows].sum()) for rows in bins]
    intervals = [wilson(round(won), len(rows)) for won, rows in zip(wins, bins, strict=True)]
    return pd.DataFrame(
        {
            "count": [len(rows) for rows in bins],
            "wins": wins,
            "chance": [chance[rows].mean() for rows in bins],
            "rate": [outcome[rows].mean() for rows in bins],
            "interval": intervals,
        }
    )


def wilson(wins: float, count: float, confidence: float = 0.95) -> list[float]:
    """[low, high] for a share (Wilson 1927), without correction; [0, 1] where nothing was seen."""
    if count == 0:
        return [0.0, 1.0]
    z, share = norm.ppf(0.5 + confidence / 2), wins / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return [max(0.0, float(middle - half)), min(1.0, float(middle + half))]


def newcombe(wins: tuple[float, float], counts: tuple[int, int]) -> list[float]:
    """[low, high] for one share minus another from their Wilson intervals, [-1, 1] without rows.

    Newcombe 1998 (Statistics in Medicine 17), method 10, for independent rows.
    """
    if not all(counts):
        return [-1.0, 1.0]
    one, other = (won / count for won, count in zip(wins, counts, strict=True))
    ends, others = (wilson(won, count) for won, count in zip(wins, counts, strict=True))
    down = np.hypot(one - ends[0], others[1] - other)
    up = np.hypot(ends[1] - one, other - others[0])
    return [max(-1.0, float(one - other - down)), min(1.0, float(one - other + up))]


def wider(one: list[float], other: list[float]) -> list[float]:
    """The interval that holds both."""
    return [min(one[0], other[0]), max(one[1], other[1])]


def calibration_error(outcome: np.ndarray, chance: np.ndarray) -> float:
    """Expected calibration error over ten bins of equal count, in [0, 1].

    Naeini, Cooper and Hauskrecht 2015 (AAAI), with equal-count in place of equal-width bins.
    """
    bins = reliability(outcome, chance)
    return float(np.average(np.abs(bins["chance"] - bins["rate"]), weights=bins["count"]))


def measures(outcome: np.ndarray, chance: np.ndarray, contacted_share: float) -> dict[str, float]:
    """Every measure of one set of chances. NaN where one class alone leaves it undefined."""
    clipped = np.clip(chance, CHANCE_FLOOR, 1 - CHANCE_FLOOR)
    both = len(np.unique(outcome)) == 2
    return {
        "log_loss": float(log_loss(outcome, clipped, labels=[0, 1])),
        "brier": float(brier_score_loss(outcome, clipped, labels=[0, 1])),
        "auc": auc(outcome, chance) if both else np.nan,
        "average_precision": float(average_precision_score(outcome, chance)) if both else np.nan,
        "captured_share": captured_share(outcome, chance, contacted_share),
        "calibration_error": calibration_error(outcome, chance),
    }


RANKING = ("auc", "average_precision", "captured_share")


def by_period(table: pd.DataFrame, names: list[str], contacted_share: float) -> pd.DataFrame:
    """The log of the rolling origin: a row per candidate and period with counts and measures.

    `weight` is the size of the rarer class: a period with three wins says little about ranking.
    """
    found = []
    for number, rows in table.groupby("period", sort=True):
        outcome = rows["outcome"].to_numpy()
        counts = {"rows_count": len(rows), "wins_count": int(outcome.sum())}
        weight = min(counts["wins_count"], len(rows) - counts["wins_count"])
        for name in names:
            found.append(
                {"candidate": name, "period": number, **counts, "weight": weight}
                | measures(outcome, rows[name].to_numpy(), contacted_share)
            )
    return pd.DataFrame(found)


def averaged(log: pd.DataFrame, draws: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Measure by measure, the mean over periods for every draw of periods, shape (n_draws,)."""
    for name in ("log_loss", "brier", *RANKING):
        weights = log["weight" if name in RANKING else "rows_count"].to_numpy(dtype=float)
        values = log[name].fillna(0.5).to_numpy()
        total = weights[draws].sum(axis=1)
        yield name, (weights * values)[draws].sum(axis=1) / np.where(total > 0, total, 1.0)


def period_draws(period_count: int) -> np.ndarray:
    """The periods as they are, then resampled with replacement, shape (1 + 1000, n_periods)."""
    random = np.random.default_rng(candidates.SEED)
    drawn = random.integers(period_count, size=(BOOTSTRAP_COUNT, period_count))
    return np.vstack([np.arange(period_count), drawn])


def interval(
    values: np.ndarray, groups_count: int, lowest: float = 0.0, highest: float = 1.0
) -> list[float]:
    """95 % interval [low, high] of a figure, inside its lowest and highest possible value.

    values: the figure as seen, then that of every draw of the groups. Percentiles of the draws, as
    far further from the figure as few groups ask: see `corrected` and `student`. Of one group
    nothing is known but the figure: [lowest, highest].
    """
    if groups_count < 2:
        return [lowest, highest]
    seen, tail = values[0], (1 - CONFIDENCE) / 2
    wider = np.sqrt(corrected(groups_count)) * student(groups_count)
    ends = seen + wider * (np.quantile(values[1:], [tail, 1 - tail]) - seen)
    return [float(end) for end in np.clip(ends, lowest, highest)]


def corrected(groups_count: int) -> float:
    """g / (g - 1): draws of g groups vary less than the groups do. 1.0 for one, that cannot."""
    return groups_count / (groups_count - 1) if groups_count > 1 else 1.0


def student(groups_count: int) -> float:
    """How much wider Student's t with g - 1 degrees of freedom makes an interval than the normal.

    As Cameron, Gelbach and Miller 2011 (Journal of Business & Economic Statistics 29) advise for
    few groups. 1.0 for one.
    """
    upper = (1 + CONFIDENCE) / 2
    return float(t.ppf(upper, groups_count - 1) / norm.ppf(upper)) if groups_count > 1 else 1.0


def rank_p(log: pd.DataFrame) -> float:
    """One-sided p of an AUC inside periods this high if the order were random.

    log: one candidate's rows of `by_period`. In a period with m wins and n losses the AUC of a
    random order has mean 1/2 and variance (m + n + 1) / (12 m n) (Mann and Whitney 1947; ties
    make it smaller, so the p is on the safe side).
    """
    log = log[log["weight"] > 0]
    if log.empty:
        return 1.0
    wins, losses = log["wins_count"], log["rows_count"] - log["wins_count"]
    variance = (wins + losses + 1) / (12 * wins * losses)
    share = log["weight"] / log["weight"].sum()
    z = (share * (log["auc"] - 0.5)).sum() / np.sqrt((share**2 * variance).sum())
    return float(norm.sf(z))


def auc_variance(log: pd.DataFrame, auc: float) -> float:
    """Variance of the mean AUC inside periods if it were `auc` in truth.

    log: one candidate's rows of `by_period` with a weight. The larger of two: what the luck of
    single rows gives (Hanley and McNeil 1982, with exponential scores), and what the periods
    differ by. A few periods can agree by accident; the rows alone know nothing of periods.
    """
    wins, losses = log["wins_count"], log["rows_count"] - log["wins_count"]
    share, count = log["weight"] / log["weight"].sum(), len(log)
    two_wins, two_losses = auc / (2 - auc) - auc**2, 2 * auc**2 / (1 + auc) - auc**2
    by_row = auc * (1 - auc) + (wins - 1) * two_wins + (losses - 1) * two_losses
    inside = (share**2 * by_row / (wins * losses)).sum()
    away = log["auc"] - (share * log["auc"]).sum()
    between = (share**2 * away**2).sum() * count / max(count - 1, 1)
    return float(max(inside, between))


def auc_interval(log: pd.DataFrame, confidence: float = 0.95) -> list[float]:
    """[low, high]: every AUC that the mean inside periods does not speak against.

    Those within z standard errors, each of them with the standard error it would have itself
    (Newcombe 2006, Statistics in Medicine 25, method 5): honest for a few periods of few wins,
    and never beyond 0 or 1. log: one candidate's rows of `by_period`. [0, 1] without two classes.
    """
    log = log[log["weight"] > 0]
    if log.empty:
        return [0.0, 1.0]
    z, seen = norm.ppf(0.5 + confidence / 2), np.average(log["auc"], weights=log["weight"])

    def room(auc: float) -> float:
        return abs(auc - seen) - z * np.sqrt(auc_variance(log, auc))

    low = brentq(room, 0.0, seen - SMALL) if seen > SMALL and room(0.0) > 0 else 0.0
    high = brentq(room, seen + SMALL, 1.0) if seen < 1 - SMALL and room(1.0) > 0 else 1.0
    return [float(low), float(high)]


def doubt_share(log: pd.DataFrame) -> float:
    """How likely a coin would have ranked as well: one-sided, with the variance at AUC 1/2.

    Where periods differ no more than the luck of rows explains, this is `rank_p`.
    """
    log = log[log["weight"] > 0]
    if log.empty:
        return 1.0
    seen = np.average(log["auc"], weights=log["weight"])
    return float(norm.sf((seen - 0.5) / np.sqrt(auc_variance(log, 0.5))))


def summary(table: pd.DataFrame, log: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """One row per candidate: measures inside periods with intervals by `interval` over periods.

    The interval of the AUC is that of `auc_interval`, since a handful of periods drawn again knows
    too little. Pooled AUC and calibration error are over all judged rows at once.
    """
    periods_count = table["period"].nunique()
    draws = period_draws(periods_count)
    outcome = table["outcome"].to_numpy()
    rows = []
    for name in names:
        own = log[log["candidate"] == name]
        row: dict[str, Any] = {"candidate": name, "rank_p": rank_p(own)}
        row["doubt_share"] = doubt_share(own)
        for measure, values in averaged(own, draws):
            row[measure] = float(values[0])
            highest = WORST_LOSS if measure == "log_loss" else 1.0
            row[f"{measure}_interval"] = interval(values, periods_count, highest=highest)
        row["auc_interval"] = auc_interval(own)
        row["auc_pooled"] = auc(outcome, table[name].to_numpy())
        row["calibration_error"] = calibration_error(outcome, table[name].to_numpy())
        rows.append(row)
    return pd.DataFrame(rows)
