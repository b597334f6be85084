"""How well do two people know each other? Tie strength from dated interactions.

Every interaction counts 0.5 ** (age / half-life): it fades smoothly and never drops out at an edge.
A message to many counts as a share for each of its recipients. What is kept per directed pair (sum,
count, last contact, days with contact) can be aged and added to, so that an hour's new interactions
cost no more than themselves: see `aged` and `added`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from tierwise import examples
from tierwise.files import InputError

HALF_LIFE_DAYS = 120.0
FULL_STRENGTH_COUNT = 300.0
COLUMNS = ("from", "to", "at")


@dataclass(frozen=True)
class Contacts:
    """Directed pairs of people with contact, by source, then target; numbers index `people`."""

    people: pd.Index
    source: np.ndarray  # (n_pairs,) positions in people
    target: np.ndarray
    half_lives_days: tuple[float, ...]
    fading: np.ndarray  # (n_pairs, n_half_lives): faded sum of weighted interactions
    count: np.ndarray  # interactions, unfaded and unweighted
    last_days: np.ndarray  # days since the last one
    active_days: np.ndarray  # different days with contact


def contacts(
    interactions: pd.DataFrame,
    as_of: pd.Timestamp,
    half_lives_days: Sequence[float] = (HALF_LIFE_DAYS,),
    kind_weights: Mapping[str, float] | None = None,
    share_by_recipient: bool = True,
    people: pd.Index | None = None,
) -> Contacts:
    """Contacts as they were at `as_of`: what happened at that instant or later is not seen.

    interactions: from, to, at; kind if it is to be weighted; message (an id) if one sender can send
    two messages in one instant. kind_weights: weight by kind; every kind found must be in it.
    people: the index to use; by default everybody in the table, ascending. Raises InputError where
    a column or a kind's weight is missing, or a person is not in `people`.
    """
    missing = [name for name in COLUMNS if name not in interactions]
    if missing:
        raise InputError(
            f"Interactions need the columns {', '.join(COLUMNS)}; {', '.join(missing)} is missing. "
            "Rename the columns."
        )
    seen = interactions[examples.known_before(interactions, as_of, "at")]
    weight = weights_of(seen, kind_weights)
    if share_by_recipient:
        weight = weight / recipient_count(seen)
    if people is None:
        people = pd.Index(np.union1d(seen["from"].to_numpy(), seen["to"].to_numpy()))
    age_days = examples.days_passed(seen["at"], pd.Series(as_of, index=seen.index))
    source, target = (position(people, seen[name]) for name in ("from", "to"))
    return summed(people, source, target, age_days, half_lives_days, weight)


def weights_of(interactions: pd.DataFrame, kind_weights: Mapping[str, float] | None) -> np.ndarray:
    """The weight of each row's kind, 1.0 throughout without weights."""
    if kind_weights is None:
        return np.ones(len(interactions))
    if "kind" not in interactions:
        raise InputError("kind_weights were given, but the interactions have no column 'kind'.")
    weight = interactions["kind"].map(dict(kind_weights)).to_numpy("float64", na_value=np.nan)
    unknown = sorted(set(interactions["kind"][np.isnan(weight)].astype(str)))
    if unknown:
        raise InputError(
            f"kind_weights has no weight for {', '.join(unknown)}. Give one; 0 leaves a kind out."
        )
    if (weight < 0).any():
        raise InputError(f"kind_weights must not be negative: {dict(kind_weights)}.")
    return weight


def recipient_count(interactions: pd.DataFrame) -> np.ndarray:
    """How many different people got the same message, shape (n_rows,).

    One message is one value of `message`, else one sender at one instant with one kind.
    """
    by = ["message"] if "message" in interactions else ["from", "at", "kind"]
    by = [name for name in by if name in interactions]
    message = interactions.groupby(by, sort=False, dropna=False).ngroup().to_numpy()
    codes, who = pd.factorize(interactions["to"])
    many = max(len(who), 1)
    pair = np.sort(message * many + codes)
    once = pair[np.diff(pair, prepend=-1) != 0] // many
    return np.bincount(once, minlength=message.max(initial=-1) + 1)[message]


