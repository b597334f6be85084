"""A day of ingest and write-back on the smallest plan of Pipedrive, before a fake that counts.

    python benchmarks/crm_day.py                            5,000 open deals: 15 to 30 minutes
    python benchmarks/crm_day.py --quick                    50 open deals: seconds, to try it
    python benchmarks/crm_day.py --folder /dev/shm          faster where disks are slow
    python benchmarks/crm_day.py --deals 2000 --results elsewhere

The smallest plan has 30,000 tokens a day and 20 calls in 2 seconds. What needs that budget is run
as it is (`ingest` and `write_back`, the code of `tierwise ingest` and `tierwise push`) against a
stateful fake of Pipedrive from tests/, without a socket and on the fake's clock. The fake answers
429 to a call over a limit and 403 to whoever goes on then; both are counted. 3,000 tokens of a day
are kept from `ingest` and from `push`, for others who use the API.

    backfill   ingest once a day until no change log waits; nothing changes meanwhile
    features   the matrix of all open deals, before and after all of them were written to
    hours      each hour people change deals, then come ingest, new chances and tiers, write-back.
               At first every deal has to be written once, which takes more than a day's tokens;
               the day after that is a steady day of 24 hours

Fifty open deals need no budget, so --quick has a plan of 1,000 tokens, of which 60 and 330 are
kept, the last two hours of each day, and many more changes.

Chances are simulated: a part of the deal, its stage, and a drift each hour. Results are written
once, at the end: crm_day.json, crm_day.md, crm_day.png and crm_day.svg.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import crm_day_company as company  # noqa: E402
from crm_day_company import (  # noqa: E402
    APPLICATION,
    BEGINS_AT,
    DAY,
    HOUR,
    MINUTE,
    SMALLEST,
    Plan,
    Scores,
    fp,
)
from crm_day_judge import (  # noqa: E402
    counted,
    ends,
    first_tier,
    is_of_backfill,
    limits,
    page_of,
    written_calls,
)
from crm_day_report import write_report  # noqa: E402

from tierwise.connectors import ingest, write_back  # noqa: E402
from tierwise.connectors.allowance import OutOfTokens  # noqa: E402
from tierwise.files import InputError, plain  # noqa: E402

Row = dict[str, Any]
DIGITS = 5
OPEN_COUNT = 5_000
DRIFT = 0.015  # of the log odds, each hour, standard deviation
STARTS_MINUTES = 5.0  # after the full hour
DAYS_MAX = 40  # whatever needs longer does not end
FIRST, STEADY = "first writes", "steady"


class Size(NamedTuple):
    """hours_count: the last ones of each day. changed_share: of the open deals, a day."""

    open_count: int
    plan: Plan
    hours_count: int = 24
    changed_share: float = 0.04


QUICK = Size(53, Plan(1_000, 60, 330), 2, changed_share=3.0)


# Backfill


def backfill(root: Path, fake: fp.Fake) -> Row:
    """Ingest day after day until no change log waits."""
    days: list[Row] = []
    while not days or days[-1]["logs_waiting"]:
        if len(days) == DAYS_MAX:
            raise InputError(f"The backfill didn't end in {DAYS_MAX} days.")
        fake.clock.now = BEGINS_AT + len(days) * DAY + STARTS_MINUTES * MINUTE
        before = len(fake.calls)
        done = ingest.ingest(root, APPLICATION)
        calls = fake.calls[before:]
        logs = sum("changelog" in call.path for call in calls)
        waiting = done["company"].logs_waiting_count
        days.append({"day": len(days) + 1, **counted(calls), "logs": logs, "logs_waiting": waiting})
        print(f"backfill, day {days[-1]['day']}: {logs:,} logs read, {waiting:,} wait", flush=True)
    log_tokens = fp.COSTS["GET", "/v1/deals/{id}/changelog"] * sum(row["logs"] for row in days)
    pages = Counter(map(page_of, filter(is_of_backfill, fake.calls)))
    return {
        "days": days,
        "deals": len(fake.deals),
        "open": len(company.open_ids(fake)),
        "tokens": sum(row["tokens"] for row in days),
        "log_tokens": log_tokens,
        "pages": len(pages),
        "pages_twice": sum(count > 1 for count in pages.values()),
        "logs_unread": len(fake.deals) - sum("changelog" in page[0] for page in pages),
    }


# Features


def unmoved(root: Path, fake: fp.Fake, seed: int) -> Row:
    """The feature matrix before and after every open deal was written to, at the same as-of time.

    It ends with a deal whose value somebody changed: that must show.
    """
    as_of = fake.clock.now + 7 * DAY
    before, rows_count, columns_count = company.features_digest(root, as_of)
    batch = Scores(seed).batch(root, fake, 0.0, held_out=False)
    logs_count = sum("changelog" in call.path for call in fake.calls)
    hours_count, written_count = write_all(root, fake)
    fake.clock.now = (fake.clock.now // DAY + 1) * DAY  # writing may have taken the day's tokens
    ingest.ingest(root, APPLICATION)
    after, *_ = company.features_digest(root, as_of)
    logs_again = sum("changelog" in call.path for call in fake.calls) - logs_count
    bare_count = sum(company.tier_of(fake, n) is None for n in company.open_ids(fake))
    first = company.open_ids(fake)[0]
    fake.edit(first, value=fake.deals[first]["value"] + 1)
    fake.clock.now += HOUR
    ingest.ingest(root, APPLICATION)
    changed, *_ = company.features_digest(root, as_of)
    print(f"features: {rows_count:,} rows, same {before == after}", flush=True)
    return {
        "rows": rows_count,
        "columns": columns_count,
        "scored": len(batch),
        "written": written_count,
        "write_hours": hours_count,
        "not_written": bare_count,
        "sha256_before": before,
        "sha256_after": after,
        "sha256_after_a_real_change": changed,
        "logs_read_again": logs_again,
    }


def write_all(root: Path, fake: fp.Fake) -> tuple[int, int]:
    """Write back each hour until nothing waits; hours and writes."""
    written_count = 0
    for hour in range(24 * DAYS_MAX):
        fake.clock.now = (fake.clock.now // HOUR + 1) * HOUR + STARTS_MINUTES * MINUTE
        done = write_back.write_back(root, APPLICATION, dry_run=False)
        written_count += done.written_count
        if not done.postponed_count:
            return hour + 1, written_count
    raise InputError(f"Writing back didn't end in {DAYS_MAX} days.")


# Hours


def hours(root: Path, fake: fp.Fake, seed: int, size: Size) -> Iterator[Row]:
    """First writes until none waits, and nothing more on that day; then a whole steady day."""
    draw, scores = random.Random(seed), Scores(seed)
    begins_at, kind = (fake.clock.now // DAY + 1) * DAY, FIRST
    for day in range(DAYS_MAX):
        for hour in range(24 - size.hours_count, 24):
            started = time.monotonic()
            at = begins_at + day * DAY + hour * HOUR + STARTS_MINUTES * MINUTE
            touched = company.live(fake, draw, at, size.changed_share)
            row = {"day": day + 1, "kind": kind, "hour": hour, "touched": touched}
            row |= one_hour(root, fake, scores)
            print(f"{told(row)}  {time.monotonic() - started:.1f} s", flush=True)
            yield row
            if kind == FIRST and not row["never_written"]:
                break
        if kind == STEADY:
            return
        kind = FIRST if row["never_written"] else STEADY
    raise InputError(f"The first writes didn't end in {DAYS_MAX} days.")


def told(row: Row) -> str:
    return (
        f"day {row['day']} ({row['kind']}), {row['hour']:02} h: {row['tokens']:,} tokens, "
        f"{row['written']:,} written, {row['postponed']:,} wait"
    )


def one_hour(root: Path, fake: fp.Fake, scores: Scores) -> Row:
    """Ingest, score, write back. starved: which of them found too few tokens to end."""
    before, starved, done, waiting = len(fake.calls), [], write_back.Pushed(), 0
    try:
        waiting = ingest.ingest(root, APPLICATION)["company"].logs_waiting_count
    except OutOfTokens:
        starved.append("ingest")
    read = fake.calls[before:]
    batch = scores.batch(root, fake, DRIFT, held_out=True)
    tiers_before = {n: company.tier_of(fake, n) for n in company.open_ids(fake)}
    before = len(fake.calls)
    try:
        done = write_back.write_back(root, APPLICATION, dry_run=False)
    except OutOfTokens:
        starved.append("push")
    pushed = fake.calls[before:]
    figures = counted(read + pushed) | {"open": len(tiers_before), "starved": starved}
    figures |= {"ingest_tokens": counted(read)["tokens"], "push_tokens": counted(pushed)["tokens"]}
    figures |= {"write_tokens": counted(written_calls(pushed))["tokens"], "logs_waiting": waiting}
    figures |= {"written": done.written_count, "postponed": done.postponed_count}
    return figures | first_tier(tiers_before, batch, pushed) | ends(fake, batch)


# All of it


def run(size: Size, seed: int, folder: Path | None) -> Row:
    """The three parts, one after the other, with progress."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="crm_day.") as place:
        root = company.project(Path(place) / "project", size.plan)
        fake, twin = (company.made(size.open_count, size.plan, seed) for _ in range(2))
        with company.answering(fake):
            filled = backfill(root, fake)
        copy = Path(place) / "copy"
        shutil.copytree(root, copy)
        twin.clock.now = (fake.clock.now // DAY + 1) * DAY
        with company.answering(twin):
            matrix = unmoved(copy, twin, seed)
        shutil.rmtree(copy)
        with company.answering(fake):
            rows = list(hours(root, fake, seed, size))
    found = {"about": about(size, seed), "limits": limits([fake, twin]), "backfill": filled}
    return plain(found | {"features": matrix, "hours": rows}, DIGITS)


def about(size: Size, seed: int) -> Row:
    return {
        "simulated": True,
        "seed": seed,
        "tokens_per_day": size.plan.tokens_count,
        "ingest_keeps": size.plan.ingest_keeps_count,
        "push_keeps": size.plan.push_keeps_count,
        "hours_per_day": size.hours_count,
        "burst_calls": company.BURST_COUNT,
        "latency_seconds": company.LATENCY_SECONDS,
        "changed_share": size.changed_share,
        "drift": DRIFT,
        "holdout_share": company.HOLDOUT_PERCENT / 100,
    }


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--deals", type=int, default=OPEN_COUNT, help=f"open ones, about ({OPEN_COUNT})")
    add("--seed", type=int, default=0, help="of everything drawn by lot (0)")
    add(
        "--ingest-keeps",
        type=int,
        default=SMALLEST.ingest_keeps_count,
        help=f"tokens of a day kept from ingest ({SMALLEST.ingest_keeps_count})",
    )
    add("--quick", action="store_true", help="50 open deals, too few to judge")
    add("--folder", type=Path, help="where the project is made and removed: below 1 GB")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    return options


def main() -> None:
    given = parser().parse_args()
    try:
        plan = SMALLEST._replace(ingest_keeps_count=given.ingest_keeps)
        size = QUICK if given.quick else Size(given.deals, plan)
        write_report(run(size, given.seed, given.folder), given.results)
    except InputError as error:
        sys.exit(f"crm_day: {error}")


if __name__ == "__main__":
    main()
