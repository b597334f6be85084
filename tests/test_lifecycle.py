"""How a deal stood, as it was known, and how it stood in the end."""

import numpy as np
import pandas as pd
import pytest

from tierwise import features, lifecycle

UNTIL = pd.Timestamp("2026-12-31")
SECOND = pd.Timedelta(seconds=1)


def changes(*rows):
    """Rows of deal_changes: deal, day it happened, what (a status, or the survivor of a merge).

    A fourth value is the day on which it became known, the same day if left out.
    """
    table = []
    for number, (deal, day, what, *known) in enumerate(rows):
        merged = isinstance(what, int)
        table.append(
            {
                "change_id": f"c{number}",
                "deal_id": deal,
                "occurred_at": pd.Timestamp(day),
                "known_at": pd.Timestamp(known[0] if known else day),
                "field": "merged_into" if merged else "status",
                "new_value": str(what),
            }
        )
    columns = ["change_id", "deal_id", "occurred_at", "known_at", "field", "new_value"]
    found = pd.DataFrame(table, columns=columns)
    return found.astype({"occurred_at": "datetime64[us]", "known_at": "datetime64[us]"})


def outcome(table, deal, as_of, horizon_days=30, until=UNTIL):
    """(outcome, when it was known) of one deal."""
    rows = pd.DataFrame({"deal_id": [deal], "as_of": [pd.Timestamp(as_of)]})
    found = lifecycle.outcome(lifecycle.statuses(table), rows, horizon_days, until).iloc[0]
    return found["outcome"], found["outcome_known_at"]


def is_open(table, deal, as_of):
    rows = pd.Series([deal]), pd.Series([pd.Timestamp(as_of)])
    return bool(lifecycle.is_open(lifecycle.statuses(table), *rows).iloc[0])


# what was known


@pytest.mark.parametrize("status", ["won", "lost", "deleted", 7])
def test_a_deal_is_open_until_its_end_is_known_and_one_second_longer_than_sharp(status):
    table = changes((1, "2026-06-10 09:00", status))
    ended = pd.Timestamp("2026-06-10 09:00")
    assert is_open(table, 1, ended - SECOND)
    assert is_open(table, 1, ended)
    assert not is_open(table, 1, ended + SECOND)


def test_a_deal_without_any_change_is_open():
    assert is_open(changes(), 1, "2026-06-10")
    assert is_open(changes((2, "2026-06-01", "lost")), 1, "2026-06-10")


def test_a_win_that_is_entered_late_leaves_the_deal_on_the_list_until_then():
    table = changes((1, "2026-05-31", "won", "2026-06-02"))
    assert is_open(table, 1, "2026-06-01")
    assert not is_open(table, 1, "2026-06-03")


@pytest.mark.parametrize("status", ["won", "lost", "deleted"])
def test_what_had_ended_already_and_was_entered_late_has_no_outcome(status):
    """There was nothing left to foresee; the second before is another matter."""
    table = changes((1, "2026-05-31 09:00", status, "2026-06-02"))
    rows = pd.DataFrame(
        {"deal_id": [1, 1], "as_of": pd.to_datetime(["2026-06-01 09:00", "2026-05-31 09:00"])}
    )
    found = lifecycle.outcome(lifecycle.statuses(table), rows, 30, UNTIL)
    assert found["excluded"].tolist() == [lifecycle.ENDED_BEFORE, ""]
    assert np.isnan(found["outcome"][0])
    assert found["outcome"][1] == (status == "won")


def test_a_duplicate_of_a_customer_who_has_bought_already_is_no_win():
    """Deal 1 is won in May; somebody opens deal 2 for the same customer, and it is merged."""
    table = changes((1, "2026-05-03", "won"), (2, "2026-06-10", 1))
    rows = pd.DataFrame({"deal_id": [2], "as_of": [pd.Timestamp("2026-06-01")]})
    found = lifecycle.outcome(lifecycle.statuses(table), rows, 30, UNTIL)
    assert found["excluded"].tolist() == [lifecycle.ENDED_BEFORE]


def test_a_reopened_deal_is_open_again():
    table = changes((1, "2026-03-01", "lost"), (1, "2026-05-01", "reopened"))
    assert is_open(table, 1, "2026-02-01")
    assert not is_open(table, 1, "2026-04-01")
    assert is_open(table, 1, "2026-06-01")


def test_of_two_changes_the_one_that_happened_last_counts_even_if_it_was_known_first():
    """The loss of April was entered only after the reopening of May."""
    table = changes((1, "2026-05-01", "reopened"), (1, "2026-04-01", "lost", "2026-05-03"))
    assert is_open(table, 1, "2026-06-01")


# what came of it


def test_outcome_is_how_the_deal_stands_at_the_end_of_the_horizon():
    """The worked example of the module."""
    table = changes(
        (1, "2026-06-03", "lost"),
        (1, "2026-06-20", "reopened"),
        (1, "2026-06-28", "won"),
        (1, "2026-07-05", "lost"),
    )
    assert outcome(table, 1, "2026-06-01")[0] == 1
    assert outcome(table, 1, "2026-06-01", horizon_days=10)[0] == 0
    assert outcome(table, 1, "2026-06-21")[0] == 0  # by 21 July it was lost again


def test_a_win_counts_up_to_the_last_instant_of_the_horizon():
    won = pd.Timestamp("2026-07-01 09:00")
    table = changes((1, won, "won"))
    assert outcome(table, 1, won - pd.Timedelta(days=30) + SECOND)[0] == 1
    assert outcome(table, 1, won - pd.Timedelta(days=30))[0] == 0


