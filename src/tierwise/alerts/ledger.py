"""What was told already, and to whom: a ledger of alerts that only grows.

    <folder>/000001.9f2c41d07ab35e68.parquet    the alerts of the first run that had any
    <folder>/.lock                              held while alerts are appended

The 16 digits are the first of the file's SHA-256, as in `ledger`: what was changed or taken away
is noticed when it is read. A ledger holds numbers of people, no names; it is never shown as it is,
see `shown`, so that an opt-out holds for what was told before it, too.
"""

import hashlib
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from tierwise import accounts, files
from tierwise import examples as ex
from tierwise.accounts import Tables
from tierwise.alerts.episodes import Asked
from tierwise.files import InputError, sha256
from tierwise.locks import held

KEY = ["kind", "account_id", "person_id"]
TIMES = ("occurred_at", "known_at", "told_at")
KINDS = {
    "alert_id": "str",
    "kind": "str",
    "account_id": "int64",
    "person_id": "Int64",
    "other_account_id": "Int64",
    **dict.fromkeys(TIMES, "datetime64[us]"),
    "recipient_id": "Int64",
    "chosen": "str",
    "evidence": "object",
    "words": "str",
}
OWNER, CONTACT, NOBODY = "owner", "strongest contact", "no recipient"
NAME = re.compile(r"(\d{6})\.([0-9a-f]{16})\.parquet")
WITHOUT_PERSON = "Somebody senior of human resources left {place}."


def new(episodes: pd.DataFrame, ledger: pd.DataFrame, cooldown_days: int) -> pd.DataFrame:
    """The episodes that nobody was told of, in their order.

    Of one kind, account and person there is one alert within cooldown_days, before or after: the
    one that was told, else the one that was known first. Times are those of occurred_at.
    """
    order = ["known_at", "kind", "account_id", "person_id", "occurred_at"]
    told: dict[tuple, list[pd.Timestamp]] = {}
    for key, at in zip(keys(ledger), ledger["occurred_at"], strict=True):
        told.setdefault(key, []).append(at)
    ordered, kept = episodes.sort_values(order, kind="stable"), []
    for row, key, at in zip(ordered.index, keys(ordered), ordered["occurred_at"], strict=True):
        times = told.setdefault(key, [])
        if not any(is_near(at, other, cooldown_days) for other in times):
            times.append(at)
            kept.append(row)
    return episodes.loc[kept].reset_index(drop=True)


def is_near(one: pd.Timestamp, other: pd.Timestamp, days: float) -> bool:
    """A comparison of dates that `examples` lacks: less than so many days apart, either way?"""
    return abs(one - other) < pd.Timedelta(days=days)


def keys(table: pd.DataFrame) -> list[tuple]:
    """What a cooldown holds for, as texts; "" for a person that is missing."""
    return [
        (kind, str(account_id), "" if pd.isna(person_id) else str(person_id))
        for kind, account_id, person_id in table[KEY].itertuples(index=False, name=None)
    ]


def addressed(
    episodes: pd.DataFrame, found: Tables, told_at: pd.Timestamp, settings: Asked
) -> pd.DataFrame:
    """Alerts in the columns of KINDS: episodes with their id and who is told, by what was known at
    known_at. alert_id is the same whenever the episode is found."""
    table = episodes.reset_index(drop=True)
    table["told_at"] = told_at
    table["alert_id"] = [
        hashlib.sha256("|".join([*key, at.isoformat()]).encode()).hexdigest()[:24]
        for key, at in zip(keys(table), table["occurred_at"], strict=True)
    ]
    chosen = recipients(table, found, settings)
    table["recipient_id"] = [person for person, _ in chosen]
    table["chosen"] = [how for _, how in chosen]
    return typed(table)


def typed(table: pd.DataFrame) -> pd.DataFrame:
    return table.reindex(columns=list(KINDS)).astype(KINDS)


def empty() -> pd.DataFrame:
    return typed(pd.DataFrame(columns=list(KINDS), dtype=object))


# Who is told


def recipients(
    alerts: pd.DataFrame, found: Tables, settings: Asked
) -> list[tuple[int | None, str]]:
    """Per alert a person of ours and how it was chosen: the account's owner, else whoever had most
    interactions with its people in contact_days, else nobody. Who left us is told nothing."""
    owners = by_known(found["owners"], ["account_id", "person_id"])
    seats = by_known(found["positions"], ["position_id"])
    is_ours = seats["account_id"] == accounts.our_account(found)
    our_seats, seats = seats[is_ours], seats[seats["account_id"].isin(alerts["account_id"])]
    contacts: pd.DataFrame | None = None
    chosen: list[tuple[int | None, str]] = []
    for row in alerts.itertuples():
        ours = ours_at(our_seats, row.known_at)
        owner = owner_at(owners, row.account_id, row.known_at)
        if owner is not None and ours.get(owner, True):
            chosen.append((owner, OWNER))
            continue
        if contacts is None:
            contacts = with_us(found["interactions"], our_seats)
        person = strongest(contacts, seats, ours, row.account_id, row.known_at, settings)
        chosen.append((person, NOBODY if person is None else CONTACT))
    return chosen


def by_known(rows: pd.DataFrame, more: list[str]) -> pd.DataFrame:
    return rows.sort_values(["known_at", *more], kind="stable").reset_index(drop=True)


