"""A stranger's file becomes the same table however it is written, or one clear complaint."""

import gzip
import io
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal

from tierwise.tables import (
    MISSING,
    Format,
    TableError,
    detect_format,
    looks_like_time,
    order_by_calendar,
    parse_times,
    read_table,
)

LEADS = pd.DataFrame(
    {
        "Köder": ["Müller", "Groß; & Co", "Peña, José", "a|b\tc"],
        "amount": [1234.5, -0.25, 1e-05, np.nan],
        "calls": [3, 0, 12, 7],
        "code": ["00123", "00007", "12345", "00000"],
        "won": ["True", "False", None, "True"],
        "when": ["2016-12-31", "2017-01-01 10:00", "2017-01-02", None],
        "nothing": [np.nan] * 4,
    }
).astype({"Köder": "str", "code": "str", "won": "str", "when": "str"})


@pytest.fixture
def write(tmp_path):
    """Put bytes or text into a file of this name and return its path."""

    def put(content, name="leads.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


def texts(*values):
    return pd.Series(values, name="when", dtype="str")


# One table, many spellings


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"],
)
def test_encoding_separator_and_decimal_sign_do_not_change_the_table(
    write, encoding, separator, decimal
):
    text = LEADS.to_csv(index=False, sep=separator, decimal=decimal)
    path = write(text.encode(encoding))
    told = {"decimal": ","} if separator == decimal else {}
    assert_frame_equal(read_table(path, **told), LEADS)
    found = detect_format(path)
    assert found.separator == separator
    assert told or found.decimal == decimal


def test_what_is_detected_reads_the_same_when_it_is_told(write):
    path = write(LEADS.to_csv(index=False, sep=";", decimal=",").encode("utf-16"))
    found = detect_format(path)
    assert found == Format("utf-16", ";", ",")
    assert_frame_equal(read_table(path, **vars(found)), read_table(path))


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.tsv", "a.txt", "a.csv.gz", "a.b.txt.gz"])
def test_gzip_is_known_by_its_bytes_and_not_by_its_name(write, name, compressed):
    content = LEADS.to_csv(index=False).encode()
    path = write(gzip.compress(content) if compressed else content, name)
    assert_frame_equal(read_table(path), LEADS)


def test_parquet_and_csv_give_the_same_table(write, tmp_path):
    LEADS.to_parquet(tmp_path / "leads.parquet")
    assert_frame_equal(read_table(tmp_path / "leads.parquet"), LEADS)
    assert_frame_equal(read_table(write(LEADS.to_csv(index=False))), LEADS)
    assert detect_format(tmp_path / "leads.parquet") is None


def test_parquet_is_known_by_its_bytes_too(tmp_path):
    LEADS.to_parquet(tmp_path / "leads.csv")
    assert_frame_equal(read_table(tmp_path / "leads.csv"), LEADS)


def test_the_cyrillic_code_page_is_not_taken_for_western(write):
    text = "ключ;источник\n1;Реклама в интернете\n2;Повторное обращение\n"
    frame = read_table(write(text.encode("cp1251")))
    assert list(frame) == ["ключ", "источник"]
    assert frame["источник"].iloc[0] == "Реклама в интернете"


def test_utf16_without_a_mark_is_seen_in_scripts_other_than_latin(write):
    frame = read_table(write("имя;город\nИван;Москва\n".encode("utf-16-le")))
    assert frame.to_dict("list") == {"имя": ["Иван"], "город": ["Москва"]}


def test_an_accent_in_the_last_line_is_enough_to_leave_utf8(write):
    content = b"name,n\n" + b"Smith,1\n" * 30_000 + "Müller,2\n".encode("latin-1")
    assert detect_format(write(content)).encoding == "cp1252"


def test_a_byte_order_mark_never_gets_into_the_first_name(write):
    assert list(read_table(write("\ufeffa,b\n1,2\n"), encoding="utf-8")) == ["a", "b"]


def test_separators_inside_quotes_do_not_count(write):
    rows = "".join(f'"Smith, John, Dr.";{k};"x, y"\n' for k in range(20))
    path = write("name;n;note\n" + rows)
    assert detect_format(path).separator == ";"
    assert read_table(path)["name"].eq("Smith, John, Dr.").all()


