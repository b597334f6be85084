"""Whom an e-mail changes: ways to rank people by uplift, on a randomised public test.

    python benchmarks/uplift.py               some minutes
    python benchmarks/uplift.py --quick       every tenth person, one repeat: a minute
    python benchmarks/uplift.py --repeats 10

Hillstrom's e-mail test of 2008 (real data): 64,000 customers, a third each got by lot an e-mail
about men's goods, one about women's goods, or none; visits, orders and dollars of two weeks. Read
from hillstrom/hillstrom.csv in the folder that TIERWISE_REAL_DATA names. It has no dates, so rows
are split by lot: each half is scored by what the other half taught, both ways, a few times over.

Of each way: Qini in outcomes per head with its interval, its lead over the one-line rule and over
targeting by response, with intervals paired on the same splits, uplift among the 30 % scored
highest, and how far single splits stray. `chosen` picks among all others inside the learning half
and is judged on the other one, as it would be in use.

The one-line rule: whoever bought women's goods before gets the e-mail about these first, and
whoever bought men's goods the one about those.

Results are written at the end, each file as a whole: uplift.json, .md, .png and .svg.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "src"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import uplift_report  # noqa: E402

from tierwise.targeting import choice, effects, effects_by, judged, learners, qini  # noqa: E402

NONE, WOMENS, MENS = "No E-Mail", "Womens E-Mail", "Mens E-Mail"
RULES = {WOMENS: "womens", MENS: "mens"}
COLUMNS = ["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]
QUESTIONS = ((WOMENS, "visit"), (WOMENS, "conversion"), (WOMENS, "spend"), (MENS, "visit"))
OUTCOMES = ("visit", "conversion", "spend")
TOLD = ("response_model", "rule")
DRAWN = ("chosen", "blend", "rule", "response_model")


def read(step: int = 1) -> pd.DataFrame:
    """Every `step`-th row."""
    folder = os.environ.get("TIERWISE_REAL_DATA", "")
    path = Path(folder) / "hillstrom" / "hillstrom.csv"
    if not folder or not path.is_file():
        raise SystemExit(
            "TIERWISE_REAL_DATA must name a folder that holds hillstrom/hillstrom.csv."
        )
    return pd.read_csv(path).iloc[::step].reset_index(drop=True)


def of_arm(table: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Those who got this e-mail and those who got none."""
    return table[table["segment"].isin([arm, NONE])].reset_index(drop=True)


def segments(table: pd.DataFrame) -> pd.DataFrame:
    """Labels known before the e-mail, one column per way to cut."""
    both = table["mens"].astype("str") + table["womens"].astype("str")
    bought = both.map({"10": "men's goods", "01": "women's goods", "11": "both"})
    recency = pd.cut(table["recency"], [0, 3, 8, 12], labels=["1 to 3", "4 to 8", "9 to 12"])
    return pd.DataFrame(
        {
            "bought before": bought,
            "months since": recency.astype("str"),
            "spent": table["history_segment"].str[3:],
            "home": table["zip_code"].replace("Surburban", "Suburban"),
            "new": table["newbie"].map({0: "no", 1: "yes"}),
            "channel": table["channel"],
        }
    )


