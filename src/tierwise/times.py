"""Turn text and numbers into times, and order rows that hold only a month and a day.

Times are datetime64[us] without a time zone. What has no date, such as a running number or a
month without its year, stays a number that orders the rows.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tierwise.formats import TableError, listed

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
YEAR = r"(?P<year>\d{4}|\d{2})"
NAME = r"(?P<name>[A-Za-z]{3,9})\.?"
WEEKDAY = r"(?:[A-Za-z]{3,9}\.?,? +)?"
ORDINAL = r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?"
# "14:05", "2:05:09.25 pm", "T14:05:00+02:00": after any date.
CLOCK = (
    r"(?:(?:T|,? +)(?P<hour>\d{1,2}):(?P<minute>\d{2})"
    r"(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r" ?(?:(?P<half>[AaPp])\.?[Mm]\.?)?"
    r" ?(?:Z|UTC|GMT|(?P<sign>[+-])(?P<zone_hours>\d{2}):?(?P<zone_minutes>\d{2})?)?)?"
)
EITHER_ORDER = r"(?P<first>\d{1,2})(?P<mark>[/.-])(?P<other>\d{1,2})[/.-]" + YEAR
DATES = (
    r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})(?:[-/.](?P<day>\d{1,2}))?",
    EITHER_ORDER,
    rf"{WEEKDAY}{ORDINAL}[ /-]*{NAME},?[ /-]*{YEAR}",
    rf"{WEEKDAY}{NAME} *{ORDINAL},? +{YEAR}",
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
        return times_in_numbers(column)
    codes, distinct = pd.factorize(column.astype("str").str.strip())
    months = month_numbers(pd.Series(distinct))
    if len(distinct) and months.notna().all():
        numbers = pd.Series(np.append(months, np.nan)[codes], index=column.index, name=column.name)
        return numbers if numbers.isna().any() else numbers.astype("int64")
    known = pa.array(distinct.tolist(), pa.string())
    times = times_in_text(
        known, is_day_first(known, column.name) if day_first is None else day_first
    )
    # Code -1, missing, takes the last one.
    parsed = pd.Series(
        np.append(times, np.datetime64("NaT"))[codes], index=column.index, name=column.name
    )
    refuse_unparsed(column, parsed)
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
    dates = ~np.isnat(times_in_text(known, True)) | ~np.isnat(times_in_text(known, False))
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
    months = whole_numbers(month_numbers(month).fillna(pd.to_numeric(month, errors="coerce")))
    days = np.ones(len(month), dtype="int64") if day is None else whole_numbers(day)
    falls = np.diff(months, prepend=months[:1]) < 0
    years = first_year + falls.cumsum()
    dates = calendar(years, months, days)
    written = {"month": month} | ({} if day is None else {"day": day}) | {"year": pd.Series(years)}
    refuse_row(np.isnat(dates), written, "is no date. Correct the month or the day.")
    disorder = "the rows are not in date order. Sort them by date, or name a column of dates."
    back = np.diff(dates, prepend=dates[:1]) < np.timedelta64(0, "D")
    refuse_row(back, written, f"is before the row above: {disorder}")
    refuse_row(years > LAST_YEAR, written, f"is after {LAST_YEAR}: {disorder}")
    return pd.Series(dates.astype("datetime64[us]"), index=month.index)


def whole_numbers(column: pd.Series) -> np.ndarray:
    return pd.to_numeric(column, errors="coerce").fillna(0).to_numpy().astype("int64")


def refuse_row(wrong: np.ndarray, written: dict[str, pd.Series], rule: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        values = ", ".join(f"{name} {column.iloc[row]}" for name, column in written.items())
        raise TableError(f"Row {row + 1} ({values}) {rule}")


def month_numbers(month: pd.Series) -> pd.Series:
    """Return 1 to 12 for English names of months, long or short; NaN for anything else."""
    return month.astype("str").str.strip().str.rstrip(".").str.lower().map(MONTHS).astype("float64")


def calendar(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return datetime64[D] from three integer arrays of one length, NaT for no such day."""
    months = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    dates = months.astype("datetime64[D]") + (day - 1)
    exists = (month >= 1) & (month <= 12) & (dates.astype("datetime64[M]") == months)
    return np.where(exists, dates, np.datetime64("NaT"))


