r"""Orders: how much an account spends, who signs, and what both may be expected to be.

A buying account orders by chance, in a month of state z with calendar month c at the rate

    frequency * ORDERS[regime, use, welcomed, shaken] * SEASON[c]

and an order is worth, on average,

    effect * recruiting^0.5 * headcount^0.75 * AMOUNTS[regime, use]

Headcount grows by its regime alone, and the states are a Markov chain, so what an account spends in
the next twelve months has an expectation in closed form: with M[z, z'] = chance of the step times
the growth of headcount^0.75 in z, it is frequency * effect * headcount^0.75 * sum over k of
(M^k w_c+k)[z], where w is what a month of that state brings. `expected_spend` gives it.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from tierwise.simulation import people
from tierwise.simulation.account_settings import AccountSettings, within
from tierwise.simulation.companies import (
    BUYING,
    GROWTH,
    GROWTH_NOISE,
    JOINED_CHANCE,
    KEPT,
    LEFT_CHANCE,
    REGIME_STEPS,
    USE_STEPS,
    Companies,
    customer_steps,
)  # fmt: skip
from tierwise.simulation.delivery import delivered, known_times
from tierwise.simulation.positions import FIRST_PERSON

ORDERS_BY_REGIME = np.array([0.55, 1.0, 1.35, 2.0])
ORDERS_BY_USE = np.array([0.5, 1.0, 1.6])
ORDERS_IF_SHAKEN, ORDERS_IF_WELCOMED = 0.6, 1.3
AMOUNTS_BY_REGIME = np.array([0.85, 1.0, 1.1, 1.3])
AMOUNTS_BY_USE = np.array([0.85, 1.0, 1.15])
SEASON = np.array([1.35, 1.0, 1.1, 0.95, 0.9, 1.0, 0.75, 0.7, 1.1, 1.0, 1.0, 1.15])  # from January
SIZE_POWER, RECRUITING_POWER = 0.75, 0.5
AMOUNT_EUR, AMOUNT_SHAPE = 95.0, 2.2  # per headcount^0.75; gamma
HORIZON_MONTHS = 12
STATES = np.array(list(product(range(4), range(3), range(3), range(2), range(2))))
REGIME, USE, CUSTOMER, SHAKEN, WELCOMED = STATES.T


@dataclass(frozen=True)
class Orders:
    """One element per order, by time. signer: a seat, -1 where nobody known to us could sign."""

    account: np.ndarray
    at: np.ndarray
    amount_eur: np.ndarray
    signer: np.ndarray


def orders_factor(
    regime: np.ndarray, use: np.ndarray, shaken: np.ndarray, welcomed: np.ndarray
) -> np.ndarray:
    return (
        ORDERS_BY_REGIME[regime]
        * ORDERS_BY_USE[use]
        * np.where(shaken, ORDERS_IF_SHAKEN, 1)
        * np.where(welcomed, ORDERS_IF_WELCOMED, 1)
    )


def amounts_factor(regime: np.ndarray, use: np.ndarray) -> np.ndarray:
    return AMOUNTS_BY_REGIME[regime] * AMOUNTS_BY_USE[use]


def scale_eur(companies: Companies) -> np.ndarray:
    """Mean size of an order in a common state, by account and first moment of a month, (n, m)."""
    industry = people.effects(people.INDUSTRIES)[companies.industry]
    fixed = np.exp(companies.effect + industry) * companies.recruiting**RECRUITING_POWER
    return AMOUNT_EUR * fixed[:, None] * companies.headcount**SIZE_POWER


def steps() -> np.ndarray:
    """M[z, z']: chance of a step in a month times the growth of headcount^0.75, see above."""
    changes = customer_steps(CUSTOMER, REGIME, USE, SHAKEN, WELCOMED)
    target = np.where(CUSTOMER == BUYING, 2, BUYING)
    after = CUSTOMER[None, :]
    customer = np.where(after == target[:, None], changes[:, None], 0.0)
    customer = np.where(after == CUSTOMER[:, None], 1 - changes[:, None], customer)
    chances = REGIME_STEPS[REGIME][:, REGIME] * USE_STEPS[USE][:, USE] * customer
    for flag, shock, kept in ((SHAKEN, LEFT_CHANCE, KEPT[0]), (WELCOMED, JOINED_CHANCE, KEPT[1])):
        on = 1 - (1 - shock) * (1 - kept * flag)
        chances = chances * np.where(flag[None, :] == 1, on[:, None], 1 - on[:, None])
    noise = (SIZE_POWER * GROWTH_NOISE) ** 2 / 2
    return chances * np.exp(SIZE_POWER * GROWTH[REGIME] + noise)[:, None]


def year_ahead() -> np.ndarray:
    """Expected spend of twelve months per frequency and scale_eur, by first calendar month (0 is
    January) and state, shape (12, n_states)."""
    brings = (CUSTOMER == BUYING) * orders_factor(REGIME, USE, SHAKEN, WELCOMED)
    brings = brings * amounts_factor(REGIME, USE)
    matrix, total, ahead = steps(), np.zeros((12, len(STATES))), brings
    for month in range(HORIZON_MONTHS):
        total += np.roll(SEASON, -month)[:, None] * ahead
        ahead = matrix @ ahead
    return total


def calendar_month(months: np.ndarray) -> np.ndarray:
    """0 is January."""
    return months.astype("datetime64[M]").astype(int) % 12


def expected_spend(companies: Companies, settings: AccountSettings) -> np.ndarray:
    """Of the twelve months from each first moment of a month on, in euros, shape (n, m + 1)."""
    radix = np.array([36, 12, 4, 2, 1])
    parts = (companies.regime, companies.use, companies.customer)
    stacked = np.stack([*parts, companies.shaken, companies.welcomed], axis=-1)
    state = (stacked * radix).sum(axis=-1)
    ahead = year_ahead()[calendar_month(settings.months)[None, :], state]
    found = companies.frequency[:, None] * scale_eur(companies) * ahead
    found[0] = 0
    return found


def expected_table(companies: Companies, settings: AccountSettings) -> pd.DataFrame:
    """account_id, as_of, expected_eur: the truth, by account and date."""
    found = expected_spend(companies, settings)[1:]
    return pd.DataFrame(
        {
            "account_id": np.repeat(companies.ids[1:], found.shape[1]),
            "as_of": np.tile(settings.months, len(found)),
            "expected_eur": found.ravel(),
        }
    )


def draw_amounts(
    companies: Companies, settings: AccountSettings, rng: np.random.Generator
) -> Orders:
    """All orders, not signed yet: a month's follow from the state at its first moment."""
    regime, use = companies.regime[:, :-1], companies.use[:, :-1]
    factor = orders_factor(regime, use, companies.shaken[:, :-1], companies.welcomed[:, :-1])
    season = SEASON[calendar_month(settings.months[:-1])]
    buys = companies.customer[:, :-1] == BUYING
    rate = companies.frequency[:, None] * factor * season * buys
    rate[0] = 0
    account, month = np.nonzero(rate)
    count = rng.poisson(rate[account, month])
    account, month = np.repeat(account, count), np.repeat(month, count)
    mean = (scale_eur(companies)[:, :-1] * amounts_factor(regime, use))[account, month]
    amount = np.maximum(np.round(mean * rng.gamma(AMOUNT_SHAPE, 1 / AMOUNT_SHAPE, len(mean)), 2), 1)
    zone = companies.zone[account]
    at = within(settings.months[month], settings.months[month + 1], zone, rng)
    order = np.argsort(at, kind="stable")
    return Orders(account[order], at[order], amount[order], np.full(len(order), -1))


def spend_table(
    orders: Orders, signers: np.ndarray, companies: Companies, settings: AccountSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """As it reaches us. signers: person of each order, -1 for none."""
    signer = np.where(rng.random(len(signers)) < settings.missing_share, -1, signers)
    known = known_times(orders.at, settings.rows, rng, 3600)
    columns = {
        "account_id": companies.ids[orders.account],
        "signer_id": pd.array(
            np.where(signer < 0, 0, FIRST_PERSON + signer), dtype="Int64"
        ),
        "occurred_at": orders.at,
        "known_at": known,
        "amount_eur": orders.amount_eur,
    }  # fmt: skip
    columns["signer_id"][signer < 0] = pd.NA
    return delivered("spend_id", columns, settings.rows, 0, rng)
