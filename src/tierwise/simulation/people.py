"""Organisations and the persons who work there, and when their deals arrive.

place          country and time zone
effect         on the log odds of winning; used in deals.py
demand         log of how many more candidates apply than in a common industry
position       when something arrives: 0 is the first moment of the world, 1 the last
twin           a second deal that an organisation opened by mistake, soon after another one
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.simulation import clock
from tierwise.simulation.delivery import coded, frame, in_order, spans
from tierwise.simulation.settings import Settings

AGAIN_SHARE, TWIN_SHARE = 0.05, 0.012  # of all deals
CHANGED_SHARE = 0.08  # of the organisations have a second version
TWIN_DAYS = 2.0
# country, weight, effect, zone
PLACES = (
    ("DE", 30, 0.2, "Europe/Berlin"), ("AT", 8, 0.3, "Europe/Vienna"),
    ("CH", 7, 0.4, "Europe/Zurich"), ("NL", 8, 0.0, "Europe/Amsterdam"),
    ("FR", 9, -0.3, "Europe/Paris"), ("PL", 8, -0.2, "Europe/Warsaw"),
    ("GB", 11, 0.1, "Europe/London"), ("US", 7, -0.3, "America/New_York"),
    ("US", 4, -0.3, "America/Chicago"), ("US", 3, -0.3, "America/Los_Angeles"),
    ("AU", 2, -0.5, "Australia/Sydney"), ("IN", 3, -0.9, "Asia/Kolkata"),
)  # fmt: skip
# industry, weight, effect, demand
INDUSTRIES = (
    ("hospitality", 18, 0.3, 0.3), ("retail", 16, 0.1, 0.3), ("logistics", 13, 0.4, 0.2),
    ("health_care", 14, 0.2, -0.5), ("software", 12, -0.5, 0.1), ("manufacturing", 12, 0.0, -0.1),
    ("construction", 9, -0.1, -0.4), ("education", 6, -0.6, 0.0),
)  # fmt: skip
# job title, weight, effect
JOB_TITLES = (
    ("owner", 30, 0.3), ("hr_manager", 25, 0.35), ("recruiter", 18, 0.1),
    ("office_manager", 17, -0.4), ("trainee", 10, -0.8),
)  # fmt: skip


@dataclass(frozen=True)
class Arrivals:
    """Deals of a block in order of arrival, arrays of one length; organisations count from 0."""

    organization: np.ndarray
    position: np.ndarray
    twin_of: np.ndarray  # row of the other deal, -1 for none


def picks(table: tuple, count: int, rng: np.random.Generator, weight: int = 1) -> np.ndarray:
    """Row numbers of `table`, drawn by the weights in a column of it."""
    weights = np.array([row[weight] for row in table], float)
    return rng.choice(len(table), count, p=weights / weights.sum())


def effects(table: tuple, column: int = 2) -> np.ndarray:
    """A column of effects, moved so that their mean weighted by column 1 is 0."""
    weights = np.array([row[1] for row in table], float)
    values = np.array([row[column] for row in table], float)
    return values - (values * weights).sum() / weights.sum()


def draw_arrivals(settings: Settings, count: int, rng: np.random.Generator) -> Arrivals:
    """First deals grow exponentially; some organisations come again later, a few at once."""
    again, twins = int(count * AGAIN_SHARE), int(count * TWIN_SHARE)
    firsts = count - again - twins
    drawn = rng.random(firsts)
    growth = settings.growth
    first = np.sort(drawn if growth == 1 else np.log1p(drawn * (growth - 1)) / np.log(growth))
    days = (settings.last_at - settings.first_at) / pd.Timedelta(days=1)
    before = (rng.random(again) * 0.9 * firsts).astype(int)
    after = before + 1 + (rng.random(again) * (firsts - before - 1)).astype(int)
    other = rng.choice(firsts, twins, replace=False)
    soon = np.minimum(first[other] + rng.exponential(TWIN_DAYS / days, twins), 1)
    position = np.concatenate([first, first[np.minimum(after, firsts - 1)], soon])
    organization = np.concatenate([np.arange(firsts), before, other])
    twin_of = np.concatenate([np.full(firsts + again, -1), other])
    order = np.argsort(position, kind="stable")
    place = np.argsort(order)
    return Arrivals(
        organization[order],
        position[order],
        np.where(twin_of < 0, -1, place[twin_of])[order],
    )


def arrival_times(position: np.ndarray, zone: np.ndarray, settings: Settings) -> np.ndarray:
    """Local times of positions: in working hours, fewer at weekends, in summer, at year's end."""
    ends = [settings.first_at, settings.last_at - pd.Timedelta(hours=1)]
    first, last = (
        clock.clock_days(clock.to_local(np.full(len(zone), end, "datetime64[us]"), zone))
        for end in ends
    )
    return clock.local_times(first + position * (last - first))


