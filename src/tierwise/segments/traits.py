"""What differs most between a segment and everybody: traits, and a tree that checks them.

    trait     a column and a state of it: high or low (the upper or lower third of everybody), none
              (a hurdle's value), or a level
    lift      share of the segment that has the trait, divided by the share of everybody
    weight    share * log2(lift): what the trait tells of the segment. A rare trait of high lift
              describes few of its people, a common one of low lift describes everybody

No trait is shown that fewer than `least_count` people of the segment have.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier, export_text

from tierwise.evaluation import wilson
from tierwise.segments.columns import Category, Plan, coded, counted, numeric, scored
from tierwise.segments.find import BETWEEN
from tierwise.segments.plan import LEAST_COUNT

HIGH, LOW, NONE = "high", "low", "none"
TRAIT_COLUMNS = ["segment", "column", "state"]
LEAST_LIFT = 1.2
TREE_DEPTH = 4
LEAST_AGREEMENT = 0.85
FOLDS_COUNT = 5


def traits(
    people: pd.DataFrame, segment: pd.Series, plan: Plan, least_count: int = LEAST_COUNT
) -> pd.DataFrame:
    """What marks each segment, the weightiest trait first.

    people: the columns of the plan; segment: by person, the same index; people between segments
    count among everybody only. Columns: segment, column, state, people_count (who have it),
    known_count (of whom it is known), share, interval (95 %, Wilson), share_of_all, lift, weight.
    Rows are left out where the lift is below 1.2 or the interval reaches down to everybody's share.
    """
    rows = []
    labels = sorted(set(segment) - {BETWEEN})
    inside = {label: (segment == label).to_numpy() for label in labels}
    for column, state, has in states(people, plan):
        known = ~np.isnan(has)
        whole = float(has[known].mean()) if known.any() else 0.0
        for label in labels:
            held = has[inside[label] & known]
            count = int(held.sum())
            if count < least_count or whole == 0:
                continue
            share = count / len(held)
            low, high = wilson(count, len(held))
            if low > whole and share / whole >= LEAST_LIFT:
                weight = share * float(np.log2(share / whole))
                row = (label, column, state, count, len(held), share, (low, high), whole)
                rows.append((*row, share / whole, weight))
    names = [*TRAIT_COLUMNS, "people_count", "known_count", "share", "interval", "share_of_all"]
    found = pd.DataFrame(rows, columns=[*names, "lift", "weight"])
    order = ["segment", "weight", "column", "state"]
    return found.sort_values(order, ascending=[True, False, True, True], ignore_index=True)


def states(people: pd.DataFrame, plan: Plan) -> Iterator[tuple[str, str, np.ndarray]]:
    """Column, state, and who has it: 1, 0, NaN where not known."""
    for number in plan.numbers:
        yield from thirds(number.column, scored(people[number.column], number))
    for category in plan.categories:
        code = coded(people[category.column], category)
        for at, level in enumerate(category.levels):
            state = NONE if category.kind == "hurdle" and at == 0 else level
            if not (category.kind == "hurdle" and at):
                yield category.column, state, np.where(code < 0, np.nan, code == at)
    for block in plan.blocks:
        for column, share in zip(block.columns, shares(people, block.columns).T, strict=True):
            yield from thirds(column, share)


def thirds(column: str, values: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """High and low; where many values tie, either may hold nobody."""
    known = values[~np.isnan(values)]
    if not len(known):
        return
    lower, upper = np.quantile(known, [1 / 3, 2 / 3])
    unknown = np.isnan(values)
    yield column, HIGH, np.where(unknown, np.nan, values > upper)
    yield column, LOW, np.where(unknown, np.nan, values < lower)


def shares(people: pd.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    """Of each person's sum over the columns, NaN where it is 0."""
    counts = counted(people, columns)
    whole = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, whole, out=np.full(counts.shape, np.nan), where=whole > 0)


def agreement(
    people: pd.DataFrame, segment: pd.Series, plan: Plan, least_count: int = LEAST_COUNT
) -> dict[str, Any]:
    """Can a few questions tell a person's segment? A shallow tree, judged on people it never saw.

    agreement: share of people whom it puts where the mixture does; interval; is_enough, from 85 %
    on; most_common_share, what always naming the largest segment would reach; rules, the tree as
    text. Below, traits say what is frequent in a segment, not who is in it. One segment agrees.
    """
    there = (segment != BETWEEN).to_numpy()
    label = segment[there].to_numpy()
    counts = np.bincount(label) if len(label) else np.zeros(1)
    folds_count = min(FOLDS_COUNT, int(counts[counts > 0].min())) if counts.any() else 0
    if (counts > 0).sum() < 2 or folds_count < 2:
        base = {"agreement": 1.0, "interval": (1.0, 1.0), "is_enough": True}
        return base | {"most_common_share": 1.0, "rules": ""}
    questions = asked(people[there], plan)
    tree = DecisionTreeClassifier(
        max_depth=TREE_DEPTH, min_samples_leaf=least_count, random_state=0
    )
    folds = StratifiedKFold(folds_count, shuffle=True, random_state=0)
    right = int((cross_val_predict(tree, questions.to_numpy(), label, cv=folds) == label).sum())
    tree.fit(questions.to_numpy(), label)
    low, high = wilson(right, len(label))
    return {
        "agreement": right / len(label),
        "interval": (low, high),
        "is_enough": right / len(label) >= LEAST_AGREEMENT,
        "most_common_share": float(counts.max() / counts.sum()),
        "rules": export_text(tree, feature_names=list(questions), decimals=2),
    }


def asked(people: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Columns as anybody would ask for them: numbers as they are, levels as yes or no, shares."""
    columns: dict[str, np.ndarray] = {}
    levels = [one for one in plan.categories if one.kind == "text"]
    numbers = {one.column for one in plan.numbers}
    numbers |= {one.column for one in plan.categories if one.kind != "text"}
    for column in sorted(numbers):
        columns[column] = numeric(people[column])
    for category in levels:
        columns |= yes_or_no(people[category.column], category)
    for block in plan.blocks:
        named = [f"share of {column}" for column in block.columns]
        columns |= dict(zip(named, shares(people, block.columns).T, strict=True))
    return pd.DataFrame(columns, index=people.index)


def yes_or_no(column: pd.Series, category: Category) -> dict[str, np.ndarray]:
    code = coded(column, category)
    return {
        f"{category.column} is {level}": np.where(code < 0, np.nan, code == at)
        for at, level in enumerate(category.levels)
    }
