"""A quarter is judged once, by visits that no measure had seen, like with like."""

import numpy as np
import pandas as pd
import pytest

from tierwise.files import InputError
from tierwise.providers import next_quarter as nq
from tierwise.providers import visits


def jobs(seed=0, count=4000):
    """Visits of two years; the odd providers get more first-timers, all keep customers alike."""
    random = np.random.default_rng(seed)
    provider = random.integers(0, 20, count)
    first = random.random(count) < np.where(provider % 2 == 1, 0.7, 0.2)
    number = np.where(first, 1, 5)
    at = pd.Timestamp("2023-01-01") + pd.to_timedelta(random.uniform(0, 730, count), unit="D")
    returned = (random.random(count) < np.where(first, 0.5, 0.9)).astype("float64")
    table = pd.DataFrame({"customer": np.arange(count), "provider": provider, "number": number})
    table = table.assign(occurred_at=at, at_days=visits.day_number(pd.Series(at)))
    return table.assign(segment="home", returned=returned)


def test_quarters_ended_long_enough_ago_and_come_after_half_a_year():
    days = ["2024-01-01", "2024-04-01", "2024-07-01"]
    found = nq.quarters(jobs(), pd.Timestamp("2024-12-31"), 3)
    assert found == [pd.Timestamp(day) for day in days]
    assert nq.quarters(jobs(), pd.Timestamp("2025-01-01"), 2)[-1] == pd.Timestamp("2024-07-01")
    assert nq.quarters(jobs(), pd.Timestamp("2024-12-31"), 99)[0] == pd.Timestamp("2023-07-01")
    assert nq.after(found[-1]) == pd.Timestamp("2024-10-01")


def test_too_short_a_time_is_said():
    with pytest.raises(InputError, match="half a year"):
        nq.quarters(jobs(), pd.Timestamp("2023-08-01"), 4)


def test_only_visits_of_the_quarter_whose_end_is_known_count():
    rows, start = jobs(), pd.Timestamp("2024-01-01")
    found = nq.kept(rows, start)
    inside = rows["occurred_at"].between(start, pd.Timestamp("2024-03-31 23:59:59"))
    assert found["visits_count"].sum() == inside.sum()
    elsewhere = rows.assign(returned=rows["returned"].where(inside, 1 - rows["returned"]))
    pd.testing.assert_frame_equal(nq.kept(elsewhere, start), found)
    half = rows.assign(returned=rows["returned"].where(rows["customer"] % 2 == 0))
    assert nq.kept(half, start)["visits_count"].sum() < 0.6 * inside.sum()


def test_providers_with_few_visits_are_left_out():
    rows = jobs()
    few = rows[(rows["provider"] != 3) | (rows.groupby("provider").cumcount() < 9)]
    assert 3 not in nq.kept(few, pd.Timestamp("2024-01-01")).index


def test_who_gets_first_timers_is_not_blamed_for_it():
    found = nq.kept(jobs(count=40_000), pd.Timestamp("2024-01-01"))
    odd = found.index % 2 == 1
    assert found["kept"][~odd].mean() - found["kept"][odd].mean() > 0.15
    assert abs(found["kept_beyond"][~odd].mean() - found["kept_beyond"][odd].mean()) < 0.03
    weights = found["visits_count"] / found["visits_count"].sum()
    assert weights @ found["kept_beyond"] == pytest.approx(0, abs=1e-6)


def test_measures_are_asked_for_on_the_first_day_only():
    asked = []

    def known(start):
        asked.append(start)
        return pd.DataFrame({"measure": np.arange(20.0)}, index=pd.RangeIndex(20))

    starts = [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-04-01")]
    found = nq.followed(jobs(), starts, known)
    assert asked == starts
    assert found.groupby("quarter").size().tolist() == [20, 20]
    assert (found["measure"] == found.index).all()
