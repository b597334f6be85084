"""What was known of an account on a morning, counted by hand; and plain files of orders."""

import numpy as np
import pandas as pd
import pytest

import brief_world as bw
from crm import at, frame, small_world, write_parquet
from small_accounts import ROWS, small_accounts
from tierwise import accounts, snapshot
from tierwise.applications import account_spend as asked
from tierwise.files import InputError
from tierwise.tables import ACCOUNTS

QUESTION = {
    "entity": "account",
    "horizon_days": 365.0,
    "lookback_days": [15.0, 30.0],
    "half_life_days": 30.0,
    "functions": ["human resources", "recruiting"],
    "levels": ["manager", "director"],
}
LATE = pd.Timestamp("2026-01-20")
ORDERS_FILE = {
    "entity": "customer",
    "horizon_days": 365.0,
    "columns": {"account_id": "id", "occurred_at": "date", "amount_eur": "amount"},
    "text_format": {"encoding": "utf-8", "separator": ",", "decimal": "."},
    "missing_values": [],
}
CSV = "id,date,amount\n007,2026-01-05,10.5\n=1+1,2026-01-05,3\n007,2026-01-05,4.5\n007,2026-02-01,-2\n"


def of_small(as_of=LATE, **tables):
    return asked.columns(small_accounts() | tables, QUESTION, pd.Timestamp(as_of))


def test_who_works_there_and_who_came_and_left():
    """The director of account 1 left on the 7th and began at account 2 on the 9th."""
    found = of_small()
    assert found.index.tolist() == [1, 2]  # our own company is no customer
    wanted = {
        "staff_count": [1, 2],
        "human_resources_count": [1, 1],
        "recruiting_count": [0, 1],
        "hires_count_15d": [0, 1],
        "hires_count_30d": [2, 2],
        "leavers_count_15d": [1, 0],
        "leavers_count_30d": [1, 0],
        "human_resources_hires_count_15d": [0, 1],
        "director_hires_count_15d": [0, 1],
        "director_hires_count_30d": [1, 1],
        "manager_hires_count_30d": [1, 0],
        "recruiting_hires_count_30d": [0, 1],
        "abroad_count_30d": [0, 0],  # where the head office of 2 is nobody knows
    }
    assert {name: found[name].tolist() for name in wanted} == wanted


def test_turnover_is_who_left_among_those_who_were_there():
    found = of_small()
    assert found["human_resources_turnover_share_30d"].tolist() == [0.5, 0.0]
    recruiting = found["recruiting_turnover_share_30d"]
    assert np.isnan(recruiting[1])  # nobody recruits there
    assert recruiting[2] == 0


def test_an_end_counts_from_when_we_learned_of_it():
    found = of_small("2026-01-08")
    assert found["staff_count"].tolist() == [2, 1]
    assert found["leavers_count_15d"].tolist() == [0, 0]
    assert of_small("2026-01-08 09:00:01")["staff_count"].tolist() == [1, 1]


def test_a_change_of_seat_is_no_hire_and_nobody_who_left():
    told = "Recruiter", "recruiting", "manager", None, None
    rows = [
        *ROWS["positions"],
        ("p21", 21, 2, at(1), at(12), at(12), *told),
        ("p23", 21, 2, at(12), None, at(12), *told),
    ]
    found, before = of_small(positions=frame("positions", rows)), of_small()
    for name in ("staff_count", "hires_count_15d", "leavers_count_15d"):
        assert found.loc[2, name] == before.loc[2, name]


def test_use_is_counted_per_day_and_fades():
    found = of_small()
    assert found["use_per_day_30d"].tolist() == pytest.approx([12 / 30, 1 / 30])
    assert found["use_per_day_15d"].tolist() == [0, 0]  # it was on the 4th
    assert found["use_days_share_30d"].tolist() == pytest.approx([1 / 30, 1 / 30])
    days = 15 + 15 / 24
    assert found["use_recency_days"].tolist() == pytest.approx([days, days])
    faded = 0.5 ** (days / 30)
    assert found["use_faded_30d"].tolist() == pytest.approx([12 * faded, faded])
    before = of_small("2026-01-05")  # one use of the 4th was told on the 5th
    assert before["use_per_day_30d"].tolist() == pytest.approx([0, 1 / 30])


def test_growth_compares_with_what_was_known_a_year_ago():
    found = of_small("2027-01-05")
    assert found["employees_count"].fillna(-1).tolist() == [80, -1]
    assert found["growth_share"].fillna(-9).tolist() == [1.0, -9]  # 40 a year before
    assert of_small()["growth_share"].isna().all()  # nothing was known then


def test_growth_from_nobody_is_not_known_and_never_infinite():
    rows = small_accounts()["accounts"]
    rows.loc[0, "employees_count"] = 0.0
    assert of_small("2027-01-05", accounts=rows)["growth_share"].isna().all()


def test_before_anything_was_known_there_is_no_account():
    assert of_small("2025-12-31").empty


@pytest.mark.parametrize("as_of", ["2024-06-10", "2025-02-01"])
def test_what_became_known_later_changes_nothing(as_of):
    as_of, found = pd.Timestamp(as_of), bw.drawn()
    known = accounts.known(found, as_of)
    assert sum(map(len, known.values())) < 0.9 * sum(map(len, found.values()))
    columns = asked.columns(found, QUESTION, as_of)
    assert columns["hires_count_30d"].sum() > 0
    pd.testing.assert_frame_equal(columns, asked.columns(known, QUESTION, as_of))


