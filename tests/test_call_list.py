"""Lists in order, nothing in them that acts, nothing told of the holdout, and never half an hour."""

import base64
import csv
import hashlib
import re
import subprocess
import sys
import unicodedata
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

xlsxwriter = pytest.importorskip("xlsxwriter", reason="needs the extra hourly")

from tierwise.calls import batch as call_batch  # noqa: E402
from tierwise.calls import lists as call_list  # noqa: E402
from tierwise.calls import page as call_page  # noqa: E402
from tierwise.calls import sheet as call_sheet  # noqa: E402
from tierwise.calls import text as call_text  # noqa: E402
from tierwise.files import InputError  # noqa: E402

# openpyxl leaves out what Excel knows: bars in cells
pytestmark = pytest.mark.filterwarnings("ignore:.*xtension is not supported:UserWarning")
HOUR = pd.Timestamp("2026-11-26 09:00")
WHY = "replied to the last mail: raises the odds 1.8 times"
ATTACKS = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "\u200b=1", "\ufeff=1"),
    *("＝1", "＋1", "－1", "＠a", "\ufe66", "\u207a1", "\u22121", "\x00=1", "\x1f=1", "\u202e=1", "'=1", '"=1'),
    *("=cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "=HYPERLINK(\"http://x\",\"y\")", "a;=1+1;", 'a;"=1+1', "a,=1", "a|@b"),
    *("http://example.org", "mailto:a@example.org", "internal:Sheet1!A1", "external:a.xlsx", "{=1+1}", "ftp://x"),
    *("<script>alert(1)</script>", "\"onmouseover=\"alert(1)", "'><img src=x onerror=alert(1)>", "</style><b>", "</title>"),
    *("<r><t>hidden</t></r>", "<r></r>", "_x0041_", "_x005F_", "&lt;b&gt;", "&#61;1", "{{ 7*7 }}", "{% x %}", "-->", "]]>"),
    *("\ufffe", "\uffff", "a\ufdd0b", "\U0001ffff", "\u0085=1", "\u2028=1", "😀" * 9, "x" * 300, "0", "1e9", "TRUE", "#N/A"),
    *("../../etc/passwd", "CON", "a/b", "..", ".", "", " ", "Ann", "ann", "ANN", "7", "07", "nobody", "owner-7"),
]  # fmt: skip
hostile = st.one_of(
    st.sampled_from(ATTACKS),
    st.tuples(st.text(max_size=4), st.sampled_from(ATTACKS), st.text(max_size=4)).map("".join),
    st.text(max_size=12),
)


def batch(count=6, **columns):
    """Deals 101, 102, ... of owner 7, best first."""
    at = np.arange(count)
    told = {
        "deal_id": 101 + at,
        "owner_id": "7",
        "rank": 1 + at,
        "tier": np.where(at < 2, "A", np.where(at < 4, "B", "C")),
        "chance": np.linspace(0.5, 0.01, count),
        "reason_1": WHY,
        "reason_2": "no meeting so far: lowers the odds 2.0 times",
        "reason_3": "",
        "scored_at": HOUR,
        "last_touch_at": HOUR - pd.Timedelta(days=3),
        "flag": "",
        "title": [f"Offer {k}" for k in at],
        "organization": "Harbour Ltd",
        "value_eur": 1200.0,
        "turn": "",
    }
    return pd.DataFrame(told | columns)


def only(frame, hour=HOUR):
    """The list of the one owner in it."""
    return next(call_batch.lists_of(call_batch.typed(frame), hour))


def read_csv(path):
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file, strict=True)
    assert head == call_sheet.CSV_COLUMNS
    return [dict(zip(head, row, strict=True)) for row in rows]


def read_excel(path, sheet=0):
    """Title and sentences, and the records of the table with their cells."""
    rows = list(openpyxl.load_workbook(path).worksheets[sheet].iter_rows())
    top = next(at for at, row in enumerate(rows) if row[-1].value == rows[at][-1].value is not None)
    names = {words: name for name, (words, _) in call_sheet.COLUMNS.items()}
    head = [names[cell.value] for cell in rows[top]]
    about = [row[0].value for row in rows[:top]]
    return about, [dict(zip(head, row, strict=True)) for row in rows[top + 1 :]]


