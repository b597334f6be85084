"""One learner on one protocol, in a process of its own.

    python -m learners.worker MODEL FOLDER

FOLDER holds what quality_protocols.save wrote; chances and seconds go to FOLDER/MODEL.npz. A
library that is missing, or a learner that fails, ends it with one line on stderr.
"""

import importlib
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import quality_protocols

from learners import LEARNERS
from learners.interface import Answer, fit_predict

PROGRESS_EVERY_S = 15


def main(name: str, folder: Path) -> None:
    learner = LEARNERS[name]
    try:
        module = importlib.import_module(f"learners.{learner.module}")
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is not installed: uv sync --extra bench")
    protocol = quality_protocols.load(folder)
    if hasattr(module, "forecast"):
        answers = [module.forecast(protocol)]
    else:
        ask = getattr(module, "fit_predict", None) or partial(fit_predict, module.fit)
        answers = fold_by_fold(name, ask, protocol, learner.options)
    np.savez(
        folder / f"{name}.npz",
        chances=np.concatenate([answer.chances for answer in answers]),
        fit_cpu_s=sum(answer.fit_cpu_s for answer in answers),
        predict_cpu_s=sum(answer.predict_cpu_s for answer in answers),
        way=answers[0].way,
    )


def fold_by_fold(
    name: str,
    ask: Callable[..., Answer],
    protocol: quality_protocols.Protocol,
    options: dict[str, Any],
) -> list[Answer]:
    """One answer per fold, telling how far it is."""
    answers, told = [], time.monotonic()
    for number, fold in enumerate(protocol.folds, 1):
        answers.append(ask(protocol, fold.known, fold.rows, **options))
        if time.monotonic() - told > PROGRESS_EVERY_S and number < len(protocol.folds):
            told = time.monotonic()
            print(f"  {protocol.name} {name}: {number} of {len(protocol.folds)} fits", flush=True)
    return answers


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
