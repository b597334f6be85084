"""The question of a shop: who of its customers will buy in the days to come, and above all again?

Every so many days, at midnight, everybody who has been heard of is looked at. Outcome: a purchase
within a horizon from then on, known when the horizon is over. Its section of params.yaml:

    question:
      entity: customer
      horizons_days: [30, 90]          what is foretold; the first one is the one to act on
      look_every_days: 30              between two looks
      looks_count: 20                  back from today, as far as there is a past to look at
      lookback_days: [30, 90]          windows of counts, for the regression that is a candidate

What a customer does is told by events; those that the catalogue of events does not have are left
out and counted. Money comes from purchases. Whoever did nothing that we know of is nobody's row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from tierwise import accounts, refusals, snapshot, tables
from tierwise import examples as ex
from tierwise import features as ft
from tierwise.files import InputError

HERE = "src/tierwise/applications/customers.py"
Days = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ANY, PAID = "_any", "_paid"  # no id of an event begins so
EVENT = ["person_id", "event", "occurred_at", "known_at"]
FEWEST_LOOKS = 4
FIFTHS = 5
# Rules that anybody could follow, from the simplest on; the higher, the sooner they buy.
RULES = ("recency", "event_count", "rfm")


class Question(BaseModel, extra="forbid", strict=True):
    """What params.yaml must say, with its types."""

    entity: str
    horizons_days: Annotated[list[Days], Field(min_length=1)]
    look_every_days: Days
    looks_count: Annotated[int, Field(ge=FEWEST_LOOKS)]
    lookback_days: Annotated[list[Days], Field(min_length=1)]


@dataclass(frozen=True)
class Given:
    """What is there to foretell from, each row once, by known_at.

    events: EVENT, kinds of the catalogue only; purchases: person_id, occurred_at, known_at,
    amount_eur; people: index person_id, may_contact as known last; until: midnight, today;
    left_out: rows of other kinds of events, by kind.
    """

    events: pd.DataFrame
    purchases: pd.DataFrame
    people: pd.DataFrame
    until: pd.Timestamp
    left_out: dict[str, int]


def checked(question: dict[str, Any]) -> dict[str, Any]:
    """The question as it is. Raises InputError for the first thing that can't be asked."""
    refusals.fitting(Question, question, "question", f"See the comments at the head of {HERE}.")
    return question


def read(folder: Path, kinds: Sequence[str]) -> tuple[dict[str, Any], Given]:
    """What a snapshot says of itself, and what it holds. kinds: of the catalogue of events.

    Raises InputError for a snapshot of another set of tables.
    """
    about, names = snapshot.about(folder), tables.SETS["customers"]
    if set(about["tables"]) != set(names):
        raise InputError(
            f"{folder} holds {', '.join(about['tables'])}, not the tables of customers. "
            "params.yaml: below `tables:`, its section needs `set: customers`; then fetch again."
        )
    wanted = ("people", "customer_events", "purchases")
    found = {name: snapshot.read(folder, name) for name in wanted}
    return about, given(found, accounts.morning(about), kinds)


def given(found: accounts.Tables, until: pd.Timestamp, kinds: Sequence[str]) -> Given:
    """What of the tables was known before `until`. Raises InputError where nothing of it counts."""
    events = once(found["customer_events"], "event_id", until)
    counted = events["event"].isin(kinds)
    others = events.loc[~counted, "event"].astype("object").value_counts().sort_index()
    events = events.loc[counted, EVENT].reset_index(drop=True)
    if events.empty:
        raise InputError(
            f"No event of the catalogue ({', '.join(kinds)}) was known before {ex.label(until)}. "
            "Use the names of your events as ids there, see `tierwise events add`."
        )
    events["event"] = pd.Categorical(events["event"], list(kinds))
    people = found["people"][ex.known_before(found["people"], until, "known_at")]
    people = accounts.latest(people, "person_id").set_index("person_id")[["may_contact"]]
    purchases = once(found["purchases"], "purchase_id", until)
    left_out = {str(kind): int(count) for kind, count in others.items()}
    return Given(events, purchases, people.sort_index(), until, left_out)


def once(rows: pd.DataFrame, key: str, until: pd.Timestamp) -> pd.DataFrame:
    """Rows known before then, by known_at; of copies with one key the one that was known first."""
    seen = rows[ex.known_before(rows, until, "known_at")]
    seen = accounts.by_time(seen).drop_duplicates(key)
    return seen.reset_index(drop=True)


def looks(given: Given, question: dict[str, Any]) -> list[pd.Timestamp]:
    """Midnights at which everybody is looked at, ascending; the last one is today.

    Looks before which less than the longest lookback was known are left out. Raises InputError
    where fewer than FEWEST_LOOKS are left.
    """
    every, until = question["look_every_days"], given.until
    past = accounts.looks_before(until, every, question["looks_count"])
    first = pd.Timestamp(given.events["known_at"].min())
    longest = pd.Timedelta(days=max(question["lookback_days"]))
    kept = [day.normalize() for day in past if not ex.earlier(day - longest, first)]
    if len(kept) < FEWEST_LOOKS:
        raise InputError(
            f"Events are known since {ex.label(first)}; that leaves {len(kept)} looks of "
            f"{FEWEST_LOOKS} that are needed. Lower look_every_days or lookback_days, or wait."
        )
    return [*kept, until]


