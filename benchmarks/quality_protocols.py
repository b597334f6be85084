"""A protocol: which rows a learner may know, and which it is judged on, fold by fold.

    as_of      when a row had to be decided: a date or a running number of the row
    known_at   when its outcome became known, on the same clock
    fold       learn from `known`, judge on `rows` (positions); one fit each
    block      judged rows that would lie in one work list: ranking and tiers are read inside it

Where the order of the rows stands for time, as_of is the position of the row, and known_at lies
half a row before the first row that may use the outcome: with a refit every 500 rows, the outcome
of row 700 counts from row 1,000 on, so its known_at is 999.5. Everything that is known before a
refit follows from known_at alone. A shuffled protocol has neither: its known rows are in no order,
while those of a protocol with time ascend.

This module needs numpy and pandas only: the peers run it in environments of their own.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd


class Fold(NamedTuple):
    """One fit: positions of the rows to learn from and of the rows to judge."""

    known: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class Protocol:
    """columns: float numbers with NaN, text categories with "(missing)"; outcome: 0 or 1.

    days: a running number of the day, where rows are in order and the file tells days apart.
    cases: what each row is a look at; None where every row is a case of its own.
    """

    name: str
    data: str
    columns: pd.DataFrame
    outcome: np.ndarray
    as_of: np.ndarray | None
    known_at: np.ndarray | None
    folds: list[Fold]
    blocks: list[np.ndarray]
    days: np.ndarray | None = None
    cases: np.ndarray | None = None

    @property
    def judged(self) -> np.ndarray:
        """Positions of all judged rows, fold by fold."""
        return np.concatenate([fold.rows for fold in self.folds])

    @property
    def fingerprint(self) -> str:
        """Changes with rows, columns or folds, so that old predictions are not taken for new."""
        digest = hashlib.sha256("\n".join(self.columns).encode())
        for values in (self.outcome, *(part for fold in self.folds for part in fold)):
            digest.update(np.ascontiguousarray(values, dtype="int64").tobytes())
        digest.update(pd.util.hash_pandas_object(self.columns, index=False).to_numpy().tobytes())
        return digest.hexdigest()[:12]


def save(protocol: Protocol, folder: Path) -> None:
    """What a learner is given, in files that every version of pandas reads."""
    protocol.columns.to_parquet(folder / "columns.parquet", index=False)
    clocks = {"as_of": protocol.as_of, "known_at": protocol.known_at, "days": protocol.days}
    arrays = {name: values for name, values in clocks.items() if values is not None}
    for number, fold in enumerate(protocol.folds):
        arrays |= {f"known_{number}": fold.known, f"rows_{number}": fold.rows}
    for number, block in enumerate(protocol.blocks):
        arrays[f"block_{number}"] = block
    arrays["outcome"] = protocol.outcome
    np.savez(folder / "arrays.npz", allow_pickle=False, **arrays)
    about: dict[str, str | int] = {"name": protocol.name, "data": protocol.data}
    about |= {"folds_count": len(protocol.folds), "blocks_count": len(protocol.blocks)}
    (folder / "protocol.json").write_text(json.dumps(about), encoding="utf-8")


def load(folder: Path) -> Protocol:
    """What `save` left."""
    about = json.loads((folder / "protocol.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz") as found:
        arrays = dict(found)
    return Protocol(
        about["name"],
        about["data"],
        pd.read_parquet(folder / "columns.parquet"),
        arrays["outcome"],
        arrays.get("as_of"),
        arrays.get("known_at"),
        [Fold(arrays[f"known_{n}"], arrays[f"rows_{n}"]) for n in range(about["folds_count"])],
        [arrays[f"block_{n}"] for n in range(about["blocks_count"])],
        arrays.get("days"),
    )
