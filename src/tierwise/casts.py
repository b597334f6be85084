"""From the columns that a source has to the types that a contract asks for, in SQL.

A value that can't become what the contract asks for is never turned into "missing": it is counted
and shown. Missing are NULL, NaN and empty text. Custom fields become one of five types:

    BIGINT, DOUBLE, BOOLEAN, TIMESTAMP, VARCHAR

Every column must be readable, but of custom fields only those of deals are kept (`tables.kept`).

A CSV file has text only. A custom field of it gets the first of these types that all its values
agree with; "00123" stays text, since a code is no number.
"""

import difflib
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from tierwise.refusals import Failure, dtype_of, example, refusal
from tierwise.tables import CONTRACTS, KEYS, RESERVED, TIME, kept

INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
HUGE = ("HUGEINT", "UBIGINT", "UHUGEINT")
# A custom field without any value has no type in a CSV file, so it has none elsewhere either.
SQL_TYPES = {"int64": "BIGINT", "Int64": "BIGINT", "float64": "DOUBLE", "str": "VARCHAR"}
SQL_TYPES |= {"bool": "BOOLEAN", TIME: "TIMESTAMP"}

UTC = "{x} AT TIME ZONE 'UTC'"
WHOLE = "try_cast({x} AS BIGINT)"
NUMBER = "try_cast({x} AS DOUBLE)"
INSTANT = "try_cast({x} AS TIMESTAMPTZ)"  # the session's zone is UTC: so reads a time without one
# ADBC gives PostgreSQL's "infinity" as a time 290,000 years ago.
IN_RANGE = "BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
TEXT_CASTS = {
    "BIGINT": r"CASE WHEN regexp_full_match({x}, '\s*[+-]?[0-9]+(\.0*)?\s*') "
    "THEN try_cast({x} AS BIGINT) END",
    "DOUBLE": f"CASE WHEN NOT isnan({NUMBER}) THEN {NUMBER} + 0.0 END",
    "VARCHAR": "{x}",
    "BOOLEAN": "CASE WHEN lower(trim({x})) IN ('1', '1.0', 'true', 't', 'yes') THEN true "
    "WHEN lower(trim({x})) IN ('0', '0.0', 'false', 'f', 'no') THEN false END",
    "TIMESTAMP": f"CASE WHEN ({INSTANT} AT TIME ZONE 'UTC') {IN_RANGE} "
    f"THEN {INSTANT} AT TIME ZONE 'UTC' END",
}
ZERO_OR_ONE = "CASE {x} WHEN 1 THEN true WHEN 0 THEN false END"
WHOLE_REAL = "CASE WHEN {x} = trunc({x}) THEN try_cast({x} AS BIGINT) END"
# type asked for -> what the source has -> SQL; NULL where a value can't be that
CASTS = {
    "BIGINT": {"whole": "CAST({x} AS BIGINT)", "huge": "try_cast({x} AS BIGINT)"}
    | {"real": WHOLE_REAL},
    "DOUBLE": dict.fromkeys(("whole", "huge", "real"), "CAST({x} AS DOUBLE) + 0.0"),  # -0 is 0
    "VARCHAR": dict.fromkeys(("whole", "huge"), "CAST({x} AS VARCHAR)")
    # pandas makes whole numbers real as soon as one is missing: 12.0 is the id 12
    | {"real": f"coalesce(CAST({WHOLE_REAL} AS VARCHAR), CAST({{x}} AS VARCHAR))"},
    "BOOLEAN": {"bool": "{x}", "whole": ZERO_OR_ONE, "huge": ZERO_OR_ONE, "real": ZERO_OR_ONE},
    "TIMESTAMP": {
        "time": f"CASE WHEN CAST({{x}} AS TIMESTAMP) {IN_RANGE} THEN CAST({{x}} AS TIMESTAMP) END",
        "zoned": f"CASE WHEN ({UTC}) {IN_RANGE} THEN {UTC} END",
    },
}
FITS_ALWAYS = {("BIGINT", "whole"), ("BOOLEAN", "bool")}
FITS_ALWAYS |= {(asked, has) for asked in ("DOUBLE", "VARCHAR") for has in CASTS[asked]}
OWN_TYPE = {"whole": "BIGINT", "huge": "DOUBLE", "real": "DOUBLE", "text": "VARCHAR"}
OWN_TYPE |= {"bool": "BOOLEAN", "time": "TIMESTAMP", "zoned": "TIMESTAMP"}
# What all values of a CSV file's custom field must look like, most particular first.
LOOKS = {
    "BIGINT": rf"regexp_full_match({{x}}, '0|-?[1-9][0-9]*') AND {WHOLE} IS NOT NULL",
    # A whole number too long for BIGINT is a code: as a DOUBLE it would lose digits.
    "DOUBLE": r"regexp_full_match({x}, '-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|-?inf') "
    rf"AND (NOT regexp_full_match({{x}}, '-?[0-9]+') OR {WHOLE} IS NOT NULL)",
    "BOOLEAN": "lower({x}) IN ('true', 'false')",
    "TIMESTAMP": r"regexp_matches({x}, '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([ T]|$)') "
    f"AND {INSTANT} IS NOT NULL",
}
RULES = {
    "BIGINT": "must be a whole number",
    "DOUBLE": "must be a number",
    "BOOLEAN": "must be true or false, yes or no, 1 or 0",
    "TIMESTAMP": "must be a time in the years 1 to 9999, such as 2026-03-29 14:05:00+02:00",
    "VARCHAR": "must be text",
}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def make_view(connection: duckdb.DuckDBPyConnection, name: str, is_text: bool) -> None:
    """CREATE VIEW main.<name> over given.<name>: the columns that a snapshot keeps.

    They are those of `tables.kept`, then for deals the custom ones by name.
    is_text: the source is CSV. Raises InputError for a missing column, a value that does not fit,
    a custom field of lists, structs, bytes or durations, and one with a name of ours.
    """
    given = described(connection, f"given.{quoted(name)}")
    found = missing(name, list(given)) + (reserved(list(given)) if name == "deals" else [])
    if found:
        raise refusal(name, found)
    contract = CONTRACTS[name].columns
    asked = {column: SQL_TYPES[dtype_of(one)] for column, one in contract.items()}
    asked |= custom_types(connection, name, given, is_text)
    found = misfits(connection, name, given, asked)
    if found:
        raise refusal(name, found)
    custom = [column for column in asked if column not in contract and name == "deals"]
    columns = [
        f"{cast(column, given[column], asked[column])} AS {quoted(column)}"
        for column in [*kept(name).columns, *custom]
    ]
    connection.execute(
        f"CREATE VIEW main.{quoted(name)} AS SELECT {', '.join(columns)} FROM given.{quoted(name)}"
    )


