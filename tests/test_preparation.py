"""Columns are made ready from the rows learned from alone, and in float32 as ONNX has them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from tierwise import preparation
from tierwise.preparation import MISSING_NUMBER, bin_edges

NAN = np.nan


def floats(*values):
    return pd.Series(values, dtype="float32")


# numbers and categories


def test_a_value_needs_twenty_rows_and_a_column_keeps_its_thirty_most_frequent():
    counts = {f"v{number:02}": number for number in range(1, 60)}
    column = [value for value, count in counts.items() for _ in range(count)]
    kept = preparation.categories_of(pd.DataFrame({"x": column}))["x"]
    assert kept == [f"v{number}" for number in range(59, 29, -1)]
    few = preparation.categories_of(pd.DataFrame({"x": ["a"] * 20 + ["b"] * 19}))
    assert few == {"x": ["a"]}


def test_the_kept_values_do_not_depend_on_the_order_of_rows():
    values = pd.DataFrame({"x": list("abcd") * 25})
    mixed = values.sample(frac=1, random_state=1)
    assert preparation.categories_of(values) == preparation.categories_of(mixed)


def test_what_stands_for_rare_values_is_never_worth_a_coefficient():
    table = pd.DataFrame({"x": [preparation.RARE] * 90 + ["a"] * 30})
    assert preparation.categories_of(table) == {"x": ["a"]}


def test_values_that_no_bin_can_part_are_no_column_that_varies():
    flag = np.arange(40) % 2
    table = pd.DataFrame({"tiny": flag * 1e-9, "small": flag * 1e-6, "even": 3.0, "flag": flag > 0})
    assert preparation.varying(table) == ["small", "flag"]
    binned = preparation.pipeline(table, [("bins", preparation.binned())], LogisticRegression())
    assert binned[:-1].transform(table).shape == (40, 4)


def test_a_column_varies_when_missing_counts_as_a_value():
    table = pd.DataFrame({"a": [1.0, NAN], "b": [NAN, NAN], "c": [2.0, 2.0], "d": ["x", "y"]})
    assert preparation.varying(table) == ["a"]
    assert preparation.numbers_of(table) == ["a", "b", "c"]


# bins

some_floats = st.lists(
    st.one_of(st.just(NAN), st.floats(-1e6, 1e6, width=32), st.integers(0, 3).map(float)),
    min_size=2,
    max_size=80,
).map(lambda values: floats(*values))


@given(some_floats)
def test_edges_ascend_and_hold_every_value_between_the_ends(column):
    edges = bin_edges(column)
    found = column.fillna(MISSING_NUMBER)
    assert (np.diff(edges[:-1]) > 0).all() or len(edges) == 2
    assert edges[0] == found.min()
    assert edges[-1] == found.max()
    assert len(edges) <= preparation.EDGES_MAX_COUNT


@given(some_floats)
def test_an_edge_is_a_float32_so_that_every_runtime_sees_a_value_on_the_same_side(column):
    inner = bin_edges(column)[1:-1]
    np.testing.assert_array_equal(inner.astype("float32").astype("float64"), inner)


@pytest.mark.parametrize("middle", [0.1, 1e4, 2.0**24, -1e7])
def test_between_neighbours_in_float32_the_edge_is_the_upper_one(middle):
    lower = np.float32(middle)
    upper = np.nextafter(lower, np.float32(np.inf))
    assert bin_edges(floats(lower, upper)).tolist() == [lower, upper, upper]


def test_each_of_few_values_and_missing_have_a_bin_of_their_own():
    column = floats(NAN, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5)
    bins = np.digitize(column.fillna(MISSING_NUMBER), bin_edges(column)[1:-1])
    assert bins.tolist() == [0, *[1] * 8, 2, 3]


def test_bins_of_many_values_hold_a_tenth_each():
    column = pd.Series(np.random.default_rng(0).permutation(np.arange(1000.0)))
    bins = np.digitize(column, bin_edges(column)[1:-1])
    assert np.bincount(bins).tolist() == [100] * 10


def test_a_discretizer_fitted_on_the_edge_rows_takes_exactly_these_edges():
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "x": random.normal(size=500).astype("float32"),
            "few": random.integers(0, 4, 500).astype("float32"),
        }
    )
    columns = preparation.pipeline(table, [("bins", preparation.binned())], LogisticRegression())[0]
    found = columns.named_transformers_["bins"]["bins"].bin_edges_
    for name, edges in zip(table, found, strict=True):
        np.testing.assert_array_equal(edges, np.unique(bin_edges(table[name])))


# scaled


def scaled(values, later=None):
    step = preparation.scaled().fit(pd.DataFrame({"x": values}))
    return step.transform(pd.DataFrame({"x": values if later is None else later}))[:, 0]


def test_scaled_numbers_are_standard_deviations_from_the_mean():
    values = pd.Series(np.random.default_rng(0).normal(50, 7, 400).astype("float32"))
    expected = (values - values.mean()) / values.std(ddof=0)
    np.testing.assert_allclose(scaled(values), expected, rtol=1e-4, atol=1e-5)


def test_missing_is_scaled_as_the_median():
    values = floats(1, 2, 3, 50, NAN)
    found = scaled(values)
    assert found[4] == scaled(values, floats(2.5))[0]
    assert (found[1] < found[4] < found[2]).all()


@pytest.mark.parametrize("huge", [1e6, 1e30, -3e38])
def test_huge_outliers_stay_finite_whether_they_were_learned_from_or_come_later(huge):
    ordinary = floats(*np.random.default_rng(0).normal(size=200))
    assert np.isfinite(scaled(ordinary, floats(huge, 0, 1))).all()
    assert np.isfinite(scaled(floats(*ordinary, huge), floats(huge, 0, NAN))).all()


# the pipeline


def both(table):
    numbers = [("scaled", preparation.scaled()), ("bins", preparation.binned())]
    return preparation.pipeline(table, numbers, LogisticRegression())["columns"]


def mixed(count=200):
    random = np.random.default_rng(0)
    table = pd.DataFrame({"x": random.normal(5, 2, count), "gap": random.normal(size=count)})
    table.loc[::4, "gap"] = NAN
    return table.astype("float32").assign(kind=random.choice(["a", "b"], count), same="c")


def test_each_number_goes_through_every_step_and_each_category_through_one():
    columns = both(mixed())
    parts = {name: names for name, _, names in columns.transformers_ if name != "remainder"}
    assert parts == {
        "scaled": ["x", "gap"],
        "bins": ["x", "gap"],
        "categories": ["kind", "same"],
    }


def test_scaling_is_told_by_the_rows_and_not_by_the_edges_of_bins():
    """Bins are fitted on a few rows of edges; their mean is nobody's mean."""
    table = mixed()
    found = both(table).transform(table)[:, :2]
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=0), 1, rtol=1e-5)


