"""A simulated sales floor: the new deals of each week, and their two true chances.

    deals      what anybody can see: deal_id, week, owner_id, and the columns FEATURES
    truth      what nobody can: `alone`, the chance to be won if nobody works on the deal, `worked`,
               the chance if somebody does, and the luck that decides between won and lost

Work multiplies the odds of a deal, by 1.2 to 6.7 by where it came from: who was referred comes by
himself, who was met at a trade fair has to be called. Something of each deal is in no column. Week
by week the channels change a little: how many come, how good they are, how much a call does.

The luck of a deal is drawn with it. So it is won or lost in two runs alike wherever it is worked
on in both or in neither, and runs on one floor can be compared in pairs.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from tierwise.files import InputError

FEATURES = ["interest_seen", "visits_count", "size_log", "source", "industry"]
# share of the arrivals, log odds if left alone, log of what work does to the odds
SOURCES = {
    "search": (0.30, 0.1, 0.9),
    "referral": (0.12, 1.1, 0.2),
    "partner": (0.14, 0.2, 0.9),
    "social": (0.18, -0.5, 0.6),
    "event": (0.14, -0.7, 1.9),
    "cold_list": (0.12, -1.0, 1.4),
}
INDUSTRIES = {"retail": 0.2, "logistics": 0.0, "care": 0.1, "crafts": -0.2, "other": -0.1}
LEVEL, INTEREST, SIZE, UNSEEN = -1.9, 0.8, 0.3, 0.5  # log odds, those after the first per sigma
SEEN_NOISE = 0.7  # how wrongly interest is seen, in its own sigma
OWNERS_COUNT = 8
TURNING, TURN_WEEK = "cold_list", 20


@dataclass(frozen=True)
class Settings:
    """A floor. The same settings give the same deals.

    history_weeks: before anybody saw a tier; they are the weeks below 0. effect: 1 is the work
    described above, 0 none at all. alike: every deal gains the same by work, on average as much.
    drift: how far log odds and gains of a source wander in a week. turn:
    from week 20 on, so much more does work add to the log odds of a deal of a cold list.
    """

    seed: int = 0
    weeks_count: int = 60
    history_weeks: int = 30
    deals_per_week: int = 400
    effect: float = 1.0
    alike: bool = False
    drift: float = 0.04
    turn: float = 0.0

    def __post_init__(self) -> None:
        for name in ("weeks_count", "history_weeks", "deals_per_week"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be 1 or more, not {getattr(self, name)}.")
        for name in ("seed", "effect", "drift", "turn"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be 0 or more, not {getattr(self, name)}.")


@dataclass(frozen=True)
class Floor:
    """deals and truth have the same rows, ascending by week, then deal_id."""

    settings: Settings
    deals: pd.DataFrame
    truth: pd.DataFrame

    def chance(self, worked: np.ndarray, rows: slice) -> np.ndarray:
        """The true chance of these rows, shape (n,), given who of them is worked on."""
        part = self.truth.iloc[rows]
        return np.where(worked, part["worked"], part["alone"])

    def won(self, worked: np.ndarray, rows: slice) -> np.ndarray:
        """What becomes of these rows, 0.0 or 1.0, shape (n,)."""
        luck = self.truth["luck"].to_numpy()[rows]
        return (luck < self.chance(worked, rows)).astype(float)

    def by_lot(self, room_share: float) -> np.ndarray:
        """The true chance of all rows if each were worked on with the chance `room_share`."""
        worked, alone = (self.truth[name].to_numpy() for name in ("worked", "alone"))
        return room_share * worked + (1 - room_share) * alone


def drawn(settings: Settings) -> Floor:
    """All weeks of a floor."""
    random = np.random.default_rng([settings.seed, 5])
    weeks = np.arange(-settings.history_weeks, settings.weeks_count)
    walk = wandering(len(weeks), settings.drift, random)
    walk["gain"][weeks >= TURN_WEEK, list(SOURCES).index(TURNING)] += settings.turn
    week = np.repeat(weeks, settings.deals_per_week)
    at, count = week + settings.history_weeks, len(week)
    source = picked(shares(walk["share"])[at], random)
    interest, size = random.normal(size=(2, count))
    industry = random.integers(len(INDUSTRIES), size=count)
    quality = np.array([value for _, value, _ in SOURCES.values()])[source]
    alone = LEVEL + INTEREST * interest + SIZE * size + quality + walk["quality"][at, source]
    alone += np.array(list(INDUSTRIES.values()))[industry] + UNSEEN * random.normal(size=count)
    gain = gains(settings, source, walk["gain"][at, source])
    deals = pd.DataFrame(
        {
            "deal_id": np.arange(1, count + 1),
            "week": week,
            "owner_id": random.integers(OWNERS_COUNT, size=count),
            "interest_seen": interest + SEEN_NOISE * random.normal(size=count),
            "visits_count": random.poisson(np.exp(0.6 + 0.5 * interest)).astype(float),
            "size_log": size,
            "source": np.array(list(SOURCES), dtype=object)[source],
            "industry": np.array(list(INDUSTRIES), dtype=object)[industry],
        }
    )
    chances = {"alone": expit(alone), "worked": expit(alone + gain)}
    return Floor(settings, deals, pd.DataFrame(chances | {"luck": random.random(count)}))


def gains(settings: Settings, source: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Log of what work does to the odds of each deal, never below 0: nobody loses by a call."""
    share, _, usual = np.array(list(SOURCES.values())).T
    if settings.alike:
        return np.full(len(source), settings.effect * float(share @ usual))
    return settings.effect * np.maximum(usual[source] + moved, 0)


def wandering(weeks_count: int, drift: float, random: np.random.Generator) -> dict[str, np.ndarray]:
    """How far share, quality and gain of each source have moved, each (weeks, sources), in logs."""
    shape = (3, weeks_count, len(SOURCES))
    walks = np.cumsum(drift * random.normal(size=shape), axis=1)
    return dict(zip(("share", "quality", "gain"), walks, strict=True))


def shares(moved: np.ndarray) -> np.ndarray:
    """Share of each source among the arrivals, shape (weeks, sources)."""
    raw = np.array([share for share, _, _ in SOURCES.values()]) * np.exp(moved)
    return raw / raw.sum(axis=1, keepdims=True)


def picked(share: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A column per row, drawn with the shares of that row; shape (n,)."""
    return (random.random((len(share), 1)) > np.cumsum(share, axis=1)[:, :-1]).sum(axis=1)
