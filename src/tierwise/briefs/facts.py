"""Facts that tell the story of an account, each with the records that it was computed from.

What can be measured is in measures.py; here the records of each measure are found, and the
three to five facts chosen that differ most, weighted by what is at stake. Nothing is told without a
source, nothing that is older than its limit, and nothing of fewer peers than the least number.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise import accounts
from tierwise import examples as ex
from tierwise.briefs.measures import (
    MEASURES,
    PAST,
    PEERS,
    Told,
    peer_groups,
    there,
    within,
)
from tierwise.briefs.settings import Case, Settings

USED = {
    "accounts": ["account_id", "known_at", "industry", "employees_count"],
    "positions": [
        *("account_id", "person_id", "known_at", "occurred_at", "ended_at"),
        *("function", "level"),
    ],
    "product_use": ["account_id", "known_at", "occurred_at", "actions_count"],
    "spend": ["account_id", "known_at", "occurred_at", "amount_eur"],
}
WORDS = ("industry", "function", "level")
Cited = dict[str, np.ndarray]  # table -> positions of its rows, ascending
Pool = tuple[str, dict[int, np.ndarray]]  # table, and positions of its rows by account


@dataclass(frozen=True)
class Ground:
    """The known tables, and which of their rows each measure needs, by account.

    pools: rows by what they tell, see `pooled`. peers: the others of the same kind, by account.
    """

    tables: accounts.Tables
    as_of: pd.Timestamp
    settings: Settings
    pools: dict[str, Pool]
    peers: dict[int, np.ndarray]
    slim: accounts.Tables


@dataclass(frozen=True)
class Fact:
    """topic: what it is about; metric: which measure of it.

    newest: when the newest own record became known. cited: the records it was computed from.
    """

    topic: str
    metric: str
    case: Case
    told: Told
    newest: pd.Timestamp
    limit_days: float
    cited: Cited

    @property
    def weight(self) -> float:
        """By this the facts of an account are chosen."""
        return abs(self.told.standardised) * self.case.settings.stakes[self.topic]


def ground(tables: accounts.Tables, as_of: pd.Timestamp, settings: Settings) -> Ground:
    """What all accounts share. tables: the known rows, by known_at, without copies."""
    case = Case(0, as_of, PAST, settings)
    customers = accounts.customers(tables)
    versions = tables["accounts"]
    groups = peer_groups(versions[versions["account_id"].isin(customers)], settings)
    members = {name: np.sort(part.index) for name, part in groups.groupby(["industry", "band"])}
    same = {int(one): ids[ids != one] for ids in members.values() for one in ids}
    return Ground(tables, as_of, settings, pooled(tables, case), same, slim(tables))


def pooled(tables: accounts.Tables, case: Case) -> dict[str, Pool]:
    """Rows by what they tell: profile, size_<n years ago>, hires_<n>, cohort_<n>, recruiters_<n>,
    use_<n windows ago>, spend_<n>; 0 is the last year or window."""
    versions = tables["accounts"]
    hires = starts(tables["positions"])
    held = accounts.latest(tables["positions"], "position_id")
    told = [last_rows(versions, name) for name in ("industry", "employees_count")]
    found: dict[str, pd.DataFrame] = {"profile": pd.concat(told)}
    for back in (0, 1):
        begin = case.year(back)[0]
        earlier = versions[ex.known_before(versions, begin, "known_at")]
        found[f"size_{back + 1}"] = last_rows(earlier, "employees_count")
        found[f"hires_{back}"] = within(hires, case.year(back))
        found[f"cohort_{back}"] = cohort(held, begin)
        found[f"recruiters_{back}"] = cohort(held, begin, "recruiting")
        found[f"use_{back}"] = within(tables["product_use"], case.season(back))
        found[f"spend_{back}"] = within(tables["spend"], case.year(back))
    return {name: (table_of(name), by_account(rows)) for name, rows in found.items()}


def table_of(pool: str) -> str:
    what = pool.partition("_")[0]
    named = {"use": "product_use", "spend": "spend", "profile": "accounts", "size": "accounts"}
    return named.get(what, "positions")


def by_account(rows: pd.DataFrame) -> dict[int, np.ndarray]:
    """Labels of the rows of each account; they are positions in the whole table."""
    labels = rows.index.to_numpy()
    return {
        int(one): np.unique(labels[at]) for one, at in rows.groupby("account_id").indices.items()
    }


def last_rows(versions: pd.DataFrame, column: str) -> pd.DataFrame:
    told = versions[versions[column].notna()]
    return told.drop_duplicates("account_id", keep="last")


def starts(positions: pd.DataFrame) -> pd.DataFrame:
    """First row of each position of somebody who had held none at that account before."""
    first = positions.drop_duplicates("position_id")
    before = first.sort_values(["occurred_at", "known_at"], kind="stable")
    return before[~before.duplicated(["account_id", "person_id"])].sort_index()


def cohort(held: pd.DataFrame, begin: pd.Timestamp, function: str | None = None) -> pd.DataFrame:
    """All positions, as they stand, of the people who held one at that account at `begin`."""
    first = held[there(held, begin)]
    if function:
        first = first[first["function"] == function]
    who = ["account_id", "person_id"]
    inside = pd.MultiIndex.from_frame(held[who]).isin(pd.MultiIndex.from_frame(first[who]))
    return held[inside]


NEEDS = {
    "growth": ("size_1", "size_2"),
    "hiring": ("hires_0", "hires_1"),
    "attrition": ("cohort_0", "cohort_1"),
    "recruiters": ("recruiters_0", "recruiters_1"),
    "use": ("use_0", "use_1"),
    "benchmark": ("spend_0", "spend_1"),
}


def found_rows(known: Ground, pools: Iterable[str], ids: Iterable[int]) -> Cited:
    """The rows of these pools and accounts."""
    found: dict[str, list[np.ndarray]] = {}
    for name in pools:
        table, rows = known.pools[name]
        found.setdefault(table, []).extend(rows[one] for one in ids if one in rows)
    return {name: np.unique(np.concatenate(at)) for name, at in found.items() if at}


def needed(known: Ground, what: str, account_id: int, against: str) -> Cited:
    """The records of a measure: of the account and its peers, or of the account then and now."""
    now, before = NEEDS[what]
    if against == PEERS:
        ids = [account_id, *known.peers.get(account_id, ())]
        return found_rows(known, ("profile", now), ids)
    profile = ("profile",) if what in ("growth", "benchmark") else ()
    return found_rows(known, (*profile, now, before), [account_id])


def rows_of(known: Ground, cited: Cited) -> accounts.Tables:
    """The cited rows of every table that is cited."""
    return {name: known.slim[name].take(at) for name, at in cited.items()}


def slim(tables: accounts.Tables) -> accounts.Tables:
    """The columns that measures use, words as categories: thousands of rows are taken from them."""
    return {
        name: tables[name][columns].astype(
            {column: "category" for column in columns if column in WORDS}
        )
        for name, columns in USED.items()
    }


def candidates(known: Ground, account_id: int) -> list[Fact]:
    """Every fact that the data support about this account, in a fixed order."""
    found = [
        told_of(known, what, Case(account_id, known.as_of, against, known.settings))
        for what in NEEDS
        for against in (PEERS, PAST)
    ]
    return [one for one in found if one is not None]


def told_of(known: Ground, what: str, case: Case) -> Fact | None:
    """One fact, None where the data don't support it."""
    others = known.peers.get(case.account_id, np.zeros(0, "int64"))
    if case.against == PEERS and len(others) < case.settings.peers_least_count:
        return None
    cited = needed(known, what, case.account_id, case.against)
    rows = rows_of(known, cited)
    topic = "attrition" if what == "recruiters" else what
    newest = newest_own(rows, case, topic)
    limit_days = case.settings.limit_days[topic]
    if newest is None or ex.is_older(newest, case.as_of, 24 * limit_days):
        return None
    told = MEASURES[what](rows, case, others)
    return None if told is None else Fact(topic, what, case, told, newest, limit_days, cited)


def newest_own(rows: accounts.Tables, case: Case, topic: str) -> pd.Timestamp | None:
    """When the newest of the account's own records became known; None where there is none."""
    newest = []
    for name, table in rows.items():
        own = table["account_id"].to_numpy() == case.account_id
        if own.any() and (topic == "growth" or name != "accounts"):
            newest.append(pd.Timestamp(table["known_at"].to_numpy()[own].max()))
    return max(newest) if newest else None


def chosen(facts: list[Fact], settings: Settings) -> list[Fact]:
    """The story: the weightiest fact of each topic, the weightiest topic first."""
    ordered = sorted(facts, key=lambda one: (-one.weight, one.metric, one.case.against))
    best = list({one.topic: one for one in reversed(ordered)}.values())
    best.sort(key=lambda one: (-one.weight, one.metric))
    return [
        one
        for place, one in enumerate(best[: settings.facts_most_count])
        if place < settings.facts_least_count or abs(one.told.standardised) >= settings.notable_size
    ]
