"""The story of a random forest on 7,000 closed deals, told again on a world whose truth is known.

    python benchmarks/story.py                                    five worlds: 10 to 25 minutes
    python benchmarks/story.py --seeds 0 1 --results elsewhere
    python benchmarks/story.py --seeds 0 --deals 3000             a quick look, too small to judge

The story: a company fitted a random forest to about 7,000 closed deals of which about 25 % were
won. Accuracy 76 %, F1 68 %; tiers A (top 20 %), B (20 to 50 %) and C (rest) then converted at 42,
21 and 7 %. Its data are not public. So this asks what the same steps give in the simulated job
marketplace of `tierwise simulate`, once per seed:

    row        one per deal, at its second weekly look (7 to 14 days after it became known), if it
               stands open then; columns are those of the application `leads` in params.yaml
    outcome    won within 90 days of that look; all 90 days have to be over
    later      the latest quarter of the looks; a model learns from outcomes known before it
    forest     candidates.random_forest, its chances as they are
    ours       the blend, settings and weights and calibration from earlier periods
    truth      the chances that the simulator drew from: the best that any model could do

Four rules say whom to call: a chance of one half; the threshold with the best F1 on earlier rows
that the model had not seen; the plug-in threshold of each week's open list, which needs no
outcome; and the break-even chance, cost / value. Tiers go by rank within each week's list. Every
figure is simulated. Results are written once, at the end: story.json, story.md, story.png and
story.svg.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from learners.ours import corrected  # noqa: E402
from sklearn.metrics import f1_score  # noqa: E402
from story_report import FOREST, OURS, SHARES, TRUTH, write_report  # noqa: E402
from story_world import APPLICATION, ROOT, Table, simulated  # noqa: E402

from tierwise import (  # noqa: E402
    calibration,
    candidates,
    contacts,
    evaluation,
    models,
    notebook,
    rolling,
    row_weights,
    thresholds,
    tiers,
)
from tierwise import examples as ex  # noqa: E402
from tierwise.files import InputError, plain  # noqa: E402

PERIOD_COUNT, HISTORY_SHARE = 8, 0.40
DEALS_COUNT = 31_500  # about 7,000 outcomes are known then before the later rows begin
DIGITS = 5


def believed(table: Table) -> dict[str, tuple[np.ndarray, float | None]]:
    """Model -> chances of the later rows, and the threshold that earlier rows chose for F1."""
    features, outcome = table.features[table.early], table.outcome(table.early)
    examples = table.examples[table.early].reset_index(drop=True)
    periods = ex.by_period(examples, PERIOD_COUNT, HISTORY_SHARE)
    late_last = row_weights.as_known(examples["outcome_known_at"])
    rolled = rolling.origin(features, outcome, periods, ["random_forest", candidates.BLEND])
    found = {}
    for name, model_name in ((FOREST, "random_forest"), (OURS, candidates.BLEND)):
        known = features.iloc[late_last], outcome[late_last]
        model = rolling.fit(model_name, *known, rolled.settings, rolled.of_today())
        order = row_weights.as_known(examples["outcome_known_at"].iloc[rolled.table["row"]])
        unseen = rolled.table.iloc[order]
        score = models.chance(model, table.features[table.later])
        earlier = unseen[model_name].to_numpy()
        if name == OURS:
            calibrator = corrected(unseen, model_name, int(table.later.sum()))
            score, earlier = (calibration.apply(calibrator, z) for z in (score, earlier))
        found[name] = score, best_threshold(unseen["outcome"].to_numpy(), earlier)
    return found | {TRUTH: (table.chance[table.later], None)}


def best_threshold(outcome: np.ndarray, chance: np.ndarray) -> float:
    """The chance from which on calling has the highest F1 on these rows."""
    curve = thresholds.profit_curve(outcome, chance, value_per_win_eur=1.0, cost_per_contact_eur=0)
    reached = curve["wins_count"] / (curve["contacts_count"] + outcome.sum())
    return float(curve["threshold"][reached.idxmax()])


def by_list(chance: np.ndarray, lists: np.ndarray) -> np.ndarray:
    """Mask of the rows at or above the plug-in threshold of their own list. Shape (n,)."""
    least = pd.Series(chance).groupby(lists).transform(contacts.plug_in)
    return chance >= least.to_numpy()


def called(
    outcome: np.ndarray, inside: np.ndarray, value: thresholds.Money, cost: thresholds.Money
) -> dict[str, float]:
    """What one list is worth. f1_weighted: mean of both classes' F1, by their sizes."""
    found = contacts.account(outcome, inside.astype(float), inside, value, cost)
    return {
        "called_share": found["contacted_share"],
        "accuracy": float((inside == (outcome == 1)).mean()),
        "f1": found["f1"],
        "f1_weighted": float(f1_score(outcome, inside, average="weighted", zero_division=0)),
        "precision": found["precision"],
        "recall": found["recall"],
        "profit_eur_per_deal": found["profit_eur"] / max(len(outcome), 1),
    }


