"""What members of a simulated company do and buy.

Somebody comes on a day with a chance that fades towards a level of its own; how often depends on
how active they are. Whether they ever buy depends on that too, on whether they left a means of
payment, and on who brought them. Whoever buys a plan pays by month or by year until they stop. Some
of those who neither invite nor buy never come again.
"""

import numpy as np
from numpy.random import Generator
from scipy.special import expit

from tierwise.simulation.referral_growth import Columns
from tierwise.simulation.referral_people import LINK, People
from tierwise.simulation.referral_settings import ReferralSettings

CHUNK = 4000
FADE_DAYS, STAY_SHARE, AT_START = 40.0, 0.22, -0.7
LEAVE_LOGIT = -1.2  # never to come again, unless they invite or buy
BUY_LOGIT, BUY_DAYS = -2.2, 14.0
YEARLY_SHARE, MONTH_EUR, YEAR_EUR = 0.25, 9.99, 99.0
MONTHLY_STAYS, YEARLY_STAYS, PAYMENTS_MOST = 0.92, 0.75, 60


def buying_chance(people: People) -> np.ndarray:
    """That a member ever buys; with BUY_DAYS to wait, nearly all within 90 days."""
    came = people.came == LINK
    logit = 0.35 * people.active + 0.5 * people.pays + 0.10 * came + 0.35 * people.upstream
    return expit(BUY_LOGIT + logit)


def draw_purchases(people: People, settings: ReferralSettings, rng: Generator) -> Columns:
    """member, day, amount_eur."""
    buys = np.flatnonzero(rng.random(people.count) < buying_chance(people))
    first = people.day[buys] + rng.exponential(BUY_DAYS, len(buys))
    yearly = rng.random(len(buys)) < YEARLY_SHARE
    number = rng.geometric(1 - np.where(yearly, YEARLY_STAYS, MONTHLY_STAYS))
    number = np.minimum(number, PAYMENTS_MOST)
    row = np.repeat(np.arange(len(buys)), number)
    turn = np.arange(len(row)) - np.repeat(number.cumsum() - number, number)
    day = first[row] + turn * np.where(yearly[row], 365.25, 365.25 / 12)
    amount = np.where(yearly[row], YEAR_EUR, MONTH_EUR)
    kept = day < settings.days_count
    return {"member": buys[row[kept]], "day": day[kept], "amount_eur": amount[kept]}


def draw_activity(
    people: People, busy: np.ndarray, settings: ReferralSettings, rng: Generator
) -> Columns:
    """member, day (whole), actions; the day of the sign-up is always one of them.

    busy: who invites or buys, and so comes again.
    """
    start = np.floor(people.day).astype("int64")
    leaves = rng.random(people.count) < expit(LEAVE_LOGIT - people.active)
    chance = np.where(leaves & ~busy, 0.0, expit(AT_START + 0.9 * people.active))
    parts = []
    for first in range(0, people.count, CHUNK):
        rows = slice(first, first + CHUNK)
        age = np.arange(settings.days_count)[None, :] - start[rows, None]
        fading = STAY_SHARE + (1 - STAY_SHARE) * np.exp(-np.maximum(age, 0) / FADE_DAYS)
        comes = rng.random(age.shape) < chance[rows, None] * fading
        member, day = np.nonzero((comes & (age > 0)) | (age == 0))
        parts.append((member + first, day))
    member, day = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    actions = 1 + rng.poisson(np.exp(0.9 + 0.4 * people.active[member]))
    return {"member": member, "day": day, "actions": actions}