class Page(HTMLParser):
    """Every tag with its attributes, and the text between them."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(attrs)))

    def handle_endtag(self, tag):
        self.tags.append(f"/{tag}")

    def handle_comment(self, data):
        self.tags.append(("comment", data))

    def handle_data(self, data):
        if data.strip():
            self.texts.append(" ".join(data.split()))

    @property
    def text(self):
        return " ".join(self.texts)


def page_of(one, folder):
    call_page.write_page(folder / "a.html", one)
    return Page(folder / "a.html")


def acts(cell):
    """Would a spreadsheet take it for more than text? Written apart from what guards against it."""
    skipped = ("Cc", "Cf", "Zs", "Zl", "Zp")
    seen = [c for c in cell if unicodedata.category(c) not in skipped and c not in "\"'"]
    return bool(seen) and unicodedata.normalize("NFKC", seen[0])[0] in "=+-@\u2212"


# What data can't do


@given(hostile, hostile)
@settings(max_examples=200)
def test_no_part_of_a_csv_cell_begins_a_formula_and_the_text_stays(one, other):
    text = call_text.readable(f"{one};{other}")
    cell = call_text.guarded(text)
    assert cell.replace("'", "") == text.replace("'", "")
    for part in (cell, *re.split("[,;|\t]", cell)):
        assert not acts(part) or part.lstrip().startswith("'")
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", cell)


def test_printable_characters_are_none_of_those_that_are_taken_out():
    """So a text of them alone needs no second look."""
    printable = "".join(c for c in map(chr, range(0x110000)) if c.isprintable())
    assert {unicodedata.category(c) for c in printable}.isdisjoint(("Cc", "Cf", "Zl", "Zp"))
    assert not call_text.TURNS.search(printable)
    assert not call_text.BROKEN.search(printable)


@given(st.lists(st.tuples(hostile, hostile, hostile), min_size=1, max_size=5))
@settings(max_examples=40)
@example([(text, text, text) for text in ATTACKS])
def test_every_cell_of_the_files_is_the_text_and_only_the_text(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("sheet")
    title, organization, reason = (
        pd.Series(part, dtype="str") for part in zip(*texts, strict=True)
    )
    frame = batch(len(texts), title=title, organization=organization, reason_1=reason)
    frame["value_eur"] = -5.5
    one = only(frame)
    call_sheet.write_csv(folder / "a.csv", one)
    call_sheet.write_excel(folder / "a.xlsx", one)
    raw = (folder / "a.csv").read_bytes().decode("utf-8-sig")
    assert all(re.fullmatch(r'"([^"]|"")*"(,"([^"]|"")*")*', line) for line in raw.splitlines())
    records = [row for row in read_csv(folder / "a.csv") if row["part"] == "queue"]
    _, rows = read_excel(folder / "a.xlsx")
    strings = shared_strings(folder / "a.xlsx")
    assert len(records) == len(rows) == len(texts)
    for record, row, (deal, client, why) in zip(records, rows, texts, strict=True):
        for name, text in (("title", deal), ("organization", client), ("reason_1", why)):
            wanted = call_text.readable(text)
            assert record[name] == call_text.guarded(wanted)
            assert not acts(record[name]) or record[name].startswith("'")
            assert call_text.fits_cell(wanted).rstrip() == wanted
            assert not wanted or call_text.fits_cell(wanted) in strings
            if "x005F_" not in wanted:  # which openpyxl 3.1 cuts out of any text
                assert (row[name].value or "") == call_text.fits_cell(wanted)
            assert row[name].data_type == ("s" if wanted else "n")
            assert not wanted or row[name].quotePrefix
        assert record["value_eur"] == "-5.5"
        assert (row["value_eur"].value, row["value_eur"].data_type) == (-5.5, "n")
    assert_nothing_acts(folder / "a.xlsx")


def shared_strings(path):
    """The texts of the workbook, with _xHHHH_ read as the standard has it (ECMA-376, 22.9.2.19)."""
    with zipfile.ZipFile(path) as parts:
        root = ElementTree.fromstring(parts.read("xl/sharedStrings.xml"))
    texts = ["".join(item.itertext()) for item in root]
    return {re.sub("_x([0-9A-Fa-f]{4})_", lambda code: chr(int(code[1], 16)), t) for t in texts}


def assert_nothing_acts(path):
    for sheet in openpyxl.load_workbook(path):
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f"
                assert cell.hyperlink is None
    with zipfile.ZipFile(path) as parts:
        assert not [n for n in parts.namelist() if re.search("external|embed|sheet.*rels|vba", n)]
        for name in parts.namelist():
            text = parts.read(name).decode()
            if "worksheets" in name:
                assert not re.search("<f[ >]|<hyperlink|<oleObject|<drawing", text)
            if "sharedStrings" in name:
                assert "<r>" not in text


@given(hostile, hostile, hostile, st.one_of(hostile, st.none()))
@settings(max_examples=40)
def test_no_element_and_no_attribute_of_the_page_comes_from_data(
    tmp_path_factory, title, organization, why, owner
):
    folder = tmp_path_factory.mktemp("page")

    def page(make):
        frame = batch(
            3,
            title=make(title),
            organization=make(organization),
            reason_1=f"a{make(why)}: raises the odds 1.8 times",
            reason_2=f"a{make(why)}",
            owner_id=pd.Series([make(owner) if owner else None] * 3, dtype="str"),
            flag=["", "exploration", "holdout"],
        )
        return page_of(only(frame), folder)

    found = page(str)
    harmless = page(lambda text: "x" if call_text.readable(text) else "")
    assert found.tags == harmless.tags
    shown = call_text.shortened(call_text.readable(title), call_page.TEXT_MAX_CHARACTERS)
    assert " ".join(shown.split()) in found.text


def test_the_page_needs_nothing_runs_nothing_and_its_policy_allows_its_style_only(tmp_path):
    page = page_of(only(batch(flag=["", "", "", "", "exploration", "holdout"])), tmp_path)
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    attributes = [dict(tag[1]) for tag in page.tags if isinstance(tag, tuple)]
    [policy] = [a["content"] for a in attributes if a.get("http-equiv")]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not [tag for tag in page.tags if tag[0] in ("script", "link", "img", "iframe", "form")]
    for found in attributes:
        assert not {"style", "src", "srcset", "action", "ping"} & set(found)
        assert not [name for name in found if name.startswith("on")]
        assert found.get("href", "#").startswith("#")
    assert "url(" not in style
    assert "@import" not in style
    assert "//" not in style


def test_a_text_longer_than_a_cell_is_cut_and_the_csv_has_it_all(tmp_path):
    long = "😀" * 20_000
    one = only(batch(1, title=long))
    call_sheet.write_csv(tmp_path / "a.csv", one)
    call_sheet.write_excel(tmp_path / "a.xlsx", one)
    page = page_of(one, tmp_path)
    [row] = read_excel(tmp_path / "a.xlsx")[1]
    assert len(row["title"].value.encode("utf-16-le")) / 2 <= 32_767
    assert row["title"].value == "😀" * 16_383 + "…"
    assert read_csv(tmp_path / "a.csv")[0]["title"] == long
    assert "😀" * 239 + "…" in page.text
    assert "😀" * 240 not in page.text


# What a list says


def test_a_list_is_in_order_of_rank_with_numbers_dates_and_formats(tmp_path):
    frame = batch(4, value_eur=[1234.5, None, -3.0, 0.0], owner_id="7").iloc[[2, 0, 3, 1]]
    frame["last_touch_at"] = [
        pd.NaT,
        HOUR - pd.Timedelta(hours=5),
        HOUR,
        pd.Timestamp("2020-05-03"),
    ]
    one = only(frame)
    call_sheet.write_csv(tmp_path / "a.csv", one)
    call_sheet.write_excel(tmp_path / "a.xlsx", one)
    records = [row for row in read_csv(tmp_path / "a.csv") if row["part"] == "queue"]
    assert [row["deal_id"] for row in records] == ["101", "102", "103", "104"]
    assert [row["place"] for row in records] == ["1", "2", "3", "4"]
    assert [row["last_touch"] for row in records] == [
        "5 hours ago", "3 May 2020", "no touch so far", "less than an hour ago"
    ]  # fmt: skip
    assert [row["value_eur"] for row in records] == ["1234.5", "", "-3", "0"]
    assert {row["scored_at"] for row in records} == {"2026-11-26 09:00"}
    about, rows = read_excel(tmp_path / "a.xlsx")
    assert about[0] == "Call list of 7"
    assert about[1].startswith("As of 26 November 2026, 09:00 UTC.")
    assert [row["chance"].value for row in rows] == pytest.approx(np.linspace(0.5, 0.01, 4))
    assert {row["chance"].number_format for row in rows} == {"0.0%"}
    assert rows[0]["last_touch_at"].value == (HOUR - pd.Timedelta(hours=5)).to_pydatetime()
    assert rows[0]["last_touch_at"].is_date
    assert [row["value_eur"].value for row in rows] == [1234.5, None, -3, 0]
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").worksheets[0]
    assert sheet.freeze_panes == "A4"
    assert sheet.auto_filter.ref == "A3:N7"
    fills = {row["tier"].value: row["tier"].fill.fgColor.rgb for row in rows}
    assert set(fills) == {"A", "B"}
    assert len(set(fills.values())) == 2


def test_numbers_that_excel_would_round_and_days_it_does_not_know_are_texts(tmp_path):
    frame = batch(2, deal_id=[2**63 - 1, 7])
    frame["last_touch_at"] = pd.Series(["1850-01-02 03:04", "2026-11-20"], dtype="datetime64[us]")
    call_sheet.write_excel(tmp_path / "a.xlsx", only(frame))
    _, rows = read_excel(tmp_path / "a.xlsx")
    assert [row["deal_id"].value for row in rows] == ["9223372036854775807", 7]
    assert rows[0]["last_touch_at"].value == "1850-01-02 03:04"
    assert_nothing_acts(tmp_path / "a.xlsx")


def test_the_page_has_tier_chance_reasons_and_touch_in_order(tmp_path):
    page = page_of(only(batch()), tmp_path)
    heads = [
        text for text in page.texts if text in ("Call first", "Then these", "When there is time")
    ]
    assert heads == ["Call first", "Then these", "When there is time"]
    assert [text for text in page.texts if text.startswith("Offer")] == [
        f"Offer {k}" for k in range(6)
    ]
    assert "replied to the last mail ▲ raises odds 1.8×" in page.text
    assert "no meeting so far ▼ lowers odds 2.0×" in page.text
    assert "Last touch 3 days ago ( 23 Nov" not in page.text
    assert "Last touch 3 days ago (23 Nov)" in page.text
    widths = [dict(tag[1])["width"] for tag in page.tags if tag[0] == "rect"]
    assert widths == [f"{100 * chance:.1f}" for chance in np.linspace(0.5, 0.01, 6)]
    assert [tag for tag in page.tags if isinstance(tag, tuple)].count(("details", ())) == 6


def test_a_deal_out_of_turn_stands_among_the_tier_of_its_place_and_says_so(tmp_path):
    frame = batch(tier=["A", "C", "A", "B", "C", "C"], flag=["", "exploration", "", "", "", ""])
    one = only(frame)
    page = page_of(one, tmp_path)
    assert [section["tier"] for section in call_page.sections(one.queue)] == ["A", "B", "C"]
    assert [len(section["deals"]) for section in call_page.sections(one.queue)] == [3, 1, 2]
    assert page.texts.count("place drawn at random") == 1
    call_sheet.write_csv(tmp_path / "a.csv", one)
    assert [row["note"] for row in read_csv(tmp_path / "a.csv")[:3]] == ["", call_sheet.DRAWN, ""]


@given(st.lists(st.sampled_from(["", "exploration", "holdout"]), max_size=12))
def test_the_share_of_exploration_is_that_of_the_deals_on_the_list(flags):
    one = only(batch(len(flags), flag=pd.Series(flags, dtype="str")))
    told = call_batch.sentences(one)["exploration"]
    drawn, count = flags.count("exploration"), len(flags) - flags.count("holdout")
    assert bool(told) == bool(drawn)
    if drawn:
        found = re.match(
            r"(\d+) of these (\d+) deals \(([\d.]+) %\) stands? out of turn: .* random", told
        )
        assert found.groups() == (str(drawn), str(count), f"{100 * drawn / count:.1f}")
    assert len(one.queue) + len(one.holdout) == len(flags)


def test_sentences_are_in_all_three_files(tmp_path):
    frame = batch(flag=["", "exploration", "", "", "holdout", "holdout"])
    folder = call_list.write(tmp_path, frame, HOUR)
    one = only(frame)
    page = Page(folder / "owner-7.html")
    notes = [row["note"] for row in read_csv(folder / "owner-7.csv") if row["part"] == "about"]
    sheets = [read_excel(folder / "owner-7.xlsx", at)[0] for at in (0, 1)]
    for name in ("fresh", "exploration", "holdout"):
        text = call_batch.sentences(one)[name]
        assert text in page.text
        assert text in notes
        assert text in sheets[name == "holdout"]


# The holdout


def written(frame, folder):
    one = only(frame)
    call_sheet.write_csv(folder / "owner-7.csv", one)
    call_sheet.write_excel(folder / "owner-7.xlsx", one)
    call_page.write_page(folder / "owner-7.html", one)
    return folder


def everything(folder):
    """All that the files of owner 7 hold, cell by cell and text by text."""
    found = read_csv(folder / "owner-7.csv")
    book = openpyxl.load_workbook(folder / "owner-7.xlsx")
    cells = [[cell.value for cell in row] for sheet in book for row in sheet.iter_rows()]
    page = Page(folder / "owner-7.html")
    return found, cells, page.tags, page.texts


@given(st.permutations(range(6)), st.lists(st.floats(0, 1), min_size=3, max_size=3))
@settings(max_examples=10)
def test_no_file_depends_on_how_a_deal_of_the_holdout_scored(tmp_path_factory, ranks, chances):
    """Three of six deals are held out; whatever their ranks, tiers, chances and reasons."""
    frame = batch(flag=["", "holdout", "", "holdout", "", "holdout"])
    folder = tmp_path_factory.mktemp("held_out")
    told = everything(written(frame, folder))
    other = frame.copy()
    other["rank"] = np.argsort(ranks) + 1
    shown = other["flag"] == ""
    by_id = np.sort(other.loc[shown, "rank"])  # the others keep their order
    other.loc[shown, "rank"] = by_id
    held_out = ~shown
    other.loc[held_out, "chance"] = chances
    other.loc[held_out, "tier"] = [("A", "B", "")[int(3 * chance) % 3] for chance in chances]
    other.loc[held_out, "reason_1"] = "stage is offer: raises the odds 9 times"
    other = other.sort_values("rank")
    assert everything(written(other, folder)) == told


def test_the_holdout_stands_apart_by_deal_id_without_anything_of_the_score(tmp_path):
    frame = batch(flag=["", "holdout", "", "holdout", "", "holdout"], deal_id=[9, 8, 7, 6, 5, 4])
    frame.loc[[1, 3], ["rank", "chance"]] = None
    folder = call_list.write(tmp_path, frame, HOUR)
    rows = read_csv(folder / "owner-7.csv")
    held_out = [row for row in rows if row["part"] == "holdout"]
    assert [row["deal_id"] for row in held_out] == ["4", "6", "8"]
    assert [row["part"] for row in rows] == ["queue"] * 3 + ["holdout"] * 3 + ["about"] * 2
    for row in held_out:
        assert not any(row[name] for name in ("place", "tier", "chance", "reason_1", "reason_2"))
    _, cells = read_excel(folder / "owner-7.xlsx", 1)
    assert [row["deal_id"].value for row in cells] == [4, 6, 8]
    assert set(cells[0]) == set(call_sheet.HELD_OUT_COLUMNS)
    text = (folder / "owner-7.html").read_text(encoding="utf-8")
    _, queue, apart = re.split(r"<main>|(?=<section id=.holdout)", text)
    assert "Deal 8" not in queue
    assert re.findall(r"Deal (\d)<", apart) == ["4", "6", "8"]
    assert "odds" not in apart
    assert "tier-" not in apart


# Whose list, and under which name


@given(st.lists(hostile, unique=True))
@settings(max_examples=200)
@example(ATTACKS)
def test_names_of_files_are_safe_and_no_two_owners_share_one(owners):
    stems = [
        call_text.file_stem(owner) for owner in dict.fromkeys([*owners, *map(str.swapcase, owners)])
    ]
    for stem in stems:
        assert re.fullmatch(r"owner-[a-z0-9]+(-[a-z0-9]+)*", stem)
        assert len(stem) <= 80
    assert len(set(stems)) == len(stems)
    assert call_text.file_stem(None) not in stems


def test_owners_are_dealt_their_own_deals_and_nobody_gets_the_rest(tmp_path):
    owners = pd.Series(["7", "../7", None, "", "07", "7"], dtype="str")
    folder = call_list.write(tmp_path / "lists", batch(owner_id=owners), HOUR)
    found = {path.stem: path for path in folder.glob("*.csv")}
    deals = {
        stem: [row["deal_id"] for row in read_csv(path) if row["deal_id"]]
        for stem, path in found.items()
    }
    other = call_text.file_stem("../7")
    assert deals == {
        "owner-7": ["101", "106"],
        other: ["102"],
        "nobody": ["103", "104"],
        "owner-07": ["105"],
    }
    endings = {path.suffix for path in folder.iterdir()}
    assert endings == {".csv", ".xlsx", ".html"}
    assert len(list(folder.iterdir())) == 3 * len(found)
    assert {path.name for path in tmp_path.iterdir()} == {"lists"}


@pytest.mark.parametrize("frame", [batch(0), pd.DataFrame(), batch().iloc[:0]])
def test_a_batch_without_rows_gives_lists_that_say_so(tmp_path, frame):
    folder = call_list.write(tmp_path, frame, HOUR, owners=["7"])
    for stem, says in (
        ("owner-7", "No open deal stands here"),
        ("nobody", "Every open deal has an owner"),
    ):
        notes = [row["note"] for row in read_csv(folder / f"{stem}.csv")]
        assert len(notes) == 2
        assert "26 November 2026, 09:00 UTC" in notes[0]
        assert notes[1] == f"{says}; the list is empty, not late."
        assert notes[1] in Page(folder / f"{stem}.html").text
        book = openpyxl.load_workbook(folder / f"{stem}.xlsx")
        assert [sheet.title for sheet in book] == ["Calls"]
        assert book.worksheets[0]["A3"].value == notes[1]


def test_equal_lists_are_equal_bytes_whatever_the_order_of_rows(tmp_path):
    frame = batch(
        12, flag=["", "holdout"] * 6, owner_id=pd.Series(["7", "8", None] * 4, dtype="str")
    )
    one = call_list.write(tmp_path / "a", frame, HOUR)
    other = call_list.write(tmp_path / "b", frame.sample(frac=1, random_state=1), HOUR)
    for path in one.iterdir():
        assert path.read_bytes() == (other / path.name).read_bytes(), path.name


def test_what_has_no_name_no_value_and_no_tier_is_still_listed(tmp_path):
    frame = batch(2, tier="", reason_1="", reason_2="").drop(columns=call_batch.OPTIONAL)
    frame["last_touch_at"] = None
    folder = call_list.write(tmp_path, frame.assign(owner_id=None, flag=None), HOUR)
    page = Page(folder / "nobody.html")
    assert page.texts.count("No touch so far") == 2
    assert "Deal 101" in page.texts
    assert "Deals of nobody" in page.texts
    assert [row["title"] for row in read_csv(folder / "nobody.csv")[:2]] == ["", ""]


def test_a_long_list_is_cut_on_the_page_alone_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(call_page, "ROWS_MAX_COUNT", 4)
    monkeypatch.setattr(call_sheet, "ROWS_MAX_COUNT", 5)
    folder = call_list.write(tmp_path, batch(), HOUR)
    page = Page(folder / "owner-7.html")
    assert "the first 4 of 6 deals; the CSV file has them all." in page.text
    assert page.tags.count(("details", ())) == 4
    about, rows = read_excel(folder / "owner-7.xlsx")
    assert about[2] == "The first 5 of 6 deals; the CSV has them all."
    assert len(rows) == 5
    assert sum(row["part"] == "queue" for row in read_csv(folder / "owner-7.csv")) == 6


# What is refused


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"chance": 1.2}, "column chance: must be from 0 to 1"),
        ({"chance": [0.1, np.nan]}, "column chance: must be there unless the flag is holdout"),
        ({"chance": [0.1, np.inf]}, "column chance: must be a finite number"),
        ({"rank": [1, None]}, "column rank: must be there unless the flag is holdout"),
        ({"rank": [1, 1.5]}, "column rank: must hold whole number"),
        ({"deal_id": 7}, "column deal_id: must be in the batch once"),
        ({"tier": "D"}, "column tier: must be one of A, B, C, or empty"),
        ({"flag": "hidden"}, "column flag: must be one of exploration, holdout, or empty"),
        ({"owner_id": 7}, "column owner_id: must hold text"),
        ({"last_touch_at": "soon"}, "column last_touch_at: must hold time"),
        (
            {"scored_at": HOUR - pd.Timedelta(hours=1)},
            "2 rows of the batch were scored at 2026-11-26 08:00",
        ),
    ],
)
def test_a_batch_that_breaks_a_rule_is_refused_and_the_current_lists_stay(
    tmp_path, columns, message
):
    before = call_list.write(tmp_path, batch(2), HOUR)
    with pytest.raises(InputError, match=message):
        call_list.write(tmp_path, batch(2, **columns), HOUR)
    assert call_list.current(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".lock.partial",
        before.name,
        "current",
    ]


def test_a_missing_column_and_minutes_are_refused(tmp_path):
    with pytest.raises(InputError, match="column tier: must be there; there are deal_id"):
        call_list.write(tmp_path, batch().drop(columns="tier"), HOUR)
    with pytest.raises(InputError, match="must be a full hour in UTC, not 2026-11-26 09:30"):
        call_list.write(tmp_path, batch(), HOUR + pd.Timedelta(minutes=30))
    with pytest.raises(InputError, match="has no lists yet"):
        call_list.current(tmp_path)


def test_times_with_a_zone_are_taken_as_the_moments_they_are(tmp_path):
    zoned = batch(2)
    for name in ("scored_at", "last_touch_at"):
        zoned[name] = zoned[name].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    one = call_list.write(tmp_path / "a", batch(2), HOUR)
    other = call_list.write(tmp_path / "b", zoned, HOUR.tz_localize("UTC").tz_convert("Asia/Tokyo"))
    assert (one / "owner-7.csv").read_bytes() == (other / "owner-7.csv").read_bytes()


# One hour after the other


def hourly(hour, count=2):
    return batch(count, scored_at=hour, last_touch_at=hour)


def test_the_former_hour_stays_and_those_before_go(tmp_path):
    made = []
    for at in range(4):
        hour = HOUR + pd.Timedelta(hours=at)
        made.append(call_list.write(tmp_path, hourly(hour), hour))
        assert call_list.current(tmp_path) == made[-1]
        assert [path.exists() for path in made[-2:]] == [True] * min(at + 1, 2)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".lock.partial", "2026-11-26T11.1", "2026-11-26T12.1", "current"]
    again = call_list.write(tmp_path, hourly(hour, 3), hour)
    assert again.name == "2026-11-26T12.2"
    with pytest.raises(InputError, match="has the lists of 2026-11-26T12 already, which are later"):
        call_list.write(tmp_path, hourly(HOUR), HOUR)
    assert call_list.current(tmp_path) == again


def test_what_else_lies_in_the_folder_stays(tmp_path):
    (tmp_path / "2026-11-26T09.notes").mkdir()
    (tmp_path / "README.md").write_text("ours")
    for at in range(3):
        call_list.write(
            tmp_path, hourly(HOUR + pd.Timedelta(hours=at)), HOUR + pd.Timedelta(hours=at)
        )
    assert (tmp_path / "2026-11-26T09.notes").is_dir()
    assert (tmp_path / "README.md").read_text() == "ours"


def test_a_second_writer_is_refused(tmp_path):
    with (
        call_list.alone(tmp_path),
        pytest.raises(InputError, match="is being written by another process"),
    ):
        call_list.write(tmp_path, batch(), HOUR)
    assert call_list.write(tmp_path, batch(), HOUR).is_dir()


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
import pandas as pd
sys.path.insert(0, sys.argv[2])
from test_call_list import HOUR, hourly
from tierwise.calls import lists as call_list

root, later = Path(sys.argv[1]), HOUR + pd.Timedelta(hours=1)
CHANGES = ("open", "os.rename", "os.mkdir", "os.symlink", "os.remove", "os.rmdir")

def write_and_die(folder, at):
    seen = 0
    def watch(event, arguments):
        nonlocal seen
        if event in CHANGES and str(folder) in str(arguments):
            seen += 1
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(watch)
    call_list.write(folder, hourly(later, 3), later)
    os._exit(0)

for hour in (HOUR - pd.Timedelta(hours=1), HOUR):  # one to be removed, one to stay
    call_list.write(root / "0", hourly(hour), hour)
for at in range(1, 200):
    folder = root / str(at)
    shutil.copytree(root / "0", folder, symlinks=True)
    child = os.fork()
    if not child:
        write_and_die(folder, at)
    if os.waitpid(child, 0)[1] == 0:
        print(at)
        break
"""


