"""Any flat file: outcomes read as they are meant, rows excluded by name, nothing from later on."""

import numpy as np
import pandas as pd
import pytest

from tierwise import applications, dataset, examples, leakage
from tierwise.applications import table as question
from tierwise.files import InputError
from tierwise.formats import TableError

TABLE = {
    "entity": "deal",
    "id_column": "deal_id",
    "outcome_column": "result",
    "won_values": ["won"],
    "lost_values": ["lost"],
    "time": {"column": "engaged"},
    "outcome_known": {"column": "closed"},
}


def deals(count=40):
    """Deals in no order of time, some open, closed up to nine days after they were engaged."""
    number = np.arange(count)
    engaged = pd.Timestamp("2026-03-01") + pd.to_timedelta(number * 7 % count, unit="D")
    closed = pd.Series(engaged + pd.to_timedelta(number % 10, unit="D"))
    result = np.where(number % 5 == 4, "open", np.where(number % 2 == 0, "won", "lost"))
    return pd.DataFrame(
        {
            "deal_id": [f"D{value:03}" for value in number],
            "engaged": engaged,
            "closed": closed.where(result != "open"),
            "result": result,
            "seats": number % 7 + 1,
            "region": np.where(number % 3 == 0, None, np.where(number % 2 == 0, "north", "south")),
            "founded": pd.Timestamp("2020-01-01") + pd.to_timedelta(number, unit="D"),
        }
    )


def outcomes(values, won, lost=()):
    """Outcomes of a column `result` under the given rule."""
    rule = TABLE | {"won_values": list(won), "lost_values": list(lost), "outcome_known": {}}
    raw = pd.DataFrame({"result": values})
    return question.outcome(raw, rule, pd.Series(range(len(raw))))["outcome"].tolist()


# the list of kinds


def test_a_kind_is_found_by_its_name_and_an_unknown_one_is_answered_with_the_known():
    assert applications.of("table") is question
    with pytest.raises(InputError, match="'tabel' is unknown; params.yaml knows table"):
        applications.of("tabel")


# outcome


@pytest.mark.parametrize("values", [[1, 0], [1.0, 0.0], ["1", "0"], ["1.0", "0"], [" 1 ", "0 "]])
@pytest.mark.parametrize("won", [1, 1.0, "1", "1.0", " 1"])
def test_one_is_won_however_file_and_rule_write_it(values, won):
    assert outcomes(values, [won], [0]) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("values", "won", "lost"),
    [
        ([True, False], True, False),
        (["True", "False"], True, False),
        (["Yes ", "No"], "Yes", "No "),
        (["Closed Won", "Closed Lost"], "Closed Won", "Closed Lost"),
        ([-1, 2], 2, -1),
        ([0.5, 1.5], "0.5", "1.5"),
    ],
)
def test_values_agree_with_the_rule_that_names_them(values, won, lost):
    assert sorted(outcomes(values, [won], [lost])) == [0.0, 1.0]
    labels = question.as_labels(pd.Series(values))
    assert set(labels) == {question.as_label(won), question.as_label(lost)}


def test_a_whole_number_is_read_alike_beside_a_decimal_and_a_gap():
    assert outcomes([1.0, 0.0], ["1"], ["0"]) == [1.0, 0.0]
    np.testing.assert_array_equal(
        outcomes([1.0, 0.5, np.nan, 0.0], [1], [0]), [1, np.nan, np.nan, 0]
    )


def test_a_value_named_on_neither_side_is_open_and_not_lost():
    found = outcomes(["won", "lost", "in trial", None, "WON"], ["won"], ["lost"])
    np.testing.assert_array_equal(found, [1, 0, np.nan, np.nan, np.nan])


def test_several_values_may_count_as_won_and_as_lost():
    assert outcomes(["gold", "silver", "none", "void"], ["gold", "silver"], ["none", "void"]) == [
        *(1.0, 1.0, 0.0, 0.0)
    ]


