"""What it costs to fit the blend again every hour, on 10,000 closed deals.

Deals are those of the application `leads`, one row each, at the second weekly look, drawn again
with replacement until there are 10,000. A refit is what has to be done when new outcomes are known
and the chances of past periods are stored: the weights of the two parts, then both parts.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from story_world import second_looks

from tierwise import candidates, files, models, rolling
from tierwise import examples as ex
from tierwise.candidates import Settings
from tierwise.rolling import Rolled

ROWS_COUNT, PERIOD_COUNT, HISTORY_SHARE = 10_000, 8, 0.40
LIMIT_S, REPEATS, SEED = 20.0, 3, 0


def refit(folder: Path, rows_count: int = ROWS_COUNT) -> dict[str, Any]:
    """Figures of one refit and of the whole rolling origin; all seconds are of the processor.

    folder: examples.parquet and features.parquet as build_features leaves them.
    """
    if not (folder / "features.parquet").is_file():
        return {"left_out": "models/leads is missing: run `dvc repro` first"}
    examples, features, deals_count = closed(folder, rows_count)
    outcome = examples["outcome"].to_numpy(dtype=int)
    periods = ex.by_period(examples, PERIOD_COUNT, HISTORY_SHARE)
    with joblib.parallel_config(backend="sequential"):
        rolled, origin_s = timed(
            lambda: rolling.origin(features, outcome, periods, [candidates.BLEND])
        )
        first = {name: tried[0] for name, tried in candidates.SEARCHED.items()}
        dearest = {name: max(tried, key=cost) for name, tried in candidates.SEARCHED.items()}
        seconds, steady = (again(features, outcome, rolled, one) for one in (first, dearest))
    found = {"rows_count": len(outcome), "deals_count": deals_count, "wins": int(outcome.sum())}
    found |= {"columns_count": features.shape[1], "limit_s": LIMIT_S, "refit_cpu_s": seconds}
    found |= {"refit_steady_cpu_s": steady, "origin_cpu_s": origin_s, "periods": len(periods)}
    each = sum(len(rolling.shared(tried)) for tried in candidates.SEARCHED.values())
    fits_count = len(periods) * each
    holds = max(seconds["all"], steady["all"]) < LIMIT_S
    return found | {"origin_fits_count": fits_count, "holds": holds, "left_out": ""}


def cost(settings: Settings) -> tuple[bool, int]:
    """What makes a fit dear: all rows, then many rounds."""
    return settings["half_life_count"] is None, settings.get("round_count", 0)


def closed(folder: Path, rows_count: int) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Examples and features of closed deals in time order, and how many different ones they are."""
    examples = files.read_parquet(folder / "examples.parquet")
    features = files.read_parquet(folder / "features.parquet")
    known = examples["outcome"].notna() & examples["outcome_known_at"].notna()
    examples, features = second_looks(
        examples[known].reset_index(drop=True), features[known].reset_index(drop=True)
    )
    deals = np.random.default_rng(SEED).integers(len(examples), size=rows_count)
    drawn = np.sort(deals)  # examples are in time order
    examples, features = (
        table.iloc[drawn].reset_index(drop=True) for table in (examples, features)
    )
    return examples, features, len(np.unique(deals))


def again(
    features: pd.DataFrame, outcome: np.ndarray, rolled: Rolled, settings: dict[str, Any]
) -> dict[str, float]:
    """Seconds of the weights, of both parts, and of all: medians of three refits."""
    found = []
    for _ in range(REPEATS):
        blended, stack_s = timed(lambda: weights(rolled))
        spent = {"stack": stack_s, "all": stack_s}
        for name in candidates.BLENDED:
            _, part_s = timed(lambda name=name: models.fit(name, features, outcome, settings[name]))
            spent[name] = part_s
        _, fit_s = timed(
            lambda blended=blended: rolling.fit(
                candidates.BLEND, features, outcome, settings, blended
            )
        )
        found.append(spent | {"all": stack_s + fit_s})
    return pd.DataFrame(found).median().to_dict()


def weights(rolled: Rolled) -> dict[str, Any]:
    """Weights of the blend from stored chances, as a rolling origin makes them."""
    table = rolled.table
    z = np.column_stack([models.log_odds(table[name].to_numpy()) for name in candidates.BLENDED])
    intercept, found = rolling.stack(z, table["outcome"].to_numpy())
    return {"intercept": intercept, "weights": dict(zip(candidates.BLENDED, found, strict=True))}


def timed(do: Callable[[], Any]) -> tuple[Any, float]:
    """What `do` gives, and the processor seconds of all threads of this process meanwhile."""
    started = time.process_time()
    return do(), time.process_time() - started
