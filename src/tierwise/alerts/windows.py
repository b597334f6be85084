"""Changes of a pace: hiring doubled, usage fell. Looked at for every day, by what was known then.

A day D is judged by the rows that occurred before D and were known before D + settle_days. Rows
that come later count from the day on by which they were known. So no later row changes what was
found for D. All days are judged at once: each row adds its value on the first day of its window
and takes it away after the last one, and a running total over the days does the rest.

Days are whole numbers (since 1970) here: windows are sums and differences, not comparisons of
dates. Memory is accounts with use times days times eight bytes, a few arrays of it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binom

from tierwise.account_tables import KEYS
from tierwise.accounts import Tables, our_account
from tierwise.alerts.ground import Asked, called, counted, no_episodes
from tierwise.alerts.people import joined
from tierwise.calls.text import date


@dataclass(frozen=True)
class Rows:
    """Rows of one table by account. account: position in account_ids. day: of occurred_at.

    seen: the first day that is judged with the row. first, last: all days that are judged.
    """

    table: pd.DataFrame
    account_ids: np.ndarray
    account: np.ndarray
    day: np.ndarray
    seen: np.ndarray
    first: int
    last: int

    def sums(self, since: int, until: int, value: np.ndarray) -> np.ndarray:
        """Of what occurred since..until days before, shape (accounts, days). 1 is the day before.

        since: the further one, counted in days, such as 90 for the last 90 days.
        """
        begin = np.maximum(np.maximum(self.day + until, self.seen), self.first) - self.first
        end = np.minimum(self.day + since, self.last) - self.first + 1
        kept = begin < end
        width = self.last - self.first + 2
        at, value = self.account[kept] * width, value[kept]
        size = len(self.account_ids) * width
        steps = np.bincount(at + begin[kept], value, size)
        steps -= np.bincount(at + end[kept], value, size)
        return np.cumsum(steps.reshape(-1, width), axis=1)[:, :-1]

    def inside(self, account: int, day: int, since: int, until: int) -> np.ndarray:
        """Positions of the rows that `sums` adds up for this account on this day."""
        span = slice(*np.searchsorted(self.account, [account, account + 1]))
        ago = day - self.day[span]
        kept = (ago >= until) & (ago <= since) & (self.seen[span] <= day)
        return span.start + np.flatnonzero(kept)


def day_numbers(times: pd.Series) -> np.ndarray:
    return times.to_numpy("datetime64[D]").astype("int64")


def rows_of(table: pd.DataFrame, as_of: pd.Timestamp, settings: Asked) -> Rows:
    table = table.sort_values("account_id", kind="stable").reset_index(drop=True)
    ids, account = np.unique(table["account_id"].to_numpy("int64"), return_inverse=True)
    day, known = (day_numbers(table[name]) for name in ("occurred_at", "known_at"))
    seen = np.maximum(day, known - settings.settle_days) + 1
    today = int(day_numbers(pd.Series([as_of]))[0])
    first = int(seen.min()) if len(table) else today
    return Rows(table, ids, account, day, seen, first, max(first, today - settings.settle_days))


def beginnings(holds: np.ndarray, cooldown_days: int) -> list[tuple[int, int]]:
    """Row and column where it begins to hold, unless an earlier one lies within the cooldown."""
    before = np.pad(holds, ((0, 0), (1, 0)))[:, :-1]
    found: list[tuple[int, int]] = []
    for row, column in np.argwhere(holds & ~before).tolist():
        if not found or found[-1][0] != row or column - found[-1][1] >= cooldown_days:
            found.append((row, column))
    return found


def told(
    kind: str, found: Tables, rows: Rows, holds: np.ndarray, settings: Asked, span_days: int
) -> tuple[pd.DataFrame, list[tuple[int, int]]]:
    """Episodes without evidence and words, and the account and day of each.

    span_days: what is told is no news again while its records are still being compared.
    """
    cooldown_days = max(settings.cooldown_days, span_days)
    at = [(row, rows.first + day) for row, day in beginnings(holds, cooldown_days)]
    if not at:
        return no_episodes(), at
    days = np.array([day for _, day in at]).astype("datetime64[D]").astype("datetime64[us]")
    table = pd.DataFrame({"account_id": rows.account_ids[[row for row, _ in at]], "kind": kind})
    table["occurred_at"] = days
    table["known_at"] = table["occurred_at"] + pd.Timedelta(days=settings.settle_days)
    table["place"] = called(found, table, "account_id")
    return table, at


def keys(name: str, table: pd.DataFrame) -> np.ndarray:
    return (f"{name}:" + table[KEYS[name][0]]).to_numpy(object)


# Hiring


def hiring_doubled(found: Tables, as_of: pd.Timestamp, settings: Asked) -> pd.DataFrame:
    """Starts of hires_days against the pace of up to hires_before_days before.

    An account is judged once it was watched for 2 × hires_days: of the time before we knew its
    people, we know those who stayed, but not those who came and left.
    """
    begun = joined(found)
    if begun.empty:
        return no_episodes()
    watched = watched_from(found, begun["account_id"])
    begun = begun[day_numbers(begun["occurred_at"]) >= watched]
    rows = rows_of(begun, as_of, settings)
    if begun.empty:
        return no_episodes()
    recent_days, before_days = settings.hires_days, settings.hires_before_days
    one = np.ones(len(begun))
    recent = rows.sums(recent_days, 1, one)
    before = rows.sums(recent_days + before_days, recent_days + 1, one)
    since = watched_from(found, pd.Series(rows.account_ids))
    length = np.arange(rows.first, rows.last + 1) - recent_days - since[:, None]
    is_judged = length >= recent_days
    length = np.clip(length, 1, before_days)
    share = recent_days / (recent_days + length)
    chance = binom.sf(recent - 1, recent + before, share)
    holds = is_judged & (recent >= settings.hires_min_count) & (chance <= settings.hires_p)
    holds &= recent >= settings.hires_factor * before * recent_days / length
    table, at = told("hiring_doubled", found, rows, holds, settings, 2 * recent_days)
    if not at:
        return table
    spans = [int(length[row, day - rows.first]) for row, day in at]
    return hiring_words(table, rows, at, spans, settings)


def watched_from(found: Tables, account_id: pd.Series) -> np.ndarray:
    """The day after which an account's starts are complete, that on which we first knew anybody."""
    known = found["positions"].groupby("account_id")["known_at"].min()
    return day_numbers(account_id.map(known)) + 1


