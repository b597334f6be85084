"""Exact Shapley values of trees: how far each column moved a row away from the mean.

A column that is not known counts as the training rows did that came through the same node (the
path-dependent expectation): TreeSHAP of Lundberg et al. 2020, "From local explanations to global
AI for trees", Nature Machine Intelligence 2, 56-67.

It is computed leaf by leaf, as in GPUTreeShap (Mitchell, Frank and Holmes 2022, PeerJ Computer
Science 8:e880). What a leaf asks of one column on its path is an interval; a row lies in it
(inside) or not. share is the part of the training rows that would have followed, over all the
nodes that ask the same column. With d columns on the path, a set S of known ones gives

    v(S) = value * product(1 if inside else 0, over S) * product(share, over the others)

and the Shapley value of column j is the mean of v(S + j) - v(S) over all orders of the columns.
S need not hold a column whose interval is missed: v is 0 then. So the sums over S are
coefficients of the polynomial product(share + t, over the columns inside), as in Linear TreeShap
(Yu et al. 2022, arXiv 2209.08192).

For many rows each leaf is asked once for every set of columns that a row may lie inside of, and
rows look their set up in that table (as in Fast TreeSHAP v2, Yang 2021, arXiv 2109.09847): the
same numbers, bit for bit.
"""

import json
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from scipy.special import comb
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from tierwise.files import InputError

TABLE_COLUMNS_MAX = 8  # of a leaf: its table has a row for each set of them, 256 at most
TABLE_ROWS_MIN = 64  # fewer rows than that are sooner answered one by one
BLOCK_ROWS = 4_096  # rows whose numbers stay in the processor's cache meanwhile


class Tree(NamedTuple):
    """Nodes of one tree, the root first. A row goes left where its number is <= threshold."""

    left: np.ndarray  # int64, shape (n_nodes,): number of the node to the left
    right: np.ndarray  # int64
    column: np.ndarray  # int64: place of the column that is asked, -1 in a leaf
    threshold: np.ndarray  # float64
    missing_left: np.ndarray  # bool: where a missing number goes
    rows: np.ndarray  # float64: training rows that came here, above 0
    value: np.ndarray  # float64: what a leaf adds


class Leaves(NamedTuple):
    """Leaves of all trees. What leaf k asks: positions first[k] to first[k + 1] - 1."""

    first: np.ndarray  # int64, shape (n_leaves + 1,)
    value: np.ndarray  # float64, shape (n_leaves,)
    column: np.ndarray  # int64: each column once a leaf
    low: np.ndarray  # float64: inside is low < number <= high
    high: np.ndarray  # float64
    missing: np.ndarray  # float64: 1 where a missing number is inside
    share: np.ndarray  # float64, above 0, at most 1


Asked = tuple[float, float, float, float]  # low, high, missing, share


def leaves(trees: list[Tree]) -> Leaves:
    """What each leaf asks, column by column."""
    first, values, columns, asked = [0], [], [], []
    for tree in trees:
        for node, path in reached(tree):
            values.append(tree.value[node])
            columns += list(path)
            asked += list(path.values())
            first.append(len(columns))
    low, high, missing, share = np.array(asked, dtype="float64").reshape(-1, 4).T.copy()
    places = np.array(columns, dtype="int64")
    return Leaves(np.array(first), np.array(values, "float64"), places, low, high, missing, share)


def reached(tree: Tree) -> list[tuple[int, dict[int, Asked]]]:
    """Each leaf with what its path asks of each column, nodes of one column joined."""
    found, waiting = [], [(0, dict[int, Asked]())]
    while waiting:
        node, path = waiting.pop()
        column = int(tree.column[node])
        if column < 0:
            found.append((node, path))
            continue
        low, high, missing, share = path.get(column, (-np.inf, np.inf, 1.0, 1.0))
        cut, to_left = float(tree.threshold[node]), float(tree.missing_left[node])
        left, right = int(tree.left[node]), int(tree.right[node])
        part = tree.rows[[left, right]] / tree.rows[node]
        to_the_left = (low, min(high, cut), missing * to_left, share * part[0])
        to_the_right = (max(low, cut), high, missing * (1 - to_left), share * part[1])
        waiting += [(left, path | {column: to_the_left}), (right, path | {column: to_the_right})]
    return found


