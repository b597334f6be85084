"""The other way out: what changed in an hour, to an address of one's own, signed.

    POST <url>    {"type": "tiers.changed", "timestamp": "2026-11-26T14:00:00Z", "data":
                   {"application": "leads", "batch": 1, "batches": 2, "deals": [...]}}

    a deal        deal_id, tier, chance (whole percent), rank, reasons, scored_at, model_version

The headers webhook-id, webhook-timestamp and webhook-signature are those of Standard Webhooks; the
receiver verifies with any of its libraries. While a secret is replaced, two sign. What counts as a
change is decided in differences.py; rank and time ride along. The holdout is never told.

A message may come twice, always under the same id. The receiver drops an id that it has seen, and a
deal whose scored_at is older than what it has: a network may deliver late what we gave up.
"""

import hashlib
import json
import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx
import pandas as pd
from pydantic import BaseModel, Field

from tierwise import files, refusals
from tierwise.connectors import webhook_post, write_back
from tierwise.connectors import webhook_state as state
from tierwise.connectors.differences import TIERS, Change, as_text, check, difference
from tierwise.connectors.webhook_post import Gone, Later, Post
from tierwise.connectors.webhook_state import Message
from tierwise.files import InputError
from tierwise.locks import held

DEALS_COUNT = 500
Name = Annotated[str, Field(min_length=1)]


class Asked(BaseModel, extra="forbid", strict=True):
    """A section below `webhook:` in params.yaml.

    hosts: names to which the url may lead. secret_variables: environment variables with secrets,
    two while one is replaced by the other. body_bytes: no message is longer.
    """

    url: Name
    hosts: Annotated[list[Name], Field(min_length=1)]
    secret_variables: Annotated[list[Name], Field(min_length=1, max_length=2)]
    hysteresis_points: Annotated[float, Field(ge=1)] = 2.0
    body_bytes: Annotated[int, Field(ge=4_000)] = 262_144


@dataclass
class Sent:
    """What a run found and did, or what a dry one would do.

    changes: most important first; none where it went on with what an earlier run had begun.
    """

    changes: list[Change] = field(default_factory=list)
    deals_count: int = 0
    messages_count: int = 0


def asked(root: Path, application: str) -> Asked:
    """The settings of params.yaml, checked. Raises InputError."""
    sections = files.params(root).get("webhook") or {}
    if application not in sections:
        raise InputError(
            f"params.yaml has no webhook.{application}; below `webhook:` there are "
            f"{', '.join(sections) or 'none'}. README.md shows such a section."
        )
    way_out = f"There are {', '.join(Asked.model_fields)}."
    settings = refusals.fitting(Asked, sections[application], f"webhook.{application}", way_out)
    webhook_post.must_be_allowed(settings.url, settings.hosts)
    return settings


