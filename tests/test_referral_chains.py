"""A forest counts what a graph library counts; waves add up; circles and disputes are told."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.files import InputError
from tierwise.referrals import referral_chains as rc

SMALL = pd.DataFrame(
    {
        "person_id": [5, 1, 2, 3, 4, 6],
        "sender_id": pd.array([2, None, 1, 1, 3, 99], "Int64"),
    }
)


@st.composite
def trees(draw):
    """Some chains in any order: each member was brought by an earlier one, or by nobody."""
    count = draw(st.integers(1, 30))
    parents = [draw(st.integers(-1, at - 1)) for at in range(count)]
    ids = draw(st.permutations(range(100, 100 + count)))
    rows = [(ids[at], None if parent < 0 else ids[parent]) for at, parent in enumerate(parents)]
    rows = draw(st.permutations(rows))
    table = pd.DataFrame(rows, columns=["person_id", "sender_id"])
    return table.astype({"sender_id": "Int64"})


def test_the_small_forest_by_hand():
    found = rc.forest(SMALL).set_index("person_id")
    assert found["wave"].to_dict() == {5: 2, 1: 0, 2: 1, 3: 1, 4: 2, 6: 0}
    assert found["root_id"].to_dict() == {5: 1, 1: 1, 2: 1, 3: 1, 4: 1, 6: 6}
    assert found["brought_count"].to_dict() == {5: 0, 1: 2, 2: 1, 3: 1, 4: 0, 6: 0}
    assert found["descendants_count"].to_dict() == {5: 0, 1: 4, 2: 1, 3: 1, 4: 0, 6: 0}
    assert found["depth"].to_dict() == {5: 0, 1: 2, 2: 1, 3: 1, 4: 0, 6: 0}
    assert found["sender_id"].isna().tolist() == [False, True, False, False, False, True]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(trees())
def test_a_forest_counts_what_a_graph_library_counts(table):
    found = rc.forest(table).set_index("person_id")
    assert found.index.tolist() == table["person_id"].tolist()
    graph = nx.DiGraph()
    graph.add_nodes_from(table["person_id"])
    graph.add_edges_from(table.dropna()[["sender_id", "person_id"]].itertuples(index=False))
    for person, row in found.iterrows():
        steps = nx.single_source_shortest_path_length(graph, person)
        above = nx.ancestors(graph, person)
        assert row["wave"] == len(above)
        assert row["descendants_count"] == len(steps) - 1
        assert row["depth"] == max(steps.values())
        assert row["brought_count"] == graph.out_degree(person)
        assert graph.in_degree(row["root_id"]) == 0
        assert row["root_id"] in {person, *above}


@settings(max_examples=30, deadline=None, derandomize=True)
@given(trees())
def test_waves_and_trees_add_up(table):
    found = rc.forest(table)
    waves, trees_ = rc.waves(found), rc.trees(found)
    assert waves["people_count"].sum() == trees_["people_count"].sum() == len(table)
    assert waves["people_count"].iloc[1:].tolist() == waves["brought_count"].iloc[:-1].tolist()
    assert waves["brought_count"].iloc[-1] == 0
    assert trees_["depth"].max() == waves["wave"].max()
    assert trees_["people_count"].is_monotonic_decreasing
    numbers = rc.numbers_brought(found)
    brought = numbers["brought_count"] * numbers["people_count"]
    assert brought.sum() == found["sender_id"].notna().sum()


def test_a_chain_of_a_hundred_thousand_is_followed_to_its_root():
    count = 100_000
    sender = pd.array([None, *range(count - 1)], "Int64")
    found = rc.forest(pd.DataFrame({"person_id": range(count), "sender_id": sender}))
    assert found["wave"].tolist() == list(range(count))
    assert (found["root_id"] == 0).all()
    assert found["descendants_count"].iloc[0] == count - 1


def test_ids_may_be_text():
    table = pd.DataFrame({"person_id": ["a", "b", "c"], "sender_id": [None, "a", "b"]})
    found = rc.forest(table)
    assert found["root_id"].tolist() == ["a"] * 3
    assert found["sender_id"].tolist()[1:] == ["a", "b"]


def test_without_members_there_is_a_forest_without_trees():
    found = rc.forest(SMALL[:0])
    assert found.empty
    assert rc.waves(found).empty
    assert rc.trees(found).empty
    assert rc.numbers_brought(found).empty
    assert np.isnan(rc.share_of_top(found))


@pytest.mark.parametrize("circle", [[2, 1], [1], [2, 3, 1]])
def test_a_circle_is_told_with_one_of_its_members(circle):
    table = pd.DataFrame(
        {"person_id": range(1, 5), "sender_id": [*circle, *[1] * (4 - len(circle))]}
    )
    with pytest.raises(InputError, match=r"The chain of person 1 never reaches a root"):
        rc.forest(table)


def test_one_friend_has_one_sender():
    with pytest.raises(InputError, match="Person 5 stands there more than once"):
        rc.forest(pd.concat([SMALL, SMALL]))


def test_the_share_of_the_most_active_senders_is_of_all_who_were_brought():
    counts = pd.DataFrame({"brought_count": [0, 0, 8, 1, 1, *[1] * 7]})
    assert rc.share_of_top(counts, 0.1) == pytest.approx(8 / 17)
    assert rc.share_of_top(counts, 1.0) == 1


COUPONS = pd.DataFrame(
    {
        "who": ["a", "b", "c", "d"],
        "own": [None, "11", "12", "77"],
        "one": ["11", "21", "31", None],
        "two": ["12", "21", None, "31"],
    }
)


def test_whoever_comes_with_a_coupon_was_brought_by_who_was_handed_it():
    found = rc.by_coupon(COUPONS, "who", "own", ["one", "two"])
    assert found["sender_id"].tolist()[1:3] == ["a", "a"]
    assert found["sender_id"].isna().tolist() == [True, False, False, True]
    assert rc.forest(found)["wave"].tolist() == [0, 1, 1, 0]


def test_a_coupon_that_two_were_handed_is_told_only_if_somebody_came_with_it():
    with pytest.raises(InputError, match="Coupon 31 was handed to c, d, and somebody came"):
        rc.by_coupon(COUPONS.assign(own=[None, "11", "12", "31"]), "who", "own", ["one", "two"])
