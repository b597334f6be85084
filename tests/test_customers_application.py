"""Who buys again: what was known counts, by the time it was known, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from crm import at
from small_customers import ROWS, shoppers, small_customers, write_tables
from tierwise import snapshot, tables
from tierwise.applications import customers
from tierwise.files import InputError

KINDS = ["visit", "save", "add_to_cart", "purchase", "message_sent", "signed_up"]
QUESTION = {
    "entity": "customer",
    "horizons_days": [30.0, 90.0],
    "look_every_days": 30.0,
    "looks_count": 10,
    "lookback_days": [30.0, 90.0],
}
EVERY = ["visit", "search", "save", "share", "add_to_cart", "purchase", "review"]
EVERY += ["message_sent", "invite", "signed_up"]
UNTIL = pd.Timestamp("2024-03-31").as_unit("us")
DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def world():
    return shoppers(people_count=300)[0]


@pytest.fixture(scope="module")
def given(world):
    return customers.given(world, UNTIL, EVERY)


@pytest.fixture(scope="module")
def rows(given):
    return customers.examples(given, QUESTION)


def day(number):
    """Midnight of that day of the month of `small_customers`."""
    return pd.Timestamp(at(number)).normalize().as_unit("us")


def test_a_question_that_cannot_be_asked_is_refused():
    assert customers.checked(QUESTION) == QUESTION
    for wrong in ({"horizons_days": []}, {"looks_count": 1}, {"look_every_days": 0.0}, {"more": 1}):
        with pytest.raises(InputError, match="question"):
            customers.checked(QUESTION | wrong)


def test_copies_count_once_and_unknown_events_are_counted_and_left_out():
    found = customers.given(small_customers(), day(20), [k for k in KINDS if k != "save"])
    assert found.left_out == {"save": 1}
    assert len(found.events) == len({row[0] for row in ROWS["customer_events"]}) - 1
    assert len(found.purchases) == 2
    assert found.purchases["known_at"].is_monotonic_increasing


def test_nothing_that_became_known_today_is_there():
    found = customers.given(small_customers(), day(6), KINDS)
    assert (found.events["known_at"] < day(6)).all()
    assert 4 not in set(found.events["person_id"])  # heard of on the 6th, of what was on the 2nd


def test_whether_somebody_may_be_written_to_is_what_was_known_last():
    assert customers.given(small_customers(), day(7), KINDS).people.loc[2, "may_contact"]
    assert not customers.given(small_customers(), day(20), KINDS).people.loc[2, "may_contact"]


def test_a_catalogue_without_any_event_of_ours_is_refused():
    with pytest.raises(InputError, match="No event of the catalogue"):
        customers.given(small_customers(), day(20), ["story_posted"])


def test_tables_of_another_question_are_refused(tmp_path, world):
    write_tables(tmp_path / "raw", world)
    later = UNTIL + 30 * DAY
    snapshot.fetch(tmp_path / "raw", tmp_path / "good", names=tables.CUSTOMERS, now=later)
    about, found = customers.read(tmp_path / "good", EVERY)
    assert found.until == pd.Timestamp(about["data_until"]).normalize()
    told = tmp_path / "good" / "snapshot.json"
    told.write_text(told.read_text().replace('"touches"', '"visits"'))
    with pytest.raises(InputError, match="set: customers"):
        customers.read(tmp_path / "good", EVERY)


def bought(occurred, known):
    """Within five days from the 10th on."""
    paid = pd.DataFrame({"person_id": [7], "occurred_at": [occurred], "known_at": [known]})
    return customers.outcome(paid, np.array([5, 7]), day(10), 5.0).tolist()


def test_an_outcome_lies_in_the_horizon_and_is_known_at_its_end():
    second = pd.Timedelta(seconds=1)
    assert bought(day(10), day(10)) == [0, 1]
    assert bought(day(10) - second, day(11)) == [0, 0]  # before, though heard of later
    assert bought(day(15) - second, day(15) - second) == [0, 1]
    assert bought(day(15), day(15)) == [0, 0]
    assert bought(day(14), day(15)) == [0, 0]  # not known at the end


def test_an_outcome_is_missing_until_its_horizon_is_over(rows):
    for days in QUESTION["horizons_days"]:
        over = rows["as_of"] + pd.Timedelta(days=days) <= UNTIL
        assert rows[f"outcome_{days:g}d"].notna().equals(over)
    assert set(rows["outcome_30d"].dropna()) == {0.0, 1.0}


def test_looks_end_today_and_begin_when_the_longest_lookback_is_known(given):
    found = customers.looks(given, QUESTION | {"looks_count": 40})
    assert found[-1] == UNTIL
    assert set(np.diff(found)) == {pd.Timedelta(days=30)}
    assert all(one == one.normalize() for one in found)
    first = given.events["known_at"].min()
    assert found[0] - 90 * DAY >= first > found[0] - 120 * DAY


def test_too_short_a_past_is_refused(given):
    with pytest.raises(InputError, match="Lower look_every_days"):
        customers.looks(given, QUESTION | {"lookback_days": [400.0]})


def test_everybody_heard_of_has_one_row_per_look(given, rows):
    for look, part in rows.groupby("as_of"):
        known = given.events.loc[given.events["known_at"] < look, "person_id"]
        assert part["person_id"].tolist() == sorted(set(known))


def test_the_future_changes_no_row(world, rows):
    """Everything that became known from a look on is another world's; what was known is not."""
    look = UNTIL - 60 * DAY
    changed = {name: table[table["known_at"] < look] for name, table in world.items()}
    again = customers.examples(customers.given(changed, look, EVERY), QUESTION)
    same = [name for name in again if not name.startswith("outcome")]
    keys = ["as_of", "person_id"]
    before = rows[rows["as_of"] <= look].set_index(keys)
    after = again.set_index(keys)
    both = after.index.get_level_values("as_of") >= rows["as_of"].min()
    pd.testing.assert_frame_equal(
        before[same[2:]], after.loc[both, same[2:]], check_exact=True, check_categorical=False
    )


def test_features_are_what_one_would_count_by_hand(given, rows):
    look, person = UNTIL, rows["person_id"].iloc[-1]
    own = given.events[(given.events["person_id"] == person).to_numpy()]
    row = rows[(rows["as_of"] == look) & (rows["person_id"] == person)].iloc[0]
    age = (look - own["occurred_at"]) / DAY
    assert row["_any_count"] == len(own)
    assert row["visit_count_30d"] == ((own["event"] == "visit") & (age <= 30)).sum()
    assert row["recency"] == pytest.approx(-age.min())
    paid = given.purchases[given.purchases["person_id"] == person]
    assert row["_paid_total"] == pytest.approx(paid["amount_eur"].sum())
    assert row["bought_before"] == (len(paid) > 0)


def test_rfm_puts_those_who_never_bought_last(rows):
    assert rows["rfm"].between(3, 15).all()
    for _, part in rows.groupby("as_of"):
        never = ~part["bought_before"]
        assert part.loc[never, "rfm"].max() <= part.loc[~never, "rfm"].min()
    assert rows[list(customers.RULES)].notna().all().all()
    assert rows[customers.columns(QUESTION, EVERY)].notna().all().all()
