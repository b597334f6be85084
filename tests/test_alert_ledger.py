"""What was told already: each change once, to the right person, and nobody who opted out."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from changing_accounts import changing_accounts, on
from crm import frame
from tierwise.alerts import episodes as alerts
from tierwise.alerts import ledger as alert_ledger
from tierwise.alerts.episodes import Asked
from tierwise.files import InputError

END = on(400)


@pytest.fixture(scope="module")
def tables():
    return changing_accounts()


@pytest.fixture(scope="module")
def found(tables):
    return alerts.episodes(tables, END, Asked())


@pytest.fixture(scope="module")
def told(tables, found):
    return alert_ledger.addressed(found, tables, END, Asked())


def episode(day, kind="usage_fell", account_id=1, person_id=None, known=3) -> dict:
    at = {"occurred_at": on(day), "known_at": on(day + known)}
    named = {"kind": kind, "account_id": account_id, "person_id": person_id}
    return {**named, "other_account_id": None, **at, "evidence": ["spend:s1"], "words": "Told."}


def episodes_of(*rows: dict) -> pd.DataFrame:
    return alerts.in_order(alerts.typed(pd.DataFrame(list(rows), columns=list(alerts.COLUMNS))))


def with_ids(episodes: pd.DataFrame, ledger: pd.DataFrame) -> pd.DataFrame:
    new = episodes.assign(alert_id=[str(len(ledger) + n) for n in range(len(episodes))])
    return alert_ledger.typed(new.assign(told_at=END, recipient_id=pd.NA, chosen="owner"))


# Once


def days_told(episodes, ledger, cooldown_days=90):
    new = alert_ledger.new(episodes, ledger, cooldown_days)
    return [(at - on(0)).days for at in new["occurred_at"]]


def test_within_the_cooldown_there_is_one_alert_before_or_after():
    ledger = with_ids(episodes_of(episode(100)), alert_ledger.empty())
    episodes = episodes_of(*map(episode, (10, 11, 99, 100, 101, 189, 190)))
    assert days_told(episodes, ledger) == [10, 190]
    assert days_told(episodes, alert_ledger.empty()) == [10, 100, 190]


def test_the_cooldown_of_one_is_not_that_of_another_kind_account_or_person():
    ledger = with_ids(episodes_of(episode(100)), alert_ledger.empty())
    others = episodes_of(
        episode(101, "hiring_doubled"), episode(102, account_id=2), episode(103, person_id=7)
    )
    assert days_told(others, ledger) == [101, 102, 103]


def test_what_was_told_is_not_told_again(found, told):
    assert alert_ledger.new(found, told, 90).empty
    assert alert_ledger.new(found, told, 1).empty
    assert len(alert_ledger.new(found, alert_ledger.empty(), 90)) == len(found) == 4


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 300), st.integers(1, 2), st.sampled_from([None, 7])), max_size=15
    ),
    cuts=st.lists(st.integers(0, 310), max_size=4),
    order=st.randoms(use_true_random=False),
)
def test_told_in_any_number_of_runs_the_alerts_are_those_of_one_run(rows, cuts, order):
    made = [episode(day, account_id=one, person_id=person) for day, one, person in set(rows)]
    order.shuffle(made)
    episodes = alerts.typed(pd.DataFrame(made, columns=list(alerts.COLUMNS)))
    at_once = alert_ledger.new(alerts.in_order(episodes), alert_ledger.empty(), 90)
    ledger = alert_ledger.empty()
    for cut in [*sorted(cuts), 1_000]:
        known = episodes[episodes["known_at"] < on(cut)]
        new = with_ids(alert_ledger.new(known, ledger, 90), ledger)
        ledger = pd.concat([ledger, new], ignore_index=True)
    columns = [*alert_ledger.KEY, "occurred_at"]
    assert_frame_equal(
        alerts.in_order(ledger[list(alerts.COLUMNS)])[columns], alerts.in_order(at_once)[columns]
    )
    for _, times in ledger.groupby(alert_ledger.KEY, dropna=False)["occurred_at"]:
        assert (times.sort_values().diff().dropna() >= pd.Timedelta(days=90)).all()


# The right person


def chosen(tables, account_id, day=300, **settings):
    rows = alert_ledger.recipients(
        episodes_of(episode(day, account_id=account_id, known=0)), tables, Asked(**settings)
    )
    return rows[0]


def test_the_owner_is_told_else_whoever_has_most_contact_else_nobody(told):
    by_account = told.set_index("account_id")[["recipient_id", "chosen"]]
    assert by_account.loc[1].tolist() == [991, "owner"]
    assert by_account.loc[6].tolist() == [991, "owner"]  # of the new account
    assert by_account.loc[3].tolist() == [992, "strongest contact"]
    assert by_account["recipient_id"].notna().all()


def test_without_owner_and_contact_nobody_is_told(tables):
    assert chosen(tables, 4) == (None, "no recipient")


def test_the_owner_is_the_one_who_was_known_then(tables):
    later = frame("owners", [(1, 992, on(250), on(280))])
    more = {**tables, "owners": pd.concat([later, tables["owners"]])}
    assert chosen(more, 1, day=279)[0] == 991
    assert chosen(more, 1, day=280)[0] == 991
    assert chosen(more, 1, day=281)[0] == 992


def test_an_owner_who_left_us_is_told_nothing(tables):
    row = tables["positions"].query("position_id == 'ours991'")
    gone = row.assign(ended_at=on(250), known_at=on(251))
    more = {**tables, "positions": pd.concat([tables["positions"], gone])}
    assert chosen(more, 1, day=250) == (991, "owner")
    assert chosen(more, 1, day=260) == (None, "no recipient")


def contacts(*rows: tuple) -> pd.DataFrame:
    return frame("interactions", [(f"i{n}", *row, "mail") for n, row in enumerate(rows)])


@pytest.mark.parametrize(
    ("rows", "person"),
    [
        ([(991, 400, on(290), on(290))], 991),
        ([(400, 992, on(290), on(290))], 992),
        ([(400, 401, on(290), on(290))], None),  # among themselves
        ([(991, 992, on(290), on(290))], None),  # among us
        ([(991, 400, on(119), on(119))], None),  # too long ago
        ([(991, 400, on(121), on(121))], 991),
        ([(991, 400, on(290), on(301))], None),  # not known yet
        ([(992, 400, on(9), on(9)), (991, 400, on(290), on(290))], 991),
        ([(992, 400, on(2), on(290))] * 3 + [(991, 400, on(290), on(290))], 991),
        ([(991, 400, on(200), on(200)), (992, 400, on(201), on(201))], 991),  # of equals the first
        ([(991, 400, on(200), on(200))] + [(401, 992, on(201), on(201))] * 2, 992),
    ],
)
def test_the_strongest_contact_has_most_interactions_of_late(tables, rows, person):
    assert chosen({**tables, "interactions": contacts(*rows)}, 4)[0] == person


def test_a_copy_of_an_interaction_counts_once(tables):
    once = contacts((991, 400, on(200), on(200)), (992, 400, on(200), on(200)))
    other = once.head(1).assign(interaction_id="another")
    copies = pd.concat([once, once.tail(1), once.tail(1), other])
    assert chosen({**tables, "interactions": copies}, 4)[0] == 991


def test_alerts_have_the_same_id_whenever_they_are_told(tables, found, told):
    earlier = alert_ledger.addressed(found.iloc[1:], tables, on(300), Asked())
    assert earlier["alert_id"].tolist() == told["alert_id"].tolist()[1:]
    assert told["alert_id"].is_unique


# Opt-outs


def out(tables, *people):
    rows = frame("opt_outs", [(person, on(350), on(351)) for person in people])
    return {**tables, "opt_outs": rows}


def test_a_user_who_opted_out_and_moved_is_not_told(tables, told):
    shown = alert_ledger.shown(told, out(tables, 500), END)
    assert "user_moved" not in set(shown["kind"])
    assert len(shown) == 3


def test_that_a_senior_left_is_told_without_the_one_who_opted_out(tables, told):
    shown = alert_ledger.shown(told, out(tables, 3001), END).set_index("kind")
    row = shown.loc["senior_hr_left"]
    assert row["words"] == "Somebody senior of human resources left account 3."
    assert pd.isna(row["person_id"])
    assert row["evidence"] == []
    assert "3001" not in shown.drop(columns="alert_id").to_csv()


def test_records_of_people_who_opted_out_prove_nothing_in_public(tables, told):
    person = 100
    theirs = tables["product_use"].query(f"person_id == {person}")["use_id"]
    before, after = (
        set(alert_ledger.shown(told, rows, END).set_index("kind").loc["usage_fell", "evidence"])
        for rows in (tables, out(tables, person))
    )
    hidden = {f"product_use:{key}" for key in theirs}
    assert before & hidden
    assert after == before - hidden


def test_an_opt_out_that_is_not_known_yet_changes_nothing(tables, told):
    assert_frame_equal(alert_ledger.shown(told, out(tables, 500, 3001), on(351)), told)


# The files


def test_a_ledger_gives_back_what_was_appended_and_appends_it_once(tmp_path, told):
    first = alert_ledger.append(tmp_path, told.iloc[:2])
    assert alert_ledger.append(tmp_path, told.iloc[:2]) is None
    second = alert_ledger.append(tmp_path, told)
    assert None not in (first, second)
    assert [path.name[:6] for path in alert_ledger.paths(tmp_path)] == ["000001", "000002"]
    back = alert_ledger.read(tmp_path)
    assert [list(one) for one in back["evidence"]] == told["evidence"].tolist()
    assert_frame_equal(back.drop(columns="evidence"), told.drop(columns="evidence"))


def test_a_new_ledger_is_empty_and_no_alert_makes_no_file(tmp_path):
    assert alert_ledger.read(tmp_path / "none").empty
    assert alert_ledger.append(tmp_path, alert_ledger.empty()) is None
    assert alert_ledger.paths(tmp_path) == []


def test_a_ledger_that_was_changed_or_lost_a_file_is_refused(tmp_path, told):
    first = alert_ledger.append(tmp_path, told.iloc[:1])
    alert_ledger.append(tmp_path, told.iloc[1:])
    content = first.read_bytes()
    first.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=r"000001.* was changed"):
        alert_ledger.read(tmp_path)
    first.unlink()
    with pytest.raises(InputError, match="file 000001 of its alerts where 000002"):
        alert_ledger.read(tmp_path)


def test_what_a_killed_run_left_is_no_part_of_the_ledger(tmp_path, told):
    (tmp_path / ".new.partial").write_bytes(b"half")
    (tmp_path / "..new.partial.77.partial").write_bytes(b"half")
    alert_ledger.append(tmp_path, told)
    assert len(alert_ledger.read(tmp_path)) == len(told)