def times_in_numbers(column: pd.Series) -> pd.Series:
    known = column.dropna()
    if known.empty or (known % 1 != 0).any():
        return column
    for unit in ("s", "ms"):
        bounds = np.array([f"{FIRST_EPOCH_YEAR}", f"{LAST_YEAR}"], dtype=f"datetime64[{unit}]")
        if known.between(*bounds.astype("int64")).all():
            return pd.to_datetime(column, unit=unit).astype("datetime64[us]")
    if known.between(FIRST_EPOCH_YEAR * 10_000, (LAST_YEAR + 1) * 10_000).all():
        whole = whole_numbers(column)
        dates = calendar(whole // 10_000, whole // 100 % 100, whole % 100)
        if np.isnat(dates).sum() == column.isna().sum():
            return pd.Series(dates.astype("datetime64[us]"), index=column.index, name=column.name)
    return column


def is_day_first(known: pa.Array, name: object) -> bool:
    """Decide on all distinct values: a part above 12 is a day. Dots alone mean day first, too."""
    rows, parts = matching(known, EITHER_ORDER)
    if not len(rows):
        return True
    first, other = part(parts, "first"), part(parts, "other")
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
    values = listed(known.take(unclear[:3]).to_pylist())
    raise TableError(
        f"Column {name!r} can be read day first or month first: {values}. Say which: "
        "`day_first: true` or `false` in params.yaml, --day-first or --month-first on the "
        "command line."
    )


def refuse_unparsed(column: pd.Series, parsed: pd.Series) -> None:
    failed = column[column.notna() & parsed.isna()]
    count = int(column.notna().sum())
    if len(failed) > UNPARSED_SHARE * count:
        raise TableError(
            f"Column {column.name!r}: {len(failed)} of {count} values are no times between "
            f"{FIRST_YEAR} and {LAST_YEAR}: {listed(failed.drop_duplicates().head(3))}. At most "
            "1 % may fail: correct them, or list them under missing values."
        )


def times_in_text(known: pa.Array, day_first: bool) -> np.ndarray:
    """Return datetime64[us], in the order of `known`, NaT for what is no time."""
    times = np.full(len(known), np.datetime64("NaT"), dtype="datetime64[us]")
    for shape in DATES:
        rows, parts = matching(known, shape)
        if len(rows):
            times[rows] = dates_of(parts, day_first) + clock_of(parts)
    return times


def matching(known: pa.Array, shape: str) -> tuple[np.ndarray, dict[str, pa.Array]]:
    """Return the positions of the values of this shape and their parts, '' for a part left out."""
    found = pc.extract_regex(known, pattern=f"^{shape}{CLOCK}$")
    rows = found.is_valid().to_numpy(zero_copy_only=False).nonzero()[0]
    found = found.drop_null()
    return rows, {field.name: found.field(field.name) for field in found.type}


def part(parts: dict[str, pa.Array], name: str, default: int = 0) -> np.ndarray:
    text = parts[name]
    return pc.cast(pc.if_else(pc.equal(text, ""), str(default), text), pa.int64()).to_numpy()


def dates_of(parts: dict[str, pa.Array], day_first: bool) -> np.ndarray:
    year = part(parts, "year")
    # As strptime has it: 69 is 1969, 68 is 2068.
    year = np.where(year < 69, year + 2000, np.where(year < 100, year + 1900, year))
    if "first" in parts:
        day, month = part(parts, "first"), part(parts, "other")
        day, month = (day, month) if day_first else (month, day)
    elif "name" in parts:
        day = part(parts, "day")
        month = np.array([MONTHS.get(name.lower(), 0) for name in parts["name"].to_pylist()])
    else:
        day, month = part(parts, "day", default=1), part(parts, "month")
    inside = (year >= FIRST_YEAR) & (year <= LAST_YEAR)
    return np.where(inside, calendar(year, month, day), np.datetime64("NaT")).astype(
        "datetime64[us]"
    )


def clock_of(parts: dict[str, pa.Array]) -> np.ndarray:
    """Return timedelta64[us] since midnight UTC, NaT for a time of day that does not exist."""
    hour, minute, second = (part(parts, name) for name in ("hour", "minute", "second"))
    half = pc.utf8_lower(parts["half"]).to_numpy(zero_copy_only=False)
    exists = (
        (hour <= 23)
        & (minute <= 59)
        & (second <= 59)
        & ((half == "") | ((hour >= 1) & (hour <= 12)))
    )
    hour = np.where(half == "", hour, hour % 12 + 12 * (half == "p"))
    zone = part(parts, "zone_hours") * 60 + part(parts, "zone_minutes")
    zone = np.where(pc.equal(parts["sign"], "-").to_numpy(zero_copy_only=False), -zone, zone)
    fraction = pc.utf8_slice_codeunits(pc.utf8_rpad(parts["fraction"], 6, "0"), 0, 6)
    micro = pc.cast(fraction, pa.int64()).to_numpy()
    since = ((hour * 60 + minute - zone) * 60 + second) * 1_000_000 + micro
    return np.where(exists, since.astype("timedelta64[us]"), np.timedelta64("NaT"))
