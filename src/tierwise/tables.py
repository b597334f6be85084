"""Read a stranger's flat file into a typed table, the same way every time.

What a column becomes depends on its values alone, not on the kind of file:

    numbers   int64, or float64 when values are missing or have decimals
    text      `str`, NaN where missing; booleans and codes such as "00123" too
    times     text until `parse_times`; datetime64[us] where Parquet says so
    nothing   float64, all NaN: a column without a value is kept

Rows keep the order of the file. Every complaint is one `TableError` that says the
rule, the offending value and the way out.
"""

import codecs
import csv
import difflib
import gzip
import io
import re
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import charset_normalizer
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

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
# The strings that pandas.read_csv takes for missing, as they are written.
MISSING = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
LARGEST_EXACT_FLOAT = 2**53


class TableError(ValueError):
    """A table that cannot be read as it is. The message says what to change."""


@dataclass(frozen=True)
class Format:
    """What a text file looks like: Python's name of its encoding, else one character each."""

    encoding: str
    separator: str
    decimal: str


def detect_format(path: str | Path) -> Format | None:
    """Look at a whole file and say how to read it; None for Parquet. Raises `TableError`."""
    path = Path(path)
    raw = _read_bytes(path)
    return None if _is_parquet(raw, path) else _decode(raw, path, None, None, None)[0]


def read_table(
    path: str | Path,
    *,
    encoding: str | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    missing_values: Collection[str] = (),
) -> pd.DataFrame:
    """Read CSV, TSV, TXT (each also .gz) or Parquet.

    Parameters
    ----------
    encoding, separator, decimal
        None means: look at the file. `decimal` is "." or ","; the other one may
        separate thousands, in a column in which every value agrees with that.
    missing_values
        Further spellings of "missing", in any case. pandas' own always count, as written.

    Returns
    -------
    DataFrame of shape (rows, columns), index 0, 1, 2 …, columns as the module says.
        Blank lines, a spreadsheet's ";;;" among them, are left out. Fields that a
        short row lacks are missing. A column without a name is called by its
        position, from `column_1`.

    Raises
    ------
    TableError
        The file is missing, empty, binary or damaged, has no rows, repeats a name,
        or a row has more fields than the header.
    """
    path = Path(path)
    if decimal not in (None, ".", ","):
        raise TableError(f"decimal must be '.' or ',', not {decimal!r}.")
    raw = _read_bytes(path)
    if _is_parquet(raw, path):
        names, columns = _parquet_columns(raw, path)
    else:
        form, data = _decode(raw, path, encoding, separator, decimal)
        names, columns = _text_columns(data, form.separator, path)
        decimal = form.decimal
    names = _checked_names(names, path)
    if not columns or not len(columns[0]):
        raise TableError(
            f"{path} has a header ({_listed(names)}) but no row below. Export it with its rows."
        )
    missing = [value.strip().lower() for value in missing_values]
    typed = [_typed(column, decimal or ".", missing) for column in columns]
    return pd.DataFrame(dict(zip(names, typed, strict=True)))


# Bytes


def _read_bytes(path: Path) -> bytes:
    """Return the content of `path`, decompressed when it is gzip, whatever its ending says."""
    if path.is_dir():
        raise TableError(f"{path} is a folder. Name one file in it.")
    if not path.exists():
        raise TableError(f"{path} does not exist. {_nearest(path)}")
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    if ending not in ENDINGS and ending not in (".xls", ".xlsx", ".xlsm", ".xlsb"):
        raise TableError(
            f"{path} ends in {ending!r}. Accepted: {', '.join(ENDINGS)}, text also with .gz."
        )
    raw = path.read_bytes()
    if raw.startswith(b"\x1f\x8b"):
        raw = _decompressed(raw, path)
    if not raw.strip():
        raise _empty(path)
    if raw.startswith(EXCEL) or ending.startswith(".xls"):
        raise TableError(
            f"{path} is an Excel or zip file ({raw[:4]!r}). Save it as CSV or Parquet."
        )
    if ending == ".parquet" and not raw.startswith(b"PAR1"):
        raise TableError(
            f"{path} is not Parquet: it begins with {raw[:4]!r}, not b'PAR1'. Write it again."
        )
    return raw


def _is_parquet(raw: bytes, path: Path) -> bool:
    return path.suffix.lower() == ".parquet" or raw[:4] == raw[-4:] == b"PAR1"


def _empty(path: Path) -> TableError:
    return TableError(f"{path} is empty. Export it again, with a header and rows.")


