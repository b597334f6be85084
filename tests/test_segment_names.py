"""Names from what differs most, a tree that checks them, and what segments are worth."""

import numpy as np
import pandas as pd
import pytest

from tierwise.files import InputError
from tierwise.segments import names as sn
from tierwise.segments import plan as sp
from tierwise.segments import traits as tr
from tierwise.segments import value as sv

WORDS = {
    "orders": {"high": {"words": "buys often", "need": "little effort", "message": "one click"}},
    "town": {"any": {"words": "from {state}"}},
    "spent": {"none": {"words": "never paid"}},
}


def shop(seed=0, count=600):
    """Segment 1: many orders, from Bonn. Segment 2: never paid, from Kiel; nobody is typical."""
    random = np.random.default_rng(seed)
    segment = np.repeat([1, 2], [count // 3, count - count // 3])
    first = segment == 1
    people = pd.DataFrame(
        {
            "orders": random.lognormal(2 + 1.5 * first, 0.6),
            "spent": np.where(
                first | (random.random(count) < 0.2), random.lognormal(3, 1, count), 0
            ),
            "town": np.where(random.random(count) < 0.8, np.where(first, "Bonn", "Kiel"), "Ulm"),
            "noise": random.normal(size=count),
        }
    )
    plan = sp.planned(people, ["orders", "spent", "noise"], ["town"])
    return people, pd.Series(segment, people.index), plan


def test_the_traits_of_a_segment_are_what_was_put_into_it():
    people, segment, plan = shop()
    found = tr.traits(people, segment, plan)
    marks = found.groupby("segment")[["column", "state"]].apply(
        lambda rows: set(map(tuple, rows.to_numpy()))
    )
    assert {("orders", "high"), ("town", "Bonn")} <= marks[1]
    assert {("spent", "none"), ("town", "Kiel")} <= marks[2]
    assert "noise" not in set(found["column"])
    assert (found["lift"] >= tr.LEAST_LIFT).all()
    assert (found.groupby("segment")["weight"].diff().dropna() <= 0).all()


def test_lift_is_the_share_inside_over_the_share_of_everybody():
    people, segment, plan = shop()
    found = tr.traits(people, segment, plan)
    row = found[(found["column"] == "town") & (found["state"] == "Bonn")].iloc[0]
    inside = (people["town"][segment == 1] == "Bonn").mean()
    assert row["share"] == pytest.approx(inside)
    assert row["lift"] == pytest.approx(inside / (people["town"] == "Bonn").mean())
    assert row["weight"] == pytest.approx(inside * np.log2(row["lift"]))


def test_no_trait_of_fewer_than_twenty_people_is_shown():
    people, segment, plan = shop(count=90)
    found = tr.traits(people, segment, plan)
    assert (found["people_count"] >= 20).all()
    assert tr.traits(people.head(19), segment.head(19), plan).empty


def test_of_segments_by_lot_nothing_is_said():
    people, segment, plan = shop()
    drawn = pd.Series(np.random.default_rng(1).permutation(segment), segment.index)
    found = tr.traits(people, drawn, plan)
    names = sn.named(found, [1, 2], {})
    assert len(found) <= 1
    assert "like everybody" in "".join(names["name"])


def test_names_come_from_the_weightiest_traits_in_the_words_of_the_dictionary():
    people, segment, plan = shop()
    found = sn.named(tr.traits(people, segment, plan), [1, 2], sn.dictionary(WORDS)).set_index(
        "segment"
    )
    assert "buys often" in found.loc[1, "traits"]
    assert "from Bonn" in found.loc[1, "traits"]
    assert found.loc[1, "name"] == ", ".join(found.loc[1, "traits"])
    assert found.loc[1, "need"] == "little effort"
    assert found.loc[1, "message"] == "one click"
    assert "never paid" in found.loc[2, "name"]
    assert found.loc[2, "need"] == ""
    assert sn.phrase("orders_count", "low", {}) == "low orders count"
    assert sn.phrase("town", "Ulm", {}) == "town Ulm"


def test_a_name_stays_while_the_segment_does_and_equal_names_are_told_apart():
    people, segment, plan = shop()
    traits = tr.traits(people, segment, plan)
    kept = sn.named(traits, [1, 2], {}, kept={1: "regulars"})
    assert kept["name"].iloc[0] == "regulars"
    same = sn.named(traits.head(0), [1, 2], {})
    assert same["name"].tolist() == ["like everybody (1)", "like everybody (2)"]


def test_a_tree_agrees_where_few_questions_tell_and_says_so_where_they_do_not():
    people, segment, plan = shop()
    good = tr.agreement(people, segment, plan)
    assert good["is_enough"]
    assert "town is Bonn" in good["rules"]
    drawn = pd.Series(np.random.default_rng(1).permutation(segment), segment.index)
    bad = tr.agreement(people, drawn, plan)
    assert not bad["is_enough"]
    assert bad["agreement"] <= bad["most_common_share"] + 0.02
    assert tr.agreement(people, segment * 0 + 1, plan)["is_enough"]


def test_words_that_cannot_be_say_why():
    with pytest.raises(InputError, match="Words of orders, high: word .*Known are words, need"):
        sn.dictionary({"orders": {"high": {"word": "x"}}})
    with pytest.raises(InputError, match="Words of orders must be given by state"):
        sn.dictionary({"orders": "often"})


def test_later_behaviour_adds_up_and_shows_what_was_put_in():
    _, segment, _ = shop()
    random = np.random.default_rng(0)
    bought = pd.Series((random.random(600) < np.where(segment == 1, 0.5, 0.2)).astype(float))
    found = sv.later(segment, bought)
    assert found["segment"].tolist() == ["1", "2", "everybody"]
    assert found["total_share"].tolist()[-1] == pytest.approx(1)
    assert found["total_share"].iloc[:2].sum() == pytest.approx(1)
    low, high = found["interval"].iloc[0]
    assert low < 0.5 < high
    assert sv.differ(segment, bought)["p"] < 0.001
    drawn = pd.Series(random.permutation(segment))
    assert sv.differ(drawn, bought)["p"] > 0.01
    assert sv.differ(segment, bought * 0)["p"] is None


def test_people_without_an_outcome_are_left_out_and_amounts_have_a_mean():
    segment = pd.Series([1, 1, 2, 0], index=[1, 2, 3, 4])
    found = sv.later(segment, pd.Series([10.0, 20.0, np.nan, 5.0], index=[1, 2, 3, 4]))
    assert found["segment"].tolist() == ["1", "between", "everybody"]
    assert found["mean"].tolist() == pytest.approx([15.0, 5.0, 35 / 3])
    assert np.isnan(found["interval"].iloc[1]).all()


def test_priority_is_by_what_people_are_worth_and_whether_they_can_be_reached():
    random = np.random.default_rng(0)
    segment = pd.Series(np.repeat([1, 2, 3, 4, 0], 200))
    value = pd.Series(random.gamma(4, 1, 1000) * np.repeat([40, 10, 40, 22, 5], 200))
    reach = pd.Series(random.random(1000) < np.repeat([0.9, 0.9, 0.2, 0.8, 0.9], 200))
    found = sv.priority(segment, value, reach).set_index("segment")
    assert found["priority"].to_dict() == {
        1: sv.FIRST, 4: sv.MIDDLE, 3: sv.HARD_TO_REACH, 2: sv.LAST,
    } or found["priority"].drop(4).to_dict() == {1: sv.FIRST, 3: sv.HARD_TO_REACH, 2: sv.LAST}  # fmt: skip
    assert found.index[0] == 1
    assert found["reachable_value_eur"].is_monotonic_decreasing
    assert found["reachable_value_share"].sum() < 1
    with pytest.raises(InputError, match="1 of 1,000 lack one"):
        sv.priority(segment, value.where(value.index != 3), reach)


def sends(rates, count=150, seed=0):
    """rates: (segment, channel) -> chance; a person of each segment gets every channel."""
    random = np.random.default_rng(seed)
    rows = [
        (1000 * segment + person, channel, random.random() < rate)
        for (segment, channel), rate in rates.items()
        for person in range(count)
    ]
    table = pd.DataFrame(rows, columns=["person_id", "channel", "answered"])
    return table, (table["person_id"] // 1000).set_axis(table["person_id"]).groupby(level=0).first()


def test_the_channel_that_a_segment_answers_is_suggested_with_an_interval():
    rates = {(1, "mail"): 0.4, (1, "push"): 0.1, (2, "mail"): 0.1, (2, "push"): 0.35}
    found = sv.channels(*sends(rates, count=400)).set_index(["segment", "channel"])
    assert found.index[found["is_suggested"]].tolist() == [(1, "mail"), (2, "push")]
    assert (found.loc[found["is_suggested"], "reading"] == "clear").all()
    low, high = np.array(found["interval"].tolist()).T
    observed = found["answered_count"] / found["people_count"]
    assert ((low < observed) & (observed < high)).all()
    assert found["best_chance"].groupby("segment").sum().tolist() == pytest.approx([1, 1])


def test_few_people_are_too_early_to_say_and_are_drawn_to_everybody():
    rates = {(1, "mail"): 0.3, (2, "mail"): 0.3, (2, "push"): 0.2}
    table, segment = sends(rates)
    few = pd.DataFrame({"person_id": range(1000, 1005), "channel": "push", "answered": True})
    found = sv.channels(pd.concat([table, few]), segment).set_index(["segment", "channel"])
    assert found.loc[(1, "push"), "reading"] == "too early to say"
    assert not found.loc[(1, "push"), "is_suggested"]
    assert found.loc[(1, "push"), "share"] < 0.5
    assert found.loc[(1, "mail"), "people_count"] == 150


def test_a_person_who_was_asked_often_counts_once():
    table, segment = sends({(1, "mail"): 0.3})
    often = pd.concat([table, table, table])
    assert sv.channels(often, segment).equals(sv.channels(table, segment))
