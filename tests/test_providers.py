"""The application: whom it looks at and when, what it knows of them then, and what came of it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from crm import at
from ranked_providers import QUESTION, small_marketplace, until_of, untouched
from small_providers import small_providers
from tierwise.applications import providers as asked
from tierwise.files import InputError
from tierwise.providers import visits_seen
from tierwise.rhythm import Rhythm


def events(rows):
    columns = ["event_id", "provider_id", "occurred_at", "known_at", "kind", "note"]
    return pd.DataFrame(rows, columns=columns)


# the question


def test_a_question_is_refused_with_what_is_wrong_in_it():
    assert asked.checked(QUESTION) == QUESTION
    with pytest.raises(InputError, match="question.stretch"):
        asked.checked(QUESTION | {"stretch": 0})
    with pytest.raises(InputError, match="'applause' is no action; known are favourite"):
        asked.checked(QUESTION | {"actions": ["applause"]})
    with pytest.raises(InputError, match="'tip' has a given weight and stands among the actions"):
        asked.checked(QUESTION | {"given_weights": {"tip": 1.0}})


# whom, and when


def test_quarters_begin_after_the_one_of_the_first_visit_and_end_today():
    tables, _ = small_marketplace()
    found = asked.quarters(tables, pd.Timestamp("2024-01-01"))
    assert found[0] == pd.Timestamp("2023-04-01")
    assert found[-1] == pd.Timestamp("2024-01-01")
    assert len(found) == 4


def test_who_joined_later_or_left_before_is_not_looked_at():
    tables = small_providers()
    assert asked.entities(tables, at(2)).tolist() == [1, 2]
    assert asked.entities(tables, at(1)).tolist() == []
    tables["provider_events"] = events([("e", 2, at(5), at(6), "left", None)])
    assert asked.entities(tables, at(6)).tolist() == [1, 2]
    assert asked.entities(tables, at(7)).tolist() == [1]


# what is known


def test_nothing_that_was_learned_later_is_known():
    tables, _ = small_marketplace()
    day = pd.Timestamp("2024-01-01")
    whole = asked.seen(tables, day, QUESTION)
    early = {name: rows[rows["known_at"] < day] for name, rows in tables.items()}
    again = asked.seen(early, day, QUESTION)
    pd.testing.assert_frame_equal(whole.jobs, again.jobs)
    pd.testing.assert_frame_equal(whole.counts, again.counts)
    pd.testing.assert_index_equal(whole.providers, again.providers)


def test_seasoned_visits_begin_with_the_second_provider_of_a_customer():
    jobs = pd.DataFrame({"customer": [1, 1, 1, 1, 2, 2, 3], "provider": [7, 7, 8, 7, 7, 7, 8]})
    found = visits_seen.seasoned(jobs)
    assert found.tolist() == [False, False, True, True, False, False, False]


def test_who_was_cancelled_on_and_went_elsewhere_is_connected():
    bookings = pd.DataFrame({"customer": [1, 1, 2, 2], "provider": [7, 8, 7, 7]})
    assert visits_seen.connected(bookings).tolist() == [True, True, False, False]


def test_a_customer_who_went_elsewhere_did_not_return_to_the_same():
    _, today, _ = untouched()
    rhythm = visits_seen.rhythm_of(today)
    came = visits_seen.returned(today, rhythm, 2.0)
    same = visits_seen.to_same(today.jobs, came)
    assert (same.isna() == came.isna()).all()
    assert (same[same.notna()] <= came[came.notna()]).all()
    assert 0.2 < same.mean() < came.mean() < 1


def test_weights_are_learned_from_those_who_know_two_providers():
    _, today, _ = untouched()
    rhythm = Rhythm(1.0, 20.0)
    found = visits_seen.weights_of(today, rhythm, QUESTION)
    assert found.loc["complaint", "weight"] < 0 < found.loc["tip", "weight"]
    assert found.loc["rebooked_same", "source"] == "given"
    lonely = replace(today, jobs=today.jobs.assign(seasoned=False))
    with pytest.raises(InputError, match="0 visits .* know two providers"):
        visits_seen.weights_of(lonely, rhythm, QUESTION)


def test_actions_that_tell_nothing_are_no_score():
    _, today, _ = untouched()
    silent = replace(today, counts=today.counts * 0)
    with pytest.raises(InputError, match="nothing to rank by"):
        visits_seen.weights_of(silent, Rhythm(1.0, 20.0), QUESTION | {"given_weights": {}})


# what came


def test_outcomes_are_of_the_quarter_and_open_ones_are_not_known():
    tables, _ = small_marketplace()
    _, today, _ = untouched()
    start, end = pd.Timestamp("2024-07-01"), pd.Timestamp("2024-10-01")
    found = asked.outcomes(today, start, end, Rhythm(1.0, 20.0), 2.0)
    days = pd.Timestamp("2000-01-01") + pd.to_timedelta(found["at_days"], unit="D")
    assert days.min() >= start
    assert days.max() < end
    assert 0 < found["returned"].isna().mean() < 1
    last = days > until_of(tables) - pd.Timedelta(days=13)
    assert found.loc[last, "complaint"].isna().all()
    assert set(found["complaint"].dropna().unique()) <= {0.0, 1.0}


def test_public_figures_are_of_the_lookback_and_of_every_provider():
    tables, _ = small_marketplace()
    seen = untouched()[0][-1].seen
    found = asked.figures(tables, seen, QUESTION)
    assert found.index.equals(seen.providers)
    short = asked.figures(tables, seen, QUESTION | {"lookback_days": 90.0})
    assert short["visits_count"].sum() < found["visits_count"].sum()
    assert (found["customers_count"] <= found["visits_count"]).all()
    assert found["punctual_share"].between(0, 1).all()
    assert np.isfinite(found["complaints_low"]).all()
