"""How often will a customer order again, and is it still one? BG/NBD and Pareto/NBD.

Three numbers tell a customer's past, all in one unit of time:

    frequency x    orders after the first one
    recency t_x    time from the first order to the last; 0 where there was one order only
    age T          time from the first order to the end of what is known

Both models let each customer order at a rate of its own (gamma: shape r, rate alpha) until it stops
for good. Pareto/NBD: at any time, at a hazard of its own (gamma: shape s, rate beta). BG/NBD: just
after an order, with a chance of its own (beta: a, b).

    SMC 1987   Schmittlein, Morrison, Colombo, Management Science 33(1): Pareto/NBD
    FHL 2005   Fader, Hardie, Lee, Marketing Science 24(2): BG/NBD
    FH 2005    Fader, Hardie, "A note on deriving the Pareto/NBD model and related expressions"
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln, hyp2f1
from scipy.stats import beta as beta_law

from tierwise.files import InputError

# Bounds of the logarithms of all parameters: beyond, customers differ no longer, or without end.
LOG_BOUND = 9.0
NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
NEGLIGIBLE = 40.0  # e^-40 of an integral is below what a double can add
SINGULAR = 1e-5
# A customer's chance to have stopped is told by the silence since the last order, so by time.
STARTS = {"bg_nbd": (0.0, 0.0, 0.0, 1.0), "pareto_nbd": (0.0, 0.0, 0.0, 0.0)}
MIN_REPEATERS = 2


@dataclass(frozen=True)
class Fitted:
    """A fitted model. parameters: r, alpha, a, b of "bg_nbd"; r, alpha, s, beta of "pareto_nbd"."""

    model: str
    parameters: tuple[float, float, float, float]
    log_likelihood: float
    customer_count: int


def fit(model: str, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray) -> Fitted:
    """Maximum likelihood of "bg_nbd" or "pareto_nbd", shape (n_customers,) each.

    Time is measured in the mean age while fitting, so that days, weeks and years give the same
    model. Raises InputError where the numbers cannot be, or too few customers ordered again.
    """
    x, t_x, big_t = checked(frequency, recency, age)
    if (x > 0).sum() < MIN_REPEATERS:
        raise InputError(
            f"{int((x > 0).sum())} of {len(x)} customers ordered more than once; it takes "
            f"{MIN_REPEATERS} or more to learn how often they do. Use another candidate."
        )
    unit = float(big_t.mean())
    past = np.column_stack([x, t_x / unit, big_t / unit])
    rows, count = np.unique(past, axis=0, return_counts=True)
    likelihood = LIKELIHOODS[model]

    def loss(logs: np.ndarray) -> float:
        return -float(count @ likelihood(np.exp(logs), *rows.T)) / len(x)

    logs, least = minimized(loss, np.array(STARTS[model]))
    own = np.exp(logs) * scales(model, unit)
    # Of densities of times: another unit of time moves all of them by the same factor per order.
    total = float(-least * len(x) - x.sum() * np.log(unit))
    first, second, third, fourth = (float(value) for value in own)
    return Fitted(model, (first, second, third, fourth), total, len(x))


def minimized(loss: Callable[[np.ndarray], float], start: np.ndarray) -> tuple[np.ndarray, float]:
    """The place and the value of the least loss inside the bounds.

    The surface is a long flat ridge, on which the simplex goes on where differences give up.
    """
    bounds = [(-LOG_BOUND, LOG_BOUND)] * len(start)
    rough = {"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8}
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds, options=rough)
    fine = {"maxiter": 2000, "xatol": 1e-4, "fatol": 1e-10}
    found = minimize(loss, found.x, method="Nelder-Mead", bounds=bounds, options=fine)
    return found.x, float(found.fun)


def scales(model: str, unit: float) -> np.ndarray:
    """What the parameters are multiplied by when time is no longer measured in `unit`."""
    return np.array([1.0, unit, 1.0, unit if model == "pareto_nbd" else 1.0])


def checked(
    frequency: np.ndarray, recency: np.ndarray, age: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three as float64. Raises InputError unless 0 <= t_x <= T, T > 0 and x >= 0."""
    x, t_x, big_t = (np.asarray(one, dtype="float64") for one in (frequency, recency, age))
    wrong = ~((x >= 0) & (t_x >= 0) & (t_x <= big_t) & (big_t > 0))
    if not len(x) or wrong.any():
        told = f"customer number {int(np.argmax(wrong))} has " if len(x) else "there is no customer"
        values = f"{x[wrong][0]:g}, {t_x[wrong][0]:g}, {big_t[wrong][0]:g}" if len(x) else ""
        raise InputError(
            "Frequency and recency must be 0 or more, age above 0 and recency at most age; "
            f"{told}{values}. Leave out customers whose first order is not in the past."
        )
    return x, t_x, big_t