def _binary(path: Path) -> TableError:
    return TableError(f"{path} is a binary file: it holds NUL bytes. Save it as CSV or Parquet.")


def _nearest(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"Neither does its folder {folder}: correct the path."
    files = [entry.name for entry in folder.iterdir() if entry.is_file()]
    close = difflib.get_close_matches(path.name, files, n=1, cutoff=0.0)
    return (
        f"The nearest name there is {close[0]!r}."
        if close
        else "Its folder holds no file: correct the path."
    )


def _decompressed(raw: bytes, path: Path) -> bytes:
    try:
        return gzip.decompress(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise TableError(
            f"{path} is damaged gzip ({error}). Compress or download it again."
        ) from error


def _decode(
    raw: bytes, path: Path, encoding: str | None, separator: str | None, decimal: str | None
) -> tuple[Format, bytes]:
    """Return the format, None being detected, and the text as UTF-8 without a byte order mark."""
    encoding = encoding or _encoding(raw, path)
    try:
        text = raw.decode(encoding).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise TableError(
            f"{path} is not text in {encoding!r} ({error}). Say another encoding."
        ) from error
    if not text.strip():
        raise _empty(path)
    if "\0" in text:
        raise _binary(path)
    data = text.encode()
    separator = _separator(data, path, separator)
    return Format(encoding, separator, decimal or _decimal(data, separator)), data


def _encoding(raw: bytes, path: Path) -> str:
    for mark, name in BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            return name
    if b"\0" in raw:
        return _utf16_without_mark(raw[:SAMPLE_BYTES], path)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return _legacy_encoding(raw)
    return "utf-8"


def _utf16_without_mark(sample: bytes, path: Path) -> str:
    """Separators, digits and blanks have a NUL byte each in UTF-16, all on the same side."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) * 50 < len(sample) or max(even, odd) < 10 * min(even, odd):
        raise _binary(path)
    return "utf-16-le" if odd > even else "utf-16-be"


def _legacy_encoding(raw: bytes) -> str:
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


def _separator(data: bytes, path: Path, told: str | None) -> str:
    """Return the separator with the most records as wide as the header, times that width."""
    if told is not None and len(told) != 1:
        raise TableError(f"separator must be one character, not {told!r}. A tab is '\\t'.")
    sample = data[:SAMPLE_BYTES].decode(errors="ignore")
    scores = {candidate: _consistency(sample, candidate) for candidate in SEPARATORS}
    best = max(scores, key=scores.__getitem__)
    if told is None and not scores[best]:
        tried = " ".join("tab" if candidate == "\t" else candidate for candidate in SEPARATORS)
        raise TableError(
            f"{path} has one column under each separator tried ({tried}); it begins with "
            f"{sample.lstrip()[:60].splitlines()[0]!r}. Say its separator."
        )
    if told is not None and not _consistency(sample, told) and scores[best]:
        raise TableError(
            f"{path} has one column under separator {told!r}, several under {best!r}. Say {best!r}."
        )
    return told or best


def _consistency(sample: str, separator: str) -> float:
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
    widths = [len(record) for record in islice(filter(None, reader), SEPARATOR_RECORDS)]
    return (widths[0] - 1) * widths.count(widths[0]) / len(widths)


def _number_pattern(decimal: str) -> str:
    """Match amounts, not codes: no leading zero, no +491701234567, no 19 digits."""
    point, thousands = (r"\.", ",") if decimal == "." else (",", r"\.")
    whole = rf"[1-9]\d{{0,2}}(?:{thousands}\d{{3}}){{1,5}}|0|[1-9]\d{{0,17}}"
    signed = rf"(?:-?(?:{whole})|\+(?:0|[1-9]\d{{0,5}}))"
    return rf"(?:{signed}(?:{point}\d*)?|[+-]?{point}\d+)(?:[eE][+-]?\d{{1,3}})?"


def _decimal(data: bytes, separator: str) -> str:
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
        {field for field in fields if re.fullmatch(_number_pattern(sign), field)} for sign in ",."
    )
    only_comma, only_point = comma - point, point - comma
    if only_comma or only_point:
        return (
            ","
            if sum(f in only_comma for f in fields) > sum(f in only_point for f in fields)
            else "."
        )
    return "," if separator == ";" and any("," in field for field in comma) else "."


# Columns


def _text_columns(data: bytes, separator: str, path: Path) -> tuple[list[str], list[pa.Array]]:
    """Split UTF-8 text into its header and columns of stripped text, without empty rows."""
    try:
        cells = pd.read_csv(
            io.BytesIO(data), sep=separator, header=None, dtype=str, na_filter=False
        )
    except pd.errors.ParserError as error:
        raise _misshapen(data, separator, path, error) from error
    columns = [pc.utf8_trim_whitespace(pa.array(cells[position])) for position in cells]
    names = [column[0].as_py() for column in columns]
    blank = pc.equal(columns[0], "")
    for column in columns[1:]:
        if not pc.any(blank).as_py():
            break
        blank = pc.and_(blank, pc.equal(column, ""))
    rows = pc.invert(blank).to_numpy(zero_copy_only=False).nonzero()[0]
    rows = rows[rows > 0]
    return names, [
        column.take(rows) if len(rows) < len(cells) - 1 else column[1:] for column in columns
    ]


def _misshapen(data: bytes, separator: str, path: Path, error: pd.errors.ParserError) -> TableError:
    """Find the line that pandas stumbled over; its own count leaves out line ends inside quotes."""
    reader = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=separator)
    header: list[str] = []
    line = start = 1
    try:
        for record in reader:
            line, start = start, reader.line_num + 1
            header = header or record
            if len(record) > len(header):
                return TableError(
                    f"{path}, line {line}: {len(record)} fields, but the header has {len(header)} "
                    f"({_listed(header)}). Quote values with {separator!r} in them."
                )
    except csv.Error:
        line = start
    if "EOF inside string" in str(error):
        return TableError(f"{path}, line {line}: a quote opens here and never closes. Close it.")
    return TableError(f"{path}: {error}. Correct the line.")


def _checked_names(names: Iterable[str], path: Path) -> list[str]:
    names = [str(name).strip() or f"column_{position}" for position, name in enumerate(names, 1)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise TableError(
            f"{path} has more than one column of the same name: {_listed(repeated)}. Rename them."
        )
    return names


def _listed(values: Iterable[object], most: int = 12) -> str:
    values = list(values)
    return ", ".join(map(repr, values[:most])) + (", …" if len(values) > most else "")


def _parquet_columns(raw: bytes, path: Path) -> tuple[list[str], list[pa.Array | pd.Series]]:
    try:
        table = pq.ParquetFile(pa.BufferReader(raw)).read()
    except (pa.ArrowException, OSError) as error:
        raise TableError(
            f"{path} is damaged Parquet ({error}). Write or download it again."
        ) from error
    pairs = zip(table.column_names, table.columns, strict=True)
    return table.column_names, [_from_arrow(column, name, path) for name, column in pairs]


def _from_arrow(column: pa.ChunkedArray, name: str, path: Path) -> pa.Array | pd.Series:
    """Return float64, datetime64[us] or text, whole numbers as text: `_typed` keeps them exact."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_boolean(kind):
        column = pc.if_else(column, "True", "False")
    elif pa.types.is_decimal(kind) or pa.types.is_floating(kind):
        return column.cast(pa.float64()).to_pandas()
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return column.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False).to_pandas()
    try:
        texts = None if pa.types.is_nested(kind) else column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = None
    if texts is None:
        raise TableError(
            f"{path}: column {name!r} holds {kind}, not numbers, text or times. Flatten or drop it."
        )
    return pc.utf8_trim_whitespace(texts)


def _typed(column: pa.Array | pd.Series, decimal: str, missing: Collection[str]) -> pd.Series:
    """Turn text whose every value is a number into numbers; leave the rest."""
    if isinstance(column, pd.Series):
        return column
    gone = pc.is_in(column, pa.array(MISSING, pa.string()))
    if missing:
        gone = pc.or_(gone, pc.is_in(pc.utf8_lower(column), pa.array(missing, pa.string())))
    column = pc.if_else(gone, pa.scalar(None, pa.string()), column)
    if column.null_count == len(column):
        return pd.Series(np.nan, index=range(len(column)))
    for sign in (decimal, "."):
        pattern = f"^{_number_pattern(sign)}$"
        # Most text shows in its first values, which spares a look at all of them.
        if _all_match(column[:100], pattern) and _all_match(column, pattern):
            return _numbers(column, sign)
    return column.to_pandas().astype("str")


def _all_match(column: pa.Array, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(column, pattern)).as_py() is not False


def _numbers(column: pa.Array, decimal: str) -> pd.Series:
    """Return int64 or float64; text as it was where float64 cannot hold the values."""
    plain = pc.replace_substring(column, "," if decimal == "." else ".", "")
    if pc.any(pc.match_substring_regex(plain, "[.,eE]")).as_py():
        real = pc.cast(pc.replace_substring(plain, ",", "."), pa.float64())
        # "12E345" is no amount.
        finite = pc.all(pc.is_finite(real)).as_py()
        return real.to_pandas() if finite else column.to_pandas().astype("str")
    whole = pc.cast(plain, pa.int64())
    if not whole.null_count:
        return whole.to_pandas()
    if pc.max(pc.abs(whole)).as_py() > LARGEST_EXACT_FLOAT:
        return column.to_pandas().astype("str")
    return pc.cast(whole, pa.float64()).to_pandas()


# Times

FIRST_YEAR, LAST_YEAR = 1900, 2100
FIRST_EPOCH_YEAR = 1990
UNPARSED_SHARE = 0.01
TIME_SHARE = 0.95
TIME_SAMPLE = 200
MONTH_NAMES = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
MONTHS = {name: k for k, name in enumerate(MONTH_NAMES, 1)}
MONTHS |= {name[:3]: k for name, k in MONTHS.items()} | {"sept": 9}
_YEAR = r"(?P<year>\d{4}|\d{2})"
_NAME = r"(?P<name>[A-Za-z]{3,9})\.?"
_WEEKDAY = r"(?:[A-Za-z]{3,9}\.?,? +)?"
_ORDINAL = r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?"
# "14:05", "2:05:09.25 pm", "T14:05:00+02:00": after any date.
_CLOCK = (
    r"(?:(?:T|,? +)(?P<hour>\d{1,2}):(?P<minute>\d{2})"
    r"(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r" ?(?:(?P<half>[AaPp])\.?[Mm]\.?)?"
    r" ?(?:Z|UTC|GMT|(?P<sign>[+-])(?P<zone_hours>\d{2}):?(?P<zone_minutes>\d{2})?)?)?"
)
EITHER_ORDER = r"(?P<first>\d{1,2})(?P<mark>[/.-])(?P<other>\d{1,2})[/.-]" + _YEAR
DATES = (
    r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})(?:[-/.](?P<day>\d{1,2}))?",
    EITHER_ORDER,
    rf"{_WEEKDAY}{_ORDINAL}[ /-]*{_NAME},?[ /-]*{_YEAR}",
    rf"{_WEEKDAY}{_NAME} *{_ORDINAL},? +{_YEAR}",
)


