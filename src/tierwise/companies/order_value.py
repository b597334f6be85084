"""What is an order of this customer worth? Gamma-Gamma.

A customer's orders scatter around a mean of its own (gamma: shape p), and these means differ
(gamma: shape q, scale v). Few orders say little, so the expected mean lies between the customer's
own and that of all, nearer to its own the more orders there are.

    FHB 2005   Fader, Hardie, Lee, "RFM and CLV", Journal of Marketing Research 42(4)
    FH 2013    Fader, Hardie, "The Gamma-Gamma model of monetary value"

The model holds where value and frequency have little to do with each other: see `correlation`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

from tierwise.files import InputError

LOG_BOUND = 12.0
MIN_CUSTOMERS = 3


@dataclass(frozen=True)
class OrderValue:
    """A fitted model. p and q are shapes; v has the unit of the amounts."""

    p: float
    q: float
    v: float
    log_likelihood: float
    customer_count: int

    @property
    def overall(self) -> float:
        """Mean order value of a customer of whom nothing is known; infinite unless q > 1."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else np.inf


def fit(order_count: np.ndarray, mean_eur: np.ndarray) -> OrderValue:
    """Maximum likelihood over customers with orders above 0 (FH 2013, equation 1a).

    order_count, mean_eur: orders of each customer and their mean, shape (n_customers,). Rows
    without an order or with a mean of 0 or less say nothing and are left out. Money is measured in
    its mean while fitting, so cents and thousands give the same model. Raises InputError below 3
    customers.
    """
    x, z = np.asarray(order_count, dtype="float64"), np.asarray(mean_eur, dtype="float64")
    x, z = x[use := (x > 0) & (z > 0) & np.isfinite(z)], z[use]
    if len(x) < MIN_CUSTOMERS:
        raise InputError(
            f"{len(x)} customers have an order of more than 0 euros; it takes {MIN_CUSTOMERS} or "
            "more to learn what orders are worth. Use another candidate."
        )
    unit = float(z.mean())

    def loss(logs: np.ndarray) -> float:
        return -float(log_likelihood(np.exp(logs), x, z / unit).mean())

    bounds = [(-LOG_BOUND, LOG_BOUND)] * 3
    found = minimize(loss, np.array([1.0, 1.0, 0.0]), method="L-BFGS-B", bounds=bounds)
    found = minimize(
        loss,
        found.x,
        method="Nelder-Mead",
        bounds=bounds,
        options={"maxiter": 2000, "xatol": 1e-7, "fatol": 1e-12},
    )
    p, q, v = (float(value) for value in np.exp(found.x))
    return OrderValue(p, q, v * unit, float(-found.fun - np.log(unit)) * len(x), len(x))


def log_likelihood(parameters: np.ndarray, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Log-density of each customer's mean z of x orders, shape (n_customers,)."""
    p, q, v = parameters
    return (
        gammaln(p * x + q)
        - gammaln(p * x)
        - gammaln(q)
        + q * np.log(v)
        + (p * x - 1) * np.log(z)
        + p * x * np.log(x)
        - (p * x + q) * np.log(v + x * z)
    )


def expected_mean_eur(
    fitted: OrderValue, order_count: np.ndarray, mean_eur: np.ndarray
) -> np.ndarray:
    """Expected mean order value of each customer, shape (n_customers,). FH 2013, equation 5.

    p (v + x z) / (p x + q - 1). Customers without an order get the mean of all; where that is
    infinite (q at most 1), nobody can say, and NaN comes back.
    """
    x = np.asarray(order_count, dtype="float64")
    z = np.where(x > 0, np.asarray(mean_eur, dtype="float64"), 0.0)
    below = fitted.p * x + fitted.q - 1
    value = fitted.p * (fitted.v + x * z) / np.where(below > 0, below, np.nan)
    return np.asarray(value, dtype="float64")


def correlation(order_count: np.ndarray, mean_eur: np.ndarray) -> float:
    """Of frequency and mean value; NaN where either is the same for all. The model assumes 0."""
    x, z = np.asarray(order_count, dtype="float64"), np.asarray(mean_eur, dtype="float64")
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(z) == 0:
        return float("nan")
    return float(np.corrcoef(x, z)[0, 1])
