"""What must hold between rows and between tables: keys, references, merges, and the present.

Works in SQL on the schema `staged`, whose tables have the types of the contracts. A missing value
is no matter of links: the contract of its table says whether it may be missing.
"""

import duckdb
import numpy as np
import pandas as pd

from tierwise.refusals import EXAMPLES_COUNT, Failure, example, refusal
from tierwise.tables import COPIES_ALLOWED, CRM, KEYS, Names, owner_of, references


def check(connection: duckdb.DuckDBPyConnection, now: pd.Timestamp, names: Names = CRM) -> None:
    """Raises InputError for the first table with a repeated key, or a row that points nowhere.

    A row that was learned of more than a day after `now` (UTC) is refused too: a clock or a typing
    mistake, that would make others look old.
    """
    to = references(names)
    for name in names:
        found = future(connection, name, now)
        found += [] if name in COPIES_ALLOWED else repeated(connection, name)
        found += unknown(connection, name, *to[name]) if name in to else []
        if found:
            raise refusal(name, found)
    if "deal_changes" in names and (found := strange_merges(connection) or cycles(connection)):
        raise refusal("deal_changes", found)


def copies(name: str, frame: pd.DataFrame) -> np.ndarray:
    """bool per row: another row of the same owner with the same key comes before."""
    if name not in COPIES_ALLOWED:
        return np.zeros(len(frame), dtype=bool)
    return frame.duplicated([owner_of(name), *KEYS[name]]).to_numpy()


def future(connection: duckdb.DuckDBPyConnection, name: str, now: pd.Timestamp) -> list[Failure]:
    """Rows known more than one day after now; a day, for clocks and zones are often set wrong."""
    rule = f"must not be more than one day after the fetch ({now:%Y-%m-%d %H:%M} UTC)"
    limit = f"TIMESTAMP '{now + pd.Timedelta(days=1)}'"
    where = f"FROM staged.{name} AS row WHERE row.known_at > {limit}"
    return failed(connection, name, "known_at", rule, where)


def repeated(connection: duckdb.DuckDBPyConnection, name: str) -> list[Failure]:
    """Rows that share their key with another row."""
    keys = ", ".join(KEYS[name])
    present = " AND ".join(f"{key} IS NOT NULL" for key in KEYS[name])
    rows = connection.sql(
        f"SELECT {keys}, count(*) AS rows_count FROM staged.{name} WHERE {present} "
        f"GROUP BY {keys} HAVING count(*) > 1 ORDER BY {keys}"
    ).df()
    if rows.empty:
        return []
    first = rows.head(EXAMPLES_COUNT).to_dict("records")
    examples = [
        example({k: row[k] for k in KEYS[name]}, "rows", row["rows_count"]) for row in first
    ]
    return [Failure(keys, "each key must be there once", int(rows["rows_count"].sum()), examples)]


def unknown(
    connection: duckdb.DuckDBPyConnection, name: str, column: str, other: str
) -> list[Failure]:
    """Rows that refer to something which its own table does not have."""
    where = (
        f"FROM staged.{name} AS row ANTI JOIN staged.{other} AS other "
        f"ON row.{column} = other.{column} WHERE row.{column} IS NOT NULL"
    )
    rule = f"must be found in {other}"
    return failed(connection, name, column, rule, where)


def strange_merges(connection: duckdb.DuckDBPyConnection) -> list[Failure]:
    """A deal is merged into one that exists, of the same organisation."""
    merges = (
        "FROM staged.deal_changes AS row JOIN staged.deals AS deal ON deal.deal_id = row.deal_id "
        "LEFT JOIN staged.deals AS goal ON goal.deal_id = try_cast(row.new_value AS BIGINT) "
        "WHERE row.field = 'merged_into' AND try_cast(row.new_value AS BIGINT) IS NOT NULL AND "
    )
    nowhere = failed(
        connection,
        "deal_changes",
        "new_value",
        "must be found in deals where field is merged_into",
        merges + "goal.deal_id IS NULL",
    )
    return nowhere or failed(
        connection,
        "deal_changes",
        "new_value",
        "must be a deal of the same organisation where field is merged_into",
        merges + "goal.organization_id <> deal.organization_id",
    )


def cycles(connection: duckdb.DuckDBPyConnection) -> list[Failure]:
    """Merges that lead back to the deal they began with."""
    edges = connection.sql(
        "SELECT change_id, deal_id, try_cast(new_value AS BIGINT) AS goal, new_value "
        "FROM staged.deal_changes WHERE field = 'merged_into' ORDER BY change_id"
    ).df()
    edges = in_cycles(edges)
    if edges.empty:
        return []
    first = edges.head(EXAMPLES_COUNT).to_dict("records")
    examples = [example({"change_id": e["change_id"]}, "new_value", e["new_value"]) for e in first]
    rule = "merges must not form a circle where field is merged_into"
    return [Failure("new_value", rule, len(edges), examples)]


def in_cycles(edges: pd.DataFrame) -> pd.DataFrame:
    """Take away loose ends, again and again: 1 -> 2 -> 3 -> 2 leaves the two merges of 2 and 3."""
    while True:
        kept = edges[edges["goal"].isin(edges["deal_id"]) & edges["deal_id"].isin(edges["goal"])]
        if len(kept) == len(edges):
            return kept
        edges = kept


def failed(
    connection: duckdb.DuckDBPyConnection, name: str, column: str, rule: str, where: str
) -> list[Failure]:
    """where: FROM ... WHERE ... over the broken rows, which it calls `row`."""
    count = connection.execute(f"SELECT count(*) {where}").fetchall()[0][0]
    if not count:
        return []
    keys = ", ".join(f"row.{key}" for key in KEYS[name])
    rows = connection.execute(
        f"SELECT {keys}, row.{column} {where} ORDER BY ALL LIMIT {EXAMPLES_COUNT}"
    ).fetchall()
    examples = [example(dict(zip(KEYS[name], row, strict=False)), column, row[-1]) for row in rows]
    return [Failure(column, rule, count, examples)]
