"""Communities of a person and of the person's contacts, as they were known."""

import numpy as np
import pandas as pd
import pytest

from tierwise.files import InputError
from tierwise.segments import communities as co

KINDS = ["family", "neighbourhood", "work", "sport", "culture", "belief"]
AS_OF = pd.Timestamp("2026-03-01")


def memberships(rows):
    """(person, community, kind, known, left)"""
    table = pd.DataFrame(rows, columns=["person_id", "community_id", "kind", "known_at", "left_at"])
    return table.assign(
        known_at=pd.to_datetime(table["known_at"]), left_at=pd.to_datetime(table["left_at"])
    )


def contacts(pairs, known_at="2026-01-01"):
    table = pd.DataFrame(pairs, columns=["person_id", "contact_id"])
    return table.assign(known_at=pd.Timestamp(known_at))


def early(person, community, kind):
    return (person, community, kind, "2026-01-01", None)


def counted(members, pairs, people=(1,), **more):
    return co.counts(memberships(members), contacts(pairs), people, KINDS, AS_OF, **more)


def test_memberships_count_by_kind_and_each_once():
    rows = [
        early(1, 10, "sport"),
        early(1, 11, "sport"),
        early(1, 12, "work"),
        early(1, 12, "work"),
    ]
    found = counted(rows, []).loc[1]
    assert found["own_sport"] == 2
    assert found["own_work"] == 1
    assert found[co.own_names(KINDS)].sum() == 3


def test_who_has_left_is_no_member_and_an_end_not_yet_known_is_none():
    rows = [early(1, 10, "sport"), (1, 10, "sport", "2026-02-01", "2026-01-20")]
    assert counted(rows, []).loc[1, "own_sport"] == 0
    rows[1] = (1, 10, "sport", "2026-03-01", "2026-01-20")
    assert counted(rows, []).loc[1, "own_sport"] == 1
    # Joined, left and joined again.
    rows = [early(1, 10, "sport"), (1, 10, "sport", "2026-01-10", "2026-01-09")]
    rows.append((1, 10, "sport", "2026-02-10", None))
    assert counted(rows, []).loc[1, "own_sport"] == 1


def test_contacts_count_once_both_ways_and_the_person_never():
    members = [
        early(1, 10, "sport"),
        early(2, 10, "sport"),
        early(3, 20, "work"),
        early(4, 30, "belief"),
    ]
    pairs = [(1, 2), (2, 1), (1, 2), (3, 1), (1, 4), (1, 1)]
    found = counted(members, pairs, people=(1, 2)).astype(float)
    assert found.loc[1, "contacts_count"] == 3
    assert found.loc[1, ["contacts_sport", "contacts_work", "contacts_belief"]].tolist() == [
        1,
        1,
        1,
    ]
    assert found.loc[1, co.far_names(KINDS)].sum() == 3
    assert found.loc[2, "contacts_count"] == 1


def test_with_few_contacts_nothing_is_said_of_them():
    members = [early(2, 10, "sport"), early(3, 10, "sport"), early(4, 10, "sport")]
    two = counted(members, [(1, 2), (1, 3)])
    assert two[co.far_names(KINDS)].isna().all(axis=None)
    assert counted(members, [(1, 2), (1, 3), (1, 4)]).loc[1, "contacts_sport"] == 3
    assert counted(members, [(1, 2)], least_contacts=1).loc[1, "contacts_sport"] == 1


def test_the_future_changes_nothing():
    members = [early(1, 10, "sport"), early(2, 10, "work")]
    pairs = [(1, 2)]
    found = counted(members, pairs, least_contacts=1)
    later = [*members, (1, 11, "work", "2026-03-01", None), (2, 12, "belief", "2026-04-01", None)]
    table = pd.concat([contacts(pairs), contacts([(1, 3)], "2026-03-01")])
    again = co.counts(memberships(later), table, (1,), KINDS, AS_OF, least_contacts=1)
    pd.testing.assert_frame_equal(found, again)


def test_the_order_of_people_stays_and_strangers_have_nothing():
    found = counted([early(5, 10, "sport")], [], people=(9, 5, 1))
    assert found.index.tolist() == [9, 5, 1]
    assert found["own_sport"].tolist() == [0, 1, 0]
    assert (found["contacts_count"] == 0).all()


def test_a_kind_that_is_not_named_is_an_error():
    with pytest.raises(InputError, match="1 memberships have another, the first 'chess'"):
        counted([early(1, 10, "chess")], [])


def test_a_large_network_agrees_with_counting_by_hand():
    random = np.random.default_rng(0)
    pairs = random.integers(0, 60, (200, 2)).tolist()
    members = [early(int(p), int(c), KINDS[c % 6]) for p, c in random.integers(0, 60, (150, 2))]
    found = counted(members, pairs, people=range(60), least_contacts=1)
    belongs = {}
    for person, community, kind, *_ in members:
        belongs.setdefault(person, set()).add((community, kind))
    for person in range(60):
        friends = {b for a, b in pairs if a == person} | {a for a, b in pairs if b == person}
        friends -= {person}
        assert found.loc[person, "contacts_count"] == len(friends)
        if friends:
            all_kinds = [kind for one in friends for _, kind in belongs.get(one, ())]
            expected = [all_kinds.count(kind) for kind in KINDS]
            assert found.loc[person, co.far_names(KINDS)].tolist() == expected
