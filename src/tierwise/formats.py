"""What a file is made of: its bytes, their encoding, its separator and its decimal sign.

Everything is decided from the content; a name's ending only says what to expect. Every
complaint is one `TableError` that says the rule, the offending value and the way out.
"""

import codecs
import csv
import difflib
import gzip
import io
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import charset_normalizer

from tierwise.files import InputError

ENDINGS = (".csv", ".tsv", ".txt", ".parquet")
SEPARATORS = (",", ";", "\t", "|")
SEPARATOR_RECORDS = 200
DECIMAL_LINES = 5000
# csv.reader refuses longer fields, so a sample of this size cannot upset it.
SAMPLE_BYTES = 131_072
# UTF-32 first: its mark begins with that of UTF-16.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LEGACY_ENCODINGS = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1254")
EXCEL = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


class TableError(InputError):
    """A table that cannot be read as it is. The message says what to change."""


@dataclass(frozen=True)
class Format:
    """What a text file looks like: Python's name of its encoding, else one character each."""

    encoding: str
    separator: str
    decimal: str


def listed(values: Iterable[object], most: int = 12) -> str:
    values = list(values)
    return ", ".join(map(repr, values[:most])) + (", …" if len(values) > most else "")


# Bytes


def read_bytes(path: Path) -> bytes:
    """Return the content of `path`, decompressed when it is gzip, whatever its ending says."""
    if path.is_dir():
        raise TableError(f"{path} is a folder. Name one file in it.")
    if not path.exists():
        raise TableError(f"{path} does not exist. {nearest_name(path)}")
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    if ending not in ENDINGS and ending not in (".xls", ".xlsx", ".xlsm", ".xlsb"):
        raise TableError(
            f"{path} ends in {ending!r}. Accepted: {', '.join(ENDINGS)}, text also with .gz."
        )
    raw = path.read_bytes()
    if raw.startswith(b"\x1f\x8b"):
        raw = decompressed(raw, path)
    if not raw.strip():
        raise empty_file(path)
    if raw.startswith(EXCEL) or ending.startswith(".xls"):
        raise TableError(
            f"{path} is an Excel or zip file ({raw[:4]!r}). Save it as CSV or Parquet."
        )
    if ending == ".parquet" and not raw.startswith(b"PAR1"):
        raise TableError(
            f"{path} is not Parquet: it begins with {raw[:4]!r}, not b'PAR1'. Write it again."
        )
    return raw


def is_parquet(raw: bytes, path: Path) -> bool:
    return path.suffix.lower() == ".parquet" or raw[:4] == raw[-4:] == b"PAR1"


def empty_file(path: Path) -> TableError:
    return TableError(f"{path} is empty. Export it again, with a header and rows.")


def binary_file(path: Path) -> TableError:
    return TableError(f"{path} is a binary file: it holds NUL bytes. Save it as CSV or Parquet.")


