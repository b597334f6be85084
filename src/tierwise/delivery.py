"""Hand an hour out: the batch as Parquet, the ledger, a call list for each representative.

    data/scores/<application>/batch.parquet    the latest hour with everything, replaced as a whole
    data/scores/<application>/ledger/          every score that was ever given, see ledger.py
    data/scores/<application>/lists/current/   CSV, Excel and page of each, see calls/

The ledger comes before the lists: a list that nobody remembers could never be judged. An hour that
stands in the ledger is not scored again, its lists are written anew from the batch.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from tierwise import (
    crm,
    files,
    hour,
    ledger,
    publishing,
    snapshot,
)
from tierwise import examples as ex
from tierwise.calls import lists, today
from tierwise.calls.batch import TURN
from tierwise.files import InputError
from tierwise.hourly import Asked, flagged, prepared, remembered

REASONS = [f"reason_{number}" for number in range(1, hour.REASONS_COUNT + 1)]
LISTED = ["owner_id", "rank", "tier", "chance", *REASONS, "last_touch_at", "flag"]
LISTED += ["value_eur", "turn"]


def score(root: Path, application: str, as_of: str) -> dict[str, Any]:
    """Score and hand out an hour of an application of this project; see `deliver`."""
    with publishing.loading(root, application):
        place = publishing.in_place(root, application)
        scorer, tables, settings = prepared(root, application, place)
    folder = root / "data" / "scores" / application
    return deliver(scorer, tables, instant(as_of, tables), settings, folder)


def instant(text: str, tables: Path) -> pd.Timestamp:
    """The full hour that is meant: now, latest, or a time. Raises InputError for anything else."""
    if text == "now":
        return hour.full_hour(pd.Timestamp.now("UTC"))
    if text == "latest":
        return hour.full_hour(pd.Timestamp(snapshot.about(tables)["data_until"]))
    try:
        found = pd.Timestamp(text)
    except ValueError:
        found = pd.NaT
    if found is pd.NaT:
        raise InputError(
            f"--as-of is now, latest or a time such as 2026-11-26T13:00, not {text!r}."
        )
    return hour.full_hour(found)


def deliver(
    scorer: hour.Scorer, tables: Path, as_of: pd.Timestamp, settings: Asked, folder: Path
) -> dict[str, Any]:
    """Score the hour, unless the ledger has it, and hand it out; what was done, for a message.

    Raises InputError before anything is written where tables are too old or columns changed.
    """
    place = folder / "batch.parquet"
    is_there = as_of in set(ledger.hours(folder / "ledger")["scored_at"])
    if is_there and place.is_file():
        rows = files.read_parquet(place)
        if (rows["scored_at"] == as_of).all():
            return told(rows, written(scorer, folder, rows, as_of), as_of, False)
    if is_there:
        raise InputError(
            f"{ex.label(as_of)} was scored already and {place} holds another hour. Nothing was "
            "changed: the ledger keeps what it has."
        )
    refuse_stale(tables, as_of, settings.stale_after_hours)
    folder.mkdir(parents=True, exist_ok=True)
    rows, _ = hour.batch(
        scorer,
        tables,
        as_of,
        explained_count=settings.explained_count,
        new_columns=settings.new_columns,
        workspace=folder,
    )
    if rows.empty:
        raise InputError(f"No {scorer.card['entity']} is open at {ex.label(as_of)}.")
    rows = flagged(rows.assign(scored_at=as_of, model_version=scorer.version), settings)
    rows["turn"] = today.turns(rows, scorer.card.get("contact", {}), every_days(scorer))
    files.write_parquet(place, rows)
    ledger.append(folder / "ledger", remembered(rows))
    return told(rows, written(scorer, folder, rows, as_of), as_of, True)


def written(scorer: hour.Scorer, folder: Path, rows: pd.DataFrame, as_of: pd.Timestamp) -> Path:
    """The folder of the call lists of these rows.

    What a mark means is told by the model that set it: not where a batch of an older version, or of
    another model, is handed out again.
    """
    is_own = "turn" in rows and (rows["model_version"] == scorer.version).all()
    why = today.why(scorer.card.get("contact", {}), every_days(scorer)) if is_own else ""
    is_simulated = bool(scorer.card["simulated"])
    return lists.write(folder / "lists", listed(rows), as_of, simulated=is_simulated, why=why)


def every_days(scorer: hour.Scorer) -> float:
    """How often a deal stands on a list of the threshold page."""
    return float(scorer.question["score_every_days"])


def refuse_stale(tables: Path, as_of: pd.Timestamp, hours: float) -> None:
    until = crm.known_until(tables)
    if ex.is_older(until, as_of, hours):
        raise InputError(
            f"The tables know nothing after {ex.label(until)} UTC; scores of {ex.label(as_of)} "
            f"need tables that are at most stale_after_hours ({hours:g}) older. Fetch them again, "
            "or give --as-of latest."
        )


def listed(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of call lists in the order of places; a batch of an older version has no turn."""
    found = rows[[name for name in LISTED if name in rows]]
    found = found.assign(rank=rows["place"].where(rows["place"] > 0).astype("Int64"))
    found.insert(0, "deal_id", rows["entity_id"].astype("int64"))
    return found.assign(scored_at=rows["scored_at"])


def told(rows: pd.DataFrame, place: Path, as_of: pd.Timestamp, is_new: bool) -> dict[str, Any]:
    counts = rows["tier"].value_counts()
    return {
        "as_of": as_of,
        "is_new": is_new,
        "rows_count": len(rows),
        "tiers": {name: int(counts[name]) for name in sorted(counts.index) if name},
        "flags": {name: int((rows["flag"] == name).sum()) for name in ("exploration", "holdout")},
        "turns_count": int((rows["turn"] == TURN).sum()) if "turn" in rows else None,
        "lists": place,
    }


def sentence(done: dict[str, Any]) -> str:
    """What was done, in one line."""
    tiers = ", ".join(f"{name} {count:,}" for name, count in done["tiers"].items())
    flags = ", ".join(f"{count:,} {name}" for name, count in done["flags"].items())
    was = "" if done["is_new"] else " It was scored before; the lists are written anew."
    counted = f"{done['rows_count']:,} open, {tiers or 'no tiers issued'}; {flags}"
    if done["turns_count"] is not None:
        counted += f"; {done['turns_count']:,} to contact today"
    return f"{ex.label(done['as_of'])} UTC: {counted}. Lists in {done['lists']}.{was}"