def entities(events: pd.DataFrame, as_of: pd.Timestamp) -> np.ndarray:
    """person_id of everybody of whom an event was known then, ascending."""
    return np.unique(events["person_id"][ex.known_before(events, as_of, "known_at")].to_numpy())


def outcome(
    purchases: pd.DataFrame, people: np.ndarray, as_of: pd.Timestamp, days: float
) -> np.ndarray:
    """1 for those who buy within so many days, as it is known at the end of them, else 0.

    float64, shape of `people`. A purchase that we learn of after that end does not count.
    """
    end = as_of + pd.Timedelta(days=days)
    inside = ex.known_before(purchases, end, "known_at")
    inside &= ~ex.known_before(purchases, as_of, "occurred_at")
    return np.isin(people, purchases["person_id"][inside].to_numpy()).astype("float64")


def declared(question: dict[str, Any], kinds: Sequence[str]) -> list[ft.Feature]:
    """What is known of a customer: how much of what, how lately, for how much money."""
    windows = [*question["lookback_days"], None]
    counts = [ft.count(kind, days) for days in windows for kind in (*kinds, ANY)]
    days = [ft.distinct_days(ANY, span) for span in question["lookback_days"]]
    money = [ft.total(PAID, span) for span in windows]
    return [*counts, *days, *money, ft.count(PAID), ft.recency(ANY), ft.recency(PAID)]


def columns(question: dict[str, Any], kinds: Sequence[str]) -> list[str]:
    """Names of the features, which the regression takes."""
    return [feature.name for feature in declared(question, kinds)]


def stream(given: Given) -> pd.DataFrame:
    """Events as they are, and purchases with their money as events of their own kind."""
    rows, paid = given.events, given.purchases
    return ft.together(
        [
            ft.stream(rows["person_id"], rows["known_at"], rows["occurred_at"], rows["event"]),
            ft.stream(
                paid["person_id"], paid["known_at"], paid["occurred_at"], PAID, paid["amount_eur"]
            ),
        ]
    )


def examples(given: Given, question: dict[str, Any]) -> pd.DataFrame:
    """Everybody at each look, by as_of, person_id.

    Columns: person_id, as_of, bought_before (bool), the features of `declared`, the scores of
    RULES, and per horizon outcome_<days>d: 1 for buyers, 0, or missing where it is not over.
    """
    kinds, parts = list(given.events["event"].cat.categories), []
    for as_of in looks(given, question):
        people = entities(given.events, as_of)
        columns: dict[str, Any] = {"person_id": people, "as_of": as_of}
        for days in question["horizons_days"]:
            is_open = ex.earlier(given.until, as_of + pd.Timedelta(days=days))
            came = outcome(given.purchases, people, as_of, days)
            columns[f"outcome{ft.window_name(days)}"] = np.nan if is_open else came
        parts.append(pd.DataFrame(columns))
    rows = pd.concat(parts, ignore_index=True).astype({"as_of": "datetime64[us]"})
    groups = {ANY: kinds}
    wanted = declared(question, kinds)
    told = ft.compute(wanted, groups, stream(given), rows["person_id"], rows["as_of"], "float64")
    rows = rows.assign(bought_before=told[f"{PAID}_count"] > 0)
    return pd.concat([rows, filled(rows["as_of"], told), rules(rows["as_of"], told)], axis=1)


def filled(as_of: pd.Series, told: pd.DataFrame) -> pd.DataFrame:
    """Whoever never bought has spent nothing, and been silent as long as anybody at that look."""
    silence = told[f"{PAID}_recency_days"]
    longest = silence.groupby(as_of.to_numpy()).transform("max")
    return told.assign(**{f"{PAID}_recency_days": silence.fillna(longest)}).fillna(0.0)


def rules(as_of: pd.Series, told: pd.DataFrame) -> pd.DataFrame:
    """Scores of RULES. rfm: places in fifths of recency, frequency and amount of purchases among
    all at that look, summed; whoever never bought is last in each."""
    parts = -told[f"{PAID}_recency_days"], told[f"{PAID}_count"], told[f"{PAID}_total"]
    least = pd.concat(parts, axis=1).fillna(-np.inf)
    places = least.groupby(as_of.to_numpy()).rank(pct=True, method="max")
    fifths = np.ceil(places * FIFTHS)
    return pd.DataFrame(
        {
            "recency": -told[f"{ANY}_recency_days"],
            "event_count": told[f"{ANY}_count"],
            "rfm": fifths.sum(axis=1),
        }
    )
