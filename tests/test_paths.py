"""Introductions: exactly all two-step paths, with evidence that is there on replay."""

import itertools

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tierwise.companies import network, paths
from tierwise.files import InputError

AS_OF = pd.Timestamp("2024-03-01")


@st.composite
def small_graphs(draw: st.DrawFn) -> np.ndarray:
    """A symmetric matrix of ties in [0, 1], empty diagonal, ties of exactly 0 and 1 included."""
    size = draw(st.integers(2, 7))
    strength = st.one_of(st.just(0.0), st.just(1.0), st.floats(1e-6, 1.0))
    dense = np.zeros((size, size))
    for one, other in itertools.combinations(range(size), 2):
        dense[one, other] = dense[other, one] = draw(strength)
    return dense


def enumerated(dense: np.ndarray, i: int, j: int, attention: np.ndarray | None = None) -> float:
    """The chance from i to j by listing every path, no sparse product, no logarithm."""
    if i == j:
        return 1.0
    missed = 1 - dense[i, j]
    for k in range(len(dense)):
        if k not in (i, j):
            missed *= 1 - dense[i, k] * dense[k, j] * (1 if attention is None else attention[k])
    return 1 - missed


@settings(max_examples=150, deadline=None)
@given(small_graphs(), st.booleans())
def test_chances_are_those_of_every_path_listed(dense: np.ndarray, with_attention: bool) -> None:
    tie = sparse.csr_array(dense)
    attention = network.attention(tie) if with_attention else None
    everybody = range(len(dense))
    expected = [[enumerated(dense, i, j, attention) for j in everybody] for i in everybody]
    found = paths.introduction_chances(tie, everybody, attention=attention)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    one = paths.from_one(tie, 0, attention)
    np.testing.assert_allclose(one, expected[0], atol=1e-12)
    some = [len(dense) - 1, 0]
    cut = paths.introduction_chances(tie, [0, len(dense) - 1], some, attention)
    np.testing.assert_allclose(cut, np.array(expected)[[0, -1]][:, some], atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(small_graphs(), st.data())
def test_who_opted_out_introduces_nobody(dense: np.ndarray, data: st.DataObject) -> None:
    allowed = np.array([data.draw(st.booleans()) for _ in dense])
    found = paths.introduction_chances(
        sparse.csr_array(dense), range(len(dense)), allowed=allowed, direct=False
    )
    for i, j in itertools.permutations(range(len(dense)), 2):
        steps = [dense[i, k] * dense[k, j] for k in range(len(dense)) if allowed[k]]
        assert found[i, j] == pytest.approx(1 - np.prod([1 - one for one in steps]), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(small_graphs())
def test_chunks_change_nothing(dense: np.ndarray) -> None:
    tie = sparse.csr_array(dense)
    whole = paths.introduction_chances(tie, range(len(dense)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "CHUNK_COUNT", 2)
        np.testing.assert_array_equal(paths.introduction_chances(tie, range(len(dense))), whole)


@settings(max_examples=100, deadline=None)
@given(small_graphs())
def test_the_longer_path_has_the_largest_product(dense: np.ndarray) -> None:
    tie = sparse.csr_array(dense)
    graph = nx.Graph()
    graph.add_nodes_from(range(len(dense)))
    for one, other in zip(*np.nonzero(np.triu(dense)), strict=True):
        graph.add_edge(int(one), int(other))
    for target, path in enumerate(paths.longer_paths(tie, 0, range(len(dense)))):
        every = [[0]] if target == 0 else list(nx.all_simple_paths(graph, 0, target))
        products = [np.prod([dense[a, b] for a, b in itertools.pairwise(one)]) for one in every]
        if not products:
            assert path == []
            continue
        found = np.prod([dense[a, b] for a, b in itertools.pairwise(path)])
        assert path[0] == 0
        assert path[-1] == target
        assert found == pytest.approx(max(products), rel=1e-9)


def interactions() -> pd.DataFrame:
    """One of ours, r, knows m well and n a little; both know the target t; u knows only m."""
    rows = [("r", "m", 2.0)] * 8 + [("m", "r", 3.0)] * 4 + [("r", "n", 50.0)]
    rows += [("m", "t", 10.0), ("t", "m", 4.0), ("n", "t", 1.0), ("m", "u", 20.0), ("s", "m", 1.0)]
    rows += [("u", "v", 2.0), ("v", "w", 2.0), ("x", "y", 2.0)]
    found = pd.DataFrame(rows, columns=["from", "to", "days"])
    return found.assign(at=AS_OF - pd.to_timedelta(found.pop("days"), unit="D"))


@pytest.fixture
def known() -> network.Contacts:
    return network.contacts(interactions(), AS_OF, share_by_recipient=False)


def at(known: network.Contacts, *names: str) -> list[int]:
    return known.people.get_indexer(list(names)).tolist()


def test_introducers_come_best_first_with_evidence_that_the_table_holds(
    known: network.Contacts,
) -> None:
    tie, table = network.ties(known), interactions()
    found = paths.best_introducers(known, tie, at(known, "r", "s"), at(known, "t", "u"))
    pairs = list(zip(found["source"], found["target"], found["introducer"], strict=True))
    assert pairs == [
        ("r", "t", "m"),
        ("r", "t", "n"),
        ("r", "u", "m"),
        ("s", "t", "m"),
        ("s", "u", "m"),
    ]
    assert found["rank"].tolist() == [1, 2, 1, 1, 1]
    for row in found.to_dict("records"):
        for step, one, other in (
            ("first", "source", "introducer"),
            ("second", "introducer", "target"),
        ):
            forth = table[(table["from"] == row[one]) & (table["to"] == row[other])]
            back = table[(table["from"] == row[other]) & (table["to"] == row[one])]
            both = pd.concat([forth, back])
            assert row[f"{step}_count"] == len(both)
            assert row[f"{step}_last_days"] == (AS_OF - both["at"].max()) / pd.Timedelta(days=1)
            assert row[f"{step}_two_way"] == (len(forth) > 0 and len(back) > 0)


def test_no_more_introducers_than_asked_for_and_none_who_opted_out(known: network.Contacts) -> None:
    tie, r, t = network.ties(known), at(known, "r"), at(known, "t")
    assert len(paths.best_introducers(known, tie, r, t, best_count=1)) == 1
    allowed = known.people != "m"
    found = paths.best_introducers(known, tie, r, t, allowed=allowed)
    assert found["introducer"].tolist() == ["n"]


def test_alternatives_are_sorted_and_a_longer_path_only_explains(known: network.Contacts) -> None:
    tie = network.ties(known)
    ours = at(known, "r", "s", "x")
    target = at(known, "t")[0]
    found = paths.alternatives(known, tie, ours, target)
    assert [one["source"] for one in found] == ["r", "s"]
    assert found[0]["chance"] > found[1]["chance"] > 0
    assert all(one["direct"] is None and one["path"] == [] for one in found)
    assert [row["introducer"] for row in found[0]["introducers"]] == ["m", "n"]
    far = paths.alternatives(known, tie, ours, at(known, "w")[0])
    assert [one["chance"] for one in far] == [0, 0]
    assert far[0]["path"] == ["r", "m", "u", "v", "w"]
    assert far[0]["introducers"] == []


def test_a_longer_path_goes_round_those_who_opted_out(known: network.Contacts) -> None:
    allowed = known.people != "m"
    target = at(known, "w")[0]
    assert (
        paths.alternatives(known, network.ties(known), at(known, "r"), target, allowed=allowed)
        == []
    )


def test_an_own_contact_is_shown_with_its_evidence(known: network.Contacts) -> None:
    target = at(known, "m")[0]
    found = paths.alternatives(known, network.ties(known), at(known, "r"), target)[0]
    assert found["direct"] == {"count": 12, "last_days": 2.0, "two_way": True}


def test_an_empty_network_reaches_nobody() -> None:
    empty = network.contacts(interactions().iloc[:0], AS_OF, people=pd.Index(["r", "t"]))
    tie = network.ties(empty)
    assert paths.introduction_chances(tie, [0], [1]).tolist() == [[0]]
    assert paths.best_introducers(empty, tie, [0], [1]).empty
    assert paths.alternatives(empty, tie, [0], 1) == []


def test_a_mask_of_the_wrong_length_is_refused(known: network.Contacts) -> None:
    with pytest.raises(InputError, match="one value per person"):
        paths.from_one(network.ties(known), 0, allowed=np.ones(3, bool))
