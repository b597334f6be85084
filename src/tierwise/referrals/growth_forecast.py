"""How many will sign up, generation by generation: a branching process, drawn many times.

    generation 0    will come by themselves: the trend of the last weeks (log-linear, quasi-Poisson)
    generation 1    brought by present members, or by those of generation 0
    generation n    brought by those of generation n - 1

A member brings others at a rate of its own, gamma with mean K and the dispersion d of `growth`; so
the number is negative binomial. A present member who has brought c by the time when the part G has
come goes on with a rate that is gamma(d + c) over (d / K + G): who brought many will bring more.
Waits are those of `generation_time`. Each draw takes parameters of its own from what is not known
of K, of the waits and of the trend; all that is left is chance.

Members of one day are drawn together: the sum of their rates is gamma again. So the work depends on
days, not on members. A check without chance: `users_after`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import toeplitz

from tierwise import examples as ex
from tierwise.features import microseconds
from tierwise.files import InputError
from tierwise.referrals import generation_time as gt
from tierwise.referrals.generation_time import LEVEL
from tierwise.referrals.growth import DAY_US, Brood, Growth
from tierwise.referrals.referral_chains import senders

GENERATIONS_COUNT = 25  # the last one takes all later ones, of which there are hardly any
TREND_DAYS = 56
NODES, WEIGHTS = np.polynomial.legendre.leggauss(4)
LEAST_ALONE = 10
STEPS_COUNT = 50


@dataclass(frozen=True)
class Forecast:
    """Sign-ups drawn, shape (n_draws, n_generations, n_days), of the days after as_of."""

    drawn: np.ndarray
    as_of: pd.Timestamp


@dataclass(frozen=True)
class Days:
    """By whole days since sign-up: members, and how many they brought; and who came alone."""

    members: np.ndarray
    brought: np.ndarray
    alone: np.ndarray


@dataclass(frozen=True)
class Drawn:
    """Parameters of one round of draws: K, the part come by each age in days, alone per day."""

    k: float
    come: np.ndarray
    alone: np.ndarray
    excess: float  # variance over mean of those who come alone in a day


def draw(
    brood: Brood,
    growth: Growth,
    as_of: pd.Timestamp,
    horizon_days: int,
    *,
    draws_count: int = 1000,
    trend_days: int = TREND_DAYS,
    is_level: bool = False,
    seed: int = 20240229,
) -> Forecast:
    """Sign-ups of the days after `as_of`, from what `growth.brood` and `growth.fit` found at it.

    trend_days: how much of the past tells how many come by themselves; is_level: as many every
    day. Raises InputError where fewer than 10 came by themselves in these days, and
    for a K within a horizon.
    """
    if np.isfinite(growth.horizon_days):
        raise InputError(
            f"A forecast needs K without a horizon, not within {growth.horizon_days:g} days. Fit "
            "it without horizon_days."
        )
    random = np.random.default_rng(seed)
    day = brood.age_days.astype("int64")
    alone = np.bincount(day[brood.sender < 0], minlength=trend_days)[:trend_days]
    days = Days(np.bincount(day), np.bincount(day, brood.brought), alone)
    # As many draws with the same parameters as there are sets of them: work and accuracy are even.
    each = max(1, int(np.sqrt(draws_count)))
    rounds = parameters(days, growth, horizon_days, is_level, random)
    found = [
        grown(days, growth.dispersion, next(rounds), each, random)
        for _ in range(-(-draws_count // each))
    ]
    return Forecast(np.concatenate(found)[:draws_count], pd.Timestamp(as_of))


def parameters(
    days: Days, growth: Growth, horizon_days: int, is_level: bool, random: np.random.Generator
) -> Iterator[Drawn]:
    """Parameters drawn from what is known of them, without end."""
    logs = np.log([growth.time.shape, growth.time.mean_days])
    place, covariance, excess = trend(days.alone, is_level)
    ahead = trend_design(-np.arange(1, horizon_days + 1), is_level)
    ages_count = len(days.members) + horizon_days + 1
    while True:
        come = part_by_day(random.multivariate_normal(logs, growth.time.covariance), ages_count)
        mine = come[: len(days.members)]
        whole, squares = days.members @ mine, days.members @ mine**2
        k = days.brought.sum() / whole
        relative = np.sqrt(1 / (k * whole) + squares / (growth.dispersion * whole**2))
        alone = np.exp(ahead @ random.multivariate_normal(place, covariance))
        yield Drawn(float(k * np.exp(relative * random.normal())), come, alone, excess)


def part_by_day(logs: np.ndarray, days_count: int) -> np.ndarray:
    """G in the mean over a day: of members who signed up that many whole days ago."""
    ages = np.arange(days_count)[:, None] + (NODES + 1) / 2
    return gt.part_come(logs, ages) @ WEIGHTS / 2


def trend_design(days_ago: np.ndarray, is_level: bool) -> np.ndarray:
    ones = np.ones((len(days_ago), 1))
    return ones if is_level else np.column_stack([ones, -days_ago / TREND_DAYS])


def trend(alone: np.ndarray, is_level: bool) -> tuple[np.ndarray, np.ndarray, float]:
    """Log-linear trend of a count a day, the latest first: parameters, covariance, excess.

    Poisson by iterated least squares; the covariance and the excess by Pearson's chi-square, at
    least 1 (McCullagh and Nelder, Generalized Linear Models, 1989, chapter 6).
    """
    if alone.sum() < LEAST_ALONE:
        raise InputError(
            f"{int(alone.sum())} members came by themselves in the last {len(alone)} days; it "
            f"takes {LEAST_ALONE} to tell how many will. Give more trend_days."
        )
    x = trend_design(np.arange(len(alone)), is_level)
    place = np.r_[np.log(alone.mean()), np.zeros(x.shape[1] - 1)]
    for _ in range(STEPS_COUNT):
        mean = np.exp(x @ place)
        change = np.linalg.solve((x.T * mean) @ x, x.T @ (alone - mean))
        place = place + np.clip(change, -1, 1)
        if np.abs(change).max() < 1e-10:
            break
    mean = np.exp(x @ place)
    excess = max(1.0, float(((alone - mean) ** 2 / mean).sum()) / (len(alone) - x.shape[1]))
    return place, np.linalg.inv((x.T * mean) @ x) * excess, excess


def grown(
    days: Days, dispersion: float, with_: Drawn, count: int, random: np.random.Generator
) -> np.ndarray:
    """Sign-ups with these parameters, drawn `count` times: (count, generations, days)."""
    horizon_days = len(with_.alone)
    first = np.r_[with_.come[0], np.diff(with_.come)][:horizon_days]
    to_later = np.triu(toeplitz(first))
    ages = np.flatnonzero(days.members)
    rise = np.diff(with_.come)
    to_come = rise[ages[:, None] + np.arange(horizon_days)]
    shape = dispersion * days.members[ages] + days.brought[ages]
    rate = dispersion / with_.k + with_.come[ages]
    present = random.gamma(shape, 1 / rate, (count, len(ages))) @ to_come
    found = np.zeros((count, GENERATIONS_COUNT, horizon_days), dtype="int64")
    found[:, 0] = came_alone(with_, count, random)
    for generation in range(1, GENERATIONS_COUNT):
        mothers = found[:, generation - 1]
        if generation > 1 and not mothers.any():
            break
        rates = random.gamma(dispersion * mothers) * with_.k / dispersion
        found[:, generation] = random.poisson(present * (generation == 1) + rates @ to_later)
    return found


def came_alone(with_: Drawn, count: int, random: np.random.Generator) -> np.ndarray:
    mean = np.broadcast_to(with_.alone, (count, len(with_.alone)))
    over = with_.excess - 1
    return random.poisson(random.gamma(mean / over) * over if over > 1e-6 else mean)


def by_generation(forecast: Forecast, level: float = LEVEL) -> pd.DataFrame:
    """A row per generation and one for all: generation, expected, low, high, without empty ones."""
    sums = forecast.drawn.sum(axis=2)
    kept = sums[:, : max(1, int(np.flatnonzero(sums.any(axis=0)).max(initial=0)) + 1)]
    each = np.column_stack([kept, sums.sum(axis=1)])
    names = [*map(str, range(kept.shape[1])), "all"]
    return described(each, level).assign(generation=names)[
        ["generation", "expected", "low", "high"]
    ]


def by_day(forecast: Forecast, level: float = LEVEL) -> pd.DataFrame:
    """Sign-ups up to the end of each day: day, expected, low, high."""
    found = described(forecast.drawn.sum(axis=1).cumsum(axis=1), level)
    days = pd.date_range(forecast.as_of, periods=len(found), freq="D", unit="us")
    found.insert(0, "day", days)
    return found


def described(counts: np.ndarray, level: float) -> pd.DataFrame:
    """Of draws by column: mean and quantiles."""
    low, high = np.quantile(counts, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return pd.DataFrame({"expected": counts.mean(axis=0), "low": low, "high": high})


def happened(members: pd.DataFrame, as_of: pd.Timestamp, horizon_days: int) -> np.ndarray:
    """Sign-ups as they came, in the shape of one draw. members: as for `growth.brood`, later ones
    included."""
    end = pd.Timestamp(as_of) + pd.Timedelta(days=horizon_days)
    rows = members[ex.known_before(members, end, "occurred_at")].reset_index(drop=True)
    later = np.flatnonzero(~ex.known_before(rows, as_of, "occurred_at").to_numpy())
    sender = senders(rows)
    generation = np.zeros(len(rows), dtype="int64")
    for _ in range(GENERATIONS_COUNT - 1):  # each round settles one more generation
        generation[later] = np.where(sender[later] < 0, 0, generation[sender[later]] + 1)
    start = microseconds(pd.Series([pd.Timestamp(as_of)]))[0]
    day = (microseconds(rows["occurred_at"])[later] - start) // DAY_US
    found = np.zeros((GENERATIONS_COUNT, horizon_days), dtype="int64")
    np.add.at(found, (generation[later], day), 1)
    return found


def against(forecast: Forecast, members: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """`by_generation` with actual beside it, and inside: whether the interval holds it."""
    table = by_generation(forecast, level)
    real = happened(members, forecast.as_of, forecast.drawn.shape[2]).sum(axis=1)
    count = max(len(table) - 1, int(np.flatnonzero(real).max(initial=0)) + 1)
    order = [*map(str, range(count)), "all"]
    table = table.set_index("generation").reindex(order, fill_value=0.0).reset_index()
    table["actual"] = np.r_[real[:count], real.sum()]
    return table.assign(inside=table["actual"].between(table["low"], table["high"]))


def users_after(days: np.ndarray, users: float, k: float, cycle_days: float) -> np.ndarray:
    """Users after so many days, where each brings k others exactly every cycle_days.

    U0 (k^(t/p + 1) - 1) / (k - 1), the formula of Reiss that Skok made known; in whole cycles it is
    the sum of a geometric series.
    """
    cycles = np.asarray(days, dtype="float64") / cycle_days + 1
    return users * (cycles if k == 1 else (k**cycles - 1) / (k - 1))
