"""The question for any flat file: which row deserves attention first?

One row is one case with an outcome. Everything about the file stands in its section of
params.yaml (`tierwise adopt` writes it), so no Python is needed for a new file:

    question:
      entity: client call                  what one row is, in the singular, for reports
      text_format: {separator: ",", ...}   encoding, separator and decimal of a text file
      missing_values: []                   further spellings of "missing"
      id_column: null                      null: rows are numbered
      outcome_column: "y"
      won_values: ["yes"]
      lost_values: ["no"]                  any other value: still open, left out and counted
      time: {column: engage_date}          or {month_column, day_column, first_year} for files in
                                           date order without a year, or {} for the order of rows
      outcome_known: {after_days: 1}       or {column: close_date}, or {after_rows: 0}
      owner_column: null                   who of us looks after the case, for honest intervals

The owner column stays a feature unless leave_out names it: who works on a case may well be known
and matter, but a model that ranks by it ranks your people, too. A file shows the latest owner.
"""

import difflib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import context, value_rates
from tierwise import examples as ex
from tierwise.files import InputError
from tierwise.flatfile import read_table
from tierwise.formats import TableError
from tierwise.times import looks_like_time, order_by_calendar, parse_times

STILL_OPEN = "outcome still open"


def read(source: Path, table: dict[str, Any]) -> pd.DataFrame:
    """The file as its section of params.yaml says, dates parsed."""
    day_first = table["time"].get("day_first")
    return read_file(source, table["text_format"], table["missing_values"], day_first)


def read_file(
    source: Path,
    text_format: dict[str, Any],
    missing_values: list[str],
    day_first: bool | None = None,
) -> pd.DataFrame:
    """The file as it is, dates parsed. text_format: encoding, separator, decimal (may be empty)."""
    raw = read_table(source, missing_values=missing_values, **text_format)
    for name in raw:
        if looks_like_time(raw[name]):
            raw[name] = parsed(raw[name], day_first)
    return raw


def parsed(column: pd.Series, day_first: bool | None) -> pd.Series:
    """Dates where the column allows one reading, else the text as it was."""
    try:
        return parse_times(column, day_first=day_first)
    except TableError:
        return column


def require(raw: pd.DataFrame, name: str, role: str) -> pd.Series:
    if name not in raw:
        near = difflib.get_close_matches(name, list(raw), n=3, cutoff=0.4)
        hint = f"Nearest: {', '.join(near)}. " if near else ""
        raise InputError(
            f"The {role} column '{name}' is not in the file. {hint}"
            f"It has: {', '.join(map(str, list(raw)[:40]))}."
        )
    return raw[name]


def time_columns(table: dict[str, Any]) -> list[str]:
    """Columns spent on saying when; they are not features as well."""
    time = table["time"]
    names = [time.get("column"), time.get("month_column"), time.get("day_column")]
    return [name for name in names if name]


def times(raw: pd.DataFrame, table: dict[str, Any]) -> pd.Series:
    """As-of time of each row: dates, a running number, or the row's place in the file."""
    rule = table["time"]
    if "month_column" in rule:
        month = require(raw, rule["month_column"], "month")
        day = require(raw, rule["day_column"], "day") if rule.get("day_column") else None
        return order_by_calendar(month, day, rule["first_year"])
    if rule.get("column"):
        column = require(raw, rule["column"], "time")
        if pd.api.types.is_datetime64_any_dtype(column):
            return column
        return parse_times(column, day_first=rule.get("day_first"))
    return pd.Series(np.arange(1, len(raw) + 1), index=raw.index)


def entities(raw: pd.DataFrame, table: dict[str, Any]) -> pd.DataFrame:
    """Whom could we act on, and when? Columns entity_id (text) and as_of."""
    name = table.get("id_column")
    ids = require(raw, name, "id") if name else pd.Series(np.arange(1, len(raw) + 1))
    ids = as_labels(ids) if pd.api.types.is_numeric_dtype(ids) else ids.astype(str)
    return pd.DataFrame({"entity_id": ids.to_numpy(), "as_of": times(raw, table).array})


def as_labels(column: pd.Series) -> pd.Series:
    """Values as text, whole numbers without a decimal point, so that 1, 1.0 and "1" agree."""
    return column.map({value: as_label(value) for value in column.dropna().unique()}).astype("str")


def as_label(value: Any) -> str:
    """One value as `as_labels` writes it, be it from the file or from params.yaml."""
    return re.sub(r"^(-?\d+)\.0+$", r"\1", str(value).strip())


def outcome(raw: pd.DataFrame, table: dict[str, Any], as_of: pd.Series) -> pd.DataFrame:
    """What happened? Columns outcome (1 won, 0 lost, NaN open) and outcome_known_at."""
    labels = as_labels(require(raw, table["outcome_column"], "outcome"))
    won, lost = (
        labels.isin([as_label(value) for value in table[side]])
        for side in ("won_values", "lost_values")
    )
    if (won & lost).any():
        both = sorted(labels[won & lost].unique())
        raise InputError(f"{both} stands under won_values and lost_values; name it once.")
    value = pd.Series(np.where(won, 1.0, np.where(lost, 0.0, np.nan)), index=raw.index)
    rule = table.get("outcome_known") or {}
    column = None
    if rule.get("column"):
        column = require(raw, rule["column"], "outcome-known")
        if not pd.api.types.is_datetime64_any_dtype(column):
            column = parse_times(column, day_first=rule.get("day_first"))
    return pd.DataFrame({"outcome": value, "outcome_known_at": ex.known_at(as_of, rule, column)})


