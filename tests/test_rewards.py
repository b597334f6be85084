"""Rewards: due once known, held, limited; a ledger that pays nobody twice, whatever is repeated."""

import json
import multiprocessing

import numpy as np
import pandas as pd
import pytest

from killed import killed, needs_fork
from tierwise.files import InputError
from tierwise.rewards import due as rd
from tierwise.rewards import entries as en
from tierwise.rewards import ledger

T = pd.Timestamp("2026-03-01")
DAY = pd.Timedelta(days=1)
TERMS = {"sender_eur": 4.0, "friend_eur": 1.5, "hold_days": 14, "most_a_year_count": 2}
LATE = T + 400 * DAY


def credits(count=3, settled_days=7):
    """Friends 101, 102 and so on, all brought by 1, a day apart."""
    at = T + np.arange(count) * DAY
    columns = {"person_id": np.arange(101, 101 + count), "source": "click"}
    columns["sender_id"] = pd.array([1] * count, "Int64")
    return pd.DataFrame(columns).assign(occurred_at=at, settled_at=at + settled_days * DAY)


def members(credited):
    rows = credited[["person_id", "occurred_at"]]
    return rows.assign(known_at=rows["occurred_at"])


def purchases(*rows):
    """(friend, days after T when it happened, days after T when we learned of it)."""
    table = pd.DataFrame(rows, columns=["person_id", "occurred_at", "known_at"])
    for name in ("occurred_at", "known_at"):
        table[name] = T + pd.to_timedelta(table[name].astype("float64"), unit="D")
    return table.assign(purchase_id=[f"p{n}" for n in range(len(table))])


def due(bought, as_of=LATE, terms=TERMS, credited=None):
    rows = credits() if credited is None else credited
    return rd.due(rows, members(rows), purchases(*bought), terms, as_of)


def test_a_reward_is_due_when_purchase_and_credit_are_known_and_payable_after_the_hold():
    """Sign-up day 0, purchase day 2, credit settled day 7: payable after day 21."""
    row = due([(101, 2, 2)]).iloc[0]
    assert row["earned_at"] == T + 2 * DAY
    assert row["known_at"] == T + 7 * DAY
    assert row["payable_at"] == T + 21 * DAY
    states = [due([(101, 2, 2)], T + days * DAY)["state"].iloc[0] for days in (7, 8, 21, 22)]
    assert states == ["waiting", "held", "held", "payable"]


def test_a_purchase_that_nobody_knew_of_yet_earns_nothing():
    assert set(due([(101, 2, 50)], T + 50 * DAY)["state"]) == {"waiting"}
    assert (due([(101, 2, 50)], T + 51 * DAY)["state"] == "held").sum() == 2


def test_a_purchase_known_late_moves_no_reward_though_it_happened_earlier():
    before = due([(101, 9, 9)])
    after = due([(101, 9, 9), (101, 1, 60)])
    pd.testing.assert_frame_equal(before, after)


def test_each_friend_has_a_reward_for_each_side_with_its_own_stable_id():
    found = due([(101, 2, 2)])
    assert len(found) == 6
    assert found["reward_id"].is_unique
    assert set(zip(found["side"], found["amount_eur"], strict=True)) == {
        ("sender", 4.0), ("friend", 1.5)
    }  # fmt: skip
    shuffled = credits().sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(due([(101, 2, 2)], credited=shuffled), found)
    assert len(due([], terms=TERMS | {"friend_eur": 0.0})) == 3


def test_the_limit_holds_for_senders_and_counts_by_calendar_year():
    bought = [(friend, 20 + at, 20 + at) for at, friend in enumerate((101, 102, 103))]
    found = due(bought)
    capped = found[found["state"] == "capped"]
    assert list(capped["friend_id"]) == [103]
    assert list(capped["side"]) == ["sender"]
    spread = [(101, 20, 20), (102, 21, 21), (103, 330, 330)]
    assert not (due(spread)["state"] == "capped").any()
    assert not (due(bought, terms=TERMS | {"most_a_year_count": None})["state"] == "capped").any()


