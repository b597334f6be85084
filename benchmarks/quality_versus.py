"""Is the difference between two learners more than luck? A paired bootstrap over judged rows.

Blocks are drawn where there are at least 20, since rows of one list share their luck; else rows.
A difference is ours minus the peer's. Its 95 % interval excludes 0: "ahead" or "behind", which
for a log loss means a negative or a positive difference; else "tie".
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from quality_measures import blocks_of
from quality_protocols import Protocol

from tierwise.evaluation import BOOTSTRAP_COUNT, CHANCE_FLOOR

SEED = 0
BLOCKS_MIN_COUNT = 20
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


class Draw(NamedTuple):
    """How often each row counts; how often each block, None where rows are drawn alone."""

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


def draws(count: int, blocks: list[np.ndarray]) -> Iterator[Draw]:
    """Everything once, then 1,000 draws with replacement."""
    yield Draw(np.ones(count), None)
    random = np.random.default_rng(SEED)
    for _ in range(BOOTSTRAP_COUNT):
        if len(blocks) < BLOCKS_MIN_COUNT:
            drawn = random.integers(count, size=count)
            yield Draw(np.bincount(drawn, minlength=count).astype(float), None)
        else:
            drawn = random.integers(len(blocks), size=len(blocks))
            times = np.bincount(drawn, minlength=len(blocks)).astype(float)
            counts = np.zeros(count)
            for rows, often in zip(blocks, times, strict=True):
                counts[rows] = often
            yield Draw(counts, times)


def versus_best_peer(
    protocol: Protocol, ours: np.ndarray, peers: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Per measure: the best peer by it, delta, interval, word. Chances in the judged order."""
    won, blocks = protocol.outcome[protocol.judged], blocks_of(protocol)
    once = Draw(np.ones(len(won)), None)
    measured = {name: Measured(won, chance, blocks) for name, chance in peers.items()}
    values = {name: peer.values(once) for name, peer in measured.items()}
    best = {}
    for place, measure in enumerate(COMPARED):
        sign = -1 if measure == "log_loss" else 1
        best[measure] = max(values, key=lambda name: sign * values[name][place])
    mine = Measured(won, ours, blocks)
    rivals = {name: measured[name] for name in dict.fromkeys(best.values())}
    deltas: dict[str, list[np.ndarray]] = {name: [] for name in rivals}
    for draw in draws(len(won), blocks):
        own = mine.values(draw)
        for name, rival in rivals.items():
            deltas[name].append(own - rival.values(draw))
    found: dict[str, Any] = {
        measure: compared(measure, best[measure], np.array(deltas[best[measure]])[:, place])
        for place, measure in enumerate(COMPARED)
    }
    drawn = "blocks" if len(blocks) >= BLOCKS_MIN_COUNT else "rows"
    return found | {"resampled": drawn, "peers_count": len(peers)}


def compared(measure: str, peer: str, deltas: np.ndarray) -> dict[str, Any]:
    """deltas: of the rows as they are, then of every draw."""
    low, high = map(float, np.quantile(deltas[1:], [0.025, 0.975]))
    better, worse = ("ahead", "behind") if measure != "log_loss" else ("behind", "ahead")
    word = better if low > 0 else worse if high < 0 else "tie"
    return {"peer": peer, "delta": float(deltas[0]), "interval": [low, high], "word": word}