def owners(raw: pd.DataFrame, table: dict[str, Any]) -> pd.Series:
    """Who of us looks after each row, as text; all missing where params.yaml names no column."""
    name = table.get("owner_column")
    if not name:
        return pd.Series(None, index=raw.index, dtype="str")
    return as_labels(require(raw, name, "owner"))


def sorted_out(raw: pd.DataFrame, table: dict[str, Any]) -> tuple[pd.DataFrame, np.ndarray]:
    """Who, when, what came of it and whose it is, of every row; and why it is left out, or ""."""
    repeated = raw.duplicated()
    who = entities(raw, table)
    known = outcome(raw, table, who["as_of"])
    found = pd.concat([who, known], axis=1).assign(owner_id=owners(raw, table))
    # Without an id column two equal rows may be two cases that look alike.
    copies = repeated if table.get("id_column") else repeated & False
    reasons = np.select(
        [copies, who["as_of"].isna(), known["outcome"].isna(), known["outcome_known_at"].isna()],
        ["copy of an earlier row", "no time", STILL_OPEN, "outcome known at no date"],
        default="",
    )
    return found, reasons


def build(raw: pd.DataFrame, table: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Examples, their columns (same rows, as_of order), and rows excluded by reason.

    Columns of the examples: entity_id, as_of, outcome, outcome_known_at and owner_id, see
    `owners`. Raises InputError when an id stands twice at one instant or one class is left.
    """
    found, reasons = sorted_out(raw, table)
    kept = found[reasons == ""].sort_values("as_of", kind="stable")
    check(kept, table, raw)
    columns = raw.loc[kept.index].drop(columns=spent(table)).reset_index(drop=True)
    excluded = pd.Series(reasons[reasons != ""]).value_counts().sort_index().to_dict()
    return kept.reset_index(drop=True), columns, excluded


def open_rows(raw: pd.DataFrame, table: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Rows whose outcome is neither won nor lost: as_of and entity_id, and columns as of `build`.

    None where every case has ended.
    """
    found, reasons = sorted_out(raw, table)
    kept = found[reasons == STILL_OPEN].sort_values("as_of", kind="stable")
    columns = raw.loc[kept.index].drop(columns=spent(table)).reset_index(drop=True)
    who = kept[["as_of", "entity_id"]].reset_index(drop=True)
    return None if kept.empty else (who, columns)


def spent(table: dict[str, Any]) -> list[str]:
    """Columns that say who, when and what came of it: never features."""
    known_column = (table.get("outcome_known") or {}).get("column")
    names = [table.get("id_column"), table["outcome_column"], known_column, *time_columns(table)]
    return list(dict.fromkeys(name for name in names if name))


def check(kept: pd.DataFrame, table: dict[str, Any], raw: pd.DataFrame) -> None:
    twice = kept.duplicated(["entity_id", "as_of"], keep=False)
    if twice.any():
        ids = ", ".join(map(str, kept.loc[twice, "entity_id"].unique()[:3]))
        raise InputError(
            f"The id column '{table['id_column']}' must tell the rows of one instant apart: "
            f"{int(twice.sum())} rows share an id and a time (first: {ids}). Name another id "
            "column, or leave --id out to number the rows."
        )
    counts = kept["outcome"].value_counts()
    if len(counts) < 2 or counts.min() < 10:
        column = table["outcome_column"]
        values = as_labels(raw[column]).value_counts().head(6).to_dict()
        raise InputError(
            f"The outcome needs at least 10 won and 10 lost rows. '{column}' gives "
            f"{int(counts.get(1.0, 0))} won and {int(counts.get(0.0, 0))} lost; its values are "
            f"{values}. Name them with --won and --lost, or wait for more outcomes."
        )


def size(raw: pd.DataFrame) -> tuple[str, int]:
    """What the first card of the report counts."""
    return "rows in the file", len(raw)


def contents(raw: pd.DataFrame) -> pd.DataFrame:
    """What came in, in one row. copies_count: rows equal to an earlier one."""
    copies = int(raw.duplicated().sum())
    row = {"table": "the file", "rows_count": len(raw), "columns_count": raw.shape[1]}
    return pd.DataFrame([row | {"copies_count": copies}])


def dated(table: dict[str, Any]) -> list[str]:
    """Columns known to hold what was known then: of a file, nobody can say."""
    return []


def around(features: pd.DataFrame, examples: pd.DataFrame) -> pd.DataFrame:
    """What the times are like at each row, see context.py, and for its values, value_rates.py.

    Raises InputError for a file that has a column of such a name.
    """
    taken = [name for name in features if name in context.NAMES] + value_rates.names(features)
    if taken:
        raise InputError(
            f"The file has a column {taken[0]!r}, and {value_rates.PREFIX}... as well as "
            f"{', '.join(context.NAMES)} are columns that tierwise adds. Give it another name, or "
            "name it below leave_out in params.yaml."
        )
    clock = examples["as_of"], examples["outcome_known_at"], examples["outcome"]
    return context.around(features, examples).join(value_rates.columns(features, *clock))


def undecided(raw: pd.DataFrame, table: dict[str, Any]) -> pd.Series | None:
    """As-of times of the rows whose outcome is still open; None where all take equally long."""
    as_of = entities(raw, table)["as_of"]
    still = as_of[outcome(raw, table, as_of)["outcome"].isna() & as_of.notna()]
    takes_as_long = not (table.get("outcome_known") or {}).get("column")
    return None if still.empty and takes_as_long else still
