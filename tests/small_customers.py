"""Four customers, few enough to count by hand, and small simulated worlds, drawn once."""

from functools import cache

import pandas as pd

from crm import at, frame
from tierwise import tables
from tierwise.simulation import customer_world
from tierwise.simulation.customer_settings import CustomerSettings

MIDDLE = {"people_count": 800, "months_count": 15}

ROWS = {
    # Customer 1 moves to Graz, 2 wants to be left alone from the 8th on, 3 told us nothing.
    "people": [
        (1, at(1), "AT", "Vienna", 31.0, "woman", "alone", "2025-06-01 12:00", True),
        (1, at(9), "AT", "Graz", 31.0, "woman", "couple", "2025-06-01 12:00", True),
        (2, at(1), "DE", "Leipzig", 44.0, "man", "family", "2025-03-01 12:00", True),
        (2, at(8), "DE", "Leipzig", 44.0, "man", "family", "2025-03-01 12:00", False),
        (3, at(4), None, None, None, None, None, at(4), True),
        (4, at(1), "KZ", None, 67.0, "other", None, "2024-01-01 12:00", True),
    ],
    # 1 comes again and again and buys, 2 once, 3 signs up and looks around, 4 is heard of late.
    "customer_events": [
        ("e1", 1, "visit", at(3), at(3)),
        ("e2", 1, "save", at(3, "09:05"), at(3, "09:05")),
        ("e3", 2, "visit", at(3, "10:00"), at(3, "10:00")),
        ("e4", 3, "signed_up", at(4), at(4)),
        ("e5", 3, "visit", at(4, "09:10"), at(4, "09:10")),
        ("e6", 1, "add_to_cart", at(5), at(5)),
        ("e6", 1, "add_to_cart", at(5), at(5, "11:00")),  # a copy
        ("e7", 1, "purchase", at(5, "09:10"), at(5, "09:11")),
        ("e8", 4, "message_sent", at(2), at(6)),
        ("e9", 1, "message_sent", at(7), at(7)),
    ],
    "memberships": [
        (1, 11, "sport", "2025-01-01 12:00", at(2), None),
        (1, 11, "sport", "2025-01-01 12:00", at(10), at(9)),
        (1, 12, "work", at(3), at(3), None),
        (2, 11, "sport", at(4), at(5), None),
        (4, 13, "belief", at(1), at(6), None),
    ],
    "contacts": [(1, 2, at(4), at(4)), (2, 1, at(4), at(5)), (3, 1, at(5), at(5))],
    "purchases": [
        ("p1", 1, at(5, "09:10"), at(5, "09:11"), 39.9),
        ("p1", 1, at(5, "09:10"), at(5, "12:00"), 39.9),  # a copy
        ("p2", 1, at(9), at(9), 0.0),
    ],
    "messages": [
        ("m1", 4, at(2), at(6), "ru", "Когда отправят лампу?"),
        ("m2", 1, at(7), at(7), "en", "<b>The app is a mess.</b>"),
        ("m3", 2, at(7), at(7), "de", "Danke!"),
    ],
    "touches": [
        ("t1", 1, "mail", "news", at(3), at(3, "12:00"), True),
        ("t2", 2, "push", "saved_items_b", at(3), at(10), False),
        ("t3", 4, "sms", "offer", at(4), at(11), False),
    ],
}  # fmt: skip


def small_customers() -> dict[str, pd.DataFrame]:
    """table -> rows in the contract's types, yours to change."""
    return {name: frame(name, rows) for name, rows in ROWS.items()}


@cache
def drawn(settings: CustomerSettings) -> tuple[dict, dict]:
    """Tables and truth, drawn once per process; not to be changed."""
    return customer_world.draw(settings)


def shoppers(seed: int = 0, **given: object) -> tuple[dict, dict]:
    """Tables and truth of 800 simulated customers, 15 months: copies, yours."""
    found = drawn(CustomerSettings(**(MIDDLE | {"seed": seed} | given)))
    tables_, truth = ({name: rows.copy() for name, rows in part.items()} for part in found)
    return tables_, truth


def write_tables(folder, rows: dict[str, pd.DataFrame]) -> None:
    """One Parquet file per table, as `tierwise fetch` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in tables.CUSTOMERS:
        rows[name].to_parquet(folder / f"{name}.parquet", index=False)
