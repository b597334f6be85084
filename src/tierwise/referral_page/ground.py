"""What all pages are made from: tables, credits, rewards, and what other pages left if they ran.

friend      a member who is credited to a sender, by click or code
uncounted   who came by a sender, but is credited to nobody or to somebody else
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from tierwise import accounts, attribution, files
from tierwise import examples as ex
from tierwise.invitations import choice
from tierwise.invitations.texts import Text, texts
from tierwise.referral_page import uncounted as un
from tierwise.referrals import referral_data
from tierwise.referrals.referral_claims import Rules
from tierwise.referrals.referral_data import Tables
from tierwise.rewards import due as rd
from tierwise.rewards import ledger


@dataclass(frozen=True)
class Terms:
    """What an analyst says beside rules and reward.

    join_page: where links lead; campaign: of links that are made for those who have none; texts:
    see `invitations.texts`, by template; the first one is for those whom no other one fits.
    """

    join_page: str
    campaign: str
    appeal_address: str
    answer_days: float
    texts: dict[str, Text]


@dataclass(frozen=True)
class Ground:
    """Of one application, all as known before `as_of`.

    tables: rows known then. credits: of `attribution.attributed`. states: of `rewards.ledger`.
    policy: template by interest, {} where none was chosen. tiers: by person_id, flags: as handed
    over by the page of fraud, both empty where those pages did not run. is_decided: does the ledger
    hold anything?
    """

    application: str
    simulated: bool
    as_of: pd.Timestamp
    tables: Tables
    rules: Rules
    reward: rd.Reward
    terms: Terms
    credits: pd.DataFrame
    uncounted: pd.DataFrame
    states: pd.DataFrame
    flags: pd.DataFrame
    tiers: pd.Series
    policy: dict[str, str]
    is_decided: bool

    @cached_property
    def friends(self) -> pd.DataFrame:
        """friend_id, sender_id, occurred_at, settled_at, has_bought; by friend_id."""
        rows = self.credits[self.credits["source"].isin(attribution.REFERRED)]
        rows = rows.rename(columns={"person_id": "friend_id"}).astype({"sender_id": "int64"})
        bought = rows["friend_id"].isin(self.tables["purchases"]["person_id"])
        names = ["friend_id", "sender_id", "occurred_at", "settled_at"]
        return rows[names].assign(has_bought=bought).reset_index(drop=True)


def laid(
    tables: Tables,
    about: Mapping[str, Any],
    application: str,
    simulated: bool,
    attribution_rules: Mapping[str, Any],
    reward: Mapping[str, Any],
    terms: Mapping[str, Any],
) -> Ground:
    """Credits and rewards as of the last morning of the snapshot. Raises InputError.

    Read if they are there: data/rewards/<application>/ and, in models/<application>/,
    referral_flags.parquet, advocates.parquet and invitation_policy.json.
    """
    as_of = referral_data.morning(about)
    rules, own = attribution.rules_of(attribution_rules), rd.reward_of(reward)
    credits = referral_data.credited(tables, attribution_rules, as_of)
    seen = accounts.known(tables, as_of)
    flags = optional(application, "referral_flags.parquet")
    due = rd.due(credits, seen["members"], seen["purchases"], own, as_of)
    entries = ledger.read(files.project_root() / "data" / "rewards" / application)
    return Ground(
        application=application,
        simulated=simulated,
        as_of=as_of,
        tables=seen,
        rules=rules,
        reward=own,
        terms=Terms(**{**terms, "texts": texts(terms["texts"])}),
        credits=credits,
        uncounted=un.uncounted(tables, credits, rules, as_of),
        states=ledger.states(due, entries, flags),
        flags=flags,
        tiers=tiers(application),
        policy=policy(application),
        is_decided=len(entries) > 0,
    )


def optional(application: str, name: str) -> pd.DataFrame:
    """A table that another page leaves; an empty one where that page did not run."""
    path = files.models_path(application, name)
    return files.read_parquet(path) if path.is_file() else pd.DataFrame()


def tiers(application: str) -> pd.Series:
    """Tier of each member by the page of advocates, index person_id; empty where there is none."""
    table = optional(application, "advocates.parquet")
    if "tier" not in table or "person_id" not in table:
        return pd.Series(dtype="object")
    return table.drop_duplicates("person_id").set_index("person_id")["tier"].astype("str")


def policy(application: str) -> dict[str, str]:
    """interest -> template, as chosen by the page of invitations; {} where it did not run."""
    path = files.models_path(application, choice.FILE)
    told = files.read_json(path) if path.is_file() else {}
    found = told.get("templates", {}) if isinstance(told, dict) else {}
    return {str(interest): str(template) for interest, template in found.items()}


def newest_links(tables: Tables) -> pd.DataFrame:
    """Of each member the link made last: link_id, campaign, occurred_at; index person_id."""
    rows = tables["links"].sort_values(["occurred_at", "link_id"])
    return rows.drop_duplicates("person_id", keep="last").set_index("person_id")


def interests(one: Ground) -> dict[int, str]:
    """To which interest a member's text is fitted, by person_id; nobody who declared none."""
    rows = one.tables["interests"]
    who = rows["person_id"].drop_duplicates().sort_values(ignore_index=True)
    found = choice.declared(who, rows, pd.DataFrame(index=list(one.policy)), one.as_of)
    return dict(zip(who.tolist(), found.tolist(), strict=True))


def is_past(at: pd.Series, as_of: pd.Timestamp) -> pd.Series:
    """Mask of the times before `as_of`; False where one is missing."""
    return ex.earlier(at, as_of)


def later_by(at: pd.Series, days: float) -> pd.Series:
    return ex.horizon_end(at, days)
