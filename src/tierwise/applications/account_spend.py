"""The question of account teams: what will this company spend in the next twelve months?

Every account is looked at on the mornings of past days. Outcome: the euros it then spent within the
horizon. Its section of params.yaml:

    question:
      entity: account
      horizon_days: 365                what is foretold
      lookback_days: [90, 365]         windows of the counts
      half_life_days: 30               of use that fades
      functions: [recruiting, ...]     of people that are counted apart
      levels: [manager, ...]           of hires that are counted apart

or, of a plain file of orders and nothing else:

    question:
      entity: customer
      horizon_days: 365
      columns: {account_id: id, occurred_at: date, amount_eur: amount}
      text_format: {encoding: utf-8, separator: ",", decimal: "."}
      missing_values: []               further spellings of "missing"
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, Field

from tierwise import accounts, refusals
from tierwise import examples as ex
from tierwise import features as ft
from tierwise.companies import purchases
from tierwise.files import InputError
from tierwise.flatfile import read_table
from tierwise.times import parse_times

HERE = "src/tierwise/applications/account_spend.py"
Days = Annotated[float, Field(gt=0, allow_inf_nan=False)]
YEAR_DAYS = 365.0


class OrderColumns(BaseModel, extra="forbid", strict=True):
    """Which column of the file is which."""

    account_id: str
    occurred_at: str
    amount_eur: str


class TextFormat(BaseModel, extra="forbid", strict=True):
    """How the text of the file is to be read; what is left out is found out."""

    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None


class OrdersFile(BaseModel, extra="forbid", strict=True):
    """What params.yaml must say of a plain file of orders."""

    entity: str
    horizon_days: Days
    columns: OrderColumns
    text_format: TextFormat
    missing_values: list[str]
    day_first: bool | None = None


class Question(BaseModel, extra="forbid", strict=True):
    """What params.yaml must say of the tables of accounts, with its types."""

    entity: str
    horizon_days: Days
    lookback_days: list[Days]
    half_life_days: Days
    functions: list[str]
    levels: list[str]


def checked(question: dict[str, Any]) -> dict[str, Any]:
    """The question as it is. Raises InputError for the first thing that can't be asked."""
    refusals.fitting(Question, question, "question", f"See the comments at the head of {HERE}.")
    return question


def declared(question: dict[str, Any]) -> list[ft.Feature]:
    """What was known of an account besides its orders and its profile."""
    windows, kinds = question["lookback_days"], [*question["functions"], *question["levels"]]
    counted = ["start", "internal", "end", *(f"start {kind}" for kind in kinds)]
    counted += [f"end {kind}" for kind in question["functions"]]
    wanted = [ft.count(name, days) for name in counted for days in (*windows, None)]
    wanted += [ft.count("abroad", days) for days in windows]
    wanted += [ft.distinct_days("use", days) for days in windows]
    wanted += [ft.total("use", days) for days in windows]
    return [*wanted, ft.recency("use"), ft.faded("use", question["half_life_days"])]


def columns(found: accounts.Tables, question: dict[str, Any], as_of: pd.Timestamp) -> pd.DataFrame:
    """What was known of every account then, by account_id: who works there, who came and left, for
    which work and where, growth, turnover and use."""
    found = accounts.known(found, as_of)
    ids = pd.Series(accounts.customers(found), name="account_id")
    when = pd.Series(as_of, ids.index).astype("datetime64[us]")
    told = accounts.profile(found, ids, when)
    year_ago = ex.days_earlier(when, pd.Series(YEAR_DAYS, ids.index))
    before = accounts.profile(found, ids, year_ago)
    counts = ft.compute(declared(question), {}, accounts.stream(found), ids, when)
    told = told.join(counted(counts, question))
    earlier = before["employees_count"]
    told["growth_share"] = told["employees_count"] / earlier.where(earlier > 0) - 1
    return told.set_index(ids)


