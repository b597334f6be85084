"""Is the difference between two learners more than luck? A paired bootstrap over judged rows.

Rows that share their luck are drawn together:

    cases       all looks at one case, where a case is looked at more than once
    blocks      work lists, where there are at least 20
    stretches   fewer lists, each cut into as many pieces in order of time as make 20
    rows        alone, where they are in no order

A difference is ours minus the peer's. Its 95 % interval is wider where groups are few, and never
less wide than that of rows drawn alone: a few groups can agree by accident. It excludes 0: "ahead"
or "behind", which for a log loss means a negative or a positive difference; else "tie".
"""

from collections.abc import Iterator
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from quality_measures import blocks_of
from quality_protocols import Protocol

from tierwise.evaluation import BOOTSTRAP_COUNT, CHANCE_FLOOR, interval, wider

SEED = 0
GROUPS_MIN_COUNT = 20
COMPARED = ("auc", "auc_in_block", "log_loss")


class Ranking:
    """AUC of rows that count several times or not at all, sorted only once."""

    def __init__(self, won: np.ndarray, chance: np.ndarray) -> None:
        self.order = np.argsort(chance, kind="stable")
        self.won = won[self.order].astype(float)
        rising = chance[self.order]
        self.starts = np.flatnonzero(np.r_[True, rising[1:] != rising[:-1]])

    def auc(self, counts: np.ndarray) -> tuple[float, float]:
        """The AUC, 0.5 if one outcome is missing, and the size of the rarer outcome."""
        counts = counts[self.order]
        wins = np.add.reduceat(counts * self.won, self.starts)
        losses = np.add.reduceat(counts * (1 - self.won), self.starts)
        below = np.cumsum(losses) - losses
        pairs = wins.sum() * losses.sum()
        value = float(wins @ (below + losses / 2) / pairs) if pairs else 0.5
        return value, float(min(wins.sum(), losses.sum()))


class Groups(NamedTuple):
    """What is drawn together. kind: of RESAMPLED; of_row: number of each judged row's group."""

    kind: str
    of_row: np.ndarray

    @property
    def count(self) -> int:
        return int(self.of_row.max()) + 1


class Draw(NamedTuple):
    """How often each row counts; how often each block, None where a block is not drawn whole."""

    rows: np.ndarray
    blocks: np.ndarray | None


class Measured:
    """One learner's chances, ready to be measured on any draw of the rows."""

    def __init__(self, won: np.ndarray, chance: np.ndarray, blocks: list[np.ndarray]) -> None:
        clipped = np.clip(chance, CHANCE_FLOOR, 1 - CHANCE_FLOOR)
        self.losses = -np.log(np.where(won == 1, clipped, 1 - clipped))
        self.whole = Ranking(won, chance)
        self.blocks = [(rows, Ranking(won[rows], chance[rows])) for rows in blocks]
        self.inside_once = self.inside(np.ones(len(won)))

    def inside(self, counts: np.ndarray) -> np.ndarray:
        """Per block: its AUC and its weight."""
        return np.array([ranking.auc(counts[rows]) for rows, ranking in self.blocks])

    def values(self, draw: Draw) -> np.ndarray:
        """The measures COMPARED on this draw."""
        # A block that is drawn whole has the same AUC as ever.
        inside = self.inside(draw.rows) if draw.blocks is None else self.inside_once
        weights = inside[:, 1] * (1 if draw.blocks is None else draw.blocks)
        in_block = weights @ inside[:, 0] / weights.sum() if weights.any() else 0.5
        loss = draw.rows @ self.losses / draw.rows.sum()
        return np.array([self.whole.auc(draw.rows)[0], in_block, loss])


def groups_of(protocol: Protocol) -> Groups:
    """What is drawn together on this protocol; see above for the rule."""
    if protocol.cases is not None:
        return Groups("cases", pd.factorize(protocol.cases[protocol.judged])[0])
    count = len(protocol.judged)
    if protocol.as_of is None:
        return alone(count)
    blocks = blocks_of(protocol)
    pieces_count = -(-GROUPS_MIN_COUNT // len(blocks))
    pieces = [piece for block in blocks for piece in np.array_split(block, pieces_count)]
    of_row = np.empty(count, dtype=int)
    for number, piece in enumerate(piece for piece in pieces if len(piece)):
        of_row[piece] = number
    return Groups("blocks" if pieces_count == 1 else "stretches", of_row)


def alone(count: int) -> Groups:
    """Every row by itself."""
    return Groups("rows", np.arange(count))


def draws(groups: Groups) -> Iterator[Draw]:
    """Everything once, then 1,000 draws with replacement."""
    yield Draw(np.ones(len(groups.of_row)), None)
    random = np.random.default_rng(SEED)
    for _ in range(BOOTSTRAP_COUNT):
        drawn = random.integers(groups.count, size=groups.count)
        times = np.bincount(drawn, minlength=groups.count).astype(float)
        yield Draw(times[groups.of_row], times if groups.kind == "blocks" else None)


def versus_best_peer(
    protocol: Protocol, ours: np.ndarray, peers: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Per measure: the best peer by it, delta, interval, word. Chances in the judged order."""
    won, blocks = protocol.outcome[protocol.judged], blocks_of(protocol)
    groups = groups_of(protocol)
    once = Draw(np.ones(len(won)), None)
    measured = {name: Measured(won, chance, blocks) for name, chance in peers.items()}
    values = {name: peer.values(once) for name, peer in measured.items()}
    best = {}
    for place, measure in enumerate(COMPARED):
        sign = -1 if measure == "log_loss" else 1
        best[measure] = max(values, key=lambda name: sign * values[name][place])
    mine = Measured(won, ours, blocks)
    rivals = {name: measured[name] for name in dict.fromkeys(best.values())}
    ways = [groups, *([] if groups.kind == "rows" else [alone(len(won))])]
    deltas = [differences(way, mine, rivals) for way in ways]
    found: dict[str, Any] = {}
    for place, measure in enumerate(COMPARED):
        ends = [
            interval(by_rival[best[measure]][:, place], way.count, -np.inf, np.inf)
            for way, by_rival in zip(ways, deltas, strict=True)
        ]
        seen = float(deltas[0][best[measure]][0, place])
        found[measure] = compared(measure, best[measure], seen, reduce(wider, ends))
    drawn = {"resampled": groups.kind, "groups_count": groups.count}
    return found | drawn | {"peers_count": len(peers)}


def differences(
    groups: Groups, mine: Measured, rivals: dict[str, Measured]
) -> dict[str, np.ndarray]:
    """Per rival: ours minus its measures, on the rows as they are and on every draw of groups."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in rivals}
    for draw in draws(groups):
        own = mine.values(draw)
        for name, rival in rivals.items():
            found[name].append(own - rival.values(draw))
    return {name: np.array(rows) for name, rows in found.items()}


def compared(measure: str, peer: str, delta: float, ends: list[float]) -> dict[str, Any]:
    """One measure against one peer: how far, between what, and the word for it."""
    low, high = ends
    better, worse = ("ahead", "behind") if measure != "log_loss" else ("behind", "ahead")
    word = better if low > 0 else worse if high < 0 else "tie"
    return {"peer": peer, "delta": delta, "interval": ends, "word": word}