def log_purchases(r: float, alpha: float, x: np.ndarray, until: np.ndarray) -> np.ndarray:
    """log Γ(r+x) α^r / (Γ(r) (α+until)^(r+x)): x orders at gamma rates, none later until then."""
    return gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + until)


def bg_nbd_likelihood(
    parameters: np.ndarray, x: np.ndarray, t_x: np.ndarray, big_t: np.ndarray
) -> np.ndarray:
    """Log-likelihood of each customer, shape (n_customers,). FHL 2005, equation 6."""
    r, alpha, a, b = parameters
    stays = betaln(a, b + x) - betaln(a, b) + log_purchases(r, alpha, x, big_t)
    return stays + np.log1p(np.exp(log_odds_of_leaving(parameters, x, t_x, big_t)))


def log_odds_of_leaving(
    parameters: np.ndarray, x: np.ndarray, t_x: np.ndarray, big_t: np.ndarray
) -> np.ndarray:
    """Log of (stopped at t_x) / (still there at T); -inf where x = 0. FHL 2005, section 4."""
    r, alpha, a, b = parameters
    ordered = np.maximum(x, 1)
    odds = np.log(a) - np.log(b + ordered - 1)
    odds = odds + (r + ordered) * (np.log(alpha + big_t) - np.log(alpha + t_x))
    return np.where(x > 0, np.minimum(odds, 700.0), -np.inf)


def pareto_nbd_likelihood(
    parameters: np.ndarray, x: np.ndarray, t_x: np.ndarray, big_t: np.ndarray
) -> np.ndarray:
    """Log-likelihood of each customer, shape (n_customers,). SMC 1987; FH 2005, section 3."""
    r, alpha, s, beta = parameters
    fixed = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    alive = -(r + x) * np.log(alpha + big_t) - s * np.log(beta + big_t)
    return fixed + np.logaddexp(alive, log_stopped(parameters, x, t_x, big_t))


def log_stopped(
    parameters: np.ndarray, x: np.ndarray, t_x: np.ndarray, big_t: np.ndarray
) -> np.ndarray:
    """log of the integral of s (α+τ)^-(r+x) (β+τ)^-(s+1) over τ from t_x to T (FH 2005, eq. 12).

    In closed form it is a difference of two hypergeometric functions, which overflow for large x
    and cancel where t_x is near T. Here it is a Gauss-Legendre sum of positive terms in logs, over
    u = log((m+τ)/(m+t_x)) with m the smaller of α and β: in u the integrand is smooth. It falls
    ever faster in u, so it is cut off where its first slope alone would have made it negligible.
    """
    r, alpha, s, beta = parameters
    near, far = min(alpha, beta), max(alpha, beta)
    power_near, power_far = (r + x, s + 1) if alpha <= beta else (s + 1, r + x)
    falls = power_near - 1 + power_far * (near + t_x) / (far + t_x)
    end = np.log1p((big_t - t_x) / (near + t_x))
    end = np.minimum(end, NEGLIGIBLE / np.maximum(falls, 1e-12))
    u = end[:, None] * (NODES + 1) / 2
    from_near = np.log(near + t_x)[:, None] + u
    from_far = np.log(np.exp(from_near) + (far - near))
    grid = np.broadcast_to(np.asarray(power_near, dtype=float), x.shape)[:, None]
    wide = np.broadcast_to(np.asarray(power_far, dtype=float), x.shape)[:, None]
    values = (1 - grid) * from_near - wide * from_far
    top = values.max(axis=1)
    total = np.exp(values - top[:, None]) @ WEIGHTS
    with np.errstate(divide="ignore"):  # where t_x = T nobody can have stopped in between
        return np.log(s) + top + np.log(total * end / 2)


LIKELIHOODS: dict[str, Callable[..., np.ndarray]] = {
    "bg_nbd": bg_nbd_likelihood,
    "pareto_nbd": pareto_nbd_likelihood,
}


