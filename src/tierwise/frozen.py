"""A model that nobody will refit: which candidate lasts, and on which columns?

It is chosen as it will be used. Several times, each way is fitted once on what was known then and
judged on a long stretch of later rows, by its AUC. That is ranking alone: the level of the chances
is left to calibration, since a way that ranks well for long is worth more than one that had the
level right by accident. Few stretches tell little, so that the simplest way is taken which no other
beats by more than the stretches differ.

A way is a candidate on some columns: all of them, or all but the clocks (see clocks.py), which
lead a frozen model astray once they leave the range seen. Recent rates of wins are left out: they
need outcomes that go on arriving. How many cases arrive needs none.
"""

from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from tierwise import candidates, context, models, monotone, rolling, row_weights, value_rates
from tierwise import examples as ex
from tierwise.candidates import BLEND, BLENDED, Searched
from tierwise.examples import Period
from tierwise.files import InputError
from tierwise.ranking import auc
from tierwise.rolling import Rolled

START_SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
STRETCH_SHARE = 0.43  # of the rows known in all: as far ahead as 30 % of rows are after 70 %
LASTING = ("naive_bayes", "logistic_regression", *BLENDED)
EVERY, NO_CLOCKS = "all columns", "without the clocks"
USES = ("refitted", "frozen")


def searched(use: str) -> Searched:
    """Settings to try: those of `candidates.SEARCHED`, or the one of each way that may last.

    A way that lasts sees how many arrive, whatever the candidate. Raises InputError for another
    use.
    """
    if use not in USES:
        raise InputError(f"use in params.yaml is one of {', '.join(USES)}, not {use!r}.")
    if use == "refitted":
        return candidates.SEARCHED
    return {name: candidates.SEARCHED.get(name, [{"arrivals": True}])[:1] for name in LASTING}


def windows(examples: pd.DataFrame) -> list[Period]:
    """What was known after 30 to 80 % of the rows, and a long stretch after it.

    examples: ascending as_of, holding no row of the judged span.
    """
    count, found = len(examples), []
    starts = [ex.edge_at(examples["as_of"], share) for share in START_SHARES]
    for start in dict.fromkeys(starts):
        later = np.flatnonzero(examples["as_of"] >= start)[: int(STRETCH_SHARE * count)]
        known = np.flatnonzero(ex.known_before(examples, start))
        known = row_weights.as_known(examples["outcome_known_at"], known)
        if len(known) and len(later):
            found.append(Period(start, known, later))
    return found


def tables(features: pd.DataFrame, flagged: list[str]) -> dict[str, pd.DataFrame]:
    """The columns to try, by name, fewer first. flagged: clocks."""
    wins = [*context.LEVELS, *value_rates.names(features)]
    lasting = features.drop(columns=wins, errors="ignore")
    honest = lasting.drop(columns=flagged, errors="ignore")
    fewer = 0 < len(honest.columns) < len(lasting.columns)
    return ({NO_CLOCKS: honest} if fewer else {}) | {EVERY: lasting}


