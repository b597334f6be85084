"""The question before a call: who at this account will sign?

A decision is an account's first signed order after the morning of a day on which we look; those
who work there that morning could sign. Outcome: who did. Its section of params.yaml:

    question:
      entity: person at an account
      horizon_days: 91                 so long after the look an order counts
      use_days: [30, 90]               windows of product use
      half_life_days: 60               of contact with us that fades
      functions: [recruiting, ...]     that may say something about who signs

Whoever opted out is ranked nowhere. A decision that one of them signed has nobody to find; such
decisions teach how often it is none of those that are ranked.
"""

from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from tierwise import account_tables, accounts, refusals
from tierwise import examples as ex
from tierwise import features as ft
from tierwise.companies import positions_in_network
from tierwise.files import InputError

HERE = "src/tierwise/applications/decision_makers.py"
Days = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PLACES = ("senders_count", "receivers_count", "pagerank_share", "replies_to_hours")
# Rules that anybody could follow: the column by which people are sorted, highest first.
RULES = {
    "highest title": "level_number",
    "most contacts inside": "senders_count_rank",
    "uses the product most": "use_days_rank",
    "signed before": "signed_share",
}
CONTACT = ["person_id", "known_at", "occurred_at"]
ROW_COLUMNS = ["decision", "account_id", "person_id", "as_of", "signed"]


class Question(BaseModel, extra="forbid", strict=True):
    """What params.yaml must say, with its types."""

    entity: str
    horizon_days: Days
    use_days: Annotated[list[Days], Field(min_length=1)]
    half_life_days: Days
    functions: list[str]


def checked(question: dict[str, Any]) -> dict[str, Any]:
    """The question as it is. Raises InputError for the first thing that can't be asked."""
    refusals.fitting(Question, question, "question", f"See the comments at the head of {HERE}.")
    return question


def rows(found: accounts.Tables, question: dict[str, Any], as_of: pd.Timestamp) -> pd.DataFrame:
    """Everybody who could sign then, by account, then person: ids and what was known of them.

    Features are finite; all but level_number lie between 0 and 1, ranks within the account.
    """
    known = accounts.known(found, as_of)
    who = accounts.people(known)
    who = who[who["account_id"].isin(accounts.customers(known))]
    who = who[~who["person_id"].isin(accounts.opted_out(known))]
    who = who.sort_values(["account_id", "person_id"]).reset_index(drop=True)
    told = who[["account_id", "person_id"]].join(of_seat(who, question, as_of))
    for part in (of_place(known, who), of_use(known, who, question, as_of)):
        told = told.join(part)
    return told.join(of_us(known, who, question, as_of)).join(of_signing(known, who))


def of_seat(who: pd.DataFrame, question: dict[str, Any], as_of: pd.Timestamp) -> pd.DataFrame:
    """Level, function and how long they have been in this seat."""
    level = who["level"].map({name: n for n, name in enumerate(account_tables.LEVELS)})
    told = pd.DataFrame({"level_number": level.fillna(0).astype("float64")})
    for name in account_tables.LEVELS[1:]:
        told[f"is_{name.replace(' ', '_')}"] = (who["level"] == name).astype("float64")
    for name in question["functions"]:
        told[f"in_{name.replace(' ', '_')}"] = (who["function"] == name).astype("float64")
    days = ex.days_passed(who["occurred_at"], pd.Series(as_of, who.index).astype("datetime64[us]"))
    told["seat_rank"] = ranked(pd.DataFrame({"seat": days}), who)["seat_rank"]
    return told


def ranked(measures: pd.DataFrame, who: pd.DataFrame) -> pd.DataFrame:
    """Ranks within the account, in (0, 1)."""
    return positions_in_network.ranks_within(measures, who["account_id"])


def of_place(known: accounts.Tables, who: pd.DataFrame) -> pd.DataFrame:
    """Where they stand in the network of their account; ranks of 0.5 where nothing is known."""
    contacts = accounts.inside(known)
    if contacts.empty:
        return pd.DataFrame(0.5, who.index, [f"{name}_rank" for name in PLACES])
    found = positions_in_network.positions(contacts, source_count=1)[list(PLACES)]
    return ranked(found.reindex(who["person_id"]).set_axis(who.index), who)


def of_use(
    known: accounts.Tables, who: pd.DataFrame, question: dict[str, Any], as_of: pd.Timestamp
) -> pd.DataFrame:
    """How much they use the product, within the account and at all."""
    use = known["product_use"]
    events = ft.together(
        [
            ft.stream(part["person_id"], part["known_at"], part["occurred_at"], name, amount)
            for name, part, amount in (
                ("use", use, use["actions_count"]),
                ("admin", use[use["admin"]], np.nan),
            )
        ]
    )
    windows = question["use_days"]
    wanted = [ft.distinct_days("use", days) for days in windows]
    wanted += [ft.count("admin", windows[-1])]
    when = pd.Series(as_of, who.index).astype("datetime64[us]")
    found = ft.compute(wanted, {}, events, who["person_id"], when)
    told = pd.DataFrame(index=who.index)
    for days in windows:
        name = ft.distinct_days("use", days).name
        told[f"used{ft.window_name(days)}"] = (found[name] > 0).astype("float64")
    last = ft.distinct_days("use", windows[-1]).name
    told["use_days_rank"] = ranked(pd.DataFrame({"use_days": found[last]}), who)["use_days_rank"]
    told["is_admin"] = (found[ft.count("admin", windows[-1]).name] > 0).astype("float64")
    return told


