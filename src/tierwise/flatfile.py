"""Read a stranger's flat file into a typed table, the same way every time.

What a column becomes depends on its values alone, not on the kind of file:

    numbers   int64, or float64 when values are missing or have decimals
    text      `str`, NaN where missing; booleans and codes such as "00123" too
    times     text until `times.parse_times`; datetime64[us] where Parquet says so
    nothing   float64, all NaN: a column without a value is kept

Rows keep the order of the file. Every complaint is one `TableError` that says the
rule, the offending value and the way out.
"""

import csv
import io
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tierwise.formats import (
    Format,
    TableError,
    decode,
    is_parquet,
    listed,
    number_pattern,
    read_bytes,
)

# The strings that pandas.read_csv takes for missing, as they are written.
MISSING = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
LARGEST_EXACT_FLOAT = 2**53


def detect_format(path: str | Path) -> Format | None:
    """Look at a whole file and say how to read it; None for Parquet. Raises `TableError`."""
    path = Path(path)
    raw = read_bytes(path)
    return None if is_parquet(raw, path) else decode(raw, path, None, None, None)[0]


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
    raw = read_bytes(path)
    if is_parquet(raw, path):
        names, columns = parquet_columns(raw, path)
    else:
        form, data = decode(raw, path, encoding, separator, decimal)
        names, columns = text_columns(data, form.separator, path)
        decimal = form.decimal
    names = checked_names(names, path)
    if not columns or not len(columns[0]):
        raise TableError(
            f"{path} has a header ({listed(names)}) but no row below. Export it with its rows."
        )
    missing = [value.strip().lower() for value in missing_values]
    values = [typed(column, decimal or ".", missing) for column in columns]
    return pd.DataFrame(dict(zip(names, values, strict=True)))


def text_columns(data: bytes, separator: str, path: Path) -> tuple[list[str], list[pa.Array]]:
    """Split UTF-8 text into its header and columns of stripped text, without empty rows."""
    try:
        cells = pd.read_csv(
            io.BytesIO(data), sep=separator, header=None, dtype=str, na_filter=False
        )
    except pd.errors.ParserError as error:
        raise misshapen(data, separator, path, error) from error
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


def misshapen(data: bytes, separator: str, path: Path, error: pd.errors.ParserError) -> TableError:
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
                    f"({listed(header)}). Quote values with {separator!r} in them."
                )
    except csv.Error:
        line = start
    if "EOF inside string" in str(error):
        return TableError(f"{path}, line {line}: a quote opens here and never closes. Close it.")
    return TableError(f"{path}: {error}. Correct the line.")


def checked_names(names: Iterable[str], path: Path) -> list[str]:
    names = [str(name).strip() or f"column_{position}" for position, name in enumerate(names, 1)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise TableError(
            f"{path} has more than one column of the same name: {listed(repeated)}. Rename them."
        )
    return names


def parquet_columns(raw: bytes, path: Path) -> tuple[list[str], list[pa.Array | pd.Series]]:
    try:
        table = pq.ParquetFile(pa.BufferReader(raw)).read()
    except (pa.ArrowException, OSError) as error:
        raise TableError(
            f"{path} is damaged Parquet ({error}). Write or download it again."
        ) from error
    pairs = zip(table.column_names, table.columns, strict=True)
    return table.column_names, [from_arrow(column, name, path) for name, column in pairs]


def from_arrow(column: pa.ChunkedArray, name: str, path: Path) -> pa.Array | pd.Series:
    """Return float64, datetime64[us] or text, whole numbers as text: `typed` keeps them exact."""
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


def typed(column: pa.Array | pd.Series, decimal: str, missing: Collection[str]) -> pd.Series:
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
        pattern = f"^{number_pattern(sign)}$"
        # Most text shows in its first values, which spares a look at all of them.
        if all_match(column[:100], pattern) and all_match(column, pattern):
            return amounts(column, sign)
    return column.to_pandas().astype("str")


def all_match(column: pa.Array, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(column, pattern)).as_py() is not False


def amounts(column: pa.Array, decimal: str) -> pd.Series:
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
