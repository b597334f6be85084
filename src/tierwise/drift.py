"""How far did the world move between an earlier and a later set of rows, and does it matter?

    movement    how much a column's values changed, whatever they are good for
    level       how high the chances are on average
    rank        who comes before whom inside a period
    pull        movement times how much the model listens to the column

A column that moved is no harm if the model does not listen to it, and one that shifts all chances
alike spoils the level and leaves the rank.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from tierwise import candidates, models
from tierwise.calibration import log_odds
from tierwise.ranking import alone_score, as_number, auc, auc_in_blocks

# Siddiqi 2006 (Credit Risk Scorecards, chapter 8): below 0.1 nothing, above 0.25 a shift that
# calls for a look at the model.
WATCH_PSI = 0.10
MOVED_PSI = 0.25
CONFIDENCE = 0.999
BIN_COUNT = 10
RARE_COUNT = 20
FOLD_COUNT = 3
ROWS_MAX_COUNT = 20_000

Chance = Callable[[pd.DataFrame], np.ndarray]


def bins_of(earlier: pd.Series, later: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """A bin per row of both, told by the earlier rows alone; -1 is missing.

    Numbers and dates: deciles of the earlier rows, a bin holding its upper end; values below a
    lowest one that is itself an end have a bin of their own. Everything else: a bin per value that
    20 earlier rows have; all others, seen or not, share one.
    """
    earlier, later = as_number(earlier), as_number(later)
    if pd.api.types.is_numeric_dtype(earlier) and not pd.api.types.is_bool_dtype(earlier):
        sides = [side.to_numpy(dtype="float64", na_value=np.nan) for side in (earlier, later)]
        known = sides[0][np.isfinite(sides[0])]
        if not len(known):
            return np.where(np.isnan(sides[0]), -1, 0), np.where(np.isnan(sides[1]), -1, 0)
        shares = np.arange(1, BIN_COUNT) / BIN_COUNT
        ends = np.unique(np.quantile(known, shares, method="inverted_cdf"))
        if ends[0] == known.min():
            ends = np.r_[np.nextafter(ends[0], -np.inf), ends]
        codes = [np.where(np.isnan(x), -1, np.searchsorted(ends, x)) for x in sides]
        return codes[0], codes[1]
    count = earlier.value_counts()
    kept = {value: code for code, value in enumerate(count.index[count >= RARE_COUNT])}
    pooled = [side.map(kept).astype("float64").fillna(len(kept)) for side in (earlier, later)]
    missing = [side.isna().to_numpy() for side in (earlier, later)]
    codes = [np.where(no, -1, x).astype(int) for no, x in zip(missing, pooled, strict=True)]
    return codes[0], codes[1]


def psi(earlier: np.ndarray, later: np.ndarray) -> tuple[float, int]:
    """Population stability index of two sets of bins, and how many bins hold a row.

    sum over bins of (q - p) log(q / p), p and q the earlier and the later share (Siddiqi 2006;
    the divergence of Jeffreys 1946). An empty bin counts as half a row, for a share of zero would
    make it infinite. 0 for equal shares, without upper limit.
    """
    bins = np.union1d(earlier, later)
    shares = []
    for codes in (earlier, later):
        count = np.array([(codes == code).sum() for code in bins], dtype=float)
        shares.append(np.maximum(count, 0.5) / len(codes))
    p, q = shares
    return float(((q - p) * np.log(q / p)).sum()), len(bins)


def expected_psi(bin_count: int, earlier_count: int, later_count: int) -> float:
    """Mean PSI where nothing moved: (1/n + 1/m) (bins - 1) (Yurdakul 2018, Western Michigan)."""
    return (1 / earlier_count + 1 / later_count) * (bin_count - 1)


def noise_psi(
    bin_count: int, earlier_count: int, later_count: int, confidence: float = CONFIDENCE
) -> float:
    """The PSI that chance alone exceeds once in a thousand times.

    Where nothing moved, PSI is close to (1/n + 1/m) times chi-square with bins - 1 degrees of
    freedom (Yurdakul 2018).
    """
    scale = 1 / earlier_count + 1 / later_count
    return float(scale * chi2.ppf(confidence, max(bin_count - 1, 1)))


def moved(
    earlier: pd.DataFrame,
    later: pd.DataFrame,
    earlier_count: int | None = None,
    later_count: int | None = None,
) -> pd.DataFrame:
    """PSI of every column, the largest first; give the score as a column of its own.

    earlier_count, later_count: how many different cases the rows are of; a deal that is seen ten
    times tells as much as one. Columns: column, psi, expected_psi and noise_psi (the mean and the
    99.9 % quantile where nothing moved), bins_count, verdict: stable; watch from 0.1; moved from
    0.25; both beyond noise_psi only.
    """
    n, m = earlier_count or len(earlier), later_count or len(later)
    rows = []
    for name in earlier:
        value, count = psi(*bins_of(earlier[name], later[name]))
        noise = noise_psi(count, n, m)
        size = "moved" if value >= MOVED_PSI else "watch" if value >= WATCH_PSI else "stable"
        found = {"column": str(name), "psi": value, "expected_psi": expected_psi(count, n, m)}
        found |= {"noise_psi": noise, "bins_count": count}
        rows.append(found | {"verdict": size if value > noise else "stable"})
    return pd.DataFrame(rows).sort_values("psi", ascending=False, kind="stable", ignore_index=True)


def told_apart(
    earlier: pd.DataFrame, later: pd.DataFrame, entity: np.ndarray | None = None
) -> tuple[float, pd.DataFrame]:
    """Adversarial AUC: how well can later rows be told from earlier ones? 0.5 not at all, 1 all.

    entity: whose rows they are, earlier then later, shape (n + m,). Returns the AUC of a small
    XGBoost, cross-fitted in three folds of whole entities, over at most 20,000 evenly spread
    rows; and a table by column (column, auc: alone, cross-fitted), the highest first.
    """
    both = pd.concat([earlier, later], ignore_index=True)
    is_later = np.r_[np.zeros(len(earlier)), np.ones(len(later))]
    whose = np.arange(len(both)) if entity is None else pd.factorize(entity)[0]
    alone = [max(alone_score(both[name], is_later, whose)[0], 0.5) for name in both]
    table = pd.DataFrame({"column": list(both), "auc": alone})
    rows = np.unique(np.linspace(0, len(both) - 1, ROWS_MAX_COUNT).round().astype(int))
    fold = np.random.default_rng(candidates.SEED).permutation(whose.max() + 1)[whose] % FOLD_COUNT
    score = np.zeros(len(both))
    for number in range(FOLD_COUNT):
        learn, judge = rows[fold[rows] != number], rows[fold[rows] == number]
        if len(learn) and len(judge):
            score[judge] = later_chance(both.iloc[learn], is_later[learn], both.iloc[judge])
    table = table.sort_values("auc", ascending=False, kind="stable", ignore_index=True)
    return auc(is_later[rows], score[rows]), table


def later_chance(features: pd.DataFrame, is_later: np.ndarray, judged: pd.DataFrame) -> np.ndarray:
    """Chance of each judged row to be a later one, shape (n_judged,).

    Every column takes part, also those of context, which `models.fit` keeps from candidates that
    would take them for properties of a row: here what tells the times is what is looked for.
    """
    if not models.rankable(features, is_later):
        return np.full(len(judged), 0.5)
    model = candidates.xgboost(features, is_later)
    models.learn(model, features, is_later)
    return models.part_chance(model, judged)


def level(
    outcome: np.ndarray, chance: np.ndarray, outcome_later: np.ndarray, chance_later: np.ndarray
) -> dict[str, float]:
    """How much of the change of the share of wins the model foresaw from its inputs.

    The first two are of earlier rows that the model was not fitted on. Returned, all as shares:
    rate_earlier, rate_later, change = rate_later - rate_earlier; foreseen, the change of the mean
    chance, which only other inputs can cause (covariate shift); left = change - foreseen, which
    no input told (another level, or other ties between inputs and outcome).
    """
    change = float(np.mean(outcome_later) - np.mean(outcome))
    foreseen = float(np.mean(chance_later) - np.mean(chance))
    return {
        "rate_earlier": float(np.mean(outcome)),
        "rate_later": float(np.mean(outcome_later)),
        "change": change,
        "foreseen": foreseen,
        "left": change - foreseen,
    }


def cards(shift: dict[str, float]) -> list[dict[str, str]]:
    """Cards of `level`: how far the share of wins moved, foreseen and left."""
    labels = {"change": "change of the share of wins", "foreseen": "foreseen", "left": "left"}
    note = f"from {shift['rate_earlier']:.1%} to {shift['rate_later']:.1%}"
    return [
        {"label": label, "value": f"{shift[name] * 100:+.1f} points"}
        | ({"note": note} if name == "change" else {})
        for name, label in labels.items()
    ]


def put_back(earlier: pd.Series, later: pd.Series) -> pd.Series:
    """The later column with the earlier distribution, its order kept as far as there is one.

    Numbers by rank (quantile mapping), missing as the lowest, ties in an order drawn once. Text,
    none missing, has no order: as few rows as possible change, drawn at random. Same index as
    `later`.
    """
    random = np.random.default_rng(candidates.SEED)
    if pd.api.types.is_numeric_dtype(earlier):
        old = np.sort(earlier.fillna(-np.inf).to_numpy(dtype="float64"))
        now = later.fillna(-np.inf).to_numpy(dtype="float64")
        rank = np.empty(len(now), dtype=int)
        rank[np.lexsort((random.random(len(now)), now))] = np.arange(len(now))
        taken = old[((rank + 0.5) / len(now) * len(old)).astype(int)]
        mapped = np.where(np.isneginf(taken), np.nan, taken)
        return pd.Series(mapped, index=later.index).astype(earlier.dtype)
    target = (earlier.value_counts(normalize=True).sort_index() * len(later)).round().astype(int)
    values = later.to_numpy(dtype=object).copy()
    turn = random.permutation(len(values))
    place = pd.Series(values[turn]).groupby(values[turn]).cumcount().to_numpy()
    surplus = turn[place >= pd.Series(values[turn]).map(target).fillna(0).to_numpy()]
    have = later.value_counts().reindex(target.index).fillna(0)
    need = (target - have).clip(lower=0).astype(int)
    fill = random.permutation(np.repeat(need.index.to_numpy(dtype=object), need))
    count = min(len(fill), len(surplus))  # rounding may leave a row or two as they are
    values[surplus[:count]] = fill[:count]
    return pd.Series(values, index=later.index).astype(later.dtype)


def by_column(
    chance: Chance,
    earlier: pd.DataFrame,
    later: pd.DataFrame,
    outcome_later: np.ndarray,
    blocks: list[np.ndarray] | None = None,
    names: list[str] | None = None,
) -> pd.DataFrame:
    """What the movement of each column did to the model, the strongest pull first.

    chance: features -> chances, shape (n,). blocks: positions of later rows to rank inside;
    ten equal stretches if None. names: the columns to try, all if None; each asks for all chances
    twice. Columns: column; psi; importance (mean change of log-odds, either
    way, when the later rows swap the column's values); pull = psi * importance; level_effect
    (mean chance as it is minus with the column put back, a share); rank_effect_auc (the same of
    the AUC inside blocks; below 0 the movement spoiled the order). Effects of columns that move
    together overlap and don't add up.
    """
    now = chance(later)
    area = auc_in_blocks(outcome_later, now, blocks)
    swap = np.random.default_rng(candidates.SEED).permutation(len(later))
    rows: list[dict[str, Any]] = []
    for name in later if names is None else names:
        size, _ = psi(*bins_of(earlier[name], later[name]))
        swapped = chance(later.assign(**{str(name): later[name].to_numpy()[swap]}))
        before = chance(later.assign(**{str(name): put_back(earlier[name], later[name])}))
        importance = float(np.abs(log_odds(swapped) - log_odds(now)).mean())
        found = {"column": str(name), "psi": size, "importance": importance}
        found |= {"pull": size * importance, "level_effect": float(now.mean() - before.mean())}
        effect = area - auc_in_blocks(outcome_later, before, blocks)
        rows.append(found | {"rank_effect_auc": effect})
    table = pd.DataFrame(rows)
    return table.sort_values("pull", ascending=False, kind="stable", ignore_index=True)


def apart_card(auc: float) -> dict[str, str]:
    """A headline for `told_apart`: 0.5 not at all, 1.0 always."""
    label = "AUC of telling later rows from earlier ones"
    return {"label": label, "value": f"{auc:.3f}", "note": "0.5 is not at all, 1 is always"}
