"""Who uses our product, on which days, and how much.

A user has some days of use a month: more if keen, if the account uses it much, if it buys from us.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.simulation.account_settings import AccountSettings, within
from tierwise.simulation.careers import LEAD, MANAGER, Careers
from tierwise.simulation.companies import Companies
from tierwise.simulation.delivery import delivered
from tierwise.simulation.positions import FIRST_PERSON, Traits, ends

DAYS_A_MONTH = 3.0
BY_USE = np.array([0.32, 1.0, 1.7])  # low, normal, high
BY_CUSTOMER = np.array([0.14, 1.0, 0.14])  # prospect, buying, lapsed
ACTIONS, ACTIONS_SHAPE = 22.0, 1.3
ADMIN_SHARE = 0.25  # of the users who lead or manage


@dataclass(frozen=True)
class Uses:
    """A person's days in the product, by time."""

    seat: np.ndarray
    at: np.ndarray  # the last action of the day
    actions: np.ndarray


def draw_uses(
    careers: Careers, companies: Companies, traits: Traits, settings: AccountSettings,
    rng: np.random.Generator,
) -> Uses:  # fmt: skip
    """All days of use of all users; a day has one row."""
    users, months = np.flatnonzero(careers.user), settings.months
    begun, ended = careers.begun[users][:, None], ends(careers)[users][:, None]
    begin, end = np.maximum(begun, months[:-1]), np.minimum(ended, months[1:])
    row, month = np.nonzero(begin < end)
    begin, end, seat = begin[row, month], end[row, month], users[row]
    account = careers.account[seat]
    share = (end - begin) / (months[month + 1] - months[month])
    state = BY_USE[companies.use[account, month]] * BY_CUSTOMER[companies.customer[account, month]]
    keen = traits.keen[careers.person[seat]]
    days = rng.poisson(np.minimum(DAYS_A_MONTH * keen * state, 25) * share)
    rows = np.repeat(np.arange(len(days)), days)
    at = within(begin[rows], end[rows], companies.zone[account[rows]], rng)
    mean = ACTIONS * np.sqrt(keen[rows] * state[rows])
    actions = 1 + rng.negative_binomial(ACTIONS_SHAPE, ACTIONS_SHAPE / (ACTIONS_SHAPE + mean))
    order = np.lexsort((at, careers.person[seat[rows]]))
    seat, at, actions = seat[rows][order], at[order], actions[order]
    same = (careers.person[seat[1:]] == careers.person[seat[:-1]]) & (
        at[1:].astype("datetime64[D]") == at[:-1].astype("datetime64[D]")
    )
    last = np.ones(len(at), bool)
    last[:-1] = ~same
    once = np.flatnonzero(last)  # the last one of each day
    once = once[np.argsort(at[once], kind="stable")]
    return Uses(seat[once], at[once], actions[once])


def admins(careers: Careers, rng: np.random.Generator) -> np.ndarray:
    """Whether the one in a seat has the rights of an administrator there, by seat."""
    leads = (careers.level == LEAD) | (careers.level == MANAGER)
    return leads & (rng.random(len(leads)) < ADMIN_SHARE)


def use_table(
    uses: Uses, careers: Careers, companies: Companies, known: np.ndarray,
    settings: AccountSettings, rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """As it reaches us. known: when we learned of each use, see delivery.known_times."""
    admin = admins(careers, rng)
    columns = {
        "account_id": companies.ids[careers.account[uses.seat]],
        "person_id": FIRST_PERSON + careers.person[uses.seat],
        "occurred_at": uses.at,
        "known_at": known,
        "actions_count": uses.actions.astype("float64"),
        "admin": admin[uses.seat],
    }
    return delivered("use_id", columns, settings.rows, 0, rng)
