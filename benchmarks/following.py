"""Simulated weeks in which representatives follow the tiers: do the chances stay true?

    python benchmarks/following.py                        20 floors and all conditions: half an hour
    python benchmarks/following.py --quick                a look in minutes, too small to judge
    python benchmarks/following.py --seeds 10 --parts weeks --results elsewhere

A floor is a simulated stream of deals, 400 a week, each with two true chances: if somebody works
on it, and if nobody does (src/tierwise/simulation/floor.py). After 30 weeks without tiers come 60
with them; the model is fitted again every 4 weeks on the outcomes that are known by then. Arms
differ in who follows, who is explored and what is learned (simulation/following.py):

    weeks         nine arms on the same floors: are chances true, by which question, who is buried,
                  how many deals are won; and what an operator could see of it
    conditions    four arms, one thing changed at a time: where is the statement true, where not?
    uplift        150 floors: does the interval of the holdout hold the true uplift?

Chances are judged by true chances, so there is no luck of outcomes in it. Floors are what is drawn
again: intervals are Student's t over floors, and differences are those on one floor. Results are
written once, at the end: following.json, following.md, following.png and following.svg.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from following_report import write_report  # noqa: E402
from scipy.stats import t  # noqa: E402

from tierwise import reliability  # noqa: E402
from tierwise.evaluation import wilson  # noqa: E402
from tierwise.files import plain  # noqa: E402
from tierwise.simulation import floor, followed, following  # noqa: E402
from tierwise.simulation.floor import Settings  # noqa: E402
from tierwise.simulation.following import Arm, Plan  # noqa: E402

ARMS = [
    *(following.NOBODY, following.WITHOUT, following.WITH, following.MENDED),
    *(following.UNWEIGHTED, following.FROZEN),
    *(following.WORKED_ONLY, following.WORKED_WEIGHED),
]
DRAWN = [arm.name for arm in ARMS[:4]]
MEASURES = ["slope", "level", "ece", "log_loss", "buried_share", "wins_expected"]
DIGITS = 5
PARTS = ("weeks", "conditions", "uplift")
# label, settings of the floor, of the plan, exploration share
CONDITIONS: list[tuple[str, dict[str, Any], dict[str, Any], float]] = [
    ("as above", {}, {}, 0.10),
    ("work wins nothing", {"effect": 0.0}, {}, 0.10),
    ("work wins half as much", {"effect": 0.5}, {}, 0.10),
    ("every deal gains the same", {"alike": True}, {}, 0.10),
    ("nothing wanders", {"drift": 0.0}, {}, 0.10),
    ("a channel turns in week 20", {"turn": 1.5}, {}, 0.10),
    ("2 % explored", {}, {}, 0.02),
    ("5 % explored", {}, {}, 0.05),
    ("20 % explored", {}, {}, 0.20),
    ("100 deals a week", {"deals_per_week": 100}, {}, 0.10),
    ("1,600 deals a week", {"deals_per_week": 1600}, {}, 0.10),
    ("room for half", {}, {"room_share": 0.5}, 0.10),
    ("all outcomes ever", {}, {"window_weeks": 10_000}, 0.10),
    ("boosted trees", {}, {"model": "histogram_boosting"}, 0.10),
    ("weights count as rows", {}, {"counts_as": following.MANY}, 0.10),
]


def weeks(seeds: int, settings: Settings) -> dict[str, Any]:
    """All arms on all floors."""
    blocks, tiers, seen, won = [], [], [], []
    plan = Plan()
    for seed in range(seeds):
        started = time.monotonic()
        deals = floor.drawn(replace(settings, seed=seed))
        for arm in ARMS:
            rows = following.run(deals, arm, plan)
            named = {"arm": arm.name, "seed": seed}
            blocks.append(followed.labelled(followed.by_block(deals, rows, plan), named))
            tiers.append(followed.labelled(followed.by_tier(deals, rows, plan), named))
            seen.append(followed.labelled(followed.as_operators_see(rows, arm, plan), named))
            won.append(named | wins(deals, rows, arm, plan))
        told(f"floor {seed + 1} of {seeds}", started)
    every = pd.concat(blocks, ignore_index=True)
    return {
        "settled": records(differences(followed.late(every))),
        "tiers": by_tier(pd.concat(tiers, ignore_index=True)),
        "seen": operators(pd.concat(seen, ignore_index=True)),
        "won": overall(pd.DataFrame(won)),
        "blocks": shown(every),
    }


def wins(deals: floor.Floor, rows: pd.DataFrame, arm: Arm, plan: Plan) -> dict[str, Any]:
    """Deals won of 100, by true chances, over all weeks with tiers; and uplift by the holdout."""
    truth = followed.truths(deals, rows, plan)
    inside = rows["week"] >= 0
    found = {"won": 100 * truth.loc[inside, followed.AS_IT_WENT].mean()}
    if not arm.follows:
        return found
    measured = followed.won_by_tiers(deals, rows, plan)
    return found | {"true_ratio": measured["true"]["ratio"], "ratio": measured["ratio"]["value"]}


def by_tier(tiers: pd.DataFrame) -> list[dict[str, Any]]:
    """Means over floors; kept: in how many of them `promises_kept.by_tier` found the promise so."""
    columns = ["promised", "by_lot", "if_worked", "as_it_went", "kept"]
    tiers = tiers.assign(kept=tiers["reading"] == reliability.AS_PROMISED)
    return records(tiers.groupby(["arm", "tier"], sort=False)[columns].mean().reset_index())


def shown(blocks: pd.DataFrame) -> list[dict[str, Any]]:
    """What the figure needs: the four arms in it, floor by floor and week by week."""
    inside = blocks["arm"].isin(DRAWN) & (blocks["question"] == followed.BY_LOT)
    columns = ["arm", "seed", "week", "question", "slope", "ece", "buried_share"]
    return records(blocks.loc[inside, columns])


def operators(seen: pd.DataFrame) -> list[dict[str, Any]]:
    """Per arm, way and figure: mean value, and in how many floors it read as promised."""
    kept = seen.assign(kept=seen["reading"] == reliability.AS_PROMISED)
    grouped = kept.groupby(["arm", "way", "name"], sort=False)[["value", "kept"]].mean()
    return records(grouped.reset_index())


def overall(won: pd.DataFrame) -> list[dict[str, Any]]:
    base = won[won["arm"] == following.WITHOUT.name].set_index("seed")["won"]
    found = []
    for arm, rows in won.groupby("arm", sort=False):
        gained = rows["won"].to_numpy() - base.loc[rows["seed"]].to_numpy()
        true = rows["true_ratio"] if "true_ratio" in rows else pd.Series(dtype=float)
        found.append(
            {"arm": arm, "won": spread(rows["won"].to_numpy()), "more": spread(gained)}
            | {"true_ratio": float(true.mean())}
        )
    return found


def differences(settled: pd.DataFrame) -> pd.DataFrame:
    """Per question and arm: every measure, and its difference to no exploration floor by floor.

    settled: of `followed.late`. Columns: question, arm, and per measure [mean, low, high] as
    `measure` and `measure_more`.
    """
    found = []
    for (question, arm), rows in settled.groupby(["question", "arm"], sort=False):
        same = settled["question"].eq(question) & settled["arm"].eq(following.WITHOUT.name)
        base = settled[same].set_index("seed")
        row: dict[str, Any] = {"question": question, "arm": arm}
        for measure in MEASURES:
            value = rows[measure].to_numpy()
            row[measure] = spread(value)
            row[f"{measure}_more"] = spread(value - base.loc[rows["seed"], measure].to_numpy())
        found.append(row)
    return pd.DataFrame(found)


def spread(values: np.ndarray) -> list[float]:
    """[mean, low, high]: the 95 % interval of the mean over floors, by Student's t."""
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return [mean, -np.inf, np.inf]
    half = t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count)
    return [mean, float(mean - half), float(mean + half)]


