"""The table of positions as it reaches us, the people's traits, and who wants to be left alone."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.account_tables import FUNCTIONS, LEVELS
from tierwise.simulation import people
from tierwise.simulation.account_settings import AccountSettings
from tierwise.simulation.careers import OURS, Careers
from tierwise.simulation.companies import Companies
from tierwise.simulation.delivery import HOUR, coded, frame, in_order, number_texts, spans

FIRST_PERSON = 10_001
TEAMS = ("small business", "mid market", "key accounts", "public sector")
WORDS = (
    ("HR", "Human resources"), ("Recruiting", "Talent acquisition"), ("Sales", "Account"),
    ("Engineering", "Software"), ("Marketing", "Communications"), ("Finance", "Accounting"),
    ("Operations", "Logistics"), ("Support", "Customer care"), ("General", "Business"),
)  # fmt: skip
RANKS = ("specialist", "team lead", "manager", "director", "vice president", "chief officer")
TITLES = tuple(f"{word} {rank}" for words in WORDS for rank in RANKS for word in words)


@dataclass(frozen=True)
class Stays:
    """Stays in order of their numbers: a person's time at one company."""

    person: np.ndarray
    account: np.ndarray
    function: np.ndarray  # of the first seat
    level: np.ndarray
    user: np.ndarray
    begun: np.ndarray
    ended: np.ndarray  # the far future while it lasts
    came_from: np.ndarray
    last_seat: np.ndarray


@dataclass(frozen=True)
class Traits:
    """What people are like wherever they work, by person."""

    central: np.ndarray  # how much they talk to others, 1 in the middle
    keen: np.ndarray  # how much they use the product if they do, 1 on average
    weight: np.ndarray  # hidden, on the log of decision power
    team: np.ndarray  # of our own people, row of TEAMS


FAR = np.datetime64("2200-01-01", "us")


def draw_traits(careers: Careers, rng: np.random.Generator) -> Traits:
    count = len(careers.taste)
    return Traits(
        rng.lognormal(0, 0.7, count),
        rng.gamma(2.0, 0.5, count),
        rng.normal(0, 0.7, count),
        rng.integers(0, len(TEAMS), count),
    )


def ends(careers: Careers) -> np.ndarray:
    """When each seat ended, the far future for those that last."""
    return np.where(np.isnat(careers.ended), FAR, careers.ended)


def stays(careers: Careers) -> Stays:
    order = np.lexsort((careers.begun, careers.stay))
    _, first = np.unique(careers.stay[order], return_index=True)
    last = order[np.append(first[1:], len(order)) - 1]
    first = order[first]
    return Stays(
        careers.person[first], careers.account[first], careers.function[first],
        careers.level[first], careers.user[first], careers.begun[first], ends(careers)[last],
        careers.came_from[first], last,
    )  # fmt: skip


def learned(
    careers: Careers, settings: AccountSettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """When we learned of the start and of the end of each seat; the far future for no end.

    Of those who were there before the world began we learn in its first hour. A promotion is known
    at once for both seats.
    """
    count = len(careers.person)
    days = rng.exponential(4, (2, count)) + 0.05
    slow = rng.random((2, count)) < 0.08
    days[slow] += rng.lognormal(3, 0.6, slow.sum())
    first = settings.months[0]
    start = np.where(
        careers.begun < first,
        first + spans(HOUR * rng.random(count)),
        careers.begun + spans(HOUR * 24 * days[0]),
    )
    end = np.where(np.isnat(careers.ended), FAR, careers.ended + spans(HOUR * 24 * days[1]))
    end = np.maximum(end, start + np.timedelta64(1, "s"))
    seats = np.flatnonzero(careers.goes_on)
    order = np.lexsort((careers.begun, careers.stay))
    after = np.empty(count, int)
    after[order] = np.append(order[1:], order[-1])
    start[after[seats]] = end[seats]
    end = np.where(np.isnat(careers.ended), FAR, np.maximum(end, start + np.timedelta64(1, "s")))
    return start, end


def positions_table(
    careers: Careers,
    companies: Companies,
    known: tuple[np.ndarray, np.ndarray],
    traits: Traits,
    settings: AccountSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Two rows per seat that ended. Where the title is missing, function and level are known."""
    count, gaps = len(careers.person), settings.rows
    title = (careers.function * len(LEVELS) + careers.level) * 2 + rng.integers(0, 2, count)
    title = people.missing(title, gaps, rng)
    dark = (rng.random((2, count)) < settings.missing_share) & (title >= 0)
    abroad = rng.random(count) < 0.06
    place = companies.place[careers.account]
    place = np.where(abroad, people.picks(people.PLACES, count, rng), place)
    rows = np.concatenate([np.arange(count), np.flatnonzero(~np.isnat(careers.ended))])
    second = np.arange(len(rows)) >= count
    team = np.where(careers.account == OURS, traits.team[careers.person], -1)
    columns = {
        "number": rows,
        "person_id": FIRST_PERSON + careers.person[rows],
        "account_id": companies.ids[careers.account[rows]],
        "occurred_at": careers.begun[rows],
        "ended_at": np.where(second, careers.ended[rows], np.datetime64("NaT", "us")),
        "known_at": np.where(second, known[1][rows], known[0][rows]),
        "title": coded(title[rows], TITLES),
        "function": coded(np.where(dark[0], -1, careers.function)[rows], FUNCTIONS),
        "level": coded(np.where(dark[1], -1, careers.level)[rows], LEVELS),
        "country": people.places_text(people.missing(place, gaps, rng)[rows], 0),
        "team": coded(team[rows], TEAMS),
    }
    columns = in_order(columns, gaps)
    return frame({"position_id": number_texts("p", columns.pop("number")), **columns})


def opt_outs_table(
    found: Stays, settings: AccountSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """Some of the people at accounts, some time while we know them."""
    first, last = settings.months[0], settings.months[-1]
    rows = np.flatnonzero(rng.random(len(found.person)) < settings.opt_out_share)
    rows = rows[(found.account[rows] != OURS) & (found.begun[rows] < last)]
    _, once = np.unique(found.person[rows], return_index=True)
    rows = rows[once]
    begin = np.maximum(found.begun[rows], first)
    end = np.minimum(found.ended[rows], last)
    occurred = begin + spans((end - begin).astype(int) * rng.random(len(rows)))
    columns = {
        "person_id": FIRST_PERSON + found.person[rows],
        "occurred_at": occurred,
        "known_at": occurred + spans(HOUR * rng.exponential(6, len(rows))),
    }
    return frame(in_order(columns, settings.rows))
