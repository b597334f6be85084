"""The words in which contracts of tables are written: columns with a meaning, a unit and rules."""

from collections.abc import Callable
from typing import Any

from tierwise import refusals
from tierwise.refusals import pa

TIME = "datetime64[us]"


def contract(*checks: pa.Check, **columns: pa.Column) -> pa.DataFrameSchema:
    """checks: rules across columns."""
    return pa.DataFrameSchema(columns, checks=list(checks))


def column(
    dtype: str, meaning: str, unit: str = "", known: str = "known_at", **rules: Any
) -> pa.Column:
    """One column of a contract. known: the column that says when the value was learned."""
    return pa.Column(dtype, description=meaning, metadata={"unit": unit, "known": known}, **rules)


def number_id(meaning: str, **rules: Any) -> pa.Column:
    return column("Int64" if rules.get("nullable") else "int64", meaning, "id", **rules)


def text_id(meaning: str) -> pa.Column:
    return column("str", meaning, "id", checks=at_least_one_character())


def time(meaning: str) -> pa.Column:
    return column(TIME, meaning, "UTC")


def size(meaning: str, unit: str, **rules: Any) -> pa.Column:
    return column("float64", meaning, unit, checks=not_negative(), **rules)


def rule(text: str, holds: Callable[[Any], Any]) -> pa.Check:
    """text: reads on after the column's name; across columns it begins with the name to blame."""
    return pa.Check(holds, error=text)


def at_least_one_character() -> pa.Check:
    return rule("must not be empty text", lambda text: text.str.len() > 0)


def one_of(values: tuple[str, ...]) -> pa.Check:
    return rule(f"{refusals.LISTED} {', '.join(values)}", lambda text: text.isin(values))


def not_negative() -> pa.Check:
    return rule("must be 0 or more", lambda number: number >= 0)


def known_after_it_occurred() -> pa.Check:
    return rule(
        "known_at must not be before occurred_at",
        lambda frame: ~(frame["known_at"] < frame["occurred_at"]),
    )


TIMES = {"occurred_at": time("when it happened"), "known_at": time("when we learned of it")}
