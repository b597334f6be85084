"""Which model scores the hours: one that was published, and stays until a better one passes.

    exports/<application>              what the pipeline made last: a candidate
    data/scores/<application>/model    what scores, once a model was published; see rollback.py

Before anything is published, what the pipeline made last scores.
"""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import dataset, files, retraining, rollback, scoring
from tierwise import examples as ex
from tierwise.files import InputError

FIRST: dict[str, Any] = {"passed": True, "sentence": "The first model.", "measures": []}


def published(root: Path, application: str) -> Path:
    return root / "data" / "scores" / application / "model"


def in_place(root: Path, application: str) -> Path:
    """The export that scores now."""
    folder = published(root, application)
    return folder if folder.is_dir() else root / "exports" / application


def loading(root: Path, application: str) -> AbstractContextManager[None]:
    """While the block runs, the export that scores is not exchanged."""
    folder = published(root, application)
    return rollback.in_use(folder) if folder.is_dir() else nullcontext()


def publish(root: Path, application: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Put what the pipeline made last in place; returns the history and the gate.

    The first one has nobody to beat. A later one must beat the model in place on the rows that
    judged it, see `retraining.gate`. Raises InputError, and changes nothing, where it doesn't.
    """
    folder, candidate = published(root, application), root / "exports" / application
    if not folder.is_dir():
        gate = FIRST
    elif not candidate.is_dir():
        raise InputError(f"{candidate} is missing. Run `dvc repro export_model@{application}`.")
    else:
        gate = gate_of(application, folder, candidate)
    return rollback.publish(folder, candidate, gate), gate


def gate_of(application: str, folder: Path, candidate: Path) -> dict[str, Any]:
    """The model in `folder` against the candidate, on the judged rows: one a deal, its first."""
    examples, features = dataset.load(application)
    rows = examples[~ex.before_judging(examples)].drop_duplicates("entity_id")
    places = {
        "champion": (folder, f"Bring them back, or move {folder} away: then nobody is to beat."),
        "challenger": (candidate, f"Run `dvc repro export_model@{application}`."),
    }
    features = features.loc[rows.index]
    chances = {name: chance(place, features, way) for name, (place, way) in places.items()}
    rows = rows.rename(columns={"as_of": "scored_at", "entity_id": "deal_id"}).assign(**chances)
    return retraining.gate(rows.reset_index(drop=True), rows["scored_at"].min())


def chance(folder: Path, features: pd.DataFrame, way_out: str = "") -> np.ndarray:
    """The chances that an export gives the rows; see `scores`."""
    return scores(folder, features, way_out)["chance"].array


def scores(folder: Path, features: pd.DataFrame, way_out: str = "") -> pd.DataFrame:
    """What an export says of the rows: score, chance. InputError where it is damaged or can't.

    way_out: from columns that are gone.
    """
    scoring.verify(folder)
    card = files.read_json(folder / "card.json")
    if not card["model"]:
        raise InputError(f"{folder} holds no model: {card['sentence']} There is nobody to compare.")
    names = [column["name"] for column in card["columns"]]
    gone = [name for name in names if name not in features]
    if gone:
        raise InputError(
            f"{folder} reads {', '.join(gone[:3])}, which the features don't have any more, so it "
            f"can't be judged on the same rows. {way_out}".rstrip()
        )
    return scoring.score(scoring.session(folder / "model.onnx"), features[names])
