"""What a deal was scored before, from the ledger, and what of it may be shown.

Of deals that are held out nobody sees chance, tier or rank, or the effect of tiers could not be
measured any more. What the ledger has of them stays in the ledger.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from pydantic import BaseModel

from tierwise import ledger

HISTORY_HOURS = 30 * 24
HOLDOUT = "Held out: nobody is shown the tiers of this deal, so that their effect can be measured."
HIDDEN = ("chance", "tier", "rank")
TOLD = ("scored_at", *HIDDEN, "model_version", "flag")


class Past(BaseModel):
    """One score of a deal. hidden: why chance, tier and rank are not shown, None if they are."""

    scored_at: str
    chance: float | None
    tier: str | None
    rank: int | None
    model_version: str
    flag: str
    hidden: str | None


class History(BaseModel):
    """scores: the latest first."""

    deal_id: str
    scores: list[Past]


def shown(scores: list[dict[str, Any]]) -> list[Past]:
    """The latest first. One flagged score is enough: a deal is held out for good."""
    is_out = any(score["flag"] == "holdout" for score in scores)
    found = []
    for score in scores:
        told = {name: score[name] for name in TOLD} | {"scored_at": utc(score["scored_at"])}
        told["tier"] = told["tier"] or None
        told |= dict.fromkeys(HIDDEN) if is_out else {}
        found.append(Past(**told, hidden=HOLDOUT if is_out else None))
    return sorted(found, key=lambda past: past.scored_at, reverse=True)


def utc(instant: datetime) -> str:
    """ISO text with its zone; an instant without one is UTC."""
    known = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return known.astimezone(UTC).isoformat()


def of_ledger(folder: Path, deal_id: str) -> list[dict[str, Any]]:
    """Scores of a deal in the last 30 days of the ledger; see `ledger.read` for what is told."""
    paths = [str(path) for path in ledger.hours(folder)["path"].iloc[-HISTORY_HOURS:]]
    if not paths:
        return []
    with duckdb.connect() as connection:
        found = connection.execute(
            f"select {', '.join(TOLD)} from read_parquet(?) where deal_id = ?", [paths, deal_id]
        )
        return [dict(zip(TOLD, row, strict=True)) for row in found.fetchall()]


def last_hour(folder: Path) -> pd.Timestamp | None:
    """The latest hour of the ledger, None where it is empty."""
    hours = ledger.hours(folder)["scored_at"]
    return hours.iloc[-1] if len(hours) else None
