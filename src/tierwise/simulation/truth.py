r"""How a deal's fate is drawn, and so the true chance that an open deal will be won.

    life           from the opening, or from a reopening, until the deal is closed
    fate           won, lost or gone (deleted, or merged into another deal)
    days           clock days, see clock.py; ages count from the moment we learned of the opening

A life draws its fate, then the days until we learn of it. With F the share of a fate that is
closed by some age, a life that is open at age a is won within the next h days with chance

    won (F_won(a+h) - F_won(a))
    / (won (1-F_won(a)) + lost (1-F_lost(a)) + gone (1-F_gone(a)))

which is Bayes' rule over the three fates. A reopening after the loss is not part of it: it comes
50 days after the loss at the earliest, so the chance is exact for horizons up to 50 days.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.simulation import clock

FATES = ("won", "lost", "gone")
# Weibull distributions: closed_share(days) = 1 - exp(-(days/scale)^shape)
WON_SHAPE, LOST_SHAPE, GONE_SHAPE = 1.5, 1.4, 1.0
# Of the losses so many are left lying instead of being closed.
SLOW_SHARE, SLOW_DAYS, SLOW_SHAPE = 0.04, 170.0, 2.0


def scale(median_days: np.ndarray | float, shape: float) -> np.ndarray | float:
    """The scale at which half is closed after median_days."""
    return median_days / np.log(2) ** (1 / shape)


def closed_share(days: np.ndarray, scale_days: np.ndarray | float, shape: float) -> np.ndarray:
    return -np.expm1(-((days / scale_days) ** shape))


def closed_shares(days: np.ndarray, lives: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Of each fate the share that is closed by these ages, one row of lives per age."""
    slow = closed_share(days, SLOW_DAYS, SLOW_SHAPE)
    quick = closed_share(days, lives["lost_days"].to_numpy(), LOST_SHAPE)
    return (
        closed_share(days, lives["won_days"].to_numpy(), WON_SHAPE),
        SLOW_SHARE * slow + (1 - SLOW_SHARE) * quick,
        closed_share(days, lives["gone_days"].to_numpy(), GONE_SHAPE),
    )


def draw_fates(lives: pd.DataFrame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Fate of each life, as its number in FATES, and the days until we learn of it."""
    count = len(lives)
    won, gone = lives["won_share"].to_numpy(), lives["gone_share"].to_numpy()
    drawn = rng.random(count)
    fate = np.where(drawn < won, 0, np.where(drawn < 1 - gone, 1, 2))
    slow = rng.random(count) < SLOW_SHARE
    days = {
        0: lives["won_days"] * rng.weibull(WON_SHAPE, count),
        1: np.where(
            slow,
            SLOW_DAYS * rng.weibull(SLOW_SHAPE, count),
            lives["lost_days"] * rng.weibull(LOST_SHAPE, count),
        ),
        2: lives["gone_days"] * rng.weibull(GONE_SHAPE, count),
    }
    return fate, np.choose(fate, [np.asarray(days[number]) for number in range(3)])


def life_rows(truth_table: pd.DataFrame, deal_id: np.ndarray, as_of: np.ndarray) -> np.ndarray:
    """Row of the sorted table that holds the life a deal is in, or its first one if not begun."""
    ids, began = truth_table["deal_id"].to_numpy(), truth_table["began_at"].to_numpy()
    rows = np.searchsorted(ids, deal_id)
    unknown = (rows == len(ids)) | (ids[np.minimum(rows, len(ids) - 1)] != deal_id)
    if unknown.any():
        raise InputError(
            f"deal_id {np.asarray(deal_id)[unknown][0]} is not in the truth table; "
            "tables and truth must be written by the same run."
        )
    for _ in range(int(truth_table["life"].max()) - 1):
        later = np.minimum(rows + 1, len(ids) - 1)
        rows = np.where((ids[later] == deal_id) & (began[later] <= as_of), later, rows)
    return rows


def chances(
    truth_table: pd.DataFrame, deal_id: np.ndarray, as_of: np.ndarray, horizon_days: float
) -> np.ndarray:
    """True chance that a deal that is open at as_of is won within horizon_days after it.

    truth_table: what read() gives. deal_id and as_of (datetime64[us], UTC): one per chance, shape
    (n,), in any order. NaN where the deal is not known yet at as_of.
    """
    if len(deal_id) == 0:
        return np.zeros(0)
    as_of = np.asarray(as_of, "datetime64[us]")
    table = truth_table.sort_values(["deal_id", "life"], ignore_index=True)
    lives = table.iloc[life_rows(table, np.asarray(deal_id), as_of)]
    began_at = lives["began_at"].to_numpy()
    began, now = clock.office_days(began_at), clock.office_days(as_of)
    horizon = np.timedelta64(round(horizon_days * 86_400_000_000), "us")
    age = np.maximum(now - began, 0)
    then = np.maximum(clock.office_days(as_of + horizon) - began, 0)
    won, gone = lives["won_share"].to_numpy(), lives["gone_share"].to_numpy()
    won_now, lost_now, gone_now = closed_shares(age, lives)
    won_then = closed_shares(then, lives)[0]
    still = won * (1 - won_now) + (1 - won - gone) * (1 - lost_now) + gone * (1 - gone_now)
    return np.where(as_of >= began_at, won * (won_then - won_now) / still, np.nan)


def read(folder: Path) -> pd.DataFrame:
    """The truth table of a world, one row per life, from the folder that world.write filled."""
    path = folder / "lives.parquet"
    parts = [path] if path.is_file() else sorted((folder / "lives").glob("*.parquet"))
    if not parts:
        raise InputError(f"{folder} holds no truth table; write it with --truth.")
    return pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)
