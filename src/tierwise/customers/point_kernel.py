"""Points of people, folded event by event: arrays in, arrays out.

Points are whole billionths, so that sums are exact and two ways to one score agree to the last
digit. A person's events are folded in the order in which they *occurred*, those of one instant in
any order (sums commute), two of one kind at one instant once. What is stored of a person is what
was left of its points when the last event came; nothing is faded in between:

    half-life h      rint(worth x 0.5^((t - at) / h)),   at: the last event that fades alike
    step (N, share)  rint(worth x (1 - share)^floor((t - last) / N)),   last: the last event at all

So a score depends on the set of events and on nothing else: not on the batches in which they
came, and not on when somebody looked. An event that occurred before the last one known of its
person makes the person's own events be folded again, and nobody else's.

A row of `cells` (int64) is one person:

    LAST     when its latest event occurred, NEVER before the first
    SEEN     the kinds that occurred at that instant, a bit each (kinds above 62: unknown)
    HEAD     the row of the log that was added last, -1 for none; log.before leads to the others
    DROPPED  how many rows of its log are repeated deliveries
    then WORTH and AT of each fade, then DAY and USED of each kind with a cap

All times are int64 microseconds since 1970.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

LAST, SEEN, HEAD, DROPPED, FIXED = range(5)
DAY_US = 86_400_000_000
NEVER = np.iinfo(np.int64).min
NO_CAP = np.iinfo(np.int64).max
KINDS_SEEN = 62  # bits of SEEN that are used


class Rules(NamedTuple):
    """A catalogue as arrays. Versions of kind k: first[k] to first[k + 1] - 1, by from_at."""

    first: np.ndarray  # int64 (n_kinds + 1,)
    from_at: np.ndarray  # int64 per version
    points: np.ndarray  # int64 per version, billionths
    fade: np.ndarray  # int64 per version: its place among the fades
    cap: np.ndarray  # int64 per version, billionths a day
    capped: np.ndarray  # int64 per kind: its place among those with a cap, -1 for none
    half_life: np.ndarray  # float64 per fade, microseconds; 0: none
    idle: np.ndarray  # int64 per fade, microseconds; 0: none
    kept: np.ndarray  # float64 per fade: 1 - share


class Log(NamedTuple):
    """All events that were counted or repeated, in the order of arrival; room for more behind."""

    occurred: np.ndarray  # int64
    kind: np.ndarray  # int16
    before: np.ndarray  # int32: the row of the same person added before, -1 for none


@njit(cache=True)
def left_of(worth, half_life, idle, kept, passed):  # type: ignore[no-untyped-def]
    """What is left of so many points after so many microseconds."""
    if worth == 0 or passed <= 0 or (half_life == 0 and (idle == 0 or passed < idle)):
        return worth
    share = np.exp2(-(passed / half_life)) if half_life > 0 else kept ** (passed // idle)
    return np.int64(np.rint(worth * share))


@njit(cache=True)
def within_cap(row, column, day, points, cap):  # type: ignore[no-untyped-def]
    """What an event earns where its kind has earned already on that day; counts it there."""
    if row[column] != day:
        row[column] = day
        row[column + 1] = 0
    points = min(points, max(cap - row[column + 1], 0))
    row[column + 1] += max(points, 0)
    return points


@njit(cache=True)
def fold(rules, row, kinds, times):  # type: ignore[no-untyped-def]
    """Further events of a person, in order, none before its last, each once. Points earned.

    For many events at a time: passing so many arrays to a function takes longer than the sums.
    """
    first, from_at, fade_of, capped = rules.first, rules.from_at, rules.fade, rules.capped
    half_life, idle, kept = rules.half_life, rules.idle, rules.kept
    total = np.int64(0)
    for event in range(len(kinds)):
        kind, at = np.int64(kinds[event]), times[event]
        version = first[kind + 1] - 1
        while version > first[kind] and from_at[version] > at:
            version -= 1
        points, fade = rules.points[version], fade_of[version]
        if capped[kind] >= 0:
            column = FIXED + 2 * (len(idle) + capped[kind])
            points = within_cap(row, column, at // DAY_US, points, rules.cap[version])
        if at > row[LAST]:
            for other in range(len(idle)):
                column = FIXED + 2 * other
                if idle[other] > 0 and row[column] != 0:
                    passed = at - row[LAST]
                    row[column] = left_of(row[column], 0.0, idle[other], kept[other], passed)
            row[LAST] = at
            row[SEEN] = 0
        column = FIXED + 2 * fade
        if idle[fade] == 0:
            row[column] = left_of(row[column], half_life[fade], 0, 1.0, at - row[column + 1])
            row[column + 1] = at
        row[column] += points
        if kind < KINDS_SEEN:
            row[SEEN] |= np.int64(1) << kind
        total += points
    return total


@njit(cache=True)
def value(rules, row, until):  # type: ignore[no-untyped-def]
    """A person's points at an instant not before its last event, in billionths."""
    total = np.int64(0)
    for fade in range(len(rules.half_life)):
        column, idle = FIXED + 2 * fade, rules.idle[fade]
        passed = until - (row[LAST] if idle > 0 else row[column + 1])
        total += left_of(row[column], rules.half_life[fade], idle, rules.kept[fade], passed)
    return total


@njit(cache=True)
def values(rules, cells, count, until, out):  # type: ignore[no-untyped-def]
    for place in range(count):
        out[place] = value(rules, cells[place], until)


@njit(cache=True)
def begin(row):  # type: ignore[no-untyped-def]
    """Nothing happened yet; the chain of the log stays."""
    head = row[HEAD]
    row[:] = 0
    row[LAST] = NEVER
    row[HEAD] = head


