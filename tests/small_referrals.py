"""Six members, few enough to attribute by hand: a week of January 2026.

1    found us by search, makes the links L1 (typed as a code, too) and L2
2    clicked on L1 and then on L2 of 1, signed up, and invites with L3
3    clicked on L3 of 2, but typed L1 of 1
4    opened an item shared by 2, then signed up
5    clicked on L3, but signs up on the device of 2: not eligible, came by press
6    clicked on L1 five weeks before, which nobody remembers, and came by advertisement
"""

import pandas as pd

from crm import at, frame

ROWS = {
    "members": [
        (1, at(1), at(1), "v1", "d1", "m1", "a1", None, "search", False),
        (2, at(5), at(5), "v2", "d2", None, "a1", None, None, False),
        (3, at(7), at(7), "v3", None, "m3", None, "L1", None, True),
        (4, at(8), at(8, "09:10"), "v4", "d4", None, "a4", None, "direct", False),
        (5, at(9), at(9), "v5", "d2", None, None, None, "press", False),
        (6, at(9, "12:00"), at(9, "12:00"), "v6", None, None, None, None, "advertisement", False),
    ],
    "links": [
        ("L1", 1, "spring", "plain", 1.0, None, at(1, "10:00"), at(1, "10:00")),
        ("L2", 1, "spring", "space", 0.5, "photos", at(2), at(2)),
        ("L3", 2, "spring", "plain", 0.25, None, at(5, "10:00"), at(5, "10:05")),
    ],
    "clicks": [
        ("k0", "L1", "v6", "2025-12-01 09:00", "2026-01-01 10:00", None, None),
        ("k1", "L1", "v2", at(4), at(4), None, "a9"),
        ("k2", "L2", "v2", at(5, "08:00"), at(5, "08:00"), "d2", "a1"),
        ("k2", "L2", "v2", at(5, "08:00"), at(5, "11:00"), "d2", "a1"),  # a copy
        ("k3", "L3", "v3", at(6), at(6), None, None),
        ("k4", "L3", "v5", at(8), at(8), None, None),
        ("k5", "L3", "v9", at(8), at(8), None, None),  # nobody who signed up
    ],
    "invites": [
        ("i1", 1, "L1", at(1, "10:00"), at(1, "10:00"), 3.0),
        ("i2", 1, "L2", at(2), at(2), 1.0),
        ("i3", 2, "L3", at(5, "10:00"), at(5, "10:05"), 10.0),
    ],
    "purchases": [
        ("p1", 1, at(3), at(3), 9.99),
        ("p2", 3, at(8), at(8, "12:00"), 99.0),
        ("p2", 3, at(8), at(9), 99.0),  # a copy
    ],
    "shares": [
        ("s1", 2, "folder-7", "v4", at(7), at(7)),
        ("s2", 2, "folder-7", "v2", at(6), at(6)),  # by 2 itself
    ],
    "interests": [
        (1, "photos", at(1), at(1)),
        (1, "music", at(2), at(2)),
        (3, "photos", at(7), at(7)),
    ],
    "activity": [
        (1, "2026-01-01", at(1, "23:00"), 4.0),
        (1, "2026-01-05", at(5, "23:00"), 2.0),
        (2, "2026-01-05", at(5, "23:00"), 7.0),
        (4, "2026-01-08", at(9, "02:00"), 1.0),
    ],
}  # fmt: skip


def small_referrals() -> dict[str, pd.DataFrame]:
    """table -> rows in the contract's types, yours to change."""
    return {name: frame(name, rows) for name, rows in ROWS.items()}
