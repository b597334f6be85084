"""A contract says what a column holds; a message says which rows break it; the codebook repeats both."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crm import small_world as crm_world
from small_accounts import small_accounts
from small_customers import small_customers
from small_providers import small_providers
from small_referrals import small_referrals
from tierwise import refusals, tables
from tierwise.files import InputError

README = Path(__file__).parents[1] / "data" / "README.md"
each = pytest.mark.parametrize("name", tables.CONTRACTS)


def small_world():
    first = crm_world() | small_accounts() | small_providers()
    return first | small_customers() | small_referrals()


def message(name, frame):
    with pytest.raises(InputError) as error:
        tables.check(name, frame)
    text = str(error.value)
    assert "\n" not in text
    return text


@each
def test_a_small_world_keeps_every_contract_with_or_without_rows(name):
    frame = small_world()[name]
    tables.check(name, frame)
    tables.check(name, frame[:0])


@each
def test_the_index_of_a_frame_does_not_matter(name):
    frame = small_world()[name]
    tables.check(name, frame.set_axis(["same"] * len(frame)))


@each
def test_every_column_that_may_not_be_missing_says_so_with_its_key(name):
    for column, one in tables.CONTRACTS[name].columns.items():
        frame = small_world()[name]
        values = frame[column].astype(object)
        values[len(values) - 1] = None
        kind = {"int64": "Int64", "bool": "boolean"}.get(refusals.dtype_of(one))
        frame[column] = values.astype(kind or refusals.dtype_of(one))
        if one.nullable:
            tables.check(name, frame)
        else:
            text = message(name, frame)
            assert f"Table {name}, column {column}: must not be missing. 1 row breaks" in text


@each
def test_a_column_that_is_not_there_is_told_with_those_that_are(name):
    frame = small_world()[name]
    for column in frame:
        text = message(name, frame.drop(columns=column))
        assert f"Table {name}, column {column}: must be there" in text


def test_the_message_counts_all_rows_and_shows_the_first_three():
    events = small_world()["events"]
    text = message("events", events.assign(amount=np.inf))
    assert text == (
        "Table events, column amount: must be a finite number. 7 rows break this rule, first: "
        "event_id 'e1' (amount inf); event_id 'e2' (amount inf); event_id 'e3' (amount inf). "
        "Correct it where the table comes from."
    )


def test_of_several_rules_the_first_by_column_is_told_and_the_others_are_counted():
    clicks = small_world()["ad_clicks"].assign(cost_eur=-1.0, click_id="")
    text = message("ad_clicks", clicks)
    assert "column click_id: must not be empty text. 2 rows" in text
    assert "And 1 more rule is broken." in text
    assert "And 2 more rules are broken." in message("ad_clicks", clicks.assign(x=[[1], [2]]))


def test_a_key_of_two_columns_is_shown_in_full():
    organizations = small_world()["organizations"].assign(employees_count=-5.0)
    text = message("organizations", organizations)
    assert "organization_id 1, known_at 2026-01-01 09:00:00 (employees_count -5.0)" in text


def test_nothing_is_known_before_it_occurred():
    for name in ("deals", "deal_changes", "activities", "job_posts", "events", "ad_clicks"):
        frame = small_world()[name]
        frame.loc[1, "known_at"] = frame.loc[1, "occurred_at"] - pd.Timedelta(microseconds=1)
        text = message(name, frame)
        assert f"Table {name}, column known_at: must not be before occurred_at. 1 row" in text


@pytest.mark.parametrize(
    ("field", "right", "wrong"),
    [
        ("stage", ["new", "1", "-"], []),
        ("value", ["12", "12.5", "-3", "1e3"], ["", "twelve", "1,5", "inf", "nan", "12 EUR"]),
        ("owner", ["7", "-7", "9" * 18], ["7.0", "Anna", "9" * 19, "", "1 2"]),
        ("merged_into", ["11"], ["11.5", "c5"]),
        ("status", ["won", "lost", "reopened", "deleted"], ["Won", "open", ""]),
    ],
)
def test_a_new_value_reads_as_its_field_asks(field, right, wrong):
    changes = small_world()["deal_changes"][:1].assign(field=field)
    for value in right:
        tables.check("deal_changes", changes.assign(new_value=value))
    for value in wrong:
        text = message("deal_changes", changes.assign(new_value=value))
        assert text.startswith("Table deal_changes, column new_value: must be ")
        assert "where field is " in text
        words = {"twelve": "a text of 6 characters", "12 EUR": "a text of 6 characters"}
        words |= {"Anna": "a text of 4 characters", "1 2": "a text of 3 characters"}
        words |= {"c5": "a text of 2 characters"}
        assert f"change_id 'c1' (new_value {words.get(value, repr(value))})" in text


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        [0.5, None],
        ["a", None],
        [None, None],
        [True, None],
        pd.array([1, None], "Int64"),
        pd.to_datetime(["2026-01-01", None]),
        pd.Categorical(["a", "b"]),
    ],
)
def test_a_custom_field_of_plain_values_is_welcome(values):
    tables.check("users", small_world()["users"].assign(extra=values))


@pytest.mark.parametrize("values", [[[1], [2]], [{"a": 1}, None], [b"x", b"y"], [1, "a"]])
def test_a_custom_field_of_anything_else_is_refused_by_name(values):
    text = message("users", small_world()["users"].assign(extra=values))
    assert "column extra: must hold numbers, text, yes or no, or times" in text
    assert "user_id 7" in text


@pytest.mark.parametrize(
    ("name", "column", "values", "words"),
    [
        ("users", "user_id", ["a", "b"], "whole number (int64), not str"),
        ("users", "user_id", [1.0, 2.0], "whole number (int64), not float64"),
        ("users", "team", [1.0, 2.0], "text (str), not float64"),
        ("users", "known_at", ["a", "b"], "time (datetime64[us]), not str"),
        ("ad_clicks", "cost_eur", ["a", "b"], "number (float64), not str"),
    ],
)
def test_a_column_of_the_wrong_type_is_one_message_with_both_types(name, column, values, words):
    text = message(name, small_world()[name].assign(**{column: values}))
    assert f"column {column}: must hold {words}. 2 rows break this rule" in text


def test_times_are_in_microseconds_and_without_a_zone():
    users = small_world()["users"]
    for known_at in (
        users["known_at"].astype("datetime64[ns]"),
        users["known_at"].dt.tz_localize("UTC"),
    ):
        assert "must hold time (datetime64[us])" in message(
            "users", users.assign(known_at=known_at)
        )


@pytest.mark.parametrize(
    ("value", "rule", "words"),
    [
        *((one, "must be a number", repr(one)) for one in ("99,9", "1.5", "", "-inf", "9" * 19)),
        *(
            (one, "must be a time", repr(one))
            for one in ("05.01.2026", "2026-02-30 25:00:00+01:00")
        ),
        *((one, "must be a number", str(one)) for one in (7, 0.5, True)),
        (None, "must not be missing", "missing"),
        ("sold", "must be one of won, lost", "'sold'"),
        ("Jane Doe", "must be one of won, lost", "a text of 8 characters"),
        ("Jane", "must be a number", "a text of 4 characters"),
        ("x", "must be a number", "a text of 1 character"),
        ("+49 170 1234567", "must be a number", "a text of 15 characters"),
        (["Jane"], "must hold numbers", "a list"),
        (b"Jane", "must hold numbers", "a bytes"),
    ],
)
def test_a_value_is_shown_only_where_it_can_name_nobody(value, rule, words):
    assert refusals.example({"id": "e1"}, "x", value, rule) == f"id 'e1' (x {words})"
    assert refusals.example({"x": value, "id": "e1"}, "x", value, rule) == f"x {words}, id 'e1'"


def test_failures_of_several_partitions_add_up():
    one = refusals.Failure("a", "must be b", 2, ["x 1", "x 2"])
    other = refusals.Failure("c", "must be d", 1, ["x 9"])
    more = refusals.Failure("a", "must be b", 5, ["x 3", "x 4"])
    assert refusals.added([one, other, more]) == [
        refusals.Failure("a", "must be b", 7, ["x 1", "x 2", "x 3"]),
        other,
    ]


def test_keys_and_references_name_columns_that_exist():
    assert set(tables.KEYS) == set(tables.CONTRACTS)
    for name, keys in tables.KEYS.items():
        assert set(keys) <= set(tables.CONTRACTS[name].columns)
    for name, (column, other) in tables.REFERENCES.items():
        assert column in tables.CONTRACTS[name].columns
        assert column in tables.CONTRACTS[other].columns
    assert set(tables.COPIES_ALLOWED) <= set(tables.CONTRACTS)


def test_the_codebook_is_the_one_in_the_readme():
    text = README.read_text(encoding="utf-8")
    kept = re.search(r"<!-- crm tables -->\n(.*)<!-- /crm tables -->", text, re.DOTALL)
    assert kept[1] == tables.codebook(), "paste tables.codebook() between the marks"


def test_the_codebook_has_one_line_for_each_column_and_a_unit_for_each_measure():
    text = tables.codebook()
    for name, contract in tables.CONTRACTS.items():
        part = text.split(f"### {name}\n")[1].split("\n### ")[0]
        lines = re.findall(r"^\| (\w+) \| (.+) \| (.+) \| (.+) \| (\w+) \|$", part, re.MULTILINE)
        assert [line[0] for line in lines] == list(contract.columns)
        for column, _, kind, unit, known in lines:
            assert known in contract.columns
            assert kind.split(";")[0] in refusals.TYPES.values()
            if column.endswith(("_count", "_eur", "_minutes")):
                assert unit != "-"


def test_checking_says_nothing_beside_its_result():
    code = "import crm; from tierwise import tables\nfor n, f in crm.small_world().items(): tables.check(n, f)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
