"""Rows that stand for others: few enough to fit, and the same sums as all of them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise import candidates, models, rolling, row_weights, spark_trees
from tierwise.files import InputError
from tierwise.ranking import auc


@given(
    st.lists(st.integers(0, 5), max_size=30).flatmap(
        lambda row: st.tuples(st.just(row), st.lists(st.integers(0, 9), min_size=6, max_size=6))
    )
)
def test_the_last_score_of_each_row_is_the_latest_and_all_are_kept(drawn):
    row, day = pd.Series(drawn[0], dtype=int), pd.Series(drawn[1])
    known_at = pd.Timestamp("2026-01-01") + pd.to_timedelta(day.iloc[row], unit="D")
    order = row_weights.latest_last(pd.Series(known_at), row)
    assert sorted(order) == list(range(len(row)))
    last = {number: at for at, number in enumerate(row)}
    count = len(last)
    assert set(order[len(row) - count :]) == set(last.values())
    for part in (order[: len(row) - count], order[len(row) - count :]):
        assert day.iloc[row.iloc[part]].is_monotonic_increasing
    if count == len(row):
        assert order.tolist() == row_weights.as_known(pd.Series(known_at)).tolist()


@pytest.mark.parametrize("count", [0, 1, 99, 100])
def test_few_rows_take_part_one_and_all(count):
    taken, times = row_weights.sample(count, 100)
    assert taken.tolist() == list(range(count))
    assert times.tolist() == [1.0] * count


@pytest.mark.parametrize("count", [101, 150, 151, 199, 1000, 1003, 98765])
@pytest.mark.parametrize("most", [100, 101])
def test_of_many_rows_the_latest_half_stays_and_the_older_ones_are_evenly_thinned(count, most):
    taken, times = row_weights.sample(count, most)
    assert len(taken) <= most
    assert (np.diff(taken) > 0).all()
    late = most // 2
    assert taken[-late:].tolist() == list(range(count - late, count))
    assert (times[-late:] == 1).all()
    assert times.sum() == pytest.approx(count)
    older = np.diff(taken[: -late or None])
    assert len(older) == 0 or older.max() == older.min()


def test_a_sum_over_the_sample_is_that_over_all_rows():
    values = np.random.default_rng(0).normal(3, 1, 100_000)
    taken, times = row_weights.sample(len(values), 10_000)
    error = values.std() * len(values) / np.sqrt(5_000)
    assert abs((values[taken] * times).sum() - values.sum()) < 3 * error


@pytest.mark.parametrize(
    "name", ["naive_bayes", "logistic_regression", "histogram_boosting", "recent_boosting"]
)
def test_a_fit_on_a_sample_believes_what_a_fit_on_all_rows_does(name, monkeypatch):
    """Early rows win at another rate: without their times the level would be off."""
    random = np.random.default_rng(0)
    x = random.normal(size=20_000).astype("float32")
    level = np.where(np.arange(20_000) < 15_000, -2.0, 1.0)
    won = (random.random(20_000) < 1 / (1 + np.exp(-x - level))).astype(float)
    features = pd.DataFrame({"x": x})
    settings = {"half_life_count": None} if name in candidates.SEARCHED else None
    every = models.chance(models.fit(name, features, won, settings)[0], features)
    monkeypatch.setattr(models, "sample", lambda count: row_weights.sample(count, 4_000))
    some = models.chance(models.fit(name, features, won, settings)[0], features)
    assert abs(some.mean() - won.mean()) < 0.02
    assert abs(auc(won, some) - auc(won, every)) < 0.02


def test_the_latest_rows_are_never_thinned_where_they_count_most(monkeypatch):
    """Fifty half-lives fit into the latest half: a sample changes nothing at all."""
    random = np.random.default_rng(1)
    features = pd.DataFrame({"x": random.normal(size=3_000).astype("float32")})
    won = (random.random(3_000) < 0.4).astype(float)
    settings = {"half_life_count": 20}
    every = models.chance(models.fit("recent_logistic", features, won, settings)[0], features)
    monkeypatch.setattr(models, "sample", lambda count: row_weights.sample(count, 2_000))
    some = models.chance(models.fit("recent_logistic", features, won, settings)[0], features)
    np.testing.assert_array_equal(some, every)


def halves(count, most=4_000):
    return row_weights.sample(count, most)


def a_cluster(monkeypatch, most):
    """A list of what a cluster is asked to fit; it is this machine, from `most` rows on."""
    given = []

    def there(model, inputs, outcome, weight, folder):
        given.append((type(model).__name__, len(inputs), folder))
        model.fit(inputs, outcome, sample_weight=weight)

    monkeypatch.setattr(models, "MOST_ROWS", most)
    monkeypatch.setattr(spark_trees, "fit", there)
    return given


@pytest.mark.parametrize("name", ["xgboost", "recent_boosting", "recent_logistic"])
@pytest.mark.parametrize("count", [4_000, 6_000])
def test_with_a_cluster_trees_take_every_row_where_they_would_be_sampled(
    name, count, monkeypatch, tmp_path
):
    random = np.random.default_rng(2)
    features = pd.DataFrame({"x": random.normal(size=count).astype("float32")})
    won = (random.random(count) < 0.4).astype(float)
    given = a_cluster(monkeypatch, 4_000)
    monkeypatch.setattr(models, "sample", halves)
    settings = {name: {"half_life_count": 1_000}} if name in candidates.SEARCHED else {}
    found = rolling.fit(name, features, won, settings, {}, cluster=tmp_path)
    far = count > 4_000 and name != "recent_logistic"
    assert given == ([("XGBClassifier", count, tmp_path)] if far else [])
    if far:
        monkeypatch.setattr(models, "sample", row_weights.sample)
        every = models.chance(rolling.fit(name, features, won, settings, {}), features)
        np.testing.assert_array_equal(models.chance(found, features), every)


def test_of_a_blend_the_trees_alone_go_to_the_cluster(monkeypatch, tmp_path):
    random = np.random.default_rng(2)
    features = pd.DataFrame({"x": random.normal(size=600).astype("float32")})
    won = (random.random(600) < 0.4).astype(float)
    given = a_cluster(monkeypatch, 500)
    settings = {name: tried[0] for name, tried in candidates.SEARCHED.items()}
    blended = {"weights": dict.fromkeys(candidates.BLENDED, 0.5), "intercept": 0.0}
    model = rolling.fit(candidates.BLEND, features, won, settings, blended, cluster=tmp_path)
    assert given == [("XGBClassifier", 600, tmp_path)]
    assert len(model.parts) == 2


@pytest.mark.parametrize(("engine", "place"), [("local", None), ("spark", "models/leads")])
def test_the_engine_says_whether_there_is_a_cluster(engine, place, monkeypatch, tmp_path):
    monkeypatch.setattr(spark_trees, "project_root", lambda: tmp_path)
    assert spark_trees.place(engine, "leads") == (tmp_path / place if place else None)


def test_an_unknown_engine_is_refused():
    with pytest.raises(InputError, match=r"'dask' is unknown; params.yaml knows local, spark"):
        spark_trees.place("dask", "leads")
