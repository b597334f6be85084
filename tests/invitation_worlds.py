"""Members who each send one link with a text by lot; friends type its code when they sign up.

Sendings are spread over 400 days from 1 January 2024; friends come within ten days, so a window of
30 days sees them all.
"""

import numpy as np
import pandas as pd

INTERESTS = ("music", "photos", None)
TEMPLATES = ("album", "plain")
CHANCES = np.array([[0.05, 0.15], [0.20, 0.05], [0.06, 0.06]])
ALIKE = np.full((3, 2), 0.08)
LOT = np.array([[0.5, 0.5], [0.3, 0.7], [0.5, 0.5]])
RULES = {"window_days": 30, "reopen_days": 7}
FIRST = pd.Timestamp("2024-01-01").as_unit("us")
AS_OF = pd.Timestamp("2025-03-15").as_unit("us")
TRUTH = pd.DataFrame(
    [
        (interest or "none", template, CHANCES[at, place])
        for at, interest in enumerate(INTERESTS)
        for place, template in enumerate(TEMPLATES)
    ],
    columns=["interest", "template", "chance"],
)
TEXTS = {
    "album": {
        "subject": "An album for {interest}",
        "body": "Look at {interest}:\n{link}",
        "words": {"photos": "your photos"},
        "fallback": "what you like",
    },
    "plain": {"subject": "Join me", "body": "Here: {link}"},
}
PLAN = {
    "texts": TEXTS,
    "landing_page": "https://example.com/join?from=friend",
    "campaign": "friends",
    "salt": "a salt",
}


def moments(days):
    return FIRST + pd.to_timedelta(days, unit="D").as_unit("us").floor("s")


def tables(seed=0, count=1500, chances=CHANCES, lot=LOT):
    """members, links, clicks, invites and shares, as `referral_tables` has them."""
    rng = np.random.default_rng(seed)
    day = np.sort(rng.uniform(0, 400, count))
    interest = rng.integers(3, size=count)
    template = (rng.random(count) >= lot[interest, 0]).astype(int)
    size = rng.integers(1, 7, count)
    came = rng.binomial(size, chances[interest, template])
    link = np.array([f"L{at:05}" for at in range(count)])
    friend_day = np.repeat(day, came) + rng.uniform(0, 10, came.sum())
    codes = np.r_[np.full(count, None), np.repeat(link, came)]
    signed = np.r_[np.full(count, -5.0), friend_day]
    ids = np.arange(len(signed))
    members = pd.DataFrame(
        {
            "person_id": ids,
            "occurred_at": moments(signed),
            "known_at": moments(signed),
            "visitor_id": [f"v{at}" for at in ids],
            "code": pd.Series(codes, dtype="str"),
            "never_invited": False,
        }
    )
    links = pd.DataFrame(
        {
            "link_id": link,
            "person_id": np.arange(count),
            "campaign": "friends",
            "template": np.array(TEMPLATES)[template],
            "propensity_share": lot[interest, template],
            "interest": pd.Series(np.array(INTERESTS, dtype="object")[interest], dtype="str"),
            "known_at": moments(day),
        }
    )
    invites = pd.DataFrame(
        {
            "link_id": link,
            "occurred_at": moments(day),
            "known_at": moments(day),
            "recipients_count": size.astype("float64"),
        }
    )
    times = pd.Series([], dtype="datetime64[us]")
    empty = {"occurred_at": times, "known_at": times}
    words = dict.fromkeys(("click_id", "link_id", "visitor_id"), pd.Series([], dtype="str"))
    clicks = pd.DataFrame(words | empty)
    words = dict.fromkeys(("share_id", "item_id", "visitor_id"), pd.Series([], dtype="str"))
    shares = pd.DataFrame(words | empty | {"person_id": pd.Series([], dtype="int64")})
    found = {"members": members, "links": links, "invites": invites}
    return found | {"clicks": clicks, "shares": shares}
