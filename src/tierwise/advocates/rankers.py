"""What can rank members: a regression, small trees, and rules of one column.

rule         the order of one column, such as what was sent in the last year; with a minus
             before its name the other way round
logistic     L2-penalised, on log(1 + x), standardised; what is missing counts like the mean
boosting     small boosted trees, on the same columns
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from tierwise.candidates import SEED
from tierwise.customers import engagement_judged as ej
from tierwise.files import InputError

LOGISTIC, BOOSTING = "logistic", "boosting"
MODELS = (LOGISTIC, BOOSTING)
LEAST_COUNT = 10  # of rows that came, to learn from


@dataclass(frozen=True)
class Settings:
    """choosing_looks_count: looks that choose, at most; inverse_penalties: C of the regression, the
    simplest first; tolerance_share: of the best average precision; learned_rows_count: at most,
    drawn by lot among those in which nothing came."""

    judged_looks_count: int = 4
    choosing_looks_count: int = 3
    inverse_penalties: Sequence[float] = (0.003, 0.03, 0.3)
    tolerance_share: float = 0.02
    learned_rows_count: int = 60_000


@dataclass(frozen=True)
class Logistic:
    """chance = expit(intercept + z @ weights), z the standardised columns."""

    names: tuple[str, ...]
    middle: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    intercept: float

    def z(self, rows: pd.DataFrame) -> np.ndarray:
        away = (ej.logs(rows[list(self.names)]) - self.middle) / self.scale
        return np.nan_to_num(away)

    def parts(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What each column adds to the log odds, against somebody with the mean in all."""
        found = self.z(rows) * self.weights
        return pd.DataFrame(found, columns=list(self.names), index=rows.index)

    def score(self, rows: pd.DataFrame) -> np.ndarray:
        return expit(self.intercept + self.z(rows) @ self.weights)


def by_rule(rows: pd.DataFrame, rule: str) -> np.ndarray:
    """The order of a column as a number in (0, 1) whose log odds are log(1 + x), or - log(1 + x) if
    the rule begins with a minus: the less, the sooner."""
    sign = -1.0 if rule.startswith("-") else 1.0
    column = rows[rule.removeprefix("-")].fillna(0.0).clip(lower=0)
    return expit(sign * np.log1p(column.to_numpy("float64")))


def taken(usable: pd.DataFrame, settings: Settings) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows to learn from, and how many each stands for: all that came, others by lot.

    Raises InputError where hardly anybody brought somebody.
    """
    came = usable["outcome"].to_numpy() == 1
    if came.sum() < LEAST_COUNT:
        raise InputError(
            f"Of {len(usable):,} earlier rows {came.sum()} brought somebody; {LEAST_COUNT} are "
            "needed to learn from. Look over more time."
        )
    others, room = np.flatnonzero(~came), settings.learned_rows_count - int(came.sum())
    weight = np.ones(len(usable))
    if room < len(others):
        kept = np.random.default_rng(SEED).choice(others, max(room, 1), replace=False)
        weight[~came] = 0.0
        weight[kept] = len(others) / len(kept)
    used = weight > 0
    return usable[used], weight[used]


def fitted_logistic(
    usable: pd.DataFrame, columns: Sequence[str], c: float, settings: Settings
) -> Logistic:
    rows, weight = taken(usable, settings)
    used = [name for name in columns if rows[name].notna().any()]
    x = ej.logs(rows[used])
    middle, scale = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    scale[scale < 1e-9] = 1.0
    model = LogisticRegression(C=c, solver="newton-cholesky")
    model.fit(np.nan_to_num((x - middle) / scale), rows["outcome"], sample_weight=weight)
    return Logistic(tuple(used), middle, scale, model.coef_[0], float(model.intercept_[0]))


def boosted(
    usable: pd.DataFrame, columns: Sequence[str], settings: Settings, now: pd.DataFrame
) -> np.ndarray:
    """Chances of the rows `now` by small trees, learned from `usable`."""
    rows, weight = taken(usable, settings)
    used = [name for name in columns if rows[name].nunique() > 1]
    model = HistGradientBoostingClassifier(
        max_iter=60, learning_rate=0.06, max_leaf_nodes=8, min_samples_leaf=100,
        l2_regularization=10.0, early_stopping=False, random_state=SEED,
    )  # fmt: skip
    model.fit(rows[used].to_numpy(), rows["outcome"], sample_weight=weight)
    return model.predict_proba(now[used].to_numpy())[:, 1]
