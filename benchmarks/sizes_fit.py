"""One fit of one learner on the first rows of a table: a process of its own, started by the ladder.

    python benchmarks/sizes_fit.py TABLE FRESH ROWS LEARNER

TABLE and FRESH are parquet files of `sizes_ladder.py`. Prints one line of JSON: fit_cpu_s and
predict_cpu_s (processor seconds), memory_mb (the highest that the fit needed above what was there
before it), table_mb (columns in memory), auc (on FRESH) and fitted_count (rows that took part).
"""

import ctypes
import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tierwise import candidates, models, row_weights
from tierwise.ranking import auc

OUTCOME = "outcome"
REPEATED_COUNT, REPEATS = 20_000, 3  # up to so many rows a fit is too short to be timed once
WARM_COUNT = 200
PAGE_BYTES = resource.getpagesize()
Result = TypeVar("Result")


class Learner(NamedTuple):
    """A candidate of `models`, which of its settings, and whether all rows take part."""

    name: str
    setting: int | None = None
    all_rows: bool = False


LOGISTIC, ALL_ROWS = "logistic regression", "xgboost, all rows"
LEARNERS = {
    LOGISTIC: Learner("logistic_regression"),
    "recent logistic": Learner("recent_logistic", 0),
    "recent logistic, steady": Learner("recent_logistic", -1),
    "recent boosting": Learner("recent_boosting", 0),
    "recent boosting, steady": Learner("recent_boosting", -1),
    "histogram boosting": Learner("histogram_boosting"),
    "xgboost": Learner("xgboost"),
    ALL_ROWS: Learner("xgboost", all_rows=True),
    "random forest": Learner("random_forest"),
}


def read(path: Path, count: int) -> tuple[pd.DataFrame, np.ndarray]:
    """The first `count` rows: features (float32 and text), outcomes. Whole groups are read."""
    file = pq.ParquetFile(path)
    sizes = np.array([file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)])
    upto = int(np.searchsorted(np.cumsum(sizes), count)) + 1
    table = file.read_row_groups(list(range(min(upto, len(sizes))))).slice(0, count)
    features = table.to_pandas(split_blocks=True, self_destruct=True)
    return features, features.pop(OUTCOME).to_numpy(dtype=int)


def peak_during(do: Callable[[], Result]) -> tuple[Result, float]:
    """What `do` gives, and by how many megabytes this process grew at most meanwhile.

    The kernel's high-water mark is set back first where it lets us (Linux: 5 into clear_refs);
    elsewhere an earlier peak can hide this one, and the figure is what lies above that.
    """
    gc.collect()
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    before = resident_mb()
    result = do()
    return result, max(0.0, highest_mb() - before)


def resident_mb() -> float:
    """Memory of this process now; where no file tells, its highest so far."""
    path = Path("/proc/self/statm")
    return int(path.read_text().split()[1]) * PAGE_BYTES / 1e6 if path.exists() else highest_mb()


def highest_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def everybody(count: int) -> tuple[np.ndarray, np.ndarray]:
    """In the place of `row_weights.sample`: all rows, each for itself."""
    return np.arange(count), np.ones(count)


def measured(
    learner: Learner, features: pd.DataFrame, outcome: np.ndarray, judged: pd.DataFrame
) -> tuple[dict[str, Any], np.ndarray]:
    """Figures of fit and prediction, and the chances of the judged rows."""
    settings = None
    if learner.setting is not None:
        settings = candidates.SEARCHED[learner.name][learner.setting]
    if learner.all_rows:
        models.sample = everybody  # type: ignore[assignment]

    def fit() -> tuple[models.Model, float]:
        return models.fit(learner.name, features, outcome, settings)

    # What is imported at the first fit is not part of it.
    models.fit(learner.name, features[:WARM_COUNT], outcome[:WARM_COUNT], settings)
    (model, seconds), memory_mb = peak_during(fit)
    repeats = REPEATS - 1 if len(outcome) <= REPEATED_COUNT else 0
    seconds = float(np.median([seconds, *(fit()[1] for _ in range(repeats))]))
    started = time.process_time()
    chance = models.chance(model, judged)
    spent = time.process_time() - started
    return {"fit_cpu_s": seconds, "predict_cpu_s": spent, "memory_mb": memory_mb}, chance


def figures(table: Path, fresh: Path, count: int, title: str) -> dict[str, Any]:
    """Everything asked of one learner at one size."""
    features, outcome = read(table, count)
    judged, won = read(fresh, sys.maxsize)
    learner = LEARNERS[title]
    found, chance = measured(learner, features, outcome, judged)
    found["auc"] = auc(won, chance)
    found["table_mb"] = features.memory_usage(deep=True).sum() / 1e6
    sample = everybody if learner.all_rows else row_weights.sample
    return found | {"fitted_count": len(sample(count)[0])}


def main(table: str, fresh: str, count: str, title: str) -> None:
    print(json.dumps(figures(Path(table), Path(fresh), int(count), title)))


if __name__ == "__main__":
    main(*sys.argv[1:])
