"""Companies month by month: how they grow, use our product, become customers and lapse.

Each account walks through states, a Markov chain in steps of a month:

    regime       shrinking, steady, growing or surging: how headcount and hiring go
    use          low, normal or high: how much its people use the product
    customer     prospect, buying or lapsed
    shaken       a senior of its human resources left of late: lapses more easily, buys less
    welcomed     one who used our product elsewhere joined of late: more easily won, buys more

State and headcount at the first moment of a month govern what happens in it. Since the chain is
known, so is the expected spend from every state on: see orders.py. Account 0 is our own company,
whose state stands still.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.simulation import clock, people
from tierwise.simulation.account_names import draw_names
from tierwise.simulation.account_settings import AccountSettings
from tierwise.simulation.delivery import HOUR, coded, frame, in_order, spans

SHRINKING, STEADY, GROWING, SURGING = range(4)
LOW, NORMAL, HIGH = range(3)
PROSPECT, BUYING, LAPSED = range(3)
REGIME_STEPS = np.array(
    [[0.93, 0.06, 0.01, 0.0], [0.02, 0.946, 0.025, 0.009], [0.01, 0.05, 0.92, 0.02],
     [0.03, 0.10, 0.05, 0.82]]
)  # fmt: skip
USE_STEPS = np.array([[0.91, 0.085, 0.005], [0.018, 0.96, 0.022], [0.012, 0.03, 0.958]])
GROWTH = np.array([-0.012, 0.002, 0.016, 0.04])  # of log headcount in a month
GROWTH_NOISE = 0.008
LEFT_CHANCE, JOINED_CHANCE = 0.014, 0.012  # of a shock in a month
KEPT = np.array([5 / 6, 7 / 8])  # shaken, welcomed: chance to be so for one more month
FIRST_CUSTOMERS = np.array([0.45, 0.42, 0.13])
# chance of a step in a month, and what multiplies it
WON, LOST, BACK = 0.011, 0.016, 0.011
WON_BY_REGIME = np.array([0.4, 1.0, 1.5, 2.5])
LOST_BY_REGIME = np.array([2.2, 1.0, 0.7, 0.5])
LOST_BY_USE = np.array([3.2, 1.0, 0.4])
WON_IF_WELCOMED, LOST_IF_SHAKEN = 6.0, 3.0
OUR_HEADCOUNT = 400.0
INDUSTRIES = people.INDUSTRIES  # its third column is the effect on the log of spend


@dataclass(frozen=True)
class Companies:
    """n accounts, our own at 0, and m months; states hold for first moments, shape (n, m + 1)."""

    name: np.ndarray
    place: np.ndarray  # row of people.PLACES
    industry: np.ndarray
    recruiting: np.ndarray  # recruiters per person compared with others, 1 in the middle
    turnover: np.ndarray  # how fast recruiters leave, 1 in the middle
    effect: np.ndarray  # hidden, on the log of order sizes
    frequency: np.ndarray  # hidden, orders a month in a common state
    headcount: np.ndarray
    regime: np.ndarray
    use: np.ndarray
    customer: np.ndarray
    shaken: np.ndarray
    welcomed: np.ndarray
    left: np.ndarray  # a senior of human resources leaves in that month, shape (n, m)
    joined: np.ndarray  # a user from elsewhere joins in that month, shape (n, m)

    @property
    def ids(self) -> np.ndarray:
        return np.arange(1, len(self.name) + 1)

    @property
    def zone(self) -> np.ndarray:
        zones = np.array([clock.ZONES.index(row[3]) for row in people.PLACES])
        return zones[self.place]


def customer_steps(
    customer: np.ndarray,
    regime: np.ndarray,
    use: np.ndarray,
    shaken: np.ndarray,
    welcomed: np.ndarray,
) -> np.ndarray:
    """Chance that it is won, lapses or comes back in a month; arrays of one shape."""
    better = WON_BY_REGIME[regime] * np.where(welcomed, WON_IF_WELCOMED, 1)
    worse = LOST_BY_REGIME[regime] * LOST_BY_USE[use] * np.where(shaken, LOST_IF_SHAKEN, 1)
    return np.choose(customer, [WON * better, LOST * worse, BACK * better])


def stepped(steps: np.ndarray, now: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Next states by rows of chances and uniform numbers."""
    return (np.cumsum(steps, axis=1)[now][:, :-1] <= drawn[:, None]).sum(axis=1)


