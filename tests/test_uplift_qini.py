"""Qini curves are those of others, their limits are known, and their intervals hold the truth."""

from itertools import pairwise, permutations, product

import numpy as np
import pytest

from tierwise.clustered import difference
from tierwise.files import InputError
from tierwise.targeting import judged, qini


def by_hand(score, treated, outcome):
    """Radcliffe's curve one row at a time, ties straight across; area less the straight line."""
    points, n = [(0.0, 0.0)], len(score)
    for value in sorted(set(score), reverse=True):
        inside = [at for at in range(n) if score[at] >= value]
        n_t = sum(treated[at] for at in inside)
        n_c = len(inside) - n_t
        y_t = sum(outcome[at] for at in inside if treated[at])
        y_c = sum(outcome[at] for at in inside if not treated[at])
        points.append((len(inside) / n, (y_t - (y_c * n_t / n_c if n_c else 0)) / n))
    last, area = points[-1][1], 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        area += (x1 - x0) * (y0 - last * x0 + y1 - last * x1) / 2
    return area


def lot(count, seed=0, share=0.4, values=8):
    random = np.random.default_rng(seed)
    treated = random.random(count) < share
    score = np.floor(random.random(count) * values)
    outcome = (random.random(count) < 0.2 + 0.05 * treated * score / values).astype(float)
    return score, treated, outcome


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("count", "values"), [(9, 3), (40, 5), (200, 1000)])
def test_qini_is_that_of_a_count_by_hand(seed, count, values):
    score, treated, outcome = lot(count, seed, values=values)
    want = by_hand(list(score), list(treated), list(outcome))
    assert qini.qini(score, treated, outcome) == pytest.approx(want, abs=1e-12)


def test_curve_and_areas_are_those_of_scikit_uplift():
    """scikit-uplift 0.5.1: qini_curve and uplift_curve, points per row, not per head:

    x, q = sklift.metrics.qini_curve(outcome, score, treated)
    """
    treated = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 0])
    outcome = np.array([1, 0, 1, 0, 1, 0, 1, 0, 0, 1])
    score = np.array([5, 5, 4, 4, 4, 3, 2, 2, 1, 1])
    found = qini.curve(score, treated, outcome)
    assert found["depth_share"].to_numpy() * 10 == pytest.approx([0, 2, 5, 6, 8, 10])
    assert found["gain"].to_numpy() * 10 == pytest.approx([0, 1, 0.5, 1, 2, 1])
    want = np.trapezoid([0, 2, 5 / 6, 2, 4, 2], [0, 2, 5, 6, 8, 10]) / 100
    assert qini.auuc(score, treated, outcome) == pytest.approx(want)


@pytest.mark.parametrize("seed", range(3))
def test_no_order_of_few_rows_with_or_without_ties_is_above_the_highest(seed):
    random = np.random.default_rng(seed)
    treated = np.array([1, 1, 0, 0, 0, random.integers(2)])
    outcome = (random.random(6) < 0.5).astype(float)
    orders = [*permutations(range(6)), *product(range(4), repeat=6)]
    tried = [qini.qini(np.array(order), treated, outcome) for order in orders]
    assert max(tried) == pytest.approx(qini.highest(treated, outcome), abs=1e-12)


def test_a_constant_score_is_random_and_backwards_is_as_far_below():
    score, treated, outcome = lot(500, seed=1)
    assert qini.qini(np.ones(500), treated, outcome) == pytest.approx(0, abs=1e-15)
    effect = outcome[treated].mean() - outcome[~treated].mean()
    assert qini.auuc(np.ones(500), treated, outcome) == pytest.approx(effect / 2)
    assert qini.uplift_on_top(np.ones(500), treated, outcome, 0.3) == pytest.approx(effect)
    random = np.random.default_rng(2)
    many = [qini.qini(random.random(500), treated, outcome) for _ in range(300)]
    assert abs(np.mean(many)) < 3 * np.std(many) / np.sqrt(300)
    # With arms of the same number in every group of a score, the mirror image is exact.
    treated = np.tile([True, False], 250)
    score = np.repeat(score[:250], 2)
    forward = qini.qini(score, treated, outcome)
    assert qini.qini(-score, treated, outcome) == pytest.approx(-forward)


def test_only_the_order_of_scores_counts_and_that_of_rows_does_not():
    score, treated, outcome = lot(300, seed=3)
    found = judged.figure(score, treated, outcome)
    moved = judged.figure(np.exp(score / 3) - 7, treated, outcome)
    assert (moved.value, moved.low) == (found.value, found.low)
    order = np.random.default_rng(4).permutation(300)
    shuffled = judged.figure(score[order], treated[order], outcome[order])
    assert shuffled.value == pytest.approx(found.value, abs=1e-15)
    assert shuffled.influence == pytest.approx(found.influence[order], abs=1e-15)


def test_ties_are_the_mean_of_all_their_orders_up_to_the_ratio_of_arms():
    score, treated, outcome = lot(4000, seed=5, values=3)
    random = np.random.default_rng(6)
    broken = [qini.qini(score + random.random(4000) / 2, treated, outcome) for _ in range(200)]
    assert np.mean(broken) == pytest.approx(qini.qini(score, treated, outcome), abs=1.5e-4)


