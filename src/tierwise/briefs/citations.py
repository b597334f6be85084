"""From statements to the records that they cite, by number, and back again."""

import math
from typing import Any

import numpy as np
import pandas as pd

from tierwise import accounts
from tierwise.briefs.ground import KEYS
from tierwise.briefs.settings import Settings
from tierwise.briefs.statements import SAYS, Fields, Setting
from tierwise.files import InputError, plain

DIGITS = 6
NOT_SAID = ("kind", "about", "cites")
Citation = dict[str, Any]


def statements(brief: Fields) -> list[Fields]:
    """All statements of a brief, in its order."""
    found = []
    for value in brief.values():
        several = value if isinstance(value, list) else [value]
        found += [one for one in several if isinstance(one, dict) and "cites" in one]
    return found


def numbered(tables: accounts.Tables, told: Fields) -> tuple[Fields, dict[str, Citation]]:
    """Numbers in place of positions of rows, and what each number stands for.

    A record has one number, however many statements cite it. Numbers go by table, then by time.
    """
    every = [one["cites"] for one in statements(told)]
    citations: dict[str, Citation] = {}
    places, before = {}, 1
    for name in KEYS:
        at = [one[name] for one in every if name in one]
        if at:
            places[name] = (np.unique(np.concatenate(at)), before)
            citations |= described(name, tables[name].iloc[places[name][0]], before)
            before += len(places[name][0])

    def numbers(cited: dict[str, np.ndarray]) -> list[int]:
        found = [places[name][1] + np.searchsorted(places[name][0], cited[name]) for name in cited]
        return sorted(np.concatenate(found).tolist())

    return replaced(told, numbers), citations


def replaced(value: Any, numbers: Any) -> Any:
    """The same statements with numbers in `cites`."""
    if isinstance(value, list):
        return [replaced(one, numbers) for one in value]
    if isinstance(value, dict) and "cites" in value:
        return {**value, "cites": numbers(value["cites"])}
    if isinstance(value, dict):
        return {name: replaced(one, numbers) for name, one in value.items()}
    return value


def described(name: str, rows: pd.DataFrame, first: int) -> dict[str, Citation]:
    """table, key, known_at, occurred_at of each row; the results of steps have no times."""
    keys = [texts(rows[column]) for column in KEYS[name]]
    times = [column for column in ("known_at", "occurred_at") if column in rows]
    told = [texts(rows[column]) for column in times]
    found = {}
    for place, values in enumerate(zip(*keys, *told, strict=True)):
        key = dict(zip(KEYS[name], values, strict=False))
        when = dict(zip(times, values[len(keys) :], strict=True))
        found[str(first + place)] = {"table": name, "key": key, **when}
    return found


def texts(column: pd.Series) -> list[Any]:
    """Numbers as they are, times as ISO text."""
    if not pd.api.types.is_datetime64_any_dtype(column):
        return column.tolist()
    return np.datetime_as_string(column.to_numpy("datetime64[us]")).tolist()


class Records:
    """Tables in which cited records are looked up; each is indexed when it is first needed."""

    def __init__(self, tables: accounts.Tables) -> None:
        self.tables = tables
        self.indexed: dict[str, tuple[pd.DataFrame, pd.MultiIndex]] = {}

    def found(self, name: str, citations: list[Citation]) -> pd.DataFrame:
        """The rows of these citations of one table. Raises InputError for one that is not there."""
        if name not in self.indexed:
            self.indexed[name] = self.read(name)
        rows, index = self.indexed[name]
        keys = [tuple(one["key"].values()) for one in citations]
        wanted = pd.DataFrame(keys, columns=KEYS[name]).astype(rows[KEYS[name]].dtypes.to_dict())
        at = index.get_indexer(pd.MultiIndex.from_frame(wanted))
        if (at < 0).any():
            lost = citations[int(np.argmin(at))]["key"]
            raise InputError(f"A brief cites {lost} of {name}, which is not there. Make it again.")
        found = rows.iloc[at]
        for column in ("known_at", "occurred_at"):
            told = [one.get(column) for one in citations]
            if column in rows and texts(found[column]) != told:
                raise InputError(f"Records of {name} have another {column} than the brief cites.")
        return found

    def read(self, name: str) -> tuple[pd.DataFrame, pd.MultiIndex]:
        if name not in self.tables:
            raise InputError(
                f"The brief cites the table {name}. Pass it beside the tables of accounts."
            )
        rows, keys = self.tables[name], KEYS[name]
        by = ["known_at", *keys] if "known_at" in rows else keys
        rows = rows.sort_values(list(dict.fromkeys(by)), kind="stable").drop_duplicates(keys)
        return rows, pd.MultiIndex.from_frame(rows[keys])


def checked(brief: Fields, tables: accounts.Tables | Records) -> None:
    """Compute every statement again from the records that it cites.

    tables: those of accounts, with expected_spend, deciders and strongest beside them where the
    brief was made from such. For many briefs pass one `Records`. Raises InputError for the first
    statement that its records don't give, and for a record that is not there.
    """
    records = tables if isinstance(tables, Records) else Records(tables)
    given = Settings(**brief["settings"])
    where = Setting(brief["account_id"], timed(brief["as_of"]), given, brief["ours_id"])
    for one in statements(brief):
        rows = cited(brief, one, records)
        said = plain(SAYS[one["kind"]](rows, one["about"], where), DIGITS)
        for name in one.keys() - NOT_SAID:
            if not same(said.get(name), one[name]):
                raise InputError(
                    f"Account {brief['account_id']}, {one['kind']}: {name} is {one[name]!r}, but "
                    f"the records that it cites give {said.get(name)!r}. Make the brief again."
                )


def timed(text: str) -> pd.Timestamp:
    return pd.Timestamp(text).as_unit("us")


def cited(brief: Fields, one: Fields, records: Records) -> accounts.Tables:
    """The rows that a statement cites, by table."""
    by_table: dict[str, list[Citation]] = {}
    for number in one["cites"]:
        citation = brief["citations"][str(number)]
        by_table.setdefault(citation["table"], []).append(citation)
    return {name: records.found(name, those) for name, those in by_table.items()}


def same(one: Any, other: Any) -> bool:
    """Equal; real numbers up to what rounding does to them."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=2e-6)
    return bool(one == other)
