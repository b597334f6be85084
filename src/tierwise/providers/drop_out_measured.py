"""From tables to each provider's drop-out rate, the naive rates beside it, and what came later."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tierwise import files
from tierwise.accounts import Tables
from tierwise.providers import (
    drop_out,
    drop_out_rates,
    next_quarter,
    off_platform,
    satisfaction_measured,
    visits,
    waiting,
)
from tierwise.providers.drop_out import TOLD, Fitted
from tierwise.providers.off_platform import OffPlatform
from tierwise.providers.satisfaction_measured import Asked, Measured

WINDOW_DAYS, SILENT_DAYS = 30.0, 90.0
GROUPS = ("1 low drop-out", "2 middle", "3 high drop-out")
GAPS_DAYS = {"comes every week": 7.0, "comes every month": 30.0, "comes every quarter": 91.0}
VISITS_COUNT = 8  # of the customers in the figure about silence
MEASURES = ["stays", "window_stays", "last_stays", "stars"]


@dataclass(frozen=True)
class Found:
    """pleased: what satisfaction measured; table: rates with naive rates and the off-platform
    columns, index provider; average: the marketplace's rate."""

    pleased: Measured
    fitted: Fitted
    table: pd.DataFrame
    average: float
    off: OffPlatform


def measured(
    tables: Tables, until: pd.Timestamp, asked: Asked, threshold: float = off_platform.THRESHOLD
) -> Found:
    """What was known before `until`. Raises InputError where nothing can be learned."""
    pleased, day = satisfaction_measured.measured(tables, until, asked), visits.day_number(until)
    jobs = pleased.jobs
    fitted = drop_out.fit(jobs, day)
    bound = jobs.assign(group=off_platform.bonds(jobs, jobs["deeds_score"].to_numpy()))
    quality = pleased.quality.providers["quality"]
    off = off_platform.found(bound, day, quality, threshold)
    table = drop_out_rates.rates(fitted).join(naive(jobs, day)).join(off.providers)
    return Found(pleased, fitted, table, drop_out_rates.average_rate(fitted), off)


def naive(
    jobs: pd.DataFrame,
    until_days: float,
    window_days: float = WINDOW_DAYS,
    silent_days: float = SILENT_DAYS,
) -> pd.DataFrame:
    """By provider what two common rules say of it: window_rate and last_rate.

    window_rate: visits that none followed within so many days, of those that old. last_rate: visits
    that were the customer's last and are so many days old, of all visits.
    """
    ordered = jobs.sort_values(["customer", "at_days"], kind="stable")
    gap = -ordered.groupby("customer", sort=False)["at_days"].diff(-1)
    age = until_days - ordered["at_days"]
    missed = (~(gap <= window_days)).where(age >= window_days).astype("float64")
    last = gap.isna() & (age >= silent_days)
    table = ordered.assign(window_rate=missed, last_rate=last.astype("float64"))
    return table.groupby("provider")[["window_rate", "last_rate"]].mean()


def past(tables: Tables, jobs: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """MEASURES by provider, as they were known on that day; more is better in all of them."""
    day = visits.day_number(start)
    known = visits.jobs(tables, start)
    rates = drop_out_rates.rates(drop_out.fit(known, day))
    plain = naive(known, day)
    columns = {"stays": 1 - rates["rate"], "window_stays": 1 - plain["window_rate"]}
    columns |= {"last_stays": 1 - plain["last_rate"]}
    return pd.DataFrame(columns).join(satisfaction_measured.stars(tables, start)["stars"])


def foretold(tables: Tables, found: Found, until: pd.Timestamp, count: int) -> pd.DataFrame:
    """The latest quarters that can be judged, as from next_quarter.followed, with MEASURES."""
    jobs = found.pleased.jobs
    starts = next_quarter.quarters(jobs, until, count)
    return next_quarter.followed(jobs, starts, lambda start: past(tables, jobs, start))


def thirds(tables: Tables, start: pd.Timestamp) -> pd.Series:
    """GROUPS by provider: thirds of those of whom a rate could be told on that day."""
    known = visits.jobs(tables, start)
    rates = drop_out_rates.rates(drop_out.fit(known, visits.day_number(start)))
    rates = rates.loc[rates["said"] == TOLD, "rate"]
    place = np.minimum(3 * (rates.rank(method="first").to_numpy() - 1) // max(len(rates), 1), 2)
    return pd.Series(np.array(GROUPS)[place.astype("int64")], index=rates.index)


def curves(tables: Tables, found: Found, until: pd.Timestamp, followed_days: float) -> pd.DataFrame:
    """Time to the next visit by thirds that were told before the first of these visits."""
    start = until - pd.Timedelta(days=followed_days)
    day = visits.day_number(until)
    waited = waiting.waits(found.pleased.jobs, day - followed_days, day)
    return waiting.curves(waited, thirds(tables, start))


def silences(found: Found, most_days: int = 180) -> pd.DataFrame:
    """Chance to have stopped after so many days of silence: customer, days, chance.

    Three customers with VISITS_COUNT visits each, as regular as their gap says, whose last visit
    was to the average provider.
    """
    rhythm, days = found.fitted.parameters.rhythm, np.arange(0.0, most_days + 1)
    later = np.full(len(days), VISITS_COUNT - 1.0)
    parts = []
    for name, gap in GAPS_DAYS.items():
        t_x = later * gap
        silent = satisfaction_measured.rhythm.silence_chance(rhythm, later, t_x, t_x + days)
        chance = drop_out.chance_stopped(np.full(len(days), found.average), silent)
        parts.append(pd.DataFrame({"customer": name, "days": days, "chance": chance}))
    return pd.concat(parts, ignore_index=True)


def true_rates(folder: Path | None) -> pd.DataFrame | None:
    """By provider: true_rate (mean over its quarters), leaks, diverted_share; None: nobody knows.

    The true rate is that of customers who stop; those whom somebody diverts are beside it.
    """
    if folder is None:
        return None
    rows = files.read_parquet(folder / "quality.parquet")
    rate = rows.groupby("provider_id")["drop_out_share"].mean().rename("true_rate")
    leaks = files.read_parquet(folder / "leakage.parquet").set_index("provider_id")
    return leaks.join(rate).rename_axis("provider")


def caught(table: pd.DataFrame, truth: pd.DataFrame | None) -> Mapping[str, float]:
    """How many were pointed at, how many rightly, and of how many; {} where nobody knows."""
    if truth is None:
        return {}
    leaks = truth["leaks"].reindex(table.index).fillna(False).astype("bool")
    flag = table["off_platform_said"] == off_platform.LOOK
    seen = table["off_platform_said"] != off_platform.EARLY
    right = int((flag & leaks).sum())
    return {
        "flagged_count": int(flag.sum()),
        "right_count": right,
        "leaking_count": int(leaks.sum()),
        "leaking_seen_count": int((leaks & seen).sum()),
        "expected_count": float(table["off_platform_chance"].sum()),
        "precision": right / flag.sum() if flag.any() else np.nan,
        "recall": right / leaks.sum() if leaks.any() else np.nan,
    }
