"""The one-line rule: groups of one column, the ones with the larger effect first.

What is known of a group is little, so its effect is drawn towards that of all groups, the more the
less is known (Morris 1983, see shrinkage.py). Where no column is named, the one is taken whose
groups differ most beyond what luck explains.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import chi2

from tierwise.files import InputError
from tierwise.preparation import CATEGORIES_MAX_COUNT, bin_edges

OTHER = "(other)"
GROUP_MIN_COUNT = 20  # rows in each arm

Score = Callable[[pd.DataFrame], np.ndarray]


def by_column(
    features: pd.DataFrame, treated: np.ndarray, outcome: np.ndarray, column: str | None = None
) -> Score:
    """Score: the effect of each row's group, drawn towards the mean. Groups unseen: the mean."""
    name = strongest(features, treated, outcome) if column is None else column
    grouped = groups(features[name])
    table = effects_of(grouped(features[name]), treated, outcome)
    mean = mean_of(table)
    shrunk = drawn_to_mean(table, mean)
    return lambda rows: grouped(rows[name]).map(shrunk).fillna(mean).to_numpy(dtype="float64")


def strongest(features: pd.DataFrame, treated: np.ndarray, outcome: np.ndarray) -> str:
    """The column whose groups' effects differ with the smallest p; the first among equals.

    By Cochran's Q (Biometrics 10, 1954), that compares columns with few and with many groups.
    """
    best, found = "", np.inf
    for name in features:
        table = effects_of(groups(features[name])(features[name]), treated, outcome)
        away = (table["effect"] - mean_of(table)) / table["error"]
        p = float(chi2.sf(away @ away, len(table) - 1)) if len(table) > 1 else np.inf
        if p < found:
            best, found = str(name), p
    if not best:
        raise InputError(
            "No column splits the rows into groups with 20 rows in both arms, so there is no "
            "one-line rule. Name a column that differs between people."
        )
    return best


def groups(column: pd.Series) -> Callable[[pd.Series], pd.Series]:
    """How a column's values fall into groups: bins of about equal count, or frequent values."""
    if pd.api.types.is_numeric_dtype(column):
        inner = bin_edges(column.astype("float64"))[1:-1]
        return lambda values: pd.Series(
            np.searchsorted(inner, values.astype("float64").fillna(-np.inf), side="right"),
            index=values.index,
        ).astype("str")
    frequent = column.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    kept = set(frequent.index[:CATEGORIES_MAX_COUNT])
    return lambda values: values.astype("object").where(values.isin(kept), OTHER).astype("str")


def effects_of(label: pd.Series, treated: np.ndarray, outcome: np.ndarray) -> pd.DataFrame:
    """group, effect, error of groups with 20 rows in each arm, groups ascending.

    All share one spread of outcomes: a group in which nobody came is not known any better.
    """
    codes, names = pd.factorize(label, sort=True)
    counts, sums = (
        [np.bincount(codes[treated == arm], each[treated == arm], len(names)) for arm in (1, 0)]
        for each in (np.ones(len(outcome)), outcome)
    )
    enough = np.minimum(*counts) >= GROUP_MIN_COUNT
    n_t, n_c, y_t, y_c = (values[enough] for values in (*counts, *sums))
    error = max(float(np.std(outcome)), 1e-12) * np.sqrt(1 / n_t + 1 / n_c)
    return pd.DataFrame({"group": names[enough], "effect": y_t / n_t - y_c / n_c, "error": error})


def mean_of(table: pd.DataFrame) -> float:
    """Of effects, the better known the heavier; 0 without any."""
    return float(np.average(table["effect"], weights=table["error"] ** -2)) if len(table) else 0.0


def drawn_to_mean(table: pd.DataFrame, mean: float) -> dict[str, float]:
    """Effect by group: between its own and the mean by DerSimonian and Laird's spread (1986)."""
    if len(table) < 2:
        return dict.fromkeys(table["group"], mean)
    weight, effect = table["error"].to_numpy() ** -2, table["effect"].to_numpy()
    beyond = weight @ (effect - mean) ** 2 - (len(table) - 1)
    between = max(0.0, beyond / (weight.sum() - (weight @ weight) / weight.sum()))
    own = between / (between + table["error"].to_numpy() ** 2)
    return dict(zip(table["group"], mean + own * (effect - mean), strict=True))
