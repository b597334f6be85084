"""The chance of a next contact: learned from the past alone, calibrated on later dates."""

import numpy as np
import pandas as pd
import pytest

from tierwise.companies import next_contact
from tierwise.evaluation import calibration_error
from tierwise.files import InputError
from tierwise.ranking import auc

START = pd.Timestamp("2023-01-01")
CUTS = [START + pd.Timedelta(days=days) for days in (180, 210, 240)]
LATER = [START + pd.Timedelta(days=days) for days in (300, 330)]


def simulated(people_count: int = 150, seed: int = 5) -> pd.DataFrame:
    """A year of contact between pairs; each begins and ends, at its own rate between."""
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(people_count, 1)
    rate = np.exp(rng.normal(-0.5, 1.5, len(first)))  # a month
    begin = rng.uniform(-500, 360, len(first))
    end = np.minimum(begin + rng.exponential(200, len(first)), 360)
    begin = np.maximum(begin, 0)
    count = rng.poisson(rate * np.maximum(end - begin, 0) / 30)
    pair = np.repeat(np.arange(len(first)), count)
    days = begin[pair] + rng.random(len(pair)) * (end - begin)[pair]
    turned = rng.random(len(pair)) < 0.5
    return pd.DataFrame(
        {
            "from": np.where(turned, first[pair], second[pair]),
            "to": np.where(turned, second[pair], first[pair]),
            "at": START + pd.to_timedelta(days, unit="D"),
        }
    )


@pytest.fixture(scope="module")
def contact() -> pd.DataFrame:
    return simulated()


@pytest.mark.parametrize("outcome", next_contact.OUTCOMES)
def test_chances_rank_and_hold_on_later_dates(contact: pd.DataFrame, outcome: str) -> None:
    model = next_contact.fit_before(next_contact.cut_examples(contact, CUTS), LATER[0], outcome)
    later = next_contact.cut_examples(contact, LATER)
    happened, chance = later[outcome].to_numpy(), model.chance(later)
    assert auc(happened, chance) > max(0.8, auc(happened, later["count"]))
    assert auc(happened, chance) > auc(happened, -later["last_days"])
    assert calibration_error(happened, chance) < 0.03
    assert chance.mean() == pytest.approx(happened.mean(), abs=0.03)


def test_outcomes_are_those_of_the_horizon_to_the_instant() -> None:
    cut = CUTS[0]
    around = [("b", "a", -1), ("a", "b", 0), ("c", "d", -2), ("c", "d", 30), ("e", "f", -3)]
    around += [("e", "f", 29.99), ("f", "e", 29.99), ("a", "f", 5)]
    table = pd.DataFrame(around, columns=["from", "to", "days"])
    table = table.assign(at=cut + pd.to_timedelta(table.pop("days"), unit="D"))
    found = next_contact.cut_examples(table, [cut])
    pairs = list(zip(found["first"], found["second"], strict=True))
    assert pairs == [(0, 1), (2, 3), (4, 5)]  # a and f had not met
    assert found["contact"].tolist() == [1, 0, 1]
    assert found["two_way_contact"].tolist() == [0, 0, 1]
    assert (found["outcome_known_at"] == cut + pd.Timedelta(days=30)).all()


def test_what_comes_after_a_cut_changes_no_feature_of_it(contact: pd.DataFrame) -> None:
    people = pd.Index(np.union1d(contact["from"], contact["to"]))
    past = contact[contact["at"] < CUTS[0]]
    whole, cut = (next_contact.pairs_at(one, CUTS[0], people) for one in (contact, past))
    pd.testing.assert_frame_equal(whole, cut)


def test_a_cut_whose_horizon_is_still_open_teaches_nothing(contact: pd.DataFrame) -> None:
    known = next_contact.cut_examples(contact, CUTS)
    as_of = CUTS[1] + pd.Timedelta(days=30)
    one = next_contact.fit_before(known, as_of)
    first_only = next_contact.fit(known[known["as_of"] == CUTS[0]])
    np.testing.assert_array_equal(one.weights, first_only.weights)
    both = next_contact.fit_before(known, as_of + pd.Timedelta(hours=1))
    assert not np.allclose(both.weights, first_only.weights)


def test_features_are_finite_for_the_oldest_and_the_newest_contact() -> None:
    table = pd.DataFrame({"from": ["a", "b"], "to": ["b", "c"]})
    table["at"] = [CUTS[0] - pd.Timedelta(days=9000), CUTS[0] - pd.Timedelta(microseconds=1)]
    found = next_contact.pairs_at(table, CUTS[0], pd.Index(list("abc")))
    assert np.isfinite(found[list(next_contact.feature_names())]).all(axis=None)


def test_what_teaches_nothing_is_refused(contact: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="Nobody had met anybody before 2022"):
        next_contact.cut_examples(contact, [START - pd.Timedelta(days=5)])
    known = next_contact.cut_examples(contact, CUTS[:1])
    with pytest.raises(InputError, match="run its course"):
        next_contact.fit_before(known, CUTS[0])
    with pytest.raises(InputError, match="'meeting' is no outcome"):
        next_contact.fit(known, "meeting")
    with pytest.raises(InputError, match="ended alike"):
        next_contact.fit(known.assign(contact=1))
