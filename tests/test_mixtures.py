"""The mixture: against a published table and two other libraries, and with values missing."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from tierwise.files import InputError
from tierwise.segments import mixtures as mx


def of_numbers(numbers):
    return mx.cells(numbers, np.empty((len(numbers), 0), "int64"), ())


def of_codes(codes):
    return mx.cells(np.empty((len(codes), 0)), codes, tuple(codes.max(axis=0) + 1))


def two_groups(seed=0, count=600, apart=2.5):
    random = np.random.default_rng(seed)
    group = (random.random(count) < 0.35).astype(int)
    numbers = random.normal(0, 1, (count, 4)) + apart * group[:, None] * np.array([1, -1, 0.5, 0])
    chance = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])[group]
    codes = (random.random((count, 1, 2)) > chance.cumsum(axis=1)[:, :, None]).sum(axis=1)
    return (numbers - numbers.mean(axis=0)) / numbers.std(axis=0), codes, group


def test_the_classes_of_a_published_table_come_out():
    # Three readers of 1,692 X-rays, pleural thickening seen (2) or not (1): Dayton 1998, Latent
    # Class Scaling Analysis, table 3.2, as computed with LEM (stats.oarc.ucla.edu/other/lem):
    # log likelihood -891.1428, classes 0.9455 and 0.0545, first level 0.9900 0.9646 0.9891 in the
    # one and 0.2510 0.3566 0.2350 in the other.
    patterns = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    counts = np.array([1513, 23, 59, 12, 21, 19, 11, 34])
    found = mx.fit(of_codes(patterns), 2, weights=counts.astype(float))
    assert found.log_likelihood == pytest.approx(-891.1428, abs=0.05)
    assert found.mixture.shares == pytest.approx([0.9455, 0.0545], abs=0.01)
    assert found.mixture.chances[0, ::2] == pytest.approx([0.9900, 0.9646, 0.9891], abs=0.01)
    assert found.mixture.chances[1, ::2] == pytest.approx([0.2510, 0.3566, 0.2350], abs=0.05)
    assert found.bic == pytest.approx(1834.3213, abs=0.1)


def test_numbers_alone_give_the_mixture_of_scikit_learn():
    numbers, _, _ = two_groups()
    found = mx.fit(of_numbers(numbers), 2)
    theirs = GaussianMixture(2, covariance_type="diag", n_init=5, tol=1e-7, random_state=0)
    theirs.fit(numbers)
    assert found.log_likelihood == pytest.approx(len(numbers) * theirs.score(numbers), abs=0.05)
    assert found.bic == pytest.approx(theirs.bic(numbers), abs=0.1)
    order = np.argsort(-theirs.weights_)
    assert found.mixture.means == pytest.approx(theirs.means_[order], abs=0.02)
    assert found.mixture.variances == pytest.approx(theirs.covariances_[order], abs=0.03)


def test_mixed_columns_with_gaps_give_the_likelihood_of_stepmix():
    stepmix = pytest.importorskip("stepmix")
    from stepmix.utils import get_mixed_descriptor

    numbers, codes, _ = two_groups()
    random = np.random.default_rng(1)
    numbers[random.random(numbers.shape) < 0.1] = np.nan
    import pandas as pd

    table = pd.DataFrame(np.hstack([numbers, codes]), columns=list("abcdef"))
    table.loc[random.random(len(table)) < 0.1, "f"] = np.nan
    data, descriptor = get_mixed_descriptor(
        table, continuous_nan=list("abcd"), categorical_nan=list("ef")
    )
    theirs = stepmix.StepMix(2, measurement=descriptor, n_init=5, random_state=0, abs_tol=1e-9)
    theirs.fit(data)
    filled = table[["e", "f"]].fillna(mx.MISSING).to_numpy("int64")
    found = mx.fit(mx.cells(numbers, filled, (3, 3)), 2)
    assert found.log_likelihood == pytest.approx(len(table) * theirs.score(data), abs=0.1)
    assert found.bic == pytest.approx(theirs.bic(data), abs=0.2)


def test_a_row_of_weight_two_is_a_row_that_stands_twice():
    numbers, codes, _ = two_groups(count=200)
    rows = mx.cells(numbers, codes, (3, 3))
    twice = rows.some(np.r_[np.arange(200), np.arange(50)])
    weights = np.where(np.arange(200) < 50, 2.0, 1.0)
    one = mx.fit(rows, 2, weights=weights)
    other = mx.fit(twice, 2, warm=one.mixture)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-3)
    assert one.bic == pytest.approx(other.bic, abs=1e-3)


def test_half_of_all_values_missing_still_finds_the_groups_and_fills_in_nothing():
    numbers, codes, group = two_groups(apart=3.0)
    random = np.random.default_rng(2)
    numbers[random.random(numbers.shape) < 0.5] = np.nan
    codes[random.random(codes.shape) < 0.5] = mx.MISSING
    numbers[0], codes[0] = np.nan, mx.MISSING
    found = mx.fit(mx.cells(numbers, codes, (3, 3)), 2)
    assert adjusted_rand_score(group, found.posterior.argmax(axis=1)) > 0.55
    assert found.posterior[0] == pytest.approx(found.mixture.shares)


def test_chances_add_up_and_groups_stand_by_size_and_a_rerun_is_equal():
    numbers, codes, _ = two_groups()
    rows = mx.cells(numbers, codes, (3, 3))
    found, again = mx.fit(rows, 3), mx.fit(rows, 3)
    assert found.posterior.sum(axis=1) == pytest.approx(np.ones(len(rows)))
    assert (np.diff(found.mixture.shares) <= 0).all()
    assert found.mixture.chances.reshape(3, 2, 3).sum(axis=2) == pytest.approx(np.ones((3, 2)))
    assert (found.posterior == again.posterior).all()


def test_the_order_of_rows_hardly_matters():
    numbers, codes, _ = two_groups()
    order = np.random.default_rng(5).permutation(len(numbers))
    one = mx.fit(mx.cells(numbers, codes, (3, 3)), 2)
    other = mx.fit(mx.cells(numbers[order], codes[order], (3, 3)), 2)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, abs=0.01)


def test_ties_do_not_make_a_group_of_no_width():
    numbers = np.random.default_rng(0).normal(size=(300, 1))
    numbers[:60] = 0.5
    found = mx.fit(of_numbers((numbers - numbers.mean()) / numbers.std()), 2)
    assert found.mixture.variances.min() >= 0.99 * mx.LEAST_VARIANCE


def test_one_group_is_the_whole_and_ends_of_the_range_are_errors():
    numbers, _, _ = two_groups(count=50)
    rows = of_numbers(numbers)
    one = mx.fit(rows, 1)
    assert one.mixture.means[0] == pytest.approx(np.zeros(4), abs=1e-9)
    for count in (0, 51):
        with pytest.raises(InputError, match=f"50 rows can't make {count} groups"):
            mx.fit(rows, count)
    numbers[:, 2] = np.nan
    with pytest.raises(InputError, match="Column 3 of 4 has no value"):
        mx.fit(of_numbers(numbers), 2)
    with pytest.raises(InputError, match="below the number of levels"):
        mx.cells(np.empty((2, 0)), np.array([[0], [2]]), (2,))