def test_what_became_known_before_does_change_something():
    """So that the test above could fail."""
    found, as_of = bw.drawn(), pd.Timestamp("2025-02-01")
    earlier = accounts.known(found, as_of - pd.Timedelta(days=7))
    columns = (asked.columns(rows, QUESTION, as_of) for rows in (found, earlier))
    one, other = (rows.select_dtypes("number").fillna(-1) for rows in columns)
    assert not one.equals(other)


def test_shuffled_rows_change_no_column():
    found, as_of = bw.world(), pd.Timestamp("2025-02-01")
    shuffled = {name: rows.sample(frac=1, random_state=3) for name, rows in found.items()}
    columns = asked.columns(found, QUESTION, as_of)
    pd.testing.assert_frame_equal(columns, asked.columns(shuffled, QUESTION, as_of))


def test_counts_are_never_below_zero_and_shares_within_one():
    found = asked.columns(bw.drawn(), QUESTION, pd.Timestamp("2025-02-01"))
    counts = found[[name for name in found if "_count" in name]]
    assert (counts.fillna(0) >= 0).all(axis=None)
    shares = found[[name for name in found if "turnover_share" in name or "days_share" in name]]
    assert shares.stack().between(0, 1).all()
    assert (found["staff_count"] > 0).all()


def test_the_tables_of_accounts_are_read_with_the_last_names(tmp_path):
    source = write_parquet(small_accounts(), tmp_path / "source")
    snapshot.fetch(source, tmp_path / "made", names=ACCOUNTS, now=LATE)
    given = asked.read(tmp_path / "made", QUESTION)
    assert given.until == pd.Timestamp(at(10))
    assert given.names[[1, 2]].tolist() == ["Alder & Sons", "=Birch()"]
    assert given.orders[["account_id", "amount_eur"]].values.tolist() == [[1, 1200.5], [1, 0.0]]
    assert given.orders["known_at"].dt.day.tolist() == [6, 9]
    pd.testing.assert_frame_equal(given.columns_at(LATE), of_small())


def test_a_snapshot_of_other_tables_is_refused(tmp_path):
    snapshot.fetch(write_parquet(small_world(), tmp_path / "source"), tmp_path / "made", now=LATE)
    with pytest.raises(InputError, match="not the tables of accounts.*set: accounts"):
        asked.read(tmp_path / "made", QUESTION)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"lookback_days": [-1.0]}, "lookback_days"),
        ({"horizon_days": float("inf")}, "horizon_days"),
        ({"horizont": 3.0}, "horizont"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(changed, told):
    with pytest.raises(InputError, match=f"{told}.*account_spend.py"):
        asked.checked(QUESTION | changed)


def of_text(tmp_path, text, **changed):
    path = tmp_path / "orders.csv"
    path.write_text(text, encoding="utf-8")
    return asked.read(path, ORDERS_FILE | changed)


def test_orders_of_a_file_are_added_up_by_day_and_ids_stay_text(tmp_path):
    given = of_text(tmp_path, CSV)
    rows = given.orders[["account_id", "amount_eur", "is_order"]].values.tolist()
    assert rows == [["007", 15.0, True], ["=1+1", 3.0, True], ["007", -2.0, False]]
    assert given.orders["day"].astype("str").tolist() == ["2026-01-05", "2026-01-05", "2026-02-01"]
    assert given.until == pd.Timestamp("2026-02-02")  # all of the last day is known
    assert given.columns_at is None
    assert given.names.to_dict() == {"007": "007", "=1+1": "=1+1"}


def test_a_file_as_an_office_writes_it_is_read_alike(tmp_path):
    text = "id;date;amount\n007;05.01.2026;10,5\n=1+1;05.01.2026;3\n007;05.01.2026;4,5\n"
    text += "007;01.02.2026;-2\n"
    office = {"encoding": "utf-8", "separator": ";", "decimal": ","}
    given = of_text(tmp_path, text, text_format=office, day_first=True)
    pd.testing.assert_frame_equal(given.orders, of_text(tmp_path, CSV).orders)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("id,date,amount", "id,day,amount", "no column 'date'; it has id, day, amount"),
        ("2026-01-05,10.5", "soon,10.5", "'date'.*no times.*soon"),
        ("2026-01-05,10.5", ",10.5", "occurred_at must not be missing"),
        ("2026-01-05,3", "2026-01-05,much", "'amount' must hold numbers.*1 of its values.*much"),
        ("2026-01-05,3", "2026-01-05,", "amount_eur must not be missing"),
        ("=1+1,", ",", "account_id must not be missing"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_one_message(tmp_path, old, new, told):
    assert old in CSV
    with pytest.raises(InputError, match=told):
        of_text(tmp_path, CSV.replace(old, new))


def test_running_numbers_are_no_dates_of_orders(tmp_path):
    with pytest.raises(InputError, match="occurred_at must hold dates"):
        of_text(tmp_path, "id,date,amount\n1,17,3\n2,18,4\n")


def test_an_unknown_word_of_the_text_format_is_refused(tmp_path):
    with pytest.raises(InputError, match="delimiter"):
        of_text(tmp_path, CSV, text_format={"delimiter": ","})


@pytest.mark.parametrize("name", ["positions", "interactions", "product_use", "opt_outs", "owners"])
def test_an_empty_table_says_nothing_and_stops_nobody(name):
    found = of_small(**{name: frame(name, [])})
    assert found.index.tolist() == [1, 2]
    silent = {"positions": ["staff_count"], "product_use": ["use_per_day_30d", "use_faded_30d"]}
    for column in silent.get(name, []):
        assert found[column].fillna(0).tolist() == [0, 0]
