"""From tables to what customers' deeds say of each provider, as it was known at some time.

    jobs -> actions after each -> weights (what foretells a return to it) -> score -> quality

A return within the own gap is told from a silence only if the gap is given time: of those who stay,
one in e^stretch would be silent for so long by chance, 14 % at stretch 2 and 2 % at 4.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise import rhythm, shrinkage
from tierwise.accounts import Tables, latest
from tierwise.files import InputError
from tierwise.providers import drop_out, satisfaction, visit_scores, visits, visits_seen

DEEDS = [name for name in visits.ACTIONS if not name.startswith(("rebooked", "cancelled"))]
RETURNS = ("rebooked_same", "rebooked_other", "cancelled")  # they say that somebody came again


@dataclass(frozen=True)
class Asked:
    """What an analyst may choose. given: weights by hand, in log odds of a return.

    Actions that are a return themselves need a weight by hand. lookback_days: older visits say
    nothing of today's quality; None: all do.
    """

    actions: list[str] = field(default_factory=lambda: [*DEEDS, "rebooked_same"])
    given: dict[str, float] = field(default_factory=lambda: {"rebooked_same": 0.5})
    window_days: float = visits.WINDOW_DAYS
    stretch: float = 4.0
    lookback_days: float | None = 730.0

    def __post_init__(self) -> None:
        untold = [name for name in self.actions if name in RETURNS and name not in self.given]
        if untold:
            raise InputError(
                f"{untold[0]} is a return itself and would foretell itself. Give it a weight by "
                "hand below `given`, 0.5 is that of a tip, or take it out of `actions`."
            )

    def since(self, until: pd.Timestamp) -> pd.Timestamp:
        """The first moment whose visits count."""
        days = self.lookback_days
        return visits.START if days is None else until - pd.Timedelta(days=days)


@dataclass(frozen=True)
class Measured:
    """jobs: as from visits.jobs, with score, deeds_score (without what is a return itself),
    returned (to anybody; NaN where not yet known) and settled; weights, learned from returns to
    the same provider; the rhythm; quality of providers."""

    jobs: pd.DataFrame
    weights: pd.DataFrame
    rhythm: rhythm.Rhythm
    quality: satisfaction.Quality


def measured(tables: Tables, until: pd.Timestamp, asked: Asked) -> Measured:
    """What was known before `until`. Raises InputError where nothing can be learned."""
    found = visits.jobs(tables, until)
    acted = visits.actions(tables, found, until, asked.window_days, asked.actions)
    day = visits.day_number(until)
    own = drop_out.fit(found, day).parameters.rhythm
    settled = visits.settled(found, until, asked.window_days)
    returned = rhythm.returned_in_own_gap(found, day, own, asked.stretch)
    rows = settled & visits_seen.seasoned(found)
    came = visits_seen.to_same(found, returned)[rows].to_numpy()
    weights = visit_scores.learned_weights(acted[rows], came, controls(found[rows]), asked.given)
    deeds = weights.assign(weight=weights["weight"].where(~weights.index.isin(RETURNS), 0.0))
    found = found.assign(
        score=visit_scores.visit_scores(acted, weights),
        deeds_score=visit_scores.visit_scores(acted, deeds),
        returned=returned,
        settled=settled,
    )
    recent = found["at_days"] >= visits.day_number(asked.since(until))
    return Measured(found, weights, own, satisfaction.quality(found[settled & recent]))


def controls(jobs: pd.DataFrame) -> pd.DataFrame:
    """What moves a return whatever was done: how often the customer had come, and the segment."""
    segments = pd.get_dummies(jobs["segment"].astype("str"), dtype="float64").iloc[:, 1:]
    return segments.assign(log_visit_number=np.log(jobs["number"].to_numpy("float64")))


def stars(tables: Tables, until: pd.Timestamp, lookback_days: float | None = None) -> pd.DataFrame:
    """Stars by provider: ratings_count, stars_mean, stars (drawn towards all as noise demands)."""
    rows = visits.once(tables["ratings"], "booking_id", until)
    if lookback_days is not None:
        since = until - pd.Timedelta(days=lookback_days)
        rows = rows[~ex.known_before(rows, since, "occurred_at")]
    by_provider = rows.groupby(rows["provider_id"].rename("provider"))["stars"]
    table = by_provider.agg(ratings_count="count", stars_mean="mean")
    noise = float((rows["stars"] - by_provider.transform("mean")).std())
    if noise > 0 and len(table) >= shrinkage.LEAST_GROUPS:
        errors = noise / np.sqrt(table["ratings_count"].to_numpy("float64"))
        found = shrinkage.shrunk_means(table["stars_mean"].to_numpy(), errors)
        return table.assign(stars=found["mean"].to_numpy())
    return table.assign(stars=table["stars_mean"])


def names(tables: Tables, until: pd.Timestamp) -> pd.Series:
    """Public name by provider on one line, as it was known last before then."""
    rows = tables["providers"]
    seen = latest(rows[ex.known_before(rows, until, "known_at")], "provider_id")
    found = seen.set_index("provider_id")["name"].rename_axis("provider").sort_index()
    return found.str.split().str.join(" ")
