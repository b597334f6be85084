"""Win rates of representatives and teams, drawn towards each other as strongly as the deals say.

Raw win rates differ by luck, and by who got the easy accounts. So whether a deal is won is

    log odds = level + size + tie + segment + team + representative + representative at segment

The effects of teams, representatives and representatives at segments are normal around 0 (partial
pooling). The posterior is Laplace's approximation, averaged over a grid of the three spreads, so
that few deals mean doubt about the spread as well.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg, sparse
from scipy.special import expit

from tierwise.files import InputError

# Standard deviations of effects on log odds that are tried for each pooled group.
SPREADS = {
    "team": (0.02, 0.1, 0.25, 0.6),
    "representative": (0.02, 0.04, 0.08, 0.16, 0.3, 0.5, 0.8),
    "at_segment": (0.02, 0.12, 0.35, 0.9),
}
SPREAD_SCALE = 0.5  # of the half-normal prior of each of them
FIXED_SPREADS = {"level": 5.0, "size": 1.0, "tie": 1.0, "segment": 1.0}
DRAW_COUNT = 4000
SEED = 20240229


@dataclass(frozen=True)
class Design:
    """Deals as a sparse matrix; columns are (group, name), group one of level, size, tie, ..."""

    columns: pd.MultiIndex
    rows: sparse.csr_array  # one per different deal
    won: np.ndarray  # how many of them were won, and how many there were
    count: np.ndarray
    scales: dict[str, tuple[float, float]]  # mean and standard deviation of log1p(size), log1p(tie)


@dataclass(frozen=True)
class Fitted:
    """Draws of all effects from their posterior, (n_draws, n_columns), and the deals behind it."""

    columns: pd.MultiIndex
    draws: np.ndarray
    scales: dict[str, tuple[float, float]]
    deals: pd.DataFrame
    spreads: dict[str, float]  # posterior mean of the standard deviation of each pooled group


def fit(deals: pd.DataFrame, draw_count: int = DRAW_COUNT, seed: int = SEED) -> Fitted:
    """Fit closed deals: representative, won (0 or 1); team, segment, size, tie where known.

    size: any amount ≥ 0 (headcount), tie: strength or count ≥ 0; both enter as log(1 + x), a
    missing one as the mean. A missing segment or team is a group of its own. Raises InputError
    where a column is missing, an outcome is not 0 or 1, or all deals ended alike.
    """
    deals = checked(deals)
    design = made(deals)
    groups = design.columns.get_level_values("group")
    pooled = [name for name in SPREADS if name in groups]
    found, weights, mode = [], [], np.zeros(len(groups))
    for spreads in itertools.product(*(SPREADS[name] for name in pooled)):
        precision = precisions(groups, dict(zip(pooled, spreads, strict=True)))
        mode, root, evidence = laplace(design, precision, mode)
        prior = [np.log(one) - 0.5 * (one / SPREAD_SCALE) ** 2 for one in spreads]
        found.append((spreads, mode, root))
        weights.append(evidence + sum(prior))
    share = np.exp(np.array(weights) - max(weights))
    share /= share.sum()
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(draw_count, share)
    draws = [
        drawn(mode, root, int(count), rng)
        for (_, mode, root), count in zip(found, counts, strict=True)
        if count
    ]
    spread = share @ np.array([spreads for spreads, _, _ in found])
    spread_by_group = dict(zip(pooled, spread.tolist(), strict=True))
    return Fitted(design.columns, np.vstack(draws), design.scales, deals, spread_by_group)


def checked(deals: pd.DataFrame) -> pd.DataFrame:
    """The columns that are used, groups as text. Raises InputError, see `fit`."""
    missing = [name for name in ("representative", "won") if name not in deals]
    if missing:
        raise InputError(f"Deals need the column {' and '.join(missing)}. Rename the columns.")
    if not deals["won"].isin([0, 1]).all():
        strange = deals.loc[~deals["won"].isin([0, 1]), "won"].iloc[0]
        raise InputError(f"won must be 0 or 1, found {strange}. Leave open deals out.")
    if deals["won"].nunique() < 2:
        raise InputError(f"All {len(deals):,} deals ended alike: there is nothing to compare.")
    kept = deals[[name for name in ("size", "tie") if name in deals]].astype("float64")
    for name in ("representative", "team", "segment"):
        if name in deals:
            kept[name] = deals[name].astype("str").where(deals[name].notna(), "unknown")
    if "team" in kept and (kept.groupby("representative")["team"].nunique() > 1).any():
        raise InputError(
            "A representative has deals in several teams. Give each deal the team of today, or "
            "tell the representative's times in the teams apart by name."
        )
    return kept.assign(won=deals["won"].astype("int64")).reset_index(drop=True)


def made(deals: pd.DataFrame) -> Design:
    """The design: level, numbers, then one column per group. A group of one name says nothing."""
    by = [name for name in deals if name != "won"]
    deals = deals.groupby(by, as_index=False, dropna=False)["won"].agg(["sum", "count"])
    blocks, names = [np.ones((len(deals), 1))], [("level", "")]
    scales = {}
    for name in ("size", "tie"):
        if name in deals and deals[name].notna().any():
            logs = np.log1p(deals[name].to_numpy())
            scales[name] = (float(np.nanmean(logs)), float(np.nanstd(logs)) or 1.0)
            blocks.append(standardised(logs, scales[name])[:, None])
            names.append((name, ""))
    groups = {name: deals[name] for name in ("segment", "team", "representative") if name in deals}
    if "segment" in deals and deals["segment"].nunique() > 1:
        groups["at_segment"] = at_segment(deals["representative"], deals["segment"])
    for group, labels in groups.items():
        codes, found = pd.factorize(labels, sort=True)
        if len(found) > 1:
            blocks.append(indicator(codes, len(found)))
            names += [(group, name) for name in found]
    columns = pd.MultiIndex.from_tuples(names, names=["group", "name"])
    rows = sparse.hstack([sparse.csr_array(block) for block in blocks], format="csr")
    won, count = deals["sum"].to_numpy("float64"), deals["count"].to_numpy("float64")
    return Design(columns, rows, won, count, scales)


def indicator(codes: np.ndarray, width: int) -> sparse.csr_array:
    """1 in the column of each row's code, shape (n_rows, width)."""
    ones = (np.ones(len(codes)), (np.arange(len(codes)), codes))
    return sparse.csr_array(ones, shape=(len(codes), width))


