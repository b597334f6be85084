"""Tables that no CRM has: clicks on ads from a CSV file, and what a product database knows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd

from tierwise import casts, postgresql, sources, tables
from tierwise.files import InputError


def from_csv(name: str, path: Path) -> pd.DataFrame:
    """A table from a CSV file (or .csv.gz) whose header names the columns of its contract.

    Raises InputError if the file is missing, a column is, or a value does not fit.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing; table {name} is read from it.")
    with session() as connection, sources.reading(name):
        connection.execute(f"CREATE VIEW given.{name} AS SELECT * FROM {sources.scan(path)}")
        return read(connection, name, is_text=True)


def from_duckdb(name: str, path: Path, query: str) -> pd.DataFrame:
    """A table from a query on a DuckDB file that gives the columns of the contract.

    The file is opened for reading only. Raises InputError if it can't be opened, the query can't be
    run, a column is missing or a value does not fit.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing; table {name} is queried from it.")
    with session() as connection:
        try:
            connection.execute(f"ATTACH {sources.literal(str(path))} AS product (READ_ONLY)")
            connection.execute("USE product")
            connection.execute(f"CREATE TEMP TABLE answered AS {query}")
            connection.execute("USE memory")
        except duckdb.Error as error:
            raise InputError(
                f"Table {name} can't be queried from {path.name}: "
                f"{sources.first_line(error)} Correct the query; it must be one SELECT."
            ) from error
        connection.execute(f"CREATE VIEW given.{name} AS SELECT * FROM temp.answered")
        return read(connection, name, is_text=False)


def from_postgresql(name: str, address: str, query: str) -> pd.DataFrame:
    """The same from a PostgreSQL database, in a transaction that may only read."""
    with session() as connection:
        connection.register("answered", postgresql.query(address, query))
        connection.execute(f"CREATE VIEW given.{name} AS SELECT * FROM answered")
        return read(connection, name, is_text=False)


@contextmanager
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute("CREATE SCHEMA given")
        yield connection


def read(connection: duckdb.DuckDBPyConnection, name: str, is_text: bool) -> pd.DataFrame:
    """View given.<name> in the contract's types, ordered by all columns; copies stay."""
    casts.make_view(connection, name, is_text)
    found = connection.sql(f"SELECT * FROM main.{name} ORDER BY ALL").to_arrow_table()
    frame = casts.to_frame(name, found)
    for column in tables.CONTRACTS[name].columns:
        if column not in frame:  # read and never copied, but the contract wants it there
            frame[column] = pd.Series(None, frame.index, dtype="str")
    tables.check(name, frame)
    return frame[list(tables.CONTRACTS[name].columns)]
