"""The leak guard: columns that could not have been known when they would have been used.

Five signs, each read on rows before the judged span only:

    too good alone           one column ranks within a period as well as no honest column does
    filled after the outcome wins and losses differ in how often the column is filled at all
    later than the decision  a date lies after the as-of time
    comes and goes           filled in some periods, empty in others: backfilled later
    latest state             its name says that it is overwritten as time goes on, and it ranks

Ranking is read *within* periods (blocks of rows in time order): a column that only tells the
periods apart, such as an interest rate, is a clock and not a leak.
"""

import re
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from tierwise.examples import share_later
from tierwise.files import InputError

BLOCK_COUNT = 10
FOLD_COUNT = 5
PRIOR_ROWS = 10
TEXT_DISTINCT_SHARE = 0.5
LATE_SHARE = 0.01
LATEST_STATE_AUC = 0.60
LATEST_STATE = re.compile(
    r"^(status|stage)$|(?:^|[^a-z])("
    r"last|latest|(current|lead|deal|opportunity|call|ticket)[ _-]?(status|stage|state)"
    r"|closed?|closing|final|(lost|loss|won|win|close)[ _-]?reason|disposition"
    r")(?:$|[^a-z])"
)
# LastActivityDate and IsClosed are words, too.
CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
GUARD = {"single_column_auc": 0.78, "missing_gap_share": 0.20, "fill_range_share": 0.50}


def groups_of(column: pd.Series) -> np.ndarray:
    """A code per row: one of 20 quantile bins of a number, a text value, or -1 for missing."""
    if pd.api.types.is_datetime64_any_dtype(column):
        column = column.astype("int64").where(column.notna()).astype("float64")
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


def kind_of(column: pd.Series, entity: pd.Series | np.ndarray | None = None) -> str:
    """number, date, category, text (as good as one value an entity), constant or empty.

    entity: whose row it is; without it, each row is its own. A name that stands in ten rows of one
    deal is still the name of one deal.
    """
    if column.notna().sum() == 0:
        return "empty"
    if column.nunique(dropna=False) == 1:
        return "constant"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    if pd.api.types.is_numeric_dtype(column):
        return "number"
    count = len(column) if entity is None else pd.Series(entity).nunique()
    return "text" if column.nunique() > TEXT_DISTINCT_SHARE * count else "category"


def audit(
    raw: pd.DataFrame,
    as_of: pd.Series,
    outcome: np.ndarray,
    guard: dict[str, float] = GUARD,
    entity: pd.Series | None = None,
    dated: Collection[str] = (),
) -> pd.DataFrame:
    """One row per column of `raw`: what it holds and why it is suspicious.

    raw, as_of, outcome, entity (whose row it is; each its own if None): the same rows in time
    order, decided ones only. dated: columns that hold what was known at the as-of time by the way
    they are made; only a rank that is too good speaks against them. Columns of the result:
    column, kind, missing_share, distinct_count, auc, auc_in_period, missing_gap_share (wins minus
    losses), fill_range_share, late_share, reason ("" when the guard sees nothing). Raises
    InputError where no column is left.
    """
    if raw.empty:
        raise InputError(
            "No column is left to learn from: the file holds nothing but id, outcome and time. "
            "Use a file with columns that say something about each case."
        )
    whose = None if entity is None else entity.to_numpy()
    found = [audit_column(raw[name], as_of, outcome, whose) for name in raw]
    for row in found:
        if row["kind"] != "empty":
            row["reason"] = suspicion(row, guard, row["column"] in dated)
    return pd.DataFrame(found)


def audit_column(
    column: pd.Series, as_of: pd.Series, outcome: np.ndarray, entity: np.ndarray | None = None
) -> dict[str, Any]:
    """One row of the audit, its reason still empty."""
    kind = kind_of(column, entity)
    missing = column.isna().to_numpy()
    rankable = kind in ("number", "date", "category")
    pooled, inside = alone_score(column, outcome, entity) if rankable else (0.5, 0.5)
    return {
        "column": str(column.name),
        "kind": kind,
        "missing_share": float(missing.mean()),
        "distinct_count": int(column.nunique()),
        "auc": pooled,
        "auc_in_period": inside,
        "missing_gap_share": gap(missing, outcome),
        "fill_range_share": fill_range(missing),
        "late_share": share_later(column, as_of)
        if kind == "date" and pd.api.types.is_datetime64_any_dtype(as_of)
        else 0.0,
        "reason": "",
    }


