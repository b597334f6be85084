"""A validated copy of all tables, those of a CRM in partitions of whole organisations.

    <folder>/snapshot.json             parts_count, data_until, and of each table its figures
    <folder>/users.parquet             the representatives belong to no organisation
    <folder>/persons.parquet           a person may change it, and is asked for from any of them
    <folder>/part-000/<table>.parquet  organisations whose id leaves 0 when divided by parts_count

data_until is the latest known_at of deal_changes: outcomes are recorded there, so nothing later can
be judged, whatever the other tables know. A known_at after the fetch itself is refused. The tables
of accounts, providers, customers and referrals lie beside snapshot.json as a whole, and data_until
is the latest known_at of all.

deal_changes and activities have the organization_id of their deal. Rows are in one total order
(owner, known_at, occurred_at, key, then every other column), and a copy of a message is dropped:
the first known stays. So the bytes depend on the rows alone, not on their order, nor on whether
they came from CSV, Parquet, DuckDB or PostgreSQL.

Memory is bounded by one partition, when it is made by all persons as well: DuckDB scatters the rows
on disk, then partitions are handled one at a time.
"""

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from tierwise import links, refusals, sources, whole_folders
from tierwise.casts import described, quoted, to_frame
from tierwise.files import InputError, read_json, write_json
from tierwise.tables import (
    ACCOUNTS,
    CRM,
    CUSTOMERS,
    KEYS,
    PART,
    PROVIDERS,
    REFERRALS,
    Names,
    kept,
    owner_of,
)

# not in partitions
WHOLE = ("persons", "users", *ACCOUNTS, *PROVIDERS, *CUSTOMERS, *REFERRALS)
OF_A_DEAL = ("deal_changes", "activities")
LATE = pd.Timedelta(hours=1)  # known later than this after it occurred: not learned at once
ROWS_IN_A_GROUP = 262_144
Only = tuple[str, pd.Series]


def fetch(
    source: str | Path,
    folder: str | Path,
    partition_rows_count: int = 2_000_000,
    *,
    names: Names = CRM,
    now: pd.Timestamp | None = None,
    read_until: pd.Timestamp | None = None,
) -> dict[str, Any]:
    """Copy the tables of `source` into the snapshot `folder`; returns what snapshot.json says.

    partition_rows_count: rows of all tables together in one partition, on average.
    names: which tables, a set of `tables.SETS`; only those of a CRM are in partitions.
    now: the time of the fetch in UTC, if not that of the clock; nothing is known a day after it.
    read_until: since when the source may have news, UTC, where that is known; snapshot.json keeps
    it. Raises InputError with one message when anything is wrong; an earlier snapshot then stays
    as it was, byte for byte.
    """
    folder = Path(folder)
    if partition_rows_count < 1:
        raise InputError(f"partition_rows_count must be 1 or more, not {partition_rows_count}.")
    now = pd.Timestamp.now("UTC").tz_localize(None) if now is None else now
    with whole_folders.locked(folder):
        if folder.exists() and not (folder / "snapshot.json").is_file() and any(folder.iterdir()):
            raise InputError(f"{folder} holds something else than a snapshot. Name a new folder.")
        beside = TemporaryDirectory(".partial", f".{folder.name}.", folder.parent)
        with beside as name, sources.opened(source, Path(name), names) as connection:
            made = Path(name) / "snapshot"  # on the same disk, so that a rename moves it
            told = lay_out(connection, Path(name), made, partition_rows_count, now, names)
            told |= {} if read_until is None else {"read_until": read_until.isoformat()}
            write_json(made / "snapshot.json", told)
            whole_folders.swap(made, folder)
        return about(folder)


def lay_out(
    connection: duckdb.DuckDBPyConnection,
    work: Path,
    made: Path,
    partition_rows_count: int,
    now: pd.Timestamp,
    names: Names,
) -> dict[str, Any]:
    """Write every partition below `made`; returns the content of snapshot.json."""
    rows_count = sum(sources.row_counts(connection, names).values())
    parts_count = max(1, math.ceil(rows_count / partition_rows_count))
    connection.execute("CREATE SCHEMA staged")
    for name in tqdm(names, desc="tables scattered", disable=None, leave=False):
        with sources.reading(name):
            scatter(connection, name, parts_count, work / "staged" / name)
    links.check(connection, now, names)
    width = max(3, len(str(parts_count - 1)))
    parts = [made / f"part-{part:0{width}d}" for part in range(parts_count)]
    jobs = [(name, [made] if name in WHOLE else parts) for name in names]
    told = {}
    with tqdm(total=len(parts), desc="partitions", disable=None, leave=False) as bar:
        for name, places in jobs:
            told[name] = write_table(connection, name, work / "staged" / name, places)
            bar.update(len(parts) / len(jobs))
    outcomes = ["deal_changes"] if "deal_changes" in names else names
    until = max(filter(None, (told[name]["last_known_at"] for name in outcomes)))
    return {"parts_count": parts_count, "data_until": until, "tables": told}


