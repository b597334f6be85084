"""Published rules of other marketplaces, followed on our data as closely as these allow.

Each rule gives a level (0 is no badge) and an order, higher is better. Where a level has a
continuous figure behind it, the order is that figure: it tells more than the badge, and is judged
in its place. What was adapted is said beside each rule; what a marketplace keeps to itself cannot
be followed.

    star mean       mean of the stars of the lookback
    Superhost       Airbnb: 4.8 stars or more, cancellations below 1 %, 10 stays or more, over a
                    year, looked at four times a year; answers to messages are not known here
    job success     Upwork: satisfied less dissatisfied outcomes, over all outcomes; the best of 6,
                    12 and 24 months; marks at 75 and 90 %; 2 clients or more. The exact sum is not
                    published; money spent and private remarks have no part here. Answers to our
                    surveys stand for private feedback.
    defect rate     eBay: defects over transactions, 0.5 % for the top level and 2 % for the
                    standard one, late starts 3 % for the top, over a year. A defect is a booking
                    cancelled by the provider, or a complaint; all count as not resolved. The level
                    is lost with so many defects of different buyers only.
    return rate     share of visits whose customer returned in its own time, drawn towards the mean
                    (Nosko, Tadelis, NBER working paper 20830, 2015, tell why it is worth having)

Sources of the rules: the help pages of Airbnb (Superhost), Upwork (Job Success Score) and eBay
(seller levels), as of 2024-2025.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.providers import visits
from tierwise.providers.public_figures import BY_PROVIDER, DONE, counted
from tierwise.shrinkage import shrunk_shares


@dataclass(frozen=True)
class Superhost:
    """Airbnb's rule."""

    least_stars: float = 4.8
    most_cancelled_share: float = 0.01
    least_jobs_count: int = 10


@dataclass(frozen=True)
class JobSuccess:
    """Upwork's rule. points: of our survey, from which on an answer is of a satisfied customer."""

    windows_days: tuple[float, ...] = (182.0, 365.0, 730.0)
    marks: tuple[float, ...] = (0.75, 0.9)
    least_clients_count: int = 2
    least_outcomes_count: int = 2
    satisfied_stars: int = 4
    satisfied_points: float = 7.0


@dataclass(frozen=True)
class Defects:
    """eBay's rule. Marks of the defect rate for level 2 (top) and level 1 (above standard)."""

    top_share: float = 0.005
    standard_share: float = 0.02
    top_late_share: float = 0.03
    least_top_jobs_count: int = 100
    least_defects_count: int = 4


@dataclass(frozen=True)
class Rules:
    """All rules, and the time over which they look back unless they say so themselves."""

    lookback_days: float = 365.0
    superhost: Superhost = Superhost()
    job_success: JobSuccess = JobSuccess()
    defects: Defects = Defects()


ORDERS = {  # name of a rule -> the column of `levels` by which it orders, higher is better
    "star mean": "stars_mean",
    "Superhost": "superhost_level",
    "job success": "job_success_share",
    "defect rate": "kept_share",
    "return rate": "return_share",
}
SUPERHOST_LIKE, JOB_SUCCESS_LIKE, DEFECT_LIKE = "Superhost", "job success", "defect rate"


def levels(
    tables: dict[str, pd.DataFrame],
    bookings: pd.DataFrame,
    as_of: pd.Timestamp,
    providers: pd.Index,
    late_tolerance_minutes: float,
    rules: Rules = Rules(),
) -> pd.DataFrame:
    """Every rule's figures at the as-of time, index as `providers`; NaN where there is nothing.

    bookings: as from visits.bookings, known by then. Columns: stars_mean, ratings_count,
    superhost_level, job_success_share, job_success_level, defect_share, kept_share (1 less
    defects), defect_level.
    """
    end = visits.day_number(as_of)
    inside = bookings[bookings["at_days"] >= end - rules.lookback_days]
    known = {name: visits.once(tables[name], key, as_of) for name, key in KEYS.items()}
    rated = known["ratings"]
    rated = rated[visits.day_number(rated["occurred_at"]) >= end - rules.lookback_days]
    stars = rated.groupby("provider_id")["stars"].agg(["mean", "size"]).reindex(providers)
    table = pd.DataFrame({"stars_mean": stars["mean"], "ratings_count": stars["size"].fillna(0)})
    table["superhost_level"] = superhost(inside, table["stars_mean"], providers, rules.superhost)
    success = job_success(bookings, known, end, providers, rules.job_success)
    found = defects(inside, known["complaints"], providers, late_tolerance_minutes, rules.defects)
    return table.join(success).join(found)


KEYS: dict[str, str | list[str]] = {
    "ratings": "booking_id",
    "surveys": "survey_id",
    "complaints": "complaint_id",
    "blacklist": ["customer_id", "provider_id"],
}