@pytest.mark.skipif(
    not hasattr(sys, "addaudithook") or sys.platform == "win32", reason="needs fork"
)
def test_killed_before_any_step_it_leaves_whole_lists_of_one_hour_and_the_next_writing_works(
    tmp_path,
):
    """SIGKILL before each change of the file system in turn; a reader then looks at the lists."""
    run = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path, Path(__file__).parent],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    steps = int(run.stdout)
    assert steps > 20
    files = {f"{stem}.{end}" for stem in ("owner-7", "nobody") for end in ("csv", "xlsx", "html")}
    seen = []
    for at in range(1, steps + 1):
        folder = call_list.current(tmp_path / str(at))
        for one in (tmp_path / str(at)).iterdir():
            if call_list.HOUR.fullmatch(
                one.name
            ):  # whoever looks past `current` sees no half either
                assert {path.name for path in one.iterdir()} == files
                assert all(path.stat().st_size for path in one.iterdir())
        hours = {row["scored_at"] for row in read_csv(folder / "owner-7.csv")}
        texts = Page(folder / "owner-7.html").text
        seen.append(hours.pop())
        assert not hours
        assert f"{seen[-1][-5:]} UTC. A new list" in texts
        assert shared_strings(folder / "nobody.xlsx") >= {"Deals of nobody"}
    assert set(seen) == {"2026-11-26 09:00", "2026-11-26 10:00"}
    assert seen == sorted(seen)
    later = HOUR + pd.Timedelta(hours=2)
    for at in range(1, steps + 1, 4):
        made = call_list.write(tmp_path / str(at), hourly(later), later)
        left = {path.name for path in (tmp_path / str(at)).iterdir()}
        assert made.name in left
        assert not [name for name in left - {".lock.partial"} if name.startswith(".")]
        assert len([name for name in left if call_list.HOUR.fullmatch(name)]) == 2


