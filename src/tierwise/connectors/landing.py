"""Put the tables of a CRM where `tables:` in params.yaml says that they are: DuckDB or PostgreSQL.

All tables are replaced in one transaction. Whoever reads meanwhile sees the earlier ones, and a
kill leaves the earlier ones.
"""

from collections.abc import Mapping
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from tierwise import postgresql, sources
from tierwise.casts import quoted
from tierwise.files import InputError


def land(tables: Mapping[str, pd.DataFrame], place: str | Path) -> None:
    """Replace the tables in `place`, see `must_take`. Raises InputError if it can't be written."""
    must_take(place)
    if sources.is_address(str(place)):
        postgresql.replace({name: arrow(table) for name, table in tables.items()}, str(place))
    else:
        to_duckdb(tables, Path(place))


def must_take(place: str | Path) -> None:
    """Raises InputError if it is neither *.duckdb nor postgresql://user@host/database."""
    if sources.is_address(str(place)):
        postgresql.parsed(str(place))
    elif Path(place).suffix != ".duckdb" or Path(place).is_dir():
        raise InputError(
            f"{place} can't take tables from a CRM: `source` below `tables:` in params.yaml must "
            "be a file named *.duckdb or postgresql://user@host/database."
        )


def arrow(table: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(table, preserve_index=False)


def to_duckdb(tables: Mapping[str, pd.DataFrame], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with duckdb.connect(str(path)) as connection:
            connection.execute("BEGIN TRANSACTION")
            for name, table in tables.items():
                connection.register("given", arrow(table))
                connection.execute(f"CREATE OR REPLACE TABLE {quoted(name)} AS SELECT * FROM given")
                connection.unregister("given")
            connection.execute("COMMIT")
    except duckdb.Error as error:
        raise InputError(
            f"{path} can't be written by DuckDB: {sources.first_line(error)} Close other programs "
            "that have it open, or free space; the tables in it are the earlier ones."
        ) from error
