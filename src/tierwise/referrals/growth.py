"""K: how many others a member brings in all, though the young ones had little time so far.

    naive        brought over members: counts young members as if they were done
    matured      the same among members of an age, by which most who will come have come
    corrected    brought over the sum of G(age): each member counts by the part of those it brings
                 that has come at its age, see `generation_time`

Corrected K of a cohort can be compared with that of an older one, naive K can't. Few bring many:
the number brought is negative binomial (Lloyd-Smith et al., Nature 438, 2005), with one dispersion
for all cohorts; the smaller, the more unequal. Intervals are those of a score test, as Wilson's of
a share is: K is inside if the number brought is likely given K. With e = G(age) and dispersion d,

    brought has mean K sum(e) and variance K sum(e) + K^2 (sum(e^2) / d + sum(e)^2 r^2)

where r is the relative standard error of sum(e) from what is not known of G (delta method).

Where members bring others for years, nobody can say after one year how many that will be: the time
is not `told`, and K has no upper end. K within a horizon can be said: only what came within it
counts, and e = G(min(age, horizon)) / G(horizon), which needs nothing of what comes later.

K = invitations a member x sign-ups an invitation holds for the naive K, and by cohort here too.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import gammaln
from scipy.stats import norm

from tierwise import examples as ex
from tierwise.attribution import REFERRED
from tierwise.features import check_times, microseconds
from tierwise.files import InputError
from tierwise.referrals import generation_time as gt
from tierwise.referrals.generation_time import LEVEL, GenerationTime
from tierwise.referrals.referral_chains import senders

DAY_US = 86_400_000_000
MATURED_DAYS = 60.0
# Logarithms of the dispersion: below, one brings all; above, counts are Poisson's.
DISPERSION_BOUNDS = (-7.0, 9.0)
TOLD, EARLY = "told", "too early to say"
LEAST_PART = 0.1  # of whom a cohort will bring: with less come, its K is a guess
PERIODS = {"week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}


@dataclass(frozen=True)
class Brood:
    """Members by sign-up: when, for how many days by now, whom they brought.

    sender: place of who brought them, -1 for nobody; brought: how many each brought.
    """

    occurred_at: pd.Series
    age_days: np.ndarray
    sender: np.ndarray
    brought: np.ndarray

    @property
    def waits_days(self) -> np.ndarray:
        """From the sign-up of who brought them to theirs, of those who were brought."""
        come = self.sender >= 0
        return self.age_days[self.sender[come]] - self.age_days[come]


@dataclass(frozen=True)
class Growth:
    """Corrected k with its interval; dispersion; the time that it takes; within which horizon."""

    k: float
    low: float
    high: float
    dispersion: float
    time: GenerationTime
    horizon_days: float = np.inf


def with_senders(attributed: pd.DataFrame, sources: tuple[str, ...] = REFERRED) -> pd.DataFrame:
    """person_id, occurred_at and sender_id, missing unless they came by one of these sources."""
    sender = attributed["sender_id"].where(attributed["source"].isin(sources))
    return attributed[["person_id", "occurred_at"]].assign(sender_id=sender)


def brood(members: pd.DataFrame, as_of: pd.Timestamp) -> Brood:
    """Members who signed up before `as_of`: person_id, occurred_at, sender_id (missing: nobody).

    Who was brought by somebody who is no member by then came by itself. Raises InputError where
    somebody was brought by one who signed up later.
    """
    rows = members[ex.known_before(members, as_of, "occurred_at")]
    rows = rows.sort_values(["occurred_at", "person_id"], ignore_index=True)
    at = microseconds(rows["occurred_at"])
    check_times(occurred_at=at)
    sender = senders(rows)
    come = np.flatnonzero(sender >= 0)
    wrong = come[at[sender[come]] > at[come]]
    if len(wrong):
        raise InputError(
            f"Member {rows['person_id'][wrong[0]]} was brought by "
            f"{rows['sender_id'][wrong[0]]}, who signed up later. Attribute sign-ups anew."
        )
    age = (microseconds(pd.Series([as_of]))[0] - at) / DAY_US
    brought = np.bincount(sender[come], minlength=len(rows))
    return Brood(rows["occurred_at"], age, sender, brought)


def fit(brood: Brood, level: float = LEVEL, horizon_days: float = np.inf) -> Growth:
    """K of all these members, within the horizon. Raises InputError for fewer than 20 brought."""
    seen = within(brood, horizon_days)
    could_be = np.minimum(seen.age_days, horizon_days)[seen.sender[seen.sender >= 0]]
    time = gt.fit(seen.waits_days, could_be, level)
    part = part_come(time, brood.age_days, horizon_days)
    k = float(seen.brought.sum() / part.sum())
    spread = dispersion(seen.brought, k * part)
    error = error_of(time, brood.age_days, horizon_days)
    low, high = interval(seen.brought.sum(), part, spread, error, level)
    return Growth(k, low, high, spread, time, horizon_days)


def within(brood: Brood, horizon_days: float) -> Brood:
    """Only those count as brought who came within the horizon of their sender's sign-up."""
    sender = brood.sender.copy()
    sender[np.flatnonzero(sender >= 0)[brood.waits_days > horizon_days]] = -1
    brought = np.bincount(sender[sender >= 0], minlength=len(sender))
    return replace(brood, sender=sender, brought=brought)


def part_come(time: GenerationTime, age_days: np.ndarray, horizon_days: float) -> np.ndarray:
    """e: the part of all brought within the horizon that has come at this age."""
    whole = 1.0 if np.isinf(horizon_days) else float(time.part_come(np.array(horizon_days)))
    return time.part_come(np.minimum(age_days, horizon_days)) / whole


