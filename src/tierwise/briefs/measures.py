"""What rows say of an account, as numbers and one sentence each.

A measure sees only the rows that its fact will cite, and gives the same for them as for the whole
tables: so a fact can be computed again from its citations, and it is (`briefs.checked`). Two
comparisons are known, both by the rows that are given along:

    peers    companies of the same industry and size band
    past     the account itself, one window earlier

The size of a difference is standardised: shares by the spread of two binomial shares, amounts by
the spread among the peers, or by the spread that is usual from one window to the next.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise.account_tables import LEVELS
from tierwise.briefs.settings import Case, Settings

PEERS, PAST = "peers", "past"
MIX = ("function", "level")
LEADING = LEVELS[LEVELS.index("manager") :]
LARGEST = 5.0  # beyond this a difference is no more remarkable
LEAST_SPREAD = {"growth": 0.05, "use": 0.25, "benchmark": 0.25}
USUAL_CHANGE = {"growth": 0.15, "use": 0.35, "benchmark": 0.5}
Rows = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Told:
    """other: what `value` is compared with; others_count: how many peers, None against the past."""

    value: float
    unit: str
    other: float
    others_count: int | None
    standardised: float
    sentence: str


def within(
    rows: pd.DataFrame, span: tuple[pd.Timestamp, pd.Timestamp], column: str = "occurred_at"
) -> pd.DataFrame:
    """The rows of a window, its begin included, its end not."""
    begin, end = (ex.known_before(rows, edge, column) for edge in span)
    return rows[end & ~begin]


def there(positions: pd.DataFrame, instant: pd.Timestamp) -> pd.Series:
    """Mask of the positions that were held then."""
    ended = ex.known_before(positions, instant, "ended_at")
    return ex.known_before(positions, instant, "occurred_at") & ~ended


def last_values(rows: pd.DataFrame, column: str) -> pd.Series:
    """The last value of each account that is not missing, by account_id. rows: by known_at."""
    there = rows[column].notna().to_numpy()
    told = pd.Series(rows[column].array[there], rows["account_id"].to_numpy()[there], name=column)
    return told[~told.index.duplicated(keep="last")]


def band_of(employees: pd.Series, bands: tuple[int, ...]) -> pd.Series:
    """Number of the size band, 0 for the smallest companies."""
    return pd.Series(np.searchsorted(np.array(bands), employees, side="right"), employees.index)


def peer_groups(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """industry and band of each account of which both are known, by account_id."""
    found = pd.DataFrame({"industry": last_values(rows, "industry")}).join(
        last_values(rows, "employees_count"), how="inner"
    )
    return found.assign(band=band_of(found["employees_count"], settings.size_bands))


def peers(rows: Rows, case: Case) -> np.ndarray:
    """account_id of the companies of the same industry and size band, without the account."""
    groups = peer_groups(rows["accounts"], case.settings)
    if case.account_id not in groups.index:
        return np.zeros(0, "int64")
    own = groups.loc[case.account_id]
    same = (groups["industry"] == own["industry"]) & (groups["band"] == own["band"])
    found = groups.index[same].to_numpy()
    return found[found != case.account_id]


def growth(rows: Rows, case: Case, others: np.ndarray) -> Told | None:
    """Headcount against a year ago."""
    now, count = grown(rows, case), None
    if case.account_id not in now.index:
        return None
    own = now.loc[case.account_id]
    if case.against == PEERS:
        shares = now["share"].reindex(others).dropna()
        if len(shares) < case.settings.peers_least_count:
            return None
        count, (other, size) = len(shares), against_peers("growth", own["share"], shares)
        rest = f"the median of {count} peers {by_share(other)}"
    else:
        before = grown(rows, case, 1)
        if case.account_id not in before.index:
            return None
        other = before.loc[case.account_id, "share"]
        size = bounded((own["share"] - other) / USUAL_CHANGE["growth"])
        rest = f"the year before it {by_share(other)}"
    people = f"from {own['before']:,.0f} to {own['now']:,.0f} people"
    text = f"Headcount {by_share(own['share'])} in a year, {people}; {rest}."
    return Told(float(own["share"]), "share", float(other), count, size, text)


def grown(rows: Rows, case: Case, back: int = 0) -> pd.DataFrame:
    """now, before and share by account: last headcount of the year and last one before it."""
    begin, end = case.year(back)
    versions = rows["accounts"]
    now = last_values(within(versions, (begin, end), "known_at"), "employees_count")
    earlier = versions[ex.known_before(versions, begin, "known_at")]
    found = pd.DataFrame({"now": now, "before": last_values(earlier, "employees_count")}).dropna()
    found = found[found["before"] > 0]
    return found.assign(share=found["now"] / found["before"] - 1)


def use(rows: Rows, case: Case, others: np.ndarray) -> Told | None:
    """Actions in the product per day."""
    days, count = case.settings.use_days, None
    seen = within(rows["product_use"], case.season())
    per_day = totals(seen, "actions_count") / days
    own = float(per_day.get(case.account_id, 0.0))
    text = f"{own:,.1f} product actions a day in the last {days:.0f} days"
    if case.against == PEERS:
        theirs = per_day.reindex(others, fill_value=0.0)
        count = len(theirs)
        if count < case.settings.peers_least_count:
            return None
        other, size = float(np.median(theirs)), in_logs("use", own, theirs)
        text += f"; the median of {count} peers is {other:,.1f}."
    else:
        earlier = within(rows["product_use"], case.season(1))
        other = float(earlier["actions_count"].sum()) / days
        if other == 0:
            return None
        # Few days of use say little of a change, so they widen what is usual.
        spread = np.sqrt(USUAL_CHANGE["use"] ** 2 + 1 / (1 + len(seen)) + 1 / len(earlier))
        size = bounded((np.log1p(own) - np.log1p(other)) / spread)
        text += f", {changed(own / other - 1)} {other:,.1f} in the {days:.0f} days before."
    return Told(own, "actions a day", other, count, size, text)


def benchmark(rows: Rows, case: Case, others: np.ndarray) -> Told | None:
    """Spend of a year per employee, and the place among peers."""
    people, count = last_values(rows["accounts"], "employees_count"), None
    spent = totals(within(rows["spend"], case.year()), "amount_eur").reindex(people.index)
    each = (spent / people)[people > 0].dropna()
    own = float(each.get(case.account_id, 0.0))
    if not own > 0:
        return None
    text = f"€{own:,.0f} spent per employee in a year"
    if case.against == PEERS:
        theirs = each[each > 0].reindex(others).dropna()
        count = len(theirs)
        if count < case.settings.peers_least_count:
            return None
        other, place = float(np.median(theirs)), 1 + int((theirs > own).sum())
        size = in_logs("benchmark", own, theirs)
        text += f", place {place} of {count + 1} among the peers that spent; their median"
        text += f" is €{other:,.0f}."
    else:
        earlier = totals(within(rows["spend"], case.year(1)), "amount_eur")
        other = float(earlier.get(case.account_id, 0.0)) / float(people[case.account_id])
        if other == 0:
            return None
        size = bounded((np.log1p(own) - np.log1p(other)) / USUAL_CHANGE["benchmark"])
        text += f", {changed(own / other - 1)} €{other:,.0f} the year before."
    return Told(own, "eur per employee", other, count, size, text)


def hiring(rows: Rows, case: Case, others: np.ndarray) -> Told | None:
    """The mix of a year's hires: the function, or leading roles, whose share differs most."""
    hires = within(rows["positions"], case.year())
    own = hires[hires["account_id"] == case.account_id]
    if case.against == PEERS:
        compared = hires[hires["account_id"].isin(others)]
    else:
        compared = within(rows["positions"], case.year(1))
    functions, levels = ([words_in(part[name]) for part in (own, compared)] for name in MIX)
    mixes = [(functions, f"for {name}", (name,)) for name in sorted(functions[0])]
    found = []
    for parts, words, values in (*mixes, (levels, "in leading roles", LEADING)):
        counts = [(sum(part[one] for one in values), part.total()) for part in parts]
        if counts[0][0] >= case.settings.hires_named_count:
            told = f"hires in a year were {words}"
            found.append(of_shares(case, others, counts, case.settings.hires_least_count, told))
    supported = [one for one in found if one is not None]
    return max(supported, key=lambda one: abs(one.standardised)) if supported else None


