"""The ledger: every score that was ever given, hour by hour, never changed afterwards.

    <folder>/2026-11/2026-11-24T13.9f2c41d07ab35e68.parquet    the batch of 24 November, 13:00 UTC
    <folder>/.lock                                             held while a batch is appended

Why files of an hour, and no database: a rename makes a batch visible whole or not at all, and a
killed or full machine leaves at most a hidden partial. pandas and DuckDB read the files with no
server and no lock while the next one is written, and 8,760 of them a year are no burden. SQLite
is ten times as large on disk, and a DuckDB file shuts readers out while it is written.

The 16 digits are the first of the file's SHA-256. Being in the name, they come into being with the
file, in the same rename. Every file also tells the name of the hour before it, as it was when it
was written. So `verify` finds what was changed, and what was taken away.

Times are full hours in UTC without a zone. A batch is one hour, by one model.
"""

import os
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tierwise import examples as ex
from tierwise.batches import COLUMNS, SCHEMA, digest, prepared, told
from tierwise.files import InputError, sha256
from tierwise.locks import held

GROUP_ROWS = 131_072
NAME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)\.([0-9a-f]{16})\.parquet")
BEFORE = "tierwise.before"


def of(root: Path, application: str, scores: str) -> pd.DataFrame:
    """Every score of an application: those "given" hour by hour, or those "replayed" afterwards.

    Raises InputError for another word, and where there are none yet.
    """
    places = {"given": root / "data" / "scores" / application / "ledger"}
    places["replayed"] = root / "data" / "replayed" / application
    if scores not in places:
        raise InputError(f"scores must be {' or '.join(places)}, not {scores!r}.")
    if hours(places[scores]).empty:
        command = {"given": "score", "replayed": "replay"}[scores]
        raise InputError(
            f"{places[scores]} holds no scores. Run `tierwise {command} {application}` first."
        )
    return read(places[scores])


def append(folder: Path, batch: pd.DataFrame | Iterable[pd.DataFrame]) -> Path:
    """Add one hour, whole or not at all; returns its file.

    batch: the columns of `batches.COLUMNS`, in one table or in parts; of parts, one is held at a
    time. The same rows again, in any order, change nothing. Raises InputError for rows that break
    a rule, and where the hour is there already with other rows; nothing is written then.
    """
    with held(folder / ".lock"):
        for left in folder.glob("*/.*.partial"):  # of a run that was killed
            left.unlink()
        tables = map(prepared, [batch] if isinstance(batch, pd.DataFrame) else batch)
        first = next((table for table in tables if len(table)), None)
        if first is None:
            raise InputError("The batch holds no row. Append an hour in which a deal was scored.")
        one, there = told(first), hours(folder)
        hour = pd.Timestamp(one["scored_at"])
        partial = folder / f"{hour:%Y-%m}" / f".{hour:%Y-%m-%dT%H}.partial"
        partial.parent.mkdir(exist_ok=True)
        try:
            write(partial, chain([first], tables), one, before(there, hour))
            return settled(partial, there, hour)
        finally:
            partial.unlink(missing_ok=True)


def write(path: Path, tables: Iterable[pa.Table], one: dict[str, Any], earlier: str) -> None:
    """Write the parts, and hand them to the disk before anybody can see them."""
    options: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
    options |= {"use_dictionary": ["scored_at", "tier", "model_version", "flag"]}
    # The bytes of one place side by side: chances that came as 32 bits take half the room.
    options["use_byte_stream_split"] = ["chance", "score", "propensity"]
    with path.open("wb") as file:
        with pq.ParquetWriter(file, SCHEMA, **options) as writer:
            writer.add_key_value_metadata({BEFORE: earlier})
            for table in tables:
                if len(table):
                    told(table, one)
                    writer.write_table(table, GROUP_ROWS)
        file.flush()
        os.fsync(file.fileno())
    refuse_twice(path)


def refuse_twice(path: Path) -> None:
    """Raises InputError if a deal has two scores."""
    deals = pq.read_table(path, columns=["deal_id"])["deal_id"]
    if deals.null_count or len(deals) != len(deals.unique()):
        counts = deals.to_pandas().value_counts()
        raise InputError(
            f"Every deal must have one score an hour; deal {counts.index[0]} has {counts.iloc[0]}. "
            "Append each deal once."
        )


def settled(partial: Path, there: pd.DataFrame, hour: pd.Timestamp) -> Path:
    """Move a finished partial to its place, unless its rows are there already."""
    same = there.loc[there["scored_at"] == hour, "path"]
    if len(same):
        if digest(groups(same.iloc[0])) == digest(groups(partial)):
            return same.iloc[0]
        raise InputError(
            f"The ledger has other scores for {ex.label(hour)} already, in {same.iloc[0].name}. An "
            "hour is never written anew: score the next one, or name another ledger."
        )
    path = partial.with_name(f"{hour:%Y-%m-%dT%H}.{sha256(partial)[:16]}.parquet")
    os.replace(partial, path)
    for changed in (path.parent, path.parent.parent):
        hand_over(changed)
    return path