def hiring_words(
    table: pd.DataFrame, rows: Rows, at: list[tuple[int, int]], spans: list[int], settings: Asked
) -> pd.DataFrame:
    days, evidence, texts = settings.hires_days, [], []
    key = keys("positions", rows.table)
    for (account, day), span, row in zip(at, spans, table.itertuples(), strict=True):
        recent = rows.inside(account, day, days, 1)
        before = rows.inside(account, day, days + span, days + 1)
        evidence.append(key[np.concatenate([before, recent])].tolist())
        people = counted(len(recent), "person", "people")
        last = date(row.occurred_at - pd.Timedelta(days=1))
        texts.append(
            f"Hiring at {row.place} doubled: {people} began in the {days} days up to "
            f"{last}, after {len(before):,} in the {span} days before."
        )
    return table.assign(evidence=evidence, words=texts)


# Use


def usage_fell(found: Tables, as_of: pd.Timestamp, settings: Asked) -> pd.DataFrame:
    """Actions of use_days against what those of use_before_days let one expect.

    Both are whole weeks by default, so that weekends don't matter. What falls at most accounts
    at a time is a holiday and lowers what is expected. The fall must be larger than the days of
    use scatter: were they independent, the variance of their sum is the sum of their squares. And
    it must last, since of a thousand days some look like a fall by chance.
    """
    uses = found["product_use"]
    uses = uses[uses["account_id"] != our_account(found)]
    if uses.empty:
        return no_episodes()
    rows = rows_of(uses, as_of, settings)
    actions = rows.table["actions_count"].to_numpy("float64")
    lately, whole = settings.use_days, settings.use_days + settings.use_before_days
    recent, before = rows.sums(lately, 1, actions), rows.sums(whole, lately + 1, actions)
    pace = lately / settings.use_before_days
    is_used = before * pace >= settings.use_min_actions
    factor = pace * peers(recent, before * pace, is_used, settings)
    variance = rows.sums(whole, lately + 1, actions**2) * factor**2
    variance += rows.sums(lately, 1, actions**2)
    expected = before * factor
    holds = is_used & (recent <= settings.use_share * expected)
    holds &= expected - recent >= settings.use_deviations * np.sqrt(np.maximum(variance, 0))
    holds = held(holds, settings.use_low_days)
    table, at = told("usage_fell", found, rows, holds, settings, whole)
    if not at:
        return table
    shown = [float(expected[row, day - rows.first]) for row, day in at]
    return use_words(table, rows, at, shown, settings)


def held(holds: np.ndarray, days_count: int) -> np.ndarray:
    """Where it holds on that day and on each of the days_count - 1 before it; shape as given."""
    passed = np.cumsum(np.pad(holds, ((0, 0), (days_count, 0))), axis=1)
    return passed[:, days_count:] - passed[:, :-days_count] == days_count


def peers(
    recent: np.ndarray, expected: np.ndarray, is_used: np.ndarray, settings: Asked
) -> np.ndarray:
    """By day, what part of the expected actions the middle account had; 1 at most."""
    ratio = np.full(recent.shape, np.nan)
    np.divide(recent, expected, out=ratio, where=is_used)
    middle = np.ones(recent.shape[1])
    enough = np.flatnonzero(is_used.sum(axis=0) >= settings.peers_min_count)
    if len(enough):
        middle[enough] = np.nanmedian(ratio[:, enough], axis=0)
    return np.minimum(middle, 1)


def use_words(
    table: pd.DataFrame,
    rows: Rows,
    at: list[tuple[int, int]],
    expected: list[float],
    settings: Asked,
) -> pd.DataFrame:
    lately, evidence, texts = settings.use_days, [], []
    key = keys("product_use", rows.table)
    actions, person = (rows.table[name].to_numpy() for name in ("actions_count", "person_id"))
    for (account, day), usual, row in zip(at, expected, table.itertuples(), strict=True):
        recent = rows.inside(account, day, lately, 1)
        before = rows.inside(account, day, lately + settings.use_before_days, lately + 1)
        evidence.append(key[np.concatenate([before, recent])].tolist())
        users = counted(len(set(person[recent])), "person", "people")
        last = date(row.occurred_at - pd.Timedelta(days=1))
        texts.append(
            f"Use of our product at {row.place} fell: {actions[recent].sum():,.0f} actions "
            f"by {users} in the {lately} days up to {last}, where {usual:,.0f} were to be expected "
            f"after {actions[before].sum():,.0f} by {len(set(person[before])):,} in "
            f"the {settings.use_before_days} days before."
        )
    return table.assign(evidence=evidence, words=texts)
