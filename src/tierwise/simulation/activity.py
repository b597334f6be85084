"""What representatives do: activities, and changes of their deals.

All of it follows from the latent traits and the date. Only closing, reopening, merging and
deleting follow from the fate. It is drawn as if a life went on, and cut when it ends.
"""

import numpy as np
import pandas as pd

from tierwise.simulation import clock, reps
from tierwise.simulation.delivery import coded, delivered, known_times, spans
from tierwise.simulation.settings import Settings
from tierwise.tables import ACTIVITY_TYPES, FIELDS, STATUSES

STAGES = ("new", "contacted", "qualified", "demo", "offer", "negotiation")
STAGE_DAYS = np.array([2.0, 6.0, 7.0, 8.0, 9.0])  # in each stage but the last, on average
STALLED_ODDS = np.array([-2.6, -1.3, -1.3, -1.2, -1.0])  # log odds of never leaving a stage
CALLED_COUNT, OTHER_COUNT = 5.0, 2.5  # activities of a life
LASTS_DAYS = 18.0
VALUE_CHANGES_COUNT, OWNER_CHANGED_SHARE = 0.35, 0.06


def sigmoid(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-odds))


def office_moments(lives: pd.DataFrame, rows: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Moments in UTC at which lives (row numbers) are so many clock days old."""
    return clock.office_times(clock.office_days(lives["began_at"].to_numpy())[rows] + days)


def owner_changes(
    lives: pd.DataFrame, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lives whose owner changes (row numbers), when, and who comes."""
    rows = np.flatnonzero(rng.random(len(lives)) < OWNER_CHANGED_SHARE)
    at = office_moments(lives, rows, rng.exponential(20, len(rows)))
    return rows, at, reps.draw_owners(at, settings, rng)


def draw_activities(lives: pd.DataFrame, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Row numbers of lives and ages in clock days of what a representative does."""
    called = lives["called"].to_numpy()
    hunch = np.exp(0.25 * lives["interest"].to_numpy() + rng.normal(0, 0.3, len(lives)))
    counts = rng.poisson(np.where(called, CALLED_COUNT, OTHER_COUNT) * hunch)
    rows = np.repeat(np.arange(len(lives)), counts)
    days = rng.exponential(LASTS_DAYS, len(rows))
    first = np.flatnonzero(called & (lives["life"].to_numpy() == 1))
    return (
        np.concatenate([first, rows]),
        np.concatenate([rng.exponential(0.25, len(first)), days]),
        np.concatenate([np.zeros(len(first), int), rng.choice(3, len(rows), p=[0.45, 0.4, 0.15])]),
    )


def activities_table(
    lives: pd.DataFrame, changes: tuple, settings: Settings, block: int, rng: np.random.Generator
) -> pd.DataFrame:
    rows, days, kind = draw_activities(lives, rng)
    at = office_moments(lives, rows, days)
    interest = lives["interest"].to_numpy()[rows]
    done = rng.random(len(rows)) < sigmoid(np.array([0.1, 3.0, 0.8])[kind] + 0.5 * interest)
    call = np.round(rng.lognormal(1.6 + 0.2 * interest, 0.7), 1)
    meeting = rng.choice([30.0, 45.0, 60.0], len(rows))
    lasted = np.where(kind == 0, call, np.where(kind == 2, meeting, np.nan))
    changed, changed_at, comes = changes
    owner = lives["owner"].to_numpy()[rows]
    when = np.full(len(lives), np.datetime64("NaT", "us"))
    when[changed] = changed_at
    new_owner = lives["owner"].to_numpy().copy()
    new_owner[changed] = comes
    owner = np.where(at >= when[rows], new_owner[rows], owner)
    user_id = reps.draw_reps(settings)["user_id"].to_numpy()[owner]
    open_still = at < lives["ended_at"].to_numpy()[rows]
    columns = {
        "deal_id": lives["deal_id"].to_numpy()[rows],
        "user_id": pd.arrays.IntegerArray(user_id, rng.random(len(rows)) < 0.01),
        "occurred_at": at,
        "known_at": known_times(at, settings, rng, seconds=300),
        "type": coded(kind, ACTIVITY_TYPES),
        "done": done,
        "duration_minutes": np.where(done, lasted, np.nan),
    }
    columns = {name: values[open_still] for name, values in columns.items()}
    return delivered("activity_id", columns, settings, block, rng)


def stage_moves(lives: pd.DataFrame, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Row numbers of lives, ages in clock days, and numbers of the stages they come to.

    Promise carries a deal further and sooner, but representatives differ in how they book it.
    """
    count, steps = len(lives), len(STAGE_DAYS)
    promise = 0.6 * (lives["interest"] + lives["odds"] - lives["odds"].mean()).to_numpy()[:, None]
    pace = np.exp(-0.35 * promise + rng.normal(0, 0.4, (count, 1)))
    quick = np.where(lives["called"].to_numpy()[:, None] & (np.arange(steps) == 0), 0.3, 1.0)
    days = np.cumsum(rng.exponential(STAGE_DAYS * pace * quick), axis=1)
    stalled = rng.random((count, steps)) < sigmoid(STALLED_ODDS - 0.8 * promise)
    rows, step = np.nonzero(~np.logical_or.accumulate(stalled, axis=1))
    return rows, days[rows, step], step + 1


def value_changes(lives: pd.DataFrame, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """First estimates in euros, one per life; then row numbers, ages and euros of later ones."""
    count = len(lives)
    euros = 180 * lives["employees_count"].to_numpy() ** 0.35 * rng.lognormal(0, 0.5, count)
    rows = np.repeat(np.arange(count), rng.poisson(VALUE_CHANGES_COUNT, count))
    later = euros[rows] * rng.lognormal(0, 0.3, len(rows))
    days = rng.exponential(15, len(rows))
    return tens(euros), rows, days, tens(later)


def tens(euros: np.ndarray) -> np.ndarray:
    """Rounded to ten euros, as text."""
    return np.maximum(np.round(euros / 10) * 10, 10).astype(int).astype(str)


def status_rows(lives: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers of lives, when we learn of it, number of the field, and its value as text."""
    fate, twin_of = lives["fate"].to_numpy(), lives["twin_of"].to_numpy()
    merged = (fate == 2) & (twin_of >= 0)
    status = np.array(["won", "lost", "deleted"], object)[fate]
    survivor = lives["deal_id"].to_numpy()[np.maximum(twin_of, 0)]  # first lives are by deal
    ends = np.where(merged, survivor.astype(str).astype(object), status)
    field = np.where(merged, FIELDS.index("merged_into"), FIELDS.index("status"))
    again = np.flatnonzero(lives["life"].to_numpy() > 1)
    return (
        np.concatenate([np.arange(len(lives)), again]),
        np.concatenate([lives["ended_at"].to_numpy(), lives["began_at"].to_numpy()[again]]),
        np.concatenate([field, np.full(len(again), FIELDS.index("status"))]),
        np.concatenate([ends, np.full(len(again), STATUSES[2], object)]),
    )


def changes_table(
    lives: pd.DataFrame, changes: tuple, settings: Settings, block: int, rng: np.random.Generator
) -> pd.DataFrame:
    """The history of the deals' fields, from the opening on."""
    user_ids = reps.draw_reps(settings)["user_id"].to_numpy()
    stage_rows, stage_days, stage = stage_moves(lives, rng)
    estimate, value_rows, value_days, later = value_changes(lives, rng)
    opened = np.flatnonzero(lives["life"].to_numpy() == 1)
    changed, changed_at, comes = changes
    names = np.array(STAGES, object)
    moves = [
        (opened, None, "stage", np.full(len(opened), STAGES[0], object)),
        (opened, None, "owner", user_ids[lives["owner"].to_numpy()[opened]].astype(str)),
        (opened, None, "value", estimate[opened]),
        (value_rows, value_days, "value", later),
        (stage_rows, stage_days, "stage", names[stage]),
        (changed, changed_at, "owner", user_ids[comes].astype(str)),
    ]
    parts = [moved(lives, *move, settings, rng) for move in moves]
    rows, known_at, field, value = status_rows(lives)
    delay = spans(rng.exponential(600_000_000, len(rows)))
    late = rng.random(len(rows)) < settings.late_share
    delay[late] += spans(rng.uniform(1, 72, late.sum()) * 3_600_000_000)
    occurred_at = np.maximum(known_at - delay, lives["began_at"].to_numpy()[rows])
    parts.append((lives["deal_id"].to_numpy()[rows], occurred_at, known_at, field, value))
    deal_id, occurred_at, known_at, field, value = map(np.concatenate, zip(*parts, strict=True))
    columns = {
        "deal_id": deal_id,
        "occurred_at": occurred_at,
        "known_at": known_at,
        "field": coded(field, FIELDS),
        "new_value": value.astype(object),
    }
    table = delivered("change_id", columns, settings, block, rng)
    return table.astype({"new_value": "str"})


def moved(
    lives: pd.DataFrame,
    rows: np.ndarray,
    when: np.ndarray | None,
    field: str,
    value: np.ndarray,
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    """Changes while lives go on. when: ages in clock days, or moments in UTC, or the opening."""
    began = lives["began_at"].to_numpy()[rows]
    if when is None:  # said with the deal itself
        occurred, known = lives["occurred_at"].to_numpy()[rows], began
    else:
        occurred = when if when.dtype.kind == "M" else office_moments(lives, rows, when)
        occurred = np.maximum(occurred, began)
        known = known_times(occurred, settings, rng)
    kept = occurred < lives["ended_at"].to_numpy()[rows]
    numbers = np.full(len(rows), FIELDS.index(field))
    deal_id = lives["deal_id"].to_numpy()[rows]
    return tuple(part[kept] for part in (deal_id, occurred, known, numbers, value))
