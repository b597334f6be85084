"""The company of `crm_day.py`: a fake CRM with its limits, a project that reads it, and its life.

The fake comes from tests/fake_pipedrive.py and tests/fake_company.py, as this repository's tests
use it. Nothing opens a socket, and time is the fake's: it passes by waiting alone.
"""

import hashlib
import math
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import httpx
import pandas as pd

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

import fake_company as fc  # noqa: E402
import fake_pipedrive as fp  # noqa: E402
from tierwise import crm, files, snapshot  # noqa: E402
from tierwise.applications import leads  # noqa: E402
from tierwise.connectors import pipedrive, write_back  # noqa: E402

APPLICATION = "leads"
# A snapshot refuses what is known a day after the machine's own clock, so this lies behind it.
BEGINS_AT = datetime(2026, 10, 5, tzinfo=UTC).timestamp()
DAY, HOUR, MINUTE = 86_400.0, 3600.0, 60.0
OPEN_SHARE = 0.67  # of the deals that fake_company makes, at the end of its 60 days
KEPT_ENDED_EVERY = 5  # the fifth stays, so that a run ends within half an hour
BURST_COUNT = 20
# Faster than 20 calls in 2 seconds, so that the throttle has work.
LATENCY_SECONDS = 0.06
SHARES = {"A": 0.20, "B": 0.30, "C": 0.50}
HOLDOUT_PERCENT = 10
TIER_FIELD = "Tierwise tier"
# Most of a day's work is done between 7 and 19 hours UTC.
HOUR_WEIGHTS = [0.2] * 7 + [1.0] * 12 + [0.2] * 5
NEW_SHARE = 0.1  # of what happens, a new deal
QUESTION: dict[str, Any] = {
    "entity": "open deal",
    "outcome_horizon_days": 30,
    "score_every_days": 14,
    "lookback_days": [7, 30],
    "half_life_days": 7,
    "stages": fc.STAGES,
    "effort": ["job_draft_saved", "candidate_contacted"],
    "value": ["application_received", "hire_recorded"],
    "engine": "local",
}


class Plan(NamedTuple):
    """Tokens of a day, and how many of them `ingest` and `push` leave to others."""

    tokens_count: int
    ingest_keeps_count: int
    push_keeps_count: int


SMALLEST = Plan(30_000, 3_000, 3_000)  # one seat


