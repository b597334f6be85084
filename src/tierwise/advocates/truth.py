"""What only a simulated world can tell: do the orders agree with what members are truly like?

invites_rate    how often a member invites, if asked
effect_share    by how much asking raises the chance to bring a buyer within the horizon, from
                30 days after the sign-up on
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm, spearmanr

from tierwise.advocates.ahead import score_name
from tierwise.referrals.referral_data import Tables

Told = Mapping[str, Any]
NONE = pd.DataFrame(columns=["order", "agreement", "low", "high"])
LEAST_COUNT = 10
SURE = 1 - 1e-12


def windows(
    told: Mapping[str, Told], rows: Mapping[str, pd.DataFrame], truth: Tables | None, known: str
) -> pd.DataFrame:
    """What asking changed in each stretch of time: window, effect, low, high, true_effect.

    told: of `asked.told`, rows: what it is of, both by window. known: the window of which the truth
    tells; elsewhere, and without a truth, true_effect is missing.
    """
    lines = []
    for name, one in told.items():
        line = {"window": name, **{key: one[key] for key in ("effect", "low", "high")}}
        is_known = truth is not None and name == known
        line["true_effect"] = mean_effect(rows[name], truth) if is_known else np.nan
        lines.append(line)
    return pd.DataFrame(lines, columns=["window", "effect", "low", "high", "true_effect"])


def mean_effect(rows: pd.DataFrame, truth: Tables | None) -> float:
    """Mean effect_share of these members, the never asked included: they are like the others."""
    if truth is None:
        return np.nan
    effect = truth["influence"].set_index("person_id")["effect_share"]
    return float(effect.reindex(rows["person_id"]).mean())


def agreement(
    rows: pd.DataFrame, truth: Tables | None, target: str, names: Sequence[str]
) -> pd.DataFrame:
    """How far each score orders members like the target does: order, agreement, low, high.

    rows: person_id, as_of and a score per name; of several looks the last counts. Spearman's
    correlation with a 95 % interval of Bonett and Wright 2000 (Psychometrika 65). Empty without a
    truth, or with fewer than LEAST_COUNT members.
    """
    if truth is None:
        return NONE
    last = rows.sort_values("as_of").drop_duplicates("person_id", keep="last")
    known = truth["influence"].set_index("person_id")[target].reindex(last["person_id"])
    lines = []
    for name in names if len(last) >= LEAST_COUNT else ():
        seen = float(spearmanr(known, last[score_name(name)]).statistic)
        half = norm.ppf(0.975) * np.sqrt((1 + seen**2 / 2) / (len(last) - 3))
        low, high = np.tanh(np.arctanh(np.clip(seen, -SURE, SURE)) + np.array([-half, half]))
        lines.append({"order": name, "agreement": seen, "low": float(low), "high": float(high)})
    return pd.DataFrame(lines) if lines else NONE
