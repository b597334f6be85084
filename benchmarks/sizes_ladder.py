"""The same table with ever more rows: what a fit costs, and whether more rows still help.

15 numbers (float32, standard normal) and 5 categories of 4 to 30 values. The log-odds add two
numbers, a bent one, the product of two more and the values of two categories; the other columns
tell nothing. The rule never moves, so that old rows are as good as late ones.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import expit
from sizes_fit import ALL_ROWS, LEARNERS, LOGISTIC, OUTCOME
from sizes_keep import Kept

HERE = Path(__file__).parent
SIZES = (200, 2_000, 20_000, 200_000, 2_000_000, 10_000_000)
NUMBERS_COUNT, VALUE_COUNTS = 15, (4, 8, 12, 20, 30)
CHUNK_COUNT, JUDGED_COUNT, SEED = 200_000, 100_000, 0
FRESH_FROM = 1_000_000  # number of the first part of the judged rows: no table gets there
LEVEL = -1.5
FOREST, FOREST_MOST = "random forest", 200_000
ALL_ROWS_AT = 2_000_000  # where a fit on all rows is compared, and one on a sample
LIMIT_S = 1_800.0
KEY = ("rows_count", "learner")
RATIOS = ("fit_cpu_s", "predict_cpu_s", "memory_mb", "auc")


@cache
def value_effects() -> tuple[np.ndarray, ...]:
    """Log-odds of each value of each category; only the second and the fourth tell."""
    random = np.random.default_rng(SEED)
    tells = (0, 0.5, 0, 0.5, 0)
    return tuple(
        random.normal(0, 1, count) * size for count, size in zip(VALUE_COUNTS, tells, strict=True)
    )


def chances(numbers: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """numbers: (n, 15), codes: (n, 5), the position of each value. Shape (n,)."""
    x = numbers.T.astype(float)
    bent = 0.5 * np.sin(2 * x[2])
    texts = sum(effect[code] for effect, code in zip(value_effects(), codes.T, strict=True))
    return expit(LEVEL + 0.8 * x[0] - 0.5 * x[1] + bent + 0.6 * x[3] * x[4] + texts)


def chunk(number: int) -> pa.Table:
    """One part of the table, 200,000 rows, the same every time."""
    random = np.random.default_rng([SEED, number])
    numbers = random.standard_normal((CHUNK_COUNT, NUMBERS_COUNT), dtype="float32")
    codes = [random.integers(values, size=CHUNK_COUNT) for values in VALUE_COUNTS]
    outcome = random.random(CHUNK_COUNT) < chances(numbers, np.column_stack(codes))
    columns: dict[str, Any] = {f"number_{i + 1}": numbers[:, i] for i in range(NUMBERS_COUNT)}
    for i, (values, code) in enumerate(zip(VALUE_COUNTS, codes, strict=True), 1):
        names = pa.array([f"value {value}" for value in range(values)])
        columns[f"text_{i}"] = names.take(pa.array(code))
    return pa.table({**columns, OUTCOME: outcome.astype("int8")})


def write(path: Path, count: int, first: int) -> None:
    """A table of `count` rows, made and written part by part, from part number `first` on."""
    with pq.ParquetWriter(path, chunk(first).schema, compression="zstd") as writer:
        for start in range(0, count, CHUNK_COUNT):
            part = chunk(first + start // CHUNK_COUNT)
            writer.write_table(part.slice(0, count - start))


def ladder(sizes: list[int], folder: Path | None, kept: Kept) -> list[dict[str, Any]]:
    """A row per size and learner, ratios to logistic regression on the same rows included."""
    rows: list[dict[str, Any]] = []
    missing = [n for n in sizes if any(not kept.find(n, title) for title in titles(n))]
    with tempfile.TemporaryDirectory(dir=folder, prefix="sizes.") as place:
        table, fresh = Path(place) / "table.parquet", Path(place) / "fresh.parquet"
        if missing:
            print(f"ladder: writing {max(missing):,} rows", flush=True)
            write(table, max(missing), 1)
            write(fresh, JUDGED_COUNT, FRESH_FROM)
        for size in sorted(sizes):
            found = [
                kept.find(size, title) or kept.add(asked(table, fresh, size, title))
                for title in titles(size)
            ]
            rows += with_ratios(found)
    return rows


def titles(size: int) -> list[str]:
    return [title for title in LEARNERS if title != ALL_ROWS or size == ALL_ROWS_AT]


def asked(table: Path, fresh: Path, size: int, title: str) -> dict[str, Any]:
    """Measure one learner at one size in a process of its own, or say why not."""
    started, reason, figures = time.monotonic(), "", {}
    if title == FOREST and size > FOREST_MOST:
        reason = f"takes minutes beyond {FOREST_MOST:,} rows and is not part of the blend"
    else:
        figures, reason = run([str(table), str(fresh), str(size), title])
    row = {"rows_count": size, "learner": title, **figures, "left_out": reason}
    print(f"{told(row)}  ({time.monotonic() - started:.0f} s)", flush=True)
    return row


def run(given: list[str]) -> tuple[dict[str, Any], str]:
    """Figures of `sizes_fit.py`, or none and the reason."""
    command = [sys.executable, str(HERE / "sizes_fit.py"), *given]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, env=one_thread, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {}, f"stopped after {LIMIT_S:.0f} s"
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [""]
        return {}, f"failed ({done.returncode}) {last[0][:200]}".strip()
    return json.loads(done.stdout.splitlines()[-1]), ""


def with_ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one size, each with *_ratio to logistic regression; none where one of them failed."""
    base = next(row for row in rows if row["learner"] == LOGISTIC)
    for row in rows:
        for name in RATIOS:
            known = row.get(name) is not None and base.get(name)
            row[f"{name}_ratio"] = row[name] / base[name] if known else None
    return rows


def told(row: dict[str, Any]) -> str:
    head = f"{row['rows_count']:>10,} rows  {row['learner']:24}"
    if row["left_out"]:
        return f"{head} left out: {row['left_out']}"
    return (
        f"{head} fit {row['fit_cpu_s']:.2f} s  predict {row['predict_cpu_s']:.2f} s  "
        f"memory {row['memory_mb']:.0f} MB beside {row['table_mb']:.0f}  AUC {row['auc']:.4f}"
    )
