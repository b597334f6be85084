"""A brief: all that a representative needs before talking to an account, on one page.

What it will spend and why, who decides, who introduces us, and the facts that tell the story. Every
statement cites the records that it was computed from, by number; `citations` says where they are:

    {"17": {"table": "spend", "key": {"spend_id": "s4"}, "known_at": ..., "occurred_at": ...}}

`checked` goes the way back: from the cited records to the same words and numbers. Whoever opted out
is in no record of a brief, not even in a count. What is not known is said to be so, in `unknown`.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from tierwise import examples as ex
from tierwise.briefs import facts as account_facts
from tierwise.briefs import ways as brief_ways
from tierwise.briefs.citations import checked, numbered
from tierwise.briefs.facts import Cited
from tierwise.briefs.ground import Prepared, prepared
from tierwise.briefs.statements import SAYS, Fields, Setting
from tierwise.files import InputError, plain

__all__ = ["Prepared", "brief", "checked", "prepared"]

DIGITS = 6

Brief = dict[str, Any]


def setting(one: Prepared, account_id: int) -> Setting:
    return Setting(account_id, one.as_of, one.settings, one.ours_id)


def brief(one: Prepared, account_id: int) -> Brief:
    """The brief of an account, as JSON types, in a stable order.

    Raises InputError for an account that is not known then, and for our own.
    """
    check_account(one, account_id)
    notes: list[str] = []
    head = statement(one, account_id, "account", {}, {"accounts": profile_rows(one, account_id)})
    told: Fields = {
        "account": head,
        "owner": owner(one, account_id),
        "expected": expected(one, account_id, notes),
        "history": history(one, account_id, notes),
        "deciders": deciders(one, account_id, notes),
    }
    told["ways"] = ways(one, account_id, told["deciders"], notes)
    told["strongest"] = of_account(one, account_id, "strongest", "strongest")
    told["facts"] = facts(one, account_id, notes)
    told, citations = numbered(one.tables, told)
    made = {"account_id": account_id, "as_of": one.as_of, "ours_id": one.ours_id, **told}
    made |= {"unknown": notes, "settings": asdict(one.settings)}
    return {**plain(made, DIGITS), "citations": citations}


def check_account(one: Prepared, account_id: int) -> None:
    if account_id == one.ours_id:
        raise InputError(f"Account {account_id} is our own company. Name another account.")
    if account_id not in one.places["accounts"]:
        raise InputError(
            f"There is no account {account_id} among the {len(one.customers):,} that were known on "
            f"{ex.label(one.as_of)}. Check the number, or choose a later day."
        )


def statement(one: Prepared, account_id: int, kind: str, about: Fields, cited: Cited) -> Fields:
    """What the cited rows say; `cites` still holds positions of rows, see `numbered`."""
    if kind == "fact":
        rows = account_facts.rows_of(one.ground, cited)
    else:
        rows = {name: one.tables[name].iloc[at] for name, at in cited.items()}
    said = SAYS[kind](rows, about, setting(one, account_id))
    return {"kind": kind, "about": about, **said, "cites": cited}


def profile_rows(one: Prepared, account_id: int) -> np.ndarray:
    """The versions that tell the last value of each column."""
    at = one.places["accounts"][account_id]
    rows = one.tables["accounts"].iloc[at]
    columns = ("name", "industry", "country", "employees_count")
    told = [at[rows[name].notna().to_numpy()][-1:] for name in columns]
    return np.unique(np.concatenate(told))


def of_account(one: Prepared, account_id: int, table: str, kind: str) -> Fields | None:
    """What a step before says of the account."""
    at = one.places[table].get(account_id)
    return None if at is None else statement(one, account_id, kind, {}, {table: at})


def expected(one: Prepared, account_id: int, notes: list[str]) -> Fields | None:
    found = of_account(one, account_id, "expected_spend", "expected")
    if found is None:
        notes.append("What this account will spend is not known.")
    return found


def history(one: Prepared, account_id: int, notes: list[str]) -> Fields | None:
    at = one.places["spend"].get(account_id)
    if at is None:
        notes.append("No order of this account is known.")
        return None
    first = one.tables["spend"]["occurred_at"].min().to_period("Q")
    back = one.as_of.to_period("Q") - (one.settings.quarters_count - 1)
    return statement(
        one, account_id, "history", {"first_quarter": str(max(first, back))}, {"spend": at}
    )


def owner(one: Prepared, account_id: int) -> Fields | None:
    """The last of ours who got the account and is still with us."""
    at = one.places["owners"].get(account_id)
    if at is None:
        return None
    person_id = int(one.tables["owners"]["person_id"].iloc[at[-1]])
    if person_id not in one.person_row:
        return None
    cited = {"owners": at[-1:], "positions": np.array([one.person_row[person_id]])}
    return statement(one, account_id, "owner", {"person_id": person_id}, cited)


def deciders(one: Prepared, account_id: int, notes: list[str]) -> list[Fields]:
    """The first few who still work there, by rank."""
    at = one.places["deciders"].get(account_id, np.zeros(0, "int64"))
    rows = one.tables["deciders"].iloc[at]
    order = np.lexsort((rows["person_id"], rows["rank"]))
    found: list[Fields] = []
    for place, person_id in zip(at[order], rows["person_id"].iloc[order], strict=True):
        row = one.person_row.get(int(person_id))
        if row is None or one.tables["positions"]["account_id"].iloc[row] != account_id:
            continue
        cited = {"deciders": np.array([place]), "positions": np.array([row])}
        about = {"person_id": int(person_id)}
        found.append(statement(one, account_id, "decider", about, cited))
        if len(found) == one.settings.deciders_count:
            return found
    if not found:
        notes.append("Who decides there is not known.")
    return found


def ways(one: Prepared, account_id: int, those: list[Fields], notes: list[str]) -> list[Fields]:
    """The best ways of ours to each decider, in the order of the deciders."""
    found: list[Fields] = []
    missed: list[int] = []
    for decider in those:
        target = int(decider["person_id"])
        counts = one.settings.ways_count, one.settings.introducers_count
        known = brief_ways.ways(one.net, target, *counts)
        missed += [] if known else [target]
        found += [way(one, account_id, single) for single in known]
    told = " or ".join(f"person {person_id}" for person_id in missed)
    if missed and not found and not brief_ways.known_there(one.net, workers(one, account_id)):
        notes.append("Nobody of ours is known there.")
    elif missed:
        notes.append(f"Nobody of ours is known to reach {told}.")
    return found


def workers(one: Prepared, account_id: int) -> list[int]:
    """person_id of those who work there."""
    at = one.places["positions"].get(account_id, np.zeros(0, "int64"))
    people = one.tables["positions"]["person_id"].iloc[at].unique()
    where = one.tables["positions"]["account_id"].to_numpy()
    rows = [(int(person), one.person_row.get(int(person))) for person in people]
    return [person for person, row in rows if row is not None and where[row] == account_id]


def way(one: Prepared, account_id: int, found: brief_ways.Way) -> Fields:
    about: Fields = {"source": found.source, "target": found.target}
    about |= {"via": list(found.via), "longer": list(found.longer)}
    people = {found.source, found.target, *found.via, *found.longer}
    rows = [one.person_row[person] for person in people if person in one.person_row]
    cited = {"interactions": found.rows, "positions": np.unique(np.array(rows, "int64"))}
    return statement(one, account_id, "way", about, cited)


def facts(one: Prepared, account_id: int, notes: list[str]) -> list[Fields]:
    """The story, the weightiest fact first."""
    every = account_facts.candidates(one.ground, account_id)
    found = [
        statement(
            one,
            account_id,
            "fact",
            {"topic": told.topic, "metric": told.metric, "against": told.case.against},
            told.cited,
        )
        for told in account_facts.chosen(every, one.settings)
    ]
    if not found:
        notes.append("Too little is known of this account for a story.")
    return found