def draw_states(count: int, months: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """All states but headcount of `count` accounts; the first one stands still."""
    first = {
        "regime": rng.choice(4, count, p=[0.16, 0.56, 0.22, 0.06]),
        "use": rng.choice(3, count, p=[0.14, 0.56, 0.30]),
        "customer": rng.choice(3, count, p=FIRST_CUSTOMERS),
        "shaken": np.zeros(count, int),
        "welcomed": np.zeros(count, int),
    }
    first["regime"][0], first["customer"][0] = STEADY, PROSPECT
    found = {name: [values] for name, values in first.items()}
    shocks = rng.random((2, count, months)) < np.array([[[LEFT_CHANCE]], [[JOINED_CHANCE]]])
    shocks[:, 0] = False
    for month in range(months):
        now = {name: values[-1] for name, values in found.items()}
        drawn = rng.random((5, count))
        changes = drawn[2] < customer_steps(**now)
        after = {
            "regime": stepped(REGIME_STEPS, now["regime"], drawn[0]),
            "use": stepped(USE_STEPS, now["use"], drawn[1]),
            "customer": np.where(
                changes, np.where(now["customer"] == BUYING, LAPSED, BUYING), now["customer"]
            ),
            "shaken": (shocks[0, :, month] | (now["shaken"] * (drawn[3] < KEPT[0]) > 0)) * 1,
            "welcomed": (shocks[1, :, month] | (now["welcomed"] * (drawn[4] < KEPT[1]) > 0)) * 1,
        }
        for name, values in after.items():
            values[0] = now[name][0]
            found[name].append(values)
    states = {name: np.stack(values, axis=1) for name, values in found.items()}
    return {**states, "left": shocks[0], "joined": shocks[1]}


def draw_headcount(regime: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Headcount of each account at each first moment; it follows the regime of the month before."""
    count, moments = regime.shape
    first = np.clip(rng.lognormal(np.log(130), 1.25, count), 12, 15_000)
    first[0] = OUR_HEADCOUNT
    noise = rng.normal(0, GROWTH_NOISE, (count, moments - 1))
    grown = np.cumsum(GROWTH[regime[:, :-1]] + noise, axis=1)
    return first[:, None] * np.exp(np.pad(grown, ((0, 0), (1, 0))))


def draw_companies(settings: AccountSettings, rng: np.random.Generator) -> Companies:
    """Our own company and all accounts."""
    count = settings.accounts_count + 1
    fixed, walk, size = rng.spawn(3)
    states = draw_states(count, settings.months_count, walk)
    return Companies(
        name=draw_names(settings, fixed),
        place=people.picks(people.PLACES, count, fixed),
        industry=people.picks(INDUSTRIES, count, fixed),
        recruiting=fixed.lognormal(0, 0.45, count),
        turnover=fixed.lognormal(0, 0.4, count),
        effect=fixed.normal(0, 0.6, count),
        frequency=fixed.gamma(1.6, 0.42 / 1.6, count),
        headcount=draw_headcount(states["regime"], size),
        **states,
    )


def accounts_table(
    companies: Companies, settings: AccountSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """All versions: the first one at the beginning, then whenever a headcount is published."""
    count, months = len(companies.name), settings.months
    published = rng.random((count, settings.months_count)) < 0.22
    published[:, 0] = False
    account, month = np.nonzero(published)
    rows = np.concatenate([np.arange(count), account])
    when = np.concatenate([np.zeros(count, int), month])
    later = spans(HOUR * 24 * rng.uniform(1, 25, len(account)))
    seen = companies.headcount[rows, when] * rng.lognormal(0, 0.03, len(rows))
    gaps = settings.rows
    industry = people.missing(companies.industry, gaps, rng)[rows]
    place = people.missing(companies.place, gaps, rng)[rows]
    names = pd.Categorical.from_codes(rows, list(companies.name))
    columns = {
        "account_id": companies.ids[rows],
        "known_at": np.concatenate([np.full(count, months[0]), months[month] + later]),
        "name": names,
        "industry": coded(industry, tuple(row[0] for row in INDUSTRIES)),
        "country": people.places_text(place, 0),
        "employees_count": people.missing(np.ceil(seen), gaps, rng),
        "ours": rows == 0,
    }
    return frame(in_order(columns, gaps))
