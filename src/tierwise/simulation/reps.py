"""Representatives: whose deals are whose, and which leads they already call first.

They are the same for all blocks. Each calls a share of the leads of a week first, chosen by what
anybody can see and by a hunch of how interested the lead is. A called lead's chance rises with
the skill of the representative. So in the data the called ones win more often for two reasons,
only one of which is the call.
"""

from functools import cache

import numpy as np
import pandas as pd

from tierwise.simulation import clock
from tierwise.simulation.delivery import coded, frame
from tierwise.simulation.settings import Settings

REPS_COUNT, FIRST_REPS_COUNT = 20, 13
ZONES = ("Europe/Berlin", "Europe/Warsaw", "Europe/London")
TEAMS = ("small_business", "mid_market", "key_accounts")
LEAD_WEIGHT, HUNCH_WEIGHT = 0.8, 0.5  # what is seen and what is felt, when they choose
STREAM = 2**31  # of random numbers; no block has this number


@cache
def draw_reps(settings: Settings) -> pd.DataFrame:
    """One row per representative, in the order in which they came; do not change it.

    skill: what a first call adds, 1 on average. capacity_share: of the leads of a week.
    """
    rng = settings.generator(STREAM)
    world = settings.last_at - settings.first_at
    later = np.sort(rng.uniform(0.05, 0.7, REPS_COUNT - FIRST_REPS_COUNT))
    earlier = np.sort(-rng.uniform(0.05, 1.5, FIRST_REPS_COUNT))
    came = [settings.first_at + world * share for share in (*earlier, *later)]
    return pd.DataFrame(
        {
            "user_id": np.arange(1, REPS_COUNT + 1),
            "known_at": pd.Series(came).dt.floor("min").astype("datetime64[us]"),
            "team": rng.integers(0, len(TEAMS), REPS_COUNT),
            "zone": rng.choice(len(ZONES), REPS_COUNT, p=[0.7, 0.15, 0.15]),
            "skill": np.clip(rng.normal(1, 0.5, REPS_COUNT), 0, 2),
            "capacity_share": rng.uniform(0.15, 0.5, REPS_COUNT),
        }
    )


def users_table(settings: Settings) -> pd.DataFrame:
    reps = draw_reps(settings)
    return frame(
        {
            "user_id": reps["user_id"].to_numpy(),
            "known_at": reps["known_at"].to_numpy(),
            "team": coded(reps["team"].to_numpy(), TEAMS),
            "timezone": coded(reps["zone"].to_numpy(), ZONES),
        }
    )


def draw_owners(at: np.ndarray, settings: Settings, rng: np.random.Generator) -> np.ndarray:
    """Row in draw_reps of somebody who was there at each moment, all alike."""
    there = np.searchsorted(draw_reps(settings)["known_at"].to_numpy(), at, side="right")
    return (rng.random(len(at)) * there).astype(int)


def zones_of(owner: np.ndarray, settings: Settings) -> np.ndarray:
    """Numbers in clock.ZONES of the zones in which representatives work."""
    numbers = np.array([clock.ZONES.index(name) for name in ZONES])
    return numbers[draw_reps(settings)["zone"].to_numpy()[owner]]


def called_first(
    owner: np.ndarray, at: np.ndarray, appeal: np.ndarray, settings: Settings
) -> np.ndarray:
    """Of the leads that a representative gets in a week, the most appealing ones."""
    week = (at - np.datetime64(settings.first_at, "us")) // np.timedelta64(7, "D")
    group = owner * 10_000 + week
    order = np.lexsort((-appeal, group))
    _, begin, number, size = np.unique(
        group[order], return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.arange(len(order)) - begin[number]
    capacity = draw_reps(settings)["capacity_share"].to_numpy()[owner[order]]
    called = np.zeros(len(order), bool)
    called[order] = (rank + 0.5) / size[number] < capacity
    return called