def test_a_rank_is_how_frequent_a_value_is_and_below_all_where_it_is_not_listed():
    column = ["often"] * 60 + ["less"] * 40 + ["least"] * 20 + ["rare"] * 3
    features = pd.DataFrame({"kind": column, "n": np.arange(123, dtype="float32")})
    made = preparation.pipeline(
        features, [("numbers", "passthrough")], LogisticRegression(), ranks=True
    )
    rows = pd.DataFrame({"kind": ["often", "less", "least", "rare", "never"], "n": np.float32(7)})
    found = made[:-1].transform(rows)
    assert found.shape[1] == 1 + 3 + 1
    assert found[:, -1].tolist() == [2, 1, 0, -1, -1]
    plain = preparation.pipeline(features, [("numbers", "passthrough")], LogisticRegression())
    np.testing.assert_array_equal(found[:, :-1], plain[:-1].transform(rows))


def test_constant_columns_and_rare_values_are_left_out():
    table = mixed().assign(still=np.float32(3), rare=[f"v{n}" for n in range(200)])
    names = {name for _, _, names in both(table).transformers_[:3] for name in names}
    assert names == {"x", "gap", "kind", "same"}


def test_the_table_is_left_alone():
    table = mixed()
    before = table.copy()
    both(table)
    pd.testing.assert_frame_equal(table, before)
