"""What just changed at accounts, as episodes with their proof.

    senior_hr_left    somebody of human resources, director or higher, left the account
    user_moved        somebody who used our product elsewhere joined the account
    hiring_doubled    hires of the last 90 days against those before
    usage_fell        actions of the last four weeks against the twelve before

An episode is a function of the rows that were known before its known_at, and of no later one. So
whoever looks every day, every month, or once at the end finds the same episodes, and neither the
order of rows nor a copy of one changes them. Where a later row could take the episode back (the
director only changed seats), or rows of the day itself are still on their way, known_at lies
settle_days later.

What was told already, and to whom, is in `alerts.ledger`.
"""

import pandas as pd

from tierwise import accounts
from tierwise import examples as ex
from tierwise.account_tables import COPIES_ALLOWED, KEYS
from tierwise.accounts import Tables
from tierwise.alerts import people as alert_people
from tierwise.alerts import windows as alert_windows
from tierwise.alerts.ground import COLUMNS, USED, Asked

__all__ = ["COLUMNS", "Asked"]


def episodes(found: Tables, as_of: pd.Timestamp, settings: Asked) -> pd.DataFrame:
    """Everything that changed, as far as it was known before `as_of`.

    found: the tables of account_tables by name; rows known later are left out here. Columns:
    COLUMNS; by known_at, then by kind, account and person. evidence: keys of the records that
    prove it, such as "positions:p12". words: one sentence; people by title and number.
    """
    rows = tidy(accounts.known(found, as_of))
    parts = [
        alert_people.seniors_left(rows, settings),
        alert_people.users_moved(rows, settings),
        alert_windows.hiring_doubled(rows, as_of, settings),
        alert_windows.usage_fell(rows, as_of, settings),
    ]
    table = typed(pd.concat([part.astype(object) for part in parts], ignore_index=True))
    return in_order(table[ex.known_before(table, as_of, "known_at")])


def tidy(found: Tables) -> Tables:
    """The rows of USED in an order that depends on them alone, by known_at; of copies the one that
    was known first."""
    tidied = {}
    for name in USED:
        keys = list(KEYS[name])
        rows = found[name].sort_values(list(dict.fromkeys(["known_at", *keys])))
        if name in COPIES_ALLOWED:
            rows = rows.drop_duplicates(keys)
        tidied[name] = rows.reset_index(drop=True)
    return tidied


def typed(table: pd.DataFrame) -> pd.DataFrame:
    kinds = {"kind": "str", "account_id": "int64", "person_id": "Int64", "words": "str"}
    kinds |= {"other_account_id": "Int64"}
    kinds |= dict.fromkeys(("occurred_at", "known_at"), "datetime64[us]")
    return table.reindex(columns=list(COLUMNS)).astype(kinds)


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    order = ["known_at", "kind", "account_id", "person_id", "occurred_at"]
    return table.sort_values(order, kind="stable").reset_index(drop=True)
