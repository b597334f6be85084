"""Policies: who gets which template with what propensity, and which of two may be used.

Thompson sampling (Thompson, Biometrika 25, 1933): a template gets the chance that it is the best
for this interest, as far as is known. What is known of a template for an interest: its sign-ups and
recipients there, and a beta prior at the template's mean that is worth `prior_count` recipients.
Recipients count less as they share senders, see `logged.design_effect`. A floor keeps every
template alive, so that the next policy can be judged, too: with the share `floor_share` the
template is drawn from all alike.

A new policy is used if it is better than the current one with a confidence of 95 %, on sendings
from which it was not learned; else the current one stays, and explores.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betainc, betaincinv

from tierwise.clustered import Figure, difference
from tierwise.files import InputError
from tierwise.invitations import off_policy as op
from tierwise.invitations.logged import Log, cells, design_effect, rates, template_means

FLOOR_SHARE = 0.10
GRID_COUNT = 4000
QUANTILES = np.r_[1e-13, np.linspace(0, 1, 102)[1:-1], 1 - 1e-13]


@dataclass(frozen=True)
class Safe:
    """use: whether the new policy may be used; policy: the one to use from now on; kept: the
    current one, exploring.

    gain: of the new one over the current one, in sign-ups per recipient, by the doubly robust
    estimator with a 90 % interval: its lower end decides.
    """

    use: bool
    policy: pd.DataFrame
    kept: pd.DataFrame
    gain: Figure
    value: Figure
    current: Figure


def table(log: Log, propensities: np.ndarray) -> pd.DataFrame:
    """interests as rows, templates as columns."""
    index = pd.Index(log.interests, name="interest")
    return pd.DataFrame(propensities, index, list(log.templates))


def uniform(log: Log) -> pd.DataFrame:
    """Every template alike."""
    count = len(log.templates)
    return table(log, np.full((len(log.interests), count), 1 / count))


def single(log: Log, template: str) -> pd.DataFrame:
    """Always the same template."""
    if template not in log.templates:
        raise InputError(
            f"There is no template {template!r}; there are {', '.join(log.templates)}."
        )
    return table(log, np.tile(np.array(log.templates) == template, (len(log.interests), 1)) * 1.0)


def best_single(log: Log, prior_count: float = op.PRIOR_COUNT) -> str:
    """The template with the highest value if all got it, drawn to the mean of all.

    Sign-ups and recipients are weighted by 1 / propensity, so that a template which was sent to
    other interests is compared fairly.
    """
    weight = 1 / log.propensity
    scale = len(log) / weight.sum()
    wins, size = (cells(log, scale * weight * each).sum(0) for each in (log.wins, log.size))
    overall = np.asarray(wins.sum() / size.sum())
    mean = template_means(wins[None], size[None], prior_count, overall)[0]
    return log.templates[int(mean.argmax())]


def best_by_interest(log: Log, prior_count: float = op.PRIOR_COUNT) -> pd.DataFrame:
    """For each interest the template with the highest shrunk rate, and no exploring."""
    found = rates(cells(log, log.wins), cells(log, log.size), prior_count)
    return table(log, np.eye(len(log.templates))[found.argmax(1)])


def thompson(log: Log, prior_count: float = op.PRIOR_COUNT) -> pd.DataFrame:
    """For each interest the chance of each template to be the best, without a floor."""
    effect = design_effect(log)
    wins, size = cells(log, log.wins) / effect, cells(log, log.size) / effect
    wins = np.minimum(wins, size)  # a link that was passed on can bring more than were asked
    overall = (wins.sum() + 0.5) / (size.sum() + 1)
    mean = template_means(wins, size, prior_count, np.asarray(overall))
    a, b = wins + prior_count * mean, size - wins + prior_count * (1 - mean)
    return table(log, np.vstack([best_chances(*row) for row in zip(a, b, strict=True)]))


def best_chances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Chance of each of several beta(a, b) to be the largest, shape (n,); together 1.

    The integral of one's density times the distribution functions of all others, by trapezoids
    over its own distribution function. The error is below 1e-5.
    """
    ends = betaincinv(a[:, None], b[:, None], QUANTILES)
    even = np.linspace(float(ends[:, 0].min()), float(ends[:, -1].max()), GRID_COUNT)
    grid = np.unique(np.concatenate([ends.ravel(), even]))
    below = betainc(a[:, None], b[:, None], grid)
    found = np.empty(len(a))
    for place in range(len(a)):
        others = np.delete(below, place, 0).prod(0)
        found[place] = np.diff(below[place]) @ (others[1:] + others[:-1]) / 2
    return found / found.sum()


def explored(policy: pd.DataFrame, floor_share: float = FLOOR_SHARE) -> pd.DataFrame:
    """The policy, and with the share `floor_share` all templates alike.

    Raises InputError for a share that is not from 0 to 1.
    """
    if not 0 <= floor_share <= 1:
        raise InputError(f"floor_share must be from 0 to 1, not {floor_share}. 0.1 is one in ten.")
    return (1 - floor_share) * policy + floor_share / policy.shape[1]


def by_interest(
    log: Log, prior_count: float = op.PRIOR_COUNT, floor_share: float = FLOOR_SHARE
) -> pd.DataFrame:
    """Thompson sampling with a floor: the policy that goes on learning."""
    return explored(thompson(log, prior_count), floor_share)


def as_sent(log: Log) -> pd.DataFrame:
    """The policy by which the lot chose lately: of each interest and template the propensity of
    the last sending, together 1. log: in order of time.

    A template that was never sent to an interest has 0 there; an interest without sendings gets the
    shares of all.
    """
    latest = np.zeros((len(log.interests), len(log.templates)))
    latest[log.interest, log.template] = log.propensity  # of several the last one stays
    sums = latest.sum(1, keepdims=True)
    everyone = np.bincount(log.template, minlength=len(log.templates)) / len(log)
    return table(log, np.where(sums > 0, latest / np.where(sums > 0, sums, 1), everyone))


def safe(
    judged_on: Log,
    new: pd.DataFrame,
    current: pd.DataFrame,
    prior_count: float = op.PRIOR_COUNT,
    floor_share: float = FLOOR_SHARE,
) -> Safe:
    """May the new policy be used? judged_on: sendings from which it was *not* learned.

    Whoever judges a policy on the sendings that chose it believes the luck by which it was chosen.
    Raises InputError where the sendings can't speak about one of the two.
    """
    for each in (new, current):
        op.supported(judged_on, each)
    value, present = (op.doubly_robust(judged_on, each, prior_count) for each in (new, current))
    gain = difference(value, present, judged_on.sender)  # luck of both is not counted twice
    use, kept = bool(gain.low > 0), explored(current, floor_share)
    return Safe(use, new if use else kept, kept, gain, value, present)
