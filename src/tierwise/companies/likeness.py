"""Are the columns that arrive the ones the model has learned from? Asked before a score leaves.

A model gives a chance for anything. A column that was renamed, or now counts in thousands, would
make a list of nonsense that looks like any other, so the hour stops with one message instead.
"""

import difflib
from typing import Any

import pandas as pd

from tierwise import context, dataset
from tierwise.files import InputError

STRANGE_SHARE = 0.50  # so many more rows than among those learned from may lie outside
ROWS_MIN_COUNT = 50  # fewer say nothing about a share


def prepared(columns: pd.DataFrame, card: dict[str, Any]) -> pd.DataFrame:
    """The model's columns in the card's order and types; see `card.columns`.

    columns: as the application computes them. Raises InputError for a column that is not there,
    with the nearest new name, or that holds another kind of value.
    """
    wanted = {column["name"]: column["kind"] for column in card["columns"]}
    absent = [name for name in wanted if name not in columns]
    if absent:
        others = [name for name in columns if name not in wanted]
        near = difflib.get_close_matches(absent[0], others, 1, 0.6)
        hint = f" Was it renamed to '{near[0]}'?" if near else ""
        raise InputError(
            f"The model needs the column '{absent[0]}', which is not there ({len(absent)} of "
            f"{len(wanted)} are missing).{hint} Give it its old name, or run `dvc repro` on the "
            "new tables."
        )
    found = {name: as_kind(columns[name], kind) for name, kind in wanted.items()}
    return pd.DataFrame(found, index=columns.index)


def as_kind(column: pd.Series, kind: str) -> pd.Series:
    is_number = pd.api.types.is_numeric_dtype(column)
    if is_number != (kind == "number") and column.notna().any():
        held = "numbers" if is_number else "text"
        raise InputError(
            f"The model's column '{column.name}' is a {kind}, but the table holds {held} there. "
            "Mend it where the table comes from, or run `dvc repro` on the new tables."
        )
    if kind == "number":
        return dataset.as_float32(column)
    return column.astype("str").where(column.notna(), dataset.MISSING)


def refuse_new(columns: list[str], built: dict[str, Any]) -> None:
    """InputError for a column that was not there when the model was made.

    built: metrics of build_features. Such a column changes no score, but it may be an old one under
    a new name, or one that the model should learn.
    """
    known = {
        row["column"] for name in ("columns", "quarantined", "left_out") for row in built[name]
    }
    new = [name for name in columns if name not in known]
    if new:
        raise InputError(
            f"The tables have a column that the model has never seen: {', '.join(new[:5])}. Run "
            "`dvc repro` to learn it, name it below leave_out in params.yaml, or set "
            "new_columns: ignore."
        )


def outside(column: dict[str, Any], values: pd.Series) -> float:
    """Share of rows with a value that the card does not know, or with none.

    column: one of the card. Numbers outside the range, and categories that are not listed.
    """
    if column["kind"] == "number":
        low, high = column["range"]
        return float((~values.between(low, high)).mean())
    return float((~values.isin([*column["values"], dataset.MISSING])).mean())


def strange(
    card: dict[str, Any], rows: pd.DataFrame, learned: pd.DataFrame
) -> list[dict[str, Any]]:
    """Columns of which far more rows lie outside than among those learned from, the worst first.

    rows, learned: the card's columns. Each: column, share, learned_share.
    """
    if len(rows) < ROWS_MIN_COUNT:
        return []
    found = []
    for column in card["columns"]:
        name = column["name"]
        if name in context.NAMES:
            continue  # one value for the whole hour, and times do change
        share, before = outside(column, rows[name]), outside(column, learned[name])
        if share - before > STRANGE_SHARE:
            found.append({"column": name, "share": share, "learned_share": before})
    return sorted(found, key=lambda row: row["learned_share"] - row["share"])


def refuse_strange(card: dict[str, Any], rows: pd.DataFrame, learned: pd.DataFrame) -> None:
    """InputError where a column no longer looks like the one the model has learned from."""
    found = strange(card, rows, learned)
    if not found:
        return
    worst = found[0]
    column = next(one for one in card["columns"] if one["name"] == worst["column"])
    known = (
        f"{column['range'][0]:g} to {column['range'][1]:g}"
        if column["kind"] == "number"
        else ", ".join(column["values"][:6])
    )
    raise InputError(
        f"The column '{worst['column']}' has left what the model knows ({known}) in "
        f"{worst['share']:.0%} of the open rows, against {worst['learned_share']:.0%} of those it "
        f"learned from{also(len(found) - 1)}. Nothing was scored. Has its unit or source changed? "
        "Mend it, or run `dvc repro` on the new tables."
    )


def also(count: int) -> str:
    return f", and so have {count} more" if count else ""
