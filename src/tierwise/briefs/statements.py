"""What each statement of a brief says, from the rows that it cites and nothing else.

`briefs.brief` and `briefs.checked` both come here: the first with the rows that it chose, the
second with those that the finished brief cites. A number that its rows don't give can't stand.
Texts from data are cleaned here, so that JSON and page hold the same; who shows them escapes them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise.briefs.facts import newest_own
from tierwise.briefs.measures import MEASURES, PEERS, peers, within
from tierwise.briefs.settings import Case, Settings
from tierwise.briefs.ways import Evidence, measured
from tierwise.calls.text import date, readable, shortened

Rows = dict[str, pd.DataFrame]
Fields = dict[str, Any]
NAME_MAX_CHARACTERS = 120
WHY_MAX_CHARACTERS = 240
WORDS_OF_ROLE = ("title", "function", "level", "team")
OURS, THERE, ELSEWHERE = "ours", "there", "elsewhere"


@dataclass(frozen=True)
class Setting:
    """What all statements of a brief share. ours_id: account_id of our own company."""

    account_id: int
    as_of: pd.Timestamp
    settings: Settings
    ours_id: int | None

    def case(self, against: str) -> Case:
        return Case(self.account_id, self.as_of, against, self.settings)


def account(rows: Rows, about: Fields, where: Setting) -> Fields:
    """Name and profile, each value as it was known last."""
    told = {name: last_told(rows["accounts"], name) for name in ("name", "industry", "country")}
    people = last_told(rows["accounts"], "employees_count")
    size = None if people is None else int(people)
    shown = {name: cleaned(value) for name, value in told.items()}
    known = [shown["industry"], shown["country"], "" if size is None else f"{size:,} people"]
    words = ", ".join(filter(None, known)) or "nothing else is known of it"
    name = shown["name"] or f"Account {where.account_id}"
    return {**shown, "name": name, "employees_count": size, "sentence": f"{name}: {words}."}


def last_told(rows: pd.DataFrame, column: str) -> Any:
    told = rows[column].dropna()
    return told.iloc[-1] if len(told) else None


def expected(rows: Rows, about: Fields, where: Setting) -> Fields:
    """Spend of the next year, as the step before says it, with its reasons."""
    row = rows["expected_spend"].iloc[0]
    money = {name: float(row[name]) for name in ("spend_eur", "low_eur", "high_eur")}
    share = float(row["interval_share"])
    middle, low, high = (about_eur(value) for value in money.values())
    days = f"{where.settings.year_days:.0f} days"
    text = f"Expected in the next {days}: {middle}, with {100 * share:.0f} % probability "
    text += f"between {low} and {high}."
    return {**money, "interval_share": share, "why": reasons(row["why"]), "sentence": text}


def about_eur(money: float) -> str:
    """€173,000: three digits say what a forecast knows."""
    return f"€{float(f'{money:.3g}'):,.0f}"


def history(rows: Rows, about: Fields, where: Setting) -> Fields:
    """Orders by quarter, and of the last year in a sentence."""
    orders, case = rows["spend"], where.case(PEERS)
    year, before = (within(orders, case.year(back))["amount_eur"] for back in (0, 1))
    quarters = pd.period_range(about["first_quarter"], where.as_of, freq="Q")
    spent = orders.groupby(orders["occurred_at"].dt.to_period("Q"))["amount_eur"].sum()
    told = spent.reindex(quarters, fill_value=0.0)
    days = f"in the last {where.settings.year_days:.0f} days"
    if len(year):
        one = "order" if len(year) == 1 else "orders"
        text = f"Spent €{year.sum():,.0f} in {len(year):,} {one} {days}"
        text += f"; €{before.sum():,.0f} the year before." if len(before) else "."
    else:
        last = orders.iloc[int(orders["occurred_at"].to_numpy().argmax())]
        amount, when = f"€{last['amount_eur']:,.0f}", date(last["occurred_at"])
        text = f"No order {days}; the last one, {amount}, was on {when}."
    return {
        "last_year_eur": float(year.sum()),
        "orders_count": len(year),
        "quarters": [
            {"quarter": f"{one.year} Q{one.quarter}", "spend_eur": float(money)}
            for one, money in told.items()
        ],
        "sentence": text,
    }


def owner(rows: Rows, about: Fields, where: Setting) -> Fields:
    """Who of ours looks after the account."""
    who, since = role(rows, about["person_id"], where), rows["owners"].iloc[0]["occurred_at"]
    return {**who, "sentence": f"{named(who)} has looked after it since {date(since)}."}


def decider(rows: Rows, about: Fields, where: Setting) -> Fields:
    """Somebody who may sign, with the chance that the step before gives."""
    row, who = rows["deciders"].iloc[0], role(rows, about["person_id"], where)
    chance = float(row["chance"])
    text = f"{named(who)} decides with a chance of {100 * chance:.0f} %."
    told = {"chance": chance, "rank": int(row["rank"]), "why": reasons(row["why"])}
    return {**who, **told, "sentence": text}


def way(rows: Rows, about: Fields, where: Setting) -> Fields:
    """How one of ours reaches a decider."""
    ends = (where.as_of, about["source"], about["target"])
    found = measured(rows["interactions"], *ends, tuple(about["via"]), tuple(about["longer"]))
    source, target = (role(rows, about[name], where) for name in ("source", "target"))
    steps = [
        {**role(rows, one, where), **step}
        for one, step in zip(about["via"], found["steps"], strict=True)
    ]
    line = [role(rows, one, where) for one in about["longer"]]
    told = {"chance": found["chance"], "direct": found["direct"], "introducers": steps}
    text = in_words(source, target, told, line, found["line"])
    return {**source, "target": target, **told, "line": line, "sentence": text}


def in_words(
    source: Fields, target: Fields, told: Fields, line: list[Fields], along: list[Evidence]
) -> str:
    """The way as a sentence."""
    if line:
        between = ", then ".join(named(one) for one in line[1:-1])
        weakest = min(one["contacts_count"] for one in along)
        return (
            f"{named(source)} has no contact in common with {named(target)}; the shortest way "
            f"leads through {between}, with {weakest:,} contacts at its weakest step."
        )
    text = f"{named(source)} reaches {named(target)} with an introduction chance of "
    parts = [f"{text}{told['chance']:.2f}"]
    if told["direct"]:
        parts.append(f"directly: {in_contact(told['direct'])}")
    for one in told["introducers"]:
        us, them = in_contact(one["from_us"]), in_contact(one["to_target"])
        parts.append(f"through {named(one)}: {us} with us, {them} with the decider")
    return "; ".join(parts) + "."


def in_contact(told: Evidence) -> str:
    """5 contacts, the last 12 days ago, both ways"""
    count, days = told["contacts_count"], told["last_days"]
    some = f"{count:,} contact{'' if count == 1 else 's'}"
    last = "today" if days == 0 else f"{days:,} day{'' if days == 1 else 's'} ago"
    return f"{some}, the last {last}, {'both ways' if told['two_way'] else 'one way'}"


def fact(rows: Rows, about: Fields, where: Setting) -> Fields:
    """One part of the story, see facts.py."""
    case = where.case(about["against"])
    others = peers(rows, case) if about["against"] == PEERS else np.zeros(0, "int64")
    told = MEASURES[about["metric"]](rows, case, others)
    newest = newest_own(rows, case, about["topic"])
    if told is None or newest is None:
        return {"sentence": ""}  # its records no longer support it
    times = pd.concat([happened(table) for table in rows.values()])
    limit_days = where.settings.limit_days[about["topic"]]
    compared = {"against": about["against"], "value": told.other, "count": told.others_count}
    return {
        "value": told.value,
        "unit": told.unit,
        "as_of": where.as_of.isoformat(),
        "newest_at": newest.isoformat(),
        "limit_days": limit_days,
        "fresh": not ex.is_older(newest, where.as_of, 24 * limit_days),
        "comparison": compared,
        "standardised": told.standardised,
        "sentence": told.sentence,
        "records_count": len(times),
        "first_at": times.min().isoformat(),
        "last_at": times.max().isoformat(),
    }


def happened(rows: pd.DataFrame) -> pd.Series:
    """When each row's event happened; of versions, since when they are known."""
    return rows["occurred_at"] if "occurred_at" in rows else rows["known_at"]