@njit(cache=True)
def inserted(occurred, kind, gap, most_moves):  # type: ignore[no-untyped-def]
    """Sort every gap-th event by insertion; False where that takes more moves than allowed."""
    moves = 0
    for at in range(gap, len(occurred)):
        when, what, to = occurred[at], kind[at], at
        while to >= gap and occurred[to - gap] > when:
            occurred[to] = occurred[to - gap]
            kind[to] = kind[to - gap]
            to -= gap
            moves += 1
        occurred[to] = when
        kind[to] = what
        if moves > most_moves:
            return False
    return True


@njit(cache=True)
def in_order(occurred, kind):  # type: ignore[no-untyped-def]
    """Sort one person's events in place by when they occurred, each kind and instant once.

    Gives how many are left, at the front. Nearly sorted ones cost next to nothing; others are
    sorted with falling gaps (Shell, Communications of the ACM 2(7), 1959).
    """
    count = len(occurred)
    gap = 1 if inserted(occurred, kind, 1, 8 * count) else count
    while gap > 1:
        gap = max(gap * 5 // 11, 1)
        inserted(occurred, kind, gap, NO_CAP)
    kept = 0
    for at in range(count):
        back = kept - 1
        while back >= 0 and occurred[back] == occurred[at] and kind[back] != kind[at]:
            back -= 1
        if back < 0 or occurred[back] != occurred[at]:
            occurred[kept] = occurred[at]
            kind[kept] = kind[at]
            kept += 1
    return kept


@njit(cache=True)
def build(rules, cells, log, place, kind, occurred):  # type: ignore[no-untyped-def]
    """Fold a whole history into empty cells: events go to their person first, then one by one.

    log.occurred and log.kind: as long as the events that count, kind >= 0. Repeated deliveries.
    """
    first = np.zeros(len(cells) + 1, np.int64)
    for event in range(len(place)):
        if kind[event] >= 0:
            first[place[event] + 1] += 1
    for person in range(len(cells)):
        first[person + 1] += first[person]
    room = first[:-1].copy()
    for event in range(len(place)):
        if kind[event] >= 0:
            at = room[place[event]]
            log.occurred[at] = occurred[event]
            log.kind[at] = kind[event]
            room[place[event]] += 1
    count, dropped = 0, 0
    for person in range(len(cells)):
        start, end = first[person], first[person + 1]
        kept = in_order(log.occurred[start:end], log.kind[start:end])
        dropped += end - start - kept
        fold(
            rules, cells[person], log.kind[start : start + kept], log.occurred[start : start + kept]
        )
        for at in range(start, start + kept):
            log.occurred[count] = log.occurred[at]
            log.kind[count] = log.kind[at]
            log.before[count] = count - 1 if at > start else -1
            cells[person, HEAD] = count
            count += 1
    return count, dropped


@njit(cache=True)
def events_of(log, head):  # type: ignore[no-untyped-def]
    """The events of one chain of the log, each once, from early to late; and how many repeat."""
    count, at = 0, head
    while at >= 0:
        count += 1
        at = log.before[at]
    occurred, kind = np.empty(count, np.int64), np.empty(count, np.int16)
    at = head
    for back in range(count - 1, -1, -1):
        occurred[back] = log.occurred[at]
        kind[back] = log.kind[at]
        at = log.before[at]
    kept = in_order(occurred, kind)
    return occurred[:kept], kind[:kept], count - kept


@njit(cache=True)
def add(rules, cells, log, count, place, kind, occurred):  # type: ignore[no-untyped-def]
    """Fold new events into what is there. Rows of the log, late events, repeated ones.

    Only people with a late event are folded again from their log.
    """
    late = np.zeros(len(cells), np.bool_)
    again = np.empty(len(place), np.int64)
    people, late_count, dropped = 0, 0, 0
    for event in range(len(place)):
        if kind[event] < 0:
            continue
        person, what, when = place[event], kind[event], occurred[event]
        row = cells[person]
        tied = when == row[LAST]
        if tied and not late[person] and what < KINDS_SEEN and (row[SEEN] >> what) & 1:
            dropped += 1
            continue
        log.occurred[count] = when
        log.kind[count] = what
        log.before[count] = row[HEAD]
        row[HEAD] = count
        count += 1
        if late[person] or when < row[LAST] or (tied and what >= KINDS_SEEN):
            late_count += when < row[LAST]
            if not late[person]:
                late[person] = True
                again[people] = person
                people += 1
        else:
            fold(rules, row, log.kind[count - 1 : count], log.occurred[count - 1 : count])
    for at in range(people):
        row = cells[again[at]]
        before = row[DROPPED]
        times, kinds, repeated = events_of(log, row[HEAD])
        begin(row)
        row[DROPPED] = repeated
        dropped += repeated - before
        fold(rules, row, kinds, times)
    return count, late_count, dropped


@njit(cache=True)
def trace(rules, row, occurred, kind, until, before, earned):  # type: ignore[no-untyped-def]
    """Fill the points just before each event, and those it earned; the points at the end."""
    for event in range(len(kind)):
        before[event] = value(rules, row, occurred[event])
        now = slice(event, event + 1)
        earned[event] = fold(rules, row, kind[now], occurred[now])
    return value(rules, row, until)


@njit(cache=True)
def curve(rules, row, occurred, kind, at, out):  # type: ignore[no-untyped-def]
    """Fill the points at each instant, from the events up to it."""
    event = 0
    for place in range(len(at)):
        upto = event
        while upto < len(kind) and occurred[upto] <= at[place]:
            upto += 1
        fold(rules, row, kind[event:upto], occurred[event:upto])
        event = upto
        out[place] = value(rules, row, at[place])