def hand_over(folder: Path) -> None:
    """A rename outlives a power cut only when its folder is on the disk, too."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def hours(folder: Path) -> pd.DataFrame:
    """What the ledger holds, ascending: scored_at, path. Nothing is opened.

    Raises InputError where an hour has two files, which only a copy by hand can bring about.
    """
    found = {p: NAME.fullmatch(p.name) for p in folder.glob("*/*.parquet")}
    paths = sorted((path for path, match in found.items() if match), key=lambda path: path.name)
    texts = [path.name.partition(".")[0] for path in paths]
    times = pd.to_datetime(texts, format="%Y-%m-%dT%H").astype("datetime64[us]")
    table = pd.DataFrame({"scored_at": times, "path": pd.Series(paths, dtype=object)})
    twice = table["scored_at"].duplicated(keep=False)
    if twice.any():
        names = ", ".join(path.name for path in table.loc[twice, "path"].iloc[:2])
        raise InputError(f"{folder} has two files for one hour: {names}. Keep the one of `verify`.")
    return table


def between(folder: Path, since: Any = None, until: Any = None) -> pd.DataFrame:
    """`hours` from `since` on, before `until`; without limit where one is None."""
    table = hours(folder)
    if since is not None:
        table = table[~ex.known_before(table, since, "scored_at")]
    if until is not None:
        table = table[ex.known_before(table, until, "scored_at")]
    return table.reset_index(drop=True)


def before(there: pd.DataFrame, hour: pd.Timestamp) -> str:
    """The name of the latest earlier file, "" if there is none."""
    earlier = there.loc[ex.known_before(there, hour, "scored_at"), "path"]
    return earlier.iloc[-1].name if len(earlier) else ""


def groups(path: Path, columns: list[str] = COLUMNS) -> Iterator[pd.DataFrame]:
    """The rows of a file, some 100,000 at a time. Raises InputError if it is damaged."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number, columns=columns).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path} is damaged: {str(error).strip()}. Bring it back from a backup; "
            "`ledger.verify` lists all that is."
        ) from error


def by_hour(
    folder: Path, since: Any = None, until: Any = None, columns: list[str] = COLUMNS
) -> Iterator[pd.DataFrame]:
    """One table per hour, ascending; see `read`."""
    for path in between(folder, since, until)["path"]:
        yield pd.concat(groups(path, columns), ignore_index=True)


def read(
    folder: Path, since: Any = None, until: Any = None, columns: list[str] = COLUMNS
) -> pd.DataFrame:
    """The rows from `since` on, before `until`, by hour, then as they were appended."""
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown:
        raise InputError(f"The ledger has no columns {unknown}; it has {COLUMNS}.")
    tables = list(by_hour(folder, since, until, columns))
    empty = SCHEMA.empty_table().select(columns).to_pandas()
    return pd.concat(tables, ignore_index=True) if tables else empty


def first_looks(
    folder: Path, since: Any = None, until: Any = None, shown: bool = False
) -> pd.DataFrame:
    """Per deal the first row from `since` on, before `until`; by hour, then by rank.

    shown: count only rows whose tier was shown. Memory is bounded by the number of deals, for
    DuckDB walks through the files.
    """
    paths = [str(path) for path in between(folder, since, until)["path"]]
    if not paths:
        return SCHEMA.empty_table().to_pandas()
    seen = f"(select * from read_parquet($paths){' where shown' if shown else ''})"
    first = f"(select deal_id, min(scored_at) as scored_at from {seen} group by deal_id)"
    query = f"select {', '.join(COLUMNS)} from {seen} semi join {first} using (deal_id, scored_at)"
    with duckdb.connect() as connection:
        found = connection.execute(f"{query} order by scored_at, rank, deal_id", {"paths": paths})
        return pa.Table.from_pandas(found.df(), schema=SCHEMA, preserve_index=False).to_pandas()


def first_shown(
    folder: Path, outcomes: pd.DataFrame, since: Any = None, until: Any = None
) -> pd.DataFrame:
    """Per deal the first row whose tier was shown before its outcome: what it counts by.

    outcomes: deal_id, closed_at (missing while open). A deal shown at the instant it closed, or
    later, is not in the result; one without an outcome is.
    """
    rows = first_looks(folder, since, until, shown=True)
    closed = rows["deal_id"].map(outcomes.set_index("deal_id")["closed_at"])
    in_time = ex.earlier(rows["scored_at"], closed) | closed.isna()
    return rows[in_time].reset_index(drop=True)


def verify(folder: Path) -> pd.DataFrame:
    """What is damaged: file, problem. Without rows when the ledger is whole.

    A file is damaged if its bytes don't have the digits of its name; if it isn't one of ours; or
    if another one was written after it, and it is gone. Reads every byte.
    """
    rows, paths = [], sorted(folder.glob("*/*.parquet"), key=lambda path: path.name)
    names = {path.name for path in paths}
    for path in paths:
        match = NAME.fullmatch(path.name)
        if match is None:
            rows.append((path.name, "is no batch of this ledger"))
        elif sha256(path)[:16] != match[2]:
            rows.append((path.name, f"was changed: its SHA-256 no longer begins with {match[2]}"))
        else:
            earlier = pq.read_metadata(path).metadata.get(BEFORE.encode(), b"").decode()
            if earlier and earlier not in names:
                rows.append((earlier, f"is missing, though {path.name} was written after it"))
    return pd.DataFrame(rows, columns=["file", "problem"])
