"""Where CRM tables come from: a folder of files, a DuckDB file or a PostgreSQL database.

`opened` gives a DuckDB connection with one view per table in the types of `tables.CONTRACTS`,
whatever the source was. Nothing is held in memory: rows are read when a query asks for them.

    FOLDER                                   <table>.parquet, .csv, .csv.gz or <table>/*.parquet
    FILE.duckdb                              its tables and views in the schema `main`
    postgresql://user@host:port/database     ?schema=NAME for another one than `public`
"""

import csv
import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from tqdm import tqdm

from tierwise import casts
from tierwise.files import InputError, params
from tierwise.tables import CRM, NEVER_EMPTY, SETS, Names, must_all_be_there

MEMORY = "2GB"  # DuckDB's share; beyond it sorts and joins use the disk
SEPARATORS = ",;\t|"
# Errors of DuckDB that would be our mistake and not that of the source.
OUR_MISTAKES = (
    *(duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException),
    *(duckdb.InternalException, duckdb.OutOfMemoryException),
)


def named(root: Path, application: str) -> str | Path:
    """The source that params.yaml names for an application below `tables:`.

    Raises InputError for a name that suits no folder: its snapshot would be written elsewhere.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", application):
        raise InputError(
            f"Application {application!r} below `tables:` in params.yaml must be lower-case "
            "letters, digits and _, at most 40, starting with a letter: it names a folder. For "
            "example my_leads."
        )
    tables = params(root).get("tables")
    tables = tables if isinstance(tables, dict) else {}
    section = tables.get(application)
    source = section.get("source") if isinstance(section, dict) else None
    if not isinstance(source, str) or not source:
        others = ", ".join(map(str, tables)) or "none"
        raise InputError(
            f"params.yaml names no source of tables for {application!r}; it does for {others}. "
            f"Add `tables: {{{application}: {{source: FOLDER}}}}`."
        )
    return source if is_address(source) else root / source


def names(root: Path, application: str) -> Names:
    """Which tables are read from that source: a set of `tables.SETS`, those of a CRM by default."""
    wanted = (params(root)["tables"][application]).get("set", "crm")
    if wanted not in SETS:
        raise InputError(
            f"params.yaml: tables.{application}.set is {wanted!r}; there are {', '.join(SETS)}."
        )
    return SETS[wanted]


def is_address(source: str) -> bool:
    """A URL, or a text with a password in it that must not be taken for a path and shown."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+]+:/", source)) or "password" in source.lower()


