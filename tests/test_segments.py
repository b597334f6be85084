"""Segments: found where they are, one where there are none, and the same whoever is drawn."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from segment_worlds import (
    CATEGORIES,
    KINDS,
    NOISE_NUMBERS,
    NUMBERS,
    SEPARATIONS,
    mixed_people,
    noise,
    one_scale,
)
from tierwise.files import InputError
from tierwise.segments import columns as segment_columns
from tierwise.segments import find as sg
from tierwise.segments import kinds as segment_kinds
from tierwise.segments import mixtures
from tierwise.segments import plan as segment_plan
from tierwise.segments import stability as segment_stability


def prepared(people, numbers=NUMBERS, categories=CATEGORIES, blocks=None):
    plan = segment_plan.planned(people, numbers, categories, blocks)
    return segment_columns.prepared(people, plan)


def strong(seed=1):
    (people,), group = mixed_people(seed, SEPARATIONS["strong"])
    return people, group


@pytest.fixture(scope="module")
def found():
    people, group = strong()
    return people, group, sg.find(people, NUMBERS, CATEGORIES)


@pytest.mark.parametrize(
    ("name", "least", "least_ahead"),
    [("weak", 0.56, 0.2), ("middle", 0.79, 0.1), ("strong", 0.94, 0.05)],
)
def test_groups_are_found_as_well_as_published_and_better_than_by_k_means(name, least, least_ahead):
    ours, theirs = [], []
    for seed in range(5):
        (people,), group = mixed_people(seed, SEPARATIONS[name])
        rows = prepared(people)
        ours.append(adjusted_rand_score(group, mixtures.fit(rows, 4).posterior.argmax(axis=1)))
        place = np.hstack([rows.values[:, 8:16], rows.values[:, 24:]])
        labels = KMeans(4, n_init=3, random_state=0).fit_predict(place)
        theirs.append(adjusted_rand_score(group, labels))
    assert np.mean(ours) >= least
    assert np.mean(ours) - np.mean(theirs) > least_ahead


def test_in_noise_of_every_shape_there_is_one_segment():
    counts = []
    for seed in range(10):
        people = noise(seed)
        one = sg.find(people, NOISE_NUMBERS, ["town", "device"], {"own": KINDS}, most=3)
        counts.append(len(one.segmentation.labels))
    assert counts.count(1) >= 9


def test_four_strong_groups_are_four_segments_that_hold_and_are_kinds(found):
    people, group, segments = found
    assert sg.chosen(segments.choice) == 4
    assert (segments.stability["jaccard"] >= segment_stability.VALID).all()
    assert segments.stability["rand"].iloc[0] > 0.9
    assert segments.kinds["reading"] == segment_kinds.KINDS
    assigned = sg.assigned(sg.chances(people, segments.segmentation))
    assert adjusted_rand_score(group, assigned["likeliest"]) > 0.94
    assert (assigned["segment"] == sg.BETWEEN).mean() < 0.05


def test_too_many_segments_are_not_found_again():
    people, _ = strong()
    rows = prepared(people)
    six = segment_stability.stability(rows, mixtures.fit(rows, 7), resample_count=8)
    assert six["jaccard"].min() < segment_stability.VALID
    assert not segment_stability.holds(six)


@pytest.mark.parametrize(
    ("lowest", "expected"),
    [
        ({4: 0.75}, 4),
        ({4: 0.74, 3: 0.8, 2: 0.85}, 2),
        ({4: 0.74, 3: 0.8, 2: 0.84}, 3),
        ({4: 0.74, 3: 0.7, 2: 0.75}, 2),
        ({4: 0.74, 3: 0.7, 2: 0.74}, 1),
    ],
)
def test_where_the_number_of_bic_does_not_hold_more_is_asked_of_fewer(
    lowest, expected, monkeypatch
):
    def said(rows, fitted, *_):
        return pd.DataFrame({"jaccard": [1.0, lowest.get(fitted.posterior.shape[1], 1.0)]})

    monkeypatch.setattr(segment_stability, "stability", said)
    rows = prepared(strong()[0])
    fits = [mixtures.fit(rows, count, start_count=3) for count in range(1, 6)]
    table, stabilities = sg.choice(rows, fits, 20, 5, 0)
    assert int(table["bic"].argmin()) + 1 == 4
    assert sg.chosen(table) == expected
    assert expected in stabilities
    assert table["why"].iloc[4] == "higher BIC"


@pytest.mark.parametrize(
    ("lowest", "expected"),
    [
        ({4: 0.85, 3: 0.9}, 4),
        ({4: 0.84, 3: 0.85}, 3),
        ({4: 0.84, 3: 0.8, 2: 0.84}, 4),
        ({4: 0.74, 3: 0.7, 2: 0.74}, 1),
    ],
)
def test_where_bic_still_falls_at_the_most_that_was_tried_it_is_no_guide(
    lowest, expected, monkeypatch
):
    def said(rows, fitted, *_):
        return pd.DataFrame({"jaccard": [1.0, lowest.get(fitted.posterior.shape[1], 1.0)]})

    monkeypatch.setattr(segment_stability, "stability", said)
    rows = prepared(strong()[0])
    fits = [mixtures.fit(rows, count, start_count=3) for count in range(1, 5)]
    table, stabilities = sg.choice(rows, fits, 20, 5, 0)
    assert int(table["bic"].argmin()) + 1 == 4
    assert sg.chosen(table) == expected
    assert expected in stabilities


def test_no_segment_is_smaller_than_it_may_be():
    people, _ = strong()
    segments = sg.find(people, NUMBERS, CATEGORIES, most=4, least_count=150, resample_count=2)
    assigned = sg.assigned(sg.chances(people, segments.segmentation), least_chance=0.0)
    assert assigned["segment"].value_counts().min() >= 150
    assert "a segment of fewer than 150 people" in segments.choice["why"].tolist()


def test_people_along_one_scale_differ_by_degrees_although_their_slices_hold():
    people = one_scale(0)
    rows = prepared(people, list(people), [])
    fitted = mixtures.fit(rows, 3)
    assert segment_stability.holds(segment_stability.stability(rows, fitted, resample_count=8))
    assert segment_kinds.kinds(rows, 3)["reading"] == segment_kinds.DEGREES
    assert segment_kinds.kinds(rows, 1)["reading"] == ""


def test_people_who_differ_by_degrees_are_one_segment_unless_asked_otherwise():
    people = one_scale(0)
    few = {"most": 3, "resample_count": 8}
    segments = sg.find(people, list(people), **few)
    assert sg.chosen(segments.choice) == len(segments.segmentation.labels) == 1
    assert segments.choice["why"].iloc[0] == "no kinds: rank people by a score"
    assert segments.kinds["segments_count"] == 3
    assert segments.stability["people_count"].tolist() == [900]
    slices = sg.find(people, list(people), must_be_kinds=False, **few)
    assert sg.chosen(slices.choice) == 3


def test_degrees_are_seen_among_categories_too():
    people = one_scale(1)
    for name in ("scale_4", "scale_5"):
        people[name] = np.array(list("abcd"))[np.searchsorted([-0.6, 0.0, 0.6], people[name])]
    rows = prepared(people, list(people)[:4], ["scale_4", "scale_5"])
    assert segment_kinds.kinds(rows, 4)["chance"] > 0.1


def test_a_new_person_gets_the_segment_of_those_who_are_alike(found):
    people, _, segments = found
    chance = sg.chances(people, segments.segmentation)
    alone = sg.chances(people.iloc[[7]], segments.segmentation)
    assert alone.iloc[0].tolist() == pytest.approx(chance.iloc[7].tolist())
    unknown = people.iloc[[7]].assign(**dict.fromkeys([*NUMBERS, *CATEGORIES], np.nan))
    nothing = sg.assigned(sg.chances(unknown, segments.segmentation))
    assert nothing["segment"].tolist() == [sg.BETWEEN]


def test_between_begins_below_the_least_chance():
    chance = pd.DataFrame([[0.6, 0.4], [0.599, 0.401], [0.2, 0.8]], columns=[1, 2])
    assert sg.assigned(chance)["segment"].tolist() == [1, sg.BETWEEN, 2]
    assert sg.assigned(chance)["likeliest"].tolist() == [1, 1, 2]
    table = sg.sizes(sg.assigned(chance))
    assert table["segment"].tolist() == [1, 2, sg.BETWEEN]
    assert table["people_share"].sum() == pytest.approx(1)


def test_what_is_written_down_says_the_same_to_the_last_bit(found):
    people, _, segments = found
    text = json.dumps(sg.as_plain(segments.segmentation))
    again = sg.from_plain(json.loads(text))
    assert again.plan == segments.segmentation.plan
    assert sg.chances(people, again).equals(sg.chances(people, segments.segmentation))


def test_a_large_table_is_searched_in_a_sample_and_fitted_as_a_whole(found, monkeypatch):
    people, group, _ = found
    monkeypatch.setattr(sg, "SAMPLE_COUNT", 500)
    segments = sg.find(people, NUMBERS, CATEGORIES, most=4, resample_count=2)
    assigned = sg.assigned(sg.chances(people, segments.segmentation))
    assert adjusted_rand_score(group, assigned["likeliest"]) > 0.9


def test_jaccard_is_that_of_the_sets():
    one, other = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 0, 0, 0, 0])
    found = segment_stability.jaccards(one, other, 3)
    assert found.tolist() == [[1 / 6, 2 / 3, 0], [2 / 4, 0, 0], [1 / 4, 0, 0]]
    assert segment_stability.reading(0.85) == "highly stable"
    assert segment_stability.reading(0.75) == "valid"
    assert segment_stability.reading(0.6) == "a pattern only"
    assert segment_stability.reading(0.59) == "not to be trusted"


def test_too_few_people_are_an_error():
    with pytest.raises(InputError, match="Two segments of 20 need 40 people, there are 39"):
        sg.find(strong()[0].head(39), NUMBERS, CATEGORIES)
