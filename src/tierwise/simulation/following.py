"""Simulated weeks in which representatives follow the tiers, and a model learns from what they did.

    week       its new deals are scored, get tiers by rank, and are put in order; each owner works
               on the first `room_share` of his queue, and nobody works on the others, ever
    outcome    known `delay_weeks` after the week began, and used by fits of later weeks alone
    fit        every `refit_weeks`, on the outcomes of the latest `window_weeks` that are known
    holdout    never sees a tier: each of its deals is worked on with the chance room_share
    history    the weeks before week 0; nobody sees tiers, all deals are worked on as the holdout

What an arm learns from decides what its chances are about:

    AS_IT_CAME    all outcomes, each once; what happens if one refits and thinks no further
    BY_LOT        weights of `reweighting.if_by_lot`: as before tiers, work by lot
    CORRECTED     all outcomes, each once, for the order; level and slope alone with these weights
    WORKED        the deals worked on, each once
    IF_WORKED     weights of `reweighting.if_worked`: as if every deal were worked on
    NEVER         the model of week 0 for all weeks

Orders come from exploration.py as delivery.py takes them: drawn for life, no holdout among them.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from tierwise import calibration, candidates, exploration, models, reweighting, tiers
from tierwise.files import InputError
from tierwise.models import Model
from tierwise.simulation.floor import FEATURES, OWNERS_COUNT, Floor

AS_IT_CAME, BY_LOT, CORRECTED = "as it came", "as if by lot", "as it came, then corrected"
WORKED, IF_WORKED, NEVER = "the worked ones", "as if all worked", "never again"
WAYS = (AS_IT_CAME, BY_LOT, CORRECTED, WORKED, IF_WORKED, NEVER)
WEIGHED = (BY_LOT, CORRECTED, IF_WORKED)
SHARES = {"A": 0.20, "B": 0.30, "C": 0.50}
FOR_LIFE = pd.Timestamp(0)
FIRST_MONDAY = pd.Timestamp("2027-01-04 08:00")
HELD_OUT, EXPLORED = "holdout", "exploration"
FEW, MANY = "few", "many"
STEPS_COUNT = 12  # of Newton's method


@dataclass(frozen=True)
class Arm:
    """One way of handing out and learning. follows: representatives see the order."""

    name: str
    learns: str = AS_IT_CAME
    exploration_share: float = 0.0
    follows: bool = True

    def __post_init__(self) -> None:
        if self.learns not in WAYS:
            raise InputError(f"An arm learns in one of {WAYS}, not in '{self.learns}'.")
        if self.follows and self.learns in WEIGHED and not self.exploration_share:
            raise InputError(
                f"'{self.name}' can't learn {self.learns}: without exploration most deals have no "
                "chance to be worked on. Set an exploration_share above 0."
            )


# The two, and what tells where a difference comes from.
NOBODY = Arm("nobody follows", follows=False)
WITHOUT = Arm("no exploration")
WITH = Arm("exploration, weights", BY_LOT, 0.10)
MENDED = Arm("exploration, corrected", CORRECTED, 0.10)
UNWEIGHTED = Arm("exploration, unweighted", AS_IT_CAME, 0.10)
FROZEN = Arm("never refitted", NEVER)
# The same for another question: who would be won if he were worked on?
WORKED_ONLY = Arm("no exploration, worked deals", WORKED)
WORKED_WEIGHED = Arm("exploration, worked deals", IF_WORKED, 0.10)


@dataclass(frozen=True)
class Plan:
    """What all arms have in common.

    counts_as: FEW lets weighed rows count as as many rows of equal weight as say as much (Kish
    1965), MANY as many as there are. A penalty of the model then yields less or more.
    """

    room_share: float = 0.30
    holdout_share: float = 0.10
    delay_weeks: int = 4
    refit_weeks: int = 4
    window_weeks: int = 26
    model: str = "logistic_regression"
    counts_as: str = FEW


def run(floor: Floor, arm: Arm, plan: Plan) -> pd.DataFrame:
    """All deals of a floor, in its order, as the ledger and the outcomes would tell of them.

    Columns: deal_id, owner_id, week, scored_at, score (of the model), chance (corrected), tier,
    rank, flag, propensity, worked, shown, outcome. Weeks before 0 have no score, chance, tier or
    rank. propensity is missing in the holdout.
    """
    deals, book, model = floor.deals, opened(floor, plan), None
    week = deals["week"].to_numpy()
    for now in range(0, floor.settings.weeks_count, plan.refit_weeks):
        last = min(now + plan.refit_weeks, floor.settings.weeks_count)
        if model is None or arm.learns != NEVER:
            model = learned(deals, book, now, arm, plan)
        rows = slice(*np.searchsorted(week, [now, last]))
        book["score"][rows] = models.chance(model, deals[FEATURES].iloc[rows])
        line = corrected(week, book, now, plan) if arm.learns == CORRECTED else (0.0, 1.0)
        book["chance"][rows] = expit(line[0] + line[1] * models.log_odds(book["score"][rows]))
        told = handed_out(deals.iloc[rows], book["chance"][rows], arm, plan, salt(floor))
        for name in told:
            book[name][rows] = told[name]
        book["outcome"][rows] = floor.won(book["worked"][rows], rows)
    scored_at = FIRST_MONDAY + pd.to_timedelta(7 * deals["week"], unit="D")
    return deals[["deal_id", "owner_id", "week"]].assign(scored_at=scored_at, **book)


Book = dict[str, np.ndarray]


def opened(floor: Floor, plan: Plan) -> Book:
    """What is known of all deals when week 0 begins: one array of length n per column."""
    count = len(floor.deals)
    history = floor.deals["week"].to_numpy() < 0
    worked = history & by_lot(floor.deals, plan, salt(floor))
    won = floor.won(worked, slice(0, count))
    return {
        "score": np.full(count, np.nan),
        "chance": np.full(count, np.nan),
        "tier": np.full(count, "", dtype=object),
        "rank": np.zeros(count, dtype="int64"),
        "flag": np.full(count, "", dtype=object),
        "propensity": np.where(history, plan.room_share, np.nan),
        "worked": worked,
        "shown": np.zeros(count, dtype=bool),
        "outcome": np.where(history, won, np.nan),
    }


def salt(floor: Floor) -> str:
    return f"floor {floor.settings.seed}"


def by_lot(deals: pd.DataFrame, plan: Plan, salt: str) -> np.ndarray:
    """Mask of the deals that would be worked on if there were no tiers, shape (n,)."""
    return exploration.draw(deals["deal_id"], "work", salt) < plan.room_share


def handed_out(
    deals: pd.DataFrame, chance: np.ndarray, arm: Arm, plan: Plan, salt: str
) -> pd.DataFrame:
    """The lists of some weeks: tier, rank, flag, propensity, worked, shown; rows as given.

    rank and tier are those of the score in its week, for the holdout too; nobody sees them there.
    """
    week = deals["week"].to_numpy()
    tier, rank = tiers.assign_by_rank(chance, week, SHARES), tiers.ranks(chance, week)[0] + 1
    found = pd.DataFrame({"tier": tier, "rank": rank}, index=deals.index)
    held = exploration.holdout(deals["deal_id"], plan.holdout_share, salt) | (not arm.follows)
    order = ordered(deals[~held], rank[~held], arm, plan, salt).reindex(deals.index)
    in_room = order["in_room"].eq(True).to_numpy()
    explored = order["explored"].eq(True).to_numpy()
    flag = np.select([held & arm.follows, explored], [HELD_OUT, EXPLORED], default="")
    worked = np.where(held, by_lot(deals, plan, salt), in_room)
    propensity = order["propensity"] if arm.follows else plan.room_share
    return found.assign(flag=flag, propensity=propensity, worked=worked, shown=~held)


def ordered(deals: pd.DataFrame, rank: np.ndarray, arm: Arm, plan: Plan, salt: str) -> pd.DataFrame:
    """`exploration.order`, in which an owner has a queue of his own in each week."""
    week, owner = deals["week"].to_numpy(), deals["owner_id"].to_numpy()
    first_to_last = np.empty(len(deals), dtype="int64")
    first_to_last[np.lexsort((rank, week))] = np.arange(1, len(deals) + 1)
    queue = deals[["deal_id"]].assign(rank=first_to_last, owner_id=week * OWNERS_COUNT + owner)
    return exploration.order(queue, FOR_LIFE, arm.exploration_share, salt, plan.room_share)


def learned(deals: pd.DataFrame, book: Book, now: int, arm: Arm, plan: Plan) -> Model:
    """The model with which a week begins. deals: of the floor, in the order of the book."""
    rows = known(deals["week"].to_numpy(), now, plan)
    if arm.learns in (BY_LOT, IF_WORKED):
        rows = rows[book["flag"][rows] != HELD_OUT]
    weight = weights(book, rows, arm.learns, plan)
    rows, weight = rows[weight > 0], weight[weight > 0]
    features, outcome = deals[FEATURES].iloc[rows], book["outcome"][rows]
    return fitted(plan.model, features, outcome, weight)


def known(week: np.ndarray, now: int, plan: Plan) -> np.ndarray:
    """Positions of the deals of the latest window whose outcome is known when week `now` begins.

    The outcome of a deal is known when week `week + delay_weeks` begins, and may be used after
    that instant; so it is with `examples.known_before`.
    """
    last = now - plan.delay_weeks - 1
    return np.flatnonzero((week <= last) & (week > last - plan.window_weeks))


def weights(book: Book, rows: np.ndarray, learns: str, plan: Plan) -> np.ndarray:
    """How much each of these rows counts, shape (n,)."""
    worked = book["worked"][rows]
    if learns not in (BY_LOT, IF_WORKED):
        return worked.astype(float) if learns == WORKED else np.ones(len(rows))
    told = pd.DataFrame({"worked": worked, "propensity": book["propensity"][rows]})
    if learns == BY_LOT:
        weight = reweighting.if_by_lot(told, plan.room_share)
    else:
        weight = reweighting.if_worked(told)
    if plan.counts_as == MANY:
        return weight / weight[weight > 0].mean()
    return weight * weight.sum() / (weight**2).sum()


def fitted(name: str, features: pd.DataFrame, outcome: np.ndarray, weight: np.ndarray) -> Model:
    """As `models.fit`, which takes no weights, with the settings that the candidate begins with."""
    pipeline = candidates.CANDIDATES[name](features, outcome)
    inputs = pipeline[:-1].transform(features)
    pipeline.named_steps["model"].fit(inputs, outcome, sample_weight=weight)
    return Model((pipeline,))


def corrected(week: np.ndarray, book: Book, now: int, plan: Plan) -> tuple[float, float]:
    """Intercept and slope that put scores right for work by lot.

    From scores as they were given, never from scores of rows that the model has learned from.
    (0, 1) while no outcome of a scored deal is known.
    """
    rows = known(week, now, plan)
    rows = rows[(week[rows] >= 0) & (book["flag"][rows] != HELD_OUT)]
    if not len(rows):
        return 0.0, 1.0
    weight = weights(book, rows, BY_LOT, plan)
    return straightened(models.log_odds(book["score"][rows]), book["outcome"][rows], weight)


def straightened(
    z: np.ndarray,
    outcome: np.ndarray,
    weight: np.ndarray,
    pull: tuple[float, float] = (calibration.LEVEL_PENALTY, calibration.SLOPE_PENALTY),
) -> tuple[float, float]:
    """Intercept and slope as `calibration.sliding` has them, of weighed rows, shape (n,) each.

    z: log-odds; outcome may be a true chance. pull: how strongly level and slope are drawn towards
    none; (0, 0) is the line of greatest likelihood. Newton's method on a convex loss.
    """
    middle = np.average(z, weights=weight)
    columns = np.column_stack([np.ones(len(z)), z - middle])
    towards, x = np.array(pull), np.zeros(2)
    for _ in range(STEPS_COUNT):
        believed = expit(z + columns @ x)
        slope = columns.T @ (weight * (outcome - believed)) - towards * x
        bend = (columns * (weight * believed * (1 - believed))[:, None]).T @ columns
        x = x + np.clip(np.linalg.solve(bend + np.diag(towards), slope), -1, 1)
    return float(x[0] - x[1] * middle), float(1 + x[1])
