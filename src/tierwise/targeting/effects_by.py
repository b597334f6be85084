"""The effect in each segment, and whether segments differ at all.

Among ten segments one looks remarkable by luck. So there are two intervals: `low` to `high` is for
a segment that was named before anyone looked; `low_all` to `high_all` of all segments hold together
(Bonferroni), and only they may pick one out. Whether effects differ at all is one question with one
answer, see `alike`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2

from tierwise.targeting import effects
from tierwise.targeting.effects import LEVEL


@dataclass(frozen=True)
class BySegment:
    """table: a row per segment, see `by_segment`. alike_p: of `alike`, NaN with one segment."""

    table: pd.DataFrame
    alike_p: float


def by_segment(
    outcome: np.ndarray,
    treated: np.ndarray,
    segment: np.ndarray,
    cluster: np.ndarray | None = None,
    level: float = LEVEL,
    looked_at_count: int = 0,
) -> BySegment:
    """segment: a label per row, shape (n,), known before the treatment. Segments ascend.

    looked_at_count: segments in all tables together, where this is one of several; `low_all` to
    `high_all` then hold for all of them.

    Columns: segment, treated_count, control_count, treated_mean, control_mean, effect, low, high,
    low_all, high_all. A segment with fewer than two in an arm has no effect (NaN) and no part in
    the comparison.
    """
    y, w = effects.checked(outcome, treated)
    labels = pd.Series(segment).reset_index(drop=True)
    names = sorted(labels.dropna().unique())
    ours = effects.own_rows(y) if cluster is None else np.asarray(cluster)
    rows, influences, values = [], [], []
    judged = [name for name in names if enough(w, (labels == name).to_numpy(), ours)]
    all_level = 1 - (1 - level) / max(1, len(judged), looked_at_count)
    for name in names:
        here = (labels == name).to_numpy()
        row = counted(y[here], w[here]) | {"segment": name}
        if name in judged:
            found = effects.difference(y[here], w[here], ours[here], level)
            wide = effects.difference(y[here], w[here], ours[here], all_level)
            row |= {"effect": found.value, "low": found.low, "high": found.high}
            row |= {"low_all": wide.low, "high_all": wide.high}
            influences.append(np.zeros(len(y)))
            influences[-1][here] = found.influence
            values.append(found.value)
        rows.append(row)
    columns = ["segment", "treated_count", "control_count", "treated_mean", "control_mean"]
    columns += ["effect", "low", "high", "low_all", "high_all"]
    return BySegment(pd.DataFrame(rows, columns=columns), alike(values, influences, ours))


def enough(treated: np.ndarray, here: np.ndarray, cluster: np.ndarray) -> bool:
    return all(len(np.unique(cluster[here & (treated == arm)])) >= 2 for arm in (False, True))


def counted(outcome: np.ndarray, treated: np.ndarray) -> dict[str, float]:
    return {
        "treated_count": int(treated.sum()),
        "control_count": int((~treated).sum()),
        "treated_mean": float(outcome[treated].mean()) if treated.any() else np.nan,
        "control_mean": float(outcome[~treated].mean()) if (~treated).any() else np.nan,
    }


def alike(values: list[float], influences: list[np.ndarray], cluster: np.ndarray) -> float:
    """p of effects that differ so much if all were the same: Wald's test, by clusters.

    Without clusters it is Cochran's Q (Biometrics 10, 1954). NaN with fewer than two effects.
    """
    if len(values) < 2:
        return float("nan")
    codes, names = pd.factorize(cluster)
    sums = np.column_stack([np.bincount(codes, one, len(names)) for one in influences])
    contrast = np.column_stack([-np.ones(len(values) - 1), np.eye(len(values) - 1)])
    apart = contrast @ np.array(values)
    covariance = contrast @ (sums.T @ sums) @ contrast.T
    return float(chi2.sf(apart @ np.linalg.pinv(covariance) @ apart, len(values) - 1))
