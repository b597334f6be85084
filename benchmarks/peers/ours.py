"""tierwise: features declared as data, one pass over each partition. With `spark`: on Spark."""

import sys
from pathlib import Path

import pandas as pd

from peers.job import EVERYTHING, KINDS, PROFILE, VALUED, WINDOWS_DAYS, arguments, parts
from tierwise import engine
from tierwise import features as ft

FEATURES = [
    *(ft.count(kind, days) for kind in KINDS for days in WINDOWS_DAYS),
    *(ft.total(kind, days) for kind in VALUED for days in WINDOWS_DAYS),
    *map(ft.recency, KINDS),
    *map(ft.last, VALUED),
    *(ft.distinct_days(EVERYTHING, days) for days in WINDOWS_DAYS),
]


def known(part: Path) -> pd.DataFrame:
    events = pd.read_parquet(part / "events.parquet", read_dictionary=["event"])
    rows = pd.read_parquet(part / "rows.parquet")
    found = ft.compute(FEATURES, {EVERYTHING: KINDS}, events, rows["key"], rows["as_of"])
    profile = pd.read_parquet(part / "profile.parquet").set_index("key")
    profile = profile[PROFILE].loc[rows["key"]].set_axis(rows.index)
    return pd.concat([rows, found, profile], axis=1)


if __name__ == "__main__":
    from peers import ours  # so that workers of Spark find the function by this name

    folder, result = arguments()
    engine.over_parts(ours.known, parts(folder), result, sys.argv[3])
