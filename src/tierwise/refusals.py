"""Which rules of a contract a table breaks, and the one message that says so.

A `Failure` is one rule that some rows break. Whoever finds failures (pandera here, SQL elsewhere)
hands them to `refusal`, so that every message names table, column, rule, how many rows break it
and the first of their keys.

A name or an e-mail may stand where a number should. So a value is shown only where it reads as a
number or a time, or is a word in place of a listed one; of any other text the length is told.
"""

import re
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, ValidationError

from tierwise.files import InputError

with warnings.catch_warnings():  # where pyspark is installed, pandera loads it and that complains
    warnings.simplefilter("ignore")
    import pandera.pandas as pa
    from pandera.errors import SchemaErrors
# pandera tries again at its first check
warnings.filterwarnings("ignore", "PySpark does not yet fully support", FutureWarning)

Model = TypeVar("Model", bound=BaseModel)

TYPES = {  # a contract's type -> what a person calls it
    "int64": "whole number",
    "Int64": "whole number",
    "float64": "number",
    "str": "text",
    "bool": "yes or no",
    "datetime64[us]": "time",
}
# What a text may be to be shown: almost a number, or almost a time.
HARMLESS = re.compile(
    r"([-+]?[0-9.,]*([eE][-+]?[0-9]+)?%?|[-+]?(inf|infinity|nan)"
    r"|[0-9]{1,4}([-./][0-9]{1,2}){1,2}([-./][0-9]{1,4})?([T ][0-9:.,]+ ?(Z|[-+][0-9:]+)?)?)",
    re.IGNORECASE,
)
WORD = re.compile(r"[\w-]{1,20}")
LISTED = "must be one of"  # so begin the rules of closed lists of words
EXAMPLES_COUNT = 3  # rows that a message shows
MISSING = "must not be missing"
FINITE = "must be a finite number"
# How pandas calls what a custom field of type `object` holds.
PLAIN = ("string", "boolean", "integer", "floating", "mixed-integer-float", "categorical", "empty")


class Failure(NamedTuple):
    """Rows of a table that break one rule. examples: up to three keys, each with its value."""

    column: str
    rule: str
    rows_count: int
    examples: list[str]


def refusal(name: str, found: list[Failure]) -> InputError:
    """One message for all failures of a table; the first of them is told in full."""
    first, others = found[0], len(found) - 1
    text = f"Table {name}, column {first.column}: {first.rule}."
    if first.rows_count:
        rows = "1 row breaks" if first.rows_count == 1 else f"{first.rows_count:,} rows break"
        text += f" {rows} this rule"
        text += f", first: {'; '.join(first.examples)}." if first.examples else "."
    if others:
        text += f" And {others} more {'rule is' if others == 1 else 'rules are'} broken."
    return InputError(f"{text} Correct it where the table comes from.")


def added(found: Iterable[Failure]) -> list[Failure]:
    """Failures of several parts of one table, in the same order, each rule once."""
    sums: dict[tuple[str, str], Failure] = {}
    for column, rule, rows_count, examples in found:
        before = sums.get((column, rule), Failure(column, rule, 0, []))
        examples = [*before.examples, *examples][:EXAMPLES_COUNT]
        sums[column, rule] = Failure(column, rule, before.rows_count + rows_count, examples)
    return list(sums.values())


def example(keys: dict[str, Any], column: str, value: Any, rule: str = "") -> str:
    """deal_id 7 (value -3); a long value is cut. Keys beside the column are shown."""
    key = ", ".join(
        f"{name} {guarded(one, rule) if name == column else said(one)}"
        for name, one in keys.items()
    )
    return key if column in keys else f"{key} ({column} {guarded(value, rule)})"


def guarded(value: Any, rule: str) -> str:
    """The value, or what it is, should it be of a kind that may be personal."""
    if isinstance(value, str):
        shown_whole = HARMLESS.fullmatch(value) or (
            rule.startswith(LISTED) and WORD.fullmatch(value)
        )
        characters = "1 character" if len(value) == 1 else f"{len(value)} characters"
        return said(value) if shown_whole else f"a text of {characters}"
    is_plain = pd.api.types.is_scalar(value) and not isinstance(value, bytes)
    return said(value) if is_plain else f"a {type(value).__name__}"


def said(value: Any) -> str:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "missing"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def dtype_of(column: pa.Column) -> str:
    """The name of its type as the contract writes it."""
    name = str(column.dtype)
    if name.startswith("datetime64"):
        return "datetime64[us]"
    return "str" if name.startswith("str") else name


