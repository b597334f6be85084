"""A guess from scores alone is right where its assumption holds, and held back where it does not."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from tierwise import calibration, unlabelled


def em(score, learned_share, rounds=20_000):
    """Equations 2.9 and 2.10 of Saerens, Latinne and Decaestecker 2002, step by step."""
    share = learned_share
    for _ in range(rounds):
        won = share / learned_share * score
        lost = (1 - share) / (1 - learned_share) * (1 - score)
        share = np.mean(won / (won + lost))
    return share


@pytest.mark.parametrize(("learned", "now"), [(0.3, 0.3), (0.3, 0.1), (0.1, 0.4)])
def test_the_share_without_labels_is_where_em_comes_to_rest_and_the_true_one(learned, now):
    """Two bell curves one unit apart each way: true odds are known, merely their number moves."""
    random = np.random.default_rng(0)
    won = random.random(20_000) < now
    x = random.normal(np.where(won, 1.0, -1.0))
    score = expit(2 * x + logit(learned))
    found = unlabelled.share_without_labels(score, learned)
    assert found == pytest.approx(em(score, learned, 500), abs=1e-4)
    assert found == pytest.approx(now, abs=0.02)


@pytest.mark.parametrize(("score", "end"), [(0.06, 1.0), (0.04, 0.0)])
def test_a_shift_of_all_scores_runs_away_to_the_end(score, end):
    """Without a spread, every score above (below) the learned share asks for more (less)."""
    found = unlabelled.share_without_labels(np.full(500, score), 0.05)
    assert found == pytest.approx(end, abs=1e-5)
    assert em(np.full(500, score), 0.05) == pytest.approx(end, abs=1e-3)


def moving(shift_of_scores, shift_of_share, periods=8, size=1500):
    """A past in which, from period 3 on, scores move alone or wins become more frequent."""
    random = np.random.default_rng(0)
    period = np.repeat(np.arange(periods), size)
    late = period >= 3
    won = random.random(len(period)) < expit(logit(0.06) + shift_of_share * late)
    x = random.normal(np.where(won, 1.0, -1.0))
    score = expit(2 * x + logit(0.06) + shift_of_scores * late)
    return score, won.astype(float), period, period + 1


def without_labels(past, **settings):
    return calibration.compare(*past, **settings).set_index("method").loc[unlabelled.EM]


def test_a_fit_that_knew_no_win_or_nothing_else_gives_no_endless_shift():
    score, won, period = np.full(200, 0.1), np.arange(200) % 2, np.arange(200) // 100
    for learned in (0.0, 1.0):
        chance, shares = unlabelled.forward_without_labels(
            score, won, period, period + 1, np.full(200, learned)
        )
        assert 0 < chance[100:].min() <= chance[100:].max() < 1
        assert np.isfinite(shares["guessed_share"]).all()


def test_the_guard_holds_when_scores_drift_alone_and_the_guess_runs_away():
    """A column that is a clock lifts all scores, and no more is won than before."""
    past = moving(shift_of_scores=2.5, shift_of_share=0.0)
    _, shares = unlabelled.forward_without_labels(*past)
    assert shares["guessed_share"].max() > 0.25
    assert shares["known_share"].max() < 0.1
    row = without_labels(past)
    assert row["log_loss_change"] > 0.1
    assert "it once guessed that" in row["not_offered"]
    assert "where" in row["not_offered"]


def test_a_guess_that_helped_in_every_period_and_stayed_near_is_offered():
    """Outcomes come three periods late; the guess sees at once that more is won."""
    score, won, period, _ = moving(shift_of_scores=0.0, shift_of_share=1.5)
    past = score, won, period, period + 3, np.full(len(score), 0.06)
    row = without_labels(past, factor=5.0)
    assert row["interval"][1] < 0
    assert row["not_offered"] == unlabelled.PASSED
    assert "it once guessed" in without_labels(past, factor=2.0)["not_offered"]


def test_the_guess_starts_from_the_share_that_the_model_learned_from():
    """A model that learned from twice the odds and says twice the odds leads to the same guess."""
    score, won, period, known_from = moving(0.0, 0.0)
    doubled = expit(logit(0.06) + np.log(2))
    _, plain = unlabelled.forward_without_labels(
        score, won, period, known_from, np.full(len(score), 0.06)
    )
    _, other = unlabelled.forward_without_labels(
        expit(logit(score) + np.log(2)), won, period, known_from, np.full(len(score), doubled)
    )
    np.testing.assert_allclose(other["guessed_share"], plain["guessed_share"], rtol=1e-6)
    assert plain["guessed_share"].between(0.045, 0.08).all()


def test_a_gain_that_may_be_luck_is_not_offered():
    row = without_labels(moving(shift_of_scores=0.0, shift_of_share=0.0), factor=4.0)
    assert row["interval"][1] >= 0
    assert row["not_offered"] == "its gain over no correction could be luck"


@pytest.mark.parametrize(
    ("guessed", "change", "offered"),
    [
        (0.12, [-0.2, -0.1], True),
        (0.21, [-0.2, -0.1], False),
        (0.049, [-0.2, -0.1], False),
        (0.12, [-0.2, 0.0], False),
    ],
)
def test_the_guard_asks_for_a_near_guess_and_for_a_sure_gain(guessed, change, offered):
    shares = pd.DataFrame({"period": [1], "guessed_share": [guessed], "known_share": [0.1]})
    assert (unlabelled.guarded(shares, change, factor=2.0) == unlabelled.PASSED) == offered


def test_the_guess_looks_at_no_outcome_of_its_own_period():
    score, won, period, known_from = moving(0.0, 0.8)
    before, _ = unlabelled.forward_without_labels(score, won, period, known_from)
    changed = np.where(period == 7, 1 - won, won)
    after, _ = unlabelled.forward_without_labels(score, changed, period, known_from)
    np.testing.assert_array_equal(after, before)
