"""Rows that stand for others: few enough to fit, and the same sums as all of them."""

import numpy as np
import pandas as pd
import pytest

from tierwise import models, row_weights
from tierwise.ranking import auc


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
    settings = {"half_life_count": None} if name in models.SEARCHED else None
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
