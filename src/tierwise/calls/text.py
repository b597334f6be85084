"""Text from data on its way to people: cleaned, and unable to become a command anywhere.

Whoever names a deal, an organisation or a custom field writes what stands here, customers too.
"""

import hashlib
import re
import unicodedata
from calendar import month_name

import pandas as pd

from tierwise.words import span

CELL_MAX_UNITS = 32_767  # of UTF-16: what a cell of Excel holds
SLUG_MAX_CHARACTERS = 40
RELATIVE_DAYS = 30  # further back than this a date says more
NO_TOUCH = "no touch so far"
NOBODY = "nobody"
# Turn the direction of what follows, so that a text reads other than it is.
TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Lone halves of a pair, and code points that are no characters: no file format takes them.
BROKEN = re.compile(
    "[\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(p << 16 | 0xFFFE)}{chr(p << 16 | 0xFFFF)}" for p in range(17))
    + "]"
)
# A cell begins at the start, or where another program sees a separator: quotes don't hold there.
CELL_START = re.compile(r"(?:^|[,;|\t])\s*")
QUOTES = "\"'"
MONTHS = tuple(month_name)
SIGN = re.compile("[-=+@]")


def readable(text: object) -> str:
    """One line of what was written; "" for none. Control characters and line ends are blanks."""
    if not isinstance(text, str):
        return ""
    if text.isprintable():  # so nothing of what follows is in it, which is nearly always
        return " ".join(text.split())
    text = TURNS.sub("", BROKEN.sub("\ufffd", text))
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)
    text = " ".join(text.split())
    while text and is_unseen(text[0]):  # a mark that nobody sees may hide what comes first
        text = text[1:].lstrip()
    return text


def is_unseen(character: str) -> bool:
    return unicodedata.category(character) == "Cf"


def guarded(text: str) -> str:
    """The text for a CSV file that a spreadsheet opens: no part of it can begin a formula.

    text: what `readable` gives. An apostrophe stands before what looks like the sign of a formula,
    = + - @ in any of their forms, at the start and after each sign that a program set to another
    country takes as a separator: there the quotes around a cell don't hold.
    """
    if text.isascii() and not SIGN.search(text):
        return text
    out, done = [], 0
    for start in CELL_START.finditer(text):
        if begins_formula(text[start.end() :]):
            out += [text[done : start.end()], "'"]
            done = start.end()
    return "".join([*out, text[done:]])


def begins_formula(text: str) -> bool:
    """Is it first one of = + - @, full-width, small or raised, after quotes and blanks?"""
    first = next((c for c in text if c not in QUOTES and not c.isspace() and not is_unseen(c)), "")
    return unicodedata.normalize("NFKC", first)[:1] in {"=", "+", "-", "@", "\u2212"}


def fits_cell(text: str) -> str:
    """The text as Excel and xlsxwriter take it: not too long, and never as markup of their own.

    text: what `readable` gives. xlsxwriter writes a string of the form <r>...</r> into the file
    as XML, unescaped. A blank behind it makes it a text like any other.
    """
    units = text.encode("utf-16-le")
    if len(units) > 2 * CELL_MAX_UNITS:
        cut = units[: 2 * (CELL_MAX_UNITS - 1)].decode("utf-16-le", "ignore")
        text = f"{cut}…"
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def file_stem(owner_id: str | None) -> str:
    """The name of an owner's files, without ending: safe on every system, no two alike.

    owner-7 for a number. Any other id is told by its letters and digits, and told apart by 128 bits
    of its SHA-256: many systems take "Ann" and "ann" for one name. None is "nobody".
    """
    if owner_id is None:
        return NOBODY
    if re.fullmatch(r"[0-9]{1,18}", owner_id):
        return f"owner-{owner_id}"
    slug = re.sub(r"[^a-z0-9]+", "-", owner_id.lower()).strip("-")[:SLUG_MAX_CHARACTERS].strip("-")
    digest = hashlib.sha256(owner_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return "-".join(filter(None, ("owner", slug, digest)))


def since(thens: pd.Series, now: pd.Timestamp) -> list[str]:
    """ "3 days ago", hours below two days; from a month back, or later than `now`, the date."""
    passed = ((now - thens) / pd.Timedelta(days=1)).tolist()
    return [told_since(days, then) for days, then in zip(passed, thens, strict=True)]


def told_since(days: float, then: pd.Timestamp) -> str:
    if pd.isna(days):
        return NO_TOUCH
    return f"{span(days)} ago" if 0 <= days <= RELATIVE_DAYS else date(then)


def date(time: pd.Timestamp) -> str:
    """3 May 2026"""
    return f"{time.day} {MONTHS[time.month]} {time.year}"


def moment(time: pd.Timestamp) -> str:
    """3 May 2026, 09:00 UTC"""
    return f"{date(time)}, {time:%H:%M} UTC"
