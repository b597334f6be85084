"""How well does a score, or a column alone, put one kind of row before another?

The two kinds are wins and losses, or any other yes and no: later and earlier, open and closed.
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

BLOCK_COUNT = 10
FOLD_COUNT = 5
PRIOR_ROWS = 10


def auc(outcome: np.ndarray, score: np.ndarray) -> float:
    """ROC AUC, 0.5 where only one class is present.

    The chance that a win outranks a loss, ties counting half, from the sum of the wins' ranks
    (Mann and Whitney 1947; Hanley and McNeil 1982).
    """
    won = np.asarray(outcome) == 1
    wins, losses = int(won.sum()), int((~won).sum())
    if not wins or not losses:
        return 0.5
    return float((rankdata(score)[won].sum() - wins * (wins + 1) / 2) / (wins * losses))


def auc_in_blocks(
    outcome: np.ndarray, score: np.ndarray, blocks: list[np.ndarray] | None = None
) -> float:
    """Mean AUC inside blocks of rows, weighted by the size of the rarer class.

    blocks: row positions; by default ten equal stretches of the given order.
    """
    if blocks is None:
        blocks = np.array_split(np.arange(len(outcome)), BLOCK_COUNT)
    weights = [min(outcome[rows].sum(), len(rows) - outcome[rows].sum()) for rows in blocks]
    if not sum(weights):
        return 0.5
    values = [auc(outcome[rows], score[rows]) for rows in blocks]
    return float(np.average(values, weights=weights))


def as_number(column: pd.Series) -> pd.Series:
    """A date as nanoseconds since 1970, missing as NaN; every other column as it is."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.astype("int64").where(column.notna()).astype("float64")
    return column


def groups_of(column: pd.Series) -> np.ndarray:
    """A code per row: one of 20 quantile bins of a number, a text value, or -1 for missing."""
    column = as_number(column)
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > 20:
        column = column.replace([np.inf, -np.inf], np.nan)
        return pd.qcut(column, 20, duplicates="drop").cat.codes.to_numpy()
    return pd.factorize(column)[0]


def alone_score(
    column: pd.Series, outcome: np.ndarray, entity: np.ndarray | None = None
) -> tuple[float, float]:
    """How well one column ranks alone: AUC over all rows, and within blocks of time.

    Each row is scored by the smoothed share of wins in its group among the *other* folds
    (every fifth row), so that an id with one row a value scores 0.5 and not 1.0. Rows of one
    entity share a fold: a deal that is seen again must not vouch for itself.
    """
    codes = groups_of(column)
    which = np.arange(len(codes)) if entity is None else pd.factorize(entity)[0]
    fold = which % FOLD_COUNT
    base = float(outcome.mean())
    table = pd.DataFrame({"code": codes, "fold": fold, "win": outcome})
    by_fold = table.groupby(["code", "fold"])["win"].agg(["sum", "count"])
    own = by_fold.reindex(pd.MultiIndex.from_arrays([codes, fold])).to_numpy()
    total = table.groupby("code")["win"].agg(["sum", "count"]).reindex(codes).to_numpy()
    other = total - own
    score = (other[:, 0] + PRIOR_ROWS * base) / (other[:, 1] + PRIOR_ROWS)
    return auc(outcome, score), auc_in_blocks(outcome, score)
