"""The leak guard: columns that could not have been known when they would have been used.

Seven signs, each read on rows before the judged span only:

    too good alone           one column ranks within a period as well as no honest column does
    filled after the outcome wins and losses differ in how often the column is filled at all
    later than the decision  a date lies after the as-of time
    comes and goes           filled in some periods, empty in others: backfilled later
    latest state             its name says that it is overwritten as time goes on, and it ranks
    filled at closing        cases that have ended have it, those still open at that time do not
    tells ended from open    its values alone say whether a case has ended

Ranking is read *within* periods (blocks of rows in time order): a column that only tells the
periods apart, such as an interest rate, is a clock and not a leak: see `clocks`.

The last two need rows that are still open. They find what the others can't: a field that is filled
whenever a case ends, for wins and losses alike, so that the two don't differ in it.
"""

import re
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from tierwise.examples import share_later
from tierwise.files import InputError
from tierwise.ranking import BLOCK_COUNT, alone_score
from tierwise.ranking import auc as auc
from tierwise.ranking import auc_in_blocks as auc_in_blocks

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
OPEN_GUARD = {"open_column_auc": 0.90, "open_gap_share": 0.20}
OPEN_MIN_COUNT = 50


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


def against_open(
    raw: pd.DataFrame,
    is_open: np.ndarray,
    guard: dict[str, float] = OPEN_GUARD,
    entity: pd.Series | None = None,
    dated: Collection[str] = (),
) -> pd.DataFrame:
    """Per column, how cases that have ended differ from those still open at the same time.

    raw: rows of both kinds in time order, see `examples.in_order`; is_open: bool, shape (n_rows,).
    Both are compared inside ten stretches of time, since open cases are the younger ones. dated:
    as for `audit`; they are measured and never refused. Columns: column, open_auc_in_period (0.5
    to 1: how well the column alone tells the two apart), open_gap_share (filled share of ended
    minus open cases, -1 to 1), reason. With fewer than 50 rows of either kind there is no reason.
    """
    ended = (~np.asarray(is_open, dtype=bool)).astype(float)
    whose = None if entity is None else entity.to_numpy()
    enough = min(ended.sum(), len(ended) - ended.sum()) >= OPEN_MIN_COUNT
    rows = []
    for name in raw:
        rankable = kind_of(raw[name], whose) in ("number", "date", "category")
        inside = alone_score(raw[name], ended, whose)[1] if rankable and enough else 0.5
        found = {"column": str(name), "open_auc_in_period": max(inside, 0.5)}
        found["open_gap_share"] = gap_in_blocks(raw[name].notna().to_numpy(), ended)
        silent = not enough or name in dated
        rows.append(found | {"reason": "" if silent else sign_of_closing(found, guard)})
    return pd.DataFrame(rows, columns=["column", "open_auc_in_period", "open_gap_share", "reason"])


def gap_in_blocks(filled: np.ndarray, ended: np.ndarray) -> float:
    """Filled share of the ended minus that of the open rows, averaged over ten stretches of time.

    A stretch weighs as much as the rarer kind has rows in it. 0.0 where none has both.
    """
    blocks = np.array_split(np.arange(len(ended)), BLOCK_COUNT)
    weights = [min(ended[rows].sum(), len(rows) - ended[rows].sum()) for rows in blocks]
    gaps = [-gap(filled[rows], 1 - ended[rows]) for rows in blocks]
    return float(np.average(gaps, weights=weights)) if sum(weights) else 0.0


def sign_of_closing(found: dict[str, Any], guard: dict[str, float]) -> str:
    """Why a column looks as if it was written when the case ended, or ""."""
    if abs(found["open_gap_share"]) >= guard["open_gap_share"]:
        points = abs(100 * found["open_gap_share"])
        less, more = ("open", "ended") if found["open_gap_share"] > 0 else ("ended", "open")
        return (
            f"filled at closing: {points:.0f} percentage points more of the {more} cases than of "
            f"the {less} ones of the same time have it"
        )
    if found["open_auc_in_period"] >= guard["open_column_auc"]:
        return (
            "tells ended cases from open ones of the same time: "
            f"AUC {found['open_auc_in_period']:.2f}, the limit is {guard['open_column_auc']:.2f}"
        )
    return ""


def with_open(found: pd.DataFrame, against: pd.DataFrame) -> pd.DataFrame:
    """The audit with the signs of `against_open` beside it; a reason it already has stays."""
    signs = against.set_index("column").reindex(found["column"]).reset_index(drop=True)
    late = signs["reason"].fillna("").to_numpy()
    measured = signs[["open_auc_in_period", "open_gap_share"]].set_index(found.index)
    reason = found["reason"].where(found["reason"] != "", late)
    return found.assign(reason=reason).join(measured)


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
