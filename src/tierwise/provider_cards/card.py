"""One provider's card as plain values: a public face, and one for the provider and us."""

from typing import Any

import pandas as pd

from tierwise import examples as ex
from tierwise.provider_cards import advice
from tierwise.provider_cards.ground import APPEALS, Ground, least_count

FIGURES = {"punctual": "starts on time", "favourites": "kept as a favourite"}
OURS = {"complaints": "visits with a complaint", "cancelled": "bookings that you cancelled"}
NEW = 0
TOLD = "told"


def card(one: Ground, provider_id: int) -> dict[str, Any]:
    """application, simulated, as_of, provider_id, public, internal. Raises KeyError for a provider
    without a row in the latest quarter."""
    row = one.latest.loc[provider_id]
    return {
        "application": one.application,
        "simulated": one.simulated,
        "as_of": ex.label(one.as_of),
        "provider_id": int(provider_id),
        "public": public_face(one, provider_id, row),
        "internal": internal_face(one, provider_id, row),
    }


def public_face(one: Ground, provider_id: int, row: pd.Series) -> dict[str, Any]:
    """What customers may see: nothing of any single customer, nothing with too little evidence."""
    known = one.names.loc[provider_id]
    rank = int(row["rank"])
    return {
        "name": str(known["name"]),
        "city": None if pd.isna(known["city"]) else str(known["city"]),
        "since_year": int(known["joined_at"].year),
        "rank": rank,
        "rank_name": one.ranks[rank],
        "rank_since": since(one, provider_id, rank),
        "visits_count": int(row["visits_count"]),
        "customers_count": int(row["customers_count"]),
        "figures": [figure(row, name, words) for name, words in FIGURES.items()],
    }


def since(one: Ground, provider_id: int, rank: int) -> str:
    """The first quarter of the unbroken stretch with this rank."""
    rows = history(one, provider_id)
    other = [place for place, past in enumerate(rows) if past["rank"] != rank]
    return str(rows[other[-1] + 1 if other else 0]["quarter"])


def history(one: Ground, provider_id: int) -> list[dict[str, Any]]:
    """Rank, score and its spread by quarter, ascending."""
    rows = one.quarters[one.quarters["provider_id"] == provider_id].sort_values("quarter")
    return [
        {
            "quarter": quarter(past.quarter),
            "rank": int(past.rank),
            "score": float(past.score),
            "sd": float(past.sd),
        }
        for past in rows.itertuples()
    ]


def quarter(first_day: pd.Timestamp) -> str:
    """2025 Q3"""
    return f"{first_day.year} Q{(first_day.month - 1) // 3 + 1}"


def figure(row: pd.Series, name: str, words: str) -> dict[str, Any]:
    """A share with its interval, or None in their place where there is too little evidence."""
    parts = [row[f"{name}_{part}"] for part in ("share", "low", "high")]
    told = row[f"{name}_said"] == TOLD and not any(pd.isna(value) for value in parts)
    share, low, high = (float(value) if told else None for value in parts)
    return {"name": name, "words": words, "share": share, "low": low, "high": high}


def internal_face(one: Ground, provider_id: int, row: pd.Series) -> dict[str, Any]:
    """What the provider may see of itself, and the people who look after it."""
    ranked = {name: float(row[f"chance_{rank}"]) for rank, name in one.ranks.items() if rank != NEW}
    return {
        "effective_visits": float(row["effective_visits"]),
        "least_count": least_count(),
        "rank_chances": ranked,
        "projected_rank_name": one.ranks.get(whole(row["projected_rank"]), None),
        "held": advice.held(row),
        "why": advice.why(row, one.ranks),
        "history": history(one, provider_id),
        "satisfaction": satisfied(one, provider_id),
        "drop_out": stopped(one, provider_id),
        "figures": [figure(row, name, words) for name, words in OURS.items()],
        "stars_mean": None if pd.isna(row["stars_mean"]) else float(row["stars_mean"]),
        "ratings_count": int(row["ratings_count"]),
        "improve": advice.improvements(one, provider_id),
        "strengths": advice.strengths(one, provider_id),
        "topics": one.topics[one.topics["provider_id"] == provider_id]
        .drop(columns="provider_id")
        .to_dict("records"),
        "appeals": appealed(one, provider_id),
    }


def whole(value: Any) -> int:
    """-1 for what is missing"""
    return -1 if pd.isna(value) else int(value)


def satisfied(one: Ground, provider_id: int) -> dict[str, Any] | None:
    """Quality against the average provider with its interval; None without any information."""
    if provider_id not in one.satisfaction.index:
        return None
    row = one.satisfaction.loc[provider_id]
    numbers = {name: float(row[name]) for name in ("quality", "low", "high", "connected_share")}
    return numbers | {"told": row["said"] == TOLD, "connected_count": int(row["connected_count"])}


def stopped(one: Ground, provider_id: int) -> dict[str, Any] | None:
    """Rate of customers who stop, of the marketplace, and who look lost; None if nobody came."""
    if provider_id not in one.drop_out.index:
        return None
    row = one.drop_out.loc[provider_id]
    names = ("rate", "low", "high", "lost_count", "expected_lost_count")
    numbers = {name: float(row[name]) for name in names}
    return numbers | {
        "average_share": one.average_share,
        "told": row["said"] == TOLD,
    }


def appealed(one: Ground, provider_id: int) -> list[dict[str, str]]:
    """Appeals in the tables, oldest first."""
    rows = one.events[(one.events["provider_id"] == provider_id) & one.events["kind"].isin(APPEALS)]
    return [
        {
            "on": ex.label(row.occurred_at),
            "what": str(row.kind),
            "note": "" if pd.isna(row.note) else str(row.note),
        }
        for row in rows.itertuples()
    ]