def test_decimal_commas_far_down_a_sparse_column_are_found(write):
    path = write("n;amount\n" + "1;\n" * 20_000 + "1;2,5\n" * 20_000)
    assert detect_format(path).decimal == ","
    assert read_table(path)["amount"].sum() == 50_000


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(-(2**53), 2**53),
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"])),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_every_number_and_text_survives_a_round_trip(tmp_path_factory, rows):
    frame = pd.DataFrame(rows, columns=["real", "whole", "word"])
    frame["word"] = "x" + frame["word"]
    path = tmp_path_factory.mktemp("trip") / "leads.csv"
    frame.to_csv(path, index=False)
    assert_frame_equal(read_table(path, encoding="utf-8"), frame, check_exact=True)


# What a column becomes


@pytest.mark.parametrize(
    ("values", "decimal", "expected"),
    [
        (["1", "-2"], ".", [1, -2]),
        (["1", ""], ".", [1.0, np.nan]),
        (["1.5", ".5", "2.", "1e-05", "+3"], ".", [1.5, 0.5, 2.0, 1e-05, 3.0]),
        (["1,234.50", "999.00"], ".", [1234.5, 999.0]),
        (["1,234,567", "5"], ".", [1234567, 5]),
        (["1.234,50", "3,5"], ",", [1234.5, 3.5]),
        (["1.234", "12.345.678"], ",", [1234, 12345678]),
        (["48.137", "0.5"], ",", [48.137, 0.5]),
        (["1,23", "4,56"], ".", ["1,23", "4,56"]),
        (["1,234.50", "n. a."], ".", ["1,234.50", "n. a."]),
        (["00123", "45"], ".", ["00123", "45"]),
        (["0", "0.5"], ".", [0.0, 0.5]),
        (["+491701234567"], ".", ["+491701234567"]),
        (["1234567890123456789012"], ".", ["1234567890123456789012"]),
        (["9007199254740993", "1"], ".", [9007199254740993, 1]),
        (["9007199254740993", ""], ".", ["9007199254740993", np.nan]),
        (["TRUE", "FALSE"], ".", ["TRUE", "FALSE"]),
        (["31/12/2016", ""], ".", ["31/12/2016", np.nan]),
        (["", "NA"], ".", [np.nan, np.nan]),
        (["inf", "1"], ".", ["inf", "1"]),
        (["12E345", "7E10"], ".", ["12E345", "7E10"]),
    ],
)
def test_a_column_is_numbers_only_when_every_value_is_an_amount(write, values, decimal, expected):
    path = write("key;value\n" + "".join(f"k;{value}\n" for value in values))
    assert_series_equal(
        read_table(path, separator=";", decimal=decimal)["value"], pd.Series(expected, name="value")
    )


def test_blanks_around_names_and_values_are_stripped(write):
    frame = read_table(write(" a , b\n  x y  , 1 \n z, NA\n"))
    assert frame["a"].tolist() == ["x y", "z"]
    assert_series_equal(frame["b"], pd.Series([1.0, np.nan], name="b"))


def test_blank_lines_and_rows_of_separators_are_left_out(write):
    path = write("\na,b\n\n1,2\n   \n,\n , \n3,4\n\n")
    assert read_table(path).to_dict("list") == {"a": [1, 3], "b": [2, 4]}


def test_rows_keep_the_order_of_the_file(write):
    order = np.random.default_rng(0).permutation(5000)
    frame = read_table(write("key,n\n" + "".join(f"k{n},{n}\n" for n in order)))
    assert frame["n"].tolist() == order.tolist()
    assert frame.index.equals(pd.RangeIndex(5000))


def test_missing_is_pandas_list_as_written_and_ours_in_any_case(write):
    path = write(
        "a,b\n" + "".join(f'"{value}",x\n' for value in [*MISSING, "Select", "SELECT", "na"])
    )
    told = read_table(path, missing_values=["select"])["a"]
    assert told.dropna().tolist() == ["na"]
    assert read_table(path)["a"].dropna().tolist() == ["Select", "SELECT", "na"]


