"""Trees that keep to a direction: the longer the wait, never the higher the chance.

Somebody who knows the trade says so in params.yaml, and a few odd rows can no longer say otherwise.
"""

from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline

from tierwise.candidates import BLEND
from tierwise.files import InputError
from tierwise.preparation import numbers_of

DIRECTED = ("histogram_boosting", "xgboost", "recent_boosting")


def directed(
    searched: dict[str, list[dict[str, Any]]], directions: dict[str, int], features: pd.DataFrame
) -> dict[str, list[dict[str, Any]]]:
    """The same settings, with trees that are held to directions.

    directions: by number column, 1 where the chance may never fall as the number rises, -1 where
    it may never rise. The linear part of a blend is not held. Raises InputError.
    """
    unknown = [name for name in directions if name not in numbers_of(features)]
    if unknown or not set(directions.values()) <= {1, -1}:
        raise InputError(
            f"directions in params.yaml gives number columns 1 or -1, not {directions}. "
            f"There are: {', '.join(numbers_of(features)[:40])}."
        )
    held = {
        name: [settings | {"directions": dict(directions)} for settings in searched.get(name, [{}])]
        for name in DIRECTED
    }
    return searched | (held if directions else {})


def hold(part: Pipeline, directions: dict[str, int]) -> None:
    """Tell the trees of an unfitted part: a sign per column they get, 0 for what texts became.

    A column that does not vary among the rows of the fit reaches no tree.
    """
    signs: list[int] = []
    for name, step, columns in part.named_steps["columns"].transformers_:
        if name == "numbers":
            signs += [directions.get(column, 0) for column in columns]
        elif step != "drop":
            signs += [0] * len(step.get_feature_names_out())
    model = part.named_steps["model"]
    name = "monotonic_cst" if "monotonic_cst" in model.get_params() else "monotone_constraints"
    model.set_params(**{name: signs if name == "monotonic_cst" else tuple(signs)})


def sentence(directions: dict[str, int], chosen: str) -> str:
    """Whether the chosen candidate keeps to the directions, for a reader; "" without any."""
    if not directions:
        return ""
    ways = ", ".join(f"{name} {'up' if way > 0 else 'down'}" for name, way in directions.items())
    name = chosen.replace("_", " ")
    if chosen in DIRECTED:
        return f" The chosen candidate, {name}, is held to the directions asked for: {ways}."
    why = "only its trees are held" if chosen == BLEND else "only boosted trees can be held"
    return (
        f" Not held to the directions asked for ({ways}) is the chosen candidate, {name}: {why}, "
        "so its chances may go the other way here and there."
    )
