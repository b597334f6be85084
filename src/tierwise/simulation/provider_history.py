"""The tables of providers themselves: versions of what they are called, and what befell them."""

import numpy as np
import pandas as pd

from tierwise.provider_tables import KINDS
from tierwise.simulation import clock
from tierwise.simulation.account_names import HOSTILE
from tierwise.simulation.delivery import (
    SECOND,
    coded,
    frame,
    in_order,
    known_times,
    number_texts,
    spans,
)
from tierwise.simulation.provider_lives import CITIES, Providers
from tierwise.simulation.provider_settings import ProviderSettings

DAY_SECONDS = 86_400
RENAMED_SHARE, APPEALED_SHARE, NOTED_SHARE = 0.06, 0.15, 0.5
NEW_DAYS = 30.0  # nobody appeals before
DECIDED_DAYS, ACCEPTED_SHARE = 9.0, 0.35
NOTES = (
    *("asks to look at the last complaint again", "says that the customer was not at home"),
    *("holidays", "illness", "moves to another city", "called us twice, was friendly"),
    *(HOSTILE[0], HOSTILE[1], HOSTILE[8]),
)
Happened = tuple[np.ndarray, np.ndarray, np.ndarray]  # provider, day, number in KINDS


def moments(days: np.ndarray, settings: ProviderSettings) -> np.ndarray:
    """UTC of days since the first moment on the clock of our office, to the second."""
    seconds = np.round(np.asarray(days, float) * DAY_SECONDS)
    local = np.datetime64(settings.first_at, "us") + spans(seconds * SECOND)
    return clock.to_utc(local, np.full(len(local), clock.OFFICE))


def providers_table(
    providers: Providers, settings: ProviderSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """One row per version: from joining on, and where a provider took another name."""
    count = len(providers.name)
    since = np.maximum(providers.joined, 0.0)
    until = np.minimum(providers.left, settings.days_count)
    renamed = np.flatnonzero(rng.random(count) < RENAMED_SHARE)
    again = since[renamed] + rng.random(len(renamed)) * (until - since)[renamed]
    rows = np.concatenate([np.arange(count), renamed])
    name = providers.name[rows]
    name[count:] = [f"{one} (new)" for one in name[count:]]
    city = np.where(rng.random(count) < settings.missing_share, -1, providers.city)
    begun = moments(np.concatenate([since, again]), settings)
    known = np.maximum(begun, np.datetime64(settings.first_at, "us"))
    columns = {
        "provider_id": providers.ids[rows],
        "known_at": known + spans(rng.exponential(40 * SECOND, len(rows))),
        "name": name,
        "city": coded(city[rows].astype("int8"), CITIES),
        "joined_at": moments(providers.joined, settings)[rows],
    }
    return frame(in_order(columns, settings.rows)).astype({"name": "str"})


def events_table(
    providers: Providers, settings: ProviderSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """Pauses, ends, and appeals with their decisions; half of them with a note."""
    appeal, note, comes = rng.spawn(3)
    parts = [dated(providers, name) for name in ("paused", "resumed", "left")]
    parts += draw_appeals(providers, settings, appeal)
    who, days, kind = (np.concatenate(column) for column in zip(*parts, strict=True))
    noted = note.random(len(who)) < NOTED_SHARE
    words = np.where(noted, note.integers(0, len(NOTES), len(who)), -1)
    at = moments(days, settings)
    columns = {
        "provider_id": providers.ids[who],
        "occurred_at": at,
        "known_at": known_times(at, settings.rows, comes),
        "kind": coded(kind.astype("int8"), KINDS),
        "note": coded(words.astype("int8"), NOTES),
    }
    columns = in_order(columns, settings.rows)
    return frame({"event_id": number_texts("e", np.arange(len(columns["note"]))), **columns})


def dated(providers: Providers, name: str) -> Happened:
    """Those to whom it happened."""
    days = getattr(providers, name)
    who = np.flatnonzero(np.isfinite(days))
    return who, days[who], np.full(len(who), KINDS.index(name))


def draw_appeals(
    providers: Providers, settings: ProviderSettings, rng: np.random.Generator
) -> list[Happened]:
    """Appeals, and what was decided about them days later."""
    since = np.maximum(providers.joined, 0.0) + NEW_DAYS
    until = np.minimum(providers.left, settings.days_count)
    who = np.flatnonzero((rng.random(len(since)) < APPEALED_SHARE) & (since < until))
    count = len(who)
    asked = since[who] + rng.random(count) * (until - since)[who]
    decided = asked + 1 + rng.exponential(DECIDED_DAYS, count)
    accepted = rng.random(count) < ACCEPTED_SHARE
    verdict = np.where(accepted, KINDS.index("appeal accepted"), KINDS.index("appeal refused"))
    return [(who, asked, np.full(count, KINDS.index("appealed"))), (who, decided, verdict)]
