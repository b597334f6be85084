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

from tierwise.flatfile import MISSING, detect_format, read_table
from tierwise.formats import Format, TableError

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
        ("a.csv", b"a,b\n", r"header \('a', 'b'\) but no row below"),
        ("a.csv", b"a,b\n\n , \n", "but no row below"),
        ("a.csv", b"a,b, a ,b\n1,2,3,4\n", "same name: 'a', 'b'. Rename"),
        ("a.csv", b"a,b\n1,2\n3,4,5\n", r"line 3: 3 fields, but the header has 2 \('a', 'b'\)"),
        ("a.csv", b'a,b\n"x\ny",2\n\n3,4,5\n', "line 5: 3 fields"),
        ("a.csv", b'a,b\n1,2\n3,"x\n4,5\n', "line 3: a quote opens here and never closes"),
        ("a.csv", b'a,b\n1,2\n3,"x\n' + b"4,5\n" * 50_000, "line 3: a quote opens here"),
        ("a.parquet", b"PAR1" + b"x" * 20, "damaged Parquet"),
    ],
)
def test_a_table_that_cannot_be_read_says_why(write, name, content, rule):
    path = write(content, name)
    with pytest.raises(TableError, match=f"(?s){rule}") as caught:
        read_table(path)
    assert name in str(caught.value)
    assert str(caught.value).endswith(".")


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