def error_of(time: GenerationTime, age_days: np.ndarray, horizon_days: float) -> float:
    """r: relative standard error of the sum of e over members of these ages."""
    logs, step = np.log([time.shape, time.mean_days]), 1e-3

    def log_sum(at: np.ndarray) -> float:
        moved = replace(time, shape=float(np.exp(at[0])), mean_days=float(np.exp(at[1])))
        return float(np.log(part_come(moved, age_days, horizon_days).sum()))

    sums = [[log_sum(logs + side * one) for side in (-1, 1)] for one in step * np.eye(2)]
    slope = np.diff(sums, axis=1).ravel() / (2 * step)
    return float(np.sqrt(slope @ time.covariance @ slope))


def dispersion(counts: np.ndarray, means: np.ndarray) -> float:
    """Of counts that are negative binomial with these means, by maximum likelihood."""
    values, place = np.unique(counts, return_inverse=True)
    mean = np.maximum(means, 1e-12)

    def loss(log_size: float) -> float:
        size = np.exp(log_size)
        by_count = gammaln(size + values) - gammaln(size)
        own = by_count[place] - size * np.log1p(mean / size) - counts * np.log(size + mean)
        return -float(own.sum()) / len(counts)

    found = minimize_scalar(loss, bounds=DISPERSION_BOUNDS, method="bounded")
    return float(np.exp(found.x))


def interval(
    brought: float, part: np.ndarray, dispersion: float, error: float = 0.0, level: float = LEVEL
) -> tuple[float, float]:
    """Where K lies, see the module; infinite where the number brought contradicts no large K.

    part: G(age) of each member, or ones.
    """
    z2 = norm.ppf((1 + level) / 2) ** 2
    whole, squares = part.sum(), (part**2).sum()
    first = whole**2 * (1 - z2 * error**2) - z2 * squares / dispersion
    half = brought * whole + z2 * whole / 2
    root = np.sqrt(max(half**2 - first * brought**2, 0.0))
    low = brought**2 / (half + root) if half + root > 0 else 0.0
    return float(low), float((half + root) / first) if first > 0 else np.inf


def ways(
    brood: Brood, growth: Growth, matured_days: float = MATURED_DAYS, level: float = LEVEL
) -> pd.DataFrame:
    """K in the three ways: way, k, low, high, members_count, brought_count."""
    brood = within(brood, growth.horizon_days)
    ones, old = np.ones(len(brood.age_days)), brood.age_days > matured_days
    rows = []
    for way, chosen in (("naive", ones > 0), ("matured", old)):
        count, brought = int(chosen.sum()), int(brood.brought[chosen].sum())
        ends = interval(brought, ones[chosen], growth.dispersion, 0.0, level)
        rows.append((way, brought / count if count else np.nan, *ends, count, brought))
    all_of = len(ones), int(brood.brought.sum())
    rows.append(("corrected", growth.k, growth.low, growth.high, *all_of))
    columns = ["way", "k", "low", "high", "members_count", "brought_count"]
    return pd.DataFrame(rows, columns=columns)


def cohorts(
    brood: Brood, growth: Growth, every: str = "month", level: float = LEVEL
) -> pd.DataFrame:
    """K by when members signed up, within the horizon of `growth`.

    every: week, month, quarter or year.
    Columns: cohort (its first day), members_count, brought_count, naive, part_come (the part of
    those it will bring that has come by now), k, low, high, said ("too early to say" below 0.1).
    """
    brood = within(brood, growth.horizon_days)
    period = brood.occurred_at.dt.to_period(PERIODS[every])
    part = part_come(growth.time, brood.age_days, growth.horizon_days)
    rows = []
    for one in sorted(period.unique()):
        mine = (period == one).to_numpy()
        count, brought = int(mine.sum()), int(brood.brought[mine].sum())
        error = error_of(growth.time, brood.age_days[mine], growth.horizon_days)
        low, high = interval(brought, part[mine], growth.dispersion, error, level)
        come, k = float(part[mine].mean()), float(brought / part[mine].sum())
        said = TOLD if come >= LEAST_PART else EARLY
        rows.append((one.start_time, count, brought, brought / count, come, k, low, high, said))
    names = ["cohort", "members_count", "brought_count", "naive", "part_come"]
    return pd.DataFrame(rows, columns=[*names, "k", "low", "high", "said"])


def invited(
    members: pd.DataFrame, invites: pd.DataFrame, as_of: pd.Timestamp, every: str = "month"
) -> pd.DataFrame:
    """K as invitations a member times sign-ups an invitation, by cohort of who invites.

    members: as for `brood`; invites: person_id, known_at, recipients_count. Columns: cohort,
    members_count, recipients_count, brought_count, invitations (a member), conversion (an
    invitation) and naive, their product; all so far, so that young cohorts have less of each.
    """
    rows = members[ex.known_before(members, as_of, "occurred_at")]
    sent = invites[ex.known_before(invites, as_of, "known_at")]
    recipients = sent.groupby("person_id")["recipients_count"].sum()
    brought = rows["sender_id"].dropna().astype("int64").value_counts()
    each = pd.DataFrame(
        {
            "cohort": rows["occurred_at"].dt.to_period(PERIODS[every]).dt.start_time,
            "members_count": 1,
            "recipients_count": rows["person_id"].map(recipients).fillna(0.0),
            "brought_count": rows["person_id"].map(brought).fillna(0).astype("int64"),
        }
    )
    table = each.groupby("cohort", as_index=False).sum()
    invitations = table["recipients_count"] / table["members_count"]
    conversion = table["brought_count"] / table["recipients_count"].where(lambda sent: sent > 0)
    naive = table["brought_count"] / table["members_count"]
    return table.assign(invitations=invitations, conversion=conversion, naive=naive)
