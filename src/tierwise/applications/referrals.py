"""The question of a programme in which members bring members: who will bring one that buys?

Every so many days, at midnight, everybody who has signed up is looked at. Outcome: somebody who is
credited to the member signs up after that and buys, both within the horizon, by what is known at
its end: the sign-ups are attributed then, from what was known then. Its section of params.yaml:

    question:
      entity: member
      horizon_days: 90
      look_every_days: 30              between two looks
      looks_count: 14                  back from today, as far as there is a past to look at

What is known of a member: whom they brought and who of these bought, what they sent, clicks on
their links, how often others opened what they shared, what they did and bought, whether they told
an interest, how they came, and the record of whoever brought them. Members who are never asked, by
lot, are looked at like all others: without them nobody could say what asking changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from tierwise import accounts, refusals
from tierwise import examples as ex
from tierwise import features as ft
from tierwise.advocates import known_of as ko
from tierwise.advocates.referral_events import brought_of, buyers, events_of
from tierwise.files import InputError
from tierwise.referrals import referral_data
from tierwise.referrals.referral_data import Tables

HERE = "src/tierwise/applications/referrals.py"
FEWEST_LOOKS = 6
SHORT_DAYS, LONG_DAYS = 30.0, 120.0  # half-lives
# Rules that anybody could follow, and their columns; the higher, the sooner they bring somebody,
# with a minus the lower.
RULES = {
    "newest": "-joined_recency_days",
    "most_active": "active_faded_30d",
    "heaviest_inviter": "sent_total",
    "invited_last_year": "sent_total_365d",
}
# Orders in which asking might do most, of columns that asking has not changed.
ORDERS = {"newest": "-joined_recency_days", "most_active": "active_faded_30d"}
# What asking may have changed: no ground to tell from whom asking will change.
ASKED_FOR = ("brought", "buyer", "sent", "clicked", "friend_active")
FROM_SIGN_UP, FROM_DAY_30 = "from the sign-up on", "from 30 days after it on"
AT_LOOKS = "at the looks of this page"
HOLDOUT = "never_invited"


class Question(BaseModel, extra="forbid", strict=True):
    """What params.yaml must say, with its types."""

    entity: str
    horizon_days: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    look_every_days: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    looks_count: Annotated[int, Field(ge=FEWEST_LOOKS)]


@dataclass(frozen=True)
class Given:
    """What is there to tell from. tables: as they are; credits: of `attribution.attributed`, as of
    today; past: what `known_of` needs; until: midnight, today."""

    tables: Tables
    credits: pd.DataFrame
    past: ko.Past
    rules: Mapping[str, Any]
    until: pd.Timestamp
    holdout: str | None

    def never_asked(self, person_id: pd.Series) -> np.ndarray:
        """bool, shape (n,); nobody without a holdout."""
        if self.holdout is None:
            return np.zeros(len(person_id), "bool")
        by_person = self.tables["members"].set_index("person_id")[self.holdout].astype("bool")
        return by_person.reindex(person_id).to_numpy("bool")


def checked(question: dict[str, Any]) -> dict[str, Any]:
    """The question as it is. Raises InputError for the first thing that can't be asked."""
    refusals.fitting(Question, question, "question", f"See the comments at the head of {HERE}.")
    return question


def read(
    folder: Path, rules: Mapping[str, Any], holdout: str | None = HOLDOUT
) -> tuple[dict[str, Any], Given]:
    """What a snapshot says of itself, and what it holds.

    rules: of attribution; holdout: the column of those never asked, None where there are none.
    Raises InputError for another column.
    """
    if holdout not in (HOLDOUT, None):
        raise InputError(f"params.yaml: holdout must be {HOLDOUT} or null, not {holdout!r}.")
    about, found = referral_data.read(folder)
    return about, given(found, rules, referral_data.morning(about), holdout)


def given(
    found: Tables, rules: Mapping[str, Any], until: pd.Timestamp, holdout: str | None = HOLDOUT
) -> Given:
    """What of the tables was known before `until`."""
    credits = referral_data.credited(found, rules, until)
    brought = brought_of(credits, "settled_at")
    members = found["members"][ex.known_before(found["members"], until, "known_at")]
    members = members[["person_id", "occurred_at", "known_at"]]
    past = ko.Past(members.sort_values("person_id"), brought, events_of(found, brought))
    return Given(found, credits, past, rules, until, holdout)


def wanted() -> ko.Wanted:
    """What is known of a member."""
    year = ko.YEAR_DAYS
    record = [ft.count("brought"), ft.count("brought", 90.0), ft.faded("brought", year)]
    record += [ft.recency("brought"), ft.count("buyer"), ft.faded("buyer", year)]
    sent = [ft.total("sent"), ft.total("sent", year), ft.total("sent", 90.0), ft.recency("sent")]
    links = [ft.count("clicked"), ft.count("clicked", 90.0)]
    items = [ft.count("opened"), ft.count("opened", 90.0)]
    acts = [ft.faded("active", SHORT_DAYS), ft.faded("active", LONG_DAYS), ft.recency("active")]
    money = [ft.total("paid"), ft.count("paid", 90.0), ft.recency("paid")]
    person = [ft.recency("joined"), ft.count("told"), ft.count("invited")]
    own = [*record, *sent, *links, *items, *acts, *money, *person]
    return ko.Wanted(own, ("active",))


def columns() -> list[str]:
    """Names of the features that models take."""
    return wanted().names


def untouched() -> list[str]:
    """Those that asking can't have changed, on which the two groups of the lot are alike."""
    return [name for name in columns() if not name.startswith(ASKED_FOR)]


