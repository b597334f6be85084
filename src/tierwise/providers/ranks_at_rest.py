"""How many ranks would change had no provider changed: what of the changes is luck.

True satisfaction and staying of each provider are drawn from the latest posterior and stand still.
Every quarter then brings as much evidence as it really brought, with noise anew, satisfaction
fading and drop-out not, and ranks follow by the rules of their year.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tierwise.providers import ranks as ra
from tierwise.providers.rank_quarters import Quarter, score_of
from tierwise.shrinkage import NormalPrior

DRAWS_COUNT = 20
SEED = 20240229
FULL = 1e6  # effective visits: everybody has a rank here, and only those with one are counted


def changed_share(quarters: Sequence[Quarter], memory: float, seed: int = SEED) -> float:
    """Mean share of the ranks that change from one quarter to the next; NaN for one quarter."""
    random = np.random.default_rng(seed)
    changed = ranked_count = 0
    for _ in range(DRAWS_COUNT if len(quarters) > 1 else 0):
        now = None
        for one, estimates in zip(quarters, drawn(quarters, memory, random), strict=True):
            gates = one.estimates.reindex(estimates.index)
            for gate in one.year.rules.gates:
                estimates[gate.column] = gates[gate.column]
            now = ra.assigned(estimates, one.year.rules, now)
            both = one.ranks.reindex(now.index)[["rank", "rank_before"]].fillna(ra.NEW)
            both = (both != ra.NEW).all(axis=1) & (now["rank_before"] != ra.NEW)
            changed += int((now["rank"] != now["rank_before"])[both].sum())
            ranked_count += int(both.sum())
    return changed / ranked_count if ranked_count else np.nan


def drawn(
    quarters: Sequence[Quarter], memory: float, random: np.random.Generator
) -> list[pd.DataFrame]:
    """Estimates of every quarter in one world at rest, index as in the latest one."""
    index = quarters[-1].ranks.index
    known = [one.evidence.reindex(index).fillna(0.0) for one in quarters]
    own = walked(known, [one.part.prior for one in quarters], memory, random)
    told = [one for one in quarters if one.staying]
    stays = [of_staying(one, index) for one in told]
    walks = walked([part for part, _ in stays], [prior for _, prior in stays], 1.0, random)
    found = []
    for one, evidence in zip(quarters, own, strict=True):
        staying = None
        if one.staying:
            prior = stays[len(stays) - len(walks)][1]
            staying = ra.estimated(walks.pop(0), prior), prior.sd
        evidence = evidence.assign(effective_visits=FULL)
        found.append(score_of(evidence, one.part, staying, one.year.choice.ratio)[0])
    return found


def of_staying(one: Quarter, index: pd.Index) -> tuple[pd.DataFrame, NormalPrior]:
    """Evidence behind what drop-out says of each provider."""
    assert one.staying is not None
    table, spread = one.staying
    prior = NormalPrior(0.0, spread)
    return ra.evidence_of(table, prior).reindex(index).fillna(0.0), prior


def walked(
    known: Sequence[pd.DataFrame],
    priors: Sequence[NormalPrior],
    memory: float,
    random: np.random.Generator,
) -> list[pd.DataFrame]:
    """Evidence of successive quarters with the precision of `known` and values anew."""
    if not known:
        return []
    last = ra.estimated(known[-1], priors[-1])
    truth = random.normal(last["mean"], last["sd"])
    pull, before = np.zeros(len(truth)), np.zeros(len(truth))
    found = []
    for one in known:
        part = np.maximum(one["precision"].to_numpy() - memory * before, 0.0)
        pull = memory * pull + part * truth + np.sqrt(part) * random.normal(size=len(truth))
        before = memory * before + part
        value = np.divide(pull, before, out=np.zeros(len(pull)), where=before > 0)
        found.append(one.assign(value=value, precision=before))
    return found
