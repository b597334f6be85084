"""Moves, versions and what was known, counted by hand on a few rows."""

import pandas as pd
import pytest

import brief_world as bw
from crm import at, frame, small_world, write_parquet
from small_accounts import ROWS, small_accounts
from tierwise import accounts, snapshot
from tierwise.files import InputError
from tierwise.tables import ACCOUNTS

END = pd.Timestamp("2026-01-20")


def with_positions(*rows):
    """The small accounts and further rows of positions."""
    return small_accounts() | {"positions": frame("positions", [*ROWS["positions"], *rows])}


def seat(
    position_id, person_id, account_id, begin, end, known, function="recruiting", country="AT"
):
    told = "Recruiter", function, "lead", country, None
    return (position_id, person_id, account_id, at(begin), end and at(end), at(known), *told)


def told(moved):
    """(account_id, person_id, what, day it happened, day it was known) of every move."""
    days = (moved[name].dt.day for name in ("occurred_at", "known_at"))
    columns = moved["account_id"], moved["person_id"], moved["what"], *days
    return sorted(zip(*columns, strict=True))


def test_a_position_starts_once_and_ends_when_its_end_is_told():
    assert told(accounts.moves(small_accounts()["positions"])) == [
        (1, 11, "start", 1, 1),
        (1, 12, "end", 7, 8),
        (1, 12, "start", 1, 2),
        (2, 12, "start", 9, 10),
        (2, 21, "start", 1, 1),
        (9, 91, "start", 1, 1),
        (9, 92, "start", 1, 1),
    ]


def test_another_seat_at_the_same_account_is_an_internal_move_and_elsewhere_a_start():
    moved = with_positions(
        seat("p21", 21, 2, 1, 11, 11),
        seat("p23", 21, 2, 11, None, 11),
        seat("p13", 21, 1, 15, None, 15),
    )["positions"]
    found = [one for one in told(accounts.moves(moved)) if one[1] == 21]
    assert found == [
        (1, 21, "start", 15, 15),
        (2, 21, "end", 11, 11),
        (2, 21, "internal", 11, 11),
        (2, 21, "start", 1, 1),
    ]


def test_a_position_that_is_told_of_once_and_late_has_a_start_and_an_end():
    moved = with_positions(seat("p24", 24, 2, 3, 5, 12))["positions"]
    found = [one for one in told(accounts.moves(moved)) if one[1] == 24]
    assert found == [(2, 24, "end", 5, 12), (2, 24, "start", 3, 12)]


def test_which_seat_was_first_does_not_depend_on_which_was_told_first():
    moved = with_positions(seat("p26", 26, 2, 9, None, 9), seat("p25", 26, 2, 3, 9, 14))[
        "positions"
    ]
    found = [one[2:4] for one in told(accounts.moves(moved)) if one[1] == 26]
    assert found == [("end", 9), ("internal", 9), ("start", 3)]


def counts(found):
    """(account_id, event) -> how many."""
    events = accounts.stream(found)
    return events.groupby(["key", "event"], observed=True).size().to_dict()


def test_the_stream_counts_moves_by_function_and_level_and_days_of_use():
    found = counts(small_accounts())
    assert found[1, "start"] == found[1, "start human resources"] == 2
    assert found[1, "end"] == found[1, "end director"] == 1
    assert found[1, "start manager"] == found[1, "start director"] == 1
    assert found[2, "start recruiting"] == found[2, "start staff"] == 1
    assert found[1, "use"] == found[1, "admin_use"] == found[2, "use"] == 1
    assert (2, "admin_use") not in found


def test_an_internal_move_counts_as_internal_and_as_a_start():
    found = counts(with_positions(seat("p23", 21, 2, 11, None, 11)))
    assert found[2, "internal"] == 1
    assert found[2, "start"] == 3  # p21, p22 and the new seat
    assert found[2, "start recruiting"] == 2


def test_a_start_is_abroad_only_where_both_countries_are_known_and_differ():
    """The head office of 1 is in AT; where that of 2 is nobody knows."""
    seats = [seat("a", 31, 1, 3, None, 3, country="DE"), seat("b", 32, 1, 3, None, 3, country=None)]
    found = counts(with_positions(*seats, seat("c", 33, 2, 3, None, 3, country="DE")))
    assert {key: count for key, count in found.items() if key[1] == "abroad"} == {(1, "abroad"): 1}


def test_the_latest_version_counts_whatever_the_order_of_the_rows():
    rows = small_accounts()["accounts"]
    for given in (rows, rows[::-1], rows.sample(frac=1, random_state=1)):
        found = accounts.latest(given, "account_id").set_index("account_id")
        assert found["employees_count"].dropna().to_dict() == {1: 80.0, 9: 12.0}