def test_shared_items_and_those_who_came_by_themselves_earn_nothing():
    rows = credits()
    rows["source"] = ["click", "shared item", "itself"]
    rows.loc[2, "sender_id"] = pd.NA
    assert set(due([(101, 2, 2), (102, 2, 2), (103, 2, 2)], credited=rows)["friend_id"]) == {101}


def test_paid_when_they_sign_up_needs_no_purchase():
    found = due([], terms=TERMS | {"paid_when": "sign_up", "most_a_year_count": None})
    assert set(found["state"]) == {"payable"}
    assert found["earned_at"].min() == T


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sender_eur": 4.005}, "whole cents"),
        ({"sender_eur": -1.0}, "whole cents"),
        ({"sender_eur": 1.0, "paid_when": "click"}, "paid_when is"),
        ({"sender_eur": 1.0, "hold_days": -1}, "hold_days must be"),
        ({"sender_eur": 1.0, "most_a_year_count": 1.5}, "whole number"),
        ({"sender_eur": 1.0, "bonus": 3}, "no bonus"),
        ({"friend_eur": 1.0}, "always a sender_eur"),
    ],
)
def test_a_reward_that_cannot_be_is_refused_with_a_way_out(wrong, words):
    with pytest.raises(InputError, match=words):
        rd.reward_of(wrong)


def test_a_friend_with_two_credits_is_refused():
    twice = pd.concat([credits(), credits(1)])
    with pytest.raises(InputError, match="one friend has one sender"):
        due([], credited=twice)


# The ledger


def pay(reward_id="a", cents=400, at=T, **more):
    whom = {"person_id": 1, "friend_id": 101, "side": "sender"} | more
    return en.entry("pay", reward_id, "anna", at, amount_cents=cents, **whom)


def decide(action, reward_id="a", at=T):
    return en.entry(action, reward_id, "ben", at, "because")


def undo(entry, at=T):
    return en.entry("undo", "", "ben", at, "wrong", undoes=entry["entry_id"])


def test_the_same_entry_twice_changes_nothing(tmp_path):
    for made in (decide("approve"), pay()):
        assert len(ledger.append(tmp_path, [made])) == 1
        before = (tmp_path / ledger.NAME).read_bytes()
        assert ledger.append(tmp_path, [made, made | {"by": "carl"}]) == []
        assert (tmp_path / ledger.NAME).read_bytes() == before
    (back,) = ledger.append(tmp_path, [undo(ledger.read(tmp_path).iloc[-1])])
    assert ledger.append(tmp_path, [undo(ledger.read(tmp_path).iloc[1])]) == []
    assert back["amount_cents"] == -400


def test_a_payment_undone_sums_to_zero_and_is_paid_again_only_after_an_approval(tmp_path):
    (paid,) = ledger.append(tmp_path, [pay()])
    ledger.append(tmp_path, [undo(paid, T + 14 * DAY)])
    assert ledger.read(tmp_path)["amount_cents"].sum() == 0
    with pytest.raises(InputError, match="paid and undone"):
        ledger.append(tmp_path, [pay()])
    ledger.append(tmp_path, [decide("approve"), pay()])
    assert ledger.read(tmp_path)["amount_cents"].sum() == 400


def test_a_payment_is_not_undone_when_the_money_has_long_been_spent(tmp_path):
    (paid,) = ledger.append(tmp_path, [pay()])
    with pytest.raises(InputError, match="more than 14 days"):
        ledger.append(tmp_path, [undo(paid, T + 15 * DAY)])


def test_what_was_refused_is_not_paid_and_what_was_paid_is_not_refused(tmp_path):
    (refused,) = ledger.append(tmp_path, [decide("refuse")])
    with pytest.raises(InputError, match="was refused"):
        ledger.append(tmp_path, [pay()])
    ledger.append(tmp_path, [undo(refused), pay()])
    with pytest.raises(InputError, match="was paid by entry"):
        ledger.append(tmp_path, [decide("refuse")])


def test_an_entry_that_fails_leaves_all_others_of_its_batch_unwritten(tmp_path):
    ledger.append(tmp_path, [decide("refuse", "b")])
    with pytest.raises(InputError):
        ledger.append(tmp_path, [pay("a"), pay("b"), pay("c")])
    assert len(ledger.read(tmp_path)) == 1