def failures(contract: pa.DataFrameSchema, keys: list[str], frame: pd.DataFrame) -> list[Failure]:
    """Every rule that some row breaks, in the order of the contract's columns, then the others."""
    columns = list(contract.columns)
    absent = [column for column in columns if column not in frame]
    if absent:
        there = f"must be there; there are {', '.join(map(str, frame.columns))}"
        return [Failure(column, there, 0, []) for column in absent]
    frame = frame.reset_index(drop=True)
    found = [one for column in frame for one in unusable(contract, keys, frame, str(column))]
    try:
        contract.validate(frame, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.fillna({"column": ""}).groupby(["column", "check"], sort=False)
        found += [
            broken(contract, keys, frame, str(column), str(rule), rows)
            for (column, rule), rows in cases
        ]
    wrong = {one.column for one in found if one.rule.startswith("must hold")} & set(columns)
    if wrong:  # rules across columns can't be judged where one is of the wrong type
        found = [one for one in found if one.column in wrong]
    order = {column: place for place, column in enumerate(columns)}
    unique = {failure[:2]: failure for failure in found if failure.rows_count}.values()
    return sorted(unique, key=lambda failure: order.get(failure.column, len(order)))


def unusable(
    contract: pa.DataFrameSchema, keys: list[str], frame: pd.DataFrame, column: str
) -> list[Failure]:
    """Times not in microseconds, numbers that are infinite, custom fields that are no plain value.

    pandera takes a time of any unit, and knows nothing about columns beyond the contract.
    """
    values = frame[column]
    kind = values.dtype
    wanted = contract.columns.get(column)
    if (
        wanted is not None
        and pd.api.types.is_datetime64_dtype(kind)
        and str(kind) != "datetime64[us]"
    ):
        return [mistyped(wanted, values)]
    if pd.api.types.is_float_dtype(kind):
        rows = np.flatnonzero(np.isinf(values.to_numpy("float64", na_value=np.nan)))
        examples = shown(keys, frame, column, rows)
        return [Failure(column, FINITE, len(rows), examples)] if len(rows) else []
    plain = kind.kind != "O" or pd.api.types.infer_dtype(values, skipna=True) in PLAIN
    if wanted is None and not plain:
        rule = "must hold numbers, text, yes or no, or times, because it is a custom field"
        rows = np.flatnonzero(values.notna())
        return [Failure(column, rule, len(rows), shown(keys, frame, column, rows))]
    return []


def mistyped(wanted: pa.Column, values: pd.Series) -> Failure:
    kind = dtype_of(wanted)
    rule = f"must hold {TYPES[kind]} ({kind}), not {values.dtype}"
    return Failure(str(values.name), rule, len(values), [])


def broken(
    contract: pa.DataFrameSchema,
    keys: list[str],
    frame: pd.DataFrame,
    column: str,
    rule: str,
    cases: pd.DataFrame,
) -> Failure:
    """One rule as pandera found it broken. rows_count 0: another failure tells it already."""
    if rule.startswith("dtype("):
        told = frame[column].isna().any() and not contract.columns[column].nullable
        found = mistyped(contract.columns[column], frame[column])
        return found._replace(rows_count=0) if told else found
    if cases["schema_context"].iloc[0] == "DataFrameSchema":  # "known_at must not be before ..."
        column, rule = rule.split(" ", 1)
    rows = np.unique(cases["index"].dropna().to_numpy("int64"))
    rule = MISSING if rule == "not_nullable" else rule
    return Failure(column, rule, len(rows), shown(keys, frame, column, rows, rule))


def shown(
    keys: list[str], frame: pd.DataFrame, column: str, rows: np.ndarray, rule: str = ""
) -> list[str]:
    """The first rows' keys and values, as a message shows them."""
    if not len(rows):
        return []
    first = frame.iloc[rows[:EXAMPLES_COUNT]]
    return [
        example({key: row[key] for key in keys}, column, row[column], rule)
        for row in first.to_dict("records")
    ]


def fitting(kind: type[Model], values: dict[str, Any], place: str, way_out: str) -> Model:
    """Settings of params.yaml, checked. Raises InputError for the first that breaks a rule.

    place: where they stand in params.yaml, such as question.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([place, *map(str, first["loc"])])
        raise InputError(
            f"params.yaml, {where}: {first['msg']}; it is {first['input']!r}. {way_out}"
        ) from None