def conditions(seeds: int, settings: Settings) -> list[dict[str, Any]]:
    """Four arms, with one thing changed at a time; by the question `by lot`, settled."""
    found = []
    for label, changed, planned, share in CONDITIONS:
        started = time.monotonic()
        plan, blocks = replace(Plan(), **planned), []
        arms = [with_share(arm, share) for arm in ARMS[:4]]
        for seed in range(seeds):
            deals = floor.drawn(replace(settings, **{"seed": seed, **changed}))
            for arm in arms:
                rows = following.run(deals, arm, plan)
                table = followed.by_block(deals, rows, plan, (followed.BY_LOT,))
                blocks.append(followed.labelled(table, {"arm": arm.name, "seed": seed}))
        settled = differences(followed.late(pd.concat(blocks, ignore_index=True)))
        found += [{"condition": label} | row for row in records(settled)]
        told(label, started)
    return found


def with_share(arm: Arm, share: float) -> Arm:
    return replace(arm, exploration_share=share) if arm.exploration_share else arm


def uplifts(seeds: int, settings: Settings) -> dict[str, Any]:
    """How often intervals of `uplift.measured` hold the truth, with the model of week 0."""
    started, plan, rows = time.monotonic(), Plan(), []
    for seed in range(1000, 1000 + seeds):
        deals = floor.drawn(replace(settings, seed=seed))
        found = followed.won_by_tiers(deals, following.run(deals, following.FROZEN, plan), plan)
        row: dict[str, Any] = {"held_out": found["held_out"]["count"], "verdict": found["verdict"]}
        for name in ("ratio", "difference"):
            true, (low, high) = found["true"][name], found[name]["interval"]
            row |= {f"{name}_true": true, f"{name}_seen": found[name]["value"]}
            row |= {f"{name}_held": low <= true <= high, f"{name}_width": high - low}
            low, high = found[name]["interval_any_time"]
            row[f"{name}_held_any_time"] = low <= true <= high
        rows.append(row)
    told("uplift", started)
    return summed(pd.DataFrame(rows))


