"""What people decided who looked at flagged referrals: a CSV file, a decision a line.

    person_id,group_id,decision,by,at
    4711,,cleared,anna,2026-02-03 10:00
    ,1860,confirmed,ben,2026-02-03

decision: confirmed (it is fraud, nothing is paid) or cleared (it is not). A line names a member or
the group in which a member of this number is now. The last decision about a member holds, and
cleared holds for what was known by then: whoever is cleared is flagged again only if what became
known since weighs enough by itself. Lines are added, not changed.
"""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from tierwise import examples as ex
from tierwise import files
from tierwise.files import InputError
from tierwise.locks import held
from tierwise.rewards.ledger import CLEARED, CONFIRMED, OPEN

DECISIONS = (CONFIRMED, CLEARED)
COLUMNS = ("person_id", "group_id", "decision", "by", "at")
KINDS = {"person_id": "Int64", "group_id": "Int64", "decision": "str", "by": "str",
         "at": "datetime64[us]"}  # fmt: skip
AS_TEXT: dict[str, Any] = {"dtype": "str", "keep_default_na": False, "encoding": "utf-8"}


def read(path: Path | None) -> pd.DataFrame:
    """The decisions, in order of `at`; none without a file. Raises InputError for a bad line."""
    if path is None:
        return pd.DataFrame({name: [] for name in COLUMNS}).astype(KINDS)
    if not path.is_file():
        raise InputError(f"{path} is missing. Write {','.join(COLUMNS)} there, or set null.")
    return checked(pd.read_csv(path, **AS_TEXT), path)


def checked(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The lines of a file in their types, in order of `at`. Raises InputError for a bad one."""
    if list(rows.columns) != list(COLUMNS):
        raise InputError(f"{path} must have the columns {','.join(COLUMNS)}, not {list(rows)}.")
    at = pd.to_datetime(rows["at"], format="ISO8601", utc=True, errors="coerce")
    is_number = rows[["person_id", "group_id"]].apply(lambda one: one.str.fullmatch(r"\d{1,18}"))
    named = is_number.sum(axis=1) == 1
    named &= (rows[["person_id", "group_id"]] != "").sum(axis=1) == 1
    for good, rule in (
        (named, "names a member or a group, as a number, and not both"),
        (rows["decision"].isin(DECISIONS), f"has a decision, {' or '.join(DECISIONS)}"),
        (rows["by"].str.strip() != "", "says who decided (by)"),
        (at.notna(), "has a time (at), such as 2026-02-03 10:00, UTC"),
    ):
        if not good.all():
            line = int((~good).to_numpy().argmax())
            raise InputError(f"{path}, line {line + 2}: a review {rule}. Correct it.")
    numbers = {
        name: pd.to_numeric(rows[name].replace("", None)).astype("Int64")
        for name in ("person_id", "group_id")
    }
    read = rows.assign(**numbers, at=at.dt.tz_localize(None)).astype(KINDS)
    return read.sort_values("at", kind="stable", ignore_index=True)


def add(
    path: Path, decision: str, by: str, at: pd.Timestamp, *, person: int | None, group: int | None
) -> str:
    """Add a line about a member or a group, and return it. The file is made where it is missing.

    Raises InputError for a bad line, which is then not written.
    """
    if "," in by or not by.isprintable():
        raise InputError(f"--by is a name without commas, not {by!r}.")
    who = [str(one) if one is not None else "" for one in (person, group)]
    line = ",".join([*who, decision, by, f"{at:%Y-%m-%d %H:%M:%S}"])
    with held(path.with_name(f".{path.name}.lock")):
        head = ",".join(COLUMNS) + "\n"
        text = path.read_text(encoding="utf-8") if path.is_file() else head
        text += "" if text.endswith("\n") else "\n"
        checked(pd.read_csv(StringIO(head + line), **AS_TEXT), path)
        files.write_text(path, f"{text}{line}\n")
    return line


def with_state(flags: pd.DataFrame, read: pd.DataFrame) -> pd.DataFrame:
    """Flags with their state: to be reviewed, confirmed or cleared; and decided_by, decided_at.

    flags: group_id, person_id, threshold, evidence (JSON text: a list with `weight` and `known_at`
    of each piece). A group's line holds for the group that has a member of this number.
    """
    group_of = flags.drop_duplicates("person_id").set_index("person_id")["group_id"]
    group = read["group_id"].map(group_of).fillna(read["group_id"]).astype("Int64")
    last: dict[tuple[str, int], int] = {}
    for at, (person, of) in enumerate(zip(read["person_id"], group, strict=True)):
        key = ("group", int(of)) if pd.isna(person) else ("person", int(person))
        last[key] = at
    places = [
        max(last.get(("person", int(person)), -1), last.get(("group", int(of)), -1))
        for person, of in zip(flags["person_id"], flags["group_id"], strict=True)
    ]
    told = [
        state_of(evidence, threshold, None if place < 0 else read.iloc[place])
        for evidence, threshold, place in zip(
            flags["evidence"], flags["threshold"], places, strict=True
        )
    ]
    columns = pd.DataFrame(told, columns=["state", "decided_by", "decided_at"], index=flags.index)
    kinds = {"state": "str", "decided_by": "str", "decided_at": "datetime64[us]"}
    return flags.assign(**columns.astype(kinds))


def state_of(
    evidence: str, threshold: float, read: pd.Series | None
) -> tuple[str, str, pd.Timestamp | None]:
    """The state of one flag, given the last review that is about it."""
    if read is None:
        return OPEN, "", None
    if read["decision"] == CLEARED and weight_since(evidence, read["at"]) >= threshold:
        return OPEN, "", None
    return read["decision"], read["by"], read["at"]


def weight_since(evidence: str, at: pd.Timestamp) -> float:
    """What the pieces weigh that became known at this time or later."""
    pieces = pd.DataFrame(json.loads(evidence), columns=["weight", "known_at"])
    pieces["known_at"] = pd.to_datetime(pieces["known_at"])
    return float(pieces.loc[~ex.known_before(pieces, at, "known_at"), "weight"].sum())
