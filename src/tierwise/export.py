"""Hand a fitted model over: as ONNX for any language, as skops for scikit-learn.

The ONNX graph takes one input per column under the column's own name and gives `score` and
`chance`, in this order (`score_` where a column is called score, see `unused`). The
calibration is part of the graph, in double precision.
"""

import copy
from typing import Any

import numpy as np
import onnx
import onnx.compose
import pandas as pd
import skops.io
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.pipeline import Pipeline

from tierwise import archive
from tierwise.calibration import Calibrator
from tierwise.files import InputError
from tierwise.models import CHANCE_FLOOR, Model

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


def used_columns(model: Model) -> list[str]:
    """The columns a fitted model reads, in the order it reads them first."""
    return list(dict.fromkeys(name for part in model.parts for name in columns_of(part)))


def columns_of(part: Pipeline) -> list[str]:
    transformers = part.named_steps["columns"].transformers_
    read = (names for step, _, names in transformers if step != "remainder")
    return list(dict.fromkeys(name for names in read for name in names))


def to_onnx(model: Model, calibrator: Calibrator, features: pd.DataFrame) -> bytes:
    """The model and its calibration as one ONNX graph, the same bytes for the same model."""
    register_xgboost()
    # Names of its own making keep skl2onnx from bending ours ("Lead Source" -> "Lead_Source").
    names = {name: f"column_{number}" for number, name in enumerate(used_columns(model))}
    protos = [part_to_onnx(part, names, features) for part in model.parts]
    proto, graph = protos[0], protos[0].graph
    believed = [probabilities_of(graph)]
    for number, other in enumerate(protos[1:], start=1):
        prefixed = onnx.compose.add_prefix(other, f"part{number}_", rename_inputs=False)
        believed.append(probabilities_of(prefixed.graph))
        append_part(graph, prefixed.graph)
    unite_opsets(protos)
    append_calibration(graph, believed, model, calibrator)
    restore_names(graph, {short: name for name, short in names.items()})
    proto.producer_version = ""
    onnx.checker.check_model(proto)
    return proto.SerializeToString(deterministic=True)


def part_to_onnx(part: Pipeline, names: dict[str, str], features: pd.DataFrame) -> onnx.ModelProto:
    """One pipeline as a graph whose inputs are called by `names`."""
    columns = columns_of(part)
    kinds = {
        name: FloatTensorType if pd.api.types.is_numeric_dtype(features[name]) else StringTensorType
        for name in columns
    }
    types = [(names[name], kinds[name]([None, 1])) for name in columns]
    return convert_sklearn(
        one_tree_a_round(with_columns(part, {name: names[name] for name in columns})),
        "tierwise",
        types,
        target_opset=OPSETS,
        options={"zipmap": False},
    )


def probabilities_of(graph: onnx.GraphProto) -> str:
    return graph.output[1].name


def append_part(graph: onnx.GraphProto, other: onnx.GraphProto) -> None:
    """Take over nodes, constants and those inputs that are new."""
    known = {item.name for item in graph.input}
    graph.input.extend(item for item in other.input if item.name not in known)
    graph.node.extend(other.node)
    graph.initializer.extend(other.initializer)


def unite_opsets(protos: list[onnx.ModelProto]) -> None:
    """The first graph asks for the operators that any of them needs.

    Each was converted for OPSETS and names the lowest version that has its own operators.
    """
    needed: dict[str, int] = {}
    for item in (item for proto in protos for item in proto.opset_import):
        needed[item.domain] = max(item.version, needed.get(item.domain, 0))
    del protos[0].opset_import[:]
    protos[0].opset_import.extend(helper.make_opsetid(*item) for item in sorted(needed.items()))


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


def one_tree_a_round(part: Pipeline) -> Pipeline:
    """Tell the converter how many trees there are, in place: it takes rounds for trees."""
    model = part.named_steps["model"]
    if hasattr(model, "get_booster"):
        model.n_estimators = len(model.get_booster().get_dump())
        model.num_parallel_tree = 1
    return part


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


def append_calibration(
    graph: onnx.GraphProto, believed: list[str], model: Model, calibrator: Calibrator
) -> None:
    """Replace the outputs by score and chance, each of shape (n,) and float32.

    believed: the name of each part's probabilities, shape (n, 2).
    """
    del graph.output[:]
    steps = Steps(graph)
    parts = [steps.win_chance(name) for name in believed]
    p = parts[0]
    if len(parts) > 1:
        z = steps.real(model.intercept)
        for part, weight in zip(parts, model.weights, strict=True):
            z = steps.add("Add", [z, steps.add("Mul", [steps.log_odds(part), steps.real(weight)])])
        p = steps.add("Sigmoid", [z])
    steps.add("Cast", [p], output="score", to=TensorProto.FLOAT)
    z = steps.log_odds(p)
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

    def win_chance(self, probabilities: str) -> str:
        """The second column of (n, 2) probabilities in double precision, shape (n,)."""
        both = self.add("Gather", [probabilities, self.whole([1])], axis=1)
        flat = self.add("Reshape", [both, self.whole([-1])])
        return self.add("Cast", [flat], to=TensorProto.DOUBLE)

    def log_odds(self, p: str) -> str:
        p = self.add("Max", [p, self.real(CHANCE_FLOOR)])
        p = self.add("Min", [p, self.real(1 - CHANCE_FLOOR)])
        return self.add("Log", [self.add("Div", [p, self.add("Sub", [self.real(1.0), p])])])

    def real(self, value: float) -> str:
        return self.constant(np.array(value, dtype="float64"))

    def whole(self, values: list[int]) -> str:
        return self.constant(np.array(values, dtype="int64"))

    def constant(self, value: np.ndarray) -> str:
        name = self.name()
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name


def to_skops(model: Model, calibrator: Calibrator | None) -> bytes:
    """parts, weights, intercept and calibrator as a skops file, equal bytes for equal models.

    Log-odds of the score = intercept + the sum over parts of weight * log-odds of the part, whose
    chance is kept within [1e-6, 1 - 1e-6]; with one part, the score is what that part believes.
    """
    numbers = {"weights": list(model.weights), "intercept": model.intercept}
    content = skops.io.dumps({"parts": list(model.parts), **numbers, "calibrator": calibrator})
    unknown = set(skops.io.get_untrusted_types(data=content)) - TRUSTED_TYPES
    if unknown:
        raise InputError(
            f"The model holds types that tierwise does not trust: {sorted(unknown)}. "
            "Read them, then add them to TRUSTED_TYPES in export.py."
        )
    return archive.canonical(content)


def from_skops(content: bytes) -> tuple[Model, Calibrator]:
    """Read a file of `to_skops`; raises when it holds a type outside TRUSTED_TYPES."""
    found = skops.io.loads(content, trusted=sorted(TRUSTED_TYPES))
    model = Model(tuple(found["parts"]), tuple(found["weights"]), found["intercept"])
    return model, found["calibrator"]
