"""What notebooks put on a page beside figures: tables, headline cards, a verdict.

Everything that comes from data is escaped here, column names too. Formats are words, so that a
share is written the same way on every page: see `format_value`.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML

from tierwise.files import InputError

MISSING = "–"
VERDICTS = {
    "supported": "Supported",
    "not supported": "Not supported",
    "cannot rank": "Cannot rank",
    "alarm": "",
    "info": "",
}


def _seconds(value: float) -> str:
    if value == 0:
        return "0 s"
    decimals = max(0, 1 - math.floor(math.log10(abs(value))))
    return f"{float(f'{value:.1e}'):,.{decimals}f} s"


def _money(value: float) -> str:
    return f"{'-' if round(value) < 0 else ''}€{abs(value):,.0f}"


NUMBERS: dict[str, Callable[[float], str]] = {
    "count": "{:,.0f}".format,
    "share": "{:.1%}".format,
    "number": "{:,.3f}".format,
    "eur": _money,
    "seconds": _seconds,
}
FORMATS = (*NUMBERS, "date", "text")


def format_value(value: Any, kind: str) -> str:
    """Text of one value, not escaped.

    `kind`: count 1,234; share 12.3 % (of a fraction); number 0.123; eur €1,234; seconds 0.012 s
    (two significant digits); date 2026-05-31; text. A (low, high) pair is "low – high"; nothing
    is "–"; a word in a column of numbers ("too early to say") stays as it is.
    """
    if kind not in FORMATS:
        raise InputError(f"A format is one of {', '.join(FORMATS)}, not {kind!r}.")
    if isinstance(value, list | tuple) and len(value) == 2:
        low, high = (format_value(end, kind) for end in value)
        return MISSING if MISSING in (low, high) else f"{low} – {high}"
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return MISSING
    if kind == "text" or isinstance(value, str):
        return str(value)
    if kind == "date":
        return pd.Timestamp(value).date().isoformat()
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return NUMBERS[kind](value).replace("%", " %")


def table(
    frame: pd.DataFrame, formats: Mapping[str, str] | None = None, caption: str | None = None
) -> HTML:
    """The frame as an HTML table without its index; numbers right-aligned.

    `formats`: column -> a kind of `format_value`; a column not named gets one from its type.
    Raises InputError for a format of a column that the frame does not have.
    """
    formats = dict(formats or {})
    unknown = sorted(set(formats) - set(frame.columns))
    if unknown:
        raise InputError(f"No column {unknown}; the table has {list(frame.columns)}.")
    kinds = [formats.get(name) or _kind(frame.iloc[:, at]) for at, name in enumerate(frame.columns)]
    head = "".join(
        _cell("th", str(name).replace("_", " "), kind, ' scope="col"')
        for name, kind in zip(frame.columns, kinds, strict=True)
    )
    rows = "".join(
        f"<tr>{''.join(map(_value_cell, row, kinds))}</tr>\n"
        for row in frame.itertuples(index=False, name=None)
    )
    title = f"<caption><span>{escape(caption)}</span></caption>" if caption else ""
    return HTML(
        f'<div class="table-scroll" tabindex="0"><table class="report">{title}'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>"
    )


def _kind(column: pd.Series) -> str:
    types = pd.api.types
    if str(column.name).endswith("_share") and types.is_numeric_dtype(column):
        return "share"
    if types.is_datetime64_any_dtype(column):
        return "date"
    if types.is_bool_dtype(column) or not types.is_numeric_dtype(column):
        return "text"
    return "count" if types.is_integer_dtype(column) else "number"


def _value_cell(value: Any, kind: str) -> str:
    return _cell("td", format_value(value, kind), kind)


def _cell(tag: str, text: str, kind: str, attributes: str = "") -> str:
    align = "" if kind == "text" else ' class="number"'
    return f"<{tag}{attributes}{align}>{escape(text)}</{tag}>"


def headline(items: Sequence[Mapping[str, str | None]]) -> HTML:
    """Cards for the few figures that matter.

    An item has `label` and `value` (text, already formatted), and may have `interval` and `note`.
    """
    cards = "".join(
        '<div class="card">'
        + _line("dt", "label", item["label"])
        + _line("dd", "value", item["value"])
        + _line("dd", "interval", item.get("interval"))
        + _line("dd", "note", item.get("note"))
        + "</div>\n"
        for item in items
    )
    return HTML(f'<dl class="cards">\n{cards}</dl>')


def _line(tag: str, name: str, text: str | None) -> str:
    return f'<{tag} class="{name}">{escape(text)}</{tag}>' if text else ""


def verdict(kind: str, sentence: str) -> HTML:
    """A banner: `kind` is supported, not supported, cannot rank, alarm or info."""
    if kind not in VERDICTS:
        raise InputError(f"A verdict is one of {', '.join(VERDICTS)}, not {kind!r}.")
    title = f"<strong>{VERDICTS[kind]}</strong>" if VERDICTS[kind] else ""
    name = kind.replace(" ", "-")
    return HTML(f'<div class="verdict {name}">{title}<p>{escape(sentence)}</p></div>')


def say(text: str) -> None:
    """Tell whoever watches the run; the page itself leaves the error stream out."""
    print(text, file=sys.stderr, flush=True)
