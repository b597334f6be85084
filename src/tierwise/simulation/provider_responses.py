"""What customers say after a visit: stars, tips, complaints, answers to surveys.

Pleasure moves all of it, but stars hardly: nearly everybody who rates gives five, the displeased
rather stay silent. A reminder and the prompt move who rates, not how pleased they are. The base of
each log odds is found so that the share in the settings holds on average over the whole time.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from tierwise.provider_tables import POINTS_MOST, STARS_MOST
from tierwise.simulation.provider_bookings import DONE, HOUR, MINUTE, Columns
from tierwise.simulation.provider_customers import Market

RATED_PLEASED, RATED_REMINDED, RATED_PROMPT = 0.25, 0.7, 0.6  # on log odds to rate
RATED_DAYS, RATED_DAYS_PROMPT, RATED_DAYS_MOST = 0.8, 0.3, 10.0
NEGATIVE_PLEASED, FOUR_PLEASED = -0.40, -0.25  # on log odds of so few stars
LOW_STARS, LOW_SHARES = np.array([1, 2, 3]), (0.35, 0.15, 0.50)
TEXT_PLEASED, TEXT_NEGATIVE, TEXT_LENGTH = 0.45, 1.5, (3.9, 0.9)  # length: of its logarithm
TIPPED_PLEASED, TIP_SHARE, TIP_LEAST_EUR = 0.6, (-2.4, 0.5), 0.5  # of the price: logarithm
COMPLAINED_PLEASED, COMPLAINED_LATE, LATE_MINUTES = -0.9, 0.5, 15.0
COMPLAINED_DAYS, COMPLAINED_DAYS_MOST = 0.8, 9.0
CHANNEL_SHARES = (0.78, 0.14, 0.08)  # as provider_tables.CHANNELS
TOPIC_SHARES = (0.08, 0.47, 0.12, 0.15, 0.18)  # as provider_tables.TOPICS
TOPIC_SHARES_LATE = (0.55, 0.22, 0.06, 0.09, 0.08)
ANSWERED_PLEASED, ANSWERED_ONE_CLICK, ANSWERED_DAYS, CLOSED_DAYS = 0.10, 0.9, 1.0, 7.0
POINTS, POINTS_PLEASED, POINTS_SD = 7.2, 1.0, 0.9
HOME_EUR, OFFICE_EUR = 24.0, 31.0  # an hour


def base_for(share: float, odds: np.ndarray) -> float:
    """The base with mean(expit(base + odds)) = share; 0 where there is nobody."""
    if not len(odds):
        return 0.0
    return float(brentq(lambda base: expit(base + odds).mean() - share, -60, 60))


def happens(share: float, odds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """bool (n,): so many on average, the more likely the higher the odds."""
    return rng.random(len(odds)) < expit(base_for(share, odds) + odds)


def after(market: Market, name: str, days: np.ndarray) -> np.ndarray:
    """Whether these moments lie after the day of that setting."""
    first = market.settings.first_at
    return days >= (market.settings.day_of(name) - first).days


def draw_amounts(
    bookings: Columns, market: Market, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Price and tip in euros; a tip only after a visit, in halves of a euro."""
    customer, done = bookings["customer"], bookings["status"] == DONE
    hour = np.where(market.customers.office[customer], OFFICE_EUR, HOME_EUR)
    price = hour * bookings["hours"] * market.providers.price[bookings["provider"]]
    tipped = np.zeros(len(done), bool)
    odds = TIPPED_PLEASED * bookings["pleasure"][done]
    tipped[done] = happens(market.settings.tipped_share, odds, rng)
    share = np.minimum(rng.lognormal(*TIP_SHARE, len(done)), 0.6)
    tip = np.round(2 * share * price * market.customers.spending[customer]) / 2
    return np.round(price, 2), np.where(tipped, np.maximum(tip, TIP_LEAST_EUR), 0.0)


