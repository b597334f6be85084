"""Numbers of people, in the order in which they came, found by their id: a table that grows.

Open addressing with multiplicative hashing (Knuth, TAOCP 3, 6.4), at most half full, so that
millions of look-ups cost as much as reading them.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio
HIGH = np.uint64(24)  # the upper bits are mixed best
FEWEST = 1024


@dataclass
class People:
    """ids: int64, the first `count` are filled. keys, places: the table, -1 for an empty slot."""

    ids: np.ndarray
    keys: np.ndarray
    places: np.ndarray
    count: int = 0


def empty(size: int = FEWEST) -> People:
    """Room for so many; size: a power of two."""
    keys = np.zeros(2 * size, "int64")
    return People(np.zeros(size, "int64"), keys, np.full(2 * size, -1, "int32"))


def of_ids(ids: np.ndarray) -> People:
    """A table of these people, in this order."""
    size = max(FEWEST, 1 << len(ids).bit_length())
    found = empty(size)
    found.ids[: len(ids)] = ids
    fill(found.keys, found.places, found.ids, len(ids))
    found.count = len(ids)
    return found


def places(people: People, person_id: np.ndarray) -> np.ndarray:
    """The place of each, int32; whoever is new gets the next one. `people` grows as needed."""
    out = np.empty(len(person_id), "int32")
    done = 0
    while True:
        people.count, more = find(
            people.keys, people.places, people.ids, people.count, person_id[done:], out[done:]
        )
        done += more
        if done == len(person_id):
            return out
        larger = empty(2 * len(people.ids))
        larger.ids[: people.count] = people.ids[: people.count]
        fill(larger.keys, larger.places, larger.ids, people.count)
        people.ids, people.keys, people.places = larger.ids, larger.keys, larger.places


def place(people: People, person_id: int) -> int:
    """The place of one person, -1 for a stranger."""
    return int(slot_of(people.keys, people.places, np.int64(person_id))[1])


@njit(cache=True)
def slot_of(keys, places, person):  # type: ignore[no-untyped-def]
    """Slot of a person in the table, and its place or -1."""
    mask = len(keys) - 1
    slot = np.int64((np.uint64(person) * MIX) >> HIGH) & mask
    while places[slot] >= 0 and keys[slot] != person:
        slot = (slot + 1) & mask
    return slot, places[slot]


@njit(cache=True)
def fill(keys, places, ids, count):  # type: ignore[no-untyped-def]
    """Put the first `count` ids into an empty table."""
    for at in range(count):
        slot, _ = slot_of(keys, places, ids[at])
        keys[slot] = ids[at]
        places[slot] = at


@njit(cache=True)
def find(keys, places, ids, count, person, out):  # type: ignore[no-untyped-def]
    """Fill `out`; how many people there are then, and how many of the rows were done.

    Stops where the list of ids is full.
    """
    for row in range(len(person)):
        slot, found = slot_of(keys, places, person[row])
        if found < 0:
            if count == len(ids):
                return count, row
            found = np.int32(count)
            keys[slot] = person[row]
            places[slot] = found
            ids[count] = person[row]
            count += 1
        out[row] = found
    return count, len(person)
