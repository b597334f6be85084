"""Two providers, few enough to count by hand, and small simulated marketplaces, drawn once."""

from functools import cache

import pandas as pd

from crm import at, frame
from tierwise import tables
from tierwise.simulation import provider_world
from tierwise.simulation.provider_settings import ProviderSettings

MIDDLE = {"providers_count": 60, "customers_per_provider": 20.0, "months_count": 18}
MIDDLE |= {"prompt_day": "2023-10-01", "one_click_day": "2024-01-01"}

ROWS = {
    "providers": [
        (1, at(1), "Blue Broom", "Vienna", at(1)),
        (1, at(9), "Blue Broom & Sons", "Vienna", at(1)),
        (2, at(1), "=Sponge()", None, at(1)),
    ],
    # Customer 51 comes back to 1, customer 52 goes from 1 to 2; a booking of 52 comes to nothing.
    "bookings": [
        ("b1", 51, 1, at(3), at(3, "12:00"), at(2), at(3), "done", "home", False, 60.0, 5.0, True),
        ("b2", 52, 1, at(3), at(3, "13:00"), at(2), at(3), "done", "office", True, 90.0, 0.0, False),
        ("b3", 52, 1, at(5), at(5), at(4), at(6), "cancelled by provider", "office", True, 90.0, 0.0,
         False),
        ("b4", 51, 1, at(8, "09:20"), at(8, "12:00"), at(4), at(8), "done", "home", True, 60.0, 0.0,
         False),
        ("b5", 52, 2, at(9), at(9, "12:00"), at(7), at(9), "done", "office", False, 90.0, 0.0, False),
        ("b5", 52, 2, at(9), at(9, "15:00"), at(7), at(9), "done", "office", False, 90.0, 0.0,
         False),  # a copy
    ],
    "ratings": [
        ("b1", 51, 1, at(4), at(4), 5, 0.0),
        ("b2", 52, 1, at(4), at(6), 3, 81.0),
    ],
    "surveys": [
        ("s1", "b1", 51, 1, at(4), at(5), 9.0),
        ("s2", "b5", 52, 2, at(10), at(17), None),
    ],
    "favourites": [(51, 1, at(3, "14:00"), at(3, "14:00"), True), (51, 1, at(9), at(9), False)],
    "complaints": [
        ("c1", 52, 1, "b2", at(4), at(4), "chat", "quality"),
        ("c2", 51, 1, None, at(8, "15:00"), at(8, "15:00"), "phone", "late"),
    ],
    "blacklist": [(52, 1, at(5), at(5))],
    "provider_events": [
        ("e1", 1, at(10), at(10), "appealed", "was on time"),
        ("e2", 2, at(11), at(12), "paused", None),
    ],
}  # fmt: skip


def small_providers() -> dict[str, pd.DataFrame]:
    """table -> rows in the contract's types, yours to change."""
    return {name: frame(name, rows) for name, rows in ROWS.items()}


@cache
def drawn(settings: ProviderSettings) -> tuple[dict, dict]:
    """Tables and truth, drawn once per process; not to be changed."""
    return provider_world.draw(settings)


def marketplace(seed: int = 0, **given: object) -> tuple[dict, dict]:
    """Tables and truth of a simulated marketplace of 60 providers, 18 months: copies, yours."""
    found = drawn(ProviderSettings(**(MIDDLE | {"seed": seed} | given)))
    tables_, truth = ({name: rows.copy() for name, rows in part.items()} for part in found)
    return tables_, truth


def write_tables(folder, rows: dict[str, pd.DataFrame]) -> None:
    """One Parquet file per table, as `tierwise fetch` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in tables.PROVIDERS:
        rows[name].to_parquet(folder / f"{name}.parquet", index=False)
