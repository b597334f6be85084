"""A simulated world of few accounts in two industries, and what the steps before a brief hand in."""

from functools import cache

import pandas as pd

from tierwise import accounts, tables
from tierwise.briefs import brief as briefs
from tierwise.briefs.settings import Settings
from tierwise.simulation import account_world
from tierwise.simulation.account_settings import AccountSettings

AS_OF = pd.Timestamp("2025-03-01")
SETTINGS = Settings(peers_least_count=2, hires_least_count=5, size_bands=(250,))


@cache
def drawn() -> dict[str, pd.DataFrame]:
    """All rows, those of the future as well."""
    made = AccountSettings(seed=5, accounts_count=24, months_count=29, ours_count=12)
    found = account_world.draw(made)[0]
    versions = found["accounts"]
    two = versions["account_id"].map(lambda one: ("retail", "health care")[one % 2])
    found["accounts"] = versions.assign(industry=two.where(versions["industry"].notna()))
    # So few accounts hardly buy: the orders of the two largest are shared among seven.
    buys = found["spend"]["account_id"]
    shared = pd.Series(buys.index % 7, buys.index).map(lambda one: (2, 5, 7, 9, 10, 12, 20)[one])
    found["spend"]["account_id"] = buys.where(~buys.isin([5, 20]), shared)
    return found


def world() -> dict[str, pd.DataFrame]:
    """Yours to change."""
    return {name: rows.copy() for name, rows in drawn().items()}


def spend(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Last year and a tenth more; nothing of the account with the largest number."""
    known = found["spend"][found["spend"]["known_at"] < AS_OF].drop_duplicates("spend_id")
    year = known[known["occurred_at"] >= AS_OF - pd.Timedelta(days=365)]
    sums = year.groupby("account_id")["amount_eur"].sum()
    ids = accounts.customers(found)[:-1]
    last = sums.reindex(ids, fill_value=0.0).to_numpy()
    told = pd.DataFrame({"account_id": ids, "spend_eur": 1.1 * last + 500, "last_year_eur": last})
    told["low_eur"], told["high_eur"] = 0.5 * told["spend_eur"], 1.8 * told["spend_eur"]
    why = [[f"spent €{money:,.0f} in the last year", "use grew"] for money in last]
    return told.assign(interval_share=0.9, why=why)


def deciders(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Six of each account, the highest first; nobody of the account with the largest number."""
    ids = accounts.customers(found)[:-1]
    people = accounts.people(accounts.known(found, AS_OF))
    people = people[people["account_id"].isin(ids)]
    height = people["level"].map({"manager": 3, "director": 2, "lead": 1}).fillna(0)
    people = people.assign(height=-height).sort_values(["account_id", "height", "person_id"])
    told = people[["account_id", "person_id"]].reset_index(drop=True)
    told["rank"] = told.groupby("account_id").cumcount() + 1
    told = told[told["rank"] <= 6]
    why = [[f"rank {rank} by level"] for rank in told["rank"]]
    return told.assign(chance=0.5 / told["rank"], why=why)


def strongest(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Said of the first account only."""
    first = accounts.customers(found)[:1]
    return pd.DataFrame({"account_id": first, "sentence": ["No difference among ours."]})


@cache
def prepared() -> briefs.Prepared:
    return prepare(drawn())


def prepare(found: dict[str, pd.DataFrame], settings: Settings = SETTINGS) -> briefs.Prepared:
    """With the steps' results of the unchanged world."""
    steps = spend(drawn()).drop(columns="last_year_eur"), deciders(drawn())
    return briefs.prepared(found, AS_OF, *steps, settings, strongest(drawn()))


@cache
def every() -> dict[int, dict]:
    """account_id -> brief"""
    return {one: briefs.brief(prepared(), one) for one in prepared().customers.tolist()}


def sources(found: dict[str, pd.DataFrame] | None = None) -> dict[str, pd.DataFrame]:
    """The tables of accounts and those of the steps, as `briefs.checked` takes them."""
    told = {"expected_spend": spend(drawn()), "deciders": deciders(drawn())}
    rows = drawn() if found is None else found
    return {
        **{name: rows[name] for name in tables.ACCOUNTS},
        **told,
        "strongest": strongest(drawn()),
    }
