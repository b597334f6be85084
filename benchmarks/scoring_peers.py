"""One way to score a table, partition by partition: a process of its own, started by `scoring.py`.

    python benchmarks/scoring_peers.py MODEL ROWS WAY SCORES

MODEL: a folder of `scoring_world.keep`. ROWS: partitions of its columns. Scores of the first
partition are left in SCORES (npy), so that all ways can be compared. Prints one line of JSON:
score_cpu_s and score_wall_s (from columns in memory to scores), prepare_cpu_s (what a way asks for
before that: an array of numbers, or what the card says), memory_mb (the highest above what the
process had before the first partition) and table_mb (the largest partition in memory).

    tierwise             frame -> score and calibrated chance, as in the hour
    ONNX Runtime         arrays that are ready -> score and calibrated chance, the session alone
    scikit-learn         frame -> score, the pipeline from model.skops
    XGBoost inplace      the pipeline's array of numbers -> score, `inplace_predict`
    LightGBM             the same array -> score of as many trees as deep, fitted by LightGBM
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scoring_memory import above_during

from tierwise import export, models, scoring
from tierwise.companies import likeness

OURS, BARE, PIPELINE = "tierwise", "ONNX Runtime", "scikit-learn"
INPLACE, LIGHTGBM = "XGBoost inplace", "LightGBM"
WAYS = (OURS, BARE, PIPELINE, INPLACE, LIGHTGBM)
LIGHTGBM_FILE = "lightgbm.txt"
Prepare = Callable[[pd.DataFrame], Any]
Score = Callable[[Any], np.ndarray]


def way(name: str, folder: Path) -> tuple[Prepare, Score]:
    """What makes a way's input of a frame, and what makes scores of that."""
    if name in (OURS, BARE):
        return by_onnx(name, folder)
    model, _ = export.from_skops((folder / "model.skops").read_bytes())
    if name == PIPELINE:
        return lambda frame: frame, lambda frame: models.chance(model, frame)
    pipeline = model.parts[0]
    if name == LIGHTGBM:
        import lightgbm

        booster = lightgbm.Booster(model_file=folder / LIGHTGBM_FILE)
        return pipeline[:-1].transform, lambda x: np.asarray(booster.predict(x, num_threads=1))
    trees = pipeline[-1].get_booster()
    trees.set_param({"nthread": 1})
    return pipeline[:-1].transform, trees.inplace_predict


def by_onnx(name: str, folder: Path) -> tuple[Prepare, Score]:
    session = scoring.session(folder / "model.onnx")
    shown = json.loads((folder / "card.json").read_text())
    if name == OURS:
        return lambda frame: frame, lambda frame: scoring.score(
            session, likeness.prepared(frame, shown)
        )["score"].to_numpy()
    kinds = {item.name: item.type for item in session.get_inputs()}

    def feed(frame: pd.DataFrame) -> dict[str, np.ndarray]:
        return {name: scoring.as_input(frame[name], kind) for name, kind in kinds.items()}

    return feed, lambda arrays: session.run(None, arrays)[0]


def figures(folder: Path, rows: Path, name: str, scores: Path) -> dict[str, Any]:
    prepare, score = way(name, folder)
    paths = sorted(rows.glob("*.parquet"))
    warm = pd.read_parquet(paths[0]).head(100)
    score(prepare(warm))
    spent = {"prepare_cpu_s": 0.0, "score_cpu_s": 0.0, "score_wall_s": 0.0}
    count, table_mb = 0, 0.0

    def everything() -> None:
        nonlocal count, table_mb
        for number, path in enumerate(paths):
            frame = pd.read_parquet(path)
            table_mb = max(table_mb, frame.memory_usage(deep=True).sum() / 1e6)
            started = time.process_time()
            ready = prepare(frame)
            done, wall = time.process_time(), time.monotonic()
            found = score(ready)
            spent["prepare_cpu_s"] += done - started
            spent["score_cpu_s"] += time.process_time() - done
            spent["score_wall_s"] += time.monotonic() - wall
            count += len(frame)
            if number == 0:
                np.save(scores, np.asarray(found, dtype="float64").ravel())

    memory_mb = above_during(everything)
    told = {"rows_count": count, "columns_count": warm.shape[1], **spent}
    return told | {"memory_mb": memory_mb, "table_mb": table_mb}


def main(folder: str, rows: str, name: str, scores: str) -> None:
    print(json.dumps(figures(Path(folder), Path(rows), name, Path(scores))))


if __name__ == "__main__":
    main(*sys.argv[1:])
