"""What each fact about a claim weighs: logarithms of likelihood ratios, fraud against honest.

    weight    ln(how often fraud shows this / how often honest members show it). 2.3: ten times as
              often. Weights of different signs add up, as if they were independent; families of
              signs are capped since they are not

How often honest members show a sign is learned without labels, from members who came by themselves
and whom nobody claims: a shared device or payment, no second day. What only a sender can show is
learned from the first claims of all senders, by quantiles that a few rings hardly move: how long
after their sender friends come, and after one another; and how many senders have a refused claim.
How often fraud shows a sign is stated by hand; for times and refusals not even that: there the
weight is what the p-value can speak at most, -ln(-e p ln p) for p below 1/e (Sellke, Bayarri,
Berger, The American Statistician 55, 2001).

    family     signs
    identity   same device, same payment, same browser as another account
    sender     other claims of this sender were refused: same device, same payment, an old account
    time       a burst; a sender who has only just joined; always the same time of day
    place      same address as kin. Weighs nothing with a device of one's own and stagger_hours
               between, or a life after it: so an office, a family or a dormitory joins
    behaviour  no second day of use; a second day speaks for the friend, by a negative weight
    circle     part of a circle, see `circles`
    company    most of the claims beside it, by sender or friend, are suspicious themselves
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binom, norm

from tierwise import examples as ex
from tierwise.referral_fraud import facts as fc
from tierwise.referral_fraud.settings import Asked

FAMILIES = {
    "same_device": "identity", "same_payment": "identity", "same_browser": "identity",
    "blocked": "sender", "burst": "time", "fresh_sender": "time", "same_hours": "time",
    "same_address": "place", "silent": "behaviour", "active": "behaviour", "circle": "circle",
    "company": "company",
}  # fmt: skip
SIGNS = tuple(FAMILIES)
STRONG = {"same_device": "device_id", "same_payment": "payment_id", "same_browser": "visitor_id"}
CIRCLE_HONEST, ADDRESS_HONEST, COMPANY_HONEST = 0.001, 0.02, 0.02  # by hand: nobody can learn them
LEAST_SESSIONS, MOST_SESSIONS, DRAWS_COUNT = 3, 12, 2000
LEAST_COMPANY = 2


@dataclass(frozen=True)
class Usual:
    """What is usual for honest members.

    shares: how often they show a sign. wait, gap: middle and spread of the logarithm of hours from
    a sender's sign-up to its friends', and between friends. address: share of those who came by
    themselves at each address. together: for 3 to 12 sessions drawn from their times of day,
    ascending values of `hours_together`. reference_count: how many came by themselves.
    """

    shares: dict[str, float]
    wait: tuple[float, float]
    gap: tuple[float, float]
    address: pd.Series
    together: dict[int, np.ndarray]
    reference_count: int


def usual(
    tables: Mapping[str, pd.DataFrame],
    rows: pd.DataFrame,
    alone: np.ndarray,
    as_of: pd.Timestamp,
    asked: Asked,
) -> Usual:
    """Learn what is usual. rows: with facts. alone: person_id of `claims.by_themselves`."""
    people = fc.known(tables["members"], as_of)
    mine = people[people["person_id"].isin(alone)].reset_index(drop=True)
    shares = {
        sign: at_least(int((fc.mates(mine, people, trait)["count"] > 0).sum()), len(mine))
        for sign, trait in STRONG.items()
    }
    quiet = fc.silent(tables["activity"], mine, "person_id", as_of, asked.second_days)
    over = quiet["silent_at"].notna()
    shares["silent"] = at_least(int(quiet["is_silent"].sum()), int(over.sum()))
    has_blocked = (~rows["is_credited"]).groupby(rows["sender_id"]).any()
    shares["blocked"] = at_least(int(has_blocked.sum()), len(has_blocked))
    wait, gap = first_of_each(rows)
    address = mine["address_id"].value_counts() / max(len(mine), 1)
    hours = fc.hour_of_day(mine["occurred_at"])
    return Usual(
        shares, spread(wait), spread(gap), address,
        together(hours), len(mine),
    )  # fmt: skip


def first_of_each(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Of each sender, hours to its first friend, and from that to the second: so a ring with many
    claims counts once."""
    ordered = rows.sort_values(["sender_id", "occurred_at", "friend_id"])
    turn = ordered.groupby("sender_id").cumcount()
    gap = ordered.groupby("sender_id")["occurred_at"].diff() / fc.HOUR
    return ordered.loc[turn == 0, "sender_age_hours"], gap[turn == 1]


