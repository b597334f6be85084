"""What would scores have been under other rules? Past as-of times again, with what was known then.

Two catalogues over the same events: the one that held, and one to try. Whoever would have risen or
fallen is named, and how much of the first tenth would have been the same.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tierwise import examples as ex
from tierwise.customers import event_catalogue as ec
from tierwise.customers import points
from tierwise.files import InputError
from tierwise.times import parse_times

FIRST_SHARE = 0.1


def replay(
    events: pd.DataFrame,
    before: ec.Catalogue,
    after: ec.Catalogue,
    as_of: Sequence[pd.Timestamp],
) -> pd.DataFrame:
    """Everybody's points at each as-of time (ascending) by both catalogues.

    Columns: as_of, person_id, before, after, change, before_place, after_place (1: most points,
    equals share the mean place). A person is there from its first event on that either catalogue
    has. Every event is read once for all dates. Raises InputError as `points.add` does.
    """
    if not len(as_of) or not pd.Index(as_of).is_monotonic_increasing:
        raise InputError("A replay needs one as-of time or more, from early to late. Sort them.")
    books = [points.opened(before), points.opened(after)]
    rest, found = events, []
    for at in as_of:
        known = ex.known_before(rest, at, "known_at")
        now, rest = rest[known], rest[~known]
        for book in books:
            points.add(book, now)
        columns = [points.scores(book, at).set_index("person_id")["points"] for book in books]
        table = pd.concat(columns, axis=1, keys=["before", "after"]).fillna(0.0).sort_index()
        found.append(table.rename_axis("person_id").reset_index().assign(as_of=at))
    rows = pd.concat(found, ignore_index=True)
    rows["change"] = (rows["after"] - rows["before"]).round(2)
    for name in ("before", "after"):
        places = rows.groupby("as_of")[name].rank(ascending=False)
        rows[f"{name}_place"] = places
    names = ["as_of", "person_id", "before", "after", "change", "before_place", "after_place"]
    return rows[names]


def summary(rows: pd.DataFrame, first_share: float = FIRST_SHARE) -> pd.DataFrame:
    """Per as-of time: people_count, mean_before, mean_after, rank_correlation (Spearman; NaN where
    all are equal), kept_share: how much of the first tenth by the old rules is in the first tenth
    by the new ones, people of equal points in order of their id."""
    found = []
    for at, table in rows.groupby("as_of", sort=True):
        room = max(1, round(first_share * len(table)))
        heads = [
            set(table.sort_values([name, "person_id"], ascending=[False, True])["person_id"][:room])
            for name in ("before", "after")
        ]
        found.append(
            {
                "as_of": at,
                "people_count": len(table),
                "mean_before": table["before"].mean(),
                "mean_after": table["after"].mean(),
                "rank_correlation": table["before_place"].corr(table["after_place"]),
                "kept_share": len(heads[0] & heads[1]) / room,
            }
        )
    return pd.DataFrame(found)


def read(path: Path) -> pd.DataFrame:
    """Events from Parquet or CSV, times as UTC. Raises InputError where it can't be read so."""
    if not path.is_file():
        raise InputError(f"{path} is missing. Give a Parquet or CSV file of events.")
    if path.suffix == ".parquet":
        found = pd.read_parquet(path, engine="pyarrow")
    else:
        found = pd.read_csv(path)
    for name in ("occurred_at", "known_at"):
        if name in found and not pd.api.types.is_datetime64_any_dtype(found[name]):
            found[name] = parse_times(found[name])
    return found