def words_in(column: pd.Series) -> Counter[str]:
    """How often each word is there; missing ones don't count."""
    return Counter(word for word in column if isinstance(word, str))


def attrition(rows: Rows, case: Case, others: np.ndarray, function: str = "") -> Told | None:
    """Share of those who were there a year ago that have left."""
    own = np.array([case.account_id])
    back = int(case.against == PAST)
    ids = others if case.against == PEERS else own
    counts = [left(rows["positions"], case, 0, own, function)]
    counts.append(left(rows["positions"], case, back, ids, function))
    least = case.settings.people_least_count
    if function:
        least = case.settings.recruiters_least_count
    who = "recruiters" if function else "people"
    return of_shares(case, others, counts, least, f"{who} known there a year ago have left")


def recruiters(rows: Rows, case: Case, others: np.ndarray) -> Told | None:
    """Turnover of recruiters: the same of those who recruited a year ago."""
    return attrition(rows, case, others, "recruiting")


def left(
    positions: pd.DataFrame, case: Case, back: int, ids: np.ndarray, function: str
) -> tuple[int, int]:
    """How many of the people who were at these accounts when a year began had left at its end."""
    begin, end = case.year(back)
    held = positions[np.isin(positions["account_id"].to_numpy(), ids)]
    first = there(held, begin).to_numpy()
    if function:
        first = first & (held["function"] == function).to_numpy()
    persons, names = pd.factorize(held["person_id"])
    seat = pd.factorize(held["account_id"])[0] * len(names) + persons
    cohort = np.unique(seat[first])
    return int((~np.isin(cohort, seat[there(held, end)])).sum()), len(cohort)