def test_the_true_effect_as_score_is_not_beaten_by_other_orders():
    random = np.random.default_rng(7)
    effect = np.repeat([0.3, 0.2, 0.1, 0.0], 5000)
    treated = random.random(20_000) < 0.5
    outcome = (random.random(20_000) < 0.2 + effect * treated).astype(float)
    best = qini.qini(effect, treated, outcome)
    names = np.repeat(np.arange(4), 5000)
    others = [np.array(order)[names] for order in permutations(range(4))]
    assert max(qini.qini(one, treated, outcome) for one in others) == best
    # The area between the true gains of the four groups and the straight line, halved by the lot.
    want = np.trapezoid(np.r_[0, np.cumsum([0.3, 0.2, 0.1, 0.0])] / 4, dx=0.25) - 0.15 / 2
    assert best == pytest.approx(want / 2, abs=0.004)


def test_influence_is_the_derivative_by_how_often_a_row_counts():
    score, treated, outcome = lot(60, seed=8)
    outcome = outcome * np.arange(60)  # money too
    found = judged.influence(score, treated, outcome)
    for row in range(60):
        ends = []
        for step in (1e-5, -1e-5):
            weight = np.ones(60)
            weight[row] += step
            ends.append(qini.qini(score, treated, outcome, weight))
        assert found[row] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-7)
    assert found.sum() == pytest.approx(0, abs=1e-12)


def test_intervals_are_as_wide_as_those_of_the_bootstrap():
    score, treated, outcome = lot(1500, seed=9)
    other = np.where(np.arange(1500) % 3 == 0, -score, score)
    table = judged.measured({"a": score, "b": other}, treated, outcome, "b")
    random, drawn = np.random.default_rng(10), []
    for _ in range(400):
        weight = np.bincount(random.integers(0, 1500, 1500), minlength=1500)
        drawn.append([qini.qini(one, treated, outcome, weight) for one in (score, other)])
    spread = np.std(np.column_stack([*np.transpose(drawn), -np.diff(drawn)]), axis=0)
    widths = np.r_[table["high"] - table["low"], table["ahead_high"][0] - table["ahead_low"][0]]
    assert widths / 2 / 1.96 == pytest.approx(spread, rel=0.12)


def test_rows_of_one_cluster_count_once():
    score, treated, outcome = lot(300, seed=11)
    once = judged.figure(score, treated, outcome)
    many = [np.repeat(values, 5) for values in (score, treated, outcome, np.arange(300))]
    by_person = judged.figure(*many[:3], cluster=many[3])
    assert by_person.value == pytest.approx(once.value)
    assert by_person.ends == pytest.approx(once.ends)
    alone = judged.figure(*many[:3])
    assert (alone.high - alone.low) * np.sqrt(5) == pytest.approx(once.high - once.low, rel=0.01)


def test_the_true_qini_and_lead_lie_inside_nineteen_of_twenty_intervals():
    """Planted: a tenth comes anyway; treating adds up to 30 points along the first score."""
    random, inside = np.random.default_rng(12), []

    def world(count):
        x, noise = random.random(count), random.random(count)
        treated = random.random(count) < 0.7
        outcome = (random.random(count) < 0.1 + 0.3 * treated * x).astype(float)
        return {"true": np.floor(20 * x), "half": x + noise}, treated, outcome

    large, treated, outcome = world(400_000)
    truth = {name: qini.qini(score, treated, outcome) for name, score in large.items()}
    for _ in range(250):
        scores, treated, outcome = world(800)
        found = [judged.figure(scores[name], treated, outcome) for name in truth]
        found.append(difference(*found, np.arange(800), judged.LEVEL))
        wanted = [*truth.values(), truth["true"] - truth["half"]]
        inside.append([f.low <= t <= f.high for t, f in zip(wanted, found, strict=True)])
    assert np.mean(inside, axis=0) == pytest.approx([0.95] * 3, abs=0.04)


def test_splits_of_the_same_rows_do_not_make_an_interval_shorter_than_the_rows_allow():
    score, treated, outcome = lot(400, seed=13)
    whole = judged.Split(np.arange(400), {"a": score})
    one = judged.over_splits([whole], treated, outcome)
    ten = judged.over_splits([whole] * 10, treated, outcome)
    assert ten.loc[0, ["qini", "low", "high"]].tolist() == pytest.approx(
        one.loc[0, ["qini", "low", "high"]].tolist()
    )
    assert ten.loc[0, "sd_of_splits"] == pytest.approx(0, abs=1e-12)
    low, high = judged.one_split_interval(np.array([1.0, 2.0, 3.0, 4.0]))
    assert (low, high) == pytest.approx((2.5 - 4.593, 2.5 + 4.593), abs=1e-3)


def test_a_band_lies_about_its_curve_and_ends_at_the_effect():
    score, treated, outcome = lot(2000, seed=14, values=5)
    table = judged.band(score, treated, outcome)
    assert table["depth_share"].iloc[[0, -1]].tolist() == [0.0, 1.0]
    assert (table["low"] <= table["gain"]).all()
    assert (table["gain"] <= table["high"]).all()
    effect = outcome[treated].mean() - outcome[~treated].mean()
    assert table["gain"].iloc[-1] == pytest.approx(effect * treated.mean())
    assert table["random"].iloc[-1] == table["gain"].iloc[-1]


def test_what_can_not_be_ranked_is_refused():
    score, treated, outcome = lot(20)
    with pytest.raises(InputError, match="score is missing"):
        qini.qini(np.where(score > 3, np.nan, score), treated, outcome)
    with pytest.raises(InputError, match="between 0 and 1"):
        qini.uplift_on_top(score, treated, outcome, 0)
    with pytest.raises(InputError, match="other arm"):
        judged.figure(score, np.ones(20), outcome)
    with pytest.raises(InputError, match="none of them"):
        judged.measured({"a": score}, treated, outcome, against="b")
    with pytest.raises(InputError, match="0 and 1 only"):
        qini.highest(treated, outcome * 3)