def parse_times(column: pd.Series, *, day_first: bool | None = None) -> pd.Series:
    """Turn times into datetime64[us] without time zone; a running number stays what it is.

    Parameters
    ----------
    column
        datetime64; or text such as 2016-12-31 14:05, 31/12/2016, 12/31/16, 5 Mar 2020,
        "Mar 5, 2020 2:05 pm"; or numbers. Times with a zone become UTC; times without
        are taken as they are. A date without a day is the first of its month.
    day_first
        Whether 03/04/2016 is in April. None means: look at the whole column.

    Returns
    -------
    Series with the index and name of `column`.
        Whole numbers are epoch seconds or milliseconds when all lie in 1990 to 2100,
        dates when all read YYYYMMDD in these years, and else stay as they are.
        Names of months alone become 1 to 12: a month without a year, one year in
        calendar order. Text that is no time is NaT, up to 1 % of the values.

    Raises
    ------
    TableError
        The order of day and month is contradictory or unknown, or more than 1 % of
        the values (missing ones aside) are no times between 1900 and 2100.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return (column.dt.tz_convert(None) if column.dt.tz else column).astype("datetime64[us]")
    if pd.api.types.is_numeric_dtype(column):
        return _times_in_numbers(column)
    codes, distinct = pd.factorize(column.astype("str").str.strip())
    months = _month_numbers(pd.Series(distinct))
    if len(distinct) and months.notna().all():
        numbers = pd.Series(np.append(months, np.nan)[codes], index=column.index, name=column.name)
        return numbers if numbers.isna().any() else numbers.astype("int64")
    known = pa.array(distinct.tolist(), pa.string())
    times = _times_in_text(
        known, _is_day_first(known, column.name) if day_first is None else day_first
    )
    # Code -1, missing, takes the last one.
    parsed = pd.Series(
        np.append(times, np.datetime64("NaT"))[codes], index=column.index, name=column.name
    )
    _refuse_unparsed(column, parsed)
    return parsed


def looks_like_time(column: pd.Series) -> bool:
    """Say whether 95 % of the first 200 distinct values are dates; numbers and months are not."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if not (pd.api.types.is_string_dtype(column) or pd.api.types.is_object_dtype(column)):
        return False
    sample = column.dropna().drop_duplicates().head(TIME_SAMPLE).astype("str").str.strip()
    known = pa.array(sample.tolist(), pa.string())
    # The order of day and month matters to parse_times only.
    dates = ~np.isnat(_times_in_text(known, True)) | ~np.isnat(_times_in_text(known, False))
    return bool(len(dates)) and bool(dates.mean() >= TIME_SHARE)


