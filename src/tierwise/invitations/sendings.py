"""Sendings from the tables of referrals: what was sent to how many, and what came of it.

A sending is a link with its message. It brought a sign-up if the sign-up is credited to the link
and happened within window_days of the sending. What it brought is known reopen_days after that,
when credits are settled; until then it is too young and left out, whatever it has brought so far:
those who sign up at once would else count more than those who take a week.

Worked example, window 30 days, credits settled 7 days later, judged from 1 June: a sending of
20 April is known on 27 May and teaches; one of 10 May is known on 16 June, so on 1 June nobody knew
how it ended, and it lies before the judged ones: it is left out; one of 2 June is judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tierwise import attribution
from tierwise import examples as ex
from tierwise.files import InputError
from tierwise.referrals import referral_data
from tierwise.referrals.referral_data import Tables

# What happens at most to a link that is in no sending.
NO_MESSAGE, TOO_YOUNG = "no message with this link is known", "too young: window still open"
LEAST_SENDINGS = 30


@dataclass(frozen=True)
class Halves:
    """Sendings to learn from, and later ones to judge on; all: every one whose end is known.

    left_out: why, sendings_count. judged_from: the first morning of the judged ones.
    """

    learned: pd.DataFrame
    judged: pd.DataFrame
    all: pd.DataFrame
    left_out: pd.DataFrame
    judged_from: pd.Timestamp


def sent(found: Tables, as_of: pd.Timestamp) -> pd.DataFrame:
    """One row per link known before `as_of`, by time and link.

    Columns: link_id, person_id, interest (missing where none was declared), template,
    propensity_share, sent_at (of its first message, missing without one), recipients_count.
    """
    links = found["links"][ex.known_before(found["links"], as_of, "known_at")]
    invites = found["invites"][ex.known_before(found["invites"], as_of, "known_at")]
    by_link = invites.groupby("link_id")
    of_link = by_link.agg(
        sent_at=("occurred_at", "min"), recipients_count=("recipients_count", "sum")
    )
    names = ["link_id", "person_id", "interest", "template", "propensity_share"]
    rows = links[names].merge(of_link, how="left", on="link_id")
    return rows.sort_values(["sent_at", "link_id"], ignore_index=True)


def ended(
    found: Tables, credits: pd.DataFrame, rules: Mapping[str, Any], as_of: pd.Timestamp
) -> tuple[pd.DataFrame, dict[str, int]]:
    """The sendings whose end is known before `as_of`, with sign_ups_count and outcome_known_at, and
    how many were left out, by reason.

    credits: from `referral_data.credited`; only those settled before `as_of` count, which no later
    knowledge changes. rules: window_days and reopen_days of attribution.
    """
    own = attribution.rules_of(rules)
    rows = sent(found, as_of)
    rows["outcome_known_at"] = ex.horizon_end(rows["sent_at"], own.window_days + own.reopen_days)
    is_known = ex.known_before(rows, as_of)
    left_out = {NO_MESSAGE: int(rows["sent_at"].isna().sum())}
    left_out[TOO_YOUNG] = int((~is_known).sum()) - left_out[NO_MESSAGE]
    rows = rows[is_known].reset_index(drop=True)
    came = credits[credits["link_id"].notna() & ex.known_before(credits, as_of, "settled_at")]
    ends = ex.horizon_end(rows.set_index("link_id")["sent_at"], own.window_days)
    in_time = ex.earlier(came["occurred_at"], ends.reindex(came["link_id"]).set_axis(came.index))
    count = came.loc[in_time, "link_id"].value_counts()
    return rows.assign(
        sign_ups_count=rows["link_id"].map(count).fillna(0).astype("int64")
    ), left_out


def halves(
    found: Tables, rules: Mapping[str, Any], as_of: pd.Timestamp, judged_share: float
) -> Halves:
    """The latest `judged_share` of the sendings whose end is known, and those known before them.

    Raises InputError where either has fewer than LEAST_SENDINGS, or the share is not between 0
    and 1.
    """
    if not 0 < judged_share < 1:
        raise InputError(f"judged_share must be between 0 and 1, not {judged_share}.")
    credits = referral_data.credited(found, rules, as_of)
    every, left_out = ended(found, credits, rules, as_of)
    edge = as_of if every.empty else ex.edge_at(every["sent_at"], 1 - judged_share).floor("D")
    learned, _ = ended(found, credits, rules, edge)
    before = ex.known_before(every, edge, "sent_at")
    judged = every[~before].reset_index(drop=True)
    between = int(before.sum()) - len(learned)
    if min(len(learned), len(judged)) < LEAST_SENDINGS:
        raise InputError(
            f"{len(learned)} sendings to learn from and {len(judged)} later ones to judge on; it "
            f"takes {LEAST_SENDINGS} of each at least. Wait for more, or change judged_share."
        )
    left_out |= {"their end was not known when judging began": between}
    reasons = pd.DataFrame(left_out.items(), columns=["why", "sendings_count"])
    return Halves(learned, judged, every, reasons, edge)