def draw_ratings(visits: Columns, market: Market, rng: np.random.Generator) -> Columns:
    """visit (row number), at, stars and text_length_count of the visits that were rated."""
    rate, give, write, wait = rng.spawn(4)
    settings = market.settings
    prompted = after(market, "prompt_day", visits["over"])
    odds = market.customers.habit[visits["customer"]] + RATED_PLEASED * visits["pleasure"]
    odds = odds + RATED_REMINDED * visits["reminded"] + RATED_PROMPT * prompted
    rated = np.flatnonzero(happens(settings.rated_share, odds, rate))
    pleasure = visits["pleasure"][rated]
    negative = happens(settings.negative_share, NEGATIVE_PLEASED * pleasure, give)
    of_others = settings.four_stars_share / (1 - settings.negative_share)
    four = happens(of_others, FOUR_PLEASED * pleasure, give)
    low = give.choice(LOW_STARS, len(rated), p=LOW_SHARES)
    text = happens(settings.text_share, TEXT_PLEASED * pleasure + TEXT_NEGATIVE * negative, write)
    length = np.ceil(write.lognormal(*TEXT_LENGTH, len(rated)))
    days = wait.exponential(np.where(prompted[rated], RATED_DAYS_PROMPT, RATED_DAYS))
    return {
        "visit": rated,
        "at": visits["over"][rated] + MINUTE + np.minimum(days, RATED_DAYS_MOST),
        "stars": np.where(negative, low, np.where(four, STARS_MOST - 1, STARS_MOST)),
        "text_length_count": np.where(text, length, 0.0),
    }


def draw_complaints(visits: Columns, market: Market, rng: np.random.Generator) -> Columns:
    """visit, at, channel and topic (numbers), and told (that the booking is named)."""
    settings = market.settings
    late = visits["late_minutes"] > LATE_MINUTES
    odds = COMPLAINED_PLEASED * visits["pleasure"] + COMPLAINED_LATE * late
    rows = np.flatnonzero(happens(settings.complained_share, odds, rng))
    count = len(rows)
    edges = np.cumsum(np.where(late[rows, None], TOPIC_SHARES_LATE, TOPIC_SHARES), axis=1)
    topic = (rng.random(count)[:, None] >= edges[:, :-1]).sum(axis=1)
    days = np.minimum(rng.exponential(COMPLAINED_DAYS, count), COMPLAINED_DAYS_MOST)
    return {
        "visit": rows,
        "at": visits["over"][rows] + HOUR / 4 + days,
        "channel": rng.choice(len(CHANNEL_SHARES), count, p=CHANNEL_SHARES),
        "topic": topic,
        "told": rng.random(count) >= settings.missing_share,
    }


def draw_surveys(visits: Columns, market: Market, rng: np.random.Generator) -> Columns:
    """visit, at (asked), satisfaction_points (missing: no answer), and waits_days for an answer."""
    lot, answer, said = rng.spawn(3)
    rows = np.flatnonzero(lot.random(len(visits["over"])) < market.settings.surveyed_share)
    count, pleasure = len(rows), visits["pleasure"][rows]
    asked = visits["over"][rows] + 1 + answer.uniform(0, 0.3, count)
    one_click = after(market, "one_click_day", asked)
    odds = ANSWERED_PLEASED * pleasure + ANSWERED_ONE_CLICK * one_click
    answered = happens(market.settings.answered_share, odds, answer)
    points = POINTS + POINTS_PLEASED * pleasure + said.normal(0, POINTS_SD, count)
    points = np.clip(np.round(points), 0, POINTS_MOST) + 0.0  # no minus before a zero
    within = np.minimum(answer.exponential(ANSWERED_DAYS, count) + MINUTE, 0.99 * CLOSED_DAYS)
    return {
        "visit": rows,
        "at": asked,
        "waits_days": np.where(answered, within, CLOSED_DAYS),
        "satisfaction_points": np.where(answered, points, np.nan),
    }
