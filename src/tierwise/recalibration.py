"""A new correction for the model in place: the order of the scores stays, the chances move.

    outcomes    of the judged span, which no model of this build or an earlier one has learned from
    tried       a line from what was known half-way through it, judged on the cases after that
    taken       if that passes the gate of a challenger: a line from the latest 1,000 of all of them

The line is `sliding` of calibration.py, on log-odds of the score. So the way is judged forward, as
everything here is; the last line itself can only be judged by what comes. A later candidate of
`tierwise publish` meets a champion that has seen these outcomes by two numbers, which favours the
champion a little.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import (
    applications,
    calibration,
    card,
    dataset,
    export,
    files,
    publishing,
    retraining,
    rollback,
)
from tierwise import examples as ex
from tierwise.calibration import Calibrator
from tierwise.files import InputError
from tierwise.row_weights import as_known
from tierwise.unlabelled import LATEST_COUNT

METHOD = "sliding"


def recalibrate(root: Path, application: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Put the model in place once more, with chances that follow the latest outcomes.

    Returns the history of `rollback` and the gate. What scored before is kept, so that
    `tierwise rollback` brings it back. Raises InputError, and changes nothing, where chances of
    later cases would not have been better beyond luck.
    """
    refuse_unscored(root, application)
    examples, features = dataset.load(application)
    later = examples[~ex.before_judging(examples)].reset_index(names="row")
    with publishing.loading(root, application):
        place = publishing.in_place(root, application)
        said = publishing.scores(place, features.loc[later["row"]])
        later = later.assign(score=said["score"].array, chance=said["chance"].array)
        gate = tried(later)
        if not gate["passed"]:
            raise InputError(f"Nothing was changed. {gate['sentence']}")
        beside = publishing.published(root, application).parent
        beside.mkdir(parents=True, exist_ok=True)
        work = tempfile.TemporaryDirectory(".partial", ".recalibrated.", beside)
        learned = features[ex.before_judging(examples)]
        candidate = written(Path(work.name), place, line_of(later), later, learned)
    with work:
        return put_in_place(root, application, candidate, gate), gate


def refuse_unscored(root: Path, application: str) -> None:
    """InputError for an application that no hour scores, so that no model is in place."""
    section = files.params(root).get("applications", {}).get(application)
    if section is None or not hasattr(
        applications.of(section["build_features"]["kind"]), "at_hour"
    ):
        raise InputError(
            f"No hour scores '{application}', so there is no model in place to correct. "
            f"`dvc repro export_model@{application}` on newer rows corrects and fits it anew."
        )


def line_of(rows: pd.DataFrame) -> Calibrator:
    """The correction from the latest outcomes. rows: score, outcome, outcome_known_at."""
    rows = rows.iloc[as_known(rows["outcome_known_at"])]
    return calibration.fit(METHOD, rows["score"].to_numpy(), rows["outcome"].to_numpy())


def tried(later: pd.DataFrame) -> dict[str, Any]:
    """The gate of a correction from the first half of the rows, on the cases of the second.

    later: examples in time order with row, score and chance. See `retraining.gate`.
    """
    half = ex.edge_at(later["as_of"], 0.5)
    known = later[ex.known_before(later, half)]
    rarer_count = int(min(known["outcome"].sum(), (1 - known["outcome"]).sum()))
    if len(known) < retraining.OUTCOMES_MIN_COUNT or rarer_count < retraining.WINS_MIN_COUNT:
        said = f"{len(known):,} outcomes were known half-way, {rarer_count:,} of the rarer kind: "
        said += f"at least {retraining.OUTCOMES_MIN_COUNT:,} and {retraining.WINS_MIN_COUNT}"
        return {"passed": False, "sentence": f"Too few outcomes to try it, {said} are needed."}
    line = line_of(known)
    rows = later[~ex.known_before(later, half, "as_of")].drop_duplicates("entity_id")
    challenger = calibration.apply(line, rows["score"].to_numpy())
    rows = rows.rename(columns={"as_of": "scored_at", "entity_id": "deal_id", "chance": "champion"})
    rows = rows.assign(challenger=challenger).reset_index(drop=True)
    return retraining.gate(rows, rows["scored_at"].min())


def written(
    work: Path, place: Path, line: Calibrator, later: pd.DataFrame, learned: pd.DataFrame
) -> Path:
    """The export in `place` with another correction, in a folder below `work`.

    learned: features that the model learned from, for the checks.
    """
    model, _ = export.from_skops((place / "model.skops").read_bytes())
    told = files.read_json(place / "card.json")
    names = [column["name"] for column in told["columns"]]
    (work / "model.onnx").write_bytes(export.to_onnx(model, line, learned[names]))
    (work / "model.skops").write_bytes(export.to_skops(model, line))
    told |= {"calibration": line, "recalibrated": recalibrated(later)}
    checks_count = len(files.read_json(place / "checks.json")["chances"]) - 1
    card.write(work / "export", told, learned[names], work / "model.onnx", checks_count)
    return work / "export"


def recalibrated(later: pd.DataFrame) -> dict[str, Any]:
    """What the card tells: outcomes_count, and when the first and the last became known."""
    known_at = np.sort(later["outcome_known_at"].to_numpy())[-LATEST_COUNT:]
    first, last = (ex.label(at) for at in pd.Series(known_at).iloc[[0, -1]])
    return {"outcomes_count": len(known_at), "first": first, "last": last}


def put_in_place(
    root: Path, application: str, candidate: Path, gate: dict[str, Any]
) -> pd.DataFrame:
    """Publish it. Where nothing was published yet, what scores now comes first, to go back to."""
    folder = publishing.published(root, application)
    if not folder.is_dir():
        rollback.publish(folder, root / "exports" / application, publishing.FIRST)
    return rollback.publish(folder, candidate, gate)
