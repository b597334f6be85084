"""Who could sign, what was known of them, and who did, by hand and on a simulated world."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

import brief_world as bw
from crm import at, frame
from small_accounts import ROWS, small_accounts
from tierwise import accounts
from tierwise.applications import decision_makers as asked
from tierwise.files import InputError
from tierwise.tables import KEYS

QUESTION = {
    "entity": "person at an account",
    "horizon_days": 91.0,
    "use_days": [30.0, 90.0],
    "half_life_days": 60.0,
    "functions": ["human resources", "recruiting"],
}
LATE = pd.Timestamp("2026-01-20")
LOOKS = [pd.Timestamp(day) for day in ("2024-08-01", "2024-11-01")]
IDS = ["decision", "account_id", "person_id", "as_of", "signed", "outcome_known_at"]


def of_small(as_of=LATE, **tables):
    """Features by person."""
    rows = asked.rows(small_accounts() | tables, QUESTION, pd.Timestamp(as_of))
    return rows.set_index("person_id")


@cache
def drawn():
    """Without copies, as a snapshot holds it."""
    found = bw.world()
    return {name: rows.drop_duplicates(KEYS[name]) for name, rows in found.items()}


@cache
def decided():
    return asked.decisions(drawn(), QUESTION, LOOKS)


def test_everybody_at_customers_could_sign_but_who_opted_out():
    found = of_small()
    assert found["account_id"].to_dict() == {11: 1, 12: 2}  # 21 opted out on the 6th
    before = of_small("2026-01-06")
    assert before["account_id"].to_dict() == {11: 1, 12: 1, 21: 2}


def test_level_function_and_seat_are_those_of_the_morning():
    found = of_small("2026-01-06")
    wanted = {
        "level_number": [2, 3, 0],
        "is_manager": [1, 0, 0],
        "is_director": [0, 1, 0],
        "is_chief": [0, 0, 0],
        "in_human_resources": [1, 1, 0],
        "in_recruiting": [0, 0, 1],
        "seat_rank": [0.5, 0.5, 0.5],  # both began at once, the third is alone
    }
    assert {name: found[name].tolist() for name in wanted} == wanted


def test_a_longer_time_in_the_seat_ranks_higher_within_the_account():
    new = ("p14", 14, 1, at(3), None, at(3), "Clerk", "finance", "staff", "AT", None)
    found = of_small("2026-01-06", positions=frame("positions", [*ROWS["positions"], new]))
    ranks = found.loc[[11, 12, 14], "seat_rank"].tolist()
    assert ranks == pytest.approx([4 / 6, 4 / 6, 1 / 6])


def test_a_person_of_unknown_level_and_function_stands_lowest_and_nowhere():
    unknown = ("p14", 14, 1, at(3), None, at(3), None, None, None, None, None)
    found = of_small(positions=frame("positions", [*ROWS["positions"], unknown]))
    told = found.loc[14, ["level_number", "in_human_resources", "in_recruiting", "is_lead"]]
    assert told.tolist() == [0, 0, 0, 0]


def test_use_is_of_the_person_and_of_its_window():
    found = of_small("2026-01-06")
    assert found["used_30d"].tolist() == [1, 0, 1]
    assert found["is_admin"].tolist() == [1, 0, 0]
    assert found["use_days_rank"].tolist() == [0.75, 0.25, 0.5]
    later = of_small("2026-02-20")
    assert later["used_30d"].tolist() == [0, 0]
    assert later["used_90d"].tolist() == [1, 0]


def test_who_is_written_to_by_colleagues_ranks_above_who_is_not():
    found = of_small("2026-01-06")  # by then 11 had asked 12 to a meeting
    assert found["senders_count_rank"].tolist() == [0.25, 0.75, 0.5]
    assert found["receivers_count_rank"].tolist() == [0.75, 0.25, 0.5]
    before = of_small("2026-01-04")
    assert before[[f"{name}_rank" for name in asked.PLACES]].eq(0.5).all(axis=None)


def test_contact_with_us_ranks_and_fades():
    found = of_small("2026-01-06")
    assert found["known_to_us"].tolist() == [1, 1, 0]
    assert found["our_contact_rank"].tolist() == [0.75, 0.25, 0.5]  # two mails and one message
    year = of_small("2027-01-06")
    assert year["known_to_us"].tolist() == [0, 0]  # six half-lives later


def test_signing_is_counted_among_the_account_s_signed_orders():
    orders = [
        *ROWS["spend"],
        ("s3", 1, 12, at(6), at(6), 10.0),
        ("s4", 1, 11, at(6), at(7), 10.0),
    ]
    spend = frame("spend", orders)
    found = of_small("2026-01-07", spend=spend)
    assert found["signed_share"].tolist() == [0.5, 0.5]  # s1 and s3
    assert found["signed_last"].sum() == 1
    later = of_small("2026-01-08", spend=spend)
    assert later["signed_share"].loc[[11, 12]].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert later["signed_last"].tolist()[:2] == [1, 0]
    assert later["nobody_signed_yet"].tolist() == [0, 0]
    assert of_small("2026-01-06")["nobody_signed_yet"].tolist() == [1, 1, 1]


def test_the_first_signed_order_from_the_morning_on_decides():
    orders = [
        ("s1", 1, 11, at(5), at(6), 1.0),
        ("s2", 1, None, at(6), at(6), 1.0),
        ("s3", 1, 12, at(7), at(8), 1.0),
        ("s4", 2, 12, at(9), at(9), 1.0),
    ]
    found = {"spend": frame("spend", orders)}
    told = asked.signers(found, pd.Timestamp(at(5)), 4.0)  # until just before the 9th
    assert told["person_id"].to_dict() == {1: 11}
    assert told["known_at"].to_dict() == {1: pd.Timestamp(at(6))}
    told = asked.signers(found, pd.Timestamp(at(5, "09:01")), 5.0)
    assert told["person_id"].to_dict() == {1: 12, 2: 12}


def test_a_decision_has_all_who_could_sign_and_who_did():
    looks = [pd.Timestamp("2026-01-03"), pd.Timestamp("2026-01-20")]  # nobody signed after that
    found = asked.decisions(small_accounts(), QUESTION, looks)
    told = found[IDS].values.tolist()
    known = pd.Timestamp(at(6))
    assert told == [
        ["1 at 2026-01-03", 1, person, looks[0], signed, known]
        for person, signed in ((11, 1), (12, 0))
    ]


def test_an_order_of_somebody_who_is_not_ranked_has_nobody_to_find():
    gone = frame("opt_outs", [(11, at(2), at(2))])
    found = asked.decisions(small_accounts() | {"opt_outs": gone}, QUESTION, [pd.Timestamp(at(3))])
    assert found["person_id"].tolist() == [12]
    assert found["signed"].tolist() == [0]


@pytest.mark.parametrize("column", ["signer_id", "occurred_at"])
def test_without_a_signed_order_after_a_look_the_way_out_is_told(column):
    found = small_accounts()
    found["spend"][column] = None if column == "signer_id" else pd.Timestamp("2025-01-01")
    found["spend"] = frame("spend", found["spend"].values.tolist())
    with pytest.raises(InputError, match="None of 2 orders.*1 looks.*signer_id.*looks_count"):
        asked.decisions(found, QUESTION, [pd.Timestamp(at(3))])


@pytest.mark.parametrize("as_of", ["2024-06-10", "2025-02-01"])
def test_what_became_known_later_changes_no_row(as_of):
    as_of = pd.Timestamp(as_of)
    rows = asked.rows(drawn(), QUESTION, as_of)
    assert len(rows) > 100
    pd.testing.assert_frame_equal(rows, asked.rows(accounts.known(drawn(), as_of), QUESTION, as_of))
    earlier = accounts.known(drawn(), as_of - pd.Timedelta(days=7))
    assert not rows.equals(asked.rows(earlier, QUESTION, as_of))  # so it could have failed


def test_shuffled_rows_change_nothing():
    shuffled = {name: rows.sample(frac=1, random_state=4) for name, rows in drawn().items()}
    pd.testing.assert_frame_equal(decided(), asked.decisions(shuffled, QUESTION, LOOKS))


def test_nobody_who_opted_out_before_the_look_is_in_a_row():
    out, table = drawn()["opt_outs"], decided()
    rows = table.merge(out[["person_id", "known_at"]], on="person_id")
    assert len(rows)  # some opted out later
    assert (rows["known_at"] >= rows["as_of"]).all()
    for look in LOOKS:
        gone = out.loc[out["known_at"] < look, "person_id"]
        staff = accounts.people(accounts.known(drawn(), look))
        assert staff["person_id"].isin(gone).any()  # there were some to leave out


def test_nobody_of_ours_is_in_a_row():
    ours = accounts.our_account(drawn())
    assert ours not in set(decided()["account_id"])
    assert ours not in set(asked.rows(drawn(), QUESTION, LOOKS[0])["account_id"])


def test_a_decision_has_one_signer_at_most_and_the_signer_of_its_order():
    table, orders = decided(), drawn()["spend"].dropna(subset=["signer_id"])
    signed = table.groupby("decision")["signed"].sum()
    assert set(signed) <= {0, 1}
    assert signed.sum() > 5
    assert not table.duplicated(["decision", "person_id"]).any()
    for look, account, person, known in zip(
        *(table.loc[table["signed"] == 1, name] for name in IDS[3:4] + IDS[1:3] + IDS[5:]),
        strict=True,
    ):
        mine = orders[(orders["account_id"] == account) & (orders["occurred_at"] >= look)]
        first = mine.sort_values("occurred_at").iloc[0]
        assert (first["signer_id"], first["known_at"]) == (person, known)
        assert first["occurred_at"] < look + pd.Timedelta(days=91)


def test_features_are_finite_and_within_one_but_the_level():
    table = asked.rows(drawn(), QUESTION, LOOKS[1]).drop(columns=["account_id", "person_id"])
    assert np.isfinite(table.to_numpy("float64")).all()
    assert table["level_number"].between(0, 5).all()
    assert table["level_number"].max() > 1
    rest = table.drop(columns="level_number")
    assert rest.stack().between(0, 1).all()


def test_a_model_sees_neither_ids_nor_outcomes_nor_what_all_of_an_account_share():
    names = asked.features_of(decided())
    assert not {*IDS, "nobody_signed_yet", "level_number"} & set(names)
    assert {"signed_share", "seat_rank", "in_recruiting", "used_30d"} <= set(names)
    assert set(asked.RULES.values()) <= set(decided().columns)


@pytest.mark.parametrize(
    "changed", [{"use_days": []}, {"half_life_days": 0.0}, {"horizon_days": "91"}, {"levels": []}]
)
def test_a_question_that_cannot_be_asked_is_refused(changed):
    with pytest.raises(InputError, match=f"{next(iter(changed))}.*decision_makers.py"):
        asked.checked(QUESTION | changed)


@pytest.mark.parametrize("name", ["interactions", "product_use", "opt_outs", "owners"])
def test_an_empty_table_says_nothing_and_stops_nobody(name):
    found = of_small("2026-01-06", **{name: frame(name, [])})
    assert found.index.tolist() == [11, 12, 21]
    assert np.isfinite(found.to_numpy("float64")).all()
    silent = {"interactions": ["known_to_us"], "product_use": ["used_90d", "is_admin"]}
    for column in silent.get(name, []):
        assert found[column].sum() == 0


def test_without_positions_nobody_could_sign():
    assert of_small(positions=frame("positions", [])).empty