def of_us(
    known: accounts.Tables, who: pd.DataFrame, question: dict[str, Any], as_of: pd.Timestamp
) -> pd.DataFrame:
    """Contact with us that fades, as a rank within the account, and whether there is any."""
    ours = accounts.our_people(known)
    rows = known["interactions"]
    sides = [("from_id", "to_id"), ("to_id", "from_id")]
    touched = [
        rows.loc[rows[ours_].isin(ours), [theirs, "known_at", "occurred_at"]]
        for ours_, theirs in sides
    ]
    both = pd.concat([part.set_axis(CONTACT, axis=1) for part in touched], ignore_index=True)
    stream = ft.stream(both["person_id"], both["known_at"], both["occurred_at"], "contact")
    when = pd.Series(as_of, who.index).astype("datetime64[us]")
    wanted = [ft.faded("contact", question["half_life_days"])]
    found = ft.compute(wanted, {}, stream, who["person_id"], when).set_axis(["our_contact"], axis=1)
    return ranked(found, who).assign(known_to_us=(found["our_contact"] > 0.05).astype("float64"))


def of_signing(known: accounts.Tables, who: pd.DataFrame) -> pd.DataFrame:
    """Who signed here before: the share of the account's signed orders, and the latest one."""
    signed = known["spend"].dropna(subset=["signer_id"]).astype({"signer_id": "int64"})
    keys = ["account_id", "person_id"]
    signed = signed.rename(columns={"signer_id": "person_id"})
    count = signed.groupby(keys).size().rename("count")
    mine = who.join(count, on=keys)["count"].fillna(0.0)
    total = who["account_id"].map(signed.groupby("account_id").size()).fillna(0.0)
    last = accounts.latest(signed, "account_id").set_index("account_id")["person_id"]
    return pd.DataFrame(
        {
            "signed_share": (mine / total.where(total > 0)).fillna(0.0),
            "signed_last": (who["account_id"].map(last) == who["person_id"]).astype("float64"),
            "nobody_signed_yet": (total == 0).astype("float64"),
        }
    )


def signers(found: accounts.Tables, as_of: pd.Timestamp, horizon_days: float) -> pd.DataFrame:
    """The first signed order of each account from then on within the horizon.

    By account_id: person_id of the signer, known_at of the order.
    """
    orders = found["spend"].dropna(subset=["signer_id"]).astype({"signer_id": "int64"})
    later = orders[~ex.known_before(orders, as_of, "occurred_at")]
    end = ex.horizon_end(pd.Series([as_of]), horizon_days).iloc[0]
    due = later[ex.known_before(later, end, "occurred_at")]
    first = due.sort_values(["occurred_at", "spend_id"], kind="stable").drop_duplicates(
        "account_id"
    )
    first = first.rename(columns={"signer_id": "person_id"})
    return first.set_index("account_id")[["person_id", "known_at"]]


def decisions(
    found: accounts.Tables, question: dict[str, Any], looks: list[pd.Timestamp]
) -> pd.DataFrame:
    """All who could sign at every look that was followed by a signed order.

    Columns: ROW_COLUMNS, outcome_known_at (when the order became known), then the features. One
    row per person and look, in order of time; decision: "account at date". Raises InputError where
    no look was followed by an order whose signer is known.
    """
    parts = []
    for as_of in looks:
        signed = signers(found, as_of, question["horizon_days"])
        part = rows(found, question, as_of)
        part = part[part["account_id"].isin(signed.index)].reset_index(drop=True)
        who = part["account_id"].map(signed["person_id"])
        part.insert(0, "decision", part["account_id"].astype("str") + f" at {as_of:%Y-%m-%d}")
        part.insert(3, "as_of", as_of)
        part.insert(4, "signed", (who == part["person_id"]).astype("int64"))
        known_at = signed["known_at"].reindex(part["account_id"])  # a map of no times is no time
        part.insert(5, "outcome_known_at", known_at.array)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    if table.empty:
        raise InputError(
            f"None of {len(found['spend']):,} orders has a signer and lies within "
            f"{question['horizon_days']:g} days after one of {len(looks)} looks. Fill signer_id "
            "where the table spend comes from, or raise looks_count."
        )
    return table


def features_of(table: pd.DataFrame) -> list[str]:
    """The columns of `decisions` that a model may see: those that differ within an account."""
    apart = {*ROW_COLUMNS, "outcome_known_at", "nobody_signed_yet", "level_number"}
    return [name for name in table if name not in apart]