def order_by_calendar(month: pd.Series, day: pd.Series | None, first_year: int) -> pd.Series:
    """Rebuild the dates of rows in date order that hold only a month and perhaps a day.

    The year goes up by one whenever the month falls: with `first_year` 2008, months
    nov, dec, jan, jan, feb are in 2008, 2008, 2009, 2009, 2009.

    Parameters
    ----------
    month, day
        Series of one length: English names of months or 1 to 12; days of the month.
        Without `day`, dates are the first of the month.

    Returns
    -------
    Series of datetime64[us], ascending, with the index of `month`.

    Raises
    ------
    TableError
        A date does not exist or is earlier than that of the row before, or years
        pass 2100, as they do when rows are in no order. Rows count from 1.
    """
    months = _whole(_month_numbers(month).fillna(pd.to_numeric(month, errors="coerce")))
    days = np.ones(len(month), dtype="int64") if day is None else _whole(day)
    falls = np.diff(months, prepend=months[:1]) < 0
    years = first_year + falls.cumsum()
    dates = _calendar(years, months, days)
    written = {"month": month} | ({} if day is None else {"day": day}) | {"year": pd.Series(years)}
    _refuse_row(np.isnat(dates), written, "is no date. Correct the month or the day.")
    disorder = "the rows are not in date order. Sort them by date, or name a column of dates."
    back = np.diff(dates, prepend=dates[:1]) < np.timedelta64(0, "D")
    _refuse_row(back, written, f"is before the row above: {disorder}")
    _refuse_row(years > LAST_YEAR, written, f"is after {LAST_YEAR}: {disorder}")
    return pd.Series(dates.astype("datetime64[us]"), index=month.index)


