"""Choosing a text per interest: what it brings, and how well other choices are judged from a log.

    python benchmarks/invitations.py                      two to three minutes, one thread
    python benchmarks/invitations.py --repeats 20 --results elsewhere

Simulated worlds of 6 templates, 5 interests and 4,000 sendings to one recipient each: for each
interest one template brings much more than the others, which one is drawn by lot. They are made so
that all templates alike bring 6.9 %, and the best possible choice 13.5 %.

    values       true values of policies learned from all sendings, or from half of them
    estimates    the policy learned from one half, its value estimated from the other half: error
                 relative to the true value, by estimator; all templates logged alike, or skewed
    safe         how often a new policy would be used: where all templates are alike, and where
                 they are as above; judged on sendings that chose it, and on others

With TIERWISE_REAL_DATA naming a folder with hillstrom/hillstrom.csv also 64,000 real customers who
got one of two mails or none by lot: logs with skewed propensities are drawn from them, and what
they say of policies is compared with what the lot itself says.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "src"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from hillstrom_log import ARMS, RULES, customers, drawn_log, rule_table, true_value  # noqa: E402
from invitations_report import write_report  # noqa: E402

from tierwise.invitations import off_policy as op  # noqa: E402
from tierwise.invitations import policy as po  # noqa: E402
from tierwise.invitations.logged import Log  # noqa: E402

TEMPLATES, INTERESTS, SENDINGS = 6, 5, 4000
LOW, EXTRA, BY_TEMPLATE, BY_CELL = 0.0545, 0.0785, 0.16, 0.15
COVERED = (op.IPS, op.SNIPS, op.ROBUST)
LEARNING_HALF = "direct method, on the sendings that chose the policy"


def world(rng: np.random.Generator) -> np.ndarray:
    """Chance that a recipient signs up, shape (interests, templates)."""
    noise = rng.normal(0, BY_TEMPLATE, TEMPLATES) + rng.normal(0, BY_CELL, (INTERESTS, TEMPLATES))
    chance = LOW * np.exp(noise)
    chance[np.arange(INTERESTS), rng.integers(TEMPLATES, size=INTERESTS)] += EXTRA
    return chance


def skewed(rng: np.random.Generator) -> np.ndarray:
    """Propensities that differ by interest, none below a twentieth."""
    drawn = rng.dirichlet(np.full(TEMPLATES, 2.0), INTERESTS)
    return 0.7 * drawn + 0.3 / TEMPLATES


def drawn(
    rng: np.random.Generator, chance: np.ndarray, count: int, lot: np.ndarray | None = None
) -> Log:
    """So many sendings to one recipient each, of as many senders; lot: propensities, else alike."""
    if lot is None:
        lot = np.full(chance.shape, 1 / chance.shape[1])
    interest = rng.integers(len(chance), size=count)
    upto = lot[interest].cumsum(1)
    place = (rng.random(count)[:, None] * upto[:, -1:] >= upto).sum(1)
    wins = (rng.random(count) < chance[interest, place]).astype("float64")
    return Log(
        tuple(f"interest {at}" for at in range(chance.shape[0])),
        tuple(f"template {at}" for at in range(chance.shape[1])),
        interest,
        place,
        lot[interest, place],
        np.ones(count),
        wins,
        np.arange(count),
    )


def value(chance: np.ndarray, policy: pd.DataFrame) -> float:
    """True value where all interests are as frequent."""
    return float((policy.to_numpy() * chance).sum(1).mean())


def values(repeats: int) -> dict[str, float]:
    """Mean true values."""
    rows = []
    for turn in range(repeats):
        rng = np.random.default_rng([turn, 1])
        chance = world(rng)
        log = drawn(rng, chance, SENDINGS)
        half = drawn(rng, chance, SENDINGS // 2)
        rows.append(
            {
                "all alike": chance.mean(),
                "best single template": value(chance, po.single(log, po.best_single(log))),
                "per interest": value(chance, po.best_by_interest(log)),
                "per interest, from half": value(chance, po.best_by_interest(half)),
                "per interest with a floor, from half": value(chance, po.by_interest(half)),
                "best possible": chance.max(1).mean(),
            }
        )
    return pd.DataFrame(rows).mean().to_dict()


def estimated(repeats: int, is_skewed: bool) -> dict[str, dict[str, float]]:
    """Relative rmse and bias by estimator, with standard errors; coverage of 90 % intervals."""
    rows, inside = [], []
    for turn in range(repeats):
        rng = np.random.default_rng([turn, 2 + is_skewed])
        chance = world(rng)
        lot = skewed(rng) if is_skewed else None
        half, other = (drawn(rng, chance, SENDINGS // 2, lot) for _ in range(2))
        new = po.best_by_interest(half)
        true = float((new.to_numpy() * chance)[other.interest].sum(1).mean())
        found = op.estimates(other, new)
        points = found.table.set_index("estimator")["value"].to_dict()
        points[LEARNING_HALF] = op.points(half, new)[op.DIRECT]
        rows.append({name: point / true - 1 for name, point in points.items()})
        mean = value(chance, new)  # intervals are for the value among all such sendings
        inside.append(
            {name: found.of(name)["low"] <= mean <= found.of(name)["high"] for name in COVERED}
        )
    return summary(pd.DataFrame(rows), pd.DataFrame(inside))


def summary(errors: pd.DataFrame, inside: pd.DataFrame) -> dict[str, dict[str, float]]:
    found = {}
    for name in errors:
        of = errors[name]
        found[name] = {
            "rmse": float(np.sqrt((of**2).mean())),
            "bias": float(of.mean()),
            "bias_error": float(of.std(ddof=1) / np.sqrt(len(of))),
        }
        if name in inside:
            found[name]["coverage"] = float(inside[name].mean())
    return found


def used(repeats: int) -> dict[str, dict[str, float]]:
    """Share of new policies that would be used, by world and by what they are judged on."""
    found = {}
    for name, is_alike in (("all templates alike", True), ("one much better", False)):
        counts = {"sendings that chose it": 0, "other sendings": 0}
        for turn in range(repeats):
            rng = np.random.default_rng([turn, 5 + is_alike])
            chance = np.full((INTERESTS, TEMPLATES), 0.069) if is_alike else world(rng)
            half, other = (drawn(rng, chance, SENDINGS // 2) for _ in range(2))
            new, now = po.best_by_interest(half), po.uniform(half)
            counts["sendings that chose it"] += po.safe(half, new, now).use
            counts["other sendings"] += po.safe(other, new, now).use
        found[name] = {kind: count / repeats for kind, count in counts.items()}
    return found


def real(path: Path, repeats: int) -> dict[str, Any]:
    """Policies on Hillstrom's customers: relative errors and coverage of logs drawn from them."""
    table = customers(path)
    found: dict[str, Any] = {}
    for name in RULES:
        true, rows, inside = true_value(table, name), [], []
        for turn in range(repeats):
            log = drawn_log(table, np.random.default_rng([turn, 7]))
            one = op.estimates(log, rule_table(name))
            points = one.table.set_index("estimator")["value"]
            rows.append((points / true - 1).to_dict())
            ends = {kind: one.of(kind) for kind in COVERED}
            inside.append({kind: row["low"] <= true <= row["high"] for kind, row in ends.items()})
        found[name] = {"true": true, **summary(pd.DataFrame(rows), pd.DataFrame(inside))}
    return {"customers": len(table), "arms": list(ARMS), "policies": found}


def run(given: argparse.Namespace) -> None:
    found: dict[str, Any] = {
        "simulated": True,
        "repeats": given.repeats,
        "sendings": SENDINGS,
        "templates": TEMPLATES,
        "interests": INTERESTS,
        "values": values(given.repeats),
        "estimates": {
            "all templates alike": estimated(given.repeats, False),
            "skewed": estimated(given.repeats, True),
        },
        "safe": used(given.repeats),
    }
    path = Path(os.environ.get("TIERWISE_REAL_DATA", "")) / "hillstrom" / "hillstrom.csv"
    found["hillstrom"] = real(path, given.repeats) if path.is_file() else None
    write_report(found, given.results)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--repeats", type=int, default=200, help="worlds, and logs of real customers (200)")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    return options


if __name__ == "__main__":
    run(parser().parse_args())