def tier_rates(outcome: np.ndarray, chance: np.ndarray, lists: np.ndarray) -> dict[str, float]:
    """Share of wins per tier; tiers by rank within each list. NaN where a tier is empty."""
    tier = tiers.assign_by_rank(chance, lists, SHARES)
    table = tiers.conversion(outcome, tier, list(SHARES))
    return dict(zip(table["name"], table["rate"].astype(float), strict=True))


def measured(
    outcome: np.ndarray,
    chance: np.ndarray,
    lists: np.ndarray,
    threshold: float | None,
    value: thresholds.Money,
    cost: thresholds.Money,
) -> dict[str, Any]:
    """All figures of one model on the later rows, shapes (n,); threshold: from earlier rows."""
    masks = {"half": chance >= 0.5, "open_list": by_list(chance, lists)}
    if threshold is not None:
        masks["earlier"] = chance >= threshold
    masks["break_even"] = chance >= thresholds.break_even(value, cost)
    found = evaluation.measures(outcome, chance, SHARES["A"])
    return {
        "auc": found["auc"],
        "log_loss": found["log_loss"],
        "ece": found["calibration_error"],
        "threshold": threshold,
        "tiers": tier_rates(outcome, chance, lists),
        "rules": {rule: called(outcome, mask, value, cost) for rule, mask in masks.items()},
    }


def judged(table: Table) -> list[dict[str, Any]]:
    """One row per model. Lists are those of the calendar weeks."""
    asked = notebook.read_section(ROOT, APPLICATION, "select_threshold")
    outcome, lists = table.outcome(table.later), ex.week_or_block(table.examples["as_of"])
    early, later = table.features[table.early], table.features[table.later]
    usual = [thresholds.typical(thresholds.money(asked[n], early, n)) for n in thresholds.MONEY]
    named = asked | {"typical_eur": usual}
    money = thresholds.later_money(named, later)
    found = []
    for name, (chance, threshold) in believed(table).items():
        figures = measured(outcome, chance, lists[table.later], threshold, *money)
        found.append({"seed": table.about["seed"], "model": name, **figures})
        print(told(found[-1]), flush=True)
    return found


def told(row: dict[str, Any]) -> str:
    rates = " / ".join(f"{100 * rate:.0f}" for rate in row["tiers"].values())
    f1 = {rule: f"{figures['f1']:.3f}" for rule, figures in row["rules"].items()}
    return (
        f"seed {row['seed']}  {row['model']:14} AUC {row['auc']:.3f}  "
        f"accuracy at 0.5 {row['rules']['half']['accuracy']:.3f}  F1 {f1}  A/B/C {rates} %"
    )


def run(seeds: list[int], deals_count: int, folder: Path | None) -> dict[str, Any]:
    """Worlds and their figures, one seed after the other, with progress."""
    worlds, rows = [], []
    for number, seed in enumerate(seeds, 1):
        started = time.monotonic()
        print(f"world {number} of {len(seeds)}: seed {seed}, {deals_count:,} deals", flush=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="story.") as place:
            table = simulated(seed, deals_count, Path(place))
        worlds.append(table.about)
        rows += judged(table)
        print(f"world {number}: {time.monotonic() - started:.0f} s", flush=True)
    return plain({"simulated": True, "worlds": worlds, "rows": rows}, DIGITS)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="worlds (0 1 2 3 4)")
    add("--deals", type=int, default=DEALS_COUNT, help=f"per world ({DEALS_COUNT}: see above)")
    add("--folder", type=Path, help="where worlds are made and removed: 5 MB per 1,000 deals")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    return options


def main() -> None:
    given = parser().parse_args()
    try:
        write_report(
            run(list(dict.fromkeys(given.seeds)), given.deals, given.folder), given.results
        )
    except InputError as error:
        sys.exit(f"story: {error}")


if __name__ == "__main__":
    main()
