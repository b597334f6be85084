"""A call list as CSV and for Excel, in which nothing from data is a formula, a link or markup.

Both have the queue in order, then the deals of the holdout, and what the list says of itself: in
CSV as last records, in Excel above the table. Numbers are numbers, so a negative value keeps its
sign; times are UTC.
"""

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from xlsxwriter import Workbook  # here, so that a machine without it stops before an hour is scored

from tierwise.calls.batch import EXPLORATION, REASONS, CallList, as_objects, heading, sentences
from tierwise.calls.text import fits_cell, guarded

DRAWN = "place drawn at random"
# Column -> its title in Excel and its width there, in characters.
COLUMNS = {
    "place": ("Place", 7),
    "tier": ("Tier", 6),
    "turn": ("Turn", 8),
    "chance": ("Chance", 10),
    "title": ("Deal", 34),
    "organization": ("Organisation", 28),
    "value_eur": ("Value (€)", 12),
    "last_touch": ("Last touch", 16),
    "last_touch_at": ("Last touch (UTC)", 18),
    **{name: (f"Reason {at}", 46) for at, name in enumerate(REASONS, 1)},
    "note": ("Note", 24),
    "deal_id": ("Deal id", 12),
}
CSV_COLUMNS = ["part", *COLUMNS, "scored_at"]
HELD_OUT_COLUMNS = [
    *("deal_id", "title", "organization", "value_eur", "last_touch", "last_touch_at"),
]
ROWS_MAX_COUNT = 1_000_000  # a sheet holds 1,048,576
DIGITS_MAX = 10**15  # Excel keeps fifteen digits of a number
INK, MUTED, LINE, HEAD = "#1f2933", "#5b6876", "#d9dfe5", "#f1f4f7"
TIER_FILLS = {"A": ("#d6f0e6", "#0d5c43"), "B": ("#e1ebfd", "#24509c"), "C": ("#e9edf1", "#46525e")}
FORMATS: dict[str, dict[str, Any]] = {
    # With the prefix of quotes a text stays one when somebody edits the cell.
    "text": {"quote_prefix": True},
    "number": {"num_format": "#,##0"},
    "whole": {"num_format": "0"},
    "share": {"num_format": "0.0%"},
    "time": {"num_format": "d mmm yyyy hh:mm", "align": "left"},
    "head": {"bold": True, "bg_color": HEAD, "bottom": 1, "bottom_color": LINE},
    "title": {"bold": True, "font_size": 14, "quote_prefix": True},
    "sentence": {"font_color": MUTED, "quote_prefix": True},
    **{
        f"tier {tier}": {"bold": True, "align": "center", "bg_color": fill, "font_color": ink}
        for tier, (fill, ink) in TIER_FILLS.items()
    },
}


def write_csv(path: Path, one: CallList) -> None:
    """UTF-8 with the mark that Excel needs, every cell in quotes; columns CSV_COLUMNS.

    part: queue, holdout, or about, whose records have a sentence as note and nothing else.
    """
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(CSV_COLUMNS)
        for part, deals in (("queue", one.queue), ("holdout", one.holdout)):
            writer.writerows(as_csv(noted(deals).assign(part=part)))
        said = pd.DataFrame({"note": list(filter(None, sentences(one).values()))})
        writer.writerows(as_csv(said.assign(part="about", scored_at=one.scored_at)))


def noted(deals: pd.DataFrame) -> pd.DataFrame:
    drawn = (deals["flag"] == EXPLORATION).tolist()
    return deals.assign(note=as_objects(DRAWN if is_drawn else "" for is_drawn in drawn))