def of_shares(
    case: Case, others: np.ndarray, counts: list[tuple[int, int]], least: int, words: str
) -> Told | None:
    """Own count of total against another; None where a total is too small."""
    (some, every), (other_some, other_every) = counts
    count = len(others) if case.against == PEERS else None
    few = count is not None and count < case.settings.peers_least_count
    if few or every < least or other_every < least:
        return None
    value, compared = some / every, other_some / other_every
    pooled = (some + other_some + 1) / (every + other_every + 2)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / every + 1 / other_every))
    rest = "the year before it was" if count is None else f"at {count} peers it was"
    text = f"{some:,} of {every:,} {words} ({value:.0%}); {rest} {compared:.0%}."
    size = bounded((value - compared) / spread)
    return Told(value, "share", compared, count, size, text.replace("%", " %"))


def totals(rows: pd.DataFrame, column: str) -> pd.Series:
    return rows.groupby("account_id")[column].sum()


def against_peers(topic: str, own: float, others: pd.Series) -> tuple[float, float]:
    """Median of the peers, and how many (robust) spreads of theirs the account lies from it."""
    median = float(np.median(others))
    spread = 1.4826 * float(np.median(np.abs(others - median)))
    return median, bounded((own - median) / max(spread, LEAST_SPREAD[topic]))


def in_logs(topic: str, own: float, others: pd.Series) -> float:
    """The same size of amounts, in which twice as much is as far as half as much."""
    return against_peers(topic, float(np.log1p(own)), np.log1p(others))[1]


def bounded(size: float) -> float:
    return float(np.clip(size, -LARGEST, LARGEST))


def by_share(share: float) -> str:
    """grew by 12 %"""
    if round(abs(share), 2) == 0:
        return "stayed the same"
    return f"{'grew' if share > 0 else 'shrank'} by {abs(share):.0%}".replace("%", " %")


def changed(share: float) -> str:
    """12 % more than"""
    if round(abs(share), 2) == 0:
        return "about the same as"
    return f"{abs(share):.0%} {'more' if share > 0 else 'less'} than".replace("%", " %")


MEASURES: dict[str, Callable[[Rows, Case, np.ndarray], Told | None]] = {
    "growth": growth,
    "hiring": hiring,
    "attrition": attrition,
    "recruiters": recruiters,
    "use": use,
    "benchmark": benchmark,
}
