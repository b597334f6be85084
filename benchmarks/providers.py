"""Providers of a large marketplace: what each measure costs beside the plain mean, and gives.

    python benchmarks/providers.py            a million bookings: 3 minutes
    python benchmarks/providers.py --quick    20,000 bookings: seconds
    python benchmarks/providers.py --bookings 200_000 --providers 10_000 --rounds 1

The bookings are simulated: generous customers prefer some providers, customers stop after a visit
with a chance that depends on the provider, and what is true of each provider is known. Steps:

    plain mean        mean score by provider, pandas groupby: what all others are compared with
    shrunk shares     share of visits followed by another one, beta prior, intervals
    return rates      returns to the same provider within 90 days, recent visits counted in part
    faded shares      share of visits with a score below 0, with a half-life of 90 days
    quality           satisfaction.quality: customers' levels taken out, intervals
    drop-out          drop_out.fit and rates: chance to stop by provider, intervals
    four ranks        cuts learned and ranks given from a score with its standard deviation

Each step runs in a process of its own, in turns, on one thread: processor seconds of the step alone
(reading and imports left out) and the largest memory of the process; medians over rounds. Results
are written at the end, each file as a whole: providers.json, .md, .png and .svg.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "src"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import providers_report  # noqa: E402

from tierwise.providers import drop_out, ranks, recent_shares, return_rates, satisfaction  # noqa: E402
from tierwise.providers import drop_out_rates as rates_of_drop_out  # noqa: E402
from tierwise.shrinkage import NormalPrior, shrunk_shares  # noqa: E402

UNTIL_DAYS, HORIZON_DAYS = 365.0, 90.0
ALL_JOBS = 0.0  # days: every simulated booking is a job of its own
BOOKINGS_PER_CUSTOMER = 3.8
QUICK = {"bookings": 20_000, "providers": 1_600, "rounds": 1}
PLAIN = "plain mean"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def simulated(
    booking_count: int, provider_count: int, seed: int = 7
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bookings of a year (about so many), and quality and drop_out of each provider.

    Scores are a customer's level, a provider's quality and noise. Half of the customers are
    generous and choose among other providers than the other half does.
    """
    random = np.random.default_rng(seed)
    customer_count = int(booking_count / BOOKINGS_PER_CUSTOMER)
    quality, stopping, appeal = random.normal(0, 0.5, (3, provider_count))
    size = random.lognormal(0, 1, provider_count)
    pulls = [np.cumsum(size * np.exp(side * 2 * appeal)) for side in (-1, 1)]
    level = random.normal(0, 1, customer_count)
    rate = random.gamma(1.5, 1 / 23.5, customer_count)

    def chosen(customer: np.ndarray) -> np.ndarray:
        found = [np.searchsorted(one, random.random(len(customer)) * one[-1]) for one in pulls]
        return np.where(level[customer] > 0, found[1], found[0])

    customer = np.arange(customer_count)
    provider, at_days = chosen(customer), random.uniform(0, UNTIL_DAYS, customer_count)
    parts, number = [], 1
    while len(customer):
        parts.append(np.column_stack([customer, provider, at_days]))
        stops = 1 / (1 + np.exp(1.15 + 0.35 * np.log(number) - stopping[provider]))
        at_days = at_days + random.exponential(1 / rate[customer])
        stay = (random.random(len(customer)) >= stops) & (at_days <= UNTIL_DAYS)
        customer, provider, at_days = customer[stay], provider[stay], at_days[stay]
        provider = np.where(random.random(len(customer)) < 0.5, chosen(customer), provider)
        number += 1
    rows = pd.DataFrame(np.concatenate(parts), columns=["customer", "provider", "at_days"])
    rows = rows.astype({"customer": "int64", "provider": "int64"})
    noise = random.normal(0, 1, len(rows))
    rows["score"] = level[rows["customer"]] + quality[rows["provider"]] + noise
    return rows, pd.DataFrame({"quality": quality, "drop_out": stopping})


def plain_mean(bookings: pd.DataFrame) -> pd.Series:
    return bookings.groupby("provider")["score"].mean()


def returned(bookings: pd.DataFrame) -> pd.DataFrame:
    """outcome: the customer came again, to anyone, by the end."""
    ordered = bookings.sort_values(["customer", "at_days"])
    again = ordered["customer"].eq(ordered["customer"].shift(-1))
    return ordered.assign(outcome=again.astype("int64"))


def shrunk(bookings: pd.DataFrame) -> pd.Series:
    counts = returned(bookings).groupby("provider")["outcome"].agg(["sum", "size"])
    found = shrunk_shares(counts["sum"].to_numpy(), counts["size"].to_numpy())
    return found["share"].set_axis(counts.index)


