"""A model that nobody will refit: which candidate lasts, and on which columns?

It is chosen as it will be used. Several times, each way is fitted once on what was known then and
judged on a long stretch of later rows; the mean AUC of the stretches decides. That is ranking
alone: the level of the chances is left to calibration, since a way that ranks well for long is
worth more than one that had the level right by accident.

A way is a candidate on some columns: all of them, or all but the clocks (see clocks.py), which
lead a frozen model astray once they leave the range seen. Recent rates of wins are left out: they
need outcomes that go on arriving. How many cases arrive needs none.
"""

from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from tierwise import calibration, candidates, context, models, rolling
from tierwise import examples as ex
from tierwise.calibration import Calibrator
from tierwise.candidates import BLEND, BLENDED, Searched
from tierwise.examples import Period
from tierwise.files import InputError
from tierwise.models import Model
from tierwise.ranking import auc

START_SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
STRETCH_SHARE = 0.43  # of the rows known in all: as far ahead as 30 % of rows are after 70 %
LASTING = ("naive_bayes", "logistic_regression", *BLENDED)
EVERY, NO_CLOCKS = "all columns", "without the clocks"
USES = ("refitted", "frozen")


def searched(use: str) -> Searched:
    """Settings to try. A way that lasts sees how many arrive, whatever the candidate.

    Raises InputError for another use.
    """
    if use not in USES:
        raise InputError(f"use in params.yaml is one of {', '.join(USES)}, not {use!r}.")
    seeing: Searched = {name: [{"arrivals": True}] for name in LASTING if name not in BLENDED}
    return candidates.SEARCHED | (seeing if use == "frozen" else {})


def windows(examples: pd.DataFrame) -> list[Period]:
    """What was known after 30 to 80 % of the rows, and a long stretch after it.

    examples: ascending as_of, holding no row of the judged span.
    """
    count, found = len(examples), []
    starts = [ex.edge_at(examples["as_of"], share) for share in START_SHARES]
    for start in dict.fromkeys(starts):
        later = np.flatnonzero(examples["as_of"] >= start)[: int(STRETCH_SHARE * count)]
        known = np.flatnonzero(ex.known_before(examples, start))
        if len(known) and len(later):
            found.append(Period(start, known, later))
    return found


def tables(features: pd.DataFrame, flagged: list[str]) -> dict[str, pd.DataFrame]:
    """The columns to try, by name. flagged: clocks."""
    lasting = features.drop(columns=[*context.LEVELS], errors="ignore")
    honest = lasting.drop(columns=flagged, errors="ignore")
    fewer = 0 < len(honest.columns) < len(lasting.columns)
    return {EVERY: lasting} | ({NO_CLOCKS: honest} if fewer else {})


def search(
    features: pd.DataFrame, outcome: np.ndarray, stretches: list[Period], flagged: list[str]
) -> pd.DataFrame:
    """All ways, the best first: candidate, columns, auc (mean), worst_auc, chances (per stretch).

    features: in time order, no row of the judged span. stretches: of `windows`; without any, no
    rows. Between equals the simpler way comes first.
    """
    ways = [
        (name, title, table)
        for title, table in tables(features, flagged).items()
        for name in LASTING
    ]
    first = {name: tried[0] for name, tried in searched("frozen").items()}
    tasks = (
        delayed(rolling.fit_and_judge)(name, table, outcome, period, first[name])
        for name, _, table in ways
        for period in stretches
    )
    found = Parallel(n_jobs=-1, return_as="generator")(tasks)
    bar = tqdm(found, total=len(ways) * len(stretches), desc="frozen fits", mininterval=2)
    every = [chance for chance, _ in bar]
    chances = {
        (name, title): every[at * len(stretches) : (at + 1) * len(stretches)]
        for at, (name, title, _) in enumerate(ways)
    }
    chances |= blends(chances)
    rows = [way(*key, found, outcome, stretches) for key, found in chances.items() if found]
    columns = ["candidate", "columns", "auc", "worst_auc", "chances"]
    return pd.DataFrame(rows, columns=columns).sort_values(
        "auc", ascending=False, kind="stable", ignore_index=True
    )


def blends(
    chances: dict[tuple[str, str], list[np.ndarray]],
) -> dict[tuple[str, str], list[np.ndarray]]:
    """The two parts of the blend together with its weights at the start, per choice of columns."""
    found = {}
    for title in dict.fromkeys(title for _, title in chances):
        parts = zip(*(chances[name, title] for name in BLENDED), strict=True)
        weights = tuple(rolling.START)
        found[BLEND, title] = [
            models.blended(np.column_stack([models.log_odds(p) for p in both]), weights, 0.0)
            for both in parts
        ]
    return found


def way(
    name: str, title: str, chances: list[np.ndarray], outcome: np.ndarray, stretches: list[Period]
) -> dict[str, Any]:
    """One row of `search`."""
    areas = [auc(outcome[p.rows], c) for p, c in zip(stretches, chances, strict=True)]
    figures = {"auc": float(np.mean(areas)), "worst_auc": min(areas)}
    return {"candidate": name, "columns": title, **figures, "chances": chances}


def fit(
    found: pd.DataFrame, features: pd.DataFrame, outcome: np.ndarray, flagged: list[str]
) -> Model:
    """The best way, fitted on all these rows."""
    table = tables(features, flagged)[found["columns"].iloc[0]]
    settings = {name: tried[0] for name, tried in searched("frozen").items()}
    weights = dict(zip(BLENDED, rolling.START, strict=True))
    blended = {"intercept": 0.0, "weights": weights}
    return rolling.fit(found["candidate"].iloc[0], table, outcome, settings, blended)


def calibrate(found: pd.DataFrame, outcome: np.ndarray, stretches: list[Period]) -> Calibrator:
    """Slope and level of the best way's chances, from all stretches at once."""
    won = np.concatenate([outcome[period.rows] for period in stretches])
    return calibration.fit("sigmoid", np.concatenate(found["chances"].iloc[0]), won)


def applied(
    use: str, names: list[str], features: pd.DataFrame, found: pd.DataFrame, flagged: list[str]
) -> tuple[list[str], pd.DataFrame]:
    """Candidates and columns to compare: all, or with `use: frozen` the way that lasts longest."""
    if use == "refitted" or found.empty:
        return names, features
    table = tables(features, flagged)[found["columns"].iloc[0]]
    return [*names[:2], str(found["candidate"].iloc[0])], table


def sentence(found: pd.DataFrame, use: str) -> str:
    """What lasts longest, for a reader."""
    if found.empty:
        return "Too few rows to say what lasts when nobody refits a model."
    best = found.iloc[0]
    if best["auc"] <= 0.5:
        return "Frozen for long, no way ranks later rows better than a coin."
    name = str(best["candidate"]).replace("_", " ")
    on = f"on {EVERY}" if best["columns"] == EVERY else NO_CLOCKS
    told = (
        f"Frozen for long, {name} {on} ranks best: AUC {best['auc']:.3f} on average of the "
        f"stretches, {best['worst_auc']:.3f} on the worst."
    )
    then = (
        " It is what this application uses." if use == "frozen" else " For that, set use to frozen."
    )
    return told + then
