"""All tables: what each column holds, in which unit, and when it is known.

One pandera contract per table, in `crm_tables`, `account_tables`, `provider_tables`,
`customer_tables` and `referral_tables`; data/README.md is generated from them. Two times matter:

    occurred_at    when it happened
    known_at       when we learned of it; only this one decides what was known

All times are UTC, without a zone of their own. A table may have more columns than its contract
names. Such custom fields (numbers, text, yes or no, times) have no history: a value is the latest
one, nobody can say what it was last month, and so the leak guard looks at each of them.

A snapshot keeps the custom fields of deals alone, see `kept`: what no model looks at, such as a
text that somebody wrote, is best not copied.

A number is finite or missing. "inf" is a division by zero in somebody's report, never a measure.
"""

import difflib
from functools import cache
from pathlib import Path

import pandas as pd

from tierwise import (
    account_tables,
    crm_tables,
    customer_tables,
    provider_tables,
    referral_tables,
    refusals,
)
from tierwise.contracts import TIME
from tierwise.crm_tables import ACTIVITY_TYPES, FIELDS, STATUSES
from tierwise.files import InputError
from tierwise.refusals import pa

__all__ = ["ACTIVITY_TYPES", "FIELDS", "STATUSES", "TIME"]
Names = tuple[str, ...]
CRM: Names = tuple(crm_tables.CONTRACTS)
ACCOUNTS: Names = tuple(account_tables.CONTRACTS)
PROVIDERS: Names = tuple(provider_tables.CONTRACTS)
CUSTOMERS: Names = tuple(customer_tables.CONTRACTS)
REFERRALS: Names = tuple(referral_tables.CONTRACTS)
# tables that are read together, by name
SETS = {"crm": CRM, "accounts": ACCOUNTS, "providers": PROVIDERS, "customers": CUSTOMERS}
SETS |= {"referrals": REFERRALS}
FAMILIES = (crm_tables, account_tables, provider_tables, customer_tables, referral_tables)
CONTRACTS = {name: one for family in FAMILIES for name, one in family.CONTRACTS.items()}
# What tells the rows of a table apart; a second row with the same key is a copy of the first.
KEYS = {name: key for family in FAMILIES for name, key in family.KEYS.items()}
# Copies of a message are the normal case in these; elsewhere a second row with the key is an error.
COPIES_ALLOWED = tuple(name for family in FAMILIES for name in family.COPIES_ALLOWED)
# table -> column that must be found in another table's column of the same name; purchases are of
# people in one set and of members in another, so it is asked by set, see `references`
REFERENCES = {name: to for family in FAMILIES for name, to in family.REFERENCES.items()}
NEVER_EMPTY = tuple(name for family in FAMILIES for name in family.NEVER_EMPTY)
OWNERS = (
    *("organization_id", "deal_id", "user_id", "account_id", "from_id", "person_id"),
    *("provider_id", "link_id"),
)
# Columns of a contract that must be readable, but that a snapshot leaves out.
NOT_KEPT = {"events": ["properties"]}
PART = "tierwise_part"  # the column by which a snapshot's rows are scattered
# What a custom field of deals can't be called: columns of ours stand beside it.
RESERVED = (PART, "as_of", "outcome", "outcome_known_at", "span", "entity_id", "owner_id")


@cache
def kept(name: str) -> pa.DataFrameSchema:
    """The contract of a table in a snapshot."""
    return CONTRACTS[name].remove_columns(NOT_KEPT.get(name, []))


def references(names: Names) -> dict[str, tuple[str, str]]:
    """table -> (column, table in which it must be found), among tables that are read together."""
    within = [family for family in FAMILIES if set(family.CONTRACTS) <= set(names)]
    return {name: to for family in within for name, to in family.REFERENCES.items()}


def owner_of(name: str) -> str:
    """Whose rows stand together, and within whom two rows with the same key are copies."""
    columns = CONTRACTS[name].columns
    return next(c for c in OWNERS if c in columns)


def check(name: str, frame: pd.DataFrame) -> None:
    """Raises InputError that names the first broken rule in column order, and its first rows."""
    found = refusals.failures(CONTRACTS[name], KEYS[name], frame)
    if found:
        raise refusals.refusal(name, found)


def must_all_be_there(there: list[str], place: str | Path, names: Names = CRM) -> None:
    """Raises InputError that lists the tables that are there, and the nearest name."""
    absent = [name for name in names if name not in there]
    if absent:
        others = [name for name in there if name not in names]
        near = difflib.get_close_matches(absent[0], others, 1, 0.5)
        nearest = f" The nearest name is {near[0]}." if near else ""
        raise InputError(
            f"{place} has no table {', '.join(absent)}; there are {', '.join(there) or 'none'}."
            f"{nearest} A table may be empty but must be there."
        )


def codebook() -> str:
    """Markdown for data/README.md: one table per table, one line per column."""
    return "\n".join(line for name in CONTRACTS for line in codebook_lines(name)).rstrip() + "\n"


def codebook_lines(name: str) -> list[str]:
    copies = ", copies allowed" if name in COPIES_ALLOWED else ""
    lines = [f"### {name}", "", f"Key: {', '.join(KEYS[name])}{copies}.", ""]
    lines += ["| column | meaning | type | unit | known when |", "|---|---|---|---|---|"]
    for column_name, one in CONTRACTS[name].columns.items():
        kind = [refusals.TYPES[refusals.dtype_of(one)], *(text.error for text in one.checks)]
        kind += ["may be missing"] if one.nullable else []
        unit, known = one.metadata["unit"], one.metadata["known"]
        cells = (column_name, one.description, "; ".join(kind), unit or "-", known)
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]
