"""Many worlds of 200 rows whose truth is known, and what the pipeline makes of each.

A world has three numbers and two categories; one of each tells something, by a logistic rule that
wins for about a quarter of the rows. Three kinds:

    steady     the rule stays as it is
    drifting   level and the effect of the number move along a line, up or down by chance
    nothing    a steady world with its outcomes shuffled: there is nothing to rank by

A row's as-of time is its number, and its outcome is known five rows later.
"""

from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from tierwise import (
    candidates,
    context,
    evaluation,
    promises,
    rolling,
    sections,
    selection,
    tiers,
)
from tierwise import draws as drawing
from tierwise import examples as ex
from tierwise.examples import Period
from tierwise.rolling import Rolled

KINDS = ("steady", "drifting", "nothing")
ROWS_COUNT, KNOWN_AFTER, WON_SHARE = 200, 5, 0.25
FRESH_COUNT = 50  # fresh rows per judged row: 1,500 or so a period
EFFECT, EFFECT_MOVE, LEVEL_MOVE = 1.0, 0.6, 0.7  # log-odds; moves are from the middle to an end
VALUES = np.array(["north", "south", "west"])
SHARES, VALUE_EFFECTS = np.array([0.5, 0.3, 0.2]), np.array([-0.7, 0.3, 1.0])
# Of all candidates, to keep a world to seconds.
CANDIDATES = (
    "base_rate",
    "recent_rate",
    "naive_bayes",
    "logistic_regression",
    "recent_logistic",
    "recent_boosting",
    "blend",
)
KEY = ("kind", "seed")
CHOSEN, FIXED = "chosen", ("logistic_regression", "blend")


class World(NamedTuple):
    """examples, features, chance: n rows. fresh: others at the instants of those rows.

    fresh_at: the row whose instant and whose context columns a fresh row shares, shape (n_fresh,).
    """

    kind: str
    seed: int
    examples: pd.DataFrame
    features: pd.DataFrame
    chance: np.ndarray
    fresh: pd.DataFrame
    fresh_at: np.ndarray
    fresh_chance: np.ndarray


@cache
def steady_level() -> float:
    """The log-odds at which a quarter wins."""
    node, weight = np.polynomial.hermite_e.hermegauss(60)
    weight = weight / weight.sum()

    def miss(level: float) -> float:
        chance = expit(level + EFFECT * node[:, None] + VALUE_EFFECTS)
        return float(weight @ chance @ SHARES) - WON_SHARE

    return float(brentq(miss, -8, 8))


def drawn(random: np.random.Generator, count: int) -> pd.DataFrame:
    """Columns as models take them: three float32, two of text."""
    columns = {f"number_{i}": random.normal(size=count).astype("float32") for i in (1, 2, 3)}
    for i in (1, 2):
        columns[f"text_{i}"] = VALUES[random.choice(3, size=count, p=SHARES)]
    return pd.DataFrame(columns)


