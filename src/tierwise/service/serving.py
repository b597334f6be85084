"""What the API answers from: a verified export, its models, the ledger and the keys."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import onnxruntime
import pandas as pd

from tierwise import applications, export, files, hour, publishing, scoring
from tierwise.calibration import Calibrator
from tierwise.files import InputError
from tierwise.models import Model
from tierwise.service import history as service_history
from tierwise.service.guard import Limits
from tierwise.words import Wording


@dataclass(frozen=True)
class Serving:
    """All that the API answers from; see `opened` and `serving`.

    folder, version: of the export. verified: what `scoring.verify` said of it. learned: rows that
    the model has learned from. history: past scores of a deal, each scored_at (UTC), chance, tier,
    rank, model_version, flag. last_hour: when deals were last scored. keys: see api_keys.py.
    clock: seconds since 1970.
    """

    application: str
    folder: Path
    version: str
    verified: dict[str, Any]
    session: onnxruntime.InferenceSession
    card: dict[str, Any]
    learned: pd.DataFrame
    model: Model
    calibrator: Calibrator
    wordings: dict[str, Wording]
    history: Callable[[str], list[dict[str, Any]]]
    last_hour: Callable[[], datetime | None]
    keys: Path
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], float] = time.time


def opened(folder: Path, learned: pd.DataFrame, **others: Any) -> Serving:
    """A verified export with its models. others: the rest of `Serving`, as far as it is not read.

    Raises InputError for an export that is damaged, or holds no model.
    """
    verified = scoring.verify(folder)
    card = files.read_json(folder / "card.json")
    if not card["model"]:
        raise InputError(f"{folder} holds no model: {card['sentence']} There is nothing to serve.")
    model, calibrator = export.from_skops((folder / "model.skops").read_bytes())
    return Serving(
        folder=folder,
        verified=verified,
        session=scoring.session(folder / "model.onnx"),
        card=card,
        learned=learned[[column["name"] for column in card["columns"]]],
        model=model,
        calibrator=calibrator,
        **others,
    )


def serving(application: str) -> Serving:
    """What this project has for an application: its export, ledger and keys.

    Raises InputError where one of them is missing or damaged, see `hour.scorer`.
    """
    root = files.project_root()
    sections = files.params(root).get("applications") or {}
    if application not in sections:
        raise InputError(
            f"params.yaml has no application '{application}'; there are {', '.join(sections)}."
        )
    section = sections[application]
    kind = applications.of(section["build_features"]["kind"])
    ledger_folder = root / "data" / "scores" / application / "ledger"
    with publishing.loading(root, application):
        place = publishing.in_place(root, application)
        scorer = hour.scorer(application, kind, section, place)
        return opened(
            scorer.folder,
            scorer.learned,
            application=application,
            version=scorer.version,
            wordings=scorer.wordings,
            history=partial(service_history.of_ledger, ledger_folder),
            last_hour=partial(service_history.last_hour, ledger_folder),
            keys=keys_path(root),
        )


def keys_path(root: Path) -> Path:
    """Where the keys of a project lie: with the scores, which git does not have."""
    return root / "data" / "scores" / "api_keys.json"
