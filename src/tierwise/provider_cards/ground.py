"""What all cards are made from: the tables, and what the earlier pages stored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tierwise import accounts, files
from tierwise.accounts import Tables
from tierwise.files import InputError
from tierwise.providers import public_figures as public
from tierwise.providers import visits

LOOKBACK_DAYS = 365.0
APPEALS = ("appealed", "appeal accepted", "appeal refused")


@dataclass(frozen=True)
class Ground:
    """Of one application, all as known at the first morning of the latest quarter.

    names: the latest version of each provider, index provider_id. quarters: one row per provider
    and quarter, as page provider_ranks stores them. latest: those of the last quarter, index
    provider_id. satisfaction, drop_out: index provider_id. parts: by provider_id and action, how
    often (share), how often elsewhere (usual_share), what that is worth (part, in the unit of the
    score). topics: complaints of a year by provider_id and topic. events: provider_events.
    ranks: name of each rank. average_share: of customers who stop, of the whole marketplace.
    """

    application: str
    simulated: bool
    as_of: pd.Timestamp
    names: pd.DataFrame
    quarters: pd.DataFrame
    latest: pd.DataFrame
    satisfaction: pd.DataFrame
    drop_out: pd.DataFrame
    parts: pd.DataFrame
    topics: pd.DataFrame
    events: pd.DataFrame
    ranks: dict[int, str]
    average_share: float


def laid(tables: Tables, application: str, simulated: bool, window_days: float) -> Ground:
    """Everything at once. window_days: after a visit, for an action to belong to it. Raises
    InputError where an earlier page was not run."""
    quarters = stored(application, "provider_ranks")
    as_of = quarters["quarter"].max()
    known = accounts.known(tables, as_of)
    told = files.read_json(files.metrics_path(application, "satisfaction"))
    ranked = files.read_json(files.metrics_path(application, "provider_ranks"))
    stops = files.read_json(files.metrics_path(application, "drop_out"))
    return Ground(
        application=application,
        simulated=simulated,
        as_of=as_of,
        names=accounts.latest(known["providers"], "provider_id").set_index("provider_id"),
        quarters=quarters,
        latest=quarters[quarters["quarter"] == as_of].set_index("provider_id"),
        satisfaction=stored(application, "satisfaction").set_index("provider_id"),
        drop_out=stored(application, "drop_out").set_index("provider_id"),
        parts=parts(tables, as_of, told["weights"], window_days),
        topics=topics(known["complaints"], as_of),
        events=known["provider_events"].sort_values(["known_at", "event_id"], kind="stable"),
        ranks=dict(enumerate(ranked["rank_names"])),
        average_share=float(stops["average_rate"]),
    )


def stored(application: str, step: str) -> pd.DataFrame:
    """The table of an earlier page. Raises InputError that says which to run."""
    path = files.models_path(application, f"{step}.parquet")
    if not Path(path).is_file():
        raise InputError(f"{path} is missing. Run it first: dvc repro {step}@{application}.")
    return files.read_parquet(path)


def parts(
    tables: Tables, as_of: pd.Timestamp, weights: list[dict[str, Any]], window_days: float
) -> pd.DataFrame:
    """How each action moves each provider away from the marketplace's mean visit, one year back.

    The parts of a provider add up to its mean visit score less everybody's: sum over actions of
    weight x (share - usual_share).
    """
    jobs = visits.jobs(tables, as_of)
    names = [one["action"] for one in weights]
    counts = visits.actions(tables, jobs, as_of, window_days, names)
    kept = visits.settled(jobs, as_of, window_days) & young(jobs, as_of)
    share = counts[kept].groupby(jobs.loc[kept, "provider"]).mean()
    usual = counts[kept].mean()
    worth = pd.Series({one["action"]: one["weight"] for one in weights})
    rows = share.rename_axis(index="provider_id", columns="action").stack().rename("share")
    table = rows.reset_index()
    table["usual_share"] = table["action"].map(usual)
    table["part"] = (table["share"] - table["usual_share"]) * table["action"].map(worth)
    return table


def young(jobs: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series:
    return jobs["at_days"] >= visits.day_number(as_of) - LOOKBACK_DAYS


def topics(complaints: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Complaints of the last year: provider_id, topic, count; the most frequent first."""
    days = visits.day_number(as_of) - visits.day_number(complaints["occurred_at"])
    recent = complaints[days <= LOOKBACK_DAYS]
    table = recent.groupby(["provider_id", "topic"]).size().rename("count").reset_index()
    order = ["provider_id", "count", "topic"]
    return table.sort_values(order, ascending=[True, False, True], ignore_index=True)


def least_count() -> int:
    """Trials below which a figure is not shown."""
    return public.LEAST_COUNT
