"""The job that all implementations do, in words that need no library.

FOLDER/parts/0000/, 0001/ ... are partitions of the log: all rows of an entity lie in one of them.

    events.parquet   key, known_at, occurred_at, event, amount; sorted by key and known_at
    rows.parquet     key, as_of: for whom and for when the features are wanted
    profile.parquet  key, segment, employees_count, country: one row per entity

Result: a folder of Parquet files with key, as_of, the features of `columns` as float32, and the
profile. An event counts if known_at < as_of, and in a window if as_of - window <= occurred_at.
Compression is zstd, everything else is as each library's writer comes.
"""

import sys
from pathlib import Path

KINDS = [
    *("visit", "search", "login", "download", "signup", "invite", "share", "comment"),
    *("mail_open", "mail_click", "reply", "call", "meeting", "demo", "trial", "support"),
    *("quote", "order", "payment", "refund"),
]
VALUED = ["order", "payment", "refund"]
EVERYTHING = "any"
WINDOWS_DAYS = [1, 7, 30, None]
PROFILE = ["segment", "employees_count", "country"]


def suffix(days: int | None) -> str:
    return "" if days is None else f"_{days}d"


def columns() -> list[str]:
    """The 122 columns of the result after key and as_of, in their order."""
    return [
        *(f"{kind}_count{suffix(days)}" for kind in KINDS for days in WINDOWS_DAYS),
        *(f"{kind}_total{suffix(days)}" for kind in VALUED for days in WINDOWS_DAYS),
        *(f"{kind}_recency_days" for kind in KINDS),
        *(f"{kind}_last" for kind in VALUED),
        *(f"{EVERYTHING}_distinct_days{suffix(days)}" for days in WINDOWS_DAYS),
        *PROFILE,
    ]


def parts(folder: Path) -> list[Path]:
    return sorted((folder / "parts").iterdir())


def arguments() -> tuple[Path, Path]:
    """Where the partitions are, and an empty folder for the result."""
    folder, result = map(Path, sys.argv[1:3])
    result.mkdir(parents=True, exist_ok=True)
    return folder, result