def as_csv(records: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    absent = [""] * len(records)
    columns = [records.get(name, absent) for name in CSV_COLUMNS]
    return zip(*(map(csv_cell, column) for column in columns), strict=True)


def csv_cell(value: Any) -> str:
    if isinstance(value, str):
        return guarded(value)
    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        return value.isoformat(" ", "minutes")
    return f"{value:.10g}" if isinstance(value, float) else str(value)


# Excel


def write_excel(path: Path, one: CallList) -> None:
    """A sheet with the queue and, where there are any, one with the deals of the holdout.

    Dated by the hour of the scores, so that equal lists are equal bytes. Needs the extra hourly.
    """
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with Workbook(path, options) as book:
        book.set_properties({"created": one.scored_at.to_pydatetime()})
        formats = {name: book.add_format(what) for name, what in FORMATS.items()}
        told = sentences(one)
        about = [told["fresh"], told["empty"], told["turns"], told["exploration"]]
        if len(one.holdout):
            about.append("Deals without a tier are on the second sheet.")
        queue = noted(one.queue)[list(COLUMNS)]
        write_sheet(book.add_worksheet("Calls"), heading(one), about, queue, formats)
        if len(one.holdout):
            lines = [told["fresh"], told["holdout"]]
            rest = one.holdout[HELD_OUT_COLUMNS]
            write_sheet(book.add_worksheet("Without tiers"), heading(one), lines, rest, formats)


def write_sheet(
    sheet: Any, title: str, about: list[str], deals: pd.DataFrame, formats: Mapping[str, Any]
) -> None:
    """sheet: a worksheet of xlsxwriter. Title, sentences, then the table under a frozen header."""
    lines = [text for text in about if text]
    if len(deals) > ROWS_MAX_COUNT:
        lines.append(f"The first {ROWS_MAX_COUNT:,} of {len(deals):,} deals; the CSV has them all.")
    sheet.write_string(0, 0, fits_cell(title), formats["title"])
    for row, text in enumerate(lines, 1):
        sheet.write_string(row, 0, fits_cell(text), formats["sentence"])
    top = len(lines) + 1
    for at, name in enumerate(deals):
        words, width = COLUMNS[str(name)]
        sheet.write_string(top, at, words, formats["head"])
        sheet.set_column(at, at, width)
    shown = deals.head(ROWS_MAX_COUNT)
    for at, name in enumerate(shown):
        for row, value in enumerate(shown[name], top + 1):
            write_cell(sheet, row, at, str(name), value, formats)
    lay_out(sheet, top, shown)


def write_cell(
    sheet: Any, row: int, at: int, name: str, value: Any, formats: Mapping[str, Any]
) -> None:
    """By the type of the value, never by what a text looks like."""
    if isinstance(value, str):
        kind = f"tier {value}" if name == "tier" and value else "text"
        if value:
            sheet.write_string(row, at, fits_cell(value), formats[kind])
    elif pd.isna(value):
        return
    elif isinstance(value, pd.Timestamp):
        if 1900 <= value.year <= 9999:
            sheet.write_datetime(row, at, value.to_pydatetime(), formats["time"])
        else:
            sheet.write_string(row, at, value.isoformat(" ", "minutes"), formats["text"])
    elif isinstance(value, int) and abs(value) >= DIGITS_MAX:
        sheet.write_string(row, at, str(value), formats["text"])
    elif math.isfinite(value):
        kind = {"chance": "share", "value_eur": "number"}.get(name, "whole")
        sheet.write_number(row, at, value, formats[kind])


def lay_out(sheet: Any, top: int, deals: pd.DataFrame) -> None:
    """top: row of the header. Frozen, filtered, a bar in each chance, and ready to be printed."""
    last = top + len(deals)
    sheet.freeze_panes(top + 1, 0)
    sheet.autofilter(top, 0, last, len(deals.columns) - 1)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(top)
    if "chance" in deals and len(deals):
        at = deals.columns.get_loc("chance")
        bar = {"min_type": "num", "min_value": 0, "max_type": "num", "max_value": 1}
        bar |= {"bar_color": "#9cd8c5", "bar_solid": True}
        sheet.conditional_format(top + 1, at, last, at, {"type": "data_bar", **bar})
