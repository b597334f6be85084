"""Who is held out, and who is shown out of turn: drawn by a seeded hash, not by a generator.

A hash of salt, purpose and deal says the same in every hour, on every machine and in any order of
rows, so nothing has to be stored and no rerun draws again. Draws for two purposes, for two days or
with two salts have nothing to do with each other. Keep the salt for as long as outcomes are being
compared: another salt is another experiment.

    holdout    a deal never sees a tier, for its whole life, so that tiers can be measured
    explored   for one UTC day a deal leaves its place and gets one drawn from its whole queue, so
               that we go on learning about deals that the scores put last

A draw belongs to a day. Whoever always gives the same day, as delivery.py does, draws for life:
where deals stay open for days, one drawn anew each day would follow its tier on all the others.
"""

import datetime as dt
import hashlib

import numpy as np
import pandas as pd

from tierwise.files import InputError

SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def draw(deal_id: pd.Series, purpose: str, salt: str) -> np.ndarray:
    """A number from 0 to below 1 per deal, shape (n,), as if drawn at random.

    deal_id: int64. Two rounds of the finalizer of SplitMix64 (Steele, Lea and Flood 2014), each
    keyed by 64 bits of SHA-256 of salt and purpose. Raises InputError for an empty salt.
    """
    if not salt:
        raise InputError("The salt of draws is empty. Set any text, and keep it.")
    digest = hashlib.sha256(f"{salt}\0{purpose}".encode()).digest()
    found = deal_id.to_numpy("int64").view("uint64")
    for at in (0, 8):
        found = mixed(found ^ np.uint64(int.from_bytes(digest[at : at + 8], "little")))
    return (found >> np.uint64(11)) * 2.0**-53


def mixed(bits: np.ndarray) -> np.ndarray:
    """uint64 to uint64, one to one; every bit that goes in changes half of those that come out."""
    first, second, third = SHIFTS
    bits = (bits ^ (bits >> first)) * FACTORS[0]
    bits = (bits ^ (bits >> second)) * FACTORS[1]
    return bits ^ (bits >> third)


def holdout(deal_id: pd.Series, share: float, salt: str) -> np.ndarray:
    """Mask of the deals that never see a tier, shape (n,); who is in or out stays so for good.

    A larger share keeps all who were in. InputError for a share that isn't from 0 to 1.
    """
    return draw(deal_id, "holdout", salt) < checked(share, "holdout_share")


def explored(deal_id: pd.Series, day: dt.date, share: float, salt: str) -> np.ndarray:
    """Mask of the deals that get a place by lot on that UTC day, shape (n,).

    Each deal is drawn with the chance `share`, whatever its score and whoever else is on the list.
    """
    purpose = f"exploration {iso(day)}"
    return draw(deal_id, purpose, salt) < checked(share, "exploration_share")


def order(
    deals: pd.DataFrame, day: dt.date, share: float, salt: str, room_share: float
) -> pd.DataFrame:
    """The order in which deals are shown: rank, explored, propensity, in_room; rows as given.

    deals: deal_id, rank (1 = first, over the whole list, no two alike), owner_id (missing allowed),
    and nobody of the holdout. Each owner has a queue of his own: his deals by rank. room_share: how
    much of its queue an owner is expected to work on, at least one place.

    In a queue of n deals the one of place r has the key (r - 1/2) / n. If it is explored, which has
    the chance `share`, it has a key drawn uniformly from 0 to 1 instead. Shown by key, explored
    deals stand at places drawn from the whole queue, and the others between them in order of rank.
    The ranks that an owner's deals had are given to the same deals in the new order.

    propensity is the chance of a deal to stand in the room, the first K = ceil(room_share * n)
    places of its queue, over its own draw, the draws of all others as they are:

        propensity = share * t + (1 - share) * (1 if (r - 1/2) / n < t else 0)

    where t is the K-th smallest key among the *other* deals of the queue (1 if they are fewer). A
    deal is in the room if and only if its key is below t, and t has nothing to do with its own
    draw; hence the chance of 1 / propensity, counted where the deal is in the room, is 1 on
    average. So the sum of outcome / propensity over the deals in the room estimates the sum over
    the whole list without bias, as long as share > 0 (Horvitz and Thompson 1952). Far down the
    queue propensity is about share * room_share, and weights get large: average over many days.
    """
    if not 0 < room_share <= 1:
        raise InputError(f"room_share must be above 0 and at most 1, not {room_share}.")
    if deals["rank"].isna().any() or deals["rank"].duplicated().any():
        raise InputError("Ranks must be there and differ: break ties before exploring.")
    queue = pd.factorize(deals["owner_id"], use_na_sentinel=False)[0]
    own = own_key(queue, deals["rank"].to_numpy("int64"))
    drawn = explored(deals["deal_id"], day, share, salt)
    key = np.where(drawn, draw(deals["deal_id"], f"place {iso(day)}", salt), own)
    limit = room_limit(queue, key, own, room_share)
    propensity = share * limit + (1 - share) * (own < limit)
    shown = pd.DataFrame({"rank": deals["rank"], "explored": drawn, "propensity": propensity})
    by_key, by_rank = np.lexsort((own, key, queue)), np.lexsort((own, queue))
    ranks = deals["rank"].to_numpy()
    moved = np.empty_like(ranks)
    moved[by_key] = ranks[by_rank]
    return shown.assign(rank=moved, in_room=key < limit)


def own_key(queue: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """(r - 1/2) / n of each deal in its queue, shape (n,)."""
    by_rank = np.lexsort((rank, queue))
    count = np.bincount(queue)
    start = np.cumsum(count) - count
    place = np.empty(len(queue))
    place[by_rank] = np.arange(len(queue)) - start[queue[by_rank]] + 0.5
    return place / count[queue]


def room_limit(
    queue: np.ndarray, key: np.ndarray, own: np.ndarray, room_share: float
) -> np.ndarray:
    """The K-th smallest key among the others of a deal's queue, 1 where they are fewer."""
    count = np.bincount(queue)
    start = np.cumsum(count) - count
    # 0.2 * 15 is 3.0000000000000004
    room = np.maximum(np.ceil(room_share * count - 1e-9), 1).astype("int64")
    by_key = np.lexsort((own, key, queue))
    place = np.empty(len(queue), dtype="int64")
    place[by_key] = np.arange(len(queue)) - start[queue[by_key]]
    kth = room[queue] - (place >= room[queue])  # its own key doesn't count among the others'
    at = np.minimum(start[queue] + kth, max(len(queue) - 1, 0))
    return np.where(kth < count[queue], key[by_key][at], 1.0)


def iso(day: dt.date) -> str:
    return pd.Timestamp(day).date().isoformat()


def checked(share: float, name: str) -> float:
    if not 0 <= share <= 1:
        raise InputError(f"{name} must be from 0 to 1, not {share}. 0.05 is one deal in twenty.")
    return share
