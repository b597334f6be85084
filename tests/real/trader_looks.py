"""Traders who rate each other, as providers: what each way foretells of the next half-year.

rater = customer, rated = provider, rating from -10 to 10 = score. At each look only ratings before
it are known; judged are the ratings of the next half-year of traders who had been rated by then.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from tierwise import shrinkage as sh
from tierwise.providers import recent_shares as rs
from tierwise.providers import satisfaction as sa

FILE = Path(os.environ.get("TIERWISE_REAL_DATA", "")) / "bitcoin_otc" / "soc-sign-bitcoinotc.csv"
LOOKS = pd.date_range("2011-07-01", "2016-01-01", freq="6MS")
FIRST_JUDGED = 2  # looks before it only help to choose the half-life
MOST = 3.0  # ratings are cut to -3 ... 3 by `winsorised`
AGREEMENT = 4.0  # ratings that a rater's agreement is drawn to the mean by
ORIGIN = pd.Timestamp("2010-01-01")


def ratings():
    """customer, provider, score, at_days, outcome (1 for a rating below 0)."""
    names = ["customer", "provider", "score", "at"]
    table = pd.read_csv(FILE, header=None, names=names)
    at_days = (pd.to_datetime(table.pop("at"), unit="s") - ORIGIN) / pd.Timedelta(days=1)
    return table.assign(at_days=at_days, outcome=(table["score"] < 0).astype(int))


def looks_days():
    return [(look - ORIGIN) / pd.Timedelta(days=1) for look in LOOKS]


def drawn_to(total, weight, mean, worth):
    """Weighted means, drawn to a mean that is worth so much weight."""
    return (total + worth * mean) / (weight + worth)


def by_agreement(past, worth):
    """Means with raters weighted by how closely their ratings agree with what others gave."""
    weight = np.ones(len(past))
    for _ in range(5):
        sums = pd.DataFrame({"k": weight * past["score"], "n": weight})
        sums = sums.groupby(past["provider"]).sum()
        means = drawn_to(sums["k"], sums["n"], past["score"].mean(), worth)
        squares = (past["score"] - past["provider"].map(means)) ** 2
        own = squares.groupby(past["customer"]).agg(["sum", "size"])
        noise = drawn_to(own["sum"], own["size"], squares.mean(), AGREEMENT)
        weight = (squares.mean() / past["customer"].map(noise)).to_numpy()
    return means


def scores(past, as_of_days, half_life_days):
    """What each way expects a trader's next rating to be, index provider; the spread and noise."""
    by_trader = past.groupby("provider")["score"]
    plain, size, overall = by_trader.mean(), by_trader.size(), past["score"].mean()
    within = ((past["score"] - past["provider"].map(plain)) ** 2).sum() / (len(past) - len(size))
    prior = sh.normal_prior(plain.to_numpy(), np.sqrt(within / size.to_numpy()))
    worth = within / prior.sd**2
    cut = past.assign(score=past["score"].clip(-MOST, MOST))
    weight = 0.5 ** ((as_of_days - past["at_days"]) / half_life_days)
    faded = pd.DataFrame({"k": weight * past["score"], "n": weight}).groupby(past["provider"]).sum()
    recent = faded["k"].sum() / faded["n"].sum()
    quality = sa.quality(past).providers["quality"]
    columns = {
        "grand mean": overall,
        "plain mean": plain,
        "last rating": past.sort_values("at_days").groupby("provider")["score"].last(),
        "shrunk mean": sh.shrunk_means(plain.to_numpy(), np.sqrt(within / size.to_numpy()))[
            "mean"
        ].set_axis(plain.index),
        "winsorised": drawn_to(
            cut.groupby("provider")["score"].sum(), size, cut["score"].mean(), worth
        ),
        "by agreement": by_agreement(past, worth),
        "quality": overall + quality,
        "faded mean": drawn_to(faded["k"], faded["n"], recent, worth),
    }
    return pd.DataFrame(columns, index=plain.index)


def shares(past, as_of_days, half_life_days):
    """What each way expects of the chance that a trader's next rating is negative."""
    raw = past.groupby("provider")["outcome"].mean()
    columns = {
        "overall share": past["outcome"].mean(),
        "raw share": raw.clip(0.005, 0.995),
        "shrunk share": rs.foretold(past, as_of_days, np.inf)["share"],
        "faded share": rs.foretold(past, as_of_days, half_life_days)["share"],
    }
    return pd.DataFrame(columns, index=raw.index)


def rater_levels(past, quality):
    """How generous each rater is once the traders' qualities are taken off, drawn to 0 by one."""
    left = past["score"] - past["score"].mean() - past["provider"].map(quality)
    sums = left.groupby(past["customer"]).agg(["sum", "size"])
    return drawn_to(sums["sum"], sums["size"], 0.0, 1.0)


def foretold():
    """Every judged rating with what each way expected of it, and the half-life in use."""
    table, looks = ratings(), looks_days()
    judged = rs.losses(table, looks)
    parts = []
    for place in range(FIRST_JUDGED, len(looks) - 1):
        look, end = looks[place], looks[place + 1]
        half_life_days = rs.best_half_life(judged[judged["look_days"] < looks[place - 1] + 1])
        past = table[table["at_days"] < look]
        ahead = table[table["at_days"].between(look, end, inclusive="left")]
        told = scores(past, look, half_life_days).join(shares(past, look, half_life_days))
        found = ahead[ahead["provider"].isin(told.index)].reset_index(drop=True)
        found = found.join(told.loc[found["provider"]].reset_index(drop=True))
        levels = rater_levels(past, told["quality"] - past["score"].mean())
        own = found["customer"].map(levels).fillna(0.0)
        known = {"with rater": found["quality"] + own, "look": place}
        parts.append(found.assign(half_life_days=half_life_days, **known))
    return pd.concat(parts, ignore_index=True), judged


def auc(score, came, weight):
    """Weighted area under the curve, ties half, of rows already in the order of the score."""
    starts = np.flatnonzero(np.r_[True, np.diff(score) != 0])
    won = np.add.reduceat(weight * came, starts)
    lost = np.add.reduceat(weight * (1 - came), starts)
    below = np.cumsum(lost) - lost
    return float((won * (below + lost / 2)).sum() / max(won.sum() * lost.sum(), 1e-300))


def auc_within_looks(rows, score, weight):
    """Mean over looks, weighted by negative ratings: levels of different years do not help."""
    total = count = 0.0
    for _, place in rows.groupby("look").indices.items():
        order = place[np.argsort(score[place], kind="stable")]
        came = rows["outcome"].to_numpy()[order]
        size = (weight[order] * came).sum()
        total += size * auc(score[order], came, weight[order])
        count += size
    return total / count
