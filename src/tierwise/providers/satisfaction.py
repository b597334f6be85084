"""Satisfaction with a provider from what customers do, each against itself at other providers.

    visit score   y = sum of weights x actions after the visit (favourite, complaint, tip, ...); the
                  weights are log odds of a logistic model of "the customer returned in its own gap"
    quality       y = level of the customer + quality of the provider + noise

Customers' levels are absorbed as fixed effects, since the generous choose their providers (Hausman,
Econometrica 46(6), 1978); qualities are random, normal around 0 with standard deviation tau:

    quality = (D'MD / s2 + I / tau2)^-1 D'My / s2,     M = less each customer's own mean

(best linear unbiased prediction: Henderson, Biometrics 31(2), 1975; variances by REML: Patterson,
Thompson, Biometrika 58(3), 1971). D'MD is never formed for many providers: Lanczos quadrature gives
the likelihood (Ubaru, Chen, Saad, SIAM J. Matrix Anal. 38(4), 2017), conjugate gradients the
qualities, draws from the posterior the intervals (Papandreou, Yuille, NIPS 2010).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import linalg, sparse
from scipy.optimize import minimize_scalar
from scipy.sparse.linalg import LinearOperator, cg
from scipy.stats import norm

from tierwise.files import InputError
from tierwise.shrinkage import LEVEL

LEAST_VISITS = 15.0  # effective ones, before a figure is shown
DENSE_COUNT = 1500  # providers up to which D'MD is written out
STEPS_COUNT, PROBES_COUNT, DRAWS_COUNT = 50, 4, 24
TOLERANCE = 1e-8
TOLD_APART = 2.71  # 95 % point of the likelihood ratio where tau = 0 is at the edge
SEED = 20240229
NOTHING, EARLY, TOLD = "no information", "too early to say", "told"


@dataclass(frozen=True)
class Quality:
    """Providers and the spread behind them, in units of the visit score.

    providers: one row per provider, index provider: visit_count, customer_count, connected_count
    (visits by customers who know another provider too), connected_share, raw_mean, quality (0 is
    the average provider), sd, low, high, effective_visits, island (providers that no customer
    connects have different ones, and must not be compared), said.
    likelihood_ratio: of providers that differ against providers all alike; told_apart where it is
    beyond chance.
    """

    providers: pd.DataFrame
    noise_sd: float
    quality_sd: float
    likelihood_ratio: float

    @property
    def told_apart(self) -> bool:
        return self.likelihood_ratio > TOLD_APART


@dataclass(frozen=True)
class Design:
    """Visits of customers who know two providers or more, as codes, and what is left of them."""

    connected: np.ndarray  # of all visits, those meant
    customer: np.ndarray
    provider: np.ndarray
    pairs: sparse.csr_array  # visits of (customer, provider)
    visits_by_customer: np.ndarray
    visits_by_provider: np.ndarray
    pull: np.ndarray  # D'My
    squares: float  # y'My of all visits
    freedom: int  # visits less customers, of all visits


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of D'MD, how many there are of each, and how much of D'My lies there."""

    values: np.ndarray
    counts: np.ndarray
    pulled_values: np.ndarray
    pulls: np.ndarray


def quality(visits: pd.DataFrame, level: float = LEVEL, seed: int = SEED) -> Quality:
    """Quality of every provider from visits: customer, provider, score. Takes about 1e6 visits.

    Visits of one job must be one (see rhythm.jobs). A customer who knows one provider only says
    nothing about it: its level and the provider's quality cannot be told apart. Raises InputError
    where no customer knows two providers.
    """
    customer, _ = pd.factorize(visits["customer"])
    provider, names = pd.factorize(visits["provider"], sort=True)
    y = visits["score"].to_numpy("float64")
    if not np.isfinite(y).all():
        count = int((~np.isfinite(y)).sum())
        raise InputError(f"{count:,} visits have no score. Leave out visits not yet over.")
    pairs = known_pairs(customer, provider)
    design = made(customer, provider, y, pairs)
    rng = np.random.default_rng(seed)
    spectrum = spectrum_of(design, rng)
    noise, ratio, likelihood_ratio = variances(design, spectrum)
    found, sd = solved(design, noise, ratio, rng)
    table = described(provider, y, pairs, design.connected)
    wide = norm.ppf((1 + level) / 2) * sd
    table = table.assign(quality=found, sd=sd, low=found - wide, high=found + wide)
    gained = noise / sd**2 - 1 / ratio
    table["effective_visits"] = np.where(table["connected_count"] > 0, np.maximum(gained, 0), 0.0)
    table["island"] = islands(design)
    table["said"] = np.where(table["effective_visits"] >= LEAST_VISITS, TOLD, EARLY)
    table.loc[table["connected_count"] == 0, "said"] = NOTHING
    table.index = pd.Index(names, name="provider")
    root = float(np.sqrt(noise))
    return Quality(table, root, root * float(np.sqrt(ratio)), likelihood_ratio)