def counted(counts: pd.DataFrame, question: dict[str, Any]) -> pd.DataFrame:
    """The counts that say something: starts and ends of all time become who works there."""
    found = pd.DataFrame(index=counts.index)
    found["staff_count"] = counts["start_count"] - counts["end_count"]
    for kind in question["functions"]:
        there = counts[f"start {kind}_count"] - counts[f"end {kind}_count"]
        found[f"{kind.replace(' ', '_')}_count"] = there
    for days in question["lookback_days"]:
        window = ft.window_name(days)
        inside = counts[f"internal_count{window}"]
        found[f"hires_count{window}"] = counts[f"start_count{window}"] - inside
        found[f"leavers_count{window}"] = counts[f"end_count{window}"] - inside
        found[f"abroad_count{window}"] = counts[f"abroad_count{window}"]
        for kind in (*question["functions"], *question["levels"]):
            name = kind.replace(" ", "_")
            found[f"{name}_hires_count{window}"] = counts[f"start {kind}_count{window}"]
        for kind in question["functions"]:
            name, left = kind.replace(" ", "_"), counts[f"end {kind}_count{window}"]
            here = found[f"{name}_count"] + left
            found[f"{name}_turnover_share{window}"] = (left / here).where(here > 0)
        found[f"use_per_day{window}"] = counts[f"use_total{window}"] / days
        found[f"use_days_share{window}"] = counts[f"use_distinct_days{window}"] / days
    return found.join(counts[["use_recency_days", f"use_faded{faded_name(question)}"]])


def faded_name(question: dict[str, Any]) -> str:
    return ft.window_name(question["half_life_days"])


@dataclass(frozen=True)
class Given:
    """What is there to foretell from. orders: see `purchases.orders`; columns_at: what else was
    known of the accounts at a cut, None where there is nothing but orders; names: what accounts
    are called, by account_id."""

    orders: pd.DataFrame
    until: pd.Timestamp
    columns_at: Callable[[pd.Timestamp], pd.DataFrame] | None
    names: pd.Series


def read(source: Path, question: dict[str, Any]) -> Given:
    """Tables of accounts or a plain file of orders, as the question says. Raises InputError."""
    return of_file(source, question) if "columns" in question else of_tables(source, question)


def of_tables(source: Path, question: dict[str, Any]) -> Given:
    """The snapshot of accounts; a morning's columns are computed once."""
    checked(question)
    about, found = accounts.read(source)

    @cache
    def at(cut: pd.Timestamp) -> pd.DataFrame:
        return columns(found, question, cut)

    names = accounts.latest(found["accounts"], "account_id").set_index("account_id")["name"]
    until = pd.Timestamp(about["data_until"])
    return Given(purchases.orders(found["spend"]), until, at, names)


def of_file(source: Path, question: dict[str, Any]) -> Given:
    """Orders of a flat file. Columns of the file: see the head of this module."""
    refusals.fitting(OrdersFile, question, "question", f"See the comments at the head of {HERE}.")
    raw = read_table(source, missing_values=question["missing_values"], **question["text_format"])
    rows = pd.DataFrame({own: named(raw, name) for own, name in question["columns"].items()})
    day = named(raw, question["columns"]["occurred_at"])
    rows["occurred_at"] = parse_times(day, day_first=question.get("day_first"))
    rows["amount_eur"] = numbers(named(raw, question["columns"]["amount_eur"]))
    rows["account_id"] = rows["account_id"].astype("str")
    orders = purchases.orders(rows)
    until = purchases.days_ahead(orders["day"].max(), 1)
    accounts_there = pd.Index(orders["account_id"].unique())
    return Given(orders, until, None, pd.Series(accounts_there, accounts_there))


def named(raw: pd.DataFrame, name: str) -> pd.Series:
    """A column of the file. Raises InputError with those that are there."""
    if name not in raw:
        there = ", ".join(map(str, list(raw)[:40]))
        raise InputError(f"The file has no column '{name}'; it has {there}. Correct the name.")
    return raw[name]


def numbers(column: pd.Series) -> pd.Series:
    """Raises InputError for a text that is no number."""
    found = pd.to_numeric(column, errors="coerce")
    broken = column[found.isna() & column.notna()]
    if len(broken):
        raise InputError(
            f"Column '{column.name}' must hold numbers, the money of each order; {len(broken):,} "
            f"of its values are none, the first is {str(broken.iloc[0])[:40]!r}. Name another "
            "column, or correct them."
        )
    return found