def test_a_row_whose_horizon_is_not_over_is_censored_even_if_it_is_won_already():
    table = changes((1, "2026-06-03", "won"))
    until = pd.Timestamp("2026-06-30")
    assert np.isnan(outcome(table, 1, "2026-06-01", until=until)[0])
    assert outcome(table, 1, "2026-05-31", until=until)[0] == 1


def test_an_outcome_is_known_at_the_end_of_the_horizon_and_not_before():
    for table in (changes((1, "2026-06-03", "won")), changes((1, "2026-06-03", "lost")), changes()):
        assert outcome(table, 1, "2026-06-01")[1] == pd.Timestamp("2026-07-01")


def test_an_outcome_that_was_entered_late_is_known_late():
    table = changes((1, "2026-06-20", "won", "2026-07-09"))
    assert outcome(table, 1, "2026-06-01") == (1, pd.Timestamp("2026-07-09"))


def test_a_deleted_deal_is_not_won():
    assert outcome(changes((1, "2026-06-03", "deleted")), 1, "2026-06-01")[0] == 0


def test_a_merged_deal_has_the_outcome_of_its_survivor_over_any_number_of_merges():
    table = changes(
        (1, "2026-06-03", 2), (2, "2026-06-10", 3), (3, "2026-06-20", "won", "2026-07-04")
    )
    assert outcome(table, 1, "2026-06-01") == (1, pd.Timestamp("2026-07-04"))
    assert outcome(table, 2, "2026-06-05")[0] == 1
    assert outcome(table.iloc[:2], 1, "2026-06-01")[0] == 0


def test_what_happens_after_a_merge_counts_for_the_survivor_only_from_then_on():
    """The horizon of 5 days ends before the merge: the deal stood open, not won."""
    table = changes((1, "2026-06-10", 2), (2, "2026-06-03", "won"))
    assert outcome(table, 1, "2026-06-01", horizon_days=5)[0] == 0
    assert outcome(table, 1, "2026-06-01", horizon_days=30)[0] == 1


@pytest.mark.parametrize("survivor", [3, 9_007_199_254_740_993, 10**18 - 1])
def test_a_survivor_is_found_whatever_the_size_of_its_id(survivor):
    """Above 2**53 not every whole number is a float64."""
    table = changes((1, "2026-06-03", survivor), (survivor, "2026-06-20", "won"))
    assert outcome(table, 1, "2026-06-01")[0] == 1


def test_a_deal_that_stands_open_in_the_end_has_no_end_however_late_a_loss_is_entered():
    table = changes(
        (1, "2026-05-10", "reopened"),
        (1, "2026-05-01", "lost", "2026-05-12"),
        (2, "2026-05-01", "won"),
    )
    ended = lifecycle.ended_at(lifecycle.statuses(table), pd.Series([1, 2]))
    assert ended.isna().tolist() == [True, False]


def contacts_of(table, *rows):
    """Deals that contacts count for, by contact: known at the time in the row."""
    times = pd.Series(pd.to_datetime([day for _, day in rows])).astype("datetime64[us]")
    deals = pd.Series([deal for deal, _ in rows])
    found = lifecycle.inherited(features.stream(deals, times, times, "call"), table)
    return list(zip(found["key"], found["known_at"].dt.strftime("%d"), strict=True))


def test_a_contact_is_inherited_once_from_the_first_merge_that_brings_it():
    """Merged, reopened and merged again; and by two ways to one survivor."""
    again = changes((1, "2026-06-03", 2), (1, "2026-06-05", "reopened"), (1, "2026-06-07", 2))
    assert contacts_of(again, (1, "2026-06-01"), (1, "2026-06-06")) == [(2, "03"), (2, "06")]
    two_ways = changes((1, "2026-06-03", 2), (2, "2026-06-04", 3), (1, "2026-06-05", 3))
    assert contacts_of(two_ways, (1, "2026-06-01")) == [(2, "03"), (3, "04")]
    assert contacts_of(changes(), (1, "2026-06-01")) == []


def test_the_end_of_a_deal_is_when_its_last_change_was_known():
    table = changes(
        (1, "2026-06-03", "lost", "2026-06-04"),
        (2, "2026-06-03", "lost"),
        (2, "2026-08-01", "reopened"),
    )
    ended = lifecycle.ended_at(lifecycle.statuses(table), pd.Series([1, 2, 3]))
    assert ended.iloc[0] == pd.Timestamp("2026-06-04")
    assert ended.iloc[1:].isna().all()


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_the_rows_changes_nothing(seed):
    random = np.random.default_rng(seed)
    days = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.permutation(200)[:30], unit="D")
    rows = [
        (int(deal), day, str(what))
        for deal, day, what in zip(
            random.integers(1, 6, 30),
            days,
            random.choice(["won", "lost", "reopened", "deleted"], 30),
            strict=True,
        )
    ]
    table = changes(*rows)
    asked = pd.DataFrame({"deal_id": random.integers(1, 8, 40)})
    asked["as_of"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(
        random.integers(0, 200, 40), unit="D"
    )
    mixed = table.sample(frac=1, random_state=seed)
    results = [
        lifecycle.outcome(lifecycle.statuses(found), asked, 30, UNTIL) for found in (table, mixed)
    ]
    pd.testing.assert_frame_equal(*results)
