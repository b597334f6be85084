"""Changes that are persons: a senior of human resources left, a user of ours joined.

They come from the rows of positions: a start is known with the first row of its position, an end
with the first row that tells of it. Rows are those of `episodes.tidy`.
"""

import re

import pandas as pd

from tierwise import examples as ex
from tierwise.account_tables import LEVELS
from tierwise.accounts import Tables, our_account
from tierwise.alerts.ground import Asked, called, counted, no_episodes, spoken
from tierwise.calls.text import date

SENIOR = LEVELS[LEVELS.index("director") :]
# Where function or level is missing, the title says it; "head of" is a director's work.
OF_HR = re.compile(r"\b(?:human resources|hr|chro|people (?:officer|director))\b", re.IGNORECASE)
HIGH = re.compile(r"\b(?:director|vice president|vp|svp|evp|chief|chro|head of)\b", re.IGNORECASE)
PERSON = ["account_id", "person_id"]


def starts(positions: pd.DataFrame) -> pd.DataFrame:
    return positions.drop_duplicates("position_id")


def ends(positions: pd.DataFrame) -> pd.DataFrame:
    """The row that first tells of each end; what it leaves out is in the position's first row."""
    first = starts(positions).set_index("position_id")
    found = positions[positions["ended_at"].notna()].drop_duplicates("position_id")
    before = first.reindex(found["position_id"]).set_axis(found.index)
    filled = {name: found[name].fillna(before[name]) for name in ("title", "function", "level")}
    return found.assign(**filled)


def is_senior_hr(positions: pd.DataFrame) -> pd.Series:
    """Function human resources, level director or higher; by the title where one is missing."""
    by_title = {
        name: positions["title"].fillna("").str.contains(pattern)
        for name, pattern in (("function", OF_HR), ("level", HIGH))
    }
    function, level = positions["function"], positions["level"]
    of_hr = (function == "human resources") | (function.isna() & by_title["function"])
    return of_hr & (level.isin(SENIOR) | (level.isna() & by_title["level"]))


def seniors_left(found: Tables, settings: Asked) -> pd.DataFrame:
    """One episode per end; other_account_id is where they went, if that is known."""
    positions = found["positions"]
    left = ends(positions)
    left = left[is_senior_hr(left) & (left["account_id"] != our_account(found))]
    left = left[is_news(left, "ended_at", settings)].reset_index(drop=True)
    if left.empty:
        return no_episodes()
    left["known_at"] += pd.Timedelta(days=settings.settle_days)
    left["row"] = left.index
    seats = left[["row", "person_id", "account_id", "ended_at", "known_at", "position_id"]].merge(
        others(positions), on="person_id", suffixes=("", "_other")
    )
    seats = seats[ex.earlier(seats["known_at_other"], seats["known_at"])]
    seats = seats[seats["position_id"] != seats["position_id_other"]]
    left = left[~left["row"].isin(going_on(seats, settings))].copy()
    left["other_account_id"] = left["row"].map(went_to(seats, settings)).astype("Int64")
    left = left.assign(occurred_at=left["ended_at"], kind="senior_hr_left")
    left["evidence"] = [[f"positions:{key}"] for key in left["position_id"]]
    left["words"] = leaving_words(found, left)
    return left


def others(positions: pd.DataFrame) -> pd.DataFrame:
    """Seats with known_at_other of the start, and known_end_at_other of the end."""
    ended = ends(positions).set_index("position_id")
    seats = starts(positions)[["position_id", *PERSON, "occurred_at", "known_at"]]
    seats = seats.assign(
        end=seats["position_id"].map(ended["ended_at"]),
        end_known=seats["position_id"].map(ended["known_at"]),
    )
    return seats.rename(columns={name: f"{name}_other" for name in seats if name != "person_id"})


def going_on(seats: pd.DataFrame, settings: Asked) -> set[int]:
    """Rows whose person has another seat at the same account, which lasts longer."""
    there = seats[seats["account_id"] == seats["account_id_other"]]
    until = there["ended_at"] + pd.Timedelta(days=settings.returns_days)
    begun = ~ex.earlier(until, there["occurred_at_other"])
    end_known = ex.earlier(there["end_known_other"], there["known_at"])
    lasts = ~end_known | ex.earlier(there["ended_at"], there["end_other"])
    return set(there.loc[begun & lasts, "row"])


def went_to(seats: pd.DataFrame, settings: Asked) -> pd.Series:
    """By row the account at which the person began next."""
    away = seats[seats["account_id"] != seats["account_id_other"]]
    since = away["ended_at"] - pd.Timedelta(days=settings.returns_days)
    away = away[~ex.earlier(away["occurred_at_other"], since)]
    away = away.sort_values(["occurred_at_other", "position_id_other"])
    return away.drop_duplicates("row").set_index("row")["account_id_other"]


def leaving_words(found: Tables, left: pd.DataFrame) -> list[str]:
    places, next_places = (called(found, left, name) for name in ("account_id", "other_account_id"))
    texts = []
    for row, place, then in zip(left.itertuples(), places, next_places, strict=True):
        text = f"{described(row.title, row.person_id)} left {place} on {date(row.ended_at)}"
        texts.append(text + ("." if pd.isna(row.other_account_id) else f" and joined {then}."))
    return texts


