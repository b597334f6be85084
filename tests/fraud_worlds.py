"""A small company with usual members, for tests of fraud: honest friends and rings made by hand.

300 members come by themselves over a year, every fourth brings friends weeks later, and all of them
come a second day. What is wrong is put on top by `Company.bring`.
"""

import numpy as np
import pandas as pd

from tierwise import attribution, tables

START = pd.Timestamp("2025-01-01")
AS_OF = pd.Timestamp("2026-03-01")
HOUR, DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)
RULES = {"window_days": 30, "reopen_days": 7}
ALONE = 300


class Company:
    """Rows of the tables that fraud is looked for in, to be added to."""

    def __init__(self, seed=0, with_friends=True):
        self.random = np.random.default_rng(seed)
        self.rows = {name: [] for name in ("members", "links", "clicks", "activity", "purchases")}
        self.at, self.has_link = {}, set()
        for number in range(1, ALONE + 1):
            self.member(number, START + self.random.uniform(0, 360) * DAY)
        if with_friends:
            self.friends()

    def member(self, person, at, active=True, **traits):
        own = {f"{name}_id": f"{name}{person}" for name in ("visitor", "device", "address")}
        row = {"person_id": person, "occurred_at": at, "known_at": at, **own}
        row |= {"payment_id": None, "code": None, "channel": None, "never_invited": False}
        row |= traits
        self.at[person] = at
        self.rows["members"].append(row)
        self.act(person, at)
        if active:
            self.act(person, at + self.random.uniform(2, 9) * DAY)
        return row

    def act(self, person, at):
        day = at.floor("D")
        row = {"person_id": person, "occurred_at": day, "known_at": at + HOUR}
        self.rows["activity"].append(row | {"actions_count": 3.0})

    def bring(self, sender, friend, at, active=True, **traits):
        """The friend clicks on the sender's link a minute before it signs up."""
        row = self.member(friend, at, active, **traits)
        self.click(sender, row, at - pd.Timedelta(minutes=1))
        return friend

    def click(self, sender, row, at):
        link = f"L{sender}"
        if sender not in self.has_link:
            self.has_link.add(sender)
            made = {"link_id": link, "person_id": sender, "campaign": "spring"}
            made |= {"template": "plain", "propensity_share": 1.0, "interest": None}
            made |= dict.fromkeys(("occurred_at", "known_at"), self.at[sender])
            self.rows["links"].append(made)
        one = {"click_id": f"k{len(self.rows['clicks'])}", "link_id": link, "occurred_at": at}
        one |= {"known_at": at, **{name: row[name] for name in ("visitor_id", "device_id")}}
        self.rows["clicks"].append(one | {"address_id": row["address_id"]})

    def friends(self):
        """One or two of every fourth member, ten days to three months after it and one another."""
        for sender in range(1, ALONE + 1, 4):
            at = self.at[sender]
            for turn in range(1 + sender % 2):
                at = at + self.random.uniform(10, 60) * DAY
                self.bring(sender, 1000 + 10 * sender + turn, at)

    def tables(self):
        names = {name: list(tables.CONTRACTS[name].columns) for name in self.rows}
        found = {name: pd.DataFrame(rows, columns=names[name]) for name, rows in self.rows.items()}
        for name in found:
            for column in ("occurred_at", "known_at"):
                found[name][column] = found[name][column].astype("datetime64[us]")
        kinds = {"device_id": "str", "payment_id": "str", "address_id": "str", "code": "str"}
        found["members"] = found["members"].astype(kinds | {"visitor_id": "str", "channel": "str"})
        words = {"link_id": "str", "visitor_id": "str", "click_id": "str", "device_id": "str"}
        found["clicks"] = found["clicks"].astype(words)
        found["links"] = found["links"].astype({"link_id": "str", "person_id": "int64"})
        return found


def credited(found, as_of=AS_OF):
    rules = attribution.rules_of(RULES)
    return attribution.attributed(
        found["members"], found["links"], found["clicks"], None, rules, as_of
    )


def cycle(company, first, at, count=5, minutes=10, **traits):
    """Each brings the next, minutes apart, nobody comes back; the first clicks on the last's."""
    company.member(first, at, active=False, **traits)
    for number in range(1, count):
        at = at + minutes * HOUR / 60
        company.bring(first + number - 1, first + number, at, active=False)
    row = next(one for one in company.rows["members"] if one["person_id"] == first)
    company.click(first + count - 1, row, at + HOUR)
    return list(range(first + 1, first + count))


def burst(company, hub, at, count=6, minutes=5, **more):
    """One brings all the others within the hour, a day after it came; nobody comes back."""
    company.member(hub, at - DAY)
    return [
        company.bring(hub, hub + number, at + number * minutes * HOUR / 60, active=False, **more)
        for number in range(1, count + 1)
    ]
