"""Why somebody is flagged, in plain words: what, when, and how unusual that is."""

import json
from typing import Any

import numpy as np
import pandas as pd

from tierwise.referral_fraud import signs as sg
from tierwise.referral_fraud.settings import Asked

# When we learned of a sign: a column of the facts.
LEARNED = {
    "same_device": "device_id_at", "same_payment": "payment_id_at",
    "same_browser": "visitor_id_at", "blocked": "blocked_at", "burst": "hour_at",
    "fresh_sender": "known_at", "same_hours": "hours_at", "same_address": "address_at",
    "silent": "silent_at", "active": "silent_at", "circle": "circle_at", "company": "hours_at",
}  # fmt: skip
SHARED = {
    "same_device": "signed up on the device of",
    "same_payment": "left the same means of payment as",
    "same_browser": "signed up in the browser of",
}


def texts(
    rows: pd.DataFrame, weights: pd.DataFrame, known: sg.Usual, asked: Asked
) -> list[list[dict[str, Any]]]:
    """For each claim its signs, the heaviest first: sign, weight, known_at (ISO), words."""
    found = []
    for at, row in zip(rows.index, rows.to_dict("records"), strict=True):
        mine = weights.loc[at]
        mine = mine[mine != 0].sort_values(ascending=False, kind="stable")
        found.append(
            [
                {
                    "sign": sign,
                    "weight": round(float(weight), 2),
                    "known_at": pd.Timestamp(row[LEARNED[sign]]).isoformat(timespec="seconds"),
                    "words": words(sign, row, known, asked),
                }
                for sign, weight in mine.items()
            ]
        )
    return found


def as_json(pieces: list[dict[str, Any]]) -> str:
    return json.dumps(pieces, ensure_ascii=False, separators=(", ", ": "))


def words(sign: str, row: dict[str, Any], known: sg.Usual, asked: Asked) -> str:
    """What one sign says, to be read after the friend's number."""
    if sign in SHARED:
        count = row[f"{sg.STRONG[sign]}_mates"]
        return (
            f"{SHARED[sign]} {accounts(count)}; of members who came by themselves "
            f"{seldom(known.shares[sign])} share theirs"
        )
    sender = row["sender_id"]
    if sign == "blocked":
        return (
            f"belongs to sender {sender}, of whose {row['claimed_count']} other claims "
            f"{row['blocked_count']} were refused: the same device or payment, or an account that "
            "was there before"
        )
    if sign == "burst":
        return (
            f"is one of {row['hour_count']} sign-ups brought by sender {sender} within an hour, "
            f"around {clock(row['occurred_at'])}; half of the friends of one sender come more than "
            f"{span(np.exp(known.gap[0]))} apart"
        )
    if sign == "fresh_sender":
        return (
            f"signed up {span(row['sender_age_hours'])} after its sender {sender} did; half of all "
            f"friends come more than {span(np.exp(known.wait[0]))} after"
        )
    if sign == "same_hours":
        return (
            f"belongs to sender {sender}, whose friends signed up {row['session_count']} times, "
            "always at about the same time of day"
        )
    return others(sign, row, known, asked)


def others(sign: str, row: dict[str, Any], known: sg.Usual, asked: Asked) -> str:
    sender = row["sender_id"]
    if sign == "same_address":
        return (
            f"has the same address as {accounts(row['address_kin'])} around sender {sender}, "
            f"{span(row['address_gap_hours'])} from the nearest"
        )
    if sign == "silent":
        return (
            f"did nothing on a later day within {asked.second_days:g} days; of members who came by "
            f"themselves {seldom(known.shares['silent'])} do so"
        )
    if sign == "active":
        return f"came back on a later day within {asked.second_days:g} days, which speaks for it"
    if sign == "circle":
        return (
            f"is part of a circle of {row['circle_count']}, in which the last one brings the first"
        )
    return f"belongs to sender {sender}, around whom most other claims look wrong by themselves"


def accounts(count: int) -> str:
    return "one other account" if count == 1 else f"{count} other accounts"


def seldom(share: float) -> str:
    return f"{share:.1%}" if share >= 0.002 else f"one in {round(1 / share):,}"


def span(hours: float) -> str:
    """Hours as a person says them."""
    for limit, size, name in ((1, 1 / 60, "minute"), (48, 1, "hour")):
        if hours < limit:
            count = max(round(hours / size), 1)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{round(hours / 24)} days"


def clock(at: pd.Timestamp) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
