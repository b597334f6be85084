"""Careers: who works where, in which seat, from when to when, as far as we know of it.

    seat     a position: one person, one company, one title
    stay     a person's time at one company, one seat after another

We know some five to sixty people of an account, human resources and recruiting more than others.
Month by month people leave, are promoted, join from outside or from another account; a person who
moves keeps the number. The account's state sets how many are hired and leave, see companies.py.
"""

from dataclasses import dataclass, field

import numpy as np

from tierwise.account_tables import FUNCTIONS, LEVELS
from tierwise.simulation.account_settings import AccountSettings, within
from tierwise.simulation.companies import BUYING, Companies
from tierwise.simulation.delivery import HOUR, spans

HR, RECRUITING, SALES, MANAGEMENT = (
    FUNCTIONS.index(name) for name in ("human resources", "recruiting", "sales", "management")
)
STAFF, LEAD, MANAGER, DIRECTOR, VICE_PRESIDENT, CHIEF = range(len(LEVELS))
OURS = 0  # row of our own company
FUNCTION_SHARES = np.array([0.21, 0.17, 0.11, 0.13, 0.06, 0.08, 0.09, 0.07, 0.08])
LEVEL_SHARES = np.tile([0.46, 0.19, 0.19, 0.10, 0.045, 0.015], (len(FUNCTIONS), 1))
LEVEL_SHARES[MANAGEMENT] = [0, 0, 0.14, 0.26, 0.28, 0.32]
OUR_LEVELS = np.array([0.62, 0.18, 0.13, 0.07, 0, 0])
# Of those in a function so many use the product, and what their level makes of it.
USER_SHARES = np.array([0.55, 0.8, 0.06, 0.04, 0.04, 0.03, 0.08, 0.03, 0.10])
USER_BY_LEVEL = np.array([0.8, 1.1, 1.0, 0.5, 0.15, 0.06])
HIRES = np.array([0.006, 0.0145, 0.034, 0.1])  # in a month per person there, by regime
LEAVES = np.array([0.021, 0.013, 0.013, 0.013])
RECRUITER_LEAVES = 1.5
PROMOTED = 0.007
MOVES_SHARE = 0.13  # of the leavers go to another account
MOST_HIRING = 45  # of more people than these we learn no faster
REASONS = ("first", "hired", "promoted", "moved", "moved and welcomed")
FIRST, HIRED, PROMOTION, MOVED, WELCOMED = range(len(REASONS))
NEVER = np.datetime64("NaT", "us")


@dataclass
class Careers:
    """Seats, one element each, in order of drawing; people count from 0, accounts as companies.

    came_from: the stay from which a mover came, else -1. planted: ended by a shock of the account.
    """

    person: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    account: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    function: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    level: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    stay: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    came_from: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    reason: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    begun: np.ndarray = field(default_factory=lambda: np.zeros(0, "datetime64[us]"))
    ended: np.ndarray = field(default_factory=lambda: np.zeros(0, "datetime64[us]"))
    planted: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    goes_on: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))  # in another seat there
    taste: np.ndarray = field(default_factory=lambda: np.zeros(0))  # for the product, by person

    @property
    def user(self) -> np.ndarray:
        """Whether the one in the seat uses the product there, by seat."""
        chance = USER_SHARES[self.function] * USER_BY_LEVEL[self.level]
        return (self.taste[self.person] < chance) & (self.account != OURS)

    def add(self, rng: np.random.Generator, begun: np.ndarray, **values: np.ndarray | int) -> None:
        """Seats of new people, or of those given as `person`; a new stay unless `stay` is given."""
        count = len(begun)
        if "person" not in values:
            values["person"] = len(self.taste) + np.arange(count)
            self.taste = np.concatenate([self.taste, rng.random(count)])
        first_stay = int(self.stay.max(initial=-1)) + 1
        defaults = {
            "stay": first_stay + np.arange(count), "came_from": -1, "ended": NEVER,
            "planted": False, "goes_on": False,
        }  # fmt: skip
        for name, value in {**defaults, **values, "begun": begun}.items():
            old = getattr(self, name)
            new = np.broadcast_to(np.asarray(value, old.dtype), (count,))
            setattr(self, name, np.concatenate([old, new]))


