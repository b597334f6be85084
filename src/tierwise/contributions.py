"""Why a row has the score it has: what each column adds to its log-odds.

    log-odds = log(chance / (1 - chance))

The log-odds of a model are the weighted sum of those of its parts, fitted pipelines, and an
intercept. Those of a part are kept within those of the chances 1e-6 and 1 - 1e-6. The base is what
the model says of nobody in particular. A contribution is what one column of one row adds to it:

    base + sum of a row's contributions = log-odds of its score

A contribution of log(2) makes the odds twice as high. All are exact Shapley values of the part on
log-odds, with two exceptions, brought there in proportion (`rescaled`): a random forest adds up
chances, so its contributions are Shapley values of the chance; and tables with a score at one of
the ends of the scale are cut there.

    linear          value minus the mean over the background rows, times the coefficient
    boosted trees   TreeSHAP with path-dependent expectation (Lundberg et al. 2020)
    base rate       nothing contributes

Contributions say what moved the model, not what moves the customer.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

from tierwise import calibration, shapley
from tierwise.files import InputError
from tierwise.models import Model

Explained = tuple[float, pd.DataFrame]  # base, contributions
CHUNK_ROWS = 10_000
FEW_ROWS = 64
STEP = 1e-6


def explain(model: Model, features: pd.DataFrame, background: pd.DataFrame) -> Explained:
    """Base, and contributions on log-odds: same rows and columns as `features`, float64.

    background: rows that stand for nobody in particular, such as those the model learned from;
    linear parts need them, trees hold their own. A column that no part reads contributes 0.
    Raises InputError for a model whose contributions are not exact here.
    """
    if background.empty:
        raise InputError("The background has no rows; take those that the model learned from.")
    base = model.intercept
    total = pd.DataFrame(0.0, index=features.index, columns=features.columns)
    for part, weight in zip(model.parts, model.weights, strict=True):
        own_base, own = of_part(part, features, background)
        base += weight * own_base
        total[own.columns] += weight * own
    return base, total


def of_part(model: Pipeline, features: pd.DataFrame, background: pd.DataFrame) -> Explained:
    """Base and contributions of one pipeline; only the columns that it reads."""
    kind = type(model[-1]).__name__
    if kind == "DummyClassifier":
        shares = model.predict_proba(background.head(1))[0]
        prior = dict(zip(model.classes_, shares, strict=True)).get(1, 0.0)
        return float(calibration.log_odds(prior)), features.iloc[:, :0]
    if kind not in KINDS:
        raise InputError(
            f"No exact contributions are known of a {kind}; there are those of DummyClassifier, "
            f"{', '.join(KINDS)}."
        )
    base, found = KINDS[kind](model, features, background)
    totals = np.append(base + found.sum(axis=1).to_numpy(), base)
    if (totals == within(totals)).all():
        return base, found
    return rescaled(base, found, within)


def linear(model: Pipeline, features: pd.DataFrame, background: pd.DataFrame) -> Explained:
    """Value minus mean, times coefficient: the Shapley value of a sum (Lundberg and Lee 2017)."""
    last = model[-1]
    if isinstance(last, MultinomialNB):
        line = np.diff(last.feature_log_prob_, axis=0)[0]
        start = float(np.diff(last.class_log_prior_)[0])
    else:
        line, start = last.coef_[0], float(last.intercept_[0])
    line = line.astype("float64")
    mean = by_source(model, background, lambda values: values * line).mean()
    found = by_source(model, features, lambda values: values * line)
    return start + float(mean.sum()), found - mean


def boosted(model: Pipeline, features: pd.DataFrame, _: pd.DataFrame) -> Explained:
    """TreeSHAP: of a few rows XGBoost's own, in float32, whose sums are right to about 4e-6.

    To take the trees apart costs as much as some hundred rows; after that, `shapley` needs a
    twentieth of the time.
    """
    from xgboost import DMatrix

    last = model[-1]
    booster = last.get_booster()
    rounds = getattr(last, "best_iteration", -1) + 1 or booster.num_boosted_rounds()

    def own(values: np.ndarray) -> np.ndarray:
        rows = DMatrix(values, missing=last.missing, nthread=1)
        return booster.predict(rows, pred_contribs=True, iteration_range=(0, rounds))

    def by_leaves(values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, dtype="float32")
        return shapley.values(asked, np.where(values == last.missing, np.nan, values))

    base = float(own(np.zeros((1, last.n_features_in_)))[0, -1])
    if len(features) < FEW_ROWS:
        return base, by_source(model, features, lambda values: own(values)[:, :-1])
    asked = taken_apart(booster, rounds)
    return base, by_source(model, features, by_leaves)


@lru_cache(maxsize=4)
def taken_apart(booster: Any, rounds: int) -> shapley.Leaves:
    """Leaves of the first so many rounds; an hour asks for the same ones in every partition."""
    return shapley.leaves(shapley.of_xgboost(booster[:rounds]))


def forest(model: Pipeline, features: pd.DataFrame, _: pd.DataFrame) -> Explained:
    """Shapley values of the chance, which is what a forest adds up, brought to log-odds."""
    asked = shapley.leaves(shapley.of_forest(model[-1]))
    found = by_source(
        model, features, lambda values: shapley.values(asked, values.astype("float32"))
    )
    return rescaled(shapley.expected(asked), found, calibration.log_odds)


def histogram(model: Pipeline, features: pd.DataFrame, _: pd.DataFrame) -> Explained:
    start, trees = shapley.of_boosting(model[-1])
    asked = shapley.leaves(trees)
    found = by_source(model, features, lambda values: shapley.values(asked, values))
    return start + shapley.expected(asked), found


KINDS: dict[str, Callable[[Pipeline, pd.DataFrame, pd.DataFrame], Explained]] = {
    "LogisticRegression": linear,
    "MultinomialNB": linear,
    "XGBClassifier": boosted,
    "RandomForestClassifier": forest,
    "HistGradientBoostingClassifier": histogram,
}


def by_source(
    model: Pipeline, features: pd.DataFrame, share_out: Callable[[np.ndarray], np.ndarray]
) -> pd.DataFrame:
    """What `share_out` gives to transformed columns, added up over those of a source column."""
    names, counts = sources(model)
    ends = np.cumsum(counts)
    place = {name: at for at, name in enumerate(dict.fromkeys(names))}
    found = np.zeros((len(features), len(place)))
    for start in range(0, len(features), CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        each = share_out(model[:-1].transform(features.iloc[rows]))
        if each.shape[1] != sum(counts):
            raise InputError(
                f"The pipeline makes {each.shape[1]} columns of {len(names)}, {sum(counts)} were "
                "expected: one of its steps is unknown to `sources` in contributions.py."
            )
        for name, count, end in zip(names, counts, ends, strict=True):
            found[rows, place[name]] += each[:, end - count : end].sum(axis=1, dtype="float64")
    return pd.DataFrame(found, index=features.index, columns=list(place))


def sources(model: Pipeline) -> tuple[list[str], list[int]]:
    """Columns that the pipeline reads, and how many it makes of each, in its order.

    A column stands there twice if two steps read it.
    """
    names: list[str] = []
    counts: list[int] = []
    for _, step, columns in model["columns"].transformers_:
        last = step[-1] if isinstance(step, Pipeline) else step
        if isinstance(last, str) and last == "drop":
            continue
        names += list(columns)
        if isinstance(last, OneHotEncoder):
            counts += [len(values) for values in last.categories_]
        elif isinstance(last, KBinsDiscretizer):
            counts += last.n_bins_.tolist()
        else:
            counts += [1] * len(columns)
    return names, counts


def within(log_odds: np.ndarray) -> np.ndarray:
    """No further than the log-odds that scores are given."""
    return np.clip(log_odds, *calibration.log_odds(np.array([0.0, 1.0])))


def rescaled(base: float, found: pd.DataFrame, to: Callable[[Any], Any]) -> Explained:
    """Contributions to f(score) from those to the score: each row's in proportion.

    f(base) + sum = f(score) again. Equal to Shapley values where f is a line, else the rescale
    rule (Chen, Lundberg and Lee 2022, Nature Communications 13:4512) with one baseline.
    """
    away = found.to_numpy().sum(axis=1)
    near = np.abs(away) < STEP
    slope = (to(base + STEP) - to(base - STEP)) / (2 * STEP)
    factor = np.where(near, slope, (to(base + away) - to(base)) / np.where(near, 1.0, away))
    return float(to(base)), found.mul(factor, axis=0)


def calibrated(base: float, found: pd.DataFrame, calibrator: calibration.Calibrator) -> Explained:
    """The same for the calibrated chance, in proportion: an overconfident model claims less."""
    return rescaled(
        base, found, lambda z: calibration.log_odds(calibration.apply(calibrator, expit(z)))
    )
