"""Tables from and into a PostgreSQL database; reading gives one stream of batches per table.

All tables are read in one transaction, so that they show the same moment. The password comes from
PGPASSWORD or a .pgpass file and is never part of an address, nor of a message.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from tierwise.files import InputError
from tierwise.tables import CONTRACTS, CRM, Names, must_all_be_there

# Types that arrive as they are. Others (enum, uuid, json, inet ...) are asked for as text.
KEPT = (
    *("smallint", "integer", "bigint", "real", "double precision", "boolean", "date"),
    *("timestamp with time zone", "timestamp without time zone", "ARRAY", "bytea"),
)


def copy(address: str, folder: Path, names: Names = CRM) -> None:
    """Write <folder>/<table>.parquet for each of these tables.

    Raises InputError if the address holds a password, the driver is missing, the database can't
    be reached or a table is not there.
    """
    with reached(address) as (cursor, schema, place):
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        types = columns_of(cursor, schema)
        must_all_be_there(list(types), f"Schema {schema} of {place}", names)
        for name in tqdm(names, desc="tables copied", disable=None, leave=False):
            copy_table(cursor, schema, name, types[name], folder / f"{name}.parquet")


def replace(tables: Mapping[str, pa.Table], address: str) -> None:
    """Replace tables, all in one transaction. Raises InputError as `copy` does."""
    with reached(address) as (cursor, schema, _):
        for name, table in tables.items():
            cursor.adbc_ingest(name, table, mode="replace", db_schema_name=schema)


def query(address: str, text: str) -> pa.Table:
    """What one SELECT gives. Raises InputError as `copy` does."""
    with reached(address) as (cursor, _, _):
        cursor.execute("SET TRANSACTION READ ONLY")
        cursor.execute(text)
        return cursor.fetch_arrow_table()


@contextmanager
def reached(address: str) -> Iterator[tuple[Any, str, str]]:
    """A cursor in a transaction that is committed at the end, the schema, and the place's name.

    Raises InputError with the place for whatever the database says.
    """
    uri, schema, place = parsed(address)
    try:
        import adbc_driver_manager
        from adbc_driver_postgresql import dbapi
    except ImportError as error:
        raise InputError(
            "PostgreSQL needs a driver. Install it: pip install 'tierwise[postgresql]'"
        ) from error
    try:
        with dbapi.connect(uri) as connection, connection.cursor() as cursor:
            yield cursor, schema, place
            connection.commit()
    except adbc_driver_manager.Error as error:
        raise InputError(
            f"{place} can't be read or written: {without_password(str(error))}"
        ) from error


def parsed(address: str) -> tuple[str, str, str]:
    """Address for libpq, schema, and how a message calls the place."""
    kind = address.split("://")[0]
    try:
        parts = urlsplit(address)
        is_odd = kind not in ("postgresql", "postgres") or parts.port == 0
    except ValueError:
        is_odd = True
    # A "/" or "#" inside a password would end the part where a password is looked for.
    if is_odd or parts.fragment or "@" in parts.path + parts.query:
        raise InputError(
            "The source is neither a path nor an address of the form "
            "postgresql://user@host:port/database; it is not shown, since it may hold a password."
        )
    query = dict(parse_qsl(parts.query))
    if parts.password is not None or any("password" in key.lower() for key in query):
        raise InputError(
            "The address of the database holds a password. Remove it there and set PGPASSWORD "
            "in the environment, or write a .pgpass file."
        )
    schema = query.pop("schema", "public")
    query = {"connect_timeout": "10"} | query
    where = parts.netloc.split("@")[-1] or query.get("host", "this machine")
    uri = f"{kind}://{parts.netloc}{parts.path}?{urlencode(query, quote_via=quote)}"
    return uri, schema, f"PostgreSQL database {parts.path.strip('/')} at {where}"


def columns_of(cursor: Any, schema: str) -> dict[str, dict[str, str]]:
    """table -> column -> its type's name in PostgreSQL, in the table's order"""
    cursor.execute(
        "SELECT table_name::text, column_name::text, data_type::text "
        "FROM information_schema.columns WHERE table_schema = $1 "
        "ORDER BY table_name, ordinal_position",
        [schema],
    )
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in cursor.fetchall():
        found.setdefault(table, {})[column] = kind
    return found


def copy_table(cursor: Any, schema: str, name: str, types: dict[str, str], path: Path) -> None:
    columns = ", ".join(asked(name, column, kind) for column, kind in types.items())
    cursor.execute(f"SELECT {columns} FROM {identifier(schema)}.{identifier(name)}")
    batches = cursor.fetch_record_batch()
    with pq.ParquetWriter(path, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def asked(name: str, column: str, kind: str) -> str:
    """SQL for a column. A contract's `numeric` goes through text, so that long ids stay exact."""
    text = identifier(column)
    if kind == "numeric":
        kind = "text" if column in CONTRACTS[name].columns else "float8"
        return f"{text}::{kind} AS {text}"
    return text if kind in KEPT else f"{text}::text AS {text}"


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def without_password(text: str) -> str:
    """One line of what libpq says. It never shows a password; should it ever, we don't."""
    line = " ".join(text.split())
    secret = os.environ.get("PGPASSWORD")
    return line.replace(secret, "***") if secret else line
