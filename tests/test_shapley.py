"""Trees: what each column gives is what all orders of the columns give on average."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from xgboost import DMatrix, XGBClassifier

from tierwise import shapley
from tierwise.files import InputError


def expectation(tree, row, known, node=0):
    """What the tree says where only some columns are known (Lundberg et al. 2020, algorithm 1)."""
    column = tree.column[node]
    if column < 0:
        return tree.value[node]
    left, right = tree.left[node], tree.right[node]
    if column in known:
        number = row[column]
        to_left = tree.missing_left[node] if np.isnan(number) else number <= tree.threshold[node]
        return expectation(tree, row, known, left if to_left else right)
    return sum(
        tree.rows[child] / tree.rows[node] * expectation(tree, row, known, child)
        for child in (left, right)
    )


def by_all_orders(tree, row):
    total = np.zeros(len(row))
    orders = list(permutations(range(len(row))))
    for order in orders:
        for place, column in enumerate(order):
            before = expectation(tree, row, order[:place])
            total[column] += expectation(tree, row, order[: place + 1]) - before
    return total / len(orders)


def data(count=400, seed=0):
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(count, 5)).round(1).astype("float32")
    won = (numbers[:, 0] * numbers[:, 1] + numbers[:, 2] + random.normal(size=count) > 0.5) * 1
    return numbers, won


def with_gaps(numbers, seed=1):
    gone = np.random.default_rng(seed).random(numbers.shape) < 0.3
    return np.where(gone, np.nan, numbers)


@pytest.fixture(scope="module")
def boosting():
    numbers, won = data()
    model = HistGradientBoostingClassifier(max_iter=8, max_leaf_nodes=12, early_stopping=False)
    return model.fit(with_gaps(numbers), won)


@pytest.fixture(scope="module")
def forest():
    numbers, won = data()
    return RandomForestClassifier(n_estimators=6, min_samples_leaf=5, random_state=0).fit(
        numbers, won
    )


def test_parts_of_a_tree_with_gaps_are_the_mean_over_all_orders(boosting):
    rows = with_gaps(data(6, seed=5)[0], seed=6)
    _, trees = shapley.of_boosting(boosting)
    for tree in trees[:3]:
        found = shapley.values(shapley.leaves([tree]), rows)
        np.testing.assert_allclose(found, [by_all_orders(tree, row) for row in rows], atol=1e-12)


def test_parts_of_a_deep_tree_are_the_mean_over_all_orders(forest):
    rows = data(4, seed=5)[0]
    tree = shapley.of_forest(forest)[0]
    found = shapley.values(shapley.leaves([tree]), rows)
    np.testing.assert_allclose(found, [by_all_orders(tree, row) for row in rows], atol=1e-12)


def test_many_rows_get_by_tables_what_each_gets_alone_bit_for_bit(boosting, monkeypatch):
    monkeypatch.setattr(shapley, "BLOCK_ROWS", 70)
    asked = shapley.leaves(shapley.of_boosting(boosting)[1])
    rows = with_gaps(data(200, seed=5)[0], seed=6)
    alone = [shapley.values(asked, row[None]) for row in rows]
    np.testing.assert_array_equal(shapley.values(asked, rows), np.vstack(alone))


def test_leaves_too_deep_for_a_table_are_answered_row_by_row(forest, monkeypatch):
    asked = shapley.leaves(shapley.of_forest(forest))
    rows = data(100, seed=5)[0]
    by_tables = shapley.values(asked, rows)
    monkeypatch.setattr(shapley, "TABLE_COLUMNS_MAX", 2)
    assert np.diff(asked.first).max() > 2
    np.testing.assert_array_equal(shapley.values(asked, rows), by_tables)


def test_mean_and_parts_add_up_to_what_the_model_says(boosting, forest):
    rows = with_gaps(data(50, seed=7)[0])
    start, trees = shapley.of_boosting(boosting)
    asked = shapley.leaves(trees)
    total = start + shapley.expected(asked) + shapley.values(asked, rows).sum(axis=1)
    np.testing.assert_allclose(total, boosting.decision_function(rows), atol=1e-12)
    rows = data(50, seed=7)[0]
    asked = shapley.leaves(shapley.of_forest(forest))
    total = shapley.expected(asked) + shapley.values(asked, rows).sum(axis=1)
    np.testing.assert_allclose(total, forest.predict_proba(rows)[:, 1], atol=1e-12)


def test_column_that_no_node_asks_gives_nothing():
    numbers, won = data()
    numbers[:, 3] = 0.0
    model = HistGradientBoostingClassifier(max_iter=5).fit(numbers, won)
    asked = shapley.leaves(shapley.of_boosting(model)[1])
    assert (shapley.values(asked, data(20, seed=3)[0])[:, 3] == 0).all()


def test_columns_that_play_the_same_part_give_the_same():
    """Won if both are high: by symmetry each gives half, 3/8, of 1 - 1/4."""
    tree = shapley.Tree(
        left=np.array([1, -1, 3, -1, -1]),
        right=np.array([2, -1, 4, -1, -1]),
        column=np.array([0, -1, 1, -1, -1]),
        threshold=np.zeros(5),
        missing_left=np.zeros(5, bool),
        rows=np.array([4.0, 2, 2, 1, 1]),
        value=np.array([0.0, 0, 0, 0, 1]),
    )
    asked = shapley.leaves([tree])
    assert shapley.expected(asked) == 0.25
    np.testing.assert_allclose(shapley.values(asked, np.array([[1.0, 1]])), [[0.375, 0.375]])


def test_tree_of_one_leaf_is_its_own_mean():
    one = np.array([-1])
    tree = shapley.Tree(one, one, one, np.zeros(1), one > 0, np.ones(1), np.array([0.3]))
    asked = shapley.leaves([tree])
    assert shapley.expected(asked) == 0.3
    assert (shapley.values(asked, np.ones((2, 3))) == 0).all()
    assert shapley.values(asked, np.ones((0, 3))).shape == (0, 3)


def test_split_by_sets_of_categories_is_refused():
    random = np.random.default_rng(0)
    kinds = random.integers(0, 4, (300, 1))
    model = HistGradientBoostingClassifier(categorical_features=[0], max_iter=2)
    model.fit(kinds, (kinds[:, 0] % 2 == random.random(300).round()) * 1)
    with pytest.raises(InputError, match="one-hot"):
        shapley.of_boosting(model)


def xgboost_fitted(**settings):
    numbers, won = data()
    model = XGBClassifier(n_estimators=12, max_depth=4, n_jobs=1, random_state=0, **settings)
    return model.fit(with_gaps(numbers), won)


def test_parts_of_xgboost_are_its_own_even_at_the_thresholds():
    model = xgboost_fitted(num_parallel_tree=2, subsample=0.7)
    booster = model.get_booster()
    trees = shapley.of_xgboost(booster)
    assert len(trees) == 24
    cuts = np.concatenate([tree.threshold[tree.column >= 0] for tree in trees])
    cuts = np.unique(cuts).astype("float32")
    edges = np.concatenate([cuts, np.nextafter(cuts, np.float32(np.inf))])
    rows = np.random.default_rng(2).choice(edges, (300, 5))
    rows = with_gaps(rows).astype("float32")
    own = booster.predict(DMatrix(rows, nthread=1), pred_contribs=True)
    found = shapley.values(shapley.leaves(trees), rows)
    np.testing.assert_allclose(found, own[:, :-1], atol=2e-6)
    start = booster.predict(DMatrix(rows[:1], nthread=1), output_margin=True)[0] - own[0].sum()
    assert abs(start) < 1e-5


@pytest.mark.parametrize("kind", ["dart", "categories"])
def test_xgboost_whose_trees_are_more_than_splits_by_numbers_is_refused(kind):
    if kind == "dart":
        model = xgboost_fitted(booster="dart")
    else:
        numbers, won = data()
        kinds = (numbers[:, :1] > 0) + 2 * (numbers[:, 1:2] > 0)
        model = XGBClassifier(
            n_estimators=2, feature_types=["c"], enable_categorical=True, tree_method="hist"
        ).fit(kinds, won)
    with pytest.raises(InputError, match="gbtree with splits by numbers"):
        shapley.of_xgboost(model.get_booster())