class Dated(fp.Transport):
    """The fake behind httpx; its answers tell its time, as a server's do."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        now = datetime.fromtimestamp(self.fake.clock(), UTC)
        answer.headers["date"] = format_datetime(now, usegmt=True)
        return answer


def made(open_count: int, plan: Plan, seed: int) -> fp.Fake:
    """A company with about so many open deals, and a tenth as many that ended."""
    with mock.patch.object(fc, "MONDAY", BEGINS_AT):
        fake = fc.company(
            round(open_count / OPEN_SHARE),
            seed,
            tokens_per_day_count=plan.tokens_count,
            burst_count=BURST_COUNT,
        )
    ended = [n for n, deal in fake.deals.items() if fc.status_of(deal) != "open"]
    dropped = {n for place, n in enumerate(ended) if place % KEPT_ENDED_EVERY}
    for n in dropped:
        del fake.deals[n]
        fake.changes.pop(n, None)
    done = fake.tables["activities"].values()
    left = [one for one in done if one["deal_id"] not in dropped]
    # fake_company counts them to number the next one.
    fake.tables["activities"] = {n: one | {"id": n} for n, one in enumerate(left, 1)}
    return fake


def project(root: Path, plan: Plan) -> Path:
    """A project that reads the fake within the limits of the plan."""
    root.mkdir(parents=True, exist_ok=True)
    fc.project(root, "http://127.0.0.1:1", plan=1)
    text = (root / "params.yaml").read_text(encoding="utf-8")
    ingest_part, push_part = text.split("pipedrive:")
    ingest_part = ingest_part.replace("count: 0", f"count: {plan.ingest_keeps_count}")
    push_part = push_part.replace("kept_count: 0", f"kept_count: {plan.push_keeps_count}")
    push_part = push_part.replace("burst_count: 100000", f"burst_count: {BURST_COUNT}")
    files.write_text(root / "params.yaml", f"{ingest_part}pipedrive:{push_part}")
    return root


@contextmanager
def answering(fake: fp.Fake) -> Iterator[None]:
    """Inside, tierwise's clients call this fake, and the budget goes by the fake's clock."""
    clock = fake.clock
    client = partial(pipedrive.Client, transport=Dated(fake, LATENCY_SECONDS))
    allowance = partial(write_back.Allowance, clock=clock, sleep=clock.sleep)
    with (
        mock.patch.object(write_back, "Client", client),
        mock.patch.object(write_back, "Allowance", allowance),
        mock.patch.object(write_back, "TOKENS_PER_SEAT_COUNT", fake.tokens_per_day_count),
        mock.patch.dict(os.environ, {"TEST_TOKEN": fp.TOKEN}),
    ):
        yield


def open_ids(fake: fp.Fake) -> list[int]:
    return [n for n, deal in fake.deals.items() if fc.status_of(deal) == "open"]


# What happens


def live(fake: fp.Fake, draw: random.Random, until: float, changed_share: float) -> int:
    """What people do until a time: deals move, end, or are new. Returns how many were touched.

    changed_share: of the open deals in a day, spread by HOUR_WEIGHTS.
    """
    here = open_ids(fake)
    hour = int(until % DAY // HOUR)
    mean = len(here) * changed_share * HOUR_WEIGHTS[hour] / sum(HOUR_WEIGHTS)
    count = int(mean + draw.random())
    times = sorted(draw.uniform(fake.clock.now, until) for _ in range(count))
    for at in times:
        fake.clock.now = at
        if draw.random() < NEW_SHARE:
            add(fake, draw)
        else:
            n = draw.choice(here)
            fc.turn(fake, draw, n, draw.randrange(4))
            fc.activity(fake, draw, n)
    fake.clock.now = max(fake.clock.now, until)
    return count


def add(fake: fp.Fake, draw: random.Random) -> None:
    n, who = max(fake.deals) + 1, draw.choice(list(fake.tables["persons"]))
    volume = {"a" * 40: float(draw.randrange(9))}
    owner_id = draw.randrange(1, 5)
    fake.add_deal(n, custom_fields=volume, org_id=who, person_id=who, owner_id=owner_id)


# Scores


class Scores:
    """Chances that stand for a model's: a part of the deal, its stage, and a drift each hour."""

    def __init__(self, seed: int) -> None:
        self.seed, self.draw = seed, random.Random(seed)
        self.drift: dict[int, float] = {}

    def chance(self, n: int, stage_id: int, hourly_drift: float) -> float:
        own = random.Random(f"{self.seed} {n}").gauss(0, 1.2)
        # Drawn back a little, or deals would wander off for ever.
        drift = 0.98 * self.drift.get(n, 0.0) + self.draw.gauss(0, hourly_drift)
        self.drift[n] = drift
        return 1 / (1 + math.exp(1.7 - own - 0.3 * (stage_id - 3) - drift))

    def batch(self, root: Path, fake: fp.Fake, hourly_drift: float, held_out: bool) -> pd.DataFrame:
        """Scores of the deals that the snapshot holds to be open, as `tierwise score` leaves them;
        written to the project. hourly_drift: in log odds, standard deviation."""
        told = crm.outcomes(root / "data" / "tables" / APPLICATION)
        ids = sorted(told.loc[told["outcome"].isna(), "deal_id"].astype(int))
        stages = [fake.deals[n]["stage_id"] for n in ids]
        chances = [self.chance(*pair, hourly_drift) for pair in zip(ids, stages, strict=True)]
        table = pd.DataFrame({"deal_id": ids, "chance": chances, "stage": stages})
        table = table.sort_values(["chance", "deal_id"], ascending=[False, True])
        table["rank"] = range(1, len(table) + 1)
        table["tier"] = tiers(len(table))
        table["flag"] = ["holdout" if held_out and in_holdout(n) else "" for n in table["deal_id"]]
        table["scored_at"] = pd.Timestamp(fake.clock(), unit="s").floor("h")
        table["entity_id"] = table["deal_id"].astype(str)
        table["reason_1"] = [f"the stage is {fc.STAGES[stage - 1]}" for stage in table["stage"]]
        table = table.assign(reason_2="few calls in the last 7 days", reason_3="")
        path = root / "data" / "scores" / APPLICATION / "batch.parquet"
        files.write_parquet(path, table.drop(columns=["deal_id", "stage"]))
        return table.set_index("deal_id")


def tiers(count: int) -> list[str]:
    """Of so many deals, best first."""
    ends = {"A": round(count * SHARES["A"]), "B": round(count * (SHARES["A"] + SHARES["B"]))}
    return ["A" if n < ends["A"] else "B" if n < ends["B"] else "C" for n in range(count)]


def in_holdout(n: int) -> bool:
    """By lot, and always the same."""
    return hashlib.sha256(str(n).encode()).digest()[0] * 100 < HOLDOUT_PERCENT * 256


# What stands there


def tier_of(fake: fp.Fake, n: int) -> str | None:
    return fake.shown(n).get(TIER_FIELD)


def features_digest(root: Path, as_of: float) -> tuple[str, int, int]:
    """SHA-256 of the feature matrix of all deals open then, its rows and its columns."""
    at = pd.Timestamp(as_of, unit="s")
    folder = root / "data" / "tables" / APPLICATION
    found = pd.concat([leads.at_hour(part, QUESTION, at) for part in snapshot.parts(folder)])
    return hashlib.sha256(found.to_csv().encode()).hexdigest(), *found.shape