def known_pairs(customer: np.ndarray, provider: np.ndarray) -> sparse.csr_array:
    """Visits of (customer, provider), shape (n_customers, n_providers), from codes."""
    shape = (customer.max(initial=-1) + 1, provider.max(initial=-1) + 1)
    return sparse.coo_array((np.ones(len(customer)), (customer, provider)), shape=shape).tocsr()


def made(
    customer: np.ndarray, provider: np.ndarray, y: np.ndarray, pairs: sparse.csr_array
) -> Design:
    """The design; provider codes keep their numbers. Raises InputError, see quality."""
    several = np.diff(pairs.indptr) > 1
    if not several.any():
        raise InputError(
            f"None of {len(several):,} customers knows two providers, so that generous customers "
            "and good providers cannot be told apart. Give a longer time."
        )
    counts = np.bincount(customer)
    within = y - (np.bincount(customer, y) / counts)[customer]
    connected, width = several[customer], pairs.shape[1]
    given = provider[connected]
    kept = (np.cumsum(several) - 1)[customer[connected]]
    return Design(
        connected,
        kept,
        given,
        pairs[several],
        np.bincount(kept).astype("float64"),
        np.bincount(given, minlength=width).astype("float64"),
        np.bincount(given, within[connected], minlength=width),
        float(within @ within),
        len(y) - len(counts),
    )


def times(design: Design, vector: np.ndarray) -> np.ndarray:
    """D'MD times a vector over providers, without writing D'MD out."""
    mean = (design.pairs @ vector) / design.visits_by_customer
    return design.visits_by_provider * vector - design.pairs.T @ mean


def written_out(design: Design) -> np.ndarray:
    """D'MD, shape (n_providers, n_providers)."""
    scaled = sparse.diags_array(1 / design.visits_by_customer) @ design.pairs
    return np.diag(design.visits_by_provider) - (design.pairs.T @ scaled).toarray()


def spectrum_of(design: Design, rng: np.random.Generator) -> Spectrum:
    """Exact up to DENSE_COUNT providers, beyond by Lanczos quadrature from random signs."""
    width = len(design.pull)
    if width <= DENSE_COUNT:
        values, vectors = np.linalg.eigh(written_out(design))
        values = np.maximum(values, 0.0)
        return Spectrum(values, np.ones(width), values, (vectors.T @ design.pull) ** 2)
    probes = [lanczos(design, rng.choice([-1.0, 1.0], width)) for _ in range(PROBES_COUNT)]
    values = np.concatenate([one for one, _ in probes])
    counts = np.concatenate([weight for _, weight in probes]) / PROBES_COUNT
    return Spectrum(values, counts, *lanczos(design, design.pull))


