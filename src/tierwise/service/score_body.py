"""The body of POST /v1/score, read strictly: a wrong guess would be a chance of somebody else.

    {"rows": [{"id": "17", "columns": {"amount": 3.5, "source": "web", "age_days": null}}]}

Every column of the card must be there, and no other. Numbers are numbers (no text, true or NaN),
categories text, and null says that there is no value. What is refused is told by the place of its
row, from 0, and the name of a column of the card; nothing that was sent is ever repeated.
"""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tierwise.companies import likeness

DEPTH_MAX_COUNT = 8  # ours has 4: {"rows": [{"columns": {}}]}
PROBLEMS_MAX_COUNT = 10
NAME_MAX_LENGTH = 80  # of a column in a message
TEXT_MAX_LENGTH = 200
NUMBER_MAX = 3.4e38  # the model's numbers have 32 bits
ID = "^[A-Za-z0-9_-]{1,64}$"
ID_FORM = re.compile(ID.replace("$", r"\Z"), re.ASCII)
# Unclosed strings end with the body, or the search would begin anew at each quote.
STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
SURROGATES = re.compile("[\ud800-\udfff]")
WHOLE = "must be whole characters of Unicode, none of them NUL"
DEEPER = np.zeros(256, dtype="int8")
DEEPER[[ord("["), ord("{")]], DEEPER[[ord("]"), ord("}")]] = 1, -1


class Unfit(Exception):  # noqa: N818 - an answer, not an error
    """The body breaks a rule. problems: each row (or None), column (or None), rule."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__(problems[0]["rule"])
        self.problems = problems


@dataclass(frozen=True)
class Asked:
    """ids: one per row, in order. columns: those of the card, as the model takes them."""

    ids: list[str]
    columns: pd.DataFrame


def read(body: bytes, card: dict[str, Any], rows_max_count: int) -> Asked:
    """Raises Unfit for the first broken rule of the whole, or up to ten of rows."""
    rows = rows_of(parsed(body), rows_max_count)
    problems: list[dict[str, Any]] = []
    for at, row in enumerate(rows):
        problems += problems_of(at, row, card["columns"])
        if len(problems) >= PROBLEMS_MAX_COUNT:
            break
    if problems:
        raise Unfit(problems[:PROBLEMS_MAX_COUNT])
    return Asked([row["id"] for row in rows], table([row["columns"] for row in rows], card))


def broken(rule: str, row: int | None = None, column: str | None = None) -> dict[str, Any]:
    return {"row": row, "column": column and column[:NAME_MAX_LENGTH], "rule": rule}


def parsed(body: bytes) -> Any:
    """JSON in UTF-8, not much deeper than ours, no name twice, no NaN. Raises Unfit."""
    if depth_count(body) > DEPTH_MAX_COUNT:
        raise Unfit([broken(f"the body is nested deeper than {DEPTH_MAX_COUNT} levels")])
    try:
        return json.loads(body.decode(), object_pairs_hook=once, parse_constant=no_constant)
    except ValueError:
        raise Unfit([broken("the body must be valid JSON in UTF-8")]) from None


def depth_count(body: bytes) -> int:
    """How deep lists and objects are nested, without building any of them."""
    steps = DEEPER[np.frombuffer(STRINGS.sub(b"", body), dtype="uint8")]
    return int(np.cumsum(steps, dtype="int64").max(initial=0))


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unfit([broken("an object of the body has the same name twice")])
    return found


def no_constant(_: str) -> float:
    raise Unfit([broken("NaN and infinity are no JSON: send null where there is no value")])


def rows_of(content: Any, rows_max_count: int) -> list[Any]:
    rows = content.get("rows") if isinstance(content, dict) else None
    if not isinstance(rows, list) or len(content) > 1:
        raise Unfit([broken('the body must be an object with "rows", a list, and nothing else')])
    if not 1 <= len(rows) <= rows_max_count:
        raise Unfit([broken(f"there must be 1 to {rows_max_count:,} rows")])
    return rows


def problems_of(at: int, row: Any, columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not isinstance(row, dict) or set(row) != {"id", "columns"}:
        return [broken('a row must be an object with "id" and "columns", and nothing else', at)]
    if not isinstance(row["id"], str) or not ID_FORM.match(row["id"]):
        return [broken("id must be text of 1 to 64 letters, digits, _ and -", at)]
    if not isinstance(row["columns"], dict):
        return [broken("columns must be an object with a value for each name", at)]
    return problems_of_columns(at, row["columns"], columns)


def problems_of_columns(
    at: int, values: dict[str, Any], columns: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    known = {column["name"]: column["kind"] for column in columns}
    found = [broken("the column is missing", at, name) for name in known if name not in values]
    unknown = [name for name in values if name not in known]
    if unknown:
        found.append(broken(unknown_rule(unknown, known), at))
    for name, kind in known.items():
        rule = rule_broken(values.get(name), kind)
        found += [broken(rule, at, name)] if rule else []
    return found


def unknown_rule(unknown: list[str], known: Iterable[str]) -> str:
    """The caller's own names are not repeated; a name of the card that is near one may help."""
    near = difflib.get_close_matches(unknown[0][:NAME_MAX_LENGTH], list(known), 1, 0.6)
    hint = f"; the first is near '{near[0][:NAME_MAX_LENGTH]}'" if near else ""
    return f"names unknown to the model: {len(unknown)}{hint}. GET /v1/model lists its columns"


def rule_broken(value: Any, kind: str) -> str:
    """What is wrong with one value, "" if nothing is."""
    if value is None:
        return ""
    if kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "must be a number or null"
        return "" if abs(value) <= NUMBER_MAX else f"must lie within {NUMBER_MAX:g}"
    if not isinstance(value, str):
        return "must be text or null"
    if len(value) > TEXT_MAX_LENGTH:
        return f"must have at most {TEXT_MAX_LENGTH} characters"
    # ONNX Runtime reads a text up to the first NUL, and fails on half a surrogate pair.
    is_whole = value.isascii() or not SURROGATES.search(value)
    return "" if is_whole and "\0" not in value else WHOLE


def table(rows: list[dict[str, Any]], card: dict[str, Any]) -> pd.DataFrame:
    """The columns as the hour prepares them, so that the model sees the same."""
    found = {}
    for column in card["columns"]:
        values = [row[column["name"]] for row in rows]
        kind = "float64" if column["kind"] == "number" else object
        found[column["name"]] = pd.Series(values, dtype=kind)
    return likeness.prepared(pd.DataFrame(found), card)


def schema(card: dict[str, Any], rows_max_count: int) -> dict[str, Any]:
    """The same rules as JSON Schema, for the OpenAPI."""
    columns = {column["name"]: of_column(column["kind"]) for column in card["columns"]}
    row = closed({"id": {"type": "string", "pattern": ID}, "columns": closed(columns)})
    rows = {"type": "array", "minItems": 1, "maxItems": rows_max_count, "items": row}
    return closed({"rows": rows})


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def of_column(kind: str) -> dict[str, Any]:
    if kind == "number":
        return {"type": ["number", "null"], "minimum": -NUMBER_MAX, "maximum": NUMBER_MAX}
    return {"type": ["string", "null"], "maxLength": TEXT_MAX_LENGTH, "pattern": "^[^\\u0000]*$"}
