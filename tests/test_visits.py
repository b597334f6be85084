"""Visits and what followed them: counted by hand, blind to the future, and hard to play with."""

import json

import numpy as np
import pandas as pd
import pytest

from crm import at
from small_providers import marketplace, small_providers, write_tables
from tierwise import rhythm, tables
from tierwise.files import InputError
from tierwise.providers import visits

UNTIL = pd.Timestamp(at(30))


def booking(key, day, customer=51, provider=1, **given):
    """A row of bookings, done at noon of that day, booked a day before."""
    when = pd.Timestamp(at(day, "12:00"))
    row = {"booking_id": key, "customer_id": customer, "provider_id": provider}
    row |= {"occurred_at": when, "known_at": when + pd.Timedelta(hours=3), "promised_at": when}
    row |= {"booked_at": when - pd.Timedelta(days=1), "status": "done", "segment": "home"}
    return row | {"chosen": True, "amount_eur": 50.0, "tip_eur": 0.0, "reminded": False} | given


def world(*rows, **others):
    """The small tables with these bookings instead, and others where given."""
    found = small_providers()
    empty = {name: table.iloc[:0] for name, table in found.items() if name != "providers"}
    bookings = pd.DataFrame(list(rows))[list(found["bookings"])].astype(found["bookings"].dtypes)
    return found | empty | {"bookings": bookings} | others


def acted(found, until=UNTIL, **given):
    jobs = visits.jobs(found, until)
    return visits.actions(found, jobs, until, **given).set_axis(jobs["booking_id"])


def on(table):
    """Which actions were seen after which job."""
    return {row.Index: {name for name in table if getattr(row, name)} for row in table.itertuples()}


def test_jobs_are_the_bookings_done_each_once_in_order():
    jobs = visits.jobs(small_providers(), UNTIL)
    assert jobs["booking_id"].tolist() == ["b1", "b4", "b2", "b5"]
    assert jobs["number"].tolist() == [1, 2, 1, 2]
    assert jobs["late_minutes"].tolist() == [0, 20, 0, 0]
    assert jobs["provider"].tolist() == [1, 1, 1, 2]
    assert list(jobs) == visits.COLUMNS


def test_days_are_counted_from_the_year_2000():
    assert visits.day_number(pd.Timestamp("2000-01-02 12:00")) == 1.5
    times = pd.Series([pd.Timestamp("2001-01-01")])
    assert visits.day_number(times).tolist() == [366.0]


def test_actions_are_those_counted_by_hand():
    assert on(acted(small_providers())) == {
        "b1": {"favourite", "tip", "five_stars", "rebooked_same"},
        "b4": {"unfavourite", "complaint"},
        "b2": {"low_rating", "complaint", "black_list", "rebooked_same", "rebooked_other"},
        "b5": set(),
    }


def test_what_is_learned_later_is_not_known_yet():
    found = small_providers()
    assert not acted(found, pd.Timestamp(at(6)))["low_rating"].any()
    assert acted(found, pd.Timestamp(at(6, "09:01")))["low_rating"].any()


def test_the_future_changes_no_job_and_no_action():
    found, _ = marketplace(2)
    until = pd.Timestamp("2024-02-01")
    past = visits.known(found, until)
    jobs = visits.jobs(found, until)
    pd.testing.assert_frame_equal(jobs, visits.jobs(past, until))
    whole, before = (visits.actions(one, jobs, until) for one in (found, past))
    pd.testing.assert_frame_equal(whole, before)
    assert (whole.sum() > 0).all()


def test_order_and_copies_of_rows_do_not_count():
    found, _ = marketplace(2)
    mixed = {name: rows.sample(frac=1, random_state=3) for name, rows in found.items()}
    late = mixed["bookings"].head(500)
    late = late.assign(known_at=late["known_at"] + pd.Timedelta(hours=1), tip_eur=99.0)
    mixed["bookings"] = pd.concat([mixed["bookings"], late])
    until = pd.Timestamp("2024-08-01")
    jobs, again = visits.jobs(found, until), visits.jobs(mixed, until)
    pd.testing.assert_frame_equal(jobs, again)
    one, other = visits.actions(found, jobs, until), visits.actions(mixed, jobs, until)
    pd.testing.assert_frame_equal(one, other)


def test_a_job_split_into_five_bookings_with_five_ratings_is_one_good_visit():
    times = [pd.Timestamp(at(3)) + pd.Timedelta(hours=9 * part) for part in range(5)]
    parts = [booking(f"p{n}", 3, occurred_at=when, known_at=when + pd.Timedelta(hours=9),
                     booked_at=when, tip_eur=2.0) for n, when in enumerate(times)]  # fmt: skip
    stars = pd.DataFrame(
        {"booking_id": [f"p{n}" for n in range(5)], "customer_id": 51, "provider_id": 1}
    ).assign(occurred_at=times, known_at=times, stars=5, text_length_count=30.0)
    found = world(*parts, ratings=stars)
    jobs = visits.jobs(found, UNTIL)
    assert jobs[["booking_id", "tip_eur", "amount_eur"]].to_numpy().tolist() == [["p0", 10, 250]]
    assert on(acted(found)) == {"p0": {"tip", "five_stars", "good_review"}}


