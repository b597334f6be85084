"""Reasons: the strongest groups, in words that don't contradict them; effects and stability."""

import time

import numpy as np
import pandas as pd
import pytest

from tierwise import reasons, words
from tierwise.files import InputError

ENTRIES = {
    "sent": {"words": "messages sent", "one": "message sent", "family": "effort"},
    "kind": {"words": "kind", "family": "profile"},
    "size": {"words": "{value} employees", "label": "employees", "family": "profile"},
}
COLUMNS = ["sent_count_7d", "sent_count_30d", "kind", "size"]
LOG2 = float(np.log(2))


def worded(columns=COLUMNS):
    return words.dictionary(columns, ENTRIES, ["effort", "profile"])


def rows():
    """Three rows with labels in no order, numbers, gaps and a text."""
    return pd.DataFrame(
        {
            "sent_count_7d": np.array([7, 0, np.nan], "float32"),
            "sent_count_30d": np.array([9, 1, 2], "float32"),
            "kind": ["warm", "(missing)", "<b>"],
            "size": np.array([12.5, np.nan, 3], "float32"),
        },
        index=[30, 10, 20],
    )


def given(*values):
    return pd.DataFrame(np.array(values, "float64") * LOG2, index=[30, 10, 20], columns=COLUMNS)


def top(found, count=3):
    return reasons.top(found, rows(), worded(), count)


def test_columns_of_one_group_are_one_reason_told_by_the_strongest():
    table = top(given([0.5, 1.5, 0.9, -1.0], [0] * 4, [0] * 4))
    assert table["group"].tolist() == ["sent", "size", "kind"]
    assert table["text"].tolist() == [
        "9 messages sent in the last 30 days: raises the odds 4.0 times",
        "12.5 employees: lowers the odds 2.0 times",
        "kind is warm: raises the odds 1.9 times",
    ]
    first = table.iloc[0]
    assert (first["row"], first["rank"], first["family"]) == (30, 1, "effort")
    assert (first["column"], first["value"], first["direction"]) == (
        "sent_count_30d",
        "9",
        "raises",
    )
    assert first["log_odds"] == pytest.approx(2 * LOG2)
    assert first["odds_factor"] == pytest.approx(4)


def test_member_that_pulls_the_other_way_does_not_tell_the_reason():
    table = top(given([-1.4, 3.0, 0, 0], [3.0, -4.0, 0, 0], [0] * 4))
    assert table["column"].tolist() == ["sent_count_30d", "sent_count_30d"]
    assert table["direction"].tolist() == ["raises", "lowers"]


def test_members_that_cancel_are_no_reason_and_neither_is_a_trifle():
    trifle = np.log(1.04) / LOG2
    assert top(given([1, -1, 0, 0], [0, 0, trifle, -trifle], [0] * 4)).empty


def test_of_equal_reasons_the_first_group_comes_first_every_time():
    table = top(given([0, 1, -1, 1], [0, -1, 1, 1], [1, 0, 1, -1]))
    assert table["group"].tolist() == ["sent", "kind", "size"] * 3


def test_no_row_has_more_reasons_than_asked_for():
    assert top(given(*[[1, 1, 1, 1]] * 3), count=1)["rank"].tolist() == [1, 1, 1]
    assert len(top(given(*[[1, 1, 1, 1]] * 3), count=9)) == 9


def test_missing_values_are_told_as_such_and_texts_are_left_as_they_are():
    table = top(given([0] * 4, [0, 0, 1, 1], [1, 0, 1, 0])).set_index(["row", "column"])
    assert table.loc[(10, "kind"), "text"].startswith("kind not known: raises")
    assert table.loc[(10, "size"), "value"] == ""
    assert table.loc[(20, "kind"), "text"].startswith("kind is <b>: ")
    assert table.loc[(20, "sent_count_7d"), "text"].startswith("messages sent not known: ")


def test_order_of_rows_changes_no_reason():
    found = given([0.5, 1.5, 0.9, -1.0], [2, 0, 1, 0], [0, 1, 0, -3])
    turned = reasons.top(found.iloc[::-1], rows().iloc[::-1], worded())
    expected = top(found).sort_values(["row", "rank"], ignore_index=True)
    pd.testing.assert_frame_equal(turned.sort_values(["row", "rank"], ignore_index=True), expected)


def test_reasons_stand_side_by_side_for_every_row():
    found = top(given([0, 1, -1, 1], [0] * 4, [0, 0, 0, 1]))
    wide = reasons.listed(found, pd.Index([10, 20, 30]))
    assert list(wide) == ["reason_1", "reason_2", "reason_3"]
    assert wide.loc[10].tolist() == ["", "", ""]
    assert wide.loc[20].tolist() == ["3 employees: raises the odds 2.0 times", "", ""]
    assert (wide.loc[30] != "").all()


def test_table_without_rows_gives_none():
    found = top(given([0] * 4, [0] * 4, [0] * 4))
    assert found.empty
    assert list(found)[:4] == ["row", "rank", "group", "family"]
    assert (reasons.listed(found, pd.Index([1, 2])) == "").all(axis=None)


