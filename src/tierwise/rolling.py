"""Rolling origin: fit on what was known, judge on the next period, roll on.

Candidates with settings are fitted once per setting and period; a period is then judged with the
settings chosen in the periods *before* it, as somebody at the time would have chosen. After how
many rounds boosting stops is chosen in the same way, not by a share of the rows that is held out
at random, and costs no further fit: what a model was after fewer rounds is a part of it.
The blend is made in the same way: its weights for a period come from earlier periods' chances.

    log-odds of the blend = intercept + w_1 * log-odds of the linear part + w_2 * of the trees

Weights are fitted by logistic regression on rows that neither part had seen (stacking: Wolpert
1992; non-negative: Breiman 1996), held by a penalty near START, late rows counting more. That also
corrects level and slope as time goes on. The penalty is stiff, since a level that follows the last
periods jumps: chances of one list can't be compared with those of the next then.

A model that nobody will refit is judged as it will be used: fitted once, before the first period,
and held for all of them. What periods learn later is kept from it, settings and weights included.

Where rows are in no order of time, folds stand in for periods. There is no past to be misled by
then, so less is asked of a better setting, and the weights are nearly free.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.optimize import minimize
from scipy.special import expit
from tqdm import tqdm

from tierwise import candidates, models, row_weights
from tierwise.candidates import BLEND, BLENDED, SEARCHED, Searched, Settings
from tierwise.examples import Period
from tierwise.models import Model
from tierwise.ranking import auc

# Trees rank better than a linear part, both together best. The sum is more than one because a mean
# of two fair answers is too careful (Ranjan and Gneiting 2010).
START = np.array([0.25, 0.80])
HALF_LIFE_COUNT = 4000  # of the rows that weights of a blend are fitted on
LEVEL_PENALTY, WEIGHT_PENALTY = 1000.0, 5000.0  # in rows: how much evidence moves the blend
SURE_ERRORS, SURE_PERIODS = 2.0, 4
UNORDERED_PENALTY, UNORDERED_ERRORS = 30.0, 1.0  # where rows are in no order of time


@dataclass
class Rolled:
    """What a rolling origin found.

    table: one row per judged example, in time order: row (position in `features`), period, outcome,
    known_from (the first period that could know it, the number of periods for today) and a chance
    per candidate. settings: what would be chosen now. weights, intercept: of the
    blend, now. seconds: processor time of each candidate's fits.
    """

    table: pd.DataFrame
    settings: dict[str, Settings] = field(default_factory=dict)
    weights: tuple[float, ...] = ()
    intercept: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)

    def of_today(self) -> dict[str, Any]:
        """Weights of the blend for a metrics file, empty without a blend."""
        parts = dict(zip(BLENDED, self.weights, strict=False))
        return {"intercept": self.intercept, "weights": parts} if parts else {}


def origin(
    features: pd.DataFrame,
    outcome: np.ndarray,
    periods: list[Period],
    names: list[str],
    searched: Searched = SEARCHED,
    ordered: bool = True,
    held: bool = False,
) -> Rolled:
    """Every candidate on every period. features: in time order; searched: settings to try.

    ordered: False where rows are in no order of time and folds stand in for periods. held: True
    where the models fitted before the first period judge all of them.
    """
    fitted = [whole(periods)] if held else periods
    tried = {
        name: candidates.possible(searched[name], features) if name in searched else [None]
        for name in needed(names)
    }
    fits = [(name, alike) for name, settings in tried.items() for alike in shared(settings)]
    jobs = [(name, alike, period) for period in fitted for name, alike in fits]
    tasks = (
        delayed(fit_and_judge_all)(name, features, outcome, period, [tried[name][n] for n in alike])
        for name, alike, period in jobs
    )
    results = Parallel(n_jobs=-1, return_as="generator")(tasks)
    chances: dict[str, list[list[np.ndarray]]] = {n: [[] for _ in s] for n, s in tried.items()}
    seconds = dict.fromkeys(tried, 0.0)
    bar = tqdm(zip(jobs, results, strict=True), total=len(jobs), desc="fits", mininterval=2)
    for (name, alike, _), (found, spent) in bar:
        for n, chance in zip(alike, found, strict=True):
            chances[name][n].append(chance)
        seconds[name] += spent
    rolled = Rolled(judged(outcome, periods), seconds=seconds)
    usable = known_by_then(rolled.table, periods)
    rolled.table["known_from"] = np.argmax(usable, axis=0)
    learned = [np.zeros_like(mask) for mask in usable] if held else usable
    for name in tried:
        best = pick(rolled, learned, name, [np.concatenate(c) for c in chances[name]], ordered)
        if name in searched:
            rolled.settings[name] = tried[name][best] or {}
    if BLEND in names:
        blend(rolled, learned, ordered)
    return rolled


def whole(periods: list[Period]) -> Period:
    """All periods as one, with what was known when the first of them began."""
    rows = np.concatenate([period.rows for period in periods])
    return Period(periods[0].start, periods[0].known, rows)


def shared(tried: Sequence[Settings | None]) -> list[list[int]]:
    """Positions of settings that one fit serves: they differ in nothing but `round_count`."""
    groups: dict[str, list[int]] = {}
    for n, settings in enumerate(tried):
        rest = {k: v for k, v in (settings or {}).items() if k != "round_count"}
        groups.setdefault(repr(sorted(rest.items())), []).append(n)
    return list(groups.values())


def needed(names: list[str]) -> list[str]:
    """The candidates that have to be fitted: a blend needs its parts."""
    parts = BLENDED if BLEND in names else ()
    return list(dict.fromkeys([*(name for name in names if name != BLEND), *parts]))


def fit_and_judge(
    name: str,
    features: pd.DataFrame,
    outcome: np.ndarray,
    period: Period,
    settings: Settings | None = None,
) -> tuple[np.ndarray, float]:
    """Chances of the period's rows and the fit's processor seconds."""
    (chance,), seconds = fit_and_judge_all(name, features, outcome, period, [settings])
    return chance, seconds


def fit_and_judge_all(
    name: str,
    features: pd.DataFrame,
    outcome: np.ndarray,
    period: Period,
    alike: Sequence[Settings | None],
) -> tuple[list[np.ndarray], float]:
    """The same for each of some settings that `shared` put together, with a single fit."""
    ends = [(settings or {}).get("round_count") for settings in alike]
    longest = alike[int(np.argmax([end or 0 for end in ends]))]
    model, seconds = models.fit(name, features, outcome, longest, period.known)
    return [models.chance(model, features.iloc[period.rows], end) for end in ends], seconds


def judged(outcome: np.ndarray, periods: list[Period]) -> pd.DataFrame:
    rows = np.concatenate([period.rows for period in periods])
    number = np.repeat(np.arange(len(periods)), [len(period.rows) for period in periods])
    return pd.DataFrame({"row": rows, "period": number, "outcome": outcome[rows]})


def known_by_then(table: pd.DataFrame, periods: list[Period]) -> list[np.ndarray]:
    """Per period, and once more for today: mask of the judged rows whose outcome was known."""
    masks = [np.isin(table["row"].to_numpy(), period.known) for period in periods]
    return [*masks, np.ones(len(table), dtype=bool)]


def pick(
    rolled: Rolled,
    usable: list[np.ndarray],
    name: str,
    chances: list[np.ndarray],
    ordered: bool = True,
) -> int:
    """Put a candidate's chances into the table, period by period with the settings best so far.

    chances: per setting, one per row of the table; see `best_setting`. Gives the best of today.
    """
    period = rolled.table["period"].to_numpy()
    best = np.zeros(len(usable), dtype=int)
    if len(chances) > 1:
        best = np.array([best_setting(rolled.table, mask, chances, ordered) for mask in usable])
    rolled.table[name] = np.column_stack(chances)[np.arange(len(period)), best[period]]
    return int(best[-1])


def best_setting(
    table: pd.DataFrame, mask: np.ndarray, chances: list[np.ndarray], ordered: bool = True
) -> int:
    """The setting to use next, by the rows of the mask: the first, unless one is surely better.

    Better is a higher mean AUC inside periods, weighted by the rarer class. Surely: by more than
    two standard errors of the difference between periods, since the best of several noisy figures
    is mostly luck (after the one-standard-error rule: Breiman and others 1984). At least four
    periods are asked for. Without an order of time one standard error will do: there nothing
    changes from fold to fold but luck.
    """
    period, outcome = table["period"].to_numpy()[mask], table["outcome"].to_numpy()[mask]
    blocks = [np.flatnonzero(period == number) for number in np.unique(period)]
    wins = np.array([outcome[rows].sum() for rows in blocks])
    weight = np.minimum(wins, np.array([len(rows) for rows in blocks]) - wins)
    if (weight > 0).sum() < (SURE_PERIODS if ordered else 1):
        return 0
    share = weight / weight.sum()
    found = np.array([[auc(outcome[b], p[mask][b]) for b in blocks] for p in chances])
    gain = found - found[0]
    mean = gain @ share
    error = np.sqrt(((gain - mean[:, None]) ** 2 * share**2).sum(axis=1))
    sure = mean > (SURE_ERRORS if ordered else UNORDERED_ERRORS) * error
    return int(np.where(sure, mean, 0.0).argmax())


def blend(rolled: Rolled, usable: list[np.ndarray], ordered: bool = True) -> None:
    """Add the blend to the table and its weights of today, the last of the masks."""
    table = rolled.table
    z = np.column_stack([models.log_odds(table[name].to_numpy()) for name in BLENDED])
    outcome, period = table["outcome"].to_numpy(), table["period"].to_numpy()
    late_last = np.argsort(table["known_from"].to_numpy(), kind="stable")

    def learned(mask: np.ndarray) -> tuple[float, tuple[float, ...]]:
        rows = late_last[mask[late_last]]
        return stack(z[rows], outcome[rows], ordered)

    found = np.empty(len(table))
    for number in np.unique(period):
        intercept, weights = learned(usable[number])
        now = period == number
        found[now] = models.blended(z[now], weights, intercept)
    table[BLEND] = found
    rolled.intercept, rolled.weights = learned(usable[-1])
    rolled.seconds[BLEND] = sum(rolled.seconds[name] for name in BLENDED)


def stack(
    z: np.ndarray, outcome: np.ndarray, ordered: bool = True
) -> tuple[float, tuple[float, ...]]:
    """Intercept and weights of a blend. z: log-odds of its parts, outcomes known last at the end.

    Minimises the weighted log loss + penalty * distance² / 2 to (0, START). Without rows that is
    where it stays.
    """
    recency = row_weights.recency(len(z), HALF_LIFE_COUNT if ordered else None, 0.0)
    penalty = WEIGHT_PENALTY if ordered else UNORDERED_PENALTY

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        level, away = x[0], x[1:] - START
        out = level + z @ x[1:]
        cost = recency @ (np.logaddexp(0, out) - outcome * out)
        slope = recency * (expit(out) - outcome)
        cost += (LEVEL_PENALTY * level**2 + penalty * away @ away) / 2
        pull = np.r_[LEVEL_PENALTY * level, penalty * away]
        return cost, np.r_[slope.sum(), z.T @ slope] + pull

    limits = [(None, None)] + [(0.0, None)] * len(START)
    found = minimize(loss, np.r_[0.0, START], jac=True, method="L-BFGS-B", bounds=limits).x
    return float(found[0]), tuple(map(float, found[1:]))


def fit(
    name: str,
    features: pd.DataFrame,
    outcome: np.ndarray,
    settings: dict[str, Settings],
    blended: dict[str, Any],
    cluster: Path | None = None,
) -> Model:
    """The candidate fitted on all these rows as the past periods chose it.

    Rows in the order in which their outcomes became known, for those that let late rows count more.

    settings, blended: `settings` and `of_today()` of a Rolled, or the same from its metrics file.
    cluster: as in models.fit.
    """

    def fitted(part: str) -> Model:
        return models.fit(part, features, outcome, settings.get(part), cluster=cluster)[0]

    if name != BLEND:
        return fitted(name)
    parts = [fitted(part).parts[0] for part in BLENDED]
    weights = tuple(blended["weights"][part] for part in BLENDED)  # a file has them by name
    return Model(tuple(parts), weights, blended["intercept"])