def described(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """column -> SQL type"""
    rows = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return {row[0]: row[1] for row in rows}


def missing(name: str, there: list[str]) -> list[Failure]:
    found = []
    for column in CONTRACTS[name].columns:
        if column not in there:
            near = difflib.get_close_matches(column, there, 1, 0.5)
            nearest = f"; the nearest name is {near[0]}" if near else ""
            rule = f"must be there; there are {', '.join(there)}{nearest}"
            found.append(Failure(column, rule, 0, []))
    return found


def reserved(there: list[str]) -> list[Failure]:
    """DuckDB and Spark take capitals for the same name."""
    rule = "must have another name, because this one is used beside it; rename it"
    return [Failure(column, rule, 0, []) for column in there if column.lower() in RESERVED]


def family(sql_type: str) -> str:
    """What a type holds, as the keys of CASTS name it; "other" for what has no use here."""
    kind = sql_type.upper().split("(")[0]
    if kind.endswith("]"):
        return "other"
    kinds = {"FLOAT": "real", "DOUBLE": "real", "BOOLEAN": "bool", "DATE": "time"}
    kinds |= dict.fromkeys(INTEGERS, "whole") | dict.fromkeys(HUGE, "huge")
    kinds |= dict.fromkeys(("VARCHAR", "ENUM", "UUID", "JSON", "DECIMAL"), "text")
    kinds |= {"TIMESTAMP WITH TIME ZONE": "zoned", '"NULL"': "none"}
    return kinds.get(kind) or ("time" if kind.startswith("TIMESTAMP") else "other")


def present(column: str, sql_type: str) -> str:
    """SQL for the value, NULL where it is missing. Decimals go through text: no digit is lost."""
    name, has = quoted(column), family(sql_type)
    if has == "text":
        return f"nullif(CAST({name} AS VARCHAR), '')"
    return f"CASE WHEN NOT isnan({name}) THEN {name} END" if has == "real" else name


def cast(column: str, sql_type: str, asked: str) -> str:
    has = family(sql_type)
    if has in ("none", "other"):
        return f"CAST(NULL AS {asked})"
    template = (
        TEXT_CASTS[asked] if has == "text" else CASTS[asked].get(has, f"CAST(NULL AS {asked})")
    )
    return template.format(x=present(column, sql_type))


def custom_types(
    connection: duckdb.DuckDBPyConnection, name: str, given: dict[str, str], is_text: bool
) -> dict[str, str]:
    """Custom field -> SQL type, by name. One without any value is text, whatever its type."""
    custom = sorted(column for column in given if column not in CONTRACTS[name].columns)
    if not custom:
        return {}
    looks: list[str] = []
    for column in custom:
        x = present(column, given[column])
        looks.append(f"count({x})")
        looks += [
            f"bool_and({x} IS NULL OR ({look.format(x=x)}))" for look in LOOKS.values() if is_text
        ]
    query = f"SELECT {', '.join(looks)} FROM given.{quoted(name)}"
    values = iter(connection.execute(query).fetchall()[0])
    types = {}
    for column in custom:
        is_empty = next(values) == 0
        fitting = [kind for kind in LOOKS if is_text and next(values)]
        own = (
            "DOUBLE" if given[column].startswith("DECIMAL") else OWN_TYPE.get(family(given[column]))
        )
        types[column] = "VARCHAR" if is_empty else next(iter(fitting), own or "VARCHAR")
    return types


def misfits(
    connection: duckdb.DuckDBPyConnection, name: str, given: dict[str, str], asked: dict[str, str]
) -> list[Failure]:
    """Columns with values that are not what is asked for; counted in one pass over the source."""
    tests = {
        column: f"({present(column, given[column])}) IS NOT NULL "
        f"AND ({cast(column, given[column], kind)}) IS NULL"
        for column, kind in asked.items()
        if (kind, family(given[column])) not in FITS_ALWAYS
    }
    if not tests:
        return []
    counts = ", ".join(f"count(*) FILTER ({test})" for test in tests.values())
    row = connection.execute(f"SELECT {counts} FROM given.{quoted(name)}").fetchall()[0]
    return [
        misfit(connection, name, given, asked, column, test, count)
        for (column, test), count in zip(tests.items(), row, strict=True)
        if count
    ]


def misfit(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    given: dict[str, str],
    asked: dict[str, str],
    column: str,
    test: str,
    rows_count: int,
) -> Failure:
    rule = RULES[asked[column]]
    if column not in CONTRACTS[name].columns:
        rule = "must hold numbers, text, yes or no, or times, because it is a custom field"
    if family(given[column]) != "text":
        rule += f"; the source has {given[column]}"
    keys = [
        f"{quoted(key) if key == column else cast(key, given[key], asked[key])} AS {quoted(key)}"
        for key in KEYS[name]
    ]
    query = f"SELECT {', '.join(keys)}, CAST({quoted(column)} AS VARCHAR) FROM given.{quoted(name)}"
    # By the rows' own values: which row a parallel scan meets first is chance.
    rows = connection.execute(f"{query} WHERE {test} ORDER BY ALL LIMIT 3").fetchall()
    examples = [shown(name, column, row) for row in rows]
    return Failure(column, rule, rows_count, examples)


def shown(name: str, column: str, row: tuple[Any, ...]) -> str:
    return example(dict(zip(KEYS[name], row, strict=False)), column, row[-1])


def to_frame(name: str, table: pa.Table) -> pd.DataFrame:
    """A table of a snapshot in the contract's types, its custom fields in pandas' own."""
    kinds = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame = table.to_pandas(types_mapper=kinds.get)
    for column in frame:
        wanted = CONTRACTS[name].columns.get(column)
        kind = "int64" if column == "organization_id" else wanted and dtype_of(wanted)
        # With a missing value it stays as it is: the contract then says what is wrong.
        if kind in ("int64", "bool") and not frame[column].hasnans:
            frame[column] = frame[column].astype(kind)
    return frame