@contextmanager
def opened(
    source: str | Path, workspace: Path, names: Names = CRM
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in which view <table> has the columns that `casts.make_view` keeps.

    names: tables that must be there. workspace: an existing folder of the caller's for what is
    temporary. Raises InputError if a table or column is missing, a value does not fit or nothing
    can be read.
    """
    with duckdb.connect(config={"memory_limit": MEMORY}) as connection:
        connection.execute(f"SET temp_directory = {literal(str(workspace / 'spilled'))}")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")  # tqdm shows one
        connection.execute("SET preserve_insertion_order = false")  # the order is made later
        connection.execute("CREATE SCHEMA given")
        texts = give(connection, source, workspace, names)
        for name in tqdm(names, desc="tables read", disable=None, leave=False):
            with reading(name):
                casts.make_view(connection, name, name in texts)
        yield connection


def give(
    connection: duckdb.DuckDBPyConnection, source: str | Path, workspace: Path, names: Names
) -> set[str]:
    """CREATE VIEW given.<table> for each; returns the tables that are CSV."""
    address, path = str(source), Path(source)
    if is_address(address):
        from tierwise import postgresql

        copied = workspace / "copied"
        copied.mkdir()
        postgresql.copy(address, copied, names)
        return give_files(connection, copied, names)
    if path.is_dir():
        return give_files(connection, path, names)
    if not path.exists():
        raise InputError(f"{path} does not exist. Name a folder, a DuckDB file or postgresql://...")
    if path.suffix != ".duckdb":
        raise InputError(
            f"{path} is no source of tables: it is neither a folder nor a file named *.duckdb. "
            "Put <table>.parquet or <table>.csv into one folder and name that."
        )
    give_database(connection, path, names)
    return set()


def give_database(connection: duckdb.DuckDBPyConnection, path: Path, names: Names) -> None:
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS source (READ_ONLY)")
    except duckdb.Error as error:
        raise InputError(
            f"{path} can't be opened by DuckDB: {first_line(error)} Close other programs that "
            "write to it, or export it again."
        ) from error
    rows = connection.execute(
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_catalog = 'source' AND table_schema = 'main' ORDER BY 1"
    ).fetchall()
    must_all_be_there([row[0] for row in rows], path, names)
    for name in names:
        connection.execute(f"CREATE VIEW given.{name} AS SELECT * FROM source.main.{name}")


def give_files(connection: duckdb.DuckDBPyConnection, folder: Path, names: Names) -> set[str]:
    files = {name: files_of(folder, name) for name in names}
    there = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    absent = [name for name, paths in files.items() if not paths]
    found = [name for name in files if files[name]] + (there if absent else [])
    must_all_be_there(found, folder, names)
    texts = set()
    for name, paths in files.items():
        if len(paths) > 1:
            both = " and ".join(path.name for path in paths)
            raise InputError(f"Table {name} is in {folder} more than once: {both}. Keep one.")
        if ".csv" in paths[0].name:
            texts.add(name)
        with reading(name):
            connection.execute(f"CREATE VIEW given.{name} AS SELECT * FROM {scan(paths[0])}")
    return texts


def files_of(folder: Path, name: str) -> list[Path]:
    """Every place in the folder that holds the table."""
    places = [folder / f"{name}.{ending}" for ending in ("parquet", "csv", "csv.gz")]
    found = [path for path in places if path.is_file()]
    return found + ([folder / name] if any((folder / name).glob("*.parquet")) else [])


def scan(path: Path) -> str:
    """SQL that reads a file or folder."""
    plain = unpatterned(path)
    if path.is_dir():
        return f"read_parquet({literal(plain + '/*.parquet')}, union_by_name = true)"
    if path.suffix == ".parquet":
        return f"read_parquet({literal(plain)})"
    found, separator = header(path)
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in found)
    return (
        f"read_csv({literal(plain)}, auto_detect = false, header = true, strict_mode = true, "
        f"delim = {literal(separator)}, quote = '\"', escape = '\"', nullstr = '', "
        f"columns = {{{columns}}})"
    )


def unpatterned(path: Path) -> str:
    """For DuckDB: brackets and stars in the path itself are no pattern."""
    return re.sub(r"([\[*?])", r"[\1]", str(path))


def header(path: Path) -> tuple[list[str], str]:
    """Names of a CSV file's columns, and what separates them."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            line = file.readline()
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise InputError(f"{path} can't be read: {error}. Save it as CSV in UTF-8.") from error
    separator = max(SEPARATORS, key=line.count)
    names = next(csv.reader([line], delimiter=separator), [])
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice or "" in names:
        problem = f"names {', '.join(twice)} twice" if twice else "has a column without a name"
        problem = problem if names else "is empty"
        raise InputError(f"{path} {problem}. The first line must name each column once.")
    return names, separator


def row_counts(connection: duckdb.DuckDBPyConnection, names: Names = CRM) -> dict[str, int]:
    """table -> rows. Raises InputError for a table without rows that needs some."""
    counts = {}
    for name in names:
        with reading(name):
            counts[name] = connection.execute(f"SELECT count(*) FROM main.{name}").fetchall()[0][0]
        if name in NEVER_EMPTY and not counts[name]:
            raise InputError(
                f"Table {name} has no row. {', '.join(NEVER_EMPTY)} need rows; "
                "look whether the export was cut short or filtered."
            )
    return counts


@contextmanager
def reading(name: str) -> Iterator[None]:
    """What DuckDB says about a damaged file becomes one message about the table."""
    try:
        yield
    except OUR_MISTAKES:
        raise
    except duckdb.Error as error:
        raise InputError(
            f"Table {name} can't be read: {complaint(str(error))} Export the table again."
        ) from error


def complaint(text: str) -> str:
    line, file = (re.search(rf"{word}(.+)", text) for word in ("CSV Error on Line: ", "file = "))
    if line is None or file is None:
        return first_line(text)
    place = f"{Path(file[1].strip()).name}, line {line[1]}: "
    if fields := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text):
        return f"{place}{fields[2]} fields, but the header has {fields[1]}."
    if "unterminated quote" in text:
        return f"{place}a quote opens and never closes."
    return f"{place}{'not UTF-8.' if 'not utf-8' in text else first_line(text)}"


def first_line(error: object) -> str:
    """The first line of DuckDB's message, as a sentence."""
    return str(error).strip().splitlines()[0].rstrip(".!") + "."


def literal(text: str) -> str:
    """A string in SQL."""
    return "'" + text.replace("'", "''") + "'"
