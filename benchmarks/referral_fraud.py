"""Rings of fraud among referrals: how many are found, and how many honest members are flagged.

    python benchmarks/referral_fraud.py            12 worlds with rings, 12 without: 3 minutes
    python benchmarks/referral_fraud.py --quick    one small world of each: seconds
    python benchmarks/referral_fraud.py --seeds 30 31 --members 20000

The worlds are simulated (`tierwise simulate-referrals`): five kinds of rings are planted, and three
kinds of honest groups that share an address. Signs and numbers were chosen on the worlds of seeds 0
to 3; those of this run were not looked at before. Claims of all worlds are counted together, with
90 % intervals (Wilson).

Results are written at the end: referral_fraud.json and referral_fraud.md.
"""

import argparse
import contextlib
import io
import json
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "src"))

import pandas as pd  # noqa: E402
import referral_fraud_report  # noqa: E402

from tierwise import tables  # noqa: E402
from tierwise.referral_fraud import found, measured, settings  # noqa: E402
from tierwise.referrals import referral_data  # noqa: E402
from tierwise.simulation import referral_world  # noqa: E402
from tierwise.simulation.referral_settings import ReferralSettings  # noqa: E402

SEEDS = tuple(range(100, 112))
DEVELOPED_ON = (0, 1, 2, 3)
RULES = {
    "window_days": 30,
    "touch": "last",
    "reopen_days": 7,
    "skew_minutes": 5,
    "same_by": ["device_id", "payment_id"],
    "existing_by": ["visitor_id", "device_id", "payment_id"],
}
Rows = list[pd.DataFrame]


def world(seed: int, members: int, fraud_share: float) -> tuple[dict[str, pd.DataFrame], Any]:
    """Tables as a snapshot has them, each row once, and who is in which ring."""
    asked = ReferralSettings(seed=seed, members_count=members, fraud_share=fraud_share)
    with contextlib.redirect_stderr(io.StringIO()):
        drawn, truth = referral_world.draw(asked)
    rows = {
        name: table.sort_values("known_at", kind="stable").drop_duplicates(tables.KEYS[name])
        for name, table in drawn.items()
    }
    return rows, truth["rings"]


def looked_at(seed: int, members: int, fraud_share: float) -> tuple[pd.DataFrame, float]:
    """Labelled claims of one world, and the seconds that it took to look at them."""
    rows, rings = world(seed, members, fraud_share)
    until = max(table["known_at"].max() for table in rows.values() if len(table))
    as_of = referral_data.morning({"data_until": until})
    credited = referral_data.credited(rows, RULES, as_of)
    start = time.process_time()
    told = found.look(rows, credited, as_of, RULES, settings.asked({}))
    seconds = time.process_time() - start
    labelled = measured.labelled(told, rings)
    labelled["ring_id"] = str(seed) + "/" + labelled["ring_id"].astype("str")
    return labelled.assign(seed=seed), seconds


def run(given: argparse.Namespace) -> dict[str, Any]:
    rings: Rows = []
    quiet: Rows = []
    seconds = []
    for seed in given.seeds:
        for share, into in ((given.fraud_share, rings), (0.0, quiet)):
            rows, took = looked_at(seed, given.members, share)
            into.append(rows)
            seconds.append(took)
        print(json.dumps(short(rings[-1]) | {"seed": seed}), flush=True)
    every, none = pd.concat(rings), pd.concat(quiet)
    return {
        "simulated": True,
        "developed_on_seeds": list(DEVELOPED_ON),
        "judged_on_seeds": list(given.seeds),
        "members_count": given.members,
        "look_seconds": sorted(seconds)[len(seconds) // 2],
        "all": measured.summary(every),
        "by_kind": measured.by_kind(every).to_dict("records"),
        "honest": measured.honest(every).to_dict("records"),
        "worlds": [
            short(rows) | {"seed": seed} for seed, rows in zip(given.seeds, rings, strict=True)
        ],
        "without_rings": measured.honest(none).to_dict("records"),
        "without_rings_flagged_share": measured.summary(none)["honest_flagged"],
    }


def short(rows: pd.DataFrame) -> dict[str, float]:
    told = measured.summary(rows)
    return {
        name: told[name] for name in ("recall", "caught", "found", "precision", "honest_flagged")
    }


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--seeds", type=int, nargs="+", default=list(SEEDS), help="worlds (100 to 111)")
    add("--members", type=int, default=9000, help="members of each, about (9,000)")
    add("--fraud-share", type=float, default=0.03, help="of the members, in rings (0.03)")
    add("--quick", action="store_true", help="one small world")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    return options


if __name__ == "__main__":
    asked_for = parser().parse_args()
    if asked_for.quick:
        asked_for.seeds, asked_for.members = [100], 3000
    referral_fraud_report.write_report(run(asked_for), asked_for.results)