def summed(rows: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {"floors": len(rows), "held_out_mean": rows["held_out"].mean()}
    found["verdicts"] = rows["verdict"].value_counts().to_dict()
    for name in ("ratio", "difference"):
        found[name] = {
            "true": spread(rows[f"{name}_true"].to_numpy()),
            "error": spread((rows[f"{name}_seen"] - rows[f"{name}_true"]).to_numpy()),
            "width": rows[f"{name}_width"].mean(),
        }
        for kind in ("held", "held_any_time"):
            held = rows[f"{name}_{kind}"]
            found[name][kind] = [held.mean(), *wilson(int(held.sum()), len(held))]
    return found


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict("records")


def told(what: str, started: float) -> None:
    print(f"{what}: {time.monotonic() - started:.0f} s", flush=True)


def run(given: argparse.Namespace) -> dict[str, Any]:
    """The parts asked for; the others as an earlier run on the same floors left them."""
    settings = Settings(weeks_count=40, deals_per_week=200) if given.quick else Settings()
    counts = (2, 1, 10) if given.quick else (given.seeds, given.condition_seeds, given.uplift_seeds)
    found: dict[str, Any] = {"simulated": True, "floor": vars(settings), "plan": vars(Plan())}
    found = plain(found | {"arms": [vars(arm) for arm in ARMS]}, DIGITS)
    parts: dict[str, Any] = {}
    for name, count, part in zip(PARTS, counts, (weeks, conditions, uplifts), strict=True):
        if name in given.parts:
            parts[name] = {"seeds": count, "found": part(count, settings)}
    return found | earlier(given.results / "following.json", found) | plain(parts, DIGITS)


def earlier(path: Path, about: dict[str, Any]) -> dict[str, Any]:
    """The parts of an earlier run, if its floors, plan and arms were these."""
    there = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    same = all(there.get(name) == value for name, value in about.items())
    return {name: there[name] for name in PARTS if same and name in there}


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--seeds", type=int, default=20, help="floors for the weeks (20)")
    add("--condition-seeds", type=int, default=5, help="floors for each condition (5)")
    add("--uplift-seeds", type=int, default=150, help="floors for the uplift (150)")
    add(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=list(PARTS),
        help="all; others stay as they are",
    )
    add("--quick", action="store_true", help="few, small floors: does it run?")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    return options


def main() -> None:
    given = parser().parse_args()
    write_report(run(given), given.results)


if __name__ == "__main__":
    main()
