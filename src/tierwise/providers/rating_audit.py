"""How far can the stars be trusted? One row per visit, its stars if any, and what came of it.

    rated       stars arrived within the window after the visit
    silent      none did; later ones count as silence
    response    share of visits that were rated
    stopped     the customer visited nobody within so many days afterwards; NaN while that is open

Only visits whose window is over count, and of every visit only what was known before `until`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise import files
from tierwise.clustered import difference, mean, share
from tierwise.files import InputError
from tierwise.providers import visits
from tierwise.shrinkage import LEVEL

TOP_STARS, LOW_STARS = 5, 3
LEAST_RELIABILITY = 0.7
SEEN = ("complaint", "black_list", "favourite", "tip")
STARS_ENDS, TOP_ENDS = (1.0, 5.0), (0.0, 1.0)
GROUPS = ("gave five stars", "gave fewer stars", "kept silent", "all who were asked")
ANSWERED = ["group", "asked_count", "answered_share", "points", "between", "happy_share",
            "unhappy_share"]  # fmt: skip
EXAMPLE = (29, 30)  # five stars of ratings of one provider


def audited(
    tables: visits.Tables, until: pd.Timestamp, window_days: float, gone_days: float
) -> pd.DataFrame:
    """Visits as from `visits.jobs` whose window is over, with what is known of them.

    More columns: stars (NaN: silent), with_text, SEEN (0 or 1, within the window), asked (a survey
    that is over), points (its answer or NaN), stopped (1, 0, NaN). Raises InputError where no
    visit is rated.
    """
    jobs = visits.jobs(tables, until)
    seen = visits.actions(tables, jobs, until, window_days, SEEN)
    booked = visits.bookings(tables, until)
    rows = jobs.join(seen).join(starred(tables, jobs, booked, until, window_days))
    rows = rows.join(surveyed(tables, jobs, booked, until))
    rows["stopped"] = stopped(jobs, until, gone_days)
    rows = rows[visits.settled(jobs, until, window_days)].reset_index(drop=True)
    if not rows["stars"].notna().any():
        raise InputError(
            f"None of {len(rows):,} visits that are {window_days:g} days old was rated, so there "
            "are no stars to judge. Look at the table ratings, or give a later day."
        )
    return rows


def starred(
    tables: visits.Tables,
    jobs: pd.DataFrame,
    booked: pd.DataFrame,
    until: pd.Timestamp,
    window_days: float,
) -> pd.DataFrame:
    """stars and with_text by job, of its first rating; none where that came after the window."""
    rows = visits.of_booking(visits.once(tables["ratings"], "booking_id", until), booked)
    rows, place = placed(rows, jobs)
    waited = visits.day_number(rows["occurred_at"]).to_numpy() - jobs["at_days"].to_numpy()[place]
    inside = waited <= window_days
    found = pd.DataFrame({"stars": np.nan, "with_text": False}, jobs.index)
    found.iloc[place[inside], 0] = rows.loc[inside, "stars"].astype("float64").to_numpy()
    found.iloc[place[inside], 1] = (rows.loc[inside, "text_length_count"] > 0).to_numpy()
    return found


def surveyed(
    tables: visits.Tables, jobs: pd.DataFrame, booked: pd.DataFrame, until: pd.Timestamp
) -> pd.DataFrame:
    """asked and points by job, of surveys that had as long to be answered as any.

    An unanswered survey is known when it is closed, an answered one before: of the youngest only
    the answered are known, and they would make it look as if nearly all answered.
    """
    rows = visits.once(tables["surveys"], "survey_id", until)
    found = pd.DataFrame({"asked": False, "points": np.nan}, jobs.index)
    if rows.empty:
        return found
    longest = (rows["known_at"] - rows["occurred_at"]).max()
    rows = rows[ex.known_before(rows, until - longest, "occurred_at")]
    rows, place = placed(visits.of_booking(rows, booked), jobs)
    found.iloc[place, 0] = True
    found.iloc[place, 1] = rows["satisfaction_points"].astype("float64").to_numpy()
    return found


def placed(rows: pd.DataFrame, jobs: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """The first row of each job, and the place of its job; rows of no job are left out."""
    names = {"customer_id": "customer", "provider_id": "provider"}
    rows = rows.rename(columns=names).sort_values("occurred_at", kind="stable", ignore_index=True)
    rows["from_days"] = rows["from_days"].astype("float64")  # of no rows pandas makes objects
    rows["job"] = visits.job_of(rows, jobs, "from_days")
    rows = rows[rows["job"] >= 0].drop_duplicates("job", ignore_index=True)
    return rows, rows["job"].to_numpy()


def stopped(jobs: pd.DataFrame, until: pd.Timestamp, gone_days: float) -> pd.Series:
    """1 where the customer's next job, with anybody, came later than gone_days or never; NaN where
    so many days have not passed."""
    gap = jobs.groupby("customer", sort=False)["at_days"].shift(-1) - jobs["at_days"]
    over = jobs["at_days"] + gone_days <= visits.day_number(until)
    return (~(gap <= gone_days)).astype("float64").where(over)


def figures(rows: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """The first look: name, of (of what), share, low, high, count. Intervals by customer."""
    cluster = rows["customer"].to_numpy()
    rated = rows["stars"].notna().to_numpy()
    every = np.ones(len(rows), dtype="bool")
    asked = rows["asked"].to_numpy("bool")
    top, low = (rows["stars"] == TOP_STARS), (rows["stars"] <= LOW_STARS)
    lines = [
        ("rated", "visits", rated, every),
        ("five stars", "ratings", top, rated),
        (f"{LOW_STARS} stars or fewer", "ratings", low, rated),
        ("with text", "ratings", rows["with_text"], rated),
        ("five stars, silence counted", "visits", top, every),
        ("complained", "visits", rows["complaint"], every),
        ("answered", "surveys by lot", rows["points"].notna(), asked),
    ]
    found = [
        (name, of, share(np.asarray(y), inside, cluster, level)) for name, of, y, inside in lines
    ]
    return pd.DataFrame(
        [
            {"name": name, "of": of, "share": one.value, "interval": one.ends, "count": one.count}
            for name, of, one in found
            if one.count
        ]
    )


def bounds(response: float, top_share: float) -> tuple[float, float]:
    """Smallest and largest true share of five stars if the silent may have thought anything.

    Manski, Am. Econ. Rev. 80(2), 1990; 41 % and 97 %: 39.8 % to 98.8 %. The smaller one is also the
    "effective" share of Nosko and Tadelis (NBER 20830, 2015), in which silence is no praise.
    """
    return response * top_share, 1 - response * (1 - top_share)


def top_measure(rows: pd.DataFrame) -> np.ndarray:
    """1 five stars, 0 fewer, NaN silent."""
    stars = rows["stars"].to_numpy("float64")
    return np.where(np.isfinite(stars), stars == TOP_STARS, np.nan)


def privately(
    rows: pd.DataFrame, happy_points: float, unhappy_points: float, level: float = LEVEL
) -> pd.DataFrame:
    """Answers of those asked by lot, by what they did in public: GROUPS.

    Columns: group, asked_count, answered_share, points, between (its interval), happy_share,
    unhappy_share. A group nobody of whom was asked has no row.
    """
    asked = rows["asked"].to_numpy("bool")
    stars, points = rows["stars"].to_numpy("float64"), rows["points"].to_numpy("float64")
    answered, cluster = np.isfinite(points), rows["customer"].to_numpy()
    masks = (stars == TOP_STARS, stars < TOP_STARS, np.isnan(stars), np.ones(len(rows), "bool"))
    lines = []
    for name, mask in zip(GROUPS, masks, strict=True):
        inside = mask & asked
        if inside.any():
            found = mean(np.where(answered, points, 0.0), inside & answered, cluster, level)
            said = points[inside & answered]
            line = {"group": name, "asked_count": int(inside.sum())}
            line |= {"answered_share": float(answered[inside].mean())}
            line |= {"points": found.value, "between": found.ends}
            line |= {"happy_share": average(said >= happy_points)}
            lines.append(line | {"unhappy_share": average(said <= unhappy_points)})
    return pd.DataFrame(lines, columns=ANSWERED)


def average(happened: np.ndarray) -> float:
    return float(happened.mean()) if len(happened) else np.nan


def hidden(rows: pd.DataFrame, unhappy_points: float, level: float = LEVEL) -> dict[str, Any]:
    """What the unhappy of the surveys did in public: unhappy_count, silent_share, five_star_share,
    and how much lower the silent answered than raters (silent_points, interval)."""
    points, stars = rows["points"].to_numpy("float64"), rows["stars"].to_numpy("float64")
    answered, silent = np.isfinite(points), np.isnan(stars)
    unhappy = answered & (points <= unhappy_points)
    cluster, y = rows["customer"].to_numpy(), np.where(answered, points, 0.0)
    apart = difference(
        mean(y, answered & silent, cluster, level), mean(y, answered & ~silent, cluster, level),
        cluster, level,
    )  # fmt: skip
    return {
        "unhappy_count": int(unhappy.sum()),
        "silent_share": average(silent[unhappy]),
        "five_star_share": average(stars[unhappy] == TOP_STARS),
        "silent_points": apart.value,
        "silent_points_interval": apart.ends,
    }


def lasting_quality(folder: Path | None) -> pd.Series | None:
    """True quality by provider, the mean over quarters; None where nobody knows it."""
    if folder is None:
        return None
    truth = files.read_parquet(folder / "quality.parquet")
    return truth.groupby("provider_id")["quality"].mean()
