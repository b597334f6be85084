"""What the chances of one learner are worth: ranking, calibration, tiers, a list of whom to call.

auc            over all judged rows: mixes the level of a block with the ranking inside it
auc_in_block   inside each block, weighted by its rarer outcome: what a work list needs;
               auc_block_mean: the plain mean of the blocks
ece            expected calibration error, ten bins of equal count
slope          of the outcome's log odds over those promised; below 1: too sure of itself
top20_share    share of all wins in the highest 20 % of the chances; so top50_share
a_to_c         rate of the highest 20 % over that of the lowest 50 %, ranked over all rows;
               a_to_c_in_block: ranked inside each block
f1             of the rows that the plug-in threshold chooses in each block: the list whose
               expected F1 is largest if the chances are true. No outcome is needed for it.
f1_so_far      the same with a threshold from all blocks up to this one
f1_half        of the rows with a chance of at least one half
"""

from typing import Any

import numpy as np
from quality_protocols import Protocol
from sklearn.linear_model import LogisticRegression

from tierwise import evaluation
from tierwise.ranking import auc, auc_in_blocks

TOP_SHARE, BOTTOM_SHARE = 0.2, 0.5
SLOPE_FLOOR = 1e-6
MEASURES = [
    *(
        "auc",
        "auc_in_block",
        "auc_block_mean",
        "log_loss",
        "brier",
        "ece",
        "top20_share",
        "top50_share",
    ),
    *("a_to_c", "a_to_c_in_block", "f1", "f1_so_far", "f1_half", "slope"),
]


def blocks_of(protocol: Protocol) -> list[np.ndarray]:
    """The blocks as positions among the judged rows instead of the rows of the table."""
    place = np.empty(len(protocol.outcome), dtype=int)
    place[protocol.judged] = np.arange(len(protocol.judged))
    return [place[block] for block in protocol.blocks]


def measures(protocol: Protocol, chance: np.ndarray) -> dict[str, Any]:
    """MEASURES by name; None where undefined. chance: in the order of protocol.judged."""
    won, blocks = protocol.outcome[protocol.judged], blocks_of(protocol)
    found = evaluation.measures(won, chance, TOP_SHARE)
    return {
        "auc": found["auc"],
        "auc_in_block": auc_in_blocks(won, chance, blocks),
        "auc_block_mean": block_mean(won, chance, blocks),
        "log_loss": found["log_loss"],
        "brier": found["brier"],
        "ece": found["calibration_error"],
        "top20_share": found["captured_share"],
        "top50_share": evaluation.captured_share(won, chance, 0.5),
        "a_to_c": a_to_c(won, chance, [np.arange(len(won))]),
        "a_to_c_in_block": a_to_c(won, chance, blocks),
        "f1": f1(won, chosen(chance, blocks)),
        "f1_so_far": f1(won, chosen_so_far(chance, blocks)),
        "f1_half": f1(won, chance >= 0.5),
        "slope": slope(won, chance),
    }


def a_to_c(won: np.ndarray, chance: np.ndarray, blocks: list[np.ndarray]) -> float | None:
    """Rate of the top 20 % over that of the bottom 50 %, both counted over all blocks.

    Rows that tie at a border count by the share of them that fits.
    """
    top = bottom = 0.0
    for rows in blocks:
        wins = won[rows].sum()
        if wins:
            top += wins * evaluation.captured_share(won[rows], chance[rows], TOP_SHARE)
            half = evaluation.captured_share(won[rows], chance[rows], 1 - BOTTOM_SHARE)
            bottom += wins * (1 - half)
    return float((top / TOP_SHARE) / (bottom / BOTTOM_SHARE)) if bottom > 1e-9 else None


def chosen(chance: np.ndarray, blocks: list[np.ndarray]) -> np.ndarray:
    """Mask of the rows that the plug-in threshold of their block chooses.

    The expected F1 of the k highest chances is about 2 · their sum / (k + sum of all) (Ye, Chai,
    Lee and Chieu 2012, ICML). Rows that tie with the last one chosen are chosen too.
    """
    found = np.zeros(len(chance), dtype=bool)
    for rows in blocks:
        falling = np.sort(chance[rows])[::-1]
        expected = 2 * np.cumsum(falling) / (np.arange(1, len(rows) + 1) + falling.sum())
        found[rows] = chance[rows] >= falling[np.argmax(expected)]
    return found


def chosen_so_far(chance: np.ndarray, blocks: list[np.ndarray]) -> np.ndarray:
    """As `chosen`, with the threshold from the chances of all blocks up to each."""
    found = np.zeros(len(chance), dtype=bool)
    for number, rows in enumerate(blocks):
        seen = np.concatenate(blocks[: number + 1])
        least = chance[seen][chosen(chance[seen], [np.arange(len(seen))])].min()
        found[rows] = chance[rows] >= least
    return found


def block_mean(won: np.ndarray, chance: np.ndarray, blocks: list[np.ndarray]) -> float | None:
    """Plain mean of the AUCs of all blocks that have both outcomes; None without any."""
    areas = [auc(won[rows], chance[rows]) for rows in blocks if 0 < won[rows].mean() < 1]
    return float(np.mean(areas)) if areas else None


def f1(won: np.ndarray, called: np.ndarray) -> float:
    """Harmonic mean of precision and recall, 0 where nothing was called."""
    both = won.sum() + called.sum()
    return float(2 * won[called].sum() / both) if both else 0.0


def slope(won: np.ndarray, chance: np.ndarray) -> float | None:
    """Calibration slope (Cox 1958); None for one and the same chance or a single outcome."""
    clipped = np.clip(chance, SLOPE_FLOOR, 1 - SLOPE_FLOOR)
    odds = np.log(clipped / (1 - clipped))
    if np.ptp(odds) < 1e-9 or len(np.unique(won)) < 2:
        return None
    model = LogisticRegression(C=np.inf, max_iter=1000).fit(odds[:, None], won)
    return float(model.coef_[0, 0])
