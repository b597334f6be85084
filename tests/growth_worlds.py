"""Simulated trees of members who bring others: K = 0.6, a cycle of 20 days, 180 days to look at.

Seeds come all the time by themselves; each member brings a negative binomial number of others, each
after a gamma wait. All is simulated, and of the form that the estimators assume: what is tested is
that they are right where the naive ones fail, not that the world looks so.
"""

import numpy as np
import pandas as pd

K, MEAN_DAYS, UNTIL_DAYS = 0.6, 20.0, 180.0
START = pd.Timestamp("2025-01-01")


def tree(
    seed,
    k=K,
    mean_days=MEAN_DAYS,
    shape=2.0,
    dispersion=1.0,
    seeds_count=200,
    until_days=UNTIL_DAYS,
    seed_days=None,
):
    """at_days and parent (place of who brought them, -1: nobody) of all who came by until_days.

    Seeds come evenly until seed_days (until_days if None), seeds_count of them in 180 days.
    """
    random = np.random.default_rng(seed)
    open_days = until_days if seed_days is None else seed_days
    count = random.poisson(seeds_count * open_days / UNTIL_DAYS)
    at, parent = random.uniform(0, open_days, count), np.full(count, -1)
    times, parents, first = [at], [parent], 0
    while len(at):
        number = random.negative_binomial(dispersion, dispersion / (dispersion + k), len(at))
        place = np.repeat(np.arange(len(at)), number)
        born = at[place] + random.gamma(shape, mean_days / shape, len(place))
        kept = born <= until_days
        parent, first = first + place[kept], first + len(at)
        at = born[kept]
        times.append(at)
        parents.append(parent)
    return np.concatenate(times), np.concatenate(parents)


def signed_up(at_days, parent):
    """As members with who brought them: person_id, occurred_at, sender_id (missing for seeds)."""
    sender = pd.array(np.where(parent < 0, 0, parent), "Int64")
    sender[parent < 0] = pd.NA
    occurred = START + pd.to_timedelta(np.round(at_days * 86_400), unit="s")
    columns = {"person_id": np.arange(len(at_days)), "occurred_at": occurred, "sender_id": sender}
    return pd.DataFrame(columns)
