"""Clock columns: dates in disguise, such as an interest rate or the name of the month.

A clock tells one period from another. A model that is fitted again and again may use it: the last
weeks had this rate of interest and that share of wins. A frozen model is led astray, for the
values of later periods lie where it has seen nothing. So a clock is flagged and not refused, with
what it does to a frozen model.

Worked example, eight equal stretches of rows in time order, the stretches 3 to 8 judged in turn:

    stretch 3    against 1 and 2    how well does the column alone tell 3 from 1 and 2?
    stretch 4    against 1 to 3     and what share of its values lies outside theirs?
    ...
    a clock      does so on average of the six: once is a campaign, always is a calendar
"""

from typing import Any

import numpy as np
import pandas as pd

from tierwise import models
from tierwise.examples import Period, by_period
from tierwise.ranking import alone_score, as_number, auc, auc_in_blocks

BLOCK_COUNT = 8
FIRST_COUNT = 2
ROWS_MIN_COUNT = 160  # with fewer than twenty rows a stretch, chance alone makes clocks
TAIL_SHARE = 0.01
RARE_SHARE = 0.001
WORTH_AUC = 0.01  # less is noise
PERIOD_COUNT, HISTORY_SHARE = 4, 0.50
CLOCK = {"clock_auc": 0.80, "left_share": 0.25}
NO_CLOCK = "below both limits: no clock"
WITH, WITHOUT = "with the clocks", "without them"


def find(
    features: pd.DataFrame, entity: pd.Series | None = None, limits: dict[str, float] = CLOCK
) -> pd.DataFrame:
    """One row per column: is it a clock?

    features: in time order, rows before the judged span only. entity: whose row it is. limits:
    clock_auc (0.5 to 1) and left_share (0 to 1), either is enough. Columns: column, clock_auc
    (how well the column alone tells a stretch from all earlier ones, mean of six), left_share
    (how much larger a part of a stretch's values lies outside of what was seen earlier than
    would without drift, mean of six), reason ("" for a column that is no clock, and for every
    column of fewer than 160 rows).
    """
    whose = np.arange(len(features)) if entity is None else pd.factorize(entity)[0]
    rows = [clock(features[name], whose, limits) for name in features]
    return pd.DataFrame(rows, columns=["column", "clock_auc", "left_share", "reason"])


def nearest(found: pd.DataFrame, count: int = 5) -> pd.DataFrame:
    """All clocks, then the columns nearest to being one, `count` rows if there are as many.

    found: of `find`; by clock_auc, then by left_share. The reason of what is none says so.
    """
    flagged = found["reason"] != ""
    shown = found.assign(flagged=flagged, reason=found["reason"].where(flagged, NO_CLOCK))
    shown = shown.sort_values(["flagged", "clock_auc", "left_share"], ascending=False)
    return shown.drop(columns="flagged").head(max(count, int(flagged.sum())))


def clock(column: pd.Series, entity: np.ndarray, limits: dict[str, float]) -> dict[str, Any]:
    """One row of `find`."""
    blocks = np.array_split(np.arange(len(column)), BLOCK_COUNT)
    told, left = [], []
    for number in range(FIRST_COUNT, BLOCK_COUNT) if len(column) >= ROWS_MIN_COUNT else ():
        before, now = np.concatenate(blocks[:number]), blocks[number]
        rows = np.r_[before, now]
        is_now = np.r_[np.zeros(len(before)), np.ones(len(now))]
        told.append(alone_score(column.iloc[rows], is_now, entity[rows])[0])
        left.append(left_share(column.iloc[before], column.iloc[now], entity[before]))
    found = {
        "column": str(column.name),
        "clock_auc": max(float(np.mean(told)), 0.5) if told else 0.5,
        "left_share": float(np.mean(left)) if left else 0.0,
    }
    return found | {"reason": reason(found, limits)}


