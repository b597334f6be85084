"""polars, streaming: conditional aggregates in two levels, by row and kind, then by row."""

import sys
from pathlib import Path

import polars as pl

from peers.job import EVERYTHING, KINDS, PROFILE, VALUED, WINDOWS_DAYS, arguments, parts, suffix

DAY_US = 86_400_000_000
AGE = pl.col("age")


def inside(days: int | None) -> pl.Expr:
    return pl.lit(True) if days is None else days * DAY_US >= AGE


def counted(days: int | None) -> pl.Expr:
    return pl.len() if days is None else inside(days).cast(pl.Int32).sum()


def by_kind() -> list[pl.Expr]:
    given = pl.col("amount").is_not_null()
    newest = pl.col("amount").filter(given).sort_by(pl.col("age").filter(given)).first()
    return [
        *(counted(days).alias(f"n{suffix(days)}") for days in WINDOWS_DAYS),
        *(
            pl.when(inside(days))
            .then(pl.col("amount"))
            .otherwise(0.0)
            .sum()
            .alias(f"s{suffix(days)}")
            for days in WINDOWS_DAYS
        ),
        AGE.min().alias("youngest"),
        newest.alias("last"),
    ]


def by_row() -> list[pl.Expr]:
    def of(kind: str, value: str) -> pl.Expr:
        """Exactly one line, or none, has this kind; null if none has."""
        return pl.when(pl.col("event") == kind).then(pl.col(value)).max()

    return [
        *(
            of(kind, f"n{suffix(days)}").fill_null(0).alias(f"{kind}_count{suffix(days)}")
            for kind in KINDS
            for days in WINDOWS_DAYS
        ),
        *(
            of(kind, f"s{suffix(days)}").fill_null(0).alias(f"{kind}_total{suffix(days)}")
            for kind in VALUED
            for days in WINDOWS_DAYS
        ),
        *((of(kind, "youngest") / DAY_US).alias(f"{kind}_recency_days") for kind in KINDS),
        *(of(kind, "last").alias(f"{kind}_last") for kind in VALUED),
    ]


def query(folder: Path) -> pl.LazyFrame:
    """folder: a partition, or a pattern of several."""
    wanted = pl.scan_parquet(folder / "rows.parquet").with_row_index("row_id")
    events = pl.scan_parquet(folder / "events.parquet")
    seen = (
        events.join(wanted, on="key")
        .filter(pl.col("known_at") < pl.col("as_of"))
        .with_columns(age=(pl.col("as_of") - pl.col("occurred_at")).dt.total_microseconds())
    )
    rows = seen.group_by("row_id", "event").agg(by_kind()).group_by("row_id").agg(by_row())
    active = (
        seen.group_by("row_id", day=pl.col("occurred_at").dt.date())
        .agg(AGE.min())
        .group_by("row_id")
        .agg(
            counted(days).alias(f"{EVERYTHING}_distinct_days{suffix(days)}")
            for days in WINDOWS_DAYS
        )
    )
    counts = ["^.*_count.*$", "^.*_total.*$", f"^{EVERYTHING}_distinct_days.*$"]
    profile = pl.scan_parquet(folder / "profile.parquet").select("key", *PROFILE)
    return (
        wanted.join(rows, on="row_id", how="left")
        .join(active, on="row_id", how="left")
        .drop("row_id")
        .with_columns(pl.col(counts).fill_null(0))
        .with_columns(pl.all().exclude("key", "as_of").cast(pl.Float32))
        .join(profile, on="key", how="left")
    )


def main(folder: Path, result: Path, how: str) -> None:
    places = parts(folder) if how == "parts" else [folder / "parts" / "*"]
    for at, place in enumerate(places):
        query(place).sink_parquet(result / f"{at:04d}.parquet", compression="zstd")


if __name__ == "__main__":
    main(*arguments(), sys.argv[3])
