"""Hand a fitted model over: as ONNX for any language, as skops for scikit-learn.

The ONNX graph takes one input per column under the column's own name and gives `score` and
`chance`, in this order (`score_` where a column is called score, see `unused`). The
calibration is part of the graph, in double precision.
"""

import copy
import io
import json
import re
import zipfile
from typing import Any

import numpy as np
import onnx
import pandas as pd
import skops.io
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.pipeline import Pipeline

from tierwise.calibration import CHANCE_FLOOR, Calibrator
from tierwise.files import InputError

# The default for ai.onnx.ml is newer than the XGBoost converter accepts.
OPSETS = {"": 18, "ai.onnx.ml": 3}

# What a skops file of ours may hold beyond scikit-learn's own defaults. Never read from the file.
TRUSTED_TYPES = frozenset(
    {
        "numpy.dtype",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn.compose._column_transformer._RemainderColsList",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
    }
)


def register_xgboost() -> None:
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from xgboost import XGBClassifier

    update_registered_converter(
        XGBClassifier,
        "XGBoostXGBClassifier",
        calculate_linear_classifier_output_shapes,
        convert_xgboost,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )


def used_columns(model: Pipeline) -> list[str]:
    """The columns a fitted pipeline reads, in the order it reads them."""
    transformers = model.named_steps["columns"].transformers_
    return [name for part, _, names in transformers if part != "remainder" for name in names]


def to_onnx(model: Pipeline, calibrator: Calibrator, features: pd.DataFrame) -> bytes:
    """The pipeline and its calibration as one ONNX graph, the same bytes for the same model."""
    register_xgboost()
    columns = used_columns(model)
    numeric = {name: pd.api.types.is_numeric_dtype(features[name]) for name in columns}
    # Names of its own making keep skl2onnx from bending ours ("Lead Source" -> "Lead_Source").
    names = {name: f"column_{number}" for number, name in enumerate(columns)}
    renamed = with_columns(model, names)
    types = [
        (names[name], (FloatTensorType if numeric[name] else StringTensorType)([None, 1]))
        for name in columns
    ]
    proto = convert_sklearn(
        renamed, "tierwise", types, target_opset=OPSETS, options={"zipmap": False}
    )
    append_calibration(proto.graph, calibrator)
    restore_names(proto.graph, {short: name for name, short in names.items()})
    proto.producer_version = ""
    onnx.checker.check_model(proto)
    return proto.SerializeToString(deterministic=True)


def with_columns(model: Pipeline, names: dict[str, str]) -> Pipeline:
    """The same fitted pipeline reading its columns under other names (the input is not altered)."""
    copied = copy.deepcopy(model)
    columns = copied.named_steps["columns"]
    columns.transformers_ = [
        (part, step, [names[name] for name in used] if part != "remainder" else used)
        for part, step, used in columns.transformers_
        if part != "remainder"
    ]
    columns.feature_names_in_ = np.array(list(names.values()), dtype=object)
    columns.n_features_in_ = len(names)
    return copied


def restore_names(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Inputs get the columns' names; whatever bears such a name inside the graph gives way."""
    inner = {item.name for item in graph.initializer}
    inner |= {name for node in graph.node for name in node.output}
    names, taken = dict(names), inner | set(names.values())
    for name in sorted(inner & set(names.values())):
        names[name] = unused(name, taken)
        taken.add(names[name])
    for item in (*graph.input, *graph.output, *graph.initializer):
        item.name = names.get(item.name, item.name)
    for node in graph.node:
        for ends in (node.input, node.output):
            ends[:] = [names.get(name, name) for name in ends]


def unused(name: str, taken: set[str]) -> str:
    """The name, with as many _ appended as it takes to be none of the taken ones."""
    while name in taken:
        name += "_"
    return name


def append_calibration(graph: onnx.GraphProto, calibrator: Calibrator) -> None:
    """Replace the outputs by score and chance, each of shape (n,) and float32."""
    probabilities = graph.output[1].name
    del graph.output[:]
    steps = Steps(graph)
    both = steps.add("Gather", [probabilities, steps.whole([1])], axis=1)
    score = steps.add("Reshape", [both, steps.whole([-1])], output="score")
    p = steps.add("Cast", [score], to=TensorProto.DOUBLE)
    p = steps.add("Max", [p, steps.real(CHANCE_FLOOR)])
    p = steps.add("Min", [p, steps.real(1 - CHANCE_FLOOR)])
    odds = steps.add("Div", [p, steps.add("Sub", [steps.real(1.0), p])])
    z = steps.add("Log", [odds])
    out = steps.add("Mul", [z, steps.real(calibrator["slope"])])
    out = steps.add("Add", [out, steps.real(calibrator["intercept"])])
    for knot, change in zip(calibrator["knots"], calibrator["changes"], strict=True):
        bend = steps.add("Relu", [steps.add("Sub", [z, steps.real(knot)])])
        out = steps.add("Add", [out, steps.add("Mul", [bend, steps.real(change)])])
    chance = steps.add("Sigmoid", [out])
    steps.add("Cast", [chance], output="chance", to=TensorProto.FLOAT)
    for name in ("score", "chance"):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]))


