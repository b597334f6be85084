"""Fourteen accounts over 400 days in which four things change, each at one of them; 99 is ours.

    account 1    use falls to a fifth from day 250 on
    account 2    hires two a quarter, twelve in the quarter from day 230 on
    account 3    its HR director leaves on day 260; known two days later
    account 4    its HR director becomes vice president there on day 260
    account 5    a user leaves it on day 240 and joins account 6 on day 250; known on day 255

Everybody uses the product less on weekends and in the three weeks from day 300 on.
"""

import numpy as np
import pandas as pd

from crm import frame

FIRST = pd.Timestamp("2025-01-01")
DAYS_COUNT, ACCOUNTS_COUNT = 400, 14
OURS = 99
HOLIDAY = range(300, 321)


def on(day: float) -> pd.Timestamp:
    return FIRST + pd.Timedelta(days=day)


def changing_accounts(changes: bool = True, seed: int = 0) -> dict[str, pd.DataFrame]:
    """table -> rows in the contract's types, by known_at."""
    rng = np.random.default_rng(seed)
    rows = {
        "accounts": [
            (number, on(0), f"Account {number:02d}", None, None, None, number == OURS)
            for number in (*range(1, ACCOUNTS_COUNT + 1), OURS)
        ],
        "positions": positions(changes),
        "interactions": [
            ("i1", 991, 100, on(200), on(200), "mail"),
            ("i1", 991, 100, on(200), on(201), "mail"),
            ("i2", 992, 200, on(201), on(201), "mail"),
            ("i3", 300, 992, on(202), on(202), "mail"),
        ],
        "spend": [("s1", 1, None, on(9), on(9), 10.0)],
        "product_use": uses(changes, rng),
        "owners": [(number, 991, on(1), on(1)) for number in (1, 2, 5, 6)],
        "opt_outs": [],
    }
    tables = {name: frame(name, sorted(one, key=str)) for name, one in rows.items()}
    return {
        name: rows.sort_values("known_at", kind="stable", ignore_index=True)
        for name, rows in tables.items()
    }


def seat(key, person, account, begun, known, title="HR manager", level="manager", ended=None):
    hr = "human resources" if account != OURS else "sales"
    return (key, person, account, on(begun), ended, on(known), title, hr, level, "AT", None)


def left(row: tuple, ended: float, known: float) -> tuple:
    return (*row[:4], on(ended), on(known), *row[6:])


def positions(changes: bool) -> list[tuple]:
    rows = [seat(f"ours{n}", n, OURS, 0, 0, "Account manager", "staff") for n in (991, 992)]
    for account in range(1, ACCOUNTS_COUNT + 1):
        first = 100 * account
        rows += [seat(f"p{first + n}", first + n, account, -100, 0.1) for n in range(5)]
        rows += [
            seat(f"h{first}-{day}", first + 50 + day // 45, account, day, day + 1)
            for day in range(20, DAYS_COUNT, 45)
        ]
    director = seat("d3", 3001, 3, -50, 0.1, "HR director", "director")
    other = seat("d4", 4001, 4, -50, 0.1, "HR director", "director")
    rows += [director, other]
    if changes:
        rows += [left(director, 260, 262), left(other, 260, 264)]
        rows += [seat("d4b", 4001, 4, 260, 264, "HR vice president", "vice president")]
        rows += [left(seat("p500", 500, 5, -100, 0.1), 240, 244)]
        rows += [seat("p500b", 500, 6, 250, 255, "HR team lead", "lead")]
        rows += [seat(f"x{n}", 2500 + n, 2, 230 + 4 * n, 231 + 4 * n) for n in range(10)]
    return rows


def uses(changes: bool, rng: np.random.Generator) -> list[tuple]:
    rows = []
    for account in range(1, ACCOUNTS_COUNT + 1):
        for person in range(100 * account, 100 * account + 5):
            for day in np.flatnonzero(rng.random(DAYS_COUNT) < share(account, changes)):
                if changes and person == 500 and day >= 240:
                    continue
                late = 2.5 if rng.random() < 0.05 else 0.01
                key, at = f"u{person}-{day}", float(day) + 0.5
                actions = float(rng.integers(10, 40))
                rows.append((key, account, person, on(at), on(at + late), actions, False))
                if rng.random() < 0.02:  # a copy
                    rows.append((key, account, person, on(at), on(at + late + 1), actions, False))
    return rows


def share(account: int, changes: bool) -> np.ndarray:
    """Chance that a person uses the product, by day."""
    days = np.arange(DAYS_COUNT)
    chance = np.where((days + FIRST.weekday()) % 7 < 5, 0.35, 0.05)
    chance[HOLIDAY] *= 0.15
    if changes and account == 1:
        chance[250:] *= 0.2
    return chance