@pytest.mark.parametrize("undoes", ["nonsense", "000002-x"])
def test_what_is_not_there_cannot_be_undone(tmp_path, undoes):
    ledger.append(tmp_path, [pay()])
    with pytest.raises(InputError, match="is not in the ledger"):
        ledger.append(tmp_path, [en.entry("undo", "", "ben", T, undoes=undoes)])


def test_an_undo_is_not_undone(tmp_path):
    (paid,) = ledger.append(tmp_path, [pay()])
    (back,) = ledger.append(tmp_path, [undo(paid)])
    with pytest.raises(InputError, match="an undo itself"):
        ledger.append(tmp_path, [undo(back)])


def test_a_changed_a_removed_and_an_added_line_are_noticed(tmp_path):
    ledger.append(tmp_path, [pay(str(n)) for n in range(4)])
    path = tmp_path / ledger.NAME
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for changed in (
        whole.replace(b'"amount_cents": 400', b'"amount_cents": 900', 1),
        b"".join(lines[:1] + lines[2:]),
        b"".join(lines[1:2] + lines),
        b"\n" + whole,
        b"[]\n" + whole,
    ):
        path.write_bytes(changed)
        with pytest.raises(InputError, match="not as it was written"):
            ledger.read(tmp_path)
    path.write_bytes(whole)
    assert len(ledger.read(tmp_path)) == 4


def test_a_line_without_its_end_counts_for_nothing_and_goes_with_the_next_entry(tmp_path):
    ledger.append(tmp_path, [pay("a"), pay("b")])
    path = tmp_path / ledger.NAME
    whole = path.read_bytes()
    for cut in range(1, 60, 7):
        path.write_bytes(whole[:-cut])
        assert list(ledger.read(tmp_path)["reward_id"]) == ["a"]
        assert ledger.unfinished(tmp_path) > 0
        ledger.append(tmp_path, [pay("b")])
        assert path.read_bytes() == whole
        assert ledger.unfinished(tmp_path) == 0


KILLED = """
from pathlib import Path
import os
import pandas as pd
from tierwise.rewards import entries, ledger
writing = os.write
def work(folder, moment):
    def half(handle, content):
        content = bytes(content)
        done = writing(handle, content[: len(content) // 2])
        moment()
        return done + writing(handle, content[len(content) // 2 :])
    os.write, syncing = half, os.fsync
    os.fsync = lambda handle: (moment(), syncing(handle), moment())
    made = [entries.entry("pay", str(n), "anna", pd.Timestamp("2026-03-01"), amount_cents=n,
                          person_id=n, friend_id=n, side="sender") for n in range(5)]
    for one in (made[:2], made[1:4], made):
        ledger.append(folder, one)
        moment()
    os.write, os.fsync = writing, syncing
"""


@needs_fork
def test_a_kill_at_any_moment_leaves_whole_lines_and_a_repeat_pays_each_once(tmp_path):
    (tmp_path / "start").mkdir()
    moments, folders = killed(KILLED, tmp_path)
    assert moments > 10
    made = [pay(str(n), n) for n in range(5)]
    halves = 0
    for folder in folders:
        found = ledger.read(folder)
        assert list(found["reward_id"]) == [str(n) for n in range(len(found))]
        halves += ledger.unfinished(folder) > 0
        ledger.append(folder, made)
        found = ledger.read(folder)
        assert found["amount_cents"].sum() == 10
        assert found["reward_id"].is_unique
    assert halves > 0


def add_many(folder):
    for n in range(20):
        ledger.append(folder, [pay(str(n), 100 + n)])