def scatter(
    connection: duckdb.DuckDBPyConnection, name: str, parts_count: int, folder: Path
) -> None:
    """Write a table by partition; view staged.<name> then reads it back as a whole."""
    columns = [
        column for column in described(connection, f"main.{name}") if column != "organization_id"
    ]
    chosen = ", ".join(f"own.{quoted(column)}" for column in columns)
    source, owner = f"main.{name} AS own", "own.organization_id"
    if name in OF_A_DEAL:  # a deal that is there twice or not at all is told by links.check
        deals = (
            "SELECT deal_id, min(organization_id) AS organization_id FROM staged.deals GROUP BY 1"
        )
        source += f" LEFT JOIN ({deals}) AS deal ON deal.deal_id = own.deal_id"
        owner = "deal.organization_id"
    if name in CRM and name != "users":
        chosen += f", {owner} AS organization_id"
    if name not in WHOLE:
        part = f"coalesce(({owner} % {parts_count} + {parts_count}) % {parts_count}, 0)"
    else:
        part = "0"
    folder.mkdir(parents=True)
    connection.execute(
        f"COPY (SELECT {chosen}, {part} AS {PART} FROM {source}) TO {sources.literal(str(folder))} "
        f"(FORMAT parquet, PARTITION_BY ({PART}), OVERWRITE_OR_IGNORE true)"
    )
    empty = f"SELECT {chosen} FROM {source} LIMIT 0"
    filled = f"SELECT * FROM {scan(folder, '*')}"
    connection.execute(f"CREATE VIEW staged.{name} AS {filled if any(folder.iterdir()) else empty}")


def scan(folder: Path, part: int | str) -> str:
    files = sources.literal(f"{sources.unpatterned(folder)}/{PART}={part}/*.parquet")
    return f"read_parquet({files}, hive_partitioning = false)"


def write_table(
    connection: duckdb.DuckDBPyConnection, name: str, staged: Path, places: list[Path]
) -> dict[str, Any]:
    """Order, check and write each partition of a table; returns its figures for snapshot.json.

    Raises InputError that counts the broken rows of all partitions.
    """
    found: list[refusals.Failure] = []
    figures = []
    for part, place in enumerate(places):
        is_there = (staged / f"{PART}={part}").is_dir()
        relation = scan(staged, part) if is_there else f"(FROM staged.{name} LIMIT 0)"
        table = in_order(connection, name, relation)
        frame = to_frame(name, table)
        if len(frame):  # without rows only the types are left, and those are DuckDB's
            found += refusals.failures(kept(name), KEYS[name], frame)
        if found:
            continue  # the other partitions are still counted
        first = ~links.copies(name, frame)
        write(name, table.filter(pa.array(first)), place / f"{name}.parquet")
        figures.append(measured(frame[first], int((~first).sum())))
    if found:
        raise refusals.refusal(name, refusals.added(found))
    return summed(figures)


def in_order(connection: duckdb.DuckDBPyConnection, name: str, relation: str) -> pa.Table:
    there = list(described(connection, relation))
    contract = list(kept(name).columns)
    added = ["organization_id"] if name in OF_A_DEAL else []
    columns = [*contract, *added, *sorted(set(there) - {*contract, *added})]
    first = [owner_of(name), "known_at", "occurred_at", *KEYS[name]]
    order = dict.fromkeys([column for column in first if column in columns] + columns)
    return connection.sql(
        f"SELECT {', '.join(map(quoted, columns))} FROM {relation} "
        f"ORDER BY {', '.join(f'{quoted(column)} NULLS LAST' for column in order)}"
    ).to_arrow_table()


def write(name: str, table: pa.Table, path: Path) -> None:
    """The same bytes for the same rows. Words that repeat are stored once (and read as text)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    repeated = [column for column in texts if column not in KEYS[name]]
    pq.write_table(
        table.combine_chunks(),  # pages end where chunks do, and chunks are DuckDB's affair
        path,
        compression="zstd",
        use_dictionary=repeated,
        row_group_size=ROWS_IN_A_GROUP,
    )


def measured(frame: pd.DataFrame, copies_count: int) -> dict[str, Any]:
    """Figures of one partition."""
    known = frame["known_at"]
    late = known - frame["occurred_at"] > LATE if "occurred_at" in frame else None
    return {
        "rows_count": len(frame),
        "copies_count": copies_count,
        "late_count": None if late is None else int(late.sum()),
        "first_known_at": known.min(),
        "last_known_at": known.max(),
    }


def summed(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of a table. late_share is null where a table has no occurred_at or no row."""
    table = pd.DataFrame(figures)
    rows_count = int(table["rows_count"].sum())
    is_dated = rows_count > 0 and table["late_count"].notna().all()
    ends = table["first_known_at"].min(), table["last_known_at"].max()
    return {
        "rows_count": rows_count,
        "copies_count": int(table["copies_count"].sum()),
        "late_share": float(table["late_count"].sum() / rows_count) if is_dated else None,
        "first_known_at": ends[0].isoformat() if rows_count else None,
        "last_known_at": ends[1].isoformat() if rows_count else None,
    }


def about(folder: str | Path) -> dict[str, Any]:
    """parts_count, data_until and maybe read_until (UTC, ISO), tables: name -> figures."""
    path = Path(folder) / "snapshot.json"
    if not path.is_file():
        raise InputError(f"{folder} holds no snapshot of tables. Run `tierwise fetch` to make it.")
    return read_json(path)


def parts(folder: str | Path) -> list[Path]:
    """The folders of all partitions, in order."""
    about(folder)
    return sorted(path for path in Path(folder).iterdir() if path.name.startswith("part-"))


def read(
    part: str | Path, name: str, columns: list[str] | None = None, only: Only | None = None
) -> pd.DataFrame:
    """One table of one partition in the contract's types; persons and users are the same for each.

    Custom fields: Int64, float64, boolean, datetime64[us] or str. Rows as the module says; only: of
    this column those values.
    """
    part = Path(part)
    folder = part.parent if name in WHOLE and part.name.startswith("part-") else part
    if not (path := folder / f"{name}.parquet").is_file():
        raise InputError(f"{path} is missing. Run `tierwise fetch` to make it.")
    filters = None if only is None else pc.field(only[0]).isin(pa.array(only[1].unique()))
    return to_frame(name, pq.read_table(path, columns=columns, filters=filters))
