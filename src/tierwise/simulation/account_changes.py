"""What changed at accounts, when it happened, and when the tables first let one know.

    senior_hr_left    a director or higher of human resources left the account for good
    user_moved        one who used the product at another account joined this one
    hiring_doubled    from that month on the account hires at twice the rate or more
    usage_fell        from that month on the account uses the product half as much or less

Changes of persons are planted where a shock of the account made them: these change what it spends
from the next month on, others are ordinary turnover and change nothing. Rates change with the state
of the account, so what it spends always goes with them; planted are a surge of hiring, and a fall
of use while it stays a customer; others are milder growth, and use that falls since it lapsed.

A person's change is known with the row of the position. A change of a rate is known as soon as the
tables show it:

    hiring_doubled    of 90 days twice as many starts are known as in 90 days of the year before it,
                      and four at least
    usage_fell        the actions known of the last 28 days are half or less of what 28 of the 84
                      days before it had on average, which must be MIN_ACTIONS or more

known_at is missing where that never came about while it lasted: nobody can be blamed to miss it.
"""

import numpy as np
import pandas as pd

from tierwise.simulation.account_settings import AccountSettings
from tierwise.simulation.careers import DIRECTOR, HIRES, HR, OURS, PROMOTION, WELCOMED, Careers
from tierwise.simulation.companies import BUYING, LOW, SURGING, Companies
from tierwise.simulation.positions import FIRST_PERSON, Stays
from tierwise.simulation.usage import BY_CUSTOMER, BY_USE, Uses

KINDS = ("senior_hr_left", "user_moved", "hiring_doubled", "usage_fell")
DAY = np.timedelta64(1, "D").astype("timedelta64[us]")
USED_DAYS_COUNT, USED_WITHIN_DAYS = 3, 180  # before leaving, to count as a user
HIRING_DAYS, HIRES_LEAST, YEAR_DAYS = 90, 4, 365
HISTORY_MONTHS = 6  # of hiring before a doubling can be seen
USE_DAYS, BEFORE_DAYS, FIRST_DAYS, MIN_ACTIONS = 28, 84, 10, 150
NEVER = np.datetime64("NaT", "us")


def changes_table(
    careers: Careers,
    found: Stays,
    companies: Companies,
    uses: Uses,
    known: dict[str, np.ndarray],
    settings: AccountSettings,
) -> pd.DataFrame:
    """kind, account_id, person_id, other_account_id, occurred_at, known_at and planted, by
    occurred_at. known: when we learned of starts and ends of seats, and of uses."""
    last = settings.months[-1]
    parts = [
        seniors_left(careers, found, companies, known["end"]),
        users_moved(careers, found, companies, uses, known["start"]),
        hiring_doubled(careers, companies, known["start"], settings),
        usage_fell(careers, companies, uses, known["use"], settings),
    ]
    table = pd.concat(parts, ignore_index=True)
    for name in ("person_id", "other_account_id"):
        table[name] = table[name].astype("Int64")
    for name in ("occurred_at", "known_at"):
        table[name] = table[name].astype("datetime64[us]")
    table = table[table["occurred_at"].between(settings.months[0], last, inclusive="left")]
    table["known_at"] = table["known_at"].where(table["known_at"] < last)
    return table.sort_values(["occurred_at", "kind", "account_id"], ignore_index=True)


def part(kind: str, account_id: np.ndarray, **columns: np.ndarray) -> pd.DataFrame:
    empty = {"person_id": pd.NA, "other_account_id": pd.NA}
    table = pd.DataFrame({"kind": kind, "account_id": account_id, **empty, **columns})
    names = ["kind", "account_id", *empty, "occurred_at", "known_at", "planted"]
    return table[names].astype({"kind": "str", "planted": "bool"} | dict.fromkeys(empty, "Int64"))


def seniors_left(
    careers: Careers, found: Stays, companies: Companies, known_end: np.ndarray
) -> pd.DataFrame:
    """other_account_id is where they went, if it is an account and already begun or agreed."""
    senior = (careers.function == HR) & (careers.level >= DIRECTOR) & (careers.account != OURS)
    seats = np.flatnonzero(senior & ~np.isnat(careers.ended) & ~careers.goes_on)
    after = np.full(len(found.person), -1)
    moved = np.flatnonzero(found.came_from >= 0)
    after[found.came_from[moved]] = found.account[moved]
    target = after[careers.stay[seats]]
    return part(
        "senior_hr_left",
        companies.ids[careers.account[seats]],
        person_id=pd.array(FIRST_PERSON + careers.person[seats], dtype="Int64"),
        other_account_id=pd.array(np.where(target < 0, 0, companies.ids[target]), "Int64").copy(),
        occurred_at=careers.ended[seats],
        known_at=known_end[seats],
        planted=careers.planted[seats],
    ).pipe(lambda table: table.assign(other_account_id=table["other_account_id"].mask(target < 0)))


def users_moved(
    careers: Careers, found: Stays, companies: Companies, uses: Uses, known_start: np.ndarray
) -> pd.DataFrame:
    """other_account_id is where they used the product."""
    moved = np.flatnonzero(found.came_from >= 0)
    origin = found.came_from[moved]
    left = found.ended[origin]
    key = uses_key(careers.stay[uses.seat], uses.at)
    key.sort()
    days = [
        np.searchsorted(key, uses_key(origin, at), "left")
        for at in (left - USED_WITHIN_DAYS * DAY, left)
    ]
    user = days[1] - days[0] >= USED_DAYS_COUNT
    moved, origin = moved[user], origin[user]
    seats = np.flatnonzero(careers.reason != PROMOTION)
    first_seat = np.empty(len(found.person), int)
    first_seat[careers.stay[seats]] = seats
    seats = first_seat[moved]
    return part(
        "user_moved",
        companies.ids[found.account[moved]],
        person_id=pd.array(FIRST_PERSON + found.person[moved], dtype="Int64"),
        other_account_id=pd.array(companies.ids[found.account[origin]], dtype="Int64"),
        occurred_at=found.begun[moved],
        known_at=known_start[seats],
        planted=careers.reason[seats] == WELCOMED,
    )