# whose turn it is


def marked(turns, why="a contact pays", **columns):
    one = only(batch(len(turns), turn=turns, **columns))
    return call_batch.CallList(one.owner_id, one.scored_at, one.queue, one.holdout, why=why)


def test_a_turn_is_marked_in_every_form_and_the_list_says_what_it_means(tmp_path):
    one = marked(["today", "", "today", ""])
    said = "2 of these 4 deals are marked for today: a contact pays."
    assert call_batch.sentences(one)["turns"] == said
    call_sheet.write_csv(tmp_path / "a.csv", one)
    call_sheet.write_excel(tmp_path / "a.xlsx", one)
    records = read_csv(tmp_path / "a.csv")
    assert [row["turn"] for row in records if row["part"] == "queue"] == ["today", "", "today", ""]
    assert said in [row["note"] for row in records if row["part"] == "about"]
    about, rows = read_excel(tmp_path / "a.xlsx")
    assert said in about
    assert [row["turn"].value for row in rows] == ["today", None, "today", None]
    page = page_of(one, tmp_path)
    assert said in page.text
    assert page.texts.count("today") == 2


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        (
            ["today", "today", ""],
            "2 of these 3 deals are marked for today, the first 2 of the list:",
        ),
        (["today", "", ""], "1 of these 3 deals is marked for today:"),
        (["", "", ""], "None of these 3 deals is marked for today. Marks: a contact pays."),
    ],
)
def test_a_list_says_how_far_down_it_is_marked(turns, said):
    assert call_batch.sentences(marked(turns))["turns"].startswith(said)


def test_a_list_on_which_a_place_was_drawn_says_that_the_turn_was_too():
    one = marked(["today", ""], flag=["", "exploration"])
    assert (
        "where a place was drawn at random, the turn was too." in call_batch.sentences(one)["turns"]
    )


def test_a_list_without_turns_says_nothing_of_them(tmp_path):
    one = marked(["", ""], why="")
    assert call_batch.sentences(one)["turns"] == ""
    assert "today" not in page_of(one, tmp_path).texts
    assert (only(batch(3)).queue["turn"] == "").all()


def test_a_turn_that_is_none_is_refused():
    with pytest.raises(InputError, match="turn"):
        call_batch.checked(batch(2, turn=["today", "soon"]), HOUR)


def test_a_held_out_deal_shows_no_turn():
    one = marked(["today", ""], flag=["", "holdout"])
    assert "turn" not in one.holdout
