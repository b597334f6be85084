"""Two accounts and our own company, few enough to count by hand: 1 buys, 2 does not, 9 is ours."""

import pandas as pd

from crm import at, frame

ROWS = {
    "accounts": [
        (1, at(1), "Alder & Sons", "retail", "AT", 40.0, False),
        (1, at(9), "Alder & Sons", "retail", "AT", 80.0, False),
        (2, at(1), "=Birch()", "health", None, None, False),
        (9, at(1), "Ours", "software", "DE", 12.0, True),
    ],
    "positions": [
        ("p11", 11, 1, at(1), None, at(1), "HR manager", "human resources", "manager", "AT", None),
        ("p12", 12, 1, at(1), None, at(2), "Head of HR", "human resources", "director", "AT", None),
        ("p12", 12, 1, at(1), at(7), at(8), "Head of HR", "human resources", "director", "AT", None),
        ("p21", 21, 2, at(1), None, at(1), "Recruiter", "recruiting", "staff", None, None),
        ("p22", 12, 2, at(9), None, at(10), "Head of HR", "human resources", "director", "AT", None),
        ("p91", 91, 9, at(1), None, at(1), None, "sales", "staff", "DE", "north"),
        ("p92", 92, 9, at(1), None, at(1), "Account manager", "sales", "lead", "DE", "south"),
    ],
    "interactions": [
        ("i1", 91, 11, at(3), at(3), "mail"),
        ("i2", 11, 91, at(4), at(4), "mail"),
        ("i2", 11, 91, at(4), at(5), "mail"),  # a copy
        ("i3", 91, 92, at(4), at(4), "message"),
        ("i3", 91, 12, at(4), at(4), "message"),
        ("i4", 11, 12, at(5), at(5), "meeting"),
    ],
    "spend": [
        ("s1", 1, 11, at(5), at(6), 1200.5),
        ("s2", 1, None, at(9), at(9), 0.0),
    ],
    "product_use": [
        ("u1", 1, 11, at(4), at(5), 12.0, True),
        ("u2", 2, 21, at(4), at(4), 1.0, False),
    ],
    "owners": [(1, 91, at(1), at(1)), (2, 92, at(2), at(2))],
    "opt_outs": [(21, at(6), at(6))],
}  # fmt: skip


def small_accounts() -> dict[str, pd.DataFrame]:
    """table -> rows in the contract's types, yours to change."""
    return {name: frame(name, rows) for name, rows in ROWS.items()}
