"""What another policy would have brought, from sendings whose template a lot chose.

Of sending i: n recipients, y sign-ups, w how many times more often the policy would have chosen its
template than the lot did, N all recipients; q(x, t) a rate by interest and template, learned from
other senders; v the policy's mean of q for the interest of i.

    IPS               sum w y / N                Horvitz and Thompson, JASA 47(260), 1952
    SNIPS             sum w y / sum w n          Swaminathan and Joachims, NIPS 2015
    direct method     sum n v / N                trusts q: never shown alone
    doubly robust     sum (n v + w (y - n q)) / N      Dudik, Langford and Li, ICML 2011

The direct method is biased wherever q is: drawn to the mean, or learned from few. Its interval does
not know that. The others are right on average (SNIPS nearly so) if the propensities are.

Errors are by sender: recipients of one sender share their luck. Intervals are 90 %, so that their
lower end is a one-sided bound of 95 %; that of SNIPS is from senders drawn again (percentiles), the
others are symmetric.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.clustered import Figure, spread, symmetric
from tierwise.files import InputError
from tierwise.invitations.logged import Log, cells, rates, weights
from tierwise.shrinkage import LEVEL

IPS, SNIPS, DIRECT, ROBUST = ESTIMATORS = ("IPS", "SNIPS", "direct method", "doubly robust")
PRIOR_COUNT = 20.0
FOLDS_COUNT, DRAWS_COUNT, SEED = 5, 1000, 0
DRAWS_AT_ONCE = 50
MOST_UNSUPPORTED_SHARE = 0.01


@dataclass(frozen=True)
class Estimates:
    """table: estimator, value, error, low, high; in the order of ESTIMATORS.

    effective_count: sendings that would say as much if all weights were 1 (Kish 1965);
    mean_weight: about 1 where propensities are right; unsupported_share: of the policy's choices
    that the log can't speak about, since none was sent.
    """

    table: pd.DataFrame
    effective_count: float
    largest_weight: float
    mean_weight: float
    unsupported_share: float

    def of(self, estimator: str) -> pd.Series:
        return self.table.set_index("estimator").loc[estimator]


def matrix(log: Log, policy: pd.DataFrame) -> np.ndarray:
    """The policy in the log's order, shape (interests, templates).

    policy: a row per interest, a column per template. Raises InputError where one of the log's is
    missing, or a row is no propensities.
    """
    for kind, names, own in (
        ("interest", log.interests, policy.index),
        ("template", log.templates, policy.columns),
    ):
        missing = [name for name in names if name not in own]
        if missing:
            raise InputError(f"The policy says nothing about the {kind} {missing[0]!r}. Add it.")
    found = policy.loc[list(log.interests), list(log.templates)].to_numpy("float64")
    sums = policy.loc[list(log.interests)].sum(axis=1).to_numpy("float64")
    if not (found >= 0).all() or np.abs(sums - 1).max() > 1e-6:
        raise InputError(
            "Propensities of an interest must be 0 or more and together 1; "
            f"they add up to {sums[np.abs(sums - 1).argmax()]:g}."
        )
    return found


def supported(log: Log, policy: pd.DataFrame) -> float:
    """Share of the policy's choices that the log can't speak about: never sent to that interest.

    Raises InputError where it is more than MOST_UNSUPPORTED_SHARE, or a template was never sent.
    """
    chosen = matrix(log, policy)
    size = np.bincount(log.interest, log.size, minlength=len(log.interests)) / log.size.sum()
    used = size[:, None] * chosen
    sent = cells(log, np.ones(len(log))) > 0
    absent = used.sum() < 1 - 1e-6
    never = [name for name, at in zip(log.templates, sent.T, strict=True) if not at.any()]
    never = [name for name in never if used[:, log.templates.index(name)].sum() > 0]
    if absent or never:
        strange = never or [name for name in policy.columns if name not in log.templates]
        raise InputError(
            f"Template {strange[0]!r} was never sent, so nobody knows what it would bring. Send it "
            "to a share drawn by lot first, or leave it out of the policy."
        )
    share = float(used[~sent].sum())
    if share > MOST_UNSUPPORTED_SHARE:
        place = np.unravel_index(np.where(sent, 0, used).argmax(), used.shape)
        raise InputError(
            f"{share:.1%} of the policy's choices were never made, most of them template "
            f"{log.templates[place[1]]!r} for {log.interests[place[0]]!r}; at most "
            f"{MOST_UNSUPPORTED_SHARE:.0%} may be. Try them by lot first."
        )
    return share


def folds(log: Log, count: int = FOLDS_COUNT) -> np.ndarray:
    """A fold of each sending, those of one sender in the same, shape (n,)."""
    codes, names = pd.factorize(log.sender, sort=True)
    return np.random.default_rng(SEED).permutation(len(names))[codes] % count


def learned_elsewhere(log: Log, prior_count: float = PRIOR_COUNT) -> np.ndarray:
    """Rates of all templates for the interest of each sending, from the senders of other folds.

    Shape (n, templates).
    """
    fold, shape = folds(log), (len(log.interests), len(log.templates))
    place = np.ravel_multi_index((fold, log.interest, log.template), (FOLDS_COUNT, *shape))
    sums = [
        np.bincount(place, values, minlength=FOLDS_COUNT * shape[0] * shape[1])
        for values in (log.wins, log.size)
    ]
    wins, size = (found.reshape(FOLDS_COUNT, *shape) for found in sums)
    return rates(wins.sum(0) - wins, size.sum(0) - size, prior_count)[fold, log.interest]


def points(log: Log, policy: pd.DataFrame, prior_count: float = PRIOR_COUNT) -> dict[str, float]:
    """The value by each of ESTIMATORS, without errors."""
    chosen = matrix(log, policy)
    weight, total = weights(log, chosen), log.size.sum()
    direct, _ = directly(log, chosen, prior_count)
    won = float(weight @ log.wins)
    robust = doubly_robust(log, policy, prior_count).value
    return {IPS: won / total, SNIPS: won / float(weight @ log.size), DIRECT: direct, ROBUST: robust}


def directly(log: Log, chosen: np.ndarray, prior_count: float) -> tuple[float, np.ndarray]:
    """Value by the direct method and the influence (n,) of each sending on it, the mean to which
    rates are drawn taken as given."""
    wins, size = cells(log, log.wins), cells(log, log.size)
    rate, total = rates(wins, size, prior_count), log.size.sum()
    own = (chosen * rate).sum(1)[log.interest]
    value = float(log.size @ own / total)
    share = size.sum(1)[:, None] * chosen / (size + prior_count) / total
    noise = log.wins - log.size * rate[log.interest, log.template]
    return value, share[log.interest, log.template] * noise + log.size * (own - value) / total


def doubly_robust(
    log: Log, policy: pd.DataFrame, prior_count: float = PRIOR_COUNT, level: float = LEVEL
) -> Figure:
    """Value with its interval and the influence of each sending."""
    chosen, total = matrix(log, policy), log.size.sum()
    rate = learned_elsewhere(log, prior_count)
    own = (chosen[log.interest] * rate).sum(1)
    sent = np.take_along_axis(rate, log.template[:, None], 1)[:, 0]
    gained = log.size * own + weights(log, chosen) * (log.wins - log.size * sent)
    value = float(gained.sum() / total)
    return symmetric(value, (gained - log.size * value) / total, log.sender, len(log), level)


def estimates(
    log: Log, policy: pd.DataFrame, prior_count: float = PRIOR_COUNT, level: float = LEVEL
) -> Estimates:
    """Value of the policy by all four estimators. Raises InputError, see `matrix`, `supported`."""
    unsupported = supported(log, policy)
    chosen = matrix(log, policy)
    weight, total = weights(log, chosen), log.size.sum()
    by_weight = float(weight @ log.wins / total)
    plain = symmetric(
        by_weight, (weight * log.wins - log.size * by_weight) / total, log.sender, len(log), level
    )
    direct, influence = directly(log, chosen, prior_count)
    model = symmetric(direct, influence, log.sender, len(log), level)
    robust = doubly_robust(log, policy, prior_count, level)
    rows = [
        (IPS, *told(plain, log)),
        (SNIPS, *self_normalised(log, weight, level)),
        (DIRECT, *told(model, log)),
        (ROBUST, *told(robust, log)),
    ]
    table = pd.DataFrame(rows, columns=["estimator", "value", "error", "low", "high"])
    effective = float(weight.sum() ** 2 / (weight @ weight))
    return Estimates(table, effective, float(weight.max()), float(weight.mean()), unsupported)


def told(found: Figure, log: Log) -> tuple[float, float, float, float]:
    return found.value, spread(found.influence, log.sender), found.low, found.high


def self_normalised(
    log: Log, weight: np.ndarray, level: float = LEVEL
) -> tuple[float, float, float, float]:
    """SNIPS: value, standard error, low and high, from senders drawn again."""
    codes, names = pd.factorize(log.sender, sort=True)
    won, tried = (np.bincount(codes, weight * each) for each in (log.wins, log.size))
    if not tried.sum():
        raise InputError("The policy chooses nothing that was sent, so nothing is known of it.")
    rng, drawn = np.random.default_rng(SEED), []
    for _ in range(DRAWS_COUNT // DRAWS_AT_ONCE):
        again = rng.integers(len(names), size=(DRAWS_AT_ONCE, len(names)))
        total = tried[again].sum(1)
        drawn.append(won[again].sum(1)[total > 0] / total[total > 0])
    values = np.concatenate(drawn)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    value = float(won.sum() / tried.sum())
    return value, float(values.std(ddof=1)), float(low), float(high)
