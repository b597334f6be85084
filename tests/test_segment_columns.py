"""Columns made ready: awkward shapes, rare levels, gaps, and people who come later."""

import numpy as np
import pandas as pd
import pytest

from tierwise.files import InputError
from tierwise.segments import columns as sc
from tierwise.segments import find as sg
from tierwise.segments import mixtures
from tierwise.segments import plan as sp


def table(**columns):
    return pd.DataFrame(columns)


def only_number(values):
    plan = sp.planned(table(x=values), numbers=["x"])
    return plan, sc.prepared(table(x=values), plan)


def spread(count=1000, seed=0):
    return np.random.default_rng(seed).lognormal(3, 1, count)


def test_a_number_of_any_shape_gets_normal_scores_in_its_own_order():
    values = spread()
    _, rows = only_number(values)
    scores = rows.values[:, 1]
    assert (np.argsort(scores, kind="stable") == np.argsort(values, kind="stable")).mean() > 0.98
    assert scores.mean() == pytest.approx(0, abs=0.02)
    assert scores.std() == pytest.approx(1, abs=0.03)
    bent = only_number(values**3)[1]
    assert bent.values[:, 1] == pytest.approx(scores, abs=0.1)


def test_what_lies_beyond_all_that_was_seen_is_scored_like_the_last():
    plan, _ = only_number(spread())
    later = sc.prepared(table(x=[-1e9, 1e9, np.inf, np.nan]), plan)
    assert later.values[:, 0].tolist() == [1, 1, 0, 0]
    assert later.values[:2, 1] == pytest.approx([-2.81, 2.81], abs=0.01)


def test_a_number_that_is_mostly_nothing_is_a_yes_or_no_and_a_number():
    values = np.where(np.arange(1000) < 400, 0.0, spread())
    plan, rows = only_number(values)
    assert plan.categories[0].kind == "hurdle"
    assert plan.numbers[0].skip == 0.0
    assert rows.values[:400, 0].sum() == 0
    assert rows.values[:, 3].sum() == 400


def test_counts_with_ties_become_bins_of_enough_people():
    values = np.random.default_rng(0).poisson(1.2, 1000).astype(float)
    plan, rows = only_number(values)
    assert plan.categories[0].levels == ("0", "1", "2", "3 and more")
    assert rows.values.sum(axis=0).tolist() == [
        *((values == at).sum() for at in range(3)),
        (values >= 3).sum(),
    ]
    many = np.random.default_rng(0).poisson(6, 1000).astype(float)
    bins = only_number(many)[0].categories[0]
    assert 3 <= len(bins.levels) <= 5
    assert bins.levels[-1].endswith("and more")


def test_no_level_is_held_by_fewer_people_than_allowed():
    town = ["a"] * 500 + ["b"] * 19 + ["c"] * 30 + ["d"] * 2 + [None] * 10
    plan = sp.planned(table(town=town), categories=["town"])
    assert plan.categories[0].levels == ("a", "c", "other")
    rows = sc.prepared(table(town=["a", "b", "zz", None]), plan)
    assert rows.values.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]
    few = sp.planned(table(town=["a"] * 50 + ["b"] * 25 + ["c"] * 5), categories=["town"])
    assert few.categories[0].levels == ("a", "b")
    assert sc.prepared(table(town=["c"]), few).values.tolist() == [[0, 0]]


def test_log_ratios_of_many_counts_go_further_than_of_few_and_of_two_nowhere():
    counts = np.array([[3, 0, 0], [20, 0, 0], [5, 5, 5], [1, 1, 0], [np.nan, 9, 9]])
    ratios = sc.log_ratios(counts, np.full(3, 1 / 3))
    assert ratios[:3].sum(axis=1) == pytest.approx(np.zeros(3))
    assert ratios[1, 0] > ratios[0, 0] > 0
    assert ratios[2] == pytest.approx(np.zeros(3))
    assert np.isnan(ratios[3:]).all()


