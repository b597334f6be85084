"""What simulated weeks of following did to the chances, judged by truth and as an operator could.

A chance answers one question, and is right or wrong for that one:

    BY_LOT       would the deal be won if it were worked on by lot, as before there were tiers?
    IF_WORKED    would it be won if it were worked on?
    AS_IT_WENT   was it won, with those worked on that were? (deals that saw tiers)

Truth has no luck in it: the chance is judged by the chance that the simulation drew from.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit

from tierwise import evaluation, models, promises_kept, reliability, reweighting, uplift
from tierwise.simulation import following
from tierwise.simulation.floor import Floor, Settings, drawn
from tierwise.simulation.following import Arm, Plan

BY_LOT, IF_WORKED, AS_IT_WENT = "by lot", "if worked", "as it went"
QUESTIONS = (BY_LOT, IF_WORKED, AS_IT_WENT)
TOP_SHARE = following.SHARES["A"]
LAST_WEEKS = 12  # of a run, for its tiers
SETTLED_WEEKS = 24  # by then no model learns from history any more
FORMATS = dict.fromkeys(["ece", "buried_share"], "share")
FORMATS |= dict.fromkeys(["slope", "level", "log_loss", "wins_expected"], "number")


def calibration(truth: np.ndarray, chance: np.ndarray) -> dict[str, float]:
    """level, intercept, slope, ece and log_loss of chances, by true chances, shape (n,) each.

    intercept and slope: of `reliability.level_and_slope`. level: by how much the log-odds of the
    mean true chance lie above those of the mean chance.
    """
    z, everyone = models.log_odds(chance), np.ones(len(truth))
    intercept, slope = following.straightened(z, truth, everyone, (0.0, 0.0))
    p = np.clip(chance, evaluation.CHANCE_FLOOR, 1 - evaluation.CHANCE_FLOOR)
    loss = -(truth * np.log(p) + (1 - truth) * np.log(1 - p)).mean()
    level = logit(truth.mean()) - logit(p.mean())
    found = {"level": level, "intercept": intercept, "slope": slope, "log_loss": loss}
    found["ece"] = evaluation.calibration_error(truth, chance)
    return {name: float(value) for name, value in found.items()}


def truths(floor: Floor, rows: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The true chance of each deal for each question, columns QUESTIONS."""
    went = floor.chance(rows["worked"].to_numpy(), slice(0, len(rows)))
    worked = floor.truth["worked"].to_numpy()
    answers = floor.by_lot(plan.room_share), worked, went
    return pd.DataFrame(dict(zip(QUESTIONS, answers, strict=True)), index=rows.index)


def by_block(
    floor: Floor, rows: pd.DataFrame, plan: Plan, questions: tuple[str, ...] = QUESTIONS
) -> pd.DataFrame:
    """A row per question and per stretch between two fits: week (its first), and `calibration`.

    Also, the same for all questions: deals_count, wins (seen), wins_expected (of true chances as
    it went, per 100 deals), buried_share (of the deals whose true chance if worked on is among
    the highest fifth of the stretch: how many are in the last tier?).
    """
    truth, found = truths(floor, rows, plan), []
    for start in range(0, floor.settings.weeks_count, plan.refit_weeks):
        inside = rows["week"].between(start, start + plan.refit_weeks - 1)
        part, true = rows[inside], truth[inside]
        shared: dict[str, Any] = {"week": start, "deals_count": len(part)}
        shared["wins"] = int(part["outcome"].sum())
        shared["wins_expected"] = 100 * float(true[AS_IT_WENT].mean())
        shared["buried_share"] = buried(true[IF_WORKED].to_numpy(), part["tier"].to_numpy())
        for question in questions:
            asked = asked_about(part, question).to_numpy()
            answer, chance = true.loc[asked, question], part.loc[asked, "chance"]
            measured = calibration(answer.to_numpy(), chance.to_numpy())
            found.append(shared | {"question": question} | measured)
    return pd.DataFrame(found)


def asked_about(rows: pd.DataFrame, question: str) -> pd.Series:
    """As it went, a promise is made to those who see it; where nobody does, to all."""
    everyone = question != AS_IT_WENT or not rows["shown"].any()
    return rows["shown"] | everyone


def buried(if_worked: np.ndarray, tier: np.ndarray) -> float:
    last = list(following.SHARES)[-1]
    best = if_worked >= np.quantile(if_worked, 1 - TOP_SHARE)
    return float((tier[best] == last).mean())


def by_tier(
    floor: Floor, rows: pd.DataFrame, plan: Plan, last_weeks: int = LAST_WEEKS
) -> pd.DataFrame:
    """Promises of the last weeks beside what is true: a row per tier.

    Columns: tier, count (deals that saw it), promised (mean chance), by_lot, if_worked, as_it_went
    (true), rate and interval (wins of those deals, of `promises_kept.by_tier`), reading.
    """
    inside = rows["week"] >= floor.settings.weeks_count - last_weeks
    inside &= asked_about(rows, AS_IT_WENT)
    part, truth = rows[inside].reset_index(drop=True), truths(floor, rows, plan)[inside]
    names = list(following.SHARES)
    table = promises_kept.by_tier(part, names, promises_kept.drawn(part))
    means = truth.groupby(part["tier"].to_numpy()).mean().reindex(names)
    found = table[["name", "count", "chance"]].set_axis(["tier", "count", "promised"], axis=1)
    for question in QUESTIONS:
        found[question.replace(" ", "_")] = means[question].to_numpy()
    return found.assign(**{name: table[name] for name in ("rate", "interval", "reading")})


