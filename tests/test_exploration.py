"""Draws that every machine repeats, and a known chance for each deal to be worked on."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise import exploration
from tierwise.files import InputError

DAY = pd.Timestamp("2026-11-26")
WORD = 2**64 - 1


def ids(count, start=1):
    return pd.Series(np.arange(start, start + count))


def queue(count, owner="7"):
    """Ranks follow the ids."""
    return pd.DataFrame({"deal_id": ids(count), "rank": np.arange(1, count + 1), "owner_id": owner})


def days(count):
    return pd.date_range(DAY, periods=count, freq="D")


def draw_by_hand(deal_id, purpose, salt):
    """The same in whole numbers of Python, with no table and no wrapping around of its own."""
    digest = hashlib.sha256(salt.encode() + b"\0" + purpose.encode()).digest()
    bits = deal_id & WORD
    for at in (0, 8):
        bits ^= int.from_bytes(digest[at : at + 8], "little")
        bits = ((bits ^ bits >> 30) * 0xBF58476D1CE4E5B9) & WORD
        bits = ((bits ^ bits >> 27) * 0x94D049BB133111EB) & WORD
        bits ^= bits >> 31
    return (bits >> 11) / 2**53


@given(st.integers(-(2**63), 2**63 - 1), st.text(), st.text(min_size=1))
def test_a_draw_is_the_same_by_another_way_of_computing(deal_id, purpose, salt):
    found = exploration.draw(pd.Series([deal_id], dtype="int64"), purpose, salt)
    assert found[0] == draw_by_hand(deal_id, purpose, salt)
    assert 0 <= found[0] < 1


def test_draws_stay_what_they_were_when_they_were_first_made():
    """A release that changed them would end every experiment that is under way."""
    found = exploration.draw(pd.Series([1, 2, 10**12]), "holdout", "salt")
    assert found.tolist() == [0.33541436417832304, 0.2586692029850578, 0.20443492717695022]
    first = exploration.explored(ids(200), DAY, 0.05, "salt")
    assert np.flatnonzero(first).tolist() == [0, 3, 17, 47, 52, 89, 134, 136, 174]


def test_draws_are_uniform_and_those_of_neighbours_and_purposes_have_nothing_in_common():
    count = 100_000
    first, other = (exploration.draw(ids(count), name, "s") for name in ("holdout", "place"))
    tenths = np.bincount((first * 10).astype(int), minlength=10) / count
    assert np.abs(tenths - 0.1).max() < 4 * np.sqrt(0.09 / count)
    for a, b in ((first, other), (first[:-1], first[1:]), (first[:-2], first[2:])):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(count)


@given(st.permutations(range(30)), st.integers(1, 29))
def test_who_is_held_out_depends_on_no_other_deal_and_no_order(shuffled, upto):
    whole = exploration.holdout(ids(30), 0.3, "s")
    part = ids(30).iloc[list(shuffled)[:upto]]
    assert exploration.holdout(part, 0.3, "s").tolist() == whole[list(shuffled)[:upto]].tolist()


def test_a_larger_share_keeps_all_who_were_held_out():
    small, large = (exploration.holdout(ids(10_000), share, "s") for share in (0.05, 0.2))
    assert (large | ~small).all()
    assert abs(small.mean() - 0.05) < 0.009
    assert abs(large.mean() - 0.2) < 0.016


def test_holdout_and_exploration_and_days_and_salts_draw_apart():
    deals = ids(40_000)
    out = exploration.holdout(deals, 0.2, "s")
    one, two = (exploration.explored(deals, day, 0.2, "s") for day in days(2))
    salted = exploration.explored(deals, DAY, 0.2, "t")
    for a, b in ((out, one), (one, two), (one, salted)):
        assert abs((a & b).mean() - 0.04) < 0.004


def test_a_deal_is_explored_for_a_whole_day():
    hours = [exploration.explored(ids(500), DAY + pd.Timedelta(hours=h), 0.1, "s") for h in (0, 23)]
    assert (hours[0] == hours[1]).all()
    assert (exploration.explored(ids(500), DAY.date(), 0.1, "s") == hours[0]).all()


def test_shares_of_none_and_all_are_exact():
    for share, mask in ((0, False), (1, True)):
        assert (exploration.holdout(ids(100), share, "s") == mask).all()
        assert (exploration.explored(ids(100), DAY, share, "s") == mask).all()


@pytest.mark.parametrize("share", [-0.1, 1.01, float("nan"), 5])
def test_a_share_that_is_none_is_refused_with_its_name(share):
    with pytest.raises(InputError, match="holdout_share must be from 0 to 1"):
        exploration.holdout(ids(3), share, "s")
    with pytest.raises(InputError, match="exploration_share must be from 0 to 1"):
        exploration.explored(ids(3), DAY, share, "s")


def test_what_cannot_be_ordered_is_refused():
    with pytest.raises(InputError, match="salt of draws is empty"):
        exploration.holdout(ids(3), 0.1, "")
    with pytest.raises(InputError, match="room_share must be above 0"):
        exploration.order(queue(3), DAY, 0.1, "s", 0)
    for ranks in ([1, 1, 2], [1, None, 2]):
        with pytest.raises(InputError, match="Ranks must be there and differ"):
            exploration.order(queue(3).assign(rank=ranks), DAY, 0.1, "s", 0.2)


@given(
    st.lists(st.sampled_from(["7", "8", None]), min_size=0, max_size=40),
    st.randoms(use_true_random=False),
    st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    st.sampled_from([0.01, 0.2, 1.0]),
)
def test_each_owner_keeps_his_ranks_and_who_is_not_explored_keeps_the_order(
    owners, random, share, room_share
):
    ranks = list(range(1, len(owners) + 1))
    random.shuffle(ranks)
    deals = pd.DataFrame({"owner_id": pd.Series(owners, dtype="str"), "rank": pd.Series(ranks)})
    deals["rank"] = deals["rank"].astype("int64")
    deals["deal_id"] = ids(len(owners), 100)
    deals.index = deals.index[::-1]
    found = exploration.order(deals, DAY, share, "s", room_share)
    assert found.index.equals(deals.index)
    assert sorted(found["rank"]) == sorted(ranks)
    assert found["propensity"].between(0, 1).all()
    assert share == 0 or (found["propensity"] > 0).all()
    for _, own in deals.groupby("owner_id", dropna=False):
        shown = found.loc[own.index]
        assert set(shown["rank"]) == set(own["rank"])
        stay = ~shown["explored"]
        before = own.loc[stay, "rank"].sort_values().index
        assert before.equals(shown.loc[stay, "rank"].sort_values().index)


def test_without_exploration_nothing_moves_and_the_room_is_certain():
    found = exploration.order(queue(10), DAY, 0, "s", 0.3)
    assert found["rank"].tolist() == list(range(1, 11))
    assert found["propensity"].tolist() == [1] * 3 + [0] * 7


def test_the_share_of_places_drawn_by_lot_is_the_same_all_along_the_queue():
    hits = np.zeros(20)
    for day in days(300):
        found = exploration.order(queue(400), day, 0.1, "s", 0.2)
        hits += np.bincount((found.loc[found["explored"], "rank"] - 1) // 20, minlength=20)
    share = hits / (300 * 20)
    assert np.abs(share - 0.1).max() < 4 * np.sqrt(0.09 / (300 * 20))


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_each_deal_is_in_the_room_as_often_as_its_propensity_says(share):
    """20,000 queues of 15 deals: seen as often as told, and weighted to once in each."""
    count, room, rounds = 15, 3, 20_000
    deals = queue(count * rounds).assign(owner_id=np.repeat(np.arange(rounds), count).astype(str))
    found = exploration.order(deals, DAY, share, "s", 0.2)
    place = (found["rank"].to_numpy() - 1).reshape(rounds, count) % count
    told = found["propensity"].to_numpy().reshape(rounds, count)
    seen = place < room
    assert (seen.sum(axis=1) == room).all()
    off = seen - told
    assert (np.abs(off.mean(axis=0)) < 4 * off.std(axis=0) / np.sqrt(rounds) + 1e-9).all()
    weighted = seen / told
    error = weighted.std(axis=0) / np.sqrt(rounds)
    assert (np.abs(weighted.mean(axis=0) - 1) < 4 * error + 1e-9).all()


def test_weights_recover_the_mean_of_the_whole_list_where_following_ranks_does_not():
    """Chances fall from 60 % to 2 % along the ranks; only deals in the room are worked on."""
    count, room = 1_000, 200
    chance = np.linspace(0.6, 0.02, count)
    won = np.random.default_rng(5).random((400, count)) < chance
    followed, weighted = [], []
    for outcome, day in zip(won, days(400), strict=True):
        found = exploration.order(queue(count), day, 0.1, "s", 0.2)
        inside = (found["rank"] <= room).to_numpy()
        followed.append(outcome[inside].mean())
        weighted.append((outcome[inside] / found["propensity"][inside]).sum() / count)
    error = np.std(weighted) / np.sqrt(len(weighted))
    assert error < 0.01
    assert abs(np.mean(weighted) - chance.mean()) < 3 * error
    assert np.mean(followed) - chance.mean() > 0.2


def test_each_owner_has_a_room_of_his_own():
    deals = pd.concat([queue(50, "7"), queue(10, None).assign(rank=range(51, 61))])
    deals["deal_id"] = ids(60).array
    found = exploration.order(deals.reset_index(drop=True), DAY, 0.05, "s", 0.2)
    certain = found["propensity"] > 0.9
    assert 9 <= certain[:50].sum() <= 11
    assert 1 <= certain[50:].sum() <= 3