def at_segment(representative: Any, segment: Any) -> Any:
    """The name of the effect of a representative at a segment."""
    return representative + " @ " + segment


def standardised(logs: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    return np.nan_to_num((logs - scale[0]) / scale[1])


def precisions(groups: pd.Index, spreads: Mapping[str, float]) -> np.ndarray:
    """Prior precision of each column, shape (n_columns,)."""
    spread = {**FIXED_SPREADS, **spreads}
    return np.array([spread[name] ** -2 for name in groups])


def laplace(
    design: Design, precision: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Mode of the effects, Cholesky root of the precision there, and the log evidence."""
    effects, now = start, height(design, precision, start)
    for _ in range(50):
        root = rooted(design, precision, effects)
        chance = expit(design.rows @ effects)
        slope = design.rows.T @ (design.won - design.count * chance) - precision * effects
        step = linalg.cho_solve((root, True), slope)
        # Log odds that far away make a full step overshoot; halving keeps the climb going.
        length = 1.0
        while length > 1e-6 and height(design, precision, effects + length * step) < now:
            length /= 2
        effects = effects + length * step
        before, now = now, height(design, precision, effects)
        if now - before < 1e-8 * max(1.0, abs(now)):
            break
    root = rooted(design, precision, effects)
    return effects, root, now + 0.5 * np.log(precision).sum() - np.log(np.diag(root)).sum()


def height(design: Design, precision: np.ndarray, effects: np.ndarray) -> float:
    """Log posterior density of these effects, up to a constant."""
    z = design.rows @ effects
    fit = design.won @ z - design.count @ np.logaddexp(0, z)
    return float(fit - 0.5 * precision @ effects**2)


def rooted(design: Design, precision: np.ndarray, effects: np.ndarray) -> np.ndarray:
    """Lower Cholesky root of the negative second derivative of `height`."""
    chance = expit(design.rows @ effects)
    weighted = design.rows.multiply((design.count * chance * (1 - chance))[:, None]).tocsr()
    return linalg.cholesky((design.rows.T @ weighted).toarray() + np.diag(precision), lower=True)


def drawn(mode: np.ndarray, root: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` draws from the normal distribution with this mode and root of the precision."""
    noise = rng.standard_normal((len(mode), count))
    return (mode[:, None] + linalg.solve_triangular(root, noise, lower=True, trans="T")).T