def test_our_list_of_missing_is_that_of_pandas():
    assert (
        pd.read_csv(io.StringIO("\n".join(f"{value},x" for value in MISSING)), header=None)[0]
        .isna()
        .all()
    )


def test_a_missing_value_does_not_keep_a_column_from_being_numbers(write):
    frame = read_table(write("a,b\nUnknown,1\n5,2\n"), missing_values=["unknown"])
    assert_series_equal(frame["a"], pd.Series([np.nan, 5.0], name="a"))


def test_short_rows_lack_values_and_nameless_columns_go_by_position(write):
    frame = read_table(write(",b,\nx,1\ny\n"))
    assert list(frame) == ["column_1", "b", "column_3"]
    assert frame["b"].isna().tolist() == [False, True]
    assert frame["column_3"].isna().all()


def test_line_ends_of_every_system_read_alike(write):
    frames = [read_table(write(f"a,b{end}1,x{end}2,y{end}")) for end in ("\n", "\r\n", "\r")]
    assert_frame_equal(frames[0], frames[1])
    assert_frame_equal(frames[0], frames[2])


def test_quoted_values_keep_quotes_separators_and_line_ends(write):
    frame = read_table(write('a,b\n"x ""y"", z\nw",1\n'))
    assert frame["a"].tolist() == ['x "y", z\nw']


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(["x", None]).dictionary_encode(), ["x", np.nan]),
        (pa.array([Decimal("1.50"), None]), [1.5, np.nan]),
        (pa.array([True, None]), ["True", np.nan]),
        (pa.array([3, None]), [3.0, np.nan]),
        (pa.array([3, 4], pa.uint8()), [3, 4]),
        (pa.array([2**53 + 1, 1]), [2**53 + 1, 1]),
        (pa.array([2**53 + 1, None]), [str(2**53 + 1), np.nan]),
        (pa.array([2**63, 1], pa.uint64()), [str(2**63), "1"]),
        (pa.array([1.5, None], pa.float32()), [1.5, np.nan]),
        (pa.array(["00123", "7"]), ["00123", "7"]),
        (pa.array([" x ", "NA"], pa.large_string()), ["x", np.nan]),
        (pa.array([b"x", b"y"]), ["x", "y"]),
        (pa.nulls(2), [np.nan, np.nan]),
    ],
)
def test_parquet_types_become_numbers_or_text(tmp_path, column, expected):
    pq.write_table(pa.table({"value": column}), tmp_path / "leads.parquet")
    found = read_table(tmp_path / "leads.parquet")["value"]
    assert_series_equal(found, pd.Series(expected, name="value"))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_in_parquet_stay_times(tmp_path, unit):
    times = pd.Series(pd.to_datetime(["2016-12-31 14:05", None])).astype(f"datetime64[{unit}]")
    table = pa.table({"when": pa.array(times), "day": pa.array([date(2016, 12, 31), None])})
    pq.write_table(table, tmp_path / "leads.parquet")
    frame = read_table(tmp_path / "leads.parquet")
    assert frame.dtypes.eq("datetime64[us]").all()
    assert frame["when"].iloc[0] == pd.Timestamp("2016-12-31 14:05")


