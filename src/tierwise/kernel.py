"""One pass over the events of each entity: arrays in, arrays out.

For every row (entity, as-of time) the kernel takes the events of that entity that were *known*
strictly before the as-of time, and adds each to the windows that its *occurrence* falls into:

    known_at < as_of                        else it is not there at all
    as_of - window <= occurred_at           else it counts in longer windows only

Worked example, as-of 10 March 09:00, window 7 days:

    occurred          known             counted
    3 March 09:00     3 March 09:00     yes: exactly seven days are inside
    9 March 23:00     10 March 08:59    yes: it came late, but in time
    9 March 23:00     10 March 09:00    no: at 09:00 sharp nobody had it yet

Rows of an entity are visited from early to late. All that was known is carried from one to the
next, in the order in which it became known; windows are counted anew for each, from its last known
event back. So no value depends on the other rows: an example computed for training and one
computed in the hour it is needed are equal to the last bit. All times are int64 microseconds.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

COUNT, TOTAL, RECENCY, LAST, DAYS, FADED, SHARE = range(7)
DAY_US = 86_400_000_000
ALL_TIME = np.iinfo(np.int64).max


class Events(NamedTuple):
    """Sorted by entity, then known_at. Events of entity e: positions first[e] to first[e + 1]."""

    first: np.ndarray  # int64, shape (n_entities + 1,)
    known: np.ndarray  # int64, shape (n_events,)
    occurred: np.ndarray  # int64, shape (n_events,)
    kind: np.ndarray  # int32, shape (n_events,)
    amount: np.ndarray  # float64, shape (n_events,), NaN for none


class Lists(NamedTuple):
    """One list per kind of event. That of kind k: item[first[k]] to item[first[k + 1] - 1]."""

    first: np.ndarray  # int64, shape (n_kinds + 1,)
    item: np.ndarray  # int64


class Plan(NamedTuple):
    """What to compute. A group is a set of kinds of events that are counted together."""

    windows: np.ndarray  # int64, ascending
    groups: Lists  # the groups that a kind belongs to
    day_groups: Lists  # those of which days are counted, with numbers of their own
    fades: Lists  # pairs of a group and a half-life
    half_life: np.ndarray  # float64 per fade, microseconds
    sizes: np.ndarray  # int64: how many groups, day groups and fades there are
    stat: np.ndarray  # int64 per feature: COUNT ... SHARE
    source: np.ndarray  # int64 per feature: its group, day group or fade
    window: np.ndarray  # int64 per feature: place in windows; one more: all that was known
    other: np.ndarray  # int64 per feature: the group that is the denominator of a share


class State(NamedTuple):
    """What is known about one entity at one as-of time. The last column is all that was known."""

    counts: np.ndarray  # float64 (n_groups, n_windows + 1)
    totals: np.ndarray  # float64 (n_groups, n_windows + 1)
    latest: np.ndarray  # int64 (n_groups,), time of the latest event
    last_at: np.ndarray  # int64 (n_groups,), time of the latest event with an amount
    last: np.ndarray  # float64 (n_groups,), its amount
    days: np.ndarray  # float64 (n_day_groups, n_windows + 1)
    seen: np.ndarray  # bool (n_day_groups, n_days): a day that was counted already
    nearest: np.ndarray  # int16 (n_day_groups, n_days): the shortest window that holds the day
    faded: np.ndarray  # float64 (n_fades,)


@njit(cache=True)
def compute(events, plan, entity, as_of, order, out):  # type: ignore[no-untyped-def]
    """Fill out, shape (n_features, n_rows), NaN where there is nothing to tell.

    entity: int64 per row, -1 for one without events; as_of: int64 per row. order: the rows by
    entity, then as_of.
    """
    day, day_count = days_of(events)
    reach = reach_of(events)
    state = blank(plan, day_count.max() if len(day_count) else 0)
    who, start, known = -1, 0, 0
    begin(state, 0)
    for row in order:
        if entity[row] != who:
            who = entity[row]
            start = known = events.first[who]
            begin(state, day_count[who])
        if who >= 0:
            known = learn(events, day, plan, state, known, events.first[who + 1], as_of[row])
            look_back(events, day, reach, plan, state, start, known, as_of[row])
            fade(events, plan, state, start, known, as_of[row])
        write(plan, state, as_of[row], out, row)


@njit(cache=True)
def is_sorted(key, known):  # type: ignore[no-untyped-def]
    """By key, then known_at. Compared, not subtracted: the gap of two int64 may overflow."""
    for at in range(1, len(key)):
        if key[at] < key[at - 1] or (key[at] == key[at - 1] and known[at] < known[at - 1]):
            return False
    return True


@njit(cache=True)
def days_of(events):  # type: ignore[no-untyped-def]
    """Calendar day of each event, 0 for the first of its entity; and days per entity, from there
    to the last one."""
    count = len(events.first) - 1
    day, day_count = np.zeros(len(events.occurred), np.int32), np.zeros(count, np.int64)
    for entity in range(count):
        start, end = events.first[entity], events.first[entity + 1]
        first = events.occurred[start:end].min() // DAY_US
        for event in range(start, end):
            day[event] = events.occurred[event] // DAY_US - first
            day_count[entity] = max(day_count[entity], day[event] + 1)
    return day, day_count


@njit(cache=True)
def reach_of(events):  # type: ignore[no-untyped-def]
    """Per event, when the latest of it and those known before it occurred."""
    reach = events.occurred.copy()
    for entity in range(len(events.first) - 1):
        for event in range(events.first[entity] + 1, events.first[entity + 1]):
            reach[event] = max(reach[event], reach[event - 1])
    return reach


@njit(cache=True)
def blank(plan, days):  # type: ignore[no-untyped-def]
    """days: how many lie between the first and the last event of any entity."""
    groups, day_groups, fades = plan.sizes
    columns = len(plan.windows) + 1
    return State(
        np.zeros((groups, columns)),
        np.zeros((groups, columns)),
        np.zeros(groups, np.int64),
        np.zeros(groups, np.int64),
        np.zeros(groups),
        np.zeros((day_groups, columns)),
        np.zeros((day_groups, days), np.bool_),
        np.full((day_groups, days), columns - 1, np.int16),
        np.zeros(fades),
    )


@njit(cache=True)
def begin(state, days):  # type: ignore[no-untyped-def]
    """Nothing is known yet of an entity with so many days."""
    state.counts[:] = 0.0
    state.totals[:] = 0.0
    state.latest[:] = -ALL_TIME
    state.last_at[:] = -ALL_TIME
    state.last[:] = np.nan
    state.days[:] = 0.0
    state.seen[:, :days] = False
    state.faded[:] = 0.0


@njit(cache=True)
def learn(events, day, plan, state, event, end, as_of):  # type: ignore[no-untyped-def]
    """Add what became known before as_of to all that was known; the first event that did not."""
    while event < end and events.known[event] < as_of:
        kind = events.kind[event]
        for at in range(plan.groups.first[kind], plan.groups.first[kind + 1]):
            add(state, plan.groups.item[at], events.occurred[event], events.amount[event])
        for at in range(plan.day_groups.first[kind], plan.day_groups.first[kind + 1]):
            group = plan.day_groups.item[at]
            if not state.seen[group, day[event]]:
                state.seen[group, day[event]] = True
                state.days[group, -1] += 1.0
        event += 1
    return event


@njit(cache=True)
def add(state, group, occurred, amount):  # type: ignore[no-untyped-def]
    """Of two events of one instant the one that was known later is the last."""
    state.counts[group, -1] += 1.0
    state.latest[group] = max(state.latest[group], occurred)
    if not np.isnan(amount):
        state.totals[group, -1] += amount
        if occurred >= state.last_at[group]:
            state.last_at[group] = occurred
            state.last[group] = amount


@njit(cache=True)
def look_back(events, day, reach, plan, state, start, known, as_of):  # type: ignore[no-untyped-def]
    """Count the windows, back to where no earlier event can be inside the longest."""
    longest = len(plan.windows) - 1
    state.counts[:, :-1] = 0.0
    state.totals[:, :-1] = 0.0
    state.days[:, :-1] = 0.0
    event, stop = known - 1, known
    while longest >= 0 and event >= start and as_of - reach[event] <= plan.windows[longest]:
        age, stop = as_of - events.occurred[event], event
        if age <= plan.windows[longest]:
            window = 0
            while age > plan.windows[window]:
                window += 1
            kind, amount = events.kind[event], events.amount[event]
            for at in range(plan.groups.first[kind], plan.groups.first[kind + 1]):
                add_recent(state.counts, state.totals, plan.groups.item[at], window, amount)
            for at in range(plan.day_groups.first[kind], plan.day_groups.first[kind + 1]):
                group = plan.day_groups.item[at]
                add_day(state.nearest, state.days, group, window, day[event])
        event -= 1
    for event in range(stop, known):
        state.nearest[:, day[event]] = longest + 1
    sum_up(state.counts)
    sum_up(state.totals)
    sum_up(state.days)


@njit(cache=True)
def add_recent(counts, totals, group, window, amount):  # type: ignore[no-untyped-def]
    """One event into the shortest window that holds it. Few arguments: numba copies a whole state
    into every call, which takes longer than the sum."""
    counts[group, window] += 1.0
    if not np.isnan(amount):
        totals[group, window] += amount


@njit(cache=True)
def add_day(nearest, days, group, window, day):  # type: ignore[no-untyped-def]
    """A day is counted once, in the shortest window that holds one of its events."""
    before = nearest[group, day]
    if window < before:
        nearest[group, day] = window
        days[group, window] += 1.0
        if before < days.shape[1] - 1:
            days[group, before] -= 1.0


@njit(cache=True)
def sum_up(by_window):  # type: ignore[no-untyped-def]
    """What falls into a window falls into every longer one."""
    for line in range(by_window.shape[0]):
        for window in range(1, by_window.shape[1] - 1):
            by_window[line, window] += by_window[line, window - 1]


@njit(cache=True)
def fade(events, plan, state, start, known, as_of):  # type: ignore[no-untyped-def]
    """Every known event anew: a sum that was carried on would depend on the rows before."""
    if not len(plan.half_life):
        return
    state.faded[:] = 0.0
    for event in range(start, known):
        kind, amount = events.kind[event], events.amount[event]
        for at in range(plan.fades.first[kind], plan.fades.first[kind + 1]):
            place = plan.fades.item[at]
            weight = 1.0 if np.isnan(amount) else amount
            age = as_of - events.occurred[event]
            state.faded[place] += weight * 0.5 ** (age / plan.half_life[place])


@njit(cache=True)
def write(plan, state, as_of, out, row):  # type: ignore[no-untyped-def]
    for feature in range(len(plan.stat)):
        stat, source = plan.stat[feature], plan.source[feature]
        window, other = plan.window[feature], plan.other[feature]
        value = np.nan
        if stat == COUNT:
            value = state.counts[source, window]
        elif stat == TOTAL:
            value = state.totals[source, window]
        elif stat == RECENCY and state.latest[source] > -ALL_TIME:
            value = (as_of - state.latest[source]) / DAY_US
        elif stat == LAST:
            value = state.last[source]
        elif stat == DAYS:
            value = state.days[source, window]
        elif stat == FADED:
            value = state.faded[source]
        elif stat == SHARE and state.counts[other, window] > 0:
            value = state.counts[source, window] / state.counts[other, window]
        out[feature, row] = value
