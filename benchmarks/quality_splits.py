"""How the rows of a table are cut into folds: shuffled, once by time, or again and again.

Example of a table of 10 rows in order of time, judged on the last 30 %:

    frozen     learn from rows 0 to 6, judge 7 to 9
    rolling    every 2 rows: learn from 0 to 6, judge 7 and 8; learn from 0 to 8, judge 9
    late       the same, and outcomes known 1 row late: learn from 0 to 5, judge 7 and 8; ...
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from quality_protocols import Fold, Protocol
from sklearn.model_selection import StratifiedKFold, train_test_split

SEED = 0
TEST_SHARE = 0.3
FOLD_COUNT = 5
BLOCK_ROWS = 500


@dataclass(frozen=True)
class Table:
    """A data set, its rows in order of time if it has one.

    as_of, known_at: dates; None where the order of the rows stands for time. days: running number
    of the day. official: mask of the rows that the publisher of the data set aside for judging.
    cases: what each row is a look at, None where each is a case of its own.
    """

    name: str
    columns: pd.DataFrame
    outcome: np.ndarray
    as_of: np.ndarray | None = None
    known_at: np.ndarray | None = None
    official: np.ndarray | None = None
    days: np.ndarray | None = None
    cases: np.ndarray | None = None


def shuffled(name: str, table: Table, folds: list[Fold]) -> Protocol:
    """Time plays no part: one list of all judged rows, and known rows in no order at all."""
    random = np.random.default_rng(SEED)
    folds = [Fold(random.permutation(fold.known), fold.rows) for fold in folds]
    everything = np.concatenate([fold.rows for fold in folds])
    given = (table.columns, table.outcome, None, None, folds, [everything])
    return Protocol(name, table.name, *given, cases=table.cases)


def random_split(name: str, table: Table) -> Protocol:
    """Stratified 70/30, as most publications do."""
    known, rows = train_test_split(
        np.arange(len(table.outcome)),
        test_size=TEST_SHARE,
        random_state=SEED,
        stratify=table.outcome,
    )
    return shuffled(name, table, [Fold(known, np.sort(rows))])


def random_folds(name: str, table: Table) -> Protocol:
    """Stratified fivefold cross-validation; every row is judged once."""
    folds = StratifiedKFold(FOLD_COUNT, shuffle=True, random_state=SEED)
    pairs = folds.split(table.outcome, table.outcome)
    return shuffled(name, table, [Fold(known, rows) for known, rows in pairs])


def official_split(name: str, table: Table) -> Protocol:
    assert table.official is not None, f"{table.name} has no official split"
    parts = Fold(np.flatnonzero(~table.official), np.flatnonzero(table.official))
    return shuffled(name, table, [parts])


def first_judged(table: Table) -> int:
    return int((1 - TEST_SHARE) * len(table.outcome) + 1e-9)


def frozen(name: str, table: Table) -> Protocol:
    """One fit on the first 70 %, judged on the rest, in lists of 500 rows."""
    count, start = len(table.outcome), first_judged(table)
    order = np.arange(count, dtype=float)
    known_at = np.where(order < start, order + 0.5, count - 0.5)
    return timed(name, table, order, known_at, [start], BLOCK_ROWS)


def rolling(name: str, table: Table, every_rows: int, late_rows: int = 0) -> Protocol:
    """Over the last 30 %: a fit every so many rows on all outcomes known by then."""
    count, start = len(table.outcome), first_judged(table)
    due = np.arange(count) + 1 + late_rows
    usable_from = start + every_rows * np.ceil((due - start) / every_rows)
    starts = list(range(start, count, every_rows))
    return timed(name, table, np.arange(count, dtype=float), usable_from - 0.5, starts, every_rows)


def rolling_dates(name: str, table: Table, refits_count: int) -> Protocol:
    """A fit at each of some dates over the last 30 % of the rows; all rows until the next date."""
    assert table.as_of is not None, f"{table.name} has no dates"
    marks = np.linspace(1 - TEST_SHARE, 1, refits_count + 1)[:-1]
    edges = table.as_of[(marks * len(table.as_of) + 1e-9).astype(int)]
    starts = np.unique(np.searchsorted(table.as_of, edges)).tolist()
    return timed(name, table, np.empty(0), np.empty(0), starts, len(table.outcome))


def timed(
    name: str,
    table: Table,
    order: np.ndarray,
    usable_at: np.ndarray,
    starts: list[int],
    block_rows: int,
) -> Protocol:
    """Folds that begin at `starts`. Dates of the table go before order and usable_at."""
    as_of = order if table.as_of is None else table.as_of
    known_at = usable_at if table.known_at is None else table.known_at
    ends = [*starts[1:], len(table.outcome)]
    folds = [
        Fold(np.flatnonzero(known_at < as_of[start]), np.arange(start, end))
        for start, end in zip(starts, ends, strict=True)
    ]
    blocks = [
        fold.rows[at : at + block_rows]
        for fold in folds
        for at in range(0, len(fold.rows), block_rows)
    ]
    given = (table.columns, table.outcome, as_of, known_at, folds, blocks, table.days, table.cases)
    return Protocol(name, table.name, *given)
