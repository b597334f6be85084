"""What the page about attribution measures: where sign-ups come from, K, cycle, and the truth.

carried    by whom a friend was brought: "links" (links and codes), "shared items", or either
K          how many others a member brings in all, see `growth`. Those of links and of shared
           items add up to that of either, as far as both are told without a horizon
growth     of sign-ups a month, from a log-linear trend of sign-ups a day
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from tierwise.attribution import ITSELF, LINK, REFERRED, SHARE
from tierwise.evaluation import wilson
from tierwise.features import microseconds
from tierwise.files import InputError
from tierwise.referrals import chance_credits, growth, referral_chains, sign_up_sources
from tierwise.referrals import growth_forecast as gf
from tierwise.referrals.generation_time import LEAST_WAITS, LEVEL
from tierwise.referrals.referral_data import Tables

LINKS, SHARED, EITHER = "links", "shared items", "either"
BROUGHT_BY = {LINKS: REFERRED, SHARED: (SHARE,), EITHER: (*REFERRED, SHARE)}
GROWTH_DAYS = 365
HONEST = ("office", "family", "dormitory")  # kinds of rings that are no fraud
MONTH_DAYS = 365.25 / 12
FEWEST_A_DAY = 1.0  # below, a trend of sign-ups a day tells nothing


@dataclass(frozen=True)
class Carried:
    """Members by whom one kind of source brought, and the K of that; None where too few came."""

    brood: growth.Brood
    growth: growth.Growth | None


def carried(
    credits: pd.DataFrame, as_of: pd.Timestamp, horizon_days: float, level: float = LEVEL
) -> dict[str, Carried]:
    """By kind of source. credits: of `attribution.attributed`.

    Where the time that it takes can't be told, K is that within horizon_days. Raises InputError
    where fewer than 20 were brought in any way.
    """
    found = {}
    for name, sources in BROUGHT_BY.items():
        brood = growth.brood(growth.with_senders(credits, sources), as_of)
        found[name] = Carried(brood, fitted(brood, horizon_days, level))
    if found[EITHER].growth is None:
        raise InputError(
            f"{int(found[EITHER].brood.brought.sum())} members were brought by others; it takes "
            f"{LEAST_WAITS} to say anything of growth. Give a longer time."
        )
    return found


def main_kind(found: Mapping[str, Carried]) -> str:
    """LINKS, or EITHER where links brought too few."""
    return LINKS if found[LINKS].growth is not None else EITHER


def fitted(brood: growth.Brood, horizon_days: float, level: float) -> growth.Growth | None:
    if brood.brought.sum() < LEAST_WAITS:
        return None
    whole = growth.fit(brood, level)
    if whole.time.told and np.isfinite(whole.high):
        return whole
    inside = growth.within(brood, horizon_days).brought.sum()
    return growth.fit(brood, level, horizon_days) if inside >= LEAST_WAITS else None


def reproduction(
    found: Mapping[str, Carried], matured_days: float, level: float = LEVEL
) -> pd.DataFrame:
    """A row per kind of source that brought enough: brought_by, naive, matured, k, low, high,
    within_days (infinite for K in all), brought_count, members_count."""
    rows = []
    for name, one in found.items():
        if one.growth is None:
            continue
        ways = growth.ways(one.brood, one.growth, matured_days, level).set_index("way")
        whole = ways.loc["corrected"]
        row = {"brought_by": name} | {way: ways.loc[way, "k"] for way in ("naive", "matured")}
        row |= {end: whole[end] for end in ("k", "low", "high")}
        counts = {name: int(whole[name]) for name in ("brought_count", "members_count")}
        rows.append(row | {"within_days": one.growth.horizon_days} | counts)
    names = ["brought_by", "naive", "matured", "k", "low", "high", "within_days"]
    return pd.DataFrame(rows, columns=[*names, "brought_count", "members_count"])


def cycles(found: Mapping[str, Carried], level: float = LEVEL) -> pd.DataFrame:
    """Days from a member's sign-up to that of a friend, a row per kind of source.

    Columns: brought_by, seen_mean_days (too short), mean_days, low, high, told (else the mean could
    be twice as long as well), waits_count; without credits by chance (see `chance_credits`):
    clean_mean_days, clean_low, clean_high, chance_share, chance_low, chance_high.
    """
    rows = []
    for kind, one in found.items():
        if one.growth is None:
            continue
        time, clean = one.growth.time, cleaned(one, level)
        row = {"brought_by": kind, "seen_mean_days": time.seen_mean_days}
        row |= {name: getattr(time, name) for name in ("mean_days", "low", "high", "told")}
        row |= {"waits_count": time.waits_count, "clean_mean_days": clean.mean_days}
        row |= {"clean_low": clean.low, "clean_high": clean.high, "chance_share": clean.share}
        rows.append(row | {"chance_low": clean.share_low, "chance_high": clean.share_high})
    return pd.DataFrame(rows)


def cleaned(one: Carried, level: float = LEVEL) -> chance_credits.Cleaned:
    """Waits without credits by chance, within the horizon of its growth, if it has one."""
    horizon_days = np.inf if one.growth is None else one.growth.horizon_days
    seen = growth.within(one.brood, horizon_days)
    could_be = np.minimum(seen.age_days, horizon_days)[seen.sender[seen.sender >= 0]]
    return chance_credits.fit(seen.waits_days, could_be, level)


def shares(credits: pd.DataFrame, expected: Mapping[str, float] | None) -> pd.DataFrame:
    """sign_up_sources.by_channel with `expected`, the share that somebody said, and `inside`:
    whether the interval holds it; both missing where nobody said anything."""
    said = expected or {}
    names = {LINK: said.get("referral_share"), SHARE: said.get("shared_share")}
    table = sign_up_sources.by_channel(credits)
    table["expected"] = table["channel"].map(names).astype("float64")
    inside = table["expected"].between(table["low"], table["high"])
    return table.assign(inside=inside.astype("boolean").mask(table["expected"].isna()))


def monthly_growth(
    credits: pd.DataFrame, as_of: pd.Timestamp, days: int = GROWTH_DAYS, level: float = LEVEL
) -> list[float]:
    """By what share sign-ups grow a month, low and high end; NaN where too few came in a day."""
    at = microseconds(credits["occurred_at"])
    ago = (microseconds(pd.Series([as_of]))[0] - at) // growth.DAY_US
    ago = ago[(ago >= 0) & (ago < days)]
    if len(ago) < FEWEST_A_DAY * gf.TREND_DAYS:
        return [np.nan] * 3
    place, covariance, _ = gf.trend(np.bincount(ago, minlength=int(ago.max()) + 1), False)
    wide = norm.ppf((1 + level) / 2) * np.sqrt(covariance[1, 1])
    slopes = place[1] + wide * np.array([0, -1, 1])
    return [float(rate) for rate in np.expm1(slopes * MONTH_DAYS / gf.TREND_DAYS)]


def chains(credits: pd.DataFrame) -> pd.DataFrame:
    """The forest of whom links, codes and shared items brought, see `referral_chains.forest`."""
    return referral_chains.forest(growth.with_senders(credits, BROUGHT_BY[EITHER]))


def kinds(credits: pd.DataFrame) -> pd.Series:
    """link, shared item or itself, by person_id."""
    kind = credits["source"].astype("str").replace(dict.fromkeys(REFERRED, LINK))
    return pd.Series(kind.to_numpy(), credits["person_id"].to_numpy("int64"))


def against_truth(credits: pd.DataFrame, truth: Tables | None) -> pd.DataFrame | None:
    """Credited against true: kind, credited_count, true_count and shares of both; right_share, of
    the credited that truly came so and from the same member; found_share, of the true that are
    credited so and to the same member, each with its interval. None where nobody knows the truth.
    """
    if truth is None:
        return None
    parents = truth["parents"].set_index("person_id")
    own = credits.set_index("person_id")
    both = own.index.intersection(parents.index)
    said, true = kinds(credits)[both], parents.loc[both, "kind"]
    sender, parent = (
        column.astype("Int64").fillna(-1)
        for column in (own.loc[both, "sender_id"], parents.loc[both, "parent_id"])
    )
    same = (sender.to_numpy() == parent.to_numpy()) & (said.to_numpy() == true.to_numpy())
    rows = []
    for kind in (LINK, SHARE, ITSELF):
        mine, theirs = (said == kind).to_numpy(), (true == kind).to_numpy()
        hits = int((same & mine).sum())
        row = {"kind": kind, "credited_count": int(mine.sum()), "true_count": int(theirs.sum())}
        row |= {"credited_share": mine.mean(), "true_share": theirs.mean()}
        row |= {"right_share": hits / max(mine.sum(), 1), "right": wilson(hits, mine.sum())}
        row |= {"found_share": hits / max(theirs.sum(), 1), "found": wilson(hits, theirs.sum())}
        rows.append(row)
    return pd.DataFrame(rows)


def growth_against_truth(
    found: Mapping[str, Carried],
    credits: pd.DataFrame,
    as_of: pd.Timestamp,
    truth: Tables | None,
) -> pd.DataFrame | None:
    """K and cycle of links beside those that the world was made with.

    Columns: figure, true, naive, corrected, low, high, inside; and known, known_low, known_high,
    known_inside: the same from true parents without accounts of fraud, which shows what is the
    formula's error and what is that of credits. None where nobody knows, or too few were brought.
    """
    known = None if truth is None else by_true_parents(credits, truth, as_of)
    one = found[LINKS].growth
    if truth is None or one is None or known is None:
        return None
    world, brood = truth["growth"].iloc[0], found[LINKS].brood
    naive = float(growth.within(brood, one.horizon_days).brought.mean())
    clean, days = cleaned(found[LINKS]), known.time
    figures = {
        "figure": ["K by links", "days", "days without chance"],
        "true": [world["k"], world["mean_wait_days"], world["mean_wait_days"]],
        "naive": [naive, one.time.seen_mean_days, one.time.seen_mean_days],
        "corrected": [one.k, one.time.mean_days, clean.mean_days],
        "low": [one.low, one.time.low, clean.low],
        "high": [one.high, one.time.high, clean.high],
        "known": [known.k, days.mean_days, days.mean_days],
        "known_low": [known.low, days.low, days.low],
        "known_high": [known.high, days.high, days.high],
    }
    table = pd.DataFrame(figures)
    for name in ("", "known_"):
        inside = table["true"].between(table[f"{name}low"], table[f"{name}high"])
        table[f"{name}inside"] = inside
    return table


def by_true_parents(
    credits: pd.DataFrame, truth: Tables, as_of: pd.Timestamp
) -> growth.Growth | None:
    """K of honest members as if all credits were right; None where too few were brought."""
    rings = truth["rings"]
    fraud = rings.loc[~rings["kind"].isin(HONEST), "person_id"]
    rows = credits.loc[~credits["person_id"].isin(fraud), ["person_id", "occurred_at"]]
    parents = truth["parents"]
    parent = parents[parents["kind"] == LINK].set_index("person_id")["parent_id"]
    rows = rows.assign(sender_id=rows["person_id"].map(parent).astype("Int64"))
    return fitted(growth.brood(rows, as_of), np.inf, LEVEL)
