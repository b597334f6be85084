"""The tables of a CRM: what each column holds, in which unit, and when it is known.

One pandera contract per table; data/README.md is generated from them. Two times matter:

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
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import refusals
from tierwise.files import InputError
from tierwise.refusals import pa

TIME = "datetime64[us]"
FIELDS = ("stage", "value", "owner", "status", "merged_into")
STATUSES = ("won", "lost", "reopened", "deleted")
ACTIVITY_TYPES = ("call", "mail", "meeting")


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


def whole(text: pd.Series) -> pd.Series:
    """Up to 18 digits, so that it fits into int64."""
    return text.str.fullmatch(r"-?[0-9]{1,18}")


def amount(text: pd.Series) -> np.ndarray:
    return np.isfinite(pd.to_numeric(text, errors="coerce").to_numpy("float64", na_value=np.nan))


def new_value(words: str, fields: tuple[str, ...], reads: Callable[[Any], Any]) -> pa.Check:
    """new_value is text for all fields; this says how the text reads for some of them."""

    def holds(frame: pd.DataFrame) -> pd.Series:
        asked = frame["field"].isin(fields) & frame["new_value"].notna()
        right = pd.Series(True, frame.index)
        right[asked] = np.asarray(reads(frame.loc[asked, "new_value"]), dtype=bool)
        return right

    return rule(f"new_value must be {words} where field is {' or '.join(fields)}", holds)


TIMES = {"occurred_at": time("when it happened"), "known_at": time("when we learned of it")}
CONTRACTS: dict[str, pa.DataFrameSchema] = {
    "deals": contract(
        known_after_it_occurred(),
        deal_id=number_id("the deal"),
        organization_id=number_id("whose deal it is"),
        person_id=number_id("contact person of the deal", nullable=True),
        occurred_at=time("when the deal was opened"),
        known_at=time("when the CRM learned of the deal"),
        source=column("str", "channel through which the lead came", nullable=True),
    ),
    "deal_changes": contract(
        known_after_it_occurred(),
        new_value("a number", ("value",), amount),
        new_value("a whole number", ("owner", "merged_into"), whole),
        new_value(f"one of {', '.join(STATUSES)}", ("status",), lambda text: text.isin(STATUSES)),
        change_id=text_id("the change"),
        deal_id=number_id("the deal"),
        **TIMES,
        field=column("str", "what changed", checks=one_of(FIELDS)),
        new_value=column(
            "str",
            "its new value: a stage's name, an amount in euros, a user_id, a status, or the "
            "deal_id that the deal was merged into",
        ),
    ),
    "organizations": contract(
        organization_id=number_id("the organisation"),
        known_at=time("since when these values are known; one row per version"),
        industry=column("str", "what it does", nullable=True),
        country=column("str", "where it is", "ISO 3166 code", nullable=True),
        timezone=column("str", "time zone of its office", "IANA name", nullable=True),
        employees_count=size("how many work there", "people", nullable=True),
    ),
    "persons": contract(
        person_id=number_id("the person"),
        organization_id=number_id("where they work"),
        known_at=time("since when these values are known; one row per version"),
        job_title=column("str", "kind of position", nullable=True),
    ),
    "users": contract(
        user_id=number_id("one of our representatives"),
        known_at=time("since when the account exists"),
        team=column("str", "team of the representative", nullable=True),
        timezone=column("str", "time zone they work in", "IANA name", nullable=True),
    ),
    "activities": contract(
        known_after_it_occurred(),
        activity_id=text_id("the activity"),
        deal_id=number_id("the deal"),
        user_id=number_id("whose activity it is", nullable=True),
        **TIMES,
        type=column("str", "kind of contact", checks=one_of(ACTIVITY_TYPES)),
        done=column("bool", "it took place; false: planned, missed or not answered"),
        duration_minutes=size("how long it took", "minutes", nullable=True),
    ),
    "job_posts": contract(
        known_after_it_occurred(),
        post_id=text_id("the post"),
        organization_id=number_id("who posted it"),
        **TIMES,
        title_length_count=size("length of the title", "characters"),
        description_length_count=size("length of the description", "characters"),
        salary=column("bool", "a salary is given"),
        photo=column("bool", "a photo is given"),
        screening_questions_count=size("screening questions asked", "questions"),
    ),
    "events": contract(
        known_after_it_occurred(),
        event_id=text_id("the event; a copy has the same id"),
        organization_id=number_id("whose account it concerns"),
        person_id=number_id("who did it", nullable=True),
        **TIMES,
        type=column("str", "what happened", checks=at_least_one_character()),
        amount=column("float64", "size of the event, by type", nullable=True),
        properties=column("str", "anything else, as JSON; never copied", nullable=True),
    ),
    "ad_clicks": contract(
        known_after_it_occurred(),
        click_id=text_id("the click"),
        organization_id=number_id("whose person clicked"),
        **TIMES,
        campaign=column("str", "which campaign", nullable=True),
        cost_eur=size("price of the click", "euros", nullable=True),
    ),
}

# What tells the rows of a table apart; a second row with the same key is a copy of the first.
KEYS = {
    "deals": ["deal_id"],
    "deal_changes": ["change_id"],
    "organizations": ["organization_id", "known_at"],
    "persons": ["person_id", "known_at"],
    "users": ["user_id"],
    "activities": ["activity_id"],
    "job_posts": ["post_id"],
    "events": ["event_id"],
    "ad_clicks": ["click_id"],
}
# Copies of a message are the normal case in these; elsewhere a second row with the key is an error.
COPIES_ALLOWED = ("deal_changes", "activities", "job_posts", "events", "ad_clicks")
# table -> column that must be found in another table's column of the same name
REFERENCES = {
    "deals": ("organization_id", "organizations"),
    "deal_changes": ("deal_id", "deals"),
    "activities": ("deal_id", "deals"),
    "persons": ("organization_id", "organizations"),
    "job_posts": ("organization_id", "organizations"),
    "events": ("organization_id", "organizations"),
    "ad_clicks": ("organization_id", "organizations"),
}
# Columns of a contract that must be readable, but that a snapshot leaves out.
NOT_KEPT = {"events": ["properties"]}
PART = "tierwise_part"  # the column by which a snapshot's rows are scattered
# What a custom field of deals can't be called: columns of ours stand beside it.
RESERVED = (PART, "as_of", "outcome", "outcome_known_at", "span", "entity_id", "owner_id")


@cache
def kept(name: str) -> pa.DataFrameSchema:
    """The contract of a table in a snapshot."""
    return CONTRACTS[name].remove_columns(NOT_KEPT.get(name, []))


def owner_of(name: str) -> str:
    """Whose rows stand together, and within whom two rows with the same key are copies."""
    columns = CONTRACTS[name].columns
    return next(c for c in ("organization_id", "deal_id", "user_id") if c in columns)


def check(name: str, frame: pd.DataFrame) -> None:
    """Raises InputError that names the first broken rule in column order, and its first rows."""
    found = refusals.failures(CONTRACTS[name], KEYS[name], frame)
    if found:
        raise refusals.refusal(name, found)


def must_all_be_there(there: list[str], place: str | Path) -> None:
    """Raises InputError that lists the tables that are there, and the nearest name."""
    absent = [name for name in CONTRACTS if name not in there]
    if absent:
        others = [name for name in there if name not in CONTRACTS]
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