def at_least(count: int, of: int) -> float:
    """A share that is never 0 or 1 (Laplace's rule of succession)."""
    return (count + 1) / (of + 2)


def spread(hours: pd.Series) -> tuple[float, float]:
    """Middle and spread of ln hours: the median, and the wider of what the upper tenth and the
    lower fifth say. Rings are quick; as long as they are much fewer than a fifth, they make the
    spread too wide rather than too narrow, and so flag less. (0, infinity), by which nothing is
    unusual, for fewer than 20."""
    there = np.log(np.maximum(hours.dropna().to_numpy("float64"), 1e-3))
    if len(there) < 20:
        return 0.0, float("inf")
    lower, middle, upper = np.quantile(there, [0.2, 0.5, 0.9])
    widths = (upper - middle) / norm.ppf(0.9), (middle - lower) / norm.ppf(0.8)
    return float(middle), float(max(*widths, 0.1))


def together(hours: np.ndarray) -> dict[int, np.ndarray]:
    """How much together times of day are by chance, for each number of sessions."""
    if not len(hours):
        return {}
    random = np.random.default_rng(0)
    found = {}
    for count in range(LEAST_SESSIONS, MOST_SESSIONS + 1):
        drawn = fc.vector(random.choice(hours, (DRAWS_COUNT, count)))
        found[count] = np.sort(np.hypot(drawn["x"].mean(axis=1), drawn["y"].mean(axis=1)))
    return found


def spoken(p_value: np.ndarray, seldom_share: float) -> np.ndarray:
    """What p-values speak at most; 0 where they are not seldom."""
    p = np.clip(p_value, 1e-12, 1.0)
    bound = -np.log(-np.e * np.where(p < 1 / np.e, p * np.log(p), -1 / np.e))
    return np.where(p <= seldom_share, bound, 0.0)


def p_values(rows: pd.DataFrame, known: Usual) -> pd.DataFrame:
    """How unusual: burst, fresh_sender, same_hours, blocked; 1 where there is nothing to say.

    burst: all of hour_count within an hour, each following the one before as friends usually do.
    blocked: so many of the sender's other claims refused, by the binomial distribution.
    """
    middle, width = known.gap
    within = norm.cdf((0.0 - middle) / width)  # ln of one hour is 0
    burst = within ** (rows["hour_count"] - 1)
    blocked = binom.sf(rows["blocked_count"] - 1, rows["claimed_count"], known.shares["blocked"])
    middle, width = known.wait
    age = np.log(np.maximum(rows["sender_age_hours"].to_numpy("float64"), 1e-3))
    hours = np.ones(len(rows))
    number = rows["session_count"].clip(upper=MOST_SESSIONS).to_numpy()
    for count, drawn in known.together.items():
        mine = number == count
        above = len(drawn) - np.searchsorted(drawn, rows["hours_together"].to_numpy()[mine])
        hours[mine] = (above + 1) / (len(drawn) + 1)
    fresh = norm.cdf((age - middle) / width)
    table = {"burst": burst, "fresh_sender": np.nan_to_num(fresh, nan=1.0), "same_hours": hours}
    return pd.DataFrame(table | {"blocked": blocked}, index=rows.index)


