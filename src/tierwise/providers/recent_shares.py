"""Shares of providers whose past counts the less the older it is; how fast is learned.

    successes k = sum of 0.5^(age / half-life) over successes      trials n = the same over all

Both go into the beta prior of shrinkage.py, as raw counts would (weighted likelihood: Hu, Zidek,
Can. J. Stat. 30(3), 2002). A half-life is chosen by what it would have foretold at earlier times,
each time from what was known then (Dawid, "Statistical theory: the prequential approach", J. R.
Stat. Soc. A 147(2), 1984). Providers change, so a long clean record can say less than last month.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.shrinkage import LEVEL, beta_prior, shrunk_shares

COLUMNS = ("provider", "at_days", "outcome")
HALF_LIVES_DAYS = (np.inf, 730.0, 365.0, 180.0, 90.0, 45.0)
LEAST_CHANCE = 1e-6  # in a logarithm


def counted(events: pd.DataFrame, as_of_days: float, half_life_days: float) -> pd.DataFrame:
    """Per provider, index provider: event_count, successes, trials, of events before as_of_days.

    events: provider, at_days (when the outcome was known; any origin), outcome (0 or 1). Raises
    InputError where a column is missing, an outcome is neither, or nothing is known yet.
    """
    known = checked(events)
    known = known[known["at_days"] < as_of_days]
    if known.empty:
        raise InputError(f"No outcome is known before day {as_of_days:g}. Give a later time.")
    weight = 0.5 ** ((as_of_days - known["at_days"]) / half_life_days)
    rows = pd.DataFrame(
        {"event_count": 1, "successes": weight * known["outcome"], "trials": weight}
    )
    return rows.groupby(known["provider"]).sum().rename_axis("provider")


def checked(events: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in COLUMNS if name not in events]
    if missing:
        raise InputError(f"Events need the column {' and '.join(missing)}. Rename the columns.")
    wrong = ~events["outcome"].isin([0, 1])
    if wrong.any():
        value = events.loc[wrong, "outcome"].iloc[0]
        raise InputError(f"outcome must be 0 or 1, found {value}. Leave out what is not known.")
    return events


def foretold(
    events: pd.DataFrame, as_of_days: float, half_life_days: float, level: float = LEVEL
) -> pd.DataFrame:
    """The counts with share, low, high and sd per provider, index provider."""
    counts = counted(events, as_of_days, half_life_days)
    k, n = counts["successes"].to_numpy(), counts["trials"].to_numpy()
    shares = shrunk_shares(k, n, beta_prior(k, n), level)
    return counts.join(shares.set_axis(counts.index))


def losses(
    events: pd.DataFrame,
    looks_days: Sequence[float],
    half_lives_days: Sequence[float] = HALF_LIVES_DAYS,
) -> pd.DataFrame:
    """What each half-life would have foretold: look_days, half_life_days, event_count, log_loss.

    At each look but the last, shares from what was known are judged on the outcomes up to the next
    look, of providers known by then. log_loss: mean per outcome, NaN where there was none.
    """
    if len(looks_days) < 2 or list(looks_days) != sorted(set(looks_days)):
        raise InputError(f"Looks must be two or more, and rise; found {list(looks_days)}.")
    at = checked(events)["at_days"]
    rows = []
    for look, end in pairwise(looks_days):
        ahead = events[(at >= look) & (at < end)]
        for half_life in half_lives_days:
            share = ahead["provider"].map(foretold(events, look, half_life)["share"])
            chance = share.dropna().clip(LEAST_CHANCE, 1 - LEAST_CHANCE)
            came = ahead.loc[chance.index, "outcome"] == 1
            loss = -np.log(np.where(came, chance, 1 - chance))
            row = {"look_days": look, "half_life_days": half_life, "event_count": len(loss)}
            rows.append(row | {"log_loss": float(loss.mean()) if len(loss) else np.nan})
    return pd.DataFrame(rows)


def best_half_life(found: pd.DataFrame) -> float:
    """The half-life with the least mean loss over all judged outcomes; of equals the first.

    found: rows of `losses`. A row of a look is known only when the next look has come: give rows
    of earlier looks alone. Raises InputError where none has an outcome.
    """
    judged = found[found["event_count"] > 0]
    if judged.empty:
        raise InputError("No outcome was judged at any look. Give earlier looks.")
    sums = (judged["log_loss"] * judged["event_count"]).groupby(
        judged["half_life_days"], sort=False
    )
    counts = judged.groupby("half_life_days", sort=False)["event_count"].sum()
    return float((sums.sum() / counts).idxmin())