def gap(missing: np.ndarray, outcome: np.ndarray) -> float:
    """Missing share among wins minus missing share among losses, in [-1, 1]."""
    wins = outcome == 1
    return (
        float(missing[wins].mean() - missing[~wins].mean()) if 0 < wins.sum() < len(wins) else 0.0
    )


def fill_range(missing: np.ndarray) -> float:
    """Highest minus lowest filled share over ten stretches of time, in [0, 1]."""
    filled = [1 - block.mean() for block in np.array_split(missing, BLOCK_COUNT) if len(block)]
    return float(max(filled) - min(filled)) if filled else 0.0


def suspicion(found: dict[str, Any], guard: dict[str, float], is_dated: bool = False) -> str:
    """The first sign of a leak in words, or ""."""
    inside = found["auc_in_period"]
    if found["late_share"] > LATE_SHARE:
        return f"{found['late_share']:.0%} of its dates lie after the decision"
    if inside >= guard["single_column_auc"]:
        return (
            f"too good alone: ranks with AUC {inside:.2f} inside a period, "
            f"the guard's limit is {guard['single_column_auc']:.2f}"
        )
    if is_dated:  # whether it is filled is known at the time, too: no meeting yet, say
        return ""
    if abs(found["missing_gap_share"]) >= guard["missing_gap_share"]:
        points = abs(100 * found["missing_gap_share"])
        more, fewer = ("wins", "losses") if found["missing_gap_share"] < 0 else ("losses", "wins")
        return (
            f"filled in after the outcome: {points:.0f} percentage points more of the {more} "
            f"than of the {fewer} have it"
        )
    if found["fill_range_share"] >= guard["fill_range_share"]:
        return (
            f"comes and goes: the filled share differs by {found['fill_range_share']:.0%} "
            "between periods, so it was filled in later or dropped"
        )
    words = CAMEL_HUMP.sub(" ", found["column"]).lower()
    if LATEST_STATE.search(words) and inside >= LATEST_STATE_AUC:
        return (
            "its name says that it holds the latest state, which an export shows as it was "
            f"after the outcome, and it ranks with AUC {inside:.2f}"
        )
    return ""


def decide(found: pd.DataFrame, leave_out: dict[str, str], allow: dict[str, str]) -> pd.DataFrame:
    """The audit with what is done about it: refused (bool), by, why ("" where nothing is).

    leave_out: column -> why the user keeps it out. allow: column -> why the guard is wrong about
    it; a column in both stays out. Raises InputError when either names no column of the audit or
    gives no reason.
    """
    for role, named in (("leave_out", leave_out), ("allow", allow)):
        unknown = sorted(set(named) - set(found["column"]))
        if unknown:
            raise InputError(
                f"{role} in params.yaml names columns that are not in the file: {unknown}. "
                f"It has: {', '.join(found['column'].head(40))}."
            )
        silent = [name for name, why in named.items() if not str(why or "").strip()]
        if silent:
            raise InputError(f"{role} in params.yaml needs a reason for {silent}, in a few words.")
    declared = found["column"].map(leave_out)
    guarded = (found["reason"] != "") & ~found["column"].isin(allow) & declared.isna()
    by = np.select([declared.notna(), guarded], ["params.yaml", "leak guard"], default="")
    why = declared.where(declared.notna(), found["reason"].where(guarded, ""))
    return found.assign(refused=by != "", by=by, why=why.astype(str))


def announcement(decided: pd.DataFrame) -> str:
    """One line per column that the guard itself refused, for the terminal."""
    rows = decided[decided["by"] == "leak guard"]
    lines = [f"  quarantined {row.column}: {row.why}" for row in rows.itertuples()]
    return "\n".join(lines) or "  the leak guard quarantined nothing"
