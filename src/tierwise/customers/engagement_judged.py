"""Who buys again: points by hand, points learned, and simple rules, judged on the same later rows.

    recency          the shorter ago the last event, the sooner
    event_count      all events ever
    rfm              recency, frequency and amount of purchases, in fifths
    unfaded_points   points of the catalogue that stay as they were earned
    hand_points      points of the catalogue as they fade
    learned_points   weights and half-lives learned from who bought, see learned_points.py
    regression       logistic regression on counts, money and silence, signs free

They are rolled from look to look: whatever is fitted at a look knows only outcomes that were known
before it. A score becomes a chance by a logistic regression on log(1 + score), as calibrated as
learned points and the regression are. Looks before the judged ones choose half-lives, and the
candidate in use: the first of the list whose AUC is within the tolerance of the best. The judged
looks are looked at once. AUCs are means inside looks, so that no candidate gains by the season.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tierwise import examples as ex
from tierwise import paired_intervals as pi
from tierwise.customers import learned_points as lp
from tierwise.evaluation import CHANCE_FLOOR, calibration_error
from tierwise.features import window_name
from tierwise.files import InputError

HAND, UNFADED, LEARNED, REGRESSION = "hand_points", "unfaded_points", "learned_points", "regression"
SIMPLE = ("recency", "event_count", "rfm")  # what anybody could do without points
RULES = (*SIMPLE, UNFADED, HAND)
CANDIDATES = (*RULES, LEARNED, REGRESSION)
FEWEST_CHOOSING = 2
KEYS = ["person_id", "as_of", "outcome_known_at", "outcome"]
Chances = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class Settings:
    """half_lives_days: sets of half-lives that learned points may rest on, simplest first.
    silence_of: events of which the days of silence may count, too. judged_looks_count: latest ones
    whose outcome is known; choosing_looks_count: those before them that choose, at most."""

    half_lives_days: Sequence[Sequence[float]] = ((7.0,), (30.0,), (120.0,), (30.0, 120.0))
    silence_of: Sequence[str] = ()
    judged_looks_count: int = 6
    choosing_looks_count: int = 4
    tolerance_auc: float = 0.005


@dataclass(frozen=True)
class Judged:
    """One horizon. name: the candidate in use. rows: of the judged looks, with a chance each per
    candidate. designs: design, log_loss on the looks that chose. known: all rows whose outcome is
    known. columns: those of the regression."""

    name: str
    design_name: str
    design: lp.Design
    rows: pd.DataFrame
    designs: pd.DataFrame
    known: pd.DataFrame
    columns: tuple[str, ...]

    @property
    def again(self) -> pd.DataFrame:
        """The judged rows of customers who had bought before."""
        return self.rows[self.rows["bought_before"]].reset_index(drop=True)

    @property
    def first(self) -> pd.DataFrame:
        return self.rows[~self.rows["bought_before"]].reset_index(drop=True)


def designs(kinds: Sequence[str], settings: Settings) -> dict[str, lp.Design]:
    """What points may be learned from, from the simplest on: each set of half-lives for all kinds
    of events, then the last set with the days of silence. Raises InputError."""
    unknown = [kind for kind in settings.silence_of if kind not in kinds]
    if unknown or not settings.half_lives_days:
        raise InputError(
            f"params.yaml: half_lives_days needs one set or more, and silence_of events of the "
            f"catalogue ({', '.join(kinds)}); unknown: {', '.join(unknown) or 'none'}."
        )
    found = {}
    for spans in settings.half_lives_days:
        name = " and ".join(f"{days:g}" for days in spans) + " days"
        found[name] = lp.Design({kind: tuple(spans) for kind in kinds})
    if settings.silence_of:
        found[f"{name} and silence"] = replace(found[name], recency=tuple(settings.silence_of))
    return found


def with_faded(
    rows: pd.DataFrame, events: pd.DataFrame, tried: Mapping[str, lp.Design]
) -> pd.DataFrame:
    """The rows with the columns of all designs, computed in one pass. rows: person_id, as_of.

    events: person_id, event, occurred_at, known_at.
    """
    fades: dict[str, dict[float, None]] = {}
    for design in tried.values():
        for kind, spans in design.half_lives_days.items():
            fades.setdefault(kind, {}).update(dict.fromkeys(spans))
    silence = dict.fromkeys(kind for design in tried.values() for kind in design.recency)
    whole = lp.Design({kind: tuple(spans) for kind, spans in fades.items()}, tuple(silence))
    told = lp.columns_at(events, whole, rows["person_id"], rows["as_of"])
    return rows.join(told).copy()  # in one piece: a hundred single columns are slow to select from


def asked(rows: pd.DataFrame, days: float) -> pd.DataFrame:
    """Rows whose horizon is over, with outcome (int) and outcome_known_at. rows: as_of and
    outcome_<days>d, missing where the horizon is not over."""
    name = f"outcome{window_name(days)}"
    known = rows[rows[name].notna()].reset_index(drop=True)
    end = ex.horizon_end(known["as_of"], days)
    return known.assign(outcome=known[name].astype("int64"), outcome_known_at=end)


def split_looks(
    known: pd.DataFrame, settings: Settings
) -> tuple[list[pd.Timestamp], list[pd.Timestamp]]:
    """Looks that choose, and looks that judge, both ascending.

    known: rows with as_of and outcome_known_at. At each some outcome of an earlier look was known,
    and every outcome of those that choose before the first judged one. Raises InputError where
    there are too few.
    """
    ends = known.drop_duplicates("as_of")[["as_of", "outcome_known_at"]].sort_values("as_of")
    looks = [look for look in ends["as_of"] if ex.known_before(ends, look).any()]
    judging = looks[-settings.judged_looks_count :]
    over = set(ends["as_of"][ex.known_before(ends, judging[0])]) if judging else set()
    choosing = [look for look in looks if look in over][-settings.choosing_looks_count :]
    if len(judging) < settings.judged_looks_count or len(choosing) < FEWEST_CHOOSING:
        raise InputError(
            f"To judge {settings.judged_looks_count} looks, and to choose on {FEWEST_CHOOSING} "
            f"whose outcome was known before, takes more than the {len(ends)} looks whose outcome "
            "is known. Lower judged_looks_count, look_every_days or the horizon, or raise "
            "looks_count."
        )
    return choosing, judging


def judged(
    known: pd.DataFrame,
    tried: Mapping[str, lp.Design],
    columns: Sequence[str],
    settings: Settings,
) -> Judged:
    """Choose on the earlier looks, judge once on the later ones.

    known: rows of `asked` with person_id, bought_before, scores of RULES, the columns of the
    designs, and `columns`, those of the regression. tried: designs of learned points, from the
    simplest on. Raises InputError where there are too few looks.
    """
    choosing, judging = split_looks(known, settings)
    design_name, losses = chosen_design(known, tried, choosing)
    design, used = tried[design_name], tuple(columns)
    known = known[[*KEYS, "bought_before", *RULES, *used, *names(design)]]
    name = chosen_candidate(rolled(known, design, used, choosing), settings.tolerance_auc)
    rows = rolled(known, design, used, judging)
    return Judged(name, design_name, design, rows, losses, known, used)


def names(design: lp.Design) -> list[str]:
    return [one.name for one in design.columns]


def chosen_design(
    known: pd.DataFrame, tried: Mapping[str, lp.Design], choosing: Sequence[pd.Timestamp]
) -> tuple[str, pd.DataFrame]:
    """The first design within `lp.TOLERANCE_LOG_LOSS` of the best, and design, log_loss of each.

    No look but those that choose, and what was known before them, is looked at.
    """
    lines = []
    for name, design in tried.items():
        rows = lp.rolled(known[[*KEYS, *names(design)]], choosing, design)
        loss = lp.log_loss(rows["outcome"].to_numpy(), rows["chance"].to_numpy())
        lines.append({"design": name, "log_loss": loss})
    table = pd.DataFrame(lines)
    near = table["log_loss"] <= table["log_loss"].min() + lp.TOLERANCE_LOG_LOSS
    return str(table.loc[near.idxmax(), "design"]), table


def rolled(
    known: pd.DataFrame, design: lp.Design, columns: Sequence[str], looks: Sequence[pd.Timestamp]
) -> pd.DataFrame:
    """Rows of these looks with a chance per candidate, named `<candidate>_chance`."""
    found = []
    for look in looks:
        usable = known[ex.known_before(known, look)]
        now = known[known["as_of"].eq(look)]
        chances = {
            chance_name(name): fitted(name, usable, design, columns)(now) for name in CANDIDATES
        }
        found.append(now.assign(**chances))
    return pd.concat(found, ignore_index=True)


def chance_name(candidate: str) -> str:
    return f"{candidate}_chance"


def fitted(name: str, usable: pd.DataFrame, design: lp.Design, columns: Sequence[str]) -> Chances:
    """The candidate fitted on these rows, as a function of rows. Raises InputError where all rows
    ended alike."""
    if name == LEARNED:
        return lp.fit(usable, design).chance
    if usable["outcome"].nunique() < 2:
        raise InputError(
            f"All {len(usable):,} rows ended alike: there is nothing to learn. Look over more days."
        )
    used = [name] if name in RULES else list(columns)
    # newton-cholesky: some hundred thousand rows of a few columns in a moment
    model = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky"))
    model.fit(logs(usable[used]), usable["outcome"])
    return lambda rows: model.predict_proba(logs(rows[used]))[:, 1]


def logs(columns: pd.DataFrame) -> np.ndarray:
    """log(1 + |x|) with the sign of x, shape of `columns`."""
    values = columns.to_numpy("float64")
    return np.sign(values) * np.log1p(np.abs(values))


def chosen_candidate(rows: pd.DataFrame, tolerance_auc: float) -> str:
    """The first of CANDIDATES whose AUC among customers who bought before is near the best."""
    again = rows[rows["bought_before"]]
    aucs = [auc(again, name).value for name in CANDIDATES]
    return next(
        name
        for name, value in zip(CANDIDATES, aucs, strict=True)
        if value >= max(aucs) - tolerance_auc
    )


def auc(rows: pd.DataFrame, candidate: str) -> pi.Measure:
    columns = (rows[name].to_numpy() for name in ("outcome", chance_name(candidate), "as_of"))
    return pi.auc_inside(*columns)


def losses(rows: pd.DataFrame, candidate: str) -> np.ndarray:
    """Log-loss of each row, shape (n,)."""
    chance = np.clip(rows[chance_name(candidate)], CHANCE_FLOOR, 1 - CHANCE_FLOOR).to_numpy()
    return -np.log(np.where(rows["outcome"].to_numpy() == 1, chance, 1 - chance))


def between(found: pi.Measure, rows: pd.DataFrame) -> tuple[float, float]:
    return pi.interval(found, rows["as_of"].to_numpy(), rows["person_id"].to_numpy())


def card(found: Judged) -> pd.DataFrame:
    """A row per candidate, simplest first: candidate; auc and its interval among customers who had
    bought before; first_auc among the others (missing where there are none); log_loss and
    calibration_error of all."""
    again, first, everyone, lines = found.again, found.first, found.rows, []
    for name in CANDIDATES:
        measure = auc(again, name)
        chance, outcome = everyone[chance_name(name)].to_numpy(), everyone["outcome"].to_numpy()
        line = {"candidate": name, "auc": measure.value, "between": between(measure, again)}
        line["first_auc"] = auc(first, name).value if first["outcome"].nunique() > 1 else np.nan
        line["log_loss"] = float(losses(everyone, name).mean())
        lines.append(line | {"calibration_error": calibration_error(outcome, chance)})
    return pd.DataFrame(lines)


def versus(found: Judged, one: str, others: Sequence[str] = CANDIDATES) -> pd.DataFrame:
    """How far `one` is ahead of others: candidate; ahead, low, high of the AUC among customers who
    had bought before; loss_ahead, loss_low, loss_high, of the log-loss of all (above 0: better)."""
    again, everyone, lines = found.again, found.rows, []
    own, own_losses = auc(again, one), losses(everyone, one)
    for name in others:
        if name == one:
            continue
        ahead = pi.difference(own, auc(again, name))
        low, high = between(ahead, again)
        saved = pi.mean(losses(everyone, name) - own_losses)
        loss_low, loss_high = between(saved, everyone)
        line = {"candidate": name, "ahead": ahead.value, "low": low, "high": high}
        lines.append(
            line | {"loss_ahead": saved.value, "loss_low": loss_low, "loss_high": loss_high}
        )
    return pd.DataFrame(lines)


def today(found: Judged, rows: pd.DataFrame) -> np.ndarray:
    """Chances of rows whose outcome is open, by the candidate in use, which has learned from all
    that is known. rows: columns as in `judged`."""
    return fitted(found.name, found.known, found.design, found.columns)(rows)


def learned(found: Judged) -> lp.Learned:
    """Learned points as of now, whatever candidate is in use."""
    return lp.fit(found.known, found.design)
