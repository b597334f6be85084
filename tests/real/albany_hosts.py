"""Hosts of a marketplace and the stays of their guests, from two snapshots, as providers' visits.

A stay is a review: guest, host, day; several of one guest at one host on one day are one.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(os.environ.get("TIERWISE_REAL_DATA", "")) / "airbnb_albany" / "dev"
FIRST, SECOND = "2024-01-06", "2024-11-09"
ORIGIN = pd.Timestamp("2013-01-01")
YEAR_DAYS = 365.0
ENTIRE = "Entire home/apt"


def listings(snapshot):
    return pd.read_csv(FOLDER / f"listings_{snapshot}.csv.gz").set_index("id")


def stays(snapshots):
    """customer, provider, at_days, date, and what is known of the listing; in order of time."""
    homes = pd.concat([listings(one) for one in snapshots])
    homes = homes[~homes.index.duplicated()]
    paths = [FOLDER / f"reviews_{one}.csv.gz" for one in snapshots]
    reviews = pd.concat([pd.read_csv(path, parse_dates=["date"]) for path in paths])
    reviews = reviews.drop_duplicates("id").rename(columns={"reviewer_id": "customer"})
    listing = reviews["listing_id"]
    reviews["provider"] = listing.map(homes["host_id"])
    reviews["private"] = (listing.map(homes["room_type"]) != ENTIRE).astype(float)
    reviews["size"] = np.log(listing.map(homes["accommodates"]))
    known = reviews[reviews["provider"].notna()].astype({"provider": "int64"})
    known = known.sort_values(["date", "id"]).drop_duplicates(["customer", "provider", "date"])
    return known.assign(at_days=day(known["date"])).reset_index(drop=True)


def day(date):
    return (pd.to_datetime(date) - ORIGIN) / pd.Timedelta(days=1)


def with_returns(table):
    """The stays and whether the guest came back to the host within a year, whenever that was."""
    ordered = table.sort_values(["customer", "provider", "at_days"])
    gap = -ordered.groupby(["customer", "provider"])["at_days"].diff(-1)
    return ordered.assign(returned=(gap <= YEAR_DAYS).astype(int))


def returns_by_host(table, start, end):
    """returned and count of stays from start until end, index provider."""
    known = with_returns(table)
    known = known[known["date"].between(start, end, inclusive="left")]
    found = known.groupby("provider")["returned"].agg(["sum", "count"])
    return found.rename(columns={"sum": "returned"})


def traits(past, as_of):
    """What is known of each host then: log stays, in the last year, of listings, of words, kind."""
    by_host = past.groupby("provider")
    recent = past["date"] >= pd.Timestamp(as_of) - pd.Timedelta(days=365)
    words = np.log1p(past["comment_chars"].fillna(0)).groupby(past["provider"]).mean()
    columns = {
        "stays": np.log(by_host.size()),
        "recent_stays": np.log1p(recent.groupby(past["provider"]).sum()),
        "listings": np.log(by_host["listing_id"].nunique()),
        "words": words,
        "private": by_host["private"].mean(),
        "size": by_host["size"].mean(),
    }
    return pd.DataFrame(columns)


def stars(homes):
    """Mean star of each host, over listings by their reviews."""
    count = homes["number_of_reviews"].where(homes["review_scores_rating"].notna(), 0)
    total = (homes["review_scores_rating"].fillna(0) * count).groupby(homes["host_id"]).sum()
    return total / count.groupby(homes["host_id"]).sum()


def superhost(homes):
    return (homes["host_is_superhost"] == "t").groupby(homes["host_id"]).max().astype(float)


def drawn(measure, *columns, count=600, seed=7):
    """Values of a measure over hosts drawn again and again, the same draws for equal lengths."""
    random = np.random.default_rng(seed)
    arrays = [np.asarray(one, dtype="float64") for one in columns]
    draws = random.integers(0, len(arrays[0]), (count, len(arrays[0])))
    return np.array([measure(*(one[rows] for one in arrays)) for rows in draws])


def interval(values, level=0.95):
    tail = 50 * (1 - level)
    return tuple(np.percentile(values, [tail, 100 - tail]))