def draw_organizations(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """One row per organisation: numbers of the tables above, size, contact and colleague."""
    place = picks(PLACES, count, rng)
    zones = np.array([clock.ZONES.index(row[3]) for row in PLACES])
    return pd.DataFrame(
        {
            "place": place,
            "zone": zones[place],
            "industry": picks(INDUSTRIES, count, rng),
            "employees_count": np.ceil(rng.lognormal(np.log(40), 1.4, count)),
            "job_title": picks(JOB_TITLES, count, rng),
            "colleague": rng.random(count) < 0.4,
            "colleague_days": rng.exponential(12, count),
            "colleague_title": picks(JOB_TITLES, count, rng),
        }
    )


def missing(values: np.ndarray, settings: Settings, rng: np.random.Generator) -> np.ndarray:
    """The values with some left out: -1 for numbers of a table, else NaN."""
    gone = rng.random(len(values)) < settings.missing_share
    return np.where(gone, -1 if values.dtype.kind == "i" else np.nan, values)


def organizations_table(
    organizations: pd.DataFrame, settings: Settings, rng: np.random.Generator
) -> pd.DataFrame:
    """All versions: some organisations grow later and fill in what was missing."""
    count = len(organizations)
    changed = np.flatnonzero(rng.random(count) < CHANGED_SHARE)
    rows = np.concatenate([np.arange(count), changed])
    now = organizations.iloc[rows]
    later = spans(rng.uniform(20, 200, len(changed)) * 86_400_000_000)
    first_known = organizations["known_at"].to_numpy()
    grown = np.concatenate([np.ones(count), rng.lognormal(0.15, 0.25, len(changed))])
    place = now["place"].to_numpy()
    number = missing(place, settings, rng)
    industry = missing(organizations["industry"].to_numpy(), settings, rng)
    columns = {
        "organization_id": now["organization_id"].to_numpy(),
        "known_at": np.concatenate([first_known, first_known[changed] + later]),
        "industry": coded(
            np.concatenate([industry, organizations["industry"].to_numpy()[changed]]),
            tuple(row[0] for row in INDUSTRIES),
        ),
        "country": places_text(number, 0),
        "timezone": places_text(missing(place, settings, rng), 3),
        "employees_count": missing(
            np.ceil(now["employees_count"].to_numpy() * grown), settings, rng
        ),
    }
    return frame(in_order(columns, settings))


def places_text(number: np.ndarray, column: int) -> pd.Categorical:
    """Country or zone of places; several places share a country."""
    values = tuple(dict.fromkeys(str(row[column]) for row in PLACES))
    codes = np.array([*(values.index(row[column]) for row in PLACES), -1])
    return coded(codes[number], values)


def persons_table(
    organizations: pd.DataFrame, settings: Settings, rng: np.random.Generator
) -> pd.DataFrame:
    """The contact of every organisation and a colleague of some, who joins later."""
    joined = organizations[organizations["colleague"].to_numpy()]
    titles = np.concatenate([organizations["job_title"], joined["colleague_title"]])
    columns = {
        "person_id": np.concatenate([organizations["person_id"], joined["person_id"] + 1]),
        "organization_id": np.concatenate(
            [organizations["organization_id"], joined["organization_id"]]
        ),
        "known_at": np.concatenate([organizations["known_at"], joined["colleague_at"]]),
        "job_title": coded(missing(titles, settings, rng), tuple(row[0] for row in JOB_TITLES)),
    }
    return frame(in_order(columns, settings))
