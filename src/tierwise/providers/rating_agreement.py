"""Do stars tell providers apart, do they say the same twice, and the same as customers' deeds?

    reliable    another set of as many ratings would order providers alike: share of the variance
                of providers' means that lies between them (ICC, see shrinkage.py)
    agrees      providers with more stars have fewer complaints, happier answers, more returns
    tells       of two visits, the one with a complaint, or no return after it, had fewer stars

Stars may be reliable and say nothing of what customers do, so all three are asked. A customer
who rates one provider often counts once there, with the latest stars: generosity is else taken for
quality.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata

from tierwise import clustered, evaluation, shrinkage
from tierwise.files import InputError
from tierwise.shrinkage import LEVEL

SURE = 0.95  # of intervals of single providers, and to call two of them different
DRAWS_COUNT = 1000
SEED = 20240229
LEAST_PROVIDERS = 10  # for a correlation
TOP_STARS = 5
WANTED = (0.7, 0.8)  # reliabilities
POINTS = (1, 2, 3)  # standard deviations of true shares, in hundredths
YEAR_DAYS = 365.25
AGREED = ["signal", "words", "providers_count", "same_time", "low", "high", "later", "later_low",
          "later_high"]  # fmt: skip
TOLD = ["event", "words", "visits_count", "events_count", "auc", "low", "high", "five_star_share",
        "silent_share"]  # fmt: skip
# What customers do, by provider. The sign says which way stars should go with it.
SIGNALS = {
    "points": ("answers in surveys by lot", 1),
    "favourite": ("saved as a favourite", 1),
    "returned": ("customers who came back", 1),
    "complaint": ("complaints", -1),
    "black_list": ("black lists", -1),
    "true_quality": ("true quality (simulated)", 1),
}
EVENTS = {
    "stopped": "the customer did not come back",
    "complaint": "the customer complained about the visit",
    "black_list": "the customer black-listed the provider",
    "unhappy": "an unhappy answer in a survey by lot",
}


@dataclass(frozen=True)
class Reliability:
    """icc: of single stars; top_icc: of five stars or not; needed: ratings for each of WANTED,
    fewest: for the first, by the upper end of the ICC where the lower one is 0 or less;
    halves, stepped_up: split-half correlation and what it says of the whole; a provider has
    median_count ratings, a year of them yearly_count; of_median: reliability of that many;
    enough_share: of providers that have the fewest."""

    icc: shrinkage.Icc
    top_icc: shrinkage.Icc
    needed: tuple[float, ...]
    fewest: float
    halves: float
    stepped_up: float
    median_count: float
    yearly_count: float
    of_median: float
    enough_share: float
    providers_count: int


def icc_of_shares(share: float, sd_share: float) -> float:
    """ICC of a yes or no of which providers have this mean share, and shares with this sd."""
    return sd_share**2 / (share * (1 - share))


def once_per_pair(rows: pd.DataFrame) -> pd.DataFrame:
    """The latest rated visit of each customer with each provider."""
    rated = rows[rows["stars"].notna()].sort_values("at_days", kind="stable")
    return rated.drop_duplicates(["customer", "provider"], keep="last").sort_index()


def reliability(rows: pd.DataFrame, level: float = LEVEL) -> Reliability:
    """Of visits as from `rating_audit.audited`. Raises InputError where no provider has two."""
    rated = once_per_pair(rows)
    stars, provider = rated["stars"].to_numpy("float64"), rated["provider"].to_numpy()
    found = icc(stars, provider, level)
    top = icc((stars == TOP_STARS).astype("float64"), provider, level)
    needed = tuple(shrinkage.values_needed(found.single, one) for one in WANTED)
    fewest = needed[0] if found.low > 0 else shrinkage.values_needed(found.high, WANTED[0])
    halves, whole = halved(stars, provider)
    counts = rated.groupby("provider").size()
    years = max(float(np.ptp(rows["at_days"].to_numpy())) / YEAR_DAYS, 1e-9)
    of_median = shrinkage.stepped_up(max(found.single, 0.0), float(counts.median()))
    return Reliability(
        found, top, needed, fewest, halves, whole, float(counts.median()),
        float(counts.median()) / years, of_median, float((counts >= fewest).mean()), len(counts),
    )  # fmt: skip


def icc(values: np.ndarray, provider: np.ndarray, level: float) -> shrinkage.Icc:
    """As in shrinkage.py; 0 where all values are alike, for then nothing tells providers apart."""
    if np.ptp(values) > 0:
        return shrinkage.icc(values, provider, level)
    return shrinkage.Icc(0.0, 0.0, 0.0, 0.0, len(values) / len(np.unique(provider)))


def halved(stars: np.ndarray, provider: np.ndarray) -> tuple[float, float]:
    """Split-half, NaN where all stars are alike or fewer than 3 providers have two ratings."""
    if np.ptp(stars) == 0 or (pd.Series(provider).value_counts() >= 2).sum() < 3:
        return np.nan, np.nan
    return shrinkage.split_half(stars, provider)


def needed_table(found: Reliability, top_share: float) -> pd.DataFrame:
    """How many ratings a provider needs: differences, icc, and a column for each of WANTED.

    As measured here, at the most that the interval allows, and if providers' true shares of five
    stars had a standard deviation of 1, 2 or 3 points. Infinite where providers do not differ.
    """
    cases = {"as measured here": found.icc.single, "at most, by the interval": found.icc.high}
    for points in POINTS:
        cases[f"if shares differed by {points} points"] = icc_of_shares(top_share, points / 100)
    lines = []
    for words, icc in cases.items():
        line = {"differences": words, "icc": icc}
        needed = {f"ratings_for_{one:.0%}": shrinkage.values_needed(icc, one) for one in WANTED}
        lines.append(line | {name: float(np.ceil(count)) for name, count in needed.items()})
    return pd.DataFrame(lines)


def by_provider(rows: pd.DataFrame) -> pd.DataFrame:
    """Index provider; visits_count, ratings_count, top_count, top_share, low, high (Wilson, 95 %),
    stars_mean, and the mean of each of SIGNALS that is there. Most ratings first."""
    rows = rows.assign(top=(rows["stars"] == TOP_STARS).where(rows["stars"].notna()))
    groups = rows.groupby("provider", sort=True)
    table = groups.agg(visits_count=("stars", "size"), ratings_count=("stars", "count"))
    table["top_count"] = groups["top"].sum().astype("int64")
    table["top_share"] = table["top_count"] / table["ratings_count"].where(
        table["ratings_count"] > 0
    )
    ends = [
        evaluation.wilson(top, count, SURE)
        for top, count in zip(table["top_count"], table["ratings_count"], strict=True)
    ]
    table[["low", "high"]] = np.array(ends).reshape(-1, 2)
    table["stars_mean"] = groups["stars"].mean()
    table["returned"] = 1 - groups["stopped"].mean()
    for name in ("points", "favourite", "complaint", "black_list"):
        table[name] = groups[name].mean()
    return table.sort_values("ratings_count", ascending=False, kind="stable")


def told_apart(table: pd.DataFrame) -> tuple[float, int]:
    """Share of pairs of providers whose five-star shares differ surely (95 %), and how many pairs.

    Newcombe's interval of a difference from Wilson's of both (Statistics in Medicine 17, 1998,
    method 10). Of providers that are all alike, up to one pair in 20 is told apart by luck. NaN
    where fewer than two providers have ratings.
    """
    rated = table[table["ratings_count"] > 0]
    share, low, high = (rated[name].to_numpy("float64") for name in ("top_share", "low", "high"))
    one, other = np.triu_indices(len(rated), k=1)
    gap = share[one] - share[other]
    down = np.hypot(share[one] - low[one], high[other] - share[other])
    up = np.hypot(high[one] - share[one], share[other] - low[other])
    apart = (gap - down > 0) | (gap + up < 0)
    return (float(apart.mean()) if len(apart) else np.nan), len(apart)


def agreement(
    rows: pd.DataFrame,
    least_ratings: int,
    true_quality: pd.Series | None = None,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Spearman correlation over providers of mean stars with each of SIGNALS, better up.

    Columns: signal, words, providers_count, same_time, low, high (providers drawn again), and
    later, later_low, later_high: stars of the earlier half of the time with signals of the later
    half, which no single visit can bring about. Providers with fewer than least_ratings ratings,
    for `later` half of them in the first half, are left out; a signal with fewer than 10 providers
    has no row. true_quality: by provider.
    """
    middle = float(np.median(rows["at_days"]))
    whole = by_provider(rows)
    first = by_provider(rows[rows["at_days"] < middle])
    second = by_provider(rows[rows["at_days"] >= middle])
    if true_quality is not None:
        whole, second = (one.assign(true_quality=true_quality) for one in (whole, second))
    whole = whole[whole["ratings_count"] >= least_ratings]
    first = first[first["ratings_count"] >= least_ratings / 2]
    lines = []
    for name, (words, sign) in SIGNALS.items():
        if name not in whole:
            continue
        same = drawn_again(whole["stars_mean"], sign * whole[name], level)
        later = drawn_again(first["stars_mean"], sign * second[name], level)
        if same is None:
            continue
        line = {"signal": name, "words": words, "providers_count": same[3]}
        line |= dict(zip(("same_time", "low", "high"), same[:3], strict=True))
        ends = later[:3] if later else (np.nan,) * 3
        lines.append(line | dict(zip(("later", "later_low", "later_high"), ends, strict=True)))
    return pd.DataFrame(lines, columns=AGREED)


