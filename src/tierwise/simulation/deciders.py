"""Who decides at an account: the true chance to sign, and what it is worth to contact somebody.

Power follows from function, level, use of the product, how central one is among the others, and
something hidden that stays with the person. First-line and middle managers of human resources and
recruiting who use the product have most of it, vice presidents little. In small companies the
chiefs sign more often.

    chance to sign     power / power of all who are there
    chance to convert  if one of ours contacts this person about a purchase: rises with power
"""

import numpy as np
import pandas as pd

from tierwise.simulation.account_settings import AccountSettings
from tierwise.simulation.careers import CHIEF, HR, MANAGEMENT, OURS, RECRUITING, Careers
from tierwise.simulation.companies import Companies
from tierwise.simulation.positions import FIRST_PERSON, Traits, ends
from tierwise.simulation.ties import FINANCE

BY_FUNCTION = {HR: 0.0, RECRUITING: 0.1, MANAGEMENT: -0.3, FINANCE: -0.9}  # others don't sign
BY_LEVEL = np.array([-2.3, 0.3, 1.0, 0.1, -1.6, -1.9])
CHIEF_IF_SMALL, SMALL_COUNT = 2.2, 45  # added for chiefs of companies of fewer people
USER_POWER, KEEN_POWER, CENTRAL_POWER = 1.6, 0.7, 0.9
CONVERT_LEAST, CONVERT_MOST, HALF_POWER = 0.03, 0.26, 12.0
QUARTER = 3


def draw_power(
    careers: Careers, companies: Companies, traits: Traits
) -> np.ndarray:  # fmt: skip
    """Of the one in each seat, 0 for those who never sign. It holds as long as the seat."""
    log = np.full(len(careers.person), -np.inf)
    for function, value in BY_FUNCTION.items():
        log[careers.function == function] = value
    small = companies.headcount[careers.account, 0] < SMALL_COUNT
    keen = np.clip(np.log(np.maximum(traits.keen, 1e-9)), -1.5, 1.5)[careers.person]
    log += BY_LEVEL[careers.level] + CHIEF_IF_SMALL * ((careers.level == CHIEF) & small)
    log += careers.user * (USER_POWER + KEEN_POWER * keen)
    log += CENTRAL_POWER * np.log(traits.central[careers.person]) + traits.weight[careers.person]
    return np.where(careers.account == OURS, 0.0, np.exp(log))


def draw_signers(
    account: np.ndarray, at: np.ndarray, power: np.ndarray, careers: Careers,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """A seat for each order, by power among those who are there at that moment; -1 for nobody."""
    able = np.flatnonzero(power > 0)
    able = able[np.argsort(careers.account[able], kind="stable")]
    low = np.searchsorted(careers.account[able], account, "left")
    count = np.searchsorted(careers.account[able], account, "right") - low
    row = np.repeat(np.arange(len(account)), count)
    inside = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    seat = able[low[row] + inside]
    there = (careers.begun[seat] <= at[row]) & (at[row] < ends(careers)[seat])
    row, seat = row[there], seat[there]
    # The least waiting time by rates of power is each one's with a chance of power / sum.
    waits = rng.exponential(1, len(seat)) / power[seat]
    order = np.lexsort((waits, row))
    signed, first = np.unique(row[order], return_index=True)
    signers = np.full(len(account), -1)
    signers[signed] = seat[order][first]
    return signers


def present(careers: Careers, at: np.datetime64) -> np.ndarray:
    """Seats at accounts in which somebody sits at that moment."""
    there = (careers.begun <= at) & (at < ends(careers)) & (careers.account != OURS)
    return np.flatnonzero(there)


def deciders_table(
    careers: Careers, companies: Companies, power: np.ndarray, settings: AccountSettings
) -> pd.DataFrame:
    """account_id, as_of (first moments of months), person_id, sign_chance; only who may sign.

    The chances of an account at a date sum to 1, by date, account and falling chance.
    """
    parts = []
    for at in settings.months:
        seats = present(careers, at)
        seats = seats[power[seats] > 0]
        account = careers.account[seats]
        chance = power[seats] / np.bincount(account, power[seats], len(companies.name))[account]
        order = np.lexsort((-chance, account))
        parts.append(
            pd.DataFrame(
                {
                    "account_id": companies.ids[account],
                    "as_of": at,
                    "person_id": FIRST_PERSON + careers.person[seats],
                    "sign_chance": chance,
                }
            ).iloc[order]
        )
    return pd.concat(parts, ignore_index=True)


def value_table(
    careers: Careers, companies: Companies, power: np.ndarray, settings: AccountSettings
) -> pd.DataFrame:
    """account_id, as_of (every third month), person_id, convert_chance, of all people there."""
    parts = []
    for at in settings.months[::QUARTER]:
        seats = present(careers, at)
        chance = CONVERT_LEAST + CONVERT_MOST * power[seats] / (power[seats] + HALF_POWER)
        table = {
            "account_id": companies.ids[careers.account[seats]],
            "as_of": at,
            "person_id": FIRST_PERSON + careers.person[seats],
            "convert_chance": chance,
        }
        parts.append(pd.DataFrame(table).sort_values(["account_id", "person_id"]))
    return pd.concat(parts, ignore_index=True)


def conversion(contact_value: pd.DataFrame, chosen: pd.DataFrame) -> tuple[float, float]:
    """Share of contacts that convert if one contacts these people, and its standard error.

    chosen: account_id, as_of, person_id, one row per contact; as_of must be in contact_value. Who
    is not there any more (we may not know it yet) converts never. The error counts accounts, since
    contacts of one account at several dates are alike.
    """
    key = ["account_id", "as_of", "person_id"]
    chances = chosen[key].merge(contact_value, how="left", on=key)
    value = chances["convert_chance"].fillna(0.0)
    share = float(value.mean())
    by_account = (value - share).groupby(chances["account_id"]).sum()
    return share, float(np.sqrt((by_account**2).sum()) / len(value))