def test_jobs_are_merged_as_everywhere_else():
    found, _ = marketplace(1)
    until = pd.Timestamp("2024-08-01")
    done = visits.bookings(found, until)
    plain = rhythm.jobs(done[done["status"] == "done"])
    jobs = visits.jobs(found, until)
    assert jobs["booking_id"].tolist() == plain["booking_id"].tolist()
    assert jobs["amount_eur"].sum() == pytest.approx(
        done.loc[done["status"] == "done", "amount_eur"].sum()
    )


@pytest.mark.parametrize(("day", "seen"), [(17, True), (18, False)])
def test_an_action_counts_inside_its_window_only(day, seen):
    saved = pd.DataFrame({"customer_id": [51], "provider_id": 1, "added": True})
    saved = saved.assign(occurred_at=pd.Timestamp(at(day)), known_at=pd.Timestamp(at(day)))
    found = world(booking("b", 3), favourites=saved)
    assert bool(acted(found, window_days=14.0)["favourite"].iloc[0]) == seen


def test_a_rating_belongs_to_its_booking_and_a_favourite_to_the_latest_visit():
    late = pd.Timestamp(at(9))
    stars = pd.DataFrame({"booking_id": ["one"], "customer_id": 51, "provider_id": 1, "stars": 1})
    stars = stars.assign(text_length_count=0.0, occurred_at=late, known_at=late)
    saved = pd.DataFrame({"customer_id": [51], "provider_id": 1, "added": True})
    saved = saved.assign(occurred_at=late, known_at=late)
    none = {"booked_at": pd.Timestamp(at(1))}
    rows = booking("one", 3, **none), booking("two", 7, **none)
    found = on(acted(world(*rows, ratings=stars, favourites=saved)))
    assert found == {"one": {"low_rating"}, "two": {"favourite"}}


def test_a_booking_is_never_its_own_rebooking():
    now = {"booked_at": pd.Timestamp(at(9, "12:00"))}  # booked the moment it began
    assert on(acted(world(booking("b", 9, **now))))["b"] == set()
    again = on(acted(world(booking("a", 3), booking("b", 9, **now))))
    assert again == {"a": {"rebooked_same"}, "b": set()}


def test_what_we_assigned_or_the_customer_took_back_is_no_rebooking():
    assigned = booking("b", 9, chosen=False)
    taken_back = booking("c", 9, status="cancelled by customer")
    assert on(acted(world(booking("a", 3), assigned)))["a"] == set()
    assert on(acted(world(booking("a", 3), taken_back)))["a"] == {"cancelled"}


def test_a_window_is_over_when_its_days_have_passed():
    jobs = visits.jobs(small_providers(), UNTIL)
    until = pd.Timestamp(at(18))
    assert visits.settled(jobs, until, 14.0).tolist() == [True, False, True, False]
    assert visits.settled(jobs, until, 0.0).all()


def test_actions_come_in_the_order_asked_for():
    found = small_providers()
    names = ["tip", "favourite"]
    assert list(acted(found, names=names)) == names
    jobs = visits.jobs(found, UNTIL)
    odd = jobs.set_axis(jobs.index * 7 + 3)
    assert visits.actions(found, odd, UNTIL).index.equals(odd.index)


def test_hundred_thousand_bookings_take_seconds():
    count, random = 100_000, np.random.default_rng(0)
    found = world(booking("b", 3))
    rows = found["bookings"].iloc[np.zeros(count, dtype=int)].reset_index(drop=True)
    shift = pd.to_timedelta(random.uniform(0, 600, count).round(3), unit="D").as_unit("us")
    rows = rows.assign(booking_id=[f"b{n}" for n in range(count)])
    rows = rows.assign(customer_id=random.integers(0, 9000, count))
    rows = rows.assign(provider_id=random.integers(0, 3000, count))
    for name in ("occurred_at", "known_at", "booked_at", "promised_at"):
        rows[name] = rows[name] + shift
    found["bookings"] = rows
    jobs = visits.jobs(found, pd.Timestamp("2028-01-01"))
    table = visits.actions(found, jobs, pd.Timestamp("2028-01-01"))
    assert len(table) == len(jobs) > 0.99 * count
    assert table["rebooked_other"].mean() > 0.2


def test_what_cannot_be_used_is_said():
    found = small_providers()
    with pytest.raises(InputError, match="No booking was done"):
        visits.jobs(found, pd.Timestamp(at(2)))
    with pytest.raises(InputError, match="'smile'"):
        visits.actions(found, visits.jobs(found, UNTIL), UNTIL, names=["smile"])


def test_a_snapshot_is_read_and_one_of_another_set_refused(tmp_path):
    found = small_providers()
    write_tables(tmp_path, found)
    about = {"parts_count": 1, "data_until": str(UNTIL), "tables": {name: {} for name in found}}
    (tmp_path / "snapshot.json").write_text(json.dumps(about))
    told, read = visits.read(tmp_path)
    assert told == about
    assert list(read) == list(tables.PROVIDERS)
    assert visits.jobs(read, UNTIL).equals(visits.jobs(found, UNTIL))
    (tmp_path / "snapshot.json").write_text(json.dumps(about | {"tables": {"deals": {}}}))
    with pytest.raises(InputError, match="set: providers"):
        visits.read(tmp_path)