def owner_at(owners: pd.DataFrame, account_id: int, known_at: pd.Timestamp) -> int | None:
    rows = owners[owners["account_id"] == account_id]
    rows = rows[ex.known_before(rows, known_at, "known_at")]
    return int(rows["person_id"].iloc[-1]) if len(rows) else None


def ours_at(our_seats: pd.DataFrame, known_at: pd.Timestamp) -> dict[int, bool]:
    """person_id of all who ever were ours, and whether they still are, as far as was known."""
    rows = our_seats[ex.known_before(our_seats, known_at, "known_at")]
    last = rows.drop_duplicates("position_id", keep="last")
    return last["ended_at"].isna().groupby(last["person_id"]).any().to_dict()


def with_us(interactions: pd.DataFrame, our_seats: pd.DataFrame) -> pd.DataFrame:
    """Interactions between us and others, each once: ours_id, their_id, occurred_at, known_at."""
    us = np.unique(our_seats["person_id"])
    touched = interactions["from_id"].isin(us) | interactions["to_id"].isin(us)
    rows = by_known(interactions[touched], ["interaction_id", "to_id"])
    rows = rows.drop_duplicates(["interaction_id", "to_id"])
    from_us, to_us = rows["from_id"].isin(us), rows["to_id"].isin(us)
    rows = rows.assign(
        ours_id=rows["from_id"].where(from_us, rows["to_id"]),
        their_id=rows["to_id"].where(from_us, rows["from_id"]),
    )
    return rows.loc[from_us != to_us, ["ours_id", "their_id", "occurred_at", "known_at"]]


def strongest(
    contacts: pd.DataFrame,
    seats: pd.DataFrame,
    ours: dict[int, bool],
    account_id: int,
    known_at: pd.Timestamp,
    settings: Asked,
) -> int | None:
    """Of equals the one with the smallest number."""
    there = seats[seats["account_id"] == account_id]
    there = there[ex.known_before(there, known_at, "known_at")]
    rows = contacts[contacts["their_id"].isin(there["person_id"])]
    rows = rows[ex.known_before(rows, known_at, "known_at")]
    since = known_at - pd.Timedelta(days=settings.contact_days)
    rows = rows[~ex.known_before(rows, since, "occurred_at")]
    counts = rows["ours_id"][rows["ours_id"].map(ours).fillna(False).astype(bool)].value_counts()
    return int(counts.index[counts == counts.max()].min()) if len(counts) else None


# What may be shown


def shown(alerts: pd.DataFrame, found: Tables, as_of: pd.Timestamp) -> pd.DataFrame:
    """The alerts without those who opted out, as far as was known before as_of.

    That a senior of human resources left is told without the person and without records of the
    person; that a user joined another account is told not at all. evidence of other kinds loses
    the records of those people.
    """
    rows = found["opt_outs"]
    out = set(rows.loc[ex.known_before(rows, as_of, "known_at"), "person_id"])
    is_out = alerts["person_id"].isin(out).fillna(False).astype(bool)
    kept = alerts[~(is_out & (alerts["kind"] == "user_moved"))].copy()
    unnamed = kept.index[is_out[kept.index]]
    places = [f"account {account_id}" for account_id in kept.loc[unnamed, "account_id"]]
    kept.loc[unnamed, "words"] = [WITHOUT_PERSON.format(place=place) for place in places]
    kept.loc[unnamed, ["person_id", "other_account_id"]] = pd.NA
    hidden = records_of(found, out)
    kept["evidence"] = [[key for key in keys if key not in hidden] for keys in kept["evidence"]]
    return kept.reset_index(drop=True)


def records_of(found: Tables, people: set[int]) -> set[str]:
    hidden: set[str] = set()
    for name, key in (("positions", "position_id"), ("product_use", "use_id")):
        rows = found[name]
        hidden.update(f"{name}:" + rows.loc[rows["person_id"].isin(people), key])
    return hidden


# The files


def paths(folder: Path) -> list[Path]:
    """The files of the ledger, ascending. Raises InputError where one is missing or foreign."""
    found = sorted(folder.glob("*.parquet"))
    for number, path in enumerate(found, 1):
        match = NAME.fullmatch(path.name)
        if match is None or int(match[1]) != number:
            raise InputError(
                f"{folder} should have file {number:06d} of its alerts where {path.name} is. Bring "
                "the folder back from a backup: without it people would be told twice."
            )
    return found


def read(folder: Path) -> pd.DataFrame:
    """All alerts that were told, in their order. Raises InputError for a file that was changed."""
    tables = []
    for path in paths(folder):
        if not path.name.split(".")[1] == sha256(path)[:16]:
            raise InputError(
                f"{path} was changed: its SHA-256 no longer begins with the digits of its name. "
                "Bring it back from a backup."
            )
        tables.append(typed(files.read_parquet(path)))
    return pd.concat(tables, ignore_index=True) if tables else empty()


def append(folder: Path, alerts: pd.DataFrame) -> Path | None:
    """Add the alerts whose alert_id is not there yet, all or none; their file, None without any."""
    with held(folder / ".lock"):
        fresh = alerts[~alerts["alert_id"].isin(read(folder)["alert_id"])]
        if fresh.empty:
            return None
        partial = folder / ".new.partial"
        files.write_parquet(partial, typed(fresh))
        number = len(paths(folder)) + 1
        path = folder / f"{number:06d}.{sha256(partial)[:16]}.parquet"
        os.replace(partial, path)
        return path