def nearest_name(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"Neither does its folder {folder}: correct the path."
    files = [entry.name for entry in folder.iterdir() if entry.is_file()]
    close = difflib.get_close_matches(path.name, files, n=1, cutoff=0.0)
    if not close:
        return "Its folder holds no file: correct the path."
    return f"The nearest name there is {close[0]!r}."


def decompressed(raw: bytes, path: Path) -> bytes:
    try:
        return gzip.decompress(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise TableError(
            f"{path} is damaged gzip ({error}). Compress or download it again."
        ) from error


def decode(
    raw: bytes, path: Path, encoding: str | None, separator: str | None, decimal: str | None
) -> tuple[Format, bytes]:
    """Return the format, None being detected, and the text as UTF-8 without a byte order mark."""
    encoding = encoding or encoding_of(raw, path)
    try:
        text = raw.decode(encoding).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise TableError(
            f"{path} is not text in {encoding!r} ({error}). Say another encoding."
        ) from error
    if not text.strip():
        raise empty_file(path)
    if "\0" in text:
        raise binary_file(path)
    data = text.encode()
    separator = separator_of(data, path, separator)
    return Format(encoding, separator, decimal or decimal_of(data, separator)), data


def encoding_of(raw: bytes, path: Path) -> str:
    for mark, name in BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            return name
    if b"\0" in raw:
        return utf16_without_mark(raw[:SAMPLE_BYTES], path)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return legacy_encoding(raw)
    return "utf-8"


def utf16_without_mark(sample: bytes, path: Path) -> str:
    """Separators, digits and blanks have a NUL byte each in UTF-16, all on the same side."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) * 50 < len(sample) or max(even, odd) < 10 * min(even, odd):
        raise binary_file(path)
    return "utf-16-le" if odd > even else "utf-16-be"


def legacy_encoding(raw: bytes) -> str:
    """Return cp1252 unless another code page reads the lines with accents strictly better."""
    foreign = islice((line for line in raw.splitlines() if not line.isascii()), 500)
    matches = charset_normalizer.from_bytes(
        b"\n".join(foreign)[:SAMPLE_BYTES], cp_isolation=list(LEGACY_ENCODINGS)
    )
    best = matches.best()
    western = [match for match in matches if "cp1252" in match.could_be_from_charset]
    favourite = "cp1252"
    if best and not any(m.chaos <= best.chaos and m.coherence >= best.coherence for m in western):
        favourite = best.encoding
    for name in (favourite, "cp1252"):
        try:
            raw.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    return "latin-1"


# Separator and decimal sign


def separator_of(data: bytes, path: Path, told: str | None) -> str:
    """Return the separator with the most records as wide as the header, times that width."""
    if told is not None and len(told) != 1:
        raise TableError(f"separator must be one character, not {told!r}. A tab is '\\t'.")
    sample = data[:SAMPLE_BYTES].decode(errors="ignore")
    scores = {candidate: consistency(sample, candidate) for candidate in SEPARATORS}
    best = max(scores, key=scores.__getitem__)
    if told is None and not scores[best]:
        tried = " ".join("tab" if candidate == "\t" else candidate for candidate in SEPARATORS)
        raise TableError(
            f"{path} has one column under each separator tried ({tried}); it begins with "
            f"{sample.lstrip()[:60].splitlines()[0]!r}. Save it with one of these."
        )
    if told is not None and not consistency(sample, told) and scores[best]:
        raise TableError(
            f"{path} has one column under separator {told!r}, several under {best!r}. Say {best!r}."
        )
    return told or best


def consistency(sample: str, separator: str) -> float:
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
    widths = [len(record) for record in islice(filter(None, reader), SEPARATOR_RECORDS)]
    return (widths[0] - 1) * widths.count(widths[0]) / len(widths)


def number_pattern(decimal: str) -> str:
    """Match amounts, not codes: no leading zero, no +491701234567, no 19 digits."""
    point, thousands = (r"\.", ",") if decimal == "." else (",", r"\.")
    whole = rf"[1-9]\d{{0,2}}(?:{thousands}\d{{3}}){{1,5}}|0|[1-9]\d{{0,17}}"
    signed = rf"(?:-?(?:{whole})|\+(?:0|[1-9]\d{{0,5}}))"
    return rf"(?:{signed}(?:{point}\d*)?|[+-]?{point}\d+)(?:[eE][+-]?\d{{1,3}})?"


def decimal_of(data: bytes, separator: str) -> str:
    """Count the values that are numbers with one sign only: "1,5" says comma, "1,234" nothing."""
    if separator == ",":
        return "."
    lines = data.splitlines()
    spread = lines[:: len(lines) // DECIMAL_LINES + 1]
    fields = [
        field.strip(' "')
        for line in spread
        for field in line.decode(errors="replace").split(separator)
    ]
    comma, point = (
        {field for field in fields if re.fullmatch(number_pattern(sign), field)} for sign in ",."
    )
    only_comma, only_point = comma - point, point - comma
    if only_comma or only_point:
        commas = sum(field in only_comma for field in fields)
        points = sum(field in only_point for field in fields)
        return "," if commas > points else "."
    return "," if separator == ";" and any("," in field for field in comma) else "."