def strongest(rows: Rows, about: Fields, where: Setting) -> Fields:
    """Who of ours does best at such accounts, as the step before says it."""
    return {"sentence": shortened(readable(rows["strongest"].iloc[0]["sentence"]), 400)}


def role(rows: Rows, person_id: int, where: Setting) -> Fields:
    """Who a person is: number, title, function, level, and where she works."""
    found = rows["positions"]
    at = np.flatnonzero(found["person_id"].to_numpy() == person_id)
    told: Fields = {"person_id": person_id, "title": "", "function": "", "level": "", "team": ""}
    if not len(at):
        return {**told, "where": ""}
    told |= {name: cleaned(found[name].iat[at[0]]) for name in WORDS_OF_ROLE}
    places = {where.ours_id: OURS, where.account_id: THERE}
    return {**told, "where": places.get(int(found["account_id"].iat[at[0]]), ELSEWHERE)}


def words_of(who: Fields) -> str:
    """The title, or what is known in place of it."""
    return who["title"] or " ".join(filter(None, (who["function"], who["level"])))


def named(who: Fields) -> str:
    """HR manager (person 17, ours)"""
    place = f", {who['where']}" if who["where"] else ""
    return (
        f"{words_of(who) or 'Somebody whose title is not known'} (person {who['person_id']}{place})"
    )


def cleaned(text: Any) -> str:
    return shortened(readable(text), NAME_MAX_CHARACTERS)


def reasons(why: Any) -> list[str]:
    """Plain reasons as they were handed in."""
    told = [why] if isinstance(why, str) else list(why) if np.ndim(why) else []
    return [shortened(readable(str(one)), WHY_MAX_CHARACTERS) for one in told]


SAYS: dict[str, Callable[[Rows, Fields, Setting], Fields]] = {
    "account": account,
    "expected": expected,
    "history": history,
    "owner": owner,
    "decider": decider,
    "way": way,
    "fact": fact,
    "strongest": strongest,
}