def position(people: pd.Index, ids: Any) -> np.ndarray:
    """Positions of these ids in `people`. Raises InputError with the first that is not there."""
    found = people.get_indexer(pd.Index(ids))
    if (found < 0).any():
        strange = pd.Index(ids)[found < 0][0]
        raise InputError(
            f"{strange!r} is not among the {len(people):,} people of this network. "
            "Pass an index that holds everybody, or leave the row out."
        )
    return found


def summed(
    people: pd.Index,
    source: np.ndarray,
    target: np.ndarray,
    age_days: np.ndarray,
    half_lives_days: Sequence[float] = (HALF_LIFE_DAYS,),
    weight: np.ndarray | None = None,
) -> Contacts:
    """Contacts from arrays, one value per interaction; whoever writes to himself is left out.

    source, target: positions in people. age_days: at least 0. weight: 1.0 each by default. Raises
    InputError for a half-life that is not above 0 and for an age below it.
    """
    if not half_lives_days or min(half_lives_days) <= 0:
        raise InputError(f"A half-life must be above 0 days: {list(half_lives_days)}.")
    if len(age_days) and not age_days.min() >= 0:
        raise InputError(
            f"An interaction lies {-age_days.min():g} days in the future, or has no date. "
            "Cut the table at the as-of time first."
        )
    weight = np.ones(len(age_days)) if weight is None else weight
    rows = np.flatnonzero((source != target) & (weight > 0))
    day = age_days[rows].astype("int64")
    span = day.max(initial=0) + 1
    pair = source[rows].astype("int64") * len(people) + target[rows]
    order = np.argsort(pair * span + day)
    pair, day, rows = pair[order], day[order], rows[order]
    new_pair = np.diff(pair, prepend=-1) != 0
    first = np.flatnonzero(new_pair)
    new_day = new_pair | (np.diff(day, prepend=-1) != 0)
    faded = [weight[rows] * 0.5 ** (age_days[rows] / days) for days in half_lives_days]
    return Contacts(
        people=people,
        source=pair[first] // max(len(people), 1),
        target=pair[first] % max(len(people), 1),
        half_lives_days=tuple(half_lives_days),
        fading=np.column_stack([reduced(np.add, one, first) for one in faded]),
        count=np.diff(first, append=len(rows)),
        last_days=reduced(np.minimum, age_days[rows], first),
        active_days=reduced(np.add, new_day.astype("int64"), first),
    )


