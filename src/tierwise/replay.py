"""Score past hours again, as if `tierwise score` had been running: a ledger to look back on.

Only hours after everything that the exported model has learned from, and each with what was known
then. Nobody was shown these tiers, so what became of the deals tells how good the tiers are, and
nothing about what showing them does: an uplift measured here must be none.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from tqdm import tqdm

from tierwise import dataset, hour, hourly, ledger, snapshot, whole_folders
from tierwise import examples as ex
from tierwise.files import InputError


def replay(root: Path, application: str) -> dict[str, Any]:
    """Write data/replayed/<application>, a ledger; what was done, for a message.

    Raises InputError as `delivery.score` does, and where no hour lies after what was learned.
    """
    scorer, tables, settings = hourly.prepared(root, application)
    examples, _ = dataset.load(application)
    until = pd.Timestamp(snapshot.about(tables)["data_until"])
    hours = hours_after(examples, until, settings.replay_every_days)
    if not hours:
        raise InputError(
            f"No hour lies between what the model of {application} has learned from and the end "
            f"of the tables, {ex.label(until)}. There is nothing to replay yet."
        )
    folder = root / "data" / "replayed" / application
    with (
        whole_folders.locked(folder),
        TemporaryDirectory(".partial", f".{application}.", folder.parent) as name,
    ):
        made = Path(name) / "ledger"
        for as_of in tqdm(hours, desc="hours", disable=None, leave=False):
            rows, _ = hour.batch(
                scorer,
                tables,
                as_of,
                explained_count=0,
                new_columns=settings.new_columns,
                workspace=Path(name),
            )
            rows = rows.assign(scored_at=as_of, model_version=scorer.version)
            if len(rows):
                ledger.append(made, hourly.remembered(hourly.flagged(rows, settings)))
        filled = ledger.hours(made)["scored_at"].tolist()
        if not filled:
            raise InputError(f"Nothing was open at any of the {len(hours)} hours to replay.")
        whole_folders.swap(made, folder)
    return {"folder": folder, "hours": filled}


def hours_after(
    examples: pd.DataFrame, until: pd.Timestamp, every_days: float
) -> list[pd.Timestamp]:
    """Midnights from the first one in the judged span to `until`, so many days apart."""
    first = examples.loc[examples["span"] == "judge", "as_of"].min().ceil("D")
    return list(pd.date_range(first, until, freq=pd.Timedelta(days=every_days)).as_unit("us"))


def sentence(done: dict[str, Any]) -> str:
    """What was done, in one line."""
    first, last = (ex.label(done["hours"][at]) for at in (0, -1))
    return f"{len(done['hours'])} hours from {first} to {last} UTC in {done['folder']}."
