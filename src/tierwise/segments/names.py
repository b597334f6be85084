"""Names, needs and messages of segments, from the traits that mark them most.

Words come from a dictionary in params.yaml, by column and state; "any" stands for all states that
are not named, and {state} for the state:

    orders_count:
      high: {words: buys often, need: little effort, message: order again in one step}
      none: {words: has never bought}
    town:
      any: {words: "from {state}"}

A trait that no entry fits is spoken of as "high orders count", "no orders count", "town Bonn".
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pydantic import BaseModel, ValidationError

from tierwise.files import InputError
from tierwise.segments.traits import HIGH, LOW, NONE

TRAITS_COUNT = 3
ANY = "any"


class Entry(BaseModel, extra="forbid", strict=True):
    """What params.yaml may say of a column's state."""

    words: str = ""
    need: str = ""
    message: str = ""


Dictionary = Mapping[str, Mapping[str, Entry]]


def dictionary(words: Mapping[str, Any] | None) -> Dictionary:
    """The entries of params.yaml, checked. Raises InputError for one that is not valid."""
    found: dict[str, dict[str, Entry]] = {}
    for column, states in (words or {}).items():
        if not isinstance(states, Mapping):
            raise InputError(
                f"Words of {column} must be given by state (high, low, none, a level, any), "
                f"found {states!r}."
            )
        for state, entry in states.items():
            try:
                found.setdefault(str(column), {})[str(state)] = Entry.model_validate(entry)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"]))
                raise InputError(
                    f"Words of {column}, {state}: {where} {first['msg']}. "
                    "Known are words, need and message."
                ) from error
    return found


def entry_of(column: str, state: str, words: Dictionary) -> Entry:
    states = words.get(column, {})
    return states.get(state) or states.get(ANY) or Entry()


def phrase(column: str, state: str, words: Dictionary) -> str:
    """A trait in words."""
    if said := entry_of(column, state, words).words:
        return said.replace("{state}", state)
    name = column.replace("_", " ")
    return {HIGH: f"high {name}", LOW: f"low {name}", NONE: f"no {name}"}.get(
        state, f"{name} {state}"
    )


def worded(traits: pd.DataFrame, words: Dictionary) -> pd.DataFrame:
    """The traits with a column `words`, for readers."""
    pairs = zip(traits["column"], traits["state"], strict=True)
    return traits.assign(words=[phrase(column, state, words) for column, state in pairs])


def named(
    traits: pd.DataFrame,
    labels: list[int],
    words: Dictionary,
    kept: Mapping[int, str] | None = None,
    traits_count: int = TRAITS_COUNT,
) -> pd.DataFrame:
    """A row per label: segment, name, need, message, traits (phrases, the weightiest first).

    traits: of `traits.traits`. kept: names from earlier, by label; a name stays while the
    segment does, so that people who learned it need not learn another. A column is named once in a
    name; two segments of the same name get a number. No trait: "like everybody".
    """
    rows = []
    for label in labels:
        own = traits[traits["segment"] == label].drop_duplicates("column").head(traits_count)
        pairs = list(zip(own["column"], own["state"], strict=True))
        said = [phrase(column, state, words) for column, state in pairs]
        entries = [entry_of(column, state, words) for column, state in pairs]
        rows.append(
            {
                "segment": label,
                "name": (kept or {}).get(label) or ", ".join(said) or "like everybody",
                "need": next((one.need for one in entries if one.need), ""),
                "message": next((one.message for one in entries if one.message), ""),
                "traits": said,
            }
        )
    found = pd.DataFrame(rows, columns=["segment", "name", "need", "message", "traits"])
    twice = found["name"].duplicated(keep=False)
    numbered = found["name"] + " (" + found["segment"].astype("str") + ")"
    return found.assign(name=numbered.where(twice, found["name"]))


def shortened(names: Mapping[int, str]) -> dict[int, str]:
    """Number and first trait of each name, for tables on a phone."""
    return {label: f"{label}: {name.split(', ')[0]}" for label, name in names.items()}
