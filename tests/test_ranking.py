"""A score ranks as well as the share of pairs that it puts in the right order."""

import numpy as np
import pandas as pd
import pytest

from tierwise import ranking


def labels(seed=0, count=3000):
    return (np.random.default_rng(seed).random(count) < 0.3).astype(float)


def test_the_auc_is_the_share_of_pairs_in_the_right_order_with_ties_as_half():
    won, score = np.array([0, 1, 0, 1, 1]), np.array([1.0, 1.0, 2.0, 3.0, 0.0])
    pairs = score[won == 1][:, None] - score[won == 0][None, :]
    assert ranking.auc(won, score) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def test_one_class_leaves_the_auc_at_a_half():
    assert ranking.auc(np.ones(5), np.arange(5)) == 0.5
    assert ranking.auc_in_blocks(np.ones(20), np.arange(20)) == 0.5


def test_the_auc_in_blocks_weighs_each_block_by_its_rarer_class():
    won = np.array([1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0])
    score = np.array([9, 1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8])
    blocks = [np.arange(4), np.arange(4, 10), np.arange(10, 12)]
    assert ranking.auc_in_blocks(won, score, blocks) == pytest.approx((1 * 1.0 + 3 * 0.0 + 0) / 4)


def test_a_level_that_differs_between_blocks_does_not_change_the_auc_in_blocks():
    won = labels()
    score = won + np.random.default_rng(1).normal(size=len(won))
    level = np.repeat(np.arange(10) * 100.0, len(won) // 10)
    assert ranking.auc_in_blocks(won, score + level) == ranking.auc_in_blocks(won, score)


def test_a_date_counts_as_a_number_in_order_and_a_missing_one_stays_missing():
    dates = pd.Series(pd.to_datetime(["2026-01-02", None, "2026-01-01"]))
    number = ranking.as_number(dates)
    assert number.isna().tolist() == [False, True, False]
    assert number[0] > number[2]


def test_the_guard_still_offers_the_measures_by_their_old_names():
    from tierwise import leakage

    assert leakage.auc is ranking.auc
    assert leakage.auc_in_blocks is ranking.auc_in_blocks
    assert leakage.alone_score is ranking.alone_score