# Complaints


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b" \n\r\n", "is empty"),
        ("a.csv", b"\xef\xbb\xbf\n", "is empty"),
        ("a.parquet", b"", "is empty"),
        ("a.csv", b"a,b\n", r"header \('a', 'b'\) but no row below"),
        ("a.csv", b"a,b\n\n , \n", "but no row below"),
        ("a.csv", b"a,b, a ,b\n1,2,3,4\n", "same name: 'a', 'b'. Rename"),
        ("a.csv", b"a,b\n1,2\n3,4,5\n", r"line 3: 3 fields, but the header has 2 \('a', 'b'\)"),
        ("a.csv", b'a,b\n"x\ny",2\n\n3,4,5\n', "line 5: 3 fields"),
        ("a.csv", b'a,b\n1,2\n3,"x\n4,5\n', "line 3: a quote opens here and never closes"),
        ("a.csv", b'a,b\n1,2\n3,"x\n' + b"4,5\n" * 50_000, "line 3: a quote opens here"),
        (
            "a.csv",
            b"a\n1\n2\n",
            r"one column under each separator tried \(, ; tab \|\).*begins with 'a'",
        ),
        ("a.json", b"{}", r"ends in '.json'. Accepted: .csv, .tsv, .txt, .parquet"),
        ("leads", b"a,b\n1,2\n", "ends in ''"),
        ("a.xlsx", b"PK\x03\x04rest", "Excel or zip.*Save it as CSV or Parquet"),
        ("a.csv", b"PK\x03\x04rest", "Excel or zip.*Save it as CSV or Parquet"),
        ("a.csv", b"\xd0\xcf\x11\xe0rest", "Excel or zip"),
        ("a.csv", b"\x89PNG\x00\x00\x01\x02" * 20, "binary.*Save it as CSV or Parquet"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n" * 50)[:-9], "damaged gzip"),
        ("a.csv.gz", b"\x1f\x8b\x08rubbish", "damaged gzip"),
        ("a.parquet", b"a,b\n1,2\n", "is not Parquet: it begins with b'a,b"),
        ("a.parquet", b"PAR1" + b"x" * 20, "damaged Parquet"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(write, name, content, rule):
    path = write(content, name)
    with pytest.raises(TableError, match=f"(?s){rule}") as caught:
        read_table(path)
    assert name in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_missing_file_names_the_nearest_one(write, tmp_path):
    write("a,b\n1,2\n", "leads_2024.csv")
    write("a,b\n1,2\n", "zebra.csv")
    with pytest.raises(TableError, match=r"leads_2042.csv does not exist.*'leads_2024.csv'"):
        read_table(tmp_path / "leads_2042.csv")
    with pytest.raises(TableError, match="does its folder"):
        read_table(tmp_path / "nowhere" / "leads.csv")


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(TableError, match="is a folder. Name one file"):
        detect_format(tmp_path)


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ({"encoding": "klingon"}, "not text in 'klingon'"),
        ({"encoding": "ascii"}, "not text in 'ascii'"),
        ({"separator": ";;"}, "separator must be one character, not ';;'"),
        ({"separator": ","}, "one column under separator ',', several under ';'"),
        ({"decimal": "'"}, "decimal must be"),
    ],
)
def test_what_is_told_wrong_is_refused(write, told, rule):
    with pytest.raises(TableError, match=rule):
        read_table(write("a;b\n1;é\n"), **told)


def test_one_column_is_read_when_its_separator_is_told(write):
    assert read_table(write("a\n1\n2\n"), separator=",")["a"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        (pa.table({"tags": [[1], [2]]}), "column 'tags' holds list"),
        (pa.table({"a": pa.array([], pa.string())}), "but no row below"),
        (pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), "same name: 'a'"),
    ],
)
def test_parquet_that_is_no_flat_table_says_why(tmp_path, table, rule):
    pq.write_table(table, tmp_path / "leads.parquet")
    with pytest.raises(TableError, match=rule):
        read_table(tmp_path / "leads.parquet")


# Times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2016-12-31", "2016-12-31"),
        ("2016/12/31 14:05", "2016-12-31 14:05"),
        ("2016-12-31T14:05:09.123456", "2016-12-31 14:05:09.123456"),
        ("2016-12-31 14:05:09.5Z", "2016-12-31 14:05:09.5"),
        ("2016-12-31T23:30:00-05:30", "2017-01-01 05:00"),
        ("2017-01-01 00:30:00+0200", "2016-12-31 22:30"),
        ("2016-12", "2016-12-01"),
        ("31/12/2016", "2016-12-31"),
        ("12/31/2016", "2016-12-31"),
        ("12/31/16 2:05 PM", "2016-12-31 14:05"),
        ("12/31/16 12:05 a.m.", "2016-12-31 00:05"),
        ("31.12.2016 14:05", "2016-12-31 14:05"),
        ("1.2.99", "1999-02-01"),
        ("31-12-2016", "2016-12-31"),
        ("5 Mar 2020", "2020-03-05"),
        ("5-Mar-20", "2020-03-05"),
        ("05Mar2020", "2020-03-05"),
        ("5th March 2020", "2020-03-05"),
        ("Mar 5, 2020 2:05 pm", "2020-03-05 14:05"),
        ("Thu, 5 Mar 2020 10:00:00 +0000", "2020-03-05 10:00"),
        ("Thursday, March 5, 2020", "2020-03-05"),
    ],
)
def test_a_time_is_understood_in_the_spellings_people_use(text, expected):
    found = parse_times(texts(text, None))
    assert found.dtype == "datetime64[us]"
    assert found.iloc[0] == pd.Timestamp(expected)
    assert pd.isna(found.iloc[1])
    assert looks_like_time(texts(text, None))


