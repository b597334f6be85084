"""The tables of accounts as what features are made of: streams of events, and versions.

Kinds of events by account: start, internal (a start of somebody who had been there before, so a
change of seat), end, each also with a function and with a level ("start recruiting", "end
director"); abroad (a start in another country than the head office's); use (actions of a person's
day), admin_use. Who works there is start minus end; who came is start minus internal; who left is
end minus internal.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise import features as ft
from tierwise import snapshot, tables
from tierwise.files import InputError

Tables = dict[str, pd.DataFrame]
PROFILE = ["industry", "country", "employees_count"]


def read(folder: Path) -> tuple[dict[str, Any], Tables]:
    """What a snapshot says of itself, and its tables. Raises InputError for one of another set."""
    about = snapshot.about(folder)
    if set(about["tables"]) != set(tables.ACCOUNTS):
        raise InputError(
            f"{folder} holds {', '.join(about['tables'])}, not the tables of accounts. "
            "params.yaml: below `tables:`, its section needs `set: accounts`; then fetch again."
        )
    return about, {name: snapshot.read(folder, name) for name in tables.ACCOUNTS}


def morning(about: dict[str, Any]) -> pd.Timestamp:
    """The midnight before the last thing that a snapshot knows: all of that day is known."""
    return pd.Timestamp(about["data_until"]).floor("D").as_unit("us")


def looks_before(until: pd.Timestamp, every_days: float, count: int) -> list[pd.Timestamp]:
    """So many mornings at regular distances, the last one that long before `until`, ascending."""
    every = pd.Timedelta(days=every_days)
    return [(until - every * step).as_unit("us") for step in range(count, 0, -1)]


def months_before(until: pd.Timestamp, count: int) -> pd.Timestamp:
    """The same day so many months earlier."""
    return until - pd.DateOffset(months=count)


def known(found: Tables, as_of: pd.Timestamp) -> Tables:
    """The rows that were known before then."""
    return {name: rows[ex.known_before(rows, as_of, "known_at")] for name, rows in found.items()}


def customers(found: Tables) -> np.ndarray:
    """account_id of all companies but our own, ascending."""
    rows = found["accounts"]
    return np.setdiff1d(rows["account_id"], rows.loc[rows["ours"], "account_id"])


def our_account(found: Tables) -> int | None:
    """The account_id of our own company, None where no row says which it is."""
    own = found["accounts"].loc[found["accounts"]["ours"], "account_id"]
    return int(own.iloc[0]) if len(own) else None


def latest(rows: pd.DataFrame, key: str) -> pd.DataFrame:
    """The version of each key that was known last, by key."""
    return rows.drop_duplicates(key, keep="last") if ordered(rows) else latest(by_time(rows), key)


def ordered(rows: pd.DataFrame) -> bool:
    return bool(rows["known_at"].is_monotonic_increasing)


def by_time(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values("known_at", kind="stable")


def held(found: Tables) -> pd.DataFrame:
    """Positions as they stand: the latest row of each; those that lasted, when nothing later is
    known, have no ended_at."""
    return latest(found["positions"], "position_id").reset_index(drop=True)


def people(found: Tables) -> pd.DataFrame:
    """Who works where now: the latest lasting position of each person, by person_id."""
    lasting = held(found)
    lasting = lasting[lasting["ended_at"].isna()]
    lasting = lasting.sort_values(["occurred_at", "position_id"], kind="stable")
    return lasting.drop_duplicates("person_id", keep="last").sort_values("person_id")


def our_people(found: Tables) -> set[int]:
    """person_id of those who work for us now."""
    staff = people(found)
    return set(staff.loc[staff["account_id"] == our_account(found), "person_id"])


def opted_out(found: Tables) -> set[int]:
    """person_id of those who do not want to be written to, named or ranked."""
    return set(found["opt_outs"]["person_id"])


def moves(positions: pd.DataFrame) -> pd.DataFrame:
    """Starts and ends of positions.

    Columns: account_id, person_id, known_at, occurred_at, what, function, level, country.
    what: start, internal or end. A start is known with the first row of its position, an end with
    the first row that tells of it.
    """
    rows = by_time(positions)
    first = rows.drop_duplicates("position_id")
    before = first.sort_values(["occurred_at", "known_at"], kind="stable")
    again = before.duplicated(["account_id", "person_id"])
    starts = before.assign(what=np.where(again, "internal", "start"))
    ends = rows[rows["ended_at"].notna()].drop_duplicates("position_id")
    ends = ends.assign(occurred_at=ends["ended_at"], what="end")
    kept = ["account_id", "person_id", "known_at", "occurred_at", "what"]
    kept += ["function", "level", "country"]
    return pd.concat([starts, ends], ignore_index=True)[kept]


def stream(found: Tables) -> pd.DataFrame:
    """All events by account, see the head of this module."""
    moved = moves(found["positions"])
    home = latest(found["accounts"], "account_id").set_index("account_id")["country"]
    streams = [move(moved, moved["what"])]
    streams += [move(part, part["what"] + " " + part[name]) for name, part in named(moved)]
    internal = moved[moved["what"] == "internal"]
    streams.append(move(internal, "start"))
    head = moved["account_id"].map(home)
    far = (moved["country"] != head) & moved["country"].notna() & head.notna()
    streams.append(move(moved[(moved["what"] == "start") & far], "abroad"))
    use = found["product_use"]
    times = use["account_id"], use["known_at"], use["occurred_at"]
    streams.append(ft.stream(*times, "use", use["actions_count"]))
    admins = use[use["admin"]]
    times = admins["account_id"], admins["known_at"], admins["occurred_at"]
    streams.append(ft.stream(*times, "admin_use", admins["actions_count"]))
    return ft.together(streams)


def named(moved: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Moves by function and by level, starts of both kinds as starts."""
    told = moved.assign(what=moved["what"].replace({"internal": "start"}))
    return [(name, told[told[name].notna()]) for name in ("function", "level")]


def move(rows: pd.DataFrame, what: Any) -> pd.DataFrame:
    return ft.stream(rows["account_id"], rows["known_at"], rows["occurred_at"], what)


def profile(found: Tables, account_id: pd.Series, as_of: pd.Series) -> pd.DataFrame:
    """Industry, country and employees_count as they were known then."""
    return ft.last_known(found["accounts"], "account_id", account_id, as_of, PROFILE)


def interactions(found: Tables) -> pd.DataFrame:
    """Who was in touch with whom: from, to, at, kind and message, as `network` reads it."""
    names = {"from_id": "from", "to_id": "to", "occurred_at": "at", "interaction_id": "message"}
    rows = found["interactions"]
    return rows[[*names, "kind"]].rename(columns=names)


def inside(found: Tables) -> pd.DataFrame:
    """Interactions between two people of one account, as `positions_in_network` reads it."""
    where = people(found).set_index("person_id")["account_id"]
    rows = found["interactions"]
    same = rows["from_id"].map(where) == rows["to_id"].map(where)
    names = {"from_id": "from_person_id", "to_id": "to_person_id"}
    return rows.loc[same, [*names, "occurred_at", "kind"]].rename(columns=names)


def titles(found: Tables) -> pd.Series:
    """What people are called here, by person_id: their title and number, never a name."""
    staff = people(found).set_index("person_id")
    level, function = (staff[name].fillna("") for name in ("level", "function"))
    words = staff["title"].fillna((level + " " + function).str.strip())
    return words.where(words != "", "somebody") + " (" + staff.index.astype("str") + ")"