class Steps:
    """Appends nodes to a graph, naming what flows between them."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph, self.count = graph, 0

    def name(self) -> str:
        self.count += 1
        return f"calibration_{self.count}"

    def add(self, kind: str, inputs: list[str], output: str | None = None, **settings: Any) -> str:
        output = output or self.name()
        self.graph.node.append(helper.make_node(kind, inputs, [output], output, **settings))
        return output

    def real(self, value: float) -> str:
        return self.constant(np.array(value, dtype="float64"))

    def whole(self, values: list[int]) -> str:
        return self.constant(np.array(values, dtype="int64"))

    def constant(self, value: np.ndarray) -> str:
        name = self.name()
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name


def to_skops(model: Pipeline, calibrator: Calibrator) -> bytes:
    """{"model": pipeline, "calibrator": numbers} as a skops file, equal bytes for equal models."""
    content = skops.io.dumps({"model": model, "calibrator": calibrator})
    unknown = set(skops.io.get_untrusted_types(data=content)) - TRUSTED_TYPES
    if unknown:
        raise InputError(
            f"The model holds types that tierwise does not trust: {sorted(unknown)}. "
            "Read them, then add them to TRUSTED_TYPES in export.py."
        )
    return canonical(content)


def from_skops(content: bytes) -> tuple[Pipeline, Calibrator]:
    """Read a file of `to_skops`; raises when it holds a type outside TRUSTED_TYPES."""
    found = skops.io.loads(content, trusted=sorted(TRUSTED_TYPES))
    return found["model"], found["calibrator"]


def canonical(content: bytes) -> bytes:
    """A skops file without what makes every copy differ: memory addresses, dates, padding."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = members.pop("schema.json").decode()
    ids = in_order_of_appearance(re.findall(r'"__id__": (\d+)', schema))
    files = in_order_of_appearance(re.findall(r'"file": "([^"]+)"', schema))
    files = {name: number + name[name.rfind(".") :] for name, number in files.items()}
    schema = re.sub(r'"__id__": (\d+)', lambda found: f'"__id__": {ids[found[1]]}', schema)
    schema = re.sub(r'"file": "([^"]+)"', lambda found: f'"file": "{files[found[1]]}"', schema)
    renamed = {files[name]: without_padding(data) for name, data in members.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(renamed):
            archive.writestr(dated(name), renamed[name])
        archive.writestr(dated("schema.json"), json.dumps(json.loads(schema), indent=1))
    return out.getvalue()


def without_padding(data: bytes) -> bytes:
    """A .npy file whose records have zeros between their fields; other files as they are.

    NumPy leaves there what the memory happened to hold, pieces of other tables for instance.
    """
    if not data.startswith(b"\x93NUMPY"):
        return data
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names is None:
        return data
    used = np.zeros(array.dtype.itemsize, dtype="uint8")
    for kind, start, *_ in array.dtype.fields.values():
        used[start : start + kind.itemsize] = 1
    head = len(data) - array.nbytes
    records = np.frombuffer(data, dtype="uint8", offset=head).reshape(-1, len(used))
    return data[:head] + (records * used).tobytes()


def in_order_of_appearance(names: list[str]) -> dict[str, str]:
    return {name: str(number) for number, name in enumerate(dict.fromkeys(names))}


def dated(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    return info