def send(
    root: Path,
    application: str,
    dry_run: bool = False,
    *,
    transport: httpx.BaseTransport | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Sent:
    """Send what changed in the latest hour of data/scores/<application>; a dry run sends nothing.

    Raises InputError for settings, a secret or a table that won't do, and where the receiver
    refuses; NoAnswer where it gives no usable answer. The next run goes on from there.
    """
    settings = asked(root, application)
    webhook_post.secrets(settings.secret_variables)
    folder = root / "data" / "scores" / application
    if not (folder / "batch.parquet").is_file():
        raise InputError(f"{folder} holds no hour yet. Run `tierwise score {application}` first.")
    table = wanted(files.read_parquet(folder / "batch.parquet"))
    check(table, TIERS, settings.hysteresis_points)
    path, receiver = folder / "webhook.sqlite", hashlib.sha256(settings.url.encode()).hexdigest()
    with held(folder / ".webhook.lock"), state.opened(path, receiver, not dry_run) as connection:
        refuse_early(connection, settings.url, clock())
        sent = Sent() if table.empty else planned(connection, application, table, settings)
        waiting = [] if table.empty else state.waiting(connection)
        if waiting and not dry_run:
            post = webhook_post.opened(settings.url, settings.secret_variables, transport)
            post.clock, post.sleep = clock, sleep
            try:
                deliver(post, connection, waiting)
            finally:
                post.http.close()
        sent.messages_count = len(waiting)
        sent.deals_count = sum(len(state.deals(one.body)) for one in waiting)
    return sent


def refuse_early(connection: sqlite3.Connection, url: str, now: float) -> None:
    """Raises what the receiver's last word was, as long as it holds."""
    if state.note(connection, "gone"):
        webhook_post.refuse(410, webhook_post.shown_address(url), [])
    go_on_at = float(state.note(connection, "go_on_at") or 0)
    if now < go_on_at <= now + webhook_post.LONGEST_WAIT_SECONDS:
        raise Later(webhook_post.shown_address(url), go_on_at)


def deliver(post: Post, connection: sqlite3.Connection, waiting: Sequence[Message]) -> None:
    """One after the other; each is remembered as soon as it is answered."""
    for one in waiting:
        state.sending(connection, one)
        try:
            webhook_post.deliver(post, one)
        except Gone:
            state.noted(connection, "gone", "410")
            raise
        except Later as error:
            state.noted(connection, "go_on_at", str(error.go_on_at))
            raise
        state.answered(connection, one)


def sentence(sent: Sent, dry_run: bool) -> str:
    """What was done, in one line."""
    what = f"{sent.deals_count:,} deals in {sent.messages_count:,} messages"
    return f"{what} would be sent; nothing was." if dry_run else f"{what} sent and taken."


def lines(sent: Sent) -> list[str]:
    """The first changes of a dry run, most important first: deal, before, after."""
    found = [
        f"{change.deal_id}  {change.kind}: "
        f"{write_back.shown(change.before._asdict(), change.values)}"
        for change in sent.changes[: write_back.CHANGES_SHOWN_COUNT]
    ]
    more = len(sent.changes) - len(found)
    return found + ([f"and {more:,} more"] if more > 0 else [])


# What is sent


def wanted(rows: pd.DataFrame) -> pd.DataFrame:
    """What the receiver should know: as `write_back.wanted`, with model_version, no holdout."""
    found, _ = write_back.wanted(rows)
    versions = rows.loc[rows["flag"] != "holdout", "model_version"]
    return found.assign(model_version=versions.to_numpy())


def planned(
    connection: sqlite3.Connection, application: str, table: pd.DataFrame, settings: Asked
) -> Sent:
    """The messages of this hour lie in the outbox, unless they did already.

    Raises InputError for an hour before the one that was sent last.
    """
    hour, last = stamp(table["scored_at"].max()), state.note(connection, "hour") or ""
    if hour < last:
        raise InputError(
            f"The receiver was told of {last} already, and {hour} is older. Score the hour that is "
            "now; should the clock have been wrong, delete webhook.sqlite among the scores, and "
            "all deals are told anew."
        )
    if hour == last and state.waiting(connection):
        return Sent()
    current = state.shown(connection, table["deal_id"].tolist())
    points = settings.hysteresis_points
    changes = difference(table, current, hysteresis_points=points)
    records = told(table, [change.deal_id for change in changes])
    made = messages(application, hour, records, settings.body_bytes)
    state.plan(connection, hour, current, made)
    return Sent(changes)


def told(table: pd.DataFrame, deal_ids: Sequence[int]) -> list[dict[str, Any]]:
    """One record for each of these deals, in their order."""
    rows = table.set_index("deal_id").loc[list(deal_ids)]
    return [
        {
            "deal_id": int(deal_id),
            "tier": row.tier,
            "chance": math.floor(100 * row.chance + 0.5),
            "rank": int(row.rank),
            "reasons": (as_text(row.reasons) or "").splitlines(),
            "scored_at": stamp(row.scored_at),
            "model_version": row.model_version,
        }
        for deal_id, row in zip(rows.index, rows.itertuples(index=False), strict=True)
    ]


def messages(
    application: str, hour: str, records: Sequence[dict[str, Any]], body_bytes: int
) -> list[Message]:
    """In batches of at most 500 deals and body_bytes. Raises InputError for a deal too long."""
    batches: list[list[dict[str, Any]]] = []
    # Of the envelope; the highest numbers are the longest.
    spare_bytes = body_bytes - len(message(application, hour, 10**9, 10**9, []).body)
    room_bytes = 0
    for record in records:
        size_bytes = len(as_json(record)) + 1
        if size_bytes > spare_bytes:
            raise InputError(
                f"What there is to tell of deal {record['deal_id']} takes {size_bytes:,} bytes. "
                "Give webhook's body_bytes more."
            )
        if size_bytes > room_bytes or len(batches[-1]) == DEALS_COUNT:
            batches.append([])
            room_bytes = spare_bytes
        batches[-1].append(record)
        room_bytes -= size_bytes
    return [
        message(application, hour, number, len(batches), batch)
        for number, batch in enumerate(batches, 1)
    ]


def message(
    application: str, hour: str, number: int, count: int, batch: list[dict[str, Any]]
) -> Message:
    data = {"application": application, "batch": number, "batches": count, "deals": batch}
    body = as_json({"type": "tiers.changed", "timestamp": hour, "data": data})
    digest = hashlib.sha256("\n".join([application, hour, str(number), ""]).encode() + body)
    return Message(number, f"msg_{digest.hexdigest()[:32]}", body)


def as_json(content: dict[str, Any]) -> bytes:
    options: dict[str, Any] = {"sort_keys": True, "ensure_ascii": False, "allow_nan": False}
    return json.dumps(content, separators=(",", ":"), **options).encode()


def stamp(instant: pd.Timestamp) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