def drawn_again(
    one: pd.Series, other: pd.Series, level: float = LEVEL
) -> tuple[float, float, float, int] | None:
    """Spearman correlation, its ends and the number of providers; None for too few.

    Ends: on Fisher's scale, by the spread of it over draws of providers with replacement.
    """
    pair = pd.concat([one, other], axis=1, join="inner").dropna().to_numpy("float64")
    if len(pair) < LEAST_PROVIDERS or (np.ptp(pair, axis=0) == 0).any():
        return None
    rng = np.random.default_rng(SEED)
    picks = rng.integers(0, len(pair), (DRAWS_COUNT, len(pair)))
    drawn = [rankdata(pair[:, side][picks], axis=1) for side in (0, 1)]
    value = correlation(*(rankdata(pair[:, side])[None] for side in (0, 1)))[0]
    scaled = np.arctanh(np.clip(correlation(*drawn), -0.999999, 0.999999))
    wide = norm.ppf((1 + level) / 2) * np.nanstd(scaled)
    at = np.arctanh(np.clip(value, -0.999999, 0.999999))
    return float(value), float(np.tanh(at - wide)), float(np.tanh(at + wide)), len(pair)


def correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Row by row; NaN where one side does not vary."""
    one, other = (side - side.mean(axis=1, keepdims=True) for side in (one, other))
    size = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    product = (one * other).sum(axis=1)
    return np.divide(product, size, out=np.full(len(size), np.nan), where=size > 0)


def telling(rows: pd.DataFrame, unhappy_points: float, level: float = LEVEL) -> pd.DataFrame:
    """Per event of EVENTS: how well its visits are told by few stars.

    Columns: event, words, visits_count (rated ones whose end is known), events_count, auc, low,
    high, five_star_share (of the events' visits: gave five stars all the same) and silent_share (of
    all visits with the event: not rated). Events seen fewer than twice among rated visits, or
    always, have no row.
    """
    events = {
        name: rows[name].to_numpy("float64") for name in ("stopped", "complaint", "black_list")
    }
    points = rows["points"].to_numpy("float64")
    events["unhappy"] = np.where(np.isfinite(points), points <= unhappy_points, np.nan)
    lines = []
    for name, words in EVENTS.items():
        happened = events[name]
        known = np.isfinite(happened)
        part = rows[known & rows["stars"].notna().to_numpy()]
        outcome = happened[part.index]
        if outcome.sum() < 2 or outcome.all():
            continue
        stars = part["stars"].to_numpy("float64")
        found = clustered.auc(outcome, -stars, part["customer"].to_numpy(), level)
        line = {"event": name, "words": words, "visits_count": len(part)}
        line |= {"events_count": int(outcome.sum()), "auc": found.value}
        line |= {"low": found.low, "high": found.high}
        line["five_star_share"] = float((stars[outcome == 1] == TOP_STARS).mean())
        line["silent_share"] = float(rows.loc[known & (happened == 1), "stars"].isna().mean())
        lines.append(line)
    return pd.DataFrame(lines, columns=TOLD)


def spaced(table: pd.DataFrame, count: int, least_ratings: int) -> pd.DataFrame:
    """`count` providers from the lowest to the highest five-star share, evenly spaced between."""
    rated = table[table["ratings_count"] >= least_ratings].sort_values("top_share", kind="stable")
    if rated.empty:
        raise InputError(
            f"No provider has {least_ratings} ratings. Lower least_ratings, or give a longer time."
        )
    places = np.unique(np.linspace(0, len(rated) - 1, min(count, len(rated))).round().astype(int))
    return rated.iloc[places]
