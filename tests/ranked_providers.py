"""A small simulated marketplace with ranks of two quarters, worked out once. All is simulated."""

from functools import cache

import pandas as pd

from small_providers import marketplace
from tierwise.applications import providers as asked
from tierwise.providers import rank_quarters, visits

QUESTION = {
    "entity": "provider",
    "lookback_days": 365.0,
    "window_days": 14.0,
    "stretch": 2.0,
    "actions": [
        *("favourite", "unfavourite", "tip", "good_review", "five_stars", "low_rating"),
        *("complaint", "black_list"),
    ],
    "given_weights": {"rebooked_same": 0.5},
    "late_tolerance_minutes": 15.0,
}
RULES = {
    "memory": 0.75,
    "shares": [0.25, 0.25, 0.25, 0.25],
    "move_chance": 0.7,
    "least_visits": 15.0,
    "kept_visits": 10.0,
    "gates": {
        "punctuality": {"least_share": 0.85, "best_rank": 3},
        "cancellations": {"most_share": 0.05, "best_rank": 3},
    },
}
SIZE = {"months_count": 21, "providers_count": 80}


def small_marketplace():
    """Tables and truth of 80 providers over 21 months: copies, yours to change."""
    return marketplace(**SIZE)


def until_of(tables):
    return max(rows["known_at"].max() for rows in tables.values()).floor("D")


def ranked(tables, mornings=None):
    """Quarters with ranks of these tables; mornings: those to look at, all by default."""
    looks = mornings or asked.mornings(tables, until_of(tables), QUESTION)
    return rank_quarters.followed(looks, QUESTION, RULES)


@cache
def untouched():
    """Quarters of the marketplace as it is, what is known at its end, and the truth."""
    tables, truth = small_marketplace()
    return ranked(tables), asked.seen(tables, until_of(tables), QUESTION), truth


def copied(rows: pd.DataFrame, count: int, hours: float, columns) -> pd.DataFrame:
    """So many further bookings of each, hours apart, with ids of their own."""
    parts = []
    for number in range(1, count + 1):
        part = rows.assign(booking_id=rows["booking_id"] + f"-{number}")
        for name in columns:
            part[name] = rows[name] + pd.Timedelta(hours=hours * number)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def known_by(tables, day):
    """The tables with what was known before that day alone."""
    return visits.known(tables, day)
