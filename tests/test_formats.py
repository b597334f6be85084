"""The bytes of a stranger's file give away how to read it, or one clear complaint."""

import gzip

import pytest

from tierwise.flatfile import detect_format, read_table
from tierwise.formats import TableError


@pytest.fixture
def write(tmp_path):
    """Put bytes or text into a file of this name and return its path."""

    def put(content, name="leads.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


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


# Complaints


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b" \n\r\n", "is empty"),
        ("a.csv", b"\xef\xbb\xbf\n", "is empty"),
        ("a.parquet", b"", "is empty"),
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
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n" * 50, mtime=0)[:-9], "damaged gzip"),
        ("a.csv.gz", b"\x1f\x8b\x08rubbish", "damaged gzip"),
        ("a.parquet", b"a,b\n1,2\n", "is not Parquet: it begins with b'a,b"),
    ],
)
def test_a_file_that_is_no_table_says_why(write, name, content, rule):
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