def test_a_missing_outcome_column_is_answered_with_the_nearest_names():
    raw = deals()
    with pytest.raises(InputError, match="'reslt' is not in the file. Nearest: result") as error:
        question.outcome(raw, TABLE | {"outcome_column": "reslt"}, raw["engaged"])
    assert "deal_id" in str(error.value)


# times


def test_without_a_time_the_place_in_the_file_is_the_time():
    raw = deals(5)
    assert question.times(raw, TABLE | {"time": {}}).tolist() == [1, 2, 3, 4, 5]


def test_months_and_days_of_a_file_in_order_become_dates_across_the_new_year():
    raw = pd.DataFrame({"month": ["nov", "dec", "jan", "jan"], "day": [30, 1, 1, 15]})
    rule = {"time": {"month_column": "month", "day_column": "day", "first_year": 2008}}
    found = question.times(raw, rule)
    assert found.dt.strftime("%Y-%m-%d").tolist() == [
        *("2008-11-30", "2008-12-01", "2009-01-01", "2009-01-15")
    ]
    months = question.times(raw, {"time": {"month_column": "month", "first_year": 2008}})
    assert months.dt.day.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("values", "dated"),
    [
        (["2026-01-31", "2026-02-28"], True),
        (["31/01/2026", "28/02/2026"], True),
        (pd.to_datetime(["2026-01-31", "2026-02-28"]), True),
        ([20260131, 20260228], True),
        ([1017, 1018], False),
        (["jan", "feb"], False),
    ],
)
def test_a_time_column_may_hold_dates_or_a_running_number(values, dated):
    found = question.times(pd.DataFrame({"when": values}), {"time": {"column": "when"}})
    assert examples.is_dated(found) == dated
    assert found.is_monotonic_increasing
    if dated:
        assert found.dt.strftime("%m-%d").tolist() == ["01-31", "02-28"]


def test_the_order_of_day_and_month_is_taken_from_the_rule():
    raw = pd.DataFrame({"when": ["03/04/2026"]})
    for day_first, month in ((True, 4), (False, 3)):
        rule = {"time": {"column": "when", "day_first": day_first}}
        assert question.times(raw, rule).dt.month.tolist() == [month]
    with pytest.raises(TableError, match="day_first"):
        question.times(raw, {"time": {"column": "when"}})


def test_a_missing_time_or_id_column_is_named_with_its_role():
    raw = deals()
    with pytest.raises(InputError, match="The time column 'engagd' is not in the file"):
        question.build(raw, TABLE | {"time": {"column": "engagd"}})
    with pytest.raises(InputError, match="The id column 'id' is not in the file"):
        question.build(raw, TABLE | {"id_column": "id"})


# entities


@pytest.mark.parametrize("ids", [[7, 8, 9], [7.0, 8.0, 9.0], ["7", "8", "9"]])
def test_an_id_is_written_back_as_the_file_has_it(ids):
    raw = pd.DataFrame({"id": ids})
    assert question.entities(raw, {"id_column": "id", "time": {}})["entity_id"].tolist() == list(
        "789"
    )


def test_a_gap_among_whole_numbers_does_not_change_the_other_ids():
    raw = pd.DataFrame({"id": [1001, np.nan, 1003]})
    ids = question.entities(raw, {"id_column": "id", "time": {}})["entity_id"]
    assert ids.tolist()[::2] == ["1001", "1003"]


def test_without_an_id_column_rows_are_numbered_from_one():
    found = question.entities(deals(3), TABLE | {"id_column": None, "time": {}})
    assert found["entity_id"].tolist() == ["1", "2", "3"]


# build


def test_every_row_is_used_or_excluded_for_one_stated_reason():
    raw = deals()
    raw.loc[0, "engaged"] = pd.NaT
    raw.loc[1, "closed"] = pd.NaT
    raw.loc[40] = raw.loc[2]
    kept, columns, excluded = question.build(raw, TABLE)
    assert excluded == {
        "copy of an earlier row": 1,
        "no time": 1,
        "outcome known at no date": 1,
        "outcome still open": 8,
    }
    assert len(kept) + sum(excluded.values()) == len(raw)
    assert len(kept) == len(columns)


