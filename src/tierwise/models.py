"""A candidate fitted on what was known, and the chances that it believes in.

What the candidates are and which settings they have says candidates.py; how they are judged and
two of them blended, rolling.py.
"""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.pipeline import Pipeline

from tierwise import context, monotone, value_rates
from tierwise.candidates import CANDIDATES, SEARCHED, SEE_CONTEXT, Settings, base_rate, by_column
from tierwise.preparation import categories_of, varying
from tierwise.row_weights import MOST_ROWS, recency, sample

CHANCE_FLOOR = 1e-6
BOOSTED = ("xgboost", "recent_boosting")
# Rows that count less than this teach a linear model nothing.
LEAST_WEIGHT = 1e-3
# Old rows still tell trees how columns work together.
OLD_WEIGHT = 0.02


@dataclass(frozen=True)
class Model:
    """A fitted candidate: one pipeline, or several whose log-odds are added with weights."""

    parts: tuple[Pipeline, ...]
    weights: tuple[float, ...] = (1.0,)
    intercept: float = 0.0


def fit(
    name: str,
    features: pd.DataFrame,
    outcome: np.ndarray,
    settings: Settings | None = None,
    known: np.ndarray | None = None,
    cluster: Path | None = None,
) -> tuple[Model, float]:
    """A fitted candidate of one part and the processor seconds its fit took.

    known: positions of the rows to learn from in the order in which their outcomes became known
    (see `row_weights.as_known`), all by default, since some candidates let late rows count more:
    `half_life_count` in settings says how many rows back a row counts half. `arrivals` lets a
    candidate see how many arrive that would not, `value_rates` how often its values were won. With
    one class only, or columns that never vary, there is nothing to rank by: every candidate falls
    back to the base rate. Of more than half a million rows the older ones are sampled, see
    row_weights.py; boosted trees of XGBoost take all of them where `cluster` is a folder, see
    spark_trees.place.
    """
    started = time.process_time()
    settings = dict(SEARCHED.get(name, [{}])[0] if settings is None else settings)
    known = np.arange(len(outcome)) if known is None else known
    far = cluster is not None and name in BOOSTED and len(known) > MOST_ROWS
    taken, weight = weighed(name, len(known), settings, every_row=far)
    features, outcome = features.iloc[known[taken]], outcome[known[taken]]
    features = features.drop(columns=hidden(name, settings, features), errors="ignore")
    directions = settings.pop("directions", {})
    rule = partial(by_column, name.removeprefix("by_"))
    build = CANDIDATES.get(name, rule) if rankable(features, outcome) else base_rate
    model = build(features, outcome, **(settings if build is not base_rate else {}))
    if directions and build is not base_rate:
        monotone.hold(model, directions)
    there = cluster if far and build is not base_rate else None
    learn(model, features, outcome, None if (weight == 1).all() else weight, there)
    return Model((model,)), time.process_time() - started


def hidden(name: str, settings: Settings, features: pd.DataFrame) -> list[str]:
    """Columns that tell of the times and that this candidate is not to see. A rule sees any.

    Takes `arrivals` and `value_rates` out of the settings.
    """
    arrivals, rates = settings.pop("arrivals", False), settings.pop("value_rates", False)
    if name not in CANDIDATES:
        return []
    times = context.LEVELS if arrivals else context.NAMES
    others = [] if rates else value_rates.names(features)
    return [*(() if name in SEE_CONTEXT else times), *others]


def rankable(features: pd.DataFrame, outcome: np.ndarray) -> bool:
    """Are there both outcomes, and a column that varies?"""
    both = len(np.unique(outcome)) == 2
    return both and bool(varying(features) or categories_of(features))


def learn(
    model: Pipeline,
    features: pd.DataFrame,
    outcome: np.ndarray,
    weight: np.ndarray | None = None,
    cluster: Path | None = None,
) -> None:
    """Fit the last step in place, here or by a cluster; the columns are prepared already."""
    inputs = model[:-1].transform(features)
    if cluster is None:
        model[-1].fit(inputs, outcome, **({} if weight is None else {"sample_weight": weight}))
    else:
        from tierwise import spark_trees

        spark_trees.fit(model[-1], inputs, outcome, weight, cluster)


def weighed(
    name: str, count: int, settings: Settings, every_row: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rows out of `count` that a fit takes, and how much each counts.

    Takes `half_life_count` out of the settings. every_row: none is left to a sample.
    """
    taken, weight = sample(count, count) if every_row else sample(count)
    if "half_life_count" not in settings:
        return taken, weight
    floor = OLD_WEIGHT if name == "recent_boosting" else 0.0
    lately = recency(count, settings.pop("half_life_count"), floor)[taken]
    counts = lately >= LEAST_WEIGHT
    return taken[counts], (weight * lately)[counts]


def chance(model: Model, features: pd.DataFrame, round_count: int | None = None) -> np.ndarray:
    """Chance of a win per row, shape (n_rows,), as the fitted model believes it.

    round_count: as boosted trees of XGBoost believed it after so many rounds, by default after all.
    """
    believed = [part_chance(part, features, round_count) for part in model.parts]
    if len(believed) == 1:
        return believed[0]
    return blended(np.column_stack([log_odds(p) for p in believed]), model.weights, model.intercept)


def blended(z: np.ndarray, weights: tuple[float, ...], intercept: float) -> np.ndarray:
    """Chances of parts' log-odds, z of shape (n_rows, n_parts)."""
    return expit(intercept + z @ np.array(weights))


def part_chance(
    part: Pipeline, features: pd.DataFrame, round_count: int | None = None
) -> np.ndarray:
    last = part[-1]
    early = round_count is not None and hasattr(last, "get_booster")
    ends = {"iteration_range": (0, min(round_count, last.n_estimators))} if early else {}
    probabilities = part.predict_proba(features, **ends)
    classes = list(part.classes_)
    return probabilities[:, classes.index(1)] if 1 in classes else np.zeros(len(features))


def log_odds(chance: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)) with p kept within [1e-6, 1 - 1e-6]."""
    return logit(np.clip(np.asarray(chance, dtype=float), CHANCE_FLOOR, 1 - CHANCE_FLOOR))
