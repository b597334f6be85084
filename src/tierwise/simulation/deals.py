"""Deals: what they are like, how likely they are won, and what becomes of them.

    interest       how much the employer wants to hire now
    diligence      how much care it takes; seen in its job posts
    fit            how well our candidates fit; seen in what it gets out of the trial
    chance         of winning at all, drawn with the deal; what is seen later never depends on
                   whether it is won, only on the three above
    life           see truth.py

The three are standard normal and in no table. Chances are sums of log odds. At half time the
world changes: channels shift, what one of them means turns, and all chances fall.
"""

import numpy as np
import pandas as pd

from tierwise.simulation import clock, people, reps, truth
from tierwise.simulation.delivery import coded, frame, in_order, spans
from tierwise.simulation.settings import Settings

# channel, weight before and after half time, effect before and after
SOURCES = (
    ("organic_search", 34, 22, 0.2, 0.2), ("paid_search", 18, 30, 0.7, -0.5),
    ("social", 14, 22, -0.5, -0.3), ("partner", 12, 14, 0.3, 0.3),
    ("referral", 14, 8, 0.5, 0.5), ("trade_fair", 8, 4, -0.1, -0.1),
)  # fmt: skip
LEVEL_AFTER = -0.35  # log odds that all lose at half time
INTEREST, DILIGENCE, FIT, CALL = 0.85, 0.55, 0.75, 0.35
SIZE_BEST_COUNT, SIZE_EFFECT = 60.0, -0.16  # per squared natural log of people from the best size
VOLUME_EFFECT, VOLUME_MEAN, FREE_MAIL_EFFECT = 0.35, 1.6, -0.6
SPREAD, LIFT = 1.7, 0.53
WON_DAYS, LOST_DAYS = 26.0, 35.0
DELETED_SHARE, DELETED_DAYS = 0.012, 12.0
MERGED_SHARE, MERGED_DAYS = 0.95, 6.0  # of twins
REOPENED_SHARE, REOPENED_AFTER_DAYS, REOPENED_DAYS = 0.045, 50, 25.0
LOST_REASONS = ("price", "no_need", "no_answer", "competitor", "no_candidates", "later")