@dataclass(frozen=True)
class Month:
    """One month of the drawing: which it is, and who sat where at its first moment."""

    number: int
    begin: np.datetime64
    end: np.datetime64
    present: np.ndarray  # seats
    zone: np.ndarray  # by account

    def moments(
        self, account: np.ndarray, rng: np.random.Generator, low: float = 0, high: float = 1
    ) -> np.ndarray:
        """Moments from a share of the month to another one, in working hours of the accounts."""
        span = (self.end - self.begin).astype(int)
        begin, end = (self.begin + np.timedelta64(int(span * share), "us") for share in (low, high))
        count = len(account)
        return within(np.full(count, begin), np.full(count, end), self.zone[account], rng)


def draw_careers(
    companies: Companies, settings: AccountSettings, rng: np.random.Generator
) -> Careers:
    """All seats of the world, those of people who were there before it began included."""
    mixes = draw_mixes(companies, rng)
    careers = Careers()
    settle(careers, companies, settings, mixes, rng)
    months = settings.months
    for number in range(settings.months_count):
        begin, end = months[number], months[number + 1]
        present = np.flatnonzero(np.isnat(careers.ended) & (careers.begun <= begin))
        month = Month(number, begin, end, present, companies.zone)
        busy = seniors_leave(careers, companies, month, rng)
        busy = np.concatenate([busy, welcomed_join(careers, companies, month, busy, rng)])
        busy = np.concatenate([busy, others_leave(careers, companies, month, busy, rng)])
        promote(careers, month, busy, rng)
        hire(careers, companies, month, mixes, rng)
    return careers


def draw_mixes(companies: Companies, rng: np.random.Generator) -> np.ndarray:
    """Share of each function among the people known at each account, shape (n, functions)."""
    shares = FUNCTION_SHARES * rng.gamma(6, 1 / 6, (len(companies.name), len(FUNCTIONS)))
    shares[:, RECRUITING] *= companies.recruiting
    shares[OURS] = np.arange(len(FUNCTIONS)) == SALES
    return shares / shares.sum(axis=1, keepdims=True)