def lanczos(design: Design, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights with sum(weights f(nodes)) = start' f(D'MD) start, orthogonal all along."""
    length = float(np.linalg.norm(start))
    basis = np.empty((min(STEPS_COUNT, len(start)) + 1, len(start)))
    basis[0] = start / length
    diagonal, beside = [], []
    for place in range(len(basis) - 1):
        step = times(design, basis[place])
        diagonal.append(float(step @ basis[place]))
        known = basis[: place + 1]
        for _ in range(2):
            step = step - known.T @ (known @ step)
        size = float(np.linalg.norm(step))
        if size < TOLERANCE:
            break
        beside.append(size)
        basis[place + 1] = step / size
    values, vectors = linalg.eigh_tridiagonal(diagonal, beside[: len(diagonal) - 1])
    return np.maximum(values, 0.0), length**2 * vectors[0] ** 2


def variances(design: Design, spectrum: Spectrum) -> tuple[float, float, float]:
    """s2, tau2 / s2 and the likelihood ratio against tau2 = 0, by REML over the ratio alone."""
    if design.freedom < 2 or design.squares <= 0:
        raise InputError(
            f"{design.freedom} visits beyond each customer's first, or no difference within any "
            "customer: there is no noise to learn. Give a longer time."
        )

    def noise(ratio: float) -> float:
        explained = spectrum.pulls @ (ratio / (1 + ratio * spectrum.pulled_values))
        return max(design.squares - float(explained), 1e-300) / design.freedom

    def loss(log_ratio: float) -> float:
        ratio = np.exp(log_ratio)
        room = float(spectrum.counts @ np.log1p(ratio * spectrum.values))
        return design.freedom * np.log(noise(ratio)) + room

    bounds = (np.log(1e-8), np.log(1e4))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    none = design.freedom * np.log(noise(0.0))
    ratio = float(np.exp(found.x))
    return noise(ratio), ratio, max(float(none - found.fun), 0.0)


def solved(
    design: Design, noise: float, ratio: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Qualities and their standard deviations, shape (n_providers,) each."""
    if len(design.pull) <= DENSE_COUNT:
        inverse = np.linalg.inv(written_out(design) + np.eye(len(design.pull)) / ratio)
        return inverse @ design.pull, np.sqrt(noise * np.diag(inverse))
    found = solve(design, design.pull, ratio)
    return found, np.sqrt(noise * spread(design, ratio, rng))


def solve(design: Design, right: np.ndarray, ratio: float) -> np.ndarray:
    """(D'MD + I / ratio)^-1 right, by conjugate gradients scaled by the diagonal."""
    width = len(right)
    scale = 1 / (design.visits_by_provider + 1 / ratio)
    left = LinearOperator((width, width), lambda v: times(design, v.ravel()) + v.ravel() / ratio)
    by_scale = LinearOperator((width, width), lambda v: scale * v.ravel())
    found, failed = cg(left, right, rtol=TOLERANCE, maxiter=2000, M=by_scale)
    if failed:
        raise RuntimeError("Conjugate gradients did not settle in 2,000 steps.")
    return found


def spread(design: Design, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """Diagonal of (D'MD + I / ratio)^-1 from draws of N(0, inverse).

    Of every draw only what the others say about a provider is used, which is a small part of the
    variance; the rest is exact, so that a few draws will do (Siden et al., J. Comput. Graph.
    Stat. 27(4), 2018).
    """
    width = len(design.pull)
    own = own_precision(design) + 1 / ratio
    squares = np.zeros(width)
    for _ in range(DRAWS_COUNT):
        noise = rng.standard_normal(len(design.provider))
        mean = np.bincount(design.customer, noise) / design.visits_by_customer
        right = np.bincount(design.provider, noise - mean[design.customer], minlength=width)
        right = right + rng.standard_normal(width) / np.sqrt(ratio)
        draw = solve(design, right, ratio)
        others = times(design, draw) + draw / ratio - own * draw
        squares += (others / own) ** 2
    return 1 / own + squares / DRAWS_COUNT


def own_precision(design: Design) -> np.ndarray:
    """Diagonal of D'MD."""
    squared = design.pairs.copy()
    squared.data = squared.data**2
    return design.visits_by_provider - squared.T @ (1 / design.visits_by_customer)


def islands(design: Design) -> np.ndarray:
    """Number of the island of each provider, 0 the largest; a provider without customers is one."""
    customers = design.pairs.shape[0]
    links = sparse.block_array([[None, design.pairs], [design.pairs.T, None]], format="csr")
    codes = sparse.csgraph.connected_components(links, directed=False)[1][customers:]
    sizes = np.bincount(codes)
    place = np.empty(len(sizes), dtype="int64")
    place[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return place[codes]


def described(
    provider: np.ndarray, y: np.ndarray, pairs: sparse.csr_array, connected: np.ndarray
) -> pd.DataFrame:
    """What was counted, one row per provider code."""
    width = pairs.shape[1]
    visits = np.bincount(provider, minlength=width)
    known = np.bincount(provider[connected], minlength=width)
    columns = {
        "visit_count": visits,
        "customer_count": np.bincount(pairs.indices, minlength=width),
        "connected_count": known,
        "connected_share": known / visits,
        "raw_mean": np.bincount(provider, y, minlength=width) / visits,
    }
    return pd.DataFrame(columns)