def test_ten_thousand_rows_of_many_columns_take_about_a_second():
    random = np.random.default_rng(0)
    columns = [f"c{n % 40}_count_{n}d" for n in range(120)]
    found = pd.DataFrame(random.normal(size=(10_000, 120)), columns=columns)
    started = time.process_time()
    table = reasons.top(found, found.astype("float32"), words.dictionary(columns, {}, []))
    assert time.process_time() - started < 3
    assert len(table) == 30_000


# effects


def test_effects_are_means_of_what_groups_add_up_to():
    found = given([1, -1, 2, 0], [1, 1, 0, 0], [0, 1, -1, 0])
    table = reasons.effects(found, worded())
    assert table["label"].tolist() == ["messages sent", "kind"]
    assert table["log_odds"].tolist() == pytest.approx([LOG2, LOG2])
    assert table["columns_count"].tolist() == [2, 1]
    families = reasons.effects(given([0, 0, 1, -1], [0] * 4, [0, 0, 2, 1]), worded(), "family")
    assert families["label"].tolist() == ["profile"]
    assert families["odds_factor"].tolist() == pytest.approx([2.0])


def test_shape_holds_every_row_once_and_returns_its_mean():
    random = np.random.default_rng(0)
    features = pd.DataFrame(
        {
            "sent_count_7d": np.where(random.random(500) < 0.2, np.nan, random.poisson(3, 500)),
            "kind": [f"k{n % 12}" for n in range(500)],
        }
    ).astype({"sent_count_7d": "float32"})
    effect = features["sent_count_7d"].fillna(-2) - 1
    found = pd.DataFrame({"sent_count_7d": effect, "kind": 0.01})
    table = reasons.shapes(found, features, worded(list(features)))
    assert table.groupby("column")["rows_count"].sum().tolist() == [500, 500]
    number = table[table["column"] == "sent_count_7d"]
    assert number["at"].iloc[0] == "not known"
    assert number["log_odds"].iloc[0] == -3
    assert number["log_odds"].is_monotonic_increasing
    assert table["at"].tolist()[-1] == "all others"
    assert len(table[table["column"] == "kind"]) == 8


def test_shapes_show_one_column_a_group_and_no_more_panels_than_asked_for():
    found = given([1, 2, 3, 0], [1, 2, 3, 0], [1, 2, 3, 0])
    columns = reasons.shapes(found, rows(), worded())["column"].unique().tolist()
    assert columns == ["sent_count_30d", "kind"]
    assert reasons.shapes(found, rows(), worded(), 1)["column"].unique().tolist() == columns[:1]
    assert reasons.shapes(found * 0, rows(), worded()).empty


# stability


def test_equal_refits_agree_and_reversed_ones_do_not():
    found = given([4, 3, 2, 1], [4, -3, 2, 1], [4, 3, 2, -1])
    turned = found.iloc[:, ::-1].set_axis(COLUMNS, axis=1)
    table = reasons.stability([found, found, turned])
    assert table["refit"].tolist() == [1, 2]
    assert table["rank_correlation"].tolist() == pytest.approx([1.0, -1.0])
    assert table["same_reasons_share"].tolist() == [1.0, 1.0]  # 2 of 4 are always in common


def test_reasons_are_the_same_where_two_of_three_are_in_common():
    columns = list("abcdef")
    before = pd.DataFrame([[3, 2, 1, 0, 0, 0]] * 4, columns=columns)
    after = pd.DataFrame(
        [[1, 2, 0, 3, 0, 0], [1, 0, 0, 2, 3, 0], [0, 0, 0, 1, 2, 3], [0, 3, 2, 1, 0, 0]],
        columns=columns,
    )
    assert reasons.stability([before, after])["same_reasons_share"].tolist() == [0.5]


def test_model_of_one_column_agrees_with_itself_and_not_with_another():
    one = pd.DataFrame({"a": [1.0, -2.0]})
    other = pd.DataFrame({"b": [1.0, -2.0]})
    assert reasons.stability([one, one])["same_reasons_share"].tolist() == [1.0]
    assert reasons.stability([one, other])["same_reasons_share"].tolist() == [0.0]
    nothing = one * 0
    table = reasons.stability([nothing, nothing])
    assert table["same_reasons_share"].tolist() == [1.0]
    assert table["rank_correlation"].isna().all()


def test_runs_of_different_rows_are_refused():
    found = given([1] * 4, [1] * 4, [1] * 4)
    with pytest.raises(InputError, match="same rows"):
        reasons.stability([found, found.iloc[:2]])


def test_one_fit_has_nothing_to_be_compared_with():
    assert reasons.stability([given([1] * 4, [1] * 4, [1] * 4)]).empty


def test_headline_gives_the_base_as_a_chance():
    values = [card["value"] for card in reasons.headline(2.6e-6, 0.0, 9920)]
    assert values == ["3e-06", "50.0 %", "9,920"]
