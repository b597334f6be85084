"""How columns of people become cells, learned once from the people there are.

What the kinds of columns are is said in columns.py. No level of a category is held by fewer
than `least_count` people: nobody can be recognised by it.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from tierwise.files import InputError
from tierwise.segments.columns import (
    ANOTHER,
    OTHER,
    Block,
    Category,
    Number,
    Plan,
    coded,
    counted,
    log_ratios,
    must_be_there,
    numeric,
    texts,
)

LEAST_COUNT = 20  # people in the smallest group of any kind
HURDLE_SHARE = 0.2  # of the known values are one value
TIED_SHARE = 0.1  # with so many people on one value a number has no ranks to speak of
FEW_VALUES = 6
BINS_COUNT = 5
MOST_LEVELS = 20
LEAST_KNOWN_SHARE = 0.2  # a column of which less is known is left out
KNOTS_COUNT = 201
STRATA_COUNT = 5
STRATUM_PEOPLE = 60  # at least, for ranks
MOST_ALIKE = 0.8  # rank correlation of two numbers that count as one
MOST_KNOWN_SHARE = 0.95  # of a category, from another one, before it counts as said


def planned(
    people: pd.DataFrame,
    numbers: Sequence[str] = (),
    categories: Sequence[str] = (),
    blocks: Mapping[str, Sequence[str]] | None = None,
    least_count: int = LEAST_COUNT,
) -> Plan:
    """Learn from these people how to make cells of people.

    blocks: name -> columns of counts. A column that says nothing (one value, or hardly known) is
    left out, with the reason in `left_out`; so is one that says what another does. Raises
    InputError where a column is missing, named twice, or of the wrong type, and where nothing is
    left.
    """
    blocks = dict(blocks or {})
    named = [*numbers, *categories, *(name for columns in blocks.values() for name in columns)]
    must_be_there(people, named)
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise InputError(f"A column has one use, {', '.join(twice)} has several. Name it once.")
    left_out = said_twice(people, numbers)
    found: list[Number | Category] = []
    for name in [*numbers, *categories]:
        if name not in left_out:
            learned = learned_number if name in numbers else learned_category
            parts, why = learned(people[name], least_count)
            found += parts
            left_out |= {name: why} if why else {}
    found_blocks = []
    for name, columns in blocks.items():
        block, why = learned_block(people, name, columns)
        found_blocks += [block] if block else []
        left_out |= {name: why} if why else {}
    follows = following(people, [one for one in found if isinstance(one, Category)])
    left_out |= follows
    if not (found or found_blocks):
        raise InputError(f"No column tells people apart: {left_out}. Name others.")
    return Plan(
        tuple(one for one in found if isinstance(one, Number)),
        tuple(one for one in found if isinstance(one, Category) and one.column not in follows),
        tuple(found_blocks),
        left_out,
    )


def said_twice(people: pd.DataFrame, numbers: Sequence[str]) -> dict[str, str]:
    """Numbers that say the same as an earlier one, and which.

    Two such columns would be a group's two witnesses where there is one.
    """
    ranks = pd.DataFrame({name: numeric(people[name]) for name in numbers}).rank()
    alike = ranks.corr().abs()
    found: dict[str, str] = {}
    for at, name in enumerate(numbers):
        earlier = [one for one in numbers[:at] if one not in found]
        if earlier and alike.loc[name, earlier].max() >= MOST_ALIKE:
            found[name] = f"says the same as {alike.loc[name, earlier].idxmax()}"
    return found


def following(people: pd.DataFrame, categories: Sequence[Category]) -> dict[str, str]:
    """Categories that follow from another one (a country from a city), and from which."""
    text = [one for one in categories if one.kind == "text"]
    codes = {one.column: coded(people[one.column], one) for one in text}
    found: dict[str, str] = {}
    for one, other in product(reversed(text), text):
        if one is other or {one.column, other.column} & set(found):
            continue
        table = np.zeros((len(other.levels), len(one.levels)))
        both = (codes[one.column] >= 0) & (codes[other.column] >= 0)
        np.add.at(table, (codes[other.column][both], codes[one.column][both]), 1)
        most = MOST_KNOWN_SHARE * both.sum()
        if table.max(axis=1).sum() >= most > table.sum(axis=0).max():
            found[one.column] = f"follows from {other.column}"
    return found


def says_nothing(known: np.ndarray, count: int) -> str:
    """Why a column is left out, or ""."""
    if len(known) < LEAST_KNOWN_SHARE * count:
        return f"known of {len(known):,} of {count:,} people"
    return "" if len(np.unique(known)) > 1 else "one value only"


def learned_number(column: pd.Series, least_count: int) -> tuple[list[Number | Category], str]:
    """A number, bins, or a hurdle and a number; or none, and why."""
    values, name = numeric(column), str(column.name)
    known = values[~np.isnan(values)]
    if why := says_nothing(known, len(values)):
        return [], why
    distinct, counts = np.unique(known, return_counts=True)
    top = counts.argmax()
    if counts[top] < TIED_SHARE * len(known) and len(distinct) > FEW_VALUES:
        return [Number(name, knots(known))], ""
    rest = known[known != distinct[top]]
    is_hurdle = counts[top] >= HURDLE_SHARE * len(known) and len(rest) >= least_count
    if is_hurdle and np.delete(counts, top).max() < TIED_SHARE * len(rest):
        skip = float(distinct[top])
        hurdle = Category(name, (f"{skip:g}", ANOTHER), "hurdle", (skip,))
        return [hurdle, Number(name, knots(rest), skip)], ""
    return learned_bins(name, known, least_count)


def knots(known: np.ndarray) -> tuple[float, ...]:
    return tuple(np.quantile(known, np.linspace(0, 1, KNOTS_COUNT)).tolist())


def learned_bins(
    name: str, known: np.ndarray, least_count: int
) -> tuple[list[Number | Category], str]:
    """Bins of about equal size, of few values one bin each; small ones joined to the next."""
    distinct = np.unique(known)
    possible = distinct[:-1]
    if len(distinct) > FEW_VALUES:
        wanted = np.quantile(known, np.arange(1, BINS_COUNT) / BINS_COUNT, method="lower")
        possible = np.setdiff1d(wanted, distinct[-1:])
    edges: list[float] = []
    for edge in possible.tolist():
        below = (known <= edge) & (known > (edges[-1] if edges else -np.inf))
        if below.sum() >= least_count and (known > edge).sum() >= least_count:
            edges.append(edge)
    if not edges:
        return [], f"no second value with {least_count} people"
    return [Category(name, bin_names(distinct, edges), "bins", tuple(edges))], ""


def bin_names(distinct: np.ndarray, edges: Sequence[float]) -> tuple[str, ...]:
    """ "0", "1 to 3", "4 and more": by the values that are in them."""
    ends = np.searchsorted(distinct, edges, side="right")
    names = []
    for inside in np.split(distinct, ends):
        low, high = f"{inside[0]:g}", f"{inside[-1]:g}"
        names.append(low if low == high else f"{low} to {high}")
    if " to " in names[-1]:
        names[-1] = names[-1].split(" to ")[0] + " and more"
    return tuple(names)


def learned_category(column: pd.Series, least_count: int) -> tuple[list[Number | Category], str]:
    """Its levels, the most frequent first, ties by name; or none, and why."""
    text = texts(column)
    known = text.dropna()
    if why := says_nothing(known.to_numpy(), len(text)):
        return [], why
    counts = known.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    kept = counts[counts >= least_count].index[:MOST_LEVELS].tolist()
    if counts.sum() - counts[kept].sum() >= least_count and OTHER not in kept:
        kept.append(OTHER)
    if len(kept) < 2:
        return [], f"no second value with {least_count} people"
    return [Category(str(column.name), tuple(kept))], ""


def learned_block(
    people: pd.DataFrame, name: str, columns: Sequence[str]
) -> tuple[Block | None, str]:
    """A block, or none and why. Raises InputError for a single column, or where nobody has any."""
    if len(columns) < 2:
        raise InputError(f"The block {name} needs two columns or more, found {list(columns)}.")
    counts = counted(people, columns)
    total = np.nansum(counts, axis=0)
    if not total.sum() > 0:
        raise InputError(f"Nobody has any of the block {name}. Leave it out.")
    shares = (total + 1) / (total + 1).sum()
    ratios = log_ratios(counts, shares)
    there = ~np.isnan(ratios).any(axis=1)
    if there.sum() < LEAST_KNOWN_SHARE * len(people):
        return None, f"{int(there.sum()):,} of {len(people):,} people have enough of it"
    sums, ratios = counts[there].sum(axis=1), ratios[there]
    strata_count = int(min(STRATA_COUNT, max(1, len(sums) // STRATUM_PEOPLE)))
    wanted = np.quantile(sums, np.arange(1, strata_count) / strata_count, method="lower")
    edges = np.setdiff1d(wanted, sums.max())
    stratum = np.searchsorted(edges, sums)
    found = tuple(
        tuple(knots(column) for column in ratios[stratum == number].T)
        for number in range(len(edges) + 1)
    )
    block = Block(name, tuple(columns), tuple(shares.tolist()), tuple(edges.tolist()), found)
    return block, ""
