"""In which order rows teach, how much each counts, and which take part where there are millions."""

import numpy as np
import pandas as pd

MOST_ROWS = 500_000  # more of them move no figure that anyone reads, and fill the memory


def as_known(known_at: pd.Series, rows: np.ndarray | None = None) -> np.ndarray:
    """Positions `rows`, by default all, in the order of knowing; ties as given.

    known_at: when the outcome of each row became known, shape (n,). Of rows begun lately only those
    that ended quickly are known, which win more, or less, than others. By the time of knowing,
    quick and slow ends come in the numbers in which they happen.
    """
    rows = np.arange(len(known_at)) if rows is None else rows
    times = known_at.iloc[rows].reset_index(drop=True)
    return rows[times.sort_values(kind="stable").index.to_numpy()]


def latest_last(known_at: pd.Series, row: pd.Series) -> np.ndarray:
    """Positions of all scores in the order in which corrections take them, the latest last.

    known_at, row: of each score, when its outcome became known and to which row it belongs. Models
    held for overlapping stretches score a row several times. Only the last of its scores, as given,
    is of today; the others come before them all, or one outcome would be several of the latest.
    """
    order = as_known(known_at)
    superseded = row.duplicated(keep="last").to_numpy()[order]
    return np.r_[order[superseded], order[~superseded]]


def recency(count: int, half_life_count: float | None, floor: float) -> np.ndarray:
    """Weight of each of `count` rows, oldest first: halved every so many rows, never below floor.

    The latest row weighs 1; without a half-life all do.
    """
    if half_life_count is None:
        return np.ones(count)
    return np.maximum(0.5 ** (np.arange(count)[::-1] / half_life_count), floor)


def sample(count: int, most: int = MOST_ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Positions of at most `most` of `count` rows, ascending, and for how many each stands.

    Half of them are the latest rows, each for itself; of the older ones every k-th is taken and
    stands for k (systematic sampling: Cochran 1977, chapter 8), so that weighted sums keep their
    expectation. All rows, each for itself, where they are no more than `most`.
    """
    if count <= most:
        return np.arange(count), np.ones(count)
    late = most // 2
    older = count - late
    step = -(-older // (most - late))
    first = np.arange(step - 1, older, step)
    times = np.full(len(first), older / len(first))
    return np.r_[first, np.arange(older, count)], np.r_[times, np.ones(late)]
