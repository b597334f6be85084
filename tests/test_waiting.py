"""Waits for the next visit: the curve of two other libraries, and nobody is lost by the calendar."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from tierwise.files import InputError
from tierwise.providers import waiting

DAYS = np.array([0.0, 3.0, 10.0, 30.0, 60.0])


def waits(seed=0, count=300):
    """Waits in whole days, so that there are ties; those who have not come yet are cut off."""
    random = np.random.default_rng(seed)
    true, until = random.exponential(25, count).round() + 1, random.uniform(5, 80, count).round()
    return np.minimum(true, until), true <= until


def test_the_curve_is_that_of_statsmodels():
    wait, came = waits()
    found = waiting.awaited(wait, came, DAYS)
    curve = SurvfuncRight(wait, came.astype(int))
    known = [curve.surv_prob[curve.surv_times <= day][-1:] for day in DAYS]
    assert found["share"].to_numpy() == pytest.approx(
        [one[0] if len(one) else 1.0 for one in known]
    )


def test_curve_and_ends_are_those_of_lifelines():
    lifelines = pytest.importorskip("lifelines")
    wait, came = waits(1)
    fitter = lifelines.KaplanMeierFitter(alpha=0.1).fit(wait, came)
    found = waiting.awaited(wait, came, DAYS)
    assert found["share"].to_numpy() == pytest.approx(fitter.predict(DAYS).to_numpy())
    ends = fitter.confidence_interval_.reindex(DAYS, method="ffill").to_numpy()
    assert found[["low", "high"]].to_numpy()[1:] == pytest.approx(ends[1:], abs=1e-6)


def test_without_censoring_it_is_the_share_that_waits_longer():
    wait = np.arange(1.0, 101.0)
    found = waiting.awaited(wait, np.ones(100, dtype=bool), np.array([0.0, 25.0, 50.5]))
    assert found["share"].tolist() == pytest.approx([1.0, 0.75, 0.5])
    assert found["at_risk_count"].tolist() == [100, 76, 50]


def test_counting_the_open_ones_as_lost_or_leaving_them_out_is_wrong():
    random = np.random.default_rng(2)
    true, until = random.exponential(30, 20_000), random.uniform(0, 60, 20_000)
    wait, came = np.minimum(true, until), true <= until
    right = np.exp(-1)
    found = waiting.awaited(wait, came, np.array([30.0]))["share"][0]
    assert found == pytest.approx(right, abs=0.015)
    assert 1 - (came & (wait <= 30)).mean() > right + 0.1
    assert (wait[came] > 30).mean() < right - 0.1


def test_ninety_percent_bands_hold_in_about_ninety_percent():
    held = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        true, until = random.exponential(30, 150), random.uniform(10, 90, 150)
        line = waiting.awaited(np.minimum(true, until), true <= until, np.array([30.0])).iloc[0]
        held.append(line["low"] <= np.exp(-1) <= line["high"])
    assert 0.85 <= np.mean(held) <= 0.95


def jobs():
    return pd.DataFrame(
        {
            "customer": [1, 1, 1, 2, 3, 3],
            "provider": ["a", "b", "a", "a", "b", "b"],
            "at_days": [0.0, 12.0, 20.0, 15.0, 2.0, 5.0],
        }
    )


def test_each_customer_waits_once_from_its_first_visit_in_the_time_followed():
    found = waiting.waits(jobs(), 10.0, 40.0)
    assert found.to_numpy().tolist() == [[1, "b", 8.0, True], [2, "a", 25.0, False]]


def test_what_came_after_the_end_is_not_known():
    found = waiting.waits(jobs(), 10.0, 16.0)
    assert found.to_numpy().tolist() == [[1, "b", 4.0, False], [2, "a", 1.0, False]]


def test_a_group_has_a_curve_of_its_own_and_few_customers_are_said():
    wait, came = waits(3)
    rows = pd.DataFrame({"customer": range(300), "provider": [1, 2, 3] * 100})
    rows = rows.assign(wait_days=wait, came=came)
    group = pd.Series({1: "2 late", 2: "1 early"})
    found = waiting.curves(rows, group, 20)
    assert found["group"].unique().tolist() == ["1 early", "2 late"]
    assert set(found["customers_count"]) == {100}
    mine = waiting.awaited(wait[1::3], came[1::3], np.arange(21.0))
    assert found.loc[found["group"] == "1 early", "share"].tolist() == mine["share"].tolist()
    with pytest.raises(InputError, match="Only 15 customers"):
        waiting.curves(rows.head(45), group)


@pytest.mark.filterwarnings("error")
def test_nobody_or_everybody_back_draws_no_warning():
    for came in (np.zeros(30, dtype=bool), np.ones(30, dtype=bool)):
        found = waiting.awaited(np.arange(30.0), came, DAYS)
        assert found["share"].between(0, 1).all()