def reduced(how: np.ufunc, values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """`how` over each group of values, where groups begin at `first`."""
    return how.reduceat(values, first) if len(first) else values[:0]


def aged(known: Contacts, days: float) -> Contacts:
    """The same contacts, so many days later, had nothing happened since."""
    return replace(
        known,
        fading=known.fading * 0.5 ** (days / np.array(known.half_lives_days)),
        last_days=known.last_days + days,
    )


def added(known: Contacts, new: Contacts) -> Contacts:
    """Both together, at one as-of time: `added(aged(yesterday, 1), today)` is all of it.

    Exact for sums, counts and last contact; for active days where both part at a whole day before
    the as-of time. Raises InputError where people or half-lives differ.
    """
    if known.half_lives_days != new.half_lives_days or not known.people.equals(new.people):
        raise InputError("Contacts can be added only for the same people and the same half-lives.")
    many = max(len(known.people), 1)
    pair = np.concatenate([one.source * many + one.target for one in (known, new)])
    order = np.argsort(pair, kind="stable")
    first = np.flatnonzero(np.diff(pair[order], prepend=-1) != 0)

    def joined(name: str, how: np.ufunc) -> np.ndarray:
        both = np.concatenate([getattr(known, name), getattr(new, name)])
        return reduced(how, both[order], first)

    return Contacts(
        people=known.people,
        source=pair[order][first] // many,
        target=pair[order][first] % many,
        half_lives_days=known.half_lives_days,
        fading=joined("fading", np.add),
        count=joined("count", np.add),
        last_days=joined("last_days", np.minimum),
        active_days=joined("active_days", np.add),
    )


def matrix(known: Contacts, values: np.ndarray) -> sparse.csr_array:
    """Values of directed pairs as (n_people, n_people), row = source, column = target."""
    many = len(known.people)
    return sparse.csr_array((values, (known.source, known.target)), shape=(many, many))


def ties(
    known: Contacts,
    half_life_days: float | None = None,
    full_strength_count: float = FULL_STRENGTH_COUNT,
    half_strength_count: float | None = None,
    both_ways_weight: float = 0.0,
) -> sparse.csr_array:
    """Strength of each tie in [0, 1], symmetric, empty diagonal, (n_people, n_people).

    With s = sum of both directions (+ both_ways_weight × 2 × the smaller one): log(1 + s) over
    log(1 + full_strength_count), at most 1. With half_strength_count = k it is s / (s + k).
    half_life_days: one of the contacts', the first by default.
    """
    out = matrix(known, fading_at(known, half_life_days))
    both = out + out.T
    if both_ways_weight:
        both = both + 2 * both_ways_weight * out.minimum(out.T)
    found = sparse.csr_array(both)
    found.data = strength(found.data, full_strength_count, half_strength_count)
    found.sort_indices()
    return found


def strength(
    total: np.ndarray,
    full_strength_count: float = FULL_STRENGTH_COUNT,
    half_strength_count: float | None = None,
) -> np.ndarray:
    """Faded sums as strengths in [0, 1], see `ties`. Raises InputError for a count below 0."""
    if (full_strength_count if half_strength_count is None else half_strength_count) <= 0:
        raise InputError("full_strength_count and half_strength_count must be above 0.")
    if half_strength_count is not None:
        return total / (total + half_strength_count)
    return np.minimum(np.log1p(total) / np.log1p(full_strength_count), 1.0)


def fading_at(known: Contacts, half_life_days: float | None) -> np.ndarray:
    """Faded sums of this half-life, the first by default. InputError where it was not summed."""
    if half_life_days is None:
        return known.fading[:, 0]
    if half_life_days not in known.half_lives_days:
        raise InputError(
            f"These contacts were summed with half-lives of {list(known.half_lives_days)} days, "
            f"not {half_life_days:g}. Name one of them, or sum again."
        )
    return known.fading[:, known.half_lives_days.index(half_life_days)]


def reciprocity(known: Contacts, half_life_days: float | None = None) -> sparse.csr_array:
    """2 × the weaker direction over the sum of both, in [0, 1]: 1 is even, symmetric.

    A pair with contact in one direction only is not stored: it reads as 0.
    """
    out = matrix(known, fading_at(known, half_life_days))
    least = sparse.csr_array(out.minimum(out.T.tocsr()))
    least.eliminate_zeros()
    total = sparse.csr_array(out + out.T)
    return sparse.csr_array(2 * least.multiply(total.power(-1)))


def attention(tie: sparse.csr_array) -> np.ndarray:
    """1 / (1 + sum of a person's ties), in (0, 1]: who knows everybody vouches less for each."""
    return 1 / (1 + np.asarray(tie.sum(axis=1)).ravel())


def pairs(known: Contacts) -> pd.DataFrame:
    """Undirected pairs, one row each, by first, then second position (first < second).

    Columns: first, second; out, back: faded sums of the first half-life, from first to second and
    the other way; both_<h>: sum of both at each half-life; count, last_days (the latest of both),
    active_days (the larger of both), two_way (bool).
    """
    swapped = known.source > known.target
    low, high = np.minimum(known.source, known.target), np.maximum(known.source, known.target)
    columns: dict[str, Any] = {"first": low, "second": high}
    columns["out"] = np.where(swapped, 0.0, known.fading[:, 0])
    columns["back"] = np.where(swapped, known.fading[:, 0], 0.0)
    for at, days in enumerate(known.half_lives_days):
        columns[f"both_{days:g}"] = known.fading[:, at]
    columns |= {"count": known.count, "last_days": known.last_days}
    columns |= {"active_days": known.active_days, "two_way": 1}
    how = {name: "sum" for name in columns if name not in ("first", "second")}
    how |= {"last_days": "min", "active_days": "max"}
    found = pd.DataFrame(columns).groupby(["first", "second"], as_index=False).agg(how)
    return found.assign(two_way=found["two_way"] == 2)