def test_times_keep_the_index_and_the_name():
    column = pd.Series(["2016-12-31", "2016-12-30", "2016-12-31"], index=[7, 7, 1], name="asked_at")
    found = parse_times(column)
    assert found.index.equals(column.index)
    assert found.name == "asked_at"
    assert found.iloc[0] == found.iloc[2] > found.iloc[1]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.datetimes(pd.Timestamp("1970-01-01"), pd.Timestamp("2068-01-01")), min_size=1),
    st.sampled_from(["%Y-%m-%d %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S.%f", "%d %b %Y %I:%M:%S.%f %p"]),
)
def test_a_written_time_is_read_back(times, spelling):
    expected = pd.Series(times).astype("datetime64[us]")
    written = pd.Series([time.strftime(spelling) for time in times])
    assert_series_equal(parse_times(written), expected)


@pytest.mark.parametrize("day_first", [True, False])
def test_one_clear_date_decides_the_order_of_the_whole_column(day_first):
    days = pd.Series(pd.date_range("2016-01-01", "2016-12-31"))
    written = days.dt.strftime("%d/%m/%Y" if day_first else "%m/%d/%Y")
    assert_series_equal(parse_times(written), days.astype("datetime64[us]"))
    assert_series_equal(parse_times(written, day_first=day_first), days.astype("datetime64[us]"))
    with pytest.raises(TableError, match="are no times"):
        parse_times(written, day_first=not day_first)


def test_an_unknown_order_of_day_and_month_is_asked_for():
    column = texts("05/05/2016", "03/04/2016", "01/02/2016", "11/12/2016", "10/11/2016")
    with pytest.raises(TableError) as caught:
        parse_times(column)
    for part in ("'03/04/2016', '01/02/2016', '11/12/2016'", "`day_first: true` or `false`"):
        assert part in str(caught.value)
    assert "--day-first or --month-first" in str(caught.value)
    assert parse_times(column, day_first=True).iloc[1] == pd.Timestamp("2016-04-03")
    assert parse_times(column, day_first=False).iloc[1] == pd.Timestamp("2016-03-04")
    assert looks_like_time(column)


def test_dots_mean_day_first_unless_a_date_says_otherwise():
    assert parse_times(texts("03.04.2016"))[0] == pd.Timestamp("2016-04-03")
    assert parse_times(texts("03.04.2016", "12.31.2016"))[0] == pd.Timestamp("2016-03-04")


def test_both_orders_in_one_column_are_refused():
    with pytest.raises(TableError, match="'31/12/2016' is day first, '12/31/2016' month first"):
        parse_times(texts("31/12/2016", "12/31/2016"))


def test_one_value_in_a_hundred_may_be_no_time():
    good = ["2016-01-01"] * 99
    assert parse_times(texts("soon", None, *good)).isna().sum() == 2
    with pytest.raises(TableError, match="2 of 101 values.*'soon', '2016-02-30'"):
        parse_times(texts("soon", *good, "2016-02-30"))


@pytest.mark.parametrize(
    "text",
    [
        "2016-02-30",
        "2015-02-29",
        "2016-13-01",
        "0000-00-00",
        "9999-12-31",
        "2016-12-31 24:00",
        "2016-12-31 13:05 pm",
        "5 Foo 2020",
        "14:05",
        "1.2.3.4",
        "12-34",
        "2016",
        "March",
        "tomorrow",
    ],
)
def test_what_is_no_time_is_not_taken_for_one(text):
    assert not looks_like_time(texts(text))
    assert parse_times(texts(text, *["2016-01-01"] * 99)).isna().tolist() == [True] + [False] * 99


