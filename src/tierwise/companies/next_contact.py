"""Will these two be in contact within the next 30 days? A chance for each pair that has met.

A logistic regression on how the contact of a pair fades over a week, a month and four months, on
its last contact, its weaker direction and its active days. It learns from earlier as-of times
("cuts") whose 30 days are over, and is judged on later ones. Setting the level anew on the last
known cut is not done: the level moves with the season, and in nine months' mail of a company it
was no better for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from tierwise import examples
from tierwise.companies import network
from tierwise.files import InputError

HALF_LIVES_DAYS = (120.0, 30.0, 7.0)  # the first also tells both directions apart
HORIZON_DAYS = 30.0
OUTCOMES = ("contact", "two_way_contact")
LEAST_COUNT = 0.01  # a faded sum below it is as good as none


@dataclass(frozen=True)
class Model:
    """Chance = expit(intercept + standardised features @ weights)."""

    outcome: str
    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    intercept: float

    def score(self, features: pd.DataFrame) -> np.ndarray:
        """Log odds, shape (n_rows,)."""
        values = (features[list(self.names)].to_numpy("float64") - self.mean) / self.scale
        return self.intercept + values @ self.weights

    def chance(self, features: pd.DataFrame) -> np.ndarray:
        """Chance of contact within the horizon, shape (n_rows,)."""
        return expit(self.score(features))


def features(pairs: pd.DataFrame) -> pd.DataFrame:
    """What the chance rests on, one row per pair, from `network.pairs` at HALF_LIVES_DAYS.

    Logs of faded sums (both directions), of the weaker direction, of the days since the last
    contact and of active days; two_way as 0 or 1.
    """
    found = {
        name: np.log(pairs[name] + LEAST_COUNT)
        for name in (f"both_{days:g}" for days in HALF_LIVES_DAYS)
    }
    found["weaker"] = np.log(pairs[["out", "back"]].min(axis=1) + LEAST_COUNT)
    for name in ("last_days", "active_days"):
        found[name] = np.log1p(pairs[name])
    found["two_way"] = pairs["two_way"].astype("float64")
    return pd.DataFrame(found)


def pairs_at(
    interactions: pd.DataFrame,
    as_of: pd.Timestamp,
    people: pd.Index,
    share_by_recipient: bool = False,
) -> pd.DataFrame:
    """`network.pairs` and `features` of every pair that has met before `as_of`, side by side.

    By default a message to many counts in full for each: so two-way contact was
    predicted better, and contact in either direction hardly worse. Columns that both have are
    those of `features`.
    """
    known = network.contacts(
        interactions, as_of, HALF_LIVES_DAYS, share_by_recipient=share_by_recipient, people=people
    )
    pairs = network.pairs(known)
    made = features(pairs)
    kept = pairs.drop(columns=[*made.columns], errors="ignore")
    return pd.concat([kept, made], axis=1).assign(as_of=as_of)


def cut_examples(
    interactions: pd.DataFrame,
    cuts: Sequence[pd.Timestamp],
    horizon_days: float = HORIZON_DAYS,
    share_by_recipient: bool = False,
) -> pd.DataFrame:
    """Known pairs at each cut with what came next; a cut's outcome is known horizon_days later.

    Columns: as_of, first, second, features, outcome_known_at; contact (0 or 1: an interaction in
    either direction from the cut until just before the horizon's end) and two_way_contact (one in
    each direction). Raises InputError where no pair has met before a cut.
    """
    who = [interactions[name].to_numpy() for name in ("from", "to")]
    people = pd.Index(np.union1d(*who))
    pair = pair_codes(people, *who)
    found = []
    for as_of in cuts:
        known = pairs_at(interactions, as_of, people, share_by_recipient)
        if known.empty:
            raise InputError(
                f"Nobody had met anybody before {examples.label(as_of)}. Choose a later cut."
            )
        end = examples.horizon_end(as_of, horizon_days)
        soon = examples.known_before(interactions, end, "at")
        ahead = (soon & ~examples.known_before(interactions, as_of, "at")).to_numpy()
        there = np.unique(pair[ahead])
        ends = [known[name].to_numpy() for name in ("first", "second")]
        met = [np.isin(one * len(people) + other, there) for one, other in (ends, ends[::-1])]
        found.append(
            known.assign(
                contact=(met[0] | met[1]).astype("int64"),
                two_way_contact=(met[0] & met[1]).astype("int64"),
                outcome_known_at=end,
            )
        )
    return pd.concat(found, ignore_index=True)


def pair_codes(people: pd.Index, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """One number per directed pair: position of the source × number of people + of the target."""
    places = [network.position(people, ids).astype("int64") for ids in (source, target)]
    return places[0] * len(people) + places[1]


def fit(learned: pd.DataFrame, outcome: str = "contact", penalty: float = 1.0) -> Model:
    """Logistic regression (L2 on standardised features) on the rows of `cut_examples`.

    Raises InputError for an unknown outcome, or where all rows ended alike.
    """
    if outcome not in OUTCOMES:
        raise InputError(f"'{outcome}' is no outcome; choose one of {', '.join(OUTCOMES)}.")
    happened = learned[outcome].to_numpy()
    if len(np.unique(happened)) < 2:
        raise InputError(
            f"All {len(happened):,} pairs ended alike ({outcome}): there is nothing to learn. "
            "Use more cuts or another horizon."
        )
    names = feature_names()
    values = learned[list(names)].to_numpy("float64")
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale == 0] = 1.0
    model = LogisticRegression(C=1 / penalty, max_iter=1000)
    model.fit((values - mean) / scale, happened)
    return Model(outcome, names, mean, scale, model.coef_[0], float(model.intercept_[0]))


def feature_names() -> tuple[str, ...]:
    sums = [f"both_{days:g}" for days in HALF_LIVES_DAYS]
    return (*sums, "weaker", "last_days", "active_days", "two_way")


def fit_before(
    known: pd.DataFrame, as_of: pd.Timestamp, outcome: str = "contact", penalty: float = 1.0
) -> Model:
    """The model as it could be made at `as_of`, from the cuts whose outcome was known before it.

    known: rows of `cut_examples`. Raises InputError where no cut had run its course.
    """
    usable = known[examples.known_before(known, as_of)]
    if usable.empty:
        raise InputError(
            f"No cut had run its course before {examples.label(as_of)}. Add earlier cuts."
        )
    return fit(usable, outcome, penalty)