def superhost(
    bookings: pd.DataFrame, stars_mean: pd.Series, providers: pd.Index, rule: Superhost
) -> pd.Series:
    """1 for those who would have the badge, else 0."""
    kept = bookings[bookings["status"].isin([DONE, *BY_PROVIDER])]
    gone, count = counted(kept["status"].isin(BY_PROVIDER), kept["provider"], providers)
    few = gone < rule.most_cancelled_share * np.maximum(count, 1)
    enough = count - gone >= rule.least_jobs_count
    good = (stars_mean >= rule.least_stars).to_numpy()
    return pd.Series((few & enough & good).astype("int64"), providers)


def job_success(
    bookings: pd.DataFrame,
    known: dict[str, pd.DataFrame],
    end: float,
    providers: pd.Index,
    rule: JobSuccess,
) -> pd.DataFrame:
    """job_success_share (-1 to 1, the best of the windows) and job_success_level 0, 1, 2."""
    told = outcomes_of(bookings, known, rule)
    shares = []
    for days in rule.windows_days:
        part = told[told["at_days"] >= end - days]
        sums, count = counted(part["sign"], part["provider"], providers)
        clients = part.groupby("provider")["customer"].nunique().reindex(providers).fillna(0)
        enough = (count >= rule.least_outcomes_count) & (clients >= rule.least_clients_count)
        shares.append(pd.Series(sums / np.maximum(count, 1), providers).where(enough))
    share = pd.concat(shares, axis=1).max(axis=1)
    level = sum((share >= mark).astype("int64") for mark in rule.marks)
    return pd.DataFrame({"job_success_share": share, "job_success_level": level})


def outcomes_of(
    bookings: pd.DataFrame, known: dict[str, pd.DataFrame], rule: JobSuccess
) -> pd.DataFrame:
    """Bookings done of which something is known: customer, provider, at_days, sign (1 or -1).

    Dissatisfied: few stars, a low private answer, a complaint, the black list. Satisfied: neither
    of these, and enough stars, a good answer, or chosen again. Silence is no outcome.
    """
    done = bookings[bookings["status"] == DONE]
    stars = done["booking_id"].map(known["ratings"].set_index("booking_id")["stars"])
    answers = known["surveys"].dropna(subset=["satisfaction_points"])
    answers = answers.drop_duplicates("booking_id").set_index("booking_id")
    points = done["booking_id"].map(answers["satisfaction_points"])
    pair = pd.MultiIndex.from_frame(done[["customer", "provider"]])
    black = pair.isin(
        pd.MultiIndex.from_frame(known["blacklist"][["customer_id", "provider_id"]])
    ) & ~done.duplicated(["customer", "provider"], keep="last")
    complained = done["booking_id"].isin(known["complaints"]["booking_id"].dropna())
    chosen = done["chosen"].astype("bool").groupby([done["customer"], done["provider"]])
    again = chosen.shift(-1).eq(True)
    bad = (stars < rule.satisfied_stars) | (points < rule.satisfied_points) | black | complained
    good = (stars >= rule.satisfied_stars) | (points >= rule.satisfied_points) | again
    told = done[["customer", "provider", "at_days"]].assign(sign=np.where(bad, -1.0, 1.0))
    return told[bad | good]


def defects(
    bookings: pd.DataFrame,
    complaints: pd.DataFrame,
    providers: pd.Index,
    late_tolerance_minutes: float,
    rule: Defects,
) -> pd.DataFrame:
    """defect_share, kept_share and defect_level: 2 top, 1 above standard, 0 below it."""
    kept = bookings[bookings["status"].isin([DONE, *BY_PROVIDER])]
    bad = kept["status"].isin(BY_PROVIDER) | kept["booking_id"].isin(complaints["booking_id"])
    sums, count = counted(bad, kept["provider"], providers)
    buyers = kept[bad].groupby("provider")["customer"].nunique().reindex(providers).fillna(0)
    done = kept[kept["status"] == DONE]
    late, starts = counted(
        done["late_minutes"] > late_tolerance_minutes, done["provider"], providers
    )
    share = pd.Series(sums / np.maximum(count, 1), providers).where(count > 0)
    below = (share > rule.standard_share) & (buyers >= rule.least_defects_count)
    top = (share <= rule.top_share) & (starts >= rule.least_top_jobs_count)
    top &= late <= rule.top_late_share * np.maximum(starts, 1)
    level = np.select([below, top], [0, 2], default=1)
    return pd.DataFrame({"defect_share": share, "kept_share": 1 - share, "defect_level": level})


def return_shares(
    returned: pd.Series, provider: pd.Series, providers: pd.Index, seasoned: pd.Series | None = None
) -> pd.Series:
    """Share of visits that the customer followed by another one in time, drawn towards the mean.

    returned: 1, 0 or NaN per visit; NaN everywhere where nothing is known of two providers.
    """
    known = returned.notna() if seasoned is None else returned.notna() & seasoned
    sums, count = counted(returned[known], provider[known], providers)
    if (count > 0).sum() < 2:
        return pd.Series(np.nan, providers)
    return pd.Series(shrunk_shares(sums, count)["share"].to_numpy(), providers)
