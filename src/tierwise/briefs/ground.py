"""What all briefs of one instant share: the known rows, peers, the network, who works where.

Whoever opted out is taken out of every table first, so that no later step can forget it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise import accounts, tables
from tierwise import examples as ex
from tierwise.briefs import facts as account_facts
from tierwise.briefs import ways as brief_ways
from tierwise.briefs.facts import Ground
from tierwise.briefs.measures import PAST, within
from tierwise.briefs.settings import Case, Settings
from tierwise.briefs.ways import Net
from tierwise.files import InputError

STEPS: dict[str, list[str]] = {"expected_spend": ["account_id"], "strongest": ["account_id"]}
STEPS |= {"deciders": ["account_id", "person_id"]}
KEYS = {name: tables.KEYS[name] for name in tables.ACCOUNTS} | STEPS
PEOPLE: dict[str, tuple[str, ...]] = {
    "positions": ("person_id",),
    "product_use": ("person_id",),
    "deciders": ("person_id",),
}
PEOPLE |= {"interactions": ("from_id", "to_id"), "owners": ("person_id",)}
COLUMNS = {
    "expected_spend": ["account_id", "spend_eur", "low_eur", "high_eur", "interval_share", "why"],
    "deciders": ["account_id", "person_id", "chance", "rank", "why"],
    "strongest": ["account_id", "sentence"],
}


@dataclass(frozen=True)
class Prepared:
    """What all briefs of one instant share.

    tables: the rows that were known, by known_at, without copies and without those who opted out;
    beside them the results of the steps before. places: positions of the rows of each account.
    person_row: where each person's position stands in `positions`.
    """

    tables: accounts.Tables
    as_of: pd.Timestamp
    settings: Settings
    ground: Ground
    net: Net
    ours_id: int | None
    customers: np.ndarray
    places: dict[str, dict[int, np.ndarray]]
    person_row: dict[int, int]


def prepared(
    found: accounts.Tables,
    as_of: pd.Timestamp,
    spend: pd.DataFrame,
    deciders: pd.DataFrame,
    settings: Settings | None = None,
    strongest: pd.DataFrame | None = None,
) -> Prepared:
    """Everything that does not depend on the account.

    found: the tables of accounts. spend: account_id, spend_eur, low_eur, high_eur, interval_share,
    why (list). deciders: account_id, person_id, chance, rank, why. strongest: account_id, sentence.
    An account may be missing in the last three. Raises InputError for a missing column, an account
    or a person twice, and a last_year_eur of `spend` that the orders don't add up to.
    """
    settings, as_of = settings or Settings(), pd.Timestamp(as_of).as_unit("us")
    nobody = pd.DataFrame(columns=COLUMNS["strongest"])
    handed = {"expected_spend": spend, "deciders": deciders}
    handed["strongest"] = nobody if strongest is None else strongest
    steps = {name: of_step(name, rows) for name, rows in handed.items()}
    rows = without(cleaned(found, as_of) | steps, accounts.opted_out(accounts.known(found, as_of)))
    ground = account_facts.ground({name: rows[name] for name in found}, as_of, settings)
    by_account = ("accounts", "positions", "spend", "owners", *STEPS)
    one = Prepared(
        tables=rows,
        as_of=as_of,
        settings=settings,
        ground=ground,
        net=brief_ways.net(rows, as_of),
        ours_id=accounts.our_account(rows),
        customers=accounts.customers(rows),
        places={name: account_facts.by_account(rows[name]) for name in by_account},
        person_row=person_rows(rows),
    )
    check_last_year(one)
    return one


def cleaned(found: accounts.Tables, as_of: pd.Timestamp) -> accounts.Tables:
    """What was known, each record once, by known_at, then key: so rows may come in any order."""
    known = accounts.known(found, as_of)
    return {name: ordered(rows, KEYS[name]) for name, rows in known.items()}


def ordered(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    by = list(dict.fromkeys(["known_at", *keys]))
    return rows.sort_values(by, kind="stable").drop_duplicates(keys).reset_index(drop=True)


def of_step(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """What a step before handed in, by key. Raises InputError, see `prepared`."""
    missing = [column for column in COLUMNS[name] if column not in rows]
    if missing:
        raise InputError(
            f"The table {name} needs the columns {', '.join(COLUMNS[name])}; "
            f"{', '.join(missing)} is missing. Add it."
        )
    twice = rows[rows.duplicated(KEYS[name])]
    if len(twice):
        told = ", ".join(f"{column} {twice.iloc[0][column]}" for column in KEYS[name])
        raise InputError(f"The table {name} holds {told} twice. Keep one row of each.")
    return rows.sort_values(KEYS[name], kind="stable").reset_index(drop=True)


def without(rows: accounts.Tables, gone: set[int]) -> accounts.Tables:
    """The same tables without any row of those who opted out."""
    kept = dict(rows)
    for name, columns in PEOPLE.items():
        there = rows[name][list(columns)].isin(gone).any(axis=1)
        kept[name] = rows[name][~there].reset_index(drop=True)
    return kept


def person_rows(rows: accounts.Tables) -> dict[int, int]:
    """Where in `positions` the lasting position of each person stands."""
    people = accounts.people(rows)
    keys = pd.MultiIndex.from_frame(rows["positions"][KEYS["positions"]])
    at = keys.get_indexer(pd.MultiIndex.from_frame(people[KEYS["positions"]]))
    return dict(zip(people["person_id"].tolist(), at.tolist(), strict=True))


def check_last_year(one: Prepared) -> None:
    """A page must not contradict the reasons that are quoted on it."""
    rows = one.tables["expected_spend"]
    if "last_year_eur" not in rows:
        return
    year = Case(0, one.as_of, PAST, one.settings).year()
    spent = within(one.tables["spend"], year)
    sums = spent.groupby("account_id")["amount_eur"].sum().reindex(rows["account_id"], fill_value=0)
    wrong = rows[np.abs(sums.to_numpy() - rows["last_year_eur"].to_numpy("float64")) > 1]
    if len(wrong):
        first = wrong.iloc[0]
        raise InputError(
            f"Account {first['account_id']}: last_year_eur is {first['last_year_eur']:,.2f}, but "
            f"the orders of the {one.settings.year_days:.0f} days before {ex.label(one.as_of)} "
            f"add up to {sums[first['account_id']]:,.2f}. Use the same tables and as-of time."
        )
