"""An alarm that rings when outcomes leave the promised chances: CUSUM per tier.

Every known outcome adds its surprise (outcome minus chance), less an allowance; the sum never
falls below zero, and rings when it passes a limit (Page 1954). The allowance is half of what the
chance would change by if the odds rose to 3/2, or fell to 2/3, so that this change is found
quickest; chances of the rows are their own risk adjustment (Steiner, Cook, Farewell and Treasure
2000, Biostatistics 1:441, who simulate their limits, too).

    tier A, odds up    0.0  0.3  0.1  0.6  1.2 ...  limit 9.4: no alarm

A case that is seen again brings its outcome again, so only its first row in a tier counts.
"""

from typing import Any

import numpy as np
import pandas as pd

from tierwise import candidates
from tierwise.examples import label

ODDS_RATIO = 1.5
FALSE_ALARM_SHARE = 0.05
DRAW_COUNT = 4000
CHUNK_COUNT = 200
DIRECTIONS = {"more wins than promised": 1, "fewer wins than promised": -1}


def cusum(deviation: np.ndarray, allowance: np.ndarray | float) -> np.ndarray:
    """max(0, previous + deviation - allowance), from 0, along the last axis (Page 1954).

    deviation: shape (..., n), in time order. Computed as the partial sums above their lowest so
    far, which is the same.
    """
    total = np.cumsum(deviation - allowance, axis=-1)
    lowest = np.minimum(np.minimum.accumulate(total, axis=-1), 0.0)
    return total - lowest


def allowance(chance: np.ndarray, direction: int) -> np.ndarray:
    """Half of the change of each chance if the odds were multiplied by 3/2 (or 2/3), above 0."""
    ratio = ODDS_RATIO**direction
    changed = ratio * chance / (1 - chance + ratio * chance)
    return np.abs(changed - chance) / 2


def limit(chance: np.ndarray, direction: int, false_alarm_share: float) -> float:
    """The height that a sum passes in only that share of all histories if the chances are right.

    chance: of all rows watched, in time order. From 4,000 simulated histories of these rows, their
    outcomes drawn independently with their own chances.
    """
    random = np.random.default_rng(candidates.SEED)
    slack = allowance(chance, direction)
    highest = []
    for _ in range(DRAW_COUNT // CHUNK_COUNT):
        won = random.random((CHUNK_COUNT, len(chance))) < chance
        highest.append(cusum(direction * (won - chance), slack).max(axis=1))
    return float(np.quantile(np.concatenate(highest), 1 - false_alarm_share))


def first_rows(watched: pd.DataFrame) -> pd.DataFrame:
    """The first row of each case in each tier, in the order in which outcomes became known."""
    once = watched.drop_duplicates(["tier", "entity_id"])
    return once.sort_values("outcome_known_at", kind="stable")


def watch(
    watched: pd.DataFrame, names: list[str], false_alarm_share: float = FALSE_ALARM_SHARE
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Has an alarm rung, where and when?

    watched: later rows with known outcome in ascending order of as_of: entity_id,
    outcome_known_at, tier, outcome, chance. names: the tiers. false_alarm_share: of histories in
    which any of the alarms rings although every chance is right; each of the two per tier gets an
    equal part of it (Bonferroni). First table, a row per tier and direction: tier, direction,
    rows_count, rate, mean_chance, limit, highest, alarm_at (text, "" if none), alarm_row (how many
    outcomes it took, 0 if none). Second, a row per outcome: tier, direction, row, at, sum, limit.
    """
    rows: list[dict[str, Any]] = []
    paths = []
    once = first_rows(watched)
    for name in names:
        tier = once[once["tier"] == name]
        chance, won = tier["chance"].to_numpy(dtype=float), tier["outcome"].to_numpy()
        for title, direction in DIRECTIONS.items() if len(tier) else ():
            line = limit(chance, direction, false_alarm_share / (2 * len(names)))
            path = cusum(direction * (won - chance), allowance(chance, direction))
            rung = np.flatnonzero(path > line)
            at = label(tier["outcome_known_at"].iloc[rung[0]]) if len(rung) else ""
            found = {"tier": name, "direction": title, "rows_count": len(tier)}
            found |= {"rate": float(won.mean()), "mean_chance": float(chance.mean())}
            found |= {"limit": line, "highest": float(path.max()), "alarm_at": at}
            rows.append(found | {"alarm_row": int(rung[0]) + 1 if len(rung) else 0})
            steps: dict[str, Any] = {
                "tier": name,
                "direction": title,
                "row": np.arange(1, len(tier) + 1),
            }
            steps |= {"at": tier["outcome_known_at"].to_numpy(), "sum": path, "limit": line}
            paths.append(pd.DataFrame(steps))
    empty = pd.DataFrame(columns=["tier", "direction", "row", "at", "sum", "limit"])
    return pd.DataFrame(rows), pd.concat(paths, ignore_index=True) if paths else empty


def rings(alarms: pd.DataFrame) -> bool:
    """Has one of the table of `watch` passed its limit?"""
    return bool(len(alarms) and (alarms["alarm_row"] > 0).any())


def sentence(alarms: pd.DataFrame, false_alarm_share: float = FALSE_ALARM_SHARE) -> str:
    """The table of `watch` in words, with the rate of false alarms."""
    rung = alarms[alarms["alarm_row"] > 0] if len(alarms) else alarms
    odds = f"If all chances were right, an alarm would ring in {false_alarm_share:.0%} of histories"
    if rung.empty:
        return f"No alarm has rung: the outcomes agree with the chances. {odds} like this one."
    told = "; ".join(
        f"tier {row.tier}, {row.direction}, on {row.alarm_at} after {row.alarm_row:,} outcomes"
        for row in rung.sort_values("alarm_row", kind="stable").itertuples()
    )
    return f"Alarm: {told}. {odds} like this one."
