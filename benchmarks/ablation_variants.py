"""Our method with one thing taken away, everything else as `tierwise` has it.

A variant says which columns the method gets, among which settings it searches, and whose chances
count: those of the blend, of one part, of both parts with fixed weights, or of a plain model.
Variants with the same columns and settings share one rolling origin, which saves most of the
processor time.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
from learners import ours
from quality_protocols import Fold, Protocol
from scipy.special import expit, logit
from threadpoolctl import threadpool_limits

from tierwise import candidates, context, rolling, value_rates
from tierwise import examples as ex
from tierwise.candidates import Searched

WHOLE, PLAIN_VARIANT = "whole", "plain"
NO_SETTING = "none of the settings has it"
LINEAR, TREES = candidates.BLENDED
FIXED = "fixed"
PLAIN = "histogram_boosting"
CHANCE_FLOOR = 1e-6  # below it log-odds tell nothing


class Variant(NamedTuple):
    """what: in words, what was taken away.

    same: why it may be the whole method again, where neither clock nor columns are the reason.
    """

    what: str
    columns: Callable[[pd.DataFrame, Protocol], pd.DataFrame] | None = None
    searched: Callable[[Searched], Searched] | None = None
    chances_of: str = candidates.BLEND
    same: str = ""


class Found(NamedTuple):
    """chances: of a win, in the order of protocol.judged; cpu_s: processor seconds of all fits."""

    chances: np.ndarray
    cpu_s: float


class Run(NamedTuple):
    """table: a row per judged row with chances by candidate; seconds: of each candidate's fits."""

    table: pd.DataFrame
    seconds: Counter[str]


