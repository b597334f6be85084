"""Forecasts of sign-ups made on earlier mornings, and what came after them.

A forecast knows what was known that morning and nothing else: sign-ups are attributed anew with the
tables as they stood. Beside it stand two rules that anybody could follow:

    as before    as many sign-ups as in the days before the morning
    as grown     these, times their ratio to the same number of days before them
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise.attribution import REFERRED, SHARE
from tierwise.referrals import growth, referral_data
from tierwise.referrals import growth_forecast as gf
from tierwise.referrals.generation_time import LEAST_WAITS, LEVEL
from tierwise.referrals.referral_data import Tables

BY_MEMBERS = (*REFERRED, SHARE)  # a friend by a shared item was brought by a member, too
RULES = ("as_before", "as_grown")


@dataclass(frozen=True)
class Asked:
    """What a forecast is asked for. rules: those of attribution, see `attribution.rules_of`."""

    rules: Mapping[str, Any]
    forecast_days: int = 60
    trend_days: int = gf.TREND_DAYS


def mornings(as_of: pd.Timestamp, forecast_days: int, count: int) -> list[pd.Timestamp]:
    """So many mornings, each a whole forecast before the next and the last before `as_of`."""
    step = pd.Timedelta(days=forecast_days)
    return [(as_of - step * back).as_unit("us") for back in range(count, 0, -1)]


def made(found: Tables, asked: Asked, as_of: pd.Timestamp) -> gf.Forecast | None:
    """The forecast of a morning, None where too few had come by then to make one."""
    credits = referral_data.credited(found, asked.rules, as_of)
    brood = growth.brood(growth.with_senders(credits, BY_MEMBERS), as_of)
    alone = (brood.sender < 0) & (brood.age_days < asked.trend_days)
    if brood.brought.sum() < LEAST_WAITS or alone.sum() < gf.LEAST_ALONE:
        return None
    if brood.age_days.max() < asked.trend_days:  # days before the first member are no trend
        return None
    grown = growth.fit(brood)
    return gf.draw(brood, grown, as_of, asked.forecast_days, trend_days=asked.trend_days)


def earlier(found: Tables, asked: Asked, as_of: pd.Timestamp, count: int) -> list[gf.Forecast]:
    """The forecasts of so many mornings before `as_of`, without those that could not be made."""
    starts = mornings(as_of, asked.forecast_days, count)
    made_at = [made(found, asked, start) for start in starts]
    return [forecast for forecast in made_at if forecast is not None]


def against(
    forecasts: Sequence[gf.Forecast], members: pd.DataFrame, level: float = LEVEL
) -> pd.DataFrame:
    """A row per forecast: made_at, expected, low, high, actual, inside, and what RULES said.

    members: as for `growth.brood`, what came later included.
    """
    rows = []
    for forecast in forecasts:
        whole = gf.against(forecast, members, level).iloc[-1]
        days = forecast.drawn.shape[2]
        before, earlier = (came(members, forecast.as_of, -days * back, days) for back in (1, 2))
        grown = before * before / earlier if earlier else np.nan
        told = whole[["expected", "low", "high", "actual", "inside"]].to_dict()
        rows.append(
            {"made_at": forecast.as_of} | told | dict(zip(RULES, (before, grown), strict=True))
        )
    columns = ["made_at", "expected", "low", "high", "actual", "inside", *RULES]
    return pd.DataFrame(rows, columns=columns)


def latest(
    forecasts: Sequence[gf.Forecast], members: pd.DataFrame, level: float = LEVEL
) -> pd.DataFrame:
    """The last forecast by generation, see `growth_forecast.against`; empty where there is none."""
    columns = ["generation", "expected", "low", "high", "actual", "inside"]
    if not forecasts:
        return pd.DataFrame({name: [] for name in columns}).astype({"generation": "str"})
    return gf.against(forecasts[-1], members, level)[columns]


def came(members: pd.DataFrame, as_of: pd.Timestamp, from_days: int, days: int) -> int:
    """Sign-ups in so many days, the first of them from_days after `as_of`."""
    start = as_of + pd.Timedelta(days=from_days)
    end = start + pd.Timedelta(days=days)
    inside = ex.known_before(members, end, "occurred_at")
    return int((inside & ~ex.known_before(members, start, "occurred_at")).sum())


def errors(table: pd.DataFrame) -> dict[str, float]:
    """Mean of |said - came| / came, of the forecast (expected) and of each of RULES.

    table: of `against`. NaN for all without a forecast; mornings on which a rule could say nothing
    are left out for all of them.
    """
    said = table[["expected", *RULES]].astype("float64")
    off = said.sub(table["actual"], axis=0).abs().div(table["actual"].astype("float64"), axis=0)
    return {str(name): float(value) for name, value in off.dropna().mean().items()}