def search(
    features: pd.DataFrame,
    outcome: np.ndarray,
    stretches: list[Period],
    flagged: list[str],
    directions: dict[str, int] | None = None,
) -> pd.DataFrame:
    """All ways, the one to take first, then by auc.

    features: in time order, no row of the judged span. stretches: of `windows`; without any, no
    rows. directions: see `monotone.directed`. Columns: candidate, columns, auc (mean), worst_auc,
    chances (per stretch). The way to take is that of `simplest_unbeaten`; without the clocks is
    simpler than with them.
    """
    ways = [
        (name, title, table)
        for title, table in tables(features, flagged).items()
        for name in LASTING
    ]
    settings = monotone.directed(searched("frozen"), directions or {}, features)
    tasks = (
        delayed(rolling.fit_and_judge)(name, table, outcome, period, settings[name][0])
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
    order = [(name, title) for title in tables(features, flagged) for name in (*LASTING, BLEND)]
    areas = {key: areas_of(chances[key], outcome, stretches) for key in order if stretches}
    rows = [way(*key, chances[key], area) for key, area in areas.items()]
    found = pd.DataFrame(rows, columns=["candidate", "columns", "auc", "worst_auc", "chances"])
    return taken_first(found, np.array(list(areas.values())))


def taken_first(found: pd.DataFrame, areas: np.ndarray) -> pd.DataFrame:
    """The way to take, then all others by auc. found, areas: from the simplest way up."""
    ranked = found.sort_values("auc", ascending=False, kind="stable")
    taken = found.index[[simplest_unbeaten(areas)] if len(found) else []]
    return pd.concat([found.loc[taken], ranked.drop(taken)], ignore_index=True)


def simplest_unbeaten(areas: np.ndarray) -> int:
    """The first way that none beats by more than stretches differ. areas: (ways, stretches).

    That is, no mean gain on it exceeds its own spread over the stretches. The spread is not divided
    by the root of their number, as the error of a mean would be, for they overlap: six of them know
    little more than one or two. It leans to the simpler way, after the one-standard-error rule of
    Breiman and others (1984), and is no test: of several ways that are equally good one often
    beats the simplest. One stretch tells nothing.
    """
    if areas.shape[1] < 2:
        return 0
    gain = areas[None] - areas[:, None]  # of the second index on the first
    beaten = gain.mean(axis=2) > gain.std(axis=2, ddof=1)
    return int(np.argmin(beaten.any(axis=1)))


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


def way(name: str, title: str, chances: list[np.ndarray], areas: list[float]) -> dict[str, Any]:
    """One row of `search`. chances, areas: of each stretch."""
    figures = {"auc": float(np.mean(areas)), "worst_auc": min(areas)}
    return {"candidate": name, "columns": title, **figures, "chances": chances}


def areas_of(
    chances: list[np.ndarray], outcome: np.ndarray, stretches: list[Period]
) -> list[float]:
    """AUC of each stretch."""
    return [auc(outcome[p.rows], chance) for p, chance in zip(stretches, chances, strict=True)]


def applied(
    use: str, names: list[str], features: pd.DataFrame, found: pd.DataFrame, flagged: list[str]
) -> tuple[list[str], pd.DataFrame]:
    """Candidates and columns to compare: all, or with `use: frozen` the way that was taken."""
    if use == "refitted" or found.empty:
        return names, features
    table = tables(features, flagged)[found["columns"].iloc[0]]
    return [*names[:2], str(found["candidate"].iloc[0])], table


def unseen(
    use: str, rolled: Rolled, found: pd.DataFrame, outcome: np.ndarray, stretches: list[Period]
) -> pd.DataFrame:
    """What fits believed of rows they had not seen, for cuts, correction and threshold.

    A model held since the first period knows an older level than the one that is handed over, and
    a fit for each period does not show what becomes of chances that have to last. So with
    `use: frozen` these are the stretches of the way taken, in the columns of rolled.table: each
    has a fit of its own and goes far beyond it. A row comes once for each stretch that it is on.
    """
    if use == "refitted" or found.empty:
        return rolled.table
    table = rolling.judged(outcome, stretches)
    known = np.array([outcome[stretch.known].mean() for stretch in stretches])
    rates = dict.fromkeys(["base_rate", "recent_rate"], known[table["period"]])
    believed = np.concatenate(found["chances"].iloc[0])
    first = np.argmax(rolling.known_by_then(table, stretches), axis=0)
    return table.assign(known_from=first, **rates, **{found["candidate"].iloc[0]: believed})


def sentence(found: pd.DataFrame, use: str) -> str:
    """Which way to take, for a reader."""
    if found.empty:
        return "Too few rows to say what lasts when nobody refits a model."
    best = found.iloc[0]
    if found["auc"].max() <= 0.5:
        return "Frozen for long, no way ranks later rows better than a coin."
    name = str(best["candidate"]).replace("_", " ")
    on = f"on {EVERY}" if best["columns"] == EVERY else NO_CLOCKS
    told = f"Frozen for long, {name} {on} ranks later rows with an AUC of {best['auc']:.3f}"
    if len(best["chances"]) > 1:
        told += f" on average, {best['worst_auc']:.3f} on the worst stretch; it is the simplest way"
        told += " that no other beats by more than stretches differ."
    else:
        told += ". Taken for being the simplest: one stretch does not tell how stretches differ."
    then = (
        " It is what this application uses." if use == "frozen" else " For that, set use to frozen."
    )
    return told + then
