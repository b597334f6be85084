"""The tables of referrals from a snapshot, who is credited with whom, and the truth where one is.

Every page about referrals begins here, so that all of them speak of the same members, by the same
rules, as of the same morning.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tierwise import attribution, files, snapshot, tables
from tierwise.files import InputError

Tables = dict[str, pd.DataFrame]
# What only a simulated world knows: a file for each.
TRUTH = ("influence", "parents", "rings", "templates", "growth")


def read(folder: Path) -> tuple[dict[str, Any], Tables]:
    """What a snapshot says of itself, and its tables by name. InputError for one of another set."""
    about = snapshot.about(folder)
    if set(about["tables"]) != set(tables.REFERRALS):
        raise InputError(
            f"{folder} holds {', '.join(about['tables'])}, not the tables of referrals. "
            "params.yaml: below `tables:`, its section needs `set: referrals`; then fetch again."
        )
    return about, {name: snapshot.read(folder, name) for name in tables.REFERRALS}


def morning(about: Mapping[str, Any]) -> pd.Timestamp:
    """The midnight before the last thing that a snapshot knows: what came before it is known."""
    return pd.Timestamp(about["data_until"]).floor("D").as_unit("us")


def credited(found: Tables, rules: Mapping[str, Any], as_of: pd.Timestamp) -> pd.DataFrame:
    """A row per member known before `as_of`, see `attribution.attributed`.

    rules: a section of params.yaml, see `attribution.rules_of`. Raises InputError.
    """
    members, links, clicks = found["members"], found["links"], found["clicks"]
    own = attribution.rules_of(rules)
    return attribution.attributed(members, links, clicks, found["shares"], own, as_of)


def truth(folder: Path | None) -> Tables | None:
    """The tables of TRUTH by name, None where nobody knows it (folder: None)."""
    if folder is None:
        return None
    return {name: files.read_parquet(folder / f"{name}.parquet") for name in TRUTH}
