"""Who can introduce us? The chance of an introduction, and the people who would make it.

One of ours (i) reaches a target (j) through each person k who knows both, or directly:

    chance = 1 - (1 - w_ij) * product over k of (1 - w_ik * w_kj * a_k)

w are ties in [0, 1] (`network.ties`); a_k, 1 by default, is how much attention k has for each of
her contacts (`network.attention`). All paths count, so ten lukewarm ones can beat a warm one; the
best single path ranks worse (see tests/real/test_radoslaw_ties.py). The chance ranks: how often an
introduction succeeds at a given value has to be learned from introductions that were asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse import csgraph

from tierwise.companies import network
from tierwise.files import InputError

CHUNK_COUNT = 8_000_000  # paths held in memory at once
EVIDENCE = ("count", "last_days", "two_way")


@dataclass(frozen=True)
class Steps:
    """Two-step paths, one per element, by row: row -> via -> column with this chance."""

    row: np.ndarray
    via: np.ndarray  # position in the network
    column: np.ndarray
    chance: np.ndarray


def two_steps(
    first: sparse.csr_array, second: sparse.csr_array, attention: np.ndarray | None = None
) -> Steps:
    """Every path row -> k -> column. first: (n_rows, n_people), second: (n_people, n_columns)."""
    start, end = second.indptr[first.indices], second.indptr[first.indices + 1]
    width = (end - start).astype("int64")
    step = np.repeat(np.arange(len(width)), width)
    inside = np.arange(len(step)) - np.repeat(np.cumsum(width) - width, width)
    at = start[step] + inside
    ahead = first.data if attention is None else first.data * attention[first.indices]
    row = np.repeat(np.arange(first.shape[0]), np.diff(first.indptr))
    return Steps(row[step], first.indices[step], second.indices[at], ahead[step] * second.data[at])


def introduction_chances(
    tie: sparse.csr_array,
    ours: Sequence[int] | np.ndarray,
    targets: Sequence[int] | np.ndarray | None = None,
    attention: np.ndarray | None = None,
    allowed: np.ndarray | None = None,
    direct: bool = True,
) -> np.ndarray:
    """Chance of each of ours to reach each target, shape (n_ours, n_targets).

    ours, targets: positions in the network; all people without targets. allowed: mask of the people
    who may introduce (n_people,): somebody who opted out is left out. direct: whether the tie
    between both counts as well. A person reaches herself with 1.
    """
    ours = np.asarray(ours, dtype="int64")
    checked(tie, attention, allowed)
    first = sparse.csr_array(tie[ours])
    targets = np.arange(tie.shape[1]) if targets is None else np.asarray(targets, dtype="int64")
    every = len(targets) == tie.shape[1] and bool((targets == np.arange(len(targets))).all())
    second = tie if every else towards(tie, targets)
    missed = log_missed(first, second, attention, allowed)
    if direct:
        own = first if every else sparse.csr_array(tie[ours][:, targets])
        row = np.repeat(np.arange(len(ours)), np.diff(own.indptr))
        with np.errstate(divide="ignore"):
            missed[row, own.indices] += np.log1p(-own.data)
    missed[ours[:, None] == targets[None, :]] = -np.inf
    return 0.0 - np.expm1(missed)


def towards(tie: sparse.csr_array, targets: np.ndarray) -> sparse.csr_array:
    """The columns of these targets, (n_people, n_targets), read from their rows.

    Ties are symmetric. Cutting columns of a large matrix looks at all of it; rows, at them only.
    """
    return sparse.csr_array(tie[targets].T.tocsr())


def checked(
    tie: sparse.csr_array, attention: np.ndarray | None, allowed: np.ndarray | None
) -> None:
    """Raise InputError where a mask or the attention is not one value per person."""
    for name, values in (("attention", attention), ("allowed", allowed)):
        if values is not None and np.shape(values) != (tie.shape[0],):
            raise InputError(
                f"{name} has shape {np.shape(values)}; the network has {tie.shape[0]} people. "
                "Pass one value per person, in the network's order."
            )


def log_missed(
    first: sparse.csr_array,
    second: sparse.csr_array,
    attention: np.ndarray | None = None,
    allowed: np.ndarray | None = None,
) -> np.ndarray:
    """Log chance that every two-step path fails, (n_rows, n_columns), in chunks of rows."""
    if allowed is not None:
        attention = allowed * (1.0 if attention is None else attention)
    missed = np.zeros((first.shape[0], second.shape[1]))
    width = np.diff(second.indptr)[first.indices].astype("int64")
    done = np.concatenate([[0], np.cumsum(width)])[first.indptr]
    begin = 0
    while begin < first.shape[0]:
        limit = done[begin] + CHUNK_COUNT
        end = max(int(np.searchsorted(done, limit, side="right")) - 1, begin + 1)
        found = two_steps(sparse.csr_array(first[begin:end]), second, attention)
        with np.errstate(divide="ignore"):  # a certain path: log(0) is meant
            logs = np.log1p(-found.chance)
        cell = found.row * second.shape[1] + found.column
        count = (end - begin) * second.shape[1]
        missed[begin:end] = np.bincount(cell, logs, count).reshape(end - begin, -1)
        begin = end
    return missed


def from_one(
    tie: sparse.csr_array,
    source: int,
    attention: np.ndarray | None = None,
    allowed: np.ndarray | None = None,
    direct: bool = True,
) -> np.ndarray:
    """Chance of one person to reach each of all people, shape (n_people,)."""
    return introduction_chances(tie, [source], None, attention, allowed, direct)[0]


def best_introducers(
    known: network.Contacts,
    tie: sparse.csr_array,
    ours: Sequence[int] | np.ndarray,
    targets: Sequence[int] | np.ndarray,
    best_count: int = 3,
    attention: np.ndarray | None = None,
    allowed: np.ndarray | None = None,
) -> pd.DataFrame:
    """The best introducers for each pair (ours, target), with the evidence for both steps.

    Columns: source, target, introducer (ids), rank (1 is the best), chance (of this path alone),
    then first_ and second_ with count, last_days, two_way: contact between source and introducer,
    and between introducer and target. A pair without a two-step path has no row.
    """
    ours, targets = np.asarray(ours, dtype="int64"), np.asarray(targets, dtype="int64")
    checked(tie, attention, allowed)
    if allowed is not None:
        attention = allowed * (1.0 if attention is None else attention)
    found = two_steps(sparse.csr_array(tie[ours]), towards(tie, targets), attention)
    columns = {"source": ours[found.row], "introducer": found.via}
    columns |= {"target": targets[found.column], "chance": found.chance}
    table = pd.DataFrame(columns)
    table = table[(table["chance"] > 0) & (table["source"] != table["target"])]
    order = ["source", "target", "chance", "introducer"]
    table = table.sort_values(order, ascending=[True, True, False, True], kind="stable")
    table["rank"] = table.groupby(["source", "target"]).cumcount() + 1
    table = table[table["rank"] <= best_count].reset_index(drop=True)
    both = [("first", "source", "introducer"), ("second", "introducer", "target")]
    proofs = [evidence(known, table[a], table[b]).add_prefix(f"{name}_") for name, a, b in both]
    for name in ("source", "target", "introducer"):
        table[name] = known.people.to_numpy()[table[name]]
    table = table[["source", "target", "introducer", "rank", "chance"]]
    return pd.concat([table, *proofs], axis=1)


def evidence(known: network.Contacts, one: Any, other: Any) -> pd.DataFrame:
    """Contact between pairs of positions, either direction: count, last_days, two_way.

    A pair without contact has count 0, last_days NaN and two_way False. Rows as given.
    """
    pair = known.source * len(known.people) + known.target  # ascending, see `network.summed`
    one, other = np.asarray(one, dtype="int64"), np.asarray(other, dtype="int64")
    counts, days = [], []
    for low, high in ((one, other), (other, one)):
        wanted = low * len(known.people) + high
        at = np.minimum(np.searchsorted(pair, wanted), max(len(pair) - 1, 0))
        there = pair[at] == wanted if len(pair) else np.zeros(len(wanted), bool)
        counts.append(np.where(there, known.count[at] if len(pair) else 0, 0))
        days.append(np.where(there, known.last_days[at] if len(pair) else np.nan, np.nan))
    return pd.DataFrame(
        {
            "count": counts[0] + counts[1],
            "last_days": np.fmin(*days),
            "two_way": (counts[0] > 0) & (counts[1] > 0),
        }
    )


def longer_path(tie: sparse.csr_array, source: int, target: int) -> list[int]:
    """The path with the largest product of ties, [source, ..., target]; [] where there is none.

    An explanation for a pair without a common contact; not a chance, and no ranking.
    """
    return longer_paths(tie, source, [target])[0]


def longer_paths(
    tie: sparse.csr_array, source: int, targets: Sequence[int] | np.ndarray
) -> list[list[int]]:
    """`longer_path` to each of the targets, in their order, from one search (Dijkstra)."""
    length = tie.copy()
    # A length of exactly 0 would read as "no edge" in a sparse matrix.
    length.data = np.maximum(-np.log(np.maximum(tie.data, 1e-300)), 1e-12)
    before = csgraph.dijkstra(length, indices=source, return_predecessors=True)[1]
    return [walked(before, source, int(target)) for target in targets]


def walked(before: np.ndarray, source: int, target: int) -> list[int]:
    """The path that these predecessors describe."""
    path = [target]
    while path[-1] != source:
        step = int(before[path[-1]])
        if step < 0:
            return []
        path.append(step)
    return path[::-1]


def alternatives(
    known: network.Contacts,
    tie: sparse.csr_array,
    ours: Sequence[int] | np.ndarray,
    target: int,
    best_count: int = 3,
    attention: np.ndarray | None = None,
    allowed: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Who of ours should ask whom to reach this target: the best few of ours, with reasons.

    Per choice: source (id), chance, direct (evidence of the own tie, None without contact),
    introducers (rows of `best_introducers`), path (ids, only where no two-step path and no direct
    tie exist: the shortest longer one). Sorted by chance, then by the order of `ours`; those of
    ours who cannot reach the target at all are left out.
    """
    us = np.asarray(ours, dtype="int64")
    us = us[us != target]
    chance = introduction_chances(tie, us, [target], attention, allowed)[:, 0]
    order = np.argsort(-chance, kind="stable")[:best_count]
    shown = best_introducers(known, tie, us[order], [target], best_count, attention, allowed)
    ids: Any = known.people.to_numpy()
    found = []
    for at in order:
        own = evidence(known, [us[at]], [target]).iloc[0].to_dict()
        choice = {
            "source": ids[us[at]],
            "chance": float(chance[at]),
            "direct": own if own["count"] else None,
            "introducers": shown[shown["source"] == ids[us[at]]].to_dict("records"),
            "path": [],
        }
        if not chance[at]:
            around = tie if allowed is None else passable(tie, allowed, [int(us[at]), target])
            choice["path"] = [ids[k] for k in longer_path(around, int(us[at]), target)]
        if chance[at] or choice["path"]:
            found.append(choice)
    return found


def passable(tie: sparse.csr_array, allowed: np.ndarray, ends: list[int]) -> sparse.csr_array:
    """The ties between people who may introduce, and those of both ends of the path."""
    through = np.asarray(allowed, dtype="float64").copy()
    through[ends] = 1.0
    kept = sparse.csr_array(sparse.diags_array(through) @ tie @ sparse.diags_array(through))
    kept.eliminate_zeros()
    return kept
