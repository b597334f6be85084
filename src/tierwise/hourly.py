"""What params.yaml says of an application's hours, and what of a list is drawn by lot."""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from tierwise import applications, batches, exploration, files, hour, refusals
from tierwise.files import InputError

# Drawn anew each day, a deal would follow its tier on all other days of its life, and what became
# of it would say little about deals that nobody puts first.
FOR_LIFE = pd.Timestamp(0)
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


class Asked(BaseModel, extra="forbid", strict=True):
    """A section below `hourly:` in params.yaml."""

    exploration_share: Share
    holdout_share: Share
    room_share: Annotated[float, Field(gt=0, le=1)]
    salt: Annotated[str, Field(min_length=1)]
    explained_count: Annotated[int, Field(ge=0)]
    new_columns: Literal["refuse", "ignore"]
    stale_after_hours: Annotated[float, Field(gt=0)]
    replay_every_days: Annotated[float, Field(gt=0)] = 7.0


def asked(settings: dict[str, Any], application: str) -> Asked:
    """The settings, checked. Raises InputError for the first that breaks a rule."""
    way_out = f"There must be {', '.join(Asked.model_fields)}."
    return refusals.fitting(Asked, settings, f"hourly.{application}", way_out)


def prepared(
    root: Path, application: str, export: Path | None = None
) -> tuple[hour.Scorer, Path, Asked]:
    """The model, the snapshot of its tables, and the settings below `hourly:`.

    export: its folder, if not of what the pipeline made last.
    """
    content = files.params(root)
    hourly = content.get("hourly") or {}
    if application not in hourly:
        raise InputError(
            f"params.yaml has no hourly.{application}; below `hourly:` there are "
            f"{', '.join(hourly) or 'none'}. README.md shows such a section."
        )
    settings = asked(hourly[application], application)
    section = content.get("applications", {}).get(application)
    if section is None:
        raise InputError(
            f"params.yaml has hourly.{application}, but no applications.{application}."
        )
    module = applications.of(section["build_features"]["kind"])
    scorer = hour.scorer(application, module, section, export)
    return scorer, root / section["build_features"]["source"], settings


def flagged(rows: pd.DataFrame, settings: Asked) -> pd.DataFrame:
    """With flag, propensity, worked, shown, and place: the order of the list, 0 if held out.

    worked: it stands in the part of the list that its owner is expected to work on.

    rank and tier stay those of the score, for the holdout too: the ledger must know what was kept
    from it.
    """
    deals = rows.assign(deal_id=rows["entity_id"].astype("int64"))
    out = exploration.holdout(deals["deal_id"], settings.holdout_share, settings.salt)
    queue = deals.loc[~out, ["deal_id", "rank", "owner_id"]]
    shares = settings.exploration_share, settings.salt, settings.room_share
    shown = exploration.order(queue, FOR_LIFE, *shares)
    explored = shown["explored"].reindex(rows.index, fill_value=False).to_numpy(bool)
    flag = np.select([out, explored], ["holdout", "exploration"], default="")
    found = rows.assign(flag=flag.astype(str), shown=~out & (rows["tier"] != ""))
    found["propensity"] = shown["propensity"].reindex(rows.index)
    found["worked"] = shown["in_room"].reindex(rows.index, fill_value=False).to_numpy(bool)
    found["place"] = shown["rank"].reindex(rows.index, fill_value=0).astype("int64")
    return found


def remembered(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of the ledger."""
    return rows.rename(columns={"entity_id": "deal_id"})[batches.COLUMNS]
