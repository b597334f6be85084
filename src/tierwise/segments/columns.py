"""Columns of people, made ready for `mixtures`: what is skewed, shared out, rare or mostly nothing.

    number     by its rank, as a normal score (van der Waerden 1952). A group is what holds several
               columns together, so the shape of one alone shall not make groups
    hurdle     a number that one value fills (spent: 0): a category, that value or another, and a
               number where it is another. The mixture leaves a missing number out, so this says
               just what is known
    bins       a number of few values, or of many ties (children, orders): a category
    category   rare levels together as "other"
    block      counts that share out a person's sum (memberships by kind of community): centred
               log-ratios of the shares (Aitchison 1982), each person drawn to everybody's shares by
               one count per kind; then as numbers, ranked among people with about as many counts,
               since shares of few scatter more: else people of few would be a group of their own.
               Missing below `LEAST_COUNTS`

How columns are learned is in plan.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from tierwise.files import InputError
from tierwise.segments import mixtures

OTHER = "other"
LEAST_COUNTS = 3  # a person's sum, for its shares to say anything
ANOTHER = "another"  # level of a hurdle, beside its value


@dataclass(frozen=True)
class Number:
    """knots: values at even ranks, ascending. skip: the hurdle's value, which is no number here."""

    column: str
    knots: tuple[float, ...]
    skip: float | None = None


@dataclass(frozen=True)
class Category:
    """kind: text | bins | hurdle.

    levels of text: what is none of them is "other" if that is a level, else missing. edges: the
    largest value of each bin but the last; of a hurdle, its value alone.
    """

    column: str
    levels: tuple[str, ...]
    kind: str = "text"
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class Block:
    """Counts that share out a sum. shares: everybody's. edges: the largest sum of each stratum but
    the last. knots: of the log-ratio of each column, by stratum."""

    name: str
    columns: tuple[str, ...]
    shares: tuple[float, ...]
    edges: tuple[float, ...]
    knots: tuple[tuple[tuple[float, ...], ...], ...]


@dataclass(frozen=True)
class Plan:
    """How people become cells; learned once, then the same for everybody who comes later."""

    numbers: tuple[Number, ...] = ()
    categories: tuple[Category, ...] = ()
    blocks: tuple[Block, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)  # column -> why


def prepared(people: pd.DataFrame, plan: Plan) -> mixtures.Cells:
    """The cells of these people, in their order. Unknown levels count as missing.

    Raises InputError where a column is missing or of the wrong type.
    """
    must_be_there(people, sorted(used(plan)))
    numbers = [scored(people[one.column], one) for one in plan.numbers]
    for block in plan.blocks:
        numbers += list(block_scores(counted(people, block.columns), block).T)
    codes = [coded(people[one.column], one) for one in plan.categories]
    empty = np.empty((len(people), 0))
    return mixtures.cells(
        np.column_stack(numbers) if numbers else empty,
        np.column_stack(codes) if codes else empty.astype("int64"),
        tuple(len(one.levels) for one in plan.categories),
    )


def used(plan: Plan) -> set[str]:
    """Names of the columns it needs."""
    single = {one.column for one in plan.numbers} | {one.column for one in plan.categories}
    return single | {name for block in plan.blocks for name in block.columns}


def must_be_there(people: pd.DataFrame, names: Sequence[str]) -> None:
    absent = sorted(set(names) - set(people.columns))
    if absent:
        raise InputError(
            f"People lack the column {', '.join(absent)}; there are "
            f"{', '.join(map(str, people.columns))}. Correct the names in params.yaml."
        )


def numeric(column: pd.Series) -> np.ndarray:
    """float64, NaN where missing or infinite. Raises InputError for text."""
    types = pd.api.types
    if not (types.is_numeric_dtype(column) or types.is_bool_dtype(column) or column.isna().all()):
        raise InputError(
            f"{column.name} must hold numbers, it is {column.dtype}. Name it among the categories."
        )
    values = column.to_numpy("float64", na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def scored(column: pd.Series, number: Number) -> np.ndarray:
    """Normal scores, NaN where missing or the hurdle's value."""
    values = numeric(column)
    if number.skip is not None:
        values = np.where(values == number.skip, np.nan, values)
    return normal_score(values, number.knots)


def normal_score(values: np.ndarray, knots: Sequence[float]) -> np.ndarray:
    """NaN stays NaN. Beyond the first and last knot everybody has the score of that knot."""
    middles = (np.arange(len(knots)) + 0.5) / len(knots)
    # Values that fill several knots get the middle of their ranks.
    distinct, place = np.unique(knots, return_inverse=True)
    ranks = np.bincount(place, middles) / np.bincount(place)
    return np.where(np.isnan(values), np.nan, norm.ppf(np.interp(values, distinct, ranks)))


def counted(people: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Counts of a block, shape (n, columns). Raises InputError for some below 0."""
    counts = np.column_stack([numeric(people[name]) for name in columns])
    if (counts < 0).any():
        raise InputError(
            f"Counts must be 0 or more, {', '.join(columns)} go down to {np.nanmin(counts):g}. "
            "Leave out what takes away."
        )
    return counts


def log_ratios(counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Centred log-ratios, shape as counts; rows add up to 0. NaN where too little is known."""
    whole = counts.sum(axis=1, keepdims=True)
    logs = np.log(counts + len(shares) * shares)
    return np.where(whole >= LEAST_COUNTS, logs - logs.mean(axis=1, keepdims=True), np.nan)


def block_scores(counts: np.ndarray, block: Block) -> np.ndarray:
    """Normal scores of the log-ratios, each person among those of the same stratum."""
    ratios = log_ratios(counts, np.array(block.shares))
    stratum = np.searchsorted(block.edges, counts.sum(axis=1))
    found = np.full(ratios.shape, np.nan)
    for number, knots in enumerate(block.knots):
        inside = stratum == number
        for at, column_knots in enumerate(knots):
            found[inside, at] = normal_score(ratios[inside, at], column_knots)
    return found


def texts(column: pd.Series) -> pd.Series:
    """As text, missing as missing."""
    return column.astype("object").map(str, na_action="ignore")


def coded(column: pd.Series, category: Category) -> np.ndarray:
    """The number of each value's level, -1 where missing or none of them."""
    if category.kind == "text":
        place = {level: at for at, level in enumerate(category.levels)}
        text = texts(column)
        found = text.map(place).fillna(place.get(OTHER, mixtures.MISSING))
        return found.where(text.notna(), mixtures.MISSING).to_numpy("int64")
    values = numeric(column)
    if category.kind == "hurdle":
        code = (values != category.edges[0]).astype("int64")
    else:
        code = np.searchsorted(category.edges, values)
    return np.where(np.isnan(values), mixtures.MISSING, code)


def as_plain(plan: Plan) -> dict[str, Any]:
    """For JSON."""
    return asdict(plan)


def from_plain(content: Mapping[str, Any]) -> Plan:
    """The plan that `as_plain` wrote down."""

    def frozen(value: Any) -> Any:
        return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value

    def made(kind: Any, rows: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
        return tuple(kind(**{key: frozen(value) for key, value in row.items()}) for row in rows)

    return Plan(
        made(Number, content["numbers"]),
        made(Category, content["categories"]),
        made(Block, content["blocks"]),
        dict(content["left_out"]),
    )
