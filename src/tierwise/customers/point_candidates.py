"""Rules of thumb for who will be active next, judged beside learned points on the same rows.

    faded_7d ... faded_240d    events that halve in so many days
    all_events                 no fading
    less_10_per_idle_week      all events, less 10 % for each week of the silence of now
    less_4_per_idle_week       five points an event, less 4 for each such week, not below 0
    linear_60d                 an event counts 1 at once and 0 after 60 days
    last_30d, last_90d         events in so many days
    recency                    days since the last event, negative
    rfm                        places in fifths of recency, frequency and amount, summed

A rule gives a score. To compare log-loss, each is turned into a chance by a logistic regression on
log(1 + score), fitted on the cuts that were known then, as learned points are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from tierwise import draws as dr
from tierwise import examples as ex
from tierwise.customers import learned_points as lp
from tierwise.evaluation import wilson
from tierwise.ranking import auc

HALF_LIVES_DAYS = (3.0, 7.0, 14.0, 30.0, 60.0, 120.0, 240.0)
WEEK = 7.0
DRAWS_COUNT = 400
DECILES = 10


@dataclass(frozen=True)
class Past:
    """Events of the people of one cut. person: place, shape (n_events,); age_days; amount."""

    count: int
    person: np.ndarray
    age_days: np.ndarray
    amount: np.ndarray

    def summed(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.person, values, minlength=self.count)

    @property
    def silence_days(self) -> np.ndarray:
        found = np.full(self.count, np.inf)
        np.minimum.at(found, self.person, self.age_days)
        return found


def faded(days: float) -> Callable[[Past], np.ndarray]:
    return lambda past: past.summed(np.exp2(-past.age_days / days))


def last(days: float) -> Callable[[Past], np.ndarray]:
    return lambda past: past.summed((past.age_days <= days).astype("float64"))


def all_events(past: Past) -> np.ndarray:
    return past.summed(np.ones(len(past.person)))


def less_share(share: float) -> Callable[[Past], np.ndarray]:
    return lambda past: all_events(past) * (1 - share) ** np.floor(past.silence_days / WEEK)


def less_points(past: Past) -> np.ndarray:
    return np.maximum(5 * all_events(past) - 4 * np.floor(past.silence_days / WEEK), 0)


def linear(past: Past) -> np.ndarray:
    return past.summed(np.maximum(1 - past.age_days / 60, 0))


def recency(past: Past) -> np.ndarray:
    return -past.silence_days


def rfm(past: Past) -> np.ndarray:
    parts = -past.silence_days, all_events(past), past.summed(past.amount)
    return np.sum([fifth(part) for part in parts], axis=0).astype("float64")


def fifth(values: np.ndarray) -> np.ndarray:
    """1 to 5 by rank, equals alike."""
    return np.ceil(pd.Series(values).rank(pct=True, method="max").to_numpy() * 5)


RULES: dict[str, Callable[[Past], np.ndarray]] = {
    **{f"faded_{days:g}d": faded(days) for days in HALF_LIVES_DAYS},
    "all_events": all_events,
    "less_10_per_idle_week": less_share(0.10),
    "less_25_per_idle_week": less_share(0.25),
    "less_50_per_idle_week": less_share(0.50),
    "less_4_per_idle_week": less_points,
    "linear_60d": linear,
    "last_30d": last(30.0),
    "last_90d": last(90.0),
    "recency": recency,
    "rfm": rfm,
}


def scored(known: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """The rows of `learned_points.cut_examples`, with a column per rule of RULES.

    events: those of one kind, known_at and, for `rfm`, amount (absent: 1 each).
    """
    found = []
    for cut, rows in known.groupby("as_of", sort=True):
        past = past_at(events, cut, rows["person_id"].to_numpy())
        columns = {name: rule(past) for name, rule in RULES.items()}
        found.append(rows.assign(**columns))
    return pd.concat(found, ignore_index=True)


def past_at(events: pd.DataFrame, cut: pd.Timestamp, people: np.ndarray) -> Past:
    """people: ascending; events of others are left out."""
    before = events[ex.known_before(events, cut, "known_at")]
    person = before["person_id"].to_numpy()
    place = np.clip(np.searchsorted(people, person), 0, len(people) - 1)
    own = people[place] == person
    age = ex.days_passed(before["occurred_at"], pd.Series(cut, before.index))
    amount = before["amount"].to_numpy("float64") if "amount" in before else np.ones(len(before))
    return Past(len(people), place[own], age[own], amount[own])


def chances(rows: pd.DataFrame, name: str, cuts: Sequence[pd.Timestamp]) -> np.ndarray:
    """Chance by one rule at each cut, from the cuts known before; rows: by as_of."""
    found = np.empty(len(rows))
    for cut in cuts:
        usable, now = ex.known_before(rows, cut), (rows["as_of"] == cut).to_numpy()
        x = as_column(rows[name])
        model = LogisticRegression(C=1.0, max_iter=1000)
        model.fit(x[usable.to_numpy()], rows["outcome"][usable])
        found[now] = model.predict_proba(x[now])[:, 1]
    return found[rows["as_of"].isin(cuts).to_numpy()]


def as_column(score: pd.Series) -> np.ndarray:
    """log(1 + score), with its sign for scores below 0, shape (n_rows, 1)."""
    values = score.to_numpy("float64")
    return (np.sign(values) * np.log1p(np.abs(values)))[:, None]


def compared(
    rows: pd.DataFrame,
    learned: pd.DataFrame,
    cuts: Sequence[pd.Timestamp],
    names: Sequence[str] = tuple(RULES),
) -> pd.DataFrame:
    """How well each rule and the learned points rank and foretell at the judged cuts.

    rows: of `scored`; learned: of `learned_points.rolled` for the same cuts. Columns: candidate,
    auc, average_precision, log_loss; ahead, low, high: AUC of the learned points less that of the
    candidate, with its 95 % interval for paired draws of cuts and people; NaN for themselves.
    """
    at = rows[rows["as_of"].isin(cuts).to_numpy()]
    keys = ["as_of", "person_id"]
    told = learned.set_index(keys).loc[pd.MultiIndex.from_frame(at[keys])]
    outcome, best = at["outcome"].to_numpy(), told["points"].to_numpy()
    found = [{"candidate": "learned", **measured(outcome, best, told["chance"].to_numpy())}]
    drawn = dr.draw(at["as_of"].to_numpy(), at["person_id"].to_numpy(), DRAWS_COUNT)
    for name in names:
        score = at[name].to_numpy()
        row = {"candidate": name, **measured(outcome, score, chances(rows, name, cuts))}
        found.append(row | ahead(drawn, outcome, best, score))
    return pd.DataFrame(found)


def rule_ahead(
    rows: pd.DataFrame, cuts: Sequence[pd.Timestamp], name: str, others: Sequence[str]
) -> pd.DataFrame:
    """AUC of one rule less that of others at the judged cuts: candidate, ahead, low, high."""
    at = rows[rows["as_of"].isin(cuts).to_numpy()]
    drawn = dr.draw(at["as_of"].to_numpy(), at["person_id"].to_numpy(), DRAWS_COUNT)
    outcome, own = at["outcome"].to_numpy(), at[name].to_numpy()
    found = [{"candidate": one, **ahead(drawn, outcome, own, at[one].to_numpy())} for one in others]
    return pd.DataFrame(found)


def measured(outcome: np.ndarray, score: np.ndarray, chance: np.ndarray) -> dict[str, float]:
    return {
        "auc": auc(outcome, score),
        "average_precision": float(average_precision_score(outcome, score)),
        "log_loss": lp.log_loss(outcome, chance),
    }


def ahead(
    drawn: dr.Draws, outcome: np.ndarray, one: np.ndarray, other: np.ndarray
) -> dict[str, float]:
    """AUC of one score less that of another, with its interval."""

    def gap(part: dr.Draws) -> np.ndarray:
        return dr.auc(part, outcome, one) - dr.auc(part, outcome, other)

    low, high = dr.interval(drawn, gap, -1.0, 1.0)
    return {"ahead": auc(outcome, one) - auc(outcome, other), "low": low, "high": high}


def by_decile(outcome: np.ndarray, points: np.ndarray) -> pd.DataFrame:
    """What became of people by tenth of points, the most points first, for a figure.

    Columns: decile (1 to 10), count, least_points, most_points, rate, low, high (95 %, Wilson).
    """

    order = np.argsort(-points, kind="stable")
    found = []
    for number, place in enumerate(np.array_split(order, DECILES), start=1):
        won, count = float(outcome[place].sum()), len(place)
        low, high = wilson(won, count)
        ends = {"least_points": points[place].min(), "most_points": points[place].max()}
        row = {"decile": number, "count": count, **ends, "rate": won / max(count, 1)}
        found.append(row | {"low": low, "high": high})
    return pd.DataFrame(found)
