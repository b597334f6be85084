"""The two simulated marketplaces by which the methods for providers are judged, with their truth.

All is simulated.

Sizes and what differs are given; what else there is to choose is set so that
the naive rules err as they are known to: the raw mean, and the window of 30 days.
"""

import numpy as np
import pandas as pd

UNTIL_DAYS = 365.0
LEVEL_SD = 1.4
EFFECT_SD, SIZE_SD, PULL_SD, ALPHA_DAYS = 0.5, 0.4, 0.8, 23.5


def satisfaction_world(seed, provider_count=120, customer_count=3000, generous_pull=0.8):
    """Visits with a score = customer's level + provider's quality + noise, and the qualities.

    Customers differ in generosity, the generous prefer some providers, whatever their quality, and
    40 % of customers are loyal to one.
    """
    random = np.random.default_rng(seed)
    quality = random.normal(0, 0.5, provider_count)
    appeal = random.normal(0, 1, provider_count)
    level = random.normal(0, LEVEL_SD, customer_count)
    loyal = random.random(customer_count) < 0.4
    utility = generous_pull * level[:, None] * appeal
    share = np.exp(utility - utility.max(axis=1, keepdims=True))
    share = np.cumsum(share / share.sum(axis=1, keepdims=True), axis=1)
    counts = 1 + random.poisson(5, customer_count)
    customer = np.repeat(np.arange(customer_count), counts)
    provider = (random.random(len(customer))[:, None] > share[customer]).sum(axis=1)
    provider = np.minimum(provider, provider_count - 1)
    first = np.r_[0, np.cumsum(counts)[:-1]]
    provider = np.where(loyal[customer], provider[first][customer], provider)
    score = level[customer] + quality[provider] + random.normal(0, 1, len(customer))
    at_days = random.uniform(0, UNTIL_DAYS, len(customer))
    visits = pd.DataFrame(
        {"customer": customer, "provider": provider, "at_days": at_days, "score": score}
    )
    return visits, pd.Series(quality)


ACTIONS = {"favourite": (-1.5, 1.0), "tip": (-1.0, 0.6), "review": (-2.0, 0.8)}
ACTIONS |= {"complaint": (-3.0, -1.2), "black_list": (-4.0, -1.5), "question": (-1.0, 0.0)}


def acting_world(seed, **sizes):
    """The same world told in actions: counts of each after every visit, and whether one returned.

    Pleasure is level + quality; each action has log odds of a base and so much per pleasure, and
    is so taken by the generous more readily. So is a return.
    """
    visits, truth = satisfaction_world(seed, **sizes)
    random = np.random.default_rng(seed + 10_000)
    pleasure = visits["score"].to_numpy()
    actions = pd.DataFrame(
        {
            name: random.random(len(visits)) < 1 / (1 + np.exp(-base - slope * pleasure))
            for name, (base, slope) in ACTIONS.items()
        }
    ).astype(int)
    returned = random.random(len(visits)) < 1 / (1 + np.exp(-0.5 - 0.8 * pleasure))
    return visits.drop(columns="score"), actions, returned.astype(float), truth


def drop_out_world(seed, provider_count=150, customer_count=6000, evenness=1.0):
    """Visits of a year, and each provider's true rate on the marketplace's mix of visits.

    Customers start all year long, visit at a rate of their own, and stop after a visit with a
    chance that depends on the provider, the visit number and the segment. Providers differ in size,
    in the share of first-timers they get and of homes and offices. evenness: 1 for visits at random,
    as the model assumes; above for gaps that are more alike.
    """
    random = np.random.default_rng(seed)
    effect = random.normal(0, EFFECT_SD, provider_count)
    size = random.normal(0, SIZE_SD, provider_count)
    first_pull = random.normal(0, PULL_SD, provider_count)
    office_pull = random.normal(0, 0.5, provider_count)
    office = random.random(customer_count) < 0.3
    rate = random.gamma(1.5, 1 / ALPHA_DAYS, customer_count)
    starts = random.uniform(0, UNTIL_DAYS, customer_count)
    pulls = {
        (new, at_office): chances(size + new * first_pull + at_office * office_pull)
        for new in (True, False)
        for at_office in (True, False)
    }
    rows = []
    for customer in range(customer_count):
        at, number, provider = starts[customer], 1, -1
        while at <= UNTIL_DAYS:
            if number == 1 or random.random() < 0.4:
                pull = pulls[number == 1, office[customer]]
                provider = int(np.searchsorted(pull, random.random() * pull[-1]))
            rows.append((customer, provider, at, office[customer], number))
            log_odds = -1.15 - 0.35 * np.log(number) - 0.3 * office[customer]
            if random.random() < 1 / (1 + np.exp(-log_odds - effect[provider])):
                break
            at += random.gamma(evenness, 1 / (evenness * rate[customer]))
            number += 1
    columns = ["customer", "provider", "at_days", "segment", "number"]
    visits = pd.DataFrame(rows, columns=columns)
    visits["segment"] = np.where(visits["segment"], "office", "home")
    mix = visits.groupby(["number", "segment"]).size()
    number = mix.index.get_level_values("number").to_numpy()
    offset = (
        -1.15 - 0.35 * np.log(number) - 0.3 * (mix.index.get_level_values("segment") == "office")
    )
    truth = 1 / (1 + np.exp(-offset[:, None] - effect)) * (mix / mix.sum()).to_numpy()[:, None]
    return visits.drop(columns="number"), pd.Series(truth.sum(axis=0))


def chances(utility):
    """Running total of the shares of a softmax."""
    return np.cumsum(np.exp(utility - utility.max()))


def window_rate(visits, days=30.0):
    """The naive rule: share of visits that no other one followed within so many days."""
    ordered = visits.sort_values(["customer", "at_days"])
    gap = -ordered.groupby("customer")["at_days"].diff(-1)
    over = ordered["at_days"] + days <= UNTIL_DAYS
    return (~(gap <= days))[over].groupby(ordered["provider"]).mean()


def last_provider_rate(visits, days=90.0):
    """The naive rule: all who are silent for so long are lost to the provider of the last visit."""
    ordered = visits.sort_values(["customer", "at_days"])
    last = ~ordered.duplicated("customer", keep="last")
    lost = last & (ordered["at_days"] + days <= UNTIL_DAYS)
    return lost.groupby(ordered["provider"]).mean()


def constant_quarters(seed, provider_count=400, quarter_count=8, noise_sd=1.0):
    """True scores that never change, and what each quarter shows of them (value, precision)."""
    random = np.random.default_rng(seed)
    truth = random.normal(0, 1, provider_count)
    quarters = [
        pd.DataFrame(
            {
                "value": truth + random.normal(0, noise_sd, provider_count),
                "precision": noise_sd**-2,
                "effective_visits": 20.0,
            }
        )
        for _ in range(quarter_count)
    ]
    return pd.Series(truth), quarters
