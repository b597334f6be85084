"""Later rows in tiers, for tests of tiers and of their promises."""

import numpy as np
import pandas as pd

SHARES = {"A": 0.2, "B": 0.3, "C": 0.5}
NAMES = list(SHARES)


def judged(count=600, seed=0, rates=(0.5, 0.25, 0.1)):
    """Outcome, tier and score of later rows, tier by tier at the given rates, in mixed order."""
    random = np.random.default_rng(seed)
    tier = random.choice(NAMES, count, p=list(SHARES.values()))
    won = (
        random.random(count) < pd.Series(tier).map(dict(zip(NAMES, rates, strict=True)))
    ).to_numpy(float)
    score = pd.Series(tier).map({"A": 2, "B": 1, "C": 0}).to_numpy() + random.random(count)
    return won, tier, score