def weights(rows: pd.DataFrame, known: Usual, asked: Asked) -> pd.DataFrame:
    """Weight of each sign of each claim, a column per sign; `company` is still 0."""
    shown, found = asked.shown_by_fraud, pd.DataFrame(0.0, rows.index, list(SIGNS))
    for sign, trait in STRONG.items():
        ratio = np.log(getattr(shown, sign) / known.shares[sign])
        found[sign] = np.where(rows[f"{trait}_mates"] > 0, max(ratio, 0.0), 0.0)
    for name, p in p_values(rows, known).items():
        found[str(name)] = spoken(p.to_numpy(), asked.seldom_share)
    honest = known.shares["silent"]
    found["silent"] = np.where(rows["is_silent"], np.log(shown.silent / honest), 0.0).clip(min=0)
    again = ~rows["is_silent"] & rows["silent_at"].notna()
    calm = min(np.log((1 - shown.silent) / (1 - honest)), 0.0)
    found["active"] = np.where(again, calm, 0.0)
    found["same_address"] = address_weight(rows, known, asked)
    found["circle"] = np.where(
        rows["circle_count"] > 0, np.log(shown.circle / CIRCLE_HONEST), 0.0
    )  # fmt: skip
    return found


def address_weight(rows: pd.DataFrame, known: Usual, asked: Asked) -> np.ndarray:
    """The same address as kin, by how many others have it; 0 where it is allowed.

    Allowed is what offices, families and dormitories do: a device of one's own, and either
    stagger_hours between the sign-ups or a life after it. How often honest friends share an address
    within the hours is stated by hand, plus the share of those who came by themselves there.
    """
    own_device = rows["device_id_mates"] == 0
    came_back = ~rows["is_silent"] & rows["silent_at"].notna()
    apart = rows["address_gap_hours"] > asked.stagger_hours
    counts = (rows["address_kin"] > 0) & ~(own_device & (apart | came_back))
    share = rows["address_id"].map(known.address).fillna(0.0).to_numpy("float64")
    honest = np.minimum(ADDRESS_HONEST + share, 1.0)
    ratio = np.log(asked.shown_by_fraud.same_address / honest)
    return np.where(counts, np.maximum(ratio, 0.0), 0.0)


def summed(found: pd.DataFrame, cap: float) -> pd.DataFrame:
    """Weights so scaled that no family of signs exceeds the cap; the sum of a row is its score."""
    scaled = found.copy()
    for family in dict.fromkeys(FAMILIES.values()):
        signs = [sign for sign in SIGNS if FAMILIES[sign] == family]
        total = found[signs].sum(axis=1)
        factor = np.where(total > cap, cap / total.where(total > 0, 1.0), 1.0)
        scaled[signs] = found[signs].mul(factor, axis=0)
    return scaled


def company(rows: pd.DataFrame, score: pd.Series, asked: Asked) -> pd.Series:
    """Weight of the claims beside each one: of the same sender, of the friend as a sender, and that
    by which the sender came. Where two or more of them, and more than half, reach the threshold by
    themselves; refused ones don't count, they have a sign of their own."""
    is_bad = ((score >= asked.threshold) & rows["is_credited"]).astype("int64")
    sender, friend = rows["sender_id"], rows["friend_id"]
    table = pd.DataFrame({"bad": is_bad, "all": rows["is_credited"].astype("int64")})
    by_sender = table.groupby(sender).sum()
    by_friend = table.groupby(friend).sum()
    around = by_sender.reindex(sender).to_numpy() - table.to_numpy()
    around = around + by_sender.reindex(friend).fillna(0).to_numpy()
    around = around + by_friend.reindex(sender).fillna(0).to_numpy()
    bad, count = around[:, 0], around[:, 1]
    told = (bad >= LEAST_COMPANY) & (2 * bad > count)
    weight = np.log(asked.shown_by_fraud.company / COMPANY_HONEST)
    return pd.Series(np.where(told, weight, 0.0), rows.index)


def sender_age(rows: pd.DataFrame, members: pd.DataFrame) -> pd.Series:
    """Hours from the sender's sign-up to the friend's."""
    joined = rows["sender_id"].map(members.set_index("person_id")["occurred_at"])
    return pd.Series(ex.days_passed(joined, rows["occurred_at"]) * fc.DAY_HOURS, rows.index)