def return_rate(bookings: pd.DataFrame) -> pd.Series:
    counts = return_rates.counted(bookings, UNTIL_DAYS, HORIZON_DAYS, ALL_JOBS)
    return return_rates.rates(counts)["rate"]


def faded(bookings: pd.DataFrame) -> pd.Series:
    events = bookings.assign(outcome=(bookings["score"] < 0).astype("int64"))
    return recent_shares.foretold(events, UNTIL_DAYS + 1, 90.0)["share"]


def quality(bookings: pd.DataFrame) -> pd.Series:
    return satisfaction.quality(bookings).providers["quality"]


def stopping(bookings: pd.DataFrame) -> pd.Series:
    fitted = drop_out.fit(bookings, UNTIL_DAYS, ALL_JOBS)
    return rates_of_drop_out.rates(fitted)["rate"]


def four_ranks(bookings: pd.DataFrame) -> pd.Series:
    """Ranks from the plain mean and its standard error, drawn to 0: what ranks alone cost."""
    by_provider = bookings.groupby("provider")["score"]
    count = by_provider.size()
    evidence = pd.DataFrame({"value": by_provider.mean(), "precision": count / 2.0})
    found = ranks.estimated(evidence.assign(effective_visits=count), NormalPrior(0.0, 0.5))
    rules = ranks.Rules(ranks.learned_cuts(found))
    return ranks.assigned(found, rules)["rank"].astype("float64")


# Step, what of the truth it shall tell ("": neither), and with which sign.
STEPS: dict[str, tuple[Callable[[pd.DataFrame], pd.Series], str, float]] = {
    PLAIN: (plain_mean, "quality", 1.0),
    "shrunk shares": (shrunk, "drop_out", -1.0),
    "return rates": (return_rate, "", 1.0),
    "faded shares": (faded, "quality", -1.0),
    "quality": (quality, "quality", 1.0),
    "drop-out": (stopping, "drop_out", 1.0),
    "four ranks": (four_ranks, "quality", 1.0),
}


def one(step: str, folder: Path) -> dict[str, float]:
    """Run in a process of its own: the step's seconds, the process's memory, what it tells."""
    bookings = pd.read_parquet(folder / "bookings.parquet")
    way, name, sign = STEPS[step]
    start = time.process_time()
    found = way(bookings)
    cpu_s = time.process_time() - start
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6 * 1024
    row = {"cpu_s": cpu_s, "peak_memory_mb": peak_mb}
    if not name:
        return row
    truth = pd.read_parquet(folder / "truth.parquet")[name]
    enough = bookings.groupby("provider").size() >= satisfaction.LEAST_VISITS
    found = found[enough[found.index]]
    told = found.corr(truth[found.index], method="spearman") * sign
    return row | {"rank_correlation": float(told)}


def measured(step: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__)), "--step", step, "--folder", str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | ONE_THREAD, check=False
    )
    if done.returncode:
        raise SystemExit(f"{step} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def summary(rounds: list[dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
    """Medians of each step, and how many times those of the plain mean they are."""
    rows = []
    for step, (_, told_of, _) in STEPS.items():
        row: dict[str, Any] = {"step": step, "told_of": told_of}
        for name in ("cpu_s", "peak_memory_mb"):
            middle = statistics.median(each[step][name] for each in rounds)
            plain = statistics.median(each[PLAIN][name] for each in rounds)
            row |= {name: middle, f"{name}_ratio_to_plain_mean": middle / plain}
        rows.append(row | {"rank_correlation": rounds[0][step].get("rank_correlation")})
    return rows


def run(given: argparse.Namespace) -> None:
    bookings, truth = simulated(given.bookings, given.providers)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bookings.to_parquet(folder / "bookings.parquet")
        truth.to_parquet(folder / "truth.parquet")
        rounds = []
        for _ in range(given.rounds):
            rounds.append({step: measured(step, folder) for step in STEPS})
            print(json.dumps(rounds[-1]), flush=True)
    found = {
        "simulated": True,
        "bookings": len(bookings),
        "customers": int(bookings["customer"].nunique()),
        "providers": int(bookings["provider"].nunique()),
        "rounds": given.rounds,
        "steps": summary(rounds),
    }
    providers_report.write_report(found, given.results)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--bookings", type=int, default=1_000_000, help="about so many bookings (1,000,000)")
    add("--providers", type=int, default=50_000, help="providers (50,000)")
    add("--rounds", type=int, default=3, help="rounds, in turns (3)")
    add("--quick", action="store_true", help="a small marketplace, one round")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    add("--step", choices=list(STEPS), help="one step alone, in this process: used by the run")
    add("--folder", type=Path, help="where the step finds its tables: used by the run")
    return options


if __name__ == "__main__":
    asked = parser().parse_args()
    if asked.step:
        print(json.dumps(one(asked.step, asked.folder)))
    else:
        if asked.quick:
            vars(asked).update(QUICK)
        run(asked)
