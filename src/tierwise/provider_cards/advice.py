"""Why a rank changed, and what would lift it, in words that the provider can do something with.

Only what was measured is said: how far each action of its customers moves it from the usual visit,
which complaints there were, and which gate holds it.
"""

from typing import Any

import pandas as pd

from tierwise.provider_cards.ground import Ground

LEAST_PART = 0.005  # of the score; what moves less is not worth a sentence
SHOWN_COUNT = 3
ACTIONS = {
    "favourite": "customers save you to their favourites",
    "unfavourite": "customers take you off their favourites",
    "tip": "customers tip you",
    "good_review": "customers write you a five-star review",
    "five_stars": "customers give you five stars",
    "low_rating": "customers rate you three stars or less",
    "complaint": "customers complain",
    "black_list": "customers ask not to be sent to you again",
    "rebooked_same": "customers book you again at once",
    "rebooked_other": "customers book somebody else at once",
    "cancelled": "customers cancel their next booking",
}
REASONS = {
    "level": "your customers' answers changed",
    "certainty": "we know more or less about you than before",
    "cuts": "the yearly cuts moved",
    "first rank": "you have served enough customers for a first rank",
    "too little evidence": "too few recent visits to keep a rank",
    "gate": "a condition beside the score is not met",
    "gate met": "a condition beside the score is met again",
}
GATES = {"punctuality": "punctuality", "cancellations": "cancellations by you"}


def why(row: pd.Series, ranks: dict[int, str]) -> list[str]:
    """Sentences on the latest change of rank; [] where it did not change."""
    if not isinstance(row["reason"], str) or not row["reason"]:
        return []
    before, now = (ranks[int(row[name])] for name in ("rank_before", "rank"))
    found = [f"From {before} to {now}: {REASONS[row['reason']]}."]
    if pd.notna(row["chance_before"]):
        found.append(
            f"The chance that you stand above the cut went from {row['chance_before']:.0%} to "
            f"{row['chance_now']:.0%}: {points(row['level'])} by your customers' answers, "
            f"{points(row['certainty'])} by how much we know, {points(row['cuts'])} by new cuts."
        )
    return found


def points(change: float) -> str:
    """+12 points"""
    return f"{100 * change:+.0f} points"


def improvements(one: Ground, provider_id: int) -> list[dict[str, Any]]:
    """What pulls the provider below the usual visit most, first: action, words, share,
    usual_share, part. Only what is below."""
    rows = one.parts[one.parts["provider_id"] == provider_id]
    low = rows[rows["part"] < -LEAST_PART].sort_values(["part", "action"]).head(SHOWN_COUNT)
    return [
        {
            "action": row.action,
            "words": words(row),
            "share": float(row.share),
            "usual_share": float(row.usual_share),
            "part": float(row.part),
        }
        for row in low.itertuples()
    ]


def words(row: Any) -> str:
    """More often than usual, customers complain"""
    often = "More" if row.share > row.usual_share else "Less"
    return f"{often} often than usual, {ACTIONS.get(row.action, row.action)}"


def strengths(one: Ground, provider_id: int) -> list[str]:
    """What lifts the provider above the usual visit most, in words."""
    rows = one.parts[one.parts["provider_id"] == provider_id]
    high = rows[rows["part"] > LEAST_PART].sort_values(["part", "action"], ascending=[False, True])
    return [words(row) for row in high.head(SHOWN_COUNT).itertuples()]


def held(row: pd.Series) -> str:
    """The sentence about a gate that holds the rank down; "" where none does."""
    name = row["held_by"] if isinstance(row["held_by"], str) else ""
    if not name:
        return ""
    held_by = GATES.get(name, name)
    return f"Held down by {held_by}: by your customers' answers alone you would rank higher."
