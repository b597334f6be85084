"""pandas as one writes it first: join rows and events, filter, group by row and kind."""

from pathlib import Path

import pandas as pd

from peers.job import EVERYTHING, PROFILE, VALUED, WINDOWS_DAYS, arguments, columns, suffix


def read(folder: Path, name: str) -> pd.DataFrame:
    found = [pd.read_parquet(path) for path in sorted(folder.glob(f"parts/*/{name}.parquet"))]
    return pd.concat(found, ignore_index=True)


def spread(by_kind: pd.Series, ending: str) -> pd.DataFrame:
    """A series by row and kind as one column per kind."""
    return by_kind.unstack("event").add_suffix(ending)


def computed(seen: pd.DataFrame) -> list[pd.DataFrame]:
    """seen: one line per row and event that was known to it."""
    found = []
    for days in WINDOWS_DAYS:
        inside = seen if days is None else seen[seen["age_days"] <= days]
        groups = inside.groupby(["row_id", "event"], observed=True)
        found.append(spread(groups.size(), f"_count{suffix(days)}"))
        found.append(spread(groups["amount"].sum(), f"_total{suffix(days)}"))
        active = inside.groupby("row_id")["day"].nunique()
        found.append(active.to_frame(f"{EVERYTHING}_distinct_days{suffix(days)}"))
    groups = seen.groupby(["row_id", "event"], observed=True)
    found.append(spread(groups["age_days"].min(), "_recency_days"))
    valued = seen[seen["event"].isin(VALUED)].sort_values("occurred_at")
    last = valued.groupby(["row_id", "event"], observed=True)["amount"].last()
    return [*found, spread(last, "_last")]


def main(folder: Path, result: Path) -> None:
    rows = read(folder, "rows")
    rows.index.name = "row_id"
    seen = rows.reset_index().merge(read(folder, "events"), on="key")
    seen = seen[seen["known_at"] < seen["as_of"]]
    seen = seen.assign(
        age_days=(seen["as_of"] - seen["occurred_at"]) / pd.Timedelta(days=1),
        day=seen["occurred_at"].dt.floor("D"),
    )
    table = pd.concat(computed(seen), axis=1).reindex(index=rows.index)
    wanted = [name for name in columns() if name not in PROFILE]
    table = table.reindex(columns=wanted)
    empty = [name for name in wanted if not name.endswith(("_recency_days", "_last"))]
    table[empty] = table[empty].fillna(0)
    profile = rows[["key"]].merge(read(folder, "profile"), on="key", how="left")
    table = pd.concat([rows, table.astype("float32"), profile[PROFILE]], axis=1)
    table.to_parquet(result / "0000.parquet", compression="zstd", index=False)


if __name__ == "__main__":
    main(*arguments())
