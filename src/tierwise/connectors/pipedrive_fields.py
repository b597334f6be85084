"""Custom fields of Pipedrive's deals as columns that a person can read.

A field is called by its name, and a choice by its label. Numbers, amounts (in euros), dates,
choices and short texts become columns. Long texts, addresses, phone numbers and links to other
records are left out: no model reads them, and what nobody reads is best not copied.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from tierwise.connectors.shapes import instant
from tierwise.files import InputError
from tierwise.tables import CONTRACTS, RESERVED, TIME

Records = list[dict[str, Any]]
# Pipedrive's type of a field -> type of the column
TYPES = {"int": "float64", "double": "float64", "monetary": "float64", "boolean": "boolean"}
TYPES |= dict.fromkeys(("varchar", "varchar_auto", "varchar_options", "enum", "set"), "str")
TYPES |= dict.fromkeys(("date", "daterange"), TIME)


def labels(fields: Records) -> dict[str, dict[Any, str]]:
    """field_code -> id of an option -> its label."""
    return {
        one["field_code"]: {option["id"]: option["label"] for option in one.get("options") or []}
        for one in fields
    }


def columns(deals: Records, fields: Records, rates_eur: Mapping[str, float]) -> pd.DataFrame:
    """One column per custom field that a table can hold, by name; rows as the deals come.

    Raises InputError for two fields of the same name, for a value that does not suit its field and
    for a currency without a rate.
    """
    used = [one for one in fields if one["is_custom_field"] and one["field_type"] in TYPES]
    must_differ(used)
    options = labels(used)
    found = {}
    for one in sorted(used, key=lambda one: name_of(one)):
        code, kind = one["field_code"], one["field_type"]
        read = reader(kind, options[code], rates_eur)
        values = [value_of(deal, code, read, one) for deal in deals]
        found[name_of(one)] = pd.Series(values, dtype="object").astype(TYPES[kind])
    return pd.DataFrame(found, index=pd.RangeIndex(len(deals)))


def name_of(one: Mapping[str, Any]) -> str:
    """The field's name; if a column of ours is called so, with a word that tells them apart."""
    name = one["field_name"].strip()
    taken = {column.lower() for column in (*CONTRACTS["deals"].columns, *RESERVED)}
    return f"{name} (custom field)" if name.lower() in taken else name


def must_differ(fields: Records) -> None:
    """Capitals make no difference: DuckDB and Spark see none."""
    counts = Counter(name_of(one).lower() for one in fields)
    for one in fields:
        if counts[name_of(one).lower()] > 1:
            same = [o["field_code"] for o in fields if name_of(o).lower() == name_of(one).lower()]
            raise InputError(
                f"deal_fields: {len(same)} custom fields are called {name_of(one)!r}: "
                f"{', '.join(same)}. Rename or delete all but one in the CRM."
            )


def value_of(
    deal: Mapping[str, Any], code: str, read: Callable[[Any], Any], one: Mapping[str, Any]
) -> Any:
    value = (deal.get("custom_fields") or {}).get(code)
    if value is None or value == "" or value == []:
        return None
    try:
        return read(value)
    except InputError:
        raise
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(
            f"Deal {deal['id']}, custom field {one['field_name']!r}: the value must suit the type "
            f"{one['field_type']}; it is {type(value).__name__}. Correct it in the CRM, or load "
            "the fields again if the field's options have changed."
        ) from error


def reader(
    kind: str, options: Mapping[Any, str], rates_eur: Mapping[str, float]
) -> Callable[[Any], Any]:
    """Value of Pipedrive -> value of the column; raises for what does not suit."""
    if kind in ("enum", "varchar_options"):
        return lambda value: label(value, options, kind)
    if kind == "set":
        return lambda value: "; ".join(sorted(label(one, options, kind) for one in value))
    if kind == "monetary":
        return lambda value: in_eur(value, rates_eur)
    return {"date": day, "daterange": day, "boolean": flag}.get(
        kind, number if TYPES[kind] == "float64" else text
    )


def label(value: Any, options: Mapping[Any, str], kind: str) -> str:
    """An option that was deleted since is called by its number."""
    inner = value["id"] if isinstance(value, dict) else value
    if isinstance(inner, str) and kind == "varchar_options":
        return options.get(inner, inner)
    if not isinstance(inner, int | str) or isinstance(inner, bool):
        raise TypeError(kind)
    return options.get(int(inner), f"option {int(inner)}")


def plain(value: Any) -> Any:
    """Some fields hold an object, the value in it."""
    return value["value"] if isinstance(value, dict) else value


def number(value: Any) -> float:
    inner = plain(value)
    if isinstance(inner, bool) or not math.isfinite(float(inner)):
        raise ValueError("number")
    return float(inner)


def in_eur(value: Any, rates_eur: Mapping[str, float]) -> float:
    amount = number(value)
    currency = value.get("currency") if isinstance(value, dict) else None
    if amount and currency not in rates_eur:
        raise InputError(
            f"A custom field has an amount in {currency or 'no currency'}, and there is no rate "
            f"for it; there is one for {', '.join(rates_eur)}. Add how many euros one unit is."
        )
    return amount * rates_eur[currency] if amount and currency else 0.0


def day(value: Any) -> Any:
    """Of a range of dates the first."""
    return instant(plain(value))


def flag(value: Any) -> bool:
    if value not in (True, False, 0, 1):
        raise ValueError("flag")
    return bool(value)


def text(value: Any) -> str:
    inner = plain(value)
    if not isinstance(inner, str | int | float):
        raise TypeError("text")
    return str(inner)
