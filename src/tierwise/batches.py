"""One hour's scores, as the ledger takes them: columns, rules, and whether two batches are one.

deal_id         text or whole numbers, kept as text
scored_at       the full hour as of which the deals were scored, UTC without a zone
chance, score   calibrated, 0 to 1; and what ranks
tier, rank      "" where no tiers were issued; 1 is the first
model_version   one in a batch
flag            "", "exploration" (its place was drawn by lot) or "holdout" (never sees a tier)
propensity      how likely the deal was to get a place in which it is worked on, told when the
                list was made, from 0 to 1; may be missing in the holdout
worked          whether it has such a place; never in the holdout
shown           whether somebody was shown the tier; never in the holdout
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tierwise.files import InputError

FLAGS = ("", "exploration", "holdout")
SCHEMA = pa.schema(
    [
        *(("deal_id", pa.string()), ("scored_at", pa.timestamp("us")), ("chance", pa.float64())),
        *(("score", pa.float64()), ("tier", pa.string()), ("rank", pa.int64())),
        *(("model_version", pa.string()), ("flag", pa.string()), ("propensity", pa.float64())),
        ("worked", pa.bool_()),
        ("shown", pa.bool_()),
    ]
)
COLUMNS = list(SCHEMA.names)


def prepared(part: pd.DataFrame) -> pa.Table:
    """A part of a batch in the ledger's types. Raises InputError at the first rule it breaks."""
    if sorted(map(str, part.columns)) != sorted(COLUMNS):
        raise InputError(
            f"A batch has exactly the columns {COLUMNS}; missing here are "
            f"{[name for name in COLUMNS if name not in part]}, too many are "
            f"{[name for name in part if name not in COLUMNS]}."
        )
    rows = part[COLUMNS].reset_index(drop=True)
    rows = rows.assign(deal_id=as_text(rows["deal_id"]), scored_at=in_utc(rows["scored_at"]))
    try:
        table = pa.Table.from_pandas(rows, schema=SCHEMA, preserve_index=False)
    except pa.ArrowException as error:
        raise InputError(f"A column of the batch holds something else: {error}") from error
    rows = table.to_pandas()
    for rule, broken in broken_rules(rows).items():
        if broken.any():
            worst = rows[broken].iloc[0]
            raise InputError(
                f"{rule}. {int(broken.sum()):,} of {len(rows):,} rows break this, the first is "
                f"{worst.to_dict()}. Nothing was written; correct the batch and append it again."
            )
    return table


def broken_rules(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Per rule a mask of the rows that break it."""
    odds, held_out = rows["propensity"], rows["flag"] == "holdout"
    known = odds.between(0, 1)
    return {
        "deal_id must be told": rows["deal_id"].isna() | (rows["deal_id"] == ""),
        "scored_at must be a full hour": rows["scored_at"] != rows["scored_at"].dt.floor("h"),
        "chance must be from 0 to 1": ~rows["chance"].between(0, 1),
        "score must be a finite number": ~np.isfinite(rows["score"]),
        'tier must be text, "" where none was issued': rows["tier"].isna(),
        "rank must be 1 or more": ~(rows["rank"] >= 1),
        "model_version must be told": rows["model_version"].isna() | (rows["model_version"] == ""),
        f"flag must be one of {FLAGS}": ~rows["flag"].isin(FLAGS),
        "worked must be told": rows["worked"].isna(),
        "nobody of the holdout has a place": held_out & rows["worked"].eq(True),
        "shown must be told": rows["shown"].isna(),
        "no tier of the holdout may be shown": held_out & rows["shown"].eq(True),
        "propensity must be from 0 to 1": ~(known | (held_out & odds.isna())),
    }


def as_text(deal_id: pd.Series) -> pd.Series:
    """Whole numbers as their digits. Raises InputError for anything else but text."""
    kind = pd.api.types.infer_dtype(deal_id, skipna=False)
    if kind not in ("string", "integer", "empty"):
        raise InputError(
            f"deal_id must be text or whole numbers and never missing; here it is {kind}, such as "
            f"{deal_id.iloc[0]!r}. Take the number that the CRM gives the deal."
        )
    return deal_id.astype("str")


def in_utc(scored_at: pd.Series) -> pd.Series:
    """UTC without a zone. Raises InputError for anything but times."""
    if not pd.api.types.is_datetime64_any_dtype(scored_at):
        raise InputError(
            f"scored_at must be a time; here it is {scored_at.dtype}. Give the full hour in UTC."
        )
    if scored_at.dt.tz is not None:
        scored_at = scored_at.dt.tz_convert("UTC").dt.tz_localize(None)
    return scored_at.astype("datetime64[us]")


def told(table: pa.Table, first: dict[str, Any] | None = None) -> dict[str, Any]:
    """scored_at and model_version of a prepared part with rows.

    first: those of the first part. Raises InputError unless there is one of each, the same ones.
    """
    found = {}
    for name in ("scored_at", "model_version"):
        values = table[name].unique().to_pylist()
        values = values if first is None or first[name] in values else [first[name], *values]
        if len(values) > 1:
            raise InputError(
                f"A batch is one hour by one model; its {name} is {values[0]} and {values[1]}. "
                "Append each by itself."
            )
        found[name] = values[0]
    return found


def digest(parts: Iterable[pd.DataFrame]) -> tuple[int, int]:
    """Number of rows, and a number that the same rows in any order and parts have in common.

    The sum of a 64-bit hash of each row, so that no batch has to be held or sorted.
    """
    count, total = 0, 0
    for part in parts:
        hashes = pd.util.hash_pandas_object(part[COLUMNS], index=False).to_numpy()
        count, total = count + len(part), (total + int(hashes.sum(dtype="uint64"))) % 2**64
    return count, total