def test_people_work_where_their_latest_lasting_position_is():
    found = small_accounts()
    where = accounts.people(found).set_index("person_id")["account_id"]
    assert where.to_dict() == {11: 1, 12: 2, 21: 2, 91: 9, 92: 9}
    before = accounts.people(accounts.known(found, pd.Timestamp(at(8)))).set_index("person_id")
    assert before["account_id"].to_dict() == {11: 1, 12: 1, 21: 2, 91: 9, 92: 9}
    between = accounts.people(accounts.known(found, pd.Timestamp(at(9)))).set_index("person_id")
    assert 12 not in between.index


def test_of_two_lasting_positions_the_one_that_began_last_counts_whichever_was_told_first():
    late = [seat("p31", 31, 1, 9, None, 9), seat("p30", 31, 2, 5, None, 12)]
    found = accounts.people(with_positions(*late)).set_index("person_id")
    assert found.loc[31, "account_id"] == 1


def test_ours_and_customers_are_told_apart():
    found = small_accounts()
    assert accounts.our_account(found) == 9
    assert accounts.our_people(found) == {91, 92}
    assert accounts.customers(found).tolist() == [1, 2]
    nobody = found | {"accounts": found["accounts"].assign(ours=False)}
    assert accounts.our_account(nobody) is None
    assert accounts.our_people(nobody) == set()
    assert accounts.customers(nobody).tolist() == [1, 2, 9]


def test_known_is_what_was_known_strictly_before():
    found = accounts.known(small_accounts(), pd.Timestamp(at(6)))
    assert found["spend"].empty
    assert accounts.opted_out(found) == set()
    later = accounts.known(small_accounts(), pd.Timestamp(at(6, "09:01")))
    assert later["spend"]["spend_id"].tolist() == ["s1"]
    assert accounts.opted_out(later) == {21}


def test_the_profile_is_the_one_of_its_time():
    found, ids = small_accounts(), pd.Series([1, 1, 2, 2])
    days = pd.Series(pd.to_datetime([at(5), at(10), at(10), "2025-12-31 09:00"])).astype(
        "datetime64[us]"
    )
    profile = accounts.profile(found, ids, days)
    assert profile["employees_count"].fillna(-1).tolist() == [40, 80, -1, -1]
    assert profile["industry"].fillna("").tolist() == ["retail", "retail", "health", ""]


def test_contact_inside_is_between_two_who_work_at_one_account_now():
    found = accounts.known(small_accounts(), pd.Timestamp(at(8)))
    inside = accounts.inside(found)
    assert inside[["from_person_id", "to_person_id"]].values.tolist() == [[91, 92], [11, 12]]
    later = accounts.inside(small_accounts())  # by then 12 works elsewhere
    assert later[["from_person_id", "to_person_id"]].values.tolist() == [[91, 92]]


def test_titles_say_what_somebody_does_and_a_number():
    found = small_accounts()
    assert accounts.titles(found).to_dict() == {
        11: "HR manager (11)",
        12: "Head of HR (12)",
        21: "Recruiter (21)",
        91: "staff sales (91)",
        92: "Account manager (92)",
    }
    bare = found["positions"].assign(title=None, level=None, function=None)
    bare = bare.astype(found["positions"].dtypes.to_dict())
    assert accounts.titles(found | {"positions": bare})[11] == "somebody (11)"


def test_mornings_lie_before_the_end_at_regular_distances():
    until = accounts.morning({"data_until": "2026-01-20T13:45:00"})
    assert until == END
    assert accounts.looks_before(until, 7, 3) == [
        pd.Timestamp(day) for day in ("2025-12-30", "2026-01-06", "2026-01-13")
    ]
    assert accounts.months_before(pd.Timestamp("2026-03-31"), 1) == pd.Timestamp("2026-02-28")


def test_shuffled_rows_change_no_move_and_nobody_s_place():
    found = bw.world()
    shuffled = {name: rows.sample(frac=1, random_state=7) for name, rows in found.items()}
    for of in (lambda one: accounts.moves(one["positions"]), accounts.people, accounts.inside):
        one, other = of(found), of(shuffled)
        order = list(one.columns)
        one, other = (rows.sort_values(order, ignore_index=True) for rows in (one, other))
        pd.testing.assert_frame_equal(one, other)


def test_a_snapshot_of_accounts_comes_back_and_without_copies(tmp_path):
    source = write_parquet(small_accounts(), tmp_path / "source")
    snapshot.fetch(source, tmp_path / "made", names=ACCOUNTS, now=END)
    about, found = accounts.read(tmp_path / "made")
    assert about["data_until"].startswith("2026-01-10")
    assert accounts.morning(about) == pd.Timestamp("2026-01-10")
    assert len(found["interactions"]) == len(small_accounts()["interactions"]) - 1
    assert told(accounts.moves(found["positions"])) == told(
        accounts.moves(small_accounts()["positions"])
    )


def test_a_snapshot_of_other_tables_is_refused_with_the_way_out(tmp_path):
    snapshot.fetch(write_parquet(small_world(), tmp_path / "source"), tmp_path / "made", now=END)
    with pytest.raises(InputError, match=r"deals.*not the tables of accounts.*set: accounts"):
        accounts.read(tmp_path / "made")
