"""Providers whose customers vanish although they were pleased: perhaps they go on without us.

A bad provider loses its displeased customers. One who takes customers past the marketplace loses
those who come again and praise. Visits stand in groups by what the customer showed (see `bonds`);
the chance that a visit was the last one on the marketplace is

    honest     d                         d as in drop_out.py, by group too, with its own u_p
    diverting  d + (1 - d) q_group       q = 0 for displeased and for first visits without a word

    u_p ~ N(m + b quality_p, s2),        a share pi of the providers diverts

so that an honest provider may lose many, too, but then of all groups alike. m, b, s, pi and q have
the largest posterior of both kinds together, u_p summed over a grid; the chance of a provider is
that of the second kind (a finite mixture, as in McLachlan, Peel, "Finite Mixture Models", 2000).

Who stands out here may have another reason: moved away, ill, on leave. It is no proof, only a list
of whom to look at first.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, logit

from tierwise.providers import drop_out as model
from tierwise.rhythm import MERGE_DAYS, jobs

GROUPS = ("0 displeased", "1 first visit", "2 came again", "3 pleased", "4 pleased, came again")
BOUND = GROUPS[2:]  # whom somebody could divert
NODES = np.linspace(-4.5, 4.5, 37)  # of u_p, in spreads of the first fit
SCALES = (0.5, 1.0, 1.5)  # of q: those who divert do so to different degrees
MOST_Q = 0.6  # times the largest scale it stays below 1
# Beta priors of pi (about one in ten, loosely) and of q / MOST_Q (about a quarter).
SHARE_PRIOR, CHANCE_PRIOR, SPREAD_PRIOR = (1.5, 10.5), (2.0, 6.0), 0.5
START = np.array([0.0, 0.0, 0.0, logit(0.08), *[logit(0.25)] * len(BOUND)])
TOLD_APART = 9.49  # 95 % point of chi2 with 4 degrees of freedom; careful, since pi is at its edge
LEARNED_COUNT = 5000  # providers from which pi, q and the like are learned; more change nothing
LEAST_VISITS = 15.0  # by bound customers, before anything is said
THRESHOLD = 0.5
SEED = 20240229
EARLY, LOOK, NOTHING = "too early to say", "look at this one", "no sign of it"


@dataclass(frozen=True)
class OffPlatform:
    """Providers, and what was found of the marketplace.

    providers: index provider; bound_visits_count (by customers who came again or were pleased),
    vanished_count (of them, by the chance to have stopped), expected_vanished_count (with the
    average provider on the same visits), off_platform_chance, off_platform_said.
    diverting_share: of all providers. extra_share: group -> q. likelihood_ratio: against nobody
    diverts; told_apart where it is beyond chance, else nobody is pointed at.
    """

    providers: pd.DataFrame
    diverting_share: float
    extra_share: dict[str, float]
    likelihood_ratio: float

    @property
    def told_apart(self) -> bool:
        return self.likelihood_ratio > TOLD_APART


@dataclass(frozen=True)
class Grid:
    """What stays the same whatever the parameters are; nodes of u_p run along the second axis."""

    spread: float  # s of the first fit, the unit of the nodes
    stays: np.ndarray  # (n_providers, n_nodes): log chance of all visits that were followed
    returned: np.ndarray  # (n_providers, n_groups): how many were
    due: np.ndarray  # (n_customers, n_nodes): chance to have stayed, and come again by now
    group: np.ndarray  # (n_customers,): of the last visit
    members: sparse.csr_array  # (n_providers, n_customers): whose last visit it was
    quality: np.ndarray  # (n_providers,): in standard deviations, 0 where not known


def bonds(visits: pd.DataFrame, score: np.ndarray) -> pd.Series:
    """The group of each visit, one of GROUPS. score: of each visit, 0 where nothing was shown.

    visits: customer, provider, at_days. Coming again means an earlier visit to the same provider.
    """
    ordered = visits.sort_values("at_days", kind="stable")
    again = ordered.groupby(["customer", "provider"], sort=False).cumcount().reindex(visits.index)
    given = np.asarray(score)
    place = np.where(given < 0, 0, 1 + (again.to_numpy() > 0) + 2 * (given > 0))
    return pd.Series(np.array(GROUPS)[place], index=visits.index, name="group")


def found(
    visits: pd.DataFrame,
    until_days: float,
    quality: pd.Series | None = None,
    threshold: float = THRESHOLD,
    merge_days: float = MERGE_DAYS,
) -> OffPlatform:
    """Chances of all providers from visits: customer, provider, at_days, segment, group.

    quality: by provider, as in satisfaction.py. Raises InputError as drop_out.fit does.
    """
    known = jobs(visits[visits["at_days"] <= until_days], merge_days)
    split = known.assign(segment=known["segment"].astype("str") + "/" + known["group"])
    fitted = model.fit(split, until_days, merge_days)
    group_of = [GROUPS.index(name.rsplit("/", 1)[1]) for name in sorted(split["segment"].unique())]
    group = np.array(group_of)[segment_of(fitted.sums.kinds)]
    grid = gridded(fitted, group, scaled(quality, fitted.sums.providers))
    at, ratio = learned(grid)
    chance = chances(grid, at)
    table = counted(fitted, group).assign(off_platform_chance=chance)
    told = (chance >= threshold) & (ratio > TOLD_APART)
    early = table["bound_visits_count"] < LEAST_VISITS
    table["off_platform_said"] = np.where(early, EARLY, np.where(told, LOOK, NOTHING))
    extra = dict(zip(BOUND, (MOST_Q * expit(at[4:])).tolist(), strict=True))
    return OffPlatform(table, float(expit(at[3])), extra, ratio)


def segment_of(kinds: np.ndarray) -> np.ndarray:
    """Number of the segment of each kind of visit; the columns from the third on stand for them."""
    return (kinds[:, 2:] @ np.arange(1, kinds.shape[1] - 1)).astype("int64")


def scaled(quality: pd.Series | None, providers: pd.Index) -> np.ndarray:
    """In standard deviations from the mean; 0 for all where there is none or all are alike."""
    if quality is None or not quality.std() > 0:
        return np.zeros(len(providers))
    given = (quality - quality.mean()) / quality.std()
    return given.reindex(providers).fillna(0.0).to_numpy("float64")


def gridded(fitted: model.Fitted, group: np.ndarray, quality: np.ndarray) -> Grid:
    """group: of each kind of visit."""
    sums, parameters = fitted.sums, fitted.parameters
    offsets, nodes = sums.kinds @ parameters.log_odds, parameters.spread * NODES
    provider, kind, count = sums.cells.T
    width, people = len(sums.providers), np.arange(len(sums.last))
    stays = np.empty((width, len(nodes)))
    for place, u in enumerate(nodes):
        one = -count * np.logaddexp(0, offsets[kind] + u)
        stays[:, place] = np.bincount(provider, one, minlength=width)
    returned = np.zeros((width, len(GROUPS)))
    np.add.at(returned, (provider, group[kind]), count)
    stayed = expit(-(offsets[sums.last[:, 1]][:, None] + nodes))
    due = stayed * (1 - model.silence_of(sums, parameters.rhythm))[:, None]
    pairs = (np.ones(len(people)), (sums.last[:, 0], people))
    members = sparse.coo_array(pairs, shape=(width, len(people))).tocsr()
    last = group[sums.last[:, 1]]
    return Grid(parameters.spread, stays, returned, due, last, members, quality)


def part(grid: Grid, providers: np.ndarray) -> Grid:
    """The grid of these providers and their customers only."""
    members = grid.members[providers]
    people = np.unique(members.indices)
    return Grid(
        grid.spread,
        grid.stays[providers],
        grid.returned[providers],
        grid.due[people],
        grid.group[people],
        members[:, people],
        grid.quality[providers],
    )


def prior_of(grid: Grid, at: np.ndarray) -> np.ndarray:
    """Log chance of each node before any visit, and of the visits that were followed."""
    mean = at[0] + at[2] * grid.quality[:, None]
    logs = -0.5 * ((NODES - mean) / np.exp(at[1])) ** 2
    return logs - np.logaddexp.reduce(logs, axis=1, keepdims=True) + grid.stays


def honest(grid: Grid, at: np.ndarray) -> np.ndarray:
    """Log-likelihood of each provider. at: m and log s, b (in spreads of the grid), ..."""
    return np.logaddexp.reduce(prior_of(grid, at) + grid.members @ np.log1p(-grid.due), axis=1)


def diverting(grid: Grid, at: np.ndarray) -> np.ndarray:
    """Log-likelihood of each provider if it diverts. at: ..., logit pi, logit of each q / MOST_Q"""
    prior, extra = prior_of(grid, at), np.zeros(len(GROUPS))
    extra[-len(BOUND) :] = MOST_Q * expit(at[4:])
    kinds = []
    for scale in SCALES:
        kept = 1 - scale * extra
        silent = grid.members @ np.log1p(-kept[grid.group][:, None] * grid.due)
        kinds.append(grid.returned @ np.log(kept) + np.logaddexp.reduce(prior + silent, axis=1))
    return np.logaddexp.reduce(np.array(kinds), axis=0) - np.log(len(SCALES))


def together(grid: Grid, at: np.ndarray) -> float:
    """Log-likelihood of all providers as a mixture of both kinds."""
    share = expit(at[3])
    logs = np.log1p(-share) + honest(grid, at), np.log(share) + diverting(grid, at)
    return float(np.logaddexp(*logs).sum())


def log_prior(at: np.ndarray) -> float:
    """Of the parameters, in their own units: beta and normal densities without their constants."""
    pairs = [(expit(at[3]), SHARE_PRIOR), *((expit(one), CHANCE_PRIOR) for one in at[4:])]
    of_shares = sum((a - 1) * np.log(p) + (b - 1) * np.log1p(-p) for p, (a, b) in pairs)
    return float(of_shares - 0.5 * (at[1] / SPREAD_PRIOR) ** 2)


def learned(grid: Grid) -> tuple[np.ndarray, float]:
    """The parameters, and twice the log-likelihood ahead of "nobody diverts"."""
    width = len(grid.stays)
    if width > LEARNED_COUNT:
        chosen = np.random.default_rng(SEED).choice(width, LEARNED_COUNT, replace=False)
        grid = part(grid, np.sort(chosen))
    bounds = [(-2.0, 2.0), (-2.0, 1.5), (-2.0, 2.0), *[(-7.0, 7.0)] * (1 + len(BOUND))]

    def loss(at: np.ndarray) -> float:
        return -(together(grid, at) + log_prior(at))

    def nobody(at: np.ndarray) -> float:
        return -float(honest(grid, at).sum())

    fine = {"ftol": 1e-10, "maxiter": 200}
    both = minimize(loss, START, method="L-BFGS-B", bounds=bounds, options=fine).x
    alone = minimize(nobody, START[:3], method="L-BFGS-B", bounds=bounds[:3], options=fine)
    return both, max(2 * (together(grid, both) + float(alone.fun)), 0.0)


def chances(grid: Grid, at: np.ndarray) -> np.ndarray:
    """Chance of each provider that it diverts, shape (n_providers,)."""
    return expit(at[3] + diverting(grid, at) - honest(grid, at))


def counted(fitted: model.Fitted, group: np.ndarray) -> pd.DataFrame:
    """Visits of bound customers, and how many of those vanished with it and with the average."""
    sums, width = fitted.sums, len(fitted.sums.providers)
    d = expit(sums.kinds @ fitted.parameters.log_odds)
    bound = group >= len(GROUPS) - len(BOUND)
    provider, kind, count = sums.cells[bound[sums.cells[:, 1]]].T
    ended = bound[sums.last[:, 1]]
    at, last = sums.last[ended].T
    silence = model.silence_of(sums, fitted.parameters.rhythm)[ended]
    visits = np.bincount(provider, count, minlength=width) + np.bincount(at, minlength=width)
    stopped = model.chance_stopped(d[last], silence)
    expected = np.bincount(provider, count * d[kind], minlength=width)
    columns = {"bound_visits_count": visits.astype("int64")}
    columns |= {"vanished_count": np.bincount(at, stopped, minlength=width)}
    columns |= {"expected_vanished_count": expected + np.bincount(at, d[last], minlength=width)}
    return pd.DataFrame(columns, index=sums.providers)
