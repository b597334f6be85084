"""Does a segment hold? People are drawn again, segments found again, and both compared.

The Jaccard index of two groups is the share of people in both among those in one or the other. A
segment's stability is the mean over resamples of its index with the most alike segment of the
resample, counted over the people who were drawn (Hennig 2007, Computational Statistics and Data
Analysis 52). 0.85 and more is highly stable, 0.75 and more valid; from 0.6 on there is a pattern
but not who belongs to it; below, a segment is not to be trusted.

Stability does not tell kinds from degrees: slices of people who differ by more or less of one thing
hold too; see kinds.py.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from tierwise.segments import mixtures
from tierwise.segments.mixtures import Cells, Fitted

RESAMPLE_COUNT = 30
RESAMPLE_ROWS = 5_000  # people in a resample, at most
FRESH_COUNT = 6  # starts of each resample that know nothing of the segments
HIGHLY_STABLE, VALID, PATTERN = 0.85, 0.75, 0.6
DISSOLVED = 0.5


def stability(
    rows: Cells, fitted: Fitted, resample_count: int = RESAMPLE_COUNT, seed: int = 0
) -> pd.DataFrame:
    """A row per segment, in the order of the mixture.

    segment (from 1), people_count, jaccard (mean over resamples), dissolved_share (of resamples
    with an index of 0.5 or less), rand (adjusted Rand index of all segments, mean over resamples;
    the same in each row), reading. One segment has 1 throughout.
    """
    likeliest = fitted.posterior.argmax(axis=1)
    count = fitted.posterior.shape[1]
    indices, rands = np.ones((resample_count, count)), np.ones(resample_count)
    for number in range(resample_count if count > 1 else 0):
        drawn, again = found_again(rows, fitted, [seed, number])
        indices[number] = jaccards(likeliest[drawn], again, count).max(axis=1)
        rands[number] = adjusted_rand_score(likeliest[drawn], again)
    mean = indices.mean(axis=0)
    return pd.DataFrame(
        {
            "segment": np.arange(1, count + 1),
            "people_count": np.bincount(likeliest, minlength=count),
            "jaccard": mean,
            "dissolved_share": (indices <= DISSOLVED).mean(axis=0),
            "rand": rands.mean(),
            "reading": [reading(one) for one in mean],
        }
    )


def found_again(rows: Cells, fitted: Fitted, seed: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Who was drawn (positions, ascending), and their segments in the mixture of the resample."""
    random = np.random.default_rng(seed)
    size = min(len(rows), RESAMPLE_ROWS)
    drawn, weights = np.unique(random.integers(0, len(rows), size), return_counts=True)
    count = fitted.posterior.shape[1]
    again = mixtures.fit(
        rows.some(drawn), count, seed[-1], weights.astype("float64"), FRESH_COUNT, fitted.mixture
    )
    return drawn, again.posterior.argmax(axis=1)


def jaccards(one: np.ndarray, other: np.ndarray, count: int) -> np.ndarray:
    """Jaccard index of each group of one (down) with each of the other (across); 0 of nobody."""
    both = np.zeros((count, count))
    np.add.at(both, (one, other), 1.0)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True) - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def reading(jaccard: float) -> str:
    if jaccard >= HIGHLY_STABLE:
        return "highly stable"
    if jaccard >= VALID:
        return "valid"
    return "a pattern only" if jaccard >= PATTERN else "not to be trusted"


def holds(stability: pd.DataFrame) -> bool:
    """Is every segment at least valid?"""
    return bool((stability["jaccard"] >= VALID).all())
