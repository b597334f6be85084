"""Segments over time: labels hold still, and only those who changed move."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from segment_worlds import CATEGORIES, NUMBERS, SEPARATIONS, mixed_people
from tierwise.files import InputError
from tierwise.segments import columns as segment_columns
from tierwise.segments import find as sg
from tierwise.segments import mixtures
from tierwise.segments import moves as sm
from tierwise.segments import plan as segment_plan

COUNTS = {"weak": 3, "middle": 4, "strong": 4}


def segmentation(people, count):
    plan = segment_plan.planned(people, NUMBERS, CATEGORIES)
    fitted = mixtures.fit(segment_columns.prepared(people, plan), count, start_count=6)
    return sg.Segmentation(plan, fitted.mixture, tuple(range(1, count + 1)))


def by_person(values):
    return pd.Series(values, pd.RangeIndex(len(values), name="person_id"))


@pytest.fixture(scope="module")
def months():
    return {name: mixed_people(1, far, months=3) for name, far in SEPARATIONS.items()}


def followed(months, count, again):
    """Held segments month by month, and what they would be without holding."""
    first = segmentation(months[0], count)
    before, held, naive = None, [], []
    for people in months:
        now = segmentation(people, count) if again else first
        if again and before is not None:
            free = sg.assigned(sg.chances(people, now))["segment"]
            now = sm.relabelled(now, sm.matched(before, free))
        chance = sg.chances(people, now)
        naive.append(sg.assigned(chance)["segment"])
        before = sm.held(chance, before)["segment"]
        held.append(before)
    return held, naive


def mean_moved(segments):
    return np.mean([sm.moved(one, other)["moved_share"] for one, other in pairwise(segments)])


@pytest.mark.parametrize(
    ("name", "again"), [("weak", False), ("middle", False), ("middle", True), ("strong", False)]
)
def test_with_unchanged_behaviour_under_ten_percent_move_in_a_month(months, name, again):
    people, _ = months[name]
    held, naive = followed(people, COUNTS[name], again)
    assert mean_moved(held) <= 0.10
    assert mean_moved(held) < 0.7 * mean_moved(naive)


def test_holding_costs_nothing_of_the_truth(months):
    people, group = months["middle"]
    held, naive = followed(people, 4, again=False)
    ours, theirs = (adjusted_rand_score(group, one[-1]) for one in (held, naive))
    assert ours > theirs - 0.01


def test_who_becomes_somebody_else_is_found_in_the_new_segment(months):
    people, group = months["strong"]
    first = segmentation(people[0], 4)
    before = sm.held(sg.chances(people[0], first))["segment"]
    # Everybody of the first true group now lives like somebody of the second one.
    changed, model = np.flatnonzero(group == 0), np.flatnonzero(group == 1)
    later = people[1].copy()
    later.iloc[changed] = people[1].iloc[np.resize(model, len(changed))].to_numpy()
    now = sm.held(sg.chances(later, first), before)["segment"]
    new_home = before.iloc[model].mode()[0]
    assert (now.iloc[changed] == new_home).mean() > 0.9


def test_the_same_segments_under_other_numbers_get_their_labels_back():
    before = by_person(np.repeat([1, 2, 3], [50, 30, 20]))
    now = before.map({1: 3, 2: 1, 3: 2})
    now.iloc[:3] = 1
    match = sm.matched(before, now)
    assert dict(zip(match["segment"], match["label"], strict=True)) == {3: 1, 1: 2, 2: 3}
    assert match["overlap"].iloc[2] == pytest.approx(47 / 50)
    relabelled = sm.relabelled(sg.Segmentation(None, None, (1, 2, 3)), match)
    assert relabelled.labels == (2, 3, 1)


def test_a_segment_that_nobody_had_before_gets_a_number_that_was_never_used():
    before = by_person(np.repeat([1, 2], [60, 40]))
    now = by_person(np.repeat([2, 3, 1], [30, 30, 40]))
    match = sm.matched(before, now).set_index("segment")
    assert match.loc[1, "label"] == 2
    assert sorted(match.loc[[2, 3], "label"]) == [1, 3]
    assert match.loc[1, "earlier"] == 2
    assert match["earlier"].isna().sum() == 1
    with pytest.raises(InputError, match="Nobody is in the earlier and in the new"):
        sm.matched(before, now.set_axis(now.index + 1000))


def test_a_person_stays_until_another_segment_is_likely_enough():
    chance = pd.DataFrame({1: [0.31, 0.30, 0.5, 0.45], 2: [0.69, 0.70, 0.5, 0.55]})
    found = sm.held(chance, pd.Series([1, 1, 2, 0]))
    assert found["segment"].tolist() == [1, 2, 2, sg.BETWEEN]
    assert found["chance"].tolist() == [0.31, 0.70, 0.5, 0.55]
    again = sm.held(chance, found["segment"])
    assert again["segment"].tolist() == found["segment"].tolist()


def test_new_people_and_people_of_a_segment_that_is_gone_are_placed_afresh():
    chance = pd.DataFrame({1: [0.61, 0.55, 0.1], 2: [0.39, 0.45, 0.9]}, index=[10, 11, 12])
    found = sm.held(chance, pd.Series([7, 7], index=[11, 12]))
    assert found["segment"].tolist() == [1, sg.BETWEEN, 2]
    assert found["before"].isna().tolist() == [True, False, False]
    with pytest.raises(InputError, match="above 0.5 and below 1, found 0.5"):
        sm.held(chance, move_chance=0.5)


def test_moves_count_everybody_once_with_those_who_came_and_went():
    before = pd.Series([1, 1, 1, 2, 0], index=range(5))
    now = pd.Series([1, 1, 2, 2, 2], index=[0, 1, 2, 3, 9])
    table = sm.moves(before, now)
    assert table["people_count"].sum() == 6
    pairs = dict(
        zip(zip(table["before"], table["now"], strict=True), table["people_count"], strict=True)
    )
    assert pairs == {
        ("1", "1"): 2, ("1", "2"): 1, ("2", "2"): 1, ("between", "left"): 1, ("joined", "2"): 1,
    }  # fmt: skip
    assert sm.matrix(table).sum(axis=1).tolist() == pytest.approx([1.0] * 4)
    assert sm.moved(before, now)["moved_count"] == 1
    assert sm.moved(before, now)["people_count"] == 4