def chances(features: pd.DataFrame, level: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """The rule: number_1 and text_1 tell, the others don't. Shapes (n,)."""
    value = pd.Series(VALUE_EFFECTS, VALUES)[features["text_1"].to_numpy()].to_numpy()
    return expit(level + effect * features["number_1"].to_numpy(dtype=float) + value)


def moving(kind: str, random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Level and effect of every row, shapes (count,)."""
    away = np.linspace(-1, 1, count) * (kind == "drifting")
    ways = random.choice([-1, 1], size=2)
    return steady_level() + ways[0] * LEVEL_MOVE * away, EFFECT + ways[1] * EFFECT_MOVE * away


def simulated(kind: str, seed: int, count: int = ROWS_COUNT, copies: int = FRESH_COUNT) -> World:
    random = np.random.default_rng([seed, KINDS.index(kind)])
    features = drawn(random, count)
    level, effect = moving(kind, random, count)
    chance = chances(features, level, effect)
    outcome = (random.random(count) < chance).astype(int)
    if kind == "nothing":
        outcome = random.permutation(outcome)
        chance = np.full(count, outcome.mean())
    examples = table_of(outcome)
    known = (examples[name] for name in ("as_of", "outcome_known_at", "outcome"))
    around = context.columns(*known)
    at = np.repeat(np.arange(count), copies)
    fresh = drawn(random, len(at))
    fresh_chance = chance[at] if kind == "nothing" else chances(fresh, level[at], effect[at])
    fresh = fresh.join(around.iloc[at].reset_index(drop=True))
    return World(kind, seed, examples, features.join(around), chance, fresh, at, fresh_chance)


def table_of(outcome: np.ndarray) -> pd.DataFrame:
    """examples.parquet of these outcomes, in time order."""
    number = np.arange(len(outcome), dtype=float)
    examples = pd.DataFrame({"entity_id": number, "as_of": number, "outcome": outcome})
    examples["outcome_known_at"] = examples["as_of"] + KNOWN_AFTER
    return examples.assign(span=ex.spans(examples, sections.TUNE_SHARE, sections.JUDGE_SHARE))


def expected_auc(chance: np.ndarray, score: np.ndarray) -> float:
    """AUC of a score when each row wins with its chance: of two rows, both orders count.

    Shapes (n,). Sum over pairs of p_i (1 - p_j), right or half right, by the sum of all.
    """
    order = np.argsort(score, kind="stable")
    start = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    wins, losses = (np.add.reduceat(p[order], start) for p in (chance, 1 - chance))
    below = np.cumsum(losses) - losses
    return float(wins @ (below + losses / 2) / (wins.sum() * losses.sum()))


def rolled_twice(world: World, periods: list[Period], names: list[str]) -> Rolled:
    """One rolling origin over three things: judged rows, fresh rows of their periods, later rows.

    Fresh rows are never known, so nothing learns from them. The later rows are one more period:
    its model knows what the pipeline's last fit knows, with settings and weights of that day.
    """
    past = ex.before_judging(world.examples).to_numpy()
    later = np.flatnonzero(world.examples["span"] == "judge")
    count = len(world.examples)
    doubled = [
        replace(p, rows=np.r_[p.rows, count + np.flatnonzero(np.isin(world.fresh_at, p.rows))])
        for p in periods
    ]
    doubled.append(Period(float(later[0]), np.flatnonzero(past), later))
    features = pd.concat([world.features, world.fresh], ignore_index=True)
    outcome = np.r_[world.examples["outcome"].to_numpy(), np.zeros(len(world.fresh), dtype=int)]
    return rolling.origin(features, outcome, doubled, names)


def judged(world: World) -> dict[str, Any]:
    """Everything asked of one world, see `aucs` and `tiered`."""
    past = ex.before_judging(world.examples)
    asked = sections.defaults({}, int(world.examples["outcome"].value_counts().min()))
    asked = asked["compare_models"]
    names = [name for name in candidates.names([], world.features) if name in CANDIDATES]
    periods = ex.by_period(world.examples[past], asked["period_count"], asked["history_share"])
    rolled = rolled_twice(world, periods, names).table
    own = rolled[(rolled["row"] < len(world.examples)) & (rolled["period"] < len(periods))]
    log = evaluation.by_period(own, names, asked["contacted_share"])
    summary = evaluation.summary(own, log, names)
    limits = asked["rank_p"], asked["doubt_share"]
    ranking = selection.ranking(summary, *limits)
    chosen = selection.choose(ranking, asked["tolerance_auc"])
    able = selection.can_rank(summary, chosen, *limits)
    candidate = selection.candidate(summary, chosen, able, asked["tolerance_auc"])
    found = {"kind": world.kind, "seed": world.seed, "can_rank": able, "candidate": candidate}
    found |= {"period_count": len(periods), "auc": aucs(world, rolled, log, summary, candidate)}
    return found | tiered(world, rolled, len(periods), candidate, able)


def aucs(
    world: World, rolled: pd.DataFrame, log: pd.DataFrame, summary: pd.DataFrame, candidate: str
) -> dict[str, dict[str, Any]]:
    """AUC inside periods, of the chosen candidate and of two fixed ones: judged, interval, true.

    true: of the same fits on fresh rows of the same periods, weighted as the judged ones are.
    best: of the rule itself there.
    """
    fresh = rolled[rolled["row"] >= len(world.examples)]
    chance = pd.Series(world.fresh_chance[fresh["row"] - len(world.examples)], fresh.index)
    weight = log[log["candidate"] == candidate].set_index("period")["weight"]

    def true(score: pd.Series) -> float:
        inside = fresh.groupby("period").groups
        each = [
            expected_auc(*(x[rows].to_numpy() for x in (chance, score))) for rows in inside.values()
        ]
        return float(np.average(each, weights=weight[list(inside)]))

    found = {}
    for title, name in ((CHOSEN, candidate), *((name, name) for name in FIXED)):
        row = summary.set_index("candidate").loc[name]
        figures = {"judged": float(row["auc"]), "interval": row["auc_interval"]}
        found[title] = figures | {"true": true(fresh[name]), "best": true(chance)}
        own = log[log["candidate"] == name]
        found[title]["periods"] = own[["auc", "rows_count", "wins_count"]].to_numpy().tolist()
    return found


def tiered(
    world: World, rolled: pd.DataFrame, period_count: int, candidate: str, able: bool
) -> dict[str, Any]:
    """Tiers of the later rows as validate_tiers gives them, and the mean true chance of each."""
    shares = sections.defaults({}, 0)["validate_tiers"]["tier_shares"]
    names, as_of, count = list(shares), world.examples["as_of"], len(world.examples)
    span = world.examples["span"].reindex(range(count + len(world.fresh))).to_numpy()
    unseen = rolled[(span == "tune")[rolled["row"]] & (rolled["period"] < period_count)]
    way, _ = tiers.way_of(unseen[candidate].to_numpy(), shares)
    cuts = tiers.cuts(unseen[candidate].to_numpy(), shares) if way == tiers.FROZEN else {}
    later = rolled[rolled["period"] == period_count]
    rows, score = later["row"].to_numpy(), later[candidate].to_numpy()
    weeks, outcome = ex.week_or_block(as_of[rows]), later["outcome"].to_numpy()
    lists = ex.work_lists(as_of[rows])
    tier = tiers.given(way, score, lists, cuts, shares)
    compared = {"can_rank": able, "sentence": ""}
    result = promises.judge(outcome, tier, score, names, drawing.draw(weeks), compared)
    table = (result["withheld"] or result)["tiers"]
    for row in table:
        inside = tier == row["name"]
        row["true"] = float(world.chance[rows][inside].mean()) if inside.any() else None
    return {"verdict": result["verdict"], "tiers": table, "way": way}
