"""Who will bring a friend that buys: outcomes by hand, and nothing of the future in the past."""

import numpy as np
import pandas as pd
import pytest

from crm import at
from small_referrals import small_referrals
from tierwise.applications import referrals as rf
from tierwise.files import InputError

RULES = {"window_days": 30, "reopen_days": 2}
UNTIL = pd.Timestamp("2026-01-20").as_unit("us")
QUESTION = {"entity": "member", "horizon_days": 6.0, "look_every_days": 1.0, "looks_count": 14}


def stamp(day, time="00:00"):
    return pd.Timestamp(at(day, time)).as_unit("us")


@pytest.fixture
def tables():
    return small_referrals()


def rows_of(tables, until=UNTIL, holdout=rf.HOLDOUT):
    return rf.examples(rf.given(tables, RULES, until, holdout), QUESTION)


@pytest.fixture(scope="module")
def rows():
    return rows_of(small_referrals())


def outcomes(rows, day):
    now = rows[rows["as_of"].eq(stamp(day))].set_index("person_id")
    return now["buyers_count"]


def test_a_friend_counts_who_signs_up_after_the_look_and_buys_within_the_horizon(rows):
    """3 came by 1 on 7 January and bought, as we learned, on 8 January at noon."""
    assert outcomes(rows, 6).to_dict() == {1: 1.0, 2: 0.0}
    assert outcomes(rows, 8).to_dict()[1] == 0  # already there at the look


def test_a_purchase_of_which_we_learn_after_the_horizon_does_not_count(tables):
    paid = tables["purchases"]
    paid.loc[paid["purchase_id"] == "p2", "known_at"] = stamp(12)
    rows = rows_of(tables)
    assert outcomes(rows, 6)[1] == 0  # until the morning of the 12th
    assert outcomes(rows, 7)[1] == 1


def test_a_horizon_that_is_not_over_is_no_outcome(rows):
    late = rows["outcome_known_at"] > UNTIL
    assert late.any()
    assert not late.all()
    assert rows.loc[late, ["outcome", "buyers_count"]].isna().all().all()
    assert rows.loc[~late, "outcome"].isin([0.0, 1.0]).all()


def test_who_came_by_a_shared_item_or_alone_is_nobodys_brought_friend(tables):
    given = rf.given(tables, RULES, UNTIL)
    assert set(given.past.brought["person_id"]) == {2, 3}


def test_features_of_a_look_stay_when_everything_later_changes(tables, rows):
    """All that becomes known at or after 10 January is taken away; no feature before it moves."""
    edge = stamp(10)
    cut = {name: rows[rows["known_at"] < edge] for name, rows in tables.items()}
    before = [one[one["as_of"] < edge].reset_index(drop=True) for one in (rows, rows_of(cut))]
    names = ["person_id", "as_of", *rf.columns()]
    pd.testing.assert_frame_equal(before[0][names], before[1][names])


def test_a_friend_is_known_as_brought_once_the_credit_is_certain(rows):
    """1 brought 2 on 5 and 3 on 7 January, 9 o'clock; a credit is settled two days later."""
    found = rows[rows["person_id"] == 1].set_index("as_of")["brought_count"]
    settled = [stamp(7, "09:00"), stamp(9, "09:00")]
    for look, count in found.items():
        assert count == sum(look > one for one in settled)


def test_only_those_drawn_by_lot_are_never_asked(tables, rows):
    assert set(rows.loc[rows["never_asked"], "person_id"]) == {3}
    nobody = rf.given(tables, RULES, UNTIL, holdout=None).never_asked(rows["person_id"])
    assert not nobody.any()


def test_nothing_that_asking_may_have_changed_tells_whom_it_changes():
    names = rf.untouched()
    assert names
    assert set(names) < set(rf.columns())
    assert not [n for n in names if n.startswith(("brought", "sent", "clicked", "buyer"))]
    assert {column.removeprefix("-") for column in rf.ORDERS.values()} <= set(names)
    assert {column.removeprefix("-") for column in rf.RULES.values()} <= set(rf.columns())


def test_from_the_sign_up_on_each_member_counts_once(tables):
    given = rf.given(tables, RULES, UNTIL)
    rows = rf.since_sign_up(given, 8.0).set_index("person_id")
    assert rows.index.is_unique
    assert rows["buyers_count"].to_dict() == {1: 1, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0}
    friends = rf.since_sign_up(given, 8.0, brought=rf.friends(given)).set_index("person_id")
    assert (friends["buyers_count"] >= rows["buyers_count"]).all()
    assert friends["buyers_count"].sum() > rows["buyers_count"].sum()
    later = rf.since_sign_up(given, 7.0, after_days=6.5).set_index("person_id")
    assert later.loc[1, "buyers_count"] == 0  # 3 came before that
    assert not later.loc[later["outcome_known_at"] >= UNTIL].size


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"horizon_days": 0.0}, "horizon_days"),
        ({"looks_count": 2}, "looks_count"),
        ({"more": 1}, "more"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(change, part):
    with pytest.raises(InputError, match=part):
        rf.checked(QUESTION | change)


def test_too_few_looks_are_refused(tables):
    given = rf.given(tables, RULES, stamp(5))
    with pytest.raises(InputError, match="looks"):
        rf.looks(given, QUESTION | {"looks_count": 6})


def test_another_column_is_no_holdout(tmp_path):
    with pytest.raises(InputError, match="never_invited"):
        rf.read(tmp_path, RULES, "control")


def test_silence_without_beginning_is_missing_and_counts_are_not(rows):
    nobody = rows["brought_count"] == 0
    assert rows.loc[nobody, "brought_recency_days"].isna().all()
    counted = [n for n in rf.columns() if "recency" not in n]
    assert np.isfinite(rows[counted].to_numpy("float64")).all()
