"""Score with an exported model: ONNX Runtime, NumPy and the card; scikit-learn isn't needed.

The same function scores while thresholds and tiers are chosen, when they are judged, and in use,
so a promised chance is the chance that will be given.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd

from tierwise.files import InputError, read_json, sha256

CHUNK_ROWS = 5_000  # the intermediate results of more would cost memory and win no time
CHECK_TOLERANCE = 1e-6
ALWAYS = ("card.json", "MODEL_CARD.md")
WITH_MODEL = ("checks.json", "model.onnx", "model.skops")


def session(model: bytes | Path) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on one thread, so that its sums come out the same every time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    content = model.read_bytes() if isinstance(model, Path) else model
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def score(model: onnxruntime.InferenceSession, features: pd.DataFrame) -> pd.DataFrame:
    """Columns score (ranks) and chance (calibrated), one row per row of `features`.

    features: the model's columns, numbers as float32 (NaN for missing), categories as text.
    Raises InputError when a column is missing or holds the wrong kind of value.
    """
    inputs = {item.name: item.type for item in model.get_inputs()}
    absent = [name for name in inputs if name not in features]
    if absent:
        raise InputError(f"The model needs the columns {absent}; the table has {list(features)}.")
    chunks = []
    for start in range(0, len(features), CHUNK_ROWS):
        rows = features.iloc[start : start + CHUNK_ROWS]
        feed = {name: as_input(rows[name], kind) for name, kind in inputs.items()}
        chunks.append(np.column_stack(model.run(None, feed)))
    values = np.vstack(chunks) if chunks else np.empty((0, 2))
    return pd.DataFrame(values.astype("float64"), columns=["score", "chance"], index=features.index)


def predictor(model: onnxruntime.InferenceSession) -> Callable[[pd.DataFrame], np.ndarray]:
    """A function of features that gives their calibrated chances, shape (n_rows,)."""
    return lambda features: score(model, features)["chance"].to_numpy()


def as_input(column: pd.Series, kind: str) -> np.ndarray:
    """One column as ONNX wants it, shape (n, 1): float32, or text objects."""
    if kind == "tensor(string)":
        found = pd.api.types.infer_dtype(column, skipna=False)
        if found not in ("string", "empty"):
            raise InputError(
                f"The model's column '{column.name}' must hold text; this one is {found}. "
                'Write "(missing)" where there is no value.'
            )
        return column.to_numpy(dtype=object)[:, None]
    try:
        return column.to_numpy(dtype="float32")[:, None]
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The model's column '{column.name}' must hold numbers: {error}."
        ) from None


def verify(folder: Path) -> dict[str, Any]:
    """Check an export against itself: checksums, then the chances promised in checks.json.

    Returns files_count, checks_count and largest_difference. Raises InputError at the first
    thing that doesn't hold.
    """
    sums_file = folder / "SHA256SUMS"
    if not sums_file.is_file():
        raise InputError(f"{folder} is not an export: it has no SHA256SUMS. Run export_model.")
    sums = {}
    for line in sums_file.read_text(encoding="utf-8").splitlines():
        promised, _, name = line.partition("  ")
        sums[name] = promised
        check_file(folder / name, promised)
    card = read_json(folder / "card.json")
    needed = ALWAYS + WITH_MODEL if card["model"] else ALWAYS
    unlisted = [name for name in needed if name not in sums]
    if unlisted:
        raise InputError(
            f"{sums_file} doesn't list {', '.join(unlisted)}: it was cut short. "
            "Fetch the export again."
        )
    if not card["model"]:
        return {"files_count": len(sums), "checks_count": 0, "largest_difference": 0.0} | {
            "verdict": card["verdict"]
        }
    return {"files_count": len(sums), "verdict": card["verdict"]} | check_chances(folder, card)


def check_file(path: Path, promised: str) -> None:
    if not path.is_file():
        raise InputError(f"{path} is missing, though SHA256SUMS lists it. Fetch the export again.")
    found = sha256(path)
    if found != promised:
        raise InputError(
            f"{path} was changed after the export: its sha256 is {found[:12]}…, SHA256SUMS "
            f"promises {promised[:12]}…. Fetch the export again or rerun export_model."
        )


def check_chances(folder: Path, card: dict[str, Any]) -> dict[str, Any]:
    """Score the inputs of checks.json and compare with the chances it promises."""
    checks = read_json(folder / "checks.json")
    kinds = {column["name"]: column["kind"] for column in card["columns"]}
    inputs = pd.DataFrame(checks["inputs"], columns=list(kinds))
    for name, kind in kinds.items():
        inputs[name] = inputs[name].astype("float32" if kind == "number" else "str")
    found = score(session(folder / "model.onnx"), inputs)["chance"].to_numpy()
    difference = float(np.abs(found - np.array(checks["chances"])).max())
    if not difference <= CHECK_TOLERANCE:  # a NaN keeps no promise
        raise InputError(
            f"{folder / 'model.onnx'} gives other chances than checks.json promises: the largest "
            f"difference is {difference:.1e}, {CHECK_TOLERANCE:.0e} is allowed."
        )
    return {"checks_count": len(inputs), "largest_difference": difference}