def looks(given: Given, question: dict[str, Any]) -> list[pd.Timestamp]:
    """Midnights at which everybody is looked at, ascending; the last one is today.

    Raises InputError where fewer than FEWEST_LOOKS have a member.
    """
    every, until = question["look_every_days"], given.until
    past = accounts.looks_before(until, every, question["looks_count"])
    first = pd.Timestamp(given.past.members["known_at"].min())
    kept = [day.normalize() for day in past if ex.earlier(first, day.normalize())]
    if len(kept) < FEWEST_LOOKS:
        raise InputError(
            f"Members are known since {ex.label(first)}; that leaves {len(kept)} looks of "
            f"{FEWEST_LOOKS} that are needed. Lower look_every_days, or wait."
        )
    return [*kept, until]


def examples(given: Given, question: dict[str, Any]) -> pd.DataFrame:
    """Everybody at each look, by as_of, person_id.

    Columns: person_id, as_of, outcome_known_at, those of `columns`, never_asked, buyers_count
    (friends who came and bought within the horizon) and outcome, 1 where there is one; both
    missing where the horizon is not over.
    """
    days = question["horizon_days"]
    rows = ko.at_looks(given.past.members, looks(given, question))
    rows = rows.assign(outcome_known_at=ex.horizon_end(rows["as_of"], days))
    never = given.never_asked(rows["person_id"])
    count = outcome(given, rows)
    rows = rows.assign(never_asked=never, buyers_count=count)
    rows["outcome"] = (count > 0).astype("float64").where(count.notna())
    return rows.join(ko.columns(given.past, wanted(), rows["person_id"], rows["as_of"]))


def outcome(given: Given, rows: pd.DataFrame) -> pd.Series:
    """Friends who signed up from the look on and bought, as it was known at the horizon's end.

    rows: person_id, as_of, outcome_known_at. Missing where that lies after today.
    """
    found = pd.Series(np.nan, rows.index)
    for look, own in rows.groupby("as_of", sort=True):
        end = own["outcome_known_at"].iloc[0]
        if ex.earlier(given.until, end):
            continue
        new = came_and_bought(given, end)
        new = new[~ex.known_before(new, look, "joined_at")]
        found[own.index] = own["person_id"].map(new["person_id"].value_counts()).fillna(0.0)
    return found


def came_and_bought(given: Given, end: pd.Timestamp) -> pd.DataFrame:
    """`buyers` by what was known before `end`, sign-ups attributed as they were then."""
    credits = referral_data.credited(given.tables, given.rules, end)
    paid = given.tables["purchases"]
    return buyers(brought_of(credits, "occurred_at"), paid[ex.known_before(paid, end, "known_at")])


def friends(given: Given) -> pd.DataFrame:
    """All who were brought, whether they buy or not, in the shape of `buyers`."""
    brought = brought_of(given.credits, "occurred_at")
    names = {"person_id": "friend_id", "sender_id": "person_id", "occurred_at": "joined_at"}
    return brought.rename(columns=names)


def since_sign_up(
    given: Given, days: float, after_days: float = 0.0, brought: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Each member once, for so many days from so long after the sign-up on, where these are over.

    person_id, as_of, outcome_known_at, never_asked, buyers_count, outcome; by what is known today.
    brought: who counts, buyers by default, or of `friends`.
    """
    members = given.past.members
    rows = members[["person_id"]].assign(as_of=ex.horizon_end(members["occurred_at"], after_days))
    rows["outcome_known_at"] = ex.horizon_end(rows["as_of"], days)
    rows = rows[ex.known_before(rows, given.until)].reset_index(drop=True)
    new = came_and_bought(given, given.until) if brought is None else brought
    new = new.merge(rows, "inner", "person_id")
    inside = ~ex.earlier(new["joined_at"], new["as_of"])
    inside &= ex.earlier(new["joined_at"], new["outcome_known_at"])
    inside &= ex.known_before(new, new["outcome_known_at"], "known_at")
    count = rows["person_id"].map(new.loc[inside, "person_id"].value_counts()).fillna(0)
    never = given.never_asked(rows["person_id"])
    rows = rows.assign(never_asked=never, buyers_count=count.astype("int64"))
    return rows.assign(outcome=(rows["buyers_count"] > 0).astype("int64"))


def windows(
    given: Given, days: float, judged: pd.Series, known: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Stretches of time in which the two groups of the lot can be compared, by name.

    judged: as-of times of looks that do not overlap; known: rows of `decided`.
    """
    return {
        FROM_SIGN_UP: since_sign_up(given, days),
        FROM_DAY_30: since_sign_up(given, days, 30.0),
        AT_LOOKS: known[known["as_of"].isin(judged)].reset_index(drop=True),
    }


def all_buyers(given: Given) -> pd.DataFrame:
    """First purchases of friends, by sender: see `buyers`."""
    return buyers(given.past.brought, purchases(given))


def purchases(given: Given) -> pd.DataFrame:
    """person_id, occurred_at, known_at of all purchases that were known."""
    paid = given.tables["purchases"]
    return paid[ex.known_before(paid, given.until, "known_at")]


def decided(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose horizon is over, outcome and buyers_count as int64."""
    known = rows[rows["outcome"].notna()].reset_index(drop=True)
    return known.astype({"outcome": "int64", "buyers_count": "int64"})


def today(given: Given, rows: pd.DataFrame) -> pd.DataFrame:
    """Everybody today, whose horizon is open."""
    return rows[rows["as_of"].eq(given.until)].reset_index(drop=True)