def of_forest(forest: RandomForestClassifier) -> list[Tree]:
    """The trees of a fitted forest, on the scale of chances: the mean over trees for class 1.

    A forest rounds numbers to float32 before it compares them: give `values` rounded ones.
    """
    trees = []
    for tree in (member.tree_ for member in forest.estimators_):
        leaf = tree.children_left < 0
        trees.append(
            Tree(
                left=tree.children_left,
                right=tree.children_right,
                column=np.where(leaf, -1, tree.feature),
                threshold=tree.threshold,
                missing_left=tree.missing_go_to_left.astype(bool),
                rows=tree.weighted_n_node_samples,
                value=tree.value[:, 0, 1] / len(forest.estimators_),
            )
        )
    return trees


def of_boosting(model: HistGradientBoostingClassifier) -> tuple[float, list[Tree]]:
    """Where the boosting starts, and its trees, on log-odds of class 1."""
    trees = []
    for nodes in (round_[0].nodes for round_ in model._predictors):
        if nodes["is_categorical"].any():
            raise InputError(
                "The trees of this histogram boosting split columns by sets of categories; reasons "
                "are exact for splits by numbers only. Encode the categories one-hot."
            )
        trees.append(
            Tree(
                left=nodes["left"],
                right=nodes["right"],
                column=np.where(nodes["is_leaf"], -1, nodes["feature_idx"]),
                threshold=nodes["num_threshold"],
                missing_left=nodes["missing_go_to_left"].astype(bool),
                rows=nodes["count"].astype("float64"),
                value=nodes["value"],
            )
        )
    return float(model._baseline_prediction.item()), trees


def of_xgboost(booster: Any) -> list[Tree]:
    """The trees of an XGBoost booster, on log-odds, without the score that it starts from.

    XGBoost compares in float32 and goes left below the threshold: so up to the number before it.
    Give `values` numbers rounded to float32.
    """
    told = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    if told["name"] != "gbtree" or any(any(tree["split_type"]) for tree in told["model"]["trees"]):
        raise InputError(
            "Reasons of XGBoost are exact for gbtree with splits by numbers; this is "
            f"{told['name']}, or splits by sets of categories. Encode the categories one-hot."
        )
    trees = []
    for nodes in told["model"]["trees"]:
        left = np.array(nodes["left_children"])
        split = np.array(nodes["split_conditions"], dtype="float32")
        trees.append(
            Tree(
                left=left,
                right=np.array(nodes["right_children"]),
                column=np.where(left < 0, -1, np.array(nodes["split_indices"])),
                threshold=np.nextafter(split, np.float32(-np.inf)).astype("float64"),
                missing_left=np.array(nodes["default_left"], dtype=bool),
                rows=np.array(nodes["sum_hessian"], dtype="float64"),
                value=split.astype("float64"),
            )
        )
    return trees


def expected(asked: Leaves) -> float:
    """The mean of what the trees say, over the training rows as the nodes counted them."""
    ends = zip(asked.value, asked.first, asked.first[1:], strict=False)
    return float(sum(value * asked.share[start:end].prod() for value, start, end in ends))


def values(asked: Leaves, numbers: np.ndarray) -> np.ndarray:
    """Each number's part of what the trees say of its row; with `expected`, the parts add up.

    numbers: shape (n_rows, n_columns), NaN for missing; so is the result, float64.
    """
    longest = int(np.diff(asked.first).max(initial=0))
    weights = np.zeros((longest + 1, longest + 1))
    for count in range(1, longest + 1):  # weights[d, s] = s! (d - 1 - s)! / d!
        weights[count, :count] = 1 / (count * comb(count - 1, np.arange(count)))
    numbers = np.ascontiguousarray(numbers, dtype="float64")
    if len(numbers) < TABLE_ROWS_MIN or longest > TABLE_COLUMNS_MAX:
        out = np.zeros(numbers.shape)
        add_up(asked, weights, numbers, out)
        return out
    blocks = []
    for start in range(0, len(numbers), BLOCK_ROWS):
        columns = np.ascontiguousarray(numbers[start : start + BLOCK_ROWS].T)
        blocks.append(np.zeros(columns.shape))
        look_up(asked, weights, columns, blocks[-1])
    return np.ascontiguousarray(np.hstack(blocks).T)


