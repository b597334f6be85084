"""The tables of bookings and of what follows from them, with the times at which we learn of it."""

import numpy as np
import pandas as pd

from tierwise.provider_tables import CHANNELS, CONTRACTS, SEGMENTS, STATUSES, TOPICS
from tierwise.simulation import provider_responses
from tierwise.simulation.delivery import (
    HOUR,
    SECOND,
    coded,
    frame,
    in_order,
    known_times,
    number_texts,
    spans,
)
from tierwise.simulation.provider_bookings import Columns
from tierwise.simulation.provider_customers import Market
from tierwise.simulation.provider_history import moments


def booking_ids(booked: np.ndarray) -> pd.api.extensions.ExtensionArray:
    """Numbered in the order in which they were booked."""
    number = np.empty(len(booked), "int64")
    number[np.argsort(booked, kind="stable")] = np.arange(len(booked))
    return number_texts("b", number)


def pair(rows: Columns, market: Market) -> Columns:
    return {
        "customer_id": market.customers.ids[rows["customer"]],
        "provider_id": market.providers.ids[rows["provider"]],
    }


def table(name: str, columns: Columns, market: Market) -> pd.DataFrame:
    """Rows by known_at, columns as in the contract; an id that is not there is numbered here."""
    kept = in_order(columns, market.settings.rows)
    names = list(CONTRACTS[name].columns)
    ids = number_texts(names[0][0], np.arange(len(kept["known_at"])))
    return frame({column: kept.get(column, ids) for column in names})


def bookings_table(bookings: Columns, market: Market, rng: np.random.Generator) -> pd.DataFrame:
    """Some rows come twice. bookings: with booking_id, amount_eur, tip_eur and reminded, too."""
    settings = market.settings
    over, promised, booked = (
        moments(bookings[name], settings) for name in ("over", "promised", "booked")
    )
    columns = {
        **{name: bookings[name] for name in ("booking_id", "chosen", "reminded")},
        **{name: bookings[name] for name in ("amount_eur", "tip_eur")},
        **pair(bookings, market),
        "occurred_at": np.minimum(moments(bookings["begins"], settings), over),
        "known_at": known_times(over, settings.rows, rng),
        "booked_at": np.minimum(booked, promised),
        "promised_at": promised,
        "status": coded(bookings["status"].astype("int8"), STATUSES),
        "segment": coded(
            market.customers.office[bookings["customer"]].astype("int8"), SEGMENTS
        ),
    }  # fmt: skip
    return table("bookings", with_copies(columns, settings.copy_share, rng), market)


def with_copies(columns: Columns, share: float, rng: np.random.Generator) -> Columns:
    """Some rows once more, known later."""
    count = len(columns["known_at"])
    again = np.flatnonzero(rng.random(count) < share)
    rows = np.concatenate([np.arange(count), again])
    copied = {name: values[rows] for name, values in columns.items()}
    copied["known_at"][count:] += spans(rng.exponential(2 * HOUR, len(again)) + SECOND)
    return copied


def favourites_table(marks: Columns, market: Market, rng: np.random.Generator) -> pd.DataFrame:
    columns = {**dated(marks, market, rng), "added": marks["added"]}
    return table("favourites", columns, market)


def blacklist_table(marks: Columns, market: Market, rng: np.random.Generator) -> pd.DataFrame:
    return table("blacklist", dated(marks, market, rng), market)


def ratings_table(
    visits: Columns, market: Market, rng: np.random.Generator, comes: np.random.Generator
) -> pd.DataFrame:
    said = provider_responses.draw_ratings(visits, market, rng)
    columns = {**about(visits, said), **dated(about(visits, said), market, comes)}
    columns |= {"stars": said["stars"], "text_length_count": said["text_length_count"]}
    return table("ratings", columns, market)


def complaints_table(
    visits: Columns, market: Market, rng: np.random.Generator, comes: np.random.Generator
) -> pd.DataFrame:
    said = provider_responses.draw_complaints(visits, market, rng)
    columns = {**about(visits, said), **dated(about(visits, said), market, comes)}
    columns["booking_id"][~said["told"]] = pd.NA
    columns["channel"] = coded(said["channel"].astype("int8"), CHANNELS)
    columns["topic"] = coded(said["topic"].astype("int8"), TOPICS)
    return table("complaints", columns, market)


def surveys_table(
    visits: Columns, market: Market, rng: np.random.Generator, comes: np.random.Generator
) -> pd.DataFrame:
    said = provider_responses.draw_surveys(visits, market, rng)
    columns = {
        **about(visits, said),
        **dated(about(visits, said), market, comes, said["waits_days"]),
    }
    columns["satisfaction_points"] = said["satisfaction_points"]
    return table("surveys", columns, market)


def about(visits: Columns, said: Columns) -> Columns:
    """booking_id, customer, provider and at of what was said about visits."""
    rows = said["visit"]
    found = {name: visits[name][rows] for name in ("booking_id", "customer", "provider")}
    return found | {"at": said["at"]}


def dated(
    rows: Columns, market: Market, rng: np.random.Generator, waits_days: np.ndarray | float = 0.0
) -> Columns:
    """customer_id, provider_id, occurred_at and known_at; waits_days: before we can learn of it."""
    at = moments(rows["at"], market.settings)
    heard = at + spans(np.broadcast_to(waits_days, len(at)) * (24 * HOUR))
    known = known_times(heard, market.settings.rows, rng)
    return pair(rows, market) | {"occurred_at": at, "known_at": known}