def left_share(earlier: pd.Series, later: pd.Series, entity: np.ndarray | None = None) -> float:
    """How much more often than without drift a later value was (nearly) never seen before.

    Numbers and dates: outside the middle 98 % of the earlier values. Everything else: a value
    that fewer than one earlier entity in a thousand had. From the later share the share among
    the earlier rows themselves is taken away, each judged by the others (the estimate of Good
    1953 for values still unseen). Missing values count on neither side. In [0, 1].
    """
    earlier, later = as_number(earlier), as_number(later)
    known = earlier.notna().to_numpy()
    if not known.any() or not later.notna().any():
        return 0.0
    if pd.api.types.is_numeric_dtype(earlier) and not pd.api.types.is_bool_dtype(earlier):
        low, high = earlier.quantile([TAIL_SHARE, 1 - TAIL_SHARE], interpolation="nearest")
        outside = [float((~side.dropna().between(low, high)).mean()) for side in (earlier, later)]
        return max(outside[1] - outside[0], 0.0)
    whose = np.arange(len(earlier)) if entity is None else entity
    had = pd.DataFrame({"value": earlier.to_numpy(), "entity": whose})[known].drop_duplicates()
    count, few = had["value"].value_counts(), max(RARE_SHARE * had["entity"].nunique(), 1.0)
    unseen = later.dropna().map(count).astype(float).fillna(0.0) < few
    left_out = had["value"].map(count) - 1 < few
    return max(float(unseen.mean() - left_out.mean()), 0.0)


def reason(found: dict[str, Any], limits: dict[str, float]) -> str:
    """Why a column is a clock, in words, or ""."""
    if found["clock_auc"] >= limits["clock_auc"]:
        return f"alone it tells a period from all earlier ones with AUC {found['clock_auc']:.2f}"
    if found["left_share"] >= limits["left_share"]:
        return f"{found['left_share']:.0%} of its later values lie outside of what was seen earlier"
    return ""


def effect(
    features: pd.DataFrame,
    outcome: np.ndarray,
    periods: list[Period],
    flagged: list[str],
    name: str = "logistic_regression",
) -> pd.DataFrame:
    """What the flagged columns do to a model that is frozen and to one that is refitted.

    periods: of `examples.by_period` over rows before the judged span. Frozen means fitted on what
    was known when the first period began; refitted, on what was known when each began. name: of
    candidates.CANDIDATES. Columns: model (frozen | refitted), columns, auc (all periods at once),
    auc_in_period. No rows where nothing is flagged or nothing would be left.
    """
    rows: list[dict[str, Any]] = []
    honest = features.drop(columns=flagged)
    if honest.columns.empty or not flagged:
        return pd.DataFrame(rows, columns=["model", "columns", "auc", "auc_in_period"])
    judged = np.concatenate([period.rows for period in periods])
    sizes = np.cumsum([len(period.rows) for period in periods])[:-1]
    blocks = np.split(np.arange(len(judged)), sizes)
    won = outcome[judged]
    for model in ("frozen", "refitted"):
        for title, table in ((WITH, features), (WITHOUT, honest)):
            chance = forward(table, outcome, periods, name, frozen=model == "frozen")
            found = {"auc": auc(won, chance), "auc_in_period": auc_in_blocks(won, chance, blocks)}
            rows.append({"model": model, "columns": title} | found)
    return pd.DataFrame(rows)


def harm(examples: pd.DataFrame, features: pd.DataFrame, flagged: list[str]) -> pd.DataFrame:
    """`effect` over the later half of these rows, all from before the judged span."""
    rows, known = examples.reset_index(drop=True), features.reset_index(drop=True)
    periods = by_period(rows, PERIOD_COUNT, HISTORY_SHARE)
    return effect(known, rows["outcome"].to_numpy(), periods, flagged)


def forward(
    features: pd.DataFrame, outcome: np.ndarray, periods: list[Period], name: str, frozen: bool
) -> np.ndarray:
    """Chances of all periods' rows, one period after the other."""
    chances = []
    for number, period in enumerate(periods):
        if not frozen or not number:
            model, _ = models.fit(name, features.iloc[period.known], outcome[period.known])
        chances.append(models.chance(model, features.iloc[period.rows]))
    return np.concatenate(chances)


def sentence(found: pd.DataFrame) -> str:
    """The table of `effect` in one sentence, and what to do about it."""
    if found.empty:
        return "No column is a clock."
    area = found.set_index(["model", "columns"])["auc"].round(2)
    told = "; ".join(
        f"{model}, {area[model, WITH]:.2f} with the clocks and {area[model, WITHOUT]:.2f} without"
        for model in ("frozen", "refitted")
    )
    frozen, refitted = (area[m, WITH] - area[m, WITHOUT] for m in ("frozen", "refitted"))
    if frozen <= -WORTH_AUC:
        other = "should keep them" if refitted >= WORTH_AUC else "loses nothing without them"
        advice = f"A frozen model should do without them; one that is refitted {other}."
    else:
        advice = "They did a frozen model no harm here; the next period may bring values unseen."
    return f"AUC on later periods: {told}. {advice}"