def drawn_rows(shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One column per row, by the shares of that row, which sum to 1."""
    below = np.cumsum(shares, axis=1)[:, :-1] <= rng.random(len(shares))[:, None]
    return below.sum(axis=1)


def draw_levels(account: np.ndarray, function: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shares = np.where((account == OURS)[:, None], OUR_LEVELS, LEVEL_SHARES[function])
    return drawn_rows(shares, rng)


def settle(
    careers: Careers,
    companies: Companies,
    settings: AccountSettings,
    mixes: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Those who are there at the beginning; they came up to some ten years earlier."""
    known = np.clip(np.round(3.2 * np.sqrt(companies.headcount[:, 0]) * 0.9), 5, 60).astype(int)
    known[OURS] = settings.ours_count
    account = np.repeat(np.arange(len(known)), known)
    function = drawn_rows(mixes[account], rng)
    level = draw_levels(account, function, rng)
    tenure = spans(HOUR * 24 * np.clip(rng.exponential(900, len(account)), 1, 3650))
    begun = (settings.months[0] - tenure).astype("datetime64[D]").astype("datetime64[us]")
    careers.add(rng, begun, account=account, function=function, level=level, reason=FIRST)


def one_each(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One element of each group by lot: positions, by group."""
    order = np.lexsort((rng.random(len(group)), group))
    _, first = np.unique(group[order], return_index=True)
    return order[first]


def seniors_leave(
    careers: Careers, companies: Companies, month: Month, rng: np.random.Generator
) -> np.ndarray:
    """Where the account has that shock, a senior of its human resources leaves; none if none is
    known to us."""
    seats = month.present
    senior = (careers.function[seats] == HR) & (careers.level[seats] >= DIRECTOR)
    seats = seats[senior & companies.left[careers.account[seats], month.number]]
    seats = seats[one_each(careers.account[seats], rng)]
    careers.ended[seats] = month.moments(careers.account[seats], rng)
    careers.planted[seats] = True
    return seats


def welcomed_join(
    careers: Careers, companies: Companies, month: Month, busy: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Where the account has that shock, a user leaves a customer of ours and joins it."""
    seats = np.setdiff1d(month.present[careers.user[month.present]], busy)
    seats = seats[companies.customer[careers.account[seats], month.number] == BUYING]
    targets = np.flatnonzero(companies.joined[:, month.number])
    movers = rng.permutation(seats)[: len(targets)]
    targets = targets[: len(movers)]
    elsewhere = careers.account[movers] != targets
    movers, targets = movers[elsewhere], targets[elsewhere]
    careers.ended[movers] = month.moments(careers.account[movers], rng, 0, 0.4)
    begun = month.moments(targets, rng, 0.55, 1)
    join(careers, movers, targets, begun, WELCOMED, rng)
    return movers


def join(
    careers: Careers, movers: np.ndarray, targets: np.ndarray, begun: np.ndarray, reason: int,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Those who left the seats `movers` begin at other accounts, some of them one level higher."""
    level = careers.level[movers]
    higher = (rng.random(len(movers)) < 0.3) & (level < DIRECTOR)
    careers.add(
        rng, begun, person=careers.person[movers], account=targets,
        function=careers.function[movers], level=level + higher, reason=reason,
        came_from=careers.stay[movers],
    )  # fmt: skip


def others_leave(
    careers: Careers, companies: Companies, month: Month, busy: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Ordinary leavers; some of them join another account up to two months later."""
    seats = np.setdiff1d(month.present, busy)
    account = careers.account[seats]
    chance = LEAVES[companies.regime[account, month.number]]
    recruiter = careers.function[seats] == RECRUITING
    faster = np.where(recruiter, RECRUITER_LEAVES * companies.turnover[account], 1)
    leavers = seats[rng.random(len(seats)) < chance * faster]
    careers.ended[leavers] = month.moments(careers.account[leavers], rng)
    theirs = leavers[careers.account[leavers] != OURS]
    movers = theirs[rng.random(len(theirs)) < MOVES_SHARE]
    hiring = HIRES[companies.regime[account, month.number]] * (account != OURS)
    if len(movers) and hiring.sum():
        targets = rng.choice(account, len(movers), p=hiring / hiring.sum())
        other = targets != careers.account[movers]
        movers, targets = movers[other], targets[other]
        gap = spans(HOUR * 24 * rng.uniform(3, 60, len(movers)))
        join(careers, movers, targets, careers.ended[movers] + gap, MOVED, rng)
    return leavers


def promote(careers: Careers, month: Month, busy: np.ndarray, rng: np.random.Generator) -> None:
    """One level up at the same company, in a new seat; the highest levels seldom change."""
    seats = np.setdiff1d(month.present, busy)
    level = careers.level[seats]
    chance = np.where(level >= DIRECTOR, 0.3, 1) * PROMOTED * (level < VICE_PRESIDENT)
    seats = seats[rng.random(len(seats)) < chance]
    at = month.moments(careers.account[seats], rng)
    careers.ended[seats], careers.goes_on[seats] = at, True
    careers.add(
        rng, at, person=careers.person[seats], account=careers.account[seats],
        function=careers.function[seats], level=careers.level[seats] + 1, reason=PROMOTION,
        stay=careers.stay[seats],
    )  # fmt: skip


def hire(
    careers: Careers,
    companies: Companies,
    month: Month,
    mixes: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """New people from outside; who grows fast hires recruiters first."""
    regime = companies.regime[:, month.number]
    there = np.bincount(careers.account[month.present], minlength=len(regime))
    there = np.clip(there, 3, MOST_HIRING)
    account = np.repeat(np.arange(len(regime)), rng.poisson(there * HIRES[regime]))
    shares = mixes[account].copy()
    shares[:, RECRUITING] *= np.choose(regime[account], [0.4, 1.0, 1.4, 2.0])
    function = drawn_rows(shares / shares.sum(axis=1, keepdims=True), rng)
    level = draw_levels(account, function, rng)
    begun = month.moments(account, rng)
    careers.add(rng, begun, account=account, function=function, level=level, reason=HIRED)
