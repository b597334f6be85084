"""Ways to a person: who of ours, directly or through whom, and the messages that prove it.

A way's chance counts all paths, so its records are all messages on any of them, together with the
other copies of these messages: a message to many weighs less for each. From these records alone the
chance comes out the same, see `measured`.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from tierwise import accounts
from tierwise.companies import network, paths

LINE_MOST_COUNT = 4  # people on a longer way, both ends among them
Evidence = dict[str, Any]  # contacts_count, last_days, two_way


@dataclass(frozen=True)
class Net:
    """The network of all people, and where the messages of each pair stand in the table.

    ours: positions of our own people in known.people. pair, message: code of each message's pair
    and id, ascending; by_pair, by_message: the rows in that order.
    """

    interactions: pd.DataFrame
    as_of: pd.Timestamp
    known: network.Contacts
    tie: sparse.csr_array
    ours: np.ndarray
    pair: np.ndarray
    by_pair: np.ndarray
    message: np.ndarray
    by_message: np.ndarray
    message_of: np.ndarray


@dataclass(frozen=True)
class Way:
    """source: who of ours; via: whom each path goes through, the best first; rows: the messages."""

    source: int
    target: int
    via: tuple[int, ...]
    longer: tuple[int, ...]
    rows: np.ndarray


def net(tables: accounts.Tables, as_of: pd.Timestamp) -> Net:
    """The network of the known messages."""
    rows = tables["interactions"]
    known, tie = tied(rows, as_of)
    people, ours = accounts.people(tables), accounts.our_account(tables)
    own = known.people.get_indexer(people.loc[people["account_id"] == ours, "person_id"])
    ends = [known.people.get_indexer(rows[name]) for name in ("from_id", "to_id")]
    pair = codes(known, *ends)
    message = pd.factorize(rows["interaction_id"])[0]
    by_pair, by_message = (np.argsort(one, kind="stable") for one in (pair, message))
    return Net(
        interactions=rows,
        as_of=as_of,
        known=known,
        tie=tie,
        ours=np.sort(own[own >= 0]),
        pair=pair[by_pair],
        by_pair=by_pair,
        message=message[by_message],
        by_message=by_message,
        message_of=message,
    )


def tied(rows: pd.DataFrame, as_of: pd.Timestamp) -> tuple[network.Contacts, sparse.csr_array]:
    """Contacts and ties of these messages."""
    names = {"from_id": "from", "to_id": "to", "occurred_at": "at", "interaction_id": "message"}
    known = network.contacts(rows[list(names)].rename(columns=names), as_of)
    return known, network.ties(known)


def codes(known: network.Contacts, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """One number per undirected pair of positions."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    return low.astype("int64") * len(known.people) + high


def ways(found: Net, target: int, ways_count: int, introducers_count: int) -> list[Way]:
    """The best ways of ours to a person_id, the best first; [] where there is none."""
    at = int(found.known.people.get_indexer([target])[0])
    if at < 0 or not len(found.ours):
        return []
    choices = paths.alternatives(
        found.known, found.tie, found.ours, at, ways_count, attention=None, allowed=None
    )
    near = [one for one in choices if one["chance"]]
    # Nobody asks through five people: a longer way is told only where it is short and no other is.
    far = [one for one in choices[:1] if 0 < len(one["path"]) <= LINE_MOST_COUNT]
    return [way(found, one, target, introducers_count) for one in near or far]


def known_there(found: Net, people: list[int]) -> bool:
    """Is anybody of ours in contact with one of these people?"""
    at = found.known.people.get_indexer(pd.Index(people, dtype="int64"))
    return bool(found.tie[found.ours][:, at[at >= 0]].nnz)


def way(found: Net, choice: dict[str, Any], target: int, introducers_count: int) -> Way:
    """A choice of `paths.alternatives` with the messages that it rests on."""
    source = int(choice["source"])
    via = [int(one["introducer"]) for one in choice["introducers"][:introducers_count]]
    longer = tuple(int(one) for one in choice["path"])
    ends = found.known.people.get_indexer([source, target])
    if longer:
        line = found.known.people.get_indexer(pd.Index(longer))
        wanted = codes(found.known, line[:-1], line[1:])
    else:
        one, other = (neighbours(found.tie, end) for end in ends)
        between = np.intersect1d(one, other)
        steps = [codes(found.known, np.full(len(between), end), between) for end in ends]
        wanted = np.concatenate([*steps, codes(found.known, ends[:1], ends[1:])])
    own = slices(found.pair, found.by_pair, wanted)
    rows = slices(found.message, found.by_message, np.unique(found.message_of[own]))
    return Way(source, target, tuple(via), longer, np.unique(rows))


def neighbours(tie: sparse.csr_array, at: int) -> np.ndarray:
    return tie.indices[tie.indptr[at] : tie.indptr[at + 1]]


def slices(ordered: np.ndarray, places: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The places of all wanted codes. ordered: the codes, ascending."""
    begin, end = (np.searchsorted(ordered, wanted, side=side) for side in ("left", "right"))
    spans = [places[a:b] for a, b in zip(begin, end, strict=True)]
    return np.concatenate([*spans, np.zeros(0, "int64")]).astype("int64")


def measured(
    rows: pd.DataFrame,
    as_of: pd.Timestamp,
    source: int,
    target: int,
    via: tuple[int, ...],
    longer: tuple[int, ...],
) -> dict[str, Any]:
    """What these messages say of a way.

    chance; direct: contact of both ends, None without any; steps: of each of `via` her chance alone
    and the contact on both sides; line: the contacts along the longer path.
    """
    known, tie = tied(rows, as_of)
    ends = network.position(known.people, [source, target])
    chance = paths.introduction_chances(tie, ends[:1], ends[1:])[0, 0]
    middle, line = (network.position(known.people, list(one)) for one in (via, longer))
    pairs = [tuple(ends), *((ends[0], at) for at in middle), *((at, ends[1]) for at in middle)]
    told = contacts_of(known, [*pairs, *pairwise(line)])
    steps = [
        {
            "chance": float(tie[ends[0], at] * tie[at, ends[1]]),
            "from_us": told[1 + place],
            "to_target": told[1 + len(via) + place],
        }
        for place, at in enumerate(middle)
    ]
    return {
        "chance": 0.0 if longer else float(chance),
        "direct": told[0] if told[0]["contacts_count"] else None,
        "steps": steps,
        "line": told[len(pairs) :],
    }


def contacts_of(known: network.Contacts, pairs: list[Any]) -> list[Evidence]:
    """Messages of each pair: how many, whole days since the last one, and whether both wrote."""
    found = paths.evidence(known, [one for one, _ in pairs], [other for _, other in pairs])
    columns = [found[name].tolist() for name in paths.EVIDENCE]
    return [
        {
            "contacts_count": int(count),
            "last_days": None if np.isnan(days) else int(days),
            "two_way": bool(both),
        }
        for count, days, both in zip(*columns, strict=True)
    ]