def draw_deals(
    settings: Settings, block: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Deals and organisations of a block with all that is drawn for them, by arrival.

    Times are UTC but for `local`, the local time of the opening.
    """
    arrivals = people.draw_arrivals(settings, settings.block_size(block), rng)
    organizations = people.draw_organizations(int(arrivals.organization.max()) + 1, rng)
    deals = organizations.iloc[arrivals.organization].reset_index(drop=True)
    count, zone = len(deals), deals["zone"].to_numpy()
    first = block * settings.block_deals_count + 1
    local = people.arrival_times(arrivals.position, zone, settings)
    occurred_at = clock.to_utc(local, zone)
    known_at = occurred_at + spans(rng.exponential(20_000_000, count))
    deals = deals.assign(
        deal_id=first + np.arange(count),
        organization=arrivals.organization,
        organization_id=10_000_000 + first + arrivals.organization,
        person_id=20_000_000 + 2 * (first + arrivals.organization),
        local=local,
        occurred_at=occurred_at,
        known_at=known_at,
        twin_of=arrivals.twin_of,
        after=occurred_at >= np.datetime64(settings.middle_at, "us"),
    )
    earliest = deals.groupby("organization")["known_at"].transform("min").to_numpy()
    deals["colleague_at"] = earliest + spans(deals["colleague_days"] * 86_400_000_000)
    shared = ["organization_id", "person_id", "colleague_at"]
    of_first = deals.assign(known_at=earliest).drop_duplicates("organization")
    of_first = of_first.sort_values("organization")[[*shared, "known_at"]].reset_index(drop=True)
    return add_profile(deals, settings, rng), organizations.join(of_first)


def add_profile(deals: pd.DataFrame, settings: Settings, rng: np.random.Generator) -> pd.DataFrame:
    """The latent traits, the answers of the sign-up form, the owner, and the chance."""
    count, after = len(deals), deals["after"].to_numpy()
    interest = rng.normal(size=count)
    source = np.where(
        after, people.picks(SOURCES, count, rng, 2), people.picks(SOURCES, count, rng)
    )
    size = np.log(deals["employees_count"].to_numpy())
    volume = rng.poisson(np.exp(np.clip(0.35 * size + rng.normal(0.1, 0.6, count), -3, 5)))
    free_mail = rng.random(count) < 1 / (1 + np.exp(0.8 * (size - 2.3)))
    deals = deals.assign(
        interest=interest,
        diligence=0.3 * interest + 0.95 * rng.normal(size=count),
        fit=rng.normal(size=count),
        source=source,
        hiring_volume_count=volume.astype(float),
        free_mail_address=free_mail,
        owner=reps.draw_owners(deals["known_at"].to_numpy(), settings, rng),
    )
    visible = visible_effect(deals)
    hunch = interest + rng.normal(size=count)
    appeal = reps.LEAD_WEIGHT * visible + reps.HUNCH_WEIGHT * hunch
    owner = deals["owner"].to_numpy()
    called = reps.called_first(owner, deals["known_at"].to_numpy(), appeal, settings)
    skill = reps.draw_reps(settings)["skill"].to_numpy()[owner]
    latent = INTEREST * interest + DILIGENCE * deals["diligence"] + FIT * deals["fit"]
    odds = level(settings) + visible + latent + CALL * skill * called
    return deals.assign(called=called, odds=odds, chance=1 / (1 + np.exp(-odds)))


def visible_effect(deals: pd.DataFrame) -> np.ndarray:
    """Log odds by what the client profile shows, and by the date."""
    after = deals["after"].to_numpy()
    source = np.array([row[3:] for row in SOURCES])[deals["source"], after.astype(int)]
    size = np.log(deals["employees_count"].to_numpy() / SIZE_BEST_COUNT)
    volume = np.log1p(deals["hiring_volume_count"].to_numpy()) - VOLUME_MEAN
    return (
        people.effects(people.INDUSTRIES)[deals["industry"]]
        + people.effects(people.PLACES)[deals["place"]]
        + people.effects(people.JOB_TITLES)[deals["job_title"]]
        + source
        + LEVEL_AFTER * after
        + SIZE_EFFECT * size**2
        + VOLUME_EFFECT * volume
        + FREE_MAIL_EFFECT * deals["free_mail_address"].to_numpy()
    )


def level(settings: Settings) -> float:
    """Log odds of a common deal such that won_share of the closed deals are won.

    Losses left lying are never closed, so fewer than won_share of all are won. The mean of a
    logistic function over a normal distribution is by MacKay (1992), "The evidence framework
    applied to classification networks", equation 10.
    """
    closed = settings.won_share
    won = closed * (1 - truth.SLOW_SHARE) / (1 - closed * truth.SLOW_SHARE)
    return float(np.log(won / (1 - won)) * np.sqrt(1 + np.pi * SPREAD**2 / 8)) + LIFT


def draw_lives(deals: pd.DataFrame, settings: Settings, rng: np.random.Generator) -> pd.DataFrame:
    """One row per life: columns of its deal, shares and days as in truth.py, fate, ended_at.

    ended_at is when we learn of the end; it may lie after the end of the world.
    """
    twin = deals["twin_of"].to_numpy() >= 0
    whole = np.isin(np.arange(len(deals)), deals["twin_of"].to_numpy()[twin])
    gone = np.where(twin, MERGED_SHARE, np.where(whole, 0.0, DELETED_SHARE))
    lives = deals.assign(
        deal=np.arange(len(deals)),
        life=1,
        began_at=deals["known_at"],
        chance=deals["chance"],
        gone_share=gone,
        gone_days=np.where(twin, MERGED_DAYS, DELETED_DAYS),
    )
    lives = end_lives(lives, rng)
    ready = (lives["fate"].to_numpy() == 1) & (rng.random(len(lives)) < REOPENED_SHARE) & ~twin
    second = lives[ready]
    rest = clock.office_days(
        second["ended_at"].to_numpy() + np.timedelta64(REOPENED_AFTER_DAYS, "D")
    )
    began = clock.office_times(rest + rng.exponential(REOPENED_DAYS, len(second)))
    odds = second["odds"] + 0.4 + rng.normal(0, 0.5, len(second))
    second = second.assign(
        life=2, began_at=began, interest=second["interest"] + 0.2,
        chance=1 / (1 + np.exp(-odds)), gone_share=0.0,
    )  # fmt: skip
    second = end_lives(second, rng)
    begun = second["began_at"].to_numpy() < np.datetime64(settings.last_at, "us")
    return pd.concat([lives, second[begun]], ignore_index=True)


def end_lives(lives: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The keen ones are won sooner, and lost later."""
    interest = np.clip(lives["interest"].to_numpy(), -3, 3)
    lives = lives.assign(
        won_share=(1 - lives["gone_share"]) * lives["chance"],
        won_days=truth.scale(WON_DAYS * np.exp(-0.15 * interest), truth.WON_SHAPE),
        lost_days=truth.scale(LOST_DAYS * np.exp(0.2 * interest), truth.LOST_SHAPE),
    )
    fate, days = truth.draw_fates(lives, rng)
    began = clock.office_days(lives["began_at"].to_numpy())
    return lives.assign(fate=fate, ended_at=clock.office_times(began + days))


def deals_table(
    deals: pd.DataFrame, lives: pd.DataFrame, settings: Settings, rng: np.random.Generator
) -> pd.DataFrame:
    """The table of deals with its custom fields, as they stand at the end of the world."""
    person = people.missing(deals["person_id"].to_numpy(), settings, rng)
    source = people.missing(deals["source"].to_numpy(), settings, rng)
    volume = people.missing(deals["hiring_volume_count"].to_numpy(), settings, rng)
    columns = {
        "deal_id": deals["deal_id"].to_numpy(),
        "organization_id": deals["organization_id"].to_numpy(),
        "person_id": pd.arrays.IntegerArray(np.abs(person), person < 0),
        "occurred_at": deals["occurred_at"].to_numpy(),
        "known_at": deals["known_at"].to_numpy(),
        "source": coded(source, tuple(row[0] for row in SOURCES)),
        "hiring_volume_count": volume,
        "free_mail_address": deals["free_mail_address"].to_numpy(),
        **closing_fields(len(deals), lives, settings, rng),
    }
    return frame(in_order(columns, settings))


def closing_fields(
    count: int, lives: pd.DataFrame, settings: Settings, rng: np.random.Generator
) -> dict:
    """Planted leaks: what sales fills in when it closes a deal, and clears when it reopens it.

    They are values of today. Nobody can say from them what was known while the deal was open.
    """
    last = lives.drop_duplicates("deal", keep="last").sort_values("deal")
    closed = last["ended_at"].to_numpy() < np.datetime64(settings.last_at, "us")
    won = closed & (last["fate"].to_numpy() == 0)
    lost = closed & (last["fate"].to_numpy() == 1)
    reason = np.where(lost, rng.integers(0, len(LOST_REASONS), count), -1)
    length = np.round(rng.lognormal(np.where(won, 5.7, 4.5), 0.6))
    noted = (won | lost) & (rng.random(count) < 0.93)
    discounted = rng.random(count) < np.where(won, 0.94, np.where(lost, 0.05, 0))
    discount = np.round(rng.beta(2, 10, count), 2)
    return {
        "lost_reason": coded(reason, LOST_REASONS),
        "closing_note_length_count": np.where(noted, length, np.nan),
        "final_discount_share": np.where(discounted, discount, np.nan),
    }
