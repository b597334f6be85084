"""Before and after a change of the product: planted steps, none, and those that come by themselves."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.signal import lfilter

from rating_worlds import START_DAYS, plain_visits, rated
from tierwise.files import InputError
from tierwise.providers import rating_changes as rc
from tierwise.providers.visits import START

AT = START_DAYS + 434  # whole weeks from the start
DATE = (START + pd.Timedelta(days=AT)).strftime("%Y-%m-%d")
CHANGES = [{"name": "prompt", "at": DATE, "what": "asks at once"}]


def world(chance_of, seed=0):
    """chance_of: chance to rate by days from the change."""
    visits = plain_visits(seed, 2500, 5)
    return rated(visits, 5.0, chance_of(visits["at_days"].to_numpy() - AT), seed)


def response(visits, changes=CHANGES, weeks=26):
    """The line of the response alone, of the first change."""
    dates = [one["at_days"] for one in rc.checked(changes)]
    values = visits["stars"].notna().to_numpy("float64")
    return rc.told(values, visits["at_days"].to_numpy(), dates[0], dates[1:], weeks, 0.9)


def test_a_planted_step_is_found_with_its_size():
    line = response(world(lambda days: np.where(days >= 0, 0.52, 0.40)))
    assert line["low"] < 0.12 < line["high"]
    assert line["said"] == rc.MOVED
    assert line["before"] == pytest.approx(0.40, abs=0.02)
    assert line["after"] == pytest.approx(0.52, abs=0.02)


def test_a_trend_is_no_step_though_before_and_after_differ():
    held = 0
    for seed in range(10):
        line = response(world(lambda days: 0.4 + days / 3000, seed))
        assert line["after"] - line["before"] > 0.03
        held += line["low"] <= 0 <= line["high"]
    assert held >= 7


def test_a_figure_that_jumps_all_the_time_has_not_moved_with_the_change():
    """A season of 16 weeks makes such steps on its own, wherever one looks."""

    def season(days):
        return 0.4 + 0.12 * np.sign(np.sin(2 * np.pi * (days + 1) / 112))

    line = response(world(season), weeks=8)
    assert line["low"] > 0
    assert line["said"] == rc.UNTOLD


def series_of(errors, slope=0.002, step=0.05):
    count = len(errors)
    week = np.arange(count) - count // 2
    value = 0.4 + slope * week + step * (week >= 0) + errors
    weights = np.random.default_rng(9).integers(50, 90, count)
    return pd.DataFrame({"week": week, "value": value, "count": weights})


def test_line_is_that_of_statsmodels_where_weeks_do_not_follow_each_other():
    """Errors that turn round from week to week: rho is 0, and the interval the usual one."""
    series = series_of(0.02 * np.random.default_rng(0).random(40) * np.tile([1.0, -1.0], 20))
    found = rc.interrupted(series, 20)
    after, middle = series["week"] >= 0, series["week"] + 0.5
    x = np.column_stack([np.ones(40), middle, after, middle * after])
    other = sm.WLS(series["value"], x, series["count"]).fit()
    assert found.shift == pytest.approx(other.params.iloc[2])
    assert [found.low, found.high] == pytest.approx(list(other.conf_int(0.1).iloc[2]))
    assert found.fitted == pytest.approx(other.fittedvalues)


@pytest.mark.parametrize("rho", [0.0, 0.4])
def test_nine_of_ten_intervals_hold_the_step_also_where_weeks_follow_each_other(rho):
    held = 0
    for seed in range(300):
        shock = np.random.default_rng(seed).normal(0, 0.02, 102)
        errors = lfilter([1.0], [1.0, -rho], shock)[50:]
        found = rc.interrupted(series_of(errors), 26)
        held += found.low <= 0.05 <= found.high
    assert 0.85 <= held / 300 <= 0.95


def test_weeks_are_whole_and_counted_from_the_change():
    days = np.array([0.0, 6.9, 7.0, 13.9, 14.0, 20.9])
    series = rc.weekly(np.array([1.0, 0.0, 1.0, 1.0, 0.0, np.nan]), days, 7.0)
    assert list(series["week"]) == [-1, 0, 1]
    assert list(series["value"]) == [0.5, 1.0, 0.0]
    assert list(series["count"]) == [2, 2, 1]


def test_too_few_weeks_are_said_to_be_so():
    visits = world(lambda days: 0.4)
    early = [{"name": "early", "at": str((START + pd.Timedelta(days=START_DAYS + 21)).date())}]
    line = response(visits, early)
    assert line["said"] == rc.SHORT
    assert np.isnan(line["shift"])


def test_dates_of_no_change_reach_over_no_other_change():
    visits = world(lambda days: np.where(days >= -182, 0.6, 0.4))
    other = str((START + pd.Timedelta(days=AT - 182)).date())
    with_it = response(visits, [*CHANGES, {"name": "other", "at": other}])
    without = response(visits)
    assert with_it["placebos_count"] < without["placebos_count"]
    assert rc.near_each_other([*CHANGES, {"name": "other", "at": other}], 27)
    assert not rc.near_each_other([*CHANGES, {"name": "other", "at": other}], 26)


@pytest.mark.parametrize(
    "change", [{"name": "x"}, {"at": "2024-01-01"}, {"name": "x", "at": "soon"}]
)
def test_a_change_without_a_name_or_a_date_is_refused(change):
    with pytest.raises(InputError, match="needs a name and a date"):
        rc.before_and_after(world(lambda days: 0.4), [change], 26)


def test_without_changes_the_table_is_empty_and_weeks_are_drawn_all_the_same():
    visits = world(lambda days: 0.4)
    assert rc.before_and_after(visits, [], 26).empty
    drawn = rc.drawn(visits, [], 26)
    assert set(drawn) == {"rated", "five_stars", "with_text"}  # nobody was asked by lot
    weeks, lines = drawn["rated"]
    assert lines == []
    assert len(weeks) == 100
    assert weeks["at"].is_monotonic_increasing
