"""What each policy would have brought on later sendings, beside the truth where it is known.

Learned from earlier sendings, judged on later ones, once:

    as sent now            the propensities of the latest sendings
    all alike              every template with the same propensity
    best single template   the one that brought most, for everybody
    per interest           Thompson sampling with a floor: what would be used
    per interest, no lot   the best template of each interest, without exploring

The truth is a table of a simulated world: the chance that a recipient signs up, by interest and
template. Some who sign up can't be traced to a link, so that estimates of sign-ups that are
credited are lower than true ones by the same share for all policies: see `traced_share`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tierwise.clustered import Figure, spread
from tierwise.invitations import off_policy as op
from tierwise.invitations import policy as po
from tierwise.invitations.logged import NONE, Log, log
from tierwise.invitations.sendings import Halves

NOW, ALIKE, SINGLE, BY_INTEREST, NO_LOT = POLICIES = (
    *("as sent now", "all alike", "best single template", "per interest"),
    "per interest, no lot",
)
SHOWN = (op.IPS, op.SNIPS, op.ROBUST)  # of the estimators: the direct method never stands alone


@dataclass(frozen=True)
class Judged:
    """policies: by name; estimates: by name; safe: may `per interest` be used?

    over_single: what it gains over the best single template that explores as much.
    """

    learned: Log
    judged: Log
    every: Log
    policies: dict[str, pd.DataFrame]
    estimates: dict[str, op.Estimates]
    safe: po.Safe
    best_single: str
    over_single: Figure


def logs(found: Halves) -> tuple[Log, Log, Log]:
    """Learned, judged and all sendings, in the same interests and templates, NONE among them."""
    interests = sorted(set(found.all["interest"].dropna()) | {NONE})
    templates = sorted(set(found.all["template"]))
    one, other, every = (
        log(rows, interests, templates) for rows in (found.learned, found.judged, found.all)
    )
    return one, other, every


def judged(found: Halves, prior_count: float, floor_share: float) -> Judged:
    """Policies learned from the earlier sendings, on the later ones. Raises InputError."""
    learned, later, every = logs(found)
    best = po.best_single(learned, prior_count)
    policies = {
        NOW: po.as_sent(every),
        ALIKE: po.uniform(learned),
        SINGLE: po.single(learned, best),
        BY_INTEREST: po.by_interest(learned, prior_count, floor_share),
        NO_LOT: po.best_by_interest(learned, prior_count),
    }
    estimates = {name: op.estimates(later, each, prior_count) for name, each in policies.items()}
    safe = po.safe(later, policies[BY_INTEREST], policies[NOW], prior_count, floor_share)
    one = po.explored(policies[SINGLE], floor_share)
    over = po.safe(later, policies[BY_INTEREST], one, prior_count, floor_share).gain
    return Judged(learned, later, every, policies, estimates, safe, best, over)


def by_template(every: Log) -> pd.DataFrame:
    """template, sendings_count, recipients_count, sign_ups_count, and what it would bring if all
    got it: per recipient, with low and high (SNIPS); deviation of its lot, see `drawn_as_logged`.
    """
    rows = []
    for place, name in enumerate(every.templates):
        sent = every.template == place
        weight = np.where(sent, 1 / every.propensity, 0.0)
        value, _, low, high = op.self_normalised(every, weight)
        counts = [float(values[sent].sum()) for values in (every.size, every.wins)]
        rows.append((name, int(sent.sum()), *map(round, counts), value, low, high))
    names = ["template", "sendings_count", "recipients_count", "sign_ups_count"]
    return pd.DataFrame(rows, columns=[*names, "value", "low", "high"])


def truth_matrix(of: Log, templates: pd.DataFrame | None) -> pd.DataFrame | None:
    """True chance that a recipient signs up, interests as rows. templates: a table of the truth."""
    if templates is None:
        return None
    table = templates.pivot(index="interest", columns="template", values="chance")
    return table.reindex(index=list(of.interests), columns=list(of.templates))


def true_values(found: Judged, chances: pd.DataFrame | None) -> pd.Series | None:
    """True sign-ups per recipient of each policy on the judged sendings, and of the best possible
    one ("best possible"), by name; None where nobody knows."""
    if chances is None:
        return None
    size = np.bincount(
        found.judged.interest, found.judged.size, minlength=len(found.judged.interests)
    )
    share, true = size / size.sum(), chances.to_numpy("float64")
    values = {
        name: float(share @ (op.matrix(found.judged, policy) * true).sum(1))
        for name, policy in found.policies.items()
    }
    return pd.Series(values | {"best possible": float(share @ true.max(1))})


def traced_share(found: Judged, chances: pd.DataFrame | None) -> tuple[float, list[float]] | None:
    """Credited sign-ups of the judged sendings, of those to be expected by the true chances of what
    was sent, and a 90 % interval; None where nobody knows."""
    if chances is None:
        return None
    later = found.judged
    expected = later.size * chances.to_numpy("float64")[later.interest, later.template]
    share = float(later.wins.sum() / expected.sum())
    error = spread((later.wins - share * expected) / expected.sum(), later.sender)
    return share, [share - 1.645 * error, share + 1.645 * error]


def table(found: Judged, true: pd.Series | None, traced: float = 1.0) -> pd.DataFrame:
    """A row per policy and estimator of SHOWN: policy, estimator, value, low, high,
    effective_count, largest_weight, and true (times `traced`, to be compared) where it is known."""
    rows = []
    for name, each in found.estimates.items():
        for estimator in SHOWN:
            one = each.of(estimator)
            ends = one["value"], one["low"], one["high"]
            rows.append((name, estimator, *ends, each.effective_count, each.largest_weight))
    names = ["policy", "estimator", "value", "low", "high", "effective_count", "largest_weight"]
    made = pd.DataFrame(rows, columns=names)
    return made if true is None else made.assign(true=made["policy"].map(true) * traced)


def inside_count(rows: pd.DataFrame) -> dict[str, int]:
    """In how many intervals of `table` the truth lies. rows: with the column true."""
    inside = (rows["low"] <= rows["true"]) & (rows["true"] <= rows["high"])
    return {"inside_count": int(inside.sum()), "intervals_count": len(rows)}


def figures(found: Judged) -> dict[str, Any]:
    """All estimates by policy, the direct method among them, for the record."""
    return {
        name: {
            row["estimator"]: {key: row[key] for key in ("value", "error", "low", "high")}
            for row in each.table.to_dict("records")
        }
        | {
            "effective_count": each.effective_count,
            "largest_weight": each.largest_weight,
            "mean_weight": each.mean_weight,
            "unsupported_share": each.unsupported_share,
        }
        for name, each in found.estimates.items()
    }
