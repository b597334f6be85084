"""Figures of rows that share a customer, against other libraries and on drawn worlds."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from tierwise import clustered, evaluation
from tierwise.files import InputError


def drawn(seed, customers=200, each=5, shared=1.0):
    """Yes or no of visits whose customers have a habit; x of no meaning, and whose they are."""
    random = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(customers), each)
    habit = random.normal(0, shared, customers)[cluster]
    x = random.normal(0, 1, len(cluster))
    return (random.random(len(cluster)) < expit(0.5 + habit + 0.4 * x)).astype(float), x, cluster


def test_a_customer_who_does_the_same_ten_times_counts_once():
    y, _, _ = drawn(0, each=1)
    every = np.ones(len(y), dtype=bool)
    once = clustered.share(y, every, np.arange(len(y)))
    often = clustered.share(
        np.repeat(y, 10), np.repeat(every, 10), np.repeat(np.arange(len(y)), 10)
    )
    assert often.ends == pytest.approx(once.ends)
    alone = clustered.share(np.repeat(y, 10), np.repeat(every, 10), np.arange(10 * len(y)))
    assert alone.high - alone.low < (once.high - once.low) / 2


@pytest.mark.parametrize("shared", [0.0, 1.5])
def test_nine_of_ten_intervals_of_a_share_hold_the_truth(shared):
    """The truth is the mean of a far larger draw of the same kind."""
    truth = drawn(10_000, customers=200_000, each=5, shared=shared)[0].mean()
    held = 0
    for seed in range(400):
        y, _, cluster = drawn(seed, customers=120, shared=shared)
        found = clustered.share(y, np.ones(len(y), dtype=bool), cluster)
        held += found.low <= truth <= found.high
    assert 0.86 <= held / 400 <= 0.94


def test_share_of_nobody_and_of_everybody_has_wilsons_interval_of_customers():
    cluster = np.repeat(np.arange(10), 3)
    every = np.ones(30, dtype=bool)
    for value in (0.0, 1.0):
        found = clustered.share(np.full(30, value), every, cluster)
        assert found.ends == pytest.approx(evaluation.wilson(10 * value, 10, 0.9))
    empty = clustered.share(np.ones(30), ~every, cluster)
    assert np.isnan(empty.value)
    assert empty.count == 0


def test_rows_of_one_customer_say_nothing_of_how_customers_differ():
    cluster, inside = np.arange(60) // 20, np.arange(60) < 20
    y = (np.arange(60) % 4 > 0).astype(float)
    found = clustered.share(y, inside, cluster)
    assert found.ends == pytest.approx(evaluation.wilson(0.75, 1, 0.9))
    plain = clustered.mean(y, inside, cluster)
    assert plain.value == 0.75
    assert np.isnan(plain.ends).all()


def test_a_perfect_order_of_few_is_not_sure_to_stay_perfect():
    found = clustered.auc(np.array([1.0, 0, 0, 0]), np.arange(4)[::-1], np.arange(4))
    assert found.value == 1
    assert found.ends == pytest.approx(evaluation.wilson(1, 1, 0.9))


def test_difference_of_a_figure_with_itself_is_sure_to_be_nothing():
    y, _, cluster = drawn(1)
    one = clustered.mean(y, np.ones(len(y), dtype=bool), cluster)
    same = clustered.difference(one, one, cluster)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_auc_is_that_of_scikit_learn_and_its_variance_that_of_delong():
    """The variance is written out as in DeLong et al. 1988, for rows of one customer each."""
    y, x, _ = drawn(2)
    score = np.round(x, 1)  # ties
    found = clustered.auc(y, score, np.arange(len(y)))
    assert found.value == pytest.approx(roc_auc_score(y, score))
    wins, losses = score[y == 1], score[y == 0]
    right = (wins[:, None] > losses) + 0.5 * (wins[:, None] == losses)
    variance = right.mean(axis=1).var(ddof=1) / len(wins) + right.mean(axis=0).var(ddof=1) / len(
        losses
    )
    assert clustered.spread(found.influence, np.arange(len(y))) == pytest.approx(
        np.sqrt(variance), rel=0.01
    )


def test_auc_turns_round_with_the_score_and_is_a_coin_for_one_class():
    y, x, cluster = drawn(3)
    up, down = (clustered.auc(y, sign * x, cluster) for sign in (1, -1))
    assert up.value == pytest.approx(1 - down.value)
    assert up.ends == pytest.approx([1 - down.high, 1 - down.low])
    assert clustered.auc(np.ones(len(y)), x, cluster).value == 0.5


def test_logistic_model_is_that_of_statsmodels_with_errors_by_customer():
    y, x, cluster = drawn(4)
    rows = np.column_stack([np.ones(len(y)), x, cluster % 2])
    found = clustered.logistic(rows, y, cluster)
    kinds = {"groups": cluster, "use_correction": False}
    other = sm.Logit(y, rows).fit(disp=0, cov_type="cluster", cov_kwds=kinds)
    assert found.log_odds == pytest.approx(other.params, abs=1e-6)
    groups = len(np.unique(cluster))
    wanted = other.cov_params() * groups / (groups - 1)
    assert found.covariance == pytest.approx(np.asarray(wanted), rel=1e-4, abs=1e-9)


def test_what_tells_the_outcome_for_certain_is_refused():
    y, _, cluster = drawn(5)
    with pytest.raises(InputError, match="tells the outcome for certain"):
        clustered.logistic(np.column_stack([np.ones(len(y)), y]), y, cluster)
    for double in (y * 0 + 2.0, np.arange(len(y)) % 7):
        columns = np.column_stack([np.ones(len(y)), np.arange(len(y)) % 7, double])
        with pytest.raises(InputError, match="say the same, or one holds a single value"):
            clustered.logistic(columns, y, cluster)
    with pytest.raises(InputError, match="outcomes are alike"):
        clustered.logistic(np.ones((4, 1)), np.ones(4), np.arange(4))
