"""What speaks for a sender at each sign-up, and what speaks against it. Rules: see `attribution`.

Members, links and rows are numbers here: their place in their table. Times are microseconds since
1970 (UTC). 10 million clicks are few: all is arrays, text is looked up once in Arrow's hash tables.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tierwise.files import InputError

TRAITS = ("device_id", "payment_id", "visitor_id")
# Why a claim was refused, by its number; of several reasons the first. The first one: it was not.
REASONS = (
    *("", "no such link", "not in time", "own link", "sender came later"),
    *("same device", "same payment", "same visitor", "existing account"),
)
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
ABSENT = -1
NEVER = np.iinfo("int64").max
# By these, after the time at which it was known, it is settled which of two copies is the first.
COPIED = ("known_at", "occurred_at", "link_id", "person_id", "device_id")


@dataclass(frozen=True)
class Rules:
    """What counts, see `attribution`. same_by, existing_by: names of TRAITS."""

    window_days: float = 30.0
    touch: str = "last"
    reopen_days: float = 7.0
    skew_minutes: float = 5.0
    same_by: tuple[str, ...] = ("device_id", "payment_id")
    existing_by: tuple[str, ...] = ("visitor_id", "device_id", "payment_id")


@dataclass(frozen=True)
class People:
    """Members in order of sign-up."""

    rows: pd.DataFrame
    at: np.ndarray  # when they signed up
    known: np.ndarray  # when we learned of it
    settled: np.ndarray  # after that, nothing changes their credit
    traits: dict[str, np.ndarray]  # a number per value, ABSENT where missing
    existing: np.ndarray  # since when we know of somebody before them with the same trait


@dataclass(frozen=True)
class Links:
    """By place in the table, and once more at the end for a link that is not there.

    sender: place of whose link it is, ABSENT where it is nobody's; known: since when we know it.
    """

    sender: np.ndarray
    known: np.ndarray


@dataclass(frozen=True)
class Seen:
    """What may speak for a sender: whose sign-up, which link (or ABSENT), when.

    row: place in the table that it comes from. device: where it was clicked, as a number of People.
    """

    friend: np.ndarray
    link: np.ndarray
    at: np.ndarray
    row: np.ndarray
    device: np.ndarray | None = None


@dataclass(frozen=True)
class Claims:
    """What was seen, for whom it speaks (place in People), and the number of a reason against."""

    friend: np.ndarray
    sender: np.ndarray
    link: np.ndarray
    at: np.ndarray
    row: np.ndarray
    reason: np.ndarray


def micros(times: pd.Series) -> np.ndarray:
    return times.to_numpy("datetime64[us]").view("int64")


def chunked(column: pd.Series) -> pa.ChunkedArray:
    """Text in Arrow's form, in which pandas holds it already."""
    made = pa.array(column, from_pandas=True)
    one = made if isinstance(made, pa.ChunkedArray) else pa.chunked_array([made])
    return one.cast(pa.large_string())


def places(wanted: pd.Series, among: pd.Series) -> np.ndarray:
    """Where each value stands first in `among`, ABSENT where it does not or is missing."""
    values = chunked(among).combine_chunks()
    found = pc.index_in(chunked(wanted), value_set=values, skip_nulls=True)
    return pc.fill_null(found, ABSENT).to_numpy()


def numbered(column: pd.Series) -> np.ndarray:
    """A number for each value, in order of appearance; ABSENT where it is missing."""
    codes = chunked(column).combine_chunks().dictionary_encode().indices
    return pc.fill_null(codes, ABSENT).to_numpy(zero_copy_only=False)


def people_in_order(members: pd.DataFrame, rules: Rules) -> People:
    """Raises InputError where somebody stands there twice."""
    twice = members["person_id"].duplicated()
    if twice.any():
        raise InputError(
            f"Table members has person_id {members['person_id'][twice].iloc[0]} more than once; a "
            "person signs up once. Keep the first row of each."
        )
    at = micros(members["occurred_at"])
    order = np.lexsort((members["person_id"].to_numpy("int64"), at))
    rows = members.iloc[order].reset_index(drop=True)
    known = micros(rows["known_at"])
    traits = {name: numbered(rows[name]) for name in TRAITS if name in rows}
    shared = [earlier_known(traits[name], known) for name in rules.existing_by if name in traits]
    existing = np.minimum.reduce([np.full(len(rows), NEVER), *shared])
    settled = known + int(rules.reopen_days * DAY_US)
    return People(rows, at[order], known, settled, traits, existing)