def as_operators_see(
    rows: pd.DataFrame, arm: Arm, plan: Plan, last_weeks: int = LAST_WEEKS
) -> pd.DataFrame:
    """Level, intercept and slope of the last weeks, by outcomes: `reweighting.calibration`.

    Without exploration there is the plain way alone.
    """
    inside = rows["week"] > rows["week"].max() - last_weeks
    part = rows[inside & asked_about(rows, AS_IT_WENT)].reset_index(drop=True)
    if arm.exploration_share:
        return reweighting.calibration(part, plan.room_share)
    outcome, chance = part["outcome"].to_numpy(dtype=float), part["chance"].to_numpy()
    table = reliability.level_and_slope(outcome, chance, promises_kept.drawn(part))
    table.insert(0, "way", "plain")
    return table


def won_by_tiers(floor: Floor, rows: pd.DataFrame, plan: Plan) -> dict[str, Any]:
    """`uplift.measured` of all weeks with tiers, beside the true ratio and difference.

    true: mean true chance of the deals shown, as it went, against work by lot on all deals.
    """
    inside = (rows["week"] >= 0).to_numpy()
    part, truth = rows[inside], truths(floor, rows, plan)[inside]
    shown = truth.loc[part["shown"], AS_IT_WENT].mean()
    held_out = truth[BY_LOT].mean()
    found = uplift.measured(part)
    return found | {"true": {"ratio": shown / held_out, "difference": shown - held_out}}


def compared(
    settings: Settings, arms: list[Arm], plan: Plan, questions: tuple[str, ...] = QUESTIONS
) -> dict[str, pd.DataFrame]:
    """blocks (of `by_block`), tiers (of `by_tier`) of all arms on one floor; arm, seed in front."""
    floor = drawn(settings)
    found: dict[str, list[pd.DataFrame]] = {"blocks": [], "tiers": []}
    for arm in arms:
        rows = following.run(floor, arm, plan)
        named = {"arm": arm.name, "seed": settings.seed}
        found["blocks"].append(labelled(by_block(floor, rows, plan, questions), named))
        found["tiers"].append(labelled(by_tier(floor, rows, plan), named))
    return {name: pd.concat(tables, ignore_index=True) for name, tables in found.items()}


def labelled(table: pd.DataFrame, named: dict[str, Any]) -> pd.DataFrame:
    """With the same values in front of every row."""
    return pd.DataFrame(named, index=table.index).join(table)


def at_a_glance(seeds: tuple[int, ...] = (0, 1)) -> dict[str, pd.DataFrame]:
    """A small comparison for a report, in seconds: nobody follows, without exploration, with.

    blocks and tiers of `compared` for all floors together, and summary, see `summary`.
    """
    arms = [following.NOBODY, following.WITHOUT, following.WITH]
    floors = [Settings(seed=seed, weeks_count=48, deals_per_week=300) for seed in seeds]
    found = [compared(settings, arms, Plan(), (BY_LOT,)) for settings in floors]
    both = {
        name: pd.concat([one[name] for one in found], ignore_index=True)
        for name in ("blocks", "tiers")
    }
    return both | {"summary": summary(both["blocks"])}


def late(blocks: pd.DataFrame, last_weeks: int = SETTLED_WEEKS) -> pd.DataFrame:
    """Per arm, seed and question, the mean of every measure of the last weeks."""
    asked = blocks[blocks["week"] >= blocks["week"].max() + 1 - last_weeks]
    keys = ["arm", "seed", "question"]
    return asked.groupby(keys, sort=False).mean().drop(columns="week").reset_index()


def summary(blocks: pd.DataFrame) -> pd.DataFrame:
    """Per arm, in the order given, the mean over floors of the last weeks, by the question BY_LOT.

    Columns: arm, slope (right: 1), level (right: 0), ece, log_loss, buried_share, wins_expected.
    """
    measures = ["slope", "level", "ece", "log_loss", "buried_share", "wins_expected"]
    asked = late(blocks[blocks["question"] == BY_LOT])
    return asked.groupby("arm", sort=False)[measures].mean().reset_index()


def bands(blocks: pd.DataFrame, measure: str, question: str = BY_LOT) -> pd.DataFrame:
    """Per arm and week: mean over floors, and low, high, between which four of five floors lie."""
    asked = blocks[blocks["question"] == question]
    grouped = asked.groupby(["arm", "week"], sort=False)[measure]
    low, high = grouped.quantile(0.1), grouped.quantile(0.9)
    return pd.DataFrame({"mean": grouped.mean(), "low": low, "high": high}).reset_index()
