"""Uplift is told from luck when it can be, and how long to wait is the textbook's number."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats import proportion

from tierwise import uplift
from tierwise.files import InputError


def rows(shown, held_out, wins_shown, wins_held_out):
    """One row a deal: so many that saw tiers and were held out, so many won."""
    won = np.r_[np.arange(shown) < wins_shown, np.arange(held_out) < wins_held_out]
    flag = np.repeat(["", "holdout"], [shown, held_out])
    return pd.DataFrame({"outcome": won.astype(float), "flag": flag, "shown": flag == ""})


def group(wins, count):
    return uplift.group(np.arange(count) < wins)


@pytest.mark.parametrize("aim", [1.05, 1.15, 1.5])
@pytest.mark.parametrize("rate", [0.01, 0.1067, 0.42])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_deals_needed_are_those_of_statsmodels(rate, share, aim):
    k = share / (1 - share)
    want = proportion.samplesize_proportions_2indep_onetail(
        rate * aim - rate, rate, uplift.POWER, ratio=k, alpha=0.05
    )
    assert uplift.shown_needed(rate, rate * aim, k, uplift.POWER) == pytest.approx(want, rel=1e-9)
    found = uplift.deals_needed(rate, share, aim)
    assert found["shown_count"] == np.ceil(want)
    assert found["held_out_count"] == np.ceil(want * k)
    assert found["deals_count"] == found["shown_count"] + found["held_out_count"]


def test_with_as_many_deals_as_are_needed_four_of_five_studies_find_the_uplift():
    needed, random = uplift.deals_needed(0.2, 0.2, 1.15), np.random.default_rng(0)
    found = []
    for _ in range(250):
        shown = group(random.binomial(needed["shown_count"], 0.23), needed["shown_count"])
        held = group(random.binomial(needed["held_out_count"], 0.2), needed["held_out_count"])
        found.append(uplift.ratio(shown, held, 1.0)["interval"][0] > 1)
    assert np.mean(found) == pytest.approx(0.80, abs=0.06)


@pytest.mark.parametrize(("wins", "count", "wins_held", "count_held"), [
    (420, 3800, 17, 200), (5, 40, 0, 12), (39, 40, 3, 9), (0, 30, 0, 5)
])  # fmt: skip
def test_intervals_are_those_of_statsmodels(wins, count, wins_held, count_held):
    shown, held = group(wins, count), group(wins_held, count_held)
    given = (wins, count, wins_held, count_held)
    want = proportion.confint_proportions_2indep(*given, compare="diff", method="newcomb")
    assert uplift.difference(shown, held, 1.0)["interval"] == pytest.approx(want, abs=1e-9)
    want = proportion.confint_proportions_2indep(*given, compare="ratio", method="log-adjusted")
    assert uplift.ratio(shown, held, 1.0)["interval"] == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize(("rate", "held"), [(0.11, 120), (0.3, 60), (0.05, 400)])
def test_the_true_uplift_lies_inside_nineteen_of_twenty_intervals(rate, held):
    """Also with a holdout of 13 to 20 wins."""
    random, true = np.random.default_rng(1), 1.15
    inside = []
    for _ in range(300):
        shown = group(random.binomial(3000, rate * true), 3000)
        out = group(random.binomial(held, rate), held)
        ends = [uplift.difference(shown, out, 1.0)["interval"]]
        ends += [uplift.ratio(shown, out, 1.0)["interval"]]
        truth = rate * (true - 1), true
        inside.append([low <= t <= high for (low, high), t in zip(ends, truth, strict=True)])
    assert np.mean(inside, axis=0) == pytest.approx([0.95, 0.95], abs=0.04)


def test_who_looks_again_and_again_is_fooled_by_one_look_and_not_by_the_interval_for_all():
    """Two years in which tiers do nothing, looked at every four weeks."""
    random, fooled = np.random.default_rng(2), []
    needed = uplift.deals_needed(0.2, 0.2)["deals_count"]
    for _ in range(100):
        wins = np.cumsum(random.binomial([80, 20], 0.2, size=(104, 2)), axis=0)
        once = ever = False
        for week in range(4, 104, 4):
            shown, held = (
                group(wins[week, 0], 80 * (week + 1)),
                group(wins[week, 1], 20 * (week + 1)),
            )
            found = uplift.ratio(shown, held, 100 * (week + 1) / needed)
            once |= not found["interval"][0] <= 1 <= found["interval"][1]
            ever |= not found["interval_any_time"][0] <= 1 <= found["interval_any_time"][1]
        fooled.append([once, ever])
    once, ever = np.mean(fooled, axis=0)
    assert once > 0.12
    assert ever <= 0.05


def test_the_interval_for_all_looks_is_half_as_wide_again_at_the_number_that_was_named():
    z = -np.array([uplift.norm.ppf((1 - uplift.confidence_any_time(r)) / 2) for r in (0.1, 1, 10)])
    assert z[1] / 1.96 == pytest.approx(1.55, abs=0.05)
    assert z.min() > 2.5
    assert np.isfinite(uplift.confidence_any_time(0.0))


def test_nothing_is_claimed_early_and_the_deals_still_needed_are_named():
    found = uplift.measured(rows(1900, 100, 228, 10))
    assert found["verdict"] == "too early"
    assert found["sentence"].startswith("+15% can't be told from nothing yet (")
    assert "12.0% of 1,900 deals with tiers won, 10.0% of 100 held out" in found["sentence"]
    assert f"About {found['more_count']:,} more deals" in found["sentence"]
    assert found["more_count"] == found["needed"]["deals_count"] - 2000 > 10_000
    assert found["ratio"]["value"] == pytest.approx(1.2)
    assert found["difference"]["value"] == pytest.approx(0.02)
    for measure in ("ratio", "difference"):
        low, high = found[measure]["interval"]
        first, last = found[measure]["interval_any_time"]
        assert first < low < found[measure]["value"] < high < last


@pytest.mark.parametrize(
    ("wins", "verdict", "said"),
    [
        ((4800, 800), "better", "Showing tiers wins more deals (+"),
        ((2400, 800), "worse", "Showing tiers wins fewer deals (-"),
        ((4000, 1000), "none that large", "An uplift of +15% is ruled out ("),
    ],
)
def test_what_is_clear_is_said(wins, verdict, said):
    found = uplift.measured(rows(20_000, 5000, *wins))
    assert found["verdict"] == verdict
    assert found["sentence"].startswith(said)
    assert "more deals with an outcome" not in found["sentence"]


def test_before_the_number_that_was_named_one_lucky_look_claims_nothing():
    found = uplift.measured(rows(1900, 400, 380, 58))
    assert found["more_count"] > 0
    assert found["ratio"]["interval"][0] > 1
    assert found["verdict"] == "too early"


@pytest.mark.parametrize("counts", [(0, 5, 0, 1), (5, 0, 1, 0), (0, 0, 0, 0)])
def test_without_one_of_the_groups_there_is_nothing_to_compare(counts):
    found = uplift.measured(rows(*counts))
    assert found["verdict"] == "too early"
    assert "nothing to compare" in found["sentence"]


@pytest.mark.parametrize("counts", [(50, 5, 0, 0), (50, 5, 50, 5), (50, 5, 3, 0)])
def test_few_deals_and_no_wins_give_wide_intervals_and_no_error(counts):
    found = uplift.measured(rows(*counts))
    assert found["verdict"] == "too early"
    low, high = found["ratio"]["interval"]
    assert 0 < low < 1 < high < np.inf


def test_deals_that_were_neither_shown_nor_held_out_are_left_aside():
    some = rows(1900, 100, 228, 10)
    more = pd.concat([some, rows(500, 0, 500, 0).assign(shown=False)], ignore_index=True)
    assert uplift.measured(more) == uplift.measured(some)


@pytest.mark.parametrize(
    "given", [(0.0, 0.1), (0.95, 0.1), (0.1, 0.0), (0.1, 1.0), (0.1, 0.1, 1.0)]
)
def test_numbers_that_no_formula_fits_are_refused(given):
    with pytest.raises(InputError):
        uplift.deals_needed(*given)
