"""`tierwise push`: the latest hour of an application, written into the CRM.

The holdout shows nothing there, whatever its scores. Tokens spent are remembered in
data/scores/<application>/pipedrive_tokens.sqlite, so that an hour cannot spend the day's budget of
those to come. The token of the API comes from the environment variable that params.yaml names.
"""

import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, Field

from tierwise import files, refusals
from tierwise.connectors.allowance import Allowance
from tierwise.connectors.pipedrive import API_URL, V1_URL, Client
from tierwise.connectors.push import Pushed, push
from tierwise.files import InputError

TOKENS_PER_SEAT_COUNT = 30_000  # a day, of the smallest plan; the others are multiples
REASONS = ["reason_1", "reason_2", "reason_3"]
CHANGES_SHOWN_COUNT = 20
EVERY_SECONDS = 3600.0  # push is run once an hour


class Asked(BaseModel, extra="forbid", strict=True):
    """A section below `pipedrive:` in params.yaml."""

    token_variable: Annotated[str, Field(min_length=1)]
    plan_factor: Annotated[int, Field(ge=1)]
    seats_count: Annotated[int, Field(ge=1)]
    burst_count: Annotated[int, Field(ge=1)]
    hysteresis_points: Annotated[float, Field(ge=0)]
    tokens_kept_count: Annotated[int, Field(ge=0)]
    api_url: str = API_URL
    v1_url: str = V1_URL


def asked(root: Path, application: str) -> Asked:
    """The settings of params.yaml, checked. Raises InputError."""
    sections = files.params(root).get("pipedrive") or {}
    if application not in sections:
        raise InputError(
            f"params.yaml has no pipedrive.{application}; below `pipedrive:` there are "
            f"{', '.join(sections) or 'none'}. README.md shows such a section."
        )
    way_out = f"There are {', '.join(Asked.model_fields)}."
    return refusals.fitting(Asked, sections[application], f"pipedrive.{application}", way_out)


def wanted(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[int]]:
    """What deals should show, and the deals of the holdout. rows: a batch of `delivery`."""
    deal_id = rows["entity_id"].astype("int64")
    reasons = rows[REASONS].apply(lambda row: "\n".join(filter(None, row)), axis=1)
    found = rows[["tier", "chance", "scored_at", "rank"]].assign(reasons=reasons)
    found.insert(0, "deal_id", deal_id)
    held_out = rows["flag"] == "holdout"
    return found[~held_out].reset_index(drop=True), deal_id[held_out].tolist()


def write_back(root: Path, application: str, dry_run: bool) -> Pushed:
    """Write the latest hour of data/scores/<application>. Raises InputError, see `push`."""
    settings = asked(root, application)
    folder = root / "data" / "scores" / application
    if not (folder / "batch.parquet").is_file():
        raise InputError(f"{folder} holds no hour yet. Run `tierwise score {application}` first.")
    table, held_out = wanted(files.read_parquet(folder / "batch.parquet"))
    options: dict[str, Any] = {"hysteresis_points": settings.hysteresis_points}
    with connected(root, application, settings) as client:
        kept_count = settings.tokens_kept_count + later_count(client.allowance)
        options |= {"keep_count": kept_count, "dry_run": dry_run}
        done = push(client, table, held_out, **options)
        if not dry_run:
            client.allowance.mark()
    return done


def later_count(allowance: Allowance) -> int:
    """Tokens that `ingest` and others need in the later hours of the day: what they took since the
    last write-back, each hour again. Half of what is left at most, or nothing would be written on
    days that read much."""
    hours_count = math.ceil((allowance.resets_at() - allowance.clock()) / EVERY_SECONDS) - 1
    return min(allowance.since_mark_count() * hours_count, allowance.left_count() // 2)


@contextmanager
def connected(root: Path, application: str, settings: Asked) -> Iterator[Client]:
    """A client whose tokens are counted in the file of the application, whoever spends them."""
    folder = root / "data" / "scores" / application
    folder.mkdir(parents=True, exist_ok=True)
    tokens_count = TOKENS_PER_SEAT_COUNT * settings.plan_factor * settings.seats_count
    path = folder / "pipedrive_tokens.sqlite"
    with (
        closing(Allowance(path, tokens_count, burst_count=settings.burst_count)) as allowance,
        closing(
            Client(
                allowance,
                settings.token_variable,
                base_url=settings.api_url,
                v1_url=settings.v1_url,
            )
        ) as client,
    ):
        yield client


def sentence(done: Pushed, dry_run: bool) -> str:
    """What was done, in one line."""
    if dry_run:
        return f"{len(done.changes):,} deals would change; nothing was written."
    later = f", {done.postponed_count:,} postponed" if done.postponed_count else ""
    return (
        f"{done.written_count:,} deals written, {done.unchanged_count:,} as they were, "
        f"{done.cleared_count:,} cleared, {done.gone_count:,} not open in the CRM{later}."
    )


def lines(done: Pushed) -> list[str]:
    """The first changes of a dry run, most important first: deal, before, after."""
    found = [
        f"{change.deal_id}  {change.kind}: {shown(change.before._asdict(), change.values)}"
        for change in done.changes[:CHANGES_SHOWN_COUNT]
    ]
    more = len(done.changes) - len(found)
    return found + ([f"and {more:,} more"] if more > 0 else [])


def shown(before: dict[str, Any], values: dict[str, Any]) -> str:
    told = (name for name in ("tier", "chance_percent") if name in values)
    return ", ".join(f"{name} {before[name]} -> {values[name]}" for name in told) or "reasons"