def chance_alive(
    fitted: Fitted, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray
) -> np.ndarray:
    """Chance that each customer still is one at its age, shape (n_customers,).

    BG/NBD: FHL 2005, section 4; it says 1 of those who ordered once, since nobody stops before the
    first repeat. Pareto/NBD: SMC 1987, equations 11 to 13.
    """
    x, t_x, big_t = checked(frequency, recency, age)
    r, alpha, s, beta = parameters = np.array(fitted.parameters)
    if fitted.model == "bg_nbd":
        return expit(-log_odds_of_leaving(parameters, x, t_x, big_t))
    alive = -(r + x) * np.log(alpha + big_t) - s * np.log(beta + big_t)
    return expit(alive - log_stopped(parameters, x, t_x, big_t))


def expected_orders(
    fitted: Fitted, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray, ahead: float
) -> np.ndarray:
    """Orders expected of each customer in the next `ahead` units of time, shape (n_customers,)."""
    x, t_x, big_t = checked(frequency, recency, age)
    if_alive = bg_nbd_if_alive if fitted.model == "bg_nbd" else pareto_nbd_if_alive
    return chance_alive(fitted, x, t_x, big_t) * if_alive(fitted.parameters, x, big_t, ahead)


def pareto_nbd_if_alive(
    parameters: tuple[float, ...], x: np.ndarray, big_t: np.ndarray, ahead: float
) -> np.ndarray:
    """Orders expected of who is alive at T. SMC 1987, equation 22; FH 2005, equation 41.

    (1 - q^(s-1)) / (s-1) is written with expm1, which also holds at s = 1, where it is -log q.
    """
    r, alpha, s, beta = parameters
    log_q = np.log(beta + big_t) - np.log(beta + big_t + ahead)
    away = s - 1 if abs(s - 1) > SINGULAR**2 else SINGULAR**2
    shrunk = -np.expm1(away * log_q) / away
    return (r + x) * (beta + big_t) / (alpha + big_t) * shrunk


def bg_nbd_if_alive(
    parameters: tuple[float, ...], x: np.ndarray, big_t: np.ndarray, ahead: float
) -> np.ndarray:
    """Orders expected of who is alive at T. FHL 2005, equation 10.

    The paper has ((α+T)/(α+T+t))^(r+x) 2F1(r+x, b+x; a+b+x-1; z), a tiny number times a huge one
    for large x. Euler's transformation, with 1 - z = (α+T)/(α+T+t), turns the product into
    (1-z)^(a-1) 2F1(a+b-1-r, a-1; a+b+x-1; z), of which no argument grows but the harmless third.
    """
    r, alpha, a, b = parameters
    if abs(a - 1) < SINGULAR:  # 0/0 there, smooth on both sides
        sides = [(r, alpha, 1 + side * 2 * SINGULAR, b) for side in (-1, 1)]
        return np.mean([bg_nbd_if_alive(one, x, big_t, ahead) for one in sides], axis=0)
    if abs(a + b - 1) < SINGULAR:  # of who ordered once: 0 times infinity
        sides = [(r, alpha, a, b + side * 2 * SINGULAR) for side in (-1, 1)]
        return np.mean([bg_nbd_if_alive(one, x, big_t, ahead) for one in sides], axis=0)
    z = ahead / (alpha + big_t + ahead)
    with np.errstate(over="ignore", invalid="ignore"):
        power = np.exp((a - 1) * np.log1p(-z)) * hyp2f1(a + b - 1 - r, a - 1, a + b + x - 1, z)
        found = (a + b + x - 1) / (a - 1) * (1 - power)
    lost = ~np.isfinite(found)
    found[lost] = over_chances_to_stop(parameters, x[lost], big_t[lost], ahead)
    return found


def over_chances_to_stop(
    parameters: tuple[float, ...], x: np.ndarray, big_t: np.ndarray, ahead: float
) -> np.ndarray:
    """The same as a mean over quantiles of the chance p to stop at an order, for large a and b.

    Of given p it is (1 - (1 + p t / (α+T))^-(r+x)) / p, from E[1 - exp(-λ p t)] / p over λ.
    """
    r, alpha, a, b = parameters
    p = np.maximum(beta_law.ppf((NODES + 1) / 2, a, (b + x)[:, None]), np.finfo(float).tiny)
    passed = np.log1p(p * (ahead / (alpha + big_t))[:, None])
    return (-np.expm1(-(r + x)[:, None] * passed) / p) @ WEIGHTS / 2
