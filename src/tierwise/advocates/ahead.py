"""How well scores rank at several looks, and how far one is ahead of another.

    auc                  of the pairs of one who brought somebody and one who did not, the share in
                         the right order
    average_precision    mean over those who brought somebody of the share of such among all that
                         rank as high
    top_10, top_20       of those who brought somebody, the share in the top 10 or 20 % of the list

All inside looks, then their mean, weighted by those who brought somebody. Of equal scores the
share counts that fits, so that the order of a file changes nothing. Intervals come from drawing
members again, each with all rows, and the same draws for every score, so that differences are
paired (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993; Field and Welsh, Journal of
the Royal Statistical Society B 69, 2007, for rows in clusters).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tierwise.files import InputError

MEASURES = ("auc", "average_precision", "top_10", "top_20")
SHARES = {"top_10": 0.1, "top_20": 0.2}
DRAWS_COUNT, LEAST_DRAWS, CELLS = 1000, 200, 30_000_000
CHUNK_CELLS = 4_000_000
CONFIDENCE = 0.95
SEED = 20240229


def score_name(candidate: str) -> str:
    return f"{candidate}_score"


def seen(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The measures of each candidate, without intervals; index candidate."""
    found = figures(rows, names, np.ones((1, len(rows))))
    return pd.DataFrame(found[:, :, 0], index=list(names), columns=list(MEASURES))


def drawn(person_id: pd.Series) -> np.ndarray:
    """How often each row counts; the first line once each, then members drawn again."""
    codes, people = pd.factorize(person_id)
    draws = int(np.clip(CELLS / max(len(codes), 1), LEAST_DRAWS, DRAWS_COUNT))
    again = np.random.default_rng(SEED).multinomial(
        len(people), np.full(len(people), 1 / len(people)), size=draws
    )
    return np.vstack([np.ones((1, len(people)), "int16"), again.astype("int16")])[:, codes]


def figures(rows: pd.DataFrame, names: Sequence[str], counts: np.ndarray) -> np.ndarray:
    """Shape (n_names, n_measures, n_draws). rows: as_of, outcome, a score per name.

    Raises InputError where nobody, or everybody, brought somebody.
    """
    outcome = rows["outcome"].to_numpy("float64")
    if len(np.unique(outcome)) < 2:
        raise InputError(
            f"All {len(rows):,} rows ended alike, so no order can be judged. Judge more looks."
        )
    looks, labels = pd.factorize(rows["as_of"], sort=True)
    total = np.zeros((len(names), len(MEASURES), len(counts)))
    wins = np.zeros(len(counts))
    for look in range(len(labels)):
        inside = np.flatnonzero(looks == look)
        won = counts[:, inside] @ outcome[inside]
        wins += won
        for at, name in enumerate(names):
            score = rows[score_name(name)].to_numpy("float64")[inside]
            total[at] += won * inside_look(outcome[inside], score, counts[:, inside])
    return total / np.maximum(wins, 1.0)


def inside_look(outcome: np.ndarray, score: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The measures of one look in each draw, shape (n_measures, n_draws); 0 without a win."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    step = max(1, CHUNK_CELLS // len(score))
    parts = [
        of_draws(outcome[order], ends, counts[at : at + step][:, order])
        for at in range(0, len(counts), step)
    ]
    return np.concatenate(parts, axis=1)


def of_draws(outcome: np.ndarray, ends: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """outcome, counts: from the highest score down; ends: last place of each group of equals."""
    everybody = np.cumsum(counts, axis=1, dtype="float64")[:, ends]
    won = np.cumsum(counts * outcome, axis=1)[:, ends]
    all_won, everyone = won[:, -1:], everybody[:, -1:]
    new = np.diff(won, axis=1, prepend=0.0)
    precision = np.divide(won, everybody, out=np.zeros_like(won), where=everybody > 0)
    lost = everybody - won
    before = np.concatenate([np.zeros((len(lost), 1)), lost[:, :-1]], axis=1)
    below = (lost[:, -1:] - lost) + (lost - before) / 2
    least = np.maximum(all_won, 1.0)[:, 0]
    pairs = np.maximum(all_won * lost[:, -1:], 1.0)[:, 0]
    found = [(new * below).sum(axis=1) / pairs, (new * precision).sum(axis=1) / least]
    tops = [reached(everybody, won, share * everyone[:, 0]) for share in SHARES.values()]
    return np.stack([*found, *(top / least for top in tops)])


def reached(everybody: np.ndarray, won: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Wins among the first `room` of each draw; of a group of equals the share that fits."""
    at = (everybody < room[:, None]).sum(axis=1)
    line = np.arange(len(room))
    below, before = (
        np.where(at > 0, table[line, np.maximum(at - 1, 0)], 0.0) for table in (everybody, won)
    )
    size = np.maximum(everybody[line, at] - below, 1e-12)
    return before + (won[line, at] - before) * (room - below) / size


def ends_of(draws: np.ndarray) -> list[float]:
    tail = (1 - CONFIDENCE) / 2
    return [float(end) for end in np.quantile(draws, [tail, 1 - tail])]


def card(rows: pd.DataFrame, names: Sequence[str], one: str) -> pd.DataFrame:
    """A row per candidate: candidate; each measure and its interval (<measure>_between), and how
    far `one` is ahead in it, with interval (<measure>_ahead, <measure>_ahead_between)."""
    found = figures(rows, names, drawn(rows["person_id"]))
    own, lines = found[list(names).index(one)], []
    for at, name in enumerate(names):
        line: dict[str, object] = {"candidate": name}
        for place, measure in enumerate(MEASURES):
            values, more = found[at, place], own[place] - found[at, place]
            line |= {measure: float(values[0]), f"{measure}_between": ends_of(values[1:])}
            line |= {f"{measure}_ahead": float(more[0])}
            line |= {f"{measure}_ahead_between": ends_of(more[1:])}
        lines.append(line)
    return pd.DataFrame(lines)


def by_look(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Each look alone: as_of, people_count, brought_count, candidate and the measures."""
    parts = []
    for look, own in rows.groupby("as_of", sort=True):
        if own["outcome"].nunique() < 2:
            continue
        table = seen(own.reset_index(drop=True), names).rename_axis("candidate").reset_index()
        counts = {"people_count": len(own), "brought_count": int(own["outcome"].sum())}
        parts.append(table.assign(as_of=look, **counts))
    first = ["as_of", "people_count", "brought_count", "candidate"]
    return pd.concat(parts, ignore_index=True)[[*first, *MEASURES]]
