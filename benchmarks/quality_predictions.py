"""Held-out chances on disk, so that anyone can score them again.

    predictions/PROTOCOL/MODEL.csv    row_id,p   position in the protocol's table, chance of a win
    predictions/PROTOCOL/MODEL.json   fit_cpu_s, predict_cpu_s, way, fingerprint of rows and folds

A learner runs as a process of its own. What it answers is written, read back and only then
measured: the figures are those of the files.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from learners import LEARNERS, OURS, Learner
from quality_protocols import Protocol

from tierwise.files import replacing, write_text

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Prediction:
    """chances in the order of protocol.judged; CPU seconds over all folds; way: see Answer."""

    chances: np.ndarray
    fit_cpu_s: float
    predict_cpu_s: float
    way: str = ""


class Store:
    """The folder `predictions`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, protocol: Protocol, model: str, found: Prediction) -> None:
        path = self.folder / protocol.name / f"{model}.csv"
        table = pd.DataFrame({"row_id": protocol.judged, "p": found.chances})
        with replacing(path) as partial:
            table.to_csv(partial, index=False, float_format="%.9g", lineterminator="\n")
        about: dict[str, str | float] = {"fingerprint": protocol.fingerprint}
        about |= {"fit_cpu_s": found.fit_cpu_s, "predict_cpu_s": found.predict_cpu_s}
        about |= {"way": found.way}
        write_text(path.with_suffix(".json"), json.dumps(about, indent=1) + "\n")

    def read(self, protocol: Protocol, model: str) -> Prediction | None:
        """None where there is none, or one of other rows or folds."""
        path = self.folder / protocol.name / f"{model}.csv"
        if not path.is_file() or not path.with_suffix(".json").is_file():
            return None
        about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        if about["fingerprint"] != protocol.fingerprint:
            return None
        chances = pd.read_csv(path).set_index("row_id")["p"].loc[protocol.judged].to_numpy()
        seconds = about["fit_cpu_s"], about["predict_cpu_s"]
        return Prediction(chances, *seconds, about.get("way", ""))


def run(name: str, folder: Path, limit_s: float) -> tuple[Prediction | None, str]:
    """Ask a learner about the protocol in `folder`; the answer, or why there is none."""
    learner = LEARNERS[name]
    command = command_of(learner)
    if not command:
        return None, "needs uv for an environment of its own: uv sync --group dev"
    process = subprocess.Popen(
        [*command, "-m", "learners.worker", name, str(folder)],
        env=environment(name, folder),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        return None, f"stopped after {limit_s / 60:g} minutes"
    finally:  # whatever ends this ends the learner and all that it started
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        lines = said.strip().splitlines() or [f"failed ({process.returncode})"]
        return None, lines[-1]
    with np.load(folder / f"{name}.npz") as found:
        seconds = float(found["fit_cpu_s"]), float(found["predict_cpu_s"])
        return Prediction(found["chances"], *seconds, str(found["way"])), ""


def command_of(learner: Learner) -> list[str]:
    """This Python, or one with the learner's own requirements; [] where uv is missing."""
    if not learner.requirements:
        return [sys.executable]
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    listed = HERE / "learners" / "requirements" / f"{learner.requirements}.txt"
    alone = ["run", "--quiet", "--no-project", "--isolated", "--python", sys.executable]
    return [uv, *alone, "--with-requirements", str(listed), "python"] if uv else []


def environment(name: str, folder: Path) -> dict[str, str]:
    """One thread unless the learner has more; peers don't see our code."""
    paths = [str(HERE)] + ([str(HERE.parent / "src")] if name == OURS else [])
    threads = str(LEARNERS[name].threads)
    limits = {f"{library}_NUM_THREADS": threads for library in ("OMP", "OPENBLAS", "MKL")}
    own = {"PYTHONPATH": os.pathsep.join(paths), "TMPDIR": str(folder), "PYTHONWARNINGS": "ignore"}
    return {**os.environ, **limits, **own}
