"""What all kinds of alerts share: settings, columns, and words that are safe in a sentence."""

from typing import Annotated

import pandas as pd
from pydantic import BaseModel, Field

from tierwise import features as ft
from tierwise.accounts import Tables
from tierwise.calls.text import guarded, readable, shortened

COLUMNS = (
    *("kind", "account_id", "person_id", "other_account_id", "occurred_at", "known_at"),
    *("evidence", "words"),
)
USED = ("accounts", "positions", "product_use")
NAME_MAX_CHARACTERS = 80
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Asked(BaseModel, extra="forbid", strict=True):
    """The section account_alerts of an application of accounts in params.yaml.

    cooldown_days: no second alert of one kind about one account and person within so many days.
    settle_days: how long rows of a day may still come in.
    stale_days: what we learn later than this after it happened is no news.
    returns_days: who takes another seat there within so many days has not left.
    used_days_count, used_within_days: days of use before they joined that make somebody a user.
    hires_p: chance of so many hires, or more, were the pace the same as before.
    use_share: use fell where it is this share of what was to be expected, or less.
    use_min_actions: so many actions in use_days were to be expected at least.
    use_deviations: the fall is so many standard deviations, at least.
    use_low_days: on so many days in a row all of that holds; one heavy user's week off does not.
    peers_min_count: so many accounts show what is a holiday for all; below it nothing is made up.
    contact_days: whose contacts count where an account has no owner.
    """

    cooldown_days: Count = 90
    settle_days: Annotated[int, Field(ge=0)] = 3
    stale_days: Count = 180
    returns_days: Annotated[int, Field(ge=0)] = 30
    used_days_count: Count = 3
    used_within_days: Count = 240
    hires_days: Count = 90
    hires_before_days: Count = 365
    hires_factor: Annotated[float, Field(gt=1)] = 2.0
    hires_min_count: Count = 4
    hires_p: Share = 0.01
    use_days: Count = 28
    use_before_days: Count = 84
    use_share: Share = 0.5
    use_min_actions: Annotated[float, Field(gt=0)] = 150.0
    use_deviations: Annotated[float, Field(ge=0)] = 3.5
    use_low_days: Count = 7
    peers_min_count: Count = 10
    contact_days: Count = 180


def no_episodes() -> pd.DataFrame:
    return pd.DataFrame(columns=list(COLUMNS), dtype=object)


def called(found: Tables, table: pd.DataFrame, column: str) -> list[str]:
    """ "Alder & Sons (account 1)" for each row, by the name that was known at its known_at; with
    no name, and where the id is missing, "another account" or the number alone."""
    rows = table.reset_index(drop=True)
    ids = rows[column].fillna(-1).astype("int64")
    names = ft.last_known(found["accounts"], "account_id", ids, rows["known_at"], ["name"])["name"]
    return [
        "another account" if account_id < 0 else titled(spoken(name), account_id)
        for account_id, name in zip(ids, names, strict=True)
    ]


def titled(name: str, account_id: int) -> str:
    return f"{name} (account {account_id})" if name else f"account {account_id}"


def spoken(text: object) -> str:
    """What somebody wrote, as a part of a sentence: one line, short, no start of a formula."""
    return guarded(shortened(readable(text), NAME_MAX_CHARACTERS))


def counted(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"
