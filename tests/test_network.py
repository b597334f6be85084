"""Tie strength: fades smoothly, never sees the future, and grows by what is new alone."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.companies import network
from tierwise.files import InputError

AS_OF = pd.Timestamp("2024-03-01")


def table(*rows: tuple[str, str, float], **columns: list) -> pd.DataFrame:
    """Interactions (from, to, days before AS_OF)."""
    found = pd.DataFrame(rows, columns=["from", "to", "days"])
    found["at"] = AS_OF - pd.to_timedelta(found.pop("days"), unit="D")
    return found.assign(**columns)


def strength(known: network.Contacts, one: str, other: str, **options: float) -> float:
    at = [known.people.get_loc(name) for name in (one, other)]
    return float(network.ties(known, **options).toarray()[at[0], at[1]])


def test_an_interaction_counts_half_after_its_half_life() -> None:
    known = network.contacts(table(("a", "b", 30.0), ("b", "a", 60.0)), AS_OF, [30.0])
    assert known.fading[:, 0].tolist() == pytest.approx([0.5, 0.25])
    assert strength(known, "a", "b", half_strength_count=0.75) == pytest.approx(0.5)


def test_what_happens_at_the_as_of_time_or_later_is_not_seen() -> None:
    rows = [("a", "b", 1.0), ("a", "c", 0.0), ("b", "c", -5.0)]
    known = network.contacts(table(*rows), AS_OF)
    assert known.people.tolist() == ["a", "b"]
    assert known.count.tolist() == [1]


def test_a_message_to_many_counts_as_a_share_for_each() -> None:
    rows = table(("a", "b", 1.0), ("a", "c", 1.0), ("a", "c", 1.0), ("a", "b", 2.0))
    whole = network.contacts(rows, AS_OF, share_by_recipient=False)
    shared = network.contacts(rows, AS_OF)
    day, two = 0.5 ** (np.array([1.0, 2.0]) / network.HALF_LIFE_DAYS)
    assert whole.fading[:, 0].tolist() == pytest.approx([day + two, 2 * day])
    assert shared.fading[:, 0].tolist() == pytest.approx([day / 2 + two, day])
    assert shared.count.tolist() == [2, 2]


def test_messages_of_one_instant_are_told_apart_by_their_ids() -> None:
    rows = table(("a", "b", 1.0), ("a", "c", 1.0), message=["m1", "m2"])
    known = network.contacts(rows, AS_OF, [1.0])
    assert known.fading[:, 0].tolist() == pytest.approx([0.5, 0.5])


def test_a_kind_of_weight_zero_is_no_contact() -> None:
    rows = table(("a", "b", 1.0), ("a", "c", 1.0), ("b", "c", 1.0), kind=["call", "view", "mail"])
    weights = {"call": 3.0, "mail": 1.0, "view": 0.0}
    known = network.contacts(rows, AS_OF, [1.0], kind_weights=weights)
    assert known.fading[:, 0].tolist() == pytest.approx([1.5, 0.5])
    assert strength(known, "a", "c") == 0


def test_a_kind_without_weight_is_named() -> None:
    rows = table(("a", "b", 1.0), kind=["fax"])
    with pytest.raises(InputError, match="fax"):
        network.contacts(rows, AS_OF, kind_weights={"call": 1.0})


def test_negative_weights_and_missing_columns_are_refused() -> None:
    rows = table(("a", "b", 1.0), kind=["call"])
    with pytest.raises(InputError, match="negative"):
        network.contacts(rows, AS_OF, kind_weights={"call": -1.0})
    with pytest.raises(InputError, match="to is missing"):
        network.contacts(rows.drop(columns="to"), AS_OF)
    with pytest.raises(InputError, match="kind"):
        network.contacts(rows.drop(columns="kind"), AS_OF, kind_weights={"call": 1.0})


def test_a_stranger_to_the_given_people_is_named() -> None:
    with pytest.raises(InputError, match="'b'"):
        network.contacts(table(("a", "b", 1.0)), AS_OF, people=pd.Index(["a", "c"]))


def test_arrays_from_the_future_or_without_a_date_are_refused() -> None:
    people, one = pd.Index(["a", "b"]), np.array([0])
    for age in (-0.5, np.nan):
        with pytest.raises(InputError, match="future, or has no date"):
            network.summed(people, one, np.array([1]), np.array([age]))
    with pytest.raises(InputError, match="half-life"):
        network.summed(people, one, np.array([1]), np.array([1.0]), [0.0])


def test_who_writes_to_himself_gains_no_tie() -> None:
    known = network.contacts(table(("a", "a", 1.0), ("a", "b", 1.0)), AS_OF)
    assert network.ties(known).diagonal().tolist() == [0, 0]
    assert known.count.tolist() == [1]


def test_no_interactions_make_an_empty_network() -> None:
    known = network.contacts(table(), AS_OF, people=pd.Index(["a", "b"]))
    assert network.ties(known).nnz == 0
    assert network.attention(network.ties(known)).tolist() == [1, 1]
    assert len(network.pairs(known)) == 0


def test_ties_are_symmetric_shares_that_stop_at_full_strength() -> None:
    many = [("a", "b", 0.5)] * 500
    known = network.contacts(table(*many, ("b", "c", 3.0)), AS_OF, share_by_recipient=False)
    tie = network.ties(known).toarray()
    assert (tie == tie.T).all()
    assert tie.max() == 1
    assert 0 < tie[1, 2] < 0.2


def test_reciprocity_is_one_where_both_give_alike_and_zero_for_one_side_only() -> None:
    rows = [("a", "b", 1.0), ("b", "a", 1.0), ("a", "c", 1.0), ("d", "a", 1.0), ("d", "a", 1.0)]
    known = network.contacts(table(*rows, ("a", "d", 1.0)), AS_OF, share_by_recipient=False)
    found = network.reciprocity(known).toarray()
    assert found[0].tolist() == pytest.approx([0, 1, 0, 2 / 3])
    assert (found == found.T).all()


def test_answers_can_be_made_to_count_more() -> None:
    rows = [("a", "b", 1.0), ("b", "a", 1.0), ("a", "c", 1.0), ("a", "c", 1.0)]
    known = network.contacts(table(*rows), AS_OF, share_by_recipient=False)
    assert strength(known, "a", "b") == pytest.approx(strength(known, "a", "c"))
    assert strength(known, "a", "b", both_ways_weight=1.0) > strength(known, "a", "c")


def test_an_unknown_half_life_is_refused_with_those_that_are_there() -> None:
    known = network.contacts(table(("a", "b", 1.0)), AS_OF, [7.0, 30.0])
    assert network.ties(known, 30.0).nnz == 2
    with pytest.raises(InputError, match=r"\[7.0, 30.0\] days, not 9"):
        network.ties(known, 9.0)


def test_pairs_show_both_directions() -> None:
    rows = [("b", "a", 3.0), ("a", "b", 2.0), ("a", "b", 2.1), ("a", "c", 9.0)]
    found = network.pairs(network.contacts(table(*rows), AS_OF, [1.0], share_by_recipient=False))
    assert found["count"].tolist() == [3, 1]
    assert found["two_way"].tolist() == [True, False]
    assert found["last_days"].tolist() == pytest.approx([2, 9])
    assert found["active_days"].tolist() == [1, 1]
    assert found.loc[0, "back"] == pytest.approx(0.125)
    assert found.loc[0, "both_1"] == pytest.approx(found.loc[0, "out"] + found.loc[0, "back"])


INTERACTIONS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.floats(0.001, 90)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(INTERACTIONS)
def test_sums_are_those_of_a_plain_loop(rows: list[tuple[str, str, float]]) -> None:
    people = pd.Index(list("abcd"))
    known = network.contacts(table(*rows), AS_OF, [20.0], share_by_recipient=False, people=people)
    found = {
        (people[s], people[t]): (known.fading[at, 0], known.count[at], known.active_days[at])
        for at, (s, t) in enumerate(zip(known.source, known.target, strict=True))
    }
    expected: dict = {}
    for one, other, days in rows:
        if one != other:
            expected.setdefault((one, other), []).append(days)
    assert set(found) == set(expected)
    for pair, ages in expected.items():
        assert found[pair][0] == pytest.approx(sum(0.5 ** (age / 20) for age in ages), rel=1e-6)
        assert found[pair][1] == len(ages)
        assert found[pair][2] == len(
            {int(pd.Timedelta(age, "D").floor("us") / pd.Timedelta(1, "D")) for age in ages}
        )


@settings(max_examples=60, deadline=None)
@given(INTERACTIONS, st.integers(1, 60))
def test_adding_the_new_to_the_aged_gives_what_one_pass_gives(
    rows: list[tuple[str, str, float]], split_days: int
) -> None:
    everything, people = table(*rows), pd.Index(list("abcd"))
    edge = AS_OF - pd.Timedelta(days=split_days)
    lives, old = [7.0, 100.0], everything["at"] < edge
    options = {"share_by_recipient": False, "people": people}
    before = network.contacts(everything[old], edge, lives, **options)
    new = network.contacts(everything[~old], AS_OF, lives, **options)
    stepwise = network.added(network.aged(before, split_days), new)
    at_once = network.contacts(everything, AS_OF, lives, **options)
    for name in ("source", "target", "fading", "count", "last_days", "active_days"):
        np.testing.assert_allclose(getattr(stepwise, name), getattr(at_once, name), rtol=1e-9)


def test_contacts_of_other_people_cannot_be_added() -> None:
    one, other = (network.contacts(table(("a", who, 1.0)), AS_OF) for who in "bc")
    with pytest.raises(InputError, match="same people"):
        network.added(one, other)


def test_who_knows_everybody_has_less_attention_for_each() -> None:
    rows = [("hub", who, 1.0) for who in "abcde"] + [("a", "b", 1.0)]
    known = network.contacts(table(*rows), AS_OF, share_by_recipient=False)
    attention = dict(zip(known.people, network.attention(network.ties(known)), strict=True))
    assert attention["hub"] < attention["a"] < attention["c"] < 1