def means(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    found = table.groupby("segment")[list(OUTCOMES)].mean()
    return {arm: found.loc[arm].to_dict() for arm in (MENS, WOMENS, NONE)}


def all_effects(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Effect of either e-mail on each outcome: difference, and adjusted for what was known."""
    found = []
    for arm in (WOMENS, MENS):
        part = of_arm(table, arm)
        treated = (part["segment"] == arm).to_numpy()
        known = pd.get_dummies(part[COLUMNS], dtype=float).to_numpy()
        for name in OUTCOMES:
            outcome = part[name].to_numpy(dtype=float)
            plain = effects.difference(outcome, treated)
            narrow = effects.adjusted(outcome, treated, known)
            row = {"arm": arm, "outcome": name, "effect": plain.value}
            row |= {"low": plain.low, "high": plain.high, "adjusted": narrow.value}
            found.append(row | {"adjusted_low": narrow.low, "adjusted_high": narrow.high})
    return found


def all_segments(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Effects on visits by segment of both e-mails, one family of intervals."""
    tables = {arm: of_arm(table, arm) for arm in RULES}
    labels = {arm: segments(part) for arm, part in tables.items()}
    looked_at = sum(label[cut].nunique() for label in labels.values() for cut in label)
    rows = []
    for arm, part in tables.items():
        treated = (part["segment"] == arm).to_numpy()
        outcome = part["visit"].to_numpy(dtype=float)
        for cut in labels[arm]:
            label = labels[arm][cut].to_numpy()
            found = effects_by.by_segment(outcome, treated, label, looked_at_count=looked_at)
            more = {"arm": arm, "cut": cut, "alike_p": found.alike_p}
            rows += [more | row for row in found.table.to_dict("records")]
    return rows


def question(table: pd.DataFrame, arm: str, outcome: str, repeats: int) -> dict[str, Any]:
    part = of_arm(table, arm)
    treated = (part["segment"] == arm).to_numpy()
    values = part[outcome].to_numpy(dtype=float)
    given = learners.past(part[COLUMNS], treated, values, 0.5, rule=RULES[arm])
    ways = learners.CANDIDATES | {"chosen": choice.as_learner()}
    start = time.process_time()
    splits = choice.splits(given, ways, repeats)
    found: dict[str, Any] = {"arm": arm, "outcome": outcome, "people": len(part)}
    found |= {"outcomes": int((values > 0).sum()), "splits": len(splits)}
    tables = {
        other: judged.over_splits(splits, treated, values, other).set_index("ranker")
        for other in TOLD
    }
    each = each_split(splits, treated, values)
    ranks = each.rank(axis=1, ascending=False, method="min")
    rows = []
    for name in ways:
        row = {"ranker": name} | tables["rule"].loc[name].drop(["splits_count"]).to_dict()
        response = tables["response_model"].loc[name]
        row |= {f"{key}_of_response": response[key] for key in ("ahead", "ahead_low", "ahead_high")}
        wide = judged.one_split_interval((each[name] - each["rule"]).to_numpy())
        row |= {"ahead_wide_low": wide[0], "ahead_wide_high": wide[1]}
        row |= {"best_rank": int(ranks[name].min()), "worst_rank": int(ranks[name].max())}
        rows.append(row | {"ahead_splits": int((each[name] > each["rule"]).sum())})
    curves = {
        name: judged.band_over_splits(splits, name, treated, values).to_dict("list")
        for name in DRAWN
    }
    print(f"{arm}, {outcome}: {time.process_time() - start:.0f} s", flush=True)
    return found | {"rankers": rows, "curves": curves}


def each_split(
    splits: list[judged.Split], treated: np.ndarray, outcome: np.ndarray
) -> pd.DataFrame:
    """Qini by split (row) and way (column)."""
    return pd.DataFrame(
        [
            {
                name: qini.qini(score, treated[s.rows], outcome[s.rows])
                for name, score in s.scores.items()
            }
            for s in splits
        ]
    )


def run(given: argparse.Namespace) -> None:
    table = read(10 if given.quick else 1)
    repeats = 1 if given.quick else given.repeats
    found = {
        "data": "Hillstrom's e-mail test of 2008",
        "people": len(table),
        "repeats": repeats,
        "level": effects.LEVEL,
        "top_share": judged.TOP_SHARE,
        "means": means(table),
        "effects": all_effects(table),
        "segments": all_segments(table),
        "questions": [question(table, *asked, repeats) for asked in QUESTIONS],
    }
    uplift_report.write_report(found, given.results)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--quick", action="store_true", help="every tenth person, one repeat")
    add("--repeats", type=int, default=3, help="splits into halves, each judged both ways (3)")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    return options


if __name__ == "__main__":
    run(parser().parse_args())