def lively(seed=0, count=1500):
    """Counts of people who are all alike, but for how many there are of each."""
    random = np.random.default_rng(seed)
    totals = np.floor(random.lognormal(2, 1, count)).astype(int)
    counts = np.array([random.multinomial(total, np.full(6, 1 / 6)) for total in totals])
    return pd.DataFrame(counts, columns=list("abcdef")), totals


def test_scores_of_a_block_scatter_alike_whether_a_person_does_much_or_little():
    people, totals = lively()
    plan = sp.planned(people, blocks={"did": list("abcdef")})
    rows = sc.prepared(people, plan)
    known = rows.values[:, 0] > 0
    assert (known == (totals >= sc.LEAST_COUNTS)).all()
    edges = np.quantile(totals[known], [0.33, 0.67])
    scores = rows.values[:, 6]
    for few_or_many in (totals <= edges[0], totals > edges[1]):
        assert scores[known & few_or_many].std() == pytest.approx(1, abs=0.1)
    segments = sg.find(people, blocks={"did": list("abcdef")}, most=3, resample_count=10)
    assert sg.chosen(segments.choice) == 1


def test_a_column_that_says_what_another_does_is_left_out_and_named():
    random = np.random.default_rng(0)
    spent = random.lognormal(3, 1, 500)
    town = random.choice(["Bonn", "Kiel", "Graz"], 500)
    people = table(
        spent=spent,
        cents=100 * spent + random.normal(0, 1, 500),
        age=random.normal(size=500),
        country=np.where(town == "Graz", "AT", "DE"),
        town=town,
    )
    plan = sp.planned(people, ["spent", "cents", "age"], ["country", "town"])
    assert plan.left_out == {"cents": "says the same as spent", "country": "follows from town"}
    assert [one.column for one in plan.numbers] == ["spent", "age"]
    assert [one.column for one in plan.categories] == ["town"]


def test_columns_that_tell_nobody_apart_are_left_out_with_the_reason():
    people = table(
        x=spread(), same=[5.0] * 1000, empty=[np.nan] * 990 + [1.0] * 10, town=["a"] * 1000
    )
    plan = sp.planned(people, ["x", "same", "empty"], ["town"])
    assert plan.left_out == {
        "same": "one value only",
        "empty": "known of 10 of 1,000 people",
        "town": "one value only",
    }
    with pytest.raises(InputError, match="No column tells people apart"):
        sp.planned(people, ["same"])


def test_a_plan_survives_being_written_down():
    people = table(x=spread(), town=["a", "b"] * 500, p=[1, 2] * 500, q=[3, 1] * 500)
    plan = sp.planned(people, ["x"], ["town"], {"own": ["p", "q"]})
    assert sc.from_plain(sc.as_plain(plan)) == plan


def test_bad_columns_say_why():
    people = table(x=["text"] * 50, p=[-1] * 50, q=[1] * 50)
    with pytest.raises(InputError, match="x must hold numbers"):
        sp.planned(people, ["x"])
    with pytest.raises(InputError, match="go down to -1"):
        sp.planned(people, blocks={"own": ["p", "q"]})
    with pytest.raises(InputError, match="lack the column y; there are x, p, q"):
        sp.planned(people, ["y"])
    with pytest.raises(InputError, match="p has several"):
        sp.planned(people, ["p"], blocks={"own": ["p", "q"]})
    with pytest.raises(InputError, match="needs two columns"):
        sp.planned(people, blocks={"own": ["q"]})
    with pytest.raises(InputError, match="Nobody has any"):
        sp.planned(table(p=[0] * 50, q=[0] * 50), blocks={"own": ["p", "q"]})


def test_cells_of_nobody_have_the_right_width():
    plan, _ = only_number(spread())
    assert len(sc.prepared(table(x=np.empty(0)), plan)) == 0
    assert isinstance(sc.prepared(table(x=np.empty(0)), plan), mixtures.Cells)