def test_rows_come_in_order_of_time_with_their_own_outcome_and_columns():
    raw = deals()
    kept, columns, _ = question.build(raw, TABLE)
    assert kept["as_of"].is_monotonic_increasing
    own = raw.set_index("deal_id").loc[kept["entity_id"]]
    assert kept["as_of"].tolist() == own["engaged"].tolist()
    assert kept["outcome"].tolist() == (own["result"] == "won").astype(float).tolist()
    assert columns["seats"].tolist() == own["seats"].tolist()


def test_the_files_order_decides_nothing_but_ties():
    raw = deals()
    raw["engaged"] += pd.to_timedelta(np.arange(40), unit="h")
    straight = question.build(raw, TABLE)
    mixed = question.build(raw.sample(frac=1, random_state=0).reset_index(drop=True), TABLE)
    for one, other in zip(straight[:2], mixed[:2], strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_an_outcome_known_before_the_decision_counts_as_known_at_the_decision():
    raw = deals()
    raw.loc[0, "closed"] = raw.loc[0, "engaged"] - pd.Timedelta(days=30)
    kept, _, _ = question.build(raw, TABLE)
    row = kept.set_index("entity_id").loc["D000"]
    assert row["outcome_known_at"] == row["as_of"]
    assert (kept["outcome_known_at"] >= kept["as_of"]).all()


def test_an_exact_copy_is_dropped_with_an_id_and_kept_without_one():
    raw = pd.concat([deals(), deals().iloc[[0, 0]]], ignore_index=True)
    with_id, _, excluded = question.build(raw, TABLE)
    assert excluded["copy of an earlier row"] == 2
    assert len(with_id) == 32
    without, _, excluded = question.build(raw, TABLE | {"id_column": None})
    assert "copy of an earlier row" not in excluded
    assert len(without) == 34


def test_one_id_twice_at_one_instant_is_refused_with_the_way_out():
    raw = pd.concat([deals(), deals().iloc[[0]].assign(seats=99)], ignore_index=True)
    with pytest.raises(InputError, match="2 rows share an id and a time .first: D000.") as error:
        question.build(raw, TABLE)
    assert "'deal_id'" in str(error.value)
    assert "leave --id out to number the rows" in str(error.value)


def test_missing_ids_at_one_instant_are_refused_in_words():
    raw = deals()
    raw.loc[[0, 1], "deal_id"] = None
    raw.loc[1, "engaged"] = raw.loc[0, "engaged"]
    with pytest.raises(InputError, match="2 rows share an id and a time .first: nan."):
        question.build(raw, TABLE)


def test_one_id_at_two_instants_is_two_examples():
    raw = deals()
    raw.loc[1, "deal_id"] = "D000"
    kept, _, _ = question.build(raw, TABLE)
    assert (kept["entity_id"] == "D000").sum() == 2


@pytest.mark.parametrize(("won", "lost"), [(["won"], []), (["win"], ["lost"]), ([], [])])
def test_too_few_of_one_outcome_are_refused_with_counts_values_and_the_way_out(won, lost):
    with pytest.raises(InputError, match="at least 10 won and 10 lost") as error:
        question.build(deals(), TABLE | {"won_values": won, "lost_values": lost})
    assert "'won': 16" in str(error.value)
    assert "--won" in str(error.value)


def test_a_date_of_closing_for_rows_in_order_of_the_file_is_refused_with_the_way_out():
    with pytest.raises(InputError, match="after_rows"):
        question.build(deals(), TABLE | {"time": {}})


@pytest.mark.parametrize(
    "rule",
    [
        TABLE,
        TABLE | {"id_column": None},
        TABLE | {"outcome_known": {"after_days": 3}},
        TABLE | {"time": {}, "outcome_known": {"after_rows": 2}},
    ],
)
def test_columns_spent_on_who_when_and_what_never_come_back_as_features(rule):
    kept, columns, _ = question.build(deals(), rule)
    features, left_out = dataset.ready(columns, kept["as_of"])
    spent = set(question.spent(rule))
    assert spent >= {"result"}
    assert not spent & (set(features) | set(left_out))
    assert set(features) | set(left_out) == set(deals()) - spent


def test_building_leaves_the_table_alone():
    raw = deals()
    before = raw.copy()
    kept, columns, _ = question.build(raw, TABLE)
    dataset.ready(columns, kept["as_of"])
    pd.testing.assert_frame_equal(raw, before)


# owners


def test_without_an_owner_column_nobody_looks_after_any_row():
    for table in (TABLE, TABLE | {"owner_column": None}):
        kept, _, _ = question.build(deals(), table)
        assert kept["owner_id"].isna().all()
        assert kept["owner_id"].dtype == "str"


@pytest.mark.parametrize("people", [[7, 8, None], ["7", "8 ", None], [7.0, 8.0, np.nan]])
def test_each_row_keeps_its_owner_and_the_column_stays_a_feature(people):
    raw = deals().assign(rep=(people * 14)[:40])
    kept, columns, _ = question.build(raw, TABLE | {"owner_column": "rep"})
    number = kept["entity_id"].str[1:].astype(int)
    assert kept["owner_id"].isna().equals(number % 3 == 2)
    known = kept["owner_id"].notna()
    assert kept.loc[known, "owner_id"].eq((7 + number % 3).astype(str)[known]).all()
    assert "rep" in columns


def test_an_owner_column_that_is_not_there_is_named_with_its_role():
    with pytest.raises(InputError, match="The owner column 'rpe' is not in the file"):
        question.build(deals(), TABLE | {"owner_column": "rpe"})


# rows that are open


def test_open_rows_are_those_left_out_as_open_with_the_columns_of_the_others():
    raw = pd.concat([deals(), deals().iloc[[4]]], ignore_index=True)  # a copy of an open row
    raw.loc[9, "engaged"] = pd.NaT  # was open
    kept, columns, excluded = question.build(raw, TABLE)
    who, said = question.open_rows(raw, TABLE)
    assert len(who) == len(said) == excluded["outcome still open"] == 7
    assert list(who) == ["as_of", "entity_id"]
    assert list(said) == list(columns)
    assert who["as_of"].is_monotonic_increasing
    own = raw.set_index("deal_id").loc[who["entity_id"]]
    assert (own["result"] == "open").sum() == 8  # the copy stands behind its first row
    assert not set(who["entity_id"]) & set(kept["entity_id"])
    first = raw.drop_duplicates("deal_id").set_index("deal_id").loc[who["entity_id"]]
    assert said["seats"].tolist() == first["seats"].tolist()


def test_where_every_case_has_ended_there_are_no_open_rows():
    decided = deals().query("result != 'open'").reset_index(drop=True)
    assert question.open_rows(decided, TABLE) is None


# features


def test_numbers_dates_and_categories_become_what_models_take():
    kept, columns, _ = question.build(deals(), TABLE)
    features, left_out = dataset.ready(columns, kept["as_of"])
    assert list(features) == ["seats", "region", "founded"]
    assert left_out == {}
    assert features["seats"].dtype == np.float32
    assert features["founded"].dtype == np.float32
    age = (kept["as_of"] - columns["founded"]).dt.days
    np.testing.assert_allclose(features["founded"], age)
    assert set(features["region"]) == {"north", "south", "(missing)"}
    assert (features["region"] == "(missing)").tolist() == columns["region"].isna().tolist()


def test_columns_that_can_teach_nothing_are_left_out_with_the_reason():
    columns = pd.DataFrame(
        {
            "nothing": [None] * 6,
            "same": ["x"] * 6,
            "note": list("abcdef"),
            "when": pd.date_range("2026-01-01", periods=6),
            "good": [1, 2, 1, 2, 1, 2],
        }
    )
    features, left_out = dataset.ready(columns, pd.Series(range(6)))
    assert list(features) == ["good"]
    assert left_out == {
        "nothing": "holds no value",
        "same": "holds one value only",
        "note": "nearly one value per row: nothing repeats that could be learned",
        "when": "a date, but the rows have no decision date to compare it with",
    }


def test_dates_still_to_come_are_negative_and_missing_dates_stay_missing():
    as_of = pd.Series(pd.to_datetime(["2026-01-10"] * 3))
    dates = pd.Series(pd.to_datetime(["2026-01-08", "2026-01-13", None]))
    features, _ = dataset.ready(pd.DataFrame({"planned": dates}), as_of)
    np.testing.assert_array_equal(features["planned"], [2, -3, np.nan])


def test_infinite_numbers_and_those_beyond_float32_count_as_missing():
    column = pd.DataFrame({"x": [np.inf, -np.inf, 1e300, -1e300, 2.0**62, np.nan, 0.1]})
    features, _ = dataset.ready(column, pd.Series(range(7)))
    assert features["x"].isna().tolist() == [True] * 4 + [False, True, False]
    assert features["x"].iloc[-1] == np.float32(0.1)


def test_a_mixed_column_becomes_text():
    column = pd.DataFrame({"x": pd.Series([1, "a", None, 1, "a", 2.5] * 3, dtype=object)})
    features, _ = dataset.ready(column, pd.Series(range(18)))
    assert set(features["x"]) == {"1", "a", "2.5", "(missing)"}


def test_rows_known_later_change_no_earlier_example_and_no_earlier_feature():
    """Counterfactual: whatever is done to later rows, the earlier ones come out the same."""
    edge = pd.Timestamp("2026-03-25")
    raw = deals()
    raw["engaged"] += pd.to_timedelta(np.arange(40), unit="h")
    raw["rep"] = np.where(raw.index % 4 == 0, "ann", "bob")
    late = raw["engaged"] >= edge
    altered = raw.copy()
    altered.loc[late, "rep"] = "eve"
    altered.loc[late, "seats"] = 10**6
    altered.loc[late, "region"] = "moon"
    altered.loc[late, "founded"] += pd.Timedelta(days=5)
    altered.loc[late, "result"] = altered.loc[late, "result"].map({"won": "lost", "lost": "won"})
    found = []
    for table in (raw, altered):
        kept, columns, _ = question.build(table, TABLE | {"owner_column": "rep"})
        features, _ = dataset.ready(columns, kept["as_of"])
        early = kept["as_of"] < edge
        found.append((kept[early], features[early]))
    assert len(found[0][0]) > 10
    for one, other in zip(*found, strict=True):
        pd.testing.assert_frame_equal(one, other)


# reading


def test_a_file_is_read_with_its_dates_and_an_ambiguous_one_stays_text(tmp_path):
    path = tmp_path / "deals.csv"
    path.write_text(
        "id,when,either,note\n1,2026-01-31,03/04/2026,Select\n2,2026-02-28,05/06/2026,b\n"
    )
    raw = question.read_file(path, {"separator": ","}, ["select"])
    assert leakage.kind_of(raw["when"]) == "date"
    assert raw["either"].tolist() == ["03/04/2026", "05/06/2026"]
    assert raw["note"].isna().tolist() == [True, False]


def test_rows_still_open_are_counted_unless_all_outcomes_take_equally_long():
    raw = deals()
    still = question.undecided(raw, TABLE)
    assert sorted(still) == sorted(raw.loc[raw["result"] == "open", "engaged"])
    fixed = TABLE | {"outcome_known": {"after_days": 30}}
    assert len(question.undecided(raw, fixed)) == len(still)
    decided = raw[raw["result"] != "open"].reset_index(drop=True)
    assert question.undecided(decided, fixed) is None
    assert question.undecided(decided, TABLE).empty


def test_what_came_in_is_told_in_one_row():
    raw = pd.concat([deals(10), deals(10).iloc[:3]], ignore_index=True)
    assert question.contents(raw).to_dict("records") == [
        {"table": "the file", "rows_count": 13, "columns_count": 7, "copies_count": 3}
    ]
    assert question.size(raw) == ("rows in the file", 13)
    assert question.dated(TABLE) == []