@needs_fork
def test_two_processes_at_once_pay_everybody_once(tmp_path):
    context = multiprocessing.get_context(
        "spawn" if not hasattr(__import__("os"), "fork") else "fork"
    )
    both = [context.Process(target=add_many, args=(tmp_path,)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    found = ledger.read(tmp_path)
    assert sorted(found["reward_id"], key=int) == [str(n) for n in range(20)]
    assert found["amount_cents"].sum() == sum(100 + n for n in range(20))


# States


def flags(**state_of):
    people = [int(name.removeprefix("f")) for name in state_of]
    return pd.DataFrame({"person_id": people, "group_id": 7, "state": list(state_of.values())})


BOUGHT = [(101, 20, 20), (102, 21, 21), (103, 22, 22)]


def test_a_flag_holds_both_rewards_of_the_friend_until_it_was_reviewed():
    rows = due(BOUGHT)
    nothing = ledger.as_table([])
    for state, told in (
        ("to be reviewed", "held"),
        ("confirmed", "refused"),
        ("cleared", "payable"),
    ):
        found = ledger.states(rows, nothing, flags(f101=state)).set_index("friend_id")
        assert set(found.loc[101, "state"]) == {told}
        assert set(found.loc[102, "state"]) == {"payable"}
        assert found.loc[101, "is_flagged"].all() == (state == "to be reviewed")
    assert set(ledger.states(rows, nothing)["state"]) == {"payable", "capped"}


def test_an_approval_outweighs_a_flag_and_a_refusal_everything_due(tmp_path):
    rows = due(BOUGHT)
    one = rows.loc[rows["friend_id"] == 101, "reward_id"].iloc[0]
    other = rows.loc[rows["friend_id"] == 102, "reward_id"].iloc[0]
    ledger.append(tmp_path, [decide("approve", one), decide("refuse", other)])
    found = ledger.states(rows, ledger.read(tmp_path), flags(f101="to be reviewed"))
    state = found.set_index("reward_id")["state"]
    assert state[one] == "payable"
    assert state[other] == "refused"
    assert found.set_index("reward_id")["by"][other] == "ben"


def test_what_was_paid_stays_paid_though_it_is_no_longer_due_or_worth_another_amount(tmp_path):
    rows = due(BOUGHT)
    mine = rows[rows["friend_id"] == 101]
    ledger.append(tmp_path, [
        pay(row.reward_id, round(row.amount_eur * 100), person_id=row.person_id, side=row.side)
        for row in mine.itertuples()
    ])  # fmt: skip
    entries = ledger.read(tmp_path)
    gone = ledger.states(rows[rows["friend_id"] != 101], entries, flags(f101="confirmed"))
    assert list(gone.tail(2)["state"]) == ["paid", "paid"]
    assert gone.tail(2)["amount_eur"].sum() == pytest.approx(5.5)
    dearer = ledger.states(due(BOUGHT, terms=TERMS | {"sender_eur": 9.0}), entries)
    assert dearer.loc[dearer["state"] == "paid", "amount_eur"].sum() == pytest.approx(5.5)


def test_sums_agree_with_the_ledger_to_the_cent(tmp_path):
    count = 300
    rows = credits(count)
    terms = TERMS | {"sender_eur": 0.07, "friend_eur": 0.29, "most_a_year_count": None}
    found = due([(person, 20, 20) for person in rows["person_id"]], credited=rows, terms=terms)
    made = [
        pay(row.reward_id, round(row.amount_eur * 100), person_id=row.person_id, side=row.side)
        for row in found.itertuples()
    ]
    paid = ledger.append(tmp_path, made)
    ledger.append(tmp_path, [undo(one) for one in paid[:50]])
    entries = ledger.read(tmp_path)
    table = ledger.sums(ledger.states(found, entries)).set_index("state")
    assert list(table.index) == list(ledger.STATES)
    assert round(table["amount_eur"].sum() * 100) == entries["amount_cents"].sum()
    assert table.loc["undone", "reward_count"] == 50
    assert table["reward_count"].sum() == len(found)


def test_an_entry_needs_somebody_and_one_line():
    for wrong in ({"by": " "}, {"by": "x" * 501}, {"why": "two\nlines"}, {"action": "steal"}):
        with pytest.raises(InputError):
            en.entry(**{"action": "approve", "reward_id": "a", "by": "b", "at": T} | wrong)


def test_a_ledger_is_plain_lines_of_json(tmp_path):
    ledger.append(tmp_path, [en.entry("approve", "a", "Ünal", T, "“ok”")])
    (line,) = (tmp_path / ledger.NAME).read_text(encoding="ascii").splitlines()
    assert json.loads(line)["by"] == "Ünal"
    assert ledger.read(tmp_path)["why"].iloc[0] == "“ok”"
