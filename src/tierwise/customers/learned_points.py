"""Points learned from what came of people, beside those that somebody wrote into a catalogue.

A logistic regression of an outcome, such as "active within 30 days", on what is known of a person:
of every event the amount that has faded at several half-lives, and the days since the last one,
all as log(1 + x), so that the hundredth event says less than the first. Signs are held: more events
never take points away, and more silence never gives any. Its log odds are the score, scaled as
credit scores are: 20 points are twice the odds, and 100 points are the odds of everybody together.

Which half-lives and how much penalty is chosen on past cuts alone: fit on cuts whose outcome was
known, judged on the next ones, by log-loss; the first design within the tolerance of the best.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit

from tierwise import examples as ex
from tierwise import features as ft
from tierwise.files import InputError

HALF_LIVES_DAYS = (7.0, 30.0, 120.0, 480.0)
FOREVER_DAYS = 36_500.0  # a half-life for all that ever happened
DOUBLING_POINTS, EVERYBODY_POINTS = 20.0, 100.0
TOLERANCE_LOG_LOSS = 0.0005
CHANCE_FLOOR = 1e-6


@dataclass(frozen=True)
class Design:
    """What the points rest on.

    half_lives_days: by event. recency: events of which the silence counts. once_a_day: events that
    count once on a calendar day. penalty: L2, on standardised columns, in rows.
    """

    half_lives_days: Mapping[str, Sequence[float]]
    recency: Sequence[str] = ()
    once_a_day: Sequence[str] = ()
    penalty: float = 1.0

    @property
    def columns(self) -> list[ft.Feature]:
        fades = [
            ft.faded(event, days) for event, spans in self.half_lives_days.items() for days in spans
        ]
        return [*fades, *(ft.recency(event) for event in self.recency)]

    @property
    def signs(self) -> dict[str, int]:
        return {one.name: -1 if one.stat == "recency" else 1 for one in self.columns}


@dataclass(frozen=True)
class Learned:
    """Chance = expit(intercept + columns @ weights), columns as log(1 + x). even: log odds of
    everybody that it learned from."""

    names: tuple[str, ...]
    weights: np.ndarray
    intercept: float
    even: float

    def log_odds(self, columns: pd.DataFrame) -> np.ndarray:
        """columns: as from `columns_at`, shape (n_rows, n_names)."""
        return self.intercept + logs(columns[list(self.names)]) @ self.weights

    def chance(self, columns: pd.DataFrame) -> np.ndarray:
        return expit(self.log_odds(columns))

    def points(self, columns: pd.DataFrame) -> np.ndarray:
        """20 points more are twice the odds; 100 points the odds of everybody."""
        away = self.log_odds(columns) - self.even
        return EVERYBODY_POINTS + DOUBLING_POINTS * away / np.log(2)

    def shares(self, columns: pd.DataFrame) -> pd.DataFrame:
        """Points of each column of each person; with `start_points` they sum to `points`."""
        found = logs(columns[list(self.names)]) * self.weights * DOUBLING_POINTS / np.log(2)
        return pd.DataFrame(found, columns=list(self.names), index=columns.index)

    @property
    def start_points(self) -> float:
        """What everybody begins with."""
        return EVERYBODY_POINTS + DOUBLING_POINTS * (self.intercept - self.even) / np.log(2)

    def table(self) -> pd.DataFrame:
        """column, weight, doubling_points: points more where 1 + x of the column doubles."""
        rows = {"column": self.names, "weight": self.weights}
        return pd.DataFrame(rows).assign(doubling_points=DOUBLING_POINTS * self.weights)


def logs(columns: pd.DataFrame) -> np.ndarray:
    """log(1 + x), 0 where x is missing or below 0. A silence without beginning: see `columns_at`.

    Amounts below 0 are cut off: signs could not be held for them.
    """
    return np.log1p(columns.fillna(0.0).clip(lower=0).to_numpy("float64"))


def columns_at(
    events: pd.DataFrame, design: Design, person_id: pd.Series, as_of: pd.Series
) -> pd.DataFrame:
    """The design's columns of persons at as-of times, in their order; see `features.compute`.

    events: person_id, event, occurred_at, known_at, amount (absent: 1 each). Whoever has no event
    of a kind has been silent for as long as anybody who was known then.
    """
    needed = [*dict.fromkeys([*design.half_lives_days, *design.recency])]
    used = events[events["event"].isin(needed)]
    if len(design.once_a_day):
        day = used["occurred_at"].dt.floor("D")
        again = used.assign(day=day).duplicated(["person_id", "event", "day"])
        used = used[~(again & used["event"].isin(design.once_a_day))]
    known, occurred = used["known_at"], used["occurred_at"]
    amount = used.get("amount", np.nan)
    event = used["event"].astype(pd.CategoricalDtype(needed))
    stream = ft.stream(used["person_id"], known, occurred, event, amount)
    found = ft.compute(design.columns, {}, stream, person_id, as_of, "float64")
    for name in (ft.recency(event).name for event in design.recency):
        longest = found[name].groupby(as_of.to_numpy()).transform("max")
        found[name] = found[name].fillna(longest)
    return found


def cut_examples(
    events: pd.DataFrame,
    design: Design,
    cuts: Sequence[pd.Timestamp],
    horizon_days: float,
    outcome_event: str,
) -> pd.DataFrame:
    """Everybody with an `outcome_event` known before each cut, and whether one comes within the
    horizon from the cut on. Columns: person_id, as_of, outcome_known_at, outcome, the design's.

    Raises InputError where nobody was known at a cut.
    """
    own = events[(events["event"] == outcome_event).to_numpy()]
    found = []
    for cut in cuts:
        end = ex.horizon_end(cut, horizon_days)
        people = np.unique(own["person_id"][ex.known_before(own, cut, "known_at")].to_numpy())
        if not len(people):
            raise InputError(
                f"Nobody had the event '{outcome_event}' before {ex.label(cut)}. Cut later."
            )
        inside = ex.known_before(own, end, "occurred_at")
        inside &= ~ex.known_before(own, cut, "occurred_at")
        came = np.isin(people, own["person_id"][inside].to_numpy()).astype("int64")
        columns = {"person_id": people, "as_of": cut, "outcome_known_at": end, "outcome": came}
        found.append(pd.DataFrame(columns))
    rows = pd.concat(found, ignore_index=True)
    columns = columns_at(events, design, rows["person_id"], rows["as_of"])
    return pd.concat([rows, columns], axis=1)


def fit(learned: pd.DataFrame, design: Design) -> Learned:
    """Weights of least penalised log-loss, signs held. learned: rows of `cut_examples`.

    Raises InputError where all rows ended alike.
    """
    outcome = learned["outcome"].to_numpy("float64")
    if len(np.unique(outcome)) < 2:
        raise InputError(
            f"All {len(outcome):,} rows ended alike: there is nothing to learn. Use more cuts or "
            "another horizon."
        )
    names = [one.name for one in design.columns]
    x = logs(learned[names])
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale < 1e-9] = 1.0
    z = (x - mean) / scale
    bounds = [(0, None) if design.signs[name] > 0 else (None, 0) for name in names]

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        odds = at[0] + z @ at[1:]
        total = np.logaddexp(0, odds).sum() - outcome @ odds + design.penalty * at[1:] @ at[1:] / 2
        miss = expit(odds) - outcome
        slope = np.concatenate([[miss.sum()], z.T @ miss + design.penalty * at[1:]])
        return total / len(outcome), slope / len(outcome)

    rate = outcome.mean()
    even = float(np.log(rate / (1 - rate)))
    start = np.concatenate([[even], np.zeros(len(names))])
    fine = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 2000}
    free = [(None, None), *bounds]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=free, options=fine).x
    weights = found[1:] / scale
    return Learned(tuple(names), weights, float(found[0] - weights @ mean), even)


def fit_before(known: pd.DataFrame, as_of: pd.Timestamp, design: Design) -> Learned:
    """What could be learned at `as_of`: from cuts whose outcome was known. Raises InputError."""
    usable = known[ex.known_before(known, as_of)]
    if usable.empty:
        raise InputError(f"No cut had run its course before {ex.label(as_of)}. Add earlier cuts.")
    return fit(usable, design)


def rolled(known: pd.DataFrame, cuts: Sequence[pd.Timestamp], design: Design) -> pd.DataFrame:
    """The rows of these cuts with the chance and the points that could be told then.

    At each cut the weights are learned anew from the cuts whose outcome was known before it.
    """
    found = []
    for cut in cuts:
        rows = known[(known["as_of"] == cut).to_numpy()]
        then = fit_before(known, cut, design)
        found.append(rows.assign(chance=then.chance(rows), points=then.points(rows)))
    return pd.concat(found, ignore_index=True)


def log_loss(outcome: np.ndarray, chance: np.ndarray) -> float:
    clipped = np.clip(chance, CHANCE_FLOOR, 1 - CHANCE_FLOOR)
    return float(-(outcome * np.log(clipped) + (1 - outcome) * np.log1p(-clipped)).mean())


def chosen(
    events: pd.DataFrame,
    designs: Mapping[str, Design],
    cuts: Sequence[pd.Timestamp],
    horizon_days: float,
    outcome_event: str,
) -> tuple[str, pd.DataFrame]:
    """The name of the design to use, and a row per design: name, log_loss, rows_count.

    designs: from the simplest on. Every cut is judged that can be learned for: with a cut before
    it whose outcome was known.
    """
    found = []
    for name, design in designs.items():
        known = cut_examples(events, design, cuts, horizon_days, outcome_event)
        later = [cut for cut in cuts if ex.known_before(known, cut).any()]
        if not later:
            raise InputError(
                f"No cut lies more than {horizon_days:g} days after another one, so designs can't "
                "be judged on the past. Add cuts."
            )
        rows = rolled(known, later, design)
        loss = log_loss(rows["outcome"].to_numpy(), rows["chance"].to_numpy())
        found.append({"name": name, "log_loss": loss, "rows_count": len(rows)})
    table = pd.DataFrame(found)
    near = table["log_loss"] <= table["log_loss"].min() + TOLERANCE_LOG_LOSS
    return str(table.loc[near.idxmax(), "name"]), table