def earlier_known(trait: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Since when we know of somebody who came before and has the same number; NEVER if nobody."""
    found = np.full(len(trait), NEVER)
    there = np.flatnonzero(trait != ABSENT)
    so_far = pd.Series(known[there]).groupby(trait[there]).cummin()
    found[there] = so_far.groupby(trait[there]).shift(fill_value=NEVER).to_numpy("int64")
    return found


def links_of(links: pd.DataFrame, people: People) -> Links:
    """Raises InputError where a link stands there twice: nobody could say whose it is."""
    twice = links["link_id"].duplicated()
    if twice.any():
        raise InputError(
            f"Table links has link_id {links['link_id'][twice].iloc[0]!r} more than once; a link "
            "is one person's. Keep one row of each."
        )
    return made(links, people, micros(links["known_at"]))


def made(table: pd.DataFrame, people: People, known: np.ndarray) -> Links:
    place = pd.Index(people.rows["person_id"]).get_indexer(table["person_id"].to_numpy("int64"))
    return Links(np.r_[place, ABSENT], np.r_[known, NEVER])


def typed(people: People, links: Links, ids: pd.Series, rules: Rules) -> Claims:
    """Codes typed at sign-up, with spaces around them or without. ids: of the links."""
    codes = people.rows.get("code", pd.Series(pd.NA, people.rows.index, dtype="str"))
    friend = np.flatnonzero(codes.notna().to_numpy())
    link = places(codes.iloc[friend].str.strip(), ids)
    seen = Seen(friend, link, people.at[friend], friend)
    return judged(people, links, seen, rules)


def clicked(
    people: People, links: Links, ids: pd.Series, clicks: pd.DataFrame, rules: Rules
) -> Claims:
    """Clicks in a browser in which somebody signed up. ids: of the links."""
    seen = in_their_browser(people, clicks, "click_id", rules)
    link = places(clicks["link_id"].iloc[seen.row], ids)
    device = None
    if "device_id" in clicks and "device_id" in people.rows:
        same = places(clicks["device_id"].iloc[seen.row], people.rows["device_id"])
        device = np.where(same == ABSENT, ABSENT, people.traits["device_id"][same])
    return judged(people, links, replace(seen, link=link, device=device), rules)


def opened(people: People, shares: pd.DataFrame, rules: Rules) -> Claims:
    """Shared items, opened in a browser in which somebody signed up: each a link of its sharer."""
    seen = in_their_browser(people, shares, "share_id", rules)
    rows = shares.iloc[seen.row]
    senders = made(rows, people, micros(rows["known_at"]))
    found = judged(people, senders, replace(seen, link=np.arange(len(seen.row))), rules)
    return replace(found, link=np.full(len(seen.row), ABSENT))


def in_their_browser(people: People, table: pd.DataFrame, key: str, rules: Rules) -> Seen:
    """Each row with each member of its browser who did not sign up before it, and is not settled.

    The link is still to be looked up.
    """
    codes = people.traits["visitor_id"]
    visitor = places(table["visitor_id"], people.rows["visitor_id"].dropna().drop_duplicates())
    row = first_known(table, np.flatnonzero(visitor != ABSENT), visitor, key)
    there = np.flatnonzero(codes != ABSENT)
    by_code = there[np.argsort(codes[there], kind="stable")]
    counts = np.bincount(codes[there])
    starts = np.cumsum(counts) - counts
    each = counts[visitor[row]]
    turn = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
    row = np.repeat(row, each)
    friend = by_code[starts[visitor[row]] + turn]
    at, known = micros(table["occurred_at"])[row], micros(table["known_at"])[row]
    kept = at <= people.at[friend] + int(rules.skew_minutes * MINUTE_US)
    kept &= known <= people.settled[friend]  # later ones are not even refused: nothing may change
    return Seen(friend[kept], np.full(kept.sum(), ABSENT), at[kept], row[kept])


def first_known(table: pd.DataFrame, row: np.ndarray, visitor: np.ndarray, key: str) -> np.ndarray:
    """Of these rows, without copies: of those of one visitor with the same key the first known."""
    number = numbered(table[key].iloc[row])
    again = (np.bincount(number) > 1)[number]
    if not again.any():
        return row
    doubtful = table.iloc[row[again]].assign(visitor=visitor[row[again]], row=row[again])
    order = [name for name in (*COPIED, "row") if name in doubtful]
    first = doubtful.sort_values(order).drop_duplicates(["visitor", key])
    return np.sort(np.r_[row[~again], first["row"].to_numpy("int64")])


def judged(people: People, links: Links, seen: Seen, rules: Rules) -> Claims:
    """Each claim with the first reason against it."""
    friend, sender = seen.friend, links.sender[seen.link]
    settled = people.settled[friend]
    is_there = (sender != ABSENT) & (links.known[seen.link] <= settled)
    longest = int(rules.window_days * DAY_US + rules.skew_minutes * MINUTE_US)
    against = {
        "no such link": ~is_there | (people.known[sender] > settled),
        "not in time": people.at[friend] - seen.at > longest,
        "own link": sender == friend,
        "sender came later": sender > friend,
        "existing account": people.existing[friend] <= settled,
    }
    for name in (name for name in rules.same_by if name in people.traits):
        theirs = people.traits[name][sender]
        same = people.traits[name][friend] == theirs
        if name == "device_id" and seen.device is not None:
            same |= seen.device == theirs
        against[f"same {name.removesuffix('_id')}"] = same & (theirs != ABSENT)
    reason = np.zeros(len(friend), dtype="int8")
    for name in sorted(against, key=REASONS.index, reverse=True):
        reason[against[name]] = REASONS.index(name)
    return Claims(friend, sender, seen.link, seen.at, seen.row, reason)
