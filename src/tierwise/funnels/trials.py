"""What came of the first contact about each topic: rows for hypotheses, and people in groups.

    row        a person and a topic: the first time that we wrote to them about it
    answered   they did
    bought_30d, spent_30d_eur    what they bought in the days after it, as known at their end
    known_at   when all of that is known; before, a row does not count

Who gets which variant of a topic must have been drawn by lot, once for each person. Then a
difference is an effect of the variant, and rows of different people are independent.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tierwise import accounts, files
from tierwise import examples as ex
from tierwise.customer_tables import COMMUNITIES
from tierwise.features import window_name
from tierwise.segments import columns as segment_columns
from tierwise.segments import find
from tierwise.segments import names as segment_names
from tierwise.segments import people as segment_people
from tierwise.segments.find import BETWEEN, Segmentation

PERSONAL = ["country", "city", "gender", "household"]
NOT_TOLD = "can't be told yet"


def rows(
    tables: Mapping[str, pd.DataFrame], until: pd.Timestamp, days: float
) -> tuple[pd.DataFrame, int]:
    """A row per person and topic, and how many more are still open.

    Columns: person_id, topic, channel, country, city, gender, household (known last), answered,
    bought_<days>d, spent_<days>d_eur, known_at.
    """
    touches = tables["touches"]
    touches = touches[ex.known_before(touches, until, "known_at")]
    order = ["occurred_at", "touch_id"]
    first = touches.sort_values(order).drop_duplicates(["person_id", "topic"])
    end = ex.horizon_end(first["occurred_at"], days)
    first = first.assign(end=end, known_at=np.maximum(first["known_at"], end))
    closed = ex.known_before(first, until, "known_at")
    first = first[closed].reset_index(drop=True)
    spent = bought_after(first, tables["purchases"])
    told = first[["person_id", "topic", "channel", "known_at"]].assign(
        answered=first["answered"].astype("float64"),
        **{
            f"bought{window_name(days)}": (spent > 0).astype("float64"),
            f"spent{window_name(days)}_eur": spent,
        },
    )
    people = personal(tables["people"], until)
    return told.join(people, "person_id"), int((~closed).sum())


def bought_after(first: pd.DataFrame, purchases: pd.DataFrame) -> np.ndarray:
    """Euros from occurred_at on, known before `end`, per row of first."""
    once = purchases.sort_values("known_at", kind="stable").drop_duplicates("purchase_id")
    once = once.rename(columns={"occurred_at": "bought_at", "known_at": "heard_at"})
    pairs = first[["person_id", "occurred_at", "end"]].reset_index()
    pairs = pairs.merge(once[["person_id", "bought_at", "heard_at", "amount_eur"]], "inner")
    inside = ~ex.earlier(pairs["bought_at"], pairs["occurred_at"])
    inside &= ex.earlier(pairs["heard_at"], pairs["end"])
    total = pairs[inside].groupby("index")["amount_eur"].sum()
    return total.reindex(first.index, fill_value=0.0).to_numpy("float64")


def personal(people: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    """PERSONAL as known last before then, index person_id."""
    known = people[ex.known_before(people, until, "known_at")]
    return accounts.latest(known, "person_id").set_index("person_id")[PERSONAL].sort_index()


def audience(
    people: pd.DataFrame, until: pd.Timestamp, wanted: Mapping[str, Sequence[str]]
) -> pd.Index:
    """person_id of everybody who should know us. wanted: column -> values; {} takes everybody."""
    found = personal(people, until)
    for column, values in wanted.items():
        found = found[found[column].isin(list(values))]
    return found.index


def segments(
    application: str, tables: Mapping[str, pd.DataFrame], until: pd.Timestamp
) -> pd.Series | None:
    """`by_who_they_are`, with the segments that the page before stored; None where it did not."""
    path = files.models_path(application, "segments.json")
    if not path.is_file():
        return None
    told = files.read_json(path)
    names = segment_names.shortened({int(one): name for one, name in told["names"].items()})
    return by_who_they_are(tables, until, find.from_plain(told["segmentation"]), names)


def by_who_they_are(
    tables: Mapping[str, pd.DataFrame],
    until: pd.Timestamp,
    segmentation: Segmentation,
    names: Mapping[int, str],
    least_chance: float = find.LEAST_CHANCE,
) -> pd.Series:
    """Name of each person's segment by who they are, and not by what they did; by person_id.

    What people did in a funnel must not decide in which group they are counted: whoever bought
    would be among those who buy, and their funnel the best one. So nothing of it is told.
    """
    people = segment_people.people_at(tables, until, COMMUNITIES, [])
    told = {name for name in people if name in PERSONAL or name.startswith(("own_", "contacts_"))}
    told |= {"age_years"}
    needed = segment_columns.used(segmentation.plan)
    blank = dict.fromkeys(sorted(needed - told), np.nan)
    found = find.assigned(find.chances(people.assign(**blank), segmentation), least_chance)
    return found["segment"].map(dict(names) | {BETWEEN: NOT_TOLD})
