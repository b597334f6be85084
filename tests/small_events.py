"""A few events of a few people, under rules of every kind."""

import numpy as np
import pandas as pd

from tierwise.customers import event_catalogue as ec

START = pd.Timestamp("2026-03-01").as_unit("us")
AS_OF = pd.Timestamp("2026-05-01").as_unit("us")
DAY_US = 86_400_000_000
RULES = {
    "visit": {"points": 10, "half_life_days": 7},
    "order": {"points": 25.5, "half_life_days": 120, "cap_per_day": 60},
    "login": {"points": 2, "step": {"idle_days": 7, "share": 0.1}, "cap_per_day": 5},
    "joined": {"points": 3},
    "complaint": {"points": -4, "half_life_days": 30},
    "mail": {
        "versions": [
            {"points": 1, "half_life_days": 7},
            {"from": "2026-03-10", "points": 8, "step": {"idle_days": 3, "share": 0.5}},
            {"from": "2026-03-20", "status": "archived"},
        ]
    },
}


def catalogue(**rules):
    return ec.parsed({"events": rules or RULES})


def at(days):
    """So many days after START; one number or many."""
    return START + pd.to_timedelta(np.round(np.asarray(days) * DAY_US).astype("int64"), unit="us")


def events(*rows):
    """(person, event, days after START it occurred, days after that it was known)."""
    found = pd.DataFrame(rows, columns=["person_id", "event", "day", "lag"])
    found["occurred_at"] = at(found["day"]).astype("datetime64[us]")
    found["known_at"] = at(found["day"] + found["lag"]).astype("datetime64[us]")
    return found.drop(columns=["day", "lag"]).sort_values("known_at", kind="stable")


def drawn(count, people=12, seed=0, spread=40.0):
    """Rows with ties, many a day, late ones and repeated deliveries."""
    rng = np.random.default_rng(seed)
    day = np.round(rng.random(count) * spread * 8) / 8
    lag = np.where(rng.random(count) < 0.3, rng.integers(0, 10, count), 0)
    kind = rng.choice(list(RULES), count)
    rows = zip(rng.integers(0, people, count), kind, day, lag, strict=True)
    return events(*rows)