@pytest.mark.parametrize(
    "column", [[1, 2, 3], [0.5, 1e9], [631151999, 1_000_000_000], [np.nan] * 2]
)
def test_a_running_number_stays_as_it_is(column):
    column = pd.Series(column, name="n")
    assert_series_equal(parse_times(column), column)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1_483_193_100, 1_483_193_101], "2016-12-31 14:05"),
        ([1_483_193_100_000, np.nan], "2016-12-31 14:05"),
        ([20161231, 20170101], "2016-12-31"),
    ],
)
def test_whole_numbers_are_times_only_where_all_of_them_are_plausible(column, expected):
    assert parse_times(pd.Series(column))[0] == pd.Timestamp(expected)
    column[1] = 20171301
    assert_series_equal(parse_times(pd.Series(column)), pd.Series(column))


def test_zones_become_utc_and_the_zone_is_dropped():
    column = pd.Series(pd.to_datetime(["2016-07-01 12:00"])).dt.tz_localize("Europe/Lisbon")
    assert_series_equal(
        parse_times(column), pd.Series(["2016-07-01 11:00"], dtype="datetime64[us]")
    )


def test_names_of_months_alone_become_numbers():
    column = texts("Feb", "june", "SEPT", "December", "may.")
    assert_series_equal(parse_times(column), pd.Series([2, 6, 9, 12, 5], name="when"))
    assert parse_times(texts("Feb", None)).tolist()[0] == 2.0
    assert not looks_like_time(column)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.Series([20161231, 20170101]), False),
        (pd.Series(["00123", "0456"]), False),
        (pd.Series(["1 - 10%", "11 - 23%"]), False),
        (pd.Series(["a", None]), False),
        (pd.Series([None, None], dtype="str"), False),
        (pd.Series(["2016-01-01"] * 500 + ["x"]), False),
        (pd.Series([str(day.date()) for day in pd.date_range("2016", periods=99)] + ["x"]), True),
        (pd.Series(pd.to_datetime(["2016-01-01"])), True),
        (pd.Series(pd.to_datetime(["2016-01-01"], utc=True)), True),
    ],
)
def test_a_column_looks_like_time_by_its_distinct_values(column, expected):
    assert looks_like_time(column) is expected


# Dates from months and days in order


def test_a_calendar_is_rebuilt_from_rows_in_date_order():
    """Every day from 2007 to 2012, both leap days among them, some of them twice."""
    days = pd.Series(pd.date_range("2007-03-01", "2012-12-31")).astype("datetime64[us]")
    days = pd.concat([days, days[::7]]).sort_values()
    for month in (days.dt.month, days.dt.strftime("%b").str.lower(), days.dt.strftime("%m")):
        assert_series_equal(order_by_calendar(month, days.dt.day, 2007), days)


def test_without_days_dates_are_the_first_of_the_month():
    found = order_by_calendar(pd.Series(["nov", "dec", "jan", "jan", "feb"]), None, 2008)
    assert found.dt.strftime("%Y-%m-%d").tolist() == [
        "2008-11-01",
        "2008-12-01",
        "2009-01-01",
        "2009-01-01",
        "2009-02-01",
    ]


@pytest.mark.parametrize(
    ("months", "days", "rule"),
    [
        (["feb", "feb"], [28, 30], r"Row 2 \(month feb, day 30, year 2009\) is no date"),
        (["feb"], [29], "Row 1 .*year 2009.* is no date"),
        (["may", "x"], [1, 1], r"Row 2 \(month x, day 1, year 2010\) is no date"),
        ([5, None], [1, 1], "Row 2 .* is no date"),
        ([5], [None], "Row 1 .* is no date"),
        ([5, 13], [1, 1], "Row 2 .* is no date"),
        (["may", "may", "may"], [1, 3, 2], "Row 3 .* is before the row above.*not in date order"),
        (["dec", "jan"] * 100, None, r"Row 184 .* is after 2100.*not in date order"),
    ],
)
def test_rows_in_no_date_order_or_without_a_date_are_named(months, days, rule):
    days = None if days is None else pd.Series(days)
    with pytest.raises(TableError, match=rule):
        order_by_calendar(pd.Series(months), days, 2009)