@njit(cache=True)
def add_up(asked, weights, numbers, out):  # type: ignore[no-untyped-def]
    """Add to out, shape (n_rows, n_columns), what every leaf gives to every column."""
    longest = len(weights) - 1
    inside, gives = np.empty(longest, dtype=np.bool_), np.empty(longest)
    terms = np.empty(longest + 2)
    for row in range(len(numbers)):
        for leaf in range(len(asked.value)):
            start, end = asked.first[leaf], asked.first[leaf + 1]
            for at in range(start, end):
                inside[at - start] = lies_inside(asked, at, numbers[row, asked.column[at]])
            share_out(asked, leaf, weights[end - start], inside, terms, gives)
            for at in range(start, end):
                out[row, asked.column[at]] += gives[at - start]


@njit(cache=True)
def look_up(asked, weights, columns, out):  # type: ignore[no-untyped-def]
    """The same by tables; columns and out: shape (n_columns, n_rows)."""
    longest, rows_count = len(weights) - 1, columns.shape[1]
    inside, gives = np.empty(longest, dtype=np.bool_), np.empty(longest)
    terms, table = np.empty(longest + 2), np.empty((longest, 1 << longest))
    which = np.empty(rows_count, dtype=np.uint8)
    for leaf in range(len(asked.value)):
        start, end = asked.first[leaf], asked.first[leaf + 1]
        for number in range(1 << (end - start)):
            for place in range(end - start):
                inside[place] = (number >> place) & 1
            share_out(asked, leaf, weights[end - start], inside, terms, gives)
            for place in range(end - start):
                table[place, number] = gives[place]
        which[:] = 0
        for at in range(start, end):
            column, bit = columns[asked.column[at]], np.uint8(1 << (at - start))
            low, high, missing = asked.low[at], asked.high[at], asked.missing[at] > 0
            for row in range(rows_count):
                value = column[row]
                is_inside = (low < value) & (value <= high) | (missing & (value != value))
                which[row] |= bit * np.uint8(is_inside)
        for at in range(start, end):
            total, gained = out[asked.column[at]], table[at - start]
            for row in range(rows_count):
                total[row] += gained[which[row]]


@njit(cache=True)
def share_out(asked, leaf, weight, inside, terms, gives):  # type: ignore[no-untyped-def]
    """What a leaf gives to each of its columns, for a row that lies inside of some."""
    start, end = asked.first[leaf], asked.first[leaf + 1]
    rest, count = asked.value[leaf], 0
    terms[0] = 1.0
    for at in range(start, end):
        if inside[at - start]:
            count += 1
            multiply(terms, count, asked.share[at])
        else:
            rest *= asked.share[at]
    missed = 0.0
    for power in range(count + 1):
        missed += rest * terms[power] * weight[power]
    for at in range(start, end):
        if inside[at - start]:
            gained = (1 - asked.share[at]) * divided(terms, count, asked.share[at], weight)
            gives[at - start] = rest * gained
        else:
            gives[at - start] = -missed


@njit(cache=True)
def lies_inside(asked, at, number):  # type: ignore[no-untyped-def]
    if np.isnan(number):
        return asked.missing[at] > 0
    return asked.low[at] < number <= asked.high[at]


@njit(cache=True)
def multiply(terms, count, share):  # type: ignore[no-untyped-def]
    """Times (share + t), in place; the product has degree count."""
    terms[count] = terms[count - 1]
    for power in range(count - 1, 0, -1):
        terms[power] = terms[power] * share + terms[power - 1]
    terms[0] *= share


@njit(cache=True)
def divided(terms, count, share, weight):  # type: ignore[no-untyped-def]
    """The polynomial of degree count over (share + t), coefficients weighted and added up."""
    term = terms[count]
    total = term * weight[count - 1]
    for power in range(count - 1, 0, -1):
        term = terms[power] - share * term
        total += term * weight[power - 1]
    return total