def dropped(names: tuple[str, ...], features: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    return features.drop(columns=list(names), errors="ignore")


def without_context(features: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    return features.drop(columns=list(context.NAMES), errors="ignore")


def without_times(features: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    names = [*context.NAMES, *value_rates.names(features)]
    return features.drop(columns=names, errors="ignore")


def without_value_rates(searched: Searched) -> Searched:
    """No settings that see how often each text value was won lately."""
    return {
        n: [one for one in tried if not one.get("value_rates")] for n, tried in searched.items()
    }


def without_half_life(searched: Searched) -> Searched:
    """All rows count the same; settings that differed in nothing else are tried once."""
    equal = {n: [one | {"half_life_count": None} for one in tried] for n, tried in searched.items()}
    return {n: [one for at, one in enumerate(t) if one not in t[:at]] for n, t in equal.items()}


def first_only(searched: Searched) -> Searched:
    """The settings for a world that changes, without a look at how they did."""
    return {name: candidates.SEARCHED[name][:1] for name in searched}


def without_ranks(searched: Searched) -> Searched:
    """No settings in which text values are also ranked by how frequent they are."""
    return {n: [one for one in tried if not one.get("ranks")] for n, tried in searched.items()}


def first_stop(searched: Searched) -> Searched:
    """Of settings that share a fit the first: nobody chooses after how many rounds trees stop."""
    return {n: [tried[a[0]] for a in rolling.shared(tried)] for n, tried in searched.items()}


VARIANTS: dict[str, Variant] = {
    WHOLE: Variant("nothing"),
    "without_recency": Variant("recency weights", searched=without_half_life),
    "without_context": Variant("context columns", without_context),
    "without_arrivals": Variant("arrivals", partial(dropped, context.ARRIVALS)),
    "without_levels": Variant("recent rates", partial(dropped, context.LEVELS)),
    "linear_only": Variant("trees", chances_of=LINEAR),
    "trees_only": Variant("the linear part", chances_of=TREES),
    "fixed_weights": Variant("learned weights of the blend", chances_of=FIXED),
    "first_settings": Variant("the choice of settings", searched=first_only),
    "without_value_rates": Variant(
        "recent rates of text values", searched=without_value_rates, same=NO_SETTING
    ),
    "without_ranks": Variant("ranks of text values", searched=without_ranks, same=NO_SETTING),
    "first_stop": Variant("the choice of rounds", searched=first_stop, same=NO_SETTING),
    PLAIN_VARIANT: Variant(
        "everything: histogram boosting on all known rows",
        without_times,
        chances_of=PLAIN,
    ),
}


class Recipe(NamedTuple):
    """What a run depends on. searched: the settings to try."""

    features: pd.DataFrame
    searched: Searched
    candidate: str

    @property
    def key(self) -> str:
        return json.dumps([self.candidate, list(self.features), self.searched], sort_keys=True)


def ablated(protocol: Protocol) -> Iterator[tuple[str, Found | str]]:
    """Each variant with its chances, or with the reason for which there are none; whole first."""
    recipes, runs = recipes_of(protocol), dict[str, Run]()
    for name, why in reasons(protocol).items():
        yield name, why or found(VARIANTS[name], protocol, recipes[name], runs)


def recipes_of(protocol: Protocol) -> dict[str, Recipe]:
    """What each variant runs on; the whole first."""
    features = protocol.columns if protocol.as_of is None else ours.with_context(protocol)
    whole = Recipe(features, searched_by_us(protocol, features), candidates.BLEND)
    return {name: recipe_of(variant, protocol, whole) for name, variant in VARIANTS.items()}


def reasons(protocol: Protocol) -> dict[str, str]:
    """Per variant why it is the whole method again on this protocol; "" where it is not."""
    recipes = recipes_of(protocol)
    return {
        name: why_not(protocol, variant)
        if name != WHOLE
        and recipes[name].key == recipes[WHOLE].key
        and variant.chances_of == candidates.BLEND
        else ""
        for name, variant in VARIANTS.items()
    }


def searched_by_us(protocol: Protocol, features: pd.DataFrame) -> Searched:
    """Among which settings learners/ours.py chooses on this protocol."""
    tried = candidates.steady() if protocol.as_of is None else candidates.SEARCHED
    return {name: candidates.possible(settings, features) for name, settings in tried.items()}


def recipe_of(variant: Variant, protocol: Protocol, whole: Recipe) -> Recipe:
    features = whole.features
    return Recipe(
        variant.columns(features, protocol) if variant.columns else features,
        variant.searched(whole.searched) if variant.searched else whole.searched,
        PLAIN if variant.chances_of == PLAIN else whole.candidate,
    )


def why_not(protocol: Protocol, variant: Variant) -> str:
    """Why a variant is the whole method again."""
    if variant.same:
        return variant.same
    if protocol.as_of is None:
        return "the rows are in no order of time, so nothing is recent"
    return "the table has nothing that it could be worked out from"


def found(variant: Variant, protocol: Protocol, recipe: Recipe, runs: dict[str, Run]) -> Found:
    """From a run of the same recipe, or a new one that is put beside the others."""
    if recipe.key not in runs:
        runs[recipe.key] = rolled(protocol, recipe)
    run = runs[recipe.key]
    both = variant.chances_of in (candidates.BLEND, FIXED)
    parts = candidates.BLENDED if both else (variant.chances_of,)
    cpu_s = sum(run.seconds[part] for part in parts)
    return Found(chances(run.table, variant.chances_of), cpu_s)


def chances(table: pd.DataFrame, chances_of: str) -> np.ndarray:
    """A column of the table, or both parts with the weights that nobody has learned yet."""
    if chances_of != FIXED:
        return table[chances_of].to_numpy()
    parts = table[list(candidates.BLENDED)].clip(CHANCE_FLOOR, 1 - CHANCE_FLOOR).to_numpy()
    return expit(logit(parts) @ np.asarray(rolling.START))


def rolled(protocol: Protocol, recipe: Recipe) -> Run:
    """One candidate on all judged rows, in one process on one thread.

    A plain model has nothing to learn from earlier rolls and is spared them.
    """
    tables, seconds = [], Counter()
    outcome = protocol.outcome.astype(float)
    for periods, judged_count in turns(protocol, has_past=recipe.candidate != PLAIN):
        with (
            threadpool_limits(1),
            joblib.parallel_config(backend="sequential"),
        ):
            given = (recipe.features, outcome, periods, [recipe.candidate], recipe.searched)
            run = rolling.origin(*given, ordered=protocol.as_of is not None)
        tables.append(run.table[run.table["period"] >= len(periods) - judged_count])
        seconds.update(run.seconds)
    return Run(pd.concat(tables, ignore_index=True), seconds)


def turns(protocol: Protocol, has_past: bool) -> list[tuple[list[ex.Period], int]]:
    """Periods of each rolling origin that is needed, and how many of them, the last, are judged.

    Before them come earlier rolls, where the rows have a clock; where they have none, folds of the
    known rows stand in, one rolling origin per fold of the protocol.
    """
    judged = [ours.period(protocol, *fold) for fold in protocol.folds]
    if protocol.as_of is not None:
        past = ours.warm_up(protocol) if has_past else []
        return [(past + judged, len(judged))]
    pasts = [inner_folds(fold) if has_past else [] for fold in protocol.folds]
    return [([*past, period], 1) for past, period in zip(pasts, judged, strict=True)]


def inner_folds(fold: Fold) -> list[ex.Period]:
    """The known rows cut into as many folds as `ours` cuts them, in the order they have."""
    parts = np.array_split(fold.known, ours.FOLD_COUNT)
    return [ex.Period(None, fold.known[~np.isin(fold.known, part)], part) for part in parts]
