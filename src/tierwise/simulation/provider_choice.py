"""Which provider serves a booking: the one before, one the customer chose, or one we assigned.

Those who choose go by size, and the generous by appeal, too; appeal has nothing to do with quality.
So some providers are tipped and praised more often by customers who would praise anybody. New
customers and offices go to some providers more often than to others.
"""

import numpy as np
from scipy.special import expit

from tierwise.simulation.provider_customers import Market

AGAIN, AGAIN_LOYAL, AGAIN_PLEASED = -0.9, 2.7, 0.6  # log odds to stay with the provider
PULL = 0.45  # of appeal on the generous, per level
OTHER_CITY = -3.2
CELLS_MOST = 2_000_000  # customers x providers worked on at once


def stays(pleasure: np.ndarray, loyal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whether the customer wants the provider of its last visit again."""
    chance = expit(AGAIN + AGAIN_LOYAL * loyal + AGAIN_PLEASED * pleasure)
    return rng.random(len(chance)) < chance


def another(
    market: Market,
    customer: np.ndarray,
    days: np.ndarray,
    new: np.ndarray,
    chosen: np.ndarray,
    refused: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """A provider for each of these customers, -1 where nobody can be booked; shape (n,).

    new: first visit; refused: shape (n_customers, n_providers), black-listed.
    """
    found = np.full(len(customer), -1)
    at = rng.random(len(customer))
    every = np.arange(len(market.providers.size))[None, :]
    step = max(1, CELLS_MOST // every.size)
    for begin in range(0, len(customer), step):
        rows = slice(begin, begin + step)
        weight = np.exp(utility(market, customer[rows], new[rows], chosen[rows]))
        weight *= market.providers.there(every, days[rows, None]) & ~refused[customer[rows]]
        running = np.cumsum(weight, axis=1)
        total = running[:, -1]
        place = (running <= (at[rows] * total)[:, None]).sum(axis=1)
        found[rows] = np.where(total > 0, place, -1)
    return found


def utility(
    market: Market, customer: np.ndarray, new: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """Log weights, shape (n, n_providers)."""
    customers, providers = market.customers, market.providers
    near = customers.city[customer][:, None] == providers.city
    pull = np.where(chosen, PULL * customers.level[customer], 0.0)
    return (
        providers.size
        + OTHER_CITY * ~near
        + pull[:, None] * providers.appeal
        + new[:, None] * providers.first_pull
        + customers.office[customer][:, None] * providers.office_pull
    )
