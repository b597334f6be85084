"""Visits of simulated marketplaces whose silent customers' stars are known. All is simulated."""

import numpy as np
import pandas as pd
from scipy.special import expit, logit

START_DAYS = 8500.0
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
# Share of five stars in complaining_world, had everybody rated.
COMPLAINING_TRUTH = 0.8 * float(expit(3.5 + 0.7 * NODES) @ WEIGHTS / WEIGHTS.sum()) + 0.2 * 0.5


def plain_visits(seed=0, customer_count=400, per_customer=5, provider_count=20, days=700.0):
    """Columns as from rating_audit.audited, nothing of interest in them yet: nobody rated."""
    random = np.random.default_rng(seed)
    count = customer_count * per_customer
    visits = pd.DataFrame({"customer": np.repeat(np.arange(customer_count), per_customer)})
    visits["provider"] = random.integers(0, provider_count, count)
    visits["at_days"] = START_DAYS + random.uniform(0, days, count)
    visits["number"] = np.tile(np.arange(1, per_customer + 1), customer_count)
    visits["segment"] = np.where(random.random(count) < 0.25, "office", "home")
    visits["chosen"] = random.random(count) < 0.5
    visits["reminded"] = random.random(count) < 0.5
    visits["late_minutes"] = random.exponential(8.0, count)
    visits["amount_eur"] = random.lognormal(4.0, 0.5, count)
    for name in ("complaint", "black_list", "favourite", "tip"):
        visits[name] = (random.random(count) < 0.1).astype("int64")
    visits["stars"] = np.nan
    visits["with_text"] = False
    visits["asked"], visits["points"] = False, np.nan
    visits["stopped"] = (random.random(count) < 0.1).astype("float64")
    return visits


def rated(visits, stars, chance, seed=1):
    """The visits, rated with this chance, and whose stars would be these."""
    random = np.random.default_rng(seed)
    seen = random.random(len(visits)) < chance
    return visits.assign(stars=np.where(seen, stars, np.nan))


def reluctant_world(seed, customer_count=1500, slope=-0.2):
    """Who rates depends on a reluctance u from 0 to 1, and five stars on it, on a straight line.

    A visit is rated where u is below 0.35, with a reminder 0.55. Returns visits and the true share
    of five stars.
    """
    random = np.random.default_rng(seed)
    visits = plain_visits(seed, customer_count, 4)
    u = random.random(len(visits))
    top = random.random(len(visits)) < 0.98 + slope * u
    seen = u < np.where(visits["reminded"], 0.55, 0.35)
    stars = np.where(top, 5.0, 3.0)
    return visits.assign(stars=np.where(seen, stars, np.nan)), 0.98 + slope / 2


def complaining_world(seed, customer_count=600):
    """Those who complain rate less and give fewer stars; else response has nothing to do with
    them. Returns visits and what the silent would have given, too."""
    random = np.random.default_rng(seed)
    visits = plain_visits(seed, customer_count, 5)
    habit = np.repeat(random.normal(0, 1, customer_count), 5)
    sad = random.random(len(visits)) < 0.2
    top = random.random(len(visits)) < expit(np.where(sad, 0.0, 3.5) + 0.7 * habit)
    stars = np.where(top, 5.0, 2.0)
    chance = expit(logit(0.5) - 1.5 * sad + 0.5 * visits["reminded"])
    return rated(visits.assign(complaint=sad.astype("int64")), stars, chance, seed + 1), stars


def surveyed_world(seed, asked_share=0.5, customer_count=1500):
    """Response depends on pleasure, which surveys by lot ask for, and nothing else shows."""
    random = np.random.default_rng(seed)
    visits = plain_visits(seed, customer_count, 4)
    pleasure = random.normal(0, 1, len(visits))
    top = random.random(len(visits)) < expit(2.0 + 1.5 * pleasure)
    stars = np.where(top, 5.0, 3.0)
    visits = rated(visits, stars, expit(-0.3 + 0.9 * pleasure), seed + 1)
    asked = random.random(len(visits)) < asked_share
    points = np.clip(np.round(7 + 1.6 * pleasure), 0, 10)
    return visits.assign(asked=asked, points=np.where(asked, points, np.nan)), stars


def telling_world(seed, spread=1.0, provider_count=40, customer_count=2000):
    """Providers differ by so much (in log odds of five stars); quality moves stars, answers and
    deeds alike. Returns visits and the qualities."""
    random = np.random.default_rng(seed)
    visits = plain_visits(seed, customer_count, 5, provider_count)
    quality = random.normal(0, 1, provider_count)
    pleasure = quality[visits["provider"]] + random.normal(0, 0.5, len(visits))
    low = random.random(len(visits)) < expit(-1.0 - 2 * spread * pleasure)
    visits = rated(visits, np.where(low, 2.0, 5.0), 0.5, seed + 1)
    lost = (random.random(len(visits)) < expit(-2 - 2 * spread * pleasure)).astype("float64")
    points = np.clip(7 + 2 * pleasure * min(spread, 1), 0, 10)
    visits = visits.assign(stopped=lost, complaint=lost.astype("int64"))
    return visits.assign(asked=True, points=points), pd.Series(quality)