def described(title: object, person_id: int) -> str:
    """ "The HR director (person 12)"; who has no title is "Person 12"."""
    text = "" if pd.isna(title) else spoken(title)
    return f"The {text} (person {person_id})" if text else f"Person {person_id}"


def is_news(rows: pd.DataFrame, column: str, settings: Asked) -> pd.Series:
    """Mask of what was not learned too long after it happened."""
    stale_at = rows[column] + pd.Timedelta(days=settings.stale_days)
    return ~ex.earlier(stale_at, rows["known_at"])


# Users who moved


def users_moved(found: Tables, settings: Asked) -> pd.DataFrame:
    """One episode per start at an account of somebody who used the product at another one.

    It is known once the start is, and as many days of use as make somebody a user. Of several
    accounts it names the one that was proved first, then the one with more days of use.
    """
    begun = joined(found)
    begun = begun[is_news(begun, "occurred_at", settings)].reset_index(drop=True)
    uses = found["product_use"]
    uses = uses[uses["account_id"] != our_account(found)]
    pairs = begun.assign(row=begun.index).merge(
        uses[["use_id", *PERSON, "occurred_at", "known_at"]],
        on="person_id",
        suffixes=("", "_use"),
    )
    pairs = pairs[pairs["account_id"] != pairs["account_id_use"]]
    since = pairs["occurred_at"] - pd.Timedelta(days=settings.used_within_days)
    in_time = ~ex.earlier(pairs["occurred_at_use"], since)
    pairs = pairs[in_time & ex.earlier(pairs["occurred_at_use"], pairs["occurred_at"])]
    proofs = proved(pairs, settings)
    if proofs.empty:
        return no_episodes()
    told = begun.loc[proofs["row"]].reset_index(drop=True)
    told["known_at"] = ex.later(told["known_at"], proofs["proved_at"]) + pd.Timedelta(1, "us")
    told["other_account_id"] = proofs["account_id_use"].astype("Int64")
    told["kind"] = "user_moved"
    return first_of_each(with_use(found, told, pairs))


def joined(found: Tables) -> pd.DataFrame:
    """Starts at accounts, but not of those who had been there before, as far as was known then."""
    first = starts(found["positions"])
    first = first[first["account_id"] != our_account(found)].reset_index(drop=True)
    seats = first[["position_id", *PERSON, "occurred_at", "known_at"]]
    both = seats.merge(seats, on=PERSON, suffixes=("", "_other"))
    both = both[both["position_id"] != both["position_id_other"]]
    known = ~ex.earlier(both["known_at"], both["known_at_other"])
    again = both[known & ex.earlier(both["occurred_at_other"], both["occurred_at"])]
    return first[~first["position_id"].isin(again["position_id"])]


def proved(pairs: pd.DataFrame, settings: Asked) -> pd.DataFrame:
    """Per start and account of use: row, account_id_use, proved_at, where there is enough use."""
    days = pairs.assign(day=pairs["occurred_at_use"].dt.normalize())
    key = ["row", "account_id_use"]
    days = days.sort_values(["known_at_use", "use_id"]).drop_duplicates([*key, "day"])
    nth = days[days.groupby(key).cumcount() == settings.used_days_count - 1]
    found = nth.rename(columns={"known_at_use": "proved_at"})
    return found[[*key, "proved_at"]].sort_values(key).reset_index(drop=True)


def with_use(found: Tables, told: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """With days_count, evidence and words, by the uses that were known then."""
    key = ["position_id", "other_account_id"]
    uses = pairs.rename(columns={"account_id_use": "other_account_id"}).drop(columns="known_at")
    uses = uses.merge(told[[*key, "known_at"]], on=key)
    uses = uses[ex.earlier(uses["known_at_use"], uses["known_at"])]
    uses = uses.sort_values(["occurred_at_use", "use_id"])
    uses = uses.assign(day=uses["occurred_at_use"].dt.normalize())
    groups = uses.groupby(key)
    of = pd.MultiIndex.from_frame(told[key])
    proofs = groups["use_id"].agg(list).reindex(of)
    told = told.assign(
        days_count=groups["day"].nunique().reindex(of).to_numpy(),
        last_at=groups["day"].max().reindex(of).to_numpy(),
        evidence=[
            [f"positions:{position}", *(f"product_use:{use}" for use in proof)]
            for position, proof in zip(told["position_id"], proofs, strict=True)
        ],
    )
    return told.assign(words=moving_words(found, told))


def moving_words(found: Tables, told: pd.DataFrame) -> list[str]:
    places, origins = (called(found, told, name) for name in ("account_id", "other_account_id"))
    return [
        f"{described(row.title, row.person_id)} joined {place} on {date(row.occurred_at)}, after "
        f"having used our product at {origin} on {counted(row.days_count, 'day', 'days')}, the "
        f"last time on {date(row.last_at)}."
        for row, place, origin in zip(told.itertuples(), places, origins, strict=True)
    ]


def first_of_each(told: pd.DataFrame) -> pd.DataFrame:
    order = ["known_at", "days_count", "other_account_id"]
    told = told.sort_values(order, ascending=[True, False, True], kind="stable")
    return told.drop_duplicates("position_id")