def _whole(column: pd.Series) -> np.ndarray:
    return pd.to_numeric(column, errors="coerce").fillna(0).to_numpy().astype("int64")


def _refuse_row(wrong: np.ndarray, written: dict[str, pd.Series], rule: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        values = ", ".join(f"{name} {column.iloc[row]}" for name, column in written.items())
        raise TableError(f"Row {row + 1} ({values}) {rule}")


def _month_numbers(month: pd.Series) -> pd.Series:
    """Return 1 to 12 for English names of months, long or short; NaN for anything else."""
    return month.astype("str").str.strip().str.rstrip(".").str.lower().map(MONTHS).astype("float64")


def _calendar(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return datetime64[D] from three integer arrays of one length, NaT for no such day."""
    months = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    dates = months.astype("datetime64[D]") + (day - 1)
    exists = (month >= 1) & (month <= 12) & (dates.astype("datetime64[M]") == months)
    return np.where(exists, dates, np.datetime64("NaT"))


def _times_in_numbers(column: pd.Series) -> pd.Series:
    known = column.dropna()
    if known.empty or (known % 1 != 0).any():
        return column
    for unit in ("s", "ms"):
        bounds = np.array([f"{FIRST_EPOCH_YEAR}", f"{LAST_YEAR}"], dtype=f"datetime64[{unit}]")
        if known.between(*bounds.astype("int64")).all():
            return pd.to_datetime(column, unit=unit).astype("datetime64[us]")
    if known.between(FIRST_EPOCH_YEAR * 10_000, (LAST_YEAR + 1) * 10_000).all():
        whole = _whole(column)
        dates = _calendar(whole // 10_000, whole // 100 % 100, whole % 100)
        if np.isnat(dates).sum() == column.isna().sum():
            return pd.Series(dates.astype("datetime64[us]"), index=column.index, name=column.name)
    return column


def _is_day_first(known: pa.Array, name: object) -> bool:
    """Decide on all distinct values: a part above 12 is a day. Dots alone mean day first, too."""
    rows, parts = _matches(known, EITHER_ORDER)
    if not len(rows):
        return True
    first, other = _number(parts, "first"), _number(parts, "other")
    days = rows[(first > 12) & (other <= 12)]
    months = rows[(other > 12) & (first <= 12)]
    if len(days) and len(months):
        raise TableError(
            f"Column {name!r} mixes two orders: {known[days[0]].as_py()!r} is day first, "
            f"{known[months[0]].as_py()!r} month first. Write them one way, as 2016-12-31."
        )
    unclear = rows[
        (first != other) & pc.not_equal(parts["mark"], ".").to_numpy(zero_copy_only=False)
    ]
    if len(days) or len(months) or not len(unclear):
        return not len(months)
    values = _listed(known.take(unclear[:3]).to_pylist())
    raise TableError(
        f"Column {name!r} can be read day first or month first: {values}. Say which: "
        "`day_first: true` or `false` in params.yaml, --day-first or --month-first on the "
        "command line."
    )


def _refuse_unparsed(column: pd.Series, parsed: pd.Series) -> None:
    failed = column[column.notna() & parsed.isna()]
    count = int(column.notna().sum())
    if len(failed) > UNPARSED_SHARE * count:
        raise TableError(
            f"Column {column.name!r}: {len(failed)} of {count} values are no times between "
            f"{FIRST_YEAR} and {LAST_YEAR}: {_listed(failed.drop_duplicates().head(3))}. At most "
            "1 % may fail: correct them, or list them under missing values."
        )


def _times_in_text(known: pa.Array, day_first: bool) -> np.ndarray:
    """Return datetime64[us], in the order of `known`, NaT for what is no time."""
    times = np.full(len(known), np.datetime64("NaT"), dtype="datetime64[us]")
    for shape in DATES:
        rows, parts = _matches(known, shape)
        if len(rows):
            times[rows] = _dates(parts, day_first) + _clock(parts)
    return times


def _matches(known: pa.Array, shape: str) -> tuple[np.ndarray, dict[str, pa.Array]]:
    """Return the positions of the values of this shape and their parts, '' for a part left out."""
    found = pc.extract_regex(known, pattern=f"^{shape}{_CLOCK}$")
    rows = found.is_valid().to_numpy(zero_copy_only=False).nonzero()[0]
    found = found.drop_null()
    return rows, {field.name: found.field(field.name) for field in found.type}


def _number(parts: dict[str, pa.Array], name: str, default: int = 0) -> np.ndarray:
    text = parts[name]
    return pc.cast(pc.if_else(pc.equal(text, ""), str(default), text), pa.int64()).to_numpy()


def _dates(parts: dict[str, pa.Array], day_first: bool) -> np.ndarray:
    year = _number(parts, "year")
    # As strptime has it: 69 is 1969, 68 is 2068.
    year = np.where(year < 69, year + 2000, np.where(year < 100, year + 1900, year))
    if "first" in parts:
        day, month = _number(parts, "first"), _number(parts, "other")
        day, month = (day, month) if day_first else (month, day)
    elif "name" in parts:
        day = _number(parts, "day")
        month = np.array([MONTHS.get(name.lower(), 0) for name in parts["name"].to_pylist()])
    else:
        day, month = _number(parts, "day", default=1), _number(parts, "month")
    inside = (year >= FIRST_YEAR) & (year <= LAST_YEAR)
    return np.where(inside, _calendar(year, month, day), np.datetime64("NaT")).astype(
        "datetime64[us]"
    )


def _clock(parts: dict[str, pa.Array]) -> np.ndarray:
    """Return timedelta64[us] since midnight UTC, NaT for a time of day that does not exist."""
    hour, minute, second = (_number(parts, name) for name in ("hour", "minute", "second"))
    half = pc.utf8_lower(parts["half"]).to_numpy(zero_copy_only=False)
    exists = (
        (hour <= 23)
        & (minute <= 59)
        & (second <= 59)
        & ((half == "") | ((hour >= 1) & (hour <= 12)))
    )
    hour = np.where(half == "", hour, hour % 12 + 12 * (half == "p"))
    zone = _number(parts, "zone_hours") * 60 + _number(parts, "zone_minutes")
    zone = np.where(pc.equal(parts["sign"], "-").to_numpy(zero_copy_only=False), -zone, zone)
    fraction = pc.utf8_slice_codeunits(pc.utf8_rpad(parts["fraction"], 6, "0"), 0, 6)
    micro = pc.cast(fraction, pa.int64()).to_numpy()
    since = ((hour * 60 + minute - zone) * 60 + second) * 1_000_000 + micro
    return np.where(exists, since.astype("timedelta64[us]"), np.timedelta64("NaT"))
