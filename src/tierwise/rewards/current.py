"""Where the rewards of an application stand now: its tables, its ledger, its flags and reviews.

Everything follows the section of its step referral_fraud in params.yaml. The flags must be of the
same tables as the rewards: whoever joined since the flags were computed was never looked at, and
would be paid unseen.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tierwise import files, notebook
from tierwise.files import InputError
from tierwise.referral_fraud import reviews
from tierwise.referrals import referral_data
from tierwise.rewards import due as rd
from tierwise.rewards import entries as en
from tierwise.rewards import ledger

STEP, FLAGS = "referral_fraud", "referral_flags.parquet"


@dataclass(frozen=True)
class Current:
    """folder: of the ledger; states: see `ledger.states`; as_of: what was known before counts."""

    folder: Path
    states: pd.DataFrame
    reward: rd.Reward
    as_of: pd.Timestamp


def folder_of(root: Path, application: str) -> Path:
    return root / "data" / "rewards" / application


def load(root: Path, application: str) -> Current:
    """Raises InputError where the flags are missing or of other tables."""
    section = notebook.read_section(root, application, STEP)
    if "reward" not in section:
        raise InputError(
            f"params.yaml: the section {STEP} of {application} has no `reward`. Say there who gets "
            "how much, see the comments of file_sharing."
        )
    about, tables = referral_data.read(root / section["source"])
    flags, _ = flags_now(root, application)
    as_of, reward = referral_data.morning(about), rd.reward_of(section["reward"])
    credits = referral_data.credited(tables, section["attribution_rules"], as_of)
    folder = folder_of(root, application)
    found = states(tables, credits, reward, as_of, flags, folder)
    return Current(folder, found, reward, as_of)


def states(
    tables: referral_data.Tables,
    credits: pd.DataFrame,
    reward: rd.Reward,
    as_of: pd.Timestamp,
    flags: pd.DataFrame,
    folder: Path | None,
) -> pd.DataFrame:
    """All rewards with their state. folder: of the ledger, None where there is none yet."""
    rows = rd.due(credits, tables["members"], tables["purchases"], reward, as_of)
    entries = en.as_table([]) if folder is None else ledger.read(folder)
    return ledger.states(rows, entries, flags)


def flags_of(root: Path, application: str, source: Path) -> pd.DataFrame:
    """The flags that the step handed on. Raises InputError where they are of other tables."""
    told = root / "metrics" / application / f"{STEP}.json"
    version = files.version(source)
    if not told.is_file() or files.read_json(told).get("data_version") != version:
        raise InputError(
            f"Nobody has looked at the referrals of {source} as they are now. Run "
            f"`dvc repro {STEP}@{application}` first: rewards are paid after that."
        )
    return files.read_parquet(root / "models" / application / FLAGS)


def flags_now(root: Path, application: str) -> tuple[pd.DataFrame, Path | None]:
    """The flags with the state that reviews give them now, and the file of reviews if one is named.
    A file that is named and not there yet holds no reviews."""
    section = notebook.read_section(root, application, STEP)
    flags = flags_of(root, application, root / section["source"])
    path = root / section["reviews"] if section.get("reviews") else None
    there = path if path is not None and path.is_file() else None
    return reviews.with_state(flags, reviews.read(there)), path


def one(current: Current, reward_id: str) -> pd.Series:
    """The reward of this id, or of its first letters where they are enough. Raises InputError."""
    ids = current.states["reward_id"]
    mine = current.states[ids.str.startswith(reward_id)] if reward_id else current.states.head(0)
    if len(mine) != 1:
        found = f"{len(mine)} begin" if len(mine) else "none begins"
        raise InputError(
            f"Of {len(ids):,} rewards {found} with {reward_id!r}. `tierwise rewards list` shows "
            "their ids."
        )
    return mine.iloc[0]


def payments(rows: pd.DataFrame, by: str, at: pd.Timestamp) -> list[dict[str, Any]]:
    """An entry of payment for each of these rewards."""
    made = []
    for row in rows.itertuples():
        cents = round(row.amount_eur * 100)
        whom = {"person_id": int(row.person_id), "friend_id": int(row.friend_id)}
        more = {"amount_cents": cents, **whom, "side": row.side}
        made.append(en.entry(en.PAY, row.reward_id, by, at, "settled", **more))
    return made