def uses_key(stay: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Stay and second in one number that sorts by both."""
    return stay.astype("int64") * 2**33 + at.astype("datetime64[s]").astype("int64")


def hiring_doubled(
    careers: Careers, companies: Companies, known_start: np.ndarray, settings: AccountSettings
) -> pd.DataFrame:
    """Planted where a surge begins."""
    before, after = companies.regime[:, :-1], companies.regime[:, 1:]
    faster = HIRES[after] >= 2 * HIRES[before]
    faster[OURS] = False
    account, month = np.nonzero(faster)
    until = [last_months(HIRES[companies.regime] >= rate) for rate in HIRES]
    starts = np.flatnonzero(careers.reason != PROMOTION)
    order = starts[np.lexsort((known_start[starts], careers.account[starts]))]
    edges = np.searchsorted(careers.account[order], np.arange(len(companies.name) + 1))
    known = []
    for row, step in zip(account, month, strict=True):
        seats = order[edges[row] : edges[row + 1]]
        ended = settings.months[
            min(until[after[row, step]][row, step + 1] + 1, settings.months_count)
        ]
        known.append(
            first_double(
                careers.begun[seats], known_start[seats], settings.months[step + 1], ended, settings
            )
        )
    return part(
        "hiring_doubled",
        companies.ids[account],
        occurred_at=settings.months[month + 1],
        known_at=np.array(known, "datetime64[us]"),
        planted=after[account, month] == SURGING,
    )


def last_months(holds: np.ndarray) -> np.ndarray:
    """For each first moment the last one up to which it holds without a gap; shape as given."""
    count = holds.shape[1]
    ends_at = np.where(holds, count - 1, np.arange(count)[None, :] - 1)
    return np.minimum.accumulate(ends_at[:, ::-1], axis=1)[:, ::-1]


def first_double(
    begun: np.ndarray, known: np.ndarray, at: np.datetime64, ended: np.datetime64,
    settings: AccountSettings,
) -> np.datetime64:  # fmt: skip
    """When starts known of 90 days first were twice those of the year before `at`; seats of one
    account by known time."""
    first = max(settings.months[0], at - YEAR_DAYS * DAY)
    days = (at - first) / DAY
    if days < HISTORY_MONTHS * 30:
        return NEVER
    before = ((begun >= first) & (begun < at)).sum() * HIRING_DAYS / days
    enough = max(HIRES_LEAST, int(np.ceil(2 * before)))
    for row in np.flatnonzero((known > at) & (known < ended)):
        now = known[row]
        seen = begun[: row + 1]
        if (seen > now - HIRING_DAYS * DAY).sum() >= enough:
            return now
    return NEVER


def usage_fell(
    careers: Careers, companies: Companies, uses: Uses, known_use: np.ndarray,
    settings: AccountSettings,
) -> pd.DataFrame:  # fmt: skip
    """Planted where use falls while the account is a customer; it falls, too, when one lapses."""
    level = BY_USE[companies.use] * BY_CUSTOMER[companies.customer]
    fell = (level[:, 1:] <= level[:, :-1] / 2) & (companies.customer[:, :-1] == BUYING)
    fell[OURS] = False
    account, month = np.nonzero(fell)
    until = last_months(level <= BY_USE[LOW])
    of_account = careers.account[uses.seat]
    order = np.argsort(of_account, kind="stable")
    edges = np.searchsorted(of_account[order], np.arange(len(companies.name) + 1))
    known, measured = [], []
    for row, step in zip(account, month, strict=True):
        rows = order[edges[row] : edges[row + 1]]
        at = settings.months[step + 1]
        over = until[row, step + 1] + 1
        ended = settings.months[min(over, settings.months_count)]
        before, when = first_half(uses.at[rows], known_use[rows], uses.actions[rows], at, ended)
        known.append(when)
        measured.append(before >= MIN_ACTIONS)
    table = part(
        "usage_fell",
        companies.ids[account],
        occurred_at=settings.months[month + 1],
        known_at=np.array(known, "datetime64[us]"),
        planted=companies.customer[account, month + 1] == BUYING,
    )
    return table[np.array(measured, bool)]


def first_half(
    at: np.ndarray, known: np.ndarray, actions: np.ndarray, fell: np.datetime64,
    ended: np.datetime64,
) -> tuple[float, np.datetime64]:  # fmt: skip
    """Actions of 28 days before the fall, and the first midnight at which those known of the last
    28 days are half of it or less; uses of one account by time."""
    earlier = (at >= fell - BEFORE_DAYS * DAY) & (at < fell)
    before = float(actions[earlier].sum()) * USE_DAYS / BEFORE_DAYS
    if before < MIN_ACTIONS:
        return before, NEVER
    nights = np.arange(fell + FIRST_DAYS * DAY, ended, DAY)
    seen = (at > nights[:, None] - USE_DAYS * DAY) & (known <= nights[:, None])
    low = np.flatnonzero(seen @ actions <= before / 2)
    return before, nights[low[0]] if len(low) else NEVER
